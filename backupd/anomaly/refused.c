/* A run that never began, because the storage showed a key that is not expected: said like what is unusual about others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/anomaly/anomaly.h"
#include "backupd/anomaly/detect_internal.h"
#include "common/backend/backend.h"
#include "common/base/log.h"
#include "common/base/number.h"

#include "common/base/banned.h"

/* The fingerprint that the error names; false when it names none. */
static bool fingerprint_in(const char *text, char out[BASELINE_IDENTITY_MAX])
{
    static const char head[] = "SHA256:";
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    const char *at = strstr(text, head);
    size_t n = at != NULL ? sizeof head - 1 + strspn(at + sizeof head - 1, digits) : 0;
    if (n == 0 || n >= BASELINE_IDENTITY_MAX)
        return false;
    memcpy(out, at, n);
    out[n] = '\0';
    return true;
}

/* The key of the last run that there was, and when; out is "" when nobody remembers. */
static void last_identity(const struct conf *conf, const struct conf_job *job, char out[ANOMALY_TEXT_MAX])
{
    struct vec runs = VEC_OF(struct baseline_run);
    struct baseline *b = NULL;
    char time[NUMBER_TEXT_MAX];
    char *path = watch_path(conf, NULL);
    out[0] = '\0';
    if (path != NULL && baseline_open(path, &b, NULL) == 0 &&
        baseline_runs(b, job->repository, job->name, &runs, NULL) == 0 && runs.len > 0) {
        const struct baseline_run *last = vec_at(&runs, runs.len - 1);
        if (last->identity[0] != '\0')
            anomaly_printf(out, "%s, as at the last run (%s)", last->identity,
                           time_format(time, (uint64_t)last->time));
    }
    baseline_runs_free(&runs);
    baseline_close(b);
    free(path);
}

void watch_refused(const struct conf *conf, const struct conf_job *job, const struct error *why,
                   struct anomalies *found)
{
    const struct conf_anomalies *settings = conf_anomalies_of(conf, job);
    struct detector d = { .conf = settings, .found = ANOMALIES_INIT };
    char usual[ANOMALY_TEXT_MAX];
    char seen[BASELINE_IDENTITY_MAX];
    if (!settings->watch || why->name == NULL || strcmp(why->name, ERR_HOST_KEY) != 0)
        return;
    struct anomaly *a = anomalies_add(&d, "host_key", ANOMALY_WARNING);
    if (a == NULL)
        return;
    last_identity(conf, job, usual);
    anomaly_printf(a->what, "the storage shows a host key that is not the expected one: nothing was sent");
    anomaly_printf(a->seen, "%s", fingerprint_in(why->text, seen) ? seen : "another key");
    anomaly_printf(a->usual, "%s", usual[0] != '\0' ? usual : "the key in host_key or known_hosts");
    anomaly_printf(
        a->look_at,
        "Was the server set up anew? Ask its administrator for the fingerprint, over another way. If nobody "
        "changed it, somebody is between: leave the settings as they are.");
    log_event_of(LOG_ALARM, a->kind, "%s: %s: %s; usual: %s. %s", job->name, a->what, a->seen, a->usual,
                 a->look_at);
    *found = d.found;
}
