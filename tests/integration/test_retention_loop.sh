#!/bin/bash
# Four writers and a retention host as processes that are paused over each other's runs, killed, and lied to about the time:
# what a writer confirmed restores, nothing is void that should not be, the space comes free. 20 writers: make
# proof-retention-loop.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# Thousands of flushes that no power cut will ever test.
if [[ -w /dev/shm ]]; then export TMPDIR=/dev/shm; fi
seed=${SEED:-20261128}
check "four writers, 120 rounds, seed $seed" "$TOOLS/retention_loop" 4 120 "$seed"
finish
