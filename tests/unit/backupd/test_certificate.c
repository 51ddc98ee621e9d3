/* Certificates of destruction: what was signed is what is read, and nothing else passes. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/keys/certificate.h"
#include "common/base/str.h"

#include "common/base/banned.h"

static struct shred story;
static struct charter charter;
static struct buf text;

static void add_file(const char *path, enum keyfile_role role, bool gone)
{
    struct shred_file *f = vec_push(&story.files, NULL);
    ck_assert_ptr_nonnull(f);
    *f = (struct shred_file){ .path = str_dup(path, NULL), .role = role, .gone = gone };
}

static void setup(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    story = (struct shred){ .files = VEC_OF(struct shred_file), .charter = &charter };
    charter_init(&charter);
    charter.version = 5;
    ck_assert_int_eq(root_keys_generate(&story.root, NULL), 0);
    memcpy(story.repo_id, story.root.repo_id, REPO_ID_LEN);
    add_file("/safe/kit with spaces\n.key", KEYFILE_KIT, true);
    add_file("/keys/writer-1.key", KEYFILE_WRITER, false);
    add_file("/safe/root.key", KEYFILE_ROOT, false);
    ((struct shred_file *)vec_at(&story.files, 2))->is_root = true;
    struct shred_file *kit = vec_at(&story.files, 0);
    kit->has_rid = true;
    struct charter_recipient *r = vec_push(&charter.recipients, NULL);
    *r = (struct charter_recipient){ .name = "restore-kit" };
    r = vec_push(&charter.recipients, NULL);
    *r = (struct charter_recipient){ .name = "anna", .rid = { 9 } };
    text = (struct buf)BUF_INIT;
    ck_assert_int_eq(certificate_build(&story, 1234567890, &text, NULL), 0);
}

static void teardown(void)
{
    buf_free(&text);
    shred_free(&story);
    charter_free(&charter);
}

START_TEST(it_says_what_was)
{
    struct certificate c;
    uint8_t pk[SIGN_PK_LEN];
    ck_assert_int_eq(certificate_check(text.data, text.len, &c, NULL), 0);
    ck_assert_int_eq(sign_public(story.root.seed, pk, NULL), 0);
    ck_assert_mem_eq(c.root_pk, pk, SIGN_PK_LEN);
    ck_assert_mem_eq(c.repo_id, story.repo_id, REPO_ID_LEN);
    ck_assert_uint_eq(c.version, 5);
    ck_assert_uint_eq(c.time, 1234567890);
    ck_assert_uint_eq(c.destroyed, 1); /* the root key signs, so it is still there */
    ck_assert_uint_eq(c.kept, 1);
    ck_assert_uint_eq(c.seen, 1);
    ck_assert_uint_eq(c.unseen, 1);
}
END_TEST

START_TEST(every_changed_bit_is_found)
{
    struct certificate c;
    for (size_t i = 0; i < text.len; i++) {
        text.data[i] ^= 1;
        ck_assert_int_eq(certificate_check(text.data, text.len, &c, NULL), E_CORRUPT);
        text.data[i] ^= 1;
        ck_assert_int_eq(certificate_check(text.data, i, &c, NULL), E_CORRUPT);
    }
}
END_TEST

/* A signature of the same key about something else is none. */
START_TEST(a_charters_signature_is_none)
{
    enum { SIG_HEX = 2 * SIG_LEN };
    struct certificate c;
    uint8_t sig[SIG_LEN];
    char hex[SIG_HEX + 1];
    size_t body = text.len - SIG_HEX - 5;
    ck_assert_int_eq(sign_detached(story.root.seed, SIGN_CHARTER, text.data, body, sig, NULL), 0);
    hex_encode(hex, sig, SIG_LEN);
    memcpy(text.data + body + 4, hex, SIG_HEX);
    ck_assert_int_eq(certificate_check(text.data, text.len, &c, NULL), E_CORRUPT);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("certificate");
    TCase *t = tcase_create("certificate");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, it_says_what_was);
    tcase_add_test(t, every_changed_bit_is_found);
    tcase_add_test(t, a_charters_signature_is_none);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
