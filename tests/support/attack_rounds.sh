# shellcheck shell=bash
# The attack on a backup host; source it after lib.sh and shop.sh. Used by the test and by the proof.
#     attack_rounds SIZE SEED NIGHTS
#
# The intruder gets all of $HOST (keys, state, the database itself), the repository, and $DUMPS: the memory of each
# backup at its end, of an idle process that has made a backup, and of that process at its end. Not $SAFE.

ATTACK=$TOOLS/attack
MEMDUMP=$TOOLS/memdump
IDLE=$TOOLS/idle_session
DUMPS=$TMP/dumps
CONTROL=$TMP/control
# Nobody's choice: what the randomness of the one seeded session is made of, so that its one-time key is known, too.
SESSION_SEED=$(printf '%064d' 20261124)

attack() { "$ATTACK" --repo "$STORAGE" "${writer_keys[@]}" "$@"; }
attack_find() { "$ATTACK" find --repo "$STORAGE" "${writer_keys[@]}" --kit "$SAFE/restore-kit.key" "$@"; }

# dumped_backup NIGHT
dumped_backup() {
    "$MEMDUMP" --at-exit "$DUMPS/night-$1" -- \
        "$BACKUPD" --config "$HOST/backupd.yaml" --json backup >"$TMP/night.json" 2>"$TMP/night.log" ||
        { cat "$TMP/night.log"; return 1; }
    printf 'night %s: %s bytes stored, %s\n' "$1" "$(summary data_added_packed <"$TMP/night.json")" \
        "$(grep -o '[0-9]* bytes of mappings' "$TMP/night.log")"
}

# A writer's key that no job uses.
spare_key() {
    local key id
    for key in "$HOST"/keys/writer-*.key; do
        id=${key##*/writer-}
        grep -q "${id%.key}" "$HOST/state/shop/jobs" || { printf '%s\n' "$key"; return; }
    done
}

said() { grep -q "^$1\$" "$2"; }
exists() { [[ -s $1 ]]; }
settled() { exists "$1" && exists "$1.maps" && grep -q "memdump: $1: " "$2"; }

# idle_run LOG [MEMDUMP-ARGS --] IDLE-ARGS...: in the background, its input held open by descriptor 7.
idle_run() {
    local log=$1
    shift
    rm -f "$TMP/input"
    mkfifo "$TMP/input"
    "$@" <"$TMP/input" >"$log" 2>&1 7>&- &
    IDLE_PID=$!
    lib_children+=("$IDLE_PID")
    exec 7>"$TMP/input"
}

attack_sessions() {
    local key id
    key=$(spare_key)
    idle_run "$TMP/idle.log" "$MEMDUMP" --on-usr1 "$DUMPS/idle" --at-exit "$DUMPS/idle-ended" -- \
        "$IDLE" run "$STORAGE" "$key" "$HOST/state/idle" "$HOST/shop.db"
    check "a process makes a backup and idles" wait_for 120 said idle "$TMP/idle.log"
    kill -USR1 "$IDLE_PID"
    check "its memory is dumped while it idles" wait_for 60 settled "$DUMPS/idle" "$TMP/idle.log"
    exec 7>&-
    check "and at its end" wait_gone "$IDLE_PID" 60
    check "that dump is there" settled "$DUMPS/idle-ended" "$TMP/idle.log"

    # The control of the whole way from memory to open packs: the same program while its session lives.
    "$GEN_SHOP" churn "$HOST/shop.db" >/dev/null
    idle_run "$TMP/live.log" "$MEMDUMP" --on-usr1 "$CONTROL/live" --at-exit "$DUMPS/live-ended" -- \
        "$IDLE" run --seed "$SESSION_SEED" --pause yes "$STORAGE" "$key" "$HOST/state/idle" "$HOST/shop.db"
    check "a process is in the middle of a backup" wait_for 120 said running "$TMP/live.log"
    kill -USR1 "$IDLE_PID"
    check "its memory is dumped, too" wait_for 60 settled "$CONTROL/live" "$TMP/live.log"
    printf '\n' >&7
    check "it ends its backup" wait_for 120 said idle "$TMP/live.log"
    exec 7>&-
    wait_gone "$IDLE_PID" 60
    id=${key##*/writer-}
    LIVE_SESSION=${id%.key}/$(sed -n 's/^session \([0-9]*\):.*/\1/p' "$TMP/live.log")
}

# expect_open NAME SESSIONS KIND FILE: exit 1, packs of so many sessions, the live one among them, by this kind of key.
expect_open() {
    local name=$1 sessions=$2 kind=$3 file=$4 status=0 got
    attack --control-file "$file" >"$TMP/control.log" 2>&1 || status=$?
    got=$(grep -c '^session ' "$TMP/control.log" || true)
    if [[ $status -eq 1 && $got -eq $sessions ]] && grep -q "^  $kind at " "$TMP/control.log" &&
        { [[ $sessions -eq 0 ]] || grep -q "^session $LIVE_SESSION: " "$TMP/control.log"; }; then
        pass "$name"
    else
        fail "$name" "status $status, $got sessions"
        sed 's/^/    /' "$TMP/control.log"
    fi
}

attack_controls() {
    local s kind file all
    mkdir -p "$CONTROL/keys"
    "$ATTACK" control --repo "$STORAGE" "${writer_keys[@]}" --kit "$SAFE/restore-kit.key" \
        --session "$LIVE_SESSION" --seed "$SESSION_SEED" --out "$CONTROL/keys"
    # file:sessions:kind. Keys of a snapshot object open no pack; R opens all sessions.
    all=$(find "$STORAGE"/w/*/snap -type f | wc -l)
    for s in s:1:S k_s:1:K_s k_p:1:K_p message_key:1:'message key' k_n:0:K_n k_n_cipher:0:'cipher key of K_n' \
        k_n_message:0:'message key of a snapshot object' shared_point:1:'shared point' box_key:1:'box key' \
        box_message:1:'message key of a box' ephemeral:1:'ephemeral key' ephemeral_digits:1:'ephemeral key' \
        k_s_hex:1:K_s k_s_doubled:1:K_s "r:$all:R"; do
        file=${s%%:*}
        kind=${s##*:}
        s=${s#*:}
        expect_open "control: $file in a file opens" "${s%%:*}" "$kind" "$CONTROL/keys/$file"
    done
    s=$(tail -c +4100 "$CONTROL/keys/s" | head -c 32 | od -An -v -tx1 | tr -d ' \n')
    check_fails 1 "control: S of one session opens that session and no other" attack --control-s "$s:$LIVE_SESSION"
    check_fails 3 "control: the wrong session would be noticed" attack --control-s "$s:${LIVE_SESSION%/*}/1"
    check_fails 0 "W and V open nothing" attack "$CONTROL/keys/w" "$CONTROL/keys/v"
    expect_open "control: the memory of a backup under way opens its session, no other" 1 K_s "$CONTROL/live"
    check_fails 1 "control: pieces of its keys are found in it" attack_find --seed "$SESSION_SEED" "$CONTROL/live"
}

# The dump tool itself, as a user without rights. An array and no function: the process id is the program's.
plain=()
[[ $(id -u) -ne 0 ]] || plain=(setpriv --reuid 65534 --regid 65534 --clear-groups)

attack_plain_user() {
    local dir=$TMP/plain victim
    chmod 711 "$TMP"
    mkdir -p "$dir"
    cp "$MEMDUMP" "$IDLE" "$dir"
    "$GEN_SHOP" create "$dir/shop.db" --size 1M >/dev/null
    [[ $(id -u) -ne 0 ]] || chown -R 65534:65534 "$dir"
    "${plain[@]}" "$dir/idle_session" init "$dir/repo" "$dir/host" "$dir/safe"
    idle_run "$TMP/plain.log" "${plain[@]}" "$dir/idle_session" run "$dir/repo" "$dir/host/writer.key" "$dir/state" "$dir/shop.db"
    check "a process of a plain user idles" wait_for 60 said idle "$TMP/plain.log"
    victim=$IDLE_PID
    same "it is the program itself" idle_session "$(cat "/proc/$victim/comm")"
    check_fails 1 "another process of the same user cannot dump it" "${plain[@]}" "$dir/memdump" "$victim" "$dir/dump"
    if [[ $(id -u) -eq 0 ]]; then
        check "root can" "$MEMDUMP" "$victim" "$DUMPS/by-root"
        check "it goes on afterwards" kill -0 "$victim"
    fi
    exec 7>&-
    check "it ends" wait_gone "$victim" 30
    check "who started it can dump its end without root" \
        "${plain[@]}" "$dir/memdump" --at-exit "$dir/dump" -- "$dir/idle_session" run "$dir/repo" "$dir/host/writer.key" \
        "$dir/state" "$dir/shop.db" </dev/null
    local args=(--repo "$dir/repo" --writer-keys "$dir/host/writer.key" "$dir/dump" "$dir/host" "$dir/state")
    [[ ! -e $DUMPS/by-root ]] || args+=("$DUMPS/by-root")
    check "nothing opens that user's repository either" "$ATTACK" "${args[@]}"
    check "nor is there a piece of a key" "$ATTACK" find --kit "$dir/safe/kit.key" "${args[@]}"
    rm -f "$DUMPS/by-root" "$DUMPS/by-root.maps"
}

attack_rounds() {
    local size=$1 seed=$2 nights=$3 night key status=0
    printf 'seed %s, database %s, %s nights\n' "$seed" "$size" "$nights"
    mkdir -p "$DUMPS" "$CONTROL"
    shop_local
    writer_keys=()
    for key in "$HOST"/keys/writer-*.key; do
        writer_keys+=(--writer-keys "$key")
    done
    shop_database "$HOST/shop.db" "$size" "$seed"
    for ((night = 1; night <= nights; night++)); do
        check "night $night" dumped_backup "$night"
        cat "$TMP/.check"
        "$GEN_SHOP" churn "$HOST/shop.db" >/dev/null
    done
    attack_sessions
    attack "$HOST" "$DUMPS" "$STORAGE" >"$TMP/attack.log" 2>&1 || status=$?
    cat "$TMP/attack.log"
    same "nothing on the host opens anything" 0 "$status"
    contains "every session was tried" "$(cat "$TMP/attack.log")" \
        ", $(find "$STORAGE"/w/*/snap -type f | wc -l) sessions ("
    status=0
    attack_find --seed "$SESSION_SEED" "$HOST" "$DUMPS" >"$TMP/find.log" 2>&1 || status=$?
    cat "$TMP/find.log"
    same "whoever knows the keys finds no piece of 8 bytes of them there" 0 "$status"
    attack_controls
    attack_plain_user
}
