"""Rows and a sum of every table of a database, by the stock client and sha256: mariadb_sums.py SOCKET DATABASE

Values are asked for as hexadecimal digits of their bytes, floats with all of their digits, histories with their times.
"""
import hashlib
import subprocess
import sys

socket, database = sys.argv[1:3]
SETTINGS = "SET sql_mode='ALLOW_INVALID_DATES', time_zone='+00:00', character_set_results=NULL;"


def run(sql):
    command = ["mariadb", "--no-defaults", "--socket=" + socket, "--user=root", "--batch", "--skip-column-names",
               "--default-character-set=utf8mb4", "-e", SETTINGS + sql]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.split(b"\n")[:-1]


def unhex(line):
    return [bytes.fromhex(field.decode()).decode() for field in line.split(b"\t")]


def quote(name):
    return "`" + name.replace("`", "``") + "`"


where = "table_schema = CAST(0x%s AS CHAR)" % database.encode().hex()
tables = run("SELECT hex(table_name), hex(table_type) FROM information_schema.tables WHERE " + where +
             " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1")
for name, kind in map(unhex, tables):
    columns = run("SELECT hex(column_name), hex(data_type) FROM information_schema.columns WHERE " + where +
                  " AND table_name = CAST(0x%s AS CHAR) ORDER BY ordinal_position" % name.encode().hex())
    parts = []
    for column, data_type in map(unhex, columns):
        value = "CAST(%s AS DOUBLE)" % quote(column) if data_type == "float" else quote(column)
        value = quote(column) + " + 0" if data_type == "enum" else value  # the invalid one reads as an empty text
        # HEX of a number is the number in hexadecimal digits: as text, please.
        text = data_type in ("char", "varchar", "binary", "varbinary", "bit", "geometry", "json", "set") \
            or "blob" in data_type or "text" in data_type or data_type in ("point", "polygon", "linestring")
        parts.append("ifnull(hex(%s), 'NULL')" % (value if text else "concat(%s)" % value))
    source = "%s.%s" % (quote(database), quote(name))
    if kind == "SYSTEM VERSIONED":
        source += " FOR SYSTEM_TIME ALL"
        if not any(unhex(c)[0] == "valid_from" for c in columns):  # those of the shop with names of their own
            parts += ["hex(concat(row_start))", "hex(concat(row_end))"]
    rows = run("SELECT %s FROM %s" % (", ".join(parts), source))
    total = sum(int.from_bytes(hashlib.sha256(row).digest()[:16], "big") for row in rows) % 2**128
    print(repr(name), len(rows), "%032x" % total)
