/*
 * netproxy - a loopback TCP proxy that misbehaves on request.
 *
 *     netproxy LISTENPORT TARGETPORT [options]      port 0: a free one; the port is printed on the first line
 *
 *     --cut-after BYTES     close the connection after BYTES of a direction (delivered up to there)
 *     --rst                 cut with a reset instead of a close
 *     --flip-at BYTE        flip one bit of this byte, counted from 0
 *     --stall-after BYTES   forward nothing more after BYTES, and keep the connection open
 *     --delay MS            every byte arrives this much later (both directions)
 *     --rate BYTES          per second, at most (both directions)
 *     --direction up|down   where cut, flip and stall apply: up is towards the target; default: both
 *     --connections N       only the first N connections are faulty (cut, flip, stall); default: all
 *
 * One thread per connection; it runs until it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/number.h"

#include "common/base/banned.h"

enum { PIECE = 16 * 1024, QUEUE_MAX = 16 * 1024 * 1024 };

#define NEVER UINT64_MAX

enum direction { UP, DOWN };

static struct {
    uint64_t cut, flip, stall, delay, rate, connections;
    bool use[2];
    bool rst;
    uint16_t target;
} plan = { .cut = NEVER, .flip = NEVER, .stall = NEVER, .connections = NEVER, .use = { true, true } };

struct piece {
    struct piece *next;
    uint64_t due; /* milliseconds */
    size_t len;
    size_t sent;
    char data[PIECE];
};

struct flow {
    int from;
    int to;
    bool faulty;
    bool eof;     /* nothing more is read */
    bool cut;     /* the connection ends when the queue is empty */
    bool stalled; /* nothing more is read or ended */
    uint64_t seen;
    uint64_t queued;
    uint64_t last_due;
    struct piece *first;
    struct piece **last;
};

/* What happens to the piece before it is queued. */
static void spoil(struct flow *f, struct piece *p)
{
    if (f->faulty && plan.flip >= f->seen && plan.flip - f->seen < p->len)
        p->data[plan.flip - f->seen] ^= 0x10;
    uint64_t end = f->seen + p->len;
    uint64_t limit = plan.cut < plan.stall ? plan.cut : plan.stall;
    if (f->faulty && end >= limit) {
        p->len = (size_t)(limit - f->seen);
        f->cut = plan.cut <= plan.stall;
        f->stalled = !f->cut;
        f->eof = true;
    }
    f->seen += p->len;
}

static void enqueue(struct flow *f, struct piece *p)
{
    uint64_t now = clock_mono_ms();
    uint64_t due = now + plan.delay;
    if (plan.rate != 0) {
        uint64_t start = f->last_due > now ? f->last_due : now;
        due = start + p->len * 1000 / plan.rate + (f->last_due == 0 ? plan.delay : 0);
    }
    f->last_due = due;
    p->due = due;
    p->sent = 0;
    p->next = NULL;
    *f->last = p;
    f->last = &p->next;
    f->queued += p->len;
}

/* False: the connection is broken. */
static bool take(struct flow *f)
{
    struct piece *p = malloc(sizeof *p);
    if (p == NULL)
        return false;
    ssize_t n = recv(f->from, p->data, sizeof p->data, MSG_DONTWAIT);
    if (n <= 0) {
        bool again = n < 0 && (errno == EAGAIN || errno == EINTR);
        free(p);
        if (n == 0)
            f->eof = true;
        return n == 0 || again;
    }
    p->len = (size_t)n;
    spoil(f, p);
    enqueue(f, p);
    return true;
}

static bool give(struct flow *f)
{
    uint64_t now = clock_mono_ms();
    while (f->first != NULL && f->first->due <= now) {
        struct piece *p = f->first;
        ssize_t n = send(f->to, p->data + p->sent, p->len - p->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        p->sent += (size_t)n;
        if (p->sent < p->len)
            return true;
        f->queued -= p->len;
        f->first = p->next;
        if (f->first == NULL)
            f->last = &f->first;
        free(p);
    }
    return true;
}

/* After the queue has run out: a cut, or the end of the stream passed on. */
static bool settle(struct flow *f)
{
    if (f->first != NULL || f->stalled || !f->eof)
        return true;
    if (f->cut)
        return false;
    if (f->to >= 0 && f->queued == 0 && f->seen != NEVER) {
        (void)shutdown(f->to, SHUT_WR);
        f->seen = NEVER; /* once */
    }
    return true;
}

static int next_wait(const struct flow flows[2])
{
    uint64_t now = clock_mono_ms();
    uint64_t wait = 10000;
    for (int i = 0; i < 2; i++) {
        if (flows[i].first == NULL)
            continue;
        uint64_t left = flows[i].first->due > now ? flows[i].first->due - now : 0;
        if (left < wait)
            wait = left;
    }
    return (int)wait;
}

static bool over(const struct flow flows[2])
{
    return flows[0].eof && flows[1].eof && flows[0].first == NULL && flows[1].first == NULL &&
           !flows[0].stalled && !flows[1].stalled;
}

static void relay(struct flow flows[2])
{
    bool fine = true;
    while (fine && !over(flows)) {
        struct pollfd p[2];
        for (int i = 0; i < 2; i++) {
            const struct flow *in = &flows[i];
            const struct flow *out = &flows[1 - i]; /* it writes to where `in` reads */
            bool due = out->first != NULL && out->first->due <= clock_mono_ms();
            short events = 0;
            if (!in->eof && in->queued < QUEUE_MAX)
                events |= POLLIN;
            if (due)
                events |= POLLOUT;
            p[i] = (struct pollfd){ .fd = events != 0 ? in->from : -1, .events = events, .revents = 0 };
        }
        int wait = next_wait(flows);
        int n = poll(p, 2, wait == 0 && (p[0].events | p[1].events) & POLLOUT ? 1000 : wait);
        for (int i = 0; i < 2 && n >= 0; i++) {
            if ((p[i].revents & (POLLIN | POLLHUP | POLLERR)) && !flows[i].eof)
                fine = fine && take(&flows[i]);
        }
        for (int i = 0; i < 2; i++)
            fine = fine && give(&flows[i]) && settle(&flows[i]);
    }
}

static int dial(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(plan.target) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)(const void *)&a, sizeof a) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

struct job {
    int fd;
    bool faulty;
};

static void finish(int fd)
{
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    if (plan.rst)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(fd);
}

static void *serve(void *arg)
{
    struct job job = *(struct job *)arg;
    free(arg);
    const int on = 1;
    int target = dial();
    if (target < 0) {
        (void)close(job.fd);
        return NULL;
    }
    (void)setsockopt(job.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct flow flows[2] = { { .from = job.fd, .to = target }, { .from = target, .to = job.fd } };
    for (int i = 0; i < 2; i++) {
        flows[i].faulty = job.faulty && plan.use[i];
        flows[i].last = &flows[i].first;
    }
    relay(flows);
    for (int i = 0; i < 2; i++) {
        while (flows[i].first != NULL) {
            struct piece *p = flows[i].first;
            flows[i].first = p->next;
            free(p);
        }
    }
    finish(job.fd);
    finish(target);
    return NULL;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (const struct sockaddr *)(const void *)&a, sizeof a) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)(void *)&a, &size) < 0)
        return -1;
    printf("%u\n", (unsigned)ntohs(a.sin_port));
    (void)fflush(stdout);
    return fd;
}

static int accept_all(int fd)
{
    pthread_attr_t detached;
    if (pthread_attr_init(&detached) != 0 ||
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) != 0)
        return 1;
    for (uint64_t count = 0;; count++) {
        struct job *job = malloc(sizeof *job);
        if (job == NULL)
            return 1;
        do
            job->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        while (job->fd < 0 && (errno == EINTR || errno == ECONNABORTED));
        job->faulty = count < plan.connections;
        pthread_t thread;
        if (job->fd < 0 || pthread_create(&thread, &detached, serve, job) != 0) {
            perror("netproxy");
            free(job);
            return 1;
        }
    }
}

static bool number(const char *text, uint64_t *out)
{
    struct error err = ERROR_INIT;
    if (number_parse(text, 0, UINT64_MAX - 1, out, &err) == 0)
        return true;
    (void)fprintf(stderr, "netproxy: %s\n", err.text);
    return false;
}

static bool option(const char *name, const char *value)
{
    static const struct {
        const char *name;
        uint64_t *to;
    } rows[] = {
        { "--cut-after", &plan.cut }, { "--flip-at", &plan.flip }, { "--stall-after", &plan.stall },
        { "--delay", &plan.delay },   { "--rate", &plan.rate },    { "--connections", &plan.connections },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(name, rows[i].name) == 0)
            return number(value, rows[i].to);
    bool up = strcmp(value, "up") == 0;
    if (strcmp(name, "--direction") != 0 || !(up || strcmp(value, "down") == 0)) {
        (void)fprintf(stderr, "netproxy: unknown option %s %s\n", name, value);
        return false;
    }
    plan.use[UP] = up;
    plan.use[DOWN] = !up;
    return true;
}

int main(int argc, char **argv)
{
    uint64_t port = 0;
    uint64_t target = 0;
    if (argc < 3 || !number(argv[1], &port) || !number(argv[2], &target) || port > 65535 || target > 65535) {
        (void)fprintf(stderr, "usage: netproxy LISTENPORT TARGETPORT [options]\n");
        return 2;
    }
    plan.target = (uint16_t)target;
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--rst") == 0)
            plan.rst = true;
        else if (i + 1 >= argc || !option(argv[i], argv[i + 1]))
            return 2;
        else
            i++;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    int fd = listen_on((uint16_t)port);
    if (fd < 0) {
        perror("netproxy");
        return 1;
    }
    return accept_all(fd);
}
