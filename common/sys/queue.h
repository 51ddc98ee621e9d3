/*
 * queue.h - a bounded, blocking queue of pointers between threads.
 *
 *     producer: while (more) if (queue_put(q, item, err) < 0) stop;   // item stays ours on failure
 *               queue_close(q);                                       // or queue_fail(q, &why)
 *     consumer: while ((rc = queue_get(q, &item, err)) > 0) use(item);
 *               if (rc < 0) somebody failed;                          // err says what
 *
 * Any number of producers and consumers. Items come out in the order they went
 * in. queue_close: puts fail (E_INTERNAL), gets drain what is left, then 0.
 * queue_fail: puts and gets fail at once with a copy of the error, and wake
 * everybody; the first failure is kept; it also ends a closed queue.
 */
#ifndef COMMON_SYS_QUEUE_H
#define COMMON_SYS_QUEUE_H

#include <stddef.h>

#include "common/base/error.h"

struct queue;

struct queue *queue_new(size_t capacity, struct error *err); /* capacity >= 1 */
/* Waits for room. On success the item belongs to the queue; NULL is a legal item. */
int queue_put(struct queue *q, void *item, struct error *err);
/* 1 and an item, which is the caller's now; 0 when closed and empty; or the failure. Waits. */
int queue_get(struct queue *q, void **item, struct error *err);
void queue_close(struct queue *q);
/* why->code must be negative. */
void queue_fail(struct queue *q, const struct error *why);
/* Items that wait now; for progress displays. */
size_t queue_waiting(struct queue *q);
/* No thread may use q any more. drop (may be NULL) gets each item left inside. NULL is fine. */
void queue_free(struct queue *q, void (*drop)(void *item));

#endif
