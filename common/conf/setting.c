#include "common/conf/setting.h"

#include <stddef.h>

#include "common/base/number.h"
#include "common/conf/conf.h"
#include "common/conf/rule.h"

#include "common/base/banned.h"

static const char *const ionice_classes[] = { "none", "best-effort", "idle", NULL }; /* enum conf_ionice */
static const char *const task_kinds[] = { "expire", "verify", "drill", NULL };       /* enum conf_task - 1 */
static const char *const task_levels[] = { "auto", "L1", "L3", NULL }; /* enum conf_task_level */
static const char *const channel_types[] = { "webhook", "ping", "mail", "command",
                                             NULL };                            /* enum conf_channel_type */
static const char *const mail_tls[] = { "starttls", "implicit", "none", NULL }; /* enum conf_mail_tls */
static const char *const storage_types[] = { "local", "sftp", NULL };           /* enum conf_storage_type */

#define YEARS(n) ((uint64_t)(n)*365 * 86400)

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
            .choices = ionice_classes,                                                                       \
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

#define D(member) offsetof(struct conf_daemon, member)
static const struct rule daemon[] = {
    { { .name = "time_zone",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .fallback = "(the system's)",
        .help = "The zone of all schedules, like Europe/Berlin." },
      D(time_zone) },
    { { .name = "concurrency",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "2",
        .min = 1,
        .max = 64,
        .help = "Runs at the same time on this host." },
      D(concurrency) },
    { { .name = "per_server",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "1",
        .min = 1,
        .max = 64,
        .help = "Runs at the same time that read from one database server." },
      D(per_server) },
    { { .name = "stop_timeout",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "2m",
        .min = 1,
        .max = 86400,
        .help =
            "How long a run that is to stop may take to end in order; then it is killed. What it stored is used by the "
            "next run." },
      D(stop_timeout_ms) },
    { { .name = "keep_history",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "400d",
        .min = 86400,
        .max = YEARS(100),
        .help = "How long the host remembers its runs." },
      D(keep_history_ms) },
    { { .name = "socket",
        .type = CONF_PATH,
        .fallback = "(control.sock in the state directory)",
        .help =
            "Where people ask the daemon (`backupd start`, `cancel`, `pause`, ...). The state directory is closed to others: "
            "with read_group or control_group name one that is not, like /run/backupd/control.sock." },
      D(socket) },
    { { .name = "read_group",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .help = "Members of this group may ask the daemon for status, history, show and schedule." },
      D(read_group) },
    { { .name = "control_group",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .help =
            "Members of this group may also start, cancel, pause and resume. Root and the daemon's user may always." },
      D(control_group) },
    LIMIT_RULES(offsetof(struct conf_daemon, limits), "0", "none", "(no limit)", "(as many as the daemon)",
                "30m"),
    { { .name = "textfile",
        .type = CONF_PATH,
        .flags = CONF_RELOADABLE,
        .help =
            "A file (*.prom) that gets the metrics after each event, for the textfile collector of Prometheus's "
            "node_exporter." },
      D(textfile) },
};

static const struct rule web[] = {
    { { .name = "listen",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .help =
            "Where page and metrics are served: an address of the loopback and a port (127.0.0.1:9187, [::1]:9187), or "
            "unix:PATH. Anything that other hosts could reach is refused." },
      offsetof(struct conf_web, listen) },
};

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

#define K(member) offsetof(struct conf_keep, member)
#define COUNT_RULE(rule, text)                                                                          \
    {                                                                                                   \
        { .name = #rule, .type = CONF_INTEGER, .flags = CONF_RELOADABLE, .max = 100000, .help = text }, \
            K(rule)                                                                                     \
    }
static const struct rule keep[] = {
    COUNT_RULE(last, "The newest ones, so many."),
    COUNT_RULE(hourly, "One for each of so many hours that have any; the earliest of the hour."),
    COUNT_RULE(daily, "One for each of so many days that have any; the earliest of the day."),
    COUNT_RULE(weekly, "One for each of so many weeks (from Monday) that have any; the earliest."),
    COUNT_RULE(monthly, "One for each of so many months that have any; the earliest."),
    COUNT_RULE(yearly, "One for each of so many years that have any; the earliest."),
    { { .name = "within",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .max = YEARS(100),
        .help = "Everything that is younger." },
      K(within_ms) },
    { { .name = "tags",
        .type = CONF_NAMES,
        .flags = CONF_RELOADABLE,
        .help = "Everything that has one of these tags." },
      K(tags) },
    { { .name = "min",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "3",
        .min = 1,
        .max = 100000,
        .help = "So many of the newest stay whatever the other rules say." },
      K(min) },
    { { .name = "erase_after",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .min = 3600,
        .max = YEARS(100),
        .help =
            "The age at which everything goes that is not held, whatever the rules keep: for privacy law. Only "
            "the newest stays, with an alarm, until its writer is retired." },
      K(erase_after_ms) },
    { { .name = "max_share",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "20",
        .min = 1,
        .max = 100,
        .help = "At most so many percent of a job's snapshots expire in one run, the oldest first; always at "
                "least one." },
      K(max_share) },
    { { .name = "max_new",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "(6, with an hourly rule 30)",
        .max = 100000,
        .help =
            "So many new snapshots of the job in a day are usual. More are kept, not counted by the rules, "
            "raise an alarm, and stop the rules for this run: somebody may have the writer's key." },
      K(max_new) },
    { { .name = "proven",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "(1, where drills.evidence is given)",
        .max = 100000,
        .help =
            "So many of the newest that passed a restore drill stay whatever the other rules say, but for erase_after. Needs "
            "drills.evidence on the host that expires." },
      K(proven) },
};

static const struct rule drills[] = {
    { { .name = "evidence",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help =
            "Where results, pages and signed certificates of drills are kept: the settings of a storage. Never inside a "
            "repository. Also on the retention host, for keep.proven." },
      offsetof(struct conf, evidence) },
};

#define S(member) offsetof(struct conf_storage, member)
#define SFTP (CONF_ONLY_SFTP | CONF_RELOADABLE)
static const struct rule storage[] = {
    { { .name = "type",
        .type = CONF_CHOICE,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .choices = storage_types,
        .help = "local: a directory of this machine. sftp: a directory of a server." },
      S(type) },
    { { .name = "path",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .help =
            "The directory. With local an absolute path; with sftp relative to the account's home unless it "
            "starts with '/'." },
      S(path) },
    { { .name = "host",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | SFTP,
        .help = "Name or address of the server." },
      S(host) },
    { { .name = "port",
        .type = CONF_INTEGER,
        .flags = SFTP,
        .fallback = "22",
        .min = 1,
        .max = 65535,
        .help = "TCP port of the server." },
      S(port) },
    { { .name = "user",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | SFTP,
        .help = "Account on the server." },
      S(user) },
    { { .name = "key",
        .type = CONF_PATH,
        .flags = SFTP,
        .help = "Private key file (ed25519 or ecdsa) that opens the account. Either this or agent." },
      S(key) },
    { { .name = "agent",
        .type = CONF_BOOL,
        .flags = SFTP,
        .fallback = "false",
        .help = "Use the keys of the running SSH agent instead of a key file." },
      S(agent) },
    { { .name = "passphrase",
        .type = CONF_SECRET,
        .flags = SFTP,
        .fallback = "(the key has none)",
        .help = "Passphrase of the private key." },
      S(passphrase) },
    { { .name = "host_key",
        .type = CONF_STRING,
        .flags = SFTP,
        .help = "The server's public key (\"ssh-ed25519 AAAA...\"). Any other key is refused." },
      S(host_key) },
    { { .name = "known_hosts",
        .type = CONF_PATH,
        .flags = SFTP,
        .fallback = "(~/.ssh/known_hosts, then /etc/ssh/ssh_known_hosts)",
        .help = "File in which the server's key is looked up when host_key is not given." },
      S(known_hosts) },
    { { .name = "stall",
        .type = CONF_DURATION,
        .flags = SFTP,
        .fallback = "30s",
        .min = 1,
        .max = 3600,
        .help = "Give up a call to the server that makes no progress for this long." },
      S(stall_ms) },
    { { .name = "deadline",
        .type = CONF_DURATION,
        .flags = SFTP,
        .fallback = "30m",
        .min = 1,
        .max = 86400,
        .help = "Give up a single call to the server that takes this long altogether." },
      S(deadline_ms) },
    { { .name = "connections",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "2",
        .min = 1,
        .max = 8,
        .help = "Files sent at the same time, each over a connection of its own." },
      S(connections) },
};

#define J(member) offsetof(struct conf_job, member)
/* When it runs by itself: of a job or a task. */
#define SCHEDULE_RULES                                                                                                               \
    { { .name = "schedule",                                                                                                          \
        .type = CONF_STRING,                                                                                                         \
        .flags = CONF_RELOADABLE,                                                                                                    \
        .fallback = "(only by hand)",                                                                                                \
        .help =                                                                                                                      \
            "When `backupd daemon` runs the job: cron's five fields (30 2 * * *), a word (daily, hourly), systemd's form "           \
            "(mon..fri 02:30) or an interval (every 6h)." },                                                                         \
      J(schedule.when) },                                                                                                            \
        { { .name = "window",                                                                                                        \
            .type = CONF_DURATION,                                                                                                   \
            .flags = CONF_RELOADABLE,                                                                                                \
            .fallback = "0s",                                                                                                        \
            .max = YEARS(1),                                                                                                         \
            .help =                                                                                                                  \
                "A run starts within this time from when it is due, or is skipped, and is stopped when it is over. 0s: no limit." }, \
          J(schedule.window_ms) },                                                                                                   \
        { { .name = "max_duration",                                                                                                  \
            .type = CONF_DURATION,                                                                                                   \
            .flags = CONF_RELOADABLE,                                                                                                \
            .fallback = "0s",                                                                                                        \
            .max = YEARS(1),                                                                                                         \
            .help = "A run that takes longer is stopped. 0s: no limit." },                                                           \
          J(schedule.max_duration_ms) },                                                                                             \
        { { .name = "catch_up_within",                                                                                               \
            .type = CONF_DURATION,                                                                                                   \
            .flags = CONF_RELOADABLE,                                                                                                \
            .fallback = "1d",                                                                                                        \
            .max = YEARS(1),                                                                                                         \
            .help =                                                                                                                  \
                "A run that was missed, because the machine was off or the run before it took too long, is made up for "             \
                "when it is not older than this; of several only the newest." },                                                     \
          J(schedule.catch_up_ms) },                                                                                                 \
        { { .name = "jitter",                                                                                                        \
            .type = CONF_DURATION,                                                                                                   \
            .flags = CONF_RELOADABLE,                                                                                                \
            .fallback = "0s",                                                                                                        \
            .max = 86400,                                                                                                            \
            .help =                                                                                                                  \
                "Start up to this long after the time that is due, always the same for this host and job, so that many hosts "       \
                "do not start at once." },                                                                                           \
          J(schedule.jitter_ms) },                                                                                                   \
    {                                                                                                                                \
        {                                                                                                                            \
            .name = "depends_on",                                                                                                    \
            .type = CONF_NAMES,                                                                                                      \
            .flags = CONF_RELOADABLE,                                                                                                \
            .help =                                                                                                                  \
                "Jobs that must have succeeded before: it waits for them, and is skipped when one of them failed."                   \
        },                                                                                                                           \
            J(schedule.depends_on)                                                                                                   \
    }

static const struct rule job[] = {
    { { .name = "repository",
        .type = CONF_REFERENCE,
        .flags = CONF_RELOADABLE,
        .fallback = "(the only one)",
        .help = "Name of the repository the backups go to. May be left out when there is only one." },
      J(repository) },
    { { .name = "engine",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .help = "What reads the source, for example sqlite. The engine's own options stand beside it." },
      J(engine) },
    { { .name = "compression",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "3",
        .min = 1,
        .max = 19,
        .help = "Zstandard level: higher is smaller and slower." },
      J(compression) },
    { { .name = "dedup",
        .type = CONF_BOOL,
        .flags = CONF_RELOADABLE,
        .fallback = "true",
        .help = "Store data that an earlier backup already has only once." },
      J(dedup) },
    { { .name = "retries",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "2",
        .max = 10,
        .help =
            "How often a run is repeated that ended for a passing reason: a connection that was lost, a table "
            "that stayed locked, a server that shut down." },
      J(retries) },
    { { .name = "retry_pause",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "5s",
        .max = 3600,
        .help = "Pause before the first repetition; each further one is four times as long, up to an hour." },
      J(retry_pause_ms) },
    { { .name = "before",
        .type = CONF_COMMAND,
        .flags = CONF_RELOADABLE,
        .help =
            "Program that runs before the source is looked at, for example to make a snapshot of its file "
            "system. When it fails, so does the run." },
      J(before) },
    { { .name = "after",
        .type = CONF_COMMAND,
        .flags = CONF_RELOADABLE,
        .help = "Program that runs at the end in any case, also when the run or \"before\" failed." },
      J(after) },
    { { .name = "on_failure",
        .type = CONF_COMMAND,
        .flags = CONF_RELOADABLE,
        .help = "Program that runs last when the run has failed, or \"before\" has." },
      J(on_failure) },
    { { .name = "hook_timeout",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "5m",
        .min = 1,
        .max = 86400,
        .help =
            "How long \"before\", \"after\" and \"on_failure\" may take, each; then they are killed and count as failed." },
      J(hook_timeout_ms) },
    { { .name = "tags",
        .type = CONF_NAMES,
        .flags = CONF_RELOADABLE,
        .help = "Tags of the job's snapshots, a name or a list of names. Who holds the view key sees them." },
      J(tags) },
    SCHEDULE_RULES,
    OWN_LIMIT_RULES(J(limits)),
    { { .name = "keep",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help = "What stays of the job's snapshots when `backupd expire` runs on this host." },
      J(keep) },
    { { .name = "anomalies",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help =
            "When a run of this job is found unlike those before it, instead of what the file says for all; or off." },
      0 },
};

#define A(member) offsetof(struct conf_anomalies, member)
static const struct rule anomalies[] = {
    { { .name = "min_runs",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "7",
        .min = 3,
        .max = 30,
        .help = "So many runs are learned from before anything is compared." },
      A(min_runs) },
    { { .name = "min_age",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "7d",
        .max = YEARS(1),
        .help =
            "And they reach so far back, so that a job that runs every hour knows the nights and the weekend." },
      A(min_age_ms) },
    { { .name = "shrinks_to",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "50",
        .min = 1,
        .max = 99,
        .help = "Rows or bytes below so many percent of what is usual are an alarm." },
      A(shrinks_to) },
    { { .name = "grows_to",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "300",
        .min = 101,
        .max = 100000,
        .help = "Rows or bytes above so many percent of what is usual are an alarm." },
      A(grows_to) },
    { { .name = "slower_than",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "300",
        .min = 101,
        .max = 100000,
        .help = "A run that takes so many percent of the usual time is told." },
      A(slower_than) },
    { { .name = "min_rows",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "500",
        .min = 1,
        .max = 1000000000,
        .help = "Row counts that differ by less are the same." },
      A(min_rows) },
    { { .name = "min_size",
        .type = CONF_SIZE,
        .flags = CONF_RELOADABLE,
        .fallback = "1MiB",
        .min = 4096,
        .max = (uint64_t)1 << 50,
        .help = "Sizes that differ by less are the same, and less new data is not judged." },
      A(min_size) },
    { { .name = "min_free",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE,
        .fallback = "5",
        .max = 99,
        .help =
            "Less free space on the storage, in percent of all, is told. 0: any is enough; how fast it falls is told as well." },
      A(min_free) },
    { { .name = "ignore",
        .type = CONF_NAMES,
        .flags = CONF_RELOADABLE,
        .help =
            "Kinds that are not looked for: rows, size, churn, entropy, vanished, schema, slow, space, packs, "
            "host_key." },
      A(ignore) },
};

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

#define N(member) offsetof(struct conf_channel, member)
static const struct rule notify[] = {
    { { .name = "type",
        .type = CONF_CHOICE,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .choices = channel_types,
        .help =
            "webhook: JSON to an address. ping: start, success and failure of each run to a service that misses them. "
            "mail: over SMTP. command: a program." },
      N(type) },
    { { .name = "on",
        .type = CONF_NAMES,
        .flags = CONF_RELOADABLE | CONF_ONLY_WEBHOOK | CONF_ONLY_MAIL | CONF_ONLY_PROGRAM,
        .fallback = "(failure, warning, recovery, missed, anomaly, alarm)",
        .help =
            "What is told: failure, warning, recovery, missed, anomaly, alarm, always (every end of a run)." },
      N(on_words) },
    { { .name = "jobs",
        .type = CONF_NAMES,
        .flags = CONF_RELOADABLE,
        .fallback = "(all)",
        .help = "Only of these jobs and tasks. What the daemon tells of itself (alarm) belongs to no job." },
      N(jobs) },
    { { .name = "repeat_after",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE | CONF_ONLY_WEBHOOK | CONF_ONLY_MAIL | CONF_ONLY_PROGRAM,
        .fallback = "24h",
        .max = YEARS(1),
        .help =
            "The same once more, for the same reason, is counted and not told again before this. 0s: told each time." },
      N(repeat_after_ms) },
    { { .name = "give_up_after",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "3d",
        .min = 60,
        .max = YEARS(1),
        .help = "A notice that could not be sent for so long is dropped, with an alarm in the log." },
      N(give_up_after_ms) },
    { { .name = "timeout",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .fallback = "30s",
        .min = 1,
        .max = 600,
        .help = "How long sending one notice may take." },
      N(timeout_ms) },
    { { .name = "url",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE | CONF_ONLY_WEBHOOK | CONF_ONLY_PING,
        .help =
            "Address, https:// or http://; redirects are not followed. Of a ping: {job} in it becomes the job's name, and "
            "/start and /fail are put behind its path." },
      N(url) },
    { { .name = "url_secret",
        .type = CONF_SECRET,
        .flags = CONF_RELOADABLE | CONF_ONLY_WEBHOOK | CONF_ONLY_PING,
        .help = "The address instead, when it is secret itself." },
      N(url_secret) },
    { { .name = "secret",
        .type = CONF_SECRET,
        .flags = CONF_RELOADABLE | CONF_ONLY_WEBHOOK,
        .help = "Key of the signature (HMAC-SHA-256) by which the receiver knows that it was this host." },
      N(secret) },
    { { .name = "host",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE | CONF_ONLY_MAIL,
        .help = "Name or address of the mail server." },
      N(host) },
    { { .name = "port",
        .type = CONF_INTEGER,
        .flags = CONF_RELOADABLE | CONF_ONLY_MAIL,
        .fallback = "(587; 465 with tls: implicit, 25 with tls: none)",
        .min = 1,
        .max = 65535,
        .help = "Its port." },
      N(port) },
    { { .name = "tls",
        .type = CONF_CHOICE,
        .flags = CONF_RELOADABLE | CONF_ONLY_MAIL,
        .fallback = "starttls",
        .choices = mail_tls,
        .help =
            "starttls and implicit refuse a server whose certificate is not good. none only for a server on this machine." },
      N(tls) },
    { { .name = "user",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE | CONF_ONLY_MAIL,
        .help = "Account of the mail server." },
      N(user) },
    { { .name = "password",
        .type = CONF_SECRET,
        .flags = CONF_RELOADABLE | CONF_ONLY_MAIL,
        .help = "Its password." },
      N(password) },
    { { .name = "from",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE | CONF_ONLY_MAIL,
        .help = "Address of the sender, like backup@example.net." },
      N(from) },
    { { .name = "to",
        .type = CONF_TEXTS,
        .flags = CONF_REQUIRED | CONF_RELOADABLE | CONF_ONLY_MAIL,
        .help = "Addresses of the receivers." },
      N(to) },
    { { .name = "ca_file",
        .type = CONF_PATH,
        .flags = CONF_RELOADABLE | CONF_ONLY_WEBHOOK | CONF_ONLY_PING | CONF_ONLY_MAIL,
        .fallback = "(the system's)",
        .help = "Certificates that are trusted instead of the system's." },
      N(ca_file) },
    { { .name = "command",
        .type = CONF_COMMAND,
        .flags = CONF_REQUIRED | CONF_RELOADABLE | CONF_ONLY_PROGRAM,
        .help = "Gets the notice as JSON on stdin; exit status 0 means told." },
      N(command) },
};

#define L(member) offsetof(struct conf_drill, member)
static const struct rule drill[] = {
    { { .name = "job",
        .type = CONF_STRING,
        .flags = CONF_REQUIRED | CONF_RELOADABLE,
        .help = "The job whose snapshot is restored." },
      L(job) },
    { { .name = "snapshot",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .fallback = "latest",
        .help = "Which of the job's: latest, latest~1, a number or a date." },
      L(snapshot) },
    { { .name = "database",
        .type = CONF_STRING,
        .flags = CONF_RELOADABLE,
        .help = "Which database of a snapshot that holds several." },
      L(database) },
    { { .name = "tables",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help = "A list of tables, as for `restore database --table`. Otherwise everything is restored." },
      0 },
    { { .name = "max_age",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .max = YEARS(10),
        .help = "How old the snapshot may be. A drill of an older one fails: there should be a newer one." },
      L(max_age_ms) },
    { { .name = "every",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .min = 60,
        .max = YEARS(10),
        .help = "How old the last drill that passed may be before `restore drill status` says so." },
      L(every_ms) },
    { { .name = "rto",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .max = YEARS(1),
        .help = "How long it may take until the data can be queried. A drill that takes longer fails." },
      L(rto_ms) },
    { { .name = "timeout",
        .type = CONF_DURATION,
        .flags = CONF_RELOADABLE,
        .max = YEARS(1),
        .help = "A drill that takes longer is stopped, and counts as one that could not run." },
      L(timeout_ms) },
    { { .name = "scratch",
        .type = CONF_PATH,
        .flags = CONF_RELOADABLE,
        .fallback = "($TMPDIR, else /var/tmp)",
        .help = "Where the throwaway directory is made; a short path on a disk with room for the database." },
      L(scratch) },
    { { .name = "foreign_keys",
        .type = CONF_BOOL,
        .flags = CONF_RELOADABLE,
        .fallback = "true",
        .help = "SQLite: whether rows that point to nothing (foreign_key_check) are a failure." },
      L(foreign_keys) },
    { { .name = "gentle",
        .type = CONF_BOOL,
        .flags = CONF_RELOADABLE,
        .fallback = "false",
        .help = "Leave processor and disks to others." },
      L(gentle) },
    { { .name = "assert",
        .type = CONF_MAPPING,
        .flags = CONF_RELOADABLE,
        .help = "A list of what has to be true in the restored database." },
      0 },
};

static const struct {
    const char *path;
    const struct rule *rules;
    size_t count;
} sections[CONF_SECTIONS] = {
    [CONF_AT_TOP] = { "", top, sizeof top / sizeof top[0] },
    [CONF_AT_REPOSITORY] = { "repositories.NAME", repository, sizeof repository / sizeof repository[0] },
    [CONF_AT_STORAGE] = { "repositories.NAME.storage", storage, sizeof storage / sizeof storage[0] },
    [CONF_AT_JOB] = { "jobs.NAME", job, sizeof job / sizeof job[0] },
    [CONF_AT_TASK] = { "tasks.NAME", task, sizeof task / sizeof task[0] },
    [CONF_AT_DAEMON] = { "daemon", daemon, sizeof daemon / sizeof daemon[0] },
    [CONF_AT_WEB] = { "web", web, sizeof web / sizeof web[0] },
    [CONF_AT_KEEP] = { "keep", keep, sizeof keep / sizeof keep[0] },
    [CONF_AT_NOTIFY] = { "notify.NAME", notify, sizeof notify / sizeof notify[0] },
    [CONF_AT_ANOMALIES] = { "anomalies", anomalies, sizeof anomalies / sizeof anomalies[0] },
    [CONF_AT_DRILLS] = { "drills", drills, sizeof drills / sizeof drills[0] },
    [CONF_AT_DRILL] = { "drills.NAME", drill, sizeof drill / sizeof drill[0] },
};

_Static_assert(sizeof storage / sizeof storage[0] <= RULES_MAX && sizeof job / sizeof job[0] <= RULES_MAX,
               "RULES_MAX is too small");

const struct rule *conf_rules_of(enum conf_section section, size_t *count)
{
    *count = sections[section].count;
    return sections[section].rules;
}

const char *conf_section_path(enum conf_section section)
{
    return sections[section].path;
}

int conf_describe(int (*fn)(const struct conf_setting *setting, void *arg), void *arg)
{
    int rc = 0;
    for (unsigned s = 0; s < CONF_SECTIONS && rc >= 0; s++) {
        for (size_t i = 0; i < sections[s].count && rc >= 0; i++) {
            struct conf_setting setting = sections[s].rules[i].setting;
            setting.section = (enum conf_section)s;
            rc = fn(&setting, arg);
        }
    }
    return rc < 0 ? rc : 0;
}

static int bounds_format(const struct conf_setting *setting, struct buf *out, struct error *err)
{
    unsigned long long min = setting->min;
    unsigned long long max = setting->max;
    char low[NUMBER_TEXT_MAX];
    char high[NUMBER_TEXT_MAX];
    if (setting->type == CONF_SIZE)
        return buf_printf(out, err, "size, %s to %s", size_format(low, min), size_format(high, max));
    if (setting->type == CONF_INTEGER)
        return buf_printf(out, err, "whole number, %llu to %llu", min, max);
    if (max % YEARS(1) == 0)
        return buf_printf(out, err, "duration, %llu%c to %lluy", min % 3600 == 0 ? min / 3600 : min,
                          min % 3600 == 0 && min != 0 ? 'h' : 's', max / YEARS(1));
    unsigned long long unit = max % 3600 == 0 ? 3600 : max % 60 == 0 ? 60 : 1;
    return buf_printf(out, err, "duration, %llus to %llu%c", min, max / unit,
                      unit == 3600 ? 'h'
                      : unit == 60 ? 'm'
                                   : 's');
}

int conf_type_format(const struct conf_setting *setting, struct buf *out, struct error *err)
{
    static const char *const names[] = {
        [CONF_STRING] = "text",
        [CONF_PATH] = "file name",
        [CONF_BOOL] = "true or false",
        [CONF_INTEGER] = "number",
        [CONF_SIZE] = "size",
        [CONF_DURATION] = "duration",
        [CONF_COMMAND] = "program and arguments, a list",
        [CONF_SECRET] = "secret",
        [CONF_REFERENCE] = "repository",
        [CONF_NAMES] = "name or list of names",
        [CONF_TEXTS] = "text or list of texts",
        [CONF_MAPPING] = "section",
        [CONF_CHOICE] = "",
    };
    if (setting->max != 0)
        return bounds_format(setting, out, err);
    int rc = buf_printf(out, err, "%s", names[setting->type]);
    for (size_t i = 0; setting->type == CONF_CHOICE && setting->choices[i] != NULL && rc == 0; i++)
        rc = buf_printf(out, err, "%s%s", i == 0 ? "" : " or ", setting->choices[i]);
    return rc;
}
