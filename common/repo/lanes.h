/*
 * lanes.h - which pack a blob goes to.
 *
 * Data and node blobs go to separate packs, so that a restore reads the few
 * node packs and skips nothing in the data packs; only a session whose blobs all
 * fit one pack uses one. Until that is decided, nodes wait here with their
 * frames (never more than one pack's worth).
 *
 * No threads and no I/O: full packs leave through `submit`, places through
 * `placed`. One caller at a time.
 *
 *     lanes_put(l, &blob, number, err) ...; lanes_settle(l, err); ...; lanes_finish(l, err); lanes_free(l);
 */
#ifndef COMMON_REPO_LANES_H
#define COMMON_REPO_LANES_H

#include "common/base/vec.h"
#include "common/repo/pack.h"

struct finished_pack {
    struct pack_build *build; /* bytes complete; owned by the receiver */
    struct vec blobs;         /* u32 blob numbers, in order; owned by the receiver */
};

struct lanes_config {
    struct object_author author; /* its pointers must outlive the lanes */
    uint8_t trail_key[KEY_LEN];
    uint32_t pack_size;
    uint32_t first_idx;
    /* Takes ownership of the pack, also on failure. */
    int (*submit)(void *arg, struct finished_pack *pack, struct error *err);
    int (*placed)(void *arg, uint32_t number, const struct blob_ref *ref, struct error *err);
    void *arg;
};

struct lanes;

struct lanes *lanes_new(const struct lanes_config *config, struct error *err);
/* The frame and the chunks are copied when the blob has to wait. */
int lanes_put(struct lanes *l, const struct pack_blob *blob, uint32_t number, struct error *err);
/* Places every waiting node now. More blobs may follow. */
int lanes_settle(struct lanes *l, struct error *err);
/* Settles, and submits what is open as short packs. */
int lanes_finish(struct lanes *l, struct error *err);
void lanes_free(struct lanes *l);

#endif
