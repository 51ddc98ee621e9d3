/* view_internal.h - the parts of view_make: alarms and storage, after the jobs. */
#ifndef BACKUPD_PAGES_VIEW_INTERNAL_H
#define BACKUPD_PAGES_VIEW_INTERNAL_H

#include "backupd/pages/view.h"

/* What somebody has to look at, the worst first. */
int view_add_alarms(struct view *view, struct error *err);
int view_add_storage(struct view *view, const struct conf *conf, struct error *err);

#endif
