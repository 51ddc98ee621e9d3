#!/bin/bash
# A server that lacks an extension of the snapshot, or is of an older release: restore plan and restore database name both
# before anything is touched.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

plan() { "$RESTORE" --config "$HOST/backupd.yaml" --quiet plan latest --to "host=$PGSOCK user=postgres dbname=$1" "${@:2}"; }
state() { pg postgres -c 'SELECT datname FROM pg_database ORDER BY 1' -c 'SELECT rolname FROM pg_roles ORDER BY 1' && pg new -c 'SELECT count(*) FROM pg_class' && find "$STORAGE" -type f | sort; }

# A server of its own kind: PostgreSQL looks for extensions beside its program, so a copy of that has one more, `tiny`.
chmod 711 "$TMP"
own=$TMP/root/lib/postgresql/15 share=$TMP/root/share/postgresql/15
mkdir -p "$own/bin" "$share/extension"
cp "$PG_BIN/postgres" "$own/bin/"
ln -s "$(dirname "$PG_BIN")/lib" "$own/lib"
for f in /usr/share/postgresql/15/*; do
    [[ $f == */extension ]] || ln -s "$f" "$share/"
done
ln -s /usr/share/postgresql/15/extension/* "$share/extension/"
printf "comment = 'for a test'\ndefault_version = '1.0'\nrelocatable = true\n" >"$share/extension/tiny.control"
printf 'CREATE DOMAIN tiny AS int CHECK (VALUE < 10);\n' >"$share/extension/tiny--1.0.sql"

pg_start --bin "$own/bin"
pg_createdb shop
pg shop -c 'CREATE EXTENSION tiny' -c 'CREATE EXTENSION hstore' -c 'CREATE TABLE t (v tiny, h hstore)' -c "INSERT INTO t VALUES (1, 'a=>b')" \
    -c 'CREATE TABLE plain (i int)' -c 'INSERT INTO plain VALUES (7)'
check "a backup" pg_backup
pg_createdb new
check "there the restore can begin" plan new
contains "with its extension" "$(cat .check)" "extension tiny: version 1.0 is available"

# ---- the same server without it
"$REPO_ROOT/tests/fixture/postgres.sh" halt "$PG"
"$REPO_ROOT/tests/fixture/postgres.sh" start "$PG"
before=$(state)
check_fails 4 "a plan where the extension is missing" plan new
contains "names it" "$(cat .check)" "the server has no extension tiny"
contains "and the cure" "$(cat .check)" "install it on the server"
contains "and what is there" "$(cat .check)" "extension hstore: version"
check_fails 4 "a restore there" pg_restore_to new
contains "names it, too" "$(cat .check)" "the server has no extension tiny"
contains "and says what it did" "$(cat .check)" "nothing was changed"
check_fails 4 "beside the live one" pg_restore_to shop --beside
contains "it is named as well" "$(cat .check)" "the server has no extension tiny"
same "nothing was touched" "$before" "$(state)"
check "a table that does without it" pg_restore_to new --table plain
same "has its row" 7 "$(pg new -c 'SELECT i FROM plain')"

# ---- a snapshot of a newer release: this server, and its pg_dump, say that they are 16
pg shop -c "CREATE OR REPLACE FUNCTION pg_catalog.current_setting(text) RETURNS text LANGUAGE sql STABLE AS
    \$\$ SELECT CASE \$1 WHEN 'server_version_num' THEN '160004' WHEN 'server_version' THEN '16.4' ELSE current_setting(\$1, false) END \$\$"
mkdir bin16
for program in pg_dump pg_dumpall; do
    printf '#!/bin/sh\n[ "$1" != --version ] || { echo "%s (PostgreSQL) 16.4"; exit; }\nexec %s/%s "$@"\n' $program "$PG_BIN" $program >bin16/$program
    chmod +x bin16/$program
done
pg_job "allow_untested: yes" "bin_dir: $TMP/bin16"
check "a backup of it" pg_backup
same "whose facts say 16" "160004" "$(fact server_version_num)"
pg_createdb older
check_fails 4 "a plan for an older server" plan older
contains "names both releases" "$(cat .check)" "the server is of PostgreSQL 15, the snapshot of 16: restore to that release or a newer one"
contains "and what else is missing" "$(cat .check)" "the server has no extension tiny"
check_fails 4 "a restore there" pg_restore_to older
contains "names them" "$(cat .check)" "the server is of PostgreSQL 15, the snapshot of 16"
check_fails 4 "beside the live one" pg_restore_to shop --beside
contains "they are named as well" "$(cat .check)" "the server is of PostgreSQL 15, the snapshot of 16"
same "nothing was made" "0" "$(pg older -c 'SELECT count(*) FROM pg_class WHERE oid >= 16384')"
same "no database either" "new older shop" "$(pg postgres -c "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE oid >= 16384")"
finish
