/* Key directories, secrets, kits, jobs: what the programs get from a configuration. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/access/access.h"
#include "common/base/str.h"
#include "common/crypto/paper.h"
#include "common/sys/atomic_file.h"
#include "common/sys/child.h"
#include "common/base/banned.h"

static char dir[] = "/tmp/access-test.XXXXXX";
static char made[sizeof dir];

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
    memcpy(made, dir, sizeof dir);
    ck_assert_ptr_nonnull(mkdtemp(made));
}

static void stop(void)
{
    const char *const argv[] = { "rm", "-rf", "--", made, NULL };
    ck_assert_int_eq(child_run(argv, NULL, NULL, 0, NULL), 0);
}

static char *in_dir(const char *name)
{
    char *path = str_printf(NULL, "%s/%s", made, name);
    ck_assert_ptr_nonnull(path);
    return path;
}

static void write_file(const char *name, const char *text, size_t len, unsigned mode)
{
    char *path = in_dir(name);
    ck_assert_int_eq(file_write_atomic(path, text, len, mode, FILE_REPLACE, NULL), 0);
    free(path);
}

static struct conf_repository here(void)
{
    return (struct conf_repository){ .name = "main", .keys = made };
}

/* ---- root.pub ------------------------------------------------------------------------------------------ */

static struct access_root some_root(void)
{
    struct access_root root;
    random_bytes(&root, sizeof root);
    return root;
}

START_TEST(root_comes_back)
{
    struct access_root root = some_root();
    struct access_root back;
    struct conf_repository r = here();
    struct error err = ERROR_INIT;
    ck_assert_int_eq(access_root(&r, &back, &err), E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "backupd init"));
    ck_assert_int_eq(access_write_root(made, &root, NULL), 0);
    ck_assert_int_eq(access_root(&r, &back, NULL), 0);
    ck_assert_mem_eq(&root, &back, sizeof root);
    ck_assert_int_eq(access_write_root(made, &root, NULL), E_EXISTS);
    char a[ACCESS_FINGERPRINT_MAX];
    char b[ACCESS_FINGERPRINT_MAX];
    ck_assert_str_eq(access_fingerprint(&root, a), access_fingerprint(&back, b));
    ck_assert_uint_eq(strlen(a), 24);
    back.root_pk[31] ^= 1;
    ck_assert_str_ne(a, access_fingerprint(&back, b));
}
END_TEST

START_TEST(root_is_strict)
{
    struct access_root root = some_root();
    struct access_root back;
    struct conf_repository r = here();
    struct buf text = BUF_INIT;
    char *path = in_dir(ACCESS_ROOT_FILE);
    ck_assert_int_eq(access_write_root(made, &root, NULL), 0);
    ck_assert_int_eq(file_read_small(path, 1000, &text, NULL), 0);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t was = text.data[i];
        text.data[i] = 'Z';
        write_file(ACCESS_ROOT_FILE, (const char *)text.data, text.len, 0400);
        ck_assert_int_eq(access_root(&r, &back, NULL), E_CORRUPT);
        text.data[i] = was;
    }
    for (size_t n = 0; n < text.len; n++) {
        write_file(ACCESS_ROOT_FILE, (const char *)text.data, n, 0400);
        ck_assert_int_eq(access_root(&r, &back, NULL), E_CORRUPT);
    }
    ck_assert_int_eq(buf_append(&text, "\n", 1, NULL), 0);
    write_file(ACCESS_ROOT_FILE, (const char *)text.data, text.len, 0400);
    ck_assert_int_eq(access_root(&r, &back, NULL), E_CORRUPT);
    buf_free(&text);
    free(path);
}
END_TEST

/* ---- writers ------------------------------------------------------------------------------------------- */

struct family {
    struct root_keys root;
    struct restore_kit kit;
    struct access_root pin;
};

static void family_make(struct family *f)
{
    ck_assert_int_eq(root_keys_generate(&f->root, NULL), 0);
    ck_assert_int_eq(restore_kit_generate(&f->root, &f->kit, NULL), 0);
    memcpy(f->pin.repo_id, f->kit.repo_id, REPO_ID_LEN);
    memcpy(f->pin.root_pk, f->kit.root_pk, SIGN_PK_LEN);
}

static void family_free(struct family *f)
{
    root_keys_free(&f->root);
    restore_kit_free(&f->kit);
}

static void save_block(const char *path, enum keyfile_role role, struct secret *block, const char *passphrase)
{
    const struct keyfile_kdf kdf = { .mem_mib = KEYFILE_MEM_MIN, .ops = 1 };
    struct secret *pass = passphrase != NULL ? secret_copy(passphrase, strlen(passphrase), NULL) : NULL;
    struct buf bytes = BUF_INIT;
    ck_assert_ptr_nonnull(block);
    ck_assert_int_eq(keyfile_encode(role, block, pass, &kdf, &bytes, NULL), 0);
    ck_assert_int_eq(keyfile_save(path, &bytes, NULL), 0);
    buf_wipe(&bytes);
    secret_free(pass);
    secret_free(block);
}

static void add_writer(const struct family *f, uint8_t id[WRITER_ID_LEN])
{
    struct writer_keys w;
    ck_assert_int_eq(writer_keys_generate(&f->kit, &w, NULL), 0);
    memcpy(id, w.writer_id, WRITER_ID_LEN);
    char *path = access_writer_path(made, id, NULL);
    save_block(path, KEYFILE_WRITER, writer_keys_encode(&w, NULL), NULL);
    writer_keys_free(&w);
    free(path);
}

START_TEST(writers_are_found_and_loaded)
{
    struct family f;
    struct conf_repository r = here();
    struct vec ids = { .item = WRITER_ID_LEN };
    uint8_t id[3][WRITER_ID_LEN];
    family_make(&f);
    for (size_t i = 0; i < 3; i++)
        add_writer(&f, id[i]);
    write_file("writer-0011.key", "x", 1, 0400);
    write_file("writer-00112233445566GG.key", "x", 1, 0400);
    write_file("writer-0011223344556677.key.bak", "x", 1, 0400);
    ck_assert_int_eq(access_writer_ids(&r, &ids, NULL), 0);
    ck_assert_uint_eq(ids.len, 3);
    ck_assert_int_lt(memcmp(vec_at(&ids, 0), vec_at(&ids, 1), WRITER_ID_LEN), 0);
    ck_assert_int_lt(memcmp(vec_at(&ids, 1), vec_at(&ids, 2), WRITER_ID_LEN), 0);
    struct writer_keys w = { .w_w = NULL };
    ck_assert_int_eq(access_writer_keys(&r, id[0], &w, NULL), E_NOT_FOUND); /* no root.pub */
    ck_assert_int_eq(access_write_root(made, &f.pin, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(access_writer_keys(&r, id[i], &w, NULL), 0);
        ck_assert_mem_eq(w.writer_id, id[i], WRITER_ID_LEN);
        writer_keys_free(&w);
    }
    vec_free(&ids);
    family_free(&f);
}
END_TEST

/* After a rotation of the root key: what root.pub says is what this host pins. */
START_TEST(root_pub_decides_the_pin)
{
    struct family f;
    struct conf_repository r = here();
    uint8_t id[WRITER_ID_LEN];
    struct writer_keys w = { .w_w = NULL };
    struct access_root pin;
    family_make(&f);
    ck_assert_int_eq(access_write_root(made, &f.pin, NULL), 0);
    add_writer(&f, id);
    pin = f.pin;
    pin.root_pk[0] ^= 1;
    ck_assert_int_eq(access_write_root(made, &pin, NULL), E_EXISTS);
    ck_assert_int_eq(access_replace_root(made, &pin, NULL), 0);
    ck_assert_int_eq(access_writer_keys(&r, id, &w, NULL), 0);
    ck_assert_mem_eq(w.root_pk, pin.root_pk, SIGN_PK_LEN);
    writer_keys_free(&w);
    family_free(&f);
}
END_TEST

START_TEST(writers_keys_are_checked)
{
    struct family f;
    struct family other;
    struct conf_repository r = here();
    uint8_t id[WRITER_ID_LEN];
    uint8_t wrong[WRITER_ID_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    struct writer_keys w = { .w_w = NULL };
    struct error err = ERROR_INIT;
    family_make(&f);
    family_make(&other);
    ck_assert_int_eq(access_write_root(made, &f.pin, NULL), 0);
    add_writer(&other, id);
    ck_assert_int_eq(access_writer_keys(&r, id, &w, NULL), E_CONFLICT);
    add_writer(&f, id);
    char *from = access_writer_path(made, id, NULL);
    char *to = access_writer_path(made, wrong, NULL);
    ck_assert_int_eq(rename(from, to), 0);
    ck_assert_int_eq(access_writer_keys(&r, wrong, &w, NULL), E_CONFLICT);
    ck_assert_int_eq(access_writer_keys(&r, id, &w, NULL), E_NOT_FOUND);
    ck_assert_int_eq(rename(to, from), 0);
    ck_assert_int_eq(chmod(from, 0440), 0);
    ck_assert_int_eq(access_writer_keys(&r, id, &w, &err), E_DENIED);
    ck_assert_ptr_nonnull(strstr(err.text, "chmod"));
    struct conf_repository nowhere = { .name = "main", .keys = "/nonexistent/keys" };
    struct vec ids = { .item = WRITER_ID_LEN };
    ck_assert_int_eq(access_writer_ids(&nowhere, &ids, NULL), E_NOT_FOUND);
    vec_free(&ids);
    free(from);
    free(to);
    family_free(&f);
    family_free(&other);
}
END_TEST

/* ---- secrets ------------------------------------------------------------------------------------------- */

static void same_secret(const struct conf_secret *ref, const char *text)
{
    struct error err = ERROR_INIT;
    struct secret *s = access_secret(ref, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    ck_assert_uint_eq(secret_len(s), strlen(text));
    ck_assert_mem_eq(secret_view(s), text, strlen(text));
    secret_free(s);
}

static int code_of(const struct conf_secret *ref)
{
    struct error err = ERROR_INIT;
    struct secret *s = access_secret(ref, &err);
    ck_assert_ptr_null(s);
    return err.code;
}

START_TEST(secrets_of_every_kind)
{
    char *path = in_dir("pass");
    const char *const print[] = { "printf", "%s\\n", "from a command", NULL };
    const char *const fail[] = { "false", NULL };
    struct conf_secret none = { .kind = CONF_SECRET_NONE };
    struct conf_secret file = { .kind = CONF_SECRET_FILE, .text = path };
    struct conf_secret credential = { .kind = CONF_SECRET_CREDENTIAL, .text = "pass" };
    struct conf_secret command = { .kind = CONF_SECRET_COMMAND, .argv = print, .argc = 3 };
    struct conf_secret failing = { .kind = CONF_SECRET_COMMAND, .argv = fail, .argc = 1 };
    ck_assert_int_eq(code_of(&none), E_NOT_FOUND);
    ck_assert_int_eq(code_of(&file), E_NOT_FOUND);
    write_file("pass", "a word \n", 8, 0400);
    same_secret(&file, "a word ");
    ck_assert_int_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    ck_assert_int_eq(code_of(&credential), E_NOT_FOUND);
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", made, 1), 0);
    same_secret(&credential, "a word ");
    ck_assert_int_eq(chmod(path, 0440), 0); /* an access list shows as group bits */
    same_secret(&credential, "a word ");
    ck_assert_int_eq(code_of(&file), E_DENIED);
    write_file("pass", "\n", 1, 0400);
    ck_assert_int_eq(code_of(&credential), E_USAGE);
    ck_assert_int_eq(code_of(&file), E_USAGE);
    write_file("pass", "a\0b\n", 4, 0400);
    ck_assert_int_eq(code_of(&credential), E_USAGE);
    same_secret(&command, "from a command");
    ck_assert_int_eq(code_of(&failing), E_IO);
    free(path);
}
END_TEST

/* ---- kits ---------------------------------------------------------------------------------------------- */

static void same_kit(const char *path, const struct conf_secret *ref, const struct restore_kit *kit)
{
    struct restore_kit back = { .w = NULL };
    struct error err = ERROR_INIT;
    int rc = access_kit(path, ref, false, &back, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_mem_eq(back.repo_id, kit->repo_id, REPO_ID_LEN);
    ck_assert_mem_eq(secret_view(back.w), secret_view(kit->w), secret_len(kit->w));
    ck_assert_mem_eq(secret_view(back.r), secret_view(kit->r), secret_len(kit->r));
    restore_kit_free(&back);
}

START_TEST(kit_as_file_and_text)
{
    struct family f;
    struct buf bytes = BUF_INIT;
    struct buf text = BUF_INIT;
    struct restore_kit back = { .w = NULL };
    family_make(&f);
    char *path = in_dir("kit");
    save_block(path, KEYFILE_KIT, restore_kit_encode(&f.kit, NULL), NULL);
    same_kit(path, NULL, &f.kit);
    ck_assert_int_eq(keyfile_load(path, &bytes, NULL), 0);
    ck_assert_int_eq(buf_printf(&text, NULL, "# typed by hand\n\n"), 0);
    ck_assert_int_eq(paper_encode(bytes.data, bytes.len, &text, NULL), 0);
    write_file("text", (const char *)text.data, text.len, 0400);
    char *typed = in_dir("text");
    same_kit(typed, NULL, &f.kit);
    write_file("text", (const char *)text.data, text.len - 30, 0400);
    ck_assert_int_eq(access_kit(typed, NULL, false, &back, NULL), E_CORRUPT);
    write_file("text", "", 0, 0400);
    ck_assert_int_eq(access_kit(typed, NULL, false, &back, NULL), E_CORRUPT);
    char *none = in_dir("none");
    ck_assert_int_eq(access_kit(none, NULL, false, &back, NULL), E_NOT_FOUND);
    free(none);
    free(typed);
    free(path);
    buf_wipe(&bytes);
    buf_wipe(&text);
    family_free(&f);
}
END_TEST

START_TEST(kit_with_passphrase)
{
    struct family f;
    struct restore_kit back = { .w = NULL };
    struct error err = ERROR_INIT;
    family_make(&f);
    char *path = in_dir("kit");
    char *pass = in_dir("pass");
    struct conf_secret ref = { .kind = CONF_SECRET_FILE, .text = pass };
    save_block(path, KEYFILE_KIT, restore_kit_encode(&f.kit, NULL), "open sesame");
    ck_assert_int_eq(access_kit(path, NULL, false, &back, &err), E_AUTH);
    ck_assert_ptr_nonnull(strstr(err.text, "passphrase"));
    ck_assert_int_eq(access_kit(path, &ref, false, &back, NULL), E_NOT_FOUND);
    write_file("pass", "wrong\n", 6, 0400);
    ck_assert_int_eq(access_kit(path, &ref, false, &back, NULL), E_AUTH);
    write_file("pass", "open sesame\n", 12, 0400);
    same_kit(path, &ref, &f.kit);
    free(pass);
    free(path);
    family_free(&f);
}
END_TEST

START_TEST(another_role_is_named)
{
    struct family f;
    struct restore_kit back = { .w = NULL };
    struct error err = ERROR_INIT;
    family_make(&f);
    char *path = in_dir("root.key");
    save_block(path, KEYFILE_ROOT, root_keys_encode(&f.root, NULL), NULL);
    ck_assert_int_eq(access_kit(path, NULL, false, &back, &err), E_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "root key"));
    ck_assert_ptr_nonnull(strstr(err.text, "restore kit"));
    free(path);
    family_free(&f);
}
END_TEST

/* ---- configuration, storage, jobs ---------------------------------------------------------------------- */

START_TEST(configuration_knows_the_engines)
{
    static const char good[] = "repositories: { main: { storage: { type: local, path: /srv/x } } }\n"
                               "jobs: { shop: { engine: sqlite, path: data/shop.db, name: shop } }\n";
    static const char bad[] = "repositories: { main: { storage: { type: local, path: /srv/x } } }\n"
                              "jobs:\n  a: { engine: sqlit, path: /x }\n  b: { engine: sqlite }\n"
                              "  c: { engine: sqlite, path: /x, pth: /y }\n";
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct error err = ERROR_INIT;
    char *path = in_dir("c.yaml");
    write_file("c.yaml", good, sizeof good - 1, 0600);
    struct conf *conf = access_configuration(path, true, &problems, &err);
    ck_assert_msg(conf != NULL, "%s", err.text);
    struct engine_job job;
    ck_assert_int_eq(access_job(conf, conf_find_job(conf, "shop", NULL), &job, NULL), 0);
    ck_assert_str_eq(job.name, "shop");
    ck_assert_uint_eq(job.noptions, 2);
    char *expected = in_dir("data/shop.db"); /* relative to the configuration, not to where we are */
    ck_assert_str_eq(engine_option(&job, "path"), expected);
    free(expected);
    ck_assert_str_eq(engine_option(&job, "name"), "shop");
    access_job_free(&job);
    ck_assert_ptr_null(job.options);
    conf_free(conf);
    conf_problems_free(&problems);
    problems = (struct conf_problems)CONF_PROBLEMS_INIT;
    write_file("c.yaml", bad, sizeof bad - 1, 0600);
    ck_assert_ptr_null(access_configuration(path, true, &problems, &err));
    ck_assert_int_eq(err.code, E_USAGE);
    ck_assert_uint_eq(problems.total, 3);
    conf_problems_free(&problems);
    free(path);
}
END_TEST

START_TEST(storage_of_both_kinds)
{
    struct error err = ERROR_INIT;
    struct conf_storage local = { .type = CONF_STORAGE_LOCAL, .path = made };
    struct conf_storage sftp = { .type = CONF_STORAGE_SFTP,
                                 .host = "backup.example.org",
                                 .port = 22,
                                 .user = "shop",
                                 .path = "repo",
                                 .agent = true };
    struct backend *b = access_storage(&local, &err);
    ck_assert_msg(b != NULL, "%s", err.text);
    ck_assert_int_eq(access_connect(b, &local, NULL), 0);
    ck_assert_int_eq(access_scan_host_key(&local, NULL, NULL, NULL), E_USAGE);
    backend_close(b);
    local.path = "/nonexistent/storage";
    ck_assert_ptr_null(access_storage(&local, &err));
    ck_assert_int_eq(err.code, E_NOT_FOUND);
    b = access_storage(&sftp, &err); /* connects at first use only */
    ck_assert_msg(b != NULL, "%s", err.text);
    ck_assert_ptr_nonnull(strstr(backend_where(b), "shop@backup.example.org"));
    backend_close(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("access");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_set_timeout(all, 60);
    tcase_add_test(all, root_comes_back);
    tcase_add_test(all, root_is_strict);
    tcase_add_test(all, writers_are_found_and_loaded);
    tcase_add_test(all, root_pub_decides_the_pin);
    tcase_add_test(all, writers_keys_are_checked);
    tcase_add_test(all, secrets_of_every_kind);
    tcase_add_test(all, kit_as_file_and_text);
    tcase_add_test(all, kit_with_passphrase);
    tcase_add_test(all, another_role_is_named);
    tcase_add_test(all, configuration_knows_the_engines);
    tcase_add_test(all, storage_of_both_kinds);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
