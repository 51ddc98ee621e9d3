#!/bin/bash
# Notices by hand: every kind of channel against a real server, what is signed, what is refused, what is shown of secrets.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/notices.sh"

certificate good
certificate other
receiver web http
receiver tls http good.crt good.key
receiver post smtp good.crt good.key login
receiver posts smtps good.crt good.key login
receiver plain smtp
web=http://127.0.0.1:$(cat web.port)
tls=https://127.0.0.1:$(cat tls.port)
printf 'a key with spaces\n' >hmac.key
printf '%s/hook/very-secret\n' "$web" >url.key
printf 'pass:word\n' >password.key
printf 'wrong\n' >wrong.key
chmod 600 ./*.key

# config LINES...: the channels
config() {
    cat >c.yaml <<END
state: $TMP/state
repositories: { main: { storage: { type: local, path: $TMP }, keys: $TMP/keys } }
jobs:
  shop: { engine: command, command: [cat, /etc/hostname] }
  blog: { engine: command, command: [cat, /etc/hostname] }
notify:
END
    printf '  %s\n' "$@" >>c.yaml
}
backupd() { "$BACKUPD" --config c.yaml "$@"; }
said() { backupd notify test "$@" 2>&1 || true; }

# ---- mistakes of the configuration
config "a: { type: webhook }" "b: { type: mail, host: mail.example.net, from: x, to: [\"a@b\", \"c d@e\"], tls: none }" \
    "c: { type: ping, url: 'ftp://x/', on: failure }" "d: { type: webhook, url: 'https://me:pw@x/', on: [failures] }" \
    "e: { type: command, command: [cat] }" "f: { type: webhook, url: 'https://x/', jobs: shp, host: y }"
check_fails 2 "mistakes" backupd check config
problems=$(backupd check config 2>&1 || true)
for text in "notify.a: 'url' is missing" "tls: none is only for a server on this machine" "'x' is no plain address" \
    "'c d@e' is no plain address" "notify.c.url: expected https://" "'on' has no meaning with type ping" \
    "a password does not belong here" "'failures' is none of" "did you mean 'failure'" "needs its whole path" \
    "there is no job or task 'shp'" "'host' has no meaning with type webhook"; do
    contains "said: $text" "$problems" "$text"
done
config "a: { type: webhook, url: '$web/x', on: [cancelled, recovery] }"
contains "every event that is listed can be asked for" "$(backupd check config 2>&1)" "configuration ok"
sed -i 's/^notify:.*//; /^  a: /d' c.yaml
check_fails 2 "no channels" backupd notify test

# ---- webhook: JSON, signed
config "web: { type: webhook, url: '$web/hook', secret: { file: hmac.key } }"
check "a test arrives" backupd notify test web
check "as a POST" test "$(seen path "$(newest web)")" = /hook
same "of JSON" application/json "$(seen header "$(newest web)" Content-Type)"
check "that python agrees is signed" seen hmac "$(newest web)" hmac.key
check_fails 1 "and not by another key" seen hmac "$(newest web)" wrong.key
same "its version" 1 "$(seen json "$(newest web)" version)"
same "its event" test "$(seen json "$(newest web)" event)"
same "and its id is in a header" "$(seen json "$(newest web)" id)" "$(seen header "$(newest web)" X-Backupd-Id)"
check_fails 2 "a channel that is not there" backupd notify test wbe
contains "as JSON" "$(backupd notify test --json)" '"channel":"web","type":"webhook","job":null,"ok":true'

# ---- what an answer means; an address that is secret is not shown
config "web: { type: webhook, url_secret: { file: url.key } }" "sad: { type: webhook, url: '$web/status/404' }" \
    "moved: { type: webhook, url: '$web/redirect/very-secret' }" "down: { type: webhook, url: 'http://127.0.0.1:1/very-secret' }" \
    "slow: { type: webhook, url: '$web/hang', timeout: 1s }"
check "a secret address" backupd notify test web
same "was used" /hook/very-secret "$(seen path "$(newest web)")"
before=$(received web)
out=$(said -vv)
contains "a status" "$out" "answers 404: no, thanks\\x1b[31m"
contains "a redirect is not followed" "$out" "redirect (302), which is not followed"
same "indeed" $((before + 4)) "$(received web)"
contains "nobody there" "$out" "http://127.0.0.1:1: "
contains "no answer" "$out" "slow (webhook): failed"
check "no address is shown" not grep -q very-secret <<<"$out"
check_fails 3 "some got through" backupd notify test
check_fails 1 "none got through" backupd notify test down

# ---- TLS
config "own: { type: webhook, url: '$tls/x', ca_file: good.crt }" "bad: { type: webhook, url: '$tls/x', ca_file: other.crt }" \
    "unknown: { type: webhook, url: '$tls/x' }"
check "a certificate of our own" backupd notify test own
before=$(received tls)
check_fails 1 "another one is refused" backupd notify test bad
check_fails 1 "and one that nobody signed" backupd notify test unknown
contains "which is said" "$(said unknown)" "certificate"
same "nothing was sent" "$before" "$(received tls)"

# ---- ping: for each job, behind the path
config "hc: { type: ping, url: '$web/ping/{job}/?key=1' }"
before=$(received web)
check "pings" backupd notify test
same "one for each job" $((before + 2)) "$(received web)"
same "in the log of its check" "/ping/blog/log?key=1" "$(seen path "$(newest web)")"

# ---- mail: STARTTLS, login, receivers
port=$(cat post.port)
mail="type: mail, host: localhost, port: $port, from: backup@example.net, ca_file: good.crt, user: backup"
config "m: { $mail, to: [dba@example.net, ops@example.net], password: { file: password.key } }"
check "a mail" backupd notify test m
text=$(seen mail "$(newest post)")
for line in "X-Seen-From: backup@example.net" "X-Seen-To: dba@example.net,ops@example.net" "X-Seen-Tls: yes" \
    "X-Seen-Login: True" "From: backup@example.net" "To: dba@example.net, ops@example.net" "Auto-Submitted: auto-generated" \
    "Content-Type: text/plain; charset=\"UTF-8\"" "This is a test from"; do
    contains "has $line" "$text" "$line"
done
check "a date" grep -qE '^Date: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} \+0000' <<<"$text"
check "an id" grep -qE '^Message-ID: <[0-9a-f]{32}\.m@[A-Za-z0-9.-]+>$' <<<"$text"
config "m: { $mail, to: [nobody@example.net, dba@example.net], password: { file: password.key } }"
out=$(said m)
contains "one receiver is refused" "$out" "550 5.1.1 no such person"
contains "the other gets it" "$(seen mail "$(newest post)")" "X-Seen-To: dba@example.net"
contains "so it is told" "$out" "m (mail): told"
before=$(received post)
config "m: { $mail, to: nobody@example.net, password: { file: password.key } }"
check_fails 1 "all are refused" backupd notify test m
config "m: { $mail, to: dba@example.net, password: { file: wrong.key } }"
out=$(said m)
contains "a wrong password" "$out" "535"
check "is not shown" not grep -q -e wrong -e pass:word <<<"$out"
config "m: { ${mail/good.crt/other.crt}, to: dba@example.net, password: { file: password.key } }"
check_fails 1 "a certificate that is not good" backupd notify test m
config "m: { type: mail, host: 127.0.0.1, port: $(cat plain.port), ca_file: good.crt, from: b@example.net, to: d@example.net }"
check_fails 1 "a server without TLS" backupd notify test m
same "nothing was sent" "$before" "$(received post)"
config "m: { type: mail, tls: implicit, host: 127.0.0.1, port: $(cat plain.port), ca_file: good.crt, from: b@example.net, to: d@example.net }"
check_fails 1 "one that is to speak TLS from the first byte and does not" backupd notify test m
config "m: { ${mail/port: $port/tls: implicit, port: $(cat posts.port)}, to: dba@example.net, password: { file: password.key } }"
check "TLS from the first byte" backupd notify test m
for line in "X-Seen-Tls: implicit" "X-Seen-Login: True"; do contains "has $line" "$(seen mail "$(newest posts)")" "$line"; done
config "m: { ${mail/port: $port/tls: implicit, port: $(cat posts.port)}, to: dba@example.net, password: { file: password.key } }"
sed -i 's/good\.crt/other.crt/' c.yaml
check_fails 1 "a certificate that is not good there" backupd notify test m
same "nothing more came" 1 "$(received posts)"
config "m: { type: mail, tls: none, host: 127.0.0.1, port: $(cat plain.port), from: b@example.net, to: d@example.net }"
check "tls: none on this machine" backupd notify test m
contains "arrives" "$(seen mail "$(newest plain)")" "X-Seen-Tls: no"
chmod 644 password.key
config "m: { $mail, to: dba@example.net, password: { file: password.key } }"
contains "a secret that others can read" "$(said m)" "password"
chmod 600 password.key

# ---- command
cat >tell <<'END'
#!/bin/bash
env >"$0.env"
ps -o pgid= $$ | tr -d ' ' >"$0.group"
cat >"$0.json"
exit "$(cat "$0.status")"
END
chmod +x tell
echo 0 >tell.status
config "c: { type: command, command: [$TMP/tell, one] }"
check "a program" backupd notify test c
check "gets JSON" python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["event"] == "test"' tell.json
check "and the event" grep -qx BACKUPD_EVENT=test tell.env
echo 3 >tell.status
check_fails 1 "one that fails" backupd notify test c
config "c: { type: command, command: [/bin/sleep, '300.$$'], timeout: 1s }"
check_fails 1 "one that hangs" backupd notify test c
check "is killed" not pgrep -f "sleep 300.$$"
config "c: { type: command, command: [/bin/sh, -c, 'setsid sleep 301.$$ </dev/null >/dev/null 2>&1 & exec sleep 300.$$'], timeout: 2s }"
check_fails 1 "one that hangs and has started something" backupd notify test c
check "is killed with that" not pgrep -f "sleep 301.$$"

# ---- nothing waits
contains "list" "$(backupd notify list)" "nothing waits to be sent"
# ---- restore does not carry it
check "restore has no libcurl" not grep -q libcurl <<<"$(ldd "$RESTORE")"
finish
