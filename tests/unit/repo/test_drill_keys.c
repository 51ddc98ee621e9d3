/* Role 6 key files: what comes back, and what is refused. */
#include <check.h>
#include <string.h>

#include "common/repo/drill_keys.h"
#include "common/repo/opener.h"

#include "common/base/banned.h"

enum { HEAD = 112, ITEM = 72 };

struct made {
    struct root_keys root;
    struct restore_kit kit;
    struct drill_keys drill;
    struct vec ids;
};

static void make(struct made *m, size_t n)
{
    struct error err = ERROR_INIT;
    *m = (struct made){ .ids = { .item = WRITER_ID_LEN } };
    ck_assert_int_eq(crypto_init(&err), 0);
    ck_assert_int_eq(root_keys_generate(&m->root, &err), 0);
    ck_assert_int_eq(restore_kit_generate(&m->root, &m->kit, &err), 0);
    for (size_t i = 0; i < n; i++) {
        uint8_t *id = vec_push(&m->ids, &err);
        memset(id, (int)(n - i), WRITER_ID_LEN); /* not in their order */
    }
    ck_assert_int_eq(drill_keys_generate(&m->kit, &m->ids, &m->drill, &err), 0);
}

static void done(struct made *m)
{
    root_keys_free(&m->root);
    restore_kit_free(&m->kit);
    drill_keys_free(&m->drill);
    vec_free(&m->ids);
}

START_TEST(comes_back)
{
    struct made m;
    struct drill_keys again = DRILL_KEYS_INIT;
    struct error err = ERROR_INIT;
    uint8_t id[WRITER_ID_LEN];
    make(&m, 3);
    struct secret *block = drill_keys_encode(&m.drill, &err);
    ck_assert_uint_eq(secret_len(block), HEAD + 3 * ITEM);
    ck_assert_int_eq(drill_keys_decode(block, &again, &err), 0);
    ck_assert_uint_eq(again.writers.len, 3);
    memset(id, 1, sizeof id);
    struct opener whole = { .w = m.kit.w, .v = m.kit.v };
    struct opener part = { .drill = &again };
    struct secret *a = opener_root(&whole, id, &err);
    struct secret *b = opener_root(&part, id, &err);
    struct secret *c = opener_view(&whole, id, &err);
    struct secret *d = opener_view(&part, id, &err);
    ck_assert(secret_equal(secret_view(a), secret_view(b), KEY_LEN));
    ck_assert(secret_equal(secret_view(c), secret_view(d), KEY_LEN));
    memset(id, 9, sizeof id);
    ck_assert(!opener_has_view(&part, id) && opener_has_view(&whole, id));
    ck_assert_ptr_null(opener_root(&part, id, &err));
    ck_assert_int_eq(err.code, E_AUTH);
    secret_free(a);
    secret_free(b);
    secret_free(c);
    secret_free(d);
    secret_free(block);
    drill_keys_free(&again);
    done(&m);
}
END_TEST

START_TEST(refused)
{
    struct made m;
    struct drill_keys again = DRILL_KEYS_INIT;
    make(&m, 2);
    struct secret *block = drill_keys_encode(&m.drill, NULL);
    static const size_t lengths[] = {
        0, HEAD - 1, HEAD, HEAD + ITEM - 1, HEAD + ITEM + 1, HEAD + 2 * ITEM - 1
    };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct error err = ERROR_INIT;
        struct secret *cut = secret_copy(secret_view(block), lengths[i], &err);
        if (cut == NULL)
            continue;
        ck_assert_int_eq(drill_keys_decode(cut, &again, &err), E_CORRUPT);
        ck_assert_str_eq(err.name, ERR_KEY_BLOCK);
        secret_free(cut);
    }
    struct error err = ERROR_INIT;
    secret_data(block)[HEAD] = 9; /* the first writer above the second */
    ck_assert_int_eq(drill_keys_decode(block, &again, &err), E_CORRUPT);
    memcpy(secret_data(block) + HEAD, secret_view(block) + HEAD + ITEM, ITEM); /* one twice */
    ck_assert_int_eq(drill_keys_decode(block, &again, &err), E_CORRUPT);
    secret_free(block);
    vec_clear(&m.ids);
    drill_keys_free(&m.drill);
    ck_assert_int_eq(drill_keys_generate(&m.kit, &m.ids, &m.drill, &err), E_USAGE);
    done(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("drill keys");
    TCase *t = tcase_create("all");
    tcase_add_test(t, comes_back);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
