/*
 * torn.h - a half-written record at the end of a log that this host does not know: perhaps somebody, or an old
 * connection of its own, is writing it right now, and going on under the next attempt would make a fork.
 *
 *     rc = torn_wait("STATE/record.torn", writer->torn_next, "a half-written record lies in ...", err);
 *
 * The file keeps when it was first seen. E_BUSY, with the text and how long it still takes, until it has been seen
 * for 15 minutes; with no torn attempts the file goes away.
 */
#ifndef COMMON_REPO_TORN_H
#define COMMON_REPO_TORN_H

#include <stdint.h>

#include "common/base/error.h"

int torn_wait(const char *path, uint32_t torn, const char *what, struct error *err);

#endif
