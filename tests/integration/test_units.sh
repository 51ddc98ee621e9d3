#!/bin/bash
# The units of systemd: taken without a mistake, hardened, and a unit that is neither is found out. What a real systemd does with
# them is tests/proof/systemd.
# shellcheck disable=SC2317 # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

check "the units are sound and hardened" "$REPO_ROOT/scripts/check-units"
contains "the daemon's is looked at" "$(<.check)" "backupd.service"
cp -r "$REPO_ROOT/scripts/systemd" units
export UNITS=$TMP/units
sed -i 's/^WatchdogSec=.*/WatchDogSecs=60/' units/backupd.service
check "a setting that systemd does not know" not "$REPO_ROOT/scripts/check-units"
contains "is named" "$(<.check)" "WatchDogSecs"
cp "$REPO_ROOT/scripts/systemd/backupd.service" units/
rm units/backupd-.service.d/harden.conf
check "a service that may do everything" not "$REPO_ROOT/scripts/check-units"
contains "is named" "$(<.check)" "above 2.0"
cp -r "$REPO_ROOT/scripts/systemd/." units/
sed -i 's/^OnCalendar=.*/OnCalendar=every night/' units/backupd-expire.timer
check "a time that is none" not "$REPO_ROOT/scripts/check-units"

# ---- installed and removed
unset UNITS
check "make install-units puts them where systemd looks" make -C "$REPO_ROOT" --no-print-directory B="$B" DESTDIR="$TMP/d" PREFIX=/usr install-units
same "with the programs' paths" "ExecStart=/usr/bin/backupd daemon" "$(grep '^ExecStart=' d/usr/lib/systemd/system/backupd.service)"
check "and the list of what the others may not" test -s d/usr/lib/systemd/system/backupd-.service.d/harden.conf
check "and what drills may" test -s d/usr/lib/systemd/system/backupd-drill@.service.d/needs.conf
check "and users and directories" test -s d/usr/lib/sysusers.d/backupd.conf -a -s d/usr/lib/tmpfiles.d/backupd.conf
check "make uninstall-units takes all of it away" make -C "$REPO_ROOT" --no-print-directory B="$B" DESTDIR="$TMP/d" PREFIX=/usr uninstall-units
same "nothing is left" "" "$(find d -type f)"
finish
