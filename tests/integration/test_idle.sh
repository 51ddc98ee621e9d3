#!/bin/bash
# What a daemon costs that has nothing to do: with 20 jobs no system call between two due times, with a watchdog only its signs of
# life, and less than 12 MB of memory of its own, also after runs and reloads.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

readonly LIMIT_KB=12288
# Memory of a process with secrets is closed to its own user; who is root in a namespace of his own may look.
if [[ $EUID -ne 0 && -z ${IDLE_INSIDE:-} ]]; then
    IDLE_INSIDE=yes exec unshare --user --map-root-user "${BASH_SOURCE[0]}"
fi

mkdir store
printf 'a customer\n' >data
far="0 $(((10#$(date -u +%H) + 12) % 24))"
{
    printf 'state: %s/state\n' "$TMP"
    printf 'repositories:\n  main: { storage: { type: local, path: %s/store }, keys: %s/keys }\n' "$TMP" "$TMP"
    printf 'daemon: { time_zone: Europe/Berlin }\njobs:\n'
    for ((i = 0; i < 5; i++)); do
        printf '  command-%d: { engine: command, command: [cat, %s/data], schedule: "%s * * *", catch_up_within: 2d }\n' "$i" "$TMP" "$far"
        printf '  sqlite-%d: { engine: sqlite, path: %s/%d.db, schedule: "%s * * 1-5", jitter: 10m }\n' "$i" "$TMP" "$i" "$far"
        printf '  postgres-%d: { engine: postgres, database: d%d, schedule: "%s 1 * *", window: 4h }\n' "$i" "$i" "$far"
        printf '  mariadb-%d: { engine: mariadb, database: d%d, schedule: "%s * * 0", max_duration: 2h }\n' "$i" "$i" "$far"
    done
} >c.yaml
"$BACKUPD" --config c.yaml --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed >/dev/null

# ---- wake-ups. The trace begins with the program; what counts comes after the line that says that it waits.
trace() { # LOG [VARIABLE=VALUE...]
    local log=$1
    shift
    spawn daemon.log env "$@" strace -f -o "$log" "$BACKUPD" --config c.yaml daemon
    DAEMON=$SPAWNED
    wait_for 60 grep -q 'runs: 20 jobs' daemon.log
}
# waits LOG: its last line is a wait without an end yet.
waits() {
    local last
    last=$(tail -n 1 "$1")
    [[ $last == *" poll("* && $last != *") = "* ]]
}
end() {
    pkill -TERM -P "$DAEMON"
    wait_gone "$DAEMON" 30
}
trace still.trace
check "it waits" wait_for 60 waits still.trace
lines=$(wc -l <still.trace)
sleep 3
same "no system call in three seconds" "$lines" "$(wc -l <still.trace)"
same "and one thread" 1 "$(cut -d' ' -f1 still.trace | sort -u | wc -l)"
end

spawn listen.log python3 "$REPO_ROOT/tests/support/notify_listen.py" "$TMP/notify" "$TMP/told"
wait_for 20 grep -q listens told
trace signs.trace NOTIFY_SOCKET="$TMP/notify" WATCHDOG_USEC=4000000
signs() { [[ $(grep -c '^WATCHDOG=1$' told) -ge 3 ]]; }
check "with a watchdog there are signs of life" wait_for 60 signs
check "and it waits between them" wait_for 60 waits signs.trace
# From the first wait on: each wake-up sends one sign.
python3 - <<'END' >counts
import re
waits = signs = 0
begun = False
for line in open("signs.trace"):
    call = re.sub(r"^\d+ +", "", line)
    if call.startswith("sendto(") and "WATCHDOG=1" in call:
        begun = True
        signs += 1
    if begun and call.startswith("poll(") and "= " in call:
        waits += 1
print(waits, signs)
END
read -r waits signs <counts
check "no other wake-ups ($waits for $signs signs)" test "$waits" -le "$signs"
end

# ---- memory
private() { awk '/^Private_/ { sum += $2 } END { print sum }' "/proc/$1/smaps_rollup"; }
sqlite3 state/history.db "INSERT OR REPLACE INTO job SELECT 'command-' || value, strftime('%s','now') - 86400, 0, 0, 0, 0, 0, 1, 0, 0, 0
    FROM json_each('[0,1,2,3,4]')"
spawn daemon.log "$BACKUPD" --config c.yaml daemon
DAEMON=$SPAWNED
ran() { [[ $(sqlite3 -readonly state/history.db "SELECT count(*) FROM run WHERE verdict = 1") == 5 ]]; }
check "five of its jobs run" wait_for 90 ran
for i in 1 2 3; do
    kill -HUP "$DAEMON"
    reloaded() { [[ $(grep -c 'was reloaded: 20 jobs' daemon.log) == "$i" ]]; }
    wait_for 30 reloaded
done
used=$(private "$DAEMON")
check "memory of its own: $used KB, at most $LIMIT_KB" test "$used" -gt 0 -a "$used" -le "$LIMIT_KB"
kill -TERM "$DAEMON"
wait_gone "$DAEMON" 30
finish
