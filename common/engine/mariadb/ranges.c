/* Whether a large table can be read in parts, and between which values. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"

#include "common/base/banned.h"

/*
 * The rows of such a table are stored by its primary key, so that parts one after the other are the whole in its own
 * order. Partitions are each in their own order; a column of which a prefix is indexed, or backwards, is no range.
 */
static const char question[] =
    "SELECT s.column_name FROM information_schema.statistics s "
    "JOIN information_schema.columns c ON c.table_schema = s.table_schema AND c.table_name = s.table_name "
    "AND c.column_name = s.column_name "
    "JOIN information_schema.tables t ON t.table_schema = s.table_schema AND t.table_name = s.table_name "
    "WHERE s.table_schema = %s AND s.table_name = %s AND t.table_schema = %s AND t.table_name = %s "
    "AND c.table_schema = %s AND c.table_name = %s AND BINARY s.table_schema = %s AND BINARY s.table_name = %s "
    "AND s.index_name = 'PRIMARY' AND s.seq_in_index = 1 "
    "AND s.collation = 'A' AND s.sub_part IS NULL "
    "AND c.data_type IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint') AND t.engine = 'InnoDB' "
    "AND t.table_type = 'BASE TABLE' AND t.create_options NOT LIKE '%%partitioned%%'";

static int find_column(struct maria *asks, struct maria_table *t, struct error *err)
{
    MYSQL_RES *r = NULL;
    char *d = maria_literal_text(t->database, err);
    char *n = d != NULL ? maria_literal_text(t->name, err) : NULL;
    int rc = n != NULL ? maria_queryf(asks, &r, err, question, d, n, d, n, d, n, d, n) : E_NOMEM;
    MYSQL_ROW row = rc == 0 ? mysql_fetch_row(r) : NULL;
    if (row != NULL && row[0] != NULL && (t->range = str_dup(row[0], err)) == NULL)
        rc = E_NOMEM;
    mysql_free_result(r);
    free(n);
    free(d);
    return rc;
}

static bool number_of(const char *text, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = text != NULL ? strtoll(text, &end, 10) : 0;
    return text != NULL && end != text && *end == '\0' && errno == 0;
}

/* Of no rows, or of numbers that are too large, there are no parts. */
static int find_bounds(struct maria *c, struct maria_table *t, int64_t *least, int64_t *most,
                       struct error *err)
{
    MYSQL_RES *r = NULL;
    char *table = maria_qualified(t->database, t->name, err);
    char *column = table != NULL ? maria_quoted_text(t->range, err) : NULL;
    int rc = column != NULL
                 ? maria_queryf(c, &r, err, "SELECT MIN(%s), MAX(%s) FROM %s FORCE INDEX (PRIMARY)", column,
                                column, table)
                 : E_NOMEM;
    if (rc < 0 && column != NULL)
        rc = maria_table_failed(c, t, rc, err);
    MYSQL_ROW row = rc == 0 ? mysql_fetch_row(r) : NULL;
    if (rc == 0 && (row == NULL || !number_of(row[0], least) || !number_of(row[1], most))) {
        free(t->range);
        t->range = NULL;
    }
    mysql_free_result(r);
    free(column);
    free(table);
    return rc;
}

int maria_find_range(struct maria *asks, struct maria *c, struct maria_table *t, int64_t *least,
                     int64_t *most, struct error *err)
{
    int rc = find_column(asks, t, err);
    if (rc < 0 || t->range == NULL)
        return rc;
    rc = maria_exec(c, "SAVEPOINT backupd", err);
    if (rc == 0)
        rc = find_bounds(c, t, least, most, err);
    return rc == 0 ? maria_exec(c, "ROLLBACK TO SAVEPOINT backupd", err) : rc;
}
