#include "common/cli/exit.h"

#include <stddef.h>

#include "common/base/error.h"

#include "common/base/banned.h"

int cli_exit_code(int code)
{
    switch (code) {
    case E_OK:
        return CLI_EXIT_OK;
    case E_USAGE:
        return CLI_EXIT_USAGE;
    case E_UNSUPPORTED:
        return CLI_EXIT_CANNOT_RUN;
    case E_CORRUPT:
    case E_CONFLICT:
        return CLI_EXIT_DIFFERS;
    case E_BUSY:
        return CLI_EXIT_BUSY;
    case E_AUTH:
        return CLI_EXIT_WRONG_KEY;
    case E_CANCELLED:
        return CLI_EXIT_INTERRUPTED;
    default:
        return code > 0 ? CLI_EXIT_OK : CLI_EXIT_FAILED;
    }
}

const char *cli_exit_text(int exit_code)
{
    switch (exit_code) {
    case CLI_EXIT_OK:
        return "Everything that was asked for was done.";
    case CLI_EXIT_FAILED:
        return "It failed.";
    case CLI_EXIT_USAGE:
        return "The command line or the configuration is wrong, or there is no configuration.";
    case CLI_EXIT_PARTLY:
        return "Some of it was done, some failed.";
    case CLI_EXIT_CANNOT_RUN:
        return "It could not run: something it needs is missing. Nothing was changed.";
    case CLI_EXIT_DIFFERS:
        return "Verification failed: data is damaged, or facts differ from what they should be.";
    case CLI_EXIT_NO_REPOSITORY:
        return "There is no repository at that place.";
    case CLI_EXIT_BUSY:
        return "Another run holds what is needed.";
    case CLI_EXIT_WRONG_KEY:
        return "A key or passphrase is wrong.";
    case CLI_EXIT_IN_USE:
        return "Connections are in the way of a swap, which changed nothing.";
    case CLI_EXIT_INTERRUPTED:
        return "It was interrupted.";
    default:
        return NULL;
    }
}
