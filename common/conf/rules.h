/*
 * rules.h - what the tables of rules share (inside this room): a file rules_SECTION.c for each section.
 *
 * A new setting is one rule in the table of its section, in the order in which it should be documented, and a member of
 * the section's struct in conf.h. A new section is a file that ends with RULES, a line below, and one in setting.c.
 */
#ifndef COMMON_CONF_RULES_H
#define COMMON_CONF_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "common/conf/conf.h"
#include "common/conf/rule.h"

struct rules {
    const struct rule *list;
    size_t count;
};

extern const struct rules conf_rules_top;
extern const struct rules conf_rules_repository;
extern const struct rules conf_rules_storage;
extern const struct rules conf_rules_job;
extern const struct rules conf_rules_task;
extern const struct rules conf_rules_daemon;
extern const struct rules conf_rules_web;
extern const struct rules conf_rules_keep;
extern const struct rules conf_rules_notify;
extern const struct rules conf_rules_anomalies;
extern const struct rules conf_rules_drills;
extern const struct rules conf_rules_drill;

/* Gives the table of this file the name that setting.c knows. */
#define RULES(name, table)                                                                   \
    _Static_assert(sizeof(table) / sizeof(table)[0] <= RULES_MAX, "RULES_MAX is too small"); \
    const struct rules name = { table, sizeof(table) / sizeof(table)[0] }

#define YEARS(n) ((uint64_t)(n)*365 * 86400)

extern const char *const conf_ionice_words[];

/* What a run may take: of the daemon for all, of a job or task for its own runs. */
#define LIMIT_RULES(base, nice_default, ionice_default, memory_default, files_default, stall_default)        \
    { { .name = "nice",                                                                                      \
        .type = CONF_INTEGER,                                                                                \
        .flags = CONF_RELOADABLE,                                                                            \
        .fallback = nice_default,                                                                            \
        .max = 19,                                                                                           \
        .help = "How far a run stands back for other programs on the processor." },                          \
      (base) + offsetof(struct conf_limits, nice) },                                                         \
        { { .name = "ionice",                                                                                \
            .type = CONF_CHOICE,                                                                             \
            .flags = CONF_RELOADABLE,                                                                        \
            .fallback = ionice_default,                                                                      \
            .choices = conf_ionice_words,                                                                    \
            .help = "Class of a run's disk accesses: idle lets everybody else go first, where the kernel's " \
                    "scheduler for the disk knows classes." },                                               \
          (base) + offsetof(struct conf_limits, ionice) },                                                   \
        { { .name = "memory",                                                                                \
            .type = CONF_SIZE,                                                                               \
            .flags = CONF_RELOADABLE,                                                                        \
            .fallback = memory_default,                                                                      \
            .min = (uint64_t)64 << 20,                                                                       \
            .max = (uint64_t)1 << 44,                                                                        \
            .help =                                                                                          \
                "Memory that each process of a run may have (RLIMIT_DATA). A run that needs more fails." },  \
          (base) + offsetof(struct conf_limits, memory) },                                                   \
        { { .name = "open_files",                                                                            \
            .type = CONF_INTEGER,                                                                            \
            .flags = CONF_RELOADABLE,                                                                        \
            .fallback = files_default,                                                                       \
            .min = 64,                                                                                       \
            .max = 1 << 20,                                                                                  \
            .help = "Files that each process of a run may have open (RLIMIT_NOFILE)." },                     \
          (base) + offsetof(struct conf_limits, open_files) },                                               \
    {                                                                                                        \
        { .name = "stall",                                                                                   \
          .type = CONF_DURATION,                                                                             \
          .flags = CONF_RELOADABLE,                                                                          \
          .fallback = stall_default,                                                                         \
          .max = YEARS(1),                                                                                   \
          .help = "A run in which nothing has moved for so long (bytes, processor, disk) is stopped, and "   \
                  "tried again like after a failure that can pass. 0s: never." },                            \
            (base) + offsetof(struct conf_limits, stall_ms)                                                  \
    }
#define OWN_LIMIT_RULES(base)                                                                 \
    LIMIT_RULES(base, "(the daemon's)", "(the daemon's)", "(the daemon's)", "(the daemon's)", \
                "(the daemon's)")

#define SCHEDULE_RULES                                                                                                               \
    { { .name = "schedule",                                                                                                          \
        .type = CONF_STRING,                                                                                                         \
        .flags = CONF_RELOADABLE,                                                                                                    \
        .fallback = "(only by hand)",                                                                                                \
        .help =                                                                                                                      \
            "When `backupd daemon` runs the job: cron's five fields (30 2 * * *), a word (daily, hourly), systemd's form "           \
            "(mon..fri 02:30) or an interval (every 6h)." },                                                                         \
      offsetof(struct conf_job, schedule.when) },                                                                                    \
        { { .name = "window",                                                                                                        \
            .type = CONF_DURATION,                                                                                                   \
            .flags = CONF_RELOADABLE,                                                                                                \
            .fallback = "0s",                                                                                                        \
            .max = YEARS(1),                                                                                                         \
            .help =                                                                                                                  \
                "A run starts within this time from when it is due, or is skipped, and is stopped when it is over. 0s: no limit." }, \
          offsetof(struct conf_job, schedule.window_ms) },                                                                           \
        { { .name = "max_duration",                                                                                                  \
            .type = CONF_DURATION,                                                                                                   \
            .flags = CONF_RELOADABLE,                                                                                                \
            .fallback = "0s",                                                                                                        \
            .max = YEARS(1),                                                                                                         \
            .help = "A run that takes longer is stopped. 0s: no limit." },                                                           \
          offsetof(struct conf_job, schedule.max_duration_ms) },                                                                     \
        { { .name = "catch_up_within",                                                                                               \
            .type = CONF_DURATION,                                                                                                   \
            .flags = CONF_RELOADABLE,                                                                                                \
            .fallback = "1d",                                                                                                        \
            .max = YEARS(1),                                                                                                         \
            .help =                                                                                                                  \
                "A run that was missed, because the machine was off or the run before it took too long, is made up for "             \
                "when it is not older than this; of several only the newest." },                                                     \
          offsetof(struct conf_job, schedule.catch_up_ms) },                                                                         \
        { { .name = "jitter",                                                                                                        \
            .type = CONF_DURATION,                                                                                                   \
            .flags = CONF_RELOADABLE,                                                                                                \
            .fallback = "0s",                                                                                                        \
            .max = 86400,                                                                                                            \
            .help =                                                                                                                  \
                "Start up to this long after the time that is due, always the same for this host and job, so that many hosts "       \
                "do not start at once." },                                                                                           \
          offsetof(struct conf_job, schedule.jitter_ms) },                                                                           \
    {                                                                                                                                \
        {                                                                                                                            \
            .name = "depends_on",                                                                                                    \
            .type = CONF_NAMES,                                                                                                      \
            .flags = CONF_RELOADABLE,                                                                                                \
            .help =                                                                                                                  \
                "Jobs that must have succeeded before: it waits for them, and is skipped when one of them failed."                   \
        },                                                                                                                           \
            offsetof(struct conf_job, schedule.depends_on)                                                                           \
    }

#endif
