#include "common/archive/archive_out.h"

#include "common/base/banned.h"

la_ssize_t archive_out_write(struct archive *a, void *arg, const void *data, size_t len)
{
    struct archive_out *o = arg;
    (void)a;
    if (!o->dropping && sink_write(o->sink, data, len, &o->why) < 0)
        o->dropping = true;
    return (la_ssize_t)len;
}

int archive_out_done(struct archive_out *o, struct archive *a, bool good, struct error *err)
{
    if (o->dropping)
        return o->why.code != 0 ? error_copy(err, &o->why)
                                : error_set(err, E_INTERNAL, "write %s: it failed before", o->what);
    if (good)
        return 0;
    o->dropping = true;
    const char *text = archive_error_string(a);
    return error_set(err, E_INTERNAL, "write %s: %s", o->what,
                     text == NULL ? "libarchive gives no reason" : text);
}

void archive_out_fill(struct archive_entry *to, const struct catalog_entry *e)
{
    static const unsigned types[] = {
        [CATALOG_REGULAR] = AE_IFREG,
        [CATALOG_DIR] = AE_IFDIR,
        [CATALOG_SYMLINK] = AE_IFLNK,
        [CATALOG_HARDLINK] = AE_IFREG,
    };
    archive_entry_clear(to);
    archive_entry_set_pathname(to, e->path);
    archive_entry_set_filetype(to, types[e->type]);
    archive_entry_set_perm(to, (__LA_MODE_T)e->mode);
    archive_entry_set_uid(to, (la_int64_t)e->uid);
    archive_entry_set_gid(to, (la_int64_t)e->gid);
    if (e->uname != NULL)
        archive_entry_set_uname(to, e->uname);
    if (e->gname != NULL)
        archive_entry_set_gname(to, e->gname);
    if (e->type == CATALOG_SYMLINK)
        archive_entry_set_symlink(to, e->target);
    else if (e->type == CATALOG_HARDLINK)
        archive_entry_set_hardlink(to, e->target);
}
