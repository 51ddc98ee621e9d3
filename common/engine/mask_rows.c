/* Rows on their way into a database: fields of masked columns are replaced, everything else passes as it is. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/engine/mask.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 17, BLANKS = 64 };

struct rows {
    struct source base;
    struct source *inner;
    struct mask_table *t;
    struct mask_hash *h;
    struct fingerprint *before;
    struct fingerprint *after;
    struct buf out;
    size_t given; /* of out */
    uint8_t *block;
    struct mask_column **of; /* one for each field of a row: its column, or NULL */
    size_t field;            /* that is being read */
    uint64_t seen;           /* bytes of it, before they are unescaped */
    uint64_t blanks;         /* at its end, not hashed yet */
    bool begun;              /* something of this row was seen */
    bool escaped;            /* a backslash came last */
    bool null;               /* it began with \N */
};

/* ---- one field ---------------------------------------------------------------------------------------------- */

/* Blanks at the end count only when something follows, where the type says so. */
static void hash_some(struct rows *r, const char *p, size_t len)
{
    static const char blanks[] = "                                                                ";
    const struct mask_column *c = r->of[r->field];
    _Static_assert(sizeof blanks > BLANKS, "as many blanks as are taken");
    size_t tail = 0;
    while (c->blanks && tail < len && p[len - 1 - tail] == ' ')
        tail++;
    for (; tail < len && r->blanks > 0; r->blanks -= r->blanks < BLANKS ? r->blanks : BLANKS)
        mask_hash_add(r->h, blanks, r->blanks < BLANKS ? (size_t)r->blanks : BLANKS);
    mask_hash_add(r->h, p, len - tail);
    r->blanks += tail;
}

static int put_escaped(const struct rows *r, struct buf *out, const char *text, struct error *err)
{
    const struct mask_escapes *e = r->t->escapes;
    int rc = 0;
    for (; rc == 0 && *text != '\0'; text++) {
        const char *at = memchr(e->bytes, *text, e->n);
        const char pair[2] = { '\\', at != NULL ? e->letters[at - e->bytes] : '\\' };
        rc = at != NULL || *text == '\\' ? buf_append(out, pair, 2, err) : buf_append(out, text, 1, err);
    }
    return rc;
}

static int put_hash(struct rows *r, const struct mask_column *c, struct error *err)
{
    char text[MASK_HASH_MAX + 1];
    mask_hash_text(r->h, text);
    int rc = buf_append(&r->out, text, strlen(text), err);
    for (size_t n = strlen(text); rc == 0 && n < c->width; n++)
        rc = buf_append(&r->out, " ", 1, err);
    return rc;
}

static int end_masked(struct rows *r, struct mask_column *c, struct error *err)
{
    if (c->rule == MASK_CONSTANT) {
        c->changed++;
        return put_escaped(r, &r->out, c->constant, err);
    }
    c->changed += !r->null;
    if (c->rule == MASK_HASH && !r->null)
        return put_hash(r, c, err);
    return buf_append(&r->out, "\\N", 2, err);
}

static void begin_field(struct rows *r)
{
    r->seen = 0;
    r->blanks = 0;
    r->null = false;
    if (r->field < r->t->fields && r->of[r->field] != NULL && r->of[r->field]->rule == MASK_HASH)
        mask_hash_begin(r->h);
}

/* `mark` is a tab or a newline. */
static int end_field(struct rows *r, char mark, struct error *err)
{
    struct mask_column *c = r->of[r->field];
    int rc = c != NULL ? end_masked(r, c, err) : 0;
    rc = rc == 0 ? buf_append(&r->out, &mark, 1, err) : rc;
    r->field++;
    if (rc == 0 && mark == '\n' && r->field != r->t->fields)
        return error_corrupt(err, r->t->escapes->violation, "a row with %zu of %zu columns", r->field,
                             r->t->fields);
    if (rc == 0 && mark == '\t' && r->field == r->t->fields)
        return error_corrupt(err, r->t->escapes->violation, "a row with more than %zu columns", r->t->fields);
    if (mark == '\n') {
        r->field = 0;
        r->begun = false;
    }
    begin_field(r);
    return rc;
}

/* What follows a backslash. In the text of a server no field ends behind one. */
static int unescape(struct rows *r, const struct mask_column *c, char letter, struct error *err)
{
    const struct mask_escapes *e = r->t->escapes;
    const char *at = memchr(e->letters, letter, e->n);
    r->escaped = false;
    r->seen++;
    if (letter == '\t' || letter == '\n')
        return error_corrupt(err, e->violation, "a backslash in front of a mark");
    if (r->null)
        return error_corrupt(err, e->violation, "something follows a NULL");
    if (letter == 'N' && r->seen == 2)
        r->null = true;
    else if (c != NULL && c->rule == MASK_HASH)
        hash_some(r, at != NULL ? &e->bytes[at - e->letters] : &letter, 1);
    return c == NULL ? buf_append(&r->out, &letter, 1, err) : 0;
}

static int take_some(struct rows *r, const struct mask_column *c, const char *p, size_t len,
                     struct error *err)
{
    r->seen += len;
    if (r->null)
        return error_corrupt(err, r->t->escapes->violation, "something follows a NULL");
    if (c == NULL)
        return buf_append(&r->out, p, len, err);
    if (c->rule == MASK_HASH)
        hash_some(r, p, len);
    return 0;
}

static int take(struct rows *r, const char *p, size_t len, struct error *err)
{
    const char *end = p + len;
    int rc = 0;
    while (rc == 0 && p < end) {
        const struct mask_column *c = r->of[r->field];
        r->begun = true;
        if (r->escaped) {
            rc = unescape(r, c, *p++, err);
        } else if (*p == '\\') {
            r->escaped = true;
            r->seen++;
            rc = c == NULL ? buf_append(&r->out, p, 1, err) : 0;
            p++;
        } else if (*p == '\t' || *p == '\n') {
            rc = end_field(r, *p++, err);
        } else {
            const char *from = p;
            while (p < end && *p != '\\' && *p != '\t' && *p != '\n')
                p++;
            rc = take_some(r, c, from, (size_t)(p - from), err);
        }
    }
    return rc;
}

/* ---- the source --------------------------------------------------------------------------------------------- */

static int end_rows(struct rows *r, struct error *err)
{
    if (r->begun || fingerprint_partial(r->before) || fingerprint_partial(r->after))
        return error_corrupt(err, r->t->escapes->violation, "the last row has no end");
    r->t->rows = fingerprint_rows(r->before);
    (void)fingerprint_text(r->before, r->t->before);
    (void)fingerprint_text(r->after, r->t->after);
    r->t->ended = true;
    return 0;
}

static int next_block(struct rows *r, struct error *err)
{
    int64_t n = source_read(r->inner, r->block, BLOCK, err);
    if (n < 0)
        return (int)n;
    r->given = 0;
    buf_clear(&r->out);
    if (n == 0)
        return end_rows(r, err);
    fingerprint_lines(r->before, r->block, (size_t)n);
    int rc = take(r, (const char *)r->block, (size_t)n, err);
    if (rc == 0 && r->out.len != 0)
        fingerprint_lines(r->after, r->out.data, r->out.len);
    return rc;
}

static int64_t rows_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct rows *r = (struct rows *)s;
    int rc = 0;
    while (rc == 0 && r->given == r->out.len && !r->t->ended)
        rc = next_block(r, err);
    if (rc < 0)
        return rc;
    size_t n = r->out.len - r->given < cap ? r->out.len - r->given : cap;
    if (n != 0)
        memcpy(data, r->out.data + r->given, n);
    r->given += n;
    return (int64_t)n;
}

static void rows_free(struct source *s)
{
    struct rows *r = (struct rows *)s;
    source_free(r->inner);
    fingerprint_free(r->before);
    fingerprint_free(r->after);
    buf_free(&r->out);
    free(r->block);
    free(r->of);
    mask_hash_free(r->h);
    free(r);
}

static int place_columns(struct rows *r, struct error *err)
{
    for (size_t i = 0; i < r->t->columns.len; i++) {
        struct mask_column *c = vec_at(&r->t->columns, i);
        if (c->at >= r->t->fields)
            return error_set(err, E_INTERNAL, "column %s is not in the rows", c->name);
        r->of[c->at] = c;
        c->changed = 0;
    }
    return 0;
}

struct source *mask_rows(struct source *inner, struct mask_table *t, const struct mask_hash *h, uint64_t seed,
                         struct error *err)
{
    struct rows *r = mem_alloc(1, sizeof *r, err);
    if (r == NULL) {
        source_free(inner);
        return NULL;
    }
    r->base = (struct source){ .read = rows_read, .free = rows_free };
    r->inner = inner;
    r->t = t;
    r->h = mask_hash_again(h, err);
    t->ended = false;
    r->before = fingerprint_new(seed, err);
    r->after = fingerprint_new(seed, err);
    r->block = mem_alloc(1, BLOCK, err);
    r->of = mem_alloc(t->fields + 1, sizeof(struct mask_column *), err);
    if (r->h != NULL && r->before != NULL && r->after != NULL && r->block != NULL && r->of != NULL &&
        place_columns(r, err) == 0) {
        begin_field(r);
        return &r->base;
    }
    rows_free(&r->base);
    return NULL;
}
