/*
 * streams.h - the members of a snapshot, by path, and their bytes.
 *
 * members_load() keeps all of them in memory: for databases, whose streams are
 * few. Trees of files are walked with snapshot_members instead.
 *
 *     struct members m;
 *     members_load(&chosen, &m, err);
 *     struct engine_streams streams = members_streams(&m);   // for engine->restore
 *     members_free(&m);
 *
 * stream_watched() is a stored stream as a source that stops with E_CANCELLED
 * when a signal asks for it.
 */
#ifndef RESTORE_STREAMS_H
#define RESTORE_STREAMS_H

#include "common/engine/engine.h"
#include "restore/chosen.h"

struct member_item {
    char *path;
    struct stream_ref ref;
    char *facts;
};

struct members {
    struct chosen *chosen;
    struct vec list; /* struct member_item, regular members in the order of their paths */
    uint64_t bytes;
};

int members_load(struct chosen *c, struct members *out, struct error *err);
void members_free(struct members *m);
const struct member_item *members_find(const struct members *m, const char *path);
/* Borrows m. */
struct engine_streams members_streams(struct members *m);

/* For source_free. */
struct source *stream_watched(struct chosen *c, struct fetcher *f, const struct stream_ref *ref,
                              struct error *err);

/* A snapshot whose streams are longer than it says must not fill a disk: ERR_STREAM_LENGTH. */
int check_total(const struct chosen *c, uint64_t bytes, struct error *err);

#endif
