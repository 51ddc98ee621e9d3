/*
 * envelope.h - a session's secret S, shared out to recipients.
 *
 *     kid 32 | ngroups u8 | per group: nshares u8 | per share: rid 16 | box 80
 *
 * The shares of one group XOR to S, each sealed to one recipient: a group needs all of its recipients, any
 * one group is enough. 1..16 groups, 1..8 shares in a group, at most 64 boxes. Opening recomputes K_s and
 * compares kid, so every group yields the same key or is refused.
 *
 *     charter_recipients(&charter, now, &to, err)                 writer
 *     envelope_build(s, &to, kid, &header, err)
 *
 *     envelope_parse(data, len, &env, err)                        reader
 *     envelope_open(&env, kit.r, mix_key, &session, k_s, err)
 *
 * Envelopes of grants (grant.h) have the same form with boxes of 96 bytes: behind the share stands its place,
 * H("bk1 grant", kid, repo || writer || session, 16), so that a box copied from elsewhere is noticed.
 */
#ifndef COMMON_REPO_ENVELOPE_H
#define COMMON_REPO_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/crypto/secret.h"
#include "common/crypto/sign.h"
#include "common/repo/format.h"
#include "common/repo/keys.h"
#include "common/repo/shares.h"

struct recipient {
    uint8_t rid[RID_LEN];
    uint8_t pk[BOX_PK_LEN];
};
struct recipient_group {
    unsigned n; /* 1..ENVELOPE_SHARES_MAX */
    struct recipient share[ENVELOPE_SHARES_MAX];
};
struct recipients {
    unsigned n; /* 1..ENVELOPE_GROUPS_MAX */
    struct recipient_group group[ENVELOPE_GROUPS_MAX];
};

/* A parsed envelope; the boxes point into the bytes it was parsed from. */
struct envelope_share {
    uint8_t rid[RID_LEN];
    const uint8_t *box; /* box_len bytes of the envelope, borrowed */
};
struct envelope_group {
    unsigned n;
    struct envelope_share share[ENVELOPE_SHARES_MAX];
};
struct envelope {
    uint8_t kid[KID_LEN];
    size_t box_len; /* BOX_LEN, or GRANT_BOX_LEN */
    unsigned n;
    struct envelope_group group[ENVELOPE_GROUPS_MAX];
};

/* What a reader holds: own keys, and shares that others passed on (NULL: none). Borrowed. */
struct envelope_keys {
    const struct secret *const *sks;
    size_t n;
    const struct opened_shares *opened;
};

/* Bytes that envelope_build() will append. */
size_t envelope_size(const struct recipients *to);

/* Appends the envelope. E_USAGE: the counts are outside the limits, a recipient twice in a group, or a rid
 * that is not that of its pk. */
int envelope_build(const uint8_t s[SHARE_LEN], const struct recipients *to, const uint8_t kid[KID_LEN],
                   struct buf *out, struct error *err);
/* The envelope of a grant, for this session. */
int envelope_build_grant(const uint8_t s[SHARE_LEN], const struct recipients *to, const uint8_t kid[KID_LEN],
                         const struct session_name *name, struct buf *out, struct error *err);

/* Exactly len bytes, or E_CORRUPT "envelope-syntax". */
int envelope_parse(const void *data, size_t len, struct envelope *out, struct error *err);
int envelope_parse_grant(const void *data, size_t len, struct envelope *out, struct error *err);

/* Tries every group all of whose recipients are among the n keys in `sks` (an array of pointers). k_s is
 * written only on success (keep it on guarded memory).
 *   E_AUTH                    no group can be opened with these keys
 *   E_CORRUPT "envelope-kid"  a group opened and gave another key, or a share for one of these keys does not
 *                             open (that only when no other group opens) */
int envelope_open_shares(const struct envelope *env, const struct secret *const *sks, size_t n,
                         const uint8_t mix_key[KEY_LEN], const struct session_name *name,
                         uint8_t k_s[KEY_LEN], struct error *err);
/* The same with shares of others; s (may be NULL) gets S, under the same conditions as k_s. Of a grant: a share
 * of one of these keys whose place is another session's is E_CORRUPT "grant-place". */
int envelope_open_with(const struct envelope *env, const struct envelope_keys *keys,
                       const uint8_t mix_key[KEY_LEN], const struct session_name *name, uint8_t k_s[KEY_LEN],
                       uint8_t s[SHARE_LEN], struct error *err);
/* The same with one key: groups of one share. */
int envelope_open(const struct envelope *env, const struct secret *sk, const uint8_t mix_key[KEY_LEN],
                  const struct session_name *name, uint8_t k_s[KEY_LEN], struct error *err);

/* One share alone, for whoever passes it on. E_CORRUPT "envelope-kid" or "grant-place". */
int envelope_share_open(const struct envelope *env, const struct envelope_share *share,
                        const struct secret *sk, const struct session_name *name, uint8_t out[SHARE_LEN],
                        struct error *err);

#endif
