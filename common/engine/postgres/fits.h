/*
 * fits.h - what fits.c and server_fits.c share: a look at a target that tells what it finds.
 */
#ifndef COMMON_ENGINE_POSTGRES_FITS_H
#define COMMON_ENGINE_POSTGRES_FITS_H

#include "common/engine/postgres/restore.h"

struct fits {
    struct pgsql *c;
    const struct pgsql_plan *p;
    bool exists; /* c leads to the target itself */
    engine_plan_fn *fn;
    void *arg;
};

void fits_say(const struct fits *f, enum engine_plan_kind kind, const char *cure, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Entry i of the list of contents is restored. */
bool fits_wanted(const struct fits *f, size_t i);
/* server_fits.c: versions, locales, extensions, roles, tablespaces, rights, room. */
int fits_server(const struct fits *f, struct error *err);

#endif
