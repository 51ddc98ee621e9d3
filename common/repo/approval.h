/*
 * approval.h - requests and approvals: how a second person helps to open exactly some sessions.
 *
 * The one who restores (requester) writes a request: the snapshots, the sessions their keys are needed of, and a
 * public key made for this request alone. The second person (approver) looks at it, opens the own shares of those
 * sessions and seals them to that key. docs/format.md, "Requests and approvals", has the bytes.
 *
 *     request_begin(&q, charter, own R, e_pk)...            requester
 *     request_encode(&q, r, recipients, n, &bytes, err)
 *     state = request_state_encode(e_sk, bytes)             a file of mode 0600, never passed on
 *
 *     request_parse(data, len, &q, err)                     approver: syntax
 *     request_verify(&q, r, requester_pk, now, err)         it is of that person, unaltered, in time
 *     approval_encode(&a, &q, r, requester_pk, &shares, &bytes, err)
 *
 *     approval_parse(data, len, &a, err)                    requester
 *     approval_open(&a, &q, e_sk, r, approver_pk, now, &shares, err)
 *
 * What the approver saw is what is bound: a request is authenticated between the requester's key and each
 * recipient's (nobody else can make or change one), an approval names the request by its hash, and it opens only
 * with the key of that request and the requester's own key together. Shares of sessions that the request does not
 * list are refused. The expiry is kept by programs, not by cryptography: a share that was opened stays open.
 */
#ifndef COMMON_REPO_APPROVAL_H
#define COMMON_REPO_APPROVAL_H

#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/vec.h"
#include "common/crypto/hash.h"
#include "common/repo/charter.h"
#include "common/repo/shares.h"

enum { APPROVAL_HEAD_LEN = 192, REQUEST_HEAD_LEN = 112 };

struct request_snapshot {
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t seq;
    uint32_t session;
    uint64_t time;          /* of the record */
    uint8_t hash[HASH_LEN]; /* of the record */
    char label[LABEL_MAX + 1];
};
struct request_session {
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t session;
    uint8_t kid[KID_LEN];
};
struct request_mac {
    uint8_t rid[RID_LEN];
    uint8_t mac[HASH_LEN];
};
struct request {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t rid[RID_LEN]; /* the requester's */
    uint8_t e_pk[BOX_PK_LEN];
    uint64_t created; /* seconds */
    uint64_t expires;
    struct vec snapshots; /* struct request_snapshot, by writer and seq */
    struct vec sessions;  /* struct request_session, by writer and session */
    char by[REQUEST_BY_MAX + 1];
    char reason[REQUEST_REASON_MAX + 1];
    /* set by encode and parse */
    struct vec macs;      /* struct request_mac, by rid */
    uint8_t id[HASH_LEN]; /* F of everything before the macs */
    struct buf head;      /* those bytes */
};

void request_init(struct request *q);
void request_free(struct request *q);
/* Sorts the lists, drops doubles, and appends the file. `to`: everybody who may approve; r: the requester's key. */
int request_encode(struct request *q, const struct secret *r, const struct charter_recipient *to, size_t n,
                   struct buf *out, struct error *err);
/* Fills q, also with request_free() to come after a failure. E_CORRUPT "request-syntax". */
int request_parse(const void *data, size_t len, struct request *q, struct error *err);
/* r: the approver's key, requester_pk: of the charter. E_CORRUPT "request-auth"; E_AUTH: it is not meant for this key;
 * E_CONFLICT "request-expired" (also one from the future). */
int request_verify(const struct request *q, const struct secret *r, const uint8_t requester_pk[BOX_PK_LEN],
                   uint64_t now, struct error *err);
const struct request_session *request_session_find(const struct request *q,
                                                   const uint8_t writer_id[WRITER_ID_LEN], uint32_t session);
/* What people compare: the first 8 bytes of id as "0123-4567-89ab-cdef". */
enum { REQUEST_CODE_MAX = 24 };
const char *request_code(const struct request *q, char out[REQUEST_CODE_MAX]);

/* The requester's own file: the secret key and the request. */
int request_state_encode(const struct secret *e_sk, const struct buf *request, struct buf *out,
                         struct error *err);
/* E_CORRUPT "request-syntax". *e_sk for secret_free(). */
int request_state_parse(const void *data, size_t len, struct secret **e_sk, struct request *q,
                        struct error *err);

struct approval {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t request_id[HASH_LEN];
    uint8_t approver[RID_LEN];
    uint8_t requester[RID_LEN];
    uint64_t time;
    uint64_t expires;
    /* set by parse; borrowed from its bytes */
    const uint8_t *data;
    size_t len;
};

/* a: times; the rest is filled in from q. r: the approver's key. */
int approval_encode(struct approval *a, const struct request *q, const struct secret *r,
                    const uint8_t requester_pk[BOX_PK_LEN], struct opened_shares *shares, struct buf *out,
                    struct error *err);
/* E_CORRUPT "approval-syntax" */
int approval_parse(const void *data, size_t len, struct approval *a, struct error *err);
/* Adds to `shares` only after everything was checked. E_CONFLICT "approval-request", "approval-expired"; E_CORRUPT
 * "approval-auth", "approval-sessions", "approval-syntax". */
int approval_open(const struct approval *a, const struct request *q, const struct secret *e_sk,
                  const struct secret *r, const uint8_t approver_pk[BOX_PK_LEN], uint64_t now,
                  struct opened_shares *shares, struct error *err);

#endif
