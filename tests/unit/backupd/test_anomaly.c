/* Simulated nights: a shop with growth, noise, weekends, queues, tables by day. Months of them are no anomaly; what
 * happens in one of them is. */
#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backupd/anomaly/anomaly.h"
#include "backupd/anomaly/detect.h"

enum {
    DAY = 86400,
    NIGHTS = 60,
    SEEDS = 25,
    TABLES_MAX = 64,
    KEPT_MAX = 720,
    MONDAY = 1767571200 /* 2026-01-05 */
};

/* ---- chance ---------------------------------------------------------------------------------------------------------- */

static uint64_t state;

static double uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) / 9007199254740992.0;
}

static double normal(void)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += uniform();
    return sum - 6;
}

/* ---- a shop ---------------------------------------------------------------------------------------------------------- */

struct shop {
    struct vec nights; /* struct night that count, oldest first */
    int64_t step;      /* between two runs */
    int n;             /* runs so far */
    int64_t now;
    double sales;
};

/* What is different tonight. */
struct event {
    double orders;    /* times as many rows */
    double customers; /* the same; 0: all gone */
    bool dropped;     /* the table of customers */
    double share;     /* of orders that is new; 0: as ever */
    int64_t ratio;    /* of orders' new data; 0: as ever */
    double slower;
    double full;   /* part of the free space that is left; 0: as ever */
    uint64_t lost; /* packs */
    bool migrated; /* another definition of orders */
};

static struct conf_anomalies settings(void)
{
    return (struct conf_anomalies){ .watch = true,
                                    .min_runs = 7,
                                    .min_age_ms = (uint64_t)7 * DAY * 1000,
                                    .shrinks_to = 50,
                                    .grows_to = 300,
                                    .slower_than = 300,
                                    .min_rows = 500,
                                    .min_size = 1024 * 1024,
                                    .churn_by = 30,
                                    .entropy_by = 25,
                                    .full_within_ms = (uint64_t)7 * DAY * 1000,
                                    .min_free = 5 };
}

static void subject(struct night *n, const char *name, double rows, double width, double share, int64_t ratio,
                    int64_t schema)
{
    struct baseline_subject *s = vec_push(&n->subjects, NULL);
    ck_assert_ptr_nonnull(s);
    rows = rows > 0 ? floor(rows) : 0;
    *s = (struct baseline_subject){ .name = strdup(name),
                                    .rows = (int64_t)rows,
                                    .bytes = (int64_t)(rows * width),
                                    .fresh = (int64_t)(rows * width * (share < 1 ? share : 1)),
                                    .ratio = ratio,
                                    .schema = schema };
    n->run.bytes += (uint64_t)s->bytes;
    n->run.fresh += (uint64_t)s->fresh;
}

static bool sunday(int64_t t)
{
    return (t / DAY + 4) % 7 == 0;
}

/* Tables by day: the one of today is new, the one of a fortnight ago is dropped. */
static void days(struct night *n, int64_t now)
{
    for (int64_t d = now / DAY - 14; d <= now / DAY; d++) {
        char name[64];
        (void)snprintf(name, sizeof name, "shop/tables/public/visits_%lld", (long long)d);
        subject(n, name, 20000 + (double)(d * 7919 % 5000), 60, d == now / DAY ? 1 : 0.001, 220, 5);
    }
}

static struct night make(struct shop *s, const struct event *e)
{
    struct night n = NIGHT_INIT;
    bool weekend = sunday(s->now);
    bool night = s->now % DAY < s->step; /* of jobs that run more than once a day, the one with the batch */
    double orders = s->sales * 40 * e->orders;
    double noise = normal();
    s->sales *= 1 + 0.004 * (double)s->step / DAY * (1 + 0.5 * normal());
    n.run = (struct baseline_run){ .time = s->now, .ratio = 250 + (int64_t)(15 * noise), .lost = e->lost };
    (void)snprintf(n.run.writer, sizeof n.run.writer, "aa");
    subject(&n, "shop/tables/public/orders", orders, 120,
            e->share > 0 ? e->share : (weekend && night ? 0.5 : 0.03) * (1 + 0.3 * uniform()),
            e->ratio > 0 ? e->ratio : 250 + (int64_t)(20 * normal()), e->migrated ? 2 : 1);
    if (!e->dropped)
        subject(&n, "shop/tables/public/customers", s->sales * 10 * e->customers, 200, 0.01 * uniform(), 300,
                1);
    subject(&n, "shop/tables/public/settings", 40, 50, 0, -1, 1);
    subject(&n, "shop/tables/public/queue", 300 * uniform(), 400, 1, 400 + (int64_t)(30 * normal()), 1);
    subject(&n, "shop/tables/public/import", weekend && night ? 80000 + 5000 * normal() : 0, 150, 1, 200, 1);
    subject(&n, "shop/tables/public/sessions", 4000 * exp(0.2 * normal()), 300, 0.9, 450, 1);
    subject(&n, "shop/tables/public/log", 30000.0 * (1 + s->n % 30), 90, 1.0 / (1 + s->n % 30), 150, 1);
    days(&n, s->now);
    n.run.duration_ms = (uint64_t)((weekend && night ? 2400e3 : 600e3) * exp(0.15 * normal()) *
                                   (e->slower > 0 ? e->slower : 1));
    n.run.members = n.run.streams = n.subjects.len;
    n.run.stored = n.run.fresh / 4;
    n.run.space_total = (uint64_t)4 << 40;
    n.run.space_free = (uint64_t)((double)((uint64_t)3 << 40) - 2e9 * s->n);
    if (e->full > 0)
        n.run.space_free = (uint64_t)((double)n.run.space_free * e->full);
    night_sort(&n);
    return n;
}

/* ---- judging --------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct point *x = a;
    const struct point *y = b;
    int order = strcmp(x->seen.name, y->seen.name);
    return order != 0 ? order : x->run->time < y->run->time ? -1 : 1;
}

static bool of_files; /* the job is one of files */

static struct anomalies judge(const struct shop *s, struct night *now, const struct conf_anomalies *conf)
{
    struct vec runs = VEC_OF(struct baseline_run);
    struct vec points = VEC_OF(struct point);
    for (size_t i = 0; i < s->nights.len; i++)
        *(struct baseline_run *)vec_push(&runs, NULL) = ((const struct night *)vec_at(&s->nights, i))->run;
    for (size_t i = 0; i < s->nights.len; i++) {
        const struct night *n = vec_at(&s->nights, i);
        for (size_t k = 0; k < n->subjects.len; k++)
            *(struct point *)vec_push(&points, NULL) =
                (struct point){ .seen = *(const struct baseline_subject *)vec_at(&n->subjects, k),
                                .run = vec_at(&runs, i) };
    }
    vec_sort(&points, by_name);
    struct detector d = { .conf = conf,
                          .night = now,
                          .runs = &runs,
                          .now = now->run.time,
                          .files = of_files,
                          .found = ANOMALIES_INIT };
    for (size_t i = 0; i < points.len;) {
        const struct point *p = vec_at(&points, i);
        size_t n = 1;
        while (i + n < points.len &&
               strcmp(((const struct point *)vec_at(&points, i + n))->seen.name, p->seen.name) == 0)
            n++;
        detect_subject(&d, p->seen.name, p, n);
        i += n;
    }
    detect_run(&d);
    detect_rest(&d);
    ck_assert_int_eq(d.rc, 0);
    vec_free(&points);
    vec_free(&runs);
    return d.found;
}

/* Keeps as many as the baseline does. */
static void keep(struct shop *s, const struct night *n)
{
    static int64_t ids;
    struct night *slot = vec_push(&s->nights, NULL);
    *slot = *n;
    slot->run.id = ++ids;
    size_t most = s->step < DAY ? KEPT_MAX : 60;
    if (s->nights.len > most) {
        night_free(vec_at(&s->nights, 0));
        memmove(s->nights.data, (char *)s->nights.data + sizeof *n, (s->nights.len - 1) * sizeof *n);
        s->nights.len--;
    }
}

static struct anomalies night(struct shop *s, const struct event *e, bool remember)
{
    static const struct event ordinary = { .orders = 1, .customers = 1 };
    struct conf_anomalies conf = settings();
    struct night n = make(s, e != NULL ? e : &ordinary);
    struct anomalies found = judge(s, &n, &conf);
    if (remember)
        keep(s, &n);
    else
        night_free(&n);
    s->now += s->step;
    s->n++;
    return found;
}

static struct shop shop_open(uint64_t seed, int64_t step)
{
    state = seed * 77777 + 1;
    for (int i = 0; i < 10; i++)
        (void)uniform();
    return (struct shop){ .nights = VEC_OF(struct night),
                          .step = step,
                          .now = MONDAY + 2 * 3600 + (int64_t)(seed % 7) * DAY,
                          .sales = 1000 };
}

static void shop_close(struct shop *s)
{
    for (size_t i = 0; i < s->nights.len; i++)
        night_free(vec_at(&s->nights, i));
    vec_free(&s->nights);
}

static void print(const struct anomalies *f, uint64_t seed, int night)
{
    for (size_t i = 0; i < f->list.len; i++) {
        const struct anomaly *a = vec_at(&f->list, i);
        if (a->severity != ANOMALY_NOTE)
            (void)fprintf(stderr, "seed %llu night %d: %s: %s: %s; usual: %s\n", (unsigned long long)seed,
                          night, a->kind, a->what, a->seen, a->usual);
    }
}

static void quiet_nights(struct shop *s, uint64_t seed, int n)
{
    size_t told = 0;
    for (int i = 0; i < n; i++) {
        struct anomalies f = night(s, NULL, true);
        print(&f, seed, i);
        told += f.alarms + f.warnings;
        anomalies_free(&f);
    }
    ck_assert_uint_eq(told, 0);
}

START_TEST(normal_nights_are_none)
{
    struct shop s = shop_open((uint64_t)_i, DAY);
    quiet_nights(&s, (uint64_t)_i, 2 * NIGHTS);
    shop_close(&s);
}
END_TEST

START_TEST(normal_hours_are_none)
{
    struct shop s = shop_open((uint64_t)_i, 3 * 3600);
    quiet_nights(&s, (uint64_t)_i, 40 * 8);
    shop_close(&s);
}
END_TEST

/* ---- what is one ----------------------------------------------------------------------------------------------------- */

static size_t count(const struct anomalies *f, const char *kind, enum anomaly_severity severity)
{
    size_t n = 0;
    for (size_t i = 0; i < f->list.len; i++) {
        const struct anomaly *a = vec_at(&f->list, i);
        n += a->severity == severity && strcmp(a->kind, kind) == 0;
    }
    return n;
}

static const struct baseline_subject *find(struct night *n, const char *name)
{
    night_sort(n);
    return night_find(n, name);
}

static const struct {
    const char *kind;
    enum anomaly_severity severity;
    struct event event;
} events[] = {
    { "rows", ANOMALY_ALARM, { .orders = 0.2, .customers = 1 } },
    { "rows", ANOMALY_ALARM, { .orders = 0.45, .customers = 1 } },
    { "rows", ANOMALY_ALARM, { .orders = 5, .customers = 1 } },
    { "rows", ANOMALY_ALARM, { .orders = 1, .customers = 0 } },
    { "vanished", ANOMALY_ALARM, { .orders = 1, .customers = 1, .dropped = true } },
    { "churn", ANOMALY_ALARM, { .orders = 1, .customers = 1, .share = 1 } },
    { "entropy", ANOMALY_ALARM, { .orders = 1, .customers = 1, .share = 1, .ratio = 1000 } },
    { "entropy", ANOMALY_ALARM, { .orders = 1, .customers = 1, .share = 0.3, .ratio = 560 } },
    { "slow", ANOMALY_WARNING, { .orders = 1, .customers = 1, .slower = 12 } },
    { "space", ANOMALY_WARNING, { .orders = 1, .customers = 1, .full = 0.05 } },
    { "space", ANOMALY_WARNING, { .orders = 1, .customers = 1, .full = 0.7 } },
    { "packs", ANOMALY_WARNING, { .orders = 1, .customers = 1, .lost = 3 } },
    { "schema", ANOMALY_NOTE, { .orders = 1, .customers = 1, .migrated = true } },
};
enum { EVENTS = sizeof events / sizeof events[0] };

/* One night of another year, as the first that is known or later, makes nobody blind. */
START_TEST(a_night_of_another_year)
{
    static const int64_t years[] = { 11 * 365 * (int64_t)DAY, -20 * 365 * (int64_t)DAY };
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct shop s = shop_open(seed, DAY);
        int64_t wrong = years[seed % 2];
        quiet_nights(&s, seed, seed < 5 ? 0 : 20);
        s.now += wrong;
        struct anomalies f = night(&s, NULL, true);
        anomalies_free(&f);
        s.now -= wrong;
        for (int n = 0; n < 40; n++) {
            f = night(&s, NULL, true);
            ck_assert_uint_eq(f.alarms, 0);
            anomalies_free(&f);
        }
        for (int e = 0; e < 4; e++) {
            f = night(&s, &events[e].event, false);
            if (count(&f, events[e].kind, events[e].severity) == 0)
                ck_abort_msg("event %d, seed %llu: no %s", e, (unsigned long long)seed, events[e].kind);
            anomalies_free(&f);
        }
        shop_close(&s);
    }
}
END_TEST

/* Nobody looks at rows, or for VACUUM, in a tree of files. */
static size_t words_are_right(const struct anomalies *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->list.len; i++) {
        const struct anomaly *a = vec_at(&f->list, i);
        bool slow = strcmp(a->kind, "slow") == 0;
        bool changed = strcmp(a->kind, "entropy") == 0 || strcmp(a->kind, "churn") == 0;
        n += slow || changed;
        if (slow)
            ck_assert_msg((strstr(a->look_at, "database") == NULL) == of_files, "%s", a->look_at);
        if (changed)
            ck_assert_msg((strstr(a->look_at, "rows") == NULL) == of_files, "%s", a->look_at);
        if (changed)
            ck_assert_msg((strstr(a->look_at, "files") != NULL) == of_files, "%s", a->look_at);
    }
    return n;
}

START_TEST(words_for_what_it_is)
{
    const struct event encrypted = { .orders = 1, .customers = 1, .share = 1, .ratio = 1000, .slower = 12 };
    struct shop s = shop_open(1, DAY);
    quiet_nights(&s, 1, 40);
    for (int i = 0; i < 14; i++) {
        of_files = i % 2 != 0;
        struct anomalies f = night(&s, &encrypted, false);
        ck_assert_uint_ge(words_are_right(&f), 2);
        anomalies_free(&f);
    }
    of_files = false;
    shop_close(&s);
}
END_TEST

START_TEST(each_kind_is_seen)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct shop s = shop_open(seed, DAY);
        quiet_nights(&s, seed, 38 + (int)seed);
        while (sunday(s.now)) /* that night half of the orders are new anyway */
            quiet_nights(&s, seed, 1);
        struct anomalies f = night(&s, &events[_i].event, false);
        if (count(&f, events[_i].kind, events[_i].severity) == 0) {
            print(&f, seed, s.n);
            ck_abort_msg("event %d, seed %llu: no %s", _i, (unsigned long long)seed, events[_i].kind);
        }
        if (events[_i].severity != ANOMALY_ALARM)
            ck_assert_uint_eq(f.alarms, 0);
        anomalies_free(&f);
        shop_close(&s);
    }
}
END_TEST

START_TEST(nothing_before_enough_is_known)
{
    struct shop s = shop_open(3, DAY);
    static const struct event gone = { .orders = 0, .customers = 0 };
    for (int i = 0; i < 6; i++) {
        struct anomalies f = night(&s, NULL, true);
        anomalies_free(&f);
    }
    struct anomalies f = night(&s, &gone, false);
    ck_assert_uint_eq(f.alarms, 0);
    anomalies_free(&f);
    shop_close(&s);
}
END_TEST

START_TEST(kinds_can_be_ignored)
{
    static const char *const names[] = { "rows", "size", NULL };
    static const struct event gone = { .orders = 0, .customers = 0 };
    struct conf_anomalies conf = settings();
    struct shop s = shop_open(3, DAY);
    conf.ignore = (struct conf_names){ .names = names, .n = 2 };
    quiet_nights(&s, 3, 30);
    struct night n = make(&s, &gone);
    struct anomalies f = judge(&s, &n, &conf);
    ck_assert_uint_eq(f.alarms, 0);
    anomalies_free(&f);
    night_free(&n);
    shop_close(&s);
}
END_TEST

/* For each kind that has a limit: the setting that says that an event is nothing. */
static const struct {
    int event; /* of events[] */
    size_t offset;
    unsigned value;
} turned[] = {
    { 0, offsetof(struct conf_anomalies, shrinks_to), 10 },
    { 1, offsetof(struct conf_anomalies, min_rows), 1000000 },
    { 2, offsetof(struct conf_anomalies, grows_to), 1000 },
    { 5, offsetof(struct conf_anomalies, churn_by), 99 },
    { 7, offsetof(struct conf_anomalies, entropy_by), 40 },
    { 8, offsetof(struct conf_anomalies, slower_than), 5000 },
    { 9, offsetof(struct conf_anomalies, min_free), 1 },
};

START_TEST(limits_are_settings)
{
    struct conf_anomalies conf = settings();
    int at = turned[_i].event;
    memcpy((char *)&conf + turned[_i].offset, &turned[_i].value, sizeof turned[_i].value);
    struct shop s = shop_open(4, DAY);
    quiet_nights(&s, 4, 38);
    while (sunday(s.now))
        quiet_nights(&s, 4, 1);
    struct night n = make(&s, &events[at].event);
    struct anomalies f = judge(&s, &n, &conf);
    size_t told = 0;
    for (size_t i = 0; i < f.list.len; i++) {
        const struct anomaly *a = vec_at(&f.list, i);
        /* A storage that is nearly full also became so at once, which has no limit. */
        told += strcmp(a->kind, events[at].kind) == 0 && strstr(a->what, "suddenly") == NULL;
    }
    ck_assert_msg(told == 0, "event %d is told although the setting says no", at);
    anomalies_free(&f);
    night_free(&n);
    shop_close(&s);
}
END_TEST

START_TEST(schema_is_told_on_request)
{
    static const struct event migrated = { .orders = 1, .customers = 1, .migrated = true };
    struct conf_anomalies conf = settings();
    struct shop s = shop_open(6, DAY);
    quiet_nights(&s, 6, 30);
    struct night n = make(&s, &migrated);
    conf.tell_schema = true;
    struct anomalies f = judge(&s, &n, &conf);
    ck_assert_uint_eq(count(&f, "schema", ANOMALY_WARNING), 2); /* each day has a new table, too */
    ck_assert_uint_eq(count(&f, "schema", ANOMALY_NOTE), 0);
    ck_assert_uint_eq(f.alarms, 0);
    anomalies_free(&f);
    night_free(&n);
    shop_close(&s);
}
END_TEST

/* The days until the storage is full, against `full_within`. */
START_TEST(full_soon)
{
    static const struct event ordinary = { .orders = 1, .customers = 1 };
    struct conf_anomalies conf = settings();
    struct shop s = shop_open(7, DAY);
    for (int i = 0; i < 12; i++) {
        struct night n = make(&s, &ordinary);
        n.run.space_total = (uint64_t)2 << 40;
        n.run.space_free = ((uint64_t)1 << 40) / 10 * (uint64_t)(14 - i);
        conf.full_within_ms = (uint64_t)7 * DAY * 1000;
        struct anomalies f = judge(&s, &n, &conf);
        bool soon = 14 - i < 7 && i >= 7;
        ck_assert_msg((count(&f, "space", ANOMALY_WARNING) == 1) == soon, "day %d", i);
        anomalies_free(&f);
        conf.full_within_ms = 0;
        f = judge(&s, &n, &conf);
        ck_assert_uint_eq(count(&f, "space", ANOMALY_WARNING), 0);
        anomalies_free(&f);
        keep(&s, &n);
        s.now += DAY;
        s.n++;
    }
    shop_close(&s);
}
END_TEST

/* What is added replaces nothing: pictures. The same bytes in place of others are an alarm. */
START_TEST(added_is_not_encrypted)
{
    static const struct event ordinary = { .orders = 1, .customers = 1 };
    struct conf_anomalies conf = settings();
    struct shop s = shop_open(8, DAY);
    quiet_nights(&s, 8, 38);
    while (sunday(s.now))
        quiet_nights(&s, 8, 1);
    for (size_t in_place = 0; in_place < 2; in_place++) {
        struct night n = make(&s, &ordinary);
        struct baseline_subject *orders =
            (struct baseline_subject *)(uintptr_t)find(&n, "shop/tables/public/orders");
        int64_t bytes = orders->bytes / 5;
        orders->fresh = bytes;
        orders->ratio = 990;
        orders->bytes += in_place != 0 ? 0 : bytes;
        struct anomalies f = judge(&s, &n, &conf);
        ck_assert_uint_eq(count(&f, "entropy", ANOMALY_ALARM), in_place);
        anomalies_free(&f);
        night_free(&n);
    }
    shop_close(&s);
}
END_TEST

/* The storage's key: at a run, and where it kept a run from beginning. */
START_TEST(host_keys)
{
    static const struct event ordinary = { .orders = 1, .customers = 1 };
    struct conf_anomalies conf = settings();
    struct shop s = shop_open(9, DAY);
    quiet_nights(&s, 9, 3);
    for (size_t i = 0; i < s.nights.len; i++)
        (void)snprintf(((struct night *)vec_at(&s.nights, i))->run.identity, 32, "SHA256:old");
    struct night n = make(&s, &ordinary);
    (void)snprintf(n.run.identity, sizeof n.run.identity, "SHA256:new");
    struct anomalies f = judge(&s, &n, &conf);
    ck_assert_uint_eq(count(&f, "host_key", ANOMALY_WARNING), 1); /* at once, whatever min_runs says */
    anomalies_free(&f);
    night_free(&n);
    shop_close(&s);

    static char nowhere[] = "/nonexistent";
    struct conf c = { .state = nowhere, .anomalies = settings() };
    struct conf_job job = { .name = "shop", .repository = "main" };
    struct error why = ERROR_INIT;
    (void)error_set(&why, E_CONFLICT, "the server now shows SHA256:abc+/. Somebody");
    watch_refused(&c, &job, &why, &f);
    ck_assert_uint_eq(f.list.len, 0);
    (void)error_named(&why, E_CONFLICT, "host-key", "the server now shows SHA256:abc+/. Somebody");
    watch_refused(&c, &job, &why, &f);
    ck_assert_uint_eq(f.list.len, 1);
    const struct anomaly *a = vec_at(&f.list, 0);
    ck_assert_str_eq(a->kind, "host_key");
    ck_assert_str_eq(a->seen, "SHA256:abc+/");
    ck_assert_str_eq(a->usual, "the key in host_key or known_hosts");
    anomalies_free(&f);
    c.anomalies.watch = false;
    watch_refused(&c, &job, &why, &f);
    ck_assert_uint_eq(f.list.len, 0);
}
END_TEST

/* What a person accepted is usual at once, and so is what goes on from there. */
START_TEST(accepted_is_usual)
{
    static const struct event fewer = { .orders = 0.1, .customers = 1 };
    struct shop s = shop_open(5, DAY);
    quiet_nights(&s, 5, 40);
    struct night n = make(&s, &fewer);
    n.run.state = BASELINE_ACCEPTED;
    keep(&s, &n);
    s.now += DAY;
    s.n++;
    for (int i = 0; i < 20; i++) {
        struct anomalies f = night(&s, &fewer, true);
        print(&f, 5, i);
        ck_assert_uint_eq(f.alarms, 0);
        anomalies_free(&f);
    }
    static const struct event hardly = { .orders = 0.005, .customers = 1 };
    struct anomalies f = night(&s, &hardly, false);
    ck_assert_uint_eq(count(&f, "rows", ANOMALY_ALARM), 1); /* and less is not */
    anomalies_free(&f);
    shop_close(&s);
}
END_TEST

/* ---- the parts ------------------------------------------------------------------------------------------------------- */

START_TEST(median_and_mad)
{
    const struct measure m = { .floor = 10, .low = 0.5, .high = 3 };
    struct sight past[40];
    double usual;
    for (int i = 0; i < 40; i++)
        past[i] = (struct sight){ .value = 1000 + i % 3, .time = (int64_t)i * DAY };
    ck_assert_double_eq(robust_median((double[]){ 3, 1, 2 }, 3), 2);
    ck_assert_double_eq(robust_median((double[]){ 4, 1, 2, 3 }, 4), 2.5);
    ck_assert_double_eq(robust_median(NULL, 0), 0);
    ck_assert_int_eq(robust_judge(past, 40, 1001, 40 * DAY, &m, &usual), SWING_NONE);
    ck_assert_double_eq(usual, 1001);
    ck_assert_int_eq(robust_judge(past, 40, 400, 40 * DAY, &m, &usual), SWING_LOW);
    ck_assert_int_eq(robust_judge(past, 40, 600, 40 * DAY, &m, &usual), SWING_NONE);
    ck_assert_int_eq(robust_judge(past, 40, 4000, 40 * DAY, &m, &usual), SWING_HIGH);
    past[35].value = 1e9; /* one bad night moves nothing */
    ck_assert_int_eq(robust_judge(past, 40, 4000, 40 * DAY, &m, &usual), SWING_HIGH);
    past[36].value = past[37].value = 1e9; /* three of them are a habit */
    ck_assert_int_eq(robust_judge(past, 40, 4000, 40 * DAY, &m, &usual), SWING_NONE);
    ck_assert_int_eq(robust_judge(past, 1, -5, 40 * DAY, &m, &usual), SWING_LOW);
}
END_TEST

/* Numbers that were always the same lie no distance apart, and still a little more is nothing. */
START_TEST(constant)
{
    const struct measure m = { .floor = 10, .low = 0.5, .high = 3 };
    const struct measure share = { .plain = true, .high = 0.3 };
    struct sight past[40];
    double usual;
    for (int i = 0; i < 40; i++)
        past[i] = (struct sight){ .value = 1000, .time = (int64_t)i * DAY };
    ck_assert_int_eq(robust_judge(past, 40, 1001, 40 * DAY, &m, &usual), SWING_NONE);
    ck_assert_int_eq(robust_judge(past, 40, 999, 40 * DAY, &m, &usual), SWING_NONE);
    ck_assert_int_eq(robust_judge(past, 40, 510, 40 * DAY, &m, &usual), SWING_NONE);
    ck_assert_int_eq(robust_judge(past, 40, 480, 40 * DAY, &m, &usual), SWING_LOW);
    for (int i = 0; i < 40; i++)
        past[i].value = 0;
    ck_assert_int_eq(robust_judge(past, 40, 19, 40 * DAY, &m, &usual), SWING_NONE);
    ck_assert_int_eq(robust_judge(past, 40, 21, 40 * DAY, &m, &usual), SWING_HIGH);
    ck_assert_int_eq(robust_judge(past, 40, 0.29, 40 * DAY, &share, &usual), SWING_NONE);
    ck_assert_int_eq(robust_judge(past, 40, 0.31, 40 * DAY, &share, &usual), SWING_HIGH);
}
END_TEST

START_TEST(facts_become_subjects)
{
    struct night n = NIGHT_INIT;
    const struct session_stream_numbers numbers = {
        .len = 1000, .fresh = 100, .sampled = 20000, .packed = 5000
    };
    char text[128];
    ck_assert_int_eq(
        night_stream(&n, "dir/shop.db", &numbers,
                     "rows=12\ntable_rows=orders:10,a%2Cb:2,bad,worse:x\nschema=xxh3-128-sum:00\n", NULL),
        0);
    ck_assert_int_eq(
        night_stream(&n, "shop/tables/public/orders.copy", &numbers, "schema=public\nrows=7\n", NULL), 0);
    ck_assert_int_eq(night_stream(&n, "shop/tables/items.tsv", &numbers, "rows=99999999999999999999\n", NULL),
                     0);
    ck_assert_int_eq(find(&n, "dir/shop.db/tables/orders")->rows, 10);
    ck_assert_int_eq(find(&n, "dir/shop.db/tables/a%2Cb")->rows, 2);
    ck_assert_int_eq(find(&n, "dir/shop.db/tables/worse")->rows, -1);
    ck_assert_int_eq(find(&n, "dir/shop.db")->rows, -1);
    ck_assert_int_eq(find(&n, "dir/shop.db")->ratio, 250);
    ck_assert_int_ne(find(&n, "dir/shop.db")->schema, 0);
    ck_assert_int_eq(find(&n, "shop/tables/public/orders")->rows, 7);
    ck_assert_int_eq(find(&n, "shop/tables/public/orders")->schema, 0);
    ck_assert_int_eq(find(&n, "shop/tables/items")->rows, -1);
    ck_assert_ptr_null(find(&n, "nothing"));
    ck_assert_str_eq(night_name(text, sizeof text, "dir/shop.db/tables/orders"),
                     "table orders of dir/shop.db");
    ck_assert_str_eq(night_name(text, sizeof text, "shop/tables/public/orders"),
                     "table public.orders of shop");
    ck_assert_str_eq(night_name(text, sizeof text, "a\x1b.db"), "a\\x1b.db");
    ck_assert_int_eq(night_ratio(100, 100), -1);
    night_free(&n);
}
END_TEST

START_TEST(texts)
{
    struct shop s = shop_open(1, DAY);
    static const struct event gone = { .orders = 0.1, .customers = 0 };
    char note[ANOMALIES_NOTE_MAX];
    struct buf text = BUF_INIT;
    quiet_nights(&s, 1, 30);
    struct anomalies f = night(&s, &gone, false);
    ck_assert_str_eq(anomalies_note(note, &f), "row counts (2)");
    ck_assert_int_eq(anomalies_text(&f, &text, NULL), 0);
    ck_assert_ptr_nonnull(
        strstr((const char *)text.data, "table public.customers of shop is empty: 0 rows; usual: about "));
    buf_free(&text);
    anomalies_free(&f);
    shop_close(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backupd/anomaly");
    TCase *nights = tcase_create("nights");
    TCase *parts = tcase_create("parts");
    tcase_set_timeout(nights, 120);
    tcase_add_loop_test(nights, normal_nights_are_none, 0, SEEDS);
    tcase_add_loop_test(nights, normal_hours_are_none, 0, 3);
    tcase_add_test(nights, a_night_of_another_year);
    tcase_add_test(nights, words_for_what_it_is);
    tcase_add_loop_test(nights, each_kind_is_seen, 0, EVENTS);
    tcase_add_test(nights, nothing_before_enough_is_known);
    tcase_add_test(nights, kinds_can_be_ignored);
    tcase_add_loop_test(nights, limits_are_settings, 0, sizeof turned / sizeof turned[0]);
    tcase_add_test(nights, schema_is_told_on_request);
    tcase_add_test(nights, full_soon);
    tcase_add_test(nights, added_is_not_encrypted);
    tcase_add_test(nights, host_keys);
    tcase_add_test(nights, accepted_is_usual);
    tcase_add_test(parts, median_and_mad);
    tcase_add_test(parts, constant);
    tcase_add_test(parts, facts_become_subjects);
    tcase_add_test(parts, texts);
    suite_add_tcase(suite, nights);
    suite_add_tcase(suite, parts);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
