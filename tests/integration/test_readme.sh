#!/bin/bash
# The README's tour, line by line as it stands there, with its paths moved into a private directory.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
# shellcheck source=tests/support/shop.sh
source "$REPO_ROOT/tests/support/shop.sh"
# shellcheck source=tests/support/postgres.sh
source "$REPO_ROOT/tests/support/postgres.sh"

tour() {
    sed -n '/^## Five minutes/,/^## What is where/p' "$REPO_ROOT/README.md" |
        sed "s#/srv/backup/#$TMP/srv/#; s#/etc/backupd/#$TMP/etc/#; s#/var/lib/backupd#$TMP/state#; s#/var/www/shop/#$TMP/www/#"
}

mkdir -p "$TMP/srv/shop" "$TMP/www/uploads/2026"
shop_database "$TMP/www/shop.db" 4M 5 >/dev/null
cp "$REPO_ROOT"/docs/*.md "$TMP/www/uploads"
ln -s ../README.md "$TMP/www/uploads/2026/readme"
"$REPO_ROOT/tests/fixture/postgres.sh" start "$PG"
at_end "$REPO_ROOT/tests/fixture/postgres.sh" stop "$PG"
PGSOCK=$(readlink "$PG/socket")
pg_createdb shop
pg_fill shop
# How psql finds the server is the environment's matter, as on the reader's machine.
export PGHOST=$PGSOCK PGUSER=postgres
PATH=$B:$PATH

in_yaml=''
commands=0
while IFS= read -r line; do
    case $line in
    '```yaml') in_yaml=yes ;;
    '```') in_yaml= ;;
    '    backupd '* | '    restore '* | '    createdb '*)
        read -ra words <<<"$line"
        commands=$((commands + 1))
        check "${words[*]//"$TMP/"/}" "${words[@]}"
        ;;
    *) [[ -z $in_yaml ]] || printf '%s\n' "$line" >>backupd.yaml ;; # a later block goes below the first one
    esac
done < <(tour)
check "the tour has its commands" test "$commands" -ge 14
check "what came back is the database" cmp "$TMP/www/shop.db" ./shop-restored.db
same "and the PostgreSQL database" "$(pg_sums shop)" "$(pg_sums shop_restored)"
check "and the directory" diff -r --no-dereference "$TMP/www/uploads" ./uploads-restored

kit=(--storage "$TMP/srv/shop" --kit ./safe/restore-kit.key)
writer=$("$B/restore" "${kit[@]}" show shop-db/1 | sed -n 's/^writer: *\([0-9a-f]*\),.*/\1/p')
pack=$(find "$TMP/srv/shop/w/$writer/pack" -name '00000001-000000.*')
chmod u+w "$pack"
printf 'X' | dd of="$pack" bs=1 seek=40000 conv=notrunc status=none
check_fails 9 "a changed byte is found" "$B/restore" "${kit[@]}" verify --read-data
contains "and its file is named" "$("$B/restore" "${kit[@]}" verify --read-data 2>&1 || true)" "$(basename "$pack")"
check_fails 9 "and the restore is refused" "$B/restore" "${kit[@]}" database latest --job shop-db --to ./again.db
check_fails 1 "with nothing left behind" test -e ./again.db
finish
