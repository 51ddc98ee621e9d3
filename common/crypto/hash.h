/*
 * hash.h - the hashes of format bk1.
 *
 * hash_keyed(): BLAKE2b with key, salt 0 and a 16-byte person string, padded
 * with NUL (libsodium's generichash_blake2b_salt_personal; RFC 7693). The person
 * strings stand in `enum person`, each once.
 * file_hash: unkeyed BLAKE2b-256 as `b2sum -l 256` prints it.
 * check_hash: XXH3-128, big-endian as `xxhsum -H2` prints it; finds faults, not forgers.
 */
#ifndef COMMON_CRYPTO_HASH_H
#define COMMON_CRYPTO_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum {
    HASH_LEN = 32,
    CHECK_LEN = 16,
};

enum person {
    PERSON_WRITER,     /* "bk1 writer" */
    PERSON_VIEW,       /* "bk1 view" */
    PERSON_ID,         /* "bk1 id" */
    PERSON_CHUNK,      /* "bk1 chunk" */
    PERSON_CDC,        /* "bk1 cdc" */
    PERSON_MIX,        /* "bk1 mix" */
    PERSON_TRAIL,      /* "bk1 trail" */
    PERSON_SESSION,    /* "bk1 session" */
    PERSON_KID,        /* "bk1 kid" */
    PERSON_PACK,       /* "bk1 pack" */
    PERSON_SNAP,       /* "bk1 snap" */
    PERSON_DATA,       /* "bk1 data" */
    PERSON_NODE,       /* "bk1 node" */
    PERSON_TREE,       /* "bk1 tree" */
    PERSON_RID,        /* "bk1 rid" */
    PERSON_SEAL_KEYS,  /* "bk1 seal keys" */
    PERSON_SEAL_NONCE, /* "bk1 seal nonce" */
    PERSON_SEED,       /* "bk1 seed" */
    PERSON_GRANT,      /* "bk1 grant" */
    PERSON_REQUEST,    /* "bk1 request" */
    PERSON_APPROVE,    /* "bk1 approve" */
    PERSON_COUNT
};

/* The 16 padded bytes of a person string. */
const uint8_t *hash_person(enum person person);

/* H(person, key, msg) to out_len (16..64) bytes; key_len 0..64 (key may be NULL then). */
int hash_keyed(enum person person, const void *key, size_t key_len, const void *msg, size_t msg_len,
               void *out, size_t out_len, struct error *err);
/* The same over several pieces. */
struct hash_piece {
    const void *data;
    size_t len;
};
int hash_pieces(enum person person, const void *key, size_t key_len, const struct hash_piece *pieces,
                size_t n, void *out, size_t out_len, struct error *err);

/* Unkeyed BLAKE2b-256. */
void file_hash(const void *data, size_t len, uint8_t out[HASH_LEN]);
struct file_hash_state;
struct file_hash_state *file_hash_new(struct error *err);
void file_hash_update(struct file_hash_state *s, const void *data, size_t len);
void file_hash_final(struct file_hash_state *s,
                     uint8_t out[HASH_LEN]); /* may be called once for each beginning */
void file_hash_free(struct file_hash_state *s);
/* Keyed BLAKE2b-256 of a stream without a person: for what stays on this host. Begins again with each call. */
void file_hash_begin_keyed(struct file_hash_state *s, const uint8_t key[HASH_LEN]);
/* Unkeyed BLAKE2b-512, for signatures. */
void wide_hash(const void *data, size_t len, uint8_t out[64]);

/* XXH3-128 of a stream. */
struct check_state;
struct check_state *check_new(struct error *err);
/* With a seed; 0 is the same as none. */
struct check_state *check_new_seeded(uint64_t seed, struct error *err);
void check_reset(struct check_state *s);
void check_update(struct check_state *s, const void *data, size_t len);
void check_final(const struct check_state *s, uint8_t out[CHECK_LEN]);
void check_free(struct check_state *s);
/* XXH3-128 of one block: what the calls above give for it, faster. */
void check_hash(const void *data, size_t len, uint8_t out[CHECK_LEN]);
void check_hash_seeded(uint64_t seed, const void *data, size_t len, uint8_t out[CHECK_LEN]);
/* The same for each of n rows that stand one after the other, as numbers of 128 bits added to *high and *low. A row has
 * one byte more at its end, which is not hashed (its newline); ends[i], from data, is where the next one begins. */
void check_add_rows(uint64_t seed, const void *data, const size_t *ends, size_t n, uint64_t *high,
                    uint64_t *low);
/* XXH64 of a block, for journals on the local disk. */
uint64_t check64(const void *data, size_t len);

#endif
