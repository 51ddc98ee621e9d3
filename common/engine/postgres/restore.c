#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/swap.h"
#include "common/engine/select.h"

#include "common/base/banned.h"

enum { LIST_MAX = 600, SHOWN_MAX = 400, LEFT_LINES = 40, LEFT_REPORTED = 1000 };

/* ---- a mark on what is not complete ---------------------------------------------------------------------- */

static int set_comment(struct pgsql *c, const char *text, struct error *err)
{
    struct buf sql = BUF_INIT;
    int rc = buf_printf(&sql, err, "COMMENT ON DATABASE ");
    if (rc == 0)
        rc = pgsql_quote(&sql, PQdb(c->conn), err);
    if (rc == 0)
        rc = buf_printf(&sql, err, " IS ");
    if (rc == 0)
        rc = pgsql_literal(&sql, text, err);
    if (rc == 0)
        rc = buf_append(&sql, "", 1, err);
    if (rc == 0)
        rc = pgsql_exec(c, (const char *)sql.data, err);
    buf_free(&sql);
    return rc;
}

static const char mark_text[] = "NOT COMPLETE, do not use: ";

/* The comment that was there, for free(), but not the mark of an earlier attempt. The mark fails where the role
 * does not own the database. */
static char *mark(struct pgsql *c, const struct engine_target *t, bool *marked)
{
    char text[300];
    char *before = pgsql_text(c,
                              "SELECT coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') FROM "
                              "pg_catalog.pg_database WHERE datname = pg_catalog.current_database()",
                              NULL);
    (void)snprintf(text, sizeof text, "%sa restore of %s did not end here", mark_text,
                   t->snapshot != NULL ? t->snapshot : "a snapshot");
    *marked = before != NULL && set_comment(c, text, NULL) == 0;
    if (before != NULL && str_starts(before, mark_text))
        before[0] = '\0';
    return before;
}

/* ---- the steps -------------------------------------------------------------------------------------------- */

/* Of the target's release; and new enough for what pg_dump wrote. */
int pgsql_restore_tool(const struct pgsql *c, const struct engine_target *t, struct pgsql_tool *out,
                       struct error *err)
{
    unsigned wanted = (unsigned)(PQserverVersion(c->conn) / 10000);
    char dump[PGSQL_VERSION_MAX];
    char digits[8];
    uint64_t major = 0;
    if (fact_get(t->facts, "pg_dump", dump, sizeof dump)) {
        (void)snprintf(digits, sizeof digits, "%.*s", (int)strspn(dump, "0123456789"), dump);
        if (number_parse(digits, 1, PGSQL_MAJOR_MAX, &major, NULL) == 0 && major > wanted)
            wanted = (unsigned)major;
    }
    return pgsql_tool_find("pg_restore", wanted, NULL, out, err);
}

unsigned pgsql_jobs(const struct engine_target *target)
{
    unsigned jobs = target->jobs != 0 ? target->jobs : PGSQL_JOBS;
    return jobs < PGSQL_JOBS_MAX ? jobs : PGSQL_JOBS_MAX;
}

static int fill(struct pgsql *c, struct pgsql_plan *p, const struct pgsql_tool *tool, struct error *err)
{
    unsigned jobs = pgsql_jobs(p->target);
    bool definitions = !p->target->data_only;
    int rc = 0;
    pgsql_plan_phase(p, "definitions");
    if (definitions)
        rc = pgsql_schema_load(c, p, tool, "--section=pre-data", 1, err);
    if (rc == 0 && p->target->defined != NULL)
        rc = p->target->defined(p->target->drill_arg, err);
    if (rc == 0)
        rc = pgsql_load_tables(c, p, jobs, err);
    pgsql_plan_phase(p, "large objects");
    if (rc == 0 && p->objects && !p->partial && definitions)
        rc = pgsql_load_objects(c, p, tool, err);
    pgsql_plan_phase(p, "sequences");
    if (rc == 0 && definitions)
        rc = pgsql_load_sequences(c, p, err);
    pgsql_plan_phase(p, "indexes, keys, views");
    if (rc == 0 && definitions)
        rc = pgsql_schema_load(c, p, tool, "--section=post-data", jobs, err);
    if (rc == 0 && p->target->loaded != NULL)
        rc = p->target->loaded(p->target->drill_arg, err);
    pgsql_plan_phase(p, "comparing");
    if (rc == 0 && !p->target->no_verify)
        rc = pgsql_compare(c, p, err);
    pgsql_plan_phase(p, p->target->after_name != NULL ? p->target->after_name : "");
    if (rc == 0 && p->target->after_sql != NULL)
        rc = pgsql_after(c, p->target, err);
    return rc;
}

static void tell_database_settings(const struct pgsql *c, const struct pgsql_plan *p)
{
    uint64_t n = 0;
    if (fact_number(p->schema_facts, "database_settings", &n) && n > 0)
        log_event(
            LOG_WARN,
            "%s: the source has settings, rights or a comment of the database itself (ALTER DATABASE ... SET, "
            "GRANT or COMMENT ON DATABASE), which are not set here; they are in schema.pgdump (pg_restore -l "
            "shows DATABASE PROPERTIES, ACL and COMMENT)",
            c->where);
}

/* A database that was in use before keeps its comment, and nobody is told to drop it. */
static bool is_guest(const struct engine_target *t)
{
    return t->data_only || (t->into_nonempty && select_is_partial(t->select));
}

static int unfinished(const struct pgsql *c, const struct pgsql_plan *p, bool marked, struct error *err)
{
    struct vec names = VEC_OF(char *);
    char list[LIST_MAX];
    if (p->target->drill_arg != NULL) /* nothing of it stays */
        return err != NULL ? err->code : E_IO;
    if (!is_guest(p->target))
        return error_wrap(
            err,
            "%s holds only a part of the snapshot and must not be used%s; drop it (dropdb) and restore into a new one",
            c->where, marked ? " (its comment says so, too)" : "");
    for (size_t i = 0; i < p->loads.len; i++) {
        char **slot = vec_push(&names, NULL);
        if (slot != NULL)
            *slot = str_dup(((const struct pgsql_load *)vec_at(&p->loads, i))->t.sql, NULL);
    }
    (void)pgsql_names_text(&names, list, sizeof list);
    pgsql_names_free(&names);
    return error_wrap(
        err,
        "%s: these tables hold only a part of what was backed up, or were not made: %s; %s them and try again",
        c->where, list, p->target->data_only ? "TRUNCATE" : "DROP");
}

static int fill_marked(struct pgsql *c, struct pgsql_plan *p, const struct pgsql_tool *tool, bool tell,
                       struct error *err)
{
    struct error why = ERROR_INIT;
    bool marked = false;
    char *before = is_guest(p->target) ? NULL : mark(c, p->target, &marked);
    int rc = fill(c, p, tool, &why);
    if (rc == 0 && marked)
        rc = set_comment(c, before, &why);
    free(before);
    if (rc < 0) {
        (void)error_copy(err, &why);
        return unfinished(c, p, marked, err);
    }
    if (tell && !p->partial)
        tell_database_settings(c, p);
    return 0;
}

static void warn_absent(const char *text, void *arg)
{
    (void)arg;
    log_event(LOG_WARN, "%s", text);
}

/* A drill has them among its results. */
static int report_left(const struct pgsql_plan *p, struct error *err)
{
    const struct vec *left = &p->schema.subset.left;
    char shown[SHOWN_MAX];
    int rc = 0;
    for (size_t i = 0; rc == 0 && p->partial && i < left->len && i < LEFT_REPORTED; i++) {
        const struct engine_check check = { .kind = "definitions",
                                            .name = "left out of a part",
                                            .subject =
                                                str_printable(shown, sizeof shown, *(char **)vec_at(left, i)),
                                            .skipped = true };
        rc = p->target->check(&check, p->target->drill_arg, err);
    }
    return rc;
}

static void tell_left(const struct pgsql_plan *p)
{
    const struct vec *left = &p->schema.subset.left;
    char shown[SHOWN_MAX];
    for (size_t i = 0; p->partial && !p->target->data_only && i < left->len && i < LEFT_LINES; i++)
        log_event(LOG_WARN, "left out: %s", str_printable(shown, sizeof shown, *(char **)vec_at(left, i)));
    if (p->partial && left->len > LEFT_LINES)
        log_event(LOG_WARN, "left out: %zu more; `restore plan` lists all of them", left->len - LEFT_LINES);
    if (p->partial && p->objects)
        log_event(LOG_WARN, "left out: large objects, which belong to no table");
    pgsql_absent(p, warn_absent, NULL);
}

int pgsql_restore_into(const struct engine_streams *streams, const struct engine_target *target, bool tell,
                       struct error *err)
{
    struct pgsql_plan plan = { .streams = NULL };
    struct pgsql_tool tool = { .path = NULL };
    struct pgsql c = { .conn = NULL };
    int rc = pgsql_after_check(target, err);
    if (rc == 0)
        rc = pgsql_target_open(target, &c, err);
    if (rc == 0)
        rc = pgsql_plan_make(&plan, streams, target, err);
    if (rc == 0)
        rc = pgsql_target_fits(&plan, &c, err);
    if (rc == 0)
        rc = pgsql_schema_fetch(&plan, err);
    if (rc == 0)
        rc = pgsql_schema_select(&plan, target->into_nonempty ? &c : NULL, err);
    if (rc == 0)
        rc = pgsql_fits_or_fail(&c, &plan, true, err);
    if (rc == 0)
        rc = pgsql_restore_tool(&c, target, &tool, err);
    if (rc == 0)
        rc = pgsql_roles_settle(&c, &plan, err);
    if (rc == 0)
        rc = fill_marked(&c, &plan, &tool, tell, err);
    if (rc == 0 && target->check != NULL)
        rc = report_left(&plan, err);
    else if (rc == 0)
        tell_left(&plan);
    pgsql_plan_free(&plan);
    pgsql_tool_free(&tool);
    pgsql_close(&c);
    return rc;
}

int pgsql_restore(const struct engine_streams *streams, const struct engine_target *target, struct error *err)
{
    return target->beside ? pgsql_beside(streams, target, err)
                          : pgsql_restore_into(streams, target, true, err);
}
