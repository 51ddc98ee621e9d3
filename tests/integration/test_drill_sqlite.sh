#!/bin/bash
# Drills of an SQLite database and of files: they pass, they find what was damaged, and nothing stays.
# shellcheck disable=SC2016,SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

backupd() { "$BACKUPD" --config conf.yaml --quiet "$@"; }
# From another directory than its files are in, and with a place of its own for what is thrown away.
export TMPDIR=$TMP/scratch
drill() { "$RESTORE" --config conf.yaml drill run "$@"; }
# small_disk ARGS: a drill whose place is a file system of 64 MiB; few_files ARGS: one with few inodes
small_disk() { on_disk size=64m "$@"; }
few_files() { on_disk nr_inodes=24 "$@"; }
on_disk() { # LIMIT ARGS
    local as=() limit=$1
    shift
    [[ $EUID -eq 0 ]] || as=(--map-root-user)
    LIMIT=$limit unshare --mount "${as[@]}" bash -c 'mount -t tmpfs -o "$LIMIT" none "$TMPDIR" && exec "$@"' - \
        "$RESTORE" --config conf.yaml drill run "$@"
}
# on_tree: many files to a place with few inodes
on_tree() {
    local as=()
    [[ $EUID -eq 0 ]] || as=(--map-root-user)
    mkdir -p few
    unshare --mount "${as[@]}" bash -c 'mount -t tmpfs -o nr_inodes=3 none "$1" && shift && exec "$@"' - few \
        "$RESTORE" --config conf.yaml files tree/latest --to few/out
}
left() { find "$TMPDIR" -mindepth 1; }
verdict() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["verdict"])' "$1"; }
# failed FILE: what failed, "NAME/SUBJECT" a line
failed() {
    python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["checks"]:
    if c["verdict"] == "fail": print(c["name"] + "/" + (c["subject"] or ""))' "$1"
}
mkdir scratch store tree
cat >conf.yaml <<YAML
state: $TMP/state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
    kit: $TMP/safe/restore-kit.key
jobs:
  db: { engine: sqlite, path: $TMP/shop.db }
  tree: { engine: files, path: $TMP/tree }
drills:
  shop:
    job: db
    every: 7d
    rto: 1h
    max_age: 1h
    assert:
      - { sql: SELECT count(*) FROM orders, expect: 200 }
      - { sql: SELECT count(*) FROM orders, expect: { range: 100..300 }, name: about as many }
      - { sql: SELECT what FROM orders ORDER BY id, expect: { regex: "^row [0-9]+\$" } }
      - { sql: SELECT id FROM orders, expect: { rows: 150.. } }
      - fresh: { query: SELECT max(at) FROM orders, within: 1d }
      - { sql: SELECT count(*) FROM orders, ratio_to_previous: 0.8..1.5 }
  bad:
    job: db
    assert:
      - { sql: SELECT count(*) FROM orders, expect: 7, name: seven }
      - { sql: SELECT 1 FROM nothing, expect: 1, name: no such table }
      - fresh: { query: SELECT min(at) FROM orders, within: 1h }
        name: old rows
      - fresh: { query: SELECT '2099-01-01T00:00:00Z', within: 1h }
        name: rows of the future
YAML
fill() {
    rm -f shop.db
    sqlite3 shop.db "CREATE TABLE orders(id INTEGER PRIMARY KEY, what TEXT, at TEXT);
CREATE TABLE items(id INTEGER PRIMARY KEY, o INTEGER REFERENCES orders(id));
CREATE INDEX by_what ON orders(what);
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < $1)
INSERT INTO orders SELECT x, 'row ' || x, strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-' || ($1 - x) || ' minutes') FROM c;
INSERT INTO items SELECT id, id FROM orders"
}
fill 200
mkdir tree/deep && echo text >tree/deep/file && ln -s /etc/passwd tree/link && chmod 000 tree/deep/file
backupd init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null
backupd backup >/dev/null

# ---- they pass
check "a drill of the configuration passes" drill --drill shop --out pass.json
same "its result says so" pass "$(verdict pass.json)"
same "nothing is left" "" "$(left)"
same "nothing failed and nothing could not run" 0 \
    "$(python3 -c 'import json; print(sum(c["verdict"] != "pass" for c in json.load(open("pass.json"))["checks"]))')"
check "phases and bytes are told" python3 -c 'import json
r = json.load(open("pass.json"))
assert r["bytes"] > 0 and r["bytes_fetched"] > 0 and r["started"] <= r["finished"] and r["drill"] == "shop"
assert r["engine"] == "sqlite" and r["snapshot"] == "db/1" and len(r["record_hash"]) == 64 and r["rto_target_seconds"] == 3600
assert set(r["phases"]) == {"prepare_ms", "fetch_ms", "decrypt_ms", "load_ms", "index_ms", "check_ms"}'
check "a drill of files passes" drill tree/latest
same "nothing is left of files" "" "$(left)"

# ---- they fail
check_fails 9 "assertions that do not hold" drill --drill bad --out bad.json
contains "each is named" "$(failed bad.json)" "seven/SELECT count(*) FROM orders"
contains "a question that cannot be asked, too" "$(failed bad.json)" "no such table/"
contains "and rows that are too old" "$(failed bad.json)" "old rows/"
contains "or not yet written" "$(failed bad.json)" "rows of the future/"
fault() { # NAME SQL EXPECTED
    printf '%s\n' "$2" >fault.sql
    check_fails 9 "$1" drill db/latest --inject fault.sql --out fault.json
    contains "$1 is named" "$(failed fault.json)" "$3"
}
fault "one changed row" "UPDATE orders SET what = 'row X' WHERE id = 7" "contents of the file/"
fault "a lost and a doubled row" "DELETE FROM orders WHERE id = 3; INSERT INTO orders SELECT 1000, what, at FROM orders WHERE id = 4" \
    "contents of the file/"
fault "a lost row" "DELETE FROM orders WHERE id = 3" "rows/orders"
fault "a dropped index" "DROP INDEX by_what" "all definitions/"
fault "a row that points to nothing" "INSERT INTO items VALUES(900, 900)" "foreign_key_check/items row 900"
sleep 2
check_fails 9 "a snapshot that is too old" drill db/latest --max-age 1s --out age.json
same "its age is named" "age of the snapshot/db/1" "$(failed age.json)"
fill 100
backupd backup >/dev/null
check_fails 9 "half as many rows as the time before" drill --drill shop --out ratio.json
contains "the ratio is named" "$(failed ratio.json)" "assertion/SELECT count(*) FROM orders"

# ---- what it keeps stays, and what is old goes
sqlite3 state/drills.db "UPDATE drill SET finished = finished - 401 * 86400 WHERE drill = 'bad'"
old=$(sqlite3 state/drills.db "SELECT id FROM drill WHERE drill = 'bad'")
sqlite3 state/drills.db "UPDATE drill SET finished = finished - 500 * 86400 WHERE verdict = 0 AND job = 'tree'"
check "a drill is kept" drill db/latest --keep --keep-for 5m --memory 1G --out kept.json
same "one that failed and is old is forgotten" "" "$(sqlite3 state/drills.db "SELECT id FROM drill WHERE drill = 'bad'")$(find state/drills -name "$old*")"
same "the proof of a snapshot that is there is not" 1 "$(sqlite3 state/drills.db "SELECT count(*) FROM drill WHERE job = 'tree'")"
connect=$(python3 -c 'import json; print(json.load(open("kept.json"))["connect"])')
same "people can look" 100 "$(setsid env -i PATH="$PATH" bash -c "$connect 'SELECT count(*) FROM orders'")"
keeper=$(<"$(echo "$TMPDIR"/backupd-drill-*/lock)")
same "nothing of its caller stays open" "" "$(find "/proc/$keeper/fd" -type l ! -lname '/dev/null' ! -lname "$TMPDIR/*" ! -lname 'anon_inode:*')"
check "its time is over" "$RESTORE" drill end --all
same "nothing is left of it" "" "$(left)"

# ---- flipped bytes: one in each KiB, for what is stored is padded
find store -path '*/pack/*' -type f -exec chmod u+w {} +
find store -path '*/pack/*' -type f -print0 | xargs -0 python3 -c 'import sys
for name in sys.argv[1:]:
    data = bytearray(open(name, "rb").read())
    for at in range(700, len(data), 1024): data[at] ^= 1
    open(name, "r+b").write(data)'
check_fails 9 "a flipped byte of what is stored" drill db/latest --out flip.json
same "is the backup's fault" fail "$(verdict flip.json)"
same "nothing is left of those that failed" "" "$(left)"

# ---- it could not run
could_not() { # NAME FRAGMENT ARGS
    local name=$1 fragment=$2
    shift 2
    check_fails 4 "$name" drill "$@" --out not.json
    contains "$name: why, and the way out" "$(python3 -c 'import json; r = json.load(open("not.json"))
assert r["verdict"] == "could_not_run"; print(r["reason"], "|", r["cure"])')" "$fragment"
}
could_not "no such place" "another place with --scratch DIR" db/1 --scratch "$TMP/none"
long=$TMP/$(printf 'x%.0s' {1..90})
mkdir "$long"
could_not "a place whose path is too long" "shorter one" db/1 --scratch "$long"
check_fails 4 "a disk that is too small" small_disk db/1 --out not.json
contains "how much is needed is told" "$(cat not.json)" "are needed"
check_fails 4 "a disk that takes no more files" few_files db/1 --out not.json
contains "is told as such" "$(cat not.json)" "more files (inodes), and 32 are needed"
contains "with the way out" "$(cat not.json)" "make room"
check_fails 1 "a restore of files to such a place" on_tree
contains "says so, too" "$(<.check)" "files (inodes) are needed"
check_fails 2 "a drill that is not there" drill --drill none
check_fails 2 "a mistake in the configuration" "$RESTORE" --config <(sed 's/ratio_to_previous/ratio/' conf.yaml) drill run --drill shop

# ---- what a drill left that was killed
rm -r store/* state keys safe
backupd init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null
backupd backup >/dev/null
mkdir "$TMPDIR/backupd-drill-AbCdEf" "$TMPDIR/backupd-drill-AbCdEf/run" "$TMPDIR/backupd-drill-nolock" "$TMPDIR/other"
: >"$TMPDIR/backupd-drill-AbCdEf/lock"
check "the next drill" drill db/1
same "removes what was left, and only that" "backupd-drill-nolock other" "$(cd "$TMPDIR" && echo *)"
finish
