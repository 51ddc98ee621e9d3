/* serve-status: the status page, as a child of the daemon. */
#include "backupd/pages/server.h"
#include "backupd/verbs.h"

#include "common/base/banned.h"

enum { FD_MAX = 1 << 20 };

const struct cli_option serve_status_options[] = {
    { .name = "listen-fd",
      .kind = CLI_INTEGER,
      .metavar = "N",
      .min = 3,
      .max = FD_MAX,
      .required = true,
      .help = "The socket that connections come from; it listens already." },
    { .name = "daemon-fd",
      .kind = CLI_INTEGER,
      .metavar = "N",
      .min = 3,
      .max = FD_MAX,
      .required = true,
      .help = "The line to the daemon: ends when it does." },
    CLI_OPTIONS_END
};

int cmd_serve_status(struct cli_context *cli, struct error *err)
{
    const struct server_options options = { .cli = cli,
                                            .listen_fd = (int)cli_number(cli, "listen-fd"),
                                            .daemon_fd = (int)cli_number(cli, "daemon-fd") };
    return server_run(&options, err);
}
