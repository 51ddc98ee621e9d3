/* What the sampled index finds, against an exact one: churn, 10,000 small tables, renamed, reordered and
 * moved data; and the hash table it stands on. */
#include "tests/unit/repo/cache_help.h"

#include "common/repo/cache_index.h"
#include "common/base/banned.h"

static const struct cache_limits configs[] = {
    { .lru_bytes = 0, .exact_chunks = 0 },       /* every chunk a hook */
    { .lru_bytes = 3 << 20, .exact_chunks = 1 }, /* forced sampling, small memory */
    { .lru_bytes = 3 << 20, .exact_chunks = 0 }, /* every chunk a hook, small memory */
    { .lru_bytes = 1 << 16, .exact_chunks = 0 }, /* hardly any memory */
};
enum { NCONFIGS = sizeof configs / sizeof configs[0] };

/* Forgets the counts of earlier nights. */
static void new_night(struct help *h)
{
    help_reopen(h);
    help_begin(h);
    h->total = 0;
    h->sent = 0;
    h->exact_sent = 0;
}

static void check_savings(const struct help *h, double least, const char *what)
{
    double exact = (double)(h->total - h->exact_sent), got = (double)(h->total - h->sent);
    ck_assert_msg(got >= least * exact, "%s: saved %.0f, an exact index %.0f (%.1f %%)", what, got, exact,
                  100 * got / exact);
    ck_assert_msg(h->sent >= h->exact_sent, "%s: sent less than is new", what);
}

static uint64_t *numbers(size_t n, uint64_t from)
{
    uint64_t *v = malloc(n * sizeof *v);
    ck_assert_ptr_nonnull(v);
    for (size_t i = 0; i < n; i++)
        v[i] = from + i;
    return v;
}

START_TEST(a_dump_over_many_nights)
{
    enum { N = 60000, NIGHTS = 8 };
    struct help *h = help_new(&configs[_i]);
    uint64_t *v = numbers(N, 1), next = N + 1;
    h->blob_limit = 256 * 1024;
    for (uint32_t night = 0; night < NIGHTS; night++) {
        new_night(h);
        help_stream(h, "dump", v, N);
        help_commit(h, night + 1);
        if (night > 0)
            check_savings(h, 0.97, "churn");
        for (size_t i = 0; i < N; i++)
            if (help_mix(i * 31 + night) % 100 < 3)
                v[i] = next++;
    }
    struct cache_stats stats;
    cache_get_stats(h->c, &stats);
    ck_assert_int_eq(stats.sampled, configs[_i].exact_chunks == 1);
    if (stats.sampled)
        ck_assert_uint_lt(stats.hooks, stats.chunks / 20);
    else
        ck_assert_uint_eq(stats.hooks, stats.chunks);
    free(v);
    help_free(h);
}
END_TEST

enum { TABLES = 10000, ROWS = 30 };

static void put_table(struct help *h, const char *prefix, size_t table, uint32_t night)
{
    uint64_t rows[ROWS];
    char name[64];
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = table * 1000 + i;
        for (uint32_t n = 1; n <= night; n++)
            if (help_mix(rows[i] * 17 + n) % 100 < 3)
                rows[i] = 1000000000u * (uint64_t)n + table * 1000 + i;
    }
    (void)snprintf(name, sizeof name, "%s%zu", prefix, table);
    help_stream(h, name, rows, ROWS);
}

START_TEST(ten_thousand_small_tables)
{
    struct help *h = help_new(&configs[_i]);
    h->blob_limit = 1 << 20;
    for (uint32_t night = 0; night < 5; night++) {
        new_night(h);
        for (size_t t = 0; t < TABLES; t++) {
            /* night 2: in another order; night 3: all renamed */
            size_t table = night == 2 ? (t * 7919) % TABLES : t;
            put_table(h, night >= 3 ? "new/" : "t/", table, night);
        }
        help_commit(h, night + 1);
        static const char *const what[] = { "", "churned", "reordered", "renamed", "again" };
        if (night > 0)
            check_savings(h, 0.95, what[night]);
    }
    help_free(h);
}
END_TEST

START_TEST(moved_and_renamed_data)
{
    enum { N = 40000 };
    struct help *h = help_new(&configs[_i]);
    uint64_t *v = numbers(N, 1), *w = numbers(N, 1);
    h->blob_limit = 256 * 1024;
    new_night(h);
    help_stream(h, "a", v, N);
    help_commit(h, 1);
    new_night(h); /* renamed, and another new stream with a part of it */
    help_stream(h, "b", v, N);
    help_stream(h, "part", v + 12345, 5000);
    help_commit(h, 2);
    check_savings(h, 0.95, "renamed");
    for (size_t i = 0; i < N; i++) /* 80 pieces of 500 chunks in another order */
        w[i] = v[((i / 500) * 37 % 80) * 500 + i % 500];
    new_night(h);
    help_stream(h, "b", w, N);
    help_commit(h, 3);
    check_savings(h, 0.95, "moved");
    for (size_t i = 0; i < N; i++) /* a piece of new data before each 1000 old ones */
        w[i] = i % 1000 < 200 ? 1000000 + i : v[i];
    new_night(h);
    help_stream(h, "c", w, N);
    help_commit(h, 4);
    check_savings(h, 0.95, "mixed");
    free(v);
    free(w);
    help_free(h);
}
END_TEST

START_TEST(random_order_finds_everything_when_exact)
{
    enum { N = 20000 };
    struct cache_limits limits = { .lru_bytes = 1 << 17 };
    struct help *h = help_new(&limits);
    uint64_t *v = numbers(N, 1);
    new_night(h);
    help_stream(h, "a", v, N);
    help_commit(h, 1);
    for (size_t i = 0; i < N; i++)
        v[i] = 1 + (i * 7919) % N;
    new_night(h);
    help_stream(h, "b", v, N);
    help_commit(h, 2);
    ck_assert_uint_eq(h->sent, 0);
    struct cache_stats stats;
    cache_get_stats(h->c, &stats);
    ck_assert_uint_lt(stats.lists_read, 2 * N); /* hardly anything is loaded ahead */
    free(v);
    help_free(h);
}
END_TEST

START_TEST(memory_is_bounded)
{
    enum { N = 100000 };
    struct cache_limits limits = { .lru_bytes = 1 << 20, .exact_chunks = 1000 };
    struct help *h = help_new(&limits);
    uint64_t *v = numbers(N, 1);
    struct cache_stats stats;
    h->blob_limit = 1 << 20;
    for (uint32_t night = 1; night <= 2; night++) {
        new_night(h);
        for (size_t i = 0; i < 10; i++) {
            help_stream(h, "a", v + i * N / 10, N / 10);
            cache_get_stats(h->c, &stats);
            ck_assert_uint_lt(stats.memory, 3 << 20);
        }
        help_commit(h, night);
    }
    free(v);
    help_free(h);
}
END_TEST

/* ---- the hash table ---- */

enum { PAIRS = 3000 };

static bool is_odd(uint32_t value, void *arg)
{
    (void)arg;
    return (value & 1) != 0;
}

static size_t count_value(const struct tagmap *m, uint32_t tag, uint32_t value)
{
    size_t n = 0;
    uint32_t v;
    struct tag_cursor at = tagmap_find(m, tag);
    while ((v = tagmap_next(m, &at)) != 0)
        n += v == value;
    return n;
}

START_TEST(tagmap_against_a_list)
{
    struct tagmap m;
    static bool in[PAIRS];
    uint64_t state = (uint64_t)_i;
    tagmap_init(&m, 64);
    ck_assert_uint_eq(count_value(&m, 5, 5), 0);
    memset(in, 0, sizeof in);
    for (int step = 0; step < 60000; step++) {
        uint32_t i = (uint32_t)((state = help_mix(state)) % PAIRS);
        /* Few different tags, some at both ends of the parts: long runs that wrap around. */
        uint32_t tag = i % 3 == 0 ? UINT32_MAX - i % 50 : i % 3 == 1 ? i % 40 : (uint32_t)help_mix(i % 1000);
        uint32_t value = i + 1;
        if (in[i])
            tagmap_remove(&m, tag, value);
        else
            MUST(tagmap_add(&m, tag, value, NULL) == 0);
        in[i] = !in[i] && count_value(&m, tag, value) == 1;
        if (step % 16 == 0) {
            uint32_t k = (uint32_t)(help_mix((uint64_t)step) % PAIRS);
            uint32_t other = k % 3 == 0   ? UINT32_MAX - k % 50
                             : k % 3 == 1 ? k % 40
                                          : (uint32_t)help_mix(k % 1000);
            ck_assert_uint_eq(count_value(&m, other, k + 1), in[k] ? 1 : 0);
        }
    }
    size_t n = 0, odd = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        n += in[i];
        odd += in[i] && (i + 1) % 2 == 1;
    }
    ck_assert_uint_eq(tagmap_count(&m), n);
    ck_assert_int_eq(tagmap_filter(&m, is_odd, NULL, NULL), 0);
    ck_assert_uint_eq(tagmap_count(&m), odd);
    tagmap_free(&m);
    ck_assert_uint_eq(tagmap_count(&m), 0);
}
END_TEST

START_TEST(tagmap_bounds_equal_tags)
{
    struct tagmap m;
    tagmap_init(&m, 16);
    for (uint32_t i = 1; i <= 5000; i++)
        ck_assert_int_eq(tagmap_add(&m, 77, i, NULL), 0);
    ck_assert_uint_eq(tagmap_count(&m), 16);
    ck_assert_int_eq(tagmap_add(&m, 77, 3, NULL), 0);
    tagmap_remove(&m, 77, 4000);
    tagmap_remove(&m, 78, 3);
    ck_assert_uint_eq(tagmap_count(&m), 16);
    ck_assert_uint_le(tagmap_bytes(&m), 4096);
    tagmap_free(&m);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/cache_savings");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 240);
    tcase_add_loop_test(all, a_dump_over_many_nights, 0, NCONFIGS);
    tcase_add_loop_test(all, ten_thousand_small_tables, 0, 2);
    tcase_add_loop_test(all, moved_and_renamed_data, 0, NCONFIGS);
    tcase_add_test(all, random_order_finds_everything_when_exact);
    tcase_add_test(all, memory_is_bounded);
    tcase_add_loop_test(all, tagmap_against_a_list, 0, 4);
    tcase_add_test(all, tagmap_bounds_equal_tags);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
