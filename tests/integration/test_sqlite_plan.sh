#!/bin/bash
# restore plan and scripts after a restore, for SQLite.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

sql() { sqlite3 "$@"; }
restore() { "$RESTORE" --config backupd.yaml --quiet "$@"; }

mkdir storage
sql shop.db 'PRAGMA journal_mode = WAL' 'CREATE TABLE c (id INTEGER PRIMARY KEY, name TEXT)' \
    "INSERT INTO c SELECT value, 'name ' || value FROM generate_series(1, 20000)" 'CREATE TABLE log (n)' \
    'CREATE TRIGGER t AFTER DELETE ON c BEGIN INSERT INTO log VALUES (old.id); END' >/dev/null
printf 'state: %s/state\nrepositories:\n  main: { storage: { type: local, path: %s/storage }, keys: %s/keys, kit: %s/safe/restore-kit.key }\njobs:\n  db: { engine: sqlite, path: %s/shop.db }\n' \
    "$TMP" "$TMP" "$TMP" "$TMP" "$TMP" >backupd.yaml
"$BACKUPD" --config backupd.yaml --quiet init --safe "$TMP/safe" --kit-unconfirmed --no-kit-passphrase >/dev/null
check "a backup" "$BACKUPD" --config backupd.yaml backup

check "a plan" restore plan latest --to new.db
contains "tells the file" "$(cat .check)" "file new.db: "
contains "that nothing was touched" "$(cat .check)" "Nothing was touched"
check "indeed" test ! -e new.db
printf 'x' >other.db
printf 'x' >stale.db-wal
check_fails 4 "a file that exists" restore plan latest --to other.db
contains "is told" "$(cat .check)" "is not overwritten"
check "what lies beside the new name" restore plan latest --to stale.db
contains "is told" "$(cat .check)" "stale.db-wal belongs to another database"
check_fails 4 "no parts" restore plan latest --to new.db --table c
check_fails 4 "a table" restore table latest c
contains "the way is told" "$(cat .check)" "--to FILE"

printf "DELETE FROM c WHERE id = 7;\n-- erased\nUPDATE c SET name = 'a;b' WHERE id = 8;\n" >erase.sql
check "a script" "$RESTORE" --config backupd.yaml database latest --to new.db --after erase.sql
contains "is told" "$(cat .check)" "Then ran erase.sql: 2 statements, committed."
same "it ran" "0|1|a;b" "$(sql new.db 'SELECT (SELECT count(*) FROM c WHERE id = 7), (SELECT count(*) FROM log), (SELECT name FROM c WHERE id = 8)')"
same "nothing lies beside it" "new.db" "$(find . -maxdepth 1 -name '*new.db*' -printf '%f\n' | sort | paste -sd' ')"
for script in 'UPDATE c SET name = 1; SELECT nosuch()' '.read x.sql' 'DELETE FROM c; COMMIT; SELECT 1'; do
    printf '%s\n' "$script" >bad.sql
    check "refused: $script" not restore database latest --to bad.db --after bad.sql
    check "nothing is made" not test -e bad.db
done
same "the source is as it was" 20000 "$(sql shop.db 'SELECT count(*) FROM c')"
finish
