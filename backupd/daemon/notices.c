#include "backupd/daemon/notices.h"

#include <stdlib.h>

#include "backupd/daemon/alarms.h"
#include "backupd/daemon/notices_queue.h"
#include "backupd/daemon/notices_send.h"
#include "common/base/alloc.h"

#include "common/base/banned.h"

enum { HISTORY_AGAIN = 86400 /* seconds after which a history that takes nothing is said again */ };

struct notices_self {
    struct notices_queue queue;
    struct notices_send send;
    int64_t
        history_since; /* of the trouble that was told last; 0: none; -1: a daemon before may have told one */
    int64_t history_told;
};

/* ---- what is told -------------------------------------------------------------------------------------------------------- */

static int tell_event(struct supervisor *s, struct notices *q, const void *arg, struct error *err)
{
    return notices_tell(s, q, arg, err);
}

static int tell_history(struct supervisor *s, struct notices *q, const void *arg, struct error *err)
{
    return notices_tell_history(s, q, arg, err);
}

static bool history_is_news(const struct supervisor *s, const struct notices_self *p, int64_t now)
{
    int64_t since = ledger_trouble(s->ledger).since;
    return since != p->history_since || (since != 0 && now - p->history_told >= HISTORY_AGAIN);
}

static void look_at_history(struct supervisor *s, struct notices_self *p)
{
    const struct trouble trouble = ledger_trouble(s->ledger);
    int64_t now = supervisor_now();
    if (!history_is_news(s, p, now))
        return;
    p->history_since = trouble.since;
    p->history_told = now;
    notices_queue_tell(s, &p->queue, tell_history, &trouble);
}

static void take_alarms(struct supervisor *s, struct notices_self *p)
{
    char text[ALARMS_TEXT_MAX];
    while (alarms_take(text))
        notices_queue_tell_alarm(s, &p->queue, text, NULL);
}

/* A run whose end says nothing about the job: the next daemon starts it again, or there is no such job any more. */
static bool is_nobodys(const struct supervisor *s, const struct daemon_event *e)
{
    return e->job == SIZE_MAX ||
           (e->kind == DAEMON_ENDED && s->stopping && e->run->verdict == HISTORY_STOPPED);
}

/* ---- the part ---------------------------------------------------------------------------------------------------------- */

static int notices_part_open(struct supervisor *s, void **self, struct error *err)
{
    struct notices_self *p = mem_alloc(1, sizeof *p, err);
    if (p == NULL)
        return E_NOMEM;
    p->history_since = -1;
    notices_send_init(&p->send, &p->queue);
    (void)notices_queue_ready(s, &p->queue);
    notices_send_look_ahead(s, &p->send);
    *self = p;
    return 0;
}

static void notices_part_event(struct supervisor *s, void *self, const struct daemon_event *e)
{
    struct notices_self *p = self;
    bool run = e->kind == DAEMON_STARTED || e->kind == DAEMON_ENDED || e->kind == DAEMON_SKIPPED ||
               e->kind == DAEMON_GIVEN_UP;
    if (e->kind == DAEMON_RELOADED)
        notices_queue_reloaded(s, &p->queue);
    if (e->kind == DAEMON_READY || e->kind == DAEMON_CLOCK_SET)
        notices_queue_clock_set(s, &p->queue);
    if (run && !is_nobodys(s, e))
        notices_queue_tell(s, &p->queue, tell_event, e);
    notices_send_look_ahead(s, &p->send);
}

static size_t notices_part_fds(struct supervisor *s, void *self, struct pollfd *fds, size_t cap)
{
    const struct notices_self *p = self;
    (void)s;
    return notices_send_fds(&p->send, fds, cap);
}

static void notices_part_look(struct supervisor *s, void *self, const struct pollfd *fds, size_t n)
{
    struct notices_self *p = self;
    bool news = alarms_wait() || history_is_news(s, p, supervisor_now()) || p->queue.spare != NULL;
    (void)fds;
    (void)n;
    take_alarms(s, p);
    look_at_history(s, p);
    news = notices_send_reap(&p->send) || news;
    if (s->stopping)
        return;
    notices_queue_look(s, &p->queue);
    if (news)
        notices_send_look_ahead(s, &p->send);
    if (notices_send_start(s, &p->send) || news)
        notices_send_look_ahead(s, &p->send);
}

static int64_t notices_part_wake(struct supervisor *s, void *self)
{
    struct notices_self *p = self;
    int64_t now = supervisor_now();
    int64_t best = alarms_wait() || history_is_news(s, p, now) ? now : INT64_MAX;
    int64_t queue = notices_queue_wake(&p->queue);
    int64_t send = notices_send_wake(s, &p->send);
    best = queue < best ? queue : best;
    return send < best ? send : best;
}

static void notices_part_close(struct supervisor *s, void *self)
{
    struct notices_self *p = self;
    notices_send_close(&p->send);
    notices_queue_close(s, &p->queue);
    free(p);
}

const struct part_kind notices_part = { .name = "notices",
                                        .open = notices_part_open,
                                        .event = notices_part_event,
                                        .fds = notices_part_fds,
                                        .look = notices_part_look,
                                        .wake = notices_part_wake,
                                        .close = notices_part_close };
