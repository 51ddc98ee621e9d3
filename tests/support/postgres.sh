# shellcheck shell=bash disable=SC2119,SC2120  # arguments are optional
# A PostgreSQL server, a backup host and a restore station for integration tests; source it after lib.sh.
#
#     pg_start [OPTION...]                the private server, and a repository with the job `pg` for database shop
#     pg_job [LINE...]                    writes the configuration anew, with these more lines of the job
#     pg DATABASE [psql options]          psql as the superuser, stopping at errors
#     pg_fill DATABASE                    the schema and rows of tests/support/postgres_shop.sql
#     pg_backup [ARGS], pg_restore_to DATABASE [ARGS]   the two programs
#     pg_sums DATABASE                    a line for each table: its name, rows, fingerprint; made without our code
#
# Paths: $PG (fixture), $PGSOCK (the socket's directory), $HOST, $SAFE, $STORAGE.

PG=$TMP/pg
HOST=$TMP/host
SAFE=$TMP/safe
STORAGE=$TMP/storage
PG_BIN=/usr/lib/postgresql/15/bin
PG_USER=postgres
unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGOPTIONS

pg_start() {
    "$REPO_ROOT/tests/fixture/postgres.sh" start "$PG" "$@" --template yes
    at_end "$REPO_ROOT/tests/fixture/postgres.sh" stop "$PG"
    PGSOCK=$(readlink "$PG/socket")
    mkdir -p "$HOST" "$STORAGE"
    pg_job
    "$BACKUPD" --config "$HOST/backupd.yaml" --quiet init --safe "$SAFE" --kit-unconfirmed --no-kit-passphrase >/dev/null
}

pg_job() {
    {
        printf 'state: %s/state\nrepositories:\n  main:\n    storage: { type: local, path: %s }\n' "$HOST" "$STORAGE"
        printf '    keys: %s/keys\n    kit: %s/restore-kit.key\n' "$HOST" "$SAFE"
        printf 'jobs:\n  pg:\n    engine: postgres\n    host: %s\n' "$PGSOCK"
        [[ " $* " == *" database: "* ]] || printf '    database: shop\n'
        [[ " $* " == *" user: "* ]] || printf '    user: %s\n' "$PG_USER"
        [[ " $* " == *" retry_pause: "* ]] || printf '    retry_pause: 0s\n'
        [[ $# -eq 0 ]] || printf '    %s\n' "$@"
    } >"$HOST/backupd.yaml"
}

pg() {
    local database=$1
    shift
    "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$PGSOCK" -U postgres -d "$database" "$@"
}

pg_createdb() { "$PG_BIN/createdb" -h "$PGSOCK" -U postgres -T template0 -- "$1"; }
pg_fill() { pg "$1" -f "$REPO_ROOT/tests/support/postgres_shop.sql" >/dev/null; }
pg_backup() { "$BACKUPD" --config "$HOST/backupd.yaml" "$@" backup pg; }

pg_restore_to() {
    local database=$1
    shift
    "$RESTORE" --config "$HOST/backupd.yaml" database latest "$@" --to "host=$PGSOCK user=postgres dbname='$database'"
}

pg_sums() { /usr/bin/python3 "$REPO_ROOT/tests/support/postgres_sums.py" "$PG_BIN/psql" "$PGSOCK" "$@"; }
# The definitions, without the random words that pg_dump writes since 15.14.
pg_schema() { "$PG_BIN/pg_dump" -s -h "$PGSOCK" -U postgres -d "$1" | grep -vE '^\\(un)?restrict '; }

# fact KEY: of the newest snapshot; fact KEY PATH: of one of its streams
fact() {
    if [[ $# -eq 1 ]]; then
        "$RESTORE" --config "$HOST/backupd.yaml" show latest --json |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["facts"].get(sys.argv[1], ""))' "$1"
    else
        "$RESTORE" --config "$HOST/backupd.yaml" ls latest "$2" --long | sed -n "s/^ *$1=//p"
    fi
}
