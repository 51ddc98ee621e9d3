#include "backupd/job/last.h"

#include <stdlib.h>

#include "common/base/fact.h"
#include "common/base/log.h"
#include "common/sys/atomic_file.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

enum { LAST_MAX = 256 };

static const char name[] = "last-run";

void last_read(const char *state, struct engine_job *job)
{
    struct error why = ERROR_INIT;
    struct buf text = BUF_INIT;
    char *path = path_join(state, name, &why);
    int rc = path != NULL ? file_read_small(path, LAST_MAX, &text, &why) : why.code;
    if (rc == 0 && (rc = buf_append(&text, "", 1, &why)) == 0) {
        job->last_known = fact_number((const char *)text.data, "bytes", &job->last_bytes);
        if (!job->last_known)
            rc = error_set(&why, E_CORRUPT, "%s does not say a size", path);
    }
    if (rc < 0 && rc != E_NOT_FOUND)
        log_event(LOG_WARN, "%s: how long the last run's output was is not known: %s", job->name, why.text);
    buf_free(&text);
    free(path);
}

void last_write(const char *state, const char *job, uint64_t bytes)
{
    struct error why = ERROR_INIT;
    struct buf text = BUF_INIT;
    char *path = path_join(state, name, &why);
    int rc = path != NULL ? buf_printf(&text, &why, "bytes=%llu\n", (unsigned long long)bytes) : why.code;
    if (rc == 0)
        rc = file_write_atomic(path, text.data, text.len, 0600, FILE_REPLACE, &why);
    if (rc < 0)
        log_event(LOG_WARN, "%s: the snapshot is there, but its size could not be noted for the next run: %s",
                  job, why.text);
    buf_free(&text);
    free(path);
}
