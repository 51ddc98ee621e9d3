#include "backupd/anomaly/anomaly.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/str.h"
#include "common/sys/dirs.h"

#include "common/base/banned.h"

struct watch {
    const struct conf *conf;
    const struct conf_job *job;
    const struct conf_anomalies *settings;
    struct backend *storage; /* of the attempt */
    struct night night;
    struct vec runs;  /* struct baseline_run, all */
    struct vec usual; /* those that count; texts are of `runs` */
    struct detector detector;
    uint64_t begin; /* of the attempt */
    size_t in_a_row;
    size_t since; /* in runs: the first of the suspicious ones at the end that lasts; SIZE_MAX: none */
    bool blind;   /* something could not be read: nothing is judged */
};

char *watch_path(const struct conf *conf, struct error *err)
{
    return path_join(conf->state, BASELINE_FILE, err);
}

/* The backup goes on. */
static void give_up(struct watch *w, const char *what, const struct error *why)
{
    w->blind = true;
    log_event(LOG_WARN, "job %s: %s: %s; the backup is not concerned", w->job->name, what, why->text);
}

struct watch *watch_new(const struct conf *conf, const struct conf_job *job)
{
    const struct conf_anomalies *settings = conf_anomalies_of(conf, job);
    struct watch *w = settings->watch ? mem_alloc(1, sizeof *w, NULL) : NULL;
    if (w == NULL)
        return NULL;
    *w = (struct watch){ .conf = conf,
                         .job = job,
                         .settings = settings,
                         .night = NIGHT_INIT,
                         .runs = VEC_OF(struct baseline_run),
                         .usual = VEC_OF(struct baseline_run),
                         .detector = { .found = ANOMALIES_INIT } };
    return w;
}

void watch_attempt(struct watch *w, struct backend *storage, const uint8_t writer[WRITER_ID_LEN])
{
    if (w == NULL)
        return;
    night_clear(&w->night);
    anomalies_free(&w->detector.found);
    baseline_runs_free(&w->runs);
    vec_clear(&w->usual);
    w->night.run = (struct baseline_run){ .ratio = -1 };
    hex_encode(w->night.run.writer, writer, WRITER_ID_LEN);
    w->storage = storage;
    w->begin = clock_mono_ms();
    w->in_a_row = 0;
    w->since = SIZE_MAX;
    w->blind = false;
}

void watch_stream(struct watch *w, const char *name, const struct session_stream_numbers *numbers,
                  const char *facts)
{
    struct error why = ERROR_INIT;
    if (w != NULL && !w->blind && night_stream(&w->night, name, numbers, facts, &why) < 0)
        give_up(w, "what it is like was not noted", &why);
}

/* ---- judging --------------------------------------------------------------------------------------------------------- */

static void take_numbers(struct watch *w, const struct session_numbers *n)
{
    struct baseline_run *r = &w->night.run;
    struct backend_space space = { .total = 0 };
    struct error why = ERROR_INIT;
    r->time = (int64_t)clock_wall();
    r->duration_ms = clock_mono_ms() - w->begin;
    r->bytes = n->logical;
    r->fresh = n->fresh;
    r->stored = n->stored;
    r->streams = n->streams;
    r->members = n->members;
    r->ratio = night_ratio(n->sampled, n->packed);
    r->lost = n->lost;
    if ((backend_caps(w->storage) & BACKEND_SPACE) != 0 && backend_space(w->storage, &space, &why) == 0) {
        r->space_total = space.total;
        r->space_free = space.available;
    }
    size_t len = strnlen(backend_identity(w->storage), sizeof r->identity - 1);
    memcpy(r->identity, backend_identity(w->storage), len);
    r->identity[len] = '\0';
}

static const struct baseline_run *run_by_id(const struct vec *runs, int64_t id)
{
    size_t low = 0;
    size_t high = runs->len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct baseline_run *r = vec_at(runs, middle);
        if (r->id == id)
            return r;
        if (r->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The points of one name, gathered as they come. */
struct gathering {
    struct watch *watch;
    char name[BASELINE_NAME_MAX + 1];
    struct vec points; /* struct point */
    struct error *err;
};

static void gathered(struct gathering *g)
{
    if (g->points.len > 0)
        detect_subject(&g->watch->detector, g->name, g->points.data, g->points.len);
    vec_clear(&g->points);
}

static int on_subject(const struct baseline_subject *s, void *arg)
{
    struct gathering *g = arg;
    const struct baseline_run *run = run_by_id(&g->watch->usual, s->run);
    if (run == NULL) /* of a run that another process has just added */
        return 0;
    if (strcmp(g->name, s->name) != 0) {
        gathered(g);
        size_t len = strnlen(s->name, BASELINE_NAME_MAX);
        memcpy(g->name, s->name, len);
        g->name[len] = '\0';
    }
    struct point *p = vec_push(&g->points, g->err);
    if (p == NULL)
        return E_NOMEM;
    *p = (struct point){ .seen = *s, .run = run };
    p->seen.name = NULL;
    return 0;
}

static int load_runs(struct watch *w, struct baseline *b, struct error *err)
{
    int rc = baseline_runs(b, w->job->repository, w->job->name, &w->runs, err);
    for (size_t i = 0; rc == 0 && i < w->runs.len; i++) {
        const struct baseline_run *r = vec_at(&w->runs, i);
        bool suspicious = r->state == BASELINE_SUSPICIOUS;
        w->in_a_row = suspicious ? w->in_a_row + 1 : 0;
        w->since = suspicious && r->lasting ? (w->since < i ? w->since : i)
                   : suspicious             ? w->since
                                            : SIZE_MAX;
        struct baseline_run *slot = suspicious ? NULL : vec_push(&w->usual, err);
        if (slot != NULL)
            *slot = *r;
        else if (!suspicious)
            rc = E_NOMEM;
    }
    return rc;
}

static int compare(struct watch *w, struct error *err)
{
    struct baseline *b = NULL;
    struct gathering g = { .watch = w, .points = VEC_OF(struct point), .err = err };
    char *path = watch_path(w->conf, err);
    int rc = path != NULL ? baseline_open(path, &b, err) : E_NOMEM;
    if (rc == 0)
        rc = load_runs(w, b, err);
    w->detector = (struct detector){ .conf = w->settings,
                                     .night = &w->night,
                                     .runs = &w->usual,
                                     .since = w->since < w->runs.len ? vec_at(&w->runs, w->since) : NULL,
                                     .now = w->night.run.time,
                                     .files = strcmp(w->job->engine, "files") == 0,
                                     .found = ANOMALIES_INIT,
                                     .err = err };
    if (rc == 0)
        rc = baseline_subjects(b, w->job->repository, w->job->name, on_subject, &g, err);
    if (rc == 0) {
        gathered(&g);
        detect_run(&w->detector);
        detect_rest(&w->detector);
        rc = w->detector.rc;
    }
    w->in_a_row = w->detector.found.alarms > 0 ? w->in_a_row + 1 : 0;
    w->detector.err = NULL;
    vec_free(&g.points);
    baseline_close(b);
    free(path);
    return rc;
}

int watch_judge(void *arg, struct session *s, const struct session_numbers *numbers, struct error *err)
{
    (void)err;
    struct watch *w = arg;
    struct error why = ERROR_INIT;
    char note[ANOMALIES_NOTE_MAX];
    if (w == NULL || w->blind)
        return 0;
    take_numbers(w, numbers);
    night_sort(&w->night);
    if (compare(w, &why) < 0) {
        give_up(w, "it was not compared with the runs before", &why);
        return 0;
    }
    if (w->detector.found.alarms == 0)
        return 0;
    if (session_note(s, "anomaly", anomalies_note(note, &w->detector.found), &why) < 0)
        log_event(LOG_ALARM, "job %s: the snapshot is suspicious and not marked: %s", w->job->name, why.text);
    return 0;
}

/* ---- afterwards ------------------------------------------------------------------------------------------------------ */

static void tell(const struct watch *w)
{
    const struct anomalies *f = &w->detector.found;
    for (size_t i = 0; i < f->list.len; i++) {
        const struct anomaly *a = vec_at(&f->list, i);
        log_event_of(a->severity == ANOMALY_ALARM     ? LOG_ALARM
                     : a->severity == ANOMALY_WARNING ? LOG_WARN
                                                      : LOG_INFO,
                     a->kind, "%s: %s: %s; usual: %s. %s", w->job->name, a->what, a->seen, a->usual,
                     a->look_at);
    }
    if (f->left_out > 0 && f->list.len > 0) /* told with those that are listed */
        log_event_of(f->alarms > 0 ? LOG_ALARM : LOG_INFO,
                     ((const struct anomaly *)vec_at(&f->list, 0))->kind, "%s: and %zu more of the kind",
                     w->job->name, f->left_out);
}

static int remember(struct watch *w, uint32_t session, struct error *err)
{
    struct baseline *b = NULL;
    struct buf text = BUF_INIT;
    struct baseline_run run = w->night.run;
    char *path = watch_path(w->conf, err);
    int rc = path != NULL ? anomalies_text(&w->detector.found, &text, err) : E_NOMEM;
    if (rc == 0)
        rc = baseline_open(path, &b, err);
    run.session = session;
    run.state = w->detector.found.alarms > 0 ? BASELINE_SUSPICIOUS : BASELINE_USUAL;
    run.lasting = w->detector.lasts;
    run.text = (char *)text.data;
    if (rc == 0)
        rc = baseline_add(b, w->job->repository, w->job->name, &run, w->night.subjects.data,
                          w->night.subjects.len, err);
    baseline_close(b);
    buf_free(&text);
    free(path);
    return rc;
}

void watch_published(struct watch *w, uint32_t session)
{
    struct error why = ERROR_INIT;
    if (w == NULL || w->blind)
        return;
    tell(w);
    if (remember(w, session, &why) < 0)
        log_event(LOG_WARN,
                  "job %s: what this run was like is not remembered: %s; the backup is not concerned",
                  w->job->name, why.text);
}

const struct anomalies *watch_anomalies(const struct watch *w)
{
    return w != NULL && !w->blind ? &w->detector.found : NULL;
}

size_t watch_in_a_row(const struct watch *w)
{
    return w != NULL && !w->blind ? w->in_a_row : 0;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    night_free(&w->night);
    anomalies_free(&w->detector.found);
    baseline_runs_free(&w->runs);
    vec_free(&w->usual);
    free(w);
}
