#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/conf/file.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"
#include "common/conf/sources.h"

#include "common/base/banned.h"

bool conf_name_is_good(const char *text)
{
    size_t len = strlen(text);
    const char *bad = text + strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return len >= 1 && len <= CONF_NAME_MAX && *bad == '\0' && strchr("._-", text[0]) == NULL;
}

bool conf_name_read(struct load *l, const char *what, const struct conf_node *key)
{
    if (conf_name_is_good(key->text))
        return true;
    conf_problem_add(l->problems, key->place,
                     "'%s' is no good name of a %s: use 1 to %d of a-z 0-9 . _ -, a letter or digit first",
                     key->text, what, CONF_NAME_MAX);
    return false;
}

typedef void item_fn(struct load *l, const struct conf_node *key, const struct conf_node *value);

/* `repositories` and `jobs`: names and what belongs to them. */
static void items_read(struct load *l, const char *what, const struct conf_node *map, item_fn *fn)
{
    if (map == NULL || map->kind == NODE_BAD)
        return;
    if (map->kind != NODE_MAP) {
        conf_problem_add(l->problems, map->place, "%s: expected names with settings below them, found %s",
                         what,
                         map->kind == NODE_SCALAR && map->text[0] == '\0' ? "nothing" : conf_node_kind(map));
        return;
    }
    for (size_t i = 0; i < map->items.len; i += 2)
        fn(l, conf_node_at(map, i), conf_node_at(map, i + 1));
}

static void top_read(struct load *l, const struct conf_node *root)
{
    struct conf top = { .state = NULL };
    struct frame f = { .section = CONF_AT_TOP, .path = "", .map = root, .base = &top };
    if (!conf_section_read(l, &f, NULL, NULL))
        return;
    size_t state = conf_section_index(CONF_AT_TOP, "state");
    size_t repositories = conf_section_index(CONF_AT_TOP, "repositories");
    size_t jobs = conf_section_index(CONF_AT_TOP, "jobs");
    if (f.keys[state] != NULL && l->state.file != NULL) {
        conf_problem_add(l->problems, f.keys[state]->place, "'state' is also at %s:%u", l->state.file,
                         l->state.line);
    } else if (f.keys[state] != NULL) {
        l->state = f.keys[state]->place;
        l->state.file = conf_keep_text(l, l->state.file);
        l->conf->state = top.state;
    }
    l->have_repositories = l->have_repositories || f.keys[repositories] != NULL;
    size_t tasks = conf_section_index(CONF_AT_TOP, "tasks");
    l->have_jobs = l->have_jobs || f.keys[jobs] != NULL || f.keys[tasks] != NULL;
    items_read(l, "repositories", f.values[repositories], conf_repository_read);
    items_read(l, "jobs", f.values[jobs], conf_job_read);
    items_read(l, "tasks", f.values[tasks], conf_task_read);
    conf_daemon_read(l, f.values[conf_section_index(CONF_AT_TOP, "daemon")]);
    items_read(l, "notify", f.values[conf_section_index(CONF_AT_TOP, "notify")], conf_channel_read);
    conf_web_read(l, f.values[conf_section_index(CONF_AT_TOP, "web")]);
    conf_anomalies_read_top(l, f.values[conf_section_index(CONF_AT_TOP, "anomalies")]);
    conf_drills_read(l, f.values[conf_section_index(CONF_AT_TOP, "drills")]);
}

static void text_read(struct load *l, const char *path, const struct buf *text)
{
    struct conf_node *root = NULL;
    int rc = conf_tree_parse((const char *)text->data, text->len, path, l->problems, &root, l->err);
    if (rc < 0)
        l->rc = rc;
    else if (root != NULL && !(root->kind == NODE_SCALAR && root->plain && root->text[0] == '\0'))
        top_read(l, root);
    conf_tree_free(root);
}

static void sources_read(struct load *l, const struct conf_sources *sources)
{
    for (size_t i = 0; l->rc == 0 && i < sources->files.len; i++) {
        const struct conf_source *f = conf_source_at(sources, i);
        if (f->problem != NULL)
            conf_problem_add(l->problems, (struct conf_place){ .file = f->name }, "%s", f->problem);
        else
            text_read(l, f->name, &f->text);
    }
}

static void whole_check(struct load *l)
{
    struct conf_place place = { .file = l->main_file };
    if (!l->have_repositories && l->problems->total == 0)
        conf_problem_add(l->problems, place, "no repositories: say where backups go (repositories: ...)");
    if (!l->have_jobs && l->hooks->need_jobs && l->problems->total == 0)
        conf_problem_add(l->problems, place, "no jobs: say what is backed up (jobs: ...)");
    conf_jobs_resolve(l);
    conf_schedules_resolve(l);
    conf_channels_resolve(l);
}

/* Jobs and tasks, one behind the other. */
static void jobs_finish(struct load *l)
{
    struct conf *conf = l->conf;
    conf->njobs = l->jobs.len;
    conf->ntasks = l->tasks.len;
    for (size_t i = 0; i < l->tasks.len; i++)
        conf_job_keep(l, &l->jobs, vec_at(&l->tasks, i));
    for (size_t i = 0; i < l->jobs.len; i++)
        conf_limits_complete(&conf->daemon, &((struct conf_job *)vec_at(&l->jobs, i))->limits);
    if (l->rc < 0 || l->jobs.len == 0)
        return;
    conf->jobs = conf_keep_block(l, l->jobs.data);
    l->jobs.data = NULL;
}

static void finish(struct load *l)
{
    size_t state = conf_section_index(CONF_AT_TOP, "state");
    size_t count = 0;
    struct conf *conf = l->conf;
    if (conf->state == NULL)
        conf_value_default(l, &conf_rules_of(CONF_AT_TOP, &count)[state], &conf->state);
    if (conf->daemon.place.file == NULL) {
        const struct conf_node none = { .kind = NODE_MAP };
        struct frame f = { .section = CONF_AT_DAEMON, .path = "daemon", .map = &none, .base = &conf->daemon };
        conf_section_complete(l, &f, 0);
    }
    if (!conf->anomalies.given)
        conf_anomalies_complete(l, &conf->anomalies);
    conf->nrepositories = l->repositories.len;
    jobs_finish(l);
    conf->ndrills = l->drills.len;
    if (conf->ndrills != 0) {
        conf->drills = conf_keep_block(l, l->drills.data);
        l->drills.data = NULL;
    }
    if (conf->nrepositories != 0) {
        conf->repositories = conf_keep_block(l, l->repositories.data);
        l->repositories.data = NULL;
    }
    conf->nchannels = l->channels.len;
    if (conf->nchannels != 0) {
        conf->channels = conf_keep_block(l, l->channels.data);
        l->channels.data = NULL;
    }
}

static int paths_set(struct load *l)
{
    char *dir = NULL;
    char *file = conf_file_absolute(l->main_file, l->err);
    if (file == NULL)
        return E_IO;
    dir = conf_file_dir(file, l->err);
    l->conf->file = conf_keep_block(l, file);
    l->conf->dir = conf_keep_block(l, dir);
    return l->rc;
}

static void all_read(struct load *l, const struct conf_sources *sources)
{
    l->main_file = conf_source_at(sources, 0)->name;
    l->conf->packed = sources->packed;
    l->rc = paths_set(l);
    if (l->rc == 0)
        sources_read(l, sources);
    if (l->rc == 0)
        whole_check(l);
    if (l->rc == 0)
        finish(l);
}

/* What could be read all the same says where a daemon may be asked. */
static int refuse(struct load *l)
{
    struct conf_problems *problems = l->problems;
    conf_problems_sort(problems);
    problems->state = l->conf->state != NULL ? str_dup(l->conf->state, NULL) : NULL;
    problems->socket = l->conf->daemon.socket != NULL ? str_dup(l->conf->daemon.socket, NULL) : NULL;
    return error_set(l->err, E_USAGE, "%zu %s in %s", problems->total,
                     plural(problems->total, "problem", "problems"), l->main_file);
}

struct conf *conf_load(const char *path, const struct conf_hooks *hooks, struct conf_problems *problems,
                       struct error *err)
{
    static const struct conf_hooks no_hooks = { .arg = NULL };
    struct load l = { .hooks = hooks != NULL ? hooks : &no_hooks,
                      .problems = problems,
                      .err = err,
                      .main_file = path,
                      .repositories = VEC_OF(struct conf_repository),
                      .jobs = VEC_OF(struct conf_job),
                      .tasks = VEC_OF(struct conf_job),
                      .channels = VEC_OF(struct conf_channel),
                      .drills = VEC_OF(struct conf_drill) };
    l.conf = mem_alloc(1, sizeof *l.conf, err);
    if (l.conf == NULL)
        return NULL;
    l.conf->owned = (struct vec)VEC_OF(void *);
    struct conf_sources sources = { .files = VEC_OF(struct conf_source) };
    l.rc = conf_sources_read(path, l.hooks->make_one, &sources, err);
    if (l.rc == 0)
        all_read(&l, &sources);
    if (l.rc == 0 && problems->total != 0)
        l.rc = refuse(&l);
    if (l.rc == 0 && l.hooks->packed != NULL)
        l.rc = conf_sources_pack(&sources, l.hooks->packed, err);
    conf_sources_free(&sources);
    vec_free(&l.repositories);
    vec_free(&l.jobs);
    vec_free(&l.tasks);
    vec_free(&l.channels);
    vec_free(&l.drills);
    if (l.rc == 0)
        return l.conf;
    conf_free(l.conf);
    return NULL;
}

void conf_free(struct conf *conf)
{
    if (conf == NULL)
        return;
    for (size_t i = 0; i < conf->owned.len; i++)
        free(*(void **)vec_at(&conf->owned, i));
    vec_free(&conf->owned);
    free(conf);
}
