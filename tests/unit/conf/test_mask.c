/* drills: NAME: mask. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/conf/conf.h"

#define HEAD                                                      \
    "repositories:\n  r:\n    storage: {type: local, path: /p}\n" \
    "jobs:\n  shop: {engine: e}\n"                                \
    "drills:\n  d:\n    job: shop\n    mask:\n"

static struct conf *load(const char *text, struct conf_problems *problems)
{
    char file[64];
    struct error err = ERROR_INIT;
    struct conf_hooks hooks = { .need_jobs = false };
    (void)snprintf(file, sizeof file, "/tmp/test_mask.%d.yaml", (int)getpid());
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    struct conf *conf = conf_load(file, &hooks, problems, &err);
    (void)unlink(file);
    return conf;
}

START_TEST(rules)
{
    static const struct conf_mask expected[] = {
        { "a.b.c", CONF_MASK_HASH, NULL }, { "b.c", CONF_MASK_NULL, NULL },
        { "*.c", CONF_MASK_NULL, NULL },   { "b.d", CONF_MASK_CONSTANT, "Jane Doe" },
        { "b.e", CONF_MASK_CONSTANT, "" }, { "b.f", CONF_MASK_CONSTANT, "null" },
    };
    enum { RULES = sizeof expected / sizeof expected[0] };
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct conf *conf = load(HEAD "      - {column: a.b.c, with: hash}\n"
                                  "      - {column: b.c, with: null}\n"
                                  "      - {with: \"null\", column: \"*.c\"}\n"
                                  "      - column: b.d\n        with: {constant: Jane Doe}\n"
                                  "      - {column: b.e, with: {constant: \"\"}}\n"
                                  "      - {column: b.f, with: {constant: null}}\n",
                             &problems);
    ck_assert_ptr_nonnull(conf);
    const struct conf_drill *d = conf_find_drill(conf, "d");
    ck_assert_uint_eq(d->nmasks, RULES);
    for (size_t i = 0; i < RULES; i++) {
        ck_assert_str_eq(d->masks[i].column, expected[i].column);
        ck_assert_int_eq(d->masks[i].rule, expected[i].rule);
        ck_assert_pstr_eq(d->masks[i].constant, expected[i].constant);
    }
    conf_free(conf);
    conf_problems_free(&problems);
}
END_TEST

static const struct {
    const char *yaml;
    const char *expected;
} mistakes[] = {
    { "      a.b: hash\n", ":10:7: drills.d.mask: expected a list of 1 to 1024 items\n" },
    { "      []\n", ":10:7: drills.d.mask: expected a list of 1 to 1024 items\n" },
    { "      - a.b\n",
      ":10:9: drills.d.mask[1]: expected a rule, like { column: public.customers.email, with: hash }, found a" },
    { "      - {column: a.b}\n", ":10:9: drills.d.mask[1]: 'with' is missing" },
    { "      - {with: hash}\n", ":10:9: drills.d.mask[1]: 'column' is missing" },
    { "      - {column: a.b, with: hash}\n      - {column: email, with: hash}\n",
      ":11:18: drills.d.mask[2]: 'email' names no column: write SCHEMA.TABLE.COLUMN (PostgreSQL) or TABLE.COLUMN\n" },
    { "      - {column: [a.b], with: hash}\n",
      ":10:18: drills.d.mask[1]: expected a single value, found a list\n" },
    { "      - {column: a.b, with: md5}\n",
      ":10:29: drills.d.mask[1].with: expected null, hash or { constant: TEXT }, found 'md5'\n" },
    { "      - {column: a.b, with: }\n",
      "drills.d.mask[1].with: expected null, hash or { constant: TEXT }, found ''\n" },
    { "      - {column: a.b, with: [hash]}\n",
      "drills.d.mask[1].with: expected null, hash or { constant: TEXT }, found a list\n" },
    { "      - {column: a.b, with: {text: x}}\n",
      ":10:29: drills.d.mask[1].with: expected null, hash or { constant: TEXT }\n" },
    { "      - {column: a.b, with: {constant: }}\n",
      "drills.d.mask[1].with.constant has no value (the empty text is \"\")\n" },
    { "      - {column: a.b, with: {constant: {a: b}}}\n",
      "drills.d.mask[1].with.constant: expected a text, found a mapping\n" },
    { "      - {column: a.b, with: hash, key: x}\n",
      ":10:35: unknown setting 'key' in drills.d.mask[1]: column and with\n" },
};

START_TEST(mistakes_are_told)
{
    char yaml[600];
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    (void)snprintf(yaml, sizeof yaml, "%s%s", HEAD, mistakes[_i].yaml);
    ck_assert_ptr_null(load(yaml, &problems));
    ck_assert_int_eq(conf_problems_format(&problems, &text, NULL), 0);
    ck_assert_int_eq(buf_append(&text, "", 1, NULL), 0);
    ck_assert_msg(strstr((char *)text.data, mistakes[_i].expected) != NULL, "%s", (char *)text.data);
    ck_assert_uint_eq(problems.total, 1);
    buf_free(&text);
    conf_problems_free(&problems);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mask");
    TCase *t = tcase_create("mask");
    tcase_add_test(t, rules);
    tcase_add_loop_test(t, mistakes_are_told, 0, (int)(sizeof mistakes / sizeof mistakes[0]));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
