/*
 * post.h - an HTTP POST to an address of the configuration, and how it was answered.
 *
 *     const char *const headers[] = { "X-Backupd-Event: failure", NULL };
 *     struct post post = { .url = url, .type = "application/json", .body = body, .len = len, .headers = headers,
 *                          .timeout_ms = 30000 };
 *     rc = post_send(&post, err);
 *
 * 0: answered with 2xx. E_DENIED: the server was reached and does not want this very notice (3xx, most of 4xx). Everything
 * else is about the server or the way to it, and hits whatever else is sent there: E_RETRY, E_AUTH (its certificate is not good), E_IO.
 *
 * Only https and http; TLS 1.2 or newer with a certificate that is checked; no redirects, no proxy, no cookies, no .netrc.
 * What the server answers is shown in the error, made printable and short. Errors name the host and never the address, which may
 * be a secret. A stop request (interrupt.h) ends it with E_CANCELLED within about a second.
 */
#ifndef COMMON_NOTIFY_POST_H
#define COMMON_NOTIFY_POST_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

enum {
    POST_URL_MAX = 2048,
    POST_ANSWER_MAX = 64 * 1024, /* bytes that are read of an answer; what comes then is not waited for */
};

struct post {
    const char *url;
    const char *type; /* Content-Type */
    const char *body;
    size_t len;
    const char *const *headers; /* "Name: value", NULL-terminated; or NULL */
    const char *ca_file;        /* NULL: the system's certificates */
    uint64_t timeout_ms;        /* of the whole; at least 1 */
};

int post_send(const struct post *post, struct error *err);
/* "https://hooks.example.net": what may be shown of an address; "" when it is none. */
const char *post_where(const char *url, char *out, size_t cap);

#endif
