#!/bin/bash
# The end of a repository: its keys are destroyed, a certificate says what was, and what is stored can only be checked for
# being unchanged.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

sqlite3 one.db 'CREATE TABLE t(a); INSERT INTO t VALUES (randomblob(50000))'
cat >c.yaml <<END
state: state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    kit: safe/restore-kit.key
jobs:
  one: { engine: sqlite, path: $TMP/one.db }
END
backupd() { "$BACKUPD" --config c.yaml "$@"; }
printf 'open sesame\n' >p && chmod 600 p
"$BACKUPD" --config c.yaml init --safe safe --kit-unconfirmed --kit-passphrase-file p --passphrase-memory 64M --spare-writers 1 >/dev/null
backupd backup >/dev/null
sqlite3 one.db 'INSERT INTO t VALUES (randomblob(50000))'
backupd backup >/dev/null
backupd key new-recipient anna --to anna.key --no-new-passphrase >offer
backupd key add-recipient offer --root-key safe/root.key --root-passphrase-file p --yes >/dev/null
root=(--root-key safe/root.key --root-passphrase-file p)
kit=(--storage store --kit safe/restore-kit.key --kit-passphrase-file p)
keys() { find keys safe ./*.key -name '*.key' -o -name 'restore-kit.txt' 2>/dev/null | sort | paste -sd' '; }
cp -p safe/restore-kit.key copy.key

check "before: LK" "$RESTORE" "${kit[@]}" verify --level LK
check "before: L3" "$RESTORE" "${kit[@]}" verify --level L3
before=$(keys)
check_fails 2 "without a terminal it is not done" backupd repository shred "${root[@]}" --certificate cert
check_fails 2 "nor without a certificate" backupd repository shred "${root[@]}" --yes
mkdir foreign && sed "s#$TMP/store#$TMP/store2#; s#kit: .*##" c.yaml >foreign/c.yaml
"$BACKUPD" --config foreign/c.yaml init --safe foreign/safe --no-kit-passphrase >/dev/null
check_fails 9 "a key of another repository stops it" backupd repository shred "${root[@]}" --also foreign/safe --certificate cert --yes
contains "which is named" "$(<.check)" "foreign/safe/"
same "nothing was destroyed" "$before" "$(keys)"
check "and no certificate written" test ! -e cert -a ! -e cert.list

# Ended in the middle: some keys are gone, nothing is signed.
cp -a keys keys.whole && cp -a safe safe.whole
"$BACKUPD" --config c.yaml repository shred "${root[@]}" --also safe --certificate cert --yes --kit-passphrase-file p >/dev/null
cp cert cert.first && rm -f cert
rm -rf keys safe && mv keys.whole keys && mv safe.whole safe
find keys/main -name 'writer-*.key' | head -1 >gone
{
    printf '2 %064d - %s\n' 0 "$TMP/$(cat gone)"
} >cert.list
rm -f "$(cat gone)"

check "shred" backupd repository shred "${root[@]}" --also safe --kit-passphrase-file p --certificate cert --yes
text=$(<.check)
contains "it says what it cannot know" "$text" "copies of these files elsewhere"
contains "and of whom it has seen no key" "$text" "of recipient anna no key was found"
same "no key is left where it looked" "./anna.key ./copy.key" "$(keys)"
same "not even its bytes" 0 "$(grep -rlc BK1KEYF keys safe | wc -l)"
contains "what an earlier run destroyed is in the certificate" "$(<cert)" "destroyed writer $(printf %064d 0)"
check "the list of the run is gone" test ! -e cert.list
contains "the kit's recipient" "$(<cert)" " restore-kit destroyed"
contains "and the other" "$(<cert)" " anna unseen"
check "the certificate is checked with the public key" backupd repository shred --check cert
contains "the verdict is honest" "$(<.check)" "no program can know that"
check "also by somebody without the configuration" "$BACKUPD" repository shred --check cert.first --root-pub safe/root.pub
sed 's/^kept/destroyed/; s/anna unseen/anna destroyed/' cert >forged
check_fails 9 "a changed one is refused" backupd repository shred --check forged
check_fails 9 "another repository's key does not fit" "$BACKUPD" repository shred --check cert --root-pub foreign/keys/main/root.pub
same "the signature fits without our code, too" ok "$(python3 - cert <<'END'
import ctypes, ctypes.util, hashlib, sys
text = open(sys.argv[1], "rb").read()
body, sig = text[: text.rindex(b"sig ")], bytes.fromhex(text.rsplit(b"sig ", 1)[1].decode().strip())
root = bytes.fromhex([l for l in body.decode().split("\n") if l.startswith("root ")][0].split()[1])
message = b"bk1 sig shred".ljust(16, b"\0") + hashlib.blake2b(body).digest()
sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
print("ok" if sodium.crypto_sign_verify_detached(sig, message, ctypes.c_ulonglong(len(message)), root) == 0 else "bad")
END
)"

# ---- alive at L0 and L1, dead at LK and L3
pub=(--storage store --root-key keys/main/root.pub)
check "L0 still holds" "$RESTORE" "${pub[@]}" verify --level L0
check "L1 still holds" "$RESTORE" "${pub[@]}" verify --level L1
check_fails 1 "LK has no key" "$RESTORE" "${kit[@]}" verify --level LK
check_fails 1 "L3 has no key" "$RESTORE" "${kit[@]}" verify --level L3
check_fails 2 "the key of a recipient alone opens nothing" "$RESTORE" --storage store --kit anna.key verify --level LK
check_fails 1 "the host adds nothing" backupd backup
check "but a copy that was kept opens everything: that is what no certificate can exclude" \
    "$RESTORE" --storage store --kit copy.key --kit-passphrase-file p verify --level L3
finish
