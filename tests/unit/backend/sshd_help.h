/*
 * sshd_help.h - a private sshd for the tests of the SFTP backend (tests/fixture/sshd.sh).
 *
 *     struct server server;
 *     server_start(&server, NULL);                 // or options of sshd.sh, ended by NULL
 *     struct sftp_options o = server_options(&server, "admin");
 *     server_stop(&server);
 *
 * The fixture is found below $TEST_ROOT, else below the current directory.
 */
#ifndef TESTS_UNIT_BACKEND_SSHD_HELP_H
#define TESTS_UNIT_BACKEND_SSHD_HELP_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/backend/sftp.h"
#include "common/base/number.h"

#define UNUSED_OK __attribute__((unused))

enum { HELP_ARGS = 24, HELP_PATH = 300 };

struct server {
    char dir[64];
    char user[64];
    char path[256];
    char key[128];
    char known_hosts[128];
    unsigned port;
};

static void give_up(const char *what, const char *detail)
{
    (void)fprintf(stderr, "%s: %s\n", what, detail);
    _exit(99);
}

/* Runs a program; its standard output goes to `out` (NULL: dropped). Returns the exit status. */
static int run_program(const char *const *args, char *out, size_t cap)
{
    int pipes[2];
    char *copy[HELP_ARGS + 1] = { NULL };
    for (size_t i = 0; i < HELP_ARGS && args[i] != NULL; i++)
        copy[i] = strdup(args[i]);
    if (pipe2(pipes, O_CLOEXEC) < 0)
        give_up("pipe", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork", strerror(errno));
    if (pid == 0) {
        (void)dup2(pipes[1], STDOUT_FILENO);
        (void)execvp(copy[0], copy);
        _exit(127);
    }
    (void)close(pipes[1]);
    size_t used = 0;
    char rest[256];
    for (;;) {
        bool keep = out != NULL && used + 1 < cap;
        ssize_t n = read(pipes[0], keep ? out + used : rest, keep ? cap - used - 1 : sizeof rest);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        if (keep)
            used += (size_t)n;
    }
    if (out != NULL && cap > 0)
        out[used] = '\0';
    (void)close(pipes[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    for (size_t i = 0; i < HELP_ARGS; i++)
        free(copy[i]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static UNUSED_OK void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        give_up(path, strerror(errno));
}

/* The whole file, without the last line end. */
static void read_text(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        give_up(path, strerror(errno));
    size_t n = fread(out, 1, cap - 1, f);
    (void)fclose(f);
    if (n > 0 && out[n - 1] == '\n')
        n--;
    out[n] = '\0';
}

static void server_file(const struct server *s, const char *name, char *out, size_t cap)
{
    char path[HELP_PATH];
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, name);
    read_text(path, out, cap);
}

static void server_run(const struct server *s, const char *action, const char *const *options, char *out,
                       size_t cap)
{
    const char *root = getenv("TEST_ROOT");
    char script[HELP_PATH];
    (void)snprintf(script, sizeof script, "%s/tests/fixture/sshd.sh", root != NULL ? root : ".");
    const char *args[HELP_ARGS + 1] = { script, action, s->dir, NULL };
    for (size_t i = 0; options != NULL && options[i] != NULL && i + 3 < HELP_ARGS; i++)
        args[i + 3] = options[i];
    if (run_program(args, out, cap) != 0)
        give_up(script, "failed; tests run from the root of the tree or with TEST_ROOT set to it");
}

/* action, then options up to a NULL, or NULL for none. */
static void server_do(const struct server *s, const char *action, const char *const *options)
{
    server_run(s, action, options, NULL, 0);
}

static UNUSED_OK void server_ask(const struct server *s, const char *action, char *out, size_t cap)
{
    server_run(s, action, NULL, out, cap);
}

/* Reads again what the fixture wrote. */
static void server_look(struct server *s)
{
    char text[32];
    uint64_t port = 0;
    server_file(s, "port", text, sizeof text);
    if (number_parse(text, 1, 65535, &port, NULL) < 0)
        give_up("port", text);
    s->port = (unsigned)port;
    server_file(s, "user", s->user, sizeof s->user);
    server_file(s, "path", s->path, sizeof s->path);
    (void)snprintf(s->known_hosts, sizeof s->known_hosts, "%s/known_hosts", s->dir);
}

static void server_start(struct server *s, const char *const *options)
{
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/backend-test.XXXXXX");
    if (mkdtemp(s->dir) == NULL)
        give_up("mkdtemp", strerror(errno));
    server_do(s, "start", options);
    server_look(s);
}

static void server_stop(const struct server *s)
{
    server_do(s, "stop", NULL);
    const char *args[] = { "rm", "-rf", "--", s->dir, NULL };
    (void)run_program(args, NULL, 0);
}

/* role: "admin", "writer", "retention" or "reader". The strings live in s. */
static struct sftp_options server_options(struct server *s, const char *role)
{
    (void)snprintf(s->key, sizeof s->key, "%s/%s_key", s->dir, role);
    return (struct sftp_options){
        .host = "127.0.0.1",
        .port = s->port,
        .user = s->user,
        .path = s->path,
        .key_file = s->key,
        .known_hosts = s->known_hosts,
        .stall_ms = 10000,
        .deadline_ms = 60000,
    };
}

#endif
