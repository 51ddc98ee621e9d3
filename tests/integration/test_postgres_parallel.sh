#!/bin/bash
# Rows read by several connections, by ranges of pages: byte for byte what one connection reads; and a run that gives way.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

sums() { # SNAPSHOT: a line for each table's stream
    rm -rf exported
    "$RESTORE" --config "$HOST/backupd.yaml" --quiet export "$1" --format dir --to "$TMP/exported" &&
        (cd exported/data/shop/tables && find . -name '*.copy' -print0 | sort -z | xargs -0 sha256sum)
}
added() { pg_backup --json | python3 -c 'import json, sys
print([o for o in map(json.loads, sys.stdin) if o["message_type"] == "summary"][-1]["data_added"])'; }

pg_start --set min_parallel_table_scan_size=0 --set parallel_setup_cost=0 --set parallel_tuple_cost=0
pg_createdb shop
pg_fill shop
# One big table with holes and moved rows; one whose bytes are nearly all beside the heap; one of wide rows.
pg shop -c "CREATE TABLE big (id int PRIMARY KEY, v text)" \
    -c "INSERT INTO big SELECT i, md5(i::text) || repeat('z', i % 90) FROM generate_series(1, 150000) i" \
    -c "DELETE FROM big WHERE id BETWEEN 40000 AND 60000 OR id % 17 = 0" -c "UPDATE big SET v = v || 'moved' WHERE id % 29 = 0" \
    -c "CREATE TABLE beside (id int, b bytea)" -c "ALTER TABLE beside ALTER b SET STORAGE EXTERNAL" \
    -c "INSERT INTO beside SELECT i, decode(repeat(md5(i::text), 3000), 'hex') FROM generate_series(1, 200) i" \
    -c "CREATE TABLE emptied (id int)" -c "INSERT INTO emptied SELECT generate_series(1, 150000)" -c "DELETE FROM emptied" \
    -c "ANALYZE"
pg_job "connections: 1"
check "one connection" pg_backup
sums latest >one
same "gives rows in the order of the heap" "$(pg shop -c 'SET synchronize_seqscans = off' -c 'COPY big TO STDOUT' | sha256sum)" \
    "$("$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest shop/tables/public/big.copy | sha256sum)"
for n in 2 5 16; do
    pg_job "connections: $n"
    new=$(added)
    check "$n connections add nothing to it ($new bytes)" test "$new" -lt 500000
    sums latest >sums.more
    check "$n connections: the same bytes" cmp one sums.more
done
same "rows are those of the table" "$(pg shop -c 'SELECT count(*) FROM big')" "$(fact rows shop/tables/public/big.copy)"
same "and so is the fingerprint" "$(pg_sums shop "$(fact fingerprint_seed)" | awk '/public.big/ { print $NF }')" \
    "$(fact fingerprint shop/tables/public/big.copy | sed 's/xxh3-128-sum://')"
pg_createdb shop2
check "it restores" pg_restore_to shop2

# ---- settings of the role must not change what is read
pg postgres -c "CREATE ROLE bk SUPERUSER LOGIN" -c "ALTER ROLE bk SET enable_tidscan = off" -c "ALTER ROLE bk SET jit_above_cost = 1000" \
    -c "ALTER ROLE bk SET default_transaction_isolation = serializable" -c "ALTER ROLE bk SET statement_timeout = '400ms'"
pg_job "user: bk" "connections: 3"
check "a role with settings of its own" pg_backup
sums latest >sums.more
check "reads the same bytes" cmp one sums.more
pg_job "connections: 17"
check_fails 2 "more connections than there may be" pg_backup

# ---- others wait for the run: it gives way, and says for whom
pg shop -c "INSERT INTO big SELECT 1000000 + i, repeat(md5(i::text), 8) FROM generate_series(1, 400000) i"
pg_job "connections: 2" "max_blocked: 1s" "compression: 15"
reading() { [[ $(pg postgres -c "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND query LIKE 'COPY %'") -gt 0 ]]; }
"$BACKUPD" --config "$HOST/backupd.yaml" backup pg >run.log 2>&1 &
run=$!
wait_for 60 reading
spawn alter.log "$PG_BIN/psql" -X -q -h "$PGSOCK" -U postgres -d "dbname=shop application_name=migration" -c 'ALTER TABLE shop.empty ADD COLUMN x int'
alter=$SPAWNED
wait_gone "$alter" 60 || true
check "what waited got its turn" not kill -0 "$alter"
check "the change was made" pg shop -c 'SELECT x FROM shop.empty'
status=0
wait "$run" || status=$?
contains "the run said who waited, and for what" "$(cat run.log)" "(application migration, role postgres) waits for shop.empty"
contains "and that it gave way" "$(cat run.log)" "the backup gave way (max_blocked)"
same "and was repeated" 0 "$status"
contains "once" "$(cat run.log)" "running once more"
same "with the new column" "id,x" "$(fact columns shop/tables/shop/empty.copy)"

finish
