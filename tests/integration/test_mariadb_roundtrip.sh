#!/bin/bash
# A MariaDB database with something of everything, backed up, restored, and compared by other means than our own.
# shellcheck disable=SC2016,SC2119,SC2317  # texts with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

sequences() { db "$1" -e 'SELECT * FROM numbers; SELECT * FROM down; SELECT * FROM unused'; }
results() {
    db "$1" -e 'SELECT * FROM counted ORDER BY 1; SELECT * FROM aa_on_view ORDER BY id; SELECT * FROM `view "q"`;
        SELECT id, upper_name, name_length, secret_note FROM customers ORDER BY id LIMIT 20; SELECT * FROM only_generated;
        SELECT longest(name) FROM customers; CALL odd_text("abc", @b); SELECT @b; CALL ansi(); SET sql_mode = ORACLE; SELECT tools.one()'
}

# alike NAME FUNCTION: it says the same of shop and shop2
alike() {
    "$2" shop >"$TMP/one" && "$2" shop2 >"$TMP/other" && check "$1" diff "$TMP/one" "$TMP/other"
}
of_database() {
    db "$1" -e 'SELECT @@character_set_database, @@collation_database, schema_comment FROM information_schema.schemata
        WHERE schema_name = database()'
}

db_start
db_fill shop
db_job 'freshness: [ orders.placed ]'

check "a backup" db_backup
same "server and database are told" "mariadb shop 10.11" \
    "$(fact source) $(fact databases) $(fact server_version | cut -d. -f1,2)"
same "rows, too" 2001 "$(fact rows shop/tables/customers.tsv)"
same "the newest of a column" 2023-12-01 "$(fact max.placed shop/tables/orders.tsv)"
same "views, triggers and routines are counted" "4 3 2 2 2" \
    "$(for key in views triggers procedures functions events; do fact "$key" shop/code.sql; done | paste -sd' ')"
check "the place in the binary log is that of a log that is there" db shop -e "SHOW BINLOG EVENTS IN '$(fact binlog_file)' FROM $(fact binlog_position) LIMIT 1"

# ---- a night without changes costs little
new=$(db_backup --json | python3 -c 'import json, sys
print([o for o in map(json.loads, sys.stdin) if o["message_type"] == "summary"][-1]["data_added"])')
check "unchanged tables are not stored again ($new bytes)" test "$new" -lt 200000

# ---- the way back
check "restore into a database that does not exist" db_restore_to shop2
contains "what was compared is told" "$(cat .check)" "rows and fingerprints of"
alike "rows of every table" db_sums
same "sequences go on behind the last value" "1 1 1" \
    "$(db shop2 -e 'SELECT nextval(numbers) > (SELECT max(id) FROM with_sequence), nextval(down) = 8, nextval(unused) = 1' | tr '\t' ' ')"
alike "views, functions, generated and hidden columns" results
db shop -e 'SELECT nextval(numbers), nextval(down), nextval(unused)' >/dev/null
alike "definitions" db_definitions
# The server names the sequence's database there: the copy must draw from its own.
same "a default draws from the copy's own sequence" 'nextval(`shop2`.`numbers`)' \
    "$(db shop2 -e 'SELECT column_default FROM information_schema.columns WHERE table_schema = database() AND table_name = "with_sequence" AND column_name = "id"')"
alike "character set and comment of the database" of_database
check "triggers work again" db shop2 -e "INSERT INTO customers (name, since) VALUES ('x', now())"
same "and only now" 1 "$(db shop2 -e 'SELECT count(*) FROM log')"
same "numbers go on where they were" 5000 "$(db shop2 -e 'SELECT max(id) FROM customers')"

# ---- a database that changes what is loaded: the comparison finds it
db_client -e 'CREATE DATABASE shop3'
db shop3 -e "CREATE TABLE meddled (id int); CREATE FUNCTION other() RETURNS int DETERMINISTIC RETURN 1"
check_fails 1 "a database that is not empty" db_restore_to shop3
contains "and the way out" "$(cat .check)" "--into-nonempty"
check "into it when asked for" db_restore_to shop3 --into-nonempty
same "what was there is still there" 1 "$(db shop3 -e 'SELECT other()')"
db_client -e 'CREATE DATABASE shop4; CREATE TABLE shop4.log (mine int); INSERT INTO shop4.log VALUES (7)'
check_fails 4 "a name that is taken" db_restore_to shop4 --into-nonempty
contains "is told" "$(cat .check)" "table log exists already"
same "and nothing of it is replaced" 7 "$(db shop4 -e 'SELECT mine FROM log')"
check_fails 1 "the source itself" db_restore_to shop
contains "and why" "$(cat .check)" "is the one that was backed up"
finish
