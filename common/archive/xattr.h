/*
 * xattr.h - the extended attributes of an open file or directory, and what an ACL means without them.
 *
 *     struct xattr_set set = XATTR_SET_INIT;         // reuse it: memory is kept between files
 *     rc = xattr_read(fd, &set, &why, err);          // 0: set.list, names ascending
 *     xattr_set_free(&set);
 *
 * Read are user.*, trusted.* (root sees them), security.capability, and the
 * POSIX ACLs system.posix_acl_access and system.posix_acl_default. Others
 * (security.selinux, security.ima, ...) belong to the machine, not to the file.
 *
 * `why` says what was left out, when something was: attributes that cannot be
 * read, or that are larger than a catalog takes. NULL: nothing.
 */
#ifndef COMMON_ARCHIVE_XATTR_H
#define COMMON_ARCHIVE_XATTR_H

#include <stdbool.h>
#include <stddef.h>

#include "common/archive/catalog.h"
#include "common/base/buffer.h"
#include "common/base/vec.h"

#define XATTR_ACL_ACCESS "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"
#define XATTR_CAPABILITY "security.capability"

struct xattr_set {
    struct vec list;   /* struct catalog_xattr; pointers hold until the next read */
    struct buf names;  /* as the kernel lists them */
    struct buf values; /* one behind the other */
};

#define XATTR_SET_INIT                                                              \
    {                                                                               \
        .list = VEC_OF(struct catalog_xattr), .names = BUF_INIT, .values = BUF_INIT \
    }

/* Whether an attribute of that name is one of those above: others are neither stored nor restored. */
bool xattr_is_kept(const char *name);

/* E_NOMEM or 0; a file system without attributes has none. */
int xattr_read(int fd, struct xattr_set *set, const char **why, struct error *err);
void xattr_set_free(struct xattr_set *set);

/* The attribute of that name, or NULL. */
const struct catalog_xattr *xattr_find(const struct catalog_entry *e, const char *name);

/* The rights of the owning group (0..7) in an access ACL in the kernel's form, at most what its mask lets
 * through. False when it is no such ACL. The group bits of a file's mode are the mask: without the ACL they
 * would give the owning group more than it had. */
bool xattr_acl_group(const struct catalog_xattr *acl, unsigned *rights);

#endif
