#include "common/notify/post.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/notify/transfer.h"

#include "common/base/banned.h"

enum { WHERE_MAX = 320, HTTP_TIMEOUT = 408, HTTP_TOO_EARLY = 425, HTTP_TOO_MANY = 429 };

const char *post_where(const char *url, char *out, size_t cap)
{
    size_t scheme = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;
    size_t len = strcspn(url + scheme, "/?#");
    const char *at = memchr(url + scheme, '@', len);
    const char *host = at != NULL ? at + 1 : url + scheme;
    char text[WHERE_MAX];
    out[0] = '\0';
    if (scheme == 0)
        return out;
    (void)snprintf(text, sizeof text, "%.*s%.*s", (int)scheme, url,
                   (int)(len - (size_t)(host - (url + scheme))), host);
    return str_printable(out, cap, text);
}

/* What an answer means that came. */
static int judge(const struct transfer *t, const char *where, struct error *err)
{
    char safe[2 * TRANSFER_SAID_MAX];
    char line[TRANSFER_SAID_MAX];
    long status = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300)
        return 0;
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(t->said, "\r\n"), t->said);
    if (status >= 300 && status < 400)
        return error_set(
            err, E_DENIED,
            "%s answers with a redirect (%ld), which is not followed: configure the final address", where,
            status);
    bool refused = status >= 400 && status < 500 && status != HTTP_TIMEOUT && status != HTTP_TOO_EARLY &&
                   status != HTTP_TOO_MANY;
    return error_set(err, refused ? E_DENIED : E_RETRY, "%s answers %ld%s%s", where, status,
                     line[0] != '\0' ? ": " : "", str_printable(safe, sizeof safe, line));
}

static int add(struct curl_slist **list, const char *line, struct error *err)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL)
        return error_set(err, E_NOMEM, "out of memory");
    *list = longer;
    return 0;
}

static int set_request(const struct transfer *t, const struct post *p, struct curl_slist **list,
                       struct error *err)
{
    char type[128];
    (void)snprintf(type, sizeof type, "Content-Type: %s", p->type);
    int rc = add(list, type, err);
    rc = rc == 0 ? add(list, "Expect:", err) : rc;
    for (size_t i = 0; rc == 0 && p->headers != NULL && p->headers[i] != NULL; i++)
        rc = add(list, p->headers[i], err);
    if (rc < 0)
        return rc;
    CURLcode c = curl_easy_setopt(t->curl, CURLOPT_URL, p->url);
    c = c == 0 ? curl_easy_setopt(t->curl, CURLOPT_POST, 1L) : c;
    c = c == 0 ? curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, p->body) : c;
    c = c == 0 ? curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->len) : c;
    c = c == 0 ? curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "backupd") : c;
    c = c == 0 ? curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, *list) : c;
    return c == 0 ? 0 : error_set(err, E_INTERNAL, "libcurl: %s", curl_easy_strerror(c));
}

int post_send(const struct post *p, struct error *err)
{
    struct transfer t;
    struct curl_slist *list = NULL;
    char where[WHERE_MAX];
    if (strlen(p->url) > POST_URL_MAX || post_where(p->url, where, sizeof where)[0] == '\0')
        return error_set(err, E_USAGE, "the address of the channel is not like https://host/path");
    int rc = transfer_init(&t, "https,http", p->ca_file, p->timeout_ms, err);
    if (rc == 0)
        rc = set_request(&t, p, &list, err);
    if (rc == 0)
        rc = transfer_run(&t, where, err);
    if (rc == 0)
        rc = judge(&t, where, err);
    transfer_free(&t);
    curl_slist_free_all(list);
    return rc;
}
