/*
 * status_page.h - a view as one calm page: alarms, jobs, nights, sizes, what is next, storage, drills.
 *
 *     rc = status_page_write(&view, &out, err);       // the view has nights
 *
 * Cells that show a number carry it unrounded in data-value, and times the seconds since 1970.
 */
#ifndef BACKUPD_PAGES_STATUS_PAGE_H
#define BACKUPD_PAGES_STATUS_PAGE_H

#include "backupd/pages/view.h"

enum { STATUS_PAGE_REFRESH = 60 };

int status_page_write(const struct view *view, struct buf *out, struct error *err);

#endif
