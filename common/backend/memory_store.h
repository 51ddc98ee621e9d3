/*
 * memory_store.h - the files of a memory backend, without any locking.
 *
 * The holder of `lock` may call these. Entries are counted references: an
 * upload goes on writing into a file that was removed meanwhile.
 */
#ifndef COMMON_BACKEND_MEMORY_STORE_H
#define COMMON_BACKEND_MEMORY_STORE_H

#include <pthread.h>

#include "common/backend/backend.h"

struct entry {
    char *name;
    struct buf data;
    uint64_t mtime;
    unsigned refs;
    bool is_dir;
};

struct store {
    pthread_mutex_t lock;
    unsigned handles;
    struct entry **entries; /* sorted by name */
    size_t len;
    size_t cap;
};

/* With no entries and no handles; the last store_unref frees it. */
struct store *store_new(struct error *err);
/* Takes the lock itself. */
void store_ref(struct store *s);
void store_unref(struct store *s);
void store_free(struct store *s);

/* The place of name, or where it belongs. */
size_t store_search(const struct store *s, const char *name, bool *found);
struct entry *store_find(const struct store *s, const char *name);
/* E_EXISTS when there is one; the entry belongs to the store. */
struct entry *store_add(struct store *s, const char *name, bool is_dir, struct error *err);
void store_take(struct store *s, size_t at);
void entry_unref(struct entry *e);

#endif
