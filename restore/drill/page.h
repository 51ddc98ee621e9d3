/*
 * page.h - the report of a drill as one HTML page: plain words on top, everything an auditor asks below.
 *
 *     struct drill_page page = { .result = &r, .repository = "shop", .history = points, .nhistory = n, ... };
 *     rc = drill_page_write(&page, &out, err);           // appends
 *
 * The page holds all it needs: one style sheet, pictures as inline SVG, no script, nothing from elsewhere; its policy
 * (a <meta>) allows nothing else. Light and dark follow the reader's system; printed it is black on white, and everything
 * that says something by its colour says it in words, too. Texts from outside are escaped (common/text/html.h).
 */
#ifndef RESTORE_DRILL_PAGE_H
#define RESTORE_DRILL_PAGE_H

#include "common/base/buffer.h"
#include "restore/drill/result.h"

enum { DRILL_PAGE_PASSED_MAX = 500 /* rows of checks that passed; failed ones are all shown */ };

/* A drill of the same job, the oldest first; this one is the last. */
struct drill_point {
    uint64_t finished;
    enum drill_verdict verdict;
    uint64_t rto_ms;
    uint64_t bytes;
};

struct drill_page {
    const struct drill_result *result;
    const char *repository;    /* its name, or "" */
    const char *repository_id; /* hex */
    const char *charter;       /* "3" */
    const char *key;           /* digits of the key that signs; NULL: nobody signs */
    const char *result_hash;   /* F of ID.json, hex */
    bool exercise;             /* damage was planted to see the drill find it */
    const struct drill_point *history;
    size_t nhistory;
};

int drill_page_write(const struct drill_page *page, struct buf *out, struct error *err);

/* ---- inside: page_words.c, page_pictures.c, page_tables.c ------------------------------------------------ */
struct html;
void drill_page_summary(struct html *h, const struct drill_page *p);
void drill_page_phases(struct html *h, const struct drill_page *p);
void drill_page_history(struct html *h, const struct drill_page *p);
void drill_page_checks(struct html *h, const struct drill_page *p);
void drill_page_audit(struct html *h, const struct drill_page *p);
/* "28 November 2026, 23:15 UTC"; "" for 0 */
enum { DRILL_DATE_MAX = 48 };
const char *drill_page_date(char out[DRILL_DATE_MAX], uint64_t t, bool clock);
/* "ok", "bad", "warn", "dim": classes of the style sheet */
const char *drill_page_class(enum drill_verdict v);
/* "passed", "FAILED", "could not run", "skipped" */
const char *drill_page_word(enum drill_verdict v);

#endif
