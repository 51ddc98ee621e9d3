/* One table of promises, held against every backend: memory, local, fault around memory, sftp. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/backend/fault.h"
#include "common/backend/local.h"
#include "common/backend/memory.h"
#include "common/base/alloc.h"
#include "tests/unit/backend/sshd_help.h"

#include "common/base/banned.h"

enum kind { MEMORY, LOCAL, FAULT, SFTP, KINDS };

static struct server server;
static char scratch[] = "/tmp/backend-local.XXXXXX";
static struct fault_plan no_fault; /* at = 0: never */

/* An empty directory of its own for each test; *dir is its place on this machine, or "". */
static struct backend *open_in(int kind, char dir[HELP_PATH])
{
    static unsigned count;
    struct error err = ERROR_INIT;
    struct backend *b = NULL;
    char name[64];
    (void)snprintf(name, sizeof name, "t%ld-%u", (long)getpid(), count++);
    dir[0] = '\0';
    if (kind == MEMORY) {
        b = backend_memory(&err);
    } else if (kind == FAULT) {
        b = backend_fault(backend_memory(&err), &no_fault, &err);
    } else if (kind == LOCAL) {
        (void)snprintf(dir, HELP_PATH, "%s/%s", scratch, name);
        ck_assert_int_eq(mkdir(dir, 0755), 0);
        b = backend_local(dir, &err);
    } else {
        char path[HELP_PATH + 64];
        struct sftp_options o = server_options(&server, "admin");
        struct backend *root = backend_sftp(&o, &err);
        ck_assert_msg(root != NULL && backend_make_dir(root, name, 0755, &err) == 0, "%s", err.text);
        backend_close(root);
        (void)snprintf(dir, HELP_PATH, "%s/storage/%s", server.dir, name);
        (void)snprintf(path, sizeof path, "%s/%s", server.path, name);
        o.path = path;
        b = backend_sftp(&o, &err);
    }
    ck_assert_msg(b != NULL, "%s", err.text);
    return b;
}

static struct backend *open_kind(int kind)
{
    char dir[HELP_PATH];
    return open_in(kind, dir);
}

#define OK(call)                                                      \
    do {                                                              \
        struct error err = ERROR_INIT;                                \
        int code = (call);                                            \
        ck_assert_msg(code == 0, "%s: %d %s", #call, code, err.text); \
    } while (0)
#define FAILS(expected, call)                                                                              \
    do {                                                                                                   \
        struct error err = ERROR_INIT;                                                                     \
        int code = (call);                                                                                 \
        ck_assert_msg(code == (expected) && err.code == code && err.text[0] != '\0', "%s: %d, not %d: %s", \
                      #call, code, (expected), err.text);                                                  \
    } while (0)

static uint8_t *pattern(size_t len)
{
    uint8_t *p = malloc(len + 1);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
    return p;
}

START_TEST(stores_and_reads)
{
    struct backend *b = open_kind(_i);
    char out[16] = "";
    OK(backend_put(b, "name-1.00", "hello world", 11, &err));
    OK(backend_read(b, "name-1.00", 0, out, 11, &err));
    ck_assert_mem_eq(out, "hello world", 11);
    OK(backend_read(b, "name-1.00", 6, out, 5, &err));
    ck_assert_mem_eq(out, "world", 5);
    OK(backend_read(b, "name-1.00", 0, out, 5, &err));
    ck_assert_mem_eq(out, "hello", 5);
    OK(backend_read(b, "name-1.00", 5, out, 6, &err));
    ck_assert_mem_eq(out, " world", 6);
    OK(backend_read(b, "name-1.00", 11, out, 0, &err));
    struct backend_stat st;
    OK(backend_stat(b, "name-1.00", &st, &err));
    ck_assert_uint_eq(st.size, 11);
    ck_assert(!st.is_dir);
    ck_assert_uint_gt(st.mtime, 1000000000);
    backend_close(b);
}
END_TEST

START_TEST(stores_an_empty_file)
{
    struct backend *b = open_kind(_i);
    struct buf all = BUF_INIT;
    struct backend_stat st = { .size = 1 };
    OK(backend_put(b, "empty", "", 0, &err));
    OK(backend_stat(b, "empty", &st, &err));
    ck_assert_uint_eq(st.size, 0);
    OK(backend_read_all(b, "empty", 0, &all, &err));
    ck_assert_uint_eq(all.len, 0);
    buf_free(&all);
    backend_close(b);
}
END_TEST

START_TEST(never_overwrites)
{
    struct backend *b = open_kind(_i);
    char out[8];
    OK(backend_put(b, "x", "first", 5, &err));
    FAILS(E_EXISTS, backend_put(b, "x", "second", 6, &err));
    FAILS(E_EXISTS, backend_put(b, "x", "first", 5, &err));
    OK(backend_read(b, "x", 0, out, 5, &err));
    ck_assert_mem_eq(out, "first", 5);
    backend_close(b);
}
END_TEST

START_TEST(torn_upload_keeps_its_name)
{
    struct backend *b = open_kind(_i);
    struct error e = ERROR_INIT;
    struct backend_stat st;
    struct upload *u = backend_create(b, "torn.00", 0, &e);
    ck_assert_msg(u != NULL, "%s", e.text);
    OK(upload_write(u, "abc", 3, &err));
    upload_drop(u);
    OK(backend_stat(b, "torn.00", &st, &err));
    ck_assert_uint_le(st.size, 3);
    FAILS(E_EXISTS, backend_put(b, "torn.00", "abc", 3, &err));
    OK(backend_put(b, "torn.01", "abc", 3, &err));
    upload_drop(NULL);
    backend_close(b);
}
END_TEST

START_TEST(says_what_is_missing)
{
    struct backend *b = open_kind(_i);
    char out[4];
    struct backend_stat st;
    struct buf all = BUF_INIT;
    FAILS(E_NOT_FOUND, backend_read(b, "none", 0, out, 1, &err));
    FAILS(E_NOT_FOUND, backend_read_all(b, "none", 10, &all, &err));
    FAILS(E_NOT_FOUND, backend_stat(b, "none", &st, &err));
    FAILS(E_NOT_FOUND, backend_stat(b, "no/where", &st, &err));
    FAILS(E_NOT_FOUND, backend_remove(b, "none", &err));
    FAILS(E_NOT_FOUND, backend_put(b, "no/where", "x", 1, &err));
    FAILS(E_NOT_FOUND, backend_make_dir(b, "no/where", 0755, &err));
    FAILS(E_NOT_FOUND, backend_list(b, "none", NULL, NULL, &err));
    /* A second look after so many refusals. */
    OK(backend_put(b, "some", "x", 1, &err));
    ck_assert_int_eq(backend_stat(b, "none", &st, NULL), E_NOT_FOUND);
    buf_free(&all);
    backend_close(b);
}
END_TEST

START_TEST(refuses_short_and_large)
{
    struct backend *b = open_kind(_i);
    char out[16];
    struct buf all = BUF_INIT;
    struct error e = ERROR_INIT;
    OK(backend_put(b, "ten", "0123456789", 10, &err));
    ck_assert_int_eq(backend_read(b, "ten", 5, out, 6, &e), E_CORRUPT);
    ck_assert_str_eq(e.name, "short-file");
    FAILS(E_CORRUPT, backend_read(b, "ten", 10, out, 1, &err));
    FAILS(E_CORRUPT, backend_read(b, "ten", 1000, out, 1, &err));
    FAILS(E_CORRUPT, backend_read(b, "ten", UINT64_MAX, out, 1, &err));
    OK(backend_read(b, "ten", 0, out, 10, &err));
    e = (struct error)ERROR_INIT;
    ck_assert_int_eq(backend_read_all(b, "ten", 9, &all, &e), E_CORRUPT);
    ck_assert_str_eq(e.name, "too-large");
    OK(backend_read_all(b, "ten", 10, &all, &err));
    ck_assert_uint_eq(all.len, 10);
    ck_assert_mem_eq(all.data, "0123456789", 10);
    buf_free(&all);
    backend_close(b);
}
END_TEST

START_TEST(refuses_bad_names)
{
    static const char *const bad[] = { "",    "/a",  "a/",  "a//b", ".",        "..",   "a/../b", ".hidden",
                                       "a/.", "a b", "a*b", "a\nb", "\xc3\xa4", "a\\b", "a:b" };
    char longest[BACKEND_NAME_MAX + 2];
    struct backend *b = open_kind(_i);
    struct backend_stat st;
    char out[1];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        FAILS(E_USAGE, backend_put(b, bad[i], "x", 1, &err));
        FAILS(E_USAGE, backend_read(b, bad[i], 0, out, 1, &err));
        FAILS(E_USAGE, backend_stat(b, bad[i], &st, &err));
        FAILS(E_USAGE, backend_remove(b, bad[i], &err));
        FAILS(E_USAGE, backend_make_dir(b, bad[i], 0755, &err));
        if (bad[i][0] != '\0')
            FAILS(E_USAGE, backend_list(b, bad[i], NULL, NULL, &err));
    }
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    FAILS(E_USAGE, backend_put(b, longest, "x", 1, &err));
    longest[BACKEND_NAME_MAX] = '\0';
    OK(backend_put(b, longest, "x", 1, &err));
    OK(backend_read(b, longest, 0, out, 1, &err));
    backend_close(b);
}
END_TEST

START_TEST(streams_pieces_of_any_size)
{
    static const size_t sizes[] = { 1, 70000, 3, 2097152, 0, 30000, 29999, 1048576, 4000000, 17 };
    struct backend *b = open_kind(_i);
    struct error e = ERROR_INIT;
    struct buf all = BUF_INIT;
    size_t total = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        total += sizes[i];
    uint8_t *data = pattern(total);
    struct upload *u = backend_create(b, "stream", total, &e);
    ck_assert_msg(u != NULL, "%s", e.text);
    for (size_t i = 0, at = 0; i < sizeof sizes / sizeof sizes[0]; at += sizes[i++])
        OK(upload_write(u, data + at, sizes[i], &err));
    OK(upload_finish(u, &err));
    OK(backend_read_all(b, "stream", total, &all, &err));
    ck_assert_uint_eq(all.len, total);
    ck_assert(memcmp(all.data, data, total) == 0);
    /* Forward, backward, over the end of what was read ahead. */
    static const size_t places[] = { 0, 3000000, 2999999, 0, 5000000, 100 };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        OK(backend_read(b, "stream", places[i], all.data, 1500000, &err));
        ck_assert(memcmp(all.data, data + places[i], 1500000) == 0);
    }
    buf_free(&all);
    free(data);
    backend_close(b);
}
END_TEST

/* Two uploads and reads on one handle, each with bytes under way when the next begins. */
START_TEST(operations_interleave)
{
    enum { PIECE = 700000, PIECES = 8 };
    struct backend *b = open_kind(_i);
    struct error e = ERROR_INIT;
    uint8_t *data = pattern(PIECE);
    uint8_t *out = malloc(PIECE);
    OK(backend_put(b, "old", data, PIECE, &err));
    struct upload *one = backend_create(b, "one", 0, &e);
    struct upload *two = backend_create(b, "two", 0, &e);
    ck_assert_msg(one != NULL && two != NULL, "%s", e.text);
    for (int i = 0; i < PIECES; i++) {
        struct backend_stat st;
        OK(upload_write(one, data, PIECE, &err));
        OK(backend_read(b, "old", 1, out, PIECE - 1, &err));
        ck_assert(memcmp(out, data + 1, PIECE - 1) == 0);
        OK(upload_write(two, data, PIECE, &err));
        OK(backend_stat(b, "old", &st, &err));
    }
    OK(upload_finish(one, &err));
    OK(upload_finish(two, &err));
    for (int i = 0; i < PIECES; i++) {
        OK(backend_read(b, i % 2 ? "one" : "two", (uint64_t)i * PIECE, out, PIECE, &err));
        ck_assert(memcmp(out, data, PIECE) == 0);
    }
    free(data);
    free(out);
    backend_close(b);
}
END_TEST

/* Forward in small steps, with jumps, over the end. */
START_TEST(reads_of_any_size)
{
    enum { SIZE = 3000000 };
    struct backend *b = open_kind(_i);
    uint8_t *data = pattern(SIZE);
    uint8_t *out = malloc(SIZE);
    uint32_t dice = 1;
    size_t at = 0;
    OK(backend_put(b, "f", data, SIZE, &err));
    for (int i = 0; i < 400; i++) {
        dice = dice * 1664525 + 1013904223;
        size_t len = 1 + (dice >> 8) % (i % 7 == 0 ? 400000 : 9000);
        if (i % 10 == 9)
            at = (dice >> 4) % SIZE;
        if (len > SIZE - at)
            len = SIZE - at;
        OK(backend_read(b, "f", at, out, len, &err));
        ck_assert_msg(memcmp(out, data + at, len) == 0, "%zu bytes at %zu", len, at);
        at = (at + len) % SIZE;
    }
    for (at = SIZE - 50000; at < SIZE; at += 1000) {
        OK(backend_read(b, "f", at, out, 1000, &err));
        ck_assert(memcmp(out, data + at, 1000) == 0);
    }
    FAILS(E_CORRUPT, backend_read(b, "f", SIZE, out, 1, &err));
    FAILS(E_CORRUPT, backend_read(b, "f", SIZE - 1, out, 2, &err));
    OK(backend_read(b, "f", SIZE - 1, out, 1, &err));
    free(data);
    free(out);
    backend_close(b);
}
END_TEST

struct worker {
    struct backend *b;
    unsigned number;
    int rc;
    struct error err;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    for (unsigned i = 0; i < 20 && w->rc == 0; i++) {
        char name[32];
        char out[32] = "";
        (void)snprintf(name, sizeof name, "w%u-%u", w->number, i);
        w->rc = backend_put(w->b, name, name, strlen(name), &w->err);
        if (w->rc == 0)
            w->rc = backend_read(w->b, name, 0, out, strlen(name), &w->err);
        if (w->rc == 0 && strcmp(out, name) != 0)
            w->rc = error_set(&w->err, E_CORRUPT, "%s reads as %s", name, out);
    }
    return NULL;
}

START_TEST(clones_work_in_parallel)
{
    enum { WORKERS = 4 };
    struct backend *b = open_kind(_i);
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){ .number = i };
        workers[i].b = backend_clone(b, &workers[i].err);
        ck_assert_ptr_nonnull(workers[i].b);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_msg(workers[i].rc == 0, "%s", workers[i].err.text);
        backend_close(workers[i].b);
    }
    backend_close(b);
}
END_TEST

struct seen {
    struct backend *b;
    unsigned files, dirs, odd;
    uint64_t bytes;
    int answer;
};

static int see(const char *name, const struct backend_stat *st, void *arg, struct error *err)
{
    struct seen *s = arg;
    char path[64];
    char out[2];
    if (st->is_dir)
        s->dirs++;
    else
        s->files++;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        s->odd++;
    s->bytes += st->is_dir ? 0 : st->size;
    if (s->b != NULL && !st->is_dir) {
        (void)snprintf(path, sizeof path, "d/%s", name);
        int rc = backend_read(s->b, path, 0, out, 1, err);
        if (rc < 0)
            return rc;
    }
    return s->answer != 0 ? error_set(err, s->answer, "enough") : 0;
}

START_TEST(lists)
{
    struct backend *b = open_kind(_i);
    struct seen s = { .b = NULL };
    OK(backend_list(b, "", see, &s, &err));
    ck_assert_uint_eq(s.files + s.dirs, 0);
    OK(backend_make_dir(b, "d", 0755, &err));
    OK(backend_make_dir(b, "d/e", 0755, &err));
    OK(backend_make_dir(b, "da", 0755, &err));
    OK(backend_put(b, "d/e/deep", "xxx", 3, &err));
    for (int i = 0; i < 40; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "d/f%d", i);
        OK(backend_put(b, name, "xy", 2, &err));
    }
    s.b = b; /* the callback uses the same handle */
    OK(backend_list(b, "d", see, &s, &err));
    ck_assert_uint_eq(s.files, 40);
    ck_assert_uint_eq(s.dirs, 1);
    ck_assert_uint_eq(s.bytes, 80);
    s = (struct seen){ .b = NULL };
    OK(backend_list(b, "", see, &s, &err));
    ck_assert_uint_eq(s.files, 0);
    ck_assert_uint_eq(s.dirs, 2);
    ck_assert_uint_eq(s.odd, 0);
    s = (struct seen){ .b = NULL, .answer = E_CANCELLED };
    FAILS(E_CANCELLED, backend_list(b, "d", see, &s, &err));
    ck_assert_uint_eq(s.files + s.dirs, 1);
    backend_close(b);
}
END_TEST

START_TEST(makes_directories)
{
    struct backend *b = open_kind(_i);
    struct backend_stat st;
    OK(backend_make_dir(b, "d", 0755, &err));
    OK(backend_stat(b, "d", &st, &err));
    ck_assert(st.is_dir);
    FAILS(E_EXISTS, backend_make_dir(b, "d", 0755, &err));
    FAILS(E_EXISTS, backend_put(b, "d", "x", 1, &err));
    OK(backend_put(b, "d/f", "x", 1, &err));
    FAILS(E_EXISTS, backend_make_dir(b, "d/f", 0755, &err));
    struct error e = ERROR_INIT;
    ck_assert_int_lt(backend_put(b, "d/f/g", "x", 1, &e), 0);
    ck_assert_int_lt(backend_remove(b, "d", &e), 0);
    char out[4];
    ck_assert_int_lt(backend_read(b, "d", 0, out, 1, &e), 0);
    backend_close(b);
}
END_TEST

START_TEST(removes)
{
    struct backend *b = open_kind(_i);
    char out[4];
    OK(backend_put(b, "f", "old", 3, &err));
    OK(backend_read(b, "f", 0, out, 3, &err));
    OK(backend_remove(b, "f", &err));
    FAILS(E_NOT_FOUND, backend_read(b, "f", 0, out, 3, &err));
    FAILS(E_NOT_FOUND, backend_remove(b, "f", &err));
    OK(backend_put(b, "f", "new", 3, &err));
    OK(backend_read(b, "f", 0, out, 3, &err));
    ck_assert_mem_eq(out, "new", 3);
    backend_close(b);
}
END_TEST

START_TEST(clones_see_the_same)
{
    struct backend *b = open_kind(_i);
    struct error e = ERROR_INIT;
    char out[4];
    OK(backend_put(b, "f", "abc", 3, &err));
    struct backend *c = backend_clone(b, &e);
    ck_assert_msg(c != NULL, "%s", e.text);
    ck_assert_str_eq(backend_where(c), backend_where(b));
    backend_close(b);
    OK(backend_read(c, "f", 0, out, 3, &err));
    ck_assert_mem_eq(out, "abc", 3);
    OK(backend_put(c, "g", "abc", 3, &err));
    backend_close(c);
    backend_close(NULL);
}
END_TEST

START_TEST(tells_what_it_can_do)
{
    struct backend *b = open_kind(_i);
    struct backend_space space = { 0 };
    OK(backend_space(b, &space, &err));
    OK(backend_put(b, "f", "abc", 3, &err));
    ck_assert_uint_gt(space.total, 0);
    ck_assert_uint_ge(space.total, space.available);
    ck_assert(backend_caps(b) & BACKEND_SPACE);
    ck_assert(backend_caps(b) & BACKEND_FSYNC);
    ck_assert_int_eq((backend_caps(b) & BACKEND_LOCAL) != 0, _i != SFTP);
    backend_close(b);
}
END_TEST

START_TEST(files_cannot_be_written_again)
{
    char dir[HELP_PATH];
    char path[HELP_PATH + 8];
    struct stat st;
    struct backend *b = open_in(_i, dir);
    if (dir[0] != '\0') {
        OK(backend_put(b, "f", "abc", 3, &err));
        (void)snprintf(path, sizeof path, "%s/f", dir);
        ck_assert_int_eq(stat(path, &st), 0);
        /* Over SFTP the account's umask says who may read it: -u 0227 makes it 0440. */
        ck_assert_uint_eq(st.st_mode & (_i == SFTP ? 07333 : 07777), _i == SFTP ? 0 : 0440);
        /* A space check before anything is created. */
        FAILS(E_NO_SPACE, (backend_create(b, "huge", UINT64_C(1) << 60, &err) == NULL) ? err.code : 0);
        FAILS(E_NOT_FOUND, backend_remove(b, "huge", &err));
    }
    backend_close(b);
}
END_TEST

/* Each allocation of one put, read and list fails once; the backend stays usable and nothing leaks. */
START_TEST(survives_lack_of_memory)
{
    struct backend *b = open_kind(_i);
    bool done = false;
    OK(backend_make_dir(b, "d", 0755, &err));
    for (unsigned long n = 1; !done && n < 200; n++) {
        char name[32];
        char out[4];
        struct seen s = { .b = NULL };
        struct error e = ERROR_INIT;
        (void)snprintf(name, sizeof name, "d/f%lu", n);
        mem_fail_after(n);
        int rc = backend_put(b, name, "abc", 3, &e);
        if (rc == 0)
            rc = backend_read(b, name, 0, out, 3, &e);
        if (rc == 0)
            rc = backend_list(b, "", see, &s, &e); /* "d" would grow with n */
        mem_fail_after(0);
        ck_assert_msg(rc == 0 || rc == E_NOMEM, "%lu: %d %s", n, rc, e.text);
        done = rc == 0;
    }
    ck_assert(done);
    backend_close(b);
}
END_TEST

static Suite *suite(void)
{
    const struct {
        const char *name;
        const TTest *test;
    } rows[] = {
        { "stores", stores_and_reads },
        { "empty", stores_an_empty_file },
        { "exclusive", never_overwrites },
        { "torn", torn_upload_keeps_its_name },
        { "missing", says_what_is_missing },
        { "bounds", refuses_short_and_large },
        { "names", refuses_bad_names },
        { "streams", streams_pieces_of_any_size },
        { "reads", reads_of_any_size },
        { "parallel", clones_work_in_parallel },
        { "interleave", operations_interleave },
        { "list", lists },
        { "directories", makes_directories },
        { "remove", removes },
        { "clone", clones_see_the_same },
        { "abilities", tells_what_it_can_do },
        { "modes", files_cannot_be_written_again },
        { "memory", survives_lack_of_memory },
    };
    Suite *s = suite_create("backend contract");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TCase *t = tcase_create(rows[i].name);
        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, rows[i].test, 0, KINDS);
        suite_add_tcase(s, t);
    }
    return s;
}

int main(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (mkdtemp(scratch) == NULL)
        give_up("mkdtemp", strerror(errno));
    server_start(&server, NULL);
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    server_stop(&server);
    const char *args[] = { "rm", "-rf", "--", scratch, NULL };
    (void)run_program(args, NULL, 0);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
