#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

enum { BUSY_MAX_S = 3600, BLOCK_MAX_S = 86400, BUSY_S = 10, BLOCK_S = 2 };

static int read_duration(const struct engine_job *job, const char *key, uint64_t otherwise, uint64_t max,
                         uint64_t *ms, struct error *err)
{
    const char *text = engine_option(job, key);
    uint64_t seconds = otherwise;
    if (text != NULL) {
        int rc = duration_parse(text, &seconds, err);
        if (rc < 0)
            return error_wrap(err, "job %s: %s", job->name, key);
        if (seconds > max)
            return error_set(err, E_USAGE, "job %s: %s: %s is more than the limit of %llus", job->name, key,
                             text, (unsigned long long)max);
    }
    *ms = seconds * 1000;
    return 0;
}

/* A name in the snapshot: the file's base name, unless the job says otherwise. */
static int read_name(const struct engine_job *job, const char *path, char **out, struct error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = engine_option(job, "name");
    if (name == NULL)
        name = slash == NULL ? path : slash + 1;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/') != NULL ||
        !utf8_valid(name, strlen(name)))
        return error_set(
            err, E_USAGE,
            "job %s: \"%s\" cannot be the name of the database in a snapshot; give a plain UTF-8 "
            "file name with the option `name`",
            job->name, name);
    *out = str_dup(name, err);
    return *out == NULL ? E_NOMEM : 0;
}

int settings_read(const struct engine_job *job, struct settings *out, struct error *err)
{
    *out = (struct settings){ .path = NULL };
    const char *path = engine_option(job, "path");
    if (path == NULL || path[0] == '\0')
        return error_set(err, E_USAGE, "job %s: the option `path` must name the SQLite database file",
                         job->name);
    int rc = read_name(job, path, &out->name, err);
    if (rc < 0)
        goto out;
    /* SQLite takes "file:..." for a URI and ":memory:" for no file at all. */
    out->path = str_printf(err, "%s%s", path[0] == '/' ? "" : "./", path);
    rc = out->path == NULL ? E_NOMEM : 0;
    if (rc == 0)
        rc = read_duration(job, "busy_timeout", BUSY_S, BUSY_MAX_S, &out->busy_ms, err);
    if (rc == 0)
        rc = read_duration(job, "max_block", BLOCK_S, BLOCK_MAX_S, &out->block_ms, err);
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
