/* When jobs run by themselves: `schedule` and what goes with it, and `daemon`. */
#include <string.h>

#include "common/base/calendar.h"
#include "common/base/zone.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

enum { LIMIT_NICE, LIMIT_IONICE, LIMIT_MEMORY, LIMIT_FILES, LIMIT_STALL, LIMITS };
static const char *const limit_names[LIMITS] = { "nice", "ionice", "memory", "open_files", "stall" };

void conf_schedule_check(struct load *l, const char *path, const struct frame *f, struct conf_schedule *s)
{
    static const char *const without[] = { "window", "max_duration", "catch_up_within", "jitter",
                                           "depends_on" };
    size_t at = conf_section_index(f->section, "schedule");
    struct error why = ERROR_INIT;
    struct calendar *calendar = NULL;
    s->place = f->map->place;
    s->place.file = conf_keep_text(l, s->place.file);
    if (s->when != NULL)
        s->when_at =
            (struct conf_place){ s->place.file, f->values[at]->place.line, f->values[at]->place.column };
    if (s->when != NULL && calendar_parse(s->when, &calendar, &why) < 0)
        conf_problem_add(l->problems, f->values[at]->place, "%s: %s", path, why.text);
    for (size_t i = 0; s->when == NULL && i < sizeof without / sizeof without[0]; i++) {
        const struct conf_node *key = f->keys[conf_section_index(f->section, without[i])];
        if (key != NULL)
            conf_problem_add(l->problems, key->place, "%s.%s has no effect without a schedule", path,
                             without[i]);
    }
    calendar_free(calendar);
}

void conf_limits_note(const struct frame *f, struct conf_limits *limits)
{
    for (unsigned i = 0; i < LIMITS; i++)
        if (f->keys[conf_section_index(f->section, limit_names[i])] != NULL)
            limits->given |= 1U << i;
}

void conf_limits_complete(const struct conf_daemon *daemon, struct conf_limits *own)
{
    const struct conf_limits *d = &daemon->limits;
    own->nice = (own->given & 1U << LIMIT_NICE) != 0 ? own->nice : d->nice;
    own->ionice = (own->given & 1U << LIMIT_IONICE) != 0 ? own->ionice : d->ionice;
    own->memory = (own->given & 1U << LIMIT_MEMORY) != 0 ? own->memory : d->memory;
    own->open_files = (own->given & 1U << LIMIT_FILES) != 0 ? own->open_files : d->open_files;
    own->stall_ms = (own->given & 1U << LIMIT_STALL) != 0 ? own->stall_ms : d->stall_ms;
}

/* Others do not come into the state directory, whatever the socket in it would let them do. */
static void socket_check(struct load *l, const struct frame *f, const struct conf_daemon *d)
{
    const char *name = d->read_group != NULL ? "read_group" : "control_group";
    const struct conf_node *key = f->keys[conf_section_index(CONF_AT_DAEMON, name)];
    if (key != NULL && d->socket == NULL)
        conf_problem_add(l->problems, key->place,
                         "daemon.%s: others do not reach the socket in the state directory: set "
                         "daemon.socket, for example to /run/backupd/control.sock",
                         name);
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
    socket_check(l, &f, d);
    d->place = map->place;
    d->place.file = conf_keep_text(l, map->place.file);
    if (d->time_zone != NULL && zone_check(d->time_zone, &why) < 0)
        conf_problem_add(l->problems, f.values[conf_section_index(CONF_AT_DAEMON, "time_zone")]->place,
                         "daemon.time_zone: %s", why.text);
    conf_textfile_check(l, f.values[conf_section_index(CONF_AT_DAEMON, "textfile")], d->textfile);
}

static const struct conf_job *find_in(const struct vec *list, const char *name)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct conf_job *job = vec_at(list, i);
        if (strcmp(job->name, name) == 0)
            return job;
    }
    return NULL;
}

const struct conf_job *conf_scheduled(const struct load *l, const char *name)
{
    const struct conf_job *job = find_in(&l->jobs, name);
    return job != NULL ? job : find_in(&l->tasks, name);
}

static void depends_resolve(struct load *l, const struct conf_job *job)
{
    const struct conf_names *names = &job->schedule.depends_on;
    for (size_t n = 0; n < names->n; n++) {
        const struct conf_job *on = conf_scheduled(l, names->names[n]);
        if (on == NULL)
            conf_problem_add(l->problems, job->schedule.place, "%s.%s.depends_on: there is no job '%s'",
                             conf_job_section(job), job->name, names->names[n]);
        else if (on == job)
            conf_problem_add(l->problems, job->schedule.place, "%s.%s.depends_on: it cannot depend on itself",
                             conf_job_section(job), job->name);
    }
}

void conf_schedules_resolve(struct load *l)
{
    for (size_t i = 0; i < l->jobs.len; i++)
        depends_resolve(l, vec_at(&l->jobs, i));
    for (size_t i = 0; i < l->tasks.len; i++)
        depends_resolve(l, vec_at(&l->tasks, i));
}
