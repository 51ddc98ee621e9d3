#include "common/engine/stamp.h"

#include <string.h>
#include <time.h>

#include "common/base/banned.h"

static struct tm in_utc(uint64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm utc = { .tm_mday = 1 };
    (void)gmtime_r(&t, &utc);
    return utc;
}

const char *stamp_name(char out[STAMP_MAX], uint64_t seconds)
{
    struct tm utc = in_utc(seconds);
    if (strftime(out, STAMP_MAX, "%Y%m%d_%H%M%S", &utc) == 0)
        out[0] = '\0';
    return out;
}

bool stamp_is_name(const char *text)
{
    static const char form[] = "dddddddd_dddddd";
    if (strlen(text) != STAMP_NAME_LEN)
        return false;
    for (size_t i = 0; i < STAMP_NAME_LEN; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

const char *stamp_text(char out[STAMP_MAX], uint64_t seconds)
{
    struct tm utc = in_utc(seconds);
    if (strftime(out, STAMP_MAX, "%Y-%m-%d %H:%M:%S UTC", &utc) == 0)
        out[0] = '\0';
    return out;
}
