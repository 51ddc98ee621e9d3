#!/bin/bash
# `backupd storage setup-script` and what comes of it: the script runs on a machine of its own, with real accounts and a
# real sshd; then two backup hosts, a retention host, a reader and an admin work with it, and every request that an account
# must refuse is sent by hand. Where no such machine can be made (not root, or root who may not mount) the roles share one
# uid: then only the lines with their allow-lists are proven, and what needs several uids is left out by name.
# shellcheck disable=SC2317 # the functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/sftp.sh
source "$REPO_ROOT/tests/support/sftp.sh"

machine=$REPO_ROOT/tests/fixture/accounts.sh
for name in adm ret read web1 web2; do
    ssh-keygen -q -t ed25519 -N '' -C "key of $name; \$(reboot)" -f "$name"
done

# ---- the script itself --------------------------------------------------------------------------------------

setup() { "$BACKUPD" storage setup-script "$@"; }
check_fails 2 "a name that is no account's" setup --user 'shop;reboot'
check_fails 2 "a directory that sshd_config would read as more" setup --user shop --directory '/srv/a b'
check_fails 2 "one with a token of sshd" setup --user shop --directory '/srv/%u'
check_fails 2 "a way out of it" setup --user shop --directory /srv/../etc
check_fails 2 "a private key" setup --user shop --reader-key read
contains "is named, with the right one" "$(<.check)" "read.pub"
printf 'no-pty %s\n' "$(<read.pub)" >options.pub
check_fails 2 "a key with options of its own" setup --user shop --reader-key options.pub
printf 'ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQAB x\n' >wrong.pub
check_fails 2 "a key that is not what it says" setup --user shop --reader-key wrong.pub
check_fails 2 "a host called as a role" setup --user shop --writer adm=web1.pub
check_fails 2 "one key for two roles" setup --user shop --reader-key read.pub --retention-key read.pub
check_fails 2 "one writer of two hosts" setup --user shop --writer a=web1.pub,0011223344556677 --writer b=web2.pub,0011223344556677
setup --user shop --admin-key adm.pub --retention-key ret.pub --reader-key read.pub --writer web1=web1.pub >first.sh 2>first.err
contains "without a repository the writers are missing, and it says so" "$(<first.err)" "after \`backupd init\`"
check "the script is one" sh -n first.sh
same "nothing of a key's comment is left to a shell" 0 "$(grep -c 'reboot)' first.sh || true)"
same "printing it changed nothing" "" "$(find . -newer first.err ! -name . ! -name .check ! -name first.sh)"

# ---- a machine ----------------------------------------------------------------------------------------------

ssh_command=(ssh -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o "UserKnownHostsFile=$TMP/known_hosts")
many_uids=
if "$machine" possible; then
    many_uids=yes
    "$machine" start m
    at_end "$machine" stop "$TMP/m"
    top=/srv/backup/shop/sftp/repo
    seen=$TMP/m/root$top
    check "the script runs" "$machine" run m sh "$TMP/first.sh"
    "$machine" sshd m
    port=$(<m/port)
    path=/repo
    hostkey=$(<m/host_key.pub)
    account() { printf 'shop-%s' "$1"; }
else
    sshd=$REPO_ROOT/tests/fixture/sshd.sh
    "$sshd" start s
    at_end "$sshd" stop "$TMP/s"
    printf '# one uid: what follows proves the lines of the accounts, not the owners and modes of the table\n'
    grep -h '^restrict,command=' first.sh >>"$(readlink -f s/server)/authorized_keys"
    seen=$TMP/s/storage/repo
    port=$(<s/port)
    path=$(<s/path)/repo
    hostkey=$(<s/host_key.pub)
    (umask 022 && mkdir "$seen" "$seen"/{charter,grant,ret,w})
    [[ $EUID -ne 0 ]] || chown -R "$(<s/user)" "$(readlink -f "$seen")"
    account() { cat "$TMP/s/user"; }
fi
printf '[127.0.0.1]:%s %s\n' "$port" "$hostkey" >known_hosts

# config FILE HOST: the configuration of a backup host.
config() {
    cat >"$1" <<END
state: state-$2
repositories:
  shop:
    storage: { type: sftp, host: 127.0.0.1, port: $port, user: $(account "$2"), path: $path, key: $2, host_key: "$hostkey" }
    keys: keys-$2
jobs:
  $2-db: { engine: sqlite, path: $2.db }
END
}
config web1.yaml web1
config web2.yaml web2
"$B/scripts/gen_shop" create web1.db --size 1M --seed 3 >/dev/null
"$B/scripts/gen_shop" create web2.db --size 1M --seed 4 >/dev/null

# ---- init with the admin's account, which can make no directory ----------------------------------------------

check "init publishes the charter" "$BACKUPD" --config web1.yaml init --safe safe --spare-writers 3 --no-kit-passphrase --kit-unconfirmed \
    --setup-user "$(account adm)" --setup-key adm
contains "and says whose turn it is" "$(<.check)" "4 writers have no directories on the storage yet"
contains "with the command" "$(<.check)" "backupd --config web1.yaml storage setup-script shop"
check_fails 1 "without them nothing can be stored" "$BACKUPD" --config web1.yaml backup
mkdir -m 700 keys-web2
cp -p keys-web1/root.pub keys-web2/
mv "$(find keys-web1 -name 'writer-*' | sort | tail -1)" keys-web2/
keys=(--user shop --admin-key adm.pub --retention-key ret.pub --reader-key read.pub)
setup --config web1.yaml "${keys[@]}" --writer web1=web1.pub >one.sh
setup --config web2.yaml "${keys[@]}" --writer web2=web2.pub >two.sh
same "the second script knows this host's writers" 3 "$(grep '^for id in' one.sh | grep -oE '[0-9a-f]{16}' | wc -l)"
check_fails 2 "it does not guess between two hosts" setup --config web1.yaml --user shop --writer web1=web1.pub --writer web2=web2.pub
if [[ -n $many_uids ]]; then
    check "it runs" "$machine" run m sh "$TMP/one.sh"
    check "so does another host's" "$machine" run m sh "$TMP/two.sh"
    check "again" "$machine" run m sh "$TMP/two.sh"
    same "it finds nothing to do" "setup: done. Next: systemctl reload ssh" "$(<.check)"
    contains "sshd's own settings stay as they were" "$("$machine" run m /usr/sbin/sshd -T)" "x11forwarding yes"
    # shellcheck disable=SC2016 # for the other shell
    check "a chroot below somebody's directory is refused" not "$machine" run m sh -c 'mkdir -m 777 /srv/open &&
        sed "s|^base=.*|base=/srv/open/shop|" '"$TMP"'/one.sh >/run/x.sh && sh /run/x.sh'
    contains "and it is said why" "$(<.check)" "/srv/open must be root's"
    # shellcheck disable=SC2016
    check "so is a configuration that sshd does not take" not "$machine" run m sh -c 'echo nonsense >>/etc/ssh/sshd_config;
        printf "\n" >>/etc/ssh/sshd_config.d/60-backup-shop.conf; sh '"$TMP"'/one.sh'
    contains "the file is as before" "$(<.check)" "its own file is as it was before"
    "$machine" run m sed -i '/^nonsense/d' /etc/ssh/sshd_config
    check "and once more, to mend it" "$machine" run m sh "$TMP/one.sh"
    "$machine" sshd m
else
    while read -r id; do
        mkdir -p "$seen/w/$id"/{log,snap,pack}
    done < <(grep -h '^for id in' one.sh two.sh | grep -oE '[0-9a-f]{16}')
    grep -h '^restrict,command=' two.sh | tail -1 >>"$(readlink -f s/server)/authorized_keys"
    [[ $EUID -ne 0 ]] || chown -R "$(<s/user)" "$(readlink -f "$seen")"
fi

# ---- they work ----------------------------------------------------------------------------------------------

check "web1 backs up" "$BACKUPD" --config web1.yaml backup
check "web2 backs up" "$BACKUPD" --config web2.yaml backup
check "twice" "$BACKUPD" --config web2.yaml backup
for host in web1 web2; do
    printf 'repositories:\n  shop:\n    storage: { type: sftp, host: 127.0.0.1, port: %s, user: %s, path: %s, key: read, host_key: "%s" }\n    keys: none\n    kit: safe/restore-kit.key\n' \
        "$port" "$(account read)" "$path" "$hostkey" >station.yaml
    check "the reader restores what $host stored" "$RESTORE" --config station.yaml --state st database "$host-db/latest" --to "$host.back"
    check "byte for byte" cmp <(sqlite3 "$host.db" .dump) <(sqlite3 "$host.back" .dump)
done
check "the reader verifies every byte" "$RESTORE" --config station.yaml --state st verify --read-data

# ---- what `check storage` finds out -----------------------------------------------------------------------------

probe() { "$BACKUPD" --config web1.yaml check storage --probe "$@"; }
# without its times
stored() { find -L "$seen" -printf '%P %s %m %T@ %C@\n' | sort | sha256sum; }
before=$(stored)
check "a probe of the writer's account" probe
for row in "overwriting:  refused: what is stored stays" "removing:     refused" "renaming:     refused" "links:        refused" \
    "attributes:   refused" "directories:  this account cannot make any" "durable:      yes"; do
    contains "it says ${row%%:*}" "$(<.check)" "$row"
done
if [[ -n $many_uids ]]; then
    contains "other hosts' files are closed" "$(<.check)" "other hosts:  their writers' directories are closed"
    contains "roles are kept apart" "$(<.check)" "roles:        charters and the retention log belong to other accounts"
else
    contains "other hosts' files are open, with one uid" "$(<.check)" "other hosts:  the directories of 1 other writer are open"
    contains "and that is a warning" "$(<.check)" "roles:        one account (uid"
fi
check "of the retention host's" probe --role retention --user "$(account ret)" --key ret
contains "it may remove" "$(<.check)" "removing:     allowed: that is what this account is for"
contains "and not overwrite" "$(<.check)" "attributes:   refused"
check "of a reader's" probe --role reader --user "$(account read)" --key read
contains "it may only read" "$(<.check)" "creating:     refused: this account only reads"
check "of the admin's" probe --role admin --user "$(account adm)" --key adm
contains "it cannot overwrite a charter" "$(<.check)" "overwriting:  refused: what is stored stays"
check "a reader's account in place of a writer's" probe --user "$(account read)" --key read
contains "is found out" "$(<.check)" "creating:     refused: nothing can be stored"
check "a retention account in place of a writer's" probe --user "$(account ret)" --key ret
contains "is found out, too" "$(<.check)" "removing:     allowed: whoever breaks into this host can delete"
same "nothing of all that changed anything" "$before" "$(stored)"

# ---- the table of docs/format.md ----------------------------------------------------------------------------

ids() { find "$1" -name 'writer-*.key' -printf '%f\n' | sort | sed 's/^writer-//; s/\.key$//'; }
used() { basename "$(dirname "$(dirname "$(find -L "$seen/w" -path "*/log/*" -name '00000001.00' | grep -Ff <(ids "$1") | head -1)")")"; }
first=$(used keys-web1)
second=$(used keys-web2)
if [[ -n $many_uids ]]; then
    modes() { "$machine" run m stat -c '%U:%G %a' "$@" | sort -u; }
    same "the customer's directory" "root:root 750" "$(modes /srv/backup/shop)"
    same "chroot, repository and w/" "root:root 755" "$(modes "$top/../" "$top" "$top/w")"
    same "charter/ and grant/" "shop-adm:shop-adm 755" "$(modes "$top/charter" "$top/grant")"
    same "ret/" "shop-ret:shop-ret 755" "$(modes "$top/ret")"
    same "w/ID and below, of one host" "shop-web1:shop-repo 2770" "$(modes "$top/w/$first" "$top/w/$first"/{log,snap,pack})"
    same "and of the other" "shop-web2:shop-repo 2770" "$(modes "$top/w/$second" "$top/w/$second"/{log,snap,pack})"
    mapfile -t born < <(find -L "$seen/w/$second" -type f -printf "$top/w/$second/%P\n")
    same "files of a writer are born" "shop-web2:shop-repo 440" "$(modes "${born[@]}")"
    same "the charter is born" "shop-adm:shop-adm 444" "$(modes "$top/charter/00000001.00")"
    same "keys are root's" "root:root 644" "$("$machine" run m sh -c 'stat -c "%U:%G %a" /etc/ssh/backup_keys/*' | sort -u)"
fi

# ---- every request by hand ----------------------------------------------------------------------------------

one() { find -L "$seen/$1" -type f -printf "$path/$1/%P\n" | sort | head -1; }
# The retention host's log, written as it will be: created, never changed.
printf 'retention\n' >ret.file
chmod 644 ret.file
printf 'put ret.file %s/ret/00000001.00\n' "$path" |
    check "the retention host adds to its log" "${ssh_command[@]/#ssh/sftp}" -q -b - -i ret -P "$port" "$(account ret)@127.0.0.1"
python3 - "$port" "$path" "$TMP" "$seen" "$(one "w/$first/pack")" "$(one "w/$first/log")" "$(one "w/$first/snap")" \
    "$(one "w/$second/pack")" "$path/w/$first/pack" "$many_uids" "$(account adm)" "$(account ret)" "$(account read)" "$(account web1)" <<'END' >settings.json
import json, sys
port, top, tmp, seen, pack, log, snap, other, own, many, adm, ret, read, web1 = sys.argv[1:]
print(json.dumps({
    "ssh": ["ssh", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
            "-o", "LogLevel=ERROR", "-o", "UserKnownHostsFile=" + tmp + "/known_hosts", "-p", port],
    "host": "127.0.0.1", "seen": seen, "top": top, "pack": pack, "log": log, "snap": snap, "own": own,
    "charter": top + "/charter/00000001.00", "ret": top + "/ret/00000001.00",
    "other": other if many else None, "jail": bool(many), "one_uid": not many,
    "users": {"writer": web1, "retention": ret, "reader": read, "admin": adm},
    "keys": {"writer": tmp + "/web1", "retention": tmp + "/ret", "reader": tmp + "/read", "admin": tmp + "/adm"}}))
END
sftp_table "" settings.json

# ---- other programs of the same key ---------------------------------------------------------------------------

printf -v shell '%q ' "${ssh_command[@]}" -q -i "$TMP/web1" -p "$port"
for what in "rsync over ssh" "scp, the old way" "scp over SFTP"; do
    target="$(account web1)@127.0.0.1:${path}/w/$first/pack/$(basename "$(one "w/$first/pack")")"
    before=$(sha256sum <"$seen/w/$first/pack/$(basename "$target")")
    case $what in
    rsync*) command=(rsync -e "$shell" ret.file "$target") ;;
    *old*) command=(scp -O -q -i web1 -P "$port" "${ssh_command[@]:1}" ret.file "$target") ;;
    *) command=(scp -s -q -i web1 -P "$port" "${ssh_command[@]:1}" ret.file "$target") ;;
    esac
    check "$what does not overwrite" not timeout 60 "${command[@]}"
    same "and nothing is changed" "$before" "$(sha256sum <"$seen/w/$first/pack/$(basename "$target")")"
done

# ---- the storage server checks itself ---------------------------------------------------------------------------

if [[ -n $many_uids ]]; then
    # As the unit of docs/operations.md runs it: nobody, who may read everything and write nothing.
    check "the storage server verifies every byte, without being root" "$machine" run m setpriv --reuid=65534 --regid=65534 \
        --clear-groups --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search --bounding-set=-all,+dac_read_search \
        "$RESTORE" --storage "$top" --root-key "$TMP/safe/root.pub" verify --level L1 --gentle --verdict
    contains "and says so in one line" "$(<.check)" "OK L1: "
fi

# ---- what the retention host may ------------------------------------------------------------------------------

find -L "$seen/w/$first/pack" -name 'by-*' -printf "rm $path/w/$first/pack/%f\n" >removals
check "the retention host removes" "${ssh_command[@]/#ssh/sftp}" -q -b removals -i ret -P "$port" "$(account ret)@127.0.0.1"
same "what it removed is gone" 0 "$(find -L "$seen/w/$first/pack" -name 'by-*' | wc -l)"
find -L "$seen" -name 'by-*' -delete
check "web1 backs up as if nothing had been" "$BACKUPD" --config web1.yaml backup
finish
