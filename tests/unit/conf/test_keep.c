/* keep, keep_jobs, tags: what stays, as the configuration says it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/conf/conf.h"

#define HEAD "repositories:\n  r:\n    storage: {type: local, path: /p}\n"

static char file[64];

static void write_file(const char *text)
{
    (void)snprintf(file, sizeof file, "/tmp/test_keep.%d.yaml", (int)getpid());
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static struct conf *load(const char *text, struct conf_problems *problems)
{
    struct error err = ERROR_INIT;
    struct conf_hooks hooks = { .need_jobs = false };
    write_file(text);
    struct conf *conf = conf_load(file, &hooks, problems, &err);
    (void)unlink(file);
    return conf;
}

START_TEST(rules_are_read)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct conf *conf =
        load(HEAD "    time_zone: Europe/Berlin\n"
                  "    delete_after: 3d\n"
                  "    keep: {daily: 7, within: 2d}\n"
                  "    keep_jobs:\n"
                  "      blog: {yearly: 2, tags: [audit, gdpr], erase_after: 1y, min: 1, max_new: 9}\n"
                  "jobs:\n"
                  "  shop: {engine: e, tags: nightly, keep: {last: 3}}\n"
                  "  blog: {engine: e, keep: {last: 99}}\n"
                  "  other: {engine: e}\n",
             &problems);
    ck_assert_ptr_nonnull(conf);
    const struct conf_repository *r = &conf->repositories[0];
    ck_assert_str_eq(r->time_zone, "Europe/Berlin");
    ck_assert_uint_eq(r->delete_after_ms, 3ull * 86400000);
    ck_assert_uint_eq(r->silent_after_ms, 30ull * 86400000);
    const struct conf_keep *k = conf_keep_of(conf, r, "other");
    ck_assert_ptr_eq(k, &r->keep);
    ck_assert_uint_eq(k->daily, 7);
    ck_assert_uint_eq(k->within_ms, 2ull * 86400000);
    ck_assert_uint_eq(k->min, 3);
    ck_assert_uint_eq(k->max_share, 20);
    ck_assert_uint_eq(k->max_new, 0);
    ck_assert_ptr_null(k->tags.names);
    k = conf_keep_of(conf, r, "blog"); /* keep_jobs is above the job's own */
    ck_assert_uint_eq(k->last, 0);
    ck_assert_uint_eq(k->yearly, 2);
    ck_assert_uint_eq(k->erase_after_ms, 365ull * 86400000);
    ck_assert_uint_eq(k->tags.n, 2);
    ck_assert_str_eq(k->tags.names[1], "gdpr");
    ck_assert_ptr_null(k->tags.names[2]);
    ck_assert_uint_eq(k->max_new, 9);
    ck_assert_uint_eq(conf_keep_of(conf, r, "shop")->last, 3);
    ck_assert_uint_eq(conf->jobs[0].tags.n, 1);
    ck_assert_str_eq(conf->jobs[0].tags.names[0], "nightly");
    conf_free(conf);
    conf_problems_free(&problems);
}
END_TEST

START_TEST(without_rules_everything_stays)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct conf *conf = load(HEAD, &problems);
    ck_assert_ptr_nonnull(conf);
    ck_assert_ptr_null(conf_keep_of(conf, &conf->repositories[0], "shop"));
    ck_assert_str_eq(conf->repositories[0].time_zone, "UTC");
    conf_free(conf);
    conf_problems_free(&problems);
}
END_TEST

static const struct {
    const char *yaml;
    const char *expected;
} mistakes[] = {
    { "    keep: {dayly: 7, last: 1}\n",
      "unknown setting 'dayly' in repositories.r.keep, did you mean 'daily'?" },
    { "    keep: {min: 3}\n", "repositories.r.keep: no rule says what stays" },
    { "    keep: {tags: [x]}\n", "repositories.r.keep: no rule says what stays" },
    { "    keep: {daily: -1}\n", "repositories.r.keep.daily: '-1' is not a whole number" },
    { "    keep: {daily: 7, min: 0}\n", "repositories.r.keep.min: '0' is out of bounds" },
    { "    keep: {daily: 7, max_share: 101}\n", "repositories.r.keep.max_share: '101' is out of bounds" },
    { "    keep: {daily: 7, erase_after: 10m}\n",
      "repositories.r.keep.erase_after: '10m' is out of bounds (duration, 1h to 100y)" },
    { "    keep: {within: 2y, erase_after: 1y}\n",
      "repositories.r.keep: within is longer than erase_after, which wins" },
    { "    keep: {daily: 7, tags: [Big]}\n", "repositories.r.keep.tags: 'Big' is no good name" },
    { "    keep: 7\n", "repositories.r.keep: expected settings (name: value)" },
    { "    keep_jobs: {shop: {dayly: 7, last: 1}}\n",
      "unknown setting 'dayly' in repositories.r.keep_jobs.shop" },
    { "    keep_jobs: {Shop: {daily: 7}}\n", "'Shop' is no good name of a job" },
    { "    keep_jobs: [shop]\n",
      "repositories.r.keep_jobs: expected names of jobs with keep rules below them" },
};

START_TEST(mistakes_are_told)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;
    char yaml[512];
    (void)snprintf(yaml, sizeof yaml, "%s%s", HEAD, mistakes[_i].yaml);
    ck_assert_ptr_null(load(yaml, &problems));
    ck_assert_uint_eq(problems.total, 1);
    ck_assert_int_eq(conf_problems_format(&problems, &text, &err), 0);
    ck_assert_int_eq(buf_append(&text, "", 1, &err), 0);
    ck_assert_msg(strstr((char *)text.data, mistakes[_i].expected) != NULL, "%s", (char *)text.data);
    buf_free(&text);
    conf_problems_free(&problems);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keep");
    TCase *t = tcase_create("keep");
    tcase_add_test(t, rules_are_read);
    tcase_add_test(t, without_rules_everything_stays);
    tcase_add_loop_test(t, mistakes_are_told, 0, (int)(sizeof mistakes / sizeof mistakes[0]));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
