/*
 * jsonflat.h - the members of one small JSON object that a message is: jsonin.h without its values.
 *
 *     const char *verb = jsonflat_text(doc, "verb");              // NULL: not there, or no string
 *     for (size_t i = 0; i < jsonflat_count(doc, "jobs"); i++)
 *         ... jsonflat_text_at(doc, "jobs", i) ...
 *
 * doc may be NULL: nothing is there. Strings live as long as doc.
 */
#ifndef COMMON_CLI_JSONFLAT_H
#define COMMON_CLI_JSONFLAT_H

#include "common/cli/jsonin.h"

const char *jsonflat_text(const struct jsonin *doc, const char *key);
/* fallback when it is not there or no number from 0 up. */
uint64_t jsonflat_number(const struct jsonin *doc, const char *key, uint64_t fallback);
bool jsonflat_true(const struct jsonin *doc, const char *key);
/* Members of an array; 0 when it is none. */
size_t jsonflat_count(const struct jsonin *doc, const char *key);
const char *jsonflat_text_at(const struct jsonin *doc, const char *key, size_t i);

#endif
