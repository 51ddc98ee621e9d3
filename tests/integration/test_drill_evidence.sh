#!/bin/bash
# Evidence of drills: signed, sent, listed, checked offline; what was tampered with or signed by a stranger does not count;
# retention keeps what was proven. The results are made up (tests/tool/drill_keep), the keys and signatures are real.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir evidence in
conf() { # conf EVIDENCE-DIR KEEP
    cat <<END
state: state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keep: $2
    delete_after: 0s
jobs:
  one: { engine: sqlite, path: $TMP/one.db }
${1:+drills: { evidence: { type: local, path: "$1" } }}
END
}
keep='{ last: 1, min: 1, max_share: 100, proven: 2 }'
conf "$TMP/evidence" "$keep" >c.yaml
backupd() { "$BACKUPD" --config c.yaml "$@"; }
restore() { "$RESTORE" --config c.yaml "$@"; }
keep_drill() { "$TOOLS/drill_keep" --config c.yaml --kit drill.key keep "$@"; }
results() { "$REPO_ROOT/tests/support/drill_results.py" in job=one engine=sqlite tables=3 server= "$@"; }
# of_snapshot N: words for `results` that name the N-th snapshot
of_snapshot() {
    "$RESTORE" --config c.yaml --kit safe/restore-kit.key list --json | python3 -c '
import json, sys
for line in sys.stdin:
    o = json.loads(line)
    if o.get("name") == sys.argv[1]: print("snapshot=" + o["name"], "record=" + o["hash"], "writer=" + o["writer"])' "one/$1"
}

sqlite3 one.db 'CREATE TABLE t(a); INSERT INTO t VALUES (randomblob(2000000))'
backupd init --safe safe --no-kit-passphrase --spare-writers 0 --min-keep 0 >/dev/null
add=(key add-recipient --drill --root-key safe/root.key --yes --kit safe/restore-kit.key --expires 2099-01-01)
backupd "${add[@]}" --to drill.key >/dev/null
for i in 1 2 3 4 5; do
    sqlite3 one.db "INSERT INTO t VALUES ($i)"
    backupd backup one --kit-unconfirmed >/dev/null
done

# ---- nothing yet
check "no drill yet: an empty list" restore drill list
check_fails 2 "and monitoring says so" restore drill status
contains "in words" "$(<.check)" "never drilled"
check_fails 3 "a job that nobody knows" restore drill status other
contains "which a monitoring reads on stdout" "$(restore drill status other 2>/dev/null)" "DRILLS UNKNOWN: this host knows no such job"
check_fails 3 "a mistake in the command line is unknown, too" restore drill status --bogus
contains "with its line" "$(restore drill status --bogus 2>/dev/null)" "DRILLS UNKNOWN: unknown option '--bogus'"

# ---- kept and sent
read -ra second < <(of_snapshot 2)
read -ra third < <(of_snapshot 3)
today=$(date +%s)
mapfile -t files < <(results "${second[@]}" end=$((today - 3600)))
check "a drill is kept" keep_drill "${files[@]}"
id=$(basename "${files[0]}" .in)
contains "it says where the report is" "$(<.check)" "state/drills/$id.html"
same "result, page and certificate were sent" "$id.cert $id.html $id.json" "$(cd evidence && echo *)"
same "as they are here" "" "$(diff -r evidence state/drills)"
same "the page is well-formed" "" "$(sed 's/<meta \([^>]*[^/]\)>/<meta \1\/>/g; s/<!DOCTYPE html>//' "evidence/$id.html" | python3 -c 'import sys, xml.dom.minidom as x; x.parseString(sys.stdin.buffer.read())' 2>&1 | tail -1)"
same "and has no script, link or picture from elsewhere" "" "$(grep -oiE '<(script|link|img|iframe|object)|https?:| on[a-z]+=' "evidence/$id.html" || true)"
check "list" restore drill list
contains "shows it" "$(<.check)" "one/2"
contains "as sent" "$(<.check)" "sent"
check "status: all is well" restore drill status
check "a drill of minutes, as the configuration allows" restore drill status --every 90m
check_fails 1 "and one that is too old for that" restore drill status --every 1m
check "show" restore drill show latest
contains "names the snapshot" "$(<.check)" "one/2"
contains "and that it was all of it" "$(<.check)" "all of the snapshot"
mkdir elsewhere
conf "$TMP/elsewhere" "$keep" | sed 's/^state: .*/state: sampled/' >sampled.yaml
mapfile -t part < <(results "${second[@]}" end=$((today - 3600)) sample=12 masked=2)
"$TOOLS/drill_keep" --config sampled.yaml --kit drill.key keep "${part[@]}" >/dev/null 2>&1 || true
shown=$("$RESTORE" --config sampled.yaml drill show latest)
contains "of a sample it says which part" "$shown" "12 of 20 tables: public.table_000, public.table_001, "
contains "with a limit" "$shown" " and 4 more (--json)"
contains "and what was masked" "$shown" "public.people.name1 (hash): 1,200 rows, original values left: 0"
same "the result itself comes back with --json" "$(<"evidence/$id.json")" "$(restore --json drill show "$id")"
check "plan" restore --kit safe/restore-kit.key plan one/5 --to new.db
contains "goes by what drills took" "$(<.check)" "by the 1 drill measured here"

# ---- certificates
same "certificate prints what is kept" "$(<"evidence/$id.cert")" "$(restore drill certificate "$id")"
check "checked by the charters" restore drill certificate --check "evidence/$id.cert"
contains "with what lies beside it" "$(<.check)" "beside it, and unchanged"
key=$(sed -n 's/^key //p' "evidence/$id.cert")
print=$(backupd key show | awk '/^drill key/ { print $3 }')
mkdir alone && cp evidence/* alone
# shellcheck disable=SC2317
offline() { (cd alone && unshare -rn "$RESTORE" --config none drill certificate "$@"); }
check "offline, with one public key" offline --check "$id.cert" --key "$key"
check "or its digits" offline --check "$id.cert" --key "$print"
check_fails 12 "another key" offline --check "$id.cert" --key "${key//[0-4]/5}"
sed -i 's/^verdict pass/verdict fail/' "alone/$id.cert"
check_fails 9 "a changed certificate" offline --check "$id.cert" --key "$key"
cp evidence/"$id.cert" alone && echo '<p>more</p>' >>"alone/$id.html"
check_fails 9 "a changed page beside it" offline --check "$id.cert" --key "$key"
contains "is named" "$(<.check)" "$id.html is not what was signed"
rm "alone/$id.html" && sed -i 's/"rto_ms":[0-9]*/"rto_ms":1/' "alone/$id.json"
check_fails 9 "a changed result beside it" offline --check "$id.cert" --key "$key"
python3 - "$id" <<'END'
# The signature again, by the words of docs/format.md alone.
import hashlib, subprocess, sys
data = open(f"evidence/{sys.argv[1]}.cert", "rb").read()
body, sig = data[:-133], data[-133:]
assert sig[:4] == b"sig " and len(sig) == 133
key = dict(l.split(b" ", 1) for l in body.splitlines())[b"key"]
open("msg", "wb").write(b"bk1 sig drill".ljust(16, b"\0") + hashlib.blake2b(body).digest())
open("sig", "wb").write(bytes.fromhex(sig[4:-1].decode()))
open("pub", "wb").write(bytes.fromhex("302a300506032b6570032100") + bytes.fromhex(key.decode()))
END
check "openssl agrees with the signature" openssl pkeyutl -verify -pubin -keyform DER -inkey pub -rawin -in msg -sigfile sig
python3 - "$id" <<'END' >hashes
import hashlib, sys
def f(name): return hashlib.blake2b(open(name, "rb").read(), digest_size=32).hexdigest()
print(f(f"evidence/{sys.argv[1]}.json"), f(f"evidence/{sys.argv[1]}.html"))
END
same "hashes are F of the files" "$(<hashes)" "$(awk '/^result/ { r = $3 } /^page/ { print r, $3 }' "evidence/$id.cert")"

# ---- where evidence must not be
mkdir store/evidence
conf "$TMP/store/evidence" "$keep" >inside.yaml
mapfile -t files < <(results "${second[@]}" end=$((today - 3000)))
check_fails 3 "evidence inside the repository is refused" "$TOOLS/drill_keep" --config inside.yaml --kit drill.key keep "${files[@]}"
contains "and it says why" "$(<.check)" "drills.evidence lies in the repository main"
same "nothing was put there" "" "$(ls store/evidence)"
rmdir store/evidence
cp -r store other && conf "$TMP/other" "$keep" >inside.yaml
check_fails 2 "so is what looks like a repository" "$RESTORE" --config inside.yaml drill list --evidence
mv evidence away
mapfile -t files < <(results "${third[@]}" end=$((today - 2000)))
check_fails 3 "a place that is not there: kept here, not sent" keep_drill "${files[@]}"
mv away evidence
mapfile -t more < <(results "${third[@]}" end=$((today - 1000)))
check "the next drill" keep_drill "${more[@]}"
same "sends what was left, too" "4 .cert, 4 .html, 4 .json" "$(find evidence -type f | sed 's/.*\././' | sort | uniq -c | awk '{ printf("%s%s %s", (NR > 1 ? ", " : ""), $1, $2) }')"
mapfile -t files < <(results "${third[@]}" end=$((today - 500)))
check_fails 3 "without a drill kit it is kept here" "$TOOLS/drill_keep" --config c.yaml --kit safe/restore-kit.key keep "${files[@]}"
contains "and neither signed nor sent" "$(<.check)" "it is not signed"

# ---- retention
backupd_expire() { "$BACKUPD" --config "${1:-c.yaml}" expire --retention-key safe/retention.key --dry-run --json; }
verdict() { python3 -c '
import json, sys
for line in sys.stdin:
    o = json.loads(line)
    if o["message_type"] == "verdict" and o["id"] == sys.argv[1]: print(o["action"], o["rule"])' "$1"; }
backupd expire --retention-key safe/retention.key >/dev/null
backupd_expire >verdicts
same "what passed a drill stays" "keep proven, keep proven" "$(verdict one/2 <verdicts), $(verdict one/3 <verdicts)"
same "what did not goes" "expire unneeded, expire unneeded" "$(verdict one/1 <verdicts), $(verdict one/4 <verdicts)"
check "the reason in words" backupd expire --retention-key safe/retention.key --dry-run
contains "is told" "$(<.check)" "proven 2: passed a drill"
sed 's/proven: 2/proven: 1/' c.yaml >fewer.yaml
same "proven: 1 keeps the newest of them" "expire unneeded, keep proven" "$(backupd_expire fewer.yaml | verdict one/2), $(backupd_expire fewer.yaml | verdict one/3)"
conf "" "$keep" >none.yaml
check_fails 2 "proven without a place of evidence is a mistake" "$BACKUPD" --config none.yaml expire --retention-key safe/retention.key --dry-run
read -ra fourth < <(of_snapshot 4)
mapfile -t files < <(results "${fourth[@]}" end=$((today - 400)) fail=0)
keep_drill "${files[@]}" >/dev/null
mapfile -t files < <(results "${fourth[@]}" end=$((today - 300)) sample=2)
keep_drill "${files[@]}" >/dev/null
same "a drill that failed, or saw a part, proves nothing" "expire unneeded" "$(backupd_expire | verdict one/4)"
mv evidence away
check_fails 9 "when certificates cannot be read" backupd expire --retention-key safe/retention.key
contains "nothing expires" "$(<.check)" "so nothing expires"
mv away evidence
same "nothing has" "expire unneeded" "$(backupd_expire | verdict one/1)"

# ---- tampered with, strangers, keys that were retired
chmod -R u+w evidence
cp -r evidence good
grep -l "one/3" evidence/*.cert | xargs sed -i 's/^measured ./measured 9/'
same "tampered certificates do not count" "expire unneeded" "$(backupd_expire | verdict one/3)"
check "and are told" backupd expire --retention-key safe/retention.key --dry-run
contains "with the reason" "$(<.check)" "does not count: the signature does not fit"
check_fails 9 "also in the list" restore drill list --evidence
contains "with the reason" "$(<.check)" "not what the drill host signed"
rm -rf evidence && cp -r good evidence
check "all are good again" restore drill list --evidence
late=$(basename "$(find evidence -name '*.json' | sort | tail -n 1)" .json)
sed -i 's/"rto_ms":[0-9]*/"rto_ms":1/' "evidence/$late.json"
check_fails 9 "a result that was changed beside its certificate" restore drill list --evidence
contains "is not called good" "$(<.check)" "$late.json is not what was signed"
same "nor in JSON" "False $late.json" "$(restore --json drill list --evidence 2>/dev/null | python3 -c 'import json, sys
for o in map(json.loads, sys.stdin):
    if o.get("id") == sys.argv[1]: print(o["counts"], o["why_not"].split()[0])' "$late")"
rm -rf evidence && mv good evidence
sed 's/last: 1/last: 2/; s#state: state#state: strange#' c.yaml >stranger.yaml
mv drill.key first.key
backupd "${add[@]}" --to drill.key --name second >/dev/null
before=$(ls evidence/*.cert)
mapfile -t files < <(results "${fourth[@]}" end=$((today - 200)))
check "a second drill host" keep_drill "${files[@]}"
same "counts, too" "keep proven" "$(backupd_expire | verdict one/4)"
second_key=$(backupd --json key show | python3 -c 'import json, sys
print([k["key"] for k in json.loads(sys.stdin.readline())["drill_keys"]][-1])')
retire=(key retire-drill "$second_key" --root-key safe/root.key --yes)
backupd "${retire[@]}" >/dev/null
same "its key retired: what it signed before still counts" "keep proven" "$(backupd_expire | verdict one/4)"
new=$(comm -13 <(sort <<<"$before") <(find evidence -name '*.cert' | sort))
check "its certificate is good" restore drill certificate --check "$new"
contains "and it says that the key is retired" "$(<.check)" "retired since"
check_fails 12 "the retired kit drills no more" keep_drill "${files[@]}"
backupd "${retire[@]}" --stolen >/dev/null
check_fails 12 "taken out: nothing that it signed counts" restore drill certificate --check "$new"
same "nor for retention" "expire unneeded" "$(backupd_expire 2>/dev/null | verdict one/4)"

# ---- a drill that really was
measured() { restore --kit safe/restore-kit.key --json plan one/5 --to new.db | python3 -c 'import json, sys
print(*[o["drills_measured"] for o in map(json.loads, sys.stdin) if "drills_measured" in o])'; }
measured=$(measured)
mv first.key drill.key
check "drill run" restore --kit drill.key drill run --job one
contains "says where its report is" "$(<.check)" "report:"
contains "and that it is kept as evidence" "$(<.check)" "sent, and kept there"
same "a plan goes by this one, too" "$((measured + 1))" "$(measured)"
id=$(restore --json drill list --limit 1 | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["id"])')
check "its certificate is good" restore drill certificate --check "evidence/$id.cert"
same "and is about the newest snapshot" "$(of_snapshot 5 | sed 's/.*record=\([^ ]*\) writer=\(.*\)/\2 \1/')" "$(sed -n 's/^record //p' "evidence/$id.cert")"
echo 'DELETE FROM t' >damage.sql
check_fails 9 "an exercise: the damage is found" restore --kit drill.key drill run --job one --inject damage.sql
contains "it is no evidence" "$(<.check)" "in no list and nobody signs it"
same "in no list" "$id" "$(restore --json drill list --limit 1 | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["id"])')"

# ---- alarms
mapfile -t files < <(results "${third[@]}" end=$(($(date +%s) + 60)) unable=0)
keep_drill "${files[@]}" >/dev/null
check_fails 1 "the last could not run: a warning" restore drill status
mapfile -t files < <(results "${third[@]}" end=$(($(date +%s) + 120)) fail=0)
keep_drill "${files[@]}" >/dev/null
check_fails 2 "the last failed: critical" restore drill status one
contains "in words" "$(<.check)" "the last drill failed"
rm -rf state/drills.db* state/drills && mapfile -t files < <(results "${third[@]}" end=$((today - 40 * 86400)))
keep_drill "${files[@]}" >/dev/null
check_fails 1 "too long ago: stale" restore drill status
check "as --every says" restore drill status --every 60d
sed 's/^drills: {/drills: { nightly: { job: one, every: 50d },/' c.yaml >named.yaml
check_fails 2 "a drill of the configuration that never ran" "$RESTORE" --config named.yaml drill status
contains "is named" "$(<.check)" "nightly"
check "when it has" "$RESTORE" --config named.yaml --kit drill.key drill run --drill nightly
check "all is well" "$RESTORE" --config named.yaml drill status nightly
finish
