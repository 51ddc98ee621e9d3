/*
 * keyfile.h - a file of secrets, with or without a passphrase (format.md 15).
 *
 * "BK1KEYF\n" | u8 role | u8 kdf (0 none, 1 argon2id13) | 0[2] | u32 mem_MiB |
 * u32 ops | salt 16 | SEAL(argon2id(pass), "keyfile", header, secrets). With kdf 0
 * mem, ops and salt are zero and the sealing key is 32 zero bytes: integrity,
 * no secrecy. Files are created 0400, exclusively, and fsynced; a file readable
 * by group or others is refused on load (E_DENIED).
 *
 * The secrets block itself is built by the owner of the role (repo/keys.h).
 */
#ifndef COMMON_CRYPTO_KEYFILE_H
#define COMMON_CRYPTO_KEYFILE_H

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/crypto/secret.h"

enum keyfile_role {
    KEYFILE_ROOT = 1,
    KEYFILE_WRITER = 2,
    KEYFILE_RETENTION = 3,
    KEYFILE_KIT = 4,    /* restore kit */
    KEYFILE_MEMBER = 5, /* quorum member: root public key and one R_i */
    KEYFILE_DRILL = 6,
};

enum {
    KEYFILE_MAX = 64 * 1024,
    KEYFILE_MEM_DEFAULT = 1024, /* MiB */
    KEYFILE_OPS_DEFAULT = 4,
    KEYFILE_MEM_MIN = 64,
    KEYFILE_MEM_MAX = 4096,
    KEYFILE_OPS_MAX = 16,
};

struct keyfile_kdf {
    uint32_t mem_mib; /* 0: default */
    uint32_t ops;     /* 0: default */
};

/* passphrase NULL: kdf 0. kdf NULL: defaults. Appends the file's bytes to out. */
int keyfile_encode(enum keyfile_role role, const struct secret *secrets, const struct secret *passphrase,
                   const struct keyfile_kdf *kdf, struct buf *out, struct error *err);
/* E_AUTH: a passphrase is needed and none given, or it is wrong. E_CORRUPT: not a key file or damaged. */
struct secret *keyfile_decode(const void *data, size_t len, enum keyfile_role *role,
                              const struct secret *passphrase, struct error *err);
/* True for what begins like a key file: not its text, nor anything else. */
bool keyfile_begins(const void *data, size_t len);
/* True when decoding needs a passphrase. */
bool keyfile_needs_passphrase(const void *data, size_t len);

int keyfile_save(const char *path, const struct buf *encoded,
                 struct error *err);                                    /* E_EXISTS: never overwrites */
int keyfile_load(const char *path, struct buf *out, struct error *err); /* wipe `out` after use */

#endif
