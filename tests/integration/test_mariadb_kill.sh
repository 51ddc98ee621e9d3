#!/bin/bash
# Whatever dies or changes while a MariaDB database is backed up: nothing half is published, the reason is told, what
# passes is repeated, and the next run succeeds.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

snapshots() { "$BACKUPD" --config "$HOST/backupd.yaml" list --json | grep -c '"id"' || true; }
start_run() {
    "$BACKUPD" --config "$HOST/backupd.yaml" backup my >run.log 2>&1 &
    run=$!
}
end_run() {
    status=0
    wait "$run" || status=$?
}
READING="info LIKE 'SELECT%FROM \`shop\`.\`big\`%'"

db_start
db_client -e 'CREATE DATABASE shop'
db shop -e "CREATE TABLE big (id int PRIMARY KEY, v text);
    INSERT INTO big SELECT seq, concat(md5(seq), md5(seq * 7), repeat('z', 60)) FROM seq_1_to_150000;
    CREATE TABLE small (id int); INSERT INTO small SELECT seq FROM seq_1_to_10;
    CREATE VIEW v AS SELECT * FROM small"
db_job "lock_timeout: 1s" "compression: 1"
check "a first backup" db_backup
count=$(snapshots)
same "is listed" 1 "$count"

# ---- connections are killed, each time the run is repeated, too: the one that reads, the one that asks
db_watch "$READING" "EXECUTE IMMEDIATE concat('KILL ', @id)" "$READING" "EXECUTE IMMEDIATE concat('KILL ', @id - 1)" \
    "$READING" "EXECUTE IMMEDIATE concat('KILL ', @id)"
start_run
end_run
same "killed connections fail the run" 1 "$status"
check "three were killed" db_seen
same "nothing is published" "$count" "$(snapshots)"
contains "and the connection is named" "$(cat run.log)" "MariaDB at"

# ---- a definition that changes while the rows are read: one repeated run has all of it
db_watch "$READING" 'ALTER TABLE shop.small ADD COLUMN added int DEFAULT 5'
start_run
check "the rows are being read" db_seen
end_run
same "ALTER TABLE in mid-run: the run is repeated" 0 "$status"
count=$((count + 1))
same "and published once" "$count" "$(snapshots)"
contains "with the new definition" "$("$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest shop/schema.sql)" "added"
contains "and its rows" "$("$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest shop/tables/small.tsv)" $'10\t5'
db_watch "$READING" 'CREATE PROCEDURE shop.late() SELECT 1'
start_run
check "the rows are being read again" db_seen
end_run
same "so is it after CREATE PROCEDURE" 0 "$status"
count=$((count + 1))
same "whose code is there" 1 "$(fact procedures shop/code.sql)"
contains "and the reason is told" "$(cat run.log)" "definitions of database shop were changed"

# ---- somebody holds a lock on a definition
db shop -e 'LOCK TABLES small WRITE; SELECT sleep(60)' >/dev/null 2>&1 &
holder=$!
wait_for 10 eval "db_client -BN -e 'SHOW PROCESSLIST' | grep -q 'sleep(60)'"
check_fails 1 "a table that is locked" db_backup
contains "the reason is told" "$(cat .check)" "ock wait timeout"
kill "$holder"
wait "$holder" 2>/dev/null || true
db_client -BN -e "SELECT concat('KILL ', id) FROM information_schema.processlist WHERE info LIKE '%sleep(60)%' AND id <> connection_id()" | db_client || true
same "nothing is published" "$count" "$(snapshots)"

# ---- a mariadb-dump that ends early, or well without a dump
mkdir bin
printf '#!/bin/sh\ncase "$*" in *--version*) exec mariadb-dump --version ;; esac\nmariadb-dump "$@" | head -n 12\n' >bin/mariadb-dump
chmod +x bin/mariadb-dump
db_job "bin_dir: $TMP/bin"
check_fails 1 "a dump without its end" db_backup
contains "is told" "$(cat .check)" "has no end"
printf '#!/bin/sh\ncase "$*" in *--version*) exec mariadb-dump --version ;; esac\necho hello\n' >bin/mariadb-dump
check_fails 1 "something else" db_backup
contains "is told" "$(cat .check)" "is no dump"
same "nothing is published" "$count" "$(snapshots)"

# ---- the server itself dies
db_job "lock_timeout: 1s"
db_watch "$READING" 'DO 0'
start_run
check "the rows are being read" db_seen
kill -9 "$(cat "$DB/pid")"
end_run
check "a server that dies fails the run" test "$status" -ne 0
"$REPO_ROOT/tests/fixture/mariadb.sh" start "$DB" --set log-bin=bin --set server-id=1
same "nothing is published" "$count" "$(snapshots)"
check "the next run succeeds" db_backup
check "and is everything" db_restore_to shop2
same "rows of the big table" 150000 "$(db shop2 -e 'SELECT count(*) FROM big')"

# ---- a restore that is stopped leaves a database that says what it is
db_watch "info LIKE 'LOAD DATA%'" 'DO 0'
"$RESTORE" --config "$HOST/backupd.yaml" database latest --to "mariadb://root@/shop3?socket=$DBSOCK" >restore.log 2>&1 &
run=$!
check "it loads" db_seen
kill -TERM "$run"
end_run
check "a stopped restore does not end well" test "$status" -ne 0
contains "the database says so" "$(db_client -BN -e "SELECT schema_comment FROM information_schema.schemata WHERE schema_name = 'shop3'")" "NOT COMPLETE"
finish
