#!/bin/bash
# A drill is killed (SIGKILL) in each of its phases: no process stays, and the next one finds and removes the rest.
# shellcheck disable=SC2119,SC2317 # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

SCRATCH=$(mktemp -d /var/tmp/drill-test.XXXXXX)
chmod 755 "$SCRATCH"
at_end rm -rf "$SCRATCH"
DRILL=("$RESTORE" --config "$HOST/backupd.yaml" drill run latest --scratch "$SCRATCH")
# descendants PID: it and all that it started, as far as it can be seen now
descendants() {
    local pid
    printf '%s\n' "$1"
    for pid in $(ps -o pid= --ppid "$1"); do descendants "$pid"; done
}
# there FILE: in a directory that was not there before
there() {
    local d
    for d in "$SCRATCH"/backupd-drill-*; do
        if [[ " $old " != *" $d "* && -e $d/$1 ]]; then return 0; fi
    done
    return 1
}

pg_start
pg_createdb shop
pg shop -c "CREATE TABLE rows AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 20000) g" \
    -c "CREATE INDEX ON rows (text)" -c "ALTER TABLE rows ADD PRIMARY KEY (id)"
check "a backup" pg_backup

# kill_when NAME FILE: as soon as this file is in the drill's directory
kill_when() {
    local pid all
    old=$(echo "$SCRATCH"/backupd-drill-*)
    spawn killed.log "${DRILL[@]}" --keep
    if ! wait_for 120 there "$2"; then
        fail "killed while $1: $2 does not come"
        sed 's/^/    /' killed.log
    fi
    mapfile -t all < <(descendants "$SPAWNED")
    kill -9 "$SPAWNED"
    for pid in "${all[@]}"; do
        wait_gone "$pid" 60 || fail "killed while $1: process $pid stays"
    done
    pass "killed while $1: ${#all[@]} processes are gone"
}
kill_when "the directory is made" lock
kill_when "initdb begins" run/data
kill_when "initdb works" run/data/global/pg_control
kill_when "the server starts" run/data/postmaster.pid
kill_when "it answers" run/.s.PGSQL.5432
same "each left its directory, or the next one removed it" 1 "$(find "$SCRATCH" -mindepth 1 -maxdepth 1 | wc -l)"
check "the next drill passes" "${DRILL[@]}"
same "and nothing is left" "" "$(find "$SCRATCH" -mindepth 1)"
finish
