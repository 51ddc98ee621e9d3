#include "restore/streams.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

static int keep_member(const struct member *member, void *arg, struct error *err)
{
    struct members *m = arg;
    if (member->entry.type != CATALOG_REGULAR)
        return interrupt_check(err);
    struct member_item *item = vec_push(&m->list, err);
    if (item == NULL)
        return E_NOMEM;
    item->path = str_dup(member->entry.path, err);
    item->facts = str_dup(member->facts, err);
    item->ref = member->ref;
    m->bytes +=
        member->ref.len; /* at most 2^26 streams of 2^50 bytes would overflow: check_total stops earlier */
    if (item->path == NULL || item->facts == NULL)
        return E_NOMEM;
    int rc = check_total(m->chosen, m->bytes, err);
    return rc < 0 ? rc : interrupt_check(err);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct member_item *)a)->path, ((const struct member_item *)b)->path);
}

int members_load(struct chosen *c, struct members *out, struct error *err)
{
    *out = (struct members){ .chosen = c, .list = VEC_OF(struct member_item) };
    int rc = snapshot_members(c->snap->object, c->fetcher, keep_member, out, err);
    if (rc < 0)
        return error_wrap(err, "%s", c->name);
    vec_sort(&out->list, by_path);
    return 0;
}

void members_free(struct members *m)
{
    for (size_t i = 0; i < m->list.len; i++) {
        struct member_item *item = vec_at(&m->list, i);
        free(item->path);
        free(item->facts);
    }
    vec_free(&m->list);
}

const struct member_item *members_find(const struct members *m, const char *path)
{
    char *key_path = str_dup(path, NULL);
    struct member_item key = { .path = key_path };
    const struct member_item *found =
        m->list.len == 0 || key_path == NULL
            ? NULL
            : bsearch(&key, m->list.data, m->list.len, sizeof(struct member_item), by_path);
    free(key_path);
    return found;
}

int check_total(const struct chosen *c, uint64_t bytes, struct error *err)
{
    uint64_t limit = c->snap->object->view.logical;
    /* One stream adds at most 2^50: below this bound no sum wraps before it is refused. */
    if (bytes > limit || limit > INT64_MAX)
        return error_corrupt(err, ERR_STREAM_LENGTH, "%s holds more than the %llu bytes it announces",
                             c->name, (unsigned long long)limit);
    return 0;
}

/* ---- a source that can be stopped ---------------------------------------------------------------------- */

struct watched {
    struct source base;
    struct source *inner;
};

static int64_t watched_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct watched *w = (struct watched *)s;
    int rc = interrupt_check(err);
    return rc < 0 ? rc : source_read(w->inner, data, cap, err);
}

static void watched_free(struct source *s)
{
    struct watched *w = (struct watched *)s;
    source_free(w->inner);
    free(w);
}

struct source *stream_watched(struct chosen *c, struct fetcher *f, const struct stream_ref *ref,
                              struct error *err)
{
    struct watched *w = mem_alloc(1, sizeof *w, err);
    if (w == NULL)
        return NULL;
    w->base = (struct source){ .read = watched_read, .free = watched_free };
    w->inner = snapshot_stream(c->snap->object, f, ref, err);
    if (w->inner != NULL)
        return &w->base;
    free(w);
    return NULL;
}

/* ---- what an engine restores from ---------------------------------------------------------------------- */

static int each(void *arg, int (*fn)(const char *, uint64_t, const char *, void *, struct error *),
                void *fn_arg, struct error *err)
{
    const struct members *m = arg;
    for (size_t i = 0; i < m->list.len; i++) {
        const struct member_item *item = vec_at(&m->list, i);
        int rc = fn(item->path, item->ref.len, item->facts, fn_arg, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static struct source *open_stream(void *arg, const char *name, struct error *err)
{
    struct members *m = arg;
    const struct member_item *item = members_find(m, name);
    if (item != NULL)
        return stream_watched(m->chosen, m->chosen->fetcher, &item->ref, err);
    (void)member_not_found(m->chosen, name, err);
    return NULL;
}

struct engine_streams members_streams(struct members *m)
{
    return (struct engine_streams){ .each = each, .open = open_stream, .arg = m };
}
