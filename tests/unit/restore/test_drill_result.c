#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "restore/drill/result.h"

#include "common/base/banned.h"

static void fill(struct drill_result *r)
{
    struct drill_detail more = { .expected = "10 rows", .found = "9 rows", .ms = 7 };
    drill_result_init(r);
    memcpy(r->id, "20261128T231502Z-3f9c01ab", 26);
    memcpy(r->writer, "00112233", 9);
    for (size_t i = 0; i < HASH_LEN; i++)
        r->record_hash[i] = (uint8_t)(3 * i);
    ck_assert_int_eq(drill_text(&r->snapshot, "shop-pg/42", NULL), 0);
    ck_assert_int_eq(drill_text(&r->isolation, "own \"network\"\n", NULL), 0);
    r->phases.load_ms = 1234;
    r->rto_ms = UINT64_MAX;
    r->rpo_known = true;
    r->rpo_seconds = 0;
    ck_assert_int_eq(drill_check_add(r, "table", "rows", "public.a", DRILL_PASS, NULL, NULL), 0);
    ck_assert_int_eq(drill_check_add(r, "engine", "amcheck", NULL, DRILL_COULD_NOT_RUN, NULL, NULL), 0);
    ck_assert_int_eq(drill_check_add(r, "table", "rows", "public.b", DRILL_FAIL, &more, NULL), 0);
    struct drill_masked *m = vec_push(&r->masked, NULL);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_eq(drill_text(&m->table, "public.people", NULL), 0);
    ck_assert_int_eq(drill_text(&m->column, "name", NULL), 0);
    ck_assert_int_eq(drill_text(&m->rule, "hash", NULL), 0);
    m->rows = 5;
    char **slot = vec_push(&r->tables, NULL);
    ck_assert_ptr_nonnull(slot);
    *slot = strdup("public.a");
}

START_TEST(the_first_failure_is_the_reason)
{
    struct drill_result r;
    fill(&r);
    ck_assert_int_eq(drill_result_settle(&r, NULL), 0);
    ck_assert_int_eq(r.verdict, DRILL_FAIL);
    ck_assert_str_eq(r.reason, "rows: public.b: 9 rows, expected 10 rows");
    ck_assert_uint_eq(drill_check_count(&r, DRILL_COULD_NOT_RUN), 1);
    drill_result_free(&r);
}
END_TEST

START_TEST(comes_back_the_same)
{
    struct drill_result r;
    struct drill_result again;
    struct buf first = BUF_INIT;
    struct buf second = BUF_INIT;
    fill(&r);
    ck_assert_int_eq(drill_result_settle(&r, NULL), 0);
    ck_assert_int_eq(drill_result_to_json(&r, &first, NULL), 0);
    ck_assert_int_eq(drill_result_from_json(first.data, first.len, &again, NULL), 0);
    ck_assert_int_eq(drill_result_to_json(&again, &second, NULL), 0);
    ck_assert_uint_eq(first.len, second.len);
    ck_assert_mem_eq(first.data, second.data, first.len);
    ck_assert(again.rpo_known);
    ck_assert_uint_eq(again.rto_ms, UINT64_MAX);
    ck_assert_ptr_null(again.job);
    ck_assert_mem_eq(again.record_hash, r.record_hash, HASH_LEN);
    /* Cut short anywhere it is refused and leaks nothing. */
    for (size_t i = 0; i < first.len; i++) {
        struct drill_result cut;
        ck_assert_int_eq(drill_result_from_json(first.data, i, &cut, NULL), E_CORRUPT);
        drill_result_free(&cut);
    }
    buf_free(&first);
    buf_free(&second);
    drill_result_free(&r);
    drill_result_free(&again);
}
END_TEST

START_TEST(others_are_refused)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        { "[]", E_CORRUPT },
        { "{}", E_CORRUPT },
        { "{\"version\":2,\"id\":\"a\"}", E_UNSUPPORTED },
        { "{\"version\":1,\"version\":1}", E_CORRUPT },
        { "{\"version\":1,\"id\":\"a\",\"record_hash\":\"00\",\"verdict\":\"pass\"}", E_CORRUPT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct drill_result r;
        ck_assert_int_eq(drill_result_from_json(cases[i].text, strlen(cases[i].text), &r, NULL),
                         cases[i].code);
        drill_result_free(&r);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("drill_result");
    TCase *t = tcase_create("all");
    tcase_add_test(t, the_first_failure_is_the_reason);
    tcase_add_test(t, comes_back_the_same);
    tcase_add_test(t, others_are_refused);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}
