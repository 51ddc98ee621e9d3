/*
 * marks.h - high-water marks: what this host has already seen, so that a server cannot show it less.
 *
 * A small text file in the local state directory, replaced atomically. The writer keeps its own head, the
 * retention head and the charter; a restore station keeps every writer's head.
 *
 *     bk1 marks 1
 *     repo REPO_ID
 *     charter VERSION HASH
 *     retention SEQ HASH          SEQ 0 with zeros: none seen
 *     writer ID SEQ HASH          0..n, sorted by ID
 *     end
 *
 *     marks_load(path, &m, err)       E_NOT_FOUND: first time here; m is empty then
 *     repo_open(..., marks = &m)      checks them: "log-rollback"
 *     repo_marks_raise(repo, &m)      after the run was good
 *     marks_save(path, &m, err)
 *     marks_free(&m)
 */
#ifndef COMMON_REPO_MARKS_H
#define COMMON_REPO_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/crypto/hash.h"
#include "common/repo/format.h"

enum { MARKS_MAX = MIB }; /* bytes of the file */

struct mark {
    uint32_t seq; /* 0: nothing seen */
    uint8_t hash[HASH_LEN];
};
struct mark_writer {
    uint8_t id[WRITER_ID_LEN];
    struct mark head;
};
struct marks {
    uint8_t repo_id[REPO_ID_LEN];
    struct mark charter;
    struct mark retention;
    struct vec writers; /* struct mark_writer, sorted by id */
};

void marks_init(struct marks *m);
void marks_free(struct marks *m);
int marks_encode(const struct marks *m, struct buf *out, struct error *err);
/* E_CORRUPT "marks-syntax". On failure `out` is empty. */
int marks_decode(const void *data, size_t len, struct marks *out, struct error *err);
int marks_load(const char *path, struct marks *out, struct error *err);
int marks_save(const char *path, const struct marks *m, struct error *err);

/* The mark of a writer, or NULL. */
const struct mark *marks_writer(const struct marks *m, const uint8_t id[WRITER_ID_LEN]);
/* Sets it, adding the writer when it is new. */
int marks_set_writer(struct marks *m, const uint8_t id[WRITER_ID_LEN], uint32_t seq,
                     const uint8_t hash[HASH_LEN], struct error *err);

#define ERR_MARKS_SYNTAX "marks-syntax"

#endif
