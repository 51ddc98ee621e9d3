/*
 * sql.h - names and texts as SQL.
 *
 * All functions append to a struct buf, without a NUL, for sessions with
 * maria_session's sql_mode: backslashes escape, double quotes are strings.
 */
#ifndef COMMON_ENGINE_MARIADB_SQL_H
#define COMMON_ENGINE_MARIADB_SQL_H

#include "common/base/buffer.h"
#include "common/base/error.h"

/* `name`, backticks doubled. */
int maria_quote(struct buf *out, const char *name, struct error *err);
/* 'text' */
int maria_literal(struct buf *out, const char *text, struct error *err);
/* A value of an option file: "text". */
int maria_option_value(struct buf *out, const char *text, struct error *err);
/* `database`.`name`, or `name` alone when database is NULL; for free(). */
char *maria_qualified(const char *database, const char *name, struct error *err);
/* 'text' and `name` as strings of their own, for free(). */
char *maria_literal_text(const char *text, struct error *err);
char *maria_quoted_text(const char *name, struct error *err);

#endif
