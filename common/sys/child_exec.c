#include "common/sys/child_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/sys/limits.h"
#include "common/sys/confine.h"
#include "common/sys/sweep.h"
#include "common/base/banned.h"

/* The last two: by them processes are found that a killed one has left behind (sweep.h). */
static const char *const inherited[] = { "PATH", "HOME", "LANG", "TZ", "TMPDIR", SWEEP_RUN, SWEEP_CHILD };

enum { INHERITED = sizeof inherited / sizeof inherited[0] };

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* True when `more` sets the variable of the first `len` bytes of `name`. */
static bool is_set(const char *const *more, const char *name)
{
    size_t len = strlen(name);
    for (; more != NULL && *more != NULL; more++)
        if (strncmp(*more, name, len) == 0 && (*more)[len] == '=')
            return true;
    return false;
}

/* mark: "NAME=value", or "". */
static char **make_env(const char *const *more, const char *mark, struct error *err)
{
    const char *const own[] = { *mark != '\0' ? mark : NULL, NULL };
    size_t count = INHERITED + 2;
    for (size_t i = 0; more != NULL && more[i] != NULL; i++)
        count++;
    char **env = mem_alloc(count, sizeof *env, err);
    size_t n = 0;
    for (size_t i = 0; env != NULL && i < INHERITED; i++) {
        const char *value = getenv(inherited[i]);
        if (value == NULL || is_set(more, inherited[i]) || is_set(own, inherited[i]))
            continue;
        if ((env[n++] = str_printf(err, "%s=%s", inherited[i], value)) == NULL)
            goto fail;
    }
    for (size_t i = 0; env != NULL && more != NULL && more[i] != NULL; i++)
        if ((env[n++] = str_dup(more[i], err)) == NULL)
            goto fail;
    if (env != NULL && own[0] != NULL && (env[n++] = str_dup(mark, err)) == NULL)
        goto fail;
    return env;
fail:
    for (size_t i = 0; i < n; i++)
        free(env[i]);
    free(env);
    return NULL;
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The path of the program; empty components of PATH (the current directory) are passed over. */
static char *find_program(const char *name, struct error *err)
{
    if (strchr(name, '/') != NULL)
        return str_dup(name, err);
    const char *path = getenv("PATH");
    for (const char *at = path != NULL ? path : default_path; *at != '\0';) {
        size_t len = strcspn(at, ":");
        char *full = len != 0 ? str_printf(err, "%.*s/%s", (int)len, at, name) : NULL;
        if (full == NULL && len != 0)
            return NULL;
        if (full != NULL && is_program(full))
            return full;
        free(full);
        at += len + (at[len] == ':');
    }
    (void)error_set(err, E_NOT_FOUND, "program %s is not installed (not found in PATH)", name);
    return NULL;
}

char *child_find(const char *name, struct error *err)
{
    char *path = NULL;
    if (*name == '\0')
        (void)error_set(err, E_USAGE, "no program to run");
    else
        path = find_program(name, err);
    if (path == NULL || is_program(path))
        return path;
    struct stat st;
    if (stat(path, &st) < 0)
        (void)error_sys(err, "program %s", path);
    else
        (void)error_set(err, E_DENIED, "program %s: this user cannot execute it", path);
    free(path);
    return NULL;
}

/* "/proc/self/exe was ended by signal 9" says nothing to anybody. */
static int name_self(struct child_image *image, struct error *err)
{
    size_t n = 0;
    while (image->argv[n] != NULL)
        n++;
    image->own = mem_alloc(n + 1, sizeof *image->own, err);
    if (image->own == NULL)
        return E_NOMEM;
    memcpy(image->own, image->argv, n * sizeof *image->own);
    image->own[0] = program_invocation_short_name;
    image->argv = image->own;
    return 0;
}

int child_image_init(struct child_image *image, const char *const argv[], const struct child_options *opt,
                     const char *mark, struct error *err)
{
    struct error why = ERROR_INIT;
    *image = (struct child_image){ .argv = argv,
                                   .dir = opt->dir,
                                   .keep = opt->keep,
                                   .limits = opt->limits,
                                   .confine = opt->confine,
                                   .stdin_fd = -1,
                                   .stdout_fd = -1,
                                   .stderr_fd = -1,
                                   .error_fd = -1 };
    if (argv[0] == NULL || *argv[0] == '\0')
        return error_set(err, E_USAGE, "no program to run");
    if ((image->path = find_program(argv[0], &why)) == NULL ||
        (image->env = make_env(opt->env, mark, &why)) == NULL) {
        child_image_free(image);
        return error_copy(err, &why);
    }
    return strcmp(argv[0], CHILD_SELF) == 0 ? name_self(image, err) : 0;
}

void child_image_free(struct child_image *image)
{
    for (char **e = image->env; e != NULL && *e != NULL; e++)
        free(*e);
    free(image->env);
    free(image->own);
    free(image->path);
    image->own = NULL;
    image->env = NULL;
    image->path = NULL;
}

static _Noreturn void give_up(int error_fd)
{
    int code = errno;
    (void)!write(error_fd, &code, sizeof code);
    _exit(127);
}

static void default_signals(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t none;
    (void)sigemptyset(&action.sa_mask);
    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &action, NULL); /* SIGKILL, SIGSTOP and the C library's own refuse */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* dup2 clears close-on-exec, except when both numbers are the same. */
static bool place(int from, int to)
{
    if (from == to)
        return fcntl(to, F_SETFD, 0) == 0;
    return dup2(from, to) == to;
}

/* Among processes of its own it cannot see its parent: but the other end of the pipe goes with that. */
static bool has_parent(const struct child_image *image, long parent)
{
    struct pollfd end = { .fd = image->error_fd };
    if (image->confine == NULL || !image->confine->alone)
        return (long)getppid() == parent;
    return poll(&end, 1, 0) >= 0 && (end.revents & POLLERR) == 0;
}

_Noreturn void child_image_exec(const struct child_image *image, long parent)
{
    union {
        const char *const *from;
        char *const *to;
    } argv = { .from = image->argv }; /* execve does not change the strings, its type only says so */
    default_signals();
    if (setpgid(0, 0) < 0)
        give_up(image->error_fd);
    if (image->confine != NULL && !confine_enter(image->confine, image->path))
        give_up(image->error_fd);
    /* After the account changed, which forgets it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        give_up(image->error_fd);
    if (!has_parent(image, parent))
        _exit(127);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd < 0 || !place(image->stdin_fd >= 0 ? image->stdin_fd : null_fd, 0) ||
        !place(image->stdout_fd >= 0 ? image->stdout_fd : null_fd, 1) || !place(image->stderr_fd, 2))
        give_up(image->error_fd);
    (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* an old kernel: ours are close-on-exec anyway */
    for (const int *fd = image->keep; fd != NULL && *fd >= 0; fd++)
        if (fcntl(*fd, F_SETFD, 0) < 0)
            give_up(image->error_fd);
    if (image->dir != NULL && chdir(image->dir) < 0)
        give_up(image->error_fd);
    /* Last: what comes before must not fail for them. */
    if (image->limits != NULL && !process_limits_set(image->limits))
        give_up(image->error_fd);
    (void)execve(image->path, argv.to, image->env);
    give_up(image->error_fd);
}
