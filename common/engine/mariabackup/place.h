/*
 * place.h - the directory that a data directory is built in (inside mariabackup/).
 *
 * Everything happens in DIR/INCOMPLETE-RESTORE, on the file system of DIR. Only
 * place_release moves it up, when nothing more can fail but the disk.
 */
#ifndef COMMON_ENGINE_MARIABACKUP_PLACE_H
#define COMMON_ENGINE_MARIABACKUP_PLACE_H

#include <stdbool.h>

#include "common/base/error.h"

struct mbstream;

struct place {
    char *dir;
    char *work; /* DIR/INCOMPLETE-RESTORE */
    bool made;  /* DIR itself is ours */
};

/* E_EXISTS when `to` is something else than an empty directory, E_NOT_FOUND when its parent is missing. Pure look. */
int place_possible(const char *to, struct error *err);
int place_make(const char *to, struct place *out, struct error *err);
/* Every file of the stream is there with its length. */
int place_compare(const struct place *p, const struct mbstream *m, struct error *err);
/* Flushes everything and moves it to its place. */
int place_release(struct place *p, struct error *err);
/* After a failure: removes the directories as far as they are empty. True when something is left. */
bool place_abandon(struct place *p);
void place_free(struct place *p);

#endif
