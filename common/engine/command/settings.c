#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/command/internal.h"
#include "common/engine/option.h"

#include "common/base/banned.h"

enum { DAY_S = 86400, TIMEOUT_MAX_S = 28 * DAY_S, STALL_S = 3600, MIN_SIZE = 1 };

#define MIN_SIZE_MAX ((uint64_t)1 << 50) /* the longest stream the format has */

static void list_free(char **list)
{
    for (char **at = list; at != NULL && *at != NULL; at++)
        free(*at);
    free(list);
}

/* All values of one option and room for one more. */
static char **list_read(const struct engine_job *job, const char *key, struct error *err)
{
    size_t n = option_count(job, key);
    size_t bytes = 0;
    if (n > COMMAND_ARGS_MAX) {
        (void)error_set(err, E_USAGE, "job %s: %s has %zu items (limit %d)", job->name, key, n,
                        COMMAND_ARGS_MAX);
        return NULL;
    }
    char **list = mem_alloc(n + 2, sizeof *list, err);
    for (size_t i = 0; list != NULL && i < n; i++) {
        const char *value = option_at(job, key, i);
        bytes += strlen(value) + 1;
        if (bytes > COMMAND_BYTES_MAX)
            (void)error_set(err, E_USAGE, "job %s: %s is longer than %d bytes", job->name, key,
                            COMMAND_BYTES_MAX);
        else
            list[i] = str_dup(value, err);
        if (list[i] == NULL) {
            list_free(list);
            return NULL;
        }
    }
    return list;
}

/* The stages of `command`: as list_read, with a NULL behind each stage instead of the mark between them. */
static int stages_read(const struct engine_job *job, struct command_settings *s, struct error *err)
{
    size_t bytes = 0;
    size_t start = 0;
    s->nargs = option_count(job, "command");
    if (s->nargs > COMMAND_ARGS_MAX)
        return error_set(err, E_USAGE, "job %s: command has %zu items (limit %d)", job->name, s->nargs,
                         COMMAND_ARGS_MAX);
    s->nargs++;
    s->args = mem_alloc(s->nargs + 1, sizeof *s->args, err);
    if (s->args == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < s->nargs; i++) {
        const char *value = option_at(job, "command", i); /* NULL: another list begins, or the end */
        bytes += value != NULL ? strlen(value) + 1 : 1;
        if (bytes > COMMAND_BYTES_MAX)
            return error_set(err, E_USAGE, "job %s: command is longer than %d bytes", job->name,
                             COMMAND_BYTES_MAX);
        if (value != NULL && (s->args[i] = str_dup(value, err)) == NULL)
            return E_NOMEM;
        if (value != NULL)
            continue;
        if (s->nstages == PRODUCER_STAGES_MAX)
            return error_set(err, E_USAGE, "job %s: command is a pipeline of more than %d programs",
                             job->name, PRODUCER_STAGES_MAX);
        s->stages[s->nstages++] = (const char *const *)s->args + start;
        start = i + 1;
    }
    return 0;
}

static bool is_file(const char *path)
{
    struct stat st;
    return path[0] == '/' && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A line for a shell would be taken for a program with blanks in its name. */
static int check_program(const struct engine_job *job, const char *const *argv, struct error *err)
{
    const char *program = argv[0];
    if (program == NULL || program[0] == '\0')
        return error_set(err, E_USAGE, "job %s: the option `command` must name a program", job->name);
    if (argv[1] == NULL && strpbrk(program, " \t\n") != NULL && !is_file(program))
        return error_set(err, E_USAGE,
                         "job %s: no shell reads `command`; write program and arguments as a list: command: "
                         "[pg_dump, -Fc, shop]",
                         job->name);
    if (program[0] != '/' && strchr(program, '/') != NULL)
        return error_set(
            err, E_USAGE,
            "job %s: the program \"%s\" of `command` needs its whole path (/usr/...), or a plain "
            "name that is found in PATH",
            job->name, program);
    return 0;
}

static size_t variable_name(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t len = strspn(text, allowed);
    return len > 0 && (text[0] < '0' || text[0] > '9') && text[len] == '=' ? len : 0;
}

static int check_env(const struct engine_job *job, char *const *env, struct error *err)
{
    for (size_t i = 0; env[i] != NULL; i++) {
        size_t len = variable_name(env[i]);
        if (len == 0) /* not shown whole: it may be half a secret */
            return error_set(err, E_USAGE, "job %s: item %zu of `env` is no NAME=value", job->name, i + 1);
        for (size_t j = 0; j < i; j++)
            if (strncmp(env[j], env[i], len + 1) == 0)
                return error_set(err, E_USAGE, "job %s: `env` has %.*s twice", job->name, (int)len, env[i]);
    }
    return 0;
}

/* Programs that look for their user's files want to know it; child.h passes the rest. */
static int add_user(char **env, struct error *err)
{
    const char *user = getenv("USER");
    size_t n = 0;
    for (; env[n] != NULL; n++)
        if (str_starts(env[n], "USER="))
            return 0;
    if (user == NULL)
        return 0;
    env[n] = str_printf(err, "USER=%s", user);
    return env[n] != NULL ? 0 : E_NOMEM;
}

static int read_lists(const struct engine_job *job, struct command_settings *s, struct error *err)
{
    struct error why = ERROR_INIT;
    if ((s->env = list_read(job, "env", &why)) == NULL)
        return error_copy(err, &why);
    int rc = stages_read(job, s, err);
    for (size_t i = 0; rc == 0 && i < s->nstages; i++)
        rc = check_program(job, s->stages[i], err);
    rc = rc < 0 ? rc : check_env(job, s->env, err);
    return rc < 0 ? rc : add_user(s->env, err);
}

int command_settings_read(const struct engine_job *job, struct command_settings *out, struct error *err)
{
    *out = (struct command_settings){ .last_bytes = job->last_bytes, .last_known = job->last_known };
    const char *dir = engine_option(job, "dir");
    int rc = read_lists(job, out, err);
    rc = rc < 0 ? rc : option_stream_name(job, out->stages[0][0], &out->name, err);
    rc = rc < 0 ? rc : option_size(job, "min_size", MIN_SIZE, MIN_SIZE_MAX, &out->min_size, err);
    rc = rc < 0 ? rc : option_duration(job, "timeout", DAY_S, 1, TIMEOUT_MAX_S, &out->timeout_ms, err);
    rc = rc < 0 ? rc : option_duration(job, "stall_timeout", STALL_S, 1, TIMEOUT_MAX_S, &out->stall_ms, err);
    rc = rc < 0 ? rc : command_mark_read(job, "begin_mark", &out->begin, err);
    rc = rc < 0 ? rc : command_mark_read(job, "end_mark", &out->end, err);
    rc = rc < 0 ? rc : option_percent(job, "max_shrink", 100, &out->max_shrink, err);
    rc = rc < 0 ? rc : option_flag(job, "allow_visible_secrets", false, &out->visible_secrets, err);
    if (rc == 0 && dir != NULL && (out->dir = str_dup(dir, err)) == NULL)
        rc = E_NOMEM;
    if (rc < 0)
        command_settings_free(out);
    return rc;
}

void command_settings_free(struct command_settings *s)
{
    for (size_t i = 0; s->args != NULL && i < s->nargs; i++)
        free(s->args[i]);
    free(s->args);
    list_free(s->env);
    free(s->dir);
    free(s->name);
    *s = (struct command_settings){ .args = NULL };
}
