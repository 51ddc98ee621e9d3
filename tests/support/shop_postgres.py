"""A table of a gen-shop database as PostgreSQL COPY text, in the order of its key: shop_postgres.py DB TABLE"""
import sqlite3
import sys

path, table = sys.argv[1:3]
assert table in ("customers", "orders", "events")
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
rows = sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute(f"SELECT * FROM {table} ORDER BY id")
for row in rows:
    sys.stdout.write("\t".join("\\N" if v is None else str(v).translate(ESCAPES) for v in row) + "\n")
