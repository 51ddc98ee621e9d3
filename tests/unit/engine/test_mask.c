/* Rows that are masked on their way, and hashes of values. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/crypto/secret.h"
#include "common/engine/mask.h"

#include "common/base/banned.h"

/* Gives at most `step` bytes at once. */
struct bits {
    struct source base;
    const char *data;
    size_t left;
    size_t step;
};

static int64_t bits_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct bits *b = (struct bits *)s;
    size_t n = b->left < b->step ? b->left : b->step;
    (void)err;
    n = n < cap ? n : cap;
    memcpy(data, b->data, n);
    b->data += n;
    b->left -= n;
    return (int64_t)n;
}

static void bits_free(struct source *s)
{
    free(s);
}

static struct source *bits(const char *data, size_t len, size_t step)
{
    struct bits *b = mem_alloc(1, sizeof *b, NULL);
    ck_assert_ptr_nonnull(b);
    *b = (struct bits){
        .base = { .read = bits_read, .free = bits_free }, .data = data, .left = len, .step = step
    };
    return &b->base;
}

static struct mask_hash *hash;

static void start(void)
{
    uint8_t seed[32] = { 7 };
    ck_assert_int_eq(crypto_init(NULL), 0);
    random_seed_for_tests(seed);
    hash = mask_hash_new(NULL);
    ck_assert_ptr_nonnull(hash);
}

static void end(void)
{
    mask_hash_free(hash);
    random_seed_for_tests(NULL);
}

static const char *hash_of(const char *data, size_t len)
{
    static char text[MASK_HASH_MAX + 1];
    mask_hash_begin(hash);
    mask_hash_add(hash, data, len);
    mask_hash_text(hash, text);
    return text;
}

static struct mask_column *column(struct mask_table *t, size_t at, enum mask_rule rule, const char *constant)
{
    struct mask_column *c = vec_push(&t->columns, NULL);
    ck_assert_ptr_nonnull(c);
    c->name = strdup("c");
    c->rule = rule;
    c->constant = constant != NULL ? strdup(constant) : NULL;
    c->at = at;
    return c;
}

static struct mask_table table(size_t fields, const struct mask_escapes *e)
{
    return (struct mask_table){ .columns = VEC_OF(struct mask_column), .fields = fields, .escapes = e };
}

/* All of it, or the error's code. */
static int run_some(struct mask_table *t, const char *data, size_t len, size_t step, struct buf *out,
                    struct error *err)
{
    char some[97];
    struct source *s = mask_rows(bits(data, len, step), t, hash, 5, err);
    int64_t n = 1;
    ck_assert_ptr_nonnull(s);
    buf_clear(out);
    while (n > 0 && (n = source_read(s, some, sizeof some, err)) > 0)
        ck_assert_int_eq(buf_append(out, some, (size_t)n, NULL), 0);
    source_free(s);
    return (int)n;
}

static void sum(const char *data, size_t len, char out[FINGERPRINT_TEXT_MAX])
{
    struct fingerprint *fp = fingerprint_new(5, NULL);
    fingerprint_lines(fp, data, len);
    (void)fingerprint_text(fp, out);
    fingerprint_free(fp);
}

static void becomes(struct mask_table *t, const void *rows, size_t len, const void *expected,
                    size_t expected_len)
{
    static const size_t steps[] = { 1, 2, 3, 5, 64, 1000000 };
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        ck_assert_int_eq(run_some(t, rows, len, steps[i], &out, NULL), 0);
        ck_assert_uint_eq(out.len, expected_len);
        if (expected_len != 0)
            ck_assert_mem_eq(out.data, expected, expected_len);
        ck_assert(t->ended);
    }
    buf_free(&out);
}

static uint64_t changed(const struct mask_table *t, size_t i)
{
    return ((const struct mask_column *)vec_at(&t->columns, i))->changed;
}

START_TEST(test_rules)
{
    static const char rows[] = "1\ta@b\tone\tx\\ty\n2\t\\N\ttwo\t\\\\N\n3\t\tthree\t\\N\n";
    char expected[400];
    char sums[2][FINGERPRINT_TEXT_MAX];
    char first[MASK_HASH_MAX + 1];
    struct mask_table t = table(4, &mask_escapes_postgres);
    (void)column(&t, 1, MASK_HASH, NULL);
    (void)column(&t, 2, MASK_CONSTANT, "a\tb\\");
    (void)column(&t, 3, MASK_NULL, NULL);
    (void)snprintf(first, sizeof first, "%s", hash_of("a@b", 3));
    (void)snprintf(expected, sizeof expected,
                   "1\t%s\ta\\tb\\\\\t\\N\n2\t\\N\ta\\tb\\\\\t\\N\n3\t%s\ta\\tb\\\\\t\\N\n", first,
                   hash_of("", 0));
    becomes(&t, rows, sizeof rows - 1, expected, strlen(expected));
    ck_assert_uint_eq(t.rows, 3);
    ck_assert_uint_eq(changed(&t, 0), 2);
    ck_assert_uint_eq(changed(&t, 1), 3);
    ck_assert_uint_eq(changed(&t, 2), 2);
    sum(rows, sizeof rows - 1, sums[0]);
    sum(expected, strlen(expected), sums[1]);
    ck_assert_str_eq(t.before, sums[0]);
    ck_assert_str_eq(t.after, sums[1]);
    mask_table_free(&t);
}
END_TEST

/* Every byte, as it is written by each of the two, in a column that passes and in one that is hashed. */
START_TEST(test_every_byte)
{
    const struct mask_escapes *e = _i == 0 ? &mask_escapes_postgres : &mask_escapes_mariadb;
    struct buf rows = BUF_INIT;
    struct buf expected = BUF_INIT;
    struct mask_table t = table(2, e);
    int rc = 0;
    (void)column(&t, 1, MASK_HASH, NULL);
    for (int b = _i == 0; b < 256; b++) {
        const char raw[3] = { 'x', (char)b, 'y' };
        const char *at = memchr(e->bytes, b, e->n);
        const char text[4] = { 'x', '\\', at != NULL ? e->letters[at - e->bytes] : '\\', 'y' };
        bool escaped = at != NULL || b == '\\';
        const char *written = escaped ? text : raw;
        size_t len = escaped ? sizeof text : sizeof raw;
        rc |= buf_append(&rows, written, len, NULL) | buf_append(&rows, "\t", 1, NULL);
        rc |= buf_append(&rows, written, len, NULL) | buf_append(&rows, "\n", 1, NULL);
        rc |= buf_append(&expected, written, len, NULL);
        rc |= buf_printf(&expected, NULL, "\t%s\n", hash_of(raw, sizeof raw));
    }
    ck_assert_int_eq(rc, 0);
    becomes(&t, rows.data, rows.len, expected.data, expected.len);
    buf_free(&rows);
    buf_free(&expected);
    mask_table_free(&t);
}
END_TEST

/* Longer than every block on its way. */
START_TEST(test_long_value)
{
    enum { LEN = 3000000 };
    char *value = malloc(LEN + 1);
    char expected[64];
    struct buf out = BUF_INIT;
    struct mask_table t = table(1, &mask_escapes_mariadb);
    ck_assert_ptr_nonnull(value);
    (void)column(&t, 0, MASK_HASH, NULL);
    for (size_t i = 0; i < LEN; i++)
        value[i] = (char)('a' + i % 26);
    (void)snprintf(expected, sizeof expected, "%s\n", hash_of(value, LEN));
    value[LEN] = '\n';
    ck_assert_int_eq(run_some(&t, value, LEN + 1, 100000, &out, NULL), 0);
    ck_assert_uint_eq(out.len, strlen(expected));
    ck_assert_mem_eq(out.data, expected, out.len);
    free(value);
    buf_free(&out);
    mask_table_free(&t);
}
END_TEST

/* char(30): blanks at the end are none of the value, inside they are; the hash is filled up. */
START_TEST(test_blanks)
{
    static const char rows[] = "a b      \na b\na  b\n    \n\n";
    char expected[256];
    char texts[3][MASK_HASH_MAX + 1];
    struct mask_table t = table(1, &mask_escapes_postgres);
    struct mask_column *c = column(&t, 0, MASK_HASH, NULL);
    c->blanks = true;
    c->width = 30;
    (void)snprintf(texts[0], sizeof texts[0], "%s", hash_of("a b", 3));
    (void)snprintf(texts[1], sizeof texts[1], "%s", hash_of("a  b", 4));
    (void)snprintf(texts[2], sizeof texts[2], "%s", hash_of("", 0));
    (void)snprintf(expected, sizeof expected, "%-30s\n%-30s\n%-30s\n%-30s\n%-30s\n", texts[0], texts[0],
                   texts[1], texts[2], texts[2]);
    becomes(&t, rows, sizeof rows - 1, expected, strlen(expected));
    mask_table_free(&t);
}
END_TEST

static const struct {
    const char *rows;
    const char *said;
} broken[] = {
    { "a\tb\nc", "no end" },
    { "a\tb\n\\", "no end" },
    { "a\n", "1 of 2" },
    { "a\tb\tc\n", "more than 2" },
    { "a\\\tb\n", "backslash" },
    { "a\tb\\\n", "backslash" },
    { "\\Nx\tb\n", "follows a NULL" },
    { "\\N\\N\tb\n", "follows a NULL" },
};

START_TEST(test_broken)
{
    for (size_t step = 1; step < 8; step++) {
        struct error err = ERROR_INIT;
        struct buf out = BUF_INIT;
        struct mask_table t = table(2, &mask_escapes_postgres);
        (void)column(&t, 1, MASK_HASH, NULL);
        int rc = run_some(&t, broken[_i].rows, strlen(broken[_i].rows), step, &out, &err);
        ck_assert_int_eq(rc, E_CORRUPT);
        ck_assert_str_eq(err.name, "postgres-copy");
        ck_assert_ptr_nonnull(strstr(err.text, broken[_i].said));
        ck_assert(!t.ended);
        buf_free(&out);
        mask_table_free(&t);
    }
}
END_TEST

START_TEST(test_empty)
{
    struct mask_table t = table(1, &mask_escapes_postgres);
    (void)column(&t, 0, MASK_CONSTANT, "");
    becomes(&t, "", 0, "", 0);
    ck_assert_str_eq(t.after, FINGERPRINT_NONE);
    becomes(&t, "x\n\\N\n", 5, "\n\n", 2);
    mask_table_free(&t);
}
END_TEST

START_TEST(test_hash)
{
    char texts[2][MASK_HASH_MAX + 1];
    struct mask_hash *same = mask_hash_again(hash, NULL);
    struct mask_hash *other = mask_hash_new(NULL);
    ck_assert(same != NULL && other != NULL);
    (void)snprintf(texts[0], sizeof texts[0], "%s", hash_of("value", 5));
    ck_assert_uint_eq(strlen(texts[0]), MASK_HASH_MAX);
    ck_assert_uint_eq(strspn(texts[0], "abcdefghijklmnopqrstuvwxyz234567"), MASK_HASH_MAX);
    ck_assert_str_ne(texts[0], hash_of("Value", 5));
    mask_hash_begin(same);
    mask_hash_add(same, "val", 3);
    mask_hash_add(same, "ue", 2);
    mask_hash_text(same, texts[1]);
    ck_assert_str_eq(texts[0], texts[1]);
    mask_hash_begin(other);
    mask_hash_add(other, "value", 5);
    mask_hash_text(other, texts[1]);
    ck_assert_str_ne(texts[0], texts[1]);
    mask_hash_limit(hash, 20);
    ck_assert_uint_eq(strlen(hash_of("value", 5)), 20);
    ck_assert_mem_eq(texts[0], hash_of("value", 5), 20);
    mask_hash_limit(hash, 3);
    ck_assert_uint_eq(mask_hash_length(hash), MASK_HASH_MIN);
    mask_hash_limit(hash, 100);
    ck_assert_uint_eq(mask_hash_length(hash), MASK_HASH_MIN);
    mask_hash_free(same);
    mask_hash_free(other);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mask");
    TCase *tc = tcase_create("mask");
    tcase_add_checked_fixture(tc, start, end);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_rules);
    tcase_add_loop_test(tc, test_every_byte, 0, 2);
    tcase_add_test(tc, test_long_value);
    tcase_add_test(tc, test_blanks);
    tcase_add_loop_test(tc, test_broken, 0, sizeof broken / sizeof broken[0]);
    tcase_add_test(tc, test_empty);
    tcase_add_test(tc, test_hash);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
