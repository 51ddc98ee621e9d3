/* Whose the files of a scratch directory are, when root drills: until the server starts root's alone, then the server's account's,
 * and once it answers the directory of its socket is root's again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sys/fdio.h"
#include "restore/drill/scratch.h"

#include "common/base/banned.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A directory that only root has written to so far: no links are in it that anybody else made. */
static int give_below(int dir, unsigned uid, unsigned gid, struct error *err)
{
    int copy = openat(dir, ".", DIR_FLAGS);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *e = NULL;
    int rc = d != NULL ? 0 : error_sys(err, "read a directory");
    while (rc == 0 && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (fchownat(copy, e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
            rc = error_sys(err, "give %s away", e->d_name);
        int below = rc == 0 ? openat(copy, e->d_name, DIR_FLAGS) : -1;
        if (below >= 0)
            rc = give_below(below, uid, gid, err);
        fd_drop(&below);
    }
    if (d != NULL)
        (void)closedir(d);
    else
        fd_drop(&copy);
    return rc;
}

int scratch_give(const struct scratch *s, const char *name, struct error *err)
{
    if (geteuid() != 0)
        return 0;
    char *path = scratch_path(s, name, err);
    int dir = path != NULL ? open(path, DIR_FLAGS) : -1;
    int rc = path == NULL ? E_NOMEM : dir < 0 ? error_sys(err, "open %s", path) : 0;
    rc = rc == 0 ? give_below(dir, s->confine.uid, s->confine.gid, err) : rc;
    if (rc == 0 && fchown(dir, s->confine.uid, s->confine.gid) < 0)
        rc = error_sys(err, "give %s away", path);
    fd_drop(&dir);
    free(path);
    return rc;
}

/* ---- the directory itself --------------------------------------------------------------------------------- */

int scratch_hand_over(const struct scratch *s, struct error *err)
{
    if (geteuid() == 0 && lchown(s->run, s->confine.uid, s->confine.gid) < 0)
        return error_sys(err, "give %s away", s->run);
    return 0;
}

/* A socket only for its owner: MariaDB's is for everybody. What is neither socket, directory nor file was not put there by the
 * server. By descriptor, so that it is what was looked at. */
static int narrow(int run, const char *name, unsigned uid, struct error *err)
{
    struct stat st;
    char path[64];
    int fd = openat(run, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0; /* a file that the server needed for a moment */
    int rc = fd < 0 || fstat(fd, &st) < 0 ? error_sys(err, "open %s", name) : 0;
    if (rc == 0 &&
        ((!S_ISSOCK(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) || st.st_uid != uid))
        rc = error_set(err, E_DENIED, "%s was not made by the scratch server: somebody else runs as user %u",
                       name, uid);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (rc == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) != 0700 && chmod(path, 0700) < 0)
        rc = error_sys(err, "keep others from the socket %s", name);
    fd_drop(&fd);
    return rc;
}

static int narrow_all(int run, unsigned uid, struct error *err)
{
    int copy = openat(run, ".", DIR_FLAGS);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *e = NULL;
    int rc = d != NULL ? 0 : error_sys(err, "read a directory");
    while (rc == 0 && (e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = narrow(copy, e->d_name, uid, err);
    if (d != NULL)
        (void)closedir(d);
    else
        fd_drop(&copy);
    return rc;
}

int scratch_seal(const struct scratch *s, struct error *err)
{
    if (geteuid() != 0)
        return 0;
    int run = open(s->run, DIR_FLAGS);
    int rc = run < 0 ? error_sys(err, "open %s", s->run) : narrow_all(run, s->confine.uid, err);
    if (rc == 0 && (fchown(run, 0, 0) < 0 || fchmod(run, 0711) < 0))
        rc = error_sys(err, "take %s back", s->run);
    /* Once more, now that nothing can be put in its place. */
    rc = rc == 0 ? narrow_all(run, s->confine.uid, err) : rc;
    fd_drop(&run);
    return rc;
}
