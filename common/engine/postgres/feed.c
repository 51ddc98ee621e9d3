/* What a child writes, as a stream that ends with the child's verdict. */
#include "common/engine/feed.h"

#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

/* A server that went away is passing trouble, whatever pg_dump calls it. */
static int look(void *origin, bool now, struct error *err)
{
    struct pgsql_origin *o = origin;
    return now ? pgsql_exec(&o->readers[0], "SELECT 1", err) : pgsql_watch_tick(o, err);
}

struct source *pgsql_child_source(struct child *child, const char *name, const char *begins,
                                  struct pgsql_origin *o, struct error *err)
{
    struct feed_options options = {
        .name = name, .begins = begins, .ends = "", .tick = look, .finish = pgsql_tool_finish, .arg = o
    };
    return feed_source(child, &options, err);
}
