#!/bin/bash
# What a run has started ends with a run that is cut off, wherever it went, and before the next one begins: the daemon is killed,
# the run is killed. What a run leaves that ended by itself is nobody's to end, nor is a run that a person has started.
# shellcheck disable=SC2317 # functions are called through check and wait_for
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store
printf 'a customer\n' >data
far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
hook=''
config() {
    cat >c.yaml <<END
state: $TMP/state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
daemon: { time_zone: UTC, concurrency: 3, stop_timeout: 5s }
jobs:
  shop: { engine: command, command: [$TMP/work, 311, $TMP/open], schedule: '$far', catch_up_within: 2d, retries: 0 $hook }
  hand: { engine: command, command: [$TMP/work, 312, $TMP/open], retries: 0 }
END
}
# What it leaves: a pipeline in the background, a session of its own, and a double fork. The number of those of a run before it
# that are still there goes into `found`.
cat >work <<END
#!/bin/bash
exec 9>&1 >/dev/null
pgrep -c -f "^sleep \$1\.$$\\\$" >>$TMP/found.\$1
(sleep \$1.$$ | sleep \$1.$$) 9>&- &
setsid sleep \$1.$$ 9>&- &
(setsid sh -c 'sleep \$0.$$ &' \$1 9>&- &)
until [[ -e \$2 && \$(pgrep -c -f "^sleep \$1\.$$\\\$") -ge 4 ]]; do sleep 0.1 9>&-; done
cat $TMP/data >&9
END
cat >serve <<END
#!/bin/bash
setsid sleep 313.$$ &
until pgrep -f "^sleep 313\.$$\\\$"; do sleep 0.1; done
END
cat >hang <<END
#!/bin/bash
setsid sleep 314.$$ &
sleep 314.$$ | cat
END
chmod +x work serve hang
backupd() { "$BACKUPD" --config c.yaml "$@"; }
history() { sqlite3 -cmd '.timeout 20000' -readonly state/history.db "$1"; }
published() { find store/w/*/log -type f | wc -l; }
daemon_start() {
    spawn daemon.log "$BACKUPD" --config c.yaml daemon
    DAEMON=$SPAWNED
    wait_for 30 grep -q 'runs: ' daemon.log
}
daemon_stop() {
    kill -TERM "$DAEMON"
    wait_gone "$DAEMON" 30
    wait "$DAEMON" 2>/dev/null
}
daemon_kill() {
    local runs
    runs=$(pgrep -P "$DAEMON" || true)
    kill -KILL "$DAEMON"
    wait "$DAEMON" 2>/dev/null || true
    local run
    for run in $runs; do wait_gone "$run" 20; done
}
due() {
    sqlite3 -cmd '.timeout 20000' state/history.db "INSERT OR REPLACE INTO job VALUES ('$1', strftime('%s','now') - 86400, 0, 0, 0, 0, 0, 1, 0, 0, 0)"
}
verdict_is() { [[ $(history "SELECT group_concat(verdict) FROM (SELECT verdict FROM run WHERE job = '$1' ORDER BY id)") == "$2" ]]; }
last_is() { [[ $(history "SELECT verdict FROM run WHERE job = '$1' ORDER BY id DESC LIMIT 1") == "$2" ]]; }
# there WHICH N: so many of them are there
there() { [[ $(pgrep -c -f "^sleep $1\.$$\$") == "$2" ]]; }
# Nobody may have taken its end yet.
over() { [[ -z $(tr -d '\0' 2>/dev/null <"/proc/$1/cmdline" || true) ]]; }
# Only what this test has started, by its own numbers.
end_all() {
    local pid
    for pid in $(pgrep -f "^sleep 31[1-4]\.$$\$"); do kill -KILL "$pid"; done
}
at_end end_all

config
backupd --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed --spare-writers 6 >/dev/null
daemon_start
daemon_stop

# ---- kill -9 of the daemon, beside a run that a person has started
spawn hand.log "$BACKUPD" --config c.yaml backup hand
hand=$SPAWNED
check "a run by hand" wait_for 30 there 312 4
due shop
daemon_start
check "one of the daemon" wait_for 30 there 311 4
daemon_kill
check "what its children had started is still there" not there 311 0
daemon_start
check "the next daemon starts it again" wait_for 30 verdict_is shop 6,0
check "with all that belongs to it" wait_for 30 there 311 4
same "and nothing of the one before beside it" "0 0" "$(paste -sd ' ' found.311)"
contains "which was told" "$(cat daemon.log)" "left of a run that was cut off, and"
check "the run by hand has lost nothing" there 312 4

# ---- kill -9 of the run
kill -KILL "$(pgrep -P "$DAEMON")"
check "the run has failed" wait_for 30 verdict_is shop 6,3
check "nothing of it is left" there 311 0
contains "which was told, too" "$(cat daemon.log)" "left of a run that was killed, and"
same "nor a note of it" "" "$(ls state/daemon.runs)"

# ---- a run that ends by itself: what it leaves stays, also for the next daemon
: >open
check "a run by hand ends" wait "$hand"
check "another of the daemon, too" backupd start --wait shop
same "it began alone" "0 0 0" "$(paste -sd ' ' found.311)"
same "both are there, once" 2 "$(published)"
check "what had left them is there" there 311 2
daemon_kill
daemon_start
check "also when the daemon was killed meanwhile" there 311 2
check "and nothing is done twice" verdict_is shop 6,3,1
daemon_stop
end_all

# ---- hooks
hook=", before: [$TMP/serve], hook_timeout: 1h"
config
daemon_start
check "a run whose hook starts something" backupd start --wait shop
daemon_kill
daemon_start
check "that goes on" there 313 1
end_all
daemon_stop
hook=", before: [$TMP/serve], after: [$TMP/hang], hook_timeout: 1h"
config
daemon_start
backupd start shop >/dev/null
check "a run in its second hook" wait_for 30 there 314 2
daemon_kill
left=$(pgrep -f "^sleep 314\.$$\$" || true)
check "the hook has left something" test -n "$left"
daemon_start
# It makes up for `after`, which hangs again, and is no part of that.
for pid in $left; do check "the next daemon ends it" over "$pid"; done
check "with what the first hook had started: the run was cut off" there 313 0
daemon_stop
same "nothing is left to be made up for" "" "$(ls state/daemon.runs)"

# ---- what is in the way of the notes stops no run
hook=''
config
rmdir state/daemon.runs
: >state/daemon.runs
daemon_start
check "the run that was stopped is made up for without a note" wait_for 30 last_is shop 1
contains "is told" "$(cat daemon.log)" "will not find what the run has started"
daemon_stop
rm state/daemon.runs
finish
