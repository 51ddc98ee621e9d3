/* Making a repository on storage that fails at every operation: afterwards one knows if it is there. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/init/keys.h"
#include "backupd/init/storage.h"
#include "common/backend/fault.h"
#include "common/backend/memory.h"
#include "common/repo/repo.h"
#include "common/base/banned.h"

static struct init_request request;
static struct init_keys keys;
static struct charter charter;
static size_t unmade;
static struct buf bytes;

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    request = (struct init_request){ .writers = 3,
                                     .cadence_hours = 36,
                                     .min_keep_days = 14,
                                     .pack_size = PACK_SIZE_DEFAULT,
                                     .setup = { .type = CONF_STORAGE_SFTP, .user = "shop" } };
    bytes = (struct buf)BUF_INIT;
    ck_assert_int_eq(init_keys_generate(&request, &keys, NULL), 0);
    ck_assert_int_eq(init_charter(&request, &keys, &charter, &bytes, NULL), 0);
}

static void stop(void)
{
    buf_free(&bytes);
    charter_free(&charter);
    init_keys_free(&keys);
}

static int make(struct backend *b, bool *maybe)
{
    *maybe = false;
    int rc = init_storage_empty(b, NULL);
    if (rc == 0)
        rc = init_storage_dirs(&request, b, &charter, &unmade, NULL);
    return rc == 0 ? init_storage_publish(b, &bytes, maybe, NULL) : rc;
}

/* What a host sees that pins this root. */
static int look(struct backend *b)
{
    struct repo *repo = NULL;
    struct repo_options options = { .now = 0 };
    int rc = repo_open(b, keys.pin.root_pk, &options, &repo, NULL);
    if (rc == 0) {
        ck_assert_uint_eq(repo->writers.len, 3);
        ck_assert_uint_eq(repo_alarms(repo, NULL), 0);
        ck_assert_uint_eq(repo_charter(repo)->min_keep_days, 14);
    }
    repo_close(repo);
    return rc;
}

START_TEST(made_and_never_twice)
{
    struct backend *b = backend_memory(NULL);
    bool maybe = true;
    ck_assert_int_eq(look(b), E_NOT_FOUND);
    ck_assert_int_eq(make(b, &maybe), 0);
    ck_assert(!maybe);
    ck_assert_int_eq(look(b), 0);
    ck_assert_int_eq(init_storage_empty(b, NULL), E_EXISTS);
    /* somebody else was faster: his charter stays, and ours is not it */
    stop();
    start();
    ck_assert_int_eq(init_storage_publish(b, &bytes, &maybe, NULL), E_CONFLICT);
    backend_close(b);
}
END_TEST

static void every_operation_fails(enum fault_kind kind, int code)
{
    for (unsigned long at = 1;; at++) {
        struct fault_plan plan = { .kind = kind, .at = at, .code = code };
        struct backend *store = backend_memory(NULL);
        struct backend *b = backend_fault(backend_clone(store, NULL), &plan, NULL);
        bool maybe = false;
        int rc = make(b, &maybe);
        bool there = look(store) == 0;
        ck_assert_msg(rc != 0 || there, "operation %lu: success without a repository", at);
        ck_assert_msg(rc == 0 || maybe || !there, "operation %lu: the keys of a repository would be removed",
                      at);
        backend_close(b);
        backend_close(store);
        if (!plan.fired)
            break;
        ck_assert_uint_lt(at, 1000);
    }
}

START_TEST(failing_storage)
{
    every_operation_fails(FAULT_FAIL, E_IO);
    every_operation_fails(FAULT_FAIL, E_DENIED);
    every_operation_fails(FAULT_FAIL, E_RETRY);
    every_operation_fails(FAULT_CUT, 0);
    every_operation_fails(FAULT_LOST_ACK, 0);
    every_operation_fails(FAULT_DEAD, E_IO);
}
END_TEST

START_TEST(a_cut_upload_is_no_repository)
{
    struct backend *b = backend_memory(NULL);
    bool maybe = false;
    ck_assert_int_eq(init_storage_dirs(&request, b, &charter, &unmade, NULL), 0);
    ck_assert_int_eq(backend_put(b, "charter/00000001.00", bytes.data, bytes.len / 2, NULL), 0);
    ck_assert_int_eq(init_storage_empty(b, NULL), 0);
    ck_assert_int_eq(init_storage_publish(b, &bytes, &maybe, NULL), 0);
    ck_assert_int_eq(look(b), 0);
    backend_close(b);
}
END_TEST

START_TEST(the_way_out_is_named)
{
    struct error err = ERROR_INIT;
    struct fault_plan plan = { .kind = FAULT_FAIL, .at = 1, .code = E_DENIED };
    struct backend *b = backend_fault(backend_memory(NULL), &plan, NULL);
    ck_assert_int_eq(init_storage_dirs(&request, b, &charter, &unmade, &err), E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "--setup-user"));
    backend_close(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/init_storage");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_set_timeout(all, 120);
    tcase_add_test(all, made_and_never_twice);
    tcase_add_test(all, failing_storage);
    tcase_add_test(all, a_cut_upload_is_no_repository);
    tcase_add_test(all, the_way_out_is_named);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
