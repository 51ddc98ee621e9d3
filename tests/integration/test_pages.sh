#!/bin/bash
# What others on the host see of the daemon: metrics, textfile, status page, health; and what the page's server refuses. The
# numbers of page, JSON, metrics and `status` are compared by a reader of its own (page_numbers.py).
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
mkdir store run
chmod 711 "$TMP"
mkdir -m 700 state
printf 'a customer\n' >data
kinds=(good failing stopped cancelled missed stale new warning running paused unusual hostile)
# config LISTEN JOBS...: the rest of the jobs is of no schedule that comes due here
config() {
    local listen=$1
    shift
    {
        printf 'state: %s/state\n' "$TMP"
        printf 'repositories:\n  main:\n    storage: { type: local, path: %s/store }\n    keys: %s/keys\n' "$TMP" "$TMP"
        printf 'daemon: { time_zone: Europe/Berlin, textfile: %s/backup.prom, stop_timeout: 5s, ' "$TMP"
        printf 'socket: %s/run/c.sock, control_group: "54322" }\n' "$TMP"
        [[ -z $listen ]] || printf 'web: { listen: "%s" }\n' "$listen"
        printf 'jobs:\n'
        local job
        for job; do
            printf '  %s: { engine: command, command: [cat, %s/data], schedule: "%s", catch_up_within: 2d }\n' \
                "$job" "$TMP" "$far"
        done
        printf 'tasks:\n  weekly: { do: drill, schedule: "%s", catch_up_within: 0s, arguments: [--drill, night] }\n' "$far"
        printf 'drills:\n  night: { job: good, rto: 30m, every: 7d }\n  wrong: { job: failing, every: 7d }\n'
        printf '  old: { job: stale, every: 7d }\n  never: { job: new }\n  broken: { job: warning }\n'
    } >c.yaml
}
backupd() { "$BACKUPD" --config c.yaml "$@"; }
daemon_start() {
    spawn daemon.log "$BACKUPD" --config c.yaml daemon
    DAEMON=$SPAWNED
    wait_for 30 grep -q 'runs: ' daemon.log
}
daemon_stop() {
    kill -TERM "$DAEMON"
    wait_gone "$DAEMON" 30
    wait "$DAEMON" 2>/dev/null || true
}
get() { curl -sS --max-time 20 "$@"; }
code() { curl -s -o body --max-time 20 -w '%{http_code}' "$@" || true; }

# ---- the words of the configuration
listens() {
    config "$1" good
    backupd check config 2>&1 || true
}
for bad in 0.0.0.0:9187 192.0.2.1:9187 '[::]:9187' '[::ffff:127.0.0.1]:9187' example.net:9187 '*:9187' 128.0.0.1:80; do
    contains "$bad is refused" "$(listens "$bad")" "web.listen: "
done
for bad in 127.0.0.1 127.0.0.1:0 127.0.0.1:65536 :9187 unix: '[::1]' 127.0.0.1:9187x; do
    contains "'$bad' is no address" "$(listens "$bad")" "expected an address of this host's loopback"
done
for good in 127.0.0.1:9187 127.9.9.9:1 localhost:9187 '[::1]:9187' unix:run/page.sock; do
    contains "$good is taken" "$(listens "$good")" "configuration ok"
done
config "" good
sed -i 's/backup\.prom/backup.txt/' c.yaml
contains "a textfile that node_exporter does not read" "$(backupd check config 2>&1 || true)" "must end in .prom"

# ---- the numbers, for jobs in every state
port=$(free_port)
config "127.0.0.1:$port" good
backupd --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed --spare-writers 12 >/dev/null
jobs=()
for kind in "${kinds[@]}"; do jobs+=("$kind=$kind"); done
"$TOOLS/fill_history" state/history.db 1 60 "$(date +%s)" "${jobs[@]}"
cp state/history.db filled.db
config "127.0.0.1:$port" "${kinds[@]}"
contains "without a daemon the metrics say so" "$(backupd metrics)" $'\nbackupd_daemon_up 0\n'
daemon_start
check "the running one was cut off and runs again" wait_for 30 grep -q 'running: ok' daemon.log
url=http://127.0.0.1:$port
check "the page answers" wait_for 20 get -o body "$url/"
same "it is healthy" ok "$(get "$url/healthz")"
# A minute or an end of a run between two requests would make them differ: until all were made in one calm moment.
compare() {
    get -o page.html "$url/" && get -o status.json "$url/api/status.json" && get -o metrics.txt "$url/metrics" || return 1
    backupd status --json >status.jsonl 2>/dev/null || true
    python3 "$REPO_ROOT/tests/support/page_numbers.py" page.html status.json metrics.txt status.jsonl >compared
}
check "page, JSON, metrics and status say the same" wait_for 30 compare
contains "all of it was compared" "$(<compared)" "same: "
page=$(<page.html)
contains "what comes from outside is shown, not run" "$page" "&lt;script&gt;alert(1)&lt;/script&gt;"
contains "also what would turn the text around" "$page" 'b onclick=x&gt; \u202e txet'
contains "alarms are counted" "$page" "open alarms</h2>"
contains "what is unusual is an alarm" "$page" "not like those before it: table t has &lt;few&gt; rows"
contains "who cancelled a run is told, not as a failure" "$page" "The last run was cancelled by alice; there is no backup of that night"

# ---- drills: the page's process may open no file, and shows them from the first one on
alarms_are() { [[ $(grep -o "data-alarm=\"$1\"" page.html | wc -l) -eq $2 ]]; }
check "drills of the configuration that were never made are alarms" alarms_are drill_never 5
server_pid() { pgrep -P "$DAEMON" -f serve-status; }
server=$(server_pid)
"$TOOLS/fill_drills" state "$(date +%s)" good:night:pass:3:81000:1800 failing:wrong:pass:30:5000 failing:wrong:fail:1:7000 \
    stale:old:pass:20:1200 warning:broken:pass:2:99 warning:broken:could_not_run:0 hostile::fail:0:1
drilled() { compare && alarms_are drill_failing 2; }
check "what drills found is there, and the same everywhere" wait_for 30 drilled
same "by the same process" "$server" "$(server_pid)"
for text in "Restore drill wrong: the last drill failed: table orders: 12 rows are missing" \
    "Restore drill old: the last that passed was 20 days ago, more than 7 days" "Restore drill never: never drilled" \
    "Restore drill broken: the last one could not run" "Has never passed."; do
    contains "said: $text" "$(<page.html)" "$text"
done
out=$(backupd status 2>/dev/null || true)
contains "status: how many are well" "$out" "Restore drills: 1 of 5 is well."
contains "and what is not" "$out" "Restore drill wrong: the last drill failed"
contains "a run that was cancelled" "$out" "cancelled by alice"
backupd status >/dev/null 2>status.err || true
check "and the count in the end is of both" grep -Eq "[0-9]+ of [0-9]+ jobs are not well, and [0-9]+ things more are to be looked at" status.err
check "of one job only its own" not grep -q 'Restore drill wrong' <<<"$(backupd status good 2>/dev/null || true)"

# ---- a list of drills that is another file now: a new process opens it
mv state/drills.db state/old.db
rm -f state/drills.db-*
"$TOOLS/fill_drills" state "$(date +%s)" good:night:fail:0:81000:1800
another() { get -o page.html "$url/" && alarms_are drill_failing 1 && alarms_are drill_never 4; }
check "another list in its place is seen" wait_for 30 another
check "and everything agrees again" wait_for 30 compare

# ---- refused logins
if [[ $(id -u) == 0 ]]; then
    for _ in 1 2 3; do
        setpriv --reuid 54320 --regid 54320 --clear-groups "$BACKUPD" status --socket "$TMP/run/c.sock" >/dev/null 2>&1 || true
    done
    refused() { compare && alarms_are refused 1; }
    check "who was refused is an alarm" wait_for 30 refused
    contains "with the account and why" "$(<page.html)" "The control socket refused uid 54320: it is in no group that may ask"
    contains "status tells it" "$(backupd status 2>/dev/null || true)" "The control socket refused uid 54320"
    contains "the first at once, as a number that only grows" "$(<metrics.txt)" $'\nbackupd_control_refused_total 1\n'
else
    skip "refused logins" "only root can be somebody else"
fi
same "the verb's metrics are the page's" "$(grep -c '^backupd_job' metrics.txt)" "$(backupd metrics | grep -c '^backupd_job')"
contains "the daemon is up, for who reads its lock" "$(backupd metrics)" $'\nbackupd_daemon_up 1\n'
contains "its history took everything" "$(<metrics.txt)" $'\nbackupd_daemon_history_errors_total 0\n'

# ---- the textfile
told() { grep -qx 'backupd_job_last_run_verdict{job_name="running",kind="backup",verdict="ok"} 1' backup.prom; }
check "the textfile has the last event" wait_for 20 told
same "others may read it" 644 "$(stat -c %a backup.prom)"
same "nothing is left beside it" "" "$(find . -maxdepth 1 -name '.backup.prom*')"

# ---- what is sent with it
headers=$(get -D - -o body "$url/")
contains "nothing but the one style sheet may be used" "$headers" "Content-Security-Policy: default-src 'none'; style-src 'sha256-"
hash=$(python3 -c 'import base64,hashlib,re,sys
style = re.search(r"<style>(.*?)</style>", open("body", encoding="utf-8").read(), re.S)[1]
print(base64.b64encode(hashlib.sha256(style.encode()).digest()).decode())')
contains "which is this one" "$headers" "'sha256-$hash'"
contains "no frame" "$headers" "frame-ancestors 'none'"
contains "no guessing of types" "$headers" "X-Content-Type-Options: nosniff"
contains "no referrer" "$headers" "Referrer-Policy: no-referrer"
contains "metrics have their type" "$(get -D - -o body "$url/metrics")" "text/plain; version=0.0.4"

# ---- what is refused
same "HEAD has no body" "200 0" "$(curl -s -I -o /dev/null -w '%{http_code} %{size_download}' --max-time 20 "$url/")"
for method in POST PUT DELETE OPTIONS PATCH TRACE; do
    same "$method" 405 "$(code -X "$method" "$url/")"
done
same "POST with a body" 405 "$(code --data-binary "@$BACKUPD" "$url/")"
same "another path" 404 "$(code "$url/etc/passwd")"
same "a path with NUL is not the one before it" "404 404 404" "$(code "$url/%00") $(code "$url/healthz%00") $(code "$url/%00metrics")"
same "others may be written in any way" 200 "$(code "$url/%6detrics")"
same "a path upwards" 404 "$(code --path-as-is "$url/../../etc/passwd")"
for host in evil.example "evil.example:$port" 127.0.0.1.evil.example localhost.evil.example 192.0.2.1 '[::2]' "127.0.0.1:x" '[::1'; do
    same "Host: $host" 403 "$(code -H "Host: $host" "$url/")"
done
same "no Host" 400 "$(code -H "Host:" "$url/")"
same "no Host, as long ago" 403 "$(code -0 -H "Host:" "$url/")"
for host in localhost "LOCALHOST:$port" 127.0.0.1 "[::1]:$port"; do
    same "Host: $host" 200 "$(code -H "Host: $host" "$url/")"
done
huge=$(head -c 40000 /dev/zero | tr '\0' x)
not_ok() { [[ $(code -H "X-Long: $huge" "$url/") != 200 ]]; }
check "a request that is too long" not_ok
check "and it goes on" test "$(code "$url/healthz")" = 200

# ---- the process behind it: confined, its own, replaced when it dies
server=$(server_pid)
same "no new privileges" 1 "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$server/status")"
same "no capabilities" 0000000000000000 "$(awk '/^CapEff/ { print $2 }' "/proc/$server/status")"
contains "no file grows" "$(<"/proc/$server/limits")" "Max file size             0"
kill -KILL "$server"
check "another one is started" wait_for 30 get -o body "$url/healthz"
check "which is another" test "$(server_pid)" != "$server"
contains "and it is told" "$(<daemon.log)" "the status page's process has ended"

# ---- a daemon that hangs is not alive; one that goes on is
kill -STOP "$DAEMON"
sick() { [[ $(code "$url/healthz") == 503 ]]; }
check "a loop that stands still is seen" wait_for 30 sick
contains "on the page, too" "$(sleep 1 && get "$url/")" "The daemon does not answer"
spawn asking.log "$BACKUPD" --config c.yaml resume good
asking=$SPAWNED
check "who asks it is told that it waits" wait_for 30 grep -q "the daemon has not answered yet; waits up to 60 s" asking.log
kill -CONT "$DAEMON"
well() { [[ $(code "$url/healthz") == 200 ]]; }
check "and when it goes on" wait_for 30 well
check "who asked has an answer" wait "$asking"
same "and was told once" 1 "$(grep -c "has not answered yet" asking.log)"

# ---- reload: from TCP to a socket, and off
config "unix:$TMP/page.sock" "${kinds[@]}"
kill -HUP "$DAEMON"
check "it moves to a socket" wait_for 30 get --unix-socket page.sock -o body http://backups/healthz
same "for its group" 660 "$(stat -c %a page.sock)"
check "and is gone from the port" not port_open "$port"
rm page.sock
kill -HUP "$DAEMON"
check "a socket that was removed is made anew" wait_for 30 get --unix-socket page.sock -o body http://backups/healthz
check "which is told" grep -q 'page.sock was no longer there: it was made anew' daemon.log
config "" "${kinds[@]}"
kill -HUP "$DAEMON"
check "off: no socket is left" wait_for 30 test ! -e page.sock
gone() { ! server_pid; }
check "and no process" wait_for 30 gone
sleeps() { [[ $(awk '/^State/ { print $2 }' "/proc/$DAEMON/status") == S ]]; }
check "the daemon is idle" wait_for 20 sleeps
switches() { awk '/^voluntary_ctxt/ { print $2 }' "/proc/$DAEMON/status"; }
calm() {
    local before
    before=$(switches)
    sleep 2
    [[ $(switches) == "$before" ]]
}
check "and is not woken" wait_for 30 calm
daemon_stop
contains "the last thing that the textfile says" "$(<backup.prom)" $'\nbackupd_daemon_up 0\n'

# ---- a socket that was left behind is taken over, anything else is not touched
config "unix:$TMP/page.sock" "${kinds[@]}"
daemon_start
check "it serves" wait_for 30 get --unix-socket page.sock -o body http://x/healthz
server=$(server_pid)
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null || true
check "the page's process ends with a daemon that was killed" wait_gone "$server" 30
check "its socket is still there" test -S page.sock
daemon_start
check "the next daemon takes its place" wait_for 30 get --unix-socket page.sock -o body http://x/healthz
daemon_stop
printf 'mine\n' >page.sock
check_fails 1 "a file in the way is an error at the start" backupd daemon
same "and stays" mine "$(<page.sock)"

finish
