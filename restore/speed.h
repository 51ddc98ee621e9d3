/*
 * speed.h - how fast restores and drills went on this station: so that a plan need not guess.
 *
 * A text file `speed` beside the marks, one line for each restore of a database that
 * ended well: "ENGINE BYTES MILLISECONDS TIME", the newest last, at most SPEED_LINES of
 * them. It is a help, nothing more: what cannot be read or written is passed over. A
 * station that keeps no marks keeps none of these either.
 */
#ifndef RESTORE_SPEED_H
#define RESTORE_SPEED_H

#include "restore/station.h"

enum { SPEED_LINES = 50 };

void speed_note(const struct station *st, const char *engine, uint64_t bytes, uint64_t ms);

struct speed {
    size_t restores; /* of this engine that were measured; 0: none, and nothing else is set */
    uint64_t bytes;  /* of all of them */
    uint64_t ms;
    uint64_t slowest; /* bytes per second */
    uint64_t fastest;
    uint64_t newest; /* seconds since 1970 */
    size_t drills;   /* how many of `restores` were drills */
};
/* Restores of this station, and drills (common/state/drills.h): their phases but the checks. A drill's throwaway server does
 * without durability and may be quicker than a real one. */
void speed_ask(const struct station *st, const char *engine, struct speed *out);

#endif
