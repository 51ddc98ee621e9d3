#include "common/conf/rules.h"

#include "common/base/banned.h"

#define R(member) offsetof(struct conf_repository, member)
static const struct rule repository[] = {
    { { .name = "storage",
        .type = CONF_MAPPING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .help = "The place the repository is kept at." },
      R(storage) },
    { { .name = "keys",
        .type = CONF_PATH,
        .flags = CONF_RELOADABLE,
        .fallback = "(keys/NAME beside the configuration)",
        .help = "Directory with this host's key files for the repository." },
      R(keys) },
    { { .name = "kit",
        .type = CONF_PATH,
        .flags = CONF_RELOADABLE,
        .help = "Restore kit file. Only on a restore station: a host that backs up must not have it." },
      R(kit) },
    { { .name = "kit_passphrase",
        .type = CONF_SECRET,
        .flags = CONF_RELOADABLE,
        .fallback = "(asked on the terminal)",
        .help = "Passphrase of the restore kit." },
      R(kit_passphrase) },
    { { .name = "keep",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help =
            "What stays when `backupd expire` runs, for jobs that have no rules of their own. Without any "
            "rules everything stays." },
      R(keep) },
    { { .name = "keep_jobs",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help = "Rules for single jobs: the name of a job (the label of its snapshots), and below it what "
                "could stand in keep. For a retention host, which has no jobs itself." },
      R(keep_jobs) },
    { { .name = "time_zone",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .fallback = "UTC",
        .help = "The zone whose days, weeks, months and years the rules count, like Europe/Berlin." },
      R(time_zone) },
    { { .name = "delete_after",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "7d",
        .max = YEARS(10),
        .help = "How long an expired snapshot can still be revived before its data is deleted." },
      R(delete_after_ms) },
    { { .name = "silent_after",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "30d",
        .max = YEARS(10),
        .help =
            "A writer that has published nothing for so long no longer holds up deletions. A run of it that "
            "began before has to be made again. 0s: it holds them up for ever." },
      R(silent_after_ms) },
};

RULES(conf_rules_repository, repository);
