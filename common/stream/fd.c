/* Streams over file descriptors. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/stream/stream.h"
#include "common/base/banned.h"

/* What both directions hold. */
struct handle {
    int fd;
    bool owned;
    bool sync;
    char *name;
};

static int handle_init(struct handle *h, int fd, int owned, const char *name, struct error *err)
{
    h->fd = fd;
    h->owned = owned != 0;
    h->name = str_dup(name, err);
    return h->name != NULL ? 0 : E_NOMEM;
}

static void handle_release(struct handle *h)
{
    if (h->owned && h->fd >= 0)
        (void)close(h->fd);
    free(h->name);
}

struct fd_source {
    struct source base;
    struct handle handle;
};

static int64_t fd_source_read(struct source *s, void *data, size_t cap, struct error *err)
{
    struct fd_source *f = (struct fd_source *)s;
    ssize_t n;
    do
        n = read(f->handle.fd, data, cap);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? n : error_sys(err, "read %s", f->handle.name);
}

static void fd_source_free(struct source *s)
{
    struct fd_source *f = (struct fd_source *)s;
    handle_release(&f->handle);
    free(f);
}

struct source *source_fd(int fd, int owned, const char *name, struct error *err)
{
    struct fd_source *f = mem_alloc(1, sizeof *f, err);
    if (f == NULL)
        return NULL;
    if (handle_init(&f->handle, fd, owned, name, err) < 0) {
        free(f);
        return NULL;
    }
    f->base = (struct source){ .read = fd_source_read, .free = fd_source_free };
    return &f->base;
}

struct fd_sink {
    struct sink base;
    struct handle handle;
};

static int fd_sink_write(struct sink *s, const void *data, size_t len, struct error *err)
{
    struct fd_sink *f = (struct fd_sink *)s;
    const uint8_t *from = data;
    while (len > 0) {
        ssize_t n = write(f->handle.fd, from, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(err, "write %s", f->handle.name);
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

static int fd_sink_finish(struct sink *s, struct error *err)
{
    struct handle *h = &((struct fd_sink *)s)->handle;
    struct stat st;
    if (h->sync) {
        if (fstat(h->fd, &st) < 0)
            return error_sys(err, "look at %s", h->name);
        if (S_ISREG(st.st_mode) && fsync(h->fd) < 0)
            return error_sys(err, "flush %s to disk", h->name);
    }
    if (h->owned) {
        /* Closed here: some file systems tell only now that a write failed. */
        int fd = h->fd;
        h->fd = -1;
        if (close(fd) < 0 && errno != EINTR)
            return error_sys(err, "close %s", h->name);
    }
    return 0;
}

static void fd_sink_free(struct sink *s)
{
    struct fd_sink *f = (struct fd_sink *)s;
    handle_release(&f->handle);
    free(f);
}

struct sink *sink_fd(int fd, int owned, int sync, const char *name, struct error *err)
{
    struct fd_sink *f = mem_alloc(1, sizeof *f, err);
    if (f == NULL)
        return NULL;
    if (handle_init(&f->handle, fd, owned, name, err) < 0) {
        free(f);
        return NULL;
    }
    f->handle.sync = sync != 0;
    f->base = (struct sink){ .write = fd_sink_write, .finish = fd_sink_finish, .free = fd_sink_free };
    return &f->base;
}
