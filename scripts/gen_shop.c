/*
 * gen_shop - makes, changes and compares SQLite databases of a shop, for the demo, tests and measurements.
 * `gen-shop help` says how. What a row holds is in gen_shop_rows.h.
 */
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/number.h"
#include "scripts/gen_shop_db.h"
#include "scripts/gen_shop_rows.h"
#include "scripts/gen_shop_sum.h"

#include "common/base/banned.h"

static const char usage[] =
    "usage: gen-shop create DB [--size 100M] [--seed N] [--wal] [--page-size N]\n"
    "       gen-shop churn DB [--night N]             one night of changes; default: the next one\n"
    "       gen-shop write DB [--seconds N] [--until-file F] [--rate N]\n"
    "                                                 keep committing small transactions (300 a second)\n"
    "       gen-shop fingerprint DB                   rows and a sum over all rows of each table\n"
    "The same seed, size and nights give the same rows. A night updates 1 % of the orders and 20 % of the\n"
    "newest 5 %, and 3 % of the customers; deletes 0.1 % of both; adds 1 % to each table. `write` counts\n"
    "its transactions in the row `writes` of the table shop and adds one event of the kind `live` in each:\n"
    "in every consistent copy the two numbers are equal.\n";

struct options {
    const char *path;
    uint64_t size;
    uint64_t seed;
    uint64_t page_size;
    uint64_t night;
    uint64_t seconds;
    uint64_t rate;
    const char *until;
    bool wal;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static void setting(sqlite3 *db, const char *key, int64_t value)
{
    sqlite3_stmt *s = prepare(db, "INSERT OR REPLACE INTO shop(key, value) VALUES(?1, ?2)");
    check(db, sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC));
    check(db, sqlite3_bind_int64(s, 2, value));
    done(db, s);
    check(db, sqlite3_finalize(s));
}

static void bind_row(sqlite3 *db, sqlite3_stmt *s, const struct shop_row *row)
{
    for (size_t i = 0; i < row->n; i++)
        check(db, row->v[i].is_text ? sqlite3_bind_text(s, (int)i + 1, row->text + row->v[i].at,
                                                        (int)row->v[i].len, SQLITE_STATIC)
                                    : sqlite3_bind_int64(s, (int)i + 1, row->v[i].number));
}

static const char schema[] =
    "CREATE TABLE shop(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE customers(id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL,"
    " address TEXT NOT NULL, created_at TEXT NOT NULL, balance INTEGER NOT NULL, preferences TEXT NOT NULL);"
    "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, status TEXT NOT NULL,"
    " total INTEGER NOT NULL, reference TEXT NOT NULL, placed_at TEXT NOT NULL, updated_at TEXT NOT NULL,"
    " items TEXT NOT NULL, note TEXT NOT NULL);"
    "CREATE TABLE events(id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL,"
    " customer_id INTEGER NOT NULL, payload TEXT NOT NULL);";
static const char indexes[] = "CREATE UNIQUE INDEX customers_email ON customers(email);"
                              "CREATE INDEX orders_customer ON orders(customer_id);"
                              "CREATE INDEX orders_placed ON orders(placed_at);";
static const char *const inserts[SHOP_TABLES] = {
    "INSERT OR IGNORE INTO customers VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    "INSERT OR IGNORE INTO orders VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    "INSERT OR IGNORE INTO events VALUES(?1, ?2, ?3, ?4, ?5)",
};
/* Measured bytes a row takes with its indexes, and each table's share of the database in percent. */
static const uint64_t row_bytes[SHOP_TABLES] = { 290, 352, 302 };
static const uint64_t share[SHOP_TABLES] = { 15, 45, 40 };

static void add_rows(sqlite3 *db, uint64_t seed, enum shop_table table, int64_t first, int64_t n,
                     const struct shop_counts *counts)
{
    static struct shop_row row;
    sqlite3_stmt *s = prepare(db, inserts[table]);
    run(db, "BEGIN");
    for (int64_t id = first; id < first + n; id++) {
        shop_row_make(&row, seed, table, id, 0, counts);
        bind_row(db, s, &row);
        done(db, s);
    }
    run(db, "COMMIT");
    check(db, sqlite3_finalize(s));
}

static void tell(sqlite3 *db, const char *what, const struct options *o, uint64_t since)
{
    char size[NUMBER_TEXT_MAX];
    char time[NUMBER_TEXT_MAX];
    int64_t bytes = number(db, "PRAGMA page_count") * number(db, "PRAGMA page_size");
    (void)printf("%s %s: seed %" PRIu64 ", night %" PRId64 ", %s, customers %" PRId64 ", orders %" PRId64
                 ", events %" PRId64 ", in %s\n",
                 what, o->path, o->seed, number(db, "SELECT value FROM shop WHERE key = 'night'"),
                 size_format(size, (uint64_t)bytes), number(db, "SELECT count(*) FROM customers"),
                 number(db, "SELECT count(*) FROM orders"), number(db, "SELECT count(*) FROM events"),
                 duration_format(time, clock_mono_ms() - since));
}

static void create(struct options *o)
{
    char sql[256];
    uint64_t since = clock_mono_ms();
    struct shop_counts counts;
    if (access(o->path, F_OK) == 0)
        die("%s exists; remove it or give another name", o->path);
    sqlite3 *db = open_db(o->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA page_size=%" PRIu64 "; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
                   "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-65536",
                   o->page_size);
    run(db, sql);
    run(db, schema);
    for (int t = 0; t < SHOP_TABLES; t++)
        counts.rows[t] = (int64_t)(o->size / 100 * share[t] / row_bytes[t]) + 10;
    for (int t = 0; t < SHOP_TABLES; t++)
        add_rows(db, o->seed, (enum shop_table)t, 1, counts.rows[t], &counts);
    run(db, indexes);
    setting(db, "seed", (int64_t)o->seed);
    setting(db, "night", 0);
    setting(db, "writes", 0);
    run(db, "PRAGMA locking_mode=NORMAL");
    run(db, o->wal ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE");
    tell(db, "created", o, since);
    close_db(db);
}

static struct shop_counts count_ids(sqlite3 *db)
{
    char sql[64];
    struct shop_counts c;
    for (int t = 0; t < SHOP_TABLES; t++) {
        (void)snprintf(sql, sizeof sql, "SELECT max(id) FROM %s", shop_names[t]);
        c.rows[t] = number(db, sql);
    }
    return c;
}

/* Updates `n` rows with random ids from low..high; ids that were deleted stay so. */
static void update_rows(sqlite3 *db, const struct options *o, enum shop_table table, int64_t low,
                        int64_t high, int64_t n, uint64_t stream)
{
    static struct shop_row row;
    struct shop_counts counts = count_ids(db);
    struct shop_rng r = shop_rng_of(o->seed, 1000 + o->night, (uint64_t)table, stream);
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT 1 FROM %s WHERE id = ?1", shop_names[table]);
    sqlite3_stmt *find = prepare(db, sql);
    sqlite3_stmt *put = prepare(
        db, table == SHOP_CUSTOMERS ? "UPDATE customers SET name=?2, email=?3, address=?4, created_at=?5,"
                                      " balance=?6, preferences=?7 WHERE id=?1"
                                    : "UPDATE orders SET customer_id=?2, status=?3, total=?4, reference=?5,"
                                      " placed_at=?6, updated_at=?7, items=?8, note=?9 WHERE id=?1");
    for (int64_t i = 0; i < n; i++) {
        int64_t id = low + (int64_t)shop_below(&r, (uint64_t)(high - low + 1));
        check(db, sqlite3_bind_int64(find, 1, id));
        int there = sqlite3_step(find);
        check(db, there);
        check(db, sqlite3_reset(find));
        if (there != SQLITE_ROW)
            continue;
        shop_row_make(&row, o->seed, table, id, (int64_t)o->night, &counts);
        bind_row(db, put, &row);
        done(db, put);
    }
    check(db, sqlite3_finalize(find));
    check(db, sqlite3_finalize(put));
}

static void delete_rows(sqlite3 *db, const struct options *o, enum shop_table table, int64_t high, int64_t n)
{
    struct shop_rng r = shop_rng_of(o->seed, 2000 + o->night, (uint64_t)table, 0);
    char sql[64];
    (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id = ?1", shop_names[table]);
    sqlite3_stmt *s = prepare(db, sql);
    for (int64_t i = 0; i < n; i++) {
        check(db, sqlite3_bind_int64(s, 1, 1 + (int64_t)shop_below(&r, (uint64_t)high)));
        done(db, s);
    }
    check(db, sqlite3_finalize(s));
}

static void churn(struct options *o)
{
    uint64_t since = clock_mono_ms();
    sqlite3 *db = open_db(o->path, SQLITE_OPEN_READWRITE);
    run(db, "PRAGMA synchronous=OFF; PRAGMA cache_size=-65536");
    o->seed = (uint64_t)number(db, "SELECT value FROM shop WHERE key = 'seed'");
    if (o->night == 0)
        o->night = (uint64_t)number(db, "SELECT value FROM shop WHERE key = 'night'") + 1;
    struct shop_counts old = count_ids(db);
    int64_t orders = old.rows[SHOP_ORDERS];
    int64_t customers = old.rows[SHOP_CUSTOMERS];
    run(db, "BEGIN IMMEDIATE");
    update_rows(db, o, SHOP_ORDERS, 1, orders, orders / 100, 1);
    update_rows(db, o, SHOP_ORDERS, orders - orders / 20, orders, orders / 20 / 5, 2);
    update_rows(db, o, SHOP_CUSTOMERS, 1, customers, customers * 3 / 100, 3);
    delete_rows(db, o, SHOP_ORDERS, orders, orders / 1000);
    delete_rows(db, o, SHOP_CUSTOMERS, customers, customers / 1000);
    run(db, "COMMIT");
    struct shop_counts new = old;
    for (int t = 0; t < SHOP_TABLES; t++)
        new.rows[t] += old.rows[t] / 100 + 1;
    for (int t = 0; t < SHOP_TABLES; t++)
        add_rows(db, o->seed, (enum shop_table)t, old.rows[t] + 1, old.rows[t] / 100 + 1, &new);
    setting(db, "night", (int64_t)o->night);
    tell(db, "churned", o, since);
    close_db(db);
}

struct live {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *event, *order, *count;
};

static void live_open(struct live *l, const struct options *o)
{
    l->db = open_db(o->path, SQLITE_OPEN_READWRITE);
    run(l->db, "PRAGMA synchronous=NORMAL");
    l->begin = prepare(l->db, "BEGIN IMMEDIATE");
    l->commit = prepare(l->db, "COMMIT");
    l->event = prepare(
        l->db, "INSERT INTO events(at, kind, customer_id, payload) VALUES(datetime('now'), 'live', ?1,"
               " json_object('token', hex(randomblob(16)), 'order', ?2))");
    l->order =
        prepare(l->db, "UPDATE orders SET updated_at = datetime('now'), total = total + 1 WHERE id = ?1");
    l->count = prepare(l->db, "UPDATE shop SET value = value + 1 WHERE key = 'writes'");
}

static void live_transaction(struct live *l, struct shop_rng *r, const struct shop_counts *counts)
{
    int64_t order = 1 + (int64_t)shop_below(r, (uint64_t)counts->rows[SHOP_ORDERS]);
    done(l->db, l->begin);
    check(l->db, sqlite3_bind_int64(l->event, 1,
                                    1 + (int64_t)shop_below(r, (uint64_t)counts->rows[SHOP_CUSTOMERS])));
    check(l->db, sqlite3_bind_int64(l->event, 2, order));
    done(l->db, l->event);
    check(l->db, sqlite3_bind_int64(l->order, 1, order));
    done(l->db, l->order);
    done(l->db, l->count);
    done(l->db, l->commit);
}

static void write_on(struct options *o)
{
    struct live l;
    char longest[NUMBER_TEXT_MAX];
    char total[NUMBER_TEXT_MAX];
    uint64_t since = clock_mono_ms();
    uint64_t n = 0;
    uint64_t wait = 0;
    if (o->seconds == 0 && o->until == NULL)
        die("write needs --seconds or --until-file, or it would never end");
    live_open(&l, o);
    struct shop_counts counts = count_ids(l.db);
    struct shop_rng r = shop_rng_of(o->seed, 3000, since, 0);
    while (!stopped && (o->seconds == 0 || clock_mono_ms() - since < o->seconds * 1000) &&
           (o->until == NULL || access(o->until, F_OK) != 0)) {
        uint64_t before = clock_mono_ms();
        live_transaction(&l, &r, &counts);
        uint64_t after = clock_mono_ms();
        wait = after - before > wait ? after - before : wait;
        n++;
        uint64_t due = since + n * 1000 / o->rate;
        if (due > after)
            (void)usleep((useconds_t)(due - after) * 1000);
    }
    (void)printf("wrote %" PRIu64 " transactions in %s; the longest took %s\n", n,
                 duration_format(total, clock_mono_ms() - since), duration_format(longest, wait));
    check(l.db, sqlite3_finalize(l.begin) | sqlite3_finalize(l.commit) | sqlite3_finalize(l.event) |
                    sqlite3_finalize(l.order) | sqlite3_finalize(l.count));
    close_db(l.db);
}

static void compare(struct options *o)
{
    fingerprint(o->path);
}

static void take_number(const char *key, const char *text, uint64_t *out)
{
    struct error err = ERROR_INIT;
    int rc = strcmp(key, "--size") == 0 ? size_parse(text, out, &err)
                                        : number_parse(text, 0, INT64_MAX, out, &err);
    if (rc < 0)
        die("%s: %s", key, err.text);
}

static void take_options(int argc, char **argv, struct options *o)
{
    struct {
        const char *key;
        uint64_t *out;
    } numbers[] = {
        { "--size", &o->size },   { "--seed", &o->seed },       { "--page-size", &o->page_size },
        { "--night", &o->night }, { "--seconds", &o->seconds }, { "--rate", &o->rate },
    };
    for (int i = 2; i < argc; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0] && i + 1 < argc; k++)
            if (strcmp(argv[i], numbers[k].key) == 0) {
                take_number(argv[i], argv[i + 1], numbers[k].out);
                found = true;
            }
        if (found) {
            i++;
        } else if (strcmp(argv[i], "--until-file") == 0 && i + 1 < argc) {
            o->until = argv[++i];
        } else if (strcmp(argv[i], "--wal") == 0) {
            o->wal = true;
        } else if (argv[i][0] != '-' && o->path == NULL) {
            o->path = argv[i];
        } else {
            die("what is \"%s\"?\n%s", argv[i], usage);
        }
    }
    if (o->path == NULL || o->rate == 0)
        die("a database is missing, or the rate is 0\n%s", usage);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(struct options *o);
    } verbs[] = {
        { "create", create }, { "churn", churn }, { "write", write_on }, { "fingerprint", compare }
    };
    struct options o = { .size = 100 << 20, .seed = 1, .page_size = 4096, .rate = 300 };
    struct sigaction action = { .sa_handler = stop };
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0) {
            take_options(argc, argv, &o);
            (void)sigaction(SIGTERM, &action, NULL);
            (void)sigaction(SIGINT, &action, NULL);
            verbs[i].fn(&o);
            return fflush(stdout) == 0 ? 0 : 1;
        }
    die("there is no \"%s\"\n%s", argv[1], usage);
}
