/*
 * attack_try.h - eight windows at a time as every key that format bk1 knows.
 *
 *     plan_make(&plan, &target, err);
 *     try_eight(&plan, keys, find, arg);          all symmetric kinds
 *     try_public(&plan, pk, key, find, arg);      X25519: the public key of a window is given
 *     plan_free(&plan);
 *
 * What passes a quick test (known bytes of the plaintext, a commitment, a Poly1305 tag) is opened for real
 * through target.h. The quick tests are necessary conditions of the format, so they lose nothing:
 *   blob    a compressed blob's frame begins with 01 28 b5 2f fd (codec, one zstd frame); a raw one's with 00
 *   priv    begins with a stream reference: len < 2^50, form <= 2, level <= 4, two zero bytes
 *
 * The plan is read-only after plan_make and shared by all threads.
 */
#ifndef TESTS_SUPPORT_ATTACK_TRY_H
#define TESTS_SUPPORT_ATTACK_TRY_H

#include "tests/support/attack_lanes.h"
#include "tests/support/attack_target.h"

enum { PLAN_BLOBS_ALL = 48 }; /* up to so many blobs in all, each one's message key is tried; else 3 a pack */

struct plan_blob {
    size_t pack;
    const struct trailer_blob *blob;
    const uint8_t *cipher;
    bool raw;
};
struct plan_public {
    uint8_t pk[BOX_PK_LEN];
    size_t box; /* SIZE_MAX: a recipient */
};

struct plan {
    struct target *target;
    struct vec mixes;   /* struct blake_lanes: "bk1 session" after the key block, per session with a key */
    struct vec s_of;    /* size_t: the session of each of them */
    struct vec blobs;   /* struct plan_blob: the probe of each pack */
    struct vec subs;    /* struct plan_blob: blobs whose message key is tried */
    struct vec publics; /* struct plan_public, sorted by pk */
    struct blake_lanes kid, session_text, pack, snap, seal;
};

/* Where the eight windows stand is the caller's matter: where(arg, lane) names it for people. */
struct find {
    void (*where)(void *arg, size_t lane, char out[256]);
    void *arg;
};

int plan_make(struct plan *p, struct target *t, struct error *err);
void plan_free(struct plan *p);
/* What is tried, as one line for people, to stdout. */
void plan_describe(const struct plan *p);

void try_eight(const struct plan *p, const uint8_t keys[LANES * LANE_KEY], const struct find *f);
void try_public(const struct plan *p, const uint8_t pk[BOX_PK_LEN], const uint8_t key[LANE_KEY], size_t lane,
                const struct find *f);

#endif
