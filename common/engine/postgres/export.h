/*
 * export.h - what the files that export share; not for others.
 */
#ifndef COMMON_ENGINE_POSTGRES_EXPORT_H
#define COMMON_ENGINE_POSTGRES_EXPORT_H

#include "common/engine/postgres/restore.h"

enum { PGSQL_EXPORT_SCHEMA_MAX = 256 * 1024 * 1024 }; /* a dump of definitions is held in memory */

/* What the program makes of `input` (borrowed until source_free); the last read has its verdict. `name` is a
 * literal. A thread of its own feeds it. */
struct source *pgsql_filter(const char *const argv[], const char *name, const struct buf *input,
                            struct error *err);

#endif
