/*
 * lacking.h - a restore that would fail says what is missing before it changes anything.
 *
 *     struct lacking l = LACKING_INIT;
 *     rc = ENGINE_fits(..., lacking_collect, &l, err);
 *     return lacking_end(&l, where, rc, err);
 */
#ifndef COMMON_ENGINE_LACKING_H
#define COMMON_ENGINE_LACKING_H

#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/engine/engine.h"

struct lacking {
    struct buf list;
    size_t n;
};

#define LACKING_INIT     \
    {                    \
        .list = BUF_INIT \
    }

/* An engine_plan_fn; arg is a struct lacking. Keeps the first PLAN_MISSING lines, each with its cure. */
void lacking_collect(enum engine_plan_kind kind, const char *what, const char *cure, void *arg);

/* Ends it, whatever rc is. rc when that is an error; E_UNSUPPORTED, with what is missing at `where`, when something is. */
int lacking_end(struct lacking *l, const char *where, int rc, struct error *err);

#endif
