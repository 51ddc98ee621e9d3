/*
 * statement.h - a script's statements, one by one.
 *
 * Knows what PostgreSQL's own tools write: quoted names and strings (also E''
 * and $tag$), comments, and lines of psql that begin with a backslash where a
 * statement could begin, which are passed over.
 *
 *     struct statements s = statements_of(text, len);
 *     while ((rc = statement_next(&s, &words, err)) > 0) ...
 *
 * A statement comes as its text without the ';' and as words: names in quotes
 * are unquoted and marked, everything else is lower-cased up to a space or a
 * special character, which is a word of its own; strings keep their quotes.
 */
#ifndef COMMON_ENGINE_POSTGRES_STATEMENT_H
#define COMMON_ENGINE_POSTGRES_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/error.h"
#include "common/base/vec.h"

struct statements {
    const char *at;
    const char *end;
};

struct word {
    char *text;
    bool quoted; /* was a name in double quotes */
};

struct statement {
    const char *text; /* inside the script */
    size_t len;
    struct vec words; /* struct word, at most STATEMENT_WORDS_MAX of them: what follows is not split */
};

enum { STATEMENT_WORDS_MAX = 64 };

struct statements statements_of(const char *text, size_t len);
/* 1 and a statement (for statement_free), 0 at the end, or a negative code: E_CORRUPT "postgres-script" when a
 * quote or comment has no end. */
int statement_next(struct statements *s, struct statement *out, struct error *err);
void statement_free(struct statement *s);
/* Word i is this keyword (lower-case, not quoted). */
bool statement_is(const struct statement *s, size_t i, const char *keyword);
/* Word i as a name, or NULL when there is none. */
const char *statement_name(const struct statement *s, size_t i);

#endif
