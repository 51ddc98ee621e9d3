#include <stdio.h>

#include "common/base/number.h"
#include "common/engine/mariabackup/internal.h"
#include "common/engine/option.h"

#include "common/base/banned.h"

enum { DAY_S = 86400, TIMEOUT_MAX_S = 28 * DAY_S, STALL_S = 3600, PORT_MAX = 65535 };

static int connect_option(const struct engine_job *job, const char *key, const char *name, const char *value,
                          struct mb_settings *out, struct error *err)
{
    if (value == NULL)
        return 0;
    int n = snprintf(out->connect[out->nconnect], MB_OPTION_MAX, "--%s=%s", name, value);
    if (n < 0 || n >= MB_OPTION_MAX)
        return error_set(err, E_USAGE, "job %s: %s is too long", job->name, key);
    out->nconnect++;
    return 0;
}

static int read_connect(const struct engine_job *job, struct mb_settings *out, struct error *err)
{
    static const char *const keys[] = { "socket", "host", "port", "user" };
    const char *file = NULL;
    uint64_t port = 0;
    int rc = option_private_file(job, "defaults_file", &file, err);
    if (rc == 0 && engine_option(job, "port") != NULL &&
        number_parse(engine_option(job, "port"), 1, PORT_MAX, &port, err) < 0)
        rc = error_wrap(err, "job %s: port", job->name);
    rc = rc < 0 ? rc : connect_option(job, "defaults_file", "defaults-file", file, out, err);
    for (size_t i = 0; rc == 0 && i < sizeof keys / sizeof keys[0]; i++)
        rc = connect_option(job, keys[i], keys[i], engine_option(job, keys[i]), out, err);
    return rc;
}

int mb_settings_read(const struct engine_job *job, struct mb_settings *out, struct error *err)
{
    *out = (struct mb_settings){ .job = job->name, .bin_dir = engine_option(job, "bin_dir") };
    int rc = read_connect(job, out, err);
    rc = rc < 0 ? rc : option_flag(job, "allow_untested", false, &out->allow_untested, err);
    rc = rc < 0 ? rc : option_duration(job, "timeout", DAY_S, 1, TIMEOUT_MAX_S, &out->timeout_ms, err);
    return rc < 0 ? rc
                  : option_duration(job, "stall_timeout", STALL_S, 1, TIMEOUT_MAX_S, &out->stall_ms, err);
}
