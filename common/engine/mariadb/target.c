/* The database that is restored into: what it is, and whether it may be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"
#include "common/engine/option.h"

#include "common/base/banned.h"

static const char mark_text[] = "NOT COMPLETE, do not use: ";

/* ---- refusals ---------------------------------------------------------------------------------------------- */

/* "10.11.19-MariaDB" as 1011 */
static unsigned release_of(const char *version)
{
    char *end = NULL;
    unsigned long major = strtoul(version, &end, 10);
    unsigned long minor = end != NULL && *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major < 1000 && minor < 100 ? (unsigned)(major * 100 + minor) : 0;
}

static int refuse_older(const struct engine_target *target, struct maria_target *t, struct error *err)
{
    const struct maria *c = &t->c;
    char source[64];
    unsigned here = (unsigned)(mysql_get_server_version(c->conn) / 100); /* 101119 */
    if (!fact_get(target->facts, "server_version", source, sizeof source) || release_of(source) == 0)
        return error_set(err, E_UNSUPPORTED, "the snapshot does not say which version of MariaDB it is of");
    if (here >= release_of(source))
        return 0;
    return error_set(
        err, E_UNSUPPORTED,
        "%s: the server is of MariaDB %u.%u, the snapshot of %u.%u: restore to that release or a newer "
        "one",
        c->where, here / 100, here % 100, release_of(source) / 100, release_of(source) % 100);
}

static int refuse_settings(const struct engine_target *target, struct maria_target *t, struct error *err)
{
    struct maria *c = &t->c;
    (void)target;
    int64_t files = 0;
    int rc = maria_number(c, "SELECT @@global.local_infile", &files, err);
    if (rc == 0 && files == 0)
        rc = error_set(
            err, E_UNSUPPORTED,
            "%s: the server takes no LOAD DATA LOCAL, which loads the rows (from this program's memory): "
            "SET GLOBAL local_infile = ON, for as long as the restore runs",
            c->where);
    return rc;
}

static int refuse_own(const struct maria_target *t, struct error *err)
{
    static const char *const own[] = { "information_schema", "performance_schema", "mysql", "sys" };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(own[i], t->goal.database) == 0)
            return error_set(err, E_USAGE, "%s is a database of the server itself", t->goal.database);
    return 0;
}

static int count_contents(struct maria_target *t, int64_t *out, struct error *err)
{
    char *d = maria_literal_text(t->goal.database, err);
    char *sql =
        d != NULL ? str_printf(
                        err,
                        "SELECT (SELECT count(*) FROM information_schema.tables WHERE table_schema = %s AND "
                        "BINARY table_schema = %s) + (SELECT count(*) FROM information_schema.routines WHERE "
                        "routine_schema = %s AND BINARY routine_schema = %s) + (SELECT count(*) FROM "
                        "information_schema.events WHERE event_schema = %s AND BINARY event_schema = %s)",
                        d, d, d, d, d, d)
                  : NULL;
    int rc = sql != NULL ? maria_number(&t->c, sql, out, err) : E_NOMEM;
    free(d);
    free(sql);
    return rc;
}

static int refuse_nonempty(const struct engine_target *target, struct maria_target *t, struct error *err)
{
    int64_t objects = 0;
    char shown[200];
    if (target->into_nonempty || !t->exists)
        return 0;
    int rc = count_contents(t, &objects, err);
    if (rc == 0 && objects != 0)
        rc = error_set(
            err, E_EXISTS,
            "%s: database %s is not empty (it holds %lld objects): restore into a new one, which is made, or "
            "say --into-nonempty",
            t->c.where, str_printable(shown, sizeof shown, t->goal.database), (long long)objects);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL ? b == NULL : b != NULL && strcmp(a, b) == 0;
}

static bool in_list(const struct vec *names, const char *name)
{
    for (size_t i = 0; i < names->len; i++)
        if (strcmp(*(char **)vec_at(names, i), name) == 0)
            return true;
    return false;
}

/* The same connection as that of the configured job, as far as its text tells. */
static bool is_job(const struct engine_target *target, const struct maria_target *t)
{
    const struct engine_job *job = target->source;
    if (job == NULL || !same_text(engine_option(job, "host"), t->goal.host) ||
        !same_text(engine_option(job, "socket"), t->goal.socket))
        return false;
    for (size_t i = 0; i < option_count(job, "database"); i++)
        if (strcmp(option_at(job, "database", i), t->goal.database) == 0)
            return true;
    return false;
}

static int refuse_source(const struct engine_target *target, struct maria_target *t, struct error *err)
{
    struct vec names = VEC_OF(char *);
    char shown[200];
    if (target->into_source)
        return 0;
    int rc = names_of_fact(target->facts, "databases", ERR_MARIA_NAME, &names, err);
    char *there =
        rc == 0 ? name_fact_text(target->facts, "server", "the snapshot", ERR_MARIA_FACTS, err) : NULL;
    char *here = there != NULL ? maria_identity(&t->c, err) : NULL;
    struct buf encoded = BUF_INIT;
    rc = here != NULL ? name_encode(&encoded, here, err) : maria_failed(err);
    if (rc == 0)
        rc = buf_append(&encoded, "", 1, err);
    bool same =
        rc == 0 && strcmp((const char *)encoded.data, there) == 0 && in_list(&names, t->goal.database);
    if (rc == 0 && (same || is_job(target, t)))
        rc = error_set(
            err, E_EXISTS,
            "%s: database %s is the one that was backed up: restore into a new one beside it, or say "
            "--into-source",
            t->c.where, str_printable(shown, sizeof shown, t->goal.database));
    buf_free(&encoded);
    free(here);
    free(there);
    names_free(&names);
    return rc;
}

static int look_for_database(struct maria_target *t, struct error *err)
{
    MYSQL_RES *r = NULL;
    char *d = maria_literal_text(t->goal.database, err);
    int rc =
        d != NULL
            ? maria_queryf(&t->c, &r, err,
                           "SELECT schema_comment FROM information_schema.schemata WHERE schema_name = %s "
                           "AND BINARY schema_name = %s",
                           d, d)
            : E_NOMEM;
    MYSQL_ROW row = rc == 0 ? mysql_fetch_row(r) : NULL;
    t->exists = row != NULL;
    if (row != NULL) {
        const char *comment = row[0] != NULL && !str_starts(row[0], mark_text) ? row[0] : "";
        t->comment = str_dup(comment, err);
        rc = t->comment != NULL ? 0 : E_NOMEM;
    }
    mysql_free_result(r);
    free(d);
    return rc;
}

int maria_target_has(struct maria_target *t, const char *name, bool *out, struct error *err)
{
    int64_t n = 0;
    char *d = maria_literal_text(t->goal.database, err);
    char *literal = maria_literal_text(name, err);
    char *sql = d != NULL && literal != NULL
                    ? str_printf(err,
                                 "SELECT count(*) FROM information_schema.tables WHERE table_schema = %s AND "
                                 "BINARY table_schema = %s AND BINARY table_name = %s",
                                 d, d, literal)
                    : NULL;
    int rc = sql != NULL ? maria_number(&t->c, sql, &n, err) : E_NOMEM;
    *out = n > 0;
    free(d);
    free(literal);
    free(sql);
    return rc;
}

int maria_target_reach(const struct engine_target *target, struct maria_target *t, struct error *err)
{
    *t = (struct maria_target){ .exists = false, .made = VEC_OF(char *) };
    int rc = maria_goal_read(target->to, &t->goal, err);
    if (rc == 0)
        rc = refuse_own(t, err);
    if (rc == 0)
        rc = maria_open(&t->c, &t->goal.at, err);
    if (rc == E_RETRY)
        (void)error_wrap(err, "--to (mariadb://USER@HOST/DATABASE or mariadb://USER@/DATABASE?socket=PATH "
                              "names the server)");
    if (rc == 0)
        rc = maria_session(&t->c, 0, err);
    return rc == 0 ? look_for_database(t, err) : rc;
}

typedef int refuse_fn(const struct engine_target *target, struct maria_target *t, struct error *err);
static refuse_fn *const refusals[] = { refuse_older, refuse_settings, refuse_source, refuse_nonempty };
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

int maria_target_open(const struct engine_target *target, struct maria_target *t, struct error *err)
{
    int rc = maria_target_reach(target, t, err);
    for (size_t i = 0; rc == 0 && i < REFUSALS; i++)
        rc = refusals[i](target, t, err);
    return rc;
}

int maria_target_findings(const struct engine_target *target, struct maria_target *t, engine_plan_fn *fn,
                          void *arg, struct error *err)
{
    for (size_t i = 0; i < REFUSALS; i++) {
        struct error why = ERROR_INIT;
        int rc = refusals[i](target, t, &why);
        if (rc < 0 && rc != E_UNSUPPORTED && rc != E_EXISTS)
            return error_copy(err, &why);
        if (rc < 0)
            fn(PLAN_MISSING, why.text, NULL, arg);
    }
    return 0;
}

void maria_target_close(struct maria_target *t)
{
    maria_close(&t->c);
    maria_goal_free(&t->goal);
    names_free(&t->made);
    free(t->comment);
    t->comment = NULL;
}

/* ---- making and marking it ----------------------------------------------------------------------------------- */

static int set_comment(struct maria_target *t, const char *text, struct error *err)
{
    char *name = maria_quoted_text(t->goal.database, err);
    char *literal = maria_literal_text(text, err);
    int rc = name != NULL && literal != NULL
                 ? maria_execf(&t->c, err, "ALTER DATABASE %s COMMENT %s", name, literal)
                 : E_NOMEM;
    free(name);
    free(literal);
    return rc;
}

/* Names of character sets and collations come from a snapshot. */
static bool is_plain_name(const char *s)
{
    return s[0] != '\0' &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

static int make(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    char charset[64];
    char collation[64];
    if (!fact_get(p->schema_facts, "charset", charset, sizeof charset) || !is_plain_name(charset) ||
        !fact_get(p->schema_facts, "collation", collation, sizeof collation) || !is_plain_name(collation))
        return error_corrupt(err, ERR_MARIA_FACTS,
                             "schema.sql does not say which character set the database has");
    char *name = maria_quoted_text(t->goal.database, err);
    int rc = name != NULL ? maria_execf(&t->c, err, "%s DATABASE %s CHARACTER SET %s COLLATE %s",
                                        t->exists ? "ALTER" : "CREATE", name, charset, collation)
                          : E_NOMEM;
    free(name);
    return rc;
}

static int mark(struct maria_target *t, const struct engine_target *target, struct error *err)
{
    char text[300];
    (void)snprintf(text, sizeof text, "%sa restore of %s did not end here", mark_text,
                   target->snapshot != NULL ? target->snapshot : "a snapshot");
    return set_comment(t, text, err);
}

int maria_target_begin(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    int rc = t->exists && p->target->into_nonempty ? 0 : make(t, p, err);
    char *name = rc == 0 ? maria_quoted_text(t->goal.database, err) : NULL;
    if (rc == 0)
        rc = mark(t, p->target, err);
    if (rc == 0)
        rc = name != NULL ? maria_execf(&t->c, err, "USE %s", name) : E_NOMEM;
    free(name);
    return rc;
}

/* A database that was made here gets the comment that the source had. */
int maria_target_end(struct maria_target *t, const struct maria_plan *p, struct error *err)
{
    char *encoded = name_fact_text(p->schema_facts, "comment", "", ERR_MARIA_FACTS, NULL);
    char *comment = encoded != NULL && encoded[0] != '\0' && !t->exists
                        ? name_decode(encoded, strlen(encoded), ERR_MARIA_NAME, err)
                        : str_dup(t->comment != NULL ? t->comment : "", err);
    int rc = comment != NULL ? set_comment(t, comment, err) : maria_failed(err);
    free(encoded);
    free(comment);
    return rc;
}
