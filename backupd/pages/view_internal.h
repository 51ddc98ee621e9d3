/* view_internal.h - the parts of view_make: alarms and storage, after the jobs. */
#ifndef BACKUPD_PAGES_VIEW_INTERNAL_H
#define BACKUPD_PAGES_VIEW_INTERNAL_H

#include "backupd/pages/view.h"

/* What somebody has to look at, the worst first. */
int view_add_alarms(struct view *view, struct error *err);
/* Before the alarms: fills drills and stands. A list that cannot be read is no error. */
int view_add_drills(struct view *view, const struct crew *crew, struct error *err);
/* Which runs wait, and what for. */
int view_add_waits(struct view *view, struct history *h, struct error *err);
int view_add_refusals(struct view *view, struct history *h, struct error *err);
void view_free_refusals(struct view *view);
int view_add_storage(struct view *view, const struct conf *conf, struct error *err);

#endif
