/* What a job leaves behind, so that old blobs and packs come to an end.
 *
 * Packs are never rewritten: one is deleted when no snapshot refers to it any more. A few rows that never change would keep it
 * for good, and a restore would fetch whole blobs for them. So at the end of a session its blobs and packs are weighed, and
 * those of which less than half is used are noted, emptiest first, for what the budget allows. The next session of the same job
 * does not find them, and stores what it needs of them anew; the old ones go with the snapshots that still refer to them.
 *
 * A pack counts as a whole with what all jobs of the writer use of it: another job's share is that of its last snapshot. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/repo/cache_private.h"
#include "common/base/banned.h"

/* NOTE_LEFT: items u32 blob, ascending.
 * NOTE_USAGE: items u32 first | u16 count | u16 share: of `count` blobs from `first` on, in SHARE_ALL parts of a blob. */
enum { NUMBER_LEN = 4, USAGE_LEN = 8, SHARE_ALL = 65535, RUN_MAX = 65535 };

enum {
    SPARSE_PART = 2,     /* sparse: less than one in two of its bytes is used */
    BUDGET_PART = 20,    /* of the snapshot's bytes, in a night */
    BUDGET_LEAST = MIB,  /* what a night may always take: one blob */
    FORGET_AFTER = 1000, /* sessions of the writer: a job that did not run for so long uses nothing */
};

struct candidate {
    uint32_t number;
    uint32_t share; /* the smaller one of its blob and pack */
    uint32_t cost;  /* bytes that this job stores again */
};

void drain_free(struct cache *c)
{
    for (size_t i = 0; c->drain.on && i < c->slots.len; i++)
        slot_at(c, (uint32_t)i)->left = 0;
    use_free(&c->use);
    c->drain = (struct cache_drain){ .on = false };
}

void drain_stored(struct cache *c, uint32_t len)
{
    if (c->refused == REFUSED_DRAIN)
        c->drain.done.drain += len;
    else if (c->refused == REFUSED_ALONE)
        c->drain.done.alone += len;
}

struct cache_again cache_stored_again(const struct cache *c)
{
    return c->drain.done;
}

int cache_drain_begin(struct cache *c, const char *job, struct error *err)
{
    if (c->session == 0 || c->drain.on)
        return error_set(err, E_INTERNAL, "no session begins");
    struct buf items = BUF_INIT;
    drain_free(c);
    c->drain.on = true;
    c->drain.key = check64(job, strlen(job));
    int rc = note_read(c, NOTE_LEFT, c->drain.key, &items, err);
    for (size_t i = 0; rc == 0 && i < items.len; i += NUMBER_LEN) {
        struct blob_slot *slot = slot_at(c, load_u32(items.data + i));
        if (slot != NULL && slot->state == SLOT_KNOWN)
            slot->left = 1;
    }
    buf_free(&items);
    return rc;
}

/* ---- what all jobs use ---- */

static uint32_t share_of(uint64_t used, uint64_t whole)
{
    return used >= whole ? SHARE_ALL : (uint32_t)(used * SHARE_ALL / whole);
}

static void add_usage(const struct cache *c, const struct buf *items, uint32_t *used)
{
    for (size_t i = 0; i < items->len; i += USAGE_LEN) {
        uint32_t first = load_u32(items->data + i);
        uint32_t count = load_u16(items->data + i + 4);
        uint64_t share = load_u16(items->data + i + 6);
        for (uint32_t k = 0; k < count && first + k < c->slots.len; k++) {
            uint32_t plen = slot_at(c, first + k)->plen;
            uint64_t sum = used[first + k] + share * plen / SHARE_ALL;
            used[first + k] = sum < plen ? (uint32_t)sum : plen;
        }
    }
}

/* Bytes of each blob that some job uses. */
static int sum_usage(struct cache *c, uint32_t *used, struct error *err)
{
    struct buf items = BUF_INIT;
    const struct note_place *place;
    const void *key = NULL;
    size_t pos = 0;
    int rc = 0;
    for (size_t i = 0; i < c->slots.len; i++)
        used[i] = use_of(c, (uint32_t)i);
    while (rc == 0 && (place = map_next(&c->notes[NOTE_USAGE], &pos, &key)) != NULL) {
        uint64_t job;
        memcpy(&job, key, sizeof job);
        if (job == c->drain.key || place->session + FORGET_AFTER < c->session)
            continue;
        rc = note_read(c, NOTE_USAGE, job, &items, err);
        if (rc == 0)
            add_usage(c, &items, used);
    }
    buf_free(&items);
    return rc;
}

/* ---- choosing ---- */

static int by_share(const void *a, const void *b)
{
    const struct candidate *x = a;
    const struct candidate *y = b;
    if (x->share != y->share)
        return x->share < y->share ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static bool may_leave(const struct cache *c, const struct blob_slot *slot)
{
    return slot->state == SLOT_KNOWN && slot->nchunks != 0 && slot_live(c, slot);
}

static int collect(const struct cache *c, const uint32_t *used, const uint64_t *packs, struct vec *out,
                   struct error *err)
{
    for (uint32_t i = 0; i < c->slots.len; i++) {
        const struct blob_slot *slot = slot_at(c, i);
        if (!may_leave(c, slot) || slot->left || use_of(c, i) == 0)
            continue;
        const struct cache_pack *pack = vec_at(&c->packs, slot->pack);
        uint32_t blob = share_of(used[i], slot->plen);
        uint32_t whole = share_of(packs[slot->pack], pack->plain);
        uint32_t share = blob < whole ? blob : whole;
        if (share >= SHARE_ALL / SPARSE_PART)
            continue;
        struct candidate *one = vec_push(out, err);
        if (one == NULL)
            return E_NOMEM;
        *one = (struct candidate){ .number = i, .share = share, .cost = use_of(c, i) };
    }
    vec_sort(out, by_share);
    return 0;
}

/* Marks what is left behind from the next session on. */
static int choose(struct cache *c, const uint32_t *used, uint64_t budget, struct error *err)
{
    struct vec found = VEC_OF(struct candidate);
    uint64_t *packs = mem_alloc(c->packs.len != 0 ? c->packs.len : 1, sizeof *packs, err);
    int rc = packs != NULL ? 0 : E_NOMEM;
    for (uint32_t i = 0; rc == 0 && i < c->slots.len; i++)
        if (slot_at(c, i)->state == SLOT_KNOWN)
            packs[slot_at(c, i)->pack] += used[i];
    if (rc == 0)
        rc = collect(c, used, packs, &found, err);
    for (size_t i = 0; rc == 0 && i < found.len; i++) {
        const struct candidate *one = vec_at(&found, i);
        if (one->cost > budget)
            break;
        budget -= one->cost;
        slot_at(c, one->number)->left = 1;
    }
    free(packs);
    vec_free(&found);
    return rc;
}

/* ---- noting ---- */

/* What was left behind once stays so: a copy that becomes sparse itself must not lead back to the first. */
static int write_left(struct cache *c, struct error *err)
{
    struct buf items = BUF_INIT;
    struct writer w = writer_of(&items);
    for (uint32_t i = 0; i < c->slots.len; i++)
        if (slot_at(c, i)->left && may_leave(c, slot_at(c, i)))
            writer_u32(&w, i);
    int rc = writer_end(&w, err);
    if (rc == 0 && (items.len != 0 || note_find(c, NOTE_LEFT, c->drain.key) != NULL))
        rc = note_put(c, NOTE_LEFT, c->drain.key, &items, err);
    buf_free(&items);
    return rc;
}

static int write_usage(struct cache *c, struct error *err)
{
    struct buf items = BUF_INIT;
    struct writer w = writer_of(&items);
    for (uint32_t i = 0; i < c->slots.len;) {
        uint32_t share = share_of(use_of(c, i), slot_at(c, i)->plen);
        uint32_t count = 1;
        if (use_of(c, i) == 0) {
            i++;
            continue;
        }
        while (i + count < c->slots.len && count < RUN_MAX && use_of(c, i + count) != 0 &&
               share_of(use_of(c, i + count), slot_at(c, i + count)->plen) == share)
            count++;
        writer_u32(&w, i);
        writer_u16(&w, (uint16_t)count);
        writer_u16(&w, (uint16_t)share);
        i += count;
    }
    int rc = writer_end(&w, err);
    rc = rc < 0 ? rc : note_put(c, NOTE_USAGE, c->drain.key, &items, err);
    buf_free(&items);
    return rc;
}

int cache_drain_end(struct cache *c, uint64_t logical, struct error *err)
{
    if (!c->drain.on || c->fresh != 0)
        return error_set(err, E_INTERNAL, "%u blobs wait for their packs", c->fresh);
    uint64_t budget = logical / BUDGET_PART > BUDGET_LEAST ? logical / BUDGET_PART : BUDGET_LEAST;
    budget -= c->drain.planned < budget ? c->drain.planned : budget;
    uint32_t *used = mem_alloc(c->slots.len != 0 ? c->slots.len : 1, sizeof *used, err);
    int rc = used != NULL ? sum_usage(c, used, err) : E_NOMEM;
    if (rc == 0)
        rc = choose(c, used, budget, err);
    if (rc == 0)
        rc = write_left(c, err);
    if (rc == 0)
        rc = write_usage(c, err);
    free(used);
    return rc;
}
