/*
 * name.h - names of the database as file names, as SQL, and back.
 *
 * In streams and facts a name is encoded as common/engine/name.h says.
 *
 * All functions append to a struct buf, without a NUL.
 */
#ifndef COMMON_ENGINE_POSTGRES_NAME_H
#define COMMON_ENGINE_POSTGRES_NAME_H

#include "common/base/buffer.h"
#include "common/base/error.h"

int pgsql_encode(struct buf *out, const char *name, struct error *err);
/* The name behind the first `len` bytes of text, for free(); NULL with E_CORRUPT "postgres-name" when they are
 * not what pgsql_encode gives. */
char *pgsql_decode(const char *text, size_t len, struct error *err);

/* "name", quotes doubled. */
int pgsql_quote(struct buf *out, const char *name, struct error *err);
/* 'text', quotes doubled: for sessions with standard_conforming_strings. */
int pgsql_literal(struct buf *out, const char *text, struct error *err);
/* 'text' as a value of a connection string. */
int pgsql_conninfo_value(struct buf *out, const char *text, struct error *err);

#endif
