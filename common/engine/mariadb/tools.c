/* mariadb-dump: definitions, code and accounts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/feed.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { VERSION_LIMIT = 4096, VERSION_MS = 30000, NAMES_MAX = 1 << 20 };

/* "mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)", or since 11 "mariadb-dump from
 * 11.4.2-MariaDB, client 10.19 ..." */
bool maria_tool_version(const char *printed, char version[MARIA_VERSION_MAX])
{
    static const char *const marks[] = { " Distrib ", " from " };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const char *at = strstr(printed, marks[i]);
        if (at == NULL)
            continue;
        at += strlen(marks[i]);
        (void)snprintf(version, MARIA_VERSION_MAX, "%.*s", (int)strcspn(at, ", \n"), at);
        if (strstr(version, "-MariaDB") != NULL)
            return true;
    }
    return false;
}

void maria_tool_free(struct maria_tool *t)
{
    free(t->path);
    *t = (struct maria_tool){ .path = NULL };
}

int maria_tool_find(const char *bin_dir, struct maria_tool *out, struct error *err)
{
    static const char name[] = "mariadb-dump";
    struct child_options opt = { .timeout_ms = VERSION_MS };
    struct buf said = BUF_INIT;
    struct error why = ERROR_INIT;
    *out = (struct maria_tool){ .path = NULL };
    out->path = bin_dir != NULL ? str_printf(err, "%s/%s", bin_dir, name) : str_dup(name, err);
    const char *const argv[] = { out->path, "--no-defaults", "--version", NULL };
    int rc = out->path != NULL ? child_run(argv, &opt, &said, VERSION_LIMIT, &why) : E_NOMEM;
    if (rc == E_NOT_FOUND)
        rc = error_set(err, rc,
                       "%s is not in %s: apt-get install mariadb-client, or say where it is with `bin_dir`",
                       name, bin_dir != NULL ? bin_dir : "PATH");
    else if (rc < 0)
        rc = error_copy(err, &why);
    if (rc == 0)
        rc = buf_append(&said, "", 1, err);
    if (rc == 0 && !maria_tool_version((const char *)said.data, out->version))
        rc = error_set(err, E_UNSUPPORTED, "%s does not say that it is of MariaDB", out->path);
    buf_free(&said);
    if (rc < 0)
        maria_tool_free(out);
    return rc;
}

/* ---- its option file ---------------------------------------------------------------------------------------- */

static int add_option(struct buf *out, const char *key, const char *value, struct error *err)
{
    if (value == NULL)
        return 0;
    int rc = buf_printf(out, err, "%s=", key);
    if (rc == 0)
        rc = maria_option_value(out, value, err);
    return rc == 0 ? buf_append(out, "\n", 1, err) : rc;
}

/* The last thing in the file, in one block: growth would leave copies of the password behind. */
static int add_password(const struct maria_address *a, struct buf *out, struct error *err)
{
    struct buf password = BUF_INIT;
    if (a->password_file == NULL)
        return 0;
    int rc = maria_password(a->password_file, &password, err);
    if (rc == 0)
        rc = buf_reserve(out, 2 * password.len + 64, err);
    if (rc == 0)
        rc = add_option(out, "password", (const char *)password.data, err);
    buf_wipe(&password);
    return rc;
}

static int add_ignored(struct buf *out, const char *database, const struct vec *names, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < names->len; i++) {
        char *whole = str_printf(err, "%s.%s", database, *(char **)vec_at(names, i));
        rc = whole != NULL ? add_option(out, "ignore-table", whole, err) : E_NOMEM;
        free(whole);
    }
    return rc;
}

static int add_address(const struct maria_address *a, struct buf *out, struct error *err)
{
    int rc = a->defaults_file != NULL ? buf_printf(out, err, "!include %s\n", a->defaults_file) : 0;
    if (rc == 0)
        rc = buf_printf(out, err, "[client]\n");
    if (rc == 0)
        rc = add_option(out, "host", a->host, err);
    if (rc == 0)
        rc = add_option(out, "socket", a->socket, err);
    if (rc == 0 && a->port != 0)
        rc = buf_printf(out, err, "port=%u\n", a->port);
    if (rc == 0)
        rc = add_option(out, "user", a->user, err);
    if (rc == 0)
        rc = add_option(out, "ssl-ca", a->ssl_ca, err);
    if (rc == 0 && a->ssl_verify)
        rc = buf_printf(out, err, "ssl\nssl-verify-server-cert\n");
    return rc;
}

/* What of the database is left out of this script. */
static int add_database(const struct maria_database *db, enum maria_script script, struct buf *out,
                        struct error *err)
{
    int rc = buf_printf(out, err, "[mariadb-dump]\n");
    if (rc == 0)
        rc = add_ignored(out, db->name, &db->excluded, err);
    return rc == 0 && script == SCRIPT_SCHEMA ? add_ignored(out, db->name, &db->views, err) : rc;
}

/* ---- running it ----------------------------------------------------------------------------------------------- */

/* What the system lets a command line hold is shared with the environment. */
static int check_names(const struct vec *names, struct error *err)
{
    size_t len = 0;
    for (size_t i = 0; i < names->len; i++)
        len += strlen(*(char **)vec_at(names, i)) + 1 + sizeof(char *);
    return len < NAMES_MAX
               ? 0
               : error_set(err, E_UNSUPPORTED,
                           "the names of %zu views are too long for one command line: leave some out with "
                           "`exclude_tables`",
                           names->len);
}

static int add_args(struct vec *argv, const char *const *more, struct error *err)
{
    for (; *more != NULL; more++) {
        const char **slot = vec_push(argv, err);
        if (slot == NULL)
            return E_NOMEM;
        *slot = *more;
    }
    return 0;
}

/* Takes the option file by stdin: no password is seen in its arguments. */
static struct child *start(const char *const *argv, const struct buf *file, struct error *err)
{
    struct child_options opt = { .want_stdin = true, .want_stdout = true };
    struct error why = ERROR_INIT;
    struct child *child = child_start(argv, &opt, err);
    if (child == NULL)
        return NULL;
    int rc = fd_write_full(child_stdin(child), file->data, file->len, "mariadb-dump", &why);
    child_close_stdin(child);
    if (rc == 0 || why.sys == EPIPE) /* one that ended already says why at its end */
        return child;
    (void)error_copy(err, &why);
    child_free(child);
    return NULL;
}

/* names: of the tables or views, in this order; NULL: all of them. */
static struct child *start_dump(const struct maria_tool *t, const char *const *more, const char *database,
                                const struct vec *names, const struct buf *file, struct error *err)
{
    const char *const head[] = { t->path,
                                 "--defaults-file=/dev/stdin",
                                 "--no-data",
                                 "--skip-comments",
                                 "--skip-lock-tables",
                                 "--default-character-set=utf8mb4",
                                 "--tz-utc",
                                 "--quote-names",
                                 NULL };
    const char *const place[] = { "--", database, NULL };
    struct vec argv = VEC_OF(const char *);
    struct child *child = NULL;
    int rc = add_args(&argv, head, err);
    if (rc == 0)
        rc = add_args(&argv, more, err);
    if (rc == 0)
        rc = add_args(&argv, database != NULL ? place : place + 2, err);
    for (size_t i = 0; rc == 0 && names != NULL && i < names->len; i++) {
        const char *const one[] = { *(char **)vec_at(names, i), NULL };
        rc = add_args(&argv, one, err);
    }
    if (rc == 0 && vec_push(&argv, err) != NULL)
        child = start(argv.data, file, err);
    vec_free(&argv);
    return child;
}

static struct source *run(const struct maria_tool *t, struct maria_origin *o, const struct maria_database *db,
                          enum maria_script script, const struct vec *names, const char *const *args,
                          struct error *err)
{
    static const char begins[] = "/*";
    static const char ends[] = "SQL_NOTES=@OLD_SQL_NOTES */;\n\n";
    struct feed_options options = {
        .name = "mariadb-dump", .begins = begins, .ends = ends, .tick = maria_origin_tick, .arg = o
    };
    struct buf file = BUF_INIT;
    struct child *child = NULL;
    int rc = db != NULL ? add_database(db, script, &file, err) : 0;
    if (rc == 0)
        rc = add_address(&o->set->at, &file, err);
    if (rc == 0)
        rc = add_password(&o->set->at, &file, err);
    if (rc == 0 && names != NULL)
        rc = check_names(names, err);
    if (rc == 0)
        child = start_dump(t, args, db != NULL ? db->name : NULL, names, &file, err);
    buf_wipe(&file);
    return child != NULL ? feed_source(child, &options, err) : NULL;
}

/* ---- one after the other ---------------------------------------------------------------------------------------- */

struct joined {
    struct source base;
    struct source *parts[2];
    const struct maria_tool *tool;
    struct maria_origin *origin;
    const struct maria_database *db;
    int part;
};

static const char *const code_args[] = { "--no-create-info", "--triggers", "--routines", "--events", NULL };
static const char *const views_args[] = { "--skip-triggers", NULL };
static const char *const schema_args[] = { "--skip-triggers", NULL };
static const char *const users_args[] = { "--system=users", "--insert-ignore", NULL };

static int64_t joined_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct joined *j = (struct joined *)base;
    for (;;) {
        int64_t n = source_read(j->parts[j->part], data, cap, err);
        if (n != 0 || j->part == 1 || j->db->views.len == 0)
            return n;
        j->parts[1] = run(j->tool, j->origin, j->db, SCRIPT_CODE, &j->db->views, views_args, err);
        if (j->parts[1] == NULL)
            return maria_failed(err);
        j->part = 1;
    }
}

static void joined_free(struct source *base)
{
    struct joined *j = (struct joined *)base;
    source_free(j->parts[0]);
    source_free(j->parts[1]);
    free(j);
}

/* Routines first, then views, which may call them. */
static struct source *code_source(const struct maria_tool *t, struct maria_origin *o,
                                  const struct maria_database *db, struct error *err)
{
    struct joined *j = mem_alloc(1, sizeof *j, err);
    if (j == NULL)
        return NULL;
    *j = (struct joined){
        .base = { .read = joined_read, .free = joined_free }, .tool = t, .origin = o, .db = db
    };
    j->parts[0] = run(t, o, db, SCRIPT_CODE, NULL, code_args, err);
    if (j->parts[0] != NULL)
        return &j->base;
    free(j);
    return NULL;
}

struct source *maria_dump_source(const struct maria_tool *t, struct maria_origin *o,
                                 const struct maria_database *db, enum maria_script script, struct error *err)
{
    if (script == SCRIPT_CODE)
        return code_source(t, o, db, err);
    return run(t, o, db, script, NULL, script == SCRIPT_USERS ? users_args : schema_args, err);
}
