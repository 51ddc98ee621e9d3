#include "backupd/notices/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "backupd/notices/deliver.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"
#include "common/sys/filelock.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

struct outbox {
    struct notices *queue;
    const struct conf_channel *channel;
    struct outbox_result *result;
};

int64_t outbox_pause(unsigned tries)
{
    int64_t pause = OUTBOX_PAUSE;
    for (unsigned i = 0; i < tries && pause < OUTBOX_PAUSE_MAX; i++)
        pause *= 2;
    return pause < OUTBOX_PAUSE_MAX ? pause : OUTBOX_PAUSE_MAX;
}

static int add_id(const struct notice *n, void *arg)
{
    int64_t *slot = vec_push(arg, NULL);
    if (slot == NULL)
        return E_NOMEM;
    *slot = n->id;
    return 0;
}

/* A notice that outlives the statement it was read with: nothing is locked while it is sent. */
struct copy {
    struct notice n;
    char *owned[7];
    bool there;
};

static int take_copy(const struct notice *n, void *arg)
{
    struct copy *c = arg;
    const char *const from[] = { n->uid, n->channel, n->event, n->job, n->subject, n->text, n->body };
    c->n = *n;
    const char **const to[] = { &c->n.uid,     &c->n.channel, &c->n.event, &c->n.job,
                                &c->n.subject, &c->n.text,    &c->n.body };
    for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
        c->owned[i] = str_dup(from[i], NULL);
        if (c->owned[i] == NULL)
            return E_NOMEM;
        *to[i] = c->owned[i];
    }
    c->n.error = "";
    c->there = true;
    return 0;
}

static void drop_copy(struct copy *c)
{
    for (size_t i = 0; i < sizeof c->owned / sizeof c->owned[0]; i++)
        free(c->owned[i]);
}

/* 1: go on with the next; 0: the channel does not work. */
static int send_one(const struct outbox *o, int64_t id, struct error *err)
{
    struct copy c = { .there = false };
    struct error why = ERROR_INIT;
    int64_t now = (int64_t)clock_wall();
    int rc = notices_get(o->queue, id, take_copy, &c, err);
    if (rc == E_NOMEM)
        (void)error_set(err, E_NOMEM, "out of memory");
    if (rc < 0 || !c.there) {
        drop_copy(&c);
        return rc < 0 ? rc : 1;
    }
    int sent = deliver(o->channel, &c.n, &why);
    bool refused = sent == E_DENIED;
    if (sent == 0) {
        o->result->sent++;
        rc = notices_sent(o->queue, id, now, err);
    } else if (sent == E_CANCELLED) {
        rc = error_copy(err, &why);
    } else {
        o->result->failed++;
        o->result->why = why;
        rc = notices_failed(o->queue, id, (int64_t)clock_wall() + outbox_pause(c.n.tries), refused, why.text,
                            err);
    }
    drop_copy(&c);
    return rc < 0 ? rc : sent == 0 || refused ? 1 : 0;
}

static int send_all(const struct outbox *o, bool all, struct error *err)
{
    struct vec ids = VEC_OF(int64_t);
    size_t i = 0;
    int rc =
        notices_list(o->queue, o->channel->name, all ? INT64_MAX : (int64_t)clock_wall(), add_id, &ids, err);
    if (rc == E_NOMEM)
        (void)error_set(err, E_NOMEM, "out of memory");
    for (rc = rc == 0 ? 1 : rc; rc > 0 && i < ids.len; i++) {
        rc = interrupt_check(err);
        if (rc == 0)
            rc = send_one(o, *(int64_t *)vec_at(&ids, i), err);
    }
    o->result->left = ids.len - i;
    vec_free(&ids);
    return rc < 0 ? rc : 0;
}

int outbox_send(const char *state, const struct conf_channel *channel, bool all, struct outbox_result *result,
                struct error *err)
{
    struct outbox o = { .channel = channel, .result = result };
    char *lock_path = str_printf(err, "%s/notices-%s.lock", state, channel->name);
    char *path = path_join(state, OUTBOX_FILE, err);
    struct filelock *lock = NULL;
    int rc = lock_path != NULL && path != NULL ? 0 : E_NOMEM;
    *result = (struct outbox_result){ .sent = 0, .why = ERROR_INIT };
    if (rc == 0 && (lock = filelock_take(lock_path, err)) == NULL)
        rc = err->code;
    if (rc == 0)
        rc = notices_open(path, &o.queue, err);
    if (rc == 0)
        rc = send_all(&o, all, err);
    notices_close(o.queue);
    filelock_free(lock);
    free(path);
    free(lock_path);
    return rc;
}
