#include "common/repo/torn.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/sys/atomic_file.h"
#include "common/base/banned.h"

enum { STALL_SECONDS = 15 * 60 };

/* When it was first seen: now, when that is not known or lies ahead. */
static int first_seen(const char *path, uint64_t now, uint64_t *since, struct error *err)
{
    struct buf seen = BUF_INIT;
    int rc = file_read_small(path, NUMBER_TEXT_MAX, &seen, NULL);
    if (rc == 0 && buf_append(&seen, "", 1, err) == 0)
        rc = number_parse((const char *)seen.data, 0, UINT64_MAX, since, NULL);
    if (rc < 0 || *since > now) {
        buf_clear(&seen);
        *since = now;
        rc = buf_printf(&seen, err, "%llu", (unsigned long long)now);
        rc = rc < 0 ? rc : file_write_atomic(path, seen.data, seen.len, 0600, FILE_REPLACE, err);
    }
    buf_free(&seen);
    return rc;
}

int torn_wait(const char *path, uint32_t torn, const char *what, struct error *err)
{
    uint64_t now = clock_wall();
    uint64_t since = now;
    if (torn == 0)
        return unlink(path) == 0 || errno == ENOENT ? 0 : error_sys(err, "remove %s", path);
    int rc = first_seen(path, now, &since, err);
    if (rc < 0 || now - since >= STALL_SECONDS)
        return rc;
    uint64_t minutes = (STALL_SECONDS - (now - since)) / 60 + 1;
    return error_set(err, E_BUSY, "%s, run again in %llu %s", what, (unsigned long long)minutes,
                     plural(minutes, "minute", "minutes"));
}
