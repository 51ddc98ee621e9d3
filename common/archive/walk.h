/*
 * walk.h - the members of a directory tree, in the order a catalog wants.
 *
 *     struct walk *w = walk_open(&options, err);
 *     while ((rc = walk_next(w, &item, err)) == 1) ...;      // 0: the end; negative: only close is legal
 *     walk_close(w);
 *
 * Members come sorted by the bytes of their paths ("a", "a-b", "a/c": a directory
 * before what is in it, but not right before it). The root itself is no member.
 * Each step is taken below an open directory and never follows a link, so a path
 * may be longer than PATH_MAX, and who swaps a directory for a link while the
 * walk is on its way leads it nowhere.
 *
 * A regular file comes open, with metadata of that very file; item.fd belongs to
 * the walk and is closed by the next call. A file that was met before under
 * another name (same device, inode and birth) comes as a hard link to it.
 *
 * What cannot be stored or read is no failure of the walk; it is told through
 * `note`. A failure is: a root that is no directory, a directory that may not be
 * listed, too few descriptors, no memory.
 *
 * Memory: the names of the directories from the root to the present one, and one
 * path for each file with several names. Descriptors: at most WALK_DIRS_OPEN and
 * a few.
 */
#ifndef COMMON_ARCHIVE_WALK_H
#define COMMON_ARCHIVE_WALK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/archive/catalog.h"

enum { WALK_DIRS_OPEN = 64 };

enum walk_note {
    WALK_EXCLUDED, /* a pattern said so */
    WALK_SPECIAL,  /* a fifo, a socket, a device */
    WALK_MOUNT,  /* a directory of another file system: stored empty, or not when even its owner is hidden */
    WALK_UNREAD, /* it vanished, or cannot be opened: not among the members */
    WALK_DIR_CHANGED, /* entries came or went while the directory was read */
    WALK_METADATA     /* the member comes, but without all of its extended attributes */
};

/* `path` is relative to the root ("." for the root); `why` is a text for people. Both hold during the call. */
typedef void walk_note_fn(void *arg, enum walk_note what, const char *path, const char *why);

struct walk_options {
    const char *root; /* may be a link to a directory: the operator named it */
    bool one_file_system;
    /* Whether a member is left out, with all that is below it. May be NULL. */
    bool (*excluded)(void *arg, const char *path, bool is_dir);
    /* A directory before it is listed: 0; 1 leaves out what is in it; a negative return ends the walk. May be NULL. */
    int (*enter)(void *arg, int dir, const char *path, struct error *err);
    walk_note_fn *note;
    void *arg;
};

struct walk_item {
    struct catalog_entry entry; /* holds until the next call */
    struct stat st;
    int fd; /* regular files; else -1 */
};

struct walk;

struct walk *walk_open(const struct walk_options *options, struct error *err);
int walk_next(struct walk *w, struct walk_item *out, struct error *err);
/* Of the root, as it was opened. */
const struct stat *walk_root(const struct walk *w);
void walk_close(struct walk *w);

#endif
