/*
 * retention_loop.c - writers and a retention host that are paused, killed and lied to about the time.
 *
 *     retention_loop WRITERS ROUNDS SEED
 *
 * Every writer and every retention run is a process of its own on one local repository (below TMPDIR). In each round
 * one is started, stopped for many rounds (over whole retention runs), let go on, or killed; clocks jump by years. The
 * retention runs expire at random and cut off writers. At the end: every snapshot that its writer took for confirmed and
 * that retention did not expire restores with its content, none of them is void, level L3 finds nothing, and after every
 * writer has run once more nothing is left on the storage that no live snapshot needs.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/backend/local.h"
#include "common/base/clock.h"
#include "common/repo/prune.h"
#include "tests/support/world.h"

enum {
    SAME = 60000,
    OWN = 20000,
    NIGHTS = 7,
    RUNNING_MAX = 4,
    KEEP = 3,
    CHILD_UNCONFIRMED = 10,
    CHILD_FAILED = 11
};
#define YEAR ((uint64_t)365 * 86400)

struct child {
    pid_t pid;    /* 0: none */
    int pipe;     /* its struct outcome */
    bool stopped; /* until round `until` */
    unsigned long until;
    uint32_t night;
};
struct outcome {
    uint32_t seq;
};
struct confirmed {
    size_t writer;
    uint32_t seq;
    uint32_t night;
};

static struct world w;
static uint64_t dice;
static uint64_t clock_error; /* added to the clock of a child */
static struct child writers[WORLD_WRITERS_MAX];
static struct child host;
static struct vec confirmed = VEC_OF(struct confirmed);
static size_t voids, kills, pauses, host_runs, host_kills, failures;

static unsigned long roll(unsigned long n)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned long)(dice % n);
}

static uint64_t wrong_wall(void *arg)
{
    (void)arg;
    return (uint64_t)time(NULL) + clock_error;
}
static uint64_t mono(void *arg)
{
    struct timespec t;
    (void)arg;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}
static const struct clock_source clock_of_child = { .wall = wrong_wall, .mono_ms = mono };

static void die(const char *what, const struct error *err)
{
    (void)fprintf(stderr, "retention_loop: %s: %s\n", what, err != NULL ? err->text : strerror(errno));
    exit(1);
}

/* ---- children --------------------------------------------------------------------------------------- */

static uint8_t *bytes_of(size_t writer, uint32_t night, bool own, size_t *len)
{
    *len = own ? OWN : SAME;
    uint8_t *p = malloc(*len);
    if (p == NULL)
        abort();
    world_fill(p, *len, own ? writer * 1000 + night : 77 + writer, !own);
    return p;
}

static int writer_main(size_t i, uint32_t night, int out)
{
    struct error err = ERROR_INIT;
    struct session_result r;
    struct world_stream s[2] = { { .name = "same" }, { .name = "own" } };
    for (size_t k = 0; k < 2; k++)
        s[k].data = bytes_of(i, night, k == 1, &s[k].len);
    int rc = world_backup(&w, i, s, 2, &r, &err);
    struct outcome o = { .seq = r.seq };
    if (rc == 0 && write(out, &o, sizeof o) == (ssize_t)sizeof o)
        return 0;
    if (rc == E_RETRY)
        return CHILD_UNCONFIRMED;
    (void)fprintf(stderr, "writer %zu: %s\n", i, err.text);
    return CHILD_FAILED;
}

/* Expires at random what is not among the newest, now and then even more; holds and revives a little. */
static int decide(struct prune *p, struct error *err)
{
    int rc = 0;
    const struct vec *v = prune_snapshots(p);
    for (size_t i = 0; rc == 0 && i < v->len; i++) {
        const struct prune_snapshot *s = vec_at(v, i);
        bool old = s->seq + KEEP <= s->writer->records.len;
        if (s->state == PRUNE_LIVE && !s->newest && !s->held && (old ? roll(2) : roll(12)) == 0)
            rc = prune_decide(p, i, RETENTION_EXPIRE, false, err);
        else if (s->state == PRUNE_EXPIRED && s->revivable && roll(12) == 0)
            rc = prune_decide(p, i, RETENTION_REVIVE, false, err);
        else if (roll(40) == 0)
            rc = prune_decide(p, i, s->held ? RETENTION_RELEASE : RETENTION_HOLD, false, err);
    }
    return rc;
}

static struct prune_options host_options(void)
{
    static char state[WORLD_PATH_MAX + 16];
    (void)snprintf(state, sizeof state, "%s/retention", w.dir);
    return (struct prune_options){
        .backend = w.backend, .keys = &w.retention, .state_dir = state, .now = clock_wall()
    };
}

static int host_main(bool random)
{
    struct error err = ERROR_INIT;
    struct prune *p = NULL;
    struct prune_plan plan;
    struct prune_options o = host_options();
    int rc = prune_open(&o, &p, &err);
    if (rc == 0 && random && prune_clock_trusted(p))
        rc = decide(p, &err);
    for (size_t i = 0; rc == 0 && random && i < w.nwriters; i++)
        if (roll(5) == 0)
            rc = prune_cut_off(p, w.writers[i].writer_id, &err);
    if (rc == 0)
        rc = prune_run(p, NULL, &plan, &err);
    prune_close(p);
    if (rc < 0)
        (void)fprintf(stderr, "retention: %s\n", err.text);
    return rc < 0 ? CHILD_FAILED : 0;
}

/* i < nwriters: that writer; else the host. */
static void start(struct child *c, size_t i)
{
    int fds[2];
    uint32_t night = (uint32_t)roll(NIGHTS);
    uint64_t seed = dice ^ (uint64_t)i * 0x9e3779b97f4a7c15ULL;
    uint64_t jump = roll(8) == 0 ? (roll(2) == 0 ? 3 * YEAR : (uint64_t)0 - 2 * YEAR) : 0;
    if (pipe(fds) < 0)
        die("pipe", NULL);
    pid_t pid = fork();
    if (pid < 0)
        die("fork", NULL);
    if (pid == 0) {
        (void)close(fds[0]);
        dice = seed | 1;
        clock_error = jump;
        _exit(i < w.nwriters ? writer_main(i, night, fds[1]) : host_main(true));
    }
    (void)close(fds[1]);
    *c = (struct child){ .pid = pid, .pipe = fds[0], .night = night };
    host_runs += i >= w.nwriters;
}

static void take_outcome(const struct child *c, size_t i, int status)
{
    struct outcome o;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    /* A writer that was killed after it said so has confirmed it all the same. */
    if (i < w.nwriters && read(c->pipe, &o, sizeof o) == (ssize_t)sizeof o) {
        struct confirmed *k = vec_push(&confirmed, NULL);
        if (k == NULL)
            abort();
        *k = (struct confirmed){ .writer = i, .seq = o.seq, .night = c->night };
    }
    voids += WIFEXITED(status) && WEXITSTATUS(status) == CHILD_UNCONFIRMED;
    failures +=
        !good && !(WIFEXITED(status) && WEXITSTATUS(status) == CHILD_UNCONFIRMED) && !WIFSIGNALED(status);
}

static void reap(struct child *c, size_t i, bool wait_for_it)
{
    int status = 0;
    if (c->pid == 0)
        return;
    pid_t got = waitpid(c->pid, &status, wait_for_it ? 0 : WNOHANG);
    if (got != c->pid)
        return;
    take_outcome(c, i, status);
    (void)close(c->pipe);
    *c = (struct child){ .pid = 0 };
}

/* ---- rounds ----------------------------------------------------------------------------------------- */

static struct child *child_at(size_t i)
{
    return i < w.nwriters ? &writers[i] : &host;
}

static size_t running(void)
{
    size_t n = 0;
    for (size_t i = 0; i <= w.nwriters; i++)
        n += child_at(i)->pid != 0 && !child_at(i)->stopped;
    return n;
}

static void stop(struct child *c, unsigned long until)
{
    if (c->pid == 0 || c->stopped)
        return;
    (void)kill(c->pid, SIGSTOP);
    c->stopped = true;
    c->until = until;
    pauses++;
}

static void let_go(unsigned long now)
{
    for (size_t i = 0; i <= w.nwriters; i++) {
        struct child *c = child_at(i);
        if (c->pid != 0 && c->stopped && c->until <= now) {
            (void)kill(c->pid, SIGCONT);
            c->stopped = false;
        }
    }
}

static void kill_one(struct child *c, bool is_host)
{
    if (c->pid == 0)
        return;
    (void)kill(c->pid, SIGKILL);
    kills++;
    host_kills += is_host;
}

static void one_round(unsigned long round)
{
    size_t i = roll(w.nwriters + 1);
    unsigned long what = roll(100);
    struct timespec nap = { .tv_nsec = (long)(1 + roll(30)) * 1000000 };
    if (what < 45 && running() < RUNNING_MAX && child_at(i)->pid == 0)
        start(child_at(i), i);
    else if (what < 70 && host.pid == 0)
        start(&host, w.nwriters);
    else if (what < 85)
        stop(child_at(i), round + 5 + roll(120));
    else if (what < 90)
        kill_one(child_at(i), i == w.nwriters);
    (void)nanosleep(&nap, NULL);
    let_go(round);
    for (size_t k = 0; k <= w.nwriters; k++)
        reap(child_at(k), k, false);
}

static void end_all(void)
{
    let_go((unsigned long)-1);
    for (size_t i = 0; i <= w.nwriters; i++)
        reap(child_at(i), i, true);
}

/* ---- what must hold --------------------------------------------------------------------------------- */

static int in_child(int (*fn)(size_t arg), size_t arg)
{
    int status = 0;
    pid_t pid = fork();
    if (pid < 0)
        die("fork", NULL);
    if (pid == 0)
        _exit(fn(arg));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int quiet_host(size_t arg)
{
    (void)arg;
    return host_main(false);
}

/* Every writer once more, retention until nothing is waited for. */
static void settle(void)
{
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < w.nwriters; i++) {
            start(&writers[i], i);
            reap(&writers[i], i, true);
        }
        for (int k = 0; k < 3; k++)
            if (in_child(quiet_host, 0) != 0)
                die("the last retention runs fail", &(struct error){ .text = "see above" });
    }
}

/* 0 good, 1 expired meanwhile, 2 wrong */
static int look_at(size_t n)
{
    const struct confirmed *c = vec_at(&confirmed, n);
    struct error err = ERROR_INIT;
    struct repo *repo = NULL;
    struct repo_options o = { .now = 0 };
    if (repo_open(w.backend, w.root_pk, &o, &repo, &err) < 0)
        die("open", &err);
    const struct repo_record *r =
        repo_record_at(repo_writer_find(repo, w.writers[c->writer].writer_id), c->seq);
    bool is_void = r == NULL || r->is_void;
    bool expired = r != NULL && r->expired;
    repo_close(repo);
    if (is_void || expired) {
        if (is_void)
            (void)fprintf(stderr, "writer %zu, record %u: confirmed, and void or gone\n", c->writer, c->seq);
        return is_void ? 2 : 1;
    }
    for (size_t k = 0; k < 2; k++) {
        size_t len = 0;
        struct buf got = BUF_INIT;
        uint8_t *want = bytes_of(c->writer, c->night, k == 1, &len);
        int rc = world_read_at(&w, c->writer, c->seq, k == 1 ? "own" : "same", &got, &err);
        bool same = rc == 0 && got.len == len && memcmp(got.data, want, len) == 0;
        buf_free(&got);
        free(want);
        if (!same) {
            (void)fprintf(stderr, "writer %zu, record %u: %s\n", c->writer, c->seq,
                          rc < 0 ? err.text : "other content");
            return 2;
        }
    }
    return 0;
}

static int verify(size_t arg)
{
    struct error err = ERROR_INIT;
    char names[512];
    (void)arg;
    int n = world_verify(&w, CHECK_L3, names, sizeof names, &err);
    if (n != 0)
        (void)fprintf(stderr, "verify: %d %s %s\n", n, names, err.text);
    return n == 0 ? 0 : 1;
}

static bool report(unsigned long seed)
{
    struct error err = ERROR_INIT;
    struct prune *p = NULL;
    struct prune_plan plan;
    struct prune_options o = host_options();
    size_t good = 0, expired = 0, wrong = 0, held = 0;
    for (size_t i = 0; i < confirmed.len; i++) {
        int what = in_child(look_at, i);
        good += what == 0;
        expired += what == 1;
        wrong += what > 1;
    }
    bool sound = in_child(verify, 0) == 0;
    o.dry_run = true;
    if (prune_open(&o, &p, &err) < 0 || prune_plan(p, &plan, &err) < 0)
        die("plan", &err);
    for (size_t i = 0; i < prune_snapshots(p)->len; i++) {
        const struct prune_snapshot *s = vec_at(prune_snapshots(p), i);
        held += s->held && s->state == PRUNE_EXPIRED;
    }
    uint64_t records = prune_repo(p)->retention.len;
    prune_close(p);
    (void)printf(
        "seed %lu: %zu writers, %zu confirmed snapshots, %zu of them live and restored, %zu expired, %zu wrong\n",
        seed, w.nwriters, confirmed.len, good, expired, wrong);
    (void)printf("%zu sessions cut off (void or unconfirmed, and they said so), %zu kills, %zu pauses\n",
                 voids, kills, pauses);
    (void)printf("%zu retention runs (%zu killed), %llu records; %zu runs failed with a message\n", host_runs,
                 host_kills, (unsigned long long)records, failures);
    (void)printf(
        "stored %llu bytes, live snapshots need %llu of them; %llu items wait, %zu expired are held\n",
        (unsigned long long)plan.stored_bytes, (unsigned long long)plan.live_bytes,
        (unsigned long long)plan.waiting, held);
    return wrong == 0 && sound && (plan.waiting == 0 || held != 0) && good != 0;
}

static int unlink_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    (void)remove(path);
    return 0;
}

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;
    char storage[WORLD_PATH_MAX + 16];
    char dir[WORLD_PATH_MAX];
    if (argc != 4)
        return 2;
    size_t n = strtoul(argv[1], NULL, 10);
    unsigned long rounds = strtoul(argv[2], NULL, 10);
    unsigned long seed = strtoul(argv[3], NULL, 10);
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(storage, sizeof storage, "%.200s/bk1-loop-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (n == 0 || n > WORLD_WRITERS_MAX || mkdtemp(storage) == NULL)
        die("start", NULL);
    clock_fake(&clock_of_child);
    dice = seed * 0x9e3779b97f4a7c15ULL | 1;
    struct backend *b = backend_local(storage, &err);
    if (b == NULL)
        die("storage", &err);
    world_init(&w, b, n);
    (void)snprintf(dir, sizeof dir, "%s", w.dir);
    for (unsigned long i = 0; i < rounds; i++)
        one_round(i);
    end_all();
    settle();
    bool good = report(seed);
    world_free(&w);
    (void)nftw(storage, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    (void)nftw(dir, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
    vec_free(&confirmed);
    return good ? 0 : 1;
}
