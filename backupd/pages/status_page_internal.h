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

#endif
