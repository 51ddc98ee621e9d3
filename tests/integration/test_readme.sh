#!/bin/bash
# The README's tour, command by command as it stands there, with its paths moved into a private directory.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"

tour() { sed -n '/^## Five minutes/,/^## What is where/p' "$REPO_ROOT/README.md"; }
here() { sed "s#/srv/backup/#$TMP/srv/#; s#/etc/backupd/#$TMP/etc/#; s#/var/lib/backupd#$TMP/state#; s#/var/www/shop/#$TMP/www/#"; }

mkdir -p "$TMP/srv/shop" "$TMP/www"
shop_database "$TMP/www/shop.db" 4M 5 >/dev/null
# shellcheck disable=SC2016  # the backquotes are Markdown's
tour | sed -n '/^```yaml/,/^```/p' | sed '1d;$d' | here >backupd.yaml
PATH=$B:$PATH
mapfile -t commands < <(tour | sed -n 's/^    \(\(backupd\|restore\) .*\)/\1/p' | here)
check "the tour has its commands" test ${#commands[@]} -ge 8
for command in "${commands[@]}"; do
    read -ra words <<<"$command"
    check "${command//"$TMP/"/}" "${words[@]}"
done
check "what came back is the database" cmp "$TMP/www/shop.db" ./shop-restored.db
pack=$(find "$TMP/srv/shop" -path '*/pack/*' -type f | head -1)
chmod u+w "$pack"
printf 'X' | dd of="$pack" bs=1 seek=40000 conv=notrunc status=none
kit=(--storage "$TMP/srv/shop" --kit ./safe/restore-kit.key)
check_fails 9 "a changed byte is found" "$B/restore" "${kit[@]}" verify --read-data
contains "and its file is named" "$("$B/restore" "${kit[@]}" verify --read-data 2>&1 || true)" "$(basename "$pack")"
check_fails 9 "and the restore is refused" "$B/restore" "${kit[@]}" database latest --to ./again.db
check_fails 1 "with nothing left behind" test -e ./again.db
finish
