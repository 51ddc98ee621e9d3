/*
 * feed.h - what a database's own dump program writes, as a stream that ends with its verdict.
 *
 *     struct feed_options o = { .name = "mariadb-dump", .begins = "/" , .ends = "*" "/;\n", .tick = look, .arg = run };
 *     struct source *s = feed_source(child, &o, err);   // takes the child, also when it fails
 *
 * The last read is the child's verdict: only after exit status 0, and when what
 * it wrote begins and ends as it must, the stream ends with 0. A wrapper that
 * ends well without a dump, or a dump without its end, never passes for one.
 */
#ifndef COMMON_ENGINE_FEED_H
#define COMMON_ENGINE_FEED_H

#include <stdbool.h>

#include "common/base/error.h"
#include "common/stream/stream.h"
#include "common/sys/child.h"

enum { FEED_MARK_MAX = 64 };

struct feed_options {
    const char *name;   /* of the program, for messages */
    const char *begins; /* how its output begins; at most FEED_MARK_MAX bytes; "" anyhow */
    const char *ends;   /* and ends */
    /* While it writes, about once a second, and with `now` after its failure: a passing reason (E_RETRY) found then
     * counts more than what the program says. Or NULL. */
    int (*tick)(void *arg, bool now, struct error *err);
    /* Instead of child_finish: the verdict in better words. Or NULL. */
    int (*finish)(struct child *child, const char *name, struct error *err);
    void *arg;
};

/* The options are copied, their strings borrowed. */
struct source *feed_source(struct child *child, const struct feed_options *o, struct error *err);

#endif
