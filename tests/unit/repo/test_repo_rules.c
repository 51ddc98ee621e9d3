/* The rules between the logs: VOID, condemn, delete, expire, hold, revive. */
#include "tests/unit/repo/house_help.h"
#include "common/base/banned.h"

/* ---- VOID ---- */

START_TEST(a_fence_cuts_off_what_was_not_seen)
{
    write_record(0, 0);
    write_retention(); /* 1: head 1, fence 0 */
    h.fence[0] = 1;
    write_retention();  /* 2: fence 1 */
    write_record(0, 0); /* a session that began before record 1; it was published after record 2 */
    open_all();
    ck_assert_uint_eq(repo_fence(writer(0)), 1);
    ck_assert(
        !repo_record_at(writer(0), 2)->is_void); /* not yet: record 3 may still see it; unconfirmed (W6) */
    h.log[0].head = 1;                           /* record 3 has not seen it */
    write_retention();
    h.log[0].head = 2;
    ck_assert_int_eq(repo_reload(h.repo, NULL), 0);
    assert_alarm(NULL, 0, 0);
    ck_assert(repo_record_at(writer(0), 2)->is_void);
    ck_assert(!repo_record_live(repo_record_at(writer(0), 2)));
    ck_assert(!repo_record_at(writer(0), 1)->is_void);
    write_record(0, 3); /* the session again */
    write_retention();
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert(repo_record_at(writer(0), 2)->is_void);
    ck_assert(!repo_record_at(writer(0), 3)->is_void);
    ck_assert_uint_eq(repo_record_at(writer(0), 2)->first_seen, 4);
}
END_TEST

START_TEST(what_the_next_record_sees_is_not_void)
{
    write_record(0, 0);
    write_retention();
    h.fence[0] = 1;
    write_retention();
    write_record(0, 0);
    write_retention(); /* 3 sees record 2 */
    open_all();
    ck_assert(!repo_record_at(writer(0), 2)->is_void);
}
END_TEST

/* The rule as it is written, over all pairs, against what repo.h says. */
START_TEST(void_by_brute_force)
{
    uint32_t heads[LOG_MAX] = { 0 };
    uint32_t fences[LOG_MAX] = { 0 };
    uint32_t acks[LOG_MAX] = { 0 };
    uint32_t state = (uint32_t)_i * 2654435761u + 1;
    uint32_t n = 0;
    uint32_t k = 0;
    for (int step = 0; step < 30; step++) {
        state = state * 1664525u + 1013904223u;
        uint32_t dice = state >> 24;
        if (dice < 120) {
            uint32_t low = n > 0 ? acks[n] : 0;
            acks[++n] = low + (dice % 3 == 0 ? (k - low) * (dice % 2) : 0);
            write_record(0, acks[n]);
        } else {
            uint32_t seen = heads[k] + (n - heads[k]) * (dice % 2);
            if (k > 0 && dice % 3 == 0)
                h.fence[0] += (k - h.fence[0]) * (dice % 4 != 0);
            struct house_log *l = &h.log[0];
            l->head = seen;
            heads[++k] = seen;
            fences[k] = h.fence[0];
            write_retention();
            l->head = n;
        }
    }
    open_all();
    assert_alarm(NULL, 0, 0);
    for (uint32_t i = 1; i <= n; i++) {
        bool want = false;
        for (uint32_t j = 1; j < k; j++)
            want = want || (acks[i] < fences[j] && i > heads[j + 1]);
        ck_assert_int_eq(repo_record_at(writer(0), i)->is_void, want);
    }
}
END_TEST

/* ---- condemned and deleted ---- */

/* Three snapshots, first seen by retention record 1; then so many days go by in steps the clock allows. */
static void three_snapshots(unsigned days)
{
    for (int i = 0; i < 3; i++)
        write_record(0, 0);
    write_retention();
    while (days > 0) {
        unsigned step = days > 7 ? 7 : days;
        h.time += step * (uint64_t)DAY_S;
        days -= step;
        write_retention();
    }
}

START_TEST(condemn_fence_delete)
{
    struct record r = next_record(0, 0);
    struct record_pack *p = vec_push(&r.packs, NULL);
    *p = (struct record_pack){ .session = 1, .idx = 1, .attempt = 3, .size = PACK_SHORT_MIN };
    put_record(0, &r, 0, true);
    struct retention_record ret = next_retention();
    add_item(&ret.condemned, 0, 1, 0);
    put_retention(&ret, 0, true, NULL); /* 1 */
    write_record(0, 1);
    h.fence[0] = 1;
    write_retention(); /* 2: everybody knows */
    ret = next_retention();
    add_item(&ret.deleted, 0, 1, 0);
    put_retention(&ret, 0, true, NULL); /* 3 */
    open_all();
    assert_alarm(NULL, 0, 0);
    struct repo_item item = repo_item_find(h.repo, h.w[0].writer_id, 1, 0, 0);
    ck_assert_uint_eq(item.condemned, 1);
    ck_assert_uint_eq(item.deleted, 3);
    item = repo_item_find(h.repo, h.w[0].writer_id, 1, 1, 3);
    ck_assert_uint_eq(item.condemned, 0);
    ck_assert_uint_eq(repo_fence(writer(0)), 1);
}
END_TEST

static void assert_lists_refused(uint32_t seq, const char *name)
{
    open_all();
    assert_alarm(name, -1, seq);
    ck_assert_uint_eq(h.repo->retention.len, seq - 1);
    ck_assert(h.repo->retention_stopped);
    ck_assert_uint_eq(writer(0)->seen.len, seq - 1);
}

START_TEST(delete_before_the_fence)
{
    write_record(0, 0);
    struct retention_record ret = next_retention();
    add_item(&ret.condemned, 0, 1, 0);
    put_retention(&ret, 0, true, NULL);
    ret = next_retention();
    h.fence[0] = 1;
    ((struct retention_head *)vec_at(&ret.heads, 0))->fence = 1; /* the fence takes effect one record later */
    add_item(&ret.deleted, 0, 1, 0);
    put_retention(&ret, 0, false, NULL);
    assert_lists_refused(2, ERR_RETENTION_LISTS);
}
END_TEST

START_TEST(delete_what_was_never_condemned)
{
    write_record(0, 0);
    write_retention();
    h.fence[0] = 1;
    write_retention();
    struct retention_record ret = next_retention();
    add_item(&ret.deleted, 0, 1, 0);
    put_retention(&ret, 0, false, NULL);
    assert_lists_refused(3, ERR_RETENTION_LISTS);
}
END_TEST

START_TEST(condemn_a_session_that_may_still_run)
{
    write_record(0, 0);
    struct retention_record ret = next_retention();
    add_item(&ret.condemned, 0, 2, 0);
    put_retention(&ret, 0, false, NULL);
    assert_lists_refused(1, ERR_RETENTION_LISTS);
}
END_TEST

START_TEST(condemn_something_of_a_writer_without_records)
{
    struct retention_record ret = next_retention();
    add_item(&ret.condemned, 0, 1, 0);
    put_retention(&ret, 0, false, NULL);
    assert_lists_refused(1, ERR_RETENTION_LISTS);
}
END_TEST

START_TEST(the_snap_of_a_live_record_is_never_listed)
{
    write_record(0, 0);
    write_record(0, 0);
    struct retention_record ret = next_retention();
    add_item(&ret.condemned, 0, 1, IDX_SNAP);
    put_retention(&ret, 0, false, NULL);
    assert_lists_refused(1, ERR_RETENTION_LISTS);
}
END_TEST

START_TEST(the_snap_of_an_expired_record_may_go)
{
    write_record(0, 0);
    write_record(0, 0);
    write_retention();
    for (int week = 0; week < 2; week++) {
        h.time += 7 * DAY_S;
        write_retention();
    }
    struct retention_record ret = next_retention();
    add_op(&ret, 0, 1, RETENTION_EXPIRE);
    add_item(&ret.condemned, 0, 1, IDX_SNAP);
    put_retention(&ret, 0, true, NULL);
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert(repo_record_at(writer(0), 1)->expired);
    ck_assert(!repo_record_live(repo_record_at(writer(0), 1)));
}
END_TEST

START_TEST(the_snap_of_a_void_record_may_go)
{
    write_record(0, 0);
    write_retention();
    h.fence[0] = 1;
    write_retention();
    write_record(0, 0); /* void after 3 */
    h.log[0].head = 1;
    write_retention();
    h.log[0].head = 2;
    struct retention_record ret = next_retention();
    add_item(&ret.condemned, 0, 2, IDX_SNAP);
    put_retention(&ret, 0, true, NULL);
    open_all();
    assert_alarm(NULL, 0, 0);
}
END_TEST

START_TEST(the_snap_of_a_record_that_is_revived_stays)
{
    three_snapshots(20);
    struct retention_record ret = next_retention();
    add_op(&ret, 0, 1, RETENTION_EXPIRE);
    put_retention(&ret, 0, true, NULL);
    ret = next_retention();
    uint32_t k = ret.seq;
    add_op(&ret, 0, 1, RETENTION_REVIVE);
    add_item(&ret.condemned, 0, 1, IDX_SNAP);
    put_retention(&ret, 0, false, NULL);
    assert_lists_refused(k, ERR_RETENTION_LISTS);
}
END_TEST

START_TEST(a_head_that_is_not_in_the_log)
{
    write_record(0, 0);
    struct retention_record ret = next_retention();
    ((struct retention_head *)vec_at(&ret.heads, 0))->hash[4] ^= 1;
    put_retention(&ret, 0, false, NULL);
    assert_lists_refused(1, ERR_RETENTION_HEADS);
}
END_TEST

START_TEST(a_head_of_an_unknown_writer)
{
    struct retention_record ret = next_retention();
    struct retention_head *head = vec_push(&ret.heads, NULL);
    memset(head->writer, 0xee, WRITER_ID_LEN);
    put_retention(&ret, 0, false, NULL);
    assert_lists_refused(1, ERR_RETENTION_HEADS);
}
END_TEST

START_TEST(a_broken_retention_log_does_not_hide_the_writers)
{
    size_t len = 0;
    write_record(0, 0);
    write_retention();
    write_record(0, 1);
    write_retention();
    write_record(0, 2);
    uint8_t *bytes = memory_tamper(h.b, "ret/00000002.00", &len);
    for (size_t i = 0; i < len; i += 7) {
        bytes[i] ^= 1;
        open_all();
        ck_assert_uint_eq(repo_alarms(h.repo, NULL), 1);
        ck_assert_uint_eq(h.repo->retention.len, 1);
        ck_assert_uint_eq(writer(0)->records.len, 3);
        bytes[i] ^= 1;
    }
}
END_TEST

/* ---- expiry ---- */

static void expire(uint32_t seq, const char *note, bool good)
{
    struct retention_record ret = next_retention();
    uint32_t k = ret.seq;
    add_op(&ret, 0, seq, RETENTION_EXPIRE);
    put_retention(&ret, 0, good, note);
    open_all();
    if (good) {
        assert_alarm(NULL, 0, 0);
        ck_assert(repo_record_at(writer(0), seq)->expired);
    } else {
        assert_alarm(ERR_RETENTION_EXPIRE, -1, k);
        ck_assert(!repo_record_at(writer(0), seq)->expired);
    }
}

START_TEST(expire_after_min_keep)
{
    three_snapshots(10);
    expire(1, NULL, true);
}
END_TEST

START_TEST(expire_within_min_keep)
{
    three_snapshots(9);
    expire(1, NULL, false);
}
END_TEST

START_TEST(expire_within_min_keep_with_a_note)
{
    three_snapshots(0);
    expire(1, "unreadable snap, removed by the operator", true);
}
END_TEST

START_TEST(min_keep_is_that_of_the_charter_the_record_names)
{
    struct charter c;
    three_snapshots(10);
    expire(1, NULL, true); /* under charter 1: 10 days */
    ck_assert_int_eq(charter_next(&h.charter, &c, NULL), 0);
    c.min_keep_days = 100;
    house_publish_charter(&c, h.root.seed);
    open_all();
    assert_alarm(NULL, 0, 0); /* a later charter does not condemn the past */
    expire(2, NULL, false);
}
END_TEST

START_TEST(expire_the_newest)
{
    three_snapshots(20);
    expire(3, "even with a note", false);
}
END_TEST

START_TEST(the_newest_is_the_newest_that_is_not_void)
{
    write_record(0, 0);
    write_retention();
    h.fence[0] = 1;
    write_retention();
    write_record(0, 0); /* void after 3 */
    h.log[0].head = 1;
    write_retention();
    h.log[0].head = 2;
    expire(1, "why", false);
}
END_TEST

START_TEST(expire_a_held_one)
{
    three_snapshots(20);
    struct retention_record ret = next_retention();
    add_op(&ret, 0, 1, RETENTION_HOLD);
    put_retention(&ret, 0, true, NULL);
    expire(1, NULL, false);
    ck_assert(repo_record_at(writer(0), 1)->held);
}
END_TEST

START_TEST(expire_a_released_one)
{
    three_snapshots(20);
    struct retention_record ret = next_retention();
    add_op(&ret, 0, 1, RETENTION_HOLD);
    put_retention(&ret, 0, true, NULL);
    ret = next_retention();
    add_op(&ret, 0, 1, RETENTION_RELEASE);
    put_retention(&ret, 0, true, NULL);
    expire(1, NULL, true);
}
END_TEST

START_TEST(expire_when_the_clock_jumped)
{
    three_snapshots(20);
    h.time += 8 * (uint64_t)DAY_S;
    expire(1, NULL, false);
}
END_TEST

START_TEST(expire_when_the_clock_is_behind)
{
    three_snapshots(20);
    h.time -= 1;
    expire(1, NULL, false);
}
END_TEST

START_TEST(expire_what_was_not_seen)
{
    three_snapshots(20);
    write_record(0, 0);
    h.log[0].head = 3;
    struct retention_record ret = next_retention();
    uint32_t k = ret.seq;
    add_op(&ret, 0, 4, RETENTION_EXPIRE);
    put_retention(&ret, 0, false, NULL);
    open_all();
    assert_alarm(ERR_RETENTION_EXPIRE, -1, k);
}
END_TEST

START_TEST(revive)
{
    three_snapshots(20);
    expire(1, NULL, true);
    struct retention_record ret = next_retention();
    add_op(&ret, 0, 1, RETENTION_REVIVE);
    put_retention(&ret, 0, true, NULL);
    open_all();
    assert_alarm(NULL, 0, 0);
    ck_assert(!repo_record_at(writer(0), 1)->expired);
    ret = next_retention(); /* what is not expired cannot be revived */
    add_op(&ret, 0, 1, RETENTION_REVIVE);
    put_retention(&ret, 0, false, NULL);
    open_all();
    ck_assert_uint_eq(repo_alarms(h.repo, NULL), 1);
}
END_TEST

START_TEST(one_writer_alone_judges_its_own_part)
{
    three_snapshots(20);
    write_record(1, 1);
    struct retention_record ret = next_retention();
    add_op(&ret, 0, 1, RETENTION_EXPIRE);
    add_item(&ret.condemned, 0, 1, 0);
    add_item(&ret.condemned, 1, 1, 0);
    put_retention(&ret, 0, true, NULL);
    open_with(&(struct repo_options){ .writer = h.w[1].writer_id });
    assert_alarm(NULL, 0, 0);
    ck_assert_uint_ne(repo_item_find(h.repo, h.w[1].writer_id, 1, 0, 0).condemned, 0);
    ck_assert_uint_eq(repo_item_find(h.repo, h.w[0].writer_id, 1, 0, 0).condemned, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/rules");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_checked_fixture(all, house_start, house_stop);
    tcase_add_test(all, a_fence_cuts_off_what_was_not_seen);
    tcase_add_test(all, what_the_next_record_sees_is_not_void);
    tcase_add_loop_test(all, void_by_brute_force, 0, 40);
    tcase_add_test(all, condemn_fence_delete);
    tcase_add_test(all, delete_before_the_fence);
    tcase_add_test(all, delete_what_was_never_condemned);
    tcase_add_test(all, condemn_a_session_that_may_still_run);
    tcase_add_test(all, condemn_something_of_a_writer_without_records);
    tcase_add_test(all, the_snap_of_a_live_record_is_never_listed);
    tcase_add_test(all, the_snap_of_an_expired_record_may_go);
    tcase_add_test(all, the_snap_of_a_void_record_may_go);
    tcase_add_test(all, the_snap_of_a_record_that_is_revived_stays);
    tcase_add_test(all, a_head_that_is_not_in_the_log);
    tcase_add_test(all, a_head_of_an_unknown_writer);
    tcase_add_test(all, a_broken_retention_log_does_not_hide_the_writers);
    tcase_add_test(all, expire_after_min_keep);
    tcase_add_test(all, expire_within_min_keep);
    tcase_add_test(all, expire_within_min_keep_with_a_note);
    tcase_add_test(all, min_keep_is_that_of_the_charter_the_record_names);
    tcase_add_test(all, expire_the_newest);
    tcase_add_test(all, the_newest_is_the_newest_that_is_not_void);
    tcase_add_test(all, expire_a_held_one);
    tcase_add_test(all, expire_a_released_one);
    tcase_add_test(all, expire_when_the_clock_jumped);
    tcase_add_test(all, expire_when_the_clock_is_behind);
    tcase_add_test(all, expire_what_was_not_seen);
    tcase_add_test(all, revive);
    tcase_add_test(all, one_writer_alone_judges_its_own_part);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
