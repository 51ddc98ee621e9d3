#include <stdlib.h>
#include <string.h>

#include "common/access/access.h"
#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

struct process_limits access_limits(const struct conf_limits *limits)
{
    static const enum process_ionice classes[] = { [CONF_IONICE_NONE] = IONICE_NONE,
                                                   [CONF_IONICE_BEST_EFFORT] = IONICE_BEST_EFFORT,
                                                   [CONF_IONICE_IDLE] = IONICE_IDLE };
    return (struct process_limits){ .nice = limits->nice,
                                    .ionice = classes[limits->ionice],
                                    .memory = limits->memory,
                                    .open_files = limits->open_files };
}

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

static bool is_in(const char *const *list, const char *key)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        if (strcmp(list[i], key) == 0)
            return true;
    return false;
}

static bool may_nest(void *arg, const char *name, const char *key)
{
    const struct engine *engine = engine_find(name, NULL);
    (void)arg;
    return engine != NULL && is_in(engine->nested_options, key);
}

struct conf *access_configuration_packed(const char *path, bool need_jobs, struct buf *packed,
                                         struct conf_problems *problems, struct error *err)
{
    const struct conf_hooks hooks = {
        .engine_options = options_of, .may_nest = may_nest, .need_jobs = need_jobs, .packed = packed
    };
    return conf_load(path, &hooks, problems, err);
}

struct conf *access_configuration(const char *path, bool need_jobs, struct conf_problems *problems,
                                  struct error *err)
{
    return access_configuration_packed(path, need_jobs, NULL, problems, err);
}

/* A file name means the same wherever the program is started. */
static char *value_of(const struct conf *conf, const struct engine *engine, const struct conf_option *o,
                      struct error *err)
{
    bool relative = is_in(engine->path_options, o->key) && o->value[0] != '/' && o->value[0] != '\0';
    return relative ? path_join(conf->dir, o->value, err) : str_dup(o->value, err);
}

int access_job(const struct conf *conf, const struct conf_job *job, struct engine_job *out, struct error *err)
{
    const struct engine *engine = engine_find(job->engine, err);
    struct engine_option *options = NULL;
    if (engine == NULL)
        return E_USAGE;
    if (job->noptions > 0 && (options = mem_alloc(job->noptions, sizeof *options, err)) == NULL)
        return E_NOMEM;
    *out = (struct engine_job){ .name = job->name, .options = options, .noptions = job->noptions };
    for (size_t i = 0; i < job->noptions; i++) {
        options[i].key = job->options[i].key;
        if (job->options[i].value == NULL)
            continue;
        options[i].value = value_of(conf, engine, &job->options[i], err);
        if (options[i].value == NULL) {
            access_job_free(out);
            return E_NOMEM;
        }
    }
    return 0;
}

void access_job_free(struct engine_job *job)
{
    for (size_t i = 0; i < job->noptions; i++)
        free((void *)(uintptr_t)job->options[i].value); /* const for the engines, ours to free */
    free((void *)(uintptr_t)job->options);
    *job = (struct engine_job){ .name = NULL };
}
