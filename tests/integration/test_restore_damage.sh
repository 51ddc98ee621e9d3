#!/bin/bash
# A damaged repository: what is found, what is refused, and that nothing half is left.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

make_repo() { "$TOOLS/make_repo" "$@"; }
restore() { "$RESTORE" --storage m/storage --kit m/kit.key "$@"; }
undo() { chmod -R u+w m && rm -rf m && cp -a good m; }
flip() { # FILE OFFSET
    chmod u+w "$1"
    python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); b = f.read(1); f.seek(int(sys.argv[2])); f.write(bytes([b[0] ^ 1]))' "$1" "$2"
}
says() { # NAME STATUS FRAGMENT ARGUMENT...
    local name=$1 expected=$2 fragment=$3 status=0 text
    shift 3
    text=$(restore "$@" 2>&1) || status=$?
    same "$name" "$expected" "$status"
    contains "$name: what it says" "$text" "$fragment"
}

head -c 5000000 /dev/urandom >rows
seq 1000 >few
sqlite3 shop.db 'CREATE TABLE t(a); INSERT INTO t SELECT hex(randomblob(200)) FROM generate_series(1, 2000)'
make_repo new m 2
make_repo snapshot m 0 docs test "rows=rows" "sub/few=few" >receipts
make_repo snapshot m 1 shop-db sqlite "shop.db=shop.db" >>receipts
seq 5000 9000 >few2
make_repo snapshot m 0 docs test "rows=rows" "sub/few=few2" >>receipts
cp -a m good
docs=$(restore --json show docs/1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["writer"])')
shop=$(restore --json show shop-db/1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["writer"])')
check "it was good before" restore verify --read-data

# one flipped byte in the database's pack
flip "m/storage/w/$shop/pack/00000001-000000.00" 40000
check "presence alone does not see it" restore verify
says "--read-data sees it" 9 "pack-hash" verify --read-data
says "and names the snapshot" 9 "hits snapshot shop-db/1" verify --read-data
says "an auditor without a kit sees it" 9 "pack-hash" verify --level L1
says "JSON too" 9 '"snapshots":["shop-db/1"]' --json verify --read-data
says "the database is refused" 9 "was not made" database shop-db/1 --to out.db
same "and no file is left" "" "$(find . -name 'out.db*' -o -name '.out.db*')"
says "files too" 9 "nothing could be restored" files shop-db/1 --to out
check "and no directory is left" not test -e out
says "cat too" 9 "blob-auth" --json cat shop-db/1 shop.db
check "another job is not hit" restore -q files docs/2 --to out
rm -r out
undo

# one flipped byte in what two snapshots share: what is whole is restored all the same
flip "m/storage/w/$docs/pack/00000001-000000.00" 150000
says "both snapshots are named" 9 "hits snapshot docs/2" verify --read-data
status=0
text=$(restore files docs/2 --to out 2>&1) || status=$?
same "a partly restored tree" 9 "$status"
contains "names what is missing" "$text" "not restored: rows"
contains "and counts it" "$text" "1 of 2 members is missing"
check "the rest is there" cmp out/sub/few few2
same "and nothing else" "out out/sub out/sub/few" "$(find out | sort | xargs)"
rm -r out
restore cat docs/1 rows >part 2>part.err && status=0 || status=$?
same "cat of a damaged stream" 9 "$status"
check "cat gives no more than the good beginning" cmp -n "$(stat -c %s part)" part rows
undo

pack=m/storage/w/$docs/pack/00000001-000000.00
chmod u+w "$pack" && truncate -s -1000 "$pack"
says "a cut pack" 9 "pack-size" verify --level L0
says "is named with its snapshots" 9 "hits snapshot docs/1" verify
undo
rm -f "m/storage/w/$docs/pack/00000001-000000.00"
says "a missing pack" 9 "pack-missing" verify
says "is named with its snapshots" 9 "hits snapshot docs/2" verify
says "its streams are refused" 9 "it is not there" files docs/1 --to out
undo

snap=m/storage/w/$docs/snap/00000002.00
rm -f "$snap"
says "a missing snapshot object" 9 "snap-missing" verify
says "list goes on, and says so" 9 "damaged" list
says "show of it" 9 "is not there" show "$docs/2"
says "latest does not step over it" 9 "a newer snapshot is damaged" show docs/latest
says "the older one can be named" 0 "docs/1" show docs/1
says "and restored" 0 "Restored" files docs/1 --to older
undo
flip "$snap" 300
says "an altered snapshot object" 9 "snap-hash" verify
undo

log=m/storage/w/$docs/log
flip "$log/00000001.00" 230
says "an altered record" 9 "record-signature" verify
says "list says so" 9 "record-signature" list
undo
rm -f "$log/00000001.00"
says "a missing record" 9 "log-gap" list
says "what lies behind it is not restored" 9 "there is no snapshot of a job" files docs/2 --to gap
undo
flip m/storage/charter/00000001.00 60
says "an altered charter" 9 "charter" list
undo
rm -f m/storage/charter/00000001.00
says "no charter" 10 "there is no repository" list
undo

# another repository's keys
make_repo new other
check_fails 9 "a kit of another repository" "$RESTORE" --storage m/storage --kit other/kit.key list
check_fails 9 "a root key of another repository" "$RESTORE" --storage m/storage --root-key other/root.pub list
cp m/kit.key cut.key && chmod 600 cut.key && truncate -s 100 cut.key
check_fails 9 "a damaged kit" "$RESTORE" --storage m/storage --kit cut.key list
finish
