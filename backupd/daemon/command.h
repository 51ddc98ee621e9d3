/*
 * command.h - which program a run is: this one for a backup, `backupd expire`, `restore verify` or `restore drill run` for a task
 * (inside daemon/).
 *
 *     struct run_command command;
 *     rc = run_command_make(&command, program, config, job, err);
 *     ...child_run_start(&run, run_command_argv(&command), ...);
 *     run_command_free(&command);
 */
#ifndef BACKUPD_DAEMON_COMMAND_H
#define BACKUPD_DAEMON_COMMAND_H

#include "common/base/vec.h"
#include "common/conf/conf.h"

struct run_command {
    struct vec argv;  /* const char *, the last is NULL */
    struct vec owned; /* char * */
};

/* program: this one. `restore` is looked for beside it, then in PATH. */
int run_command_make(struct run_command *c, const char *program, const char *config,
                     const struct conf_job *job, struct error *err);
const char *const *run_command_argv(const struct run_command *c);
void run_command_free(struct run_command *c);

#endif
