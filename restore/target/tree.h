/*
 * tree.h - a directory that a snapshot's members are restored into.
 *
 *     tree_open(path, &t, err);                  // makes it, or takes an empty one
 *     tree_file(t, &entry, source, len, ...);    // whole under its name, or not there
 *     tree_dir(t, &entry, err);
 *     tree_link(t, &entry, unsafe, err);         // only noted
 *     tree_finish(t, missed, arg, err);          // hard links, symbolic links, modes and times of directories, fsync
 *     tree_undo(t);                              // instead of finish: removes everything that was made
 *     tree_free(t);
 *
 * Names come from the repository and are not trusted: every component is opened
 * below the one before without following links; absolute names, "." and ".."
 * are refused (E_CORRUPT); symbolic links are made after everything else, so
 * nothing is ever written through one. A link that leads out of the directory
 * is refused (E_DENIED) unless `unsafe`.
 *
 * Files are written as .restoring-PID-N, flushed, and then renamed, never over
 * an existing name. Permissions lose set-user-id, set-group-id and sticky bits:
 * the owner is whoever restores. Until tree_finish directories are 0700.
 */
#ifndef RESTORE_TARGET_TREE_H
#define RESTORE_TARGET_TREE_H

#include <stdbool.h>
#include <time.h>

#include "common/archive/catalog.h"
#include "common/base/vec.h"
#include "common/stream/stream.h"

struct tree;

/* E_EXISTS when the path is something else than an empty directory. Pure look. */
int tree_possible(const char *path, struct error *err);
int tree_open(const char *path, struct tree **out, struct error *err);

/* Exactly len bytes from src, E_CORRUPT otherwise. `progress` may be NULL. */
int tree_file(struct tree *t, const struct catalog_entry *e, struct source *src, uint64_t len,
              void (*progress)(uint64_t bytes, void *arg), void *arg, struct error *err);
int tree_dir(struct tree *t, const struct catalog_entry *e, struct error *err);
int tree_link(struct tree *t, const struct catalog_entry *e, bool unsafe, struct error *err);

/* One member that could not be made; a negative return stops. */
typedef int tree_missed_fn(const char *path, const struct error *why, void *arg, struct error *err);
int tree_finish(struct tree *t, tree_missed_fn *missed, void *arg, struct error *err);
void tree_undo(struct tree *t);
void tree_free(struct tree *t);

/* True when a symbolic link at `path` with this target stays inside: not absolute, and ".." only at its
 * beginning and not above the top. */
bool tree_link_stays(const char *path, const char *target);

/* ---- inside (tree.c, tree_finish.c) -------------------------------------------------------------------- */
struct tree_dir_note {
    char *path;
    unsigned mode;
    int64_t mtime;
    uint32_t nsec;
};
struct tree_link_note {
    char *path;
    char *target;
    bool hard;
    int64_t mtime;
    uint32_t nsec;
};
struct tree {
    char *path;
    int root;
    bool made;        /* the directory itself is ours */
    unsigned counter; /* of temporary names */
    struct vec dirs;  /* struct tree_dir_note, in the order of the catalog */
    struct vec links; /* struct tree_link_note */
};
/* Opens the directory that holds `path`, making what is missing when `make`; *base is the last component. The
 * descriptor or a negative code. */
int tree_walk(const struct tree *t, const char *path, bool make, const char **base, struct error *err);

/* For utimensat: only the modification time, and nothing for 0: streams of databases have none. */
void tree_times(int64_t seconds, uint32_t nsec, struct timespec out[2]);

#endif
