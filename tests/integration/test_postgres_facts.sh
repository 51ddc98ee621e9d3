#!/bin/bash
# Facts of a database besides its rows: counted and hashed, equal after every kind of restore, different after a change.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/postgres.sh
source "$REPO_ROOT/tests/support/postgres.sh"

SCHEMA=shop/schema.pgdump
drop_two() {
    pg two -c "DROP SUBSCRIPTION IF EXISTS elsewhere" 2>/dev/null || true # a database with one cannot be dropped
    pg postgres -c "DROP DATABASE IF EXISTS two" 2>/dev/null
}
restored() { drop_two && pg_createdb two && pg_restore_to two "$@"; }

pg_start
pg_createdb shop
pg_fill shop
pg shop -f "$REPO_ROOT/tests/support/postgres_objects.sql" >/dev/null
pg_job "freshness: [shop.orders.placed, extra.texts.state, shop.blobs.body, 'shop.\"No\"\"Such\".x', shop.types.j]"
check 'what cannot be read for freshness is a finding' "$BACKUPD" --config "$HOST/backupd.yaml" check database pg
contains "a column that is not there" "$(cat .check)" 'freshness: there is no column shop."No""Such".x'
contains "a column without an order" "$(cat .check)" "freshness of shop.types.j cannot be read"
check "a backup" pg_backup

# ---- counts, by SQL of their own
of() { fact "objects_$1" "$SCHEMA" | cut -d' ' -f1; }
count() { pg shop -c "SELECT count(*) FROM $1"; }
user="nspname !~ '^pg_' AND nspname <> 'information_schema'"
relation="pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE $user AND relkind ="
same "tables" "$(count "$relation 'r'")" "$(of tables)"
same "partitioned tables" "$(count "$relation 'p'")" "$(of partitioned_tables)"
same "views" "$(count "$relation 'v'")" "$(of views)"
same "materialized views, filled and not" "1 1" "$(of materialized_views) $(of materialized_views_empty)"
same "sequences" "$(count "$relation 'S'")" "$(of sequences)"
same "indexes, but for the invalid one" "$(count "pg_indexes WHERE schemaname IN ('shop', 'extra') AND indexname <> 'texts_two'")" "$(of indexes)"
same "primary keys" "$(count "pg_constraint k JOIN pg_namespace n ON n.oid = connamespace WHERE $user AND contype = 'p'")" "$(of primary_keys)"
for pair in foreign_tables:2 exclusion_constraints:2 procedures:2 aggregates:2 event_triggers:2 publications:3 subscriptions:1 \
    foreign_servers:2 extensions:1 rules:1 statistics:1 policies:2 domains:2; do
    same "${pair%:*}" "${pair#*:}" "$(of "${pair%:*}")"
done
same "no fact of what there is none of" "" "$(of window_functions)"
contains "collations with their version" "$(fact collations $SCHEMA)" "extra.numeric:i:"
same "the newest value of a partitioned table" "$(pg shop -c 'SELECT max(placed) FROM shop.orders')" \
    "$(fact newest_shop.orders.placed $SCHEMA)"
same "and of another column" new "$(fact newest_extra.texts.state $SCHEMA)"
same "bytes of a table" "$("$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest shop/tables/shop/secrets.copy | wc -c)" \
    "$(fact bytes shop/tables/shop/secrets.copy)"
contains "values of sequences" "$(fact sequence_values shop/load.sql)" "shop.was_set:4711:next"

# ---- a hash as docs/format.md says, from psql and python3-xxhash
same "the hash of the schemas" "$(pg shop -c "SELECT json_build_array(nspname) FROM pg_namespace WHERE $user AND nspname <> 'public'" |
    /usr/bin/python3 -c 'import sys, xxhash
print("%d %032x" % (len(rows := sys.stdin.buffer.read().split(b"\n")[:-1]), sum(map(xxhash.xxh3_128_intdigest, rows)) % 2**128))')" \
    "$(fact objects_schemas $SCHEMA)"

# ---- equal after a restore, with each way to restore
census() { grep -oE '(schema_hash|sequence_hash|owners|(objects|grants)_[a-z_]+)=[0-9a-f]+( [0-9a-f]{32})?'; }
listed() { "$RESTORE" --config "$HOST/backupd.yaml" ls latest "$1" --long; }
before=$({ listed shop/schema.pgdump; listed shop/load.sql; } | census)
check "restore" restored
contains "what was compared is told" "$(cat .check)" "objects, their owners and rights and all sequences"
pg_job "database: two"
check "a backup of what was restored" pg_backup
same "has equal facts" "$before" "$({ listed two/schema.pgdump; listed two/load.sql; } | census)"
pg_job
check "the first one again" pg_backup
check "without owners" restored --no-owner
contains "is told" "$(cat .check)" "objects and all sequences"
drop_two
pg_createdb two
pg two -c "CREATE TABLE mine ()"
check "no comparison of what was there already" pg_restore_to two --into-nonempty
check "without a comparison" restored --no-verify

# ---- a restore that loses something after it was loaded: pg_restore refreshes the views last
pg shop -c "CREATE FUNCTION extra.meddle() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN
    DROP INDEX extra.texts_some; DROP TRIGGER audit ON shop.customers; ALTER SEQUENCE shop.was_set RESTART 12; REVOKE SELECT ON shop.secrets FROM PUBLIC, \"Shop Reader\"; END'" \
    -c "CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION extra.meddle()"
check "a backup of such a database" pg_backup
check_fails 9 "an index, a right and the value of a sequence lost" restored
contains "the kind is named" "$(cat .check)" "indexes ($(($(of indexes) - 1)), backed up were $(of indexes))"
contains "the trigger, too" "$(cat .check)" "triggers ($(($(of triggers) - 1)), backed up were $(of triggers))"
contains "the rights are named" "$(cat .check)" "rights of tables ("
contains "the sequence is named" "$(cat .check)" "sequence shop.was_set (backed up was 4711:next)"
check_fails 9 "without owners" restored --no-owner
same "rights are not compared then" 0 "$(grep -c "rights of" .check)"

# ---- a source without the schema public
pg_createdb bare
pg bare -c "DROP SCHEMA public" -c "CREATE SCHEMA own" -c "CREATE TABLE own.t (id int)"
pg_job "database: bare"
check "a backup of a database without public" pg_backup
check "is restored" restored

finish
