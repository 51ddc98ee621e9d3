#include "backupd/pages/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "backupd/pages/answer.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/sys/restrict.h"
#include "common/sys/interrupt.h"

#include "common/base/banned.h"

enum { LISTEN = 0, DAEMON = 1, FDS = 2, HOST_MAX = 64, MORE_TURNS = 2 };

struct server {
    struct answers *answers;
    struct MHD_Daemon *http;
    bool check_host;
    /* The library listens again only in the turn after the one in which a connection ended, and nothing wakes it for that. */
    unsigned more_turns;
    /* Who is connected since when; a free place has fd -1. */
    struct {
        int fd;
        uint64_t end;
    } open[SERVER_CONNECTIONS];
};

/* ---- one request ------------------------------------------------------------------------------------------------------- */

bool server_host_is_ours(const char *host)
{
    char name[HOST_MAX];
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    struct in_addr four;
    if (len >= sizeof name || len > strlen(host))
        return false;
    (void)snprintf(name, sizeof name, "%.*s", (int)len, host);
    const char *rest = host + len;
    if (rest[0] != '\0' && (rest[0] != ':' || strspn(rest + 1, "0123456789") != strlen(rest + 1)))
        return false;
    return strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (inet_pton(AF_INET, name, &four) == 1 && (ntohl(four.s_addr) >> 24) == 127);
}

static const char not_here[] = "This page is for this host only: ask for it as localhost or 127.0.0.1.\n";
static const char only_get[] = "Only GET and HEAD.\n";

/* "%00" would end a path for who reads it ("/%00" would be "/"). No page has a name with what is put in its place. */
static size_t unescape(void *arg, struct MHD_Connection *c, char *text)
{
    size_t len = MHD_http_unescape(text);
    (void)arg, (void)c;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0')
            text[i] = '\1';
    return len;
}

static void judge(struct server *s, struct MHD_Connection *c, const char *url, const char *method,
                  struct reply *r)
{
    const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    *r = (struct reply){ .type = "text/plain; charset=utf-8" };
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        r->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        r->body = only_get;
        r->len = sizeof only_get - 1;
    } else if (s->check_host && (host == NULL || !server_host_is_ours(host))) {
        r->status = MHD_HTTP_FORBIDDEN;
        r->body = not_here;
        r->len = sizeof not_here - 1;
    } else {
        answer(s->answers, url, r);
    }
}

static void add_headers(struct server *s, struct MHD_Response *response, const struct reply *r)
{
    const struct {
        const char *name;
        const char *value;
    } headers[] = {
        { "Content-Type", r->type },
        { "Content-Security-Policy", answers_policy(s->answers) },
        { "X-Content-Type-Options", "nosniff" },
        { "X-Frame-Options", "DENY" },
        { "Referrer-Policy", "no-referrer" },
        { "Cross-Origin-Resource-Policy", "same-origin" },
        { "Cross-Origin-Opener-Policy", "same-origin" },
        { "Cache-Control", "no-store" },
        { "Connection", "close" },
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        (void)MHD_add_response_header(response, headers[i].name, headers[i].value);
    if (r->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, "Allow", "GET, HEAD");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **context)
{
    struct server *s = arg;
    struct reply r;
    (void)version, (void)data, (void)size, (void)context;
    judge(s, c, url, method, &r);
    /* libmicrohttpd takes a void *, and copies. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(r.len, (void *)(uintptr_t)r.body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    add_headers(s, response, &r);
    enum MHD_Result done = MHD_queue_response(c, r.status, response);
    MHD_destroy_response(response);
    return done;
}

/* ---- connections that take too long ---------------------------------------------------------------------------------- */

static void on_connection(void *arg, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *s = arg;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info != NULL ? info->connect_fd : -1;
    (void)context;
    for (size_t i = 0; i < SERVER_CONNECTIONS && fd >= 0; i++) {
        bool starts = code == MHD_CONNECTION_NOTIFY_STARTED;
        if (s->open[i].fd != (starts ? -1 : fd))
            continue;
        s->open[i].fd = starts ? fd : -1;
        s->more_turns = starts ? s->more_turns : MORE_TURNS;
        s->open[i].end = clock_mono_ms() + SERVER_SECONDS * 1000;
        return;
    }
}

/* Ends those whose time is over; the milliseconds until the next one's is, or -1. */
static int64_t end_late(struct server *s)
{
    uint64_t now = clock_mono_ms();
    int64_t next = -1;
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        if (s->open[i].fd < 0)
            continue;
        if (s->open[i].end <= now)
            (void)shutdown(s->open[i].fd, SHUT_RDWR);
        int64_t left = s->open[i].end > now ? (int64_t)(s->open[i].end - now) : 1000;
        next = next < 0 || left < next ? left : next;
    }
    return next;
}

static bool is_busy(const struct server *s)
{
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++)
        if (s->open[i].fd >= 0)
            return true;
    return false;
}

/* ---- the loop -------------------------------------------------------------------------------------------------------------- */

static void on_log(void *arg, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *arg, const char *fmt, va_list args)
{
    char text[512];
    (void)arg;
    (void)vsnprintf(text, sizeof text, fmt, args);
    log_event(LOG_DEBUG, "http: %s", text);
}

static int start(struct server *s, int listen_fd, struct error *err)
{
    struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof address;
    if (getsockname(listen_fd, (struct sockaddr *)&address, &len) < 0)
        return error_sys(err, "the socket of the status page");
    s->check_host = address.ss_family != AF_UNIX;
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++)
        s->open[i].fd = -1;
    s->http = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVER_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVER_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)SERVER_REQUEST_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, s, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
    return s->http != NULL ? 0 : error_set(err, E_IO, "the status page cannot be served");
}

static int timeout_of(struct server *s)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    int64_t late = end_late(s);
    if (s->more_turns > 0) {
        s->more_turns--;
        return 0;
    }
    int64_t best = MHD_get_timeout(s->http, &ms) == MHD_YES ? (int64_t)(ms < 60000 ? ms : 60000) : -1;
    if (late >= 0 && (best < 0 || late < best))
        best = late;
    return (int)best;
}

static int loop(struct server *s, int daemon_fd, struct error *err)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->http, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL)
        return error_set(err, E_INTERNAL, "no descriptor to wait for");
    struct pollfd fds[FDS] = {
        [LISTEN] = { .fd = info->epoll_fd, .events = POLLIN }, [DAEMON] = { .fd = daemon_fd }
    };
    while (!interrupt_requested()) {
        int n = poll(fds, FDS, timeout_of(s));
        if (n < 0 && errno != EINTR)
            return error_sys(err, "wait");
        if (n > 0 && (fds[DAEMON].revents & (POLLHUP | POLLERR)) != 0)
            return 0;
        if (MHD_run(s->http) != MHD_YES)
            return error_set(err, E_IO, "the status page cannot be served any longer");
        if (answers_are_over(s->answers) && !is_busy(s))
            return error_set(err, E_IO, "there is a file to be read that it may not open");
    }
    return 0;
}

int server_run(const struct server_options *options, struct error *err)
{
    struct server s = { .answers = NULL };
    int rc = process_confine(SERVER_FILES, SERVER_MEMORY, err);
    if (rc == 0 && (s.answers = answers_new(options->cli, options->daemon_fd, err)) == NULL)
        rc = err->code;
    if (rc == 0)
        rc = start(&s, options->listen_fd, err);
    int shut = rc == 0 ? process_shut_files(err) : 0;
    rc = shut < 0 ? shut : rc;
    if (rc == 0 && shut == 0)
        log_event(LOG_INFO, "this kernel has no Landlock: the status page's process may open files");
    if (rc == 0)
        rc = loop(&s, options->daemon_fd, err);
    if (s.http != NULL)
        MHD_stop_daemon(s.http);
    answers_free(s.answers);
    return rc;
}
