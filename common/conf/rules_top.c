#include "common/conf/rules.h"

#include "common/base/banned.h"

static const struct rule top[] = {
    { { .name = "state",
        .type = CONF_PATH,
        .fallback = "/var/lib/backupd",
        .help = "Directory for marks, journals, caches and locks. It can be lost without losing a backup." },
      offsetof(struct conf, state) },
    { { .name = "repositories",
        .type = CONF_MAPPING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .help = "Where backups go: a name ([a-z0-9._-], up to 64) for each repository." },
      0 },
    { { .name = "jobs",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help = "What is backed up: a name ([a-z0-9._-], up to 64) for each job. "
                "Not needed on a restore station." },
      0 },
    { { .name = "tasks",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help =
            "What `backupd daemon` does besides backups (expire, verify, drill): a name for each task. A host "
            "that only has tasks needs no jobs and no writer's keys." },
      0 },
    { { .name = "daemon",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help = "How `backupd daemon` runs the jobs that have a schedule." },
      0 },
    { { .name = "notify",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help = "Who hears from the daemon, and of what: a name ([a-z0-9._-], up to 64) for each channel." },
      0 },
    { { .name = "web",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help = "The daemon's status page and metrics for this host. Off unless it is given." },
      0 },
    { { .name = "anomalies",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help =
            "When a run is found unlike those before it: for jobs that do not say it themselves; or off." },
      0 },
    { { .name = "drills",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help =
            "What `restore drill run` restores for a look at it, a name for each drill; and where the evidence is kept." },
      0 },
};

RULES(conf_rules_top, top);
