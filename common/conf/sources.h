/*
 * sources.h - the files of a configuration, read before they are understood (inside this room).
 *
 *     rc = conf_sources_read(path, make_one, &sources, err);     // the main file and its drop-ins, or what was packed
 *     for each file: parse its text, or tell its problem
 *     rc = conf_sources_pack(&sources, out, err);
 *     conf_sources_free(&sources);
 *
 * Packed (conf.h, conf_hooks.packed) is what was read, byte for byte:
 *
 *     "backupd configuration, packed 1\n"
 *     for each file, the main one first:  "NAME-BYTES TEXT-BYTES\n" NAME "\n" TEXT "\n"
 */
#ifndef COMMON_CONF_SOURCES_H
#define COMMON_CONF_SOURCES_H

#include <stdbool.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"

struct conf_source {
    char *name;
    struct buf text; /* NUL-terminated behind its length */
    char *problem;   /* a drop-in that could not be read says why; else NULL */
};

struct conf_sources {
    struct vec files; /* of struct conf_source; the main file first, its name as the user gave it */
    bool packed;      /* they were */
};

/* E_NOT_FOUND with the command that makes a first file. On failure there is nothing to free. */
int conf_sources_read(const char *path, const char *make_one, struct conf_sources *out, struct error *err);
/* Appends. The main file's name is packed as an absolute one: relative names in it mean the same wherever it is read. */
int conf_sources_pack(const struct conf_sources *sources, struct buf *out, struct error *err);
void conf_sources_free(struct conf_sources *sources);

bool conf_is_packed(const struct buf *text);

static inline const struct conf_source *conf_source_at(const struct conf_sources *sources, size_t i)
{
    return vec_at(&sources->files, i);
}

#endif
