#!/bin/bash
# Naming a snapshot: every form, and what is said when none or several fit.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

make_repo() { "$TOOLS/make_repo" "$@"; }
restore() { "$RESTORE" --storage m/storage --kit m/kit.key "$@"; }
name_of() { restore --json show "$@" | python3 -c 'import json, sys; print(json.load(sys.stdin)["name"])'; }
says() { # NAME STATUS FRAGMENT ARGUMENT...
    local name=$1 expected=$2 fragment=$3 status=0 text
    shift 3
    text=$(restore "$@" 2>&1) || status=$?
    same "$name" "$expected" "$status"
    contains "$name: what it says" "$text" "$fragment"
}

echo one >one
seq 50000 >numbers
: >empty
at() { MAKE_REPO_TIME=$(date -ud "$1" +%s) make_repo snapshot m "${@:2}" >>receipts; }
make_repo new m 2
at 2026-11-01T02:30:12 0 docs test "dir/one=one" "dir/numbers=numbers" "empty=empty"
says "latest when there is one job" 0 docs/1 show latest
at 2026-11-02T02:30:12 0 docs test "dir/one=one" "dir/numbers=numbers"
at 2026-11-02T04:00:00 1 shop-db sqlite "shop.db=numbers"
at 2026-11-03T02:30:12 0 docs test "dir/one=one"
at 2026-11-04T02:30:12 0 logs test "messages=one"

same "by name" docs/2 "$(name_of docs/2)"
same "by name of another writer" shop-db/1 "$(name_of shop-db/1)"
same "by number and --job" docs/2 "$(name_of 2 --job docs)"
same "latest of a job" docs/3 "$(name_of latest --job docs)"
same "JOB/latest" docs/3 "$(name_of docs/latest)"
same "latest~1" docs/2 "$(name_of latest~1 --job docs)"
same "JOB/latest~2" docs/1 "$(name_of docs/latest~2)"
same "a second job of one writer" logs/4 "$(name_of logs/latest)"
receipt=$(sed -n 's|^docs/2 ||p' receipts)
same "by receipt" docs/2 "$(name_of "$receipt")"
same "by its beginning" docs/2 "$(name_of "${receipt:0:6}")"
same "in capitals" docs/2 "$(name_of "$(tr a-f A-F <<<"${receipt:0:8}")")"
same "by time" docs/1 "$(name_of 2026-11-01T02:30:12Z --job docs)"
same "by time without Z" docs/2 "$(name_of docs/2026-11-03T02:30:11)"
same "by time with a space" docs/2 "$(name_of "docs/2026-11-03 02:29")"
same "a minute is meant to its end" docs/3 "$(name_of docs/2026-11-03T02:30)"
same "a day is meant to its end" docs/2 "$(name_of 2026-11-02 --job docs)"
same "by a day to come" docs/3 "$(name_of 2099-01-01 --job docs)"
writer=$(restore --json show docs/1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["writer"])')
same "by writer and number" docs/2 "$(name_of "$writer/2")"
contains "without a kit by writer and number" "$("$RESTORE" --storage m/storage --root-key m/root.pub show "$writer/2")" \
    "$receipt"

says "latest of several jobs" 2 "--job" show latest
says "a job that does not exist" 1 "did you mean 'docs'" show latest --job dosc
says "and which there are" 1 "there are: logs, docs, shop-db" show dosc/3
says "latest of several jobs names all of them" 2 "(logs, docs, shop-db)" show latest
check "candidates are those of the job" not grep -q shop-db <(restore show docs/7 2>&1)
says "an address for what becomes a file" 2 "give a path" database shop-db/1 --to postgresql://h/x
says "a name that does not exist" 1 "docs/3" show docs/7
says "too far back" 1 "docs/1" show docs/latest~3
says "too early" 1 "is that old" show 1999-12-31 --job docs
says "a day that does not exist" 2 "names no snapshot" show 2026-02-30 --job docs
says "a short receipt" 2 "at least 6" show abcde
says "a receipt that does not exist" 1 "no such snapshot" show 0123456789abcdef
says "a number without a job" 2 "JOB/NUMBER" show 2
says "no selector" 2 "names no snapshot" show yesterday
says "latest with something behind it" 2 "latest~1" show latest-1 --job docs
says "two jobs at once" 2 "does not fit" show docs/1 --job shop-db

# a tree of streams
check "files below a directory" restore files docs/1 --to all
check "the content is right" cmp all/dir/numbers numbers
check "an empty stream" cmp all/empty empty
same "permissions are those of the snapshot" 640 "$(stat -c %a all/dir/one)"
same "only what was asked for" "part part/dir part/dir/one" \
    "$(restore -q files docs/1 --to part ./dir/one && find part | sort | xargs)"
same "a directory means what is below it" "dir/numbers dir/one" \
    "$(restore --json ls docs/1 dir/ | python3 -c 'import json, sys
print(" ".join(json.loads(line)["path"] for line in sys.stdin))')"
same "cat of an empty stream" "" "$(restore -q cat docs/1 empty)"
check_fails 9 "what is no database" restore database shop-db/1 --to numbers.db
check "leaves nothing" not test -e numbers.db
check_fails 2 "a source without an engine" restore database docs/1 --to numbers.db
check "leaves nothing" not test -e numbers.db

# expired, held
make_repo retain m
make_repo retain m expire 0 1
make_repo retain m hold 0 2
contains "a held one is listed as such" "$(restore list)" held
contains "what is left out is counted" "$(restore list)" "1 expired one is not shown (--expired)"
contains "--expired lists it" "$(restore list --expired)" expired
contains "--all lists it" "$(restore list --all)" "expired"
contains "it can be restored by its number" "$(restore show docs/1 2>&1)" "has expired and will be deleted"
check "and it is whole" restore -q files docs/1 --to expired
same "with its content" "" "$(diff -r all expired)"
says "an expired one is no part of a verification" 1 "has expired" verify docs/1
same "latest does not count it" docs/3 "$(name_of docs/latest)"
says "and cannot be reached" 1 "no such snapshot" show docs/latest~2
contains "first seen is known now" "$(restore show docs/2)" "by retention record 1"
same "list of one job" 1 "$(restore --json list --job logs | wc -l)"
finish
