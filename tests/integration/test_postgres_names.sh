#!/bin/bash
# Hostile names: through a backup and a restore, and from `restore files` with nothing but psql and pg_restore.
# shellcheck disable=SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

database=$'we"ird d\'b %/=x\\y.'
pg_start
pg postgres -c 'CREATE ROLE "Ro""le; drop"' -c "CREATE ROLE \"new
line\" NOLOGIN" -c "ALTER ROLE \"Ro\"\"le; drop\" SET search_path = 'a;b', \"c\"\"d\""
pg_createdb "$database"
# psql takes a name with '=' for a connection string.
conn="dbname='we\"ird d\\'b %/=x\\\\y.'"
pg_job "database: \"we\\\"ird d'b %/=x\\\\y.\""

# Every name as schema, table, column and sequence; those with a line end as a partition and an heir, too.
pg "$conn" <<'END' >/dev/null
SET client_min_messages = error;
CREATE TABLE names (n serial, name text);
INSERT INTO names (name) VALUES
    ('plain'), ('UPPER Case'), ('"'), ('quo''te'), ('a.b'), ('"; drop table x; --'), ('%41'), ('sl/ash'), ('..'), ('-n'),
    (E'new\nline'), (E'carriage\rreturn'), (E'tab\t'), ('back\slash'), ('\.'), ('Ünïcødé 漢字'), (E'\u202eright'),
    (repeat('x', 63)), (repeat('"', 63)), (repeat('é', 31)), ('(a,b)'), ('select'), (E'\\copy x from ''y''\n\\! false'), (':var'),
    ('$$'), (';'), (' ');
SELECT format('CREATE SCHEMA %I AUTHORIZATION "Ro""le; drop"', name),
    format('CREATE TABLE %1$I.%1$I (%1$I int, gen int GENERATED ALWAYS AS (%1$I * 2) STORED, "sec
ond" text, id int GENERATED ALWAYS AS IDENTITY)', name),
    format('INSERT INTO %1$I.%1$I (%1$I, "sec
ond") SELECT i, %1$L || i FROM generate_series(1, 5) i', name),
    format('CREATE SEQUENCE %1$I.%2$I', name, 's' || name), format('SELECT setval(%L, %s)', format('%I.%I', name, 's' || name), n),
    format('GRANT SELECT ON %1$I.%1$I TO "new
line"', name),
    format('CREATE INDEX %1$I ON public.names (n) WHERE name = %1$L', name)
    FROM names \gexec
CREATE TABLE "par
ent" ("ke
y" int, v text) PARTITION BY LIST ("ke
y");
CREATE TABLE "par
t1" PARTITION OF "par
ent" FOR VALUES IN (1);
CREATE TABLE part2 PARTITION OF "par
ent" FOR VALUES IN (2);
INSERT INTO "par
ent" VALUES (1, 'one'), (2, 'two');
CREATE TYPE "en
um" AS ENUM ('a', 'b', 'c', 'd');
CREATE TABLE by_state (s "en
um", v int) PARTITION BY HASH (s);
CREATE TABLE by_state_a PARTITION OF by_state FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE "by_state_
b" PARTITION OF by_state FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO by_state SELECT (enum_range(NULL::"en
um"))[1 + i % 4], i FROM generate_series(1, 40) i;
CREATE TABLE "no
columns" ();
INSERT INTO "no
columns" DEFAULT VALUES;
END

sequences() {
    pg "$1" <<'END'
SELECT format('SELECT %L, last_value, is_called FROM %I.%I', c.oid::regclass, n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'S' AND nspname !~ '^pg_'
    ORDER BY n.nspname, c.relname \gexec
END
}

check "a backup" pg_backup
"$RESTORE" --config "$HOST/backupd.yaml" ls latest >list
prefix="we%22ird%20d%27b%20%25%2F%3Dx%5Cy%2E"
contains "the database's name is encoded" "$(cat list)" " $prefix/schema.pgdump"
contains "dots and slashes, too" "$(cat list)" " $prefix/tables/%2E%2E/%2E%2E.copy"
contains "letters of Unicode stay" "$(cat list)" " $prefix/tables/Ünïcødé%20漢字/"
contains "invisible marks do not" "$(cat list)" "%E2%80%AEright.copy"
same "no component is too long" "" "$(awk -F/ '{ for (i = 1; i <= NF; i++) if (length($i) > 255) print }' list)"

same "every table has a sum of another program" 32 "$(pg_sums "$conn" | wc -l)"

pg_createdb two
check "restore" pg_restore_to two
contains "all tables are compared" "$(cat .check)" "rows and fingerprints of 33 tables equal"
same "rows" "$(pg_sums "$conn")" "$(pg_sums two)"
same "sequences" "$(sequences "$conn")" "$(sequences two)"
same "definitions" "$(pg_schema "$conn")" "$(pg_schema two)"

# ---- without our programs, as load.sql says in its head
check "restore files" "$RESTORE" --config "$HOST/backupd.yaml" files latest --to files
chmod -R a+rX files
pg_createdb three
check "pg_restore --section=pre-data" "$PG_BIN/pg_restore" -h "$PGSOCK" -U postgres -d three --exit-on-error --section=pre-data \
    "files/$prefix/schema.pgdump"
load_sql() { (cd "files/$prefix" && "$PG_BIN/psql" "$@"); }
check "psql -f load.sql" load_sql -X -h "$PGSOCK" -U postgres -d three -v ON_ERROR_STOP=1 -f load.sql
check "pg_restore --section=post-data" "$PG_BIN/pg_restore" -h "$PGSOCK" -U postgres -d three --exit-on-error --section=post-data \
    "files/$prefix/schema.pgdump"
same "rows of psql" "$(pg_sums "$conn")" "$(pg_sums three)"
same "sequences of psql" "$(sequences "$conn")" "$(sequences three)"
same "definitions of psql" "$(pg_schema "$conn")" "$(pg_schema three)"

# ---- another server, where the roles are missing: made from globals.sql, which psql takes as well
roles() { psql_on "$1" -c "SELECT rolname, rolconfig FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"; }
psql_on() { "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$1" -U postgres -d postgres "${@:2}"; }
"$REPO_ROOT/tests/fixture/postgres.sh" start "$TMP/other"
at_end "$REPO_ROOT/tests/fixture/postgres.sh" stop "$TMP/other"
other=$(readlink "$TMP/other/socket")
psql_on "$other" -c 'CREATE DATABASE four TEMPLATE template0'
to="host=$other user=postgres dbname=four"
check_fails 4 "roles are missing" "$RESTORE" --config "$HOST/backupd.yaml" database latest --to "$to"
contains "they are named" "$(cat .check)" 'Ro"le; drop, new\x0aline: make them, or say --create-roles'
same "nothing was made" 0 "$(psql_on "$other" -c 'SELECT count(*) FROM pg_class WHERE oid >= 16384')"
check "--create-roles" "$RESTORE" --config "$HOST/backupd.yaml" database latest --to "$to" --create-roles
same "roles" "$(roles "$PGSOCK")" "$(roles "$other")"
finish
