#!/bin/bash
# Each of a run's sessions is ended in mid-run, and the server shuts down, also while the storage takes nothing: the run
# never ends well, says what was lost, and lets go of its locks.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

mkfifo go
sessions() { pg postgres -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'backupd' AND backend_type = 'client backend' ORDER BY pid"; }
no_session() { [[ -z $(sessions) ]]; }
at_stall() { grep -q stalled run.log || ! kill -0 "$run"; }
# stall STREAM: a run whose reader takes nothing any more in the midst of this stream
stall() {
    spawn run.log "$TOOLS/engine_drain" --stall "$1" go "$HOST/backupd.yaml" pg
    run=$SPAWNED
    wait_for 60 at_stall
}
go_on() {
    # Nobody opens the other end when the run is over already.
    ! kill -0 "$run" 2>/dev/null || timeout 60 bash -c ': >go' || true
    status=0
    wait "$run" || status=$?
}
psql_as() { # APPLICATION SQL, in the background
    spawn "$1.log" "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$PGSOCK" -U postgres -d "dbname=shop application_name=$1" -c "$2"
}

pg_start
pg_createdb shop
pg shop -c "CREATE TABLE big (id int, v text)" -c "CREATE TABLE small (id int)" -c "INSERT INTO small VALUES (1)" \
    -c "INSERT INTO big SELECT i, md5(i::text) || repeat('z', 90) FROM generate_series(1, 150000) i" \
    -c "SELECT lo_from_bytea(0, decode(repeat(md5(i::text), 20000), 'hex')) FROM generate_series(1, 60) i" >/dev/null
pg_job "connections: 2" "lock_timeout: 2s"
check "a whole run" "$TOOLS/engine_drain" "$HOST/backupd.yaml" pg

# ---- every session, one after the other: the holder of the snapshot, two readers, and pg_dump where it is at work
for stream in shop/largeobjects.pgdump shop/tables/public/big.copy; do
    stall "$stream"
    count=$(sessions | wc -l)
    same "sessions while $stream is read" "$([[ $stream == *pgdump ]] && echo 4 || echo 3)" "$count"
    go_on
    same "which ends well when they live" 0 "$status"
    for ((i = 1; i <= count; i++)); do
        stall "$stream"
        victim=$(sessions | sed -n "${i}p")
        pg postgres -c "SELECT pg_terminate_backend($victim)" >/dev/null
        go_on
        same "$stream: session $i is terminated" 1 "$status"
        contains "it is worth a repetition" "$(cat run.log)" "engine_drain: RETRY: "
        contains "and what was lost is said" "$(cat run.log)" "terminat"
        check "no session is left" wait_for 20 no_session
    done
done

# ---- max_blocked, while the storage takes nothing: everybody who waited gets his turn before it does again
pg_job "connections: 2" "lock_timeout: 60s" "max_blocked: 1s"
for stream in shop/largeobjects.pgdump shop/tables/public/big.copy; do
    stall "$stream"
    psql_as migration 'ALTER TABLE small ADD COLUMN IF NOT EXISTS more int'
    alter=$SPAWNED
    waits() { [[ $(pg postgres -c "SELECT count(*) FROM pg_locks WHERE NOT granted") -ge 1 ]]; }
    check "ALTER waits" wait_for 20 waits
    psql_as shopper 'SELECT count(*) FROM small'
    check "$stream: SELECT got its turn" wait_gone "$SPAWNED" 120
    check "after ALTER TABLE" wait_gone "$alter" 120
    check "while the run still stands" kill -0 "$run"
    same "and no session of it holds anything" "" "$(sessions)"
    go_on
    same "the run failed" 1 "$status"
    contains "for this reason" "$(cat run.log)" "engine_drain: RETRY: "
    contains "which it names" "$(cat run.log)" "(application migration, role postgres) waits for public.small"
    contains "with the way out" "$(cat run.log)" "raise max_blocked"
done

# ---- a session that has nothing to say for long is ended, too
pg shop -c 'CREATE EXTENSION hstore' -c 'CREATE TABLE slow (id int)' -c 'INSERT INTO slow SELECT generate_series(1, 3000)' \
    -c 'ALTER EXTENSION hstore ADD TABLE slow' -c "UPDATE pg_extension SET extconfig = ARRAY['slow'::regclass::oid],
        extcondition = ARRAY['WHERE pg_catalog.pg_sleep(0.5) IS NOT NULL'] WHERE extname = 'hstore'"
spawn run.log "$TOOLS/engine_drain" "$HOST/backupd.yaml" pg
run=$SPAWNED
sleeps() { [[ $(pg postgres -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") -ge 1 ]]; }
check "a reader is silent" wait_for 60 sleeps
psql_as migration 'ALTER TABLE small ADD COLUMN IF NOT EXISTS more2 int'
check "ALTER TABLE gets its turn" wait_gone "$SPAWNED" 120
status=0
wait "$run" || status=$?
same "the run failed" 1 "$status"
contains "because it gave way" "$(cat run.log)" "the backup gave way (max_blocked)"
pg shop -c 'ALTER EXTENSION hstore DROP TABLE slow' -c 'DROP EXTENSION hstore' -c 'DROP TABLE slow'

# ---- the server ends
pg_job "connections: 2"
for mode in INT QUIT; do
    stall shop/tables/public/big.copy
    kill "-$mode" "$(cat "$PG/pid")"
    wait_gone "$(cat "$PG/pid")" 60
    go_on
    same "SIG$mode to the server fails the run" 1 "$status"
    contains "it is worth a repetition" "$(cat run.log)" "engine_drain: RETRY: "
    contains "and names the database" "$(cat run.log)" "database shop at"
    "$REPO_ROOT/tests/fixture/postgres.sh" start "$PG"
done
# A smart shutdown waits for the run, which only needs new sessions for pg_dump.
stall shop/tables/public/big.copy
kill -TERM "$(cat "$PG/pid")"
go_on
same "a smart shutdown waits for the rows" 0 "$status"
wait_gone "$(cat "$PG/pid")" 60
"$REPO_ROOT/tests/fixture/postgres.sh" start "$PG"
stall shop/schema.pgdump
kill -TERM "$(cat "$PG/pid")"
go_on
same "but gives no new session" 1 "$status"
contains "which is passing" "$(cat run.log)" "engine_drain: RETRY: "
contains "and named" "$(cat run.log)" "shutting down"
finish
