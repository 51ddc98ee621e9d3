#include "common/backend/memory.h"

#include <stdlib.h>
#include <string.h>

#include "common/backend/listing.h"
#include "common/backend/memory_store.h"
#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

static const uint64_t memory_total = UINT64_C(1) << 40;

struct memory {
    struct backend base;
    struct store *store;
};

struct memory_upload {
    struct upload base;
    struct entry *entry;
};

static struct store *store_of(const struct backend *b)
{
    return ((const struct memory *)(const void *)b)->store;
}

/* Real storage makes no parents by itself. */
static int parent_check(const struct store *s, const char *name, struct error *err)
{
    const char *slash = strrchr(name, '/');
    if (slash == NULL)
        return 0;
    char parent[BACKEND_NAME_MAX + 1];
    size_t len = (size_t)(slash - name);
    memcpy(parent, name, len);
    parent[len] = '\0';
    const struct entry *e = store_find(s, parent);
    if (e == NULL || !e->is_dir)
        return error_set(err, E_NOT_FOUND, "%s: there is no directory %s", name, parent);
    return 0;
}

static int absent(const char *name, struct error *err)
{
    return error_set(err, E_NOT_FOUND, "%s does not exist", name);
}

static struct upload *memory_create(struct backend *b, const char *name, uint64_t expect, struct error *err)
{
    (void)expect;
    struct store *s = store_of(b);
    struct memory_upload *u = mem_alloc(1, sizeof *u, err);
    if (u == NULL)
        return NULL;
    u->base.backend = b;
    pthread_mutex_lock(&s->lock);
    if (parent_check(s, name, err) == 0)
        u->entry = store_add(s, name, false, err);
    if (u->entry != NULL)
        u->entry->refs++;
    pthread_mutex_unlock(&s->lock);
    if (u->entry == NULL) {
        free(u);
        return NULL;
    }
    return &u->base;
}

static int memory_write(struct upload *base, const void *data, size_t len, struct error *err)
{
    struct memory_upload *u = (struct memory_upload *)(void *)base;
    struct store *s = store_of(base->backend);
    pthread_mutex_lock(&s->lock);
    int rc = buf_append(&u->entry->data, data, len, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int memory_finish(struct upload *base, struct error *err)
{
    (void)base;
    (void)err;
    return 0;
}

static void memory_release(struct upload *base)
{
    struct memory_upload *u = (struct memory_upload *)(void *)base;
    struct store *s = store_of(base->backend);
    pthread_mutex_lock(&s->lock);
    entry_unref(u->entry);
    pthread_mutex_unlock(&s->lock);
    free(u);
}

static int memory_read(struct backend *b, const char *name, uint64_t offset, void *data, size_t len,
                       struct error *err)
{
    struct store *s = store_of(b);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    const struct entry *e = store_find(s, name);
    if (e == NULL)
        rc = absent(name, err);
    else if (e->is_dir)
        rc = error_set(err, E_IO, "%s is a directory", name);
    else if (offset > e->data.len || len > e->data.len - offset)
        rc = error_corrupt(err, "short-file", "%s ends at %zu, wanted %zu bytes at %llu", name, e->data.len,
                           len, (unsigned long long)offset);
    else
        memcpy(data, e->data.data + offset, len);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static struct backend_stat entry_stat(const struct entry *e)
{
    return (struct backend_stat){ .size = e->data.len, .mtime = e->mtime, .is_dir = e->is_dir };
}

static int memory_stat(struct backend *b, const char *name, struct backend_stat *st, struct error *err)
{
    struct store *s = store_of(b);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    const struct entry *e = store_find(s, name);
    if (e == NULL)
        rc = absent(name, err);
    else
        *st = entry_stat(e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* The part of name below dir, when it is one level below. */
static const char *child_of(const char *name, const char *dir)
{
    size_t len = strlen(dir);
    if (len > 0) {
        if (strncmp(name, dir, len) != 0 || name[len] != '/')
            return NULL;
        name += len + 1;
    }
    return strchr(name, '/') == NULL ? name : NULL;
}

static int memory_collect(const struct store *s, const char *dir, struct listing *l, struct error *err)
{
    if (dir[0] != '\0') {
        const struct entry *e = store_find(s, dir);
        if (e == NULL || !e->is_dir)
            return absent(dir, err);
    }
    for (size_t i = 0; i < s->len; i++) {
        const char *name = child_of(s->entries[i]->name, dir);
        if (name == NULL)
            continue;
        struct backend_stat st = entry_stat(s->entries[i]);
        int rc = listing_add(l, name, &st, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int memory_list(struct backend *b, const char *dir, backend_list_fn *fn, void *arg, struct error *err)
{
    struct store *s = store_of(b);
    struct listing l = LISTING_INIT;
    pthread_mutex_lock(&s->lock);
    int rc = memory_collect(s, dir, &l, err);
    pthread_mutex_unlock(&s->lock);
    if (rc == 0)
        rc = listing_report(&l, fn, arg, err);
    listing_free(&l);
    return rc;
}

static int memory_remove(struct backend *b, const char *name, struct error *err)
{
    struct store *s = store_of(b);
    int rc = 0;
    pthread_mutex_lock(&s->lock);
    bool found;
    size_t at = store_search(s, name, &found);
    if (!found)
        rc = absent(name, err);
    else if (s->entries[at]->is_dir)
        rc = error_set(err, E_IO, "remove %s: it is a directory", name);
    else
        store_take(s, at);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static int memory_make_dir(struct backend *b, const char *name, unsigned mode, struct error *err)
{
    (void)mode;
    struct store *s = store_of(b);
    struct error cause = ERROR_INIT;
    pthread_mutex_lock(&s->lock);
    if (parent_check(s, name, &cause) == 0)
        (void)store_add(s, name, true, &cause);
    pthread_mutex_unlock(&s->lock);
    return cause.code < 0 ? error_copy(err, &cause) : 0;
}

static int memory_space(struct backend *b, struct backend_space *space, struct error *err)
{
    (void)err;
    struct store *s = store_of(b);
    uint64_t used = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->len; i++)
        used += s->entries[i]->data.len;
    pthread_mutex_unlock(&s->lock);
    *space = (struct backend_space){ .total = memory_total, .available = memory_total - used };
    return 0;
}

static void memory_close(struct backend *b)
{
    store_unref(store_of(b));
    free(b);
}

static struct backend *handle(struct store *s, struct error *err);

static struct backend *memory_clone(const struct backend *b, struct error *err)
{
    return handle(store_of(b), err);
}

static const struct backend_ops memory_ops = {
    .clone = memory_clone,
    .close = memory_close,
    .create = memory_create,
    .write = memory_write,
    .finish = memory_finish,
    .release = memory_release,
    .read = memory_read,
    .stat = memory_stat,
    .list = memory_list,
    .remove = memory_remove,
    .make_dir = memory_make_dir,
    .space = memory_space,
};

static struct backend *handle(struct store *s, struct error *err)
{
    struct memory *m = mem_alloc(1, sizeof *m, err);
    if (m == NULL)
        return NULL;
    m->base.where = str_dup("memory", err);
    if (m->base.where == NULL) {
        free(m);
        return NULL;
    }
    m->base.ops = &memory_ops;
    m->base.caps = BACKEND_FSYNC | BACKEND_SPACE | BACKEND_LOCAL;
    m->store = s;
    store_ref(s);
    return &m->base;
}

struct backend *backend_memory(struct error *err)
{
    struct store *s = store_new(err);
    if (s == NULL)
        return NULL;
    struct backend *b = handle(s, err);
    if (b == NULL)
        store_free(s);
    return b;
}

uint8_t *memory_tamper(struct backend *b, const char *name, size_t *len)
{
    struct store *s = store_of(b);
    pthread_mutex_lock(&s->lock);
    struct entry *e = store_find(s, name);
    uint8_t *data = NULL;
    if (e != NULL && !e->is_dir) {
        data = e->data.data;
        if (len != NULL)
            *len = e->data.len;
    }
    pthread_mutex_unlock(&s->lock);
    return data;
}

static int replace(struct store *s, const char *name, const void *data, size_t len, struct error *err)
{
    bool found;
    size_t at = store_search(s, name, &found);
    if (data == NULL) {
        if (!found)
            return absent(name, err);
        store_take(s, at);
        return 0;
    }
    struct entry *e = found ? s->entries[at] : store_add(s, name, false, err);
    if (e == NULL)
        return E_NOMEM;
    buf_clear(&e->data);
    return buf_append(&e->data, data, len, err);
}

int memory_replace(struct backend *b, const char *name, const void *data, size_t len, struct error *err)
{
    int rc = backend_name_check(name, err);
    if (rc < 0)
        return rc;
    struct store *s = store_of(b);
    pthread_mutex_lock(&s->lock);
    rc = replace(s, name, data, len, err);
    pthread_mutex_unlock(&s->lock);
    return rc;
}
