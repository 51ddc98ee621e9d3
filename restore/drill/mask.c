#include "restore/drill/mask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { SUBJECT_MAX = 400, TEXT_MAX = FINGERPRINT_TEXT_MAX + 64 };

static bool rows_pass(const struct drill *d)
{
    return d->db.engine != NULL && d->db.engine->target_kind == TARGET_SERVER;
}

int drill_mask_begin(struct drill *d, struct error *err)
{
    const struct engine *e = d->db.engine;
    if (d->o->nmasks == 0)
        return 0;
    if (!rows_pass(d) && (e == NULL || e->mask == NULL)) {
        int rc = drill_text(&d->r->cure, "drill a snapshot of the engines postgres, mariadb or sqlite", err);
        return rc < 0
                   ? rc
                   : error_set(err, E_UNSUPPORTED, "mask: %s holds no tables whose rows could be masked (%s)",
                               d->db.c.name, e != NULL ? e->name : "files");
    }
    if (!rows_pass(d) && d->database == NULL && d->db.m.list.len > 1)
        return error_set(err, E_USAGE, "mask: %s holds several databases: say which with --database",
                         d->db.c.name);
    d->mask = mem_alloc(1, sizeof *d->mask, err);
    if (d->mask == NULL)
        return E_NOMEM;
    d->mask->tables = (struct vec)VEC_OF(struct mask_table);
    d->mask->hash = mask_hash_new(err);
    return d->mask->hash != NULL
               ? fingerprint_seed_read(d->db.c.snap->object->priv.facts, &d->mask->seed, err)
               : E_NOMEM;
}

int drill_mask_defined(void *drill, struct error *err)
{
    struct drill *d = drill;
    struct error why = ERROR_INIT;
    int rc = drill_mask_pick(d, &why);
    d->mask->resolved = rc == 0;
    if (rc == 0)
        return 0;
    if (rc == E_UNSUPPORTED || rc == E_NOT_FOUND || rc == E_IO)
        d->mask->why = why;
    return error_copy(err, &why);
}

static struct mask_table *table_of(const struct drill_mask *m, const char *stream)
{
    for (size_t i = 0; i < m->tables.len; i++) {
        struct mask_table *t = vec_at(&m->tables, i);
        if (t->stream != NULL && strcmp(t->stream, stream) == 0)
            return t;
    }
    return NULL;
}

const char *drill_mask_sum(const char *stream, void *drill)
{
    const struct mask_table *t = table_of(((const struct drill *)drill)->mask, stream);
    return t != NULL && t->ended ? t->after : NULL;
}

/* ---- rows on their way --------------------------------------------------------------------------------------- */

/* A row that is none is the backup's fault, as bytes that cannot be read are. */
struct watched {
    struct source base;
    struct source *inner;
    struct drill *d;
};

static int64_t watched_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct watched *w = (struct watched *)s;
    int64_t n = source_read(w->inner, data, cap, err);
    w->d->read_failed = w->d->read_failed || n < 0;
    return n;
}

static void watched_free(struct source *s)
{
    source_free(((struct watched *)s)->inner);
    free(s);
}

static struct source *watch(struct drill *d, struct source *inner, struct error *err)
{
    struct watched *w = inner != NULL ? mem_alloc(1, sizeof *w, err) : NULL;
    if (w == NULL) {
        source_free(inner);
        return NULL;
    }
    w->base = (struct source){ .read = watched_read, .free = watched_free };
    w->inner = inner;
    w->d = d;
    return &w->base;
}

struct source *drill_mask_rows(struct drill *d, const char *stream, struct source *s, struct error *err)
{
    struct drill_mask *m = d->mask;
    if (m == NULL || s == NULL || !rows_pass(d))
        return s;
    if (!m->resolved && strstr(stream, "/tables/") != NULL) {
        source_free(s);
        (void)error_set(err, E_INTERNAL, "rows of %s before it is known what is masked", stream);
        return NULL;
    }
    struct mask_table *t = table_of(m, stream);
    return t != NULL ? watch(d, mask_rows(s, t, m->hash, m->seed, err), err) : s;
}

/* ---- the proof ----------------------------------------------------------------------------------------------- */

static const char *subject_of(char out[SUBJECT_MAX], const struct mask_table *t, const struct mask_column *c)
{
    char shown[SUBJECT_MAX];
    (void)snprintf(shown, sizeof shown, "%s%s%s%s%s", t->schema != NULL ? t->schema : "",
                   t->schema != NULL ? "." : "", t->name, c != NULL ? "." : "", c != NULL ? c->name : "");
    return str_printable(out, SUBJECT_MAX, shown);
}

/* The rows as they came are those of the backup; as they went they were compared with the database. */
static int check_rows(struct drill *d, const struct mask_table *t, struct error *err)
{
    char subject[SUBJECT_MAX];
    char expected[TEXT_MAX];
    char found[TEXT_MAX];
    char sum[FINGERPRINT_TEXT_MAX] = "none";
    uint64_t rows = 0;
    const struct member_item *m = t->stream != NULL && t->ended ? members_find(&d->db.m, t->stream) : NULL;
    if (m == NULL)
        return 0;
    (void)fact_number(m->facts, "rows", &rows);
    (void)fact_get(m->facts, "fingerprint", sum, sizeof sum);
    (void)snprintf(expected, sizeof expected, "%llu rows, %s", (unsigned long long)rows, sum);
    (void)snprintf(found, sizeof found, "%llu rows, %s", (unsigned long long)t->rows, t->before);
    bool same = rows == t->rows && strcmp(sum, t->before) == 0;
    return drill_note(d, "table", "rows and fingerprint, before masking", subject_of(subject, t, NULL),
                      same ? DRILL_PASS : DRILL_FAIL, expected, found, NULL, err);
}

static int report(struct drill *d, const struct mask_table *t, const struct mask_column *c, uint64_t left,
                  struct error *err)
{
    static const char *const rules[] = { "null", "constant", "hash" };
    char text[SUBJECT_MAX];
    struct drill_masked *m = vec_push(&d->r->masked, err);
    if (m == NULL)
        return E_NOMEM;
    m->rows = c->changed;
    m->remaining = left;
    int rc = drill_text(&m->rule, rules[c->rule], err);
    rc = rc < 0 ? rc : drill_text(&m->table, subject_of(text, t, NULL), err);
    return rc < 0 ? rc : drill_text(&m->column, str_printable(text, sizeof text, c->name), err);
}

static int check_column(struct drill *d, const struct mask_table *t, const struct mask_column *c, bool *good,
                        struct error *err)
{
    static const char *const nothing[] = { "nothing but null", "nothing but the constant",
                                           "nothing but hashes of this drill, and null" };
    char subject[SUBJECT_MAX];
    char found[64];
    uint64_t left = 0;
    int rc = drill_mask_remaining(d, t, c, &left, err);
    if (rc < 0)
        return rc;
    *good = *good && left == 0;
    (void)snprintf(found, sizeof found, "%llu other values", (unsigned long long)left);
    rc = report(d, t, c, left, err);
    return rc < 0 ? rc
                  : drill_note(d, "mask", "no original value is left", subject_of(subject, t, c),
                               left == 0 ? DRILL_PASS : DRILL_FAIL, nothing[c->rule],
                               left == 0 ? nothing[c->rule] : found, NULL, err);
}

int drill_mask_finish(struct drill *d, struct error *err)
{
    struct drill_mask *m = d->mask;
    bool good = true;
    if (m == NULL)
        return 0;
    int rc = rows_pass(d) ? 0 : drill_mask_defined(d, err);
    if (rc == 0 && !rows_pass(d))
        rc = d->db.engine->mask(d->s.to, &m->tables, m->hash, err);
    for (size_t i = 0; rc == 0 && i < m->tables.len; i++) {
        const struct mask_table *t = vec_at(&m->tables, i);
        rc = check_rows(d, t, err);
        for (size_t k = 0; rc == 0 && k < t->columns.len; k++)
            rc = check_column(d, t, vec_at(&t->columns, k), &good, err);
    }
    rc = rc < 0 ? rc : drill_mask_copies(d, err);
    m->proven = rc == 0 && good;
    return rc;
}

void drill_mask_free(struct drill *d)
{
    if (d->mask == NULL)
        return;
    for (size_t i = 0; i < d->mask->tables.len; i++)
        mask_table_free(vec_at(&d->mask->tables, i));
    vec_free(&d->mask->tables);
    mask_hash_free(d->mask->hash);
    free(d->mask);
    d->mask = NULL;
}

/* ---- what others want to know --------------------------------------------------------------------------------- */

bool drill_mask_may_show(const struct drill *d)
{
    return d->o->nmasks == 0 || (d->mask != NULL && d->mask->proven);
}

bool drill_mask_blamed(const struct drill *d)
{
    return d->mask != NULL && d->mask->resolved && !d->mask->proven && !d->read_failed &&
           (d->loaded == 0 || !rows_pass(d));
}

const struct error *drill_mask_misfit(const struct drill *d)
{
    return d->mask != NULL && d->mask->why.code != 0 ? &d->mask->why : NULL;
}
