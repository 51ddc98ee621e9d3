#include "restore/diff.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/fact.h"
#include "common/base/str.h"
#include "common/engine/fingerprint.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

struct load {
    struct diff_side *side;
    const char *database;
};

static bool is_wanted(const char *path, const char *database)
{
    size_t len = database != NULL ? strlen(database) : 0;
    return database == NULL || (strncmp(path, database, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

static int keep(const struct member *m, void *arg, struct error *err)
{
    struct load *l = arg;
    char text[FINGERPRINT_TEXT_MAX];
    int rc = interrupt_check(err);
    if (rc < 0 || !is_wanted(m->entry.path, l->database))
        return rc;
    struct diff_item *item = vec_push(&l->side->items, err);
    if (item == NULL || (item->entry = catalog_entry_copy(&m->entry, err)) == NULL)
        return E_NOMEM;
    item->ref = m->ref;
    if (l->side->tree)
        return 0;
    item->facts = str_dup(m->facts, err);
    item->table =
        fact_number(m->facts, "rows", &item->rows) && fact_get(m->facts, "fingerprint", text, sizeof text);
    return item->facts != NULL ? 0 : E_NOMEM;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct diff_item *)a)->entry->path, ((const struct diff_item *)b)->entry->path);
}

int diff_load(struct snapshot *object, struct fetcher *f, const char *facts, const char *database,
              struct diff_side *out, struct error *err)
{
    char engine[32] = "";
    struct load l = { .side = out, .database = database };
    *out = (struct diff_side){ .items = VEC_OF(struct diff_item), .facts = facts };
    out->tree = fact_get(facts, "engine", engine, sizeof engine) && strcmp(engine, "files") == 0;
    int rc = fingerprint_seed_read(facts, &out->seed, err);
    if (rc == 0)
        rc = snapshot_members(object, f, keep, &l, err);
    if (rc == 0)
        vec_sort(&out->items, by_path);
    return rc;
}

void diff_side_free(struct diff_side *s)
{
    for (size_t i = 0; i < s->items.len; i++) {
        struct diff_item *item = vec_at(&s->items, i);
        free(item->entry);
        free(item->facts);
    }
    vec_free(&s->items);
}

/* ---- one pair -------------------------------------------------------------------------------------------- */

static bool same_bytes(const struct diff_item *a, const struct diff_item *b)
{
    return a->ref.len == b->ref.len && memcmp(a->ref.check, b->ref.check, sizeof a->ref.check) == 0;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_metadata(const struct catalog_entry *a, const struct catalog_entry *b)
{
    return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->mtime == b->mtime &&
           a->mtime_nsec == b->mtime_nsec;
}

/* Dumps that hold the time they were made or a random word, and the script. What they say is in the facts. */
static bool never_same(const char *path)
{
    return str_ends(path, ".pgdump") || str_ends(path, "/load.sql") || strcmp(path, "globals.sql") == 0;
}

/* A negative number: nothing changed. */
static int judge_table(const struct diff_side *x, const struct diff_side *y, struct diff_change *c)
{
    char a[FINGERPRINT_TEXT_MAX];
    char b[FINGERPRINT_TEXT_MAX];
    if (c->before->rows != c->after->rows)
        return DIFF_CHANGED;
    if (same_bytes(c->before, c->after))
        return -1;
    if (x->seed != y->seed) {
        c->note = "contents cannot be compared";
        return DIFF_UNKNOWN;
    }
    (void)fact_get(c->before->facts, "fingerprint", a, sizeof a);
    (void)fact_get(c->after->facts, "fingerprint", b, sizeof b);
    if (strcmp(a, b) == 0)
        return -1; /* the same rows in another order */
    c->note = "other contents";
    return DIFF_CHANGED;
}

static int judge_pair(const struct diff_side *x, const struct diff_side *y, struct diff_change *c)
{
    const struct diff_item *a = c->before;
    const struct diff_item *b = c->after;
    if (c->kind == DIFF_TABLE && a->table && b->table)
        return judge_table(x, y, c);
    if (c->kind == DIFF_STREAM && never_same(c->path))
        return -1;
    if (a->entry->type != b->entry->type || !same_text(a->entry->target, b->entry->target) ||
        !same_bytes(a, b)) {
        c->note = a->ref.len == b->ref.len ? "other contents" : NULL;
        return DIFF_CHANGED;
    }
    return c->kind == DIFF_MEMBER && !same_metadata(a->entry, b->entry) ? DIFF_METADATA : -1;
}

/* Facts of a table say what is compared above, and how it was stored. */
static const char *facts_of(const struct diff_item *item)
{
    return item != NULL && !item->table ? item->facts : NULL;
}

struct walk {
    const struct diff_side *before;
    const struct diff_side *after;
    struct diff_counts *counts;
    diff_fn *fn;
    void *arg;
};

static int pair(const struct walk *w, const struct diff_item *a, const struct diff_item *b, struct error *err)
{
    const struct diff_item *any = a != NULL ? a : b;
    struct diff_change c = { .kind = w->before->tree ? DIFF_MEMBER
                                     : any->table    ? DIFF_TABLE
                                                     : DIFF_STREAM,
                             .path = any->entry->path,
                             .before = a,
                             .after = b };
    int what = a == NULL ? DIFF_ADDED : b == NULL ? DIFF_REMOVED : judge_pair(w->before, w->after, &c);
    w->counts->bytes_before += a != NULL ? a->ref.len : 0;
    w->counts->bytes_after += b != NULL ? b->ref.len : 0;
    if (what < 0) {
        w->counts->same++;
    } else {
        c.what = (enum diff_what)what;
        w->counts->changes[what]++;
        int rc = w->fn(&c, w->arg, err);
        if (rc < 0)
            return rc;
    }
    return a != NULL && b != NULL && facts_of(a) != NULL && facts_of(b) != NULL
               ? diff_facts(c.path, a->facts, b->facts, w->counts, w->fn, w->arg, err)
               : 0;
}

/* A table that changed between the text and the binary format is the same table: TABLE.copy, TABLE.copybin. */
static int order(const struct diff_item *a, const struct diff_item *b)
{
    const char *x = a->entry->path;
    const char *y = b->entry->path;
    size_t n = strlen(x);
    size_t m = strlen(y);
    n -= str_ends(x, ".copybin") ? strlen("bin") : 0;
    m -= str_ends(y, ".copybin") ? strlen("bin") : 0;
    return n == m && memcmp(x, y, n) == 0 ? 0 : strcmp(x, y);
}

int diff_run(const struct diff_side *before, const struct diff_side *after, struct diff_counts *counts,
             diff_fn *fn, void *arg, struct error *err)
{
    struct walk w = { .before = before, .after = after, .counts = counts, .fn = fn, .arg = arg };
    size_t i = 0;
    size_t j = 0;
    int rc = diff_facts("", before->facts, after->facts, counts, fn, arg, err);
    while (rc == 0 && (i < before->items.len || j < after->items.len)) {
        const struct diff_item *a = i < before->items.len ? vec_at(&before->items, i) : NULL;
        const struct diff_item *b = j < after->items.len ? vec_at(&after->items, j) : NULL;
        int side = a == NULL ? 1 : b == NULL ? -1 : order(a, b);
        rc = pair(&w, side <= 0 ? a : NULL, side >= 0 ? b : NULL, err);
        i += side <= 0;
        j += side >= 0;
    }
    return rc;
}
