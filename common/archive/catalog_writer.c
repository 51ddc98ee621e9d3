#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/archive/archive_out.h"
#include "common/archive/catalog.h"
#include "common/archive/catalog_path.h"
#include "common/base/alloc.h"
#include "common/base/str.h"

#include "common/base/banned.h"

struct catalog_writer {
    struct archive *pax;
    struct archive_entry *entry;
    struct archive_out out;
    char *last; /* path of the entry before */
    bool finished;
};

static int done(struct catalog_writer *w, bool good, struct error *err)
{
    return archive_out_done(&w->out, w->pax, good, err);
}

struct catalog_writer *catalog_writer_new(struct sink *out, struct error *err)
{
    struct catalog_writer *w = mem_alloc(1, sizeof *w, err);
    if (w == NULL)
        return NULL;
    w->out = (struct archive_out){ .sink = out, .what = "the catalog" };
    w->pax = archive_write_new();
    w->entry = archive_entry_new();
    if (w->pax == NULL || w->entry == NULL) {
        (void)error_set(err, E_NOMEM, "out of memory for a catalog");
        goto fail;
    }
    /* BINARY: libarchive would otherwise convert names by the locale. */
    if (archive_write_set_format_pax(w->pax) != ARCHIVE_OK ||
        archive_write_set_format_option(w->pax, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK ||
        archive_write_set_format_option(w->pax, "pax", "xattrheader", "LIBARCHIVE") != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(w->pax, 512) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(w->pax, 512) != ARCHIVE_OK ||
        archive_write_open(w->pax, &w->out, NULL, archive_out_write, NULL) != ARCHIVE_OK) {
        (void)done(w, false, err);
        goto fail;
    }
    return w;
fail:
    catalog_writer_free(w);
    return NULL;
}

static int check_path(const char *what, const char *path, struct error *err)
{
    const char *fault = path == NULL ? "is missing" : catalog_path_fault(path, strlen(path));
    if (fault == NULL)
        return 0;
    char shown[200];
    return error_set(err, E_INTERNAL, "catalog: the %s \"%s\" %s", what,
                     str_printable(shown, sizeof shown, path == NULL ? "" : path), fault);
}

/* A reader wants the file before its other names, and the order of members is that of their paths. */
static int check_target(const struct catalog_entry *e, struct error *err)
{
    char shown[200];
    int rc = check_path("target", e->target, err);
    if (rc == 0 && strcmp(e->target, e->path) >= 0)
        rc = error_set(err, E_INTERNAL, "catalog: %s: a hard link names an earlier member",
                       str_printable(shown, sizeof shown, e->path));
    return rc;
}

static int check_xattrs(const struct catalog_entry *e, struct error *err)
{
    size_t total = 0;
    bool can = e->nxattrs == 0 || e->type == CATALOG_REGULAR || e->type == CATALOG_DIR;
    for (size_t i = 0; can && i < e->nxattrs; i++) {
        const struct catalog_xattr *x = &e->xattrs[i];
        size_t name = strlen(x->name);
        total += name + x->len;
        can = name > 0 && name <= CATALOG_XATTR_NAME_MAX && x->len <= CATALOG_XATTR_VALUE_MAX &&
              total <= CATALOG_XATTRS_MAX && (i == 0 || strcmp(e->xattrs[i - 1].name, x->name) < 0);
    }
    char shown[200];
    return can ? 0
               : error_set(err, E_INTERNAL, "catalog: %s: extended attributes out of order or range",
                           str_printable(shown, sizeof shown, e->path));
}

static int check_entry(const struct catalog_writer *w, const struct catalog_entry *e, struct error *err)
{
    int rc = check_path("path", e->path, err);
    if (rc < 0)
        return rc;
    if (w->last != NULL && strcmp(w->last, e->path) >= 0)
        return error_set(err, E_INTERNAL,
                         "catalog: %s comes after %s, but members are in the order of their bytes", e->path,
                         w->last);
    bool link = e->type == CATALOG_SYMLINK || e->type == CATALOG_HARDLINK;
    if (link != (e->target != NULL))
        return error_set(err, E_INTERNAL, "catalog: %s: links have a target, others have not", e->path);
    if (e->type == CATALOG_HARDLINK)
        rc = check_target(e, err);
    else if (link && (e->target[0] == '\0' || strlen(e->target) > CATALOG_PATH_MAX))
        rc = error_set(err, E_INTERNAL, "catalog: %s: the target is empty or too long", e->path);
    if (rc < 0)
        return rc;
    if (e->body_len > CATALOG_BODY_MAX || (e->type != CATALOG_REGULAR && e->body_len != 0))
        return error_set(err, E_INTERNAL, "catalog: %s: a body of %zu bytes is not allowed", e->path,
                         e->body_len);
    if (e->mode > 07777 || e->mtime_nsec > 999999999 || e->uid > INT64_MAX || e->gid > INT64_MAX)
        return error_set(err, E_INTERNAL, "catalog: %s: mode, owner or time out of range", e->path);
    return check_xattrs(e, err);
}

static void fill(struct archive_entry *to, const struct catalog_entry *e)
{
    archive_out_fill(to, e);
    archive_entry_set_mtime(to, e->mtime, (long)e->mtime_nsec);
    archive_entry_set_size(to, (la_int64_t)e->body_len);
    /* libarchive writes them last in, first out. */
    for (size_t i = e->nxattrs; i > 0; i--)
        archive_entry_xattr_add_entry(to, e->xattrs[i - 1].name, e->xattrs[i - 1].value,
                                      e->xattrs[i - 1].len);
}

int catalog_add(struct catalog_writer *w, const struct catalog_entry *entry, struct error *err)
{
    int rc = w->finished ? error_set(err, E_INTERNAL, "catalog: it is finished") : check_entry(w, entry, err);
    if (rc < 0)
        return rc;
    char *path = str_dup(entry->path, err);
    if (path == NULL)
        return E_NOMEM;
    free(w->last);
    w->last = path;
    fill(w->entry, entry);
    rc = done(w, archive_write_header(w->pax, w->entry) == ARCHIVE_OK, err);
    if (rc == 0 && entry->body_len > 0)
        rc = done(w, archive_write_data(w->pax, entry->body, entry->body_len) == (la_ssize_t)entry->body_len,
                  err);
    return rc;
}

int catalog_writer_finish(struct catalog_writer *w, struct error *err)
{
    if (w->finished)
        return error_set(err, E_INTERNAL, "catalog: it is finished");
    w->finished = true;
    return done(w, archive_write_close(w->pax) == ARCHIVE_OK, err);
}

void catalog_writer_free(struct catalog_writer *w)
{
    if (w == NULL)
        return;
    /* Freeing an open archive writes its end marker, which would make it look complete. */
    w->out.dropping = true;
    archive_entry_free(w->entry);
    (void)archive_write_free(w->pax);
    free(w->last);
    free(w);
}
