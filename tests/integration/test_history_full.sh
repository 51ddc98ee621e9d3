#!/bin/bash
# A state directory without room: a run fails, and everybody who looks or is told hears of it although nothing can be written there;
# with room again nothing is missing. A history that is damaged says so in words, and the page is still a page.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
if [[ -z ${HISTORY_INSIDE:-} ]]; then
    as=()
    [[ $EUID -eq 0 ]] || as=(--user --map-root-user)
    HISTORY_INSIDE=yes exec unshare "${as[@]}" --mount --propagation private "${BASH_SOURCE[0]}"
fi
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/notices.sh
source "$REPO_ROOT/tests/support/notices.sh"

mkdir store state
chmod 700 state
mount -t tmpfs -o size=4m,mode=700 none state
at_end umount --lazy "$TMP/state"
sqlite3 a.db 'CREATE TABLE t(a)'
sqlite3 b.db 'CREATE TABLE t(a)'
receiver web http
port=$(free_port)
url=http://127.0.0.1:$port
cat >slow <<'END'
#!/bin/bash
: >"${0%/*}/begun"
while [[ ! -e ${0%/*}/go ]]; do sleep 0.1; done
echo customers
END
chmod +x slow
cat >c.yaml <<END
state: $TMP/state
repositories: { main: { storage: { type: local, path: $TMP/store }, keys: $TMP/keys } }
daemon: { time_zone: UTC, textfile: $TMP/backup.prom, socket: $TMP/c.sock }
web: { listen: '127.0.0.1:$port' }
jobs:
  shop: { engine: sqlite, path: $TMP/a.db }
  blog: { engine: sqlite, path: $TMP/b.db }
  slow: { engine: command, command: [$TMP/slow] }
notify:
  web: { type: webhook, url: 'http://127.0.0.1:$(cat web.port)/hook', on: [failure, warning, recovery, alarm, anomaly] }
END
status_into() { backupd status "$@" >status.txt 2>status.err; }
newest_is() { grep -qF "the newest: $1: failed" <<<"$(backupd status 2>/dev/null || true)"; }
backupd() { "$BACKUPD" --config c.yaml "$@"; }
daemon_start() {
    spawn daemon.log "$BACKUPD" --config c.yaml daemon
    DAEMON=$SPAWNED
    wait_for 30 grep -q 'runs: ' daemon.log
}
daemon_stop() {
    kill -TERM "$DAEMON"
    wait_gone "$DAEMON" 60
    wait "$DAEMON" 2>/dev/null || true
}
fill() { dd if=/dev/zero of=state/fill bs=4k status=none 2>/dev/null || true; }
# heard EVENT WORDS: the receiver has got it
heard() {
    local file
    for file in web/*.json; do
        [[ -e $file && $(seen json "$file" event) == "$1" && $(seen json "$file" text) == *"$2"* ]] && return
    done
    return 1
}
page_says() { curl -sf "$url/" >page.html && grep -qF "$1" page.html; }
metrics_say() { curl -sf "$url/metrics" >metrics.txt && grep -qxF "$1" metrics.txt; }
textfile_says() { grep -qxF "$1" backup.prom; }

backupd --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed --spare-writers 4 >/dev/null
daemon_start
check "with room a run is good" backupd start shop --wait
check "and so is the status" backupd status
same "a file waits for what has to be said" 4096 "$(stat -c %s state/history.trouble)"
check "the page has no alarm" wait_for 30 page_says "No open alarm"

# ---- no room
fill
check_fails 1 "without room a run fails" backupd start shop --wait
lacks="The history takes nothing since"
for how in --direct "--socket $TMP/c.sock"; do
    # shellcheck disable=SC2086 # an option and its value
    check_fails 1 "status $how" status_into $how
    contains "status $how says why" "$(<status.txt)" "$lacks"
    contains "what is full" "$(<status.txt)" ": database or disk is full, make room on the file system of $TMP/state. 1 end"
    contains "and what is not in it" "$(<status.txt)" "1 end of runs is not in it; the newest: shop: failed: "
    contains "and that it is to be looked at" "$(<status.err)" "to be looked at"
done
check_fails 1 "who asks for another job is told, too" status_into blog
contains "not that its runs are well" "$(<status.err)" "what is known of the last runs is well, but the history takes nothing since"
contains "who asks for the run, too" "$(backupd show 2 2>&1 || true)" "run 2 is not in the history, which takes nothing since"
contains "as JSON" "$(backupd status --json 2>/dev/null || true)" '"alarm":"history"'
check "a notice says it" wait_for 60 heard alarm "$lacks"
check "and the failure of the run" wait_for 60 heard failure "No space left on device"
check "the page" wait_for 30 page_says "$lacks"
check "the metrics" wait_for 30 metrics_say 'backupd_alarms{alarm="history"} 1'
check "count it" wait_for 30 metrics_say 'backupd_daemon_history_errors_total 1'
check "the textfile" wait_for 30 textfile_says 'backupd_alarms{alarm="history"} 1'
contains "the verb's metrics" "$(backupd metrics)" 'backupd_alarms{alarm="history"} 1'
check_fails 1 "another run fails" backupd start blog --wait
contains "is added" "$(backupd status 2>/dev/null || true)" "2 ends of runs are not in it; the newest: blog: failed: "
check "and told" wait_for 60 heard failure "Job blog"
same "the log says it once" 1 "$(grep -c 'alarm: the history takes nothing' daemon.log)"
same "what was told was told once" "alarm failure failure" "$(for f in web/*.json; do seen json "$f" event; done | sort | xargs)"

# ---- the other files of the state: it is the room that they lack
anomalies_into() { backupd anomaly list >anomalies.txt 2>&1; }
check "the list of anomalies is one, or says why" eval 'anomalies_into || grep -qF "no room: database or disk is full" anomalies.txt'
check "nobody speaks of a disk error" not grep -rF "disk I/O error" daemon.log anomalies.txt

# ---- room again
rm state/fill
in_history() { [[ $(sqlite3 -readonly state/history.db "SELECT count(*) FROM run WHERE job = '$1' AND verdict = 3") -eq $2 ]]; }
check "the run is in the history" wait_for 90 in_history shop 1
check "the other one, too" in_history blog 1
contains "with its number" "$(backupd show 2)" "No space left on device"
check "a notice says that it is over" wait_for 90 heard recovery "the history takes what happens again"
over() { ! grep -qF "$lacks" <<<"$(backupd status 2>/dev/null || true)"; }
check "the status has it no more" over
check "nor the page" wait_for 30 not page_says "$lacks"
check "nor the metrics" wait_for 30 metrics_say 'backupd_alarms{alarm="history"} 0'
check "nor the textfile" wait_for 30 textfile_says 'backupd_alarms{alarm="history"} 0'
check "a run is good" backupd start shop --wait
check "the recovery of the job is told by what was told from memory" wait_for 90 heard recovery "Job shop"
check "a run of the other" backupd start blog --wait
check "all is well" backupd status

# ---- an orderly end without room: what is lost is told, and told again by the next daemon
fill
check_fails 1 "without room" backupd start blog --wait
pause_into() { backupd "$@" >pause.txt 2>pause.err; }
check_fails 3 "a pause that is not stored" pause_into pause blog
contains "is one" "$(<pause.txt)" "blog: is paused"
contains "and says so" "$(<pause.txt)" "; not stored: the history takes nothing"
contains "as does the status" "$(backupd status 2>/dev/null || true)" "Not stored: blog is paused."
daemon_stop
contains "the log says that it is forgotten" "$(<daemon.log)" "not in the history, and forgotten: blog is paused"
contains "the log says what is lost" "$(<daemon.log)" "not in the history: run 6 of blog: failed"
check_fails 1 "status says so without a daemon" backupd status
contains "in words" "$(backupd status 2>/dev/null || true)" "1 end of runs is not in it; the newest: blog: failed: "
rm state/fill
daemon_start
check "the next one tells it" wait_for 60 heard alarm "could not write everything into its history"
check "once" wait_for 30 over

# ---- killed in that state: the run is one that was cut off, and that something is missing is told
check "a run" backupd start blog --wait
check "a slow one begins" backupd start slow
check "and works" wait_for 60 test -e begun
rm web/*.json
fill
touch go
check "its end is not in the history" wait_for 60 newest_is slow
check_fails 3 "a pause that is not stored" pause_into pause blog
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null || true
rm state/fill
daemon_start
check "the next one tells it, too" wait_for 60 heard alarm "are missing in it; the newest: slow: failed"
contains "with the pause" "$(<daemon.log)" "not stored, so not known to this one: blog is paused"
contains "and the run is cut off" "$(backupd history slow)" "cut off"
check "runs go on" backupd start shop slow --wait
check "all is well" backupd status

# ---- an alarm of a run that ended well is heard of
baseline=$(find state -name baseline.db)
printf 'no database at all, but long enough to be looked at as one, with more bytes than its header has: %0200d' 0 >"$baseline"
rm -f "$baseline-wal" "$baseline-shm"
check "a run that says an alarm is good" backupd start shop --wait
check "and a warning is told" wait_for 60 heard warning "was damaged and is now"
contains "which is in the history" "$(backupd history -n 1)" "warning"

# ---- a notice from before, which a queue without room cannot strike off once it is sent
stop "$(pgrep -P $$ -f 'notices.py http')"
mv b.db b.off
check_fails 4 "a run without its source" backupd start blog --wait
tried() { [[ $(sqlite3 -readonly state/notices.db "SELECT count(*) FROM notice WHERE tries > 0") -ge 1 ]]; }
check "a notice waits for its receiver" wait_for 60 tried
mv b.off b.db
sqlite3 -cmd '.timeout 10000' state/notices.db 'UPDATE notice SET next = 0'
rm web/*.json
fill
receiver web http
check_fails 1 "another run, without room" backupd start shop --wait
check "its failure is told" wait_for 60 heard failure "Job shop"
check "the one that waited, too" wait_for 60 heard failure "there is no such file"
check_fails 1 "and another run" backupd start slow --wait
check "is told" wait_for 60 heard failure "Job slow"
same "what waited is not sent again and again" 1 "$(find web -name '*.json' -exec grep -l 'there is no such file' {} + | wc -l)"
rm state/fill
check "room again" wait_for 90 over
check "runs" backupd start shop blog slow --wait
check "all is well" backupd status

# ---- a history that is damaged while the daemon runs
sqlite3 state/history.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
pages=$(($(stat -c %s state/history.db) / 4096))
for ((i = 1; i < pages; i++)); do head -c 4096 /dev/zero | tr '\0' '\377'; done |
    dd of=state/history.db bs=4096 seek=1 conv=notrunc status=none
check_fails 9 "status of a damaged history" backupd status --direct
contains "in words" "$(backupd status --direct 2>&1 || true)" "the history is damaged ($TMP/state/history.db"
contains "with what to do" "$(backupd status --direct 2>&1 || true)" "Restart the daemon: it puts the file aside"
check "no word of SQL" not grep -q SELECT <<<"$(backupd history --direct 2>&1 || true)"
check "the page is one, with an alarm" wait_for 60 page_says "the history is damaged"
check "the metrics are some" wait_for 60 metrics_say 'backupd_alarms{alarm="history"} 1'
daemon_stop
daemon_start
check "the next daemon puts it aside" compgen -G 'state/history.db.damaged-*'
check "and tells that" wait_for 60 heard alarm "history.db was damaged and is now"
check "a run" backupd start shop --wait
check "another" backupd start blog --wait
check "all is well" backupd status
check "the page has no alarm" wait_for 60 page_says "No open alarm"

# ---- a history that somebody removes: nothing of it is lost
check "a pause" backupd pause blog
rm web/*.json state/history.db*
check_fails 1 "the status" status_into
contains "says that it is gone" "$(<status.err)" "the history is gone: history.db is no longer in $TMP/state"
kill -HUP "$DAEMON"
check "the daemon makes it anew" wait_for 60 test -e state/history.db
check "and tells it" wait_for 60 heard alarm "was removed or replaced while the daemon runs"
contains "with the runs" "$(backupd history)" "blog"
contains "and the pause" "$(backupd status)" "paused"
same "nobody else reads it" 600 "$(stat -c %a state/history.db)"
check "the page has it" wait_for 60 page_says "No open alarm"
check "a run" backupd start shop --wait
daemon_stop
rm state/history.db
contains "without a daemon" "$(backupd status 2>&1 || true)" "has not run here yet, or it was removed"
daemon_start
contains "the next one says that it begins anew" "$(<daemon.log)" "the history begins anew: there was none in $TMP/state"
daemon_stop
finish
