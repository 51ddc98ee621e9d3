#!/bin/bash
# The daemon and who started it: a service manager that listens (the protocol of sd_notify, with a path and an abstract name), a
# plain supervisor, and a container in which the daemon is process 1.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store
printf 'a customer\n' >data
far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
cat >work <<END
#!/bin/bash
# A run that tells what it was given, and leaves somebody behind who outlives it.
env >"$TMP/environment"
setsid bash -c 'while [[ ! -e $TMP/orphan-may-end ]]; do sleep 0.1; done; : >$TMP/orphan-ended' >/dev/null 2>&1 </dev/null &
: >"$TMP/works"
while [[ ! -e $TMP/may-end ]]; do sleep 0.1; done
cat "$TMP/data"
END
chmod +x work
cat >c.yaml <<END
state: $TMP/state
repositories:
  main: { storage: { type: local, path: $TMP/store }, keys: $TMP/keys }
daemon: { time_zone: UTC, stop_timeout: 30s }
jobs:
  shop: { engine: command, command: [$TMP/work], schedule: '$far', catch_up_within: 2d }
END
"$BACKUPD" --config c.yaml --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed >/dev/null
due() {
    sqlite3 state/history.db "INSERT OR REPLACE INTO job SELECT 'shop', strftime('%s','now') - 86400, 0, 0, 0, 0, 0, 1, 0, 0, 0"
}
history() { sqlite3 -readonly state/history.db "$1"; }
verdict_is() { [[ $(history "SELECT group_concat(verdict) FROM (SELECT verdict FROM run WHERE verdict <> 5 ORDER BY id)") == "$1" ]]; }
listen() {
    rm -f told
    spawn listen.log python3 "$REPO_ROOT/tests/support/notify_listen.py" "$1" "$TMP/told"
    LISTENER=$SPAWNED
    wait_for 20 grep -q listens told
}
# daemon [VARIABLE=VALUE...]
daemon() {
    spawn daemon.log env "$@" "$BACKUPD" --config c.yaml daemon
    DAEMON=$SPAWNED
}
told() { grep -q -- "$1" told; }
signs() { [[ $(grep -c '^WATCHDOG=1$' told) -ge $1 ]]; }

# ---- a service manager with a path
listen "$TMP/notify"
daemon NOTIFY_SOCKET="$TMP/notify" WATCHDOG_USEC=4000000
check "ready, with what comes next" wait_for 30 told '^READY=1|STATUS=1 job, 0 on; next: shop at 20'
check "signs of life come by themselves" wait_for 30 signs 3
cp c.yaml good.yaml
printf 'nonsense: 1\n' >>c.yaml
kill -HUP "$DAEMON"
check "a reload begins" wait_for 20 told '^RELOADING=1|MONOTONIC_USEC=[1-9][0-9]*|STATUS=reads'
check "with mistakes it is over, too, and says so" wait_for 20 told '^READY=1|STATUS=The new configuration has mistakes, the old one goes on'
cp good.yaml c.yaml
kill -HUP "$DAEMON"
reloads() { [[ $(grep -c '^RELOADING=1' told) == 2 && $(grep -v WATCHDOG told | tail -n 1) == 'READY=1|STATUS=1 job, '* ]]; }
check "a good one takes that back" wait_for 20 reloads
kill -TERM "$DAEMON"
wait_gone "$DAEMON" 30
check "it says that it stops, and how long that may take" told '^STOPPING=1|EXTEND_TIMEOUT_USEC=45000000'
stop "$LISTENER"

# ---- an abstract name; a run is on
listen "@backupd-test-$$"
due
daemon NOTIFY_SOCKET="@backupd-test-$$" CREDENTIALS_DIRECTORY="$TMP/credentials"
check "the run is in the status" wait_for 30 told '^READY=1|STATUS=1 job, 1 on; '
check "it works" wait_for 30 test -e works
same "it cannot speak in the daemon's name" 0 "$(grep -cE '^(NOTIFY_SOCKET|WATCHDOG_)' environment || true)"
# Processes with keys are closed to all but root.
run=$(pgrep -P "$DAEMON" | head -n 1)
if [[ -r /proc/$run/environ ]]; then
    contains "the run gets the manager's credentials" "$(tr '\0' '\n' <"/proc/$run/environ")" "CREDENTIALS_DIRECTORY=$TMP/credentials"
fi
same "without a watchdog there are no signs" 0 "$(grep -c WATCHDOG told || true)"
: >may-end
: >orphan-may-end
check "the run ends" wait_for 30 verdict_is 1
stop "$LISTENER"
kill -HUP "$DAEMON"
check "without its manager the daemon goes on" wait_for 20 grep -q "was reloaded" daemon.log
check "and tells it" wait_for 20 grep -q "does not reach it" daemon.log
kill -TERM "$DAEMON"
wait_gone "$DAEMON" 30
daemon NOTIFY_SOCKET=nonsense
check "an address that is none does not keep it from running" wait_for 30 grep -q "runs: 1 job" daemon.log
contains "and is told" "$(<daemon.log)" "NOTIFY_SOCKET"
kill -TERM "$DAEMON"
wait_gone "$DAEMON" 30

# ---- process 1 of a container
rm -f may-end orphan-may-end orphan-ended works
own=()
[[ $EUID -eq 0 ]] || own=(--user --map-root-user)
due
spawn one.log unshare "${own[@]}" --fork --pid --kill-child --mount-proc "$BACKUPD" --config c.yaml daemon
outer=$SPAWNED
check "it works as process 1" wait_for 30 test -e works
first=$(pgrep -P "$outer")
inner=$(pgrep -P "$first")
same "process 1 has one child, the daemon" 1 "$(wc -w <<<"$inner")"
: >may-end
check "its run ends" wait_for 30 verdict_is 1,1
two() { [[ $(pgrep -P "$first" | wc -l) == 2 ]]; }
check "what the run left behind is now process 1's" wait_for 20 two
: >orphan-may-end
check "it ends" wait_for 30 test -e orphan-ended
one() { [[ $(pgrep -P "$first") == "$inner" ]]; }
check "and is reaped" wait_for 30 one
kill -HUP "$first"
check "signals are handed on: reload" wait_for 20 grep -q "was reloaded" one.log
kill -TERM "$first"
status=0
wait "$outer" || status=$?
same "and stop, with the daemon's exit status" 0 "$status"
contains "in order" "$(<one.log)" "has stopped"
status=0
unshare "${own[@]}" --fork --pid --kill-child --mount-proc "$BACKUPD" --config none.yaml daemon >one.log 2>&1 || status=$?
check "a daemon that cannot begin says so once, with its own exit status" test "$status" -ne 0 -a "$(grep -c none.yaml one.log)" -eq 1
finish
