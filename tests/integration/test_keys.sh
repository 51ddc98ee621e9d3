#!/bin/bash
# Keys and people: writers, recipients, the root key, the kit and passphrases, as their commands change them.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

sqlite3 one.db 'CREATE TABLE t(a); INSERT INTO t VALUES (1)'
cat >c.yaml <<END
state: state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
jobs:
  one: { engine: sqlite, path: $TMP/one.db }
  two: { engine: sqlite, path: $TMP/one.db }
  three: { engine: sqlite, path: $TMP/one.db }
END
backupd() { "$BACKUPD" --config c.yaml "$@"; }
root=(--root-key safe/root.key --yes)
# kit FILE ARGS...: what the restore station does with this kit
kit() {
    local file=$1
    shift
    "$RESTORE" --storage store --kit "$file" "$@"
}
field() { python3 -c 'import json, sys
for line in sys.stdin:
    o = json.loads(line)
    if sys.argv[1] in o: print(o[sys.argv[1]])' "$1"; }
charters() { find store/charter -type f | wc -l; }
writer_of() { sed -n "s/^$1 //p" state/main/jobs; }

# ---- no first backup without a kit that somebody has tried
check "init" backupd init --safe safe --no-kit-passphrase --spare-writers 1
check_fails 4 "a kit that nobody has tried: no backup" backupd backup one
contains "and the way out" "$(<.check)" "key verify-kit --kit FILE"
check "unless it is said so" backupd backup one --kit-unconfirmed
sed 's/^  1: ..../  1: 0000/' safe/restore-kit.txt >typed
chmod 400 typed
check_fails 9 "a typing mistake in the text is found" backupd key verify-kit --kit typed
contains "in its line" "$(<.check)" "line 1"
chmod 600 typed
grep -v '^#' safe/restore-kit.txt | tr '[:upper:]' '[:lower:]' >typed
check "text that was typed back is the kit" backupd key verify-kit --kit - <typed
contains "it opens the newest session" "$(<.check)" "one/1 among them"
check "and the host backs up" backupd backup one two
mkdir other && sed "s#$TMP/store#$TMP/store2#" c.yaml >other/c.yaml
"$BACKUPD" --config other/c.yaml init --safe other/safe --no-kit-passphrase >/dev/null
check_fails 9 "another repository's kit is not this one's" backupd key verify-kit --kit other/safe/restore-kit.key
check_fails 4 "elsewhere nothing was confirmed" "$BACKUPD" --config other/c.yaml backup one
mkdir station && sed '/^jobs/,$d' other/c.yaml >station/c.yaml
code=$("$BACKUPD" --config station/c.yaml --json key verify-kit --kit other/safe/restore-kit.key | field confirmation | cut -d' ' -f1)
check_fails 12 "a wrong code confirms nothing" "$BACKUPD" --config other/c.yaml key verify-kit --confirmation 0123456789
check "the code that the restore station printed does" "$BACKUPD" --config other/c.yaml key verify-kit --confirmation "$code"
check "and that host backs up" "$BACKUPD" --config other/c.yaml backup one

# ---- what everybody needs
check_fails 2 "without a terminal nothing is signed unless --yes" backupd key add-writer --root-key safe/root.key --kit safe/restore-kit.key
same "nothing was" 1 "$(charters)"
same "and no key file was left" 4 "$(find keys/main -name 'writer-*.key' | wc -l)"
check_fails 9 "the root key of another repository may not sign" backupd key remove-recipient restore-kit --root-key other/safe/root.key --yes
check_fails 2 "the last recipient stays" backupd key remove-recipient restore-kit "${root[@]}"

# ---- writers
check "add-writer" backupd key add-writer "${root[@]}" --kit safe/restore-kit.key --to new-host --count 2
same "key files for another host, and what to pin" "3 files" "$(find new-host -type f | wc -l) files"
same "private ones" 400 "$(stat -c %a new-host/writer-*.key | sort -u)"
cp -p new-host/writer-*.key keys/main
check "the host goes on" backupd backup one

one=$(writer_of one)
cp -p "keys/main/writer-$one.key" before.key
check "rotate-writer" backupd key rotate-writer one "${root[@]}"
contains "it says from where" "$(<.check)" "from record 4 on"
check "the writer goes on with its new key" backupd backup one
same "in the same log" "one/4" "$(kit safe/restore-kit.key list --job one | awk '/^one/ { s = $1 } END { print s }')"
mv "keys/main/writer-$one.key" after.key && cp -p before.key "keys/main/writer-$one.key"
check_fails 1 "the old key is refused" backupd backup one
contains "and it is said why" "$(<.check)" "the writer's key was rotated"
mv -f after.key "keys/main/writer-$one.key"
# A run that was ended between the charter and the new file's name.
cp -p "keys/main/writer-$one.key" "keys/main/writer-$one.key.new" && cp -p before.key "keys/main/writer-$one.key"
before=$(charters)
check "a rotation that was cut is completed" backupd key rotate-writer one "${root[@]}"
same "without another charter" "$before" "$(charters)"
check "and the writer goes on" backupd backup one
check "rotate-writer with the kit, for another host" backupd key rotate-writer "$one" "${root[@]}" --kit safe/restore-kit.key --to moved
mv -f "moved/writer-$one.key" keys/main
check "its key file works there" backupd backup one

# A record that was on its way, under a key that was rotated before it was sent: nobody would ever accept it.
cp -a state state.before
backupd backup one >/dev/null
newest=$(find "store/w/$one/log" -name '*.00' | sort | tail -1)
rm -rf state && mv state.before state
mv "$newest" "state/main/$one/record.pending"
chmod u+w "state/main/$one/record.pending"
check "rotate-writer while a record is on its way" backupd key rotate-writer one "${root[@]}"
check "the next run gives it up and goes on" backupd backup one
contains "and says so" "$(<.check)" "key was rotated since: the record is given up"
same "in its place" "$newest" "$(find "store/w/$one/log" -name '*.00' | sort | tail -1)"

two=$(writer_of two)
check "retire-writer" backupd key retire-writer two "${root[@]}"
contains "the last record that counts is named" "$(<.check)" "closed after record 1"
check_fails 1 "a retired writer refuses" backupd backup two
contains "with the reason and the way out" "$(<.check)" "it was retired"
check_fails 2 "it is closed once" backupd key retire-writer "$two" "${root[@]}"
check "its snapshots stay" kit safe/restore-kit.key database two/1 --to two.db
sed -i '/^two /d' state/main/jobs
check "the job takes a spare one" backupd backup two

# Two copies of one writer: its log forks, and the root key closes it before.
cp -a state state.copy
backupd backup two >/dev/null
two=$(writer_of two)
first=$(find "store/w/$two/log" -name '*.00' | sort | tail -1)
mv "$first" one.rec && rm -rf state && mv state.copy state
sqlite3 one.db 'INSERT INTO t VALUES (2)'
backupd backup two >/dev/null
mv one.rec "${first%0}1"
check_fails 9 "a fork stops the writer" backupd backup two
check_fails 9 "it cannot be rotated" backupd key rotate-writer two "${root[@]}"
check "but retired" backupd key retire-writer two "${root[@]}"
contains "before the fork" "$(<.check)" "closed after record 1, before the fork of its log"
check "its snapshot before that is restored" kit safe/restore-kit.key database "$two/1" --to fork.db --despite-alarms
sed -i '/^two /d' state/main/jobs
check "the job takes another" backupd backup two

# ---- recipients
check "new-recipient" backupd key new-recipient anna --to anna.key --no-new-passphrase
cp .check offer
sed 's/anna [0-9a-f]*$/anne 0000000000/' offer >wrong
check_fails 2 "a line with a mistake is refused" backupd key add-recipient wrong "${root[@]}"
check_fails 2 "an expiry that is over" backupd key add-recipient offer "${root[@]}" --expires 2020-01-01
check "add-recipient" backupd key add-recipient offer "${root[@]}" --expires 2099-12-31
check_fails 2 "nobody twice" backupd key add-recipient offer "${root[@]}"
check "her kit" backupd key export-kit --kit safe/restore-kit.key --recipient-key anna.key --to anna-kit.key --text anna-kit.txt --no-new-passphrase
check_fails 12 "old sessions stay closed to her" kit anna-kit.key database one/1 --to no.db
sqlite3 one.db 'DELETE FROM t; INSERT INTO t VALUES (randomblob(9000))'
check "a new job, with a writer of its own" backupd backup three
check "opens to her, from the text, too" kit anna-kit.txt database latest --job three --to anna.db
same "and is what was backed up" "$(sqlite3 one.db .dump | sha256sum)" "$(sqlite3 anna.db .dump | sha256sum)"
check "key check" backupd key check --kit safe/restore-kit.key --kit anna-kit.key
contains "the first kit opens all" "$(<.check)" "restore-kit.key: opens 11 of 11 sessions"
contains "hers what came later" "$(<.check)" "anna-kit.key: opens 1 of 11 sessions"
check "remove-recipient" backupd key remove-recipient anna "${root[@]}"
contains "it says what it cannot undo" "$(<.check)" "stays readable to anna"
check "the next session" backupd backup three
check_fails 12 "is closed to her" kit anna-kit.key database three/2 --to no.db
check "the one before is not" kit anna-kit.key database three/1 --to still.db
check_fails 12 "and her kit confirms nothing" backupd key verify-kit --kit anna-kit.key
check "new-recipient bob" backupd key new-recipient bob --to bob.key --no-new-passphrase
cp .check offer
check "a group of two" backupd key add-recipient offer "${root[@]}" --with restore-kit
contains "is shown" "$(backupd key show)" "new sessions open to bob together with restore-kit"

# ---- the storage lies about one session: key check finds it
pack=$(find "store/w/$one/snap" -name '00000002.*')
cp -p "$pack" snap.good && chmod u+w "$pack" && printf X | dd of="$pack" bs=1 seek=150 conv=notrunc status=none
check_fails 9 "key check finds a session that does not open" backupd key check --kit safe/restore-kit.key
contains "and names it" "$(<.check)" "writer $one, record 2"
mv -f snap.good "$pack"

# ---- the root key
mkdir pins && cp keys/main/root.pub pins/old
check "rotate-root" backupd key rotate-root "${root[@]}" --new-root-key root2.key --no-new-passphrase
check_fails 12 "the old root key signs nothing more" backupd key add-writer "${root[@]}" --kit safe/restore-kit.key
check "hosts that pin the old one go on" backupd backup one
check "kits, too" kit safe/restore-kit.key verify
check "key pin" backupd key pin --yes
check_fails 1 "the pin is another now" cmp -s keys/main/root.pub pins/old
check "and the host goes on" backupd backup one
check "the new root key signs" backupd key add-writer --root-key root2.key --yes --kit safe/restore-kit.key
check "who pins it verifies all of it" "$RESTORE" --storage store --root-key keys/main/root.pub verify
check "export-kit with the new pin" backupd key export-kit --kit safe/restore-kit.key --to kit2.key --no-new-passphrase
check "it opens" kit kit2.key verify --keys
# Ended between the two charters: the newest names a root that has not signed yet.
check "rotate-root once more" backupd key rotate-root --root-key root2.key --yes --new-root-key root3.key --no-new-passphrase
last=$(find store/charter -name '*.00' | sort | tail -1)
rm -f "$last"
check_fails 9 "a root key that has not signed cannot be pinned" "$RESTORE" --storage store --root-key new-root/root.pub verify
check "running it again completes it" backupd key rotate-root --root-key root2.key --yes --new-root-key root3.key --no-new-passphrase
check "now it can" "$RESTORE" --storage store --root-key new-root/root.pub verify

# ---- passphrases
printf 'open sesame\n' >p1 && printf 'wrong\n' >p2 && chmod 600 p1 p2
check "a passphrase for a kit" backupd key passphrase kit2.key --new-passphrase-file p1 --passphrase-memory 64M --yes
same "the file is still private" 400 "$(stat -c %a kit2.key)"
check "it opens with it" backupd key verify-kit --kit kit2.key --kit-passphrase-file p1
check_fails 12 "and not with another" backupd key verify-kit --kit kit2.key --kit-passphrase-file p2
before=$(sha256sum <kit2.key)
check_fails 12 "a wrong one changes nothing" backupd key passphrase kit2.key --passphrase-file p2 --no-new-passphrase --yes
same "not a byte" "$before" "$(sha256sum <kit2.key)"
check "another passphrase" backupd key passphrase kit2.key --passphrase-file p1 --new-passphrase-file p2 --passphrase-memory 64M --yes
check "opens" backupd key verify-kit --kit kit2.key --kit-passphrase-file p2
for ((i = 0; i < 3; i++)); do
    "$BACKUPD" --config c.yaml key passphrase kit2.key --passphrase-file p2 --new-passphrase-file p2 \
        --passphrase-memory 64M --yes >/dev/null 2>&1 &
    child=$!
    sleep "0.$((i * 2))"
    kill -KILL "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
done
check "killed anywhere, the file opens with one of the two" backupd key verify-kit --kit kit2.key --kit-passphrase-file p2
check_fails 2 "a writer's key needs none" backupd key passphrase "keys/main/writer-$one.key" --new-passphrase-file p1 --yes

# ---- ended in the middle of a change
for ((i = 0; i < 4; i++)); do
    "$BACKUPD" --config c.yaml key add-writer --root-key root3.key --yes --kit safe/restore-kit.key >/dev/null 2>&1 &
    child=$!
    sleep "0.0$((i * 2))"
    kill -KILL "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
done
check "killed anywhere, a change is there or it is not" backupd key show
next=$(find store/charter -name '*.00' | wc -l)
printf -v torn 'store/charter/%08x.00' $((next + 1))
head -c 300 "store/charter/00000001.00" >"$torn" && chmod 400 "$torn"
check "also when its upload was cut" backupd key show
check "the next change takes the next attempt" backupd key add-writer --root-key root3.key --yes --kit safe/restore-kit.key
check "which stands there" test -s "${torn%0}1"
check "backups go on" backupd backup one two
check "and all of it verifies" kit safe/restore-kit.key verify --keys
finish
