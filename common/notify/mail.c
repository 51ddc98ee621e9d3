#include "common/notify/mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/notify/transfer.h"

#include "common/base/banned.h"

enum { WHERE_MAX = 300 };

struct upload {
    const struct buf *message;
    size_t at;
    char refusal[TRANSFER_SAID_MAX]; /* the last 4xx or 5xx line of the server */
};

static size_t give(char *to, size_t size, size_t n, void *arg)
{
    struct upload *u = arg;
    size_t rest = u->message->len - u->at;
    size_t len = rest < size * n ? rest : size * n;
    if (len > 0)
        memcpy(to, u->message->data + u->at, len);
    u->at += len;
    return len;
}

/* Every line the server says passes here. */
static size_t hear(char *line, size_t size, size_t n, void *arg)
{
    struct upload *u = arg;
    size_t len = size * n;
    if (len > 3 && (line[0] == '4' || line[0] == '5'))
        (void)snprintf(u->refusal, sizeof u->refusal, "%.*s",
                       (int)(len < TRANSFER_SAID_MAX ? len : TRANSFER_SAID_MAX), line);
    u->refusal[strcspn(u->refusal, "\r\n")] = '\0';
    return len;
}

static CURLcode set_login(CURL *c, const struct mail *m)
{
    char password[1025];
    if (m->user == NULL)
        return CURLE_OK;
    (void)snprintf(password, sizeof password, "%.*s", (int)secret_len(m->password),
                   (const char *)secret_view(m->password));
    CURLcode rc = curl_easy_setopt(c, CURLOPT_USERNAME, m->user);
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_PASSWORD, password) : rc;
    secret_wipe(password, sizeof password);
    return rc;
}

static CURLcode set_message(CURL *c, const struct mail *m, const char *url, const struct curl_slist *to,
                            struct upload *u)
{
    bool tls = m->tls != CONF_TLS_NONE;
    CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, url);
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_USE_SSL, tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE)
                 : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_MAIL_FROM, m->from) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_UPLOAD, 1L) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_READFUNCTION, give) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_READDATA, u) : rc;
    rc = rc == 0 ? curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, hear) : rc;
    return rc == 0 ? curl_easy_setopt(c, CURLOPT_HEADERDATA, u) : rc;
}

static int add_receivers(const struct mail *m, struct curl_slist **list, struct error *err)
{
    for (size_t i = 0; i < m->nto; i++) {
        struct curl_slist *longer = curl_slist_append(*list, m->to[i]);
        if (longer == NULL)
            return error_set(err, E_NOMEM, "out of memory");
        *list = longer;
    }
    return 0;
}

/* A 5xx answer to the message itself is about this message; one to the login, or no answer, is about the server. */
static int judge(const struct transfer *t, int rc, const struct upload *u, const char *where,
                 struct error *err)
{
    char safe[2 * TRANSFER_SAID_MAX];
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc == 0 && u->refusal[0] != '\0')
        log_event(LOG_WARN, "%s said: %s", where, str_printable(safe, sizeof safe, u->refusal));
    if (rc == E_RETRY && u->refusal[0] == '5' && status >= 500)
        return error_set(err, E_DENIED, "%s does not take the message: %s", where,
                         str_printable(safe, sizeof safe, u->refusal));
    if (rc < 0 && u->refusal[0] != '\0')
        return error_wrap(err, "%s said \"%s\"", where, str_printable(safe, sizeof safe, u->refusal));
    return rc;
}

int mail_send(const struct mail *m, struct error *err)
{
    struct transfer t = { .curl = NULL };
    struct buf message = BUF_INIT;
    struct upload upload = { .message = &message };
    struct curl_slist *to = NULL;
    struct error why = ERROR_INIT;
    char url[WHERE_MAX + 128];
    char where[WHERE_MAX];
    bool implicit = m->tls == CONF_TLS_IMPLICIT;
    bool v6 = strchr(m->host, ':') != NULL;
    unsigned port = m->port != 0 ? m->port : implicit ? 465 : m->tls == CONF_TLS_NONE ? 25 : 587;
    (void)snprintf(where, sizeof where, "%.250s:%u", m->host, port);
    (void)snprintf(url, sizeof url, "%s://%s%.250s%s:%u/%.64s", implicit ? "smtps" : "smtp", v6 ? "[" : "",
                   m->host, v6 ? "]" : "", port, m->this_host);
    int rc = mail_format(m, &message, &why);
    rc = rc == 0 ? transfer_init(&t, "smtp,smtps", m->ca_file, m->timeout_ms, &why) : rc;
    rc = rc == 0 ? add_receivers(m, &to, &why) : rc;
    CURLcode c = rc == 0 ? set_login(t.curl, m) : CURLE_OK;
    c = rc == 0 && c == 0 ? set_message(t.curl, m, url, to, &upload) : c;
    if (c != 0)
        rc = error_set(&why, E_INTERNAL, "libcurl: %s", curl_easy_strerror(c));
    if (rc == 0)
        rc = judge(&t, transfer_run(&t, where, &why), &upload, where, &why);
    transfer_free(&t);
    curl_slist_free_all(to);
    buf_wipe(&message);
    return rc < 0 ? error_copy(err, &why) : 0;
}
