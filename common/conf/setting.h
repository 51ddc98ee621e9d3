/*
 * setting.h - the table of all settings.
 *
 * The reader, docs/configuration.md and the page backupd.yaml(5) follow it:
 *
 *     conf_describe(print_setting, &state);
 *
 * The engines' own options are not in it: each engine has its list.
 */
#ifndef COMMON_CONF_SETTING_H
#define COMMON_CONF_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

enum conf_type {
    CONF_STRING,
    CONF_PATH, /* made absolute */
    CONF_BOOL, /* true, false, yes, no, on, off */
    CONF_INTEGER,
    CONF_SIZE,     /* bytes; "512K", "16MiB" */
    CONF_DURATION, /* kept in milliseconds; bounds in seconds; "30s", "1h30m" */
    CONF_CHOICE,
    CONF_COMMAND,   /* a program and its arguments, run without a shell: a list of texts */
    CONF_SECRET,    /* a reference to a secret */
    CONF_REFERENCE, /* the name of a repository */
    CONF_NAMES,     /* a name, or a list of names */
    CONF_TEXTS,     /* a text, or a list of texts */
    CONF_MAPPING,   /* a section below */
};

enum conf_section {
    CONF_AT_TOP,
    CONF_AT_REPOSITORY, /* repositories.NAME */
    CONF_AT_STORAGE,    /* repositories.NAME.storage */
    CONF_AT_JOB,        /* jobs.NAME */
    CONF_AT_TASK,       /* tasks.NAME */
    CONF_AT_DAEMON,     /* daemon */
    CONF_AT_WEB,        /* web */
    CONF_AT_KEEP,       /* keep of a repository or a job */
    CONF_AT_NOTIFY,     /* notify.NAME */
    CONF_AT_ANOMALIES,  /* anomalies of the file or a job */
    CONF_AT_DRILLS,     /* drills */
    CONF_AT_DRILL,      /* drills.NAME */
    CONF_SECTIONS
};

enum conf_setting_flag {
    CONF_REQUIRED = 1,
    CONF_RELOADABLE = 2, /* a running daemon takes it over at the next run */
    CONF_ONLY_SFTP = 4,
    CONF_ONLY_LOCAL = 8,
    /* Of a channel: only with these types. */
    CONF_ONLY_WEBHOOK = 1 << 8,
    CONF_ONLY_PING = 1 << 9,
    CONF_ONLY_MAIL = 1 << 10,
    CONF_ONLY_PROGRAM = 1 << 11,
};

struct conf_setting {
    enum conf_section section;
    const char *name;
    enum conf_type type;
    unsigned flags;
    const char *fallback; /* default as it would be written; NULL: none. In words when it starts with '(' */
    uint64_t min, max;    /* INTEGER, SIZE, DURATION; max 0: no bounds */
    const char *const *choices; /* CHOICE: NULL-terminated */
    const char *help;           /* one or two plain sentences */
};

/* In the order in which they should be documented; stops at a negative return, which it returns. */
int conf_describe(int (*fn)(const struct conf_setting *setting, void *arg), void *arg);
/* "repositories.NAME.storage" */
const char *conf_section_path(enum conf_section section);
/* "duration, 1s to 1h", for people. */
int conf_type_format(const struct conf_setting *setting, struct buf *out, struct error *err);

/* The page backupd.yaml(5) in mdoc, made from the table. `date` is like "November 24, 2026". */
int conf_man(const char *date, struct buf *out, struct error *err);

#endif
