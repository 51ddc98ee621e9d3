#!/bin/bash
# Another SFTP server: ProFTPD with mod_sftp, as it is and with limits. The whole main job works with it, and `check storage`
# says what it cannot keep an account from.
# shellcheck disable=SC2317 # the functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/sftp.sh
source "$REPO_ROOT/tests/support/sftp.sh"

fixture=$REPO_ROOT/tests/fixture/proftpd.sh
"$B/scripts/gen_shop" create shop.db --size 2M --seed 5 >/dev/null

# serve NAME [OPTION]: starts a server and writes NAME.yaml for its writer.
serve() {
    "$fixture" start "$1" "${@:2}"
    at_end "$fixture" stop "$TMP/$1"
    cat >"$1.yaml" <<END
state: state-$1
repositories:
  shop:
    storage:
      type: sftp
      host: 127.0.0.1
      port: $(<"$1/port")
      user: writer
      path: $(<"$1/path")/repo
      key: $1/writer_key
      host_key: "$(<"$1/host_key.pub")"
    keys: keys-$1
    kit: safe-$1/restore-kit.key
jobs:
  shop: { engine: sqlite, path: shop.db }
END
}

# job NAME: everything that a night and a morning after need.
job() {
    check "$1: a first night" "$BACKUPD" --config "$1.yaml" backup
    "$B/scripts/gen_shop" churn shop.db --seed 7 --night 1 >/dev/null
    check "$1: a second one" "$BACKUPD" --config "$1.yaml" backup
    contains "$1: both are listed" "$("$BACKUPD" --config "$1.yaml" list)" "shop/2"
    check "$1: everything is verified" "$RESTORE" --config "$1.yaml" --state "st-$1" verify --read-data
    check "$1: it is restored" "$RESTORE" --config "$1.yaml" --state "st-$1" database latest --to "$1.back"
    check "$1: as it was" cmp <(sqlite3 shop.db .dump) <(sqlite3 "$1.back" .dump)
    same "$1: files are born without write permission" "" "$(find -L "$1/storage/repo/w" -type f -perm /222)"
}

# ---- as it is -----------------------------------------------------------------------------------------------

serve plain
check "init with the writer's own account" "$BACKUPD" --config plain.yaml init --safe safe-plain --spare-writers 1 --no-kit-passphrase --kit-unconfirmed
job plain
before=$(find -L plain/storage -printf '%P %s %m %T@ %C@\n' | sort | sha256sum)
check "plain: a probe" "$BACKUPD" --config plain.yaml check storage --probe
said=$(<.check)
contains "plain: finished files cannot be overwritten" "$said" "overwriting:  refused"
contains "plain: but removed" "$said" "removing:     allowed: whoever breaks into this host can delete backups"
contains "plain: and renamed" "$said" "renaming:     this account may ask for it"
contains "plain: and their attributes be set" "$said" "attributes:   this account may ask to set some"
same "plain: it does not say what is wrong" 0 "$(grep -c creating: <<<"$said" || true)"
contains "plain: one account has all roles" "$said" "roles:        one account (uid"
same "plain: nothing was changed by that" "$before" "$(find -L plain/storage -printf '%P %s %m %T@ %C@\n' | sort | sha256sum)"

# ---- with limits --------------------------------------------------------------------------------------------

serve strict --strict
check_fails 1 "strict: the writer cannot set up a repository" "$BACKUPD" --config strict.yaml init --safe safe-strict --no-kit-passphrase
contains "strict: the way out is named" "$(<.check)" "--setup-user"
check "strict: another account does" "$BACKUPD" --config strict.yaml init --safe safe-strict --spare-writers 1 --no-kit-passphrase --kit-unconfirmed \
    --setup-user admin --setup-key strict/admin_key
job strict
before=$(find -L strict/storage -printf '%P %s %m %T@ %C@\n' | sort | sha256sum)
check "strict: a probe" "$BACKUPD" --config strict.yaml check storage --probe
said=$(<.check)
for row in overwriting removing renaming links attributes; do
    contains "strict: $row is refused" "$said" "$(printf '%-13s refused' "$row:")"
done
# What the probe says is asked again by another program.
pack=$(find -L strict/storage/repo/w -path '*/pack/*' -type f -printf 'repo/w/%P\n' | sort | head -1)
for line in "rm $pack" "rename $pack $pack.away" "chmod 666 $pack" "put shop.db $pack" "symlink $pack $pack.link" "mkdir repo/new"; do
    check "strict: sftp: ${line%% *} is refused" not sftp -q -b <(printf '%s\n' "$line") -o BatchMode=yes -o StrictHostKeyChecking=yes \
        -o "UserKnownHostsFile=$TMP/strict/known_hosts" -i strict/writer_key -P "$(<strict/port)" writer@127.0.0.1
done
same "strict: nothing was changed by that" "$before" "$(find -L strict/storage -printf '%P %s %m %T@ %C@\n' | sort | sha256sum)"

# Every request by hand; the server ends the connection at those that it does not know.
python3 - "$TMP" "$(<strict/port)" "$(<strict/path)/repo" "$pack" <<'END' >settings.json
import json, os, sys
tmp, port, top, pack = sys.argv[1:]
seen = tmp + "/strict/storage/repo"
writer = pack.split("/")[2]
path = lambda name: "%s/%s" % (top, name)
print(json.dumps({
    "ssh": ["ssh", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR",
            "-o", "UserKnownHostsFile=" + tmp + "/strict/known_hosts", "-p", port],
    "host": "127.0.0.1", "seen": seen, "top": top, "pack": path(pack[5:]), "log": path("w/%s/log/00000001.00" % writer),
    "snap": path("w/%s/snap/%s" % (writer, sorted(os.listdir(seen + "/w/" + writer + "/snap"))[0])),
    "charter": path("charter/00000001.00"), "ret": None, "own": path("w/%s/pack" % writer), "other": None, "jail": False,
    "one_uid": True, "hangs_up": True, "users": {"writer": "writer"}, "keys": {"writer": tmp + "/strict/writer_key"}}))
END
sftp_table "strict: " settings.json

# ---- without the extensions that matter ------------------------------------------------------------------------

serve bare --bare
check "bare: init" "$BACKUPD" --config bare.yaml init --safe safe-bare --spare-writers 1 --no-kit-passphrase --kit-unconfirmed
check "bare: a backup" "$BACKUPD" --config bare.yaml backup
contains "bare: that the server has no fsync is told" "$(<.check)" "has no fsync"
check "bare: a look" "$BACKUPD" --config bare.yaml check storage
contains "bare: it says so, too" "$(<.check)" "durable:     unknown: the server has no fsync"
contains "bare: and that nobody knows how full it is" "$(<.check)" "free:        unknown: the server does not tell"
check "bare: everything is verified" "$RESTORE" --config bare.yaml --state st-bare verify --read-data
finish
