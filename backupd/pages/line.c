#include "backupd/pages/line.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/clock.h"

#include "common/base/banned.h"

enum { MESSAGE_MAX = 64 };

int line_make(int ends[2], struct error *err)
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0
               ? 0
               : error_sys(err, "make a line to the status page");
}

void line_answer(int fd, int64_t started, uint64_t history_errors)
{
    char text[MESSAGE_MAX];
    while (recv(fd, text, sizeof text, 0) > 0) {
        int n = snprintf(text, sizeof text, "%" PRId64 " %" PRIu64, started, history_errors);
        /* A server that does not read its answers does not get them. */
        (void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
    }
}

/* What was answered too late for an earlier question. */
static void drop_old(int fd)
{
    char text[MESSAGE_MAX];
    while (recv(fd, text, sizeof text, 0) > 0)
        continue;
}

static bool wait_for(int fd, uint64_t end)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    for (;;) {
        uint64_t now = clock_mono_ms();
        int n = now < end ? poll(&p, 1, (int)(end - now)) : 0;
        if (n > 0)
            return (p.revents & POLLIN) != 0;
        if (now >= end || n == 0)
            return false;
    }
}

struct view_daemon line_ask(int fd)
{
    struct view_daemon d = { .asked = true };
    char text[MESSAGE_MAX] = "";
    drop_old(fd);
    if (send(fd, "?", 1, MSG_NOSIGNAL) != 1 || !wait_for(fd, clock_mono_ms() + LINE_PATIENCE_MS))
        return d;
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    d.alive = sscanf(text, "%" SCNd64 " %" SCNu64, &d.started, &d.history_errors) == 2;
    d.has_errors = d.alive;
    return d;
}
