/*
 * catalog_path.h - which paths a catalog may hold; shared by its writer and reader, and by who takes names for it.
 */
#ifndef COMMON_ARCHIVE_CATALOG_PATH_H
#define COMMON_ARCHIVE_CATALOG_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Why the path of `len` bytes is not allowed, or NULL when it is. */
const char *catalog_path_fault(const char *path, size_t len);

#endif
