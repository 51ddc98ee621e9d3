#include "common/repo/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/crypto/secret.h"
#include "common/base/banned.h"

struct waiting_node {
    struct pack_blob blob; /* points to the copies below */
    uint8_t *frame;
    struct chunk_entry *chunks;
    uint32_t number;
};

struct lanes {
    struct lanes_config config;
    struct pack_build *open[2]; /* by enum blob_kind; both kinds share open[BLOB_DATA] while !split */
    struct vec numbers[2];
    struct vec waiting; /* struct waiting_node */
    size_t waiting_cost;
    uint32_t next_idx;
    bool split; /* nodes have packs of their own */
};

struct lanes *lanes_new(const struct lanes_config *config, struct error *err)
{
    struct lanes *l = mem_alloc(1, sizeof *l, err);
    if (l == NULL)
        return NULL;
    l->config = *config;
    l->numbers[BLOB_DATA] = (struct vec)VEC_OF(uint32_t);
    l->numbers[BLOB_NODE] = (struct vec)VEC_OF(uint32_t);
    l->waiting = (struct vec)VEC_OF(struct waiting_node);
    l->next_idx = config->first_idx;
    return l;
}

static int close_pack(struct lanes *l, enum blob_kind lane, enum pack_end end, struct error *err)
{
    if (l->open[lane] == NULL)
        return 0;
    int rc = pack_build_finish(l->open[lane], end, err);
    if (rc < 0)
        return rc;
    struct finished_pack pack = { .build = l->open[lane], .blobs = l->numbers[lane] };
    l->open[lane] = NULL;
    l->numbers[lane] = (struct vec)VEC_OF(uint32_t);
    return l->config.submit(l->config.arg, &pack, err);
}

static int open_pack(struct lanes *l, enum blob_kind lane, struct error *err)
{
    if (l->next_idx > IDX_MAX)
        return error_set(err, E_UNSUPPORTED, "session %u has no pack numbers left", l->config.author.session);
    l->open[lane] =
        pack_build_new(&l->config.author, l->config.trail_key, l->next_idx, l->config.pack_size, err);
    if (l->open[lane] == NULL)
        return E_NOMEM;
    l->next_idx++;
    return 0;
}

static int place(struct lanes *l, enum blob_kind lane, const struct pack_blob *blob, uint32_t number,
                 struct error *err)
{
    struct blob_ref ref;
    int rc = 0;
    if (l->open[lane] != NULL && !pack_build_fits(l->open[lane], blob->frame_len, blob->nchunks))
        rc = close_pack(l, lane, PACK_FULL, err);
    if (rc == 0 && l->open[lane] == NULL)
        rc = open_pack(l, lane, err);
    if (rc == 0)
        rc = pack_build_add(l->open[lane], blob, &ref, err);
    uint32_t *slot = rc == 0 ? vec_push(&l->numbers[lane], err) : NULL;
    if (slot == NULL)
        return rc < 0 ? rc : E_NOMEM;
    *slot = number;
    return l->config.placed(l->config.arg, number, &ref, err);
}

static void free_waiting(struct waiting_node *w)
{
    free(w->frame);
    free(w->chunks);
    memset(w, 0, sizeof *w);
}

static int place_waiting(struct lanes *l, enum blob_kind lane, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->waiting.len; i++) {
        struct waiting_node *w = vec_at(&l->waiting, i);
        rc = place(l, lane, &w->blob, w->number, err);
        free_waiting(w);
    }
    if (rc == 0)
        vec_clear(&l->waiting);
    l->waiting_cost = 0;
    return rc;
}

static int split_lanes(struct lanes *l, struct error *err)
{
    l->split = true;
    return place_waiting(l, BLOB_NODE, err);
}

static int keep_waiting(struct lanes *l, const struct pack_blob *blob, uint32_t number, struct error *err)
{
    struct waiting_node *w = vec_push(&l->waiting, err);
    if (w == NULL)
        return E_NOMEM;
    w->number = number;
    w->blob = *blob;
    w->frame = mem_copy(blob->frame, blob->frame_len, err);
    w->chunks = mem_copy(blob->chunks, blob->nchunks * sizeof *blob->chunks, err);
    if (w->frame == NULL || w->chunks == NULL)
        return E_NOMEM;
    w->blob.frame = w->frame;
    w->blob.chunks = w->chunks;
    l->waiting_cost += pack_blob_cost(blob->frame_len, blob->nchunks);
    return 0;
}

/* True when everything seen so far, this blob included, still fits the one pack. */
static bool fits_one_pack(const struct lanes *l, const struct pack_blob *blob)
{
    size_t reserve = HEADER_MAX; /* of a pack that is not open yet */
    size_t used = l->open[BLOB_DATA] != NULL ? pack_build_used(l->open[BLOB_DATA]) : reserve;
    size_t entries = l->open[BLOB_DATA] != NULL ? l->open[BLOB_DATA]->entries.len : 0;
    size_t more = pack_blob_cost(blob->frame_len, blob->nchunks) + l->waiting_cost;
    size_t more_entries = pack_blob_cost(0, blob->nchunks) + l->waiting.len * pack_blob_cost(0, 1);
    return used + more <= l->config.pack_size &&
           entries + more_entries + SEAL_OVERHEAD <= l->config.pack_size / 4;
}

int lanes_put(struct lanes *l, const struct pack_blob *blob, uint32_t number, struct error *err)
{
    int rc = 0;
    if (!l->split && !fits_one_pack(l, blob))
        rc = split_lanes(l, err);
    if (rc < 0)
        return rc;
    if (l->split || blob->kind == BLOB_DATA)
        return place(l, blob->kind, blob, number, err);
    return keep_waiting(l, blob, number, err);
}

int lanes_settle(struct lanes *l, struct error *err)
{
    return place_waiting(l, l->split ? BLOB_NODE : BLOB_DATA, err);
}

int lanes_finish(struct lanes *l, struct error *err)
{
    int rc = lanes_settle(l, err);
    if (rc == 0)
        rc = close_pack(l, BLOB_DATA, PACK_SHORT, err);
    if (rc == 0)
        rc = close_pack(l, BLOB_NODE, PACK_SHORT, err);
    return rc;
}

void lanes_free(struct lanes *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->waiting.len; i++)
        free_waiting(vec_at(&l->waiting, i));
    vec_free(&l->waiting);
    for (int lane = 0; lane < 2; lane++) {
        pack_build_free(l->open[lane]);
        vec_free(&l->numbers[lane]);
    }
    secret_wipe(&l->config, sizeof l->config);
    free(l);
}
