#include "restore/select.h"

#include <stdio.h>
#include <string.h>

#include "common/base/number.h"
#include "common/base/str.h"
#include "common/base/suggest.h"

#include "common/base/banned.h"

enum { CANDIDATES_SHOWN = 6, JOBS_SHOWN = 20 };

/* ---- candidates for messages --------------------------------------------------------------------------- */

struct hint {
    char text[640];
    size_t used;
    size_t shown;
    size_t left_out;
};

static void hint_add(struct hint *h, const struct snap *s)
{
    char name[SNAPSHOT_NAME_MAX];
    char time[NUMBER_TEXT_MAX];
    char receipt[RECEIPT_LEN + 1];
    if (h->shown == CANDIDATES_SHOWN) {
        h->left_out++;
        return;
    }
    int n =
        snprintf(h->text + h->used, sizeof h->text - h->used, "%s%s (%s, %.10s)", h->shown != 0 ? ", " : "",
                 snap_name(s, name), time_format(time, s->record->rec.time), snap_receipt(s, receipt));
    if (n < 0 || (size_t)n >= sizeof h->text - h->used) {
        h->text[h->used] = '\0';
        h->left_out++;
        return;
    }
    h->used += (size_t)n;
    h->shown++;
}

static int hint_error(const struct hint *h, int code, const char *what, struct error *err)
{
    if (h->shown == 0)
        return error_set(err, code, "%s: the repository holds no snapshots", what);
    if (h->left_out != 0)
        return error_set(err, code, "%s: %s and %zu more", what, h->text, h->left_out);
    return error_set(err, code, "%s: %s", what, h->text);
}

/* ---- what fits ----------------------------------------------------------------------------------------- */

static bool word_fits(const struct snap *s, const struct selector *sel)
{
    char hex[SNAP_HASH_TEXT];
    switch (sel->kind) {
    case SELECT_NUMBER:
        return s->record->rec.session == sel->number;
    case SELECT_HASH:
        hex_encode(hex, s->record->hash, HASH_LEN);
        return str_starts(hex, sel->hex);
    case SELECT_TIME:
        return s->record->rec.time <= sel->time;
    case SELECT_LATEST:
        return true;
    }
    return false;
}

/* By label, or by the writer's id. The label of a damaged snapshot is not known. */
static bool job_fits(const struct snap *s, const char *job)
{
    char id[2 * WRITER_ID_LEN + 1];
    hex_encode(id, s->writer->id, WRITER_ID_LEN);
    if (job[0] == '\0' || strcmp(job, id) == 0)
        return true;
    return s->object != NULL && s->object->has_view && strcmp(s->object->view.label, job) == 0;
}

/* The jobs that have live snapshots, "a, b, c". there: `wanted` is one of them. */
struct jobs {
    char seen[JOBS_SHOWN][SNAPSHOT_NAME_MAX];
    size_t n;
    char text[1024];
    size_t used;
    bool there;
};

static void jobs_add(struct jobs *jobs, const struct snap *s)
{
    char job[SNAPSHOT_NAME_MAX];
    char shown[SNAPSHOT_NAME_MAX];
    snap_job(s, job);
    for (size_t k = 0; k < jobs->n; k++)
        if (strcmp(jobs->seen[k], job) == 0)
            return;
    if (jobs->n == JOBS_SHOWN)
        return;
    (void)snprintf(jobs->seen[jobs->n++], SNAPSHOT_NAME_MAX, "%s", job);
    int n = snprintf(jobs->text + jobs->used, sizeof jobs->text - jobs->used, "%s%s",
                     jobs->used != 0 ? ", " : "", str_printable(shown, sizeof shown, job));
    jobs->used += n > 0 && (size_t)n < sizeof jobs->text - jobs->used ? (size_t)n : 0;
    jobs->text[jobs->used] = '\0';
}

static int jobs_find(struct snaps *all, const char *wanted, struct jobs *jobs, struct error *err)
{
    for (size_t i = 0; i < all->list.len; i++) {
        struct snap *s = vec_at(&all->list, i);
        int rc = snap_live(s) ? snap_open(all, s, err) : 0;
        if (rc < 0)
            return rc;
        if (!snap_live(s) || s->damage != NULL)
            continue;
        jobs_add(jobs, s);
        jobs->there = jobs->there || job_fits(s, wanted);
    }
    return 0;
}

/* A job that is not there: which ones are. */
static int no_job(const struct jobs *jobs, const char *wanted, int code, struct error *err)
{
    char job[LABEL_MAX * 4 + 1];
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion near = suggest_for(wanted);
    for (size_t k = 0; k < jobs->n; k++)
        suggest_offer(&near, jobs->seen[k]);
    return error_set(err, code, "there is no snapshot of a job \"%s\"; there are: %s%s",
                     str_printable(job, sizeof job, wanted), jobs->text, suggest_text(&near, "", hint));
}

/* Candidates are those of the job, newest first. */
static int not_found(struct snaps *all, const struct selector *sel, struct error *err)
{
    struct hint h = { .used = 0 };
    struct jobs jobs = { .n = 0 };
    char what[LABEL_MAX * 4 + 96];
    char job[LABEL_MAX * 4 + 1];
    int code = all->st->alarms == 0 ? E_NOT_FOUND : E_CORRUPT;
    int rc = jobs_find(all, sel->job, &jobs, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < all->list.len; i++) {
        struct snap *s = vec_at(&all->list, i);
        if (snap_live(s) && (!jobs.there || job_fits(s, sel->job)))
            hint_add(&h, s);
    }
    str_printable(job, sizeof job, sel->job);
    (void)snprintf(what, sizeof what, "no such snapshot%s%s; there are", job[0] != '\0' ? " of job " : "",
                   job);
    if (sel->kind == SELECT_TIME)
        (void)snprintf(what, sizeof what, "no snapshot%s%s is that old; there are",
                       job[0] != '\0' ? " of job " : "", job);
    (void)(jobs.there || jobs.n == 0 ? hint_error(&h, code, what, err) : no_job(&jobs, sel->job, code, err));
    /* A log that was cut may have held it: that is damage, not a slip of the tongue. */
    return code == E_NOT_FOUND
               ? code
               : error_wrap(err, "the logs are damaged (see the alarms) and may have held it");
}

static int not_live(const struct snap *s, struct error *err)
{
    char name[SNAPSHOT_NAME_MAX];
    if (s->record->is_void)
        return error_set(err, E_NOT_FOUND,
                         "%s is void: it was cut off before it was confirmed; use another one",
                         snap_name(s, name));
    if (!snap_whole(s))
        return error_set(err, E_NOT_FOUND, "%s has expired, and its data is deleted; use another one",
                         snap_name(s, name));
    return error_set(
        err, E_NOT_FOUND,
        "%s has expired. Nothing of it is deleted yet: it can be restored, and `backupd revive` on the "
        "retention host keeps it",
        snap_name(s, name));
}

/* ---- names: exactly one must fit ----------------------------------------------------------------------- */

static int find_named(struct snaps *all, const struct selector *sel, struct snap **out, struct error *err)
{
    struct hint h = { .used = 0 };
    struct snap *found = NULL;
    struct snap *gone = NULL;
    struct snap *broken = NULL;
    for (size_t i = 0; i < all->list.len; i++) {
        struct snap *s = vec_at(&all->list, i);
        if (!word_fits(s, sel))
            continue;
        int rc = snap_open(all, s, err);
        if (rc < 0)
            return rc;
        if (!job_fits(s, sel->job)) {
            broken = s->damage != NULL && snap_live(s) ? s : broken;
            gone = s->damage != NULL && !snap_live(s) ? s : gone;
            continue;
        }
        if (snap_live(s)) {
            hint_add(&h, s);
            found = s;
        } else {
            gone = s;
        }
    }
    if (h.shown + h.left_out > 1)
        return hint_error(&h, E_USAGE, "several snapshots fit; name one", err);
    *out = found != NULL ? found : broken;
    if (*out == NULL && sel->expired && gone != NULL && snap_whole(gone))
        *out = gone;
    if (*out != NULL)
        return 0;
    return gone != NULL ? not_live(gone, err) : not_found(all, sel, err);
}

/* ---- latest and dates: newest first -------------------------------------------------------------------- */

struct walk {
    uint64_t back;
    struct snap *found;
    struct snap *broken; /* newer than found, or than where the walk is */
    char job[SNAPSHOT_NAME_MAX];
    bool several; /* a second job, when none was asked for */
};

static void walk_take(struct walk *w, struct snap *s, const struct selector *sel)
{
    char job[SNAPSHOT_NAME_MAX];
    snap_job(s, job);
    if (w->job[0] == '\0')
        (void)snprintf(w->job, sizeof w->job, "%s", job);
    else if (sel->job[0] == '\0' && strcmp(job, w->job) != 0)
        w->several = true;
    if (w->found == NULL && word_fits(s, sel) && w->back-- == 0)
        w->found = s;
}

static int several_jobs(struct snaps *all, struct error *err)
{
    struct jobs jobs = { .n = 0 };
    int rc = jobs_find(all, "", &jobs, err);
    return rc < 0
               ? rc
               : error_set(err, E_USAGE, "there are snapshots of several jobs (%s): say which with --job JOB",
                           jobs.text);
}

/* Without a job all of them have to be looked at, to know that there is only one. */
static int find_newest(struct snaps *all, const struct selector *sel, struct snap **out, struct error *err)
{
    struct walk w = { .back = sel->back };
    for (size_t i = 0; i < all->list.len && !w.several; i++) {
        struct snap *s = vec_at(&all->list, i);
        if (!snap_live(s) || (sel->job[0] != '\0' && (w.found != NULL || !word_fits(s, sel))))
            continue;
        int rc = snap_open(all, s, err);
        if (rc < 0)
            return rc;
        if (s->damage != NULL)
            w.broken = w.found == NULL && word_fits(s, sel) ? s : w.broken;
        else if (job_fits(s, sel->job))
            walk_take(&w, s, sel);
    }
    if (w.several)
        return several_jobs(all, err);
    if (w.broken != NULL && (w.found == NULL || w.found->writer == w.broken->writer)) {
        struct hint h = { .used = 0 };
        if (w.found != NULL)
            hint_add(&h, w.found);
        (void)error_corrupt(err, w.broken->damage_name,
                            "a newer snapshot is damaged (%s), and is not stepped over%s%s", w.broken->damage,
                            h.shown != 0 ? "; the next older one is " : "", h.text);
        return E_CORRUPT;
    }
    *out = w.found;
    return w.found != NULL ? 0 : not_found(all, sel, err);
}

int selector_find(struct snaps *all, const struct selector *sel, struct snap **out, struct error *err)
{
    *out = NULL;
    if (sel->kind == SELECT_LATEST || sel->kind == SELECT_TIME)
        return find_newest(all, sel, out, err);
    return find_named(all, sel, out, err);
}
