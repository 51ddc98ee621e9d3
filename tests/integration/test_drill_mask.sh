#!/bin/bash
# Masked drills of PostgreSQL, MariaDB and SQLite: nothing of the original values is in the copy that people are given, or in
# the files of its server; joins and unique keys work; rules that do not fit, and values that came back, are found.
# shellcheck disable=SC2016,SC2119,SC2317 # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/drill.sh"

drill_place
# found FILE: what failed, "NAME/SUBJECT/FOUND" a line
found() {
    python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["checks"]:
    if c["verdict"] == "fail": print(c["name"] + "/" + (c["subject"] or "") + "/" + (c["found"] or ""))' "$1"
}
# masked FILE: "TABLE COLUMN RULE ROWS REMAINING" a line, in order
masked() {
    python3 -c 'import json, sys
for m in json.load(open(sys.argv[1]))["masked"]: print(m["table"], m["column"], m["rule"], m["rows"], m["remaining"])' "$1" | sort
}
# rules FILE RULE...: the configuration anew, with the drill `dev` that masks so
rules() {
    local conf=$1 job
    shift
    job=$(sed -n 's/^  \([a-z]*\):$/\1/p' "$conf" | sed -n 2p)
    {
        sed '/^drills:/,$d' "$conf"
        printf 'drills:\n  dev:\n    job: %s\n    mask:\n' "$job"
        printf '      - %s\n' "$@"
    } >"$conf.new"
    mv "$conf.new" "$conf"
}
drill() { "$RESTORE" --config "$CONF" drill run --drill dev --scratch "$SCRATCH" "$@"; }
# refused NAME FRAGMENT RULE...
refused() {
    local name=$1 fragment=$2
    shift 2
    rules "$CONF" "$@"
    check_fails 4 "$name" drill --keep --out not.json
    contains "$name: why, and the way out" "$(python3 -c 'import json; r = json.load(open("not.json"))
assert r["verdict"] == "could_not_run" and not r["masked"]; print(r["reason"], "|", r["cure"])')" "$fragment"
}
# keep: a drill that stays; RUN is its directory
keep() {
    check "a drill that stays" drill --out kept.json --keep
    RUN=$(echo "$SCRATCH"/backupd-drill-*/run)
    same "it has passed" pass "$(python3 -c 'import json; print(json.load(open("kept.json"))["verdict"])')"
}
# end_kept NAME: whatever the drill has on the disk holds none of the planted values, but those that are not masked
end_kept() {
    # A server writes its files when it likes to.
    check "$1: what is not masked is in the files" wait_for 60 grep -rqaiF 'seen-by-all' "$RUN"
    same "$1: no planted value is in any file" "" "$(grep -rlaiE 'pl(a)nted' "$RUN" || true)"
    check "$1: it is ended" "$RESTORE" drill end "$(python3 -c 'import json; print(json.load(open("kept.json"))["id"])')" --scratch "$SCRATCH"
    same "$1: it left nothing" "" "$(left)"
}

# ---- SQLite, and the rules themselves
CONF=$TMP/sqlite.yaml
mkdir -p lite/store
cat >"$CONF" <<YAML
state: $TMP/lite/state
repositories:
  main:
    storage: { type: local, path: $TMP/lite/store }
    keys: $TMP/lite/keys
    kit: $TMP/lite/safe/restore-kit.key
jobs:
  db:
    engine: sqlite
    path: $TMP/shop.db
YAML
sqlite3 shop.db >/dev/null <<'SQL'
PRAGMA journal_mode = WAL;
PRAGMA secure_delete = OFF;
CREATE TABLE customers(id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, phone TEXT, name TEXT COLLATE NOCASE, city TEXT,
    lower_email TEXT GENERATED ALWAYS AS (lower(email)) VIRTUAL);
CREATE TABLE orders(id INTEGER PRIMARY KEY, who TEXT REFERENCES customers(email), amount REAL, photo BLOB);
CREATE INDEX by_lower ON customers(lower(email));
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300)
INSERT INTO customers SELECT x, 'planted' || x || '@example.org', 'planted ' || x, 'Planted', 'seen-by-all' FROM c;
INSERT INTO orders SELECT id, email, id, CAST('planted' AS BLOB) FROM customers;
DELETE FROM customers WHERE id > 200;
DELETE FROM orders WHERE id > 190;
UPDATE customers SET phone = NULL WHERE id <= 10;
CREATE VIRTUAL TABLE words USING fts5(email, name, content='customers', content_rowid='id');
INSERT INTO words(words) VALUES ('rebuild');
CREATE TRIGGER no_change BEFORE UPDATE ON customers BEGIN SELECT raise(ABORT, 'a trigger acts'); END;
SQL
"$BACKUPD" --config "$CONF" --quiet init --safe lite/safe --kit-unconfirmed --no-kit-passphrase >/dev/null
"$BACKUPD" --config "$CONF" --quiet backup >/dev/null
all=('{ column: customers.email, with: hash }' '{ column: "*.who", with: hash }' '{ column: customers.phone, with: null }'
    '{ column: "customers.name", with: { constant: "Jane Doe" } }' '{ column: orders.photo, with: "null" }')
rules "$CONF" "${all[@]}"
keep
same "joins work" 190 "$(sqlite3 "$RUN/database" 'SELECT count(*) FROM customers JOIN orders ON who = email')"
same "every value has its own hash, and only hashes" "200 200" \
    "$(sqlite3 "$RUN/database" "SELECT count(DISTINCT email), sum(email NOT GLOB '*[^a-z2-7]*' AND length(email) = 26) FROM customers" | tr '|' ' ')"
same "full text finds what is there now" 200 "$(sqlite3 "$RUN/database" "SELECT count(*) FROM words WHERE words MATCH 'jane'")"
same "constants and nulls" "Jane Doe 0 0" \
    "$(sqlite3 "$RUN/database" 'SELECT min(name), count(phone), count(photo) FROM customers JOIN orders USING (id)' | tr '|' ' ')"
end_kept SQLite
check "a drill that does not stay" drill --out pass.json
same "the result names columns, rules, rows" "customers email hash 200 0
customers name constant 200 0
customers phone null 190 0
orders photo null 190 0
orders who hash 190 0" "$(masked pass.json)"
contains "so does what it prints" "$(<.check)" "5 columns"
contains "and its page" "$(cat lite/state/drills/*.html)" "Masked columns"
refused "a column that is not there" "correct \`mask\`" "${all[@]}" '{ column: customers.mail, with: hash }'
contains "it is named" "$(<not.json)" "customers.mail"
refused "null where it cannot be" "NOT NULL" '{ column: customers.email, with: null }'
refused "a hash of a number" "for columns of text" '{ column: orders.amount, with: hash }'
refused "a generated column" "generated" '{ column: customers.lower_email, with: hash }'
refused "a constant in a unique column" "without \`mask\` tells" '{ column: customers.email, with: { constant: x } }'
same "nothing of them is left" "" "$(left)"
rules "$CONF" "${all[@]}"
check_fails 2 "a rule without a meaning" "$RESTORE" --config <(sed 's/with: hash/with: sha256/' "$CONF") drill run --drill dev
contains "is named with its place" "$(<.check)" "drills.dev.mask[1].with: expected null, hash or"

# ---- PostgreSQL
source "$REPO_ROOT/tests/support/postgres.sh"
CONF=$HOST/backupd.yaml
pg_start
pg_createdb shop
pg shop >/dev/null <<'SQL'
CREATE SCHEMA "Shop";
CREATE DOMAIN mail AS varchar(20) CHECK (value <> 'never');
CREATE TABLE "Shop".customers (id int PRIMARY KEY, email mail UNIQUE NOT NULL, phone text, name char(12) NOT NULL, born date, city text,
    lower_email text GENERATED ALWAYS AS (lower(email::text)) STORED);
CREATE TABLE orders (id int PRIMARY KEY, who text REFERENCES "Shop".customers (email), amount numeric, tags text[]);
CREATE TABLE visits (day int, who char(40)) PARTITION BY RANGE (day);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (1) TO (100);
CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (100) TO (1000);
CREATE INDEX ON "Shop".customers (lower(name));
INSERT INTO "Shop".customers SELECT g, 'planted' || g || E'\\\t', 'planted ' || g, 'Planted ' || g, '2000-01-01', 'seen-by-all'
    FROM generate_series(1, 200) g;
UPDATE "Shop".customers SET phone = NULL WHERE id <= 10;
INSERT INTO orders SELECT id, email, id FROM "Shop".customers;
INSERT INTO visits SELECT id, email FROM "Shop".customers;
SELECT lo_from_bytea(0, 'not looked at');
CREATE MATERIALIZED VIEW mails AS SELECT email, name FROM "Shop".customers;
CREATE FUNCTION acts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a trigger acts'; END $$;
CREATE TRIGGER acts BEFORE INSERT OR UPDATE ON "Shop".customers FOR EACH ROW EXECUTE FUNCTION acts();
SQL
pg shop -c 'CREATE ROLE "q""q"' -c 'GRANT SELECT ON "Shop".customers TO "q""q"'
check "a backup of PostgreSQL" pg_backup
all=('{ column: Shop.customers.email, with: hash }' '{ column: public.orders.who, with: hash }'
    '{ column: Shop.customers.phone, with: null }' '{ column: Shop.customers.name, with: { constant: Jane Döe } }'
    '{ column: Shop.customers.born, with: { constant: 1970-1-1 } }' '{ column: public.visits.who, with: hash }')
rules "$CONF" "${all[@]}"
keep
kept() { PGHOST=$RUN psql -X -U postgres -d shop -qAt -F ' ' -v ON_ERROR_STOP=1 -c "$1"; }
# shellcheck disable=SC2218 # it is defined before, and anew for MariaDB
kept CHECKPOINT
same "joins work, also with partitions and char(n)" "200 200" \
    "$(kept 'SELECT count(o.id), count(v.day) FROM "Shop".customers c JOIN orders o ON o.who = c.email JOIN visits v ON v.who = c.email')"
same "every value has its own hash, as long as the shortest column" "200 200" \
    "$(kept "SELECT count(DISTINCT email), sum((email ~ '^[a-z2-7]{20}\$')::int) FROM \"Shop\".customers")"
same "constants and nulls" "Jane Döe 1970-01-01 0" "$(kept 'SELECT rtrim(max(name)), max(born), count(phone) FROM "Shop".customers')"
same "what is made of them is masked, too" "200 200" \
    "$(kept 'SELECT (SELECT count(*) FROM mails JOIN "Shop".customers USING (email)), (SELECT count(*) FROM "Shop".customers WHERE lower_email = email)')"
end_kept PostgreSQL
same "the result" "Shop.customers born constant 200 0
Shop.customers email hash 200 0
Shop.customers name constant 200 0
Shop.customers phone null 190 0
public.orders who hash 200 0
public.visits who hash 0 0
public.visits_1 who hash 99 0
public.visits_2 who hash 101 0" "$(masked kept.json)"
same "what cannot be told is told" "large objects" \
    "$(python3 -c 'import json; print(*[c["subject"] for c in json.load(open("kept.json"))["checks"] if c["verdict"] == "could_not_run"])')"
cat >back.sql <<'SQL'
ALTER TABLE "Shop".customers DISABLE TRIGGER acts;
UPDATE "Shop".customers SET phone = '+49 30 1' WHERE id = 7;
UPDATE "Shop".customers SET email = 'alice@example.org' WHERE id = 200;
SQL
rules "$CONF" '{ column: Shop.customers.email, with: hash }' '{ column: Shop.customers.phone, with: null }'
check_fails 4 "a key that is masked on one side only" drill --out not.json
contains "is no fault of the backup" "$(<not.json)" "without \`mask\` tells"
same "and what the server said of a row is not kept" "" "$(grep -rlaF -e planted1 not.json "$HOST"/state/drills)"
refused "a constant that is no date" "correct \`mask\`" '{ column: Shop.customers.born, with: { constant: soon } }'
rules "$CONF" "${all[@]/visits.who/visits*.who}"
check_fails 9 "values that came back, in a drill of one table" drill --table '"Shop".customers' --inject back.sql --keep --out back.json
found=$(found back.json)
contains "the column is named" "$found" "no original value is left/Shop.customers.phone/1 other values"
contains "the other one, too" "$found" "no original value is left/Shop.customers.email/1 other values"
contains "and the table" "$found" 'rows and fingerprint, as masked/"Shop"."customers"'
contains "such a copy is not handed out" "$(<.check)" "not kept"
same "nothing is left of PostgreSQL" "" "$(left)"
"$REPO_ROOT/tests/fixture/postgres.sh" stop "$PG"

# ---- MariaDB
rm -r "$HOST" "$STORAGE" "$SAFE"
source "$REPO_ROOT/tests/support/mariadb.sh"
db_start
db_client -e 'CREATE DATABASE shop CHARACTER SET utf8mb4'
db shop <<'SQL'
CREATE TABLE customers (id INT PRIMARY KEY, email VARCHAR(60) NOT NULL UNIQUE, phone TEXT, name CHAR(12) CHARACTER SET latin1 NOT NULL,
    born DATE, city TEXT, kind ENUM('a', 'b'), lower_email VARCHAR(60) AS (lower(email)) STORED, KEY (name));
CREATE TABLE orders (id INT PRIMARY KEY, who VARCHAR(80), FOREIGN KEY (who) REFERENCES customers (email)) WITH SYSTEM VERSIONING;
INSERT INTO customers (id, email, phone, name, born, city, kind) SELECT seq, concat('planted', seq, '\\\t'), concat('planted ', seq),
    concat('Planted ', seq), '2000-01-01', 'seen-by-all', 'a' FROM seq_1_to_200;
UPDATE customers SET phone = NULL WHERE id <= 10;
INSERT INTO orders SELECT id, email FROM customers;
DELETE FROM orders WHERE id > 150;
DELIMITER //
CREATE TRIGGER acts BEFORE INSERT ON customers FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a trigger acts' //
SQL
CONF=$HOST/backupd.yaml
check "a backup of MariaDB" db_backup
all=('{ column: customers.email, with: hash }' '{ column: orders.who, with: hash }' '{ column: customers.phone, with: null }'
    '{ column: customers.name, with: { constant: "Jane Döe" } }' '{ column: customers.born, with: { constant: 1970-1-1 } }')
rules "$CONF" "${all[@]}" '{ column: customers.kind, with: null }'
keep
kept() { mariadb --no-defaults --socket="$(find "$RUN" -maxdepth 1 -type s | head -1)" --user=root --default-character-set=utf8mb4 -BN shop -e "$1" | tr '\t' ' '; }
same "joins work" 150 "$(kept 'SELECT count(*) FROM customers JOIN orders ON who = email')"
same "every value has its own hash" "200 200" "$(kept "SELECT count(DISTINCT email), sum(email REGEXP '^[a-z2-7]{26}\$') FROM customers")"
same "constants and nulls" "Jane Döe 1970-01-01 0 0" "$(kept 'SELECT max(name), max(born), count(phone), count(kind) FROM customers')"
same "what is made of them is masked, too" 200 "$(kept 'SELECT count(*) FROM customers WHERE lower_email = email')"
end_kept MariaDB
same "the result" "customers born constant 200 0
customers email hash 200 0
customers kind null 200 0
customers name constant 200 0
customers phone null 190 0
orders who hash 200 0" "$(masked kept.json)"
printf '%s\n' "UPDATE customers SET phone = '+49 30 1', name = 'Alice' WHERE id = 7;" >faults.sql
check_fails 9 "values that came back to MariaDB" drill --inject faults.sql --out back.json
found=$(found back.json)
contains "the column is named" "$found" "no original value is left/customers.phone/1 other values"
contains "the other one, too" "$found" "no original value is left/customers.name/1 other values"
contains "and the table" "$found" 'rows and fingerprint, as masked/customers'
same "nothing is left of MariaDB" "" "$(left)"
finish
