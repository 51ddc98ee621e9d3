/* One member of a walk: what it is, and its metadata. */
#include <archive.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/archive/walk_internal.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { MODE_BITS = 07777, TARGET_FIRST = 256 };

/* An inode's number is given again when it is free; its birth tells the files apart. */
struct walk_inode {
    uint64_t dev;
    uint64_t ino;
    uint64_t seconds;
    uint64_t nanoseconds;
};

int walk_member_init(struct walk *w, struct error *err)
{
    w->xattrs = (struct xattr_set)XATTR_SET_INIT;
    w->links = (struct map)MAP_OF(sizeof(struct walk_inode), sizeof(uint64_t));
    w->firsts = (struct vec)VEC_OF(char *);
    w->disk = archive_read_disk_new();
    if (w->disk == NULL || archive_read_disk_set_standard_lookup(w->disk) != ARCHIVE_OK)
        return error_set(err, E_NOMEM, "out of memory for user and group names");
    return 0;
}

void walk_member_free(struct walk *w)
{
    if (w->disk != NULL)
        (void)archive_read_free(w->disk);
    for (size_t i = 0; i < w->firsts.len; i++)
        free(*(char **)vec_at(&w->firsts, i));
    vec_free(&w->firsts);
    map_free(&w->links);
    xattr_set_free(&w->xattrs);
    buf_free(&w->target);
}

/* ---- metadata ------------------------------------------------------------------------------------------ */

static const char *text_or_null(const char *s)
{
    return s == NULL || s[0] == '\0' ? NULL : s;
}

static void fill(struct walk *w, enum catalog_type type, const struct stat *st, struct walk_item *out)
{
    *out = (struct walk_item){ .st = *st, .fd = -1 };
    out->entry = (struct catalog_entry){
        .path = (const char *)w->path.data,
        .type = type,
        .mode = st->st_mode & MODE_BITS,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .uname = text_or_null(archive_read_disk_uname(w->disk, st->st_uid)),
        .gname = text_or_null(archive_read_disk_gname(w->disk, st->st_gid)),
        .mtime = st->st_mtim.tv_sec,
        .mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
    };
}

static int fill_xattrs(struct walk *w, int fd, struct walk_item *out, struct error *err)
{
    const char *why = NULL;
    int rc = xattr_read(fd, &w->xattrs, &why, err);
    if (why != NULL)
        walk_tell(w, WALK_METADATA, why);
    out->entry.xattrs = w->xattrs.list.data;
    out->entry.nxattrs = w->xattrs.list.len;
    return rc;
}

/* ---- several names for one file ------------------------------------------------------------------------ */

static struct walk_inode inode_of(int dir, const char *name, int flags, const struct stat *st)
{
    struct walk_inode key = { .dev = st->st_dev, .ino = st->st_ino };
    struct statx more;
    if (statx(dir, name, flags, STATX_BTIME, &more) == 0 && (more.stx_mask & STATX_BTIME) != 0) {
        key.seconds = (uint64_t)more.stx_btime.tv_sec;
        key.nanoseconds = more.stx_btime.tv_nsec;
    }
    return key;
}

/* The name under which the file came before, or NULL. */
static const char *first_name(const struct walk *w, int dir, const char *name, const struct stat *st)
{
    if (st->st_nlink < 2)
        return NULL;
    struct walk_inode key = inode_of(dir, name, AT_SYMLINK_NOFOLLOW, st);
    const uint64_t *index = map_get(&w->links, &key);
    return index != NULL ? *(char **)vec_at(&w->firsts, (size_t)*index) : NULL;
}

static int remember(struct walk *w, int fd, const struct stat *st, struct error *err)
{
    if (st->st_nlink < 2)
        return 0;
    struct walk_inode key = inode_of(fd, "", AT_EMPTY_PATH, st);
    bool added = false;
    uint64_t *index = map_put(&w->links, &key, &added, err);
    if (index == NULL)
        return E_NOMEM;
    if (!added)
        return 0;
    *index = w->firsts.len;
    char **slot = vec_push(&w->firsts, err);
    if (slot == NULL)
        return E_NOMEM;
    *slot = str_dup((const char *)w->path.data, err);
    return *slot != NULL ? 0 : E_NOMEM;
}

/* A mount of somebody else's FUSE program tells root nothing but its device, and only who asks for nothing else. */
bool walk_is_elsewhere(const struct walk *w, int dir, const char *name)
{
    int saved = errno;
    struct statx sx;
    bool known =
        w->options.one_file_system && statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &sx) == 0;
    errno = saved;
    return known && makedev(sx.stx_dev_major, sx.stx_dev_minor) != w->root.st_dev;
}

/* ---- the kinds ----------------------------------------------------------------------------------------- */

/* What the system call just said about this one member; negative when it concerns the whole walk. */
static int unread(struct walk *w, struct error *err)
{
    char shown[512];
    if (walk_is_fatal(errno))
        return error_sys(err, "open \"%s\"", str_printable(shown, sizeof shown, (const char *)w->path.data));
    if (errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENXIO || errno == EINVAL)
        walk_tell(w, WALK_UNREAD, "it was removed or replaced during the backup");
    else
        walk_tell(w, WALK_UNREAD, strerror(errno));
    return 0;
}

/* Never waits: what became a fifo or a device since is opened without blocking, and refused. */
static int open_file(int dir, const char *name)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = openat(dir, name, flags | O_NOATIME);
    if (fd < 0 && errno == EPERM) /* somebody else's file */
        fd = openat(dir, name, flags);
    return fd;
}

static int regular(struct walk *w, int dir, const char *name, const struct stat *seen, struct walk_item *out,
                   struct error *err)
{
    const char *first = first_name(w, dir, name, seen);
    if (first != NULL) {
        fill(w, CATALOG_HARDLINK, seen, out);
        out->entry.target = first;
        return 1;
    }
    struct stat st;
    w->file = open_file(dir, name);
    if (w->file < 0 || fstat(w->file, &st) < 0)
        return unread(w, err);
    if (!S_ISREG(st.st_mode)) {
        errno = ENOTDIR;
        return unread(w, err);
    }
    if ((uint64_t)st.st_size > CATALOG_FILE_MAX) {
        walk_tell(w, WALK_UNREAD, "it is larger than the 1 PiB that can be stored");
        return 0;
    }
    fill(w, CATALOG_REGULAR, &st, out);
    out->fd = w->file;
    int rc = fill_xattrs(w, w->file, out, err);
    rc = rc < 0 ? rc : remember(w, w->file, &st, err);
    return rc < 0 ? rc : 1;
}

static int directory(struct walk *w, int dir, const struct walk_name *name, const struct stat *seen,
                     struct walk_item *out, struct error *err)
{
    struct stat st = *seen;
    int rc = 0;
    if (!name->dir) {
        errno = ENOTDIR; /* nobody would list it */
        return unread(w, err);
    }
    /* A mount point may refuse even root (FUSE); it is not entered anyway. */
    bool other = w->options.one_file_system && seen->st_dev != w->root.st_dev;
    int fd = other ? -1 : openat(dir, name->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && !other && errno != EACCES) /* who may not list it is told when it is entered */
        return unread(w, err);
    if (fd >= 0 && fstat(fd, &st) < 0)
        rc = unread(w, err);
    else
        rc = 1;
    if (rc == 1) {
        fill(w, CATALOG_DIR, &st, out);
        int got = fd >= 0 ? fill_xattrs(w, fd, out, err) : 0;
        rc = got < 0 ? got : 1;
    }
    fd_drop(&fd);
    return rc;
}

static int symbolic(struct walk *w, int dir, const char *name, const struct stat *st, struct walk_item *out,
                    struct error *err)
{
    size_t room =
        st->st_size > 0 && (size_t)st->st_size < CATALOG_PATH_MAX ? (size_t)st->st_size + 2 : TARGET_FIRST;
    ssize_t n;
    for (;; room *= 2) {
        buf_clear(&w->target);
        int rc = buf_reserve(&w->target, room + 1, err);
        if (rc < 0)
            return rc;
        n = readlinkat(dir, name, (char *)w->target.data, room);
        if (n < 0)
            return unread(w, err);
        if ((size_t)n < room || room > CATALOG_PATH_MAX)
            break;
    }
    if (n == 0 || (size_t)n > CATALOG_PATH_MAX) {
        walk_tell(w, WALK_UNREAD, "the link's target is empty or too long");
        return 0;
    }
    w->target.data[n] = '\0';
    fill(w, CATALOG_SYMLINK, st, out);
    out->entry.mode = 0777; /* what some systems say means nothing */
    out->entry.target = (const char *)w->target.data;
    return 1;
}

static const char *special(mode_t mode)
{
    if (S_ISFIFO(mode))
        return "it is a fifo";
    if (S_ISSOCK(mode))
        return "it is a socket";
    return S_ISBLK(mode) || S_ISCHR(mode) ? "it is a device" : "it is of no kind that is stored";
}

int walk_member(struct walk *w, int dir, const struct walk_name *name, struct walk_item *out,
                struct error *err)
{
    struct stat st;
    if (fstatat(dir, name->name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
        return name->dir && walk_is_elsewhere(w, dir, name->name) ? 0
                                                                  : unread(w, err); /* told when entered */
    if (S_ISREG(st.st_mode))
        return regular(w, dir, name->name, &st, out, err);
    if (S_ISDIR(st.st_mode))
        return directory(w, dir, name, &st, out, err);
    if (S_ISLNK(st.st_mode))
        return symbolic(w, dir, name->name, &st, out, err);
    walk_tell(w, WALK_SPECIAL, special(st.st_mode));
    return 0;
}
