/* The retention host: condemn, acknowledge, fence, delete; what must stay; what stops it. */
#include <unistd.h>

#include "common/repo/session.h"
#include "tests/unit/repo/prune_help.h"

static const uint32_t two_three[] = { 2, 3, 0 };
static const uint32_t two[] = { 2, 0 };

START_TEST(expired_packs_leave_in_steps)
{
    struct world w;
    world_with_host(&w, 1);
    nights(&w, 0, 1, 4);
    size_t packs = files(&w, 0, "pack");
    ck_assert_uint_eq(packs, 4);
    struct prune_plan plan = run(&w); /* sees them */
    ck_assert_uint_eq(plan.seq, 1);
    ck_assert_uint_eq(plan.condemned, 0);
    now += DAYS;
    plan = expire(&w, two_three);
    ck_assert_uint_eq(plan.expires, 2);
    ck_assert_uint_eq(plan.condemned, 4); /* two packs, two objects */
    ck_assert_uint_eq(plan.deleted, 0);
    ck_assert_uint_eq(files(&w, 0, "pack"), packs);
    plan = run(&w); /* nobody acknowledged it yet */
    ck_assert(!plan.publishes);
    ck_assert_uint_eq(plan.waiting, 4);
    nights(&w, 0, 5, 5); /* acknowledges record 2 */
    plan = run(&w);      /* fence */
    ck_assert(plan.publishes);
    ck_assert_uint_eq(plan.deleted, 0);
    plan = run(&w); /* delete */
    ck_assert_uint_eq(plan.deleted, 4);
    ck_assert_uint_eq(plan.removed, 4);
    ck_assert_uint_eq(files(&w, 0, "pack"), 3);
    ck_assert_uint_eq(files(&w, 0, "snap"), 3);
    plan = run(&w);
    ck_assert(!plan.publishes);
    ck_assert_uint_eq(plan.waiting, 0);
    expect_sound(&w);
    nights(&w, 0, 6, 6);
    expect_sound(&w);
    end(&w);
}
END_TEST

/* Two runs, a night between them: everything condemned so far is behind the fence afterwards. */
static void acknowledge(struct world *w, uint32_t number)
{
    backup(w, 0, number);
    (void)run(w);
}

START_TEST(deletion_waits_condemning_does_not)
{
    struct world w;
    world_with_host(&w, 1);
    nights(&w, 0, 1, 3);
    (void)run(&w);
    struct prune_options o = host_of(&w);
    o.delete_after = 7 * DAYS;
    struct prune *p = open_host(&o);
    decide(p, &w, 2, RETENTION_EXPIRE);
    struct prune_plan plan = finish(p);
    ck_assert_uint_eq(plan.condemned, 2);
    for (int day = 0; day < 7; day++, now += DAYS) {
        o = host_of(&w);
        o.delete_after = 7 * DAYS;
        backup(&w, 0, 4);
        plan = finish(open_host(&o));
        ck_assert_uint_eq(plan.deleted, 0);
        ck_assert_uint_eq(files(&w, 0, "snap"), 4 + (size_t)day);
    }
    o = host_of(&w);
    o.delete_after = 7 * DAYS;
    plan = finish(open_host(&o));
    ck_assert_uint_eq(plan.removed, 2);
    expect_sound(&w);
    end(&w);
}
END_TEST

START_TEST(revived_until_deleted)
{
    struct world w;
    struct error err = ERROR_INIT;
    world_with_host(&w, 1);
    nights(&w, 0, 1, 4);
    (void)run(&w);
    (void)expire(&w, two_three);
    acknowledge(&w, 5); /* condemned, acknowledged, fenced: the next run would delete */
    struct prune_options o = host_of(&w);
    struct prune *p = open_host(&o);
    const struct prune_snapshot *s = vec_at(prune_snapshots(p), at(p, &w, 0, 2));
    ck_assert(s->state == PRUNE_EXPIRED && s->revivable);
    decide(p, &w, 2, RETENTION_REVIVE);
    struct prune_plan plan = finish(p);
    ck_assert_uint_eq(plan.revives, 1);
    ck_assert_uint_eq(plan.deleted, 2); /* of 3 only */
    ck_assert_uint_eq(files(&w, 0, "snap"), 4);
    expect_sound(&w); /* 2 restores again, whole */
    backup(&w, 0, 6);
    ck_assert_uint_eq(run(&w).deleted, 0);
    p = open_host(&o);
    ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 2), RETENTION_REVIVE, true, &err), E_USAGE);
    decide(p, &w, 2, RETENTION_EXPIRE); /* its packs have long been behind the fence */
    plan = finish(p);
    ck_assert_uint_eq(plan.deleted, 0); /* not by the record that expires it */
    ck_assert_uint_eq(run(&w).deleted, 2);
    expect_sound(&w);
    end(&w);
}
END_TEST

START_TEST(held_ones_stay)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct prune_plan plan;
    world_with_host(&w, 1);
    nights(&w, 0, 1, 4);
    (void)run(&w);
    struct prune_options o = host_of(&w);
    struct prune *p = open_host(&o);
    decide(p, &w, 2, RETENTION_HOLD);
    decide(p, &w, 3, RETENTION_EXPIRE);
    (void)finish(p);
    acknowledge(&w, 5);
    p = open_host(&o);
    ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 2), RETENTION_EXPIRE, true, &err), E_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "held"));
    decide(p, &w, 3, RETENTION_HOLD); /* expired, and yet it stays whole from now on */
    plan = finish(p);
    ck_assert_uint_eq(plan.deleted, 0);
    ck_assert_uint_eq(run(&w).deleted, 0);
    p = open_host(&o);
    decide(p, &w, 3, RETENTION_RELEASE);
    plan = finish(p);
    ck_assert_uint_eq(plan.deleted, 2);
    expect_sound(&w);
    end(&w);
}
END_TEST

START_TEST(who_may_expire)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct prune_plan plan;
    clock_fake(&fake_clock);
    world_init_keep(&w, backend_memory(NULL), 1, 30);
    w.session_chunk_avg = CHUNK_AVG;
    nights(&w, 0, 1, 3);
    (void)run(&w);
    now += 6 * DAYS;
    struct prune_options o = host_of(&w);
    struct prune *p = open_host(&o);
    ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 3), RETENTION_EXPIRE, true, &err), E_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "newest"));
    ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 2), RETENTION_EXPIRE, false, &err), E_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "min-keep"));
    ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 2), RETENTION_EXPIRE, true, &err), 0);
    ck_assert_int_eq(prune_run(p, NULL, &plan, &err), E_USAGE); /* a note is needed */
    ck_assert_int_eq(prune_run(p, "Ada, ticket 7: poisoned", &plan, &err), 0);
    prune_close(p);
    ck_assert_uint_eq(plan.expires, 1);
    expect_sound(&w);
    end(&w);
}
END_TEST

/* A live object that cannot be read: nothing of that writer is deleted; the other writer goes on. */
START_TEST(fails_closed)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct prune_plan plan;
    char name[NAME_TEXT_MAX];
    size_t len = 0;
    world_with_host(&w, 2);
    nights(&w, 0, 1, 4);
    nights(&w, 1, 1, 3);
    (void)run(&w);
    (void)expire(&w, two);
    acknowledge(&w, 5);
    memory_tamper(w.backend, name_snap(name, w.writers[0].writer_id, 3, 0), &len)[len / 2] ^= 1;
    forget_host(&w); /* the cache would still know it */
    plan = run(&w);
    ck_assert_uint_eq(plan.deleted, 0);
    struct prune_options o = host_of(&w);
    struct prune *p = open_host(&o);
    ck_assert_uint_eq(prune_alarms(p)->len, 1);
    ck_assert(prune_blocked(p, w.writers[0].writer_id));
    ck_assert(!prune_blocked(p, w.writers[1].writer_id));
    ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 1), RETENTION_EXPIRE, false, &err), E_CONFLICT);
    ck_assert_int_eq(prune_decide(p, at(p, &w, 1, 1), RETENTION_EXPIRE, false, &err), 0);
    ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 3), RETENTION_EXPIRE, true, &err), 0);
    ck_assert_int_eq(prune_run(p, "Ada: the disk lost it", &plan, &err), 0);
    prune_close(p);
    ck_assert_uint_eq(plan.deleted, 2); /* what waited */
    expect_sound(&w);
    end(&w);
}
END_TEST

START_TEST(a_wrong_clock_expires_nothing)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct prune_plan plan;
    world_with_host(&w, 1);
    nights(&w, 0, 1, 4);
    (void)run(&w);
    (void)expire(&w, two);
    acknowledge(&w, 5);
    struct prune_options o = host_of(&w);
    for (int i = 0; i < 3; i++) {
        uint64_t wrong[] = { now - 2 * DAYS, now + 3 * 365 * (uint64_t)DAYS, now + 2 * DAYS };
        o.now = wrong[i]; /* the last one: only the storage knows better */
        struct prune *p = open_host(&o);
        ck_assert(!prune_clock_trusted(p));
        ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 3), RETENTION_EXPIRE, true, &err), E_USAGE);
        ck_assert_int_eq(prune_run(p, NULL, &plan, &err), 0);
        ck_assert(plan.stopped && plan.clock_untrusted && !plan.publishes && plan.removed == 0);
        ck_assert_uint_eq(prune_alarms(p)->len, 1);
        prune_close(p);
        p = open_host(&o);
        ck_assert_int_eq(prune_decide(p, at(p, &w, 0, 3), RETENTION_HOLD, true, &err),
                         0); /* always possible */
        ck_assert_int_eq(prune_run(p, "court order", &plan, &err), 0);
        ck_assert(plan.publishes);
        prune_close(p);
    }
    now += 3 * 365 * (uint64_t)DAYS; /* so long switched off */
    backup(&w, 0, 6);
    o = host_of(&w);
    struct prune *p = open_host(&o);
    ck_assert(!prune_clock_trusted(p));
    prune_close(p);
    o.confirm_clock = true;
    p = open_host(&o);
    ck_assert(prune_clock_trusted(p));
    plan = finish(p);
    ck_assert_uint_gt(plan.seq, 150);
    ck_assert_uint_eq(plan.deleted, 2);
    ck_assert_uint_eq(plan.time, now);
    o.confirm_clock = false;
    p = open_host(&o);
    ck_assert(prune_clock_trusted(p));
    const struct prune_snapshot *s = vec_at(prune_snapshots(p), at(p, &w, 0, 6));
    ck_assert_uint_eq(s->first_seen, now); /* not older than it is */
    prune_close(p);
    expect_sound(&w);
    end(&w);
}
END_TEST

START_TEST(accounts)
{
    struct world w;
    struct error err = ERROR_INIT;
    struct prune_plan plan;
    uint64_t bytes = 0;
    world_with_host(&w, 2);
    nights(&w, 0, 1, 3);
    nights(&w, 1, 1, 1);
    (void)run(&w);
    struct prune_options o = host_of(&w);
    o.dry_run = true;
    struct prune *p = open_host(&o);
    ck_assert_uint_eq(prune_jobs(p)->len, 2);
    const struct prune_job *j = vec_at(prune_jobs(p), 0);
    ck_assert_uint_eq(j->snapshots + ((const struct prune_job *)vec_at(prune_jobs(p), 1))->snapshots, 4);
    ck_assert_uint_eq(j->unique, j->needs); /* writers share nothing */
    const struct prune_snapshot *s = vec_at(prune_snapshots(p), at(p, &w, 0, 2));
    ck_assert_uint_gt(s->needs, s->unique);
    ck_assert_uint_ge(s->unique, OWN);
    size_t which = at(p, &w, 0, 2);
    ck_assert_int_eq(prune_forecast(p, &which, 1, &bytes, &err), 0);
    ck_assert_uint_eq(bytes, s->unique);
    decide(p, &w, 2, RETENTION_EXPIRE);
    ck_assert_int_eq(prune_forecast(p, NULL, 0, &bytes, &err), 0);
    ck_assert_uint_eq(bytes, s->unique);
    ck_assert_int_eq(prune_plan(p, &plan, &err), 0);
    ck_assert_uint_eq(plan.condemned, 2);
    ck_assert_uint_eq(plan.live_bytes + s->unique, 2 * 0 + plan.live_bytes + bytes);
    ck_assert_int_eq(prune_run(p, NULL, &plan, &err), E_INTERNAL);
    prune_close(p);
    ck_assert_int_eq(backend_stat(w.backend, "ret/00000002.00", &(struct backend_stat){ 0 }, &err),
                     E_NOT_FOUND);
    end(&w);
}
END_TEST

/* Left-over uploads: another attempt of a pack, an object without a record. */
START_TEST(garbage_goes)
{
    struct world w;
    char name[NAME_TEXT_MAX];
    world_with_host(&w, 1);
    nights(&w, 0, 1, 3);
    ck_assert_int_eq(
        backend_put(w.backend, name_pack(name, w.writers[0].writer_id, 2, 0, 1), "torn", 4, NULL), 0);
    ck_assert_int_eq(
        backend_put(w.backend, name_pack(name, w.writers[0].writer_id, 2, 9, 0), "torn", 4, NULL), 0);
    ck_assert_int_eq(backend_put(w.backend, name_snap(name, w.writers[0].writer_id, 2, 1), "torn", 4, NULL),
                     0);
    /* of a session that may be running */
    ck_assert_int_eq(backend_put(w.backend, name_pack(name, w.writers[0].writer_id, 9, 0, 0), "new", 3, NULL),
                     0);
    ck_assert_uint_eq(run(&w).condemned, 3);
    acknowledge(&w, 4);
    ck_assert_uint_eq(run(&w).removed, 3);
    ck_assert_uint_eq(files(&w, 0, "pack"), 5);
    expect_sound(&w);
    end(&w);
}
END_TEST

/* A retention key in wrong hands: the logs accept what it does, level L2 does not. */
static void forge(struct world *w, bool condemn, uint32_t expire_seq)
{
    struct error err = ERROR_INIT;
    struct repo *repo = NULL;
    struct buf bytes = BUF_INIT;
    struct retention_record r;
    struct repo_options o = { .now = 0 };
    ck_assert_int_eq(repo_open(w->backend, w->root_pk, &o, &repo, &err), 0);
    struct repo_writer *rw = repo_writer_find(repo, w->writers[0].writer_id);
    retention_init(&r);
    memcpy(r.repo_id, repo->repo_id, REPO_ID_LEN);
    memcpy(r.prev, repo_prev_hash(repo, NULL), HASH_LEN);
    r.seq = (uint32_t)repo->retention.len + 1;
    r.charter = 1;
    r.time = now;
    struct retention_head *h = vec_push(&r.heads, &err);
    *h = (struct retention_head){ .head = repo_head(rw)->rec.seq, .fence = r.seq - 1 };
    memcpy(h->writer, rw->id, WRITER_ID_LEN);
    memcpy(h->hash, repo_head(rw)->hash, HASH_LEN);
    struct retention_item item = { .session = 3 };
    memcpy(item.writer, rw->id, WRITER_ID_LEN);
    struct vec *list = condemn ? &r.condemned : &r.deleted;
    if (expire_seq == 0) {
        *(struct retention_item *)vec_push(list, &err) = item;
    } else {
        struct retention_op op = { .seq = expire_seq, .op = RETENTION_EXPIRE };
        memcpy(op.writer, rw->id, WRITER_ID_LEN);
        *(struct retention_op *)vec_push(&r.ops, &err) = op;
    }
    ck_assert_int_eq(retention_encode(&r, w->retention.seed, NULL, NULL, &bytes, &err), 0);
    ck_assert_msg(repo_publish_retention(repo, bytes.data, bytes.len, NULL, &err) == 0, "%s", err.text);
    retention_free(&r);
    buf_free(&bytes);
    repo_close(repo);
}

START_TEST(wrong_deletions_are_seen_later)
{
    struct world w;
    struct error err = ERROR_INIT;
    char names[512];
    world_with_host(&w, 1);
    nights(&w, 0, 1, 4);
    (void)run(&w);
    forge(&w, true, 0); /* condemns what is in use: legal, wasteful */
    forge(&w, true, 1); /* a fence above it, by the way */
    ck_assert_int_eq(world_verify(&w, CHECK_L2, names, sizeof names, &err), 0);
    forge(&w, false, 0); /* deletes it */
    ck_assert_int_eq(world_verify(&w, CHECK_L2, names, sizeof names, &err), 1);
    ck_assert_str_eq(names, "pack-missing");
    forge(&w, false, 3); /* and covers it up */
    ck_assert_int_eq(world_verify(&w, CHECK_L0, names, sizeof names, &err), 0);
    ck_assert_int_eq(world_verify(&w, CHECK_L2, names, sizeof names, &err), 1);
    ck_assert_str_eq(names, "retention-lists");
    struct prune_options o = host_of(&w);
    struct prune *p = open_host(&o);
    const struct prune_snapshot *s = vec_at(prune_snapshots(p), at(p, &w, 0, 3));
    ck_assert(s->state == PRUNE_EXPIRED && !s->revivable);
    prune_close(p);
    end(&w);
}
END_TEST

/* A pack is lost: verify names it, the next night stores again what the source still has, what stays lost is named until
 * it has expired. */
START_TEST(a_lost_pack)
{
    struct world w;
    struct error err = ERROR_INIT;
    char name[NAME_TEXT_MAX];
    char names[512];
    struct buf got = BUF_INIT;
    static const uint32_t hit[] = { 1, 2, 0 };
    world_with_host(&w, 1);
    nights(&w, 0, 1, 2);
    (void)run(&w);
    ck_assert_int_eq(
        memory_replace(w.backend, name_pack(name, w.writers[0].writer_id, 1, 0, 0), NULL, 0, NULL), 0);
    ck_assert_int_ge(world_verify(&w, CHECK_L2, names, sizeof names, &err), 1);
    ck_assert_str_eq(names, "pack-missing");
    nights(&w, 0, 3, 3);
    ck_assert_int_eq(world_read(&w, 0, "same", &got, &err), 0);
    ck_assert_uint_eq(got.len, SAME);
    buf_free(&got);
    ck_assert_int_ge(world_verify(&w, CHECK_L2, names, sizeof names, &err), 1);
    (void)run(&w);
    (void)expire(&w, hit); /* both need it */
    struct prune_options o = host_of(&w);
    struct prune *p = open_host(&o);
    ck_assert(!((const struct prune_snapshot *)vec_at(prune_snapshots(p), at(p, &w, 0, 1)))->revivable);
    prune_close(p);
    acknowledge(&w, 4);
    ck_assert_uint_eq(run(&w).deleted, 4); /* two packs, one of them lost; two objects */
    expect_sound(&w);
    end(&w);
}
END_TEST

/* ---- a writer that is paused over everything -------------------------------------------------------- */

static struct session *begin(struct world *w, uint32_t number)
{
    static char state[WORLD_PATH_MAX]; /* borrowed by the session */
    struct error err = ERROR_INIT;
    struct session *s = NULL;
    struct night *n = night_of(0, number);
    struct session_options o = { .backend = w->backend,
                                 .keys = &w->writers[0],
                                 .state_dir = world_state(w, 0, state),
                                 .label = "job",
                                 .workers = 1,
                                 .uploads = 1,
                                 .chunk_avg = w->session_chunk_avg };
    ck_assert_msg(session_begin(&o, &s, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < 2; i++) {
        struct session_stream_options so = { .name = n->streams[i].name, .mode_bits = 0640 };
        struct stream_writer *out = NULL;
        ck_assert_int_eq(session_stream(s, &so, &out, &err), 0);
        ck_assert_int_eq(stream_write(out, n->streams[i].data, n->streams[i].len, &err), 0);
        ck_assert_int_eq(stream_finish(out, "kind=test\n", &err), 0);
    }
    free(n);
    return s;
}

static void cut_off_run(struct world *w, bool cut)
{
    struct error err = ERROR_INIT;
    struct prune_options o = host_of(w);
    struct prune *p = open_host(&o);
    if (cut)
        ck_assert_int_eq(prune_cut_off(p, w->writers[0].writer_id, &err), 0);
    (void)finish(p);
}

START_TEST(a_paused_writer_loses_nothing)
{
    struct world w;
    struct session_result result;
    struct error err = ERROR_INIT;
    world_with_host(&w, 1);
    nights(&w, 0, 1, 3);
    (void)run(&w);
    struct session *s = begin(&w, 2); /* the same data as night 2: it reuses pack 2 */
    (void)expire(&w, two);            /* condemn; the session does not know it */
    ck_assert_uint_eq(run(&w).deleted, 0);
    cut_off_run(&w, true); /* fence without an acknowledgement */
    struct prune_plan plan = run(&w);
    ck_assert_uint_eq(plan.removed, 2);
    int rc = session_commit(s, "source=test\n", &result, &err);
    ck_assert_msg(rc == E_RETRY, "%d %s", rc, err.text); /* void, and it knows */
    session_free(s);
    expect_sound(&w);
    nights(&w, 0, 2, 2); /* the same run again */
    expect_sound(&w);
    (void)run(&w);
    expect_sound(&w);
    end(&w);
}
END_TEST

/* Without a cut the fence waits for the acknowledgement, and the paused session stays good. */
START_TEST(a_paused_writer_is_waited_for)
{
    struct world w;
    struct session_result result;
    struct error err = ERROR_INIT;
    world_with_host(&w, 1);
    nights(&w, 0, 1, 3);
    (void)run(&w);
    struct session *s = begin(&w, 2);
    (void)expire(&w, two);
    for (int i = 0; i < 4; i++, now += 2 * DAYS)
        ck_assert_uint_eq(run(&w).deleted, 0);
    int rc = session_commit(s, "source=test\n", &result, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    session_free(s);
    expect_sound(&w);
    for (int i = 0; i < 3; i++) {
        (void)run(&w);
        nights(&w, 0, 10, 10);
    }
    ck_assert_uint_eq(files(&w, 0, "snap"), 3 + 1 + 3 - 1);
    expect_sound(&w); /* pack 2 is needed again, by a session that did not know that it was condemned */
    end(&w);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("prune");
    TCase *t = tcase_create("prune");
    tcase_set_timeout(t, 240);
    tcase_add_test(t, expired_packs_leave_in_steps);
    tcase_add_test(t, deletion_waits_condemning_does_not);
    tcase_add_test(t, revived_until_deleted);
    tcase_add_test(t, held_ones_stay);
    tcase_add_test(t, who_may_expire);
    tcase_add_test(t, fails_closed);
    tcase_add_test(t, a_wrong_clock_expires_nothing);
    tcase_add_test(t, accounts);
    tcase_add_test(t, garbage_goes);
    tcase_add_test(t, a_lost_pack);
    tcase_add_test(t, wrong_deletions_are_seen_later);
    tcase_add_test(t, a_paused_writer_loses_nothing);
    tcase_add_test(t, a_paused_writer_is_waited_for);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *r = srunner_create(make_suite());
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
