#!/bin/bash
# Evidence of drills on a server of its own: sent by an account that can only add, kept until the server is back, read by an
# auditor and by the host that lets backups go, over accounts that can only read.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

SSHD=$TMP/sshd
fixture=$REPO_ROOT/tests/fixture/sshd.sh
"$fixture" start "$SSHD"
at_end "$fixture" stop "$SSHD"
there=$SSHD/storage/evidence
path=$(<"$SSHD/path")/evidence port=$(<"$SSHD/port") user=$(<"$SSHD/user")
# as_owner LINE...: with OpenSSH's client, by an account without limits
as_owner() {
    printf '%s\n' "$@" | sftp -q -b - -o BatchMode=yes -o IdentitiesOnly=yes -o "UserKnownHostsFile=$SSHD/known_hosts" \
        -i "$SSHD/admin_key" -P "$port" "$user@127.0.0.1" >/dev/null
}
as_owner "mkdir $path"

conf() { # STATE KEY
    cat <<END
state: $1
repositories:
  main:
    storage: { type: local, path: $TMP/store }
    keep: { last: 1, min: 1, max_share: 100, proven: 1 }
    delete_after: 0s
jobs:
  one: { engine: sqlite, path: $TMP/one.db }
drills:
  evidence: { type: sftp, host: 127.0.0.1, port: $port, user: $user, path: $path, key: $2, host_key: "$(<"$SSHD/host_key.pub")" }
END
}
conf state "$SSHD/writer_key" >drill.yaml
conf elsewhere "$SSHD/reader_key" >auditor.yaml
conf state "$SSHD/reader_key" >backup.yaml # who backs up and lets go has a reader's key, too
backupd() { "$BACKUPD" --config backup.yaml "$@"; }
drill() { "$RESTORE" --config drill.yaml --kit drill.key drill run "one/$1" --scratch "$TMP"; }
auditor() { "$RESTORE" --config auditor.yaml --root-key safe/root.pub "$@"; }
certificates() { find "$there" -name '*.cert' | wc -l; }
# What the drill host's list says: was it sent? The newest first.
sent() { "$RESTORE" --config drill.yaml --json drill list | python3 -c 'import json, sys; print(*[json.loads(l)["sent"] for l in sys.stdin])'; }
newest() { "$RESTORE" --config drill.yaml --json drill list --limit 1 | python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["id"])'; }
action() { backupd expire --retention-key safe/retention.key --dry-run --json | python3 -c '
import json, sys
for line in sys.stdin:
    o = json.loads(line)
    if o["message_type"] == "verdict" and o["id"] == sys.argv[1]: print(o["action"], o["rule"])' "$1"; }

sqlite3 one.db 'CREATE TABLE t(a); INSERT INTO t VALUES (1)'
backupd init --safe safe --no-kit-passphrase --spare-writers 0 --min-keep 0 >/dev/null
backupd key add-recipient --drill --root-key safe/root.key --yes --kit safe/restore-kit.key --to drill.key --expires 2099-01-01 >/dev/null
for i in 1 2 3; do
    sqlite3 one.db "INSERT INTO t VALUES ($i)"
    backupd backup one --kit-unconfirmed >/dev/null
done

# ---- sent
check "a drill" drill 1
contains "is sent" "$(<.check)" "sent, and kept there"
id=$(newest)
same "result, page and certificate are there" "$id.cert $id.html $id.json" "$(cd "$there" && echo *)"
same "as they are here" "" "$(diff -r "$there" state/drills)"
same "and who sent them cannot write them again" 440 "$(stat -c %a "$there"/* | sort -u)"

# ---- the server is down, and comes back
"$fixture" halt "$SSHD"
check_fails 3 "the server is down: the drill is kept here" drill 2
contains "and it says so" "$(<.check)" "the evidence location does not have this drill"
late=$(newest)
same "the list says which one waits" "False True" "$(sent)"
check_fails 1 "what lies there cannot be listed" auditor drill list --evidence
check_fails 9 "and nothing expires" backupd expire --retention-key safe/retention.key
contains "for what is proven is not known" "$(<.check)" "so nothing expires"
"$fixture" start "$SSHD" --port "$port"
# An upload that was cut short: an account that can only add cannot mend it.
head -c 100 "state/drills/$late.json" >cut
as_owner "put cut $path/$late.json" "chmod 440 $path/$late.json"
check "the next drill is sent" drill 3
contains "it tells what is in the way of the other" "$(<.check)" "$late.json was sent before, but not to its end"
same "what was cut short is no evidence" "2 100" "$(certificates) $(stat -c %s "$there/$late.json")"
as_owner "rm $path/$late.json"
check "removed there, the drill after that" drill 3
same "sends what was left" "4 True True True True" "$(certificates) $(sent)"
same "nothing differs" "" "$(diff -r "$there" state/drills)"

# ---- an auditor, who can only read
check "the auditor's list" auditor drill list --evidence
same "has every drill, and all certificates count" "4 4" \
    "$(auditor --json drill list --evidence | python3 -c 'import json, sys
rows = [json.loads(l) for l in sys.stdin]
print(len(rows), sum(r["counts"] for r in rows))')"
auditor drill certificate "$late" --evidence >"$late.cert"
check "a certificate from there" auditor drill certificate --check "$late.cert"
contains "is good" "$(<.check)" "a drill key that the charters of the repository name"
check "what it is about can be read there, too" auditor drill show "$late" --evidence
key=$(backupd --json key show | python3 -c 'import json, sys; print([k["key"] for k in json.loads(sys.stdin.readline())["drill_keys"]][0])')
check "with the drill host's key alone" "$RESTORE" --config none drill certificate --check "$late.cert" --key "$key"

# ---- what passed stays, by certificates that are read over the network
sqlite3 one.db "INSERT INTO t VALUES (4)"
backupd backup one --kit-unconfirmed >/dev/null
same "the newest that passed stays, older ones go" "expire unneeded, keep proven, keep new" "$(action one/2), $(action one/3), $(action one/4)"

# ---- somebody changes it there
sed 's/^verdict pass/verdict fail/' "$late.cert" >changed
as_owner "rm $path/$late.cert" "put changed $path/$late.cert"
check_fails 9 "the auditor sees it" auditor drill list --evidence
contains "and which" "$(<.check)" "not what the drill host signed"

# ---- never inside a repository
sed "s#storage: .*#storage: { type: sftp, host: 127.0.0.1, port: $port, user: $user, path: ${path%/*}, key: $SSHD/reader_key }#" drill.yaml >inside.yaml
check_fails 2 "evidence inside a repository is refused" "$RESTORE" --config inside.yaml drill list --evidence
contains "by its name" "$(<.check)" "drills.evidence lies in the repository main"
finish
