/*
 * option.h - how engines read the options of a job.
 *
 * Every error is E_USAGE (or E_NOMEM) unless said, and names the job and the option. A list
 * in the configuration is several options with one key, in order.
 */
#ifndef COMMON_ENGINE_OPTION_H
#define COMMON_ENGINE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/engine/engine.h"

enum { OPTION_NAME_MAX = 255 }; /* bytes of a stream's name that comes from an option */

/* How many values a key has, and the i-th, or NULL. Of a list of lists also the NULL between two lists counts. */
size_t option_count(const struct engine_job *job, const char *key);
const char *option_at(const struct engine_job *job, const char *key, size_t i);

/* A duration in milliseconds, from `min` to `max` seconds; `otherwise` seconds when it is not given. */
int option_duration(const struct engine_job *job, const char *key, uint64_t otherwise, uint64_t min,
                    uint64_t max, uint64_t *ms, struct error *err);
/* A size of at most `max` bytes. */
int option_size(const struct engine_job *job, const char *key, uint64_t otherwise, uint64_t max,
                uint64_t *bytes, struct error *err);
/* A percentage, "20%" or "20", of at most 100. */
int option_percent(const struct engine_job *job, const char *key, unsigned otherwise, unsigned *out,
                   struct error *err);
/* yes, true, on; no, false, off. */
int option_flag(const struct engine_job *job, const char *key, bool otherwise, bool *out, struct error *err);
/* The name of a file that may hold a secret, or NULL: a regular file (E_USAGE) that only its owner may read
 * (E_DENIED, with the cure) and this user can. */
int option_private_file(const struct engine_job *job, const char *key, const char **out, struct error *err);
/* The option `name`, else the last component of `path`: one component of UTF-8, for free(). */
int option_stream_name(const struct engine_job *job, const char *path, char **out, struct error *err);

#endif
