/*
 * attack_curve.h - X25519 public keys of every window of a file, quickly.
 *
 * The 32 bytes at offset i, read as a number, are x(i) = b(i) + 256 * (x(i+1) - b(i+32) * 2^248). So the
 * point of offset i follows from that of i+1 by eight doublings and two additions from tables, instead of a
 * whole scalar multiplication. Walk a file backwards:
 *
 *     roller_start(&r, p + last);                 // the window there
 *     roller_emit(&r, batch);                     // its public key, as a fraction
 *     roller_back(&r, p + last - 1);              // one offset lower
 *     curve_finish(batch, pks);                   // public keys of all fractions of the batch
 *
 * The arithmetic is written apart from libsodium and compared with it by curve_self_test(). Not constant
 * time: nothing here is secret to whoever runs it.
 */
#ifndef TESTS_SUPPORT_ATTACK_CURVE_H
#define TESTS_SUPPORT_ATTACK_CURVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CURVE_BATCH = 256 };

struct fe {
    uint64_t v[5]; /* 51 bits each */
};
struct roller {
    struct fe x, y, z, t;
};
struct curve_batch {
    size_t n;
    struct fe above[CURVE_BATCH], below[CURVE_BATCH];
};

void curve_init(void);
bool curve_self_test(void);

void roller_start(struct roller *r, const uint8_t *window);
/* window: one byte before that of the last call; 33 bytes must be readable. */
void roller_back(struct roller *r, const uint8_t *window);
/* Adds the public key of the window that r stands at; the batch must not be full. */
void roller_emit(const struct roller *r, const uint8_t *window, struct curve_batch *b);
/* pks: CURVE_BATCH * 32 bytes; empties the batch. */
void curve_finish(struct curve_batch *b, uint8_t *pks);

#endif
