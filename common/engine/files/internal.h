/*
 * internal.h - what the files of this engine share; not for others.
 */
#ifndef COMMON_ENGINE_FILES_INTERNAL_H
#define COMMON_ENGINE_FILES_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/base/buffer.h"
#include "common/base/vec.h"
#include "common/engine/engine.h"

/* settings.c: the options of a job, parsed. */
struct files_settings {
    char *path;
    bool one_file_system;
    struct vec excludes; /* struct exclude */
};

int files_settings_read(const struct engine_job *job, struct files_settings *out, struct error *err);
/* Whether a pattern matches the path (relative to the root). */
bool files_settings_exclude(const struct files_settings *s, const char *path, bool is_dir);
void files_settings_free(struct files_settings *s);

/* live.c: whether the open directory belongs to a running database server, and which, in words. */
enum { LIVE_TEXT_MAX = 160 };
bool live_is_database(int dir, char *what, size_t cap);
/* E_UNSUPPORTED when it does. */
int live_refuse(int dir, const char *path, struct error *err);
/* Whether an open file is an SQLite write-ahead log with content. */
bool live_is_wal(int fd, const char *path);

/* content.c: the bytes of one open file. */
struct content {
    int fd;           /* borrowed */
    struct stat st;   /* as it was when reading began */
    uint64_t at;      /* offset in the file */
    uint64_t size;    /* where reading ends */
    struct vec gaps;  /* struct gap */
    size_t gap;       /* the next one */
    struct buf small; /* a small file, whole */
    bool in_memory;
    bool busy; /* written to so recently that its time says nothing */
    bool changed;
    int broken; /* errno of a failed read, or 0 */
};

struct gap {
    uint64_t offset;
    uint64_t length;
};

/* Zeroed once, then begin for each file; free at the end. */
int content_begin(struct content *c, int fd, const struct stat *st, struct error *err);
/* 1..cap bytes or 0 at the end; then changed and broken are final. */
int64_t content_read(struct content *c, void *data, size_t cap);
int content_facts(const struct content *c, struct buf *out, struct error *err);
/* How many bytes there will be, as far as one can know. */
uint64_t content_length(const struct content *c);
void content_free(struct content *c);

/* gaps.c: the holes of a file, as many as a member's facts can name: then the larger ones. */
int gaps_find(int fd, uint64_t size, struct vec *out, struct error *err);
int gaps_facts(const struct vec *gaps, struct buf *out, struct error *err);

int files_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);

/* export.c */
int files_export(const struct engine_streams *streams, const char *run_facts, const struct engine_export *out,
                 struct error *err);

#endif
