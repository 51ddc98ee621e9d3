#include "common/backend/memory_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/str.h"

#include "common/base/banned.h"

size_t store_search(const struct store *s, const char *name, bool *found)
{
    size_t low = 0;
    size_t high = s->len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(s->entries[mid]->name, name);
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = false;
    return low;
}

struct entry *store_find(const struct store *s, const char *name)
{
    bool found;
    size_t at = store_search(s, name, &found);
    return found ? s->entries[at] : NULL;
}

void entry_unref(struct entry *e)
{
    if (e == NULL || --e->refs > 0)
        return;
    buf_free(&e->data);
    free(e->name);
    free(e);
}

struct entry *store_add(struct store *s, const char *name, bool is_dir, struct error *err)
{
    bool found;
    size_t at = store_search(s, name, &found);
    if (found) {
        (void)error_set(err, E_EXISTS, "%s exists already", name);
        return NULL;
    }
    if (s->len == s->cap) {
        size_t cap = s->cap != 0 ? 2 * s->cap : 64;
        struct entry **grown = mem_grow(s->entries, cap, sizeof(struct entry *), err);
        if (grown == NULL)
            return NULL;
        s->entries = grown;
        s->cap = cap;
    }
    struct entry *e = mem_alloc(1, sizeof *e, err);
    if (e == NULL)
        return NULL;
    e->name = str_dup(name, err);
    if (e->name == NULL) {
        free(e);
        return NULL;
    }
    e->mtime = clock_wall();
    e->refs = 1;
    e->is_dir = is_dir;
    memmove(s->entries + at + 1, s->entries + at, (s->len - at) * sizeof *s->entries);
    s->entries[at] = e;
    s->len++;
    return e;
}

void store_take(struct store *s, size_t at)
{
    entry_unref(s->entries[at]);
    s->len--;
    memmove(s->entries + at, s->entries + at + 1, (s->len - at) * sizeof *s->entries);
}

struct store *store_new(struct error *err)
{
    struct store *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL)
        return NULL;
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        (void)error_set(err, E_NOMEM, "mutex of the memory backend");
        free(s);
        return NULL;
    }
    return s;
}

void store_ref(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->handles++;
    pthread_mutex_unlock(&s->lock);
}

void store_free(struct store *s)
{
    while (s->len > 0)
        store_take(s, s->len - 1);
    free(s->entries);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void store_unref(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->handles == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        store_free(s);
}
