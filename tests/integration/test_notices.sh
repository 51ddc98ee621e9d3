#!/bin/bash
# What the daemon tells: failures once, recoveries, what was missed, what is unusual, over servers that come and go. Due
# times come from the history's own table, as in test_daemon.sh.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/notices.sh"

mkdir store
printf 'a customer\n' >data
printf 'hmac\n' >hmac.key
chmod 600 hmac.key
far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
# A job that does what the file `mood` says. What it complains of could end a header, a string or a line.
cat >shop <<'END'
#!/bin/bash
: >"${0%/*}/begun"
while [[ $(cat "${0%/*}/mood") == wait ]]; do sleep 0.1; done
[[ $(cat "${0%/*}/mood") != bad ]] || { printf 'no table "x"\r Bcc: evil@example.net \\ \xf0\x9f\x98\x80 \xff after %d s' "$RANDOM" >&2; exit 1; }
cat "${0%/*}/data"
END
chmod +x shop
config() {
    cat >c.yaml <<END
state: $TMP/state
repositories: { main: { storage: { type: local, path: $TMP/store }, keys: $TMP/keys } }
daemon: { time_zone: Europe/Berlin, stop_timeout: 5s }
jobs:
  shop: { engine: command, command: [$TMP/shop], schedule: '$far', catch_up_within: 2d, retries: 0 }
  late: { engine: command, command: [cat, $TMP/data], schedule: '$far', catch_up_within: 0s }
notify:
  web: { type: webhook, url: 'http://127.0.0.1:$(cat web.port)/hook', secret: { file: hmac.key } }
  post: { type: mail, tls: none, host: 127.0.0.1, port: $(cat post.port), from: b@example.net, to: d@example.net, jobs: shop }
  ping: { type: ping, url: 'http://127.0.0.1:$(cat hc.port)/{job}', jobs: shop }
END
}
backupd() { "$BACKUPD" --config c.yaml "$@"; }
history() { sqlite3 -readonly state/history.db "$1"; }
queue() { sqlite3 -cmd '.timeout 10000' state/notices.db "$1"; }
daemon_start() {
    spawn daemon.log "$BACKUPD" --config c.yaml daemon
    DAEMON=$SPAWNED
    wait_for 30 grep -q 'runs: ' daemon.log
}
# What the server has may not be struck off yet: a daemon that ends then tells it again.
settled() { [[ $(queue 'SELECT count(*) FROM notice WHERE tries = 0') -eq 0 ]]; }
daemon_stop() {
    wait_for 60 settled || true
    kill -TERM "$DAEMON"
    wait_gone "$DAEMON" 30
    wait "$DAEMON" 2>/dev/null
}
due() { # JOB
    sqlite3 -cmd '.timeout 10000' state/history.db \
        "INSERT OR REPLACE INTO job SELECT '$1', strftime('%s','now') - 86400, 0, 0, 0, 0, 0, 1, 0, 0, 0"
}
runs() { history "SELECT count(*) FROM run WHERE job = '$1' AND ended > 0 AND verdict <> 5"; }
runs_are() { [[ $(runs "$1") -eq $2 ]]; }
starts() { for file in hc/*; do [[ $(seen path "$file") != /shop/start ]] || printf 'x\n'; done | wc -l; }
starts_are() { [[ $(starts) -eq $1 ]]; }
# run_shop MOOD: one run of it, by a daemon that stays. It goes on when its start has been told: else its end, in a hurry, takes
# the place of a start that still waits to be sent.
run_shop() {
    local n started
    n=$(runs shop)
    started=$(starts)
    printf 'wait\n' >mood
    due shop
    daemon_start
    check "its start is told" wait_for 60 starts_are $((started + 1))
    printf '%s\n' "$1" >mood
    check "a $1 run" wait_for 60 runs_are shop $((n + 1))
}
nothing_waits() { [[ $(queue 'SELECT count(*) FROM notice') -eq 0 ]]; }
# events NAME: of all requests in order
events() { for file in $(find "$1" -name '*.json' | sort); do seen json "$file" event; done | tr '\n' ' '; }

receiver web http
receiver post smtp
receiver hc http
config
printf 'good\n' >mood
backupd --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed --spare-writers 12 >/dev/null
daemon_start
daemon_stop

# ---- a failure is told, once, over each channel
run_shop bad
check "all of it is sent" wait_for 60 nothing_waits
daemon_stop
same "a webhook" "failure " "$(events web)"
file=$(newest web)
check "signed" seen hmac "$file" hmac.key
same "of the job" shop "$(seen json "$file" job)"
same "with its run" failed "$(seen json "$file" run.verdict)"
contains "and why it ran" "$(seen json "$file" run.reason)" "missed before"
contains "what to type is good everywhere" "$(seen json "$file" commands.0)" "backupd --config $TMP/c.yaml show"
contains "and the words of the source, safe" "$(seen json "$file" what)" 'no table "x"'
contains "bytes that are no text are visible" "$(seen json "$file" text)" '\xff after'
contains "those that are stay" "$(seen json "$file" text)" "😀"
contains "what to do" "$(seen json "$file" commands)" "check database shop"
mail=$(seen mail "$(newest post)")
contains "a mail" "$mail" "Subject: [backupd] $(seen json "$file" host): shop failed"
check "no header came out of it" not grep -q '^ *Bcc' <<<"$mail"
contains "it says what" "$mail" '😀'
contains "and since when the last good one was" "$mail" "none that this host remembers"
same "pings: start, fail" "/shop/start /shop/fail" "$(for f in hc/*; do seen path "$f"; done | xargs)"
run_shop bad
check "again: only the pings" wait_for 60 received_is hc 4
check "all of it is sent" wait_for 60 nothing_waits
daemon_stop
same "nothing else is told" "failure " "$(events web)"
same "it is counted" 2 "$(queue "SELECT count FROM told WHERE channel = 'web' AND job = 'shop'")"
queue "UPDATE told SET told = told - 86400 WHERE channel = 'web'"
run_shop bad
check "after repeat_after it is told again" wait_for 60 received_is web 2
same "with its number" 3 "$(seen json "$(newest web)" count)"
daemon_stop

# ---- recovery
run_shop good
check "recovery" wait_for 60 received_is web 3
check "also by mail" wait_for 60 received_is post 2
daemon_stop
same "is told" "failure failure recovery " "$(events web)"
same "with since when" "$(seen json web/002.json since)" "$(seen json web/003.json since)"
same "and the last ping is a success" /shop "$(seen path "$(newest hc)")"

# ---- missed
due late
daemon_start
check "missed" wait_for 60 received_is web 4
daemon_stop
same "is told" missed "$(seen json "$(newest web)" event)"
contains "with the reason" "$(seen json "$(newest web)" what)" "older than catch_up_within"
same "not to who wants to hear of another job" 2 "$(received post)"

# ---- servers that are down, and a daemon that is killed: told when they are back, once each
stop "$(pgrep -P $$ -f 'notices.py http .*/web.port')"
stop "$(pgrep -P $$ -f 'notices.py smtp')"
run_shop bad
tried() { [[ $(queue "SELECT count(*) FROM notice WHERE tries > 0 AND channel = '$1'") -eq 1 ]]; }
check "the webhook is tried" wait_for 60 tried web
check "the mail, too" wait_for 60 tried post
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null || true
contains "list says why" "$(backupd notify list)" "connect"
contains "the log, too" "$(cat daemon.log)" "channel web: "
receiver web http
run_shop good
check "the next one wakes the channel: failure and recovery are there" wait_for 60 received_is web 6
check "the failure knows the last good run" test "$(seen json web/005.json last_good)" '>' 2026
same "in order" "failure recovery " "$(events web | cut -d' ' -f5-)"
receiver post smtp
check "by hand: send what waits" backupd notify send post
check "mails" wait_for 60 received_is post 4
daemon_stop
check "nothing waits" nothing_waits

# ---- a configuration that has been broken meanwhile keeps nobody silent
printf 'wait\n' >mood
rm begun
due shop
daemon_start
check "a run waits" wait_for 60 test -e begun
cp c.yaml good.yaml
printf 'nonsense: 1\n' >>c.yaml
kill -HUP "$DAEMON"
check "the daemon's own alarm is told" wait_for 60 received_is web 7
same "as one" alarm "$(seen json "$(newest web)" event)"
contains "in its words" "$(seen json "$(newest web)" what)" "was not reloaded"
contains "with what finds the mistakes" "$(seen json "$(newest web)" commands)" "check config"
printf 'bad\n' >mood
check "and the failure of a run" wait_for 60 received_is web 8
same "too" failure "$(seen json "$(newest web)" event)"
daemon_stop
mv good.yaml c.yaml

# ---- given up: an alarm in the log and over the other channels
stop "$(pgrep -P $$ -f 'notices.py smtp')"
printf 'good\n' >mood
run_shop good
check "the mail waits" wait_for 60 tried post
daemon_stop
queue "UPDATE notice SET created = created - 4 * 86400, next = 0 WHERE channel = 'post'"
n=$(received web)
daemon_start
check "it is given up" wait_for 60 grep -q 'channel post: 1 notice is given up' daemon.log
check "which the webhook hears" wait_for 60 received_is web $((n + 1))
same "as an alarm" alarm "$(seen json "$(newest web)" event)"
daemon_stop

# ---- a queue that is damaged is put aside, and that is told
printf 'garbage' | dd of=state/notices.db conv=notrunc 2>/dev/null
n=$(received web)
check_fails 9 "who sends leaves it alone" backupd notify send web
daemon_start
check "an alarm" wait_for 60 received_is web $((n + 1))
contains "says so" "$(seen json "$(newest web)" what)" "was damaged and is now"
daemon_stop
check "it is kept" compgen -G 'state/notices.db.damaged-*'

# ---- no secrets and no addresses in the log
check "the log is clean" not grep -qE 'hmac|/hook' daemon.log
finish
