#include "common/conf/rules.h"

#include "common/base/banned.h"

static const char *const task_kinds[] = { "expire", "verify", "drill", NULL }; /* enum conf_task - 1 */
static const char *const task_levels[] = { "auto", "L1", "L3", NULL };         /* enum conf_task_level */

#define J(member) offsetof(struct conf_job, member)
static const struct rule task[] = {
    { { .name = "do",
        .type = CONF_CHOICE,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .choices = task_kinds,
        .help =
            "expire: let go what the keep rules no longer keep (`backupd expire`). verify: read a part of the packs each time, "
            "until everything was read within `every` (`restore verify`). drill: restore on trial (`restore drill run`)." },
      J(task_choice) },
    { { .name = "repository",
        .type = CONF_REFERENCE,
        .flags = CONF_RELOADABLE,
        .fallback = "(the only one)",
        .help = "Name of the repository. May be left out when there is only one." },
      J(repository) },
    SCHEDULE_RULES,
    { { .name = "every",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "30d",
        .min = 3600,
        .max = YEARS(10),
        .help = "verify: every pack is read at least once in this time; what was broken is read each time." },
      J(every_ms) },
    { { .name = "level",
        .type = CONF_CHOICE,
        .flags = CONF_RELOADABLE,
        .fallback = "auto",
        .choices = task_levels,
        .help =
            "verify: L1 compares every byte with what its writer signed and needs root.pub only, L3 opens everything and needs the "
            "kit. auto: L3 where a kit is configured, else L1." },
      J(level) },
    { { .name = "selector",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .help = "drill: the snapshot, as `restore drill run` takes it." },
      J(selector) },
    { { .name = "kit",
        .type = CONF_PATH,
        .flags = CONF_RELOADABLE,
        .fallback = "(the repository's)",
        .help = "verify, drill: the restore kit." },
      J(kit) },
    { { .name = "arguments",
        .type = CONF_TEXTS,
        .flags = CONF_RELOADABLE,
        .help = "More arguments for the program: a list." },
      J(arguments) },
    OWN_LIMIT_RULES(J(limits)),
};

RULES(conf_rules_task, task);
