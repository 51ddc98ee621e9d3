/* load.sql: how psql alone puts the tables back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/postgres/internal.h"
#include "common/engine/postgres/name.h"

#include "common/base/banned.h"

static const char head[] =
    "-- Loads the tables of this database, between the sections pre-data and post-data of schema.pgdump:\n"
    "--   pg_restore -d DB --exit-on-error --section=pre-data schema.pgdump\n"
    "--   psql -X -d DB -v ON_ERROR_STOP=1 -f load.sql      (in the directory of this file)\n"
    "--   pg_restore -d DB --exit-on-error largeobjects.pgdump       (when there is one)\n"
    "--   pg_restore -d DB --exit-on-error --section=post-data schema.pgdump\n";
static const char settings[] = "SET standard_conforming_strings = on;\n"
                               "SET statement_timeout = 0;\n"
                               "SET lock_timeout = 0;\n"
                               "SET row_security = off;\n"
                               "SET xmloption = content;\n"
                               "SET datestyle = 'ISO';\n"
                               "SET intervalstyle = 'postgres';\n"
                               "SET timezone = 'UTC';\n"
                               "SET lc_monetary = 'C';\n"
                               "SELECT pg_catalog.set_config('search_path', '', false);\n";
static const char replica[] =
    "-- Triggers and foreign keys come with post-data; in a database that has some already, a role that may do so\n"
    "-- switches them off.\n"
    "SELECT pg_catalog.has_parameter_privilege('session_replication_role', 'SET') AS backupd_may \\gset\n"
    "\\if :backupd_may\n"
    "SET session_replication_role = replica;\n"
    "\\endif\n";

const char *pgsql_script_settings(void)
{
    return settings;
}

static bool breaks_line(const char *name)
{
    return strpbrk(name, "\n\r") != NULL;
}

/* psql reads \copy up to the end of the line, whatever is quoted. */
static bool is_hostile(const struct pgsql_table *t)
{
    bool hostile =
        breaks_line(t->schema) || breaks_line(t->name) || (t->into != NULL && breaks_line(t->into));
    for (size_t i = 0; i < t->columns.len; i++)
        hostile = hostile || breaks_line(*(char **)vec_at(&t->columns, i));
    return hostile;
}

static const char *into(const struct pgsql_table *t)
{
    return t->into != NULL ? t->into : t->sql;
}

static int from_file(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, " from '");
    if (rc == 0)
        rc = pgsql_table_path(t, out, err);
    return rc == 0 ? buf_printf(out, err, "'%s\n", t->binary ? " with (format binary)" : "") : rc;
}

static int plain_load(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "\\copy %s%s", into(t), t->columns.len != 0 ? " (" : "");
    if (rc == 0)
        rc = pgsql_column_list(t, out, err);
    if (rc == 0 && t->columns.len != 0)
        rc = buf_append(out, ")", 1, err);
    return rc == 0 ? from_file(t, out, err) : rc;
}

/* Through a table of plain names: renaming does not reach the columns of partitions and heirs. */
static int staged_load(const struct pgsql_table *t, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "CREATE TEMPORARY TABLE backupd_load AS SELECT ");
    for (size_t i = 0; rc == 0 && i < t->columns.len; i++) {
        rc = i == 0 ? 0 : buf_append(out, ", ", 2, err);
        if (rc == 0)
            rc = pgsql_quote(out, *(char **)vec_at(&t->columns, i), err);
        if (rc == 0)
            rc = buf_printf(out, err, " AS c%zu", i + 1);
    }
    if (rc == 0)
        rc = buf_printf(out, err, " FROM ONLY %s WITH NO DATA;\n\\copy pg_temp.backupd_load", t->sql);
    if (rc == 0)
        rc = from_file(t, out, err);
    if (rc == 0)
        rc = buf_printf(out, err, "INSERT INTO %s%s", into(t), t->columns.len != 0 ? " (" : "");
    if (rc == 0)
        rc = pgsql_column_list(t, out, err);
    if (rc == 0)
        rc = buf_printf(out, err,
                        "%s OVERRIDING SYSTEM VALUE SELECT%s FROM pg_temp.backupd_load;\n"
                        "DROP TABLE pg_temp.backupd_load;\n",
                        t->columns.len != 0 ? ")" : "", t->columns.len != 0 ? " *" : "");
    return rc;
}

/* Straight from the sequence: pg_sequence_last_value() hides the value of one that was set but not used yet. */
int pgsql_read_sequences(struct pgsql *c, struct vec *sequences, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sequences->len; i++) {
        struct pgsql_sequence *s = vec_at(sequences, i);
        char *sql =
            str_printf(err,
                       "SELECT last_value || ', ' || CASE WHEN is_called THEN 'true' ELSE 'false' END "
                       "FROM %s",
                       s->sql);
        s->value = sql != NULL ? pgsql_text(c, sql, err) : NULL;
        rc = s->value != NULL ? 0 : pgsql_failed(err);
        free(sql);
    }
    return rc;
}

static int sequence_line(const struct pgsql_sequence *s, struct buf *out, struct error *err)
{
    int rc = buf_printf(out, err, "SELECT pg_catalog.setval(");
    if (rc == 0)
        rc = pgsql_literal(out, s->sql, err);
    return rc == 0 ? buf_printf(out, err, ", %s);\n", s->value) : rc;
}

int pgsql_load_script(const struct pgsql_origin *o, struct buf *out, struct error *err)
{
    const char *encoding = PQparameterStatus(o->main.conn, "server_encoding");
    int rc = buf_printf(out, err, "SET client_encoding = '%s';\n%s%s%s", encoding != NULL ? encoding : "",
                        head, settings, replica);
    for (size_t i = 0; rc == 0 && i < o->tables.len; i++) {
        const struct pgsql_table *t = vec_at(&o->tables, i);
        rc = is_hostile(t) ? staged_load(t, out, err) : plain_load(t, out, err);
    }
    for (size_t i = 0; rc == 0 && i < o->sequences.len; i++)
        rc = sequence_line(vec_at(&o->sequences, i), out, err);
    return rc;
}
