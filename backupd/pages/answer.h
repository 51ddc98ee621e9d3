/*
 * answer.h - what the server says to a path (inside pages/).
 *
 *     struct answers *a = answers_new(cli, daemon_fd, err);
 *     answer(a, "/metrics", &reply);              // reply.body lives until the next call
 *     answers_free(a);
 *
 * Everything that it will read is opened by answers_new: files can be shut afterwards.
 */
#ifndef BACKUPD_PAGES_ANSWER_H
#define BACKUPD_PAGES_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/cli/cli.h"

struct answers;

struct reply {
    unsigned status;
    const char *type; /* Content-Type */
    const void *body;
    size_t len;
};

struct answers *answers_new(struct cli_context *cli, int daemon_fd, struct error *err);
void answer(struct answers *a, const char *path, struct reply *reply);
/* Something cannot be read any more that could be at the start: a new process has to try. */
bool answers_are_over(const struct answers *a);
/* The Content-Security-Policy that fits the page. */
const char *answers_policy(const struct answers *a);
void answers_free(struct answers *a);

#endif
