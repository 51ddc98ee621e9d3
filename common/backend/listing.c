#include "common/backend/listing.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

int listing_add(struct listing *l, const char *name, const struct backend_stat *st, struct error *err)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (l->entries.len >= LISTING_MAX)
        return error_corrupt(err, "too-large", "a directory with more than %d entries", LISTING_MAX);
    char *copy = str_dup(name, err);
    if (copy == NULL)
        return E_NOMEM;
    struct listing_entry *e = vec_push(&l->entries, err);
    if (e == NULL) {
        free(copy);
        return E_NOMEM;
    }
    e->name = copy;
    e->st = *st;
    return 0;
}

int listing_report(const struct listing *l, backend_list_fn *fn, void *arg, struct error *err)
{
    for (size_t i = 0; i < l->entries.len; i++) {
        const struct listing_entry *e = vec_at(&l->entries, i);
        int rc = fn(e->name, &e->st, arg, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void listing_clear(struct listing *l)
{
    for (size_t i = 0; i < l->entries.len; i++) {
        struct listing_entry *e = vec_at(&l->entries, i);
        free(e->name);
    }
    vec_clear(&l->entries);
}

void listing_free(struct listing *l)
{
    listing_clear(l);
    vec_free(&l->entries);
}
