/*
 * sample.h - how well the new bytes of a run compress, found out on a part of them.
 *
 * Text of a database becomes a quarter, what is encrypted or compressed already stays as it is: who watches for
 * that needs a number for each stream, and blobs mix streams. So one window of new bytes in sixteen is compressed on
 * trial, the first one of each stream always.
 *
 *     sample_add(s, data, len, err);               the new bytes of a stream
 *     sample_take(s, &sampled, &packed, err);      at its end; then the next stream
 *     sample_stop(s, err);                         nothing counts from now on
 *     sample_total(s, &sampled, &packed);
 *
 * Single-threaded. The window is wiped. free accepts NULL.
 */
#ifndef COMMON_REPO_SAMPLE_H
#define COMMON_REPO_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

struct sample;

struct sample *sample_new(struct error *err);
int sample_add(struct sample *s, const void *data, size_t len, struct error *err);
/* sampled 0: there were no new bytes. */
int sample_take(struct sample *s, uint64_t *sampled, uint64_t *packed, struct error *err);
int sample_stop(struct sample *s, struct error *err);
void sample_total(const struct sample *s, uint64_t *sampled, uint64_t *packed);
void sample_free(struct sample *s);

#endif
