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
    CONF_FILE_MAX = 1024 * 1024, /* bytes of one file */
    CONF_FILES_MAX = 256,        /* drop-in files */
    CONF_DEPTH_MAX = 8,          /* nested mappings and lists */
    CONF_ENTRIES_MAX = 4096,     /* entries of one mapping or list */
    CONF_PROBLEMS_MAX = 100,     /* problems kept; the rest is counted */
    CONF_NAME_MAX = 64,          /* bytes of a repository's or job's name: [a-z0-9._-] */
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
};

/* Settings of `backupd daemon`. */
struct conf_daemon {
    const char *time_zone; /* checked; NULL: the system's */
    unsigned concurrency;
    unsigned per_server;
    uint64_t stop_timeout_ms;
    uint64_t keep_history_ms;
    const char *textfile;    /* absolute, or NULL */
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

struct conf_job {
    const char *name;
    const char *repository; /* a name of struct conf's repositories, also when it was left out */
    const char *engine;
    unsigned compression; /* zstd level */
    bool dedup;
    unsigned retries; /* of a run that ended for a passing reason */
    uint64_t retry_pause_ms;
    struct conf_command before; /* hooks of a run */
    struct conf_command after;
    uint64_t hook_timeout_ms;
    struct conf_names tags; /* of its snapshots */
    struct conf_keep keep;
    struct conf_schedule schedule;
    const struct conf_option *options;
    size_t noptions;
    struct conf_place place;
    struct conf_place repository_place; /* private */
};

struct conf {
    const char *file; /* absolute */
    const char *dir;  /* its directory */
    const char *state;
    struct conf_daemon daemon;
    struct conf_web web;
    const struct conf_repository *repositories; /* in the order of the files */
    size_t nrepositories;
    const struct conf_job *jobs;
    size_t njobs;
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
    bool need_jobs;             /* a configuration without jobs is a problem (backup host) */
    const char *make_one;       /* command that writes a first file; NULL: "backupd init" */
};

struct conf_problem {
    struct conf_place place;
    char *text;
};

struct conf_problems {
    struct vec list;  /* of struct conf_problem */
    size_t total;     /* found, also those over CONF_PROBLEMS_MAX */
    struct vec files; /* private: the names that places point to */
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

/* A name of a repository, job or tag: 1 to CONF_NAME_MAX of a-z 0-9 . _ -, a letter or digit first. */
bool conf_name_is_good(const char *text);

/* By name, or NULL with E_USAGE and "did you mean". A NULL name finds the only one there is. */
const struct conf_repository *conf_find_repository(const struct conf *conf, const char *name,
                                                   struct error *err);
const struct conf_job *conf_find_job(const struct conf *conf, const char *name, struct error *err);

/* The rules for the snapshots of a job: of keep_jobs, else of the job, else of the repository; NULL: none. */
const struct conf_keep *conf_keep_of(const struct conf *conf, const struct conf_repository *r,
                                     const char *label);

/* All values of a job's option: the i-th, or NULL after the last. */
const char *conf_job_option(const struct conf_job *job, const char *key, size_t i);

#endif
