/* How the columns of tables are read and loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/name.h"
#include "common/engine/option.h"

#include "common/base/banned.h"

static enum maria_kind kind_of(const char *type)
{
    static const char *const fixed[] = { "uuid", "inet4", "inet6" };
    static const char *const plain[] = { "tinyint", "smallint", "mediumint", "int",       "bigint", "decimal",
                                         "double",  "date",     "datetime",  "timestamp", "time",   "year" };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (strcasecmp(fixed[i], type) == 0)
            return KIND_FIXED;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcasecmp(plain[i], type) == 0)
            return KIND_PLAIN;
    if (strcasecmp(type, "enum") == 0)
        return KIND_ENUM;
    return strcasecmp(type, "float") == 0 ? KIND_FLOAT : KIND_BYTES;
}

/* "enum('a','','it''s')": is the empty text one of them? */
static bool has_empty_value(const char *type)
{
    for (const char *p = strchr(type, '('); p != NULL && p[0] != '\0' && p[1] == '\'';) {
        const char *from = p + 2;
        for (p = from; *p != '\0' && (*p != '\'' || p[1] == '\''); p++)
            p += *p == '\'';
        if (p == from)
            return true;
        p += *p == '\'';
    }
    return false;
}

static int add_column(struct maria_table *t, const char *name, enum maria_kind kind, const char *charset,
                      struct error *err)
{
    struct maria_column *col = vec_push(&t->columns, err);
    if (col == NULL || (col->name = str_dup(name, err)) == NULL)
        return E_NOMEM;
    col->kind = kind;
    (void)snprintf(col->charset, sizeof col->charset, "%s", charset);
    return 0;
}

/* table, column, type, generated, expression, character set, type in full, more of it */
static int take_column(MYSQL_ROW row, struct maria_table *t, struct error *err)
{
    const char *expression = maria_field(row, 4);
    bool period = strcmp(expression, "ROW START") == 0 || strcmp(expression, "ROW END") == 0;
    if (period && strcasecmp(maria_field(row, 2), "timestamp") != 0) {
        char shown[200];
        return error_set(
            err, E_UNSUPPORTED,
            "table %s.%s is versioned by transactions, whose numbers no other server knows: leave it out "
            "with `exclude_tables`, or version it by time",
            t->database, str_printable(shown, sizeof shown, t->name));
    }
    if (!period && strcmp(maria_field(row, 3), "ALWAYS") == 0)
        return 0;
    enum maria_kind kind = kind_of(maria_field(row, 2));
    if (kind == KIND_ENUM && has_empty_value(maria_field(row, 6)))
        kind = KIND_INDEX;
    if (kind == KIND_PLAIN && strstr(maria_field(row, 7), "auto_increment") != NULL)
        kind = KIND_AUTO;
    return add_column(t, maria_field(row, 1), kind, row[5] != NULL ? row[5] : "-", err);
}

/* Named or not, a versioned table has two columns that say when a row was valid. */
static int add_period(struct maria_table *t, bool named, struct error *err)
{
    if (!t->versioned || named)
        return 0;
    int rc = add_column(t, "row_start", KIND_PLAIN, "-", err);
    return rc == 0 ? add_column(t, "row_end", KIND_PLAIN, "-", err) : rc;
}

static struct maria_table *table_at(const struct vec *tables, size_t *at, const char *name)
{
    while (*at < tables->len) {
        struct maria_table *t = vec_at(tables, *at);
        int order = strcmp(t->name, name);
        if (order >= 0)
            return order == 0 ? t : NULL;
        (*at)++;
    }
    return NULL;
}

/* Both lists are in the order of the names' bytes. */
static int add_columns(struct maria *c, const char *literal, struct vec *tables, size_t from,
                       struct error *err)
{
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    size_t at = from;
    struct maria_table *last = NULL;
    bool named = false;
    int rc = maria_queryf(
        c, &r, err,
        "SELECT table_name, column_name, data_type, is_generated, generation_expression, "
        "character_set_name, column_type, extra FROM information_schema.columns WHERE table_schema = %s AND BINARY table_schema = %s "
        "ORDER BY BINARY table_name, ordinal_position",
        literal, literal);
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL) {
        struct maria_table *t = table_at(tables, &at, maria_field(row, 0));
        if (t != last && last != NULL)
            rc = add_period(last, named, err);
        named = t == last && named;
        last = t;
        named = named || strcmp(maria_field(row, 4), "ROW START") == 0;
        if (rc == 0 && t != NULL)
            rc = take_column(row, t, err);
    }
    if (rc == 0 && last != NULL)
        rc = add_period(last, named, err);
    mysql_free_result(r);
    return rc;
}

/* "db.table.column", or "table.column" when the job has one database. */
static int add_freshness(const struct maria_settings *s, struct maria_table *t, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < option_count(s->job, "freshness"); i++) {
        const char *wanted = option_at(s->job, "freshness", i);
        for (size_t j = 0; rc == 0 && j < t->columns.len; j++) {
            const struct maria_column *col = vec_at(&t->columns, j);
            char *with = str_printf(err, "%s.%s.%s", t->database, t->name, col->name);
            if (with == NULL)
                return E_NOMEM;
            bool same = strcmp(with, wanted) == 0 || strcmp(with + strlen(t->database) + 1, wanted) == 0;
            free(with);
            if (same)
                rc = names_add(&t->fresh, col->name, err);
        }
    }
    return rc;
}

int maria_list_columns(struct maria *c, const struct maria_settings *s, const char *literal,
                       struct vec *tables, size_t from, struct error *err)
{
    int rc = add_columns(c, literal, tables, from, err);
    for (size_t i = from; rc == 0 && i < tables->len; i++)
        rc = add_freshness(s, vec_at(tables, i), err);
    return rc;
}
