#include "restore/target/export_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18 };

/* ---- beginning ----------------------------------------------------------------------------------------- */

char *export_out_scratch(const char *to, struct error *err)
{
    const char *tmp = getenv("TMPDIR");
    if (strcmp(to, "-") != 0)
        return path_dir(to, err);
    return str_dup(tmp != NULL && tmp[0] == '/' ? tmp : "/tmp", err);
}

static int open_directory(struct export_out *o, struct error *err)
{
    struct stat st;
    if (lstat(o->part, &st) == 0)
        return error_set(err, E_EXISTS,
                         "%s exists already: an export that runs, or one that was cut; then remove it",
                         o->part);
    int rc = tree_open(o->part, &o->tree, err);
    if (rc == 0)
        o->tree->policy = o->options.policy;
    return rc;
}

/* Without slashes at its end. */
static int name_target(struct export_out *o, struct error *err)
{
    struct stat st;
    size_t len = strlen(o->options.to);
    if (strcmp(o->options.to, "-") == 0)
        return 0;
    while (len > 1 && o->options.to[len - 1] == '/')
        len--;
    o->path = str_dup_len(o->options.to, len, err);
    o->part = o->path != NULL ? str_printf(err, "%s.part", o->path) : NULL;
    if (o->part == NULL)
        return E_NOMEM;
    if (lstat(o->path, &st) == 0)
        return error_set(err, E_EXISTS, "%s exists already: nothing is overwritten", o->path);
    return errno == ENOENT ? 0 : error_sys(err, "%s", o->path);
}

int export_out_open(struct export_out *o, const struct export_options *options, struct error *err)
{
    *o = (struct export_out){
        .options = *options, .fd = -1, .sums = SPOOL_INIT, .manifest = SPOOL_INIT, .hash = sha256_new(err)
    };
    char *scratch = NULL;
    int rc = o->hash != NULL ? name_target(o, err) : E_NOMEM;
    if (rc == 0)
        rc = options->tar ? export_archive_open(o, err) : open_directory(o, err);
    if (rc == 0)
        rc = (scratch = export_out_scratch(options->to, err)) != NULL ? 0 : E_NOMEM;
    rc = rc < 0 ? rc : spool_open(&o->sums, scratch, err);
    rc = rc < 0 ? rc : spool_open(&o->manifest, scratch, err);
    free(scratch);
    return rc;
}

/* ---- members of either --------------------------------------------------------------------------------- */

static int to_directory(struct export_out *o, const struct catalog_entry *e, struct source *source,
                        uint64_t len, const struct gaps *gaps, struct error *err)
{
    if (e->type == CATALOG_REGULAR)
        return tree_file(o->tree, e, source, len, gaps, o->options.progress, o->options.progress_arg, err);
    if (e->type == CATALOG_DIR)
        return tree_dir(o->tree, e, err);
    return tree_link(o->tree, e, o->options.unsafe_links, err);
}

static int put(struct export_out *o, const struct catalog_entry *e, struct source *source, uint64_t len,
               const struct gaps *gaps, struct error *err)
{
    return o->tar != NULL ? export_archive_member(o, e, source, gaps, err)
                          : to_directory(o, e, source, len, gaps, err);
}

static int put_file(struct export_out *o, const struct catalog_entry *e, struct source *source, uint64_t len,
                    const struct gaps *gaps, const char *facts, struct error *err)
{
    struct source *summed = export_summed(source, o->hash, gaps, err);
    struct catalog_entry file = *e;
    file.body_len = (size_t)len;
    int rc = summed != NULL ? put(o, &file, summed, len, gaps, err) : E_NOMEM;
    source_free(summed);
    return rc < 0 ? rc
                  : export_note_file(o, e->path, gaps != NULL ? gaps->size : len, export_is_summed(gaps),
                                     facts, err);
}

int export_out_member(struct export_out *o, const struct catalog_entry *entry, struct source *source,
                      uint64_t len, const struct gaps *gaps, const char *facts, struct error *err)
{
    char shown[512];
    int rc = interrupt_check(err);
    if (rc < 0)
        return rc;
    if (entry->type == CATALOG_REGULAR) {
        rc = put_file(o, entry, source, len, gaps, facts, err);
    } else {
        rc = put(o, entry, NULL, 0, NULL, err);
        if (rc == 0 && entry->type != CATALOG_DIR)
            rc = export_note_link(o, entry, err);
    }
    return rc < 0 ? error_wrap(err, "%s", str_printable(shown, sizeof shown, entry->path)) : 0;
}

int export_out_text(struct export_out *o, const char *path, const void *text, size_t len, struct error *err)
{
    struct catalog_entry e = {
        .path = path, .type = CATALOG_REGULAR, .mode = 0600, .mtime = o->options.mtime
    };
    struct source *s = source_memory(text, len, err);
    int rc = s != NULL ? export_out_member(o, &e, s, len, NULL, NULL, err) : E_NOMEM;
    source_free(s);
    return rc;
}

/* ---- the end ------------------------------------------------------------------------------------------- */

static int put_spool(struct export_out *o, const char *path, struct spool *spool, struct error *err)
{
    struct catalog_entry e = {
        .path = path, .type = CATALOG_REGULAR, .mode = 0600, .mtime = o->options.mtime
    };
    uint64_t len = spool->len;
    struct source *s = spool_source(spool, err);
    if (s == NULL)
        return err->code < 0 ? err->code : E_NOMEM;
    e.body_len = (size_t)len;
    int rc = put(o, &e, s, len, NULL, err);
    source_free(s);
    return rc < 0 ? error_wrap(err, "%s", path) : rc;
}

static int put_sums(struct export_out *o, struct error *err)
{
    struct catalog_entry e = {
        .path = "SHA256SUMS", .type = CATALOG_REGULAR, .mode = 0600, .mtime = o->options.mtime
    };
    uint64_t len = o->sums.len;
    struct source *s = spool_source(&o->sums, err);
    if (s == NULL)
        return err->code < 0 ? err->code : E_NOMEM;
    int rc = put_file(o, &e, s, len, NULL, NULL, err);
    source_free(s);
    return rc;
}

/* {"...": ..., "files": [ objects ]} */
static int put_manifest(struct export_out *o, struct jsonout *head, struct error *err)
{
    static const char files[] = ",\n  \"files\": [";
    static const char end[] = "\n  ]\n}\n";
    struct spool whole = SPOOL_INIT;
    struct buf text = BUF_INIT;
    uint8_t *block = mem_alloc(1, BLOCK, err);
    char *scratch = export_out_scratch(o->options.to, err);
    struct source *s = NULL;
    int rc = jsonout_text(head, &text, err);
    if (rc == 0 && (block == NULL || scratch == NULL))
        rc = E_NOMEM;
    rc = rc < 0 ? rc : spool_open(&whole, scratch, err);
    rc = rc < 0 ? rc : spool_add(&whole, text.data, text.len - 1, err); /* without its brace */
    rc = rc < 0 ? rc : spool_add(&whole, files, sizeof files - 1, err);
    s = rc == 0 ? spool_source(&o->manifest, err) : NULL;
    int64_t n = s != NULL ? 1 : -1;
    while (rc == 0 && s != NULL && (n = source_read(s, block, BLOCK, err)) > 0)
        rc = spool_add(&whole, block, (size_t)n, err);
    if (rc == 0 && n < 0)
        rc = err->code < 0 ? err->code : E_NOMEM;
    rc = rc < 0 ? rc : spool_add(&whole, end, sizeof end - 1, err);
    rc = rc < 0 ? rc : put_spool(o, "MANIFEST.json", &whole, err);
    source_free(s);
    spool_close(&whole);
    buf_free(&text);
    free(block);
    free(scratch);
    return rc;
}

static int stop_at(const char *path, const struct error *why, void *arg, struct error *err)
{
    char shown[512];
    (void)arg;
    (void)error_copy(err, why);
    return error_wrap(err, "%s", str_printable(shown, sizeof shown, path));
}

int export_out_finish(struct export_out *o, struct jsonout *head, struct error *err)
{
    int rc = put_sums(o, err);
    if (rc < 0) {
        jsonout_free(head);
        return rc;
    }
    rc = put_manifest(o, head, err);
    if (o->tar != NULL) {
        rc = rc < 0 ? rc : tar_writer_finish(o->tar, err);
        rc = rc < 0 ? rc : sink_finish(o->sink, err);
    } else {
        rc = rc < 0 ? rc : tree_finish(o->tree, stop_at, NULL, err);
    }
    rc = rc < 0 ? rc : interrupt_check(err);
    if (rc < 0 || o->path == NULL)
        return rc;
    struct stat st;
    rc = file_publish(o->part, o->path, FILE_EXCLUSIVE, err);
    /* Under its name it is whole, also when flushing the directory failed. */
    if (rc == 0 || lstat(o->part, &st) < 0) {
        o->made = false;
        if (o->tree != NULL)
            o->tree->made = false;
    }
    return rc;
}

uint64_t export_out_lost(const struct export_out *o)
{
    return o->tar != NULL ? tar_lost(o->tar) : o->tree != NULL ? o->tree->losses : 0;
}

void export_out_close(struct export_out *o)
{
    if (o->tree != NULL && o->tree->made)
        tree_undo(o->tree);
    tree_free(o->tree);
    tar_writer_free(o->tar);
    sink_free(o->sink);
    if (o->path != NULL)
        fd_drop(&o->fd);
    if (o->made && unlink(o->part) < 0)
        log_event(LOG_WARN, "%s is incomplete and could not be removed", o->part);
    spool_close(&o->sums);
    spool_close(&o->manifest);
    sha256_free(o->hash);
    free(o->path);
    free(o->part);
    *o = (struct export_out)EXPORT_OUT_INIT;
}
