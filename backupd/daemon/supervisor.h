/*
 * supervisor.h - the daemon's loop: starts runs when they are due, watches them, remembers them.
 *
 *     rc = supervisor_run(&options, err);       // until SIGTERM or SIGINT
 *
 * One thread. It reads no database and no repository: each run is this program again (`backupd --json backup JOB`), in
 * a process of its own, which cannot take the daemon along. What a run decides to do is decided by the planner; what
 * happened is written to the history in one transaction before the process is started, and one after it has ended. So
 * after a kill -9 the next daemon knows what was going on, starts it again when it is still time, and never starts a
 * run twice that has ended. The processes of a daemon that dies end with it; what those have started is ended by the
 * next one, before it starts anything (run_mark.h).
 *
 * SIGTERM: nothing new starts; runs are asked to end in order (SIGTERM: what they stored is used by the next one),
 * and killed after `stop_timeout`; the next daemon starts them again when it is still time. SIGHUP: the configuration is read again; when it has mistakes, they are told and the
 * old one stays. Runs go on meanwhile; one whose job is gone is stopped.
 */
#ifndef BACKUPD_DAEMON_SUPERVISOR_H
#define BACKUPD_DAEMON_SUPERVISOR_H

#include "common/cli/cli.h"
#include "common/conf/conf.h"

#define SUPERVISOR_HISTORY "history.db" /* in the state directory */
#define SUPERVISOR_LOCK "daemon.lock"
#define SUPERVISOR_SOCKET "control.sock"

struct supervisor_options {
    struct cli_context *cli;
    const char *config;  /* path of the configuration, NULL: the default */
    const char *program; /* what is started for a run */
};

int supervisor_run(const struct supervisor_options *options, struct error *err);

#endif
