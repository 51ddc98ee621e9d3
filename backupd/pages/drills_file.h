/*
 * drills_file.h - the list of drills (common/state/drills.h) in the hands of who shows it.
 *
 *     struct drills_file f = DRILLS_FILE_INIT;
 *     drills_file_look(&f, state, make, now);       // again and again; f.drills, or NULL and f.why
 *     drills_file_close(&f);
 *
 * `restore drill run` writes it: it may appear late, and a damaged one is put aside and another takes its name. Looking opens
 * what is there now. Without a file f.drills is NULL and f.why.code 0: no drill has ended here.
 *
 * The daemon makes the file (make) and keeps it open: then the files beside it, which SQLite needs, are there for the status page's
 * process, which can make none. That process cannot open another one either: it asks drills_file_changed() and makes room for
 * one that can.
 */
#ifndef BACKUPD_PAGES_DRILLS_FILE_H
#define BACKUPD_PAGES_DRILLS_FILE_H

#include <sys/types.h>

#include "common/state/drills.h"

enum { DRILLS_FILE_PAUSE = 60 }; /* seconds between two tries to open one that cannot be */

struct drills_file {
    struct drills *drills;
    struct error why; /* it is there and cannot be opened; code 0: nothing to say */
    dev_t dev;
    ino_t ino; /* 0: there was none */
    int64_t tried;
};
#define DRILLS_FILE_INIT  \
    {                     \
        .why = ERROR_INIT \
    }

void drills_file_look(struct drills_file *f, const char *state, bool make, int64_t now);
/* Another file than the one that was opened (or not found) has this name. */
bool drills_file_changed(const struct drills_file *f, const char *state);
void drills_file_close(struct drills_file *f);

#endif
