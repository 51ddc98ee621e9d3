#!/bin/bash
# A real database changes in ways that somebody should hear of: each kind is seen, told, marked and held against retention;
# normal nights are none.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/shop.sh"

DB=$HOST/shop.db
CONFIG=$HOST/backupd.yaml

sql() { sqlite3 "$DB" "$@"; }

# Text like an application's: it compresses to a third.
database() {
    rm -f "$DB"
    sql "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, note TEXT);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER, text TEXT);
         CREATE TABLE settings (key TEXT, value TEXT);
         INSERT INTO settings VALUES ('colour', 'green');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
         INSERT INTO customers SELECT i, 'customer number ' || i, 'likes ' || (i * 7919 % 1000) || ' and pays by invoice' FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
         INSERT INTO orders SELECT i, i % 3000, 'two chairs and a table, delivered to door ' || (i * 104729 % 5000) FROM n;"
}

# A night's work: a few rows more, as each night.
night() {
    sql "INSERT INTO orders (customer, text) SELECT id, 'another chair for ' || name FROM customers WHERE id % 200 = ${1:-0};"
}

backup() {
    shop_backup --no-scrub --json "$@" >"$TMP/run.log" || return
    jq -c 'select(.message_type == "summary")' "$TMP/run.log" >"$TMP/run.json"
}
kinds() { jq -r '[.anomalies[].kind] | unique | join(" ")' "$TMP/run.json"; }
# tries NAME KINDS SQL: the change on a copy of everything, so that each begins with the same past.
tries() {
    local name=$1 expected=$2
    rm -rf "$TMP/before"
    cp -a "$TMP/learned" "$TMP/before"
    rm -rf "$HOST" "$STORAGE"
    cp -a "$TMP/before/host" "$HOST"
    cp -a "$TMP/before/storage" "$STORAGE"
    sql "$3"
    backup
    same "$name" "$expected" "$(kinds)"
}

shop_local
printf 'anomalies: { min_age: 0s, min_rows: 50, min_size: 64KiB, min_free: 0 }\n' >>"$CONFIG"
database
for i in 1 2 3 4 5 6 7 8; do
    night "$i"
    backup
    if [[ $i == 1 ]]; then
        same "the first run is like no other" "" "$(kinds)"
    fi
done
same "normal nights are no anomalies" "0 false" "$(jq -r '"\(.anomalies | length) \(.suspicious)"' "$TMP/run.json")"
mkdir "$TMP/learned"
cp -a "$HOST" "$TMP/learned/host"
cp -a "$STORAGE" "$TMP/learned/storage"

tries "one more normal night" "" "INSERT INTO orders (customer, text) SELECT id, 'one more' FROM customers WHERE id % 300 = 0"
tries "rows that were deleted" "rows" "DELETE FROM orders WHERE id > 300"
same "what was seen and what is usual" "table orders of shop.db has far fewer rows than usual: 300 rows" \
    "$(jq -r '.anomalies[0] | "\(.what): \(.seen)"' "$TMP/run.json")"
contains "the log has it, too" "$(cat "$TMP/run.log")" "table orders of shop.db has far fewer rows than usual: 300 rows; usual: about 4,0"
tries "a small table that was emptied" "rows" "DELETE FROM customers"
tries "rows without end" "churn rows" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
    INSERT INTO orders (customer, text) SELECT i % 3000, 'again' FROM n"
tries "a table that is gone" "vanished" "DROP TABLE customers"
tries "a table that got another name" "vanished" "ALTER TABLE customers RENAME TO customers_old"
same "which is also new" "schema schema" "$(jq -r '[.noticed[].kind] | join(" ")' "$TMP/run.json")"
tries "a new column is noted, no anomaly" "" "ALTER TABLE settings ADD COLUMN remark TEXT"
same "as a note" "schema 1 definition changed: shop.db" "$(jq -r '.noticed[] | "\(.kind) \(.what): \(.seen)"' "$TMP/run.json")"
tries "every row rewritten as text is churn" "churn" "UPDATE customers SET note = 'likes ' || (id * 31 % 1000) || ' and pays late';
    UPDATE orders SET text = 'a door for ' || (id * 7 % 5000) || ' which is another text than before'"
tries "rows that somebody encrypted are churn and do not compress" "churn entropy" \
    "UPDATE customers SET name = randomblob(24), note = randomblob(60)"
contains "what to do is said" "$(jq -r '.anomalies[] | select(.kind == "entropy") | .look_at' "$TMP/run.json")" "hold the"

# The mark, and how it goes on.
contains "a program that asks hears that it is suspicious" "$(cat "$TMP/run.json")" '"suspicious":true,"suspicious_in_a_row":1'
cp "$TMP/run.json" "$TMP/encrypted.json"
shop_restore list >"$TMP/list"
contains "restore list marks it" "$(tail -2 "$TMP/list")" "suspicious"
contains "restore show tells kinds, not names" "$(shop_restore show latest)" "much new data (1), data that looks encrypted (1)"
check_fails 1 "and no name of a table" grep -q "customers\|orders" <(shop_restore show latest | grep anomaly)
"$BACKUPD" --config "$CONFIG" anomaly list >"$TMP/state"
contains "anomaly list tells" "$(cat "$TMP/state")" "suspicious"
contains "the retention host hears it and lets nothing go for it" "$("$BACKUPD" --config "$CONFIG" expire --dry-run \
    --retention-key "$SAFE/retention.key" 2>&1)" "shop-db: its newest 1 snapshot is marked as suspicious"
backup
same "what is encrypted stays suspicious, although it is nothing new" "entropy 2" \
    "$(kinds) $(jq -r .suspicious_in_a_row "$TMP/run.json")"
check "until a person says that it is right" "$BACKUPD" --config "$CONFIG" anomaly accept shop-db
backup
same "then it is usual" "" "$(kinds)"

tries "rows that were deleted, once more" "rows" "DELETE FROM orders WHERE id > 300"
backup
same "as long as nobody says that it is right" "rows 2" "$(kinds) $(jq -r .suspicious_in_a_row "$TMP/run.json")"
shop_backup --no-scrub >"$TMP/text" 2>/dev/null
contains "after some it is offered" "$(cat "$TMP/text")" "If that is how it is now, say so: "
check "a person says so" "$BACKUPD" --config "$CONFIG" anomaly accept shop-db
check_fails 1 "once" "$BACKUPD" --config "$CONFIG" anomaly accept shop-db
backup
same "and then it is usual" "" "$(kinds)"

# Storage.
tries "a normal night before the storage loses a pack" "" ""
rm -f "$(find "$STORAGE" -path '*/pack/*' -type f | sort | head -1)"
backup
same "a pack that is missing" "packs" "$(kinds)"
same "which is no fault of this snapshot" "false" "$(jq -r .suspicious "$TMP/run.json")"
tries "a normal night before it is nearly full" "" ""
sed -i 's/min_free: 0/min_free: 99/' "$CONFIG"
backup
same "the storage is nearly full" "space" "$(kinds)"
sed -i 's/min_free: 99/min_free: 99, ignore: [space, rows]/' "$CONFIG"
sql "DELETE FROM orders"
backup
same "kinds can be ignored" "" "$(kinds)"
sed -i 's/^anomalies:.*/anomalies: off/' "$CONFIG"
backup
same "all can be off" "0" "$(jq '.anomalies | length' "$TMP/run.json")"

# What it is remembered in.
tries "a normal night" "" ""
printf 'no database at all, but long enough to be looked at as one' >"$HOST/state/baseline.db"
rm -f "$HOST/state/baseline.db-wal"
check "a damaged baseline is no reason to fail" backup
contains "it is told" "$(cat "$TMP/run.log")" "was damaged and is now"
finish
