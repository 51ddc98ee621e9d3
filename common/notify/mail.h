/*
 * mail.h - one message to people, over SMTP.
 *
 *     struct mail mail = { .host = "mail.example.net", .tls = CONF_TLS_STARTTLS, .from = "backup@example.net", ... };
 *     rc = mail_send(&mail, err);
 *
 * Codes as of post.h; E_AUTH also when user or password are refused. A receiver that is refused does not keep the others from
 * getting the message: it is told with a warning (log.h), and an error only when all are.
 *
 * Addresses must be plain (the configuration sees to that). Subject and text may hold anything: what is no UTF-8 or a control
 * character becomes visible text, the subject becomes encoded words (RFC 2047), the text quoted-printable, so nothing in them
 * can be a header or a command.
 */
#ifndef COMMON_NOTIFY_MAIL_H
#define COMMON_NOTIFY_MAIL_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/conf/conf.h"
#include "common/crypto/secret.h"

enum { MAIL_SUBJECT_MAX = 250 };

struct mail {
    const char *host;
    unsigned port; /* 0: 587, 465 or 25 */
    enum conf_mail_tls tls;
    const char *ca_file;
    const char *user; /* NULL: no login */
    const struct secret *password;
    const char *from;
    const char *const *to;
    size_t nto;
    const char *subject;
    const char *text;
    const char *event;     /* header X-Backupd-Event; a plain word */
    const char *id;        /* [0-9a-z.-]: the left side of the Message-ID */
    const char *this_host; /* its right side, and where the text comes from */
    int64_t date;
    uint64_t timeout_ms;
};

/* Headers and text with CRLF. */
int mail_format(const struct mail *mail, struct buf *out, struct error *err);
int mail_send(const struct mail *mail, struct error *err);

#endif
