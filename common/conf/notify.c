/* Who hears from the daemon: `notify`. */
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/conf/problem.h"
#include "common/conf/reader.h"

#include "common/base/banned.h"

enum {
    ONLY_ALL = CONF_ONLY_WEBHOOK | CONF_ONLY_PING | CONF_ONLY_MAIL | CONF_ONLY_PROGRAM,
    ON_DEFAULT = CONF_ON_FAILURE | CONF_ON_WARNING | CONF_ON_RECOVERY | CONF_ON_MISSED | CONF_ON_ANOMALY |
                 CONF_ON_ALARM,
    URL_MAX = 2048,
    ADDRESS_MAX = 254, /* RFC 5321 */
};

/* In the order of the bits. */
static const char *const words[] = { "failure", "warning", "recovery", "missed",
                                     "anomaly", "alarm",   "always",   "cancelled" };
enum { WORDS = sizeof words / sizeof words[0] };

#define AT(name) conf_section_index(CONF_AT_NOTIFY, name)

const char *conf_notice_name(enum conf_notice what)
{
    for (unsigned i = 0; i < WORDS; i++)
        if (what == 1U << i)
            return words[i];
    return "";
}

bool conf_channel_has_job(const struct conf_channel *channel, const char *job)
{
    for (size_t i = 0; i < channel->jobs.n; i++)
        if (strcmp(channel->jobs.names[i], job) == 0)
            return true;
    return channel->jobs.n == 0;
}

bool conf_host_is_loopback(const char *host)
{
    if (strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    unsigned dots = 0;
    for (const char *p = host; *p != '\0'; p++) {
        if (*p != '.' && (*p < '0' || *p > '9'))
            return false;
        dots += *p == '.';
    }
    return str_starts(host, "127.") && dots == 3;
}

static void on_check(struct load *l, const struct frame *f, struct conf_channel *c)
{
    size_t at = AT("on");
    if (f->keys[at] == NULL)
        c->on = c->type == CONF_PING ? 0 : ON_DEFAULT;
    for (size_t i = 0; f->good[at] && i < c->on_words.n; i++) {
        struct suggestion near = suggest_for(c->on_words.names[i]);
        char hint[SUGGEST_TEXT_MAX];
        unsigned bit = 0;
        for (unsigned w = 0; w < WORDS; w++) {
            bit |= strcmp(words[w], c->on_words.names[i]) == 0 ? 1U << w : 0;
            suggest_offer(&near, words[w]);
        }
        c->on |= bit;
        if (bit == 0)
            conf_problem_add(
                l->problems, f->values[at]->place,
                "%s.on: '%s' is none of: failure, cancelled, warning, recovery, missed, anomaly, alarm, always%s",
                f->path, c->on_words.names[i], suggest_text(&near, "", hint));
    }
}

/* SCHEME://HOST..., of printable ASCII; a password in it would be a secret in the configuration. */
static const char *url_mistake(const char *url)
{
    const char *host = str_starts(url, "https://") ? url + 8 : str_starts(url, "http://") ? url + 7 : NULL;
    if (host == NULL)
        return "expected https://... or http://...";
    if (strlen(url) > URL_MAX)
        return "too long";
    for (const char *p = url; *p != '\0'; p++)
        if (*p <= ' ' || *p > '~')
            return "only printable ASCII without spaces belongs into an address";
    size_t len = strcspn(host, "/?#");
    if (len == 0)
        return "no host";
    return memchr(host, '@', len) != NULL ? "a password does not belong here: use url_secret" : NULL;
}

static void url_check(struct load *l, const struct frame *f, const struct conf_channel *c)
{
    size_t url = AT("url");
    size_t secret = AT("url_secret");
    const char *mistake = f->good[url] ? url_mistake(c->url) : NULL;
    if (f->keys[url] == NULL && f->keys[secret] == NULL)
        conf_problem_add(l->problems, f->map->place, "%s: 'url' is missing (or 'url_secret')", f->path);
    else if (f->keys[url] != NULL && f->keys[secret] != NULL)
        conf_problem_add(l->problems, f->keys[secret]->place, "%s: either 'url' or 'url_secret', not both",
                         f->path);
    else if (mistake != NULL)
        conf_problem_add(l->problems, f->values[url]->place, "%s.url: %s", f->path, mistake);
}

/* What needs no quoting in a header or on SMTP's lines: nothing can be smuggled in with it. */
static bool address_is_good(const char *a)
{
    static const char local[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_`{|}~";
    static const char domain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t n = strspn(a, local);
    return n > 0 && a[n] == '@' && a[n + 1] != '\0' && a[n + 1] != '-' && a[n + 1] != '.' &&
           a[n + 1 + strspn(a + n + 1, domain)] == '\0' && strlen(a) <= ADDRESS_MAX;
}

static void mail_check(struct load *l, const struct frame *f, const struct conf_channel *c)
{
    static const char host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-";
    size_t h = AT("host");
    size_t from = AT("from");
    size_t to = AT("to");
    if (f->good[h] && (c->host[0] == '-' || c->host[strspn(c->host, host)] != '\0'))
        conf_problem_add(l->problems, f->values[h]->place, "%s.host: '%s' is no host", f->path, c->host);
    else if (f->good[h] && c->tls == CONF_TLS_NONE && !conf_host_is_loopback(c->host))
        conf_problem_add(l->problems, f->keys[AT("tls")]->place,
                         "%s.tls: none is only for a server on this machine (localhost, 127.0.0.1, ::1)",
                         f->path);
    if (f->good[from] && !address_is_good(c->from))
        conf_problem_add(l->problems, f->values[from]->place, "%s.from: '%s' is no plain address (name@host)",
                         f->path, c->from);
    for (size_t i = 0; f->good[to] && i < c->to.n; i++)
        if (!address_is_good(c->to.names[i]))
            conf_problem_add(l->problems, f->values[to]->place, "%s.to: '%s' is no plain address (name@host)",
                             f->path, c->to.names[i]);
    if ((f->keys[AT("user")] == NULL) != (f->keys[AT("password")] == NULL))
        conf_problem_add(l->problems, f->map->place, "%s: 'user' and 'password' go together", f->path);
}

static bool name_is_taken(struct load *l, const struct conf_node *key)
{
    for (size_t i = 0; i < l->channels.len; i++) {
        const struct conf_channel *other = vec_at(&l->channels, i);
        if (strcmp(other->name, key->text) == 0) {
            conf_problem_add(l->problems, key->place, "channel '%s' is also at %s:%u", key->text,
                             other->place.file, other->place.line);
            return true;
        }
    }
    if (l->channels.len < CONF_CHANNELS_MAX)
        return false;
    conf_problem_add(l->problems, key->place, "notify: more than %d channels", CONF_CHANNELS_MAX);
    return true;
}

static void settings_read(struct load *l, struct frame *f, struct conf_channel *c)
{
    static const unsigned flags[] = { CONF_ONLY_WEBHOOK, CONF_ONLY_PING, CONF_ONLY_MAIL, CONF_ONLY_PROGRAM };
    static const char *const types[] = { "webhook", "ping", "mail", "command" };
    if (!conf_section_read(l, f, NULL, NULL))
        return;
    bool known = f->good[AT("type")];
    conf_section_complete(l, f, known ? ONLY_ALL & ~flags[c->type] : ONLY_ALL);
    if (!known)
        return;
    conf_section_foreign(l, f, ONLY_ALL, flags[c->type], types[c->type]);
    on_check(l, f, c);
    if (c->type == CONF_WEBHOOK || c->type == CONF_PING)
        url_check(l, f, c);
    else if (c->type == CONF_MAIL)
        mail_check(l, f, c);
}

void conf_channel_read(struct load *l, const struct conf_node *key, const struct conf_node *value)
{
    struct conf_channel c = { .place = key->place };
    if (!conf_name_read(l, "channel", key) || name_is_taken(l, key))
        return;
    c.name = conf_keep_text(l, key->text);
    c.place.file = conf_keep_text(l, key->place.file);
    struct frame f = { .section = CONF_AT_NOTIFY, .map = value, .base = &c };
    f.path = conf_keep_format(l, "notify.%s", key->text);
    if (l->rc < 0)
        return;
    settings_read(l, &f, &c);
    struct conf_channel *slot = vec_push(&l->channels, l->err);
    if (slot == NULL)
        l->rc = E_NOMEM;
    else
        *slot = c;
}

void conf_channels_resolve(struct load *l)
{
    for (size_t i = 0; i < l->channels.len; i++) {
        const struct conf_channel *c = vec_at(&l->channels, i);
        for (size_t n = 0; n < c->jobs.n; n++) {
            if (conf_scheduled(l, c->jobs.names[n]) == NULL)
                conf_problem_add(l->problems, c->place, "notify.%s.jobs: there is no job or task '%s'",
                                 c->name, c->jobs.names[n]);
        }
    }
}
