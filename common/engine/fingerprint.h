/*
 * fingerprint.h - what a table holds, in 128 bits, whatever the order of its rows.
 *
 * The sum modulo 2^128 of XXH3-128 with a seed over the bytes of each row. Rows
 * that occur twice count twice; the order does not count, so a restored table
 * can be compared with the one that was backed up. What the bytes of a row are
 * is the engine's matter and stands in docs/format.md.
 *
 * It finds faults, not forgers. The seed is a secret of the writer and the same
 * every night: who only writes into the database cannot make rows that cancel
 * each other out without it, but nothing rests on that. Against forgers stand
 * the seal and the signature. Fingerprints with different seeds cannot be
 * compared; the seed is a fact of the snapshot, sealed with it.
 *
 *     struct fingerprint *fp = fingerprint_new(job->fingerprint_seed, err);
 *     fingerprint_lines(fp, data, len);             // rows that end with '\n', cut anywhere
 *     fingerprint_whole(fp, data, ends, n);         // whole rows whose ends are known: the quickest
 *     fingerprint_piece(fp, ...), fingerprint_row(fp);   // or rows that the caller knows the ends of
 *     if (fingerprint_partial(fp)) ...              // the last row has no end: not complete
 *     fingerprint_text(fp, text);                   // "xxh3-128-sum:" and 32 hex digits
 *     fingerprint_free(fp);
 *
 * Not thread-safe. NULL is fine for free only.
 */
#ifndef COMMON_ENGINE_FINGERPRINT_H
#define COMMON_ENGINE_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

#define FINGERPRINT_METHOD "xxh3-128-sum"
enum { FINGERPRINT_TEXT_MAX = sizeof FINGERPRINT_METHOD + 1 + 32 };

struct fingerprint;

/* seed 0: without one. */
struct fingerprint *fingerprint_new(uint64_t seed, struct error *err);
/* The next bytes of text rows; the line ends are no part of the rows. */
void fingerprint_lines(struct fingerprint *fp, const void *data, size_t len);
/* n whole rows with their line ends, one after the other; ends[i], from data, is where the next one begins. Not when a
 * row is open. */
void fingerprint_whole(struct fingerprint *fp, const void *data, const size_t *ends, size_t n);
/* The next bytes of the current row, then its end. */
void fingerprint_piece(struct fingerprint *fp, const void *data, size_t len);
void fingerprint_row(struct fingerprint *fp);
/* A row was begun and not ended. */
bool fingerprint_partial(const struct fingerprint *fp);
uint64_t fingerprint_rows(const struct fingerprint *fp);
const char *fingerprint_text(const struct fingerprint *fp, char out[FINGERPRINT_TEXT_MAX]);
/* Makes `sum` the fingerprint of two sets of rows together. False when one is no fingerprint. */
bool fingerprint_join(char sum[FINGERPRINT_TEXT_MAX], const char *other);
#define FINGERPRINT_NONE FINGERPRINT_METHOD ":00000000000000000000000000000000"
/* The seed as a fact of a snapshot, and back: 0 when there is none; E_UNSUPPORTED when it cannot be read. */
#define FINGERPRINT_SEED_FACT "fingerprint_seed"
int fingerprint_seed_fact(uint64_t seed, struct buf *out, struct error *err);
int fingerprint_seed_read(const char *facts, uint64_t *out, struct error *err);
void fingerprint_free(struct fingerprint *fp);

#endif
