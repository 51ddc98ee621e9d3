/* A retention host that dies, is cut or does not hear the answer at its n-th operation, for every n: the next run finishes,
 * and nothing is lost. */
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
    for (uint32_t seq = 2; rc == 0 && expire_them && seq <= 3; seq++) {
        const struct prune_snapshot *s = vec_at(prune_snapshots(p), at(p, w, 0, seq));
        if (s->state == PRUNE_LIVE)
            rc = prune_decide(p, at(p, w, 0, seq), RETENTION_EXPIRE, false, &err);
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

/* True when the fault happened. */
static bool round_with(enum fault_kind kind, unsigned long n)
{
    struct world w;
    struct fault_plan plan = { .kind = kind, .at = n, .code = E_IO };
    world_with_host(&w, 1);
    nights(&w, 0, 1, 4);
    struct backend *b = backend_fault(backend_clone(w.backend, NULL), &plan, NULL);
    (void)try_run(&w, b, false, false);
    if (kind == FAULT_DEAD && plan.fired)
        plan.at = 0;
    run_until_good(&w, b, false, false);
    for (int step = 0; step < 4; step++) {
        if (try_run(&w, b, true, step == 1) < 0) {
            if (kind == FAULT_DEAD)
                plan.at = 0; /* started again */
            expect_sound(&w);
            run_until_good(&w, b, true, step == 1);
        }
    }
    bool fired = plan.fired;
    plan.at = 0;
    run_until_good(&w, b, true, false);
    expect_sound(&w);
    ck_assert_uint_eq(files(&w, 0, "pack"), 2);
    ck_assert_uint_eq(files(&w, 0, "snap"), 2);
    backup(&w, 0, 5);
    expect_sound(&w);
    backend_close(b);
    end(&w);
    return fired;
}

START_TEST(at_every_operation)
{
    static const enum fault_kind kinds[] = { FAULT_DEAD, FAULT_CUT, FAULT_LOST_ACK, FAULT_FAIL, FAULT_LIE };
    unsigned long n = 1;
    while (round_with(kinds[_i], n))
        n++;
    ck_assert_uint_gt(n, 40);
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
