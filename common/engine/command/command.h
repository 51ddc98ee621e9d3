/*
 * command.h - the engine `command`: what a program writes, as one stream.
 *
 * Options
 *   command        the program and its arguments, a list (required); or a list of such lists: a pipeline,
 *                  where each program reads what the one before writes. No shell reads it: each item is one
 *                  argument, whatever characters it holds. A program is a whole path, or a name that is
 *                  looked up in this process's PATH
 *   name           name of the stream; default: the (first) program's base name
 *   min_size       fewer bytes are a failed run; default 1 byte: a dump that is empty is no backup. 0 accepts
 *                  also that
 *   begin_mark, end_mark   what the output must begin and end with: a text, or hex: and two digits a byte. A
 *                  newline after the text at the end does not matter. Not asked of an empty output
 *   max_shrink     how much smaller than the last snapshot's the output may be, in percent; default 100%: by
 *                  any. Not checked, and said so, where the last size is not known (engine_job.last_bytes)
 *   timeout        the whole run; default 1d, at most 4w
 *   stall_timeout  no byte, or no end after the last byte, for so long; default 1h, at most 4w
 *   env            NAME=value, several as a list, beside PATH HOME LANG TZ TMPDIR USER of this process
 *   dir            working directory; default: this process's
 *   allow_visible_secrets   no (default): what looks like a password in command or env is refused
 *
 * Arguments and environment are no place for secrets: `ps` shows the first to
 * everybody on the host, and the arguments are stored (sealed) with the snapshot.
 * They belong into files that only the command's user may read (.pgpass, .my.cnf).
 * probe refuses the usual forms (redact.h).
 *
 * The verdict is that of producer.h, and then the size and the marks. Failures
 * are E_IO (the run is not repeated: a second attempt would take as long), or
 * E_CANCELLED when a stop was requested.
 *
 * Facts of the stream: bytes. Of the run: source, stream (its name), command
 * (the arguments as a list, printable, without passwords, cut at
 * REDACT_SHOWN_MAX; of a pipeline several, joined by " | "), exit_status (0).
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
    COMMAND_MARK_MAX = 256,        /* bytes of begin_mark and end_mark */
};

extern const struct engine engine_command;

#endif
