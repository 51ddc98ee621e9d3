/* A retention host that dies, is cut or does not hear the answer at its n-th operation, for every n: the next run finishes,
 * and nothing is lost. */
#include <unistd.h>

#include "tests/unit/repo/prune_help.h"

/* One run over `b`; decisions when asked for. Whatever goes wrong: the process is gone. */
static int try_run(struct world *w, struct backend *b, bool expire_them, bool cut)
{
    struct error err = ERROR_INIT;
    struct prune_options o = host_of(w);
    struct prune *p = NULL;
    struct prune_plan plan;
    o.backend = b;
    int rc = prune_open(&o, &p, &err);
    for (size_t i = 0; rc == 0 && expire_them && i < prune_snapshots(p)->len; i++) {
        const struct prune_snapshot *s = vec_at(prune_snapshots(p), i);
        if (s->state == PRUNE_LIVE && (s->seq == 2 || s->seq == 3))
            rc = prune_decide(p, i, RETENTION_EXPIRE, false, &err);
    }
    if (rc == 0 && cut)
        rc = prune_cut_off(p, w->writers[0].writer_id, &err);
    if (rc == 0)
        rc = prune_run(p, NULL, &plan, &err);
    prune_close(p);
    return rc;
}

static void run_until_good(struct world *w, struct backend *b, bool expire_them, bool cut)
{
    for (int tries = 0; try_run(w, b, expire_them, cut) < 0; tries++) {
        now += HOUR; /* a torn record of unknown origin is waited for */
        ck_assert_int_lt(tries, 5);
    }
}

/* The repository before the first run; every round works on a copy of it. */
static struct world base;

static int copy_one(const char *name, const struct backend_stat *st, void *arg, struct error *err);

struct copying {
    struct backend *to;
    const char *dir;
};

static void copy_dir(struct backend *to, const char *dir)
{
    struct copying c = { .to = to, .dir = dir };
    ck_assert_int_eq(backend_list(base.backend, dir, copy_one, &c, NULL), 0);
}

static int copy_one(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    const struct copying *c = arg;
    struct buf bytes = BUF_INIT;
    char path[BACKEND_NAME_MAX];
    (void)snprintf(path, sizeof path, "%s%s%s", c->dir, c->dir[0] != '\0' ? "/" : "", name);
    int rc = st->is_dir ? backend_make_dir(c->to, path, 0700, err) : 0;
    if (rc == 0 && st->is_dir)
        copy_dir(c->to, path);
    else if (rc == 0)
        rc = backend_read_all(base.backend, path, UINT32_MAX, &bytes, err);
    if (rc == 0 && !st->is_dir)
        rc = backend_put(c->to, path, bytes.data, bytes.len, err);
    buf_free(&bytes);
    return rc;
}

/* True when the fault happened. */
static bool round_with(enum fault_kind kind, unsigned long n)
{
    struct world w = base;
    struct fault_plan plan = { .kind = kind, .at = n, .code = E_IO };
    w.backend = backend_memory(NULL);
    copy_dir(w.backend, "");
    struct backend *b = backend_fault(backend_clone(w.backend, NULL), &plan, NULL);
    for (int step = 0; step < 4; step++) { /* see, condemn, fence, delete */
        int rc = try_run(&w, b, step > 0, step == 2);
        if (rc == 0)
            continue;
        expect_level(&w, CHECK_L2);
        plan.at = 0; /* started again */
        run_until_good(&w, b, step > 0, step == 2);
    }
    plan.at = 0;
    for (int i = 0; i < 3 && files(&w, 0, "snap") + files(&w, 0, "pack") > 4;
         i++) /* a run that could not read something waits */
        run_until_good(&w, b, true, true);
    expect_level(&w, CHECK_L2);
    ck_assert_msg(files(&w, 0, "pack") == 2, "kind %d operation %lu: %zu packs", (int)kind, n,
                  files(&w, 0, "pack"));
    ck_assert_uint_eq(files(&w, 0, "snap"), 2);
    backend_close(b);
    backend_close(w.backend);
    forget_host(&w);
    return plan.fired;
}

START_TEST(at_every_operation)
{
    static const enum fault_kind kinds[] = { FAULT_DEAD, FAULT_CUT, FAULT_LOST_ACK, FAULT_FAIL, FAULT_LIE };
    unsigned long n = 1;
    if (access("/dev/shm", W_OK) == 0) /* thousands of fsyncs that nobody needs */
        (void)setenv("TMPDIR", "/dev/shm", 1);
    world_with_host(&base, 1);
    nights(&base, 0, 1, 4);
    while (round_with(kinds[_i], n))
        n++;
    ck_assert_uint_gt(n, 40);
    end(&base);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prune faults");
    TCase *t = tcase_create("faults");
    tcase_set_timeout(t, 280);
    tcase_add_loop_test(t, at_every_operation, 0, 5);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
