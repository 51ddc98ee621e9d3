#include <string.h>

#include "common/engine/postgres/internal.h"

#include "common/base/banned.h"

/*
 * PGCOPY\n\377\r\n\0 | u32 flags | u32 length of the extension | extension | tuples | i16 -1
 * tuple: i16 fields | fields x { i32 length, -1 for NULL | bytes }, all big-endian. A row is a whole tuple.
 */
enum { HEADER_LEN = 19, SIGNATURE_LEN = 11, FIELDS_MAX = 1664 };
enum { AT_HEADER, AT_EXTENSION, AT_TUPLE, AT_LENGTH, AT_FIELD, AT_END };

#define ERR_COPY "postgres-copy"

void pgsql_tuples_init(struct pgsql_tuples *t)
{
    *t = (struct pgsql_tuples){ .need = HEADER_LEN, .state = AT_HEADER };
}

bool pgsql_tuples_ended(const struct pgsql_tuples *t)
{
    return t->state == AT_END;
}

static uint32_t number(const uint8_t *p, size_t n)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static void expect(struct pgsql_tuples *t, int state, size_t need)
{
    t->state = state;
    t->need = need;
    t->have = 0;
}

static int header_done(struct pgsql_tuples *t, struct error *err)
{
    static const uint8_t signature[SIGNATURE_LEN] = "PGCOPY\n\377\r\n";
    if (memcmp(t->head, signature, sizeof signature) != 0)
        return error_corrupt(err, ERR_COPY, "this is not COPY's binary format");
    t->skip = number(t->head + 15, 4);
    expect(t, t->skip != 0 ? AT_EXTENSION : AT_TUPLE, 2);
    return 0;
}

static void field_done(struct pgsql_tuples *t, struct fingerprint *fp)
{
    t->fields--;
    if (t->fields == 0)
        fingerprint_row(fp);
    expect(t, t->fields == 0 ? AT_TUPLE : AT_LENGTH, t->fields == 0 ? 2 : 4);
}

static int tuple_begun(struct pgsql_tuples *t, struct fingerprint *fp, struct error *err)
{
    uint32_t n = number(t->head, 2);
    if (n == 0xffff) {
        expect(t, AT_END, 0);
        return 0;
    }
    if (n > FIELDS_MAX)
        return error_corrupt(err, ERR_COPY, "a row with %lu fields", (unsigned long)n);
    fingerprint_piece(fp, t->head, 2);
    t->fields = n;
    if (n == 0)
        fingerprint_row(fp);
    expect(t, n == 0 ? AT_TUPLE : AT_LENGTH, n == 0 ? 2 : 4);
    return 0;
}

static int length_done(struct pgsql_tuples *t, struct fingerprint *fp, struct error *err)
{
    uint32_t n = number(t->head, 4);
    fingerprint_piece(fp, t->head, 4);
    if (n == UINT32_MAX || n == 0) {
        field_done(t, fp);
        return 0;
    }
    if (n > INT32_MAX)
        return error_corrupt(err, ERR_COPY, "a field of %lu bytes", (unsigned long)n);
    t->skip = n;
    t->state = AT_FIELD;
    return 0;
}

static int head_done(struct pgsql_tuples *t, struct fingerprint *fp, struct error *err)
{
    switch (t->state) {
    case AT_HEADER:
        return header_done(t, err);
    case AT_TUPLE:
        return tuple_begun(t, fp, err);
    default:
        return length_done(t, fp, err);
    }
}

int pgsql_tuples_add(struct pgsql_tuples *t, struct fingerprint *fp, const void *data, size_t len,
                     struct error *err)
{
    const uint8_t *p = data;
    while (len > 0) {
        size_t n;
        int rc = 0;
        if (t->state == AT_END)
            return error_corrupt(err, ERR_COPY, "something follows the end of the rows");
        if (t->state == AT_FIELD || t->state == AT_EXTENSION) {
            n = t->skip < len ? (size_t)t->skip : len;
            if (t->state == AT_FIELD)
                fingerprint_piece(fp, p, n);
            t->skip -= n;
            if (t->skip == 0 && t->state == AT_FIELD)
                field_done(t, fp);
            else if (t->skip == 0)
                expect(t, AT_TUPLE, 2);
        } else {
            n = t->need - t->have < len ? t->need - t->have : len;
            memcpy(t->head + t->have, p, n);
            t->have += n;
            if (t->have == t->need)
                rc = head_done(t, fp, err);
        }
        if (rc < 0)
            return rc;
        p += n;
        len -= n;
    }
    return 0;
}
