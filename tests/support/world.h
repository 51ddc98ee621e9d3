/*
 * world.h - a whole small repository for tests: keys, charter, storage, one or more writers.
 *
 *     struct world w;
 *     world_init(&w, backend_memory(NULL), 1);      // aborts the test on failure
 *     world_backup(&w, 0, streams, n, &result, &err);
 *     world_verify(&w, CHECK_L3, &findings);
 *     world_free(&w);
 */
#ifndef TESTS_SUPPORT_WORLD_H
#define TESTS_SUPPORT_WORLD_H

#include "common/repo/check.h"
#include "common/repo/session.h"

enum { WORLD_WRITERS_MAX = 24, WORLD_PATH_MAX = 256 };

struct world {
    struct backend *backend;
    struct root_keys root;
    struct restore_kit kit;
    struct writer_keys writers[WORLD_WRITERS_MAX];
    struct retention_keys retention;
    size_t nwriters;
    uint8_t root_pk[SIGN_PK_LEN];
    char dir[WORLD_PATH_MAX]; /* state of all writers, below the temporary directory */
    const struct secret *sks[1];
    struct opener opener;
    const char *facts;          /* of every stream; NULL: "kind=test\n" */
    uint32_t chunk_avg;         /* of every stream; 0: the default */
    uint32_t session_chunk_avg; /* the same, also of catalogs; 0: what the streams say */
};

struct world_stream {
    const char *name;
    const uint8_t *data;
    size_t len;
    uint32_t page_size;
    bool no_dedup;
};

void world_init(struct world *w, struct backend *backend, size_t nwriters);
/* The same with min-keep in the charter. */
void world_init_keep(struct world *w, struct backend *backend, size_t nwriters, uint32_t min_keep_days);
void world_free(struct world *w);
/* state_dir of writer i into out. */
const char *world_state(const struct world *w, size_t i, char out[WORLD_PATH_MAX]);
void world_forget_state(const struct world *w, size_t i);
/* Through `backend` (NULL: the world's). */
int world_backup_on(struct world *w, struct backend *backend, size_t i, const struct world_stream *streams,
                    size_t n, struct session_result *result, struct error *err);
int world_backup(struct world *w, size_t i, const struct world_stream *streams, size_t n,
                 struct session_result *result, struct error *err);
/* Reads one stream of the newest live snapshot of writer i, whole. */
int world_read(struct world *w, size_t i, const char *name, struct buf *out, struct error *err);
/* The same of the record seq; 0: the newest. */
int world_read_at(struct world *w, size_t i, uint32_t seq, const char *name, struct buf *out,
                  struct error *err);
/* Findings that are not notes, or a negative code; names of the first ones in `names` ("a b c"). */
int world_verify(struct world *w, enum check_level level, char *names, size_t cap, struct error *err);

/* Bytes from a seed; `text` makes them compressible. */
void world_fill(uint8_t *out, size_t len, uint64_t seed, bool text);

#endif
