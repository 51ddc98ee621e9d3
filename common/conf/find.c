#include <string.h>

#include "common/conf/conf.h"
#include "common/conf/problem.h"

#include "common/base/banned.h"

const struct conf_repository *conf_find_repository(const struct conf *conf, const char *name,
                                                   struct error *err)
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion near = suggest_for(name != NULL ? name : "");
    if (name == NULL && conf->nrepositories == 1)
        return &conf->repositories[0];
    for (size_t i = 0; name != NULL && i < conf->nrepositories; i++) {
        if (strcmp(conf->repositories[i].name, name) == 0)
            return &conf->repositories[i];
        suggest_offer(&near, conf->repositories[i].name);
    }
    if (name == NULL)
        (void)error_set(err, E_USAGE, "%s has %zu repositories: say which", conf->file, conf->nrepositories);
    else
        (void)error_set(err, E_USAGE, "there is no repository '%s' in %s%s", name, conf->file,
                        suggest_text(&near, "", hint));
    return NULL;
}

static const struct conf_job *find(const struct conf *conf, size_t n, const char *name, struct error *err)
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion near = suggest_for(name != NULL ? name : "");
    if (name == NULL && n == 1)
        return &conf->jobs[0];
    for (size_t i = 0; name != NULL && i < n; i++) {
        if (strcmp(conf->jobs[i].name, name) == 0)
            return &conf->jobs[i];
        suggest_offer(&near, conf->jobs[i].name);
    }
    if (name == NULL)
        (void)error_set(err, E_USAGE, "%s has %zu jobs: say which", conf->file, n);
    else
        (void)error_set(err, E_USAGE, "there is no job '%s' in %s%s", name, conf->file,
                        suggest_text(&near, "", hint));
    return NULL;
}

const struct conf_job *conf_find_job(const struct conf *conf, const char *name, struct error *err)
{
    return find(conf, conf->njobs, name, err);
}

const struct conf_job *conf_find_scheduled(const struct conf *conf, const char *name, struct error *err)
{
    return find(conf, conf->njobs + conf->ntasks, name, err);
}

const char *conf_job_option(const struct conf_job *job, const char *key, size_t i)
{
    for (size_t j = 0; j < job->noptions; j++)
        if (strcmp(job->options[j].key, key) == 0 && i-- == 0)
            return job->options[j].value;
    return NULL;
}
