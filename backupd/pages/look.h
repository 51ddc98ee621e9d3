/*
 * look.h - configuration and history of this host, opened to make views of them.
 *
 *     struct look look = { .conf = NULL };
 *     rc = look_open(cli, &look, err);
 *     rc = look_view(&look, &options, &view, err);     // again and again
 *     look_close(&look);
 *
 * The history and the list of drills are opened read-only, and may appear later than this: until they do, nothing has run. A
 * list of drills that cannot be read is shown as that, everything else as it is.
 */
#ifndef BACKUPD_PAGES_LOOK_H
#define BACKUPD_PAGES_LOOK_H

#include "backupd/pages/drills_file.h"
#include "backupd/pages/view.h"
#include "common/cli/cli.h"

struct look {
    struct conf *conf;
    struct crew crew;
    struct history *history;
    struct drills_file drills;
    bool shut; /* no file can be opened any more */
};

int look_open(struct cli_context *cli, struct look *out, struct error *err);
int look_view(struct look *look, const struct view_options *options, struct view *out, struct error *err);
/* Changes when a view would (apart from the time); -1: not known. */
int64_t look_version(struct look *look);
/* Whether a daemon is there, from its lock: for who cannot ask it. */
struct view_daemon look_daemon(const struct conf *conf);
void look_close(struct look *look);

#endif
