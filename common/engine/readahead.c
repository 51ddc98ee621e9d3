#include "common/engine/readahead.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"

#include "common/base/banned.h"

enum { TICK_MS = 1000, WAKE_BLOCKS = 4 };

struct readahead_lane {
    struct readahead *r;
    unsigned number;
    pthread_t thread;
    pthread_cond_t room; /* the reader gave one back, or the end has come */
    uint8_t *memory;     /* of all its blocks */
    /* Below the lock. Blocks that are free, the one used last on top: it is still in the processor's cache. */
    uint8_t **stack;
    size_t nfree;
    struct filled *queue; /* the i-th since the start is at i % blocks */
    uint64_t filled;      /* blocks since the start, all units */
    uint64_t taken;
    bool waits;       /* for room */
    uint8_t *current; /* being filled: the lane's own */
};

struct filled {
    uint8_t *block;
    size_t len;
};

struct unit {
    struct readahead_lane *lane; /* who has it */
    uint64_t end;                /* of its blocks, in the lane's count; valid when done */
    bool done;
};

struct readahead {
    struct readahead_options o;
    pthread_mutex_t lock;
    pthread_cond_t news;        /* for the reader */
    const struct unit *awaited; /* by the reader, who sleeps; NULL: it does not */
    size_t blocks;              /* of a lane */
    struct unit *units;
    size_t next; /* unit for the next free lane */
    size_t done;
    uint64_t ticked_ms;
    struct readahead_lane *lent_by; /* the reader has a block of it; NULL: none */
    uint8_t *lent;
    struct readahead_lane *lanes;
    unsigned started;
    bool ending;
    struct error failure; /* code 0: none */
};

static void end_all(struct readahead *r)
{
    r->ending = true;
    for (unsigned i = 0; i < r->o.lanes; i++)
        (void)pthread_cond_broadcast(&r->lanes[i].room);
    (void)pthread_cond_broadcast(&r->news);
}

/* ---- lanes ---------------------------------------------------------------------------------------------- */

void *readahead_room(struct readahead_lane *lane, size_t *len, struct error *err)
{
    struct readahead *r = lane->r;
    *len = r->o.block;
    if (lane->current != NULL)
        return lane->current;
    (void)pthread_mutex_lock(&r->lock);
    lane->waits = true;
    while (!r->ending && lane->nfree == 0)
        (void)pthread_cond_wait(&lane->room, &r->lock);
    lane->waits = false;
    if (!r->ending)
        lane->current = lane->stack[--lane->nfree];
    (void)pthread_mutex_unlock(&r->lock);
    if (lane->current == NULL)
        (void)error_set(err, E_CANCELLED, "the other readers have ended");
    return lane->current;
}

/* A reader that sleeps is woken for several blocks at once: to wake up costs more than to take one. The end of a unit
 * wakes it in any case, and it never sleeps while the lane waits for room. */
static void tell(struct readahead *r, const struct readahead_lane *lane)
{
    uint64_t ready = lane->filled - lane->taken;
    if (r->awaited != NULL && r->awaited->lane == lane && (ready >= WAKE_BLOCKS || ready >= r->blocks))
        (void)pthread_cond_signal(&r->news);
}

void readahead_filled(struct readahead_lane *lane, size_t len)
{
    struct readahead *r = lane->r;
    (void)pthread_mutex_lock(&r->lock);
    lane->queue[lane->filled % r->blocks] = (struct filled){ .block = lane->current, .len = len };
    lane->filled++;
    lane->current = NULL;
    tell(r, lane);
    (void)pthread_mutex_unlock(&r->lock);
}

/* False when there is none. */
static bool take_unit(struct readahead_lane *lane, size_t *unit)
{
    struct readahead *r = lane->r;
    (void)pthread_mutex_lock(&r->lock);
    bool any = !r->ending && r->next < r->o.units;
    if (any) {
        *unit = r->next++;
        r->units[*unit].lane = lane;
    }
    (void)pthread_mutex_unlock(&r->lock);
    return any;
}

static void unit_done(struct readahead_lane *lane, size_t unit, int rc, const struct error *why)
{
    struct readahead *r = lane->r;
    (void)pthread_mutex_lock(&r->lock);
    if (rc == 0) {
        r->units[unit].end = lane->filled;
        r->units[unit].done = true;
        r->done++;
        if (r->awaited == &r->units[unit])
            (void)pthread_cond_signal(&r->news);
    } else if (!r->ending) {
        (void)error_copy(&r->failure, why);
        if (r->failure.code >= 0)
            (void)error_set(&r->failure, E_INTERNAL, "a reader failed for an unknown reason");
        end_all(r);
    }
    (void)pthread_mutex_unlock(&r->lock);
}

static void *work(void *arg)
{
    struct readahead_lane *lane = arg;
    const struct readahead_options *o = &lane->r->o;
    int rc = 0;
    for (size_t unit; rc == 0 && take_unit(lane, &unit);) {
        struct error why = ERROR_INIT;
        rc = o->fetch(o->arg, lane->number, unit, lane, &why);
        unit_done(lane, unit, rc, &why);
    }
    return NULL;
}

/* ---- the reader ----------------------------------------------------------------------------------------- */

/* Whoever is quick ticks, too. */
static int tick(struct readahead *r, struct error *err)
{
    uint64_t now = clock_mono_ms();
    if (r->o.tick == NULL || now - r->ticked_ms < TICK_MS)
        return 0;
    r->ticked_ms = now;
    return r->o.tick(r->o.arg, err);
}

/* With the lock, but for the tick. */
static int wait_news(struct readahead *r, struct error *err)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TICK_MS / 1000;
    (void)pthread_cond_timedwait(&r->news, &r->lock, &until);
    (void)pthread_mutex_unlock(&r->lock);
    int rc = tick(r, err);
    (void)pthread_mutex_lock(&r->lock);
    return rc;
}

/* 1 when there is a block of the unit, 0 at its end. */
static int wait_block(struct readahead *r, size_t unit, struct error *err)
{
    const struct unit *u = &r->units[unit];
    int rc = 0;
    while (rc == 0) {
        if (r->failure.code != 0)
            return error_copy(err, &r->failure);
        if (u->lane != NULL && u->lane->taken < (u->done ? u->end : u->lane->filled))
            return 1;
        if (u->done)
            return 0;
        r->awaited = u;
        rc = wait_news(r, err);
        r->awaited = NULL;
    }
    return rc;
}

static void give_back(struct readahead *r)
{
    struct readahead_lane *lane = r->lent_by;
    if (lane == NULL)
        return;
    lane->stack[lane->nfree++] = r->lent;
    r->lent_by = NULL;
    if (lane->waits)
        (void)pthread_cond_signal(&lane->room);
}

int64_t readahead_lend(struct readahead *r, size_t unit, const void **data, struct error *err)
{
    int64_t n = tick(r, err);
    if (n < 0)
        return n;
    (void)pthread_mutex_lock(&r->lock);
    give_back(r);
    n = unit < r->o.units ? wait_block(r, unit, err) : error_set(err, E_INTERNAL, "no such unit");
    if (n > 0) {
        struct readahead_lane *lane = r->units[unit].lane;
        const struct filled *f = &lane->queue[lane->taken++ % r->blocks];
        r->lent_by = lane;
        *data = r->lent = f->block;
        n = (int64_t)f->len;
    }
    (void)pthread_mutex_unlock(&r->lock);
    return n;
}

/* ---- start and end -------------------------------------------------------------------------------------- */

static int start_lanes(struct readahead *r, struct error *err)
{
    sigset_t all;
    sigset_t before;
    int rc = 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's matter */
    while (rc == 0 && r->started < r->o.lanes) {
        rc = pthread_create(&r->lanes[r->started].thread, NULL, work, &r->lanes[r->started]);
        r->started += rc == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : error_set(err, E_NOMEM, "cannot start a thread");
}

static int make_blocks(struct readahead *r, struct readahead_lane *lane, struct error *err)
{
    lane->memory = mem_alloc(r->blocks, r->o.block, err);
    lane->stack = mem_alloc(r->blocks, sizeof *lane->stack, err);
    lane->queue = mem_alloc(r->blocks, sizeof *lane->queue, err);
    if (lane->memory == NULL || lane->stack == NULL || lane->queue == NULL)
        return E_NOMEM;
    while (lane->nfree < r->blocks) {
        lane->stack[lane->nfree] = lane->memory + lane->nfree * r->o.block;
        lane->nfree++;
    }
    return 0;
}

static int make(struct readahead *r, struct error *err)
{
    pthread_condattr_t monotonic;
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&r->news, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    r->units = mem_alloc(r->o.units + 1, sizeof *r->units, err);
    r->lanes = mem_alloc(r->o.lanes, sizeof *r->lanes, err);
    if (r->units == NULL || r->lanes == NULL) {
        r->o.lanes = 0;
        return E_NOMEM;
    }
    int rc = 0;
    for (unsigned i = 0; i < r->o.lanes; i++) {
        (void)pthread_cond_init(&r->lanes[i].room, NULL);
        r->lanes[i].r = r;
        r->lanes[i].number = i;
        if (rc == 0)
            rc = make_blocks(r, &r->lanes[i], err);
    }
    return rc;
}

struct readahead *readahead_start(const struct readahead_options *options, struct error *err)
{
    if (options->lanes == 0 || options->lanes > READAHEAD_LANES_MAX || options->block == 0 ||
        options->buffer < options->block) {
        (void)error_set(err, E_INTERNAL, "a readahead of %u lanes", options->lanes);
        return NULL;
    }
    struct readahead *r = mem_alloc(1, sizeof *r, err);
    if (r == NULL)
        return NULL;
    r->o = *options;
    r->blocks = options->buffer / options->block;
    if (make(r, err) == 0 && start_lanes(r, err) == 0)
        return r;
    readahead_free(r);
    return NULL;
}

void readahead_free(struct readahead *r)
{
    if (r == NULL)
        return;
    (void)pthread_mutex_lock(&r->lock);
    bool early = r->done < r->o.units;
    end_all(r);
    (void)pthread_mutex_unlock(&r->lock);
    if (early && r->o.stop != NULL)
        r->o.stop(r->o.arg);
    for (unsigned i = 0; i < r->started; i++)
        (void)pthread_join(r->lanes[i].thread, NULL);
    for (unsigned i = 0; i < r->o.lanes; i++) {
        (void)pthread_cond_destroy(&r->lanes[i].room);
        free(r->lanes[i].memory);
        free(r->lanes[i].stack);
        free(r->lanes[i].queue);
    }
    (void)pthread_cond_destroy(&r->news);
    (void)pthread_mutex_destroy(&r->lock);
    free(r->lanes);
    free(r->units);
    free(r);
}
