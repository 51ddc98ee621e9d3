/* restore table: the rows of one table to standard output. */
#include <unistd.h>

#include "common/base/number.h"
#include "common/cli/progress.h"
#include "restore/database.h"
#include "restore/options.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

static const char *const table_formats[] = { "sql", "csv", "copy", NULL };

const struct cli_option table_options[] = {
    JOB_OPTION,
    ALARMS_OPTION,
    { .name = "database",
      .kind = CLI_STRING,
      .metavar = "NAME",
      .help = "Which database of a snapshot that holds several." },
    { .name = "format",
      .kind = CLI_CHOICE,
      .choices = table_formats,
      .metavar = "FORMAT",
      .fallback = "sql",
      .help =
          "`sql`: a script for psql, one transaction; `csv`: with a header, as the server writes it, NULL is nothing and "
          "an empty text \"\"; `copy`: as COPY ... FROM takes it, rows only." },
    { .name = "inserts", .kind = CLI_FLAG, .help = "With sql: an INSERT for each row instead of COPY." },
    { .name = "as",
      .kind = CLI_STRING,
      .metavar = "NAME",
      .help =
          "With sql: into a new table of this name, made like the one that is there now; to look at what was, beside "
          "what is." },
    { .name = "force", .letter = 'f', .kind = CLI_FLAG, .help = "Write to a terminal too." },
    CLI_OPTIONS_END
};

static enum engine_format format_of(const struct cli_context *cli)
{
    static const enum engine_format formats[] = { FORMAT_SQL, FORMAT_CSV, FORMAT_COPY };
    return formats[cli_choice(cli, "format")];
}

static int refuse(const struct cli_context *cli, struct error *err)
{
    bool sql = format_of(cli) == FORMAT_SQL;
    if (isatty(STDOUT_FILENO) != 0 && !cli_flag(cli, "force"))
        return error_set(err, E_USAGE,
                         "this would write the table's rows to the terminal: redirect it, or use --force");
    if (!sql && cli_flag(cli, "inserts"))
        return error_set(err, E_USAGE, "--inserts is for --format sql");
    if (!sql && cli_given(cli, "as"))
        return error_set(err, E_USAGE, "--as is for --format sql: the table that the script makes");
    return 0;
}

static int no_tables(const struct database *db, struct error *err)
{
    return error_set(
        err, E_UNSUPPORTED,
        "a table of a %s snapshot needs the whole file: restore database %s --to FILE, then ask it with the "
        "database's own client (sqlite3 -header -csv FILE 'SELECT * FROM ...')",
        db->engine->name, db->c.name);
}

/* Knows whether anything went out: a name that does not fit is found before. */
struct watched {
    struct sink sink;
    struct sink *out;
    bool any;
};

static int watched_write(struct sink *s, const void *data, size_t len, struct error *err)
{
    struct watched *w = (struct watched *)s;
    w->any = w->any || len > 0;
    return sink_write(w->out, data, len, err);
}

static int write_it(struct database *db, struct error *err)
{
    const struct cli_context *cli = db->c.st.cli;
    struct engine_streams streams = members_streams(&db->m);
    const struct engine_table what = {
        .select = &db->select,
        .facts = db->c.snap->object->priv.facts,
        .format = format_of(cli),
        .inserts = cli_flag(cli, "inserts"),
        .as = cli_text(cli, "as"),
    };
    struct sink *out = sink_fd(STDOUT_FILENO, 0, 0, "standard output", err);
    struct watched watched = { .sink = { .write = watched_write }, .out = out };
    struct progress *p = progress_start(cli, "reading", NULL);
    int rc = out != NULL ? db->engine->table(&streams, &what, &watched.sink, err) : E_NOMEM;
    rc = rc < 0 ? rc : sink_finish(out, err);
    progress_stop(p);
    sink_free(out);
    return rc < 0 && watched.any ? error_wrap(err, "what was written is not all of it and must not be used")
                                 : rc;
}

static int tell(const struct database *db, struct error *err)
{
    if (!db->c.st.cli->json)
        return 0;
    struct jsonout *o = jsonout_new("summary"); /* to stderr */
    jsonout_str(o, "snapshot", db->c.name);
    jsonout_str(o, "table", db->select.tables[0]);
    jsonout_u64(o, "fetched", fetcher_bytes_read(db->c.fetcher));
    return jsonout_emit(o, err);
}

int cmd_table(struct cli_context *cli, struct error *err)
{
    struct database db = { .engine = NULL };
    struct out quiet = out_on(stderr, cli_flag(cli, "no-color"));
    jsonout_to(stderr);
    int rc = refuse(cli, err);
    if (rc < 0)
        return rc;
    rc = database_open(cli, &quiet, &db, err);
    if (rc == 0 && db.engine->table == NULL)
        rc = no_tables(&db, err);
    rc = rc < 0 ? rc : database_select(&db, cli->args[1], err);
    rc = rc < 0 ? rc : members_load(&db.c, &db.m, err);
    rc = rc < 0 ? rc : write_it(&db, err);
    rc = rc < 0 ? rc : tell(&db, err);
    database_close(&db, rc);
    return rc;
}
