/* restore database: let the engine that made a snapshot build it anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/progress.h"
#include "common/engine/select.h"
#include "restore/database.h"
#include "restore/options.h"
#include "restore/speed.h"
#include "restore/swap.h"
#include "restore/target/space.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

/* Also of `restore plan`. */
const struct cli_option database_options[] = {
    JOB_OPTION,
    ALARMS_OPTION,
    { .name = "to",
      .letter = 't',
      .kind = CLI_FILE,
      .metavar = "TARGET",
      .required = true,
      .help =
          "For SQLite: a new file, or for a snapshot of several databases a directory that is new or empty; an existing file "
          "is never overwritten. For PostgreSQL: an existing, empty "
          "database, by its name, as postgresql://USER@HOST:PORT/DATABASE or as \"host=HOST dbname=DATABASE\". A "
          "password belongs into a file (PGPASSFILE, or passfile=FILE), not here. For MariaDB: a database, empty or "
          "not made yet, by its name or as mariadb://USER@HOST:PORT/DATABASE?password_file=FILE, on this "
          "machine mariadb://USER@/DATABASE?socket=PATH. For mariabackup: a directory that is new or empty." },
    { .name = "beside",
      .kind = CLI_FLAG,
      .help =
          "TARGET is the live database, which stays as it is: restore into a new one next to it, named after it and "
          "the time, with its owner, settings and rights. PostgreSQL and SQLite." },
    { .name = "swap",
      .kind = CLI_FLAG,
      .help = "With --beside: put it into the place of the live one afterwards, as `restore swap` does." },
    SWAP_OPTIONS,
    { .name = "database",
      .kind = CLI_STRING,
      .metavar = "NAME",
      .help = "Which database of a snapshot that holds several." },
    { .name = "table",
      .kind = CLI_STRING,
      .metavar = "TABLE",
      .many = true,
      .help =
          "Only this table: TABLE or SCHEMA.TABLE, quoted as in SQL where needed. With its partitions, columns' types, "
          "defaults, sequences of its own, keys, indexes, triggers, comments and rights; foreign keys only when the other "
          "table is restored too or is there. What refers to it and is left out is named. May be repeated." },
    { .name = "schema",
      .kind = CLI_STRING,
      .metavar = "SCHEMA",
      .many = true,
      .help = "Only what is in this schema. May be repeated, also with --table." },
    { .name = "data-only",
      .kind = CLI_FLAG,
      .help = "PostgreSQL: rows alone, into tables that exist and are empty." },
    { .name = "jobs",
      .kind = CLI_INTEGER,
      .metavar = "N",
      .min = 1,
      .max = 16,
      .help = "Connections that load rows and build indexes at once, 1 to 16. Default: 2." },
    { .name = "after",
      .kind = CLI_FILE,
      .metavar = "FILE",
      .help =
          "A script of SQL that runs when everything is loaded and compared, in one transaction, before the restored "
          "database is released: for example the erasure requests made since the snapshot." },
    { .name = "into-nonempty",
      .kind = CLI_FLAG,
      .help = "PostgreSQL, MariaDB: also into a database that holds something. Nothing of it is replaced." },
    { .name = "into-source",
      .kind = CLI_FLAG,
      .help = "PostgreSQL, MariaDB: also into the very database that was backed up." },
    { .name = "create-roles",
      .kind = CLI_FLAG,
      .help =
          "PostgreSQL, MariaDB: make the roles and accounts that are missing, as the snapshot has them. Existing ones stay as they "
          "are." },
    { .name = "no-owner",
      .kind = CLI_FLAG,
      .help = "PostgreSQL, MariaDB: everything belongs to who restores it, and no rights are granted." },
    { .name = "no-tablespaces",
      .kind = CLI_FLAG,
      .help = "PostgreSQL: everything into the tablespace of the database." },
    { .name = "no-verify",
      .kind = CLI_FLAG,
      .help = "PostgreSQL, MariaDB: do not compare the rows afterwards with what was backed up." },
    CLI_OPTIONS_END
};

/* What a restore gave besides the database. */
struct outcome {
    struct buf checked; /* what the engine compared; texts end with NUL once the restore is over */
    struct buf left;    /* what a person has to do now */
    struct buf name;    /* --beside: of what was made */
    struct buf drop;    /* --beside: the command that removes it again */
    uint64_t bytes;     /* of streams that went into it */
    uint64_t statements;
    uint64_t ms;
};

struct watch {
    struct progress *progress;
    uint64_t *bytes;
};

static void on_progress(uint64_t bytes, void *arg)
{
    struct watch *w = arg;
    *w->bytes = bytes;
    progress_set(w->progress, bytes);
}

static void on_phase(const char *what, void *arg)
{
    progress_item(((struct watch *)arg)->progress, what);
}

static int restore_it(struct database *db, struct outcome *o, struct error *err)
{
    struct engine_streams streams = members_streams(&db->m);
    struct watch w = { .progress = progress_start(db->c.st.cli, "restoring", NULL), .bytes = &o->bytes };
    if (!select_is_partial(&db->select))
        progress_total(w.progress, db->m.bytes);
    db->target.progress = on_progress;
    db->target.phase = on_phase;
    db->target.progress_arg = &w;
    int rc = db->engine->restore(&streams, &db->target, err);
    progress_stop(w.progress);
    return rc;
}

/* An engine of a server says itself what its target holds now. */
static int not_made(const struct database *db, int rc, struct error *err)
{
    static const char others[] = "`restore verify --read-data` tells which snapshots are hit, `restore list` "
                                 "which others there are";
    if (db->engine->target_kind == TARGET_SERVER)
        return rc;
    return rc == E_CORRUPT ? error_wrap(err, "%s was not made (%s)", db->target.to, others)
                           : error_wrap(err, "%s was not made", db->target.to);
}

/* Nothing is fetched before the target was looked at. */
static int build(struct database *db, struct outcome *o, struct error *err)
{
    int rc = database_target(db, err);
    if (rc < 0)
        return rc;
    db->target.checked = &o->checked;
    db->target.left = &o->left;
    db->target.made = &o->name;
    db->target.drop = &o->drop;
    db->target.after_statements = &o->statements;
    rc = db->engine->look(&db->target, err);
    if (rc == 0)
        rc = members_load(&db->c, &db->m, err);
    if (rc == 0 && db->engine->target_kind != TARGET_SERVER)
        rc = space_check(db->target.to, db->m.bytes, 1, err);
    if (rc == 0 && (rc = restore_it(db, o, err)) < 0)
        rc = not_made(db, rc, err);
    o->ms = clock_mono_ms() - db->began;
    if (rc == 0)
        speed_note(&db->c.st, db->engine->name, o->bytes, o->ms);
    rc = rc == 0 ? buf_append(&o->left, "", 1, err) : rc;
    return rc == 0 ? buf_append(&o->checked, "", 1, err) : rc;
}

/* ---- what is told ---------------------------------------------------------------------------------------- */

/* The live one is as it was; what comes next is up to the person. */
static int tell_next(const struct database *db, const struct outcome *o, struct error *err)
{
    const struct cli_context *cli = db->c.st.cli;
    char *next = swap_command(cli, db->engine, (const char *)o->name.data, false, err);
    if (next == NULL)
        return E_NOMEM;
    out_line(&cli->out, OUT_PLAIN, "It is not live yet.");
    out_line(&cli->out, OUT_PLAIN, "To make it live:       %s", next);
    if (o->drop.len > 0)
        out_line(&cli->out, OUT_PLAIN, "To remove it again:    %s", (const char *)o->drop.data);
    free(next);
    return 0;
}

static void print_left(const struct cli_context *cli, const char *left)
{
    if (*left != '\0')
        out_line(&cli->out, OUT_PLAIN, "What is left to do:");
    for (size_t len; *left != '\0'; left += len + (left[len] == '\n')) {
        len = strcspn(left, "\n");
        out_line(&cli->out, OUT_PLAIN, "  %.*s", (int)len, left);
    }
}

static void tell_script(const struct database *db, const struct outcome *o)
{
    const struct cli_context *cli = db->c.st.cli;
    char hash[2 * HASH_LEN + 1];
    char n[2][NUMBER_TEXT_MAX];
    if (db->target.after_sql == NULL)
        return;
    hex_encode(hash, db->after_hash, HASH_LEN);
    out_line(&cli->out, OUT_PLAIN, "Then ran %s: %s %s, committed. It has %s bytes, b2sum -l 256 gives %s.",
             db->target.after_name, count_format(n[0], o->statements),
             plural(o->statements, "statement", "statements"), count_format(n[1], db->after.len - 1), hash);
}

static int json_summary(const struct database *db, const struct outcome *o, const char *to, struct error *err)
{
    char hash[2 * HASH_LEN + 1];
    struct jsonout *j = jsonout_new("summary");
    jsonout_str(j, "snapshot", db->c.name);
    jsonout_str(j, "engine", db->engine->name);
    jsonout_str(j, "target", to);
    jsonout_str(j, "beside", o->name.len > 0 ? db->target.to : NULL);
    jsonout_str(j, "checked", (const char *)o->checked.data);
    if (o->left.len > 1)
        jsonout_str(j, "left", (const char *)o->left.data);
    jsonout_bool(j, "compared", !db->target.no_verify);
    jsonout_u64(j, "streams", db->m.list.len);
    jsonout_u64(j, "bytes", o->bytes);
    jsonout_u64(j, "fetched", fetcher_bytes_read(db->c.fetcher));
    jsonout_double(j, "seconds", (double)o->ms / 1000.0);
    if (db->target.after_sql != NULL) {
        struct jsonout *after = jsonout_object(j, "after");
        hex_encode(hash, db->after_hash, HASH_LEN);
        jsonout_str(after, "file", db->target.after_name);
        jsonout_u64(after, "bytes", db->after.len - 1);
        jsonout_str(after, "blake2b_256", hash);
        jsonout_u64(after, "statements", o->statements);
    }
    return jsonout_emit(j, err);
}

static int summary(const struct database *db, const struct outcome *o, struct error *err)
{
    const struct cli_context *cli = db->c.st.cli;
    const char *checked = (const char *)o->checked.data;
    const char *to = o->name.len > 0 ? (const char *)o->name.data : db->target.to;
    char rate[RATE_TEXT_MAX];
    if (cli->json)
        return json_summary(db, o, to, err);
    if (cli->quiet)
        return 0;
    out_line(&cli->out, OUT_GOOD, "Restored %s to %s: %s.", db->c.name, to,
             rate_format(rate, o->bytes, o->ms));
    out_line(&cli->out, OUT_PLAIN, "Checked: every blob authenticated, stream check equal%s%s.",
             checked[0] != '\0' ? ", " : "", checked);
    if (db->target.no_verify)
        out_line(&cli->out, OUT_WARN, "Not compared with what was backed up, as --no-verify asked for.");
    tell_script(db, o);
    print_left(cli, (const char *)o->left.data);
    return o->name.len > 0 && !cli_flag(cli, "swap") ? tell_next(db, o, err) : 0;
}

int cmd_database(struct cli_context *cli, struct error *err)
{
    struct database db;
    struct outcome o = { .checked = BUF_INIT, .left = BUF_INIT, .name = BUF_INIT, .drop = BUF_INIT };
    int rc = database_open(cli, &cli->out, &db, err);
    rc = rc < 0 ? rc : build(&db, &o, err);
    rc = rc < 0 ? rc : summary(&db, &o, err);
    if (rc == 0 && cli_flag(cli, "swap"))
        rc = swap_run(cli, db.engine, (const char *)o.name.data, false, false, err);
    buf_free(&o.checked);
    buf_free(&o.left);
    buf_free(&o.name);
    buf_free(&o.drop);
    database_close(&db, rc);
    return rc;
}
