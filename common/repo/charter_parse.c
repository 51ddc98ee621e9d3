#include "common/repo/charter.h"

#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

enum { SIG_LINE_LEN = 4 + 2 * SIG_LEN + 1 }; /* "sig ", hex, LF */

/* ---- the strict line syntax -------------------------------------------------------------------------- */

bool line_next(struct reader *r, struct line *l)
{
    size_t len = 0;
    l->n = 0;
    for (uint8_t c = reader_u8(r); c != '\n'; c = reader_u8(r)) {
        if (c < 0x20 || c > 0x7e || len == LINE_MAX_LEN) /* after the end c is 0 */
            return false;
        l->text[len++] = (char)c;
    }
    l->text[len] = '\0';
    for (char *at = l->text;;) {
        size_t field = strcspn(at, " ");
        if (field == 0 || l->n == LINE_FIELDS_MAX)
            return false;
        l->field[l->n++] = at;
        if (at[field] == '\0')
            return true;
        at[field] = '\0';
        at += field + 1;
    }
}

bool line_is(const struct line *l, size_t i, const char *word)
{
    return i < l->n && strcmp(l->field[i], word) == 0;
}

bool line_hex(const struct line *l, size_t i, void *out, size_t len)
{
    return i < l->n && strlen(l->field[i]) == 2 * len && hex_decode(out, len, l->field[i]);
}

bool line_number(const struct line *l, size_t i, uint64_t min, uint64_t max, uint64_t *out)
{
    if (i >= l->n)
        return false;
    const char *s = l->field[i];
    size_t len = strlen(s);
    uint64_t v = 0;
    if (len > 19 || (s[0] == '0' && len > 1)) /* 19 digits fit 64 bits */
        return false;
    for (size_t k = 0; k < len; k++) {
        if (s[k] < '0' || s[k] > '9')
            return false;
        v = v * 10 + (uint64_t)(s[k] - '0');
    }
    *out = v;
    return v >= min && v <= max;
}

static bool line_u32(const struct line *l, size_t i, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;
    bool ok = line_number(l, i, min, max, &v);
    *out = (uint32_t)v;
    return ok;
}

static int by_number(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

int charter_writer_order(const void *a, const void *b)
{
    const struct charter_writer *x = a;
    const struct charter_writer *y = b;
    int c = memcmp(x->id, y->id, WRITER_ID_LEN);
    c = c != 0 ? c : by_number(x->first_seq, y->first_seq);
    c = c != 0 ? c : by_number(x->last_seq, y->last_seq);
    return c != 0 ? c : memcmp(x->pk, y->pk, SIGN_PK_LEN);
}

int charter_retention_order(const void *a, const void *b)
{
    const struct charter_retention *x = a;
    const struct charter_retention *y = b;
    int c = by_number(x->first_seq, y->first_seq);
    c = c != 0 ? c : by_number(x->last_seq, y->last_seq);
    return c != 0 ? c : memcmp(x->pk, y->pk, SIGN_PK_LEN);
}

/* ---- one function per kind of line; 0, or a negative code without text for a malformed line ------------ */

static int malformed(bool ok)
{
    return ok ? 0 : E_CORRUPT;
}

static int take_version(const struct line *l, struct charter *c)
{
    return malformed(line_is(l, 1, "charter") && line_u32(l, 2, 1, SEQ_MAX, &c->version));
}

static int take_repo(const struct line *l, struct charter *c)
{
    return malformed(line_hex(l, 1, c->repo_id, REPO_ID_LEN));
}

static int take_prev(const struct line *l, struct charter *c)
{
    return malformed(line_hex(l, 1, c->prev, HASH_LEN));
}

static int take_root(const struct line *l, struct charter *c)
{
    return malformed(line_hex(l, 1, c->root_pk, SIGN_PK_LEN));
}

static int take_pack_size(const struct line *l, struct charter *c)
{
    return malformed(line_u32(l, 1, PACK_SIZE_MIN, PACK_SIZE_MAX, &c->pack_size) && c->pack_size % MIB == 0);
}

static int take_min_keep(const struct line *l, struct charter *c)
{
    return malformed(line_u32(l, 1, 0, CHARTER_KEEP_DAYS_MAX, &c->min_keep_days));
}

static bool name_ok(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= NAME_MAX_LEN && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static int take_recipient(const struct line *l, struct charter *c)
{
    struct charter_recipient r = { .expires = 0 };
    uint8_t rid[RID_LEN];
    if (!line_hex(l, 1, r.rid, RID_LEN) || !line_hex(l, 2, r.pk, BOX_PK_LEN) || !name_ok(l->field[3]) ||
        (l->n == 5 && !line_number(l, 4, 1, INT64_MAX, &r.expires)) || box_rid(r.pk, rid, NULL) < 0 ||
        memcmp(rid, r.rid, RID_LEN) != 0 || charter_recipient_find(c, rid) != NULL ||
        c->recipients.len == CHARTER_RECIPIENTS_MAX)
        return E_CORRUPT;
    memcpy(r.name, l->field[3], strlen(l->field[3]));
    struct charter_recipient *to = vec_push(&c->recipients, NULL);
    if (to == NULL)
        return E_NOMEM;
    *to = r;
    return 0;
}

static int take_group(const struct line *l, struct charter *c)
{
    struct charter_group g = { .n = 0 };
    if (c->groups.len == ENVELOPE_GROUPS_MAX)
        return E_CORRUPT;
    for (size_t i = 1; i < l->n; i++) {
        uint8_t *rid = g.rid[g.n];
        if (!line_hex(l, i, rid, RID_LEN) || charter_recipient_find(c, rid) == NULL)
            return E_CORRUPT;
        for (unsigned k = 0; k < g.n; k++)
            if (memcmp(g.rid[k], rid, RID_LEN) == 0)
                return E_CORRUPT;
        g.n++;
    }
    struct charter_group *to = vec_push(&c->groups, NULL);
    if (to == NULL)
        return E_NOMEM;
    *to = g;
    return 0;
}

/* FIRST [LAST] from field i on. LAST = FIRST - 1 is a range that was closed before it was used. */
static bool take_range(const struct line *l, size_t i, uint32_t *first, uint32_t *last)
{
    *last = SEQ_OPEN;
    return line_u32(l, i, 1, SEQ_MAX, first) &&
           (l->n == i + 1 || line_u32(l, i + 1, *first - 1, SEQ_MAX, last));
}

static int take_writer(const struct line *l, struct charter *c)
{
    struct charter_writer w;
    if (!line_hex(l, 1, w.id, WRITER_ID_LEN) || !line_hex(l, 2, w.pk, SIGN_PK_LEN) ||
        !line_u32(l, 3, 0, CHARTER_CADENCE_MAX, &w.cadence_hours) ||
        !take_range(l, 4, &w.first_seq, &w.last_seq) ||
        (c->writers.len > 0 && charter_writer_order(vec_at(&c->writers, c->writers.len - 1), &w) >= 0))
        return E_CORRUPT;
    struct charter_writer *to = vec_push(&c->writers, NULL);
    if (to == NULL)
        return E_NOMEM;
    *to = w;
    return 0;
}

static int take_retention(const struct line *l, struct charter *c)
{
    struct charter_retention r;
    if (!line_hex(l, 1, r.pk, SIGN_PK_LEN) || !take_range(l, 2, &r.first_seq, &r.last_seq) ||
        (c->retention.len > 0 &&
         charter_retention_order(vec_at(&c->retention, c->retention.len - 1), &r) >= 0))
        return E_CORRUPT;
    struct charter_retention *to = vec_push(&c->retention, NULL);
    if (to == NULL)
        return E_NOMEM;
    *to = r;
    return 0;
}

static int take_drill(const struct line *l, struct charter *c)
{
    struct charter_drill d = { .active = line_is(l, 2, "active") };
    if (!line_hex(l, 1, d.pk, SIGN_PK_LEN) || (!d.active && !line_is(l, 2, "retired")) ||
        c->drills.len == CHARTER_DRILLS_MAX)
        return E_CORRUPT;
    for (size_t i = 0; i < c->drills.len; i++)
        if (memcmp(((const struct charter_drill *)vec_at(&c->drills, i))->pk, d.pk, SIGN_PK_LEN) == 0)
            return E_CORRUPT;
    struct charter_drill *to = vec_push(&c->drills, NULL);
    if (to == NULL)
        return E_NOMEM;
    *to = d;
    return 0;
}

static int take_sig(const struct line *l, struct charter *c)
{
    uint8_t sig[SIG_LEN];
    (void)c;
    return malformed(line_hex(l, 1, sig, SIG_LEN));
}

/* The lines of a charter, in their order. */
static const struct {
    const char *word;
    size_t min, max; /* fields */
    bool many;       /* any number of them, also none; else exactly one */
    int (*take)(const struct line *l, struct charter *c);
} lines[] = {
    { "bk1", 3, 3, false, take_version },         { "repo", 2, 2, false, take_repo },
    { "prev", 2, 2, false, take_prev },           { "root", 2, 2, false, take_root },
    { "pack-size", 2, 2, false, take_pack_size }, { "min-keep", 2, 2, false, take_min_keep },
    { "recipient", 4, 5, true, take_recipient },  { "group", 2, 1 + ENVELOPE_SHARES_MAX, true, take_group },
    { "writer", 5, 6, true, take_writer },        { "retention", 3, 4, true, take_retention },
    { "drill", 3, 3, true, take_drill },          { "sig", 2, 2, false, take_sig },
};
enum { LINES = sizeof lines / sizeof lines[0] };

static int parse_lines(struct reader *r, struct charter *c, struct error *err)
{
    struct line l;
    size_t at = 0; /* the kind that must or may come next */
    for (size_t number = 1; at < LINES; number++) {
        if (!line_next(r, &l))
            return error_corrupt(err, ERR_CHARTER_SYNTAX, "charter, line %zu is cut or not plain text",
                                 number);
        while (at < LINES && lines[at].many && !line_is(&l, 0, lines[at].word))
            at++;
        if (at == LINES || !line_is(&l, 0, lines[at].word) || l.n < lines[at].min || l.n > lines[at].max)
            return error_corrupt(err, ERR_CHARTER_SYNTAX, "charter, line %zu is not in its place", number);
        int rc = lines[at].take(&l, c);
        if (rc == E_NOMEM)
            return error_set(err, rc, "out of memory");
        if (rc < 0)
            return error_corrupt(err, ERR_CHARTER_SYNTAX, "charter, line %zu (%s) has a bad field", number,
                                 lines[at].word);
        at += !lines[at].many;
    }
    if (!reader_at_end(r))
        return error_corrupt(err, ERR_CHARTER_SYNTAX, "charter: bytes after the signature");
    return 0;
}

/* ---- ranges and totals inside one version ------------------------------------------------------------- */

static int check_totals(const struct charter *c, struct error *err)
{
    unsigned boxes = 0;
    for (size_t i = 0; i < c->groups.len; i++)
        boxes += ((const struct charter_group *)vec_at(&c->groups, i))->n;
    if (boxes < 1 || boxes > ENVELOPE_BOXES_MAX)
        return error_corrupt(err, ERR_CHARTER_SYNTAX,
                             "charter: the groups name %u recipients; 1..%d are possible", boxes,
                             ENVELOPE_BOXES_MAX);
    if (c->retention.len == 0)
        return error_corrupt(err, ERR_CHARTER_SYNTAX, "charter: no retention key");
    return 0;
}

/* The lines are sorted, so only neighbours can overlap. */
static int check_ranges(const struct charter *c, struct error *err)
{
    for (size_t i = 1; i < c->writers.len; i++) {
        const struct charter_writer *a = vec_at(&c->writers, i - 1);
        const struct charter_writer *b = vec_at(&c->writers, i);
        if (memcmp(a->id, b->id, WRITER_ID_LEN) == 0 && a->last_seq >= b->first_seq)
            return error_corrupt(err, ERR_CHARTER_RANGE, "charter: two keys of a writer for seq %u",
                                 b->first_seq);
    }
    for (size_t i = 1; i < c->retention.len; i++) {
        const struct charter_retention *a = vec_at(&c->retention, i - 1);
        const struct charter_retention *b = vec_at(&c->retention, i);
        if (a->last_seq >= b->first_seq)
            return error_corrupt(err, ERR_CHARTER_RANGE, "charter: two retention keys for seq %u",
                                 b->first_seq);
    }
    return 0;
}

int charter_parse(const void *data, size_t len, struct charter *out, struct error *err)
{
    struct reader r = reader_of(data, len);
    charter_init(out);
    if (len > CHARTER_MAX)
        return error_corrupt(err, ERR_CHARTER_SYNTAX, "charter of %zu bytes", len);
    int rc = parse_lines(&r, out, err);
    if (rc == 0)
        rc = check_totals(out, err);
    if (rc == 0)
        rc = check_ranges(out, err);
    if (rc == 0)
        file_hash(data, len, out->hash);
    else
        charter_free(out);
    return rc;
}

/* The last line, if the bytes end like a charter. */
static bool signature_of(const void *data, size_t len, uint8_t sig[SIG_LEN])
{
    if (len < SIG_LINE_LEN + 1)
        return false;
    const char *last = (const char *)data + len - SIG_LINE_LEN;
    return last[-1] == '\n' && memcmp(last, "sig ", 4) == 0 && last[SIG_LINE_LEN - 1] == '\n' &&
           hex_decode(sig, SIG_LEN, last + 4);
}

bool charter_is_torn(const void *data, size_t len)
{
    uint8_t sig[SIG_LEN];
    return !signature_of(data, len, sig);
}

int charter_verify(const void *data, size_t len, const uint8_t signer[SIGN_PK_LEN], struct error *err)
{
    uint8_t sig[SIG_LEN];
    if (!signature_of(data, len, sig) || !sign_verify(signer, SIGN_CHARTER, data, len - SIG_LINE_LEN, sig))
        return error_corrupt(err, ERR_CHARTER_SIGNATURE, "charter: not signed by the root key");
    return 0;
}
