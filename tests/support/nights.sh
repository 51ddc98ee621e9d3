# shellcheck shell=bash
# Many nights of a shop: what a night stores, what it stores again, what a restore fetches, what is left once older snapshots
# have expired. Source it after lib.sh.
#
#     nights_run rows|pages SIZE SEED NIGHTS KEEP restic|alone
#
# rows: the three tables as text, a stream each, as the engines for servers make them; pages: the SQLite file. A night's line
# has the fields of tests/tool/measure_nights.c; with restic three more: what it has on its storage with all snapshots, and
# in a second repository with the last KEEP (`forget --keep-last --prune` after each night). The lines are in $TMP/KIND.txt.

GEN_SHOP=$B/scripts/gen_shop

nights_make() { # KIND DB DIRECTORY
    local table
    mkdir -p "$3"
    if [[ $1 == pages ]]; then
        ln -f "$2" "$3/shop.db"
        return
    fi
    for table in customers orders events; do
        printf '.mode tabs\nSELECT * FROM %s ORDER BY id;\n' "$table" | sqlite3 "$2" >"$3/$table.copy"
    done
}

nights_bytes() { find "$1" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'; }

nights_restic() { # KIND DIRECTORY KEEP: prints " restic=.. restic_kept=.."
    local kind=$1 keep=$3 repo
    export RESTIC_PASSWORD=nights RESTIC_CACHE_DIR=$TMP/restic-cache
    for repo in "$TMP/$kind.restic" "$TMP/$kind.restic-kept"; do
        [[ -d $repo ]] || restic -q -r "$repo" init >/dev/null
        restic -q -r "$repo" backup --host shop "$2" >/dev/null
    done
    restic -q -r "$TMP/$kind.restic-kept" forget --group-by host --keep-last "$keep" --prune >/dev/null
    printf ' restic=%d restic_kept=%d' "$(nights_bytes "$TMP/$kind.restic")" "$(nights_bytes "$TMP/$kind.restic-kept")"
}

nights_run() {
    local kind=$1 size=$2 seed=$3 nights=$4 keep=$5 with=$6 night line beside status=0
    local db=$TMP/$kind.shop dir=$TMP/$kind.night
    "$GEN_SHOP" create "$db" --size "$size" --seed "$seed" >/dev/null
    mkfifo "$TMP/$kind.in" "$TMP/$kind.out"
    "$TOOLS/measure_nights" --keep "$keep" "$TMP/$kind.repository" - <"$TMP/$kind.in" >"$TMP/$kind.out" &
    local measure=$!
    exec {to}>"$TMP/$kind.in" {from}<"$TMP/$kind.out"
    for ((night = 0; night < nights; night++)); do
        [[ $night -eq 0 ]] || "$GEN_SHOP" churn "$db" >/dev/null
        nights_make "$kind" "$db" "$dir"
        printf '%s\n' "$dir" >&"$to"
        read -r line <&"$from" || break
        beside=
        [[ $with != restic ]] || beside=$(nights_restic "$kind" "$dir" "$keep")
        printf '%s%s\n' "$line" "$beside" >>"$TMP/$kind.txt"
    done
    exec {to}>&- {from}<&-
    wait "$measure" || status=$?
    check "$kind: $nights nights were backed up and restored" test "$status" -eq 0 -a "$night" -eq "$nights"
}

# nights_max KIND EXPRESSION: the largest value of an awk expression over the fields (f["stored"] and so on).
nights_max() {
    awk '{ for (i = 1; i <= NF; i++) { split($i, part, "="); f[part[1]] = part[2] } v = '"$2"'; if (NR == 1 || v > m) m = v }
        END { printf "%.3f\n", m }' "$TMP/$1.txt"
}

nights_table() { # KIND EVERY
    awk -v every="$2" '
        function mb(n) { return sprintf("%.1f", n / 1e6) }
        { for (i = 1; i <= NF; i++) { split($i, part, "="); f[part[1]] = part[2] }
          total += f["stored"]
          if (NR == 1) printf "%6s %9s %8s %8s %8s %8s %6s %9s %9s %9s %9s\n", "night", "read", "new", "tables", "drain", "stored",
              "ampl.", "all", "kept", "restic", "its kept"
          if (NR <= 3 || NR % every == 0) printf "%6d %9s %8s %8s %8s %8s %6.2f %9s %9s %9s %9s\n", f["night"] + 1, mb(f["logical"]),
              mb(f["fresh"]), mb(f["gathered"]), mb(f["drained"]), mb(f["stored"]), f["amplification"], mb(total), mb(f["kept"]),
              f["restic"] == "" ? "-" : mb(f["restic"]), f["restic"] == "" ? "-" : mb(f["restic_kept"]) }' "$TMP/$1.txt"
}

# What must hold for every night. A night may always take 1 MiB, whatever a twentieth of it is.
nights_check() { # KIND
    local again='f["gathered"] + f["drained"] - (f["logical"] / 20 > 1048576 ? f["logical"] / 20 : 1048576)'
    check "$1: a restore never fetched twice what it took on the first night ($(nights_max "$1" 'f["amplification"]'))" \
        awk -v v="$(nights_max "$1" 'f["amplification"]')" 'BEGIN { exit !(v < 2) }'
    check "$1: at most 5 % of a night (or 1 MiB) was stored again ($(nights_max "$1" '100 * (f["gathered"] + f["drained"]) / f["logical"]') %)" \
        awk -v v="$(nights_max "$1" "$again")" 'BEGIN { exit !(v <= 0) }'
    same "$1: nothing on the second night" 0.000 "$(head -n 2 "$TMP/$1.txt" >"$TMP/two.txt" && nights_max two 'f["gathered"] + f["drained"]')"
}
