/* Key text: there and back, and every kind of typing error. */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto/paper.h"
#include "common/base/banned.h"

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
}

static void stop(void)
{
    random_seed_for_tests(NULL);
}

enum { SIZE = 45 };

static uint8_t sample[SIZE];

static void start_sample(void)
{
    start();
    for (size_t i = 0; i < SIZE; i++)
        sample[i] = (uint8_t)(i * 37 + 11);
}

/* The text of the sample, NUL-terminated. */
static char *encode_sample(void)
{
    struct buf out = BUF_INIT;
    ck_assert_int_eq(paper_encode(sample, SIZE, &out, NULL), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    return (char *)out.data;
}

static bool decodes(const char *text, struct error *err)
{
    struct secret *key = paper_decode(text, strlen(text), err);
    if (key == NULL)
        return false;
    ck_assert_uint_eq(secret_len(key), SIZE);
    ck_assert_mem_eq(secret_view(key), sample, SIZE);
    secret_free(key);
    return true;
}

START_TEST(every_length_comes_back)
{
    static uint8_t data[PAPER_MAX];
    random_bytes(data, sizeof data);
    for (size_t len = 1; len <= PAPER_MAX; len += len < 100 ? 1 : 333) {
        struct buf out = BUF_INIT;
        ck_assert_int_eq(paper_encode(data, len, &out, NULL), 0);
        struct secret *key = paper_decode((const char *)out.data, out.len, NULL);
        ck_assert_ptr_nonnull(key);
        ck_assert_uint_eq(secret_len(key), len);
        ck_assert_mem_eq(secret_view(key), data, len);
        secret_free(key);
        buf_wipe(&out);
    }
    struct buf out = BUF_INIT;
    ck_assert_int_eq(paper_encode(data, 0, &out, NULL), E_USAGE);
    ck_assert_int_eq(paper_encode(data, PAPER_MAX + 1, &out, NULL), E_USAGE);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(form)
{
    char *text = encode_sample();
    ck_assert_int_eq(strncmp(text, "bk1-key-text 45 bytes, check ", 29), 0);
    const char *line = strchr(text, '\n') + 1;
    ck_assert_int_eq(strncmp(line, "  1: ", 5), 0);
    ck_assert_uint_eq(strcspn(line, "\n"), 4 + 8 * 5 + 2 + 2);
    free(text);
}
END_TEST

START_TEST(tolerant_of_case_spaces_and_look_alikes)
{
    char *text = encode_sample();
    char typed[1024] = "# my key\n\n";
    size_t n = strlen(typed);
    for (const char *s = text; *s != '\0'; s++) {
        char c = (char)tolower((unsigned char)*s);
        bool digits = s > strchr(text, '\n') && strchr("01", c) != NULL && s[1] != ':';
        if (c == ' ' && s[1] != ' ' && (size_t)(s - text) > 40)
            typed[n++] = '-';
        else if (digits)
            typed[n++] = c == '0' ? 'o' : (s - text) % 2 ? 'l' : 'I';
        else
            typed[n++] = c;
        if (c == '\n') {
            typed[n - 1] = '\r';
            typed[n++] = '\n';
            typed[n++] = '\n';
        }
        ck_assert_uint_lt(n, sizeof typed - 4);
    }
    typed[n] = '\0';
    /* The dashes put before line numbers would be typing errors: undo those. */
    for (char *dash = strstr(typed, "\n-"); dash != NULL; dash = strstr(typed, "\n-"))
        dash[1] = ' ';
    for (char *dash = strstr(typed, " -"); dash != NULL; dash = strstr(typed, " -"))
        dash[1] = ' ';
    struct error err = ERROR_INIT;
    ck_assert_msg(decodes(typed, &err), "%s in\n%s", err.text, typed);
    free(text);
}
END_TEST

/* The number of the line that holds text[at]; 0 is the header. */
static int line_of(const char *text, size_t at)
{
    int line = 0;
    for (size_t i = 0; i < at; i++)
        line += text[i] == '\n';
    return line;
}

START_TEST(every_single_typo_names_its_line)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char *text = encode_sample();
    for (size_t i = (size_t)(strchr(text, '\n') + 1 - text); text[i] != '\0'; i++) {
        char was = text[i];
        if (strchr(alphabet, was) == NULL || text[i + 1] == ':')
            continue;
        for (const char *c = alphabet; *c != '\0'; c++) {
            if (*c == was)
                continue;
            struct error err = ERROR_INIT;
            char want[32];
            text[i] = *c;
            ck_assert(!decodes(text, &err));
            ck_assert_int_eq(err.code, E_CORRUPT);
            (void)snprintf(want, sizeof want, "line %d:", line_of(text, i));
            ck_assert_msg(strstr(err.text, want) != NULL, "%s, not %s", err.text, want);
        }
        text[i] = was;
    }
    free(text);
}
END_TEST

START_TEST(swapped_neighbours_are_found)
{
    char *text = encode_sample();
    for (size_t i = (size_t)(strchr(text, '\n') + 1 - text); text[i + 1] != '\0'; i++) {
        char a = text[i];
        char b = text[i + 1];
        if (!isalnum((unsigned char)a) || !isalnum((unsigned char)b) || a == b)
            continue;
        text[i] = b;
        text[i + 1] = a;
        ck_assert(!decodes(text, NULL));
        text[i] = a;
        text[i + 1] = b;
    }
    free(text);
}
END_TEST

START_TEST(header_typos_are_found)
{
    char *text = encode_sample();
    size_t end = strcspn(text, "\n");
    for (size_t i = 0; i < end; i++) {
        char was = text[i];
        if (!isalnum((unsigned char)was))
            continue;
        text[i] = was == '7' ? '8' : '7';
        ck_assert_msg(!decodes(text, NULL), "at %zu", i);
        text[i] = was;
    }
    free(text);
}
END_TEST

static void expect(const char *text, const char *part)
{
    struct error err = ERROR_INIT;
    ck_assert(!decodes(text, &err));
    ck_assert_str_eq(err.name, "key-text");
    ck_assert_msg(strstr(err.text, part) != NULL, "'%s' without '%s'", err.text, part);
}

START_TEST(missing_doubled_and_cut_lines)
{
    char *text = encode_sample();
    char other[1024];
    char *line2 = strstr(text, "  2:");
    char *line3 = strstr(text, "  3:");
    (void)snprintf(other, sizeof other, "%.*s%s", (int)(line2 - text), text, line3);
    expect(other, "line 2 is missing");
    (void)snprintf(other, sizeof other, "%.*s", (int)(line3 - text), text);
    expect(other, "line 3 is missing");
    (void)snprintf(other, sizeof other, "%s%s", text, line3);
    expect(other, "goes on after line 3");
    (void)snprintf(other, sizeof other, "%.*s", (int)(line3 - text) + 9, text);
    expect(other, "line 3: 4 characters where there must be");
    (void)snprintf(other, sizeof other, "%.*s 2%s", (int)(line2 - text), text, line2 + 4);
    expect(other, "line 2 does not begin");
    (void)snprintf(other, sizeof other, "%.*s 2: u%s", (int)(line2 - text), text, line2 + 4);
    expect(other, "line 2: character 1 cannot");
    expect("", "does not begin");
    expect("\n\n# x", "does not begin");
    expect("bk1-key-text 0 bytes, check 0000-0000", "line 0");
    expect("bk1-key-text 4097 bytes, check 0000-0000", "line 0");
    expect("bk1-key-text 99999999999999999999 bytes, check 0000-0000", "line 0");
    expect("bk1-key-text", "line 0");
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto/paper");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start_sample, stop);
    tcase_add_test(all, every_length_comes_back);
    tcase_add_test(all, form);
    tcase_add_test(all, tolerant_of_case_spaces_and_look_alikes);
    tcase_add_test(all, every_single_typo_names_its_line);
    tcase_add_test(all, swapped_neighbours_are_found);
    tcase_add_test(all, header_typos_are_found);
    tcase_add_test(all, missing_doubled_and_cut_lines);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
