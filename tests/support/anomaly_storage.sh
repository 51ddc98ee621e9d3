# shellcheck shell=bash disable=SC2317,SC2154 # functions are called through check; $nights is the proof's
# The second half of tests/proof/anomaly-kinds, with its functions: what the storage answers, how long a run takes, who asks the
# daemon, and what is sent.
#
#     storage_kinds          slow, space, host_key, packs
#     socket_and_notices     refused logins; what a webhook receives

pg_restore_good() {
    pg postgres -c 'DROP DATABASE IF EXISTS back' -c 'CREATE DATABASE back TEMPLATE template0' &&
        "$RESTORE" --config "$CONFIG" --quiet database "pg/$nights" --to "host=$PGSOCK user=postgres dbname=back" &&
        [[ $(pg back -c 'SELECT count(*) > 0 FROM customers') == t ]]
}

# ---- a storage of its own: an SFTP account on a file system of 96 MiB, behind a proxy --------------------------------------
far() { "$BACKUPD" --config "$FAR/backupd.yaml" --quiet --json "$@"; }
far_backup() {
    far backup --no-scrub >"$TMP/run.json" 2>"$TMP/run.log" || return
    jq -c 'select(.message_type == "summary")' "$TMP/run.json" | tail -1 >"$TMP/summary.json"
}
far_config() { # SETTINGS
    mkdir -p "$FAR"
    cat >"$FAR/backupd.yaml" <<CONF
state: $FAR/state
anomalies: { min_age: 0s, $1 }
repositories:
  far:
    storage: { type: sftp, host: 127.0.0.1, port: $(<"$TMP/proxy.port"), user: $(<"$SSHD/user"), path: $(<"$SSHD/path"), key: $SSHD/writer_key, host_key: "$(<"$FAR/pin")" }
    keys: $FAR/keys
    kit: $FAR/safe/restore-kit.key
jobs:
  far: { engine: sqlite, path: $FAR/far.db, retries: 0 }
CONF
}
far_night() { sqlite3 "$FAR/far.db" "INSERT INTO t SELECT NULL, 'one more ' || id * 7919 FROM t WHERE id % 50 = $1"; }
proxy() { # OPTION...: the way to the storage, always at the same port
    [[ -z ${PROXY:-} ]] || stop "$PROXY"
    spawn "$TMP/proxy.log" "$TOOLS/netproxy" "$(cat "$TMP/proxy.port" 2>/dev/null || echo 0)" "$(<"$SSHD/port")" "$@"
    PROXY=$SPAWNED
    wait_for 30 test -s "$TMP/proxy.log"
    [[ -s $TMP/proxy.port ]] || head -1 "$TMP/proxy.log" | tr -dc '0-9\n' >"$TMP/proxy.port"
    wait_port "$(<"$TMP/proxy.port")" 30
}
far_start() {
    local i
    FAR=$TMP/far
    SSHD=$TMP/sshd
    mkdir -p "$FAR"
    "$REPO_ROOT/tests/fixture/sshd.sh" start "$SSHD" >/dev/null
    at_end "$REPO_ROOT/tests/fixture/sshd.sh" stop "$SSHD"
    DISK=$(<"$SSHD/path")
    mount -t tmpfs -o "size=96m,mode=0755,uid=$(id -u "$(<"$SSHD/user")")" tmpfs "$DISK"
    at_end umount -l "$DISK"
    cp "$SSHD/host_key.pub" "$FAR/pin"
    proxy
    far_config 'slower_than: 110'
    sqlite3 "$FAR/far.db" "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000) INSERT INTO t SELECT i, 'two chairs for door ' || i * 31 % 5000 FROM n"
    far init --safe "$FAR/safe" --kit-unconfirmed --no-kit-passphrase --setup-user "$(<"$SSHD/user")" --setup-key "$SSHD/admin_key" >/dev/null
    for i in 1 2 3 4 5 6 7 8 9; do
        far_night "$i"
        far_backup || fail "a night over SFTP" "$(tail -2 "$TMP/run.log")"
    done
    same "nine nights over SFTP, none unusual" "" "$(kinds)"
}
far_tries() { # NAME KINDS
    far_night "$((RANDOM % 50))"
    far_backup || fail "$1" "$(tail -2 "$TMP/run.log")"
    same "$1" "$2" "$(kinds)"
    show
    check "    each says what was seen, what is usual, what to look at" texts_are_there
    same "    the snapshot itself is not suspicious" false "$(jq .suspicious "$TMP/summary.json")"
}

# How long a run has to take to be slow, by what runs took so far: seconds.
slow_enough() { # BASELINE JOB
    sqlite3 -readonly "$1" "SELECT duration_ms / 1000.0 FROM run WHERE job = '$2'" | /usr/bin/python3 -c '
import math, statistics, sys
took = [math.log(float(line) + 60) for line in sys.stdin]
middle = statistics.median(took)
spread = 6 * (1 + 7 / len(took)) * 1.4826 * statistics.median(abs(t - middle) for t in took)
print(math.ceil(math.exp(middle + max(math.log(1.1), spread)) - 60) + 5)'
}

slow_kinds() {
    local seconds holder
    printf '\nSlow\n'
    seconds=$(slow_enough "$FAR/state/baseline.db" far)
    # A run asks the storage some 30 times, one after the other.
    proxy --delay "$((seconds * 1000 / 40))"
    far_tries "the way to the storage became slow" slow
    proxy
    far_tries "and is fast again" ""

    again pg
    sed -i -e 's/^anomalies: .*/anomalies: { min_age: 0s, ignore: [space], slower_than: 110 }/' -e 's/database: shop }/database: shop, lock_timeout: 20m }/' "$CONFIG"
    seconds=$(slow_enough "$HOST/state/baseline.db" pg)
    spawn "$TMP/holder.log" "$PG_BIN/psql" -X -q -h "$PGSOCK" -U postgres -d shop -c 'BEGIN' -c 'LOCK TABLE orders IN ACCESS EXCLUSIVE MODE' -c "SELECT pg_sleep($seconds)" -c COMMIT
    holder=$SPAWNED
    check "somebody locks a table for $seconds seconds" wait_for 60 test -n "$(pg shop -c "SELECT 1 FROM pg_locks WHERE relation = 'orders'::regclass AND mode = 'AccessExclusiveLock'")"
    backup pg || fail "pg behind a lock" "$(tail -2 "$TMP/run.log")"
    wait_gone "$holder" 60
    same "pg: a run that had to wait for a lock" slow "$(kinds)"
    show
}

space_kinds() {
    local i free total
    printf '\nThe storage: its space\n'
    dd if=/dev/zero of="$DISK/somebody-elses-file" bs=1M count=30 status=none
    far_tries "somebody else has filled a third of it" space
    rm "$DISK/somebody-elses-file"
    far_tries "which is away again" ""
    read -r total free < <(df -k --output=size,avail "$DISK" | tail -1)
    dd if=/dev/zero of="$DISK/somebody-elses-file" bs=1k count=$((free - total * 3 / 100)) status=none
    far_tries "it is nearly full" space
    rm "$DISK/somebody-elses-file"
    far_tries "and has room again" ""

    # Each day something takes four of 64 MiB; the days are those of a false clock, what the file system answers is true.
    mkdir "$TMP/small"
    mount -t tmpfs -o size=64m tmpfs "$TMP/small"
    at_end umount -l "$TMP/small"
    sed -e "s|storage: {.*|storage: { type: local, path: $TMP/small/repo }|" -e "s|$FAR/state|$TMP/small-state|; s|$FAR/keys|$TMP/small-keys|; s|$FAR/safe|$TMP/small-safe|" \
        "$FAR/backupd.yaml" >"$TMP/small.yaml"
    mkdir "$TMP/small/repo"
    on_day() { # DAY COMMAND...
        local day=$1
        shift
        DONT_FAKE_MONOTONIC=1 faketime "$(date -d "2026-01-05 + $day days" '+%F 02:30:00')" "$BACKUPD" --config "$TMP/small.yaml" --quiet --json "$@"
    }
    on_day 0 init --safe "$TMP/small-safe" --kit-unconfirmed --no-kit-passphrase >/dev/null
    for i in 1 2 3 4 5 6 7 8 9 10; do
        dd if=/dev/zero of="$TMP/small/log.$i" bs=1M count=4 status=none
        on_day "$i" backup --no-scrub >"$TMP/run.json" 2>"$TMP/run.log" || fail "day $i" "$(tail -2 "$TMP/run.log")"
        jq -c 'select(.message_type == "summary")' "$TMP/run.json" | tail -1 >"$TMP/summary.json"
        [[ $i -gt 8 ]] || same "day $i: more than a week is left" "" "$(kinds)"
    done
    same "day 10: it will be full within a week" space "$(kinds)"
    show
}

host_key_kinds() {
    local status=0
    printf '\nThe storage: its host key\n'
    "$REPO_ROOT/tests/fixture/sshd.sh" halt "$SSHD"
    rm -f "$SSHD"/server/host_ed25519*
    "$REPO_ROOT/tests/fixture/sshd.sh" start "$SSHD" --port "$(<"$SSHD/port")" >/dev/null
    far_backup || status=$?
    same "a server with another key: nothing is sent, the run fails" 9 "$status"
    jq -r 'select(.message_type == "unusual") | .anomalies[] | "    \(.severity): \(.kind): \(.what)\n        seen: \(.seen)\n        usual: \(.usual)\n        look at: \(.look_at)"' "$TMP/run.json"
    same "    and says what was seen" "host_key $(ssh-keygen -lf "$SSHD/host_key.pub" | cut -d' ' -f2)" \
        "$(jq -r 'select(.message_type == "unusual") | .anomalies[] | "\(.kind) \(.seen)"' "$TMP/run.json")"
    contains "    and what is usual" "$(jq -r 'select(.message_type == "unusual") | .anomalies[].usual' "$TMP/run.json")" \
        "$(ssh-keygen -lf "$FAR/pin" | cut -d' ' -f2), as at the last run"
    contains "    as an alarm of the log, too" "$(<"$TMP/run.log")" "ALARM: far: the storage shows a host key"
}

pack_kinds() {
    printf '\nThe storage: its packs\n'
    cp "$SSHD/host_key.pub" "$FAR/pin"
    far_config 'slower_than: 110'
    far_tries "somebody has changed the expected key on this host" host_key
    rm -f "$(find "$DISK" -path '*/pack/*' -type f | sort | head -1)"
    far_tries "a pack is gone" packs
    far_tries "which is told once" ""
}

storage_kinds() {
    far_start
    slow_kinds
    space_kinds
    host_key_kinds
}

# ---- the daemon ---------------------------------------------------------------------------------------------------------------
daemon_log_has() { grep -q "$1" "$TMP/daemon.log"; }
sent() { jq -r "$2" "$1"; }
# newest_of NAME EVENT: the last request of that event
newest_of() {
    local file
    for file in $(find "$1" -type f -name '*.json' | sort -r); do
        [[ $(seen json "$file" event) != "$2" ]] || { printf '%s\n' "$file" && return; }
    done
}
has_event() { [[ -n $(newest_of "$1" "$2") ]]; }

socket_and_notices() {
    local asked file far_hour=$(((10#$(date -u +%H) + 12) % 24)) daemon
    printf '\nOver the daemon: what a webhook receives\n'
    receiver web http
    receiver only http
    again pg
    chmod 0711 "$TMP"
    {
        printf "  far: { engine: sqlite, repository: far, path: %s/far.db, schedule: '0 %s * * *', retries: 0 }\n" "$FAR" "$far_hour"
        printf 'daemon: { time_zone: UTC, stop_timeout: 5s, socket: %s/run/control.sock, read_group: "54321" }\n' "$TMP"
        printf "notify:\n  web: { type: webhook, url: 'http://127.0.0.1:%s/hook' }\n" "$(<web.port)"
        printf "  only: { type: webhook, url: 'http://127.0.0.1:%s/hook', on: anomaly }\n" "$(<only.port)"
    } >>"$CONFIG"
    sed -i "s|^  main:|  far:\n    storage: { type: sftp, host: 127.0.0.1, port: $(<"$TMP/proxy.port"), user: $(<"$SSHD/user"), path: $(<"$SSHD/path"), key: $SSHD/writer_key, host_key: \"$(<"$FAR/pin")\" }\n    keys: $FAR/keys\n&|" "$CONFIG"
    q "DELETE FROM orders WHERE id % 10 <> 0"
    q "ALTER TABLE settings ADD COLUMN remark text"
    spawn "$TMP/daemon.log" "$BACKUPD" --config "$CONFIG" daemon
    daemon=$SPAWNED
    check "the daemon is up" wait_for 60 daemon_log_has 'runs: '
    check "a run of it" "$BACKUPD" --config "$CONFIG" start --wait pg
    check "the webhook is called" wait_for 60 has_event web anomaly
    file=$(newest_of web anomaly)
    same "it says which job, and what" "pg rows alarm" "$(seen json "$file" job) $(seen json "$file" anomalies.0.kind) $(seen json "$file" anomalies.0.severity)"
    contains "what was seen" "$(seen json "$file" anomalies.0.seen)" " rows"
    contains "what is usual" "$(seen json "$file" anomalies.0.usual)" "(median of the last $nights runs)"
    contains "what to look at" "$(seen json "$file" anomalies.0.look_at)" "What deleted or replaced rows since the last run?"
    check "who hears of anomalies only hears it, too" wait_for 60 has_event only anomaly
    seen json "$file" text | sed 's/^/    | /'
    contains "show tells what was only noted, too" "$("$BACKUPD" --config "$CONFIG" show 1)" "1 definition changed"

    check_fails 9 "a server with another host key" "$BACKUPD" --config "$CONFIG" start --wait far
    check "the failure is sent" wait_for 60 has_event web failure
    file=$(newest_of web failure)
    same "with what is unusual about it" "far host_key" "$(seen json "$file" job) $(seen json "$file" anomalies.0.kind)"
    seen json "$file" text | sed 's/^/    | /'
    far_told() { [[ $(seen json "$(newest_of only anomaly)" job) == far ]]; }
    check "who hears of anomalies only hears that as one" wait_for 60 far_told
    contains "status tells it" "$("$BACKUPD" --config "$CONFIG" status far)" "host key"

    asked=$(setpriv --reuid 54320 --regid 54320 --clear-groups "$BACKUPD" --config "$CONFIG" status --socket "$TMP/run/control.sock" 2>&1 || true)
    contains "another account asks the daemon, and is refused" "$asked" "may not ask the daemon"
    check "an alarm is sent" wait_for 60 has_event web alarm
    file=$(newest_of web alarm)
    contains "who it was" "$(seen json "$file" what)" "control socket: uid 54320 was refused"
    contains "what is usual" "$(seen json "$file" what)" "usual: 0 refusals, of all accounts"
    contains "what to look at" "$(seen json "$file" what)" "Which program of that account asks?"
    seen json "$file" text | sed 's/^/    | /'
    kill -TERM "$daemon"
    wait_gone "$daemon" 60
    wait "$daemon" 2>/dev/null || true

    pack_kinds
}
