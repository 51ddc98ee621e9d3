#!/bin/bash
# Several connections read one MariaDB server: what is stored is the same, of one moment, whatever is written meanwhile.
# shellcheck disable=SC2016,SC2119,SC2317  # texts with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

stream() { "$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest "$1"; }
# The sums of the tables' streams in the newest snapshot.
sums() {
    rm -rf out
    "$RESTORE" --config "$HOST/backupd.yaml" --quiet export latest --to out --format dir >/dev/null
    (cd out/data/shop/tables && sha256sum big* wide* bits* few* signs* parted* backwards* history*)
}

# Of those that the test left in database shop.
end_sessions() {
    db_client -BN -e "SELECT concat('KILL ', id, ';') FROM information_schema.processlist WHERE db = 'shop'" | db_client --force 2>/dev/null || true
    wait
}

db_start
db_client -e 'CREATE DATABASE shop'
# Tables of many units; keys with holes, negative, of two columns, at the end of what an integer can be, and those that
# are no range: partitions, a descending key, a history.
db shop -e "CREATE TABLE big (id int PRIMARY KEY, v text, KEY (v(8)));
    INSERT INTO big SELECT seq * 3, concat(md5(seq), repeat('z', 100)) FROM seq_1_to_60000;
    CREATE TABLE wide (a bigint, b varchar(40), v char(200), PRIMARY KEY (a, b));
    INSERT INTO wide SELECT CAST(seq MOD 7 AS SIGNED) * 1000000000000 - 3, md5(seq), 'x' FROM seq_1_to_20000;
    CREATE TABLE bits (id bigint UNSIGNED PRIMARY KEY, v char(250));
    INSERT INTO bits SELECT 18446744073709551615 - seq, seq FROM seq_1_to_20000;
    CREATE TABLE signs (id bigint PRIMARY KEY, v char(250));
    INSERT INTO signs SELECT CAST(seq AS SIGNED) - 10000, seq FROM seq_1_to_20000;
    INSERT INTO signs VALUES (-9223372036854775808, 'least'), (9223372036854775807, 'most');
    CREATE TABLE parted (id int PRIMARY KEY, v char(250)) PARTITION BY HASH (id) PARTITIONS 3;
    INSERT INTO parted SELECT seq, seq FROM seq_1_to_20000;
    CREATE TABLE backwards (id int, v char(250), PRIMARY KEY (id DESC));
    INSERT INTO backwards SELECT seq, seq FROM seq_1_to_20000;
    CREATE TABLE history (id int PRIMARY KEY, v char(250)) WITH SYSTEM VERSIONING;
    INSERT INTO history SELECT seq, seq FROM seq_1_to_20000; UPDATE history SET v = 'new' WHERE id MOD 100 = 0;
    CREATE TABLE few (id int, d date); INSERT INTO few SELECT seq, '2024-01-01' + INTERVAL seq DAY FROM seq_1_to_10;
    ANALYZE TABLE big, wide, bits, signs, parted, backwards, history" >/dev/null

# ---- the same bytes
db_job 'freshness: [ few.d, big.id ]'
check "one connection" db_backup
same "is the default" 1 "$(fact snapshots)"
sums >one
db_job "connections: 4" 'freshness: [ few.d, big.id ]'
db_client -e "SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1"
check "four connections" db_backup
db_client -e 'SET GLOBAL general_log = 0'
same "large tables with a key of numbers are read in ranges" "big signs wide" "$(db_client -BN -e "SELECT DISTINCT
    regexp_replace(argument, '.*FROM .shop.\\..([a-z]*).*', '\\\\1') FROM mysql.general_log WHERE argument LIKE '%FORCE INDEX (PRIMARY) WHERE%' ORDER BY 1" | paste -sd' ')"
same "all of them have a snapshot" 4 "$(fact snapshots)"
sums >several
check "store the same, byte for byte" diff one several
same "and know the newest" "2024-01-11 180000" "$(fact max.d shop/tables/few.tsv) $(fact max.id shop/tables/big.tsv)"
sum_of() { db "$1" -e "SELECT count(*), bit_xor(crc32(concat(id, v))) FROM big UNION ALL SELECT count(*), bit_xor(crc32(concat(id, v))) FROM signs"; }
check "restored, it is what was there" db_restore_to shop2
same "row by row" "$(sum_of shop)" "$(sum_of shop2)"
db_client -e 'DROP DATABASE shop2'

# ---- one moment, also for what the binary log does not have
db shop -e 'CREATE TABLE aa (id int PRIMARY KEY, n bigint); INSERT INTO aa VALUES (1, 0); CREATE TABLE zz LIKE aa; INSERT INTO zz VALUES (1, 0);
    DELIMITER //
    CREATE PROCEDURE move(until int, logged int) BEGIN
        SET SESSION sql_log_bin = logged;
        WHILE unix_timestamp() < until DO START TRANSACTION; UPDATE aa SET n = n + 1; UPDATE zz SET n = n + 1; COMMIT; END WHILE; END //'
db_job "connections: 6" "exclude_table_data: [ shop.b*, shop.history, shop.parted, shop.wide, shop.signs ]"
until=$(($(date +%s) + 300))
for logged in 0 1; do
    db shop -e "CALL move($until, $logged)" >/dev/null 2>&1 &
done
torn=0 moved=
for _ in 1 2 3; do
    db_backup >.check 2>&1 || fail "a run among writers" "$(cat .check)"
    a=$(stream shop/tables/aa.tsv) z=$(stream shop/tables/zz.tsv)
    [[ $a == "$z" ]] || torn=$((torn + 1))
    [[ $a == "$moved" ]] && fail "the writers write"
    moved=$a
done
same "no transaction is in half a snapshot" 0 "$torn"
end_sessions

# ---- without the right to block commits
db_client -e "CREATE USER bk@localhost; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON *.* TO bk@localhost"
db_job "user: bk" "connections: 3"
check "without RELOAD it is told before" "$BACKUPD" --config "$HOST/backupd.yaml" check database
contains "with the cure" "$(cat .check)" 'GRANT RELOAD ON *.* TO `bk`@`localhost`'
check "and a run" db_backup
contains "says that one connection reads" "$(cat .check)" "one connection reads in place of 3"
same "which it does" 1 "$(fact snapshots)"
db_client -e "GRANT RELOAD ON *.* TO bk@localhost"
check "with it" db_backup
same "three read" 3 "$(fact snapshots)"

# ---- a statement that is in the way of BACKUP STAGE: nobody waits for it for long
db shop -e 'CREATE TABLE slow (id int) ENGINE=MyISAM; INSERT INTO slow SELECT sleep(600) FROM seq_1_to_2' >/dev/null 2>&1 &
wait_for 10 eval "db_client -BN -e 'SHOW PROCESSLIST' | grep -q 'sleep(600)'"
db_job "connections: 3" "exclude_tables: [ shop.slow ]"
check "beside it" db_backup
same "one reads" 1 "$(fact snapshots)"
contains "and why" "$(cat .check)" "BACKUP STAGE"
end_sessions
db shop -e 'DROP TABLE slow'

# ---- one of several is killed
db_watch "info LIKE 'SELECT%FROM \`shop\`.\`big\`%'" "EXECUTE IMMEDIATE concat('KILL ', @id)"
check "with one of the connections killed a run is repeated" db_backup
cp .check run.log
check "one was killed" db_seen
# Killed before its first row, a connection has no table yet.
contains "which is told" "$(cat run.log)" "; running once more"
sums >several
check "and has all of it" diff one several

# ---- tables without transactions, and no binary log
"$REPO_ROOT/tests/fixture/mariadb.sh" halt "$DB"
"$REPO_ROOT/tests/fixture/mariadb.sh" start "$DB" --set log-bin=0 --set skip-log-bin=1
db shop -e "CREATE TABLE loose (id int PRIMARY KEY) ENGINE=Aria; INSERT INTO loose SELECT seq FROM seq_1_to_1000"
db_job "connections: 4" "non_transactional: lock"
check "a server without a binary log" db_backup
same "four read, and no position is told" "4 " "$(fact snapshots) $(fact binlog_file)"
sums >several
check "the same is stored" diff one several
same "with the table that was locked" 1000 "$(fact rows shop/tables/loose.tsv)"
check "no lock is left" db shop -e 'INSERT INTO loose VALUES (0); CREATE TABLE last (id int)'
finish
