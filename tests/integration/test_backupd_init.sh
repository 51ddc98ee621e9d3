#!/bin/bash
# `backupd init`: what it makes, what it refuses, and that a refusal changes nothing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# config DIR [MORE]: a configuration with a local repository and two jobs in DIR.
config() {
    mkdir -p "$1"
    cat >"$1/c.yaml" <<END
state: state
repositories:
  main:
    storage: { type: local, path: $TMP/$1/store }
jobs:
  one: { engine: sqlite, path: $TMP/one.db }
  two: { engine: sqlite, path: $TMP/two.db }
${2:-}
END
}

# init DIR ARGS...
init() {
    local dir=$1
    shift
    (cd "$dir" && "$BACKUPD" --config c.yaml init "$@")
}

# everything below DIR with modes and content
picture() { (cd "$1" && find . -printf '%M %p\n' | sort && find . -type f -print0 | sort -z | xargs -0r sha256sum); }

writers() { find "$1" -maxdepth 1 -name 'writer-*.key' | wc -l; }

# ---- the simple set-up
config simple
check "init makes a repository" init simple --no-kit-passphrase
same "one writer a job and four spare" 6 "$(writers simple/keys/main)"
same "the host holds nothing but its writers, the root's public key, and that nobody tried the kit" \
    "kit.unconfirmed root.pub" "$(find simple/keys/main -type f ! -name 'writer-*.key' -printf '%f\n' | sort | paste -sd' ')"
for file in restore-kit.key restore-kit.txt root.key retention.key root.pub README.txt; do
    same "$file lies in the safe, for its owner alone" 400 "$(stat -c %a "simple/backup-safe-main/$file")"
done
same "directories are private" "700 700" "$(stat -c %a simple/keys/main simple/backup-safe-main | paste -sd' ')"
check "the charter is published" test -s simple/store/charter/00000001.00
contains "the charter has the defaults" "$(cat simple/store/charter/00000001.00)" $'pack-size 16777216\nmin-keep 14\n'
same "every writer has its directories" 18 "$(find simple/store/w -mindepth 2 -maxdepth 2 -type d | wc -l)"
contains "the text names the repository" "$(cat simple/backup-safe-main/restore-kit.txt)" '# Restore kit of the backup repository "main"'
contains "the text can be typed" "$(cat simple/backup-safe-main/restore-kit.txt)" 'bk1-key-text 220 bytes'

# ---- the commands that come next can be pasted
config "it's next"
mv "it's next/c.yaml" "it's next/a b.yaml"
text=$(cd "it's next" && "$BACKUPD" --config "$TMP/it's next/a b.yaml" init --no-kit-passphrase)
next=$(sed -n '/^Next/,$p' <<<"$text" | sed 1d)
contains "they name the configuration" "$next" "backupd --config '$TMP/it'\\''s next/a b.yaml' check storage main"
check "and work as they stand" bash -ec "PATH=$B:\$PATH; $(head -1 <<<"$next")"

# ---- never twice
before=$(picture simple)
check_fails 1 "a second init is refused" init simple --no-kit-passphrase
contains "it says that nothing was changed" "$(cat .check)" "nothing was changed"
same "and nothing was" "$before" "$(picture simple)"
check_fails 1 "also with another safe" init simple --no-kit-passphrase --safe other
contains "because of the host's keys" "$(cat .check)" "keys/main/"
mv simple/keys simple/keys.old
check_fails 1 "also on a host without the keys" init simple --no-kit-passphrase --safe other
contains "because of the charter" "$(cat .check)" "charter/00000001.00"
mv simple/keys.old simple/keys
same "still nothing changed" "$before" "$(picture simple)"

# ---- failures leave nothing half
config full
mkdir full/store
: >full/store/w # no directory can be made there
before=$(picture full)
check_fails 1 "init fails when the storage cannot be set up" init full --no-kit-passphrase
check "without a key left behind" test ! -e full/keys -a ! -e full/backup-safe-main
rm full/store/w
mkdir -p full/safe
: >full/safe/retention.key
check_fails 1 "a file in the way is named" init full --no-kit-passphrase --safe safe
contains "with its name" "$(cat .check)" "safe/retention.key"
check "nothing is written before that" test ! -e full/keys -a ! -e full/safe/restore-kit.key
rm full/safe/retention.key
printf 'bk1 charter 1\nrepo 00' >full/store/charter/00000001.00
check "what is left of an upload that was cut is no repository" init full --no-kit-passphrase --safe safe
check "the charter is the next attempt" test -s full/store/charter/00000001.01

# ---- roles
config roles
check "init --roles" init roles --roles keys-of --no-kit-passphrase --spare-writers 1
same "root" "root.key root.pub" "$(find roles/keys-of/root -type f -printf '%f\n' | sort | paste -sd' ')"
same "writer: as many as jobs and spares" 3 "$(writers roles/keys-of/writer)"
same "writer: and what to pin" "kit.unconfirmed root.pub" \
    "$(find roles/keys-of/writer -type f ! -name 'writer-*' -printf '%f\n' | sort | paste -sd' ')"
same "retention" "retention.key root.pub" "$(find roles/keys-of/retention -type f -printf '%f\n' | sort | paste -sd' ')"
same "restore" "restore-kit.key restore-kit.txt root.pub" \
    "$(find roles/keys-of/restore -type f -printf '%f\n' | sort | paste -sd' ')"
same "auditor" "root.pub" "$(find roles/keys-of/auditor -type f -printf '%f\n')"
check "nothing else anywhere" test ! -e roles/keys -a ! -e roles/backup-safe-main
check_fails 2 "--roles and --safe exclude each other" init roles --roles x --safe y --no-kit-passphrase
check_fails 1 "roles are never overwritten either" init roles --roles keys-of --no-kit-passphrase

# ---- passphrase
config pass
check_fails 2 "without a terminal it is not asked for" init pass
contains "the options are named" "$(cat .check)" "--kit-passphrase-file"
check_fails 2 "not two ways at once" init pass --no-kit-passphrase --kit-passphrase-file p
printf 'open sesame\n' >pass/p
check_fails 1 "a passphrase that others can read is refused" init pass --kit-passphrase-file p
check "and nothing is written" test ! -e pass/keys -a ! -e pass/backup-safe-main
chmod 600 pass/p
check "init with a passphrase" init pass --kit-passphrase-file p --passphrase-memory 64M --same-host-retention
for file in restore-kit.key root.key retention.key; do
    same "$file is protected" 01 "$(od -An -tx1 -j9 -N1 "pass/backup-safe-main/$file" | tr -d ' ')"
done
same "the host's writers are not" 00 "$(cat pass/keys/main/writer-*.key | od -An -tx1 -j9 -N1 | tr -d ' ')"
check "--same-host-retention leaves its key on the host" test -s pass/keys/main/retention.key

# ---- other options
config options
check_fails 2 "an odd pack size" init options --no-kit-passphrase --pack-size 16777217
check_fails 2 "a pack size outside the limits" init options --no-kit-passphrase --pack-size 1G
check_fails 2 "an unknown repository" init options nothing --no-kit-passphrase
check_fails 2 "--setup-user is for SFTP" init options --no-kit-passphrase --setup-user x
out=$(init options main --json --no-kit-passphrase --pack-size 32M --min-keep 3 --cadence 24 --spare-writers 0 --kit a/kit --kit-text b/text)
same "--json is one line of JSON" "main 2 0 False" "$(python3 -c '
import json, sys
o = json.loads(sys.stdin.read())
assert o["message_type"] == "summary" and len(o["repository_id"]) == 32 and len(o["files"]) == 10, o
print(o["repository"], o["writers"], o["spare_writers"], o["passphrase"])' <<<"$out")"
contains "the charter has what was asked for" "$(cat options/store/charter/00000001.00)" $'pack-size 33554432\nmin-keep 3\n'
contains "the cadence, too" "$(cat options/store/charter/00000001.00)" ' 24 1'
check "the kit is where it was wanted" test -s options/a/kit -a -s options/b/text

mkdir none
check_fails 2 "without a configuration" "$BACKUPD" --config none/c.yaml init
contains "a small one is shown" "$(cat .check)" "engine: sqlite"
finish
