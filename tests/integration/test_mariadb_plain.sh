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
same "and no value was changed on the way" 0 "$(grep '^Warning' load.log | grep -vc "Data truncated for column 'e' at row" || true)"
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
check_fails 2 "which one has to be said" db_restore_to x

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
