/* compose_internal.h - between compose.c and body.c. */
#ifndef BACKUPD_NOTICES_COMPOSE_INTERNAL_H
#define BACKUPD_NOTICES_COMPOSE_INTERNAL_H

#include "backupd/notices/compose.h"

enum { NOTICE_COMMAND_MAX = 4096 + 256 };

bool notice_is(const struct notice_facts *f, const char *event);
/* fn's negative return ends it and is returned. */
int notice_commands(const struct notice_facts *f, int (*fn)(const char *line, const char *why, void *arg),
                    void *arg);
/* The JSON, when subject and text are there. */
int notice_body(const struct notice_facts *f, struct notice_words *w, struct error *err);

#endif
