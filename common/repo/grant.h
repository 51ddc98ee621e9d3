/*
 * grant.h - grants: old sessions' keys, sealed to a recipient who was added later.
 *
 *     grant/RID-GGGGGGGG.AA
 *      0 "BK1GRNT\n" | 8 u32 len | 12 0[4] | 16 repo_id 16 | 32 rid 16 | 48 u32 n | 52 0[4]
 *     56 n x { writer_id 8 | u32 session | u32 elen | envelope elen }      ascending by writer, session
 *
 * Envelopes are those of envelope_build_grant(); every group names rid. A grant is not signed: that an entry gives
 * the session's key is proven by kid (which must be that of the session's headers), and that a share was meant for
 * this session by its place. So forged grants open nothing, and a missing one only withholds.
 *
 * Writing, by somebody who can open the sessions:
 *     grant_begin(&g, repo_id, rid, err); grant_add(&g, writer, session, kid, s, &to, err); ...
 *     grant_publish(repo, &g, name, err);
 * Reading: grant_set_load() takes the grants of some recipients, grant_set_next() walks the envelopes of a session.
 */
#ifndef COMMON_REPO_GRANT_H
#define COMMON_REPO_GRANT_H

#include "common/repo/envelope.h"
#include "common/repo/names.h"
#include "common/repo/repo.h"

enum { GRANT_HEAD_LEN = 56, GRANT_ENVELOPE_MAX = HEADER_MAX };

/* ---- one file ---- */
struct grant_writer {
    struct buf bytes;
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t rid[RID_LEN];
    uint32_t n;
};
int grant_begin(struct grant_writer *g, const uint8_t repo_id[REPO_ID_LEN], const uint8_t rid[RID_LEN],
                struct error *err);
/* In ascending order. E_USAGE: a group without the recipient. */
int grant_add(struct grant_writer *g, const struct session_name *name, const uint8_t kid[KID_LEN],
              const uint8_t s[SHARE_LEN], const struct recipients *to, struct error *err);
/* Room for one more entry: a file has a limit. */
bool grant_full(const struct grant_writer *g);
/* Fills in the counts; the bytes are then a file. */
int grant_end(struct grant_writer *g, struct error *err);
void grant_free(struct grant_writer *g);

struct grant_entry {
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t session;
    uint32_t file;           /* of struct grant_set */
    const uint8_t *envelope; /* borrowed from the file's bytes */
    uint32_t envelope_len;
};
/* Appends the entries to `out` (struct grant_entry). E_CORRUPT "grant-syntax". */
int grant_parse(const void *data, size_t len, const uint8_t repo_id[REPO_ID_LEN], const uint8_t rid[RID_LEN],
                struct vec *out, struct error *err);
/* An upload that was cut. */
bool grant_is_torn(const void *data, size_t len);

/* ---- those of a repository ---- */
struct grant_damage {
    char where[NAME_TEXT_MAX];
    struct error why;
};
struct grant_set {
    struct vec files;   /* struct buf */
    struct vec entries; /* struct grant_entry, by writer and session */
    struct vec damage;  /* struct grant_damage: files that are no grants */
    uint64_t total;     /* bytes read */
};
/* All grants of these recipients; a damaged file is remembered and passed over. For grant_set_free(). */
int grant_set_load(const struct repo *repo, const uint8_t (*rids)[RID_LEN], size_t n, struct grant_set **out,
                   struct error *err);
/* Entries of a session: start with *pos = 0; NULL at the end. */
const struct grant_entry *grant_set_next(const struct grant_set *g, const uint8_t writer_id[WRITER_ID_LEN],
                                         uint32_t session, size_t *pos);
void grant_set_free(struct grant_set *g);

/* Under the next free number of this recipient; `name` (NAME_TEXT_MAX bytes) gets the file's. */
int grant_publish(const struct repo *repo, const struct grant_writer *g, char name[NAME_TEXT_MAX],
                  struct error *err);

#endif
