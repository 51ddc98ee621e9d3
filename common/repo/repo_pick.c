#include "common/repo/repo_internal.h"

#include <string.h>

#include "common/base/banned.h"

enum { SHELF_MAX = 1 << 22 }; /* names in the directory of one log */

/* ---- what a log file must be before the chain is looked at --------------------------------------------- */

static int expect_charter(const struct repo_expect *e, const void *data, size_t len, struct error *err)
{
    struct charter c;
    int rc = charter_parse(data, len, &c, err);
    if (rc < 0)
        return rc;
    rc = charter_verify(data, len, e->pk != NULL ? e->pk : c.root_pk, err);
    if (rc == 0 && c.version != e->seq)
        rc = error_corrupt(err, ERR_CHARTER_CHAIN, "charter %u stands at version %u", c.version, e->seq);
    charter_free(&c);
    return rc;
}

static int expect_record(const struct repo_expect *e, const void *data, size_t len, struct error *err)
{
    struct record r;
    int rc = record_decode(data, len, &r, err);
    if (rc < 0)
        return rc;
    rc = record_place(&r, e->repo_id, e->writer, e->seq, err);
    rc = rc < 0 ? rc : record_verify(data, len, e->pk, err);
    record_free(&r);
    return rc;
}

static int expect_retention(const struct repo_expect *e, const void *data, size_t len, struct error *err)
{
    struct retention_record r;
    int rc = retention_decode(data, len, &r, err);
    if (rc < 0)
        return rc;
    rc = retention_place(&r, e->repo_id, e->seq, err);
    rc = rc < 0 ? rc : retention_verify(data, len, e->pk, err);
    retention_free(&r);
    return rc;
}

int repo_expect_check(const struct repo_expect *e, const void *data, size_t len, struct error *err)
{
    if (e->kind == NAME_CHARTER)
        return expect_charter(e, data, len, err);
    if (e->kind == NAME_RECORD)
        return expect_record(e, data, len, err);
    return expect_retention(e, data, len, err);
}

static bool is_torn(enum name_kind kind, const struct buf *bytes)
{
    return kind == NAME_CHARTER ? charter_is_torn(bytes->data, bytes->len)
                                : record_is_torn(bytes->data, bytes->len);
}

/* ---- the directory of a log --------------------------------------------------------------------------- */

struct place {
    uint32_t seq;
    uint32_t attempt;
};

struct shelf shelf_of(struct backend *b, enum name_kind kind, const uint8_t *writer)
{
    struct shelf s = { .b = b, .at = { .kind = kind }, .names = MAP_OF(sizeof(struct place), 1) };
    if (writer != NULL)
        memcpy(s.at.writer, writer, WRITER_ID_LEN);
    return s;
}

static int shelf_entry(const char *entry, const struct backend_stat *st, void *arg, struct error *err)
{
    struct shelf *s = arg;
    struct name n;
    if (st->is_dir || !name_parse(s->at.kind, s->at.writer, entry, &n) || s->names.len == SHELF_MAX) {
        s->junk++;
        return 0;
    }
    struct place p = { .seq = n.seq, .attempt = n.attempt };
    if (map_put(&s->names, &p, NULL, err) == NULL)
        return E_NOMEM;
    if (n.seq > s->last)
        s->last = n.seq;
    return 0;
}

int shelf_list(struct shelf *s, struct error *err)
{
    char dir[NAME_TEXT_MAX];
    struct error why = ERROR_INIT;
    int rc = backend_list(s->b, name_dir(dir, &s->at), shelf_entry, s, &why);
    s->listed = rc == 0 || rc == E_NOT_FOUND; /* a directory that may not be listed is tried name by name */
    return rc == 0 || rc == E_NOT_FOUND || rc == E_DENIED ? 0 : error_copy(err, &why);
}

void shelf_free(struct shelf *s)
{
    map_free(&s->names);
}

int shelf_read(struct shelf *s, uint32_t seq, uint8_t attempt, struct buf *out, struct error *err)
{
    char text[NAME_TEXT_MAX];
    struct place p = { .seq = seq, .attempt = attempt };
    struct error why = ERROR_INIT;
    if (s->listed && map_get(&s->names, &p) == NULL)
        return 0;
    s->at.seq = seq;
    s->at.attempt = attempt;
    int rc = backend_read_all(s->b, name_format(text, &s->at), name_limit(s->at.kind), out, &why);
    if (rc == 0)
        return 1;
    return rc == E_NOT_FOUND ? 0 : error_copy(err, &why);
}

/* ---- the attempts of one seq -------------------------------------------------------------------------- */

void pick_free(struct pick *p)
{
    buf_free(&p->bytes);
}

static void pick_bad(struct pick *p, uint8_t attempt, bool torn, const struct error *why)
{
    if (p->bad == 0 || (!torn && !p->damaged)) {
        p->bad_attempt = attempt;
        p->why = *why;
    }
    p->damaged = p->damaged || !torn;
    p->bad++;
}

/* Takes one attempt's bytes into the picture; moves them when they are the first valid ones. */
static int pick_one(const struct repo_expect *e, uint8_t attempt, struct buf *bytes, struct pick *p,
                    struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = repo_expect_check(e, bytes->data, bytes->len, &why);
    if (rc == E_CORRUPT) {
        pick_bad(p, attempt, is_torn(e->kind, bytes), &why);
        return 0;
    }
    if (rc < 0)
        return error_copy(err, &why);
    if (p->what == PICK_VALID) {
        if (bytes->len != p->bytes.len || memcmp(bytes->data, p->bytes.data, bytes->len) != 0) {
            p->what = PICK_FORK;
            p->attempt = attempt;
        }
        return 0;
    }
    p->what = PICK_VALID;
    p->attempt = attempt;
    p->bytes = *bytes;
    *bytes = (struct buf)BUF_INIT;
    return 0;
}

int pick_attempt(struct shelf *s, const struct repo_expect *e, struct pick *p, struct error *err)
{
    int rc = 1;
    *p = (struct pick){ .what = PICK_NOTHING, .bytes = BUF_INIT, .why = ERROR_INIT };
    for (unsigned k = 0; k < ATTEMPTS && p->what != PICK_FORK && rc > 0; k++) {
        struct buf bytes = BUF_INIT;
        struct error why = ERROR_INIT;
        rc = shelf_read(s, e->seq, (uint8_t)k, &bytes, &why);
        if (rc == E_CORRUPT || rc == E_IO) {
            pick_bad(p, (uint8_t)k, false, &why);
            rc = 1;
        } else if (rc < 0) {
            (void)error_copy(err, &why);
        } else if (rc > 0) {
            int judged = pick_one(e, (uint8_t)k, &bytes, p, err);
            rc = judged < 0 ? judged : 1;
        }
        buf_free(&bytes);
    }
    if (p->what == PICK_NOTHING && p->bad > 0)
        p->what = PICK_INVALID;
    return rc < 0 ? rc : 0;
}
