# shellcheck shell=bash
# Servers that receive notices (tests/fixture/notices.py), for the tests of what is told.

# receiver NAME KIND [CERT KEY] [login]: a server whose port is in NAME.port and what it receives in NAME/; sets SPAWNED.
# One of the same name that was stopped comes back under its port.
receiver() {
    local name=$1 kind=$2
    shift 2
    local port
    port=$(cat "$name.port" 2>/dev/null || true)
    spawn "$name.log" /usr/bin/python3 "$REPO_ROOT/tests/fixture/notices.py" "$kind" "$TMP/$name.port" "$TMP/$name" "$@"
    wait_for 60 eval "[[ -s $TMP/$name.port ]] && port_open \$(cat $TMP/$name.port)" || fail "the server $name" "$(cat "$name.log")"
    [[ -z $port || $port == "$(cat "$name.port")" ]] || fail "the server $name" "another port"
}

# certificate NAME: NAME.crt and NAME.key, for 127.0.0.1 and localhost, signed by nobody else.
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

# seen FILE...: asks tests/support/notices.py
seen() { /usr/bin/python3 "$REPO_ROOT/tests/support/notices.py" "$@"; }
# received NAME: how many files
received() { find "$1" -type f ! -name '*.new' | wc -l; }
received_is() { [[ $(received "$1") -eq $2 ]]; }
# newest NAME
newest() { find "$1" -type f ! -name '*.new' | sort | tail -n 1; }
