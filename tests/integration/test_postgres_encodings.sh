#!/bin/bash
# Databases that are not UTF-8, with bytes that are valid nowhere else: there and back, names included.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

createdb() { "$PG_BIN/createdb" -h "$PGSOCK" -U postgres -T template0 -E "$1" --locale=C -- "$2"; }
raw() { PGCLIENTENCODING=$1 "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$PGSOCK" -U postgres -d "$2" "${@:3}"; }
rows() { raw "$1" "$2" -c "SELECT encode(convert_to(t.v, '$1'), 'hex') FROM t ORDER BY id" 2>/dev/null || raw "$1" "$2" -c 'COPY t TO STDOUT' | sort | xxd -p; }

pg_start
# name, encoding, a value's bytes, a column name's bytes
try() {
    local encoding=$1 value=$2 column=$3
    local db=from_${encoding,,}
    createdb "$encoding" "$db"
    printf 'CREATE TABLE t (id int, v text, "%b" int);\nINSERT INTO t VALUES (1, '\''%b'\'', 7), (2, NULL, NULL);\n' "$column" "$value" >make.sql
    printf 'CREATE TABLE "t %b" (id int);\nINSERT INTO "t %b" VALUES (3);\n' "$column" "$column" >>make.sql
    raw "$encoding" "$db" -f make.sql
    pg_job "database: $db"
    check "$encoding: a backup" pg_backup
    same "$encoding: is noted" "$encoding" "$(fact encoding "$db/schema.pgdump")"
    "$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest "$db/tables/public/t.copy" >t.copy
    check "$encoding: the bytes are the server's" grep -aq "$(printf '%b' "$value")" t.copy
    createdb "$encoding" "to_$db"
    check "$encoding: restored and compared" pg_restore_to "to_$db"
    same "$encoding: the same rows" "$(rows "$encoding" "$db")" "$(rows "$encoding" "to_$db")"
    same "$encoding: the same names" "$(raw "$encoding" "$db" -c "SELECT relname FROM pg_class WHERE relname LIKE 't%' AND oid >= 16384 ORDER BY 1" | xxd -p)" \
        "$(raw "$encoding" "to_$db" -c "SELECT relname FROM pg_class WHERE relname LIKE 't%' AND oid >= 16384 ORDER BY 1" | xxd -p)"
}
LC_ALL=C
try LATIN1 'Gr\0374\0337e \0351' 'gr\0366\0337e'
try EUC_JP '\0306\0374\0313\0334' '\0313\0334'
try SQL_ASCII 'invalid \0377\0376 \0303 bytes' 'c\0377l'
pg_createdb utf8
check_fails 4 "not into a database of another encoding" pg_restore_to utf8
contains "which is said" "$(cat .check)" "its encoding is UTF8, that of the snapshot SQL_ASCII"
finish
