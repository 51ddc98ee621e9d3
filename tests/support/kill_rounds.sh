# shellcheck shell=bash
# kill -9 of `backupd backup` at seeded random moments; source it after shop.sh. Used by the test and by the proof.
#
#     kill_rounds ROUNDS SEED SIZE
#
# Half of the rounds cut a first night, half a later one (after churn). After each kill: the next run succeeds, what the
# killed run had finished is adopted and not uploaded again, and `restore verify` is clean; every tenth round reads all
# data; the last restores each kind and compares.

# full_packs: how many packs of full size the storage holds.
full_packs() { find "$STORAGE/w" -path '*/pack/*' -size 16777216c | wc -l; }

reset_to() { # TEMPLATE: storage and host as they were saved
    rm -rf "$STORAGE/w" "$STORAGE/ret" "$STORAGE/charter" "$STORAGE/grant" "$HOST/state" "$STATION/state"
    cp -a "$1/storage/." "$STORAGE/"
    [[ ! -d $1/state ]] || cp -a "$1/state" "$HOST/state"
    cp "$1/shop.db" "$HOST/shop.db"
}

save_as() {
    mkdir -p "$1/storage"
    cp -a "$STORAGE/." "$1/storage/"
    [[ ! -d $HOST/state ]] || cp -a "$HOST/state" "$1/state"
    cp "$HOST/shop.db" "$1/shop.db"
}

# one_round NUMBER TEMPLATE MILLISECONDS FULL-BYTES: prints what happened, fails with a reason.
one_round() {
    local round=$1 template=$2 wait_ms=$3 full=$4 pid before complete out stored adopted allowed
    reset_to "$template"
    before=$(full_packs)
    "$BACKUPD" --config "$HOST/backupd.yaml" --quiet backup >"$TMP/killed.log" 2>&1 &
    pid=$!
    sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || [[ $? -ne 137 ]] || killed=$((killed + 1))
    sleep 0.2 # the server ends the session of a client that is gone
    complete=$(($(full_packs) - before))
    out=$("$BACKUPD" --config "$HOST/backupd.yaml" --json backup --no-scrub 2>"$TMP/next.log") ||
        { reason="the next run failed: $(tail -3 "$TMP/next.log")"; return 1; }
    stored=$(summary data_added_packed <<<"$out")
    adopted=$(summary packs_adopted <<<"$out")
    adopted_total=$((adopted_total + adopted))
    # Packs of the killed run that are whole but were not acknowledged yet (one for each connection) go out again.
    if [[ $adopted -lt $((complete - 2)) ]] && [[ $stored -gt 0 ]]; then
        reason="only $adopted of $complete finished packs were adopted"
        return 1
    fi
    allowed=$((full - adopted * 16777216 + 2 * 16777216))
    if [[ $stored -gt $allowed ]]; then
        reason="$stored bytes were stored, at most $allowed were missing"
        return 1
    fi
    local level=(--level L2)
    [[ $((round % 10)) -ne 0 ]] || level=(--read-data)
    shop_restore verify "${level[@]}" >"$TMP/verify.log" 2>&1 ||
        { reason="verify: $(tail -5 "$TMP/verify.log")"; return 1; }
}

kill_rounds() {
    local rounds=$1 seed=$2 size=$3 round template wait_ms span out
    killed=0 adopted_total=0 reason=
    RANDOM=$seed
    shop_database "$HOST/shop.db" "$size" "$seed" >/dev/null
    save_as "$TMP/first"
    local begin=$EPOCHREALTIME
    out=$("$BACKUPD" --config "$HOST/backupd.yaml" --json backup)
    span[0]=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%d", (b - a) * 1000 }')
    full[0]=$(summary data_added_packed <<<"$out")
    "$GEN_SHOP" churn "$HOST/shop.db" --seed "$seed" --night 1 >/dev/null
    save_as "$TMP/later"
    begin=$EPOCHREALTIME
    out=$("$BACKUPD" --config "$HOST/backupd.yaml" --json backup)
    span[1]=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%d", (b - a) * 1000 }')
    full[1]=$(summary data_added_packed <<<"$out")
    printf 'seed %s, database %s, %d rounds; a first night takes %d ms and stores %d bytes, the next %d ms and %d bytes\n' \
        "$seed" "$size" "$rounds" "${span[0]}" "${full[0]}" "${span[1]}" "${full[1]}"
    for ((round = 1; round <= rounds; round++)); do
        local kind=$((round % 2 == 0))
        template=$TMP/first
        [[ $kind -eq 0 ]] || template=$TMP/later
        wait_ms=$((RANDOM * span[kind] / 32768))
        if one_round "$round" "$template" "$wait_ms" "${full[$kind]}"; then
            lib_passed=$((lib_passed + 1))
        else
            fail "round $round, killed after $wait_ms ms" "$reason"
        fi
    done
    printf '%d rounds: %d runs killed, %d finished packs adopted by the next run\n' "$rounds" "$killed" "$adopted_total"
    rm -f "$TMP/back.db"
    check "the last round's database is restored" shop_restore --quiet database latest --to "$TMP/back.db"
    "$GEN_SHOP" fingerprint "$TMP/back.db" | sed "s|$TMP/[^ ]*||" >"$TMP/rows.back"
    "$GEN_SHOP" fingerprint "$HOST/shop.db" | sed "s|$HOST/[^ ]*||" >"$TMP/rows.source"
    check "and every row is the source's" cmp "$TMP/rows.source" "$TMP/rows.back"
}
