/*
 * catalog.h - the list of what a snapshot holds: a pax archive made by libarchive.
 *
 * A member is a file, directory, symbolic or hard link with its metadata. Only
 * regular files (and database streams, which look like them) have a body; what
 * the body means is the caller's business (a stream reference and facts).
 *
 * Extended attributes of files and directories are part of a member; POSIX ACLs
 * are the attributes system.posix_acl_access and system.posix_acl_default, in
 * the kernel's own form. They are written as pax records LIBARCHIVE.xattr.NAME
 * (name with %XX, value in base64), which carry any byte.
 *
 * Writing
 *     struct catalog_writer *w = catalog_writer_new(sink, err);
 *     catalog_add(w, &entry, err);            // in the order of path bytes (strcmp)
 *     catalog_writer_finish(w, err);          // end marker; the sink is not finished
 *     catalog_writer_free(w);                 // NULL is fine; without finish the bytes are incomplete
 *
 * Equal entries give equal bytes, whatever the locale: format pax, 512-byte
 * blocks, and no times but mtime, no device, inode or link count. Names are
 * stored as they are, with the pax record hdrcharset=BINARY: they are UTF-8
 * where the source's are, never converted or normalized, and any byte but NUL
 * survives. (Names in a foreign archive without that record must be UTF-8, and
 * libarchive composes decomposed letters in them.)
 *
 * Reading
 *     struct catalog_reader *r = catalog_reader_new(source, err);
 *     while ((rc = catalog_next(r, &entry, err)) == 1) ...;    // 0 is the end, everything checked
 *     catalog_reader_free(r);
 *
 * A reader takes any valid pax archive. It refuses, with E_CORRUPT and one of
 * the names below: paths that could leave a directory, duplicates, types that
 * are not in the list, bodies where none belongs, members beyond the limits, a
 * missing end and anything but zeros after it. A hard link must name a regular
 * file that came before. Memory: about 50 bytes for each member, and one body.
 *
 * Sink and source are borrowed. After an error the only legal call is free.
 * Errors of sink and source come through as they are.
 */
#ifndef COMMON_ARCHIVE_CATALOG_H
#define COMMON_ARCHIVE_CATALOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/stream/stream.h"

#define CATALOG_BODY_MAX ((size_t)1 << 20)   /* bytes of one body */
#define CATALOG_HEADER_MAX ((size_t)1 << 20) /* bytes of one member's headers */
#define CATALOG_PATH_MAX ((size_t)65535)     /* bytes of a path or a link's target */
#define CATALOG_FILE_MAX ((uint64_t)1 << 50) /* bytes of a file, gaps included */
#define CATALOG_MEMBERS_MAX ((uint64_t)1 << 26)
#define CATALOG_XATTRS_MAX ((size_t)256 << 10)     /* bytes of one member's names and values together */
#define CATALOG_XATTR_NAME_MAX ((size_t)255)       /* bytes of one name */
#define CATALOG_XATTR_VALUE_MAX ((size_t)64 << 10) /* bytes of one value */

/* Names of violations. */
#define CATALOG_E_HEADER "catalog-header"       /* not a pax member */
#define CATALOG_E_PATH "catalog-path"           /* empty, absolute, "." or "..", or too long */
#define CATALOG_E_DUPLICATE "catalog-duplicate" /* a path that was there before */
#define CATALOG_E_TYPE "catalog-type"           /* a device, a sparse file, ... */
#define CATALOG_E_BODY "catalog-body"           /* a body where none belongs, or one of the wrong size */
#define CATALOG_E_LINK "catalog-link"           /* no target, or a hard link to what did not come before */
#define CATALOG_E_LIMIT "catalog-limit"         /* larger than the limits above */
#define CATALOG_E_TRUNCATED "catalog-truncated" /* ends before its end marker */
#define CATALOG_E_TRAILING "catalog-trailing"   /* bytes after the end marker */

enum catalog_type { CATALOG_REGULAR, CATALOG_DIR, CATALOG_SYMLINK, CATALOG_HARDLINK };

struct catalog_xattr {
    const char *name; /* "user.mime_type" */
    const void *value;
    size_t len;
};

struct catalog_entry {
    const char *path; /* no leading or trailing '/' */
    enum catalog_type type;
    uint32_t mode; /* permission bits, 0..07777 */
    uint64_t uid;  /* at most INT64_MAX */
    uint64_t gid;
    const char *uname; /* or NULL */
    const char *gname; /* or NULL */
    int64_t mtime;     /* seconds since 1970 */
    uint32_t mtime_nsec;
    const char *target; /* of a link; else NULL */
    const void *body;   /* regular files only */
    size_t body_len;
    const struct catalog_xattr *xattrs; /* files and directories only; names ascending (strcmp) */
    size_t nxattrs;
};

/* A copy in one block for free(), with everything it points to but the body. */
struct catalog_entry *catalog_entry_copy(const struct catalog_entry *e, struct error *err);

struct catalog_writer;
struct catalog_reader;

struct catalog_writer *catalog_writer_new(struct sink *out, struct error *err);
/* E_INTERNAL for an entry that a reader would refuse, or out of order: the caller's mistake. */
int catalog_add(struct catalog_writer *w, const struct catalog_entry *entry, struct error *err);
int catalog_writer_finish(struct catalog_writer *w, struct error *err);
void catalog_writer_free(struct catalog_writer *w);

struct catalog_reader *catalog_reader_new(struct source *in, struct error *err);
/* 1 and an entry whose pointers hold until the next call, 0 at the end, or a negative code. */
int catalog_next(struct catalog_reader *r, struct catalog_entry *out, struct error *err);
void catalog_reader_free(struct catalog_reader *r);

#endif
