/* transfer.h - what every transfer of this room has in common (inside this room). */
#ifndef COMMON_NOTIFY_TRANSFER_H
#define COMMON_NOTIFY_TRANSFER_H

#include <curl/curl.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum { TRANSFER_SAID_MAX = 200 };

struct transfer {
    CURL *curl;
    char problem[CURL_ERROR_SIZE];
    char said[TRANSFER_SAID_MAX]; /* the beginning of an answer */
    size_t nsaid;
    size_t got;
};

/* With TLS, time limits and everything off that is not wanted; protocols like "https,http". transfer_free also after a
 * failure. */
int transfer_init(struct transfer *t, const char *protocols, const char *ca_file, uint64_t timeout_ms,
                  struct error *err);
void transfer_free(struct transfer *t);
/* curl_easy_perform: E_CANCELLED, E_RETRY, E_AUTH (TLS, login), E_IO. */
int transfer_run(struct transfer *t, const char *where, struct error *err);

#endif
