#!/bin/bash
# Many SQLite databases in one job, some in use, there and back; facts that Python counts for itself; what is damaged.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store app app/eu
# job LINES...
job() {
    {
        printf 'state: %s/state\nrepositories:\n  main:\n' "$TMP"
        printf '    storage: { type: local, path: %s/store }\n    kit: %s/safe/restore-kit.key\njobs:\n  apps:\n    engine: sqlite\n' "$TMP" "$TMP"
        printf '    %s\n' "$@"
    } >c.yaml
}
backup() { "$BACKUPD" --config c.yaml backup "$@"; }
restore() { "$RESTORE" --config c.yaml "$@"; }

sqlite3 app/shop.db "PRAGMA journal_mode=WAL; CREATE TABLE item(n); WITH c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<5000) INSERT INTO item SELECT i FROM c" >/dev/null
sqlite3 app/eu/shop.db "CREATE TABLE item(n); INSERT INTO item VALUES (7); CREATE TABLE \"a b\"(x)"
echo "not a database" >app/notes.txt
job "path: [ app/*.db, 'app/**/*.db' ]"
"$BACKUPD" --config c.yaml init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null
mkfifo hold
spawn sqlite.log bash -c "sqlite3 app/shop.db <hold"
exec 9>hold
printf 'INSERT INTO item VALUES (0);\n' >&9
check "an application writes" wait_for 10 test -s app/shop.db-wal

check "two files in one run" backup
base=${TMP#/}
same "named by their paths" "$base/app/eu/shop.db $base/app/shop.db" "$(restore ls apps/1 --json | python3 -c '
import json, sys
print(*[o["path"] for o in map(json.loads, sys.stdin) if "path" in o])')"
check "both come back" restore database apps/1 --to back
contains "and were checked" "$(<.check)" "quick_check ok"
same "the rows of the one in use" 5001 "$(sqlite3 "back/$base/app/shop.db" "SELECT count(*) FROM item")"
same "and of the other" 7 "$(sqlite3 "back/$base/app/eu/shop.db" "SELECT n FROM item")"
check_fails 1 "not into a directory with something in it" restore database apps/1 --to back
check "restore cat gives one of them" bash -c "'$RESTORE' --config c.yaml --quiet cat apps/1 '$base/app/eu/shop.db' | cmp - app/eu/shop.db"

# ---- facts, counted by somebody else
text=$(restore show apps/1 --json)
check "rows, schema and page counts are what Python finds" /usr/bin/python3 - "$text" "back/$base/app/eu/shop.db" <<'PY'
import json, sqlite3, sys, xxhash
text, path = sys.argv[1:]
db = sqlite3.connect(path)
total = 0
for row in db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"):
    total += xxhash.xxh3_128_intdigest(b"".join((v or "").encode() + b"\0" for v in row))
want = {"schema": "xxh3-128-sum:%032x" % (total % 2**128), "rows": "1", "table_rows": "a%20b:0,item:1",
        "quick_check": "ok", "pages": str(db.execute("PRAGMA page_count").fetchone()[0])}
facts = [s["facts"] for s in json.loads(text)["streams"] if s["path"].endswith("/eu/shop.db")][0]
missing = {k: v for k, v in want.items() if facts.get(k) != v}
print(missing, facts)
sys.exit(bool(missing))
PY

# ---- what is no database, and what is damaged
job "path: 'app/*'"
check_fails 4 "a file that is none fails the run" backup
contains "by its name" "$(<.check)" "notes.txt"
job "path: 'app/*'" "skip_others: yes"
check "or is left out" backup
contains "by its name, too" "$(<.check)" "notes.txt"
exec 9>&-
job "path: app/none*.db"
check_fails 4 "a pattern that matches nothing" backup
job "path: app/none*.db" "allow_empty: yes"
check "may be allowed to" backup
job "path: app/eu/shop.db"
python3 - app/eu/shop.db <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE big(b)")
db.executemany("INSERT INTO big VALUES (?)", [(b"x" * 3000,) for _ in range(200)])
db.commit()
db.close()
with open(sys.argv[1], "r+b") as f:
    f.seek(4096 * 20)
    f.write(b"\xff" * 4096)
PY
check_fails 9 "a damaged database is not published" backup
contains "with what the check said" "$(<.check)" "is damaged ("
contains "and the way out" "$(<.check)" "check: none"
job "path: app/eu/shop.db" "check: none"
check "as it is, when asked for" backup
check_fails 9 "a restore of it says that it is damaged" restore database latest --to damaged.db
check "and leaves nothing" not test -e damaged.db
check "its bytes can be had" restore files latest --to bytes
check "as they were" cmp bytes/shop.db app/eu/shop.db
finish
