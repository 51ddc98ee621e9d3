#!/bin/bash
# A copy of the storage's files is a full repository: made with sftp -r by the reader's account, kept up to date with it, or
# made with rsync. And the check on the storage server itself, with nothing but root.pub and no configuration.
# shellcheck disable=SC2317 # the functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"

shop_sftp
shop_database "$HOST/shop.db" 2M
check "a night" shop_backup
cp "$SAFE/root.pub" root.pub

# pull OPTION...: as docs/operations.md has it for the second host.
pull() {
    mkdir -p copy
    printf 'get %s %s/* copy/\n' "$1" "$(<"$SSHD/path")" |
        sftp -q -b - -o BatchMode=yes -o StrictHostKeyChecking=yes -o "UserKnownHostsFile=$SSHD/known_hosts" \
            -i "$SSHD/reader_key" -P "$(<"$SSHD/port")" "$(<"$SSHD/user")@127.0.0.1"
}
# alone STORAGE ARGS...: without any configuration.
alone() { "$RESTORE" --storage "$1" --root-key root.pub "${@:2}"; }
# restored STORAGE NAME: the newest snapshot comes back from there, byte for byte.
restored() {
    "$RESTORE" --storage "$1" --kit "$SAFE/restore-kit.key" database latest --to "$2.db" &&
        cmp <(sqlite3 "$HOST/shop.db" .dump) <(sqlite3 "$2.db" .dump)
}

# ---- sftp -r ------------------------------------------------------------------------------------------------

check "the reader's account copies everything" pull -ar
same "every file is there" "$(cd -P "$STORAGE" && find . -type f | sort)" "$(cd copy && find . -type f | sort)"
check "the copy is verified, every byte" alone copy verify --level L1
check "opened with the kit" "$RESTORE" --storage copy --kit "$SAFE/restore-kit.key" verify --read-data
check "and restored from" restored copy first
"$GEN_SHOP" churn "$HOST/shop.db" --seed 3 --night 1 >/dev/null
check "another night" shop_backup
find copy -type f -printf '%p %i %C@\n' | sort >before
check "the next pull" pull -ar
find copy -type f -printf '%p %i %C@\n' | sort >after
same "leaves what it has" "" "$(comm -23 before after)"
check "and brings what is new" test "$(wc -l <after)" -gt "$(wc -l <before)"
# A pull that was cut leaves the beginning of a file.
cut=$(find copy/w -path '*/pack/*' -type f | sort | tail -1)
chmod u+w "$cut"
truncate -s 100000 "$cut"
check_fails 9 "a pull that was cut is noticed" alone copy verify --level L0
check "the next one goes on where it ended" pull -ar
check "the copy is whole again" alone copy verify --level L1
check "the new night is restored from it" restored copy second

# ---- rsync --------------------------------------------------------------------------------------------------

check "rsync" rsync -a "$(readlink -f "$STORAGE")/" mirror/
check "its copy is verified, too" alone mirror verify --level L1
check "and restored from" restored mirror third

# ---- the storage server checks itself -----------------------------------------------------------------------

verdict() { alone "$1" verify --gentle --verdict "${@:2}"; }
said=$(verdict "$STORAGE" --level L1)
contains "one line says that all is well" "$said" "OK L1: every byte read is as signed: 5 writers, 2 snapshots, "
same "and is one" 1 "$(wc -l <<<"$said")"
contains "the quick level, too" "$(verdict "$STORAGE" --level L0)" "OK L0: "
check "nothing but root.pub is read" strace -f -qq -e trace=openat,open -o opened "$RESTORE" --storage mirror \
    --root-key root.pub verify --level L1 --gentle --verdict
same "no key file" 0 "$(grep -c '\.key"' opened || true)"
check "others go first" strace -f -qq -e trace=setpriority,ioprio_set -o calls "$RESTORE" --storage mirror \
    --root-key root.pub verify --level L0 --gentle --verdict
contains "for the processor" "$(<calls)" "setpriority(PRIO_PROCESS, 0, 19)"
contains "and for disks" "$(<calls)" "IOPRIO_CLASS_IDLE"
pack=$(find mirror/w -path '*/pack/*' -type f | sort | head -1)
chmod u+w "$pack"
printf 'X' | dd of="$pack" bs=1 seek=5000 conv=notrunc status=none
status=0
said=$(verdict mirror --level L1 2>verdict.err) || status=$?
same "a changed byte" 9 "$status"
contains "is told in one line" "$said" "BROKEN L1: 1 error, the first: "
contains "which names the file" "$said" "${pack#mirror/}"
same "and is one" 1 "$(wc -l <<<"$said")"
contains "details are on stderr" "$(<verdict.err)" "alarm: "
rm "$pack"
check_fails 9 "a missing file, without reading any" verdict mirror --level L0
contains "is told, too" "$(<.check)" "BROKEN L0: "
check_fails 10 "a directory that is not there" verdict nowhere --level L1
contains "is no verdict" "$(<.check)" "UNKNOWN L1: it could not be checked"
check_fails 2 "one line or JSON" alone mirror --json verify --verdict
finish
