/* Where notices wait. */
#include "backupd/daemon/notices_queue.h"

#include <stdlib.h>

#include "backupd/daemon/alarms.h"
#include "backupd/daemon/notices.h"
#include "backupd/notices/outbox.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { SPARE_PAUSE = 30 /* seconds between tries to bring back into the queue what is in memory */ };

void notices_queue_failed(struct notices_queue *q, const struct error *why)
{
    alarms_quiet(true);
    if (!q->told_broken)
        log_event(LOG_ALARM, "the queue takes no notices, what is to be told is sent from memory: %s",
                  why->text);
    alarms_quiet(false);
    q->told_broken = true;
    q->damaged = q->damaged || why->code == E_CORRUPT;
}

static void forget_strangers(struct supervisor *s, struct notices_queue *q)
{
    const char *names[CONF_CHANNELS_MAX];
    struct error why = ERROR_INIT;
    size_t n = s->conf->nchannels;
    for (size_t i = 0; i < n; i++)
        names[i] = s->conf->channels[i].name;
    int64_t gone = notices_only(q->disk, names, n, &why);
    if (gone < 0)
        notices_queue_failed(q, &why);
    else if (gone > 0)
        log_event(LOG_WARN, "%lld %s dropped: the channel is no longer in the configuration", (long long)gone,
                  plural((uint64_t)gone, "notice was", "notices were"));
}

bool notices_queue_ready(struct supervisor *s, struct notices_queue *q)
{
    struct error why = ERROR_INIT;
    if (s->conf->nchannels == 0 || q->damaged) {
        notices_close(q->disk);
        q->disk = NULL;
        q->damaged = false;
    }
    if (s->conf->nchannels == 0 || q->disk != NULL)
        return s->conf->nchannels > 0;
    char *path = path_join(s->conf->state, OUTBOX_FILE, &why);
    int rc = path != NULL ? notices_open(path, &q->disk, &why) : E_NOMEM;
    free(path);
    if (rc < 0)
        notices_queue_failed(q, &why);
    else
        forget_strangers(s, q);
    q->told_broken = q->told_broken && rc < 0;
    return rc == 0;
}

static void tell_dropped(uint64_t dropped)
{
    if (dropped > 0)
        log_event(LOG_WARN, "%llu %s dropped, more than %d wait", (unsigned long long)dropped,
                  plural(dropped, "notice was", "notices were"), NOTICES_MAX);
}

/* What is in memory goes into the queue, if that takes something again. */
static void bring_back(struct supervisor *s, struct notices_queue *q)
{
    struct error why = ERROR_INIT;
    uint64_t dropped = 0;
    if (q->spare == NULL || q->being_sent > 0)
        return;
    q->spare_tried = supervisor_now();
    if (!notices_queue_ready(s, q))
        return;
    if (notices_move(q->spare, q->disk, &dropped, &why) < 0) {
        notices_queue_failed(q, &why);
        return;
    }
    tell_dropped(dropped);
    log_event(LOG_INFO, "the queue takes notices again");
    notices_close(q->spare);
    q->spare = NULL;
    q->told_broken = false;
    forget_strangers(s, q);
}

/* Into the queue, or into the one in memory. */
void notices_queue_tell(struct supervisor *s, struct notices_queue *q, notices_tell_fn *fn, const void *arg)
{
    struct error why = ERROR_INIT;
    if (s->conf->nchannels == 0)
        return;
    bring_back(s, q);
    if (q->spare == NULL && notices_queue_ready(s, q)) {
        if (fn(s, q->disk, arg, &why) == 0)
            return;
        notices_queue_failed(q, &why);
    }
    if (q->spare == NULL)
        q->spare_tried = supervisor_now();
    int rc = q->spare == NULL ? notices_open_memory(q->disk, &q->spare, &why) : 0;
    if (rc == 0)
        rc = fn(s, q->spare, arg, &why);
    alarms_quiet(true);
    if (rc < 0)
        log_event(LOG_ALARM, "something is not told to anybody: %s", why.text);
    alarms_quiet(false);
}

struct alarm {
    const char *text;
    const char *except; /* a channel, or NULL */
};

static int tell_alarm(struct supervisor *s, struct notices *q, const void *arg, struct error *err)
{
    const struct alarm *a = arg;
    return notices_tell_alarm(s, q, a->text, a->except, err);
}

void notices_queue_tell_alarm(struct supervisor *s, struct notices_queue *q, const char *text,
                              const char *except)
{
    const struct alarm alarm = { .text = text, .except = except };
    notices_queue_tell(s, q, tell_alarm, &alarm);
}

void notices_queue_alarm(struct supervisor *s, struct notices_queue *q, const char *channel, const char *text)
{
    alarms_quiet(true);
    log_event(LOG_ALARM, "%s", text);
    alarms_quiet(false);
    notices_queue_tell_alarm(s, q, text, channel);
}

void notices_queue_reloaded(struct supervisor *s, struct notices_queue *q)
{
    if (notices_queue_ready(s, q))
        forget_strangers(s, q);
    if (s->conf->nchannels > 0)
        return;
    notices_close(q->spare);
    q->spare = NULL;
}

void notices_queue_clock_set(struct supervisor *s, struct notices_queue *q)
{
    struct error why = ERROR_INIT;
    if (notices_queue_ready(s, q) && notices_no_later(q->disk, supervisor_now() + OUTBOX_PAUSE_MAX, &why) < 0)
        notices_queue_failed(q, &why);
}

void notices_queue_look(struct supervisor *s, struct notices_queue *q)
{
    int64_t now = supervisor_now();
    /* A clock that was set back does not hold it up. */
    if (q->spare != NULL && (now >= q->spare_tried + SPARE_PAUSE || now < q->spare_tried))
        bring_back(s, q);
}

int64_t notices_queue_wake(const struct notices_queue *q)
{
    return q->spare != NULL && q->being_sent == 0 ? q->spare_tried + SPARE_PAUSE : INT64_MAX;
}

void notices_queue_close(struct supervisor *s, struct notices_queue *q)
{
    bring_back(s, q);
    size_t lost = q->spare != NULL ? notices_spare_lost(q->spare) : 0;
    if (lost > 0)
        log_event(LOG_ALARM, "the daemon ends, and %zu %s told: the queue does not take them", lost,
                  plural(lost, "notice is not", "notices are not"));
    notices_close(q->spare);
    notices_close(q->disk);
}
