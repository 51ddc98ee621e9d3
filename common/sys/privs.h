/*
 * privs.h - what a process gives up as its first act.
 *
 * process_harden(): no core dumps (RLIMIT_CORE 0), not readable by ptrace and
 * /proc of the same user (PR_SET_DUMPABLE 0; not in builds with the address
 * sanitizer, whose leak check needs it), files for this user only (umask 077),
 * and SIGPIPE ignored, so that a write to a closed pipe is an error (EPIPE).
 * Call it before secrets are read and before threads start. Children get the
 * first and third; child.h gives them default signals.
 */
#ifndef COMMON_SYS_PRIVS_H
#define COMMON_SYS_PRIVS_H

#include "common/base/error.h"

int process_harden(struct error *err);

#endif
