/*
 * tree.h - a directory that a snapshot's members are restored into.
 *
 *     tree_open(path, &t, err);                  // makes it, or takes an empty one
 *     t->policy = ...                            // what of the metadata is wanted
 *     tree_file(t, &entry, source, len, ...);    // whole under its name, or not there
 *     tree_dir(t, &entry, err);                  // made; its metadata is only noted
 *     tree_link(t, &entry, unsafe, err);         // only noted
 *     tree_finish(t, missed, arg, err);          // hard links, symbolic links, metadata of directories, flush
 *     tree_undo(t);                              // instead of finish: removes everything that was made
 *     tree_free(t);
 *
 * Names come from the repository and are not trusted: every component is opened
 * below the one before without following links; absolute names, "." and ".."
 * are refused (E_CORRUPT); symbolic links are made after everything else, so
 * nothing is ever written through one. A link that leads out of the directory
 * is refused (E_DENIED) unless `unsafe`.
 *
 * Files are written as .restoring-PID-N and then renamed, never over an existing
 * name. Until tree_finish directories are 0700; what is below was flushed when
 * it returns.
 *
 * Metadata. Permissions and modification time are always restored; the set-id
 * bits of files, and file capabilities, only when the policy says so and the
 * owner was restored too. Where an ACL is not restored, the owning group gets
 * what the ACL gave it and not the ACL's mask. What was wanted and could not be
 * restored does not fail the member: it is told through lost() and counted.
 */
#ifndef RESTORE_TARGET_TREE_H
#define RESTORE_TARGET_TREE_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "common/archive/catalog.h"
#include "common/base/vec.h"
#include "common/stream/stream.h"
#include "common/archive/gaps.h"

struct tree;

enum tree_owner {
    TREE_OWNER_NONE,   /* all belongs to who restores */
    TREE_OWNER_NUMBER, /* user and group as stored */
    TREE_OWNER_NAME    /* by their names; by number where the name is not known here */
};

struct tree_policy {
    enum tree_owner owner;
    bool setid;  /* set-user-id, set-group-id and capabilities of files */
    bool xattrs; /* extended attributes and ACLs */
    bool files;  /* members are files: a time of 0 is a time. Streams of databases have none */
    /* Something of a member that could not be restored; why may be NULL. */
    void (*lost)(const char *path, const char *what, const char *why, void *arg);
    void *arg;
};

/* E_EXISTS when the path is something else than an empty directory; E_DENIED when others may write to that, or when
 * it has a default ACL. Pure look. */
int tree_possible(const char *path, struct error *err);
/* The same; what it makes is 0700 without an ACL, whatever its parent hands down. */
int tree_open(const char *path, struct tree **out, struct error *err);

/* Exactly len bytes from src, E_CORRUPT otherwise; gaps become holes (NULL: there are none). `progress` may be
 * NULL. */
int tree_file(struct tree *t, const struct catalog_entry *e, struct source *src, uint64_t len,
              const struct gaps *gaps, void (*progress)(uint64_t bytes, void *arg), void *arg,
              struct error *err);
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

/* ---- inside (tree*.c) ---------------------------------------------------------------------------------- */

/* The last name that was looked up: neighbours have the same owner. */
struct tree_name {
    char *name;
    bool known;
    unsigned id;
};

struct tree {
    char *path;
    int root;
    bool made;        /* the directory itself is ours */
    unsigned counter; /* of temporary names */
    struct vec dirs;  /* struct catalog_entry * */
    struct vec links; /* the same */
    struct tree_policy policy;
    uint64_t losses; /* calls of lost() */
    uint64_t setid;  /* files whose set-id bits or capabilities were left out, as the policy says */
    struct tree_name user, group;
    /* The directory of the last member, with its slash; -1: none. Its neighbours follow. */
    char *near;
    size_t near_len;
    int near_fd;
    uint8_t *block; /* the bytes of a file on their way */
};
/* Opens the directory that holds `path`, making what is missing when `make`; *base is the last component. The
 * descriptor or a negative code. */
int tree_walk(struct tree *t, const char *path, bool make, const char **base, struct error *err);

/* tree_meta.c: everything but the name. A negative code only for what a restore cannot do without. */
int tree_settle(struct tree *t, int fd, const struct catalog_entry *e, struct error *err);
/* The same for a symbolic link: owner and time. */
void tree_settle_link(struct tree *t, int dir, const char *base, const struct catalog_entry *e);

#endif
