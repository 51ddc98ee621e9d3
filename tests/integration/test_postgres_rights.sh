#!/bin/bash
# The least that a role needs: each missing right is found before anything is read, named with its cure, and the cure works.
# shellcheck disable=SC2016,SC2094,SC2119,SC2317  # texts with `quotes`; arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

pg_start --set password_encryption=scram-sha-256
pg_createdb shop
pg_fill shop
pg shop -c "DROP SUBSCRIPTION elsewhere" -c 'DROP USER MAPPING FOR "Shop Reader" SERVER far' # only a superuser sees them
pg shop -c 'CREATE ROLE bk LOGIN' -c 'REVOKE ALL ON LARGE OBJECT 7002 FROM PUBLIC'
pg_job "user: bk"
look() { "$BACKUPD" --config "$HOST/backupd.yaml" check database; }
check_fails 4 "a role without rights" look
contains "tables that cannot be read are counted" "$(cat .check)" 'tables or sequences cannot be read ('
contains "with the cure" "$(cat .check)" 'GRANT pg_read_all_data TO "bk"'
contains "large objects in the same run" "$(cat .check)" '3 large objects cannot be read (7001, ...)'
contains "with the cure" "$(cat .check)" 'ALTER ROLE "bk" SET lo_compat_privileges = on'
contains "passwords of roles as well" "$(cat .check)" 'without the roles'"'"' passwords'
contains "with the cure" "$(cat .check)" 'GRANT SELECT ON pg_catalog.pg_authid TO "bk"'
contains "row security, too" "$(cat .check)" 'row security would hide rows of 1 tables (shop.secrets, ...)'
contains "with the cure" "$(cat .check)" 'ALTER ROLE "bk" BYPASSRLS'

pg postgres -c 'GRANT pg_read_all_data TO "bk"'
check_fails 4 "with the tables" pg_backup
same "they are no finding any more" 0 "$(grep -c 'cannot be read (shop' .check || true)"
pg postgres -c 'ALTER ROLE "bk" BYPASSRLS'
check_fails 4 "without the large objects" pg_backup
same "row security is no finding any more" 0 "$(grep -c 'row security' .check || true)"
pg postgres -c 'ALTER ROLE "bk" SET lo_compat_privileges = on'
check "with every cure" pg_backup
same "nothing is said" 0 "$(grep -c 'warning' .check || true)"
same "pg_read_all_data reaches the passwords of roles" yes "$(fact globals)"
"$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest globals.sql >globals.sql
contains "globals with passwords" "$(cat globals.sql)" "PASSWORD 'SCRAM-SHA-256"
pg_createdb shop2
check "what this role backed up is everything" pg_restore_to shop2
same "row by row" "$(pg_sums shop)" "$(pg_sums shop2)"
same "definition by definition" "$(pg_schema shop)" "$(pg_schema shop2)"

# ---- a role that has every table by name, and nothing of the server
pg shop -c 'CREATE ROLE narrow LOGIN BYPASSRLS' -c 'ALTER ROLE narrow SET lo_compat_privileges = on' \
    -c 'GRANT USAGE ON SCHEMA shop, "Other Schema" TO narrow' -c 'GRANT SELECT ON ALL TABLES IN SCHEMA shop, "Other Schema" TO narrow' \
    -c 'GRANT SELECT ON ALL SEQUENCES IN SCHEMA shop, "Other Schema" TO narrow'
pg_job "user: narrow"
check "a role without pg_authid" pg_backup
contains "is told what is missing" "$(cat .check)" "without the roles' passwords"
contains "with the cure" "$(cat .check)" 'GRANT SELECT ON pg_catalog.pg_authid TO "narrow"'
same "and it is kept as a fact" without-passwords "$(fact globals)"
"$RESTORE" --config "$HOST/backupd.yaml" --quiet cat latest globals.sql >globals.sql
same "globals without passwords" 0 "$(grep -c PASSWORD globals.sql || true)"
contains "but with the roles" "$(cat globals.sql)" 'CREATE ROLE "Shop Reader";'
pg shop -c 'GRANT SELECT ON pg_catalog.pg_authid TO narrow'
check "the cure" pg_backup
same "works" yes "$(fact globals)"

# ---- without globals
pg_job "user: bk" "globals: no"
check "globals: no" pg_backup
same "leaves them out" no "$(fact globals)"
check_fails 1 "there is no globals.sql then" "$RESTORE" --config "$HOST/backupd.yaml" cat latest globals.sql

# ---- settings
pg shop -c "ALTER ROLE bk SET statement_timeout = '20ms'" -c "ALTER ROLE bk SET idle_in_transaction_session_timeout = '50ms'" \
    -c "ALTER ROLE bk SET datestyle = 'German'" -c "ALTER ROLE bk SET bytea_output = 'escape'" -c "ALTER ROLE bk SET timezone = 'Asia/Tokyo'"
before=$("$RESTORE" --config "$HOST/backupd.yaml" ls latest --long | grep fingerprint)
check "timeouts and formats of the role" pg_backup
same "change nothing" "$before" "$("$RESTORE" --config "$HOST/backupd.yaml" ls latest --long | grep fingerprint)"
pg shop -c "ALTER ROLE bk RESET ALL" -c "ALTER ROLE bk SET lo_compat_privileges = on" -c "ALTER ROLE bk PASSWORD 'pass word:1'"

# ---- passwords
server=$(readlink "$PG/server")
printf 'local all bk scram-sha-256\nlocal all nobody reject\nlocal all all trust\n' >"$server/data/pg_hba.conf"
pg postgres -c 'SELECT pg_reload_conf()' >/dev/null
check_fails 4 "a password is needed" pg_backup
contains "the cure is a password file" "$(cat .check)" 'name a password file with `passfile`'
printf '*:*:shop:bk:wrong\n' >"$HOST/pgpass"
chmod 0600 "$HOST/pgpass"
pg_job "user: bk" "passfile: pgpass"
check_fails 4 "a wrong password" pg_backup
contains "the cure is to correct it" "$(cat .check)" 'correct the password in `passfile`'
printf '*:*:shop:bk:pass word\\:1\n' >"$HOST/pgpass"
chmod 0644 "$HOST/pgpass"
check_fails 4 "a password file that others can read" pg_backup
contains "the cure is chmod" "$(cat .check)" "chmod 0600 $HOST/pgpass"
chmod 0600 "$HOST/pgpass"
printf '#!/bin/bash\ncat /proc/$$/environ /proc/$$/cmdline | tr "\\0" "\\n" >>%q\nexec %q/"${0##*/}" "$@"\n' "$TMP/seen" "$PG_BIN" >wrapper
for tool in pg_dump pg_dumpall; do install -D -m 755 wrapper "bin/$tool"; done
pg_job "user: bk" "passfile: pgpass" "bin_dir: $TMP/bin"
check "a password file" pg_backup
contains "is handed to pg_dump" "$(cat seen)" "PGPASSFILE=$HOST/pgpass"
same "the password is not" 0 "$(grep -c 'pass word' seen || true)"
same "nor anything else of our environment" 0 "$(grep -c '^REPO_ROOT=' seen || true)"
"$BACKUPD" --config "$HOST/backupd.yaml" -vv backup pg >verbose.log 2>&1 || true
same "no log has it" 0 "$(grep -c 'pass word' verbose.log || true)"
same "nor has anything that was written down" "" "$(grep -rlF 'pass word' "$HOST" "$STORAGE" "$SAFE" | grep -vxF "$HOST/pgpass" || true)"

# ---- the same on the way back: pg_restore is held, and looked at
pg_createdb held
pg held -c "CREATE FUNCTION public.hold() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.2); END'" \
    -c "CREATE EVENT TRIGGER hold ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.hold()" \
    -c "ALTER ROLE bk SUPERUSER"
printf '*:*:held:bk:pass word\\:1\n' >>"$HOST/pgpass"
"$RESTORE" --config "$HOST/backupd.yaml" -vv database latest --into-nonempty \
    --to "host=$PGSOCK user=bk dbname=held passfile=$HOST/pgpass" >verbose.log 2>&1 &
restore=$!
looked() { pgrep -P "$restore" -x pg_restore >child && cat "/proc/$(head -n 1 child)/environ" "/proc/$(head -n 1 child)/cmdline" "/proc/$restore/cmdline" | tr '\0' '\n' >seen; }
check "pg_restore is at work" wait_for 60 looked
status=0
wait "$restore" || status=$?
same "a restore with a password file" 0 "$status"
contains "hands it to pg_restore" "$(cat seen)" "PGPASSFILE=$HOST/pgpass"
same "the password is not" 0 "$(grep -c 'pass word' seen || true)"
same "nor is it in a log" 0 "$(grep -c 'pass word' verbose.log || true)"
check_fails 2 "a password in --to" "$RESTORE" --config "$HOST/backupd.yaml" database latest --to "host=$PGSOCK user=bk dbname=held password=x"
contains "is refused" "$(cat .check)" "--to holds a password"
pg held -c "ALTER ROLE bk NOSUPERUSER"
export PGPASSWORD='pass word:1'
check_fails 2 "PGPASSWORD" pg_backup
contains "is refused" "$(cat .check)" "PGPASSWORD is set"
unset PGPASSWORD
check_fails 2 "password as an option" bash -c "printf '    password: x\n' >>'$HOST/backupd.yaml'; '$BACKUPD' --config '$HOST/backupd.yaml' backup"
contains "there is none" "$(cat .check)" "has no option 'password'"

# ---- other causes of no connection
pg_job "user: nobody"
check_fails 4 "pg_hba.conf refuses" pg_backup
contains "it is named" "$(cat .check)" "pg_hba.conf must let this role in"
pg_job "database: nosuch"
check_fails 4 "no such database" pg_backup
contains "it is said" "$(cat .check)" 'correct `database`'
pg_job "port: 5499"
check_fails 4 "no server" pg_backup
contains "it is said" "$(cat .check)" 'check that the server runs'
pg_job "bin_dir: /nowhere"
check_fails 4 "no pg_dump" pg_backup
contains "its package is named" "$(cat .check)" "postgresql-client-15"
pg_job "lock_timeout: 0s"
check_fails 2 "a lock_timeout of nothing" pg_backup
finish
