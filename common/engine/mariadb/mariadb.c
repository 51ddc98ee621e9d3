#include "common/engine/mariadb/mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/mariadb/restore.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/mariadb/swap.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

/* The streams of a run, in this order; all but the first and the tables once for each database. */
enum step { STEP_USERS, STEP_SCHEMA, STEP_TABLES, STEP_SCRIPT, STEP_CODE, STEP_END };

struct engine_run {
    struct maria_settings set;
    struct maria_origin origin;
    struct maria_gather *gather; /* while tables are read */
    struct maria_tool dump;
    struct source *source; /* of the current stream */
    struct buf name;       /* of the current stream, NUL-terminated */
    struct buf script;
    enum step step; /* of the current stream */
    size_t at;      /* the next table or database of this step */
    struct maria_table *table;
    struct maria_database *database;
    bool ended; /* the current stream was read to its end */
};

static void mariadb_close(struct engine_run *run)
{
    if (run == NULL)
        return;
    source_free(run->source);
    maria_gather_free(run->gather);
    maria_origin_close(&run->origin);
    maria_tool_free(&run->dump);
    buf_free(&run->name);
    buf_free(&run->script);
    free(run);
}

static struct engine_run *mariadb_open(const struct engine_job *job, struct error *err)
{
    struct engine_run *run = mem_alloc(1, sizeof *run, err);
    if (run == NULL)
        return NULL;
    if (maria_settings_read(job, &run->set, err) < 0 ||
        maria_tool_find(run->set.bin_dir, &run->dump, err) < 0 ||
        maria_origin_open(&run->origin, &run->set, err) < 0) {
        mariadb_close(run);
        return NULL;
    }
    run->step = run->set.users ? STEP_USERS : STEP_SCHEMA;
    return run;
}

/* ---- the streams --------------------------------------------------------------------------------------------- */

/* "DB/rest", or "rest" alone for what belongs to the whole server. */
static int name_stream(struct engine_run *run, const char *database, const char *rest, struct error *err)
{
    buf_clear(&run->name);
    int rc = database != NULL ? name_encode(&run->name, database, err) : 0;
    if (rc == 0 && database != NULL)
        rc = buf_append(&run->name, "/", 1, err);
    return rc == 0 ? buf_append(&run->name, rest, strlen(rest) + 1, err) : rc;
}

static int start_dump(struct engine_run *run, enum maria_script script, const char *rest, struct error *err)
{
    struct maria_database *db = run->database;
    int rc = name_stream(run, db != NULL ? db->name : NULL, rest, err);
    if (rc == 0 && (run->source = maria_dump_source(&run->dump, &run->origin, db, script, err)) == NULL)
        rc = maria_failed(err);
    return rc;
}

static int start_table(struct engine_run *run, struct error *err)
{
    struct maria_origin *o = &run->origin;
    struct maria_table *t = vec_at(&o->tables, run->at);
    struct buf path = BUF_INIT;
    int rc = run->at == o->nlocked ? maria_origin_unlock(o, err) : 0;
    run->table = t;
    if (rc == 0 && run->gather == NULL && (run->gather = maria_gather_start(o, err)) == NULL)
        rc = maria_failed(err);
    if (rc == 0)
        rc = maria_table_path(t->name, &path, err);
    if (rc == 0)
        rc = buf_append(&path, "", 1, err);
    if (rc == 0)
        rc = name_stream(run, t->database, (const char *)path.data, err);
    buf_free(&path);
    if (rc == 0 && (run->source = maria_gather_source(run->gather, err)) == NULL)
        rc = maria_failed(err);
    return rc;
}

static int start_script(struct engine_run *run, struct error *err)
{
    buf_clear(&run->script);
    int rc = maria_read_sequences(&run->origin.main, run->database, err);
    if (rc == 0)
        rc = maria_load_script(&run->origin, run->database, &run->script, err);
    if (rc == 0)
        rc = name_stream(run, run->database->name, "load.sql", err);
    if (rc == 0 && (run->source = source_memory(run->script.data, run->script.len, err)) == NULL)
        rc = E_NOMEM;
    return rc;
}

static size_t length_of(const struct engine_run *run, enum step step)
{
    if (step == STEP_USERS)
        return run->set.users ? 1 : 0;
    return step == STEP_TABLES ? run->origin.tables.len : run->origin.databases.len;
}

static int start_stream(struct engine_run *run, struct error *err)
{
    if (run->step != STEP_USERS && run->step != STEP_TABLES)
        run->database = vec_at(&run->origin.databases, run->at);
    switch (run->step) {
    case STEP_USERS:
        return start_dump(run, SCRIPT_USERS, "users.sql", err);
    case STEP_SCHEMA:
        return start_dump(run, SCRIPT_SCHEMA, "schema.sql", err);
    case STEP_TABLES:
        return start_table(run, err);
    case STEP_SCRIPT:
        return start_script(run, err);
    default:
        return start_dump(run, SCRIPT_CODE, "code.sql", err);
    }
}

static int mariadb_next(struct engine_run *run, struct engine_stream *out, struct error *err)
{
    if (run->source != NULL && !run->ended)
        return error_set(err, E_INTERNAL, "mariadb: the stream was not read to its end");
    run->at += run->source != NULL;
    source_free(run->source);
    run->source = NULL;
    int rc = run->table != NULL ? maria_gather_done(run->gather, err) : 0;
    run->table = NULL;
    run->database = NULL;
    while (rc == 0 && run->step != STEP_END && run->at == length_of(run, run->step)) {
        run->step++;
        run->at = 0;
    }
    if (run->step > STEP_TABLES) {
        maria_gather_free(run->gather);
        run->gather = NULL;
    }
    if (rc < 0 || run->step == STEP_END)
        return rc;
    rc = start_stream(run, err);
    if (rc < 0)
        return rc;
    run->ended = false;
    *out = (struct engine_stream){
        .name = (const char *)run->name.data,
        .mode = CHUNK_CONTENT,
        .chunk_avg = run->table != NULL ? ENGINE_ROWS_CHUNK : 0,
        .size_hint = run->table != NULL ? run->table->bytes : 0,
        .mode_bits = 0600,
    };
    return 1;
}

static int64_t mariadb_read(struct engine_run *run, void *data, size_t cap, struct error *err)
{
    if (run->source == NULL || cap == 0)
        return error_set(err, E_INTERNAL, "mariadb: read without a stream or without room");
    int rc = run->table != NULL ? maria_origin_alive(&run->origin, false, err) : 0;
    int64_t n = rc == 0 ? source_read(run->source, data, cap, err) : rc;
    run->ended = n == 0;
    return n;
}

/* ---- facts and verdict ----------------------------------------------------------------------------------------- */

static int mariadb_stream_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    switch (run->step) {
    case STEP_SCHEMA:
        return maria_schema_facts(run->database, &run->origin.tables, out, err);
    case STEP_TABLES:
        return maria_table_facts(run->table, out, err);
    case STEP_SCRIPT:
        return buf_printf(out, err, "sequences=%zu\n", run->database->sequences.len);
    case STEP_CODE:
        return maria_code_facts(run->database, out, err);
    default:
        return 0;
    }
}

static int mariadb_finish(struct engine_run *run, struct error *err)
{
    if (run->step != STEP_END)
        return error_set(err, E_INTERNAL, "mariadb: not every stream was read");
    int rc = maria_origin_unlock(&run->origin, err);
    /* The snapshots were held until now, so that all of it is of one moment. */
    if (rc == 0)
        rc = maria_origin_alive(&run->origin, true, err);
    if (rc == 0)
        rc = maria_moment_holds(&run->origin, err);
    return rc == 0 ? maria_origin_unchanged(&run->origin, err) : rc;
}

static int mariadb_run_facts(struct engine_run *run, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "source=mariadb\nmariadb_dump=%s\nusers=%s\n", run->dump.version,
                        run->set.users ? "yes" : "no");
    if (rc == 0)
        rc = buf_append(out, run->origin.about.data, run->origin.about.len, err);
    if (rc == 0 && run->origin.nlocked > 0)
        rc = buf_printf(out, err, "locked_tables=%zu\n", run->origin.nlocked);
    if (rc == 0 && !maria_is_tested(&run->origin.main))
        rc = buf_printf(out, err, "untested=yes\n");
    return rc;
}

static const char *const required[] = { NULL };
static const char *const allowed[] = { "database",
                                       "all_databases",
                                       "host",
                                       "port",
                                       "socket",
                                       "user",
                                       "password_file",
                                       "defaults_file",
                                       "ssl_ca",
                                       "ssl_verify",
                                       "users",
                                       "lock_timeout",
                                       "connections",
                                       "exclude_tables",
                                       "exclude_table_data",
                                       "exclude_databases",
                                       "freshness",
                                       "bin_dir",
                                       "non_transactional",
                                       "allow_untested",
                                       NULL };
static const char *const paths[] = { "socket", "password_file", "defaults_file", "ssl_ca", "bin_dir", NULL };

const struct engine engine_mariadb = {
    .name = "mariadb",
    .required_options = required,
    .allowed_options = allowed,
    .path_options = paths,
    .probe = maria_probe,
    .open = mariadb_open,
    .next = mariadb_next,
    .read = mariadb_read,
    .stream_facts = mariadb_stream_facts,
    .finish = mariadb_finish,
    .run_facts = mariadb_run_facts,
    .close = mariadb_close,
    .swap = maria_swap,
    .target_kind = TARGET_SERVER,
    .abilities = ENGINE_PARTS | ENGINE_AFTER,
    .look = maria_look,
    .restore = maria_restore,
    .plan = maria_plan_tell,
    .table = maria_table,
    .export = maria_export,
    .ask = maria_ask,
};
