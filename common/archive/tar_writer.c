#include "common/archive/tar_writer.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "common/archive/archive_out.h"
#include "common/archive/catalog_path.h"
#include "common/archive/catalog_seen.h"
#include "common/archive/xattr.h"
#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { BLOCK = 10240, HOLE_STEP = 1 << 20 };

struct tar_writer {
    struct archive *tar;
    struct archive_entry *entry;
    struct archive_out out;
    bool finished;
    tar_lost_fn *told;
    void *arg;
    uint64_t left; /* bytes of the present file, holes included */
    uint64_t lost;
    locale_t plain;
    struct catalog_seen seen;
    uint8_t *zeros;
};

static int done(struct tar_writer *w, bool good, struct error *err)
{
    return archive_out_done(&w->out, w->tar, good, err);
}

static bool set_up(struct tar_writer *w, bool zstd)
{
    return archive_write_set_format_pax(w->tar) == ARCHIVE_OK &&
           archive_write_set_format_option(w->tar, "pax", "xattrheader", "SCHILY") == ARCHIVE_OK &&
           archive_write_set_bytes_per_block(w->tar, BLOCK) == ARCHIVE_OK &&
           archive_write_set_bytes_in_last_block(w->tar, 1) == ARCHIVE_OK &&
           (!zstd || archive_write_add_filter_zstd(w->tar) == ARCHIVE_OK) &&
           archive_write_open(w->tar, &w->out, NULL, archive_out_write, NULL) == ARCHIVE_OK;
}

struct tar_writer *tar_writer_new(struct sink *out, bool zstd, struct error *err)
{
    struct tar_writer *w = mem_alloc(1, sizeof *w, err);
    if (w == NULL)
        return NULL;
    w->out = (struct archive_out){ .sink = out, .what = "the archive" };
    w->seen = (struct catalog_seen)CATALOG_SEEN_INIT;
    w->zeros = mem_alloc(1, HOLE_STEP, err);
    w->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    w->tar = archive_write_new();
    w->entry = archive_entry_new();
    if (w->zeros == NULL || w->tar == NULL || w->entry == NULL || w->plain == (locale_t)0)
        (void)error_set(err, E_NOMEM, "out of memory for an archive");
    else if (!set_up(w, zstd))
        (void)done(w, false, err);
    else if (catalog_seen_init(&w->seen, err) == 0)
        return w;
    tar_writer_free(w);
    return NULL;
}

/* ---- headers ------------------------------------------------------------------------------------------- */

/* No component before the last one may be something else than a directory. */
static int check_place(const struct tar_writer *w, const char *path, struct error *err)
{
    char shown[200];
    char *part = str_dup(path, err);
    bool good = part != NULL;
    for (char *slash = part != NULL ? strchr(part, '/') : NULL; good && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        good = !catalog_seen_is(&w->seen, part, CATALOG_SYMLINK) &&
               !catalog_seen_is(&w->seen, part, CATALOG_REGULAR) &&
               !catalog_seen_is(&w->seen, part, CATALOG_HARDLINK);
        *slash = '/';
    }
    bool whole = part != NULL;
    free(part);
    if (good)
        return 0;
    return !whole ? E_NOMEM
                  : error_corrupt(err, CATALOG_E_PATH, "%s lies below what is no directory",
                                  str_printable(shown, sizeof shown, path));
}

/* libarchive writes names of attributes with %XX. GNU tar undoes that for '%' and '=' only. */
static bool is_plain(const char *name)
{
    for (const char *p = name; *p != '\0'; p++)
        if (*p < 33 || *p > 126)
            return false;
    return true;
}

static void add_attributes(struct tar_writer *w, const struct catalog_entry *e)
{
    for (size_t i = e->nxattrs; i > 0; i--) {
        const struct catalog_xattr *x = &e->xattrs[i - 1];
        bool acl = strcmp(x->name, XATTR_ACL_ACCESS) == 0 || strcmp(x->name, XATTR_ACL_DEFAULT) == 0;
        bool good = acl ? tar_add_acl(w->entry, x) : is_plain(x->name);
        if (good && !acl)
            archive_entry_xattr_add_entry(w->entry, x->name, x->value, x->len);
        if (!good && w->told != NULL)
            w->told(e->path, x->name, w->arg);
        w->lost += !good;
    }
}

/* libarchive wants the ranges with data. */
static void add_ranges(struct archive_entry *to, const struct gaps *g)
{
    uint64_t at = 0;
    for (size_t i = 0; i < g->list.len; i++) {
        const struct gap *gap = vec_at(&g->list, i);
        if (gap->offset > at)
            archive_entry_sparse_add_entry(to, (la_int64_t)at, (la_int64_t)(gap->offset - at));
        at = gap->offset + gap->length;
    }
    if (g->list.len != 0) /* also an empty last one: a file that is one hole has no other */
        archive_entry_sparse_add_entry(to, (la_int64_t)at, (la_int64_t)(g->size - at));
}

/* A time before 1970 with a fraction is written by libarchive as it is kept, the fraction counting upward; as a number
 * it has to count downward. Half a second before 1970 would become half a second after: the fraction is dropped. */
static void set_time(struct archive_entry *to, const struct catalog_entry *e)
{
    int64_t seconds = e->mtime;
    long nsec = (long)e->mtime_nsec;
    if (seconds == -1) {
        nsec = 0;
    } else if (seconds < 0 && nsec != 0) {
        seconds++;
        nsec = 1000000000 - nsec;
    }
    archive_entry_set_mtime(to, seconds, nsec);
}

static void fill(struct tar_writer *w, const struct catalog_entry *e)
{
    archive_out_fill(w->entry, e);
    set_time(w->entry, e);
    archive_entry_set_size(w->entry, e->type == CATALOG_REGULAR ? (la_int64_t)w->left : 0);
    add_attributes(w, e);
}

/* With the locale C libarchive takes ASCII as it is, and any other name byte for byte with hdrcharset=BINARY, which it
 * calls a warning. GNU tar mentions that record for every member that has it, so not all should. */
static bool write_header(struct tar_writer *w)
{
    locale_t before = uselocale(w->plain);
    int rc = archive_write_header(w->tar, w->entry);
    (void)uselocale(before);
    const char *text = archive_error_string(w->tar);
    return rc == ARCHIVE_OK || (rc == ARCHIVE_WARN && text != NULL && str_starts(text, "Can't translate "));
}

static int unfinished_file(struct tar_writer *w, struct error *err)
{
    w->out.dropping = true;
    return error_set(err, E_INTERNAL, "the archive lacks %llu bytes of a file", (unsigned long long)w->left);
}

int tar_member(struct tar_writer *w, const struct catalog_entry *e, const struct gaps *gaps,
               struct error *err)
{
    bool added = false;
    char shown[200];
    const char *fault = catalog_path_fault(e->path, strlen(e->path));
    if (w->left != 0)
        return unfinished_file(w, err);
    if (fault != NULL)
        return error_corrupt(err, CATALOG_E_PATH, "the path \"%s\" %s",
                             str_printable(shown, sizeof shown, e->path), fault);
    int rc = check_place(w, e->path, err);
    rc = rc < 0 ? rc : catalog_seen_add(&w->seen, e->path, e->type, &added, err);
    if (rc < 0)
        return rc;
    if (!added)
        return error_corrupt(err, CATALOG_E_DUPLICATE, "%s comes twice",
                             str_printable(shown, sizeof shown, e->path));
    if (e->type == CATALOG_REGULAR)
        w->left = gaps != NULL ? gaps->size : e->body_len;
    fill(w, e);
    if (e->type == CATALOG_REGULAR && gaps != NULL)
        add_ranges(w->entry, gaps);
    return done(w, write_header(w), err);
}

bool tar_has(const struct tar_writer *w, const char *path)
{
    return catalog_seen_is(&w->seen, path, CATALOG_DIR) || catalog_seen_is(&w->seen, path, CATALOG_REGULAR) ||
           catalog_seen_is(&w->seen, path, CATALOG_SYMLINK) ||
           catalog_seen_is(&w->seen, path, CATALOG_HARDLINK);
}

void tar_tell_lost(struct tar_writer *w, tar_lost_fn *fn, void *arg)
{
    w->told = fn;
    w->arg = arg;
}

uint64_t tar_lost(const struct tar_writer *w)
{
    return w->lost;
}

/* ---- bytes --------------------------------------------------------------------------------------------- */

int tar_data(struct tar_writer *w, const void *data, size_t len, struct error *err)
{
    const uint8_t *at = data;
    if (len > w->left) {
        w->out.dropping = true;
        return error_set(err, E_INTERNAL, "the archive got more bytes than the file announced");
    }
    while (len > 0) {
        la_ssize_t n = archive_write_data(w->tar, at, len);
        int rc = done(w, n > 0, err);
        if (rc < 0)
            return rc;
        at += n;
        len -= (size_t)n;
        w->left -= (uint64_t)n;
    }
    return 0;
}

int tar_hole(struct tar_writer *w, uint64_t len, struct error *err)
{
    int rc = 0;
    while (rc == 0 && len > 0) {
        size_t n = len < HOLE_STEP ? (size_t)len : HOLE_STEP;
        rc = tar_data(w, w->zeros, n, err);
        len -= n;
    }
    return rc;
}

int tar_writer_finish(struct tar_writer *w, struct error *err)
{
    if (w->left != 0)
        return unfinished_file(w, err);
    if (w->finished)
        return error_set(err, E_INTERNAL, "the archive is finished");
    w->finished = true;
    return done(w, archive_write_close(w->tar) == ARCHIVE_OK, err);
}

void tar_writer_free(struct tar_writer *w)
{
    if (w == NULL)
        return;
    /* Freeing an open archive writes its end marker, which would make it look complete. */
    w->out.dropping = true;
    archive_entry_free(w->entry);
    (void)archive_write_free(w->tar);
    if (w->plain != (locale_t)0)
        freelocale(w->plain);
    catalog_seen_free(&w->seen);
    free(w->zeros);
    free(w);
}
