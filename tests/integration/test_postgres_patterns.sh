#!/bin/bash
# Patterns for schemas, tables and rows: what they leave out is not there, is told, and the rest restores.
# shellcheck disable=SC2016,SC2119,SC2317  # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/postgres.sh"

tables() { pg "$1" -c "SELECT string_agg(n.nspname || '.' || c.relname, ' ' ORDER BY n.nspname, c.relname) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind IN ('r', 'p', 'v') AND n.nspname !~ '^pg_|^information_'"; }
round_trip() { # DATABASE
    pg_createdb "$1"
    check "$1: a backup" pg_backup
    check "$1: restored" pg_restore_to "$1"
}
look() { "$BACKUPD" --config "$HOST/backupd.yaml" check database; }

pg_start
pg_createdb shop
pg shop <<'END'
CREATE TABLE items (id int PRIMARY KEY, name text);
INSERT INTO items SELECT i, 'item ' || i FROM generate_series(1, 100) i;
CREATE TABLE orders (id serial PRIMARY KEY, item int REFERENCES items);
INSERT INTO orders (item) SELECT i FROM generate_series(1, 50) i;
CREATE TABLE log_2024 (id int GENERATED ALWAYS AS IDENTITY, t text);
INSERT INTO log_2024 (t) VALUES ('x');
CREATE TABLE "Log.Odd ""$(x)|*" (id serial, t text);
INSERT INTO "Log.Odd ""$(x)|*" (t) VALUES ('odd');
CREATE UNLOGGED TABLE cache (k int);
INSERT INTO cache VALUES (1);
CREATE VIEW names AS SELECT name FROM items;
CREATE SCHEMA audit;
CREATE TYPE audit.level AS ENUM ('low', 'high');
CREATE TABLE audit.trail (id int, t text);
INSERT INTO audit.trail VALUES (1, 'a');
CREATE TABLE plain (id int);
INSERT INTO plain VALUES (1);
CREATE TABLE parent (id int) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF parent FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parent FOR VALUES IN (2);
INSERT INTO parent VALUES (1), (2);
SELECT lo_create(77) \g /dev/null
END

# ---- not in the snapshot at all; tables with hostile names; an identity and its sequence
pg_job 'exclude_schemas: audit' 'exclude_tables: ["log_*", "public.Log\\.Odd*", part_2]'
check "a look" look
contains "tells what is left out" "$(cat .check)" 'audit.trail, public.Log.Odd "$(x)|*, public.log_2024, public.part_2'
round_trip without
contains "a restore tells what the job left out" "$(cat .check)" "as the job's patterns said"
contains "by name" "$(cat .check)" "public.log_2024"
same "what is there" "public.cache public.items public.names public.orders public.parent public.part_1 public.plain" "$(tables without)"
same "is noted" 'audit/trail,public/Log%2EOdd%20%22%24%28x%29%7C%2A,public/log_2024,public/part_2' "$(fact tables_left_out shop/schema.pgdump)"
same "rows of the rest" "100 50 1" "$(pg without -c 'SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM orders), (SELECT count(*) FROM parent)' | tr '|' ' ')"
same "and their sequences" 51 "$(pg without -c "SELECT nextval('orders_id_seq')")"
same "large objects come along" 77 "$(pg without -c 'SELECT oid FROM pg_largeobject_metadata')"

# ---- definitions without rows
pg_job 'exclude_table_data: ["audit.*", "log_????"]' 'unlogged_data: no'
round_trip bare
contains "a restore tells which tables are without rows" "$(cat .check)" "audit.trail, public.cache, public.log_2024"
same "all tables are there" "$(tables shop)" "$(tables bare)"
same "some without rows" "0 0 0 1" "$(pg bare -c 'SELECT (SELECT count(*) FROM audit.trail), (SELECT count(*) FROM log_2024),
    (SELECT count(*) FROM cache), (SELECT count(*) FROM plain)' | tr '|' ' ')"
same "is noted" 'audit/trail,public/cache,public/log_2024' "$(fact rows_left_out shop/schema.pgdump)"

# ---- only some
pg_job 'tables: ["items", "orders"]' 'schemas: pub*'
round_trip only
same "these, and views" "public.items public.names public.orders" "$(tables only)"

# ---- what could not be restored is refused before anything is read
pg_job 'exclude_tables: items'
check_fails 4 "a table that others need" look
contains "a foreign key is named" "$(cat .check)" "public.orders needs public.items, which the patterns leave out"
contains "a view, too" "$(cat .check)" "public.names needs public.items, which the patterns leave out"
check "the run refuses it" not pg_backup
contains "by name" "$(cat .check)" "needs public.items"
pg_job 'exclude_tables: parent'
check "a partition without its parent" not look
contains "is named" "$(cat .check)" "public.part_1 needs public.parent"
pg_job 'exclude_table_data: items'
check "rows that others refer to" not look
contains "are named" "$(cat .check)" "public.orders refers to rows of public.items"
pg shop -c "ALTER TABLE plain ADD COLUMN l audit.level"
pg_job 'exclude_schemas: audit'
check "a type of a schema that is left out" not look
contains "is named" "$(cat .check)" "public.plain needs type audit.level"

# ---- an extension in public, which is in every database: it is no reason to refuse
pg_createdb extended
pg extended -c "CREATE EXTENSION hstore" -c "CREATE SCHEMA app" -c "CREATE TABLE app.t (h hstore, CHECK (h ? 'a'))" \
    -c "INSERT INTO app.t VALUES ('a=>1')" -c "CREATE TABLE public.other (id int)"
pg_job 'database: extended' 'schemas: app'
round_trip extended2
same "with a type of it" "app.t" "$(tables extended2)"
pg_job 'database: extended' 'exclude_schemas: public'
round_trip extended3
same "said the other way" '"a"=>"1"' "$(pg extended3 -c 'SELECT h FROM app.t')"

# ---- patterns that mean nothing
pg_job 'exclude_tables: ["nothing_*", "cache"]' 'exclude_schemas: nowhere'
check "a pattern that matches nothing" pg_backup
contains "is told" "$(cat .check)" 'the pattern `nothing_*` of `exclude_tables` matches nothing'
contains "of schemas, too" "$(cat .check)" 'the pattern `nowhere` of `exclude_schemas` matches nothing'
pg_createdb second
pg_job 'database: [shop, second]' 'exclude_tables: ["nothing_*", "cache"]'
check "of several databases" pg_backup
contains "one that matches in none is told" "$(cat .check)" 'the pattern `nothing_*` of `exclude_tables` matches nothing'
check "one that matches in one of them is not" not grep -q 'pattern `cache`' .check
pg_job 'exclude_tables: [""]'
check "an empty pattern is refused" not pg_backup

# ---- a table that is left out is not locked, and needs no rights
pg shop -c "ALTER TABLE plain DROP COLUMN l" -c "CREATE ROLE bk LOGIN" -c "GRANT SELECT ON ALL TABLES IN SCHEMA public TO bk" \
    -c "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO bk" -c "REVOKE SELECT ON log_2024 FROM bk" -c "SELECT lo_unlink(77)" >/dev/null
pg_job 'user: bk' 'exclude_schemas: audit' 'exclude_tables: "log_*"' 'globals: no'
check "a role without rights on what is left out" pg_backup

finish
