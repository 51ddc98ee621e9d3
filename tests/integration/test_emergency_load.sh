#!/bin/bash
# What the emergency reader writes is loaded with nothing but psql, pg_restore and sqlite3 (and a look at files), and is
# what was backed up: one repository with a job of every engine.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"
# shellcheck source=tests/support/postgres.sh
source "$REPO_ROOT/tests/support/postgres.sh"

READER=(/usr/bin/python3 "$REPO_ROOT/scripts/emergency-restore.py")
ABILITIES=(--repo "$STORAGE" --kit "$SAFE/restore-kit.key")
restore_files() { "$RESTORE" files --storage "$STORAGE" --kit "$SAFE/restore-kit.key" --state "$STATION" "$@"; }
list_tree() { python3 "$REPO_ROOT/tests/support/tree_list.py" "$@"; }
root=
[[ $(id -u) -ne 0 ]] || root=yes

# ---- a shop: a SQLite database, a PostgreSQL database, a directory, a program's output

pg_start
pg_createdb shop
pg_fill shop
shop_database "$HOST/shop.db" 4M 7 >/dev/null
mkdir -p "$HOST/tree/a/empty" "$HOST/tree/b"
seq 1 30000 >"$HOST/tree/a/numbers"
ln "$HOST/tree/a/numbers" "$HOST/tree/b/same numbers"
ln -s ../a/numbers "$HOST/tree/b/link"
head -c 100000 /dev/urandom >"$HOST/tree/b/"$'new\nline'
truncate -s 3M "$HOST/tree/hole"
printf 'end' >>"$HOST/tree/hole"
chmod 640 "$HOST/tree/a/numbers"
{
    head -c 70000 /dev/urandom
    head -c 200000 /dev/zero # zeros that are in the file
    head -c 3 /dev/urandom
} >"$HOST/tree/zeros"
truncate -s 2G "$HOST/tree/holes"
for at in 5 7000000 1500000000; do
    printf 'data' | dd of="$HOST/tree/holes" bs=1 seek="$at" conv=notrunc status=none
done
truncate -s 1T "$HOST/tree/only-a-hole"
bytes=$(printf 'not utf8 \xff\xfe\x80')
printf 'u' >"$HOST/tree/$bytes"
mkdir "$HOST/tree/dir $bytes"
printf 'i' >"$HOST/tree/dir $bytes/in it"
setfattr -n user.plain -v value "$HOST/tree/a/numbers"
setfattr -n "user.with=equals %41 and space" -v 0x00ff0a "$HOST/tree/a/numbers"
setfattr -n user.empty "$HOST/tree/b"
setfacl -m u:12345:rw,g:54321:x,m::rwx "$HOST/tree/$bytes"
setfacl -m u:12345:rwx,d:u:12345:rx,d:g::- "$HOST/tree/b"
chmod 0500 "$HOST/tree/a/empty"
chmod 0000 "$HOST/tree/zeros"
[[ $root ]] || chmod 0400 "$HOST/tree/zeros"
touch -d '1960-05-05T01:02:03.5Z' "$HOST/tree/zeros"
touch -h -d '2001-02-03T04:05:06.123456789Z' "$HOST/tree/b/link" "$HOST/tree/a/numbers" "$HOST/tree/a/empty"
chmod 0750 "$HOST/tree"
# What only root can give, and only on request.
mkdir "$HOST/host"
printf 'x' >"$HOST/host/ping"
printf 'x' >"$HOST/host/su"
mkdir "$HOST/host/shared"
if [[ $root ]]; then
    chown 12:34 "$HOST/host/su"
    chown 56:78 "$HOST/host/shared"
    setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 "$HOST/host/ping"
    setfattr -n trusted.secret -v t "$HOST/host/shared"
fi
chmod 4755 "$HOST/host/su"
chmod 3775 "$HOST/host/shared"
{
    printf '  shop-db:\n    engine: sqlite\n    path: %s/shop.db\n' "$HOST"
    printf '  tree:\n    engine: files\n    path: %s/tree\n' "$HOST"
    printf '  host:\n    engine: files\n    path: %s/host\n' "$HOST"
    printf '  dump:\n    engine: command\n    command: [seq, 100000, 300000]\n'
} >>"$HOST/backupd.yaml"
check "one night of everything" "$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup

# ---- the reader and the kit, nothing else of ours

check "every level" "${READER[@]}" check --level L3 "${ABILITIES[@]}"
check "everything into files" "${READER[@]}" extract --all --to out "${ABILITIES[@]}"
chmod -R a+rX out # the server's account reads them
of() { find "$TMP/out" -mindepth 1 -maxdepth 1 -name "$1-*"; }

sql_dump() { sqlite3 -batch -readonly "$1" .dump; }
same "sqlite3: integrity_check" ok "$(sqlite3 -batch "$(of shop-db)/shop.db" 'PRAGMA integrity_check')"
check "sqlite3: every row of every table" cmp <(sql_dump "$HOST/shop.db") <(sql_dump "$(of shop-db)/shop.db")

"$REPO_ROOT/tests/fixture/postgres.sh" start "$TMP/other"
at_end "$REPO_ROOT/tests/fixture/postgres.sh" stop "$TMP/other"
source_socket=$PGSOCK
other_socket=$(readlink "$TMP/other/socket")
connect=(-h "$other_socket" -U postgres)
load_sql() { (cd "$(of pg)/shop" && "$PG_BIN/psql" -X -q "${connect[@]}" -d shop -v ON_ERROR_STOP=1 -f load.sql); }
section() { "$PG_BIN/pg_restore" "${connect[@]}" -d shop --exit-on-error "$@"; }
"$PG_BIN/psql" -X -q "${connect[@]}" -d postgres -f "$(of pg)/globals.sql" >globals.log 2>&1
same "psql: globals.sql, where only its own role exists already" 'role "postgres" already exists' \
    "$(sed -n 's/.*ERROR: *//p' globals.log)"
check "createdb" "$PG_BIN/createdb" "${connect[@]}" -T template0 shop
check "pg_restore: definitions" section --section=pre-data "$(of pg)/shop/schema.pgdump"
check "psql: load.sql" load_sql
check "pg_restore: large objects" section "$(of pg)/shop/largeobjects.pgdump"
check "pg_restore: indexes and constraints" section --section=post-data "$(of pg)/shop/schema.pgdump"

state() {
    PGSOCK=$1
    pg_sums shop
    pg_schema shop
    pg shop -c "SELECT loid, pageno, md5(data) FROM pg_largeobject ORDER BY 1, 2"
    pg shop <<'END'
SELECT format('SELECT %L, last_value, is_called FROM %s', oid::regclass, oid::regclass) FROM pg_class
    WHERE relkind = 'S' AND relnamespace::regnamespace::text !~ '^pg_' ORDER BY oid::regclass::text \gexec
SELECT format('SELECT %L, count(*) FROM %s', oid::regclass, oid::regclass) FROM pg_class
    WHERE relkind IN ('v', 'm') AND relispopulated AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    ORDER BY oid::regclass::text \gexec
END
}
state "$source_socket" >state.source
state "$other_socket" >state.loaded
check "rows, definitions, large objects, sequences and views are equal" cmp state.source state.loaded
check "and they are not nothing" test "$(wc -l <state.source)" -gt 100

# ---- the trees, against their source and against what the restore program makes of the same snapshots

name_of() { "${READER[@]}" list "${ABILITIES[@]}" | awk -v label="$1/" 'index($1, label) == 1 {print $1}'; }
check "files: one tree" "${READER[@]}" extract "$(name_of tree)" --to out-tree "${ABILITIES[@]}"
contains "files: what the source's directory was" "$(cat .check)" "the directory itself had mode 0750 and owner $(id -u)/$(id -g)"
same "files: the new one is private" 700 "$(stat -c %a out-tree)"
list_tree "$HOST/tree" --no-owner >tree.source
list_tree out-tree --no-owner >tree.reader
check "files: contents, modes, times, links, attributes, ACLs" diff tree.source tree.reader
check "files: they are all there" test "$(wc -l <tree.source)" -ge 14
check "files: the restore program" restore_files "$(name_of tree)" --to restored-tree
list_tree restored-tree --no-owner >tree.restore
check "files: it makes the same" diff tree.restore tree.reader
same "files: only the owner's" "$(id -u)" "$(find out-tree -mindepth 1 -printf '%U\n' | sort -u)"
check "files: the hard link" test out-tree/a/numbers -ef "out-tree/b/same numbers"
same "files: an ACL as getfacl shows it" "$(cd "$HOST/tree" && getfacl -n -c "$bytes" b)" "$(cd out-tree && getfacl -n -c "$bytes" b)"
same "files: an attribute as getfattr shows it" "$(cd "$HOST/tree" && getfattr -d -m user a/numbers b)" \
    "$(cd out-tree && getfattr -d -m user a/numbers b)"
same "files: a hole is a hole" "1099511627776 0" "$(stat -c '%s %b' out-tree/only-a-hole)"
check "files: also between data" test "$(stat -c %b out-tree/holes)" -lt 100
check "files: and before" test "$(stat -c %b out-tree/hole)" -lt 100
check "files: cat fills them" cmp "$HOST/tree/hole" <("${READER[@]}" cat "$(name_of tree)" hole "${ABILITIES[@]}")
same "files: cat of a name that is not UTF-8" u "$("${READER[@]}" cat "$(name_of tree)" "$bytes" "${ABILITIES[@]}")"
"${READER[@]}" files "$(name_of tree)" "${ABILITIES[@]}" >files.txt
contains "files: listed with the true size" "$(cat files.txt)" " 1099511627776 only-a-hole"
contains "files: with attributes" "$(cat files.txt)" "xattr=user.plain (5 bytes)"
contains "files: and with what the directory was" "$(grep '^snapshot' files.txt)" "root_mode=0750"
check "files: without control characters" not grep -q $'\x1b\|\r' files.txt

# ---- set-id bits, owners, capabilities: only for root who asks for them

check "host: as anybody" "${READER[@]}" extract "$(name_of host)" --to out-host "${ABILITIES[@]}"
contains "host: what is left out is told" "$(cat .check)" "left out: 2 members' set-id or sticky bits"
same "host: no such bits" "644 755 775" "$(stat -c %a out-host/ping out-host/su out-host/shared | xargs)"
if [[ $root ]]; then
    contains "host: attributes too" "$(cat .check)" "2 attributes trusted.* or capabilities"
    same "host: no such attributes" "" "$(getfattr -R -d -m - out-host)"
    list_tree "$HOST/host" >host.source
    check "host: owners" "${READER[@]}" extract "$(name_of host)" --to out-owners --owners "${ABILITIES[@]}"
    same "host: and nothing more" "12:34 755 56:78 775" "$(stat -c '%u:%g %a' out-owners/su out-owners/shared | xargs)"
    check "host: everything" "${READER[@]}" extract "$(name_of host)" --to out-privileged --privileged "${ABILITIES[@]}"
    list_tree out-privileged >host.reader
    check "host: as it was" diff host.source host.reader
    check "host: the restore program" restore_files "$(name_of host)" --to restored-host --preserve-setid
    list_tree restored-host >host.restore
    check "host: it makes the same" diff host.restore host.reader
else
    skip "host: owners and privileged attributes" "only root can give them"
fi
# The script on standard input: that somebody need not be able to read the source tree.
nobody=()
[[ -z $root ]] || nobody=(setpriv --reuid games --regid games --clear-groups --)
status=0
(cd / && "${nobody[@]}" /usr/bin/python3 - extract host/1 --to "$TMP/never" --owners "${ABILITIES[@]}") \
    <"$REPO_ROOT/scripts/emergency-restore.py" >owners.txt 2>&1 || status=$?
same "host: nobody else can ask" "2 only root can set owners: leave --owners and --privileged out" "$status $(cat owners.txt)"

# ---- a target that would hand rights down

mkdir handing-down
setfacl -m d:u:12345:rwx handing-down
check_fails 1 "a directory with a default ACL is refused" "${READER[@]}" extract "$(name_of tree)" --to handing-down "${ABILITIES[@]}"
contains "with the way out" "$(cat .check)" "setfacl -k"
check "a new one in it is not" "${READER[@]}" extract "$(name_of tree)" --to handing-down/new "${ABILITIES[@]}"
list_tree handing-down/new --no-owner >tree.below
check "and nothing was handed down" diff tree.source tree.below
check "command: its output" cmp <(seq 100000 300000) "$(of dump)/seq"
finish
