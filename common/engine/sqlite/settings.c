#include <stdlib.h>

#include "common/base/str.h"
#include "common/engine/option.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

enum { BUSY_MAX_S = 3600, BLOCK_MAX_S = 86400, BUSY_S = 10, BLOCK_S = 2 };

int settings_read(const struct engine_job *job, struct settings *out, struct error *err)
{
    *out = (struct settings){ .path = NULL };
    const char *path = engine_option(job, "path");
    if (path == NULL || path[0] == '\0')
        return error_set(err, E_USAGE, "job %s: the option `path` must name the SQLite database file",
                         job->name);
    int rc = option_stream_name(job, path, &out->name, err);
    if (rc < 0)
        goto out;
    /* SQLite takes "file:..." for a URI and ":memory:" for no file at all. */
    out->path = str_printf(err, "%s%s", path[0] == '/' ? "" : "./", path);
    rc = out->path == NULL ? E_NOMEM : 0;
    if (rc == 0)
        rc = option_duration(job, "busy_timeout", BUSY_S, 0, BUSY_MAX_S, &out->busy_ms, err);
    if (rc == 0)
        rc = option_duration(job, "max_block", BLOCK_S, 0, BLOCK_MAX_S, &out->block_ms, err);
out:
    if (rc < 0)
        settings_free(out);
    return rc;
}

void settings_free(struct settings *s)
{
    free(s->path);
    free(s->name);
    *s = (struct settings){ .path = NULL };
}
