/*
 * option.h - looking into option tables and values (inside this room).
 */
#ifndef COMMON_CLI_OPTION_H
#define COMMON_CLI_OPTION_H

#include "common/cli/cli.h"

struct cli_value { /* one option as it was given */
    const struct cli_option *option;
    const char *text; /* into argv; NULL for a flag */
    uint64_t number;
};

/* By long name (len bytes of it) or letter, in the verb's table (verb may be NULL), the program's, or the
 * global ones; NULL when there is none. */
const struct cli_option *cli_option_long(const struct cli_program *program, const struct cli_verb *verb,
                                         const char *name, size_t len);
const struct cli_option *cli_option_letter(const struct cli_program *program, const struct cli_verb *verb,
                                           char letter);
/* Calls fn for every option that is not hidden: the verb's alone, or with verb NULL the program's and the
 * global ones. Stops at a negative return. */
int cli_option_each(const struct cli_program *program, const struct cli_verb *verb,
                    int (*fn)(const struct cli_option *option, void *arg), void *arg);
/* Reads and checks a text as the option's kind says. */
int cli_option_read(const struct cli_option *option, const char *text, uint64_t *number, struct error *err);
/* "FILE", "N", ...; NULL for a flag. */
const char *cli_option_metavar(const struct cli_option *option);
/* Help, choices and default in one text. */
int cli_option_help(const struct cli_program *program, const struct cli_option *option, struct buf *out,
                    struct error *err);

#endif
