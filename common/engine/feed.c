#include "common/engine/feed.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { TICK_MS = 1000 };

struct feed {
    struct source base;
    struct child *child;
    struct feed_options o;
    size_t seen;              /* bytes of `begins` */
    char tail[FEED_MARK_MAX]; /* the last bytes */
    size_t tail_len;
    bool ended;
};

static int no_dump(const struct feed *f, const char *what, struct error *err)
{
    return error_set(err, E_IO,
                     "what %s wrote %s: is another program of this name in the way (`bin_dir`, PATH)?",
                     f->o.name, what);
}

static int check_head(struct feed *f, const uint8_t *data, size_t len, struct error *err)
{
    size_t left = strlen(f->o.begins) - f->seen;
    size_t n = len < left ? len : left;
    if (memcmp(data, f->o.begins + f->seen, n) != 0)
        return no_dump(f, "is no dump", err);
    f->seen += n;
    return 0;
}

static void keep_tail(struct feed *f, const uint8_t *data, size_t len)
{
    size_t wanted = strlen(f->o.ends);
    if (len >= wanted) {
        memcpy(f->tail, data + len - wanted, wanted);
        f->tail_len = wanted;
        return;
    }
    size_t keep = f->tail_len + len > wanted ? wanted - len : f->tail_len;
    memmove(f->tail, f->tail + f->tail_len - keep, keep);
    memcpy(f->tail + keep, data, len);
    f->tail_len = keep + len;
}

static int check_tail(const struct feed *f, struct error *err)
{
    size_t wanted = strlen(f->o.ends);
    if (f->seen < strlen(f->o.begins))
        return no_dump(f, "is no dump", err);
    return f->tail_len == wanted && memcmp(f->tail, f->o.ends, wanted) == 0 ? 0
                                                                            : no_dump(f, "has no end", err);
}

static int verdict(struct feed *f, struct error *err)
{
    struct error why = ERROR_INIT;
    struct error passing = ERROR_INIT;
    int rc = f->o.finish != NULL ? f->o.finish(f->child, f->o.name, &why) : child_finish(f->child, &why);
    if (rc == 0) {
        f->ended = true;
        return check_tail(f, err);
    }
    if (rc == E_IO && f->o.tick != NULL && f->o.tick(f->o.arg, true, &passing) == E_RETRY)
        why.code = E_RETRY;
    return error_copy(err, &why);
}

static int64_t feed_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct feed *f = (struct feed *)base;
    struct pollfd p = { .fd = child_stdout(f->child), .events = POLLIN };
    if (f->ended)
        return 0;
    int ready;
    do {
        ready = poll(&p, 1, TICK_MS);
        int rc = f->o.tick != NULL ? f->o.tick(f->o.arg, false, err) : 0;
        if (rc < 0)
            return rc;
    } while (ready <= 0);
    int64_t n = fd_read(p.fd, data, cap, f->o.name, err);
    if (n <= 0)
        return n < 0 ? n : verdict(f, err);
    keep_tail(f, data, (size_t)n);
    int rc = check_head(f, data, (size_t)n, err);
    return rc < 0 ? rc : n;
}

static void feed_free(struct source *base)
{
    struct feed *f = (struct feed *)base;
    child_free(f->child);
    free(f);
}

struct source *feed_source(struct child *child, const struct feed_options *o, struct error *err)
{
    struct feed *f = NULL;
    if (strlen(o->begins) > FEED_MARK_MAX || strlen(o->ends) > FEED_MARK_MAX)
        (void)error_set(err, E_INTERNAL, "%s: a mark is too long", o->name);
    else
        f = mem_alloc(1, sizeof *f, err);
    if (f == NULL) {
        child_free(child);
        return NULL;
    }
    f->base = (struct source){ .read = feed_read, .free = feed_free };
    f->child = child;
    f->o = *o;
    return &f->base;
}
