#include "tests/support/attack_control.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"
#include "common/sys/atomic_file.h"
#include "common/base/banned.h"

enum {
    DRAWS = 4096,   /* of the seeded source that are looked at */
    HIDE_AT = 4099, /* an odd offset */
    HAYSTACK = 6000,
};

static int add(struct vec *out, const char *kind, const char *session, const uint8_t *bytes, size_t len,
               struct error *err)
{
    struct control_key *k = vec_push(out, err);
    if (k == NULL)
        return E_NOMEM;
    *k = (struct control_key){ .kind = kind, .len = len, .piece = 8 };
    (void)snprintf(k->session, sizeof k->session, "%s", session);
    memcpy(k->bytes, bytes, len);
    return 0;
}

static int load_kit(const char *path, struct restore_kit *kit, struct error *err)
{
    struct buf file = BUF_INIT;
    enum keyfile_role role = KEYFILE_ROOT;
    struct secret *block = NULL;
    int rc = keyfile_load(path, &file, err);
    if (rc == 0 && (block = keyfile_decode(file.data, file.len, &role, NULL, err)) == NULL)
        rc = err->code;
    if (rc == 0 && role != KEYFILE_KIT)
        rc = error_set(err, E_USAGE, "%s is no restore kit", path);
    if (rc == 0)
        rc = restore_kit_decode(block, kit, err);
    secret_free(block);
    buf_wipe(&file);
    return rc;
}

/* BLAKE2b after its key block: as good as the key for whoever knows the rest. */
static int add_state(struct vec *out, const char *kind, const char *session, enum person person,
                     size_t out_len, const uint8_t key[KEY_LEN], struct error *err)
{
    struct blake_lanes h;
    uint8_t block[BLAKE_BLOCK] = { 0 }, state[64];
    const uint8_t *blocks[LANES];
    memcpy(block, key, KEY_LEN);
    for (size_t l = 0; l < LANES; l++)
        blocks[l] = block;
    lanes_blake_init(&h, hash_person(person), KEY_LEN, out_len);
    lanes_blake(&h, blocks, BLAKE_BLOCK, false);
    lanes_blake_out(&h, 0, state, sizeof state);
    return add(out, kind, session, state, sizeof state, err);
}

static int pack_control(const struct target *t, const struct target_pack *p, const uint8_t k_s[KEY_LEN],
                        struct vec *out, struct error *err)
{
    uint8_t key[KEY_LEN];
    char session[SESSION_TEXT_MAX];
    (void)target_session_text(&((const struct target_session *)vec_at(&t->sessions, p->session))->name,
                              session);
    int rc = object_header_key(OBJECT_PACK, &p->header, k_s, key, err);
    if (rc == 0)
        rc = add(out, "k_p", session, key, KEY_LEN, err);
    for (size_t i = 0; rc == 0 && i < p->trailer.blobs.len; i++) {
        const struct trailer_blob *b = vec_at(&p->trailer.blobs, i);
        uint8_t sub[KEY_LEN];
        (void)crypto_core_hchacha20(sub, b->id, key, NULL);
        rc = add(out, "message_key", session, sub, KEY_LEN, err);
    }
    return rc;
}

static int snap_control(const struct target *t, const struct target_snap *s, const uint8_t k_s[KEY_LEN],
                        struct vec *out, struct error *err)
{
    uint8_t key[KEY_LEN], both[2 * KEY_LEN], sub[KEY_LEN];
    char session[SESSION_TEXT_MAX];
    (void)target_session_text(&((const struct target_session *)vec_at(&t->sessions, s->session))->name,
                              session);
    int rc = object_header_key(OBJECT_SNAP, &s->parts.header, k_s, key, err);
    if (rc == 0)
        rc = add(out, "k_n", session, key, KEY_LEN, err);
    if (rc == 0)
        rc = hash_keyed(PERSON_SEAL_KEYS, key, KEY_LEN, "snap priv", 9, both, sizeof both, err);
    (void)crypto_core_hchacha20(sub, s->parts.priv, both, NULL);
    if (rc == 0)
        rc = add(out, "k_n_cipher", session, both, KEY_LEN, err);
    if (rc == 0)
        rc = add(out, "k_n_nonce", session, both + KEY_LEN, KEY_LEN, err);
    if (rc == 0)
        rc = add(out, "k_n_message", session, sub, KEY_LEN, err);
    if (rc == 0)
        rc = add_state(out, "k_n_state", session, PERSON_SEAL_KEYS, 2 * KEY_LEN, key, err);
    return rc;
}

/* The secret key of the box is one of the seeded draws. */
static int ephemeral_control(const uint8_t *seed, const char *session, const uint8_t *box, struct vec *out,
                             struct error *err)
{
    for (uint64_t draw = 0; seed != NULL && draw < DRAWS; draw++) {
        uint8_t nonce[crypto_stream_chacha20_NONCEBYTES], sk[KEY_LEN], pk[KEY_LEN], digits[64];
        int carry = 0;
        memcpy(nonce, &draw, sizeof nonce);
        (void)crypto_stream_chacha20(sk, sizeof sk, nonce, seed);
        (void)crypto_scalarmult_base(pk, sk);
        if (memcmp(pk, box, KEY_LEN) != 0)
            continue;
        int rc = add(out, "ephemeral", session, sk, KEY_LEN, err);
        sk[0] &= 248;
        sk[31] = (uint8_t)((sk[31] & 127) | 64);
        for (size_t i = 0; i < 64; i++) {
            int d = (sk[i / 2] >> (i % 2 != 0 ? 4 : 0) & 15) + carry;
            carry = i < 63 ? (d + 8) >> 4 : 0;
            digits[i] = (uint8_t)(int8_t)(d - carry * 16);
        }
        if (rc == 0)
            rc = add(out, "ephemeral_digits", session, digits, sizeof digits, err);
        if (rc == 0)
            ((struct control_key *)vec_at(out, out->len - 1))->piece = 16;
        return rc;
    }
    return 0;
}

static int session_control(struct target *t, size_t index, const struct restore_kit *kit, const uint8_t *seed,
                           struct vec *out, struct error *err)
{
    const struct target_session *s = vec_at(&t->sessions, index);
    uint8_t share[SHARE_LEN] = { 0 }, k_s[KEY_LEN], pk[KEY_LEN], point[KEY_LEN], key[KEY_LEN], inner[KEY_LEN];
    static const uint8_t zero[16];
    const struct target_box *b = NULL;
    char n[SESSION_TEXT_MAX];
    (void)target_session_text(&s->name, n);
    int rc = box_public(kit->r, pk, err);
    for (size_t i = 0; i < t->boxes.len && b == NULL; i++) {
        const struct target_box *o = vec_at(&t->boxes, i);
        if (o->session == index && s->envelope.group[o->group].n == 1 && memcmp(o->pk, pk, KEY_LEN) == 0)
            b = o;
    }
    if (rc == 0 && (b == NULL || s->writer == NULL))
        return 0;
    if (rc == 0)
        rc = box_open(kit->r, b->box, BOX_LEN, share, err);
    if (rc == 0)
        rc = session_key(writer_derived_of(s->writer->derived)->mix_key, &s->name, share, k_s, err);
    if (rc < 0)
        return rc;
    if (crypto_scalarmult(point, secret_view(kit->r), b->box) != 0)
        return error_set(err, E_AUTH, "a box with a useless public key");
    (void)crypto_core_hsalsa20(key, zero, point, NULL);
    (void)crypto_core_hsalsa20(inner, b->nonce, key, NULL);
    if ((rc = add(out, "s", n, share, SHARE_LEN, err)) < 0 ||
        (rc = add(out, "k_s", n, k_s, KEY_LEN, err)) < 0 ||
        (rc = add(out, "shared_point", n, point, KEY_LEN, err)) < 0 ||
        (rc = add(out, "box_key", n, key, KEY_LEN, err)) < 0 ||
        (rc = add(out, "box_message", n, inner, KEY_LEN, err)) < 0 ||
        (rc = add_state(out, "k_s_pack_state", n, PERSON_PACK, KEY_LEN + COMMIT_LEN, k_s, err)) < 0 ||
        (rc = add_state(out, "k_s_snap_state", n, PERSON_SNAP, KEY_LEN + COMMIT_LEN, k_s, err)) < 0)
        return rc;
    rc = ephemeral_control(seed, n, b->box, out, err);
    for (size_t i = 0; rc == 0 && i < t->packs.len; i++) {
        const struct target_pack *p = vec_at(&t->packs, i);
        if (p->session == index)
            rc = pack_control(t, p, k_s, out, err);
    }
    for (size_t i = 0; rc == 0 && i < t->snaps.len; i++) {
        const struct target_snap *p = vec_at(&t->snaps, i);
        if (p->session == index)
            rc = snap_control(t, p, k_s, out, err);
    }
    return rc;
}

int control_keys(struct target *t, const char *kit_path, const uint8_t *seed, struct vec *out,
                 struct error *err)
{
    struct restore_kit kit = { .w = NULL };
    *out = (struct vec)VEC_OF(struct control_key);
    int rc = load_kit(kit_path, &kit, err);
    if (rc == 0 && (rc = add(out, "r", "", secret_view(kit.r), KEY_LEN, err)) == 0 &&
        (rc = add(out, "w", "", secret_view(kit.w), KEY_LEN, err)) == 0)
        rc = add(out, "v", "", secret_view(kit.v), KEY_LEN, err);
    for (size_t i = 0; rc == 0 && i < t->sessions.len; i++)
        rc = session_control(t, i, &kit, seed, out, err);
    restore_kit_free(&kit);
    return rc;
}

static int hide(const char *dir, const char *name, const uint8_t *bytes, size_t len, struct error *err)
{
    uint8_t hay[HAYSTACK];
    randombytes_buf(hay, sizeof hay);
    memcpy(hay + HIDE_AT, bytes, len);
    char *path = str_printf(err, "%s/%s", dir, name);
    int rc = path != NULL ? file_write_atomic(path, hay, sizeof hay, 0600, FILE_REPLACE, err) : E_NOMEM;
    free(path);
    return rc;
}

/* K_s as a program might print it, and as two vector registers hold it. */
static int hide_disguised(const struct control_key *k, const char *dir, struct error *err)
{
    char hex[2 * KEY_LEN + 1];
    uint8_t doubled[2 * KEY_LEN];
    hex_encode(hex, k->bytes, KEY_LEN);
    for (size_t i = 0; i < 4; i++)
        memcpy(doubled + 16 * i, k->bytes + 16 * (i / 2), 16);
    int rc = hide(dir, "k_s_hex", (const uint8_t *)hex, sizeof hex - 1, err);
    return rc == 0 ? hide(dir, "k_s_doubled", doubled, sizeof doubled, err) : rc;
}

int control_write(const struct vec *keys, const char *session, const char *dir, struct error *err)
{
    int rc = 0;
    for (size_t i = keys->len; rc == 0 && i-- > 0;) { /* the first of a kind is the one that stays */
        const struct control_key *k = vec_at(keys, i);
        bool ours = strcmp(k->session, session) == 0;
        if (k->session[0] == '\0' || ours)
            rc = hide(dir, k->kind, k->bytes, k->len, err);
        if (rc == 0 && ours && strcmp(k->kind, "k_s") == 0)
            rc = hide_disguised(k, dir, err);
    }
    return rc;
}

/* ---- pieces -------------------------------------------------------------------------------------------- */

struct piece {
    uint64_t value;
    const struct control_key *key;
    size_t at;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = ((const struct piece *)a)->value, y = ((const struct piece *)b)->value;
    return x < y ? -1 : x > y;
}

static int cut(const struct vec *keys, struct vec *pieces, uint8_t *filter)
{
    for (size_t i = 0; i < keys->len; i++) {
        const struct control_key *k = vec_at(keys, i);
        for (size_t at = 0; at + k->piece <= k->len; at++) {
            struct piece *p = vec_push(pieces, NULL);
            if (p == NULL)
                return E_NOMEM;
            memcpy(&p->value, k->bytes + at, sizeof p->value);
            p->key = k;
            p->at = at;
            filter[p->value & 0xffff] = 1;
        }
    }
    vec_sort(pieces, by_value);
    return 0;
}

uint64_t control_find(const struct vec *keys, const struct scan *files)
{
    static uint8_t filter[65536];
    struct vec pieces = VEC_OF(struct piece);
    uint64_t found = 0;
    if (cut(keys, &pieces, filter) < 0)
        abort();
    for (size_t i = 0; i < files->files.len; i++) {
        const struct scan_file *f = vec_at(&files->files, i);
        for (size_t at = 0; at + 8 <= f->len; at++) {
            struct piece want;
            char where[256];
            memcpy(&want.value, f->data + at, sizeof want.value);
            if (filter[want.value & 0xffff] == 0)
                continue;
            const struct piece *p = bsearch(&want, pieces.data, pieces.len, sizeof want, by_value);
            if (p == NULL || at + p->key->piece > f->len ||
                memcmp(f->data + at, p->key->bytes + p->at, p->key->piece) != 0)
                continue;
            found++;
            scan_place(where, f->name, at);
            if (found <= 400)
                (void)printf("  bytes %zu..%zu of %s of session %s at %s\n", p->at, p->at + p->key->piece - 1,
                             p->key->kind, p->key->session, where);
        }
    }
    vec_free(&pieces);
    return found;
}
