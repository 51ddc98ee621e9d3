/* Processes that send notices. */
#include "backupd/daemon/notices_send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/notices.h"
#include "backupd/notices/outbox.h"
#include "backupd/notices/wire.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum {
    SENDER_TIMEOUT_MS = 30 * 60 * 1000, /* of one process that sends all that waits for a channel */
    SENDER_PAUSE = 60,                  /* seconds after one that ended without doing its work */
    PING_EXPIRES = 3600,   /* a start or success that is told later would hide a night that is missing */
    LAST_MOMENT_MS = 3000, /* for senders when the daemon ends */
    MS = 1000,
    FD_TEXT = 16,
};

/* ---- when something is to be sent ---------------------------------------------------------------------------------------- */

static struct sender_hold *hold_of(struct notices_send *p, const char *channel)
{
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        if (strcmp(p->holds[i].channel, channel) == 0)
            return &p->holds[i];
    return NULL;
}

/* The queue cannot say when it is tried again: it would be at once, for ever. */
static void hold(struct notices_send *p, const char *channel)
{
    struct sender_hold *h = hold_of(p, channel);
    if (h == NULL && (h = hold_of(p, "")) == NULL)
        return;
    (void)snprintf(h->channel, sizeof h->channel, "%s", channel);
    h->until = supervisor_now() + outbox_pause(h->times++);
}

static void release(struct notices_send *p, const char *channel)
{
    struct sender_hold *h = hold_of(p, channel);
    if (h != NULL)
        *h = (struct sender_hold){ .until = 0 };
}

static struct sender *sender_of(struct notices_send *p, const char *channel)
{
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        if (p->senders[i].child != NULL && strcmp(p->senders[i].channel, channel) == 0)
            return &p->senders[i];
    return NULL;
}

void notices_send_look_ahead(struct supervisor *s, struct notices_send *p)
{
    struct error why = ERROR_INIT;
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        p->wake[i] = INT64_MAX;
        p->spare_wake[i] = INT64_MAX;
        if (i >= s->conf->nchannels)
            continue;
        const char *name = s->conf->channels[i].name;
        const struct sender_hold *held = hold_of(p, name);
        if (p->queue->disk != NULL && notices_wake(p->queue->disk, name, &p->wake[i], &why) < 0)
            notices_queue_failed(p->queue, &why);
        if (held != NULL && p->wake[i] < held->until)
            p->wake[i] = held->until;
        if (p->queue->spare != NULL)
            (void)notices_wake(p->queue->spare, name, &p->spare_wake[i], NULL);
    }
}

/* What could not be told for too long; q: the queue, or the one in memory. */
static void give_up(struct supervisor *s, struct notices_send *p, struct notices *q,
                    const struct conf_channel *c)
{
    static const char *const fleeting[] = { "start", "success" };
    struct error why = ERROR_INIT;
    char text[512];
    char time[NUMBER_TEXT_MAX];
    int64_t now = supervisor_now();
    int64_t n = notices_expire(q, c->name, NULL, now - (int64_t)(c->give_up_after_ms / MS), &why);
    for (size_t i = 0; c->type == CONF_PING && i < 2; i++)
        (void)notices_expire(q, c->name, fleeting[i], now - PING_EXPIRES, NULL);
    if (n < 0)
        notices_queue_failed(p->queue, &why);
    if (n <= 0)
        return;
    (void)snprintf(
        text, sizeof text,
        "channel %s: %lld %s given up, it could not be told anything for %s (`backupd notify test %s` says why)",
        c->name, (long long)n, plural((uint64_t)n, "notice is", "notices are"),
        duration_format(time, c->give_up_after_ms), c->name);
    notices_queue_alarm(s, p->queue, c->name, text);
}

/* ---- processes ----------------------------------------------------------------------------------------------------------- */

/* It reads no configuration: the daemon's is given to it, which a pipe takes as a whole. notice: what it reads the one notice from
 * that it sends, or -1. */
static int start_child(struct supervisor *s, struct sender *to, const struct conf_channel *c, int notice,
                       struct error *err)
{
    char number[FD_TEXT];
    const char *argv[] = {
        s->options->program, "notify", "deliver", notice >= 0 ? "--notice-fd" : NULL, number, NULL
    };
    const int keep[] = { notice, -1 };
    (void)snprintf(number, sizeof number, "%d", notice);
    struct buf settings = BUF_INIT;
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    char *credentials = dir != NULL ? str_printf(err, "CREDENTIALS_DIRECTORY=%s", dir) : NULL;
    const char *const env[] = { credentials, NULL };
    const struct child_options options = {
        .env = env, .want_stdin = true, .outlives_stop = true, .keep = keep, .timeout_ms = SENDER_TIMEOUT_MS
    };
    int rc = channel_write(c, s->conf->state, &settings, err);
    if (rc == 0 && (to->child = child_start(argv, &options, err)) == NULL)
        rc = err->code;
    if (rc == 0)
        rc = fd_write_full(child_stdin(to->child), settings.data, settings.len, "notify deliver", err);
    if (rc == 0)
        rc = to->pidfd = poll_process(child_pid(to->child), err);
    if (to->child != NULL)
        child_close_stdin(to->child);
    (void)snprintf(to->channel, sizeof to->channel, "%s", c->name);
    free(credentials);
    buf_free(&settings);
    return rc < 0 ? rc : 0;
}

static void sender_free(struct notices_send *p, struct sender *sender)
{
    p->queue->being_sent -= sender->spare != 0 ? 1 : 0;
    fd_drop(&sender->pidfd);
    child_free(sender->child);
    *sender = (struct sender){ .pidfd = -1 };
}

static void put_off(struct notices_send *p, const char *channel)
{
    struct error why = ERROR_INIT;
    if (notices_defer(p->queue->disk, channel, supervisor_now() + SENDER_PAUSE, &why) == 0)
        return;
    notices_queue_failed(p->queue, &why);
    hold(p, channel);
}

static struct sender *free_sender(struct notices_send *p)
{
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        if (p->senders[i].child == NULL)
            return &p->senders[i];
    return NULL;
}

static void start_sender(struct supervisor *s, struct notices_send *p, const struct conf_channel *c)
{
    struct error why = ERROR_INIT;
    struct sender *to = free_sender(p);
    if (to == NULL || start_child(s, to, c, -1, &why) == 0)
        return;
    sender_free(p, to);
    log_event(LOG_WARN, "channel %s: nothing can be sent now: %s", c->name, why.text);
    put_off(p, c->name);
}

/* One notice of those in memory. */
static void start_spare(struct supervisor *s, struct notices_send *p, const struct conf_channel *c)
{
    struct error why = ERROR_INIT;
    struct sender *to = free_sender(p);
    int64_t id = 0;
    if (to == NULL)
        return;
    int fd = notices_spare_take(p->queue->spare, c->name, supervisor_now(), &id, &why);
    int rc = fd < 0 ? fd : start_child(s, to, c, fd, &why);
    fd_drop(&fd);
    to->spare = rc == 0 ? id : 0;
    p->queue->being_sent += to->spare != 0 ? 1 : 0;
    if (rc == 0 || rc == E_NOT_FOUND)
        return;
    sender_free(p, to);
    log_event(LOG_WARN, "channel %s: nothing can be sent now: %s", c->name, why.text);
    if (id != 0)
        notices_spare_done(p->queue->spare, id, why.text);
}

/* Told once when a channel begins to fail, and once when it works again. */
static void tell_sender(struct notices_send *p, const char *channel, bool ok, const char *text)
{
    size_t at = CONF_CHANNELS_MAX;
    size_t room = CONF_CHANNELS_MAX;
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        at = strcmp(p->failing[i], channel) == 0 ? i : at;
        room = p->failing[i][0] == '\0' ? i : room;
    }
    bool known = at < CONF_CHANNELS_MAX;
    if (ok && known) {
        log_event(LOG_INFO, "channel %s works again", channel);
        p->failing[at][0] = '\0';
    } else if (!ok && !known) {
        log_event(LOG_WARN, "channel %s: %s; it is tried again, `backupd notify list` shows what waits",
                  channel, text);
        if (room < CONF_CHANNELS_MAX)
            (void)snprintf(p->failing[room], sizeof p->failing[room], "%s", channel);
    }
}

static void sender_ended(struct notices_send *p, struct sender *sender)
{
    struct error why = ERROR_INIT;
    char last[CHILD_LAST_LINE_MAX];
    int64_t next = INT64_MAX;
    bool ok = child_finish(sender->child, &why) == 0;
    const char *said = child_last_line(sender->child, last);
    tell_sender(p, sender->channel, ok, said[0] != '\0' ? said : why.text);
    if (sender->spare != 0 && p->queue->spare != NULL)
        notices_spare_done(p->queue->spare, sender->spare, ok ? NULL : said[0] != '\0' ? said : why.text);
    else if (ok)
        release(p, sender->channel);
    /* One that broke off before it could say so in the queue is not started again at once. */
    else if (p->queue->disk != NULL && notices_wake(p->queue->disk, sender->channel, &next, &why) == 0 &&
             next <= supervisor_now())
        put_off(p, sender->channel);
    sender_free(p, sender);
}

/* ---- for the part ---------------------------------------------------------------------------------------------------------- */

void notices_send_init(struct notices_send *p, struct notices_queue *queue)
{
    *p = (struct notices_send){ .queue = queue };
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        p->senders[i].pidfd = -1;
}

bool notices_send_reap(struct notices_send *p)
{
    bool any = false;
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        if (p->senders[i].child == NULL || !child_ended(p->senders[i].child))
            continue;
        sender_ended(p, &p->senders[i]);
        any = true;
    }
    return any;
}

bool notices_send_start(struct supervisor *s, struct notices_send *p)
{
    const struct notices_queue *q = p->queue;
    int64_t now = supervisor_now();
    bool any = false;
    for (size_t i = 0; i < s->conf->nchannels; i++) {
        const struct conf_channel *c = &s->conf->channels[i];
        bool spare = q->spare != NULL && p->spare_wake[i] <= now;
        bool queue = q->disk != NULL && p->wake[i] <= now;
        if ((!spare && !queue) || sender_of(p, c->name) != NULL)
            continue;
        give_up(s, p, spare ? q->spare : q->disk, c);
        if (spare && q->spare != NULL)
            start_spare(s, p, c);
        else if (queue && q->disk != NULL)
            start_sender(s, p, c);
        any = true;
    }
    return any;
}

size_t notices_send_fds(const struct notices_send *p, struct pollfd *fds, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < CONF_CHANNELS_MAX && n < cap; i++)
        if (p->senders[i].child != NULL)
            fds[n++] = (struct pollfd){ .fd = p->senders[i].pidfd, .events = POLLIN };
    return n;
}

int64_t notices_send_wake(struct supervisor *s, struct notices_send *p)
{
    int64_t best = INT64_MAX;
    for (size_t i = 0; !s->stopping && i < s->conf->nchannels; i++) {
        int64_t at = p->queue->disk != NULL ? p->wake[i] : INT64_MAX;
        at = p->queue->spare != NULL && p->spare_wake[i] < at ? p->spare_wake[i] : at;
        if (at < best && sender_of(p, s->conf->channels[i].name) == NULL)
            best = at;
    }
    return best;
}

/* What is on its way may arrive: told again by the next daemon it would be told twice. */
static void let_end(const struct notices_send *p)
{
    uint64_t until = clock_mono_ms() + LAST_MOMENT_MS;
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        struct pollfd fd = { .fd = p->senders[i].pidfd, .events = POLLIN };
        uint64_t now = clock_mono_ms();
        if (p->senders[i].child != NULL && now < until)
            (void)poll(&fd, 1, (int)(until - now));
    }
}

void notices_send_close(struct notices_send *p)
{
    let_end(p);
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        if (p->senders[i].spare != 0 && child_ended(p->senders[i].child))
            sender_ended(p, &p->senders[i]);
        sender_free(p, &p->senders[i]);
    }
}
