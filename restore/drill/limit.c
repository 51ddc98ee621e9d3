#include "restore/drill/limit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "common/sys/interrupt.h"

#include "common/base/banned.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static bool running;
static bool over;
static atomic_bool passed;
static struct timespec until;

static void *watch(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&mutex);
    int rc = 0;
    while (!over && rc == 0)
        rc = pthread_cond_clockwait(&wake, &mutex, CLOCK_MONOTONIC, &until);
    if (!over) {
        atomic_store(&passed, true);
        interrupt_request();
    }
    (void)pthread_mutex_unlock(&mutex);
    return NULL;
}

int drill_limit_start(uint64_t seconds, struct error *err)
{
    sigset_t all;
    sigset_t before;
    atomic_store(&passed, false);
    over = false;
    if (seconds == 0)
        return 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(seconds < INT32_MAX ? seconds : INT32_MAX);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    running = pthread_create(&thread, NULL, watch, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return running ? 0 : error_set(err, E_NOMEM, "a thread for the time limit could not be started");
}

bool drill_limit_passed(void)
{
    return atomic_load(&passed);
}

void drill_limit_end(void)
{
    if (running) {
        (void)pthread_mutex_lock(&mutex);
        over = true;
        (void)pthread_cond_signal(&wake);
        (void)pthread_mutex_unlock(&mutex);
        (void)pthread_join(thread, NULL);
        running = false;
    }
    if (atomic_load(&passed))
        interrupt_forget();
}
