/* The engine sqlite and the application: how long writers wait, how far the log grows, and what a check finds. */
#include "tests/unit/engine/sqlite_help.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

static char logged[4096];

static void keep_log(enum log_level level, const char *text, void *arg)
{
    (void)arg;
    if (level == LOG_WARN)
        (void)snprintf(logged, sizeof logged, "%s", text);
}

static void set_up(void)
{
    make_dir();
    logged[0] = '\0';
    log_to(keep_log, NULL);
}

static void tear_down(void)
{
    log_to(NULL, NULL);
    remove_dir();
}

static int run_with(const char *key, const char *value, struct buf *facts, struct error *err)
{
    struct buf copy = BUF_INIT;
    struct engine_option o[] = { { "path", db_path }, { key, value } };
    struct engine_job job = job_of(o, 2);
    int rc = backup(&job, &copy, facts, err);
    if (rc == 0 && facts != NULL)
        ck_assert_int_eq(buf_append(facts, "", 1, err), 0);
    buf_free(&copy);
    return rc;
}

static struct engine_run *begin(const char *key, const char *value)
{
    static struct engine_option o[2];
    struct error err = ERROR_INIT;
    struct engine_stream s;
    o[0] = (struct engine_option){ "path", db_path };
    o[1] = (struct engine_option){ key, value };
    struct engine_job job = job_of(o, 2);
    struct engine_run *run = sqlite_engine()->open(&job, &err);
    ck_assert_msg(run != NULL, "%s", err.text);
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
    return run;
}

/* Whether a writer that does not wait can commit now. */
static bool can_write(void)
{
    sqlite3 *db = open_db(db_path);
    (void)sqlite3_busy_timeout(db, 0);
    int sq = sqlite3_exec(db, "UPDATE account SET n=n", NULL, NULL, NULL);
    (void)sqlite3_close(db);
    ck_assert(sq == SQLITE_OK || sq == SQLITE_BUSY);
    return sq == SQLITE_OK;
}

/* However slow the storage is: the lock is gone before the first byte is taken. */
START_TEST(writers_do_not_wait_for_the_storage)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    (void)sqlite3_close(fill_db("DELETE", 4096, 20000));
    struct engine_run *run = begin("spool", "/var/tmp");
    ck_assert(can_write());
    ck_assert_int_eq(read_all(run, 50000, &copy, &err), 0);
    sqlite_engine()->close(run);
    assert_sound(&copy);
    run = begin("spool", "none");
    ck_assert(!can_write());
    sqlite_engine()->close(run);
    ck_assert(can_write());
    buf_free(&copy);
}
END_TEST

/* More than what is kept in memory: a file without a name, with the same bytes. */
START_TEST(a_large_copy_lies_beside)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    sqlite3 *db = fill_db("DELETE", 4096, 100);
    sql(db, "CREATE TABLE big(b); INSERT INTO big VALUES(zeroblob(70000000))");
    (void)sqlite3_close(db);
    struct engine_run *run = begin("spool", dir);
    ck_assert_int_eq(count_files(), 1);
    ck_assert(can_write());
    ck_assert_int_eq(read_all(run, 1 << 20, &copy, &err), 0);
    sqlite_engine()->close(run);
    assert_sound(&copy);
    ck_assert_str_eq(logged, "");
    run = begin("spool", "/proc");
    ck_assert(!can_write());
    ck_assert_ptr_nonnull(strstr(logged, "writers have to wait"));
    sqlite_engine()->close(run);
    buf_free(&copy);
}
END_TEST

START_TEST(a_run_gives_up_before_writers_wait_too_long)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    (void)sqlite3_close(fill_db("DELETE", 4096, 20000));
    struct engine_option o[] = {
        { "path", db_path }, { "spool", "none" }, { "max_block", "0s" }, { "on_block", "fail" }
    };
    struct engine_job job = job_of(o, 4);
    struct engine_stream s;
    struct engine_run *run = sqlite_engine()->open(&job, &err);
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
    (void)usleep(5000);
    ck_assert_int_eq(read_all(run, 50000, &copy, &err), E_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "max_block"));
    sqlite_engine()->close(run);
    ck_assert(can_write());
    buf_free(&copy);
}
END_TEST

START_TEST(the_log_has_a_limit)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    sqlite3 *db = fill_db("WAL", 4096, 20000);
    sql(db, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=10");
    struct engine_run *run = begin("max_wal", "1MiB");
    uint8_t byte;
    ck_assert_int_eq(sqlite_engine()->read(run, &byte, 1, &err), 1);
    sql(db, "UPDATE t SET b=b||'x'");
    ck_assert_int_eq(read_all(run, 50000, &copy, &err), E_BUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "max_wal"));
    sqlite_engine()->close(run);
    sql(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    ck_assert_int_eq(run_with("max_wal", "1MiB", NULL, &err), 0);
    (void)sqlite3_close(db);
    buf_free(&copy);
}
END_TEST

/* A byte of a page in the middle; both ways of copying. */
START_TEST(a_damaged_database_is_not_published)
{
    static const char *const modes[] = { "WAL", "DELETE" };
    struct error err = ERROR_INIT;
    struct buf facts = BUF_INIT;
    (void)sqlite3_close(fill_db(modes[_i], 4096, 20000));
    struct buf file = slurp(db_path);
    memset(file.data + 4096 * 100, 0x5a, 2048);
    spit(db_path, file.data, file.len);
    ck_assert_int_eq(run_with("check", "quick", NULL, &err), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "is damaged ("));
    ck_assert_ptr_nonnull(strstr(err.text, "check: none"));
    ck_assert_int_eq(run_with("check", "full", NULL, &err), E_CORRUPT);
    int rc = run_with("check", "none", &facts, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_ptr_nonnull(strstr((const char *)facts.data, "\nquick_check=none\n"));
    buf_free(&file);
    buf_free(&facts);
}
END_TEST

/* An index that lost an entry: only the full check compares it with its table. */
START_TEST(a_full_check_sees_more)
{
    struct error err = ERROR_INIT;
    struct buf facts = BUF_INIT;
    sqlite3 *db = fill_db("WAL", 4096, 1000);
    sql(db, "PRAGMA writable_schema=ON; "
            "UPDATE sqlite_schema SET sql='CREATE INDEX tb ON t(b DESC)' WHERE name='tb'");
    (void)sqlite3_close(db);
    ck_assert_int_eq(run_with("check", "quick", &facts, &err), 0);
    ck_assert_ptr_nonnull(strstr((const char *)facts.data, "\nquick_check=ok\n"));
    ck_assert_int_eq(run_with("check", "full", NULL, &err), E_CORRUPT);
    buf_free(&facts);
}
END_TEST

static void always(sqlite3_context *ctx, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    sqlite3_result_int(ctx, 1);
}

/* CHECK and indexes may call functions that only the application has. */
START_TEST(what_only_the_application_can_check_is_stored)
{
    struct error err = ERROR_INIT;
    struct buf facts = BUF_INIT;
    sqlite3 *db = fill_db(_i == 0 ? "WAL" : "DELETE", 4096, 100);
    ck_assert_int_eq(
        sqlite3_create_function(db, "mine", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, always, NULL, NULL),
        SQLITE_OK);
    sql(db, "CREATE TABLE c(a CHECK(mine(a))); INSERT INTO c VALUES(1)");
    ck_assert_int_eq(run_with("check", "quick", &facts, &err), 0);
    ck_assert_ptr_nonnull(strstr((const char *)facts.data, "\nquick_check=ok\n"));
    ck_assert_str_eq(logged, "");
    buf_free(&facts);
    sql(db, "CREATE TABLE g(a, b AS (mine(a)) NOT NULL); INSERT INTO g(a) VALUES(1)");
    (void)sqlite3_close(db);
    int rc = run_with("check", "quick", &facts, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_ptr_nonnull(strstr((const char *)facts.data, "\nquick_check=unknown\n"));
    ck_assert_ptr_nonnull(strstr(logged, "mine"));
    buf_free(&facts);
}
END_TEST

START_TEST(facts_of_the_content)
{
    struct error err = ERROR_INIT;
    struct buf a = BUF_INIT;
    struct buf b = BUF_INIT;
    sqlite3 *db = fill_db(_i == 0 ? "WAL" : "DELETE", 4096, 300);
    sql(db, "CREATE TABLE \"a,b:c=\nd\"(x); CREATE VIRTUAL TABLE f USING fts5(z); CREATE VIEW v AS SELECT 1;"
            "DELETE FROM account WHERE id>40");
    ck_assert_int_eq(run_with("check", "quick", &a, &err), 0);
    const char *text = (const char *)a.data;
    ck_assert_msg(strstr(text, "\ntable_rows=a%2Cb%3Ac%3D%0Ad:0,account:40,") != NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, ",t:300\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nschema=xxh3-128-sum:"));
    ck_assert_ptr_nonnull(strstr(text, "\nsource_path=/tmp/sqlite-test-"));
    /* Rows do not change the schema, objects do. */
    sql(db, "DELETE FROM account");
    ck_assert_int_eq(run_with("check", "none", &b, &err), 0);
    const char *at = strstr(text, "\nschema=");
    ck_assert_int_eq(strncmp(at, strstr((const char *)b.data, "\nschema="), 50), 0);
    buf_clear(&b);
    sql(db, "CREATE INDEX more ON account(n)");
    ck_assert_int_eq(run_with("check", "none", &b, &err), 0);
    ck_assert_int_ne(strncmp(at, strstr((const char *)b.data, "\nschema="), 50), 0);
    (void)sqlite3_close(db);
    buf_free(&a);
    buf_free(&b);
}
END_TEST

/* As some programs do that know nothing of SQLite: what is cut off would read as zeros. */
START_TEST(a_file_cut_in_mid_copy_is_noticed)
{
    struct error err = ERROR_INIT;
    struct buf copy = BUF_INIT;
    (void)sqlite3_close(fill_db("DELETE", 4096, 20000));
    struct engine_option o[] = { { "path", db_path }, { "spool", "none" }, { "check", "none" } };
    struct engine_job job = job_of(o, 3);
    struct engine_stream s;
    struct engine_run *run = sqlite_engine()->open(&job, &err);
    uint8_t byte;
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
    ck_assert_int_eq(sqlite_engine()->read(run, &byte, 1, &err), 1);
    ck_assert_int_eq(truncate(db_path, 4096 * 50), 0);
    int rc = read_all(run, 50000, &copy, &err);
    ck_assert_msg(rc == E_RETRY || rc == E_CORRUPT, "%d %s", rc, err.text);
    sqlite_engine()->close(run);
    buf_free(&copy);
}
END_TEST

START_TEST(a_log_without_room_for_its_index)
{
    struct error err = ERROR_INIT;
    (void)sqlite3_close(fill_db("WAL", 4096, 100));
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(db_path, 65534, 65534), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    } else {
        ck_assert_int_eq(chmod(dir, 0555), 0);
    }
    ck_assert_int_eq(run_with("check", "quick", NULL, &err), E_DENIED);
    ck_assert_msg(strstr(err.text, "SQLite cannot make the file") != NULL, "%s", err.text);
    ck_assert_int_eq(seteuid(getuid()), 0);
    ck_assert_int_eq(chmod(dir, 0755), 0);
}
END_TEST

START_TEST(options_are_checked)
{
    static const struct engine_option bad[] = { { "check", "some" },    { "on_block", "no" },
                                                { "max_wal", "large" }, { "spool", "here" },
                                                { "skip_others", "?" }, { "allow_empty", "" } };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = ERROR_INIT;
        ck_assert_int_eq(run_with(bad[i].key, bad[i].value, NULL, &err), E_USAGE);
        ck_assert_ptr_nonnull(strstr(err.text, bad[i].key));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite_limits");
    TCase *t = tcase_create("limits");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, writers_do_not_wait_for_the_storage);
    tcase_add_test(t, a_large_copy_lies_beside);
    tcase_add_test(t, a_run_gives_up_before_writers_wait_too_long);
    tcase_add_test(t, the_log_has_a_limit);
    tcase_add_loop_test(t, a_damaged_database_is_not_published, 0, 2);
    tcase_add_test(t, a_full_check_sees_more);
    tcase_add_loop_test(t, what_only_the_application_can_check_is_stored, 0, 2);
    tcase_add_loop_test(t, facts_of_the_content, 0, 2);
    tcase_add_test(t, a_file_cut_in_mid_copy_is_noticed);
    tcase_add_test(t, a_log_without_room_for_its_index);
    tcase_add_test(t, options_are_checked);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
