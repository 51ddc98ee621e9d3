#include "backupd/job/summary.h"

#include <stdio.h>

#include "backupd/host.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

enum { SNAPSHOT_TEXT_MAX = CONF_NAME_MAX + 16, OFFER_AFTER = 3 /* suspicious runs in a row */ };

static const char *snapshot_id(const struct job_run *run, char out[SNAPSHOT_TEXT_MAX])
{
    (void)snprintf(out, SNAPSHOT_TEXT_MAX, "%s/%u", run->job->name, (unsigned)run->session.session);
    return out;
}

bool summary_flawed(const struct job_run *run)
{
    return run->flaws.missing != 0 || run->flaws.changed != 0 || run->flaws.metadata != 0;
}

/* What is unusual, and apart from it what is only good to know. */
static void add_findings(struct jsonout *o, const struct watch *w)
{
    const struct anomalies *f = watch_anomalies(w);
    anomalies_json(o, "anomalies", f, ANOMALY_WARNING, ANOMALY_ALARM);
    anomalies_json(o, "noticed", f, ANOMALY_NOTE, ANOMALY_NOTE);
    jsonout_bool(o, "suspicious", f != NULL && f->alarms > 0);
    jsonout_u64(o, "suspicious_in_a_row", watch_in_a_row(w));
}

static int print_json(const struct job_run *run, const char *id, struct error *err)
{
    const struct session_result *s = &run->session;
    char writer[2 * WRITER_ID_LEN + 1];
    struct jsonout *o = jsonout_new("summary");
    hex_encode(writer, run->writer, WRITER_ID_LEN);
    jsonout_str(o, "snapshot_id", id);
    jsonout_str(o, "job", run->job->name);
    jsonout_str(o, "repository", run->job->repository);
    jsonout_str(o, "writer", writer);
    jsonout_u64(o, "record", s->seq);
    jsonout_time(o, "backup_start", s->started);
    jsonout_time(o, "backup_end", s->finished);
    jsonout_double(o, "total_duration", (double)run->milliseconds / 1000.0);
    jsonout_u64(o, "streams", s->streams);
    jsonout_u64(o, "members", s->members);
    jsonout_bool(o, "complete", !summary_flawed(run));
    jsonout_u64(o, "members_missing", run->flaws.missing);
    jsonout_u64(o, "members_changed", run->flaws.changed);
    jsonout_u64(o, "members_without_metadata", run->flaws.metadata);
    jsonout_u64(o, "total_bytes_processed", s->logical);
    jsonout_u64(o, "data_added", s->fresh);
    jsonout_u64(o, "data_added_for_tables", s->gathered);
    jsonout_u64(o, "data_added_for_drain", s->drained);
    jsonout_u64(o, "data_added_packed", s->stored);
    jsonout_u64(o, "packs_added", s->packs);
    jsonout_u64(o, "packs_adopted", s->adopted);
    jsonout_u64(o, "packs_needed", s->needed);
    jsonout_u64(o, "reruns", run->reruns);
    jsonout_bool(o, "after_failed", run->after_failed);
    jsonout_str(o, "receipt", s->receipt);
    add_findings(o, run->watch);
    return jsonout_emit(o, err);
}

static void add_flaws(struct table *t, const struct engine_flaws *f)
{
    char n[NUMBER_TEXT_MAX];
    if (f->missing != 0)
        pairs_add(t, "missing", OUT_BAD, "%s could not be read: see the warnings",
                  count_format(n, f->missing));
    if (f->changed != 0)
        pairs_add(t, "changed", OUT_BAD,
                  "%s changed while it was read: what is stored may be neither old nor new",
                  count_format(n, f->changed));
    if (f->metadata != 0)
        pairs_add(t, "metadata", OUT_BAD, "%s stored without all extended attributes",
                  count_format(n, f->metadata));
}

static void print_findings(const struct job_run *run)
{
    const struct anomalies *f = watch_anomalies(run->watch);
    const struct out *out = &run->cli->out;
    size_t row = watch_in_a_row(run->watch);
    char command[HOST_COMMAND_MAX];
    for (int s = ANOMALY_ALARM; f != NULL && s >= ANOMALY_NOTE; s--) {
        for (size_t i = 0; i < f->list.len; i++) {
            const struct anomaly *a = vec_at(&f->list, i);
            if ((int)a->severity == s)
                out_line(out,
                         s == ANOMALY_ALARM     ? OUT_BAD
                         : s == ANOMALY_WARNING ? OUT_WARN
                                                : OUT_DIM,
                         "%s: %s (usual: %s)", a->what, a->seen, a->usual);
        }
    }
    if (row == 0)
        return;
    out_line(out, OUT_PLAIN, "%s is marked as suspicious%s: it pushes out no other snapshot.", run->job->name,
             row > 1 ? ", as the ones before" : "");
    out_line(out, OUT_PLAIN, "%s: %s anomaly accept %s",
             row >= OFFER_AFTER ? "It has been like this several times. If that is how it is now, say so"
                                : "If you know why, and that is how it is now",
             host_command(run->cli, run->conf, command), run->job->name);
}

static int print_text(const struct job_run *run, const char *id, struct error *err)
{
    const struct session_result *s = &run->session;
    char a[NUMBER_TEXT_MAX];
    char b[NUMBER_TEXT_MAX];
    struct table *t = pairs_new(err);
    out_heading(&run->cli->out, "%s", id);
    pairs_add(t, "read", OUT_PLAIN, "%s in %s %s", size_format(a, s->logical), count_format(b, s->streams),
              plural(s->streams, "stream", "streams"));
    if (s->members != s->streams)
        pairs_add(t, "and", OUT_PLAIN, "%s %s", count_format(a, s->members - s->streams),
                  plural(s->members - s->streams, "directory or link", "directories and links"));
    if (s->stored == 0)
        pairs_add(t, "new", OUT_PLAIN, "nothing: all of it was stored before");
    else
        pairs_add(t, "new", OUT_PLAIN, "%s, stored as %s", size_format(a, s->fresh),
                  size_format(b, s->stored));
    if (s->gathered != 0)
        pairs_add(t, "of it again", OUT_PLAIN, "%s, so that a table alone stays cheap to restore",
                  size_format(a, s->gathered));
    if (s->drained != 0)
        pairs_add(t, "of it again", OUT_PLAIN, "%s, so that old packs can be deleted",
                  size_format(a, s->drained));
    if (s->adopted != 0)
        pairs_add(t, "adopted", OUT_PLAIN, "%s %s of an earlier run that did not end",
                  count_format(a, s->adopted), plural(s->adopted, "pack", "packs"));
    if (run->reruns != 0)
        pairs_add(t, "runs", OUT_PLAIN, "%u", run->reruns + 1);
    add_flaws(t, &run->flaws);
    if (run->after_failed)
        pairs_add(t, "after", OUT_BAD, "the job's `after` failed: see the warnings");
    pairs_add(t, "time", OUT_PLAIN, "%s", duration_format(a, run->milliseconds));
    pairs_add(t, "receipt", OUT_BOLD, "%s", s->receipt);
    int rc = table_print(t, &run->cli->out, err);
    table_free(t);
    if (rc == 0)
        print_findings(run);
    return rc < 0 ? rc : out_flush(&run->cli->out, err);
}

int summary_print(const struct job_run *run, struct error *err)
{
    char id[SNAPSHOT_TEXT_MAX];
    (void)snapshot_id(run, id);
    log_event(LOG_INFO, "%s is published at %s, receipt %s", id, run->where, run->session.receipt);
    if (run->cli->json)
        return print_json(run, id, err);
    return run->cli->quiet ? 0 : print_text(run, id, err);
}

void summary_refused(const struct job_run *run)
{
    if (!run->cli->json || run->refused.list.len == 0)
        return;
    struct jsonout *o = jsonout_new("unusual");
    jsonout_str(o, "job", run->job->name);
    anomalies_json(o, "anomalies", &run->refused, ANOMALY_WARNING, ANOMALY_ALARM);
    (void)jsonout_emit(o, NULL); /* the verb fails in any case */
}

void summary_failed(const struct job_run *run, const struct error *why)
{
    const char *text = why->text[0] != '\0' ? why->text : error_code_name(why->code);
    if (run->cli->json) {
        struct jsonout *o = jsonout_new("error");
        jsonout_str(o, "code", error_code_name(why->code));
        jsonout_str(o, "job", run->job->name);
        jsonout_str(o, "message", text);
        (void)jsonout_emit(o, NULL); /* the verb fails in any case */
    }
    struct out out = out_on(stderr, cli_flag(run->cli, "no-color"));
    out_line(&out, OUT_BAD, "backupd: job %s failed: %s", run->job->name, text);
}
