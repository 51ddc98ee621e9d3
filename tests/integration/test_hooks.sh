#!/bin/bash
# The programs of a job that run before and after it: order, failures, and that `after` is never left out.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

mkdir store bin
# job LINES...
job() {
    {
        printf 'state: %s/state\nrepositories:\n  main:\n' "$TMP"
        printf '    storage: { type: local, path: %s/store }\njobs:\n  night:\n    engine: files\n    path: %s/mount\n' "$TMP" "$TMP"
        printf '    %s\n' "$@"
    } >c.yaml
}
backup() { "$BACKUPD" --config c.yaml backup "$@"; }
published() { find store/w/*/log -type f | wc -l; }

# `make` is what lvcreate and mount are in life.
cat >bin/make <<END
#!/bin/bash
echo "\$BACKUPD_HOOK \$BACKUPD_JOB \${BACKUPD_RESULT-none} \$*" >>$TMP/said
mkdir $TMP/mount && echo data >$TMP/mount/file
END
cat >bin/unmake <<END
#!/bin/bash
echo "\$BACKUPD_HOOK \$BACKUPD_JOB \$BACKUPD_RESULT" >>$TMP/said
rm -r $TMP/mount
END
chmod +x bin/*
job "before: [$TMP/bin/make, 'two words', \$HOME]" "after: [$TMP/bin/unmake]"
"$BACKUPD" --config c.yaml init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null
check "the source is there when it is looked at" backup
# shellcheck disable=SC2016 # no shell expands it
same "in this order, no shell between" $'before night none two words $HOME\nafter night published' "$(<said)"
check "and gone afterwards" not test -e mount

check "check database runs neither" "$BACKUPD" --config c.yaml check database
contains "and says so" "$(<.check)" "was not run"
same "nothing was said" 2 "$(wc -l <said)"

# ---- before fails
before=$(published)
job "before: [/bin/sh, -c, 'mkdir $TMP/mount; echo no room >&2; exit 3']" "after: [$TMP/bin/unmake]"
check_fails 1 "before fails: so does the run" backup
contains "with its last words" "$(<.check)" "no room"
same "after ran all the same" "after night failed" "$(tail -n 1 said)"
same "nothing is published" "$before" "$(published)"
job "before: [/bin/sleep, '600']" "after: [$TMP/bin/unmake]" "hook_timeout: 1s"
mkdir mount
check_fails 1 "before hangs: it is killed" backup
same "and after ran" "after night failed 3" "$(tail -n 1 said) $(grep -c after said)"
rm -rf mount

# ---- what a hook starts in a session of its own: ends with a hook that is killed, and with no other
cat >bin/leave <<END
#!/bin/bash
setsid sleep 315.$$ </dev/null >/dev/null 2>&1 &
(setsid sh -c 'sleep 315.$$ >/dev/null 2>&1 &' &)
env >$TMP/hook.env
until [[ \$(pgrep -c -f "^sleep 315\.$$\\\$") == 2 ]]; do sleep 0.1; done
[[ \$1 == go ]] || sleep 600
mkdir -p $TMP/mount
END
chmod +x bin/leave
left() { [[ $(pgrep -c -f "^sleep 315\.$$\$") == "$1" ]]; }
job "before: [$TMP/bin/leave, stay]" "hook_timeout: 2s"
check_fails 1 "a hook that hangs" backup
contains "says so" "$(<.check)" "took too long and was stopped"
check "it had started something" grep -q ^BACKUPD_CHILD= hook.env
check "which has ended with it" left 0
same "a run by hand is not one of the daemon's" 0 "$(grep -c ^BACKUPD_RUN= hook.env)"
job "before: [$TMP/bin/leave, go]"
check "one that ends by itself" backup
check "what it has started goes on" left 2
before=$(published)
for pid in $(pgrep -f "^sleep 315\.$$\$"); do kill -KILL "$pid"; done
rm -rf mount

# ---- the run fails
job "before: [/bin/mkdir, $TMP/mount]" "after: [$TMP/bin/unmake]" "one_file_system: perhaps"
check_fails 2 "the run fails" backup
same "after ran" "after night failed 4" "$(tail -n 1 said) $(grep -c after said)"

# ---- after fails
job "before: [$TMP/bin/make]" "after: [/bin/sh, -c, 'echo device is busy >&2; exit 1']"
check_fails 3 "after fails: the snapshot is there, the status says so" backup
contains "why" "$(<.check)" "device is busy"
same "it was published" $((before + 1)) "$(published)"
rm -r mount

# ---- stopped, and two at once
mkfifo gate
job "before: [$TMP/bin/make]" "after: [$TMP/bin/unmake]"
cat >bin/wait <<END
#!/bin/bash
$TMP/bin/make
echo ready >$TMP/ready
read -r _ <$TMP/gate
END
chmod +x bin/wait
job "before: [$TMP/bin/wait]" "after: [$TMP/bin/unmake]"
spawn run.log "$BACKUPD" --config c.yaml backup
run=$SPAWNED
check "the first waits in its hook" wait_for 20 test -s ready
lines=$(wc -l <said)
check_fails 11 "a second run of the job keeps off" backup
same "and runs no hook" "$lines" "$(wc -l <said)"
kill -TERM "$run"
status=0
wait "$run" || status=$?
same "a stop ends the run" 130 "$((status == 143 ? 130 : status))"
same "after ran" "after night failed" "$(tail -n 1 said)"
check "the source is gone" not test -e mount

# ---- mistakes
job "before: make"
check_fails 2 "a line for a shell" backup
contains "is refused with the form" "$(<.check)" "[PROGRAM, ARG, ...]"
job "before: [make]"
check_fails 2 "a program without its path" backup
contains "is refused" "$(<.check)" "needs its whole path"
# ---- on_failure, and an `after` that a killed run left out
cat >bin/cry <<END
#!/bin/bash
echo "\$BACKUPD_HOOK \$BACKUPD_JOB \$BACKUPD_RESULT: \$BACKUPD_ERROR" >>$TMP/cries
END
chmod +x bin/cry
rm -rf mount said
job "before: [$TMP/bin/make]" "after: [$TMP/bin/unmake]" "on_failure: [$TMP/bin/cry]"
check "a good run" backup
check "on_failure has nothing to do" not test -e cries
job "before: [/bin/sh, -c, 'echo no room >&2; exit 3']" "after: [/bin/true]" "on_failure: [$TMP/bin/cry]"
check_fails 1 "a run that fails" backup
contains "on_failure hears why" "$(<cries)" "on_failure night failed: before:"
contains "in its words" "$(<cries)" "no room"
rm -f ready
job "before: [$TMP/bin/wait]" "after: [$TMP/bin/unmake]"
spawn run.log "$BACKUPD" --config c.yaml backup
run=$SPAWNED
check "it is in its hook" wait_for 20 test -s ready
kill -KILL "$run"
wait "$run" 2>/dev/null || true
check "the mark is there" test -e state/main/hooks-night.begun
job "before: [$TMP/bin/make]" "after: [$TMP/bin/unmake]"
check "the next run begins with the other's after" backup
same "before its own hooks" $'after night failed\nbefore night none \nafter night published' "$(tail -n 3 said)"
check "and the mark is gone" not test -e state/main/hooks-night.begun
finish
