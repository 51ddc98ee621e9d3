#!/bin/bash
# The engine `files` with trees, users and targets that mean no good: what is missing or doubtful is named, the exit code
# says so, nothing hangs, nothing leaves the directory, and names do not reach the terminal as they are.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/files.sh"

# quiet_names FILE: no control characters but line ends
# shellcheck disable=SC2317  # called by check
quiet_names() { ! LC_ALL=C grep -q '[^[:print:][:space:]]' "$1" && ! grep -q $'\033\|\r\|\a' "$1"; }

# ---- names
mkdir -p tree/sub
printf 'x' >"tree/$(printf '..\\..\\etc')"
printf 'x' >tree/...
printf 'x' >"tree/..  "
printf 'x' >"tree/$(printf '\033]0;title\a\033[2J\r\n\b\177')"
printf 'x' >"tree/--to"
# shellcheck disable=SC2016  # a name that a shell must not see
printf 'x' >'tree/$(touch pwned);`touch pwned`'
mkfifo "tree/$(printf 'fifo \033[31m')"
ln -s /etc/passwd tree/absolute
ln -s ../../../../etc tree/up
ln -s b tree/a
ln -s a tree/b
ln -s . tree/self
ln -s sub/../.. tree/winding
ln -s "$(printf 'to \033[31m')" tree/painted
mkdir tree/left-out
printf 'shared' >tree/left-out/first
ln tree/left-out/first tree/second
truncate -s 1T tree/huge
printf 'end' | dd of=tree/huge bs=1 seek=700000000000 conv=notrunc status=none
files_setup tree "exclude: [ left-out, '*.tmp' ]"
touch tree/a.tmp

status=0
files_backup >backup.out 2>&1 || status=$?
same "the backup is complete" 0 "$status"
check "names are shown harmlessly" quiet_names backup.out
files_backup -v --json >backup.json 2>backup.err
check "also as JSON, and in the log" quiet_names backup.err
check "which is JSON" python3 -c 'import json; [json.loads(line) for line in open("backup.json")]'
"$RESTORE" --config restore.yaml ls latest --long >ls.out
check "ls is harmless" quiet_names ls.out
"$RESTORE" --config restore.yaml show latest >show.out
check "show is harmless" quiet_names show.out
contains "excluded members are counted" "$(cat show.out)" "excluded:"
contains "1 TiB takes no room" "$(cat ls.out)" "1099511627776"

# ---- links stay inside
check_fails 3 "links that lead out are left out and told" files_restore latest --to out
cp .check restore.out
check "harmlessly" quiet_names restore.out
contains "absolute ones" "$(cat restore.out)" "not restored: absolute"
contains "upward ones" "$(cat restore.out)" "not restored: up"
contains "winding ones" "$(cat restore.out)" "not restored: winding"
check "they are not there" test ! -L out/absolute -a ! -L out/up -a ! -L out/winding
check "others are" test -L out/a -a -L out/b -a -L out/self
same "1 TiB is there again" 1099511627776 "$(stat -c %s out/huge)"
same "with its three bytes" end "$(tail -c +700000000001 out/huge | head -c 3)"
check "and takes no room" test "$(stat -c %b out/huge)" -lt 1000
same "a link to an excluded file is a file" shared "$(cat out/second)"
check "what was excluded is not there" test ! -e out/left-out -a ! -e out/a.tmp
check "no shell saw any name" test ! -e pwned -a ! -e out/pwned
check "with --unsafe-links all of them" files_restore latest --to out-unsafe --unsafe-links
same "as they were" /etc/passwd "$(readlink out-unsafe/absolute)"

# ---- a target that somebody prepared
mkdir trap
ln -s "$TMP/outside" trap/sub
mkdir outside
check_fails 1 "a directory with a link in it is refused" files_restore latest --to trap
same "nothing was written through it" "" "$(ls outside)"
mkdir prepared
(
    # As soon as there is a name, it becomes a link.
    for ((i = 0; i < 3000; i++)); do
        rmdir prepared/sub 2>/dev/null && ln -s "$TMP/outside" prepared/sub 2>/dev/null && break
    done
) &
files_restore latest --to prepared sub >/dev/null 2>&1 || true
wait $!
same "nor while it runs" "" "$(ls outside)"
check_fails 1 "a file is no target" files_restore latest --to backupd.yaml

# ---- a target that others may write to
mkdir -m 1777 open-to-all
check_fails 1 "a directory that others may write to is no target" files_restore latest --to open-to-all
contains "with the way out" "$(cat .check)" "that only you may write to"
same "nothing was written" "" "$(ls open-to-all)"

# ---- a bad place on the storage's disk, where the kernel lets us make one: a read there says EIO, as in /proc/PID/mem
mkdir rot
printf 'first' >rot/first
sed "s|path: $TMP/tree|path: $TMP/rot|" backupd.yaml >rot.yaml
"$BACKUPD" --config rot.yaml --quiet backup
pack=$(find store -path '*/pack/*' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
printf 'second' >rot/second
"$BACKUPD" --config rot.yaml --quiet backup
if unshare -rm mount --bind "/proc/$$/mem" "$pack" 2>/dev/null; then
    check_fails 9 "a bad place costs what is there" unshare -rm bash -c "mount --bind /proc/\$\$/mem '$pack' &&
        '$RESTORE' --config restore.yaml files latest --to out-rot"
    contains "it is named" "$(cat .check)" "not restored: first"
    contains "for what it is" "$(cat .check)" "Input/output error"
    same "the rest is there" second "$(cat out-rot/second)"
fi

# ---- a tree under somebody's hands, in repeated rounds
mkdir -p busy/dir secret
printf 'keep out' >secret/secret
for i in {1..200}; do printf '%s' "$i" >"busy/dir/$i"; done
cat >churn.py <<'END'
import os, random, sys
r = random.Random(int(sys.argv[1]))
os.chdir(sys.argv[2])
while True:
    n = str(r.randint(1, 260))
    try:
        what = r.randint(0, 5)
        if what == 0: os.unlink("dir/" + n)
        elif what == 1: open("dir/" + n, "a").write("more" * r.randint(1, 5000))
        elif what == 2: os.truncate("dir/" + n, r.randint(0, 100))
        elif what == 3: os.rename("dir/" + n, "dir/" + str(r.randint(1, 260)))
        elif what == 4: os.unlink("dir/" + n); os.mkfifo("dir/" + n)
        else:
            os.rename("dir", "away"); os.symlink("../secret", "dir")
            os.unlink("dir"); os.rename("away", "dir")
    except OSError:
        pass
END
sed -i "s|path: $TMP/tree|path: $TMP/busy|; /exclude:/d" backupd.yaml
spawn churn.log python3 churn.py 7 busy
bad=
for round in {1..15}; do
    status=0
    timeout 60 "$BACKUPD" --config backupd.yaml --json backup >busy.json 2>busy.err || status=$?
    [[ $status -eq 0 || $status -eq 3 ]] || bad+=" $round:$status"
    complete=$(summary complete <busy.json)
    [[ ($status -eq 0 && $complete == True) || ($status -eq 3 && $complete == False) ]] || bad+=" $round:$complete"
done
same "15 rounds: published, and told whether it is whole" "" "$bad"
stop "$SPAWNED"
same "nothing from behind the link" 0 "$("$RESTORE" --config restore.yaml ls latest | grep -c secret || true)"
check "every one of them restores" python3 - "$RESTORE" <<'END'
import subprocess, sys
for n in range(3, 18):
    run = subprocess.run([sys.argv[1], "--config", "restore.yaml", "files", "tree/%d" % n, "--to", "busy-%d" % n],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout.decode(errors="replace")
END

# ---- what may not be read
install -d -m 755 shared
[[ $(id -u) -ne 0 ]] || chmod 711 "$TMP"
cp "$BACKUPD" "$RESTORE" shared/
mkdir shared/tree shared/work
printf 'open' >shared/tree/open
printf 'closed' >shared/tree/closed
chmod 0 shared/tree/closed
[[ $(id -u) -ne 0 ]] || chown "$FILES_USER" shared/work
cd shared/work
cat >conf.yaml <<END
state: $PWD/state
repositories:
  main: { storage: { type: local, path: $PWD/store }, kit: $PWD/safe/restore-kit.key }
jobs:
  tree: { engine: files, path: $TMP/shared/tree }
END
as_user mkdir store
as_user ../backupd --config conf.yaml --quiet init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null
check_fails 3 "an unreadable file: published, but 3" as_user ../backupd --config conf.yaml backup
contains "it is named" "$(cat "$TMP/.check")" '"closed": Permission denied'
contains "and counted" "$(cat "$TMP/.check")" "1 could not be read"
check "the rest is restored" as_user ../restore --config conf.yaml files latest --to out
contains "and it says what the backup could not read" "$(cat "$TMP/.check")" "could not read 1 member"
contains "and whose it is" "$(cat "$TMP/.check")" "Owners were not restored"
same "namely" open "$(cat out/open)"
if [[ $(id -u) -eq 0 ]]; then # else the files are his own
    check_fails 3 "an owner that cannot be given" as_user ../restore --config conf.yaml files latest --to out2 --owner number
    contains "is named" "$(cat "$TMP/.check")" "without owner and group"
else
    skip "an owner that cannot be given" "only root can make a file somebody else's"
fi
mkdir ../tree/dir
chmod 0 ../tree/dir
before=$(find store -type f | wc -l)
check_fails 1 "an unreadable directory: nothing is published" as_user ../backupd --config conf.yaml backup
contains "with the way out" "$(cat "$TMP/.check")" "exclude"
same "nothing was added" "$before" "$(find store -type f | wc -l)"
cd "$TMP"

# ---- roots that are none, databases that run
sed -i "s|path: $TMP/busy|path: $TMP/nowhere|" backupd.yaml
check_fails 4 "a root that is not there" files_backup
mkdir nowhere
printf '%s\n' "$$" >nowhere/postmaster.pid
echo 15 >nowhere/PG_VERSION
check_fails 4 "the data directory of a running server" files_backup
contains "with the way out" "$(cat .check)" "as a database"
mkdir nowhere/sub
mv nowhere/PG_VERSION nowhere/postmaster.pid nowhere/sub
check_fails 3 "one that somebody put into the tree: the rest is stored" files_backup
contains "and it is named" "$(cat .check)" '"sub"'
rm -r nowhere/sub
printf '%s' "x" >nowhere/file
sqlite3 nowhere/app.db "PRAGMA journal_mode=WAL; CREATE TABLE t(x)" >/dev/null
mkfifo hold
spawn sqlite.log bash -c "sqlite3 nowhere/app.db <hold"
exec 9>hold
printf 'INSERT INTO t VALUES (1);\n' >&9
check "its log is there" wait_for 10 test -s nowhere/app.db-wal
files_backup >backup.out 2>&1
contains "an SQLite database in use is warned about" "$(cat backup.out)" "app.db-wal"
exec 9>&-
finish
