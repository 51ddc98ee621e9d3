/*
 * forget.h - what this host keeps of its drills does not grow for ever.
 *
 *     evidence_forget(state, &origin, now);       // after a drill is kept; tells what it could not do
 *
 * Of STATE/drills and the list of drills goes what is older than FORGET_DAYS, or not among the newest FORGET_MOST. These stay:
 *
 *     - the newest drill that passed, whole, of a snapshot that is still there (or of another repository, of which nothing is
 *       known now): it is that snapshot's proof;
 *     - what is signed and has not reached the evidence location yet, where there is one.
 *
 * Nothing in the evidence location is touched. Files of exercises, which are in no list, go by their age alone.
 */
#ifndef RESTORE_DRILL_FORGET_H
#define RESTORE_DRILL_FORGET_H

#include "restore/drill/evidence.h"

enum { FORGET_DAYS = 400, FORGET_MOST = 1000 };

void evidence_forget(const char *state, const struct evidence_origin *o, bool to_send, uint64_t now);

#endif
