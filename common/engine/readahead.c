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

enum { TICK_MS = 1000 };

struct readahead_lane {
    struct readahead *r;
    unsigned number;
    pthread_t thread;
    pthread_cond_t room; /* the reader took some, or the end has come */
    uint8_t *ring;
    uint64_t filled; /* bytes since the start, all units; below the lock */
    uint64_t taken;
    bool waits; /* for room */
};

struct unit {
    struct readahead_lane *lane; /* who has it */
    uint64_t end;                /* of its bytes, in the lane's count; valid when done */
    bool done;
};

struct readahead {
    struct readahead_options o;
    pthread_mutex_t lock;
    pthread_cond_t news; /* for the reader */
    struct unit *units;
    size_t next; /* unit for the next free lane */
    size_t done;
    uint64_t ticked_ms;
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
    (void)pthread_mutex_lock(&r->lock);
    lane->waits = true;
    while (!r->ending && lane->filled - lane->taken == r->o.buffer)
        (void)pthread_cond_wait(&lane->room, &r->lock);
    lane->waits = false;
    bool ending = r->ending;
    size_t at = (size_t)(lane->filled % r->o.buffer);
    size_t used = (size_t)(lane->filled - lane->taken);
    (void)pthread_mutex_unlock(&r->lock);
    if (ending) {
        (void)error_set(err, E_CANCELLED, "the other readers have ended");
        return NULL;
    }
    size_t room = r->o.buffer - used;
    *len = room < r->o.buffer - at ? room : r->o.buffer - at;
    return lane->ring + at;
}

void readahead_filled(struct readahead_lane *lane, size_t len)
{
    struct readahead *r = lane->r;
    (void)pthread_mutex_lock(&r->lock);
    lane->filled += len;
    (void)pthread_cond_signal(&r->news);
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
        (void)pthread_cond_signal(&r->news);
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

/* What is there of a unit; 0 at its end. */
static int wait_bytes(struct readahead *r, size_t unit, size_t *len, struct error *err)
{
    const struct unit *u = &r->units[unit];
    for (;;) {
        if (r->failure.code != 0)
            return error_copy(err, &r->failure);
        if (u->lane != NULL) {
            uint64_t end = u->done ? u->end : u->lane->filled;
            *len = (size_t)(end - u->lane->taken);
            if (*len > 0 || u->done)
                return 0;
        }
        int rc = wait_news(r, err);
        if (rc < 0)
            return rc;
    }
}

/* Bytes that are in the ring stay where they are until `taken` moves on: copied without the lock. */
int64_t readahead_read(struct readahead *r, size_t unit, void *data, size_t cap, struct error *err)
{
    size_t len = 0;
    int rc = tick(r, err);
    if (rc < 0)
        return rc;
    (void)pthread_mutex_lock(&r->lock);
    rc = unit < r->o.units ? wait_bytes(r, unit, &len, err) : error_set(err, E_INTERNAL, "no such unit");
    struct readahead_lane *lane = rc == 0 ? r->units[unit].lane : NULL;
    size_t at = lane != NULL ? (size_t)(lane->taken % r->o.buffer) : 0;
    (void)pthread_mutex_unlock(&r->lock);
    if (rc < 0 || len == 0)
        return rc;
    len = len < cap ? len : cap;
    len = len < r->o.buffer - at ? len : r->o.buffer - at;
    memcpy(data, lane->ring + at, len);
    (void)pthread_mutex_lock(&r->lock);
    lane->taken += len;
    if (lane->waits)
        (void)pthread_cond_signal(&lane->room);
    (void)pthread_mutex_unlock(&r->lock);
    return (int64_t)len;
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
        r->lanes[i].r = r;
        r->lanes[i].number = i;
        (void)pthread_cond_init(&r->lanes[i].room, NULL);
        r->lanes[i].ring = mem_alloc(1, r->o.buffer, rc == 0 ? err : NULL);
        if (r->lanes[i].ring == NULL)
            rc = E_NOMEM;
    }
    return rc;
}

struct readahead *readahead_start(const struct readahead_options *options, struct error *err)
{
    if (options->lanes == 0 || options->lanes > READAHEAD_LANES_MAX || options->buffer == 0) {
        (void)error_set(err, E_INTERNAL, "a readahead of %u lanes", options->lanes);
        return NULL;
    }
    struct readahead *r = mem_alloc(1, sizeof *r, err);
    if (r == NULL)
        return NULL;
    r->o = *options;
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
        free(r->lanes[i].ring);
    }
    (void)pthread_cond_destroy(&r->news);
    (void)pthread_mutex_destroy(&r->lock);
    free(r->lanes);
    free(r->units);
    free(r);
}
