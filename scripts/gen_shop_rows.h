/*
 * gen_shop_rows.h - the rows of a shop that does not exist; see gen_shop.c.
 *
 * A row is a pure function of (seed, table, id, version): the same question
 * gives the same row on any machine. Version 0 is the row as inserted; a night
 * of churn writes version N, in which only what a shop would change differs
 * (status, times, balance, note). Rows are values, not SQL: whoever writes them
 * (SQLite here) decides how.
 */
#ifndef SCRIPTS_GEN_SHOP_ROWS_H
#define SCRIPTS_GEN_SHOP_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/number.h"

enum shop_table { SHOP_CUSTOMERS, SHOP_ORDERS, SHOP_EVENTS, SHOP_TABLES };
enum { SHOP_COLUMNS = 9, SHOP_TEXT_MAX = 4096 };

static const char *const shop_names[SHOP_TABLES] = { "customers", "orders", "events" };

struct shop_row {
    size_t n;
    struct {
        bool is_text;
        int64_t number;
        size_t at; /* in text */
        size_t len;
    } v[SHOP_COLUMNS];
    size_t used;
    char text[SHOP_TEXT_MAX];
};

/* How many rows the tables have, for references from one to the other. */
struct shop_counts {
    int64_t rows[SHOP_TABLES];
};

struct shop_rng {
    uint64_t state;
};

/* SplitMix64: its steps are public, and good enough to look random. */
static inline uint64_t shop_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

static inline struct shop_rng shop_rng_of(uint64_t seed, uint64_t a, uint64_t b, uint64_t c)
{
    return (struct shop_rng){ shop_mix(shop_mix(shop_mix(seed + a * 0x9e3779b97f4a7c15U) ^ b) + c) };
}

static inline uint64_t shop_next(struct shop_rng *r)
{
    r->state += 0x9e3779b97f4a7c15U;
    return shop_mix(r->state);
}

/* 0 .. n-1 */
static inline uint64_t shop_below(struct shop_rng *r, uint64_t n)
{
    return (uint64_t)(((shop_next(r) >> 32) * n) >> 32);
}

static const char *const shop_first[] = { "Anna",  "Boris", "Carla", "David", "Elif",  "Frank",
                                          "Greta", "Hugo",  "Irene", "Jonas", "Karin", "Liam",
                                          "Mara",  "Nils",  "Olga",  "Paul",  "Rosa",  "Sven",
                                          "Tara",  "Ugo",   "Vera",  "Wim",   "Yara",  "Zo\xc3\xab" };
static const char *const shop_last[] = { "Albers", "Berger", "Costa",  "Dubois", "Eriksen", "Fischer",
                                         "Garcia", "Hansen", "Ivanov", "Jansen", "Keller",  "Lopez",
                                         "Moreau", "Novak",  "Olsen",  "Petit",  "Rossi",   "Schmidt",
                                         "Torres", "Urban",  "Vogel",  "Weber",  "Young",   "Z\xc3\xbclke" };
static const char *const shop_city[] = { "Aarhus", "Bergen", "Cork",          "Delft", "Essen",
                                         "Ghent",  "Graz",   "Krak\xc3\xb3w", "Lyon",  "Malm\xc3\xb6",
                                         "Porto",  "Turin",  "Utrecht",       "Zagreb" };
static const char *const shop_words[] = {
    "blue",   "oak",    "table", "chair",  "lamp",   "soft",    "wool",   "basket", "steel",  "kettle",
    "garden", "mirror", "small", "large",  "set",    "linen",   "shelf",  "cotton", "pillow", "glass",
    "vase",   "clock",  "round", "carpet", "please", "leave",   "at",     "the",    "door",   "call",
    "before", "you",    "come",  "gift",   "wrap",   "with",    "card",   "second", "floor",  "ring",
    "twice",  "after",  "six",   "in",     "week",   "fragile", "handle", "care",
};
static const char *const shop_agent[] = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "ShopApp/4.12.1 (Android 14)",
};
static const char *const shop_status[] = { "new", "paid", "packed", "shipped", "delivered", "returned" };
static const char *const shop_kind[] = { "view",     "view",        "view",     "search",
                                         "cart_add", "cart_remove", "checkout", "login" };

#define SHOP_PICK(r, list) ((list)[shop_below((r), sizeof(list) / sizeof((list)[0]))])

static inline void shop_put(struct shop_row *row, const char *s)
{
    size_t n = strlen(s);
    if (n > sizeof row->text - row->used)
        n = sizeof row->text - row->used;
    memcpy(row->text + row->used, s, n);
    row->used += n;
}

static inline void shop_put_number(struct shop_row *row, uint64_t n)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    shop_put(row, digits + at);
}

static inline void shop_put_hex(struct shop_row *row, uint64_t n, int digits)
{
    char hex[17];
    for (int i = 0; i < digits; i++)
        hex[i] = "0123456789abcdef"[n >> (60 - 4 * i) & 15];
    hex[digits] = '\0';
    shop_put(row, hex);
}

/* What does not compress: sessions, references, secrets. */
static inline void shop_put_token(struct shop_row *row, struct shop_rng *r, int chars)
{
    char one[2] = "";
    uint64_t bits = 0;
    for (int i = 0; i < chars; i++) {
        bits = i % 10 == 0 ? shop_next(r) : bits >> 6;
        one[0] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[bits & 63];
        shop_put(row, one);
    }
}

static inline void shop_put_time(struct shop_row *row, uint64_t seconds)
{
    char text[NUMBER_TEXT_MAX];
    shop_put(row, time_format(text, seconds));
}

static inline void shop_put_words(struct shop_row *row, struct shop_rng *r, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        shop_put(row, i == 0 ? "" : " ");
        shop_put(row, SHOP_PICK(r, shop_words));
    }
}

static inline void shop_int(struct shop_row *row, int64_t number)
{
    row->v[row->n].is_text = false;
    row->v[row->n++].number = number;
}

/* Begin and end of a text column; what is put in between is its content. */
static inline void shop_text(struct shop_row *row)
{
    row->v[row->n].is_text = true;
    row->v[row->n].at = row->used;
}

static inline void shop_end(struct shop_row *row)
{
    row->v[row->n].len = row->used - row->v[row->n].at;
    row->n++;
}

static inline void shop_time(struct shop_row *row, uint64_t seconds)
{
    shop_text(row);
    shop_put_time(row, seconds);
    shop_end(row);
}

enum { SHOP_EPOCH = 1735689600, SHOP_DAY = 86400 }; /* the shop opened in January 2025 */

static inline void shop_customer(struct shop_row *row, uint64_t seed, int64_t id, int64_t version)
{
    struct shop_rng r = shop_rng_of(seed, SHOP_CUSTOMERS, (uint64_t)id, 0);
    struct shop_rng now = shop_rng_of(seed, SHOP_CUSTOMERS, (uint64_t)id, (uint64_t)version + 1);
    const char *first = SHOP_PICK(&r, shop_first);
    const char *last = SHOP_PICK(&r, shop_last);
    shop_int(row, id);
    shop_text(row);
    shop_put(row, first);
    shop_put(row, " ");
    shop_put(row, last);
    shop_end(row);
    shop_text(row);
    shop_put(row, last);
    shop_put(row, ".");
    shop_put_number(row, (uint64_t)id);
    shop_put(row, shop_below(&r, 3) == 0 ? "@mail.example" : "@post.example");
    shop_end(row);
    shop_text(row);
    shop_put(row, SHOP_PICK(&r, shop_words));
    shop_put(row, " street ");
    shop_put_number(row, 1 + shop_below(&r, 180));
    shop_put(row, ", ");
    shop_put_number(row, 10000 + shop_below(&r, 89999));
    shop_put(row, " ");
    shop_put(row, SHOP_PICK(&r, shop_city));
    shop_end(row);
    shop_time(row, SHOP_EPOCH + (uint64_t)id * 131 + shop_below(&r, 131));
    shop_int(row, (int64_t)shop_below(&now, 100000));
    shop_text(row);
    shop_put(row, "{\"language\":\"");
    shop_put(row, shop_below(&r, 2) == 0 ? "en" : "de");
    shop_put(row, "\",\"newsletter\":");
    shop_put(row, shop_below(&now, 3) == 0 ? "true" : "false");
    shop_put(row, ",\"interests\":[\"");
    shop_put(row, SHOP_PICK(&r, shop_words));
    shop_put(row, "\",\"");
    shop_put(row, SHOP_PICK(&r, shop_words));
    shop_put(row, "\"],\"last_seen\":\"");
    shop_put_time(row, SHOP_EPOCH + (uint64_t)version * SHOP_DAY + shop_below(&now, 40000000));
    shop_put(row, "\",\"token\":\"");
    shop_put_token(row, &now, 32);
    shop_put(row, "\"}");
    shop_end(row);
}

static inline void shop_items(struct shop_row *row, struct shop_rng *r)
{
    uint64_t n = 1 + shop_below(r, 4);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t sku = shop_below(r, 30000);
        shop_put(row, i == 0 ? "[{\"sku\":\"SH-" : ",{\"sku\":\"SH-");
        shop_put_number(row, 100000 + sku);
        shop_put(row, "\",\"title\":\"");
        struct shop_rng title = shop_rng_of(sku, 99, 0, 0); /* one article has one name */
        shop_put_words(row, &title, 3);
        shop_put(row, "\",\"quantity\":");
        shop_put_number(row, 1 + shop_below(r, 3));
        shop_put(row, ",\"price\":");
        shop_put_number(row, 199 + shop_below(r, 50000));
        shop_put(row, "}");
    }
    shop_put(row, "]");
}

static inline void shop_order(struct shop_row *row, uint64_t seed, int64_t id, int64_t version,
                              const struct shop_counts *counts)
{
    struct shop_rng r = shop_rng_of(seed, SHOP_ORDERS, (uint64_t)id, 0);
    struct shop_rng now = shop_rng_of(seed, SHOP_ORDERS, (uint64_t)id, (uint64_t)version + 1);
    uint64_t placed = SHOP_EPOCH + (uint64_t)id * 40 + shop_below(&r, 40);
    shop_int(row, id);
    shop_int(row, 1 + (int64_t)shop_below(&r, (uint64_t)counts->rows[SHOP_CUSTOMERS]));
    shop_text(row);
    shop_put(row, SHOP_PICK(&now, shop_status));
    shop_end(row);
    shop_int(row, 500 + (int64_t)shop_below(&r, 200000));
    shop_text(row);
    shop_put_token(row, &r, 24);
    shop_end(row);
    shop_time(row, placed);
    shop_time(row, placed + (uint64_t)version * SHOP_DAY + shop_below(&now, SHOP_DAY));
    shop_text(row);
    shop_items(row, &r);
    shop_end(row);
    shop_text(row);
    if (shop_below(&now, 3) == 0)
        shop_put_words(row, &now, 4 + shop_below(&now, 14));
    shop_end(row);
}

static inline void shop_event(struct shop_row *row, uint64_t seed, int64_t id,
                              const struct shop_counts *counts)
{
    struct shop_rng r = shop_rng_of(seed, SHOP_EVENTS, (uint64_t)id, 0);
    shop_int(row, id);
    shop_time(row, SHOP_EPOCH + (uint64_t)id * 13 + shop_below(&r, 13));
    shop_text(row);
    shop_put(row, SHOP_PICK(&r, shop_kind));
    shop_end(row);
    shop_int(row, 1 + (int64_t)shop_below(&r, (uint64_t)counts->rows[SHOP_CUSTOMERS]));
    shop_text(row);
    shop_put(row, "{\"session\":\"");
    shop_put_token(row, &r, 32);
    shop_put(row, "\",\"trace\":\"");
    shop_put_hex(row, shop_next(&r), 16);
    shop_put_hex(row, shop_next(&r), 16);
    shop_put(row, "\",\"address\":\"10.");
    shop_put_number(row, shop_below(&r, 64));
    shop_put(row, ".");
    shop_put_number(row, shop_below(&r, 256));
    shop_put(row, ".");
    shop_put_number(row, shop_below(&r, 256));
    shop_put(row, "\",\"agent\":\"");
    shop_put(row, SHOP_PICK(&r, shop_agent));
    shop_put(row, "\",\"page\":\"/article/");
    shop_put_number(row, 100000 + shop_below(&r, 30000));
    shop_put(row, "\",\"milliseconds\":");
    shop_put_number(row, 3 + shop_below(&r, 900));
    shop_put(row, "}");
    shop_end(row);
}

static inline void shop_row_make(struct shop_row *row, uint64_t seed, enum shop_table table, int64_t id,
                                 int64_t version, const struct shop_counts *counts)
{
    row->n = 0;
    row->used = 0;
    if (table == SHOP_CUSTOMERS)
        shop_customer(row, seed, id, version);
    else if (table == SHOP_ORDERS)
        shop_order(row, seed, id, version, counts);
    else
        shop_event(row, seed, id, counts);
}

#endif
