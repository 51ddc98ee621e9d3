#!/bin/bash
# Parts of a PostgreSQL snapshot: tables and schemas into another database, a single table to standard output.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

table() { "$RESTORE" --config "$HOST/backupd.yaml" --quiet table latest "$@"; }
relations() {
    pg "$1" -c "SELECT string_agg(relname || ':' || relkind::text, ' ' ORDER BY relname COLLATE \"C\") FROM pg_class c
        JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid >= 16384 AND nspname !~ '^pg_' AND relkind <> 'c'"
}
# The definition of one table, as another program sees it.
definition() { "$PG_BIN/pg_dump" -s -t "$2" -h "$PGSOCK" -U postgres -d "$1" | grep -vE '^\\(un)?restrict |^--|^SE|^$'; }
sums() { pg_sums "$1" | grep -E "$2" || true; }
# The server's own CSV, in the session that the backup has.
csv() {
    PGOPTIONS='-c extra_float_digits=3 -c timezone=UTC -c lc_monetary=C' pg "$1" -c "COPY (SELECT $3 FROM ONLY $2) TO STDOUT WITH (FORMAT csv, HEADER)"
}

pg_start
pg_createdb shop
pg_fill shop
pg shop -c "CREATE TABLE shop.csv (id int, \"a,b\" text, \"q\"\"\" text)" -c "INSERT INTO shop.csv VALUES
    (1, NULL, ''), (2, '', NULL), (3, 'a,b', '\"'), (4, E'x\ny', E'x\ry'), (5, E'\t\b\v\f\\\\', ' '), (6, '\\N', '\\.'), (NULL, NULL, NULL)" \
    -c "CREATE TABLE shop.one (\"x\" text)" -c "INSERT INTO shop.one VALUES ('\\.'), (NULL), ('')" \
    -c "CREATE TABLE shop.rel (id int PRIMARY KEY, c int REFERENCES shop.customers)" -c "INSERT INTO shop.rel SELECT i, i FROM generate_series(1, 10) i"
pg shop -c "CREATE SCHEMA parts" -c "CREATE TABLE parts.none (i int) PARTITION BY LIST (i)" \
    -c "CREATE TABLE parts.turned (i int, t text) PARTITION BY LIST (i)" \
    -c "CREATE TABLE parts.turned_1 PARTITION OF parts.turned FOR VALUES IN (1)" -c "CREATE TABLE parts.turned_2 (t text, i int)" \
    -c "ALTER TABLE parts.turned ATTACH PARTITION parts.turned_2 FOR VALUES IN (2)" -c "INSERT INTO parts.turned VALUES (1, 'a'), (2, 'b')" \
    -c "CREATE TABLE parts.turned_3 PARTITION OF parts.turned DEFAULT PARTITION BY LIST (i)" \
    -c "CREATE TABLE parts.far (i int) PARTITION BY LIST (i)" -c "CREATE TABLE parts.far_0 PARTITION OF parts.far FOR VALUES IN (0)" \
    -c "CREATE FOREIGN TABLE parts.far_1 PARTITION OF parts.far FOR VALUES IN (1) SERVER far"
check "a backup" pg_backup

# ---- a table to standard output
for t in csv one customers nothing types log; do
    columns=$(pg shop -c "SELECT coalesce(string_agg(quote_ident(attname), ', ' ORDER BY attnum), '') FROM pg_attribute
        WHERE attrelid = 'shop.$t'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''")
    table "shop.$t" --format csv >ours.csv
    csv shop "shop.$t" "$columns" >theirs.csv
    check "CSV of $t is what the server writes" cmp ours.csv theirs.csv
    table "shop.$t" --format copy >ours.copy
    same "COPY of $t is what the server writes" \
        "$(PGOPTIONS='-c extra_float_digits=3 -c timezone=UTC -c lc_monetary=C' pg shop -c "COPY (SELECT $columns FROM ONLY shop.$t) TO STDOUT" | md5sum)" "$(md5sum <ours.copy)"
done
for how in "" --inserts; do
    pg postgres -c 'DROP DATABASE IF EXISTS other' -c 'CREATE DATABASE other TEMPLATE template0'
    "$PG_BIN/pg_dump" -s --no-subscriptions -h "$PGSOCK" -U postgres -d shop | pg other -f - >/dev/null 2>&1
    for t in shop.csv shop.customers shop.types shop.nothing '"Other Schema".t'; do
        # shellcheck disable=SC2086  # none or one
        table "$t" $how >script.sql
        check "the script of $t ${how:-with COPY} loads" pg other -f script.sql
    done
    same "rows are equal" "$(sums shop '(csv|types|nothing|"?Other Schema"?.*t) ')" "$(sums other '(csv|types|nothing|"?Other Schema"?.*t) ')"
done
logged=$(pg other -c 'SELECT count(*) FROM shop.log')
table shop.log >script.sql
head -c $(($(stat -c %s script.sql) - 12)) script.sql >cut.sql
pg other -f cut.sql >/dev/null 2>&1 || true
same "of a script that was cut nothing stays" "$logged" "$(pg other -c 'SELECT count(*) FROM shop.log')"
# A partitioned table has the rows of its partitions, also of theirs; of by_state the server would send them elsewhere today.
ordered() { pg "$1" -c "SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE \"C\")) FROM $2 t"; }
for how in "" --inserts; do
    pg other -c 'TRUNCATE shop.orders, shop.by_state'
    for t in orders shop.by_state; do
        # shellcheck disable=SC2086  # none or one
        table "$t" $how >script.sql
        check "the script of $t, which is partitioned, ${how:-with COPY} loads" pg other -f script.sql
    done
    same "with all its rows" "$(ordered shop shop.orders) $(ordered shop shop.by_state)" "$(ordered other shop.orders) $(ordered other shop.by_state)"
done
pg other -c 'TRUNCATE shop.orders'
table shop.orders --as shop.orders_old >script.sql
check "a partitioned one into a new table" pg shop -f script.sql
same "of the same rows" "$(ordered shop shop.orders)" "$(ordered shop shop.orders_old)"
pg shop -c 'DROP TABLE shop.orders_old'
for f in csv copy; do
    table shop.orders --format $f >ours.$f
    PGOPTIONS='-c timezone=UTC' pg shop -c "COPY (SELECT * FROM shop.orders) TO STDOUT WITH (FORMAT ${f/copy/text}$([[ $f == copy ]] || echo ', HEADER'))" >theirs.$f
    same "$f of a partitioned one has every row once" "$(sort theirs.$f | md5sum)" "$(sort ours.$f | md5sum)"
done
same "and one header, first" "$(head -n 1 theirs.csv)" "$(head -n 1 ours.csv)"
table parts.turned >script.sql
check "columns in other orders, as a script" pg other -f script.sql
same "are in their places" "1|a 2|b" "$(pg other -c 'SELECT * FROM parts.turned ORDER BY i' | tr '\n' ' ' | sed 's/ $//')"
table shop.csv --as shop.csv_old >script.sql
check "into a new table" pg shop -f script.sql
same "of the same rows" "$(sums shop 'shop.csv ' | sed 's/[^ ]* //')" "$(sums shop 'shop.csv_old ' | sed 's/[^ ]* //')"
pg shop -c 'DROP TABLE shop.csv_old'
check_fails 1 "a closed pipe" bash -c "set -o pipefail; '$RESTORE' --config '$HOST/backupd.yaml' --quiet table latest shop.blobs 2>err.txt | head -c 10 >/dev/null"

# ---- names
check_fails 1 "no such table" table shop.customer
contains "the nearest is told" "$(cat .check)" "did you mean 'shop.customers'?"
same "nothing is written" "" "$(table shop.customer 2>/dev/null || true)"
check_fails 1 "a partitioned table without partitions" table parts.none
contains "is told" "$(cat .check)" "parts.none and no rows"
check_fails 4 "a partition elsewhere" table parts.far
contains "is named" "$(cat .check)" "its partition parts.far_1 is a foreign table"
check_fails 4 "columns in other orders, as CSV" table parts.turned --format csv
contains "the partitions are named" "$(cat .check)" '"parts"."turned_1" and "parts"."turned_2"'
check_fails 1 "exact names" table '"Shop".customers'
check "without schema" table csv --format copy
check_fails 2 "no name" table 'a.b.c'
check_fails 2 "INSERTs as CSV" table shop.csv --format csv --inserts

# ---- one table into another database
pg_createdb t1
check "one table" pg_restore_to t1 --table shop.customers
contains "the key that refers to it is named" "$(cat .check)" "left out: foreign key orders_customer_fkey of shop.orders"
contains "the view, too" "$(cat .check)" "left out: view shop.totals"
same "its rows" "$(sums shop 'shop.customers ')" "$(sums t1 'shop.customers ')"
same "its definition" "$(definition shop shop.customers)" "$(definition t1 shop.customers)"
same "nothing else" "customers:r customers_id_seq:S customers_pkey:i" "$(relations t1)"
same "the next value" "$(pg shop -c "SELECT last_value FROM shop.customers_id_seq")" "$(pg t1 -c "SELECT last_value FROM shop.customers_id_seq")"
check "triggers work" pg t1 -c "CREATE TABLE shop.log (id int, what text)" -c "INSERT INTO shop.customers (name, since) VALUES ('x', now())"

check "another one, whose key refers to it" pg_restore_to t1 --into-nonempty --table shop.rel
same "the key is made" 1 "$(pg t1 -c "SELECT count(*) FROM pg_constraint WHERE contype = 'f'")"
check_fails 4 "one that is there" pg_restore_to t1 --into-nonempty --table shop.rel
contains "is told" "$(cat .check)" "TABLE shop.rel exists already in the target"
contains "before anything was changed" "$(cat .check)" "nothing was changed"

pg_createdb t2
check "a partitioned table" pg_restore_to t2 --table orders --table shop.rel --jobs 3
same "its rows" "$(sums shop 'shop.(orders|rel)')" "$(sums t2 'shop.(orders|rel)')"
same "its definition" "$(definition shop 'shop.orders*' | grep -vE 'orders_customer_fkey|^ALTER TABLE shop.orders$')" "$(definition t2 'shop.orders*')"
contains "the key is named" "$(cat .check)" "orders_customer_fkey of shop.orders (needs table shop.customers)"
pg_createdb t3
check "one partition by hash" pg_restore_to t3 --table shop.by_state_a
same "its rows" "$(sums shop 'shop.by_state_a ')" "$(sums t3 'shop.by_state_a ')"
contains "that it was one is named" "$(cat .check)" "left out: being a partition, of shop.by_state_a"
pg_createdb t4
check_fails 2 "a child without its parent" pg_restore_to t4 --table shop.child
contains "names it" "$(cat .check)" "needs table shop.parent"
check "a schema" pg_restore_to t4 --schema '"Other Schema"' --table shop.parent --table shop.child
same "and two tables" "$(sums shop '(Other|shop.parent|shop.child)')" "$(sums t4 .)"
check_fails 1 "no such schema" pg_restore_to t4 --schema Other
pg_createdb t5
check "a whole schema" pg_restore_to t5 --schema shop
same "rows of all its tables" "$(sums shop "^'shop")" "$(sums t5 .)"
same "views, too" "$(pg shop -c 'SELECT count(*), sum(total) FROM shop.totals')" "$(pg t5 -c 'SELECT count(*), sum(total) FROM shop.totals')"

# ---- rows alone
check_fails 4 "rows alone, into a table that holds some" pg_restore_to t5 --data-only --table shop.csv
contains "the way out is told" "$(cat .check)" "TRUNCATE it"
pg t5 -c 'TRUNCATE shop.csv, shop.secrets'
check "rows alone" pg_restore_to t5 --data-only --table shop.csv --table shop.secrets
same "are equal" "$(sums shop 'shop.(csv|secrets) ')" "$(sums t5 'shop.(csv|secrets) ')"
same "no mark stays" "" "$(pg t5 -c "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 't5'")"
check_fails 4 "rows alone, without the table" pg_restore_to t1 --data-only --table shop.csv

# ---- the live database lost a table
before=$(sums shop 'shop.csv ')
pg shop -c 'DROP TABLE shop.csv'
check_fails 1 "into the source" pg_restore_to shop --table shop.csv
check "when it is said" pg_restore_to shop --table shop.csv --into-source --into-nonempty
same "it is back" "$before" "$(sums shop 'shop.csv ')"
same "no mark stays on the live database" "" "$(pg shop -c "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'")"

# ---- what is fetched
pg shop -c "CREATE TABLE shop.big AS SELECT i, md5(i::text) AS h, repeat(md5(random()::text), 4) AS r FROM generate_series(1, 60000) i"
check "a night with more rows" pg_backup
for i in 1 2 3; do
    pg shop -c "UPDATE shop.big SET h = h || 'x' WHERE i % 997 = $i" -c "UPDATE shop.secrets SET what = what || '$i'"
    pg_backup --quiet
done
stored=$(table shop.secrets --format copy | wc -c)
fetched=$("$RESTORE" --config "$HOST/backupd.yaml" --json table latest shop.secrets --format copy 2>&1 >/dev/null |
    python3 -c 'import json, sys
print([json.loads(l) for l in sys.stdin if l.startswith("{")][-1]["fetched"])')
check "a small table beside a large one fetches little ($stored, $fetched)" test "$fetched" -le $((stored * 3 / 2 + 2 * 1024 * 1024))
finish
