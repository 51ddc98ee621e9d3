#include "common/sys/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/str.h"

#include "common/base/banned.h"

#define ZONE_DIR "/usr/share/zoneinfo/"

/* No way out of the directory, and a file that is a zone: the C library takes anything else for UTC, silently. */
static bool exists(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    char path[sizeof ZONE_DIR + ZONE_NAME_MAX];
    char magic[4] = "";
    if (name[0] == '\0' || name[0] == '/' || strlen(name) > ZONE_NAME_MAX ||
        name[strspn(name, allowed)] != '\0')
        return false;
    (void)snprintf(path, sizeof path, ZONE_DIR "%s", name);
    FILE *f = fopen(path, "re");
    bool good =
        f != NULL && fread(magic, 1, sizeof magic, f) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
    if (f != NULL)
        (void)fclose(f);
    return good;
}

int zone_use(const char *name, struct error *err)
{
    char shown[4 * ZONE_NAME_MAX];
    if (strcmp(name, "UTC") != 0 && !exists(name))
        return error_set(
            err, E_USAGE,
            "there is no time zone '%s' on this system (like Europe/Berlin, or UTC; package tzdata)",
            str_printable(shown, sizeof shown, name));
    if (setenv("TZ", strcmp(name, "UTC") == 0 ? "UTC0" : name, 1) < 0)
        return error_sys(err, "set the time zone");
    tzset();
    return 0;
}

int64_t zone_offset(void *arg, uint64_t t)
{
    struct tm tm;
    time_t when = (time_t)t;
    (void)arg;
    return t > INT64_MAX || localtime_r(&when, &tm) == NULL ? 0 : tm.tm_gmtoff;
}
