/* Which job needs how much of the storage. */
#include <string.h>

#include "backupd/retention/judge_internal.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

enum { WRITER_SHOWN = 8 };

static int job_json(const struct judge *j, const struct prune_job *job, struct error *err)
{
    char hex[2 * WRITER_ID_LEN + 1];
    struct jsonout *o = jsonout_new("job");
    hex_encode(hex, job->writer->id, WRITER_ID_LEN);
    jsonout_str(o, "repository", j->repository->name);
    jsonout_str(o, "writer", hex);
    jsonout_str(o, "job", job->label);
    jsonout_u64(o, "snapshots", job->snapshots);
    jsonout_u64(o, "needs", job->needs);
    jsonout_u64(o, "unique", job->unique);
    jsonout_u64(o, "shared", job->needs - job->unique);
    return jsonout_emit(o, err);
}

static void job_row(struct table *t, const struct prune_job *job)
{
    char hex[2 * WRITER_ID_LEN + 1];
    char n[NUMBER_TEXT_MAX];
    char safe[4 * LABEL_MAX + 1];
    hex_encode(hex, job->writer->id, WRITER_ID_LEN);
    table_cell(t, OUT_BOLD, "%s",
               job->label[0] != '\0' ? str_printable(safe, sizeof safe, job->label) : "(not readable)");
    table_cell(t, OUT_DIM, "%.*s", (int)WRITER_SHOWN, hex);
    table_cell(t, OUT_PLAIN, "%s", count_format(n, job->snapshots));
    table_cell(t, OUT_PLAIN, "%s", size_format(n, job->needs));
    table_cell(t, OUT_PLAIN, "%s", size_format(n, job->unique));
    table_cell(t, OUT_PLAIN, "%s", size_format(n, job->needs - job->unique));
}

int judge_space(struct judge *j, struct error *err)
{
    const struct vec *jobs = prune_jobs(j->prune);
    struct table *t = table_new(err);
    int rc = 0;
    table_column(t, "job", false);
    table_column(t, "writer", false);
    table_column(t, "snapshots", true);
    table_column(t, "needs", true);
    table_column(t, "alone", true);
    table_column(t, "shared", true);
    for (size_t i = 0; rc == 0 && i < jobs->len; i++) {
        if (j->cli->json)
            rc = job_json(j, vec_at(jobs, i), err);
        else
            job_row(t, vec_at(jobs, i));
    }
    if (rc == 0 && !j->cli->json && table_rows(t) > 0) {
        out_line(&j->cli->out, OUT_PLAIN, "%s", "");
        rc = table_print(t, &j->cli->out, err);
        out_line(&j->cli->out, OUT_PLAIN, "%s", "");
    }
    table_free(t);
    return rc;
}
