#!/bin/bash
# `backupd check config` and `check storage`, the latter also over SFTP with a write-once account.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# ---- config
cat >good.yaml <<END
repositories:
  main: { storage: { type: local, path: $TMP/store } }
jobs:
  small: { engine: sqlite, path: $TMP/small.db }
END
check "a good configuration" "$BACKUPD" --config good.yaml check config
contains "is counted" "$(cat .check)" "configuration ok: 1 repository, 1 job"
contains "and the way goes on" "$(cat .check)" "next: backupd --config good.yaml check database, then check storage --probe"
cat >bad.yaml <<END
repositories:
  main: { storage: { type: local, path: $TMP/store } }
jobs:
  small: { engine: sqlit, path: $TMP/small.db }
  big: { engine: sqlite, compresion: 3, path: $TMP/big.db }
  late: { engine: sqlite }
END
check_fails 2 "three mistakes" "$BACKUPD" --config bad.yaml check config
same "each has its line and column" 3 "$(grep -cE '^[^ ]*bad\.yaml:[456]:[0-9]+: ' .check)"
contains "their number is told" "$(cat .check)" "3 problems"
contains "a slip is recognised" "$(cat .check)" "compression"
out=$("$BACKUPD" --config bad.yaml --json check config 2>/dev/null || true)
same "as JSON" "finding finding finding error" "$(python3 -c '
import json, sys
print(*[json.loads(line)["message_type"] for line in sys.stdin])' <<<"$out")"
printf 'repositories:\n  main: { storage: { type: local, path: %s/store }, kit: kit }\n' "$TMP" >station.yaml
check "a restore station's configuration" "$BACKUPD" --config station.yaml check config
contains "is counted" "$(<.check)" "configuration ok: 1 repository, 0 jobs"
contains "and known as that" "$(<.check)" "no jobs: this host cannot back up, which is right for a restore station"
check_fails 2 "but nothing can be backed up with it" "$BACKUPD" --config station.yaml backup
contains "which is told" "$(<.check)" "no jobs: say what is backed up"
same "as JSON" "0 0" "$("$BACKUPD" --config station.yaml --json check config | python3 -c '
import json, sys
o = json.load(sys.stdin)
print(o["jobs"], o["problems"])')"
# ---- schedules that never come are mistakes, such as are over are not
# scheduled WHEN: a file with one job
scheduled() {
    cat >when.yaml <<END
repositories:
  main: { storage: { type: local, path: $TMP/store } }
jobs:
  small: { engine: sqlite, path: $TMP/small.db, schedule: "$1" }
END
}
while IFS='|' read -r when why; do
    scheduled "$when"
    check_fails 2 "what never comes: $when" "$BACKUPD" --config when.yaml check config
    cp .check said
    check "is told with its place and the reason" \
        grep -qE "^when\.yaml:4:[0-9]+: jobs\.small: schedule '[^']*': this never comes: $why" said
done <<'END'
0 0 30 2 *|February has no day 30
*-02-30|February has no day 30
04,06~31|none of its months has 31 days
2027-02-29|February has 29 days in none of its years
sat 2026-01-01|no date that it names is on a day of the week that it names
END
for when in 'mon *-02-29' '2150-01-01' '0 0 30 2 mon'; do
    scheduled "$when"
    check "what comes seldom: $when" "$BACKUPD" --config when.yaml check config
    same "is nothing to speak of" 0 "$(grep -c warning .check || true)"
done
scheduled '2020-01-01 02:00'
check "a date that is over" "$BACKUPD" --config when.yaml check config
cp .check said
check "is a warning with its place" grep -qE "^when\.yaml:4:[0-9]+: warning: jobs\.small: schedule '2020-01-01 02:00' does not come again" said
contains "that is counted" "$(<said)" "configuration ok: 1 repository, 1 job; 1 warning"
same "as JSON" "warning when.yaml 4, summary 0 1" "$("$BACKUPD" --config when.yaml --json check config | python3 -c '
import json, sys
w, s = (json.loads(line) for line in sys.stdin)
print(w["message_type"], w["file"], str(w["line"]) + ",", s["message_type"], s["problems"], s["warnings"])')"
cat >circle.yaml <<END
repositories:
  main: { storage: { type: local, path: $TMP/store } }
jobs:
  a: { engine: sqlite, path: $TMP/small.db, schedule: daily, depends_on: b }
  b: { engine: sqlite, path: $TMP/small.db, schedule: daily, depends_on: a }
END
check_fails 2 "jobs that wait for each other" "$BACKUPD" --config circle.yaml check config
contains "are told" "$(<.check)" "job b depends on a, which depends on it"
for verb in "check config" "check database" "check storage" backup list; do
    # shellcheck disable=SC2086 # two words
    check_fails 2 "no configuration at all: $verb" "$BACKUPD" --config none.yaml $verb
done
check_fails 2 "restore agrees" "$RESTORE" --config none.yaml list
check_fails 2 "no configuration at all" "$BACKUPD" --config none.yaml check config
contains "says what makes one" "$(cat .check)" "backupd init"

# ---- local storage
check_fails 10 "storage that is not there" "$BACKUPD" --config good.yaml check storage
contains "the next step is named" "$(<.check)" "next:        backupd --config good.yaml init main"
mkdir store
check_fails 10 "storage without a repository" "$BACKUPD" --config good.yaml check storage
contains "is told as that" "$(<.check)" "repository:  none yet"
contains "the next step is named there, too" "$(<.check)" "init main"
check_fails 10 "a probe of it" "$BACKUPD" --config good.yaml check storage --probe
contains "says what the account may remove" "$(<.check)" "removing:     allowed"
contains "and make" "$(<.check)" "directories:  this account may ask for some"
same "and changes nothing" "" "$(ls -A store)"
"$BACKUPD" --config good.yaml init --kit-unconfirmed --no-kit-passphrase >/dev/null
check "a new repository" "$BACKUPD" --config good.yaml check storage
contains "its writers are spare" "$(cat .check)" "0 in use, 5 spare"
before=$(find store | sort)
check "a probe" "$BACKUPD" --config good.yaml check storage main --probe
contains "local storage is never write-once" "$(cat .check)" "removing:     allowed"
same "changes nothing" "$before" "$(find store | sort)"

mv keys/main/root.pub root.pub.away
check_fails 10 "a host that has no keys of it yet" "$BACKUPD" --config good.yaml check storage --probe
contains "is told to join" "$(<.check)" "a host that joins one needs a copy"
same "not to make another" 0 "$(grep -c 'next:' .check || true)"
mv root.pub.away keys/main/root.pub
mv store gone
mkdir store
check_fails 10 "a repository that vanished" "$BACKUPD" --config good.yaml check storage --probe
same "is not answered with init" 0 "$(grep -c 'next:' .check || true)"
rmdir store
mv gone store

# ---- SFTP
sshd=$REPO_ROOT/tests/fixture/sshd.sh
"$sshd" start srv
at_end "$sshd" stop "$TMP/srv"
user=$(cat srv/user)
cat >sftp.yaml <<END
state: sftp-state
repositories:
  far:
    storage:
      type: sftp
      host: 127.0.0.1
      port: $(cat srv/port)
      user: $user
      path: $(cat srv/path)/deep
      key: srv/writer_key
      host_key: "$(cat srv/host_key.pub)"
jobs:
  small: { engine: sqlite, path: $TMP/small.db }
END
sftp() { "$BACKUPD" --config sftp.yaml "$@"; }
check_fails 10 "a probe before there is a repository" sftp check storage --probe
contains "the account cannot remove" "$(<.check)" "removing:     refused"
contains "nor make directories, and what init then needs" "$(<.check)" "--setup-user, --setup-key"
contains "what comes next" "$(<.check)" "--config sftp.yaml init far"
same "nothing was made" "" "$(ls -A srv/storage)"
cp sftp.yaml admin.yaml
sed -i 's/writer_key/admin_key/' admin.yaml
check_fails 10 "a probe with an account that may" "$BACKUPD" --config admin.yaml check storage --probe
contains "it may" "$(<.check)" "removing:     allowed"
contains "both" "$(<.check)" "directories:  this account may ask for some"
same "and nothing was made" "" "$(ls -A srv/storage)"
check_fails 1 "a write-once account cannot set up a repository" sftp init --kit-unconfirmed --no-kit-passphrase
contains "the way out is named" "$(cat .check)" "--setup-user"
check "nothing is left behind" test ! -e keys/far -a ! -e backup-safe-far
check "another account does it once" sftp init --kit-unconfirmed --no-kit-passphrase --setup-user "$user" --setup-key srv/admin_key
"$B/scripts/gen_shop" create small.db --size 1M --seed 3 >/dev/null
check "the write-once account backs up" sftp backup
check "twice" sftp backup --json
check "check storage" sftp check storage --probe
text=$(cat .check)
contains "shows the server's key" "$text" "host key:     $(ssh-keygen -lf srv/host_key.pub | cut -d' ' -f2)"
contains "the account cannot remove" "$text" "removing:     refused"
contains "nor make directories" "$text" "cannot make any"
contains "one writer is in use" "$text" "1 in use, 4 spare"
contains "list over SFTP" "$(sftp list)" "small/2"
sed -i '/host_key:/d' sftp.yaml
check_fails 12 "an unknown server" env HOME="$TMP" "$BACKUPD" --config sftp.yaml check storage
contains "the line to add is shown" "$(cat .check)" "host_key: \"$(cat srv/host_key.pub)\""
sed -i 's/^      key: .*/      key: srv\/reader_key\n      known_hosts: srv\/known_hosts/' sftp.yaml
status=0
sftp backup >out 2>&1 || status=$?
check "a read-only account cannot back up (status $status)" test "$status" -ne 0
same "and leaves the log as it was" 2 "$(find srv/storage/deep/w/*/log -type f | wc -l)"

# ---- the set-up over another path
cat >path.yaml <<END
repositories:
  path:
    storage: { type: sftp, host: 127.0.0.1, port: $(cat srv/port), user: $user, path: $(cat srv/path)/local, key: srv/writer_key, known_hosts: srv/known_hosts }
END
check "init through a local directory" "$BACKUPD" --config path.yaml init --kit-unconfirmed --no-kit-passphrase --setup-path "$(readlink -f srv/storage)/local"
check "made the repository there" test -s srv/storage/local/charter/00000001.00
finish
