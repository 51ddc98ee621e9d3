/* `tasks`: what the daemon does besides backups. */
#include <string.h>

#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

const char *conf_task_name(enum conf_task task)
{
    static const char *const names[] = { "backup", "expire", "verify", "drill" };
    return names[task];
}

static void check_foreign(struct load *l, const struct frame *f, const struct conf_job *task)
{
    static const struct {
        const char *name;
        unsigned of; /* bits of enum conf_task */
    } own[] = { { "every", 1U << CONF_TASK_VERIFY },
                { "level", 1U << CONF_TASK_VERIFY },
                { "selector", 1U << CONF_TASK_DRILL },
                { "kit", 1U << CONF_TASK_VERIFY | 1U << CONF_TASK_DRILL } };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        const struct conf_node *key = f->keys[conf_section_index(CONF_AT_TASK, own[i].name)];
        if (key != NULL && (own[i].of & 1U << task->task) == 0)
            conf_problem_add(l->problems, key->place, "%s: '%s' has no meaning with do: %s", f->path,
                             own[i].name, conf_task_name(task->task));
    }
    if (task->level == CONF_LEVEL_L1 && task->kit != NULL)
        conf_problem_add(l->problems, f->map->place, "%s: L1 needs no kit: leave one of them out", f->path);
}

void conf_task_read(struct load *l, const struct conf_node *key, const struct conf_node *value)
{
    struct conf_job task = { .place = key->place };
    if (!conf_job_name_read(l, "task", key))
        return;
    task.name = conf_keep_text(l, key->text);
    task.place.file = conf_keep_text(l, key->place.file);
    struct frame f = { .section = CONF_AT_TASK, .map = value, .base = &task };
    f.path = conf_keep_format(l, "tasks.%s", key->text);
    if (l->rc < 0 || !conf_section_read(l, &f, NULL, NULL))
        return;
    conf_section_complete(l, &f, 0);
    task.task = (enum conf_task)(task.task_choice + 1);
    conf_schedule_check(l, f.path, &f, &task.schedule);
    conf_limits_note(&f, &task.limits);
    if (f.good[conf_section_index(CONF_AT_TASK, "do")])
        check_foreign(l, &f, &task);
    size_t reference = conf_section_index(CONF_AT_TASK, "repository");
    if (f.keys[reference] != NULL)
        task.repository_place = f.values[reference]->place;
    conf_job_keep(l, &l->tasks, &task);
}
