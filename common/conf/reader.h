/*
 * reader.h - from trees to structs, driven by the table (inside this room).
 *
 * value.c turns one node into one value, section.c a mapping into a struct,
 * load.c files into a configuration. A failure of this program (no memory)
 * stays in load->rc; everything else is a problem and the reading goes on.
 */
#ifndef COMMON_CONF_READER_H
#define COMMON_CONF_READER_H

#include "common/base/vec.h"
#include "common/conf/conf.h"
#include "common/conf/rule.h"
#include "common/conf/tree.h"

struct load {
    struct conf *conf;
    const struct conf_hooks *hooks; /* never NULL */
    struct conf_problems *problems;
    struct error *err;
    int rc;
    const char *main_file;   /* as the user named it, for messages */
    struct vec repositories; /* of struct conf_repository */
    struct vec jobs;         /* of struct conf_job */
    struct vec tasks;        /* the same */
    struct vec channels;     /* of struct conf_channel */
    struct vec drills;       /* of struct conf_drill */
    struct conf_place state; /* where it was set; file NULL: nowhere */
    bool have_repositories;
    bool have_jobs;
};

/* A mapping being read by the rules of its section. */
struct frame {
    enum conf_section section;
    const char *path; /* "repositories.shop.storage", for messages; "" at the top */
    const struct conf_node *map;
    void *base; /* the section's struct */
    /* by the index of the rule: what was given, NULL otherwise; good: it could be read */
    const struct conf_node *keys[RULES_MAX];
    const struct conf_node *values[RULES_MAX];
    bool good[RULES_MAX];
};

/* ---- value.c ---- */
/* Strings that live as long as the configuration. NULL, given or returned, is a lack of memory and sets
 * load->rc. */
const char *conf_keep_text(struct load *l, const char *s);
const char *conf_keep_format(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *conf_keep_block(struct load *l, void *block); /* takes ownership, also on failure */
/* A file name made absolute. */
const char *conf_keep_path(struct load *l, const char *name);

/* Reads `value` as the rule says into slot; false after a problem. `what` is "storage.port". */
bool conf_value_read(struct load *l, const struct rule *rule, const char *what, const struct conf_node *value,
                     void *slot);
/* Puts the rule's default into slot. */
void conf_value_default(struct load *l, const struct rule *rule, void *slot);
/* A scalar with some text; a problem and false otherwise. */
bool conf_value_is_text(struct load *l, const char *what, const struct conf_node *value);

/* ---- section.c ---- */
/* Called for keys that are no settings of the section; NULL: they are problems. */
typedef void other_fn(struct load *l, struct frame *f, const struct conf_node *key,
                      const struct conf_node *value, void *arg);
/* Reads all settings except the sections below it. False when `map` is no mapping (reported). */
bool conf_section_read(struct load *l, struct frame *f, other_fn *other, void *arg);
/* Defaults for what is missing, and problems for what is required; ignore: CONF_ONLY_* flags to pass over. */
void conf_section_complete(struct load *l, struct frame *f, unsigned ignore);
/* The settings of one type have no meaning for another: most likely the type is wrong. all: the CONF_ONLY_* flags of the
 * section, mine: that of the type. */
void conf_section_foreign(struct load *l, const struct frame *f, unsigned all, unsigned mine,
                          const char *type);
/* The index of a rule, which must exist. */
size_t conf_section_index(enum conf_section section, const char *name);

/* ---- load.c ---- */
/* Is the key a good name of a repository or job (`what`)? A problem and false otherwise. */
bool conf_name_read(struct load *l, const char *what, const struct conf_node *key);

/* ---- keep.c ---- */
/* map NULL: not given. */
void conf_keep_read(struct load *l, const char *path, const struct conf_node *map, struct conf_keep *out);
void conf_keep_jobs_read(struct load *l, const char *path, const struct conf_node *map,
                         struct conf_repository *r);

/* ---- schedule.c ---- */
/* After the settings were read: is what they say a calendar, a zone? Problems otherwise. */
void conf_schedule_check(struct load *l, const char *path, const struct frame *f, struct conf_schedule *s);
/* `daemon`; map NULL: not given. */
void conf_daemon_read(struct load *l, const struct conf_node *map);
/* After all files are read: jobs that others depend on. */
void conf_schedules_resolve(struct load *l);
/* The job or task of this name, or NULL. */
const struct conf_job *conf_scheduled(const struct load *l, const char *name);
/* Which limits were given; the others become the daemon's when all is read. */
void conf_limits_note(const struct frame *f, struct conf_limits *limits);
void conf_limits_complete(const struct conf_daemon *daemon, struct conf_limits *own);

/* ---- task.c ---- */
void conf_task_read(struct load *l, const struct conf_node *key, const struct conf_node *value);

/* ---- notify.c ---- */
void conf_channel_read(struct load *l, const struct conf_node *key, const struct conf_node *value);
/* After all files are read: the jobs that channels name. */
void conf_channels_resolve(struct load *l);

/* ---- web.c ---- */
/* `web`; map NULL: not given. */
void conf_web_read(struct load *l, const struct conf_node *map);
/* daemon.textfile, after it was read. */
void conf_textfile_check(struct load *l, const struct conf_node *value, const char *path);

/* ---- anomalies.c ---- */
/* value NULL: not given. */
void conf_anomalies_read(struct load *l, const char *path, const struct conf_node *value,
                         struct conf_anomalies *out);
/* Of the file: a second time is a problem. */
void conf_anomalies_read_top(struct load *l, const struct conf_node *value);
void conf_anomalies_complete(struct load *l, struct conf_anomalies *out);

/* ---- drills.c ---- */
/* map NULL: not given. */
void conf_drills_read(struct load *l, const struct conf_node *map);
void conf_evidence_read(struct load *l, const struct conf_node *key, const struct conf_node *value);

/* ---- repository.c, job.c, drill.c ---- */
/* The settings of a storage; `path` is where they stand, for messages. */
void conf_storage_read(struct load *l, const char *path, const struct conf_node *map,
                       struct conf_storage *out);
/* mask.c: an item of a drill's list; slot is a struct conf_mask. */
void conf_mask_item(struct load *l, const char *what, const struct conf_node *n, void *slot);
void conf_drill_read(struct load *l, const struct conf_node *key, const struct conf_node *value);
void conf_repository_read(struct load *l, const struct conf_node *key, const struct conf_node *value);
void conf_job_read(struct load *l, const struct conf_node *key, const struct conf_node *value);
/* A name that no other job or task has; a problem and false otherwise. */
bool conf_job_name_read(struct load *l, const char *what, const struct conf_node *key);
/* "jobs" or "tasks", for messages. */
const char *conf_job_section(const struct conf_job *job);
/* Appends to l->jobs or l->tasks. */
void conf_job_keep(struct load *l, struct vec *list, const struct conf_job *job);
/* After all files are read: the repository of each job and task. */
void conf_jobs_resolve(struct load *l);

#endif
