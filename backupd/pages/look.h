/*
 * look.h - configuration and history of this host, opened to make views of them.
 *
 *     struct look look = { .conf = NULL };
 *     rc = look_open(cli, &look, err);
 *     rc = look_view(&look, &options, &view, err);     // again and again
 *     look_close(&look);
 *
 * The history is opened read-only, and may appear later than this: until it does, nothing has run.
 */
#ifndef BACKUPD_PAGES_LOOK_H
#define BACKUPD_PAGES_LOOK_H

#include "backupd/pages/view.h"
#include "common/cli/cli.h"

struct look {
    struct conf *conf;
    struct crew crew;
    struct history *history;
};

int look_open(struct cli_context *cli, struct look *out, struct error *err);
int look_view(struct look *look, const struct view_options *options, struct view *out, struct error *err);
/* Changes when a view would (apart from the time); -1: not known. */
int64_t look_version(struct look *look);
/* Whether a daemon is there, from its lock: for who cannot ask it. */
struct view_daemon look_daemon(const struct conf *conf);
void look_close(struct look *look);

#endif
