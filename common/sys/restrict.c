#include "common/sys/restrict.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/banned.h"

#if defined(__SANITIZE_ADDRESS__)
#define HUGE_MAPS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HUGE_MAPS 1
#endif
#endif
#ifndef HUGE_MAPS
#define HUGE_MAPS 0
#endif

/* Both limits, never above the hard one that there is. */
static int limit(int what, rlim_t value, const char *name, struct error *err)
{
    struct rlimit r;
    if (getrlimit((__rlimit_resource_t)what, &r) < 0)
        return error_sys(err, "limit %s", name);
    r.rlim_cur = r.rlim_max = value < r.rlim_max ? value : r.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &r) == 0 ? 0 : error_sys(err, "limit %s", name);
}

static int drop_capabilities(struct error *err)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    return syscall(SYS_capset, &head, none) == 0 ? 0 : error_sys(err, "give up capabilities");
}

int process_confine(unsigned files, uint64_t memory, struct error *err)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    (void)sigemptyset(&ignore.sa_mask);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_sys(err, "give up new privileges");
    if (sigaction(SIGXFSZ, &ignore, NULL) < 0)
        return error_sys(err, "ignore SIGXFSZ");
    int rc = drop_capabilities(err);
    if (rc == 0)
        rc = limit(RLIMIT_NPROC, 0, "processes", err);
    if (rc == 0)
        rc = limit(RLIMIT_FSIZE, 0, "files", err);
    if (rc == 0)
        rc = limit(RLIMIT_NOFILE, files, "descriptors", err);
    if (rc == 0 && !HUGE_MAPS)
        rc = limit(RLIMIT_DATA, memory, "memory", err);
    return rc;
}

int process_shut_files(struct error *err)
{
    const struct landlock_ruleset_attr rules = {
        .handled_access_fs =
            LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
            LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
            LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
            LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
            LANDLOCK_ACCESS_FS_MAKE_SYM,
    };
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0U);
    if (fd < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : error_sys(err, "give up files");
    int rc = (int)syscall(SYS_landlock_restrict_self, fd, 0U);
    rc = rc < 0 ? error_sys(err, "give up files") : 0;
    (void)close(fd);
    return rc < 0 ? rc : 1;
}
