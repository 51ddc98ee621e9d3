#include "tests/support/attack_try.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/hash.h"
#include "common/base/banned.h"

/* ---- the plan ------------------------------------------------------------------------------------------ */

static void same_in_all(const uint8_t *block, const uint8_t *out[LANES])
{
    for (size_t l = 0; l < LANES; l++)
        out[l] = block;
}

static int plan_sessions(struct plan *p, struct error *err)
{
    for (size_t i = 0; i < p->target->sessions.len; i++) {
        const struct target_session *s = vec_at(&p->target->sessions, i);
        uint8_t block[BLAKE_BLOCK] = { 0 };
        const uint8_t *blocks[LANES];
        if (s->writer == NULL)
            continue;
        struct blake_lanes *mix = vec_push(&p->mixes, err);
        size_t *of = mix != NULL ? vec_push(&p->s_of, err) : NULL;
        if (of == NULL)
            return E_NOMEM;
        *of = i;
        memcpy(block, writer_derived_of(s->writer->derived)->mix_key, KEY_LEN);
        same_in_all(block, blocks);
        *mix = p->session_text;
        lanes_blake(mix, blocks, BLAKE_BLOCK, false);
    }
    return 0;
}

static int add_blob(struct vec *to, size_t pack, const struct target_pack *p, const struct trailer_blob *b,
                    struct error *err)
{
    struct plan_blob *slot = vec_push(to, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = (struct plan_blob){
        .pack = pack, .blob = b, .cipher = p->data + b->off, .raw = b->clen == b->plen + 1 + AEAD_OVERHEAD
    };
    return 0;
}

static int plan_packs(struct plan *p, struct error *err)
{
    const struct target *t = p->target;
    size_t total = 0;
    int rc = 0;
    for (size_t i = 0; i < t->packs.len; i++)
        total += ((const struct target_pack *)vec_at(&t->packs, i))->trailer.blobs.len;
    for (size_t i = 0; rc == 0 && i < t->packs.len; i++) {
        const struct target_pack *k = vec_at(&t->packs, i);
        size_t n = k->trailer.blobs.len;
        if (k->probe != NULL)
            rc = add_blob(&p->blobs, i, k, k->probe, err);
        for (size_t j = 0; rc == 0 && j < n; j++)
            if (total <= PLAN_BLOBS_ALL || j == 0 || j == n - 1 || vec_at(&k->trailer.blobs, j) == k->probe)
                rc = add_blob(&p->subs, i, k, vec_at(&k->trailer.blobs, j), err);
    }
    return rc;
}

static int by_pk(const void *a, const void *b)
{
    return memcmp(((const struct plan_public *)a)->pk, ((const struct plan_public *)b)->pk, BOX_PK_LEN);
}

static int plan_publics(struct plan *p, struct error *err)
{
    const struct target *t = p->target;
    for (size_t i = 0; i < t->recipients.len + t->boxes.len; i++) {
        struct plan_public *slot = vec_push(&p->publics, err);
        if (slot == NULL)
            return E_NOMEM;
        bool box = i >= t->recipients.len;
        const uint8_t *pk = box ? ((const struct target_box *)vec_at(&t->boxes, i - t->recipients.len))->box
                                : ((const struct target_recipient *)vec_at(&t->recipients, i))->pk;
        memcpy(slot->pk, pk, BOX_PK_LEN);
        slot->box = box ? i - t->recipients.len : SIZE_MAX;
    }
    vec_sort(&p->publics, by_pk);
    return 0;
}

int plan_make(struct plan *p, struct target *t, struct error *err)
{
    *p = (struct plan){ .target = t,
                        .mixes = VEC_OF(struct blake_lanes),
                        .s_of = VEC_OF(size_t),
                        .blobs = VEC_OF(struct plan_blob),
                        .subs = VEC_OF(struct plan_blob),
                        .publics = VEC_OF(struct plan_public) };
    lanes_blake_init(&p->session_text, hash_person(PERSON_SESSION), KEY_LEN, KEY_LEN);
    lanes_blake_init(&p->kid, hash_person(PERSON_KID), KEY_LEN, KID_LEN);
    lanes_blake_init(&p->pack, hash_person(PERSON_PACK), KEY_LEN, KEY_LEN + COMMIT_LEN);
    lanes_blake_init(&p->snap, hash_person(PERSON_SNAP), KEY_LEN, KEY_LEN + COMMIT_LEN);
    lanes_blake_init(&p->seal, hash_person(PERSON_SEAL_KEYS), KEY_LEN, 2 * KEY_LEN);
    int rc = plan_sessions(p, err);
    if (rc == 0)
        rc = plan_packs(p, err);
    return rc == 0 ? plan_publics(p, err) : rc;
}

void plan_free(struct plan *p)
{
    vec_free(&p->mixes);
    vec_free(&p->s_of);
    vec_free(&p->blobs);
    vec_free(&p->subs);
    vec_free(&p->publics);
}

void plan_describe(const struct plan *p)
{
    (void)printf(
        "each window as: S of %zu sessions, K_s of %zu, K_p of %zu packs, message key of %zu blobs, K_n and "
        "its cipher and message key of %zu snapshot objects, R of %zu recipients, ephemeral key, shared "
        "point, box key and its message key of %zu boxes\n",
        p->s_of.len, p->target->sessions.len, p->blobs.len, p->subs.len, p->target->snaps.len,
        p->target->recipients.len, p->target->boxes.len);
}

/* ---- eight windows ------------------------------------------------------------------------------------- */

struct eight {
    const struct plan *plan;
    const uint8_t *keys;
    const struct find *find;
    uint8_t block[LANES][BLAKE_BLOCK]; /* each key as a key block */
    const uint8_t *blocks[LANES];
};

static void name_place(const struct find *f, size_t lane, char out[256])
{
    f->where(f->arg, lane, out);
}

/* kid of eight candidates for K_s (as key blocks), against sessions from..to-1. */
static void compare_kids(const struct eight *e, const uint8_t *const blocks[LANES], size_t from, size_t to,
                         const char *kind)
{
    struct blake_lanes h = e->plan->kid;
    lanes_blake(&h, blocks, BLAKE_BLOCK, true);
    for (size_t i = from; i < to; i++) {
        const struct target_session *s = vec_at(&e->plan->target->sessions, i);
        uint64_t want;
        memcpy(&want, s->envelope.kid, sizeof want);
        for (size_t l = 0; l < LANES; l++) {
            char where[256];
            if (h.h[0][l] != want)
                continue;
            name_place(e->find, l, where);
            (void)target_key_session(e->plan->target, i, blocks[l], kind, where);
        }
    }
}

static void try_s(const struct eight *e)
{
    const struct plan *p = e->plan;
    for (size_t k = 0; k < p->s_of.len; k++) {
        enum { TEXT = REPO_ID_LEN + WRITER_ID_LEN + 4 + SHARE_LEN };
        size_t of = *(size_t *)vec_at(&p->s_of, k);
        const struct target_session *s = vec_at(&p->target->sessions, of);
        uint8_t block[LANES][BLAKE_BLOCK];
        const uint8_t *blocks[LANES];
        struct blake_lanes h = *(const struct blake_lanes *)vec_at(&p->mixes, k);
        memset(block, 0, sizeof block);
        for (size_t l = 0; l < LANES; l++) {
            memcpy(block[l], s->name.repo_id, REPO_ID_LEN);
            memcpy(block[l] + REPO_ID_LEN, s->name.writer_id, WRITER_ID_LEN);
            memcpy(block[l] + REPO_ID_LEN + WRITER_ID_LEN, &s->name.session, 4);
            memcpy(block[l] + TEXT - SHARE_LEN, e->keys + l * LANE_KEY, SHARE_LEN);
            blocks[l] = block[l];
        }
        lanes_blake(&h, blocks, BLAKE_BLOCK + TEXT, true);
        memset(block, 0, sizeof block);
        for (size_t l = 0; l < LANES; l++)
            lanes_blake_out(&h, l, block[l], KEY_LEN);
        compare_kids(e, blocks, of, of + 1, "S");
    }
}

/* commit of one header per session, under the window as K_s: what the format itself asks for before it
 * decrypts. */
static void try_commit(const struct eight *e)
{
    const struct plan *p = e->plan;
    struct blake_lanes first = p->pack;
    lanes_blake(&first, e->blocks, BLAKE_BLOCK, false);
    for (size_t i = 0; i < p->target->sessions.len; i++) {
        const struct target_session *s = vec_at(&p->target->sessions, i);
        if (s->first_pack == SIZE_MAX)
            continue;
        const struct target_pack *pack = vec_at(&p->target->packs, s->first_pack);
        size_t len = pack->header.len - COMMIT_LEN;
        struct blake_lanes h = first;
        uint64_t want;
        for (size_t at = 0; at < len; at += BLAKE_BLOCK) {
            uint8_t block[BLAKE_BLOCK] = { 0 };
            const uint8_t *blocks[LANES];
            size_t n = len - at < BLAKE_BLOCK ? len - at : BLAKE_BLOCK;
            memcpy(block, pack->data + at, n);
            same_in_all(block, blocks);
            lanes_blake(&h, blocks, BLAKE_BLOCK + at + n, at + n == len);
        }
        memcpy(&want, pack->data + len, sizeof want);
        for (size_t l = 0; l < LANES; l++) {
            char where[256];
            if (h.h[4][l] != want)
                continue;
            name_place(e->find, l, where);
            (void)target_key_session(p->target, i, e->keys + l * LANE_KEY, "K_s (commit)", where);
        }
    }
}

static bool begins_like_a_blob(const uint8_t *plain, bool raw)
{
    static const uint8_t zstd[5] = { 1, 0x28, 0xb5, 0x2f, 0xfd };
    return raw ? plain[0] == 0 : memcmp(plain, zstd, sizeof zstd) == 0;
}

/* subkeys: of eight keys, or the eight windows themselves. */
static void compare_blob(const struct eight *e, const struct plan_blob *b, const uint8_t *subkeys,
                         bool message_key)
{
    uint8_t stream[LANES * 16];
    lanes_chacha(subkeys, b->blob->id + 16, 1, stream);
    for (size_t l = 0; l < LANES; l++) {
        uint8_t plain[5];
        char where[256];
        for (size_t i = 0; i < 5; i++)
            plain[i] = stream[16 * l + i] ^ b->cipher[i];
        if (!begins_like_a_blob(plain, b->raw))
            continue;
        name_place(e->find, l, where);
        if (message_key)
            (void)target_key_blob(e->plan->target, b->pack, b->blob, e->keys + l * LANE_KEY, "message key",
                                  where);
        else
            (void)target_key_pack(e->plan->target, b->pack, e->keys + l * LANE_KEY, "K_p", where);
    }
}

static void try_packs(const struct eight *e)
{
    uint8_t subkeys[LANES * LANE_KEY];
    for (size_t i = 0; i < e->plan->blobs.len; i++) {
        const struct plan_blob *b = vec_at(&e->plan->blobs, i);
        lanes_hchacha(e->keys, b->blob->id, subkeys);
        compare_blob(e, b, subkeys, false);
    }
    for (size_t i = 0; i < e->plan->subs.len; i++)
        compare_blob(e, vec_at(&e->plan->subs, i), e->keys, true);
}

/* u64 len | form | level | 0 0 */
static bool begins_like_priv(const uint8_t *p)
{
    return p[7] == 0 && p[6] < 4 && p[8] <= 2 && p[9] <= 4 && p[10] == 0 && p[11] == 0;
}

static void compare_snap(const struct eight *e, size_t snap, const uint8_t *keys, enum snap_key what)
{
    static const char *const kinds[] = { "K_n", "cipher key of K_n", "message key of a snapshot object" };
    const struct target_snap *s = vec_at(&e->plan->target->snaps, snap);
    uint8_t subkeys[LANES * LANE_KEY], stream[LANES * 16];
    if (what != SNAP_MESSAGE)
        lanes_hchacha(keys, s->parts.priv, subkeys);
    lanes_chacha(what != SNAP_MESSAGE ? subkeys : keys, s->parts.priv + 16, 1, stream);
    for (size_t l = 0; l < LANES; l++) {
        uint8_t plain[16];
        char where[256];
        for (size_t i = 0; i < 16; i++)
            plain[i] = stream[16 * l + i] ^ s->parts.priv[AEAD_NONCE_LEN + i];
        if (!begins_like_priv(plain))
            continue;
        name_place(e->find, l, where);
        (void)target_key_snap(e->plan->target, snap, e->keys + l * LANE_KEY, what, kinds[what], where);
    }
}

static void try_snaps(const struct eight *e)
{
    static const char label[] = "snap priv";
    uint8_t text[BLAKE_BLOCK] = { 0 }, ke[LANES * LANE_KEY];
    const uint8_t *blocks[LANES];
    struct blake_lanes h = e->plan->seal;
    memcpy(text, label, sizeof label - 1);
    same_in_all(text, blocks);
    lanes_blake(&h, e->blocks, BLAKE_BLOCK, false);
    lanes_blake(&h, blocks, BLAKE_BLOCK + sizeof label - 1, true);
    for (size_t l = 0; l < LANES; l++)
        lanes_blake_out(&h, l, ke + l * LANE_KEY, KEY_LEN);
    for (size_t i = 0; i < e->plan->target->snaps.len; i++) {
        compare_snap(e, i, ke, SNAP_KEY);
        compare_snap(e, i, e->keys, SNAP_CIPHER);
        compare_snap(e, i, e->keys, SNAP_MESSAGE);
    }
}

/* Poly1305 under the first 32 bytes of the stream tells whether a box key fits. */
static void compare_box(const struct eight *e, size_t box, const uint8_t *keys, bool message_key,
                        const char *kind)
{
    const struct target_box *b = vec_at(&e->plan->target->boxes, box);
    uint8_t subkeys[LANES * LANE_KEY], once[LANES * 32];
    if (!message_key)
        lanes_hsalsa(keys, b->nonce, subkeys);
    lanes_salsa(message_key ? keys : subkeys, b->nonce + 16, once);
    for (size_t l = 0; l < LANES; l++) {
        const uint8_t *mac = b->box + BOX_PK_LEN;
        char where[256];
        if (crypto_onetimeauth_verify(mac, mac + 16, SHARE_LEN, once + 32 * l) != 0)
            continue;
        name_place(e->find, l, where);
        (void)target_key_box(e->plan->target, box, keys + l * LANE_KEY, message_key, kind, where);
    }
}

static void try_boxes(const struct eight *e)
{
    static const uint8_t zero[16];
    uint8_t from_point[LANES * LANE_KEY];
    lanes_hsalsa(e->keys, zero, from_point);
    for (size_t i = 0; i < e->plan->target->boxes.len; i++) {
        const struct target_box *b = vec_at(&e->plan->target->boxes, i);
        if (!b->has_pk)
            continue;
        compare_box(e, i, e->keys, false, "box key");
        compare_box(e, i, from_point, false, "shared point");
        compare_box(e, i, e->keys, true, "message key of a box");
    }
}

void try_eight(const struct plan *p, const uint8_t keys[LANES * LANE_KEY], const struct find *f)
{
    struct eight e = { .plan = p, .keys = keys, .find = f };
    for (size_t l = 0; l < LANES; l++) {
        memset(e.block[l], 0, BLAKE_BLOCK);
        memcpy(e.block[l], keys + l * LANE_KEY, LANE_KEY);
        e.blocks[l] = e.block[l];
    }
    try_s(&e);
    compare_kids(&e, e.blocks, 0, p->target->sessions.len, "K_s");
    try_commit(&e);
    try_packs(&e);
    try_snaps(&e);
    try_boxes(&e);
}

void try_public(const struct plan *p, const uint8_t pk[BOX_PK_LEN], const uint8_t key[LANE_KEY], size_t lane,
                const struct find *f)
{
    struct plan_public want;
    char where[256];
    memcpy(want.pk, pk, BOX_PK_LEN);
    const struct plan_public *hit =
        p->publics.len != 0 ? bsearch(&want, p->publics.data, p->publics.len, sizeof want, by_pk) : NULL;
    if (hit == NULL)
        return;
    name_place(f, lane, where);
    if (hit->box == SIZE_MAX)
        (void)target_key_recipient(p->target, pk, key, "R", where);
    else
        (void)target_key_ephemeral(p->target, hit->box, key, "ephemeral key", where);
}
