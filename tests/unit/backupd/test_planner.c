/* Which run starts when: single rules, and a simulated year of nights against minute-by-minute bookkeeping. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/planner.h"
#include "common/base/zone.h"
#include "common/base/banned.h"

enum { JOBS_MAX = 6, LOG_MAX = 4096 };

static struct planner_rules rules[JOBS_MAX];
static struct planner *planner;
static char story[LOG_MAX];

static struct calendar *calendar(const char *text)
{
    struct error err = ERROR_INIT;
    struct calendar *c = NULL;
    ck_assert_msg(calendar_parse(text, &c, &err) == 0, "%s", err.text);
    return c;
}

static void begin(size_t n, unsigned limit)
{
    struct error err = ERROR_INIT;
    ck_assert_msg(planner_new(rules, n, limit, &planner, &err) == 0, "%s", err.text);
}

static void end(size_t n)
{
    planner_free(planner);
    for (size_t i = 0; i < n; i++)
        calendar_free((struct calendar *)(uintptr_t)rules[i].calendar);
    (void)memset(rules, 0, sizeof rules);
}

static int64_t at(int day, int hour, int minute)
{
    return civil_days(2026, 1, day) * 86400 + hour * 3600 + minute * 60;
}

/* "job a", "lane writer 1 of a 1/1", "limit 2/2" */
static const char *held(const struct planner_hold *h, char out[128])
{
    static const char *const kinds[] = { "nothing", "again", "hooks", "job", "lane", "limit" };
    size_t used = (size_t)snprintf(out, 128, "%s", kinds[h->kind]);
    if (h->kind == PLANNER_HELD_LANE)
        used += (size_t)snprintf(out + used, 128 - used, " %s of", h->lane);
    if (h->kind == PLANNER_HELD_LANE || h->kind == PLANNER_HELD_DEPENDS)
        used += (size_t)snprintf(out + used, 128 - used, " %s", rules[h->other].name);
    if (h->kind == PLANNER_HELD_LANE || h->kind == PLANNER_HELD_LIMIT)
        (void)snprintf(out + used, 128 - used, " %u/%u", h->running, h->limit);
    return out;
}

/* What holds the job now. */
static const char *waits(size_t job, int64_t now)
{
    static char text[128];
    const struct planner_hold h = planner_held(planner, job, now);
    return held(&h, text);
}

/* One tick; what it says, in letters: "a:start/due 01-02 02:30". */
static const char *tick(int64_t now)
{
    static const char *const kinds[] = { "start", "stop", "skip", "clock", "wait", "give-up", "known" };
    static const char *const reasons[] = { "due",        "catch-up", "again",    "by-hand",
                                           "too-late",   "older",    "paused",   "window-over",
                                           "dependency", "duration", "set-back", "long-ago" };
    struct error err = ERROR_INIT;
    struct vec events = VEC_OF(struct planner_event);
    ck_assert_int_eq(planner_tick(planner, now, &events, &err), 0);
    size_t used = 0;
    story[0] = '\0';
    for (size_t i = 0; i < events.len; i++) {
        const struct planner_event *e = vec_at(&events, i);
        char wall[32];
        char what[128];
        used += (size_t)snprintf(story + used, sizeof story - used, "%s%s:%s/%s", used > 0 ? ", " : "",
                                 rules[e->job].name, kinds[e->kind], reasons[e->reason]);
        if (e->reason == PLANNER_DEPENDENCY)
            used += (size_t)snprintf(story + used, sizeof story - used, " %s", rules[e->other].name);
        if (e->kind == PLANNER_WAIT || e->reason == PLANNER_WINDOW_OVER)
            used += (size_t)snprintf(story + used, sizeof story - used, " for %s", held(&e->hold, what));
        if (e->kind == PLANNER_SKIP)
            used += (size_t)snprintf(story + used, sizeof story - used, " %d to %s", (int)e->count,
                                     zone_format(wall, e->due) + 5);
    }
    vec_free(&events);
    return story;
}

START_TEST(a_night)
{
    (void)zone_set("UTC", NULL);
    rules[0] = (struct planner_rules){ .name = "a", .calendar = calendar("30 2 * * *"), .jitter = 120 };
    begin(1, 1);
    ck_assert_str_eq(tick(at(1, 12, 0)), "a:known/due"); /* nothing before the first tick is due */
    ck_assert_int_eq(planner_wake(planner, at(1, 12, 0)), at(2, 2, 32));
    ck_assert_str_eq(tick(at(2, 2, 31)), "");
    ck_assert_str_eq(tick(at(2, 2, 32)), "a:start/due");
    ck_assert_str_eq(tick(at(2, 2, 33)), "");
    ck_assert_int_eq(planner_wake(planner, at(2, 2, 33)), INT64_MAX);
    planner_finished(planner, 0, at(2, 4, 0), PLANNER_OK);
    ck_assert_str_eq(tick(at(2, 4, 0)), "");
    ck_assert_int_eq(planner_wake(planner, at(2, 4, 0)), at(3, 2, 32));
    end(1);
}
END_TEST

START_TEST(downtime_and_overrun)
{
    rules[0] = (struct planner_rules){ .name = "a", .calendar = calendar("0 2 * * *"), .catch_up = 6 * 3600 };
    begin(1, 1);
    (void)tick(at(1, 12, 0));
    /* Down for three nights, up within six hours of the last. */
    ck_assert_str_eq(tick(at(4, 7, 0)), "a:skip/older 2 to 01-03 02:00, a:start/catch-up");
    /* It takes two days: the night in between is skipped, and the one that is too old. */
    planner_finished(planner, 0, at(6, 12, 0), PLANNER_OK);
    ck_assert_str_eq(tick(at(6, 12, 0)), "a:skip/older 1 to 01-05 02:00, a:skip/too-late 1 to 01-06 02:00");
    ck_assert_int_eq(planner_state(planner, 0)->last, PLANNER_SKIPPED);
    ck_assert_str_eq(tick(at(7, 2, 0)), "a:start/due");
    end(1);
}
END_TEST

START_TEST(window_and_duration)
{
    rules[0] = (struct planner_rules){
        .name = "a", .calendar = calendar("0 2 * * *"), .window = 3600, .catch_up = 86000
    };
    rules[1] = (struct planner_rules){ .name = "b", .calendar = calendar("0 2 * * *"), .max_duration = 600 };
    begin(2, 1);
    (void)tick(at(1, 12, 0));
    ck_assert_str_eq(tick(at(2, 2, 0)), "a:start/due, b:wait/due for limit 1/1");
    ck_assert_str_eq(waits(1, at(2, 2, 0)), "limit 1/1");
    ck_assert_str_eq(tick(at(2, 2, 1)), ""); /* said once */
    ck_assert_int_eq(planner_wake(planner, at(2, 2, 0)), at(2, 3, 0));
    ck_assert_str_eq(tick(at(2, 3, 0)), "a:stop/window-over for nothing");
    ck_assert_str_eq(tick(at(2, 3, 1)), "");
    planner_finished(planner, 0, at(2, 3, 1), PLANNER_PASSING);
    ck_assert_str_eq(tick(at(2, 3, 1)), "b:start/due");
    ck_assert_int_eq(planner_state(planner, 0)->last, PLANNER_FAILED);
    ck_assert_int_eq(planner_wake(planner, at(2, 3, 1)), at(2, 3, 11));
    ck_assert_str_eq(tick(at(2, 3, 11)), "b:stop/duration");
    planner_finished(planner, 1, at(2, 3, 11), PLANNER_FAILED);
    /* b is busy for the whole of a's window. */
    ck_assert_int_eq(planner_start(planner, 1, at(3, 1, 59), NULL), 0);
    ck_assert_str_eq(tick(at(3, 1, 59)), "b:start/by-hand");
    ck_assert_str_eq(tick(at(3, 2, 0)), "a:wait/due for limit 1/1");
    ck_assert_str_eq(tick(at(3, 2, 9)), "b:stop/duration");
    /* What it waited for counts as seen last: here it ends in the very moment. */
    planner_finished(planner, 1, at(3, 3, 0), PLANNER_OK);
    ck_assert_str_eq(tick(at(3, 3, 0)),
                     "b:skip/too-late 1 to 01-03 02:00, a:skip/window-over for limit 1/1 1 to 01-03 02:00");
    /* Caught up after downtime: the window begins then. */
    ck_assert(strstr(tick(at(4, 8, 0)), "a:start/catch-up") != NULL);
    ck_assert_int_eq(planner_wake(planner, at(4, 8, 0)), at(4, 9, 0));
    end(2);
}
END_TEST

START_TEST(retries)
{
    rules[0] = (struct planner_rules){
        .name = "a", .calendar = calendar("0 2 * * *"), .window = 3600, .retries = 2, .retry_pause = 300
    };
    begin(1, 1);
    (void)tick(at(1, 12, 0));
    ck_assert_str_eq(tick(at(2, 2, 0)), "a:start/due");
    planner_finished(planner, 0, at(2, 2, 1), PLANNER_PASSING);
    ck_assert_str_eq(tick(at(2, 2, 1)), "");
    ck_assert_int_eq(planner_wake(planner, at(2, 2, 1)), at(2, 2, 6));
    ck_assert_str_eq(tick(at(2, 2, 6)), "a:start/again");
    planner_finished(planner, 0, at(2, 2, 7), PLANNER_PASSING);
    ck_assert_int_eq(planner_wake(planner, at(2, 2, 7)), at(2, 2, 17));
    ck_assert_str_eq(tick(at(2, 2, 17)), "a:start/again");
    planner_finished(planner, 0, at(2, 2, 18), PLANNER_PASSING);
    ck_assert_str_eq(tick(at(2, 2, 18)), "");
    ck_assert_int_eq(planner_state(planner, 0)->last, PLANNER_FAILED);
    ck_assert_int_eq(planner_state(planner, 0)->due, 0);
    /* A try that does not come is told: nobody has heard of the failure yet. */
    (void)tick(at(3, 2, 0));
    planner_finished(planner, 0, at(3, 2, 1), PLANNER_PASSING);
    ck_assert_str_eq(tick(at(4, 2, 0)), "a:give-up/older, a:start/due");
    planner_finished(planner, 0, at(4, 2, 1), PLANNER_PASSING);
    planner_pause(planner, 0, at(4, 2, 2), true);
    ck_assert_str_eq(tick(at(4, 2, 2)), "a:give-up/paused");
    planner_pause(planner, 0, at(4, 2, 3), false);
    /* What cannot pass is not tried again. */
    (void)tick(at(5, 2, 0));
    planner_finished(planner, 0, at(5, 2, 1), PLANNER_FAILED);
    ck_assert_int_eq(planner_wake(planner, at(5, 2, 1)), at(6, 2, 0));
    /* Nor what the next due time would replace. */
    end(1);
    rules[0] = (struct planner_rules){
        .name = "a", .calendar = calendar("*/6 * * * *"), .jitter = 30, .retries = 3, .retry_pause = 300
    };
    begin(1, 1);
    (void)tick(at(1, 12, 1));
    ck_assert_str_eq(tick(at(1, 12, 7)), "a:start/due");
    planner_finished(planner, 0, at(1, 12, 7), PLANNER_PASSING);
    ck_assert_int_eq(planner_wake(planner, at(1, 12, 7)), at(1, 12, 12)); /* before the next one is due */
    ck_assert_str_eq(tick(at(1, 12, 12)), "a:start/again");
    planner_finished(planner, 0, at(1, 12, 12), PLANNER_PASSING);
    ck_assert_int_eq(planner_state(planner, 0)->due, 0); /* 12:22 would be after it */
    ck_assert_int_eq(planner_state(planner, 0)->last, PLANNER_FAILED);
    ck_assert_str_eq(tick(at(1, 12, 13)), "a:start/due");
    end(1);
    rules[0] = (struct planner_rules){
        .name = "a", .calendar = calendar("0 2 * * *"), .window = 3600, .retries = 2, .retry_pause = 300
    };
    begin(1, 1);
    (void)tick(at(5, 12, 0));
    /* Nor what would begin after the window. */
    (void)tick(at(6, 2, 0));
    planner_finished(planner, 0, at(6, 2, 56), PLANNER_PASSING);
    ck_assert_int_eq(planner_state(planner, 0)->due, 0);
    end(1);
}
END_TEST

START_TEST(dependencies)
{
    rules[0] = (struct planner_rules){
        .name = "b", .calendar = calendar("0 2 * * *"), .depends = { 1 }, .ndepends = 1
    };
    rules[1] = (struct planner_rules){
        .name = "a", .calendar = calendar("0 2 * * *"), .retries = 1, .retry_pause = 60
    };
    begin(2, 8);
    (void)tick(at(1, 12, 0));
    ck_assert_str_eq(tick(at(2, 2, 0)), "a:start/due, b:wait/due for job a");
    ck_assert_str_eq(waits(0, at(2, 2, 0)), "job a");
    ck_assert_str_eq(waits(1, at(2, 2, 0)), "nothing");
    planner_finished(planner, 1, at(2, 2, 9), PLANNER_PASSING);
    ck_assert_str_eq(waits(1, at(2, 2, 9)), "again");
    ck_assert_str_eq(tick(at(2, 2, 9)), "");
    ck_assert_str_eq(tick(at(2, 2, 10)), "a:start/again");
    planner_finished(planner, 1, at(2, 2, 20), PLANNER_OK);
    ck_assert_str_eq(tick(at(2, 2, 20)), "b:start/due");
    planner_finished(planner, 0, at(2, 2, 30), PLANNER_OK);
    (void)tick(at(3, 2, 0));
    planner_finished(planner, 1, at(3, 2, 1), PLANNER_FAILED);
    ck_assert_str_eq(tick(at(3, 2, 1)), "b:skip/dependency a 1 to 01-03 02:00");
    ck_assert_int_eq(planner_start(planner, 0, at(3, 9, 0), NULL), 0); /* people may */
    ck_assert_str_eq(tick(at(3, 9, 0)), "b:start/by-hand");
    planner_finished(planner, 0, at(3, 9, 1), PLANNER_OK);
    end(2);

    struct error err = ERROR_INIT;
    rules[0] = (struct planner_rules){ .name = "a", .depends = { 1 }, .ndepends = 1 };
    rules[1] = (struct planner_rules){ .name = "b", .depends = { 2 }, .ndepends = 1 };
    rules[2] = (struct planner_rules){ .name = "c", .depends = { 0 }, .ndepends = 1 };
    ck_assert_int_eq(planner_new(rules, 3, 1, &planner, &err), E_USAGE);
    ck_assert_str_eq(err.text, "job c depends on a, which depends on it");
    (void)memset(rules, 0, sizeof rules);
}
END_TEST

START_TEST(lanes)
{
    struct planner_lane w = { "writer 1", 1 };
    struct planner_lane s = { "server db1", 2 };
    static const char *const names[] = { "a", "b", "c", "d" };
    for (int i = 0; i < 4; i++)
        rules[i] = (struct planner_rules){
            .name = names[i], .calendar = calendar("0 2 * * *"), .lanes = { s }, .nlanes = 1
        };
    rules[0].lanes[1] = rules[1].lanes[1] = w;
    rules[0].nlanes = rules[1].nlanes = 2;
    begin(4, 8);
    (void)tick(at(1, 12, 0));
    /* b has a's writer; d is the third on the server. */
    ck_assert_str_eq(tick(at(2, 2, 0)), "a:start/due, c:start/due, b:wait/due for lane server db1 of a 2/2, "
                                        "d:wait/due for lane server db1 of a 2/2");
    planner_finished(planner, 0, at(2, 2, 5), PLANNER_OK);
    ck_assert_str_eq(tick(at(2, 2, 5)), "b:start/due");
    ck_assert_int_eq(planner_start(planner, 0, at(2, 2, 6), NULL), 0);
    planner_finished(planner, 2, at(2, 2, 6), PLANNER_OK);
    (void)tick(at(2, 2, 6));
    ck_assert_str_eq(waits(0, at(2, 2, 6)), "lane server db1 of b 2/2");
    planner_finished(planner, 3, at(2, 2, 7), PLANNER_OK);
    ck_assert_str_eq(tick(at(2, 2, 7)), "");
    ck_assert_str_eq(waits(0, at(2, 2, 7)), "lane writer 1 of b 1/1");
    struct planner_event was;
    ck_assert_int_eq(planner_cancel(planner, 0, &was, NULL), 0);
    /* One upload of days, and the others keep their nights. */
    for (int day = 3; day < 6; day++) {
        for (int hour = 3; hour < 6; hour++) {
            for (size_t i = 0; i < 4; i++)
                if (i != 1 && planner_state(planner, i)->running)
                    planner_finished(planner, i, at(day - 1, hour, 0), PLANNER_OK);
            (void)tick(at(day - 1, hour, 0));
        }
        (void)tick(at(day, 2, 0));
        ck_assert(strstr(story, "c:start/due") != NULL);
        ck_assert(planner_state(planner, 1)->running);
    }
    end(4);
}
END_TEST

START_TEST(pauses_and_crashes)
{
    rules[0] = (struct planner_rules){
        .name = "a", .calendar = calendar("0 2 * * *"), .retries = 1, .catch_up = 86400
    };
    begin(1, 1);
    (void)tick(at(1, 12, 0));
    planner_pause(planner, 0, at(1, 12, 0), true);
    ck_assert_str_eq(tick(at(2, 2, 0)), "a:skip/paused 1 to 01-02 02:00");
    ck_assert_int_eq(planner_start(planner, 0, at(2, 9, 0), NULL), 0);
    ck_assert_str_eq(tick(at(2, 9, 0)), "a:start/by-hand");
    struct error err = ERROR_INIT;
    ck_assert_int_eq(planner_start(planner, 0, at(2, 9, 1), &err), E_CONFLICT);
    planner_finished(planner, 0, at(2, 9, 5), PLANNER_OK);
    planner_pause(planner, 0, at(1, 12, 0), false);
    ck_assert_str_eq(tick(at(3, 2, 0)), "a:start/due");
    /* kill -9 of the daemon in mid-run: the same due time again, and not twice. */
    struct planner_state left = *planner_state(planner, 0);
    planner_free(planner);
    begin(1, 1);
    planner_restore(planner, 0, &left, false);
    ck_assert_str_eq(tick(at(3, 2, 7)), "a:start/again");
    planner_finished(planner, 0, at(3, 2, 9), PLANNER_OK);
    left = *planner_state(planner, 0);
    planner_free(planner);
    begin(1, 1);
    planner_restore(planner, 0, &left, false);
    ck_assert_str_eq(tick(at(3, 2, 30)), "");
    end(1);
}
END_TEST

/* Whoever starts it waits for the hooks of the run before, and is skipped when its window ends meanwhile. */
START_TEST(kept_by_hooks)
{
    rules[0] = (struct planner_rules){ .name = "a", .calendar = calendar("0 2 * * *"), .window = 3600 };
    begin(1, 1);
    (void)tick(at(1, 12, 0));
    planner_keep(planner, 0, true);
    ck_assert_str_eq(tick(at(2, 2, 0)), "a:wait/due for hooks");
    planner_keep(planner, 0, false);
    ck_assert_str_eq(tick(at(2, 2, 1)), "a:start/due");
    planner_finished(planner, 0, at(2, 2, 2), PLANNER_FAILED);
    planner_keep(planner, 0, true);
    ck_assert_int_eq(planner_start(planner, 0, at(2, 2, 3), NULL), 0);
    ck_assert_str_eq(tick(at(2, 2, 3)), "");
    ck_assert_str_eq(waits(0, at(2, 2, 3)), "hooks");
    planner_keep(planner, 0, false);
    ck_assert_str_eq(tick(at(2, 2, 4)), "a:start/by-hand");
    planner_finished(planner, 0, at(2, 2, 5), PLANNER_OK);
    planner_keep(planner, 0, true);
    (void)tick(at(3, 2, 0));
    ck_assert_str_eq(tick(at(3, 3, 0)), "a:skip/window-over for hooks 1 to 01-03 02:00");
    end(1);
}
END_TEST

/* What waits by its calendar is held by a pause, and what was started by hand is not. */
START_TEST(a_pause_of_what_waits)
{
    rules[0] = (struct planner_rules){ .name = "a" };
    rules[1] = (struct planner_rules){
        .name = "b", .calendar = calendar("0 2 * * *"), .retries = 3, .retry_pause = 300
    };
    rules[2] = (struct planner_rules){
        .name = "c", .calendar = calendar("1 2 * * *"), .depends = { 1 }, .ndepends = 1
    };
    begin(3, 1);
    ck_assert_str_eq(tick(at(1, 12, 0)), "b:known/due, c:known/due");
    ck_assert_int_eq(planner_start(planner, 0, at(2, 1, 0), NULL), 0);
    (void)tick(at(2, 1, 0));
    ck_assert_str_eq(tick(at(2, 2, 0)), "b:wait/due for limit 1/1");
    ck_assert_str_eq(tick(at(2, 2, 1)), "c:wait/due for job b");
    planner_pause(planner, 1, at(2, 2, 2), true);
    ck_assert_str_eq(tick(at(2, 2, 2)),
                     "b:skip/paused 1 to 01-02 02:00, c:skip/dependency b 1 to 01-02 02:01");
    ck_assert_int_eq(planner_start(planner, 1, at(2, 2, 3), NULL), 0);
    ck_assert_str_eq(tick(at(2, 2, 3)), "");
    planner_finished(planner, 0, at(2, 3, 0), PLANNER_OK);
    ck_assert_str_eq(tick(at(2, 3, 0)), "b:start/by-hand");
    planner_finished(planner, 1, at(2, 3, 1), PLANNER_OK);
    /* Nor is one tried again: the failure is its end. */
    planner_pause(planner, 1, at(2, 4, 0), false);
    ck_assert_str_eq(tick(at(3, 2, 0)), "b:start/due");
    planner_pause(planner, 1, at(3, 2, 1), true);
    ck_assert_str_eq(tick(at(3, 2, 1)), "c:wait/due for job b");
    planner_finished(planner, 1, at(3, 2, 2), PLANNER_PASSING);
    ck_assert_int_eq(planner_state(planner, 1)->due, 0);
    ck_assert_int_eq(planner_state(planner, 1)->last, PLANNER_FAILED);
    end(3);
}
END_TEST

START_TEST(cancelled_while_it_waits)
{
    struct error err = ERROR_INIT;
    struct planner_event was;
    rules[0] = (struct planner_rules){ .name = "a" };
    rules[1] = (struct planner_rules){
        .name = "b", .calendar = calendar("0 2 * * *"), .retries = 3, .retry_pause = 300
    };
    begin(2, 1);
    (void)tick(at(1, 12, 0));
    ck_assert_int_eq(planner_cancel(planner, 1, &was, &err), E_NOT_FOUND);
    ck_assert_str_eq(err.text, "job b does not wait");
    ck_assert_int_eq(planner_start(planner, 0, at(2, 1, 0), NULL), 0);
    (void)tick(at(2, 1, 0));
    ck_assert_int_eq(planner_cancel(planner, 0, &was, NULL), E_NOT_FOUND); /* it runs */
    (void)tick(at(2, 2, 0));
    ck_assert_int_eq(planner_cancel(planner, 1, &was, NULL), 0);
    ck_assert(was.job == 1 && was.due == at(2, 2, 0) && was.reason == PLANNER_DUE);
    ck_assert_int_eq(planner_state(planner, 1)->last, PLANNER_SKIPPED);
    planner_finished(planner, 0, at(2, 2, 5), PLANNER_OK);
    ck_assert_str_eq(tick(at(2, 2, 5)), ""); /* nothing starts, and nothing is made up for */
    ck_assert_int_eq(planner_wake(planner, at(2, 2, 5)), at(3, 2, 0));
    /* One that failed and would be tried again. */
    ck_assert_str_eq(tick(at(3, 2, 0)), "b:start/due");
    planner_finished(planner, 1, at(3, 2, 1), PLANNER_PASSING);
    ck_assert_int_eq(planner_cancel(planner, 1, &was, NULL), 0);
    ck_assert_int_eq(was.reason, PLANNER_AGAIN);
    ck_assert_int_eq(planner_state(planner, 1)->last, PLANNER_FAILED);
    ck_assert_str_eq(tick(at(3, 2, 9)), "");
    ck_assert_str_eq(tick(at(4, 2, 0)), "b:start/due");
    planner_finished(planner, 1, at(4, 2, 1), PLANNER_OK);
    /* One by hand takes nothing back of what went well; one that took the place of a due time does. */
    for (int due = 0; due < 2; due++) {
        ck_assert_int_eq(planner_start(planner, 0, at(5, 1, 0), NULL), 0);
        (void)tick(at(5, 1, 0));
        if (due == 1)
            ck_assert_str_eq(tick(at(5, 2, 0)), "b:wait/due for limit 1/1");
        ck_assert_int_eq(planner_start(planner, 1, at(5, 2, 1), NULL), 0);
        ck_assert_int_eq(planner_cancel(planner, 1, &was, NULL), 0);
        ck_assert_int_eq(was.reason, PLANNER_BY_HAND);
        ck_assert_int_eq(planner_state(planner, 1)->last, due == 1 ? PLANNER_SKIPPED : PLANNER_OK);
        planner_finished(planner, 0, at(5, 1, 30), PLANNER_OK);
    }
    end(2);
}
END_TEST

/* A job that never ran is known from its first sight on: what it misses after that is made up for, or told. */
START_TEST(first_seen)
{
    rules[0] =
        (struct planner_rules){ .name = "a", .calendar = calendar("0 2 * * *"), .catch_up = 12 * 3600 };
    rules[1] = (struct planner_rules){ .name = "b" }; /* by hand: it can miss nothing */
    for (int late = 0; late < 2; late++) {
        begin(2, 1);
        ck_assert_str_eq(tick(at(1, 12, 0)), "a:known/due");
        struct planner_state left = *planner_state(planner, 0);
        ck_assert_int_eq(left.last_due, at(1, 12, 0));
        planner_free(planner);
        begin(2, 1);
        planner_restore(planner, 0, &left, false);
        ck_assert_str_eq(tick(at(2, late == 0 ? 8 : 20, 0)),
                         late == 0 ? "a:start/catch-up" : "a:skip/too-late 1 to 01-02 02:00");
        planner_free(planner);
    }
    begin(2, 1);
    end(2);
}
END_TEST

START_TEST(the_clock_is_set)
{
    rules[0] = (struct planner_rules){ .name = "a", .calendar = calendar("0 2 * * *"), .catch_up = 3600 };
    begin(1, 1);
    (void)tick(at(1, 12, 0));
    ck_assert_str_eq(tick(at(2, 2, 0)), "a:start/due");
    planner_finished(planner, 0, at(2, 2, 5), PLANNER_OK);
    /* Back by an hour: no second run. */
    ck_assert_str_eq(tick(at(2, 1, 10)), "");
    ck_assert_str_eq(tick(at(2, 2, 0)), "");
    ck_assert_str_eq(tick(at(3, 2, 0)), "a:start/due");
    planner_finished(planner, 0, at(3, 2, 5), PLANNER_OK);
    /* Ahead by years: the history is asked, one run at most, none here; and back again: the nights go on. */
    int64_t years = 1000 * (int64_t)86400;
    ck_assert_str_eq(tick(at(3, 12, 0) + years), "a:clock/long-ago");
    ck_assert_int_le(planner_wake(planner, at(3, 12, 0) + years), at(3, 12, 0) + years);
    ck_assert_str_eq(tick(at(3, 12, 0) + years),
                     "a:skip/older 999 to 09-28 02:00, a:skip/too-late 1 to 09-29 02:00");
    ck_assert_str_eq(tick(at(3, 12, 0)), "a:clock/set-back");
    ck_assert_str_eq(tick(at(3, 12, 1)), "");
    ck_assert_str_eq(tick(at(4, 2, 0)), "a:start/due");
    end(1);
}
END_TEST

static void next_daemon(size_t n)
{
    struct planner_state left[JOBS_MAX];
    for (size_t i = 0; i < n; i++)
        left[i] = *planner_state(planner, i);
    planner_free(planner);
    begin(n, 8);
    for (size_t i = 0; i < n; i++)
        planner_restore(planner, i, &left[i], false);
}

/* A machine that boots with 1970, and is told the time later: what was decided before is decided. */
START_TEST(a_clock_that_was_behind)
{
    rules[0] =
        (struct planner_rules){ .name = "a", .calendar = calendar("0 2 * * *"), .catch_up = 12 * 3600 };
    begin(1, 1);
    (void)tick(at(1, 12, 0));
    ck_assert_str_eq(tick(at(2, 2, 0)), "a:start/due");
    planner_finished(planner, 0, at(2, 2, 5), PLANNER_OK);
    next_daemon(1);
    ck_assert_str_eq(tick(40), "a:clock/set-back"); /* the history has nothing so old */
    next_daemon(1);
    ck_assert_str_eq(tick(80), "");
    ck_assert_str_eq(tick(2 * 3600), "a:start/due"); /* better than none */
    planner_finished(planner, 0, 2 * 3600 + 9, PLANNER_OK);
    next_daemon(1);
    ck_assert_str_eq(tick(at(2, 12, 0)), "a:clock/long-ago");
    planner_decided(planner, 0, at(2, 2, 0));
    ck_assert_str_eq(tick(at(2, 12, 0)), "");
    ck_assert_str_eq(tick(at(3, 2, 0)), "a:start/due");
    planner_finished(planner, 0, at(3, 2, 9), PLANNER_OK);
    /* And one night later: that one is made up for. */
    ck_assert_str_eq(tick(40), "a:clock/set-back");
    next_daemon(1);
    ck_assert_str_eq(tick(at(4, 10, 0)), "a:clock/long-ago");
    planner_decided(planner, 0, at(3, 2, 0));
    ck_assert_str_eq(tick(at(4, 10, 0)), "a:start/catch-up");
    end(1);
}
END_TEST

/* Who depends on a job that is asked for waits for it; an answer is one. */
START_TEST(what_is_asked_for_is_waited_for)
{
    for (int answered = 0; answered < 2; answered++) {
        rules[0] =
            (struct planner_rules){ .name = "n", .calendar = calendar("0 2 * * *"), .catch_up = 86000 };
        rules[1] = (struct planner_rules){ .name = "hh",
                                           .calendar = calendar("30 * * * *"),
                                           .catch_up = 86000,
                                           .depends = { 0 },
                                           .ndepends = 1 };
        begin(2, 8);
        const struct planner_state n = { .last_due = at(1, 2, 0) };
        const struct planner_state hh = { .last_due = at(70, 11, 30) };
        planner_restore(planner, 0, &n, false);
        planner_restore(planner, 1, &hh, false);
        ck_assert_str_eq(tick(at(70, 12, 45)), "n:clock/long-ago, hh:wait/catch-up for job n");
        ck_assert_str_eq(waits(1, at(70, 12, 45)), "job n");
        ck_assert_int_le(planner_wake(planner, at(70, 12, 45)), at(70, 12, 45));
        if (answered)
            planner_decided(planner, 0, at(2, 2, 0)); /* as long ago: not asked again */
        (void)tick(at(70, 12, 46));
        ck_assert_msg(strstr(story, "n:start/catch-up") != NULL && strstr(story, "hh:") == NULL, "%s", story);
        ck_assert_str_eq(waits(1, at(70, 12, 46)), "job n");
        planner_finished(planner, 0, at(70, 13, 0), PLANNER_OK);
        ck_assert_str_eq(tick(at(70, 13, 0)), "hh:start/catch-up");
        end(2);
    }
}
END_TEST

/* What waits for a time that was false is skipped and told; what runs, or is wanted by a person, goes on. */
START_TEST(times_in_the_future)
{
    int64_t years = 11 * 365 * (int64_t)86400;
    for (int i = 0; i < 4; i++)
        rules[i] = (struct planner_rules){ .name = (const char *[]){ "a", "b", "c", "d" }[i],
                                           .calendar = calendar("0 2 * * *"),
                                           .catch_up = 86000,
                                           .window = 3600,
                                           .max_duration = 7200,
                                           .retries = 3,
                                           .retry_pause = 300 };
    rules[2].lanes[0] = rules[0].lanes[0] = (struct planner_lane){ "writer", 1 };
    rules[2].nlanes = rules[0].nlanes = 1;
    begin(4, 8);
    (void)tick(at(1, 12, 0) + years);
    ck_assert_str_eq(tick(at(2, 2, 0) + years),
                     "a:start/due, b:start/due, d:start/due, c:wait/due for lane writer of a 1/1");
    planner_finished(planner, 1, at(2, 2, 1) + years, PLANNER_PASSING);
    ck_assert_int_gt(planner_state(planner, 1)->not_before, 0);
    planner_finished(planner, 3, at(2, 2, 1) + years, PLANNER_OK);
    ck_assert_int_eq(planner_start(planner, 3, at(2, 2, 1) + years, NULL), 0);
    planner_clock_set(planner, -years);
    ck_assert_str_eq(tick(at(2, 2, 2)),
                     "a:clock/set-back, b:give-up/set-back, b:clock/set-back, "
                     "c:skip/set-back 1 to 12-30 02:00, c:clock/set-back, d:clock/set-back, "
                     "d:start/by-hand");
    /* a's window is from now. */
    ck_assert_str_eq(tick(at(2, 3, 1)), "");
    ck_assert_str_eq(tick(at(2, 3, 2)), "a:stop/window-over for nothing");
    planner_finished(planner, 0, at(2, 3, 3), PLANNER_FAILED);
    planner_finished(planner, 3, at(2, 3, 3), PLANNER_OK);
    for (size_t i = 0; i < 4; i++)
        planner_decided(planner, i, at(1, 2, 0));
    ck_assert_str_eq(
        tick(at(2, 3, 4)),
        "a:start/catch-up, b:start/catch-up, d:start/catch-up, c:wait/catch-up for lane writer of a 1/1");
    end(4);
}
END_TEST

/* The same in what a daemon with a wrong clock has left: no field holds the job for years. */
START_TEST(a_state_of_the_future)
{
    const int64_t years = 11 * 365 * (int64_t)86400;
    const struct planner_state false_times[] = {
        { .last_due = at(2, 2, 0) + years, .due = at(2, 2, 0) + years, .from = at(2, 2, 0) + years },
        { .last_due = at(2, 2, 0) + years,
          .due = at(2, 2, 0) + years,
          .from = at(2, 2, 0) + years,
          .started = at(2, 2, 0) + years,
          .attempt = 1,
          .running = true },
        { .last_due = at(1, 2, 0),
          .due = at(1, 2, 0),
          .from = at(1, 2, 0),
          .attempt = 1,
          .not_before = years },
        { .last_due = at(2, 2, 0) + years,
          .due = years,
          .from = years,
          .not_before = years,
          .by_hand = true },
        { .last_due = at(1, 2, 0), .started = years, .not_before = years, .from = years },
    };
    for (size_t i = 0; i < sizeof false_times / sizeof false_times[0]; i++) {
        rules[0] = (struct planner_rules){
            .name = "a", .calendar = calendar("0 2 * * *"), .window = 3600, .retries = 3, .retry_pause = 300
        };
        struct planner_state left = false_times[i];
        left.not_before += left.not_before != 0 ? at(1, 2, 0) : 0;
        begin(1, 1);
        planner_restore(planner, 0, &left, false);
        int64_t now = at(1, 2, 30);
        for (int n = 0; n < 30; n++, now += 60) {
            (void)tick(now);
            if (planner_state(planner, 0)->running)
                planner_finished(planner, 0, now, PLANNER_OK);
        }
        const struct planner_state *s = planner_state(planner, 0);
        ck_assert_msg(s->due == 0 && s->last_due <= now && s->from <= now, "state %zu: due %lld", i,
                      (long long)s->due);
        ck_assert_msg(planner_wake(planner, now) == at(2, 2, 0), "state %zu", i);
        ck_assert_str_eq(tick(at(2, 2, 0)), "a:start/due");
        end(1);
    }
}
END_TEST

/* ---- a year, minute by minute ------------------------------------------------------------------------------- */

static uint64_t random_state = 88172645463325252U;
static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % below);
}

/* What must happen, kept by the simplest bookkeeping: a list of due times that came and were not decided. */
struct book {
    int64_t oldest, newest; /* undecided due times; 0: none */
    bool running;
    int64_t until;
    uint64_t runs, skipped;
};

static void a_year(const char *text, const char *zone, int64_t catch_up, uint32_t longest)
{
    struct error err = ERROR_INIT;
    ck_assert_int_eq(zone_set(zone, &err), 0);
    rules[0] = (struct planner_rules){ .name = "a", .calendar = calendar(text), .catch_up = catch_up };
    begin(1, 1);
    int64_t from = civil_days(2026, 1, 1) * 86400;
    int64_t up_at = 0;
    bool first = true;
    struct book b = { 0 };
    uint64_t runs = 0, skipped = 0;
    int64_t due = calendar_next(rules[0].calendar, from);
    for (int64_t now = from; now < from + 366 * 86400; now += 60) {
        if (!first && due == now) { /* the book: it has come */
            b.oldest = b.oldest == 0 ? now : b.oldest;
            b.skipped += b.newest != 0 ? 1 : 0;
            b.newest = now;
        }
        if (due == now)
            due = calendar_next(rules[0].calendar, now);
        if (now < up_at)
            continue; /* the machine is off */
        if (up_at == 0 && draw(20000) == 0 && !b.running) {
            up_at = now + 60 * (int64_t)draw(6000);
            continue;
        }
        up_at = 0;
        if (b.running && now >= b.until) {
            b.running = false;
            planner_finished(planner, 0, now, draw(5) == 0 ? PLANNER_FAILED : PLANNER_OK);
        }
        bool must = false;
        if (!b.running && b.newest != 0) {
            must = now - b.newest <= PLANNER_GRACE || now - b.newest <= catch_up;
            b.skipped += must ? 0 : 1;
            b.newest = b.oldest = 0;
        }
        struct vec events = VEC_OF(struct planner_event);
        int rc = planner_tick(planner, now, &events, &err);
        bool did = false;
        for (size_t i = 0; i < events.len; i++) {
            const struct planner_event *e = vec_at(&events, i);
            did = did || e->kind == PLANNER_START;
            skipped += e->kind == PLANNER_SKIP ? e->count : 0;
        }
        vec_free(&events);
        if (rc < 0 ||
            did != must) /* Check's own assertions write to a file each time: too slow for every minute */
            ck_abort_msg("%s in %s at %lld: %s", text, zone, (long long)now,
                         did ? "started" : "did not start");
        if (did) {
            runs++;
            b.runs++;
            b.running = true;
            b.until = now + 60 * (int64_t)(1 + draw(longest));
        }
        /* It may sleep until then: nothing happens before. */
        int64_t wake = planner_wake(planner, now);
        if (!b.running && (wake <= now || (due > now && wake > due)))
            ck_abort_msg("%s in %s at %lld: wakes at %lld, due at %lld", text, zone, (long long)now,
                         (long long)wake, (long long)due);
        first = false;
    }
    ck_assert_uint_eq(runs, b.runs);
    /* A time that waits for the end of a run is not decided yet. */
    ck_assert(skipped == b.skipped || b.running);
    ck_assert(runs > 10);
    end(1);
}

START_TEST(a_year_of_nights)
{
    a_year("30 2 * * *", "Europe/Berlin", 6 * 3600, 300);
    a_year("30 2 * * *", "Europe/Berlin", 0, 3000);
    a_year("15 * * * *", "America/New_York", 1800, 100);
    a_year("mon..fri 23:50", "Australia/Lord_Howe", 86400, 2000);
    a_year("every 90m", "UTC", 3600, 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/planner");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, a_night);
    tcase_add_test(all, downtime_and_overrun);
    tcase_add_test(all, window_and_duration);
    tcase_add_test(all, retries);
    tcase_add_test(all, dependencies);
    tcase_add_test(all, lanes);
    tcase_add_test(all, pauses_and_crashes);
    tcase_add_test(all, kept_by_hooks);
    tcase_add_test(all, a_pause_of_what_waits);
    tcase_add_test(all, cancelled_while_it_waits);
    tcase_add_test(all, first_seen);
    tcase_add_test(all, the_clock_is_set);
    tcase_add_test(all, a_clock_that_was_behind);
    tcase_add_test(all, what_is_asked_for_is_waited_for);
    tcase_add_test(all, times_in_the_future);
    tcase_add_test(all, a_state_of_the_future);
    tcase_add_test(all, a_year_of_nights);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
