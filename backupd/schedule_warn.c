#include "backupd/schedule_warn.h"

#include <stdio.h>

#include "common/base/banned.h"

bool schedule_is_over(const struct planner_rules *rules, int64_t now)
{
    return rules->calendar != NULL && calendar_next(rules->calendar, now - rules->jitter) == 0;
}

size_t schedule_warn(const struct crew *crew, int64_t now,
                     void (*fn)(const struct conf_place *place, const char *text, void *arg), void *arg)
{
    size_t n = 0;
    for (size_t i = 0; i < crew->n; i++) {
        const struct conf_job *job = &crew->conf->jobs[i];
        char text[SCHEDULE_WARNING_MAX];
        if (!schedule_is_over(&crew->rules[i], now))
            continue;
        (void)snprintf(text, sizeof text,
                       "%s.%s: schedule '%s' " SCHEDULE_OVER ": all its times are over, it runs by hand only",
                       job->task == CONF_TASK_NONE ? "jobs" : "tasks", job->name, job->schedule.when);
        fn(&job->schedule.when_at, text, arg);
        n++;
    }
    return n;
}
