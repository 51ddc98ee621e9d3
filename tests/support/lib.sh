# shellcheck shell=bash
# What the integration tests share. A test starts with
#
#     #!/bin/bash
#     set -euo pipefail
#     source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
#
# checks things with pass, fail, check, check_fails, same or contains, and ends with `finish`. A test that ends without
# it, or by an error, counts one failure more. All paths below are absolute; the current directory is $TMP, a private
# directory that is removed at the end (KEEP=1 keeps it).

REPO_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build}
[[ $B == /* ]] || B=$REPO_ROOT/$B
BACKUPD=$B/backupd
RESTORE=$B/restore
TOOLS=$B/tests/tool
export REPO_ROOT B BACKUPD RESTORE TOOLS
export LC_ALL=C.UTF-8 TZ=UTC
# A test that calls make starts one of its own.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

TMP=$(mktemp -d "${TMPDIR:-/tmp}/backupd-test.XXXXXX")
export TMP
lib_passed=0
lib_failed=0
lib_finished=
lib_children=()
lib_cleanups=()

pass() {
    lib_passed=$((lib_passed + 1))
    printf 'ok - %s\n' "$1"
}

# fail NAME [WHY]: the test goes on.
fail() {
    lib_failed=$((lib_failed + 1))
    printf 'not ok - %s%s\n' "$1" "${2:+: $2}"
}

# skip NAME WHY: counted apart and shown by the runner; never use it for what `make test` has to prove.
skip() {
    printf 'skip - %s: %s\n' "$1" "$2"
}

# check NAME COMMAND...: passes when the command succeeds; shows its output when it does not. In a shell function used as
# COMMAND, `set -e` has no effect: join its steps with &&.
check() {
    local name=$1 status=0
    shift
    "$@" >"$TMP/.check" 2>&1 || status=$?
    if [[ $status -eq 0 ]]; then
        pass "$name"
    else
        fail "$name" "status $status from: $*"
        sed 's/^/    /' "$TMP/.check"
    fi
}

# check_fails STATUS NAME COMMAND...: passes when the command exits with exactly this status.
check_fails() {
    local expected=$1 name=$2 status=0
    shift 2
    "$@" >"$TMP/.check" 2>&1 || status=$?
    if [[ $status -eq $expected ]]; then
        pass "$name"
    else
        fail "$name" "status $status instead of $expected from: $*"
        sed 's/^/    /' "$TMP/.check"
    fi
}

# same NAME EXPECTED ACTUAL
same() {
    if [[ $2 == "$3" ]]; then
        pass "$1"
    else
        fail "$1" "expected '$2', got '$3'"
    fi
}

# contains NAME TEXT FRAGMENT: TEXT contains FRAGMENT, literally.
contains() {
    if [[ $2 == *"$3"* ]]; then
        pass "$1"
    else
        fail "$1" "'$3' is not in:"
        printf '%s\n' "$2" | sed 's/^/    /'
    fi
}

# wait_for SECONDS COMMAND...: until the command succeeds; its output is dropped. Fails when the time is up.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [[ $SECONDS -lt $end ]] || return 1
        sleep 0.05
    done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_port PORT [SECONDS]: until something listens on this loopback port.
wait_port() { wait_for "${2:-10}" port_open "$1"; }

# wait_gone PID [SECONDS]: until no process has this id.
wait_gone() { wait_for "${2:-10}" not kill -0 "$1"; }

not() { ! "$@"; }

# free_port: prints a loopback port nobody listens on. Another process may still take it first: whoever starts a server
# on it tries again with another when that happens.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# spawn LOG COMMAND...: starts the command in the background, its output in LOG; sets SPAWNED to its process id. It is
# ended when the test ends.
spawn() {
    local log=$1
    shift
    # Before the fork: who looks into the log at once must not see what an earlier command left in it.
    : >"$log"
    "$@" >"$log" 2>&1 </dev/null &
    SPAWNED=$!
    lib_children+=("$SPAWNED")
}

# stop PID: ends a process started with spawn, and waits for it.
stop() {
    local pid=$1 i
    kill -TERM "$pid" 2>/dev/null || true
    for ((i = 0; i < 100; i++)); do
        kill -0 "$pid" 2>/dev/null || break
        # A child on its way from fork to exec loses a signal that the shell traps: once more.
        [[ $i -ne 5 ]] || kill -TERM "$pid" 2>/dev/null || true
        sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

# at_end COMMAND...: runs the command when the test ends, however it ends; the last one given runs first.
at_end() {
    local quoted
    printf -v quoted '%q ' "$@"
    lib_cleanups=("$quoted" "${lib_cleanups[@]}")
}

# finish: ends the test.
finish() {
    lib_finished=yes
    exit $((lib_failed > 0))
}

lib_exit() {
    local status=$? pid command
    trap - EXIT
    trap '' INT TERM HUP
    set +e
    for command in "${lib_cleanups[@]}"; do
        eval "$command"
    done
    for pid in "${lib_children[@]}"; do
        kill -0 "$pid" 2>/dev/null && stop "$pid"
    done
    cd /
    if [[ -n ${KEEP:-} ]]; then
        printf 'kept %s\n' "$TMP"
    else
        chmod -R u+rwX -- "$TMP" 2>/dev/null
        rm -rf -- "$TMP"
    fi
    if [[ -z $lib_finished ]]; then
        fail "reached its end" "status $status, line ${lib_line:-unknown}"
    fi
    printf '%d passed, %d failed\n' "$lib_passed" "$lib_failed"
    [[ $lib_failed -eq 0 ]]
    exit
}

trap 'lib_line=${BASH_SOURCE[0]##*/}:$LINENO' ERR
trap lib_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

cd "$TMP" || exit
