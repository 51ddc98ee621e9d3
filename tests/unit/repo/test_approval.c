/* Requests and approvals: what was seen is what is bound. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/repo/approval.h"
#include "common/base/banned.h"

enum { ALICE, BOB, CAROL, PEOPLE, NOW = 1000000, SESSIONS = 3 };

static struct {
    struct secret *sk[PEOPLE];
    struct charter_recipient who[PEOPLE];
    struct secret *e_sk;
    struct request q;
    struct buf request;
    struct opened_shares shares;
    struct buf approval;
} t;

static void add_session(uint32_t session)
{
    struct request_session *s = vec_push(&t.q.sessions, NULL);
    memset(s->writer_id, 7, WRITER_ID_LEN);
    s->session = session;
    memset(s->kid, (int)session, KID_LEN);
}

static void fill_request(void)
{
    request_init(&t.q);
    memset(t.q.repo_id, 1, REPO_ID_LEN);
    memcpy(t.q.rid, t.who[ALICE].rid, RID_LEN);
    ck_assert_int_eq(box_public(t.e_sk, t.q.e_pk, NULL), 0);
    t.q.created = NOW;
    t.q.expires = NOW + 3600;
    (void)snprintf(t.q.by, sizeof t.q.by, "alice@station");
    (void)snprintf(t.q.reason, sizeof t.q.reason, "order 4711");
    struct request_snapshot *s = vec_push(&t.q.snapshots, NULL);
    memset(s->writer_id, 7, WRITER_ID_LEN);
    s->seq = 2;
    s->session = 3;
    s->time = NOW - 5;
    (void)snprintf(s->label, sizeof s->label, "shop");
    add_session(3);
    add_session(1);
    add_session(3); /* once is enough */
    add_session(2);
}

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    memset(&t, 0, sizeof t);
    t.shares = (struct opened_shares)OPENED_SHARES_INIT;
    for (size_t i = 0; i < PEOPLE; i++) {
        t.sk[i] = secret_random(BOX_SK_LEN, NULL);
        ck_assert_int_eq(box_public(t.sk[i], t.who[i].pk, NULL), 0);
        ck_assert_int_eq(box_rid(t.who[i].pk, t.who[i].rid, NULL), 0);
    }
    t.e_sk = secret_random(BOX_SK_LEN, NULL);
    fill_request();
    ck_assert_int_eq(request_encode(&t.q, t.sk[ALICE], &t.who[BOB], 2, &t.request, NULL), 0);
    ck_assert_uint_eq(t.q.sessions.len, SESSIONS);
}

static void stop(void)
{
    for (size_t i = 0; i < PEOPLE; i++)
        secret_free(t.sk[i]);
    secret_free(t.e_sk);
    request_free(&t.q);
    buf_free(&t.request);
    shares_free(&t.shares);
    buf_free(&t.approval);
}

/* What an approver does with some bytes; 0 when they would be approved. */
static int receive(const struct buf *bytes, int who, uint64_t now, struct error *err)
{
    struct request q;
    int rc = request_parse(bytes->data, bytes->len, &q, err);
    if (rc == 0 && memcmp(q.rid, t.who[ALICE].rid, RID_LEN) != 0)
        rc = E_CONFLICT; /* the charter has no such person */
    rc = rc < 0 ? rc : request_verify(&q, t.sk[who], t.who[ALICE].pk, now, err);
    request_free(&q);
    return rc;
}

static void assert_refused(int rc, const struct error *err, int code, const char *name)
{
    ck_assert_int_eq(rc, code);
    ck_assert_ptr_nonnull(err->name);
    ck_assert_str_eq(err->name, name);
}

START_TEST(a_request_is_for_those_it_names)
{
    struct error err = ERROR_INIT;
    struct request q;
    ck_assert_int_eq(receive(&t.request, BOB, NOW, &err), 0);
    ck_assert_int_eq(receive(&t.request, CAROL, NOW + 3599, &err), 0);
    ck_assert_int_eq(receive(&t.request, ALICE, NOW, &err), E_AUTH);
    ck_assert_int_eq(request_parse(t.request.data, t.request.len, &q, &err), 0);
    ck_assert_mem_eq(q.id, t.q.id, HASH_LEN);
    ck_assert_uint_eq(q.sessions.len, SESSIONS);
    ck_assert_str_eq(q.by, "alice@station");
    ck_assert_str_eq(q.reason, "order 4711");
    const struct request_snapshot *s = vec_at(&q.snapshots, 0);
    ck_assert_str_eq(s->label, "shop");
    ck_assert_uint_eq(s->time, NOW - 5);
    uint8_t writer[WRITER_ID_LEN];
    memset(writer, 7, sizeof writer);
    for (uint32_t n = 0; n <= 4; n++)
        ck_assert((request_session_find(&q, writer, n) != NULL) == (n >= 1 && n <= 3));
    request_free(&q);
}
END_TEST

START_TEST(a_request_is_over_some_time)
{
    struct error err = ERROR_INIT;
    assert_refused(receive(&t.request, BOB, NOW + 3600, &err), &err, E_CONFLICT, ERR_REQUEST_EXPIRED);
    error_clear(&err);
    ck_assert_int_eq(receive(&t.request, BOB, NOW - 86400, &err), 0); /* clocks differ */
    assert_refused(receive(&t.request, BOB, NOW - 86401, &err), &err, E_CONFLICT, ERR_REQUEST_EXPIRED);
}
END_TEST

START_TEST(a_cut_request_is_refused_at_every_length)
{
    for (size_t len = 0; len < t.request.len; len++) {
        struct error err = ERROR_INIT;
        struct buf cut = BUF_INIT;
        ck_assert_int_eq(buf_append(&cut, t.request.data, len, NULL), 0);
        assert_refused(receive(&cut, BOB, NOW, &err), &err, E_CORRUPT, ERR_REQUEST_SYNTAX);
        buf_free(&cut);
    }
    ck_assert_int_eq(buf_append(&t.request, "", 1, NULL), 0);
    struct error err = ERROR_INIT;
    assert_refused(receive(&t.request, BOB, NOW, &err), &err, E_CORRUPT, ERR_REQUEST_SYNTAX);
}
END_TEST

/* Each byte: also the key, the times, every list, the texts. Only another one's mac is not bob's matter. */
START_TEST(a_request_with_any_byte_changed_is_refused)
{
    int first = memcmp(t.who[BOB].rid, t.who[CAROL].rid, RID_LEN) < 0 ? BOB : CAROL;
    size_t head = t.q.head.len;
    for (size_t i = 0; i < t.request.len; i++) {
        struct error err = ERROR_INIT;
        size_t of = i < head ? 0 : 1 + (i - head) / sizeof(struct request_mac);
        t.request.data[i] ^= 0x20;
        if (of == 0 || (of == 1) == (first == BOB))
            ck_assert_int_lt(receive(&t.request, BOB, NOW, &err), 0);
        t.request.data[i] ^= 0x20;
    }
    ck_assert_int_eq(receive(&t.request, BOB, NOW, NULL), 0);
}
END_TEST

START_TEST(a_request_of_somebody_else_is_noticed)
{
    struct error err = ERROR_INIT;
    struct buf forged = BUF_INIT;
    /* carol writes alice's name on hers */
    ck_assert_int_eq(request_encode(&t.q, t.sk[CAROL], &t.who[BOB], 1, &forged, NULL), 0);
    assert_refused(receive(&forged, BOB, NOW, &err), &err, E_CORRUPT, ERR_REQUEST_AUTH);
    buf_free(&forged);
}
END_TEST

START_TEST(a_request_has_limits)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    ck_assert_int_eq(request_encode(&t.q, t.sk[ALICE], &t.who[BOB], 0, &out, &err), E_USAGE);
    t.q.expires = t.q.created + REQUEST_VALID_MAX + 1;
    ck_assert_int_eq(request_encode(&t.q, t.sk[ALICE], &t.who[BOB], 2, &out, &err), E_USAGE);
    t.q.expires = t.q.created;
    ck_assert_int_eq(request_encode(&t.q, t.sk[ALICE], &t.who[BOB], 2, &out, &err), E_USAGE);
    t.q.expires = t.q.created + REQUEST_VALID_MAX;
    ck_assert_int_eq(request_encode(&t.q, t.sk[ALICE], &t.who[BOB], 2, &out, &err), 0);
    struct charter_recipient twice[2] = { t.who[BOB], t.who[BOB] };
    ck_assert_int_eq(request_encode(&t.q, t.sk[ALICE], twice, 2, &out, &err), E_USAGE);
    for (uint32_t i = 4; t.q.sessions.len <= REQUEST_SESSIONS_MAX; i++)
        add_session(i);
    ck_assert_int_eq(request_encode(&t.q, t.sk[ALICE], &t.who[BOB], 2, &out, &err), E_USAGE);
    buf_free(&out);
}
END_TEST

/* The largest one fits what readers take. */
START_TEST(the_largest_request_is_read)
{
    struct buf out = BUF_INIT;
    struct request q;
    for (uint32_t i = 4; t.q.sessions.len < REQUEST_SESSIONS_MAX; i++)
        add_session(i);
    for (uint32_t i = 3; t.q.snapshots.len < REQUEST_SNAPSHOTS_MAX; i++) {
        struct request_snapshot *s = vec_push(&t.q.snapshots, NULL);
        s->seq = i;
        s->session = i;
        memset(s->label, 'x', LABEL_MAX);
    }
    memset(t.q.reason, 'y', REQUEST_REASON_MAX);
    memset(t.q.by, 'z', REQUEST_BY_MAX);
    ck_assert_int_eq(request_encode(&t.q, t.sk[ALICE], &t.who[BOB], 2, &out, NULL), 0);
    ck_assert_uint_le(out.len, REQUEST_MAX);
    ck_assert_int_eq(request_parse(out.data, out.len, &q, NULL), 0);
    request_free(&q);
    buf_free(&out);
}
END_TEST

/* ---- the requester's own file -------------------------------------------------------------------------- */

START_TEST(the_state_holds_key_and_request)
{
    struct buf state = BUF_INIT;
    struct secret *e_sk = NULL;
    struct request q;
    ck_assert_int_eq(request_state_encode(t.e_sk, &t.request, &state, NULL), 0);
    for (size_t len = 0; len < state.len; len++) {
        struct error err = ERROR_INIT;
        int rc = request_state_parse(state.data, len, &e_sk, &q, &err);
        secret_free(e_sk);
        request_free(&q);
        assert_refused(rc, &err, E_CORRUPT, ERR_REQUEST_SYNTAX);
    }
    ck_assert_int_eq(request_state_parse(state.data, state.len, &e_sk, &q, NULL), 0);
    ck_assert_mem_eq(secret_view(e_sk), secret_view(t.e_sk), BOX_SK_LEN);
    ck_assert_mem_eq(q.id, t.q.id, HASH_LEN);
    secret_free(e_sk);
    request_free(&q);
    buf_wipe(&state);
}
END_TEST

/* ---- approvals ------------------------------------------------------------------------------------------- */

static const uint8_t share[SHARE_LEN] = { 5, 6, 7 };

static void opened(uint32_t session)
{
    uint8_t writer[WRITER_ID_LEN];
    uint8_t id[BOX_ID_LEN] = { (uint8_t)session };
    memset(writer, 7, sizeof writer);
    ck_assert_int_eq(shares_add(&t.shares, writer, session, id, t.who[BOB].rid, share, NULL), 0);
}

static void approve(void)
{
    struct approval a = { .time = NOW + 60, .expires = NOW + 600 };
    ck_assert_int_eq(approval_encode(&a, &t.q, t.sk[BOB], t.who[ALICE].pk, &t.shares, &t.approval, NULL), 0);
}

/* What alice gets: how many shares, or a code. */
static int use(const struct secret *e_sk, int me, int approver, uint64_t now, struct error *err)
{
    struct opened_shares got = OPENED_SHARES_INIT;
    struct approval a;
    int rc = approval_parse(t.approval.data, t.approval.len, &a, err);
    rc = rc < 0 ? rc : approval_open(&a, &t.q, e_sk, t.sk[me], t.who[approver].pk, now, &got, err);
    if (rc < 0)
        ck_assert_uint_eq(got.list.len, 0);
    else
        rc = (int)got.list.len;
    for (size_t i = 0; i < got.list.len; i++) {
        const struct opened_share *s = vec_at(&got.list, i);
        ck_assert_mem_eq(shares_bytes(&got, s), share, SHARE_LEN);
        ck_assert_ptr_nonnull(shares_find(&got, s->writer_id, s->session, s->box_id));
        ck_assert_ptr_null(shares_find(&got, s->writer_id, s->session + 1, s->box_id));
    }
    shares_free(&got);
    return rc;
}

START_TEST(an_approval_is_for_one_request_and_one_person)
{
    struct error err = ERROR_INIT;
    struct secret *other = secret_random(BOX_SK_LEN, NULL);
    opened(3);
    opened(1);
    approve();
    ck_assert_int_eq(use(t.e_sk, ALICE, BOB, NOW + 61, &err), 2);
    ck_assert_int_eq(use(t.e_sk, ALICE, BOB, NOW + 599, &err), 2); /* and again: several verbs may need it */
    assert_refused(use(t.e_sk, ALICE, BOB, NOW + 600, &err), &err, E_CONFLICT, ERR_APPROVAL_EXPIRED);
    assert_refused(use(other, ALICE, BOB, NOW + 61, &err), &err, E_CORRUPT, ERR_APPROVAL_AUTH);
    /* the file of the request's key alone, in other hands */
    assert_refused(use(t.e_sk, CAROL, BOB, NOW + 61, &err), &err, E_CORRUPT, ERR_APPROVAL_AUTH);
    /* carol did not approve it */
    assert_refused(use(t.e_sk, ALICE, CAROL, NOW + 61, &err), &err, E_CORRUPT, ERR_APPROVAL_AUTH);
    t.q.id[0] ^= 1; /* another request of hers */
    assert_refused(use(t.e_sk, ALICE, BOB, NOW + 61, &err), &err, E_CONFLICT, ERR_APPROVAL_REQUEST);
    secret_free(other);
}
END_TEST

START_TEST(an_approval_opens_nothing_outside_its_list)
{
    struct error err = ERROR_INIT;
    opened(3);
    opened(4);
    approve();
    assert_refused(use(t.e_sk, ALICE, BOB, NOW + 61, &err), &err, E_CORRUPT, ERR_APPROVAL_SESSIONS);
}
END_TEST

START_TEST(an_approval_with_any_byte_changed_or_cut_is_refused)
{
    opened(3);
    approve();
    for (size_t i = 0; i < t.approval.len; i++) {
        t.approval.data[i] ^= 0x20;
        ck_assert_int_lt(use(t.e_sk, ALICE, BOB, NOW + 61, NULL), 0);
        t.approval.data[i] ^= 0x20;
    }
    ck_assert_int_eq(use(t.e_sk, ALICE, BOB, NOW + 61, NULL), 1);
    size_t whole = t.approval.len;
    for (t.approval.len = 0; t.approval.len < whole; t.approval.len++) {
        struct error err = ERROR_INIT;
        assert_refused(use(t.e_sk, ALICE, BOB, NOW + 61, &err), &err, E_CORRUPT, ERR_APPROVAL_SYNTAX);
    }
    ck_assert_int_eq(buf_append(&t.approval, "", 1, NULL), 0);
    struct error err = ERROR_INIT;
    assert_refused(use(t.e_sk, ALICE, BOB, NOW + 61, &err), &err, E_CORRUPT, ERR_APPROVAL_SYNTAX);
}
END_TEST

START_TEST(a_request_key_of_small_order_is_no_way_in)
{
    struct error err = ERROR_INIT;
    struct approval a = { .time = NOW, .expires = NOW + 1 };
    struct buf out = BUF_INIT;
    opened(3);
    memset(t.q.e_pk, 0, sizeof t.q.e_pk);
    ck_assert_int_eq(approval_encode(&a, &t.q, t.sk[BOB], t.who[ALICE].pk, &t.shares, &out, &err), E_AUTH);
    uint8_t zero[BOX_PK_LEN] = { 0 };
    ck_assert_ptr_null(box_shared(t.sk[BOB], zero, &err));
    ck_assert_int_eq(err.code, E_AUTH);
    buf_free(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("approval");
    TCase *tc = tcase_create("approval");
    tcase_add_checked_fixture(tc, start, stop);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_request_is_for_those_it_names);
    tcase_add_test(tc, a_request_is_over_some_time);
    tcase_add_test(tc, a_cut_request_is_refused_at_every_length);
    tcase_add_test(tc, a_request_with_any_byte_changed_is_refused);
    tcase_add_test(tc, a_request_of_somebody_else_is_noticed);
    tcase_add_test(tc, a_request_has_limits);
    tcase_add_test(tc, the_largest_request_is_read);
    tcase_add_test(tc, the_state_holds_key_and_request);
    tcase_add_test(tc, an_approval_is_for_one_request_and_one_person);
    tcase_add_test(tc, an_approval_opens_nothing_outside_its_list);
    tcase_add_test(tc, an_approval_with_any_byte_changed_or_cut_is_refused);
    tcase_add_test(tc, a_request_key_of_small_order_is_no_way_in);
    suite_add_tcase(s, tc);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed;
}
