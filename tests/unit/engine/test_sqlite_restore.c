/* The engine sqlite, restoring: what is refused, what is checked, what is left behind. */
#include "tests/unit/engine/sqlite_help.h"

#include "common/base/log.h"
#include "common/engine/sqlite/sqlite.h"

#include "common/base/banned.h"

/* A snapshot of `count` equal streams that live in memory. */
struct fake {
    struct buf data;
    uint64_t len;
    int count;
};

static int fake_each(void *arg, int (*fn)(const char *, uint64_t, const char *, void *, struct error *),
                     void *fn_arg, struct error *err)
{
    struct fake *f = arg;
    int rc = 0;
    for (int i = 0; rc == 0 && i < f->count; i++)
        rc = fn("shop.db", f->len, "pages=1\n", fn_arg, err);
    return rc;
}

static struct source *fake_open(void *arg, const char *name, struct error *err)
{
    struct fake *f = arg;
    ck_assert_str_eq(name, "shop.db");
    return source_memory(f->data.data, f->data.len, err);
}

static uint64_t progressed;

static void note_progress(uint64_t bytes, void *arg)
{
    (void)arg;
    progressed = bytes;
}

static int restore(struct fake *f, const char *path, const struct engine_job *source, struct error *err)
{
    struct engine_streams s = { .each = fake_each, .open = fake_open, .arg = f };
    struct engine_target t = { .to = path, .source = source, .progress = note_progress };
    return engine_sqlite.restore(&s, &t, err);
}

static struct fake snapshot;
static char out_path[200];

static void set_up(void)
{
    make_dir();
    struct error err = ERROR_INIT;
    (void)sqlite3_close(fill_db("WAL", 4096, 20000));
    buf_init(&snapshot.data);
    int rc = backup_path(db_path, &snapshot.data, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    snapshot.len = snapshot.data.len;
    snapshot.count = 1;
    (void)snprintf(out_path, sizeof out_path, "%s/out.db", dir);
    remove_dir();
    ck_assert_int_eq(mkdir(dir, 0755), 0);
}

static void tear_down(void)
{
    buf_free(&snapshot.data);
    remove_dir();
}

START_TEST(the_file_is_restored_byte_for_byte)
{
    static const char *const names[] = { "out.db", "a?b#c%20&d.db", ":memory:", "\xc3\xa4 \xff.db", "-x" };
    ck_assert_int_eq(chdir(dir), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct error err = ERROR_INIT;
        struct stat st;
        int rc = restore(&snapshot, names[i], NULL, &err);
        ck_assert_msg(rc == 0, "%s", err.text);
        struct buf file = slurp(names[i]);
        assert_same(&file, &snapshot.data);
        buf_free(&file);
        ck_assert_uint_eq(progressed, snapshot.len);
        ck_assert_int_eq(stat(names[i], &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, 0600);
        ck_assert_int_eq(count_files(), (int)i + 1);
    }
    sqlite3 *db = open_db("out.db");
    sql(db, "UPDATE account SET n=n");
    (void)sqlite3_close(db);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(an_existing_target_is_refused)
{
    struct error err = ERROR_INIT;
    spit(out_path, "mine", 4);
    ck_assert_int_eq(restore(&snapshot, out_path, NULL, &err), E_EXISTS);
    ck_assert_ptr_nonnull(strstr(err.text, "another path"));
    struct buf b = slurp(out_path);
    ck_assert_uint_eq(b.len, 4);
    buf_free(&b);
    ck_assert_int_eq(unlink(out_path), 0);
    ck_assert_int_eq(symlink("nowhere", out_path), 0);
    ck_assert_int_eq(restore(&snapshot, out_path, NULL, &err), E_EXISTS);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(the_live_database_is_refused)
{
    struct error err = ERROR_INIT;
    char other[300];
    struct engine_option o[] = { { "path", out_path } };
    struct engine_job job = job_of(o, 1);
    /* Even when it is lost: an application may be about to make it again. */
    ck_assert_int_eq(restore(&snapshot, out_path, &job, &err), E_EXISTS);
    ck_assert_ptr_nonnull(strstr(err.text, "live database"));
    (void)snprintf(other, sizeof other, "%s/../%s/./out.db", dir, strrchr(dir, '/') + 1);
    ck_assert_int_eq(restore(&snapshot, other, &job, &err), E_EXISTS);
    ck_assert_ptr_nonnull(strstr(err.text, "live database"));
    (void)snprintf(other, sizeof other, "%s/link.db", dir);
    spit(out_path, "x", 1);
    ck_assert_int_eq(link(out_path, other), 0);
    ck_assert_int_eq(restore(&snapshot, other, &job, &err), E_EXISTS);
    ck_assert_ptr_nonnull(strstr(err.text, "live database"));
    (void)snprintf(other, sizeof other, "%s/new.db", dir);
    ck_assert_int_eq(restore(&snapshot, other, &job, &err), 0);
}
END_TEST

START_TEST(paths_that_cannot_be_a_file)
{
    static const char *const bad[] = { "", ".", "..", "/", "/tmp/", "/tmp/.", "/tmp/.." };
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(restore(&snapshot, bad[i], NULL, &err), E_USAGE);
    char path[300];
    (void)snprintf(path, sizeof path, "%s/none/x.db", dir);
    ck_assert_int_eq(restore(&snapshot, path, NULL, &err), E_NOT_FOUND);
    spit(out_path, "x", 1);
    (void)snprintf(path, sizeof path, "%s/x.db", out_path);
    ck_assert_int_lt(restore(&snapshot, path, NULL, &err), 0);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(what_lies_next_to_the_name_does_not_poison_it)
{
    struct error err = ERROR_INIT;
    char path[300];
    (void)snprintf(path, sizeof path, "%s-wal", out_path);
    spit(path, "last words of the lost one", 26);
    (void)snprintf(path, sizeof path, "%s-shm", out_path);
    spit(path, "shm", 3);
    (void)snprintf(path, sizeof path, "%s-journal", out_path);
    spit(path, "", 0);
    int rc = restore(&snapshot, out_path, NULL, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_int_eq(count_files(), 2);
    (void)snprintf(path, sizeof path, "%s-wal.stale-%ld", out_path, (long)getpid());
    struct buf b = slurp(path);
    ck_assert_uint_eq(b.len, 26);
    buf_free(&b);
    b = slurp(out_path);
    assert_same(&b, &snapshot.data);
    buf_free(&b);
}
END_TEST

START_TEST(a_bad_stream_leaves_nothing)
{
    struct error err = ERROR_INIT;
    snapshot.len++;
    ck_assert_int_eq(restore(&snapshot, out_path, NULL, &err), E_CORRUPT);
    snapshot.len--;
    snapshot.count = 0;
    ck_assert_int_eq(restore(&snapshot, out_path, NULL, &err), E_UNSUPPORTED);
    snapshot.count = 2; /* with one name: the second has no place */
    ck_assert_int_eq(restore(&snapshot, out_path, NULL, &err), E_EXISTS);
    snapshot.count = 1;
    snapshot.data.len = snapshot.len = 4096 * 3;
    ck_assert_int_eq(restore(&snapshot, out_path, NULL, &err), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "quick_check"));
    memset(snapshot.data.data, 'x', 4096 * 3);
    ck_assert_int_eq(restore(&snapshot, out_path, NULL, &err), E_CORRUPT);
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(missing_rights_leave_nothing)
{
    struct error err = ERROR_INIT;
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(restore(&snapshot, out_path, NULL, &err), E_DENIED);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite_restore");
    TCase *t = tcase_create("restore");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, the_file_is_restored_byte_for_byte);
    tcase_add_test(t, an_existing_target_is_refused);
    tcase_add_test(t, the_live_database_is_refused);
    tcase_add_test(t, paths_that_cannot_be_a_file);
    tcase_add_test(t, what_lies_next_to_the_name_does_not_poison_it);
    tcase_add_test(t, a_bad_stream_leaves_nothing);
    tcase_add_test(t, missing_rights_leave_nothing);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
