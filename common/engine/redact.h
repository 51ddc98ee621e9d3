/*
 * redact.h - arguments and messages for people to read, without what only a program should know.
 *
 * It knows the usual forms: password=VALUE, token=VALUE and their like, the
 * password of a URL, the value after `--password`, `-pVALUE` of mysql and other
 * programs that are known for it. It guesses; a secret that looks like nothing
 * of that kind passes.
 */
#ifndef COMMON_ENGINE_REDACT_H
#define COMMON_ENGINE_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

enum { REDACT_SHOWN_MAX = 8192 };

/* `text` with "***" for its secrets. Returns out, cut at cap. */
const char *redact_text(char *out, size_t cap, const char *text);
/* True when redact_text() would strike something out. */
bool redact_finds(const char *text);
/* True when argv[i], by itself or by its place, seems to hold a secret. */
bool redact_finds_at(const char *const *argv, size_t i);
/* Appends ["pg_dump", "-Fc", "a b"] in printable UTF-8 on one line, redacted, cut at REDACT_SHOWN_MAX. */
int redact_argv(const char *const *argv, struct buf *out, struct error *err);

#endif
