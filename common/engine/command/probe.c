#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/engine/command/internal.h"
#include "common/engine/redact.h"
#include "common/sys/child.h"

#include "common/base/banned.h"

enum { WHAT_MAX = 1200 };

/* cron and systemd look in few places. */
static bool found_everywhere(const char *path)
{
    static const char *const places[] = { "/usr/bin/", "/bin/" };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (str_starts(path, places[i]) && strchr(path + strlen(places[i]), '/') == NULL)
            return true;
    return false;
}

static void check_program(const struct engine_job *job, const char *program, engine_finding_fn *fn, void *arg)
{
    struct error why = ERROR_INIT;
    char what[WHAT_MAX];
    char cure[WHAT_MAX];
    char *path = child_find(program, &why);
    if (path == NULL) {
        fn(true, why.text,
           why.code == E_DENIED ? "give this user the right to execute it, or run backupd as one that may"
                                : "install it, or give its whole path in `command`",
           arg);
    } else if (job->preflight && program[0] != '/' && !found_everywhere(path)) {
        (void)snprintf(what, sizeof what, "%s is found as %s through the PATH of this shell", program, path);
        (void)snprintf(cure, sizeof cure, "cron and systemd have another PATH: write %s in `command`", path);
        fn(false, what, cure, arg);
    }
    free(path);
}

static void check_dir(const struct command_settings *s, engine_finding_fn *fn, void *arg)
{
    struct stat st;
    char what[WHAT_MAX];
    if (s->dir == NULL)
        return;
    if (stat(s->dir, &st) < 0)
        (void)snprintf(what, sizeof what, "the directory %s: %s", s->dir, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        (void)snprintf(what, sizeof what, "%s is no directory", s->dir);
    else if (access(s->dir, X_OK) < 0)
        (void)snprintf(what, sizeof what, "the directory %s: %s", s->dir, strerror(errno));
    else
        return;
    fn(true, what, "correct the job's `dir`, or the rights on it", arg);
}

static void secret_found(const struct command_settings *s, const char *what, engine_finding_fn *fn, void *arg)
{
    fn(!s->visible_secrets, what,
       "put it into a file that the program reads and only its user may open (.pgpass, .my.cnf and the like); if it "
       "is no secret, say so with `allow_visible_secrets: yes`",
       arg);
}

static void check_secrets(const struct command_settings *s, engine_finding_fn *fn, void *arg)
{
    char what[WHAT_MAX];
    for (size_t i = 0; i < s->nstages; i++) {
        for (size_t j = 0; s->stages[i][j] != NULL; j++) {
            if (!redact_finds_at(s->stages[i], j))
                continue;
            (void)snprintf(
                what, sizeof what,
                "argument %zu of %s in `command` seems to hold a password: everybody on this host can see "
                "it in `ps`",
                j, s->stages[i][0]);
            secret_found(s, what, fn, arg);
        }
    }
    for (size_t i = 0; s->env[i] != NULL; i++) {
        if (!redact_finds(s->env[i]))
            continue;
        (void)snprintf(
            what, sizeof what,
            "item %zu of `env` seems to hold a password: an environment is handed on to every program, and "
            "root and this user can read it",
            i + 1);
        secret_found(s, what, fn, arg);
    }
}

static void check_floor(const struct command_settings *s, engine_finding_fn *fn, void *arg)
{
    if (s->min_size == 0)
        fn(false, "`min_size` is 0: an empty output counts as a backup",
           "set `min_size` to what a good output never falls below", arg);
    else if (s->min_size == 1 && s->end.len == 0 && s->max_shrink == 100)
        fn(false, "any output of a byte or more counts as a backup",
           "set `min_size` to what a good output never falls below, or `end_mark` to what it ends with", arg);
}

int command_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err)
{
    struct command_settings s;
    int rc = command_settings_read(job, &s, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < s.nstages; i++)
        check_program(job, s.stages[i][0], fn, arg);
    check_dir(&s, fn, arg);
    check_secrets(&s, fn, arg);
    if (job->preflight)
        check_floor(&s, fn, arg);
    command_settings_free(&s);
    return 0;
}
