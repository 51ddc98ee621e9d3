/*
 * pages.h - the part that shows others on this host how things stand (inside daemon/): pages.c is the part, textfile.c and
 * web.c are what it consists of.
 */
#ifndef BACKUPD_DAEMON_PAGES_H
#define BACKUPD_DAEMON_PAGES_H

#include "backupd/daemon/part.h"
#include "backupd/pages/view.h"

extern const struct part_kind part_pages;

/* ---- textfile.c: the metrics as a file, after each event, at most once a second ---- */

struct textfile {
    bool dirty;
    bool told; /* a failure, until it works again */
    int64_t written;
};

/* When it wants to be written; INT64_MAX: not. */
int64_t textfile_wake(const struct textfile *t);
/* Writes it when it is time to. daemon and drills are what it says of them. */
void textfile_look(struct textfile *t, const struct supervisor *s, const struct view_daemon *daemon,
                   const struct drills_file *drills);
/* Writes it now. */
void textfile_write(struct textfile *t, const struct supervisor *s, const struct view_daemon *daemon,
                    const struct drills_file *drills);

/* ---- web.c: the socket, and the process behind it ---- */

struct web;

/* NULL without `web` in the configuration (no error) or with err. */
struct web *web_open(struct supervisor *s, struct error *err);
size_t web_fds(const struct web *w, struct pollfd *fds, size_t cap);
void web_look(struct web *w, struct supervisor *s, const struct view_daemon *daemon);
int64_t web_wake(const struct web *w);
/* The process reads the configuration anew: it is replaced. */
void web_restart(struct web *w, struct supervisor *s);
/* Whether it serves where the configuration says. */
bool web_fits(const struct web *w, const struct conf_web *conf);
void web_close(struct web *w);

#endif
