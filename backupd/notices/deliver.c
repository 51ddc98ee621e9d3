#include "backupd/notices/deliver.h"

#include <stdio.h>
#include <string.h>

#include "backupd/notices/compose.h"
#include "common/access/access.h"
#include "common/base/clock.h"
#include "common/base/str.h"
#include "common/crypto/sha256.h"
#include "common/notify/mail.h"
#include "common/notify/post.h"
#include "common/sys/child.h"
#include "common/sys/fdio.h"

#include "common/base/banned.h"

enum { LINE_LEN = 256 };

/* What is wrong with a secret is wrong for every notice of the channel. */
static struct secret *secret_of(const struct conf_secret *ref, const char *name, int *rc, struct error *err)
{
    struct error why = ERROR_INIT;
    struct secret *s = access_secret(ref, &why);
    if (s == NULL)
        *rc = error_set(err, E_AUTH, "%s: %s", name, why.text);
    return s;
}

/* ---- webhook and ping --------------------------------------------------------------------------------------------------- */

static int address(const struct conf_channel *c, char out[POST_URL_MAX + 1], struct error *err)
{
    if (c->url != NULL) {
        (void)snprintf(out, POST_URL_MAX + 1, "%s", c->url);
        return 0;
    }
    int rc = 0;
    struct secret *s = secret_of(&c->url_secret, "url_secret", &rc, err);
    if (s != NULL)
        (void)snprintf(out, POST_URL_MAX + 1, "%.*s", (int)secret_len(s), (const char *)secret_view(s));
    secret_free(s);
    return rc;
}

static int sign(const struct conf_channel *c, const char *timestamp, const char *body, char out[SHA256_TEXT],
                struct error *err)
{
    int rc = 0;
    struct secret *key = secret_of(&c->secret, "secret", &rc, err);
    if (key == NULL)
        return rc;
    const struct sha256_part parts[] = {
        { timestamp, strlen(timestamp) }, { ".", 1 }, { body, strlen(body) }, { NULL, 0 }
    };
    hmac_sha256(key, parts, out);
    secret_free(key);
    return 0;
}

static int webhook(const struct conf_channel *c, const struct notice *n, struct error *err)
{
    char url[POST_URL_MAX + 1];
    char now[32];
    char mac[SHA256_TEXT] = "";
    char lines[4][LINE_LEN];
    const char *headers[5] = { NULL };
    (void)snprintf(now, sizeof now, "%llu", (unsigned long long)clock_wall());
    int rc = address(c, url, err);
    if (rc == 0 && c->secret.kind != CONF_SECRET_NONE)
        rc = sign(c, now, n->body, mac, err);
    if (rc == 0) {
        (void)snprintf(lines[0], LINE_LEN, DELIVER_TIMESTAMP ": %s", now);
        (void)snprintf(lines[1], LINE_LEN, "X-Backupd-Id: %.64s", n->uid);
        (void)snprintf(lines[2], LINE_LEN, "X-Backupd-Event: %.32s", n->event);
        (void)snprintf(lines[3], LINE_LEN, DELIVER_SIGNATURE ": sha256=%s", mac);
        for (size_t i = 0; i < 4; i++)
            headers[i] = i == 3 && mac[0] == '\0' ? NULL : lines[i];
        const struct post post = { .url = url,
                                   .type = "application/json",
                                   .body = n->body,
                                   .len = strlen(n->body),
                                   .headers = headers,
                                   .ca_file = c->ca_file,
                                   .timeout_ms = c->timeout_ms };
        rc = post_send(&post, err);
    }
    secret_wipe(url, sizeof url);
    return rc;
}

static int append(char *out, size_t cap, size_t *n, const char *text, size_t len)
{
    if (*n + len >= cap)
        return -1;
    memcpy(out + *n, text, len);
    *n += len;
    out[*n] = '\0';
    return 0;
}

int deliver_ping_url(const char *url, const char *job, const char *event, char *out, size_t cap,
                     struct error *err)
{
    static const char place[] = "{job}";
    const char *suffix = strcmp(event, "start") == 0                                     ? "/start"
                         : strcmp(event, "failure") == 0                                 ? "/fail"
                         : strcmp(event, "test") == 0 || strcmp(event, "cancelled") == 0 ? "/log"
                                                                                         : "";
    size_t path = strcspn(url, "?#");
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i <= strlen(url) && rc == 0;) {
        if (i == path) {
            while (n > 0 && out[n - 1] == '/' && suffix[0] != '\0')
                n--;
            rc = append(out, cap, &n, suffix, strlen(suffix));
        }
        bool here = rc == 0 && strncmp(url + i, place, sizeof place - 1) == 0;
        if (here)
            rc = append(out, cap, &n, job, strlen(job));
        else if (rc == 0 && url[i] != '\0')
            rc = append(out, cap, &n, url + i, 1);
        i += here ? sizeof place - 1 : 1;
    }
    return rc == 0 ? 0 : error_set(err, E_USAGE, "the address of the ping is too long");
}

static int ping(const struct conf_channel *c, const struct notice *n, struct error *err)
{
    char base[POST_URL_MAX + 1];
    char url[POST_URL_MAX + 1];
    int rc = address(c, base, err);
    if (rc == 0)
        rc = deliver_ping_url(base, n->job, n->event, url, sizeof url, err);
    if (rc == 0) {
        const struct post post = { .url = url,
                                   .type = "text/plain; charset=UTF-8",
                                   .body = n->text,
                                   .len = strlen(n->text),
                                   .ca_file = c->ca_file,
                                   .timeout_ms = c->timeout_ms };
        rc = post_send(&post, err);
    }
    secret_wipe(base, sizeof base);
    secret_wipe(url, sizeof url);
    return rc;
}

/* ---- mail ---------------------------------------------------------------------------------------------------------------- */

static int letter(const struct conf_channel *c, const struct notice *n, struct error *err)
{
    char host[NOTICE_HOST_MAX];
    char id[128];
    int rc = 0;
    struct secret *password = c->user != NULL ? secret_of(&c->password, "password", &rc, err) : NULL;
    if (rc < 0)
        return rc;
    (void)snprintf(id, sizeof id, "%.40s.%.64s", n->uid, c->name);
    const struct mail mail = { .host = c->host,
                               .port = c->port,
                               .tls = c->tls,
                               .ca_file = c->ca_file,
                               .user = c->user,
                               .password = password,
                               .from = c->from,
                               .to = c->to.names,
                               .nto = c->to.n,
                               .subject = n->subject,
                               .text = n->text,
                               .event = n->event,
                               .id = id,
                               .this_host = notice_host(host),
                               .date = n->created,
                               .timeout_ms = c->timeout_ms };
    rc = mail_send(&mail, err);
    secret_free(password);
    return rc;
}

/* ---- command ------------------------------------------------------------------------------------------------------------- */

static int program(const struct conf_channel *c, const struct notice *n, struct error *err)
{
    char event[LINE_LEN];
    char job[LINE_LEN];
    struct error why = ERROR_INIT;
    (void)snprintf(event, sizeof event, "BACKUPD_EVENT=%.32s", n->event);
    (void)snprintf(job, sizeof job, "BACKUPD_JOB=%.64s", n->job);
    const char *const env[] = { event, job, NULL };
    const struct child_options options = {
        .env = env, .want_stdin = true, .timeout_ms = c->timeout_ms, .marked = true
    };
    struct child *child = child_start(c->command.argv, &options, &why);
    if (child == NULL) {
        why.code = why.code == E_DENIED ? E_IO : why.code;
        return error_copy(err, &why);
    }
    /* One that does not read is judged by how it ends. */
    (void)fd_write_full(child_stdin(child), n->body, strlen(n->body), "stdin", NULL);
    child_close_stdin(child);
    int rc = child_finish(child, &why);
    child_free(child);
    if (rc == E_IO)
        why.code = E_DENIED;
    return rc < 0 ? error_copy(err, &why) : 0;
}

int deliver(const struct conf_channel *c, const struct notice *n, struct error *err)
{
    switch (c->type) {
    case CONF_WEBHOOK:
        return webhook(c, n, err);
    case CONF_PING:
        return ping(c, n, err);
    case CONF_MAIL:
        return letter(c, n, err);
    case CONF_PROGRAM:
        return program(c, n, err);
    }
    return error_set(err, E_INTERNAL, "no such type of channel");
}
