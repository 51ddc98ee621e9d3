#!/bin/bash
# A backup of a streaming replica; one whose reading conflicts with what the replica has to apply.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

on_standby() { "$PG_BIN/psql" -X -q -A -t -h "$STANDBY" -U postgres -d shop -c "$1"; }
caught_up() { [[ $(on_standby "SELECT pg_last_wal_replay_lsn() >= '$1'") == t ]]; }
wait_standby() { wait_for 60 caught_up "$(pg shop -c 'SELECT pg_current_wal_lsn()')"; }
reading() { [[ $(on_standby "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY %' AND pid <> pg_backend_pid()") -gt 0 ]]; }

pg_start --set wal_level=replica --set max_wal_senders=4
pg_createdb shop
pg shop -c "CREATE TABLE big (id serial PRIMARY KEY, v text)" \
    -c "INSERT INTO big (v) SELECT md5(i::text) || repeat(md5((i * 7)::text), 6) FROM generate_series(1, 150000) i" \
    -c "CREATE UNLOGGED TABLE cache (id int)" -c "CREATE SEQUENCE s" -c "SELECT setval('s', 42)" >/dev/null
"$REPO_ROOT/tests/fixture/postgres.sh" start "$TMP/standby" --standby-of "$PG" --set max_standby_streaming_delay=100ms \
    --set wal_receiver_status_interval=1s
at_end "$REPO_ROOT/tests/fixture/postgres.sh" stop "$TMP/standby"
STANDBY=$(readlink "$TMP/standby/socket")
wait_standby
config() {
    pg_job "$@"
    sed -i "s|host: $PGSOCK|host: $STANDBY|" "$HOST/backupd.yaml"
}

config
check_fails 4 "unlogged tables are not on a standby: the look says so" "$BACKUPD" --config "$HOST/backupd.yaml" check database
contains "by name" "$(cat .check)" "unlogged tables (public.cache, ...) do not exist on a standby"
contains "and what the standby does to long reads" "$(cat .check)" "max_standby_streaming_delay = 100ms"
config 'unlogged_data: no'
check "without their rows it goes" pg_backup
same "it is noted" t "$(fact in_recovery)"
pg_createdb shop2
check "it restores" pg_restore_to shop2
same "rows and sequences" "150000|42" "$(pg shop2 -c 'SELECT (SELECT count(*) FROM big), last_value FROM s')"

# ---- what the primary removes while the standby reads
config 'unlogged_data: no' 'compression: 15' 'dedup: false' # takes a while
"$BACKUPD" --config "$HOST/backupd.yaml" backup pg >run.log 2>&1 &
run=$!
wait_for 60 reading || true
pg shop -c "DELETE FROM big WHERE id % 3 = 0" -c "VACUUM big"
status=0
wait "$run" || status=$?
contains "a conflict is named" "$(cat run.log)" "conflict with recovery"
contains "with the cure" "$(cat run.log)" "on a standby: set hot_standby_feedback = on"
contains "and the run is repeated" "$(cat run.log)" "running once more"
same "which succeeds" 0 "$status"
pg_createdb shop3
check "it restores, too" pg_restore_to shop3
same "as of the second time" 100000 "$(pg shop3 -c 'SELECT count(*) FROM big')"
finish
