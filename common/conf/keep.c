/* What stays and how long: `keep` of a repository or a job, `keep_jobs`. */
#include <string.h>

#include "common/base/str.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

/* Rules that only say what stays besides the others keep nothing by themselves: then everything stays. */
static bool keeps_something(const struct conf_keep *k)
{
    return (k->last | k->hourly | k->daily | k->weekly | k->monthly | k->yearly) != 0 || k->within_ms != 0 ||
           k->erase_after_ms != 0;
}

void conf_keep_read(struct load *l, const char *path, const struct conf_node *map, struct conf_keep *out)
{
    struct frame f = { .section = CONF_AT_KEEP, .path = path, .map = map, .base = out };
    size_t before = l->problems->total;
    if (map == NULL || !conf_section_read(l, &f, NULL, NULL))
        return;
    conf_section_complete(l, &f, 0);
    out->given = true;
    out->place = map->place;
    out->place.file = conf_keep_text(l, map->place.file);
    if (l->problems->total == before && !keeps_something(out))
        conf_problem_add(
            l->problems, map->place,
            "%s: no rule says what stays (last, hourly, daily, weekly, monthly, yearly, within) or "
            "goes (erase_after); leave '%s' out to keep everything",
            path, "keep");
    if (out->within_ms != 0 && out->erase_after_ms != 0 && out->within_ms > out->erase_after_ms)
        conf_problem_add(l->problems, map->place, "%s: within is longer than erase_after, which wins", path);
}

void conf_keep_jobs_read(struct load *l, const char *path, const struct conf_node *map,
                         struct conf_repository *r)
{
    struct vec list = VEC_OF(struct conf_keep_job);
    if (map == NULL || map->kind == NODE_BAD)
        return;
    if (map->kind != NODE_MAP) {
        conf_problem_add(l->problems, map->place, "%s: expected names of jobs with keep rules below them",
                         path);
        return;
    }
    for (size_t i = 0; i < map->items.len; i += 2) {
        const struct conf_node *key = conf_node_at(map, i);
        if (!conf_name_read(l, "job", key))
            continue;
        struct conf_keep_job *slot = vec_push(&list, l->err);
        const char *below = conf_keep_format(l, "%s.%s", path, key->text);
        if (slot == NULL || below == NULL) {
            l->rc = E_NOMEM;
            break;
        }
        slot->job = conf_keep_text(l, key->text);
        conf_keep_read(l, below, conf_node_at(map, i + 1), &slot->keep);
    }
    r->nkeep_jobs = list.len;
    r->keep_jobs = list.len != 0 ? conf_keep_block(l, list.data) : NULL;
    if (list.len == 0)
        vec_free(&list);
}

const struct conf_keep *conf_keep_of(const struct conf *conf, const struct conf_repository *r,
                                     const char *label)
{
    for (size_t i = 0; i < r->nkeep_jobs; i++)
        if (strcmp(r->keep_jobs[i].job, label) == 0)
            return &r->keep_jobs[i].keep;
    for (size_t i = 0; i < conf->njobs; i++)
        if (strcmp(conf->jobs[i].name, label) == 0 && strcmp(conf->jobs[i].repository, r->name) == 0 &&
            conf->jobs[i].keep.given)
            return &conf->jobs[i].keep;
    return r->keep.given ? &r->keep : NULL;
}
