/* An export that is one file: tar, compressed, to a file or a descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "restore/target/export_out.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18 };

/* ---- beginning ----------------------------------------------------------------------------------------- */

/* Counts on the way to the sink below. */
struct counted {
    struct sink base;
    struct export_out *out;
};

static int counted_write(struct sink *s, const void *data, size_t len, struct error *err)
{
    struct export_out *o = ((struct counted *)s)->out;
    o->written += len;
    return fd_write_full(o->fd, data, len, o->path != NULL ? o->path : "standard output", err);
}

static int counted_finish(struct sink *s, struct error *err)
{
    struct export_out *o = ((struct counted *)s)->out;
    if (o->path == NULL)
        return 0;
    int rc = fd_sync(o->fd, o->part, err);
    return rc < 0 ? rc : fd_close(&o->fd, o->part, err);
}

static void counted_free(struct sink *s)
{
    free(s);
}

static void lost_attribute(const char *path, const char *attribute, void *arg)
{
    const struct tree_policy *p = &((struct export_out *)arg)->options.policy;
    char shown[512];
    if (p->lost != NULL)
        p->lost(path, "the attribute", str_printable(shown, sizeof shown, attribute), p->arg);
}

int export_archive_open(struct export_out *o, struct error *err)
{
    if (o->path == NULL) {
        o->fd = STDOUT_FILENO;
    } else {
        o->fd = open(o->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (o->fd < 0 && errno == EEXIST)
            return error_set(err, E_EXISTS,
                             "%s exists already: an export that runs, or one that was cut; then remove it",
                             o->part);
        if (o->fd < 0)
            return error_sys(err, "create %s", o->part);
        o->made = true;
    }
    struct counted *c = mem_alloc(1, sizeof *c, err);
    if (c == NULL)
        return E_NOMEM;
    c->base = (struct sink){ .write = counted_write, .finish = counted_finish, .free = counted_free };
    c->out = o;
    o->sink = &c->base;
    o->tar = tar_writer_new(o->sink, true, err);
    if (o->tar == NULL)
        return err->code < 0 ? err->code : E_NOMEM;
    tar_tell_lost(o->tar, lost_attribute, o);
    struct catalog_entry top = {
        .path = o->options.top, .type = CATALOG_DIR, .mode = 0700, .mtime = o->options.mtime
    };
    return tar_member(o->tar, &top, NULL, err);
}

/* ---- members ------------------------------------------------------------------------------------------- */

static int tar_bytes(struct export_out *o, struct source *source, const struct gaps *gaps, struct error *err)
{
    uint8_t *block = mem_alloc(1, BLOCK, err);
    int rc = block != NULL ? 0 : E_NOMEM;
    uint64_t at = 0;
    size_t next = 0;
    while (rc == 0) {
        const struct gap *g = gaps != NULL && next < gaps->list.len ? vec_at(&gaps->list, next) : NULL;
        if (g != NULL && g->offset == at) {
            rc = tar_hole(o->tar, g->length, err);
            at += g->length;
            next++;
            continue;
        }
        size_t room = g != NULL && g->offset - at < BLOCK ? (size_t)(g->offset - at) : BLOCK;
        int64_t n = source_read(source, block, room, err);
        if (n <= 0) {
            rc = (int)n;
            break;
        }
        rc = tar_data(o->tar, block, (size_t)n, err);
        at += (uint64_t)n;
        if (o->options.progress != NULL)
            o->options.progress((uint64_t)n, o->options.progress_arg);
    }
    free(block);
    return rc;
}

/* TOP/a, TOP/a/b of TOP/a/b/c, when nobody listed them: who extracts them gets them as private as the top. */
static int tar_parents(struct export_out *o, char *path, struct error *err)
{
    int rc = 0;
    for (char *slash = strchr(path, '/'); rc == 0 && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        struct catalog_entry dir = {
            .path = path, .type = CATALOG_DIR, .mode = 0700, .mtime = o->options.mtime
        };
        rc = tar_has(o->tar, path) ? 0 : tar_member(o->tar, &dir, NULL, err);
        *slash = '/';
    }
    return rc;
}

int export_archive_member(struct export_out *o, const struct catalog_entry *entry, struct source *source,
                          const struct gaps *gaps, struct error *err)
{
    struct catalog_entry e = *entry;
    char *path = str_printf(err, "%s/%s", o->options.top, entry->path);
    char *target =
        entry->type == CATALOG_HARDLINK ? str_printf(err, "%s/%s", o->options.top, entry->target) : NULL;
    int rc = path != NULL && (target != NULL || entry->type != CATALOG_HARDLINK) ? 0 : E_NOMEM;
    if (rc == 0 && o->options.parents)
        rc = tar_parents(o, path, err);
    e.path = path;
    if (target != NULL)
        e.target = target;
    rc = rc < 0 ? rc : tar_member(o->tar, &e, gaps, err);
    if (rc == 0 && entry->type == CATALOG_REGULAR)
        rc = tar_bytes(o, source, gaps, err);
    free(path);
    free(target);
    return rc;
}
