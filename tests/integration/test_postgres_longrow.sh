#!/bin/bash
# A row that is longer than 1 GB as text: COPY text and pg_dump fail on it, the engine takes the table in binary.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

# A bit is a character as text: 135 MB are enough here. `make proof-postgres-longrow` has hundreds of MB of bytea.
huge() { pg "$1" -c 'SELECT id, length(body), md5(varbit_send(body)) FROM huge ORDER BY 1'; }

pg_start
pg_createdb shop
pg shop -c "CREATE TABLE huge (id int, body bit varying)" -c "CREATE TABLE large (id int, body bytea)" \
    -c "INSERT INTO huge SELECT 1, ('x' || repeat('a7', 135000000))::bit varying" -c "INSERT INTO huge VALUES (2, B'1'), (3, NULL)" \
    -c "INSERT INTO large SELECT 1, convert_to(repeat('y', 20000000), 'UTF8')"
check_fails 1 "no server gives it as text" pg shop -c 'COPY huge TO STDOUT'
contains "as it is too long" "$(cat .check)" "invalid memory alloc request size"
check "a backup" pg_backup
same "the table is taken in binary" binary "$(fact format shop/tables/public/huge.copybin)"
same "rows are counted" 3 "$(fact rows shop/tables/public/huge.copybin)"
same "another one, with a merely large row, as text" text "$(fact format shop/tables/public/large.copy)"
pg_createdb shop2
check "restored" pg_restore_to shop2
contains "and compared" "$(cat .check)" "rows and fingerprints of 2 tables equal (4 rows)"
same "as it was" "$(huge shop)" "$(huge shop2)"
finish
