/* All definitions of a database in 128 bits: did somebody change one? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/engine/mariadb/internal.h"
#include "common/engine/mariadb/sql.h"

#include "common/base/banned.h"

/*
 * Fixed queries; docs/format.md has them, too. Nothing in them changes without a change of definitions: no sizes, no
 * AUTO_INCREMENT, no times. Aria's page_checksum=1 is the default, and listed only for who has said it: a restore does.
 */
#define OF(column) " WHERE " column " = %s AND BINARY " column " = %s"
static const char *const queries[] = {
    "SELECT 't', table_name, table_type, engine, row_format, table_collation, if(engine = 'Aria', "
    "trim(replace(concat(create_options, ' '), 'page_checksum=1 ', '')), create_options), table_comment "
    "FROM information_schema.tables" OF("table_schema"),
    "SELECT 'c', table_name, column_name, ordinal_position, column_default, is_nullable, column_type, "
    "character_set_name, collation_name, extra, column_comment, is_generated, generation_expression "
    "FROM information_schema.columns" OF("table_schema"),
    "SELECT 'i', table_name, non_unique, index_name, seq_in_index, column_name, sub_part, index_type, comment, ignored "
    "FROM information_schema.statistics" OF("table_schema"),
    "SELECT 'k', table_name, constraint_name, column_name, ordinal_position, referenced_table_schema, "
    "referenced_table_name, referenced_column_name FROM information_schema.key_column_usage" OF(
        "table_schema"),
    "SELECT 'f', table_name, constraint_name, update_rule, delete_rule "
    "FROM information_schema.referential_constraints" OF("constraint_schema"),
    "SELECT 'h', table_name, constraint_name, check_clause FROM information_schema.check_constraints" OF(
        "constraint_schema"),
    "SELECT 'p', table_name, partition_name, subpartition_name, partition_method, partition_expression, "
    "partition_description FROM information_schema.partitions" OF("table_schema"),
    "SELECT 'v', table_name, view_definition, check_option, definer, security_type "
    "FROM information_schema.views" OF("table_schema"),
    "SELECT 'g', trigger_name, event_manipulation, event_object_table, action_order, action_statement, action_timing, "
    "sql_mode, definer FROM information_schema.triggers" OF("trigger_schema"),
    "SELECT 'r', routine_name, routine_type, dtd_identifier, routine_definition, is_deterministic, sql_data_access, "
    "security_type, sql_mode, routine_comment, definer FROM information_schema.routines" OF("routine_schema"),
    "SELECT 'a', specific_name, routine_type, ordinal_position, parameter_mode, parameter_name, dtd_identifier "
    "FROM information_schema.parameters" OF("specific_schema"),
    "SELECT 'e', event_name, definer, time_zone, event_definition, event_type, execute_at, interval_value, "
    "interval_field, sql_mode, starts, ends, status, on_completion, event_comment "
    "FROM information_schema.events" OF("event_schema"),
};

/* A field: '1' and its bytes, or '0' for NULL; then a NUL. */
static void add_row(struct fingerprint *fp, MYSQL_RES *r, MYSQL_ROW row)
{
    const unsigned long *len = mysql_fetch_lengths(r);
    for (unsigned i = 0; i < mysql_num_fields(r); i++) {
        fingerprint_piece(fp, row[i] != NULL ? "1" : "0", 1);
        if (row[i] != NULL)
            fingerprint_piece(fp, row[i], len[i]);
        fingerprint_piece(fp, "", 1);
    }
    fingerprint_row(fp);
}

static int add_query(struct maria *c, const char *query, const char *literal, struct fingerprint *fp,
                     struct error *err)
{
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int rc = maria_queryf(c, &r, err, query, literal, literal); /* from the table above */
#pragma GCC diagnostic pop
    while (rc == 0 && (row = mysql_fetch_row(r)) != NULL)
        add_row(fp, r, row);
    mysql_free_result(r);
    return rc;
}

int maria_schema_hash(struct maria *c, const char *database, uint64_t seed, char out[FINGERPRINT_TEXT_MAX],
                      struct error *err)
{
    char *literal = maria_literal_text(database, err);
    struct fingerprint *fp = literal != NULL ? fingerprint_new(seed, err) : NULL;
    int rc = fp != NULL ? 0 : E_NOMEM;
    for (size_t i = 0; rc == 0 && i < sizeof queries / sizeof queries[0]; i++)
        rc = add_query(c, queries[i], literal, fp, err);
    if (rc == 0)
        (void)fingerprint_text(fp, out);
    fingerprint_free(fp);
    free(literal);
    return rc < 0 ? error_wrap(err, "definitions") : 0;
}
