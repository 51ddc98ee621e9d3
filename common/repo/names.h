/*
 * names.h - the names of all objects of a repository, and the rule of attempts.
 *
 *     charter/VVVVVVVV.AA          ret/SSSSSSSS.AA
 *     w/WRITER/log/SSSSSSSS.AA     w/WRITER/snap/NNNNNNNN.AA
 *     w/WRITER/pack/NNNNNNNN-IIIIII.AA
 *     grant/RID-GGGGGGGG.AA
 *
 * V version, S seq, N session, G grant number: 8 lower-case hex digits, 1..2^31-1.
 * I pack index: 6 hex digits, below ffffff. A attempt: 2 hex digits. WRITER is 16
 * and RID 32 hex digits. Whatever does not parse is junk: ignored and counted.
 *
 * Formatters write to `out` (NAME_TEXT_MAX bytes) and return it; they never fail
 * for values inside the limits above and do not check them.
 *
 * Attempts: a write-once account cannot overwrite a torn upload, so an object is
 * sent again under the next attempt. publish_object() does this for all kinds.
 */
#ifndef COMMON_REPO_NAMES_H
#define COMMON_REPO_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/backend/backend.h"
#include "common/base/error.h"
#include "common/crypto/sign.h"
#include "common/repo/format.h"

enum { NAME_TEXT_MAX = 64 };

enum name_kind { NAME_CHARTER, NAME_RETENTION, NAME_RECORD, NAME_SNAP, NAME_PACK, NAME_GRANT };

struct name {
    enum name_kind kind;
    uint8_t writer[WRITER_ID_LEN]; /* record, snap, pack */
    uint8_t rid[RID_LEN];          /* grant */
    uint32_t seq;                  /* charter: version; retention, record: seq; grant: number */
    uint32_t session;              /* snap, pack */
    uint32_t idx;                  /* pack */
    uint8_t attempt;
};

/* The full name of any object. */
const char *name_format(char out[NAME_TEXT_MAX], const struct name *n);
/* The directory it lives in, without a trailing '/'. */
const char *name_dir(char out[NAME_TEXT_MAX], const struct name *n);

const char *name_charter(char out[NAME_TEXT_MAX], uint32_t version, uint8_t attempt);
const char *name_retention(char out[NAME_TEXT_MAX], uint32_t seq, uint8_t attempt);
const char *name_record(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN], uint32_t seq,
                        uint8_t attempt);
const char *name_snap(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN], uint32_t session,
                      uint8_t attempt);
const char *name_pack(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN], uint32_t session,
                      uint32_t idx, uint8_t attempt);
const char *name_grant(char out[NAME_TEXT_MAX], const uint8_t rid[RID_LEN], uint32_t number, uint8_t attempt);

/* "w/ID"; name_writer_sub adds "/log", "/snap" or "/pack" (sub without the '/'). */
const char *name_writer_dir(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN]);
const char *name_writer_sub(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN], const char *sub);

/* Parses one entry of the directory where objects of `kind` live (of `writer` where the kind has one; may be
 * NULL otherwise). False: junk. `out` is then undefined. */
bool name_parse(enum name_kind kind, const uint8_t writer[WRITER_ID_LEN], const char *entry,
                struct name *out);
/* An entry of "w/": exactly 16 lower-case hex digits. */
bool name_parse_writer(const char *entry, uint8_t writer[WRITER_ID_LEN]);
/* The largest file of this kind that is ever read whole; for a pack its largest size. */
uint64_t name_limit(enum name_kind kind);

/* Judges the bytes of an attempt that is already there: true when they are what could stand there (identity
 * and signature), whatever else they say. */
typedef bool publish_valid_fn(const uint8_t *data, size_t len, void *arg);

/*
 * Publishes one object durably and sets n->attempt to the attempt that holds it. Starts at the attempt given
 * in n (normally 0: the rule of logs is to look at every attempt before the one that is written).
 *
 * valid != NULL (logs, charters, grants): an attempt that is there is read: own bytes = published already;
 * valid and
 *     different = E_CONFLICT "log-fork"; anything else is torn and the next attempt is used.
 * valid == NULL (packs, snaps): an attempt that is there is left alone and the next one is used. (n->attempt
 * may be
 *     set to the last known one + 1 to save round trips.)
 *
 * An upload that fails with a passing error is looked at and tried again, at most PUBLISH_TRIES times; other
 * errors are returned as they are. After an error it is unknown whether the object is there: call again with
 * the same bytes. E_CONFLICT without a name: all 256 attempts are used up; this identity is retired and
 * enrolled anew.
 */
enum { PUBLISH_TRIES = 4 };
int publish_object(struct backend *b, struct name *n, const void *data, size_t len, publish_valid_fn *valid,
                   void *arg, struct error *err);

#endif
