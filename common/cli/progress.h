/*
 * progress.h - one line that says how far a long run is.
 *
 *     struct progress *p = progress_start(cli, "backup", &err);
 *     job.progress = progress_on_bytes;  job.progress_arg = p;     // the library adds bytes, from any thread
 *     ...
 *     progress_stop(p);                                            // clears the line, frees
 *
 * On a terminal one line on stderr is redrawn four times a second: bar and
 * percent when the total is known, bytes, rate, time left, current item.
 * Without a terminal one quiet line every 30 seconds. With --json lines of
 * message_type "status" on stdout, once a second: percent_done (0..1),
 * total_bytes, bytes_done, bytes_moved (activity.h), seconds_elapsed, seconds_remaining, current (without
 * a known total neither percent_done nor seconds_remaining). With --quiet
 * nothing at all.
 *
 * A thread of its own draws, with all signals blocked. All functions accept
 * NULL, so a caller may go on when progress_start failed. One at a time.
 */
#ifndef COMMON_CLI_PROGRESS_H
#define COMMON_CLI_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/cli/cli.h"

struct progress;

struct progress *progress_start(const struct cli_context *cli, const char *what, struct error *err);
void progress_stop(struct progress *p);

void progress_total(struct progress *p, uint64_t bytes); /* 0: unknown */
void progress_add_total(struct progress *p, uint64_t bytes);
void progress_add(struct progress *p, uint64_t bytes);
void progress_set(struct progress *p, uint64_t bytes);    /* done so far */
void progress_item(struct progress *p, const char *name); /* copied; NULL: none */

/* progress_add as a callback. */
void progress_on_bytes(uint64_t bytes, void *progress);

/* Takes the line away around other output on the terminal; the drawing thread waits in between. */
void progress_hide(void);
void progress_show(void);

/* ---- for tests: what would be drawn ------------------------------------------------------------------ */

struct progress_view {
    const char *what;
    const char *current; /* or NULL */
    uint64_t done, total;
    uint64_t elapsed_ms;
    uint64_t rate; /* bytes per second, smoothed; 0 unknown */
};

/* One line without a line end, at most `width` columns. */
int progress_line(const struct progress_view *view, size_t width, struct buf *out, struct error *err);
/* Seconds left, or UINT64_MAX when it cannot be said. */
uint64_t progress_seconds_left(const struct progress_view *view);

#endif
