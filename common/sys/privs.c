#include "common/sys/privs.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/base/banned.h"

#if defined(__SANITIZE_ADDRESS__)
#define LEAK_CHECK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAK_CHECK 1
#endif
#endif
#ifndef LEAK_CHECK
#define LEAK_CHECK 0
#endif

int process_harden(struct error *err)
{
    const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    (void)sigemptyset(&ignore.sa_mask);
    (void)umask(077);
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return error_sys(err, "switch off core dumps");
    if (!LEAK_CHECK && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_sys(err, "close the memory of this process to others");
    if (sigaction(SIGPIPE, &ignore, NULL) < 0)
        return error_sys(err, "ignore SIGPIPE");
    return 0;
}
