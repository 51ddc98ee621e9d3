#include "common/engine/postgres/name.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

#include "common/base/banned.h"

#define ERR_NAME "postgres-name"

static bool is_plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Marks that nobody sees, or that turn the text around. */
static bool is_invisible(const uint8_t *p, size_t len)
{
    if (len == 2)
        return p[0] == 0xc2 && p[1] <= 0xa0;
    if (len != 3)
        return false;
    return (p[0] == 0xe2 && (p[1] == 0x80 || (p[1] == 0x81 && p[2] <= 0xaf))) ||
           (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf);
}

/* The length of the UTF-8 sequence at p that may stay; 0: none. */
static size_t letter(const uint8_t *p, size_t left)
{
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
    bool stays = len != 0 && len <= left && utf8_valid((const char *)p, len) && !is_invisible(p, len);
    return stays ? len : 0;
}

int pgsql_encode(struct buf *out, const char *name, struct error *err)
{
    const uint8_t *p = (const uint8_t *)name;
    size_t left = strlen(name);
    bool first = true;
    while (left > 0) {
        size_t n = letter(p, left);
        int rc;
        if (is_plain(p[0]) && !(first && p[0] == '-'))
            n = 1;
        rc = n != 0 ? buf_append(out, p, n, err) : buf_printf(out, err, "%%%02X", (unsigned)p[0]);
        if (rc < 0)
            return rc;
        n = n != 0 ? n : 1;
        p += n;
        left -= n;
        first = false;
    }
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Also refuses what would have been written in another way, so that no name has two spellings. */
char *pgsql_decode(const char *text, size_t len, struct error *err)
{
    struct buf name = BUF_INIT;
    struct buf again = BUF_INIT;
    bool good = len > 0;
    int rc = 0;
    for (size_t i = 0; i < len && good && rc == 0; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;
            good = high >= 0 && low >= 0 && (high | low) != 0;
            c = (char)(high * 16 + low);
            i += 2;
        }
        good = good && c != '\0';
        if (good)
            rc = buf_append(&name, &c, 1, err);
    }
    if (rc == 0 && good)
        rc = buf_append(&name, "", 1, err);
    if (rc == 0 && good)
        rc = pgsql_encode(&again, (const char *)name.data, err);
    if (rc == 0 && (!good || again.len != len || memcmp(again.data, text, len) != 0)) {
        char shown[256];
        char *copy = str_dup_len(text, len, NULL);
        rc = error_corrupt(err, ERR_NAME, "\"%s\" is no encoded name",
                           str_printable(shown, sizeof shown, copy != NULL ? copy : "?"));
        free(copy);
    }
    buf_free(&again);
    if (rc == 0)
        return (char *)name.data;
    buf_free(&name);
    return NULL;
}

static int wrapped(struct buf *out, const char *text, char mark, const char *special, char before,
                   struct error *err)
{
    int rc = buf_append(out, &mark, 1, err);
    for (const char *p = text; *p != '\0' && rc == 0; p++) {
        if (strchr(special, *p) != NULL)
            rc = buf_append(out, before != '\0' ? &before : p, 1, err);
        if (rc == 0)
            rc = buf_append(out, p, 1, err);
    }
    return rc == 0 ? buf_append(out, &mark, 1, err) : rc;
}

int pgsql_quote(struct buf *out, const char *name, struct error *err)
{
    return wrapped(out, name, '"', "\"", '\0', err);
}

int pgsql_literal(struct buf *out, const char *text, struct error *err)
{
    return wrapped(out, text, '\'', "'", '\0', err);
}

int pgsql_conninfo_value(struct buf *out, const char *text, struct error *err)
{
    return wrapped(out, text, '\'', "'\\", '\\', err);
}
