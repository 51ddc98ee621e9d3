/*
 * command.h - the engine `command`: what a program writes, as one stream.
 *
 * Options
 *   command        the program and its arguments, a list (required). No shell reads it: each item is one
 *                  argument, whatever characters it holds. The program is a whole path, or a name that is
 *                  looked up in this process's PATH
 *   name           name of the stream; default: the program's base name
 *   min_size       fewer bytes are a failed run; default 1 byte: a dump that is empty is no backup. 0 accepts
 *                  also that
 *   timeout        the whole run; default 1d, at most 4w
 *   stall_timeout  no byte, or no end after the last byte, for so long; default 1h, at most 4w
 *   env            NAME=value, several as a list, beside PATH HOME LANG TZ TMPDIR USER of this process
 *   dir            working directory; default: this process's
 *
 * Arguments and environment are no place for secrets: `ps` shows the first to
 * everybody on the host, and the arguments are stored (sealed) with the snapshot.
 * They belong into files that only the command's user may read (.pgpass, .my.cnf).
 *
 * The verdict. The stream is complete when the program wrote it, closed it, and
 * ended with status 0, and it has min_size bytes. A program that ends while a
 * process that it started still holds its output is a failure: its status says
 * nothing about bytes that are still to come. So is a program that closes its
 * output and does not end. Failures are E_IO (the run is not repeated: a second
 * attempt would take as long), or E_CANCELLED when a stop was requested; texts
 * hold status or signal and the last line of stderr, with passwords struck out.
 *
 * What is left of the process group is killed when the verdict is there, and by
 * close.
 *
 * Facts of the stream: bytes. Of the run: source, stream (its name), command
 * (the arguments as a list, printable, without passwords, cut at
 * COMMAND_SHOWN_MAX), exit_status.
 *
 * There is no way back through this engine: restore is NULL. `restore cat` gives
 * the stream to whatever program reads it.
 */
#ifndef COMMON_ENGINE_COMMAND_COMMAND_H
#define COMMON_ENGINE_COMMAND_COMMAND_H

#include "common/engine/engine.h"

enum {
    COMMAND_ARGS_MAX = 1024,       /* arguments; environment variables */
    COMMAND_BYTES_MAX = 64 * 1024, /* all arguments; all variables */
    COMMAND_SHOWN_MAX = 8192,
};

extern const struct engine engine_command;

#endif
