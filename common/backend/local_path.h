/*
 * local_path.h - walking below the root of a local backend, and its errors.
 *
 * Directories are opened O_PATH one component after the other, so that no
 * symbolic link below the root is ever followed.
 */
#ifndef COMMON_BACKEND_LOCAL_PATH_H
#define COMMON_BACKEND_LOCAL_PATH_H

#include "common/backend/backend.h"

struct local {
    struct backend base;
    int root; /* O_PATH */
};

int local_root(const struct backend *b);
/* Nothing for a negative fd. */
void local_close_fd(int fd);
/* openat that follows no link and survives EINTR. */
int local_open_step(int dir, const char *name, int flags);
/* Opens the directory that holds `name`; *last is its final component. Returns -1 with errno. */
int local_open_parent(const struct backend *b, const char *name, const char **last);
/* fsync of an O_PATH directory; file systems that cannot are as durable as they get. -1 with errno. */
int local_sync_dir(int dir);
int local_space_of(int dir, struct backend_space *space);

/* From errno: a walk that met a link, a write that met a full disk. */
int local_walk_error(const struct backend *b, const char *what, const char *name, struct error *err);
int local_write_error(const struct backend *b, const char *what, const char *name, struct error *err);
int local_no_space(const struct backend *b, const char *name, struct error *err);

#endif
