#!/bin/bash
# The engine `files`: every kind of member with all its metadata there and back, compared by an independent program.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/files.sh"

list_tree() { python3 "$REPO_ROOT/tests/support/tree_list.py" "$@"; }
root=
[[ $(id -u) -ne 0 ]] || root=yes

# ---- a tree of every kind
mkdir -p tree/dir/empty tree/a tree/a-b tree/deep
printf 'content\n' >tree/a/file
printf 'sorts between a and a/\n' >tree/a-b/x
printf 'x' >tree/a.c
head -c 3000000 /dev/urandom >tree/big
: >tree/nothing
ln tree/big tree/0-first-in-order
ln tree/big tree/dir/third-name
ln -s a/file tree/link
ln -s ../a tree/dir/up
ln -s nowhere tree/dangling
ln -s "$(printf 'target\nwith a line')" "tree/$(printf 'link\nwith a line')"
printf 'n' >"tree/$(printf 'new\nline \033[31mred\033[0m \t tab')"
printf 'd' >tree/-rf
printf 'u' >"tree/$(printf 'not utf8 \xff\xfe\x80')"
mkdir "tree/$(printf 'dir \xc3\x28')"
printf 'i' >"tree/$(printf 'dir \xc3\x28')/in it"
printf 'e' >"tree/=equals,comma:colon"
printf 'l' >"tree/$(printf 'n%.0s' {1..255})"
mkfifo tree/fifo
python3 - <<'END'
import os, socket
s = socket.socket(socket.AF_UNIX)
s.bind("tree/socket")
fd = os.open("tree/deep", os.O_RDONLY)
for i in range(40):                         # 40 x 200 bytes: twice PATH_MAX
    name = "%03d" % i + "d" * 197
    os.mkdir(name, dir_fd=fd)
    fd = os.open(name, os.O_RDONLY, dir_fd=fd)
os.write(os.open("bottom", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=fd), b"deep down")
fd = os.open("tree/deep", os.O_RDONLY)
for i in range(600):                        # more levels than descriptors are kept open
    os.mkdir("l", dir_fd=fd)
    fd = os.open("l", os.O_RDONLY, dir_fd=fd)
os.write(os.open("bottom", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=fd), b"very deep down")
with open("tree/sparse", "wb") as f:
    f.seek(1 << 20)
    f.write(b"middle" * 1000)
    f.truncate(5 << 20)
with open("tree/sparse-end", "wb") as f:
    f.write(b"begin")
    f.truncate(3 << 20)
with open("tree/only-a-hole", "wb") as f:
    f.truncate(1 << 30)
END
setfattr -n user.plain -v value tree/a/file
setfattr -n "user.with=equals %41 and space" -v "$(printf 'v\nalue')" tree/a/file
setfattr -n user.binary -v 0x00ff00010a3d tree/dir
setfattr -n user.empty tree/a.c
setfattr -n user.large -v "$(head -c 3000 /dev/urandom | base64 -w0)" tree/big
setfacl -m u:12345:rw,g:54321:x,m::rwx tree/a/file
setfacl -m u:12345:rwx,d:u:12345:rx,d:g::- tree/dir
chmod 0400 tree/a.c
chmod 0000 tree/nothing
chmod 01777 tree/a
chmod 02750 tree/a-b
chmod 0500 tree/dir/empty
if [[ $root ]]; then
    chown 12:34 tree/a/file
    chown 4000000000:4000000000 tree/dir
    chown -h 7:8 tree/link
    setfattr -n trusted.secret -v t tree/dir
else
    chmod 0400 tree/nothing
fi
touch -d '1970-01-01T00:00:00Z' tree/a.c
touch -d '1960-05-05T01:02:03.5Z' tree/-rf
touch -h -d '2001-02-03T04:05:06.123456789Z' tree/link tree/a/file
touch -d '2037-02-03T04:05:06.987654321Z' tree/dir
touch -d '2005-01-01T00:00:00Z' tree/a

files_setup tree
list_tree tree >source.list
members=$(($(wc -l <source.list)))

# ---- there
check "backup" files_backup
contains "the fifo is named" "$(cat .check)" '"fifo": it is a fifo'
contains "the socket is named" "$(cat .check)" '"socket": it is a socket'
cp .check backup.out
check "no control characters" not grep -q $'\033' backup.out
out=$(files_backup --json 2>/dev/null)
same "the second night adds nothing" 0 "$(summary data_added_packed <<<"$out")"
same "every member counts" "$members" "$(summary members <<<"$out")"
same "it says that all of it is there" True "$(summary complete <<<"$out")"
check "logical bytes leave holes out" test "$(summary total_bytes_processed <<<"$out")" -lt 5000000

# ---- and back
check "restore" files_restore latest --to out --preserve-setid --unsafe-links
list_tree out >restored.list
check "everything is as it was" diff source.list restored.list
same "holes are holes" 0 "$(stat -c %b out/only-a-hole)"
check "also in the middle" test "$(stat -c %b out/sparse)" -lt 64
check "and at the end" test "$(stat -c %b out/sparse-end)" -lt 64
same "three names, one file" 3 "$(stat -c %h out/big)"
same "an ACL as getfacl shows it" "$(cd tree && getfacl -n -c a/file dir)" "$(cd out && getfacl -n -c a/file dir)"
same "an attribute as getfattr shows it" "$(cd tree && getfattr -d -m - a/file dir)" \
    "$(cd out && getfattr -d -m - a/file dir)"
check "no fifo was made" test ! -e out/fifo
check "verify" "$RESTORE" --config restore.yaml verify --read-data

# ---- single files
same "cat" content "$(files_cat latest a/file)"
same "cat through a hard link" "$(sha256sum <tree/big)" "$(files_cat latest dir/third-name | sha256sum)"
same "cat fills holes" "$(sha256sum <tree/sparse)" "$(files_cat latest sparse | sha256sum)"
check_fails 2 "cat of a directory" files_cat latest dir
bytes=$(printf 'not utf8 \xff\xfe\x80')
same "cat of a name that is not UTF-8" u "$(files_cat latest "$bytes")"

# ---- parts of it
check "one directory" files_restore latest --to part dir --unsafe-links
check "a file whose first name is elsewhere is there all the same" cmp part/dir/third-name tree/big
same "and only one" 1 "$(stat -c %h part/dir/third-name)"
check "two of its names" files_restore latest --to part2 dir big --unsafe-links
same "are one file" 2 "$(stat -c %h part2/big)"
check_fails 1 "a path that is not there" files_restore latest --to part3 nothere

# ---- looking at it
out=$("$RESTORE" --config restore.yaml ls latest --long)
contains "ls shows attributes" "$out" "xattr=user.plain (5 bytes)"
contains "and the true size" "$out" "1073741824"
contains "and links" "$out" "link -> a/file"
printf '%s\n' "$out" >ls.out
check "ls prints no control characters" not grep -q $'\033' ls.out
check "ls --json is JSON, with the bytes of such names" python3 -c '
import json, subprocess, sys
out = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True).stdout
rows = [json.loads(line) for line in out.decode().splitlines()]
assert b"not utf8 \xff\xfe\x80" in [bytes.fromhex(r["path_hex"]) for r in rows if "path_hex" in r]
assert [r for r in rows if r["path"] == "sparse"][0]["size"] == 5 << 20
assert "system.posix_acl_access" in [r for r in rows if r["path"] == "a/file"][0]["xattrs"]
' "$RESTORE" --config restore.yaml ls latest --json
contains "show has the counts" "$("$RESTORE" --config restore.yaml show latest)" "hardlinks:"

# ---- what is not a database
check_fails 4 "restore database says where to go" "$RESTORE" --config restore.yaml database latest --to db
contains "namely" "$(cat .check)" "restore files"
check_fails 1 "an occupied directory is refused" files_restore latest --to out
finish
