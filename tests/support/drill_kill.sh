# shellcheck shell=bash
# Drills that are killed; source it after drill.sh.
#
#     kill_when NAME CONDITION [ARGS]   starts a drill, kills it (SIGKILL) when the command CONDITION succeeds, and sees that no
#                             process of it stays; with KILL_LATER=yes some may until the next drill starts
#     there FILE              for CONDITION: FILE is in the directory of this drill, and not one that was there before
#     asked PATTERN           for CONDITION: a session of the PostgreSQL server of this drill runs such a statement
#     all_gone NAME           the next drill passes, and nothing is left: no files, no process, no shared memory

old=
# The directory of the drill that runs now, or nothing.
drill_dir() {
    local d
    for d in "$SCRATCH"/backupd-drill-*; do
        if [[ -d $d && " $old " != *" $d "* ]]; then printf '%s\n' "$d"; fi
    done
}
there() {
    local d
    d=$(drill_dir)
    [[ -n $d && -e $d/$1 ]]
}
asked() {
    local d
    d=$(drill_dir)
    [[ -n $d && -n $("$PG_BIN/psql" -X -A -t -h "$d/run" -U postgres -d postgres -c "SELECT 1 FROM pg_stat_activity
        WHERE state = 'active' AND query ~ '$1' AND pid <> pg_backend_pid() LIMIT 1" 2>&1 | grep -x 1) ]]
}
# descendants PID: it and all that it started, as far as it can be seen now
descendants() {
    local pid
    printf '%s\n' "$1"
    for pid in $(ps -o pid= --ppid "$1"); do descendants "$pid"; done
}
# Processes that work below $SCRATCH: servers do, in their data directory.
workers() {
    local p
    for p in /proc/[0-9]*; do
        if [[ $(readlink "$p/cwd" 2>/dev/null) == "$SCRATCH"/* ]]; then printf '%s\n' "${p#/proc/}"; fi
    done
}
nobody_works() { [[ -z $(workers) ]]; }
kill_when() {
    local name=$1 condition=$2 all pid
    shift 2
    old=$(echo "$SCRATCH"/backupd-drill-*)
    spawn killed.log "${DRILL_AS[@]}" "$RESTORE" --config "${DRILL_CONF:-$HOST/backupd.yaml}" drill run latest --scratch "$SCRATCH" "$@"
    # shellcheck disable=SC2086 # words
    if ! wait_for 120 $condition; then
        fail "killed while $name: the moment does not come"
        sed 's/^/    /' killed.log
    fi
    mapfile -t all < <(descendants "$SPAWNED")
    kill -9 "$SPAWNED"
    if [[ -z ${KILL_LATER:-} ]]; then
        for pid in "${all[@]}"; do
            wait_gone "$pid" 60 || fail "killed while $name: process $pid stays"
        done
        check "killed while $name: ${#all[@]} processes are gone" wait_for 60 nobody_works
    else
        wait_gone "$SPAWNED" 60
        pass "killed while $name: it had ${#all[@]} processes"
    fi
}
all_gone() {
    check "$1: the next drill passes" drill
    same "$1: nothing is left" "" "$(left)"
    same "$1: nobody works there" "" "$(workers)"
    same "$1: no shared memory is left" "" "$(segments)"
}
