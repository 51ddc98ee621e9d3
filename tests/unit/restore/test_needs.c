/* Which sessions a request is about, and boxes that stand where they do not belong. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "restore/needs.h"
#include "common/base/banned.h"

static struct {
    struct recipients to;
    struct buf first;
    struct buf second;
} t;

static void seal_for(struct buf *out, uint8_t kid_byte)
{
    uint8_t kid[KID_LEN];
    uint8_t s[SHARE_LEN];
    memset(kid, kid_byte, sizeof kid);
    random_bytes(s, sizeof s);
    ck_assert_int_eq(envelope_build(s, &t.to, kid, out, NULL), 0);
}

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    memset(&t, 0, sizeof t);
    t.to.n = 1;
    t.to.group[0].n = 2;
    for (size_t i = 0; i < 2; i++) {
        struct secret *sk = secret_random(BOX_SK_LEN, NULL);
        struct recipient *who = &t.to.group[0].share[i];
        ck_assert_int_eq(box_public(sk, who->pk, NULL), 0);
        ck_assert_int_eq(box_rid(who->pk, who->rid, NULL), 0);
        secret_free(sk);
    }
    seal_for(&t.first, 1);
    seal_for(&t.second, 2);
}

static void stop(void)
{
    buf_free(&t.first);
    buf_free(&t.second);
}

static int note(struct map *boxes, const struct buf *bytes, uint8_t writer, uint32_t session,
                struct error *err)
{
    struct envelope env;
    uint8_t id[WRITER_ID_LEN];
    memset(id, writer, sizeof id);
    ck_assert_int_eq(envelope_parse(bytes->data, bytes->len, &env, NULL), 0);
    return boxes_note(boxes, id, session, &env, err);
}

START_TEST(one_session_may_be_seen_again)
{
    struct map boxes = BOXES_INIT;
    ck_assert_int_eq(note(&boxes, &t.first, 1, 5, NULL), 0);
    ck_assert_int_eq(note(&boxes, &t.second, 1, 6, NULL), 0);
    ck_assert_int_eq(note(&boxes, &t.first, 1, 5, NULL), 0);
    map_free(&boxes);
}
END_TEST

/* A writer puts another session's share into its own envelope: one box of it is enough to be noticed. */
START_TEST(a_copied_share_is_noticed)
{
    struct error err = ERROR_INIT;
    struct map boxes = BOXES_INIT;
    memcpy(t.second.data + t.second.len - BOX_LEN, t.first.data + t.first.len - BOX_LEN, BOX_LEN);
    ck_assert_int_eq(note(&boxes, &t.second, 1, 6, NULL), 0);
    ck_assert_int_eq(note(&boxes, &t.first, 1, 5, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, ERR_ENVELOPE_COPY);
    map_free(&boxes);
    boxes = (struct map)BOXES_INIT;
    ck_assert_int_eq(note(&boxes, &t.first, 1, 5, NULL), 0);
    ck_assert_int_eq(note(&boxes, &t.first, 2, 5, &err), E_CORRUPT); /* also between writers */
    map_free(&boxes);
}
END_TEST

START_TEST(sessions_are_sorted_once_and_found)
{
    struct vec v = VEC_OF(struct request_session);
    static const uint32_t order[] = { 9, 2, 9, 4, 2 };
    uint8_t w[WRITER_ID_LEN] = { 1 };
    uint8_t other[WRITER_ID_LEN] = { 0 };
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        struct request_session *s = vec_push(&v, NULL);
        memcpy(s->writer_id, w, sizeof w);
        s->session = order[i];
    }
    needs_sort(&v);
    ck_assert_uint_eq(v.len, 3);
    for (uint32_t n = 0; n < 12; n++) {
        ck_assert(needs_has(&v, w, n) == (n == 2 || n == 4 || n == 9));
        ck_assert(!needs_has(&v, other, n));
    }
    vec_free(&v);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restore/needs");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, one_session_may_be_seen_again);
    tcase_add_test(all, a_copied_share_is_noticed);
    tcase_add_test(all, sessions_are_sorted_once_and_found);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
