/* The engine files: what happens to files while they are read, sparse files, patterns, databases in use. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/engine/engine.h"

enum { MEMBERS_MAX = 64, BIG = 3 << 20 };

static char top[64];
static char tree[128];

struct got {
    char *names[MEMBERS_MAX];
    size_t n;
    struct buf bytes; /* of the last regular file */
    struct buf facts; /* the same */
    struct buf run;   /* facts of the run */
    struct engine_flaws flaws;
    char log[4096];
};
static struct got got;

static void shell(const char *text)
{
    char command[2000];
    (void)snprintf(command, sizeof command, "cd %s && { %s; }", tree, text);
    ck_assert_msg(system(command) == 0, "%s", text);
}

static void forget(void)
{
    for (size_t i = 0; i < got.n; i++)
        free(got.names[i]);
    buf_free(&got.bytes);
    buf_free(&got.facts);
    buf_free(&got.run);
    memset(&got, 0, sizeof got);
}

static void keep_log(enum log_level level, const char *text, void *arg)
{
    size_t used = strlen(got.log);
    (void)arg;
    if (level >= LOG_WARN)
        (void)snprintf(got.log + used, sizeof got.log - used, "%s\n", text);
}

static void setup(void)
{
    (void)snprintf(top, sizeof top, "/tmp/files-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    (void)snprintf(tree, sizeof tree, "%s/tree", top);
    ck_assert_int_eq(mkdir(tree, 0755), 0);
    log_to(keep_log, NULL);
}

static void teardown(void)
{
    char command[200];
    log_to(NULL, NULL);
    forget();
    (void)snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", top, top);
    ck_assert_int_eq(system(command), 0);
}

static const struct engine *engine(void)
{
    return engine_find("files", NULL);
}

static struct engine_run *start(const struct engine_option *more, size_t n, struct error *err)
{
    struct engine_option o[16] = { { "path", tree } };
    for (size_t i = 0; i < n; i++)
        o[i + 1] = more[i];
    struct engine_job job = { .name = "test", .options = o, .noptions = n + 1 };
    return engine()->open(&job, err);
}

static int read_stream(struct engine_run *run, size_t block, struct error *err)
{
    int64_t n;
    char *data = malloc(block);
    while ((n = engine()->read(run, data, block, err)) > 0)
        ck_assert_int_eq(buf_append(&got.bytes, data, (size_t)n, NULL), 0);
    free(data);
    if (n == 0) {
        ck_assert_int_eq(engine()->stream_facts(run, &got.facts, err), 0);
        ck_assert_int_eq(buf_append(&got.facts, "", 1, NULL), 0);
    }
    return (int)n;
}

static void note(const struct engine_stream *s)
{
    ck_assert_uint_lt(got.n, MEMBERS_MAX);
    got.names[got.n++] = strdup(s->name);
}

static bool is_member(const char *name)
{
    for (size_t i = 0; i < got.n; i++)
        if (strcmp(got.names[i], name) == 0)
            return true;
    return false;
}

/* Every member that follows, to the verdict. */
static int rest(struct engine_run *run, struct error *err)
{
    struct engine_stream s;
    int rc;
    while ((rc = engine()->next(run, &s, err)) == 1) {
        note(&s);
        if (s.entry->type != CATALOG_REGULAR)
            continue;
        buf_clear(&got.bytes);
        buf_clear(&got.facts);
        if ((rc = read_stream(run, 65536, err)) < 0)
            break;
    }
    if (rc == 0)
        rc = engine()->finish(run, err);
    if (rc == 0) {
        engine()->flaws(run, &got.flaws);
        ck_assert_int_eq(engine()->run_facts(run, &got.run, err), 0);
        ck_assert_int_eq(buf_append(&got.run, "", 1, NULL), 0);
    }
    return rc;
}

static int backup(const struct engine_option *more, size_t n, struct error *err)
{
    forget();
    struct engine_run *run = start(more, n, err);
    int rc = run != NULL ? rest(run, err) : err->code;
    engine()->close(run);
    return rc;
}

/* Up to the first file, which is then open and not read yet. */
static struct engine_run *first_file(void)
{
    struct error err = ERROR_INIT;
    struct engine_stream s;
    struct engine_run *run = start(NULL, 0, &err);
    ck_assert_msg(run != NULL, "%s", err.text);
    ck_assert_int_eq(engine()->next(run, &s, &err), 1);
    ck_assert_int_eq(s.entry->type, CATALOG_REGULAR);
    note(&s);
    return run;
}

static void end(struct engine_run *run)
{
    struct error err = ERROR_INIT;
    ck_assert_msg(rest(run, &err) == 0, "%s", err.text);
    engine()->close(run);
}

static bool has(const struct buf *facts, const char *text)
{
    return strstr((const char *)facts->data, text) != NULL;
}

START_TEST(quiet_files_have_no_facts)
{
    struct error err = ERROR_INIT;
    shell("printf hello >f && mkdir d && ln -s f l && ln f h");
    ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(got.n, 4);
    ck_assert_mem_eq(got.bytes.data, "hello", 5);
    ck_assert_str_eq((const char *)got.facts.data, "");
    ck_assert_uint_eq(got.flaws.missing + got.flaws.changed + got.flaws.metadata, 0);
    static const char *const facts[] = { "source=files\n", "source_path=",  "files=1\n",  "directories=1\n",
                                         "symlinks=1\n",   "hardlinks=1\n", "missing=0\n" };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        ck_assert_msg(has(&got.run, facts[i]), "%s", facts[i]);
}
END_TEST

/* As some network file systems and FUSE programs do: the size says nothing. */
START_TEST(a_file_that_is_not_as_long_as_its_size_is_marked)
{
    struct error err = ERROR_INIT;
    (void)snprintf(tree, sizeof tree, "/proc/sys/kernel/random");
    ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_gt(got.n, 0);
    ck_assert(has(&got.facts, "changed=yes\n"));
    ck_assert_uint_eq(got.flaws.changed + got.flaws.missing, got.n);
}
END_TEST

static const char *const changes[] = {
    "head -c 100000 /dev/urandom >>big",                          /* grows */
    "truncate -s 2500001 big",                                    /* shrinks */
    "printf x | dd of=big conv=notrunc bs=1 seek=10 status=none", /* same size */
    "rm big",                                                     /* goes, but is open */
    "cp big new && mv new big",                                   /* replaced */
    "truncate -s 0 big",
};

START_TEST(a_file_that_changes_is_marked)
{
    struct error err = ERROR_INIT;
    shell("head -c 3145728 /dev/urandom >big && touch -d '1 hour ago' big && sleep 0.05");
    struct engine_run *run = first_file();
    char data[1000];
    ck_assert_int_eq(engine()->read(run, data, sizeof data, &err), sizeof data);
    shell(changes[_i]);
    ck_assert_int_eq(read_stream(run, 65536, &err), 0);
    size_t read = got.bytes.len + sizeof data;
    ck_assert_uint_eq(read, _i == 1 ? 2500001 : _i == 5 ? sizeof data : BIG);
    ck_assert(has(&got.facts, "changed=yes\n"));
    end(run);
    ck_assert_uint_eq(got.flaws.changed, 1);
    ck_assert(has(&got.run, "\nchanged=1\n"));
    ck_assert_ptr_nonnull(strstr(got.log, "\"big\""));
}
END_TEST

/* Writes the file over and over, each time with the next letter. */
static pid_t start_rewriter(const char *path)
{
    enum { SIZE = 700000 };
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char *block = malloc(SIZE);
    int fd = open(path, O_WRONLY);
    if (block == NULL || fd < 0)
        _exit(2);
    for (int i = 0;; i++) {
        memset(block, 'a' + i % 26, SIZE);
        for (off_t at = 0; at < SIZE; at += SIZE / 7) {
            if (pwrite(fd, block, SIZE / 7, at) < 0)
                _exit(1);
            if (i % 3 == 0)
                (void)usleep((unsigned)(i * 7919 % 3000));
        }
    }
}

/* Whether the file ever looked like this: the next letter up to somewhere, the one before from there. */
static bool was_so(const struct buf *b)
{
    size_t at = 1;
    while (at < b->len && b->data[at] == b->data[0])
        at++;
    if (at == b->len)
        return true;
    size_t rest = at;
    while (rest < b->len && b->data[rest] == b->data[at])
        rest++;
    return rest == b->len && (b->data[at] - 'a' + 1) % 26 == b->data[0] - 'a';
}

START_TEST(a_mixture_is_never_silent)
{
    char path[200];
    int marks = 0;
    (void)snprintf(path, sizeof path, "%s/f", tree);
    shell("head -c 700000 /dev/zero | tr '\\0' z >f");
    pid_t writer = start_rewriter(path);
    for (int round = 0; round < 60; round++) {
        struct error err = ERROR_INIT;
        ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
        bool good = was_so(&got.bytes);
        bool marked = has(&got.facts, "changed=yes");
        marks += marked;
        ck_assert_msg(good || marked, "round %d: a mixture without a mark", round);
    }
    (void)kill(writer, SIGKILL);
    (void)waitpid(writer, NULL, 0);
    ck_assert_int_gt(marks, 0); /* else the writer did not run, and nothing was shown */
}
END_TEST

START_TEST(holes_are_left_out_and_named)
{
    struct error err = ERROR_INIT;
    shell(
        "printf begin >f && truncate -s 1T f && printf end | dd of=f bs=1 seek=500000000000 conv=notrunc 2>/dev/null");
    ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_le(got.bytes.len, 2 * 65536);
    ck_assert_uint_ge(got.bytes.len, 8);
    ck_assert(has(&got.facts, "gaps="));
    /* What is left out and what is there make the whole. */
    unsigned long long sum = got.bytes.len;
    const char *at = strchr((const char *)got.facts.data, '=') + 1;
    for (unsigned long long from, len; sscanf(at, "%llu:%llu", &from, &len) == 2;) {
        sum += len;
        at = strpbrk(at, ",\n") + 1;
    }
    ck_assert_uint_eq(sum, 1ULL << 40);
}
END_TEST

START_TEST(a_file_of_very_many_holes_keeps_the_large_ones)
{
    struct error err = ERROR_INIT;
    shell(
        "python3 -c \"\nf = open('f', 'wb')\nfor i in range(6000):\n    f.seek(i * 16384 + (i % 10 == 0) * 4096)\n"
        "    f.write(b'x' * 4096)\nf.truncate(200 << 20)\n\"");
    ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_lt(got.facts.len, 60000);
    ck_assert(has(&got.facts, "gaps="));
    ck_assert_uint_lt(got.bytes.len, 110 << 20);
}
END_TEST

START_TEST(a_sparse_file_that_shrinks_ends_where_it_ended)
{
    struct error err = ERROR_INIT;
    char data[100];
    shell(
        "truncate -s 100M f && printf 'x%.0s' {1..9} | dd of=f bs=1 seek=50000000 conv=notrunc 2>/dev/null && "
        "printf y | dd of=f bs=1 seek=90000000 conv=notrunc 2>/dev/null");
    struct engine_run *run = first_file();
    ck_assert_int_gt(engine()->read(run, data, 100, &err), 0); /* the first gap is behind us */
    shell("truncate -s 50000000 f");
    ck_assert_int_eq(read_stream(run, 4096, &err), 0);
    ck_assert(has(&got.facts, "changed=yes\n"));
    ck_assert_ptr_null(strchr((const char *)got.facts.data, ',')); /* one gap, not three */
    end(run);
}
END_TEST

START_TEST(patterns)
{
    static const struct {
        const char *pattern;
        const char *left; /* names in order, joined by ' ' */
    } cases[] = {
        { "*.tmp", "a a/b a/b/keep c sub sub/cache sub/cache/x sub/keep" },
        { "cache", "a a/b a/b/keep a/x.tmp c sub sub/keep x.tmp" },
        { "/x.tmp", "a a/b a/b/keep a/x.tmp c sub sub/cache sub/cache/x sub/keep" },
        { "sub/*", "a a/b a/b/keep a/x.tmp c sub x.tmp" },
        { "a/*", "a c sub sub/cache sub/cache/x sub/keep x.tmp" },
        { "*/keep", "a a/b a/b/keep a/x.tmp c sub sub/cache sub/cache/x x.tmp" },
        { "a/", "c sub sub/cache sub/cache/x sub/keep x.tmp" },
        { "c/", "a a/b a/b/keep a/x.tmp c sub sub/cache sub/cache/x sub/keep x.tmp" },
        { "[ac]", "sub sub/cache sub/cache/x sub/keep x.tmp" },
        { "?", "sub sub/cache sub/keep x.tmp" },
        { "nothing", "a a/b a/b/keep a/x.tmp c sub sub/cache sub/cache/x sub/keep x.tmp" },
    };
    shell("mkdir -p a/b sub/cache && touch a/b/keep a/x.tmp c sub/cache/x sub/keep x.tmp");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err = ERROR_INIT;
        struct engine_option o = { "exclude", cases[i].pattern };
        char left[500] = "";
        ck_assert_msg(backup(&o, 1, &err) == 0, "%s", err.text);
        for (size_t k = 0; k < got.n; k++)
            (void)snprintf(left + strlen(left), sizeof left - strlen(left), "%s%s", k == 0 ? "" : " ",
                           got.names[k]);
        ck_assert_msg(strcmp(left, cases[i].left) == 0, "%s: %s", cases[i].pattern, left);
    }
    struct error err = ERROR_INIT;
    struct engine_option both[] = { { "exclude", "a" }, { "exclude", "sub" } };
    ck_assert_int_eq(backup(both, 2, &err), 0);
    ck_assert_uint_eq(got.n, 2);
    ck_assert(has(&got.run, "excluded=2\n"));
}
END_TEST

START_TEST(options_that_make_no_sense)
{
    static const struct engine_option bad[] = {
        { "exclude", "" },         { "exclude", "/" }, { "one_file_system", "maybe" },
        { "one_file_system", "" }, { "path", "/tmp" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct error err = ERROR_INIT;
        ck_assert_msg(backup(&bad[i], 1, &err) == E_USAGE, "case %zu", i);
        ck_assert_ptr_nonnull(strstr(err.text, "job test"));
    }
    struct error err = ERROR_INIT;
    struct engine_option good = { "one_file_system", "no" };
    ck_assert_int_eq(backup(&good, 1, &err), 0);
}
END_TEST

/* ---- databases in use ---------------------------------------------------------------------------------- */

static bool fatal;
static char found[2000];

static void on_finding(bool is_fatal, const char *what, const char *cure, void *arg)
{
    (void)arg;
    fatal = fatal || is_fatal;
    (void)snprintf(found, sizeof found, "%s (%s)", what, cure);
}

static void probe(void)
{
    struct error err = ERROR_INIT;
    struct engine_option o[] = { { "path", tree } };
    struct engine_job job = { .name = "test", .options = o, .noptions = 1 };
    fatal = false;
    found[0] = '\0';
    ck_assert_int_eq(engine()->probe(&job, on_finding, NULL, &err), 0);
}

START_TEST(probe_looks_at_the_root)
{
    probe();
    ck_assert(!fatal && found[0] == '\0');
    ck_assert_int_eq(rmdir(tree), 0);
    probe();
    ck_assert(fatal);
    int fd = open(tree, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    probe();
    ck_assert(fatal);
}
END_TEST

/* Anybody may make such files in a directory of his own: the rest of the tree is stored all the same. */
START_TEST(a_postgres_in_the_tree_is_missing_by_name)
{
    struct error err = ERROR_INIT;
    char command[200];
    struct engine_option left_out = { "exclude", "/var/pg" };
    struct engine_option other = { "exclude", "/nothing" };
    (void)snprintf(command, sizeof command,
                   "mkdir -p var/pg && echo 15 >var/pg/PG_VERSION && echo x >var/beside && "
                   "printf '%%s\\nmore\\n' %ld >var/pg/postmaster.pid",
                   (long)getpid());
    shell(command);
    ck_assert_msg(backup(&other, 1, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(got.flaws.missing, 1);
    ck_assert_ptr_nonnull(strstr(got.log, "\"var/pg\""));
    ck_assert_ptr_nonnull(strstr(got.log, "PostgreSQL"));
    ck_assert_ptr_nonnull(strstr(got.log, "exclude"));
    ck_assert(is_member("var/pg"));
    ck_assert(!is_member("var/pg/PG_VERSION"));
    ck_assert(is_member("var/beside"));
    ck_assert_int_eq(backup(&left_out, 1, &err), 0);
    ck_assert_uint_eq(got.flaws.missing, 0);
    /* A server in a container has a number that means nothing here. */
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    (void)waitpid(gone, NULL, 0);
    (void)snprintf(command, sizeof command, "echo %ld >var/pg/postmaster.pid", (long)gone);
    shell(command);
    ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(got.flaws.missing, 1);
    ck_assert_ptr_nonnull(strstr(got.log, "after a crash remove the file"));
    shell("rm var/pg/PG_VERSION"); /* no data directory, only a name */
    ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(got.flaws.missing, 0);
    ck_assert(is_member("var/pg/postmaster.pid"));
}
END_TEST

START_TEST(a_tree_that_is_a_data_directory_is_refused)
{
    struct error err = ERROR_INIT;
    char command[200];
    (void)snprintf(command, sizeof command, "echo 15 >PG_VERSION && echo %ld >postmaster.pid",
                   (long)getpid());
    shell(command);
    ck_assert_int_eq(backup(NULL, 0, &err), E_UNSUPPORTED);
    probe();
    ck_assert(fatal);
}
END_TEST

START_TEST(a_fifo_with_the_name_of_a_servers_file_keeps_what_is_in_it)
{
    struct error err = ERROR_INIT;
    char path[200];
    char text[32] = "";
    (void)snprintf(path, sizeof path, "%s/postmaster.pid", tree);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    (void)snprintf(text, sizeof text, "%ld\n", (long)getpid());
    ck_assert_int_eq(write(fifo, text, strlen(text)), (int)strlen(text));
    ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_int_eq(read(fifo, text, sizeof text), (int)strlen(text));
    (void)close(fifo);
}
END_TEST

START_TEST(a_server_that_holds_its_lock_is_refused)
{
    struct error err = ERROR_INIT;
    char path[200];
    int ready[2];
    static const char *const names[] = { "ibdata1", "aria_log_control", "WiredTiger.lock" };
    char command[200];
    (void)snprintf(path, sizeof path, "%s/%s", tree, names[_i]);
    (void)snprintf(command, sizeof command, "printf x >%s", names[_i]);
    shell(command);
    ck_assert_msg(backup(NULL, 0, &err) == 0, "%s", err.text);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t server = fork();
    if (server == 0) { /* the lock that InnoDB takes */
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        int fd = open(path, O_RDWR);
        char done = fcntl(fd, F_SETLK, &lock) == 0 ? 'y' : 'n';
        (void)!write(ready[1], &done, 1);
        for (;;)
            (void)pause();
    }
    char done = 'n';
    ck_assert_int_eq(read(ready[0], &done, 1), 1);
    ck_assert_int_eq(done, 'y');
    ck_assert_int_eq(backup(NULL, 0, &err), E_UNSUPPORTED);
    probe();
    ck_assert(fatal);
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    ck_assert_int_eq(backup(NULL, 0, &err), 0);
}
END_TEST

START_TEST(a_write_ahead_log_is_warned_about)
{
    struct error err = ERROR_INIT;
    shell("printf '\\067\\177\\006\\202 and more' >shop.db-wal && printf other >some-wal");
    ck_assert_int_eq(backup(NULL, 0, &err), 0);
    ck_assert_ptr_nonnull(strstr(got.log, "\"shop.db-wal\""));
    ck_assert_ptr_null(strstr(got.log, "some-wal"));
    ck_assert_uint_eq(got.flaws.missing + got.flaws.changed, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("files");
    TCase *t = tcase_create("files");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, quiet_files_have_no_facts);
    tcase_add_test(t, a_file_that_is_not_as_long_as_its_size_is_marked);
    tcase_add_loop_test(t, a_file_that_changes_is_marked, 0, (int)(sizeof changes / sizeof changes[0]));
    tcase_add_test(t, a_mixture_is_never_silent);
    tcase_add_test(t, holes_are_left_out_and_named);
    tcase_add_test(t, a_file_of_very_many_holes_keeps_the_large_ones);
    tcase_add_test(t, a_sparse_file_that_shrinks_ends_where_it_ended);
    tcase_add_test(t, patterns);
    tcase_add_test(t, options_that_make_no_sense);
    tcase_add_test(t, probe_looks_at_the_root);
    tcase_add_test(t, a_postgres_in_the_tree_is_missing_by_name);
    tcase_add_test(t, a_tree_that_is_a_data_directory_is_refused);
    tcase_add_test(t, a_fifo_with_the_name_of_a_servers_file_keeps_what_is_in_it);
    tcase_add_loop_test(t, a_server_that_holds_its_lock_is_refused, 0, 3);
    tcase_add_test(t, a_write_ahead_log_is_warned_about);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
