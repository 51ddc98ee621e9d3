#!/bin/bash
# restore plan, what a restore refuses before it touches anything, scripts after it, and loads over several connections.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

plan() {
    local database=$1
    shift
    "$RESTORE" --config "$HOST/backupd.yaml" --quiet plan latest --to "host=$PGSOCK user=${PLAN_USER:-postgres} dbname='$database'" "$@"
}
state() { pg postgres -c "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database ORDER BY 1" -c 'SELECT rolname FROM pg_roles ORDER BY 1' && find "$STORAGE" -type f | sort; }
objects() { pg "$1" -c 'SELECT count(*) FROM pg_class WHERE oid >= 16384'; }

pg_start
pg_createdb shop
pg_fill shop
mkdir "$TMP/space"
chmod 777 "$TMP" "$TMP/space"
chown "$(cat "$PG/user")" "$TMP/space" 2>/dev/null || true
pg shop -c 'CREATE EXTENSION hstore' -c 'CREATE TABLE shop.tagged (id int, h hstore)' \
    -c "INSERT INTO shop.tagged SELECT i, hstore('k', i::text) FROM generate_series(1, 100) i"
pg postgres -c "CREATE TABLESPACE slow LOCATION '$TMP/space'"
pg shop -c 'CREATE TABLE shop.placed (id int) TABLESPACE slow' -c 'INSERT INTO shop.placed VALUES (1)'
pg shop -c "CREATE TABLE shop.wide AS SELECT i, repeat(md5(i::text), 8) AS t FROM generate_series(1, 60000) i" \
    -c "INSERT INTO shop.wide SELECT -1, string_agg(md5(i::text), '') FROM generate_series(1, 200000) i"
check "a backup" pg_backup

# ---- a plan touches nothing
pg_createdb new
before=$(state)
check "a plan" plan new
same "nothing is changed" "$before" "$(state)"
same "also in the target" 0 "$(objects new)"
text=$(cat .check)
for what in "tables, " "rows in" "server 15" "encoding UTF8" "extension hstore: version" "tablespace slow is there" "is a superuser" \
    "are free at" "no restore of this kind was measured" "over 2 connections" "The restore can begin"; do
    contains "it tells: $what" "$text" "$what"
done
same "as JSON" "0 True" "$(plan new --json | python3 -c 'import json, sys
p = [json.loads(l) for l in sys.stdin if "\"plan\"" in l][-1]
print(p["missing"], any(l["kind"] == "create" for l in p["lines"]))')"
check_fails 4 "a database that is not there" plan nosuch
contains "how to make it" "$(cat .check)" "createdb -T template0 -E UTF8"
contains "what else fits" "$(cat .check)" "extension hstore"
check_fails 4 "the source" plan shop
contains "is recognized" "$(cat .check)" "is the database that was backed up"
check "what is beside it" plan shop --beside
check "a part" plan new --table shop.customers
contains "what is left out" "$(cat .check)" "left out: view shop.totals"
check_fails 1 "no such table" plan new --table shop.nosuch
check_fails 2 "a script of psql" plan new --after <(printf 'SELECT 1;\n\\i other.sql\n')
pg postgres -c 'CREATE ROLE weak LOGIN'
PLAN_USER=weak check_fails 4 "a role without rights" plan new
contains "may make nothing" "$(cat .check)" "role weak may make nothing"
contains "nor give" "$(cat .check)" "this role may give nothing to"

# ---- what the server lacks is told, and nothing is touched, by both
pg postgres -c 'ALTER TABLESPACE slow RENAME TO other' -c 'ALTER ROLE shop_group RENAME TO other_group' -c 'ALTER ROLE shop_owner RENAME TO other_owner'
check_fails 4 "a missing tablespace and role" plan new
contains "the tablespace" "$(cat .check)" "the server has no tablespace slow"
contains "the role" "$(cat .check)" "the server has no role shop_owner"
contains "with their cures" "$(cat .check)" "--no-tablespaces"
check_fails 4 "a restore there" pg_restore_to new
contains "changes nothing" "$(cat .check)" "nothing was changed"
same "indeed" 0 "$(objects new)"
pg postgres -c 'DROP ROLE IF EXISTS "shop_owner"'
check "only the missing ones are made" pg_restore_to new --create-roles --no-tablespaces --jobs 4
same "all rows are there" "$(pg_sums shop)" "$(pg_sums new)"
same "with its settings" '{work_mem=8MB}' "$(pg new -c "SELECT rolconfig FROM pg_roles WHERE rolname = 'shop_owner'")"
check_fails 4 "and is in the way" plan new --into-nonempty
contains "by name" "$(cat .check)" "TABLE shop.customers exists already in the target"
pg_createdb again
check "a plan after a restore" plan again --no-tablespaces
contains "tells how long it took" "$(cat .check)" "by the 1 restore measured here"

# ---- a script afterwards
printf 'DELETE FROM shop.customers c WHERE id = 7 AND NOT EXISTS (SELECT FROM shop.orders o WHERE o.customer = c.id);\n-- erased\nUPDATE shop.secrets SET what = NULL WHERE id < 3;\n' >erase.sql
check "a script" pg_restore_to again --no-tablespaces --after erase.sql
contains "is told" "$(cat .check)" "Then ran erase.sql: 2 statements, committed. It has $(stat -c %s erase.sql) bytes, b2sum -l 256 gives $(b2sum -l 256 erase.sql | cut -d' ' -f1)."
same "it ran" 2 "$(pg again -c 'SELECT count(*) FROM shop.secrets WHERE what IS NULL')"
pg_createdb bad
printf 'UPDATE shop.secrets SET what = NULL;\nSELECT 1/0;\n' >bad.sql
check_fails 1 "one that fails" pg_restore_to bad --no-tablespaces --after bad.sql
contains "is told" "$(cat .check)" "division by zero"
same "none of it stays" 0 "$(pg bad -c 'SELECT count(*) FROM shop.secrets WHERE what IS NULL')"
contains "the target is marked" "$(pg bad -c "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'bad'")" "NOT COMPLETE"
pg_createdb none
for script in '\i x.sql' 'COMMIT' 'BEGIN; SELECT 1' 'COPY shop.secrets FROM stdin' "SELECT 'open"; do
    printf '%s\n' "$script" >refused.sql
    check_fails 2 "refused: $script" pg_restore_to none --no-tablespaces --after refused.sql
done
same "before anything is touched" 0 "$(objects none)"
for database in bad again; do # one with a subscription cannot be dropped
    pg "$database" -c 'DROP SUBSCRIPTION elsewhere'
    pg postgres -c "DROP DATABASE $database"
done

# ---- failures in mid-load
pg none -c "CREATE SCHEMA m" -c "CREATE FUNCTION m.no() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN ALTER TABLE shop.wide ADD CHECK (i <> 41000); EXCEPTION WHEN undefined_table OR duplicate_object THEN END'" \
    -c "CREATE EVENT TRIGGER m ON ddl_command_end WHEN TAG IN ('CREATE TABLE AS', 'CREATE TABLE') EXECUTE FUNCTION m.no()"
check_fails 1 "a row that the target refuses" pg_restore_to none --no-tablespaces --into-nonempty --jobs 4
contains "is named with its table" "$(cat .check)" 'table "shop"."wide": row 41000'
contains "and the server's words" "$(cat .check)" "violates check constraint"
pg_createdb killed
spawn killer bash -c "while :; do $PG_BIN/psql -X -q -h $PGSOCK -U postgres -d postgres -c \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'killed' AND query LIKE 'COPY%'\" >/dev/null; done"
check_fails 1 "a server that ends the sessions" pg_restore_to killed --no-tablespaces
contains "must not be used" "$(cat .check)" "must not be used"
stop "$SPAWNED"

# ---- a server that takes nothing: one signal is enough
pg_createdb stalled
"$RESTORE" --config "$HOST/backupd.yaml" --quiet database latest --no-tablespaces --to "host=$PGSOCK user=postgres dbname=stalled" >stalled.out 2>&1 &
restore=$!
stopped=
if wait_for 20 bash -c "[[ -n \$($PG_BIN/psql -X -q -A -t -h $PGSOCK -U postgres -d postgres -c \"SELECT pid FROM pg_stat_activity WHERE datname = 'stalled' AND query LIKE 'COPY%' AND state = 'active'\") ]]"; then
    stopped=$(pg postgres -c "SELECT pid FROM pg_stat_activity WHERE datname = 'stalled' AND query LIKE 'COPY%'" | paste -sd' ')
    # shellcheck disable=SC2086  # several
    kill -STOP $stopped
fi
check "sessions stand still in mid-load" test -n "$stopped"
kill -INT $restore
check "one interrupt ends the restore" wait_gone $restore 20
status=0
wait $restore || status=$?
same "with its exit status" 130 $status
# shellcheck disable=SC2086
kill -CONT $stopped 2>/dev/null || true

# ---- a disk that is full in mid-load
if [[ $(id -u) -eq 0 ]]; then
    mkdir "$TMP/small"
    mount -t tmpfs -o "size=24m,mode=777" none "$TMP/small"
    at_end umount -l "$TMP/small"
    mkdir -m 700 "$TMP/small/space"
    chown "$(cat "$PG/user")" "$TMP/small/space"
    pg postgres -c "CREATE TABLESPACE small LOCATION '$TMP/small/space'" -c 'CREATE DATABASE small TEMPLATE template0 TABLESPACE small'
    check_fails 1 "a full disk" pg_restore_to small --no-tablespaces
    contains "is told" "$(cat .check)" "No space left on device"
    contains "with the table" "$(cat .check)" 'table "shop".'
else
    echo "not shown as this user: a full disk (root makes a small one)"
fi
finish
