#!/bin/bash
# SQLite databases with hostile file names, there and back; a name that cannot be one is refused.
set -euo pipefail
# shellcheck source=tests/support/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

# shellcheck disable=SC2016  # nothing may expand
names=('a b.db' 'it'\''s $(touch pwned).db' $'esc\e[2Jape.db' $'two\nlines.db' 'ünï; cure.db' '-n.db' 'file:x?mode=memory' '%2e%2e.db')
mkdir storage
{
    printf 'state: state\nrepositories:\n  main: { storage: { type: local, path: %s/storage } }\njobs:\n' "$TMP"
    i=0
    for name in "${names[@]}"; do
        sqlite3 -batch "$TMP/plain.db" "CREATE TABLE t (n); INSERT INTO t VALUES ($i)"
        mv -- "$TMP/plain.db" "$TMP/$name"
        printf '  j%d: { engine: sqlite, path: %s }\n' "$i" \
            "$(python3 -c 'import json, re, sys; print(json.dumps(re.sub(r"([*?[])", r"\\\1", sys.argv[1])))' "$TMP/$name")"
        i=$((i + 1))
    done
} >c.yaml
kit=(--storage "$TMP/storage" --kit safe/restore-kit.key)

check "init" "$BACKUPD" --config c.yaml init --safe safe --kit-unconfirmed --no-kit-passphrase
check "every database is backed up" "$BACKUPD" --config c.yaml backup
cp .check said
i=0
for name in "${names[@]}"; do
    check "j$i: restore database" "$RESTORE" "${kit[@]}" database "j$i/1" --to "back-$i.db"
    same "j$i: its row" "$i" "$(sqlite3 -batch "back-$i.db" 'SELECT n FROM t')"
    "$RESTORE" "${kit[@]}" cat "j$i/1" -- "$name" >"cat-$i" 2>>said || true
    check "j$i: restore cat, by its name" cmp -- "$TMP/$name" "cat-$i"
    check "j$i: restore files" "$RESTORE" "${kit[@]}" files "j$i/1" --to "files-$i"
    check "j$i: the file has its name" cmp -- "$TMP/$name" "files-$i/$name"
    "$RESTORE" "${kit[@]}" ls "j$i/1" >>said 2>&1
    i=$((i + 1))
done
same "nothing raw reaches the terminal" 0 "$(grep -c $'\e' said || true)"
check "nothing was run" not test -e pwned
cat >>c.yaml <<'END'
  bad: { engine: sqlite, path: a.db, name: ../up.db }
END
check_fails 2 "a name that leads out" "$BACKUPD" --config c.yaml check database bad
finish
