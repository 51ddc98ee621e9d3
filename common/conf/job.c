#include <stdio.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

/* An engine option as it stands in the file, judged once the engine is known. */
struct given {
    const struct conf_node *key;
    const struct conf_node *value;
};

static void collect_given(struct load *l, struct frame *f, const struct conf_node *key,
                          const struct conf_node *value, void *arg)
{
    (void)f;
    struct given *g = vec_push(arg, l->err);
    if (g == NULL)
        l->rc = E_NOMEM;
    else
        *g = (struct given){ key, value };
}

static bool is_in(const char *const *list, const char *word)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        if (strcmp(list[i], word) == 0)
            return true;
    return false;
}

static void unknown_option(struct load *l, const char *engine, const char *const *allowed,
                           const struct conf_node *key)
{
    struct suggestion near = suggest_for(key->text);
    char hint[SUGGEST_TEXT_MAX];
    char list[512] = "";
    size_t count = 0;
    const struct rule *rules = conf_rules_of(CONF_AT_JOB, &count);
    for (size_t i = 0; i < count; i++)
        suggest_offer(&near, rules[i].setting.name);
    for (size_t i = 0; allowed[i] != NULL; i++) {
        suggest_offer(&near, allowed[i]);
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "; it has " : ", ", allowed[i]);
    }
    conf_problem_add(l->problems, key->place, "engine %s has no option '%s'%s", engine, key->text,
                     near.best != NULL ? suggest_text(&near, "", hint) : list);
}

static void option_keep(struct load *l, const struct conf_job *job, const struct conf_node *key,
                        const struct conf_node *value, bool judge, struct vec *out)
{
    struct error why = ERROR_INIT;
    char what[256];
    (void)snprintf(what, sizeof what, "jobs.%s.%s", job->name, key->text);
    if (!conf_value_is_text(l, what, value))
        return;
    if (judge && l->hooks->check_option != NULL &&
        l->hooks->check_option(l->hooks->arg, job->engine, key->text, value->text, &why) < 0) {
        conf_problem_add(l->problems, value->place, "%s: %s", what, why.text);
        return;
    }
    struct conf_option *o = vec_push(out, l->err);
    if (o == NULL) {
        l->rc = E_NOMEM;
        return;
    }
    o->key = conf_keep_text(l, key->text);
    o->value = conf_keep_text(l, value->text);
    o->place = value->place;
    o->place.file = job->place.file;
}

static void list_keep(struct load *l, const struct conf_job *job, const struct conf_node *key,
                      const struct conf_node *list, bool judge, struct vec *out)
{
    for (size_t i = 0; i < list->items.len; i++)
        option_keep(l, job, key, conf_node_at(list, i), judge, out);
}

static void separator_keep(struct load *l, const struct conf_job *job, const struct conf_node *key,
                           const struct conf_node *list, struct vec *out)
{
    struct conf_option *o = vec_push(out, l->err);
    if (o == NULL) {
        l->rc = E_NOMEM;
        return;
    }
    *o = (struct conf_option){ .key = conf_keep_text(l, key->text), .place = list->place };
    o->place.file = job->place.file;
}

/* A list of lists: every item has to be one that holds something. */
static void nested_keep(struct load *l, const struct conf_job *job, const struct given *g, bool judge,
                        struct vec *out)
{
    for (size_t i = 0; i < g->value->items.len; i++) {
        const struct conf_node *list = conf_node_at(g->value, i);
        if (list->kind == NODE_BAD)
            continue;
        if (list->kind != NODE_LIST || list->items.len == 0) {
            conf_problem_add(
                l->problems, list->place,
                "jobs.%s.%s: of a list of lists, every item has to be a list [PROGRAM, ARG, ...]", job->name,
                g->key->text);
            continue;
        }
        if (i > 0)
            separator_keep(l, job, g->key, list, out);
        list_keep(l, job, g->key, list, judge, out);
    }
}

static bool has_list(const struct conf_node *list)
{
    for (size_t i = 0; i < list->items.len; i++)
        if (conf_node_at(list, i)->kind == NODE_LIST)
            return true;
    return false;
}

/* One option of the file becomes one entry, a list one entry for each item. */
static void option_read(struct load *l, const struct conf_job *job, const struct given *g, bool judge,
                        struct vec *out)
{
    if (g->value->kind != NODE_LIST)
        option_keep(l, job, g->key, g->value, judge, out);
    else if (judge && has_list(g->value) && l->hooks->may_nest != NULL &&
             l->hooks->may_nest(l->hooks->arg, job->engine, g->key->text))
        nested_keep(l, job, g, judge, out);
    else
        list_keep(l, job, g->key, g->value, judge, out);
}

static void engine_problem(struct load *l, const struct frame *f, const struct conf_job *job,
                           const struct error *why)
{
    struct suggestion near = suggest_for(job->engine);
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; l->hooks->engines != NULL && l->hooks->engines[i] != NULL; i++)
        suggest_offer(&near, l->hooks->engines[i]);
    conf_problem_add(l->problems, f->values[conf_section_index(CONF_AT_JOB, "engine")]->place,
                     "%s.engine: %s%s", f->path, why->text, suggest_text(&near, "", hint));
}

static void options_read(struct load *l, const struct frame *f, struct conf_job *job, const struct vec *given,
                         struct vec *out)
{
    struct error why = ERROR_INIT;
    const char *const *allowed = NULL;
    const char *const *required = NULL;
    bool judge = job->engine != NULL;
    if (judge && l->hooks->engine_options != NULL &&
        l->hooks->engine_options(l->hooks->arg, job->engine, &allowed, &required, &why) < 0) {
        engine_problem(l, f, job, &why);
        judge = false;
    }
    for (size_t i = 0; i < given->len; i++) {
        const struct given *g = vec_at(given, i);
        if (judge && allowed != NULL && !is_in(allowed, g->key->text))
            unknown_option(l, job->engine, allowed, g->key);
        else
            option_read(l, job, g, judge, out);
    }
    for (size_t i = 0; judge && required != NULL && required[i] != NULL; i++) {
        bool found = false;
        for (size_t j = 0; j < given->len && !found; j++) {
            const struct given *g = vec_at(given, j);
            found = strcmp(g->key->text, required[i]) == 0 &&
                    (g->value->kind != NODE_LIST || g->value->items.len != 0);
        }
        if (!found)
            conf_problem_add(l->problems, f->map->place, "%s: engine %s needs '%s'", f->path, job->engine,
                             required[i]);
    }
}

bool conf_job_name_read(struct load *l, const char *what, const struct conf_node *key)
{
    if (!conf_name_read(l, what, key))
        return false;
    const struct conf_job *other = conf_scheduled(l, key->text);
    if (other != NULL)
        conf_problem_add(l->problems, key->place, "%s '%s' is also at %s:%u", what, key->text,
                         other->place.file, other->place.line);
    return other == NULL;
}

const char *conf_job_section(const struct conf_job *job)
{
    return job->task == CONF_TASK_NONE ? "jobs" : "tasks";
}

void conf_job_keep(struct load *l, struct vec *list, const struct conf_job *job)
{
    struct conf_job *slot = vec_push(list, l->err);
    if (slot == NULL)
        l->rc = E_NOMEM;
    else
        *slot = *job;
}

void conf_job_read(struct load *l, const struct conf_node *key, const struct conf_node *value)
{
    struct vec given = VEC_OF(struct given);
    struct vec options = VEC_OF(struct conf_option);
    struct conf_job job = { .place = key->place };
    if (!conf_job_name_read(l, "job", key))
        return;
    job.name = conf_keep_text(l, key->text);
    job.place.file = conf_keep_text(l, key->place.file);
    struct frame f = { .section = CONF_AT_JOB, .map = value, .base = &job };
    f.path = conf_keep_format(l, "jobs.%s", key->text);
    if (l->rc < 0 || !conf_section_read(l, &f, collect_given, &given))
        goto out;
    conf_section_complete(l, &f, 0);
    conf_keep_read(l, conf_keep_format(l, "jobs.%s.keep", key->text),
                   f.values[conf_section_index(CONF_AT_JOB, "keep")], &job.keep);
    conf_schedule_check(l, f.path, &f, &job.schedule);
    conf_limits_note(&f, &job.limits);
    conf_anomalies_read(l, conf_keep_format(l, "jobs.%s.anomalies", key->text),
                        f.values[conf_section_index(CONF_AT_JOB, "anomalies")], &job.anomalies);
    options_read(l, &f, &job, &given, &options);
    size_t reference = conf_section_index(CONF_AT_JOB, "repository");
    if (f.keys[reference] != NULL)
        job.repository_place = f.values[reference]->place;
    if (options.len != 0) {
        job.options = conf_keep_block(l, options.data);
        job.noptions = options.len;
        options.data = NULL;
    }
    conf_job_keep(l, &l->jobs, &job);
out:
    vec_free(&options);
    vec_free(&given);
}

static void unknown_repository(struct load *l, const struct conf_job *job)
{
    struct suggestion near = suggest_for(job->repository);
    struct conf_place place = job->repository_place;
    char hint[SUGGEST_TEXT_MAX];
    for (size_t i = 0; i < l->repositories.len; i++)
        suggest_offer(&near, ((const struct conf_repository *)vec_at(&l->repositories, i))->name);
    place.file = job->place.file;
    conf_problem_add(l->problems, place, "%s.%s.repository: there is no repository '%s'%s",
                     conf_job_section(job), job->name, job->repository, suggest_text(&near, "", hint));
}

static bool repository_exists(const struct load *l, const char *name)
{
    for (size_t i = 0; i < l->repositories.len; i++)
        if (strcmp(((const struct conf_repository *)vec_at(&l->repositories, i))->name, name) == 0)
            return true;
    return false;
}

static void job_resolve(struct load *l, struct conf_job *job)
{
    if (job->repository != NULL) {
        if (!repository_exists(l, job->repository))
            unknown_repository(l, job);
    } else if (job->repository_place.line != 0) {
        return; /* given, but reported already */
    } else if (l->repositories.len == 1) {
        job->repository = ((const struct conf_repository *)vec_at(&l->repositories, 0))->name;
    } else if (l->repositories.len > 1) {
        conf_problem_add(l->problems, job->place,
                         "%s.%s: 'repository' is missing, and there is more than one to choose from",
                         conf_job_section(job), job->name);
    }
}

void conf_jobs_resolve(struct load *l)
{
    for (size_t i = 0; i < l->jobs.len; i++)
        job_resolve(l, vec_at(&l->jobs, i));
    for (size_t i = 0; i < l->tasks.len; i++)
        job_resolve(l, vec_at(&l->tasks, i));
}
