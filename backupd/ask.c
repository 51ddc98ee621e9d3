#include "backupd/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backupd/daemon/accepted.h"
#include "backupd/daemon/supervisor.h"
#include "backupd/host.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/cli/jsonflat.h"
#include "common/sys/dirs.h"
#include "common/sys/fdio.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum {
    ANSWER_MAX = 32 * 1024 * 1024, /* what a query may print, escaped */
    ANSWER_MS = 60000,
    SILENT_MS = 5000, /* then whoever waits is told that it waits */
    LOOK_MS = 200,    /* how soon a Ctrl-C is seen */
    READ_BLOCK = 64 * 1024,
};

struct jsonout *ask_request(const char *verb)
{
    struct jsonout *o = jsonout_new(NULL);
    jsonout_str(o, "verb", verb);
    return o;
}

void ask_jobs(struct jsonout *request, const struct cli_context *cli)
{
    struct jsonout *jobs = jsonout_array(request, "jobs");
    for (size_t i = 0; i < cli->nargs; i++)
        jsonout_str(jobs, NULL, cli->args[i]);
}

/* ---- the socket --------------------------------------------------------------------------------------------------------- */

static bool is_closed(const char *path)
{
    return access(path, R_OK) < 0 && errno == EACCES;
}

static char *socket_of(const struct conf *conf, struct error *err)
{
    return conf->daemon.socket != NULL ? str_dup(conf->daemon.socket, err)
                                       : path_join(conf->state, SUPERVISOR_SOCKET, err);
}

/* Of a configuration with mistakes: where it could be read, else where packages put it. */
static char *socket_in_spite(const struct conf_problems *problems, const struct error *mistakes,
                             struct error *err)
{
    char *path = problems->socket != NULL  ? str_dup(problems->socket, err)
                 : problems->state != NULL ? path_join(problems->state, SUPERVISOR_SOCKET, err)
                                           : NULL;
    if (path == NULL || access(path, F_OK) != 0) {
        free(path);
        path = str_dup(ASK_DEFAULT_SOCKET, err);
    }
    if (path != NULL && access(path, F_OK) == 0)
        log_event(
            LOG_WARN,
            "%s (`backupd check config` lists them): asks the daemon, which goes on with what it accepted",
            mistakes->text);
    else
        log_event(
            LOG_WARN,
            "%s (`backupd check config` lists them), and no daemon is found by it: where one runs, name its "
            "socket (--socket)",
            mistakes->text);
    return path;
}

static char *socket_by_configuration(struct cli_context *cli, struct error *err)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct error why = ERROR_INIT;
    struct conf *conf = access_configuration(cli->config, false, &problems, &why);
    char *path = NULL;
    if (conf != NULL) {
        path = socket_of(conf, err);
    } else if (problems.total > 0) {
        path = socket_in_spite(&problems, &why, err);
    } else if (error_copy(err, &why) == E_NOT_FOUND) {
        cli->exit_code = CLI_EXIT_USAGE;
    }
    conf_free(conf);
    conf_problems_free(&problems);
    return path;
}

/* For free(). conf may be NULL. */
static char *socket_path(struct cli_context *cli, const struct conf *conf, struct error *err)
{
    if (cli_given(cli, "socket"))
        return str_dup(cli_text(cli, "socket"), err);
    if (conf != NULL)
        return socket_of(conf, err);
    return is_closed(cli->config) ? str_dup(ASK_DEFAULT_SOCKET, err) : socket_by_configuration(cli, err);
}

static int no_daemon(struct cli_context *cli, const char *path, struct error *err)
{
    int why = errno;
    if (why == EACCES || why == EPERM)
        return error_set(err, E_DENIED, "this account does not reach the daemon's socket %s", path);
    cli->exit_code = CLI_EXIT_CANNOT_RUN;
    return error_set(err, E_NOT_FOUND, "no daemon answers at %s (%s)", path, strerror(why));
}

static int connect_to(struct cli_context *cli, const char *path, int *out, struct error *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    *out = -1;
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, E_USAGE, "%s is too long for the name of a socket", path);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_sys(err, "ask the daemon");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int rc = no_daemon(cli, path, err);
        (void)close(fd);
        return rc;
    }
    *out = fd;
    return 0;
}

/* ---- the answer ----------------------------------------------------------------------------------------------------------- */

/* An answer takes no time: without one for some seconds the daemon hangs, or this host does. */
static void tell_wait(bool *told, uint64_t since)
{
    if (*told || clock_mono_ms() - since < SILENT_MS)
        return;
    *told = true;
    log_event(LOG_WARN, "the daemon has not answered yet; waits up to %d s", ANSWER_MS / 1000);
}

/* Until the line is there. ms 0: as long as it takes. */
static int await(struct cli_context *cli, int fd, uint64_t ms, struct buf *in, struct error *err)
{
    uint64_t begin = clock_mono_ms();
    bool told = ms == 0;
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int ready = poll(&p, 1, LOOK_MS);
        int rc = interrupt_check(err);
        if (rc < 0)
            return ms == 0 ? error_wrap(err, "what was started goes on") : rc;
        if (ready <= 0 && ms != 0 && clock_mono_ms() - begin >= ms)
            return error_set(err, E_RETRY, "the daemon does not answer");
        if (ready <= 0) {
            tell_wait(&told, begin);
            continue;
        }
        rc = buf_reserve(in, in->len + READ_BLOCK, err);
        if (rc < 0)
            return rc;
        ssize_t n = recv(fd, in->data + in->len, READ_BLOCK, 0);
        if (n < 0 && errno != EINTR)
            return error_sys(err, "the daemon's answer");
        if (n == 0) {
            cli->exit_code = CLI_EXIT_CANNOT_RUN;
            return error_set(err, E_IO, "the daemon ended before it answered");
        }
        in->len += n > 0 ? (size_t)n : 0;
        if (in->len > 0 && in->data[in->len - 1] == '\n')
            return 0;
        if (in->len > ANSWER_MAX)
            return error_set(err, E_IO, "the daemon's answer does not end");
    }
}

static int print_text(struct cli_context *cli, const struct jsonin *in, struct error *err)
{
    const char *output = jsonflat_text(in, "output");
    for (size_t i = 0; i < jsonflat_count(in, "lines"); i++)
        if (jsonflat_text_at(in, "lines", i) != NULL)
            out_line(&cli->out, OUT_PLAIN, "%s", jsonflat_text_at(in, "lines", i));
    if (output != NULL && fputs(output, cli->out.file) == EOF)
        return error_sys(err, "print");
    return out_flush(&cli->out, err);
}

static int print_answer(struct cli_context *cli, const struct buf *text, struct error *err)
{
    struct jsonin *in = jsonin_parse((const char *)text->data, text->len, err);
    if (in == NULL)
        return error_wrap(err, "the daemon's answer");
    const char *output = jsonflat_text(in, "output");
    const char *error = jsonflat_text(in, "error");
    bool printed = output != NULL && output[0] != '\0';
    int rc = 0;
    if (!cli->json || printed)
        rc = print_text(cli, in, err);
    else if (fwrite(text->data, 1, text->len, cli->out.file) != text->len)
        rc = error_sys(err, "print");
    uint64_t code = jsonflat_number(in, "exit_code", CLI_EXIT_FAILED);
    if (code != 0)
        cli->exit_code = code < 256 ? (int)code : CLI_EXIT_FAILED;
    /* With --json the verb that printed it has told its error there. */
    if (rc == 0 && code != 0 && !(cli->json && printed))
        rc = error_set(err, E_IO, "%s", error != NULL ? error : "the daemon says that it failed");
    jsonin_free(in);
    return rc;
}

static int exchange(struct cli_context *cli, const char *path, struct jsonout *request, bool patient,
                    struct error *err)
{
    struct buf line = BUF_INIT;
    struct buf answer = BUF_INIT;
    int fd = -1;
    int rc = jsonout_text(request, &line, err);
    if (rc == 0)
        rc = buf_append(&line, "\n", 1, err);
    if (rc == 0)
        rc = connect_to(cli, path, &fd, err);
    /* One that is sent away has its answer before it has asked: then this write fails. */
    if (rc == 0)
        (void)send(fd, line.data, line.len, MSG_NOSIGNAL);
    if (rc == 0)
        rc = await(cli, fd, patient ? 0 : ANSWER_MS, &answer, err);
    if (rc == 0)
        rc = print_answer(cli, &answer, err);
    fd_drop(&fd);
    buf_free(&line);
    buf_free(&answer);
    return rc;
}

static int ask(struct cli_context *cli, const struct conf *conf, struct jsonout *request, bool patient,
               struct error *err)
{
    char *path = socket_path(cli, conf, err);
    if (path == NULL) {
        jsonout_free(request);
        return err->code;
    }
    int rc = exchange(cli, path, request, patient, err);
    free(path);
    return rc;
}

int ask_daemon(struct cli_context *cli, struct jsonout *request, bool patient, struct error *err)
{
    return ask(cli, NULL, request, patient, err);
}

/* ---- what only reads ------------------------------------------------------------------------------------------------------- */

static bool is_closed_here(const struct conf *conf)
{
    char *path = path_join(conf->state, SUPERVISOR_HISTORY, NULL);
    bool closed = path != NULL && is_closed(path);
    free(path);
    return closed;
}

static int query(struct cli_context *cli, const struct conf *conf, const char *verb, struct error *err)
{
    struct error why = ERROR_INIT;
    struct jsonout *request = ask_request(verb);
    jsonout_bool(request, "json", cli->json);
    if (strcmp(verb, "show") == 0)
        jsonout_str(request, "what", cli->args[0]);
    else
        ask_jobs(request, cli);
    if (strcmp(verb, "history") == 0) {
        jsonout_u64(request, "lines", cli_number(cli, "lines"));
        jsonout_bool(request, "only_runs", cli_flag(cli, "runs"));
    }
    if (strcmp(verb, "schedule") == 0)
        jsonout_u64(request, "next", cli_number(cli, "next"));
    int rc = ask(cli, conf, request, false, &why);
    if (rc == E_DENIED || (rc < 0 && cli->exit_code == CLI_EXIT_CANNOT_RUN))
        (void)error_wrap(&why, "this account may not read what the daemon keeps, and asking it failed");
    return rc < 0 ? error_copy(err, &why) : 0;
}

static bool has_mistakes(const struct cli_context *cli, bool need_jobs)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct error why = ERROR_INIT;
    struct conf *conf = access_configuration(cli->config, need_jobs, &problems, &why);
    bool mistakes = conf == NULL && problems.total > 0;
    conf_free(conf);
    conf_problems_free(&problems);
    return mistakes;
}

int ask_or_read(struct cli_context *cli, const char *verb, bool need_jobs, struct conf **out,
                struct error *err)
{
    struct error why = ERROR_INIT;
    bool direct = cli_flag(cli, "direct");
    *out = NULL;
    if (!direct && (cli_given(cli, "socket") || is_closed(cli->config)))
        return query(cli, NULL, verb, err);
    if (!direct && has_mistakes(cli, need_jobs)) {
        int rc = query(cli, NULL, verb, &why);
        if (rc == 0 || cli->exit_code != CLI_EXIT_CANNOT_RUN)
            return rc < 0 ? error_copy(err, &why) : 0;
        cli->exit_code = 0; /* no daemon answers: the mistakes are what there is to say */
    }
    struct buf packed = BUF_INIT;
    struct conf *conf = host_configuration_packed(cli, need_jobs, &packed, err);
    bool closed = conf != NULL && !direct && is_closed_here(conf);
    if (conf != NULL && !closed && !direct)
        accepted_compare(conf, &packed);
    buf_free(&packed);
    if (!closed) {
        *out = conf;
        return conf != NULL ? 0 : err->code;
    }
    int rc = query(cli, conf, verb, err);
    conf_free(conf);
    return rc;
}
