#include "common/engine/mariadb/statement.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"

#include "common/base/banned.h"

enum token_kind { TOKEN_SPACE, TOKEN_WORD, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER, TOKEN_BROKEN };

struct maria_statements maria_statements_of(const char *text, size_t len)
{
    return (struct maria_statements){ .at = text, .end = text + len, .delimiter = ";" };
}

static bool is_word(char c)
{
    unsigned char u = (unsigned char)c;
    return isalnum(u) || u >= 0x80 || c == '_' || c == '$' || c == '@';
}

static enum token_kind quoted(const char **at, const char *end, bool escapes)
{
    const char *p = *at;
    char mark = *p++;
    for (; p < end; p++) {
        if (escapes && *p == '\\' && p + 1 < end)
            p++;
        else if (*p == mark && p + 1 < end && p[1] == mark)
            p++;
        else if (*p == mark)
            break;
    }
    *at = p < end ? p + 1 : end;
    return p >= end ? TOKEN_BROKEN : mark == '`' ? TOKEN_NAME : TOKEN_STRING;
}

static const char *line_end(const char *p, const char *end)
{
    const char *line = memchr(p, '\n', (size_t)(end - p));
    return line != NULL ? line : end;
}

/* Behind the opening of a comment whose inside this server executes, or NULL. MariaDB passes over what is meant for
 * MySQL 5.7 and later, and for versions that do not exist. */
static const char *executed(const char *p, const char *end)
{
    bool own = end - p > 3 && p[2] == 'M' && p[3] == '!';
    const char *digits = p + (own ? 4 : 3);
    unsigned long version = 0;
    size_t n = 0;
    if (!own && (end - p < 3 || p[2] != '!'))
        return NULL;
    while (digits + n < end && n < 6 && isdigit((unsigned char)digits[n]))
        version = version * 10 + (unsigned long)(digits[n++] - '0');
    bool foreign = !own && version >= 50700 && version <= 99999;
    return n < 5 || foreign || version >= 999999 ? NULL : digits + n;
}

static enum token_kind comment(const char **at, const char *end)
{
    const char *inside = executed(*at, end);
    const char *close = inside == NULL ? memmem(*at + 2, (size_t)(end - *at - 2), "*/", 2) : NULL;
    if (inside == NULL && close == NULL) {
        *at = end;
        return TOKEN_BROKEN;
    }
    *at = inside != NULL ? inside : close + 2;
    return TOKEN_SPACE;
}

/* Moves *at behind the next token; *at < end. */
static enum token_kind token(const char **at, const char *end, bool backslash)
{
    const char *p = *at;
    bool two = p + 1 < end;
    if (isspace((unsigned char)*p)) {
        while (p < end && isspace((unsigned char)*p))
            p++;
        *at = p;
        return TOKEN_SPACE;
    }
    if (*p == '#' || (two && p[0] == '-' && p[1] == '-' && (p + 2 == end || isspace((unsigned char)p[2])))) {
        *at = line_end(p, end);
        return TOKEN_SPACE;
    }
    if (two && p[0] == '/' && p[1] == '*')
        return comment(at, end);
    if (two && p[0] == '*' && p[1] == '/') { /* of a comment that is executed */
        *at = p + 2;
        return TOKEN_SPACE;
    }
    if (*p == '`' || *p == '\'' || *p == '"')
        return quoted(at, end, backslash && *p != '`');
    if (!is_word(*p)) {
        *at = p + 1;
        return TOKEN_OTHER;
    }
    while (p < end && is_word(*p))
        p++;
    *at = p;
    return TOKEN_WORD;
}

static char *unquoted(const char *from, size_t len, struct error *err)
{
    char *text = str_dup_len(from + 1, len - 2, err);
    size_t to = 0;
    for (size_t i = 0; text != NULL && i + 2 < len; i++) {
        text[to++] = text[i];
        i += text[i] == from[0];
    }
    if (text != NULL)
        text[to] = '\0';
    return text;
}

static int keep(struct maria_statement *out, enum token_kind kind, const char *from, size_t len,
                struct error *err)
{
    if (out->words.len == MARIA_WORDS_MAX)
        return 0;
    struct maria_word *w = vec_push(&out->words, err);
    if (w == NULL)
        return E_NOMEM;
    w->at = from;
    w->len = len;
    w->quoted = kind == TOKEN_NAME || from[0] == '"'; /* a name where sql_mode says ANSI_QUOTES */
    w->text = w->quoted ? unquoted(from, len, err) : str_dup_len(from, len, err);
    for (char *p = w->text; p != NULL && kind == TOKEN_WORD && *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return w->text != NULL ? 0 : E_NOMEM;
}

/* "DELIMITER ;;" at the beginning of a line. True when there was one. */
static bool take_delimiter(struct maria_statements *s)
{
    static const char word[] = "DELIMITER ";
    size_t n = sizeof word - 1;
    if ((size_t)(s->end - s->at) <= n || strncasecmp(s->at, word, n) != 0)
        return false;
    const char *line = line_end(s->at, s->end);
    const char *from = s->at + n;
    size_t len = (size_t)(line - from);
    while (len > 0 && isspace((unsigned char)from[len - 1]))
        len--;
    if (len == 0 || len >= sizeof s->delimiter)
        return false;
    memcpy(s->delimiter, from, len);
    s->delimiter[len] = '\0';
    s->at = line;
    return true;
}

static bool at_delimiter(const struct maria_statements *s)
{
    size_t n = strlen(s->delimiter);
    return (size_t)(s->end - s->at) >= n && memcmp(s->at, s->delimiter, n) == 0;
}

static int broken(struct error *err)
{
    return error_corrupt(err, ERR_MARIA_SCRIPT, "a quote or comment of the script has no end");
}

/* To the first token that is part of a statement; the text of one begins before a comment that is executed. */
static int skip_to_statement(struct maria_statements *s, bool backslash, struct error *err)
{
    while (s->at < s->end) {
        const char *from = s->at;
        if (take_delimiter(s))
            continue;
        if (at_delimiter(s)) {
            s->at += strlen(s->delimiter);
            continue;
        }
        enum token_kind kind = token(&s->at, s->end, backslash);
        bool opens = kind == TOKEN_SPACE && from[0] == '/' && s->at[-1] != '/';
        if (kind == TOKEN_BROKEN)
            return broken(err);
        if (kind == TOKEN_SPACE && !opens)
            continue;
        s->at = from;
        return 1;
    }
    return 0;
}

int maria_statement_next(struct maria_statements *s, bool backslash, struct maria_statement *out,
                         struct error *err)
{
    *out = (struct maria_statement){ .text = NULL, .words = VEC_OF(struct maria_word) };
    int rc = skip_to_statement(s, backslash, err);
    if (rc <= 0)
        return rc;
    out->text = s->at;
    rc = 0;
    while (rc == 0 && s->at < s->end && !at_delimiter(s)) {
        const char *from = s->at;
        enum token_kind kind = token(&s->at, s->end, backslash);
        if (kind == TOKEN_BROKEN)
            rc = broken(err);
        else if (kind != TOKEN_SPACE)
            rc = keep(out, kind, from, (size_t)(s->at - from), err);
    }
    out->len = (size_t)(s->at - out->text);
    if (rc == 0 && s->at < s->end)
        s->at += strlen(s->delimiter);
    if (rc < 0)
        maria_statement_free(out);
    return rc == 0 ? 1 : rc;
}

void maria_statement_free(struct maria_statement *s)
{
    for (size_t i = 0; i < s->words.len; i++)
        free(((struct maria_word *)vec_at(&s->words, i))->text);
    vec_free(&s->words);
}

bool maria_word_is(const struct maria_statement *s, size_t i, const char *keyword)
{
    const struct maria_word *w = i < s->words.len ? vec_at(&s->words, i) : NULL;
    return w != NULL && !w->quoted && strcmp(w->text, keyword) == 0;
}

size_t maria_word_find(const struct maria_statement *s, size_t i, const char *keyword)
{
    while (i < s->words.len && !maria_word_is(s, i, keyword))
        i++;
    return i;
}

const char *maria_word_name(const struct maria_statement *s, size_t i)
{
    const struct maria_word *w = i < s->words.len ? vec_at(&s->words, i) : NULL;
    return w != NULL && (w->quoted || is_word(w->text[0])) ? w->text : NULL;
}
