/* The bounded queue under several threads. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/alloc.h"
#include "common/sys/queue.h"
#include "common/base/banned.h"

static void *as_item(uintptr_t n)
{
    static char base[4096];
    return base + n;
}

START_TEST(order_and_close)
{
    struct queue *q = queue_new(3, NULL);
    void *item = NULL;
    struct error err = ERROR_INIT;
    for (uintptr_t i = 0; i < 10; i++) {
        ck_assert_int_eq(queue_put(q, as_item(2 * i), NULL), 0);
        ck_assert_int_eq(queue_put(q, as_item(2 * i + 1), NULL), 0);
        ck_assert_uint_eq(queue_waiting(q), 2);
        ck_assert_int_eq(queue_get(q, &item, NULL), 1);
        ck_assert_ptr_eq(item, as_item(2 * i));
        ck_assert_int_eq(queue_get(q, &item, NULL), 1);
        ck_assert_ptr_eq(item, as_item(2 * i + 1));
    }
    ck_assert_int_eq(queue_put(q, NULL, NULL), 0);
    queue_close(q);
    ck_assert_int_eq(queue_put(q, as_item(0), &err), E_INTERNAL);
    ck_assert_int_eq(queue_get(q, &item, NULL), 1);
    ck_assert_ptr_null(item);
    ck_assert_int_eq(queue_get(q, &item, NULL), 0);
    ck_assert_int_eq(queue_get(q, &item, NULL), 0);
    queue_free(q, NULL);
    queue_free(NULL, NULL);
}
END_TEST

enum { WORKERS = 4, ITEMS = 4000 };

static atomic_int seen[ITEMS];
static struct queue *shared;

static void *produce(void *arg)
{
    const int *first = arg;
    for (int i = *first; i < ITEMS; i += WORKERS)
        if (queue_put(shared, as_item((uintptr_t)i), NULL) < 0)
            return as_item(1);
    return NULL;
}

static void *consume(void *arg)
{
    void *item = NULL;
    const char *base = as_item(0);
    (void)arg;
    while (queue_get(shared, &item, NULL) > 0)
        atomic_fetch_add(&seen[(const char *)item - base], 1);
    return NULL;
}

START_TEST(nothing_lost_nothing_doubled)
{
    pthread_t producers[WORKERS];
    pthread_t consumers[WORKERS];
    int first[WORKERS];
    shared = queue_new(2, NULL);
    for (int i = 0; i < WORKERS; i++) {
        first[i] = i;
        ck_assert_int_eq(pthread_create(&producers[i], NULL, produce, &first[i]), 0);
        ck_assert_int_eq(pthread_create(&consumers[i], NULL, consume, NULL), 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        void *failed = NULL;
        ck_assert_int_eq(pthread_join(producers[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    queue_close(shared);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_join(consumers[i], NULL), 0);
    for (int i = 0; i < ITEMS; i++)
        ck_assert_int_eq(atomic_load(&seen[i]), 1);
    queue_free(shared, NULL);
}
END_TEST

static void *get_failure(void *arg)
{
    struct error *err = arg;
    void *item = NULL;
    (void)queue_get(shared, &item, err);
    return NULL;
}

static void *put_failure(void *arg)
{
    while (queue_put(shared, as_item(0), arg) == 0)
        ;
    return NULL;
}

static void fail_while_blocked(void *(*body)(void *))
{
    struct error got[WORKERS] = { ERROR_INIT };
    struct error why = ERROR_INIT;
    struct error later = ERROR_INIT;
    pthread_t threads[WORKERS];
    shared = queue_new(1, NULL);
    for (int i = 0; i < WORKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, body, &got[i]), 0);
    (void)nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
    (void)error_set(&why, E_NO_SPACE, "the disk is full");
    (void)error_set(&later, E_IO, "later");
    queue_fail(shared, &why);
    queue_fail(shared, &later);
    queue_close(shared);
    for (int i = 0; i < WORKERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(got[i].code, E_NO_SPACE);
        ck_assert_str_eq(got[i].text, "the disk is full");
    }
    queue_free(shared, NULL);
}

START_TEST(failure_wakes_getters)
{
    fail_while_blocked(get_failure);
}
END_TEST

START_TEST(failure_wakes_putters)
{
    fail_while_blocked(put_failure);
}
END_TEST

START_TEST(failure_ends_a_closed_queue_and_needs_no_code)
{
    struct error none = ERROR_INIT;
    struct error err = ERROR_INIT;
    void *item = NULL;
    struct queue *q = queue_new(2, NULL);
    ck_assert_int_eq(queue_put(q, as_item(0), NULL), 0);
    queue_close(q);
    queue_fail(q, &none);
    ck_assert_int_eq(queue_get(q, &item, &err), E_INTERNAL);
    queue_free(q, NULL);
}
END_TEST

static int dropped;

static void drop(void *item)
{
    dropped++;
    free(item);
}

START_TEST(free_drops_what_is_left)
{
    struct queue *q = queue_new(8, NULL);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(queue_put(q, mem_alloc(1, 1, NULL), NULL), 0);
    queue_free(q, drop);
    ck_assert_int_eq(dropped, 5);
}
END_TEST

START_TEST(no_room_no_memory)
{
    struct error err = ERROR_INIT;
    ck_assert_ptr_null(queue_new(0, &err));
    ck_assert_int_eq(err.code, E_INTERNAL);
    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_after(n);
        ck_assert_ptr_null(queue_new(4, &err));
        ck_assert_int_eq(err.code, E_NOMEM);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sys/queue");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, order_and_close);
    tcase_add_test(all, nothing_lost_nothing_doubled);
    tcase_add_test(all, failure_wakes_getters);
    tcase_add_test(all, failure_wakes_putters);
    tcase_add_test(all, failure_ends_a_closed_queue_and_needs_no_code);
    tcase_add_test(all, free_drops_what_is_left);
    tcase_add_test(all, no_room_no_memory);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
