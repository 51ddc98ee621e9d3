#!/bin/bash
# MariaDB renames no databases: `restore swap` prints the steps, and changes nothing. The steps work as they are printed.
# shellcheck disable=SC2016  # names in backticks
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

"$REPO_ROOT/tests/fixture/mariadb.sh" start "$TMP/db"
at_end "$REPO_ROOT/tests/fixture/mariadb.sh" stop "$TMP/db"
printf '[client]\nsocket=%s/s\nuser=root\n' "$(readlink "$TMP/db/socket")" >client.cnf
mkdir bin
for tool in mariadb mariadb-dump; do
    printf '#!/bin/sh\nexec /usr/bin/%s --defaults-file=%s "$@"\n' "$tool" "$TMP/client.cnf" >"bin/$tool"
    chmod +x "bin/$tool"
done
PATH=$TMP/bin:$PATH
sql() { mariadb -N -B -e "$1"; }
for database in it-shop shop_new; do
    sql "CREATE DATABASE \`$database\` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; USE \`$database\`;
        CREATE TABLE t (id int PRIMARY KEY, v varchar(20)) ENGINE=InnoDB; CREATE TABLE u (t int REFERENCES t (id)) ENGINE=InnoDB;
        CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = upper(NEW.v);
        CREATE VIEW w AS SELECT v FROM t; CREATE FUNCTION f () RETURNS int DETERMINISTIC RETURN 7;
        CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DISABLE DO SET @x = 1; INSERT INTO t VALUES (1, 'of $database'); INSERT INTO u VALUES (1)"
done
check_fails 4 "swap" "$RESTORE" swap --engine mariadb --to it-shop --from shop_new
cp .check said
contains "says that it did nothing" "$(cat said)" "nothing was changed, the steps are above"
same "and did nothing" "OF IT-SHOP" "$(sql 'SELECT v FROM `it-shop`.w')"
check_fails 4 "an address instead of a name" "$RESTORE" swap --to mariadb://root@localhost/it-shop?socket=/x --from shop_new
contains "holds the name" "$(cat .check)" 'DROP DATABASE `it-shop`'
check_fails 2 "no name" "$RESTORE" swap --engine mariadb --to mariadb://localhost

steps() { sed -nE 's/^note +([0-9])\. (.*)$/\1 \2/p' said; }
step() { steps | sed -n "s/^$1 //p" | sed 's/CHARACTER SET ... COLLATE ...;/CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;/g; s/   .*//'; }
check "step 3" sql "$(step 3)"
check "step 4" bash -c "$(step 4)"
check "step 5" sql "$(step 5)"
check "step 6" bash -c "$(step 6)"
kept=$(sql 'SHOW DATABASES' | grep before_restore)
same "the restored one is live" "OF SHOP_NEW 7" "$(sql 'SELECT v, `it-shop`.f() FROM `it-shop`.w' | tr '\t' ' ')"
same "the other one is kept" "OF IT-SHOP 7" "$(sql "SELECT v, \`$kept\`.f() FROM \`$kept\`.w" | tr '\t' ' ')"
same "with trigger, view, routine, event and key" "1 1 1 1 1" "$(sql "SELECT
    (SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = 'it-shop'),
    (SELECT count(*) FROM information_schema.views WHERE table_schema = 'it-shop'),
    (SELECT count(*) FROM information_schema.routines WHERE routine_schema = 'it-shop'),
    (SELECT count(*) FROM information_schema.events WHERE event_schema = 'it-shop'),
    (SELECT count(*) FROM information_schema.referential_constraints WHERE constraint_schema = 'it-shop')" | tr '\t' ' ')"
finish
