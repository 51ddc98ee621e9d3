#!/bin/bash
# Two accounts of one machine that must not see each other's secrets: the one that backs up, and the one that expires, watches and
# tries restores. The second serves a configuration without jobs and without a writer's key, also by the daemon; the kit is
# nothing to the first. The storage is an sshd with a key for each role. Root takes two uids that nobody has; where
# there is no root, and no second uid to be had, only what one uid shows is tried, and it says so.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

sshd=$REPO_ROOT/tests/fixture/sshd.sh
"$sshd" start sshd >/dev/null
at_end "$sshd" stop "$TMP/sshd"
mkdir bin writer other
cp "$BACKUPD" "$RESTORE" bin/
chmod 711 . && chmod 755 bin bin/* && chmod 711 sshd
if [[ $EUID -eq 0 ]]; then
    many=yes
    # Numbers of these runs alone, far from those of accounts.
    WRITER=$((2000000000 + $$ * 2)) OTHER=$((2000000001 + $$ * 2))
    uid() { printf '%s\n' setpriv --reuid "$1" --regid "$1" --clear-groups env -i PATH="$PATH" HOME=/nonexistent LC_ALL=C.UTF-8 TZ=UTC; }
    mapfile -t as_writer < <(uid "$WRITER")
    mapfile -t as_other < <(uid "$OTHER")
else
    many=
    WRITER=$EUID OTHER=$EUID
    as_writer=(env) as_other=(env)
    printf '# one uid: what the two may not see of each other is left out\n'
fi
writer() { "${as_writer[@]}" "$@"; }
other() { "${as_other[@]}" "$@"; }

# config DIR ROLE JOBS...
config() {
    local dir=$1 role=$2
    shift 2
    install -m 600 "sshd/${role}_key" "$dir/ssh"
    {
        printf 'state: %s/%s/state\nrepositories:\n  shop:\n' "$TMP" "$dir"
        printf '    storage: { type: sftp, host: 127.0.0.1, port: %s, user: %s, path: %s, key: %s/%s/ssh, host_key: "%s" }\n' \
            "$(<sshd/port)" "$(<sshd/user)" "$(<sshd/path)" "$TMP" "$dir" "$(<sshd/host_key.pub)"
        printf '    keys: %s/%s/keys\n' "$TMP" "$dir"
        printf '%s\n' "$@"
    } >"$dir/backupd.yaml"
}
far="0 $(((10#$(date -u +%H) + 12) % 24)) * * *"
sqlite3 writer/shop.db 'CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)'
config writer writer 'jobs:' "  shop-db: { engine: sqlite, path: $TMP/writer/shop.db }"
cp sshd/admin_key writer/admin
chmod 600 writer/admin
chmod 700 writer other
chown -R "$WRITER:$WRITER" writer
chown -R "$OTHER:$OTHER" other
B_WRITER=("$TMP/bin/backupd" --config "$TMP/writer/backupd.yaml")
check "the first account makes the repository" writer "${B_WRITER[@]}" --quiet init --safe "$TMP/writer/safe" --kit-unconfirmed \
    --no-kit-passphrase --setup-user "$(<sshd/user)" --setup-key "$TMP/writer/admin"
for _ in 1 2; do check "and backs up" writer "${B_WRITER[@]}" --quiet backup; done

# What does not belong to the writer leaves it, as in docs/operations.md.
config other retention 'keep: { last: 1 }' 'daemon: { time_zone: UTC }' 'tasks:' "  old: { do: expire, schedule: '$far', catch_up_within: 2d }"
sed -i '/^keep:/d; s|^    keys: .*|&\n    keep: { last: 1, min: 1 }|' other/backupd.yaml
mkdir -m 700 other/keys other/drill
mv writer/safe/retention.key other/keys/
mv writer/safe/restore-kit.key other/drill/
cp writer/keys/root.pub other/keys/
rm -rf writer/safe writer/admin
chown -R "$OTHER:$OTHER" other
B_OTHER=("$TMP/bin/backupd" --config "$TMP/other/backupd.yaml")
R_OTHER=("$TMP/bin/restore" --config "$TMP/other/backupd.yaml")

# ---- the second account has no writer's key and needs none
same "no writer's key is here" 0 "$(find other -name 'writer-*' | wc -l)"
check "expire" other "${B_OTHER[@]}" expire
check "watch" other "${R_OTHER[@]}" watch
check "every byte opens with the kit" other "${R_OTHER[@]}" --kit "$TMP/other/drill/restore-kit.key" verify --read-data
check "a restore" other "${R_OTHER[@]}" --kit "$TMP/other/drill/restore-kit.key" database latest --to "$TMP/other/back.db"
same "has the rows" 3 "$(sqlite3 -readonly other/back.db 'SELECT count(*) FROM t')"
check "its configuration is one for the daemon" other "${B_OTHER[@]}" check config
daemon_start() {
    spawn daemon.log "${as_other[@]}" "${B_OTHER[@]}" daemon
    DAEMON=$SPAWNED
    wait_for 30 grep -q 'runs: ' daemon.log
}
daemon_stop() {
    kill -TERM "$DAEMON"
    wait_gone "$DAEMON" 30
}
daemon_start
daemon_stop
sqlite3 other/state/history.db "INSERT OR REPLACE INTO job SELECT 'old', strftime('%s','now') - 86400, 0, 0, 0, 0, 0, 1, 0, 0, 0"
daemon_start
ran() { [[ $(sqlite3 -readonly other/state/history.db "SELECT verdict FROM run WHERE job = 'old' ORDER BY id DESC LIMIT 1") == 1 ]]; }
check "the daemon runs its task" wait_for 60 ran
daemon_stop
check_fails 2 "there is nothing that it could back up" other "${B_OTHER[@]}" backup shop-db

# ---- neither reads the other
if [[ -n $many ]]; then
    for path in other/drill/restore-kit.key other/keys/retention.key other/ssh other/backupd.yaml other/state/history.db; do
        check "the writer cannot read $path" not writer cat "$TMP/$path"
    done
    check "nor list where it is" not writer ls "$TMP/other/drill"
    check "nor name the kit to restore" not writer "$TMP/bin/restore" --config "$TMP/writer/backupd.yaml" \
        --kit "$TMP/other/drill/restore-kit.key" verify
    contains "which says why" "$(<.check)" "ermission denied"
    # Also where the directories are open: the file itself is its owner's alone.
    chmod 711 other other/drill
    check "nor where its directory is open" not writer cat "$TMP/other/drill/restore-kit.key"
    chmod 644 other/drill/restore-kit.key
    check "a kit that others can read is refused" not other "${R_OTHER[@]}" --kit "$TMP/other/drill/restore-kit.key" verify
    chmod 400 other/drill/restore-kit.key
    chmod 700 other other/drill
    for path in writer/keys writer/ssh writer/shop.db; do
        check "nor does the second read $path" not other ls "$TMP/$path/."
        check "nor copies it" not other cat "$TMP/$path"
    done
fi
finish
