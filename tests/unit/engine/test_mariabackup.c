/* The engine mariabackup: framing of its stream, what is refused of it, and the way back without a server. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buffer.h"
#include "common/base/str.h"
#include "common/engine/mariabackup/cnf.h"
#include "common/engine/mariabackup/internal.h"
#include "common/engine/mariabackup/mbstream.h"
#include "common/stream/stream.h"
#include "common/sys/child.h"

#include "common/base/banned.h"

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

/* ---- streams by hand ------------------------------------------------------------------------------------ */

static void put_number(struct buf *out, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)(v >> 8 * i);
        ck_assert_int_eq(buf_append(out, &byte, 1, NULL), 0);
    }
}

static void put(struct buf *out, const void *data, size_t len)
{
    ck_assert_int_eq(buf_append(out, data, len, NULL), 0);
}

/* CRC-32 as zlib has it, bit by bit. */
static uint32_t crc32_of(const uint8_t *p, size_t len)
{
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
    }
    return ~crc;
}

static void put_head(struct buf *out, char type, const char *path, size_t len)
{
    put(out, "XBSTCK01\0", 9);
    put(out, &type, 1);
    put_number(out, len, 4);
    put(out, path, len);
}

static void put_piece(struct buf *out, const char *path, uint64_t at, const char *data)
{
    put_head(out, 'P', path, strlen(path));
    put_number(out, strlen(data), 8);
    put_number(out, at, 8);
    put_number(out, crc32_of((const uint8_t *)data, strlen(data)), 4);
    put(out, data, strlen(data));
}

static void put_end(struct buf *out, const char *path)
{
    put_head(out, 'E', path, strlen(path));
}

static void put_file(struct buf *out, const char *path, const char *data)
{
    put_piece(out, path, 0, data);
    put_end(out, path);
}

static const char cnf[] = "# This options file\n\n[mysqld]\ninnodb_data_file_path=ibdata1:12M:autoextend\n"
                          "innodb_undo_directory=./\ninnodb_page_size=16384\n\n";

/* What mariabackup writes at the end. */
static void put_tail(struct buf *out)
{
    put_file(out, "xtrabackup_binlog_info", "bin.000001\t345\t0-1-7\n");
    put_file(out, "xtrabackup_checkpoints",
             "backup_type = full-backuped\nfrom_lsn = 0\nto_lsn = 12\nlast_lsn = 34\n");
    put_file(out, "backup-my.cnf", cnf);
    put_file(out, "xtrabackup_info",
             "tool_version = 10.11.19-MariaDB\nserver_version = 10.11.19-MariaDB-log\n");
}

static void put_good(struct buf *out)
{
    put_piece(out, "ibdata1", 0, "pages and ");
    put_piece(out, "ib_logfile0", 0, "redo");
    put_piece(out, "ibdata1", 10, "more");
    put_end(out, "ibdata1");
    put_end(out, "mysql/general_log.CSV"); /* empty: an end without a piece */
    put_piece(out, "ib_logfile0", 4, "more redo");
    put_end(out, "ib_logfile0");
    put_file(out, "shop/x@0024y.ibd", "rows");
    put_tail(out);
}

/* 0 or what refused it; the framing stays in *out when out is not NULL. */
static int look(const struct buf *s, size_t len, size_t step, struct mbstream **out, struct error *err)
{
    struct mbstream *m = mbstream_new(err);
    ck_assert_ptr_nonnull(m);
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < len; at += step)
        rc = mbstream_feed(m, s->data + at, len - at < step ? len - at : step, err);
    rc = rc < 0 ? rc : mbstream_end(m, err);
    if (out != NULL)
        *out = m;
    else
        mbstream_free(m);
    return rc;
}

START_TEST(a_whole_stream)
{
    struct buf s = BUF_INIT;
    put_good(&s);
    for (size_t step = 1; step <= s.len; step += step < 40 ? 1 : 97) {
        struct error err = ERROR_INIT;
        struct mbstream *m = NULL;
        int rc = look(&s, s.len, step, &m, &err);
        ck_assert_msg(rc == 0, "step %zu: %s", step, err.text);
        ck_assert_uint_eq(mbstream_files(m), 8);
        /* in the order of their names */
        ck_assert_str_eq(mbstream_file(m, 0).path, "backup-my.cnf");
        ck_assert_str_eq(mbstream_file(m, 1).path, "ib_logfile0");
        ck_assert_uint_eq(mbstream_file(m, 1).len, 13);
        ck_assert_str_eq(mbstream_file(m, 2).path, "ibdata1");
        ck_assert_uint_eq(mbstream_file(m, 2).len, 14);
        ck_assert_str_eq(mbstream_file(m, 3).path, "mysql/general_log.CSV");
        ck_assert_uint_eq(mbstream_file(m, 3).len, 0);
        ck_assert_str_eq(mbstream_small(m, "binlog_info"), "bin.000001\t345\t0-1-7\n");
        ck_assert_str_eq(mbstream_small(m, "none"), "");
        mbstream_free(m);
    }
    buf_free(&s);
}
END_TEST

START_TEST(cut_anywhere_it_is_not_whole)
{
    struct buf s = BUF_INIT;
    put_good(&s);
    for (size_t len = 0; len < s.len; len++) {
        struct error err = ERROR_INIT;
        int rc = look(&s, len, 4096, NULL, &err);
        ck_assert_msg(rc == E_CORRUPT && strstr(err.text, "ends early") != NULL, "%zu: %s", len, err.text);
    }
    buf_free(&s);
}
END_TEST

static const struct {
    const char *path;
    size_t len; /* 0: strlen */
    int code;
} hostile[] = {
    { "/etc/passwd", 0, E_CORRUPT },  { "../evil", 0, E_CORRUPT }, { "a/../../evil", 0, E_CORRUPT },
    { "a/..", 0, E_CORRUPT },         { "..", 0, E_CORRUPT },      { ".", 0, E_CORRUPT },
    { "./a", 0, E_CORRUPT },          { "a//b", 0, E_CORRUPT },    { "a/", 0, E_CORRUPT },
    { "a/./b", 0, E_CORRUPT },        { "a\nb", 0, E_CORRUPT },    { "a\033[2J", 0, E_CORRUPT },
    { "a\0/../../b", 10, E_CORRUPT }, { "//", 0, E_CORRUPT },      { "shop/t.isl", 0, E_UNSUPPORTED },
    { "t.isl", 0, E_UNSUPPORTED },
};

START_TEST(names_that_must_not_be)
{
    struct buf s = BUF_INIT;
    struct error err = ERROR_INIT;
    put_file(&s, "ibdata1", "x");
    put_head(&s, 'E', hostile[_i].path, hostile[_i].len != 0 ? hostile[_i].len : strlen(hostile[_i].path));
    put_tail(&s);
    int rc = look(&s, s.len, 7, NULL, &err);
    ck_assert_msg(rc == hostile[_i].code, "%d: %s", rc, err.text);
    ck_assert(strchr(err.text, '\n') == NULL && strchr(err.text, '\033') == NULL);
    buf_free(&s);
}
END_TEST

static void spoil(struct buf *s, int how)
{
    char path[600];
    memset(path, 'a', sizeof path);
    switch (how) {
    case 0: /* no magic */
        put(s, "XBSTCK02\0E\1\0\0\0a", 15);
        break;
    case 1: /* flags */
        put(s, "XBSTCK01\1E\1\0\0\0a", 15);
        break;
    case 2: /* type */
        put(s, "XBSTCK01\0S\1\0\0\0a", 15);
        break;
    case 3: /* no path */
        put(s, "XBSTCK01\0E\0\0\0\0", 14);
        break;
    case 4: /* too long a path */
        put_head(s, 'E', path, MBSTREAM_PATH_MAX + 1);
        break;
    case 5: /* a path of 4 GiB */
        put(s, "XBSTCK01\0E\xff\xff\xff\xff", 14);
        break;
    case 6: /* a hole */
        put_piece(s, "t", 5, "x");
        break;
    case 7: /* back */
        put_piece(s, "t", 0, "x");
        put_piece(s, "t", 0, "x");
        break;
    case 8: /* twice */
        put_file(s, "t", "x");
        put_file(s, "t", "x");
        break;
    case 9: /* a length beyond everything */
        put_head(s, 'P', "t", 1);
        put_number(s, UINT64_MAX, 8);
        put_number(s, 0, 8);
        put_number(s, 0, 4);
        break;
    default: /* a small file that is none */
        put_head(s, 'P', "xtrabackup_info", 15);
        put_number(s, MBSTREAM_SMALL_MAX + 1, 8);
        put_number(s, 0, 8);
        put_number(s, 0, 4);
        break;
    }
}

START_TEST(chunks_that_make_no_sense)
{
    struct buf s = BUF_INIT;
    struct error err = ERROR_INIT;
    spoil(&s, _i);
    put_tail(&s);
    int rc = look(&s, s.len, 3, NULL, &err);
    ck_assert_msg(rc == E_CORRUPT && strstr(err.text, "ends early") == NULL, "%d: %s", rc, err.text);
    buf_free(&s);
}
END_TEST

static const struct {
    const char *text;
    bool good;
} options[] = {
    { cnf, true },
    { "", true },
    { "innodb_x\n", true },
    { "innodb_data_file_path=ibdata1:12M;ibdata2:10M:autoextend", true },
    { "innodb_data_file_path=/srv/ibdata1:12M\n", false },
    { "innodb_undo_directory=../x\n", false },
    { "innodb_undo_directory=..\n", false },
    { "innodb_log_group_home_dir=a/b\n", false },
    { "plugin_load=file_key_management.so\n", false },
    { "plugin-dir=/x\n", false },
    { "[mysqld]\ndatadir=./\n", false },
    { "!include /etc/x\n", false },
    { "[client]\n", false },
    { " innodb_page_size=1\n", false },
    { "innodb_x=a\r\n", false },
};

START_TEST(options_of_the_backup)
{
    struct error err = ERROR_INIT;
    int rc = cnf_check(options[_i].text, strlen(options[_i].text), &err);
    ck_assert_int_eq(rc, options[_i].good ? 0 : E_UNSUPPORTED);
    ck_assert_int_eq(cnf_check("a\0b", 3, NULL), E_CORRUPT);
}
END_TEST

START_TEST(series_of_versions)
{
    char out[MB_SERIES_MAX];
    ck_assert_str_eq(mb_series("10.11.19-MariaDB-0+deb12u1-log", out), "10.11");
    ck_assert_str_eq(mb_series("11.4.2-MariaDB", out), "11.4");
    ck_assert_str_eq(mb_series("8.0.36", out), "");
    ck_assert_str_eq(mb_series("MariaDB", out), "");
    ck_assert_str_eq(mb_series("", out), "");
}
END_TEST

/* ---- the way back --------------------------------------------------------------------------------------- */

static struct source *open_stream(void *arg, const char *name, struct error *err)
{
    const struct buf *s = arg;
    ck_assert_str_eq(name, MB_STREAM);
    return source_memory(s->data, s->len, err);
}

static int restore_to(const char *to, struct buf *s, const char *facts, struct error *err)
{
    const struct engine *e = engine_find("mariabackup", NULL);
    struct engine_streams streams = { .open = open_stream, .arg = s };
    struct engine_target target = { .to = to, .facts = facts };
    ck_assert_ptr_nonnull(e);
    int rc = e->look(&target, err);
    return rc < 0 ? rc : e->restore(&streams, &target, err);
}

static const char good_facts[] = "source=mariabackup\ntool_version=10.11.19-MariaDB\n";

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static char dir[] = "/tmp/mariabackup-test-XXXXXX";
static char to[128];

static void make_dir(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(to, sizeof to, "%s/data", dir);
}

static void remove_dir(void)
{
    const char *const argv[] = { "rm", "-rf", "--", dir, NULL };
    ck_assert_int_eq(child_run(argv, NULL, NULL, 0, NULL), 0);
}

START_TEST(a_hostile_stream_writes_nothing)
{
    struct buf s = BUF_INIT;
    struct error err = ERROR_INIT;
    make_dir();
    put_file(&s, "ibdata1", "x");
    put_head(&s, 'P', hostile[_i].path, hostile[_i].len != 0 ? hostile[_i].len : strlen(hostile[_i].path));
    put_number(&s, 0, 8);
    put_number(&s, 0, 8);
    put_number(&s, 0, 4);
    put_tail(&s);
    ck_assert_int_eq(restore_to(to, &s, good_facts, &err), hostile[_i].code);
    ck_assert_msg(!exists(to), "%s", err.text);
    buf_free(&s);
    remove_dir();
}
END_TEST

/* Pages that are none: mbstream is content, prepare is not. */
START_TEST(what_cannot_be_prepared_is_marked)
{
    struct buf s = BUF_INIT;
    struct error err = ERROR_INIT;
    char work[160];
    make_dir();
    put_good(&s);
    int rc = restore_to(to, &s, good_facts, &err);
    ck_assert_int_eq(rc, E_IO);
    ck_assert_msg(strstr(err.text, "mariabackup --prepare") != NULL &&
                      strstr(err.text, "of no use: remove it"),
                  "%s", err.text);
    (void)snprintf(work, sizeof work, "%s/" MB_INCOMPLETE, to);
    ck_assert(exists(work));
    (void)snprintf(work, sizeof work, "%s/ibdata1", to);
    ck_assert(!exists(work));
    error_clear(&err);
    ck_assert_int_eq(restore_to(to, &s, good_facts, &err), E_EXISTS);
    ck_assert_msg(strstr(err.text, "what a restore that failed left. Remove that") != NULL, "%s", err.text);
    buf_free(&s);
    remove_dir();
}
END_TEST

/* mbstream checks the sums of the pieces. */
START_TEST(a_piece_with_a_wrong_sum)
{
    struct buf s = BUF_INIT;
    struct error err = ERROR_INIT;
    make_dir();
    put_good(&s);
    uint8_t *at = memmem(s.data, s.len, "pages and", 9);
    ck_assert_ptr_nonnull(at);
    *at ^= 1;
    ck_assert_int_eq(restore_to(to, &s, good_facts, &err), E_IO);
    ck_assert_msg(strstr(err.text, "taking the stream apart") != NULL && strstr(err.text, "checksum") != NULL,
                  "%s", err.text);
    buf_free(&s);
    remove_dir();
}
END_TEST

/* The stream ends in the middle, with an error of the storage: that is the news, not what mbstream says then. */
static int64_t broken_read(struct source *src, void *data, size_t cap, struct error *err)
{
    (void)src;
    static bool begun;
    struct buf s = BUF_INIT;
    begun = !begun;
    if (!begun)
        return error_set(err, E_IO, "the storage does not answer");
    put_good(&s);
    ck_assert_uint_gt(cap, 100);
    memcpy(data, s.data, 100);
    buf_free(&s);
    return 100;
}

static void broken_free(struct source *src)
{
    (void)src;
}

static struct source *open_broken(void *arg, const char *name, struct error *err)
{
    static struct source broken = { .read = broken_read, .free = broken_free };
    (void)arg;
    (void)name;
    (void)err;
    return &broken;
}

START_TEST(a_source_that_breaks_is_told)
{
    struct engine_streams streams = { .open = open_broken };
    struct error err = ERROR_INIT;
    make_dir();
    struct engine_target target = { .to = to, .facts = good_facts };
    ck_assert_int_eq(engine_find("mariabackup", NULL)->restore(&streams, &target, &err), E_IO);
    ck_assert_msg(strstr(err.text, "the storage does not answer") != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "mbstream") == NULL, "%s", err.text);
    remove_dir();
}
END_TEST

START_TEST(targets_that_make_no_sense)
{
    struct buf s = BUF_INIT;
    struct error err = ERROR_INIT;
    char path[200];
    make_dir();
    put_good(&s);
    ck_assert_int_eq(restore_to("/etc/passwd", &s, good_facts, &err), E_EXISTS);
    ck_assert_int_eq(restore_to("/etc", &s, good_facts, &err), E_EXISTS);
    ck_assert_msg(strstr(err.text, "/etc is not empty") != NULL, "%s", err.text);
    (void)snprintf(path, sizeof path, "%s/none/data", dir);
    ck_assert_int_eq(restore_to(path, &s, good_facts, &err), E_NOT_FOUND);
    (void)snprintf(path, sizeof path, "%s/link", dir);
    ck_assert_int_eq(symlink("/tmp", path), 0);
    ck_assert_int_eq(restore_to(path, &s, good_facts, &err), E_EXISTS);
    ck_assert_int_eq(restore_to(to, &s, "source=mariabackup\n", &err), E_CORRUPT);
    ck_assert_int_eq(restore_to(to, &s, "tool_version=5.5.1-MariaDB\n", &err), E_UNSUPPORTED);
    ck_assert_msg(strstr(err.text, "install the package mariadb-backup of release 5.5") != NULL, "%s",
                  err.text);
    ck_assert(!exists(to));
    buf_free(&s);
    remove_dir();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine/mariabackup");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_whole_stream);
    tcase_add_test(t, cut_anywhere_it_is_not_whole);
    tcase_add_loop_test(t, names_that_must_not_be, 0, COUNT(hostile));
    tcase_add_loop_test(t, chunks_that_make_no_sense, 0, 11);
    tcase_add_loop_test(t, options_of_the_backup, 0, COUNT(options));
    tcase_add_test(t, series_of_versions);
    tcase_add_loop_test(t, a_hostile_stream_writes_nothing, 0, COUNT(hostile));
    tcase_add_test(t, what_cannot_be_prepared_is_marked);
    tcase_add_test(t, a_piece_with_a_wrong_sum);
    tcase_add_test(t, a_source_that_breaks_is_told);
    tcase_add_test(t, targets_that_make_no_sense);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
