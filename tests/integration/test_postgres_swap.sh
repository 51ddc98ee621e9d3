#!/bin/bash
# A PostgreSQL database is restored beside the live one and takes its place: what goes with it, who is in the way, the way
# back, and a kill at every step, after which the names are as before or exchanged.
# shellcheck disable=SC2016,SC2317  # nothing may expand; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

pg_start --set max_prepared_transactions=2 --set wal_level=logical --set max_wal_senders=2 --set max_replication_slots=2
to() { printf "host=%s user=%s dbname='%s'" "$PGSOCK" "${2:-postgres}" "$1"; }
swap() { "$RESTORE" swap --to "$(to shop)" "$@"; }
what() { pg "$1" -c 'SELECT v FROM t'; }
oid() { pg postgres -c "SELECT oid FROM pg_database WHERE datname = '$1'"; }
like() { pg postgres -c "SELECT datname FROM pg_database WHERE datname LIKE '$1' ORDER BY 1"; }
comment() { pg postgres -c "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = '$1'"; }
properties() {
    pg postgres -c "SELECT pg_get_userbyid(datdba), datacl, datconnlimit, datistemplate, encoding, datcollate, datctype FROM
        pg_database WHERE datname = '$1'" -c "SELECT setrole, setconfig FROM pg_db_role_setting WHERE setdatabase =
        (SELECT oid FROM pg_database WHERE datname = '$1') ORDER BY 1"
}
drop_others() {
    local name
    for name in $(like 'shop\_%'); do pg postgres -c "DROP DATABASE \"$name\""; done
}
# A session of which the test gives the statements: session NAME DATABASE [ROLE]; tell NAME SQL, which waits until they
# are done; end NAME
declare -A session_fd session_pid
told=0
session() {
    local fd
    mkfifo "in.$1"
    spawn "out.$1" env PGAPPNAME="$1" "$PG_BIN/psql" -X -q -A -t -h "$PGSOCK" -U "${3:-postgres}" -d "$2" -f "in.$1"
    session_pid[$1]=$SPAWNED
    exec {fd}>"in.$1"
    session_fd[$1]=$fd
    wait_for 20 connected "$1"
}
connected() { [[ -n $(backend "$1") ]]; }
backend() { pg postgres -c "SELECT pid FROM pg_stat_activity WHERE application_name = '$1'"; }
tell() {
    told=$((told + 1))
    printf "%s;\nSELECT 'told %d';\n" "$2" "$told" >&"${session_fd[$1]}"
    wait_for 20 grep -qx "told $told" "out.$1"
}
end() {
    local fd=${session_fd[$1]}
    exec {fd}>&-
    wait "${session_pid[$1]}" 2>/dev/null || true
    rm -f "in.$1"
}
runs() { [[ $(pg postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'restore' AND query LIKE '$1%' AND state = 'active'") -gt 0 ]]; }
nobody() { [[ $(pg postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'restore'") -eq 0 ]]; }

pg postgres -c "CREATE ROLE app LOGIN" -c "CREATE ROLE dba LOGIN" -c "CREATE ROLE owner LOGIN" \
    -c "CREATE DATABASE shop OWNER owner TEMPLATE template0" -c "COMMENT ON DATABASE shop IS 'the shop''s own'" \
    -c 'ALTER DATABASE shop SET search_path TO "$user", public, "odd, ""name"' \
    -c "ALTER DATABASE shop SET work_mem TO '65536kB'" -c "ALTER DATABASE shop SET app.tenant TO 'x=y, z'" \
    -c "ALTER DATABASE shop SET default_transaction_read_only TO on" \
    -c "ALTER ROLE app IN DATABASE shop SET statement_timeout TO '5s'" \
    -c "REVOKE ALL ON DATABASE shop FROM PUBLIC" -c "GRANT CONNECT ON DATABASE shop TO app WITH GRANT OPTION" \
    -c "ALTER DATABASE shop CONNECTION LIMIT 37" -c "SET ROLE app" -c "GRANT CONNECT ON DATABASE shop TO dba"
PGOPTIONS='-c default_transaction_read_only=off' pg shop -c "CREATE TABLE t (v text)" -c "INSERT INTO t VALUES ('saved')" \
    -c "ALTER TABLE t OWNER TO owner"
check "a backup" pg_backup
pg shop -c "SET default_transaction_read_only = off" -c "UPDATE t SET v = 'spoiled'"
live=$(oid shop)

# ---- beside
check "restore beside the live one" pg_restore_to shop --beside
cp .check said
fresh=$(like 'shop\_restored\_%')
contains "which says what comes next" "$(cat said)" "restore swap --to "
contains "and how to remove it" "$(cat said)" "DROP DATABASE \"$fresh\";"
contains "and what was compared" "$(cat said)" "owner, settings and rights of the database equal to those of shop"
same "the live one is untouched" "$live spoiled the shop's own" "$(oid shop) $(what shop) $(comment shop)"
same "the new one holds what was saved" saved "$(what "$fresh")"
same "with the owner, rights, limits and settings of the live one" "$(properties shop)" "$(properties "$fresh")"
contains "and a comment that says what it is" "$(comment "$fresh")" "ready to take the place of database $live (shop): restored from pg/1"

# ---- who is in the way
pg postgres -c "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')" >/dev/null
pg shop -c "SELECT pg_create_logical_replication_slot('orders', 'pgoutput')" >/dev/null
session web shop app
check "a plan" swap --plan
contains "names which becomes which" "$(cat .check)" "database $fresh becomes shop"
contains "and who is connected" "$(cat .check)" "process $(backend web): role app, application web (local), on shop since "
contains "and what stays behind" "$(cat .check)" "the logical replication slot orders stays with"
same "but no slot of another database" 0 "$(grep -c feed .check || true)"
same "and changes nothing" "$live" "$(oid shop)"
check_fails 13 "connections are in the way" swap
contains "and --terminate is named" "$(cat .check)" "end them with --terminate"
same "nothing was changed" "$live" "$(oid shop)"
check "--terminate" swap --terminate
cp .check said
same "the restored one is live" saved "$(what shop)"
same "the comment of the name stays with it" "the shop's own" "$(comment shop)"
kept=$(like 'shop\_before\_restore\_%')
same "the other one is kept" "$live" "$(oid "$kept")"
contains "and says so" "$(comment "$kept")" "kept: its place was taken by database $(oid shop) (shop)"
printf 'SELECT 1;\n' >&"${session_fd[web]}"
end web
contains "its connection was ended" "$(cat out.web)" "terminating connection"

# ---- undo
undo=$(sed -n 's/^To undo it: *restore //p' said)
check "the undo line works" eval "\"\$RESTORE\" $undo"
same "what was live is live" "$live spoiled the shop's own" "$(oid shop) $(what shop) $(comment shop)"
fresh=$(like 'shop\_restored\_%')
contains "the other one is ready again" "$(comment "$fresh")" "ready to take the place of database $live (shop)"
check_fails 1 "nothing is kept now" swap --undo
check "and again, as JSON" swap --json
contains "with the undo line" "$(cat .check)" '"undo":"restore swap --to'
check "undone by itself" swap --undo
drop_others
check "beside and swap in one go" pg_restore_to shop --beside --swap
same "is live" saved "$(what shop)"
check "undone" swap --undo
check_fails 2 "--via is one of the two" swap --via shop
pg postgres -c "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots" >/dev/null

# ---- killed: the server undoes it, or has done it
fresh=$(like 'shop\_restored\_%')
new=$(oid "$fresh")
start_swap() {
    "$RESTORE" swap --to "$(to shop)" --terminate >swap.log 2>&1 &
    run=$!
}
kill_swap() {
    kill -9 "$run"
    wait "$run" 2>/dev/null || true
}
as_before() { same "$1: the names are as before" "$live $new" "$(oid shop) $(oid "$fresh")"; }
for database in shop "$fresh"; do
    session stopped "$database"
    pid=$(backend stopped)
    kill -STOP "$pid" # it cannot end, so RENAME waits
    start_swap
    check "RENAME of $database waits" wait_for 20 runs "ALTER DATABASE \"$database\""
    kill_swap
    check "killed in RENAME of $database" wait_for 20 nobody
    kill -CONT "$pid"
    end stopped
    as_before "killed in RENAME of $database"
done
session holder postgres
tell holder "BEGIN; LOCK TABLE pg_catalog.pg_shdescription IN SHARE MODE"
start_swap
check "COMMENT waits" wait_for 20 runs "COMMENT"
kill_swap
tell holder "ROLLBACK"
check "killed in COMMENT" wait_for 20 nobody
as_before "killed in COMMENT"
pg postgres -c "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" -c "SELECT pg_reload_conf()" >/dev/null
start_swap
check "COMMIT waits" wait_for 20 runs "COMMIT"
kill_swap
check "what is being committed is not undone" test "$(oid shop)" = "$live"
pg postgres -c "ALTER SYSTEM RESET synchronous_standby_names" -c "SELECT pg_reload_conf()" >/dev/null
check "killed in COMMIT" wait_for 20 nobody
same "killed in COMMIT: it is done" "$new" "$(oid shop)"
same "the other one is kept" "$live" "$(oid "$(like 'shop\_before\_restore\_%')")"
check_fails 1 "and the next call has nothing to do" swap
check "but to undo it" swap --undo
same "which it does" "$live" "$(oid shop)"
fresh=$(like 'shop\_restored\_%')

# ---- replaced in between, and two at once
tell holder "BEGIN; ALTER DATABASE shop RENAME TO shop_away; ALTER DATABASE \"$fresh\" RENAME TO shop"
start_swap
check "RENAME waits for somebody else's" wait_for 20 runs "ALTER DATABASE"
tell holder "COMMIT"
status=0
wait "$run" || status=$?
same "the live one was replaced in between" 9 "$status"
contains "which it says" "$(cat swap.log)" "was replaced by another one just now; nothing was changed"
same "and leaves it" "$new $live" "$(oid shop) $(oid shop_away)"
pg postgres -c "ALTER DATABASE shop RENAME TO \"$fresh\"" -c "ALTER DATABASE shop_away RENAME TO shop"
tell holder "BEGIN; ALTER DATABASE shop RENAME TO shop_away"
start_swap
first=$run
start_swap
both() { [[ $(pg postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'restore' AND query LIKE 'ALTER DATABASE%'") -eq 2 ]]; }
check "two swaps wait" wait_for 20 both
tell holder "ROLLBACK"
good=0
! wait "$first" || good=$((good + 1))
! wait "$run" || good=$((good + 1))
same "one of two does it" "1 $new $live" "$good $(oid shop) $(oid "$(like 'shop\_before\_restore\_%')")"
end holder

# ---- clients that come back at once
for i in 1 2 3; do
    spawn "client.$i" bash -c "while sleep 0.02; do '$PG_BIN/psql' -X -q -h '$PGSOCK' -U app -d shop -c 'SELECT pg_sleep(10)'; done"
    clients+=("$SPAWNED")
done
busy() { [[ $(pg postgres -c "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop'") -eq 3 ]]; }
check "three clients" wait_for 20 busy
check "are kept out while the names are exchanged" swap --undo --terminate
same "and find the other one" "$live" "$(oid shop)"
for i in "${clients[@]}"; do stop "$i"; done
pg postgres -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'" >/dev/null

# ---- a prepared transaction
pg shop -c "SET default_transaction_read_only = off" -c "BEGIN" -c "CREATE TABLE p ()" -c "PREPARE TRANSACTION 'gone'"
check_fails 13 "a prepared transaction" swap --terminate
contains "is named with its cure" "$(cat .check)" "COMMIT PREPARED 'gone'; or ROLLBACK PREPARED"
pg shop -c "ROLLBACK PREPARED 'gone'"

# ---- rights
as_dba() { "$RESTORE" swap --to "$(to shop dba)" "$@"; }
cure() { grep -oE '(GRANT|ALTER ROLE) [^;]*' .check | sort -u | sed 's/$/;/'; }
check_fails 1 "a role without rights" as_dba
contains "is told all it needs" "$(cat .check)" 'ALTER ROLE "dba" CREATEDB; GRANT "owner" TO "dba";'
pg postgres -c "$(cure)"
session web shop app
check_fails 1 "a role that may not end connections" as_dba --terminate
contains "is told that, too" "$(cat .check)" 'GRANT pg_signal_backend TO "dba";'
same "and nobody was ended" web "$(pg postgres -c "SELECT application_name FROM pg_stat_activity WHERE datname = 'shop' AND application_name <> 'psql'")"
pg postgres -c 'GRANT pg_signal_backend TO "dba"'
session root shop
check_fails 1 "a superuser's connection" as_dba --terminate
contains "is only a superuser's to end" "$(cat .check)" "only a superuser may end it"
end root
check "with what it was told" as_dba --terminate
end web
check "and back" as_dba --undo
drop_others
dba_beside() { "$RESTORE" --config "$HOST/backupd.yaml" database latest --to "$(to shop dba)" --beside --no-owner; }
check_fails 1 "rights that others granted are not given by everybody" dba_beside
contains "which is found before anything is loaded" "$(cat .check)" "database shop is untouched: the settings, rights and limits"
same "and nothing is left" "" "$(like 'shop\_%')"
pg postgres -c "ALTER ROLE app IN DATABASE shop RESET ALL" -c "ALTER DATABASE shop RESET app.tenant" -c "REVOKE CONNECT ON DATABASE shop FROM app CASCADE" -c "GRANT CONNECT ON DATABASE shop TO app"
check "a role with these rights makes one beside, too" dba_beside
same "with all that is the database's own" "$(properties shop)" "$(properties "$(like 'shop\_restored\_%')")"
drop_others

# ---- what did not end
pg postgres -c "ALTER ROLE owner RENAME TO somebody"
check_fails 4 "a restore that fails early" pg_restore_to shop --beside
contains "says that the live one is untouched" "$(cat .check)" "database shop is untouched"
same "and leaves nothing" "" "$(like 'shop\_%')"
pg postgres -c "ALTER ROLE somebody RENAME TO owner"
session holder postgres
tell holder "BEGIN; LOCK TABLE pg_catalog.pg_db_role_setting IN EXCLUSIVE MODE"
"$RESTORE" --config "$HOST/backupd.yaml" database latest --to "$(to shop)" --beside >swap.log 2>&1 &
run=$!
check "a restore that waits for its settings" wait_for 20 runs "ALTER DATABASE"
kill_swap
tell holder "ROLLBACK"
end holder
check "is killed" wait_for 20 nobody
left=$(like 'shop\_restored\_%')
contains "what it leaves says that it is not ready" "$(comment "$left")" "NOT READY, do not use: restored beside database $live (shop) from pg/1, begun"
check_fails 1 "one that was killed is not taken" swap
contains "and named" "$(cat .check)" "the restore into $left beside shop did not end"
check_fails 9 "nor by its name" swap --from "$left"
check "the next restore beside" pg_restore_to shop --beside
contains "names what it left" "$(cat .check)" "DROP DATABASE \"$left\";"
pg postgres -c "DROP DATABASE $left"

# ---- the live one is gone
pg postgres -c "ALTER DATABASE shop RENAME TO lost"
check "without a live one" swap
contains "it says so" "$(cat .check)" "there is no database shop"
same "and the restored one gets its name" saved "$(what shop)"
pg postgres -c "DROP DATABASE shop" -c "ALTER DATABASE lost RENAME TO shop"
check_fails 1 "beside what is not there" pg_restore_to none --beside
contains "is refused" "$(cat .check)" "there is no database none to restore beside"

# ---- a name as long as it may be, of two bytes a letter
long=$(printf 'ä%.0s' {1..31})x
pg postgres -c "ALTER DATABASE shop RENAME TO \"$long\""
check "a long name" pg_restore_to "$long" --beside
cut=$(like 'ä%\_restored\_%')
same "is cut between letters" "$(printf 'ä%.0s' {1..19})" "${cut%_restored_*}"
check "and swapped" "$RESTORE" swap --to "$(to "$long")"
same "is live" saved "$(what "$long")"
check "and undone" "$RESTORE" swap --to "$(to "$long")" --undo
same "which is what was there" "$live" "$(oid "$long")"

# ---- encoding and locale are those of the snapshot, whatever the live one has by now
collation() { pg postgres -c "SELECT pg_encoding_to_char(encoding), datlocprovider, daticulocale, datcollate, datctype FROM pg_database WHERE datname LIKE '$1'"; }
pg postgres -c "CREATE DATABASE icu TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C'"
was=$(collation icu)
pg_job "database: icu"
check "a backup of LATIN1 and ICU" pg_backup
pg postgres -c "DROP DATABASE icu" -c "CREATE DATABASE icu TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
check "restored beside" pg_restore_to icu --beside
same "has its encoding and locale" "$was" "$(collation 'icu\_restored%')"
finish
