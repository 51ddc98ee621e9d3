#include "common/repo/drill_keys.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/reader.h"

#include "common/base/banned.h"

enum {
    HEAD_LEN = REPO_ID_LEN + SIGN_PK_LEN + SIGN_SEED_LEN + BOX_SK_LEN,
    ITEM_LEN = WRITER_ID_LEN + 2 * KEY_LEN
};

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct drill_writer *)a)->id, ((const struct drill_writer *)b)->id, WRITER_ID_LEN);
}

void drill_keys_free(struct drill_keys *k)
{
    for (size_t i = 0; i < k->writers.len; i++) {
        struct drill_writer *w = vec_at(&k->writers, i);
        secret_free(w->w_w);
        secret_free(w->v_w);
    }
    vec_free(&k->writers);
    secret_free(k->seed);
    secret_free(k->r);
    *k = (struct drill_keys)DRILL_KEYS_INIT;
}

const struct drill_writer *drill_keys_find(const struct drill_keys *k, const uint8_t id[WRITER_ID_LEN])
{
    for (size_t i = 0; i < k->writers.len; i++) {
        const struct drill_writer *w = vec_at(&k->writers, i);
        if (memcmp(w->id, id, WRITER_ID_LEN) == 0)
            return w;
    }
    return NULL;
}

/* ---- making -------------------------------------------------------------------------------------------- */

static int add_writer(struct drill_keys *k, const struct restore_kit *kit, const uint8_t *id,
                      struct error *err)
{
    if (drill_keys_find(k, id) != NULL)
        return error_set(err, E_USAGE, "a writer is named twice");
    struct drill_writer *w = vec_push(&k->writers, err);
    if (w == NULL)
        return E_NOMEM;
    memcpy(w->id, id, WRITER_ID_LEN);
    w->w_w = writer_root_derive(kit->w, id, err);
    w->v_w = w->w_w != NULL ? view_key_derive(kit->v, id, err) : NULL;
    return w->v_w != NULL ? 0 : E_NOMEM;
}

int drill_keys_generate(const struct restore_kit *kit, const struct vec *ids, struct drill_keys *out,
                        struct error *err)
{
    *out = (struct drill_keys)DRILL_KEYS_INIT;
    if (ids->len == 0 || ids->len > DRILL_WRITERS_MAX)
        return error_set(err, E_USAGE, "a drill kit holds the keys of 1 to %d writers, not of %zu",
                         DRILL_WRITERS_MAX, ids->len);
    memcpy(out->repo_id, kit->repo_id, REPO_ID_LEN);
    memcpy(out->root_pk, kit->root_pk, SIGN_PK_LEN);
    int rc = 0;
    if ((out->seed = secret_random(SIGN_SEED_LEN, err)) == NULL ||
        (out->r = secret_random(BOX_SK_LEN, err)) == NULL)
        rc = E_NOMEM;
    for (size_t i = 0; rc == 0 && i < ids->len; i++)
        rc = add_writer(out, kit, vec_at(ids, i), err);
    if (rc < 0)
        drill_keys_free(out);
    else
        vec_sort(&out->writers, by_id);
    return rc;
}

/* ---- the block ----------------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

struct secret *drill_keys_encode(const struct drill_keys *k, struct error *err)
{
    if (k->seed == NULL || k->r == NULL || secret_len(k->seed) != SIGN_SEED_LEN ||
        secret_len(k->r) != BOX_SK_LEN || k->writers.len == 0 || k->writers.len > DRILL_WRITERS_MAX) {
        (void)error_set(err, E_INTERNAL, "a drill key is missing or has another length");
        return NULL;
    }
    struct secret *block = secret_new(HEAD_LEN + k->writers.len * ITEM_LEN, err);
    if (block == NULL)
        return NULL;
    uint8_t *to = put(secret_data(block), k->repo_id, REPO_ID_LEN);
    to = put(to, k->root_pk, SIGN_PK_LEN);
    to = put(to, secret_view(k->seed), SIGN_SEED_LEN);
    to = put(to, secret_view(k->r), BOX_SK_LEN);
    for (size_t i = 0; i < k->writers.len; i++) {
        const struct drill_writer *w = vec_at(&k->writers, i);
        to = put(to, w->id, WRITER_ID_LEN);
        to = put(to, secret_view(w->w_w), KEY_LEN);
        to = put(to, secret_view(w->v_w), KEY_LEN);
    }
    return block;
}

static int bad(struct error *err, const char *what)
{
    return error_corrupt(err, ERR_KEY_BLOCK, "the drill key file %s", what);
}

static int take(struct reader *r, struct secret **out, size_t len, struct error *err)
{
    const uint8_t *bytes = reader_bytes(r, len);
    if (bytes == NULL)
        return bad(err, "ends too early");
    *out = secret_copy(bytes, len, err);
    return *out != NULL ? 0 : E_NOMEM;
}

static int take_writer(struct reader *r, struct drill_keys *out, struct error *err)
{
    struct drill_writer *w = vec_push(&out->writers, err);
    if (w == NULL)
        return E_NOMEM;
    reader_copy(r, w->id, WRITER_ID_LEN);
    int rc = take(r, &w->w_w, KEY_LEN, err);
    if (rc == 0)
        rc = take(r, &w->v_w, KEY_LEN, err);
    if (rc == 0 && out->writers.len > 1 && by_id(vec_at(&out->writers, out->writers.len - 2), w) >= 0)
        rc = bad(err, "names its writers in another order");
    return rc;
}

int drill_keys_decode(const struct secret *block, struct drill_keys *out, struct error *err)
{
    size_t len = secret_len(block);
    *out = (struct drill_keys)DRILL_KEYS_INIT;
    if (len < HEAD_LEN + ITEM_LEN || (len - HEAD_LEN) % ITEM_LEN != 0 ||
        (len - HEAD_LEN) / ITEM_LEN > DRILL_WRITERS_MAX)
        return bad(err, "has another size than such a file can have");
    struct reader r = reader_of(secret_view(block), len);
    reader_copy(&r, out->repo_id, REPO_ID_LEN);
    reader_copy(&r, out->root_pk, SIGN_PK_LEN);
    int rc = take(&r, &out->seed, SIGN_SEED_LEN, err);
    if (rc == 0)
        rc = take(&r, &out->r, BOX_SK_LEN, err);
    for (size_t i = 0; rc == 0 && i < (len - HEAD_LEN) / ITEM_LEN; i++)
        rc = take_writer(&r, out, err);
    if (rc < 0)
        drill_keys_free(out);
    return rc;
}
