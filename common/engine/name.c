#include "common/engine/name.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/fact.h"
#include "common/base/str.h"

#include "common/base/banned.h"

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

int name_encode(struct buf *out, const char *name, struct error *err)
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
char *name_decode(const char *text, size_t len, const char *violation, struct error *err)
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
        rc = name_encode(&again, (const char *)name.data, err);
    if (rc == 0 && (!good || again.len != len || memcmp(again.data, text, len) != 0)) {
        char shown[256];
        char *copy = str_dup_len(text, len, NULL);
        rc = error_corrupt(err, violation, "\"%s\" is no encoded name",
                           str_printable(shown, sizeof shown, copy != NULL ? copy : "?"));
        free(copy);
    }
    buf_free(&again);
    if (rc == 0)
        return (char *)name.data;
    buf_free(&name);
    return NULL;
}

/* ---- facts ---------------------------------------------------------------------------------------------- */

int name_fact(struct buf *out, const char *key, const char *name, struct error *err)
{
    int rc = buf_printf(out, err, "%s=", key);
    if (rc == 0)
        rc = name_encode(out, name, err);
    return rc == 0 ? buf_append(out, "\n", 1, err) : rc;
}

char *name_fact_text(const char *facts, const char *key, const char *of, const char *violation,
                     struct error *err)
{
    size_t cap = strlen(facts) + 1;
    char *value = mem_alloc(cap, 1, err);
    if (value == NULL || fact_get(facts, key, value, cap))
        return value;
    free(value);
    char shown[256];
    (void)error_corrupt(err, violation, "%s has no fact \"%s\"", str_printable(shown, sizeof shown, of), key);
    return NULL;
}

int names_of_fact(const char *facts, const char *key, const char *violation, struct vec *out,
                  struct error *err)
{
    char *list = name_fact_text(facts, key, "", violation, NULL);
    int rc = 0;
    for (const char *at = list; rc == 0 && at != NULL && *at != '\0';) {
        size_t len = strcspn(at, ",");
        char *name = name_decode(at, len, violation, err);
        char **slot = name != NULL ? vec_push(out, err) : NULL;
        if (slot != NULL)
            *slot = name;
        else
            free(name);
        rc = slot != NULL ? 0 : err != NULL && err->code < 0 ? err->code : E_CORRUPT;
        at += len + (at[len] == ',');
    }
    free(list);
    return rc;
}

int names_add(struct vec *names, const char *name, struct error *err)
{
    char **slot = vec_push(names, err);
    return slot != NULL && (*slot = str_dup(name, err)) != NULL ? 0 : E_NOMEM;
}

void names_free(struct vec *names)
{
    for (size_t i = 0; i < names->len; i++)
        free(*(char **)vec_at(names, i));
    vec_free(names);
}

const char *names_text(const struct vec *names, char *out, size_t cap)
{
    char shown[200];
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < names->len; i++) {
        const char *name = str_printable(shown, sizeof shown, *(char **)vec_at(names, i));
        if (used + strlen(name) + 24 > cap) {
            (void)snprintf(out + used, cap - used, " and %zu more", names->len - i);
            break;
        }
        used += (size_t)snprintf(out + used, cap - used, "%s%s", i == 0 ? "" : ", ", name);
    }
    return out;
}
