#!/bin/bash
# Several databases of one server in one job: a list, or all of them.
# shellcheck disable=SC2119  # arguments are optional
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

config() { # LINE... of the job
    printf 'state: %s/state\nrepositories:\n  main:\n    storage: { type: local, path: %s }\n' "$HOST" "$STORAGE"
    printf '    keys: %s/keys\n    kit: %s/restore-kit.key\n' "$HOST" "$SAFE"
    printf 'jobs:\n  pg:\n    engine: postgres\n    host: %s\n    user: postgres\n' "$PGSOCK"
    [[ $# -eq 0 ]] || printf '    %s\n' "$@"
}
streams() { "$RESTORE" --config "$HOST/backupd.yaml" --quiet ls latest --json | python3 -c '
import json, sys
names = [o.get("name", o.get("path", "")) for o in map(json.loads, sys.stdin)]
print(" ".join(sorted({n.split("/")[0] for n in names if n})))'; }

pg_start
for db in shop crm 'We ird/"db' scratch_1 scratch_2; do
    pg_createdb "$db"
    pg "$db" -c 'CREATE TABLE here (name text)' -c "INSERT INTO here SELECT current_database()"
done
pg crm -c "ALTER DATABASE crm SET work_mem = '8MB'" -c 'CREATE TABLE more (id serial)'
pg postgres -c 'CREATE DATABASE closed ALLOW_CONNECTIONS false'

# ---- a list
config 'database: [shop, crm]' >"$HOST/backupd.yaml"
check "a look at two databases" "$BACKUPD" --config "$HOST/backupd.yaml" check database
check "a backup of two" pg_backup
same "both are there" "crm globals.sql shop" "$(streams)"
same "the snapshot says how many" 2 "$(fact databases)"
same "what is true of one is a fact of it" "crm 2 1" \
    "$(fact database crm/schema.pgdump) $(fact tables crm/schema.pgdump) $(fact database_settings crm/schema.pgdump)"
same "and of the other" "shop 1 0" \
    "$(fact database shop/schema.pgdump) $(fact tables shop/schema.pgdump) $(fact database_settings shop/schema.pgdump)"
same "in order of the list" "$(pg postgres -c "SELECT (SELECT oid FROM pg_database WHERE datname = 'shop') || ',' ||
    (SELECT oid FROM pg_database WHERE datname = 'crm')")" "$(fact database_oids)"
same "no table is missing" "shop" "$("$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest shop/tables/public/here.copy)"

pg_createdb new
check_fails 2 "a restore wants to know which" pg_restore_to new
contains "and names them" "$(cat .check)" "crm, shop"
same "nothing was made" 0 "$(pg new -c "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")"
check_fails 1 "a live one is not restored into" pg_restore_to crm --into-nonempty
contains "it is recognized" "$(cat .check)" "is the database that was backed up"

# ---- all of them
config 'all_databases: yes' 'exclude_databases: [scratch_*, "?ostgres"]' >"$HOST/backupd.yaml"
check "a backup of all but some" pg_backup
same "they are there" 'We%20ird%2F%22db crm globals.sql new shop' "$(streams)"
same "a hostile name, too" 'We ird/"db' \
    "$("$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest 'We%20ird%2F%22db/tables/public/here.copy')"

# ---- mistakes
config 'database: [shop, nowhere]' >"$HOST/backupd.yaml"
check_fails 4 "one that is not there" pg_backup
contains "is named" "$(cat .check)" "pg: database nowhere at"
config 'database: [shop, shop]' >"$HOST/backupd.yaml"
check_fails 2 "one twice" pg_backup
config 'database: shop' 'all_databases: yes' >"$HOST/backupd.yaml"
check_fails 2 "one and all" pg_backup
config >"$HOST/backupd.yaml"
check_fails 2 "none" pg_backup
config 'all_databases: yes' 'exclude_databases: "*"' >"$HOST/backupd.yaml"
check "nothing left is said" not pg_backup
contains "so" "$(cat .check)" "leaves out every database"

finish
