#include "backupd/notices/wire.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/cli/json.h"

#include "common/base/banned.h"

enum { LIST_TO, LIST_COMMAND, LIST_URL, LIST_SECRET, LIST_PASSWORD, LISTS };
_Static_assert((int)LISTS == (int)CHANNEL_WIRE_LISTS, "a list without an owner");

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static void put_list(struct jsonout *o, const char *key, const char *const *items, size_t n)
{
    struct jsonout *list = jsonout_array(o, key);
    for (size_t i = 0; i < n; i++)
        jsonout_str(list, NULL, items[i]);
}

static void put_secret(struct jsonout *o, const char *key, const struct conf_secret *s)
{
    struct jsonout *out = jsonout_object(o, key);
    jsonout_u64(out, "kind", s->kind);
    jsonout_str(out, "text", s->text);
    put_list(out, "argv", s->argv, s->argc);
}

int channel_write(const struct conf_channel *c, const char *state, struct buf *out, struct error *err)
{
    struct jsonout *o = jsonout_new("channel");
    jsonout_str(o, "state", state);
    jsonout_str(o, "name", c->name);
    jsonout_u64(o, "type", c->type);
    jsonout_u64(o, "timeout_ms", c->timeout_ms);
    jsonout_str(o, "url", c->url);
    put_secret(o, "url_secret", &c->url_secret);
    put_secret(o, "secret", &c->secret);
    jsonout_str(o, "ca_file", c->ca_file);
    jsonout_str(o, "host", c->host);
    jsonout_u64(o, "port", c->port);
    jsonout_u64(o, "tls", c->tls);
    jsonout_str(o, "user", c->user);
    put_secret(o, "password", &c->password);
    jsonout_str(o, "from", c->from);
    put_list(o, "to", c->to.names, c->to.n);
    put_list(o, "command", c->command.argv, c->command.argc);
    int rc = jsonout_text(o, out, err);
    if (rc == 0 && out->len > CHANNEL_WIRE_MAX)
        rc = error_set(err, E_USAGE, "the settings of channel %s are longer than %d bytes", c->name,
                       CHANNEL_WIRE_MAX);
    return rc;
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static uint64_t number_of(const struct jsonin_value *v, uint64_t max)
{
    char text[NUMBER_TEXT_MAX];
    uint64_t n = 0;
    return number_parse(jsonin_show(v, text, sizeof text), 0, max, &n, NULL) == 0 ? n : 0;
}

static int take_list(const struct jsonin_value *list, const char ***owner, size_t *n, struct error *err)
{
    *n = jsonin_len(list);
    *owner = mem_alloc(*n + 1, sizeof **owner, err);
    if (*owner == NULL)
        return E_NOMEM;
    for (size_t i = 0; i < *n; i++) {
        (*owner)[i] = jsonin_text(jsonin_at(list, i));
        if ((*owner)[i] == NULL)
            return error_set(err, E_CORRUPT, "a list of the channel's settings holds more than texts");
    }
    return 0;
}

static int take_secret(const struct jsonin_value *v, const char ***owner, struct conf_secret *out,
                       struct error *err)
{
    int rc = take_list(jsonin_get(v, "argv"), owner, &out->argc, err);
    out->kind = (enum conf_secret_kind)number_of(jsonin_get(v, "kind"), CONF_SECRET_COMMAND);
    out->text = jsonin_text(jsonin_get(v, "text"));
    out->argv = *owner;
    return rc;
}

static int take_lists(struct channel_wire *w, struct error *err)
{
    struct conf_channel *c = &w->channel;
    int rc = take_list(jsonin_get(jsonin_top(w->root), "to"), &w->lists[LIST_TO], &c->to.n, err);
    c->to.names = w->lists[LIST_TO];
    if (rc == 0)
        rc = take_list(jsonin_get(jsonin_top(w->root), "command"), &w->lists[LIST_COMMAND], &c->command.argc,
                       err);
    c->command.argv = w->lists[LIST_COMMAND];
    if (rc == 0)
        rc = take_secret(jsonin_get(jsonin_top(w->root), "url_secret"), &w->lists[LIST_URL], &c->url_secret,
                         err);
    if (rc == 0)
        rc = take_secret(jsonin_get(jsonin_top(w->root), "secret"), &w->lists[LIST_SECRET], &c->secret, err);
    if (rc == 0)
        rc = take_secret(jsonin_get(jsonin_top(w->root), "password"), &w->lists[LIST_PASSWORD], &c->password,
                         err);
    return rc;
}

/* Whether everything is there that its type needs. */
static bool is_whole(const struct channel_wire *w)
{
    const struct conf_channel *c = &w->channel;
    if (w->state == NULL || w->state[0] != '/' || c->name == NULL || !conf_name_is_good(c->name) ||
        c->timeout_ms == 0)
        return false;
    switch (c->type) {
    case CONF_WEBHOOK:
    case CONF_PING:
        return c->url != NULL || c->url_secret.kind != CONF_SECRET_NONE;
    case CONF_MAIL:
        return c->host != NULL && c->from != NULL && c->to.n > 0;
    case CONF_PROGRAM:
        return c->command.argc > 0;
    }
    return false;
}

int channel_read(const char *text, size_t len, struct channel_wire *w, struct error *err)
{
    *w = (struct channel_wire){ .root = jsonin_parse(text, len, err) };
    if (w->root == NULL)
        return err->code;
    struct conf_channel *c = &w->channel;
    w->state = jsonin_text(jsonin_get(jsonin_top(w->root), "state"));
    c->name = jsonin_text(jsonin_get(jsonin_top(w->root), "name"));
    c->type = (enum conf_channel_type)number_of(jsonin_get(jsonin_top(w->root), "type"), CONF_PROGRAM);
    c->timeout_ms = number_of(jsonin_get(jsonin_top(w->root), "timeout_ms"), UINT32_MAX);
    c->url = jsonin_text(jsonin_get(jsonin_top(w->root), "url"));
    c->ca_file = jsonin_text(jsonin_get(jsonin_top(w->root), "ca_file"));
    c->host = jsonin_text(jsonin_get(jsonin_top(w->root), "host"));
    c->port = (unsigned)number_of(jsonin_get(jsonin_top(w->root), "port"), UINT16_MAX);
    c->tls = (enum conf_mail_tls)number_of(jsonin_get(jsonin_top(w->root), "tls"), CONF_TLS_NONE);
    c->user = jsonin_text(jsonin_get(jsonin_top(w->root), "user"));
    c->from = jsonin_text(jsonin_get(jsonin_top(w->root), "from"));
    int rc = take_lists(w, err);
    if (rc == 0 && !is_whole(w))
        rc = error_set(err, E_CORRUPT, "the channel's settings are not whole");
    if (rc < 0)
        channel_free(w);
    return rc;
}

void channel_free(struct channel_wire *w)
{
    for (size_t i = 0; i < sizeof w->lists / sizeof w->lists[0]; i++)
        free(w->lists[i]);
    jsonin_free(w->root);
    *w = (struct channel_wire){ .root = NULL };
}

/* ---- one notice ---------------------------------------------------------------------------------------------------------- */

enum { NOTICE_TEXTS = 7 };

int notice_write(const struct notice *n, struct buf *out, struct error *err)
{
    const char *const texts[NOTICE_TEXTS] = { n->uid,     n->channel, n->event, n->job,
                                              n->subject, n->text,    n->body };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < NOTICE_TEXTS; i++)
        rc = buf_append(out, texts[i], strlen(texts[i]) + 1, err);
    rc = rc == 0 ? buf_printf(out, err, "%lld", (long long)n->created) : rc;
    rc = rc == 0 ? buf_append(out, "", 1, err) : rc;
    if (rc == 0 && out->len > NOTICE_WIRE_MAX)
        rc = error_set(err, E_USAGE, "a notice is longer than %d bytes", NOTICE_WIRE_MAX);
    return rc;
}

int notice_read(const char *text, size_t len, struct notice *n, struct error *err)
{
    const char *texts[NOTICE_TEXTS + 1] = { NULL };
    uint64_t created = 0;
    size_t at = 0;
    size_t i = 0;
    for (; i < NOTICE_TEXTS + 1 && at < len; i++) {
        texts[i] = text + at;
        at += strnlen(text + at, len - at) + 1;
    }
    if (i != NOTICE_TEXTS + 1 || at != len ||
        number_parse(texts[NOTICE_TEXTS], 0, INT64_MAX, &created, NULL) < 0)
        return error_set(err, E_CORRUPT, "the notice is not whole");
    *n = (struct notice){ .uid = texts[0],
                          .channel = texts[1],
                          .event = texts[2],
                          .job = texts[3],
                          .subject = texts[4],
                          .text = texts[5],
                          .body = texts[6],
                          .created = (int64_t)created,
                          .error = "" };
    return 0;
}
