/*
 * example.h - the text of a first configuration, for `backupd init`.
 *
 * Only what was given is written as settings; the rest of what people look for
 * stands there as comments with its default. conf_load accepts the result.
 */
#ifndef COMMON_CONF_EXAMPLE_H
#define COMMON_CONF_EXAMPLE_H

#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/conf/conf.h"

struct conf_example_job {
    const char *name;
    const char *engine;
    const struct conf_option *options; /* place is ignored */
    size_t noptions;
};

struct conf_example {
    const char *state; /* NULL: the default, as a comment */
    const char *repository;
    struct conf_storage storage; /* NULL, 0 and CONF_SECRET_NONE: not written */
    const char *keys;            /* NULL: the default, as a comment */
    const char *kit;             /* NULL: not written */
    struct conf_secret kit_passphrase;
    const struct conf_example_job *jobs;
    size_t njobs;
};

/* Appends the YAML text to out. E_USAGE when a name is not [a-z0-9._-]{1,64} or a text is not UTF-8. */
int conf_write_example(const struct conf_example *example, struct buf *out, struct error *err);

#endif
