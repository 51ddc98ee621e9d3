#include "common/sys/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/number.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

int notify_open(struct notify *n, struct error *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    *n = (struct notify){ .fd = -1, .to = { .sun_family = AF_UNIX } };
    if (path == NULL || *path == '\0')
        return 0;
    size_t len = strlen(path);
    if ((*path != '/' && *path != '@') || len >= sizeof n->to.sun_path)
        return error_set(err, E_USAGE,
                         "NOTIFY_SOCKET is no path and no abstract name that a socket can have");
    (void)memcpy(n->to.sun_path, path, len);
    if (*path == '@')
        n->to.sun_path[0] = '\0';
    n->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return n->fd >= 0 ? 0 : error_sys(err, "speak to the service manager");
}

void notify_close(struct notify *n)
{
    fd_drop(&n->fd);
}

int notify_send(const struct notify *n, const char *lines, struct error *err)
{
    size_t len = strlen(lines);
    ssize_t sent;
    if (n->fd < 0)
        return 0;
    do
        sent = sendto(n->fd, lines, len, MSG_NOSIGNAL, (const struct sockaddr *)&n->to, n->len);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)len)
        return 0;
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
        return error_set(err, E_RETRY, "the service manager does not read what it is told");
    int code = errno;
    return error_set(err, E_IO, "what the service manager is told does not reach it: %s", strerror(code));
}

uint64_t notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t n = 0;
    if (usec == NULL || number_parse(usec, 1, UINT64_MAX / 2, &n, NULL) < 0)
        return 0;
    uint64_t ms = n / 1000;
    if (pid != NULL && (number_parse(pid, 1, INT32_MAX, &n, NULL) < 0 || n != (uint64_t)getpid()))
        return 0;
    return ms > 0 ? ms : 1;
}
