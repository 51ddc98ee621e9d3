/*
 * cli.h - a program as tables: verbs, options, help, man page, completion.
 *
 *     static const struct cli_option backup_options[] = {
 *         { .name = "dry-run", .letter = 'n', .kind = CLI_FLAG, .help = "Only say what would be done." },
 *         CLI_OPTIONS_END
 *     };
 *     static const struct cli_verb verbs[] = {
 *         { .name = "backup", .synopsis = "[JOB ...]", .summary = "Back up now.", .options = backup_options,
 *           .max_args = CLI_ANY, .run = cmd_backup },
 *         CLI_VERBS_END
 *     };
 *     int main(int argc, char **argv) { return cli_main(&program, argc, argv); }
 *
 *     int cmd_backup(struct cli_context *cli, struct error *err)
 *     {
 *         if (cli_flag(cli, "dry-run")) ...
 *         for (size_t i = 0; i < cli->nargs; i++) ... cli->args[i] ...
 *     }
 *
 * Command line: [global option]... VERB [option | argument]... Global options
 * may stand anywhere, a verb's own after the verb; "--" ends options; "--opt=V",
 * "--opt V", "-oV", "-o V", "-qv". A verb may have two words ("key list").
 * Both programs have --config FILE, --json, -q/--quiet, -v/--verbose (also
 * twice), --no-color, -h/--help, --version, `help [VERB]`, and the hidden
 * --man and --bash-completion. Mistakes exit with 2 and "did you mean"; a verb
 * with `unable` has its own answer to them.
 *
 * cli_main prints a verb's error once: "backupd: backup: text" on stderr, and
 * with --json also as one line {"message_type":"error",...}. The exit code is
 * cli->exit_code when the verb set one, else cli_exit_code() of what it
 * returned. Output that could not be written is a failure too. While the verb
 * runs, log_event() goes to stderr: warnings and alarms always, information
 * with -v, everything with -vv (with --json as lines of message_type "log").
 */
#ifndef COMMON_CLI_CLI_H
#define COMMON_CLI_CLI_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/vec.h"
#include "common/cli/exit.h"
#include "common/cli/out.h"

enum { CLI_ANY = INT_MAX };

enum cli_kind {
    CLI_FLAG,
    CLI_STRING,
    CLI_FILE, /* a string that completes to file names */
    CLI_INTEGER,
    CLI_SIZE,     /* bytes */
    CLI_DURATION, /* seconds */
    CLI_PERCENT,  /* "5%", "2.5", "100%": kept in hundredths of a percent, 0..10000 */
    CLI_CHOICE,
};

struct cli_option {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum cli_kind kind;
    const char *metavar;        /* "FILE"; NULL: from the kind */
    const char *help;           /* sentences, wrapped when printed */
    const char *fallback;       /* default as it would be typed; NULL: none */
    const char *const *choices; /* CLI_CHOICE: NULL-terminated */
    uint64_t min, max;          /* CLI_INTEGER, CLI_SIZE, CLI_DURATION, CLI_PERCENT; max 0: no bounds */
    bool many;                  /* may be given more than once */
    bool required;
    bool hidden;
};

#define CLI_OPTIONS_END \
    {                   \
        .name = NULL    \
    }

struct cli_context;

struct cli_verb {
    const char *name;     /* "backup", or two words: "key list" */
    const char *synopsis; /* the positional arguments: "[JOB ...]"; NULL: none */
    const char *summary;  /* one sentence */
    const char *help;     /* paragraphs separated by an empty line, filled when printed; or NULL */
    const struct cli_option *options; /* ends with CLI_OPTIONS_END; NULL: none */
    int min_args, max_args;           /* positional arguments; CLI_ANY: no limit */
    bool file_args;                   /* they complete to file names */
    bool hidden;
    unsigned needs;                                         /* bits that mean something to program->prepare */
    int (*run)(struct cli_context *cli, struct error *err); /* 0 or a negative enum error_code */
    /* For verbs that a monitoring runs, whose answer is on stdout and in the exit code: called instead of run when the
     * command line or program->prepare is at fault. Writes its answer and returns the exit code. NULL: as for all others. */
    int (*unable)(struct cli_context *cli, const struct error *why);
};

#define CLI_VERBS_END \
    {                 \
        .name = NULL  \
    }

struct cli_text { /* e.g. { "/etc/backupd/backupd.yaml", "The configuration." } */
    const char *what;
    const char *text;
};

struct cli_program {
    const char *name;                   /* "backupd" */
    const char *summary;                /* one line without full stop, as in a man page's NAME */
    const char *description;            /* paragraphs, or NULL */
    int section;                        /* of the man page; 0: 1 */
    const char *date;                   /* of the man page, "November 24, 2026"; NULL: a fixed one */
    const struct cli_verb *verbs;       /* ends with CLI_VERBS_END */
    const struct cli_option *options;   /* more global options, or NULL */
    const char *default_config;         /* shown as the default of --config, and what cli->config then is */
    const struct cli_text *files;       /* end with { NULL, NULL }, or NULL */
    const struct cli_text *environment; /* likewise */
    const struct cli_text *examples;    /* what: a command line; likewise */
    const struct cli_text *see_also;    /* what: "restore", text: "1"; likewise */
    /* Before and after run (finish also when prepare failed); may be NULL. For what verb->needs asks for. */
    int (*prepare)(struct cli_context *cli, struct error *err);
    void (*finish)(struct cli_context *cli);
};

struct cli_context {
    const struct cli_program *program;
    const struct cli_verb *verb; /* NULL: only global options were given */
    const char *const *args;     /* positional arguments; they point into argv */
    size_t nargs;
    const char *config; /* --config, or program->default_config */
    bool config_given;
    bool json;
    bool quiet;
    unsigned verbose;
    struct out out; /* where a verb writes its text: stdout */
    int exit_code;  /* a verb may set one; 0: follows from the error */
    void *user;     /* the program's own */
    /* private */
    struct vec positional; /* of const char * */
    struct vec values;     /* of struct cli_value */
};

/* Runs the program; returns the exit code for main(). */
int cli_main(const struct cli_program *program, int argc, char **argv);

/* What an option was given, else its default. The option must be in the tables of this verb or program:
 * anything else is a mistake in the code and stops the program. */
bool cli_flag(const struct cli_context *cli, const char *name);
bool cli_given(const struct cli_context *cli, const char *name);
size_t cli_count(const struct cli_context *cli, const char *name);     /* how often it was given */
const char *cli_text(const struct cli_context *cli, const char *name); /* or NULL; the last one given */
const char *cli_text_at(const struct cli_context *cli, const char *name, size_t i); /* the i-th given */
uint64_t cli_number(const struct cli_context *cli, const char *name); /* INTEGER, SIZE, DURATION, PERCENT */
size_t cli_choice(const struct cli_context *cli, const char *name);   /* index into choices */

/* ---- the parts of cli_main, also for tests ------------------------------------------------------------ */

/* Fills *cli (which must be zeroed; cli_context_free). E_USAGE on mistakes; cli->verb is what was known. */
int cli_parse(const struct cli_program *program, int argc, char **argv, struct cli_context *cli,
              struct error *err);
void cli_context_free(struct cli_context *cli);
/* The global options of every program; ends with name NULL. */
const struct cli_option *cli_global_options(void);

/* Text for `width` columns; verb NULL: the program's. */
int cli_help(const struct cli_program *program, const struct cli_verb *verb, size_t width, struct buf *out,
             struct error *err);
int cli_man(const struct cli_program *program, struct buf *out, struct error *err); /* mdoc */
int cli_bash_completion(const struct cli_program *program, struct buf *out, struct error *err);

#endif
