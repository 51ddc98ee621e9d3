#include "common/repo/envelope.h"

#include <string.h>

#include "common/base/reader.h"
#include "common/base/writer.h"
#include "common/crypto/hash.h"

#include "common/base/banned.h"

_Static_assert(BOX_LEN == SHARE_LEN + BOX_SEAL_OVERHEAD, "a box holds one share");
_Static_assert(GRANT_BOX_LEN == BOX_LEN + GRANT_PLACE_LEN, "and in a grant its place");

enum { SHARE_ENTRY_LEN = RID_LEN + BOX_LEN };

/* What a share in a grant says it belongs to. */
static int place_of(const uint8_t kid[KID_LEN], const struct session_name *name,
                    uint8_t place[GRANT_PLACE_LEN], struct error *err)
{
    uint8_t session[4];
    store_u32(session, name->session);
    const struct hash_piece pieces[] = {
        { .data = name->repo_id, .len = REPO_ID_LEN },
        { .data = name->writer_id, .len = WRITER_ID_LEN },
        { .data = session, .len = sizeof session },
    };
    return hash_pieces(PERSON_GRANT, kid, KID_LEN, pieces, 3, place, GRANT_PLACE_LEN, err);
}

/* ---- building ---------------------------------------------------------------------------------------- */

size_t envelope_size(const struct recipients *to)
{
    size_t size = KID_LEN + 1;
    for (unsigned g = 0; g < to->n && g < ENVELOPE_GROUPS_MAX; g++)
        size += 1 + (size_t)to->group[g].n * SHARE_ENTRY_LEN;
    return size;
}

static int check_group(const struct recipient_group *g, struct error *err)
{
    if (g->n < 1 || g->n > ENVELOPE_SHARES_MAX)
        return error_set(err, E_USAGE, "a group of %u recipients; 1..%d are possible", g->n,
                         ENVELOPE_SHARES_MAX);
    for (unsigned i = 0; i < g->n; i++) {
        uint8_t rid[RID_LEN];
        int rc = box_rid(g->share[i].pk, rid, err);
        if (rc < 0)
            return rc;
        if (memcmp(rid, g->share[i].rid, RID_LEN) != 0)
            return error_set(err, E_USAGE, "a recipient's id does not belong to its public key");
        for (unsigned j = 0; j < i; j++)
            if (memcmp(rid, g->share[j].rid, RID_LEN) == 0)
                return error_set(err, E_USAGE, "a recipient stands twice in one group");
    }
    return 0;
}

static int check_recipients(const struct recipients *to, struct error *err)
{
    unsigned boxes = 0;
    if (to->n < 1 || to->n > ENVELOPE_GROUPS_MAX)
        return error_set(err, E_USAGE, "%u groups of recipients; 1..%d are possible", to->n,
                         ENVELOPE_GROUPS_MAX);
    for (unsigned g = 0; g < to->n; g++) {
        int rc = check_group(&to->group[g], err);
        if (rc < 0)
            return rc;
        boxes += to->group[g].n;
    }
    if (boxes > ENVELOPE_BOXES_MAX)
        return error_set(err, E_USAGE, "the groups name %u recipients; at most %d are possible", boxes,
                         ENVELOPE_BOXES_MAX);
    return 0;
}

/* All shares but the last are random; the last one makes the XOR of all of them S. */
static int build_group(struct writer *w, const struct recipient_group *g, const uint8_t s[SHARE_LEN],
                       const uint8_t *place, struct error *err)
{
    uint8_t rest[SHARE_LEN];
    uint8_t share[SHARE_LEN + GRANT_PLACE_LEN];
    uint8_t box[GRANT_BOX_LEN];
    size_t len = place != NULL ? SHARE_LEN + GRANT_PLACE_LEN : SHARE_LEN;
    int rc = 0;
    memcpy(rest, s, SHARE_LEN);
    if (place != NULL)
        memcpy(share + SHARE_LEN, place, GRANT_PLACE_LEN);
    writer_u8(w, (uint8_t)g->n);
    for (unsigned i = 0; i < g->n && rc == 0; i++) {
        if (i + 1 < g->n) {
            random_bytes(share, SHARE_LEN);
            for (size_t k = 0; k < SHARE_LEN; k++)
                rest[k] ^= share[k];
        } else {
            memcpy(share, rest, SHARE_LEN);
        }
        rc = box_seal(g->share[i].pk, share, len, box, err);
        writer_bytes(w, g->share[i].rid, RID_LEN);
        writer_bytes(w, box, len + BOX_SEAL_OVERHEAD);
    }
    secret_wipe(rest, sizeof rest);
    secret_wipe(share, sizeof share);
    return rc;
}

static int build(const uint8_t s[SHARE_LEN], const struct recipients *to, const uint8_t kid[KID_LEN],
                 const uint8_t *place, struct buf *out, struct error *err)
{
    size_t start = out->len;
    int rc = check_recipients(to, err);
    if (rc < 0)
        return rc;
    struct writer w = writer_of(out);
    writer_bytes(&w, kid, KID_LEN);
    writer_u8(&w, (uint8_t)to->n);
    for (unsigned g = 0; g < to->n && rc == 0; g++)
        rc = build_group(&w, &to->group[g], s, place, err);
    if (rc == 0)
        rc = writer_end(&w, err);
    if (rc < 0)
        out->len = start;
    return rc;
}

int envelope_build(const uint8_t s[SHARE_LEN], const struct recipients *to, const uint8_t kid[KID_LEN],
                   struct buf *out, struct error *err)
{
    return build(s, to, kid, NULL, out, err);
}

int envelope_build_grant(const uint8_t s[SHARE_LEN], const struct recipients *to, const uint8_t kid[KID_LEN],
                         const struct session_name *name, struct buf *out, struct error *err)
{
    uint8_t place[GRANT_PLACE_LEN];
    int rc = place_of(kid, name, place, err);
    return rc < 0 ? rc : build(s, to, kid, place, out, err);
}

/* ---- parsing ----------------------------------------------------------------------------------------- */

static bool has_rid(const struct envelope_group *g, const uint8_t rid[RID_LEN])
{
    for (unsigned i = 0; i < g->n; i++)
        if (memcmp(g->share[i].rid, rid, RID_LEN) == 0)
            return true;
    return false;
}

static bool parse_group(struct reader *r, size_t box_len, struct envelope_group *g)
{
    unsigned n = reader_u8(r);
    if (n < 1 || n > ENVELOPE_SHARES_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        uint8_t rid[RID_LEN];
        reader_copy(r, rid, RID_LEN);
        const uint8_t *box = reader_bytes(r, box_len);
        if (box == NULL || has_rid(g, rid))
            return false;
        memcpy(g->share[i].rid, rid, RID_LEN);
        g->share[i].box = box;
        g->n = i + 1;
    }
    return true;
}

static int parse(const void *data, size_t len, size_t box_len, struct envelope *out, struct error *err)
{
    struct reader r = reader_of(data, len);
    unsigned boxes = 0;
    memset(out, 0, sizeof *out);
    out->box_len = box_len;
    reader_copy(&r, out->kid, KID_LEN);
    unsigned n = reader_u8(&r);
    if (!reader_ok(&r) || n < 1 || n > ENVELOPE_GROUPS_MAX)
        return error_corrupt(err, ERR_ENVELOPE_SYNTAX, "envelope with %u groups", n);
    for (unsigned g = 0; g < n; g++) {
        if (!parse_group(&r, box_len, &out->group[g]))
            return error_corrupt(err, ERR_ENVELOPE_SYNTAX, "group %u of the envelope is malformed", g + 1);
        boxes += out->group[g].n;
    }
    if (boxes > ENVELOPE_BOXES_MAX)
        return error_corrupt(err, ERR_ENVELOPE_SYNTAX, "envelope with %u boxes", boxes);
    if (!reader_at_end(&r))
        return error_corrupt(err, ERR_ENVELOPE_SYNTAX, "%zu bytes after the envelope", reader_left(&r));
    out->n = n;
    return 0;
}

int envelope_parse(const void *data, size_t len, struct envelope *out, struct error *err)
{
    return parse(data, len, BOX_LEN, out, err);
}

int envelope_parse_grant(const void *data, size_t len, struct envelope *out, struct error *err)
{
    return parse(data, len, GRANT_BOX_LEN, out, err);
}

/* ---- opening ----------------------------------------------------------------------------------------- */

struct keyring {
    const struct envelope_keys *keys;
    const struct session_name *name;
    uint8_t rid[ENVELOPE_BOXES_MAX][RID_LEN];
};

static int keyring_fill(struct keyring *ring, const struct envelope_keys *keys,
                        const struct session_name *name, struct error *err)
{
    if (keys->n > ENVELOPE_BOXES_MAX)
        return error_set(err, E_USAGE, "%zu recipient keys; at most %d are possible", keys->n,
                         ENVELOPE_BOXES_MAX);
    ring->keys = keys;
    ring->name = name;
    for (size_t i = 0; i < keys->n; i++) {
        uint8_t pk[BOX_PK_LEN];
        int rc = box_public(keys->sks[i], pk, err);
        if (rc < 0 || (rc = box_rid(pk, ring->rid[i], err)) < 0)
            return rc;
    }
    return 0;
}

static const struct secret *keyring_find(const struct keyring *ring, const uint8_t rid[RID_LEN])
{
    for (size_t i = 0; i < ring->keys->n; i++)
        if (memcmp(ring->rid[i], rid, RID_LEN) == 0)
            return ring->keys->sks[i];
    return NULL;
}

/* What somebody else opened out of this box, or NULL. */
static const uint8_t *keyring_opened(const struct keyring *ring, const struct envelope *env,
                                     const struct envelope_share *share)
{
    uint8_t id[BOX_ID_LEN];
    if (ring->keys->opened == NULL)
        return NULL;
    box_id(share->box, env->box_len, id);
    return shares_find(ring->keys->opened, ring->name->writer_id, ring->name->session, id);
}

static bool keyring_covers(const struct keyring *ring, const struct envelope *env,
                           const struct envelope_group *g)
{
    for (unsigned i = 0; i < g->n; i++)
        if (keyring_find(ring, g->share[i].rid) == NULL && keyring_opened(ring, env, &g->share[i]) == NULL)
            return false;
    return true;
}

/* E_AUTH: the box does not open. */
static int open_box(const struct envelope *env, const struct envelope_share *share, const struct secret *sk,
                    const struct session_name *name, uint8_t out[SHARE_LEN], struct error *err)
{
    uint8_t plain[SHARE_LEN + GRANT_PLACE_LEN];
    uint8_t place[GRANT_PLACE_LEN];
    int rc = box_open(sk, share->box, env->box_len, plain, err);
    if (rc == 0 && env->box_len == GRANT_BOX_LEN)
        rc = place_of(env->kid, name, place, err);
    if (rc == 0 && env->box_len == GRANT_BOX_LEN && !secret_equal(place, plain + SHARE_LEN, sizeof place))
        rc = error_corrupt(err, ERR_GRANT_PLACE, "session %u: a share was sealed for another session",
                           name->session);
    if (rc == 0)
        memcpy(out, plain, SHARE_LEN);
    secret_wipe(plain, sizeof plain);
    return rc;
}

/* The XOR of the shares of a group that the keyring covers; E_AUTH when a box does not open. */
static int combine(const struct keyring *ring, const struct envelope *env, const struct envelope_group *g,
                   uint8_t s[SHARE_LEN], struct error *err)
{
    uint8_t share[SHARE_LEN];
    int rc = 0;
    memset(s, 0, SHARE_LEN);
    for (unsigned i = 0; i < g->n && rc == 0; i++) {
        const struct secret *sk = keyring_find(ring, g->share[i].rid);
        if (sk != NULL)
            rc = open_box(env, &g->share[i], sk, ring->name, share, err);
        else
            memcpy(share, keyring_opened(ring, env, &g->share[i]), SHARE_LEN);
        for (size_t k = 0; rc == 0 && k < SHARE_LEN; k++)
            s[k] ^= share[k];
    }
    secret_wipe(share, sizeof share);
    return rc;
}

int envelope_share_open(const struct envelope *env, const struct envelope_share *share,
                        const struct secret *sk, const struct session_name *name, uint8_t out[SHARE_LEN],
                        struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = open_box(env, share, sk, name, out, &why);
    if (rc == E_AUTH)
        return error_corrupt(err, ERR_ENVELOPE_KID, "session %u: a share for this key does not open",
                             name->session);
    return rc < 0 ? error_copy(err, &why) : 0;
}

/* K_s from S, if it is the key that kid commits to. */
static int confirm(const struct envelope *env, const uint8_t s[SHARE_LEN], const uint8_t mix_key[KEY_LEN],
                   const struct session_name *name, uint8_t k_s[KEY_LEN], struct error *err)
{
    uint8_t key[KEY_LEN];
    uint8_t kid[KID_LEN];
    int rc = session_key(mix_key, name, s, key, err);
    if (rc == 0)
        rc = session_kid(key, kid, err);
    if (rc == 0 && !secret_equal(kid, env->kid, KID_LEN))
        rc = error_corrupt(err, ERR_ENVELOPE_KID,
                           "session %u: the envelope yields another key than it commits to", name->session);
    if (rc == 0)
        memcpy(k_s, key, KEY_LEN);
    secret_wipe(key, sizeof key);
    return rc;
}

static int not_sealed(const struct envelope_keys *keys, const struct session_name *name, struct error *err)
{
    return error_set(err, E_AUTH, "session %u is not sealed to %s", name->session,
                     keys->n == 1 && keys->opened == NULL ? "this recipient key alone"
                                                          : "these recipient keys");
}

int envelope_open_with(const struct envelope *env, const struct envelope_keys *keys,
                       const uint8_t mix_key[KEY_LEN], const struct session_name *name, uint8_t k_s[KEY_LEN],
                       uint8_t s_out[SHARE_LEN], struct error *err)
{
    struct keyring ring;
    uint8_t s[SHARE_LEN];
    unsigned broken = 0;
    int rc = keyring_fill(&ring, keys, name, err);
    if (rc < 0)
        return rc;
    for (unsigned g = 0; g < env->n; g++) {
        struct error why = ERROR_INIT;
        if (!keyring_covers(&ring, env, &env->group[g]))
            continue;
        rc = combine(&ring, env, &env->group[g], s, &why);
        if (rc == 0) {
            rc = confirm(env, s, mix_key, name, k_s, err);
            if (rc == 0 && s_out != NULL)
                memcpy(s_out, s, SHARE_LEN);
            goto out;
        }
        if (rc != E_AUTH) {
            rc = error_copy(err, &why);
            goto out;
        }
        broken++;
    }
    rc = broken != 0 ? error_corrupt(err, ERR_ENVELOPE_KID, "session %u: a share for this key does not open",
                                     name->session)
                     : not_sealed(keys, name, err);
out:
    secret_wipe(s, sizeof s);
    return rc;
}

int envelope_open_shares(const struct envelope *env, const struct secret *const *sks, size_t n,
                         const uint8_t mix_key[KEY_LEN], const struct session_name *name,
                         uint8_t k_s[KEY_LEN], struct error *err)
{
    const struct envelope_keys keys = { .sks = sks, .n = n };
    return envelope_open_with(env, &keys, mix_key, name, k_s, NULL, err);
}

int envelope_open(const struct envelope *env, const struct secret *sk, const uint8_t mix_key[KEY_LEN],
                  const struct session_name *name, uint8_t k_s[KEY_LEN], struct error *err)
{
    return envelope_open_shares(env, &sk, 1, mix_key, name, k_s, err);
}
