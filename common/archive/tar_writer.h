/*
 * tar_writer.h - a tar archive for other programs: pax, as GNU tar, bsdtar and Python read it.
 *
 *     struct tar_writer *w = tar_writer_new(sink, true, err);     // true: compressed with zstd
 *     tar_member(w, &entry, &gaps, err);        // headers; entry.body is not looked at, gaps NULL: none
 *     tar_data(w, data, len, err)...;           // a regular file: exactly its bytes without the gaps
 *     tar_hole(w, len, err)...;                 // and its gaps, in their places
 *     tar_writer_finish(w, err);                // end marker; the sink is not finished
 *     tar_writer_free(w);                       // NULL is fine; without finish the bytes are incomplete
 *
 * The whole pax form, not the restricted one, which drops the fractions of times.
 * Extended attributes are SCHILY.xattr records, POSIX ACLs the SCHILY.acl ones in
 * text, gaps GNU sparse 1.0. Equal members give equal bytes.
 *
 * A time before 1970 is the number that POSIX says; bsdtar 3.6 reads its fraction the
 * wrong way round. Names that are not ASCII are marked hdrcharset=BINARY.
 *
 * Left out, counted by tar_lost() and told: an ACL that is not in the kernel's form, and
 * an attribute whose name has spaces or is not ASCII.
 * Refused (E_CORRUPT): a member below a path that is a file or a link of this
 * archive, which a careless program would write through; a file whose bytes are
 * fewer or more than it announced.
 *
 * The sink is borrowed. After an error the only legal call is free. Memory: a few
 * MiB for zstd, and about 50 bytes for each member.
 */
#ifndef COMMON_ARCHIVE_TAR_WRITER_H
#define COMMON_ARCHIVE_TAR_WRITER_H

#include <stdbool.h>

#include "common/archive/catalog.h"
#include "common/archive/gaps.h"

struct tar_writer;

struct tar_writer *tar_writer_new(struct sink *out, bool zstd, struct error *err);
/* Size: gaps->size. Without gaps entry->body_len is the size of a regular file. */
int tar_member(struct tar_writer *w, const struct catalog_entry *entry, const struct gaps *gaps,
               struct error *err);
/* Whether a member of this path was written. */
bool tar_has(const struct tar_writer *w, const char *path);
int tar_data(struct tar_writer *w, const void *data, size_t len, struct error *err);
int tar_hole(struct tar_writer *w, uint64_t len, struct error *err);
/* Attributes that could not be written: each one, and how many so far. */
typedef void tar_lost_fn(const char *path, const char *attribute, void *arg);
void tar_tell_lost(struct tar_writer *w, tar_lost_fn *fn, void *arg);
uint64_t tar_lost(const struct tar_writer *w);
int tar_writer_finish(struct tar_writer *w, struct error *err);
void tar_writer_free(struct tar_writer *w);

/* ---- inside (tar_acl.c) -------------------------------------------------------------------------------- */

struct archive_entry;
/* Whether it is an ACL and was taken. */
bool tar_add_acl(struct archive_entry *to, const struct catalog_xattr *acl);

#endif
