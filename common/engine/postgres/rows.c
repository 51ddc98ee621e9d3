/*
 * Rows of all tables into the target, over several connections.
 *
 * One feeder, the caller's thread, reads the streams in order and cuts them into batches of whole rows. A table that
 * is larger than a batch uses every connection. A row that is longer, and COPY's binary format, which cannot be cut,
 * go through a pipe to one connection.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/postgres/restore.h"
#include "common/sys/queue.h"

#include "common/base/banned.h"

enum { BLOCK = 1 << 18, BATCH = 4 << 20, PIPE_BLOCKS = 8 };

/* More bytes of a batch, one struct batch after the other. Gone when both ends let go. */
struct pipe {
    struct queue *blocks;
    atomic_int ends;
};

struct batch {
    struct pgsql_load *load;
    uint64_t first; /* of its rows in the stream, from 1 */
    struct buf data;
    struct pipe *pipe; /* NULL: data is all */
};

struct loader {
    struct pgsql_plan *plan;
    struct queue *work;
    pthread_mutex_t lock; /* of pipe, and of taken of the loads */
    struct pipe *pipe;    /* that is being filled now; set by the feeder only */
    bool replica;
};

struct worker {
    struct loader *l;
    struct pgsql c;
    pthread_t thread;
    bool started;
    struct pgsql_load *open; /* the table of its transaction */
};

static void pipe_release(struct pipe *p);

static void batch_free(void *arg)
{
    struct batch *b = arg;
    if (b == NULL)
        return;
    buf_free(&b->data);
    pipe_release(b->pipe);
    free(b);
}

static void pipe_release(struct pipe *p)
{
    if (p == NULL || atomic_fetch_sub(&p->ends, 1) != 1)
        return;
    queue_free(p->blocks, batch_free);
    free(p);
}

static struct pipe *pipe_new(struct error *err)
{
    struct pipe *p = mem_alloc(1, sizeof *p, err);
    if (p == NULL || (p->blocks = queue_new(PIPE_BLOCKS, err)) == NULL) {
        free(p);
        return NULL;
    }
    atomic_init(&p->ends, 2);
    return p;
}

/* ---- taking ----------------------------------------------------------------------------------------------- */

static int end_table(struct worker *w, struct error *err)
{
    bool open = w->open != NULL;
    w->open = NULL;
    return open ? pgsql_exec(&w->c, "COMMIT", err) : 0;
}

/* In a transaction for each table and connection, without triggers where this role may switch them off. */
static int begin_table(struct worker *w, struct pgsql_load *load, struct error *err)
{
    if (w->open == load)
        return 0;
    int rc = end_table(w, err);
    if (rc == 0)
        rc = pgsql_exec(&w->c, "BEGIN", err);
    if (rc == 0 && w->l->replica)
        rc = pgsql_exec(&w->c, "SET LOCAL session_replication_role = replica", err);
    if (rc == 0)
        w->open = load;
    return rc;
}

static int put_piped(struct worker *w, struct batch *b, struct error *err)
{
    int rc = 0;
    void *item = NULL;
    while (rc == 0 && (rc = queue_get(b->pipe->blocks, &item, err)) > 0) {
        struct batch *more = item;
        rc = pgsql_put(&w->c, more->data.data, more->data.len, err);
        batch_free(more);
    }
    return rc;
}

/* "COPY orders, line 7, column id": of the batch; people want the row of the table. */
static int name_row(const struct batch *b, const char *context, struct error *err)
{
    const char *at = strstr(context, ", line ");
    char shown[200];
    (void)str_printable(shown, sizeof shown, context);
    shown[strcspn(shown, "\n")] = '\0';
    if (at == NULL || b->load->t.binary)
        return error_wrap(err, "%s", shown);
    return error_wrap(err, "row %llu (%s)",
                      (unsigned long long)(b->first + strtoull(at + strlen(", line "), NULL, 10) - 1), shown);
}

static int put_batch(struct worker *w, struct batch *b, struct error *err)
{
    struct buf sql = BUF_INIT;
    char shown[200];
    uint64_t rows = 0;
    int rc = begin_table(w, b->load, err);
    w->c.context[0] = '\0';
    if (rc == 0)
        rc = pgsql_copy_sql(&b->load->t, false, &sql, err);
    if (rc == 0)
        rc = pgsql_put_begin(&w->c, (const char *)sql.data, err);
    if (rc == 0)
        rc = pgsql_put(&w->c, b->data.data, b->data.len, err);
    if (rc == 0 && b->pipe != NULL)
        rc = put_piped(w, b, err);
    /* Without the end the server takes nothing of it. */
    if (rc == 0)
        rc = pgsql_put_end(&w->c, &rows, err);
    buf_free(&sql);
    if (rc < 0 && w->c.context[0] != '\0')
        (void)name_row(b, w->c.context, err);
    if (rc < 0)
        return error_wrap(err, "table %s", str_printable(shown, sizeof shown, b->load->t.sql));
    (void)pthread_mutex_lock(&w->l->lock);
    b->load->taken += rows;
    (void)pthread_mutex_unlock(&w->l->lock);
    return 0;
}

/* Also wakes a feeder that fills a pipe. */
static void fail(struct loader *l, const struct error *why)
{
    queue_fail(l->work, why);
    (void)pthread_mutex_lock(&l->lock);
    if (l->pipe != NULL)
        queue_fail(l->pipe->blocks, why);
    (void)pthread_mutex_unlock(&l->lock);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct error why = ERROR_INIT;
    void *item = NULL;
    int rc = 0;
    while (rc == 0 && (rc = queue_get(w->l->work, &item, &why)) > 0) {
        rc = put_batch(w, item, &why);
        batch_free(item);
    }
    if (rc == 0)
        rc = end_table(w, &why);
    if (rc < 0)
        fail(w->l, &why);
    return NULL;
}

/* ---- feeding ---------------------------------------------------------------------------------------------- */

struct feeder {
    struct loader *l;
    struct pgsql_load *load;
    struct buf pending; /* of rows that were not handed over; the last may have no end yet */
    uint64_t rows;      /* of the stream that were handed over */
};

static uint64_t count_lines(const uint8_t *data, size_t len)
{
    uint64_t n = 0;
    for (const uint8_t *p = data; len != 0 && (p = memchr(p, '\n', len - (size_t)(p - data))) != NULL; p++)
        n++;
    return n;
}

/* Takes the pipe, also on failure. */
static int put_work(const struct feeder *f, struct queue *to, const uint8_t *data, size_t len,
                    struct pipe *pipe, struct error *err)
{
    struct batch *b = mem_alloc(1, sizeof *b, err);
    if (b == NULL) {
        pipe_release(pipe);
        return E_NOMEM;
    }
    *b = (struct batch){ .load = f->load, .first = f->rows + 1, .data = BUF_INIT, .pipe = pipe };
    int rc = buf_append(&b->data, data, len, err);
    if (rc == 0)
        rc = queue_put(to, b, err);
    if (rc < 0)
        batch_free(b);
    return rc;
}

/* The first `len` bytes that are pending, which are whole rows. */
static int hand_over(struct feeder *f, size_t len, struct error *err)
{
    int rc = len != 0 ? put_work(f, f->l->work, f->pending.data, len, NULL, err) : 0;
    if (rc == 0) {
        f->rows += count_lines(f->pending.data, len);
        buf_consume(&f->pending, len);
    }
    return rc;
}

static void set_pipe(struct loader *l, struct pipe *pipe)
{
    (void)pthread_mutex_lock(&l->lock);
    l->pipe = pipe;
    (void)pthread_mutex_unlock(&l->lock);
}

/* What is pending goes to one connection, which takes what follows from the pipe. */
static int open_pipe(struct feeder *f, struct error *err)
{
    struct pipe *pipe = pipe_new(err);
    if (pipe == NULL)
        return E_NOMEM;
    set_pipe(f->l, pipe);
    int rc = put_work(f, f->l->work, f->pending.data, f->pending.len, pipe, err);
    buf_clear(&f->pending);
    return rc;
}

static void close_pipe(struct loader *l, const struct error *why)
{
    struct pipe *pipe = l->pipe;
    set_pipe(l, NULL);
    if (pipe != NULL && why != NULL)
        queue_fail(pipe->blocks, why);
    else if (pipe != NULL)
        queue_close(pipe->blocks);
    pipe_release(pipe);
}

/* The rest of a long row; returns its bytes through *used. */
static int feed_long(struct feeder *f, const uint8_t *data, size_t len, size_t *used, struct error *err)
{
    const uint8_t *end = f->load->t.binary ? NULL : memchr(data, '\n', len);
    *used = end != NULL ? (size_t)(end + 1 - data) : len;
    int rc = put_work(f, f->l->pipe->blocks, data, *used, NULL, err);
    if (rc == 0 && end != NULL) {
        f->rows++;
        close_pipe(f->l, NULL);
    }
    return rc;
}

static int feed(struct feeder *f, const uint8_t *data, size_t len, struct error *err)
{
    size_t used = 0;
    int rc = f->load->t.binary && f->l->pipe == NULL ? open_pipe(f, err) : 0;
    if (rc == 0 && f->l->pipe != NULL)
        rc = feed_long(f, data, len, &used, err);
    if (rc == 0 && used < len)
        rc = buf_append(&f->pending, data + used, len - used, err);
    if (rc < 0 || f->pending.len < BATCH)
        return rc;
    const uint8_t *end = memrchr(f->pending.data, '\n', f->pending.len);
    return end != NULL ? hand_over(f, (size_t)(end + 1 - f->pending.data), err) : open_pipe(f, err);
}

static int feed_table(struct loader *l, struct pgsql_load *load, uint8_t *block, struct error *err)
{
    struct feeder f = { .l = l, .load = load, .pending = BUF_INIT };
    struct error why = ERROR_INIT;
    char shown[200];
    int64_t n = 0;
    struct source *s = pgsql_plan_open(l->plan, true, load->stream + strlen(l->plan->prefix), &why);
    int rc = s != NULL ? 0 : pgsql_failed(&why);
    while (rc == 0 && (n = source_read(s, block, BLOCK, &why)) > 0) {
        rc = feed(&f, block, (size_t)n, &why);
        pgsql_plan_progress(l->plan, (uint64_t)n);
    }
    if (rc == 0 && n < 0)
        rc = (int)n;
    if (rc == 0)
        rc = hand_over(&f, f.pending.len, &why);
    close_pipe(l, rc < 0 ? &why : NULL);
    buf_free(&f.pending);
    source_free(s);
    if (rc == 0)
        return 0;
    (void)error_copy(err, &why);
    /* What a worker failed with names its table already. */
    return n < 0 || s == NULL ? error_wrap(err, "table %s", str_printable(shown, sizeof shown, load->t.sql))
                              : rc;
}

static int feed_all(struct loader *l, struct error *err)
{
    uint8_t *block = mem_alloc(1, BLOCK, err);
    int rc = block != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < l->plan->loads.len; i++) {
        struct pgsql_load *load = vec_at(&l->plan->loads, i);
        pgsql_plan_phase(l->plan, load->stream);
        rc = feed_table(l, load, block, err);
    }
    free(block);
    return rc;
}

/* ---- together --------------------------------------------------------------------------------------------- */

static int start(struct worker *w, struct loader *l, const struct pgsql *c, struct error *err)
{
    w->l = l;
    int rc = pgsql_target_again(c, &w->c, err);
    if (rc < 0)
        return rc;
    w->started = pthread_create(&w->thread, NULL, work, w) == 0;
    return w->started ? 0 : error_set(err, E_NOMEM, "start a thread");
}

static int count_taken(const struct pgsql_plan *p, struct error *err)
{
    char shown[200];
    for (size_t i = 0; i < p->loads.len; i++) {
        const struct pgsql_load *load = vec_at(&p->loads, i);
        if (load->taken != load->t.rows)
            return error_corrupt(err, "facts-differ", "table %s: the server took %llu rows of %llu",
                                 str_printable(shown, sizeof shown, load->t.sql),
                                 (unsigned long long)load->taken, (unsigned long long)load->t.rows);
    }
    return 0;
}

static int run(struct loader *l, struct worker *workers, unsigned jobs, struct pgsql *c, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < jobs; i++) {
        rc = start(&workers[i], l, c, &why);
        if (i > 0 && rc == E_RETRY) { /* a server with few connections left */
            log_event(LOG_WARN, "loading over %u connections instead of %u: %s", i, jobs, why.text);
            error_clear(&why);
            rc = 0;
            break;
        }
    }
    if (rc == 0)
        rc = feed_all(l, &why);
    if (rc < 0)
        queue_fail(l->work, &why);
    else
        queue_close(l->work);
    for (unsigned i = 0; i < jobs; i++)
        if (workers[i].started)
            (void)pthread_join(workers[i].thread, NULL);
    /* The first failure, whoever had it: the queue kept it. */
    void *none = NULL;
    int last = queue_get(l->work, &none, err);
    batch_free(last > 0 ? none : NULL);
    return last < 0 ? last : 0;
}

int pgsql_load_tables(struct pgsql *c, struct pgsql_plan *p, unsigned jobs, struct error *err)
{
    struct loader l = { .plan = p };
    struct worker *workers = mem_alloc(jobs, sizeof *workers, err);
    int rc = workers != NULL ? pgsql_may_be_replica(c, &l.replica, err) : E_NOMEM;
    if (rc == 0 && (l.work = queue_new(jobs, err)) == NULL)
        rc = E_NOMEM;
    (void)pthread_mutex_init(&l.lock, NULL);
    if (rc == 0)
        rc = run(&l, workers, jobs, c, err);
    for (unsigned i = 0; workers != NULL && i < jobs; i++)
        pgsql_close(&workers[i].c);
    queue_free(l.work, batch_free);
    (void)pthread_mutex_destroy(&l.lock);
    free(workers);
    return rc == 0 ? count_taken(p, err) : rc;
}
