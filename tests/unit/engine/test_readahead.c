/* Units of random lengths through threads: every byte once, in order; failures and early ends. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/engine/readahead.h"

enum { UNITS = 200, BUFFER = 1000, BLOCK = 90 };

struct world {
    size_t lengths[UNITS];
    size_t fails_at; /* unit, or UNITS */
    atomic_int stopped;
    atomic_int waits; /* a fetch that waits for `stopped` */
    int ticks;
    int tick_fails;
    size_t done; /* units, of a source */
    size_t done_fails;
};

static uint8_t byte_at(size_t unit, size_t i)
{
    return (uint8_t)(unit * 31 + i * 7 + i / 251);
}

static int fetch(void *arg, unsigned lane_number, size_t unit, struct readahead_lane *lane, struct error *err)
{
    struct world *w = arg;
    (void)lane_number;
    if (unit == w->fails_at)
        return error_set(err, E_RETRY, "unit %zu fails", unit);
    if (atomic_load(&w->waits) != 0)
        while (atomic_load(&w->stopped) == 0)
            (void)usleep(1000);
    for (size_t done = 0; done < w->lengths[unit];) {
        size_t len = 0;
        uint8_t *room = readahead_room(lane, &len, err);
        if (room == NULL)
            return E_CANCELLED;
        size_t n = w->lengths[unit] - done < len ? w->lengths[unit] - done : len;
        n = n > 77 && done % 2 == 0 ? 77 : n;
        for (size_t i = 0; i < n; i++)
            room[i] = byte_at(unit, done + i);
        readahead_filled(lane, n);
        done += n;
    }
    return 0;
}

static int tick(void *arg, struct error *err)
{
    struct world *w = arg;
    w->ticks++;
    return w->tick_fails != 0 ? error_set(err, E_RETRY, "the tick fails") : 0;
}

static void stop(void *arg)
{
    struct world *w = arg;
    atomic_fetch_add(&w->stopped, 1);
}

static void prepare(struct world *w)
{
    memset(w, 0, sizeof *w);
    srandom(4);
    for (size_t i = 0; i < UNITS; i++)
        w->lengths[i] = i % 5 == 0 ? 0 : (size_t)random() % (3 * BUFFER);
    w->fails_at = UNITS;
}

static struct readahead *start(struct world *w, unsigned lanes)
{
    struct error err = ERROR_INIT;
    const struct readahead_options o = { .lanes = lanes,
                                         .units = UNITS,
                                         .buffer = BUFFER,
                                         .block = BLOCK,
                                         .fetch = fetch,
                                         .tick = tick,
                                         .stop = stop,
                                         .arg = w };
    struct readahead *r = readahead_start(&o, &err);
    ck_assert_msg(r != NULL, "%s", err.text);
    return r;
}

START_TEST(test_order)
{
    struct world w;
    const void *lent = NULL;
    prepare(&w);
    struct readahead *r = start(&w, (unsigned)_i);
    for (size_t unit = 0; unit < UNITS; unit++) {
        struct error err = ERROR_INIT;
        size_t done = 0;
        int64_t n;
        while ((n = readahead_lend(r, unit, &lent, &err)) > 0) {
            for (size_t i = 0; i < (size_t)n; i++)
                ck_assert_uint_eq(((const uint8_t *)lent)[i], byte_at(unit, done + i));
            done += (size_t)n;
        }
        ck_assert_int_eq(n, 0);
        ck_assert_uint_eq(done, w.lengths[unit]);
    }
    readahead_free(r);
    ck_assert_int_eq(atomic_load(&w.stopped), 0);
}
END_TEST

/* What was whole before the failure may or may not be given; never more, and then the error. */
START_TEST(test_failure)
{
    struct world w;
    const void *data = NULL;
    struct error err = ERROR_INIT;
    int64_t n = 0;
    prepare(&w);
    w.fails_at = 20;
    struct readahead *r = start(&w, 3);
    for (size_t unit = 0; unit < UNITS && n >= 0; unit++) {
        ck_assert_uint_le(unit, w.fails_at);
        while ((n = readahead_lend(r, unit, &data, &err)) > 0)
            ;
    }
    ck_assert_int_eq(n, E_RETRY);
    ck_assert_str_eq(err.text, "unit 20 fails");
    readahead_free(r);
    ck_assert_int_eq(atomic_load(&w.stopped), 1);
}
END_TEST

START_TEST(test_early_end)
{
    struct world w;
    const void *data = NULL;
    struct error err = ERROR_INIT;
    prepare(&w);
    struct readahead *r = start(&w, 4);
    ck_assert_int_gt(readahead_lend(r, 1, &data, &err), 0);
    readahead_free(r); /* lanes wait for room */
    ck_assert_int_eq(atomic_load(&w.stopped), 1);
    prepare(&w);
    atomic_store(&w.waits, 1);
    r = start(&w, 4);
    readahead_free(r); /* lanes wait for something else, which `stop` ends */
    ck_assert_int_eq(atomic_load(&w.stopped), 1);
}
END_TEST

START_TEST(test_tick)
{
    struct world w;
    const void *data = NULL;
    struct error err = ERROR_INIT;
    prepare(&w);
    atomic_store(&w.waits, 1);
    w.tick_fails = 1;
    struct readahead *r = start(&w, 2);
    ck_assert_int_eq(readahead_lend(r, 0, &data, &err), E_RETRY);
    ck_assert_int_ge(w.ticks, 1);
    readahead_free(r);
}
END_TEST

START_TEST(test_refused)
{
    const void *data = NULL;
    struct error err = ERROR_INIT;
    struct world w;
    prepare(&w);
    struct readahead_options o = {
        .lanes = 0, .units = 1, .buffer = 1, .block = 1, .fetch = fetch, .arg = &w
    };
    ck_assert_ptr_null(readahead_start(&o, &err));
    o.lanes = READAHEAD_LANES_MAX + 1;
    ck_assert_ptr_null(readahead_start(&o, &err));
    o.lanes = 1;
    o.block = 2; /* more than the buffer */
    ck_assert_ptr_null(readahead_start(&o, &err));
    o.block = 1;
    o.units = 0;
    struct readahead *r = readahead_start(&o, &err);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(readahead_lend(r, 0, &data, &err), E_INTERNAL);
    readahead_free(r);
    readahead_free(NULL);
}
END_TEST

/* ---- sources at both ends --------------------------------------------------------------------------------- */

static int fetch_source(void *arg, unsigned lane_number, size_t unit, struct readahead_lane *lane,
                        struct error *err)
{
    struct world *w = arg;
    static uint8_t bytes[UNITS][3 * BUFFER];
    (void)lane_number;
    for (size_t i = 0; i < w->lengths[unit]; i++)
        bytes[unit][i] = byte_at(unit, i);
    struct source *s = source_memory(bytes[unit], w->lengths[unit], err);
    int rc = s != NULL ? readahead_pass(lane, s, err) : E_NOMEM;
    source_free(s);
    return rc == 0 && unit == w->fails_at ? error_set(err, E_RETRY, "unit %zu fails", unit) : rc;
}

static int count_done(void *arg, size_t unit, struct error *err)
{
    struct world *w = arg;
    if (unit == w->done_fails)
        return error_set(err, E_INTERNAL, "unit %zu is not liked", unit);
    ck_assert_uint_eq(unit, w->done++);
    return 0;
}

/* The units from..to-1; 0, or the code that ended them. */
static int read_units(struct world *w, struct readahead *r, size_t from, size_t to)
{
    struct error err = ERROR_INIT;
    uint8_t data[333];
    struct source *s = readahead_source(r, from, to, count_done, w, &err);
    ck_assert_ptr_nonnull(s);
    size_t unit = from;
    size_t done = 0;
    int64_t n;
    while ((n = source_read(s, data, sizeof data, &err)) > 0)
        for (size_t i = 0; i < (size_t)n; i++) {
            for (; done == w->lengths[unit]; done = 0)
                unit++;
            ck_assert_uint_eq(data[i], byte_at(unit, done++));
        }
    source_free(s);
    return (int)n;
}

START_TEST(test_sources)
{
    struct world w;
    struct error err = ERROR_INIT;
    prepare(&w);
    w.done_fails = UNITS;
    const struct readahead_options o = { .lanes = 3,
                                         .units = UNITS,
                                         .buffer = BUFFER,
                                         .block = BLOCK,
                                         .fetch = fetch_source,
                                         .stop = stop,
                                         .arg = &w };
    struct readahead *r = readahead_start(&o, &err);
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(read_units(&w, r, 0, 1), 0);
    ck_assert_int_eq(read_units(&w, r, 1, 1), 0);
    ck_assert_int_eq(read_units(&w, r, 1, UNITS), 0);
    ck_assert_uint_eq(w.done, UNITS);
    readahead_free(r);

    prepare(&w); /* a unit that fails after its last byte is not done */
    w.fails_at = 4;
    w.done_fails = UNITS;
    r = readahead_start(&o, &err);
    ck_assert_int_eq(read_units(&w, r, 0, UNITS), E_RETRY);
    ck_assert_uint_le(w.done, 4);
    readahead_free(r);

    prepare(&w);
    w.done_fails = 3;
    r = readahead_start(&o, &err);
    ck_assert_int_eq(read_units(&w, r, 0, UNITS), E_INTERNAL);
    ck_assert_uint_eq(w.done, 3);
    readahead_free(r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("readahead");
    TCase *t = tcase_create("readahead");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_order, 1, 7);
    tcase_add_test(t, test_failure);
    tcase_add_test(t, test_early_end);
    tcase_add_test(t, test_tick);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_sources);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
