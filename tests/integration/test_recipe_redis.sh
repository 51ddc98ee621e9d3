#!/bin/bash
# The recipes for Redis of docs/recipes.md: there and back, with and without a password, and a server that dies.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

FIXTURE=$REPO_ROOT/tests/fixture/redis.sh
at_end "$FIXTURE" stop "$TMP/back"
at_end "$FIXTURE" stop "$TMP/db"
"$FIXTURE" start "$TMP/db"
SOCKET=$(readlink -f db/socket)/s
mkdir store
# config COMMAND [JOB-LINES...]
config() {
    cat >c.yaml <<YAML
state: $TMP/state
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keys: $TMP/keys
    kit: $TMP/safe/restore-kit.key
jobs:
  redis:
    engine: command
    name: dump.rdb
    begin_mark: REDIS
    max_shrink: 50%
    command:
YAML
    printf '%s\n' "$@" >>c.yaml
}
backupd() { "$BACKUPD" --config c.yaml "$@"; }
restore() { "$RESTORE" --config c.yaml "$@"; }
published() { find store/w/*/log -type f | wc -l; }

# ---- keys of every type, with bytes of every kind, in two databases
python3 - >fill <<'PY'
import sys
def cmd(*args):
    out = b"*%d\r\n" % len(args)
    for a in args:
        a = a if isinstance(a, bytes) else str(a).encode()
        out += b"$%d\r\n%s\r\n" % (len(a), a)
    sys.stdout.buffer.write(out)
for i in range(5000):
    cmd("SET", f"session:{i}", f"value {i} " * (i % 50))
    cmd("HSET", f"user:{i}", "name", f"n{i}", "mail", f"m{i}@example.net", "visits", i)
for i in range(300):
    cmd("RPUSH", f"list:{i}", *range(i + 1))
    cmd("SADD", f"set:{i}", *[f"m{j}" for j in range(i + 1)])
    cmd("ZADD", f"zset:{i}", *[x for j in range(i + 1) for x in (j * 0.5, f"z{j}")])
    cmd("XADD", f"stream:{i}", "1-1", "field", f"v{i}")
cmd("SET", bytes(range(256)), bytes(range(255, -1, -1)))
cmd("SET", b"", b"")
cmd("SET", "big", b"x" * 3000000)
cmd("SET", "goes", "away", "EXAT", 4102444800)
cmd("PFADD", "hll", *range(1000))
cmd("SETBIT", "bits", 100000, 1)
cmd("SELECT", 5)
cmd("SET", "other database", "5")
PY
redis-cli -s "$SOCKET" --pipe <fill >fill.log
# Of the server itself: an order-independent digest over keys, values and whether they expire; and all keys.
state_of() { # SOCKET
    redis-cli -s "$1" DEBUG DIGEST
    redis-cli -s "$1" EXPIRETIME goes
    for n in 0 5; do
        printf '%s\n' "$(redis-cli -s "$1" -n $n --scan | sort | sha256sum) $(redis-cli -s "$1" -n $n DBSIZE)"
    done
}
state_of "$SOCKET" >want
check "there are keys" grep -qx '.* 11206' want

# ---- by the rights on the socket
config "      [redis-cli, -s, $SOCKET, --rdb, '-']"
backupd init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null
check "nothing is wrong with the recipe" backupd check database
check "a backup" backupd backup
check "the stream as a file" bash -c "'$RESTORE' --config c.yaml cat latest dump.rdb >dump.rdb"
check "redis-check-rdb reads it" redis-check-rdb dump.rdb
check "a server starts with it" "$FIXTURE" start "$TMP/back" --load "$TMP/dump.rdb"
state_of "$(readlink -f back/socket)/s" >got
check "every key is there" diff want got
"$FIXTURE" stop "$TMP/back"

# ---- with a password, from a file: never an argument, never the environment
redis-cli -s "$SOCKET" ACL SETUSER backup on '>geheim-wort' +psync +sync +replconf +ping resetchannels >/dev/null
redis-cli -s "$SOCKET" ACL SETUSER default resetpass >/dev/null
count=$(published)
check_fails 1 "without it" backupd backup
contains "the server refuses" "$(<.check)" "NOAUTH Authentication required"
same "and nothing is published" "$count" "$(published)"
printf 'geheim-wort\n' >pass
chmod 0600 pass
config "      - [cat, $TMP/pass]" "      - [redis-cli, -s, $SOCKET, --user, backup, --askpass, --rdb, '-']"
scan() {
    while :; do
        grep -la geheim-wort /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null >>seen || true
        grep -la askpass /proc/[0-9]*/cmdline 2>/dev/null >>control || true
    done
}
spawn scan.log scan
scanning=$SPAWNED
check "with it" backupd backup
# A run is short, and each look at a busy machine's processes takes its time: again, until it was seen.
for ((i = 0; i < 30; i++)); do
    [[ ! -s control ]] || break
    backupd backup >/dev/null
done
stop "$scanning"
check "the look at all command lines saw redis-cli" test -s control
same "and no password" "" "$(<seen)"
check "the same comes back" bash -c "'$RESTORE' --config c.yaml cat latest dump.rdb >dump2.rdb && redis-check-rdb dump2.rdb"
count=$(published)
printf 'wrong\n' >pass
check_fails 1 "with a wrong one" backupd backup
contains "the server's words are told" "$(<.check)" "AUTH failed: WRONGPASS"
printf 'geheim-wort\n' >pass

# ---- a server that dies in the middle
python3 - >fill2 <<'PY'
import os, sys
for i in range(60):
    v = os.urandom(1000000)
    sys.stdout.buffer.write(b"*3\r\n$3\r\nSET\r\n$%d\r\nr%d\r\n$%d\r\n%s\r\n" % (len(str(i)) + 1, i, len(v), v))
PY
"$FIXTURE" stop "$TMP/db"
"$FIXTURE" start "$TMP/db" --set client-output-buffer-limit="replica 0 0 0"
SOCKET=$(readlink -f db/socket)/s
redis-cli -s "$SOCKET" --pipe <fill2 >fill.log
mkdir bin
cat >bin/midway <<'SH'
#!/bin/bash
head -c 20000000
kill -KILL "$(<"${0%/bin/*}/db/pid")"
cat
SH
chmod +x bin/midway
config "      - [redis-cli, -s, $SOCKET, --rdb, '-']" "      - [$TMP/bin/midway]"
check_fails 1 "a server killed in the middle" backupd backup
contains "redis-cli says so" "$(<.check)" "stage 1 of 2: redis-cli"
same "none of them published anything" "$count" "$(published)"
finish
