#!/bin/bash
# Part of tests/proof/drill-faults: MariaDB, as rows and as files (mariabackup).
# shellcheck disable=SC2016,SC2119,SC2120,SC2317 # texts with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$REPO_ROOT/tests/support/mariadb.sh"
source "$REPO_ROOT/tests/support/drill.sh"
source "$REPO_ROOT/tests/support/drill_kill.sh"
part() { printf '# mariadb: %s\n' "$1"; }

drill_place
chmod 711 "$TMP"
db_start

part "each fault is found and named"
db_fill shop
db shop <<'SQL'
CREATE TABLE marks (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(20), KEY by_note (note));
INSERT INTO marks (note) VALUES ('a'), ('b'), ('c'), ('d');
CREATE TRIGGER marks_new BEFORE INSERT ON marks FOR EACH ROW SET NEW.note = upper(NEW.note);
CREATE USER shopper@localhost IDENTIFIED BY 'x';
GRANT SELECT, INSERT ON shop.* TO shopper@localhost;
GRANT UPDATE (note) ON shop.marks TO shopper@localhost;
CREATE DATABASE other;
CREATE TABLE other.t (a int);
GRANT SELECT ON other.t TO shopper@localhost;
CREATE TABLE gone (a int);
GRANT SELECT ON shop.gone TO shopper@localhost;
DROP TABLE gone;
SQL
db_job
printf 'drills:\n  wrong: { job: my, assert: [ { name: seven, sql: SELECT count(*) FROM marks, expect: 7 } ] }\n' >>"$HOST/backupd.yaml"
db_backup >/dev/null
fault() { # NAME SQL FRAGMENT...
    local name=$1 found fragment
    printf '%s;\n' "$2" >fault.sql
    shift 2
    rm -f fault.json
    check_fails 9 "$name" drill --inject fault.sql --out fault.json
    found=$(failed fault.json)
    for fragment in "$@"; do contains "$name: named" "$found" "$fragment"; done
}
fault "one changed row" "UPDATE marks SET note = 'B ' WHERE id = 2" "rows and fingerprint/marks"
fault "one row lost, one doubled" "DROP TRIGGER marks_new; DELETE FROM marks WHERE id = 3; INSERT INTO marks SELECT 9, note FROM marks WHERE id = 4" \
    "rows and fingerprint/marks"
fault "a dropped index" "ALTER TABLE marks DROP KEY by_note" "definition of the table/marks"
fault "a dropped trigger" "DROP TRIGGER marks_new" "objects/triggers"
fault "a dropped routine" "DROP FUNCTION doubled" "objects/functions"
fault "a right of a database that is gone" "REVOKE INSERT ON shop.* FROM shopper@localhost" "right of an account/"
fault "a right of a table that is gone" "REVOKE UPDATE (note) ON shop.marks FROM shopper@localhost" "right of an account/"
fault "a dropped view" "DROP VIEW counted" "objects/views"
fault "a dropped event" "DROP EVENT asleep" "objects/events"
fault "a table that is gone" "DROP TABLE no_key" "no_key"
fault "a foreign key that is gone" "ALTER TABLE orders DROP FOREIGN KEY of_customer" "definition of the table/orders"
fault "numbers that begin anew" "ALTER SEQUENCE numbers RESTART 1" "numbers"
check_fails 9 "an assertion that does not hold" drill --drill wrong --out fault.json
contains "an assertion that does not hold: named" "$(failed fault.json)" "seven/"
check_fails 9 "a stale snapshot" drill --max-age 1s --out fault.json
contains "a stale snapshot: named" "$(failed fault.json)" "age of the snapshot/"

part "no false alarms"
passes "something of everything, and rights elsewhere"
db_client -e "CREATE DATABASE empty"
db_job "database: empty"
db_backup >/dev/null
passes "an empty database"
db_client <<'SQL'
CREATE DATABASE odd CHARACTER SET latin1 COLLATE latin1_german2_ci;
USE odd;
CREATE TABLE t (id int PRIMARY KEY, v text, w varchar(50) CHARACTER SET ucs2, x varchar(20) CHARACTER SET cp932, KEY (v(10)));
INSERT INTO t VALUES (1, 'Größe', 'ß', '表'), (2, '', '', '');
CREATE USER gone@localhost;
GRANT ALL ON odd.* TO gone@localhost;
CREATE DEFINER=gone@localhost VIEW v_gone AS SELECT * FROM t;
CREATE DEFINER=gone@localhost SQL SECURITY INVOKER VIEW v_inv AS SELECT id FROM t;
CREATE DEFINER=gone@localhost FUNCTION f_gone() RETURNS int DETERMINISTIC RETURN 1;
CREATE DEFINER=gone@localhost TRIGGER tr_gone BEFORE INSERT ON t FOR EACH ROW SET NEW.id = NEW.id;
CREATE DEFINER=gone@localhost EVENT e_gone ON SCHEDULE EVERY 1 SECOND DO DELETE FROM t;
CREATE EVENT once ON SCHEDULE AT '2037-01-01' ON COMPLETION PRESERVE DO DELETE FROM t;
DROP USER gone@localhost;
CREATE TABLE sv (id int, v int, s timestamp(6) GENERATED ALWAYS AS ROW START INVISIBLE, e timestamp(6) GENERATED ALWAYS AS ROW END INVISIBLE,
    PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME (PARTITION h HISTORY, PARTITION c CURRENT);
INSERT INTO sv (id, v) VALUES (1, 1), (2, 2);
UPDATE sv SET v = 3;
CREATE TABLE my (id int PRIMARY KEY, v text, FULLTEXT (v)) ENGINE=MyISAM;
INSERT INTO my VALUES (1, 'words and more');
CREATE TABLE aria (id int PRIMARY KEY, g point NOT NULL, SPATIAL KEY (g)) ENGINE=Aria;
INSERT INTO aria VALUES (1, POINT(1, 2));
CREATE TABLE aria2 (id int PRIMARY KEY) ENGINE=Aria TRANSACTIONAL=0 PAGE_CHECKSUM=0;
CREATE TABLE mem (id int PRIMARY KEY) ENGINE=MEMORY;
INSERT INTO mem VALUES (1);
CREATE TABLE ft (id int PRIMARY KEY, v text, FULLTEXT KEY (v));
INSERT INTO ft VALUES (1, 'alpha beta');
CREATE TABLE csvt (a int NOT NULL) ENGINE=CSV;
INSERT INTO csvt VALUES (5);
CREATE TABLE comp (id int PRIMARY KEY, v text) ROW_FORMAT=COMPRESSED;
INSERT INTO comp VALUES (1, repeat('x', 10000));
CREATE TABLE inv (a int, b int INVISIBLE DEFAULT 3, c int AS (a + 1) VIRTUAL, d int AS (a * 2) PERSISTENT INVISIBLE, KEY (c));
INSERT INTO inv (a) VALUES (1), (2);
CREATE TABLE a1 (id int PRIMARY KEY, b int);
CREATE TABLE b1 (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES a1 (id));
ALTER TABLE a1 ADD FOREIGN KEY (b) REFERENCES b1 (id);
INSERT INTO a1 VALUES (1, NULL);
INSERT INTO b1 VALUES (1, 1);
UPDATE a1 SET b = 1;
SET foreign_key_checks = 0;
INSERT INTO b1 VALUES (9, 77);
CREATE TABLE ign (a int, KEY k (a) IGNORED);
CREATE TABLE `p#1/..` (`a b` int);
CREATE TABLE uuids (id uuid DEFAULT uuid() PRIMARY KEY, t timestamp DEFAULT current_timestamp ON UPDATE current_timestamp);
INSERT INTO uuids () VALUES (), ();
CREATE ROLE readers;
GRANT SELECT (id) ON odd.t TO readers;
CREATE USER nobody@'%';
GRANT readers TO nobody@'%';
SET DEFAULT ROLE readers FOR nobody@'%';
GRANT EXECUTE ON FUNCTION odd.f_gone TO nobody@'%';
SQL
db_job "database: odd" "non_transactional: lock"
db_backup >/dev/null
passes "engines, definers that are gone, character sets, roles"
db_client -e 'SET GLOBAL sql_mode = "ANSI,STRICT_ALL_TABLES"; SET GLOBAL time_zone = "+09:00"; SET GLOBAL character_set_server = sjis;
    SET GLOBAL group_concat_max_len = 4'
db_backup >/dev/null
passes "odd settings of the server"
db_client -e 'SET GLOBAL sql_mode = DEFAULT; SET GLOBAL time_zone = "SYSTEM"; SET GLOBAL character_set_server = utf8mb4;
    CREATE DATABASE `we ird/db.x#``é`; CREATE TABLE `we ird/db.x#``é`.`a/b` (a int); INSERT INTO `we ird/db.x#``é`.`a/b` VALUES (3)'
db_job 'database: "we ird/db.x#`é"'
db_backup >/dev/null
passes "a hostile name"

"$REPO_ROOT/tests/fixture/mariadb.sh" halt "$DB"
part "no false alarms, of servers with other settings"
wide=$TMP/wide
"$REPO_ROOT/tests/fixture/mariadb.sh" start "$wide" --set innodb-page-size=65536 --set lower-case-table-names=1 --set innodb-buffer-pool-size=128M
at_end "$REPO_ROOT/tests/fixture/mariadb.sh" stop "$wide"
DBSOCK=$(readlink "$wide/socket")/s
db_client -e "CREATE DATABASE wide; USE wide; CREATE TABLE MixedCase (id int PRIMARY KEY, $(printf 'c%d char(100) CHARACTER SET latin1 NOT NULL DEFAULT 0, ' {1..120}) z int);
    INSERT INTO mixedcase (id) VALUES (1), (2)"
db_job "database: wide"
printf 'drills:\n  cases: { job: my, assert: [ { sql: SELECT count(*) FROM MIXEDCASE, expect: 2 } ] }\n' >>"$HOST/backupd.yaml"
db_backup >/dev/null
passes "pages of 64 KiB, names without case" --drill cases
"$REPO_ROOT/tests/fixture/mariadb.sh" stop "$wide"
"$REPO_ROOT/tests/fixture/mariadb.sh" start "$DB"
DBSOCK=$(readlink "$DB/socket")/s

part "could not run, with the way out"
could_not "no programs" "apt-get install mariadb-server-core" --bin-dir "$TMP"
mkdir old
printf '#!/bin/sh\necho "mariadbd  Ver 11.4.2-MariaDB for debian-linux-gnu on x86_64 (Debian)"\n' >old/mariadbd
ln -s /usr/bin/mariadb-install-db old/
chmod 755 old old/mariadbd
could_not "another series" "they must be of one series" --bin-dir "$TMP/old"
db_client -e 'CREATE DATABASE large; CREATE TABLE large.n (v int, w int, x int, KEY (v), KEY (w), KEY (x), KEY (v, w), KEY (w, x), KEY (x, v)); USE large;
    INSERT INTO n SELECT seq % 10, seq % 7, seq % 9 FROM seq_1_to_800000'
db_job "database: large"
db_backup >/dev/null
could_not "too little time" "give it more time" --timeout 1s
as=()
[[ $EUID -eq 0 ]] || as=(--map-root-user)
for size in 150m 260m; do
    DRILL_AS=(unshare --mount "${as[@]}" bash -c "mount -t tmpfs -o size=$size"' none "$0" && chmod 755 "$0" && exec "$@"' "$SCRATCH")
    could_not "the disk is full in the middle ($size)" "make room"
done
DRILL_AS=()

# ---- killed
printf 'drills:\n  hold: { job: my, assert: [ { sql: SELECT sleep(1000), expect: 1 } ] }\n' >>"$HOST/backupd.yaml"
runs() {
    local d
    d=$(drill_dir)
    [[ -n $d && -n $(mariadb --no-defaults -S "$d/run/s" -u root -BN -e "SELECT 1 FROM information_schema.processlist WHERE
        info LIKE '$1' AND id <> connection_id() LIMIT 1" 2>/dev/null) ]]
}
kills() {
    kill_when "$1: the data directory is made" "there run/data/ibdata1"
    kill_when "$1: the server starts" "there run/data/mysql/db.frm"
    kill_when "$1: it answers" "there run/s"
    kill_when "$1: rows are loaded" "runs LOAD%"
    kill_when "$1: tables are checked" "runs CHECK%"
    kill_when "$1: an assertion is asked" "runs SELECT_sleep%" --drill hold
    all_gone "$1"
}
part "killed, with namespaces"
kills "with namespaces"
part "killed, without namespaces"
DRILL_AS=("${NO_NAMESPACES[@]}")
KILL_LATER=yes
kills "without namespaces"
KILL_LATER=
DRILL_AS=()
if [[ $EUID -eq 0 ]]; then
    part "as an account without rights"
    drill_as_user www-data
    passes "as another account"
fi
finish
