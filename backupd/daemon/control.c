#include "backupd/daemon/control.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/cli/json.h"
#include "common/sys/child.h"
#include "common/sys/dirs.h"
#include "common/state/refusals.h"
#include "common/sys/fdio.h"
#include "common/sys/file_id.h"

#include "common/base/banned.h"

enum { BACKLOG = 16, READ_BLOCK = 4096, ALARM_PAUSE = 60, ACCOUNTS = 16, FDS_PER_CLIENT = 3 };

/* An account whose refusal was told. */
struct account {
    uid_t uid;
    int64_t told;
    uint64_t silent; /* refusals since */
};

struct control {
    int fd;
    char *path;
    struct file_id file; /* the socket that was made here */
    bool lost;           /* it is gone and could not be made anew, which was told */
    struct control_groups groups;
    struct client *clients[CONTROL_CLIENTS_MAX];
    size_t n;
    struct account accounts[ACCOUNTS];
};

/* ---- the socket --------------------------------------------------------------------------------------------------------- */

static char *socket_path(const struct conf *conf, struct error *err)
{
    return conf->daemon.socket != NULL ? str_dup(conf->daemon.socket, err)
                                       : path_join(conf->state, SUPERVISOR_SOCKET, err);
}

/* One level, for a directory that does not outlive the machine (/run/backupd). Others must not be able to put a socket of
 * theirs in its place. */
static int make_directory(const char *path, struct error *err)
{
    struct stat st;
    char *dir = path_dir(path, err);
    if (dir == NULL)
        return E_NOMEM;
    int rc = 0;
    if (mkdir(dir, 0755) == 0)
        rc = chmod(dir, 0755) == 0 ? 0 : error_sys(err, "%s", dir);
    else if (errno != EEXIST)
        rc = error_sys(err, "make the directory %s of the control socket", dir);
    if (rc == 0 && stat(dir, &st) < 0)
        rc = error_sys(err, "%s", dir);
    if (rc == 0 && ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0))
        rc =
            error_set(err, E_DENIED,
                      "%s: others may write there, and put a socket of theirs in place of the daemon's", dir);
    free(dir);
    return rc;
}

static int address_of(const char *path, struct sockaddr_un *out, struct error *err)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof out->sun_path)
        return error_set(err, E_USAGE,
                         "%s: the name of a socket has at most %zu bytes: set daemon.socket to a shorter one",
                         path, sizeof out->sun_path - 1);
    (void)snprintf(out->sun_path, sizeof out->sun_path, "%s", path);
    return 0;
}

/* What a daemon that was killed has left; not what another one listens on. */
static int remove_old(const char *path, const struct sockaddr_un *address, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_sys(err, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, E_EXISTS, "%s is no socket: remove it, or set daemon.socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool lives =
        fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);
    fd_drop(&fd);
    if (lives)
        return error_set(err, E_BUSY, "another daemon answers at %s", path);
    return unlink(path) == 0 || errno == ENOENT ? 0 : error_sys(err, "remove %s", path);
}

/* With groups everybody may connect: the kernel says who it is, and who may not is noticed. */
static int set_mode(const struct control *c, struct error *err)
{
    mode_t mode = c->groups.has_read || c->groups.has_control ? 0666 : 0600;
    return chmod(c->path, mode) == 0 ? 0 : error_sys(err, "%s", c->path);
}

static int listen_there(struct control *c, struct error *err)
{
    struct sockaddr_un address;
    int rc = address_of(c->path, &address, err);
    if (rc == 0)
        rc = make_directory(c->path, err);
    if (rc == 0)
        rc = remove_old(c->path, &address, err);
    if (rc < 0)
        return rc;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return error_sys(err, "%s", c->path);
    c->file = file_id_of(c->path);
    rc = set_mode(c, err);
    return rc == 0 && listen(c->fd, BACKLOG) < 0 ? error_sys(err, "%s", c->path) : rc;
}

/* Somebody tidied up /run: nobody could ask any more, until the next start. Looked at whenever the loop is awake anyway; those
 * who are connected stay. */
static void keep_listening(struct control *c)
{
    struct error why = ERROR_INIT;
    if (c->fd >= 0 && file_id_is(&c->file, c->path))
        return;
    fd_drop(&c->fd);
    if (listen_there(c, &why) == 0) {
        log_event(LOG_WARN, "control socket: %s was no longer there: it was made anew", c->path);
        c->lost = false;
        return;
    }
    fd_drop(&c->fd);
    if (!c->lost)
        log_event(
            LOG_ALARM,
            "control socket: it is no longer there and cannot be made anew, so nobody can ask this daemon: %s",
            why.text);
    c->lost = true;
}

/* ---- clients -------------------------------------------------------------------------------------------------------------- */

static void client_free(struct client *c)
{
    fd_drop(&c->fd);
    control_query_free(c);
    control_started_free(c);
    jsonin_free(c->request);
    buf_free(&c->in);
    buf_free(&c->out);
    buf_free(&c->output);
    free(c);
}

static void client_remove(struct control *control, size_t i)
{
    client_free(control->clients[i]);
    control->clients[i] = control->clients[--control->n];
}

void control_answer(struct client *c, int exit_code, const char *error, const struct vec *lines)
{
    struct jsonout *o = jsonout_new("answer");
    jsonout_i64(o, "exit_code", exit_code);
    jsonout_str(o, "error", error);
    struct jsonout *list = jsonout_array(o, "lines");
    for (size_t i = 0; lines != NULL && i < lines->len; i++)
        jsonout_str(list, NULL, *(char *const *)vec_at(lines, i));
    struct jsonout *runs = jsonout_array(o, "runs");
    for (size_t i = 0; i < c->started.len; i++)
        jsonout_i64(runs, NULL, ((const struct started *)vec_at(&c->started, i))->run);
    jsonout_bytes(o, "output", c->output.len > 0 ? (const char *)c->output.data : "", c->output.len);
    c->out.len = 0;
    c->sent = 0;
    c->state = CLIENT_TOLD;
    c->until = supervisor_now() + CONTROL_TIMEOUT;
    /* Without memory for an answer the connection is closed: the other side says so. */
    if (jsonout_text(o, &c->out, NULL) < 0 || buf_append(&c->out, "\n", 1, NULL) < 0)
        c->out.len = 0;
}

void control_refuse(struct supervisor *s, const struct control_peer *peer, const char *what)
{
    uint64_t before = 0;
    char who[REFUSALS_WHO_MAX];
    if (ledger_history(s->ledger) != NULL) /* else: since a minute ago */
        (void)refusals_total(ledger_history(s->ledger), &before, NULL);
    for (size_t i = 0; i < s->refused.n; i++)
        before += s->refused.waiting[i].count;
    refused_note(&s->refused, peer->name, what, supervisor_now());
    log_event(
        LOG_ALARM,
        "control socket: %s was refused: %s; usual: %llu refusals, of all accounts, since the history began. "
        "Which program of that account asks? If it may, make the account a member of the group; if nobody "
        "knows it, somebody looks around on this host",
        refusals_who(peer->name, who), what, (unsigned long long)before);
}

static const char stranger[] = "it is in no group that may ask (daemon.read_group, daemon.control_group)";

/* An account that tries again and again is told once a minute, with a count. */
static void refuse_login(struct supervisor *s, struct control *c, const struct control_peer *peer)
{
    int64_t now = supervisor_now();
    struct account *oldest = &c->accounts[0];
    struct account *a = NULL;
    char what[REFUSED_WHAT_MAX];
    for (size_t i = 0; i < ACCOUNTS; i++) {
        if (c->accounts[i].told != 0 && c->accounts[i].uid == peer->uid)
            a = &c->accounts[i];
        if (c->accounts[i].told < oldest->told)
            oldest = &c->accounts[i];
    }
    if (a != NULL && now >= a->told && now - a->told < ALARM_PAUSE) {
        a->silent++;
        refused_note(&s->refused, peer->name, stranger, now);
        return;
    }
    (void)snprintf(what, sizeof what, "%s", stranger);
    if (a != NULL && a->silent > 0)
        (void)snprintf(what, sizeof what,
                       "it is in no group that may ask; %llu times more since it was told last",
                       (unsigned long long)a->silent);
    a = a != NULL ? a : oldest;
    *a = (struct account){ .uid = peer->uid, .told = now };
    control_refuse(s, peer, what);
}

static bool is_full(const struct control *c, const struct control_peer *peer)
{
    size_t same = 0;
    for (size_t i = 0; i < c->n; i++)
        same += c->clients[i]->peer.uid == peer->uid ? 1 : 0;
    bool own = peer->uid == 0 || peer->uid == geteuid();
    return c->n >= CONTROL_CLIENTS_MAX || (!own && same >= CONTROL_PER_ACCOUNT);
}

/* One line to somebody who does not come in. */
static void send_away(int fd, int exit_code, const char *why)
{
    struct client none = { .fd = fd, .out = BUF_INIT, .output = BUF_INIT };
    control_answer(&none, exit_code, why, NULL);
    if (none.out.len > 0)
        (void)send(fd, none.out.data, none.out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    buf_free(&none.out);
}

static void come_in(struct supervisor *s, struct control *c, int fd)
{
    struct error why = ERROR_INIT;
    struct control_peer peer;
    if (control_peer_read(fd, &c->groups, &peer, &why) < 0) {
        send_away(fd, CLI_EXIT_FAILED, why.text);
    } else if (peer.right == CONTROL_NONE) {
        refuse_login(s, c, &peer);
        send_away(fd, CLI_EXIT_FAILED,
                  "this account may not ask the daemon: it is in no group that may (daemon.read_group, "
                  "daemon.control_group)");
    } else if (is_full(c, &peer)) {
        send_away(fd, CLI_EXIT_BUSY, "too many ask the daemon at this moment: try again");
    } else {
        struct client *client = mem_alloc(1, sizeof *client, NULL);
        if (client != NULL) {
            *client = (struct client){ .fd = fd,
                                       .peer = peer,
                                       .until = supervisor_now() + CONTROL_TIMEOUT,
                                       .query_pidfd = -1,
                                       .started = VEC_OF(struct started) };
            c->clients[c->n++] = client;
            return;
        }
    }
    (void)close(fd);
}

static void accept_all(struct supervisor *s, struct control *c)
{
    for (int i = 0; i < BACKLOG; i++) {
        int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        come_in(s, c, fd);
    }
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------------- */

/* False when it has gone. */
static bool hear(struct supervisor *s, struct client *c)
{
    char block[READ_BLOCK];
    ssize_t n = recv(c->fd, block, sizeof block, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    if (c->state != CLIENT_ASKS) /* one request */
        return true;
    if (buf_append(&c->in, block, (size_t)n, NULL) < 0)
        return false;
    const uint8_t *nl = memchr(c->in.data, '\n', c->in.len);
    if (nl == NULL && c->in.len > CONTROL_REQUEST_MAX) {
        control_answer(c, CLI_EXIT_USAGE, "the request is too long", NULL);
        return true;
    }
    if (nl == NULL)
        return true;
    struct error why = ERROR_INIT;
    c->request = jsonin_parse((const char *)c->in.data, (size_t)(nl - c->in.data), &why);
    if (c->request == NULL)
        control_answer(c, CLI_EXIT_USAGE, why.text, NULL);
    else
        control_do(s, c);
    return true;
}

/* False when there is nothing more to be done with it. */
static bool talk(struct client *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        c->sent += (size_t)n;
    }
    return false;
}

/* ---- the part ------------------------------------------------------------------------------------------------------------- */

static void control_close(struct supervisor *s, void *self);

static int control_open(struct supervisor *s, void **self, struct error *err)
{
    struct control *c = mem_alloc(1, sizeof *c, err);
    *self = c;
    if (c == NULL)
        return E_NOMEM;
    c->fd = -1;
    int rc = control_groups_find(&s->conf->daemon, &c->groups, err);
    if (rc == 0 && (c->path = socket_path(s->conf, err)) == NULL)
        rc = E_NOMEM;
    if (rc == 0)
        rc = listen_there(c, err);
    if (rc < 0) { /* a part that did not open is not closed */
        control_close(s, c);
        *self = NULL;
    }
    return rc;
}

static void regroup(struct supervisor *s, struct control *c)
{
    struct error why = ERROR_INIT;
    c->lost = false; /* told again */
    keep_listening(c);
    if (c->lost)
        return;
    if (control_groups_find(&s->conf->daemon, &c->groups, &why) < 0 || set_mode(c, &why) < 0)
        log_event(LOG_ALARM, "control socket: %s", why.text);
}

static void control_event(struct supervisor *s, void *self, const struct daemon_event *e)
{
    struct control *c = self;
    if (e->kind == DAEMON_RELOADED)
        regroup(s, c);
    for (size_t i = 0; i < c->n; i++)
        if (c->clients[i]->state == CLIENT_WAITS)
            control_hear(s, c->clients[i], e);
}

static size_t control_fds(struct supervisor *s, void *self, struct pollfd *fds, size_t cap)
{
    const struct control *c = self;
    size_t n = 0;
    (void)s;
    if (cap < 1 + CONTROL_CLIENTS_MAX * FDS_PER_CLIENT)
        return 0;
    fds[n++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
    for (size_t i = 0; i < c->n; i++) {
        const struct client *k = c->clients[i];
        fds[n++] = (struct pollfd){ .fd = k->fd, .events = k->state == CLIENT_TOLD ? POLLOUT : POLLIN };
        if (k->state == CLIENT_QUERY) {
            fds[n++] =
                (struct pollfd){ .fd = k->output_over ? -1 : child_stdout(k->query), .events = POLLIN };
            fds[n++] = (struct pollfd){ .fd = k->query_pidfd, .events = POLLIN };
        }
    }
    return n;
}

static void start_queued(struct supervisor *s, struct control *c)
{
    size_t running = 0;
    for (size_t i = 0; i < c->n; i++)
        running += c->clients[i]->state == CLIENT_QUERY ? 1 : 0;
    for (size_t i = 0; i < c->n && running < CONTROL_QUERIES_MAX; i++)
        if (c->clients[i]->state == CLIENT_QUEUED) {
            control_query_start(s, c->clients[i]);
            running++;
        }
}

/* False when it can go. */
static bool serve(struct supervisor *s, struct client *c)
{
    bool waited = c->state == CLIENT_WAITS; /* the planner has had its turn since */
    if (c->state != CLIENT_TOLD && !hear(s, c))
        return false;
    if (c->state == CLIENT_QUERY)
        control_query_look(c);
    if (waited && c->state == CLIENT_WAITS)
        control_settle(s, c);
    if (c->state == CLIENT_TOLD && !talk(c))
        return false;
    return supervisor_now() < c->until;
}

static void control_look(struct supervisor *s, void *self, const struct pollfd *fds, size_t n)
{
    struct control *c = self;
    for (size_t i = c->n; i > 0; i--)
        if (!serve(s, c->clients[i - 1]))
            client_remove(c, i - 1);
    /* What one of them has cancelled, another may have waited for. */
    for (size_t i = 0; i < c->n; i++)
        if (c->clients[i]->state == CLIENT_WAITS && c->clients[i]->stays)
            control_settle(s, c->clients[i]);
    start_queued(s, c);
    keep_listening(c);
    if (n > 0 && fds[0].revents != 0)
        accept_all(s, c);
    refused_write(s, false);
}

static int64_t control_wake(struct supervisor *s, void *self)
{
    const struct control *c = self;
    int64_t best = refused_wake(s);
    for (size_t i = 0; i < c->n; i++) {
        const struct client *k = c->clients[i];
        /* A job that was just started: the planner comes first, then the answer. */
        if (k->state == CLIENT_WAITS && !k->stays)
            return supervisor_now();
        best = k->until < best ? k->until : best;
    }
    return best;
}

static void control_close(struct supervisor *s, void *self)
{
    struct control *c = self;
    if (c == NULL)
        return;
    if (s->ledger != NULL)
        refused_write(s, true);
    while (c->n > 0) {
        if (c->clients[c->n - 1]->state == CLIENT_TOLD)
            (void)talk(c->clients[c->n - 1]);
        client_remove(c, c->n - 1);
    }
    if (c->path != NULL && file_id_is(&c->file, c->path))
        (void)unlink(c->path);
    fd_drop(&c->fd);
    free(c->path);
    free(c);
}

const struct part_kind control_part = {
    .name = "control socket",
    .open = control_open,
    .event = control_event,
    .fds = control_fds,
    .look = control_look,
    .wake = control_wake,
    .close = control_close,
};
