#include "backupd/status_alarms.h"

#include <string.h>

#include "backupd/pages/look.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/zone.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

struct alarms {
    struct cli_context *cli;
    const struct view *view;
    const struct vec *jobs;
    struct error *err;
};

/* What is no job's is told to who asked for all of them. */
static bool is_asked_for(const struct alarms *a, const char *job)
{
    for (size_t i = 0; job != NULL && a->cli->nargs > 0 && i < a->jobs->len; i++)
        if (strcmp((*(const struct conf_job **)vec_at(a->jobs, i))->name, job) == 0)
            return true;
    return a->cli->nargs == 0;
}

static bool is_drill(enum view_alarm_kind kind)
{
    return kind == VIEW_DRILL_FAILING || kind == VIEW_DRILL_NEVER || kind == VIEW_DRILL_STALE ||
           kind == VIEW_DRILL_NOT_RUN || kind == VIEW_DRILL_UNKNOWN;
}

static bool is_in_table(enum view_alarm_kind kind)
{
    return !is_drill(kind) && kind != VIEW_STALE && kind != VIEW_BRAKED && kind != VIEW_REFUSED &&
           kind != VIEW_CLOCK && kind != VIEW_DAEMON && kind != VIEW_HISTORY;
}

static int emit(const struct alarms *a, const struct view_alarm *alarm)
{
    struct jsonout *o = jsonout_new("alarm");
    jsonout_str(o, "alarm", view_alarm_name(alarm->kind));
    jsonout_str(o, "job", alarm->job);
    jsonout_time(o, "since", (uint64_t)alarm->since);
    jsonout_str(o, "text", alarm->text);
    return jsonout_emit(o, a->err);
}

static void print(struct table *t, const struct view_alarm *alarm)
{
    char wall[32];
    bool mild = alarm->kind == VIEW_REFUSED || alarm->kind == VIEW_DRILL_NOT_RUN;
    table_cell(t, OUT_BOLD, "%s", alarm->job != NULL ? alarm->job : "");
    table_cell(t, OUT_PLAIN, "%s", alarm->since != 0 ? zone_format(wall, alarm->since) : "");
    table_cell(t, mild ? OUT_WARN : OUT_BAD, "%s", alarm->text);
}

static void print_drills(const struct alarms *a)
{
    size_t asked = 0;
    size_t well = 0;
    for (size_t i = 0; i < a->view->stands.len; i++) {
        const struct drill_stand *s = vec_at(&a->view->stands, i);
        asked += s->drill != NULL && is_asked_for(a, s->job);
        well += s->drill != NULL && is_asked_for(a, s->job) && s->trouble == DRILL_WELL;
    }
    if (asked == 0)
        return;
    out_line(&a->cli->out, OUT_PLAIN, "%s", "");
    out_line(&a->cli->out, well == asked ? OUT_DIM : OUT_WARN, "Restore drills: %zu of %zu %s well.", well,
             asked, plural(well, "is", "are"));
}

static int show(const struct alarms *a, size_t *bad)
{
    static const char *const titles[] = { "job", "since", "what" };
    struct table *t = a->cli->json ? NULL : table_new(a->err);
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; t != NULL && i < sizeof titles / sizeof titles[0]; i++)
        table_column(t, titles[i], false);
    for (size_t i = 0; rc == 0 && i < a->view->alarms.len; i++) {
        const struct view_alarm *alarm = vec_at(&a->view->alarms, i);
        /* That the table may not be all of it concerns who asked for one job, too. */
        if (!is_asked_for(a, alarm->job) && alarm->kind != VIEW_HISTORY)
            continue;
        *bad += is_drill(alarm->kind) || alarm->kind == VIEW_STALE || alarm->kind == VIEW_CLOCK ||
                alarm->kind == VIEW_HISTORY;
        if (t == NULL)
            rc = emit(a, alarm);
        else if (!is_in_table(alarm->kind)) {
            n++;
            print(t, alarm);
        }
    }
    if (t != NULL)
        print_drills(a);
    if (rc == 0 && n > 0) {
        out_line(&a->cli->out, OUT_PLAIN, "%s", "");
        out_line(&a->cli->out, OUT_BOLD, "Also to be looked at:");
        rc = table_print(t, &a->cli->out, a->err);
    }
    if (rc == 0 && t != NULL)
        rc = out_flush(&a->cli->out, a->err);
    table_free(t);
    return rc;
}

int status_alarms(struct cli_context *cli, const struct crew *crew, struct history *history,
                  const struct vec *jobs, size_t *bad, struct error *err)
{
    struct drills_file drills = DRILLS_FILE_INIT;
    struct trouble trouble;
    struct view view;
    const struct view_options options = { .now = (int64_t)clock_wall(),
                                          .daemon = look_daemon(crew->conf),
                                          .drills = &drills,
                                          .trouble = &trouble };
    const struct alarms a = { .cli = cli, .view = &view, .jobs = jobs, .err = err };
    look_trouble(crew->conf, &trouble);
    drills_file_look(&drills, crew->conf->state, false, options.now);
    int rc = view_make(crew, history, &options, &view, err);
    if (rc == 0) {
        rc = show(&a, bad);
        view_free(&view);
    }
    drills_file_close(&drills);
    return rc;
}
