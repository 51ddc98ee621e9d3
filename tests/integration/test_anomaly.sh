#!/bin/bash
# A real database changes in ways that somebody should hear of: each kind is seen, told, marked and held against retention;
# normal nights are none.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/shop.sh"
source "$REPO_ROOT/tests/support/notices.sh"

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
    shop_backup --no-scrub --json >"$TMP/run.log" || return
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
expiry() { "$BACKUPD" --config "$CONFIG" expire --dry-run --retention-key "$SAFE/retention.key" 2>&1; }
plan=$(expiry)
contains "the retention host hears it and lets nothing go for it" "$plan" "shop-db: its newest 1 snapshot is marked as suspicious"
same "and its table marks that one" 1 "$(grep -c "stays, suspicious" <<<"$plan")"
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
rm -f "$(find "$STORAGE" -path '*/pack/*' -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)"
contains "the retention host does not count what is not there" "$(expiry)" "files are missing (\`restore verify\` names them)"
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

# A run of the daemon, and what a webhook receives.
tries "a normal night before the daemon" "" ""
receiver web http
printf "notify: { web: { type: webhook, url: 'http://127.0.0.1:%s/hook' } }\n" "$(<web.port)" >>"$CONFIG"
far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
sed -i "s|^    path: .*|&\n    schedule: '$far'\n    catch_up_within: 2d|" "$CONFIG"
daemon_start() {
    spawn daemon.log "$BACKUPD" --config "$CONFIG" daemon
    wait_for 60 grep -q 'runs: ' daemon.log
}
daemon_stop() {
    kill -TERM "$SPAWNED"
    wait_gone "$SPAWNED" 60
    wait "$SPAWNED" 2>/dev/null
}
ended() { [[ $(sqlite3 -readonly "$HOST/state/history.db" "SELECT count(*) FROM run WHERE verdict = 1") == 1 ]]; }
daemon_start
daemon_stop
sql "DELETE FROM orders WHERE id > 300"
sqlite3 "$HOST/state/history.db" "INSERT OR REPLACE INTO job VALUES ('shop-db', strftime('%s','now') - 86400, 0, 0, 0, 0, 0, 1, 0, 0, 0)"
daemon_start
check "the daemon runs it" wait_for 120 ended
check "and sends it" wait_for 120 received_is web 1
daemon_stop
notice=$(newest web)
same "as an anomaly" "anomaly shop-db rows alarm 300 rows" "$(for key in event job anomalies.0.kind anomalies.0.severity anomalies.0.seen; do seen json "$notice" "$key"; done | xargs)"
contains "with what is usual" "$(seen json "$notice" text)" "usual         about 4,0"
contains "and what to look at" "$(seen json "$notice" text)" "look at       What deleted or replaced rows since the last run?"
contains "history tells" "$("$BACKUPD" --config "$CONFIG" history)" "table orders of shop.db has far fewer rows than usual"
contains "so does status" "$("$BACKUPD" --config "$CONFIG" status)" "table orders of shop.db has far fewer rows than usual"
contains "show tells all of it" "$("$BACKUPD" --config "$CONFIG" show 1)" "What deleted or replaced rows since the last run?"
same "also to programs" "rows alarm 300 rows" \
    "$("$BACKUPD" --config "$CONFIG" --json show 1 | jq -r '.anomalies[] | "\(.kind) \(.severity) \(.seen)"')"

# What it is remembered in.
tries "a normal night" "" ""
printf 'no database at all, but long enough to be looked at as one' >"$HOST/state/baseline.db"
rm -f "$HOST/state/baseline.db-wal"
check "a damaged baseline is no reason to fail" backup
contains "it is told" "$(cat "$TMP/run.log")" "was damaged and is now"

# A server that shows another host key: a run that nobody answers is no summary, and says what is unusual all the same.
rm -rf "$HOST" "$SAFE" "$STATION"
shop_sftp
printf 'anomalies: { min_age: 0s, min_free: 0, min_rows: 50, min_size: 64KiB }\n' >>"$CONFIG"
database
backup
old=$(ssh-keygen -lf "$SSHD/host_key.pub" | cut -d' ' -f2)
"$REPO_ROOT/tests/fixture/sshd.sh" halt "$SSHD"
rm "$SSHD"/server/host_ed25519*
"$REPO_ROOT/tests/fixture/sshd.sh" start "$SSHD" --port "$(<"$SSHD/port")"
new=$(ssh-keygen -lf "$SSHD/host_key.pub" | cut -d' ' -f2)
check_fails 9 "another host key: nothing is sent" backup
unusual() { jq -r "select(.message_type == \"unusual\") | .anomalies[] | $1" <(grep '^{' "$TMP/run.log"); }
same "it is told like what is unusual" "host_key $new" "$(unusual '"\(.kind) \(.seen)"')"
contains "with the key that is usual" "$(unusual .usual)" "$old, as at the last run"
contains "and what to look at" "$(unusual .look_at)" "Ask its administrator"
sed -i "s|host_key: .*|host_key: \"$(<"$SSHD/host_key.pub")\"|" "$CONFIG"
backup
same "a key that somebody changed here, too, is told once" "host_key $new $old" "$(jq -r '.anomalies[] | "\(.kind) \(.seen) \(.usual)"' "$TMP/run.json")"
backup
same "and then it is usual" "" "$(kinds)"
finish
