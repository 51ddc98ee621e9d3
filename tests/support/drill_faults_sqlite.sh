#!/bin/bash
# Part of tests/proof/drill-faults: SQLite and files.
# shellcheck disable=SC2016,SC2119,SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$REPO_ROOT/tests/support/drill.sh"
source "$REPO_ROOT/tests/support/drill_kill.sh"
part() { printf '# sqlite: %s\n' "$1"; }

HOST=$TMP/host SAFE=$TMP/safe STORAGE=$TMP/storage
mkdir "$HOST" "$STORAGE" tree
drill_place
job() { # ENGINE PATH [LINE...]
    printf 'state: %s/state\nrepositories:\n  main:\n    storage: { type: local, path: %s }\n    keys: %s/keys\n    kit: %s/restore-kit.key\n' \
        "$HOST" "$STORAGE" "$HOST" "$SAFE"
    printf 'jobs:\n  one:\n    engine: %s\n    path: %s\n' "$1" "$2"
    printf 'drills:\n  hold: { job: one, assert: [ { sql: "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c", expect: 1 } ] }\n'
    printf '  wrong: { job: one, assert: [ { name: seven, sql: SELECT count(*) FROM t, expect: 7 } ] }\n'
}
back_up() { "$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup >/dev/null; }
job sqlite "$TMP/one.db" >"$HOST/backupd.yaml"
"$BACKUPD" --config "$HOST/backupd.yaml" --quiet init --safe "$SAFE" --kit-unconfirmed --no-kit-passphrase >/dev/null

part "no false alarms"
# try NAME PRAGMAS SQL
try() {
    rm -f one.db one.db-*
    sqlite3 one.db "$2" "$3" >/dev/null
    back_up
    passes "$1"
}
try "tables of every kind" "" "CREATE TABLE w (a TEXT PRIMARY KEY, b) WITHOUT ROWID; INSERT INTO w VALUES ('x', 1);
    CREATE TABLE g (a INT, b INT GENERATED ALWAYS AS (a * 2) STORED, c INT AS (a + 1) VIRTUAL); INSERT INTO g(a) VALUES (1), (2);
    CREATE TABLE s (a INT, b TEXT) STRICT; INSERT INTO s VALUES (1, 'y'); CREATE INDEX si ON s(b COLLATE NOCASE) WHERE a > 0;
    CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('alpha beta'); CREATE VIRTUAL TABLE r USING rtree(id, x0, x1);
    INSERT INTO r VALUES (1, 0, 1); CREATE TABLE au (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO au VALUES (7);
    CREATE VIEW v AS SELECT * FROM s; CREATE TRIGGER t1 AFTER INSERT ON s BEGIN DELETE FROM g; END; CREATE TABLE \"od\"\"d
name\" (\"a
b\"); PRAGMA user_version = 42; PRAGMA application_id = 99; ANALYZE"
try "UTF-16" "PRAGMA encoding = 'UTF-16be'" "CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('ä漢')"
try "write-ahead log" "PRAGMA journal_mode = wal" "CREATE TABLE t (a); INSERT INTO t VALUES (1)"
try "pages of 65536 bytes, vacuumed in steps" "PRAGMA page_size = 65536; PRAGMA auto_vacuum = incremental" "CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(300000)); DELETE FROM t"
try "an empty database" "" "CREATE TABLE t (a); DROP TABLE t"
try "a view and a trigger that do not work" "" "CREATE TABLE t (a); CREATE TABLE gone (a); CREATE VIEW v AS SELECT a FROM gone; DROP TABLE gone; INSERT INTO t VALUES (1)"

part "each fault is found and named"
try "before it" "" "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX by_v ON t(v); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
    CREATE TABLE items (id INTEGER PRIMARY KEY, o REFERENCES t(id)); INSERT INTO items VALUES (1, 1);
    CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM items WHERE id < 0; END; CREATE VIEW w AS SELECT * FROM t"
fault() { # NAME SQL FRAGMENT
    printf '%s;\n' "$2" >fault.sql
    rm -f fault.json
    check_fails 9 "$1" drill --inject fault.sql --out fault.json
    contains "$1: named" "$(failed fault.json)" "$3"
}
fault "one changed row" "UPDATE t SET v = 'X' WHERE id = 2" "contents of the file/"
fault "one row lost, one doubled" "DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (4, 'b')" "contents of the file/"
fault "a lost row" "DELETE FROM t WHERE id = 3" "rows/t"
fault "a dropped index" "DROP INDEX by_v" "all definitions/"
fault "a dropped trigger" "DROP TRIGGER tr" "all definitions/"
fault "a dropped view" "DROP VIEW w" "all definitions/"
fault "a row that points to nothing" "INSERT INTO items VALUES (900, 900)" "foreign_key_check/items row 900"
check_fails 9 "an assertion that does not hold" drill --drill wrong --out fault.json
contains "an assertion that does not hold: named" "$(failed fault.json)" "seven/"
sleep 2 # its age is told in whole seconds
check_fails 9 "a stale snapshot" drill --max-age 1s --out fault.json
contains "a stale snapshot: named" "$(failed fault.json)" "age of the snapshot/"

part "could not run, with the way out"
limited() (
    ulimit -f 8
    trap '' XFSZ
    exec "$@"
)
rm one.db
sqlite3 one.db "CREATE TABLE t (a); INSERT INTO t VALUES (randomblob(1000000))"
back_up
DRILL_AS=(limited)
rm -f not.json
drill >/dev/null 2>said || status=$?
same "a file that may not become so large: could not run" 4 "${status:-0}"
same "a file that may not become so large: nothing is left" "" "$(left)"
DRILL_AS=()
could_not "no such snapshot" "restore list" --job other

part "killed, loading and asking"
# Large enough to be met while it is loaded.
sqlite3 one.db "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT randomblob(1000000) FROM n"
back_up
kill_when "the directory is made" "there lock"
size() { [[ -n $(find "$(drill_dir)" -name 'database*' 2>/dev/null | head -1) ]]; }
kill_when "rows are loaded" size
kill_when "an assertion is asked" size --drill hold
all_gone "killed"

part "files with odd names"
mkdir -p $'tree/new\nline' tree/deep/er
printf x >$'tree/new\nline/\xff\xfe'
printf x >'tree/ -- "q" $x'
ln -s /etc/passwd tree/link
ln tree/deep/../' -- "q" $x' tree/hard
mkfifo tree/fifo
truncate -s 1M tree/holes
chmod 000 tree/deep/er
job files "$TMP/tree" >"$HOST/backupd.yaml"
"$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup >/dev/null 2>&1 || true
passes "files with odd names"

part "flipped bytes of what is stored"
find "$STORAGE" -path '*/pack/*' -type f -exec chmod u+w {} +
find "$STORAGE" -path '*/pack/*' -type f -print0 | xargs -0 /usr/bin/python3 -c 'import sys
for name in sys.argv[1:]:
    data = bytearray(open(name, "rb").read())
    for at in range(700, len(data), 1024): data[at] ^= 1
    open(name, "r+b").write(data)'
check_fails 9 "flipped bytes" drill --out fault.json
same "flipped bytes: nothing is left" "" "$(left)"
if [[ $EUID -eq 0 ]]; then
    part "as an account without rights"
    job sqlite "$TMP/one.db" >"$HOST/backupd.yaml"
    rm -rf "${STORAGE:?}"/* "$HOST/state" "$HOST/keys" "$SAFE"
    "$BACKUPD" --config "$HOST/backupd.yaml" --quiet init --safe "$SAFE" --kit-unconfirmed --no-kit-passphrase >/dev/null
    back_up
    drill_as_user www-data
    passes "as another account"
fi
finish
