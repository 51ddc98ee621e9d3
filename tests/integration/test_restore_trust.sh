#!/bin/bash
# What a storage may not hide: marks, receipts, alarms. And stopping a restore.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

make_repo() { "$TOOLS/make_repo" "$@"; }
restore() { "$RESTORE" --storage m/storage --kit m/kit.key --state state "$@"; }
audit() { "$RESTORE" --storage m/storage --root-key m/root.pub --state audit "$@"; }
says() { # NAME STATUS FRAGMENT COMMAND...
    local name=$1 expected=$2 fragment=$3 status=0 text
    shift 3
    text=$("$@" 2>&1) || status=$?
    same "$name" "$expected" "$status"
    contains "$name: what it says" "$text" "$fragment"
}

seq 1000 >few
make_repo new m 2
make_repo snapshot m 0 docs test few=few >receipts
make_repo snapshot m 0 docs test few=few >>receipts
make_repo snapshot m 1 other test few=few >>receipts
first=$(sed -n 's|^docs/1 ||p' receipts)
second=$(sed -n 's|^docs/2 ||p' receipts)
writer=$(restore --json show docs/1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["writer"])')

# receipts pin a log on a station without marks
check "the newest receipt" restore --expect "$second" list
check "an older one" restore --expect "$first" list
check "two of them" restore --expect "$first" --expect "$second" list
says "one that no log holds" 9 "no log holds" restore --expect 00000000000000000000 list
check_fails 2 "one that is none" restore --expect xyz list

# an auditor: root public key only
check "an auditor lists" audit list
check "an auditor verifies every byte" audit verify --read-data
check_fails 2 "an auditor reads nothing" audit ls docs/1
check_fails 2 "nor restores" audit files docs/1 --to auditor
printf 'bk1 root 00 00\n' >bad.pub
check_fails 9 "a root key file that is none" "$RESTORE" --storage m/storage --root-key bad.pub list
check_fails 2 "no key at all" "$RESTORE" --config none.yaml --storage m/storage list

# marks
rm -rf state
says "the first time" 0 "first time here" restore verify
same "marks are kept privately" "700 600" "$(stat -c %a state state/marks | xargs)"
says "the second time" 0 "none since the last time" restore verify
cp -a m before
make_repo snapshot m 0 docs test few=few >>receipts
marks=$(cksum <state/marks)
check "a newer record raises them" restore verify
check "they changed" not test "$marks" = "$(cksum <state/marks)"
mv m newer && mv before m
marks=$(cksum <state/marks)
says "a rollback is an alarm of verify" 9 "log-rollback" restore verify
says "of list" 9 "log-rollback" restore list
says "of show" 9 "log-rollback" restore show docs/1
says "nothing is restored from it" 9 "--despite-alarms" restore files docs/1 --to out
check "nothing was made" not test -e out
says "unless it is asked for" 0 "log-rollback" restore files docs/1 --to out --despite-alarms
check "then it is whole" cmp out/few few
says "another writer's snapshot is not held up" 0 "Restored" restore files other/1 --to out2
says "a station without marks cannot know" 0 "nothing is remembered" "$RESTORE" --storage m/storage --kit m/kit.key verify
says "but a receipt tells" 9 "no log holds" "$RESTORE" --storage m/storage --kit m/kit.key \
    --expect "$(sed -n 's|^docs/3 ||p' receipts)" verify
same "marks did not fall" "$marks" "$(cksum <state/marks)"
mv m older && mv newer m
check "the full log is fine again" restore verify
rm -f "m/storage/w/$writer/log/00000003.00"
says "the newest record alone removed" 9 "log-rollback" restore verify
rm -rf m && mv older m
make_repo new strange
says "marks of another repository" 9 "another repository" "$RESTORE" --storage strange/storage --kit strange/kit.key \
    --state state list
echo rubbish >>state/marks
says "damaged marks" 9 "--expect" restore list

# a late writer is a warning
make_repo new late 1 1
MAKE_REPO_TIME=1790000000 make_repo snapshot late 0 docs test few=few >/dev/null
says "a late writer" 0 "log-late" "$RESTORE" --storage late/storage --kit late/kit.key list
says "in verify" 0 "log-late" "$RESTORE" --storage late/storage --kit late/kit.key verify
says "it holds up no restore" 0 "Restored" "$RESTORE" --storage late/storage --kit late/kit.key files latest --to lately

# stopping
make_repo new big
head -c 150000000 /dev/urandom >big.bin
make_repo snapshot big 0 big test a=few b=big.bin >/dev/null
rm big.bin
stopped() { # SIGNAL TARGET
    spawn stop.log "$RESTORE" --storage big/storage --kit big/kit.key files big/1 --to "$2"
    wait_for 20 sh -c "find $2 -type f -size +1M -name '.restoring*' 2>/dev/null | grep -q ." || return 1
    kill "-$1" "$SPAWNED"
    ended=0
    wait "$SPAWNED" || ended=$?
}
for signal in INT TERM; do
    check "stopped in time by $signal" stopped "$signal" stopped
    same "$signal is exit status 130" 130 "$ended"
    check "and leaves nothing" not test -e stopped
done

finish
