/* anomalies: of the file, of a job, off. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/conf/conf.h"

#define HEAD "repositories:\n  r:\n    storage: {type: local, path: /p}\n"

static struct conf *load(const char *text, struct conf_problems *problems)
{
    char file[64];
    struct error err = ERROR_INIT;
    struct conf_hooks hooks = { .need_jobs = false };
    (void)snprintf(file, sizeof file, "/tmp/test_anomalies.%d.yaml", (int)getpid());
    FILE *f = fopen(file, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    struct conf *conf = conf_load(file, &hooks, problems, &err);
    (void)unlink(file);
    return conf;
}

START_TEST(defaults)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct conf *conf = load(HEAD "jobs:\n  shop: {engine: e}\n", &problems);
    ck_assert_ptr_nonnull(conf);
    const struct conf_anomalies *a = conf_anomalies_of(conf, &conf->jobs[0]);
    ck_assert(a->watch);
    ck_assert_uint_eq(a->min_runs, 7);
    ck_assert_uint_eq(a->min_age_ms, 7ull * 86400000);
    ck_assert_uint_eq(a->shrinks_to, 50);
    ck_assert_uint_eq(a->grows_to, 300);
    ck_assert_uint_eq(a->slower_than, 300);
    ck_assert_uint_eq(a->churn_by, 30);
    ck_assert_uint_eq(a->entropy_by, 25);
    ck_assert_uint_eq(a->full_within_ms, 7ull * 86400000);
    ck_assert(!a->tell_schema);
    ck_assert_uint_eq(a->min_rows, 500);
    ck_assert_uint_eq(a->min_size, 1024 * 1024);
    ck_assert_uint_eq(a->min_free, 5);
    ck_assert_uint_eq(a->ignore.n, 0);
    conf_free(conf);
    conf_problems_free(&problems);
}
END_TEST

START_TEST(the_job_counts_alone)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct conf *conf = load(
        HEAD
        "jobs:\n"
        "  a: {engine: e}\n"
        "  b: {engine: e, anomalies: off}\n"
        "  c: {engine: e, anomalies: {ignore: [slow, host_key], min_free: 0}}\n"
        "anomalies: {min_runs: 20, min_free: 10, churn_by: 50, entropy_by: 40, full_within: 2d, tell_schema: yes}\n",
        &problems);
    ck_assert_ptr_nonnull(conf);
    const struct conf_anomalies *a = conf_anomalies_of(conf, &conf->jobs[0]);
    ck_assert_uint_eq(a->min_runs, 20);
    ck_assert_uint_eq(a->min_free, 10);
    ck_assert_uint_eq(a->churn_by, 50);
    ck_assert_uint_eq(a->entropy_by, 40);
    ck_assert_uint_eq(a->full_within_ms, 2ull * 86400000);
    ck_assert(a->tell_schema);
    ck_assert(!conf_anomalies_of(conf, &conf->jobs[1])->watch);
    a = conf_anomalies_of(conf, &conf->jobs[2]);
    ck_assert(a->watch);
    ck_assert_uint_eq(a->min_runs, 7);
    ck_assert_uint_eq(a->min_free, 0);
    ck_assert_uint_eq(a->ignore.n, 2);
    ck_assert_str_eq(a->ignore.names[1], "host_key");
    conf_free(conf);
    conf = load(HEAD "anomalies: off\njobs:\n  a: {engine: e}\n", &problems);
    ck_assert_ptr_nonnull(conf);
    ck_assert(!conf_anomalies_of(conf, &conf->jobs[0])->watch);
    conf_free(conf);
    conf_problems_free(&problems);
}
END_TEST

static const struct {
    const char *yaml;
    const char *expected;
} mistakes[] = {
    { "anomalies: {min_run: 8}\n", "unknown setting 'min_run' in anomalies, did you mean 'min_runs'?" },
    { "anomalies: {min_runs: 2}\n", "anomalies.min_runs: '2' is out of bounds" },
    { "anomalies: {shrinks_to: 100}\n", "anomalies.shrinks_to: '100' is out of bounds" },
    { "anomalies: {ignore: [rows, entrophy]}\n",
      "anomalies.ignore: there is no kind 'entrophy', did you mean 'entropy'?" },
    { "anomalies: sometimes\n", "anomalies: expected settings (name: value)" },
    { "anomalies: [rows]\n", "anomalies: expected settings (name: value)" },
    { "jobs: {shop: {engine: e, anomalies: {min_free: 100}}}\n",
      "jobs.shop.anomalies.min_free: '100' is out of bounds" },
};

START_TEST(mistakes_are_told)
{
    struct conf_problems problems = CONF_PROBLEMS_INIT;
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;
    char yaml[1024];
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
    Suite *s = suite_create("anomalies");
    TCase *t = tcase_create("anomalies");
    tcase_add_test(t, defaults);
    tcase_add_test(t, the_job_counts_alone);
    tcase_add_loop_test(t, mistakes_are_told, 0, (int)(sizeof mistakes / sizeof mistakes[0]));
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed;
}
