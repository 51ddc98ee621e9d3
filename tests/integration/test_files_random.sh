#!/bin/bash
# Random trees, backed up, changed, backed up again, and both restored: what comes back is what was there, as an
# independent program sees it. FROM and TO choose the seeds: many more than the few here for a longer look.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
source "$REPO_ROOT/tests/support/files.sh"

list_tree() { python3 "$REPO_ROOT/tests/support/tree_list.py" "$@"; }
random_tree() { python3 "$REPO_ROOT/tests/support/random_tree.py" "$@"; }

# backup_and_list NAME: the tree as it is, into NAME.list and NAME.json
backup_and_list() { list_tree tree >"$1.list" && files_backup --json >"$1.json"; }

# comes_back NAME
comes_back() {
    files_restore "$(summary snapshot_id <"$1.json")" --to "$1" --preserve-setid --unsafe-links &&
        list_tree "$1" >"$1.back" && diff "$1.list" "$1.back"
}

# part_comes_back NAME: one member of the top alone, with what is in it
part_comes_back() {
    local member
    member=$(cd "$1" && find . -mindepth 1 -maxdepth 1 -name '[abcxyz][0-9]*' | LC_ALL=C sort | head -n 1)
    [[ $member ]] || return 0
    files_restore "$(summary snapshot_id <"$1.json")" --to part --preserve-setid --unsafe-links "$member" &&
        diff <(list_tree --no-links "$1" | grep -F "b'${member#./}" | grep -e "^b'${member#./}['/]") \
            <(list_tree --no-links part)
}

files_setup tree
for ((seed = ${FROM:-1}; seed <= ${TO:-6}; seed++)); do
    rm -rf tree first second part
    random_tree make tree "$seed"
    check "seed $seed: first night" backup_and_list first
    random_tree change tree "1000$seed"
    check "seed $seed: second night" backup_and_list second
    check "seed $seed: the first comes back" comes_back first
    check "seed $seed: the second comes back" comes_back second
    check "seed $seed: a part of it" part_comes_back second
done
finish
