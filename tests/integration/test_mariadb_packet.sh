#!/bin/bash
# A row of 60 MB, and a server and a client whose max_allowed_packet is less: it is read and restored all the same.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/mariadb.sh
source "$REPO_ROOT/tests/support/mariadb.sh"

db_start
db_client -e 'CREATE DATABASE shop'
# A row of 60 MB, some of it bytes that are escaped, and small ones around it.
db shop -e "CREATE TABLE long_rows (id int PRIMARY KEY, a longblob, b longtext);
    INSERT INTO long_rows VALUES (1, 'x', 'y'), (2, concat(repeat(x'00', 4 << 20), repeat('a', 26 << 20)), repeat('b', 30 << 20)), (3, 'x', 'y')"
db shop -e "SELECT id, sha2(a, 256), sha2(b, 256) FROM long_rows" >before
printf '[client]\nmax-allowed-packet=1M\n' >"$HOST/my.cnf"
chmod 0600 "$HOST/my.cnf"
db_client -e 'SET GLOBAL max_allowed_packet = 16777216'
db_job "defaults_file: $HOST/my.cnf" "compression: 1"
check "read by a server and with a client whose limits are below" db_backup
same "all rows" 3 "$(fact rows shop/tables/long_rows.tsv)"
check "the limit is told" "$RESTORE" --config "$HOST/backupd.yaml" plan latest --to "mariadb://root@/shop2?socket=$DBSOCK"
contains "with what it means" "$(cat .check)" "max_allowed_packet is 16777216 here"
cp "$HOST/my.cnf" "$HOME/.my.cnf"
check "restored by both" db_restore_to shop2
db shop2 -e "SELECT id, sha2(a, 256), sha2(b, 256) FROM long_rows" >after
check "as they were" diff before after
finish
