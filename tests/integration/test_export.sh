#!/bin/bash
# restore export: a PostgreSQL snapshot is loaded by the commands of its README.txt and nothing else, a tree comes out of
# GNU tar and bsdtar as it was; nothing is left after failures.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"
# shellcheck source=tests/support/postgres.sh
source "$REPO_ROOT/tests/support/postgres.sh"

export_it() { "$RESTORE" --config "$HOST/backupd.yaml" export "$@"; }
list_tree() { python3 "$REPO_ROOT/tests/support/tree_list.py" "$@"; }
GNU_TAR=(tar --zstd --xattrs "--xattrs-include=*" --acls --numeric-owner)
root=
[[ $(id -u) -ne 0 ]] || root=yes

# ---- a database, a tree with everything that a tree can have, a SQLite file, a program's output

pg_start
pg_createdb shop
pg_fill shop
shop_database "$HOST/shop.db" 2M 7 >/dev/null
tree=$HOST/tree
mkdir -p "$tree/a/empty" "$tree/b" "$tree/README.txt"
seq 1 30000 >"$tree/a/numbers"
ln "$tree/a/numbers" "$tree/b/same numbers"
ln -s ../a/numbers "$tree/b/link"
ln -s /etc/passwd "$tree/b/away"
head -c 100000 /dev/urandom >"$tree/b/"$'new\nline \\ and more'
printf 'u' >"$tree/$(printf 'not utf8 \xff\xfe\x80')"
: >"$tree/nothing"
truncate -s 3M "$tree/hole"
printf 'end' >>"$tree/hole"
truncate -s 48M "$tree/holes"
for at in 5 7000000 40000000; do
    printf 'data' | dd of="$tree/holes" bs=1 seek="$at" conv=notrunc status=none
done
truncate -s 1T "$tree/only-a-hole"
long=$tree/$(printf 'l%.0s' {1..200})/$(printf 'm%.0s' {1..200})
mkdir -p "$long"
printf x >"$long/x"
setfattr -n user.plain -v value "$tree/a/numbers"
setfattr -n "user.with=equals%41" -v 0x00ff0a "$tree/a/numbers"
setfacl -m u:12345:rw,g:54321:x,m::rwx "$tree/nothing"
setfacl -m u:12345:rwx,d:u:12345:rx,d:g::- "$tree/b"
chmod 0500 "$tree/a/empty"
touch -d '1960-05-05T01:02:03.5Z' "$tree/hole"
touch -h -d '2001-02-03T04:05:06.123456789Z' "$tree/b/link" "$tree/a/numbers" "$tree/a/empty"
chmod 0750 "$tree"
if [[ $root ]]; then
    chown 12:34 "$tree/nothing"
    setfattr -n trusted.secret -v t "$tree/a"
fi
chmod 4755 "$tree/a/numbers"
{
    printf '  tree:\n    engine: files\n    path: %s\n' "$tree"
    printf '  shop-db:\n    engine: sqlite\n    path: %s/shop.db\n' "$HOST"
    printf '  dump:\n    engine: command\n    command: [seq, 100000, 300000]\n'
} >>"$HOST/backupd.yaml"
"$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup

# ---- the database

check "an archive" export_it pg/latest --to "$TMP/pg.tar.zst"
contains "what it said" "$(cat .check)" "It is not encrypted."
same "private" 600 "$(stat -c %a pg.tar.zst)"
check "GNU tar reads it" tar --zstd -xf pg.tar.zst
same "and says nothing" "" "$(tar --zstd -tf pg.tar.zst 2>&1 >/dev/null)"
same "one name at its top" pg-1 "$(tar --zstd -tf pg.tar.zst | cut -d/ -f1 | sort -u)"
same "README.txt is the first file, MANIFEST.json the last" "pg-1/README.txt pg-1/MANIFEST.json" \
    "$(tar --zstd -tf pg.tar.zst | grep -v '/$' | sed -n '1p;$p' | xargs)"
same "files for their owner alone" "600 700" "$(find pg-1 -printf '%m\n' | sort -u | xargs)"
check "a directory" export_it pg/latest --to "$TMP/pg-dir" --format dir
check "holds the same" diff -r pg-1 pg-dir
same "also private" "600 700" "$(find pg-dir -printf '%m\n' | sort -u | xargs)"
check "again" export_it pg/latest --to "$TMP/again.tar.zst"
check "gives the same bytes" cmp pg.tar.zst again.tar.zst
export_it pg/latest --to - >piped.tar.zst 2>piped.log
check "and so does standard output" cmp pg.tar.zst piped.tar.zst
check "sha256sum" bash -c 'cd pg-1 && sha256sum --quiet --strict --check SHA256SUMS'
manifest() {
    python3 - "$1" <<'END'
import hashlib, json, os, sys
top = os.fsencode(sys.argv[1])
m = json.load(open(os.path.join(top, b"MANIFEST.json"), "rb"))
seen = set()
for f in m["files"]:
    path = bytes.fromhex(f["path_hex"]) if "path_hex" in f else f["path"].encode()
    seen.add(path)
    name = os.path.join(top, path)
    if "symlink" in f or "hardlink" in f:
        assert os.path.lexists(name), name
        continue
    assert os.stat(name).st_size == f["bytes"], name
    if f["sha256"] is not None:
        assert hashlib.file_digest(open(name, "rb"), "sha256").hexdigest() == f["sha256"], name
for dir, _, names in os.walk(top):
    for name in names:
        path = os.path.relpath(os.path.join(dir, name), top)
        assert path in seen or path == b"MANIFEST.json", path
print(m["format"], m["snapshot"], m["facts"]["source"])
END
}
same "MANIFEST.json has every file" "backupd export 1 pg/1 postgres" "$(manifest pg-1)"

# The commands of README.txt, nothing more, with nothing of ours on the path.
"$REPO_ROOT/tests/fixture/postgres.sh" start "$TMP/other"
at_end "$REPO_ROOT/tests/fixture/postgres.sh" stop "$TMP/other"
other_socket=$(readlink "$TMP/other/socket")
commands() { sed -n 's/^    //p' "$1"; }
commands pg-1/README.txt >steps.sh
check "README.txt has commands" test "$(wc -l <steps.sh)" -ge 6
printf '%s\n' "$(cat steps.sh)" | sed 's/^/# /'
load() { (cd pg-1/data && env -i PATH="$PG_BIN:/usr/bin:/bin" PGHOST="$other_socket" PGUSER=postgres LC_ALL=C.UTF-8 bash -e "$TMP/steps.sh"); }
check "they load it" load
state() {
    PGSOCK=$1
    pg_sums shop
    pg_schema shop
    pg shop -c "SELECT loid, pageno, md5(data) FROM pg_largeobject ORDER BY 1, 2"
    pg shop <<'END'
SELECT format('SELECT %L, last_value, is_called FROM %s', oid::regclass, oid::regclass) FROM pg_class
    WHERE relkind = 'S' AND relnamespace::regnamespace::text !~ '^pg_' ORDER BY oid::regclass::text \gexec
END
}
state "$PGSOCK" >state.source
state "$other_socket" >state.loaded
check "rows, definitions, large objects and sequences are equal" cmp state.source state.loaded
check "and they are not nothing" test "$(wc -l <state.source)" -gt 100
PGSOCK=$(readlink "$PG/socket")

# ---- the tree

list_tree "$tree" >tree.source
check "the tree" export_it tree/latest --to "$TMP/tree.tar.zst"
check "the holes take no room" test "$(stat -c %s tree.tar.zst)" -lt 1000000
check "GNU tar reads it" "${GNU_TAR[@]}" -xpf tree.tar.zst
if [[ $root ]]; then
    list_tree tree-1/data >tree.tar
    check "and makes what was there" diff tree.source tree.tar
else
    list_tree "$tree" --no-owner >tree.source
    list_tree tree-1/data --no-owner >tree.tar
    check "and makes what was there" diff tree.source tree.tar
fi
check "the directory itself too" test "$(stat -c %a tree-1/data)" = 750
same "a hole is a hole" "1099511627776 0" "$(stat -c '%s %b' tree-1/data/only-a-hole)"
mkdir bsd
check "bsdtar reads it" bsdtar -C bsd -xpf tree.tar.zst
list_tree bsd/tree-1/data >tree.bsd
# It reads fractions of times before 1970 the wrong way round, and leaves '=' and '%' in names of attributes as GNU tar
# writes them, %3D and %25.
alike() { sed "/^b'hole' /d; s/%3D/=/g; s/%25/%/g" "$1"; }
check "and makes the same" diff <(alike tree.tar) <(alike tree.bsd)
same "its manifest" "backupd export 1 tree/1 files" "$(manifest tree-1)"
check "sha256sum takes its names" bash -c 'cd tree-1 && sha256sum --quiet --strict --check SHA256SUMS'
check_fails 1 "a directory refuses the link that leads out" export_it tree/latest --to "$TMP/tree-dir" --format dir
contains "and names it" "$(cat .check)" "data/b/away"
check "nothing is left" test ! -e tree-dir -a ! -e tree-dir.part
check "unless asked for" export_it tree/latest --to "$TMP/tree-dir" --format dir --unsafe-links
chmod u-s tree-1/data/a/numbers
touch -d '2001-02-03T04:05:06.123456789Z' tree-1/data/a/numbers
list_tree tree-1/data >tree.tar
list_tree tree-dir/data >tree.dir
check "then it is the same without set-user-id bits" diff tree.tar tree.dir

# What tar cannot carry is named.
mkdir "$HOST/odd"
printf x >"$HOST/odd/file"
setfattr -n "user.with space" -v 1 "$HOST/odd/file"
sed -i "s|path: $tree|path: $HOST/odd|" "$HOST/backupd.yaml"
"$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup tree
check_fails 3 "an attribute that tar has no name for" export_it tree/latest --to "$TMP/odd.tar.zst"
contains "is named" "$(cat .check)" "without the attribute user.with space: tree-2/data/file"
check "and everything else is there" tar --zstd -xf odd.tar.zst

# ---- the others

check "SQLite" export_it shop-db/latest --to "$TMP/db" --format dir
check "is the database" cmp <(sqlite3 -readonly db/data/shop.db .dump) <(sqlite3 -readonly "$HOST/shop.db" .dump)
(cd db/data && bash -e <(commands ../README.txt)) >db.log
same "README.txt checks it" ok "$(cat db.log)"
check "a program's output" export_it dump/latest --to "$TMP/dump" --format dir
check "is there" cmp <(seq 100000 300000) dump/data/seq
contains "with its command" "$(cat dump/README.txt)" '["seq", "100000", "300000"]'

# ---- refusals, and nothing left after a failure

check_fails 1 "an existing file stays" export_it pg/latest --to "$TMP/pg.tar.zst"
contains "and is named" "$(cat .check)" "pg.tar.zst exists already"
check_fails 1 "so does a directory" export_it pg/latest --to "$TMP/pg-dir/" --format dir
touch cut.tar.zst.part
check_fails 1 "what a killed export left is named" export_it pg/latest --to "$TMP/cut.tar.zst"
contains "with the way out" "$(cat .check)" "cut.tar.zst.part exists already"
check "and stays" test -e cut.tar.zst.part
check_fails 2 "no form" export_it pg/latest --to "$TMP/which"
check_fails 2 "no directory on standard output" export_it pg/latest --format dir --to -
check_fails 1 "no place" export_it pg/latest --to "$TMP/missing/x.tar.zst"

if [[ -w /dev/full ]]; then
    status=0
    export_it pg/latest --to - >/dev/full 2>full.log || status=$?
    same "a full disk is a failure" 1 "$status"
    contains "and says so" "$(cat full.log)" "No space left"
fi
for form in tar.zst dir; do
    status=0
    (
        ulimit -f 64 # blocks of 1 KiB: the disk is as good as full
        trap '' XFSZ
        exec "$RESTORE" --config "$HOST/backupd.yaml" export shop-db/latest --format "$form" --to "$TMP/full" >full.log 2>&1
    ) || status=$?
    same "$form: a file that may not grow is a failure" 1 "$status"
    check "$form: nothing is left" test ! -e full -a ! -e full.part
done

# Ctrl-C, and what a kill leaves.
mkdir "$HOST/large"
head -c 48M /dev/urandom >"$HOST/large/file"
sed -i "s|path: $HOST/odd|path: $HOST/large|" "$HOST/backupd.yaml"
"$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup tree
for form in tar.zst dir; do
    spawn stopped.log "$RESTORE" --config "$HOST/backupd.yaml" export tree/latest --format "$form" --to "$TMP/stopped"
    wait_for 30 test -e stopped.part
    kill -INT "$SPAWNED"
    status=0
    wait "$SPAWNED" || status=$?
    same "$form: stopped" 130 "$status"
    check "$form: nothing is left" test ! -e stopped -a ! -e stopped.part
done
spawn killed.log "$RESTORE" --config "$HOST/backupd.yaml" export tree/latest --format tar.zst --to "$TMP/killed"
wait_for 30 test -e killed.part
kill -KILL "$SPAWNED"
wait "$SPAWNED" 2>/dev/null || true
check "killed: nothing has the name" test ! -e killed -a -e killed.part
check "and what is there does not pass for an archive" not bash -c 'zstd -dc killed.part | tar -tf - >/dev/null'

# A damaged pack: the stream is named.
for pack in "$STORAGE"/w/*/pack/*; do
    chmod u+w "$pack"
    python3 -c 'import sys
f = open(sys.argv[1], "r+b")
size = f.seek(0, 2)
at = 20000 # behind the header and the nodes of a small job
while at < size:
    f.seek(at)
    byte = f.read(1)[0]
    f.seek(at)
    f.write(bytes([byte ^ 1]))
    at += 20000' "$pack"
done
for form in tar.zst dir; do
    check_fails 9 "$form: a damaged stream ends it" export_it shop-db/latest --format "$form" --to "$TMP/bad"
    contains "$form: with its name" "$(cat .check)" "data/shop.db"
    check "$form: nothing is left" test ! -e bad -a ! -e bad.part
done
status=0
export_it shop-db/latest --to - >bad.tar.zst 2>bad.log || status=$?
same "on standard output too" 9 "$status"
check "what came out does not pass for an archive" not bash -c 'zstd -dc bad.tar.zst | tar -tf - >/dev/null'
finish
