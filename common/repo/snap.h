/*
 * snap.h - the snapshot object: what a session publishes.
 *
 *   header (object.h, second = seq) | u32 n | SEAL(V_w, "snap view", header, view) |
 *   u32 n | SEAL(K_n, "snap priv", header, priv)        both zero-padded to Padme
 *
 * The view (for retention and listings) needs only V_w: times, totals, label, notes
 * and every pack the snapshot needs. The private part needs K_n, hence a recipient's
 * key: the reference of the catalog and the facts of the run.
 *
 * Notes are facts ("key=value\n") that retention may see and people at the storage
 * may not: tag=NAME (as often as there are tags), incomplete=1, anomaly=TEXT.
 *
 * snap_build() appends the file's bytes. snap_parse() borrows its input.
 * snap_view_open() and snap_priv_open() own what they fill; free with *_free.
 */
#ifndef COMMON_REPO_SNAP_H
#define COMMON_REPO_SNAP_H

#include "common/base/vec.h"
#include "common/repo/format.h"
#include "common/repo/object.h"

struct pack_key {
    uint32_t session;
    uint32_t idx;
};

struct snap_view {
    uint64_t started; /* seconds since 1970, by the writer's clock */
    uint64_t finished;
    uint64_t logical;          /* bytes of all streams */
    uint64_t added;            /* bytes of packs this session stored */
    char label[LABEL_MAX + 1]; /* the job's name */
    char *notes;               /* owned; NULL when built: none. Never NULL when opened */
    struct vec packs;          /* struct pack_key, sorted, no duplicates */
};

struct snap_priv {
    struct stream_ref catalog;
    char *facts; /* "key=value\n" lines */
};

struct snap_parts {
    struct object_header header;
    const uint8_t *view;
    uint32_t view_len;
    const uint8_t *priv;
    uint32_t priv_len;
};

int snap_build(const struct object_author *author, uint32_t seq, const uint8_t view_key[KEY_LEN],
               const struct snap_view *view, const struct snap_priv *priv, struct buf *out,
               struct error *err);

int snap_parse(const void *data, size_t len, struct snap_parts *out, struct error *err);
int snap_view_open(const struct snap_parts *snap, const uint8_t view_key[KEY_LEN], struct snap_view *out,
                   struct error *err);
/* snap_key from object_header_key(OBJECT_SNAP, ...) */
int snap_priv_open(const struct snap_parts *snap, const uint8_t snap_key[KEY_LEN], struct snap_priv *out,
                   struct error *err);
void snap_view_free(struct snap_view *v);
void snap_priv_free(struct snap_priv *p);

bool snap_view_has(const struct snap_view *v, uint32_t session, uint32_t idx);
int pack_key_compare(const void *a, const void *b);

#endif
