#!/bin/bash
# Changes of who may do what on storage whose account can only add: which account each needs.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"

mkdir -p "$HOST"
sqlite3 "$HOST/shop.db" 'CREATE TABLE t(a); INSERT INTO t VALUES (1)'
shop_sftp
# shellcheck disable=SC2317  # called through check
key() { "$BACKUPD" --config "$HOST/backupd.yaml" key "$@"; }
root=(--root-key "$SAFE/root.key" --yes)
setup=(--setup-user "$(cat "$SSHD/user")" --setup-key "$SSHD/admin_key")

check "the first night" shop_backup
check "the kit is tried from the host" key verify-kit --kit "$SAFE/restore-kit.txt"
check_fails 1 "the host's account cannot enrol: a writer needs directories" key add-writer "${root[@]}" --to new
contains "the way out is named" "$(<.check)" "--setup-user"
check "no key file is left behind" test -z "$(find new -name '*.key' 2>/dev/null)"
same "no charter either" 1 "$(find "$STORAGE/charter" -type f | wc -l)"
check "an account that may, can" key add-writer "${root[@]}" "${setup[@]}" --to new
check "rotate-writer needs none of that" key rotate-writer shop-db "${root[@]}"
same "three charters, each a file of its own" 3 "$(find "$STORAGE/charter" -type f | wc -l)"
check "the night after" shop_backup
check "the restore station goes on" shop_restore verify --keys
check "and opens it" shop_restore database latest --to back.db
check "key check over the reader's account" "$BACKUPD" --config "$STATION/restore.yaml" key check
finish
