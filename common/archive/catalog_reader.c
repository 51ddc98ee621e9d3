#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/archive/catalog.h"
#include "common/archive/catalog_path.h"
#include "common/archive/catalog_seen.h"
#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/str.h"
#include "common/base/vec.h"

#include "common/base/banned.h"

enum { BLOCK = 16384, TAR_BLOCK = 512 };

struct catalog_reader {
    struct archive *pax;
    struct source *in;
    struct error why;      /* of the source, or of a limit */
    locale_t utf8;         /* foreign archives: names are UTF-8, whatever the program's locale is */
    uint64_t total;        /* bytes read from the source */
    uint64_t last_nonzero; /* end of the last byte that is not zero */
    uint64_t allowed;      /* the source may be read up to here for the present member */
    bool at_end;           /* of the source */
    bool done;
    uint64_t members;
    struct catalog_seen seen;
    char *path;
    struct vec xattrs; /* struct catalog_xattr of the present member */
    struct buf body;
    uint8_t block[BLOCK];
};

static la_ssize_t from_source(struct archive *a, void *arg, const void **data)
{
    struct catalog_reader *r = arg;
    if (r->total >= r->allowed) {
        (void)error_corrupt(&r->why, CATALOG_E_LIMIT, "catalog: a member is larger than the limits allow");
        archive_set_error(a, EIO, "limit");
        return ARCHIVE_FATAL;
    }
    int64_t n = source_read(r->in, r->block, sizeof r->block, &r->why);
    if (n < 0) {
        archive_set_error(a, EIO, "read");
        return ARCHIVE_FATAL;
    }
    r->at_end = n == 0;
    for (int64_t i = n; i > 0; i--)
        if (r->block[i - 1] != 0) {
            r->last_nonzero = r->total + (uint64_t)i;
            break;
        }
    r->total += (uint64_t)n;
    *data = r->block;
    return (la_ssize_t)n;
}

static int pax_fault(struct catalog_reader *r, struct error *err)
{
    if (r->why.code != 0)
        return error_copy(err, &r->why);
    const char *text = archive_error_string(r->pax);
    char shown[256];
    (void)str_printable(shown, sizeof shown, text == NULL ? "no reason given" : text);
    return error_corrupt(err, r->at_end ? CATALOG_E_TRUNCATED : CATALOG_E_HEADER, "catalog, member %llu: %s",
                         (unsigned long long)r->members + 1, shown);
}

struct catalog_reader *catalog_reader_new(struct source *in, struct error *err)
{
    struct catalog_reader *r = mem_alloc(1, sizeof *r, err);
    if (r == NULL)
        return NULL;
    r->in = in;
    r->seen = (struct catalog_seen)CATALOG_SEEN_INIT;
    r->xattrs = (struct vec)VEC_OF(struct catalog_xattr);
    buf_init(&r->body);
    r->allowed = CATALOG_HEADER_MAX;
    r->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (catalog_seen_init(&r->seen, err) < 0)
        goto fail;
    r->pax = archive_read_new();
    if (r->pax == NULL) {
        (void)error_set(err, E_NOMEM, "out of memory for a catalog");
        goto fail;
    }
    if (archive_read_support_format_tar(r->pax) != ARCHIVE_OK ||
        archive_read_open(r->pax, r, NULL, from_source, NULL) != ARCHIVE_OK) {
        (void)pax_fault(r, err);
        goto fail;
    }
    return r;
fail:
    catalog_reader_free(r);
    return NULL;
}

/* After libarchive's end: two blocks of zeros, and nothing but zeros behind them. */
static int check_end(struct catalog_reader *r, struct error *err)
{
    la_int64_t end = archive_read_header_position(r->pax);
    r->allowed = UINT64_MAX;
    while (!r->at_end) {
        const void *data = NULL;
        if (from_source(r->pax, r, &data) < 0)
            return error_copy(err, &r->why);
    }
    r->done = true;
    if (end < 0 || r->total < (uint64_t)end + TAR_BLOCK + TAR_BLOCK)
        return error_corrupt(err, CATALOG_E_TRUNCATED, "catalog: it has no end after %llu members",
                             (unsigned long long)r->members);
    if (r->last_nonzero > (uint64_t)end)
        return error_corrupt(err, CATALOG_E_TRAILING, "catalog: there are bytes after its end");
    return 0;
}

static int take_path(struct catalog_reader *r, const char *path, bool is_dir, struct error *err)
{
    size_t len = path == NULL ? 0 : strlen(path);
    /* In pax a directory's path ends with a slash. */
    if (is_dir && len > 1 && path[len - 1] == '/')
        len--;
    const char *fault = len == 0 ? "is empty" : catalog_path_fault(path, len);
    if (fault != NULL) {
        char shown[200];
        return error_corrupt(err, CATALOG_E_PATH, "catalog, member %llu: the path \"%s\" %s",
                             (unsigned long long)r->members + 1,
                             str_printable(shown, sizeof shown, path == NULL ? "" : path), fault);
    }
    free(r->path);
    r->path = str_dup_len(path, len, err);
    return r->path == NULL ? E_NOMEM : 0;
}

static int take_type(struct archive_entry *e, struct catalog_entry *out, struct error *err)
{
    out->target = archive_entry_hardlink(e);
    if (out->target != NULL) {
        out->type = CATALOG_HARDLINK;
        return 0;
    }
    switch (archive_entry_filetype(e)) {
    case AE_IFREG:
        out->type = CATALOG_REGULAR;
        break;
    case AE_IFDIR:
        out->type = CATALOG_DIR;
        break;
    case AE_IFLNK:
        out->type = CATALOG_SYMLINK;
        out->target = archive_entry_symlink(e);
        break;
    default:
        return error_corrupt(err, CATALOG_E_TYPE, "catalog: a member is neither file, directory nor link");
    }
    return archive_entry_sparse_count(e) == 0
               ? 0
               : error_corrupt(err, CATALOG_E_TYPE, "catalog: a member is a sparse file");
}

static int check_link(const struct catalog_reader *r, const struct catalog_entry *e, struct error *err)
{
    if (e->type != CATALOG_SYMLINK && e->type != CATALOG_HARDLINK)
        return 0;
    bool good = e->target != NULL && e->target[0] != '\0' && strlen(e->target) <= CATALOG_PATH_MAX;
    if (good && e->type == CATALOG_HARDLINK)
        good = catalog_seen_is(&r->seen, e->target, CATALOG_REGULAR);
    char shown[200];
    return good ? 0
                : error_corrupt(err, CATALOG_E_LINK,
                                "catalog: %s: the link's target is missing or no earlier file",
                                str_printable(shown, sizeof shown, e->path));
}

static int remember(struct catalog_reader *r, const struct catalog_entry *e, struct error *err)
{
    bool added = false;
    if (catalog_seen_add(&r->seen, e->path, e->type, &added, err) < 0)
        return E_NOMEM;
    char shown[200];
    if (!added)
        return error_corrupt(err, CATALOG_E_DUPLICATE, "catalog: %s is there twice",
                             str_printable(shown, sizeof shown, e->path));
    r->members++;
    if (r->members > CATALOG_MEMBERS_MAX)
        return error_corrupt(err, CATALOG_E_LIMIT, "catalog: more than %llu members",
                             (unsigned long long)CATALOG_MEMBERS_MAX);
    return 0;
}

static const char *text_or_null(const char *s)
{
    return s == NULL || s[0] == '\0' ? NULL : s;
}

static int take_numbers(struct archive_entry *e, struct catalog_entry *out, struct error *err)
{
    la_int64_t uid = archive_entry_uid(e);
    la_int64_t gid = archive_entry_gid(e);
    long nsec = archive_entry_mtime_nsec(e);
    char shown[200];
    if (uid < 0 || gid < 0 || nsec < 0 || nsec > 999999999)
        return error_corrupt(err, CATALOG_E_HEADER, "catalog: %s: owner or time out of range",
                             str_printable(shown, sizeof shown, out->path));
    out->mode = (uint32_t)archive_entry_perm(e) & 07777;
    out->uid = (uint64_t)uid;
    out->gid = (uint64_t)gid;
    out->mtime = archive_entry_mtime(e);
    out->mtime_nsec = (uint32_t)nsec;
    out->uname = text_or_null(archive_entry_uname(e));
    out->gname = text_or_null(archive_entry_gname(e));
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct catalog_xattr *)a)->name, ((const struct catalog_xattr *)b)->name);
}

static int take_xattrs(struct catalog_reader *r, struct archive_entry *e, struct catalog_entry *out,
                       struct error *err)
{
    char shown[200];
    const char *name = NULL;
    const void *value = NULL;
    size_t len = 0;
    vec_clear(&r->xattrs);
    (void)archive_entry_xattr_reset(e);
    while (archive_entry_xattr_next(e, &name, &value, &len) == ARCHIVE_OK && name != NULL) {
        if (name[0] == '\0' || strlen(name) > CATALOG_XATTR_NAME_MAX || len > CATALOG_XATTR_VALUE_MAX)
            return error_corrupt(err, CATALOG_E_LIMIT, "catalog: %s: an extended attribute is too large",
                                 str_printable(shown, sizeof shown, out->path));
        struct catalog_xattr *x = vec_push(&r->xattrs, err);
        if (x == NULL)
            return E_NOMEM;
        *x = (struct catalog_xattr){ .name = name, .value = value, .len = len };
    }
    vec_sort(&r->xattrs, by_name);
    out->xattrs = r->xattrs.data;
    out->nxattrs = r->xattrs.len;
    return 0;
}

static int take_body(struct catalog_reader *r, struct archive_entry *e, struct catalog_entry *out,
                     struct error *err)
{
    la_int64_t size = archive_entry_size_is_set(e) ? archive_entry_size(e) : 0;
    char shown[200];
    (void)str_printable(shown, sizeof shown, out->path);
    if (size < 0 || (out->type != CATALOG_REGULAR && size != 0))
        return error_corrupt(err, CATALOG_E_BODY, "catalog: %s has a body, but is no regular file", shown);
    if ((uint64_t)size > CATALOG_BODY_MAX)
        return error_corrupt(err, CATALOG_E_LIMIT, "catalog: %s has a body of %lld bytes", shown,
                             (long long)size);
    buf_clear(&r->body);
    int rc = buf_reserve(&r->body, (size_t)size + 1, err);
    if (rc < 0)
        return rc;
    while (r->body.len < (size_t)size) {
        la_ssize_t n = archive_read_data(r->pax, r->body.data + r->body.len, (size_t)size - r->body.len);
        if (n < 0)
            return pax_fault(r, err);
        if (n == 0)
            return error_corrupt(err, CATALOG_E_BODY, "catalog: %s: the body ends early", shown);
        r->body.len += (size_t)n;
    }
    out->body = out->type == CATALOG_REGULAR ? r->body.data : NULL;
    out->body_len = r->body.len;
    return 0;
}

static int next_member(struct catalog_reader *r, struct catalog_entry *out, struct error *err)
{
    struct archive_entry *e = NULL;
    /* What was read ahead, the rest of the last member, and one whole member. */
    r->allowed = r->total + CATALOG_HEADER_MAX + CATALOG_BODY_MAX + BLOCK;
    int la = archive_read_next_header(r->pax, &e);
    if (la == ARCHIVE_EOF)
        return check_end(r, err);
    if (la != ARCHIVE_OK)
        return pax_fault(r, err);
    *out = (struct catalog_entry){ .path = NULL };
    int rc = take_type(e, out, err);
    if (rc == 0)
        rc = take_path(r, archive_entry_pathname(e), out->type == CATALOG_DIR, err);
    out->path = r->path;
    if (rc == 0)
        rc = check_link(r, out, err);
    if (rc == 0)
        rc = take_numbers(e, out, err);
    if (rc == 0)
        rc = take_xattrs(r, e, out, err);
    if (rc == 0)
        rc = remember(r, out, err);
    if (rc == 0)
        rc = take_body(r, e, out, err);
    return rc < 0 ? rc : 1;
}

int catalog_next(struct catalog_reader *r, struct catalog_entry *out, struct error *err)
{
    if (r->done)
        return 0;
    locale_t before = r->utf8 == (locale_t)0 ? (locale_t)0 : uselocale(r->utf8);
    int rc = next_member(r, out, err);
    if (before != (locale_t)0)
        (void)uselocale(before);
    return rc;
}

void catalog_reader_free(struct catalog_reader *r)
{
    if (r == NULL)
        return;
    (void)archive_read_free(r->pax);
    if (r->utf8 != (locale_t)0)
        freelocale(r->utf8);
    catalog_seen_free(&r->seen);
    vec_free(&r->xattrs);
    buf_free(&r->body);
    free(r->path);
    free(r);
}
