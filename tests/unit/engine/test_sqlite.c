/* The engine sqlite, copying: order and bytes of the stream, writers, locks, failures. */
#include "tests/unit/engine/sqlite_help.h"

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/engine/sqlite/sink.h"

#include "common/base/banned.h"

static const int page_sizes[] = { 512, 1024, 4096, 16384, 65536 };

START_TEST(quiet_file_is_copied_byte_for_byte)
{
    for (int mode = 0; mode < 2; mode++)
        for (int rows = 100; rows <= 30000; rows *= 300) {
            struct error err = ERROR_INIT;
            struct buf copy = BUF_INIT;
            (void)sqlite3_close(fill_db(mode == 0 ? "DELETE" : "WAL", page_sizes[_i], rows));
            int rc = backup_path(db_path, &copy, &err);
            ck_assert_msg(rc == 0, "%s", err.text);
            struct buf file = slurp(db_path);
            assert_same(&copy, &file);
            ck_assert_int_eq(copy.data[18], mode == 0 ? 1 : 2);
            assert_sound(&copy);
            buf_free(&copy);
            buf_free(&file);
            remove_dir();
            make_dir();
        }
}
END_TEST

START_TEST(content_of_the_log_is_in_the_copy)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    sqlite3 *db = fill_db("WAL", page_sizes[_i], 2000);
    sql(db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA user_version=8; CREATE TABLE late(x);"
            "DELETE FROM t WHERE a%3=0");
    int rc = backup_path(db_path, &copy, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    sql(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    struct buf file = slurp(db_path);
    assert_same(&copy, &file);
    (void)sqlite3_close(db);
    buf_free(&copy);
    buf_free(&file);
}
END_TEST

START_TEST(commits_after_open_are_not_in_the_copy)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    struct engine_option o[] = { { "path", db_path } };
    struct engine_job job = job_of(o, 1);
    struct engine_stream s;
    sqlite3 *db = fill_db("WAL", 4096, 30000);
    sql(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    struct buf file = slurp(db_path);
    sql(db, "PRAGMA wal_autocheckpoint=10");
    struct engine_run *run = sqlite_engine()->open(&job, &err);
    ck_assert_msg(run != NULL, "%s", err.text);
    sql(db,
        "UPDATE account SET n=n+1; CREATE TABLE more(x); DELETE FROM t WHERE a%2; PRAGMA user_version=99");
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
    ck_assert_int_eq(read_all(run, 4096, &copy, &err), 0);
    ck_assert_int_eq(sqlite_engine()->finish(run, &err), 0);
    sqlite_engine()->close(run);
    assert_same(&copy, &file);
    (void)sqlite3_close(db);
    buf_free(&copy);
    buf_free(&file);
}
END_TEST

/* Moves money until it is killed. */
static pid_t start_writer(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid != 0)
        return pid;
    sqlite3 *db = open_db(db_path);
    (void)sqlite3_exec(db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
    for (unsigned i = 0;; i++) {
        char text[300];
        (void)snprintf(
            text, sizeof text,
            "BEGIN IMMEDIATE; UPDATE account SET n=n-1 WHERE id=%u; UPDATE t SET b=hex(randomblob(60)) "
            "WHERE a=%u; UPDATE account SET n=n+1 WHERE id=%u; INSERT INTO t(b) VALUES(%u); COMMIT",
            i % 100 + 1, i * 7919 % 20000, (i * 31 + 7) % 100 + 1, i);
        if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
            (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        (void)usleep(200);
    }
}

START_TEST(a_busy_writer_does_not_tear_the_copy)
{
    struct error err = ERROR_INIT;
    (void)sqlite3_close(fill_db(_i == 0 ? "WAL" : "DELETE", 4096, 20000));
    pid_t writer = start_writer();
    for (int round = 0; round < 10; round++) {
        struct buf copy = BUF_INIT;
        struct engine_option o[] = { { "path", db_path }, { "busy_timeout", "20s" } };
        struct engine_job job = job_of(o, 2);
        (void)usleep(30000);
        int rc = backup(&job, &copy, NULL, &err);
        ck_assert_msg(rc == 0, "%s", err.text);
        assert_sound(&copy);
        buf_free(&copy);
    }
    (void)kill(writer, SIGKILL);
    (void)waitpid(writer, NULL, 0);
}
END_TEST

START_TEST(the_lock_page_is_given_out_as_zeros)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0x40000U);
    (void)sqlite3_close(fill_db("WAL", 4096, 20000));
    int rc = backup_path(db_path, &copy, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    struct buf file = slurp(db_path);
    ck_assert_uint_gt(file.len, 0x50000);
    assert_same(&copy, &file);
    buf_free(&copy);
    buf_free(&file);
}
END_TEST

START_TEST(the_stream_and_its_facts)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    struct buf facts = BUF_INIT;
    struct engine_option o[] = { { "path", db_path }, { "name", "orders" } };
    struct engine_job job = job_of(o, 2);
    struct engine_stream s;
    (void)sqlite3_close(fill_db("WAL", 4096, 100));
    ck_assert_int_eq(chmod(db_path, 0640), 0);
    struct engine_run *run = sqlite_engine()->open(&job, &err);
    ck_assert_msg(run != NULL, "%s", err.text);
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
    ck_assert_str_eq(s.name, "orders");
    ck_assert_int_eq(s.mode, CHUNK_PAGES);
    ck_assert_uint_eq(s.page_size, 4096);
    ck_assert_uint_eq(s.mode_bits, 0640);
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), E_INTERNAL);
    ck_assert_int_eq(sqlite_engine()->finish(run, &err), E_INTERNAL);
    ck_assert_int_eq(read_all(run, 7, &copy, &err), 0);
    ck_assert_uint_eq(copy.len, s.size_hint);
    sqlite_engine()->close(run);
    buf_clear(&copy);
    ck_assert_int_eq(backup(&job, &copy, &facts, &err), 0);
    ck_assert_int_eq(buf_append(&facts, "", 1, &err), 0);
    const char *text = (const char *)facts.data;
    ck_assert_ptr_nonnull(strstr(text, "page_size=4096\npages="));
    ck_assert_ptr_nonnull(
        strstr(text, "\nencoding=UTF-8\nuser_version=7\napplication_id=0\njournal_mode=wal\ntables=2\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nsource=sqlite\nsqlite_version=3."));
    ck_assert_ptr_nonnull(strstr(text, "/shop.db\n"));
    buf_free(&copy);
    buf_free(&facts);
}
END_TEST

START_TEST(a_run_may_be_closed_at_any_time)
{
    struct error err = ERROR_INIT;
    struct engine_option o[] = { { "path", db_path } };
    struct engine_job job = job_of(o, 1);
    struct engine_stream s;
    uint8_t block[1000];
    (void)sqlite3_close(fill_db("DELETE", 4096, 20000));
    for (int stop = 0; stop < 4; stop++) {
        struct engine_run *run = sqlite_engine()->open(&job, &err);
        ck_assert_ptr_nonnull(run);
        if (stop > 0)
            ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
        for (int i = 1; i < stop * stop * 200; i++)
            ck_assert_int_gt(sqlite_engine()->read(run, block, sizeof block, &err), 0);
        sqlite_engine()->close(run);
    }
    sqlite_engine()->close(NULL);
    sqlite3 *db = open_db(db_path);
    sql(db, "UPDATE account SET n=n"); /* no lock is left */
    (void)sqlite3_close(db);
}
END_TEST

static void assert_fails(const char *path, int code, const char *text)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    ck_assert_int_eq(backup_path(path, &copy, &err), code);
    ck_assert_msg(strstr(err.text, text) != NULL, "\"%s\" is not in \"%s\"", text, err.text);
    buf_free(&copy);
}

START_TEST(what_cannot_be_copied_is_named)
{
    assert_fails(db_path, E_NOT_FOUND, "no such file");
    assert_fails(dir, E_USAGE, "not a regular file");
    spit(db_path, "", 0);
    assert_fails(db_path, E_CORRUPT, "empty (0 bytes)");
    char noise[8192];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)(i * 131 >> 3);
    spit(db_path, noise, sizeof noise);
    assert_fails(db_path, E_CORRUPT, "encrypted");
    spit(db_path, "SQLite format 3", 16);
    assert_fails(db_path, E_CORRUPT, "not a database");
    assert_fails("file:shop.db\\?mode=memory", E_NOT_FOUND, "no such file");
    assert_fails(":memory:", E_NOT_FOUND, "no such file");
}
END_TEST

START_TEST(a_locked_database_is_busy)
{
    sqlite3 *db = fill_db("DELETE", 4096, 100);
    sql(db, "BEGIN EXCLUSIVE");
    assert_fails(db_path, E_BUSY, "busy_timeout");
    sql(db, "COMMIT");
    (void)sqlite3_close(db);
}
END_TEST

START_TEST(a_truncated_database_fails)
{
    (void)sqlite3_close(fill_db("DELETE", 4096, 20000));
    ck_assert_int_eq(truncate(db_path, 4096 * 5), 0);
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    int rc = backup_path(db_path, &copy, &err);
    ck_assert_msg(rc == E_CORRUPT, "%d %s", rc, err.text);
    buf_free(&copy);
}
END_TEST

START_TEST(rights_are_explained)
{
    if (geteuid() != 0)
        return;
    (void)sqlite3_close(fill_db("WAL", 4096, 100));
    ck_assert_int_eq(chmod(db_path, 0600), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    assert_fails(db_path, E_DENIED, "no permission to read");
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(db_path, 0644), 0);
    ck_assert_int_eq(chmod(dir, 0777), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    assert_fails(db_path, E_DENIED, "run backupd as root");
    ck_assert_int_eq(count_files(), 1);
    ck_assert_int_eq(seteuid(0), 0);
    /* With the application running, its -shm exists and reading it is enough. */
    sqlite3 *db = open_db(db_path);
    sql(db, "UPDATE account SET n=n");
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_int_eq(seteuid(65534), 0);
    int rc = backup_path(db_path, &copy, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_int_eq(seteuid(0), 0);
    assert_sound(&copy);
    buf_free(&copy);
    (void)sqlite3_close(db);
}
END_TEST

START_TEST(a_replaced_file_is_noticed)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    struct engine_option o[] = { { "path", db_path }, { "spool", "none" } };
    struct engine_job job = job_of(o, 2);
    struct engine_stream s;
    (void)sqlite3_close(fill_db("DELETE", 4096, 20000));
    struct buf other = slurp(db_path);
    char path[200];
    (void)snprintf(path, sizeof path, "%s/new", dir);
    spit(path, other.data, other.len);
    struct engine_run *run = sqlite_engine()->open(&job, &err);
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
    ck_assert_int_eq(rename(path, db_path), 0);
    int rc = read_all(run, 65536, &copy, &err);
    if (rc == 0)
        rc = sqlite_engine()->finish(run, &err);
    ck_assert_msg(rc == E_RETRY, "%d %s", rc, err.text);
    ck_assert_ptr_nonnull(strstr(err.text, "replaced"));
    sqlite_engine()->close(run);
    buf_free(&copy);
    buf_free(&other);
}
END_TEST

START_TEST(a_wrong_page_1_is_refused)
{
    struct error err = ERROR_INIT;
    sqlite3 *db = fill_db("DELETE", 4096, 1000);
    struct buf file = slurp(db_path);
    static const struct {
        size_t at;
        int code;
    } cases[] = { { 24, 0 },          { 40, 0 },          { 92, 0 },           { 99, 0 },
                  { 19, E_INTERNAL }, { 60, E_INTERNAL }, { 4095, E_INTERNAL } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t page[4096];
        memcpy(page, file.data, sizeof page);
        page[cases[i].at] ^= 0x10;
        struct page_sink *s = page_sink_new(page, 4096, (uint32_t)(file.len / 4096), &err);
        ck_assert_ptr_nonnull(s);
        sqlite3_backup *b = sqlite3_backup_init(page_sink_db(s), "main", db, "main");
        ck_assert_int_eq(sqlite3_backup_step(b, -1), SQLITE_DONE);
        ck_assert_int_eq(sqlite3_backup_finish(b), SQLITE_OK);
        ck_assert_int_eq(page_sink_end(s, &err), cases[i].code);
        page_sink_free(s);
    }
    struct page_sink *s = page_sink_new(file.data, 4096, (uint32_t)(file.len / 4096) + 1, &err);
    ck_assert_int_eq(page_sink_end(s, &err), E_INTERNAL);
    page_sink_free(s);
    (void)sqlite3_close(db);
    buf_free(&file);
}
END_TEST

static char logged[1024];

static void keep_log(enum log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level == LOG_WARN)
        (void)snprintf(logged, sizeof logged, "%s", text);
}

START_TEST(blocked_writers_are_logged)
{
    struct error err = ERROR_INIT;
    struct engine_option o[] = { { "path", db_path }, { "max_block", "0s" }, { "spool", "none" } };
    struct engine_job job = job_of(o, 3);
    struct engine_stream s;
    struct buf copy = BUF_INIT;
    log_to(keep_log, NULL);
    for (int wal = 0; wal < 2; wal++) {
        (void)sqlite3_close(fill_db(wal ? "WAL" : "DELETE", 4096, 100));
        logged[0] = '\0';
        struct engine_run *run = sqlite_engine()->open(&job, &err);
        ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
        (void)usleep(5000);
        ck_assert_int_eq(read_all(run, 65536, &copy, &err), 0);
        ck_assert_int_eq(strstr(logged, "journal_mode=WAL") != NULL, !wal);
        sqlite_engine()->close(run);
        remove_dir();
        make_dir();
    }
    log_to(NULL, NULL);
    buf_free(&copy);
}
END_TEST

START_TEST(options_are_checked)
{
    static const struct engine_option bad[][2] = {
        { { "path", "" }, { "name", "x" } },
        { { "path", "/tmp/x" }, { "busy_timeout", "soon" } },
        { { "path", "/tmp/x" }, { "busy_timeout", "2h" } },
        { { "path", "/tmp/x" }, { "max_block", "x" } },
        { { "path", "/tmp/x" }, { "name", "a/b" } },
        { { "path", "/tmp/x" }, { "name", ".." } },
        { { "path", "/tmp/" }, { "max_block", "1s" } },
        { { "path", "/tmp/x" }, { "name", "\xff" } },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = ERROR_INIT;
        struct engine_job job = job_of(bad[i], 2);
        ck_assert_ptr_null(sqlite_engine()->open(&job, &err));
        ck_assert_int_eq(err.code, E_USAGE);
        ck_assert_ptr_nonnull(strstr(err.text, "job night"));
    }
}
END_TEST

static void count_finding(bool fatal, const char *what, const char *cure, void *arg)
{
    int *n = arg;
    ck_assert_uint_gt(strlen(what), 0);
    ck_assert_uint_gt(strlen(cure), 0);
    n[fatal]++;
}

START_TEST(probe_reports_findings)
{
    struct error err = ERROR_INIT;
    int n[2] = { 0, 0 };
    struct engine_option o[] = { { "path", db_path }, { "max_block", "0s" }, { "busy_timeout", "0s" } };
    struct engine_job job = job_of(o, 3);
    ck_assert_int_eq(sqlite_engine()->probe(&job, count_finding, n, &err), 0);
    ck_assert_int_eq(n[1], 1);
    sqlite3 *db = fill_db("DELETE", 4096, 20000);
    ck_assert_int_eq(sqlite_engine()->probe(&job, count_finding, n, &err), 0);
    ck_assert_int_eq(n[0], 1);
    ck_assert_int_eq(n[1], 1);
    sql(db, "BEGIN EXCLUSIVE");
    job.preflight = true;
    ck_assert_int_eq(sqlite_engine()->probe(&job, count_finding, n, &err), 0);
    ck_assert_int_eq(n[1], 2);
    job.preflight = false; /* at night it is no fault, and passes */
    ck_assert_int_eq(sqlite_engine()->probe(&job, count_finding, n, &err), E_BUSY);
    ck_assert_int_eq(n[1], 2);
    error_clear(&err);
    sql(db, "COMMIT; PRAGMA journal_mode=WAL");
    ck_assert_int_eq(sqlite_engine()->probe(&job, count_finding, n, &err), 0);
    ck_assert_int_eq(n[0] + n[1], 3);
    (void)sqlite3_close(db);
    job.noptions = 0;
    ck_assert_int_eq(sqlite_engine()->probe(&job, count_finding, n, &err), E_USAGE);
}
END_TEST

struct told {
    bool fatal;
    char what[1024];
    char cure[1024];
    int n;
};

static void keep_finding(bool fatal, const char *what, const char *cure, void *arg)
{
    struct told *t = arg;
    t->fatal = fatal;
    t->n++;
    (void)snprintf(t->what, sizeof t->what, "%s", what);
    (void)snprintf(t->cure, sizeof t->cure, "%s", cure);
}

static struct told probe(const char *path, bool preflight)
{
    struct told t = { .n = 0 };
    struct error err = ERROR_INIT;
    struct engine_option o[] = { { "path", path }, { "busy_timeout", "0s" } };
    struct engine_job job = job_of(o, 2);
    job.preflight = preflight;
    ck_assert_int_eq(sqlite_engine()->probe(&job, keep_finding, &t, &err), 0);
    return t;
}

static void expect_told(const char *path, const char *what, const char *cure)
{
    struct told t = probe(path, true);
    ck_assert_int_eq(t.n, 1);
    ck_assert_msg(strstr(t.what, what) != NULL && strstr(t.cure, cure) != NULL, "%s (%s)", t.what, t.cure);
    ck_assert_ptr_null(strstr(t.what + strlen(path), "; "));
}

/* A writer that dies in its transaction leaves a journal that somebody has to play back. */
static void leave_hot_journal(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sqlite3 *db = open_db(db_path);
        sql(db, "PRAGMA cache_size=2; PRAGMA cache_spill=1; BEGIN; UPDATE t SET b='changed'");
        _exit(0);
    }
    (void)waitpid(pid, NULL, 0);
}

START_TEST(findings_and_their_cures)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/a; b; c", dir);
    expect_told(path, "there is no such file", "correct the job's `path`");
    expect_told(dir, "is not a regular file", "correct the job's `path`");
    spit(db_path, "", 0);
    expect_told(db_path, "is empty (0 bytes)", "start it, or correct");
    spit(db_path,
         "no database, but long enough to be taken for its header, if somebody does not look at it well", 92);
    expect_told(db_path, "may be encrypted", "engine `command`");
    (void)unlink(db_path);
    sqlite3 *db = fill_db("DELETE", 4096, 20000);
    expect_told(db_path, "uses a rollback journal: writers wait", "journal_mode=WAL");
    ck_assert(!probe(db_path, true).fatal);
    ck_assert_int_eq(probe(db_path, false).n, 0); /* shorter than max_block: no news for every night */
    sql(db, "BEGIN EXCLUSIVE");
    expect_told(db_path, "another process keeps it locked", "fuser FILE");
    sql(db, "COMMIT");
    (void)sqlite3_close(db);
    leave_hot_journal();
    expect_told(db_path, "an interrupted transaction must be rolled back", "start the application once");
    ck_assert(probe(db_path, true).fatal);
    db = open_db(db_path);
    sql(db, "PRAGMA journal_mode=WAL");
    (void)sqlite3_close(db);
    ck_assert_int_eq(probe(db_path, true).n, 0);
    ck_assert_int_eq(truncate(db_path, 4096 * 10), 0);
    expect_told(db_path, "malformed", "integrity_check");
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    (void)sqlite3_close(fill_db("WAL", 4096, 100));
    for (unsigned long n = 1;; n++) {
        struct error err = ERROR_INIT;
        struct buf copy = BUF_INIT;
        ck_assert_int_eq(buf_reserve(&copy, 1 << 20, &err), 0);
        mem_fail_after(n);
        int rc = backup_path(db_path, &copy, &err);
        mem_fail_after(0);
        buf_free(&copy);
        if (rc == 0)
            break;
        ck_assert_msg(rc == E_NOMEM, "%lu: %s", n, err.text);
        ck_assert_uint_lt(n, 100);
    }
}
END_TEST

START_TEST(engines_are_found_by_name)
{
    struct error err = ERROR_INIT;
    ck_assert_str_eq(engine_find("sqlite", &err)->name, "sqlite");
    ck_assert_ptr_null(engine_find("oracle", &err));
    ck_assert_int_eq(err.code, E_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "known: sqlite"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite");
    TCase *t = tcase_create("copy");
    int sizes = (int)(sizeof page_sizes / sizeof page_sizes[0]);
    tcase_add_checked_fixture(t, make_dir, remove_dir);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, quiet_file_is_copied_byte_for_byte, 0, sizes);
    tcase_add_loop_test(t, content_of_the_log_is_in_the_copy, 0, sizes);
    tcase_add_test(t, commits_after_open_are_not_in_the_copy);
    tcase_add_loop_test(t, a_busy_writer_does_not_tear_the_copy, 0, 2);
    tcase_add_test(t, the_lock_page_is_given_out_as_zeros);
    tcase_add_test(t, the_stream_and_its_facts);
    tcase_add_test(t, a_run_may_be_closed_at_any_time);
    tcase_add_test(t, what_cannot_be_copied_is_named);
    tcase_add_test(t, a_locked_database_is_busy);
    tcase_add_test(t, a_truncated_database_fails);
    tcase_add_test(t, rights_are_explained);
    tcase_add_test(t, a_replaced_file_is_noticed);
    tcase_add_test(t, a_wrong_page_1_is_refused);
    tcase_add_test(t, blocked_writers_are_logged);
    tcase_add_test(t, options_are_checked);
    tcase_add_test(t, probe_reports_findings);
    tcase_add_test(t, findings_and_their_cures);
    tcase_add_test(t, running_out_of_memory_is_an_error);
    tcase_add_test(t, engines_are_found_by_name);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
