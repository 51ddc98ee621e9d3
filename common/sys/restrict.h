/*
 * restrict.h - what a process that answers strangers gives up, beyond process_harden (privs.h).
 *
 * process_confine(): no new privileges through exec (PR_SET_NO_NEW_PRIVS), no capabilities, also as root; it starts no other
 * process (but root could: RLIMIT_NPROC does not bind it), grows no file (RLIMIT_FSIZE 0, SIGXFSZ ignored), opens at most
 * `files` descriptors, has at most `memory` bytes of data. From then on only what is owned by its own account can be
 * opened, by the permissions that files have. It cannot be taken back. Before threads start.
 */
#ifndef COMMON_SYS_RESTRICT_H
#define COMMON_SYS_RESTRICT_H

#include <stdint.h>

#include "common/base/error.h"

int process_confine(unsigned files, uint64_t memory, struct error *err);

/* From now on no file can be opened, made or run; what is open stays so (Landlock). 1 when the kernel does it, 0 when it is one that
 * cannot. Needs process_confine before. */
int process_shut_files(struct error *err);

#endif
