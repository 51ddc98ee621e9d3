/* The part that speaks with the service manager: ready, reloading, stopping, what is on and what comes next, and - from this
 * loop alone, so that a loop that hangs is noticed - that it is alive. Without NOTIFY_SOCKET it does nothing. */
#include "backupd/daemon/watchdog.h"

#include <stdio.h>
#include <stdlib.h>

#include "backupd/daemon/supervisor_internal.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/sys/notify.h"

#include "common/base/banned.h"

enum {
    STATUS_MAX = 512,
    WATCHDOG_MIN_MS = 4000, /* the loop's times are whole seconds */
    AGAIN_S = 5,
    STOP_GRACE_S = 15, /* beyond stop_timeout: to reap, to write the history */
};

struct watchdog {
    struct notify notify;
    uint64_t every_ms; /* half of what is asked for; 0: not asked for */
    uint64_t next_ms;  /* clock_mono_ms of the next sign of life */
    bool ready;        /* the loop runs */
    bool untold;       /* the status has changed, or could not be sent */
    int64_t again;     /* untold: the instant of the next try */
    bool refused;      /* the last reload met mistakes */
};

/* The job that is due next, and when; SIZE_MAX: none. */
static size_t next_job(const struct supervisor *s, int64_t *at)
{
    size_t best = SIZE_MAX;
    int64_t now = supervisor_now();
    for (size_t i = 0; i < s->crew.n; i++) {
        const struct planner_rules *r = &s->crew.rules[i];
        int64_t t = r->calendar != NULL && !planner_state(s->crew.planner, i)->paused
                        ? calendar_next(r->calendar, now - r->jitter)
                        : 0;
        if (t != 0 && (best == SIZE_MAX || t + r->jitter < *at)) {
            best = i;
            *at = t + r->jitter;
        }
    }
    return best;
}

static void status_text(const struct supervisor *s, const struct watchdog *w, char *out, size_t cap)
{
    char wall[32];
    char next[CONF_NAME_MAX + 64] = "nothing is due by itself";
    int64_t at = 0;
    size_t job = next_job(s, &at);
    if (job != SIZE_MAX)
        (void)snprintf(next, sizeof next, "next: %s at %s", s->crew.conf->jobs[job].name,
                       zone_format(wall, at));
    if (s->stopping)
        (void)snprintf(out, cap, "stops: %zu %s", s->slots.len,
                       plural(s->slots.len, "run is on", "runs are on"));
    else
        (void)snprintf(out, cap, "%s%zu %s, %zu on; %s",
                       w->refused ? "The new configuration has mistakes, the old one goes on. " : "",
                       s->crew.n, plural(s->crew.n, "job", "jobs"), s->slots.len, next);
}

/* False: to be sent again. Of other troubles one line is enough, and the loop goes on. */
static bool say(struct watchdog *w, const char *lines)
{
    struct error why = ERROR_INIT;
    int rc = notify_send(&w->notify, lines, &why);
    if (rc < 0 && rc != E_RETRY)
        log_event(LOG_WARN, "%s", why.text);
    return rc != E_RETRY;
}

static void say_status(const struct supervisor *s, struct watchdog *w)
{
    char status[STATUS_MAX];
    char lines[STATUS_MAX + 64];
    status_text(s, w, status, sizeof status);
    (void)snprintf(lines, sizeof lines, "%sSTATUS=%s", s->stopping ? "" : "READY=1\n", status);
    w->untold = !say(w, lines);
    w->again = w->untold ? supervisor_now() + AGAIN_S : 0;
}

static void say_reloading(struct watchdog *w)
{
    char lines[96];
    (void)snprintf(lines, sizeof lines,
                   "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reads its configuration again",
                   (unsigned long long)clock_mono_ms() * 1000);
    (void)say(w, lines);
}

/* The runs have stop_timeout, whatever the unit says. */
static void say_stopping(const struct supervisor *s, struct watchdog *w)
{
    char lines[96];
    unsigned long long seconds = s->conf->daemon.stop_timeout_ms / 1000 + STOP_GRACE_S;
    (void)snprintf(lines, sizeof lines, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu", seconds * 1000000ULL);
    (void)say(w, lines);
}

/* ---- the part ---------------------------------------------------------------------------------------------------------- */

static int watchdog_open(struct supervisor *s, void **self, struct error *err)
{
    struct error why = ERROR_INIT;
    struct watchdog *w = mem_alloc(1, sizeof *w, err);
    (void)s;
    if (w == NULL)
        return E_NOMEM;
    *self = w;
    if (notify_open(&w->notify, &why) < 0)
        log_event(LOG_WARN, "%s", why.text);
    uint64_t limit = w->notify.fd >= 0 ? notify_watchdog_ms() : 0;
    if (limit > 0 && limit < WATCHDOG_MIN_MS)
        log_event(LOG_WARN, "a watchdog of less than %d seconds may end a daemon that is well",
                  WATCHDOG_MIN_MS / 1000);
    w->every_ms = limit / 2;
    return 0;
}

static void watchdog_event(struct supervisor *s, void *self, const struct daemon_event *e)
{
    struct watchdog *w = self;
    switch (e->kind) {
    case DAEMON_READY:
        w->ready = true;
        break;
    case DAEMON_RELOADING:
        say_reloading(w);
        break;
    case DAEMON_RELOADED:
    case DAEMON_NOT_RELOADED:
        w->refused = e->kind == DAEMON_NOT_RELOADED;
        break;
    case DAEMON_STOPPING:
        say_stopping(s, w);
        break;
    default:
        break;
    }
    w->untold = true;
}

static void watchdog_look(struct supervisor *s, void *self, const struct pollfd *fds, size_t n)
{
    struct watchdog *w = self;
    (void)fds;
    (void)n;
    if (w->notify.fd < 0 || !w->ready)
        return;
    if (w->untold && supervisor_now() >= w->again)
        say_status(s, w);
    /* A second early rather than late: the loop is woken at whole seconds. */
    if (w->every_ms != 0 && clock_mono_ms() + 1000 >= w->next_ms) {
        (void)say(w, "WATCHDOG=1");
        w->next_ms = clock_mono_ms() + w->every_ms;
    }
}

static int64_t watchdog_wake(struct supervisor *s, void *self)
{
    const struct watchdog *w = self;
    (void)s;
    if (w->notify.fd < 0 || !w->ready)
        return INT64_MAX;
    if (w->every_ms != 0 && w->next_ms == 0)
        return supervisor_now();
    uint64_t mono = clock_mono_ms();
    uint64_t left = w->next_ms > mono ? (w->next_ms - mono) / 1000 : 0;
    int64_t sign = w->every_ms != 0 ? supervisor_now() + (int64_t)(left > 0 ? left : 1) : INT64_MAX;
    return w->untold && w->again < sign ? w->again : sign;
}

static void watchdog_close(struct supervisor *s, void *self)
{
    struct watchdog *w = self;
    (void)s;
    if (w != NULL)
        notify_close(&w->notify);
    free(w);
}

const struct part_kind part_watchdog = {
    .name = "watchdog",
    .open = watchdog_open,
    .event = watchdog_event,
    .look = watchdog_look,
    .wake = watchdog_wake,
    .close = watchdog_close,
};
