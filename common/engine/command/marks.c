/* begin_mark and end_mark: what a whole output starts and ends with. */
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/command/internal.h"

#include "common/base/banned.h"

static const char hex_prefix[] = "hex:";

int command_mark_read(const struct engine_job *job, const char *key, struct command_mark *out,
                      struct error *err)
{
    const char *text = engine_option(job, key);
    *out = (struct command_mark){ .len = 0 };
    if (text == NULL)
        return 0;
    out->text = !str_starts(text, hex_prefix);
    size_t len = out->text ? strlen(text) : strlen(text + sizeof hex_prefix - 1) / 2;
    if (len == 0 || len > COMMAND_MARK_MAX)
        return error_set(err, E_USAGE, "job %s: %s has %zu bytes (1 to %d)", job->name, key, len,
                         COMMAND_MARK_MAX);
    if (out->text)
        memcpy(out->bytes, text, len);
    else if (strlen(text) % 2 != 0 || !hex_decode(out->bytes, len, text + sizeof hex_prefix - 1))
        return error_set(err, E_USAGE, "job %s: %s: \"%s\" is no hex: with two digits (0-9 a-f) a byte",
                         job->name, key, text);
    out->len = len;
    return 0;
}

void command_ends_add(struct command_ends *e, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t room = sizeof e->head - e->head_len;
    size_t take = len < room ? len : room;
    memcpy(e->head + e->head_len, bytes, take);
    e->head_len += take;
    take = len < sizeof e->tail ? len : sizeof e->tail;
    size_t keep = sizeof e->tail - take;
    keep = keep < e->tail_len ? keep : e->tail_len;
    memmove(e->tail, e->tail + e->tail_len - keep, keep);
    memcpy(e->tail + keep, bytes + len - take, take);
    e->tail_len = keep + take;
}

/* "\x1f\x8b..." in at most a line. */
static const char *shown(char *out, size_t cap, const uint8_t *bytes, size_t len)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < len && used + 8 < cap; i++) {
        bool plain = bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\';
        (void)snprintf(out + used, cap - used, plain ? "%c" : "\\x%02x", bytes[i]);
        used += plain ? 1 : 4;
    }
    return out;
}

static int differs(const char *program, const char *verb, const char *key, const struct command_mark *mark,
                   const uint8_t *found, size_t len, struct error *err)
{
    char is[160];
    char want[160];
    return error_set(
        err, E_IO,
        "%s ended well, but its output %s with \"%s\" and not with \"%s\" (`%s`): it is not whole, or "
        "not what the mark was made for",
        program, verb, shown(is, sizeof is, found, len), shown(want, sizeof want, mark->bytes, mark->len),
        key);
}

/* A newline at the very end belongs to no text, unless the mark has one. */
static size_t without_newline(const struct command_ends *e, const struct command_mark *mark)
{
    size_t len = e->tail_len;
    if (mark->text && mark->bytes[mark->len - 1] != '\n' && len > 0 && e->tail[len - 1] == '\n') {
        len--;
        if (len > 0 && e->tail[len - 1] == '\r')
            len--;
    }
    return len;
}

int command_ends_check(const struct command_ends *e, const char *program, const struct command_mark *begin,
                       const struct command_mark *end, struct error *err)
{
    size_t len = e->head_len < begin->len ? e->head_len : begin->len;
    if (len < begin->len || memcmp(e->head, begin->bytes, len) != 0)
        return differs(program, "begins", "begin_mark", begin, e->head, len, err);
    if (end->len == 0)
        return 0;
    size_t all = without_newline(e, end);
    len = all < end->len ? all : end->len;
    const uint8_t *at = e->tail + all - len;
    return len < end->len || memcmp(at, end->bytes, len) != 0
               ? differs(program, "ends", "end_mark", end, at, len, err)
               : 0;
}
