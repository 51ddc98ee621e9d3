#!/bin/bash
# Whatever dies or gets in the way while a PostgreSQL database is backed up: nothing is published, the reason is told, and
# the next run succeeds.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

SEED=${SEED:-20261125}
RANDOM=$SEED

snapshots() { "$BACKUPD" --config "$HOST/backupd.yaml" list --json | grep -c '"id"' || true; }
backends() { pg postgres 2>/dev/null -c "SELECT pid FROM pg_stat_activity WHERE datname = 'shop' AND application_name = 'backupd' ORDER BY pid"; }
running() { kill -0 "$run" 2>/dev/null; }
start_run() {
    "$BACKUPD" --config "$HOST/backupd.yaml" backup pg >run.log 2>&1 &
    run=$!
}
end_run() {
    status=0
    wait "$run" || status=$?
}
reading() { [[ $(pg postgres 2>/dev/null -c "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND query LIKE 'COPY %'") -gt 0 ]]; }
copying() { backends >pids && [[ -s pids ]] && reading; }
# A pg_dump that dumps: the same program is asked for its version before.
dumping() {
    local pid words
    for pid in $(pgrep -P "$run" -x pg_dump); do
        words=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || continue
        [[ -z $words || $words == *' --version'* ]] || { printf '%s\n' "$pid" >dump.pid; return 0; }
    done
    return 1
}

pg_start
pg_createdb shop
# Some seconds of work.
pg shop -c "CREATE TABLE big (id int, v text)" \
    -c "INSERT INTO big SELECT i, md5(i::text) || md5((i * 7)::text) || repeat('z', 60) FROM generate_series(1, 800000) i" \
    -c "CREATE TABLE small (id int)" -c "INSERT INTO small SELECT generate_series(1, 10)" \
    -c "SELECT lo_from_bytea(0, decode(repeat(md5(i::text), 2000), 'hex')) FROM generate_series(1, 300) i" >/dev/null
pg_job "lock_timeout: 2s" "compression: 1" "retry_pause: 0s"
check "a first backup" pg_backup
count=$(snapshots)
same "is listed" 1 "$count"

# ---- a backend is killed: the server throws out everybody and recovers. The run is repeated by itself: kill again.
for round in 1 2; do
    start_run
    kills=0
    while running; do
        if copying; then
            sleep "0.$((RANDOM % 3))"
            victim=$(shuf -n 1 --random-source=<(yes "$SEED$round") pids)
            ! kill -9 "$victim" 2>/dev/null || kills=$((kills + 1))
        fi
        sleep 0.05
    done
    end_run
    same "round $round: killed backends ($kills) fail the run" 1 "$status"
    wait_for 20 pg postgres -c 'SELECT 1'
    same "round $round: nothing is published" "$count" "$(snapshots)"
    contains "round $round: and the connection is named" "$(cat run.log)" "database shop"
done
check "the next run succeeds" pg_backup
count=$((count + 1))
same "and is listed" "$count" "$(snapshots)"

# ---- terminated by an administrator, once: the run repeats itself
start_run
wait_for 20 copying
pg postgres -c "SELECT pg_terminate_backend($(head -n 1 pids))" >/dev/null
end_run
same "a run that lost its connection once is repeated" 0 "$status"
contains "which it says" "$(cat run.log)" "running once more"
count=$((count + 1))
same "and is published once" "$count" "$(snapshots)"

# ---- pg_dump is killed; one that is stopped first was not over already
killed=
for ((i = 0; i < 10; i++)); do
    start_run
    if wait_for 20 dumping; then
        victim=$(head -n 1 dump.pid)
        if kill -STOP "$victim" 2>/dev/null && wait_for 1 grep -q '^State:.T' "/proc/$victim/status"; then
            killed=1
        fi
        kill -9 "$victim" 2>/dev/null || true
    fi
    end_run
    [[ -z $killed ]] || break
    count=$((count + 1))
done
same "a killed pg_dump fails the run" 1 "$status"
contains "and is named" "$(cat run.log)" "pg_dump"
same "nothing is published" "$count" "$(snapshots)"

# ---- something else calls itself pg_dump, and ends well
mkdir -p bin
ln -s "$PG_BIN/pg_dumpall" bin/
for said in true 'echo loading...'; do
    # shellcheck disable=SC2016  # $1 and $@ are the script's
    printf '#!/bin/sh\n[ "$1" = --version ] && exec %s/pg_dump "$@"\n%s\n' "$PG_BIN" "$said" >bin/pg_dump
    chmod +x bin/pg_dump
    pg_job "bin_dir: $PWD/bin"
    check_fails 1 "a pg_dump that does nothing but $said" pg_backup
    contains "is no pg_dump" "$(cat .check)" "what pg_dump wrote is no dump"
    same "nothing is published" "$count" "$(snapshots)"
done
pg_job "lock_timeout: 2s" "compression: 1" "retry_pause: 0s"

# ---- the server is killed as a whole
start_run
wait_for 20 copying
kill -9 "$(cat "$PG/pid")"
end_run
same "a killed server fails the run" 1 "$status"
"$REPO_ROOT/tests/fixture/postgres.sh" halt "$PG"
wait_for 20 not pgrep -f "$(readlink "$PG/server")/data"
"$REPO_ROOT/tests/fixture/postgres.sh" start "$PG"
same "nothing is published" "$count" "$(snapshots)"
check "the next run succeeds" pg_backup
count=$((count + 1))

# ---- somebody holds a lock
mkfifo hold
spawn hold.log "$PG_BIN/psql" -X -q -h "$PGSOCK" -U postgres -d shop -v ON_ERROR_STOP=1 -f hold
holder=$SPAWNED
exec 8>hold
printf "SET application_name = 'migration';\nBEGIN;\nLOCK TABLE small IN ACCESS EXCLUSIVE MODE;\n" >&8
locked() { [[ $(pg postgres -c "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND database <> 0") -gt 0 ]]; }
wait_for 20 locked
check_fails 1 "a table that stays locked" pg_backup
contains "is named" "$(cat .check)" "public.small is locked by process"
contains "and who holds it" "$(cat .check)" "application migration, role postgres"
same "nothing is published" "$count" "$(snapshots)"
same "it was tried again twice" 2 "$(grep -c 'running once more in 0 s (repetition [12] of 2)' .check)"
pg_job "lock_timeout: 1s" "retries: 0"
check_fails 1 "retries: 0" pg_backup
same "does not try again" 0 "$(grep -c 'running once more' .check || true)"
pg_job "lock_timeout: 1s" "retry_pause: 1h"
start_run
check "a run that waits for its repetition" wait_for 60 grep -q 'running once more in 3600 s' run.log
same "holds nothing of the database" "" "$(backends)"
kill -TERM "$run"
end_run
same "and ends when it shall" 130 "$status"
pg_job "lock_timeout: 1s" "compression: 1" "retry_pause: 1s" "retries: 10"
start_run
check "a run that is repeated" wait_for 60 grep -q 'running once more in 4 s (repetition 2 of 10)' run.log
printf 'ROLLBACK;\n' >&8
exec 8>&-
end_run
same "succeeds when the lock is gone" 0 "$status"
count=$((count + 1))
same "and is published once" "$count" "$(snapshots)"
pg_job "lock_timeout: 2s" "compression: 1" "retry_pause: 0s"
wait_gone "$holder"
check "when the lock is gone" pg_backup
count=$((count + 1))

# ---- ALTER and DROP while it runs: they wait, and the snapshot is of the moment before
start_run
wait_for 20 copying
spawn alter.log "$PG_BIN/psql" -X -q -h "$PGSOCK" -U postgres -d shop -v ON_ERROR_STOP=1 \
    -c 'ALTER TABLE big DROP COLUMN v' -c 'DROP TABLE small'
end_run
same "a run that somebody waits for ends well" 0 "$status"
wait "$SPAWNED"
pg_createdb shop2
check "and its snapshot restores" pg_restore_to shop2
same "with the table that is gone now" 10 "$(pg shop2 -c 'SELECT count(*) FROM small')"
same "and the column" 800000 "$(pg shop2 -c 'SELECT count(v) FROM big')"

# ---- interrupted
start_run
wait_for 20 copying || true
kill -TERM "$run"
end_run
same "an interrupted run says so" 130 "$status"
gone() { [[ -z $(backends) ]]; }
check "and leaves no session behind" wait_for 20 gone
finish
