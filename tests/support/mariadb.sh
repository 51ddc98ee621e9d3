# shellcheck shell=bash disable=SC2016,SC2119,SC2120  # arguments are optional
# A MariaDB server, a backup host and a restore station for integration tests; source it after lib.sh.
#
#     db_start [OPTION...]                the private server, and a repository with the job `my` for database shop
#     db_job [LINE...]                    writes the configuration anew, with these more lines of the job
#     db DATABASE [client options]        the stock client as root, stopping at errors; bytes as they are stored
#     db_fill DATABASE                    the schema and rows of tests/support/mariadb_shop.sql
#     db_watch CONDITION SQL...           from now on: as soon as information_schema.processlist has such a session (@id), the SQL; then
#                                         the next condition, of a later session. Started before what it waits for, it misses nothing.
#     db_seen                             waits until all that db_watch waits for came and the SQL is done; fails after a minute
#     db_backup [ARGS], db_restore_to DATABASE [ARGS]   the two programs
#     db_sums DATABASE                    a line for each table: its name, rows, a sum of them; made without our code
#     db_definitions DATABASE             what mariadb-dump says of it, without rows, values of sequences and the database a default's sequence is in
#
# Paths: $DB (fixture), $DBSOCK (the socket), $HOST, $SAFE, $STORAGE.

DB=$TMP/db
HOST=$TMP/host
SAFE=$TMP/safe
STORAGE=$TMP/storage
unset MYSQL_PWD MYSQL_HOST MYSQL_TCP_PORT MYSQL_UNIX_PORT MYSQL_HOME
export HOME=$TMP/home # no ~/.my.cnf
mkdir -p "$HOME"

db_start() {
    "$REPO_ROOT/tests/fixture/mariadb.sh" start "$DB" --set log-bin=bin --set server-id=1 "$@"
    at_end "$REPO_ROOT/tests/fixture/mariadb.sh" stop "$DB"
    DBSOCK=$(readlink "$DB/socket")/s
    mkdir -p "$HOST" "$STORAGE"
    db_job
    "$BACKUPD" --config "$HOST/backupd.yaml" --quiet init --safe "$SAFE" --kit-unconfirmed --no-kit-passphrase >/dev/null
}

db_job() {
    {
        printf 'state: %s/state\nrepositories:\n  main:\n    storage: { type: local, path: %s }\n' "$HOST" "$STORAGE"
        printf '    keys: %s/keys\n    kit: %s/restore-kit.key\n' "$HOST" "$SAFE"
        printf 'jobs:\n  my:\n    engine: mariadb\n'
        [[ " $* " == *" host: "* ]] || printf '    socket: %s\n' "$DBSOCK"
        [[ " $* " == *" database: "* || " $* " == *"all_databases: "* ]] || printf '    database: shop\n'
        [[ " $* " == *" user: "* ]] || printf '    user: root\n'
        [[ " $* " == *" retry_pause: "* ]] || printf '    retry_pause: 0s\n'
        [[ $# -eq 0 ]] || printf '    %s\n' "$@"
    } >"$HOST/backupd.yaml"
}

db_client() { mariadb --no-defaults --socket="$DBSOCK" --user=root --default-character-set=utf8mb4 "$@"; }
db() {
    local database=$1
    shift
    db_client --batch --raw --skip-column-names --database="$database" "$@"
}

db_watch_sql() {
    printf 'SELECT "watching"; SET @last = 0;\nDELIMITER //\n'
    while [[ $# -gt 0 ]]; do
        cat <<SQL
BEGIN NOT ATOMIC
    DECLARE waited int DEFAULT 0;
    SET @id = NULL;
    WHILE @id IS NULL DO
        IF waited >= 30000 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no session came in a minute'; END IF;
        SELECT max(id) INTO @id FROM information_schema.processlist WHERE id <> connection_id() AND id > @last AND $1;
        DO sleep(if(@id IS NULL, 0.002, 0));
        SET waited = waited + 1;
    END WHILE;
    SELECT @id;
END //
$2 //
SET @last = @id //
SQL
        shift 2
    done
}
db_watch() {
    db_watch_sql "$@" | db_client -BN --unbuffered >watch.out &
    db_watcher=$!
    wait_for 60 grep -q watching watch.out
}
db_seen() { wait "$db_watcher"; }

db_fill() {
    db_client -e "CREATE DATABASE \`$1\` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'the shop''s own'"
    db_client --database="$1" <"$REPO_ROOT/tests/support/mariadb_shop.sql" >/dev/null
}

db_backup() { "$BACKUPD" --config "$HOST/backupd.yaml" "$@" backup my; }

db_restore_to() {
    local database=$1
    shift
    "$RESTORE" --config "$HOST/backupd.yaml" database latest "$@" --to "mariadb://root@/$database?socket=$DBSOCK"
}

db_sums() { /usr/bin/python3 "$REPO_ROOT/tests/support/mariadb_sums.py" "$DBSOCK" "$1"; }
db_definitions() {
    mariadb-dump --no-defaults --socket="$DBSOCK" --user=root --no-data --routines --events --triggers --skip-comments \
        --default-character-set=utf8mb4 "$1" | sed -e '/^DO SETVAL/d' -e 's/nextval(`[^`]*`\./nextval(/'
}

# fact KEY: of the newest snapshot; fact KEY PATH: of one of its streams
fact() {
    if [[ $# -eq 1 ]]; then
        "$RESTORE" --config "$HOST/backupd.yaml" show latest --json |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["facts"].get(sys.argv[1], ""))' "$1"
    else
        "$RESTORE" --config "$HOST/backupd.yaml" ls latest "$2" --long | sed -n "s/^ *$1=//p"
    fi
}
