#include "common/engine/mariadb/rowtext.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/str.h"
#include "common/engine/fields.h"

#include "common/base/banned.h"

#define ERR_ROWS "mariadb-rows"
enum { STATEMENT = 1 << 20, INDEX_DIGITS_MAX = 5 /* 65535 values */ };

struct rowtext {
    enum rowtext_kind kind;
    const struct maria_table *table;
    struct fields *fields;
    struct buf head;  /* INSERT INTO ... VALUES */
    struct buf row;   /* (...) of an INSERT that is being made */
    size_t statement; /* bytes of the one that is open; 0: none is */
    bool loose;       /* the row has a value that a strict server refuses */
};

static bool is_one_of(const char *charset, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(charset, *names) == 0)
            return true;
    return false;
}

static bool is_utf8(const struct maria_column *col)
{
    static const char *const names[] = { "utf8mb4", "utf8mb3", "utf8", "ascii", NULL };
    return is_one_of(col->charset, names);
}

/* Digits, dates, addresses: ASCII whatever the column's character set is. */
static bool is_ascii(const struct maria_column *col)
{
    return col->kind != KIND_BYTES && col->kind != KIND_ENUM;
}

static bool is_latin1(const struct maria_column *col)
{
    return strcmp(col->charset, "latin1") == 0;
}

bool rowtext_hex(const struct maria_column *col)
{
    return !is_ascii(col) && !is_utf8(col) && !is_latin1(col);
}

/* ---- values -------------------------------------------------------------------------------------------------- */

static int put_hex(struct buf *out, const char *p, size_t len, struct error *err)
{
    static const char digits[] = "0123456789ABCDEF";
    int rc = buf_reserve(out, 2 * len, err);
    for (size_t i = 0; rc == 0 && i < len; i++) {
        uint8_t byte = (uint8_t)p[i];
        out->data[out->len++] = (uint8_t)digits[byte >> 4];
        out->data[out->len++] = (uint8_t)digits[byte & 15];
    }
    return rc;
}

/* What the server calls latin1 is Windows-1252, whose five unused bytes are the control characters of the same number. */
static int put_latin1(struct buf *out, const char *p, size_t len, struct error *err)
{
    static const uint16_t high[32] = { 0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                       0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                       0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                       0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178 };
    int rc = buf_reserve(out, 3 * len, err);
    uint8_t *to = rc == 0 ? out->data + out->len : NULL;
    for (size_t i = 0; rc == 0 && i < len; i++) {
        uint8_t byte = (uint8_t)p[i];
        unsigned c = byte >= 0x80 && byte < 0xA0 ? high[byte - 0x80] : byte;
        if (c >= 0x800)
            *to++ = (uint8_t)(0xE0 | c >> 12);
        if (c >= 0x800)
            *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        else if (c >= 0x80)
            *to++ = (uint8_t)(0xC0 | c >> 6);
        *to++ = (uint8_t)(c < 0x80 ? c : (0x80 | (c & 0x3F)));
    }
    if (rc == 0)
        out->len = (size_t)(to - out->data);
    return rc;
}

/* 'text', for every client: no byte of it is a control character that one of them might change. */
static int put_literal(struct buf *out, const char *p, size_t len, struct error *err)
{
    static const char special[] = "\0\n\r\x1a\\'\t";
    static const char letters[] = "0nrZ\\'t";
    int rc = buf_reserve(out, 2 * len + 2, err);
    if (rc < 0)
        return rc;
    out->data[out->len++] = '\'';
    for (size_t i = 0; i < len; i++) {
        const char *at = memchr(special, p[i], sizeof special - 1);
        if (at != NULL)
            out->data[out->len++] = '\\';
        out->data[out->len++] = (uint8_t)(at != NULL ? letters[at - special] : p[i]);
    }
    out->data[out->len++] = '\'';
    return 0;
}

/* ---- CSV ------------------------------------------------------------------------------------------------------ */

static int csv_field(void *arg, size_t column, const char *value, size_t len, struct buf *out,
                     struct error *err)
{
    struct rowtext *t = arg;
    const struct maria_column *col = vec_at(&t->table->columns, column);
    bool alone = t->table->columns.len == 1;
    int rc = column != 0 ? buf_append(out, ",", 1, err) : 0;
    if (rc < 0 || value == NULL)
        return rc;
    buf_clear(&t->row);
    if (!is_ascii(col) && is_latin1(col))
        rc = put_latin1(&t->row, value, len, err);
    else if (rowtext_hex(col))
        rc = put_hex(&t->row, value, len, err);
    else
        return fields_put_csv(out, value, len, alone, err);
    return rc == 0 ? fields_put_csv(out, t->row.data != NULL ? (const char *)t->row.data : "", t->row.len,
                                    alone, err)
                   : rc;
}

static int csv_row_end(void *arg, struct buf *out, struct error *err)
{
    (void)arg;
    return buf_append(out, "\n", 1, err);
}

static int write_header(struct rowtext *t, struct error *err)
{
    struct buf *out = fields_out(t->fields);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->table->columns.len; i++) {
        const char *name = ((struct maria_column *)vec_at(&t->table->columns, i))->name;
        rc = i != 0 ? buf_append(out, ",", 1, err) : 0;
        if (rc == 0)
            rc = fields_put_csv(out, name, strlen(name), t->table->columns.len == 1, err);
    }
    return rc == 0 ? csv_row_end(t, out, err) : rc;
}

/* ---- INSERT --------------------------------------------------------------------------------------------------- */

/* Bare, so it must be nothing but a number: what comes from a snapshot is no SQL. */
static int put_index(struct buf *out, const struct maria_column *col, const char *value, size_t len,
                     struct error *err)
{
    char shown[100];
    bool number = len != 0 && len <= INDEX_DIGITS_MAX;
    for (size_t i = 0; number && i < len; i++)
        number = value[i] >= '0' && value[i] <= '9';
    if (!number)
        return error_corrupt(err, ERR_ROWS, "column %s: the number of an ENUM's value is none",
                             str_printable(shown, sizeof shown, col->name));
    return buf_append(out, value, len, err);
}

static int put_value(struct buf *out, const struct maria_column *col, const char *value, size_t len,
                     struct error *err)
{
    if (value == NULL)
        return buf_append(out, "NULL", 4, err);
    if (col->kind == KIND_INDEX) /* as a text it would be looked for among the values */
        return put_index(out, col, value, len, err);
    if (is_ascii(col) || (is_utf8(col) && utf8_valid(value, len)))
        return put_literal(out, value, len, err);
    int rc = buf_append(out, "x'", 2, err);
    if (rc == 0)
        rc = put_hex(out, value, len, err);
    return rc == 0 ? buf_append(out, "'", 1, err) : rc;
}

static int insert_field(void *arg, size_t column, const char *value, size_t len, struct buf *out,
                        struct error *err)
{
    struct rowtext *t = arg;
    const struct maria_column *col = vec_at(&t->table->columns, column);
    (void)out;
    if (value != NULL &&
        ((col->kind == KIND_ENUM && len == 0) || (col->kind == KIND_INDEX && len == 1 && value[0] == '0')))
        t->loose = true;
    int rc = buf_append(&t->row, column == 0 ? "(" : ", ", column == 0 ? 1 : 2, err);
    return rc == 0 ? put_value(&t->row, col, value, len, err) : rc;
}

static int end_statement(struct rowtext *t, struct buf *out, struct error *err)
{
    int rc = t->statement != 0 ? buf_append(out, ";\n", 2, err) : 0;
    t->statement = 0;
    return rc;
}

static int add_row(struct rowtext *t, struct buf *out, struct error *err)
{
    bool first = t->statement == 0;
    int rc = first ? buf_append(out, t->head.data, t->head.len, err) : buf_append(out, ",\n", 2, err);
    t->statement += t->row.len + 2;
    return rc == 0 ? buf_append(out, t->row.data, t->row.len, err) : rc;
}

static int insert_row_end(void *arg, struct buf *out, struct error *err)
{
    struct rowtext *t = arg;
    int rc = t->table->columns.len == 0 ? buf_append(&t->row, "(", 1, err) : 0;
    if (rc == 0)
        rc = buf_append(&t->row, ")", 1, err);
    if (rc == 0 && (t->loose || t->statement + t->row.len > STATEMENT))
        rc = end_statement(t, out, err);
    if (rc == 0 && t->loose)
        rc = buf_printf(out, err, "SET SESSION sql_mode='%s';\n", ROWTEXT_LOOSE);
    if (rc == 0)
        rc = add_row(t, out, err);
    if (rc == 0 && (t->loose || t->kind == ROWTEXT_INSERTS))
        rc = end_statement(t, out, err);
    if (rc == 0 && t->loose)
        rc = buf_printf(out, err, "SET SESSION sql_mode='%s';\n", ROWTEXT_STRICT);
    t->loose = false;
    buf_clear(&t->row);
    return rc;
}

static int make_head(struct rowtext *t, const char *into, struct error *err)
{
    int rc = buf_printf(&t->head, err, "INSERT INTO %s (", into);
    if (rc == 0)
        rc = maria_column_list(t->table, false, &t->head, err);
    return rc == 0 ? buf_printf(&t->head, err, t->kind == ROWTEXT_BLOCKS ? ") VALUES\n" : ") VALUES ") : rc;
}

/* ---- the whole ------------------------------------------------------------------------------------------------ */

struct rowtext *rowtext_new(enum rowtext_kind kind, const struct maria_table *table, const char *into,
                            struct sink *out, struct error *err)
{
    struct rowtext *t = mem_alloc(1, sizeof *t, err);
    bool csv = kind == ROWTEXT_CSV;
    if (t == NULL)
        return NULL;
    t->kind = kind;
    t->table = table;
    const struct fields_options options = {
        .columns = table->columns.len,
        .letters = "0tn",
        .bytes = "\0\t\n",
        .nletters = 3,
        .violation = ERR_ROWS,
        .sink = out,
        .field = csv ? csv_field : insert_field,
        .row_end = csv ? csv_row_end : insert_row_end,
        .arg = t,
    };
    t->fields = fields_new(&options, err);
    if (t->fields != NULL && (csv ? write_header(t, err) : make_head(t, into, err)) == 0)
        return t;
    rowtext_free(t);
    return NULL;
}

int rowtext_feed(struct rowtext *t, const void *data, size_t len, struct error *err)
{
    return fields_feed(t->fields, data, len, err);
}

int rowtext_end(struct rowtext *t, uint64_t *rows, struct error *err)
{
    int rc = end_statement(t, fields_out(t->fields), err);
    return rc == 0 ? fields_end(t->fields, rows, err) : rc;
}

void rowtext_free(struct rowtext *t)
{
    if (t == NULL)
        return;
    fields_free(t->fields);
    buf_free(&t->head);
    buf_free(&t->row);
    free(t);
}
