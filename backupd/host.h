/*
 * host.h - what every verb of a backup host begins with.
 *
 *     conf = host_configuration(cli, need_jobs, err);          // problems are printed; conf_free
 *     rc = host_jobs(cli, conf, &jobs, err);                   // which ones were named
 *     state = host_state(conf, repository, err);               // for free()
 *     rc = host_open(cli, repository, backend, id, &repo, err) // what one of this host's writers sees
 *     repo_close(repo);
 */
#ifndef BACKUPD_HOST_H
#define BACKUPD_HOST_H

#include "common/access/access.h"
#include "common/cli/cli.h"
#include "common/conf/conf.h"
#include "common/repo/repo.h"

/* Without the file cli->exit_code is CLI_EXIT_USAGE, as for one with mistakes. */
struct conf *host_configuration(struct cli_context *cli, bool need_jobs, struct error *err);

/* The same, and what was read as one file (conf_hooks.packed); nothing when it has mistakes. */
struct conf *host_configuration_packed(struct cli_context *cli, bool need_jobs, struct buf *packed,
                                       struct error *err);

/* "backupd", with the --config that was given: the beginning of a command line to paste. conf: what was read (a run of the
 * daemon is given what that has accepted, which is no name for people); NULL: as given. */
enum { HOST_COMMAND_MAX = 4096 };
const char *host_command(const struct cli_context *cli, const struct conf *conf, char out[HOST_COMMAND_MAX]);

/* The jobs that are the verb's arguments, each once; all without arguments. Appends to a vec of const struct
 * conf_job *. */
int host_jobs(const struct cli_context *cli, const struct conf *conf, struct vec *out, struct error *err);

/* The same, among jobs and tasks. */
int host_scheduled(const struct cli_context *cli, const struct conf *conf, struct vec *out,
                   struct error *err);

/* <state>/<repository>, made when missing. */
char *host_state(const struct conf *conf, const struct conf_repository *repository, struct error *err);

/* Opens the repository as far as writer `id` may look (other writers' logs can be closed to this account).
 * Sets cli->exit_code when there is none; cli may be NULL. */
int host_open(struct cli_context *cli, const struct conf_repository *repository, struct backend *backend,
              const uint8_t id[WRITER_ID_LEN], struct repo **out, struct error *err);

/* Says what repo_open() found odd; notes only as debugging output. */
void host_findings(const struct repo *repo);

#endif
