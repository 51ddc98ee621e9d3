#include "common/engine/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/postgres/census.h"
#include "common/engine/postgres/restore.h"
#include "common/engine/postgres/run.h"
#include "common/engine/postgres/swap.h"

#include "common/base/banned.h"

static void postgres_close(struct engine_run *run)
{
    if (run == NULL)
        return;
    source_free(run->source);
    pgsql_gather_free(run->gather);
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
    if (rc == 0)
        rc = note_server(run, err);
    return rc == 0 ? pgsql_gather_look(&run->origin, err) : rc;
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
    int rc = pgsql_watch_end(o, err);
    for (unsigned i = 0; rc == 0 && i < o->nreaders; i++)
        if (PQtransactionStatus(o->readers[i].conn) != PQTRANS_INTRANS)
            rc = error_set(err, E_RETRY, "%s: a transaction that read the tables ended", o->readers[i].where);
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

/* When the watch gave up it ended the sessions, and that is the news. */
static int news(struct engine_run *run, const struct error *why, struct error *err)
{
    int rc = pgsql_watch_tick(&run->origin, err);
    return rc < 0 ? rc : error_copy(err, why);
}

static int postgres_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    struct error why = ERROR_INIT;
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
    rc = pgsql_start_stream(run, &why);
    if (rc < 0)
        return news(run, &why, err);
    run->ended = false;
    *out = (struct engine_stream){
        .name = (const char *)run->name.data,
        .mode = CHUNK_CONTENT,
        .chunk_avg = run->current != NULL ? ENGINE_ROWS_CHUNK : 0,
        .size_hint = run->current != NULL ? run->current->bytes : 0,
        .mode_bits = 0600,
    };
    return 1;
}

static int64_t postgres_lend(struct engine_run *run, void *block, size_t cap, const void **data,
                             struct error *err)
{
    if (run->source == NULL || cap == 0)
        return error_set(err, E_INTERNAL, "postgres: read without a stream or without room");
    struct error why = ERROR_INIT;
    int64_t n = data != NULL ? source_lend(run->source, block, cap, data, &why)
                             : source_read(run->source, block, cap, &why);
    run->ended = n == 0;
    return n >= 0 ? n : news(run, &why, err);
}

static int64_t postgres_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    return postgres_lend(run, data, cap, NULL, err);
}

/* ---- facts and verdict --------------------------------------------------------------------------------- */

static int schema_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    struct pgsql_origin *o = &run->origin;
    struct pgsql *c = &o->readers[0]; /* in the same snapshot, and idle until the first table */
    int rc = buf_append(out, o->facts.data, o->facts.len, err);
    if (rc == 0)
        rc = pgsql_role_facts(c, out, err);
    if (rc == 0)
        rc = pgsql_census(c, out, err);
    return rc == 0 ? pgsql_newest_facts(c, &run->set, out, err) : rc;
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
static const char *const allowed[] = { "database",
                                       "all_databases",
                                       "exclude_databases",
                                       "host",
                                       "port",
                                       "user",
                                       "passfile",
                                       "sslmode",
                                       "sslrootcert",
                                       "globals",
                                       "lock_timeout",
                                       "schemas",
                                       "exclude_schemas",
                                       "tables",
                                       "exclude_tables",
                                       "exclude_table_data",
                                       "unlogged_data",
                                       "max_blocked",
                                       "connections",
                                       "bin_dir",
                                       "allow_untested",
                                       "freshness",
                                       NULL };
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
    .lend = postgres_lend,
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
    .ask = pgsql_ask,
};
