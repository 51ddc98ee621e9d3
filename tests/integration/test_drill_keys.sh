#!/bin/bash
# Keys of a drill host: a kit for some writers that expires, and a signing key that the charter names.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/skew.sh
source "$REPO_ROOT/tests/support/skew.sh"

sqlite3 one.db 'CREATE TABLE t(a); INSERT INTO t VALUES (1)'
cat >c.yaml <<END
state: state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
jobs:
  one: { engine: sqlite, path: $TMP/one.db }
  two: { engine: sqlite, path: $TMP/one.db }
END
backupd() { "$BACKUPD" --config c.yaml "$@"; }
root=(--root-key safe/root.key --yes)
# shellcheck disable=SC2317
drill() { "$RESTORE" --storage store --kit drill.key "$@"; }

check "init" backupd init --safe safe --no-kit-passphrase --spare-writers 0
backupd backup one --kit-unconfirmed >/dev/null

add=(key add-recipient --drill "${root[@]}" --kit safe/restore-kit.key)
check_fails 2 "a drill kit has an expiry date" backupd "${add[@]}" --to drill.key
check_fails 2 "that is to come" backupd "${add[@]}" --to drill.key --expires 2020-01-01
check_fails 2 "and no second person" backupd "${add[@]}" --to drill.key --expires 2099-01-01 --with restore-kit
same "nothing was made" "no" "$([[ -e drill.key ]] && echo yes || echo no)"
check "add-recipient --drill" backupd "${add[@]}" --to drill.key --expires 2099-01-01 --writer one
contains "it says what cannot be undone" "$(<.check)" "stays open to whoever has this file"
same "a private file" 400 "$(stat -c %a drill.key)"
same "with the keys of one writer" 184 "$(($(stat -c %s drill.key) - 76))"
check "key show" backupd key show
contains "names the key that signs" "$(<.check)" "drill"

check_fails 12 "sessions from before stay closed to it" drill database one/1 --to no.db
sqlite3 one.db 'DROP TABLE t; CREATE TABLE other(b); INSERT INTO other VALUES (randomblob(9000))'
backupd backup one two --kit-unconfirmed >/dev/null
check "what was stored since opens" drill database one/2 --to one.restored
same "and is what was backed up" "$(sqlite3 one.db .dump | sha256sum)" "$(sqlite3 one.restored .dump | sha256sum)"
check "list" drill list
contains "shows what it drills" "$(<.check)" "one/2"
same "and not the name of another job" "" "$(grep -o 'two/1' .check)"
two=$(sed -n 's/^two //p' state/main/jobs)
check_fails 12 "another writer stays closed to it" drill database "$two/1" --to no.db
contains "and it says why" "$(<.check)" "a drill kit opens only the writers that it was made for"


check "a grant opens the old session" "$RESTORE" --storage store --kit safe/restore-kit.key grant drill one/1
check "to it, too" drill database one/1 --to old.db
check "verify of its writer, every byte" drill verify one/2 --read-data

# ---- expiry
check "another kit, for all writers" backupd "${add[@]}" --to all.key --expires "$(date -d '+10 days' +%F)" --name rehearsal
check "it may be used" "$RESTORE" --storage store --kit all.key list
check_fails 12 "eleven days later it is refused" skewed 11 "$RESTORE" --storage store --kit all.key list
contains "and it says why" "$(<.check)" "expired on"
sqlite3 one.db 'INSERT INTO other VALUES (randomblob(9000))'
check "a backup of that day" skewed 11 "$BACKUPD" --config c.yaml backup two --kit-unconfirmed
check_fails 12 "is not sealed to it, whatever the clock here" "$RESTORE" --storage store --kit all.key database two/2 --to no.db
check "and to the restore kit as ever" "$RESTORE" --storage store --kit safe/restore-kit.key database two/2 --to two.db
check_fails 2 "the key to retire is named when there are two" backupd key retire-drill "${root[@]}"
print=$(backupd key show | awk '/^drill key/ { print $3; exit }')
check "retire-drill" backupd key retire-drill "$print" "${root[@]}" --recipient drill
check_fails 12 "its kit is refused" drill list
contains "and it says why" "$(<.check)" "taken out"
check "taking its line out" backupd key retire-drill "$print" "${root[@]}" --stolen
same "leaves one" 1 "$(backupd key show | grep -c '^drill key')"
check "retire the last, without naming it" backupd key retire-drill "${root[@]}"
check_fails 12 "its kit is refused, too" "$RESTORE" --storage store --kit all.key list
contains "as retired" "$(<.check)" "has retired the signing key"

finish
