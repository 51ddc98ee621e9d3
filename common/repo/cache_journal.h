/*
 * cache_journal.h - the append-only file behind cache.h.
 *
 * 0 "BK1CACH\n" | 8 u32 version 1 | 12 0[4] | 16 repo_id 16 | 32 writer_id 8 | 40 u64 check64 of [0, 40)
 * then entries: u32 type | u32 length | payload | u64 check64(type, length, payload).
 *
 * It lies on the local disk and is no part of the repository format; it holds chunk ids and lengths, no keys.
 * Entries are written at the end only. journal_next() walks them once, from the start:
 *
 *     while ((rc = journal_next(&scan, &entry, err)) > 0) ...
 *     if (rc == 0 && scan.torn) rc = journal_cut(&j, scan.pos, err);
 */
#ifndef COMMON_REPO_CACHE_JOURNAL_H
#define COMMON_REPO_CACHE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/repo/format.h"

enum {
    JOURNAL_VERSION = 1,
    JOURNAL_HEADER_LEN = 48,
    JOURNAL_FRAME_LEN = 16,                /* what an entry has beside its payload */
    JOURNAL_ENTRY_MAX = 128 * 1024 * 1024, /* payload: a pack's trailer is at most 64 MiB */
};

struct journal {
    int fd;
    char *path;
    uint64_t end; /* where the next entry goes */
    bool broken;  /* a write or sync failed: nobody knows what is on disk */
};

/* Opens or makes DIR/NAME. A header torn by a crash while it was made is made anew. */
int journal_open(const char *dir, const char *name, const uint8_t repo_id[REPO_ID_LEN],
                 const uint8_t writer_id[WRITER_ID_LEN], struct journal *j, struct error *err);
void journal_close(struct journal *j);

/* *at: where the payload is. The payload is one piece. */
int journal_append(struct journal *j, uint32_t type, const struct buf *payload, uint64_t *at,
                   struct error *err);
int journal_sync(struct journal *j, struct error *err);
int journal_cut(struct journal *j, uint64_t end, struct error *err);

int journal_read(const struct journal *j, uint64_t at, void *data, size_t len, struct error *err);
/* Reads and checks one whole entry by the place of its payload; replaces out. E_CORRUPT "cache-journal". */
int journal_read_entry(const struct journal *j, uint64_t at, uint32_t type, struct buf *out,
                       struct error *err);

struct journal_entry {
    uint32_t type;
    uint64_t at;            /* of the payload, in the file */
    const uint8_t *payload; /* until the next call */
    size_t len;
};

struct journal_scan {
    const struct journal *j;
    uint64_t pos;
    struct buf window;
    uint64_t window_at;
    bool torn;        /* nothing valid is at pos: the rest is to be cut off */
    unsigned damaged; /* entries that were skipped */
};

void journal_scan_init(struct journal_scan *scan, const struct journal *j);
void journal_scan_free(struct journal_scan *scan);
/* 1: an entry; 0: the end, or torn; or an error. */
int journal_next(struct journal_scan *scan, struct journal_entry *entry, struct error *err);

#endif
