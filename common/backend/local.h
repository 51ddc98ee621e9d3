/*
 * local.h - a backend in a local directory.
 *
 * The directory must exist. Files are created O_EXCL with `file_mode` (0440 for
 * a write-once repository), written, fsynced, and their directory is fsynced.
 * Paths are walked with openat and never follow a link.
 */
#ifndef COMMON_BACKEND_LOCAL_H
#define COMMON_BACKEND_LOCAL_H

#include "common/backend/backend.h"

struct backend *backend_local(const char *path, struct error *err);

#endif
