/*
 * options.h - options that several verbs share, for their arrays in cmd_*.c.
 */
#ifndef RESTORE_OPTIONS_H
#define RESTORE_OPTIONS_H

#include "common/cli/cli.h"

#define JOB_OPTION                                                                                   \
    {                                                                                                \
        .name = "job", .letter = 'j', .kind = CLI_STRING, .metavar = "JOB",                          \
        .help = "Only snapshots of this job: needed with `latest` and dates when there are several." \
    }

#define ALARMS_OPTION                                                                                   \
    {                                                                                                   \
        .name = "despite-alarms", .kind = CLI_FLAG,                                                     \
        .help = "Restore although the logs raise alarms (a rollback, a fork, a gap) that concern this " \
                "snapshot. What is restored is still checked byte for byte; it may not be the newest."  \
    }

/* Of the two verbs that exchange names. */
#define SWAP_OPTIONS                                                                                          \
    { .name = "terminate",                                                                                    \
      .kind = CLI_FLAG,                                                                                       \
      .help =                                                                                                 \
          "PostgreSQL: end the connections to both databases, which a swap lists; otherwise it refuses when " \
          "there are any." },                                                                                 \
    {                                                                                                         \
        .name = "via", .kind = CLI_STRING, .metavar = "DATABASE", .fallback = "postgres",                     \
        .help = "PostgreSQL: the database of the server to work from; neither of the two."                    \
    }

#endif
