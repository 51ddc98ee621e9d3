#include "common/archive/xattr.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/xattr.h>

#include "common/base/reader.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { TRIES = 4, ACL_VERSION = 2, ACL_GROUP_OBJ = 4, ACL_MASK = 16, RIGHTS = 7 };

/* XATTR_LIST_MAX and XATTR_SIZE_MAX of Linux: nothing is longer. */
enum { LIST_MAX = 65536, LIST_FIRST = 4096, VALUE_FIRST = 512 };

bool xattr_is_kept(const char *name)
{
    return str_starts(name, "user.") || str_starts(name, "trusted.") || strcmp(name, XATTR_CAPABILITY) == 0 ||
           strcmp(name, XATTR_ACL_ACCESS) == 0 || strcmp(name, XATTR_ACL_DEFAULT) == 0;
}

static const char *because(void)
{
    return errno == EACCES || errno == EPERM ? "its extended attributes may not be read"
                                             : "its extended attributes cannot be read";
}

/* The names into set->names. 0 also when there are none or *why says why not. */
static int list(int fd, struct xattr_set *set, const char **why, struct error *err)
{
    size_t room = LIST_FIRST;
    buf_clear(&set->names);
    for (unsigned i = 0; i < TRIES; i++) {
        int rc = buf_reserve(&set->names, room, err);
        if (rc < 0)
            return rc;
        ssize_t n = flistxattr(fd, (char *)set->names.data, room);
        if (n >= 0) {
            set->names.len = (size_t)n;
            return 0;
        }
        if (errno == ENOTSUP || errno == ENOSYS)
            return 0;
        if (errno != ERANGE)
            break;
        room = LIST_MAX;
    }
    *why = because();
    return 0;
}

/* Appends one value to set->values; its length, 0 and *gone when the attribute went away, or a negative code. */
static int64_t value(int fd, const char *name, struct xattr_set *set, bool *gone, const char **why,
                     struct error *err)
{
    size_t room = VALUE_FIRST;
    for (unsigned i = 0; i < TRIES; i++) {
        int rc = buf_reserve(&set->values, room, err);
        if (rc < 0)
            return rc;
        ssize_t n = fgetxattr(fd, name, set->values.data + set->values.len, room);
        if (n >= 0) {
            set->values.len += (size_t)n;
            return n;
        }
        if (errno != ERANGE)
            break;
        room = CATALOG_XATTR_VALUE_MAX;
    }
    *gone = true;
    if (errno != ENODATA)
        *why = because();
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct catalog_xattr *)a)->name, ((const struct catalog_xattr *)b)->name);
}

/* The values moved while their buffer grew: only now they have addresses. */
static void settle(struct xattr_set *set)
{
    size_t at = 0;
    for (size_t i = 0; i < set->list.len; i++) {
        struct catalog_xattr *x = vec_at(&set->list, i);
        x->value = x->len != 0 ? (const void *)(set->values.data + at) : "";
        at += x->len;
    }
    if (set->list.len > 1)
        vec_sort(&set->list, by_name);
}

int xattr_read(int fd, struct xattr_set *set, const char **why, struct error *err)
{
    size_t total = 0;
    *why = NULL;
    vec_clear(&set->list);
    buf_clear(&set->values);
    int rc = list(fd, set, why, err);
    const char *end = (const char *)set->names.data + set->names.len;
    for (const char *name = (const char *)set->names.data; rc == 0 && name != NULL && name < end;
         name += strlen(name) + 1) {
        bool gone = false;
        size_t before = set->values.len;
        if (!xattr_is_kept(name))
            continue;
        int64_t n = value(fd, name, set, &gone, why, err);
        if (n < 0)
            return (int)n;
        if (gone)
            continue;
        total += strlen(name) + (size_t)n;
        if (total > CATALOG_XATTRS_MAX) {
            total -= strlen(name) + (size_t)n;
            set->values.len = before;
            *why = "its extended attributes are larger than the 256 KiB that are stored for one file";
            continue;
        }
        struct catalog_xattr *x = vec_push(&set->list, err);
        if (x == NULL)
            return E_NOMEM;
        *x = (struct catalog_xattr){ .name = name, .len = (size_t)n };
    }
    settle(set);
    return rc;
}

void xattr_set_free(struct xattr_set *set)
{
    vec_free(&set->list);
    buf_free(&set->names);
    buf_free(&set->values);
}

const struct catalog_xattr *xattr_find(const struct catalog_entry *e, const char *name)
{
    for (size_t i = 0; i < e->nxattrs; i++)
        if (strcmp(e->xattrs[i].name, name) == 0)
            return &e->xattrs[i];
    return NULL;
}

/* u32 version | entries of { u16 tag | u16 rights | u32 id } */
bool xattr_acl_group(const struct catalog_xattr *acl, unsigned *rights)
{
    struct reader r = reader_of(acl->value, acl->len);
    unsigned group = RIGHTS;
    unsigned mask = RIGHTS;
    bool found = false;
    bool good = reader_u32(&r) == ACL_VERSION;
    while (good && reader_left(&r) > 0) {
        unsigned tag = reader_u16(&r);
        unsigned perm = reader_u16(&r);
        (void)reader_u32(&r);
        if (tag == ACL_GROUP_OBJ) {
            group = perm;
            found = true;
        } else if (tag == ACL_MASK) {
            mask = perm;
        }
        good = reader_ok(&r);
    }
    *rights = group & mask & RIGHTS;
    return good && found;
}
