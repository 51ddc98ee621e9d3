/*
 * exit.h - exit codes, the same for both programs and documented in the man pages.
 */
#ifndef COMMON_CLI_EXIT_H
#define COMMON_CLI_EXIT_H

enum cli_exit {
    CLI_EXIT_OK = 0,
    CLI_EXIT_FAILED = 1,
    CLI_EXIT_USAGE = 2,
    CLI_EXIT_PARTLY = 3,     /* some of it was done: set by the verb */
    CLI_EXIT_CANNOT_RUN = 4, /* it never started, nothing was changed: E_UNSUPPORTED, or set by the verb */
    CLI_EXIT_DIFFERS = 9,    /* verification or facts differ: E_CORRUPT, E_CONFLICT */
    CLI_EXIT_NO_REPOSITORY = 10, /* set by the verb: only it knows what was not found */
    CLI_EXIT_BUSY = 11,          /* E_BUSY */
    CLI_EXIT_WRONG_KEY = 12,     /* E_AUTH */
    CLI_EXIT_IN_USE = 13,        /* connections are in the way, nothing was changed: set by the verb */
    CLI_EXIT_INTERRUPTED = 130,  /* E_CANCELLED */
};

/* The exit code of an enum error_code. */
int cli_exit_code(int code);
/* What an exit code means, or NULL: for walking 0..255 when documenting them. */
const char *cli_exit_text(int exit_code);

#endif
