#!/bin/bash
# `restore watch`: what a monitoring on another machine is told, with root.pub and a storage alone. Times of records are made by
# the fake clock of make_repo, times of files by touch; the expected ages are counted here, from now.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

H=3600
now=$(date +%s)
seq 1000 >few
# nights DIR WRITER LABEL AGE...: a snapshot for each age in hours, oldest first; files get the time of their record.
nights() {
    local dir=$1 writer=$2 label=$3 age
    shift 3
    for age in "$@"; do
        : >.before
        MAKE_REPO_TIME=$((now - age * H)) "$TOOLS/make_repo" snapshot "$dir" "$writer" "$label" test few=few
        find "$dir/storage" -type f -newer .before -exec touch -d "@$((now - age * H))" {} +
    done
}
# new DIR WRITERS [CADENCE]: enrolled 40 days ago
new() {
    MAKE_REPO_TIME=$((now - 960 * H)) "$TOOLS/make_repo" new "$@"
    touch -d "@$((now - 960 * H))" "$1"/storage/charter/*
}
watch() { "$RESTORE" --storage "$repo/storage" --root-key "$repo/root.pub" watch "$@"; }
# says NAME STATUS FRAGMENT [ARGS...]: of the first line
says() {
    local name=$1 expected=$2 fragment=$3 status=0
    shift 3
    watch "$@" >out 2>err || status=$?
    same "$name" "$expected" "$status"
    contains "$name: what it says" "$(head -n 1 out)" "$fragment"
}
row() { grep -E "^(OK|WARNING|CRITICAL|-) +$1 " out; }
ids() { find "$repo/storage/w" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort; }
id_of() { "$RESTORE" --storage "$repo/storage" --kit "$repo/kit.key" --json show "$1/latest" | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["writer"])'; }

# ---- three nights and more, three writers; the fourth is spare
repo=one
new one 4
nights one 0 shop 197 173 149 125 101 77 53 29 5 >receipts
nights one 1 www 101 77 53 29 5 >/dev/null
nights one 2 few 10 >/dev/null
says "all in time" 0 "OK: the newest backup of every writer is there, the oldest is 10 h"
contains "with numbers" "$(head -n 1 out)" " | 'writers'=3 'in_time'=3 'problems'=0 "
shop=$(id_of shop)
www=$(id_of www)
few=$(id_of few)
printf 'shop %s\nwww %s\n' "$shop" "$www" >"jobs"
check "a label with age and limits" grep -qE "'$shop'=1[89][0-9]{3}s;108000;194400;0" out
contains "its pace" "$(row "$shop")" "24 h 00 min"
contains "one without a history" "$(row "$few")" "too few to know"
spare=$(ids | grep -v -e "$shop" -e "$www" -e "$few")
contains "one that never published" "$(row "$spare")" "a spare one"
contains "in the verdict nobody but the names say so" "$(sed -n '/-  *[0-9a-f]/p' out)" "never"
says "names" 0 "'shop'=" --names jobs --max-age shop=20h
says "a limit for all" 2 "CRITICAL: $few: no good backup for too long (the last one 10 h 0" --max-age 6h
says "one for a writer wins" 0 "in time" --max-age 6h --max-age "$few=12h"
says "warning before critical" 1 "WARNING: shop: late (the last one 5 h 0" --names jobs --warn-age shop=4h --max-age shop=6h
check_fails 3 "a writer that is not there" watch --max-age nobody=6h
contains "is UNKNOWN on the first line" "$(head -n 1 .check)" "UNKNOWN: there is no writer nobody"
check_fails 3 "a time that is none" watch --max-age 6x
says "without spares it is missed" 1 "$spare: has never published" --no-spares
printf 'next %s\n' "$spare" >>"jobs"
says "so it is when it has a name" 1 "WARNING: next: has never published" --names jobs
says "but not before its time" 0 "; 3 of 4 writers are in time, 1 has not published yet | " --names jobs --max-age next=50d
contains "and is not said to be there" "$(head -n 1 out)" "every writer that has published is there, the oldest is 10 h"
check "nor counted" grep -q "'writers'=4 'in_time'=3 " out
printf 'what is this\n' >bad
check_fails 3 "names that are none" watch --names bad
"$RESTORE" --storage one/storage --kit one/kit.key watch >out
contains "a kit knows the names" "$(cat out)" "'shop'="
watch --json >out
check "JSON: the same" python3 - "$shop" <<'END'
import json, sys
lines = [json.loads(x) for x in open("out")]
writer = next(x for x in lines if x["message_type"] == "writer" and x["writer"] == sys.argv[1])
assert writer["verdict"] == "OK" and writer["usual_seconds"] == 86400 and writer["warning_seconds"] == 108000, writer
assert writer["receipt"] == open("receipts").read().split()[-1], writer
assert lines[-1]["message_type"] == "summary" and lines[-1]["code"] == 0 and lines[-1]["writers"] == 3, lines[-1]
END
same "quiet is one line" 1 "$(watch --quiet | wc -l)"
cat >c.yaml <<END
state: $TMP/station
repositories:
  shop: { storage: { type: local, path: $TMP/one/storage }, keys: $TMP/keys }
  other: { storage: { type: local, path: $TMP/nowhere }, keys: $TMP/keys }
END
mkdir -m 700 keys && cp one/root.pub keys/
check "by its name in a configuration" "$RESTORE" --config c.yaml watch shop
check "which remembers what it has seen" test -s station/restore/shop/marks
check_fails 3 "a name is needed where there are two" "$RESTORE" --config c.yaml watch
check_fails 2 "a storage that is gone is CRITICAL" "$RESTORE" --config c.yaml watch other

# ---- nobody has published: WARNING, with time for the first one or without
repo=fresh
MAKE_REPO_TIME=$((now - H)) "$TOOLS/make_repo" new fresh 2
touch -d "@$((now - H))" fresh/storage/charter/*
says "nobody yet" 1 "WARNING: nobody has published a backup yet; 0 of 0 writers are in time"
says "nobody yet, nobody spare" 1 "WARNING: nobody has published a backup yet; 0 of 2 writers are in time | 'writers'=2 'in_time'=0 " --no-spares
printf 'shop %s\n' "$(ids | head -n 1)" >fresh-jobs
says "nobody yet, one with a name" 1 "WARNING: nobody has published a backup yet; 0 of 1 writer is in time" --names fresh-jobs
nights fresh 0 shop 0 >/dev/null
says "one has, the other has time" 0 "; 1 of 2 writers are in time, 1 has not published yet" --no-spares
says "but no longer than it was given" 1 "has never published a backup; 1 of 2 writers are in time, 1 has not published yet" --no-spares --warn-age 30m

# ---- late: one run missing is a WARNING, two are CRITICAL; what the storage touches is not younger
repo=late
new late 2
nights late 0 shop 223 199 175 151 127 103 79 55 31 >/dev/null
says "one is missing" 1 "WARNING: $(id_of shop): late (the last one 31 h 0"
contains "and how often it came" "$(head -n 1 out)" "usually every 24 h 00 min"
find late/storage -type f -exec touch {} +
says "touched files change nothing" 1 "(the last one 31 h 0"
contains "and are told" "$(cat out)" "later than the writer: a copy, or files that were touched"
repo=later
new later 1
nights later 0 shop 247 223 199 175 151 127 103 79 55 >/dev/null
says "two are missing" 2 "no good backup for too long (the last one 2 d 07 h ago"
repo=week
new week 1
# Working days: a pause of three days each week
nights week 0 shop $((24 * 17 + 60)) $((24 * 14 + 60)) $((24 * 13 + 60)) $((24 * 12 + 60)) $((24 * 11 + 60)) $((24 * 10 + 60)) $((24 * 7 + 60)) \
    $((24 * 6 + 60)) $((24 * 5 + 60)) $((24 * 4 + 60)) $((24 * 3 + 60)) 60 >/dev/null
says "a weekend is no missing night" 0 "in time"

# ---- clocks that disagree
repo=clock
new clock 1
nights clock 0 shop 77 53 29 -30 >/dev/null
says "a backup from tomorrow" 1 "which is yet to come: look at its clock"
repo=ahead
new ahead 1
nights ahead 0 shop 77 53 29 5 >/dev/null
find ahead/storage/w/*/log -name '00000004.*' -exec touch -d "@$((now - 40 * H))" {} +
says "a writer whose clock is ahead is as old as the storage says" 1 "(the last one 40 h 0"
contains "and it is told" "$(cat out)" "look at their clocks"

# ---- the charter's cadence
repo=cadence
new cadence 1 4
nights cadence 0 shop 5 >/dev/null
says "the cadence of the charter counts where there is no history" 1 "late"

# ---- retired writers
cp -a one retired
repo=retired
mkdir -m 700 rkeys && cp retired/root.pub rkeys/
cat >r.yaml <<END
state: $TMP/rstate
repositories:
  r: { storage: { type: local, path: $TMP/retired/storage }, keys: $TMP/rkeys }
END
check "a writer is retired" "$BACKUPD" --config r.yaml key retire-writer "$few" --root-key retired/root.key --yes
says "a retired one is listed" 0 "2 of 2 writers are in time" --max-age 6h
contains "as that" "$(row "$few")" "retired"

# ---- what a storage must not do
repo=one
watch_marks() { "$RESTORE" --storage "$repo/storage" --root-key one/root.pub --state marks watch "$@"; }
check "remembered" watch_marks
newest=$(find "one/storage/w/$shop/log" -type f | sort | tail -n 1)
mv "$newest" aside
check_fails 2 "a head that went back" watch_marks
contains "is named" "$(head -n 1 .check)" "log-rollback"
mv aside "$newest"
check "whole again" watch_marks
pack=$(find "one/storage/w/$shop/pack" -type f | sort | head -n 1)
mv "$pack" aside
check_fails 2 "a pack that is gone" watch_marks
contains "is CRITICAL" "$(head -n 1 .check)" "CRITICAL: 1 problem with logs or files, the first: pack-missing"
mv aside "$pack"
snap=$(find "one/storage/w/$shop/snap" -type f | sort | head -n 1)
mv "$snap" aside
check_fails 2 "a snapshot object that is gone" watch_marks
contains "too" "$(head -n 1 .check)" "snap-missing"
mv aside "$snap"
cp -p "$newest" aside
chmod u+w "$newest"
printf 'x' | dd of="$newest" bs=1 seek=100 conv=notrunc 2>/dev/null
check_fails 2 "a record that was changed is not believed" watch_marks
mv -f aside "$newest"
rm -rf empty && mkdir empty
check_fails 2 "a storage that lost everything" "$RESTORE" --storage empty --root-key one/root.pub watch

# ---- what keeps it from judging is UNKNOWN, with one line on stdout
# unknown NAME FRAGMENT COMMAND...
unknown() {
    local name=$1 fragment=$2 status=0
    shift 2
    "$@" >out 2>err || status=$?
    same "$name is UNKNOWN" 3 "$status"
    same "$name: one line on stdout" 1 "$(wc -l <out)"
    contains "$name: what it says" "$(cat out)" "UNKNOWN: "
    contains "$name: why" "$(cat out)" "$fragment"
}
repo=one
unknown "no key" "--root-key FILE" "$RESTORE" --storage one/storage watch
printf 'these are words\n' >words.pub
unknown "a file that is no root key" "is not a root key file" "$RESTORE" --storage one/storage --root-key words.pub watch
head -c 5000 /dev/zero | tr '\0' 'x' >long.pub
unknown "a root key file that is too long" "long.pub" "$RESTORE" --storage one/storage --root-key long.pub watch
unknown "a root key that is not there" "nowhere.pub" "$RESTORE" --storage one/storage --root-key nowhere.pub watch
unknown "an option that there is not" "unknown option '--bogus'" watch --bogus
unknown "one before the verb" "unknown option '--bogus'" "$RESTORE" --bogus watch
unknown "an argument too many" "one argument too many" watch a b
unknown "a configuration that is not there" "none.yaml" "$RESTORE" --config none.yaml watch
printf 'repositories: [\n' >broken.yaml
unknown "a configuration that is broken" "broken.yaml" "$RESTORE" --config broken.yaml watch
mkdir -p marked && printf 'what is this\n' >marked/marks
unknown "marks that are damaged" "marks of this station" "$RESTORE" --storage one/storage --root-key one/root.pub --state marked watch
cat >far.yaml <<END
state: $TMP/fstate
repositories:
  nohost: { storage: { type: sftp, host: no-such-host.invalid, user: u, path: /r, key: $TMP/nokey, host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKi2Cx2ZjKcWjcQ8m0cDYxvXNpYHEf7Yx1T3bBGXzx5G" }, keys: $TMP/keys }
  closed: { storage: { type: sftp, host: 127.0.0.1, port: 1, user: u, path: /r, key: $TMP/nokey, host_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKi2Cx2ZjKcWjcQ8m0cDYxvXNpYHEf7Yx1T3bBGXzx5G" }, keys: $TMP/keys }
END
unknown "a storage host without an address" "no-such-host.invalid" "$RESTORE" --config far.yaml watch nohost
unknown "a storage host that does not answer" "127.0.0.1" "$RESTORE" --config far.yaml watch closed
check "help is help" "$RESTORE" watch --help
check_fails 2 "another repository's root key is an answer of the storage" "$RESTORE" --storage one/storage --root-key late/root.pub watch
contains "on the first line" "$(head -n 1 .check)" "CRITICAL: "
finish
