/*
 * keys.h - the keys of a repository: who holds which, their files, and what is derived from them.
 *
 *     root_keys_generate(&root, err)                     the offline signing key and the repository's id
 *     restore_kit_generate(&root, &kit, err)             W, V and one recipient key
 *     writer_keys_generate(&kit, &writer, err)           a new writer id with its W_w, V_w and signing seed
 *     retention_keys_generate(&kit, &retention, err)
 *     member_kit_generate(repo_id, root_pk, &m, err)     one more recipient: a quorum member
 *
 * Every struct is filled by generate or decode and emptied by its free function (which accepts a zeroed
 * struct and may be called twice). The struct owns its secrets. On failure the struct is left zeroed.
 *
 * Key files (crypto/keyfile.h) carry a secrets block. The role says which layout; a new layout is a new role.
 * All fields are byte strings without padding; a block of another size is refused (E_CORRUPT "key-block").
 *
 *     KEYFILE_ROOT       48: 0 repo_id 16 | 16 root seed 32
 *     KEYFILE_WRITER    152: 0 repo_id 16 | 16 root pk 32 | 48 writer id 8 | 56 W_w 32 | 88 V_w 32 |
 *                            120 sign seed 32
 *     KEYFILE_RETENTION 112: 0 repo_id 16 | 16 root pk 32 | 48 V 32 | 80 sign seed 32
 *     KEYFILE_KIT       144: 0 repo_id 16 | 16 root pk 32 | 48 W 32 | 80 V 32 | 112 R (X25519 secret key) 32
 *     KEYFILE_MEMBER     80: 0 repo_id 16 | 16 root pk 32 | 48 R 32
 */
#ifndef COMMON_REPO_KEYS_H
#define COMMON_REPO_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/seal.h"
#include "common/crypto/secret.h"
#include "common/crypto/sign.h"
#include "common/repo/format.h"

#define ERR_KEY_BLOCK "key-block" /* the secrets of a key file do not have the size of their role */

struct root_keys {
    uint8_t repo_id[REPO_ID_LEN];
    struct secret *seed; /* Ed25519 */
};
struct restore_kit {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t root_pk[SIGN_PK_LEN];
    struct secret *w; /* write root */
    struct secret *v; /* view root */
    struct secret *r; /* X25519 secret key of this recipient */
};
struct writer_keys {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t root_pk[SIGN_PK_LEN];
    uint8_t writer_id[WRITER_ID_LEN];
    struct secret *w_w;
    struct secret *v_w;
    struct secret *seed; /* Ed25519 */
};
struct retention_keys {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t root_pk[SIGN_PK_LEN];
    struct secret *v;
    struct secret *seed; /* Ed25519 */
};
struct member_kit {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t root_pk[SIGN_PK_LEN];
    struct secret *r;
};

int root_keys_generate(struct root_keys *out, struct error *err);
int restore_kit_generate(const struct root_keys *root, struct restore_kit *out, struct error *err);
int writer_keys_generate(const struct restore_kit *kit, struct writer_keys *out, struct error *err);
int retention_keys_generate(const struct restore_kit *kit, struct retention_keys *out, struct error *err);
int member_kit_generate(const uint8_t repo_id[REPO_ID_LEN], const uint8_t root_pk[SIGN_PK_LEN],
                        struct member_kit *out, struct error *err);

/* The secrets block for keyfile_encode(), for secret_free(); NULL on failure. */
struct secret *root_keys_encode(const struct root_keys *k, struct error *err);
struct secret *restore_kit_encode(const struct restore_kit *k, struct error *err);
struct secret *writer_keys_encode(const struct writer_keys *k, struct error *err);
struct secret *retention_keys_encode(const struct retention_keys *k, struct error *err);
struct secret *member_kit_encode(const struct member_kit *k, struct error *err);

/* From the block that keyfile_decode() gave, with the role the caller has checked. */
int root_keys_decode(const struct secret *block, struct root_keys *out, struct error *err);
int restore_kit_decode(const struct secret *block, struct restore_kit *out, struct error *err);
int writer_keys_decode(const struct secret *block, struct writer_keys *out, struct error *err);
int retention_keys_decode(const struct secret *block, struct retention_keys *out, struct error *err);
int member_kit_decode(const struct secret *block, struct member_kit *out, struct error *err);

void root_keys_free(struct root_keys *k);
void restore_kit_free(struct restore_kit *k);
void writer_keys_free(struct writer_keys *k);
void retention_keys_free(struct retention_keys *k);
void member_kit_free(struct member_kit *k);

/* W_w = H("bk1 writer", W, id) and V_w = H("bk1 view", V, id); for secret_free(), NULL on failure. */
struct secret *writer_root_derive(const struct secret *w, const uint8_t writer_id[WRITER_ID_LEN],
                                  struct error *err);
struct secret *view_key_derive(const struct secret *v, const uint8_t writer_id[WRITER_ID_LEN],
                               struct error *err);

/* Everything that follows from W_w. It lives inside one struct secret: writer_derive() gives the secret,
 * writer_derived_of() looks into it (the pointer lives as long as the secret). */
struct writer_derived {
    uint8_t id_key[KEY_LEN];
    uint8_t chunk_key[KEY_LEN];
    uint8_t cdc_key[KEY_LEN];
    uint8_t mix_key[KEY_LEN];
    uint8_t trail_key[KEY_LEN];
};
struct secret *writer_derive(const struct secret *w_w, struct error *err);
const struct writer_derived *writer_derived_of(const struct secret *derived);

/* The writer's seed for fingerprints of rows: the first 8 bytes of H("bk1 seed", W_w, ""), little-endian. */
int writer_seed_derive(const struct secret *w_w, uint64_t *out, struct error *err);

/* Which session a key belongs to. */
struct session_name {
    uint8_t repo_id[REPO_ID_LEN];
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t session;
};

/* K_s = H("bk1 session", mix_key, repo_id || writer_id || u32 session || S). The caller keeps S and K_s on
 * guarded memory and wipes them. */
int session_key(const uint8_t mix_key[KEY_LEN], const struct session_name *name, const uint8_t s[SHARE_LEN],
                uint8_t k_s[KEY_LEN], struct error *err);
/* kid = H("bk1 kid", K_s, "") */
int session_kid(const uint8_t k_s[KEY_LEN], uint8_t kid[KID_LEN], struct error *err);

/* K_p || commit and K_n || commit from the header bytes [0, hdr_len - 32). Wipe it after use. */
struct object_keys {
    uint8_t key[KEY_LEN];
    uint8_t commit[COMMIT_LEN];
};
int pack_keys(const uint8_t k_s[KEY_LEN], const void *header, size_t len, struct object_keys *out,
              struct error *err);
int snap_keys(const uint8_t k_s[KEY_LEN], const void *header, size_t len, struct object_keys *out,
              struct error *err);

#endif
