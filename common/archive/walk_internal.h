/*
 * walk_internal.h - what walk.c and walk_member.c share.
 */
#ifndef COMMON_ARCHIVE_WALK_INTERNAL_H
#define COMMON_ARCHIVE_WALK_INTERNAL_H

#include <fcntl.h>

#include "common/archive/walk.h"
#include "common/archive/xattr.h"
#include "common/base/map.h"

struct archive;

/* A name in a directory: the member itself, or (below) what is in it. Sorting "a" and "a/" apart gives the
 * order of whole paths. */
struct walk_name {
    char *name; /* owned by the entry with !below */
    bool below;
    bool dir; /* it was a directory when it was listed */
};

struct walk_dir {
    int fd;          /* -1: closed for now, see WALK_DIRS_OPEN */
    size_t path_len; /* of the directory's own path in walk.path */
    struct stat st;  /* when it was entered */
    struct vec names;
    size_t at;
};

struct walk {
    struct walk_options options;
    struct archive *disk; /* libarchive's cache of user and group names */
    struct stat root;
    struct vec dirs; /* struct walk_dir, from the root to the present one */
    struct buf path; /* of the present member, with NUL */
    struct buf target;
    struct xattr_set xattrs;
    struct map links;  /* struct walk_inode -> index in firsts */
    struct vec firsts; /* char *: the first name of each */
    int file;          /* the present regular file, or -1 */
};

#define WALK_DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOCTTY | O_CLOEXEC)

/* walk_list.c */
int walk_open_dir(int at, const char *name);
int walk_by_path(const void *x, const void *y);
int walk_cannot_list(const struct walk *w, struct error *err);
/* The names in d, which is open and walk.path, sorted. */
int walk_list(struct walk *w, struct walk_dir *d, struct error *err);

/* walk.c: the path of the present member, and a new one: `keep` bytes of it, then `name` or nothing. */
const char *walk_path(const struct walk *w);
int walk_set_path(struct walk *w, size_t keep, const char *name, struct error *err);

/* walk_member.c: the member walk.path, called `name` in the open directory. 1: *out; 0: told by note. */
int walk_member(struct walk *w, int dir, const struct walk_name *name, struct walk_item *out,
                struct error *err);
int walk_member_init(struct walk *w, struct error *err);
void walk_member_free(struct walk *w);
/* Whether the walk stays out of `name`, which could not be looked at, because it is on another file system. */
bool walk_is_elsewhere(const struct walk *w, int dir, const char *name);
/* A failed system call that the program as a whole suffers from, not the one file. */
bool walk_is_fatal(int sys);
void walk_tell(const struct walk *w, enum walk_note what, const char *why);

#endif
