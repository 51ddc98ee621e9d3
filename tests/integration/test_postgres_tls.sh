#!/bin/bash
# TLS with sslmode=verify-full and a private certificate authority, for all sessions of a run; and the role that `check
# database` proposes, made by the SQL that it prints.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

authority() { openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.crt" -days 2 -subj "/CN=$1" 2>/dev/null; }
job() { # HOST CA
    pg_job "port: $PORT" "sslmode: verify-full" "sslrootcert: $2" "connections: 3" "user: ${3:-postgres}"
    sed -i "s|host: $PGSOCK|host: $1|" "$HOST/backupd.yaml"
}

PORT=$(free_port)
export PGPORT=$PORT
pg_start --tcp "$PORT"
pg_createdb shop
pg_fill shop
authority ours
authority other
openssl req -newkey rsa:2048 -nodes -keyout server.key -subj /CN=localhost -out server.csr 2>/dev/null
openssl x509 -req -in server.csr -CA ours.crt -CAkey ours.key -CAcreateserial -days 2 -out server.crt \
    -extfile <(printf 'subjectAltName=DNS:localhost\n') 2>/dev/null
data=$(readlink "$PG/server")/data
cp server.crt server.key "$data/"
chmod 0600 "$data/server.key"
printf 'local all all trust\nhostssl all all 127.0.0.1/32 trust\n' >"$data/pg_hba.conf"
[[ $EUID -ne 0 ]] || chown "$(cat "$PG/user")" "$data/server.key" "$data/server.crt" "$data/pg_hba.conf"
pg postgres -c "ALTER SYSTEM SET ssl = on" -c "SELECT pg_reload_conf()" >/dev/null
wait_for 20 "$PG_BIN/psql" -X "host=127.0.0.1 sslmode=require user=postgres dbname=shop" -c 'SELECT 1'

unset PGPORT
job localhost "$PWD/ours.crt"
check "a backup over TLS, where nothing else is let in" pg_backup
job localhost "$PWD/other.crt"
check "another authority" not pg_backup
contains "is named" "$(cat .check)" "certificate verify failed"
job 127.0.0.1 "$PWD/ours.crt"
check "a certificate of another name" not pg_backup
contains "is named" "$(cat .check)" 'does not match host name "127.0.0.1"'

# ---- a role that may read, and nothing else
export PGPORT=$PORT
job localhost "$PWD/ours.crt"
check "a superuser is enough" "$BACKUPD" --config "$HOST/backupd.yaml" check database
contains "and too much" "$(cat .check)" "connects as a superuser"
sql=$(sed -n 's/^ *cure: *\(CREATE ROLE backup .*\)$/\1/p' .check)
check "the proposed SQL runs" pg shop -c "$sql"
job localhost "$PWD/ours.crt" backup
"$BACKUPD" --config "$HOST/backupd.yaml" check database >look.out
same "subscriptions and user mappings are named, and nothing else" "2 0" "$(grep -c -e 'warning: .*elsewhere' -e 'warning: .*server far' look.out) $(grep -c 'would fail' look.out || true)"
same "that is all" 2 "$(grep -c warning look.out)"
check "and the backup goes" pg_backup
same "with passwords of roles" yes "$(fact globals)"
check_fails 1 "it may not write" "$PG_BIN/psql" -X -h "$PGSOCK" -U backup -d shop -c "DELETE FROM shop.cache"
finish
