#include "common/cli/progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/activity.h"
#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/cli/out.h"

#include "common/base/banned.h"

enum { TICK_TERMINAL_MS = 250, TICK_JSON_MS = 1000, TICK_PLAIN_MS = 30000, SMOOTH_MS = 5000 };
enum progress_mode { MODE_TERMINAL, MODE_PLAIN, MODE_JSON };

struct progress {
    enum progress_mode mode;
    char *what;
    uint64_t started_ms;
    _Atomic uint64_t done;
    _Atomic uint64_t total;
    /* under `lock` */
    char *item;
    bool stopping;
    uint64_t last_ms, last_done; /* of the last drawing, for the rate */
    double rate;
    pthread_cond_t wake;
    pthread_t thread;
};

/* One lock for the one line there is on a terminal; it is held while the line is hidden. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP; /* hide may be nested */
static struct progress *current;                                      /* under `lock` */
static bool drawn; /* under `lock`: the line stands on the terminal */

static void lock_take(void)
{
    (void)pthread_mutex_lock(&lock);
}

static void erase(void)
{
    if (drawn)
        (void)fputs("\r\033[K", stderr);
    drawn = false;
}

void progress_hide(void)
{
    lock_take();
    erase();
}

void progress_show(void)
{
    (void)pthread_mutex_unlock(&lock); /* the next tick draws */
}

/* The rate of the last seconds, older ones fading out. */
static void update_rate(struct progress *p, uint64_t now, uint64_t done)
{
    uint64_t dt = now - p->last_ms;
    if (dt == 0 || done < p->last_done)
        return;
    double latest = (double)(done - p->last_done) * 1000 / (double)dt;
    double weight = p->rate > 0 ? (double)dt / (double)(dt + SMOOTH_MS) : 1;
    p->rate += (latest - p->rate) * weight;
    p->last_ms = now;
    p->last_done = done;
}

static void emit_json(const struct progress_view *v)
{
    uint64_t left = progress_seconds_left(v);
    struct jsonout *o = jsonout_new("status");
    if (v->total != 0) {
        double part = (double)v->done / (double)v->total;
        jsonout_double(o, "percent_done", part > 1 ? 1 : part);
        jsonout_u64(o, "total_bytes", v->total);
    }
    jsonout_u64(o, "bytes_done", v->done);
    jsonout_u64(o, "bytes_moved", activity_total());
    jsonout_u64(o, "seconds_elapsed", v->elapsed_ms / 1000);
    if (left != UINT64_MAX)
        jsonout_u64(o, "seconds_remaining", left);
    if (v->current != NULL)
        jsonout_str(o, "current", v->current);
    (void)jsonout_emit(o, NULL); /* a lost status line harms nobody; the verb's own output is checked */
}

static void draw(struct progress *p)
{
    uint64_t now = clock_mono_ms();
    struct progress_view view = { .what = p->what, .current = p->item, .done = p->done, .total = p->total };
    update_rate(p, now, view.done);
    view.elapsed_ms = now - p->started_ms;
    view.rate = p->rate > 0 ? (uint64_t)p->rate : 0;
    if (p->mode == MODE_JSON) {
        emit_json(&view);
        return;
    }
    struct buf line = BUF_INIT;
    size_t width = p->mode == MODE_TERMINAL ? out_width(stderr) - 1 : 200;
    if (progress_line(&view, width, &line, NULL) == 0) {
        bool terminal = p->mode == MODE_TERMINAL;
        (void)fprintf(stderr, "%s%.*s%s", terminal ? "\r" : "", (int)line.len, (const char *)line.data,
                      terminal ? "\033[K" : "\n");
        (void)fflush(stderr);
        drawn = terminal;
    }
    buf_free(&line);
}

static void wait_tick(struct progress *p)
{
    static const long ticks[] = {
        [MODE_TERMINAL] = TICK_TERMINAL_MS, [MODE_PLAIN] = TICK_PLAIN_MS, [MODE_JSON] = TICK_JSON_MS
    };
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until); /* a real wait, whatever clock.h says */
    until.tv_sec += ticks[p->mode] / 1000;
    until.tv_nsec += ticks[p->mode] % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (!p->stopping && pthread_cond_timedwait(&p->wake, &lock, &until) == 0)
        continue;
}

static void *run(void *arg)
{
    struct progress *p = arg;
    lock_take();
    for (;;) {
        wait_tick(p);
        if (p->stopping)
            break;
        draw(p);
    }
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

/* Signals are for the program's own threads: this one blocks them all. */
static int start_thread(struct progress *p, struct error *err)
{
    sigset_t all;
    sigset_t before;
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&p->thread, NULL, run, p);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return 0;
    (void)pthread_cond_destroy(&p->wake);
    return error_set(err, E_IO, "thread for the progress line: %s", strerror(rc));
}

static enum progress_mode mode_of(const struct cli_context *cli)
{
    const char *term = getenv("TERM");
    bool able = term != NULL && strcmp(term, "dumb") != 0 && isatty(STDERR_FILENO) == 1;
    return cli->json ? MODE_JSON : able ? MODE_TERMINAL : MODE_PLAIN;
}

struct progress *progress_start(const struct cli_context *cli, const char *what, struct error *err)
{
    if (cli->quiet)
        return NULL;
    struct progress *p = mem_alloc(1, sizeof *p, err);
    if (p == NULL)
        return NULL;
    p->mode = mode_of(cli);
    p->started_ms = clock_mono_ms();
    p->last_ms = p->started_ms;
    p->what = str_dup(what, err);
    bool good = p->what != NULL;
    lock_take();
    if (good && current != NULL)
        good = error_set(err, E_INTERNAL, "two progress lines at a time") == 0;
    good = good && start_thread(p, err) == 0;
    if (good)
        current = p;
    (void)pthread_mutex_unlock(&lock);
    if (good)
        return p;
    free(p->what);
    free(p);
    return NULL;
}

void progress_stop(struct progress *p)
{
    if (p == NULL)
        return;
    lock_take();
    p->stopping = true;
    current = NULL;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_join(p->thread, NULL);
    lock_take();
    erase();
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_cond_destroy(&p->wake);
    free(p->item);
    free(p->what);
    free(p);
}

void progress_total(struct progress *p, uint64_t bytes)
{
    if (p != NULL)
        p->total = bytes;
}

void progress_add_total(struct progress *p, uint64_t bytes)
{
    if (p != NULL)
        p->total += bytes;
}

void progress_add(struct progress *p, uint64_t bytes)
{
    if (p != NULL)
        p->done += bytes;
}

void progress_set(struct progress *p, uint64_t bytes)
{
    if (p != NULL)
        p->done = bytes;
}

void progress_item(struct progress *p, const char *name)
{
    if (p == NULL)
        return;
    char *copy = name != NULL ? str_dup(name, NULL) : NULL;
    lock_take();
    char *old = p->item;
    p->item = copy;
    (void)pthread_mutex_unlock(&lock);
    free(old);
}

void progress_on_bytes(uint64_t bytes, void *progress)
{
    progress_add(progress, bytes);
}
