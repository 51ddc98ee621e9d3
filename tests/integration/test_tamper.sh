#!/bin/bash
# Every object of a small repository changed in every way: named, refused, exit code 9.
# `make proof-tamper` does it with more bits and under ASan and UBSan.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"
# shellcheck source=tests/support/tamper.sh
source "$REPO_ROOT/tests/support/tamper.sh"

tamper_rounds 2M "${SEED:-3}" 2 "$RESTORE"
finish
