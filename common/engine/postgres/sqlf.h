/*
 * sqlf.h - statements with names and texts in them.
 *
 *     rc = pgsql_runf(c, err, "COMMENT ON DATABASE %I IS %L", name, text);
 *
 * %I is a name (quoted), %L a text (quoted; for sessions with
 * standard_conforming_strings), %s a piece of SQL as it is, %u an unsigned int;
 * nothing else.
 */
#ifndef COMMON_ENGINE_POSTGRES_SQLF_H
#define COMMON_ENGINE_POSTGRES_SQLF_H

#include <stdarg.h>

#include "common/engine/postgres/conn.h"

/* Appends, without a NUL. */
int pgsql_sqlf(struct buf *out, struct error *err, const char *fmt, ...);
int pgsql_runf(struct pgsql *c, struct error *err, const char *fmt, ...);
/* PQclear. */
int pgsql_queryf(struct pgsql *c, PGresult **out, struct error *err, const char *fmt, ...);

#endif
