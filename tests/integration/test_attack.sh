#!/bin/bash
# Everything on the backup host, its memory included, opens no finished backup: two nights of a small database.
# `make proof-attack` does it with a larger one.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"
# shellcheck source=tests/support/attack_rounds.sh
source "$REPO_ROOT/tests/support/attack_rounds.sh"

attack_rounds 1M "${SEED:-7}" 2
finish
