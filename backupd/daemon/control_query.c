/* What only reads: `backupd VERB` in a process of its own, so that neither a big history nor a slow disk holds up the loop. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backupd/daemon/control.h"
#include "common/base/str.h"
#include "common/sys/child.h"
#include "common/sys/fdio.h"
#include "common/sys/poll_loop.h"

#include "common/base/banned.h"

enum { READ_BLOCK = 16 * 1024, NUMBER_LEN = 32, ARGS_MAX = CONTROL_JOBS_MAX + 16 };

/* The words of a command line; they live as long as the request. */
struct words {
    const char *argv[ARGS_MAX];
    size_t n;
    char number[NUMBER_LEN];
};

static void add(struct words *w, const char *text)
{
    w->argv[w->n++] = text;
}

bool control_is_query(const char *verb)
{
    static const char *const verbs[] = { "status", "history", "show", "schedule" };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i], verb) == 0)
            return true;
    return false;
}

/* One number that a verb knows under this name. */
static void add_number(struct words *w, const struct jsonin *in, const char *key, const char *option)
{
    uint64_t n = jsonflat_number(in, key, 0);
    if (n == 0)
        return;
    (void)snprintf(w->number, sizeof w->number, "%llu", (unsigned long long)n);
    add(w, option);
    add(w, w->number);
}

static int make_words(const struct supervisor *s, const struct client *c, struct words *w, struct error *err)
{
    const char *verb = jsonflat_text(c->request, "verb");
    size_t n = jsonflat_count(c->request, "jobs");
    if (n > CONTROL_JOBS_MAX)
        return error_set(err, E_USAGE, "more than %d jobs", (int)CONTROL_JOBS_MAX);
    add(w, s->options->program);
    add(w, jsonflat_true(c->request, "json") ? "--json" : "--no-color");
    add(w, "--config");
    add(w, supervisor_configuration(s));
    add(w, verb);
    add(w, "--direct");
    if (strcmp(verb, "history") == 0)
        add_number(w, c->request, "lines", "--lines");
    if (strcmp(verb, "history") == 0 && jsonflat_true(c->request, "only_runs"))
        add(w, "--runs");
    if (strcmp(verb, "schedule") == 0)
        add_number(w, c->request, "next", "--next");
    add(w, "--"); /* what comes from outside is no option */
    for (size_t i = 0; i < n; i++) {
        const char *name = jsonflat_text_at(c->request, "jobs", i);
        if (name == NULL)
            return error_set(err, E_USAGE, "a job's name is a text");
        add(w, name);
    }
    if (jsonflat_text(c->request, "what") != NULL)
        add(w, jsonflat_text(c->request, "what"));
    add(w, NULL);
    return 0;
}

void control_query_start(struct supervisor *s, struct client *c)
{
    const struct child_options options = { .want_stdout = true,
                                           .outlives_stop = true,
                                           .timeout_ms = 1000U * CONTROL_QUERY_TIMEOUT };
    struct words words = { .n = 0 };
    struct error why = ERROR_INIT;
    int rc = make_words(s, c, &words, &why);
    if (rc == 0 && (c->query = child_start(words.argv, &options, &why)) == NULL)
        rc = why.code;
    if (rc == 0 && (rc = poll_process(child_pid(c->query), &why)) >= 0) {
        c->query_pidfd = rc;
        int flags = fcntl(child_stdout(c->query), F_GETFL);
        rc = flags >= 0 && fcntl(child_stdout(c->query), F_SETFL, flags | O_NONBLOCK) == 0
                 ? 0
                 : error_sys(&why, "ask");
    }
    c->state = CLIENT_QUERY;
    c->until = supervisor_now() + CONTROL_QUERY_TIMEOUT + CONTROL_TIMEOUT;
    if (rc < 0) {
        control_query_free(c);
        control_answer(c, cli_exit_code(rc), why.text, NULL);
    }
}

/* "backupd: status: 1 of 2 jobs is not well" without what comes before the words. */
static const char *message_of(const struct client *c, const char *line)
{
    static const char program[] = "backupd: ";
    const char *verb = jsonflat_text(c->request, "verb");
    size_t len = strlen(verb);
    if (str_starts(line, program))
        line += sizeof program - 1;
    return strncmp(line, verb, len) == 0 && line[len] == ':' && line[len + 1] == ' ' ? line + len + 2 : line;
}

static void finish(struct client *c)
{
    char line[CHILD_LAST_LINE_MAX];
    struct error why = ERROR_INIT;
    int rc = child_finish(c->query, &why);
    int status = child_status(c->query);
    const char *said = child_last_line(c->query, line);
    if (c->output.len > CONTROL_OUTPUT_MAX) {
        c->output.len = 0;
        control_answer(c, CLI_EXIT_FAILED, "the answer is too long: ask for less (--lines)", NULL);
    } else {
        control_answer(c, rc < 0 && status == 0 ? CLI_EXIT_FAILED : status,
                       rc == 0           ? NULL
                       : said[0] != '\0' ? message_of(c, said)
                                         : why.text,
                       NULL);
    }
    control_query_free(c);
}

void control_query_look(struct client *c)
{
    char block[READ_BLOCK];
    /* Before the end is looked at: what it wrote last is there then. */
    bool ended = child_ended(c->query);
    while (!c->output_over) {
        ssize_t n = read(child_stdout(c->query), block, sizeof block);
        if (n < 0)
            break;
        if (n == 0)
            c->output_over = true;
        if (c->output.len > CONTROL_OUTPUT_MAX)
            child_kill(c->query);
        else if (buf_append(&c->output, block, (size_t)n, NULL) < 0)
            child_kill(c->query);
    }
    if (ended)
        finish(c);
}

void control_query_free(struct client *c)
{
    fd_drop(&c->query_pidfd);
    child_free(c->query);
    c->query = NULL;
}
