#!/bin/bash
# The retention policy against cases written by hand, an oracle made from its words alone, and an intruder.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

SEED=${SEED:-$RANDOM}
ask=(python3 "$REPO_ROOT/tests/support/policy_oracle.py" "$TOOLS/policy_decide")

check 'cases by hand: ends of years, DST, gaps, several jobs, holds, tags, floor, erase_after' "${ask[@]}" tables
check "random cases are judged as the oracle judges them (seed $SEED)" "${ask[@]}" random "$SEED" 150
check "1,000 fakes push out nothing and raise an alarm (seed $SEED)" "${ask[@]}" poison "$SEED" 120
finish
