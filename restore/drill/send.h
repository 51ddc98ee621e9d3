/*
 * send.h - from this host to the evidence location (inside restore/drill).
 */
#ifndef RESTORE_DRILL_SEND_H
#define RESTORE_DRILL_SEND_H

#include "common/conf/conf.h"

/* Every drill of `dir` that has a certificate and is not there yet; 0 when `id` is there afterwards. */
int evidence_send(const struct conf *conf, const char *state, const char *dir, const char *id,
                  struct error *err);

#endif
