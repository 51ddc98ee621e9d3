/*
 * archive_out.h - what the writers of archives share: libarchive writes to a sink, and the fields that every member has.
 *
 *     struct archive_out o = { .sink = sink, .what = "the catalog" };
 *     archive_write_open(a, &o, NULL, archive_out_write, NULL);
 *     rc = archive_out_done(&o, a, archive_write_header(a, entry) == ARCHIVE_OK, err);
 *     o.dropping = true;                  before an unfinished archive is freed
 *
 * libarchive never hears that the sink failed: it would then lose the memory of this output. The failure is kept and given
 * by archive_out_done(), and nothing reaches the sink after it.
 */
#ifndef COMMON_ARCHIVE_ARCHIVE_OUT_H
#define COMMON_ARCHIVE_ARCHIVE_OUT_H

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/archive/catalog.h"
#include "common/base/error.h"
#include "common/stream/stream.h"

struct archive_out {
    struct sink *sink; /* borrowed */
    const char *what;  /* "the catalog", for messages; borrowed */
    struct error why;  /* of the sink */
    bool dropping;     /* after a failure, or when it is freed unfinished */
};

/* An archive_write_callback; arg is a struct archive_out. */
la_ssize_t archive_out_write(struct archive *a, void *arg, const void *data, size_t len);

/* The outcome of a call into libarchive, where `good` says whether that call itself succeeded. E_INTERNAL, or the sink's
 * error. */
int archive_out_done(struct archive_out *o, struct archive *a, bool good, struct error *err);

/* Clears the entry and sets path, type, permissions, owner, group and target. Size, time and attributes are the caller's. */
void archive_out_fill(struct archive_entry *to, const struct catalog_entry *e);

#endif
