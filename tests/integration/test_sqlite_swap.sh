#!/bin/bash
# A SQLite database is restored beside the live one and takes its place: the way back, who is in the way, and a kill at
# every step, after which the live name is one of the two and the next call mends what was left.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir storage live
LIVE=$TMP/live/shop.db
cat >c.yaml <<END
state: state
repositories:
  main: { storage: { type: local, path: $TMP/storage }, keys: keys, kit: safe/restore-kit.key }
jobs:
  shop: { engine: sqlite, path: $LIVE }
END
restore() { "$RESTORE" --config c.yaml "$@"; }
sql() { sqlite3 -batch "$@"; }
what() { sql "$1" 'SELECT v FROM t'; }
one() { # MARK: the only file beside the live one with this mark
    local found=("$LIVE$1"*[0-9])
    [[ ${#found[@]} -eq 1 && -e ${found[0]} ]] && printf '%s\n' "${found[0]}"
}
sides() { find live -name '*-wal' -o -name '*-shm' -o -name '*-journal' | sort; }
owner() { stat -c '%u:%g %a' "$1"; }

sql "$LIVE" "PRAGMA journal_mode=wal; CREATE TABLE t (v); INSERT INTO t VALUES ('saved')" >/dev/null
chmod 640 "$LIVE"
[[ $EUID -ne 0 ]] || chown games:games "$LIVE"
before=$(owner "$LIVE")
check "init" "$BACKUPD" --config c.yaml --quiet init --safe safe --kit-unconfirmed --no-kit-passphrase
check "a backup" "$BACKUPD" --config c.yaml backup
sql "$LIVE" "UPDATE t SET v = 'spoiled'"

# ---- beside, swap, undo
check "restore beside the live one" restore database latest --to live/shop.db --beside
fresh=$(one .restored-)
contains "which says what comes next" "$(cat .check)" "restore swap --to live/shop.db --from $fresh --engine sqlite"
contains "and how to remove it" "$(cat .check)" "rm $fresh"
same "the live one is untouched" spoiled "$(what "$LIVE")"
same "the new one holds what was saved" saved "$(what "$fresh")"
same "it belongs to the same owner" "$before" "$(owner "$fresh")"
check "a plan" restore swap --to live/shop.db --plan
contains "names which becomes which" "$(cat .check)" "$fresh becomes $LIVE"
same "and changes nothing" spoiled "$(what "$LIVE")"
check "swap" restore swap --to live/shop.db
cp .check said
kept=$(one .before-restore-)
same "the restored one is live" saved "$(what "$LIVE")"
same "the other one is kept" spoiled "$(what "$kept")"
same "with the same owner" "$before" "$(owner "$LIVE")"
same "and nothing else lies there" "" "$(sides)"
undo=$(sed -n 's/^To undo it: *restore //p' said)
contains "an undo line is printed" "$undo" "swap --to live/shop.db --from $kept --engine sqlite --undo"
check_fails 1 "nothing more is ready" restore swap --to live/shop.db
# shellcheck disable=SC2086  # the line as it was printed
check "the undo line works" restore $undo
same "what was live before is live" spoiled "$(what "$LIVE")"
same "and the restored one is kept in turn" saved "$(what "$(one .restored-)")"
check "and again, the other way" restore swap --to live/shop.db --json
contains "as JSON" "$(cat .check)" '"swapped":true'
same "the restored one is live again" saved "$(what "$LIVE")"
check "undone by itself" restore swap --to live/shop.db --undo
check_fails 2 "there are no connections to terminate" restore swap --to live/shop.db --terminate
check_fails 2 "--swap without --beside" restore database latest --to "$TMP/other.db" --swap
check "and removed" rm "$(one .restored-)"
check "beside and swap in one go" restore database latest --to live/shop.db --beside --swap
same "is live" saved "$(what "$LIVE")"
check "twice beside" restore database latest --to live/shop.db --beside
check "once more" restore database latest --to live/shop.db --beside
check_fails 2 "two candidates are not guessed between" restore swap --to live/shop.db
contains "but named" "$(cat .check)" "choose with --from"
check_fails 1 "beside what is not there" restore database latest --to live/none.db --beside
contains "is refused" "$(cat .check)" "there is no live database"
rm -f "$LIVE".*

# ---- who has it open
hold_open() { # MODE SQL: somebody who has the database open after these statements
    mkfifo "hold.$1"
    python3 - "$LIVE" "$2" "hold.$1" <<'END' &
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for s in sys.argv[2].split(";"):
    db.execute(s).fetchall()
open("held." + sys.argv[3], "w").close()
open(sys.argv[3]).read()
END
    holder=$!
    wait_for 10 test -e "held.hold.$1"
}
let_go() {
    : >"hold.$1"
    wait "$holder"
}
restore database latest --to live/shop.db --beside >/dev/null
hold_open idle "SELECT * FROM t"
check_fails 13 "an application that has the database open" restore swap --to live/shop.db
contains "is named" "$(cat .check)" "process $holder (python3) has it open"
same "nothing was changed" "" "$(one .before-restore- || true)"
let_go idle
hold_open read "BEGIN; SELECT * FROM t"
check_fails 13 "one that reads" restore swap --to live/shop.db
let_go read
check "nobody is there any more" restore swap --to live/shop.db
rm -f "$LIVE".*

# ---- SQLite's own locks tell what /proc does not: as if from another container
cat >lone.c <<'END'
#include <dirent.h>
#include <string.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
/* Dies before the KILL_AT-th change of a name or flush; has no hard links with NO_LINK; no /proc with NO_PROC. */
static long n;
static void step(void)
{
    const char *at = getenv("KILL_AT");
    if (at != NULL && ++n == atol(at))
        raise(SIGKILL);
}
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
int link(const char *a, const char *b)
{
    step();
    if (getenv("NO_LINK") != NULL) {
        errno = EPERM;
        return -1;
    }
    return NEXT(link)(a, b);
}
int unlink(const char *a) { step(); return NEXT(unlink)(a); }
int rename(const char *a, const char *b) { step(); return NEXT(rename)(a, b); }
int renameat2(int d, const char *a, int e, const char *b, unsigned f) { step(); return NEXT(renameat2)(d, a, e, b, f); }
int fsync(int fd) { step(); return NEXT(fsync)(fd); }
int ftruncate(int fd, off_t len) { step(); return NEXT(ftruncate)(fd, len); }
DIR *opendir(const char *p)
{
    return NEXT(opendir)(getenv("NO_PROC") != NULL && strcmp(p, "/proc") == 0 ? "/dev/fd" : p);
}
END
check "a library that kills" gcc -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -shared -fPIC -o lone.so lone.c -ldl
restore database latest --to live/shop.db --beside >/dev/null
hold_open wal "SELECT * FROM t"
check_fails 13 "a log in use elsewhere" env NO_PROC=1 LD_PRELOAD="$TMP/lone.so" "$RESTORE" swap --to live/shop.db
contains "is noticed by its lock" "$(cat .check)" "is in use"
let_go wal
rm -f "$LIVE".*

# ---- killed at every step
mkdir state.wal state.delete state.damaged
sql "$LIVE" "UPDATE t SET v = 'spoiled'"
restore database latest --to live/shop.db --beside >/dev/null
cp -p live/* state.delete/
sql "state.delete/shop.db" 'PRAGMA journal_mode=delete' >/dev/null
cp -p live/* state.wal/
python3 - state.wal/shop.db <<'END'
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("UPDATE t SET v = 'in the log'")
os._exit(0)  # as if killed: the log stays
END
cp -p state.wal/* state.damaged/
printf 'no header any more' | dd of=state.damaged/shop.db conv=notrunc status=none
reset() {
    rm -rf live
    cp -rp "$1" live
}
content() { # of the live one, or of the damaged one
    if [[ $1 == damaged ]] && head -c 9 "$2" | grep -q '^no header'; then
        printf 'damaged\n'
    else
        what "$2" 2>/dev/null || printf 'BROKEN\n'
    fi
}
rounds=0
for mode in wal delete damaged; do
    for link in "" 1; do
        case $mode in wal) old='in the log' ;; delete) old=spoiled ;; damaged) old=damaged ;; esac
        bad=
        for ((at = 1; at < 60; at++)); do
            reset "state.$mode"
            status=0
            # In a shell of its own, which tells of the kill into the log.
            (
                env ${link:+NO_LINK=1} KILL_AT=$at LD_PRELOAD="$TMP/lone.so" "$RESTORE" swap --to live/shop.db
                exit
            ) >kill.log 2>&1 || status=$?
            [[ $status -ne 0 ]] || break
            [[ $status -eq 137 ]] || bad+=" $at:status $status"
            rounds=$((rounds + 1))
            # The state that was left: one of the two, or (without links) none, never a mixture.
            if [[ -e $LIVE ]]; then
                cp -rp live seen
                now=$(content $mode seen/shop.db)
                rm -rf seen
                [[ $now == "$old" || $now == saved ]] || bad+=" $at:live is $now"
            else
                [[ -n $link ]] || bad+=" $at:no live one"
            fi
            # The next call, when it was not done already.
            if one .restored- >/dev/null; then
                # In another second, so with another time for new names, where a log may be on its way to one.
                [[ $mode != damaged || -z $(find live -name '*-wal') || $(one .before-restore- 2>/dev/null) ]] || sleep 1.1
                "$RESTORE" swap --to live/shop.db >mend.log 2>&1 || bad+=" $at:mending $(cat mend.log)"
            fi
            [[ $(content $mode "$LIVE") == saved ]] || bad+=" $at:live is not the restored one"
            kept=$(one .before-restore-) || bad+=" $at:kept: $(ls live)"
            if [[ $mode == damaged ]]; then
                [[ $(stat -c %s "$kept-wal" 2>/dev/null) == "$(stat -c %s state.damaged/shop.db-wal)" ]] || bad+=" $at:the log is lost"
            fi
            [[ $(content $mode "$kept") == "$old" ]] || bad+=" $at:kept is $(content $mode "$kept")"
        done
        same "$mode${link:+, without hard links}: killed at each of $((at - 1)) steps" "" "$bad"
        check "$mode${link:+, without hard links}: there was something to kill" test "$at" -gt 4
    done
done

# ---- two at once: one of them does it
reset state.wal
spawn first.log "$RESTORE" swap --to live/shop.db
first=$SPAWNED
"$RESTORE" swap --to live/shop.db >second.log 2>&1 || true
wait "$first" || true
same "two at once: the restored one is live" saved "$(what "$LIVE")"
same "and the other one is kept" "in the log" "$(what "$(one .before-restore-)")"
same "one of them did it" 1 "$(cat first.log second.log | grep -c '^Swapped')"
finish
