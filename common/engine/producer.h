/*
 * producer.h - programs whose output is a stream of a backup: started, read, judged.
 *
 *     struct producer_options o = { .stages = argvs, .nstages = n, .timeout_ms = ..., .stall_ms = ... };
 *     struct producer *p = producer_start(&o, err);
 *     while ((n = producer_read(p, block, sizeof block, err)) > 0)
 *         ...
 *     rc = n < 0 ? n : producer_finish(p, err);     // 0 only when every stage ended with status 0
 *     producer_free(p);
 *
 * Several stages are a pipeline: each reads what the one before writes. No shell
 * is involved; each leads a process group of its own, stderr of each is kept.
 *
 * Verdicts. Every stage must end with status 0, also one that SIGPIPE ended
 * because a later one did not read to the end. The error names the first stage
 * that failed by itself, and how many others failed with it. A stage that ends
 * while something it started still holds its output is a failure: its status
 * says nothing about bytes that are still to come. So is one that closes its
 * output and does not end. Texts hold status or signal and the last line of
 * stderr, with passwords struck out. E_IO, or E_CANCELLED when a stop was
 * requested; E_NOT_FOUND and E_DENIED from start.
 *
 * Everything in `options` is borrowed until producer_free. From one thread, that
 * lives as long as the producer (child.h).
 */
#ifndef COMMON_ENGINE_PRODUCER_H
#define COMMON_ENGINE_PRODUCER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/sys/child.h"

enum { PRODUCER_STAGES_MAX = 16 };

struct producer_options {
    const char *const *const *stages; /* argvs, each NULL-terminated */
    size_t nstages;                   /* 1..PRODUCER_STAGES_MAX */
    const char *const *env;           /* as in child.h, for every stage; or NULL */
    const char *dir;                  /* or NULL */
    uint64_t timeout_ms;              /* from start to end; 0: none */
    uint64_t stall_ms;                /* no byte, or no end after the last byte */
};

struct producer;

struct producer *producer_start(const struct producer_options *options, struct error *err);
/* 1..cap bytes, 0 at the end of the output, or a negative code. */
int64_t producer_read(struct producer *p, void *data, size_t cap, struct error *err);
/* After the end of the output: waits for the end of all stages. */
int producer_finish(struct producer *p, struct error *err);
/* A stage, for its status and stderr after finish. */
const struct child *producer_stage(const struct producer *p, size_t i);
/* Ends what still runs; NULL is fine. */
void producer_free(struct producer *p);

#endif
