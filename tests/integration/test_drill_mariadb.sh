#!/bin/bash
# Drills of a MariaDB database with something of everything: it passes, it finds what was damaged, and nothing stays.
# shellcheck disable=SC2119,SC2317 # arguments are optional; functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/mariadb.sh"

SCRATCH=$(mktemp -d /var/tmp/drill-test.XXXXXX)
chmod 755 "$SCRATCH"
at_end rm -rf "$SCRATCH"
drill() { "$RESTORE" --config "$HOST/backupd.yaml" drill run latest --scratch "$SCRATCH" "$@"; }
left() { find "$SCRATCH" -mindepth 1; }
failed() {
    python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["checks"]:
    if c["verdict"] == "fail": print(c["name"] + "/" + (c["subject"] or ""))' "$1"
}

db_start
db_fill shop
db shop <<'SQL'
CREATE TABLE marks (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(20), KEY by_note (note));
INSERT INTO marks (note) VALUES ('a'), ('b'), ('c'), ('d');
CREATE TRIGGER marks_new BEFORE INSERT ON marks FOR EACH ROW SET NEW.note = upper(NEW.note);
CREATE FUNCTION seven() RETURNS INT DETERMINISTIC RETURN 7;
CREATE USER shopper@localhost IDENTIFIED BY 'x';
GRANT SELECT, INSERT ON shop.* TO shopper@localhost;
SQL
check "a backup" db_backup

check "a drill passes" drill --out pass.json
same "nothing failed and nothing could not run" "" \
    "$(python3 -c 'import json
for c in json.load(open("pass.json"))["checks"]:
    if c["verdict"] != "pass": print(c)')"
check "what was compared" python3 -c 'import json
r = json.load(open("pass.json"))
kinds = {c["kind"] for c in r["checks"]}
assert {"storage", "table", "objects", "rights", "definitions", "engine"} <= kinds, kinds
assert r["server_version"].startswith("MariaDB 10.11."), r["server_version"]'
same "nothing is left" "" "$(left)"

cat >faults.sql <<'SQL'
ALTER TABLE marks DROP KEY by_note;
DROP TRIGGER marks_new;
DROP FUNCTION seven;
REVOKE INSERT ON shop.* FROM shopper@localhost;
UPDATE marks SET note = 'B ' WHERE id = 2;
SQL
check_fails 9 "a drill with planted faults" drill --inject faults.sql --out fail.json
found=$(failed fail.json)
contains "the dropped index" "$found" "definition of the table/marks"
contains "the dropped trigger" "$found" "objects/triggers"
contains "the dropped routine" "$found" "objects/functions"
contains "the right that is gone" "$found" "right of an account/"
contains "the changed row" "$found" "rows and fingerprint/marks"
contains "all definitions" "$found" "all definitions/"
printf '%s\n' "ALTER TABLE marks DROP PRIMARY KEY, MODIFY id INT; DELETE FROM marks WHERE id = 3;" \
    "DROP TRIGGER marks_new; INSERT INTO marks SELECT * FROM marks WHERE id = 4;" >swap.sql
check_fails 9 "one row lost, another doubled" drill --inject swap.sql --out swap.json
contains "the table is named" "$(failed swap.json)" "rows and fingerprint/marks"
same "nothing is left of them" "" "$(left)"

check_fails 4 "without the server's programs it could not run" drill --bin-dir "$TMP" --out not.json
contains "and the way out is told" "$(cat not.json)" "apt-get install mariadb-server-core"

# ---- a part of it: each drill takes half
check "a sample" drill --sample 4d --out sample.json
check "what was left out is told" python3 -c 'import json
r = json.load(open("sample.json"))
assert 0 < len(r["tables"]) < r["tables_total"] and r["verdict"] == "pass", r["tables"]
assert sum(c["kind"] == "table" for c in r["checks"]) == len(r["tables"])'

# ---- kept
check "a drill is kept, and returns" drill --keep --table marks --out kept.json
connect=$(python3 -c 'import json; print(json.load(open("kept.json"))["connect"])')
same "people can look with what it printed" 4 \
    "$(setsid env -i PATH="$PATH" bash -c "$connect -BN -e 'SELECT count(*) FROM marks'")"
keeper=$(<"$(echo "$SCRATCH"/backupd-drill-*/lock)")
mapfile -t children < <(ps -o pid= --ppid "$keeper" | tr -d ' ')
same "it has one server" 1 "${#children[@]}"
kill -9 "$keeper"
check "which dies with its keeper" wait_gone "${children[0]}" 30
check "the next drill" drill --table marks
same "leaves nothing of either" "" "$(left)"
finish
