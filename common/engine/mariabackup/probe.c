#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/mariabackup/internal.h"

#include "common/base/banned.h"

enum { WHAT_MAX = 1200, NAME_MAX_LEN = 600 };

struct finder {
    engine_finding_fn *fn;
    void *arg;
};

static void fatal(const struct finder *f, const char *what, const char *cure)
{
    f->fn(true, what, cure, f->arg);
}

static void check_version(const struct mb_settings *s, const struct mb_server *server, const struct finder *f)
{
    char what[WHAT_MAX];
    if (server->series[0] == '\0') {
        (void)snprintf(what, sizeof what, "the server is of version %s, which is no MariaDB",
                       server->version);
        fatal(f, what, "this engine is for MariaDB " MB_SERIES);
    } else if (strcmp(server->series, MB_SERIES) != 0) {
        (void)snprintf(what, sizeof what, "the server is of version %s; tested is " MB_SERIES " only",
                       server->version);
        f->fn(!s->allow_untested, what,
              s->allow_untested ? "try a restore before you rely on it"
                                : "`allow_untested: yes` tries it all the same, and the snapshot says so",
              f->arg);
    }
}

/* `user`@`host`, as GRANT wants it. */
static const char *quoted(const char *account, char out[NAME_MAX_LEN])
{
    const char *at = strrchr(account, '@');
    size_t n = 0;
    out[n++] = '`';
    for (const char *p = account; *p != '\0' && n + 8 < NAME_MAX_LEN; p++) {
        if (p == at) {
            memcpy(out + n, "`@`", 3);
            n += 3;
            continue;
        }
        if (*p == '`')
            out[n++] = '`';
        out[n++] = *p;
    }
    out[n++] = '`';
    out[n] = '\0';
    return out;
}

static void check_rights(const struct mb_server *server, const struct finder *f)
{
    const struct {
        const char *name;
        bool has;
    } rights[] = { { "RELOAD", server->reload },
                   { "PROCESS", server->process },
                   { "LOCK TABLES", server->lock_tables },
                   { "BINLOG MONITOR", server->binlog_monitor } };
    char list[128] = "";
    char account[NAME_MAX_LEN];
    char what[WHAT_MAX];
    char cure[WHAT_MAX];
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        size_t used = strlen(list);
        if (!rights[i].has)
            (void)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", rights[i].name);
    }
    if (list[0] == '\0')
        return;
    (void)snprintf(what, sizeof what, "%s lacks rights on the server: %s", server->account, list);
    (void)snprintf(cure, sizeof cure, "GRANT %s ON *.* TO %s;", list, quoted(server->account, account));
    fatal(f, what, cure);
}

static void check_datadir(const struct mb_server *server, const struct finder *f)
{
    char what[WHAT_MAX];
    if (access(server->datadir, R_OK | X_OK) == 0)
        return;
    (void)snprintf(what, sizeof what, "this user cannot read the server's data directory %s",
                   server->datadir);
    fatal(
        f, what,
        "mariabackup reads the files themselves: run backupd on the server's own host, as root or as the server's "
        "account (mysql)");
}

static void check_contents(const struct mb_server *server, const struct finder *f)
{
    char what[WHAT_MAX];
    if (server->encrypted)
        fatal(f, "the server encrypts its tables, and a restore would need its keys and plugins",
              "use another engine for it");
    if (server->elsewhere.len <= 1)
        return;
    (void)snprintf(what, sizeof what, "tables lie outside the data directory (DATA DIRECTORY): %.900s",
                   (const char *)server->elsewhere.data);
    fatal(f, what, "move them back with ALTER TABLE, or use another engine");
}

static void check_tools(const struct mb_settings *s, const struct mb_server *server, const struct finder *f)
{
    static const char *const names[] = { "mbstream", NULL };
    struct error why = ERROR_INIT;
    struct mb_tool tool;
    if (server->series[0] == '\0')
        return;
    if (mb_tool_mariabackup(s->bin_dir, server->series, &tool, &why) < 0)
        fatal(f, why.text, "both come in the package mariadb-backup");
    free(tool.path);
    error_clear(&why);
    char *path = mb_tool_find(s->bin_dir, names, &why);
    if (path == NULL)
        f->fn(false, why.text, "a restore needs it: it is in the package mariadb-backup", f->arg);
    free(path);
}

int mb_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err)
{
    struct finder f = { .fn = fn, .arg = arg };
    struct error why = ERROR_INIT;
    struct mb_settings s;
    struct mb_server server;
    int rc = mb_settings_read(job, &s, err);
    if (rc < 0)
        return rc;
    rc = mb_server_ask(&s, &server, &why);
    if (rc == E_NOMEM || rc == E_CANCELLED)
        return error_copy(err, &why);
    if (rc < 0) {
        fatal(
            &f, why.text,
            "start the server, or correct the job's `socket` (or `host` and `port`), `user` and `defaults_file`");
        return 0;
    }
    check_version(&s, &server, &f);
    check_rights(&server, &f);
    check_datadir(&server, &f);
    check_contents(&server, &f);
    check_tools(&s, &server, &f);
    mb_server_free(&server);
    return 0;
}
