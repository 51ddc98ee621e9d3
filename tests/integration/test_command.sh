#!/bin/bash
# Engine `command`: a program's output there and back, and nothing published in every way the program can go wrong.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store bin work
# config JOB-LINES...: one job, `night`, of repository main
config() {
    cat >c.yaml <<END
state: $TMP/state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
    kit: $TMP/safe/restore-kit.key
jobs:
  night:
    engine: command
END
    printf '    %s\n' "$@" >>c.yaml
}
backupd() { "$BACKUPD" --config c.yaml "$@"; }
restore() { "$RESTORE" --config c.yaml "$@"; }
published() { find store/w/*/log -type f | wc -l; }
pack_bytes() { find store/w/*/pack -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'; }
dies() { wait_for 20 not kill -0 "$1"; }

# 50 MB, a part of it random and a part of it lines; made once, for a dump is run many times
cat >make_dump <<'END'
import random, sys
r = random.Random(int(sys.argv[1]))
for i in range(50):
    sys.stdout.buffer.write(r.randbytes(600000))
    sys.stdout.buffer.write(b"".join(b"%d\tcustomer %d\tpaid\n" % (i * 20000 + n, n % 977) for n in range(18000)))
END
python3 make_dump 1 >want
python3 make_dump 2 >want2
# shellcheck disable=SC2016 # $1 is the script's
printf '#!/bin/sh\n[ "$1" = 1 ] && exec cat %q\nexec cat %q\n' "$TMP/want" "$TMP/want2" >bin/dump
chmod +x bin/dump
check "the dump has its 50 MB ($(stat -c %s want))" test "$(stat -c %s want)" -gt 40000000

# ---- there and back
config "command: [$TMP/bin/dump, 1]" "name: shop.dump" "min_size: 40M"
backupd init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null
check "a backup" backupd backup
check "cat gives it back" bash -c "'$RESTORE' --config c.yaml cat night/1 shop.dump | cmp - want"
check "files gives it back" restore files night/1 --to files
check "byte for byte" cmp want files/shop.dump
same "for its owner alone" 600 "$(stat -c %a files/shop.dump)"
before=$(pack_bytes)
check "the same once more" backupd backup
check "costs next to nothing ($(($(pack_bytes) - before)) bytes)" test $(($(pack_bytes) - before)) -lt 100000
text=$(restore show night/1)
contains "the snapshot says what ran" "$text" "[\"$TMP/bin/dump\", \"1\"]"
contains "the stream says how long it was" "$text" "bytes=$(stat -c %s want)"
check_fails 4 "there is no database to restore" restore database night/1 --to db
contains "the way out is whole" "$(<.check)" "restore cat night/1 shop.dump > FILE"
check "and nothing was made" not test -e db
check "verify reads it" restore verify --read-data

# ---- every way to fail publishes nothing
# fails NAME STATUS TEXT SCRIPT [OPTIONS...]
fails() {
    local name=$1 status=$2 says=$3 script=$4 count
    shift 4
    printf '#!/bin/bash\n%s\n' "$script" >bin/bad
    chmod +x bin/bad
    config "command: [$TMP/bin/bad]" "$@"
    count=$(published)
    check_fails "$status" "$name" backupd backup
    contains "$name: it says so" "$(<.check)" "$says"
    same "$name: publishes nothing" "$count" "$(published)"
}
fails "status 1 after all bytes" 1 "failed with status 1" 'cat want; exit 1'
fails "killed" 1 "ended by signal 9 (SIGKILL)" 'head -c 3M want; kill -KILL $$'
fails "terminated" 1 "ended by signal 15 (SIGTERM)" 'head -c 3M want; kill -TERM $$'
fails "a closed output and no end" 1 "closed its output, but did not end" 'cat want; exec >&-; sleep 600' "stall_timeout: 1s"
fails "a closed output and status 1" 1 "failed with status 1" 'cat want; exec >&-; exit 1'
fails "no byte for long" 1 "wrote nothing for 1.0 s" 'head -c 3M want; sleep 600' "stall_timeout: 1s"
fails "an output without end" 1 "did not end within 1.0 s" 'yes' "timeout: 1s"
fails "a process that outlives it" 1 "still holds its output" '(sleep 600; cat want) & cat want'
fails "nothing at all" 1 "wrote nothing: an empty output is no backup" 'exit 0'
fails "less than the floor" 1 "wrote only 5 B" 'printf 12345' "min_size: 1K"
config "command: [no-such-program]"
check_fails 4 "a program that is not there" backupd backup
contains "the cure is named" "$(<.check)" "install it, or give its whole path"
config "command: no-such-program -Fc shop"
check_fails 2 "a line for a shell" backupd backup
contains "a list is asked for" "$(<.check)" "[pg_dump, -Fc, shop]"
config "command: [true]" "timout: 3s"
check_fails 2 "a mistyped option" backupd backup
contains "is recognised" "$(<.check)" "timeout"
config "command: [$TMP/bin/dump, 1]" "name: shop.dump"
check "after all that the next run is good" backupd backup
check "and gives it back" bash -c "'$RESTORE' --config c.yaml cat latest shop.dump | cmp - want"
config "command: [true]" "min_size: 0"
check "an empty output that was allowed" backupd backup
check "comes back empty" bash -c "'$RESTORE' --config c.yaml cat latest true | cmp - /dev/null"

# ---- killed from outside, at any time
cat >bin/slow <<'END'
#!/bin/bash
echo $$ >pid
for ((i = 0; i < 600; i++)); do head -c 100000 ../want; sleep 0.05; done
END
chmod +x bin/slow
config "command: [$TMP/bin/slow]" "dir: work"
# night COMMAND: starts a backup, runs the command when the producer is under way, and sets `status`
night() {
    rm -f work/pid
    spawn log "$BACKUPD" --config c.yaml backup
    wait_for 20 test -s work/pid
    producer=$(<work/pid)
    sleep 0.2
    "$@"
    status=0
    wait "$SPAWNED" || status=$?
}
count=$(published)
kill_producer() { kill "-$1" "$producer"; }
for signal in KILL TERM; do
    night kill_producer "$signal"
    same "SIG$signal from outside fails the run" 1 "$status"
    contains "SIG$signal is named" "$(<log)" "(SIG$signal)"
done
interrupt() { kill -INT "$SPAWNED"; }
night interrupt
same "an interrupt ends the run with 130" 130 "$status"
check "and the producer" dies "$producer"
murder() { kill -KILL "$SPAWNED"; }
night murder
same "SIGKILL of backupd ends it" 137 "$status"
check "and the producer" dies "$producer"
same "none of them published anything" "$count" "$(published)"
config "command: [$TMP/bin/dump, 2]" "name: shop.dump"
check "the next run is good" backupd backup
check "and gives it back" bash -c "'$RESTORE' --config c.yaml cat latest shop.dump | cmp - want2"

# ---- arguments: no shell, and nothing raw on the terminal
cat >bin/args <<'END'
#!/usr/bin/env python3
import os, sys
sys.stdout.buffer.write(b"\0".join(os.fsencode(a) for a in sys.argv[1:]))
END
chmod +x bin/args
# shellcheck disable=SC2016 # nothing here is for this shell
config "command: [$TMP/bin/args, '\$(touch $TMP/pwned)', '\`touch $TMP/pwned\`', '; touch $TMP/pwned', '*', ''," \
    "    'it''s', \"a \\\"b\\\"\", \"two\\nlines\", 'tab	in', 'ünï', '|', '>$TMP/pwned', '-n', '\$HOME']"
check "hostile arguments" backupd backup
python3 - "$TMP" >want3 <<'END'
import sys
t = sys.argv[1]
a = [f"$(touch {t}/pwned)", f"`touch {t}/pwned`", f"; touch {t}/pwned", "*", "", "it's", 'a "b"', "two\nlines",
     "tab\tin", "ünï", "|", f">{t}/pwned", "-n", "$HOME"]
sys.stdout.buffer.write(b"\0".join(x.encode() for x in a))
END
check "arrive as they are" bash -c "'$RESTORE' --config c.yaml cat latest args | cmp - want3"
check "no shell saw them" not test -e pwned
contains "and are shown printable" "$(restore show latest)" '"two\x0alines"'
config "command: [$TMP/bin/args, \"$(printf '\xff')\"]"
check_fails 2 "bytes that are not UTF-8 stay out of the configuration" backupd check config
# shellcheck disable=SC2016 # nothing here is for this shell
config "command: [$TMP/bin/args, x]" 'name: "$(touch pwned) it''s"'
check "a hostile name" backupd backup
check_fails 4 "in a hint" restore database latest --to db
contains "is one word of a shell" "$(<.check)" "'\$(touch pwned) its' > FILE"

printf '#!/bin/bash\nprintf "\\033[2Jowned\\r\\377\\n" >&2\nprintf "\\033[31mout"\nexit 1\n' >bin/bad
config "command: [$TMP/bin/bad, \"\\e[2J\"]"
status=0
backupd -vv backup >out 2>&1 || status=$?
same "escape sequences on stderr" 1 "$status"
same "are not passed on" 0 "$(grep -c $'[\033\r]' out || true)"
contains "but shown" "$(<out)" '\x1b[2Jowned\x0d\xff'

# ---- secrets
printf '#!/bin/bash\nenv -0 | sort -z\n' >bin/environment
chmod +x bin/environment
config "command: [$TMP/bin/environment]" "env: [MARK=a b, TZ=Mars]" "name: env"
check "a run among secrets" env -i PATH=/usr/bin:/bin HOME=/tmp USER=me LANG=C.UTF-8 PGPASSWORD=geheim \
    CREDENTIALS_DIRECTORY=/run/x SSH_AUTH_SOCK=/run/y LD_LIBRARY_PATH=/x LC_ALL=C "$BACKUPD" --config c.yaml backup
restore cat latest env 2>/dev/null >env.out
same "only the listed variables get through" "BACKUPD_CHILD HOME LANG MARK PATH PWD SHLVL TZ USER _ " \
    "$(tr '\0' '\n' <env.out | sed -n 's/^\([A-Z_]*\)=.*/\1/p' | LC_ALL=C sort | tr '\n' ' ')"
contains "those of the job among them" "$(tr '\0' '\n' <env.out)" "MARK=a b"
config "command: [$TMP/bin/bad, --password=geheim]"
printf '#!/bin/bash\necho "cannot log in with password=geheim" >&2\nexit 1\n' >bin/bad
check_fails 4 "a password on the command line" backupd backup
contains "is refused" "$(<.check)" "argument 1 of $TMP/bin/bad in \`command\` seems to hold a password"
contains "with the way out" "$(<.check)" "put it into a file that the program reads"
same "and not repeated" 0 "$(grep -c geheim .check || true)"
for arguments in "mysqldump, -pgeheim" "mysqldump, --password, geheim" "redis-cli, -a, geheim"; do
    config "command: [$arguments]" "name: x"
    check_fails 4 "[$arguments] is refused" backupd backup
    contains "[$arguments]: for that reason" "$(<.check)" "seems to hold a password"
done
config "command: [$TMP/bin/bad]" "env: [REDISCLI_AUTH=geheim]"
check_fails 4 "a password in env is refused" backupd backup
contains "for that reason, too" "$(<.check)" "item 1 of \`env\` seems to hold a password"
config "command: [$TMP/bin/bad, --password=geheim]" "allow_visible_secrets: yes"
check_fails 1 "allowed all the same" backupd backup
contains "the program runs" "$(<.check)" "cannot log in with password=***"
same "what it is, is not repeated" 0 "$(grep -c geheim .check || true)"
printf '#!/bin/bash\necho data\n' >bin/bad
check "not in the snapshot either" backupd backup
contains "what ran is stored without it" "$(restore show latest)" '--password=***'

# ---- pipelines: a list of lists, every status counts
config "command: [[$TMP/bin/dump, 1], [gzip, -1], [cat]]" "name: shop.dump.gz"
check "a pipeline" backupd backup
check "comes back whole" bash -c "'$RESTORE' --config c.yaml cat latest shop.dump.gz | gunzip | cmp - want"
contains "the snapshot says what ran" "$(restore show latest)" "[\"$TMP/bin/dump\", \"1\"] | [\"gzip\", \"-1\"] | [\"cat\"]"
count=$(published)
printf '#!/bin/bash\ncat want; echo no more >&2; exit 3\n' >bin/bad
config "command:" "  - [$TMP/bin/bad]" "  - [gzip]" "name: x.gz"
check_fails 1 "its first stage fails" backupd backup
contains "it is named" "$(<.check)" "stage 1 of 2: $TMP/bin/bad failed with status 3: no more"
config "command: [[cat, $TMP/want], [head, -c, 3M]]" "name: x"
check_fails 1 "a stage that does not read to the end" backupd backup
contains "SIGPIPE is a failure" "$(<.check)" "ended by signal 13 (SIGPIPE)"
config "command: [[cat, $TMP/want], [no-such-program]]"
check_fails 4 "a stage that is not there" backupd backup
contains "is named" "$(<.check)" "no-such-program"
config "command: [[cat, $TMP/want], x]"
check_fails 2 "lists and words mixed" backupd backup
contains "are explained" "$(<.check)" "every item has to be a list"
config "command: [[cat], []]"
check_fails 2 "an empty stage" backupd backup
config "command: [cat]" "env: [[A=b], [C=d]]"
check_fails 2 "no other option takes a list of lists" backupd backup
same "none of them published anything" "$count" "$(published)"

# ---- marks and max_shrink
config "command: [$TMP/bin/dump, 1]" "name: d" "end_mark: \"paid\""
check "an output that ends as it should" backupd backup
config "command: [head, -c, 3M, $TMP/want]" "name: d" "end_mark: \"paid\""
check_fails 1 "one that does not" backupd backup
contains "says how it ends" "$(<.check)" "and not with \"paid\" (\`end_mark\`)"
config "command: [head, -c, 30M, $TMP/want]" "name: d" "max_shrink: 30%"
check_fails 1 "an output that shrank by too much" backupd backup
contains "both sizes are told" "$(<.check)" "\`max_shrink\` is 30%"
config "command: [head, -c, 39M, $TMP/want]" "name: d" "max_shrink: 30%"
check "one that shrank by less" backupd backup
config "command: [head, -c, 30M, $TMP/want]" "name: d" "max_shrink: 30%"
check "is what the next one is compared with" backupd backup
rm state/main/*/last-run
config "command: [head, -c, 1M, $TMP/want]" "name: d" "max_shrink: 30%"
check "with the state lost there is nothing to compare with" backupd backup
contains "and it is said" "$(<.check)" "is not checked this time"
same "once" 1 "$(grep -c 'is not checked this time' .check)"
config "command: [head, -c, 100K, $TMP/want]" "name: d" "max_shrink: 30%"
check_fails 1 "and next time it is compared again" backupd backup
finish
