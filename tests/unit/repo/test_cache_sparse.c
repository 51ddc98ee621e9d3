/* What a stream that is wanted alone leaves behind: how much of its blobs is its own, what that costs, and when not.
 * Places say a length as stored that is that of the plaintext (place_blob below), so shares can be computed here. */
#include "tests/unit/repo/cache_help.h"

#include <fcntl.h>

#include "common/base/banned.h"

enum { ROWS = 24000, CHURN = 12 }; /* about 48 MiB; per cent that a night changes */

struct table {
    uint64_t rows[ROWS];
    uint64_t next; /* content that was never there */
};

static struct help *h;
static struct table *table;

static void setup(void)
{
    h = help_new(NULL);
    h->blob_limit = 512 * 1024;
    table = calloc(1, sizeof *table);
    ck_assert_ptr_nonnull(table);
    for (size_t i = 0; i < ROWS; i++)
        table->rows[i] = i + 1;
    table->next = ROWS + 1;
}

static void teardown(void)
{
    free(table);
    help_free(h);
}

static void churn(uint32_t night, unsigned percent)
{
    for (size_t i = 0; i < ROWS; i++)
        if (help_mix(i * 31 + night * 1000003) % 100 < percent)
            table->rows[i] = table->next++;
}

static void place_blob(void)
{
    if (!h->open)
        return;
    struct blob_ref ref = help_place(h->session, h->idx, h->blob, h->blob_len);
    ref.clen = h->blob_len;
    OK(cache_blob_place(h->c, h->blob, &ref, err));
    h->waiting[h->nwaiting++] = h->blob;
    h->open = false;
    if (h->nwaiting == PACK_BLOBS)
        help_flush_pack(h);
}

struct seen { /* of one stream: bytes of its own, and of its blobs whole */
    uint64_t own, whole, fresh;
};

/* One stream, as the stream writer tells the cache of it. */
static struct seen put(const char *name, const uint64_t *rows, size_t n, bool alone)
{
    struct map blobs = MAP_OF(sizeof(uint32_t), 1);
    struct seen s = { 0 };
    uint64_t sent = h->sent;
    OK(cache_stream_begin(h->c, name, err));
    if (alone)
        OK(cache_stream_alone(h->c, err));
    h->has_last = false;
    for (size_t i = 0; i < n; i++) {
        bool added;
        if (h->open && h->blob_len + help_len(rows[i]) > h->blob_limit)
            place_blob();
        help_put(h, rows[i]);
        OK(cache_stream_add(h->c, h->last.blob, h->last.length, err));
        MUST(map_put(&blobs, &h->last.blob, &added, NULL) != NULL);
        s.own += h->last.length;
    }
    OK(cache_stream_end(h->c, err));
    size_t pos = 0;
    const void *key = NULL;
    while (map_next(&blobs, &pos, &key) != NULL) {
        uint32_t number = 0;
        memcpy(&number, key, sizeof number);
        const struct vec *chunks = &h->blobs[number];
        const struct model_chunk *last = vec_at(chunks, chunks->len - 1);
        s.whole += last->offset + last->len;
    }
    s.fresh = h->sent - sent;
    map_free(&blobs);
    return s;
}

static struct seen night(uint32_t number, const char *name, bool alone)
{
    help_reopen(h); /* what counts comes from the journal */
    help_begin(h);
    struct seen s = put(name, table->rows, ROWS, alone);
    place_blob();
    help_commit(h, number);
    return s;
}

static double share(struct seen s)
{
    return (double)s.whole / (double)s.own;
}

START_TEST(a_table_alone_stays_together)
{
    for (uint32_t n = 1; n <= 14; n++) {
        struct seen s = night(n, "rows", true);
        ck_assert_msg(share(s) < 1.5, "night %u: %.3f", n, share(s));
        churn(n, CHURN);
    }
}
END_TEST

START_TEST(without_it_a_table_is_scattered)
{
    struct seen s = { 0 };
    for (uint32_t n = 1; n <= 14; n++) {
        s = night(n, "rows", false);
        churn(n, CHURN);
    }
    ck_assert_msg(share(s) > 2.0, "%.3f", share(s));
}
END_TEST

/* About as much again as what changed, over the nights, and nothing before it is needed. */
START_TEST(what_it_costs)
{
    double sum = 0;
    for (uint32_t n = 1; n <= 14; n++) {
        struct seen s = night(n, "rows", true);
        double part = (double)s.fresh / (double)s.own;
        if (n == 2 || n == 3)
            ck_assert_msg(part < 0.14, "night %u: %.3f of it is new", n, part);
        ck_assert_msg(n == 1 || part < 0.3, "night %u: %.3f of it is new", n, part);
        sum += n == 1 ? 0 : part;
        churn(n, CHURN);
    }
    ck_assert_msg(sum < 13 * 2.0 * CHURN / 100, "%.3f in 13 nights", sum);
}
END_TEST

START_TEST(a_table_that_hardly_changes_is_left_alone)
{
    (void)night(1, "rows", true);
    for (uint32_t n = 2; n <= 14; n++) {
        uint64_t before = table->next;
        churn(n, 1);
        uint64_t changed = 0;
        for (uint64_t i = before; i < table->next; i++)
            changed += help_len(i);
        ck_assert_uint_eq(night(n, "rows", true).fresh, changed);
    }
}
END_TEST

START_TEST(what_is_small_is_left_alone)
{
    enum { FEW = 200 }; /* with 1 MiB to spare */
    for (uint32_t n = 1; n <= 3; n++) {
        help_reopen(h);
        help_begin(h);
        struct seen s = put("few", table->rows, FEW, true);
        if (n > 1)
            ck_assert_uint_lt(s.fresh, s.own / 4);
        (void)put("rest", table->rows + FEW, ROWS - FEW, false);
        place_blob();
        help_commit(h, n);
        churn(n, 10);
    }
}
END_TEST

/* Fills the list of what to avoid, without the commit when it should not count. */
static void scatter(uint32_t nights)
{
    for (uint32_t n = 1; n <= nights; n++) {
        (void)night(n, "rows", true);
        churn(n, 20);
    }
}

START_TEST(a_night_without_a_commit_changes_nothing)
{
    scatter(2);
    help_reopen(h);
    help_begin(h);
    (void)put("rows", table->rows, ROWS, true); /* notes blobs to avoid */
    place_blob();
    help_flush_pack(h);
    cache_session_abort(h->c);
    h->open = false;
    /* Everything is known now, and nothing of it is avoided. */
    ck_assert_uint_eq(night(3, "rows", true).fresh, 0);
}
END_TEST

START_TEST(only_the_stream_itself_avoids_them)
{
    scatter(5);
    uint64_t fresh = night(6, "other", true).fresh; /* what the last churn changed */
    ck_assert_uint_lt(fresh, (uint64_t)ROWS * 2048 / 4);
    ck_assert_uint_gt(night(7, "rows", true).fresh, 0); /* of what it has left, nothing is found */
}
END_TEST

START_TEST(the_same_nights_give_the_same)
{
    uint64_t fresh[2][8];
    for (int round = 0; round < 2; round++) {
        for (uint32_t n = 1; n <= 8; n++) {
            fresh[round][n - 1] = night(n, "rows", true).fresh;
            churn(n, CHURN);
        }
        teardown();
        setup();
    }
    ck_assert_mem_eq(fresh[0], fresh[1], sizeof fresh[0]);
}
END_TEST

/* Whatever byte of the journal is wrong, every hit is still true (help_put checks it), and damage is known. */
START_TEST(a_damaged_list_is_not_used)
{
    scatter(6);
    struct cache_stats stats;
    cache_get_stats(h->c, &stats);
    cache_close(h->c);
    h->c = NULL;
    /* The last list stands right before the commit's entry, which is the end of the file. */
    int fd = open(h->path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    off_t at = (off_t)stats.journal - 64;
    ck_assert(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 0x40;
    ck_assert(pwrite(fd, &byte, 1, at) == 1 && close(fd) == 0);
    struct seen s = night(7, "rows", true);
    ck_assert_uint_gt(s.own, 0);
    ck_assert(cache_damaged(h->c));
}
END_TEST

START_TEST(wrong_calls)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(cache_stream_alone(h->c, &err), E_INTERNAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("repo/cache_sparse");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 240);
    tcase_add_checked_fixture(all, setup, teardown);
    tcase_add_test(all, a_table_alone_stays_together);
    tcase_add_test(all, without_it_a_table_is_scattered);
    tcase_add_test(all, what_it_costs);
    tcase_add_test(all, a_table_that_hardly_changes_is_left_alone);
    tcase_add_test(all, what_is_small_is_left_alone);
    tcase_add_test(all, a_night_without_a_commit_changes_nothing);
    tcase_add_test(all, only_the_stream_itself_avoids_them);
    tcase_add_test(all, the_same_nights_give_the_same);
    tcase_add_test(all, a_damaged_list_is_not_used);
    tcase_add_test(all, wrong_calls);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
