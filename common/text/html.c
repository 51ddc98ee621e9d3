#include "common/text/html.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/str.h"

#include "common/base/banned.h"

/* ---- escaping --------------------------------------------------------------------------------------------------------- */

static const char *entity_of(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* The length of the character at s, 0 when it is none. */
static size_t character(const char *s, size_t left)
{
    for (size_t n = 1; n <= 4 && n <= left; n++)
        if (utf8_valid(s, n))
            return n;
    return 0;
}

static unsigned long code_point(const unsigned char *s, size_t n)
{
    static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    unsigned long c = s[0] & mask[n];
    for (size_t i = 1; i < n; i++)
        c = (c << 6) | (s[i] & 0x3fU);
    return c;
}

/* Characters that would move what stands beside them, or that no page may hold. */
static bool is_hidden(unsigned long c)
{
    return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x61c || c == 0xfeff ||
           c == 0xfffe || c == 0xffff;
}

static int escape_one(struct buf *out, const char *s, size_t n, struct error *err)
{
    unsigned char first = (unsigned char)s[0];
    const char *entity = n == 1 ? entity_of(first) : NULL;
    if (n == 0)
        return buf_printf(out, err, "\\x%02x", first);
    if (entity != NULL)
        return buf_append(out, entity, strlen(entity), err);
    unsigned long c = code_point((const unsigned char *)s, n);
    if (is_hidden(c))
        return buf_printf(out, err, c < 0x100 ? "\\x%02lx" : "\\u%04lx", c);
    return buf_append(out, s, n, err);
}

int html_escape(struct buf *out, const char *text, struct error *err)
{
    size_t left = strlen(text);
    for (const char *s = text; left > 0;) {
        size_t n = character(s, left);
        int rc = escape_one(out, s, n, err);
        if (rc < 0)
            return rc;
        s += n > 0 ? n : 1;
        left -= n > 0 ? n : 1;
    }
    return 0;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static bool good(const struct html *h)
{
    return h->why.code == 0;
}

static void put(struct html *h, const char *text)
{
    if (good(h))
        (void)buf_append(&h->out, text, strlen(text), &h->why);
}

static void put_escaped(struct html *h, const char *text)
{
    if (good(h))
        (void)html_escape(&h->out, text, &h->why);
}

static void end_tag(struct html *h)
{
    if (h->in_tag)
        put(h, ">");
    h->in_tag = false;
}

static bool is_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-");
    return n > 0 && name[n] == '\0';
}

static bool is_void(const char *name)
{
    static const char *const names[] = { "meta", "link", "br", "hr", "img", "col" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

void html_open(struct html *h, const char *name)
{
    end_tag(h);
    if (!good(h))
        return;
    if (!is_name(name) || strcasecmp(name, "script") == 0) {
        (void)error_set(&h->why, E_INTERNAL, "a page may not hold an element '%s'", name);
    } else if (h->depth == HTML_DEPTH_MAX) {
        (void)error_set(&h->why, E_INTERNAL, "a page with more than %d open elements", HTML_DEPTH_MAX);
    } else {
        put(h, "<");
        put(h, name);
        h->open[h->depth++] = name;
        h->in_tag = true;
    }
}

/* Handlers and styles are programs or may fetch; a link leads to a place of this page or this server only. */
static bool is_refused(const char *name, const char *value)
{
    bool link = strcasecmp(name, "href") == 0 || strcasecmp(name, "src") == 0 ||
                strcasecmp(name, "xlink:href") == 0 || strcasecmp(name, "action") == 0;
    return !is_name(name) || strncasecmp(name, "on", 2) == 0 || strcasecmp(name, "style") == 0 ||
           strcasecmp(name, "srcdoc") == 0 ||
           (link && value[0] != '#' && strncmp(value, "./", 2) != 0 &&
            (value[0] != '/' || value[1] == '/' || value[1] == '\\'));
}

void html_attr(struct html *h, const char *name, const char *value)
{
    if (!good(h))
        return;
    if (!h->in_tag || is_refused(name, value)) {
        (void)error_set(&h->why, E_INTERNAL, "a page may not hold an attribute '%s' there", name);
        return;
    }
    put(h, " ");
    put(h, name);
    put(h, "=\"");
    put_escaped(h, value);
    put(h, "\"");
}

void html_attrf(struct html *h, const char *name, const char *fmt, ...)
{
    char text[HTML_TEXTF_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    html_attr(h, name, text);
}

void html_attr_coord(struct html *h, const char *name, double value)
{
    long hundredths = isfinite(value) && fabs(value) < 1e9 ? lround(value * 100) : 0;
    long whole = labs(hundredths);
    html_attrf(h, name, "%s%ld.%02ld", hundredths < 0 ? "-" : "", whole / 100, whole % 100);
}

void html_text(struct html *h, const char *text)
{
    end_tag(h);
    put_escaped(h, text);
}

void html_textf(struct html *h, const char *fmt, ...)
{
    char text[HTML_TEXTF_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    html_text(h, text);
}

void html_close(struct html *h)
{
    if (!good(h))
        return;
    if (h->depth == 0) {
        (void)error_set(&h->why, E_INTERNAL, "a page closes an element that it has not opened");
        return;
    }
    const char *name = h->open[--h->depth];
    end_tag(h);
    if (is_void(name))
        return;
    put(h, "</");
    put(h, name);
    put(h, ">");
}

void html_element(struct html *h, const char *name, const char *cls, const char *text)
{
    html_open(h, name);
    if (cls != NULL)
        html_attr(h, "class", cls);
    if (text != NULL)
        html_text(h, text);
    html_close(h);
}

void html_trusted(struct html *h, const char *markup)
{
    end_tag(h);
    put(h, markup);
}

int html_finish(struct html *h, struct buf *out, struct error *err)
{
    if (good(h) && h->depth > 0)
        (void)error_set(&h->why, E_INTERNAL, "a page ends inside of <%s>", h->open[h->depth - 1]);
    if (!good(h))
        return error_copy(err, &h->why);
    return buf_append(out, h->out.data, h->out.len, err);
}

void html_free(struct html *h)
{
    buf_free(&h->out);
    *h = (struct html)HTML_INIT;
}
