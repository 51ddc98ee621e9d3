#!/bin/bash
# The files of a snapshot are loaded with nothing but the stock client, on a second server; several databases of one job,
# with hostile names; what is refused before anything is touched.
# shellcheck disable=SC2016,SC2119,SC2317  # names with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

restore_files() { "$RESTORE" --config "$HOST/backupd.yaml" --quiet files latest --to "$1"; }

db_start
db_fill shop
readonly ODD='Söme "d`b'\'' %_/.-; DROP'
db_client -e 'CREATE DATABASE `Söme "d``b'\'' %_/.-; DROP` CHARACTER SET latin1'
db "$ODD" -e 'CREATE TABLE t (id int PRIMARY KEY, v varchar(10)); INSERT INTO t VALUES (1, "ä"); CREATE TRIGGER `Söme "d``b'\'' %_/.-; DROP`.named BEFORE INSERT ON `Söme "d``b'\'' %_/.-; DROP`.t FOR EACH ROW SET NEW.v = "x"'
db_job "all_databases: yes"
check "all databases in one job" db_backup
contains "are told" "$(fact databases)" "shop"
check "come back as files" restore_files "$TMP/files"
same "in directories of their own" 3 "$(find "$TMP/files" -mindepth 1 -maxdepth 1 | wc -l)"

# ---- the stock client alone, on another server
db_sums shop >sums.1
db_definitions shop >definitions.1
db "$ODD" -e 'SELECT id, hex(v) FROM t' >odd.1
"$REPO_ROOT/tests/fixture/mariadb.sh" start "$TMP/other"
at_end "$REPO_ROOT/tests/fixture/mariadb.sh" stop "$TMP/other"
DBSOCK=$(readlink "$TMP/other/socket")/s
stock() { mariadb --no-defaults --socket="$DBSOCK" --user=root --default-character-set=utf8mb4 "$@"; }
stock -e 'CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci'
load() {
    cd "$TMP/files/$1" && stock --database="$2" <schema.sql && stock --local-infile=1 --show-warnings --database="$2" <load.sql >"$TMP/load.log" &&
        stock --database="$2" <code.sql
}
check "is enough" load shop shop
cd "$TMP"
# An ENUM's invalid value is one, and says so.
same "and no value was changed on the way" 0 "$(grep '^Warning' load.log | grep -vc "Data truncated for column 'e2\?' at row" || true)"
db_sums shop >sums.2
db_definitions shop >definitions.2
check "rows" diff sums.1 sums.2
check "definitions" diff definitions.1 definitions.2
stock -e 'CREATE DATABASE `Söme "d``b'\'' %_/.-; DROP` CHARACTER SET latin1'
odd=$(cd files && find . -mindepth 1 -maxdepth 1 -type d ! -name shop -printf '%f')
check "a database of a hostile name" load "$odd" "$ODD"
cd "$TMP"
db "$ODD" -e 'SELECT id, hex(v) FROM t' >odd.2
check "its rows" diff odd.1 odd.2
same "and its trigger" 1 "$(db "$ODD" -e 'SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = database()')"
check "accounts" eval 'stock mysql <files/users.sql'

# ---- one database of several, by our own program: under another name, a trigger that names its database, too
same_server() { DBSOCK=$(readlink "$DB/socket")/s; }
same_server
check_fails 2 "which one has to be said" db_restore_to x

contains "with the names there are" "$(cat .check)" "shop"
check "another one of them" db_restore_to odd2 --database "$ODD"
same "with its trigger, there" 1 "$(db_client -BN -e "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = 'odd2' AND event_object_schema = 'odd2'")"

# ---- a part of it, and a script of one's own
printf 'DELETE FROM orders WHERE id > 10; -- erased since\nDELETE FROM customers WHERE id = 1;\n' >erase.sql
check "two tables and a script" db_restore_to part --database shop --table orders --table shop.customers --table log --after "$TMP/erase.sql"
contains "what is left to do is told" "$(cat .check)" "Views, routines and events are not made"
same "only these tables" "customers log orders" "$(db part -e 'SHOW TABLES' | paste -sd' ')"
same "after the script" "10 2000" "$(db part -e 'SELECT count(*) FROM orders; SELECT count(*) FROM customers' | paste -sd' ')"
printf 'DELETE FROM orders;\nDELETE FROM nothing_here;\n' >bad.sql
check_fails 1 "a script that fails" db_restore_to part2 --database shop --table orders --after "$TMP/bad.sql"
contains "is named with its line" "$(cat .check)" "line 2"
same "and nothing of it stays" "$(db shop -e 'SELECT count(*) FROM orders')" "$(db part2 -e 'SELECT count(*) FROM orders')"
contains "and the database is not complete" "$(db_client -BN -e "SELECT schema_comment FROM information_schema.schemata WHERE schema_name = 'part2'")" "NOT COMPLETE"
check_fails 1 "a table that is not there" db_restore_to part3 --database shop --table oders
contains "the nearest is told" "$(cat .check)" "orders"

# ---- refused before anything is touched
db_job "database: shop"
DBSOCK=$(readlink "$DB/socket")/s
db_job "database: $(printf '%s' shop)"
check "one database" db_backup
restore_to() { "$RESTORE" --config "$HOST/backupd.yaml" database latest --to "$1"; }
check_fails 2 "a password in the address" restore_to "mariadb://root:secret@/x?socket=$DBSOCK"
same "is not repeated" 0 "$(grep -c secret .check || true)"
check_fails 2 "nor as a parameter" restore_to "mariadb://root@/x?socket=$DBSOCK&password=secret"
check_fails 2 "another scheme" restore_to "mysql://root@/x"
check_fails 2 "no database" restore_to "mariadb://root@localhost"
check_fails 2 "a database of the server" restore_to "mariadb://root@/mysql?socket=$DBSOCK"
db_client -e 'SET GLOBAL local_infile = OFF'
check_fails 4 "a server without LOAD DATA LOCAL" restore_to "mariadb://root@/x?socket=$DBSOCK"
contains "has a cure" "$(cat .check)" "SET GLOBAL local_infile = ON"
db_client -e 'SET GLOBAL local_infile = ON'
same "nothing was made" 0 "$(db_client -BN -e "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'x'")"
printf '[client]\nsocket=%s\nuser=root\n' "$DBSOCK" >"$HOME/.my.cnf"
check "a name alone is one at the person's own server" restore_to by_name
db_job "database: nowhere"
check_fails 4 "a database that is not there" db_backup
contains "is named" "$(cat .check)" "there is no database nowhere"
finish
