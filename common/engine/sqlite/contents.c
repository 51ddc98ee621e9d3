#include <string.h>

#include "common/base/str.h"
#include "common/engine/fingerprint.h"
#include "common/engine/name.h"
#include "common/engine/sqlite/internal.h"

#include "common/base/banned.h"

enum { ROWS_TEXT_MAX = 48 * 1024 }; /* of the 64 KiB that a stream's facts may have */

/* ---- the schema ---------------------------------------------------------------------------------------- */

static int add_object(sqlite3_stmt *stmt, void *arg)
{
    struct fingerprint *fp = arg;
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        const void *text = sqlite3_column_text(stmt, i);
        if (text != NULL)
            fingerprint_piece(fp, text, (size_t)sqlite3_column_bytes(stmt, i));
        fingerprint_piece(fp, "", 1);
    }
    fingerprint_row(fp);
    return SQLITE_OK;
}

static int schema_fact(sqlite3 *db, const char *path, struct buf *out, struct error *err)
{
    char text[FINGERPRINT_TEXT_MAX];
    struct fingerprint *fp = fingerprint_new(0, err);
    if (fp == NULL)
        return E_NOMEM;
    int sq = sqlite_rows(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema", add_object, fp);
    int rc = sq == SQLITE_OK
                 ? buf_printf(out, err, "objects=%llu\nschema=%s\n", (unsigned long long)fingerprint_rows(fp),
                              fingerprint_text(fp, text))
                 : sqlite_error(err, db, sq, path);
    fingerprint_free(fp);
    return rc;
}

/* ---- the rows ------------------------------------------------------------------------------------------ */

struct rows {
    sqlite3 *db;
    struct buf text;
    int64_t total;
    bool omitted;
    int rc;
    struct error *err;
};

static int count_table(sqlite3_stmt *stmt, void *arg)
{
    struct rows *r = arg;
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    char *sql = name == NULL ? NULL : sqlite3_mprintf("SELECT count(*) FROM main.\"%w\"", name);
    int64_t n = 0;
    if (sql == NULL)
        return SQLITE_NOMEM;
    int sq = sqlite_number(r->db, sql, &n);
    sqlite3_free(sql);
    if (sq == SQLITE_INTERRUPT || sq == SQLITE_NOMEM)
        return sq;
    r->omitted |= sq != SQLITE_OK || r->text.len > ROWS_TEXT_MAX;
    if (sq != SQLITE_OK)
        return SQLITE_OK;
    r->total += n;
    if (r->omitted)
        return SQLITE_OK;
    if (r->text.len > 0)
        r->rc = buf_append(&r->text, ",", 1, r->err);
    if (r->rc == 0)
        r->rc = name_encode(&r->text, name, r->err);
    if (r->rc == 0)
        r->rc = buf_printf(&r->text, r->err, ":%lld", (long long)n);
    return r->rc == 0 ? SQLITE_OK : SQLITE_NOMEM;
}

static int rows_facts(sqlite3 *db, const char *path, struct buf *out, struct error *err)
{
    struct rows r = { .db = db, .text = BUF_INIT, .err = err };
    int sq = sqlite_rows(db,
                         "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 "
                         "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name COLLATE BINARY",
                         count_table, &r);
    int rc = r.rc < 0 ? r.rc : sq == SQLITE_OK ? 0 : sqlite_error(err, db, sq, path);
    if (rc == 0)
        rc = buf_printf(out, err, "rows=%lld\n", (long long)r.total);
    if (rc == 0 && r.omitted)
        rc = buf_printf(out, err, "table_rows_omitted=yes\n");
    else if (rc == 0 && r.text.len > 0)
        rc = buf_printf(out, err, "table_rows=%.*s\n", (int)r.text.len, (const char *)r.text.data);
    buf_free(&r.text);
    return rc;
}

int sqlite_contents_facts(sqlite3 *db, const char *path, struct buf *out, struct error *err)
{
    int rc = schema_fact(db, path, out, err);
    return rc < 0 ? rc : rows_facts(db, path, out, err);
}
