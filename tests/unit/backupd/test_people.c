/* init --people: every group of so many, each once, as the charter takes them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/init/keys.h"
#include "backupd/init/people.h"
#include "common/base/banned.h"

static struct init_keys keys;

static void people(size_t n, unsigned need, struct charter *c)
{
    struct init_people p = { .n = n, .need = need };
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < n; i++)
        (void)snprintf(p.name[i], sizeof p.name[i], "p%zu", i);
    memset(&keys, 0, sizeof keys);
    keys.others = (struct vec)VEC_OF(struct init_other);
    ck_assert_int_eq(root_keys_generate(&keys.root, &err), 0);
    ck_assert_int_eq(restore_kit_generate(&keys.root, &keys.kit, &err), 0);
    ck_assert_int_eq(init_people_generate(&p, &keys, &err), 0);
    charter_init(c);
    ck_assert_int_eq(init_people_charter(&p, &keys, c, &err), 0);
    ck_assert_uint_eq(c->recipients.len, n == 0 ? 1 : n);
    init_keys_free(&keys);
}

/* Who is in group g, as bits. */
static unsigned members(const struct charter *c, size_t g)
{
    const struct charter_group *group = vec_at(&c->groups, g);
    unsigned bits = 0;
    for (unsigned k = 0; k < group->n; k++)
        for (size_t i = 0; i < c->recipients.len; i++)
            if (memcmp(group->rid[k], ((const struct charter_recipient *)vec_at(&c->recipients, i))->rid,
                       RID_LEN) == 0)
                bits |= 1U << i;
    return bits;
}

START_TEST(every_choice_is_a_group_once)
{
    static const struct {
        size_t n;
        unsigned need;
        size_t groups;
    } cases[] = { { 1, 1, 1 },  { 2, 1, 2 },  { 2, 2, 1 }, { 3, 2, 3 }, { 4, 2, 6 },  { 4, 3, 4 },
                  { 5, 3, 10 }, { 6, 2, 15 }, { 6, 5, 6 }, { 8, 8, 1 }, { 16, 1, 16 } };
    ck_assert_int_eq(crypto_init(NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct charter c;
        people(cases[i].n, cases[i].need, &c);
        ck_assert_uint_eq(c.groups.len, cases[i].groups);
        for (size_t g = 0; g < c.groups.len; g++) {
            ck_assert_int_eq(__builtin_popcount(members(&c, g)), (int)cases[i].need);
            for (size_t k = 0; k < g; k++)
                ck_assert_uint_ne(members(&c, g), members(&c, k));
        }
        charter_free(&c);
    }
}
END_TEST

START_TEST(without_people_there_is_one_kit)
{
    struct charter c;
    ck_assert_int_eq(crypto_init(NULL), 0);
    people(0, 0, &c);
    ck_assert_uint_eq(c.groups.len, 1);
    ck_assert_str_eq(((const struct charter_recipient *)vec_at(&c.recipients, 0))->name, "restore-kit");
    charter_free(&c);
}
END_TEST

START_TEST(names_of_files)
{
    static const char *const cases[][2] = { { "safe/restore-kit.key", "safe/restore-kit-anna.key" },
                                            { "safe.d/kit", "safe.d/kit-anna" },
                                            { "kit.txt", "kit-anna.txt" } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = init_people_path(cases[i][0], "anna", NULL);
        ck_assert_str_eq(path, cases[i][1]);
        free(path);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/people");
    TCase *all = tcase_create("all");
    tcase_add_test(all, every_choice_is_a_group_once);
    tcase_add_test(all, without_people_there_is_one_kit);
    tcase_add_test(all, names_of_files);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
