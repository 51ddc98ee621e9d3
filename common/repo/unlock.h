/*
 * unlock.h - from an envelope to a session's key: own keys, shares of others, grants.
 *
 *     struct unlock u;
 *     unlock_init(&u, repo, &opener);
 *     unlock_session(&u, &env, mix_key, &name, k_s, NULL, err);
 *     unlock_free(&u);
 *
 * First the envelope of the session's header is tried, with the own keys and with shares that other people passed
 * on (opener.opened). Only when that is E_AUTH the grants are read, once: those of the own recipients and of the
 * people whose shares there are. What is refused is explained with the names of the newest charter: who else would
 * have to help.
 */
#ifndef COMMON_REPO_UNLOCK_H
#define COMMON_REPO_UNLOCK_H

#include "common/repo/grant.h"
#include "common/repo/opener.h"

struct unlock {
    const struct repo *repo;
    const struct opener *opener;
    struct grant_set *grants; /* NULL: not read yet */
    uint64_t by_grant;        /* sessions that only a grant opened */
};

void unlock_init(struct unlock *u, const struct repo *repo, const struct opener *opener);
void unlock_free(struct unlock *u);

/* k_s as in envelope_open_with(); s (may be NULL) gets S.
 *   E_AUTH                     these keys and shares are not enough: the text says who else is needed
 *   E_CORRUPT "envelope-kid"   as in envelope_open_shares; also of a grant when nothing else opens ("grant-place",
 *                              "grant-syntax" likewise) */
int unlock_session(struct unlock *u, const struct envelope *env, const uint8_t mix_key[KEY_LEN],
                   const struct session_name *name, uint8_t k_s[KEY_LEN], uint8_t s[SHARE_LEN],
                   struct error *err);
/* 0: the own keys have a share in some group of the envelope, and every such share opens: more is not to be seen without
 * the others. E_AUTH: no group names them; E_CORRUPT "envelope-kid": a share does not open. */
int unlock_share(const struct unlock *u, const struct envelope *env, const struct session_name *name,
                 struct error *err);
/* The grants of the opener's people. Borrowed. */
int unlock_grants(struct unlock *u, const struct grant_set **out, struct error *err);

#endif
