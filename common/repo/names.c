#include "common/repo/names.h"

#include <stdio.h>
#include <string.h>

#include "common/base/reader.h"
#include "common/base/str.h"

#include "common/base/banned.h"

enum { WRITER_HEX = 2 * WRITER_ID_LEN, RID_HEX = 2 * RID_LEN };

const char *name_charter(char out[NAME_TEXT_MAX], uint32_t version, uint8_t attempt)
{
    (void)snprintf(out, NAME_TEXT_MAX, "charter/%08x.%02x", version, attempt);
    return out;
}

const char *name_retention(char out[NAME_TEXT_MAX], uint32_t seq, uint8_t attempt)
{
    (void)snprintf(out, NAME_TEXT_MAX, "ret/%08x.%02x", seq, attempt);
    return out;
}

const char *name_record(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN], uint32_t seq,
                        uint8_t attempt)
{
    char id[WRITER_HEX + 1];
    hex_encode(id, writer, WRITER_ID_LEN);
    (void)snprintf(out, NAME_TEXT_MAX, "w/%s/log/%08x.%02x", id, seq, attempt);
    return out;
}

const char *name_snap(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN], uint32_t session,
                      uint8_t attempt)
{
    char id[WRITER_HEX + 1];
    hex_encode(id, writer, WRITER_ID_LEN);
    (void)snprintf(out, NAME_TEXT_MAX, "w/%s/snap/%08x.%02x", id, session, attempt);
    return out;
}

const char *name_pack(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN], uint32_t session,
                      uint32_t idx, uint8_t attempt)
{
    char id[WRITER_HEX + 1];
    hex_encode(id, writer, WRITER_ID_LEN);
    (void)snprintf(out, NAME_TEXT_MAX, "w/%s/pack/%08x-%06x.%02x", id, session, idx, attempt);
    return out;
}

const char *name_grant(char out[NAME_TEXT_MAX], const uint8_t rid[RID_LEN], uint32_t number, uint8_t attempt)
{
    char id[RID_HEX + 1];
    hex_encode(id, rid, RID_LEN);
    (void)snprintf(out, NAME_TEXT_MAX, "grant/%s-%08x.%02x", id, number, attempt);
    return out;
}

const char *name_format(char out[NAME_TEXT_MAX], const struct name *n)
{
    switch (n->kind) {
    case NAME_CHARTER:
        return name_charter(out, n->seq, n->attempt);
    case NAME_RETENTION:
        return name_retention(out, n->seq, n->attempt);
    case NAME_RECORD:
        return name_record(out, n->writer, n->seq, n->attempt);
    case NAME_SNAP:
        return name_snap(out, n->writer, n->session, n->attempt);
    case NAME_PACK:
        return name_pack(out, n->writer, n->session, n->idx, n->attempt);
    case NAME_GRANT:
        return name_grant(out, n->rid, n->seq, n->attempt);
    }
    out[0] = '\0';
    return out;
}

const char *name_dir(char out[NAME_TEXT_MAX], const struct name *n)
{
    char *slash = strrchr(name_format(out, n), '/') == NULL ? out : strrchr(out, '/');
    *slash = '\0';
    return out;
}

const char *name_writer_dir(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN])
{
    char id[WRITER_HEX + 1];
    hex_encode(id, writer, WRITER_ID_LEN);
    (void)snprintf(out, NAME_TEXT_MAX, "w/%s", id);
    return out;
}

const char *name_writer_sub(char out[NAME_TEXT_MAX], const uint8_t writer[WRITER_ID_LEN], const char *sub)
{
    char id[WRITER_HEX + 1];
    hex_encode(id, writer, WRITER_ID_LEN);
    (void)snprintf(out, NAME_TEXT_MAX, "w/%s/%s", id, sub);
    return out;
}

/* ---- parsing ----------------------------------------------------------------------------------------- */

/* Takes `digits` hex digits and the separator (NUL at the end) from *s. */
static bool take_number(const char **s, size_t digits, char separator, uint32_t *out)
{
    uint8_t raw[4] = { 0 };
    if (strnlen(*s, digits) != digits || !hex_decode(raw + 4 - digits / 2, digits / 2, *s) ||
        (*s)[digits] != separator)
        return false;
    *out = (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
    *s += digits + (separator != '\0');
    return true;
}

static bool in_range(uint32_t v, uint32_t max)
{
    return v >= 1 && v <= max;
}

bool name_parse(enum name_kind kind, const uint8_t writer[WRITER_ID_LEN], const char *entry, struct name *out)
{
    uint32_t number = 0;
    uint32_t attempt = 0;
    *out = (struct name){ .kind = kind };
    if (writer != NULL)
        memcpy(out->writer, writer, WRITER_ID_LEN);
    if (kind == NAME_GRANT) {
        if (strnlen(entry, RID_HEX) != RID_HEX || !hex_decode(out->rid, RID_LEN, entry) ||
            entry[RID_HEX] != '-')
            return false;
        entry += RID_HEX + 1;
    }
    if (!take_number(&entry, 8, kind == NAME_PACK ? '-' : '.', &number) || !in_range(number, SEQ_MAX))
        return false;
    if (kind == NAME_PACK && (!take_number(&entry, 6, '.', &out->idx) || out->idx > IDX_MAX))
        return false;
    if (!take_number(&entry, 2, '\0', &attempt))
        return false;
    if (kind == NAME_PACK || kind == NAME_SNAP)
        out->session = number;
    else
        out->seq = number;
    out->attempt = (uint8_t)attempt;
    return true;
}

bool name_parse_writer(const char *entry, uint8_t writer[WRITER_ID_LEN])
{
    return strnlen(entry, WRITER_HEX + 1) == WRITER_HEX && hex_decode(writer, WRITER_ID_LEN, entry);
}

uint64_t name_limit(enum name_kind kind)
{
    switch (kind) {
    case NAME_CHARTER:
        return CHARTER_MAX;
    case NAME_RETENTION:
    case NAME_RECORD:
        return RECORD_MAX;
    case NAME_SNAP:
        return SNAP_MAX;
    case NAME_PACK:
        return PACK_SIZE_MAX;
    case NAME_GRANT:
        return GRANT_MAX;
    }
    return 0;
}

/* ---- publishing -------------------------------------------------------------------------------------- */

enum found { FOUND_NOTHING, FOUND_OWN, FOUND_TORN, FOUND_OTHER };

/* What is there under the name of an attempt? */
static int look(struct backend *b, const struct name *n, const void *data, size_t len,
                publish_valid_fn *valid, void *arg, enum found *found, struct error *err)
{
    char text[NAME_TEXT_MAX];
    struct backend_stat st;
    struct error why = ERROR_INIT;
    struct buf there = BUF_INIT;
    int rc = valid == NULL ? backend_stat(b, name_format(text, n), &st, &why)
                           : backend_read_all(b, name_format(text, n), name_limit(n->kind), &there, &why);
    *found = FOUND_TORN;
    if (rc == E_NOT_FOUND) {
        *found = FOUND_NOTHING;
        rc = 0;
    } else if (rc == E_CORRUPT) {
        rc = 0; /* above its limit: nobody reads it */
    } else if (rc < 0) {
        (void)error_copy(err, &why);
    } else if (valid != NULL && there.len == len && memcmp(there.data, data, len) == 0) {
        *found = FOUND_OWN;
    } else if (valid != NULL && valid(there.data, there.len, arg)) {
        *found = FOUND_OTHER;
    }
    buf_free(&there);
    return rc;
}

static int fork_found(const struct name *n, struct error *err)
{
    char text[NAME_TEXT_MAX];
    return error_named(
        err, E_CONFLICT, ERR_LOG_FORK,
        "%s holds another valid object with this number: two hosts use one identity; stop both",
        name_format(text, n));
}

int publish_object(struct backend *b, struct name *n, const void *data, size_t len, publish_valid_fn *valid,
                   void *arg, struct error *err)
{
    char text[NAME_TEXT_MAX];
    unsigned failures = 0;
    for (unsigned attempt = n->attempt; attempt < ATTEMPTS;) {
        struct error why = ERROR_INIT;
        enum found found;
        n->attempt = (uint8_t)attempt;
        int rc = backend_put(b, name_format(text, n), data, len, &why);
        if (rc == 0)
            return 0;
        if (rc != E_EXISTS && (!error_is_passing(rc) || ++failures >= PUBLISH_TRIES))
            return error_copy(err, &why);
        bool existed = rc == E_EXISTS;
        rc = look(b, n, data, len, valid, arg, &found, err);
        if (rc < 0)
            return rc;
        if (found == FOUND_OWN)
            return 0;
        if (found == FOUND_OTHER)
            return fork_found(n, err);
        if (found == FOUND_TORN)
            attempt++;
        else if (existed && ++failures >= PUBLISH_TRIES) /* there for create, not there for read */
            return error_set(err, E_IO, "%s exists and does not exist: the storage contradicts itself", text);
    }
    return error_set(err, E_CONFLICT, "%s: all %d attempts are used up; enrol a new identity",
                     name_format(text, n), ATTEMPTS);
}
