#!/bin/bash
# The emergency reader (scripts/emergency-restore.py) against the golden repository: it was written from docs/format.md
# alone, so what it reads, and what it refuses and by which name, is what that document says.
# shellcheck disable=SC2317  # the functions are called through check
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

GOLDEN=$REPO_ROOT/tests/golden
# The distribution's Python: another one in PATH may lack the two modules.
PYTHON=/usr/bin/python3
READER=("$PYTHON" "$REPO_ROOT/scripts/emergency-restore.py")
KEYS=$GOLDEN/keys
ROOT_KEY=$(cat "$KEYS/root.pub")
reader() { "${READER[@]}" "$@"; }
with_kit() { reader "$1" --repo "$GOLDEN/repo" --kit "$KEYS/kit.key" "${@:2}"; }

# --- keys

printf 'golden\n' >good-passphrase
printf 'iron\n' >bad-passphrase
same "key file and key text hold the same" "$(reader key --kit "$KEYS/kit.key")" "$(reader key --kit "$KEYS/kit.txt")"
same "with passphrase" "$(reader key --kit "$KEYS/kit.key")" \
    "$(reader key --kit "$KEYS/kit-golden.key" --passphrase-file good-passphrase)"
same "with passphrase, key text" "$(reader key --kit "$KEYS/kit.key")" \
    "$(reader key --kit "$KEYS/kit-golden.txt" --passphrase-file good-passphrase)"
check_fails 12 "wrong passphrase" reader key --kit "$KEYS/kit-golden.key" --passphrase-file bad-passphrase
check_fails 12 "a member's key is no kit" reader key --kit "$KEYS/member-1.key"
tr 'A-Z0' 'a-zO' <"$KEYS/kit.txt" | tr ':' ')' | tr -d ' -' | sed -e 's/$/\r/' -e '1s/^/# typed from paper\n\n/' >typed.txt
check "key text as people type it" reader key --kit typed.txt
check_fails 2 "usage" reader list --kit "$KEYS/kit.key"
check_fails 2 "no command" reader
check_fails 1 "no such directory" reader list --repo nowhere --kit "$KEYS/kit.key"

# --- the repository as it is

same "records, states and the policy clock" "$(grep -P '^(record|retention)\t' "$GOLDEN/expected/list.txt")" \
    "$(with_kit records | grep -v '^text')"
same "records with the root key alone" "$(grep -P '^(record|retention)\t' "$GOLDEN/expected/list.txt")" \
    "$(reader records --repo "$GOLDEN/repo" --root "$ROOT_KEY")"
same "snapshots" "$(awk -F'\t' '$1 == "stream" || $1 == "member" {print $3, $2}' "$GOLDEN/expected/list.txt" | sort -u)" \
    "$(with_kit list | tail -n +2 | awk '{print $1, $7}' | sort -u)"
contains "list shows the notes" "$(with_kit list)" "monthly größe (incomplete) (anomaly: half of it is gone)"
same "notes of probe/5" "$(awk -F'\t' '$1 == "notes" && $3 == "probe/5" {print $4}' "$GOLDEN/expected/list.txt")" \
    "$(with_kit files probe/5 | awk -F'\t' '$1 == "notes probe/5" {print $2}')"
for level in L0 L1 L2 LK L3; do
    check "level $level" with_kit check --level "$level"
    with_kit check --level "$level" 2>findings >/dev/null
    same "level $level finds nothing" "" "$(cat findings)"
done
check "level L1 without a kit" reader check --level L1 --repo "$GOLDEN/repo" --root "$KEYS/root.pub"
check_fails 9 "another root key" reader check --level L0 --repo "$GOLDEN/repo" --root "${ROOT_KEY//7/8}"

# same_streams DIRECTORY SNAPSHOT: every stream that list.txt names is there, byte for byte; and nothing else.
same_streams() {
    local directory=$1 snapshot=$2 count=0 kind name path length sum file
    while IFS=$'\t' read -r kind _ name path length sum file _; do
        [[ $kind == stream && $name == "$snapshot" ]] || continue
        count=$((count + 1))
        [[ $(stat -c %s "$directory/$path") == "$length" ]] || return 1
        [[ $(b2sum -l 256 <"$directory/$path") == "$sum  -" ]] || return 1
        [[ $file == - ]] || cmp "$GOLDEN/expected/$file" "$directory/$path" || return 1
    done <"$GOLDEN/expected/list.txt"
    echo "$count streams"
    [[ $snapshot != probe/5 ]] || count=$((count + 1)) # its hard link
    [[ $count -gt 0 && $(find "$directory" -type f | wc -l) == "$count" ]]
}
# every_snapshot NAME KEYS...: extracts each snapshot with these keys.
every_snapshot() {
    local name=$1 snapshot
    shift
    for snapshot in blog/1 shop/2 shop/3 blog/3 blog/4 shop/4 probe/5; do
        check "$name: extract $snapshot" reader extract "$snapshot" --to "out-$name/$snapshot" --repo "$GOLDEN/repo" "$@"
        check "$name: $snapshot byte for byte" same_streams "out-$name/$snapshot" "$snapshot"
    done
}
# The sessions under charter 1 (blog/1, shop/1) have the station alone as recipient, and later snapshots still need packs of
# theirs: members alone get all of probe/5, one stream of blog/4, and AUTH for the rest. Members 1 and 2 together have a
# grant for shop/1.
quorum() {
    local snapshot member keys=(--repo "$GOLDEN/repo" --kit "$KEYS/kit.key" --members-only)
    for member in "$@"; do keys+=(--member "$KEYS/member-$member.key"); done
    local out=out-members-$1-$2-${3:-} theirs=(w/b7f9ec3c1b1015e7/pack/00000001-000000.00)
    [[ " $* " != *" 1 2 "* ]] || theirs=()
    check "members $*: extract probe/5" reader extract probe/5 --to "$out/probe" "${keys[@]}"
    check "members $*: probe/5 byte for byte" same_streams "$out/probe" probe/5
    check_fails 12 "members $*: blog/4 in part" reader extract blog/4 --to "$out/blog" "${keys[@]}"
    check "members $*: geheim byte for byte" cmp "$GOLDEN/expected/008" "$out/blog/geheim"
    check_fails 12 "members $*: blog/1 is not theirs" reader extract blog/1 --to "$out/blog1" "${keys[@]}"
    same "members $*: objects of charter 1" \
        "$(printf '%s\n' "${theirs[@]}" w/bcca5ca853753153/{pack/00000001-000000.00,snap/00000001.00} | grep .)" \
        "$(reader check --level LK "${keys[@]}" 2>&1 | awk '$1 == "alarm" && $2 == "AUTH" {print $3}' | sort)"
}
every_snapshot kit --kit "$KEYS/kit.key"
check "the text kit" reader extract --all --to out-text --repo "$GOLDEN/repo" --kit "$KEYS/kit.txt"
check "the kit with passphrase" reader extract --all --to out-pass --repo "$GOLDEN/repo" --kit "$KEYS/kit-golden.key" \
    --passphrase-file good-passphrase
check "both give the same" diff -r --no-dereference out-text out-pass
check "and what single extraction gives" diff -r --no-dereference out-kit/shop/3 out-text/shop-3-b7f9ec3c1b1015e7
quorum 1 2
quorum 1 3
quorum 3 2
quorum 1 2 3

# --- grants, and an approval

late=(--repo "$GOLDEN/repo" --kit "$KEYS/kit.key" --members-only --member "$KEYS/late.key")
check "by grants alone: level LK" reader check --level LK "${late[@]}"
same "and finds nothing" "level LK: all is well" "$(reader check --level LK "${late[@]}" 2>&1)"
check "by grants alone: level L3" reader check --level L3 "${late[@]}"
check "by grants alone: every snapshot" reader extract --all --to out-late "${late[@]}"
check "the same as with the kit" diff -r --no-dereference out-text out-late
cp -r "$GOLDEN/repo" no-grants
chmod -R u+w no-grants
rm -r no-grants/grant
late[1]=no-grants
check_fails 12 "without grants nothing" reader extract shop/4 --to out-no-grants "${late[@]}"
same "not one object" "" "$(reader check --level LK "${late[@]}" 2>&1 | grep -E 'pack|snap' | grep -v '^alarm AUTH w/' || true)"

one=(--repo "$GOLDEN/repo" --kit "$KEYS/kit.key" --members-only --member "$KEYS/member-1.key")
help=(--approval "$GOLDEN/people/approval" --request-state "$GOLDEN/people/request.state")
day=(--now 1768111900)
check_fails 12 "member 1 alone" reader extract shop/3 --to out-one "${one[@]}"
check_fails 12 "with the approval: all that opens, and AUTH" reader extract --all --to out-approved "${one[@]}" "${help[@]}" "${day[@]}"
same "what does not open" "alarm AUTH blog/1 alarm AUTH blog/3 alarm AUTH blog/4 alarm AUTH probe/5 alarm AUTH shop/4" \
    "$(grep -o '^alarm AUTH [a-z/0-9]*' "$TMP/.check" | sort | xargs)"
check "with the approval: shop/2 byte for byte" same_streams out-approved/shop-2-b7f9ec3c1b1015e7 shop/2
check "with the approval: shop/3 byte for byte" same_streams out-approved/shop-3-b7f9ec3c1b1015e7 shop/3
same "with the approval: 11 files and no more" 11 "$(find out-approved -type f | wc -l)"
check "one snapshot with the approval" reader extract shop/3 --to out-approved-3 "${one[@]}" "${help[@]}" "${day[@]}"
check_fails 12 "the approval has expired" reader extract shop/3 --to out-expired-approval "${one[@]}" "${help[@]}"
contains "and is named" "$(cat "$TMP/.check")" "alarm approval-expired"
check_fails 12 "the approval of another's request" reader extract shop/3 --to out-other-approval "${help[@]}" "${day[@]}" \
    --repo "$GOLDEN/repo" --kit "$KEYS/kit.key" --members-only --member "$KEYS/member-3.key"
contains "is named" "$(cat "$TMP/.check")" "alarm approval-request"
two=(--repo "$GOLDEN/repo" --kit "$KEYS/kit.key" --members-only --member "$KEYS/member-2.key" "${day[@]}")
asked=$(reader request "$GOLDEN/people/request" "${two[@]}")
contains "what a request asks for" "$asked" "asks for   shop/3"
contains "and opens besides" "$asked" "also opens shop/2 (as a whole)"
check_fails 2 "an approval without the request's secret" reader list "${one[@]}" "${help[@]:0:2}"

same "modes, times and links" \
    "$(awk -F'\t' '$1 == "member" && $5 == "file" {print $4, substr($6, 2), $11 "0"}' "$GOLDEN/expected/list.txt" | sort)" \
    "$(cd out-kit/probe/5 && find . -type f ! -name zweit -printf '%P %m %T@\n' | sort)"
same "symbolic link" "../d/direct" "$(readlink out-kit/probe/5/d/link)"
check "hard link" test out-kit/probe/5/d/direct -ef out-kit/probe/5/d/zweit
with_kit cat shop/2 db/schema.sql >schema.sql
check "cat" cmp schema.sql "$GOLDEN/expected/004"
check_fails 1 "cat of what is not there" with_kit cat shop/2 db/nothing
check_fails 1 "an expired snapshot is not offered" with_kit extract shop/1 --to out-expired
check_fails 1 "a void snapshot is not offered" with_kit extract blog/2 --to out-void
check_fails 1 "extract only into an empty directory" with_kit extract shop/2 --to out-kit
contains "files" "$(with_kit files probe/5)" "d/link -> ../d/direct"

# --- hostile names: what the catalog may hold, but files must not get

cat >hostile.py <<'END'
import importlib.util, os, struct, sys
specification = importlib.util.spec_from_file_location("reader", sys.argv[1])
er = importlib.util.module_from_spec(specification)
sys.dont_write_bytecode = True
specification.loader.exec_module(er)


def member(path, kind, target=b""):
    m = er.Member()
    m.path, m.type, m.target, m.mode, m.uid, m.gid, m.mtime = path, kind, target, 0o6755, 0, 0, -1
    if kind == "file":
        m.stream = struct.pack("<QBB2sI16s32s5I", 4, 1, 0, b"", 0, b"", b"", 1, 0, 64, 21, 4)
    return m


members = [
    member(b"away", "symlink", b"/etc"),
    member(b"up", "symlink", b"x/../../y"),
    member(b"deep/in", "dir"),
    member(b"deep/in/back", "symlink", b"../.."),
    member(b"through", "symlink", b"deep/in/back/.."),
    member(b"loop", "symlink", b"loop"),
    member(b"fine", "symlink", b"deep/in/../../plain"),
    member(b"plain", "file"),
    member(b"plain/below", "file"),
    member(b"fine/below", "file"),
    member(b"up/below", "file"),
    member(b".emergency-restore.partial", "file"),
    member(b"l" * 300, "file"),
]


class Repository:
    report = er.Report()

    def read_stream(self, snapshot, ref):
        yield b"data"


er.read_catalog = lambda repository, snapshot: members
snapshot = er.Record()
snapshot.label, snapshot.record, snapshot.logical, snapshot.facts = b"\x1b[2Jname", er.Record(), 1000, b""
snapshot.record.session = 1
failures = er.extract(Repository(), snapshot, sys.argv[2], False, False)
assert failures == 9, failures
assert Repository.report.names() == {"DENIED", "IO"}, Repository.report.findings
snapshot.logical = 3
try:
    er.extract(Repository(), snapshot, sys.argv[2] + "-more", False, False)
    raise SystemExit("more than the view says")
except er.Bad:
    pass
for path in (b"/a", b"a//b", b"../a", b"a/..", b"a/./b", b"", b"a/", b"a\0b", b"x" * 65536):
    try:
        er.check_path(path)
        raise SystemExit("path %r" % path)
    except er.Bad as bad:
        assert bad.name == "catalog-path"
END
check "hostile names and links" "$PYTHON" hostile.py "$REPO_ROOT/scripts/emergency-restore.py" out-hostile
same "what is made of them" "deep deep/in deep/in/back fine plain" "$(cd out-hostile && find . -mindepth 1 -printf '%P\n' | sort | xargs)"
same "no set-user-id bits" 755 "$(stat -c %a out-hostile/plain)"
same "nothing written before the sum of lengths is known" "" "$(ls out-hostile-more 2>/dev/null)"

# --- hostile gaps: ranges of a file that are not in its stream

cat >gaps.py <<'END'
import importlib.util, random, sys
specification = importlib.util.spec_from_file_location("reader", sys.argv[1])
er = importlib.util.module_from_spec(specification)
sys.dont_write_bytecode = True
specification.loader.exec_module(er)

for text in (b"", b",", b"2", b"2:", b":3", b"2:3,", b",2:3", b"2:0", b"-1:3", b"+2:3", b" 2:3", b"2:3 ", b"2:3\r", b"0x2:3", b"2.0:3",
             b"2:3:4", b"2:3;9:1", b"\xd9\xa2:3", b"6:1", b"9:1", b"2:3,9:1", b"0:1,7:1", b"3:1,2:1", b"2:3,2:3", b"2:3,4:1", b"2:3,5:1",
             b"5:%d" % (2**50 - 4), b"0:%d,%d:1" % (2**50 - 5, 2**50 - 3), b"2:%d" % 2**63, b"2:%d" % 2**64, b"2:%d" % (2**64 + 3),
             b"%d:1" % 2**64, b"2:" + b"9" * 60000, b"2:" + b"0" * 60000):
    try:
        er.parse_gaps(b"gaps=" + text + b"\n", 5)
        raise SystemExit("gaps %r" % text[:100])
    except er.Bad as bad:
        assert bad.name == "catalog-body"
for text, wanted in ((b"0:1", [(0, 1)]), (b"5:1", [(5, 1)]), (b"00002:03", [(2, 3)]), (b"0:1,2:1,8:9", None), (b"0:1,3:1", None),
                     (b"5:%d" % (2**50 - 5), [(5, 2**50 - 5)]), (b"0" * 60000 + b"2:3", [(2, 3)])):
    try:
        assert er.parse_gaps(b"x=y\ngaps=" + text + b"\ngaps=damaged", 5) == wanted, text
    except er.Bad:
        assert text == b"0:1,2:1,8:9", text  # its last range begins behind the end
    except AssertionError:
        assert text == b"0:1,3:1"
assert er.parse_gaps(b"Gaps=1:1\ngaps =1:1\nno line\n", 5) == []
assert er.parse_gaps(b"gaps=0:7\n", 0) == [(0, 7)]

# Against the sentence of the document, done the slow way.
def slowly(stream, gaps):
    out = b""
    for offset, length in gaps:
        out, stream = out + stream[: offset - len(out)] + bytes(length), stream[offset - len(out) :]
    return out + stream

dice = random.Random(1)
for _ in range(500):
    stream, gaps, at = dice.randbytes(dice.randrange(60)), [], dice.randrange(2)
    left = len(stream) - at
    while left >= 0 and dice.randrange(6):
        gaps.append((at, dice.randrange(1, 20)))
        step = dice.randrange(1, 9)
        at, left = at + gaps[-1][1] + step, left - step
    pieces, rest = [], stream
    while rest:
        size = dice.randrange(1, 12)
        pieces.append(rest[:size])
        rest = rest[size:]
    facts = b"gaps=" + b",".join(b"%d:%d" % gap for gap in gaps)
    parsed = er.parse_gaps(facts if gaps else b"", len(stream))
    filled = b"".join(bytes(piece) for piece in er.fill_gaps(pieces, parsed))
    assert filled == slowly(stream, gaps), (stream, gaps)

# Attributes and modes.
assert er.xattr_name(b"user.%0A%25a") == b"user.\n%a" and er.xattr_value(b"dg") == b"v" and er.xattr_value(b"") == b""
for text in (b"%", b"a%4", b"%zz", b"a%00b"):
    assert er.xattr_name(text) is None, text
for text in (b"dg==", b"d", b"d*", b"dg\n", b"\xff"):
    assert er.xattr_value(text) is None, text
def acl(*entries):
    return b"\2\0\0\0" + b"".join(bytes([tag, 0, rights, 0]) + number.to_bytes(4, "little") for tag, rights, number in entries)
owner, other = (1, 6, 2**32 - 1), (32, 4, 2**32 - 1)
for wanted, mode, value in (
    (0o644, 0o664, acl(owner, (2, 6, 7), (4, 4, 1), (16, 6, 1), other)),  # the group had 4, not the mask's 6
    (0o604, 0o664, acl(owner, (2, 6, 7), (4, 1, 1), (16, 6, 1), other)),
    (0o600, 0o664, acl(owner, (2, 0, 7), (4, 4, 1), (16, 6, 1), other)),  # user 7 had nothing
    (0o640, 0o664, acl(owner, (8, 0, 7), (4, 4, 1), (16, 6, 1), other)),
    (0o604, 0o664, acl(owner, (16, 6, 1), other)),
    (0o1640, 0o1660, acl(owner, (4, 4, 1), (32, 0, 1))),
    (0o600, 0o664, b""), (0o600, 0o664, b"\1\0\0\0"), (0o600, 0o664, acl(owner) + b"x"), (0o600, 0o664, acl((3, 7, 7), (4, 7, 1))),
):
    assert er.mode_without_acl(mode, value) == wanted, (oct(er.mode_without_acl(mode, value)), oct(wanted))
END
check "gaps, attributes and ACLs, hostile and good" "$PYTHON" gaps.py "$REPO_ROOT/scripts/emergency-restore.py"

# --- what two readers could do differently: docs/format.md decides, and this reader does it (the cases are in the file)

"$PYTHON" "$REPO_ROOT/tests/support/emergency.py" cases "${READER[1]}" "$GOLDEN" "$TMP/cases" >cases.txt ||
    fail "cases ran to their end"
while read -r verdict _ name; do
    case $verdict in
    ok) pass "$name" ;;
    *) fail "$(cut -d- -f2- <<<"$name")" ;;
    esac
done <cases.txt
check "there are at least 270 cases" test "$(wc -l <cases.txt)" -ge 270

# --- hostile sizes: memory stays small, nothing half-made stays behind, nobody else reads what is restored

forged() {
    mkdir "$1"
    "$PYTHON" "$REPO_ROOT/tests/support/emergency.py" make "${READER[1]}" "$GOLDEN" "$TMP/$1" "$1"
    forged=(--repo "$TMP/$1/repo" --kit "$KEYS/kit.key")
}
# within MiB COMMAND...: with that much address space for each process.
within() { (ulimit -v $(($1 * 1024)) && "${@:2}"); }
forged big
same "a stream of 384 MiB in 250 MiB of memory" 402653184 "$(within 250 reader cat forge/6 big "${forged[@]}" | wc -c)"
"${READER[@]}" extract forge/6 --to out-big "${forged[@]}" >stopped 2>&1 &
extracting=$!
check "a file begins" wait_for 60 test -s out-big/.emergency-restore.partial
kill -TERM "$extracting"
status=0
wait "$extracting" || status=$?
same "stopped: status" 1 "$status"
same "stopped: says so" stopped "$(cat stopped)"
same "stopped: nothing half-made stays" "" "$(find out-big -mindepth 1)"
same "only the owner reads the new directory" 700 "$(stat -c %a out-big)"
same "also the one above and the one without a mode of its own" "700 700" \
    "$(stat -c %a out-text | xargs) $(stat -c %a out-kit/shop/3/db)"
forged hole
same "a gap of 300 MiB to standard output, in 250 MiB of memory" \
    "$({ printf 'he' && head -c 314572800 /dev/zero && printf 'l'; } | b2sum)" \
    "$(within 250 reader cat forge/6 small "${forged[@]}" | b2sum)"
check "a file of 1 TiB with a few bytes, in 250 MiB" within 250 "${READER[@]}" extract forge/6 --to out-hole "${forged[@]}"
same "its size" 1099511627776 "$(stat -c %s out-hole/huge)"
same "its bytes" hello "$(dd if=out-hole/huge bs=1 skip=700000000000 count=2 status=none)$(tail -c 3 out-hole/huge)"
check "and it takes no room" test "$(stat -c %b out-hole/huge)" -lt 1000
contains "files shows the file's size" "$(reader files forge/6 "${forged[@]}" | grep -a huge)" " 1099511627776 huge"
forged bomb
check_fails 9 "a frame that gives 12 GiB, in 250 MiB" within 250 "${READER[@]}" extract forge/6 --to out-bomb "${forged[@]}"
contains "is named" "$(cat "$TMP/.check")" "alarm blob-frame"
same "and nothing is left of it" "" "$(find out-bomb -mindepth 1)"
forged links
check_fails 1 "a link that doubles itself, in 250 MiB" within 250 "${READER[@]}" extract forge/6 --to out-links "${forged[@]}"
check "what is printed of it is short" test "$(wc -c <"$TMP/.check")" -lt 1000
mkdir tmp-empty
check "nothing decrypted passes through TMPDIR" env TMPDIR="$TMP/tmp-empty" \
    strace -f -qq -e trace=openat,open,mkdir -o trace.txt "${READER[@]}" extract shop/3 --to out-traced --repo "$GOLDEN/repo" --kit "$KEYS/kit.key"
same "no file there" "" "$(grep -F tmp-empty trace.txt || true)"

# --- negatives

check "every negative was tried" "$PYTHON" "$REPO_ROOT/tests/support/emergency_negatives.py" "${READER[1]}" "$GOLDEN" "$TMP"
same "negatives" "$(find "$GOLDEN/negatives" -mindepth 1 -maxdepth 1 | wc -l)" "$(find . -name 'result-*' | wc -l)"
for negative in "$GOLDEN"/negatives/*/; do
    name=${negative%/}
    name=${name##*/}
    read -r verb names <"$negative/expect"
    found=$(<"result-$name")
    [[ $names != *' '* ]] || names=$(tr ' ' '\n' <<<"$names" | sort -u | xargs)
    wanted="$verb|$names"
    same "$name" "$wanted" "${found%|*}"
    # Damage is 9, keys that do not fit are 12, and notes alone are no failure.
    case $names in
    AUTH | key-block) same "$name: status" 12 "${found##*|}" ;;
    note:*) [[ $names == *' '* ]] || same "$name: status" 0 "${found##*|}" ;;
    *) same "$name: status" 9 "${found##*|}" ;;
    esac
done

finish
