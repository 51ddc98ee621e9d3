#include "common/engine/postgres/statement.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

#define ERR_SCRIPT "postgres-script"

enum token_kind { TOKEN_NONE, TOKEN_SPACE, TOKEN_WORD, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER, TOKEN_BROKEN };

struct statements statements_of(const char *text, size_t len)
{
    return (struct statements){ .at = text, .end = text + len };
}

static bool is_word(char c)
{
    unsigned char u = (unsigned char)c;
    return isalnum(u) || u >= 0x80 || c == '_' || c == '$';
}

/* Behind the closing mark, or NULL. Doubled marks stay inside; `escapes`: so does what follows a backslash. */
static const char *quoted_end(const char *p, const char *end, char mark, bool escapes)
{
    for (; p < end; p++) {
        if (escapes && *p == '\\' && p + 1 < end)
            p++;
        else if (*p == mark && p + 1 < end && p[1] == mark)
            p++;
        else if (*p == mark)
            return p + 1;
    }
    return NULL;
}

/* Comments nest. */
static const char *comment_end(const char *p, const char *end)
{
    size_t depth = 1;
    while (p + 1 < end) {
        bool opens = p[0] == '/' && p[1] == '*';
        bool closes = p[0] == '*' && p[1] == '/';
        depth = opens ? depth + 1 : closes ? depth - 1 : depth;
        p += opens || closes ? 2 : 1;
        if (depth == 0)
            return p;
    }
    return NULL;
}

/* Behind $tag$ ... $tag$; p itself when no such quote begins here; NULL when it has no end. */
static const char *dollar_end(const char *p, const char *end)
{
    const char *tag = p + 1;
    while (tag < end && *tag != '$' && is_word(*tag))
        tag++;
    if (tag >= end || *tag != '$' || isdigit((unsigned char)p[1]))
        return p;
    size_t len = (size_t)(tag + 1 - p);
    const char *found = memmem(tag + 1, (size_t)(end - tag - 1), p, len);
    return found != NULL ? found + len : NULL;
}

static enum token_kind quoted(const char **at, const char *end, size_t skip, char mark, bool escapes,
                              enum token_kind kind)
{
    const char *after = quoted_end(*at + skip, end, mark, escapes);
    *at = after != NULL ? after : end;
    return after != NULL ? kind : TOKEN_BROKEN;
}

static enum token_kind spacing(const char **at, const char *end)
{
    const char *p = *at;
    if (p + 1 < end && p[0] == '-' && p[1] == '-') {
        while (p < end && *p != '\n' && *p != '\r') /* the server ends it at either */
            p++;
        *at = p;
        return TOKEN_SPACE;
    }
    if (p + 1 < end && p[0] == '/' && p[1] == '*') {
        const char *after = comment_end(p + 2, end);
        *at = after != NULL ? after : end;
        return after != NULL ? TOKEN_SPACE : TOKEN_BROKEN;
    }
    while (p < end && isspace((unsigned char)*p))
        p++;
    bool any = p != *at;
    *at = p;
    return any ? TOKEN_SPACE : TOKEN_NONE;
}

/* Moves *at behind the next token. */
static enum token_kind token(const char **at, const char *end)
{
    const char *p = *at;
    if (p >= end)
        return TOKEN_NONE;
    enum token_kind kind = spacing(at, end);
    if (kind != TOKEN_NONE)
        return kind;
    if (*p == '"')
        return quoted(at, end, 1, '"', false, TOKEN_NAME);
    if (*p == '\'')
        return quoted(at, end, 1, '\'', false, TOKEN_STRING);
    if ((*p == 'E' || *p == 'e') && p + 1 < end && p[1] == '\'')
        return quoted(at, end, 2, '\'', true, TOKEN_STRING);
    if (*p == '$') {
        const char *after = dollar_end(p, end);
        *at = after == NULL ? end : after != p ? after : p + 1;
        return after == NULL ? TOKEN_BROKEN : after != p ? TOKEN_STRING : TOKEN_OTHER;
    }
    if (!is_word(*p)) {
        *at = p + 1;
        return TOKEN_OTHER;
    }
    while (p < end && is_word(*p))
        p++;
    *at = p;
    return TOKEN_WORD;
}

static int keep(struct statement *s, enum token_kind kind, const char *from, size_t len, struct error *err)
{
    if (s->words.len >= STATEMENT_WORDS_MAX)
        return 0;
    struct word *w = vec_push(&s->words, err);
    if (w == NULL || (w->text = str_dup_len(from, len, err)) == NULL)
        return E_NOMEM;
    if (kind == TOKEN_NAME) {
        size_t n = 0;
        for (size_t i = 1; i + 1 < len; i++) {
            w->text[n++] = from[i];
            i += from[i] == '"'; /* doubled */
        }
        w->text[n] = '\0';
        w->quoted = true;
    } else if (kind == TOKEN_WORD) {
        for (char *c = w->text; *c != '\0'; c++)
            *c = (char)((*c >= 'A' && *c <= 'Z') ? *c + ('a' - 'A') : *c);
    }
    return 0;
}

/* Passes over spaces, comments and psql's own lines: 1 when a statement follows, 0 at the end. */
static int skip_to_statement(struct statements *s, struct error *err)
{
    for (;;) {
        enum token_kind kind = spacing(&s->at, s->end);
        if (kind == TOKEN_BROKEN)
            return error_corrupt(err, ERR_SCRIPT, "a comment of the script has no end");
        if (kind == TOKEN_SPACE)
            continue;
        if (s->at >= s->end)
            return 0;
        if (*s->at == '\\') {
            const char *line = memchr(s->at, '\n', (size_t)(s->end - s->at));
            s->at = line != NULL ? line + 1 : s->end;
        } else if (*s->at == ';') {
            s->at++;
        } else {
            return 1;
        }
    }
}

int statement_next(struct statements *s, struct statement *out, struct error *err)
{
    *out = (struct statement){ .text = NULL, .words = VEC_OF(struct word) };
    int rc = skip_to_statement(s, err);
    if (rc <= 0)
        return rc;
    out->text = s->at;
    rc = 0;
    while (rc == 0 && s->at < s->end && *s->at != ';') {
        const char *from = s->at;
        enum token_kind kind = token(&s->at, s->end);
        if (kind == TOKEN_BROKEN)
            rc = error_corrupt(err, ERR_SCRIPT, "a quote or comment of the script has no end");
        else if (kind != TOKEN_SPACE)
            rc = keep(out, kind, from, (size_t)(s->at - from), err);
    }
    out->len = (size_t)(s->at - out->text);
    if (rc == 0 && s->at < s->end)
        s->at++;
    if (rc < 0)
        statement_free(out);
    return rc == 0 ? 1 : rc;
}

void statement_free(struct statement *s)
{
    for (size_t i = 0; i < s->words.len; i++)
        free(((struct word *)vec_at(&s->words, i))->text);
    vec_free(&s->words);
}

bool statement_is(const struct statement *s, size_t i, const char *keyword)
{
    const struct word *w = i < s->words.len ? vec_at(&s->words, i) : NULL;
    return w != NULL && !w->quoted && strcmp(w->text, keyword) == 0;
}

const char *statement_name(const struct statement *s, size_t i)
{
    const struct word *w = i < s->words.len ? vec_at(&s->words, i) : NULL;
    return w != NULL && (w->quoted || is_word(w->text[0])) ? w->text : NULL;
}
