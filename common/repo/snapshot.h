/*
 * snapshot.h - one published snapshot, opened as far as the keys at hand go.
 *
 *     snapshot_load(repo, writer, record, &s, err);        // the object: size and hash as signed, header at its place
 *     snapshot_open_view(s, v_w, err);                     // V_w: label, times, totals, packs
 *     snapshot_open(s, fetcher, err);                      // a recipient's key: facts, catalog
 *     snapshot_members(s, fetcher, fn, arg, err);          // every member of the catalog, in path order
 *     src = snapshot_stream(s, fetcher, &member.ref, err); // its bytes, whole and checked
 *     snapshot_free(s);
 *
 * repo, writer and record are borrowed and must outlive the snapshot. The name for people is LABEL/SESSION
 * (snapshot_name), for example "shop-db/7".
 */
#ifndef COMMON_REPO_SNAPSHOT_H
#define COMMON_REPO_SNAPSHOT_H

#include "common/archive/catalog.h"
#include "common/repo/fetch.h"
#include "common/repo/repo.h"
#include "common/repo/snap.h"
#include "common/repo/stream_reader.h"

enum { SNAPSHOT_NAME_MAX = LABEL_MAX + 16 };

struct snapshot {
    const struct repo *repo;
    const struct repo_writer *writer;
    const struct repo_record *record;
    struct buf bytes; /* the object */
    struct snap_parts parts;
    bool has_view;
    struct snap_view view;
    bool has_priv;
    struct snap_priv priv;
};

struct member {
    struct catalog_entry entry; /* path, type, mode, times, target; its body is decoded below */
    struct stream_ref ref;      /* regular members; zeros (empty) otherwise */
    const char *facts;          /* "key=value\n" lines, maybe "" */
};

/* Borrowed pointers hold during the call. A negative return stops and is returned. */
typedef int member_fn(const struct member *m, void *arg, struct error *err);

/* ERR_SNAP_MISSING, ERR_SNAP_SIZE, ERR_SNAP_HASH, ERR_SNAP_HEADER */
int snapshot_load(const struct repo *repo, const struct repo_writer *writer, const struct repo_record *record,
                  struct snapshot **out, struct error *err);
/* The same from bytes that were read before; takes them over, also on failure. */
int snapshot_from_bytes(const struct repo *repo, const struct repo_writer *writer,
                        const struct repo_record *record, struct buf *bytes, struct snapshot **out,
                        struct error *err);
int snapshot_open_view(struct snapshot *s, const struct secret *v_w, struct error *err);
/* Needs the view. E_AUTH: not sealed to this recipient. */
int snapshot_open(struct snapshot *s, struct fetcher *f, struct error *err);
/* Every rule of the catalog is checked on the way; 0 only after its end and its check. */
int snapshot_members(struct snapshot *s, struct fetcher *f, member_fn *fn, void *arg, struct error *err);
struct source *snapshot_stream(const struct snapshot *s, struct fetcher *f, const struct stream_ref *ref,
                               struct error *err);
/* LABEL/SESSION; "?/7" without the view. */
const char *snapshot_name(const struct snapshot *s, char out[SNAPSHOT_NAME_MAX]);
void snapshot_free(struct snapshot *s);

#endif
