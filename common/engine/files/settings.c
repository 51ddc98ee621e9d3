#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/files/internal.h"
#include "common/engine/option.h"

#include "common/base/banned.h"

struct exclude {
    char *pattern;
    bool whole; /* matched against the whole path, not only its last component */
    bool dir_only;
};

static int add_exclude(const struct engine_job *job, const char *text, struct files_settings *out,
                       struct error *err)
{
    const char *from = text + (text[0] == '/');
    size_t len = strlen(from);
    bool dir_only = len > 0 && from[len - 1] == '/';
    len -= dir_only;
    if (len == 0)
        return error_set(err, E_USAGE, "job %s: exclude: \"%s\" would leave out nothing or everything",
                         job->name, text);
    struct exclude *x = vec_push(&out->excludes, err);
    if (x == NULL)
        return E_NOMEM;
    *x = (struct exclude){ .pattern = str_dup_len(from, len, err), .dir_only = dir_only };
    if (x->pattern == NULL)
        return E_NOMEM;
    x->whole = text[0] == '/' || strchr(x->pattern, '/') != NULL;
    return 0;
}

int files_settings_read(const struct engine_job *job, struct files_settings *out, struct error *err)
{
    *out = (struct files_settings){ .excludes = VEC_OF(struct exclude) };
    size_t paths = 0;
    int rc = option_yes_no(job, "one_file_system", true, &out->one_file_system, err);
    for (size_t i = 0; rc == 0 && i < job->noptions; i++) {
        const struct engine_option *o = &job->options[i];
        if (strcmp(o->key, "exclude") == 0)
            rc = add_exclude(job, o->value, out, err);
        paths += strcmp(o->key, "path") == 0;
    }
    const char *path = engine_option(job, "path");
    if (rc == 0 && (paths != 1 || path == NULL || path[0] == '\0'))
        rc = error_set(err, E_USAGE,
                       "job %s: the option `path` must name one directory; make a job for each tree",
                       job->name);
    if (rc == 0) {
        out->path = str_dup(path, err);
        rc = out->path != NULL ? 0 : E_NOMEM;
    }
    if (rc < 0)
        files_settings_free(out);
    return rc;
}

bool files_settings_exclude(const struct files_settings *s, const char *path, bool is_dir)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    for (size_t i = 0; i < s->excludes.len; i++) {
        const struct exclude *x = vec_at(&s->excludes, i);
        if (x->dir_only && !is_dir)
            continue;
        if (fnmatch(x->pattern, x->whole ? path : last, FNM_PATHNAME) == 0)
            return true;
    }
    return false;
}

void files_settings_free(struct files_settings *s)
{
    for (size_t i = 0; i < s->excludes.len; i++)
        free(((struct exclude *)vec_at(&s->excludes, i))->pattern);
    vec_free(&s->excludes);
    free(s->path);
    s->path = NULL;
}
