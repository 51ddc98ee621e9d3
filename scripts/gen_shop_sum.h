/*
 * gen_shop_sum.h - one line for each table: its rows, and a 128-bit sum over the hashes of all of them.
 *
 * Two databases with equal lines hold the same rows, whatever their order and layout. It finds differences
 * made by accident; it is no defence against somebody who makes them on purpose.
 */
#ifndef SCRIPTS_GEN_SHOP_SUM_H
#define SCRIPTS_GEN_SHOP_SUM_H

#include <inttypes.h>
#include <string.h>

#include "scripts/gen_shop_db.h"
#include "scripts/gen_shop_rows.h"

struct row_sum {
    uint64_t rows, a, b;
};

static inline void hash_bytes(struct row_sum *h, const void *data, size_t len)
{
    const unsigned char *p = data;
    h->a = shop_mix(h->a ^ len);
    for (; len > 0;) {
        uint64_t word = 0;
        size_t n = len < 8 ? len : 8;
        memcpy(&word, p, n);
        h->a = (h->a ^ word) * 0x9fb21c651e98df25U;
        h->a ^= h->a >> 29;
        h->b = (h->b + word) * 0xd6e8feb86659fd93U;
        h->b ^= h->b >> 32;
        p += n;
        len -= n;
    }
}

/* Adds the hash of one row: the type and the value of each column. Sums do not depend on the order. */
static inline void hash_row(struct row_sum *sum, sqlite3_stmt *s)
{
    struct row_sum h = { .a = 1, .b = 2 };
    for (int i = 0; i < sqlite3_column_count(s); i++) {
        int type = sqlite3_column_type(s, i);
        hash_bytes(&h, &type, sizeof type);
        if (type == SQLITE_INTEGER) {
            int64_t n = sqlite3_column_int64(s, i);
            hash_bytes(&h, &n, sizeof n);
        } else if (type == SQLITE_FLOAT) {
            double d = sqlite3_column_double(s, i);
            hash_bytes(&h, &d, sizeof d);
        } else if (type != SQLITE_NULL) {
            const void *data = sqlite3_column_blob(s, i);
            hash_bytes(&h, data, (size_t)sqlite3_column_bytes(s, i));
        }
    }
    sum->rows++;
    sum->a += shop_mix(h.a);
    sum->b += shop_mix(h.b ^ (h.a << 1));
}

static inline void fingerprint(const char *path)
{
    sqlite3 *db = open_db(path, SQLITE_OPEN_READWRITE); /* read-only would leave a -wal and a -shm behind */
    run(db, "PRAGMA query_only=1; BEGIN");
    sqlite3_stmt *tables =
        prepare(db, "SELECT name, 'SELECT * FROM \"' || replace(name, '\"', '\"\"') || '\"'"
                    " FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                    " ORDER BY name");
    int rc;
    while ((rc = sqlite3_step(tables)) == SQLITE_ROW) {
        struct row_sum sum = { .rows = 0 };
        sqlite3_stmt *s = prepare(db, (const char *)sqlite3_column_text(tables, 1));
        int row;
        while ((row = sqlite3_step(s)) == SQLITE_ROW)
            hash_row(&sum, s);
        check(db, row);
        check(db, sqlite3_finalize(s));
        (void)printf("%-12s %10" PRIu64 " rows  %016" PRIx64 "%016" PRIx64 "\n",
                     sqlite3_column_text(tables, 0), sum.rows, sum.a, sum.b);
    }
    check(db, rc);
    check(db, sqlite3_finalize(tables));
    run(db, "COMMIT");
    close_db(db);
}

#endif
