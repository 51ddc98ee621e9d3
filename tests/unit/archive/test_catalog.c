/* The catalog: round trips in any locale, equal bytes, and what a reader refuses. */
#include <archive.h>
#include <archive_entry.h>
#include <check.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/archive/catalog.h"
#include "common/base/alloc.h"
#include "common/base/buffer.h"

#include "common/base/banned.h"

static const char body_text[] = "eighty-four bytes and facts, or so";
static char long_path[3000];

static struct catalog_entry entry_of(const char *path, enum catalog_type type, const char *target)
{
    return (struct catalog_entry){ .path = path,
                                   .type = type,
                                   .mode = 0640,
                                   .uid = 1000,
                                   .gid = 1000,
                                   .uname = "ann",
                                   .gname = "\xc3\xa4lte",
                                   .mtime = 1700000000,
                                   .mtime_nsec = 123456789,
                                   .target = target };
}

enum { MEMBERS = 12 };

static void make_members(struct catalog_entry *m)
{
    memset(long_path, 'p', sizeof long_path - 1);
    for (size_t i = 50; i < sizeof long_path; i += 50)
        long_path[i] = '/';
    long_path[sizeof long_path - 2] = 'q';
    size_t n = 0;
    m[n++] = entry_of("-dash", CATALOG_REGULAR, NULL);
    m[n++] = entry_of("a\nb\tc", CATALOG_REGULAR, NULL);
    m[n++] = entry_of("dir", CATALOG_DIR, NULL);
    m[n] = entry_of("dir/file", CATALOG_REGULAR, NULL);
    m[n].body = body_text;
    m[n++].body_len = sizeof body_text;
    m[n++] = entry_of("dir/hard", CATALOG_HARDLINK, "dir/file");
    m[n++] = entry_of("dir/soft", CATALOG_SYMLINK, "../../etc/\xff passwd");
    m[n] = entry_of("nobody", CATALOG_REGULAR, NULL);
    m[n].uname = m[n].gname = NULL;
    m[n].uid = m[n].gid = INT64_MAX;
    m[n].mtime = -5;
    m[n++].mode = 07777;
    m[n++] = entry_of(long_path, CATALOG_REGULAR, NULL);
    m[n++] = entry_of("u\x61\xcc\x88 decomposed", CATALOG_DIR, NULL);
    m[n++] = entry_of("u\xc3\xa4 composed", CATALOG_DIR, NULL);
    m[n++] = entry_of("z\xf0\x9f\x98\x80", CATALOG_SYMLINK, "\xf0\x9f\x98\x80");
    m[n++] = entry_of("\xff\xfe not UTF-8", CATALOG_REGULAR, NULL);
    ck_assert_uint_eq(n, MEMBERS);
}

static struct buf write_members(const struct catalog_entry *m, size_t n)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    struct sink *sink = sink_buffer(&out, &err);
    struct catalog_writer *w = catalog_writer_new(sink, &err);
    ck_assert_msg(w != NULL, "%s", err.text);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(catalog_add(w, &m[i], &err) == 0, "%s", err.text);
    ck_assert_msg(catalog_writer_finish(w, &err) == 0, "%s", err.text);
    catalog_writer_free(w);
    sink_free(sink);
    return out;
}

/* Reads everything; the code at the end. */
static int read_through(const void *data, size_t len, uint64_t *members, struct error *err)
{
    struct catalog_entry e;
    struct source *src = source_memory(data, len, NULL);
    struct catalog_reader *r = catalog_reader_new(src, err);
    int rc = r == NULL ? err->code : 1;
    while (r != NULL && (rc = catalog_next(r, &e, err)) == 1) {
        ck_assert_uint_gt(strlen(e.path), 0);
        if (members != NULL)
            (*members)++;
    }
    if (rc == 0)
        ck_assert_int_eq(catalog_next(r, &e, err), 0);
    catalog_reader_free(r);
    source_free(src);
    return rc;
}

static void assert_text(const char *a, const char *b)
{
    ck_assert_int_eq(a == NULL, b == NULL);
    if (a != NULL)
        ck_assert_str_eq(a, b);
}

static const char *const locales[] = { "C", "C.UTF-8", "POSIX" };

START_TEST(members_come_back_in_any_locale)
{
    struct error err = ERROR_INIT;
    struct catalog_entry m[MEMBERS];
    struct catalog_entry e;
    make_members(m);
    ck_assert_ptr_nonnull(setlocale(LC_ALL, locales[_i]));
    struct buf b = write_members(m, MEMBERS);
    struct source *src = source_memory(b.data, b.len, NULL);
    struct catalog_reader *r = catalog_reader_new(src, &err);
    for (size_t i = 0; i < MEMBERS; i++) {
        ck_assert_msg(catalog_next(r, &e, &err) == 1, "%zu: %s", i, err.text);
        ck_assert_str_eq(e.path, m[i].path);
        ck_assert_int_eq(e.type, m[i].type);
        ck_assert_uint_eq(e.uid, m[i].uid);
        ck_assert_uint_eq(e.gid, m[i].gid);
        assert_text(e.uname, m[i].uname);
        assert_text(e.gname, m[i].gname);
        ck_assert_int_eq(e.mtime, m[i].mtime);
        ck_assert_uint_eq(e.mtime_nsec, m[i].mtime_nsec);
        ck_assert_uint_eq(e.mode, m[i].mode);
        assert_text(e.target, m[i].target);
        ck_assert_uint_eq(e.body_len, m[i].body_len);
        if (e.body_len > 0)
            ck_assert_mem_eq(e.body, m[i].body, e.body_len);
    }
    ck_assert_msg(catalog_next(r, &e, &err) == 0, "%s", err.text);
    catalog_reader_free(r);
    source_free(src);
    buf_free(&b);
}
END_TEST

START_TEST(equal_entries_give_equal_bytes)
{
    struct catalog_entry m[MEMBERS];
    make_members(m);
    struct buf first = write_members(m, MEMBERS);
    ck_assert_uint_eq(first.len % 512, 0);
    ck_assert_ptr_nonnull(setlocale(LC_ALL, "C.UTF-8"));
    ck_assert_int_eq(setenv("TZ", "Pacific/Auckland", 1), 0);
    struct buf second = write_members(m, MEMBERS);
    ck_assert_uint_eq(first.len, second.len);
    ck_assert_mem_eq(first.data, second.data, first.len);
    static const char *const absent[] = { "atime", "ctime", "SCHILY", "LIBARCHIVE", "GNU." };
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        ck_assert_ptr_null(memmem(first.data, first.len, absent[i], strlen(absent[i])));
    buf_free(&first);
    buf_free(&second);
}
END_TEST

/* Names and values of any bytes; what libarchive makes of them in between is its own business. */
START_TEST(attributes_come_back_byte_for_byte)
{
    static char large[CATALOG_XATTR_VALUE_MAX];
    static char long_name[CATALOG_XATTR_NAME_MAX + 1];
    static const char binary[] = "\0\xff=\n\r %41";
    struct error err = ERROR_INIT;
    struct catalog_entry e;
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 7919 >> 3);
    memset(long_name, 'n', sizeof long_name - 1);
    struct catalog_xattr x[] = {
        { "system.posix_acl_access", "\2\0\0\0", 4 },
        { "user.", "", 0 },
        { "user.=\n%41 \xff", binary, sizeof binary },
        { "user.large", large, sizeof large },
        { "user.o", "1", 1 },
        { "user.oo", "12", 2 },
        { "user.ooo", "123", 3 },
    };
    x[1].name = long_name;
    struct catalog_xattr sorted[] = { x[1], x[0], x[2], x[3], x[4], x[5], x[6] };
    struct catalog_entry m[] = { entry_of("d", CATALOG_DIR, NULL), entry_of("d/f", CATALOG_REGULAR, NULL),
                                 entry_of("e", CATALOG_REGULAR, NULL) };
    for (int i = 0; i < 2; i++) {
        m[i].xattrs = sorted;
        m[i].nxattrs = sizeof sorted / sizeof sorted[0];
    }
    struct buf b = write_members(m, 3);
    struct buf again = write_members(m, 3);
    ck_assert_uint_eq(b.len, again.len);
    ck_assert_mem_eq(b.data, again.data, b.len);
    ck_assert_ptr_null(memmem(b.data, b.len, "SCHILY", 6));
    struct source *src = source_memory(b.data, b.len, NULL);
    struct catalog_reader *r = catalog_reader_new(src, &err);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_msg(catalog_next(r, &e, &err) == 1, "%s", err.text);
        ck_assert_uint_eq(e.nxattrs, m[i].nxattrs);
        struct catalog_entry *copy = catalog_entry_copy(&e, &err);
        ck_assert_str_eq(copy->path, m[i].path);
        ck_assert_str_eq(copy->uname, "ann");
        for (size_t k = 0; k < e.nxattrs; k++) {
            ck_assert_str_eq(copy->xattrs[k].name, sorted[k].name);
            ck_assert_uint_eq(copy->xattrs[k].len, sorted[k].len);
            if (sorted[k].len != 0)
                ck_assert_mem_eq(copy->xattrs[k].value, sorted[k].value, sorted[k].len);
        }
        free(copy);
    }
    ck_assert_int_eq(catalog_next(r, &e, &err), 0);
    catalog_reader_free(r);
    source_free(src);
    buf_free(&b);
    buf_free(&again);
}
END_TEST

START_TEST(attributes_out_of_order_or_range_are_mistakes)
{
    static char large[CATALOG_XATTR_VALUE_MAX + 1];
    static char long_name[CATALOG_XATTR_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    struct catalog_xattr lists[][2] = {
        { { "user.b", "", 0 }, { "user.a", "", 0 } },
        { { "user.a", "", 0 }, { "user.a", "", 0 } },
        { { "", "", 0 }, { "user.a", "", 0 } },
        { { "user.a", large, sizeof large }, { "user.b", "", 0 } },
        { { long_name, "", 0 }, { "user.b", "", 0 } },
    };
    for (size_t i = 0; i <= sizeof lists / sizeof lists[0]; i++) {
        struct error err = ERROR_INIT;
        struct buf out = BUF_INIT;
        struct sink *sink = sink_buffer(&out, &err);
        struct catalog_writer *w = catalog_writer_new(sink, &err);
        bool link = i == sizeof lists / sizeof lists[0]; /* these have none */
        struct catalog_entry e = entry_of("m", link ? CATALOG_SYMLINK : CATALOG_DIR, link ? "x" : NULL);
        struct catalog_xattr good = { "user.a", "x", 1 };
        e.xattrs = link ? &good : lists[i];
        e.nxattrs = link ? 1 : 2;
        ck_assert_msg(catalog_add(w, &e, &err) == E_INTERNAL, "case %zu", i);
        catalog_writer_free(w);
        sink_free(sink);
        buf_free(&out);
    }
}
END_TEST

START_TEST(an_empty_catalog_is_one)
{
    struct error err = ERROR_INIT;
    uint64_t n = 0;
    struct buf b = write_members(NULL, 0);
    ck_assert_uint_eq(b.len, 1024);
    ck_assert_int_eq(read_through(b.data, b.len, &n, &err), 0);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(read_through(b.data, 0, &n, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, CATALOG_E_TRUNCATED);
    buf_free(&b);
}
END_TEST

START_TEST(the_writer_refuses_mistakes)
{
    struct catalog_entry bad[20];
    size_t n = 0;
    bad[n++] = entry_of("m", CATALOG_DIR, NULL); /* not after "m" */
    bad[n++] = entry_of("a", CATALOG_DIR, NULL);
    static const char *const paths[] = { "", "/n", "n/", "n//x", "n/./x", "n/..", "n\0x" };
    for (size_t i = 0; i < 6; i++)
        bad[n++] = entry_of(paths[i], CATALOG_DIR, NULL);
    bad[n++] = entry_of("n", CATALOG_SYMLINK, NULL);
    bad[n++] = entry_of("n", CATALOG_SYMLINK, "");
    bad[n++] = entry_of("n", CATALOG_HARDLINK, "/x");
    bad[n++] = entry_of("n", CATALOG_HARDLINK, "o"); /* comes later */
    bad[n++] = entry_of("n", CATALOG_REGULAR, "x");
    bad[n] = entry_of("n", CATALOG_DIR, NULL);
    bad[n++].body_len = 1;
    bad[n] = entry_of("n", CATALOG_REGULAR, NULL);
    bad[n++].body_len = CATALOG_BODY_MAX + 1;
    bad[n] = entry_of("n", CATALOG_REGULAR, NULL);
    bad[n++].mode = 010000;
    for (size_t i = 0; i < n; i++) {
        struct error err = ERROR_INIT;
        struct buf out = BUF_INIT;
        struct sink *sink = sink_buffer(&out, &err);
        struct catalog_writer *w = catalog_writer_new(sink, &err);
        struct catalog_entry good = entry_of("m", CATALOG_DIR, NULL);
        ck_assert_int_eq(catalog_add(w, &good, &err), 0);
        ck_assert_msg(catalog_add(w, &bad[i], &err) == E_INTERNAL, "case %zu", i);
        catalog_writer_free(w);
        sink_free(sink);
        /* Without finish there is no end marker. */
        ck_assert_int_lt(read_through(out.data, out.len, NULL, &err), 0);
        buf_free(&out);
    }
}
END_TEST

static la_ssize_t foreign_write(struct archive *a, void *arg, const void *data, size_t len)
{
    (void)a;
    return buf_append(arg, data, len, NULL) == 0 ? (la_ssize_t)len : -1;
}

/* Members made by libarchive without our checks. */
struct foreign {
    const char *path;
    unsigned type;
    const char *hardlink;
    long long size;
    const char *fault; /* the name of the violation, or NULL */
    int sparse;
};

static struct buf write_foreign(const struct foreign *f, size_t n, int (*format)(struct archive *))
{
    struct buf out = BUF_INIT;
    static char zeros[4096];
    struct archive *a = archive_write_new();
    ck_assert_int_eq(format(a), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_open(a, &out, NULL, foreign_write, NULL), ARCHIVE_OK);
    for (size_t i = 0; i < n; i++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, f[i].path);
        archive_entry_set_filetype(e, f[i].type);
        archive_entry_set_perm(e, 0644);
        archive_entry_set_size(e, f[i].size);
        if (f[i].type == AE_IFLNK)
            archive_entry_set_symlink(e, "x");
        if (f[i].hardlink != NULL)
            archive_entry_set_hardlink(e, f[i].hardlink);
        if (f[i].sparse)
            archive_entry_sparse_add_entry(e, 4096, 512);
        ck_assert_int_ge(archive_write_header(a, e), ARCHIVE_WARN);
        for (long long left = f[i].size; left > 0; left -= 4096)
            (void)archive_write_data(a, zeros, left < 4096 ? (size_t)left : 4096);
        archive_entry_free(e);
    }
    ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
    (void)archive_write_free(a);
    return out;
}

static const struct foreign foreign[] = {
    { "plain", AE_IFREG, NULL, 10, NULL, 0 },
    { "./plain", AE_IFREG, NULL, 0, CATALOG_E_PATH, 0 },
    { "dir", AE_IFDIR, NULL, 0, NULL, 0 },
    { "link", AE_IFLNK, NULL, 0, NULL, 0 },
    { "hard", AE_IFREG, "first", 0, NULL, 0 },
    { "hard", AE_IFREG, "missing", 0, CATALOG_E_LINK, 0 },
    { "hard", AE_IFREG, "folder", 0, CATALOG_E_LINK, 0 },
    { "hard", AE_IFREG, "hard", 0, CATALOG_E_LINK, 0 },
    { "/etc/passwd", AE_IFREG, NULL, 0, CATALOG_E_PATH, 0 },
    { "a/../b", AE_IFREG, NULL, 0, CATALOG_E_PATH, 0 },
    { "..", AE_IFDIR, NULL, 0, CATALOG_E_PATH, 0 },
    { ".", AE_IFDIR, NULL, 0, CATALOG_E_PATH, 0 },
    { "/", AE_IFDIR, NULL, 0, CATALOG_E_PATH, 0 },
    { "a//b", AE_IFREG, NULL, 0, CATALOG_E_PATH, 0 },
    { "first", AE_IFREG, NULL, 0, CATALOG_E_DUPLICATE, 0 },
    { "folder", AE_IFREG, NULL, 0, CATALOG_E_DUPLICATE, 0 },
    { "tty", AE_IFCHR, NULL, 0, CATALOG_E_TYPE, 0 },
    { "disk", AE_IFBLK, NULL, 0, CATALOG_E_TYPE, 0 },
    { "pipe", AE_IFIFO, NULL, 0, CATALOG_E_TYPE, 0 },
    { "big", AE_IFREG, NULL, 1 << 20, NULL, 0 },
    { "big", AE_IFREG, NULL, (1 << 20) + 1, CATALOG_E_LIMIT, 0 },
    { "holes", AE_IFREG, NULL, 100000, CATALOG_E_TYPE, 1 },
};
enum { FOREIGN = sizeof foreign / sizeof foreign[0] };

static int (*const formats[])(struct archive *) = { archive_write_set_format_pax,
                                                    archive_write_set_format_ustar,
                                                    archive_write_set_format_gnutar };

START_TEST(foreign_archives_are_taken_or_refused)
{
    for (size_t f = 0; f < 3; f++) {
        if (foreign[_i].sparse && f > 0)
            continue;
        struct error err = ERROR_INIT;
        struct foreign m[3] = { { "first", AE_IFREG, NULL, 3, NULL, 0 },
                                { "folder", AE_IFDIR, NULL, 0, NULL, 0 },
                                foreign[_i] };
        struct buf b = write_foreign(m, 3, formats[f]);
        int rc = read_through(b.data, b.len, NULL, &err);
        if (foreign[_i].fault == NULL) {
            ck_assert_msg(rc == 0, "%s: %s", foreign[_i].path, err.text);
        } else {
            ck_assert_msg(rc == E_CORRUPT, "%s: %d", foreign[_i].path, rc);
            ck_assert_str_eq(err.name, foreign[_i].fault);
        }
        buf_free(&b);
    }
}
END_TEST

/* A pax member by hand: one extended header with the record's bytes, then a file. */
static void put_block(struct buf *b, const char *name, char type, size_t size)
{
    char h[512] = "";
    unsigned sum = 0;
    (void)snprintf(h, 100, "%s", name);
    (void)snprintf(h + 100, 8, "0000644");
    (void)snprintf(h + 108, 8, "0000000");
    (void)snprintf(h + 116, 8, "0000000");
    (void)snprintf(h + 124, 12, "%011zo", size);
    (void)snprintf(h + 136, 12, "00000000000");
    memset(h + 148, ' ', 8);
    h[156] = type;
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof h; i++)
        sum += (unsigned char)h[i];
    (void)snprintf(h + 148, 8, "%06o", sum);
    ck_assert_int_eq(buf_append(b, h, sizeof h, NULL), 0);
}

static void put_body(struct buf *b, const void *data, size_t len)
{
    ck_assert_int_eq(buf_append(b, data, len, NULL), 0);
    ck_assert_int_eq(buf_zeros(b, (512 - len % 512) % 512, NULL), 0);
}

static struct buf by_hand(const void *records, size_t len)
{
    struct buf b = BUF_INIT;
    put_block(&b, "x", 'x', len);
    put_body(&b, records, len);
    put_block(&b, "plain", '0', 0);
    ck_assert_int_eq(buf_zeros(&b, 1024, NULL), 0);
    return b;
}

START_TEST(names_of_foreign_pax_are_utf8_in_any_locale)
{
    static const char names[][8] = { "\xc3\xa4", "\xf0\x9f\x98\x80", "n" };
    ck_assert_ptr_nonnull(setlocale(LC_ALL, locales[_i]));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct error err = ERROR_INIT;
        struct catalog_entry e;
        char record[64];
        int n = snprintf(record, sizeof record, "%zu path=%s\n", strlen(names[i]) + 8, names[i]);
        if ((size_t)n != strlen(names[i]) + 8)
            n = snprintf(record, sizeof record, "%zu path=%s\n", strlen(names[i]) + 9, names[i]);
        struct buf b = by_hand(record, (size_t)n);
        struct source *src = source_memory(b.data, b.len, NULL);
        struct catalog_reader *r = catalog_reader_new(src, &err);
        ck_assert_msg(catalog_next(r, &e, &err) == 1, "%s", err.text);
        ck_assert_str_eq(e.path, names[i]);
        catalog_reader_free(r);
        source_free(src);
        buf_free(&b);
    }
}
END_TEST

START_TEST(a_nul_in_a_path_is_refused)
{
    static const char record[] = "15 path=a\0/../\n";
    struct error err = ERROR_INIT;
    struct catalog_entry e;
    struct buf b = by_hand(record, sizeof record - 1);
    struct source *src = source_memory(b.data, b.len, NULL);
    struct catalog_reader *r = catalog_reader_new(src, &err);
    int rc = catalog_next(r, &e, &err);
    /* libarchive ends the name at the NUL; what is left must be harmless. */
    ck_assert(rc == E_CORRUPT || (rc == 1 && strcmp(e.path, "a") == 0));
    catalog_reader_free(r);
    source_free(src);
    buf_free(&b);
}
END_TEST

START_TEST(endless_headers_are_refused)
{
    struct error err = ERROR_INIT;
    struct buf b = BUF_INIT;
    for (int i = 0; i < 20000; i++)
        put_block(&b, "x", _i == 0 ? 'x' : _i == 1 ? 'g' : 'L', 0);
    put_block(&b, "plain", '0', 0);
    ck_assert_int_eq(buf_zeros(&b, 1024, NULL), 0);
    ck_assert_int_eq(read_through(b.data, b.len, NULL, &err), E_CORRUPT);
    buf_free(&b);
    put_block(&b, "x", 'x', 3 << 20);
    ck_assert_int_eq(buf_zeros(&b, 3 << 20, NULL), 0);
    ck_assert_int_eq(read_through(b.data, b.len, NULL, &err), E_CORRUPT);
    buf_free(&b);
}
END_TEST

START_TEST(every_truncation_is_noticed)
{
    struct catalog_entry m[MEMBERS];
    make_members(m);
    struct buf b = write_members(m, MEMBERS);
    for (size_t len = 0; len < b.len; len++) {
        struct error err = ERROR_INIT;
        void *exact = malloc(len == 0 ? 1 : len); /* so that a read beyond is seen */
        memcpy(exact, b.data, len);
        int rc = read_through(exact, len, NULL, &err);
        ck_assert_msg(rc == E_CORRUPT && err.name != NULL, "%zu of %zu: %d", len, b.len, rc);
        free(exact);
    }
    buf_free(&b);
}
END_TEST

START_TEST(bytes_after_the_end)
{
    struct catalog_entry m[MEMBERS];
    struct error err = ERROR_INIT;
    make_members(m);
    struct buf b = write_members(m, MEMBERS);
    size_t end = b.len;
    ck_assert_int_eq(buf_zeros(&b, 70000, NULL), 0);
    ck_assert_int_eq(read_through(b.data, b.len, NULL, &err), 0);
    for (size_t at = end - 1; at < b.len; at += 9973) {
        b.data[at] = 1;
        ck_assert_int_eq(read_through(b.data, b.len, NULL, &err), E_CORRUPT);
        b.data[at] = 0;
    }
    b.data[b.len - 1] = 1;
    ck_assert_int_eq(read_through(b.data, b.len, NULL, &err), E_CORRUPT);
    ck_assert_str_eq(err.name, CATALOG_E_TRAILING);
    buf_free(&b);
}
END_TEST

START_TEST(flipped_bytes_do_no_harm)
{
    struct catalog_entry m[MEMBERS];
    uint64_t state = 0x1234567 + (uint64_t)_i;
    make_members(m);
    m[7].path = "or";
    struct buf b = write_members(m, MEMBERS);
    struct buf c = BUF_INIT;
    for (int round = 0; round < 3000; round++) {
        struct error err = ERROR_INIT;
        buf_clear(&c);
        ck_assert_int_eq(buf_append(&c, b.data, b.len, NULL), 0);
        for (int i = 0; i <= round % 4; i++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            size_t at = (size_t)(state >> 33) % c.len;
            c.data[at] ^= (uint8_t)(state >> 20);
            /* Half of the time the header's sum is made right again, so that the damage gets further. */
            if (round % 2 == 0 && c.data[at / 512 * 512 + 257] == 'u') {
                uint8_t *h = c.data + at / 512 * 512;
                unsigned sum = 8 * ' ';
                for (size_t k = 0; k < 512; k++)
                    sum += k >= 148 && k < 156 ? 0 : h[k];
                char text[8];
                (void)snprintf(text, sizeof text, "%06o", sum & 0777777);
                memcpy(h + 148, text, 7);
            }
        }
        int rc = read_through(c.data, c.len, NULL, &err);
        ck_assert_msg(rc == 0 || rc == E_CORRUPT, "%d %s", rc, err.text);
    }
    buf_free(&b);
    buf_free(&c);
}
END_TEST

static int64_t broken_read(struct source *s, void *data, size_t cap, struct error *err)
{
    (void)s;
    (void)data;
    (void)cap;
    return error_set(err, E_RETRY, "the line went dead");
}

static int broken_write(struct sink *s, const void *data, size_t len, struct error *err)
{
    (void)s;
    (void)data;
    (void)len;
    return error_set(err, E_NO_SPACE, "full");
}

static void no_free_source(struct source *s)
{
    (void)s;
}

static void no_free_sink(struct sink *s)
{
    (void)s;
}

START_TEST(errors_of_sink_and_source_come_through)
{
    struct error err = ERROR_INIT;
    struct source src = { .read = broken_read, .free = no_free_source };
    struct sink snk = { .write = broken_write, .free = no_free_sink };
    struct catalog_entry e;
    struct catalog_reader *r = catalog_reader_new(&src, &err);
    if (r != NULL)
        (void)catalog_next(r, &e, &err);
    ck_assert_int_eq(err.code, E_RETRY);
    catalog_reader_free(r);
    struct catalog_writer *w = catalog_writer_new(&snk, &err);
    e = entry_of("a", CATALOG_DIR, NULL);
    int rc = catalog_add(w, &e, &err);
    if (rc == 0)
        rc = catalog_writer_finish(w, &err);
    ck_assert_int_eq(rc, E_NO_SPACE);
    catalog_writer_free(w);
    catalog_reader_free(NULL);
    catalog_writer_free(NULL);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    struct catalog_entry m[MEMBERS];
    make_members(m);
    struct buf b = write_members(m, MEMBERS);
    for (unsigned long n = 1;; n++) {
        struct error err = ERROR_INIT;
        struct source *src = source_memory(b.data, b.len, NULL);
        struct catalog_entry e;
        mem_fail_after(n);
        struct catalog_reader *r = catalog_reader_new(src, &err);
        int rc = r == NULL ? err.code : 1;
        while (rc == 1)
            rc = catalog_next(r, &e, &err);
        mem_fail_after(0);
        catalog_reader_free(r);
        source_free(src);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, E_NOMEM);
        ck_assert_uint_lt(n, 1000);
    }
    buf_free(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog");
    TCase *t = tcase_create("catalog");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, members_come_back_in_any_locale, 0, 3);
    tcase_add_test(t, equal_entries_give_equal_bytes);
    tcase_add_test(t, an_empty_catalog_is_one);
    tcase_add_test(t, attributes_come_back_byte_for_byte);
    tcase_add_test(t, attributes_out_of_order_or_range_are_mistakes);
    tcase_add_test(t, the_writer_refuses_mistakes);
    tcase_add_loop_test(t, foreign_archives_are_taken_or_refused, 0, FOREIGN);
    tcase_add_loop_test(t, names_of_foreign_pax_are_utf8_in_any_locale, 0, 3);
    tcase_add_test(t, a_nul_in_a_path_is_refused);
    tcase_add_loop_test(t, endless_headers_are_refused, 0, 3);
    tcase_add_test(t, every_truncation_is_noticed);
    tcase_add_test(t, bytes_after_the_end);
    tcase_add_loop_test(t, flipped_bytes_do_no_harm, 0, 4);
    tcase_add_test(t, errors_of_sink_and_source_come_through);
    tcase_add_test(t, running_out_of_memory_is_an_error);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
