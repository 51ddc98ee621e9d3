#include "common/repo/envelope.h"

#include <string.h>

#include "common/base/reader.h"
#include "common/base/writer.h"

#include "common/base/banned.h"

_Static_assert(BOX_LEN == SHARE_LEN + BOX_SEAL_OVERHEAD, "a box holds one share");

enum { SHARE_ENTRY_LEN = RID_LEN + BOX_LEN };

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
                       struct error *err)
{
    uint8_t rest[SHARE_LEN];
    uint8_t share[SHARE_LEN];
    uint8_t box[BOX_LEN];
    int rc = 0;
    memcpy(rest, s, SHARE_LEN);
    writer_u8(w, (uint8_t)g->n);
    for (unsigned i = 0; i < g->n && rc == 0; i++) {
        if (i + 1 < g->n) {
            random_bytes(share, SHARE_LEN);
            for (size_t k = 0; k < SHARE_LEN; k++)
                rest[k] ^= share[k];
        } else {
            memcpy(share, rest, SHARE_LEN);
        }
        rc = box_seal(g->share[i].pk, share, SHARE_LEN, box, err);
        writer_bytes(w, g->share[i].rid, RID_LEN);
        writer_bytes(w, box, BOX_LEN);
    }
    secret_wipe(rest, sizeof rest);
    secret_wipe(share, sizeof share);
    return rc;
}

int envelope_build(const uint8_t s[SHARE_LEN], const struct recipients *to, const uint8_t kid[KID_LEN],
                   struct buf *out, struct error *err)
{
    size_t start = out->len;
    int rc = check_recipients(to, err);
    if (rc < 0)
        return rc;
    struct writer w = writer_of(out);
    writer_bytes(&w, kid, KID_LEN);
    writer_u8(&w, (uint8_t)to->n);
    for (unsigned g = 0; g < to->n && rc == 0; g++)
        rc = build_group(&w, &to->group[g], s, err);
    if (rc == 0)
        rc = writer_end(&w, err);
    if (rc < 0)
        out->len = start;
    return rc;
}

/* ---- parsing ----------------------------------------------------------------------------------------- */

static bool has_rid(const struct envelope_group *g, const uint8_t rid[RID_LEN])
{
    for (unsigned i = 0; i < g->n; i++)
        if (memcmp(g->share[i].rid, rid, RID_LEN) == 0)
            return true;
    return false;
}

static bool parse_group(struct reader *r, struct envelope_group *g)
{
    unsigned n = reader_u8(r);
    if (n < 1 || n > ENVELOPE_SHARES_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        uint8_t rid[RID_LEN];
        reader_copy(r, rid, RID_LEN);
        const uint8_t *box = reader_bytes(r, BOX_LEN);
        if (box == NULL || has_rid(g, rid))
            return false;
        memcpy(g->share[i].rid, rid, RID_LEN);
        g->share[i].box = box;
        g->n = i + 1;
    }
    return true;
}

int envelope_parse(const void *data, size_t len, struct envelope *out, struct error *err)
{
    struct reader r = reader_of(data, len);
    unsigned boxes = 0;
    memset(out, 0, sizeof *out);
    reader_copy(&r, out->kid, KID_LEN);
    unsigned n = reader_u8(&r);
    if (!reader_ok(&r) || n < 1 || n > ENVELOPE_GROUPS_MAX)
        return error_corrupt(err, ERR_ENVELOPE_SYNTAX, "envelope with %u groups", n);
    for (unsigned g = 0; g < n; g++) {
        if (!parse_group(&r, &out->group[g]))
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

/* ---- opening ----------------------------------------------------------------------------------------- */

struct keyring {
    const struct secret *const *sks;
    size_t n;
    uint8_t rid[ENVELOPE_BOXES_MAX][RID_LEN];
};

static int keyring_fill(struct keyring *ring, const struct secret *const *sks, size_t n, struct error *err)
{
    if (n > ENVELOPE_BOXES_MAX)
        return error_set(err, E_USAGE, "%zu recipient keys; at most %d are possible", n, ENVELOPE_BOXES_MAX);
    ring->sks = sks;
    ring->n = n;
    for (size_t i = 0; i < n; i++) {
        uint8_t pk[BOX_PK_LEN];
        int rc = box_public(sks[i], pk, err);
        if (rc < 0 || (rc = box_rid(pk, ring->rid[i], err)) < 0)
            return rc;
    }
    return 0;
}

static const struct secret *keyring_find(const struct keyring *ring, const uint8_t rid[RID_LEN])
{
    for (size_t i = 0; i < ring->n; i++)
        if (memcmp(ring->rid[i], rid, RID_LEN) == 0)
            return ring->sks[i];
    return NULL;
}

static bool keyring_covers(const struct keyring *ring, const struct envelope_group *g)
{
    for (unsigned i = 0; i < g->n; i++)
        if (keyring_find(ring, g->share[i].rid) == NULL)
            return false;
    return true;
}

/* The XOR of the shares of a group that the keyring covers; E_AUTH when a box does not open. */
static int combine(const struct keyring *ring, const struct envelope_group *g, uint8_t s[SHARE_LEN],
                   struct error *err)
{
    uint8_t share[SHARE_LEN];
    int rc = 0;
    memset(s, 0, SHARE_LEN);
    for (unsigned i = 0; i < g->n && rc == 0; i++) {
        rc = box_open(keyring_find(ring, g->share[i].rid), g->share[i].box, BOX_LEN, share, err);
        for (size_t k = 0; rc == 0 && k < SHARE_LEN; k++)
            s[k] ^= share[k];
    }
    secret_wipe(share, sizeof share);
    return rc;
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

int envelope_open_shares(const struct envelope *env, const struct secret *const *sks, size_t n,
                         const uint8_t mix_key[KEY_LEN], const struct session_name *name,
                         uint8_t k_s[KEY_LEN], struct error *err)
{
    struct keyring ring;
    uint8_t s[SHARE_LEN];
    unsigned broken = 0;
    int rc = keyring_fill(&ring, sks, n, err);
    if (rc < 0)
        return rc;
    for (unsigned g = 0; g < env->n; g++) {
        struct error why = ERROR_INIT;
        if (!keyring_covers(&ring, &env->group[g]))
            continue;
        rc = combine(&ring, &env->group[g], s, &why);
        if (rc == 0) {
            rc = confirm(env, s, mix_key, name, k_s, err);
            goto out;
        }
        if (rc != E_AUTH) {
            rc = error_copy(err, &why);
            goto out;
        }
        broken++;
    }
    if (broken != 0)
        rc = error_corrupt(err, ERR_ENVELOPE_KID, "session %u: a share for this key does not open",
                           name->session);
    else
        rc = error_set(err, E_AUTH, "session %u is not sealed to %s", name->session,
                       n == 1 ? "this recipient key alone" : "these recipient keys");
out:
    secret_wipe(s, sizeof s);
    return rc;
}

int envelope_open(const struct envelope *env, const struct secret *sk, const uint8_t mix_key[KEY_LEN],
                  const struct session_name *name, uint8_t k_s[KEY_LEN], struct error *err)
{
    return envelope_open_shares(env, &sk, 1, mix_key, name, k_s, err);
}
