/*
 * datadir.h - the directory that a data directory is built in (inside mariabackup/).
 *
 * Everything happens in DIR/INCOMPLETE-RESTORE, on the file system of DIR. Only
 * datadir_release moves it up, when nothing more can fail but the disk.
 */
#ifndef COMMON_ENGINE_MARIABACKUP_DATADIR_H
#define COMMON_ENGINE_MARIABACKUP_DATADIR_H

#include <stdbool.h>

#include "common/base/error.h"

struct mbstream;

struct datadir {
    char *dir;
    char *work; /* DIR/INCOMPLETE-RESTORE */
    bool made;  /* DIR itself is ours */
};

/* E_EXISTS when `to` is something else than an empty directory, E_NOT_FOUND when its parent is missing. Pure look. */
int datadir_possible(const char *to, struct error *err);
int datadir_make(const char *to, struct datadir *out, struct error *err);
/* Every file of the stream is there with its length. */
int datadir_compare(const struct datadir *p, const struct mbstream *m, struct error *err);
/* Flushes everything and moves it to its place. */
int datadir_release(struct datadir *p, struct error *err);
/* After a failure: removes the directories as far as they are empty. True when something is left. */
bool datadir_abandon(struct datadir *p);
void datadir_free(struct datadir *p);

#endif
