#!/bin/bash
# What `restore plan` says of a MariaDB target, and that a restore stops for the same; a table with all that belongs to it;
# databases that are left out.
# shellcheck disable=SC2016,SC2119,SC2317  # texts with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

to() { printf 'mariadb://%s@/%s?socket=%s' "${2:-root}" "$1" "$DBSOCK"; }
plan() { "$RESTORE" --config "$HOST/backupd.yaml" plan latest "$@"; }
databases() { db_client -BN -e "SELECT group_concat(schema_name ORDER BY 1) FROM information_schema.schemata"; }

db_start
db_client -e "CREATE DATABASE shop; CREATE USER low@localhost; GRANT SELECT, INSERT ON fresh.* TO low@localhost; CREATE USER gone@localhost"
db shop -e "CREATE SEQUENCE numbers START WITH 7; CREATE TABLE t (id int DEFAULT nextval(numbers) PRIMARY KEY, v int);
    CREATE TABLE log (n int); CREATE TABLE other (n int); INSERT INTO t (v) VALUES (1), (2);
    CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.id);
    CREATE TRIGGER of_other AFTER INSERT ON other FOR EACH ROW SET @x = 1;
    CREATE DEFINER = gone@localhost VIEW vw AS SELECT 1"
check "a backup" db_backup
db_client -e 'DROP USER gone@localhost'
before=$(databases)

# ---- the plan
check "a plan for a new database" plan --to "$(to fresh)"
cp .check said
contains "what is made" "$(cat said)" "database fresh"
contains "rows" "$(cat said)" "2 rows in 3 tables"
contains "character set" "$(cat said)" "are known here"
contains "who is missing" "$(cat said)" "gone@localhost"
contains "with the way out" "$(cat said)" "--create-roles"
contains "room" "$(cat said)" "are free at"
same "nothing was made" "$before" "$(databases)"
check_fails 4 "one for an account that may too little" plan --to "$(to fresh low)"
contains "with the exact GRANT" "$(cat .check)" 'GRANT CREATE, ALTER, DROP, REFERENCES, TRIGGER, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, EVENT ON `fresh`.* TO `low`@`localhost`'
check_fails 4 "where the restore stops for the same" "$RESTORE" --config "$HOST/backupd.yaml" database latest --to "$(to fresh low)"
contains "in the same words" "$(cat .check)" 'GRANT CREATE, ALTER, DROP'
same "before it made anything" "$before" "$(databases)"
db_client -e 'GRANT CREATE, ALTER, DROP, REFERENCES, TRIGGER, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, EVENT ON `fresh`.* TO `low`@`localhost`; SET GLOBAL local_infile = OFF'
check_fails 4 "a server without LOAD DATA LOCAL" plan --to "$(to fresh low)"
contains "has a cure" "$(cat .check)" "SET GLOBAL local_infile = ON"
db_client -e 'SET GLOBAL local_infile = ON'
check_fails 4 "code of others, on a server with a binary log" plan --to "$(to fresh low)"
contains "has a cure" "$(cat .check)" 'GRANT SET USER ON *.* TO `low`@`localhost`'
contains "each" "$(cat .check)" "SET GLOBAL log_bin_trust_function_creators = 1"
db_client -e 'SET GLOBAL log_bin_trust_function_creators = 1; GRANT SET USER ON *.* TO low@localhost'
check "with every cure it fits" plan --to "$(to fresh low)"
check "and the restore works" "$RESTORE" --config "$HOST/backupd.yaml" database latest --to "$(to fresh low)"
check_fails 4 "the source" plan --to "$(to shop)"
contains "is refused" "$(cat .check)" "is the one that was backed up"

# ---- a table, its trigger, and the sequence of its default with its value
check "one table" db_restore_to part --table t
contains "what is left out is told" "$(cat .check)" "Views, routines and events are not made"
same "the table and its sequence, nothing else" "numbers t" "$(db part -e 'SHOW TABLES' | paste -sd' ')"
same "its trigger" tr "$(db part -e 'SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()')"
db part -e 'CREATE TABLE log (n int); INSERT INTO t (v) VALUES (3)'
check "numbers go on" test "$(db part -e 'SELECT max(id) FROM t')" -gt 8
same "the trigger fires" 1 "$(db part -e 'SELECT count(*) FROM log')"
db part -e 'DROP TABLE t; ALTER SEQUENCE numbers RESTART 5000'
check "a table that was dropped" db_restore_to part --table t --into-nonempty
same "draws from the sequence that is there" 5000 "$(db part -e 'INSERT INTO t (v) VALUES (4); SELECT max(id) FROM t')"
check_fails 4 "a table that is there" db_restore_to part --table t --into-nonempty
contains "is no half restore" "$(cat .check)" "table t exists already in the target: nothing is replaced"
same "but untouched" 3 "$(db part -e 'SELECT count(*) FROM t')"

# ---- databases by pattern
db_client -e 'CREATE DATABASE test_a; CREATE DATABASE test_b'
db_job "all_databases: yes" "exclude_databases: [ \"test_?\", fresh, part ]"
check "all but some" db_backup
same "which are those" shop "$(fact databases)"

# ---- what the job left out, no restore brings back
db_job "exclude_tables: [ shop.other ]" "exclude_table_data: [ shop.log ]"
check "a job with patterns" db_backup
check "a plan" plan --to "$(to fresh2)"
cp .check said
check "and a restore" db_restore_to fresh2
for text in "$(cat said)" "$(cat .check)"; do
    contains "tell what is not there" "$text" "not in the snapshot, as the job's patterns said: 1 object, other"
    contains "and what has no rows" "$text" "1 table, log"
done
db_job "exclude_databases: [ x ]"
check_fails 2 "patterns without all_databases" db_backup
finish
