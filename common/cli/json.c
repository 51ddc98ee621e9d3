#include "common/cli/json.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/number.h"
#include "common/base/str.h"

#include "common/base/banned.h"

struct jsonout {
    json_t *value;        /* owned by the root; a child's is borrowed from its parent's */
    struct jsonout *root; /* itself for what jsonout_new returned */
    struct jsonout *next; /* the root's children, to free them */
    bool failed;          /* the root's counts */
};

static pthread_mutex_t stream_lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *stream; /* NULL: stdout */

struct jsonout *jsonout_new(const char *message_type)
{
    struct jsonout *o = mem_alloc(1, sizeof *o, NULL);
    if (o == NULL)
        return NULL;
    o->root = o;
    o->value = json_object();
    o->failed = o->value == NULL;
    if (message_type != NULL)
        jsonout_str(o, "message_type", message_type);
    return o;
}

/* Takes the value over. An array has no keys, an object must have them. */
static void add(struct jsonout *o, const char *key, json_t *value)
{
    int rc = -1;
    if (o == NULL) {
        json_decref(value);
        return;
    }
    if (value != NULL && json_is_array(o->value))
        rc = json_array_append_new(o->value, value);
    else if (value != NULL && key != NULL)
        rc = json_object_set_new(o->value, key, value);
    else
        json_decref(value);
    o->root->failed = o->root->failed || rc != 0;
}

/* Bytes that are no UTF-8 become visible text; jansson would refuse the whole string. */
static int clean(const char *s, size_t len, struct buf *out)
{
    int rc = 0;
    for (size_t i = 0; i < len && rc == 0;) {
        size_t n = 1;
        while (n < 4 && i + n < len && !utf8_valid(s + i, n))
            n++;
        bool good = utf8_valid(s + i, n);
        if (good)
            rc = buf_append(out, s + i, n, NULL);
        else
            rc = buf_printf(out, NULL, "\\x%02x", (unsigned)(unsigned char)s[i]);
        i += good ? n : 1;
    }
    return rc;
}

void jsonout_bytes(struct jsonout *o, const char *key, const void *data, size_t len)
{
    struct buf text = BUF_INIT;
    json_t *value = NULL;
    if (utf8_valid(data, len))
        value = json_stringn(data, len);
    else if (clean(data, len, &text) == 0)
        value = json_stringn((const char *)text.data, text.len);
    add(o, key, value);
    buf_free(&text);
}

void jsonout_str(struct jsonout *o, const char *key, const char *value)
{
    if (value == NULL)
        add(o, key, json_null());
    else
        jsonout_bytes(o, key, value, strlen(value));
}

void jsonout_u64(struct jsonout *o, const char *key, uint64_t value)
{
    char text[NUMBER_TEXT_MAX];
    if (value <= INT64_MAX) {
        add(o, key, json_integer((json_int_t)value));
        return;
    }
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    add(o, key, json_string(text));
}

void jsonout_i64(struct jsonout *o, const char *key, int64_t value)
{
    add(o, key, json_integer(value));
}

void jsonout_bool(struct jsonout *o, const char *key, bool value)
{
    add(o, key, json_boolean(value));
}

void jsonout_double(struct jsonout *o, const char *key, double value)
{
    add(o, key, isfinite(value) ? json_real(value) : json_null());
}

void jsonout_time(struct jsonout *o, const char *key, uint64_t seconds)
{
    char text[NUMBER_TEXT_MAX];
    jsonout_str(o, key, seconds == 0 ? NULL : time_format(text, seconds));
}

static struct jsonout *child(struct jsonout *o, const char *key, json_t *value)
{
    struct jsonout *c = o != NULL && value != NULL ? mem_alloc(1, sizeof *c, NULL) : NULL;
    if (c == NULL) {
        json_decref(value);
        if (o != NULL)
            o->root->failed = true;
        return NULL;
    }
    c->root = o->root;
    c->value = value;
    c->next = o->root->next;
    o->root->next = c;
    json_incref(value); /* stays valid even if adding fails */
    add(o, key, value);
    return c;
}

struct jsonout *jsonout_object(struct jsonout *o, const char *key)
{
    return child(o, key, json_object());
}

struct jsonout *jsonout_array(struct jsonout *o, const char *key)
{
    return child(o, key, json_array());
}

void jsonout_free(struct jsonout *o)
{
    while (o != NULL) {
        struct jsonout *next = o->next;
        json_decref(o->value);
        free(o);
        o = next;
    }
}

int jsonout_text(struct jsonout *o, struct buf *out, struct error *err)
{
    enum { DIGITS = 10 };
    char *text = NULL;
    int rc = 0;
    if (o != NULL && !o->failed)
        text = json_dumps(o->value, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    if (text == NULL)
        rc = error_set(err, E_NOMEM, "a line of JSON could not be made");
    else
        rc = buf_append(out, text, strlen(text), err);
    free(text);
    jsonout_free(o);
    return rc;
}

int jsonout_emit(struct jsonout *o, struct error *err)
{
    struct buf line = BUF_INIT;
    int rc = jsonout_text(o, &line, err);
    if (rc == 0)
        rc = buf_append(&line, "\n", 1, err);
    if (rc == 0) {
        (void)pthread_mutex_lock(&stream_lock);
        FILE *file = stream != NULL ? stream : stdout;
        if (fwrite(line.data, 1, line.len, file) != line.len || fflush(file) != 0)
            rc = error_sys(err, "the output could not be written");
        (void)pthread_mutex_unlock(&stream_lock);
    }
    buf_free(&line);
    return rc;
}

void jsonout_to(FILE *file)
{
    (void)pthread_mutex_lock(&stream_lock);
    stream = file;
    (void)pthread_mutex_unlock(&stream_lock);
}
