#!/bin/bash
# A PostgreSQL database with something of everything, backed up, restored, and compared by other means than our own.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

sequences() {
    pg "$1" <<'END'
SELECT format('SELECT %L, last_value, is_called FROM %I.%I', c.oid::regclass, n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'S' AND nspname !~ '^pg_'
    ORDER BY n.nspname, c.relname \gexec
END
}
grants() {
    pg "$1" -c "SELECT relname, relowner::regrole, relacl FROM pg_class WHERE oid >= 16384 AND relkind IN ('r', 'v', 'm', 'S', 'p')
        ORDER BY relname, relkind" -c "SELECT attname, attacl FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid >= 16384 ORDER BY 1" \
        -c "SELECT oid, lomowner::regrole, lomacl FROM pg_largeobject_metadata ORDER BY 1" \
        -c "SELECT loid, count(*), md5(string_agg(data, '' ORDER BY pageno)) FROM pg_largeobject GROUP BY 1 ORDER BY 1" \
        -c "SELECT obj_description(7001, 'pg_largeobject')" -c "SELECT defaclrole::regrole, defaclacl FROM pg_default_acl"
}
results() {
    pg "$1" -c 'SELECT count(*), sum(total) FROM shop.totals' -c 'SELECT * FROM shop.best ORDER BY id' \
        -c "SELECT relispopulated FROM pg_class WHERE relname = 'unfilled'" -c 'SELECT id, upper_name FROM shop.customers ORDER BY id'
}

pg_start
pg_createdb shop
pg_fill shop

check "a backup" pg_backup
same "server and database are told" "postgres shop 15" \
    "$(fact source) $(fact database shop/schema.pgdump) $(fact server_version | cut -d. -f1)"
same "and how the text was made" "DateStyle=ISO" "$(fact settings | cut -d' ' -f1)"
same "the fingerprint is that of another program" "$(pg_sums shop "$(fact fingerprint_seed)" | awk '/shop.secrets/ { print $NF }')" \
    "$(fact fingerprint shop/tables/shop/secrets.copy | sed 's/xxh3-128-sum://')"
same "rows, too" 2001 "$(fact rows shop/tables/shop/customers.copy)"

# ---- a night without changes costs little
new=$(pg_backup --json | python3 -c 'import json, sys
print([o for o in map(json.loads, sys.stdin) if o["message_type"] == "summary"][-1]["data_added"])')
check "unchanged tables are not stored again ($new bytes)" test "$new" -lt 500000

# ---- the way back
pg_createdb shop2
check "restore" pg_restore_to shop2
contains "what was compared is told" "$(cat .check)" "rows and fingerprints of 20 tables equal"
same "rows of every table" "$(pg_sums shop)" "$(pg_sums shop2)"
same "sequences" "$(sequences shop)" "$(sequences shop2)"
same "the next values" "100 4711" \
    "$(pg shop2 -c "SELECT nextval('shop.never_used')" -c "SELECT nextval('shop.was_set')" | paste -sd' ')"
same "owners, rights, large objects" "$(grants shop)" "$(grants shop2)"
same "views and generated columns" "$(results shop)" "$(results shop2)"
same "definitions" "$(pg_schema shop)" "$(pg_schema shop2)"
same "the mark of an unfinished restore is gone" "" \
    "$(pg shop2 -c "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop2'")"
check "triggers work again" pg shop2 -c "INSERT INTO shop.customers (name, since) VALUES ('x', now())"
same "and only now" 2 "$(pg shop2 -c 'SELECT count(*) FROM shop.log')"

# ---- what is stored does not lie about a changed row: the comparison finds it
pg_createdb shop3
pg template1 -c "CREATE EXTENSION IF NOT EXISTS plpgsql" >/dev/null
pg shop3 -c "CREATE SCHEMA meddle" -c "CREATE FUNCTION meddle.change() RETURNS event_trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE shop.secrets SET what = ''changed'' WHERE id = 7; DELETE FROM shop.cache WHERE k = ''k1''; EXCEPTION WHEN undefined_table THEN END'" \
    -c "CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION meddle.change()"
check_fails 9 "a database that changes what is loaded" pg_restore_to shop3 --into-nonempty
contains "the table is named" "$(cat .check)" '"shop"."secrets" (other contents)'
contains "the other one, too" "$(cat .check)" '"shop"."cache" (499 rows, backed up were 500)'
contains "and that it must not be used" "$(cat .check)" "must not be used"
contains "so does the database itself" \
    "$(pg shop3 -c "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop3'")" "NOT COMPLETE"

# ---- a table of an extension, part of whose rows are the user's: the extension in the target says which
extension() {
    pg "$1" -c 'CREATE EXTENSION hstore' -c 'CREATE TABLE settings (id int)' -c 'INSERT INTO settings VALUES (1)' \
        -c 'ALTER EXTENSION hstore ADD TABLE settings' -c "UPDATE pg_extension
        SET extconfig = ARRAY['settings'::regclass::oid], extcondition = ARRAY['$2'] WHERE extname = 'hstore'"
}
pg_createdb ext
extension ext 'WHERE id > 1 OR id < 0'
pg ext -c 'INSERT INTO settings VALUES (2), (-3)'
pg_job "database: ext"
check "a backup of an extension's table" pg_backup
same "holds the user's rows" "2 -3" \
    "$("$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest ext/tables/public/settings.copy | paste -sd' ')"
pg_createdb ext2
extension ext2 'WHERE id > 1 OR id < 0'
check "which are restored" pg_restore_to ext2 --into-nonempty
same "beside those of the extension" "1 2 -3" "$(pg ext2 -c 'SELECT * FROM settings' | paste -sd' ')"
pg_createdb ext3
extension ext3 'WHERE id > 2'
check_fails 9 "a condition is not taken from the snapshot" pg_restore_to ext3 --into-nonempty
contains "the table is named" "$(cat .check)" '"public"."settings" (0 rows, backed up were 2)'
pg_job

# ---- the streams by themselves
"$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest~1 shop/tables/shop/secrets.copy >cat.out
same "restore cat gives the table" "$(pg shop -c 'COPY shop.secrets TO STDOUT' | sort)" "$(sort cat.out)"

finish
