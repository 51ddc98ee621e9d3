# shellcheck shell=bash
# A backup host and a restore station for one directory tree; source it after lib.sh.
#
#     files_setup DIR [LINE...]     configuration (LINEs are further options of the job), keys, a local repository
#     files_backup [ARGS]           backupd backup
#     files_restore SEL ARGS        restore files
#     files_cat SEL PATH
#     summary KEY                   of the JSON lines on stdin
#     as_user COMMAND...            as somebody who is not root

# An account of every Debian under which nothing runs.
FILES_USER=games

files_setup() {
    local dir=$1
    shift
    mkdir -p "$TMP/store"
    {
        printf 'state: %s/state\nrepositories:\n  main:\n' "$TMP"
        printf '    storage: { type: local, path: %s/store }\n' "$TMP"
        printf 'jobs:\n  tree:\n    engine: files\n    path: %s\n' "$TMP/$dir"
        [[ $# -eq 0 ]] || printf '    %s\n' "$@"
    } >backupd.yaml
    {
        printf 'state: %s/station\nrepositories:\n  main:\n' "$TMP"
        printf '    storage: { type: local, path: %s/store }\n    kit: %s/safe/restore-kit.key\n' "$TMP" "$TMP"
    } >restore.yaml
    [[ -e safe ]] || "$BACKUPD" --config backupd.yaml --quiet init --safe safe --kit-unconfirmed --no-kit-passphrase >/dev/null
}
files_backup() { "$BACKUPD" --config "$TMP/backupd.yaml" backup "$@"; }
files_restore() { "$RESTORE" --config "$TMP/restore.yaml" files "$@"; }
files_cat() { "$RESTORE" --config "$TMP/restore.yaml" --quiet cat "$@"; }

summary() {
    python3 -c 'import json, sys
for line in sys.stdin:
    o = json.loads(line)
    if o.get("message_type") == "summary" and sys.argv[1] in o:
        print(o[sys.argv[1]])' "$1"
}

# Whoever is not root already is that somebody.
as_user() {
    if [[ $(id -u) -eq 0 ]]; then
        setpriv --reuid "$FILES_USER" --regid "$FILES_USER" --clear-groups -- "$@"
    else
        "$@"
    fi
}
