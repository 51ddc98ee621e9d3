/* Owner, permissions, attributes and time of what was restored. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/archive/xattr.h"
#include "common/base/str.h"
#include "common/sys/fdio.h"
#include "restore/target/tree.h"

#include "common/base/banned.h"

enum { RWX = 0777, SETID = 06000, STICKY = 01000, GROUP_SHIFT = 3, LOOKUP_MAX = 65536 };

static void lose(struct tree *t, const struct catalog_entry *e, const char *what, int sys)
{
    t->losses++;
    if (t->policy.lost != NULL)
        t->policy.lost(e->path, what, sys != 0 ? strerror(sys) : NULL, t->policy.arg);
}

/* ---- owner --------------------------------------------------------------------------------------------- */

static bool look_up(const char *name, bool group, unsigned *id)
{
    char *room = malloc(LOOKUP_MAX);
    struct passwd pw;
    struct passwd *user = NULL;
    struct group gr;
    struct group *found = NULL;
    if (room == NULL)
        return false;
    if (group && getgrnam_r(name, &gr, room, LOOKUP_MAX, &found) == 0 && found != NULL)
        *id = gr.gr_gid;
    else if (!group && getpwnam_r(name, &pw, room, LOOKUP_MAX, &user) == 0 && user != NULL)
        *id = pw.pw_uid;
    free(room);
    return user != NULL || found != NULL;
}

/* The number a name has on this machine, else the stored one. */
static uint64_t id_of(const struct tree *t, struct tree_name *last, const char *name, bool group,
                      uint64_t number)
{
    if (t->policy.owner != TREE_OWNER_NAME || name == NULL)
        return number;
    if (last->name == NULL || strcmp(last->name, name) != 0) {
        free(last->name);
        last->name = str_dup(name, NULL);
        last->known = look_up(name, group, &last->id);
    }
    return last->known ? last->id : number;
}

/* True when the owner is the one the member had. */
static bool set_owner(struct tree *t, int fd, const struct catalog_entry *e)
{
    if (t->policy.owner == TREE_OWNER_NONE)
        return false;
    uint64_t uid = id_of(t, &t->user, e->uname, false, e->uid);
    uint64_t gid = id_of(t, &t->group, e->gname, true, e->gid);
    int rc = -1;
    errno = EINVAL; /* numbers that this system does not have, or that mean "unchanged" */
    if (uid < UINT32_MAX && gid < UINT32_MAX)
        rc = fchownat(fd, "", (uid_t)uid, (gid_t)gid, AT_EMPTY_PATH);
    if (rc < 0)
        lose(t, e, "owner and group", errno);
    return rc == 0;
}

/* ---- attributes ---------------------------------------------------------------------------------------- */

static bool is_acl(const struct catalog_xattr *x)
{
    return strcmp(x->name, XATTR_ACL_ACCESS) == 0 || strcmp(x->name, XATTR_ACL_DEFAULT) == 0;
}

static void set_xattr(struct tree *t, int fd, const struct catalog_entry *e, const struct catalog_xattr *x)
{
    char shown[CATALOG_XATTR_NAME_MAX * 4 + 1];
    errno = ENOTSUP; /* security.*, system.*: the machine's own, and no backup holds them */
    if (!xattr_is_kept(x->name) || fsetxattr(fd, x->name, x->value, x->len, 0) < 0)
        lose(t, e, str_printable(shown, sizeof shown, x->name), errno);
}

/* Before the permissions: whoever is not root needs to write to the file for it. */
static void set_plain(struct tree *t, int fd, const struct catalog_entry *e)
{
    for (size_t i = 0; t->policy.xattrs && i < e->nxattrs; i++)
        if (!is_acl(&e->xattrs[i]) && strcmp(e->xattrs[i].name, XATTR_CAPABILITY) != 0)
            set_xattr(t, fd, e, &e->xattrs[i]);
}

/* After the permissions: ACLs contain them, and a capability does not survive a new owner. */
static void set_rights(struct tree *t, int fd, const struct catalog_entry *e, bool trusted)
{
    for (size_t i = 0; t->policy.xattrs && i < e->nxattrs; i++) {
        const struct catalog_xattr *x = &e->xattrs[i];
        if (is_acl(x) || (trusted && strcmp(x->name, XATTR_CAPABILITY) == 0))
            set_xattr(t, fd, e, x);
    }
}

/* ---- permissions --------------------------------------------------------------------------------------- */

/* The group bits of a mode are the ACL's mask; the ACL, when it can be set, brings them back. */
static unsigned plain_mode(const struct catalog_entry *e)
{
    unsigned mode = e->mode & RWX;
    unsigned group = 0;
    const struct catalog_xattr *acl = xattr_find(e, XATTR_ACL_ACCESS);
    if (acl != NULL && xattr_acl_group(acl, &group))
        mode = (mode & ~(7U << GROUP_SHIFT)) | group << GROUP_SHIFT;
    return mode;
}

static unsigned wanted_mode(struct tree *t, const struct catalog_entry *e, bool trusted)
{
    unsigned mode = plain_mode(e) | (e->mode & STICKY);
    if (e->type == CATALOG_DIR)
        return mode | (e->mode & SETID);
    bool special = (e->mode & SETID) != 0 || xattr_find(e, XATTR_CAPABILITY) != NULL;
    if (trusted)
        return mode | (e->mode & SETID);
    if (special && !t->policy.setid)
        t->setid++;
    else if (special)
        lose(t, e, "set-id bits or capabilities", 0); /* with another owner they would mean something else */
    return mode;
}

/* For utimensat: only the modification time. */
static void times_of(const struct tree *t, const struct catalog_entry *e, struct timespec out[2])
{
    out[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
    out[1] = (struct timespec){ .tv_sec = e->mtime, .tv_nsec = e->mtime_nsec };
    if (!t->policy.files && e->mtime == 0 && e->mtime_nsec == 0)
        out[1].tv_nsec = UTIME_OMIT;
}

int tree_settle(struct tree *t, int fd, const struct catalog_entry *e, struct error *err)
{
    struct timespec times[2];
    times_of(t, e, times);
    bool owned = set_owner(t, fd, e);
    bool trusted = owned && t->policy.setid && e->type == CATALOG_REGULAR;
    set_plain(t, fd, e);
    if (fchmod(fd, wanted_mode(t, e, trusted)) < 0)
        return error_sys(err, "set its permissions");
    set_rights(t, fd, e, trusted);
    return futimens(fd, times) == 0 ? 0 : error_sys(err, "set its time");
}

void tree_settle_link(struct tree *t, int dir, const char *base, const struct catalog_entry *e)
{
    struct timespec times[2];
    struct stat st;
    times_of(t, e, times);
    /* Not by its name: whatever has that name a moment later is somebody else's. */
    int fd = openat(dir, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISLNK(st.st_mode)) {
        lose(t, e, "owner and time", fd < 0 ? errno : ELOOP);
    } else {
        (void)set_owner(t, fd, e);
        (void)utimensat(fd, "", times, AT_EMPTY_PATH); /* not every file system can */
    }
    fd_drop(&fd);
}
