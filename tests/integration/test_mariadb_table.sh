#!/bin/bash
# One table of a MariaDB snapshot for other programs: as SQL, as CSV, as it is stored, loaded with the stock client and
# compared with the source.
# shellcheck disable=SC2016,SC2119,SC2317  # names with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

table() { "$RESTORE" --config "$HOST/backupd.yaml" --quiet table latest "$@"; }
quoted() { printf '`%s`' "${1//'`'/'``'}"; }
tables() { db shop -e "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1"; }

db_start
db_fill shop
db_client -e 'CREATE DATABASE other'
db other -e 'CREATE TABLE elsewhere (id int)'
db_job "database: [ shop, other ]" "users: no"
check "a backup" db_backup
db_sums shop >sums
"$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest shop/schema.sql >schema.sql

# ---- SQL, in blocks and row by row: every table, with the stock client as it is
for how in blocks single; do
    db_client -e "CREATE DATABASE $how CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    db "$how" <schema.sql
    more=()
    [[ $how == blocks ]] || more=(--inserts)
    while IFS= read -r name; do
        table "$(quoted "$name")" --database shop --format sql "${more[@]}" >script.sql
        LC_ALL=C mariadb --no-defaults --socket="$DBSOCK" --user=root --default-character-set=latin1 "$how" <script.sql || fail "$name"
    done < <(tables)
    db_sums "$how" >sums.2
    check "SQL ($how): every row of every table" diff sums sums.2
done
same "one INSERT for each row" 2001 "$(table customers --database shop --inserts | grep -c '^INSERT')"
same "or a few" 1 "$(table customers --database shop | grep -c '^INSERT')"
table customers --database shop >script.sql
db_client -e 'CREATE DATABASE cut'
db cut <schema.sql
head -c $(($(wc -c <script.sql) - 9)) script.sql >cut.sql
db cut <cut.sql
same "nothing stays of a script that was cut" 0 "$(db cut -e 'SELECT count(*) FROM customers')"
db single -e 'DELETE FROM with_sequence'
check "into a new table" db single < <(table with_sequence --database shop --as '`the new`')
same "which has the rows" "$(db shop -e 'SELECT * FROM with_sequence')" "$(db single -e 'SELECT * FROM `the new`')"
same "while the old one is as it was" 0 "$(db single -e 'SELECT count(*) FROM with_sequence')"
check_fails 1 "where the name is taken" db single < <(table with_sequence --database shop --as with_sequence)
db single -e 'DELETE FROM one_column; ALTER TABLE one_column MODIFY v varchar(0)'
check_fails 1 "a value that does not fit is no silent loss" db single < <(table one_column --database shop)

# ---- as it is stored
table bytes --database shop --format copy >bytes.tsv
check "copy is the stream" cmp bytes.tsv <("$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest shop/tables/bytes.tsv)

# ---- CSV, read by a program that knows nothing of us
table every_type --database shop --format csv >every.csv 2>every.log
python3 - every.csv >every.txt <<'END'
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8")))
for r in rows:
    print(r["id"], r["l1"], r["j"], r["e"] or "-", r["u"], r["u16"], r["bin"], r["bits"], r["c"], sep="|")
    print(repr(r["mt"]), repr(r["n"]))
END
same "CSV: text is UTF-8, bytes are digits" "$(printf '%s\n' '2|aé€|{"a": [1, null, "\u00e9"]}|b|123e4567-e89b-12d3-a456-426655440000|006100E9D83DDE00|0102000000|FFFFFFFFFFFFFFFF|ab')" "$(sed -n 3p every.txt)"
same "CSV: with tabs and newlines" "'tab\\tnew\\nline\\\\' 'A a'" "$(sed -n 4p every.txt)"
contains "which are named" "$("$RESTORE" --config "$HOST/backupd.yaml" table latest every_type --database shop --format csv 2>&1 >/dev/null)" "hexadecimal digits of their bytes: bi, bits, odd, bin"
same "CSV: nothing is NULL, \"\" is empty" $'v\n""\na\n""\n\n\\\n\t\n"\n"\n""\n""' "$(table one_column --database shop --format csv)"
db single -e 'CREATE TABLE back LIKE customers'
table customers --database shop --format csv >customers.csv
mariadb --no-defaults --socket="$DBSOCK" --user=root --local-infile=1 --default-character-set=utf8mb4 single -e "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00';
    LOAD DATA LOCAL INFILE '$TMP/customers.csv' INTO TABLE back CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\n' IGNORE 1 LINES
    (@id, name, @email, @note, since, @changed) SET id = @id, email = nullif(@email, ''), secret_note = nullif(@note, ''), changed = nullif(@changed, '')"
same "CSV: the server's own reader takes it" "" "$(db single -e 'SELECT id, name, email, secret_note, since, changed FROM back EXCEPT SELECT id, name, email, secret_note, since, changed FROM shop.customers')"
same "all of it" 2001 "$(db single -e 'SELECT count(*) FROM back')"

# ---- what is refused
check_fails 1 "a table that is not there" table custmers --database shop --format csv
contains "the nearest is told" "$(cat .check)" "customers"
check_fails 1 "one of another database" table elsewhere --database shop --format csv
check_fails 2 "two tables of which database?" table customers --format csv
check "the other database" table elsewhere --database other --format csv
finish
