#include "backupd/daemon/alarms.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"

#include "common/base/banned.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char texts[ALARMS_MAX][ALARMS_TEXT_MAX];
static size_t first;
static size_t count;
static size_t lost;
static _Thread_local bool quiet_here;

static void hear(enum log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level != LOG_ALARM || quiet_here)
        return;
    (void)pthread_mutex_lock(&lock);
    if (count == ALARMS_MAX) {
        first = (first + 1) % ALARMS_MAX;
        count--;
        lost++;
    }
    (void)snprintf(texts[(first + count) % ALARMS_MAX], ALARMS_TEXT_MAX, "%s", text);
    count++;
    (void)pthread_mutex_unlock(&lock);
}

void alarms_listen(void)
{
    log_tap(hear, NULL);
}

bool alarms_wait(void)
{
    (void)pthread_mutex_lock(&lock);
    bool any = count > 0;
    (void)pthread_mutex_unlock(&lock);
    return any;
}

bool alarms_take(char out[ALARMS_TEXT_MAX])
{
    (void)pthread_mutex_lock(&lock);
    bool any = count > 0;
    if (any && lost > 0)
        (void)snprintf(out, ALARMS_TEXT_MAX, "%zu alarms before this one were too many to keep: %.900s", lost,
                       texts[first]);
    else if (any)
        (void)snprintf(out, ALARMS_TEXT_MAX, "%s", texts[first]);
    if (any) {
        lost = 0;
        first = (first + 1) % ALARMS_MAX;
        count--;
    }
    (void)pthread_mutex_unlock(&lock);
    return any;
}

void alarms_quiet(bool quiet)
{
    quiet_here = quiet;
}
