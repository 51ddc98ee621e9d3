/* A year of sample drills: every table comes around in time, although nights fail and are left out; none takes much more. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/state/drilled.h"
#include "restore/drill/sample.h"

#include "common/base/banned.h"

enum { DAY = 86400, TABLES = 200, NIGHTS = 365, MIB = 1 << 20 };

static uint64_t draw_state = 11;
static uint32_t draw(uint32_t n)
{
    draw_state = draw_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(draw_state >> 33) % n;
}

/* What the state remembers; tables of one database stand together. */
struct world {
    struct sample_table tables[TABLES];
    char names[TABLES][16];
    uint64_t all;    /* bytes */
    uint64_t before; /* the last sample */
    uint64_t worst;  /* age at a night's begin */
    uint64_t sum;    /* bytes of all nights */
    unsigned runs;
    unsigned hit[TABLES];
};

/* From a KiB to a GiB; a few hold most of it. */
static uint64_t some_size(void)
{
    unsigned shift = draw(21);
    return ((uint64_t)1 << shift) * (1 + draw(1000));
}

static void make_world(struct world *w, size_t databases, uint64_t now)
{
    static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    memset(w, 0, sizeof *w);
    for (size_t i = 0; i < TABLES; i++) {
        (void)snprintf(w->names[i], sizeof w->names[i], "t%zu", i);
        /* The first two databases are large ones, each has two tables more. */
        size_t db =
            i < TABLES - 2 * databases ? i * 2 / TABLES % databases : (i - (TABLES - 2 * databases)) / 2;
        w->tables[i] = (struct sample_table){
            .database = names[db], .name = w->names[i], .bytes = some_size(), .first = now
        };
        w->all += w->tables[i].bytes;
    }
}

static int together(const void *a, const void *b)
{
    const struct sample_table *x = a;
    const struct sample_table *y = b;
    int order = strcmp(x->database, y->database);
    return order != 0 ? order : strcmp(x->name, y->name);
}

static void night(struct world *w, uint64_t now, uint64_t within, bool fails)
{
    struct sample_choice choice;
    uint64_t bytes = 0;
    qsort(w->tables, TABLES, sizeof w->tables[0], together);
    for (size_t i = 0; i < TABLES; i++) {
        const struct sample_table *t = &w->tables[i];
        uint64_t age = now - (t->last != 0 ? t->last : t->first);
        w->worst = age > w->worst ? age : w->worst;
    }
    const struct sample_ask ask = { .now = now,
                                    .within = within,
                                    .before = w->before,
                                    .seed = ((uint64_t)draw(UINT32_MAX) << 32) | draw(UINT32_MAX) };
    sample_choose(&ask, w->tables, TABLES, &choice);
    ck_assert_ptr_nonnull(choice.database);
    ck_assert_uint_gt(choice.chosen, 0);
    for (size_t i = 0; i < TABLES; i++) {
        struct sample_table *t = &w->tables[i];
        if (!t->chosen)
            continue;
        ck_assert_str_eq(t->database, choice.database);
        bytes += t->bytes;
        if (!fails)
            t->last = now;
        w->hit[strtoul(t->name + 1, NULL, 10)]++;
    }
    if (fails)
        return;
    w->before = now;
    w->sum += bytes;
    w->runs++;
}

/* percent: of nights that fail, and as many again that are left out */
static void year(struct world *w, size_t databases, uint64_t within, unsigned percent)
{
    uint64_t now = 1000 * DAY;
    make_world(w, databases, now);
    for (unsigned i = 0; i < NIGHTS; i++, now += DAY)
        if (draw(100) >= percent)
            night(w, now + draw(3600), within, draw(100) < percent);
}

static struct world w;

START_TEST(every_table_in_time)
{
    const uint64_t within = 30 * DAY;
    year(&w, 1, within, (unsigned)_i);
    ck_assert_msg(w.worst <= within, "a table waited for %g days", (double)w.worst / DAY);
    for (size_t i = 0; i < TABLES; i++)
        ck_assert_uint_ge(w.hit[i], 12);
    /* A thirtieth in three quarters of the time, rounded up to whole tables, and some more at random. */
    ck_assert_msg(w.sum / w.runs < w.all / 8, "%g of everything in a night",
                  (double)w.sum / w.runs / (double)w.all);
}
END_TEST

START_TEST(several_databases)
{
    const uint64_t within = 30 * DAY;
    year(&w, (size_t)_i, within, 10);
    ck_assert_msg(w.worst <= within, "%d databases: a table waited for %g days", _i, (double)w.worst / DAY);
}
END_TEST

START_TEST(a_weekly_drill)
{
    uint64_t now = 1000 * DAY;
    make_world(&w, 1, now);
    for (unsigned i = 0; i < 52; i++, now += 7 * DAY)
        night(&w, now, 60 * DAY, false);
    ck_assert_msg(w.worst <= 60 * DAY, "%g days", (double)w.worst / DAY);
}
END_TEST

/* Half of the time is gone, so is half of it; one more than half would be all of a database. */
START_TEST(half_of_it)
{
    struct sample_choice choice;
    make_world(&w, 1, 1000 * DAY);
    for (size_t i = 0; i < TABLES; i++)
        w.tables[i].bytes = 0;
    const struct sample_ask ask = { .now = 1000 * DAY, .within = 4 * DAY, .seed = 9 };
    sample_choose(&ask, w.tables, TABLES, &choice);
    ck_assert_uint_ge(choice.chosen, TABLES / 2);
    ck_assert_uint_le(choice.chosen, TABLES / 2 + TABLES / 8 + 2);
}
END_TEST

START_TEST(what_comes_first)
{
    struct sample_table t[] = {
        { .database = "a", .name = "old", .bytes = MIB, .first = 1, .last = 60 * DAY },
        { .database = "a", .name = "new", .bytes = MIB, .first = 99 * DAY },
        { .database = "a", .name = "fresh", .bytes = MIB, .first = 1, .last = 99 * DAY },
        { .database = "b", .name = "other", .bytes = MIB, .first = 1, .last = 98 * DAY },
    };
    struct sample_choice choice;
    struct sample_ask ask = { .now = 100 * DAY, .within = 60 * DAY, .before = 99 * DAY, .seed = 5 };
    sample_choose(&ask, t, 4, &choice);
    ck_assert_str_eq(choice.database, "a");
    ck_assert_uint_eq(choice.of, 3);
    for (size_t i = 0; i < 4; i++) /* the database of the oldest; of it first what was never drilled */
        if (strcmp(t[i].name, "new") == 0)
            ck_assert(t[i].chosen);
        else if (strcmp(t[i].name, "other") == 0)
            ck_assert(!t[i].chosen);
    sample_choose(&ask, t, 0, &choice);
    ck_assert_ptr_null(choice.database);
    /* What is late comes, whatever it weighs. */
    t[0].bytes = (uint64_t)1 << 40;
    ask.now = 300 * DAY;
    ask.before = 299 * DAY;
    sample_choose(&ask, t, 3, &choice);
    ck_assert_uint_eq(choice.chosen, 3);
    ck_assert_uint_eq(sample_due(5, 0, 10), 15);
    ck_assert_uint_eq(sample_due(5, 7, 10), 17);
}
END_TEST

/* ---- what is remembered ---------------------------------------------------------------------------------- */

struct listing {
    char text[512];
};

static int add(const struct drilled_table *t, void *arg, struct error *err)
{
    struct listing *l = arg;
    size_t n = strlen(l->text);
    (void)err;
    (void)snprintf(l->text + n, sizeof l->text - n, "%s/%s %lld %lld;", t->database, t->name,
                   (long long)t->first, (long long)t->last);
    return 0;
}

static const char *all_of(struct drilled *d, struct listing *l)
{
    struct error err = ERROR_INIT;
    l->text[0] = '\0';
    ck_assert_msg(drilled_each(d, NULL, "shop", add, l, &err) == 0, "%s", err.text);
    return l->text;
}

START_TEST(it_is_remembered)
{
    char dir[] = "/tmp/test_sample.XXXXXX";
    char path[64];
    struct error err = ERROR_INIT;
    struct drilled *d = NULL;
    struct listing l;
    int64_t sampled = 7;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/" DRILLED_FILE, dir);
    ck_assert_int_eq(drilled_open_read(path, &d, &err), E_NOT_FOUND);
    error_clear(&err);
    ck_assert_msg(drilled_open(path, &d, &err) == 0, "%s", err.text);
    struct drilled_table t[] = { { .database = "a", .name = "x", .bytes = 5, .result = DRILLED_GOOD },
                                 { .database = "a", .name = "y" },
                                 { .database = "b", .name = "x", .result = DRILLED_BAD } };
    struct drilled_drill k = {
        .repository = "main", .job = "shop", .time = 100, .snapshot_time = 90, .tables = t, .ntables = 3
    };
    ck_assert_msg(drilled_keep(d, &k, &err) == 0, "%s", err.text);
    ck_assert_str_eq(all_of(d, &l), "a/x 100 100;a/y 100 0;b/x 100 0;");
    ck_assert_int_eq(drilled_sampled(d, "main", "shop", &sampled, &err), 0);
    ck_assert_int_eq(sampled, 0);
    /* b is gone, c is new; a good one that is bad now counts as never drilled */
    t[0].result = DRILLED_BAD;
    t[1].result = DRILLED_GOOD;
    t[2] = (struct drilled_table){ .database = "c", .name = "\"Z" };
    k.time = 200;
    k.snapshot_time = 190;
    k.sample = true;
    ck_assert_msg(drilled_keep(d, &k, &err) == 0, "%s", err.text);
    ck_assert_str_eq(all_of(d, &l), "a/x 100 0;a/y 100 200;c/\"Z 200 0;");
    ck_assert_int_eq(drilled_sampled(d, "main", "shop", &sampled, &err), 0);
    ck_assert_int_eq(sampled, 200);
    /* an old snapshot: its drill counts for what is still there, and nothing comes back or goes */
    t[0].result = DRILLED_GOOD;
    t[2] = (struct drilled_table){ .database = "b", .name = "x", .result = DRILLED_GOOD };
    k.time = 300;
    k.snapshot_time = 90;
    k.sample = false;
    ck_assert_msg(drilled_keep(d, &k, &err) == 0, "%s", err.text);
    ck_assert_str_eq(all_of(d, &l), "a/x 100 300;a/y 100 300;c/\"Z 200 0;");
    drilled_close(d);
    ck_assert_msg(drilled_open_read(path, &d, &err) == 0, "%s", err.text);
    ck_assert_str_eq(all_of(d, &l), "a/x 100 300;a/y 100 300;c/\"Z 200 0;");
    drilled_close(d);
    for (size_t i = 0; i < 3; i++) {
        static const char *const ends[] = { "", "-wal", "-shm" };
        (void)snprintf(path, sizeof path, "%s/" DRILLED_FILE "%s", dir, ends[i]);
        (void)unlink(path);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sample");
    TCase *t = tcase_create("nights");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, every_table_in_time, 0, 21);
    tcase_add_loop_test(t, several_databases, 1, 9);
    tcase_add_test(t, a_weekly_drill);
    tcase_add_test(t, half_of_it);
    tcase_add_test(t, what_comes_first);
    tcase_add_test(t, it_is_remembered);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
