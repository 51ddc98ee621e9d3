/* The kernel's form of a POSIX ACL (docs/format.md, "ACLs") as libarchive's entries. */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "common/archive/tar_writer.h"
#include "common/archive/xattr.h"

#include "common/base/banned.h"

enum { ACL_VERSION = 2, ACL_ENTRY_LEN = 8 };

static int tag_of(unsigned tag)
{
    switch (tag) {
    case 1:
        return ARCHIVE_ENTRY_ACL_USER_OBJ;
    case 2:
        return ARCHIVE_ENTRY_ACL_USER;
    case 4:
        return ARCHIVE_ENTRY_ACL_GROUP_OBJ;
    case 8:
        return ARCHIVE_ENTRY_ACL_GROUP;
    case 16:
        return ARCHIVE_ENTRY_ACL_MASK;
    case 32:
        return ARCHIVE_ENTRY_ACL_OTHER;
    default:
        return 0;
    }
}

static int perm_of(unsigned rights)
{
    return ((rights & 4) != 0 ? ARCHIVE_ENTRY_ACL_READ : 0) |
           ((rights & 2) != 0 ? ARCHIVE_ENTRY_ACL_WRITE : 0) |
           ((rights & 1) != 0 ? ARCHIVE_ENTRY_ACL_EXECUTE : 0);
}

static unsigned u16_at(const uint8_t *p)
{
    return (unsigned)p[0] | (unsigned)p[1] << 8;
}

/* Judged before anything is added. */
static bool is_acl(const uint8_t *p, size_t len)
{
    if (len < 4 || (len - 4) % ACL_ENTRY_LEN != 0 || p[0] != ACL_VERSION || p[1] != 0 || p[2] != 0 ||
        p[3] != 0)
        return false;
    for (size_t at = 4; at < len; at += ACL_ENTRY_LEN)
        if (tag_of(u16_at(p + at)) == 0 || u16_at(p + at + 2) > 7)
            return false;
    return true;
}

bool tar_add_acl(struct archive_entry *to, const struct catalog_xattr *acl)
{
    const uint8_t *p = acl->value;
    int type = strcmp(acl->name, XATTR_ACL_DEFAULT) == 0 ? ARCHIVE_ENTRY_ACL_TYPE_DEFAULT
                                                         : ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
    if (!is_acl(p, acl->len))
        return false;
    for (size_t at = 4; at < acl->len; at += ACL_ENTRY_LEN) {
        uint32_t id = u16_at(p + at + 4) | (uint32_t)u16_at(p + at + 6) << 16;
        unsigned tag = u16_at(p + at);
        bool named = tag == 2 || tag == 8;
        if (archive_entry_acl_add_entry(to, type, perm_of(u16_at(p + at + 2)), tag_of(tag),
                                        named ? (int)id : -1, NULL) != ARCHIVE_OK)
            return false;
    }
    return true;
}
