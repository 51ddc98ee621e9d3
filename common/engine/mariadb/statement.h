/*
 * statement.h - a script's statements, one by one, as MariaDB's own client finds them.
 *
 * Knows what mariadb-dump writes: quoted names and strings, comments, comments
 * with a version whose inside is executed ("/" "*!50003 CREATE*" "/"), and lines that
 * change the delimiter. Other commands of the client are not known: they become
 * part of a statement, which then has no known shape.
 *
 *     struct statements s = statements_of(text, len);
 *     while ((rc = statements_next(&s, backslash, &one, err)) > 0) ... statement_done(&one);
 *
 * A statement comes as its text without the delimiter and as words: names in
 * backticks or double quotes are unquoted and marked, everything else is lower-cased up to a
 * space or a special character, which is a word of its own; strings keep their
 * quotes.
 */
#ifndef COMMON_ENGINE_MARIADB_STATEMENT_H
#define COMMON_ENGINE_MARIADB_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"

enum { MARIA_DELIMITER_MAX = 16, MARIA_WORDS_MAX = 1 << 20 };

struct maria_statements {
    const char *at;
    const char *end;
    char delimiter[MARIA_DELIMITER_MAX];
};

struct maria_word {
    char *text;
    const char *at; /* inside the script */
    size_t len;
    bool quoted; /* was a name in backticks or double quotes */
};

struct maria_statement {
    const char *text; /* inside the script */
    size_t len;
    struct vec words; /* struct maria_word, at most MARIA_WORDS_MAX: what follows is not split */
};

struct maria_statements maria_statements_of(const char *text, size_t len);
/* 1 and a statement (for maria_statement_free), 0 at the end, or a negative code: E_CORRUPT "mariadb-script" when a
 * quote or comment has no end. `backslash`: they escape in strings, as the session's sql_mode says now. */
int maria_statement_next(struct maria_statements *s, bool backslash, struct maria_statement *out,
                         struct error *err);
void maria_statement_free(struct maria_statement *s);

/* Word i is this keyword (lower-case, not quoted). */
bool maria_word_is(const struct maria_statement *s, size_t i, const char *keyword);
/* The first word from i on that is this keyword; the number of words when none is. */
size_t maria_word_find(const struct maria_statement *s, size_t i, const char *keyword);
/* Word i as a name, or NULL when there is none. */
const char *maria_word_name(const struct maria_statement *s, size_t i);

/* What a statement of a snapshot's script may be. */
enum maria_shape {
    SHAPE_UNKNOWN = 0,
    SHAPE_SETTING, /* of the session alone */
    SHAPE_OBJECT,  /* makes or drops one object of the database */
    SHAPE_VALUE,   /* DO SETVAL(...) */
    SHAPE_DATABASE /* ALTER DATABASE name CHARACTER SET ..., around code made under another one */
};
enum maria_shape maria_shape_of(const struct maria_statement *s);
/* The view that CREATE VIEW makes, or DROP VIEW IF EXISTS drops; NULL when it is another statement. */
const char *maria_view_made(const struct maria_statement *s);
const char *maria_view_dropped(const struct maria_statement *s);
/* The table of CREATE TRIGGER; NULL when it is another statement. */
const char *maria_trigger_table(const struct maria_statement *s);

/* The statement as it runs in the database `into`: names of `from`, where it was made, in front of an object go, as does
 * DEFINER when `no_owner`; ALTER DATABASE means `into`. */
int maria_statement_fit(const struct maria_statement *s, const char *from, const char *into, bool no_owner,
                        struct buf *out, struct error *err);

#endif
