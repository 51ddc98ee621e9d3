#include "common/repo/keys.h"

#include <string.h>

#include "common/base/reader.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

/* ---- key files: each struct is a list of parts, in the order of its secrets block --------------------- */

struct part {
    uint8_t *plain;         /* either this */
    struct secret **secret; /* or this */
    size_t len;
};
enum { PARTS_MAX = 6 };

struct parts {
    size_t n;
    struct part part[PARTS_MAX];
};

static struct parts root_parts(struct root_keys *k)
{
    return (struct parts){ .n = 2,
                           .part = { { .plain = k->repo_id, .len = REPO_ID_LEN },
                                     { .secret = &k->seed, .len = SIGN_SEED_LEN } } };
}

static struct parts kit_parts(struct restore_kit *k)
{
    return (struct parts){ .n = 5,
                           .part = { { .plain = k->repo_id, .len = REPO_ID_LEN },
                                     { .plain = k->root_pk, .len = SIGN_PK_LEN },
                                     { .secret = &k->w, .len = KEY_LEN },
                                     { .secret = &k->v, .len = KEY_LEN },
                                     { .secret = &k->r, .len = BOX_SK_LEN } } };
}

static struct parts writer_parts(struct writer_keys *k)
{
    return (struct parts){ .n = 6,
                           .part = { { .plain = k->repo_id, .len = REPO_ID_LEN },
                                     { .plain = k->root_pk, .len = SIGN_PK_LEN },
                                     { .plain = k->writer_id, .len = WRITER_ID_LEN },
                                     { .secret = &k->w_w, .len = KEY_LEN },
                                     { .secret = &k->v_w, .len = KEY_LEN },
                                     { .secret = &k->seed, .len = SIGN_SEED_LEN } } };
}

static struct parts retention_parts(struct retention_keys *k)
{
    return (struct parts){ .n = 4,
                           .part = { { .plain = k->repo_id, .len = REPO_ID_LEN },
                                     { .plain = k->root_pk, .len = SIGN_PK_LEN },
                                     { .secret = &k->v, .len = KEY_LEN },
                                     { .secret = &k->seed, .len = SIGN_SEED_LEN } } };
}

static struct parts member_parts(struct member_kit *k)
{
    return (struct parts){ .n = 3,
                           .part = { { .plain = k->repo_id, .len = REPO_ID_LEN },
                                     { .plain = k->root_pk, .len = SIGN_PK_LEN },
                                     { .secret = &k->r, .len = BOX_SK_LEN } } };
}

static void parts_free(struct parts p)
{
    for (size_t i = 0; i < p.n; i++) {
        if (p.part[i].plain != NULL) {
            memset(p.part[i].plain, 0, p.part[i].len);
        } else {
            secret_free(*p.part[i].secret);
            *p.part[i].secret = NULL;
        }
    }
}

static size_t parts_size(struct parts p)
{
    size_t size = 0;
    for (size_t i = 0; i < p.n; i++)
        size += p.part[i].len;
    return size;
}

static struct secret *parts_encode(struct parts p, struct error *err)
{
    for (size_t i = 0; i < p.n; i++) {
        const struct part *one = &p.part[i];
        if (one->plain == NULL && (*one->secret == NULL || secret_len(*one->secret) != one->len)) {
            (void)error_set(err, E_INTERNAL, "a key is missing or has another length");
            return NULL;
        }
    }
    struct secret *block = secret_new(parts_size(p), err);
    if (block == NULL)
        return NULL;
    uint8_t *to = secret_data(block);
    for (size_t i = 0; i < p.n; i++) {
        const struct part *one = &p.part[i];
        memcpy(to, one->plain != NULL ? one->plain : secret_view(*one->secret), one->len);
        to += one->len;
    }
    return block;
}

/* The struct behind p must be zeroed. */
static int parts_decode(const struct secret *block, struct parts p, struct error *err)
{
    size_t want = parts_size(p);
    if (secret_len(block) != want)
        return error_corrupt(err, ERR_KEY_BLOCK, "the key file holds %zu bytes of keys, expected %zu",
                             secret_len(block), want);
    struct reader r = reader_of(secret_view(block), secret_len(block));
    for (size_t i = 0; i < p.n; i++) {
        const struct part *one = &p.part[i];
        if (one->plain != NULL) {
            reader_copy(&r, one->plain, one->len);
            continue;
        }
        const uint8_t *bytes = reader_bytes(&r, one->len);
        if (bytes == NULL || (*one->secret = secret_copy(bytes, one->len, err)) == NULL) {
            parts_free(p);
            return E_NOMEM;
        }
    }
    return 0;
}

/* encode takes a const struct: the parts of a copy share its secrets. */
#define KEY_FILE_FUNCTIONS(type, parts_of)                                             \
    struct secret *type##_encode(const struct type *k, struct error *err)              \
    {                                                                                  \
        struct type copy = *k;                                                         \
        return parts_encode(parts_of(&copy), err);                                     \
    }                                                                                  \
    int type##_decode(const struct secret *block, struct type *out, struct error *err) \
    {                                                                                  \
        *out = (struct type){ .repo_id = { 0 } };                                      \
        return parts_decode(block, parts_of(out), err);                                \
    }                                                                                  \
    void type##_free(struct type *k)                                                   \
    {                                                                                  \
        parts_free(parts_of(k));                                                       \
    }

KEY_FILE_FUNCTIONS(root_keys, root_parts)
KEY_FILE_FUNCTIONS(restore_kit, kit_parts)
KEY_FILE_FUNCTIONS(writer_keys, writer_parts)
KEY_FILE_FUNCTIONS(retention_keys, retention_parts)
KEY_FILE_FUNCTIONS(member_kit, member_parts)

/* ---- making keys ------------------------------------------------------------------------------------- */

int root_keys_generate(struct root_keys *out, struct error *err)
{
    *out = (struct root_keys){ .seed = secret_random(SIGN_SEED_LEN, err) };
    if (out->seed == NULL)
        return E_NOMEM;
    random_bytes(out->repo_id, REPO_ID_LEN);
    return 0;
}

int restore_kit_generate(const struct root_keys *root, struct restore_kit *out, struct error *err)
{
    *out = (struct restore_kit){ .w = NULL };
    memcpy(out->repo_id, root->repo_id, REPO_ID_LEN);
    int rc = sign_public(root->seed, out->root_pk, err);
    if (rc == 0 &&
        ((out->w = secret_random(KEY_LEN, err)) == NULL || (out->v = secret_random(KEY_LEN, err)) == NULL ||
         (out->r = secret_random(BOX_SK_LEN, err)) == NULL))
        rc = E_NOMEM;
    if (rc < 0)
        restore_kit_free(out);
    return rc;
}

int writer_keys_generate(const struct restore_kit *kit, struct writer_keys *out, struct error *err)
{
    *out = (struct writer_keys){ .w_w = NULL };
    memcpy(out->repo_id, kit->repo_id, REPO_ID_LEN);
    memcpy(out->root_pk, kit->root_pk, SIGN_PK_LEN);
    random_bytes(out->writer_id, WRITER_ID_LEN);
    if ((out->w_w = writer_root_derive(kit->w, out->writer_id, err)) == NULL ||
        (out->v_w = view_key_derive(kit->v, out->writer_id, err)) == NULL ||
        (out->seed = secret_random(SIGN_SEED_LEN, err)) == NULL) {
        writer_keys_free(out);
        return E_NOMEM;
    }
    return 0;
}

int retention_keys_generate(const struct restore_kit *kit, struct retention_keys *out, struct error *err)
{
    *out = (struct retention_keys){ .v = NULL };
    memcpy(out->repo_id, kit->repo_id, REPO_ID_LEN);
    memcpy(out->root_pk, kit->root_pk, SIGN_PK_LEN);
    if ((out->v = secret_copy(secret_view(kit->v), KEY_LEN, err)) == NULL ||
        (out->seed = secret_random(SIGN_SEED_LEN, err)) == NULL) {
        retention_keys_free(out);
        return E_NOMEM;
    }
    return 0;
}

int member_kit_generate(const uint8_t repo_id[REPO_ID_LEN], const uint8_t root_pk[SIGN_PK_LEN],
                        struct member_kit *out, struct error *err)
{
    *out = (struct member_kit){ .r = secret_random(BOX_SK_LEN, err) };
    if (out->r == NULL)
        return E_NOMEM;
    memcpy(out->repo_id, repo_id, REPO_ID_LEN);
    memcpy(out->root_pk, root_pk, SIGN_PK_LEN);
    return 0;
}

/* ---- what follows from them -------------------------------------------------------------------------- */

static struct secret *derive(enum person person, const struct secret *key, const void *msg, size_t len,
                             struct error *err)
{
    struct secret *out = secret_new(KEY_LEN, err);
    if (out != NULL &&
        hash_keyed(person, secret_view(key), secret_len(key), msg, len, secret_data(out), KEY_LEN, err) < 0) {
        secret_free(out);
        return NULL;
    }
    return out;
}

struct secret *writer_root_derive(const struct secret *w, const uint8_t writer_id[WRITER_ID_LEN],
                                  struct error *err)
{
    return derive(PERSON_WRITER, w, writer_id, WRITER_ID_LEN, err);
}

struct secret *view_key_derive(const struct secret *v, const uint8_t writer_id[WRITER_ID_LEN],
                               struct error *err)
{
    return derive(PERSON_VIEW, v, writer_id, WRITER_ID_LEN, err);
}

struct secret *writer_derive(const struct secret *w_w, struct error *err)
{
    static const enum person persons[] = { PERSON_ID, PERSON_CHUNK, PERSON_CDC, PERSON_MIX, PERSON_TRAIL };
    _Static_assert(sizeof(struct writer_derived) / KEY_LEN == 5, "five keys in the order of persons[]");
    struct secret *out = secret_new(sizeof(struct writer_derived), err);
    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < 5; i++) {
        if (hash_keyed(persons[i], secret_view(w_w), secret_len(w_w), NULL, 0, secret_data(out) + i * KEY_LEN,
                       KEY_LEN, err) < 0) {
            secret_free(out);
            return NULL;
        }
    }
    return out;
}

const struct writer_derived *writer_derived_of(const struct secret *derived)
{
    return (const struct writer_derived *)(const void *)secret_view(derived);
}

int writer_seed_derive(const struct secret *w_w, uint64_t *out, struct error *err)
{
    uint8_t hash[KEY_LEN];
    int rc = hash_keyed(PERSON_SEED, secret_view(w_w), secret_len(w_w), NULL, 0, hash, sizeof hash, err);
    *out = rc == 0 ? load_u64(hash) : 0;
    secret_wipe(hash, sizeof hash);
    return rc;
}

int session_key(const uint8_t mix_key[KEY_LEN], const struct session_name *name, const uint8_t s[SHARE_LEN],
                uint8_t k_s[KEY_LEN], struct error *err)
{
    uint8_t session[4];
    store_u32(session, name->session);
    const struct hash_piece pieces[] = {
        { .data = name->repo_id, .len = REPO_ID_LEN },
        { .data = name->writer_id, .len = WRITER_ID_LEN },
        { .data = session, .len = sizeof session },
        { .data = s, .len = SHARE_LEN },
    };
    return hash_pieces(PERSON_SESSION, mix_key, KEY_LEN, pieces, 4, k_s, KEY_LEN, err);
}

int session_kid(const uint8_t k_s[KEY_LEN], uint8_t kid[KID_LEN], struct error *err)
{
    return hash_keyed(PERSON_KID, k_s, KEY_LEN, NULL, 0, kid, KID_LEN, err);
}

static int object_keys(enum person person, const uint8_t k_s[KEY_LEN], const void *header, size_t len,
                       struct object_keys *out, struct error *err)
{
    uint8_t both[KEY_LEN + COMMIT_LEN];
    int rc = hash_keyed(person, k_s, KEY_LEN, header, len, both, sizeof both, err);
    if (rc == 0) {
        memcpy(out->key, both, KEY_LEN);
        memcpy(out->commit, both + KEY_LEN, COMMIT_LEN);
    }
    secret_wipe(both, sizeof both);
    return rc;
}

int pack_keys(const uint8_t k_s[KEY_LEN], const void *header, size_t len, struct object_keys *out,
              struct error *err)
{
    return object_keys(PERSON_PACK, k_s, header, len, out, err);
}

int snap_keys(const uint8_t k_s[KEY_LEN], const void *header, size_t len, struct object_keys *out,
              struct error *err)
{
    return object_keys(PERSON_SNAP, k_s, header, len, out, err);
}
