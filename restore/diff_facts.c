/* Facts of two snapshots, line by line. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "restore/diff.h"

#include "common/base/banned.h"

struct facts {
    const char *path;
    struct diff_counts *counts;
    diff_fn *fn;
    void *arg;
};

/* Of the run and not of what was backed up, or said by another fact: a census counts tables and sequences, too. */
static bool is_silent(const char *path, const char *key, bool census)
{
    static const char *const keys[] = { "fingerprint_seed", "schema_hash", "sequence_hash", "database_oid",
                                        NULL };
    for (size_t i = 0; keys[i] != NULL; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    if (census && (strcmp(key, "tables") == 0 || strcmp(key, "sequences") == 0))
        return true;
    return path[0] == '\0' && strcmp(key, "job") == 0;
}

/* The first line with this key and what ends it; its value has `len` bytes. */
static const char *find(const char *text, const char *key, size_t key_len, char assign, char end, size_t *len)
{
    for (const char *at = text; at != NULL && *at != '\0';) {
        const char *stop = strchr(at, end);
        size_t n = stop != NULL ? (size_t)(stop - at) : strlen(at);
        if (n > key_len && at[key_len] == assign && memcmp(at, key, key_len) == 0) {
            *len = n - key_len - 1;
            return at + key_len + 1;
        }
        at = stop != NULL ? stop + 1 : NULL;
    }
    return NULL;
}

static int report(const struct facts *f, const char *key, const char *old, size_t old_len, const char *new,
                  size_t new_len, struct error *err)
{
    char *a = old != NULL ? str_dup_len(old, old_len, err) : NULL;
    char *b = new != NULL ? str_dup_len(new, new_len, err) : NULL;
    struct diff_change c = { .kind = DIFF_FACT,
                             .what = old == NULL   ? DIFF_ADDED
                                     : new == NULL ? DIFF_REMOVED
                                                   : DIFF_CHANGED,
                             .path = f->path,
                             .key = key,
                             .old = a,
                             .new = b };
    int rc = (old != NULL && a == NULL) || (new != NULL &&b == NULL) ? E_NOMEM : 0;
    f->counts->facts++;
    if (rc == 0)
        rc = f->fn(&c, f->arg, err);
    free(a);
    free(b);
    return rc;
}

/* Entries of `x` that `y` has not, or has otherwise; `swapped`: only those that it has not at all. */
static int each(const struct facts *f, const char *x, const char *y, char assign, char end, bool swapped,
                struct error *err)
{
    int rc = 0;
    size_t ignored = 0;
    bool census = find(x, "census", 6, assign, end, &ignored) != NULL &&
                  find(y, "census", 6, assign, end, &ignored) != NULL;
    for (const char *at = x; rc >= 0 && at != NULL && *at != '\0';) {
        const char *stop = strchr(at, end);
        size_t n = stop != NULL ? (size_t)(stop - at) : strlen(at);
        const char *sign = memchr(at, assign, n);
        size_t key_len = sign != NULL ? (size_t)(sign - at) : n;
        size_t len = sign != NULL ? n - key_len - 1 : 0;
        size_t other_len = 0;
        const char *other = find(y, at, key_len, assign, end, &other_len);
        char *key = str_dup_len(at, key_len, err);
        if (key == NULL)
            return E_NOMEM;
        bool list = end == '\n' && strcmp(key, "sequence_values") == 0 && other != NULL;
        bool same =
            other != NULL && (swapped || (other_len == len && memcmp(other, at + key_len + 1, len) == 0));
        if (!same && !list && sign != NULL && !(end == '\n' && is_silent(f->path, key, census)))
            rc = swapped ? report(f, key, NULL, 0, sign + 1, len, err)
                         : report(f, key, sign + 1, len, other, other_len, err);
        free(key);
        at = stop != NULL ? stop + 1 : NULL;
    }
    return rc;
}

static int both(const struct facts *f, const char *x, const char *y, char assign, char end, struct error *err)
{
    int rc = each(f, x, y, assign, end, false, err);
    return rc < 0 ? rc : each(f, y, x, assign, end, true, err);
}

static int sequences(const struct facts *f, const char *before, const char *after, struct error *err)
{
    static const char key[] = "sequence_values";
    size_t n = 0;
    size_t m = 0;
    const char *x = find(before, key, sizeof key - 1, '=', '\n', &n);
    const char *y = find(after, key, sizeof key - 1, '=', '\n', &m);
    if (x == NULL || y == NULL)
        return 0;
    char *a = str_dup_len(x, n, err);
    char *b = str_dup_len(y, m, err);
    int rc = a != NULL && b != NULL ? both(f, a, b, ':', ',', err) : E_NOMEM;
    free(a);
    free(b);
    return rc;
}

int diff_facts(const char *path, const char *before, const char *after, struct diff_counts *counts,
               diff_fn *fn, void *arg, struct error *err)
{
    struct facts f = { .path = path, .counts = counts, .fn = fn, .arg = arg };
    int rc = both(&f, before, after, '=', '\n', err);
    return rc < 0 ? rc : sequences(&f, before, after, err);
}
