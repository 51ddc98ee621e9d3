#!/bin/bash
# What the emergency reader writes of a MariaDB snapshot is loaded with nothing but the stock client on a second server, and is
# what was backed up.
# shellcheck disable=SC2016,SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

reader() { /usr/bin/python3 "$REPO_ROOT/scripts/emergency-restore.py" "$@" --repo "$STORAGE" --kit "$SAFE/restore-kit.key"; }
state() {
    db_sums shop
    db_definitions shop
    db shop -e 'SELECT * FROM numbers; SELECT * FROM down; SELECT * FROM counted ORDER BY 1; SELECT * FROM aa_on_view ORDER BY id;
        SELECT longest(name) FROM customers; CALL odd_text("abc", @b); SELECT @b'
    db_client -BN -e 'SELECT user, host FROM mysql.global_priv ORDER BY 1, 2'
}

db_start
db_fill shop
db_client -e "CREATE USER clerk@localhost; GRANT SELECT ON shop.* TO clerk@localhost"
check "a backup" db_backup
state >state.source
check "every stream into files" reader extract --all --to out
files=$(find "$TMP/out" -mindepth 1 -maxdepth 1 -name 'my-*')

# ---- docs/format.md, "Loading with stock tools"
"$REPO_ROOT/tests/fixture/mariadb.sh" start "$TMP/other"
at_end "$REPO_ROOT/tests/fixture/mariadb.sh" stop "$TMP/other"
DBSOCK=$(readlink "$TMP/other/socket")/s
stock() { mariadb --no-defaults --socket="$DBSOCK" --user=root "$@"; }
stock -e 'CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci'
cd "$files/shop"
check "schema.sql" eval 'stock shop <schema.sql'
check "load.sql" eval 'stock --local-infile=1 --show-warnings shop <load.sql >"$TMP/load.log"'
check "code.sql" eval 'stock shop <code.sql'
check "users.sql" eval 'stock mysql <../users.sql'
cd "$TMP"
same "no value was changed on the way" 0 "$(grep '^Warning' load.log | grep -vc "Data truncated for column 'e2\?' at row" || true)"
state >state.loaded
check "rows, definitions, sequences, views, routines and accounts are equal" diff state.source state.loaded
check "and they are not nothing" test "$(wc -l <state.source)" -gt 300
finish
