# shellcheck shell=bash
# A repository of three nights to tamper with; source it after shop.sh.
#     tamper_rounds SIZE SEED FLIPS RESTORE-PROGRAM
tamper_rounds() {
    local size=$1 seed=$2 flips=$3 program=$4 status=0
    shop_local
    shop_database "$HOST/shop.db" "$size" "$seed"
    shop_backup --quiet
    "$GEN_SHOP" churn "$HOST/shop.db" --seed "$seed" --night 1
    shop_backup --quiet
    "$GEN_SHOP" churn "$HOST/shop.db" --seed "$seed" --night 2
    shop_backup --quiet
    check "the untouched repository verifies" shop_restore verify --read-data
    shop_restore cat shop-db/3 shop.db >"$TMP/expected"
    mkdir -p "$TMP/work"
    python3 "$REPO_ROOT/tests/support/tamper.py" --restore "$program" --storage "$STORAGE" \
        --kit "$SAFE/restore-kit.key" --snapshot shop-db/3 --stream shop.db --expected "$TMP/expected" \
        --work "$TMP/work" --state "$STATION/state/restore/shop" --seed "$seed" --flips "$flips" >"$TMP/tamper.log" || status=$?
    cat "$TMP/tamper.log"
    lib_passed=$((lib_passed + $(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$TMP/tamper.log")))
    lib_failed=$((lib_failed + $(sed -n 's/^[0-9]* passed, \([0-9]*\) failed/\1/p' "$TMP/tamper.log")))
    [[ $status -eq 0 || $lib_failed -gt 0 ]] || fail "tamper.py" "status $status"
}
