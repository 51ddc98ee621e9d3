#include "common/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/banned.h"

char *str_dup_len(const char *s, size_t len, struct error *err)
{
    char *copy = mem_alloc(len + 1, 1, err);
    if (copy != NULL && len != 0)
        memcpy(copy, s, len);
    return copy;
}

char *str_dup(const char *s, struct error *err)
{
    return str_dup_len(s, strlen(s), err);
}

char *str_printf(struct error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int need = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (need < 0) {
        (void)error_set(err, E_INTERNAL, "unprintable format");
        return NULL;
    }
    char *out = mem_alloc((size_t)need + 1, 1, err);
    if (out == NULL)
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(out, (size_t)need + 1, fmt, ap);
    va_end(ap);
    return out;
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s);
    size_t m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

void hex_encode(char *out, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool hex_decode(void *out, size_t len, const char *s)
{
    uint8_t *p = out;
    for (size_t i = 0; i < len; i++) {
        int hi = hex_digit(s[2 * i]);
        int lo = hi < 0 ? -1 : hex_digit(s[2 * i + 1]);
        if (lo < 0)
            return false;
        p[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

/* Length of the valid UTF-8 sequence at s, or 0. */
static size_t utf8_step(const uint8_t *s, size_t left)
{
    uint8_t c = s[0];
    if (c < 0x80)
        return 1;
    size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] > 0x9f) || (c == 0xf0 && s[1] < 0x90) ||
        (c == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

bool utf8_valid(const char *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_step(p + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

const char *str_printable(char *out, size_t cap, const char *s)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t left = strlen(s);
    size_t used = 0;
    while (left > 0 && used + 5 < cap) {
        size_t n = utf8_step(p, left);
        bool control = n == 1 && (p[0] < 0x20 || p[0] == 0x7f);
        bool c1 = n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
        if (n == 0 || control || c1) {
            used += (size_t)snprintf(out + used, cap - used, "\\x%02x", p[0]);
            n = 1;
        } else {
            memcpy(out + used, p, n);
            used += n;
        }
        p += n;
        left -= n;
    }
    if (cap > 0)
        out[used < cap ? used : cap - 1] = '\0';
    return out;
}

const char *str_shell_word(char *out, size_t cap, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.,:=@%+-";
    static const char quote[] = "'\\''";
    enum { MORE = sizeof quote - 2 };
    size_t quotes = 0;
    (void)str_printable(out, cap, s);
    if (s[0] != '\0' && s[strspn(s, plain)] == '\0')
        return out;
    size_t len = strlen(out);
    for (size_t i = 0; i < len; i++)
        quotes += out[i] == '\'';
    if (cap < sizeof "''")
        return out;
    if (len + MORE * quotes + sizeof "''" > cap)
        len = quotes = 0;
    /* from the end, so that nothing is overwritten before it was moved */
    size_t to = len + MORE * quotes + sizeof "''";
    out[--to] = '\0';
    out[--to] = '\'';
    while (len-- > 0) {
        to -= out[len] == '\'' ? sizeof quote - 1 : 1;
        if (out[len] == '\'')
            memcpy(out + to, quote, sizeof quote - 1);
        else
            out[to] = out[len];
    }
    out[0] = '\'';
    return out;
}

size_t str_distance(const char *a, const char *b, size_t limit)
{
    enum { WORD_MAX = 64 };
    size_t n = strlen(a);
    size_t m = strlen(b);
    if (n > WORD_MAX || m > WORD_MAX)
        return limit + 1;
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[m] <= limit ? row[m] : limit + 1;
}
