#include "common/repo/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/crypto/secret.h"
#include "common/repo/pipeline_internal.h"
#include "common/base/banned.h"

struct blob_job *blob_job_new(uint32_t number, enum blob_kind kind, struct error *err)
{
    struct blob_job *job = mem_alloc(1, sizeof *job, err);
    if (job == NULL)
        return NULL;
    job->number = number;
    job->kind = kind;
    job->chunks = (struct vec)VEC_OF(struct chunk_entry);
    return job;
}

void blob_job_free(struct blob_job *job)
{
    if (job == NULL)
        return;
    buf_wipe(&job->plain);
    buf_wipe(&job->frame);
    vec_free(&job->chunks);
    free(job);
}

static void defaults(struct pipeline_config *c)
{
    if (c->workers == 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        c->workers = cpus < 1 ? 1 : cpus > 4 ? 4 : (unsigned)cpus;
    }
    if (c->workers > WORKERS_MAX)
        c->workers = WORKERS_MAX;
    if (c->uploads == 0)
        c->uploads = 2;
    if (c->uploads > UPLOADS_MAX)
        c->uploads = UPLOADS_MAX;
}

static int start_threads(struct pipeline *p, struct error *err)
{
    unsigned want = p->config.workers + p->config.uploads;
    while (p->nthreads < want) {
        void *(*entry)(void *) =
            p->nthreads < p->config.workers ? pipeline_worker_main : pipeline_upload_main;
        if (pthread_create(&p->threads[p->nthreads], NULL, entry, p) != 0)
            return error_set(err, E_NOMEM, "cannot start a thread");
        p->nthreads++;
    }
    return 0;
}

struct pipeline *pipeline_new(const struct pipeline_config *config, struct error *err)
{
    struct pipeline *p = mem_alloc(1, sizeof *p, err);
    if (p == NULL)
        return NULL;
    p->config = *config;
    defaults(&p->config);
    p->jobs_max = p->config.workers * 2 + 2;
    p->placed = (struct vec)VEC_OF(struct placed_blob);
    p->stored = (struct vec)VEC_OF(struct stored_pack);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    struct lanes_config lanes = {
        .author = p->config.author,
        .pack_size = p->config.pack_size,
        .submit = pipeline_on_pack,
        .placed = pipeline_on_placed,
        .arg = p,
    };
    memcpy(lanes.trail_key, p->config.trail_key, KEY_LEN);
    p->lanes = lanes_new(&lanes, err);
    secret_wipe(&lanes, sizeof lanes);
    if (p->lanes == NULL || start_threads(p, err) < 0) {
        pipeline_free(p);
        return NULL;
    }
    return p;
}

int pipeline_put(struct pipeline *p, struct blob_job *job, struct error *err)
{
    pthread_mutex_lock(&p->lock);
    while (p->njobs >= p->jobs_max && p->failed == 0)
        pthread_cond_wait(&p->changed, &p->lock);
    int rc = pipeline_failure(p, err);
    if (rc == 0) {
        job->state = JOB_WAITING;
        job->next = NULL;
        if (p->last != NULL)
            p->last->next = job;
        else
            p->first = job;
        p->last = job;
        p->njobs++;
        job = NULL;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    blob_job_free(job);
    return rc;
}

/* What was moved leaves `from` also when memory ends in between: an event has one owner. */
static int move_all(struct vec *from, struct vec *to, struct error *err)
{
    size_t moved = 0;
    for (; moved < from->len; moved++) {
        void *slot = vec_push(to, err);
        if (slot == NULL)
            break;
        memcpy(slot, vec_at(from, moved), from->item);
    }
    size_t left = from->len - moved;
    if (moved != 0 && left != 0)
        memmove(vec_at(from, 0), vec_at(from, moved), left * from->item);
    from->len = left;
    return left == 0 ? 0 : E_NOMEM;
}

int pipeline_take(struct pipeline *p, struct vec *placed, struct vec *stored, struct error *err)
{
    pthread_mutex_lock(&p->lock);
    /* Also after a failure: what is stored is stored, and the journal should know. */
    int rc = move_all(&p->placed, placed, err);
    if (rc == 0)
        rc = move_all(&p->stored, stored, err);
    if (rc == 0)
        rc = pipeline_failure(p, err);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* Waits until no blob is on its way, then takes the lanes for itself. */
static int hold_lanes(struct pipeline *p, struct error *err)
{
    pthread_mutex_lock(&p->lock);
    while ((p->njobs != 0 || p->packing) && p->failed == 0)
        pthread_cond_wait(&p->changed, &p->lock);
    int rc = pipeline_failure(p, err);
    if (rc == 0)
        p->packing = true;
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static void release_lanes(struct pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    p->packing = false;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

int pipeline_settle(struct pipeline *p, struct error *err)
{
    int rc = hold_lanes(p, err);
    if (rc < 0)
        return rc;
    rc = lanes_settle(p->lanes, err);
    release_lanes(p);
    return rc;
}

int pipeline_finish(struct pipeline *p, struct error *err)
{
    int rc = hold_lanes(p, err);
    if (rc < 0)
        return rc;
    rc = lanes_finish(p->lanes, err);
    release_lanes(p);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&p->lock);
    while (p->outstanding != 0 && p->failed == 0)
        pthread_cond_wait(&p->changed, &p->lock);
    rc = pipeline_failure(p, err);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void pipeline_free(struct pipeline *p)
{
    if (p == NULL)
        return;
    struct error stop = ERROR_INIT;
    (void)error_set(&stop, E_CANCELLED, "the run was given up");
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pipeline_fail(p, &stop);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthreads; i++)
        pthread_join(p->threads[i], NULL);
    while (p->first != NULL) {
        struct blob_job *job = p->first;
        p->first = job->next;
        blob_job_free(job);
    }
    while (p->queue != NULL) {
        struct upload_item *item = p->queue;
        p->queue = item->next;
        pipeline_free_upload(item);
    }
    for (size_t i = 0; i < p->stored.len; i++)
        vec_free(&((struct stored_pack *)vec_at(&p->stored, i))->blobs);
    vec_free(&p->stored);
    vec_free(&p->placed);
    lanes_free(p->lanes);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
