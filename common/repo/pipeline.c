#include "common/repo/pipeline.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/chunk/blob.h"
#include "common/repo/lanes.h"
#include "common/repo/names.h"
#include "common/base/banned.h"

enum { JOB_WAITING, JOB_BUSY, JOB_DONE };
enum { WORKERS_MAX = 16, UPLOADS_MAX = 8 };

struct upload_item {
    struct finished_pack pack;
    struct upload_item *next;
};

/* One mutex and one condition for everything: a handful of threads that each work for milliseconds. */
struct pipeline {
    struct pipeline_config config;
    struct lanes *lanes;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[WORKERS_MAX + UPLOADS_MAX];
    unsigned nthreads;
    unsigned jobs_max;

    struct blob_job *first, *last; /* in order; the head leaves first */
    unsigned njobs;
    bool packing;                  /* one thread holds the lanes */
    struct upload_item *queue, *queue_last;
    unsigned outstanding;          /* packs queued or being uploaded */
    struct vec placed;             /* struct placed_blob */
    struct vec stored;             /* struct stored_pack */
    bool stopping;
    int failed;
    struct error error;
};

/* Call with the lock held. */
static void fail(struct pipeline *p, const struct error *err)
{
    if (p->failed == 0) {
        p->error = *err;
        p->failed = err->code;
    }
    pthread_cond_broadcast(&p->changed);
}

static int failure(struct pipeline *p, struct error *err)
{
    return p->failed == 0 ? 0 : error_copy(err, &p->error);
}

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

/* ---- lanes' callbacks: called by the thread that holds `packing` ------------------------------------- */
static int on_placed(void *arg, uint32_t number, const struct blob_ref *ref, struct error *err)
{
    struct pipeline *p = arg;
    pthread_mutex_lock(&p->lock);
    struct placed_blob *slot = vec_push(&p->placed, err);
    if (slot != NULL) {
        slot->number = number;
        slot->ref = *ref;
    }
    pthread_mutex_unlock(&p->lock);
    return slot != NULL ? 0 : E_NOMEM;
}

static int on_pack(void *arg, struct finished_pack *pack, struct error *err)
{
    struct pipeline *p = arg;
    struct upload_item *item = mem_alloc(1, sizeof *item, err);
    if (item == NULL) {
        pack_build_free(pack->build);
        vec_free(&pack->blobs);
        return E_NOMEM;
    }
    item->pack = *pack;
    pthread_mutex_lock(&p->lock);
    while (p->outstanding >= p->config.uploads && p->failed == 0 && !p->stopping)
        pthread_cond_wait(&p->changed, &p->lock);
    if (p->queue_last != NULL)
        p->queue_last->next = item;
    else
        p->queue = item;
    p->queue_last = item;
    p->outstanding++;
    int rc = failure(p, err);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* ---- workers ----------------------------------------------------------------------------------------- */
static int encode_job(struct pipeline *p, struct blob_codec *codec, struct blob_job *job, struct error *err)
{
    int rc = blob_encode(codec, job->plain.data, job->plain.len, p->config.level, &job->frame, err);
    if (rc == 0)
        rc = blob_id(job->kind == BLOB_NODE ? BLOB_KIND_NODE : BLOB_KIND_DATA, p->config.id_key, job->frame.data, job->frame.len, job->id, err);
    return rc;
}

static int pack_job(struct pipeline *p, struct blob_job *job, struct error *err)
{
    struct pack_blob blob = {
        .kind = job->kind,
        .frame = job->frame.data,
        .frame_len = (uint32_t)job->frame.len,
        .plen = (uint32_t)job->plain.len,
        .chunks = job->chunks.data,
        .nchunks = (uint32_t)job->chunks.len,
    };
    memcpy(blob.id, job->id, sizeof blob.id);
    return lanes_put(p->lanes, &blob, job->number, err);
}

static struct blob_job *next_waiting(const struct pipeline *p)
{
    for (struct blob_job *job = p->first; job != NULL; job = job->next)
        if (job->state == JOB_WAITING)
            return job;
    return NULL;
}

/* Takes the head out of the order and packs it; called and left with the lock held. */
static void pack_head(struct pipeline *p)
{
    struct error err = ERROR_INIT;
    struct blob_job *job = p->first;
    p->packing = true;
    p->first = job->next;
    if (p->first == NULL)
        p->last = NULL;
    pthread_mutex_unlock(&p->lock);
    int rc = pack_job(p, job, &err);
    blob_job_free(job);
    pthread_mutex_lock(&p->lock);
    p->packing = false;
    p->njobs--;
    if (rc < 0)
        fail(p, &err);
    pthread_cond_broadcast(&p->changed);
}

static void encode_one(struct pipeline *p, struct blob_codec *codec, struct blob_job *job)
{
    struct error err = ERROR_INIT;
    job->state = JOB_BUSY;
    pthread_mutex_unlock(&p->lock);
    int rc = encode_job(p, codec, job, &err);
    pthread_mutex_lock(&p->lock);
    job->state = JOB_DONE;
    if (rc < 0)
        fail(p, &err);
    pthread_cond_broadcast(&p->changed);
}

static void *worker_main(void *arg)
{
    struct pipeline *p = arg;
    struct error err = ERROR_INIT;
    struct blob_codec *codec = blob_codec_new(&err);
    pthread_mutex_lock(&p->lock);
    if (codec == NULL)
        fail(p, &err);
    while (p->failed == 0 && !p->stopping) {
        struct blob_job *job = NULL;
        if (p->first != NULL && p->first->state == JOB_DONE && !p->packing)
            pack_head(p);
        else if ((job = next_waiting(p)) != NULL)
            encode_one(p, codec, job);
        else
            pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    blob_codec_free(codec);
    return NULL;
}

/* ---- uploads ----------------------------------------------------------------------------------------- */
static int store_pack(struct pipeline *p, struct backend *backend, struct finished_pack *pack, struct error *err)
{
    const struct buf *bytes = &pack->build->bytes;
    struct stored_pack done = { .session = pack->build->session, .idx = pack->build->idx, .size = bytes->len };
    file_hash(bytes->data, bytes->len, done.hash);
    struct name name = { .kind = NAME_PACK, .session = done.session, .idx = done.idx };
    memcpy(name.writer, p->config.author.writer_id, WRITER_ID_LEN);
    int rc = publish_object(backend, &name, bytes->data, bytes->len, NULL, NULL, err);
    if (rc < 0)
        return error_wrap(err, "pack %u-%06x", done.session, done.idx);
    done.attempt = name.attempt;
    if (p->config.uploaded != NULL)
        p->config.uploaded(p->config.uploaded_arg, done.size);
    done.blobs = pack->blobs;
    pthread_mutex_lock(&p->lock);
    struct stored_pack *slot = vec_push(&p->stored, err);
    if (slot != NULL) {
        *slot = done;
        pack->blobs = (struct vec)VEC_OF(uint32_t);
    }
    pthread_mutex_unlock(&p->lock);
    return slot != NULL ? 0 : E_NOMEM;
}

static void free_item(struct upload_item *item)
{
    pack_build_free(item->pack.build);
    vec_free(&item->pack.blobs);
    free(item);
}

static void *upload_main(void *arg)
{
    struct pipeline *p = arg;
    struct error err = ERROR_INIT;
    struct backend *backend = backend_clone(p->config.backend, &err);
    pthread_mutex_lock(&p->lock);
    if (backend == NULL)
        fail(p, &err);
    while (p->failed == 0) {
        struct upload_item *item = p->queue;
        if (item == NULL && p->stopping)
            break;
        if (item == NULL) {
            pthread_cond_wait(&p->changed, &p->lock);
            continue;
        }
        p->queue = item->next;
        if (p->queue == NULL)
            p->queue_last = NULL;
        pthread_mutex_unlock(&p->lock);
        int rc = store_pack(p, backend, &item->pack, &err);
        free_item(item);
        pthread_mutex_lock(&p->lock);
        p->outstanding--;
        if (rc < 0)
            fail(p, &err);
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    backend_close(backend);
    return NULL;
}

/* ---- the caller's side ------------------------------------------------------------------------------- */
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
        void *(*entry)(void *) = p->nthreads < p->config.workers ? worker_main : upload_main;
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
        .submit = on_pack,
        .placed = on_placed,
        .arg = p,
    };
    memcpy(lanes.trail_key, p->config.trail_key, KEY_LEN);
    p->lanes = lanes_new(&lanes, err);
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
    int rc = failure(p, err);
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

static int move_all(struct vec *from, struct vec *to, size_t item, struct error *err)
{
    for (size_t i = 0; i < from->len; i++) {
        void *slot = vec_push(to, err);
        if (slot == NULL)
            return E_NOMEM;
        memcpy(slot, vec_at(from, i), item);
    }
    vec_clear(from);
    return 0;
}

int pipeline_take(struct pipeline *p, struct vec *placed, struct vec *stored, struct error *err)
{
    pthread_mutex_lock(&p->lock);
    /* Also after a failure: what is stored is stored, and the journal should know. */
    int rc = move_all(&p->placed, placed, sizeof(struct placed_blob), err);
    if (rc == 0)
        rc = move_all(&p->stored, stored, sizeof(struct stored_pack), err);
    if (rc == 0)
        rc = failure(p, err);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* Waits until no blob is on its way, then takes the lanes for itself. */
static int hold_lanes(struct pipeline *p, struct error *err)
{
    pthread_mutex_lock(&p->lock);
    while ((p->njobs != 0 || p->packing) && p->failed == 0)
        pthread_cond_wait(&p->changed, &p->lock);
    int rc = failure(p, err);
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
    rc = failure(p, err);
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
    fail(p, &stop);
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
        free_item(item);
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
