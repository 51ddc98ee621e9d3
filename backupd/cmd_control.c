/* start, cancel, pause, resume: what people ask the daemon to do. */
#include "backupd/ask.h"
#include "backupd/verbs.h"

#include "common/base/banned.h"

const struct cli_option start_options[] = {
    { .name = "wait",
      .letter = 'w',
      .kind = CLI_FLAG,
      .help = "Wait for the end and exit as the run did. Ctrl-C ends the waiting only." },
    ASK_SOCKET_OPTION,
    CLI_OPTIONS_END
};

const struct cli_option control_options[] = { ASK_SOCKET_OPTION, CLI_OPTIONS_END };

int cmd_start(struct cli_context *cli, struct error *err)
{
    bool wait = cli_flag(cli, "wait");
    struct jsonout *request = ask_request("start");
    ask_jobs(request, cli);
    jsonout_bool(request, "wait", wait);
    return ask_daemon(cli, request, wait, err);
}

int cmd_cancel(struct cli_context *cli, struct error *err)
{
    struct jsonout *request = ask_request("cancel");
    jsonout_str(request, "what", cli->args[0]);
    return ask_daemon(cli, request, false, err);
}

static int with_jobs(struct cli_context *cli, const char *verb, struct error *err)
{
    struct jsonout *request = ask_request(verb);
    ask_jobs(request, cli);
    return ask_daemon(cli, request, false, err);
}

int cmd_pause(struct cli_context *cli, struct error *err)
{
    return with_jobs(cli, "pause", err);
}

int cmd_resume(struct cli_context *cli, struct error *err)
{
    return with_jobs(cli, "resume", err);
}
