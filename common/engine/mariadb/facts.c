#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"
#include "common/engine/name.h"

#include "common/base/banned.h"

static int add_text(struct buf *out, const char *key, const char *value, struct error *err)
{
    char shown[512];
    return buf_printf(out, err, "%s=%s\n", key, str_printable(shown, sizeof shown, value));
}

int maria_list_fact(struct buf *out, const char *key, const struct vec *names, struct error *err)
{
    size_t before = out->len;
    int rc = buf_printf(out, err, "%s=", key);
    for (size_t i = 0; rc == 0 && i < names->len; i++) {
        rc = i == 0 ? 0 : buf_append(out, ",", 1, err);
        if (rc == 0)
            rc = name_encode(out, *(char **)vec_at(names, i), err);
    }
    if (rc == 0 && out->len - before <= MARIA_LIST_TEXT_MAX)
        return buf_append(out, "\n", 1, err);
    out->len = before;
    return rc == 0 ? buf_printf(out, err, "%s_omitted=yes\n", key) : rc;
}

/* ---- of the server ---------------------------------------------------------------------------------------- */

static const char about_server[] =
    "SELECT @@version, @@version_comment, @@hostname, @@port, @@server_id, @@global.sql_mode, "
    "@@character_set_server, @@collation_server, @@lower_case_table_names, @@innodb_page_size, "
    "@@gtid_binlog_pos, @@gtid_slave_pos, @@global.time_zone, @@system_time_zone, CURRENT_USER()";
static const char *const about_keys[] = { "server_version",   "version_comment",  "source_host",
                                          "source_port",      "server_id",        "sql_mode",
                                          "server_charset",   "server_collation", "lower_case_table_names",
                                          "innodb_page_size", "gtid_binlog_pos",  "gtid_slave_pos",
                                          "time_zone",        "system_time_zone", "source_account" };

static int add_server(struct maria_origin *o, struct error *err)
{
    MYSQL_RES *r = NULL;
    int rc = maria_query(&o->main, about_server, &r, err);
    MYSQL_ROW row = rc == 0 ? mysql_fetch_row(r) : NULL;
    for (size_t i = 0; rc == 0 && row != NULL && i < sizeof about_keys / sizeof about_keys[0]; i++)
        if (row[i] != NULL && row[i][0] != '\0')
            rc = add_text(&o->about, about_keys[i], row[i], err);
    mysql_free_result(r);
    return rc;
}

/* The moment, for whoever replays the binary log from here. */
static int add_position(struct maria_origin *o, struct error *err)
{
    if (o->binlog_file[0] == '\0')
        return 0;
    char *file = maria_literal_text(o->binlog_file, err);
    char *sql =
        file != NULL ? str_printf(err, "SELECT BINLOG_GTID_POS(%s, %s)", file, o->binlog_position) : NULL;
    char *gtid = sql != NULL ? maria_text(&o->main, sql, err) : NULL;
    int rc = gtid != NULL ? add_text(&o->about, "binlog_file", o->binlog_file, err) : maria_failed(err);
    if (rc == 0)
        rc = add_text(&o->about, "binlog_position", o->binlog_position, err);
    if (rc == 0 && gtid[0] != '\0')
        rc = add_text(&o->about, "gtid", gtid, err);
    free(file);
    free(sql);
    free(gtid);
    return rc;
}

static int add_names(struct maria_origin *o, struct error *err)
{
    struct vec names = VEC_OF(char *);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < o->databases.len; i++)
        rc = names_add(&names, ((struct maria_database *)vec_at(&o->databases, i))->name, err);
    if (rc == 0)
        rc = maria_list_fact(&o->about, "databases", &names, err);
    names_free(&names);
    return rc;
}

char *maria_identity(struct maria *c, struct error *err)
{
    return maria_text(c, "SELECT concat(@@hostname, ' ', @@datadir)", err);
}

static int count_users(struct maria_origin *o, struct error *err)
{
    int64_t n = 0;
    if (!o->set->users)
        return 0;
    int rc = maria_number(&o->main, "SELECT count(*) FROM mysql.global_priv", &n, err);
    return rc == 0 ? buf_printf(&o->about, err, "accounts=%lld\n", (long long)n) : rc;
}

int maria_origin_facts(struct maria_origin *o, struct error *err)
{
    char *identity = maria_identity(&o->main, err);
    int rc = identity != NULL ? name_fact(&o->about, "server", identity, err) : maria_failed(err);
    free(identity);
    if (rc == 0)
        rc = add_names(o, err);
    if (rc == 0)
        rc = add_server(o, err);
    if (rc == 0)
        rc = add_position(o, err);
    if (rc == 0)
        rc = count_users(o, err);
    if (rc == 0)
        rc = buf_printf(&o->about, err, "settings=%s\ntables=%zu\nsnapshots=%zu\n", maria_session_text(),
                        o->tables.len, o->nreaders);
    return rc;
}

/* ---- of streams --------------------------------------------------------------------------------------------- */

static int columns_fact(const struct maria_table *t, struct buf *out, struct error *err)
{
    char shown[200];
    size_t before = out->len;
    int rc = buf_printf(out, err, "columns=");
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        rc = i == 0 ? 0 : buf_append(out, ",", 1, err);
        if (rc == 0)
            rc = name_encode(out, ((struct maria_column *)vec_at(&t->columns, i))->name, err);
    }
    if (rc == 0)
        rc = buf_printf(out, err, "\nkinds=");
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++)
        rc = buf_printf(out, err, "%s%s", i == 0 ? "" : ",",
                        maria_kinds[((struct maria_column *)vec_at(&t->columns, i))->kind]);
    if (rc == 0 && out->len - before > MARIA_COLUMNS_TEXT_MAX)
        rc = error_set(err, E_UNSUPPORTED,
                       "table %s.%s: the names of its columns take more than %d bytes together; shorten them",
                       t->database, str_printable(shown, sizeof shown, t->name), MARIA_COLUMNS_TEXT_MAX);
    return rc == 0 ? buf_append(out, "\n", 1, err) : rc;
}

/* For who makes other text of the rows. */
static int charsets_fact(const struct maria_table *t, struct buf *out, struct error *err)
{
    size_t before = out->len;
    int rc = buf_printf(out, err, "charsets=");
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++)
        rc = buf_printf(out, err, "%s%s", i == 0 ? "" : ",",
                        ((struct maria_column *)vec_at(&t->columns, i))->charset);
    if (rc == 0 && out->len - before <= MARIA_LIST_TEXT_MAX)
        return buf_append(out, "\n", 1, err);
    out->len = before;
    return rc == 0 ? buf_printf(out, err, "charsets_omitted=yes\n") : rc;
}

int maria_table_facts(const struct maria_table *t, struct buf *out, struct error *err)
{
    int rc = name_fact(out, "database", t->database, err);
    if (rc == 0)
        rc = name_fact(out, "table", t->name, err);
    if (rc == 0)
        rc = columns_fact(t, out, err);
    if (rc == 0)
        rc = charsets_fact(t, out, err);
    if (rc == 0 && t->versioned)
        rc = buf_printf(out, err, "versioned=yes\n");
    if (rc == 0 && !t->transactional)
        rc = buf_printf(out, err, "transactional=no\n");
    for (size_t i = 0; rc == 0 && i < t->freshest.len; i++) {
        rc = buf_printf(out, err, "max.");
        if (rc == 0)
            rc = name_encode(out, *(char **)vec_at(&t->fresh, i), err);
        if (rc == 0)
            rc = buf_append(out, "=", 1, err);
        if (rc == 0)
            rc = name_encode(out, *(char **)vec_at(&t->freshest, i), err);
        if (rc == 0)
            rc = buf_append(out, "\n", 1, err);
    }
    return rc == 0 ? buf_printf(out, err, "rows=%llu\nfingerprint=%s\n", (unsigned long long)t->rows,
                                t->fingerprint)
                   : rc;
}

static size_t tables_of(const struct vec *tables, const char *database)
{
    size_t n = 0;
    for (size_t i = 0; i < tables->len; i++)
        n += strcmp(((struct maria_table *)vec_at(tables, i))->database, database) == 0;
    return n;
}

int maria_schema_facts(const struct maria_database *db, const struct vec *tables, struct buf *out,
                       struct error *err)
{
    int rc = name_fact(out, "database", db->name, err);
    if (rc == 0)
        rc = buf_printf(out, err, "charset=%s\ncollation=%s\ntables=%zu\nsequences=%zu\nschema=%s\n",
                        db->charset, db->collation, tables_of(tables, db->name), db->sequences.len,
                        db->schema);
    if (rc == 0 && db->comment[0] != '\0')
        rc = name_fact(out, "comment", db->comment, err);
    if (rc == 0 && db->empty.len > 0)
        rc = maria_list_fact(out, "without_rows", &db->empty, err);
    if (rc == 0 && db->excluded.len > 0)
        rc = maria_list_fact(out, "excluded", &db->excluded, err);
    return rc;
}

int maria_code_facts(const struct maria_database *db, struct buf *out, struct error *err)
{
    int rc = name_fact(out, "database", db->name, err);
    for (size_t i = 0; rc == 0 && i < MARIA_COUNTS; i++)
        rc = buf_printf(out, err, "%s=%llu\n", maria_counts[i],
                        (unsigned long long)(i == COUNT_VIEWS ? db->views.len : db->counts[i]));
    return rc == 0 ? maria_list_fact(out, "definers", &db->definers, err) : rc;
}
