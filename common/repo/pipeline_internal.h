/*
 * pipeline_internal.h - the state that the pipeline's threads share. Private to pipeline*.c.
 *
 *   pipeline.c       the caller's side: put, take, settle, finish
 *   pipeline_work.c  the threads: compress, pack, upload
 */
#ifndef COMMON_REPO_PIPELINE_INTERNAL_H
#define COMMON_REPO_PIPELINE_INTERNAL_H

#include <pthread.h>

#include "common/repo/lanes.h"
#include "common/repo/pipeline.h"

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
    bool packing; /* one thread holds the lanes */
    struct upload_item *queue, *queue_last;
    unsigned outstanding; /* packs queued or being uploaded */
    struct vec placed;    /* struct placed_blob */
    struct vec stored;    /* struct stored_pack */
    bool stopping;
    int failed;
    struct error error;
};

/* The first failure is kept and wakes everybody. Call with the lock held. */
void pipeline_fail(struct pipeline *p, const struct error *err);
/* 0, or the failure that is kept. Call with the lock held. */
int pipeline_failure(const struct pipeline *p, struct error *err);
void pipeline_free_upload(struct upload_item *item);

void *pipeline_worker_main(void *pipeline);
void *pipeline_upload_main(void *pipeline);
/* Callbacks of the lanes; called by the thread that holds `packing`. */
int pipeline_on_placed(void *pipeline, uint32_t number, const struct blob_ref *ref, struct error *err);
int pipeline_on_pack(void *pipeline, struct finished_pack *pack, struct error *err);

#endif
