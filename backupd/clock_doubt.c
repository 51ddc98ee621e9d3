#include "backupd/clock_doubt.h"

#include <stdio.h>

#include "backupd/daemon/planner.h"
#include "common/base/zone.h"

#include "common/base/banned.h"

enum { DAY = 86400, YEAR = 365 * DAY };

bool clock_doubt(int64_t now, int64_t newest, char out[CLOCK_DOUBT_MAX])
{
    static const char look[] = "look at the clock of this host (`timedatectl`)";
    char wall[32];
    char record[32];
    int64_t by = newest - now;
    bool years = by >= 2 * (int64_t)YEAR;
    (void)zone_format(wall, now);
    if (by > PLANNER_SET_BACK_MAX)
        (void)snprintf(
            out, CLOCK_DOUBT_MAX,
            "The clock is behind the history by %lld %s: it is %s now, and the newest record is of %s. It was wrong "
            "then or is wrong now: %s",
            (long long)(by / (years ? YEAR : DAY)), years ? "years" : "days", wall,
            zone_format(record, newest), look);
    else if (now < CLOCK_DOUBT_FLOOR)
        (void)snprintf(out, CLOCK_DOUBT_MAX,
                       "The clock is wrong: it says %s, and this program is younger: %s", wall, look);
    else
        return false;
    return true;
}
