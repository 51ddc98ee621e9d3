#include "common/sys/queue.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/banned.h"

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t room;  /* an item left, or the queue ended */
    pthread_cond_t items; /* an item came, or the queue ended */
    void **ring;
    size_t capacity;
    size_t first;
    size_t len;
    bool closed;
    struct error failure; /* code 0: none */
};

struct queue *queue_new(size_t capacity, struct error *err)
{
    if (capacity == 0) {
        (void)error_set(err, E_INTERNAL, "a queue without room");
        return NULL;
    }
    struct queue *q = mem_alloc(1, sizeof *q, err);
    if (q == NULL)
        return NULL;
    q->ring = mem_alloc(capacity, sizeof *q->ring, err);
    if (q->ring == NULL) {
        free(q);
        return NULL;
    }
    q->capacity = capacity;
    (void)pthread_mutex_init(&q->lock, NULL);
    (void)pthread_cond_init(&q->room, NULL);
    (void)pthread_cond_init(&q->items, NULL);
    return q;
}

int queue_put(struct queue *q, void *item, struct error *err)
{
    int rc = 0;
    (void)pthread_mutex_lock(&q->lock);
    while (q->len == q->capacity && !q->closed && q->failure.code == 0)
        (void)pthread_cond_wait(&q->room, &q->lock);
    if (q->failure.code != 0) {
        rc = error_copy(err, &q->failure);
    } else if (q->closed) {
        rc = error_set(err, E_INTERNAL, "an item for a closed queue");
    } else {
        q->ring[(q->first + q->len) % q->capacity] = item;
        q->len++;
        (void)pthread_cond_signal(&q->items);
    }
    (void)pthread_mutex_unlock(&q->lock);
    return rc;
}

int queue_get(struct queue *q, void **item, struct error *err)
{
    int rc = 0;
    (void)pthread_mutex_lock(&q->lock);
    while (q->len == 0 && !q->closed && q->failure.code == 0)
        (void)pthread_cond_wait(&q->items, &q->lock);
    if (q->failure.code != 0) {
        rc = error_copy(err, &q->failure);
    } else if (q->len != 0) {
        *item = q->ring[q->first];
        q->first = (q->first + 1) % q->capacity;
        q->len--;
        (void)pthread_cond_signal(&q->room);
        rc = 1;
    }
    (void)pthread_mutex_unlock(&q->lock);
    return rc;
}

static void wake_all(struct queue *q)
{
    (void)pthread_cond_broadcast(&q->room);
    (void)pthread_cond_broadcast(&q->items);
}

void queue_close(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->closed = true;
    wake_all(q);
    (void)pthread_mutex_unlock(&q->lock);
}

void queue_fail(struct queue *q, const struct error *why)
{
    (void)pthread_mutex_lock(&q->lock);
    if (q->failure.code == 0)
        (void)error_copy(&q->failure, why);
    if (q->failure.code == 0) /* a failure without a code must still end the queue */
        (void)error_set(&q->failure, E_INTERNAL, "failed for an unknown reason");
    wake_all(q);
    (void)pthread_mutex_unlock(&q->lock);
}

size_t queue_waiting(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    size_t len = q->len;
    (void)pthread_mutex_unlock(&q->lock);
    return len;
}

void queue_free(struct queue *q, void (*drop)(void *item))
{
    if (q == NULL)
        return;
    for (; drop != NULL && q->len > 0; q->len--) {
        drop(q->ring[q->first]);
        q->first = (q->first + 1) % q->capacity;
    }
    (void)pthread_cond_destroy(&q->room);
    (void)pthread_cond_destroy(&q->items);
    (void)pthread_mutex_destroy(&q->lock);
    free(q->ring);
    free(q);
}
