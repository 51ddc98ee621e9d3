/*
 * internal.h - what the files of this engine share; not for others.
 */
#ifndef COMMON_ENGINE_COMMAND_INTERNAL_H
#define COMMON_ENGINE_COMMAND_INTERNAL_H

#include "common/base/buffer.h"
#include "common/engine/command/command.h"

/* settings.c: the options of a job, parsed and copied. */
struct command_settings {
    char **argv; /* NULL-terminated, at least the program */
    char **env;  /* NULL-terminated */
    char *dir;   /* or NULL */
    char *name;  /* of the stream */
    uint64_t min_size;
    uint64_t timeout_ms;
    uint64_t stall_ms;
};

int command_settings_read(const struct engine_job *job, struct command_settings *out, struct error *err);
void command_settings_free(struct command_settings *s);

int command_probe(const struct engine_job *job, engine_finding_fn *fn, void *arg, struct error *err);

/* redact.c: `text` with "***" for the values of password=, token= and the like, and for the password of a URL
 * with user:password@. Returns out, cut at cap. */
const char *command_redact(char *out, size_t cap, const char *text);
/* True when command_redact() would strike something out. */
bool command_has_secret(const char *text);
/* Appends ["pg_dump", "-Fc", "a b"] in printable UTF-8 on one line, redacted, cut at COMMAND_SHOWN_MAX. */
int command_show(const char *const *argv, struct buf *out, struct error *err);

/* export.c */
int command_export(const struct engine_streams *streams, const char *run_facts,
                   const struct engine_export *out, struct error *err);

#endif
