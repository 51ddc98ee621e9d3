#!/bin/bash
# Engine `mariabackup`: a MariaDB server under load there and back, and nothing published in every way it can go wrong.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

FIXTURE=$REPO_ROOT/tests/fixture/mariadb.sh
at_end "$FIXTURE" stop "$TMP/back"
at_end "$FIXTURE" stop "$TMP/db"
"$FIXTURE" start "$TMP/db" --set log-bin=bin --set server-id=1 --set gtid-domain-id=7
SOCKET=$(readlink -f "$TMP/db/socket")/s
sql() { mariadb --no-defaults -S "$SOCKET" -u root -BN "$@"; }
backupd() { "$BACKUPD" --config c.yaml "$@"; }
restore() { "$RESTORE" --config c.yaml "$@"; }
published() { find store/w/*/log -type f | wc -l; }

# config JOB-LINES...
config() {
    cat >c.yaml <<YAML
state: $TMP/state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
    kit: $TMP/safe/restore-kit.key
jobs:
  phys:
    engine: mariabackup
YAML
    printf '    %s\n' "$@" >>c.yaml
}
mkdir store bin
config "defaults_file: my.cnf"
backupd init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null

# ---- tables of three engines, and pairs that are written in one transaction each
sql <<'SQL'
CREATE DATABASE shop;
USE shop;
CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, customer INT, note VARCHAR(200), KEY (customer)) ENGINE=InnoDB;
INSERT INTO orders (customer, note) SELECT seq % 977, CONCAT(REPEAT(MD5(seq), 3), ' paid') FROM seq_1_to_100000;
CREATE TABLE words (id INT PRIMARY KEY, w TEXT) ENGINE=Aria;
INSERT INTO words SELECT seq, MD5(seq * 3) FROM seq_1_to_20000;
CREATE TABLE old (id INT PRIMARY KEY, w TEXT) ENGINE=MyISAM;
INSERT INTO old SELECT seq, MD5(seq * 5) FROM seq_1_to_20000;
CREATE TABLE `we ird/../na.me` (`id` INT PRIMARY KEY, `a b` BLOB) ENGINE=InnoDB;
INSERT INTO `we ird/../na.me` VALUES (1, x'00ff0a0d'), (2, NULL);
CREATE TABLE debit (id INT PRIMARY KEY AUTO_INCREMENT, amount INT) ENGINE=InnoDB;
CREATE TABLE credit (id INT PRIMARY KEY AUTO_INCREMENT, amount INT) ENGINE=InnoDB;
CREATE USER bk@localhost IDENTIFIED BY 'geheim-wort';
SQL
# Every row of a table, in the order of its key: made by the client alone.
sums() {
    local table
    for table in orders words old 'we ird/../na.me'; do
        printf '%s %s\n' "$(mariadb --no-defaults -S "$1" -u root -BN shop -e "SELECT * FROM \`$table\` ORDER BY id" | sha256sum)" \
            "$table"
    done
}
sums "$SOCKET" >want

# ---- asked before
printf '[client]\nuser=bk\npassword=geheim-wort\nsocket=%s\n' "$SOCKET" >my.cnf
chmod 0644 my.cnf
check_fails 1 "a password file that others can read" backupd backup
contains "is refused with the cure" "$(<.check)" "chmod 0600"
chmod 0600 my.cnf
check_fails 4 "an account without rights" backupd check database
contains "they are named" "$(<.check)" "bk@localhost lacks rights on the server: RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR"
grant=$(grep -o 'GRANT .*;' .check)
same "with the statement that cures it" "GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO \`bk\`@\`localhost\`;" \
    "$grant"
check_fails 4 "no backup without them either" backupd backup
sql -e "GRANT PROCESS ON *.* TO bk@localhost"
check_fails 4 "with one of them" backupd check database
contains "the others are asked for" "$(<.check)" "GRANT RELOAD, LOCK TABLES, BINLOG MONITOR ON *.* TO"
sql -e "$grant"
check "as the statement says, all is well" backupd check database
mkdir elsewhere
[[ $EUID -ne 0 ]] || chown "$(<db/user)" elsewhere
chmod 0711 . && chmod 0777 elsewhere
sql shop -e "CREATE TABLE far (id INT) ENGINE=InnoDB DATA DIRECTORY='$TMP/elsewhere'"
check_fails 4 "a table outside the data directory" backupd check database
contains "is named" "$(<.check)" "tables lie outside the data directory (DATA DIRECTORY): shop/far"
sql shop -e "DROP TABLE far"
config "defaults_file: my.cnf" "bin_dir: $TMP/bin"
check_fails 4 "no mariabackup in bin_dir" backupd check database
config "socket: $TMP/none" "user: bk"
check_fails 4 "a server that does not run" backupd backup
contains "the client's words are told" "$(<.check)" "Can't connect to local server"
config "defaults_file: my.cnf" "password: geheim"
check_fails 2 "there is no option for a password" backupd backup

# ---- there, while it is written to, and nobody sees the password
config "defaults_file: my.cnf"
cat >write.sql <<'SQL'
BEGIN; INSERT INTO debit (amount) VALUES (5); INSERT INTO credit (amount) VALUES (-5); COMMIT;
SQL
writer() { while :; do for _ in {1..200}; do cat write.sql; done; done | mariadb --no-defaults -S "$SOCKET" -u root shop; }
spawn writer.log writer
writing=$SPAWNED
scan() {
    while :; do
        grep -la geheim-wort /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null >>seen || true
        grep -la stream=mbstream /proc/[0-9]*/cmdline 2>/dev/null >>control || true
    done
}
spawn scan.log scan
scanning=$SPAWNED
check "a backup under load" backupd backup
stop "$scanning"
stop "$writing"
check "the look at all command lines saw mariabackup" test -s control
same "and no password" "" "$(<seen)"
text=$(restore show latest)
contains "the snapshot says the server's version" "$text" "10.11."
contains "and the position in the binary log" "$text" "bin.00000"
contains "and the GTID" "$text" "7-1-"
contains "and how many files there are" "$text" "files="
check "verify reads it" restore verify --read-data

# ---- and back
check_fails 1 "not into a directory that holds something" restore database latest --to "$TMP/bin/.."
mkdir "$TMP/back"
ln -s "$(mktemp -d /tmp/backup-my.XXXXXX)" "$TMP/back/server"
new=$(readlink "$TMP/back/server")
check "a restore" restore database latest --to "$new/data"
contains "says that it was prepared" "$(<.check)" "prepared (\"completed OK!\")"
contains "and what is left to do" "$(<.check)" "chown -R mysql:mysql $new/data"
contains "and where the binary log goes on" "$(<.check)" "changes after the backup are in the binary log from bin.00000"
check "the mark is gone" not test -e "$new/data/INCOMPLETE-RESTORE"
same "for its owner alone" 700 "$(stat -c %a "$new/data")"
[[ $EUID -ne 0 ]] || chown -R "$(<db/user)" "$new/data"
touch back/made
check "a server starts on it" "$FIXTURE" start "$TMP/back"
BACK=$(readlink -f "$TMP/back/socket")/s
sums "$BACK" >got
check "every row is there" diff want got
pairs=$(mariadb --no-defaults -S "$BACK" -u root -BN shop -e "SELECT (SELECT COUNT(*) FROM debit) = (SELECT COUNT(*) FROM credit),
    (SELECT COUNT(*) > 0 FROM debit), (SELECT SUM(amount) FROM debit) + (SELECT SUM(amount) FROM credit)")
same "transactions are whole or not there" $'1\t1\t0' "$pairs"
tables=$(mariadb --no-defaults -S "$BACK" -u root -BN shop -e "CHECK TABLE orders, words, old, debit, credit EXTENDED" |
    awk '$NF != "OK"')
same "CHECK TABLE finds nothing" "" "$tables"
"$FIXTURE" stop "$TMP/back"

# ---- every way to fail publishes nothing
# A mariabackup of our own in bin_dir: what it does besides, or instead.
for tool in mariadb mbstream; do ln -s "$(command -v $tool)" bin/; done
fake() {
    # shellcheck disable=SC2016 # for the script
    printf '#!/bin/bash\n[[ $1 != --version ]] || exec /usr/bin/mariabackup "$@"\n%s\n' "$1" >bin/mariabackup
    chmod +x bin/mariabackup
}
config "defaults_file: my.cnf" "bin_dir: bin" "stall_timeout: 60s"
count=$(published)
# fails NAME TEXT SCRIPT
fails() {
    fake "$3"
    check_fails 1 "$1" backupd backup
    contains "$1: it says so" "$(<.check)" "$2"
    same "$1: publishes nothing" "$count" "$(published)"
}
# shellcheck disable=SC2016 # for the script
{
    fails "status 1 after a whole stream" "failed with status 1" '/usr/bin/mariabackup "$@"; exit 1'
    fails "status 0 without its last words" "but not with \"completed OK!\"" \
        '/usr/bin/mariabackup "$@" 2>/dev/null; echo done >&2'
    fails "words after its last words" "but not with \"completed OK!\"" '/usr/bin/mariabackup "$@"; echo hm >&2'
    fails "a stream cut short that is called good" "the stream of mariabackup ends early" \
        '/usr/bin/mariabackup "$@" 2>/dev/null | head -c 20000000; echo "completed OK!" >&2'
    fails "a stream without its last file" "ends early" \
        '/usr/bin/mariabackup "$@" 2>/dev/null | head -c -300; echo "completed OK!" >&2'
    fails "nothing at all" "ends early" 'echo "completed OK!" >&2'
    fails "another stream" "is none of mariabackup" 'head -c 100000 /dev/zero; echo "completed OK!" >&2'
    fails "a name that leads out" "which must not be" \
        "printf 'XBSTCK01\\0E\\7\\0\\0\\0../evil'; echo 'completed OK!' >&2"
    fake 'echo $$ >'"$TMP"'/pid; exec /usr/bin/mariabackup "$@" --throttle=1'
}
# night COMMAND...: runs it while mariabackup is under way
night() {
    rm -f pid
    spawn log "$BACKUPD" --config c.yaml backup
    wait_for 20 test -s pid
    wait_for 20 grep -q '' pid
    sleep 0.5
    "$@"
    status=0
    wait "$SPAWNED" || status=$?
}
kill_tool() { kill -KILL "$(<pid)"; }
night kill_tool
same "mariabackup killed from outside fails the run" 1 "$status"
contains "the signal is named" "$(<log)" "(SIGKILL)"
interrupt() { kill -INT "$SPAWNED"; }
night interrupt
same "an interrupt ends the run with 130" 130 "$status"
check "and mariabackup" wait_gone "$(<pid)"
kill_server() { kill -KILL "$(<db/pid)"; }
night kill_server
same "a killed server fails the run" 1 "$status"
same "none of them published anything" "$count" "$(published)"
"$FIXTURE" start "$TMP/db" --set log-bin=bin --set server-id=1 --set gtid-domain-id=7

# ---- restores that fail
config "defaults_file: my.cnf"
check "the next night is good" backupd backup
limited() (
    ulimit -f 4096 # of a KiB each
    restore database latest --to "$TMP/small"
)
check_fails 1 "no room for a file" limited
contains "it is told" "$(<.check)" "taking the stream apart"
contains "and what to remove" "$(<.check)" "$TMP/small/INCOMPLETE-RESTORE"
same "nothing looks like a data directory" "INCOMPLETE-RESTORE" "$(ls "$TMP/small")"
check_fails 2 "flags that are for servers" restore database latest --to "$TMP/other" --no-owner
contains "are refused" "$(<.check)" "becomes a directory"
check "and nothing was made" not test -e "$TMP/other"

# ---- stock tools alone
check "the stream as a file" bash -c "'$RESTORE' --config c.yaml cat latest backup.mbstream >s.mb"
mkdir plain
check "is taken apart by mbstream" mbstream -x -C plain <s.mb
check "and prepared by mariabackup" mariabackup --defaults-file="$TMP/plain/backup-my.cnf" --prepare --target-dir="$TMP/plain"
check "with every table in it" test -s plain/shop/orders.ibd
finish
