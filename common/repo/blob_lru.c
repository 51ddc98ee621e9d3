#include "common/repo/blob_lru.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/crypto/secret.h"
#include "common/base/banned.h"

enum { BUCKETS = 1024 };

struct entry {
    enum blob_kind kind;
    struct blob_ref ref;
    uint8_t *data;
    struct entry *chain;         /* same bucket */
    struct entry *newer, *older; /* by use */
};

struct blob_lru {
    size_t limit;
    size_t used;
    struct entry *newest, *oldest;
    struct entry *buckets[BUCKETS];
};

struct blob_lru *lru_new(size_t limit, struct error *err)
{
    struct blob_lru *l = mem_alloc(1, sizeof *l, err);
    if (l != NULL)
        l->limit = limit;
    return l;
}

size_t lru_limit(const struct blob_lru *l)
{
    return l->limit;
}

static struct entry **bucket_of(struct blob_lru *l, const struct blob_ref *ref)
{
    uint64_t h = ((uint64_t)ref->session << 24 ^ ref->idx) * 0x9e3779b97f4a7c15ULL ^ ref->off;
    h *= 0x9e3779b97f4a7c15ULL;
    return &l->buckets[(h >> 32) % BUCKETS];
}

static void unlink_use(struct blob_lru *l, struct entry *e)
{
    if (e->newer != NULL)
        e->newer->older = e->older;
    else
        l->newest = e->older;
    if (e->older != NULL)
        e->older->newer = e->newer;
    else
        l->oldest = e->newer;
}

static void link_newest(struct blob_lru *l, struct entry *e)
{
    e->newer = NULL;
    e->older = l->newest;
    if (l->newest != NULL)
        l->newest->newer = e;
    else
        l->oldest = e;
    l->newest = e;
}

static void evict(struct blob_lru *l, struct entry *e)
{
    struct entry **at = bucket_of(l, &e->ref);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_use(l, e);
    l->used -= e->ref.plen;
    secret_wipe(e->data, e->ref.plen);
    free(e->data);
    free(e);
}

static bool same_blob(const struct blob_ref *a, const struct blob_ref *b)
{
    return a->session == b->session && a->idx == b->idx && a->off == b->off && a->clen == b->clen &&
           a->plen == b->plen && memcmp(a->id, b->id, BLOB_ID_LEN) == 0;
}

const uint8_t *lru_get(struct blob_lru *l, enum blob_kind kind, const struct blob_ref *ref)
{
    for (struct entry *e = *bucket_of(l, ref); e != NULL; e = e->chain) {
        if (e->kind != kind || !same_blob(&e->ref, ref))
            continue;
        unlink_use(l, e);
        link_newest(l, e);
        return e->data;
    }
    return NULL;
}

const uint8_t *lru_put(struct blob_lru *l, enum blob_kind kind, const struct blob_ref *ref, uint8_t *data,
                       struct error *err)
{
    struct entry *e = mem_alloc(1, sizeof *e, err);
    if (e == NULL) {
        secret_wipe(data, ref->plen);
        free(data);
        return NULL;
    }
    while (l->oldest != NULL && l->used + ref->plen > l->limit)
        evict(l, l->oldest);
    e->kind = kind;
    e->ref = *ref;
    e->data = data;
    struct entry **at = bucket_of(l, ref);
    e->chain = *at;
    *at = e;
    link_newest(l, e);
    l->used += ref->plen;
    return data;
}

void lru_free(struct blob_lru *l)
{
    if (l == NULL)
        return;
    while (l->oldest != NULL)
        evict(l, l->oldest);
    free(l);
}
