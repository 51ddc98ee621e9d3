/*
 * passphrase.h - where a passphrase comes from.
 *
 * Each call returns the passphrase as a secret (secret_free), without the end
 * of its line ("\n" or "\r\n"), or NULL. Spaces belong to it; it holds 1 to
 * PASSPHRASE_MAX bytes, none of them NUL. The bytes pass through no memory but
 * guarded memory and the kernel.
 *
 * Errors: E_USAGE for an empty or longer one, E_DENIED for a file that others
 * can open, else those of files, terminals and children.
 */
#ifndef COMMON_CRYPTO_PASSPHRASE_H
#define COMMON_CRYPTO_PASSPHRASE_H

#include "common/base/error.h"
#include "common/crypto/secret.h"

enum { PASSPHRASE_MAX = 1024, PASSPHRASE_COMMAND_MS = 60000 };

/* The first line of a file. A regular file must be closed to group and others; a pipe (/dev/fd/3) may be
 * read. */
struct secret *passphrase_from_file(const char *path, struct error *err);

/* Asks on the terminal (/dev/tty, not stdin) without echo; twice when it is new, and both must be equal.
 * Without a terminal: E_USAGE that names `option`, the option to use instead ("--passphrase-file"). Ctrl-C
 * is E_CANCELLED when interrupt.h is installed. */
struct secret *passphrase_from_terminal(const char *prompt, bool twice, const char *option,
                                        struct error *err);

/* The first line a command prints (argv, no shell; child.h says what it gets). It must succeed within
 * PASSPHRASE_COMMAND_MS and cannot ask on the terminal itself. */
struct secret *passphrase_from_command(const char *const argv[], struct error *err);

#endif
