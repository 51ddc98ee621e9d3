/* What a child writes, as a stream that ends with the child's verdict. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/engine/postgres/internal.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { TICK_MS = 1000 };

struct child_source {
    struct source base;
    struct child *child;
    const char *name;
    const char *begins; /* how it must */
    size_t seen;        /* bytes of that */
    struct pgsql_origin *origin;
    bool ended;
};

/* A wrapper that ends well without a dump, or says something before it, must not pass for one. */
static int check_head(struct child_source *s, const char *data, size_t len, struct error *err)
{
    size_t left = strlen(s->begins) - s->seen;
    size_t n = len < left ? len : left;
    if (memcmp(data, s->begins + s->seen, n) != 0 || (len == 0 && left != 0))
        return error_set(
            err, E_IO,
            "what %s wrote is no dump: is another program of this name in the way (`bin_dir`, PATH)?",
            s->name);
    s->seen += n;
    return 0;
}

/* The child's own words; a server that went away is passing trouble, whatever pg_dump calls it. */
static int failed(struct child_source *s, const struct error *why, struct error *err)
{
    struct error lost = ERROR_INIT;
    int code = why->code;
    if (code == E_IO && pgsql_exec(&s->origin->readers[0], "SELECT 1", &lost) == E_RETRY)
        code = E_RETRY;
    return error_set(err, code, "%s", why->text);
}

static int64_t child_read(struct source *base, void *data, size_t cap, struct error *err)
{
    struct child_source *s = (struct child_source *)base;
    struct error why = ERROR_INIT;
    struct pollfd p = { .fd = child_stdout(s->child), .events = POLLIN };
    if (s->ended)
        return 0;
    int ready = 0;
    do {
        ready = poll(&p, 1, TICK_MS);
        int rc = pgsql_watch_tick(s->origin, err);
        if (rc < 0)
            return rc;
    } while (ready <= 0);
    int64_t n = fd_read(p.fd, data, cap, s->name, err);
    if (n > 0)
        return check_head(s, data, (size_t)n, err) < 0 ? pgsql_failed(err) : n;
    if (n < 0)
        return n;
    if (pgsql_tool_finish(s->child, s->name, &why) < 0)
        return failed(s, &why, err);
    s->ended = true;
    return check_head(s, "", 0, err);
}

static void child_source_free(struct source *base)
{
    struct child_source *s = (struct child_source *)base;
    child_free(s->child);
    free(s);
}

struct source *pgsql_child_source(struct child *child, const char *name, const char *begins,
                                  struct pgsql_origin *o, struct error *err)
{
    struct child_source *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL) {
        child_free(child);
        return NULL;
    }
    s->base = (struct source){ .read = child_read, .free = child_source_free };
    s->child = child;
    s->name = name;
    s->begins = begins;
    s->origin = o;
    return &s->base;
}
