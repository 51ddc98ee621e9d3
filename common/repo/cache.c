#include "common/repo/cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/repo/cache_private.h"
#include "common/base/banned.h"

/* ---- opening ---- */

static struct cache *cache_new(const struct cache_limits *limits, struct error *err)
{
    struct cache *c = mem_alloc(1, sizeof *c, err);
    if (c == NULL)
        return NULL;
    c->journal.fd = -1;
    if (limits != NULL)
        c->limits = *limits;
    if (c->limits.lru_bytes == 0)
        c->limits.lru_bytes = CACHE_LRU_DEFAULT;
    if (c->limits.exact_chunks == 0)
        c->limits.exact_chunks = CACHE_EXACT_DEFAULT;
    if (c->limits.sample_bits == 0 || c->limits.sample_bits > CACHE_SAMPLE_DEFAULT)
        c->limits.sample_bits = CACHE_SAMPLE_DEFAULT;
    c->slots = (struct vec)VEC_OF(struct blob_slot);
    c->packs = (struct vec)VEC_OF(struct cache_pack);
    c->pack_index = (struct map)MAP_OF(sizeof(struct cache_pack_name), sizeof(uint32_t));
    c->lists = (struct vec)VEC_OF(struct chunk_list *);
    c->handles = (struct vec)VEC_OF(uint32_t);
    for (int i = 0; i < NOTE_KINDS; i++)
        c->notes[i] = (struct map)MAP_OF(sizeof(uint64_t), sizeof(struct note_place));
    c->hints = (struct vec)VEC_OF(struct note_hint);
    tagmap_init(&c->hooks, CACHE_SAME_HOOKS);
    tagmap_init(&c->chunks, CACHE_SAME_CHUNKS);
    stream_free(&c->stream);
    use_free(&c->use);
    c->credit = CACHE_CREDIT_MAX;
    return c;
}

static int apply(struct cache *c, const struct journal_entry *e, struct error *err)
{
    int kind = note_kind_of(e->type);
    if (kind >= 0)
        return note_apply(c, (enum note_kind)kind, e->at, e->payload, e->len, err);
    switch (e->type) {
    case ENTRY_SESSION:
        return replay_session(c, e->payload, e->len, err);
    case ENTRY_PACK:
        return pack_apply(c, e->at, e->payload, e->len, err);
    case ENTRY_COMMIT:
        return replay_commit(c, e->payload, e->len, err);
    case ENTRY_INTRODUCED:
        return pack_apply_introduced(c, e->payload, e->len, err);
    case ENTRY_DROP:
        return pack_apply_drop(c, e->payload, e->len, err);
    default:
        return error_set(err, E_UNSUPPORTED, "%s: entries of a newer program", c->journal.path);
    }
}

static int replay(struct cache *c, struct error *err)
{
    struct journal_scan scan;
    struct journal_entry entry;
    int rc;
    journal_scan_init(&scan, &c->journal);
    while ((rc = journal_next(&scan, &entry, err)) > 0) {
        rc = apply(c, &entry, err);
        if (rc < 0) {
            (void)error_wrap(err, "%s at %llu", c->journal.path, (unsigned long long)entry.at);
            break;
        }
    }
    c->damaged = scan.torn || scan.damaged != 0;
    if (rc == 0 && scan.torn)
        rc = journal_cut(&c->journal, scan.pos, err);
    if (rc == 0)
        rc = pack_purge_hooks(c, err);
    vec_clear(&c->hints);
    c->session = 0;
    journal_scan_free(&scan);
    return rc;
}

int cache_open(const char *dir, const uint8_t repo_id[REPO_ID_LEN], const uint8_t writer_id[WRITER_ID_LEN],
               const struct cache_limits *limits, struct cache **out, struct error *err)
{
    *out = NULL;
    int rc = compact_clean(dir, err);
    return rc < 0 ? rc : cache_open_file(dir, JOURNAL_NAME, repo_id, writer_id, limits, out, err);
}

int cache_open_file(const char *dir, const char *name, const uint8_t *repo_id, const uint8_t *writer_id,
                    const struct cache_limits *limits, struct cache **out, struct error *err)
{
    *out = NULL;
    struct cache *c = cache_new(limits, err);
    if (c == NULL)
        return E_NOMEM;
    memcpy(c->repo_id, repo_id, REPO_ID_LEN);
    memcpy(c->writer_id, writer_id, WRITER_ID_LEN);
    int rc = journal_open(dir, name, repo_id, writer_id, &c->journal, err);
    if (rc == 0)
        rc = replay(c, err);
    if (rc < 0)
        cache_close(c);
    else
        *out = c;
    return rc;
}

void cache_close(struct cache *c)
{
    if (c == NULL)
        return;
    journal_close(&c->journal);
    lists_free(c);
    tagmap_free(&c->hooks);
    vec_free(&c->slots);
    vec_free(&c->packs);
    map_free(&c->pack_index);
    for (int i = 0; i < NOTE_KINDS; i++)
        map_free(&c->notes[i]);
    vec_free(&c->hints);
    stream_free(&c->stream);
    drain_free(c);
    free(c);
}

bool cache_damaged(const struct cache *c)
{
    return c->damaged;
}

uint32_t cache_last_session(const struct cache *c)
{
    return c->last_session;
}

uint32_t cache_last_seq(const struct cache *c)
{
    return c->last_seq;
}

void cache_get_stats(const struct cache *c, struct cache_stats *out)
{
    *out = (struct cache_stats){
        .blobs = c->nblobs,
        .chunks = c->nchunks,
        .hooks = tagmap_count(&c->hooks),
        .lists_read = c->lists_read,
        .journal = c->journal.end,
        .dead = compact_dead(c),
        .sampled = c->sampled,
    };
    out->memory = tagmap_bytes(&c->hooks) + c->slots.cap * sizeof(struct blob_slot) +
                  c->packs.cap * sizeof(struct cache_pack) + c->list_bytes;
}
