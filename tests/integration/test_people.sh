#!/bin/bash
# Several people who restore together: 2 of 3, requests and approvals, and grants to somebody who came later.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

sqlite3 one.db 'CREATE TABLE t(a); INSERT INTO t VALUES (1)'
sqlite3 two.db 'CREATE TABLE t(a); INSERT INTO t VALUES (2)'
cat >c.yaml <<END
state: state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
jobs:
  one: { engine: sqlite, path: $TMP/one.db }
  two: { engine: sqlite, path: $TMP/two.db }
END
backupd() { "$BACKUPD" --config c.yaml "$@"; }
# as PERSON ARGS...: on that person's own machine
as() {
    local who=$1
    shift
    "$RESTORE" --storage store --kit "safe/restore-kit-$who.key" --state "$who" "$@"
}
field() { python3 -c 'import json, sys
for line in sys.stdin:
    o = json.loads(line)
    if sys.argv[1] in o:
        v = o[sys.argv[1]]
        print(" ".join(v) if isinstance(v, list) else v)' "$1"; }
# ask PERSON FILE SNAPSHOT...: prints the code
ask() {
    local who=$1 file=$2
    shift 2
    as "$who" --json request "$@" --out "$file" --reason "order 4711" | field code
}
# says NAME STATUS FRAGMENT COMMAND...
says() {
    local name=$1 expected=$2 fragment=$3 status=0 text
    shift 3
    text=$("$@" 2>&1) || status=$?
    same "$name" "$expected" "$status"
    contains "$name: what it says" "$text" "$fragment"
}
# flip FILE OFFSET COPY
flip() {
    python3 -c 'import sys
b = bytearray(open(sys.argv[1], "rb").read()); b[int(sys.argv[2])] ^= 1; open(sys.argv[3], "wb").write(b)' "$@"
}

# ---- what init takes and makes
new() { backupd init --safe none --no-kit-passphrase "$@"; }
check_fails 2 "people without a number" new --people a,b
check_fails 2 "a number without people" new --need 2
check_fails 2 "more than there are" new --people a,b --need 3
check_fails 2 "a name twice" new --people a,b,a --need 2
check_fails 2 "a name that a charter cannot hold" new --people a,B --need 2
check_fails 2 "more groups than an envelope holds" new --people a,b,c,d,e,f,g --need 3
check "init for 2 of 3" backupd init --safe safe --no-kit-passphrase --people alice,bob,carol --need 2
contains "it says so" "$(<.check)" "2 of 3 people"
same "three recipients and three groups of two" "3 3 6" "$(awk '/^recipient/ { r++ } /^group/ { g++; n += NF - 1 }
    END { print r, g, n }' store/charter/*)"
same "a kit and a text for each" "6" "$(find safe -name 'restore-kit-*' | wc -l)"
check "a kit is tried by itself" backupd key verify-kit --kit safe/restore-kit-bob.key
check "nights" backupd backup
sqlite3 one.db 'INSERT INTO t VALUES (3)'
check "and another" backupd backup one
contains "each one's share opens" "$(backupd key check --kit safe/restore-kit-carol.key)" "of 3 its share opens"

# ---- nobody alone
for who in alice bob carol; do
    check_fails 12 "$who alone restores nothing" as "$who" files one/2 --to "$who-alone"
    check "$who sees what there is" as "$who" list
done
contains "it says who else is needed" "$(<.check)" "one/2"
says "and whom to ask" 12 "this kit is that of alice, and it also takes bob, or carol" as alice files one/2 --to x

# ---- each pair
for pair in "alice bob" "alice carol" "bob alice" "bob carol" "carol alice" "carol bob"; do
    read -r who other <<<"$pair"
    code=$(ask "$who" "$who-$other" one/2)
    check "$other approves for $who" as "$other" approve "$who-$other" --code "$code"
    check "$who restores" as "$who" files one/2 --to "out-$who-$other" --approval "$who-$other.approval"
    same "all of it" "1 3" "$(sqlite3 "out-$who-$other/one.db" 'SELECT a FROM t ORDER BY a' | xargs)"
done

# ---- what the second person sees
text=$(as bob approve alice-carol --code none --out no 2>&1) || true
contains "who asks" "$text" "alice (proven by that kit)"
contains "why" "$text" "order 4711"
contains "for what" "$text" "one/2"
code=$(ask alice both one/2 two/1)
text=$(as bob --json approve both --code "$code" --out both.approval)
same "two snapshots" "two/1 one/2" "$(field snapshots <<<"$text" | tr ' ' '\n' | sort -r | xargs)"
same "a small file" yes "$([[ $(stat -c %s both.approval) -lt 2048 && $(stat -c %s both) -lt 2048 ]] && echo yes)"
same "private ones" "600 600 600" "$(stat -c %a both both.approval "$(find alice/requests -type f | head -1)" | xargs)"
check_fails 1 "nothing is written over" as bob approve both --code "$code" --out both.approval
# A database that grows keeps data of earlier sessions: their keys open more than was asked for.
sqlite3 one.db "CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    SELECT i, hex(randomblob(40)) AS x FROM n"
check "a larger night" backupd backup one
sqlite3 one.db 'INSERT INTO t VALUES (4)'
check "a night that shares with it" backupd backup one
code=$(ask alice shared one/4)
text=$(as bob --json approve shared --code "$code")
same "what else becomes readable is named" "one/3" "$(field readable_in_part <<<"$text")"
text=$(as bob approve shared --code "$code" --out again 2>&1)
contains "also in words" "$text" "readable in part:  one/3"
code=$(ask alice first one/1 one/3)
same "the nights in between, too" "one/2" "$(as bob --json approve first --code "$code" | field also_readable)"
code=$(ask alice older one/3)
text=$(as bob --json approve older --code "$code")
same "and what shares data with it" "one/4" "$(field shared_data_of <<<"$text")"

# ---- an approval opens nothing else
check "the one that was asked for" as alice files one/3 --to o3 --approval older.approval
says "a later one not" 12 "does not cover it" as alice files one/4 --to o4 --approval older.approval
says "another job not" 12 "does not cover it" as alice files two/1 --to o2 --approval older.approval
check "several approvals together" as alice files two/1 --to o2 --approval older.approval --approval both.approval

# ---- only for her who asked
says "another person's approval" 9 "another person's request" as carol files one/3 --to x --approval older.approval
says "on a machine that did not ask" 9 "was not made here" \
    "$RESTORE" --storage store --kit safe/restore-kit-alice.key --state elsewhere files one/3 --to x --approval older.approval
says "without a kit" 2 "goes with the kit" "$RESTORE" --storage store --root-key safe/root.pub --state alice list --approval older.approval
says "one does not approve oneself" 2 "another person" as alice approve older --code "$code"

# ---- bytes that were changed on the way, in each field
# refused FILE OFFSET COMMAND...: with that byte of FILE changed (as the file "bad") the command ends with 9
refused() {
    local file=$1 at=$2 status=0
    shift 2
    flip "$file" "$at" bad
    "$@" >bad.out 2>&1 || status=$?
    rm -f bad
    [[ $status -eq 9 && ! -e no ]] || fail "$file, byte $at" "status $status: $(<bad.out)"
    tries=$((tries + 1))
}
tries=0
for at in 0 9 12 20 40 60 82 90 97 101 103 105 108 115 121 126 130 140 165 170 185; do
    refused older "$at" as bob approve bad --code "$code" --out no
done
for at in 0 9 13 20 40 70 85 97 105 120 200 240 250; do
    refused older.approval "$at" as alice files one/3 --to no --approval bad
done
same "requests and approvals with a changed byte are refused" 34 "$tries"
code2=$(ask alice other two/1)
says "the code of another request" 9 "another code" as bob approve older --code "$code2" --out no
says "not without a terminal or a code" 2 "--code CODE" setsid -w "$RESTORE" --storage store --kit safe/restore-kit-bob.key --state bob approve older --out no

# ---- for a time
code=$(as alice --json request one/3 --out brief --reason soon --valid 60s | field code)
check "approved in time" as bob approve brief --code "$code"
check "approved for a moment" as bob approve older --code "$(as bob --json approve older --code x --out no 2>/dev/null | field code | head -1)" --valid 1s --out moment
code=$(as alice --json request one/3 --out shorter --reason soon --valid 1s | field code)
sleep 1.1
says "too late to use it" 9 "no longer valid" as alice files one/3 --to x --approval moment
says "too late to approve" 9 "no longer valid" as bob approve shorter --code "$code"
check "a later request removes keys that are over" ask alice sweep one/3
same "one was" 0 "$(find alice/requests -name "$(tr -d - <<<"$code")*" | wc -l)"

# ---- somebody who comes later
root=(--root-key safe/root.key --yes)
check "dave makes a key" backupd key new-recipient dave --to dave.key --no-new-passphrase
sed -n '/^bk1-recipient/p' .check >offer
check "he joins a group with alice" backupd key add-recipient offer "${root[@]}" --with alice
check "his kit" backupd key export-kit --kit safe/restore-kit-alice.key --recipient-key dave.key --to safe/restore-kit-dave.key --no-new-passphrase
says "old snapshots do not know him" 12 "not sealed to this kit (dave)" as dave files one/3 --to x
code=$(ask alice old one/3)
says "so he cannot help with them" 12 "cannot help" as dave approve old --code "$code" --out no
says "one person alone grants nothing" 12 "more than one person" as alice grant dave
code=$(ask alice all --all)
check "alice and bob" as bob approve all --code "$code"
check "a grant, first for show" as alice grant dave --approval all.approval --dry-run
same "nothing was written" 0 "$(find store/grant -type f | wc -l)"
check "alice and bob grant" as alice grant dave --approval all.approval
contains "how many" "$(<.check)" "Granted 5 sessions to dave"
same "one file" 1 "$(find store/grant -type f | wc -l)"
contains "again there is nothing to do" "$(as alice grant dave --approval all.approval)" "named in all 5 sessions already"
says "dave alone still does not" 12 "takes" as dave files one/3 --to x
code=$(ask dave his one/3)
check "alice approves for dave" as alice approve his --code "$code"
check "dave restores an old snapshot" as dave files one/3 --to dave-out --approval his.approval
check "bytes and all" cmp o3/one.db dave-out/one.db
code=$(ask dave every --all)
check "alice approves everything" as alice approve every --code "$code"
text=$(as dave --json verify --keys --approval every.approval)
same "LK counts what grants opened" 5 "$(field sessions_by_grant <<<"$text")"
check "and every byte opens" as dave verify --read-data --approval every.approval
code=$(ask bob bobs one/3)
check_fails 12 "dave shares no group with bob" as dave approve bobs --code "$code" --out no
grant=$(find store/grant -type f)
chmod u+w "$grant"
flip "$grant" $(($(stat -c %s "$grant") - 1)) "$grant.new"
mv "$grant.new" "$grant"
check_fails 9 "a damaged grant is found" as dave verify --keys --approval every.approval
finish
