/* status_page_internal.h - the pieces of the page (inside pages/). */
#ifndef BACKUPD_PAGES_STATUS_PAGE_INTERNAL_H
#define BACKUPD_PAGES_STATUS_PAGE_INTERNAL_H

#include "backupd/pages/status_page.h"
#include "common/text/html.h"

/* The colour of a verdict: a class of page.h. */
const char *page_class_of(enum history_verdict verdict);

/* status_pictures.c */
void page_nights(struct html *h, const struct view *view);
void page_sizes(struct html *h, const struct view *view);
/* status_tables.c */
void page_jobs(struct html *h, const struct view *view);
void page_next(struct html *h, const struct view *view);
void page_storage(struct html *h, const struct view *view);
/* status_drills.c */
void page_drills(struct html *h, const struct view *view);

/* What tables are made of (status_tables.c). */
struct page_column {
    const char *title;
    const char *cls;
};
void page_section(struct html *h, const char *id, const char *title);
void page_table(struct html *h, const char *cls, const struct page_column *columns, size_t n);
/* Ends table and section. */
void page_table_end(struct html *h);
/* A cell with what the text rounds; value < 0: nothing to carry. */
void page_cell(struct html *h, const struct page_column *c, const char *name, int64_t value,
               const char *text);

#endif
