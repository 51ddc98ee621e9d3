/*
 * charter.h - the signed list of who may do what: the only mutable truth of a repository.
 *
 * Strict ASCII; every line ends in LF; one space between fields; lower-case hex; decimal without leading
 * zeros; lines in this order and no others:
 *
 *     bk1 charter VERSION
 *     repo REPO_ID
 *     prev HASH                     BLAKE2b-256 of the bytes of version - 1; zeros in version 1
 *     root PK
 *     pack-size BYTES               16..256 MiB, a multiple of 1 MiB
 *     min-keep DAYS                 0..36500
 *     recipient RID PK NAME [EXPIRES]      0..256, each RID once, RID = H("bk1 rid", "", PK, 16)
 *     group RID [RID ...]                  1..16, of recipients above; 1..8 RIDs, no RID twice; 64 in all
 *     writer ID PK CADENCE-HOURS FIRST [LAST]   sorted by (ID, FIRST)
 *     retention PK FIRST [LAST]                  at least one, sorted by FIRST
 *     drill PK active|retired                    0..64, each PK once
 *     sig SIGNATURE                 Ed25519 over all bytes before this line
 *
 * EXPIRES is seconds since 1970 (1 or more): from that second on the recipient gets no share. CADENCE-HOURS
 * 0..87600; 0 = never late. FIRST 1..2^31-1; LAST FIRST-1..2^31-1, where FIRST-1 closes a range that was
 * never used; no LAST = open. Ranges of one id, and of retention, do not overlap. Names are
 * [a-z0-9._-]{1,64}.
 *
 * Version 1 is signed by its own root, version n by the root named in n-1. A version keeps every writer and
 * retention line of the one before: it may close an open range and change a cadence, never alter a closed
 * range, a key or FIRST.
 *
 *     charter_init(&c); fill; charter_build(&c, root_seed, &bytes, err); charter_free(&c)
 *     charter_parse(data, len, &c, err); charter_verify(data, len, signer_pk, err)
 *     charter_follows(&old, &c, err)
 */
#ifndef COMMON_REPO_CHARTER_H
#define COMMON_REPO_CHARTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/reader.h"
#include "common/base/vec.h"
#include "common/crypto/hash.h"
#include "common/crypto/secret.h"
#include "common/crypto/sign.h"
#include "common/repo/envelope.h"
#include "common/repo/format.h"

enum {
    CHARTER_RECIPIENTS_MAX = 256,
    CHARTER_DRILLS_MAX = 64,
    CHARTER_KEEP_DAYS_MAX = 36500,
    CHARTER_CADENCE_MAX = 87600,
};
#define SEQ_OPEN UINT32_MAX /* last_seq of an open range */

struct charter_recipient {
    uint8_t rid[RID_LEN];
    uint8_t pk[BOX_PK_LEN];
    char name[NAME_MAX_LEN + 1];
    uint64_t expires; /* seconds since 1970; 0: never */
};
struct charter_group {
    unsigned n;
    uint8_t rid[ENVELOPE_SHARES_MAX][RID_LEN];
};
struct charter_writer {
    uint8_t id[WRITER_ID_LEN];
    uint8_t pk[SIGN_PK_LEN];
    uint32_t cadence_hours; /* 0: never late */
    uint32_t first_seq;
    uint32_t last_seq; /* or SEQ_OPEN */
};
struct charter_retention {
    uint8_t pk[SIGN_PK_LEN];
    uint32_t first_seq;
    uint32_t last_seq; /* or SEQ_OPEN */
};
struct charter_drill {
    uint8_t pk[SIGN_PK_LEN];
    bool active;
};
struct charter {
    uint32_t version;
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t prev[HASH_LEN];
    uint8_t root_pk[SIGN_PK_LEN];
    uint32_t pack_size; /* bytes */
    uint32_t min_keep_days;
    struct vec recipients;  /* struct charter_recipient */
    struct vec groups;      /* struct charter_group */
    struct vec writers;     /* struct charter_writer */
    struct vec retention;   /* struct charter_retention */
    struct vec drills;      /* struct charter_drill */
    uint8_t hash[HASH_LEN]; /* of the file's bytes; set by charter_parse and charter_build */
};

void charter_init(struct charter *c); /* empty: version 1, default pack size */
void charter_free(struct charter *c); /* and leaves it empty */
/* A copy to edit into the next version: version + 1, prev = hash of `from`. */
int charter_next(const struct charter *from, struct charter *out, struct error *err);

/* Sorts the lines that must be sorted, appends text and signature to out (empty before), and checks the
 * result with charter_parse: what this gives is well-formed. E_USAGE tells what is wrong with the content. */
int charter_build(struct charter *c, const struct secret *root_seed, struct buf *out, struct error *err);
/* Syntax and the ranges inside one version; not the signature. On failure `out` is empty. */
int charter_parse(const void *data, size_t len, struct charter *out, struct error *err);
/* E_CORRUPT "charter-signature". */
int charter_verify(const void *data, size_t len, const uint8_t signer[SIGN_PK_LEN], struct error *err);
/* True when the bytes end before the signature line does: an upload that was cut. */
bool charter_is_torn(const void *data, size_t len);
/* Whether `next` may follow `prev` (NULL: next is version 1). "charter-chain", "charter-repo",
 * "charter-range". */
int charter_follows(const struct charter *prev, const struct charter *next, struct error *err);

/* The line or key that is responsible for a seq, or NULL. Borrowed. */
const struct charter_writer *charter_writer_at(const struct charter *c, const uint8_t id[WRITER_ID_LEN],
                                               uint32_t seq);
/* The line of this writer with the highest range, or NULL: is it open, what is its cadence? */
const struct charter_writer *charter_writer_last(const struct charter *c, const uint8_t id[WRITER_ID_LEN]);
/* Whether it is known and its last range is closed: no record of it comes any more. */
bool charter_writer_retired(const struct charter *c, const uint8_t id[WRITER_ID_LEN]);
const uint8_t *charter_retention_key(const struct charter *c, uint32_t seq);

const struct charter_recipient *charter_recipient_find(const struct charter *c, const uint8_t rid[RID_LEN]);

/* The groups that a session at `now` (seconds) is sealed to. A group that names an expired recipient is left
 * out; E_USAGE when none is left. */
int charter_recipients(const struct charter *c, uint64_t now, struct recipients *out, struct error *err);

/* The order of writer and retention lines, for vec_sort. */
int charter_writer_order(const void *a, const void *b);
int charter_retention_order(const void *a, const void *b);

/* ---- the strict line syntax, also used by marks ----------------------------------------------------- */
enum {
    LINE_MAX_LEN = 320,
    LINE_FIELDS_MAX = 10,
};
struct line {
    char text[LINE_MAX_LEN + 1]; /* fields are cut with NUL */
    const char *field[LINE_FIELDS_MAX];
    size_t n;
};
/* Reads one line and cuts it at single spaces. False: no LF, too long, an empty field, a byte outside
 * 0x21..0x7e. */
bool line_next(struct reader *r, struct line *l);
bool line_hex(const struct line *l, size_t i, void *out, size_t len);
/* Decimal without leading zeros, min..max. */
bool line_number(const struct line *l, size_t i, uint64_t min, uint64_t max, uint64_t *out);
bool line_is(const struct line *l, size_t i, const char *word);

#endif
