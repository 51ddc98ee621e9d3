#!/bin/bash
# restore diff: what changed between two snapshots of a PostgreSQL database, an SQLite file and a tree, from facts alone.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/postgres.sh
source "$REPO_ROOT/tests/support/postgres.sh"

diff_of() { "$RESTORE" --config "$HOST/backupd.yaml" diff "$@"; }
# change KIND PATH|KEY: what the JSON says of it
change() {
    diff_of pg/1 pg/2 --json | python3 -c 'import json, sys
for o in map(json.loads, sys.stdin):
    if o["message_type"] == "change" and o["kind"] == sys.argv[1] and sys.argv[2] in (o["path"], o.get("key")):
        b, a = o.get("before"), o.get("after")
        rows = lambda x: x.get("rows") if isinstance(x, dict) else x
        print(o["change"], rows(b), rows(a))' "$@"
}

pg_start
pg_createdb shop
pg_fill shop
check "a night" pg_backup
pg shop -c "UPDATE shop.secrets SET what = 'other' WHERE id = 7" -c "DELETE FROM shop.cache WHERE k = 'k1'" \
    -c "CREATE TABLE shop.fresh (id int)" -c "INSERT INTO shop.fresh VALUES (1)" -c "DROP TABLE shop.empty" \
    -c "SELECT setval('shop.was_set', 5000)" -c "GRANT SELECT ON shop.log TO shop_group" \
    -c "CREATE OR REPLACE VIEW shop.totals AS SELECT c.id, c.name, sum(o.total) + 1 AS total FROM shop.customers c
        JOIN shop.orders o ON o.customer = c.id GROUP BY c.id, c.name" -c "CREATE INDEX ON shop.log (what)" \
    -c "CREATE TABLE keep AS SELECT * FROM shop.parent" -c "VACUUM FULL shop.parent" -c "DROP TABLE keep" >/dev/null
check "another night" pg_backup
check "the difference" diff_of pg/1 pg/2
cat .check
same "a changed row" "changed 50 50" "$(change table shop/tables/shop/secrets.copy)"
contains "is told as such" "$(grep secrets .check)" "other contents"
same "a row less" "changed 500 499" "$(change table shop/tables/shop/cache.copy)"
same "a new table" "added None 1" "$(change table shop/tables/shop/fresh.copy)"
same "one that is gone" "removed 0 None" "$(change table shop/tables/shop/empty.copy)"
same "nothing else in tables" 4 "$(diff_of pg/1 pg/2 --json | grep -c '"kind": *"table"')"
contains "an index" "$(change fact objects_indexes)" "changed"
contains "how a view is written" "$(grep ': views' .check)" "changed in detail"
same "the view that reads it is the same" "" "$(change fact objects_materialized_views)"
contains "a right" "$(grep 'rights of tables' .check)" "tables"
same "a sequence" "changed 4711:next 5000:used" "$(change fact shop.was_set)"
contains "no data is read" "$(cat .check)" "read, no data."
total() { diff_of "$@" --json | python3 -c 'import json, sys
print([o for o in map(json.loads, sys.stdin) if o["message_type"] == "summary"][-1][sys.argv[1]])' "$key"; }
key=differs
same "programs are told" True "$(total pg/1 pg/2)"
same "the same one" False "$(total pg/2 pg/2)"
contains "also in words" "$(diff_of pg/2 pg/2)" "No difference between pg/2 and pg/2"
key=bytes_read
read=$(total pg/1 pg/2)
check "little is read ($read bytes)" test "$read" -lt 1000000
check "one database" diff_of pg/1 pg/2 --database shop
check_fails 1 "one that is not there" diff_of pg/1 pg/2 --database nowhere

# ---- a tree, an SQLite file, and what cannot be compared
mkdir tree && printf 'one' >tree/a && printf 'two' >tree/b && mkdir tree/d && ln -s a tree/l
sqlite3 s.db 'CREATE TABLE t (x)'
{
    cat "$HOST/backupd.yaml"
    printf '  tree:\n    engine: files\n    path: %s\n  lite:\n    engine: sqlite\n    path: %s\n' "$TMP/tree" "$TMP/s.db"
    printf '  other:\n    engine: postgres\n    host: %s\n    user: postgres\n    database: shop\n' "$PGSOCK"
} >conf && mv conf "$HOST/backupd.yaml"
run() { "$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup "$@" || [[ $? -eq 3 ]]; }
run tree lite other
printf 'ONE' >tree/a && chmod 600 tree/b && rmdir tree/d && printf 'new' >tree/n && ln -sfn b tree/l
sqlite3 s.db 'INSERT INTO t VALUES (1)'
pg shop -c "UPDATE shop.secrets SET what = 'third' WHERE id = 8"
run tree lite other
diff_of tree/1 tree/2 >out
cat out
same "a tree" "+ n - d m b ~ a ~ l" "$(sed -nE 's/^ *([-+m~]) +([a-z])( .*|$)/\1 \2/p' out | sort -k1,1 -k2,2 | LC_ALL=C sort | paste -sd' ' | sed 's/^\(+ n\) \(- d\) \(m b\)/\1 \2 \3/')"
contains "an SQLite file" "$(diff_of lite/1 lite/2)" "s.db: rows"
diff_of pg/2 other/2 >out
contains "rows of another writer" "$(grep shop.secrets out)" "contents cannot be compared"
contains "are told" "$(cat out)" "different writers"
same "equal bytes are equal all the same" 0 "$(grep -c shop.customers out)"
check_fails 2 "two kinds" diff_of tree/1 lite/1
check_fails 2 "a database of a tree" diff_of tree/1 tree/2 --database x
pg_job
finish
