#!/bin/bash
# `backupd check database`: what would fail in the night is found before it, each with its cure.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# The jobs of a test: config NAME 'LINES' ... ; neither storage nor keys exist.
config() {
    printf 'state: %s/state\nrepositories:\n  main: { storage: { type: local, path: %s/none } }\njobs:\n' "$TMP" "$TMP" >c.yaml
    while [[ $# -gt 0 ]]; do
        printf '  %s: { %s }\n' "$1" "$2" >>c.yaml
        shift 2
    done
}
look() { "$BACKUPD" --config c.yaml check database "$@"; }
wal_db() { sqlite3 "$1" 'PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)' >/dev/null; }

# finds NAME STATUS 'JOB LINES' TEXT CURE: one job, one finding
finds() {
    config job "$3"
    check_fails "$2" "$1" look
    contains "$1: what it is" "$(<.check)" "$4"
    contains "$1: the cure" "$(<.check)" "$5"
}

# ---- good
wal_db good.db
config good "engine: sqlite, path: good.db"
check "a source that is ready" look
text=$(<.check)
contains "says so" "$text" "ready to be backed up"
contains "names the engine" "$text" "sqlite"
contains "and the file, made absolute" "$text" "path:    $TMP/good.db"
same "nothing is made" "" "$(ls -d state none keys 2>/dev/null || true)"
same "--quiet is quiet" "" "$(look --quiet 2>&1)"
same "JSON says so, too" "database True True" "$(look --json | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print(rows[0]["message_type"], rows[0]["ok"], rows[1] == {"message_type": "summary", "ready": 1, "failing": 0, "warnings": 0})')"

# ---- SQLite: each with its cure
finds "no file" 4 "engine: sqlite, path: none.db" "$TMP/none.db: there is no such file" "correct the job's \`path\`"
finds "a directory" 4 "engine: sqlite, path: /usr" "is not a regular file" "correct the job's \`path\`"
: >empty.db
finds "an empty file" 4 "engine: sqlite, path: empty.db" "empty (0 bytes)" "start it, or correct"
head -c 8192 /dev/urandom >noise.db
finds "an encrypted file" 4 "engine: sqlite, path: noise.db" "may be encrypted" "engine \`command\`"
sqlite3 cut.db 'CREATE TABLE t(a); INSERT INTO t SELECT randomblob(1000) FROM generate_series(1, 500)'
truncate -s 20480 cut.db
finds "a damaged file" 4 "engine: sqlite, path: cut.db" "malformed" "integrity_check"
sqlite3 old.db 'CREATE TABLE t(a); INSERT INTO t VALUES(1)'
finds "a rollback journal" 0 "engine: sqlite, path: old.db" "writers wait during the copy" "journal_mode=WAL"
contains "is only a warning" "$(<.check)" "ready to be backed up"
contains "also with --quiet" "$(look --quiet 2>&1)" "writers wait"
python3 - <<'END'
import os, sqlite3
db = sqlite3.connect("hot.db", isolation_level=None)
db.execute("CREATE TABLE t(a)")
db.executemany("INSERT INTO t VALUES(?)", [(os.urandom(500),) for i in range(2000)])
db.execute("PRAGMA cache_size=2")
db.execute("BEGIN")
db.execute("UPDATE t SET a = 1")
os._exit(0)
END
check "a journal was left behind" test -s hot.db-journal
finds "an interrupted transaction" 4 "engine: sqlite, path: hot.db" "must be rolled back" "start the application once"
cat >lock.py <<'END'
import sqlite3, time
db = sqlite3.connect("old.db", isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
open("locked", "w").close()
time.sleep(600)
END
spawn lock.log python3 lock.py
locker=$SPAWNED
wait_for 20 test -e locked
finds "a locked database" 4 "engine: sqlite, path: old.db, busy_timeout: 1s" "another process keeps it locked" "fuser FILE"
stop "$locker"
finds "an option out of range" 2 "engine: sqlite, path: old.db, busy_timeout: 2h" "more than the limit" "correct the job"

# what permissions refuse is refused to people, not to root
other=()
[[ $(id -u) -ne 0 ]] || other=(setpriv --reuid=65534 --regid=65534 --clear-groups)
as_other() { "${other[@]}" "$BACKUPD" --config c.yaml check database; }
chmod 755 "$TMP"
cp good.db closed.db
chmod 000 closed.db
config job "engine: sqlite, path: $TMP/closed.db"
chmod 644 c.yaml
check_fails 4 "a file that this user cannot read" as_other
contains "the cure is named" "$(<.check)" "run as its owner or give this user read rights"
mkdir -m 000 closed
config job "engine: sqlite, path: $TMP/closed/x.db"
check_fails 4 "a directory that this user cannot enter" as_other
contains "the cure names the directories" "$(<.check)" "search rights on the directories above"
if [[ $(id -u) -eq 0 ]]; then
    wal_db quiet.db
    chmod 644 quiet.db
    config job "engine: sqlite, path: $TMP/quiet.db"
    check_fails 4 "WAL, not open, and not the owner" as_other
    contains "whom to run it as is named" "$(<.check)" "run backupd as root, or keep the application running"
else
    skip "WAL, not open, and not the owner" "only root can be another user here"
fi

# ---- commands
finds "a program that is missing" 4 "engine: command, command: [no-such-program]" "is not installed" "install it"
finds "a line for a shell" 2 "engine: command, command: pg_dump -Fc" "no shell reads" "correct the job"
finds "no directory" 4 "engine: command, command: [cat], dir: nowhere" "$TMP/nowhere: No such file" "\`dir\`"
finds "no floor" 0 "engine: command, command: [cat]" "any output of a byte or more" "min_size"
finds "a password for everybody to see" 4 "engine: command, command: [cat, --password=geheim], min_size: 1K" \
    "seems to hold a password" "put it into a file"
same "and not shown again" 0 "$(grep -c geheim .check || true)"

# ---- several jobs
config one "engine: sqlite, path: good.db" two "engine: sqlite, path: none.db" three "engine: sqlite, path: old.db" \
    four "engine: command, command: [cat, x], min_size: many"
check_fails 4 "mixed outcomes" look
text=$(<.check)
contains "are counted" "$text" "2 of 4 jobs would fail"
same "each job has its block, in order" "one two three four" "$(grep -xE 'one|two|three|four' <<<"$text" | tr '\n' ' ' | sed 's/ $//')"
same "two are ready" 2 "$(grep -c 'ready to be backed up' <<<"$text")"
check "the good ones alone" look three one
same "in the order given, each once" "three one" "$(look three one three | grep -xE 'one|two|three' | tr '\n' ' ' | sed 's/ $//')"
check_fails 2 "one that is wrong in the configuration" look four
check_fails 4 "one that cannot be read" look two
check_fails 2 "an unknown job" look on
contains "did you mean" "$(<.check)" "one"
same "as JSON" "one=0 two=1 three=1 four=1 ready=2 failing=2 warnings=1" "$(look --json 2>/dev/null | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print(*["%s=%d" % (r["name"], len(r.get("findings", []))) for r in rows if r["message_type"] == "database"],
      *[f"{k}={r[k]}" for r in rows if r["message_type"] == "summary" for k in ("ready", "failing", "warnings")])' || true)"
same "with severity, text and cure" "error warning error" "$(look --json 2>/dev/null | python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
found = [f for r in rows if r["message_type"] == "database" for f in r.get("findings", [])]
assert all(f["text"] and f["cure"] for f in found)
print(*[f["severity"] for f in found])' || true)"
printf 'repositories: {main: {storage: {type: local, path: /x}}}\n' >none.yaml
check_fails 2 "without jobs there is nothing to check" "$BACKUPD" --config none.yaml check database

# ---- hostile paths
names=($'a b.db' "it's \$(touch pwned).db" $'esc\e[2Jape.db' $'two\nlines.db' 'ünï; cure.db' '-n.db' 'file:x?mode=memory')
i=0
jobs=()
for name in "${names[@]}"; do
    wal_db "$TMP/$name"
    jobs+=("j$i" "engine: sqlite, path: $(python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$TMP/$name")")
    i=$((i + 1))
done
config "${jobs[@]}"
check "hostile names are names" look
same "each is ready" "${#names[@]}" "$(grep -c 'ready to be backed up' .check)"
rm -f -- "${names[@]/#/$TMP/}"
check_fails 4 "when they are gone" look
same "each is told" "${#names[@]}" "$(grep -c -e 'there is no such file' -e 'no file matches' .check)"
same "nothing raw reaches the terminal" 0 "$(grep -c $'\e' .check || true)"
contains "but can be read" "$(<.check)" 'esc\x1b[2Jape.db: no file matches'
check "nothing was run" not test -e pwned
check "JSON stays JSON" bash -c "'$BACKUPD' --config c.yaml check database --json 2>/dev/null |
    python3 -c 'import json, sys; assert len([json.loads(l) for l in sys.stdin]) == ${#names[@]} + 2'"
finish
