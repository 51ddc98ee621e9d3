#!/bin/bash
# Runs that are due and not on yet: who reads sees them and what they wait for, they can be cancelled and paused, and a skip
# names what it waited for. A job that never ran is known from its first sight on: what it then misses is made up for, or told.
# shellcheck disable=SC2317 # functions are called through check and wait_for
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store run
printf 'a customer\n' >data
far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
me=$(id -un)
# config JOB...
config() {
    cat >c.yaml <<END
state: $TMP/state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
daemon: { time_zone: UTC, concurrency: 1, stop_timeout: 5s, socket: $TMP/run/c.sock }
web: { listen: "unix:$TMP/run/page.sock" }
jobs:
END
    printf '  %s\n' "$@" >>c.yaml
}
# job NAME SETTINGS: a good one
job() { printf '%s: { engine: command, command: [cat, %s/data], %s }' "$1" "$TMP" "$2"; }
backupd() { "$BACKUPD" --config c.yaml "$@"; }
history() { sqlite3 -cmd '.timeout 20000' -readonly state/history.db "$1"; }
change() { sqlite3 -cmd '.timeout 20000' state/history.db "$1"; }
daemon_start() {
    spawn daemon.log "$BACKUPD" --config c.yaml daemon
    DAEMON=$SPAWNED
    wait_for 30 grep -q 'runs: ' daemon.log
}
daemon_kill() {
    kill -KILL "$DAEMON"
    wait "$DAEMON" 2>/dev/null || true
}
daemon_stop() {
    kill -TERM "$DAEMON"
    wait_gone "$DAEMON" 30
    wait "$DAEMON" 2>/dev/null || true
}
# The newest row of a job: its verdict, or another column.
last() { history "SELECT ${2:-verdict} FROM run WHERE job = '$1' ORDER BY id DESC LIMIT 1"; }
last_is() { [[ $(last "$1" "${3:-verdict}") == "$2" ]]; }
says() { grep -q "$2" <<<"$(backupd status "$1" 2>/dev/null || true)"; }
waits() { says "$1" "waits since .* for $2"; }
page() { curl -sS --max-time 20 --unix-socket run/page.sock "http://localhost/$1"; }
# waiting JOB KEY: of its run that waits, as `status` says it
waiting() { backupd --json status "$1" 2>/dev/null | python3 -c "
import json, sys
w = json.loads(sys.stdin.readline())['waiting']
print(w['$2'] if w else 'none')"; }

# ---- first seen: the night after it is missed, and that is not forgotten
config "$(job night "schedule: '$far', catch_up_within: 2d")" "$(job old "schedule: '$far', catch_up_within: 0s")"
backupd --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed --spare-writers 8 >/dev/null
daemon_start
known() { [[ $(history "SELECT count(*) FROM job WHERE name = '$1' AND last_due > 0") -eq 1 ]]; }
check "a job that never ran is known" wait_for 30 known night
config "$(job night "schedule: '$far', catch_up_within: 2d")" "$(job old "schedule: '$far', catch_up_within: 0s")" \
    "$(job new "schedule: '$far'")"
kill -HUP "$DAEMON"
check "one that a reload has brought, too" wait_for 30 known new
same "and nothing was due before" 0 "$(history 'SELECT count(*) FROM run')"
change "UPDATE job SET last_due = last_due - 86400 WHERE name = 'new'" # what the history has of it is from yesterday
config "$(job night "schedule: '$far', catch_up_within: 2d")" "$(job old "schedule: '$far', catch_up_within: 0s")"
reloads() { [[ $(grep -c 'was reloaded' daemon.log) -eq $1 ]]; }
kill -HUP "$DAEMON"
check "a job is taken away" wait_for 30 reloads 2
config "$(job night "schedule: '$far', catch_up_within: 2d")" "$(job old "schedule: '0 */2 * * *', catch_up_within: 2d")" \
    "$(job new "schedule: '$far', catch_up_within: 2d")"
kill -HUP "$DAEMON"
check "it is back, and another has a new schedule" wait_for 30 reloads 3
fresh() { [[ $(history "SELECT last_due > strftime('%s','now') - 3600 FROM job WHERE name = '$1'") == 1 ]]; }
check "the one that is back counts from now on" fresh new
check "so does the new schedule" fresh old
same "neither was missed" 0 "$(history 'SELECT count(*) FROM run')"
config "$(job night "schedule: '$far', catch_up_within: 2d")" "$(job old "schedule: '$far', catch_up_within: 0s")" \
    "$(job new "schedule: '$far'")"
kill -HUP "$DAEMON"
check "as it was" wait_for 30 reloads 4
daemon_kill
change "UPDATE job SET last_due = last_due - 86400" # as if the machine had been off since yesterday
daemon_start
check "what it missed is made up for" wait_for 30 last_is night 1
same "with that reason" "missed before, made up for now" "$(last night reason)"
check "or told" wait_for 30 last_is old 5
same "as too old" "missed, and older than catch_up_within" "$(last old reason)"

# ---- by hand, beyond the limit
config "slow: { engine: command, command: [sleep, '304.$$'] }" "$(job shop "schedule: '$far'")"
kill -HUP "$DAEMON"
check "other jobs" wait_for 30 reloads 1
backupd start slow >/dev/null
same "nothing waits" none "$(waiting shop for)"
spawn waiter.log "$BACKUPD" --config c.yaml start --wait shop
WAITER=$SPAWNED
turn="its turn (1 of 1 run is on)"
check "status says that one waits, and what for" wait_for 30 waits shop "$turn"
same "and programs: what for" limit "$(waiting shop for)"
same "who wanted it" True "$(waiting shop by_hand)"
contains "the schedule has it before what is to come" "$(backupd schedule --next 1 shop)" "for $turn"
same "for programs, too" limit "$(backupd --json schedule shop | python3 -c '
import json, sys
print(json.loads(sys.stdin.readline())["waiting"]["for"])')"
page_says() { grep -qF "for $turn" <<<"$(page '')" && grep -q '"waiting":{"due":' <<<"$(page api/status.json)"; }
check "and the page, and its JSON" wait_for 30 page_says
contains "it is cancelled" "$(backupd cancel shop)" "shop: the run that waited is cancelled"
code=0
wait "$WAITER" || code=$?
same "who waited for it hears that" 130 "$code"
contains "in words" "$(cat waiter.log)" "stopped: cancelled by $me before it began"
same "so does the history" "cancelled by $me before it began" "$(last shop text)"
same "which knows who had started it" "started by hand by $me" "$(last shop reason)"
contains "status calls it cancelled" "$(backupd status shop 2>/dev/null || true)" "cancelled"
contains "and what is open" "$(backupd status --json shop 2>/dev/null || true)" '"alarm":"cancelled"'
same "nothing waits any more" none "$(waiting shop for)"
check_fails 1 "and nothing is left to cancel" backupd cancel shop
check_fails 1 "of no job at all" backupd cancel shopp
backupd start shop >/dev/null
cp c.yaml all.yaml
config "slow: { engine: command, command: [sleep, '304.$$'] }"
kill -HUP "$DAEMON"
check "one whose job is gone" wait_for 30 last_is shop 5
same "is skipped for that" "its job is no longer in the configuration" "$(last shop reason)"
mv all.yaml c.yaml
kill -HUP "$DAEMON"
check "the job is back" wait_for 30 reloads 3
same "and nothing of it waits" none "$(waiting shop for)"
backupd start shop >/dev/null
contains "a pause" "$(backupd pause shop)" "shop: is paused"
check "leaves alone what was started by hand" waits shop "its turn"
backupd cancel slow >/dev/null
check "it runs" wait_for 30 last_is shop 1
daemon_stop

# ---- by the calendar: a dependency, a window, a pause
gate() { printf '%s: { engine: command, command: [%s/gate, %s/open], %s }' "$1" "$TMP" "$TMP" "$2"; }
cat >gate <<'END'
#!/bin/bash
until [[ -e $1 ]]; do sleep 0.1; done
echo rows
END
chmod +x gate
config "$(gate first "schedule: '$far', catch_up_within: 2d")" \
    "$(job second "schedule: '$far', catch_up_within: 2d, depends_on: first")" \
    "$(job third "schedule: '$far', catch_up_within: 2d, depends_on: first, window: 2s")" \
    "$(job fourth "schedule: '$far', catch_up_within: 2d, depends_on: first")"
daemon_start
check "all are known" wait_for 30 known fourth
daemon_kill
change "UPDATE job SET last_due = last_due - 86400"
daemon_start
for name in second fourth; do check "$name waits for the one that it depends on" wait_for 30 waits "$name" "job first"; done
same "programs have its name" first "$(waiting second job)"
contains "so does the log" "$(cat daemon.log)" "second: waits for job first (missed before, made up for now)"
check "the window is over" wait_for 30 last_is third 5
same "the skip names what it waited for" "could not start within its window: waited for job first" "$(last third reason)"
daemon_kill
daemon_start
check "the next daemon knows what waits" wait_for 30 waits second "job first"
contains "a pause" "$(backupd pause second)" "second: is paused; the run that waits is skipped"
check "holds it" wait_for 30 last_is second 5
same "with that reason" "the job is paused" "$(last second reason)"
backupd cancel fourth >/dev/null
same "another one is cancelled" "due cancelled by $me before it began" \
    "$(history "SELECT replace(reason, 'missed before, made up for now', 'due') || ' ' || text FROM run WHERE job = 'fourth'")"
: >open
check "the one they waited for is done" wait_for 30 last_is first 1
backupd start --wait fourth >/dev/null
same "neither of the two ran: one was paused" 5 "$(last second)"
same "the other was cancelled, and ran once by hand" "4 1" \
    "$(history "SELECT group_concat(verdict, ' ') FROM (SELECT verdict FROM run WHERE job = 'fourth' ORDER BY id)")"
daemon_stop

# ---- one that failed and will be tried again
now=$(date +%s)
change "UPDATE job SET due = $now, begins = $now, not_before = $now + 3600, attempt = 1 WHERE name = 'fourth'"
daemon_start
check "status says when" says fourth "is tried again at .* (attempt 2 of 4)"
same "programs, too" retry "$(waiting fourth for)"
backupd cancel fourth >/dev/null
same "it is cancelled" "cancelled by $me before it was tried again" "$(last fourth text)"
same "and is not tried again" 0 "$(history "SELECT due FROM job WHERE name = 'fourth'")"
daemon_stop

# ---- one that was killed: the next run waits for its hooks, which the daemon makes up for
rm open
cat >unmake <<'END'
#!/bin/bash
echo after >>"$1"
until [[ -e $1.open ]]; do sleep 0.1; done
END
chmod +x unmake
config "$(gate hooked "before: [/bin/true], after: [$TMP/unmake, $TMP/hooks]")"
daemon_start
backupd start hooked >/dev/null
run_of() { RUN=$(pgrep -P "$DAEMON" -f "backup hooked") && [[ -e state/main/hooks-hooked.begun ]]; }
check "its run is on" wait_for 30 run_of
kill -KILL "$RUN"
check "its hook runs" wait_for 30 grep -q after hooks
contains "the log says so" "$(<daemon.log)" "hooked: was killed; its hooks \`after\` and \`on_failure\` run now"
: >open
contains "a start waits for it" "$(backupd start hooked)" "the hooks of its run before, which was killed"
same "nothing is on" 0 "$(history "SELECT count(*) FROM run WHERE job = 'hooked' AND verdict = 0")"
: >hooks.open
check "it starts when they are over, and is well" wait_for 30 last_is hooked 1
same "the two have ended, and none met a lock" "3 1" \
    "$(history "SELECT group_concat(verdict, ' ') FROM (SELECT verdict FROM run WHERE job = 'hooked' ORDER BY id)")"
daemon_stop

# ---- one that was cut off, and its window is over before the next daemon is there: that is heard, too
rm open
config "$(gate cut "schedule: '$far', catch_up_within: 2d, window: 1h")"
cat >hear <<END
#!/bin/bash
cat >>$TMP/heard
END
chmod +x hear
printf 'notify:\n  ear: { type: command, command: [%s/hear] }\n' "$TMP" >>c.yaml
daemon_start
check "it is known" wait_for 30 known cut
daemon_kill
change "UPDATE job SET last_due = last_due - 86400 WHERE name = 'cut'"
daemon_start
check "it runs" wait_for 30 last_is cut 0
daemon_kill
change "UPDATE job SET begins = begins - 7200 WHERE name = 'cut'"
daemon_start
check "it is not tried again" wait_for 30 grep -q "cut: is not tried again (could not start within its window)" daemon.log
check "and that it failed is told" wait_for 30 grep -q '"event": *"failure".*the daemon ended while it ran' heard
daemon_stop
finish
