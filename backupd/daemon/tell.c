#include "backupd/daemon/tell.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/conf/conf.h"

#include "common/base/banned.h"

enum { LINE_MAX_LEN = 2048 };

const char *tell_reason(const struct planner_event *e)
{
    switch (e->reason) {
    case PLANNER_DUE:
        return "due";
    case PLANNER_CATCH_UP:
        return "missed before, made up for now";
    case PLANNER_AGAIN:
        return "once more, after a failure that may have passed";
    case PLANNER_BY_HAND:
        return "started by hand";
    case PLANNER_TOO_LATE:
        return "missed, and older than catch_up_within";
    case PLANNER_OLDER:
        return "missed, and a newer one takes its place";
    case PLANNER_PAUSED:
        return "the job is paused";
    case PLANNER_WINDOW_OVER:
        return e->kind == PLANNER_STOP ? HISTORY_WINDOW_OVER : "could not start within its window";
    case PLANNER_DEPENDENCY:
        return "a job it depends on did not succeed";
    case PLANNER_DURATION:
        return HISTORY_TOO_LONG;
    case PLANNER_SET_BACK:
        return "the clock was set back";
    }
    return "";
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

void tell_crew(const char *what, const struct conf *conf)
{
    char tasks[64] = "";
    if (conf->ntasks > 0)
        (void)snprintf(tasks, sizeof tasks, ", %zu %s", conf->ntasks, plural(conf->ntasks, "task", "tasks"));
    tell("%s: %zu %s%s", what, conf->njobs, plural(conf->njobs, "job", "jobs"), tasks);
}

void tell_end(const struct history_run *r)
{
    char took[NUMBER_TEXT_MAX];
    int64_t seconds = r->ended > r->started ? r->ended - r->started : 0;
    tell("%s: %s after %s%s%s", r->job, history_verdict_name(r->verdict),
         duration_format(took, (uint64_t)seconds * 1000), r->text != NULL && r->text[0] != '\0' ? ": " : "",
         r->text != NULL ? r->text : "");
}
