/*
 * drill_keys.h - the keys of a host that rehearses restores: what it reads with, and what it signs its reports with.
 *
 *     drill_keys_generate(&kit, ids, n, &drill, err)        where the restore kit is
 *     drill_keys_find(&drill, id)
 *     drill_keys_free(&drill)
 *
 * A drill kit opens what is sealed to its own recipient R, and of that only what the writers in it stored: it holds W_w
 * and V_w of those, not W and V. Its signing key stands in the charter as a `drill` line; the seed here is that of the
 * certificates (certificate of a drill: docs/format.md, section 23).
 *
 * KEYFILE_DRILL, 112 + 72 n bytes, n is 1..DRILL_WRITERS_MAX:
 *     0 repo_id 16 | 16 root pk 32 | 48 sign seed 32 | 80 R 32 | n x: writer id 8 | W_w 32 | V_w 32
 * The writers are strictly ascending by id; another size or order is refused (E_CORRUPT "key-block").
 */
#ifndef COMMON_REPO_DRILL_KEYS_H
#define COMMON_REPO_DRILL_KEYS_H

#include "common/base/vec.h"
#include "common/repo/keys.h"

enum { DRILL_WRITERS_MAX = 256 };

struct drill_writer {
    uint8_t id[WRITER_ID_LEN];
    struct secret *w_w;
    struct secret *v_w;
};
struct drill_keys {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t root_pk[SIGN_PK_LEN];
    struct secret *seed; /* Ed25519 */
    struct secret *r;    /* X25519 */
    struct vec writers;  /* struct drill_writer, ascending by id */
};
#define DRILL_KEYS_INIT                                                 \
    {                                                                   \
        .seed = NULL, .r = NULL, .writers = VEC_OF(struct drill_writer) \
    }

/* New R and signing seed, and the roots of these writers (WRITER_ID_LEN bytes each, any order, no id twice).
 * E_USAGE: none, or more than DRILL_WRITERS_MAX. */
int drill_keys_generate(const struct restore_kit *kit, const struct vec *ids, struct drill_keys *out,
                        struct error *err);
struct secret *drill_keys_encode(const struct drill_keys *k, struct error *err);
int drill_keys_decode(const struct secret *block, struct drill_keys *out, struct error *err);
void drill_keys_free(struct drill_keys *k); /* may be called twice */

/* NULL: the kit does not hold this writer. Borrowed. */
const struct drill_writer *drill_keys_find(const struct drill_keys *k, const uint8_t id[WRITER_ID_LEN]);

#endif
