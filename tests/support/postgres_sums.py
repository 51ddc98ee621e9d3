"""Rows and fingerprint of every table of a database, by psql and python3-xxhash: postgres_sums.py PSQL HOST DATABASE
[SEED], the seed as the fact fingerprint_seed gives it"""
import subprocess
import sys

import xxhash

psql, host, database = sys.argv[1:4]
seed = int((sys.argv[4:] + ["0"])[0], 16)
SETTINGS = ("SET datestyle='ISO'; SET intervalstyle='postgres'; SET extra_float_digits=3; SET timezone='UTC'; "
            "SET bytea_output='hex'; SET lc_monetary='C'; SET search_path='';")


def run(sql):
    command = [psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", host, "-U", "postgres", "-d", database,
               "-z", "-R", "\x01", "-c", SETTINGS, "-c", sql]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


TABLES = """SELECT format('%I.%I', n.nspname, c.relname) || chr(2)
    || coalesce(nullif((SELECT string_agg(format('%I', attname), ',' ORDER BY attname) FROM pg_attribute
       WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''), ''), '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (c.relkind = 'r' AND c.relname !~ '^by_state_' OR c.relname = 'by_state') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype = 'e')
    ORDER BY 1"""
for line in filter(None, run(TABLES).rstrip(b"\n").split(b"\x01")):
    table, columns = line.decode().split("\x02")
    source = f"{table} {'(' + columns + ')' if columns else ''}"
    if "by_state" in table:  # rows change the partition, the table has all of them
        source = f"(SELECT * FROM {table})"
    rows = run(f"COPY {source} TO STDOUT").split(b"\n")[:-1]
    total = sum(xxhash.xxh3_128_intdigest(row, seed=seed) for row in rows) % 2**128
    print(repr(table), len(rows), f"{total:032x}")
