/* What is open: alarms, and room on storage that this host can see. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "backupd/clock_doubt.h"
#include "backupd/pages/view_internal.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/zone.h"
#include "common/state/refusals.h"

#include "common/base/banned.h"

enum { DAY = 86400 };

const char *view_alarm_name(enum view_alarm_kind kind)
{
    static const char *const names[] = { "failed",        "stopped",     "cancelled",   "cut_off",
                                         "missed",        "stale",       "unusual",     "braked",
                                         "drill_failing", "drill_never", "drill_stale", "drill_could_not_run",
                                         "drill_unknown", "refused",     "clock",       "daemon",
                                         "history" };
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

/* Takes text, which may be NULL for want of memory. */
static int add(struct view *view, enum view_alarm_kind kind, const char *job, int64_t since, char *text,
               struct error *err)
{
    struct view_alarm *a = text != NULL ? vec_push(&view->alarms, err) : NULL;
    if (a == NULL) {
        free(text);
        return E_NOMEM;
    }
    *a = (struct view_alarm){ .kind = kind, .job = job, .since = since, .text = text };
    return 0;
}

static int add_run(struct view *view, const struct view_job *job, enum view_alarm_kind kind,
                   struct error *err)
{
    const struct history_point *p = &job->last.p;
    const char *verb = kind == VIEW_FAILED ? "failed" : kind == VIEW_STOPPED ? "was stopped" : "was cut off";
    const char *why = p->text[0] != '\0' ? p->text : p->reason;
    char *text = NULL;
    if (job->sums.failures > 1)
        text = str_printf(err, "%lld runs in a row did not succeed. The last one %s: %s",
                          (long long)job->sums.failures, verb, why);
    else
        text = str_printf(err, "The last run %s: %s", verb, why);
    return add(view, kind, job->name, view_when(p), text, err);
}

/* No failure, and still a night without a backup. */
static int add_cancelled(struct view *view, const struct view_job *job, struct error *err)
{
    const struct history_point *p = &job->last.p;
    char *text = str_printf(err, "The last run was %s; there is no backup of that night", p->text);
    return add(view, VIEW_CANCELLED, job->name, view_when(p), text, err);
}

static int add_missed(struct view *view, const struct view_job *job, struct error *err)
{
    const struct history_point *p = &job->last.p;
    char *text = str_printf(err, "%llu %s did not take place: %s", (unsigned long long)p->count,
                            plural(p->count, "run", "runs"), p->text[0] != '\0' ? p->text : p->reason);
    int64_t since =
        p->due > view->options.now ? p->ended : p->due; /* of a due time that a wrong clock has made */
    return add(view, VIEW_MISSED, job->name, since, text, err);
}

/* Of what is many days old nobody wants the minutes. */
static const char *age_text(char out[NUMBER_TEXT_MAX], int64_t seconds)
{
    if (seconds < 3 * DAY)
        return duration_format(out, (uint64_t)seconds * 1000);
    (void)snprintf(out, NUMBER_TEXT_MAX, "%lld days", (long long)(seconds / DAY));
    return out;
}

static int add_stale(struct view *view, const struct view_job *job, struct error *err)
{
    char age[NUMBER_TEXT_MAX];
    char limit[NUMBER_TEXT_MAX];
    int64_t seconds = view->options.now - job->ok.p.ended;
    if (seconds < 0)
        return add(view, VIEW_STALE, job->name, job->ok.p.ended,
                   str_dup("The last success is dated in the future: how old it is, is not known", err), err);
    char *text = str_printf(err, "The last success is %s old; with this schedule at most %s is usual",
                            age_text(age, seconds), age_text(limit, job->stale_after));
    return add(view, VIEW_STALE, job->name, job->ok.p.ended, text, err);
}

static int add_job(struct view *view, const struct view_job *job, struct error *err)
{
    int rc = 0;
    if (job->has_last && !job->paused) {
        switch (job->last.p.verdict) {
        case HISTORY_FAILED:
            rc = add_run(view, job, VIEW_FAILED, err);
            break;
        case HISTORY_STOPPED:
            rc = history_is_cancelled(job->last.p.verdict, job->last.p.text)
                     ? add_cancelled(view, job, err)
                     : add_run(view, job, VIEW_STOPPED, err);
            break;
        case HISTORY_CUT_OFF:
            rc = add_run(view, job, VIEW_CUT_OFF, err);
            break;
        case HISTORY_SKIPPED:
            rc = add_missed(view, job, err);
            break;
        default:
            break;
        }
    }
    if (rc == 0 && job->stale)
        rc = add_stale(view, job, err);
    if (rc == 0 && job->braked > 0)
        rc = add(
            view, VIEW_BRAKED, job->name, view_when(&job->ok.p),
            str_printf(
                err,
                "Retention holds back: the newest snapshots of %lld %s are marked as suspicious, and push out no "
                "other (`backupd anomaly list` on the host that made them)",
                (long long)job->braked, plural((uint64_t)job->braked, "job", "jobs")),
            err);
    if (rc == 0 && job->unusual != NULL)
        rc = add(view, VIEW_UNUSUAL, job->name, view_when(&job->ok.p),
                 str_printf(err, "The last success is not like those before it: %s", job->unusual), err);
    return rc;
}

/* ---- drills ------------------------------------------------------------------------------------------------------------- */

static int add_drill(struct view *view, const struct drill_stand *s, struct error *err)
{
    static const enum view_alarm_kind kinds[] = { [DRILL_NOT_RUN] = VIEW_DRILL_NOT_RUN,
                                                  [DRILL_STALE] = VIEW_DRILL_STALE,
                                                  [DRILL_NEVER] = VIEW_DRILL_NEVER,
                                                  [DRILL_FAILING] = VIEW_DRILL_FAILING };
    if (s->trouble == DRILL_WELL || (s->trouble == DRILL_NEVER && s->drill == NULL))
        return 0;
    static const char stale[] = "stale: ";
    const char *how = str_starts(s->text, stale) ? s->text + sizeof stale - 1 : s->text;
    char *text = str_printf(err, "Restore drill%s%s: %s", s->drill != NULL ? " " : "",
                            s->drill != NULL ? s->drill : "", how);
    int64_t since = s->trouble == DRILL_STALE ? s->last_pass : s->finished;
    return add(view, kinds[s->trouble], s->job, since, text, err);
}

static int add_drills(struct view *view, struct error *err)
{
    const struct drills_file *f = view->options.drills;
    int rc = 0;
    if (f != NULL && !view->drills_known)
        rc = add(view, VIEW_DRILL_UNKNOWN, NULL, 0,
                 str_printf(err, "What restore drills found cannot be read%s%s", f->why.code != 0 ? ": " : "",
                            f->why.text),
                 err);
    for (size_t i = 0; rc == 0 && i < view->stands.len; i++)
        rc = add_drill(view, vec_at(&view->stands, i), err);
    return rc;
}

/* ---- refused logins ------------------------------------------------------------------------------------------------------- */

static int add_refusal(struct view *view, const struct view_refusal *r, struct error *err)
{
    char first[32];
    char who[REFUSALS_WHO_MAX];
    (void)refusals_who(r->account, who);
    char *text = r->count > 1
                     ? str_printf(err, "The control socket refused %s %llu times since %s: %s", who,
                                  (unsigned long long)r->count, zone_format(first, r->first), r->what)
                     : str_printf(err, "The control socket refused %s: %s", who, r->what);
    return add(view, VIEW_REFUSED, NULL, r->last, text, err);
}

static int add_refusals(struct view *view, struct error *err)
{
    size_t n = view->refusals.len;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n && i < VIEW_REFUSED_SHOWN; i++)
        rc = add_refusal(view, vec_at(&view->refusals, i), err);
    if (rc == 0 && n > VIEW_REFUSED_SHOWN)
        rc = add(view, VIEW_REFUSED, NULL, 0,
                 str_printf(err, "... and %zu more %s since yesterday", n - VIEW_REFUSED_SHOWN,
                            plural(n - VIEW_REFUSED_SHOWN, "account", "accounts")),
                 err);
    return rc;
}

/* ---- the history itself ----------------------------------------------------------------------------------------------------- */

static int add_history(struct view *view, struct error *err)
{
    const struct trouble *t = view->options.trouble;
    char text[TROUBLE_SAYS_MAX];
    int rc = 0;
    if (view->unread != NULL)
        rc = add(view, VIEW_HISTORY, NULL, 0,
                 str_printf(err, "Nothing is known of the runs: %s", view->unread), err);
    if (rc == 0 && t != NULL && t->since != 0)
        rc = add(view, VIEW_HISTORY, NULL, t->since, str_dup(trouble_says(t, text), err), err);
    return rc;
}

/* ---- all of them ---------------------------------------------------------------------------------------------------------- */

int view_add_alarms(struct view *view, struct error *err)
{
    const struct view_daemon *d = &view->options.daemon;
    char doubt[CLOCK_DOUBT_MAX];
    int rc = 0;
    if (clock_doubt(view->options.now, view->newest, doubt))
        rc = add(view, VIEW_CLOCK, NULL, 0, str_dup(doubt, err), err);
    if (rc == 0 && d->asked && !d->alive)
        rc = add(view, VIEW_DAEMON, NULL, 0,
                 str_dup("The daemon does not answer: nothing runs by itself", err), err);
    if (rc == 0)
        rc = add_history(view, err);
    for (size_t i = 0; rc == 0 && i < view->jobs.len; i++)
        rc = add_job(view, vec_at(&view->jobs, i), err);
    if (rc == 0)
        rc = add_drills(view, err);
    return rc == 0 ? add_refusals(view, err) : rc;
}

/* A storage that is elsewhere is not asked: no page and no metric makes a connection. */
int view_add_storage(struct view *view, const struct conf *conf, struct error *err)
{
    for (size_t i = 0; i < conf->nrepositories; i++) {
        const struct conf_repository *r = &conf->repositories[i];
        struct view_storage *s = vec_push(&view->storage, err);
        struct statvfs fs;
        bool local = r->storage.type == CONF_STORAGE_LOCAL;
        if (s == NULL)
            return E_NOMEM;
        *s = (struct view_storage){ .repository = r->name,
                                    .type = local ? "local" : "sftp",
                                    .place = local ? r->storage.path : r->storage.host };
        if (local && statvfs(r->storage.path, &fs) == 0 && fs.f_frsize != 0 && fs.f_blocks != 0) {
            s->known = true;
            s->size = (uint64_t)fs.f_blocks * fs.f_frsize;
            s->free = (uint64_t)fs.f_bavail * fs.f_frsize;
        }
    }
    return 0;
}
