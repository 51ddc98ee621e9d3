#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backupd/daemon/pages.h"
#include "backupd/daemon/supervisor_internal.h"
#include "backupd/daemon/tell.h"
#include "backupd/pages/line.h"
#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/sys/child.h"
#include "common/sys/fdio.h"
#include "common/sys/file_id.h"

#include "common/base/banned.h"

enum { BACKLOG = 32, PAUSE_MAX = 64, STEADY = 60, FD_TEXT = 16, SOCKET_MODE = 0660 };

struct web {
    char *listen;        /* as configured */
    char *path;          /* of a socket file, or NULL */
    struct file_id file; /* the socket that was made here */
    bool lost;           /* it is gone and could not be made anew, which was told */
    int fd;
    int line; /* our end, -1 while no process is there */
    struct child *child;
    int pidfd;
    int64_t started;
    int64_t again; /* when the next one is started; 0: one is there */
    int64_t pause;
};

/* ---- the socket ---------------------------------------------------------------------------------------------------------- */

union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    struct sockaddr_un un;
};

static socklen_t address_of(const struct conf_web *c, union address *a)
{
    memset(a, 0, sizeof *a);
    switch (c->kind) {
    case CONF_LISTEN_IP4:
        a->four.sin_family = AF_INET;
        a->four.sin_port = htons((uint16_t)c->port);
        (void)inet_pton(AF_INET, c->address, &a->four.sin_addr);
        return sizeof a->four;
    case CONF_LISTEN_IP6:
        a->six.sin6_family = AF_INET6;
        a->six.sin6_port = htons((uint16_t)c->port);
        (void)inet_pton(AF_INET6, c->address, &a->six.sin6_addr);
        return sizeof a->six;
    default:
        a->un.sun_family = AF_UNIX;
        (void)snprintf(a->un.sun_path, sizeof a->un.sun_path, "%s", c->address);
        return sizeof a->un;
    }
}

/* A socket that a daemon left behind is removed; one that somebody listens on, or anything else, is not. */
static int clear_way(const union address *a, socklen_t len, struct error *err)
{
    const char *path = a->un.sun_path;
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_sys(err, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, E_EXISTS, "%s is there already and is no socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd >= 0 ? connect(fd, &a->any, len) : -1;
    bool dead = rc < 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        (void)close(fd);
    if (!dead)
        return error_set(err, E_BUSY, "%s is a socket that another process listens on", path);
    return unlink(path) == 0 ? 0 : error_sys(err, "%s", path);
}

static int bind_socket(struct web *w, const struct conf_web *c, struct error *err)
{
    union address a;
    int on = 1;
    socklen_t len = address_of(c, &a);
    int rc = w->path != NULL ? clear_way(&a, len, err) : 0;
    if (rc < 0)
        return rc;
    w->fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (w->fd < 0)
        return error_sys(err, "web.listen %s", c->listen);
    if (w->path == NULL)
        (void)setsockopt(w->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(w->fd, &a.any, len) < 0)
        return error_sys(err, "web.listen %s", c->listen);
    if (w->path != NULL)
        w->file = file_id_of(w->path);
    if ((w->path != NULL && chmod(w->path, SOCKET_MODE) < 0) || listen(w->fd, BACKLOG) < 0)
        return error_sys(err, "web.listen %s", c->listen);
    return 0;
}

/* ---- the process ----------------------------------------------------------------------------------------------------------- */

static void drop_child(struct web *w)
{
    fd_drop(&w->line);
    fd_drop(&w->pidfd);
    child_free(w->child);
    w->child = NULL;
}

static int start(struct web *w, const struct supervisor *s, struct error *err)
{
    int ends[2] = { -1, -1 };
    char listen_fd[FD_TEXT];
    char daemon_fd[FD_TEXT];
    int rc = line_make(ends, err);
    if (rc < 0)
        return rc;
    const int keep[] = { w->fd, ends[1], -1 };
    const struct child_options options = { .outlives_stop = true, .keep = keep };
    (void)snprintf(listen_fd, sizeof listen_fd, "%d", w->fd);
    (void)snprintf(daemon_fd, sizeof daemon_fd, "%d", ends[1]);
    const char *const argv[] = { s->options->program, "--config",    supervisor_configuration(s),
                                 "serve-status",      "--listen-fd", listen_fd,
                                 "--daemon-fd",       daemon_fd,     NULL };
    w->line = ends[0];
    w->child = child_start(argv, &options, err);
    fd_drop(&ends[1]);
    rc = w->child != NULL ? poll_process(child_pid(w->child), err) : E_IO;
    if (rc < 0)
        return rc;
    w->pidfd = rc;
    w->started = supervisor_now();
    w->again = 0;
    return 0;
}

/* After a failure the next try waits: 1, 2, 4, ... seconds, anew when one had lived for a while. */
static void begin(struct web *w, const struct supervisor *s)
{
    struct error why = ERROR_INIT;
    if (start(w, s, &why) == 0)
        return;
    drop_child(w);
    w->again = supervisor_now() + w->pause;
    w->pause = w->pause < PAUSE_MAX ? w->pause * 2 : PAUSE_MAX;
    log_event(LOG_WARN, "the status page could not be started: %s", why.text);
}

static void ended(struct web *w)
{
    char last[CHILD_LAST_LINE_MAX];
    int64_t now = supervisor_now();
    (void)child_finish(w->child, NULL);
    if (now - w->started >= STEADY || now < w->started)
        w->pause = 1;
    log_event(LOG_WARN, "the status page's process has ended (status %d), the next one starts in %lld s: %s",
              child_status(w->child), (long long)w->pause, child_last_line(w->child, last));
    drop_child(w);
    w->again = now + w->pause;
    w->pause = w->pause < PAUSE_MAX ? w->pause * 2 : PAUSE_MAX;
}

/* False when there is no socket to serve: somebody removed it, and it could not be made anew. */
static bool keep_listening(struct web *w, const struct supervisor *s)
{
    struct error why = ERROR_INIT;
    if (w->path == NULL || (w->fd >= 0 && file_id_is(&w->file, w->path)))
        return true;
    drop_child(w);
    fd_drop(&w->fd);
    if (bind_socket(w, &s->conf->web, &why) == 0) {
        log_event(LOG_WARN, "status page: %s was no longer there: it was made anew", w->path);
        w->lost = false;
        w->again = 0;
        return true;
    }
    fd_drop(&w->fd);
    if (!w->lost)
        log_event(LOG_ALARM,
                  "the status page is not served: its socket is no longer there and cannot be made anew: %s",
                  why.text);
    w->lost = true;
    return false;
}

/* ---- for the part ------------------------------------------------------------------------------------------------------------ */

struct web *web_open(struct supervisor *s, struct error *err)
{
    const struct conf_web *c = &s->conf->web;
    if (c->kind == CONF_LISTEN_NONE)
        return NULL;
    struct web *w = mem_alloc(1, sizeof *w, err);
    if (w == NULL)
        return NULL;
    *w = (struct web){ .fd = -1, .line = -1, .pidfd = -1, .pause = 1 };
    w->listen = str_dup(c->listen, err);
    if (w->listen != NULL && c->kind == CONF_LISTEN_UNIX)
        w->path = str_dup(c->address, err);
    bool named = w->listen != NULL && (c->kind != CONF_LISTEN_UNIX || w->path != NULL);
    if (!named || bind_socket(w, c, err) < 0) {
        web_close(w);
        return NULL;
    }
    tell("status page: %s", w->listen);
    begin(w, s);
    return w;
}

bool web_fits(const struct web *w, const struct conf_web *conf)
{
    return conf->listen != NULL && strcmp(w->listen, conf->listen) == 0;
}

size_t web_fds(const struct web *w, struct pollfd *fds, size_t cap)
{
    if (w == NULL || w->child == NULL || cap < 2)
        return 0;
    fds[0] = (struct pollfd){ .fd = w->line, .events = POLLIN };
    fds[1] = (struct pollfd){ .fd = w->pidfd, .events = POLLIN };
    return 2;
}

void web_look(struct web *w, struct supervisor *s, const struct view_daemon *daemon)
{
    if (w == NULL || !keep_listening(w, s))
        return;
    if (w->child != NULL)
        line_answer(w->line, daemon->started, daemon->history_errors);
    if (w->child != NULL && child_ended(w->child))
        ended(w);
    /* A clock that was set back does not hold it up. */
    int64_t now = supervisor_now();
    if (w->child == NULL && (now >= w->again || w->again - now > PAUSE_MAX))
        begin(w, s);
}

int64_t web_wake(const struct web *w)
{
    return w != NULL && w->child == NULL && !w->lost ? w->again : INT64_MAX;
}

void web_restart(struct web *w, struct supervisor *s)
{
    drop_child(w);
    w->pause = 1;
    w->lost = false; /* told again */
    if (keep_listening(w, s))
        begin(w, s);
}

/* The file of a socket goes only when it is still the one that was made here. */
void web_close(struct web *w)
{
    if (w == NULL)
        return;
    drop_child(w);
    if (w->fd >= 0 && w->path != NULL && file_id_is(&w->file, w->path))
        (void)unlink(w->path);
    fd_drop(&w->fd);
    free(w->listen);
    free(w->path);
    free(w);
}
