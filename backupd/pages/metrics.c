#include "backupd/pages/metrics_internal.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/str.h"
#include "version.h"

#include "common/base/banned.h"

/* ---- the format -------------------------------------------------------------------------------------------------------- */

void metrics_put(struct metrics *m, const char *text)
{
    if (m->rc == 0)
        m->rc = buf_append(m->out, text, strlen(text), m->err);
}

/* A label's value: one that is not UTF-8 is shown byte by byte where it has to be. */
static void put_value(struct metrics *m, const char *value)
{
    bool good = utf8_valid(value, strlen(value));
    for (const char *p = value; *p != '\0' && m->rc == 0; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\\' || c == '"')
            m->rc = buf_printf(m->out, m->err, "\\%c", c);
        else if (c == '\n')
            metrics_put(m, "\\n");
        else if (!good && c >= 0x80)
            m->rc = buf_printf(m->out, m->err, "\\\\x%02x", c);
        else
            m->rc = buf_append(m->out, p, 1, m->err);
    }
}

void metrics_label(struct metrics *m, const char *sep, const char *name, const char *value)
{
    metrics_put(m, sep);
    metrics_put(m, name);
    metrics_put(m, "=\"");
    put_value(m, value);
    metrics_put(m, "\"");
}

void metrics_number(struct metrics *m, int64_t value)
{
    if (m->rc == 0)
        m->rc = buf_printf(m->out, m->err, " %" PRId64 "\n", value);
}

void metrics_family(struct metrics *m, const char *name, const char *type, const char *help)
{
    if (m->rc == 0)
        m->rc = buf_printf(m->out, m->err, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void plain(struct metrics *m, const char *name, const char *type, const char *help, int64_t value)
{
    metrics_family(m, name, type, help);
    metrics_put(m, name);
    metrics_number(m, value);
}

/* name{job_name="...",kind="..."[,extra="..."]} value */
static void of_job(struct metrics *m, const char *name, const struct view_job *j, const char *extra,
                   const char *extra_value, int64_t value)
{
    metrics_put(m, name);
    metrics_label(m, "{", "job_name", j->name);
    metrics_label(m, ",", "kind", j->kind);
    if (extra != NULL)
        metrics_label(m, ",", extra, extra_value);
    metrics_put(m, "}");
    metrics_number(m, value);
}

/* ---- jobs: a row for each family that is one number of a job --------------------------------------------------------------- */

/* False: not known, nothing is written. */
typedef bool number_fn(const struct view *v, const struct view_job *j, int64_t *out);

static bool last_success(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->ok.p.ended;
    return j->has_ok;
}

static bool ok_duration(const struct view *v, const struct view_job *j, int64_t *out)
{
    *out = j->has_ok ? (int64_t)(view_took(v, &j->ok.p) / 1000) : 0;
    return j->has_ok;
}

static bool ok_read(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->ok.p.read;
    return j->has_ok && j->ok.p.has_bytes;
}

static bool ok_fresh(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->ok.p.fresh;
    return j->has_ok && j->ok.p.has_bytes;
}

static bool ok_stored(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->ok.p.stored;
    return j->has_ok && j->ok.p.has_bytes;
}

static bool last_run(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->has_last ? view_when(&j->last.p) : 0;
    return j->has_last;
}

static bool last_duration(const struct view *v, const struct view_job *j, int64_t *out)
{
    *out = j->has_last ? (int64_t)(view_took(v, &j->last.p) / 1000) : 0;
    return j->has_last && j->last.p.started != 0;
}

static bool next_run(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->next;
    return j->next != 0;
}

static bool stale_after(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->stale_after;
    return j->stale_after != 0;
}

static bool paused(const struct view *v, const struct view_job *j, int64_t *out)
{
    *out = j->paused;
    return v->unread == NULL;
}

static bool unusual(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->unusual != NULL;
    return j->has_ok;
}

static bool running_since(const struct view *v, const struct view_job *j, int64_t *out)
{
    (void)v;
    *out = j->running_since;
    return j->running_since != 0;
}

static bool failures(const struct view *v, const struct view_job *j, int64_t *out)
{
    *out = j->sums.failures;
    return v->unread == NULL;
}

static bool skipped(const struct view *v, const struct view_job *j, int64_t *out)
{
    *out = j->sums.skipped;
    return v->unread == NULL;
}

static const struct {
    const char *name;
    const char *help;
    number_fn *number;
} numbers[] = {
    { "backupd_job_last_success_timestamp_seconds", "End of the newest run that succeeded.", last_success },
    { "backupd_job_last_success_duration_seconds", "How long that run took.", ok_duration },
    { "backupd_job_last_success_read_bytes", "Bytes of the source that it read.", ok_read },
    { "backupd_job_last_success_new_bytes", "Of them not stored before.", ok_fresh },
    { "backupd_job_last_success_stored_bytes", "What these took on the storage, compressed and encrypted.",
      ok_stored },
    { "backupd_job_last_run_timestamp_seconds",
      "Beginning of the newest run, or the due time of one that was skipped since.", last_run },
    { "backupd_job_last_run_duration_seconds", "How long the newest run took, or takes so far.",
      last_duration },
    { "backupd_job_next_run_timestamp_seconds", "When the job is due next.", next_run },
    { "backupd_job_stale_after_seconds",
      "How old the last success may become with this schedule before something is wrong.", stale_after },
    { "backupd_job_last_success_unusual", "1 when that run is not like those before it.", unusual },
    { "backupd_job_paused", "1 while the job is paused.", paused },
    { "backupd_job_running_since_timestamp_seconds", "Beginning of the run that is on now.", running_since },
    { "backupd_job_consecutive_failures", "Runs since the last success that failed, were stopped or cut off.",
      failures },
    { "backupd_job_skipped_runs",
      "Due times that passed without a run, as far as the history goes back (keep_history).", skipped },
};

static void job_numbers(struct metrics *m)
{
    for (size_t f = 0; f < sizeof numbers / sizeof numbers[0]; f++) {
        metrics_family(m, numbers[f].name, "gauge", numbers[f].help);
        for (size_t i = 0; i < m->view->jobs.len; i++) {
            const struct view_job *j = vec_at(&m->view->jobs, i);
            int64_t value = 0;
            if (numbers[f].number(m->view, j, &value))
                of_job(m, numbers[f].name, j, NULL, NULL, value);
        }
    }
}

static void job_info(struct metrics *m)
{
    metrics_family(m, "backupd_job_info", "gauge", "What is configured; always 1.");
    for (size_t i = 0; i < m->view->jobs.len; i++) {
        const struct view_job *j = vec_at(&m->view->jobs, i);
        metrics_put(m, "backupd_job_info");
        metrics_label(m, "{", "job_name", j->name);
        metrics_label(m, ",", "kind", j->kind);
        metrics_label(m, ",", "engine", j->engine);
        metrics_label(m, ",", "repository", j->repository);
        metrics_label(m, ",", "schedule", j->schedule != NULL ? j->schedule : "");
        metrics_put(m, "}");
        metrics_number(m, 1);
    }
}

static void job_verdicts(struct metrics *m)
{
    metrics_family(m, "backupd_job_last_run_verdict", "gauge",
                   "1 for the verdict of the newest run, 0 for the others.");
    for (size_t i = 0; i < m->view->jobs.len; i++) {
        const struct view_job *j = vec_at(&m->view->jobs, i);
        for (int v = 0; v < HISTORY_VERDICTS && j->has_last; v++)
            of_job(m, "backupd_job_last_run_verdict", j, "verdict", view_verdict_id((enum history_verdict)v),
                   (int)j->last.p.verdict == v);
    }
    metrics_family(
        m, "backupd_job_runs", "gauge",
        "Runs by verdict, as far as the history goes back (keep_history); skipped: entries, not due times.");
    for (size_t i = 0; i < m->view->jobs.len; i++) {
        const struct view_job *j = vec_at(&m->view->jobs, i);
        for (int v = 0; v < HISTORY_VERDICTS && m->view->unread == NULL; v++)
            of_job(m, "backupd_job_runs", j, "verdict", view_verdict_id((enum history_verdict)v),
                   j->sums.runs[v]);
    }
}

/* ---- the daemon, alarms, storage ----------------------------------------------------------------------------------------- */

static void of_daemon(struct metrics *m)
{
    const struct view_daemon *d = &m->view->options.daemon;
    metrics_family(m, "backupd_build_info", "gauge", "The version of this program; always 1.");
    metrics_put(m, "backupd_build_info");
    metrics_label(m, "{", "version", BACKUP_VERSION);
    metrics_put(m, "}");
    metrics_number(m, 1);
    if (d->asked)
        plain(m, "backupd_daemon_up", "gauge", "1 when the daemon's loop is alive.", d->alive);
    if (d->asked && d->alive && d->started != 0)
        plain(m, "backupd_daemon_start_time_seconds", "gauge", "When the daemon started.", d->started);
    if (d->has_errors)
        plain(m, "backupd_daemon_history_errors_total", "counter",
              "Ends of runs that the history did not take since the daemon started.",
              (int64_t)d->history_errors);
}

static void alarms(struct metrics *m)
{
    int64_t n[VIEW_ALARM_KINDS] = { 0 };
    for (size_t i = 0; i < m->view->alarms.len; i++)
        n[((const struct view_alarm *)vec_at(&m->view->alarms, i))->kind]++;
    metrics_family(m, "backupd_alarms", "gauge", "Open alarms by kind, as the status page shows them.");
    for (int k = 0; k < VIEW_ALARM_KINDS; k++) {
        metrics_put(m, "backupd_alarms");
        metrics_label(m, "{", "alarm", view_alarm_name((enum view_alarm_kind)k));
        metrics_put(m, "}");
        metrics_number(m, n[k]);
    }
}

static void storage_family(struct metrics *m, const char *name, const char *help, bool size)
{
    metrics_family(m, name, "gauge", help);
    for (size_t i = 0; i < m->view->storage.len; i++) {
        const struct view_storage *s = vec_at(&m->view->storage, i);
        if (!s->known)
            continue;
        metrics_put(m, name);
        metrics_label(m, "{", "repository", s->repository);
        metrics_put(m, "}");
        metrics_number(m, (int64_t)(size ? s->size : s->free));
    }
}

int metrics_write(const struct view *view, struct buf *out, struct error *err)
{
    struct metrics m = { .view = view, .out = out, .err = err };
    of_daemon(&m);
    alarms(&m);
    job_info(&m);
    job_numbers(&m);
    job_verdicts(&m);
    if (view->drills_known)
        metrics_drills(&m);
    if (view->unread == NULL)
        plain(&m, "backupd_control_refused_total", "counter",
              "Logins and requests that the control socket has refused.", (int64_t)view->refused);
    storage_family(&m, "backupd_storage_size_bytes",
                   "Size of the file system that holds the repository, where this host can see it.", true);
    storage_family(&m, "backupd_storage_free_bytes", "What is free on it for this user.", false);
    return m.rc;
}
