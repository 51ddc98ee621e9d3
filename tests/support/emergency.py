"""Repositories that break one rule of docs/format.md each, and what the emergency reader says about them.

    emergency.py cases READER GOLDEN WORK        every case below; prints `ok - NAME` or `not ok - NAME ...`
    emergency.py make READER GOLDEN WORK KIND    one repository for test_emergency.sh: big, bomb, hole or links

Written from docs/format.md, with the keys of the golden repository (they are public). Each case changes or adds a few
files; `expected` are the alarms (a note as note:NAME, other lines as told:WORD) of check L0, of another level, or of
extracting forge/6, which is a snapshot that this script makes, or of what run() says for another verb; `look` judges what
came out. Where the document leaves readers a choice there is no case.
"""
import base64
import contextlib
import hashlib
import importlib.util
import io
import os
import re
import struct
import sys

import nacl.bindings as sodium
import xxhash

sys.dont_write_bytecode = True
from golden_copy import Copy

PARTS = ("repo", "keys", "people")
command, reader_path, GOLDEN, WORK = sys.argv[1:5]
specification = importlib.util.spec_from_file_location("reader", reader_path)
er = importlib.util.module_from_spec(specification)
specification.loader.exec_module(er)
H, F = er.H, er.F

# ---- the golden repository, its keys, and writing with them


def golden(path):
    with open(os.path.join(GOLDEN, path), "rb") as file:
        return file.read()


def secrets(name, role):
    return er.read_key(os.path.join(GOLDEN, "keys", name), role, [])


golden_kit = secrets("kit.key", 4)
REPO_ID, W, V, R = golden_kit[:16], golden_kit[48:80], golden_kit[80:112], golden_kit[112:144]
ROOT_SEED = secrets("root.key", 1)[16:]
RETENTION_SEED = secrets("retention.key", 3)[80:]
SHOP, BLOG = (secrets("writer-%s.key" % name, 2) for name in ("shop", "blog"))
SEEDS = {key[48:56]: key[120:] for key in (SHOP, BLOG)}
SHOP, BLOG = SEEDS
STATION = sodium.crypto_scalarmult_base(R)
LOG = {writer: "repo/w/%s/log/" % writer.hex() for writer in SEEDS}
PACK = "repo/w/%s/pack/00000006-000000.00" % SHOP.hex()
SNAP = "repo/w/%s/snap/00000006.00" % SHOP.hex()
OBJECT = 0xFFFFFF


def sign(seed, tag, data):
    message = tag.encode().ljust(16, b"\0") + hashlib.blake2b(data).digest()
    return data + sodium.crypto_sign(message, sodium.crypto_sign_seed_keypair(seed)[1])[:64]


def aead(key, nonce, ad, plain):
    return sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plain, ad, nonce, key)


def seal(key, label, ad, plain):
    keys = H("bk1 seal keys", key, label.encode(), 64)
    nonce = H("bk1 seal nonce", keys[32:], struct.pack("<Q", len(ad)) + ad + plain, 24)
    return nonce + aead(keys[:32], nonce, ad, plain)


def charter(text, seed=ROOT_SEED):
    return text + b"sig " + sign(seed, "bk1 sig charter", text)[len(text) :].hex().encode() + b"\n"


def record(writer, seq, prev, kind=2, ack=7, packs=(), snap=b""):
    ack_hash = F(golden("repo/ret/%08x.00" % ack))
    snap_hash, size = (F(snap), len(snap)) if kind == 1 else (bytes(32), 0)
    fields = (kind, 0, b"", REPO_ID, writer, seq, seq, 2, ack, 1768111680, prev, ack_hash, snap_hash, size, len(packs))
    body = struct.pack("<BB2s16s8sIIIIQ32s32s32sQI4x", *fields)
    body += b"".join(struct.pack("<IIQ32s", *pack) for pack in packs)
    return sign(SEEDS[writer], "bk1 sig writer", b"BK1LOGR\n" + struct.pack("<I", len(body) + 76) + body)


LAST = er.parse_retention(golden("repo/ret/00000008.00"))
HEADS = [(writer, *head) for writer, head in LAST.heads.items()]


def retention(seq, prev, heads, ops=(), condemned=(), deleted=(), note=b"", fence=0, time=LAST.time, charter=2):
    """note: the sealed bytes, whatever they are."""
    lists = [struct.pack("<8sIII", w, h, max(f, fence), 0)[:16] + digest for w, h, f, digest in heads]
    lists += [struct.pack("<8sII", *op) for op in ops]
    lists += [struct.pack("<8sII", w, s, i | a << 24) for w, s, i, a in [*condemned, *deleted]]
    counts = (len(heads), len(ops), len(condemned), len(deleted))
    body = struct.pack("<4x16sIIQ32sIIII", REPO_ID, seq, charter, time, prev, *counts) + b"".join(lists)
    body = b"BK1RETR\n" + struct.pack("<I", len(body) + 12 + 4 + len(note) + 64) + body
    return sign(RETENTION_SEED, "bk1 sig retain", body + struct.pack("<I", len(note)) + note)


class Session:
    """Session 6 of writer shop: one pack, one snapshot called forge/6."""

    def __init__(self):
        W_w = H("bk1 writer", W, SHOP)
        self.keys = {name: H("bk1 " + name, W_w, b"") for name in ("id", "chunk", "mix", "trail")}
        share = bytes(range(32))
        self.K_s = H("bk1 session", self.keys["mix"], REPO_ID + SHOP + struct.pack("<I", 6) + share)
        self.envelope = H("bk1 kid", self.K_s, b"") + b"\1\1" + er.recipient_id(STATION)
        self.envelope += sodium.crypto_box_seal(share, STATION)
        self.header, self.K_p = self.head(b"BK1PACK\n", 0, "bk1 pack")
        self.body, self.entries = b"", []

    def head(self, magic, number, person):
        place = struct.pack("<I4x16s8sII16x", 64 + len(self.envelope) + 32, REPO_ID, SHOP, 6, number)
        both = H(person, self.K_s, magic + place + self.envelope, 64)
        return magic + place + self.envelope + both[32:], both[:32]

    def blob(self, plain, node=False, frame=None):
        """The 52 bytes of a reference."""
        frame = b"\0" + plain if frame is None else frame
        blob_id = H("bk1 node" if node else "bk1 data", self.keys["id"], frame)
        sealed = aead(self.K_p, blob_id[:24], blob_id, frame)
        place = struct.pack("<III", len(self.header) + len(self.body), len(sealed), len(plain))
        self.body += sealed
        chunk = H("bk1 tree", self.keys["chunk"], plain, 16) + struct.pack("<I", len(plain)) if node else b""
        self.entries.append(blob_id + place + struct.pack("<BBH", node, 0, node) + chunk)
        return blob_id + struct.pack("<II", 6, 0) + place

    def stream(self, data, blob=None):
        blob = blob or self.blob(data)
        return struct.pack("<QBB2xI", len(data), 1, 0, 0) + xxhash.xxh3_128(data).digest() + blob

    def tree(self, level, length, check, node):
        return struct.pack("<QBB2xI", length, 2, level, 0) + check + self.blob(node, True)

    def files(self, catalog, label=b"forge", logical=2**40, private=None, notes=b""):
        header, K_n = self.head(b"BK1SNAP\n", 6, "bk1 snap")
        view = struct.pack("<QQQQIIIII", 1, 2, logical, 0, 1, len(label), len(notes), 6, 0) + label + notes
        private = self.stream(catalog) + bytes(4) if private is None else private
        parts = [
            seal(key, "snap " + name, header, plain + bytes(er.padme(len(plain)) - len(plain)))
            for key, name, plain in ((H("bk1 view", V, SHOP), "view", view), (K_n, "priv", private))
        ]
        snap = header + b"".join(struct.pack("<I", len(part)) + part for part in parts)
        trailer = seal(self.keys["trail"], "trailer", self.header, b"".join(self.entries))
        end = len(self.header) + len(self.body)
        start = max(65536 - 56 - len(trailer), end)
        places = struct.pack("<IIII", end, start, len(trailer), len(self.entries))
        tail = seal(self.keys["trail"], "tail", self.header, places)
        pack = self.header + self.body + bytes(start - end) + trailer + tail
        last = record(SHOP, 6, F(golden(LOG[SHOP] + "00000005.00")), 1, 7, [(6, 0, len(pack), F(pack))], snap)
        return {PACK: pack, SNAP: snap, LOG[SHOP] + "00000006.00": last}


def tar(name, size=0, kind=b"0", link=b"", uid=b"0000000\0", mode=0o644):
    block = name.ljust(100, b"\0") + b"%07o\0" % mode + uid + b"0000000\0" + b"%011o\0" % size + b"00000000000\0" + b" " * 8
    block += kind + link.ljust(100, b"\0") + b"ustar\00000" + bytes(247)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def full(data):
    return data + bytes(-len(data) % 512)


def member(name, reference=bytes(84), facts=b"", **fields):
    body = reference + struct.pack("<I", len(facts)) + facts
    return tar(name, len(body), **fields) + full(body)


def pax(key, value, kind=b"x"):
    return pax_header([(key, value)], kind)


def pax_header(records, kind=b"x"):
    data = b""
    for key, value in records:
        length = len(key) + len(value) + 3
        length += len(str(length + len(str(length))))
        data += b"%d %s=%s\n" % (length, key, value)
    return tar(b"pax", len(data), kind) + full(data)


def xattrs(**records):
    """__ in a name stands for a dot."""
    coded = [(name.replace("__", "."), base64.b64encode(value).rstrip(b"=")) for name, value in records.items()]
    return pax_header([(b"LIBARCHIVE.xattr." + name.encode(), value) for name, value in coded])


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


END = bytes(1024)

# ---- the cases

cases = []


def case(name, verb, expected, files, look=None):
    cases.append((name, verb, expected, files, look))


def chain(name, expected, *records, verb="L0", **extra):
    """Further records of the retention log, from 9 on."""
    prev, files = LAST.hash, dict(extra)
    for number, fields in enumerate(records, 9):
        data = retention(number, prev, **{"heads": HEADS, **fields})
        files["repo/ret/%08x.00" % number] = data
        prev = F(data)
    case(name, verb, expected, files)


def catalog(name, expected, text, verb="extract", look=None, **fields):
    """text: the catalog, or a function of the session that gives it."""
    session = Session()
    text = text(session) if callable(text) else text
    case("catalog: " + name, verb, expected, session.files(text, **fields), look)


def flip(path, at):
    data = bytearray(golden(path))
    data[at] ^= 1
    return bytes(data)


def attempts():
    ret, log, one = "repo/ret/00000008.0", LOG[SHOP] + "00000005.0", "repo/charter/00000001.0"
    good, torn, damaged, worse = golden(ret + "0"), golden(ret + "0")[:99], flip(ret + "0", 40), flip(ret + "0", 12)
    both = {ret + "1": damaged, ret + "2": worse}
    case("two damaged beside a valid one: one note", "L0", "note:retention-signature", both)
    case("torn beside a valid one: nothing", "L0", "", {ret + "1": torn})
    case("torn, then the record", "L0", "", {ret + "0": torn, ret + "1": good})
    case("two damaged: the name of the first", "L0", "retention-syntax", {ret + "0": worse, ret + "1": damaged})
    case("nothing at 00", "L0", "", {log + "0": None, log + "1": golden(log + "0")})
    case("a larger number, whatever is in it", "L0", "log-gap", {LOG[SHOP] + "00000007.01": b""})
    junk = {LOG[SHOP] + name: b"" for name in ("00000007.0", "0000000A.00", "80000000.00", "00000000.00")}
    case("names that do not parse", "L0", "", junk)
    other = record(SHOP, 5, bytes(32))
    both = {log + "0": other, log + "1": golden(log + "0")}
    case("valid by itself and first: a fork with the next", "L0", "log-fork", both)
    case("a fork hides damage", "L0", "log-fork", {log + "1": flip(log + "0", 56), log + "2": other})
    case("charter 1 only at 01", "L0", "charter-missing", {one + "0": None, one + "1": golden(one + "0")})
    case("marks: damaged", "marks", "log-rollback record-signature", {log + "0": flip(log + "0", 56)})
    case("marks: torn", "marks", "log-rollback note:record-syntax", {log + "0": golden(log + "0")[:99]})
    case("marks: charter", "marks", "log-rollback", {"repo/charter/00000002.00": None})


def charters():
    text = golden("repo/charter/00000002.00")
    text = text[: text.rindex(b"sig ")]
    line = re.search(rb"retention (\S+) 1\n", text)

    def ranges(name, expected, *lines):
        new = b"".join(b"retention %s %s\n" % (line[1] if pk is None else pk * 64, rest) for pk, rest in lines)
        case("charter: " + name, "L0", expected, {"repo/charter/00000002.00": charter(text.replace(line[0], new))})

    ranges("an empty range beside others", "", (None, b"1 9"), (b"1", b"10 9"), (b"2", b"10"))
    ranges("an empty range inside another", "charter-range", (None, b"1 9"), (b"1", b"5 4"), (b"2", b"10"))
    ranges("order", "charter-syntax", (None, b"1 9"), (b"2", b"10 9"), (b"1", b"10 9"))
    ranges("no key from 7 on: no gap", "note:retention-key pack-missing", (None, b"1 6"))


def retentions():
    more = [(w, head + (2 if w == BLOG else 0), fence, digest) for w, head, fence, digest in HEADS]
    wrong = [(w, head + (2 if w == BLOG else 1), fence, digest) for w, head, fence, digest in HEADS]
    expire = {"ops": [(BLOG, 1, 0)], "note": bytes(40), "condemned": [(BLOG, 1, OBJECT, 0)]}
    chain("expired twice", "", {"ops": [(SHOP, 1, 0)]})
    chain("a note that does not open counts", "", {"ops": [(BLOG, 3, 0)], "note": bytes(50), "time": LAST.time})
    chain("condemned: another attempt", "", {"condemned": [(SHOP, 4, OBJECT, 3)]})
    chain("condemned while it expires", "", expire)
    entry = [(BLOG, 3, 0, 0)]
    chain("deleted too early", "retention-lists", {"condemned": entry}, {"fence": 9, "deleted": entry})
    gone = {"fence": 9, "deleted": [(BLOG, 1, OBJECT, 0)]}
    chain("revived while it is deleted", "retention-lists", expire, {"fence": 9}, {**gone, "ops": [(BLOG, 1, 1)]})
    again = {"ops": [(BLOG, 1, 0)], "note": bytes(40), "fence": 9}
    chain("deleted while it expires", "retention-lists", expire, {"fence": 9, "ops": [(BLOG, 1, 1)]}, {**gone, **again})
    pack = [{"condemned": entry}, {"fence": 9}, {"fence": 9, "deleted": entry}]
    chain("a deleted pack that is still there: L2", "pack-missing", *pack, verb="L2")
    chain("a deleted pack that is still there: restored", "", *pack, verb="all")
    unseen = {"heads": more, "ops": [(BLOG, 6, 1)], "condemned": [(BLOG, 99, 1, 0)]}
    chain("missing records are not judged", "log-gap", unseen)
    chain("a gap is told before the record breaks a rule", "log-gap retention-heads", {"heads": wrong})
    chain("a broken record ends the log", "retention-expire", {"ops": [(BLOG, 99, 2)]}, {"heads": more})


def retired():
    """The newest snapshot of a writer without an open range may expire; min-keep and the rest still hold."""
    old = golden("repo/charter/00000002.00")
    text = old[: old.rindex(b"sig ")].replace(b"charter 2", b"charter 3")
    text = re.sub(rb"prev \S+", b"prev " + F(old).hex().encode(), text)
    line = re.search(rb"writer %s (\S+) (\S+) 1\n" % BLOG.hex().encode(), text)
    closed = line[0][:-1] + b" 5\n"
    key = b"writer %s %s 24 6\n" % (BLOG.hex().encode(), b"c" * 64)
    third = {"repo/charter/00000003.00": charter(text.replace(line[0], closed))}
    rotated = {"repo/charter/00000003.00": charter(text.replace(line[0], closed + key))}
    newest = {"ops": [(BLOG, 4, 0)], "note": bytes(40), "charter": 3}
    chain("retired: the newest expires", "", newest, **third)
    chain("retired, but not in the charter that the record names", "retention-expire", {**newest, "charter": 2}, **third)
    chain("a rotated key is not retired", "retention-expire", newest, **rotated)
    chain("retired: min-keep still holds", "retention-expire", {**newest, "note": b""}, **third)
    held = {"ops": [(BLOG, 4, 2)]}
    chain("retired: a held one stays", "retention-expire", {**held, "charter": 3}, newest, **third)
    new, seed = b"\xff" * 8, bytes(32)
    SEEDS[new] = seed
    enrolled = b"writer %s %s 0 1\n" % (new.hex().encode(), sodium.crypto_sign_seed_keypair(seed)[0].hex().encode())
    first = record(new, 1, F(golden("repo/charter/00000001.00")), 1, snap=b"nothing")
    files = {"repo/charter/00000003.00": charter(text.replace(b"retention ", enrolled + b"retention ", 1)),
             "repo/w/%s/log/00000001.00" % new.hex(): first}
    unknown = {**newest, "heads": [*HEADS, (new, 1, 0, F(first))], "ops": [(new, 1, 0)], "charter": 2}
    chain("not known to that charter yet is not retired", "retention-expire snap-missing", unknown, **files)
    everything = {**newest, "ops": [(BLOG, 1, 0), (BLOG, 3, 0), (BLOG, 4, 0)]}
    chain("retired: all its snapshots expire", "", everything, **third, verb="L3")


def past_deletions():
    pack, thing = [(SHOP, 4, 0, 0)], [(SHOP, 4, OBJECT, 0)]
    expire, revive = {"ops": [(SHOP, 4, 0)], "note": bytes(40)}, {"ops": [(SHOP, 4, 1)]}
    seen = [(w, head + (w == SHOP), fence, F(golden(LOG[w] + "%08x.00" % (head + (w == SHOP))))) for w, head, fence, _ in HEADS]
    condemn, fence, delete = {"condemned": pack}, {"fence": 9}, {"fence": 9, "deleted": pack}
    chain = lambda *args, **named: globals()["chain"](*args[:2], *({"heads": seen, **fields} for fields in args[2:]), **named)
    late = {**expire, "fence": 9}
    chain("deleted while live", "pack-missing", condemn, fence, delete, verb="L2")
    chain("deleted while live, hidden by expiring", "retention-lists", condemn, fence, delete, late, verb="L2")
    chain("the same at L3", "retention-lists", condemn, fence, delete, late, verb="L3")
    chain("but not at L1", "", condemn, fence, delete, late, verb="L1")
    chain("expired, then deleted", "", {**condemn, **expire}, fence, delete, verb="L2")
    chain("deleted by the record that expires it", "", condemn, fence, {**late, **delete}, verb="L2")
    again = ({**revive, "fence": 9}, late)
    chain("revived after its pack was deleted, and expired again", "retention-lists", {**condemn, **expire}, fence, delete, *again, verb="L2")
    chain("revived before that, and expired again", "", {**condemn, **expire}, revive, late, delete, verb="L2")
    chain("deleted while live, then listed again", "retention-lists", condemn, fence, delete, late, delete, verb="L2")
    gone = ({**late, "condemned": thing}, {"fence": 12}, {"fence": 12, "deleted": thing})
    chain("its object is deleted: passed over", "", condemn, fence, delete, *gone, verb="L2")
    path = "repo/w/%s/snap/00000004.00" % SHOP.hex()
    chain("its object cannot be read: passed over", "", condemn, fence, delete, late, verb="L2", **{path: None})


def notes():
    hello = lambda session: member(b"a", session.stream(b"hello")) + END
    for name, text, bad in (("of 16384 bytes", b"x" * 16384, ""), ("of 16385 bytes", b"x" * 16385, "snap-view"), ("no UTF-8", b"\xff", "snap-view"),
                            ("that are no lines", b"=\n\n\ntag", ""), ("with control characters", b"tag=\x1b[2J\ntag=b", "")):
        catalog("notes " + name, bad, hello, notes=text, verb="L2")
    shown = er.notes_text(b"tag=a\nincomplete=1\ntag=\x1b\\\nanomaly=x\nother=1\ntag=b")
    case("notes as they are shown", "L0", "" if shown == "a \\x1b\\x5c b (incomplete) (anomaly: x)" else shown, {})


# ---- grants and approvals (section 22)

LATE, MEMBER_1, MEMBER_2 = (secrets(name, 5)[48:] for name in ("late.key", "member-1.key", "member-2.key"))
LATE_PK, PK_1, PK_2 = (sodium.crypto_scalarmult_base(secret) for secret in (LATE, MEMBER_1, MEMBER_2))
LATE_RID, RID_1, RID_2 = (er.recipient_id(pk) for pk in (LATE_PK, PK_1, PK_2))
NOW = 1768111900  # the request of member 1 and the approval of member 2 are still valid


def session_secret(writer, session):
    """(kid, S): the station is a group of its own in every session."""
    data = golden("repo/w/%s/snap/%08x.00" % (writer.hex(), session))
    kid, groups = er.parse_envelope(data[64 : struct.unpack_from("<I", data, 8)[0] - 32], 80, "")
    return kid, next(er.box_open(g[0][1], STATION, R) for g in groups if len(g) == 1 and g[0][0] == er.recipient_id(STATION))


def grants():
    kid, S = session_secret(BLOG, 1)
    place = lambda writer, session, kid=kid: H("bk1 grant", kid, REPO_ID + writer + struct.pack("<I", session), 16)
    box = lambda share=S, where=place(BLOG, 1): sodium.crypto_box_seal(share + where, LATE_PK)
    group = lambda *shares: bytes([len(shares)]) + b"".join(rid + b for rid, b in shares)
    envelope = lambda *groups, kid=kid: kid + bytes([len(groups)]) + b"".join(groups)
    own = lambda *args: group((LATE_RID, box(*args)))
    good = envelope(own())
    entry = lambda e, writer=BLOG, session=1: struct.pack("<8sII", writer, session, len(e)) + e

    def grant(*entries, n=None, rid=LATE_RID, repo=REPO_ID, more=b"", zero=0):
        body = struct.pack("<I16s16sII", zero, repo, rid, len(entries) if n is None else n, 0) + b"".join(entries) + more
        return b"BK1GRNT\n" + struct.pack("<I", len(body) + 12) + body

    name = "repo/grant/%s-" % LATE_RID.hex()
    none = {name + "00000001.00": None, name + "00000002.00": None, name + "00000002.01": None}

    def one(title, expected, *files):
        """files: attempts of G = 1; more than one G as (G.AA, bytes)."""
        more = {name + "00000001.%02x" % i: data for i, data in enumerate(files) if isinstance(data, bytes)}
        more.update({name + data[0]: data[1] for data in files if isinstance(data, tuple)})
        case("grant: " + title, "late", expected, {**none, **more})

    one("none", "AUTH")
    one("one of our own making", "", grant(entry(good)))
    one("two groups", "", grant(entry(envelope(group((LATE_RID, box()), (RID_2, bytes(96))), own()))))
    one("somebody else is needed", "AUTH", grant(entry(envelope(group((LATE_RID, box()), (RID_2, bytes(96)))))))
    one("another session only", "AUTH", grant(entry(good, session=2)))
    one("place of another session", "grant-place", grant(entry(envelope(own(S, place(BLOG, 2))))))
    one("place of another session, but for more people than are here", "AUTH",
        grant(entry(envelope(group((LATE_RID, box(S, place(BLOG, 2))), (RID_2, bytes(96)))))))
    one("a wrong place ends its entry", "grant-place", grant(entry(envelope(own(S, place(BLOG, 2)), own()))))
    one("but not the others", "", grant(entry(envelope(own(S, place(BLOG, 2))))), ("00000002.00", grant(entry(good))))
    one("a box that does not open, and a good group", "", grant(entry(envelope(group((LATE_RID, bytes(96))), own()))))
    one("place of another writer", "grant-place", grant(entry(envelope(own(S, place(SHOP, 1))))))
    one("place of another kid", "grant-place", grant(entry(envelope(own(S, place(BLOG, 1, bytes(32)))))))
    one("another kid", "envelope-kid", grant(entry(envelope(own(), kid=bytes(32)))))
    one("another S", "envelope-kid", grant(entry(envelope(own(bytes(32))))))
    one("a box that does not open", "envelope-kid", grant(entry(envelope(group((LATE_RID, bytes(96)))))))
    one("a forged one hides nothing", "", grant(entry(envelope(own(bytes(32))))), ("00000002.00", grant(entry(good))))
    one("behind a torn attempt", "", grant(entry(good))[:-1], grant(entry(good)))
    one("behind a damaged attempt", "", grant(entry(good), zero=1), grant(entry(good)))
    one("torn alone", "AUTH", grant(entry(good))[:-1])
    one("torn, then damaged", "grant-syntax", grant(entry(good))[:-1], grant(entry(good), zero=1))
    one("torn, and the next G", "", grant(entry(good))[:9], ("00000002.00", grant(entry(good))))
    one("G 2 without G 1", "AUTH", ("00000002.00", grant(entry(good))))
    one("G 1 without attempt 00", "AUTH", ("00000001.01", grant(entry(good))))
    for title, data in (("zero field", grant(entry(good), zero=1)), ("other repository", grant(entry(good), repo=bytes(16))),
                        ("other recipient", grant(entry(good), rid=RID_2)), ("empty", grant()), ("bytes behind", grant(entry(good), more=b"x")),
                        ("more entries than there are", grant(entry(good), n=2)), ("session 0", grant(entry(good, session=0), entry(good))),
                        ("twice", grant(entry(good), entry(good))), ("order", grant(entry(good, session=2), entry(good))),
                        ("group of others", grant(entry(envelope(own(), group((RID_2, bytes(96))))))),
                        ("no groups", grant(entry(kid + b"\0"))), ("no shares", grant(entry(kid + b"\1\0"))),
                        ("rid twice", grant(entry(envelope(group((LATE_RID, box()), (LATE_RID, box())))))),
                        ("byte behind an envelope", grant(entry(good + b"\0"))), ("length below the file's", grant(entry(good)) + b"x")):
        one("syntax: " + title, "grant-syntax", data)
    case("grant: too large", "late", "too-large", {**none, name + "00000001.00": 64 * er.MIB + 1})
    torn = flip("repo/grant/%s-00000001.00" % LATE_RID.hex(), 12)
    case("grant: damage is nothing to whoever needs none", "LK", "", {name + "00000001.00": torn})
    case("grant: damage is named at LK", "late-LK", "grant-syntax", {name + "00000002.01": flip(name + "00000002.01", 50)})


def approvals():
    state = golden("people/request.state")
    e, request = er.parse_request_state(state, "")
    old = golden("people/approval")
    a = er.parse_approval(old, "")
    shared = er.shared_secret(MEMBER_2, PK_1)
    assert shared == er.shared_secret(MEMBER_1, PK_2)
    k = er.box_open(a.box, request.E, e)
    rows = er.parse_shares(er.seal_open(H("bk1 approve", k, shared), "approval", old[:192], old[192:]), "")

    def listed(rows, n=None):
        return struct.pack("<I", len(rows) if n is None else n) + b"".join(struct.pack("<8sI4x16s32s", *row) for row in rows)

    def make(rows=rows, E=request.E, shared=shared, text=None, **fields):
        f = {"repo_id": REPO_ID, "request": request.id, "approver": RID_2, "requester": RID_1, "time": a.time, "expires": a.expires, **fields}
        text = listed(rows) if text is None else text
        head = struct.pack("<I4x16s32s16s16sQQ", 192 + len(text) + 40, *f.values()) + sodium.crypto_box_seal(k, E)
        head = b"BK1APPR\n" + head
        return head + seal(H("bk1 approve", k, shared), "approval", head, text)

    def one(title, expected, data, verb="approved", **more):
        case("approval: " + title, verb, expected, {"people/approval": data, **more})

    one("as it is", "", old)
    one("of our own making", "", make())
    one("with a restore kit of one's own", "", make(), "person")
    one("of no use for another snapshot", "AUTH", make(), "approved-more")
    one("needs the own key, too", "approval-request", make(), "nobody")
    for title, data in (("magic", b"x" + old[1:]), ("cut", old[:-1]), ("byte behind", old + b"x"), ("short", old[:191]),
                        ("zero field", old[:12] + b"\1" + old[13:]), ("expires when it begins", make(expires=a.time))):
        one("syntax: " + title, "approval-syntax", data)
    one("other repository", "approval-request", make(repo_id=bytes(16)))
    one("other requester", "approval-request", make(requester=RID_2))
    one("other request", "approval-request", make(request=bytes(32)))
    one("the secret of another request", "approval-auth", make(), **{"people/request.state": state[:16] + bytes(32) + state[48:]})
    one("request before auth", "approval-request", make(request=bytes(32), approver=LATE_RID))
    one("approver is nobody", "approval-auth", make(approver=LATE_RID))
    one("approver is somebody else", "approval-auth", make(approver=er.recipient_id(STATION)))
    one("for another E", "approval-auth", make(E=PK_1))
    one("by another key", "approval-auth", make(shared=bytes(32)))
    one("a time that was altered", "approval-auth", old[:96] + bytes([old[96] ^ 1]) + old[97:])
    one("a list that was altered", "approval-auth", old[:-1] + bytes([old[-1] ^ 1]))
    one("auth before expired", "approval-auth", make(shared=bytes(32), expires=NOW))
    one("expired", "approval-expired", make(expires=NOW))
    one("valid for one more second", "", make(expires=NOW + 1))
    one("expired before its list", "approval-expired", make(expires=NOW, text=bytes(68)))
    one("the request has expired", "approval-expired", make(expires=request.expires + 99), "approved-late")
    for title, text in (("empty", listed([])), ("more than there are", listed(rows, 9)), ("order", listed(rows[::-1])),
                        ("twice", listed(rows[:1] * 2)), ("session 0", listed([(SHOP, 0, *rows[0][2:])])), ("byte behind", listed(rows) + b"x"),
                        ("zero field", listed(rows)[:16] + b"\1" + listed(rows)[17:])):
        one("list: " + title, "approval-syntax", make(text=text))
    one("a session nobody asked for", "approval-sessions", make([*rows, (SHOP, 4, *rows[0][2:])]))
    wrong = [(w, s, b, bytes(32)) for w, s, b, _ in rows]
    one("wrong shares", "envelope-kid", make(wrong))
    swapped = [(w, s, b, share) for (w, s, _, share), (_, _, b, _) in zip(rows, rows[1:] + rows[:1])]
    one("shares of other boxes", "AUTH", make(swapped))
    one("one session less", "AUTH", make(rows[1:]))
    secret = "people/request.state"
    body = state[48:]
    people(body, request, rows, make, one, kid_of=session_secret)
    for title, data in (("zero field", body[:106] + b"\1" + body[107:]), ("31 days", body[:88] + struct.pack("<Q", request.expires + 2592000) + body[96:]),
                        ("no snapshots", body[:12] + bytes(4) + body[16:]), ("cut", body[:-1]), ("magic", b"x" + body[1:])):
        data = b"BK1RQSK\n" + struct.pack("<I4x", len(data) + 48) + e + data
        one("request: " + title, "request-syntax", old, **{secret: data})
    for title, data in (("magic", b"x" + state[1:]), ("zero field", state[:12] + b"\1" + state[13:]), ("byte behind", state + b"x")):
        one("state of a request: " + title, "request-syntax", old, **{secret: data})


def a_request(created=NOW, valid=3600, macs=None, secret=MEMBER_1, **fields):
    """Member 1 asks for shop/3, in the form of the document; fields replace what the golden request says."""
    q = er.parse_request(golden("people/request"), "")
    q.__dict__.update(fields)
    head = struct.pack("<16s16s32sQQI", q.repo_id, q.requester, q.E, created, created + valid, len(q.sessions))
    head += struct.pack("<HHH6x", len(q.by), len(q.reason), 1 if macs is None else len(macs))
    for *numbers, label in q.snapshots:
        head += struct.pack("<8sIIQ32sB", *numbers, len(label)) + label
    head += b"".join(struct.pack("<8sI4x32s", *place, kid) for place, kid in sorted(q.sessions.items())) + q.by + q.reason
    size = 16 + len(head) + 48 * (1 if macs is None else len(macs))
    head = b"BK1RQST\n" + struct.pack("<II", size, len(q.snapshots)) + head
    macs = {RID_2: H("bk1 request", er.shared_secret(secret, PK_2), head)} if macs is None else macs
    return head + b"".join(rid + mac for rid, mac in sorted(macs.items()))


def requests(created=NOW):
    q = er.parse_request(golden("people/request"), "")
    snapshot, sessions = q.snapshots[0], q.sessions

    def one(title, expected, data=None, files=None, verb="request", **fields):
        data = a_request(created, **fields) if data is None else data
        case("request for an approver: " + title, verb, expected, {"people/request": data, **(files or {})})

    def instead(i, value, label=snapshot[5]):
        changed = list(snapshot[:5]) + [label]
        changed[i] = value
        return {"snapshots": [tuple(changed)]}

    good = a_request(created)
    one("of our own making", "")
    one("altered", "request-auth", good.replace(q.by, q.by[::-1]))
    one("a mac that was altered", "request-auth", good[:-1] + bytes([good[-1] ^ 1]))
    one("by another key than the requester's", "request-auth", secret=LATE)
    one("for somebody else", "AUTH", macs={RID_1: bytes(32)})
    one("one's own", "request-auth", requester=RID_2, secret=MEMBER_2)
    one("of nobody", "request-auth", requester=LATE_RID, secret=LATE)
    one("of another repository", "request-differs", repo_id=bytes(16))
    one("other repository before auth", "request-differs", repo_id=bytes(16), macs={RID_2: bytes(32)})
    one("cut", "request-syntax", good[:-1])
    case("request for an approver: over", "request", "request-expired", {"people/request": a_request(created - 7200)})
    case("request for an approver: made in two days", "request", "request-expired", {"people/request": a_request(created + 172800)})
    case("request for an approver: made in twelve hours", "request", "", {"people/request": a_request(created + 43200)})
    one("another seq", "request-differs", **instead(1, 2))
    one("a seq that is not there", "request-differs", **instead(1, 99))
    one("an unknown writer", "request-differs", **instead(0, bytes(8)))
    one("another session", "request-differs", **instead(2, 4))
    one("another time", "request-differs", **instead(3, 5))
    one("another hash", "request-differs", **instead(4, bytes(32)))
    one("another label", "request-differs", **instead(5, b"blog"))
    void = er.parse_record(golden(LOG[BLOG] + "00000002.00"))
    both = sorted([snapshot, (BLOG, 2, void.session, void.time, void.hash, b"blog")])
    one("a void one", "request-differs", snapshots=both)
    one("a session more", "request-differs", sessions={**sessions, (SHOP, 4): bytes(32)})
    one("a session less", "request-differs", sessions={place: kid for place, kid in sessions.items() if place[1] > 1})
    one("another kid", "request-differs", sessions={**sessions, (SHOP, 3): bytes(32)})
    one("another kid where only a pack is left", "request-differs", sessions={**sessions, (SHOP, 1): bytes(32)})
    pack = "repo/w/%s/pack/00000001-000000.00" % SHOP.hex()
    one("a pack that is not what was signed", "pack-hash", files={pack: flip(pack, 40000)})
    path = "repo/w/%s/snap/00000003.00" % SHOP.hex()
    snap = golden(path)
    one("its object is damaged", "snap-hash", files={path: flip(path, 99)})
    copied = er.parse_envelope(snap[64 : struct.unpack_from("<I", snap, 8)[0] - 32], 80, "")[1][0][0][1]
    seal_box, sodium.crypto_box_seal = sodium.crypto_box_seal, lambda *args: copied
    forged = Session().files(END)
    sodium.crypto_box_seal = seal_box
    one("a box of the session stands in another one, too", "envelope-copy", files=forged)


def people(body, request, rows, make, one, kid_of):
    """What the reader does not need of a request, and two approvals together."""
    said = lambda name, good: case("request: " + name, "L0", "" if good else "not so", {})
    at, nsess, nmacs = 112 + 57 + body[112 + 56], len(request.sessions), struct.unpack_from("<H", body, 104)[0]
    writer, seq, session, moment, digest = struct.unpack_from("<8sIIQ32s", body, 112)
    said("one snapshot, shop/3", (writer, seq, session, body[169:at]) == (SHOP, 3, 3, b"shop"))
    data = golden(LOG[SHOP] + "00000003.01")
    said("time and hash are the record's", (moment, digest) == (er.parse_record(data).time, F(data)))
    kids = {struct.unpack_from("<8sI4x32s", body, at + i * 48) for i in range(nsess)}
    said("its sessions and their kids", {(w, s) for w, s, _ in kids} == {(SHOP, 1), (SHOP, 2), (SHOP, 3)} and
         all(kid_of(w, s)[0] == kid for w, s, kid in kids if s != 1))  # the object of session 1 is deleted
    head = body[: len(body) - nmacs * 48]
    macs = dict(struct.iter_unpack("<16s32s", body[len(head) :]))
    key = er.shared_secret(MEMBER_2, PK_1)
    said("the mac for member 2", F(head) == request.id and macs[RID_2] == H("bk1 request", key, head))
    snap = golden("repo/w/%s/snap/00000003.00" % SHOP.hex())
    groups = er.parse_envelope(snap[64 : struct.unpack_from("<I", snap, 8)[0] - 32], 80, "")[1]
    third = secrets("member-3.key", 5)[48:]
    public = sodium.crypto_scalarmult_base(third)
    rid = er.recipient_id(public)
    boxes = [dict(group)[rid] for group in groups if {r for r, _ in group} == {rid, RID_1}]
    their = [(SHOP, 3, F(box)[:16], er.box_open(box, public, third)) for box in boxes]
    second = make(their, shared=er.shared_secret(third, PK_1), approver=rid)
    first = make([row for row in rows if row[1] < 3])
    one("two people, some sessions each", "", first, "approved-two", **{"people/approval-2": second})
    one("one of them is not enough", "AUTH", first, "approved-3")


def catalogs():
    hello = lambda session: member(b"a", session.stream(b"hello")) + END
    session = Session()
    case("snapshot: private part of 80 bytes", "extract", "snap-priv", session.files(b"", private=b"\1" * 80))
    session = Session()
    case("snapshot: reference before padding", "extract", "stream-reference", session.files(b"", private=b"\1" * 96))
    session = Session()
    private = session.stream(hello(session)) + b"\3\0\0\0abc"
    case("snapshot: facts that are no lines", "extract", "", session.files(b"", private=private))
    for level in ("L0", "L2", "LK"):
        files = Session().files(END)
        bad = bytearray(files[SNAP])
        bad[struct.unpack_from("<I", bad, 8)[0] + 30] ^= 1
        files[SNAP] = bytes(bad)
        packs, log = [(6, 0, len(files[PACK]), F(files[PACK]))], LOG[SHOP]
        files[log + "00000006.00"] = record(SHOP, 6, F(golden(log + "00000005.00")), 1, 7, packs, files[SNAP])
        case("snapshot: a broken view at " + level, level, "" if level == "L0" else "snap-view", files)
    files = Session().files(END)
    files[PACK] = files[PACK][:-1] + bytes([files[PACK][-1] ^ 1])
    case("a pack with a wrong hash is not opened", "L3", "pack-hash", files)
    catalog("more than the view says", "stream-length", hello, logical=4)
    catalog("more than the view says: L3", "stream-length", hello, logical=4, verb="L3")
    catalog("exactly that, and a hard link", "", lambda s: hello(s)[:-1024] + tar(b"b", 0, b"1", b"a") + END, logical=5)
    catalog("a label of 255 letters", "", hello, label=b"x" * 255, verb="all")
    catalog("a label with slashes and control characters", "", hello, label=b"../../\x1b[2J\n", verb="all")
    a, negative = member(b"a"), b"\xff" * 8
    catalog("device", "catalog-type", tar(b"../a", 0, b"3", uid=negative) + END)
    catalog("path before owner", "catalog-path", member(b"../a", uid=negative) + END)
    catalog("link before owner and duplicate", "catalog-link", a + tar(b"a", 0, b"1", b"zz", uid=negative) + END)
    catalog("owner before duplicate", "catalog-header", a + member(b"a", uid=negative) + END)
    catalog("duplicate before body", "catalog-duplicate", a + tar(b"a", 5) + full(b"12345") + END)
    catalog("a hard link to a hard link", "catalog-link", a + tar(b"b", 0, b"1", b"a") + tar(b"c", 0, b"1", b"b") + END)
    catalog("a directory with a body", "catalog-body", tar(b"d/", 88, b"5") + full(bytes(88)) + END)
    catalog("ends in a body", "catalog-truncated", a[:550])
    catalog("ends in what fills a body", "catalog-truncated", a[:650])
    catalog("one zero block", "catalog-truncated", a + bytes(512))
    catalog("one zero block, then a member", "catalog-trailing", a + bytes(512) + member(b"b") + END)
    catalog("zeros and then a byte", "catalog-trailing", a + bytes(9000) + b"x")
    catalog("a pax header for nobody", "catalog-header", a + pax(b"path", b"b") + END)
    catalog("two pax headers", "catalog-header", pax(b"path", b"b") + pax(b"uname", b"b") + a + END)
    catalog("a global header says nothing", "", pax(b"path", b"../x", b"g") + a + END)
    catalog("sparse", "catalog-type", pax(b"GNU.sparse.map", b"0,1") + a + END)
    catalog("NUL in a path", "catalog-path", pax(b"path", b"a\0b") + a + END)
    catalog("a path of 65536 bytes", "catalog-path", pax(b"path", b"a" * 65536) + a + END)
    catalog("headers of more than 1 MiB", "catalog-limit", pax(b"comment", b"x" * er.MIB) + a + END)
    catalog("facts of 65537 bytes", "catalog-body", member(b"a", facts=b"x" * 65537) + END)
    catalog("below a file", "DENIED", a + member(b"a/b") + END)
    catalog("a bad reference is its member's alone", "stream-reference", lambda s: member(b"b", b"\t" * 84) + hello(s))


def trees():
    """Members of trees of files: gaps, what the backup could not read, attributes, ACLs."""

    def content(wanted):
        def look(out):
            with open(out + "/a", "rb") as file:
                return file.read() == wanted

        return look

    def file(name, expected, facts, wanted=None, verb="extract", data=b"hello"):
        make = lambda s: member(b"a", s.stream(data) if data else bytes(84), facts) + END
        catalog("tree: " + name, expected, make, verb, content(wanted) if wanted is not None else None)

    file("a gap", "", b"gaps=2:3\n", b"he\0\0\0llo")
    file("gaps at both ends", "", b"gaps=0:2,4:1,8:3\n", b"\0\0he\0llo\0\0\0")
    file("a gap right at the end", "", b"gaps=5:1\n", b"hello\0")
    file("nothing but a gap", "", b"gaps=0:9\n", bytes(9), data=b"")
    file("zeros in front of numbers", "", b"gaps=002:0000000000000000000000003\n", b"he\0\0\0llo")
    file("gaps without their LF", "", b"gaps=2:3", b"he\0\0\0llo")
    file("the first line of a key counts", "", b"gaps=2:3\ngaps=x\n", b"he\0\0\0llo")
    file("other keys are nobody's", "", b"Gaps=2:3\ngaps\n=gaps\nholes=x\n", b"hello")
    for text in (b"", b"x", b"2:0", b"2:3,5:1", b"2:3,4:9", b"6:1", b"2:3,9:1", b"2:3,", b"+2:3", b"2:3\r", b"2:18446744073709551615",
                 b"2:18446744073709551619", b"5:1125899906842620", b"18446744073709551618:3"):
        name = "bad gaps '%s'" % text.decode().replace("\r", "(CR)")
        file(name, "catalog-body", b"gaps=" + text + b"\n")
    file("bad gaps: L3", "catalog-body", b"gaps=6:1\n", verb="L3")
    both = lambda s: member(b"b", s.stream(b"hello"), b"gaps=6:1\n") + member(b"a", s.stream(b"hello")) + END
    catalog("tree: bad gaps are their member's alone", "catalog-body", both, look=content(b"hello"))
    catalog("tree: reference before gaps", "stream-reference", member(b"a", b"\t" * 84, b"gaps=x\n") + END)
    file("gaps are not in the view's sum", "", b"gaps=5:1000000\n", b"hello" + bytes(1000000))
    file("changed", "told:changed", b"changed=yes\n", b"hello")
    file("incomplete", "told:incomplete", b"incomplete=yes\n", b"hello")
    file("incomplete and with a gap: whole for L3", "", b"gaps=1:1\nincomplete=yes\n", verb="L3")

    def attributes(name, expected, records, wanted, kind="file", mode=0o664, also=b""):
        """wanted: (mode, attributes) of what came out."""

        def look(out):
            found = {key: os.getxattr(out + "/a", key) for key in os.listxattr(out + "/a")}
            return (os.stat(out + "/a").st_mode & 0o7777, found) == wanted

        def make(session):
            body = session.stream(b"hello")
            return records + (tar(b"a/", 0, b"5", mode=mode) if kind == "dir" else member(b"a", body, mode=mode)) + also + END

        catalog("attributes: " + name, expected, make, look=look)

    for text, wanted in ((b"-1.5", -5 * 10**8), (b"-2", -2 * 10**9), (b"-1.999999999", -1), (b"1.000000001", 10**9 + 1)):
        look = lambda out, wanted=wanted: os.stat(out + "/a").st_mtime_ns == wanted
        catalog("time %s" % text.decode(), "", pax(b"mtime", text) + member(b"a") + END, look=look)

    a, none = member(b"a"), 2**32 - 1
    attributes("user.*", "", xattrs(user__a=b"v", user__empty=b"", user__z=b"\0\xff"),
               (0o664, {"user.a": b"v", "user.empty": b"", "user.z": b"\0\xff"}))
    attributes("of a directory", "", xattrs(user__a=b"v"), (0o755, {"user.a": b"v"}), "dir", 0o755)
    attributes("of a file that nobody may write", "", xattrs(user__a=b"v"), (0o400, {"user.a": b"v"}), mode=0o400)
    attributes("an escaped name", "", pax(b"LIBARCHIVE.xattr.user.%41%c3%a4", b"dg"), (0o664, {"user.A\u00e4": b"v"}))
    others = xattrs(trusted__a=b"v", security__capability=b"v", security__selinux=b"v", system__a=b"v", user__a=b"v")
    attributes("others are left out", "told:left-out", others, (0o664, {"user.a": b"v"}))
    attributes("set-user-id is left out", "told:left-out", b"", (0o755, {}), mode=0o6755)
    attributes("and set-group-id of a directory", "told:left-out", b"", (0o755, {}), "dir", 0o2755)
    for coded in (b"dg==", b"d", b"d*"):
        attributes("no base64 (%s)" % coded.decode(), "told:unset", pax(b"LIBARCHIVE.xattr.user.a", coded), (0o664, {}))
    attributes("a bad escape", "told:unset", pax(b"LIBARCHIVE.xattr.user.%4", b"dg"), (0o664, {}))
    five = [(1, 6, none), (2, 6, 12345), (4, 4, none), (16, 6, none), (32, 4, none)]
    access = lambda *entries: xattrs(system__posix_acl_access=acl(*entries))
    attributes("an ACL", "", access(*five), (0o664, {"system.posix_acl_access": acl(*five)}))
    attributes("an ACL that the system refuses", "told:unset", access(*five[:3], five[4]), (0o644, {}))
    attributes("an ACL in the wrong order", "told:unset", access(*five[::-1]), (0o644, {}))
    attributes("an ACL that is none", "told:unset", xattrs(system__posix_acl_access=b"\2\0\0\0x"), (0o600, {}))
    default = xattrs(system__posix_acl_default=acl(*five))
    attributes("a default ACL", "", default, (0o755, {"system.posix_acl_default": acl(*five)}), "dir", 0o755, member(b"a/b"))
    attributes("a default ACL of a file", "told:unset", default, (0o664, {}))
    named = lambda length: pax(b"LIBARCHIVE.xattr.user." + b"n" * (length - 5), b"")
    large = xattrs(user__a=bytes(65537))
    attributes("a name of 255 bytes", "", named(255), (0o664, {"user." + "n" * 250: b""}))
    catalog("attributes: a name of 256 bytes", "catalog-limit", named(256) + a + END)
    catalog("attributes: no name", "catalog-limit", pax(b"LIBARCHIVE.xattr.", b"dg") + a + END)
    catalog("attributes: a value of 65537 bytes", "catalog-limit", large + a + END)
    catalog("attributes: also at a link", "catalog-limit", large + tar(b"l", 0, b"2", b"a") + END)
    catalog("attributes: owner before them", "catalog-header", large + member(b"a", uid=b"\xff" * 8) + END)
    catalog("attributes: they before duplicate", "catalog-limit", a + large + a + END)
    catalog("attributes: nothing at a link", "", xattrs(user__a=b"v") + tar(b"l", 0, b"2", b"a") + END)


def frames():
    plain = b"a" * 500

    def frame(name, expected, descriptor, fields, tail=b"", size=500):
        session = Session()
        block = (1 | 1 << 1 | size << 3).to_bytes(3, "little") + b"a"
        data = b"\1\x28\xb5\x2f\xfd" + bytes([descriptor]) + fields + struct.pack("<H", 500 - 256) + block + tail
        reference = session.stream(plain, session.blob(plain, frame=data))
        case("zstd: " + name, "extract", expected, session.files(member(b"a", reference) + END))

    frame("one block", "", 0x60, b"")
    frame("window of 2^31", "", 0x40, b"\xa8")
    frame("window above 2^31", "blob-frame", 0x40, b"\xa9")
    frame("dictionary id 0", "", 0x61, b"\0")
    frame("dictionary id 7", "blob-frame", 0x61, b"\7")
    frame("reserved bit", "blob-frame", 0x68, b"")
    frame("a wrong checksum", "blob-frame", 0x64, b"", b"abcd")
    frame("a longer block", "blob-frame", 0x60, b"", size=501)
    frame("a byte after it", "blob-frame", 0x60, b"", b"x")

    def stream(name, expected, make):
        session = Session()
        case("stream: " + name, "extract", expected, session.files(member(b"a", make(session)) + END))

    def tree(session, blobs, items, length=500):
        node = struct.pack("<B3xIIQ", 0, len(blobs), len(items), length) + b"".join(blobs)
        node += b"".join(struct.pack("<H2xII", *item) for item in items)
        return session.tree(0, length, xxhash.xxh3_128(plain[:length]).digest(), node)

    stream("a tree", "", lambda s: tree(s, [s.blob(plain)], [(0, 0, 500)]))
    stream("offset+len above 2^32", "node-length", lambda s: tree(s, [s.blob(plain)], [(0, 2**32 - 1, 2)], 2))
    stream("a bad reference before a doubled one", "blob-reference", lambda s: tree(s, [bytes(52)] * 2, [(0, 0, 500)]))
    stream("not in the view before not introduced", "view-incomplete",
           lambda s: s.stream(plain)[:64] + struct.pack("<II", 5, 0) + s.stream(plain)[72:])
    stream("below the header", "blob-reference", lambda s: s.stream(plain)[:72] + struct.pack("<III", 64, 517, 500))
    stream("a data blob as node", "blob-id", lambda s: struct.pack("<QBB2xI16x", 500, 2, 0, 0) + s.blob(plain))


# ---- running them


def put(root, files):
    for path, data in files.items():
        path = os.path.join(root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if os.path.exists(path):
            os.remove(path)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)


def run(root, verb):
    """(findings, exit status)"""
    to, marks = os.path.join(root, "out"), os.path.join(root, "marks")
    kit = ["--kit", os.path.join(GOLDEN, "keys/kit.key")]
    repository = ["--repo", os.path.join(root, "repo"), *kit]
    people = os.path.join(root, "people")
    key = lambda name: ["--members-only", "--member", os.path.join(GOLDEN, "keys", name + ".key")]
    approved = ["--approval", people + "/approval", "--request-state", people + "/request.state", "--now", str(NOW)]
    shop_2 = ["extract", "shop/2", "--to", to]
    if verb == "person":  # a restore kit like the station's, but with the key of member 1
        head = b"BK1KEYF\n" + bytes([4]) + bytes(27)
        put(people, {"kit": head + seal(bytes(32), "keyfile", head, golden_kit[:112] + MEMBER_1)})
        repository[-1] = people + "/kit"
    arguments = {
        "extract": ["extract", "forge/6", "--to", to],
        "all": ["extract", "--all", "--to", to],
        "marks": ["records", "--marks", marks],
        "late": ["extract", "blog/1", "--to", to, *key("late")],
        "late-LK": ["check", "--level", "LK", *key("late")],
        "approved": [*shop_2, *key("member-1"), *approved],
        "person": [*shop_2, *approved],
        "approved-3": ["extract", "shop/3", "--to", to, *key("member-1"), *approved],
        "approved-two": ["extract", "shop/3", "--to", to, *key("member-1"), *approved, "--approval", people + "/approval-2"],
        "request": ["request", people + "/request", *key("member-2"), "--now", str(NOW)],
        "approved-more": ["extract", "shop/4", "--to", to, *key("member-1"), *approved],
        "approved-late": [*shop_2, *key("member-1"), *approved[:-1], str(NOW + 90000)],
        "nobody": [*shop_2, "--members-only", *approved],
    }.get(verb, ["check", "--level", verb])
    if verb == "marks":
        run_quietly(["records", "--marks", marks, "--repo", os.path.join(GOLDEN, "repo"), *repository[2:]])
    status, text = run_quietly(arguments + repository)
    found = {re.sub("^note ", "note:", line.removeprefix("alarm ")).split()[0]
             for line in text.splitlines() if line.startswith(("alarm ", "note "))}
    words = (("changed", "^changed: "), ("incomplete", "^incomplete: "), ("left-out", ": left out: "), ("unset", "could not be set"))
    found |= {"told:" + word for word, pattern in words if re.search(pattern, text, re.M)}
    return " ".join(sorted(found)), status


def run_quietly(arguments):
    out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = er.main(arguments)
    err.seek(0)
    return status, err.read()


def run_cases():
    for make in (attempts, charters, retentions, retired, past_deletions, notes, grants, approvals, requests, catalogs, trees, frames):
        make()
    root = os.path.join(WORK, "case")
    fresh = Copy(GOLDEN, root, PARTS)
    for name, verb, expected, files, look in cases:
        for path in files:
            fresh.touch(path)
        put(root, {path: data for path, data in files.items() if not isinstance(data, int)})
        for path, size in files.items():
            if isinstance(size, int):  # a sparse file
                put(root, {path: b""})
                os.truncate(os.path.join(root, path), size)
        expected = " ".join(sorted(expected.split()))
        found, status = run(root, verb)
        alarms = {word for word in expected.split() if not word.startswith("note:")} - {"told:changed", "told:left-out"}
        keys = {"AUTH", "approval-auth", "approval-request", "approval-expired", "approval-sessions"}
        some = {"DENIED", "told:incomplete", "told:unset"}
        wanted = 0 if not alarms else 1 if alarms <= some else 12 if alarms <= keys else 9
        left = [path for path, _, names in os.walk(root) if any("partial" in name for name in names)]
        good = (found, status, left) == (expected, wanted, [])
        if good and look and not look(os.path.join(root, "out")):
            good, left = False, "what came out is not as it was"
        print("ok - " + name if good else "not ok - %s: '%s' and %d instead of '%s' and %d; left behind: %s" % (
            name, found, status, expected, wanted, left))
        fresh.touch("people/kit")
        fresh.reset("out", "marks")


def make_one(kind):
    session = Session()
    if kind == "big":  # 384 MiB out of one blob, named 384 times
        data = os.urandom(er.MIB)
        low = struct.pack("<B3xIIQ", 0, 1, 2, 2 * er.MIB) + session.blob(data) + struct.pack("<H2xII", 0, 0, er.MIB) * 2
        high = struct.pack("<B3xIIQ", 1, 1, 192, 384 * er.MIB) + session.blob(low, True)
        high += struct.pack("<H2xQ", 0, 2 * er.MIB) * 192
        digest = xxhash.xxh3_128()
        for _ in range(384):
            digest.update(data)
        text = member(b"big", session.tree(1, 384 * er.MIB, digest.digest(), high)) + END
    elif kind == "hole":  # 1 TiB, and 300 MiB for standard output
        text = member(b"huge", session.stream(b"hello"), b"gaps=0:700000000000,700000000002:399511627771\n")
        text += member(b"small", session.stream(b"hel"), b"gaps=2:314572800\n") + END
    elif kind == "bomb":  # says 2 MiB, and would give 12 GiB
        data = b"\1\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", 2 * er.MIB)
        data += (1 << 1 | 131072 << 3).to_bytes(3, "little").join([b"", *[b"a"] * 100000]) + b"\1\0\0"
        text = member(b"bomb", session.stream(b"a" * 2 * er.MIB, session.blob(b"a" * 2 * er.MIB, frame=data))) + END
    else:  # a link through itself, 32767 times over
        text = pax(b"linkpath", b"l/" * 32767) + tar(b"l", 0, b"2", b"x") + END
    Copy(GOLDEN, WORK, PARTS)
    put(WORK, session.files(text))


if command == "cases":
    run_cases()
else:
    make_one(sys.argv[5])
