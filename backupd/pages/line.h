/*
 * line.h - the line between the daemon and its status server: "are you there?", answered by the daemon's own loop.
 *
 *     rc = line_make(ends, err);                  // the daemon: ends[0] its own, ends[1] the server's
 *     line_answer(ends[0], started, errors);      // when ends[0] is readable
 *     d = line_ask(fd);                           // the server; waits at most LINE_PATIENCE_MS
 *
 * A pair of sockets that keep messages apart; it ends with either process. Only the loop answers, so a daemon that hangs is
 * one that is not alive. Both ends are close-on-exec and do not block.
 */
#ifndef BACKUPD_PAGES_LINE_H
#define BACKUPD_PAGES_LINE_H

#include "backupd/pages/view.h"

enum { LINE_PATIENCE_MS = 3000 };

int line_make(int ends[2], struct error *err);
/* Answers all questions that wait. */
void line_answer(int fd, int64_t started, uint64_t history_errors);
struct view_daemon line_ask(int fd);

#endif
