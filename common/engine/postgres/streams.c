/* How each stream of a run begins. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/run.h"

#include "common/base/banned.h"

/* "DB/rest", or "rest" alone for what belongs to the whole server. */
static int name_stream(struct engine_run *run, bool of_database, const char *rest, struct error *err)
{
    buf_clear(&run->name);
    int rc = of_database ? pgsql_encode(&run->name, PQdb(run->origin.main.conn), err) : 0;
    if (rc == 0 && of_database)
        rc = buf_append(&run->name, "/", 1, err);
    return rc == 0 ? buf_append(&run->name, rest, strlen(rest) + 1, err) : rc;
}

static int start_tool(struct engine_run *run, const struct pgsql_tool *tool, const char *option,
                      const char *const *args, const char *name, const char *begins, struct error *err)
{
    struct child *child = pgsql_tool_start(tool, &run->origin.main, option, args, false, err);
    if (child != NULL)
        run->source = pgsql_child_source(child, name, begins, &run->origin, err);
    return run->source != NULL ? 0 : pgsql_failed(err);
}

static int start_globals(struct engine_run *run, struct error *err)
{
    const char *const args[] = { "--globals-only",
                                 run->origin.may_read_passwords ? NULL : "--no-role-passwords", NULL };
    int rc = name_stream(run, false, "globals.sql", err);
    return rc == 0 ? start_tool(run, &run->dumpall, "-l", args, "pg_dumpall", "--", err) : rc;
}

/* Also what the patterns leave out, which is many arguments perhaps. For free(); the arguments are borrowed. */
static const char **dump_args(const struct engine_run *run, bool schema, const char *snapshot,
                              const char *wait, struct error *err)
{
    const char *const fixed[] = { "-Fc",
                                  "-Z0",
                                  snapshot,
                                  wait,
                                  schema ? "--section=pre-data" : "--section=data",
                                  schema ? "--section=post-data" : "--blobs",
                                  schema ? NULL : "--exclude-table-data=*.*" };
    const struct vec *more = &run->origin.chosen.args;
    size_t n = 0;
    const char **args = mem_alloc(sizeof fixed / sizeof fixed[0] + more->len + 1, sizeof *args, err);
    for (size_t i = 0; args != NULL && i < sizeof fixed / sizeof fixed[0]; i++)
        if (fixed[i] != NULL)
            args[n++] = fixed[i];
    for (size_t i = 0; args != NULL && i < more->len; i++)
        args[n++] = *(char **)vec_at(more, i);
    return args;
}

static int start_dump(struct engine_run *run, bool schema, struct error *err)
{
    char wait[48];
    (void)snprintf(wait, sizeof wait, "--lock-wait-timeout=%llu", (unsigned long long)run->set.lock_ms);
    char *snapshot = str_printf(err, "--snapshot=%s", run->origin.snapshot);
    const char **args = snapshot != NULL ? dump_args(run, schema, snapshot, wait, err) : NULL;
    int rc = args != NULL ? 0 : E_NOMEM;
    if (rc == 0)
        rc = name_stream(run, true, schema ? "schema.pgdump" : "largeobjects.pgdump", err);
    if (rc == 0)
        rc = start_tool(run, &run->dump, "-d", args, "pg_dump", "PGDMP", err);
    free(args);
    free(snapshot);
    return rc;
}

static int start_table(struct engine_run *run, struct error *err)
{
    struct pgsql_table *t = vec_at(&run->origin.tables, run->table);
    struct buf path = BUF_INIT;
    run->current = t;
    run->table++;
    int rc = pgsql_table_path(t, &path, err);
    if (rc == 0)
        rc = buf_append(&path, "", 1, err);
    if (rc == 0)
        rc = name_stream(run, true, (const char *)path.data, err);
    buf_free(&path);
    if (rc == 0 && run->gather == NULL && (run->gather = pgsql_gather_start(&run->origin, err)) == NULL)
        rc = pgsql_failed(err);
    if (rc == 0 && (run->source = pgsql_gather_source(run->gather, err)) == NULL)
        rc = pgsql_failed(err);
    return rc;
}

static int start_script(struct engine_run *run, struct error *err)
{
    pgsql_gather_free(run->gather); /* its readers are free again */
    run->gather = NULL;
    int rc = pgsql_read_sequences(&run->origin.readers[0], &run->origin.sequences, err);
    if (rc == 0)
        rc = pgsql_load_script(&run->origin, &run->script, err);
    if (rc == 0)
        rc = name_stream(run, true, "load.sql", err);
    if (rc == 0 && (run->source = source_memory(run->script.data, run->script.len, err)) == NULL)
        rc = E_NOMEM;
    return rc;
}

int pgsql_start_stream(struct engine_run *run, struct error *err)
{
    switch (run->step) {
    case STEP_GLOBALS:
        return start_globals(run, err);
    case STEP_SCHEMA:
    case STEP_OBJECTS:
        return start_dump(run, run->step == STEP_SCHEMA, err);
    case STEP_TABLES:
        return start_table(run, err);
    default:
        return start_script(run, err);
    }
}
