/* The pipeline's threads: compress in any order, pack in order, upload. */
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/chunk/blob.h"
#include "common/repo/names.h"
#include "common/repo/pipeline_internal.h"
#include "common/base/banned.h"

void pipeline_fail(struct pipeline *p, const struct error *err)
{
    if (p->failed == 0) {
        p->error = *err;
        /* A failure that forgot to say what it was must not pass for none: a pack would be missing. */
        if (p->error.code >= 0)
            (void)error_set(&p->error, E_INTERNAL, "a worker failed without saying why");
        p->failed = p->error.code;
    }
    pthread_cond_broadcast(&p->changed);
}

int pipeline_failure(const struct pipeline *p, struct error *err)
{
    return p->failed == 0 ? 0 : error_copy(err, &p->error);
}

/* ---- lanes' callbacks: called by the thread that holds `packing` ------------------------------------- */
int pipeline_on_placed(void *arg, uint32_t number, const struct blob_ref *ref, struct error *err)
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

int pipeline_on_pack(void *arg, struct finished_pack *pack, struct error *err)
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
    int rc = pipeline_failure(p, err);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* ---- workers ----------------------------------------------------------------------------------------- */
static int encode_job(struct pipeline *p, struct blob_codec *codec, struct blob_job *job, struct error *err)
{
    int rc = blob_encode(codec, job->plain.data, job->plain.len, p->config.level, &job->frame, err);
    if (rc == 0)
        rc = blob_id(job->kind == BLOB_NODE ? BLOB_KIND_NODE : BLOB_KIND_DATA, p->config.id_key,
                     job->frame.data, job->frame.len, job->id, err);
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
        pipeline_fail(p, &err);
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
        pipeline_fail(p, &err);
    pthread_cond_broadcast(&p->changed);
}

void *pipeline_worker_main(void *arg)
{
    struct pipeline *p = arg;
    struct error err = ERROR_INIT;
    struct blob_codec *codec = blob_codec_new(&err);
    pthread_mutex_lock(&p->lock);
    if (codec == NULL)
        pipeline_fail(p, &err);
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
static int store_pack(struct pipeline *p, struct backend *backend, struct finished_pack *pack,
                      struct error *err)
{
    const struct buf *bytes = &pack->build->bytes;
    struct stored_pack done = { .session = pack->build->session,
                                .idx = pack->build->idx,
                                .size = bytes->len };
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

void pipeline_free_upload(struct upload_item *item)
{
    pack_build_free(item->pack.build);
    vec_free(&item->pack.blobs);
    free(item);
}

void *pipeline_upload_main(void *arg)
{
    struct pipeline *p = arg;
    struct error err = ERROR_INIT;
    struct backend *backend = backend_clone(p->config.backend, &err);
    pthread_mutex_lock(&p->lock);
    if (backend == NULL)
        pipeline_fail(p, &err);
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
        pipeline_free_upload(item);
        pthread_mutex_lock(&p->lock);
        p->outstanding--;
        if (rc < 0)
            pipeline_fail(p, &err);
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    backend_close(backend);
    return NULL;
}
