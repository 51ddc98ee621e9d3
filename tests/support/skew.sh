# shellcheck shell=bash
# skewed DAYS COMMAND...: the command, whose clock is so many days ahead (or behind); the files keep the time of the machine.
cat >"$TMP/skew.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(id, ts);
    if (rc == 0 && id == CLOCK_REALTIME)
        ts->tv_sec += atol(getenv("SKEW_DAYS")) * 86400;
    return rc;
}
time_t time(time_t *out)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out)
        *out = ts.tv_sec;
    return ts.tv_sec;
}
END
gcc -shared -fPIC -o "$TMP/skew.so" "$TMP/skew.c" -ldl
skewed() {
    local days=$1
    shift
    SKEW_DAYS=$days LD_PRELOAD=$TMP/skew.so "$@"
}
