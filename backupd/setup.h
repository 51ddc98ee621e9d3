/*
 * setup.h - the account of the storage that may do more than the configured one, named for this once.
 *
 *     const struct cli_option init_options[] = { ..., SETUP_OPTIONS, CLI_OPTIONS_END };
 *     struct conf_storage storage;
 *     rc = setup_storage(cli, repository, &storage, &other, err);   // E_USAGE for what does not go together
 *     backend = access_storage(&storage, err);
 *
 * `other` says that it is not how the storage is reached otherwise. The strings belong to cli and to the
 * configuration.
 */
#ifndef BACKUPD_SETUP_H
#define BACKUPD_SETUP_H

#include "common/cli/cli.h"
#include "common/conf/conf.h"

#define SETUP_OPTIONS                                                                                   \
    { .name = "setup-user",                                                                             \
      .kind = CLI_STRING,                                                                               \
      .metavar = "USER",                                                                                \
      .help = "Account of the SFTP server that may make directories; used only now, not stored." },     \
        { .name = "setup-key",                                                                          \
          .kind = CLI_FILE,                                                                             \
          .help = "Private key of the set-up account; without it the agent." },                         \
    {                                                                                                   \
        .name = "setup-path", .kind = CLI_FILE, .metavar = "DIR",                                       \
        .help = "With --setup-user: the repository as that account sees it. Without: the repository's " \
                "directory on this machine (a mount, or the server itself)."                            \
    }

int setup_storage(const struct cli_context *cli, const struct conf_repository *repository,
                  struct conf_storage *out, bool *other, struct error *err);

#endif
