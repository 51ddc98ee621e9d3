/*
 * file.h - the bytes of configuration files and the names of drop-ins (inside this room).
 */
#ifndef COMMON_CONF_FILE_H
#define COMMON_CONF_FILE_H

#include <stdbool.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"

/* The whole file, NUL-terminated behind out->len. E_USAGE over CONF_FILE_MAX, or over CONF_PACKED_MAX for one that may be
 * packed and is (sources.h). */
int conf_file_read(const char *path, bool may_be_packed, struct buf *out, struct error *err);
/* Adds `dir`/?*.yaml to `out` (of char *, the caller's), sorted by name. No such directory is no failure. */
int conf_file_list(const char *dir, struct vec *out, struct error *err);
/* The directory part of a path: "." for a plain name. For free(). */
char *conf_file_dir(const char *path, struct error *err);
/* The path made absolute. For free(). */
char *conf_file_absolute(const char *path, struct error *err);

#endif
