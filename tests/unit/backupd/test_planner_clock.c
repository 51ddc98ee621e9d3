/* Simulated years with a clock that is wrong by years, both ways and again and again, with daemons that end and start between:
 * against a book that is kept in true time. What the supervisor does for the planner (its questions are answered from a
 * history, the state is what the next daemon gets) is done here. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/daemon/planner.h"
#include "common/base/zone.h"
#include "common/base/banned.h"

enum {
    JOBS = 3,
    MINUTE = 60,
    HOUR = 3600,
    DAY = 86400,
    ROWS_MAX = 20000,
    EPISODES = 40,
    STEP = 10 * MINUTE,
};

/* A row of the history: a run or what was skipped. */
struct row {
    size_t job;
    int64_t due;
    uint64_t count;
    bool ran;
    bool first; /* not one more try */
    bool right; /* the clock was right when it was written */
};

static struct planner_rules rules[JOBS];
static struct planner *planner;
static struct row *rows;
static size_t nrows;
static int64_t ends[JOBS];        /* true time */
static uint64_t asked, set_backs; /* questions of the planner since the clock was set */
static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % below);
}

/* Check's own assertions write to a file each time: too slow for every look. */
static void must(bool good, const char *what)
{
    if (!good)
        ck_abort_msg("not so: %s", what);
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
    static const struct planner_lane writer = { "writer", 1 };
    rules[0] = (struct planner_rules){ .name = "nightly",
                                       .calendar = calendar("0 2 * * *"),
                                       .catch_up = DAY,
                                       .lanes = { writer },
                                       .nlanes = 1 };
    rules[1] = (struct planner_rules){ .name = "strict",
                                       .calendar = calendar("30 3 * * *"),
                                       .window = 2 * HOUR,
                                       .retries = 2,
                                       .retry_pause = 20 * MINUTE,
                                       .lanes = { writer },
                                       .nlanes = 1 };
    rules[2] = (struct planner_rules){
        .name = "weekly", .calendar = calendar("sun 05:00"), .catch_up = 2 * DAY, .max_duration = 3 * HOUR
    };
}

static void add_row(const struct planner_event *e, bool right)
{
    must(nrows < ROWS_MAX, "there is room for a row");
    rows[nrows++] = (struct row){ .job = e->job,
                                  .due = e->due,
                                  .count = e->count,
                                  .ran = e->kind == PLANNER_START,
                                  .first = e->kind == PLANNER_START && e->reason != PLANNER_AGAIN,
                                  .right = right };
}

/* What history_decided() says. */
static int64_t decided(size_t job, int64_t now)
{
    int64_t best = 0;
    for (size_t i = 0; i < nrows; i++)
        if (rows[i].job == job && rows[i].due <= now && rows[i].due > best)
            best = rows[i].due;
    return best;
}

static void answer(const struct planner_event *e, int64_t wall)
{
    int64_t known = decided(e->job, wall);
    asked++;
    set_backs += e->reason == PLANNER_SET_BACK ? 1 : 0;
    if (e->reason == PLANNER_SET_BACK ? known != 0 : known > e->due)
        planner_decided(planner, e->job, known);
}

/* As the loop: ticks as long as something is to be done now. */
static void look(int64_t truth, int64_t wall)
{
    for (int i = 0; i < 4; i++) {
        struct error err = ERROR_INIT;
        struct vec events = VEC_OF(struct planner_event);
        must(planner_tick(planner, wall, &events, &err) == 0, "a tick");
        for (size_t k = 0; k < events.len; k++) {
            const struct planner_event *e = vec_at(&events, k);
            if (e->kind == PLANNER_CLOCK)
                answer(e, wall);
            if (e->kind == PLANNER_SKIP)
                add_row(e, wall == truth);
            if (e->kind == PLANNER_START) {
                add_row(e, wall == truth);
                ends[e->job] = truth + MINUTE * (int64_t)(1 + draw(180));
            }
            if (e->kind == PLANNER_STOP)
                ends[e->job] = truth;
        }
        size_t n = events.len;
        vec_free(&events);
        if (n == 0)
            break;
        must(i < 3, "it comes to rest");
    }
    for (size_t i = 0; i < JOBS; i++)
        if (planner_state(planner, i)->running && truth >= ends[i])
            planner_finished(planner, i, wall, draw(3) == 0 ? PLANNER_PASSING : PLANNER_OK);
}

static void next_daemon(void)
{
    struct error err = ERROR_INIT;
    struct planner_state left[JOBS];
    for (size_t i = 0; i < JOBS; i++)
        left[i] = *planner_state(planner, i);
    planner_free(planner);
    ck_assert_int_eq(planner_new(rules, JOBS, 8, &planner, &err), 0);
    for (size_t i = 0; i < JOBS; i++)
        planner_restore(planner, i, &left[i], false);
}

/* So long as the daemon is up; with restarts now and then. */
static int64_t live(int64_t truth, int64_t until, int64_t wrong)
{
    for (; truth < until; truth += STEP) {
        if (draw(400) == 0)
            next_daemon();
        look(truth, truth + wrong);
    }
    return truth;
}

/* The rows of a job that were written under a right clock for one due time. */
static uint64_t rows_of(size_t job, int64_t due, bool ran)
{
    uint64_t n = 0;
    for (size_t i = 0; i < nrows; i++)
        n += rows[i].job == job && rows[i].due == due && rows[i].ran == ran && rows[i].right ? 1 : 0;
    return n;
}

/* Every due time in this span of right clock has had its run, once. */
static void all_ran(size_t job, int64_t from, int64_t to)
{
    for (int64_t t = calendar_next(rules[job].calendar, from); t != 0 && t <= to;
         t = calendar_next(rules[job].calendar, t))
        if (rows_of(job, t, true) == 0)
            ck_abort_msg("%s: %lld has no run under a right clock", rules[job].name, (long long)t);
}

static void years(uint64_t seed)
{
    static const int64_t wrong_by[] = { -56 * 365, 11 * 365, -3 * 365, 2 * 365, 200, -400, 30, -30 };
    struct error err = ERROR_INIT;
    ck_assert_int_eq(zone_set("UTC", &err), 0);
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    nrows = 0;
    rows = calloc(ROWS_MAX, sizeof *rows);
    ck_assert(rows != NULL);
    make_rules();
    ck_assert_int_eq(planner_new(rules, JOBS, 8, &planner, &err), 0);
    int64_t truth = civil_days(2026, 11, 1) * DAY + 12 * HOUR;
    truth = live(truth, truth + 20 * DAY, 0);
    for (int n = 0; n < EPISODES; n++) {
        int64_t before = decided(0, truth);
        int64_t wrong =
            wrong_by[draw(sizeof wrong_by / sizeof wrong_by[0])] * DAY + MINUTE * (int64_t)draw(3000);
        int64_t set = truth;
        /* The clock becomes wrong: seen by the daemon, or while it is down. */
        if (draw(2) == 0) {
            planner_clock_set(planner, wrong);
        } else {
            next_daemon();
            truth += STEP * (int64_t)draw(20);
        }
        size_t row = nrows;
        asked = set_backs = 0;
        int64_t length = draw(3) == 0 ? DAY * (int64_t)(1 + draw(12)) : MINUTE * (int64_t)(10 + draw(2000));
        truth = live(truth, truth + length, wrong);
        ck_assert_uint_le(set_backs, JOBS); /* once for each job, however often the daemon starts */
        ck_assert_uint_le(asked, 3 * JOBS);
        /* No flood: at most what was skipped at once, and a night of wrong time each. */
        ck_assert_uint_le(nrows - row, (uint64_t)JOBS * (5 + 4 * (uint64_t)(length / DAY + 1)));
        for (size_t i = row; i < nrows; i++)
            must(rows[i].count <= PLANNER_COUNT_MAX, "what is counted is bounded");
        /* Right again. */
        if (draw(2) == 0)
            planner_clock_set(planner, -wrong);
        else
            next_daemon();
        row = nrows;
        asked = set_backs = 0;
        int64_t again = truth;
        truth = live(truth, truth + 10 * DAY, 0);
        ck_assert_uint_le(set_backs, JOBS);
        /* The nights from now on are there, whatever the clock has said. */
        all_ran(0, again, truth - 3 * HOUR);
        all_ran(2, again, truth - 3 * HOUR);
        /* Of the strict one, too, but for what failed and could not be tried again in time: it has a row. */
        for (int64_t t = calendar_next(rules[1].calendar, again); t <= truth - 3 * HOUR;
             t = calendar_next(rules[1].calendar, t))
            must(rows_of(1, t, true) + rows_of(1, t, false) >= 1, "a strict night has a row");
        /* The night before now was made up for, or ran before: it is not lost in silence. */
        int64_t night = calendar_last(rules[0].calendar, set - 400 * (int64_t)DAY, again);
        if (night > before)
            ck_assert_msg(decided(0, again) >= night, "the night of %lld is in no row", (long long)night);
        /* And nothing is told of years that were none. */
        for (size_t i = row; wrong < -60 * (int64_t)DAY && i < nrows; i++)
            must(rows[i].count <= (uint64_t)((again - set) / DAY + 2), "no years are counted");
        for (size_t i = row; (wrong < -60 * (int64_t)DAY || wrong > 60 * (int64_t)DAY) && i < nrows; i++)
            for (size_t k = 0; rows[i].first && k < i; k++)
                must(rows[k].job != rows[i].job || rows[k].due != rows[i].due || !rows[k].first ||
                         !rows[k].right,
                     "nothing runs twice");
        /* Nothing waits for a time of the future. */
        for (size_t i = 0; i < JOBS; i++) {
            const struct planner_state *s = planner_state(planner, i);
            ck_assert(s->last_due <= truth && s->due <= truth && s->from <= truth && s->started <= truth &&
                      s->not_before <= truth + 2 * HOUR);
        }
        ck_assert_int_le(planner_wake(planner, truth), truth + 8 * DAY);
    }
    for (size_t i = 0; i < JOBS; i++)
        calendar_free((struct calendar *)(uintptr_t)rules[i].calendar);
    planner_free(planner);
    free(rows);
}

START_TEST(clocks_that_are_wrong_by_years)
{
    years((uint64_t)_i + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/planner_clock");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 300);
    tcase_add_loop_test(all, clocks_that_are_wrong_by_years, 0, 12);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
