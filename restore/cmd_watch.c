/* restore watch: is there a good backup of every writer in time? For Nagios and the like, from another machine. */
#include "common/base/clock.h"
#include "restore/verbs.h"
#include "restore/watch.h"

#include "common/base/banned.h"

const struct cli_option watch_options[] = {
    { .name = "max-age",
      .kind = CLI_STRING,
      .metavar = "[WRITER=]TIME",
      .many = true,
      .help =
          "Older than this (26h, 8d) is CRITICAL, instead of what the intervals so far say. With WRITER= (a name or an id) "
          "for that one." },
    { .name = "warn-age",
      .kind = CLI_STRING,
      .metavar = "[WRITER=]TIME",
      .many = true,
      .help = "The same for WARNING." },
    { .name = "names",
      .kind = CLI_FILE,
      .help =
          "Names of writers, lines \"NAME WRITER-ID\": the file `REPOSITORY/jobs` of the state directory of a host that backs "
          "up. Names are encrypted in the repository; a kit (--kit) opens them, too. A writer with a name is expected to publish." },
    { .name = "no-spares",
      .kind = CLI_FLAG,
      .help =
          "Every writer of the charter is in use: one that has never published is a WARNING in time, too." },
    CLI_OPTIONS_END
};

/* What the storage shows is wrong, or is gone: that is an answer. Everything else, this station's own files among it, could not
 * be found out. */
static enum watch_verdict verdict_of(const struct station *st, int rc)
{
    bool gone = rc == E_NOT_FOUND && st->cli->exit_code == CLI_EXIT_NO_REPOSITORY;
    return st->answered && (rc == E_CORRUPT || rc == E_CONFLICT || gone) ? WATCH_CRITICAL : WATCH_UNKNOWN;
}

int watch_unable(struct cli_context *cli, const struct error *why)
{
    watch_report_failure(cli, WATCH_UNKNOWN, why);
    return WATCH_UNKNOWN;
}

int cmd_watch(struct cli_context *cli, struct error *err)
{
    struct station st = { .cli = cli, .opened = OPENED_SHARES_INIT };
    struct watch w;
    watch_init(&w, cli, &st, clock_wall());
    int rc = watch_read_options(&w, err);
    if (rc == 0) {
        rc = station_open_named(cli, cli->nargs > 0 ? cli->args[0] : NULL, KIT_IF_GIVEN, &st, err);
        station_killable();
    }
    rc = rc < 0 ? rc : watch_look(&w, err);
    rc = rc < 0 ? rc : watch_report(&w, err);
    /* Late writers do not keep the station from remembering what it has seen; what is wrong does. */
    if (rc == 0 && w.nproblems == 0)
        station_settle(&st, true);
    if (rc < 0) {
        enum watch_verdict v = verdict_of(&st, rc);
        watch_report_failure(cli, v, err);
        cli->exit_code = (int)v;
    } else {
        cli->exit_code = (int)w.verdict;
    }
    watch_free(&w);
    station_close(&st);
    return rc;
}
