/* A mail's bytes, whatever its texts hold; what is shown of an address. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/notify/mail.h"
#include "common/notify/post.h"
#include "common/base/banned.h"

static const char *const to[] = { "a@example.net", "b@example.net" };

static struct buf formatted(const char *subject, const char *text)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    const struct mail mail = { .from = "backup@example.net",
                               .to = to,
                               .nto = 2,
                               .subject = subject,
                               .text = text,
                               .event = "failure",
                               .id = "0123.post",
                               .this_host = "web1",
                               .date = 1764383400 };
    ck_assert_int_eq(mail_format(&mail, &out, &err), 0);
    ck_assert_int_eq(buf_append(&out, "", 1, NULL), 0);
    return out;
}

START_TEST(plain)
{
    struct buf out = formatted("[backupd] web1: shop failed", "one\n.two\nFrom three \n\nlast");
    ck_assert_str_eq((const char *)out.data, "From: backup@example.net\r\n"
                                             "To: a@example.net,\r\n b@example.net\r\n"
                                             "Subject: [backupd] web1: shop failed\r\n"
                                             "Date: Sat, 29 Nov 2025 02:30:00 +0000\r\n"
                                             "Message-ID: <0123.post@web1>\r\n"
                                             "Auto-Submitted: auto-generated\r\n"
                                             "X-Backupd-Event: failure\r\n"
                                             "MIME-Version: 1.0\r\n"
                                             "Content-Type: text/plain; charset=UTF-8\r\n"
                                             "Content-Transfer-Encoding: quoted-printable\r\n"
                                             "\r\n"
                                             "one\r\n=2Etwo\r\n=46rom three=20\r\n\r\nlast\r\n");
    buf_free(&out);
}
END_TEST

/* Every byte in the subject and in the text: no header more, no line that is too long, seven bits. */
START_TEST(hostile)
{
    char all[600];
    size_t n = 0;
    for (int i = 1; i < 256; i++) {
        all[n++] = (char)i;
        if (i % 50 == 0)
            n += (size_t)snprintf(all + n, sizeof all - n,
                                  "\r\nBcc: evil@example.net\r\n.\r\n\xf0\x9f\x98\x80");
    }
    all[n] = '\0';
    struct buf out = formatted(all, all);
    const char *text = (const char *)out.data;
    size_t headers = 0;
    bool body = false;
    for (const char *line = text; *line != '\0';) {
        const char *end = strstr(line, "\r\n");
        ck_assert_ptr_nonnull(end);
        ck_assert_msg(end - line <= 78, "%.*s", (int)(end - line), line);
        body = body || end == line;
        headers += !body && *line != ' ';
        ck_assert(body || strncmp(line, "Bcc", 3) != 0);
        ck_assert(strncmp(line, ".\r", 2) != 0);
        for (const char *p = line; p < end; p++)
            ck_assert_msg(*p >= ' ' && *p <= '~', "byte %d", *p);
        line = end + 2;
    }
    ck_assert_uint_eq(headers, 10);
    ck_assert_ptr_nonnull(strstr(text, "Subject: =?UTF-8?Q?"));
    ck_assert_ptr_nonnull(strstr(text, "=F0=9F=98=80"));
    buf_free(&out);
}
END_TEST

START_TEST(where)
{
    char out[64];
    ck_assert_str_eq(post_where("https://hooks.example.net:444/T0/B0/secret?x=1", out, sizeof out),
                     "https://hooks.example.net:444");
    ck_assert_str_eq(post_where("https://me:secret@x.net?secret", out, sizeof out), "https://x.net");
    ck_assert_str_eq(post_where("file:///etc/passwd", out, sizeof out), "");
    struct error err = ERROR_INIT;
    static const char *const bad[] = { "file:///etc/passwd", "ftp://x/", "gopher://x", "", "smtp://x/" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct post post = { .url = bad[i], .type = "text/plain", .body = "", .timeout_ms = 1000 };
        ck_assert_int_eq(post_send(&post, &err), E_USAGE);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify/mail");
    TCase *all = tcase_create("all");
    tcase_add_test(all, plain);
    tcase_add_test(all, hostile);
    tcase_add_test(all, where);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
