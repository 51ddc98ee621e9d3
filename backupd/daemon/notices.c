#include "backupd/daemon/notices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/alarms.h"
#include "backupd/notices/outbox.h"
#include "backupd/notices/wire.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/child.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum {
    SENDER_TIMEOUT_MS = 30 * 60 * 1000, /* of one process that sends all that waits for a channel */
    SENDER_PAUSE = 60,                  /* seconds after one that ended without doing its work */
    PING_EXPIRES = 3600,   /* a start or success that is told later would hide a night that is missing */
    LAST_MOMENT_MS = 3000, /* for senders when the daemon ends */
    SPARE_PAUSE = 30,      /* seconds between tries to bring back into the queue what is in memory */
    HISTORY_AGAIN = 86400, /* seconds after which a history that takes nothing is said again */
    MS = 1000,
    FD_TEXT = 16,
};

struct sender {
    struct child *child; /* NULL: free */
    int pidfd;
    char channel[CONF_NAME_MAX + 1];
    int64_t spare; /* the notice in memory that it sends; 0: it sends from the queue */
};

/* A channel whose sender broke off and whose queue takes no note of that. */
struct hold {
    char channel[CONF_NAME_MAX + 1]; /* "": free */
    int64_t until;
    unsigned times;
};

struct notices_self {
    struct notices *queue; /* NULL: no channels, or it cannot be opened */
    bool told_broken;
    bool damaged;          /* is opened anew, and then put aside */
    struct notices *spare; /* in memory, while the queue takes nothing: everything goes there; else NULL */
    int64_t spare_tried;   /* to bring it back */
    int64_t
        history_since; /* of the trouble that was told last; 0: none; -1: a daemon before may have told one */
    int64_t history_told;
    struct hold holds[CONF_CHANNELS_MAX];
    int64_t wake[CONF_CHANNELS_MAX];                    /* of conf->channels: when something is due */
    int64_t spare_wake[CONF_CHANNELS_MAX];              /* the same, in memory */
    char failing[CONF_CHANNELS_MAX][CONF_NAME_MAX + 1]; /* told in the log already */
    struct sender senders[CONF_CHANNELS_MAX];
};

/* ---- what the log hears of it --------------------------------------------------------------------------------------- */

static void queue_failed(struct notices_self *p, const struct error *why)
{
    alarms_quiet(true);
    if (!p->told_broken)
        log_event(LOG_ALARM, "the queue takes no notices, what is to be told is sent from memory: %s",
                  why->text);
    alarms_quiet(false);
    p->told_broken = true;
    p->damaged = p->damaged || why->code == E_CORRUPT;
}

/* ---- the queue --------------------------------------------------------------------------------------------------------- */

static void forget_strangers(struct supervisor *s, struct notices_self *p)
{
    const char *names[CONF_CHANNELS_MAX];
    struct error why = ERROR_INIT;
    size_t n = s->conf->nchannels;
    for (size_t i = 0; i < n; i++)
        names[i] = s->conf->channels[i].name;
    int64_t gone = notices_only(p->queue, names, n, &why);
    if (gone < 0)
        queue_failed(p, &why);
    else if (gone > 0)
        log_event(LOG_WARN, "%lld %s dropped: the channel is no longer in the configuration", (long long)gone,
                  plural((uint64_t)gone, "notice was", "notices were"));
}

/* True when there is somebody to tell and a queue. */
static bool is_ready(struct supervisor *s, struct notices_self *p)
{
    struct error why = ERROR_INIT;
    if (s->conf->nchannels == 0 || p->damaged) {
        notices_close(p->queue);
        p->queue = NULL;
        p->damaged = false;
    }
    if (s->conf->nchannels == 0 || p->queue != NULL)
        return s->conf->nchannels > 0;
    char *path = path_join(s->conf->state, OUTBOX_FILE, &why);
    int rc = path != NULL ? notices_open(path, &p->queue, &why) : E_NOMEM;
    free(path);
    if (rc < 0)
        queue_failed(p, &why);
    else
        forget_strangers(s, p);
    p->told_broken = p->told_broken && rc < 0;
    return rc == 0;
}

/* ---- telling ------------------------------------------------------------------------------------------------------------ */

typedef int tell_fn(struct supervisor *s, struct notices *q, const void *arg, struct error *err);

static bool spare_is_being_sent(const struct notices_self *p)
{
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        if (p->senders[i].spare != 0)
            return true;
    return false;
}

static void tell_dropped(uint64_t dropped)
{
    if (dropped > 0)
        log_event(LOG_WARN, "%llu %s dropped, more than %d wait", (unsigned long long)dropped,
                  plural(dropped, "notice was", "notices were"), NOTICES_MAX);
}

/* What is in memory goes into the queue, if that takes something again. */
static void bring_back(struct supervisor *s, struct notices_self *p)
{
    struct error why = ERROR_INIT;
    uint64_t dropped = 0;
    if (p->spare == NULL || spare_is_being_sent(p))
        return;
    p->spare_tried = supervisor_now();
    if (!is_ready(s, p))
        return;
    if (notices_move(p->spare, p->queue, &dropped, &why) < 0) {
        queue_failed(p, &why);
        return;
    }
    tell_dropped(dropped);
    log_event(LOG_INFO, "the queue takes notices again");
    notices_close(p->spare);
    p->spare = NULL;
    p->told_broken = false;
    forget_strangers(s, p);
}

/* Into the queue, or into the one in memory. */
static void tell_by(struct supervisor *s, struct notices_self *p, tell_fn *fn, const void *arg)
{
    struct error why = ERROR_INIT;
    if (s->conf->nchannels == 0)
        return;
    bring_back(s, p);
    if (p->spare == NULL && is_ready(s, p)) {
        if (fn(s, p->queue, arg, &why) == 0)
            return;
        queue_failed(p, &why);
    }
    if (p->spare == NULL)
        p->spare_tried = supervisor_now();
    int rc = p->spare == NULL ? notices_open_memory(p->queue, &p->spare, &why) : 0;
    if (rc == 0)
        rc = fn(s, p->spare, arg, &why);
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

static int tell_event(struct supervisor *s, struct notices *q, const void *arg, struct error *err)
{
    return notices_tell(s, q, arg, err);
}

static int tell_history(struct supervisor *s, struct notices *q, const void *arg, struct error *err)
{
    return notices_tell_history(s, q, arg, err);
}

/* An alarm about notices: in the log, and over the other channels. */
static void alarm_about(struct supervisor *s, struct notices_self *p, const char *channel, const char *text)
{
    const struct alarm alarm = { .text = text, .except = channel };
    alarms_quiet(true);
    log_event(LOG_ALARM, "%s", text);
    alarms_quiet(false);
    tell_by(s, p, tell_alarm, &alarm);
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
    tell_by(s, p, tell_history, &trouble);
}

/* ---- when something is to be sent ---------------------------------------------------------------------------------------- */

static struct hold *hold_of(struct notices_self *p, const char *channel)
{
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        if (strcmp(p->holds[i].channel, channel) == 0)
            return &p->holds[i];
    return NULL;
}

/* The queue cannot say when it is tried again: it would be at once, for ever. */
static void hold(struct notices_self *p, const char *channel)
{
    struct hold *h = hold_of(p, channel);
    if (h == NULL && (h = hold_of(p, "")) == NULL)
        return;
    (void)snprintf(h->channel, sizeof h->channel, "%s", channel);
    h->until = supervisor_now() + outbox_pause(h->times++);
}

static void release(struct notices_self *p, const char *channel)
{
    struct hold *h = hold_of(p, channel);
    if (h != NULL)
        *h = (struct hold){ .until = 0 };
}

static struct sender *sender_of(struct notices_self *p, const char *channel)
{
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        if (p->senders[i].child != NULL && strcmp(p->senders[i].channel, channel) == 0)
            return &p->senders[i];
    return NULL;
}

/* When each channel has something to send. */
static void look_ahead(struct supervisor *s, struct notices_self *p)
{
    struct error why = ERROR_INIT;
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        p->wake[i] = INT64_MAX;
        p->spare_wake[i] = INT64_MAX;
        if (i >= s->conf->nchannels)
            continue;
        const char *name = s->conf->channels[i].name;
        const struct hold *held = hold_of(p, name);
        if (p->queue != NULL && notices_wake(p->queue, name, &p->wake[i], &why) < 0)
            queue_failed(p, &why);
        if (held != NULL && p->wake[i] < held->until)
            p->wake[i] = held->until;
        if (p->spare != NULL)
            (void)notices_wake(p->spare, name, &p->spare_wake[i], NULL);
    }
}

/* What could not be told for too long; q: the queue, or the one in memory. */
static void give_up(struct supervisor *s, struct notices_self *p, struct notices *q,
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
        queue_failed(p, &why);
    if (n <= 0)
        return;
    (void)snprintf(
        text, sizeof text,
        "channel %s: %lld %s given up, it could not be told anything for %s (`backupd notify test %s` says why)",
        c->name, (long long)n, plural((uint64_t)n, "notice is", "notices are"),
        duration_format(time, c->give_up_after_ms), c->name);
    alarm_about(s, p, c->name, text);
}

/* ---- senders ------------------------------------------------------------------------------------------------------------- */

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

static void sender_free(struct sender *sender)
{
    fd_drop(&sender->pidfd);
    child_free(sender->child);
    *sender = (struct sender){ .pidfd = -1 };
}

static void put_off(struct notices_self *p, const char *channel)
{
    struct error why = ERROR_INIT;
    if (notices_defer(p->queue, channel, supervisor_now() + SENDER_PAUSE, &why) == 0)
        return;
    queue_failed(p, &why);
    hold(p, channel);
}

static struct sender *free_sender(struct notices_self *p)
{
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        if (p->senders[i].child == NULL)
            return &p->senders[i];
    return NULL;
}

static void start_sender(struct supervisor *s, struct notices_self *p, const struct conf_channel *c)
{
    struct error why = ERROR_INIT;
    struct sender *to = free_sender(p);
    if (to == NULL || start_child(s, to, c, -1, &why) == 0)
        return;
    sender_free(to);
    log_event(LOG_WARN, "channel %s: nothing can be sent now: %s", c->name, why.text);
    put_off(p, c->name);
}

/* One notice of those in memory. */
static void start_spare(struct supervisor *s, struct notices_self *p, const struct conf_channel *c)
{
    struct error why = ERROR_INIT;
    struct sender *to = free_sender(p);
    int64_t id = 0;
    if (to == NULL)
        return;
    int fd = notices_spare_take(p->spare, c->name, supervisor_now(), &id, &why);
    int rc = fd < 0 ? fd : start_child(s, to, c, fd, &why);
    fd_drop(&fd);
    to->spare = rc == 0 ? id : 0;
    if (rc == 0 || rc == E_NOT_FOUND)
        return;
    sender_free(to);
    log_event(LOG_WARN, "channel %s: nothing can be sent now: %s", c->name, why.text);
    if (id != 0)
        notices_spare_done(p->spare, id, why.text);
}

/* Told once when a channel begins to fail, and once when it works again. */
static void tell_sender(struct notices_self *p, const char *channel, bool ok, const char *text)
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

static void sender_ended(struct notices_self *p, struct sender *sender)
{
    struct error why = ERROR_INIT;
    char last[CHILD_LAST_LINE_MAX];
    int64_t next = INT64_MAX;
    bool ok = child_finish(sender->child, &why) == 0;
    const char *said = child_last_line(sender->child, last);
    tell_sender(p, sender->channel, ok, said[0] != '\0' ? said : why.text);
    if (sender->spare != 0 && p->spare != NULL)
        notices_spare_done(p->spare, sender->spare, ok ? NULL : said[0] != '\0' ? said : why.text);
    else if (ok)
        release(p, sender->channel);
    /* One that broke off before it could say so in the queue is not started again at once. */
    else if (p->queue != NULL && notices_wake(p->queue, sender->channel, &next, &why) == 0 &&
             next <= supervisor_now())
        put_off(p, sender->channel);
    sender_free(sender);
}

/* ---- the part ---------------------------------------------------------------------------------------------------------- */

static int notices_part_open(struct supervisor *s, void **self, struct error *err)
{
    struct notices_self *p = mem_alloc(1, sizeof *p, err);
    if (p == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        p->senders[i].pidfd = -1;
    p->history_since = -1;
    (void)is_ready(s, p);
    look_ahead(s, p);
    *self = p;
    return 0;
}

/* A run whose end says nothing about the job: the next daemon starts it again, or there is no such job any more. */
static bool is_nobodys(const struct supervisor *s, const struct daemon_event *e)
{
    return e->job == SIZE_MAX ||
           (e->kind == DAEMON_ENDED && s->stopping && e->run->verdict == HISTORY_STOPPED);
}

static void notices_part_event(struct supervisor *s, void *self, const struct daemon_event *e)
{
    struct notices_self *p = self;
    if (e->kind == DAEMON_RELOADED && is_ready(s, p))
        forget_strangers(s, p);
    struct error why = ERROR_INIT;
    bool clock = e->kind == DAEMON_READY || e->kind == DAEMON_CLOCK_SET;
    if (clock && is_ready(s, p) && notices_no_later(p->queue, supervisor_now() + OUTBOX_PAUSE_MAX, &why) < 0)
        queue_failed(p, &why);
    if (s->conf->nchannels == 0) {
        notices_close(p->spare);
        p->spare = NULL;
    }
    bool run = e->kind == DAEMON_STARTED || e->kind == DAEMON_ENDED || e->kind == DAEMON_SKIPPED ||
               e->kind == DAEMON_GIVEN_UP;
    if (run && !is_nobodys(s, e))
        tell_by(s, p, tell_event, e);
    look_ahead(s, p);
}

static size_t notices_part_fds(struct supervisor *s, void *self, struct pollfd *fds, size_t cap)
{
    const struct notices_self *p = self;
    size_t n = 0;
    (void)s;
    for (size_t i = 0; i < CONF_CHANNELS_MAX && n < cap; i++)
        if (p->senders[i].child != NULL)
            fds[n++] = (struct pollfd){ .fd = p->senders[i].pidfd, .events = POLLIN };
    return n;
}

static void take_alarms(struct supervisor *s, struct notices_self *p)
{
    char text[ALARMS_TEXT_MAX];
    const struct alarm alarm = { .text = text };
    while (alarms_take(text))
        tell_by(s, p, tell_alarm, &alarm);
}

static void notices_part_look(struct supervisor *s, void *self, const struct pollfd *fds, size_t n)
{
    struct notices_self *p = self;
    int64_t now = supervisor_now();
    bool news = alarms_wait() || history_is_news(s, p, now) || p->spare != NULL;
    (void)fds;
    (void)n;
    take_alarms(s, p);
    look_at_history(s, p);
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        if (p->senders[i].child == NULL || !child_ended(p->senders[i].child))
            continue;
        sender_ended(p, &p->senders[i]);
        news = true;
    }
    if (s->stopping)
        return;
    /* A clock that was set back does not hold it up. */
    if (p->spare != NULL && (now >= p->spare_tried + SPARE_PAUSE || now < p->spare_tried))
        bring_back(s, p);
    if (news)
        look_ahead(s, p);
    for (size_t i = 0; i < s->conf->nchannels; i++) {
        const struct conf_channel *c = &s->conf->channels[i];
        bool spare = p->spare != NULL && p->spare_wake[i] <= now;
        bool queue = p->queue != NULL && p->wake[i] <= now;
        if ((!spare && !queue) || sender_of(p, c->name) != NULL)
            continue;
        give_up(s, p, spare ? p->spare : p->queue, c);
        if (spare && p->spare != NULL)
            start_spare(s, p, c);
        else if (queue && p->queue != NULL)
            start_sender(s, p, c);
        news = true;
    }
    if (news)
        look_ahead(s, p);
}

static int64_t notices_part_wake(struct supervisor *s, void *self)
{
    struct notices_self *p = self;
    int64_t now = supervisor_now();
    int64_t best = alarms_wait() || history_is_news(s, p, now) ? now : INT64_MAX;
    if (p->spare != NULL && !spare_is_being_sent(p) && p->spare_tried + SPARE_PAUSE < best)
        best = p->spare_tried + SPARE_PAUSE;
    for (size_t i = 0; !s->stopping && i < s->conf->nchannels; i++) {
        int64_t at = p->queue != NULL ? p->wake[i] : INT64_MAX;
        at = p->spare != NULL && p->spare_wake[i] < at ? p->spare_wake[i] : at;
        if (at < best && sender_of(p, s->conf->channels[i].name) == NULL)
            best = at;
    }
    return best;
}

/* What is on its way may arrive: told again by the next daemon it would be told twice. */
static void let_end(const struct notices_self *p)
{
    uint64_t until = clock_mono_ms() + LAST_MOMENT_MS;
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        struct pollfd fd = { .fd = p->senders[i].pidfd, .events = POLLIN };
        uint64_t now = clock_mono_ms();
        if (p->senders[i].child != NULL && now < until)
            (void)poll(&fd, 1, (int)(until - now));
    }
}

static void notices_part_close(struct supervisor *s, void *self)
{
    struct notices_self *p = self;
    let_end(p);
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        if (p->senders[i].spare != 0 && child_ended(p->senders[i].child))
            sender_ended(p, &p->senders[i]);
        sender_free(&p->senders[i]);
    }
    bring_back(s, p);
    size_t lost = p->spare != NULL ? notices_spare_lost(p->spare) : 0;
    if (lost > 0)
        log_event(LOG_ALARM, "the daemon ends, and %zu %s told: the queue does not take them", lost,
                  plural(lost, "notice is not", "notices are not"));
    notices_close(p->spare);
    notices_close(p->queue);
    free(p);
}

const struct part_kind notices_part = { .name = "notices",
                                        .open = notices_part_open,
                                        .event = notices_part_event,
                                        .fds = notices_part_fds,
                                        .look = notices_part_look,
                                        .wake = notices_part_wake,
                                        .close = notices_part_close };
