#!/bin/bash
# TLS to a MariaDB server that demands it, with a private certificate authority: all connections of a run, and of a
# restore; a wrong authority, a certificate of another name and a server without TLS are refused.
# shellcheck disable=SC2016,SC2119,SC2317  # texts with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

authority() { openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.crt" -days 2 -subj "/CN=$1" 2>/dev/null; }
job() { db_job "host: 127.0.0.1" "port: $PORT" "user: bk" "password_file: $HOST/password" "connections: 2" "$@"; }
restart() {
    "$REPO_ROOT/tests/fixture/mariadb.sh" halt "$DB"
    "$REPO_ROOT/tests/fixture/mariadb.sh" start "$DB" --port "$PORT" "$@"
}
to() { printf 'mariadb://bk@127.0.0.1:%s/shop2?password_file=%s&ssl_verify=yes&ssl_ca=%s' "$PORT" "$HOST/password" "$1"; }

PORT=$(free_port)
db_start
db_client -e "CREATE DATABASE shop; CREATE USER bk@'%' IDENTIFIED BY 'secret' REQUIRE SSL; GRANT ALL ON *.* TO bk@'%'"
db shop -e 'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_1000; CREATE PROCEDURE p() SELECT 1'
printf 'secret\n' >"$HOST/password"
chmod 0600 "$HOST/password"
authority ours
authority other
openssl req -newkey rsa:2048 -nodes -keyout server.key -subj /CN=server -out server.csr 2>/dev/null
for name in right:IP:127.0.0.1 wrong:DNS:elsewhere; do
    openssl x509 -req -in server.csr -CA ours.crt -CAkey ours.key -CAcreateserial -days 2 -out "${name%%:*}.crt" \
        -extfile <(printf 'subjectAltName=%s\n' "${name#*:}") 2>/dev/null
done
place=$(readlink "$DB/server")
cp right.crt wrong.crt server.key "$place/"
[[ $EUID -ne 0 ]] || chown "$(cat "$DB/user")" "$place"/*.crt "$place/server.key"

restart --set "ssl-key=$place/server.key" --set "ssl-cert=$place/right.crt" --set require-secure-transport=ON
job "ssl_verify: yes" "ssl_ca: $PWD/ours.crt"
check "a backup over TLS, where nothing else is let in" db_backup
same "with its routines, which mariadb-dump wrote" 1 "$(fact procedures shop/code.sql)"
check "a restore over TLS" "$RESTORE" --config "$HOST/backupd.yaml" database latest --to "$(to "$PWD/ours.crt")"
same "of all rows" 1000 "$(db shop2 -e 'SELECT count(*) FROM t')"
job "ssl_verify: yes" "ssl_ca: $PWD/other.crt"
check_fails 4 "another authority" db_backup
contains "is named" "$(cat .check)" "TLS/SSL error"
check_fails 4 "also before the run" "$BACKUPD" --config "$HOST/backupd.yaml" check database
contains "with the cure" "$(cat .check)" 'with `ssl_ca`'
check "and by a restore" not "$RESTORE" --config "$HOST/backupd.yaml" plan latest --to "$(to "$PWD/other.crt")"
contains "with the reason" "$(cat .check)" "TLS/SSL error"

restart --set "ssl-key=$place/server.key" --set "ssl-cert=$place/wrong.crt"
job "ssl_verify: yes" "ssl_ca: $PWD/ours.crt"
check_fails 4 "a certificate of another name" db_backup

restart
db_client -e "ALTER USER bk@'%' REQUIRE NONE"
check_fails 4 "a server without TLS" db_backup
job "ssl_ca: $PWD/ours.crt"
check_fails 4 "also when only an authority is named" db_backup
contains "is told" "$(cat .check)" "TLS"
job
check "without a word about TLS it goes" db_backup
finish
