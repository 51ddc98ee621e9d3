#include "backupd/daemon/pid1.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/banned.h"

bool pid1_is_first(void)
{
    return getpid() == 1;
}

/* Takes everything that has ended. True once that was the daemon. */
static bool reap(pid_t daemon, int *status)
{
    bool over = false;
    int how = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
        if (pid != daemon)
            continue;
        over = true;
        *status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
    }
    return over;
}

/* Signals are blocked, so that none is lost, also of those that process 1 would ignore. */
static void serve(pid_t daemon, const sigset_t *all, int *status)
{
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(all, &info);
        if (number == SIGCHLD && reap(daemon, status))
            return;
        if (number > 0 && number != SIGCHLD)
            (void)kill(daemon, number);
    }
}

int pid1_split(int *status, struct error *err)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    if (sigprocmask(SIG_BLOCK, &all, &before) < 0)
        return error_sys(err, "wait for signals");
    pid_t daemon = fork();
    if (daemon < 0)
        return error_sys(err, "start the daemon beside process 1");
    if (daemon == 0) {
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        return PID1_CHILD;
    }
    serve(daemon, &all, status);
    return PID1_PARENT;
}
