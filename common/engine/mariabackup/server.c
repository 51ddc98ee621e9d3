#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariabackup/internal.h"
#include "common/sys/child.h"

#include "common/base/banned.h"

enum { ASK_MS = 60000, ANSWER_MAX = 256 * 1024, ARGS_MAX = 16 };

/* One row each, a key and a value; SHOW GRANTS has rows of its own. */
static const char general[] =
    "SELECT 'version', VERSION(); SELECT 'datadir', @@datadir; SELECT 'account', CURRENT_USER(); "
    "SELECT 'encryption', PLUGIN_NAME FROM information_schema.PLUGINS "
    "WHERE PLUGIN_TYPE = 'ENCRYPTION' AND PLUGIN_STATUS = 'ACTIVE'; SHOW GRANTS";

static const char tables_elsewhere[] =
    "SELECT 'elsewhere', NAME FROM information_schema.INNODB_SYS_TABLESPACES WHERE FILENAME LIKE '/%'";

static int ask(const struct mb_settings *s, const char *sql, struct buf *out, struct error *err)
{
    static const char *const names[] = { "mariadb", "mysql", NULL };
    static const char *const more[] = { "--batch", "--skip-column-names", "--connect-timeout=30",
                                        "--execute" };
    struct child_options opt = { .timeout_ms = ASK_MS };
    const char *argv[ARGS_MAX] = { NULL };
    size_t n = 1;
    char *client = mb_tool_find(s->bin_dir, names, err);
    if (client == NULL)
        return err->code < 0 ? error_wrap(err, "apt-get install mariadb-client-core") : E_NOMEM;
    argv[0] = client;
    for (size_t i = 0; i < s->nconnect; i++)
        argv[n++] = s->connect[i];
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        argv[n++] = more[i];
    argv[n++] = sql;
    int rc = child_run(argv, &opt, out, ANSWER_MAX, err);
    free(client);
    return rc < 0 ? rc : buf_append(out, "", 1, err);
}

/* "GRANT RELOAD, PROCESS ON *.* TO ..." */
static bool grants(const char *line, const char *right)
{
    const char *end = strstr(line, " ON *.* TO ");
    if (!str_starts(line, "GRANT ") || end == NULL)
        return false;
    for (const char *at = line + strlen("GRANT "); at < end; at += strspn(at, ", ")) {
        size_t len = strcspn(at, ",");
        len = len < (size_t)(end - at) ? len : (size_t)(end - at);
        if ((len == strlen("ALL PRIVILEGES") && strncmp(at, "ALL PRIVILEGES", len) == 0) ||
            (len == strlen(right) && strncmp(at, right, len) == 0))
            return true;
        at += len;
    }
    return false;
}

static void copy(char *out, size_t cap, const char *from)
{
    (void)snprintf(out, cap, "%s", from);
}

static int take_line(struct mb_server *s, const char *line, struct error *err)
{
    char shown[1024];
    const char *tab = strchr(line, '\t');
    s->reload = s->reload || grants(line, "RELOAD");
    s->process = s->process || grants(line, "PROCESS");
    s->lock_tables = s->lock_tables || grants(line, "LOCK TABLES");
    s->binlog_monitor = s->binlog_monitor || grants(line, "BINLOG MONITOR");
    if (tab == NULL)
        return 0;
    if (str_starts(line, "version\t"))
        copy(s->version, sizeof s->version, tab + 1);
    else if (str_starts(line, "datadir\t"))
        copy(s->datadir, sizeof s->datadir, tab + 1);
    else if (str_starts(line, "account\t"))
        copy(s->account, sizeof s->account, tab + 1);
    else if (str_starts(line, "encryption\t"))
        s->encrypted = true;
    else if (str_starts(line, "elsewhere\t"))
        return buf_printf(&s->elsewhere, err, "%s%s", s->elsewhere.len > 0 ? ", " : "",
                          str_printable(shown, sizeof shown, tab + 1));
    return 0;
}

static int ask_lines(const struct mb_settings *s, const char *sql, struct mb_server *out, struct error *err)
{
    struct buf answer = BUF_INIT;
    int rc = ask(s, sql, &answer, err);
    for (char *line = (char *)answer.data; rc == 0 && line != NULL && *line != '\0';) {
        char *end = line + strcspn(line, "\n");
        char *next = *end != '\0' ? end + 1 : end;
        *end = '\0';
        rc = take_line(out, line, err);
        line = next;
    }
    buf_free(&answer);
    return rc;
}

int mb_server_ask(const struct mb_settings *s, struct mb_server *out, struct error *err)
{
    struct error why = ERROR_INIT;
    *out = (struct mb_server){ .reload = false };
    buf_init(&out->elsewhere);
    int rc = ask_lines(s, general, out, &why);
    if (rc == 0 && (out->version[0] == '\0' || out->datadir[0] == '\0'))
        rc = error_set(&why, E_IO, "the server did not say its version and data directory");
    if (rc == 0 && out->process)
        rc = ask_lines(s, tables_elsewhere, out, &why);
    if (rc == 0)
        rc = buf_append(&out->elsewhere, "", 1, &why);
    (void)mb_series(out->version, out->series);
    if (rc < 0)
        mb_server_free(out);
    return rc < 0 ? error_copy(err, &why) : 0;
}

void mb_server_free(struct mb_server *s)
{
    buf_free(&s->elsewhere);
}
