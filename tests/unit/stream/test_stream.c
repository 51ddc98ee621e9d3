/* Sources and sinks over memory and descriptors, and the copy between them. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/stream/stream.h"
#include "common/base/banned.h"

START_TEST(memory_source_gives_everything_once)
{
    char out[8];
    struct source *s = source_memory("hello", 5, NULL);
    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(source_read(s, out, 2, NULL), 2);
    ck_assert_int_eq(source_read(s, out + 2, 6, NULL), 3);
    ck_assert_mem_eq(out, "hello", 5);
    ck_assert_int_eq(source_read(s, out, 8, NULL), 0);
    ck_assert_int_eq(source_read(s, out, 8, NULL), 0);
    source_free(s);
    source_free(NULL);
    s = source_memory(NULL, 0, NULL);
    ck_assert_int_eq(source_read(s, out, 8, NULL), 0);
    source_free(s);
}
END_TEST

START_TEST(read_full)
{
    char out[8];
    struct error err = ERROR_INIT;
    struct source *s = source_memory("hello!", 6, NULL);
    ck_assert_int_eq(source_read_full(s, out, 0, &err), 0);
    ck_assert_int_eq(source_read_full(s, out, 4, &err), 0);
    ck_assert_int_eq(source_read_full(s, out, 4, &err), E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "2 of 4"));
    source_free(s);
}
END_TEST

static uint8_t big[1 << 20];

static void fill_big(void)
{
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 31 + (i >> 9));
}

START_TEST(copy_into_a_buffer)
{
    struct buf out = BUF_INIT;
    uint64_t copied = 7;
    fill_big();
    struct source *src = source_memory(big, sizeof big, NULL);
    struct sink *snk = sink_buffer(&out, NULL);
    ck_assert_int_eq(stream_copy(src, snk, &copied, NULL), 0);
    ck_assert_int_eq(sink_finish(snk, NULL), 0);
    ck_assert_uint_eq(copied, sizeof big);
    ck_assert_uint_eq(out.len, sizeof big);
    ck_assert_mem_eq(out.data, big, sizeof big);
    source_free(src);
    sink_free(snk);
    buf_free(&out);
    sink_free(NULL);
}
END_TEST

START_TEST(file_and_back)
{
    char path[] = "/tmp/test-stream-XXXXXX";
    struct buf out = BUF_INIT;
    int fd = mkostemp(path, O_CLOEXEC);
    fill_big();
    struct source *src = source_memory(big, sizeof big, NULL);
    struct sink *snk = sink_fd(fd, 1, 1, path, NULL);
    ck_assert_int_eq(stream_copy(src, snk, NULL, NULL), 0);
    ck_assert_int_eq(sink_finish(snk, NULL), 0);
    sink_free(snk);
    source_free(src);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1); /* owned: closed */
    fd = open(path, O_RDONLY | O_CLOEXEC);
    src = source_fd(fd, 0, path, NULL);
    snk = sink_buffer(&out, NULL);
    ck_assert_int_eq(stream_copy(src, snk, NULL, NULL), 0);
    source_free(src);
    sink_free(snk);
    ck_assert_int_ge(fcntl(fd, F_GETFD), 0); /* not owned: still open */
    (void)close(fd);
    ck_assert_uint_eq(out.len, sizeof big);
    ck_assert_mem_eq(out.data, big, sizeof big);
    buf_free(&out);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(errors_name_the_file)
{
    struct error err = ERROR_INIT;
    char byte;
    int ends[2];
    struct source *src = source_fd(-1, 0, "the source", NULL);
    ck_assert_int_eq(source_read(src, &byte, 1, &err), E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "the source"));
    source_free(src);
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    (void)close(ends[0]);
    struct sink *snk = sink_fd(ends[1], 1, 1, "the pipe", NULL);
    ck_assert_int_lt(sink_write(snk, "x", 1, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "the pipe"));
    sink_free(snk);
    snk = sink_fd(-1, 0, 1, "nothing", NULL);
    ck_assert_int_eq(sink_write(snk, "", 0, &err), 0);
    ck_assert_int_eq(sink_finish(snk, &err), E_IO);
    sink_free(snk);
}
END_TEST

START_TEST(pipe_is_finished_without_fsync)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    struct sink *snk = sink_fd(ends[1], 1, 1, "pipe", NULL);
    ck_assert_int_eq(sink_write(snk, "x", 1, NULL), 0);
    ck_assert_int_eq(sink_finish(snk, NULL), 0);
    sink_free(snk);
    (void)close(ends[0]);
}
END_TEST

static int64_t failing_read(struct source *s, void *data, size_t cap, struct error *err)
{
    (void)s;
    (void)data;
    (void)cap;
    return error_set(err, E_RETRY, "lost");
}

static int failing_write(struct sink *s, const void *data, size_t len, struct error *err)
{
    (void)s;
    (void)data;
    (void)len;
    return error_set(err, E_NO_SPACE, "full");
}

START_TEST(copy_passes_failures_on)
{
    struct error err = ERROR_INIT;
    struct source bad_source = { .read = failing_read };
    struct sink bad_sink = { .write = failing_write };
    uint64_t copied = 9;
    struct sink *null = sink_null(NULL);
    struct source *some = source_memory("x", 1, NULL);
    ck_assert_int_eq(stream_copy(&bad_source, null, &copied, &err), E_RETRY);
    ck_assert_uint_eq(copied, 0);
    ck_assert_int_eq(stream_copy(some, &bad_sink, &copied, &err), E_NO_SPACE);
    ck_assert_str_eq(err.text, "full");
    source_free(some);
    sink_free(null);
}
END_TEST

START_TEST(null_sink_takes_everything)
{
    struct sink *null = sink_null(NULL);
    ck_assert_int_eq(sink_write(null, "abc", 3, NULL), 0);
    ck_assert_int_eq(sink_finish(null, NULL), 0);
    sink_free(null);
}
END_TEST

START_TEST(no_memory)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    mem_fail_after(1);
    ck_assert_ptr_null(source_memory("x", 1, &err));
    mem_fail_after(1);
    ck_assert_ptr_null(sink_buffer(&out, &err));
    mem_fail_after(1);
    ck_assert_ptr_null(sink_null(&err));
    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_after(n);
        ck_assert_ptr_null(source_fd(0, 0, "x", &err));
        mem_fail_after(n);
        ck_assert_ptr_null(sink_fd(0, 0, 0, "x", &err));
    }
    ck_assert_int_eq(err.code, E_NOMEM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *all = tcase_create("all");
    tcase_add_test(all, memory_source_gives_everything_once);
    tcase_add_test(all, read_full);
    tcase_add_test(all, copy_into_a_buffer);
    tcase_add_test(all, file_and_back);
    tcase_add_test(all, errors_name_the_file);
    tcase_add_test(all, pipe_is_finished_without_fsync);
    tcase_add_test(all, copy_passes_failures_on);
    tcase_add_test(all, null_sink_takes_everything);
    tcase_add_test(all, no_memory);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
