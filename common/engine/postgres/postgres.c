#include "common/engine/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/census.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"
#include "common/engine/postgres/swap.h"

#include "common/base/banned.h"

/* The streams of a run, in this order: first what takes locks of its own, last the values of the sequences. */
/* From STEP_SCHEMA on those of one database, and again for the next. */
enum step { STEP_GLOBALS, STEP_SCHEMA, STEP_OBJECTS, STEP_TABLES, STEP_SCRIPT, STEP_END };

struct engine_run {
    struct pgsql_settings set;
    struct vec databases; /* char * */
    size_t database;      /* the one whose streams come now */
    struct pgsql_origin origin;
    /* of the server, for facts */
    struct buf about;
    struct buf oids;
    char *identity;
    bool passwords; /* are in globals.sql */
    bool untested;
    struct pgsql_tool dump;
    struct pgsql_tool dumpall;
    struct source *source; /* of the current stream */
    struct buf name;       /* of the current stream, NUL-terminated */
    struct buf script;
    enum step step; /* of the current stream */
    size_t table;   /* the next one */
    struct pgsql_table *current;
    bool begun;
    bool ended; /* the current stream was read to its end */
    bool finished;
};

static void postgres_close(struct engine_run *run)
{
    if (run == NULL)
        return;
    source_free(run->source);
    pgsql_origin_close(&run->origin);
    pgsql_tool_free(&run->dump);
    pgsql_tool_free(&run->dumpall);
    pgsql_names_free(&run->databases);
    buf_free(&run->about);
    buf_free(&run->oids);
    free(run->identity);
    buf_free(&run->name);
    buf_free(&run->script);
    free(run);
}

static int refuse_version(const struct engine_run *run, struct error *err)
{
    int64_t major = run->origin.version_num / 10000;
    if (major == PGSQL_MAJOR || run->set.allow_untested)
        return 0;
    return error_set(
        err, E_UNSUPPORTED,
        "%s: the server is of PostgreSQL %lld, and this engine is tested with %d only; `allow_untested: "
        "yes` tries it all the same",
        run->origin.main.where, (long long)major, PGSQL_MAJOR);
}

static int find_tools(struct engine_run *run, struct error *err)
{
    unsigned major = (unsigned)(run->origin.version_num / 10000);
    int rc = pgsql_tool_find("pg_dump", major, run->set.bin_dir, &run->dump, err);
    if (rc == 0 && run->set.globals)
        rc = pgsql_tool_find("pg_dumpall", major, run->set.bin_dir, &run->dumpall, err);
    return rc;
}

/* What is known of the server from the first database has to be true of the others. */
static int note_server(struct engine_run *run, struct error *err)
{
    struct pgsql_origin *o = &run->origin;
    int rc = buf_printf(&run->oids, err, "%s%s", run->database == 0 ? "" : ",", o->oid);
    if (rc < 0 || run->database > 0) {
        if (rc == 0 && run->identity != NULL && o->identity != NULL &&
            strcmp(run->identity, o->identity) != 0)
            rc = error_set(err, E_RETRY, "%s: this is another server than that of the database before",
                           o->main.where);
        return rc;
    }
    run->untested = o->version_num / 10000 != PGSQL_MAJOR;
    run->passwords = o->may_read_passwords;
    if (o->identity != NULL && (run->identity = str_dup(o->identity, err)) == NULL)
        return E_NOMEM;
    rc = buf_append(&run->about, o->about.data, o->about.len, err);
    return rc == 0 ? find_tools(run, err) : rc;
}

static int open_database(struct engine_run *run, struct error *err)
{
    const char *name = *(char **)vec_at(&run->databases, run->database);
    struct error why = ERROR_INIT;
    int rc = pgsql_origin_open(&run->origin, &run->set, name, &why);
    /* It was there a moment ago. */
    if (rc == E_NOT_FOUND && run->set.all_databases)
        return error_set(err, E_RETRY, "%s", why.text);
    if (rc < 0)
        return error_copy(err, &why);
    if (rc == 0)
        rc = refuse_version(run, err);
    return rc == 0 ? note_server(run, err) : rc;
}

static struct engine_run *postgres_open(const struct engine_job *job, struct error *err)
{
    struct pgsql c = { .conn = NULL };
    struct engine_run *run = mem_alloc(1, sizeof *run, err);
    if (run == NULL)
        return NULL;
    run->databases = (struct vec)VEC_OF(char *);
    int rc = pgsql_settings_read(job, &run->set, err);
    if (rc == 0)
        rc = pgsql_databases(&run->set, &c, &run->databases, err);
    pgsql_close(&c);
    if (rc == 0)
        rc = open_database(run, err);
    if (rc == 0)
        return run;
    postgres_close(run);
    return NULL;
}

/* ---- the streams --------------------------------------------------------------------------------------- */

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

static int start_dump(struct engine_run *run, bool schema, struct error *err)
{
    char wait[48];
    char *snapshot = str_printf(err, "--snapshot=%s", run->origin.snapshot);
    const char *const parts[] = { "--section=pre-data", "--section=post-data" };
    const char *const data[] = { "--section=data", "--blobs", "--exclude-table-data=*.*" };
    (void)snprintf(wait, sizeof wait, "--lock-wait-timeout=%llu", (unsigned long long)run->set.lock_ms);
    const char *const args[] = { "-Fc",
                                 "-Z0",
                                 snapshot,
                                 wait,
                                 schema ? parts[0] : data[0],
                                 schema ? parts[1] : data[1],
                                 schema ? NULL : data[2],
                                 NULL };
    int rc = snapshot != NULL ? 0 : E_NOMEM;
    if (rc == 0)
        rc = name_stream(run, true, schema ? "schema.pgdump" : "largeobjects.pgdump", err);
    if (rc == 0)
        rc = start_tool(run, &run->dump, "-d", args, "pg_dump", "PGDMP", err);
    free(snapshot);
    return rc;
}

static int start_table(struct engine_run *run, struct error *err)
{
    struct pgsql *c = &run->origin.copy;
    struct pgsql_table *t = vec_at(&run->origin.tables, run->table++);
    struct buf path = BUF_INIT;
    run->current = t;
    int rc = pgsql_needs_binary(c, t, &t->binary, err);
    if (rc == 0)
        rc = pgsql_table_path(t, &path, err);
    if (rc == 0)
        rc = buf_append(&path, "", 1, err);
    if (rc == 0)
        rc = name_stream(run, true, (const char *)path.data, err);
    buf_free(&path);
    if (rc == 0 && (run->source = pgsql_copy_source(c, t, run->set.seed, err)) == NULL)
        rc = pgsql_failed(err);
    return rc;
}

static int start_script(struct engine_run *run, struct error *err)
{
    int rc = pgsql_read_sequences(&run->origin.copy, &run->origin.sequences, err);
    if (rc == 0)
        rc = pgsql_load_script(&run->origin, &run->script, err);
    if (rc == 0)
        rc = name_stream(run, true, "load.sql", err);
    if (rc == 0 && (run->source = source_memory(run->script.data, run->script.len, err)) == NULL)
        rc = E_NOMEM;
    return rc;
}

static bool is_due(const struct engine_run *run, enum step step)
{
    switch (step) {
    case STEP_GLOBALS:
        return run->set.globals;
    case STEP_OBJECTS:
        return run->origin.large_objects > 0;
    case STEP_TABLES:
        return run->table < run->origin.tables.len;
    default:
        return true;
    }
}

/* The verdict about a database whose streams were read: its snapshot was held until now, so that all of it is of one
 * moment. */
static int end_database(struct engine_run *run, struct error *err)
{
    struct pgsql_origin *o = &run->origin;
    if (run->step != STEP_END || run->table != o->tables.len)
        return error_set(err, E_INTERNAL, "postgres: not every stream was read");
    int rc = pgsql_origin_alive(o, true, err);
    if (rc == 0 && PQtransactionStatus(o->copy.conn) != PQTRANS_INTRANS)
        rc = error_set(err, E_RETRY, "%s: the transaction that read the tables ended", o->copy.where);
    return rc;
}

static int advance(struct engine_run *run, struct error *err)
{
    if (run->begun && run->step != STEP_TABLES)
        run->step++;
    run->begun = true;
    while (run->step != STEP_END && !is_due(run, run->step))
        run->step++;
    if (run->step != STEP_END || run->database + 1 == run->databases.len)
        return 0;
    int rc = end_database(run, err);
    if (rc < 0)
        return rc;
    pgsql_origin_close(&run->origin);
    run->database++;
    run->step = STEP_SCHEMA;
    run->table = 0;
    buf_clear(&run->script);
    return open_database(run, err);
}

static int start_stream(struct engine_run *run, struct error *err)
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

static int postgres_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    if (run->source != NULL && !run->ended)
        return error_set(err, E_INTERNAL, "postgres: the stream was not read to its end");
    source_free(run->source);
    run->source = NULL;
    run->current = NULL;
    if (run->step == STEP_END)
        return 0;
    int rc = advance(run, err);
    if (rc < 0 || run->step == STEP_END)
        return rc;
    rc = start_stream(run, err);
    if (rc < 0)
        return rc;
    run->ended = false;
    *out = (struct engine_stream){
        .name = (const char *)run->name.data,
        .mode = CHUNK_CONTENT,
        .size_hint = run->current != NULL ? run->current->bytes : 0,
        .mode_bits = 0600,
    };
    return 1;
}

static int64_t postgres_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    if (run->source == NULL || cap == 0)
        return error_set(err, E_INTERNAL, "postgres: read without a stream or without room");
    int64_t n = source_read(run->source, data, cap, err);
    run->ended = n == 0;
    return n;
}

/* ---- facts and verdict --------------------------------------------------------------------------------- */

static int schema_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    struct pgsql_origin *o = &run->origin;
    int rc = buf_append(out, o->facts.data, o->facts.len, err);
    if (rc == 0)
        rc = pgsql_role_facts(&o->main, out, err);
    if (rc == 0)
        rc = pgsql_census(&o->main, out, err);
    return rc == 0 ? pgsql_newest_facts(&o->main, &run->set, out, err) : rc;
}

static int postgres_stream_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    switch (run->step) {
    case STEP_SCHEMA:
        return schema_facts(run, out, err);
    case STEP_TABLES:
        return pgsql_table_facts(run->current, out, err);
    case STEP_SCRIPT:
        return pgsql_sequence_facts(&run->origin.sequences, out, err);
    default:
        return 0;
    }
}

static int postgres_finish(struct engine_run *run, struct error *err)
{
    if (run->database + 1 != run->databases.len)
        return error_set(err, E_INTERNAL, "postgres: not every database was read");
    int rc = end_database(run, err);
    run->finished = rc == 0;
    return rc;
}

static int postgres_run_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    const char *globals = !run->set.globals ? "no" : run->passwords ? "yes" : "without-passwords";
    int rc = buf_printf(out, err, "source=postgres\npg_dump=%s\nglobals=%s\n", run->dump.version, globals);
    if (rc == 0)
        rc = buf_append(out, run->about.data, run->about.len, err);
    if (rc == 0)
        rc = buf_printf(out, err, "databases=%zu\n", run->databases.len);
    if (rc == 0)
        rc = buf_printf(out, err, "database_oids=%.*s\n", (int)run->oids.len, (const char *)run->oids.data);
    if (rc == 0 && run->untested)
        rc = buf_printf(out, err, "untested=yes\n");
    return rc;
}

static const char *const required[] = { NULL };
static const char *const allowed[] = { "database",       "all_databases", "exclude_databases",
                                       "host",           "port",          "user",
                                       "passfile",       "sslmode",       "sslrootcert",
                                       "globals",        "lock_timeout",  "bin_dir",
                                       "allow_untested", "freshness",     NULL };
static const char *const paths[] = { "passfile", "sslrootcert", "bin_dir", NULL };

const struct engine engine_postgres = {
    .name = "postgres",
    .required_options = required,
    .allowed_options = allowed,
    .path_options = paths,
    .probe = pgsql_probe,
    .open = postgres_open,
    .next = postgres_next,
    .read = postgres_read,
    .stream_facts = postgres_stream_facts,
    .finish = postgres_finish,
    .run_facts = postgres_run_facts,
    .close = postgres_close,
    .target_kind = TARGET_SERVER,
    .abilities = ENGINE_PARTS | ENGINE_AFTER | ENGINE_BESIDE,
    .look = pgsql_look,
    .plan = pgsql_plan_tell,
    .table = pgsql_table,
    .restore = pgsql_restore,
    .swap = pgsql_swap,
    .export = pgsql_export,
};
