/* Simulated years of nights of five jobs, with a clock that is set, downtime, kills of the daemon, failures that pass and that do
 * not, uploads that take hours, a window, a dependency, people who pause, start and cancel: minute by minute exactly the expected
 * starts, stops, skips and waits.
 * What is expected is kept in true time and in lists of due times, with none of the planner's arithmetic. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/planner.h"
#include "common/base/zone.h"
#include "common/base/banned.h"

enum {
    JOBS = 5,
    MINUTE = 60,
    HOUR = 3600,
    DAY = 86400,
    DUES_MAX = 12000,
    RETRIES = 2,
    PAUSE = 2400,
};

enum job { SHOP, HELD, AFTER, OFTEN, LONG };

struct book {
    int64_t *dues;
    size_t ndues;
    size_t at; /* the first that has not come */
    int64_t decided;
    bool pending, running, stopping;
    int64_t due, window_from; /* of the pending or running one, in wall time */
    int64_t not_before;       /* true time */
    int64_t started, ends;    /* true time */
    unsigned attempt;
    bool bad; /* the last one did not succeed */
    bool paused, by_hand;
    bool came; /* in this minute */
    uint64_t starts, stops, skips, waits, given_up, ends_of_tries, untried;
};

static struct planner_rules rules[JOBS];
static struct planner *planner;
static struct book book[JOBS];
static uint64_t random_state;
static uint64_t beside; /* starts of others while the held upload was on */

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % below);
}

static struct calendar *calendar(const char *text)
{
    struct error err = ERROR_INIT;
    struct calendar *c = NULL;
    ck_assert_msg(calendar_parse(text, &c, &err) == 0, "%s", err.text);
    return c;
}

static void make_rules(void)
{
    static const struct planner_lane a = { "writer a", 1 }, b = { "writer b", 1 }, c = { "writer c", 1 };
    rules[SHOP] = (struct planner_rules){ .name = "shop",
                                          .calendar = calendar("30 2 * * *"),
                                          .catch_up = 6 * HOUR,
                                          .retries = RETRIES,
                                          .retry_pause = PAUSE,
                                          .lanes = { a },
                                          .nlanes = 1 };
    rules[HELD] = (struct planner_rules){
        .name = "held", .calendar = calendar("0 1 * * *"), .catch_up = DAY, .lanes = { b }, .nlanes = 1
    };
    rules[AFTER] = (struct planner_rules){ .name = "after",
                                           .calendar = calendar("15 3 * * *"),
                                           .catch_up = 3 * HOUR,
                                           .window = 4 * HOUR,
                                           .retries = RETRIES,
                                           .retry_pause = PAUSE,
                                           .depends = { SHOP },
                                           .ndepends = 1,
                                           .lanes = { c },
                                           .nlanes = 1 };
    rules[OFTEN] = (struct planner_rules){
        .name = "often", .calendar = calendar("every 90m"), .retries = RETRIES, .retry_pause = PAUSE
    };
    rules[LONG] = (struct planner_rules){ .name = "long",
                                          .calendar = calendar("mon,thu 12:00"),
                                          .catch_up = 2 * DAY,
                                          .max_duration = 5 * HOUR,
                                          .retries = RETRIES,
                                          .retry_pause = PAUSE };
}

static void list_dues(struct book *b, const struct calendar *c, int64_t from, int64_t to)
{
    *b = (struct book){ .dues = calloc(DUES_MAX, sizeof *b->dues), .decided = from };
    ck_assert(b->dues != NULL);
    for (int64_t t = calendar_next(c, from - 60 * (int64_t)DAY); t != 0 && t < to; t = calendar_next(c, t)) {
        ck_assert(b->ndues < DUES_MAX);
        b->dues[b->ndues++] = t;
    }
}

static void over(struct book *b, bool good)
{
    b->pending = b->running = b->stopping = b->by_hand = false;
    b->not_before = 0;
    b->attempt = 0;
    b->bad = !good;
}

static void drop(struct book *b)
{
    *(b->attempt == 0 ? &b->skips : &b->given_up) += 1;
    over(b, false);
}

/* What has come, by the wall. */
static void expect_due(struct book *b, const struct planner_rules *r, int64_t wall)
{
    b->came = false;
    if (b->due > wall + 26 * HOUR && b->pending && !b->running) /* a false time */
        drop(b);
    if (b->due > wall + 26 * HOUR)
        b->due = wall;
    if (b->window_from > wall + 26 * HOUR)
        b->window_from = wall;
    if (b->decided > wall + 26 * HOUR)
        b->decided = wall;
    while (b->at > 0 && b->dues[b->at - 1] > wall)
        b->at--;
    while (b->at < b->ndues && b->dues[b->at] <= wall)
        b->at++;
    if (b->running || b->by_hand || b->at == 0 || b->dues[b->at - 1] <= b->decided)
        return;
    for (size_t i = b->at - 1; i > 0 && b->dues[i - 1] > b->decided; i--)
        b->skips++;
    if (b->pending)
        drop(b);
    b->due = b->decided = b->dues[b->at - 1];
    int64_t age = wall - b->due;
    b->window_from = age > MINUTE ? wall : b->due;
    b->pending = true;
    b->attempt = 0;
    b->not_before = 0;
    b->came = true;
    if (b->paused || (age > MINUTE && age > r->catch_up))
        drop(b);
}

/* Whether it must start now; what cannot start any more is dropped. */
static bool expect_start(size_t job, int64_t truth, int64_t wall)
{
    struct book *b = &book[job];
    const struct planner_rules *r = &rules[job];
    if (!b->pending || b->running)
        return false;
    if (b->by_hand)
        return true;
    if (b->paused) {
        drop(b);
        return false;
    }
    if (r->window > 0 && wall >= b->window_from + r->window) {
        drop(b);
        return false;
    }
    if (truth < b->not_before || (job == AFTER && book[SHOP].pending))
        return false;
    if (job == AFTER && book[SHOP].bad) {
        drop(b);
        return false;
    }
    return true;
}

static bool expect_stop(size_t job, int64_t truth, int64_t wall)
{
    struct book *b = &book[job];
    const struct planner_rules *r = &rules[job];
    if (!b->running || b->stopping)
        return false;
    return (r->window > 0 && !b->by_hand && wall >= b->window_from + r->window) ||
           (r->max_duration > 0 && truth >= b->started + r->max_duration);
}

static int64_t length_of(size_t job)
{
    if (job == HELD && draw(3) == 0)
        return (int64_t)(5 + draw(20)) * HOUR; /* an upload that is held for hours */
    if (job == SHOP && draw(25) == 0)
        return 6 * HOUR; /* longer than what waits for it can wait */
    if (job == LONG)
        return (int64_t)(1 + draw(9)) * HOUR;
    return (int64_t)(1 + draw(job == AFTER ? 200 : 60)) * MINUTE;
}

static void finish(size_t job, int64_t truth, int64_t wall)
{
    struct book *b = &book[job];
    uint32_t dice = draw(20);
    enum planner_outcome outcome = b->stopping || dice == 0 ? PLANNER_FAILED
                                   : dice < 4               ? PLANNER_PASSING
                                                            : PLANNER_OK;
    planner_finished(planner, job, wall, outcome);
    if (outcome == PLANNER_PASSING && b->attempt <= rules[job].retries && !b->by_hand && !b->paused) {
        int64_t pause = rules[job].retry_pause;
        for (unsigned i = 1; i < b->attempt; i++)
            pause *= 2;
        bool next =
            calendar_next(rules[job].calendar, planner_state(planner, job)->last_due) + rules[job].jitter <=
            wall + pause;
        b->untried += next ? 1 : 0;
        if (!next && (rules[job].window == 0 || wall + pause < b->window_from + rules[job].window)) {
            b->running = false;
            b->not_before = truth + pause;
            return;
        }
    }
    over(b, outcome == PLANNER_OK);
}

/* Somebody pauses or resumes a job, starts it, or gives up what waits. */
static void somebody(int64_t wall)
{
    struct planner_event was;
    size_t job = draw(JOBS);
    struct book *b = &book[job];
    uint32_t dice = draw(5);
    if (dice == 0 || b->paused) {
        b->paused = !b->paused;
        planner_pause(planner, job, wall, b->paused);
    }
    bool waits = b->pending && !b->running;
    if (dice == 1 || dice == 2) {
        bool may = !b->running && !b->by_hand;
        if ((planner_start(planner, job, wall, NULL) == 0) != may)
            ck_abort_msg("%s, wall %lld: started by hand", rules[job].name, (long long)wall);
        if (may) {
            over(b, waits ? false : !b->bad);
            b->pending = b->by_hand = waits = true;
            b->due = wall;
        }
    }
    if (dice == 2 || dice == 3) {
        if ((planner_cancel(planner, job, &was, NULL) == 0) != waits || (waits && was.due != b->due))
            ck_abort_msg("%s, wall %lld: cancelled", rules[job].name, (long long)wall);
        if (waits)
            over(b, b->by_hand && !b->bad);
    }
}

/* kill -9 of the daemon: what the next one knows is the state. */
static void next_daemon(void)
{
    struct error err = ERROR_INIT;
    struct planner_state left[JOBS];
    for (size_t i = 0; i < JOBS; i++) {
        left[i] = *planner_state(planner, i);
        if (book[i].running) {
            book[i].running = book[i].stopping = false;
            book[i].not_before = 0;
        }
    }
    planner_free(planner);
    ck_assert_int_eq(planner_new(rules, JOBS, 8, &planner, &err), 0);
    for (size_t i = 0; i < JOBS; i++)
        planner_restore(planner, i, &left[i], false);
}

/* One minute; whether something happened in it. */
static bool look(int64_t truth, int64_t wall)
{
    struct error err = ERROR_INIT;
    struct vec events = VEC_OF(struct planner_event);
    bool start[JOBS] = { false }, stop[JOBS] = { false }, wait[JOBS] = { false };
    uint64_t skipped[JOBS] = { 0 }, before[JOBS];
    uint64_t given_up[JOBS] = { 0 };
    bool good = planner_tick(planner, wall, &events, &err) == 0;
    for (size_t i = 0; i < events.len; i++) {
        const struct planner_event *e = vec_at(&events, i);
        good = good && !(e->kind == PLANNER_START && start[e->job]);
        start[e->job] = start[e->job] || e->kind == PLANNER_START;
        stop[e->job] = stop[e->job] || e->kind == PLANNER_STOP;
        wait[e->job] = wait[e->job] || e->kind == PLANNER_WAIT;
        skipped[e->job] += e->kind == PLANNER_SKIP ? e->count : 0;
        given_up[e->job] += e->kind == PLANNER_GIVE_UP ? 1 : 0;
        /* Only one waits for another here. */
        bool held = e->kind == PLANNER_WAIT || (e->kind == PLANNER_SKIP && e->reason == PLANNER_WINDOW_OVER &&
                                                e->hold.kind == PLANNER_HELD_DEPENDS);
        good = good && !(held && (e->job != AFTER || e->hold.other != SHOP));
        good = good && !(e->reason == PLANNER_DEPENDENCY && e->other != SHOP);
    }
    bool happened = events.len > 0;
    vec_free(&events);
    for (size_t i = 0; i < JOBS; i++) {
        before[i] = book[i].skips;
        book[i].given_up = 0;
        expect_due(&book[i], &rules[i], wall);
    }
    for (size_t i = 0; i < JOBS; i++) {
        struct book *b = &book[i];
        bool must_stop = expect_stop(i, truth, wall);
        bool must_start = expect_start(i, truth, wall);
        good = good && must_stop == stop[i] && must_start == start[i] && b->skips - before[i] == skipped[i] &&
               given_up[i] == b->given_up && wait[i] == (b->came && b->pending && !must_start);
        b->waits += wait[i] ? 1 : 0;
        b->ends_of_tries += given_up[i];
        if (!good)
            ck_abort_msg("%s, wall %lld: %s%s, %llu skipped, and expected were %s%s, %llu", rules[i].name,
                         (long long)wall, start[i] ? "started" : "no start", stop[i] ? ", stopped" : "",
                         (unsigned long long)skipped[i], must_start ? "a start" : "no start",
                         must_stop ? ", a stop" : "", (unsigned long long)(b->skips - before[i]));
        if (must_stop) {
            b->stops++;
            b->stopping = true;
            b->ends = truth + (int64_t)(1 + draw(5)) * MINUTE;
        }
        if (must_start) {
            b->starts++;
            b->attempt++;
            b->running = true;
            b->started = truth;
            b->ends = truth + length_of(i);
            beside += i != HELD && book[HELD].running && truth - book[HELD].started > 2 * HOUR ? 1 : 0;
        }
    }
    return happened;
}

static void a_year(uint64_t seed, const char *zone)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(zone_set(zone, &err), 0);
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    make_rules();
    ck_assert_msg(planner_new(rules, JOBS, 8, &planner, &err) == 0, "%s", err.text);
    int64_t from = civil_days(2026, 1, 1) * DAY, to = from + 366 * (int64_t)DAY;
    for (size_t i = 0; i < JOBS; i++)
        list_dues(&book[i], rules[i].calendar, from, to + 60 * (int64_t)DAY);
    int64_t step = 0, up_at = 0, promised = from;
    uint64_t steps = 0, kills = 0;
    beside = 0;
    for (int64_t truth = from; truth < to; truth += MINUTE) {
        int64_t wall = truth + step;
        bool disturbed = truth == from;
        if (truth < up_at)
            continue;
        if (up_at != 0)
            disturbed = true;
        up_at = 0;
        if (truth > from && draw(15000) == 0) { /* it dies, and is started again now or days later */
            kills++;
            next_daemon();
            up_at = truth + (draw(2) == 0 ? 0 : MINUTE * (int64_t)draw(4000));
            disturbed = true;
            if (up_at > truth)
                continue;
        }
        if (truth > from &&
            draw(2500) == 0) { /* the clock is set: by minutes, hours, or weeks and soon back */
            int64_t by = draw(4) > 0 ? MINUTE * ((int64_t)draw(2 * 25 * 60) - 25 * 60)
                                     : DAY * ((int64_t)draw(41) - 20);
            by = step + by > 25 * (int64_t)DAY || step + by < -25 * (int64_t)DAY ? -step : by;
            step += by;
            wall += by;
            planner_clock_set(planner, by);
            steps++;
            disturbed = true;
        }
        if (draw(700) == 0) {
            somebody(wall);
            disturbed = true;
        }
        for (size_t i = 0; i < JOBS; i++)
            if (book[i].running && truth >= book[i].ends) {
                finish(i, truth, wall);
                disturbed = true;
            }
        /* It may sleep until the promised moment: nothing happens before. */
        if (look(truth, wall) && !disturbed && promised > wall)
            ck_abort_msg("it would have slept from before %lld until %lld", (long long)wall,
                         (long long)promised);
        promised = planner_wake(planner, wall);
    }
    ck_assert(steps > 100 && kills > 15);
    ck_assert_uint_gt(beside, 500);
    for (size_t i = 0; i < JOBS; i++) {
        ck_assert_uint_gt(book[i].starts, i == LONG ? 60 : 200);
        ck_assert(i == HELD || book[i].skips > 0);
        free(book[i].dues);
        calendar_free((struct calendar *)(uintptr_t)rules[i].calendar);
    }
    ck_assert(book[AFTER].stops > 0 && book[LONG].stops > 10 && book[AFTER].waits > 20);
    /* What comes due before the pause is over leaves no try; what a pause, or a time off, ends is given up. */
    ck_assert(book[OFTEN].untried > 50 && book[OFTEN].ends_of_tries > 0);
    planner_free(planner);
}

START_TEST(years_of_nights)
{
    static const char *const zones[] = { "Europe/Berlin", "America/New_York", "Australia/Lord_Howe" };
    a_year((uint64_t)_i + 1, zones[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/planner_year");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 300);
    tcase_add_loop_test(all, years_of_nights, 0, 3);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
