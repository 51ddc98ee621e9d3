/* load.sql: how the stock client alone puts the tables back. */
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"

#include "common/base/banned.h"

static const char head[] =
    "-- Loads the tables of this database with the stock client; in the directory of this file:\n"
    "--   mariadb DB < schema.sql\n"
    "--   mariadb --local-infile=1 --show-warnings DB < load.sql\n"
    "--   mariadb DB < code.sql\n"
    "-- A line that begins with \"Warning\" is a row that did not come in as it was.\n"
    "SET NAMES utf8mb4;\n"
    "SET SESSION sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone='+00:00';\n"
    "SET SESSION foreign_key_checks=0, unique_checks=0, check_constraint_checks=0;\n"
    "SET SESSION system_versioning_insert_history=1;\n";

static int load_line(const struct maria_table *t, struct buf *out, struct error *err)
{
    struct buf path = BUF_INIT;
    int rc = maria_table_path(t->name, &path, err);
    if (rc == 0)
        rc = buf_append(&path, "", 1, err);
    char *file = rc == 0 ? maria_literal_text((const char *)path.data, err) : NULL;
    rc = file != NULL ? maria_load_sql(t, NULL, file, out, err) : maria_failed(err);
    if (rc == 0)
        rc = buf_append(out, ";\n", 2, err);
    free(file);
    buf_free(&path);
    return rc;
}

static int sequence_line(const struct maria_sequence *s, struct buf *out, struct error *err)
{
    char *name = maria_quoted_text(s->name, err);
    int rc = name != NULL ? buf_printf(out, err, "DO SETVAL(%s, %s);\n", name, s->value) : E_NOMEM;
    free(name);
    return rc;
}

int maria_load_script(const struct maria_origin *o, const struct maria_database *db, struct buf *out,
                      struct error *err)
{
    int rc = buf_append(out, head, sizeof head - 1, err);
    for (size_t i = 0; rc == 0 && i < o->tables.len; i++) {
        const struct maria_table *t = vec_at(&o->tables, i);
        if (strcmp(t->database, db->name) == 0)
            rc = load_line(t, out, err);
    }
    for (size_t i = 0; rc == 0 && i < db->sequences.len; i++)
        rc = sequence_line(vec_at(&db->sequences, i), out, err);
    return rc;
}
