#!/bin/bash
# When nights are due, against every minute of a year in zones with awkward clocks; all zones: make proof-schedule.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

check "2026" "$TOOLS/calendar_brute" 20261128 2026 1 UTC Europe/Berlin America/New_York Australia/Lord_Howe America/Santiago
check "the year in which Samoa left out a day" "$TOOLS/calendar_brute" 1 2011 1 Pacific/Apia
finish
