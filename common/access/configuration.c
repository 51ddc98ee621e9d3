#include <stdlib.h>

#include "common/access/access.h"
#include "common/base/alloc.h"

#include "common/base/banned.h"

static int options_of(void *arg, const char *name, const char *const **allowed, const char *const **required,
                      struct error *err)
{
    const struct engine *engine = engine_find(name, err);
    (void)arg;
    if (engine == NULL)
        return E_USAGE;
    *allowed = engine->allowed_options;
    *required = engine->required_options;
    return 0;
}

struct conf *access_configuration(const char *path, bool need_jobs, struct conf_problems *problems,
                                  struct error *err)
{
    struct conf_hooks hooks = { .engine_options = options_of, .need_jobs = need_jobs };
    return conf_load(path, &hooks, problems, err);
}

int access_job(const struct conf_job *job, struct engine_job *out, struct error *err)
{
    struct engine_option *options = NULL;
    if (job->noptions > 0) {
        options = mem_alloc(job->noptions, sizeof *options, err);
        if (options == NULL)
            return E_NOMEM;
    }
    for (size_t i = 0; i < job->noptions; i++)
        options[i] = (struct engine_option){ .key = job->options[i].key, .value = job->options[i].value };
    *out = (struct engine_job){ .name = job->name, .options = options, .noptions = job->noptions };
    return 0;
}

void access_job_free(struct engine_job *job)
{
    free((void *)(uintptr_t)job->options); /* const for the engines, ours to free */
    *job = (struct engine_job){ .name = NULL };
}
