#!/bin/bash
# Asking the daemon: who may, what is done, what is remembered over a kill -9; clients that are slow, silent or talk nonsense;
# tasks beside jobs; limits of a run, and one that stands still.
# shellcheck disable=SC2317 # functions are called through check and wait_for
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store run
printf 'a customer\n' >data
far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
# config DAEMON JOB...: the settings of the daemon, and the jobs
config() {
    cat >c.yaml <<END
state: $TMP/state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
daemon: { time_zone: UTC, stop_timeout: 5s, socket: $TMP/run/control.sock, $1 }
jobs:
END
    shift
    printf '  %s\n' "$@" >>c.yaml
}
backupd() { "$BACKUPD" --config c.yaml "$@"; }
state=state
history() { sqlite3 -cmd '.timeout 20000' -readonly "$state/history.db" "$1"; }
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
    kill -KILL "$DAEMON"
    wait "$DAEMON" 2>/dev/null || true
}
running() { [[ $(history "SELECT count(*) FROM run WHERE job = '$1' AND verdict = 0") -gt 0 ]]; }
last() { history "SELECT $2 FROM run WHERE job = '$1' AND verdict <> 5 ORDER BY id DESC LIMIT 1"; }
last_is() { [[ $(last "$1" verdict) == "$2" ]]; }

good="good: { engine: command, command: [cat, $TMP/data], schedule: '$far' }"
bad="bad: { engine: command, command: [cat, $TMP/nothing-there] }"
slow="slow: { engine: command, command: [sleep, '300.$$'] }"
config "concurrency: 3" "$good" "$bad" "$slow"
backupd --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed --spare-writers 6 >/dev/null

# ---- what is asked is done, and who it was is remembered
check_fails 4 "without a daemon nothing is started" backupd start good
daemon_start
check "start, and wait for the end" backupd start --wait good
contains "the history says who it was" "$(last good reason)" "started by hand by $(id -un)"
check_fails 1 "a run that fails fails who waits for it" backupd start --wait bad good
contains "start says the number of the run" "$(backupd start slow)" "slow: run $(last slow id) has started"
check "it runs" wait_for 30 running slow
check_fails 11 "and is not started twice" backupd start slow
check_fails 2 "a job that is not there" backupd start god
contains "with a hint" "$(backupd start god 2>&1 || true)" "did you mean"
check "cancel, by its number" backupd cancel "$(last slow id)"
check "it ends" wait_for 30 last_is slow 4
contains "and says who ended it" "$(last slow text)" "cancelled by $(id -un)"
check_fails 1 "there is nothing more to cancel" backupd cancel slow
same "an answer for programs" good "$(backupd --json start --wait good | python3 -c '
import json, sys
a = json.load(sys.stdin)
assert a["message_type"] == "answer" and a["exit_code"] == 0 and a["runs"][0] > 0, a
print(a["lines"][0].split(":")[0])')"

# ---- a pause, and what waits, survive kill -9
check "pause" backupd pause good
contains "status says so" "$(backupd status good)" "paused"
config "concurrency: 1" "$good" "$bad" "$slow"
kill -HUP "$DAEMON"
check "one run at a time from now on" wait_for 30 grep -q 'was reloaded' daemon.log
backupd start slow >/dev/null
contains "another one waits" "$(backupd start bad)" "for its turn (1 of 1 run is on)"
before=$(last bad id)
daemon_kill
daemon_start
check "the next daemon runs the one again" wait_for 30 running slow
contains "the pause is there" "$(backupd status good)" "paused"
backupd cancel slow >/dev/null
check "which is cancelled" wait_for 30 last_is slow 4
newer() { [[ $(last "$1" id) -gt $2 && $(last "$1" verdict) == 3 ]]; }
check "and then the one that waited" wait_for 30 newer bad "$before"
check "resume" backupd resume good
check "and it is as before" not grep -q paused <(backupd status good)

# ---- a run that somebody kills: the words have the program's name
backupd start slow >/dev/null
check "it runs again" wait_for 30 running slow
run=$(pgrep -P "$DAEMON" -f 'backup slow' | head -n 1)
contains "so has the list of processes" "$(tr '\0' ' ' <"/proc/$run/cmdline")" "backupd --"
kill -KILL "$run"
check "it is killed" wait_for 30 last_is slow 3
contains "which is told of backupd" "$(last slow text)" "backupd was ended by signal 9 (SIGKILL)"

# ---- a cancelled run is not started again by the daemon after a kill -9
daemon_stop
config "concurrency: 3" "$good" "$slow"
sed -i 's/stop_timeout: 5s/stop_timeout: 60s/' c.yaml
daemon_start
backupd start slow >/dev/null
runs=$(history 'SELECT count(*) FROM run')
kill -STOP "$(pgrep -P "$DAEMON" | head -n 1)"
backupd cancel slow >/dev/null
daemon_kill
daemon_start
check "it is cut off, and not started again" last_is slow 6
sleep 1
same "no run more" "$runs" "$(history 'SELECT count(*) FROM run')"

# ---- clients that are no good do not keep others out
cat >nasty.py <<'END'
import json, socket, sys
def ask(data):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(30)
    if data: s.sendall(data)
    return s
def answer(s):
    out = b''
    while not out.endswith(b'\n'):
        part = s.recv(65536)
        if not part: break
        out += part
    return json.loads(out)
silent = [ask(b'') for _ in range(4)]
halves = [ask(b'{"verb":') for _ in range(3)]
for what in (b'nonsense\n', b'[]\n', b'{}\n', b'{"verb":7}\n', b'{"verb":"start"}\n', b'{"verb":"start","jobs":[7]}\n',
             b'{"verb":"start","jobs":"good"}\n', b'{"verb":"cancel"}\n', b'{"verb":"pause","jobs":["--help"]}\n',
             b'{"verb":"show","what":"--config=/etc/passwd"}\n', b'{"verb":"status","jobs":["--help"]}\n',
             b'{"verb":"daemon"}\n', b'{"verb":"start","verb":"start"}\n', b'\xff\xfe\n', b'x' * 20000):
    a = answer(ask(what))
    assert a['exit_code'] != 0 and a['error'], (what, a)
a = answer(ask(b'{"verb":"schedule","json":true}\n'))
assert a['exit_code'] == 0 and '"job":"good"' in a['output'], a
gone = [ask(b'{"verb":"status"}\n') for _ in range(3)]
for s in gone: s.close()
full = [ask(b'') for _ in range(20)]
assert any('too many' in answer(s)['error'] for s in full[-8:])
for s in full + silent + halves: s.close()
END
check "nonsense gets an error, silence nothing, and others are served" python3 nasty.py run/control.sock
check "the daemon is as before" backupd start --wait good

# ---- somebody tidies up /run
rm run/control.sock
kill -HUP "$DAEMON"
check "a socket that was removed is made anew at SIGHUP" wait_for 30 test -S run/control.sock
check "and works" backupd start --wait good
contains "and that is told" "$(cat daemon.log)" "run/control.sock was no longer there: it was made anew"
same "for its owner alone" 600 "$(stat -c %a run/control.sock)"
backupd start slow >/dev/null
python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print("in", flush=True); time.sleep(1)
s.sendall(b"{\"verb\":\"cancel\",\"what\":\"slow\"}\n"); s.settimeout(30); print(s.recv(65536).decode())' run/control.sock >client.out &
client=$!
wait_for 30 grep -q in client.out
rm -r run
check "without a signal when the loop is awake for something else, with its directory" wait_for 30 test -S run/control.sock
wait "$client"
contains "who was there was answered" "$(cat client.out)" "is asked to end"
check "it ends" wait_for 30 last_is slow 4
rm run/control.sock
printf 'mine\n' >run/control.sock
kill -HUP "$DAEMON"
check "what is in the way is an alarm" wait_for 30 grep -q 'alarm: control socket: .* cannot be made anew' daemon.log
same "and stays" mine "$(cat run/control.sock)"
rm run/control.sock
kill -HUP "$DAEMON"
check "and when it is away" wait_for 30 test -S run/control.sock
check "all is well" backupd start --wait good
daemon_stop
check "its socket went with it" test ! -e run/control.sock

# ---- who may what
if [[ $(id -u) == 0 ]]; then
    chmod 0711 "$TMP"
    config "read_group: '54321', control_group: '54322'" "$good"
    daemon_start
    other() { setpriv --reuid 54320 --regid 54320 "$@"; }
    check_fails 1 "another account is refused" other --clear-groups "$BACKUPD" --config c.yaml start --socket "$TMP/run/control.sock" good
    contains "which is an alarm" "$(cat daemon.log)" "uid 54320 was refused"
    reader() { other --groups 54321 "$BACKUPD" --config "$TMP/c.yaml" "$@" --socket "$TMP/run/control.sock"; }
    contains "a reader reads" "$(reader status good)" "good  ok"
    contains "the history, too" "$(reader history --runs --lines 1)" "good"
    contains "one run" "$(reader show "$(last good id)")" "receipt:"
    contains "and the schedule" "$(reader schedule)" "$far"
    same "in JSON as well" '"verdict":"ok"' "$(reader status --json good | grep -o '"verdict":"ok"')"
    check_fails 1 "but starts nothing" reader start good
    contains "which is an alarm, too" "$(cat daemon.log)" "may only read, and asked to start"
    check "who may control starts" other --groups 54322 "$BACKUPD" start --wait good --socket "$TMP/run/control.sock"
    contains "under the own name" "$(last good reason)" "by uid 54320"
    check_fails 1 "files that are closed are told as such" other --groups 54321 "$BACKUPD" --config "$TMP/c.yaml" status --direct
    chmod 0644 c.yaml
    contains "the closed history is asked for without being told to" \
        "$(other --groups 54321 "$BACKUPD" --config "$TMP/c.yaml" status good)" "good  ok"
    daemon_stop
    check_fails 4 "without a daemon it is said that neither works" other --groups 54321 "$BACKUPD" --config "$TMP/c.yaml" status
    config "read_group: no-such-group-here" "$good"
    check_fails 2 "a group that there is not" backupd daemon
else
    skip "accounts" "only root can be somebody else"
fi
config "concurrency: 1" "$good"
printf 'precious\n' >run/control.sock
check_fails 1 "what is no socket is not removed" backupd daemon
rm run/control.sock

# ---- tasks: no job, no writer's key
mv keys keys.all
mkdir keys
cp keys.all/root.pub keys/
cp safe/retention.key keys/
chmod 0700 keys
state=state2
cat >c.yaml <<END
state: $TMP/state2
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
    keep: { last: 100 }
tasks:
  tidy: { do: expire, schedule: '$far' }
  look: { do: verify, schedule: '$far', depends_on: tidy }
END
check "a configuration with tasks only" backupd check config
daemon_start
check "expire" backupd start --wait tidy
check "verify" backupd start --wait look
contains "status has them" "$(backupd status)" "tidy  ok"
# The first time everything is read (every: 1h), then little: what was broken is read all the same, until it is cured.
rm state2/restore/main/verify-L1.json
sed -i "s/do: verify,/do: verify, every: 1h,/" c.yaml
kill -HUP "$DAEMON"
check "everything is to be read now" wait_for 30 grep -q 'was reloaded' daemon.log
pack=$(find store -path '*/pack/*' -type f | sort | head -n 1)
flip() { python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(40); b = f.read(1); f.seek(40); f.write(bytes([b[0] ^ 1]))' "$pack"; }
chmod u+w "$pack"
flip
check_fails 9 "damage is found" backupd start --wait look
contains "and named" "$(last look text)" "$(basename "$pack")"
sed -i "s/every: 1h/every: 900d/" c.yaml
kill -HUP "$DAEMON"
twice() { [[ $(grep -c 'was reloaded' daemon.log) -eq 2 ]]; }
check "hardly anything is to be read now" wait_for 30 twice
check_fails 9 "the damage is told again" backupd start --wait look
flip
check "until it is cured" backupd start --wait look
same "of which there was one pack to read" 1 "$(history "SELECT json_extract(result, '$.packs_read') FROM run WHERE job = 'look' ORDER BY id DESC LIMIT 1")"
check "and then nothing of it is left" backupd start --wait look
daemon_stop
printf '  odd: { do: expire, every: 3d }\n' >>c.yaml
contains "what has no meaning is said" "$(backupd check config 2>&1 || true)" "'every' has no meaning with do: expire"
rm -r keys
mv keys.all keys
state=state

# ---- limits, and a run that stands still
# shellcheck disable=SC2016 # for the shell of the run
printf '%s\n' '{ nice; ulimit -n; ulimit -d; } >"$1"; cat "$2"' >limits.sh
config "nice: 7" "lazy: { engine: command, command: [bash, $TMP/limits.sh, $TMP/limits, $TMP/data], open_files: 200, memory: 2GiB }" \
    "still: { engine: command, command: [sleep, '301.$$'], stall: 2s, retries: 0 }"
daemon_start
check "a run with limits" backupd start --wait lazy
niceness=$(($(nice) + 7))
same "it had them" "$((niceness < 19 ? niceness : 19)) 200 2097152" "$(paste -sd ' ' limits)"
check_fails 130 "one that stands still is stopped" backupd start --wait still
contains "with that reason" "$(last still text)" "nothing has moved for"

# ---- a run that is killed: its `after` and `on_failure` run all the same
cat >hook <<END
#!/bin/bash
echo "\$BACKUPD_HOOK \$BACKUPD_RESULT" >>$TMP/hooks
END
chmod +x hook
daemon_stop
config "concurrency: 3" \
    "killed: { engine: command, command: [sleep, '302.$$'], before: [$TMP/hook], after: [$TMP/hook], on_failure: [$TMP/hook] }"
daemon_start
backupd start killed >/dev/null
check "its before has run" wait_for 30 grep -q before hooks
kill -KILL "$(pgrep -P "$DAEMON" | head -n 1)"
check "the run has failed" wait_for 30 last_is killed 3
check "on_failure runs" wait_for 30 grep -q 'on_failure failed' hooks
same "after ran before it" "before  after failed on_failure failed" "$(paste -sd ' ' hooks)"
daemon_stop
finish
