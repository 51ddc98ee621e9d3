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
    printf '  shop-db:\n    engine: sqlite\n    path: %s/shop.db\n' "$HOST"
    printf '  tree:\n    engine: files\n    path: %s/tree\n' "$HOST"
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

check "files: the tree" diff -r --no-dereference "$HOST/tree" "$(of tree)"
check "files: the hard link" test "$(of tree)/a/numbers" -ef "$(of tree)/b/same numbers"
check "command: its output" cmp <(seq 100000 300000) "$(of dump)/seq"
finish
