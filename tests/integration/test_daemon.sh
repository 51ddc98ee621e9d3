#!/bin/bash
# The daemon with real runs: due, failing, stopped, killed at any moment, restarted, reloaded with good and bad files. Due
# times come from the history's own table: a job whose last due time lies back is due now.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store
printf 'a customer\n' >data
# config LINES...: the jobs
config() {
    cat >c.yaml <<END
state: $TMP/state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
daemon: { time_zone: UTC, concurrency: 3, stop_timeout: 5s }
jobs:
END
    printf '  %s\n' "$@" >>c.yaml
}
backupd() { "$BACKUPD" --config c.yaml "$@"; }
history() { sqlite3 -cmd '.timeout 20000' -readonly state/history.db "$1"; }
published() { find store/w/*/log -type f | wc -l; }
daemon_start() {
    # In another zone than that of the configuration.
    spawn daemon.log env TZ=Asia/Kolkata "$BACKUPD" --config c.yaml daemon
    DAEMON=$SPAWNED
    wait_for 30 grep -q 'runs: ' daemon.log
}
daemon_stop() {
    kill -TERM "$DAEMON"
    wait_gone "$DAEMON" 30
    wait "$DAEMON" 2>/dev/null
}
# due JOB [SECONDS]: the job's last due time was so long ago
due() {
    sqlite3 -cmd '.timeout 20000' state/history.db "INSERT OR REPLACE INTO job SELECT '$1', strftime('%s','now') - ${2:-120}, 0, 0, 0, 0, 0, 1, 0, 0,
        coalesce((SELECT paused FROM job WHERE name = '$1'), 0)"
}
verdicts() { history "SELECT group_concat(verdict) FROM (SELECT verdict FROM run WHERE job = '$1' AND verdict <> 5 ORDER BY id)"; }
verdict_is() { [[ $(verdicts "$1") == "$2" ]]; }

# An hour that is far from now, so that nothing comes due but what the test wants.
far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
good=("good: { engine: command, command: [cat, $TMP/data], schedule: '$far', catch_up_within: 2d }")
config "${good[@]}"
backupd --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed --spare-writers 12 >/dev/null

# ---- the words of the configuration
config "bad: { engine: command, command: [cat], schedule: '61 * * * *', depends_on: [none], jitter: 5m }"
check_fails 2 "a schedule with mistakes" backupd check config
problems=$(backupd check config 2>&1 || true)
contains "the field is named" "$problems" "'61' is no minute (0..59)"
contains "and the job that is not there" "$problems" "there is no job 'none'"
config "bad: { engine: command, command: [cat], window: 5m }"
contains "what has no effect is said" "$(backupd check config 2>&1 || true)" "bad.window has no effect without a schedule"
config "${good[@]}"
contains "schedule" "$(backupd schedule --next 1)" "good  $far"
check_fails 1 "status before the daemon has run" backupd status

# ---- nothing is due at the first start; what was missed is made up for, once
daemon_start
check "the daemon has its history" test "$(history 'SELECT count(*) FROM job')" -ge 0
check_fails 11 "a second daemon is refused" backupd daemon
contains "because of the first" "$(cat .check)" "another daemon runs here: "
daemon_stop
mv state/daemon.lock kept.lock
mkdir state/daemon.lock # nobody, not even root, can open it to write
check_fails 1 "a state directory that takes nothing" backupd daemon
contains "is what it says" "$(cat .check)" "the daemon cannot write to its state directory: open lock file $TMP/state/daemon.lock: Is a directory"
rmdir state/daemon.lock && mv kept.lock state/daemon.lock
due good $((10 * 86400))
daemon_start
check "the newest of ten missed times runs" wait_for 30 verdict_is good 1
same "one snapshot" 1 "$(published)"
contains "the others are told" "$(cat daemon.log)" "runs are skipped (missed, and a newer one takes its place)"
daemon_stop
contains "status" "$(backupd status)" "good  ok"
same "status says in numbers what it stored" 1 "$(backupd status --json | grep -c '"verdict":"ok"')"
contains "the receipt is remembered" "$(backupd show "$(history 'SELECT max(id) FROM run')")" "receipt:"

# ---- a run that fails; status says so with its exit code
config "${good[@]}" "broken: { engine: command, command: [cat, $TMP/nothing-there], schedule: '$far', catch_up_within: 2d }"
contains "what has not run yet is in the numbers, too" "$(backupd status --json broken)" '"verdict":"never"'
due broken 86400
daemon_start
check "it fails" wait_for 30 verdict_is broken 3
daemon_stop
check_fails 1 "status fails" backupd status broken
contains "and says why" "$(backupd status broken 2>/dev/null || true)" "nothing-there"

# ---- SIGTERM in mid-run: the run is asked to end, and killed when it does not
config "slow: { engine: command, command: [sleep, '300.$$'], schedule: '$far', catch_up_within: 2d }"
due slow 86400
daemon_start
check "it runs" wait_for 30 verdict_is slow 0
contains "status shows it" "$(backupd status)" "running"
daemon_stop
check "it was stopped" verdict_is slow 4
contains "without a daemon it waits for one" "$(backupd status slow 2>/dev/null || true)" "for the daemon to start it"
daemon_start
check "the next daemon starts it again" wait_for 30 verdict_is slow 4,0
daemon_stop
check "and is stopped in turn" verdict_is slow 4,4
contains "which the log tells" "$(cat daemon.log)" "slow: stopped after"
check "no child lingers" not pgrep -f "sleep 300.$$"

# ---- kill -9 of the daemon: its runs end with it; the next daemon starts them again and doubles nothing
snapshots=$(published)
cat >gate <<'END'
#!/bin/bash
# Waits until it may go on, then is as good as cat.
while [[ ! -e $1 ]]; do sleep 0.1; done
cat "$2"
END
chmod +x gate
config "gated: { engine: command, command: [$TMP/gate, $TMP/open, $TMP/data], schedule: '$far', catch_up_within: 2d }"
due gated 86400
for i in 1 2 3; do
    daemon_start
    check "round $i: it runs" wait_for 30 verdict_is gated "$(for ((k = 1; k < i; k++)); do printf '6,'; done)0"
    run=$(pgrep -P "$DAEMON" | head -n 1)
    kill -KILL "$DAEMON"
    wait "$DAEMON" 2>/dev/null || true
    check "its run ends with it" wait_gone "$run" 20
done
now=$(backupd status gated 2>/dev/null || true)
contains "nobody claims that it is on" "$now" "cut off"
contains "it waits" "$now" "for the daemon to start it"
same "for programs, too" "cut off daemon" "$(backupd --json status gated 2>/dev/null | python3 -c '
import json, sys
s = json.loads(sys.stdin.readline())
print(s["verdict"], s["waiting"]["for"])')"
check "the history has none that is on" not grep -q running <(backupd history)
contains "nor has its show" "$(backupd show "$(history "SELECT max(id) FROM run")")" "the daemon ended while it ran"
: >open
daemon_start
check "the next daemon says what was cut off and runs it again" wait_for 30 verdict_is gated 6,6,6,1
contains "in its log" "$(cat daemon.log)" "1 run was cut off"
same "all in the configured zone" 0 "$(python3 -c '
import datetime, sys
now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
times = [datetime.datetime.fromisoformat(line[:16]) for line in sys.stdin]
print(sum(abs(now - t) > datetime.timedelta(hours=2) for t in times))' <daemon.log)"
daemon_stop
same "one snapshot more" $((snapshots + 1)) "$(published)"
daemon_start
sleep 1
daemon_stop
check "and nothing is done twice" verdict_is gated 6,6,6,1

# ---- dependencies, a pause, what is too late
config "first: { engine: command, command: [cat, $TMP/nothing-there], schedule: '$far', catch_up_within: 2d }" \
    "second: { engine: command, command: [cat, $TMP/data], schedule: '$far', catch_up_within: 2d, depends_on: first }" \
    "third: { engine: command, command: [cat, $TMP/data], schedule: '$far', catch_up_within: 2d }" \
    "old: { engine: command, command: [cat, $TMP/data], schedule: '* * * * *', catch_up_within: 0s }"
for job in first second third; do due "$job" 86400; done
sqlite3 -cmd '.timeout 20000' state/history.db "INSERT OR REPLACE INTO job VALUES ('old', strftime('%s','now') - 3600, 0,0,0,0,0,1,0,0,0)"
sqlite3 -cmd '.timeout 20000' state/history.db "UPDATE job SET paused = 1 WHERE name = 'third'"
daemon_start
skipped() { [[ $(history "SELECT reason FROM run WHERE job = '$1' AND verdict = 5 ORDER BY id DESC LIMIT 1") == "$2" ]]; }
check "the first fails" wait_for 30 verdict_is first 3
check "so the second is skipped" wait_for 30 skipped second "job first, which it depends on, did not succeed"
check "the paused one too" wait_for 30 skipped third "the job is paused"
contains "the schedule says that it will be skipped again" "$(backupd schedule --next 1 third)" "will be skipped: the job is paused"
contains "and why the second was skipped" "$(backupd schedule --next 1 second)" "was skipped: job first, which it depends on, did not succeed"
same "also as JSON" "the job is paused, job first, which it depends on, did not succeed" "$(backupd schedule --json --next 1 second third | python3 -c '
import json, sys
second, third = (json.loads(line) for line in sys.stdin)
assert second["will_be_skipped"] == [] and third["will_be_skipped"][0]["time"] == third["next"][0]
print(third["will_be_skipped"][0]["reason"], second["last_skipped"]["reason"], sep=", ")')"
sed 's/depends_on: first/depends_on: third/' c.yaml >c2.yaml
contains "and what waits for a paused one" "$("$BACKUPD" --config c2.yaml schedule --next 1 second)" "will be skipped: third, which it depends on, is paused"

# ---- reload: a bad file changes nothing, a good one adds a job, and takes one away
cp c.yaml good.yaml
printf 'nonsense: 1\n' >>c.yaml
kill -HUP "$DAEMON"
check "a bad file is refused" wait_for 20 grep -q "was not reloaded" daemon.log
check "and the daemon goes on" kill -0 "$DAEMON"
at='^20[0-9-]{8} [0-9:]{5,8}[^ ]*( [A-Z]+)?  '
check "each mistake is a line of the log like the others" grep -qE "${at}warning: .*c.yaml:[0-9]+:[0-9]+: .*nonsense" daemon.log
check "the alarm, too" grep -qE "${at}alarm: the configuration was not reloaded, .*check config. names every mistake" daemon.log
check "a run goes by what was accepted, not by the file" backupd start --wait third
contains "status answers in spite of the file" "$(backupd status third 2>status.err)" "ok"
contains "and says what it does" "$(<status.err)" "1 problem in c.yaml (\`backupd check config\` lists them): asks the daemon"
contains "history, too" "$(backupd history third 2>/dev/null)" "started by hand"
contains "schedule, too" "$(backupd schedule third 2>/dev/null)" "third  $far"
contains "the mistake is told to who reads the files only" "$(backupd status --direct third 2>&1 || true)" "c.yaml:$(wc -l <c.yaml):1: "
sed -i 's/^state:/state: [/' c.yaml
check_fails 4 "no YAML at all, and a socket that nobody can know" backupd cancel third
contains "so it is to be named" "$(backupd cancel third 2>&1 || true)" "name its socket (--socket)"
contains "the socket can be named" "$(backupd status --socket state/control.sock third)" "ok"
cp good.yaml c.yaml
same "the accepted one needs no word" "" "$(backupd status third 2>&1 >/dev/null)"
printf '# a comment\n' >>c.yaml
contains "one that the daemon has not read does" "$(backupd status third 2>&1)" "the daemon goes by an older configuration than $TMP/c.yaml"
contains "check config says it, too" "$(backupd check config 2>&1)" "until it reads it again"
cp good.yaml c.yaml
sed -i "s|^state: .*|state: $TMP/elsewhere|" c.yaml
kill -HUP "$DAEMON"
check "another state directory takes a restart" wait_for 20 grep -q "that takes a restart" daemon.log
check "and is not made" test ! -e elsewhere
rm c.yaml
kill -HUP "$DAEMON"
not_taken() { [[ $(grep -c 'was not reloaded' daemon.log) -ge $1 ]]; }
check "so is one that is gone" wait_for 20 not_taken 3
config "gone: { engine: command, command: [$TMP/gate, $TMP/never, $TMP/data], schedule: '$far', catch_up_within: 2d }"
kill -HUP "$DAEMON"
check "a good one is taken" wait_for 20 grep -q "was reloaded: 1 job" daemon.log
backupd start gone >/dev/null
check "its job runs" wait_for 30 verdict_is gone 0
cp good.yaml c.yaml
kill -HUP "$DAEMON"
check "a run whose job is gone is stopped" wait_for 30 verdict_is gone 4
same "for good" "0|0|0" "$(history "SELECT running, due, by_hand FROM job WHERE name = 'gone'")"
config "gone: { engine: command, command: [$TMP/gate, $TMP/never, $TMP/data], schedule: '$far', catch_up_within: 2d }"
kill -HUP "$DAEMON"
twice() { [[ $(grep -c 'was reloaded: 1 job' daemon.log) -eq 2 ]]; }
check "its job comes back" wait_for 30 twice
backupd pause gone >/dev/null
same "and nothing of it runs" 4 "$(verdicts gone)"
cp good.yaml c.yaml
kill -TERM "$DAEMON"
check "what it could not read meanwhile is no failure of the daemon" wait "$DAEMON"
contains "history" "$(backupd history --lines 50)" "stopped"

# ---- a schedule that is over keeps no daemon from starting; one that never comes is refused, also by a reload
config "once: { engine: command, command: [cat, $TMP/data], schedule: '2020-02-29 01:00' }"
daemon_start
check "a date that is over is a warning in the log" grep -qE "c\.yaml:8:[0-9]+: jobs\.once: schedule '2020-02-29 01:00' does not come again" daemon.log
check "status says so" grep -qE '^once +not yet .*does not come again' <(backupd status)
check "schedule too" grep -qE '^once +2020-02-29 01:00 +does not come again' <(backupd schedule)
contains "also as JSON" "$(backupd schedule --json)" '"comes_again":false'
cp c.yaml over.yaml
config "never: { engine: command, command: [cat, $TMP/data], schedule: '*-02-30 01:00' }"
kill -HUP "$DAEMON"
check "a reload refuses what never comes" wait_for 20 grep -q "was not reloaded" daemon.log
contains "with the reason" "$(<daemon.log)" "this never comes: February has no day 30"
cp over.yaml c.yaml
daemon_stop

# ---- a clock that was in another year, and is right again: told once, what waited is skipped, the night is made up for
config "years: { engine: command, command: [cat, $TMP/data], schedule: '$far', catch_up_within: 2d }"
ahead=$((11 * 365 * 86400))
sqlite3 -cmd '.timeout 20000' state/history.db "
    INSERT INTO run (job, reason, due, started, ended, attempt, count, verdict, exit_code, text, result) VALUES
        ('years', 'due', strftime('%s','now') - 172800, strftime('%s','now') - 172800, strftime('%s','now') - 172700, 1, 1, 1, 0, '', ''),
        ('years', 'due', strftime('%s','now') + $ahead, strftime('%s','now') + $ahead, strftime('%s','now') + $ahead + 60, 1, 1, 1, 0, '', '');
    INSERT INTO job SELECT 'years', t, t, t, t, t + 300, 0, 1, 0, 0, 0 FROM (SELECT strftime('%s','now') + $ahead + 86400 AS t)"
check_fails 1 "status is not well" backupd status years
contains "it says what is known" "$(backupd status 2>/dev/null || true)" "The clock is behind the history by 11 years"
daemon_start
check "the night before now is made up for" wait_for 30 verdict_is years 1,1,1
same "what waited is skipped with the reason" "its time lies in the future: the clock was wrong then, or is wrong now" \
    "$(history "SELECT reason FROM run WHERE job = 'years' AND verdict = 5 ORDER BY id LIMIT 1")"
contains "the log says what is known" "$(<daemon.log)" "lies in the future: the clock was wrong then or is wrong now; the nights go on from the newest before now"
contains "and has the alarm" "$(<daemon.log)" "The clock is behind the history by 11 years"
daemon_stop
check "status is well again" backupd status years
daemon_start
daemon_stop
same "the next daemon does not say it again" 0 "$(grep -c 'the clock' daemon.log || true)"
check "and nothing runs twice" verdict_is years 1,1,1

# ---- a history that is damaged is put aside, and nothing else is lost
printf 'garbage' | dd of=state/history.db conv=notrunc 2>/dev/null
daemon_start
daemon_stop
contains "it is told" "$(cat daemon.log)" "the history begins anew"
check "and kept" compgen -G "state/history.db.damaged-*"
finish
