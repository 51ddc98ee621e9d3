#!/bin/bash
# restore export of MariaDB databases: the commands of README.txt load them into another server.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

HOST=$TMP/host
for server in one two; do
    "$REPO_ROOT/tests/fixture/mariadb.sh" start "$TMP/$server"
    at_end "$REPO_ROOT/tests/fixture/mariadb.sh" stop "$TMP/$server"
done
socket() { printf '%s/s' "$(readlink "$TMP/$1/socket")"; }
sql() { mariadb --no-defaults -S "$(socket "$1")" -u root -N "${@:2}"; }
# Accounts of host names, which a fixture without them cannot use.
sql one -e "SELECT concat('DROP USER ', quote(user), '@', quote(host), ';') FROM mysql.user WHERE host NOT IN ('localhost', '%')" |
    sql one
sql one <<'END'
CREATE DATABASE shop CHARACTER SET utf8mb4;
CREATE DATABASE `hostile 'name/%` CHARACTER SET latin1;
CREATE TABLE shop.customer (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40), data blob, d double) ENGINE=InnoDB;
INSERT INTO shop.customer (name, data, d) SELECT concat('Käse ', seq), unhex(md5(seq)), seq / 7 FROM shop.seq_1_to_3000;
INSERT INTO shop.customer VALUES (0 - 5, NULL, 'tab	line\nend', NULL);
CREATE VIEW shop.v AS SELECT count(*) FROM shop.customer;
CREATE TABLE `hostile 'name/%`.`t ``x` (a text) ENGINE=InnoDB;
INSERT INTO `hostile 'name/%`.`t ``x` VALUES ('x'), ('\\N'), ('');
END
mkdir -p "$HOST" "$TMP/storage"
{
    printf 'state: %s/state\nrepositories:\n  main:\n    storage: { type: local, path: %s/storage }\n' "$HOST" "$TMP"
    printf '    keys: %s/keys\n    kit: %s/safe/restore-kit.key\njobs:\n' "$HOST" "$TMP"
    printf '  db:\n    engine: mariadb\n    all_databases: yes\n    socket: %s\n    user: root\n' "$(socket one)"
} >"$HOST/backupd.yaml"
"$BACKUPD" --config "$HOST/backupd.yaml" --quiet init --safe "$TMP/safe" --kit-unconfirmed --no-kit-passphrase >/dev/null
check "a backup" "$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup
check "an export" "$RESTORE" --config "$HOST/backupd.yaml" export latest --to "$TMP/out" --format dir
sed -n 's/^    //p' out/README.txt >steps.sh
sed 's/^/# /' steps.sh
check "README.txt has commands for both" test "$(grep -c 'CREATE DATABASE' steps.sh)" -eq 2
mkdir home
printf '[client]\nsocket=%s\nuser=root\n' "$(socket two)" >home/.my.cnf
load() { (cd out/data && env -i PATH=/usr/bin:/bin HOME="$TMP/home" LC_ALL=C.UTF-8 bash -e "$TMP/steps.sh"); }
check "they load them" load
not_in() { ! grep -q '^Warning' .check; }
check "no row came in changed" not_in
check "the accounts" bash -c "cd out/data && HOME=$TMP/home mariadb --force <users.sql"
sums() {
    sql "$1" -e "SELECT id, name, hex(data), d FROM shop.customer ORDER BY id; SELECT * FROM shop.v;
        SELECT hex(a) FROM \`hostile 'name/%\`.\`t \`\`x\` ORDER BY a; SHOW CREATE TABLE shop.customer; SHOW CREATE DATABASE shop;
        SHOW CREATE DATABASE \`hostile 'name/%\`"
}
sums one >one.txt
sums two >two.txt
check "rows and definitions are equal" cmp one.txt two.txt
check "and they are not nothing" test "$(wc -l <one.txt)" -gt 3000
finish
