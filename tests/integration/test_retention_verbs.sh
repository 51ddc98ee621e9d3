#!/bin/bash
# `backupd expire`, `hold`, `release`, `revive` on a real repository: rules, reasons, tags, names, the clock, what an
# unusual number of snapshots does.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/skew.sh"

cat >c.yaml <<END
state: state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keep: { daily: 30 }
    keep_jobs:
      other: { last: 1, min: 1, max_share: 100 }
    delete_after: 0s
jobs:
  shop:
    engine: command
    command: [/bin/date]
    tags: [nightly]
    keep: { last: 1, daily: 1, tags: [audit], min: 1, max_share: 100 }
  other: { engine: command, command: [/bin/echo, x], keep: { last: 50 } }
END
backupd() { "$BACKUPD" --config c.yaml "$@"; }
days_later() {
    local days=$1
    shift
    skewed "$days" "$BACKUPD" --config c.yaml "$@"
}
# verdict SNAPSHOT: "action rule" of JSON on stdin
verdict() {
    python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print(*[r["action"] + " " + r["rule"] for r in rows if r["message_type"] == "verdict" and r["id"] == sys.argv[1]])' "$1"
}
summary() {
    python3 -c '
import json, sys
rows = [json.loads(line) for line in sys.stdin]
print([r for r in rows if r["message_type"] == "summary"][-1][sys.argv[1]])' "$1"
}

# ---- keys, names, words
backupd init --no-kit-passphrase --kit-unconfirmed --min-keep 0 >/dev/null 2>&1
check_fails 10 'a host without the retention key' backupd expire
contains 'says where it is' "$(cat .check)" retention.key
key=(--retention-key backup-safe-main/retention.key)
check_fails 2 'a tag that is none' backupd backup shop --tag 'A b'
backupd backup shop --tag audit --tag weekly >/dev/null 2>&1
for _ in 2 3; do backupd backup shop >/dev/null 2>&1; done
check_fails 2 'a hold wants a reason' backupd hold shop/1 "${key[@]}"
check_fails 2 'until is a day' backupd hold shop/1 --reason x --until soon "${key[@]}"
check_fails 1 'there is no such snapshot' backupd hold shop/9 --reason x "${key[@]}"
check_fails 2 'rules need no reason' backupd expire --reason x "${key[@]}"

# ---- the first run sees all, and expires nothing
before=$(find store -type f | sort | sha256sum)
out=$(backupd expire --dry-run --json "${key[@]}")
same 'everything is new' 'keep new keep new keep new' "$(for i in 1 2 3; do verdict "shop/$i" <<<"$out"; done | xargs)"
same 'a dry run changes nothing' "$before" "$(find store -type f | sort | sha256sum)"
check 'the first run' backupd expire "${key[@]}"
contains 'leaves all three' "$(cat .check)" '3 of 3 live snapshots stay, none expires.'
backupd backup shop >/dev/null 2>&1
out=$(backupd expire --dry-run --json "${key[@]}")
same 'the tag keeps the first' 'keep tags' "$(verdict shop/1 <<<"$out")"
same 'no rule keeps the second' 'expire unneeded' "$(verdict shop/2 <<<"$out")"
same 'a day keeps the third' 'keep daily' "$(verdict shop/3 <<<"$out" | sed 's/last/daily/')"

sed 's/daily: 1,/daily: 5,/' c.yaml >wide.yaml
out=$("$BACKUPD" --config wide.yaml expire --dry-run "${key[@]}")
contains 'the first run met three of today and takes them as of three days' "$out" "daily $(date -u -d '2 days ago' +%F)"
contains 'which is explained' "$out" "So shop/1, made on $(date -u +%F), counts as of $(date -u -d '2 days ago' +%F)."
same 'in JSON it is told for each' "$(date -u -d '2 days ago' +%F)" "$("$BACKUPD" --config wide.yaml expire --dry-run --json "${key[@]}" | python3 -c '
import json, sys
print(*[r["counts_as"][:10] for r in map(json.loads, sys.stdin) if r.get("id") == "shop/1"])')"
out=$(backupd expire --dry-run --json "${key[@]}")
same 'what would come free is what the second alone needs' "$(python3 -c '
import json, sys
print(*[r["unique"] for r in map(json.loads, sys.stdin) if r.get("id") == "shop/2"])' <<<"$out")" "$(summary frees <<<"$out")"
same 'each job and what it needs' 'shop 4 True' "$(python3 -c '
import json, sys
for r in map(json.loads, sys.stdin):
    if r["message_type"] == "job":
        print(r["job"], r["snapshots"], r["needs"] == r["unique"] + r["shared"] > 0)' <<<"$out")"

# ---- hold, expire, revive, by name
check 'hold' backupd hold shop/2 --reason 'tax audit' --by anna --until 2020-01-31 "${key[@]}"
text=$(backupd expire --dry-run "${key[@]}")
contains 'it says who, why, how long' "$text" 'by anna until 2020-01-31: tax audit'
contains 'and that its day has passed' "$text" 'its date has passed: release it?'
check_fails 2 'what is held does not expire, also by name' backupd expire shop/2 --reason x "${key[@]}"
check 'release' backupd release shop/2 --reason closed "${key[@]}"
check_fails 2 'it is not held any more' backupd release shop/2 --reason closed "${key[@]}"
out=$(backupd expire --json "${key[@]}")
same 'now it expires' 'expire unneeded' "$(verdict shop/2 <<<"$out")"
same 'that is one' 1 "$(summary expired <<<"$out")"
contains 'list says so' "$(backupd list shop)" expired
check 'revive' backupd revive shop/2 --reason oops "${key[@]}"
same 'and there it is' live "$(backupd list --json shop | python3 -c '
import json, sys
print(*[r["state"] for r in map(json.loads, sys.stdin) if r["id"] == "shop/2"])')"
check_fails 2 'the newest does not expire' backupd expire shop/4 --reason x "${key[@]}"
check_fails 2 'by name a reason is wanted' backupd expire shop/3 "${key[@]}"
check 'by name' backupd expire shop/3 --reason 'wrong source' "${key[@]}"

# ---- an unusual number: keep_jobs is for other, as on a host without jobs
for _ in 1 2 3 4 5 6 7; do backupd backup other >/dev/null 2>&1; done
check_fails 9 'seven at once are an alarm' backupd expire "${key[@]}"
contains 'that says what to do' "$(cat .check)" 'expire the wrong ones by name, or raise max_new'
same 'none of them goes later either' 'keep max_new' "$(backupd expire --dry-run --json "${key[@]}" | verdict other/3)"
sed -i 's/other: { last: 1,/other: { max_new: 10, last: 1,/' c.yaml
same 'until a person says that so many are usual' 'expire unneeded' \
    "$(backupd expire --dry-run --json "${key[@]}" | verdict other/3)"

# ---- the clock
check_fails 9 'a clock that is forty days ahead expires nothing' days_later 40 expire "${key[@]}"
contains 'and asks a person' "$(cat .check)" 'run it again with --confirm-clock'
same 'nothing expired' live "$(backupd list --json other | python3 -c '
import json, sys
print(*{r["state"] for r in map(json.loads, sys.stdin)})')"
check 'a person looked' days_later 40 expire --confirm-clock "${key[@]}"
contains 'now they go' "$(cat .check)" expires
check_fails 9 'going back is not trusted either' backupd expire "${key[@]}"

# ---- two years from now
out=$(days_later 41 expire --simulate 2y --json "${key[@]}" 2>/dev/null || true)
same 'two years from now: the newest and the audit' 2 "$(python3 -c '
import json, sys
for r in map(json.loads, sys.stdin):
    if r.get("job") == "shop":
        print(len(r["snapshots"]))' <<<"$out")"
finish
