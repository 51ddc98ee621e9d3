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
    MS = 1000,
};

struct sender {
    struct child *child; /* NULL: free */
    int pidfd;
    char channel[CONF_NAME_MAX + 1];
};

struct notices_self {
    struct notices *queue; /* NULL: no channels, or it cannot be opened */
    bool told_broken;
    bool damaged;                                       /* is opened anew, and then put aside */
    int64_t wake[CONF_CHANNELS_MAX];                    /* of conf->channels: when something is due */
    char failing[CONF_CHANNELS_MAX][CONF_NAME_MAX + 1]; /* told in the log already */
    struct sender senders[CONF_CHANNELS_MAX];
};

/* ---- what the log hears of it --------------------------------------------------------------------------------------- */

/* An alarm about notices: in the log, and over the other channels. */
static void alarm_about(struct supervisor *s, struct notices_self *p, const char *channel, const char *text)
{
    struct error why = ERROR_INIT;
    alarms_quiet(true);
    log_event(LOG_ALARM, "%s", text);
    if (p->queue != NULL && notices_tell_alarm(s, p->queue, text, channel, &why) < 0)
        log_event(LOG_ALARM, "an alarm cannot be told: %s", why.text);
    alarms_quiet(false);
}

static void queue_failed(struct notices_self *p, const struct error *why)
{
    alarms_quiet(true);
    if (!p->told_broken)
        log_event(LOG_ALARM, "notices cannot be sent, backups go on: %s", why->text);
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
        if (i < s->conf->nchannels && p->queue != NULL &&
            notices_wake(p->queue, s->conf->channels[i].name, &p->wake[i], &why) < 0)
            queue_failed(p, &why);
    }
}

/* What could not be told for too long. */
static void give_up(struct supervisor *s, struct notices_self *p, const struct conf_channel *c)
{
    static const char *const fleeting[] = { "start", "success" };
    struct error why = ERROR_INIT;
    char text[512];
    char time[NUMBER_TEXT_MAX];
    int64_t now = supervisor_now();
    int64_t n = notices_expire(p->queue, c->name, NULL, now - (int64_t)(c->give_up_after_ms / MS), &why);
    for (size_t i = 0; c->type == CONF_PING && i < 2; i++)
        (void)notices_expire(p->queue, c->name, fleeting[i], now - PING_EXPIRES, NULL);
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

/* It reads no configuration: the daemon's is given to it, which a pipe takes as a whole. */
static int start_child(struct supervisor *s, struct sender *to, const struct conf_channel *c,
                       struct error *err)
{
    const char *argv[] = { s->options->program, "notify", "deliver", NULL };
    struct buf settings = BUF_INIT;
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    char *credentials = dir != NULL ? str_printf(err, "CREDENTIALS_DIRECTORY=%s", dir) : NULL;
    const char *const env[] = { credentials, NULL };
    const struct child_options options = {
        .env = env, .want_stdin = true, .outlives_stop = true, .timeout_ms = SENDER_TIMEOUT_MS
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

static void start_sender(struct supervisor *s, struct notices_self *p, const struct conf_channel *c)
{
    struct error why = ERROR_INIT;
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        if (p->senders[i].child != NULL)
            continue;
        if (start_child(s, &p->senders[i], c, &why) < 0) {
            sender_free(&p->senders[i]);
            log_event(LOG_WARN, "channel %s: nothing can be sent now: %s", c->name, why.text);
            if (notices_defer(p->queue, c->name, supervisor_now() + SENDER_PAUSE, &why) < 0)
                queue_failed(p, &why);
        }
        return;
    }
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
    int64_t now = supervisor_now();
    /* One that broke off before it could say so in the queue is not started again at once. */
    if (!ok && p->queue != NULL && notices_wake(p->queue, sender->channel, &next, &why) == 0 && next <= now &&
        notices_defer(p->queue, sender->channel, now + SENDER_PAUSE, &why) < 0)
        queue_failed(p, &why);
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
    if (is_ready(s, p))
        look_ahead(s, p);
    else
        for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
            p->wake[i] = INT64_MAX;
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
    struct error why = ERROR_INIT;
    if (!is_ready(s, p))
        return;
    if (e->kind == DAEMON_RELOADED)
        forget_strangers(s, p);
    bool clock = e->kind == DAEMON_READY || e->kind == DAEMON_CLOCK_SET;
    if (clock && notices_no_later(p->queue, supervisor_now() + OUTBOX_PAUSE_MAX, &why) < 0)
        queue_failed(p, &why);
    bool run = e->kind == DAEMON_STARTED || e->kind == DAEMON_ENDED || e->kind == DAEMON_SKIPPED ||
               e->kind == DAEMON_GIVEN_UP;
    if (run && !is_nobodys(s, e) && notices_tell(s, p->queue, e, &why) < 0)
        queue_failed(p, &why);
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
    struct error why = ERROR_INIT;
    bool ready = is_ready(s, p);
    while (alarms_take(text))
        if (ready && notices_tell_alarm(s, p->queue, text, NULL, &why) < 0)
            queue_failed(p, &why);
}

static void notices_part_look(struct supervisor *s, void *self, const struct pollfd *fds, size_t n)
{
    struct notices_self *p = self;
    bool news = alarms_wait();
    (void)fds;
    (void)n;
    take_alarms(s, p);
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++) {
        if (p->senders[i].child == NULL || !child_ended(p->senders[i].child))
            continue;
        sender_ended(p, &p->senders[i]);
        news = true;
    }
    if (p->queue == NULL || s->stopping)
        return;
    if (news)
        look_ahead(s, p);
    int64_t now = supervisor_now();
    for (size_t i = 0; i < s->conf->nchannels; i++) {
        const struct conf_channel *c = &s->conf->channels[i];
        if (p->wake[i] > now || sender_of(p, c->name) != NULL)
            continue;
        give_up(s, p, c);
        start_sender(s, p, c);
        news = true;
    }
    if (news)
        look_ahead(s, p);
}

static int64_t notices_part_wake(struct supervisor *s, void *self)
{
    struct notices_self *p = self;
    int64_t best = alarms_wait() ? supervisor_now() : INT64_MAX;
    for (size_t i = 0; p->queue != NULL && !s->stopping && i < s->conf->nchannels; i++)
        if (p->wake[i] < best && sender_of(p, s->conf->channels[i].name) == NULL)
            best = p->wake[i];
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
    (void)s;
    let_end(p);
    for (size_t i = 0; i < CONF_CHANNELS_MAX; i++)
        sender_free(&p->senders[i]);
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
