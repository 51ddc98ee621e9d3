/* A retired writer's newest snapshot may expire, that of another may not; readers agree. */
#include "common/repo/charter.h"
#include "tests/unit/repo/prune_help.h"

/* Closes the open range of writer 0 at `last`. */
static void retire(struct world *w, uint32_t last)
{
    struct error err = ERROR_INIT;
    struct repo *repo = NULL;
    struct charter next;
    struct buf bytes = BUF_INIT;
    struct repo_options o = { .now = 0 };
    charter_init(&next);
    ck_assert_msg(repo_open(w->backend, w->root_pk, &o, &repo, &err) == 0, "%s", err.text);
    ck_assert_int_eq(charter_next(repo_charter(repo), &next, &err), 0);
    for (size_t i = 0; i < next.writers.len; i++) {
        struct charter_writer *line = vec_at(&next.writers, i);
        if (memcmp(line->id, w->writers[0].writer_id, WRITER_ID_LEN) == 0)
            line->last_seq = last;
    }
    ck_assert_msg(charter_build(&next, w->root.seed, &bytes, &err) == 0, "%s", err.text);
    ck_assert_msg(repo_publish_charter(w->backend, repo_charter(repo), bytes.data, bytes.len, NULL, &err) ==
                      0,
                  "%s", err.text);
    buf_free(&bytes);
    charter_free(&next);
    repo_close(repo);
}

START_TEST(newest_of_a_retired_writer)
{
    static const uint32_t newest[] = { 2, 0 };
    struct error err = ERROR_INIT;
    struct world w;
    world_with_host(&w, 2);
    nights(&w, 0, 1, 2);
    nights(&w, 1, 1, 2);
    (void)run(&w);
    now += 30 * DAYS / 10;
    struct prune_options o = host_of(&w);
    struct prune *p = open_host(&o);
    ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 2), RETENTION_EXPIRE, true, &err), E_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "until the writer is retired"));
    prune_close(p);
    retire(&w, 2);
    now += DAYS;
    struct prune_plan plan = expire(&w, newest);
    ck_assert_uint_eq(plan.expires, 1);
    o = host_of(&w);
    p = open_host(&o);
    ck_assert_int_eq(
        PRUNE_EXPIRED,
        (int)((const struct prune_snapshot *)vec_at(prune_snapshots(p), at(p, &w, 0, 2)))->state);
    error_clear(&err);
    ck_assert_int_eq(prune_decide(p, at(p, &w, 1, 2), RETENTION_EXPIRE, true, &err), E_USAGE);
    prune_close(p);
    expect_sound(&w);
    end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("retired");
    TCase *t = tcase_create("retired");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, newest_of_a_retired_writer);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
