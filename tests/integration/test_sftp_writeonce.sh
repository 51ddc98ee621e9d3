#!/bin/bash
# What the writer's key cannot do: each way to change or remove what is stored, or to get more than SFTP, is tried with
# OpenSSH's own client and with raw requests, against a real sshd under the account lines of docs/format.md.
# shellcheck disable=SC2317  # the functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

fixture=$REPO_ROOT/tests/fixture/sshd.sh
dir=$TMP/sshd
"$fixture" start "$dir"
at_end "$fixture" stop "$dir"
port=$(cat "$dir/port")
user=$(cat "$dir/user")
path=$(cat "$dir/path")
storage=$dir/storage

ssh_options=(-o BatchMode=yes -o IdentitiesOnly=yes -o "UserKnownHostsFile=$dir/known_hosts" -o StrictHostKeyChecking=yes)

# stock ROLE LINE...: the lines through sftp(1), stopping at the first that fails.
stock() {
    local role=$1
    shift
    printf '%s\n' "$@" | sftp -q -b - "${ssh_options[@]}" -i "$dir/${role}_key" -P "$port" "$user@127.0.0.1"
}

# raw ROLE OPERATION PATH [ARGUMENT]
raw() {
    local role=$1
    shift
    "$TOOLS/sftp_try" "$port" "$user" "$dir/${role}_key" "$@"
}

shell() {
    local role=$1
    shift
    ssh "${ssh_options[@]}" -i "$dir/${role}_key" -p "$port" "$user@127.0.0.1" "$@" </dev/null
}

printf 'the first version\n' >"$TMP/first"
printf 'an attacker was here\n' >"$TMP/second"
printf 'second file\n' >"$TMP/other"

# stored FILE CONTENT: still there, byte for byte, still read-only, and nothing else is.
untouched() {
    cmp "$TMP/first" "$storage/w/pack" && cmp "$TMP/other" "$storage/w/other" &&
        [[ $(stat -c %a "$storage/w/pack") == 440 && $(stat -c %Y "$storage/w/pack") == "$born" ]] &&
        [[ $(cd "$storage" && find . | sort | tr '\n' ' ') == "$tree" ]]
}

# ---- what it can do -----------------------------------------------------------------------------------------

check "admin makes a directory" stock admin "mkdir $path/w" "mkdir $path/w/empty"
chmod 0644 "$TMP/first" "$TMP/other"
check "writer creates a file" stock writer "put $TMP/first $path/w/pack"
check "writer creates a file by a raw request" raw writer create "$path/w/raw" text
check "writer reads it" stock writer "get $path/w/pack $TMP/back"
check "what it reads is what it wrote" cmp "$TMP/first" "$TMP/back"
check "writer lists" stock writer "ls $path/w"
check "writer sees the free space" raw writer statvfs "$path"
check "writer creates another file" stock writer "put $TMP/other $path/w/other"
same "files are born without write permission" 440 "$(stat -c %a "$storage/w/pack")"
same "also by a raw request that asks for 0644" 440 "$(stat -c %a "$storage/w/raw")"

born=$(stat -c %Y "$storage/w/pack")
tree=$(cd "$storage" && find . | sort | tr '\n' ' ')
check "nothing was touched before the attacks" untouched

# ---- what it cannot do, with sftp(1) ------------------------------------------------------------------------

# forbidden NAME LINE...: the client reports failure and the storage is as before.
forbidden() {
    local name=$1
    shift
    check_fails 1 "sftp: $name is refused" stock writer "$@"
    check "sftp: $name changed nothing" untouched
}

forbidden "overwriting" "put $TMP/second $path/w/pack"
forbidden "resuming an upload over it" "reput $TMP/second $path/w/pack"
forbidden "renaming" "rename $path/w/pack $path/w/gone"
forbidden "renaming over a file" "rename $path/w/other $path/w/pack"
forbidden "renaming the old way" "rename -l $path/w/other $path/w/pack"
forbidden "removing" "rm $path/w/pack"
forbidden "making a directory" "mkdir $path/w/new"
forbidden "removing a directory" "rmdir $path/w/empty"
forbidden "chmod" "chmod 666 $path/w/pack"
forbidden "chown" "chown 12345 $path/w/pack"
forbidden "chgrp" "chgrp 12345 $path/w/pack"
forbidden "a symbolic link" "symlink $path/w/pack $path/w/link"
forbidden "a hard link" "ln $path/w/pack $path/w/link"
forbidden "copying on the server" "copy $path/w/pack $path/w/copy"

# ---- what it cannot do, with raw requests -------------------------------------------------------------------

# An SFTP status: 2 is "no such file", 3 "permission denied", 4 "failure".
# refused NAME ANSWER OPERATION PATH [ARGUMENT]
refused() {
    local name=$1 answer=$2 said
    shift 2
    said=$(raw writer "$@" 2>&1) || true
    same "raw: $name is refused" "$answer" "$said"
    check "raw: $name changed nothing" untouched
}

refused "creating over a file" "status 4" create "$path/w/pack"
refused "opening for writing" "status 3" write-existing "$path/w/pack"
refused "opening with truncation" "status 3" truncate "$path/w/pack"
refused "appending" "status 3" append "$path/w/pack"
refused "renaming" "status 3" rename "$path/w/pack" "$path/w/gone"
refused "renaming over a file" "status 3" rename "$path/w/other" "$path/w/pack"
refused "removing" "status 3" remove "$path/w/pack"
refused "making a directory" "status 3" mkdir "$path/w/new"
refused "removing a directory" "status 3" rmdir "$path/w/empty"
refused "chmod" "status 3" chmod "$path/w/pack"
refused "chmod by handle" "status 3" fchmod "$path/w/pack"
refused "setting the time" "status 3" settime "$path/w/pack"
refused "setting the size" "status 3" setsize "$path/w/pack"
refused "a symbolic link" "status 2" symlink "$path/w/pack" "$path/w/link"

# ---- nothing but SFTP ---------------------------------------------------------------------------------------

# A forced command answers a shell or exec request with SFTP; what must not happen is that our command runs.
escapes() {
    local said
    said=$(timeout 20 ssh "${ssh_options[@]}" -i "$dir/writer_key" -p "$port" "$@" \
        <<<"echo escaped-\$((40+2))" 2>&1 || true)
    [[ $said == *escaped-42* ]]
}
check_fails 1 "ssh: no command" escapes "$user@127.0.0.1" "echo escaped-\$((40+2))"
check_fails 1 "ssh: no shell" escapes "$user@127.0.0.1"
check_fails 1 "ssh: no terminal" escapes -tt "$user@127.0.0.1"
check_fails 1 "raw: no command" raw writer exec -
check_fails 1 "raw: no shell" raw writer shell -
check_fails 1 "raw: no forwarded port" raw writer forward - "$port"
same "raw: the port would have been there" "error -21" "$(raw writer forward - "$port" 2>&1 || true)"

# -W asks for the same forwarding; the SSH banner of the target would come back.
forwarded=$(timeout 20 ssh "${ssh_options[@]}" -i "$dir/writer_key" -p "$port" -W "127.0.0.1:$port" "$user@127.0.0.1" \
    </dev/null 2>&1 || true)
check "ssh: no forwarded port" not grep -q '^SSH-2' <<<"$forwarded"
contains "ssh: forwarding is refused by policy" "$forwarded" "prohibited"
remote=$(timeout 20 ssh "${ssh_options[@]}" -o ExitOnForwardFailure=yes -i "$dir/writer_key" -p "$port" -N \
    -R 0:127.0.0.1:"$port" "$user@127.0.0.1" </dev/null 2>&1 || true)
contains "ssh: no listening port on the server" "$remote" "remote port forwarding failed"
check "none of this changed anything" untouched

# ---- the other roles ----------------------------------------------------------------------------------------

check "reader reads" stock reader "get $path/w/pack $TMP/back2"
same "reader cannot create" "status 3" "$(raw reader create "$path/w/by-reader" 2>&1 || true)"
same "reader cannot remove" "status 3" "$(raw reader remove "$path/w/pack" 2>&1 || true)"
same "retention cannot write over a file" "status 3" "$(raw retention write-existing "$path/w/pack" 2>&1 || true)"
same "retention cannot rename" "status 3" "$(raw retention rename "$path/w/pack" "$path/w/x" 2>&1 || true)"
check "nothing was touched by them" untouched
check "retention removes, that is its purpose" raw retention remove "$path/w/raw"
check "and it is gone" not test -e "$storage/w/raw"
# The same requests succeed for an account without these limits: what refused them above is the account.
check "raw: admin creates" raw admin create "$path/w/mine"
check "raw: admin changes the mode" raw admin chmod "$path/w/mine"
check "raw: admin changes the mode by handle" raw admin fchmod "$path/w/mine"
for operation in write-existing append settime setsize truncate; do
    check "raw: admin may $operation" raw admin "$operation" "$path/w/mine"
done
check "raw: admin renames" raw admin rename "$path/w/mine" "$path/w/yours"
check "raw: admin links" raw admin symlink "$path/w/yours" "$path/w/link"
check "raw: admin makes a directory" raw admin mkdir "$path/w/new"
check "raw: admin removes a directory" raw admin rmdir "$path/w/new"
same "the server runs as an ordinary account" yes \
    "$([[ $(awk '/^Uid:/ { print $3 }' "/proc/$(cat "$dir/pid")/status") -ne 0 ]] && echo yes)"

finish
