/*
 * export_out.h - where an export goes: a directory, or an archive in a file or on a descriptor.
 *
 *     struct export_out o = EXPORT_OUT_INIT;
 *     export_out_open(&o, &options, err);
 *     export_out_text(&o, "README.txt", text, len, err);         // small files
 *     export_out_member(&o, &entry, source, len, &gaps, facts, err);   // a path below the export's top
 *     export_out_finish(&o, head, err);                          // SHA256SUMS, MANIFEST.json, then its name
 *     export_out_close(&o);                                      // always; without finish nothing is left
 *
 * A file or directory is written as PATH.part, which must not exist, and gets its name (which must be free) after
 * everything was flushed. An archive on a descriptor cannot be taken back: without finish it has no end, and
 * decompressing it fails.
 *
 * Every regular file gets a line in SHA256SUMS, as sha256sum writes it, and an object in MANIFEST.json. Both come
 * last. A file with more than EXPORT_HASHED_GAPS_MAX bytes of gaps has no sum: they would have to be hashed here and
 * there.
 */
#ifndef RESTORE_TARGET_EXPORT_OUT_H
#define RESTORE_TARGET_EXPORT_OUT_H

#include "common/archive/catalog.h"
#include "common/archive/gaps.h"
#include "common/archive/tar_writer.h"
#include "common/cli/json.h"
#include "common/crypto/sha256.h"
#include "restore/target/spool.h"
#include "restore/target/tree.h"

#define EXPORT_HASHED_GAPS_MAX ((uint64_t)16 << 30)

struct export_options {
    const char *to; /* PATH, or "-" */
    bool tar;
    const char *top;           /* the archive's only name at its top */
    bool parents;              /* an archive gets private directories that no member is */
    int64_t mtime;             /* of what has none */
    struct tree_policy policy; /* of a directory */
    bool unsafe_links;         /* also in a directory */
    void (*progress)(uint64_t bytes, void *arg);
    void *progress_arg;
};

struct export_out {
    struct export_options options;
    char *path; /* NULL: a descriptor */
    char *part;
    bool made; /* part is a file of ours */
    int fd;
    struct sink *sink;
    struct tar_writer *tar;
    struct tree *tree;
    struct spool sums;
    struct spool manifest; /* the objects of its files */
    struct sha256_state *hash;
    uint64_t files;
    uint64_t bytes;   /* of files, with gaps */
    uint64_t written; /* of the archive */
};

#define EXPORT_OUT_INIT                                      \
    {                                                        \
        .fd = -1, .sums = SPOOL_INIT, .manifest = SPOOL_INIT \
    }

int export_out_open(struct export_out *o, const struct export_options *options, struct error *err);
int export_out_text(struct export_out *o, const char *path, const void *text, size_t len, struct error *err);
/* source: a regular file of len bytes and its gaps (NULL: none). facts: for the manifest, or NULL. */
int export_out_member(struct export_out *o, const struct catalog_entry *entry, struct source *source,
                      uint64_t len, const struct gaps *gaps, const char *facts, struct error *err);
/* Takes head, an object that says what was exported. */
int export_out_finish(struct export_out *o, struct jsonout *head, struct error *err);
void export_out_close(struct export_out *o);
/* Metadata that could not be written. */
uint64_t export_out_lost(const struct export_out *o);
/* The directory of temporary files, for free(). */
char *export_out_scratch(const char *to, struct error *err);

/* ---- inside (export_archive.c) ------------------------------------------------------------------------- */

int export_archive_open(struct export_out *o, struct error *err);
int export_archive_member(struct export_out *o, const struct catalog_entry *entry, struct source *source,
                          const struct gaps *gaps, struct error *err);

/* ---- inside (export_sums.c) ---------------------------------------------------------------------------- */

/* `source` as it passes, summed up with its gaps. For source_free, which leaves `source` alone. */
struct source *export_summed(struct source *source, struct sha256_state *hash, const struct gaps *gaps,
                             struct error *err);
/* Whether a file with these gaps has a sum. */
bool export_is_summed(const struct gaps *gaps);
/* After the source's end: lines in both lists. */
int export_note_file(struct export_out *o, const char *path, uint64_t size, bool in_sums, const char *facts,
                     struct error *err);
int export_note_link(struct export_out *o, const struct catalog_entry *e, struct error *err);

#endif
