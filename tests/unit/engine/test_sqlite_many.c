/* The engine sqlite, many files in one job: what patterns name, how streams are called, what is left out, and back. */
#include "tests/unit/engine/sqlite_help.h"

#include <ftw.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

enum { STREAMS_MAX = 20 };

static struct got {
    char name[300];
    struct buf data;
} got[STREAMS_MAX];
static int ngot;
static struct buf facts;

static void forget(void)
{
    for (int i = 0; i < ngot; i++)
        buf_free(&got[i].data);
    ngot = 0;
    buf_free(&facts);
}

static void set_up(void)
{
    make_dir();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st;
    (void)flag;
    (void)at;
    return remove(path);
}

static void tear_down(void)
{
    forget();
    ck_assert_int_eq(nftw(dir, remove_one, 10, FTW_DEPTH | FTW_PHYS), 0);
}

/* A database of one row below the test's directory. */
static void put(const char *name, int n)
{
    char path[300];
    char text[200];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    for (char *at = strchr(path + strlen(dir) + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(path, 0755);
        *at = '/';
    }
    sqlite3 *db = open_db(path);
    (void)snprintf(text, sizeof text, "CREATE TABLE one(n); INSERT INTO one VALUES(%d)", n);
    sql(db, text);
    (void)sqlite3_close(db);
}

static void put_text(const char *name, const char *text)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    spit(path, text, strlen(text));
}

/* Runs a job on patterns below the directory; `more` is one more option. */
static int run_job(const char *const patterns[], struct engine_option more, struct error *err)
{
    static char paths[STREAMS_MAX][300];
    struct engine_option o[STREAMS_MAX];
    size_t n = 0;
    forget();
    for (; patterns[n] != NULL; n++) {
        (void)snprintf(paths[n], sizeof paths[n], "%s/%s", dir, patterns[n]);
        o[n] = (struct engine_option){ "path", paths[n] };
    }
    if (more.key != NULL)
        o[n++] = more;
    struct engine_job job = job_of(o, n);
    const struct engine *e = sqlite_engine();
    struct engine_run *run = e->open(&job, err);
    struct engine_stream s;
    int rc = run == NULL ? err->code : 1;
    while (rc > 0 && (rc = e->next(run, &s, err)) > 0) {
        (void)snprintf(got[ngot].name, sizeof got[ngot].name, "%s", s.name);
        buf_init(&got[ngot].data);
        int n2 = read_all(run, 50000, &got[ngot].data, err);
        rc = n2 < 0 ? n2 : 1;
        if (rc > 0)
            ck_assert_int_eq(e->stream_facts(run, &facts, err), 0);
        ngot++;
    }
    if (rc == 0)
        rc = e->finish(run, err);
    if (rc == 0)
        rc = e->run_facts(run, &facts, err);
    if (rc == 0)
        ck_assert_int_eq(buf_append(&facts, "", 1, err), 0);
    e->close(run);
    return rc;
}

#define RUN(more, ...) run_job((const char *const[]){ __VA_ARGS__, NULL }, (struct engine_option)more, &err)
#define NONE       \
    {              \
        NULL, NULL \
    }
#define OPT(key, value) \
    {                   \
        key, value      \
    }

static void expect(const char *const names[])
{
    int n = 0;
    for (; names[n] != NULL; n++) {
        char whole[400];
        (void)snprintf(whole, sizeof whole, "%s/%s", dir + 1, names[n]);
        ck_assert_msg(n < ngot && strcmp(got[n].name, whole) == 0, "%d: %s instead of %s", n,
                      n < ngot ? got[n].name : "nothing", whole);
    }
    ck_assert_int_eq(ngot, n);
}

#define EXPECT(...) expect((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(patterns_name_files)
{
    struct error err = ERROR_INIT;
    put("a.db", 1);
    put("b.db", 2);
    put(".hidden.db", 3);
    put("x/a.db", 4);
    put("x/y/a.db", 5);
    put("x/y/z.sqlite", 6);
    put("br[ac]ket.db", 7);
    int rc = RUN(NONE, "?.db");
    ck_assert_msg(rc == 0, "%s", err.text);
    EXPECT("a.db", "b.db");
    ck_assert_int_eq(RUN(NONE, "*.db", "a.db", "./b.db", "x//*.db"), 0); /* each once */
    EXPECT("a.db", "b.db", "br[ac]ket.db", "x/a.db");
    ck_assert_int_eq(RUN(NONE, "**/*.db"), 0);
    EXPECT("a.db", "b.db", "br[ac]ket.db", "x/a.db", "x/y/a.db");
    ck_assert_int_eq(RUN(NONE, "x/**"), 0);
    EXPECT("x/a.db", "x/y/a.db", "x/y/z.sqlite");
    ck_assert_int_eq(RUN(NONE, "*/y/z.sqlite", ".*.db"), 0);
    EXPECT(".hidden.db", "x/y/z.sqlite");
    ck_assert_int_eq(RUN(NONE, "br\\[ac\\]*.db"), 0);
    EXPECT("br[ac]ket.db");
    ck_assert_int_eq(RUN(NONE, "br\\[ac]ket.db"), 0); /* no pattern: its name is plain */
    ck_assert_str_eq(got[0].name, "br[ac]ket.db");
    ck_assert_int_eq(RUN(NONE, "**/**/a.db"), E_USAGE);
    ck_assert_int_eq(RUN(NONE, "x/../*.db"), E_USAGE);
    ck_assert_int_eq(RUN(OPT("name", "n"), "*.db"), E_USAGE);
}
END_TEST

START_TEST(names_never_collide)
{
    struct error err = ERROR_INIT;
    put("100%.db", 1);
    put("\xff.db", 2);
    put("%FF.db", 3);
    put("\xc3\xa4.db", 4);
    ck_assert_int_eq(RUN(NONE, "*.db"), 0);
    EXPECT("%25FF.db", "%FF.db", "100%25.db", "\xc3\xa4.db");
    ck_assert_ptr_nonnull(strstr((const char *)facts.data, "databases=4\nskipped=0\n"));
}
END_TEST

START_TEST(nothing_to_copy_is_an_error)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(RUN(NONE, "*.db"), E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "no file matches"));
    ck_assert_ptr_nonnull(strstr(err.text, "allow_empty"));
    ck_assert_int_eq(RUN(OPT("allow_empty", "yes"), "*.db", "none/*"), 0);
    ck_assert_int_eq(ngot, 0);
    put("a.db", 1);
    ck_assert_int_eq(RUN(NONE, "*.db", "*.sqlite"), E_NOT_FOUND); /* each pattern counts */
    ck_assert_int_eq(RUN(OPT("allow_empty", "yes"), "*.db", "b.sqlite"),
                     E_NOT_FOUND); /* a name is no pattern */
    ck_assert_ptr_nonnull(strstr(err.text, "no such file"));
}
END_TEST

START_TEST(other_files_are_an_error_or_left_out)
{
    struct error err = ERROR_INIT;
    char path[300];
    put("a.db", 1);
    put_text("notes",
             "not a database, but long enough to be taken for one if somebody looks only at its length....");
    ck_assert_int_eq(RUN(NONE, "*"), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "/notes"));
    put_text("empty", "");
    (void)snprintf(path, sizeof path, "%s/fifo", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    (void)snprintf(path, sizeof path, "%s/gone", dir);
    ck_assert_int_eq(symlink("nowhere", path), 0);
    (void)snprintf(path, sizeof path, "%s/subdir", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    int rc = RUN(OPT("skip_others", "yes"), "*");
    ck_assert_msg(rc == 0, "%s", err.text);
    EXPECT("a.db");
    ck_assert_ptr_nonnull(strstr((const char *)facts.data, "databases=1\nskipped=4\n"));
    ck_assert_int_eq(RUN(OPT("skip_others", "yes"), "no*"), E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "none of the"));
    ck_assert_int_eq(RUN(OPT("skip_others", "yes"), "a.db", "notes"), E_CORRUPT); /* named: it must be one */
    /* A database that is damaged behind its header is no other file. */
    (void)snprintf(path, sizeof path, "%s/a.db", dir);
    ck_assert_int_eq(truncate(path, 4096), 0);
    ck_assert_int_eq(RUN(OPT("skip_others", "yes"), "*"), E_CORRUPT);
}
END_TEST

START_TEST(companions_are_no_databases)
{
    struct error err = ERROR_INIT;
    char path[300];
    put("a.db", 1);
    (void)snprintf(path, sizeof path, "%s/a.db", dir);
    sqlite3 *db = open_db(path);
    sql(db, "PRAGMA journal_mode=WAL; INSERT INTO one VALUES(2)");
    ck_assert_int_eq(count_files(), 3);
    int rc = RUN(NONE, "*");
    ck_assert_msg(rc == 0, "%s", err.text);
    EXPECT("a.db");
    (void)sqlite3_close(db);
    put("lone-wal", 1); /* a database of such a name, with nothing beside it */
    ck_assert_int_eq(RUN(NONE, "*"), 0);
    EXPECT("a.db", "lone-wal");
}
END_TEST

START_TEST(what_vanishes_in_the_run_is_named)
{
    struct error err = ERROR_INIT;
    char path[300];
    char second[300];
    struct engine_stream s;
    struct buf data = BUF_INIT;
    put("a.db", 1);
    put("b.db", 2);
    (void)snprintf(path, sizeof path, "%s/*.db", dir);
    (void)snprintf(second, sizeof second, "%s/b.db", dir);
    struct engine_option o[] = { { "path", path } };
    struct engine_job job = job_of(o, 1);
    struct engine_run *run = sqlite_engine()->open(&job, &err);
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), 1);
    ck_assert_int_eq(read_all(run, 4096, &data, &err), 0);
    ck_assert_int_eq(unlink(second), 0);
    ck_assert_int_eq(sqlite_engine()->next(run, &s, &err), E_RETRY);
    ck_assert_ptr_nonnull(strstr(err.text, "b.db vanished"));
    sqlite_engine()->close(run);
    buf_free(&data);
}
END_TEST

START_TEST(a_directory_that_hides_files_is_an_error)
{
    struct error err = ERROR_INIT;
    char path[300];
    put("open/a.db", 1);
    put("shut/a.db", 2);
    (void)snprintf(path, sizeof path, "%s/shut", dir);
    ck_assert_int_eq(chmod(path, 0), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(RUN(NONE, "*/a.db"), E_DENIED); /* glob(3) would find one and be content */
    ck_assert_ptr_nonnull(strstr(err.text, "/shut"));
    ck_assert_int_eq(RUN(NONE, "**/*.db"), E_DENIED);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(path, 0700), 0);
}
END_TEST

/* ---- back ---------------------------------------------------------------------------------------------- */

static int each(void *arg, engine_stream_fn *fn, void *fn_arg, struct error *err)
{
    int rc = 0;
    (void)arg;
    for (int i = 0; rc == 0 && i < ngot; i++)
        rc = fn(got[i].name, got[i].data.len, "", fn_arg, err);
    return rc;
}

static struct source *open_stream(void *arg, const char *name, struct error *err)
{
    (void)arg;
    for (int i = 0; i < ngot; i++)
        if (strcmp(got[i].name, name) == 0)
            return source_memory(got[i].data.data, got[i].data.len, err);
    return NULL;
}

static int restore_to(const char *to, struct error *err)
{
    struct engine_streams s = { .each = each, .open = open_stream };
    struct engine_target t = { .to = to };
    int rc = sqlite_look(&t, err);
    return rc < 0 ? rc : sqlite_restore(&s, &t, err);
}

START_TEST(several_come_back_into_a_directory)
{
    struct error err = ERROR_INIT;
    char to[300];
    char path[8000];
    int64_t n = 0;
    put("a.db", 1);
    put("x/a.db", 2);
    ck_assert_int_eq(RUN(NONE, "**/*.db"), 0);
    (void)snprintf(to, sizeof to, "%s/back", dir);
    int rc = restore_to(to, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    for (int i = 0; i < ngot; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", to, got[i].name);
        sqlite3 *db = open_db(path);
        ck_assert_int_eq(sqlite_number(db, "SELECT n FROM one", &n), SQLITE_OK);
        ck_assert_int_eq(n, i + 1);
        (void)sqlite3_close(db);
    }
    ck_assert_int_eq(restore_to(to, &err), E_EXISTS);
    /* An empty directory is a fine place; a failure leaves it empty. */
    (void)snprintf(to, sizeof to, "%s/empty", dir);
    ck_assert_int_eq(mkdir(to, 0755), 0);
    got[1].data.len -= 4096;
    ck_assert_int_eq(restore_to(to, &err), E_CORRUPT);
    ck_assert_int_eq(rmdir(to), 0);
    got[1].data.len += 4096;
    ck_assert_int_eq(mkdir(to, 0755), 0);
    ck_assert_int_eq(restore_to(to, &err), 0);
    /* One stream is a file. */
    ngot = 1;
    (void)snprintf(to, sizeof to, "%s/alone", dir);
    ck_assert_int_eq(mkdir(to, 0755), 0);
    ck_assert_int_eq(restore_to(to, &err), E_EXISTS);
    ck_assert_int_eq(rmdir(to), 0);
    ck_assert_int_eq(restore_to(to, &err), 0);
    struct stat st;
    ck_assert_int_eq(stat(to, &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    ngot = 2;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sqlite_many");
    TCase *t = tcase_create("many");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, patterns_name_files);
    tcase_add_test(t, names_never_collide);
    tcase_add_test(t, nothing_to_copy_is_an_error);
    tcase_add_test(t, other_files_are_an_error_or_left_out);
    tcase_add_test(t, companions_are_no_databases);
    tcase_add_test(t, what_vanishes_in_the_run_is_named);
    tcase_add_test(t, a_directory_that_hides_files_is_an_error);
    tcase_add_test(t, several_come_back_into_a_directory);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
