#!/bin/bash
# `backupd backup` and `list` on a local repository: nights, jobs, writers, failures, interrupts, locks.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

gen_shop=$B/scripts/gen_shop
cat >c.yaml <<END
state: state
repositories:
  main: { storage: { type: local, path: $TMP/store } }
jobs:
  shop: { engine: sqlite, path: $TMP/shop.db }
  small: { engine: sqlite, path: $TMP/small.db }
END
backupd() { "$BACKUPD" --config c.yaml "$@"; }

# field NAME: of the last JSON summary on stdin
field() {
    python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print([r for r in rows if r["message_type"] == "summary"][-1][sys.argv[1]])' "$1"
}
files() { find store -type f | wc -l; }
writer_of() { awk -v job="$1" '$1 == job { print $2 }' state/main/jobs; }

"$gen_shop" create shop.db --size 20M --seed 7 >/dev/null
"$gen_shop" create small.db --size 1M --seed 8 >/dev/null

# ---- before there is a repository
check_fails 10 "a host without keys" backupd backup shop
check_fails 10 "list without keys" backupd list
backupd init --kit-unconfirmed --no-kit-passphrase --spare-writers 1 >/dev/null
check "list of an empty repository" backupd list

# ---- the first night
check "both jobs" backupd backup
contains "the snapshot is named" "$(cat .check)" "shop/1"
contains "the other one, too" "$(cat .check)" "small/1"
contains "there is a receipt" "$(cat .check)" "receipt:"
same "each job has a writer of its own" 2 "$(cut -d' ' -f2 state/main/jobs | sort -u | wc -l)"
out=$(backupd backup shop --json)
same "every line is JSON; an unchanged night adds nothing" 0 "$(field data_added_packed <<<"$out")"
same "the snapshot's name" shop/2 "$(field snapshot_id <<<"$out")"
same "what was read" "$(stat -c %s shop.db)" "$(field total_bytes_processed <<<"$out")"
receipt=$(field receipt <<<"$out")
same "a receipt has 20 digits" 20 "${#receipt}"
record=$(b2sum -l 256 "store/w/$(writer_of shop)/log/00000002.00" | cut -c1-20)
same "it is the head's hash" "$record" "$receipt"
contains "the log says it, too" "$(backupd -v backup small 2>&1)" "published at $TMP/store, receipt "

# ---- a night with changes
first=$(backupd list --json shop | python3 -c '
import json, sys
print(json.loads(sys.stdin.readlines()[0])["added"])')
"$gen_shop" churn shop.db >/dev/null
second=$(backupd backup shop --json | field data_added_packed)
check "a changed night is small ($second of $first bytes)" test $((second * 2)) -lt "$first"
check "but not nothing" test "$second" -gt 0

# ---- options
check "--compression" backupd backup small --compression 9 --no-scrub
check_fails 2 "a level that does not exist" backupd backup small --compression 20
check_fails 2 "a job that does not exist" backupd backup smal
contains "did you mean" "$(cat .check)" "small"
same "a job named twice runs once" 1 "$(backupd backup small small --json | grep -c '"message_type":"summary"')"
same "--quiet prints nothing" "" "$(backupd backup small --quiet 2>&1)"

# ---- list
out=$(backupd list --json)
same "list shows every snapshot" "$(find store/w/*/snap -type f | wc -l)" "$(wc -l <<<"$out")"
same "list of one job" "shop/1 shop/2 shop/3" "$(backupd list shop --json | python3 -c '
import json, sys
print(*[json.loads(line)["id"] for line in sys.stdin])')"
contains "as text" "$(backupd list shop)" "$receipt"
check_fails 2 "list of an unknown job" backupd list shpo

# ---- a source that is not there
mv small.db away.db
before=$(files)
check_fails 4 "a single job that cannot run" backupd backup small
same "nothing is published" "$before" "$(files)"
check_fails 3 "one of two jobs fails" backupd backup
contains "the other one is done" "$(cat .check)" "shop/4"
contains "the failed one is named" "$(cat .check)" "job small failed"
printf 'no database at all, but a text that is long enough to be read as a header of one, or so it seems' >small.db
before=$(files)
check_fails 4 "a file that is no database" backupd backup small
same "nothing is published then either" "$before" "$(files)"
mv shop.db gone.db
check_fails 4 "all fail in the same way" backupd backup
mv gone.db shop.db
mv away.db small.db
out=$(backupd backup --json shop small nothing 2>/dev/null || true)
same "nothing runs when a name is wrong" 0 "$(grep -c summary <<<"$out" || true)"

# ---- the state directory is lost
was=$(cat state/main/jobs)
mv state state.old
check "a host that forgot everything backs up" backupd backup
same "each job found its writer again" "$(sort <<<"$was")" "$(sort state/main/jobs)"
contains "nothing old was stored again" "$(cat .check)" "nothing: all of it was stored before"

# ---- a third job takes the spare, a fourth finds none
cat >>c.yaml <<END
  third: { engine: sqlite, path: $TMP/small.db }
  fourth: { engine: sqlite, path: $TMP/small.db }
END
check "a new job needs no root key" backupd backup third
check_fails 1 "without a spare writer" backupd backup fourth
contains "it says what to do" "$(cat .check)" "enrol one"
contains "and which job" "$(cat .check)" "fourth"

# ---- another run holds the writer
flock -o "state/main/$(writer_of small)/lock" sleep 60 &
lib_children+=($!)
holder=$!
wait_for 10 not flock -n "state/main/$(writer_of small)/lock" true
check_fails 11 "a busy writer" backupd backup small
check "the other job is not held up" backupd backup shop
stop "$holder"
check "afterwards it runs" backupd backup small

# ---- somebody holds the database itself: that passes
sqlite3 held.db "CREATE TABLE t(a)"
printf '  held: { engine: sqlite, path: %s/held.db, busy_timeout: 1s }\n' "$TMP" >>c.yaml
python3 -c 'import sqlite3, time
c = sqlite3.connect("held.db"); c.execute("begin exclusive"); print("held", flush=True); time.sleep(60)' >holding &
holder=$!
wait_for 20 test -s holding
check_fails 11 "a locked database" backupd backup held
contains "is told" "$(<.check)" "busy_timeout"
stop "$holder"
sed -i '/^  held: /d' c.yaml

# ---- an interrupt
"$gen_shop" create shop.db.new --size 300M --seed 9 >/dev/null
mv shop.db.new shop.db
packs="store/w/$(writer_of shop)/pack"
# shellcheck disable=SC2012  # the names are ours
count_packs() { ls "$packs" | wc -l; }
# shellcheck disable=SC2317  # called by wait_for
more_packs() { [[ $(count_packs) -gt $1 ]]; }
before=$(count_packs)
snaps=$(find store/w/*/snap -type f | wc -l)
spawn log "$BACKUPD" --config c.yaml backup shop
pid=$SPAWNED
check "packs are on their way" wait_for 60 more_packs "$((before + 1))"
kill -INT "$pid"
status=0
wait "$pid" || status=$?
same "SIGINT ends it with 130" 130 "$status"
same "and publishes no snapshot" "$snaps" "$(find store/w/*/snap -type f | wc -l)"
out=$(backupd backup shop --json)
adopted=$(field packs_adopted <<<"$out")
check "the next run adopts what was stored ($adopted packs)" test "$adopted" -gt 0

# ---- for people without a terminal
same "no escape codes" 0 "$(backupd backup shop 2>&1 | grep -c $'\e' || true)"
finish
