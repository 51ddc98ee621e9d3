#include "backupd/daemon/tell.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backupd/daemon/waits.h"
#include "backupd/schedule_warn.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/cli/cli.h"
#include "common/conf/conf.h"

#include "common/base/banned.h"

enum { LINE_MAX_LEN = 2048 };

static const char *plain_reason(const struct planner_event *e)
{
    switch (e->reason) {
    case PLANNER_DUE:
        return "due";
    case PLANNER_CATCH_UP:
        return "missed before, made up for now";
    case PLANNER_AGAIN:
        return "once more, after a failure that may have passed";
    case PLANNER_BY_HAND:
        return HISTORY_BY_HAND;
    case PLANNER_TOO_LATE:
        return "missed, and older than catch_up_within";
    case PLANNER_OLDER:
        return e->kind == PLANNER_GIVE_UP ? "a newer one takes its place"
                                          : "missed, and a newer one takes its place";
    case PLANNER_PAUSED:
        return "the job is paused";
    case PLANNER_WINDOW_OVER:
        return e->kind == PLANNER_STOP ? HISTORY_WINDOW_OVER : "could not start within its window";
    case PLANNER_DEPENDENCY:
        return "what it depends on did not succeed";
    case PLANNER_DURATION:
        return HISTORY_TOO_LONG;
    case PLANNER_SET_BACK:
        return "its time lies in the future: the clock was wrong then, or is wrong now";
    case PLANNER_LONG_AGO:
        return "the last one is long ago";
    }
    return "";
}

const char *tell_reason(const struct crew *crew, const struct planner_event *e, char out[TELL_REASON_MAX])
{
    char what[WAITS_TEXT_MAX];
    bool late = e->kind != PLANNER_STOP && e->reason == PLANNER_WINDOW_OVER;
    (void)snprintf(out, TELL_REASON_MAX, "%s", plain_reason(e));
    if (e->reason == PLANNER_DEPENDENCY)
        (void)snprintf(out, TELL_REASON_MAX, "job %s, which it depends on, did not succeed",
                       crew->conf->jobs[e->other].name);
    else if (late && e->hold.kind != PLANNER_FREE)
        (void)snprintf(out, TELL_REASON_MAX, "%s: waited for %s", plain_reason(e),
                       waits_what(crew, &e->hold, what));
    return out;
}

void tell(const char *fmt, ...)
{
    char text[LINE_MAX_LEN];
    char safe[2 * LINE_MAX_LEN];
    char now[32];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)printf("%s  %s\n", zone_format(now, (int64_t)clock_wall()), str_printable(safe, sizeof safe, text));
    (void)fflush(stdout);
}

void tell_log(enum log_level level, const char *text, void *cli)
{
    static const char *const names[] = {
        [LOG_DEBUG] = "", [LOG_INFO] = "", [LOG_WARN] = "warning: ", [LOG_ALARM] = "alarm: "
    };
    const struct cli_context *c = cli;
    char now[32];
    if ((level == LOG_DEBUG && c->verbose < 2) || (level == LOG_INFO && c->verbose < 1))
        return;
    (void)zone_format(now, (int64_t)clock_wall());
    /* each of its lines has the time: none can pass for another event */
    do {
        char line[LINE_MAX_LEN];
        char safe[2 * LINE_MAX_LEN];
        size_t len = strcspn(text, "\n");
        (void)snprintf(line, sizeof line, "%.*s", (int)len, text);
        (void)fprintf(stderr, "%s  %s%s\n", now, names[level], str_printable(safe, sizeof safe, line));
        text += text[len] == '\n' ? len + 1 : len;
    } while (*text != '\0');
}

static void warn_of_schedule(const struct conf_place *place, const char *text, void *arg)
{
    (void)arg;
    log_event(LOG_WARN, "%s:%u:%u: %s", place->file, place->line, place->column, text);
}

void tell_crew(const char *what, const struct crew *crew)
{
    const struct conf *conf = crew->conf;
    char tasks[64] = "";
    if (conf->ntasks > 0)
        (void)snprintf(tasks, sizeof tasks, ", %zu %s", conf->ntasks, plural(conf->ntasks, "task", "tasks"));
    tell("%s: %zu %s%s", what, conf->njobs, plural(conf->njobs, "job", "jobs"), tasks);
    (void)schedule_warn(crew, (int64_t)clock_wall(), warn_of_schedule, NULL);
}

void tell_end(const struct history_run *r)
{
    char took[NUMBER_TEXT_MAX];
    int64_t seconds = r->ended > r->started ? r->ended - r->started : 0;
    tell("%s: %s after %s%s%s", r->job, history_verdict_name(r->verdict),
         duration_format(took, (uint64_t)seconds * 1000), r->text != NULL && r->text[0] != '\0' ? ": " : "",
         r->text != NULL ? r->text : "");
}
