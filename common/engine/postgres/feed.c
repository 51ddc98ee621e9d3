/* What a child writes, as a stream that ends with the child's verdict. */
#include "common/engine/feed.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

/* The watch knows the child as long as the source lives: it holds locks of its own. */
struct child_source {
    struct source base;
    struct source *inner;
    struct pgsql_origin *o;
};

/* A server that went away is passing trouble, whatever pg_dump calls it. */
static int look(void *origin, bool now, struct error *err)
{
    struct pgsql_origin *o = origin;
    return now ? pgsql_exec(&o->readers[0], "SELECT 1", err) : pgsql_watch_tick(o, err);
}

static int64_t child_source_read(struct source *base, void *data, size_t cap, struct error *err)
{
    return source_read(((struct child_source *)base)->inner, data, cap, err);
}

static void child_source_free(struct source *base)
{
    struct child_source *s = (struct child_source *)base;
    pgsql_watch_child(s->o, NULL);
    source_free(s->inner);
    free(s);
}

struct source *pgsql_child_source(struct child *child, const char *name, const char *begins,
                                  struct pgsql_origin *o, struct error *err)
{
    struct feed_options options = {
        .name = name, .begins = begins, .ends = "", .tick = look, .finish = pgsql_tool_finish, .arg = o
    };
    struct child_source *s = mem_alloc(1, sizeof *s, err);
    if (s == NULL) {
        child_free(child);
        return NULL;
    }
    s->base = (struct source){ .read = child_source_read, .free = child_source_free };
    s->o = o;
    s->inner = feed_source(child, &options, err);
    if (s->inner == NULL) {
        free(s);
        return NULL;
    }
    pgsql_watch_child(o, child);
    return &s->base;
}
