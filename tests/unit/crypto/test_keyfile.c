/* Key files: known answers (made with another implementation), limits, damage, modes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/reader.h"
#include "common/base/str.h"
#include "common/crypto/keyfile.h"
#include "common/base/banned.h"

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
}

static void stop(void)
{
    random_seed_for_tests(NULL);
}

static const char with_passphrase[] = /* "correct horse", 64 MiB, 2 passes */
    "424b314b4559460a040100004000000002000000000102030405060708090a0b0c0d0e0f507e5fe2cd8f294570b30932"
    "3879d178bc87438c4a3bdf916a5214fb1d908e39ba566e41249e9967a08cf09c3a098a0d1e00083fa19217edcb";
static const char without_passphrase[] =
    "424b314b4559460a0400000000000000000000000000000000000000000000000000000077fa2f9023545ba652a7cfe4"
    "096cac6cf3d04613801758f72e89851b2680bc52e35cc93d294ce937f7010398bc0be3feb98ab1c295537530f3";
static const char block[] = "the secrets block";
enum { BLOCK = sizeof block - 1, FILE_LEN = 36 + 40 + BLOCK };

static void from_hex(uint8_t out[FILE_LEN], const char *hex)
{
    ck_assert_uint_eq(strlen(hex), 2 * (size_t)FILE_LEN);
    ck_assert(hex_decode(out, FILE_LEN, hex));
}

static struct secret *text(const char *s)
{
    struct secret *secret = secret_copy(s, strlen(s), NULL);
    ck_assert_ptr_nonnull(secret);
    return secret;
}

/* The code of decoding, with `passphrase` (may be NULL). */
static int decode(const void *data, size_t len, const char *passphrase)
{
    struct error err = ERROR_INIT;
    enum keyfile_role role = 0;
    struct secret *pass = passphrase != NULL ? text(passphrase) : NULL;
    struct secret *got = keyfile_decode(data, len, &role, pass, &err);
    if (got != NULL) {
        ck_assert_int_eq(role, KEYFILE_KIT);
        ck_assert_uint_eq(secret_len(got), BLOCK);
        ck_assert_mem_eq(secret_view(got), block, BLOCK);
        ck_assert_int_eq(err.code, 0);
    } else {
        ck_assert_int_ne(err.code, 0);
    }
    secret_free(got);
    secret_free(pass);
    return err.code;
}

START_TEST(known_answers)
{
    uint8_t file[FILE_LEN];
    from_hex(file, with_passphrase);
    ck_assert(keyfile_needs_passphrase(file, sizeof file));
    ck_assert_int_eq(decode(file, sizeof file, "correct horse"), 0);
    ck_assert_int_eq(decode(file, sizeof file, "correct horsf"), E_AUTH);
    ck_assert_int_eq(decode(file, sizeof file, NULL), E_AUTH);
    from_hex(file, without_passphrase);
    ck_assert(!keyfile_needs_passphrase(file, sizeof file));
    ck_assert_int_eq(decode(file, sizeof file, NULL), 0);
    ck_assert_int_eq(decode(file, sizeof file, "not needed"), 0);
    ck_assert(!keyfile_needs_passphrase("BK1KEYF\n", 8));
}
END_TEST

START_TEST(every_changed_byte_is_found)
{
    uint8_t file[FILE_LEN];
    from_hex(file, without_passphrase);
    for (size_t i = 0; i < sizeof file; i++) {
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            file[i] ^= (uint8_t)flip;
            int code = decode(file, sizeof file, NULL);
            /* A changed kind or method may also look like one of another program's. */
            if (i == 8 || i == 9)
                ck_assert(code == E_CORRUPT || code == E_UNSUPPORTED || code == E_AUTH);
            else
                ck_assert_int_eq(code, E_CORRUPT);
            file[i] ^= (uint8_t)flip;
        }
    }
    for (size_t len = 0; len < sizeof file; len++)
        ck_assert_int_eq(decode(file, len, NULL), E_CORRUPT);
}
END_TEST

START_TEST(limits_are_checked_before_the_work)
{
    static const struct {
        uint32_t mem;
        uint32_t ops;
    } bad[] = {
        { 63, 4 }, { 4097, 4 }, { 0, 4 }, { 0xffffffff, 4 }, { 64, 0 }, { 64, 17 }, { 64, 0xffffffff }
    };
    uint8_t file[FILE_LEN];
    from_hex(file, with_passphrase);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        store_u32(file + 12, bad[i].mem);
        store_u32(file + 16, bad[i].ops);
        ck_assert_int_eq(decode(file, sizeof file, "correct horse"), E_CORRUPT);
    }
    static uint8_t large[KEYFILE_MAX + 1] = "BK1KEYF\n\4";
    ck_assert_int_eq(decode(large, sizeof large, NULL), E_CORRUPT);
    from_hex(file, with_passphrase);
    file[9] = 2;
    ck_assert_int_eq(decode(file, sizeof file, "correct horse"), E_UNSUPPORTED);
    file[9] = 1;
    file[8] = 7;
    ck_assert_int_eq(decode(file, sizeof file, "correct horse"), E_UNSUPPORTED);
}
END_TEST

START_TEST(encoding_with_and_without_passphrase)
{
    struct buf out = BUF_INIT;
    struct secret *secrets = text(block);
    struct secret *pass = text("p");
    struct keyfile_kdf kdf = { .mem_mib = 64, .ops = 1 };
    ck_assert_int_eq(buf_append(&out, "x", 1, NULL), 0);
    ck_assert_int_eq(keyfile_encode(KEYFILE_KIT, secrets, pass, &kdf, &out, NULL), 0);
    ck_assert_uint_eq(out.len, 1 + FILE_LEN);
    ck_assert_int_eq(decode(out.data + 1, out.len - 1, "p"), 0);
    ck_assert_int_eq(decode(out.data + 1, out.len - 1, ""), E_AUTH);
    for (size_t i = 20; i < out.len - 1; i += 9) { /* salt and sealed part; each costs a derivation */
        out.data[1 + i] ^= 4;
        ck_assert_int_eq(decode(out.data + 1, out.len - 1, "p"), E_AUTH);
        out.data[1 + i] ^= 4;
    }
    buf_clear(&out);
    ck_assert_int_eq(keyfile_encode(KEYFILE_KIT, secrets, NULL, NULL, &out, NULL), 0);
    uint8_t known[FILE_LEN];
    from_hex(known, without_passphrase);
    ck_assert_uint_eq(out.len, FILE_LEN);
    ck_assert_mem_eq(out.data, known, FILE_LEN);
    secret_free(secrets);
    secret_free(pass);
    buf_free(&out);
}
END_TEST

START_TEST(encoding_refuses)
{
    struct buf out = BUF_INIT;
    struct secret *secrets = text(block);
    struct secret *empty = text("");
    struct secret *pass = text("p");
    struct secret *large = secret_new(KEYFILE_MAX - 75, NULL);
    struct keyfile_kdf kdf = { .mem_mib = 63, .ops = 1 };
    ck_assert_int_eq(keyfile_encode(KEYFILE_KIT, secrets, empty, NULL, &out, NULL), E_USAGE);
    ck_assert_int_eq(keyfile_encode(KEYFILE_KIT, secrets, pass, &kdf, &out, NULL), E_USAGE);
    kdf.mem_mib = 64;
    kdf.ops = 17;
    ck_assert_int_eq(keyfile_encode(KEYFILE_KIT, secrets, pass, &kdf, &out, NULL), E_USAGE);
    ck_assert_int_eq(keyfile_encode((enum keyfile_role)0, secrets, NULL, NULL, &out, NULL), E_INTERNAL);
    ck_assert_int_eq(keyfile_encode((enum keyfile_role)7, secrets, NULL, NULL, &out, NULL), E_INTERNAL);
    ck_assert_int_eq(keyfile_encode(KEYFILE_KIT, large, NULL, NULL, &out, NULL), E_INTERNAL);
    ck_assert_uint_eq(out.len, 0);
    secret_free(secrets);
    secret_free(empty);
    secret_free(pass);
    secret_free(large);
    buf_free(&out);
}
END_TEST

START_TEST(files)
{
    char dir[] = "/tmp/test-keyfile-XXXXXX";
    char path[64];
    struct stat st;
    struct error err = ERROR_INIT;
    struct buf back = BUF_INIT;
    uint8_t file[FILE_LEN];
    from_hex(file, without_passphrase);
    struct buf encoded = { .data = file, .len = sizeof file, .cap = sizeof file };
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/key", dir);
    ck_assert_int_eq(keyfile_load(path, &back, NULL), E_NOT_FOUND);
    ck_assert_int_eq(keyfile_save(path, &encoded, NULL), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0400);
    ck_assert_int_eq(keyfile_save(path, &encoded, &err), E_EXISTS);
    ck_assert_int_eq(keyfile_load(path, &back, NULL), 0);
    ck_assert_uint_eq(back.len, sizeof file);
    ck_assert_mem_eq(back.data, file, sizeof file);
    buf_wipe(&back);
    static const mode_t open_modes[] = { 0440, 0404, 0420, 0402, 0410, 0401 };
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        ck_assert_int_eq(chmod(path, open_modes[i]), 0);
        ck_assert_int_eq(keyfile_load(path, &back, &err), E_DENIED);
        ck_assert_ptr_nonnull(strstr(err.text, "chmod"));
    }
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_int_eq(truncate(path, KEYFILE_MAX), 0);
    ck_assert_int_eq(keyfile_load(path, &back, NULL), 0);
    buf_clear(&back);
    ck_assert_int_eq(truncate(path, KEYFILE_MAX + 1), 0);
    ck_assert_int_eq(keyfile_load(path, &back, NULL), E_CORRUPT);
    ck_assert_int_eq(keyfile_load(dir, &back, NULL), E_USAGE);
    buf_free(&back);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crypto/keyfile");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_set_timeout(all, 120);
    tcase_add_test(all, known_answers);
    tcase_add_test(all, every_changed_byte_is_found);
    tcase_add_test(all, limits_are_checked_before_the_work);
    tcase_add_test(all, encoding_with_and_without_passphrase);
    tcase_add_test(all, encoding_refuses);
    tcase_add_test(all, files);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
