#!/bin/bash
# When nights are due, against every minute of a year in zones with awkward clocks; all zones: make proof-schedule.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# year YEAR ZONE...
year() {
    local zone from to
    from=$(date -d "$1-01-01" +%s) to=$(date -d "$(($1 + 1))-01-01" +%s)
    for zone in "${@:2}"; do printf '%s %s %s\n' "$zone" "$from" "$to"; done | "$TOOLS/calendar_brute" 20261128 3
}
check "2026" year 2026 UTC Europe/Berlin America/New_York Australia/Lord_Howe America/Santiago
check "the year in which Samoa left out a day" year 2011 Pacific/Apia
check "Liberia, whose clocks showed odd seconds until January 1972" \
    "$TOOLS/calendar_brute" 1 8 <<<"Africa/Monrovia $(date -d 1972-01-05 +%s) $(date -d 1972-01-09 +%s)"
"$REPO_ROOT/tests/support/clock_spans.py" 1 2025 2 0 >spans.txt 2>counts.txt
check "the days around twenty changes of clocks, drawn from all there were since 1970" \
    bash -c 'shuf -n 20 --random-source=<(yes) <(tail -n +66 spans.txt) | "$TOOLS/calendar_brute" 7 4'
finish
