#!/bin/bash
# The test runner counts what tests report, and counts what they do not report as failures.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# script NAME LINE...: makes an executable.
script() {
    local name=$1
    shift
    { echo '#!/bin/bash'; printf '%s\n' "$@"; } >"$name"
    chmod +x "$name"
}

# counted NAME STATUS CLOSING-LINE TEST...
counted() {
    local name=$1 status=0
    local want_status=$2 want=$3
    shift 3
    "$REPO_ROOT/scripts/run-tests" --logs logs --timeout "${limit:-60}" "$@" >out 2>&1 || status=$?
    if [[ $status -eq $want_status && $(tail -n 1 out) == "$want" ]]; then
        pass "$name"
    else
        fail "$name" "status $status, last line '$(tail -n 1 out)'"
        sed 's/^/    /' out
    fi
}

script good 'echo "3 passed, 0 failed"'
script bad 'echo "why it failed"; echo "2 passed, 1 failed"; exit 1'
script quiet_bad 'echo "2 passed, 1 failed"'
script unit 'echo "Running suite(s): x"; echo "80%: Checks: 5, Failures: 1, Errors: 0"; exit 1'
script two_suites 'echo "100%: Checks: 5, Failures: 0, Errors: 0"; echo "100%: Checks: 2, Failures: 0, Errors: 0"'
script silent 'exit 0'
script lying 'echo "4 passed, 0 failed"; exit 3'
script dying 'echo "4 passed, 0 failed"; kill -SEGV $$'
script endless 'sleep 60'
script skipping 'echo "skip - a: no reason"; echo "0 passed, 0 failed"'
script empty 'echo "0 passed, 0 failed"'
script child 'sleep 300 & echo $! >child.pid; echo "1 passed, 0 failed"'

counted "all pass" 0 "3 passed, 0 failed" ./good
counted "a failure is counted and the run goes on" 1 "5 passed, 1 failed" ./good ./bad
contains "the end of a failed log is shown" "$(cat out)" "| why it failed"
counted "a reported failure counts whatever the status" 1 "2 passed, 1 failed" ./quiet_bad
counted "Check's summary is understood" 1 "4 passed, 1 failed" ./unit
counted "several summaries are added" 0 "7 passed, 0 failed" ./two_suites
counted "silence is a failure" 1 "0 passed, 1 failed" ./silent
counted "a status other than 0 is a failure" 1 "4 passed, 1 failed" ./lying
counted "a signal is a failure" 1 "4 passed, 1 failed" ./dying
contains "the signal is named" "$(cat out)" "SIGSEGV"
limit=2 counted "a test without end is stopped" 1 "0 passed, 1 failed" ./endless
counted "a skipped test is no failure" 0 "0 passed, 0 failed" ./skipping
counted "testing nothing is a failure" 1 "0 passed, 1 failed" ./empty
counted "a missing test is a failure" 1 "0 passed, 1 failed" ./missing
counted "no tests at all is a failure" 1 "0 passed, 1 failed"
counted "a test with a child left behind" 0 "1 passed, 0 failed" ./child
check "what a test leaves behind is ended" wait_gone "$(cat child.pid)"
check "there is a log for each test" test -s logs/good.log
for first in good two_suites; do
    printf '1.0 ./good\n1.5 ./two_suites\n9.0 ./%s\nnonsense\n' "$first" >logs/seconds
    counted "two tests, one at a time" 0 "10 passed, 0 failed" --jobs 1 ./good ./two_suites
    same "what took longer the last time begins" "$first" "$(awk 'NR == 1 { print $2 }' out)"
done
check "what it took is remembered" grep -q '^[0-9.]* ./good$' logs/seconds
check_fails 1 "no colours without a terminal" grep -q $'\033' out

# lib.sh itself: a test that stops early or leaves a process is seen.
# shellcheck disable=SC2016 # the inner shell expands them
for how in 'false' 'exit 0' 'echo "$unset_variable"' 'kill -TERM $$'; do
    script early 'set -euo pipefail' "source '$REPO_ROOT/tests/support/lib.sh'" 'pass first' "$how" 'finish'
    counted "a shell test that stops early: $how" 1 "1 passed, 1 failed" ./early
done
script tidy 'set -euo pipefail' "source '$REPO_ROOT/tests/support/lib.sh'" "pwd >'$TMP/where'" \
    "spawn log sleep 300; echo \$SPAWNED >'$TMP/spawned'" 'pass first' 'finish'
counted "a shell test that ends well" 0 "1 passed, 0 failed" ./tidy
check_fails 1 "its directory is gone" test -e "$(cat where)"
check_fails 1 "its processes are gone" kill -0 "$(cat spawned)"
finish
