/*
 * look.h - configuration and history of this host, opened to make views of them.
 *
 *     struct look look = { .conf = NULL };
 *     rc = look_open(cli, &look, err);
 *     rc = look_view(&look, &options, &view, err);     // again and again
 *     look_close(&look);
 *
 * The history and the list of drills are opened read-only, and may appear later than this: until they do, nothing has run. A
 * list of drills that cannot be read, and a history that is damaged, are shown as that, everything else as it is.
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
    int trouble;         /* the file of trouble.h; 0: not open */
    struct error unread; /* what was wrong with a history that was damaged when it was read last */
    bool shut;           /* no file can be opened any more */
};

int look_open(struct cli_context *cli, struct look *out, struct error *err);
int look_view(struct look *look, const struct view_options *options, struct view *out, struct error *err);
/* What the daemon says of the history, for who makes a view by himself; a file that cannot be read is told (log.h). */
void look_trouble(const struct conf *conf, struct trouble *out);
/* Changes when a view would (apart from the time); -1: not known. */
int64_t look_version(struct look *look);
/* Whether a daemon is there, from its lock: for who cannot ask it. */
struct view_daemon look_daemon(const struct conf *conf);
void look_close(struct look *look);

#endif
