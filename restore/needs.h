/*
 * needs.h - which sessions' keys a snapshot needs, and the header that such a session's key is sealed in.
 *
 *     needs_of(snap, &sessions, err);                        // appends; needs the view
 *     needs_sort(&sessions);                                 // ascending, each once
 *     session_header_load(&st, writer, session, true, &header, err);
 *     session_header_free(&header);
 */
#ifndef RESTORE_NEEDS_H
#define RESTORE_NEEDS_H

#include "common/base/map.h"
#include "common/repo/approval.h"
#include "restore/snaps.h"

/* The snapshot's own session and those of its packs, as struct request_session without kid. */
int needs_of(const struct snap *snap, struct vec *sessions, struct error *err);
void needs_sort(struct vec *sessions);
bool needs_has(const struct vec *sessions, const uint8_t writer_id[WRITER_ID_LEN], uint32_t session);

struct session_header {
    struct buf bytes;
    struct object_header header; /* borrows bytes */
    struct envelope envelope;    /* borrows bytes */
};
/* From the session's snapshot object, or else from a pack. `as_signed`: only from an object whose hash is the one that
 * its writer signed, so that nobody put another session's envelope into its place; a pack is read whole for that.
 * Without it the kid still has to be proven by opening. */
int session_header_load(const struct station *st, const struct repo_writer *w, uint32_t session,
                        bool as_signed, struct session_header *out, struct error *err);
void session_header_free(struct session_header *h);

/* True when some group has all n recipients. */
bool envelope_group_has(const struct envelope_group *g, const uint8_t (*rids)[RID_LEN], size_t n);

/* A writer could put boxes of another session into an envelope: whoever opens "its" share gives away that of the other
 * one. A box seals one share once, so it stands in one session only: E_CORRUPT "envelope-copy" when it does not. */
struct box_place {
    uint8_t writer_id[WRITER_ID_LEN];
    uint32_t session;
};
#define BOXES_INIT MAP_OF(BOX_ID_LEN, sizeof(struct box_place)) /* a struct map */
int boxes_note(struct map *boxes, const uint8_t writer_id[WRITER_ID_LEN], uint32_t session,
               const struct envelope *env, struct error *err);

#endif
