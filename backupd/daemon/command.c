#include "backupd/daemon/command.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

#define RESTORE "restore"

/* Borrows text. NULL is a lack of memory that came before. */
static int add(struct run_command *c, const char *text, struct error *err)
{
    const char **slot = text != NULL ? vec_push(&c->argv, err) : NULL;
    if (slot == NULL)
        return E_NOMEM;
    *slot = text;
    return 0;
}

static const char *keep(struct run_command *c, char *text, struct error *err)
{
    char **slot = text != NULL ? vec_push(&c->owned, err) : NULL;
    if (slot == NULL)
        free(text);
    else
        *slot = text;
    return slot != NULL ? text : NULL;
}

/* Beside the program that runs, also when its file has been replaced since. */
static const char *restore_program(struct run_command *c, const char *program, struct error *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink(program, self, sizeof self - 1);
    if (n < 0 && strchr(program, '/') == NULL)
        return RESTORE;
    self[n > 0 ? n : 0] = '\0';
    char *dir = path_dir(n > 0 ? self : program, err);
    const char *path = keep(c, dir != NULL ? path_join(dir, RESTORE, err) : NULL, err);
    free(dir);
    return path == NULL || access(path, X_OK) == 0 ? path : RESTORE;
}

static int add_all(struct run_command *c, const char *const words[], struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && words[i] != NULL; i++)
        rc = add(c, words[i], err);
    return rc;
}

static int expire(struct run_command *c, const struct conf_job *task, struct error *err)
{
    const char *const words[] = { "expire", "--repository", task->repository, NULL };
    return add_all(c, words, err);
}

static int verify(struct run_command *c, const struct conf_job *task, struct error *err)
{
    const char *every =
        keep(c, str_printf(err, "--rotate=%llus", (unsigned long long)(task->every_ms / 1000)), err);
    const char *const words[] = { "verify", "--repo", task->repository, NULL };
    int rc = add_all(c, words, err);
    if (rc == 0)
        rc = add(c, every, err);
    if (rc == 0 && task->level == CONF_LEVEL_L1)
        rc = add(c, "--level=L1", err);
    if (rc == 0 && task->level == CONF_LEVEL_L3)
        rc = add(c, "--level=L3", err);
    if (rc == 0 && task->kit != NULL && (rc = add(c, "--kit", err)) == 0)
        rc = add(c, task->kit, err);
    return rc;
}

static int drill(struct run_command *c, const struct conf_job *task, struct error *err)
{
    const char *const words[] = { "drill", "run", "--repo", task->repository, NULL };
    int rc = add_all(c, words, err);
    if (rc == 0 && task->kit != NULL && (rc = add(c, "--kit", err)) == 0)
        rc = add(c, task->kit, err);
    return rc;
}

static int add_task(struct run_command *c, const struct conf_job *task, struct error *err)
{
    int rc = task->task == CONF_TASK_EXPIRE   ? expire(c, task, err)
             : task->task == CONF_TASK_VERIFY ? verify(c, task, err)
                                              : drill(c, task, err);
    if (rc == 0 && task->arguments.names != NULL)
        rc = add_all(c, task->arguments.names, err);
    if (rc == 0 && task->selector != NULL && (rc = add(c, "--", err)) == 0)
        rc = add(c, task->selector, err);
    return rc;
}

int run_command_make(struct run_command *c, const char *program, const char *config,
                     const struct conf_job *job, struct error *err)
{
    const char *const head[] = { "--json", "--config", config, NULL };
    bool restores = job->task == CONF_TASK_VERIFY || job->task == CONF_TASK_DRILL;
    *c = (struct run_command){ .argv = VEC_OF(const char *), .owned = VEC_OF(char *) };
    int rc = add(c, restores ? restore_program(c, program, err) : program, err);
    if (rc == 0)
        rc = add_all(c, head, err);
    if (rc == 0 && job->task != CONF_TASK_NONE)
        rc = add_task(c, job, err);
    else if (rc == 0 && (rc = add(c, "backup", err)) == 0)
        rc = add(c, job->name, err);
    const char **end = rc == 0 ? vec_push(&c->argv, err) : NULL;
    if (end != NULL)
        *end = NULL;
    else
        run_command_free(c);
    return end != NULL ? 0 : E_NOMEM;
}

const char *const *run_command_argv(const struct run_command *c)
{
    return vec_at(&c->argv, 0);
}

void run_command_free(struct run_command *c)
{
    for (size_t i = 0; i < c->owned.len; i++)
        free(*(char **)vec_at(&c->owned, i));
    vec_free(&c->owned);
    vec_free(&c->argv);
}
