#!/bin/bash
# kill -9 of a backup over SFTP at random moments: nothing false, nothing lost, nothing uploaded twice.
# `make proof-kill` does 200 rounds with a larger database.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"
# shellcheck source=tests/support/kill_rounds.sh
source "$REPO_ROOT/tests/support/kill_rounds.sh"

shop_sftp
kill_rounds 10 "${SEED:-7}" 24M
finish
