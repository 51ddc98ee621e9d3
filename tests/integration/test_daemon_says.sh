#!/bin/bash
# What a run of the daemon says on its way is not lost: it is in the daemon's log, and an alarm is in the history of a run that failed.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store
sqlite3 a.db 'CREATE TABLE t(a)'
sqlite3 b.db 'CREATE TABLE t(a)'
cat >c.yaml <<END
state: $TMP/state
repositories:
  main: { storage: { type: local, path: $TMP/store }, keys: $TMP/keys }
daemon: { time_zone: UTC }
jobs:
  hooked: { engine: sqlite, path: $TMP/a.db, after: [/bin/sh, -c, 'echo the mount stays >&2; exit 7'] }
  plain: { engine: sqlite, path: $TMP/b.db }
  unwatched: { engine: sqlite, path: $TMP/b.db, anomalies: { ignore: packs } }
END
backupd() { "$BACKUPD" --config c.yaml "$@"; }
backupd --quiet init --safe safe --no-kit-passphrase --kit-unconfirmed >/dev/null
spawn daemon.log "$BACKUPD" --config c.yaml daemon
wait_for 30 grep -q 'runs: ' daemon.log
check_fails 3 "a run whose \`after\` fails" backupd start hooked --wait
contains "the log has what it said" "$(<daemon.log)" "the mount stays"

# ---- an alarm: what the runs before found is damaged
baseline=$(find state -name baseline.db)
printf 'no database at all, but long enough to be looked at as one, with more bytes than its header has: %0200d' 0 >"$baseline"
rm -f "$baseline-wal" "$baseline-shm"
check_fails 3 "the next one" backupd start hooked --wait
contains "has its alarm in the log" "$(<daemon.log)" "hooked: alarm: "
said=$(sed -n 's/.*hooked: alarm: //p' daemon.log | head -n 1 | cut -c 1-40)
contains "and in the history" "$(backupd show 2 --json)" "$said"

# ---- a pack that is lost: an anomaly, or else a warning, but not both
# pack_lost JOB: its packs are gone when it runs again; what the history says of that run is in `shown`
pack_lost() {
    local job=$1 writer
    backupd start "$job" --wait >/dev/null
    writer=$(awk -v job="$job" '$1 == job { print $2 }' state/main/jobs)
    find "store/w/$writer/pack" -type f -delete
    backupd start "$job" --wait >/dev/null
    backupd history --json -n 1 "$job" | jq -c 'select(.message_type == "run")' >shown
}
pack_lost plain
contains "the alarm is in the log" "$(<daemon.log)" "plain: alarm: pack "
same "the run is good" "ok" "$(jq -r '.verdict' shown)"
same "and unusual" "packs" "$(jq -r '.anomalies[].kind' shown)"
pack_lost unwatched
same "where nobody looks for it, it is a warning" "warning" "$(jq -r '.verdict' shown)"
contains "with the words of the alarm" "$(jq -r '.text' shown)" "is missing on the storage"
finish
