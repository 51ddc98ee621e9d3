/*
 * ask.h - asking the daemon of this host over its socket (backupd/daemon/control.h).
 *
 *     struct jsonout *request = ask_request("pause");
 *     ...jsonout_str and the like...
 *     return ask_daemon(cli, request, false, err);     // prints the answer, sets the exit code
 *
 * Verbs that read the daemon's files do so themselves, and ask only where this account may not, or where the configuration has
 * mistakes: the daemon goes on with the one that it has accepted.
 *
 *     rc = ask_or_read(cli, "status", true, &conf, err);
 *     if (conf == NULL)
 *         return rc;                                   // the daemon has answered, or there is nothing to read
 *     ...conf_free(conf)...
 *
 * Exit code CLI_EXIT_CANNOT_RUN when no daemon answers.
 */
#ifndef BACKUPD_ASK_H
#define BACKUPD_ASK_H

#include "common/cli/cli.h"
#include "common/cli/json.h"
#include "common/conf/conf.h"

/* Where the socket is looked for when the configuration cannot be read. */
#define ASK_DEFAULT_SOCKET "/run/backupd/control.sock"

#define ASK_SOCKET_OPTION                                                                           \
    {                                                                                               \
        .name = "socket", .kind = CLI_FILE,                                                         \
        .help = "The daemon's socket. Default: what the configuration says, or " ASK_DEFAULT_SOCKET \
                " when this account may not read it."                                               \
    }
#define ASK_QUERY_OPTIONS                                                                         \
    ASK_SOCKET_OPTION,                                                                            \
    {                                                                                             \
        .name = "direct", .kind = CLI_FLAG,                                                       \
        .help = "Only read the files; never ask the daemon where this account may not read them." \
    }

/* NULL only without memory, which jsonout and ask_daemon accept. */
struct jsonout *ask_request(const char *verb);
/* Adds the verb's arguments as "jobs". */
void ask_jobs(struct jsonout *request, const struct cli_context *cli);
/* Frees the request. patient: the answer may take as long as it wants, and a Ctrl-C ends only the waiting. */
int ask_daemon(struct cli_context *cli, struct jsonout *request, bool patient, struct error *err);

int ask_or_read(struct cli_context *cli, const char *verb, bool need_jobs, struct conf **out,
                struct error *err);

#endif
