/* status_json.h - a view as one JSON object, /api/status.json; docs/monitoring.md describes it. */
#ifndef BACKUPD_PAGES_STATUS_JSON_H
#define BACKUPD_PAGES_STATUS_JSON_H

#include "backupd/pages/view.h"

int status_json_write(const struct view *view, struct buf *out, struct error *err);

#endif
