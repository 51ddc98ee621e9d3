#!/bin/bash
# Where a PostgreSQL snapshot is not restored to, and what stands in the target after a failure.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

restore() { "$RESTORE" --config "$HOST/backupd.yaml" database latest "$@"; }
objects() { pg "$1" -c 'SELECT count(*) FROM pg_class WHERE oid >= 16384'; }
comment() { pg "$1" -c "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"; }

pg_start
pg_createdb shop
pg_fill shop
check "a backup" pg_backup
pg_createdb used
pg used -c 'CREATE TABLE mine (id int)' -c 'INSERT INTO mine VALUES (1)'
pg_createdb empty

check_fails 1 "a database that holds something" pg_restore_to used
contains "the way out is told" "$(cat .check)" "--into-nonempty"
same "it is as it was" 1 "$(objects used)"
check "--into-nonempty" pg_restore_to used --into-nonempty
same "what was there stays" 1 "$(pg used -c 'SELECT * FROM mine')"
check_fails 4 "the same again meets its own tables" pg_restore_to used --into-nonempty
contains "before anything is touched" "$(cat .check)" "exists already in the target"
same "its comment says nothing" "" "$(comment used)"

sums=$(pg_sums shop)
check_fails 1 "the source" pg_restore_to shop --into-nonempty
contains "is recognized" "$(cat .check)" "is the database that was backed up"
contains "the way out is told" "$(cat .check)" "--into-source"
pg postgres -c 'ALTER DATABASE shop RENAME TO renamed'
check_fails 1 "the source under another name" pg_restore_to renamed --into-nonempty
contains "is recognized" "$(cat .check)" "is the database that was backed up"
pg postgres -c 'ALTER DATABASE renamed RENAME TO shop'
same "it is as it was" "$sums" "$(pg_sums shop)"
pg_createdb shop-new
pg postgres -c 'ALTER DATABASE shop RENAME TO old' -c 'ALTER DATABASE "shop-new" RENAME TO shop'
check_fails 1 "the database the job is configured for" pg_restore_to shop
contains "is recognized" "$(cat .check)" "is the database that was backed up"
check "--into-source" pg_restore_to shop --into-source
same "restores" "$sums" "$(pg_sums shop)"

# ---- what would change what is made, or cannot be written to
pg_createdb rights
pg postgres -c 'CREATE ROLE guest'
pg rights -c 'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO guest'
check_fails 1 "a database that gives rights to whatever is made" pg_restore_to rights
contains "is not empty" "$(cat .check)" "is not empty"
pg_createdb fixed
pg postgres -c 'ALTER DATABASE fixed SET default_transaction_read_only = on'
check_fails 4 "a database that is read-only" pg_restore_to fixed
contains "the way out is told" "$(cat .check)" "default_transaction_read_only = off"

# ---- what --to may be
password="host=$PGSOCK user=postgres dbname=empty password=tops3cret"
check_fails 2 "a password in --to" restore --to "$password"
contains "the way out is told" "$(cat .check)" "PGPASSFILE"
same "it is not repeated" 0 "$(grep -c tops3cret .check || true)"
check_fails 2 "a password in a URI" restore --to "postgresql://postgres:tops3cret@/empty?host=$PGSOCK"
same "it is not repeated" 0 "$(grep -c tops3cret .check || true)"
check_fails 2 "something else" restore --to "postgresql://postgres:tops3cret@[::1/empty"
same "it is not repeated" 0 "$(grep -c tops3cret .check || true)"
check_fails 1 "a database that does not exist" pg_restore_to nosuch
contains "the way out is told" "$(cat .check)" "createdb"
PGHOST=$PGSOCK PGUSER=postgres check "the name of a database" restore --to empty
same "restores" "$sums" "$(pg_sums empty)"
pg_createdb uri
check "a URI" restore --to "postgresql://postgres@/uri?host=${PGSOCK//\//%2F}"
same "restores" "$sums" "$(pg_sums uri)"

# ---- encodings
pg postgres -c "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
check_fails 4 "another encoding" pg_restore_to latin
contains "the way out is told" "$(cat .check)" "createdb -T template0 -E UTF8"

# ---- --no-owner, --no-verify
pg_createdb bare
check "--no-owner" pg_restore_to bare --no-owner
same "restores" "$sums" "$(pg_sums bare)"
same "without owners and rights" "" \
    "$(pg bare -c "SELECT relname FROM pg_class WHERE oid >= 16384 AND (relowner <> 10 OR relacl IS NOT NULL)")"
pg postgres -c 'CREATE ROLE restorer LOGIN' -c 'CREATE DATABASE mine OWNER restorer TEMPLATE template0'
check_fails 4 "the owner of a database, who is no superuser" restore --to "host=$PGSOCK user=restorer dbname=mine" --no-owner
contains "is told what only a superuser makes" "$(cat .check)" "only a superuser makes"
pg shop -c 'DROP EVENT TRIGGER quiet' -c 'DROP SUBSCRIPTION elsewhere' -c 'DROP FOREIGN DATA WRAPPER none CASCADE' 2>/dev/null
pg_backup --quiet
check "and makes everything else" restore --to "host=$PGSOCK user=restorer dbname=mine" --no-owner
same "restores" "$sums" "$(pg_sums mine)"
pg_createdb quick
check "--no-verify" pg_restore_to quick --no-verify
contains "says so" "$(cat .check)" "Not compared"

# ---- a failure at the beginning: its reason is told, and the mark does not outlive the next attempt
pg_createdb weak
pg postgres -c 'CREATE ROLE weak LOGIN'
check_fails 4 "a role that may not make anything" restore --to "host=$PGSOCK user=weak dbname=weak" --no-owner
contains "is told so" "$(cat .check)" "permission denied: role weak may make nothing"
pg_createdb twice
pg twice -c "COMMENT ON DATABASE twice IS 'NOT COMPLETE, do not use: a restore of pg/7 did not end here'"
check "a restore after one that failed" pg_restore_to twice
same "its mark is gone" "" "$(comment twice)"

# ---- more tables than there is room for locks: the backup names the setting, the restore does without
pg_createdb many
pg many -c "DO \$\$ BEGIN FOR i IN 1..1300 LOOP EXECUTE 'CREATE TABLE t' || i || ' (id int)'; IF i % 50 = 0 THEN COMMIT; END IF; END LOOP; END \$\$"
pg_job "database: many" "globals: no"
check "a database of many tables" pg_backup
"$REPO_ROOT/tests/fixture/postgres.sh" halt "$PG"
"$REPO_ROOT/tests/fixture/postgres.sh" start "$PG" --set max_connections=10 --set max_locks_per_transaction=10
check_fails 4 "on a server with little room for locks" pg_backup
contains "the cure is told" "$(cat .check)" "raise max_locks_per_transaction"
pg_createdb many2
check "a restore there" pg_restore_to many2
contains "compares all of them" "$(cat .check)" "1,300 tables"
"$REPO_ROOT/tests/fixture/postgres.sh" halt "$PG"
"$REPO_ROOT/tests/fixture/postgres.sh" start "$PG" --set max_locks_per_transaction=64
pg_job
pg_backup --quiet

# ---- a failure in the middle: a disk of a repository that lost a pack
pg_createdb broken
pack=$(find "$STORAGE/w" -path '*/pack/*' -type f -size +1M | head -n 1)
chmod u+w "$pack"
printf 'x' | dd of="$pack" bs=1 seek=$(($(stat -c %s "$pack") / 2)) conv=notrunc status=none
rm -rf "$HOST/state/restore"
check_fails 9 "a damaged pack" pg_restore_to broken
contains "the database must not be used" "$(cat .check)" "must not be used"
contains "which it says itself" "$(comment broken)" "NOT COMPLETE, do not use: a restore of pg/"
finish
