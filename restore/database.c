#include "restore/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/select.h"
#include "common/sys/atomic_file.h"
#include "restore/swap.h"

#include "common/base/banned.h"

enum { ENGINE_NAME_MAX = 64, STREAM_NAME_MAX = 1024, SCRIPT_MAX = 64 * 1024 * 1024 };

/* The job this snapshot came from, when the configuration still has it. *found says whether `out` is filled. */
static int source_job(const struct chosen *c, struct engine_job *out, bool *found, struct error *err)
{
    const struct conf *conf = c->st.conf;
    *found = false;
    for (size_t i = 0; conf != NULL && i < conf->njobs; i++) {
        if (strcmp(conf->jobs[i].name, c->snap->object->view.label) != 0)
            continue;
        int rc = access_job(conf, &conf->jobs[i], out, err);
        *found = rc == 0;
        return rc;
    }
    return 0;
}

/* Its streams are for another program: say how they come out. */
static int no_way_back(const struct chosen *c, const char *engine, struct error *err)
{
    char stream[STREAM_NAME_MAX];
    char word[4 * STREAM_NAME_MAX];
    if (fact_get(c->snap->object->priv.facts, "stream", stream, sizeof stream))
        return error_set(err, E_UNSUPPORTED,
                         "%s is the output of a program (engine %s); no database can be built from it here. "
                         "Give it to the program that reads it: restore cat %s %s > FILE",
                         c->name, engine, c->name, str_shell_word(word, sizeof word, stream));
    return error_set(err, E_UNSUPPORTED, "%s holds files (engine %s), no database: restore files %s --to DIR",
                     c->name, engine, c->name);
}

/* The engine that made the snapshot, or NULL. */
static const struct engine *find_engine(const struct chosen *c, struct error *err)
{
    char name[ENGINE_NAME_MAX];
    if (!fact_get(c->snap->object->priv.facts, "source", name, sizeof name)) {
        (void)error_set(
            err, E_UNSUPPORTED,
            "%s does not say what kind of source it came from; `restore files %s --to DIR` gives its "
            "streams as files",
            c->name, c->name);
        return NULL;
    }
    const struct engine *engine = engine_find(name, err);
    if (engine == NULL) {
        (void)error_wrap(err, "%s", c->name);
    } else if (engine->restore == NULL) {
        (void)no_way_back(c, name, err);
        return NULL;
    }
    return engine;
}

static int begin(struct cli_context *cli, const char *selector, const struct out *describe,
                 struct database *db, struct error *err)
{
    *db = (struct database){ .c = { .snap = NULL }, .m = { .bytes = 0 } };
    int rc = chosen_open(cli, KIT_NEEDED, selector, &db->c, err);
    rc = rc < 0 ? rc : chosen_begin(&db->c, describe, err);
    db->began = clock_mono_ms();
    return rc;
}

int database_open_any(struct cli_context *cli, const char *selector, struct database *db, struct error *err)
{
    char name[ENGINE_NAME_MAX];
    int rc = begin(cli, selector, &cli->out, db, err);
    if (rc < 0 || !fact_get(db->c.snap->object->priv.facts, "source", name, sizeof name))
        return rc;
    db->engine = engine_find(name, err);
    if (db->engine == NULL)
        return error_wrap(err, "%s", db->c.name);
    if (db->engine->restore == NULL)
        db->engine = NULL;
    return 0;
}

int database_open(struct cli_context *cli, const struct out *describe, struct database *db, struct error *err)
{
    int rc = begin(cli, cli->args[0], describe, db, err);
    if (rc == 0 && (db->engine = find_engine(&db->c, err)) == NULL)
        rc = err->code;
    return rc;
}

void database_close(struct database *db, int rc)
{
    if (db->source)
        access_job_free(&db->job);
    free(db->schemas);
    free(db->tables);
    buf_free(&db->after);
    members_free(&db->m);
    chosen_close(&db->c, rc);
}

/* ---- the selection --------------------------------------------------------------------------------------- */

static const char **texts(const struct cli_context *cli, const char *option, size_t n, struct error *err)
{
    const char **list = mem_alloc(n + 1, sizeof *list, err);
    for (size_t i = 0; list != NULL && i < n; i++)
        list[i] = cli_text_at(cli, option, i);
    return list;
}

int database_select(struct database *db, const char *table, struct error *err)
{
    const struct cli_context *cli = db->c.st.cli;
    size_t nschemas = table == NULL ? cli_count(cli, "schema") : 0;
    size_t ntables = table == NULL ? cli_count(cli, "table") : 0;
    db->schemas =
        nschemas != 0 ? texts(cli, "schema", nschemas, err) : mem_alloc(1, sizeof *db->schemas, err);
    db->tables = ntables != 0 ? texts(cli, "table", ntables, err) : mem_alloc(1, sizeof *db->tables, err);
    if (db->schemas == NULL || db->tables == NULL)
        return E_NOMEM;
    if (table != NULL)
        db->tables[ntables++] = table;
    db->select = (struct engine_selection){ .database = cli_text(cli, "database"),
                                            .schemas = db->schemas,
                                            .nschemas = nschemas,
                                            .tables = db->tables,
                                            .ntables = ntables };
    return 0;
}

/* ---- the target ------------------------------------------------------------------------------------------ */

static int refuse_flags(const struct database *db, struct error *err)
{
    static const char *const server_only[] = { "into-nonempty", "into-source", "create-roles",
                                               "no-owner",      "no-verify",   "no-tablespaces",
                                               "data-only",     "terminate",   "jobs" };
    const struct cli_context *cli = db->c.st.cli;
    if (cli_flag(cli, "swap") && !cli_flag(cli, "beside"))
        return error_set(err, E_USAGE, "--swap is for a restore --beside the live database");
    if (cli_flag(cli, "beside") && beside_possible(db->engine, err) < 0)
        return E_UNSUPPORTED;
    if (cli_flag(cli, "data-only") && cli_flag(cli, "beside"))
        return error_set(err, E_USAGE, "--data-only fills tables that exist; --beside makes a new database");
    for (size_t i = 0;
         db->engine->target_kind != TARGET_SERVER && i < sizeof server_only / sizeof server_only[0]; i++)
        if (cli_given(cli, server_only[i]))
            return error_set(err, E_USAGE, "--%s is for databases of a server; a snapshot of %s becomes a %s",
                             server_only[i], db->engine->name,
                             db->engine->target_kind == TARGET_DIRECTORY ? "directory" : "file");
    if ((cli_given(cli, "table") || cli_given(cli, "schema")) && (db->engine->abilities & ENGINE_PARTS) == 0)
        return error_set(err, E_UNSUPPORTED,
                         "a snapshot of %s is restored as a whole, without --table and --schema",
                         db->engine->name);
    if (cli_given(cli, "after") && (db->engine->abilities & ENGINE_AFTER) == 0)
        return error_set(err, E_UNSUPPORTED,
                         "--after is not there for a snapshot of %s: run the script on what was "
                         "restored, before anybody else uses it",
                         db->engine->name);
    return 0;
}

/* A target that can only be meant for another kind of database. */
static int refuse_kind(const struct database *db, struct error *err)
{
    static const char *const schemes[] = { "postgresql://", "postgres://", "mariadb://", "mysql://" };
    const char *to = cli_text(db->c.st.cli, "to");
    bool server = db->engine->target_kind == TARGET_SERVER;
    bool address = false;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        address = address || str_starts(to, schemes[i]);
    if (!server && address)
        return error_set(
            err, E_USAGE, "--to is the address of a database, and %s (engine %s) becomes a %s: give a path",
            db->c.name, db->engine->name, db->engine->target_kind == TARGET_DIRECTORY ? "directory" : "file");
    if (server && (to[0] == '/' || str_starts(to, "./") || str_starts(to, "../")))
        return error_set(err, E_USAGE,
                         "--to is a path, and %s (engine %s) goes into a database: give its name or address; "
                         "`restore files` gives the streams as files, `restore export` with how to load them",
                         db->c.name, db->engine->name);
    return 0;
}

static int read_script(struct database *db, struct error *err)
{
    const char *path = cli_text(db->c.st.cli, "after");
    if (path == NULL)
        return 0;
    int rc = file_read_small(path, SCRIPT_MAX, &db->after, err);
    if (rc == 0 && db->after.len != 0 && memchr(db->after.data, '\0', db->after.len) != NULL)
        rc = error_set(err, E_USAGE, "%s holds zero bytes: it is no script", path);
    if (rc == 0)
        file_hash(db->after.data, db->after.len, db->after_hash);
    if (rc == 0)
        rc = buf_append(&db->after, "", 1, err);
    if (rc == 0) {
        db->target.after_sql = (const char *)db->after.data;
        db->target.after_name = path;
    }
    return rc < 0 ? error_wrap(err, "--after") : 0;
}

int database_target(struct database *db, struct error *err)
{
    const struct cli_context *cli = db->c.st.cli;
    int rc = refuse_flags(db, err);
    rc = rc < 0 ? rc : refuse_kind(db, err);
    rc = rc < 0 ? rc : database_select(db, NULL, err);
    rc = rc < 0 ? rc : source_job(&db->c, &db->job, &db->source, err);
    db->target = (struct engine_target){
        .to = cli_text(cli, "to"),
        .facts = db->c.snap->object->priv.facts,
        .snapshot = db->c.name,
        .source = db->source ? &db->job : NULL,
        .select = &db->select,
        .jobs = cli_given(cli, "jobs") ? (unsigned)cli_number(cli, "jobs") : 0,
        .beside = cli_flag(cli, "beside"),
        .via = cli_text(cli, "via"),
        .into_nonempty = cli_flag(cli, "into-nonempty"),
        .into_source = cli_flag(cli, "into-source"),
        .create_roles = cli_flag(cli, "create-roles"),
        .no_owner = cli_flag(cli, "no-owner"),
        .no_verify = cli_flag(cli, "no-verify"),
        .no_tablespaces = cli_flag(cli, "no-tablespaces"),
        .data_only = cli_flag(cli, "data-only"),
    };
    return rc < 0 ? rc : read_script(db, err);
}
