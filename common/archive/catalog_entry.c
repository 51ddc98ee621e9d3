/* A member that outlives its source. */
#include <stdlib.h>
#include <string.h>

#include "common/archive/catalog.h"
#include "common/base/alloc.h"

#include "common/base/banned.h"

static size_t text_size(const char *s)
{
    return s == NULL ? 0 : strlen(s) + 1;
}

/* Copies len bytes to *at and moves it; NULL stays NULL. */
static void *put(uint8_t **at, const void *from, size_t len)
{
    uint8_t *to = *at;
    if (from == NULL)
        return NULL;
    memcpy(to, from, len);
    *at += len;
    return to;
}

struct catalog_entry *catalog_entry_copy(const struct catalog_entry *e, struct error *err)
{
    /* Every part is in memory already, and a block holds copies of all: the sum cannot wrap. */
    size_t size = sizeof *e + e->nxattrs * sizeof *e->xattrs + text_size(e->path) + text_size(e->uname) +
                  text_size(e->gname) + text_size(e->target);
    for (size_t i = 0; i < e->nxattrs; i++)
        size += text_size(e->xattrs[i].name) + e->xattrs[i].len;
    struct catalog_entry *copy = mem_alloc(1, size, err);
    if (copy == NULL)
        return NULL;
    struct catalog_xattr *xattrs = (struct catalog_xattr *)(copy + 1);
    uint8_t *at = (uint8_t *)(xattrs + e->nxattrs);
    *copy = *e;
    copy->body = NULL;
    copy->body_len = 0;
    copy->xattrs = e->nxattrs != 0 ? xattrs : NULL;
    for (size_t i = 0; i < e->nxattrs; i++) {
        const struct catalog_xattr *x = &e->xattrs[i];
        xattrs[i] = (struct catalog_xattr){ .name = put(&at, x->name, text_size(x->name)), .len = x->len };
        xattrs[i].value = x->len != 0 ? put(&at, x->value, x->len) : "";
    }
    copy->path = put(&at, e->path, text_size(e->path));
    copy->uname = put(&at, e->uname, text_size(e->uname));
    copy->gname = put(&at, e->gname, text_size(e->gname));
    copy->target = put(&at, e->target, text_size(e->target));
    return copy;
}
