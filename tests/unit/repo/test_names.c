/* Names: both ways, strictness, and publishing under attempts. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/backend/fault.h"
#include "common/backend/memory.h"
#include "common/repo/names.h"
#include "common/base/banned.h"

static const uint8_t writer[WRITER_ID_LEN] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
static const uint8_t rid[RID_LEN] = { 0xff, 0x10 };

static const struct {
    struct name name;
    const char *text;
} known[] = {
    { { .kind = NAME_CHARTER, .seq = 1 }, "charter/00000001.00" },
    { { .kind = NAME_RETENTION, .seq = SEQ_MAX, .attempt = 255 }, "ret/7fffffff.ff" },
    { { .kind = NAME_RECORD, .seq = 16, .attempt = 10 }, "w/0123456789abcdef/log/00000010.0a" },
    { { .kind = NAME_SNAP, .session = 7 }, "w/0123456789abcdef/snap/00000007.00" },
    { { .kind = NAME_PACK, .session = 7, .idx = IDX_MAX, .attempt = 1 },
      "w/0123456789abcdef/pack/00000007-fffffe.01" },
    { { .kind = NAME_GRANT, .seq = 3 }, "grant/ff100000000000000000000000000000-00000003.00" },
};

START_TEST(names_both_ways)
{
    struct name n = known[_i].name;
    struct name back;
    char text[NAME_TEXT_MAX];
    char dir[NAME_TEXT_MAX];
    if (n.kind == NAME_RECORD || n.kind == NAME_SNAP || n.kind == NAME_PACK)
        memcpy(n.writer, writer, sizeof writer);
    if (n.kind == NAME_GRANT)
        memcpy(n.rid, rid, sizeof rid);
    ck_assert_str_eq(name_format(text, &n), known[_i].text);
    ck_assert_int_eq(backend_name_check(text, NULL), 0);
    name_dir(dir, &n);
    ck_assert_mem_eq(dir, text, strlen(dir));
    ck_assert_int_eq(text[strlen(dir)], '/');
    ck_assert(name_parse(n.kind, n.writer, text + strlen(dir) + 1, &back));
    ck_assert_int_eq(back.kind, n.kind);
    ck_assert_uint_eq(back.seq, n.seq);
    ck_assert_uint_eq(back.session, n.session);
    ck_assert_uint_eq(back.idx, n.idx);
    ck_assert_uint_eq(back.attempt, n.attempt);
    ck_assert_mem_eq(back.writer, n.writer, WRITER_ID_LEN);
    ck_assert_mem_eq(back.rid, n.rid, RID_LEN);
    ck_assert(name_limit(n.kind) > 0);
}
END_TEST

static const struct {
    enum name_kind kind;
    const char *entry;
} junk[] = {
    { NAME_CHARTER, "" },
    { NAME_CHARTER, "00000001" },
    { NAME_CHARTER, "00000001." },
    { NAME_CHARTER, "00000001.0" },
    { NAME_CHARTER, "00000001.000" },
    { NAME_CHARTER, "00000001.00 " },
    { NAME_CHARTER, "0000001.00" },
    { NAME_CHARTER, "000000001.00" },
    { NAME_CHARTER, "00000000.00" },
    { NAME_CHARTER, "80000000.00" },
    { NAME_CHARTER, "0000000A.00" },
    { NAME_CHARTER, "00000001.0A" },
    { NAME_CHARTER, "00000001-00" },
    { NAME_CHARTER, ".partial" },
    { NAME_RECORD, "00000001-000000.00" },
    { NAME_PACK, "00000001.00" },
    { NAME_PACK, "00000001-00000.00" },
    { NAME_PACK, "00000001-ffffff.00" },
    { NAME_PACK, "00000000-000000.00" },
    { NAME_PACK, "00000001-000000_00" },
    { NAME_SNAP, "ffffffff.00" },
    { NAME_GRANT, "00000001.00" },
    { NAME_GRANT, "ff10000000000000000000000000000-00000003.00" },
    { NAME_GRANT, "ff100000000000000000000000000000.00000003.00" },
    { NAME_GRANT, "ff100000000000000000000000000000-00000000.00" },
};

START_TEST(junk_is_refused)
{
    struct name n;
    ck_assert_msg(!name_parse(junk[_i].kind, writer, junk[_i].entry, &n), "%s", junk[_i].entry);
}
END_TEST

START_TEST(writer_directories)
{
    char text[NAME_TEXT_MAX];
    uint8_t id[WRITER_ID_LEN];
    ck_assert_str_eq(name_writer_dir(text, writer), "w/0123456789abcdef");
    ck_assert_str_eq(name_writer_sub(text, writer, "snap"), "w/0123456789abcdef/snap");
    ck_assert(name_parse_writer("0123456789abcdef", id));
    ck_assert_mem_eq(id, writer, sizeof id);
    ck_assert(!name_parse_writer("0123456789abcde", id));
    ck_assert(!name_parse_writer("0123456789abcdef0", id));
    ck_assert(!name_parse_writer("0123456789ABCDEF", id));
}
END_TEST

/* ---- publishing ---- */

/* In these tests an object is valid when it begins with '!' and ends with '.'. */
static bool valid(const uint8_t *data, size_t len, void *arg)
{
    (void)arg;
    return len > 1 && data[0] == '!' && data[len - 1] == '.';
}

static struct backend *storage(void)
{
    struct backend *b = backend_memory(NULL);
    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq(backend_make_dir(b, "ret", 0700, NULL), 0);
    ck_assert_int_eq(backend_make_dir(b, "w", 0700, NULL), 0);
    return b;
}

static int put(struct backend *b, struct name *n, const char *text, struct error *err)
{
    return publish_object(b, n, text, strlen(text), valid, NULL, err);
}

START_TEST(publish_walks_over_torn_attempts)
{
    struct backend *b = storage();
    struct name n = { .kind = NAME_RETENTION, .seq = 1 };
    ck_assert_int_eq(backend_put(b, "ret/00000001.00", "torn", 4, NULL), 0);
    ck_assert_int_eq(backend_put(b, "ret/00000001.01", "", 0, NULL), 0);
    ck_assert_int_eq(put(b, &n, "!own.", NULL), 0);
    ck_assert_uint_eq(n.attempt, 2);
    n.attempt = 0; /* once more: it is there */
    ck_assert_int_eq(put(b, &n, "!own.", NULL), 0);
    ck_assert_uint_eq(n.attempt, 2);
    backend_close(b);
}
END_TEST

START_TEST(publish_finds_a_fork)
{
    struct backend *b = storage();
    struct error err = ERROR_INIT;
    struct name n = { .kind = NAME_RETENTION, .seq = 1 };
    ck_assert_int_eq(backend_put(b, "ret/00000001.00", "torn", 4, NULL), 0);
    ck_assert_int_eq(backend_put(b, "ret/00000001.01", "!other.", 7, NULL), 0);
    ck_assert_int_eq(put(b, &n, "!own.", &err), E_CONFLICT);
    ck_assert_str_eq(err.name, ERR_LOG_FORK);
    ck_assert_ptr_nonnull(strstr(err.text, "ret/00000001.01"));
    ck_assert_int_eq(backend_stat(b, "ret/00000001.02", &(struct backend_stat){ 0 }, NULL), E_NOT_FOUND);
    backend_close(b);
}
END_TEST

START_TEST(publish_gives_up_after_all_attempts)
{
    struct backend *b = storage();
    struct error err = ERROR_INIT;
    char text[NAME_TEXT_MAX];
    for (unsigned k = 0; k < ATTEMPTS; k++)
        ck_assert_int_eq(backend_put(b, name_retention(text, 1, (uint8_t)k), "torn", 4, NULL), 0);
    struct name n = { .kind = NAME_RETENTION, .seq = 1 };
    ck_assert_int_eq(put(b, &n, "!own.", &err), E_CONFLICT);
    ck_assert_ptr_null(err.name);
    backend_close(b);
}
END_TEST

START_TEST(packs_take_the_next_attempt)
{
    struct backend *b = storage();
    struct name n = { .kind = NAME_PACK, .session = 1, .idx = 2 };
    char text[NAME_TEXT_MAX];
    memcpy(n.writer, writer, sizeof writer);
    ck_assert_int_eq(backend_make_dir(b, name_writer_dir(text, writer), 0700, NULL), 0);
    ck_assert_int_eq(backend_make_dir(b, name_writer_sub(text, writer, "pack"), 0700, NULL), 0);
    ck_assert_int_eq(publish_object(b, &n, "!pack.", 6, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(n.attempt, 0);
    ck_assert_int_eq(publish_object(b, &n, "!pack.", 6, NULL, NULL, NULL), 0);
    ck_assert_uint_eq(n.attempt, 1);
    backend_close(b);
}
END_TEST

/* Whatever single operation fails with a lost connection: in the end the object is there, whole. */
static void publish_under(enum fault_kind kind)
{
    bool fired = true;
    for (unsigned long at = 1; fired; at++) {
        struct backend *inner = storage();
        struct backend *plain = backend_clone(inner, NULL);
        struct fault_plan plan = { .kind = kind, .at = at, .code = E_RETRY };
        struct backend *b = backend_fault(inner, &plan, NULL);
        struct name n = { .kind = NAME_RETENTION, .seq = 1 };
        struct buf got = BUF_INIT;
        char text[NAME_TEXT_MAX];
        ck_assert_int_eq(put(b, &n, "!own.", NULL), 0);
        fired = plan.fired;
        ck_assert_int_eq(backend_read_all(plain, name_format(text, &n), 100, &got, NULL), 0);
        ck_assert_uint_eq(got.len, 5);
        ck_assert_mem_eq(got.data, "!own.", 5);
        buf_free(&got);
        backend_close(b);
        backend_close(plain);
        ck_assert_uint_lt(at, 20);
    }
}

START_TEST(publish_survives_lost_connections)
{
    publish_under(FAULT_FAIL);
    publish_under(FAULT_CUT);
    publish_under(FAULT_LOST_ACK);
}
END_TEST

START_TEST(publish_ends_when_the_storage_is_gone)
{
    struct error err = ERROR_INIT;
    struct fault_plan plan = { .kind = FAULT_DEAD, .at = 1, .code = E_RETRY };
    struct backend *b = backend_fault(storage(), &plan, NULL);
    struct name n = { .kind = NAME_RETENTION, .seq = 1 };
    ck_assert_int_eq(put(b, &n, "!own.", &err), E_RETRY);
    backend_close(b);
    plan = (struct fault_plan){ .kind = FAULT_DEAD, .at = 1, .code = E_NO_SPACE };
    b = backend_fault(storage(), &plan, NULL);
    ck_assert_int_eq(put(b, &n, "!own.", &err), E_NO_SPACE);
    backend_close(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/names");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, names_both_ways, 0, sizeof known / sizeof known[0]);
    tcase_add_loop_test(all, junk_is_refused, 0, sizeof junk / sizeof junk[0]);
    tcase_add_test(all, writer_directories);
    tcase_add_test(all, publish_walks_over_torn_attempts);
    tcase_add_test(all, publish_finds_a_fork);
    tcase_add_test(all, publish_gives_up_after_all_attempts);
    tcase_add_test(all, packs_take_the_next_attempt);
    tcase_add_test(all, publish_survives_lost_connections);
    tcase_add_test(all, publish_ends_when_the_storage_is_gone);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
