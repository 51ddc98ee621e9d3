#!/bin/bash
# A dozen nights of a small shop: see tests/proof/nights.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/nights.sh
source "$REPO_ROOT/tests/support/nights.sh"

for kind in rows pages; do
    nights_run "$kind" 16M 1 12 4 alone
    nights_table "$kind" 3
    nights_check "$kind"
done
# It is not that nothing was to be done.
check "rows: something was stored again" awk -v v="$(nights_max rows 'f["gathered"] + f["drained"]')" 'BEGIN { exit !(v > 0) }'
finish
