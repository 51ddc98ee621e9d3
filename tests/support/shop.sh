# shellcheck shell=bash
# A shop's backup host and restore station for integration tests and proofs; source it after lib.sh.
#
#     shop_database FILE SIZE [SEED]      a database from gen-shop
#     shop_sftp                           starts the private sshd with write-once accounts, makes the repository
#     shop_local                          the same in a local directory
#     shop_backup [ARGS]                  backupd backup
#     shop_restore ARGS                   the restore program with the kit
#
# Paths: $HOST (state, keys, backupd.yaml), $SAFE (the kit), $STATION, $STORAGE (the repository as this machine sees it).
# The database is $HOST/shop.db.

HOST=$TMP/host
SAFE=$TMP/safe
STATION=$TMP/station
STORAGE=$TMP/storage
GEN_SHOP=$B/scripts/gen_shop
SSHD=$TMP/sshd

shop_database() { "$GEN_SHOP" create "$1" --size "$2" --seed "${3:-1}"; }

# shop_config FILE STATE STORAGE-LINES...
shop_config() {
    local file=$1 state=$2
    shift 2
    {
        printf 'state: %s\nrepositories:\n  shop:\n    storage:\n' "$state"
        printf '      %s\n' "$@"
        printf '    keys: %s/keys\n    kit: %s/restore-kit.key\n' "$HOST" "$SAFE"
        printf 'jobs:\n  shop-db:\n    engine: sqlite\n    path: %s/shop.db\n' "$HOST"
    } >"$file"
}

shop_sftp() {
    local role lines
    "$REPO_ROOT/tests/fixture/sshd.sh" start "$SSHD" >/dev/null
    at_end "$REPO_ROOT/tests/fixture/sshd.sh" stop "$SSHD"
    mkdir -p "$HOST" "$STATION"
    STORAGE=$SSHD/storage
    for role in writer reader; do
        lines=("type: sftp" "host: 127.0.0.1" "port: $(cat "$SSHD/port")" "user: $(cat "$SSHD/user")"
            "path: $(cat "$SSHD/path")" "key: $SSHD/${role}_key" "host_key: \"$(cat "$SSHD/host_key.pub")\"")
        if [[ $role == writer ]]; then
            shop_config "$HOST/backupd.yaml" "$HOST/state" "${lines[@]}"
        else
            shop_config "$STATION/restore.yaml" "$STATION/state" "${lines[@]}"
        fi
    done
    "$BACKUPD" --config "$HOST/backupd.yaml" --quiet init --safe "$SAFE" --kit-unconfirmed --no-kit-passphrase \
        --setup-user "$(cat "$SSHD/user")" --setup-key "$SSHD/admin_key" >/dev/null
}

shop_local() {
    mkdir -p "$HOST" "$STATION" "$STORAGE"
    shop_config "$HOST/backupd.yaml" "$HOST/state" "type: local" "path: $STORAGE"
    shop_config "$STATION/restore.yaml" "$STATION/state" "type: local" "path: $STORAGE"
    "$BACKUPD" --config "$HOST/backupd.yaml" --quiet init --safe "$SAFE" --kit-unconfirmed --no-kit-passphrase >/dev/null
}

shop_backup() { "$BACKUPD" --config "$HOST/backupd.yaml" backup "$@"; }
shop_restore() { "$RESTORE" --config "$STATION/restore.yaml" "$@"; }

# summary KEY: reads JSON lines and prints KEY of the summary.
summary() {
    python3 -c 'import json, sys
for line in sys.stdin:
    o = json.loads(line)
    if o.get("message_type") == "summary" and sys.argv[1] in o:
        print(o[sys.argv[1]])' "$1"
}
