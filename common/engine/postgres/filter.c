/* A program between a buffer and a source. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/engine/postgres/export.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

struct filter {
    struct source base;
    struct child *child;
    const char *name;
    const struct buf *input;
    pthread_t feeder;
    bool feeding;
    bool ended;
};

/* A child that has read enough, or died, closes its end: its verdict says which. */
static void *feed(void *arg)
{
    struct filter *f = arg;
    (void)fd_write_full(child_stdin(f->child), f->input->data, f->input->len, f->name, NULL);
    child_close_stdin(f->child);
    return NULL;
}

static void join(struct filter *f)
{
    if (f->feeding)
        (void)pthread_join(f->feeder, NULL);
    f->feeding = false;
}

static int64_t filter_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct filter *f = (struct filter *)base;
    if (f->ended)
        return 0;
    int64_t n = fd_read(child_stdout(f->child), data, cap, f->name, err);
    if (n != 0)
        return n;
    join(f);
    int rc = pgsql_tool_finish(f->child, f->name, err);
    f->ended = rc == 0;
    return rc;
}

static void filter_free(struct source *base)
{
    struct filter *f = (struct filter *)base;
    if (!f->ended && f->child != NULL)
        child_kill(f->child);
    join(f);
    child_free(f->child);
    free(f);
}

/* Signals are for the threads that look at them. */
static int start_feeder(struct filter *f, struct error *err)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&f->feeder, NULL, feed, f);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    f->feeding = rc == 0;
    return rc == 0 ? 0 : error_set(err, E_NOMEM, "start a thread for %s", f->name);
}

struct source *pgsql_filter(const char *const argv[], const char *name, const struct buf *input,
                            struct error *err)
{
    const char *const env[] = { "LC_MESSAGES=C", NULL };
    struct child_options opt = { .env = env, .want_stdin = true, .want_stdout = true };
    struct filter *f = mem_alloc(1, sizeof *f, err);
    if (f == NULL)
        return NULL;
    f->base = (struct source){ .read = filter_read, .free = filter_free };
    f->name = name;
    f->input = input;
    f->child = child_start(argv, &opt, err);
    if (f->child != NULL && start_feeder(f, err) == 0)
        return &f->base;
    filter_free(&f->base);
    return NULL;
}
