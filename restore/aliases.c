#include "restore/aliases.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

struct alias {
    char *target;
    char *path;
};

int aliases_note(struct aliases *a, const char *target, const char *path, struct error *err)
{
    if (a->list.item == 0)
        a->list = (struct vec)VEC_OF(struct alias);
    struct alias *slot = vec_push(&a->list, err);
    if (slot == NULL)
        return E_NOMEM;
    slot->target = str_dup(target, err);
    slot->path = str_dup(path, err);
    return slot->target != NULL && slot->path != NULL ? 0 : E_NOMEM;
}

static int by_target(const void *x, const void *y)
{
    const struct alias *a = x;
    const struct alias *b = y;
    int c = strcmp(a->target, b->target);
    return c != 0 ? c : strcmp(a->path, b->path);
}

void aliases_settle(struct aliases *a)
{
    vec_sort(&a->list, by_target);
}

const char *aliases_find(const struct aliases *a, const char *target)
{
    size_t low = 0;
    size_t high = a->list.len;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct alias *at = vec_at(&a->list, mid);
        if (strcmp(at->target, target) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    const struct alias *found = low < a->list.len ? vec_at(&a->list, low) : NULL;
    return found != NULL && strcmp(found->target, target) == 0 ? found->path : NULL;
}

void aliases_free(struct aliases *a)
{
    for (size_t i = 0; i < a->list.len; i++) {
        struct alias *at = vec_at(&a->list, i);
        free(at->target);
        free(at->path);
    }
    vec_free(&a->list);
}
