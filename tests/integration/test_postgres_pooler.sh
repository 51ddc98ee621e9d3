#!/bin/bash
# Through a connection pooler nothing is backed up, and the reason is told.
# shellcheck disable=SC2016,SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

# pooler MODE: a private PgBouncer before the server; sets POOLER, its socket's directory
pooler() {
    POOLER=$(mktemp -d /tmp/backup-pool.XXXXXX)
    at_end rm -rf "$POOLER"
    printf '"postgres" ""\n' >"$POOLER/users"
    cat >"$POOLER/ini" <<END
[databases]
* = host=$PGSOCK port=5432
[pgbouncer]
listen_addr =
unix_socket_dir = $POOLER
listen_port = 5432
auth_type = any
auth_file = $POOLER/users
pool_mode = $1
ignore_startup_parameters = extra_float_digits
END
    sed -i "s|^\\* = .*|shop = host=$PGSOCK port=5432 user=postgres dbname=shop|" "$POOLER/ini"
    chmod -R a+rX "$POOLER" && chmod a+rwx "$POOLER"
    if [[ $EUID -eq 0 ]]; then
        spawn "$TMP/pooler.log" setpriv --reuid="$(id -u "$(cat "$PG/user")")" --regid="$(id -g "$(cat "$PG/user")")" --clear-groups \
            /usr/sbin/pgbouncer "$POOLER/ini"
    else
        spawn "$TMP/pooler.log" /usr/sbin/pgbouncer "$POOLER/ini"
    fi
    wait_for 20 "$PG_BIN/psql" -X -h "$POOLER" -U postgres -d shop -c 'SELECT 1' || { cat "$TMP/pooler.log"; return 1; }
}

pg_start
pg_createdb shop
pg shop -c 'CREATE TABLE t (id int)'
for mode in transaction session; do
    pooler "$mode"
    pg_job
    sed -i "s|host: $PGSOCK|host: $POOLER|" "$HOST/backupd.yaml"
    check_fails 4 "through a pooler ($mode)" "$BACKUPD" --config "$HOST/backupd.yaml" check database
    contains "the reason is told" "$(cat .check)" "this is a connection pooler (PgBouncer and the like), not the server"
    contains "and the way out" "$(cat .check)" 'give the job the `host` and `port` of the server itself'
    check "a run refuses it, too" not pg_backup
done
pg_job
check "the server itself is fine" pg_backup
finish
