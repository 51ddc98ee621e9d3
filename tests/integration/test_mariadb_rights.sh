#!/bin/bash
# The least that an account needs: each missing right is found before anything is read, named with its cure, and the cure
# works. Passwords are seen nowhere. Tables that no snapshot shows are refused, or locked.
# shellcheck disable=SC2016,SC2119,SC2317  # texts with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

look() { "$BACKUPD" --config "$HOST/backupd.yaml" check database; }
give() { db_client -e "$1"; }
readonly SECRET='p"w\ #s'\''ecret'

db_start
db_fill shop
give "CREATE USER bk@localhost IDENTIFIED BY 'p\"w\\\\ #s''ecret'; GRANT SELECT ON shop.* TO bk@localhost"
printf '%s\nnot this line\n' "$SECRET" >"$HOST/password"
chmod 0644 "$HOST/password"
db_job "user: bk" "password_file: $HOST/password" "connections: 3"
check_fails 4 "a password file that others can read" db_backup
contains "and the cure" "$(cat .check)" "chmod 0600"
chmod 0600 "$HOST/password"

check_fails 4 "an account that may only SELECT" look
contains "what would be hidden is told" "$(cat .check)" 'the account has no right SHOW VIEW, TRIGGER, EVENT'
contains "with the cure" "$(cat .check)" 'GRANT SHOW VIEW, TRIGGER, EVENT ON `shop`.* TO `bk`@`localhost`'
contains "routines as well" "$(cat .check)" 'GRANT SELECT ON mysql.proc TO `bk`@`localhost`'
contains "accounts, too" "$(cat .check)" 'GRANT SELECT ON mysql.* TO `bk`@`localhost`'
for missing in 'SHOW VIEW' TRIGGER EVENT; do
    give "GRANT SHOW VIEW, TRIGGER, EVENT ON shop.* TO bk@localhost; REVOKE $missing ON shop.* FROM bk@localhost"
    check_fails 4 "without $missing nothing is backed up" db_backup
    contains "and it is named" "$(cat .check)" "no right $missing"
done
give 'GRANT SHOW VIEW, TRIGGER, EVENT ON shop.* TO bk@localhost'
check_fails 4 "without the routines nothing is backed up" db_backup
contains "and the cure is named" "$(cat .check)" "GRANT SELECT ON mysql.proc"
give 'GRANT SELECT ON mysql.proc TO bk@localhost'
check_fails 4 "nor without the accounts" db_backup
give 'GRANT SELECT ON mysql.* TO bk@localhost'
check_fails 4 "nor views that call functions" db_backup
contains "whose cure is told" "$(cat .check)" 'GRANT EXECUTE ON `shop`.* TO `bk`@`localhost`'
give 'GRANT EXECUTE ON shop.* TO bk@localhost'
check "with every cure it is ready" look
check "with every cure" db_backup
same "all of the code is there" "4 3 2 2 2" \
    "$(for key in views triggers procedures functions events; do fact "$key" shop/code.sql; done | paste -sd' ')"
check "what this account backed up is everything" db_restore_to shop2
db_sums shop >one
db_sums shop2 >two
check "row by row" diff one two
db_definitions shop >one
db_definitions shop2 >two
check "definition by definition" diff one two
db_client -e 'DROP DATABASE shop2'

# ---- a password is seen nowhere while it runs
db shop -e 'CREATE TABLE slow AS SELECT seq AS id, repeat(md5(seq), 8) AS v FROM seq_1_to_300000'
"$BACKUPD" --config "$HOST/backupd.yaml" backup my >run.log 2>&1 &
run=$!
: >seen
while kill -0 "$run" 2>/dev/null; do
    for p in "$run" $(pgrep -P "$run" || true); do
        tr '\0' '\n' 2>/dev/null <"/proc/$p/cmdline" >>seen || true
        tr '\0' '\n' 2>/dev/null <"/proc/$p/environ" >>seen || true
    done
    sleep 0.01
done
wait "$run" || fail "the run that was watched" "$(cat run.log)"
contains "mariadb-dump was seen" "$(cat seen)" "--defaults-file=/dev/stdin"
same "the password was not" 0 "$(grep -cF 'ecret' seen || true)"
same "nor is it in a log" 0 "$(grep -cF 'ecret' run.log || true)"
db_job "user: bk" "password: x"
check_fails 2 "there is no option for a password" look
db_job "user: bk" "password_file: $HOST/password"
MYSQL_PWD=x check_fails 2 "and none in the environment" db_backup
printf 'wrong\n' >"$HOST/password"
check_fails 4 "a wrong password" look
contains "the cure is told" "$(cat .check)" 'correct `user` and `password_file`'
same "without the password" 0 "$(grep -c wrong .check || true)"
printf '[client]\nuser=bk\npassword="%s"\n' 'p\"w\\ #s'\''ecret' >"$HOST/my.cnf"
chmod 0600 "$HOST/my.cnf"
db_job "defaults_file: $HOST/my.cnf" "user: bk"
check "a file of the stock client's kind" db_backup

# ---- accounts: made when they are missing and asked for, never changed
give "CREATE ROLE seller; CREATE USER 'o''hara'@'10.%' IDENTIFIED BY 'old'; GRANT SELECT ON shop.* TO seller;
    GRANT seller TO 'o''hara'@'10.%'; GRANT UPDATE (name) ON shop.customers TO 'o''hara'@'10.%';
    SET DEFAULT ROLE seller FOR 'o''hara'@'10.%'; CREATE USER owner@localhost;
    CREATE DEFINER = owner@localhost VIEW shop.owned AS SELECT 1"
db_job "users: yes"
check "with more accounts" db_backup
grants() { db_client -BN -e "SHOW GRANTS FOR 'o''hara'@'10.%'; SHOW GRANTS FOR seller; SELECT json_value(priv, '$.default_role') FROM mysql.global_priv WHERE user = 'o''hara'" | sort; }
grants >before
give "DROP USER 'o''hara'@'10.%', owner@localhost; DROP ROLE seller; ALTER USER bk@localhost IDENTIFIED BY 'new one'"
db_client -BN -e "SHOW CREATE USER bk@localhost" >bk.before
check "without being asked" db_restore_to shop4
contains "who is missing is told" "$(cat .check)" "owner@localhost"
same "but not made" 0 "$(db_client -BN -e "SELECT count(*) FROM mysql.user WHERE user IN ('owner', 'seller')")"
check "when asked" db_restore_to shop5 --create-roles
grants >after
check "accounts, roles and their rights are back" diff before after
db_client -BN -e "SHOW CREATE USER bk@localhost" >bk.after
check "those that were there stay as they are" diff bk.before bk.after
give "DROP USER owner@localhost"
check "without owners" db_restore_to shop6 --no-owner
same "views belong to who restored" "root@localhost" "$(db_client -BN -e "SELECT definer FROM information_schema.views WHERE table_schema = 'shop6' AND table_name = 'owned'")"

# ---- tables that no snapshot shows
db shop -e 'CREATE TABLE plain (id int PRIMARY KEY, v text) ENGINE=MyISAM; INSERT INTO plain VALUES (1, "x"); CREATE TABLE aria (id int) ENGINE=Aria TRANSACTIONAL=1; INSERT INTO aria VALUES (5)'
check_fails 4 "are refused" db_backup
contains "and named" "$(cat .check)" "2 tables have no transactions"
contains "with the ways out" "$(cat .check)" 'non_transactional: lock'
db_job "exclude_table_data: [ shop.pl*, shop.aria ]"
check "left out when asked for" db_backup
same "which is told" "aria,plain" "$(fact without_rows shop/schema.sql)"
db_job "exclude_tables: [ shop.plain, shop.aria, shop.zz_base, shop.aa_on_view ]"
check "or not even made" db_backup
check "and restored" db_restore_to shop7
same "without them" 0 "$(db shop7 -e 'SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name IN ("plain", "aria", "zz_base")')"
db_job "non_transactional: lock"
check "locked when asked for" db_backup
same "which is told" 2 "$(fact locked_tables)"
check "and restored" db_restore_to shop8
same "with their rows" "1 5" "$(db shop8 -e 'SELECT id FROM plain UNION ALL SELECT id FROM aria' | paste -sd' ')"
finish
