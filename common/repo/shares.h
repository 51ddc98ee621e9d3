/*
 * shares.h - shares of sessions that other people opened and passed on (approval.h).
 *
 * A share belongs to one box of one session: it is found by the session's name
 * and by the box, so it opens nothing but the session it was passed on for.
 *
 *     struct opened_shares set = OPENED_SHARES_INIT;
 *     shares_add(&set, writer, session, box_id, rid, share, err);
 *     const uint8_t *share = shares_find(&set, writer, session, box_id);   // SHARE_LEN bytes, borrowed
 *     shares_free(&set);                                                   // wipes
 *
 * The shares lie on guarded memory.
 */
#ifndef COMMON_REPO_SHARES_H
#define COMMON_REPO_SHARES_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/map.h"
#include "common/base/vec.h"
#include "common/crypto/secret.h"
#include "common/crypto/sign.h"
#include "common/repo/format.h"

struct opened_share {
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t session;
    uint8_t box_id[BOX_ID_LEN];
    uint8_t rid[RID_LEN]; /* whose share it is */
    uint32_t slot;        /* where its bytes are */
};
struct opened_shares {
    struct vec list;  /* struct opened_share */
    struct vec slabs; /* struct secret * */
    struct map index; /* writer, session, box -> u32 slot */
};
enum { SHARE_KEY_LEN = WRITER_ID_LEN + 4 + BOX_ID_LEN };
#define OPENED_SHARES_INIT                                                     \
    {                                                                          \
        .list = VEC_OF(struct opened_share), .slabs = VEC_OF(struct secret *), \
        .index = MAP_OF(SHARE_KEY_LEN, sizeof(uint32_t))                       \
    }

/* The first 16 bytes of F(box). */
void box_id(const uint8_t *box, size_t len, uint8_t out[BOX_ID_LEN]);

/* One that is there already stays. */
int shares_add(struct opened_shares *set, const uint8_t writer_id[WRITER_ID_LEN], uint32_t session,
               const uint8_t id[BOX_ID_LEN], const uint8_t rid[RID_LEN], const uint8_t share[SHARE_LEN],
               struct error *err);
const uint8_t *shares_bytes(const struct opened_shares *set, const struct opened_share *s);
const uint8_t *shares_find(const struct opened_shares *set, const uint8_t writer_id[WRITER_ID_LEN],
                           uint32_t session, const uint8_t id[BOX_ID_LEN]);
/* In the order of an approval: by writer, session, box. */
void shares_sort(struct opened_shares *set);
void shares_free(struct opened_shares *set);

#endif
