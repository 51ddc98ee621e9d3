/* Blobs of which a stream uses too little: what is used of them is stored again.
 *
 * A table that changes every night leaves its older blobs with fewer and fewer rows that still count, and a blob can be
 * fetched only whole. At the end of a stream its blobs are weighed, in bytes as stored: used, and whole. When the whole,
 * and what another night like this one will add, passes what may be fetched for the used, the worst blobs are noted until
 * it fits. In the next session the stream does not find its chunks there, and stores them anew. Just as many as needed,
 * the worst first, so the cost is spread over the nights. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/repo/cache_private.h"
#include "common/base/banned.h"

/* NOTE_SPARSE: items u32 blob, ascending. */
enum { NUMBER_LEN = 4 };

/* Fetched at most 1.45 times what is used, and 1 MiB: readers are promised 1.5 times and 2 MiB, nodes, headers and logs
 * included. Nodes take about 0.01 of it, and the guess of the next night is about as good. A night adds at most a half: after one that changed everything the next one is not expected to. */
enum { WHOLE_PERCENT = 145, SLACK = MIB, GROWTH_PART = 2, WORTH_PERCENT = 90, RATIO_UNIT = 1024 };

struct sparse_use {
    uint64_t used;   /* plaintext */
    uint32_t whole;  /* the same */
    uint32_t stored; /* of the whole; 0: not known yet */
};

struct sparse_blob {
    uint32_t number;
    uint64_t used; /* as stored */
    uint64_t whole;
    uint64_t plain; /* used */
};

void sparse_free(struct cache_sparse *s)
{
    free(s->avoid);
    map_free(&s->uses);
    *s = (struct cache_sparse){ .uses = MAP_OF(sizeof(uint32_t), sizeof(struct sparse_use)) };
}

/* ---- in a session ---- */

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

bool sparse_avoids(const struct cache_sparse *s, uint32_t blob)
{
    return s->navoid != 0 && bsearch(&blob, s->avoid, s->navoid, sizeof *s->avoid, by_number) != NULL;
}

static int read_avoided(struct cache *c, struct cache_sparse *s, struct error *err)
{
    struct buf items = BUF_INIT;
    int rc = note_read(c, NOTE_SPARSE, c->stream.key, &items, err);
    size_t n = rc == 0 ? items.len / NUMBER_LEN : 0;
    if (n != 0)
        s->avoid = mem_alloc(n, sizeof *s->avoid, err);
    if (n != 0 && s->avoid == NULL)
        rc = E_NOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++)
        s->avoid[i] = load_u32(items.data + i * NUMBER_LEN);
    s->navoid = rc == 0 ? n : 0;
    buf_free(&items);
    return rc;
}

int cache_stream_alone(struct cache *c, struct error *err)
{
    struct cache_sparse *s = &c->stream.sparse;
    if (!c->stream.open)
        return error_set(err, E_INTERNAL, "no stream is open");
    s->on = true;
    s->before = c->stream.nlast != 0;
    return read_avoided(c, s, err);
}

static void weigh(const struct cache *c, uint32_t number, struct sparse_use *u)
{
    const struct chunk_list *list = list_of(c, number);
    if (list == NULL || u->stored != 0)
        return;
    u->whole = list->placed ? list->ref.plen : list->len;
    u->stored = list->placed ? list->ref.clen : 0;
}

/* Of a blob whose list is not in memory, from its head in the journal; u32 number | 0[4] | id | u32 off, clen, plen. */
static int weigh_stored(const struct cache *c, uint32_t number, struct sparse_use *u, struct error *err)
{
    enum { CLEN_AT = 8 + BLOB_ID_LEN + 4 };
    uint8_t head[CACHE_BLOB_HEAD];
    const struct blob_slot *slot = slot_at(c, number);
    if (u->stored != 0 || slot == NULL || slot->state != SLOT_KNOWN)
        return 0;
    const struct cache_pack *pack = vec_at(&c->packs, slot->pack);
    int rc = journal_read(&c->journal, pack->at + slot->at, head, sizeof head, err);
    if (rc < 0)
        return rc;
    uint32_t stored = load_u32(head + CLEN_AT);
    uint32_t whole = load_u32(head + CLEN_AT + 4);
    /* Damage is found where the chunks are read; here it only must not mislead. */
    if (load_u32(head) == number && whole >= 1 && whole <= BLOB_PLAIN_MAX && stored >= 1 &&
        stored <= whole + 64) {
        u->whole = whole;
        u->stored = stored;
    }
    return 0;
}

static int settle(struct cache *c, struct error *err)
{
    struct cache_sparse *s = &c->stream.sparse;
    bool added = false;
    if (s->pending == 0)
        return 0;
    if (s->uses.len >= CACHE_USES_MAX) {
        s->on = false;
        return 0;
    }
    struct sparse_use *u = map_put(&s->uses, &s->last, &added, err);
    if (u == NULL)
        return E_NOMEM;
    if (added)
        weigh(c, s->last, u);
    u->used += s->pending;
    s->pending = 0;
    return 0;
}

int cache_stream_add(struct cache *c, uint32_t blob, uint32_t len, struct error *err)
{
    struct cache_sparse *s = &c->stream.sparse;
    int rc = s->on && s->last != blob ? settle(c, err) : 0;
    s->last = blob;
    s->pending += s->on ? len : 0;
    return rc;
}

/* ---- at its end ---- */

/* Bytes as stored in RATIO_UNIT of plaintext, where they are known; else what text usually takes. */
static uint64_t usual_ratio(const struct map *uses)
{
    uint64_t whole = 0;
    uint64_t stored = 0;
    size_t pos = 0;
    const struct sparse_use *u;
    while ((u = map_next(uses, &pos, NULL)) != NULL) {
        whole += u->stored != 0 ? u->whole : 0;
        stored += u->stored;
    }
    return whole != 0 ? stored * RATIO_UNIT / whole : RATIO_UNIT / 2;
}

static struct sparse_blob weighed(uint32_t number, const struct sparse_use *u, uint64_t ratio)
{
    uint64_t whole = u->whole > u->used || u->stored != 0 ? u->whole : u->used;
    uint64_t stored = u->stored != 0 ? u->stored : whole * ratio / RATIO_UNIT;
    uint64_t used = u->used < whole ? u->used : whole; /* a part used twice is fetched once */
    return (struct sparse_blob){
        .number = number, .used = whole != 0 ? stored * used / whole : 0, .whole = stored, .plain = used
    };
}

/* The least used first. */
static int by_share(const void *a, const void *b)
{
    const struct sparse_blob *x = a;
    const struct sparse_blob *y = b;
    uint64_t left = x->used * y->whole; /* of 2 MiB each */
    uint64_t right = y->used * x->whole;
    if (left != right)
        return left < right ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static int all_weighed(struct cache *c, struct vec *blobs, uint64_t *ratio, struct error *err)
{
    struct cache_sparse *s = &c->stream.sparse;
    const void *key = NULL;
    size_t pos = 0;
    struct sparse_use *u;
    while ((u = map_next(&s->uses, &pos, &key)) != NULL) {
        uint32_t number = 0;
        memcpy(&number, key, sizeof number);
        weigh(c, number, u);
        int rc = weigh_stored(c, number, u, err);
        if (rc < 0)
            return rc;
    }
    *ratio = usual_ratio(&s->uses);
    pos = 0;
    while ((u = map_next(&s->uses, &pos, &key)) != NULL) {
        uint32_t number = 0;
        memcpy(&number, key, sizeof number);
        struct sparse_blob *slot = vec_push(blobs, err);
        if (slot == NULL)
            return E_NOMEM;
        *slot = weighed(number, u, *ratio);
    }
    vec_sort(blobs, by_share);
    return 0;
}

/* The numbers to avoid, ascending. */
static int choose(struct cache *c, struct vec *out, struct error *err)
{
    struct cache_sparse *s = &c->stream.sparse;
    struct vec blobs = VEC_OF(struct sparse_blob);
    uint64_t used = 0;
    uint64_t whole = 0;
    uint64_t ratio = 0;
    int rc = all_weighed(c, &blobs, &ratio, err);
    for (size_t i = 0; rc == 0 && i < blobs.len; i++) {
        const struct sparse_blob *b = vec_at(&blobs, i);
        used += b->used;
        whole += b->whole;
    }
    uint64_t growth = s->before ? s->fresh * ratio / RATIO_UNIT : 0;
    growth = growth < used / GROWTH_PART ? growth : used / GROWTH_PART;
    whole += growth;
    uint64_t limit = used * WHOLE_PERCENT / 100 + SLACK;
    for (size_t i = 0; rc == 0 && whole > limit && i < blobs.len; i++) {
        const struct sparse_blob *b = vec_at(&blobs, i);
        if (b->used * 100 > b->whole * WORTH_PERCENT)
            break;
        uint32_t *slot = vec_push(out, err);
        if (slot == NULL)
            rc = E_NOMEM;
        else
            *slot = b->number;
        /* Of what is left there as much is gone by then as of the rest. */
        uint64_t gone = used != 0 ? b->used * growth / used : 0;
        whole -= b->whole - b->used + gone;
        c->drain.planned += b->plain;
    }
    /* Once avoided, always avoided: a second copy that grew sparse itself must not lead back to the first. */
    for (size_t i = 0; rc == 0 && i < s->navoid; i++) {
        uint32_t *slot = slot_live(c, slot_at(c, s->avoid[i])) ? vec_push(out, err) : NULL;
        if (slot != NULL)
            *slot = s->avoid[i];
        else if (slot_live(c, slot_at(c, s->avoid[i])))
            rc = E_NOMEM;
    }
    vec_sort(out, by_number);
    vec_free(&blobs);
    return rc;
}

int sparse_end(struct cache *c, struct error *err)
{
    struct vec numbers = VEC_OF(uint32_t);
    struct buf items = BUF_INIT;
    uint64_t key = c->stream.key;
    int rc = c->stream.sparse.on ? settle(c, err) : 0;
    if (rc == 0 && c->stream.sparse.on)
        rc = choose(c, &numbers, err);
    /* An empty list takes an earlier one away. */
    if (rc == 0 && note_has_room(c, NOTE_SPARSE, key) && (numbers.len != 0 || c->stream.sparse.navoid != 0)) {
        struct writer w = writer_of(&items);
        for (size_t i = 0; i < numbers.len; i++)
            writer_u32(&w, *(uint32_t *)vec_at(&numbers, i));
        rc = writer_end(&w, err);
        rc = rc < 0 ? rc : note_put(c, NOTE_SPARSE, key, &items, err);
    }
    buf_free(&items);
    vec_free(&numbers);
    return rc;
}
