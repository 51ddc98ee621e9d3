/* Keys: answers of python hashlib, key file blocks, generation. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/repo/keys.h"
#include "common/base/banned.h"

static void start(void)
{
    ck_assert_int_eq(crypto_init(NULL), 0);
}

static void assert_hex(const void *data, size_t len, const char *want)
{
    char text[512];
    ck_assert_uint_lt(2 * len, sizeof text);
    hex_encode(text, data, len);
    ck_assert_str_eq(text, want);
}

static const uint8_t writer_id[WRITER_ID_LEN] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };

static struct secret *counting(uint8_t first)
{
    struct secret *s = secret_new(KEY_LEN, NULL);
    for (uint8_t i = 0; i < KEY_LEN; i++)
        secret_data(s)[i] = (uint8_t)(first + i);
    return s;
}

START_TEST(derivations_match_python)
{
    struct secret *w = counting(0);
    struct secret *v = counting(32);
    struct secret *w_w = writer_root_derive(w, writer_id, NULL);
    struct secret *v_w = view_key_derive(v, writer_id, NULL);
    struct secret *derived = writer_derive(w_w, NULL);
    const struct writer_derived *d = writer_derived_of(derived);
    assert_hex(secret_view(w_w), KEY_LEN, "a656283823a0377bb23d245a542675e4523f74f07f74175d84fcacc3c7c5b27a");
    assert_hex(secret_view(v_w), KEY_LEN, "d2bcb7e49b66e03b866bf1a43f349b95aed4861f01872b30e61f7be97fcfd8d5");
    assert_hex(d->id_key, KEY_LEN, "f1bbba6cadf30ebe86cd62aae9c24c1427d603bc7a72c5d187fc17abaaf44389");
    assert_hex(d->chunk_key, KEY_LEN, "ca93c7ddf6f0380c2272d38138edf5522669c6a8d8cb046b45dca450d2c40480");
    assert_hex(d->cdc_key, KEY_LEN, "946f3d988c033f616ce9b23ade6294c249448b23e730550ed6b284588faca51d");
    assert_hex(d->mix_key, KEY_LEN, "6a26de7baa9956583d5d2987f5dafa6823a127ace05183c7fd54faf592151a45");
    assert_hex(d->trail_key, KEY_LEN, "9b6b9aa669d3fbf8b9ac3a4aa20f92585ca6712c33f1d0225b045d5e077a358e");
    uint64_t seed = 0;
    ck_assert_int_eq(writer_seed_derive(w_w, &seed, NULL), 0);
    ck_assert_uint_eq(seed, 0x767bef3cdcf3fd64);
    secret_free(w);
    secret_free(v);
    secret_free(w_w);
    secret_free(v_w);
    secret_free(derived);
}
END_TEST

START_TEST(session_and_object_keys_match_python)
{
    struct secret *w = counting(0);
    struct secret *w_w = writer_root_derive(w, writer_id, NULL);
    struct secret *derived = writer_derive(w_w, NULL);
    struct session_name name = { .session = 9 };
    struct object_keys keys;
    uint8_t s[SHARE_LEN];
    uint8_t k_s[KEY_LEN];
    uint8_t kid[KID_LEN];
    memset(s, 7, sizeof s);
    for (uint8_t i = 0; i < REPO_ID_LEN; i++)
        name.repo_id[i] = i;
    memcpy(name.writer_id, writer_id, sizeof writer_id);
    ck_assert_int_eq(session_key(writer_derived_of(derived)->mix_key, &name, s, k_s, NULL), 0);
    ck_assert_int_eq(session_kid(k_s, kid, NULL), 0);
    assert_hex(k_s, KEY_LEN, "9d8857d7845d9f71e6124fdc6c74259b0c2a27c44f3820d490a22e9448329e8a");
    assert_hex(kid, KID_LEN, "a0d8b2400acce5a6afa188a7fa65da71ecb087e12e205308a8c2237cf667ad41");
    ck_assert_int_eq(pack_keys(k_s, "header", 6, &keys, NULL), 0);
    assert_hex(keys.key, KEY_LEN, "48a24a834ff0bc1b3a763d1f5d019b366a96d70102b7192645ed91b8c05e3e3f");
    assert_hex(keys.commit, COMMIT_LEN, "c29b512a8c3174630d4544832b0982a25c5e3dd07cd98bfaffb6469bde1d2222");
    ck_assert_int_eq(snap_keys(k_s, "header", 6, &keys, NULL), 0);
    assert_hex(keys.key, KEY_LEN, "cd80784cc9e43bde192221a2439c3bf123e525744fbe19b2dec6a3daad7eb101");
    assert_hex(keys.commit, COMMIT_LEN, "4fea1dd5cc60a6fde118471ac27817486dc52959a3eb20893c9f36c5e4929c63");
    secret_free(w);
    secret_free(w_w);
    secret_free(derived);
}
END_TEST

static bool same(const struct secret *a, const struct secret *b)
{
    return secret_len(a) == secret_len(b) && secret_equal(secret_view(a), secret_view(b), secret_len(a));
}

/* A block that is one byte shorter is refused and leaves nothing behind. */
#define ASSERT_SIZE_IS_EXACT(type, block)                                                   \
    do {                                                                                    \
        struct type k_;                                                                     \
        struct error err_ = ERROR_INIT;                                                     \
        struct secret *cut_ = secret_copy(secret_view(block), secret_len(block) - 1, NULL); \
        ck_assert_int_eq(type##_decode(cut_, &k_, &err_), E_CORRUPT);                       \
        ck_assert_str_eq(err_.name, ERR_KEY_BLOCK);                                         \
        type##_free(&k_);                                                                   \
        secret_free(cut_);                                                                  \
    } while (0)

START_TEST(blocks_go_both_ways)
{
    struct root_keys root, root2;
    struct restore_kit kit, kit2;
    struct writer_keys writer, writer2;
    struct retention_keys ret, ret2;
    struct member_kit member, member2;
    ck_assert_int_eq(root_keys_generate(&root, NULL), 0);
    ck_assert_int_eq(restore_kit_generate(&root, &kit, NULL), 0);
    ck_assert_int_eq(writer_keys_generate(&kit, &writer, NULL), 0);
    ck_assert_int_eq(retention_keys_generate(&kit, &ret, NULL), 0);
    ck_assert_int_eq(member_kit_generate(root.repo_id, kit.root_pk, &member, NULL), 0);
    struct secret *blocks[] = { root_keys_encode(&root, NULL), restore_kit_encode(&kit, NULL),
                                writer_keys_encode(&writer, NULL), retention_keys_encode(&ret, NULL),
                                member_kit_encode(&member, NULL) };
    const size_t sizes[] = { 48, 144, 152, 112, 80 };
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_eq(secret_len(blocks[i]), sizes[i]);
    ck_assert_int_eq(root_keys_decode(blocks[0], &root2, NULL), 0);
    ck_assert_int_eq(restore_kit_decode(blocks[1], &kit2, NULL), 0);
    ck_assert_int_eq(writer_keys_decode(blocks[2], &writer2, NULL), 0);
    ck_assert_int_eq(retention_keys_decode(blocks[3], &ret2, NULL), 0);
    ck_assert_int_eq(member_kit_decode(blocks[4], &member2, NULL), 0);
    ck_assert(same(root.seed, root2.seed) && same(kit.w, kit2.w) && same(kit.v, kit2.v) &&
              same(kit.r, kit2.r));
    ck_assert(same(writer.w_w, writer2.w_w) && same(writer.v_w, writer2.v_w) &&
              same(writer.seed, writer2.seed));
    ck_assert(same(ret.v, ret2.v) && same(ret.seed, ret2.seed) && same(member.r, member2.r));
    ck_assert_mem_eq(writer.writer_id, writer2.writer_id, WRITER_ID_LEN);
    ck_assert_mem_eq(member2.root_pk, kit.root_pk, SIGN_PK_LEN);
    ck_assert_mem_eq(writer2.repo_id, root.repo_id, REPO_ID_LEN);
    ASSERT_SIZE_IS_EXACT(root_keys, blocks[0]);
    ASSERT_SIZE_IS_EXACT(restore_kit, blocks[1]);
    ASSERT_SIZE_IS_EXACT(writer_keys, blocks[2]);
    ASSERT_SIZE_IS_EXACT(retention_keys, blocks[3]);
    ASSERT_SIZE_IS_EXACT(member_kit, blocks[4]);
    for (size_t i = 0; i < 5; i++)
        secret_free(blocks[i]);
    root_keys_free(&root);
    root_keys_free(&root); /* twice is fine */
    ck_assert_ptr_null(root_keys_encode(&root, NULL));
    root_keys_free(&root2);
    restore_kit_free(&kit);
    restore_kit_free(&kit2);
    writer_keys_free(&writer);
    writer_keys_free(&writer2);
    retention_keys_free(&ret);
    retention_keys_free(&ret2);
    member_kit_free(&member);
    member_kit_free(&member2);
}
END_TEST

START_TEST(block_layout_is_the_documented_one)
{
    struct root_keys root;
    struct restore_kit kit;
    struct writer_keys k;
    ck_assert_int_eq(root_keys_generate(&root, NULL), 0);
    ck_assert_int_eq(restore_kit_generate(&root, &kit, NULL), 0);
    ck_assert_int_eq(writer_keys_generate(&kit, &k, NULL), 0);
    struct secret *w_w = writer_root_derive(kit.w, k.writer_id, NULL);
    struct secret *block = writer_keys_encode(&k, NULL);
    const uint8_t *p = secret_view(block);
    ck_assert_mem_eq(p, root.repo_id, REPO_ID_LEN);
    ck_assert_mem_eq(p + 16, kit.root_pk, SIGN_PK_LEN);
    ck_assert_mem_eq(p + 48, k.writer_id, WRITER_ID_LEN);
    ck_assert_mem_eq(p + 56, secret_view(w_w), KEY_LEN);
    ck_assert_mem_eq(p + 88, secret_view(k.v_w), KEY_LEN);
    ck_assert_mem_eq(p + 120, secret_view(k.seed), SIGN_SEED_LEN);
    secret_free(w_w);
    secret_free(block);
    writer_keys_free(&k);
    restore_kit_free(&kit);
    root_keys_free(&root);
}
END_TEST

START_TEST(new_keys_differ)
{
    struct root_keys root;
    struct restore_kit kit;
    struct writer_keys a, b;
    ck_assert_int_eq(root_keys_generate(&root, NULL), 0);
    ck_assert_int_eq(restore_kit_generate(&root, &kit, NULL), 0);
    ck_assert_int_eq(writer_keys_generate(&kit, &a, NULL), 0);
    ck_assert_int_eq(writer_keys_generate(&kit, &b, NULL), 0);
    ck_assert_mem_ne(a.writer_id, b.writer_id, WRITER_ID_LEN);
    ck_assert(!same(a.w_w, b.w_w) && !same(a.v_w, b.v_w) && !same(a.seed, b.seed) && !same(kit.w, kit.v));
    writer_keys_free(&a);
    writer_keys_free(&b);
    restore_kit_free(&kit);
    root_keys_free(&root);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/keys");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, NULL);
    tcase_add_test(all, derivations_match_python);
    tcase_add_test(all, session_and_object_keys_match_python);
    tcase_add_test(all, blocks_go_both_ways);
    tcase_add_test(all, block_layout_is_the_documented_one);
    tcase_add_test(all, new_keys_differ);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
