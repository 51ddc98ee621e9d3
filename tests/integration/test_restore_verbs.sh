#!/bin/bash
# Every verb of restore on what backupd made of a live SQLite database.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store
(umask 077 && echo 'a passphrase' >pass && echo 'another' >wrong)
cat >conf.yaml <<END
state: $TMP/state
repositories:
  main:
    storage:
      type: local
      path: $TMP/store
    keys: $TMP/keys
    kit: $TMP/safe/restore-kit.key
    kit_passphrase:
      file: $TMP/pass
jobs:
  shop-db:
    engine: sqlite
    path: $TMP/shop.db
END
restore() { "$RESTORE" --config conf.yaml "$@"; }
backup() { "$BACKUPD" --config conf.yaml backup; }
is_json() { python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]'; }

sqlite3 shop.db 'CREATE TABLE orders(id INTEGER PRIMARY KEY, what TEXT);
    INSERT INTO orders SELECT value, hex(randomblob(100)) FROM generate_series(1, 20000)'
cp shop.db night1.db
check "a repository is made" "$BACKUPD" --config conf.yaml init --safe safe --kit-unconfirmed --kit-passphrase-file pass \
    --passphrase-memory 64M
check "first backup" backup
sqlite3 shop.db "UPDATE orders SET what = 'changed' WHERE id % 50 = 0"
cp shop.db night2.db
check "second backup" backup

# list, show, ls
text=$(restore list)
contains "list names the first snapshot" "$text" shop-db/1
contains "list names the second snapshot" "$text" shop-db/2
contains "list says they are live" "$text" live
same "list prints JSON" 2 "$(restore list --json | python3 -c '
import json, sys
print(len([1 for line in sys.stdin if json.loads(line)["message_type"] == "snapshot"]))')"
text=$(restore list --no-kit)
contains "without a kit only the writer is known" "$text" "encrypted"
check_fails 0 "without a kit the job's name is hidden" not grep -q shop-db <<<"$text"
receipt=$(restore show shop-db/2 --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["receipt"])')
same "a receipt has 20 digits" 20 "${#receipt}"
text=$(restore show "${receipt:0:8}")
contains "show by receipt" "$text" shop-db/2
contains "show prints the signer" "$text" "of charter 1"
contains "show prints the facts" "$text" "sqlite_version"
contains "show prints the stream" "$text" "page_size=4096"
contains "show without a kit says what is closed" "$(restore show --no-kit "${receipt:0:8}")" encrypted
contains "ls" "$(restore ls latest)" shop.db
contains "ls --long" "$(restore ls latest --long)" page_size=4096
check "ls --json" bash -o pipefail -c "'$RESTORE' --config conf.yaml ls latest --json | python3 -c 'import json, sys
assert json.loads(sys.stdin.readline())[\"path\"] == \"shop.db\"'"
check_fails 1 "ls of a path that is not there" restore ls latest other.db

# cat
restore cat latest shop.db >cat.db 2>cat.err
check "cat gives the stream" cmp cat.db night2.db
contains "cat describes the snapshot on stderr" "$(<cat.err)" "signed by"
check_fails 1 "cat of another stream" restore cat latest other.db
check_fails 2 "cat refuses a terminal" script -qec "'$RESTORE' --config conf.yaml cat latest shop.db" /dev/null
check "cat with JSON keeps stdout for the data" bash -c \
    "'$RESTORE' --config conf.yaml --json cat shop-db/1 shop.db 2>cat.json | cmp - night1.db"
check "and JSON goes to stderr" is_json <cat.json

# files
check "files" restore files shop-db/1 --to files
check "files gives the stream" cmp files/shop.db night1.db
same "nothing else is there" shop.db "$(ls -A files)"
check_fails 1 "files refuses a directory that is not empty" restore files latest --to files
mkdir empty
check "files takes an empty directory" restore files latest --to empty shop.db
check_fails 1 "files of a path that is not there" restore files latest --to other shop.dbx
check "and makes no directory then" not test -e other
check "files --json" bash -o pipefail -c "'$RESTORE' --config conf.yaml files latest --to j --json | tail -1 |
    python3 -c 'import json, sys; s = json.load(sys.stdin); assert s[\"files\"] == 1 and s[\"missed\"] == 0'"

# database
text=$(restore database latest --to new.db)
contains "database says what was checked" "$text" "quick_check ok"
contains "database describes the snapshot first" "$text" "first seen"
check "database gives what was backed up" cmp new.db night2.db
same "it is private" 600 "$(stat -c %a new.db)"
check_fails 1 "database refuses an existing file" restore database latest --to new.db
check "database of the night before" restore database latest~1 --to old.db
check "gives what there was" cmp old.db night1.db
mv shop.db away.db
status=0
text=$(restore database latest --to shop.db 2>&1) || status=$?
same "database refuses the configured source" 1 "$status"
contains "and says what to do" "$text" "restore to another file"
check "nothing was made there" not test -e shop.db
mkdir sub
check_fails 1 "also by another way to it" restore database latest --to sub/../shop.db
mv away.db shop.db
check_fails 1 "database needs its directory" restore database latest --to no/where.db
same "--quiet is quiet" "" "$(restore -q database latest --to quiet.db 2>&1)"
check "database --json" bash -o pipefail -c "'$RESTORE' --config conf.yaml database latest --to j.db --json |
    tail -1 | python3 -c 'import json, sys; assert json.load(sys.stdin)[\"engine\"] == \"sqlite\"'"
same "no temporary files are left" "" "$(find . -name '*restoring*')"

# verify
contains "verify with a kit is L2" "$(restore verify)" "L2:"
contains "verify without is L0" "$(restore verify --no-kit)" "L0:"
contains "--read-data with a kit is L3" "$(restore verify --read-data)" "L3:"
contains "--read-data without is L1" "$(restore verify --no-kit --read-data)" "L1:"
contains "--keys is LK" "$(restore verify --keys)" "LK:"
contains "--level" "$(restore verify --level L1)" "L1:"
contains "a part" "$(restore verify --read-data-subset 50%)" "the other packs"
contains "verify says what it did not look at" "$(restore verify)" "not checked"
contains "verify of one snapshot" "$(restore verify shop-db/1 --read-data)" "1 read whole"
check "verify --json" bash -o pipefail -c "'$RESTORE' --config conf.yaml verify --read-data --json | tail -1 |
    python3 -c 'import json, sys; s = json.load(sys.stdin)
assert s[\"level\"] == \"L3\" and s[\"errors\"] == 0 and s[\"streams\"] == 2, s'"
check_fails 2 "verify with contradicting options" restore verify --level L0 --read-data
check_fails 2 "verify of keys without a kit" restore verify --no-kit --keys

# one of a thing is one thing
text=$(restore show shop-db/1; restore verify --read-data; restore verify --keys; restore files shop-db/1 --to single)
contains "a file is counted" "$text" "Restored 1 file, 0 directories, 0 links"
contains "a pack is" "$text" "1 pack"
same "no plural after 1" "" "$(grep -E '(^|[ (])1 (file|directorie|link|pack|stream|error|writer|pack header|record|member)s\b' <<<"$text" || true)"

# keys and places
check_fails 12 "a wrong passphrase" restore --kit-passphrase-file wrong list
chmod 644 pass
check_fails 1 "a passphrase others can read is refused" restore list
chmod 600 pass
check_fails 12 "no passphrase and nobody to ask" setsid -w "$RESTORE" --kit safe/restore-kit.key --storage store list
check_fails 10 "no repository" restore --state fresh --storage "$TMP/sub" list
check_fails 9 "no repository where there was one" restore --storage "$TMP/sub" list
check_fails 10 "no storage" restore --storage "$TMP/nowhere" list
# a station whose kit is still in the safe
sed "s#$TMP/safe/#$TMP/media/#; s#$TMP/keys#$TMP/nokeys#" conf.yaml >away.yaml
for verb in list "show latest" verify "database latest --to x.db"; do
    # shellcheck disable=SC2086 # several words
    check_fails 1 "no kit where it is configured: $verb" "$RESTORE" --config away.yaml $verb
    contains "the file is named" "$(<.check)" "there is no file $TMP/media/restore-kit.key"
    contains "and where kits are" "$(<.check)" "in a safe or on paper"
    contains "and the option" "$(<.check)" "--kit FILE"
    same "nobody is sent to init" 0 "$(grep -c 'backupd init' .check || true)"
done
check_fails 1 "a kit that is not where --kit says" "$RESTORE" --config away.yaml --kit nowhere.key list
contains "is named, too" "$(<.check)" "there is no file nowhere.key (--kit)"
check "with the kit fetched all is well" "$RESTORE" --config away.yaml --kit safe/restore-kit.key list
check "and with its printed form" "$RESTORE" --config away.yaml --kit safe/restore-kit.txt list
# a station that has its kit, and no root.pub
sed "s#$TMP/keys#$TMP/nokeys#" conf.yaml >station.yaml
for level in L0 L1 L2 L3; do
    contains "with a kit $level needs no root.pub" "$("$RESTORE" --config station.yaml verify --level $level 2>&1)" "$level:"
done
same "where root.pub is no passphrase is asked for" 0 "$(setsid -w "$RESTORE" --kit-passphrase-file /none \
    --config conf.yaml verify --level L1 >/dev/null 2>&1; echo $?)"
check_fails 1 "without kit and root.pub" "$RESTORE" --config away.yaml --no-kit list
contains "both ways are named" "$(<.check)" "--root-key FILE"
contains "and where root.pub was looked for" "$(<.check)" "$TMP/nokeys"

check_fails 2 "a repository that is not configured" restore --repo other list
check_fails 2 "no configuration and nothing instead" "$RESTORE" --config none.yaml list
check "without a configuration" "$RESTORE" --storage store --kit safe/restore-kit.key \
    --kit-passphrase-file pass list
finish
