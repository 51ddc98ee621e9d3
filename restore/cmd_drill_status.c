/* restore drill status: is every job drilled, lately, and did it pass? For monitoring. */
#include "common/access/drill_stand.h"
#include "common/base/clock.h"
#include "common/cli/json.h"
#include "restore/drill/records.h"
#include "restore/verbs.h"

#include "common/base/banned.h"

enum { YEAR = 365 * 86400 };

const struct cli_option drill_status_options[] = {
    { .name = "every",
      .kind = CLI_DURATION,
      .fallback = "30d",
      .min = 60,
      .max = 10 * (uint64_t)YEAR,
      .help =
          "A job whose last drill that passed is older is stale. Default for drills whose configuration does not say `every`." },
    CLI_OPTIONS_END
};

/* The codes of monitoring plugins. */
enum state { STATE_OK = 0, STATE_WARNING = 1, STATE_CRITICAL = 2, STATE_UNKNOWN = 3 };
static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

static enum state state_of(enum drill_trouble t)
{
    return t == DRILL_WELL                          ? STATE_OK
           : t == DRILL_NOT_RUN || t == DRILL_STALE ? STATE_WARNING
                                                    : STATE_CRITICAL;
}

struct asking {
    struct cli_context *cli;
    const struct conf *conf;
    struct drills *drills; /* NULL: none was ever made */
    struct drilled *drilled;
    struct vec stands; /* struct drill_stand */
    enum state worst;
    size_t bad;
    struct table *table;
    struct error *err;
};

static int tell(struct asking *a, const struct drill_stand *d)
{
    enum state s = state_of(d->trouble);
    a->worst = s > a->worst ? s : a->worst;
    a->bad += s != STATE_OK;
    if (a->cli->json) {
        struct jsonout *o = jsonout_new("drill_status");
        jsonout_str(o, "repository", d->repository);
        jsonout_str(o, "job", d->job);
        jsonout_str(o, "drill", d->drill);
        jsonout_str(o, "state", words[s]);
        jsonout_str(o, "text", d->text);
        jsonout_str(o, "last_drill", d->any ? d->id : NULL);
        jsonout_time(o, "last_time", d->any ? (uint64_t)d->finished : 0);
        jsonout_time(o, "last_pass", (uint64_t)d->last_pass);
        jsonout_u64(o, "every_seconds", d->every);
        jsonout_u64(o, "tables", d->tables);
        struct jsonout *late = jsonout_array(o, "tables_late");
        for (size_t i = 0; i < d->late.len; i++)
            jsonout_str(late, NULL, *(char **)vec_at(&d->late, i));
        return jsonout_emit(o, a->err);
    }
    table_cell(a->table, s == STATE_OK ? OUT_GOOD : s == STATE_WARNING ? OUT_WARN : OUT_BAD, "%s", words[s]);
    table_cell(a->table, OUT_BOLD, "%s%s%s", d->repository, d->repository[0] != '\0' ? "/" : "", d->job);
    if (a->conf != NULL && a->conf->ndrills != 0)
        table_cell(a->table, OUT_PLAIN, "%s", d->drill);
    table_cell(a->table, OUT_PLAIN, "%s", d->text);
    return 0;
}

/* ---- all ----------------------------------------------------------------------------------------------- */

static int print(struct asking *a)
{
    size_t n = a->stands.len;
    if (a->cli->json)
        return 0;
    out_line(&a->cli->out,
             a->worst == STATE_OK        ? OUT_GOOD
             : a->worst == STATE_WARNING ? OUT_WARN
                                         : OUT_BAD,
             "DRILLS %s: %zu of %zu to look at", words[a->worst], a->bad, n);
    int rc = table_print(a->table, &a->cli->out, a->err);
    for (size_t i = 0; rc == 0 && a->cli->verbose > 0 && i < n; i++) {
        const struct drill_stand *d = vec_at(&a->stands, i);
        for (size_t k = 0; k < d->late.len; k++)
            out_line(&a->cli->out, OUT_WARN, "%s: late: %s", d->drill, *(char **)vec_at(&d->late, k));
    }
    return rc;
}

static int run(struct asking *a)
{
    struct error why = ERROR_INIT;
    int rc = evidence_history(a->cli, a->conf, &a->drills, &why);
    if (rc < 0 && rc != E_NOT_FOUND)
        return error_copy(a->err, &why);
    rc = evidence_drilled(a->cli, a->conf, &a->drilled, a->err);
    if (rc < 0)
        return rc;
    const struct drill_stand_options options = { .conf = a->conf,
                                                 .drills = a->drills,
                                                 .drilled = a->drilled,
                                                 .now = (int64_t)clock_wall(),
                                                 .every = cli_number(a->cli, "every"),
                                                 .every_given = cli_given(a->cli, "every"),
                                                 .jobs = true,
                                                 .names = (const char *const *)a->cli->args,
                                                 .nnames = a->cli->nargs };
    rc = drill_stands(&options, &a->stands, a->err);
    if (rc == 0 && a->stands.len == 0)
        return error_set(a->err, E_NOT_FOUND, "%s",
                         a->cli->nargs != 0
                             ? "this host knows no such job, and never drilled it"
                             : "there is nothing to drill: no job is configured, and none was drilled here");
    table_column(a->table, "state", false);
    table_column(a->table, "job", false);
    if (a->conf != NULL && a->conf->ndrills != 0)
        table_column(a->table, "drill", false);
    table_column(a->table, "how it stands", false);
    for (size_t i = 0; rc == 0 && i < a->stands.len; i++)
        rc = tell(a, vec_at(&a->stands, i));
    return rc == 0 ? print(a) : rc;
}

/* What a monitoring shows is stdout; JSON has the error as an object already. */
int drill_status_unable(struct cli_context *cli, const struct error *why)
{
    if (!cli->json)
        out_line(&cli->out, OUT_BAD, "DRILLS UNKNOWN: %s",
                 why->text[0] != '\0' ? why->text : error_code_name(why->code));
    return STATE_UNKNOWN;
}

int cmd_drill_status(struct cli_context *cli, struct error *err)
{
    struct drill_source s;
    struct error why = ERROR_INIT;
    struct asking a = {
        .cli = cli, .err = &why, .stands = VEC_OF(struct drill_stand), .table = table_new(&why)
    };
    int rc = drill_source_open(cli, false, &s, &why);
    a.conf = s.conf;
    rc = rc < 0 ? rc : run(&a);
    if (rc < 0)
        why.code = rc;
    /* not the programs' own codes: monitoring reads these */
    cli->exit_code = rc < 0 ? drill_status_unable(cli, &why) : (int)a.worst;
    drill_stands_free(&a.stands);
    table_free(a.table);
    drills_close(a.drills);
    drilled_close(a.drilled);
    drill_source_close(&s);
    return rc < 0 ? error_copy(err, &why) : 0;
}
