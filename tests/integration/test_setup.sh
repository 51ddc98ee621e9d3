#!/bin/bash
# scripts/setup leaves the machine as quiet as it found it.
#
# On this machine: a run changes neither unit states nor listening sockets, a second one says nothing, and without root
# and sudo it prints the command to run. What it does while packages are installed is shown in a copy-on-write view of
# this machine (a mount namespace of its own), where apt-get is replaced by one that behaves like the packages of a
# database server. SETUP_TEST_APT=1 also installs openssh-server there with the real apt-get; that takes the network.
# shellcheck disable=SC2016,SC2317 # an inner shell expands and runs much of this
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

policy=/usr/sbin/policy-rc.d

# Enabled units and start links of the system below $1.
units_of() {
    find "$1/etc/systemd/system" -path '*.wants/*' -printf '%P\n' 2>/dev/null | sort
    find "$1"/etc/rc[0-9S].d -name 'S*' -printf '%p\n' 2>/dev/null | sed "s|^$1||" | sort
}

# Listening TCP sockets, as the kernel's hexadecimal address:port. Other tests use loopback ports from 32768 (8000) on.
sockets() {
    awk 'FNR > 1 && $4 == "0A" && $2 !~ /^(0100007F|0+01000000):[89A-F]/ { print $2 }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null | sort -u
}

snapshot() {
    echo "enabled units and start links:"
    units_of ""
    echo "listening sockets:"
    sockets
    echo "policy-rc.d: $(cksum "$policy" 2>/dev/null || echo none)"
}

# ---- on this machine

snapshot >before
check "setup test succeeds" "$REPO_ROOT/scripts/setup" test
snapshot >after
echo "before:"; cat before
echo "after:"; cat after
check "units, sockets and policy-rc.d are as before" cmp before after
second=$("$REPO_ROOT/scripts/setup" test 2>&1) || fail "a second run succeeds"
same "a second run is quiet" "" "$second"
fastest=9999
for _ in 1 2 3 4 5; do
    begin=$(date +%s%N)
    "$REPO_ROOT/scripts/setup" test
    took=$((($(date +%s%N) - begin) / 1000000))
    fastest=$((took < fastest ? took : fastest))
done
check "with nothing missing it takes under a second ($fastest ms)" test "$fastest" -lt 1000
check_fails 2 "an unknown group is a usage error" "$REPO_ROOT/scripts/setup" everything

# ---- without root

chmod 755 "$TMP"
mkdir bin copy
cp "$REPO_ROOT/scripts/setup" copy/
printf '[build]\nmake\nno-such-library-dev\n[demo]\nno-such-server-core | other-server\n[test]\n[dev]\nno-such-checker\n' >copy/packages.txt
for tool in bash cat dirname env dpkg-query apt-get; do
    ln -s "$(command -v "$tool")" "bin/$tool"
done
chmod -R a+rX bin copy
as_nobody=(env)
if [[ $EUID -eq 0 ]]; then
    as_nobody=(setpriv --reuid "$(id -u nobody)" --regid "$(id -g nobody)" --clear-groups env)
fi
status=0
told=$("${as_nobody[@]}" "PATH=$TMP/bin" "$TMP/copy/setup" test 2>&1 </dev/null) || status=$?
same "without root and sudo it does not succeed" 1 "$status"
same "it prints the one command to run" \
    "  apt-get install -y --no-install-recommends no-such-library-dev no-such-server-core" "$(tail -n 1 <<<"$told")"

printf '#!/bin/bash\n[[ $1 == -n ]] && exit 0\necho "sudo ran: $*"\n' >bin/sudo
chmod 755 bin/sudo
told=$("${as_nobody[@]}" "PATH=$TMP/bin" "$TMP/copy/setup" build 2>&1 </dev/null) || fail "with sudo it succeeds" "$told"
same "with sudo it runs itself" "sudo ran: -- $TMP/copy/setup build" "$(tail -n 1 <<<"$told")"

# ---- while packages are installed, in a copy of this machine

# Mounts a writable view of this machine on $TMP/view/root; only inside `unshare --mount`.
cat >open_view <<'END'
set -euo pipefail
view=$1
mkdir -p "$view"
mount -t tmpfs -o mode=755 none "$view"
mkdir "$view"/{changes,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$view/changes,workdir=$view/work" "$view/root"
root=$view/root
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
[[ ! -d /run/systemd ]] || mkdir -p "$root/run"
END
if [[ $EUID -ne 0 ]] || ! unshare --mount bash open_view "$TMP/view" 2>why; then
    skip "behaviour while packages are installed" "takes root and overlay mounts: $(tail -n 1 why 2>/dev/null || true)"
    finish
fi

# What the packages of a database server do: ask policy-rc.d before starting, ship a unit and a start script, enable
# them, and create a cluster when the configuration does not forbid it.
cat >apt-get <<'END'
#!/bin/bash
[[ " $* " == *" install "* ]] || exit 0
answer=0
/usr/sbin/policy-rc.d fakedb start || answer=$?
echo "policy-rc.d answered $answer" >>/view.log
cat /etc/postgresql-common/createcluster.d/*.conf >>/view.log 2>/dev/null
printf '[Unit]\nDescription=Fake\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
    >/lib/systemd/system/fakedb.service
printf '#!/bin/sh\n### BEGIN INIT INFO\n# Provides: fakeold\n# Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n%s\n' \
    '# Default-Stop: 0 1 6
### END INIT INFO' >/etc/init.d/fakeold
chmod 755 /etc/init.d/fakeold
DPKG_MAINTSCRIPT_PACKAGE=fakedb-core deb-systemd-helper enable fakedb.service
[[ -L /etc/systemd/system/multi-user.target.wants/fakedb.service ]] && echo "the package enabled it" >>/view.log
update-rc.d fakeold defaults
[[ -z ${APT_HANGS:-} ]] || { touch /apt.hangs; sleep 60; }
[[ -z ${APT_FAILS:-} ]] || exit 100
for name in fakedb-core postgresql-99; do
    printf '\nPackage: %s\nStatus: install ok installed\nMaintainer: x <x@x>\nArchitecture: all\nVersion: 1\nDescription: x\n' \
        "$name" >>/var/lib/dpkg/status
done
END
printf '[build]\nfakedb-core\n[demo]\n[test]\npostgresql-99\n[dev]\n' >packages.fake
chmod 755 apt-get

# in_view SCRIPT: runs it in a fresh view, with setup in /setup.d and the apt-get above in /stub; its root is a chroot.
in_view() {
    cat >script - <<<"$1"
    cat >enter <<'END'
set -euo pipefail
bash "$TMP/open_view" "$TMP/view"
root=$TMP/view/root
mkdir -p "$root/setup.d" "$root/stub"
cp "$REPO_ROOT/scripts/setup" "$root/setup.d/"
cp "$TMP/packages.fake" "$root/setup.d/packages.txt"
cp "$REPO_ROOT/scripts/packages.txt" "$root/setup.d/packages.real"
cp "$TMP/apt-get" "$root/stub/"
cp "$TMP/script" "$root/script"
rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/postgresql-common/createcluster.d"/*.conf
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' >"$root/lib/systemd/system/older.service"
ln -s /lib/systemd/system/older.service "$root/etc/systemd/system/multi-user.target.wants/older.service"
status=0
TMPDIR=/tmp chroot "$root" bash -euo pipefail /script || status=$?
cp "$root/view.log" "$TMP/view.log" 2>/dev/null || : >"$TMP/view.log"
cp -a "$root/etc/systemd/system" "$TMP/units.dir"
[[ ! -e $root/usr/sbin/policy-rc.d ]] || cp "$root/usr/sbin/policy-rc.d" "$TMP/policy.left"
exit $status
END
    rm -rf policy.left units.dir view.log
    unshare --mount bash enter
}

list='find /etc/systemd/system -path "*.wants/*"; find /etc/rc[0-9S].d -name "S*"; find /tmp -name "setup.*"'
snap="{ $list; } | sort"

check "an install succeeds" in_view "$snap >/before; PATH=/stub:\$PATH /setup.d/setup build >/said; $snap >/after
    cat /said; echo before; cat /before; echo after; cat /after
    diff /before /after; cat /said >>/view.log; PATH=/stub:\$PATH /setup.d/setup build >>/view.log"
sed 's/^/    /' .check
contains "starts were forbidden meanwhile" "$(cat view.log)" "policy-rc.d answered 101"
contains "the package enabled its unit" "$(cat view.log)" "the package enabled it"
contains "the new unit was disabled" "$(cat view.log)" "disabled fakedb.service"
contains "the new start script was disabled" "$(cat view.log)" "disabled start script fakeold"
check "a unit that was there before is still enabled" test -L units.dir/multi-user.target.wants/older.service
check_fails 1 "the new one is not" test -L units.dir/multi-user.target.wants/fakedb.service
check_fails 1 "policy-rc.d is gone" test -e policy.left
same "a second run is quiet" "setup: done" "$(tail -n 1 view.log)"
check_fails 1 "no cluster was configured without PostgreSQL" grep -q create_main_cluster view.log

check "a PostgreSQL server is installed" in_view 'PATH=/stub:$PATH /setup.d/setup test'
contains "its packages were told to create no cluster" "$(cat view.log)" "create_main_cluster = false"

check_fails 1 "a failing apt-get makes it fail" in_view 'PATH=/stub:$PATH APT_FAILS=1 /setup.d/setup build'
check_fails 1 "policy-rc.d is gone then too" test -e policy.left
check_fails 1 "and the unit is not enabled" test -L units.dir/multi-user.target.wants/fakedb.service

for signal in TERM INT HUP; do
    # Job control (-m), because a background job of a script ignores INT.
    check "ended by $signal" in_view 'set -m
        PATH=/stub:$PATH APT_HANGS=1 /setup.d/setup build & pid=$!
        for i in $(seq 200); do [[ ! -e /apt.hangs ]] || break; sleep 0.05; done
        test -x /usr/sbin/policy-rc.d
        kill -'"$signal"' -- -$pid; status=0; wait $pid || status=$?; [[ $status -gt 128 ]]'
    check_fails 1 "policy-rc.d is gone after $signal" test -e policy.left
done

check "one left by a killed run is removed" in_view '
    printf "#!/bin/sh\n# Written by scripts/setup of backupd, process 4194305\nexit 101\n" >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d; PATH=/stub:$PATH /setup.d/setup build'
check_fails 1 "it is gone" test -e policy.left
check "one of the machine's own is kept" in_view '
    printf "#!/bin/sh\nexit 104\n" >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
    PATH=/stub:$PATH /setup.d/setup build'
same "unchanged" "exit 104" "$(tail -n 1 policy.left)"

if [[ -n ${SETUP_TEST_APT:-} ]]; then
    check "the real apt-get installs openssh-server" in_view "
        DEBIAN_FRONTEND=noninteractive apt-get purge -y -q openssh-server >/dev/null
        cp /setup.d/packages.real /setup.d/packages.txt
        $snap >/before; /setup.d/setup demo; $snap >/after; cat /before /after; diff /before /after
        dpkg-query -W openssh-server; ! pgrep -x sshd -s 0"
    sed 's/^/    /' .check
    check_fails 1 "ssh is not enabled" test -e units.dir/multi-user.target.wants/ssh.service
    check_fails 1 "policy-rc.d is gone" test -e policy.left
fi

# Not the sockets: other tests open some in all that time.
policy_now=$(cksum "$policy" 2>/dev/null || echo none)
check "on this machine nothing has changed: policy-rc.d" grep -qxF "policy-rc.d: $policy_now" before
units_of "" >units.now
check "on this machine nothing has changed: units" cmp units.now <(sed '1d;/^listening sockets:$/,$d' before)
finish
