#include "backupd/daemon/doubt.h"

#include <stdio.h>

#include "backupd/clock_doubt.h"
#include "backupd/daemon/supervisor_internal.h"
#include "common/base/log.h"
#include "common/base/zone.h"

#include "common/base/banned.h"

enum { WORTH_SAYING = 86400 };

void doubt_act(struct supervisor *s, const struct planner_event *e)
{
    const char *name = s->crew.conf->jobs[e->job].name;
    struct error why = ERROR_INIT;
    char last[32];
    char wall[32];
    int64_t known = 0;
    struct history *history = ledger_history(s->ledger);
    if (history != NULL && history_decided(history, name, supervisor_now(), &known, &why) < 0)
        log_event(LOG_WARN, "job %s: what ran before is not known: %s", name, why.text);
    (void)zone_format(last, e->due);
    (void)zone_format(wall, known);
    if (e->reason == PLANNER_LONG_AGO && known <= e->due)
        return; /* it was so long ago */
    if (known != 0)
        planner_decided(s->crew.planner, e->job, known);
    if (e->reason == PLANNER_LONG_AGO && known - e->due >= WORTH_SAYING)
        log_event(
            LOG_WARN,
            "job %s: the last decided due time is %s, and the history has %s: the clock was behind; the nights "
            "go on from there",
            name, last, wall);
    else if (e->reason == PLANNER_SET_BACK)
        log_event(
            LOG_WARN,
            "job %s: the last decided due time, %s, lies in the future: the clock was wrong then or is wrong "
            "now; %s%s",
            name, last,
            known != 0 ? "the nights go on from the newest before now, " : "nights count from now",
            known != 0 ? wall : "");
    runs_remember(s, e->job);
}

void doubt_look(struct supervisor *s)
{
    struct error why = ERROR_INIT;
    char text[CLOCK_DOUBT_MAX];
    int64_t newest = 0;
    struct history *history = ledger_history(s->ledger);
    if (history != NULL && history_newest(history, &newest, &why) < 0)
        log_event(LOG_WARN, "whether the clock is behind the history is not known: %s", why.text);
    if (clock_doubt(supervisor_now(), newest, text))
        log_event(LOG_ALARM, "%s", text);
}
