/* When jobs run by themselves: `schedule` and what goes with it, and `daemon`. */
#include <string.h>

#include "common/base/calendar.h"
#include "common/base/zone.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

void conf_schedule_check(struct load *l, const char *path, const struct frame *f, struct conf_schedule *s)
{
    static const char *const without[] = { "window", "max_duration", "catch_up_within", "jitter",
                                           "depends_on" };
    size_t at = conf_section_index(CONF_AT_JOB, "schedule");
    struct error why = ERROR_INIT;
    struct calendar *calendar = NULL;
    s->place = f->map->place;
    s->place.file = conf_keep_text(l, s->place.file);
    if (s->when != NULL && calendar_parse(s->when, &calendar, &why) < 0)
        conf_problem_add(l->problems, f->values[at]->place, "%s: %s", path, why.text);
    for (size_t i = 0; s->when == NULL && i < sizeof without / sizeof without[0]; i++) {
        const struct conf_node *key = f->keys[conf_section_index(CONF_AT_JOB, without[i])];
        if (key != NULL)
            conf_problem_add(l->problems, key->place, "%s.%s has no effect without a schedule", path,
                             without[i]);
    }
    calendar_free(calendar);
}

void conf_daemon_read(struct load *l, const struct conf_node *map)
{
    struct conf_daemon *d = &l->conf->daemon;
    struct frame f = { .section = CONF_AT_DAEMON, .path = "daemon", .map = map, .base = d };
    struct error why = ERROR_INIT;
    if (map == NULL)
        return;
    if (d->place.file != NULL) {
        conf_problem_add(l->problems, map->place, "'daemon' is also at %s:%u", d->place.file, d->place.line);
        return;
    }
    if (!conf_section_read(l, &f, NULL, NULL))
        return;
    conf_section_complete(l, &f, 0);
    d->place = map->place;
    d->place.file = conf_keep_text(l, map->place.file);
    if (d->time_zone != NULL && zone_check(d->time_zone, &why) < 0)
        conf_problem_add(l->problems, f.values[conf_section_index(CONF_AT_DAEMON, "time_zone")]->place,
                         "daemon.time_zone: %s", why.text);
    conf_textfile_check(l, f.values[conf_section_index(CONF_AT_DAEMON, "textfile")], d->textfile);
}

static const struct conf_job *find(const struct load *l, const char *name)
{
    for (size_t i = 0; i < l->jobs.len; i++) {
        const struct conf_job *job = vec_at(&l->jobs, i);
        if (strcmp(job->name, name) == 0)
            return job;
    }
    return NULL;
}

void conf_schedules_resolve(struct load *l)
{
    for (size_t i = 0; i < l->jobs.len; i++) {
        const struct conf_job *job = vec_at(&l->jobs, i);
        const struct conf_names *names = &job->schedule.depends_on;
        for (size_t n = 0; n < names->n; n++) {
            const struct conf_job *on = find(l, names->names[n]);
            if (on == NULL)
                conf_problem_add(l->problems, job->schedule.place, "jobs.%s.depends_on: there is no job '%s'",
                                 job->name, names->names[n]);
            else if (on == job)
                conf_problem_add(l->problems, job->schedule.place,
                                 "jobs.%s.depends_on: it cannot depend on itself", job->name);
        }
    }
}
