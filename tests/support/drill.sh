# shellcheck shell=bash
# What the tests of drills share; source it after lib.sh, and after postgres.sh or mariadb.sh where those are used.
#
#     DRILL_CONF              the configuration; default: $HOST/backupd.yaml
#     DRILL_AS                array: a command in front of the program, e.g. (setpriv --reuid=nobody); default: none
#     drill_place             makes $SCRATCH, where the drills of this test put what they throw away
#     drill [ARGS]            `restore drill run latest`, with ARGS
#     left                    what is below $SCRATCH; nothing, when all is well
#     segments                shared memory of the account that drills run servers as, but for what was there before
#     failed FILE             what failed in the result FILE, "NAME/SUBJECT" a line
#     not_passed FILE         checks of it that did not pass; nothing, when all is well
#     passes NAME [ARGS]      a drill that passes, with every check
#     could_not NAME FRAGMENT [ARGS]   a drill that cannot run: exit code 4, the verdict, FRAGMENT in its reason or way out, and
#                             nothing left
#     drill_as_user ACCOUNT   from now on $DRILL_AS is this account, with copies of its own of configuration, kit and storage
#     NO_NAMESPACES           array for $DRILL_AS: no namespaces are given to the drill
DRILL_AS=()

# Short: a socket is below it; and where the server's account may come.
drill_place() {
    SCRATCH=$(mktemp -d /var/tmp/drill-test.XXXXXX)
    chmod 755 "$SCRATCH"
    at_end rm -rf "$SCRATCH"
    all_segments >"$TMP/segments"
}
drill() {
    "${DRILL_AS[@]}" "$RESTORE" --config "${DRILL_CONF:-$HOST/backupd.yaml}" drill run latest --scratch "$SCRATCH" "$@"
}
left() { find "$SCRATCH" -mindepth 1 -maxdepth 2; }
# Those that were there before are of others.
drill_account() { if [[ $EUID -eq 0 ]]; then id -u "${DRILL_USER:-nobody}"; else id -u; fi; }
all_segments() { awk -v uid="$(drill_account)" 'NR > 1 && $8 == uid { print $2 }' /proc/sysvipc/shm | sort; }
segments() { comm -13 "$TMP/segments" <(all_segments); }
failed() {
    /usr/bin/python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["checks"]:
    if c["verdict"] == "fail": print(c["name"] + "/" + (c["subject"] or ""))' "$1"
}
not_passed() {
    /usr/bin/python3 -c 'import json, sys
for c in json.load(open(sys.argv[1]))["checks"]:
    if c["verdict"] != "pass": print(*(c[k] for k in ("name", "subject", "verdict", "expected", "found", "text")))' "$1"
}
passes() {
    local name=$1
    shift
    rm -f pass.json
    check "$name: a drill passes" drill --out pass.json "$@"
    [[ ! -s pass.json ]] || same "$name: with every check" "" "$(not_passed pass.json)"
}
could_not() {
    local name=$1 fragment=$2
    shift 2
    rm -f not.json
    check_fails 4 "$name: could not run" drill --out not.json "$@"
    [[ -s not.json ]] || return 0
    contains "$name: why, and the way out" "$(/usr/bin/python3 -c 'import json; r = json.load(open("not.json"))
assert r["verdict"] == "could_not_run" and r["reason"] and r["cure"]; print(r["reason"], "|", r["cure"])')" "$fragment"
    same "$name: nothing is left" "" "$(left)"
}
NO_NAMESPACES=(/usr/bin/python3 "$REPO_ROOT/tests/support/no_namespaces.py")

# A program that is not root's; what root backed up is its own now. For root: others are one already.
drill_as_user() {
    [[ $EUID -eq 0 ]] || return 0
    rm -rf "$TMP/own"
    mkdir -p "$TMP/own/bin"
    cp -a "$HOST" "$SAFE" "$STORAGE" "$TMP/own/"
    cp "$RESTORE" "$TMP/own/bin/"
    sed -i "s|$TMP/|$TMP/own/|" "$TMP/own/host/backupd.yaml"
    chown -R "$1:" "$TMP/own"
    chmod 711 "$TMP"
    RESTORE=$TMP/own/bin/restore DRILL_CONF=$TMP/own/host/backupd.yaml DRILL_USER=$1
    DRILL_AS=(setpriv "--reuid=$(id -u "$1")" "--regid=$(id -g "$1")" --clear-groups env HOME=/nonexistent)
    chown "$1" "$SCRATCH"
    all_segments >"$TMP/segments"
}
