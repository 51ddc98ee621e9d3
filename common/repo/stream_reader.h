/*
 * stream_reader.h - a stored stream as a source of bytes.
 *
 * stream_reader() walks the tree with one node per level in memory, fetches the
 * blobs of a node in storage order, and checks everything: levels, lengths, the
 * view, and at the end the length and the check of the whole stream. A source
 * that ends with 0 was the stream, whole; any error means that what was read
 * must not be trusted.
 */
#ifndef COMMON_REPO_STREAM_READER_H
#define COMMON_REPO_STREAM_READER_H

#include "common/repo/fetch.h"
#include "common/stream/stream.h"

/* f and view are borrowed until source_free. One reader of a fetcher at a time is the fast case; several work. */
struct source *stream_reader(struct fetcher *f, const struct snap_view *view, const struct stream_ref *ref,
                             struct error *err);

/* Calls fn for every blob reference below a stream reference, nodes before what they list; each node is decoded
 * and checked. fn may return 1 to leave out what a node lists (seen already), 0 to go on, or an error. */
typedef int tree_visit_fn(void *arg, enum blob_kind kind, const struct blob_ref *ref, struct error *err);
int stream_visit(struct fetcher *f, const struct snap_view *view, const struct stream_ref *ref,
                 tree_visit_fn *fn, void *arg, struct error *err);

#endif
