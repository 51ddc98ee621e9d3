#include "backupd/daemon/child_run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/cli/exit.h"
#include "common/cli/jsonflat.h"
#include "common/sys/fdio.h"
#include "common/sys/poll_loop.h"

#include "common/base/banned.h"

enum { READ_BLOCK = 16 * 1024 };

extern char **environ;

static bool is_for_the_daemon(const char *variable)
{
    static const char *const names[] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", "MAINPID=", "FDSTORE=" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_starts(variable, names[i]))
            return true;
    return false;
}

/* NULL-terminated, borrows; for free(). */
static const char **environment(const char *mark, struct error *err)
{
    size_t n = 0;
    size_t kept = 0;
    while (environ != NULL && environ[n] != NULL)
        n++;
    const char **env = mem_alloc(n + 2, sizeof *env, err);
    for (size_t i = 0; env != NULL && i < n; i++)
        if (!is_for_the_daemon(environ[i]))
            env[kept++] = environ[i];
    if (env != NULL)
        env[kept] = mark;
    return env;
}

static struct child *start_marked(const struct child_run *run, const struct child_run_options *o,
                                  struct error *err)
{
    const char **env = environment(run->mark.variable, err);
    const struct child_options options = {
        .env = env, .want_stdout = true, .outlives_stop = true, .limits = o->limits
    };
    struct child *child = env != NULL ? child_start(o->argv, &options, err) : NULL;
    free(env);
    return child;
}

int child_run_start(struct child_run *run, const struct child_run_options *options, struct error *err)
{
    *run = (struct child_run){ .pidfd = -1,
                               .line = BUF_INIT,
                               .summary = BUF_INIT,
                               .unusual = BUF_INIT,
                               .problem = BUF_INIT,
                               .finding = BUF_INIT,
                               .said = VEC_OF(struct child_run_said) };
    struct error why = ERROR_INIT;
    int rc = run_mark_make(&run->mark, options->state, options->job, err);
    if (rc < 0)
        return rc;
    run->child = start_marked(run, options, &why);
    if (run->child == NULL) {
        run_mark_end(&run->mark, false);
        return error_copy(err, &why);
    }
    rc = poll_process(child_pid(run->child), err);
    if (rc >= 0) {
        run->pidfd = rc;
        int flags = fcntl(child_stdout(run->child), F_GETFL);
        rc = flags >= 0 && fcntl(child_stdout(run->child), F_SETFL, flags | O_NONBLOCK) == 0
                 ? 0
                 : error_sys(err, "%s", options->argv[0]);
    }
    if (rc < 0)
        child_run_free(run);
    return rc;
}

int child_run_fd(const struct child_run *run)
{
    return run->end_of_output ? -1 : child_stdout(run->child);
}

int child_run_pidfd(const struct child_run *run)
{
    return run->pidfd;
}

static bool is_message(const struct buf *line, const char *type)
{
    char head[64];
    (void)snprintf(head, sizeof head, "{\"message_type\":\"%s\"", type);
    char spaced[64];
    (void)snprintf(spaced, sizeof spaced, "{\"message_type\": \"%s\"", type);
    return (line->len >= strlen(head) && memcmp(line->data, head, strlen(head)) == 0) ||
           (line->len >= strlen(spaced) && memcmp(line->data, spaced, strlen(spaced)) == 0);
}

static bool is_error_finding(const struct buf *line)
{
    static const char severity[] = "\"severity\":\"error\"";
    return is_message(line, "finding") &&
           memmem(line->data, line->len, severity, sizeof severity - 1) != NULL;
}

/* What a line of progress says beside the time: whoever waits prints it, too. FNV-1a. */
static uint64_t sum_of(const struct buf *line)
{
    static const char clock[] = "\"seconds_";
    uint64_t h = UINT64_C(14695981039346656037);
    const char *p = line->len > 0 ? (const char *)line->data : "";
    const char *end = p + line->len;
    while (p < end) {
        if ((size_t)(end - p) > sizeof clock - 1 && memcmp(p, clock, sizeof clock - 1) == 0)
            while (p < end && *p != ',' && *p != '}')
                p++;
        else
            h = (h ^ (unsigned char)*p++) * UINT64_C(1099511628211);
    }
    return h;
}

static void note_move(struct child_run *run)
{
    uint64_t sum = sum_of(&run->line);
    run->moves += sum != run->last_line ? 1 : 0;
    run->last_line = sum;
}

/* What a line of JSON says under this name; "" when it does not. */
static const char *said(const struct jsonin *in, const char *key)
{
    const char *text = in != NULL ? jsonflat_text(in, key) : NULL;
    return text != NULL ? text : "";
}

/* Alarms have places of their own behind those of all; what has none is counted. */
static void keep_said(struct child_run *run)
{
    struct jsonin *in =
        run->too_long ? NULL : jsonin_parse((const char *)run->line.data, run->line.len, NULL);
    bool alarm = strcmp(said(in, "level"), "alarm") == 0;
    bool wanted = in == NULL || alarm || strcmp(said(in, "level"), "warning") == 0;
    size_t most = alarm ? CHILD_RUN_SAID_MAX + CHILD_RUN_ALARMS_MAX : CHILD_RUN_SAID_MAX;
    char *text =
        in != NULL && wanted && run->said.len < most
            ? str_dup_len(said(in, "message"), strnlen(said(in, "message"), CHILD_RUN_TEXT_MAX), NULL)
            : NULL;
    struct child_run_said *to = text != NULL ? vec_push(&run->said, NULL) : NULL;
    if (to != NULL) {
        *to = (struct child_run_said){ .text = text, .alarm = alarm };
        (void)snprintf(to->kind, sizeof to->kind, "%s", said(in, "kind"));
    } else {
        free(text);
    }
    run->unsaid += wanted && to == NULL ? 1 : 0;
    jsonin_free(in);
}

/* A failure to keep a line (no memory) loses the line: the exit status is what counts. */
static void take_line(struct child_run *run)
{
    struct buf *to = is_message(&run->line, "summary")                       ? &run->summary
                     : is_message(&run->line, "unusual")                     ? &run->unusual
                     : is_message(&run->line, "error")                       ? &run->problem
                     : is_error_finding(&run->line) && run->finding.len == 0 ? &run->finding
                                                                             : NULL;
    if (to != NULL && !run->too_long) {
        to->len = 0;
        if (buf_append(to, run->line.data, run->line.len, NULL) < 0 || buf_append(to, "", 1, NULL) < 0)
            to->len = 0;
    }
    if (is_message(&run->line, "log"))
        keep_said(run);
    note_move(run);
    run->line.len = 0;
    run->too_long = false;
}

static void take(struct child_run *run, const char *data, size_t len)
{
    for (const char *end = data + len; data < end;) {
        const char *nl = memchr(data, '\n', (size_t)(end - data));
        size_t n = (size_t)((nl != NULL ? nl : end) - data);
        if (run->line.len + n > CHILD_RUN_LINE_MAX || buf_append(&run->line, data, n, NULL) < 0)
            run->too_long = true;
        if (nl != NULL)
            take_line(run);
        data += n + (nl != NULL ? 1 : 0);
    }
}

void child_run_read(struct child_run *run)
{
    char block[READ_BLOCK];
    while (!run->end_of_output) {
        ssize_t n = read(child_stdout(run->child), block, sizeof block);
        if (n < 0)
            return;
        if (n == 0)
            run->end_of_output = true;
        take(run, block, (size_t)n);
    }
}

bool child_run_ended(struct child_run *run)
{
    child_run_read(run);
    return child_ended(run->child);
}

void child_run_stop(struct child_run *run)
{
    /* It is not reaped before child_run_finish(), so the number is still its own. */
    (void)kill((pid_t)child_pid(run->child), SIGTERM);
}

static struct jsonin *parse(const struct buf *line)
{
    return line->len > 0 ? jsonin_parse((const char *)line->data, line->len - 1, NULL) : NULL;
}

/* In its own words: the error, else the first thing that it found broken, else its last line. */
static void explain(const struct child_run *run, const struct jsonin *problem, const struct error *why,
                    char out[CHILD_RUN_TEXT_MAX])
{
    char last[CHILD_LAST_LINE_MAX];
    struct jsonin *finding = parse(&run->finding);
    const char *text = said(problem, "message");
    if (text[0] == '\0' && finding != NULL)
        (void)snprintf(out, CHILD_RUN_TEXT_MAX, "%s: %s: %s", said(finding, "name"), said(finding, "where"),
                       said(finding, "text"));
    else if (text[0] != '\0')
        (void)snprintf(out, CHILD_RUN_TEXT_MAX, "%s", text);
    else if (child_last_line(run->child, last)[0] != '\0')
        (void)snprintf(out, CHILD_RUN_TEXT_MAX, "%s", last);
    else
        (void)snprintf(out, CHILD_RUN_TEXT_MAX, "%s", why->text);
    jsonin_free(finding);
}

void child_run_finish(struct child_run *run, struct child_run_result *result)
{
    struct error why = ERROR_INIT;
    /* What it wrote between the last look and its end. */
    child_run_read(run);
    *result =
        (struct child_run_result){ .summary = run->summary.len > 0 ? (const char *)run->summary.data : "",
                                   .unusual = run->unusual.len > 0 ? (const char *)run->unusual.data : "" };
    int rc = child_finish(run->child, &why);
    result->status = child_status(run->child);
    result->killed = result->status > 128;
    run_mark_end(&run->mark, result->killed && result->status != CLI_EXIT_INTERRUPTED);
    if (rc == 0)
        return;
    struct jsonin *problem = parse(&run->problem);
    const char *code = said(problem, "code");
    explain(run, problem, &why, result->text);
    result->no_memory = strcmp(code, error_code_name(E_NOMEM)) == 0;
    /* Storage libraries may abort on a damaged packet: another try is another connection. */
    result->passing = result->killed || strcmp(code, error_code_name(E_RETRY)) == 0 ||
                      strcmp(code, error_code_name(E_BUSY)) == 0;
    jsonin_free(problem);
}

void child_run_each_said(const struct child_run *run, child_run_said_fn *fn, void *arg)
{
    for (size_t i = 0; i < run->said.len; i++)
        fn(vec_at(&run->said, i), arg);
    char text[64];
    (void)snprintf(text, sizeof text, "%zu more warnings or alarms are left out", run->unsaid);
    const struct child_run_said more = { .text = text };
    if (run->unsaid != 0)
        fn(&more, arg);
}

void child_run_free(struct child_run *run)
{
    fd_drop(&run->pidfd);
    child_free(run->child);
    run->child = NULL;
    run_mark_end(&run->mark, true); /* when its end was not waited for: it was killed right now */
    buf_free(&run->line);
    buf_free(&run->summary);
    buf_free(&run->unusual);
    buf_free(&run->problem);
    buf_free(&run->finding);
    for (size_t i = 0; i < run->said.len; i++)
        free(((struct child_run_said *)vec_at(&run->said, i))->text);
    vec_free(&run->said);
}
