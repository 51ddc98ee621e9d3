/*
 * spool.h - bytes that have to wait on disk until their number is known, in a file without a name.
 *
 *     struct spool s = SPOOL_INIT;
 *     spool_open(&s, dir, err);          // a file below dir that nobody else can open; gone with the process
 *     spool_add(&s, data, len, err)...;
 *     src = spool_source(&s, err);       // from the beginning, s.len bytes; free it before the next spool_add
 *     spool_close(&s);
 */
#ifndef RESTORE_TARGET_SPOOL_H
#define RESTORE_TARGET_SPOOL_H

#include <stdint.h>

#include "common/base/buffer.h"
#include "common/stream/stream.h"

struct spool {
    int fd;
    uint64_t len;
    struct buf block; /* small additions */
};

#define SPOOL_INIT                            \
    {                                         \
        .fd = -1, .len = 0, .block = BUF_INIT \
    }

int spool_open(struct spool *s, const char *dir, struct error *err);
int spool_add(struct spool *s, const void *data, size_t len, struct error *err);
struct source *spool_source(struct spool *s, struct error *err);
void spool_close(struct spool *s);

#endif
