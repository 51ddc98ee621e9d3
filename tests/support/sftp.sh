# shellcheck shell=bash
# For tests of SFTP accounts; source it after lib.sh.
#
#     sftp_table PREFIX SETTINGS     sends every request of sftp_requests.py; its lines become this test's results

sftp_table() {
    local prefix=$1 line status=0
    python3 "$REPO_ROOT/tests/support/sftp_requests.py" "$2" >"$TMP/.rows" 2>"$TMP/.rows.err" || status=$?
    same "${prefix}the table of requests was sent to its end" 0 "$status$(sed 's/^/ /' "$TMP/.rows.err")"
    while IFS= read -r line; do
        case $line in
        'ok - '*) pass "$prefix${line#ok - }" ;;
        *) fail "$prefix${line#not ok - }" ;;
        esac
    done <"$TMP/.rows"
}
