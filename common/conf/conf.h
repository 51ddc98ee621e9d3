/*
 * conf.h - the configuration: read once, checked whole, then constant.
 *
 *     struct conf_problems problems = CONF_PROBLEMS_INIT;
 *     struct conf *conf = conf_load(CONF_DEFAULT_PATH, &hooks, &problems, &err);
 *     if (conf == NULL)
 *         conf_problems_format(&problems, &text, NULL);   // print text, then err
 *     ...
 *     conf_free(conf);
 *     conf_problems_free(&problems);
 *
 * The file is YAML; `<its directory>/conf.d/?*.yaml` is merged into it in the
 * order of the names. A name (or `state`) given twice is a problem that names
 * both places. One table (setting.h) declares every setting; a value's type
 * comes from the table, never from how the value looks. A relative file name is
 * relative to the directory of the main file, also in a drop-in. Refused:
 * duplicate keys, anchors, aliases, tags, merge keys, several documents, NUL
 * bytes, anything but UTF-8, and more than the limits below.
 *
 * All problems are found in one run, each with file, line and column, sorted.
 *
 * Secrets are never in the file: only references ({file: PATH}, {credential:
 * NAME}, {command: [ARG, ...]}). This module parses them; who resolves them
 * checks permissions and reads.
 *
 * A daemon keeps what it has accepted: `hooks.packed` gets the files that were read as one, and conf_load() reads that one
 * as it read them, with their names and places.
 *
 * Ownership: every string belongs to struct conf and lives until conf_free.
 */
#ifndef COMMON_CONF_CONF_H
#define COMMON_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"

#define CONF_DEFAULT_PATH "/etc/backupd/backupd.yaml"

enum {
    CONF_FILE_MAX = 1024 * 1024,                                     /* bytes of one file */
    CONF_FILES_MAX = 256,                                            /* drop-in files */
    CONF_PACKED_MAX = (CONF_FILES_MAX + 1) * (CONF_FILE_MAX + 8192), /* bytes of all, packed */
    CONF_DEPTH_MAX = 8,                                              /* nested mappings and lists */
    CONF_ENTRIES_MAX = 4096,                                         /* entries of one mapping or list */
    CONF_PROBLEMS_MAX = 100,                                         /* problems kept; the rest is counted */
    CONF_NAME_MAX = 64,     /* bytes of a repository's or job's name: [a-z0-9._-] */
    CONF_CHANNELS_MAX = 16, /* of notify */
};

struct conf_place {
    const char *file;
    unsigned line;   /* from 1; 0: the file as a whole */
    unsigned column; /* from 1 */
};

enum conf_secret_kind { CONF_SECRET_NONE = 0, CONF_SECRET_FILE, CONF_SECRET_CREDENTIAL, CONF_SECRET_COMMAND };

struct conf_secret {
    enum conf_secret_kind kind;
    const char *text;        /* FILE: absolute path; CREDENTIAL: a name in $CREDENTIALS_DIRECTORY */
    const char *const *argv; /* COMMAND: NULL-terminated, run without a shell; its output is the secret */
    size_t argc;
};

/* A program and its arguments, run without a shell; argv is NULL-terminated and NULL when not given. */
struct conf_command {
    const char *const *argv;
    size_t argc;
};

/* Names ([a-z0-9._-]), NULL-terminated; NULL when not given. */
struct conf_names {
    const char *const *names;
    size_t n;
};

/* What stays: counts of 0 and times of 0 are rules that there are not. See common/repo/policy.h. */
struct conf_keep {
    bool given;
    unsigned last, hourly, daily, weekly, monthly, yearly;
    uint64_t within_ms;
    struct conf_names tags;
    unsigned min;
    uint64_t erase_after_ms;
    unsigned max_share; /* percent */
    unsigned max_new;   /* 0: by the rules */
    unsigned proven;    /* 0: one, where the certificates of drills are read at all */
    struct conf_place place;
};
struct conf_keep_job {
    const char *job;
    struct conf_keep keep;
};

/* When a job runs by itself. All times in milliseconds. */
struct conf_schedule {
    const char *when; /* a calendar expression (common/base/calendar.h), checked; NULL: only by hand */
    uint64_t window_ms;
    uint64_t max_duration_ms;
    uint64_t catch_up_ms;
    uint64_t jitter_ms;
    struct conf_names depends_on;
    struct conf_place place;
    struct conf_place when_at; /* where `when` stands */
};

enum conf_ionice { CONF_IONICE_NONE = 0, CONF_IONICE_BEST_EFFORT, CONF_IONICE_IDLE };

/* What a run of the daemon may take. In a job all are set: its own, else the daemon's. */
struct conf_limits {
    unsigned nice;
    unsigned ionice;     /* enum conf_ionice */
    uint64_t memory;     /* bytes of data of each process; 0: no limit */
    unsigned open_files; /* of each process; 0: as the daemon has */
    uint64_t stall_ms;   /* 0: it is never stopped for that */
    unsigned given;      /* private */
};

/* Settings of `backupd daemon`. */
struct conf_daemon {
    const char *time_zone; /* checked; NULL: the system's */
    unsigned concurrency;
    unsigned per_server;
    uint64_t stop_timeout_ms;
    uint64_t keep_history_ms;
    const char *textfile;      /* absolute, or NULL */
    const char *socket;        /* absolute, or NULL: in the state directory */
    const char *read_group;    /* names or numbers of groups, or NULL */
    const char *control_group; /* the same */
    struct conf_limits limits;
    struct conf_place place; /* file NULL: not given */
};

/* Where the status page is served: loopback or a socket, nothing else is accepted. */
enum conf_listen_kind { CONF_LISTEN_NONE = 0, CONF_LISTEN_IP4, CONF_LISTEN_IP6, CONF_LISTEN_UNIX };

struct conf_web {
    const char *listen; /* as it was written; NULL: off */
    enum conf_listen_kind kind;
    const char *address; /* IP4, IP6: of this host's loopback; UNIX: absolute path */
    unsigned port;
    struct conf_place place; /* file NULL: not given */
};

/* Who hears of what: `notify.NAME`. All times in milliseconds. */
enum conf_channel_type { CONF_WEBHOOK = 0, CONF_PING = 1, CONF_MAIL = 2, CONF_PROGRAM = 3 };
enum conf_mail_tls { CONF_TLS_STARTTLS = 0, CONF_TLS_IMPLICIT = 1, CONF_TLS_NONE = 2 };

/* What a channel is told of, as bits. */
enum conf_notice {
    CONF_ON_FAILURE = 1,     /* a run failed and is not tried again by itself */
    CONF_ON_WARNING = 2,     /* published, but something is missing */
    CONF_ON_RECOVERY = 4,    /* the first good run after one of these or a missed one */
    CONF_ON_MISSED = 8,      /* a due time passed without a run */
    CONF_ON_ANOMALY = 16,    /* a run saw what is not usual */
    CONF_ON_ALARM = 32,      /* the daemon itself */
    CONF_ON_ALWAYS = 64,     /* every end of a run */
    CONF_ON_CANCELLED = 128, /* a person stopped a run; CONF_ON_FAILURE is told, too */
};

struct conf_channel {
    const char *name;
    enum conf_channel_type type;
    struct conf_names on_words; /* as given */
    unsigned on;                /* enum conf_notice; of a ping: 0 */
    struct conf_names jobs;     /* n 0: all */
    uint64_t repeat_after_ms;
    uint64_t give_up_after_ms;
    uint64_t timeout_ms;
    /* webhook, ping: one of the two; mail: host */
    const char *url;
    struct conf_secret url_secret;
    struct conf_secret secret; /* webhook: of the signature; kind NONE: unsigned */
    const char *ca_file;       /* absolute, or NULL: the system's */
    const char *host;
    unsigned port; /* 0: the usual one for tls */
    enum conf_mail_tls tls;
    const char *user; /* NULL: no login */
    struct conf_secret password;
    const char *from;
    struct conf_names to;
    struct conf_command command;
    struct conf_place place; /* of the name */
};

/* What is told of runs that are not like those before (backupd/anomaly/anomaly.h). */
struct conf_anomalies {
    bool given;
    bool watch; /* `anomalies: off` */
    unsigned min_runs;
    uint64_t min_age_ms;
    unsigned shrinks_to;  /* percent of what is usual */
    unsigned grows_to;    /* the same */
    unsigned slower_than; /* the same */
    unsigned churn_by;    /* percentage points */
    unsigned entropy_by;  /* the same */
    unsigned min_rows;    /* changes of less are none */
    uint64_t min_size;
    unsigned min_free; /* percent of the storage; 0: do not look */
    uint64_t full_within_ms;
    bool tell_schema; /* not only noted */
    struct conf_names ignore;
    struct conf_place place;
};

enum conf_storage_type { CONF_STORAGE_LOCAL = 0, CONF_STORAGE_SFTP = 1 };

struct conf_storage {
    enum conf_storage_type type;
    const char *path; /* local: absolute; sftp: relative to the account's home unless it starts with '/' */
    /* sftp only, as in struct sftp_options */
    const char *host;
    unsigned port;
    const char *user;
    const char *key; /* absolute file name, or NULL */
    bool agent;      /* true when asked for */
    struct conf_secret passphrase;
    const char *host_key;
    const char *known_hosts; /* absolute, or NULL */
    uint64_t stall_ms;
    uint64_t deadline_ms;
    unsigned connections; /* parallel uploads; also for local */
};

struct conf_repository {
    const char *name;
    struct conf_storage storage;
    const char *keys; /* directory with this host's key files, absolute; never NULL */
    const char *kit;  /* restore kit, absolute, or NULL */
    struct conf_secret kit_passphrase;
    /* of the host that expires */
    struct conf_keep keep;
    const struct conf_keep_job *keep_jobs;
    size_t nkeep_jobs;
    const char *time_zone;
    uint64_t delete_after_ms;
    uint64_t silent_after_ms; /* 0: never */
    struct conf_place place;  /* of the name */
};

/* One value of one engine option; a list is several with the same key, in order. */
struct conf_option {
    const char *key;
    const char *value; /* NULL: between two lists of a list of lists */
    struct conf_place place;
};

/* What the daemon does besides backups. */
enum conf_task { CONF_TASK_NONE = 0, CONF_TASK_EXPIRE, CONF_TASK_VERIFY, CONF_TASK_DRILL };
/* "expire", ... */
const char *conf_task_name(enum conf_task task);

enum conf_task_level { CONF_LEVEL_AUTO = 0, CONF_LEVEL_L1, CONF_LEVEL_L3 };

struct conf_job {
    const char *name;
    const char *repository; /* a name of struct conf's repositories, also when it was left out */
    const char *engine;     /* NULL: a task */
    enum conf_task task;
    /* of tasks */
    unsigned task_choice;        /* private: as it is read */
    const char *selector;        /* drill: the snapshot, or NULL */
    const char *kit;             /* verify, drill: absolute, or NULL */
    unsigned level;              /* verify: enum conf_task_level */
    uint64_t every_ms;           /* verify: everything is looked at within this time */
    struct conf_names arguments; /* more of them for the program */
    /* of backups */
    unsigned compression; /* zstd level */
    bool dedup;
    unsigned retries; /* of a run that ended for a passing reason */
    uint64_t retry_pause_ms;
    struct conf_command before; /* hooks of a run */
    struct conf_command after;
    struct conf_command on_failure;
    uint64_t hook_timeout_ms;
    struct conf_names tags; /* of its snapshots */
    struct conf_keep keep;
    struct conf_schedule schedule;
    struct conf_limits limits;
    struct conf_anomalies anomalies;
    const struct conf_option *options;
    size_t noptions;
    struct conf_place place;
    struct conf_place repository_place; /* private */
};

/* What has to be true in a restored database. */
enum conf_assert_kind {
    CONF_ASSERT_VALUE, /* the first field of the first row is text */
    CONF_ASSERT_RANGE, /* ... a number from min to max */
    CONF_ASSERT_REGEX, /* ... matches text (POSIX extended) */
    CONF_ASSERT_ROWS,  /* from min to max rows */
    CONF_ASSERT_FRESH, /* ... a time not more than within_ms before the snapshot */
    CONF_ASSERT_RATIO, /* ... a number, from min to max times what the drill before found */
};
struct conf_assert {
    enum conf_assert_kind kind;
    const char *name; /* or NULL */
    const char *sql;
    const char *text;
    double min, max; /* may be infinite */
    uint64_t within_ms;
};

/* What happens to the columns that a pattern names, before anybody can see them. */
enum conf_mask_rule { CONF_MASK_NULL, CONF_MASK_CONSTANT, CONF_MASK_HASH };
struct conf_mask {
    const char *column; /* a pattern (base/glob.h) of SCHEMA.TABLE.COLUMN or TABLE.COLUMN */
    enum conf_mask_rule rule;
    const char *constant; /* CONF_MASK_CONSTANT */
};

struct conf_drill {
    const char *name;
    const char *job;      /* label of the snapshots */
    const char *snapshot; /* which of the job's: "latest" */
    const char *database; /* or NULL */
    const char *const *tables;
    size_t ntables;     /* 0: everything */
    uint64_t sample_ms; /* every table within this time; 0: all of them each time */
    uint64_t every_ms, rto_ms, timeout_ms, max_age_ms; /* 0: not given */
    const char *scratch;                               /* or NULL */
    bool foreign_keys;                                 /* SQLite: foreign_key_check */
    bool sequences;                                    /* PostgreSQL: none is behind its column */
    bool gentle;
    struct conf_limits limits; /* nice, ionice and memory */
    const struct conf_assert *asserts;
    size_t nasserts;
    const struct conf_mask *masks; /* the first that fits a column counts */
    size_t nmasks;
    struct conf_place place;
};

struct conf {
    const char *file; /* absolute */
    const char *dir;  /* its directory */
    bool packed;      /* it was not read from there, but from what hooks.packed has got */
    const char *state;
    struct conf_daemon daemon;
    struct conf_web web;
    struct conf_anomalies anomalies; /* of jobs that have none of their own; complete in any case */
    bool has_evidence;               /* drills.evidence is given */
    struct conf_storage evidence;
    struct conf_place evidence_place;
    const struct conf_repository *repositories; /* in the order of the files */
    size_t nrepositories;
    /* The backups, and behind them what else the daemon does: jobs[njobs] to jobs[njobs + ntasks - 1]. Their names are all
     * different. */
    const struct conf_job *jobs;
    size_t njobs;
    size_t ntasks;
    const struct conf_channel *channels;
    size_t nchannels;
    const struct conf_drill *drills;
    size_t ndrills;
    struct vec owned; /* private: every block above */
};

/* What the caller knows and this room must not: the engines. Every member may be NULL. */
struct conf_hooks {
    /* The options of an engine as NULL-terminated lists (allowed includes required; NULL allows every key),
     * or E_USAGE with a text ("no engine 'sqlit': ..."). */
    int (*engine_options)(void *arg, const char *engine, const char *const **allowed,
                          const char *const **required, struct error *err);
    /* Judges one value: 0, or E_USAGE with a text. Called only for keys that are allowed. */
    int (*check_option)(void *arg, const char *engine, const char *key, const char *value, struct error *err);
    /* Whether the option may be a list of lists; NULL: none may. */
    bool (*may_nest)(void *arg, const char *engine, const char *key);
    void *arg;
    const char *const *engines; /* NULL-terminated names, for "did you mean" */
    bool need_jobs;             /* a configuration without jobs and tasks is a problem (backup host) */
    const char *make_one;       /* command that writes a first file; NULL: "backupd init" */
    struct buf
        *packed; /* gets what was read, when it is good: main file and drop-ins as one; NULL: nothing */
};

struct conf_problem {
    struct conf_place place;
    char *text;
};

struct conf_problems {
    struct vec list;  /* of struct conf_problem */
    size_t total;     /* found, also those over CONF_PROBLEMS_MAX */
    struct vec files; /* private: the names that places point to */
    char *state;      /* `state` and `daemon.socket` where they could be read in spite of all; else NULL */
    char *socket;
};

#define CONF_PROBLEMS_INIT                                                       \
    {                                                                            \
        .list = VEC_OF(struct conf_problem), .total = 0, .files = VEC_OF(char *) \
    }

/* Reads, merges and checks. NULL with E_USAGE ("3 problems in FILE") when `problems` has entries, E_NOT_FOUND
 * when there is no such file (the text says how to make one), or what reading failed with. `hooks` may be
 * NULL. `problems` must be fresh. */
struct conf *conf_load(const char *path, const struct conf_hooks *hooks, struct conf_problems *problems,
                       struct error *err);
void conf_free(struct conf *conf);

/* "FILE:LINE:COLUMN: text\n" for each problem, safe for a terminal, and a last line if some were left out. */
int conf_problems_format(const struct conf_problems *problems, struct buf *out, struct error *err);
void conf_problems_free(struct conf_problems *problems);

/* A name of a repository, job, task or tag: 1 to CONF_NAME_MAX of a-z 0-9 . _ -, a letter or digit first. */
bool conf_name_is_good(const char *text);

/* By name, or NULL with E_USAGE and "did you mean". A NULL name finds the only one there is. */
const struct conf_repository *conf_find_repository(const struct conf *conf, const char *name,
                                                   struct error *err);
/* By name, or NULL. */
const struct conf_drill *conf_find_drill(const struct conf *conf, const char *name);
/* "10..20", "10..", "..20"; what is left out is infinite. */
bool conf_range_parse(const char *text, double *min, double *max);
const struct conf_job *conf_find_job(const struct conf *conf, const char *name, struct error *err);

/* The same, among jobs and tasks. */
const struct conf_job *conf_find_scheduled(const struct conf *conf, const char *name, struct error *err);

/* The rules for the snapshots of a job: of keep_jobs, else of the job, else of the repository; NULL: none. */
const struct conf_keep *conf_keep_of(const struct conf *conf, const struct conf_repository *r,
                                     const char *label);

/* The word of a bit of enum conf_notice, as `on` has it. */
const char *conf_notice_name(enum conf_notice what);
bool conf_channel_has_job(const struct conf_channel *channel, const char *job);
/* Whether host is this machine by its spelling: localhost, 127.x.x.x, ::1. */
bool conf_host_is_loopback(const char *host);
/* The job's, else those of the configuration. */
const struct conf_anomalies *conf_anomalies_of(const struct conf *conf, const struct conf_job *job);

/* All values of a job's option: the i-th, or NULL after the last. */
const char *conf_job_option(const struct conf_job *job, const char *key, size_t i);

#endif
