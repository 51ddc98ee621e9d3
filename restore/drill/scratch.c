#include "restore/drill/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"
#include "restore/target/remove.h"
#include "restore/target/space.h"

#include "common/base/banned.h"

#define PREFIX "backupd-drill-"
#define FRESH ".backupd-drill-"
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

enum { MEMORY_MIN_MIB = 192, NAME_LEN = 6, SOCKET_DIR_MAX = 80 };

const char *scratch_base(void)
{
    const char *dir = getenv("TMPDIR");
    return dir != NULL && dir[0] == '/' ? dir : "/var/tmp";
}

/* ---- what dead drills left -------------------------------------------------------------------------------- */

bool scratch_is_ours(int base, const char *name)
{
    struct stat st;
    return str_starts(name, PREFIX) && strlen(name) == sizeof PREFIX - 1 + NAME_LEN &&
           fstatat(base, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Under a name that is no drill's, so that one which is killed here leaves nothing that looks whole. */
static bool remove_dir(int base, const char *name)
{
    int dir = openat(base, name, DIR_FLAGS);
    bool gone = dir >= 0 && remove_below(dir) && unlinkat(base, name, AT_REMOVEDIR) == 0;
    fd_drop(&dir);
    return gone;
}

static bool sweep_one(int base, const char *path, const char *name)
{
    struct stat st;
    bool gone = false;
    char *file = str_printf(NULL, "%s/%s/lock", path, name);
    /* A lock that is not there, or held, is of somebody who is about to remove or to use it. */
    struct filelock *lock =
        file != NULL && lstat(file, &st) == 0 && S_ISREG(st.st_mode) ? filelock_take(file, NULL) : NULL;
    if (lock != NULL) {
        file[strlen(file) - sizeof "/lock" + 1] = '\0';
        scratch_end(file);
        gone = remove_dir(base, name);
    }
    filelock_free(lock);
    free(file);
    return gone;
}

size_t scratch_sweep(const char *path)
{
    size_t n = 0;
    int base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int copy = base >= 0 ? openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL)
        if (scratch_is_ours(base, e->d_name) && sweep_one(base, path, e->d_name))
            n++;
    if (d != NULL)
        (void)closedir(d);
    else
        fd_drop(&copy);
    fd_drop(&base);
    return n;
}

/* ---- making it -------------------------------------------------------------------------------------------- */

static int make_dir(struct scratch *s, const char *base, struct error *err)
{
    char *lock = NULL;
    char *fresh = str_printf(err, "%s/" FRESH "XXXXXX", base);
    int rc = fresh != NULL ? 0 : E_NOMEM;
    if (rc == 0 && mkdtemp(fresh) == NULL)
        rc = error_sys(err, "make a directory in %s (another place: --scratch DIR)", base);
    if (rc < 0)
        goto out;
    lock = str_printf(err, "%s/lock", fresh);
    s->dir = str_printf(err, "%s/" PREFIX "%s", base, fresh + strlen(fresh) - NAME_LEN);
    if (lock == NULL || s->dir == NULL)
        rc = E_NOMEM;
    else if ((s->lock = filelock_take(lock, err)) == NULL)
        rc = err != NULL && err->code < 0 ? err->code : E_IO;
    else if (chmod(fresh, geteuid() == 0 ? 0711 : 0700) < 0 || rename(fresh, s->dir) < 0)
        rc = error_sys(err, "prepare %s", s->dir);
    if (rc < 0) {
        (void)unlink(lock != NULL ? lock : "");
        (void)rmdir(fresh);
        free(s->dir);
        s->dir = NULL;
    }
out:
    free(lock);
    free(fresh);
    return rc;
}

static unsigned long memory_mib(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (str_starts(line, "MemAvailable:"))
            kib = strtoul(line + sizeof "MemAvailable:" - 1, NULL, 10);
    if (f != NULL)
        (void)fclose(f);
    return kib / 1024;
}

int scratch_open(struct scratch *s, const char *base, uint64_t memory, struct error *err)
{
    *s = (struct scratch){ .dir = NULL };
    char *real = realpath(base, NULL);
    int rc = real != NULL ? 0 : error_sys(err, "scratch directory %s", base);
    if (rc == 0 && strlen(real) > SOCKET_DIR_MAX - sizeof PREFIX - NAME_LEN)
        rc = error_set(err, E_UNSUPPORTED,
                       "%s is too long for the path of a socket: choose a shorter one with --scratch DIR",
                       real);
    if (rc == 0) {
        size_t n = scratch_sweep(real);
        if (n > 0)
            log_event(LOG_INFO, "removed %zu %s of drills that did not end", n,
                      plural(n, "directory", "directories"));
        rc = scratch_account(s, err);
    }
    rc = rc == 0 ? make_dir(s, real, err) : rc;
    free(real);
    if (rc == 0) {
        s->run = str_printf(err, "%s/run", s->dir);
        rc = s->run == NULL ? E_NOMEM : mkdir(s->run, 0700) < 0 ? error_sys(err, "make %s", s->run) : 0;
    }
    if (rc == 0) {
        s->confine.dir = s->dir;
        s->memory_mib = memory_mib();
        if (memory != 0 && (s->memory_mib == 0 || s->memory_mib > memory >> 20))
            s->memory_mib = (unsigned long)(memory >> 20);
        confine_find(&s->confine);
    }
    if (rc < 0)
        scratch_close(s);
    return rc;
}

void scratch_close(struct scratch *s)
{
    child_free(s->server);
    s->server = NULL;
    if (s->dir != NULL)
        scratch_end(s->dir);
    int dir = s->dir != NULL ? open(s->dir, DIR_FLAGS) : -1;
    if (dir >= 0) {
        /* The lock last: until then nobody else cleans up here. */
        int run = openat(dir, "run", DIR_FLAGS);
        bool gone = run < 0 || (remove_below(run) && unlinkat(dir, "run", AT_REMOVEDIR) == 0);
        fd_drop(&run);
        static const char *const kept[] = { KEPT_FILE, KEPT_CONTROL, KEPT_LOG };
        for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
            (void)unlinkat(dir, kept[i], 0);
        gone = gone && unlinkat(dir, "lock", 0) == 0 && rmdir(s->dir) == 0;
        if (!gone)
            log_event(LOG_WARN, "%s could not be removed: the next drill tries again", s->dir);
    }
    fd_drop(&dir);
    filelock_free(s->lock);
    free(s->dir);
    free(s->run);
    free(s->asks);
    free(s->to);
    free(s->connect);
    free(s->bin_dir);
    *s = (struct scratch){ .dir = NULL };
}

/* ---- room -------------------------------------------------------------------------------------------------- */

int scratch_room(struct scratch *s, uint64_t bytes, bool server, struct error *err)
{
    enum { OWN = 128 * 1024 * 1024, OWN_FILES = 2000, FEW_FILES = 32 }; /* of an empty server */
    struct statvfs fs;
    char need[NUMBER_TEXT_MAX];
    char have[NUMBER_TEXT_MAX];
    /* Rows as text are smaller than tables with their indexes. */
    uint64_t wanted = bytes > UINT64_MAX / 4 ? UINT64_MAX / 2 : bytes + bytes / 2 + OWN;
    bool known = statvfs(s->dir, &fs) == 0;
    uint64_t files = server ? OWN_FILES : FEW_FILES;
    if (known && !space_has_files(&fs, files))
        return error_set(err, E_NO_SPACE,
                         "%s can take %llu more files (inodes), and %llu are needed before the first table",
                         s->dir, (unsigned long long)fs.f_favail, (unsigned long long)files);
    if (known && fs.f_blocks != 0 && wanted / fs.f_frsize > fs.f_bavail)
        return error_set(err, E_NO_SPACE, "%s has %s free, and about %s are needed", s->dir,
                         size_format(have, fs.f_bavail * fs.f_frsize), size_format(need, wanted));
    if (s->memory_mib != 0 && s->memory_mib < MEMORY_MIN_MIB)
        return error_set(err, E_NOMEM,
                         "the machine has %lu MiB of memory to spare, a scratch server needs %d",
                         s->memory_mib, MEMORY_MIN_MIB);
    return 0;
}

bool scratch_room_left(const struct scratch *s)
{
    enum { ENOUGH = 16 * 1024 * 1024, ENOUGH_FILES = 16 };
    struct statvfs fs;
    return statvfs(s->dir, &fs) < 0 || fs.f_blocks == 0 ||
           (fs.f_bavail * fs.f_frsize >= ENOUGH && space_has_files(&fs, ENOUGH_FILES));
}

/* ---- files below it ----------------------------------------------------------------------------------------- */

char *scratch_path(const struct scratch *s, const char *name, struct error *err)
{
    return str_printf(err, "%s/%s", s->run, name);
}

int scratch_dir(const struct scratch *s, const char *name, struct error *err)
{
    char *path = scratch_path(s, name, err);
    int rc = path == NULL ? E_NOMEM : mkdir(path, 0700) < 0 ? error_sys(err, "make %s", path) : 0;
    if (rc == 0 && geteuid() == 0 && lchown(path, s->confine.uid, s->confine.gid) < 0)
        rc = error_sys(err, "give %s away", path);
    free(path);
    return rc;
}

int scratch_isolation(const struct scratch *s, struct buf *out, struct error *err)
{
    if (s->confine.alone)
        return buf_printf(
            out, err, "no network, its own processes and shared memory, no sockets of this machine, user %u",
            s->confine.uid);
    return buf_printf(out, err,
                      "listens on a private socket only, user %u; the network could not be cut off: %s",
                      s->confine.uid, s->confine.why);
}
