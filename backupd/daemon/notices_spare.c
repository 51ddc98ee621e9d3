/* notices_spare.c - what is sent from memory, while the queue takes nothing. */
#include <sys/mman.h> /* memfd_create */
#include <unistd.h>

#include "backupd/daemon/notices.h"
#include "backupd/notices/outbox.h"
#include "backupd/notices/wire.h"
#include "common/base/log.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

struct taking {
    int64_t now;
    int64_t id; /* 0: none yet */
    unsigned tries;
    struct buf text;
    struct error *err;
};

static int note_first(const struct notice *n, void *arg)
{
    struct taking *t = arg;
    if (t->id == 0 && n->next <= t->now)
        t->id = n->id;
    return 0;
}

static int write_one(const struct notice *n, void *arg)
{
    struct taking *t = arg;
    t->tries = n->tries;
    return notice_write(n, &t->text, t->err);
}

int notices_spare_take(struct notices *spare, const char *channel, int64_t now, int64_t *id,
                       struct error *err)
{
    struct taking t = { .now = now, .text = BUF_INIT, .err = err };
    int fd = -1;
    int rc = notices_list(spare, channel, now, note_first, &t, err);
    if (rc == 0 && t.id == 0)
        rc = error_set(err, E_NOT_FOUND, "nothing is due");
    rc = rc == 0 ? notices_get(spare, t.id, write_one, &t, err) : rc;
    if (rc == 0 && (fd = memfd_create("notice", MFD_CLOEXEC)) < 0)
        rc = error_sys(err, "memory for a notice");
    rc = rc == 0 ? fd_write_full(fd, t.text.data, t.text.len, "a notice", err) : rc;
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        rc = error_sys(err, "a notice");
    if (rc < 0)
        fd_drop(&fd);
    buf_free(&t.text);
    *id = t.id;
    return rc < 0 ? rc : fd;
}

void notices_spare_done(struct notices *spare, int64_t id, const char *why)
{
    struct taking t = { .text = BUF_INIT };
    struct error failed = ERROR_INIT;
    int64_t now = supervisor_now();
    int rc = notices_get(spare, id, write_one, &t, &failed);
    buf_free(&t.text);
    if (rc == 0)
        rc = why == NULL ? notices_sent(spare, id, now, &failed)
                         : notices_failed(spare, id, now + outbox_pause(t.tries), false, why, &failed);
    if (rc < 0)
        log_event(LOG_WARN, "a notice in memory: %s", failed.text);
}

static int tell_one(const struct notice *n, void *arg)
{
    size_t *count = arg;
    (*count)++;
    log_event(LOG_WARN, "not told over %s: %s", n->channel, n->subject);
    return 0;
}

size_t notices_spare_lost(struct notices *spare)
{
    size_t n = 0;
    (void)notices_list(spare, NULL, INT64_MAX, tell_one, &n, NULL);
    return n;
}
