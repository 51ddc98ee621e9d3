/* The fault decorator: every operation fails once, for each kind of fault. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/fault.h"
#include "common/backend/memory.h"

#include "common/base/banned.h"

enum { OPERATIONS = 10, FINISH = 5, KINDS = FAULT_DEAD + 1 };

static int count_entry(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    (void)name;
    (void)st;
    (void)err;
    ++*(unsigned *)arg;
    return 0;
}

static int upload_two(struct backend *b, struct error *err)
{
    struct error cause = ERROR_INIT;
    struct upload *u = backend_create(b, "d/f", 8, &cause); /* operation 2 */
    if (u == NULL)
        return error_copy(err, &cause);
    int rc = upload_write(u, "abcd", 4, err); /* 3 */
    if (rc == 0)
        rc = upload_write(u, "efgh", 4, err); /* 4 */
    if (rc < 0) {
        upload_drop(u);
        return rc;
    }
    return upload_finish(u, err); /* 5 */
}

/* One of each operation; whether everything it saw was right goes to *right. */
static int run(struct backend *b, struct backend *memory, bool *right, struct error *err)
{
    char out[8] = "";
    struct backend_stat st = { .size = 0 };
    struct backend_space space = { .total = 0 };
    unsigned entries = 0;
    int rc = backend_make_dir(b, "d", 0755, err); /* 1 */
    if (rc == 0)
        rc = upload_two(b, err);
    if (rc == 0)
        rc = backend_read(b, "d/f", 0, out, 8, err); /* 6 */
    if (rc == 0)
        rc = backend_stat(b, "d/f", &st, err); /* 7 */
    if (rc == 0)
        rc = backend_list(b, "d", count_entry, &entries, err); /* 8 */
    if (rc == 0)
        rc = backend_space(b, &space, err); /* 9 */
    if (rc == 0)
        rc = backend_remove(b, "d/f", err); /* 10 */
    *right = rc == 0 && memcmp(out, "abcdefgh", 8) == 0 && st.size == 8 && entries == 1 &&
             space.available == space.total - 8 && backend_stat(memory, "d/f", &st, NULL) == E_NOT_FOUND;
    return rc;
}

static struct backend *make(struct fault_plan *plan, struct backend **memory)
{
    struct error err = ERROR_INIT;
    struct backend *inner = backend_memory(&err);
    ck_assert_msg(inner != NULL, "%s", err.text);
    *memory = backend_clone(inner, &err);
    struct backend *b = backend_fault(inner, plan, &err);
    ck_assert_msg(b != NULL && *memory != NULL, "%s", err.text);
    return b;
}

START_TEST(each_operation_fails_once)
{
    enum fault_kind kind = (enum fault_kind)_i;
    unsigned long at = 1;
    for (;; at++) {
        struct fault_plan plan = { .kind = kind, .at = at, .code = E_IO };
        struct backend *memory;
        struct backend *b = make(&plan, &memory);
        struct error err = ERROR_INIT;
        bool right;
        int rc = run(b, memory, &right, &err);
        if (at > OPERATIONS) {
            ck_assert_msg(rc == 0 && right, "at %lu: %s", at, err.text);
        } else if (kind == FAULT_LIE) {
            /* A finish that lies has no more bytes to lose in this order of calls. */
            ck_assert_msg(plan.fired && (right == (at == FINISH)), "at %lu", at);
        } else {
            ck_assert(plan.fired && rc < 0);
            ck_assert_int_eq(rc, kind == FAULT_FAIL || kind == FAULT_DEAD ? E_IO : E_RETRY);
            ck_assert_int_eq(rc, err.code);
            ck_assert_uint_eq(plan.count, at);
        }
        backend_close(b);
        backend_close(memory);
        if (at > OPERATIONS)
            break;
    }
}
END_TEST

START_TEST(no_plan_no_fault)
{
    struct fault_plan plan = { .kind = FAULT_DEAD, .at = 0, .code = E_IO };
    struct backend *memory;
    struct backend *b = make(&plan, &memory);
    bool right;
    ck_assert_int_eq(run(b, memory, &right, NULL), 0);
    ck_assert(right);
    ck_assert(!plan.fired);
    ck_assert_uint_eq(plan.count, OPERATIONS);
    ck_assert_str_eq(backend_where(b), backend_where(memory));
    ck_assert_uint_eq(backend_caps(b), backend_caps(memory));
    backend_close(b);
    backend_close(memory);
}
END_TEST

static struct backend_stat what_is(struct backend *memory, const char *name)
{
    struct error err = ERROR_INIT;
    struct backend_stat st;
    ck_assert_msg(backend_stat(memory, name, &st, &err) == 0, "%s", err.text);
    return st;
}

START_TEST(cut_stores_half)
{
    struct fault_plan plan = { .kind = FAULT_CUT, .at = 2 };
    struct backend *memory;
    struct backend *b = make(&plan, &memory);
    ck_assert_int_eq(backend_put(b, "f", "0123456789", 10, NULL), E_RETRY);
    ck_assert_uint_eq(what_is(memory, "f").size, 5);
    ck_assert_int_eq(backend_put(b, "f", "0123456789", 10, NULL), E_EXISTS);
    backend_close(b);
    backend_close(memory);
}
END_TEST

START_TEST(lost_answer_has_happened)
{
    struct fault_plan plan = { .kind = FAULT_LOST_ACK, .at = 3 };
    struct backend *memory;
    struct backend *b = make(&plan, &memory);
    ck_assert_int_eq(backend_put(b, "f", "0123456789", 10, NULL), E_RETRY);
    ck_assert_uint_eq(what_is(memory, "f").size, 10);
    plan.count = 0;
    plan.at = 1;
    ck_assert_int_eq(backend_remove(b, "f", NULL), E_RETRY);
    struct backend_stat st;
    ck_assert_int_eq(backend_stat(memory, "f", &st, NULL), E_NOT_FOUND);
    backend_close(b);
    backend_close(memory);
}
END_TEST

START_TEST(a_lie_stores_nothing_more)
{
    struct fault_plan plan = { .kind = FAULT_LIE, .at = 3 };
    struct backend *memory;
    struct backend *b = make(&plan, &memory);
    struct upload *u = backend_create(b, "f", 0, NULL);
    ck_assert_ptr_nonnull(u);
    ck_assert_int_eq(upload_write(u, "abc", 3, NULL), 0);
    ck_assert_int_eq(upload_write(u, "def", 3, NULL), 0);
    ck_assert_int_eq(upload_write(u, "ghi", 3, NULL), 0);
    ck_assert_int_eq(upload_finish(u, NULL), 0);
    ck_assert_uint_eq(what_is(memory, "f").size, 3);
    backend_close(b);
    backend_close(memory);
}
END_TEST

START_TEST(dead_stays_dead_in_clones)
{
    struct fault_plan plan = { .kind = FAULT_DEAD, .at = 2, .code = E_RETRY };
    struct backend *memory;
    struct backend *b = make(&plan, &memory);
    struct error err = ERROR_INIT;
    struct backend_space space;
    struct backend *c = backend_clone(b, &err);
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(backend_space(b, &space, &err), 0);
    ck_assert_int_eq(backend_space(c, &space, &err), E_RETRY);
    ck_assert_int_eq(backend_space(b, &space, &err), E_RETRY);
    ck_assert_int_eq(backend_put(b, "f", "x", 1, &err), E_RETRY);
    ck_assert_uint_eq(plan.count, 4);
    backend_close(c);
    backend_close(b);
    backend_close(memory);
}
END_TEST

/* Whatever failed in the middle, finish never says that the file is there. */
START_TEST(finish_after_failed_write_fails)
{
    struct fault_plan plan = { .kind = FAULT_FAIL, .at = 3, .code = E_NO_SPACE };
    struct backend *memory;
    struct backend *b = make(&plan, &memory);
    struct upload *u = backend_create(b, "f", 0, NULL);
    ck_assert_ptr_nonnull(u);
    ck_assert_int_eq(upload_write(u, "abc", 3, NULL), 0);
    ck_assert_int_eq(upload_write(u, "def", 3, NULL), E_NO_SPACE);
    ck_assert_int_eq(upload_write(u, "ghi", 3, NULL), E_NO_SPACE);
    ck_assert_int_eq(upload_finish(u, NULL), E_NO_SPACE);
    backend_close(b);
    backend_close(memory);
}
END_TEST

START_TEST(memory_can_be_tampered_with)
{
    struct error err = ERROR_INIT;
    struct backend *b = backend_memory(&err);
    char out[4];
    size_t len = 0;
    ck_assert_int_eq(backend_put(b, "f", "abc", 3, &err), 0);
    uint8_t *data = memory_tamper(b, "f", &len);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(len, 3);
    data[1] = 'X';
    ck_assert_int_eq(backend_read(b, "f", 0, out, 3, &err), 0);
    ck_assert_mem_eq(out, "aXc", 3);
    ck_assert_int_eq(memory_replace(b, "f", "longer", 6, &err), 0);
    ck_assert_uint_eq(what_is(b, "f").size, 6);
    ck_assert_int_eq(memory_replace(b, "g", "new", 3, &err), 0);
    ck_assert_int_eq(memory_replace(b, "f", NULL, 0, &err), 0);
    ck_assert_int_eq(memory_replace(b, "f", NULL, 0, &err), E_NOT_FOUND);
    ck_assert_ptr_null(memory_tamper(b, "f", &len));
    /* An upload goes on although its file was removed. */
    struct upload *u = backend_create(b, "h", 0, &err);
    ck_assert_int_eq(memory_replace(b, "h", NULL, 0, &err), 0);
    ck_assert_int_eq(upload_write(u, "abc", 3, &err), 0);
    ck_assert_int_eq(upload_finish(u, &err), 0);
    backend_close(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, each_operation_fails_once, 0, KINDS);
    tcase_add_test(all, no_plan_no_fault);
    tcase_add_test(all, cut_stores_half);
    tcase_add_test(all, lost_answer_has_happened);
    tcase_add_test(all, a_lie_stores_nothing_more);
    tcase_add_test(all, dead_stays_dead_in_clones);
    tcase_add_test(all, finish_after_failed_write_fails);
    tcase_add_test(all, memory_can_be_tampered_with);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
