#!/bin/bash
# The golden repository: read, verified and restored as docs/format.md says, every negative refused by its name, and the
# generator still writes the same bytes.
# shellcheck disable=SC2317  # functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

GOLDEN=$REPO_ROOT/tests/golden
FORMAT_H=$REPO_ROOT/common/repo/format.h
FORMAT_MD=$REPO_ROOT/docs/format.md
# Grants, requests and approvals have theirs in tests/unit/repo and tests/unit/restore.
NO_NEGATIVE=' grant-syntax grant-place envelope-copy stream-length request-syntax request-auth request-expired request-differs'
NO_NEGATIVE+=' approval-syntax approval-auth approval-expired approval-request approval-sessions '

check 'the library agrees with the golden repository and all its negatives' "$TOOLS/golden_check" "$GOLDEN"

# Directories that git does not keep are left out.
same_bytes() {
    TMPDIR=$TMP "$TOOLS/make_golden" "$TMP/$1" && find "$TMP/$1" -type d -empty -delete &&
        diff -r -x README.md "$GOLDEN" "$TMP/$1"
}
check 'the generator writes the same bytes' same_bytes one
check 'and again' same_bytes two

hashes() {
    local kind file hash good=0
    while IFS=$'\t' read -r kind _ _ _ _ hash file _; do
        [[ $kind == stream && $file != - ]] || continue
        [[ $(b2sum -l 256 <"$GOLDEN/expected/$file") == "$hash"* ]] || return 1
        good=$((good + 1))
    done <"$GOLDEN/expected/list.txt"
    [[ $good -gt 5 ]]
}
check 'b2sum -l 256 gives the hashes in the list' hashes

error_names() { grep -oE '^#define ERR_[A-Z_]+ +"[a-z-]+"' "$FORMAT_H" | grep -oE '"[a-z-]+"' | tr -d '"' | sort -u; }
covered() {
    local name
    cat "$GOLDEN"/negatives/*/expect | tr ' ' '\n' | sed 's/^note://' | sort -u >"$TMP/covered"
    for name in $(error_names); do
        [[ $NO_NEGATIVE == *" $name "* ]] || grep -qx -- "$name" "$TMP/covered" || { echo "no negative: $name" && return 1; }
    done
}
check 'every error name has a negative, or is known to have none' covered

described() {
    local name
    for name in $(error_names); do
        grep -qF -- "\`$name\`" "$FORMAT_MD" || { echo "not in docs/format.md: $name" && return 1; }
    done
}
check 'every error name is described' described

check 'there are at least 60 negatives' test "$(find "$GOLDEN/negatives" -mindepth 1 -maxdepth 1 | wc -l)" -ge 60
check 'everything together is below 3 MB' test "$(du -sb "$GOLDEN" | cut -f1)" -lt 3000000

finish
