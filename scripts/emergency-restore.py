#!/usr/bin/python3
"""emergency-restore.py: gets your data out of an encrypted backup repository (format bk1) with nothing but Python.

For the day when the program `restore` is gone or does not run. This file was written from docs/format.md alone and
shares no line with the programs that made the backup; keep both in the safe, next to the restore kit. It only reads the
repository and writes only below a new directory that you name: nothing here can damage the backup. Take your time.

1. A machine with Linux and room for the data. Not the one that was broken into. Python 3.9 or newer; on Debian, as root:

       apt-get install python3 python3-nacl python3-xxhash zstd

2. The repository as a local directory (below: REPO): a copy of the whole directory from the storage (rsync -a, or
   sftp -r), or a disk or replica that holds it. It is the directory in which there are `charter`, `ret` and `w`.

3. The restore kit (below: KIT): the file restore-kit.key; or the printed key text, typed into a file with any editor.
   Each line of the text has two check digits, so typing errors are found, line by line. Is it intact?

       python3 emergency-restore.py key     --kit KIT

   When the backup asks for several people, add the key file of each to every command: --member FILE, or one more --kit
   FILE for a restore kit of their own. Somebody who does not come may have sent an approval (format.md, section 22): add
   --approval FILE, and --request-state FILE, the secret half of your request, which is still on the machine on which
   you made that (`restore` keeps it in the folder requests of its state directory). An approval opens only the sessions
   that you asked for; the rest says AUTH. This file makes neither requests nor approvals. It can judge a request that
   somebody sent to the owner of KIT: is it true, and what would it open?

       python3 emergency-restore.py request --repo REPO --kit KIT REQUEST

4. Which snapshots are there, and what is in one of them (here: shop/7)?

       python3 emergency-restore.py list    --repo REPO --kit KIT
       python3 emergency-restore.py files   --repo REPO --kit KIT shop/7

5. Get it out. NEWDIR must not exist, or be empty; only you can read it. One snapshot, every snapshot, or one stream:

       python3 emergency-restore.py extract --repo REPO --kit KIT shop/7 --to NEWDIR
       python3 emergency-restore.py extract --repo REPO --kit KIT --all  --to NEWDIR
       python3 emergency-restore.py cat     --repo REPO --kit KIT shop/7 db/orders > orders

   Every byte is checked on the way. Exit status 0 means that all you asked for is there and whole; anything else, that
   something is missing: it is named, and the rest is there. What cat wrote before it failed is worth nothing.
   "incomplete" names a file of which the backup got only the beginning: that is all there is, and the status is 1.
   "changed" names one that somebody wrote to while the backup read it. Files get their permissions, times, attributes
   user.* and ACLs back (in ACLs numbers count, not names); NEWDIR itself stays yours alone.

6. Load it into the database. For SQLite the stream is the database file itself. For any other source docs/format.md
   says what its streams are; `files` shows the facts that were noted with each.

7. If something is wrong. "note NAME ..." is harmless, "alarm NAME ..." is not; section 17 of docs/format.md explains each
   name. Damage hits the snapshots that need the damaged file: try an older or newer one, or look for that one file in
   another copy of the storage. AUTH means that these keys are no recipient of that session. To know all that is wrong:

       python3 emergency-restore.py check   --repo REPO --kit KIT --level L0       signatures, and files are there; quick
       python3 emergency-restore.py check   --repo REPO --kit KIT --level L3       everything is readable; reads it all
       python3 emergency-restore.py records --repo REPO --kit KIT                  the logs, record by record

Options:
    --member FILE           key file of a quorum member; may be given several times
    --members-only          do not use the kit's own recipient key: can these members do it alone?
    --approval FILE         what somebody approved; several times for several people
    --request-state FILE    the secret half of the request that was approved
    --passphrase-file FILE  its first line is the passphrase (otherwise you are asked)
    --root HEX              root public key, or a file with it: enough for check --level L0 and L1 without a kit
    --owners                extract: also set owners, by their numbers (as root)
    --privileged            extract: as --owners, and also set-user-id, set-group-id and sticky bits, capabilities and
                            attributes trusted.* (as root, and only from a host you trust)
    --all-links             extract: also make symbolic links that lead out of NEWDIR
    --marks FILE            remember what was seen; next time, a repository that shrank is an alarm
    --now SECONDS           also report writers that are late at this time (seconds since 1970); approvals go by it, too

Exit status: 0 all is well, 1 failed, 2 wrong usage, 9 the repository (or a key file) is damaged, 12 wrong key,
passphrase or approval. Section numbers in this file are those of docs/format.md.
"""

import argparse
import base64
import collections
import getpass
import hashlib
import json
import os
import re
import resource
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time

try:
    import nacl.bindings as sodium
    import nacl.exceptions
    import xxhash
except ImportError as missing:
    print(__doc__)
    words = "%s, in %s. On Debian: apt-get install python3-nacl python3-xxhash zstd, and run this with /usr/bin/python3"
    sys.exit(words % (missing, sys.executable))

# ---------------------------------------------------------------------------------------------------------------------
# Limits (section 18)

KIB, MIB = 1024, 1024 * 1024
MAX_NUMBER = 2**31 - 1  # session, seq, version
MAX_IDX = 0xFFFFFE
SNAPSHOT_IDX = 0xFFFFFF  # in lists of the retention log: the snapshot object
MAX_CHARTER = MIB
MAX_RECORD = 64 * MIB
MAX_SNAPSHOT = 64 * MIB
MIN_PACK, MAX_PACK = 64 * KIB, 256 * MIB
MAX_TRAILER = 64 * MIB
MAX_BLOB, MAX_NODE = 2 * MIB, MIB
MAX_STREAM = 2**50
MAX_HEADER = 8192
MAX_XATTR_NAME, MAX_XATTR = 255, 64 * KIB
MAX_NOTES = 16384
MAX_GRANT, MAX_GRANTS, GRANT_FILES = 64 * MIB, 256 * MIB, 1024  # a file; all of a recipient (and how many)
MAX_REQUEST = MAX_APPROVAL = 8 * MIB
TAIL = 56
SEAL = 40  # bytes a SEAL is longer than its plaintext


class Bad(Exception):
    """A violation, by its name in section 17."""

    def __init__(self, name, text=""):
        super().__init__(name, text)
        self.name, self.text = name, text


class Failed(Exception):
    """Something outside the format went wrong; the text is for the user."""


def need(condition, name, text=""):
    if not condition:
        raise Bad(name, text)


def printable(text, also=""):
    """Nothing in a text may act on the terminal; the characters in `also` are escaped too."""
    return "".join(
        c if c.isprintable() and c not in also else "".join("\\x%02x" % b for b in c.encode("utf-8", "surrogateescape"))
        for c in text
    )


def show(name):
    """A name of the repository for people, reversible: a backslash in it is escaped too."""
    return printable(name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name, "\\")


def when(seconds):
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return str(seconds)


# ---------------------------------------------------------------------------------------------------------------------
# Primitives (section 2)


def H(person, key, msg, size=32):
    return hashlib.blake2b(msg, digest_size=size, key=key, person=person.encode("ascii")).digest()


def F(data):
    return hashlib.blake2b(data, digest_size=32).digest()


def aead_open(key, nonce, ad, sealed):
    """The plaintext, or None."""
    if len(sealed) < 16:
        return None
    try:
        return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(bytes(sealed), bytes(ad), bytes(nonce), key)
    except nacl.exceptions.CryptoError:
        return None


def seal_open(key, label, ad, sealed):
    """Opens a SEAL: the plaintext, or None."""
    if len(sealed) < SEAL:
        return None
    keys = H("bk1 seal keys", key, label.encode("ascii"), 64)
    nonce = bytes(sealed[:24])
    plain = aead_open(keys[:32], nonce, ad, sealed[24:])
    if plain is None:
        return None
    if H("bk1 seal nonce", keys[32:], struct.pack("<Q", len(ad)) + bytes(ad) + plain, 24) != nonce:
        return None
    return plain


def signature_fits(public_key, tag, data, signature):
    message = tag.encode("ascii").ljust(16, b"\0") + hashlib.blake2b(data, digest_size=64).digest()
    try:
        sodium.crypto_sign_open(bytes(signature) + message, public_key)
        return True
    except nacl.exceptions.CryptoError:
        return False


def box_open(box, public_key, secret):
    """The plaintext of a BOX, or None."""
    try:
        return sodium.crypto_box_seal_open(bytes(box), public_key, secret)
    except nacl.exceptions.CryptoError:
        return None


def shared_secret(secret, public_key):
    """X25519 (RFC 7748); None when the result is all zero."""
    try:
        result = sodium.crypto_scalarmult(secret, public_key)
    except nacl.exceptions.CryptoError:
        return None
    return result if any(result) else None


def padme(length):
    if length < 2:
        return length
    e = length.bit_length() - 1
    s = e.bit_length() if e else 1  # floor(log2 e) + 1
    if s >= e:
        return length
    mask = (1 << (e - s)) - 1
    return (length + mask) & ~mask


def recipient_id(public_key):
    return H("bk1 rid", b"", public_key, 16)


def is_text(data):
    """UTF-8 without NUL; Python's decoder refuses surrogates and long forms, as RFC 3629 asks."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


# ---------------------------------------------------------------------------------------------------------------------
# zstd: the `zstd` command, after a look at the frame. The command accepts several frames in a row, so many blobs go
# through one process; that is safe because each is proven to be exactly one frame before.


def check_zstd_frame(payload, plain_length):
    """Exactly one frame, no dictionary, its content size is plain_length, nothing after it (section 10, RFC 8878)."""
    need(payload[:4] == b"\x28\xb5\x2f\xfd" and len(payload) > 4, "blob-frame", "no zstd frame")
    descriptor = payload[4]
    single_segment = descriptor >> 5 & 1
    need(descriptor >> 3 & 1 == 0, "blob-frame", "reserved bit")
    at = 5
    if not single_segment:
        need(at < len(payload) and 10 + (payload[at] >> 3) + (payload[at] & 7 != 0) <= 31, "blob-frame", "window")
        at += 1
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    need(not any(payload[at : at + dictionary_bytes]), "blob-frame", "dictionary")
    at += dictionary_bytes
    size_bytes = (single_segment, 2, 4, 8)[descriptor >> 6]
    need(size_bytes > 0, "blob-frame", "no content size")
    content = int.from_bytes(payload[at : at + size_bytes], "little") + (256 if size_bytes == 2 else 0)
    need(content == plain_length, "blob-frame", "content size")
    at += size_bytes
    last = 0
    while not last:
        need(at + 3 <= len(payload), "blob-frame", "the zstd frame is cut")
        block = int.from_bytes(payload[at : at + 3], "little")
        last, kind, size = block & 1, block >> 1 & 3, block >> 3
        need(kind != 3 and size <= 128 * KIB, "blob-frame", "block")
        at += 3 + (1 if kind == 1 else size)
    at += 4 if descriptor >> 2 & 1 else 0
    need(at == len(payload), "blob-frame", "not exactly one zstd frame")


def memory_file():
    """What is decrypted never touches a disk except where it was asked for."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("frames"), "w+b")
    return tempfile.TemporaryFile()


def run_zstd(frames, plain_length):
    """All frames through one `zstd -d`; None when that does not give exactly plain_length bytes."""
    with memory_file() as source:
        for frame in frames:
            source.write(frame)
        source.seek(0)
        try:
            process = subprocess.Popen(
                ["zstd", "-d", "-c", "-q", "--no-progress", "--long=31"],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise Failed("the command zstd is missing: apt-get install zstd") from None
        with process:
            plain = process.stdout.read(plain_length + 1)  # a hostile frame may give any amount: never read more
            if len(plain) > plain_length:
                process.kill()
    return plain if process.returncode == 0 and len(plain) == plain_length else None


def decode_frames(jobs):
    """jobs: list of (frame, plain length). Gives a list of plaintexts or Bad."""
    results = [None] * len(jobs)
    packed = []
    for i, (frame, length) in enumerate(jobs):
        try:
            need(len(frame) >= 2, "blob-frame", "empty")
            if frame[0] == 0:
                need(len(frame) - 1 == length, "blob-frame", "length")
                results[i] = frame[1:]
            else:
                need(frame[0] == 1, "blob-frame", "codec")
                payload = frame[1:]
                check_zstd_frame(payload, length)
                packed.append((i, payload, length))
        except Bad as bad:
            results[i] = bad
    plain = run_zstd([p for _, p, _ in packed], sum(n for _, _, n in packed)) if packed else b""
    at = 0
    for i, payload, length in packed:
        if plain is not None:
            results[i] = plain[at : at + length]
            at += length
        else:  # one of them is bad: find out which
            alone = plain if len(packed) == 1 else run_zstd([payload], length)
            results[i] = Bad("blob-frame", "does not decompress") if alone is None else alone
    return results


# ---------------------------------------------------------------------------------------------------------------------
# Key files and key text (section 14)

ROLES = {1: ("root", 48), 2: ("writer", 152), 3: ("retention", 112), 4: ("restore kit", 144), 5: ("quorum member", 80)}
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DIGIT_VALUE = {**{c: i for i, c in enumerate(DIGITS)}, "O": 0, "I": 1, "L": 1}


BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # what some editors put in front


def looks_like_key_text(data):
    for line in data.removeprefix(BYTE_ORDER_MARK).split(b"\n"):
        line = line.strip(b" \t\r")
        if line and not line.startswith(b"#"):
            return re.match(rb"bk[1il]keytext", re.sub(rb"[ \t-]", b"", line.lower())) is not None
    return False


def digits_to_bytes(digits, length):
    """Base 32 from the highest bit on; the fill bits must be zero."""
    need(len(digits) == (length * 8 + 4) // 5, "key-text", "number of digits")
    value = 0
    for d in digits:
        value = value * 32 + d
    fill = len(digits) * 5 - length * 8
    need(value & ((1 << fill) - 1) == 0, "key-text", "fill bits")
    return (value >> fill).to_bytes(length, "big")


def typed_number(text):
    """A decimal number, with O for 0 and I or L for 1 as in the digits."""
    return int(text.translate(str.maketrans("OIL", "011")))


def read_key_text(text):
    need(len(text) <= 64 * KIB, "key-text", "too long")
    try:
        text = text.removeprefix(BYTE_ORDER_MARK).decode("ascii")
    except UnicodeDecodeError:
        raise Bad("key-text", "not plain letters and digits") from None
    lines = []
    for line in text.split("\n"):
        line = line.replace(" ", "").replace("\t", "").replace("\r", "").replace("-", "").upper()
        if line and not line.startswith("#"):
            lines.append(line)
    first = re.fullmatch(r"BK[1IL]KEYTEXT([0-9OIL]{1,9})BYTES,?CHECK([0-9A-Z]{8})", lines[0] if lines else "")
    need(first, "key-text", "first line")
    total = typed_number(first[1])
    need(1 <= total <= 4096, "key-text", "length")
    need(len(lines) == 1 + (total + 19) // 20, "key-text", "number of lines")
    data = b""
    for number, line in enumerate(lines[1:], 1):
        match = re.fullmatch(r"([0-9OIL]{1,9})[:.)]([0-9A-Z]+)", line)
        need(match and typed_number(match[1]) == number, "key-text", "line %d" % number)
        need(all(c in DIGIT_VALUE for c in match[2]), "key-text", "a letter that is none of ours in line %d" % number)
        digits = [DIGIT_VALUE[c] for c in match[2]]
        digits, check = digits[:-2], digits[-2:]
        s = number % 1021
        for d in digits:
            s = (s * 10 + d + 1) % 1021
        need(check == [s // 32, s % 32], "key-text", "typing error in line %d" % number)
        data += digits_to_bytes(digits, min(20, total - len(data)))
    need(all(c in DIGIT_VALUE for c in first[2]), "key-text", "first line")
    need(digits_to_bytes([DIGIT_VALUE[c] for c in first[2]], 5) == F(data)[:5], "key-text", "check of the first line")
    return data


def read_key(path, expected_role, passphrases):
    """The secrets of a key file, or of key text."""
    try:
        with open(path, "rb") as file:
            data = file.read(64 * KIB + 1)
    except OSError as error:
        raise Failed("%s: %s" % (path, error.strerror)) from None
    if looks_like_key_text(data):
        data = read_key_text(data)
    need(36 + SEAL <= len(data) <= 64 * KIB and data[:8] == b"BK1KEYF\n", "key-file", "not a key file")
    role, kdf, memory, passes, salt = data[8], data[9], *struct.unpack("<II", data[12:20]), data[20:36]
    need(data[10:12] == b"\0\0" and 1 <= role <= 6, "key-file", "head")
    if kdf == 0:
        need(memory == 0 and passes == 0 and salt == bytes(16), "key-file", "head")
        keys = [bytes(32)]
    else:
        need(kdf == 1 and 64 <= memory <= 4096 and 1 <= passes <= 16, "key-file", "head")
    need(role == expected_role, "key-block", "this is the key of a %s" % ROLES.get(role, ("drill",))[0])
    if kdf == 1:
        if not passphrases:
            passphrases = [getpass.getpass("passphrase of %s: " % path).encode("utf-8", "surrogateescape")]
        keys = (argon2id(p, salt, passes, memory) for p in passphrases)
    for key in keys:
        secrets = seal_open(key, "keyfile", data[:36], data[36:])
        if secrets is not None:
            break
    else:
        raise Bad("AUTH", "wrong passphrase") if kdf == 1 else Bad("key-file", "damaged")
    need(len(secrets) == ROLES[role][1], "key-block", "size")
    return secrets


def argon2id(passphrase, salt, passes, memory):
    try:
        return sodium.crypto_pwhash_alg(
            32, passphrase, salt, passes, memory * MIB, sodium.crypto_pwhash_ALG_ARGON2ID13
        )
    except nacl.exceptions.RuntimeError:
        raise Failed("not enough memory for the passphrase (%d MiB)" % memory) from None


class Keys:
    """What is at hand: the pin, and (with a kit) W, V and recipients' secret keys."""

    def __init__(self):
        self.repo_id = self.root = self.W = self.V = None
        self.recipients = {}  # rid -> (public, secret)
        self.requests, self.approvals = [], []  # files: (path, bytes)
        self.derived = {}

    def add_identity(self, repo_id, root):
        need(self.repo_id in (None, repo_id) and self.root in (None, root), "AUTH", "keys of different repositories")
        self.repo_id, self.root = repo_id, root

    def add_recipient(self, secret):
        public = sodium.crypto_scalarmult_base(secret)
        self.recipients[recipient_id(public)] = (public, secret)

    def of_writer(self, writer):
        """Section 3."""
        if writer not in self.derived:
            W_w = H("bk1 writer", self.W, writer)
            names = {"id_key": "bk1 id", "chunk_key": "bk1 chunk", "mix_key": "bk1 mix", "trail_key": "bk1 trail"}
            self.derived[writer] = {name: H(person, W_w, b"") for name, person in names.items()}
            self.derived[writer]["V_w"] = H("bk1 view", self.V, writer)
        return self.derived[writer]


# ---------------------------------------------------------------------------------------------------------------------
# The repository directory


class Store:
    def __init__(self, path):
        self.path = os.fsencode(path)
        self.kept = collections.OrderedDict()  # open pack files
        self.listings = {}
        if not os.path.isdir(self.path):
            raise Failed("%s is not a directory" % path)

    def open(self, name):
        """A file descriptor, or None when there is no such file."""
        try:
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            fd = os.open(os.path.join(self.path, name.encode()), flags)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Bad("IO", "%s: %s" % (name, error.strerror)) from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        return fd

    def read(self, name, limit):
        """The whole file; None when it does not exist."""
        fd = self.open(name)
        if fd is None:
            return None
        try:
            with os.fdopen(fd, "rb") as file:
                need(os.fstat(fd).st_size <= limit, "too-large")
                data = file.read(limit + 1)
        except OSError as error:
            raise Bad("IO", "%s: %s" % (name, error.strerror)) from None
        need(len(data) <= limit, "too-large")
        return data

    def size(self, name):
        fd = self.open(name)
        if fd is None:
            return None
        size = os.fstat(fd).st_size
        os.close(fd)
        return size

    def descriptor(self, name):
        """An open file of which parts are read; the last few are kept open."""
        if name in self.kept:
            self.kept.move_to_end(name)
        else:
            fd = self.open(name)
            if fd is None:
                return None
            self.kept[name] = fd
            if len(self.kept) > 32:
                os.close(self.kept.popitem(last=False)[1])
        return self.kept[name]

    def read_range(self, name, offset, length):
        fd = self.descriptor(name)
        need(fd is not None, "pack-missing", name)
        try:
            data = os.pread(fd, length, offset)
            while len(data) < length:
                more = os.pread(fd, length - len(data), offset + len(data))
                need(more, "short-file", name)
                data += more
        except OSError as error:
            raise Bad("IO", "%s: %s" % (name, error.strerror)) from None
        return data

    def holds_larger(self, directory, number):
        """Does the directory hold a file of a log or charter with a number above this one?"""
        if directory not in self.listings:
            try:
                names = os.listdir(os.path.join(self.path, directory.encode()))
            except (FileNotFoundError, NotADirectoryError):
                names = []
            except OSError as error:
                raise Bad("IO", "%s: %s" % (directory, error.strerror)) from None
            matches = (re.fullmatch(rb"([0-9a-f]{8})\.[0-9a-f]{2}", name) for name in names)
            numbers = [int(match[1], 16) for match in matches if match]
            self.listings[directory] = max((n for n in numbers if 1 <= n <= MAX_NUMBER), default=0)
        return self.listings[directory] > number


def log_name(directory, number, attempt):
    return "%s/%08x.%02x" % (directory, number, attempt)


def pack_name(writer, session, idx, attempt):
    return "w/%s/pack/%08x-%06x.%02x" % (writer.hex(), session, idx, attempt)


def grant_name(rid, number, attempt):
    return "grant/%s-%08x.%02x" % (rid.hex(), number, attempt)


def snap_name(writer, session, attempt):
    return "w/%s/snap/%08x.%02x" % (writer.hex(), session, attempt)


# ---------------------------------------------------------------------------------------------------------------------
# Charter (section 6)


class Charter:
    pass


Key = collections.namedtuple("Key", "pk first last cadence")  # last None: open
OPEN = 2**32 - 1


def parse_charter(data):
    """Grammar and ranges; the signature and what depends on the version before are judged elsewhere."""

    def good(condition, text):
        need(condition, "charter-syntax", text)

    good(data.endswith(b"\n") and data.isascii(), "not whole lines of ASCII")
    rows = []
    for line in data[:-1].decode("ascii").split("\n"):
        fields = line.split(" ")
        good(len(line) <= 320 and all(re.fullmatch("[!-~]+", field) for field in fields), "line")
        rows.append(fields)

    def number(text, low, high):
        good(re.fullmatch("0|[1-9][0-9]{0,18}", text) and low <= int(text) <= high, "number")
        return int(text)

    def hexadecimal(text, size):
        good(re.fullmatch("[0-9a-f]{%d}" % (size * 2), text), "hexadecimal")
        return bytes.fromhex(text)

    def take(word, low, high):
        good(rows and rows[0][0] == word and low <= len(rows[0]) <= high, word)
        return rows.pop(0)

    def more(word):
        return rows and rows[0][0] == word

    def key_range(fields):
        first = number(fields[0], 1, MAX_NUMBER)
        return first, number(fields[1], first - 1, MAX_NUMBER) if len(fields) > 1 else None

    c = Charter()
    row = take("bk1", 3, 3)
    good(row[1] == "charter", "first line")
    c.version = number(row[2], 1, MAX_NUMBER)
    c.repo_id = hexadecimal(take("repo", 2, 2)[1], 16)
    c.prev = hexadecimal(take("prev", 2, 2)[1], 32)
    good(c.version > 1 or c.prev == bytes(32), "prev")
    c.root = hexadecimal(take("root", 2, 2)[1], 32)
    good(number(take("pack-size", 2, 2)[1], 16777216, 268435456) % MIB == 0, "pack-size")
    c.min_keep = number(take("min-keep", 2, 2)[1], 0, 36500)
    c.recipients = recipients = {}  # rid -> public key
    c.expires = {}  # rid -> time
    while more("recipient"):
        row = take("recipient", 4, 5)
        rid, pk = hexadecimal(row[1], 16), hexadecimal(row[2], 32)
        good(rid == recipient_id(pk) and rid not in recipients and len(recipients) < 256, "recipient")
        good(re.fullmatch("[a-z0-9._-]{1,64}", row[3]), "recipient's name")
        c.expires[rid] = number(row[4], 1, 2**63 - 1) if len(row) > 4 else None
        recipients[rid] = pk
    groups = []
    while more("group"):
        members = [hexadecimal(rid, 16) for rid in take("group", 2, 9)[1:]]
        good(recipients.keys() >= set(members) and len(set(members)) == len(members), "group")
        groups.append(members)
    good(1 <= len(groups) <= 16 and sum(map(len, groups)) <= 64, "groups")
    c.writers = collections.OrderedDict()  # id -> [Key]
    order = []
    while more("writer"):
        row = take("writer", 5, 6)
        writer, pk = hexadecimal(row[1], 8), hexadecimal(row[2], 32)
        cadence = number(row[3], 0, 87600)
        first, last = key_range(row[4:])
        order.append((writer, first, OPEN if last is None else last, pk))
        c.writers.setdefault(writer, []).append(Key(pk, first, last, cadence))
    good(all(a < b for a, b in zip(order, order[1:])), "order of writers")
    c.retention = []
    order = []
    while more("retention"):
        row = take("retention", 3, 4)
        pk = hexadecimal(row[1], 32)
        first, last = key_range(row[2:])
        order.append((first, OPEN if last is None else last, pk))
        c.retention.append(Key(pk, first, last, 0))
    good(c.retention and all(a < b for a, b in zip(order, order[1:])), "retention")
    drills = set()
    while more("drill"):
        row = take("drill", 3, 3)
        pk = hexadecimal(row[1], 32)
        good(pk not in drills and len(drills) < 64 and row[2] in ("active", "retired"), "drill")
        drills.add(pk)
    c.signature = hexadecimal(take("sig", 2, 2)[1], 64)
    good(not rows, "lines after sig")
    c.signed = data[: data.rindex(b"sig ")]
    for keys in [*c.writers.values(), c.retention]:
        end = 0
        for key in keys:
            need(key.first > end, "charter-range", "ranges overlap")
            end = OPEN if key.last is None else key.last
    c.hash = F(data)
    return c


def keeps(old_keys, new_keys):
    """Every key of the version before is still there, and a closed range is as it was."""
    return all(
        any(n.pk == o.pk and n.first == o.first and (o.last is None or n.last == o.last) for n in new_keys)
        for o in old_keys
    )


def key_for(keys, number):
    for key in keys:
        if key.first <= number <= (OPEN if key.last is None else key.last):
            return key.pk
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Records of the two logs (sections 7 and 8)


class Record:
    pass


def is_torn_record(data):
    return len(data) < 12 or len(data) < struct.unpack_from("<I", data, 8)[0]


def is_torn_charter(data):
    return not re.search(rb"(?:^|\n)sig [0-9a-f]{128}\n\Z", data[-134:])


Pack = collections.namedtuple("Pack", "session idx attempt size hash seq")


def parse_record(data):
    """Section 7, check 1."""

    def good(condition, text):
        need(condition, "record-syntax", text)

    good(240 <= len(data) <= MAX_RECORD and data[:8] == b"BK1LOGR\n", "size or magic")
    r = Record()
    length, r.kind, r.snap_attempt, zero = struct.unpack_from("<IBB2s", data, 8)
    r.repo_id, r.writer = data[16:32], data[32:40]
    r.seq, r.session, r.charter, r.ack, r.time = struct.unpack_from("<IIIIQ", data, 40)
    r.prev, r.ack_hash, r.snap_hash = data[64:96], data[96:128], data[128:160]
    r.snap_size, n, zero2 = struct.unpack_from("<QI4s", data, 160)
    good(length == len(data) and zero == bytes(2) and zero2 == bytes(4), "length or zero fields")
    good(len(data) == 176 + n * 48 + 64, "number of packs")
    for value in (r.seq, r.session, r.charter):
        good(1 <= value <= MAX_NUMBER, "range")
    good(r.ack <= MAX_NUMBER, "range")
    good(r.kind in (1, 2), "kind")
    if r.kind == 1:
        good(1 <= r.snap_size <= MAX_SNAPSHOT, "snap_size")
    else:
        good((r.snap_attempt, r.snap_hash, r.snap_size, n) == (0, bytes(32), 0, 0), "kind 2")
    good(r.ack > 0 or r.ack_hash == bytes(32), "ack_hash")
    r.packs = []
    before = (0, 0)
    for i in range(n):
        session, place, size, digest = struct.unpack_from("<IIQ32s", data, 176 + i * 48)
        idx, attempt = place & 0xFFFFFF, place >> 24
        good_pack = 1 <= session <= r.session and idx <= MAX_IDX and MIN_PACK <= size <= MAX_PACK
        need(good_pack and (i == 0 or (session, idx) > before), "record-packs", "entry %d" % i)
        before = (session, idx)
        r.packs.append(Pack(session, idx, attempt, size, digest, r.seq))
    r.signed, r.signature, r.hash = data[:-64], data[-64:], F(data)
    return r


Head = collections.namedtuple("Head", "head fence hash")
NO_HEAD = Head(0, 0, bytes(32))
EXPIRE, REVIVE, HOLD, RELEASE = range(4)


def parse_retention(data):
    """Section 8, check 1."""

    def good(condition, text):
        need(condition, "retention-syntax", text)

    good(164 <= len(data) <= MAX_RECORD and data[:8] == b"BK1RETR\n", "size or magic")
    r = Record()
    length, zero = struct.unpack_from("<I4s", data, 8)
    r.repo_id = data[16:32]
    r.seq, r.charter, r.time = struct.unpack_from("<IIQ", data, 32)
    r.prev = data[48:80]
    nw, nops, ncond, ndel = struct.unpack_from("<IIII", data, 80)
    good(length == len(data) and zero == bytes(4), "length or zero field")
    good(1 <= r.seq <= MAX_NUMBER and 1 <= r.charter <= MAX_NUMBER, "range")
    at = 96
    end = at + nw * 48 + (nops + ncond + ndel) * 16
    good(end + 4 + 64 <= len(data), "counts")
    r.heads = {}
    before = b""
    for _ in range(nw):
        writer, head, fence, digest = struct.unpack_from("<8sII32s", data, at)
        good(writer > before and head <= MAX_NUMBER and fence <= MAX_NUMBER, "heads")
        good(head > 0 or digest == bytes(32), "head 0")
        r.heads[writer] = Head(head, fence, digest)
        before = writer
        at += 48
    r.ops = []
    for i in range(nops):
        op = struct.unpack_from("<8sII", data, at)
        good(1 <= op[1] <= MAX_NUMBER and op[2] <= 3 and (i == 0 or op[:2] > r.ops[-1][:2]), "operations")
        r.ops.append(op)
        at += 16
    lists = []
    for count in (ncond, ndel):
        entries = []
        for i in range(count):
            writer, session, place = struct.unpack_from("<8sII", data, at)
            entry = (writer, session, place & 0xFFFFFF, place >> 24)
            good(1 <= session <= MAX_NUMBER and (i == 0 or entry > entries[-1]), "lists")
            entries.append(entry)
            at += 16
        lists.append(entries)
    r.condemned, r.deleted = lists
    (note_length,) = struct.unpack_from("<I", data, at)
    good(note_length == 0 or 40 <= note_length <= 4136, "note")
    good(len(data) == at + 4 + note_length + 64, "size")
    r.note_ad, r.note = data[:at], data[at + 4 : at + 4 + note_length]
    r.signed, r.signature, r.hash = data[:-64], data[-64:], F(data)
    return r


class Log:
    """records[n-1] is record n. `closed`: it ended by an alarm or for want of a key, and more may be missing."""

    def __init__(self, title):
        self.title, self.records, self.closed, self.gap_reported = title, [], False, False


# ---------------------------------------------------------------------------------------------------------------------
# Opening a repository (section 15)


class Repository:
    def __init__(self, store, keys, report, now=None, marks=None):
        self.store, self.keys, self.report, self.now = store, keys, report, now
        self.sessions = {}  # (writer, session) -> (kid, K_s)
        self.pack_keys = {}  # (writer, session, idx) -> (name, hdr_len, K_p)
        self.blobs, self.blobs_size = collections.OrderedDict(), 0
        self.read_charters()
        if marks:
            marks.compare_charters(self)
        self.shares = {}  # (writer, session, box_id) -> share
        self.grants, self.damaged_grants = {}, {}  # rid -> {(writer, session): [envelope]}; rid -> name of a finding
        self.helpers = []  # rids of the people whose approvals are used
        self.use_approvals()
        self.read_retention()
        self.logs = collections.OrderedDict()
        for writer in sorted(self.charter.writers):
            self.read_writer(writer)
        self.judge_retention()
        self.index_packs()
        self.report_late()

    # -- attempts (section 5)

    def holds_larger(self, directory, number):
        try:
            return self.store.holds_larger(directory, number)
        except Bad as bad:
            self.report.alarm(bad.name, directory, bad.text)
            return False

    def read_number(self, directory, number, limit, judge, is_torn, must_exist=False):
        """The valid (attempt, record) of this number, or None; and whether what was found is an alarm."""
        valid, damaged, torn = None, [], []
        for attempt in range(256):
            name = log_name(directory, number, attempt)
            data = None
            try:
                data = self.store.read(name, limit)
                if data is None:
                    break
                found = judge(data)
            except Bad as bad:
                (torn if data is not None and is_torn(data) else damaged).append((bad, name))
                continue
            if valid is None:
                valid = (attempt, found, data)
            elif data != valid[2]:
                self.report.alarm("log-fork", name, "two valid, different files of one number")
                return None, True
        if valid:
            for bad, name in damaged[:1]:
                self.report.note(bad.name, name, bad.text)
            return valid[:2], False
        if damaged:
            self.report.alarm(damaged[0][0].name, damaged[0][1], damaged[0][0].text)
            return None, True
        if torn:
            alarm = must_exist or self.holds_larger(directory, number)
            (self.report.alarm if alarm else self.report.note)(torn[0][0].name, torn[0][1], "cut short")
            return None, alarm
        if self.holds_larger(directory, number):
            self.report.alarm("log-gap", log_name(directory, number, 0), "missing, while a larger number is there")
            return None, True
        return None, False

    # -- charters (section 6)

    def read_charters(self):
        chain = []
        pinned = False
        while True:
            version = len(chain) + 1

            def judge(data, version=version):
                charter = parse_charter(data)
                root = chain[-1].root if chain else charter.root
                fits = signature_fits(root, "bk1 sig charter", charter.signed, charter.signature)
                need(fits, "charter-signature")
                need(charter.version == version, "charter-chain", "version is not that of its place")
                return charter

            if version == 1 and self.store.size(log_name("charter", 1, 0)) is None:
                raise Bad("charter-missing", "charter/00000001.00")
            found, alarm = self.read_number("charter", version, MAX_CHARTER, judge, is_torn_charter, version == 1)
            if alarm:
                raise Stop()
            if found is None:
                break
            charter = found[1]
            where = log_name("charter", version, found[0])
            if chain:
                old = chain[-1]
                need(charter.prev == old.hash, "charter-chain", where)
                need(charter.repo_id == old.repo_id, "charter-repo", where)
                kept = all(keeps(keys, charter.writers.get(w, [])) for w, keys in old.writers.items())
                need(kept and keeps(old.retention, charter.retention), "charter-range", where)
            signer = chain[-1].root if chain else charter.root
            pinned = pinned or signer == self.keys.root
            chain.append(charter)
        need(pinned, "charter-root", "another repository, or not your root key")
        self.charters, self.charter = chain, chain[-1]
        need(self.keys.repo_id in (None, self.charter.repo_id), "charter-repo", "not the repository of this key")
        self.repo_id = self.charter.repo_id

    # -- the logs

    def read_log(self, log, directory, keys, key_note, judge, follows):
        """Reads records until the log ends; `judge` looks at one by itself, `follows` at it after those before."""
        while True:
            number = len(log.records) + 1
            pk = key_for(keys, number)
            if number > MAX_NUMBER or pk is None:
                name = log_name(directory, number, 0)
                if self.store.size(name) is not None:
                    self.report.note(key_note, name, "the charter has no key for this number")
                log.closed = True
                return
            found, alarm = self.read_number(
                directory, number, MAX_RECORD, lambda data: judge(data, number, pk), is_torn_record
            )
            if found is None:
                log.closed = alarm
                return
            record = found[1]
            record.attempt = found[0]
            try:
                follows(record, log.records[-1] if log.records else None)
            except Bad as bad:
                self.report.alarm(bad.name, log_name(directory, number, record.attempt), bad.text)
                log.closed = True
                return
            log.records.append(record)

    def read_retention(self):
        self.retention = Log("retention log")

        def judge(data, number, pk):
            r = parse_retention(data)
            need((r.repo_id, r.seq) == (self.repo_id, number), "retention-identity")
            need(signature_fits(pk, "bk1 sig retain", r.signed, r.signature), "retention-signature")
            return r

        def follows(r, before):
            need(r.prev == (before.hash if before else self.charters[0].hash), "retention-chain")
            need(not before or r.charter >= before.charter, "retention-charter", "falls")
            for head in r.heads.values():
                need(head.fence <= r.seq - 1, "retention-heads", "fence above the record before")
            for writer, old in before.heads.items() if before else ():
                new = r.heads.get(writer, NO_HEAD)
                need(new.head >= old.head and new.fence >= old.fence, "retention-heads", "falls")
                need(new.head > old.head or new.hash == old.hash, "retention-heads", "another hash for one head")
            need(r.charter <= self.charter.version, "retention-charter", "not there")

        keys = self.charter.retention
        self.read_log(self.retention, "ret", keys, "retention-key", judge, follows)

    def read_writer(self, writer):
        log = self.logs[writer] = Log("writer " + writer.hex())
        introduced = set()

        def judge(data, number, pk):
            r = parse_record(data)
            need((r.repo_id, r.writer, r.seq) == (self.repo_id, writer, number), "record-identity")
            need(signature_fits(pk, "bk1 sig writer", r.signed, r.signature), "record-signature")
            return r

        def follows(r, before):
            need(r.prev == (before.hash if before else self.charters[0].hash), "record-chain")
            if before:
                need(r.session > before.session, "record-session")
                need(r.ack >= before.ack, "record-ack", "falls")
                need(r.charter >= before.charter, "record-charter", "falls")
            need(r.charter <= self.charter.version, "record-charter", "not there")
            places = {(p.session, p.idx) for p in r.packs}
            need(introduced.isdisjoint(places), "record-packs", "introduced twice")
            if r.ack > len(self.retention.records):
                self.gap(self.retention, "a writer acknowledges record %d" % r.ack)
            elif r.ack > 0:
                need(self.retention.records[r.ack - 1].hash == r.ack_hash, "record-ack", "hash")
            introduced.update(places)

        directory = "w/%s/log" % writer.hex()
        keys = self.charter.writers[writer]
        self.read_log(log, directory, keys, "record-writer", judge, follows)

    def gap(self, log, text):
        """Another log has seen more of this log than is there. Not news when the log ended with an alarm."""
        if not log.closed and not log.gap_reported:
            log.gap_reported = True
            self.report.alarm("log-gap", log.title, text)

    # -- the retention log against the writers' logs (section 8, check 5)

    def judge_retention(self):
        self.void, self.expired, self.held = set(), set(), set()  # of (writer, seq)
        self.first_seen = {}  # (writer, seq) -> retention record
        self.clock = []  # T_1, T_2, ...
        self.condemned = {}  # (writer, session, idx, attempt) -> first record that condemned it
        self.deleted = {}  # (writer, session, idx, attempt) -> first record that deleted it
        self.operations = collections.defaultdict(list)  # (writer, seq) -> [(retention record, EXPIRE or REVIVE)]
        self.snapshots = {}  # (writer, session, snap_attempt) -> record
        for writer, log in self.logs.items():
            for r in log.records:
                if r.kind == 1:
                    self.snapshots[writer, r.session, r.snap_attempt] = r
        records = self.retention.records
        for i, r in enumerate(records):
            try:
                self.judge_retention_record(r, records[i - 1] if i else None)
            except Bad as bad:
                self.report.alarm(bad.name, log_name("ret", r.seq, r.attempt), bad.text)
                del records[i:]
                self.retention.closed = True
                break

    def judge_retention_record(self, r, before):
        old_heads = before.heads if before else {}
        # Heads. What is missing is reported also when the record breaks a rule.
        for writer, head in r.heads.items():
            if writer in self.logs and head.head > len(self.logs[writer].records):
                self.gap(self.logs[writer], "retention record %d has seen record %d" % (r.seq, head.head))
        for writer, head in r.heads.items():
            need(writer in self.logs, "retention-heads", "of a writer that the charter does not know")
            known = self.logs[writer].records
            if 0 < head.head <= len(known):
                need(known[head.head - 1].hash == head.hash, "retention-heads", "not the writer's record")
        # As of this record: void, first seen, policy clock.
        void = set(self.void)
        for writer, old in old_heads.items():
            if writer in self.logs:
                for n in self.logs[writer].records[r.heads.get(writer, NO_HEAD).head :]:
                    if n.ack < old.fence:
                        void.add((writer, n.seq))
        first_seen = {}
        for writer, head in r.heads.items():
            last = min(head.head, len(self.logs[writer].records))
            for seq in range(old_heads.get(writer, NO_HEAD).head + 1, last + 1):
                first_seen[writer, seq] = r.seq
        clock = max(self.clock[-1], min(r.time, self.clock[-1] + 604800)) if self.clock else r.time

        # Lists. A snapshot object is meant when session and attempt are those of the record; others are leftovers.
        now = {(writer, seq): op for writer, seq, op in r.ops if op in (EXPIRE, REVIVE)}

        def live(writer, n, op=None):  # as things stand, or once an operation on it is done
            expired = op == EXPIRE or (op is None and (writer, n.seq) in self.expired)
            return n.kind == 1 and (writer, n.seq) not in void and not expired

        def stays(writer, n):
            return live(writer, n, now.get((writer, n.seq)))

        for entry in r.condemned:
            writer = entry[0]
            if writer not in self.logs:
                continue
            head = r.heads.get(writer, NO_HEAD).head
            need(head > 0, "retention-lists", "condemned, but nothing of the writer was seen")
            known = self.logs[writer].records
            if head <= len(known):
                need(entry[1] <= known[head - 1].session, "retention-lists", "condemned, but not seen")
            n = self.snapshots.get((writer, entry[1], entry[3])) if entry[2] == SNAPSHOT_IDX else None
            need(not (n and stays(writer, n)), "retention-lists", "condemned a live snapshot")
        for entry in r.deleted:
            writer = entry[0]
            if writer not in self.logs:
                continue
            fence = old_heads.get(writer, NO_HEAD).fence
            need(entry in self.condemned and self.condemned[entry] <= fence, "retention-lists", "deleted too early")
            n = self.snapshots.get((writer, entry[1], entry[3])) if entry[2] == SNAPSHOT_IDX else None
            need(not (n and (live(writer, n) or stays(writer, n))), "retention-lists", "deleted a live snapshot")
        deleted = {**dict.fromkeys(r.deleted, r.seq), **self.deleted}
        # Operations.
        expired, held = set(self.expired), set(self.held)
        charter = self.charters[r.charter - 1]
        min_keep = charter.min_keep * 86400
        for writer, seq, op in r.ops:
            if writer not in self.logs:
                continue
            known = self.logs[writer].records
            head = r.heads.get(writer, NO_HEAD).head
            need(seq <= head, "retention-expire", "operation on a record that was not seen")
            if seq > len(known):
                continue  # missing: not judged
            n, place = known[seq - 1], (writer, seq)
            if op == EXPIRE:
                need(n.kind == 1, "retention-expire", "no snapshot")
                need(r.time == clock, "retention-expire", "the clock is not the policy clock")
                need(place not in self.held, "retention-expire", "held")
                if place not in void:
                    if head <= len(known):
                        newest = [x.seq for x in known[:head] if x.kind == 1 and (writer, x.seq) not in void][-1]
                        keys = charter.writers.get(writer)  # None: not known there yet, so not retired either
                        retired = keys and all(key.last is not None for key in keys)
                        need(seq != newest or retired, "retention-expire", "the newest")
                    seen = first_seen.get(place) or self.first_seen[place]
                    age = clock - (clock if seen == r.seq else self.clock[seen - 1])
                    need(age >= min_keep or r.note, "retention-expire", "younger than min-keep")
                expired.add(place)
            elif op == REVIVE:
                need(place in self.expired, "retention-expire", "revives what is not expired")
                gone = (writer, n.session, SNAPSHOT_IDX, n.snap_attempt) in deleted
                need(not gone, "retention-expire", "revives what is deleted")
                expired.discard(place)
            elif op == HOLD:
                held.add(place)
            else:
                held.discard(place)
        # No rule broken: now it counts.
        self.void, self.expired, self.held, self.deleted = void, expired, held, deleted
        self.first_seen.update(first_seen)
        self.clock.append(clock)
        for entry in r.condemned:
            self.condemned.setdefault(entry, r.seq)
        for writer, seq, op in r.ops:
            if op in (EXPIRE, REVIVE):
                self.operations[writer, seq].append((r.seq, op))

    # -- what follows from the logs

    def index_packs(self):
        self.packs = {}  # (writer, session, idx) -> Pack
        for writer, log in self.logs.items():
            for r in log.records:
                for p in r.packs:
                    self.packs[writer, p.session, p.idx] = p

    def pack_deleted(self, writer, p):
        return (writer, p.session, p.idx, p.attempt) in self.deleted

    def live_records(self):
        for writer, log in self.logs.items():
            for r in log.records:
                if r.kind == 1 and (writer, r.seq) not in self.void and (writer, r.seq) not in self.expired:
                    yield r

    def report_late(self):
        if self.now is None:
            return
        for writer, log in self.logs.items():
            line = next((k for k in self.charter.writers[writer] if k.last is None), None)
            if not log.records or line is None or line.cadence == 0:
                continue
            newest = log.records[0]
            for r in log.records:
                if r.kind == 1 and (writer, r.seq) not in self.void:
                    newest = r
            if self.now - newest.time > line.cadence * 3600:
                self.report.alarm("log-late", log.title, "last snapshot %s UTC" % when(newest.time))

    # -- object headers and envelopes (section 9)

    def parse_header(self, data, magic, writer, session, number, name):
        """hdr_len; data holds at least the header if the object is long enough."""
        need(len(data) >= 96 and data[:8] == magic, name, "magic")
        (length,) = struct.unpack_from("<I", data, 8)
        need(96 <= length <= MAX_HEADER and length <= len(data), name, "hdr_len")
        need(data[12:16] == bytes(4) and data[48:64] == bytes(16), name, "zero fields")
        place = self.repo_id + writer + struct.pack("<II", session, number)
        need(data[16:48] == place, name, "belongs to another place")
        return length

    def session_key(self, header, writer, session, anew=False):
        """K_s from the envelope of a header. `anew`: open it even when the session's key is known (levels LK, L3)."""
        kid, groups = parse_envelope(header[64:-32], 80, "envelope-syntax")
        known = self.sessions.get((writer, session))
        if known:
            need(known[0] == kid, "envelope-kid", "not the session's")
            if not anew:
                return known[1]
        try:
            K_s = self.open_envelope(kid, groups, writer, session)
        except Bad as bad:
            if bad.name != "AUTH":
                raise
            K_s = self.open_by_grants(kid, writer, session)
        self.sessions[writer, session] = (kid, K_s)
        return K_s

    def open_envelope(self, kid, groups, writer, session, grant=False):
        """K_s, with own keys and shares from approvals (sections 9 and 22)."""
        own_keys, broken = self.keys.recipients, False
        place = self.repo_id + writer + struct.pack("<I", session)
        for shares in groups:
            approved = {box: self.shares.get((writer, session, F(box)[:16])) for _, box in shares}
            if any(rid not in own_keys and approved[box] is None for rid, box in shares):
                continue  # it needs somebody who is not here
            opened = []
            for rid, box in shares:
                share = box_open(box, *own_keys[rid]) if rid in own_keys else approved[box]
                if grant and rid in own_keys and share is not None:
                    fits = share[32:] == H("bk1 grant", kid, place, 16)
                    need(fits, "grant-place", "a share that was sealed for another session")
                    share = share[:32]
                opened.append(share)
            if None in opened:
                broken = True
                continue
            S = 0
            for share in opened:
                S ^= int.from_bytes(share, "little")
            K_s = H("bk1 session", self.keys.of_writer(writer)["mix_key"], place + S.to_bytes(32, "little"))
            need(H("bk1 kid", K_s, b"") == kid, "envelope-kid")
            return K_s
        raise Bad("envelope-kid", "a share does not open") if broken else Bad("AUTH", "these keys are no recipient")

    # -- grants and approvals (section 22)

    def open_by_grants(self, kid, writer, session):
        recipients, first = [*self.keys.recipients, *self.helpers], None
        for rid in recipients:
            for own_kid, groups in self.read_grants(rid).get((writer, session), ()):
                try:
                    need(own_kid == kid, "envelope-kid", "a grant is for another key")
                    return self.open_envelope(kid, groups, writer, session, True)
                except Bad as bad:
                    if bad.name != "AUTH":
                        first = first or bad
        if first:
            raise first
        for rid in recipients:
            need(rid not in self.damaged_grants, self.damaged_grants.get(rid), "a grant that may be needed is damaged")
        raise Bad("AUTH", "these keys are no recipient")

    def read_grants(self, rid):
        """All grants of a recipient: {(writer, session): [(kid, groups)]}. What is wrong with them is reported once."""
        if rid in self.grants:
            return self.grants[rid]
        entries, total = self.grants.setdefault(rid, collections.defaultdict(list)), 0
        for number in range(1, GRANT_FILES + 1):
            damaged, found = None, None
            for attempt in range(256):
                name, data = grant_name(rid, number, attempt), None
                try:
                    data = self.store.read(name, MAX_GRANT)
                    if data is None:
                        break
                    found = parse_grant(data, self.repo_id, rid)
                    break
                except Bad as bad:
                    if data is None or not is_torn_record(data):
                        damaged = damaged or (bad.name, name, bad.text)
            if not found and attempt == 0 and data is None and not damaged:
                break  # attempt 00 does not exist
            if found:
                total += len(data)
                for place, envelope in found:
                    entries[place].append(envelope)
            elif damaged:
                self.damaged_grants.setdefault(rid, damaged[0])
                self.report.alarm(*damaged)
            if total > MAX_GRANTS:
                break
        return entries

    def use_approvals(self):
        """Every approval whose request (with its secret) is here: its shares count like opened boxes."""
        requests = {}
        for path, data in self.keys.requests:
            e, request = parse_request_state(data, path)
            requests[request.id] = e, request
        for path, data in self.keys.approvals:
            a = parse_approval(data, path)
            e, request = requests.get(a.request, (None, None))
            need(a.repo_id == self.repo_id, "approval-request", "%s: of another repository" % path)
            need(a.requester in self.keys.recipients, "approval-request", "%s: for another person" % path)
            need(request is not None, "approval-request", "%s: of another request" % path)
            fits = request.repo_id == self.repo_id and request.requester == a.requester
            need(fits, "approval-request", "%s: of a request for something else" % path)
            public = self.charter.recipients.get(a.approver)
            need(public is not None, "approval-auth", "%s: the approver is no recipient" % path)
            k = box_open(a.box, sodium.crypto_scalarmult_base(e), e)
            both = shared_secret(self.keys.recipients[a.requester][1], public)
            need(k is not None and len(k) == 32 and both is not None, "approval-auth", path)
            entries = seal_open(H("bk1 approve", k, both), "approval", data[:192], data[192:])
            need(entries is not None, "approval-auth", path)
            now = time.time() if self.now is None else self.now
            need(now < min(a.expires, request.expires), "approval-expired", path)
            for writer, session, box_id, share in parse_shares(entries, path):
                need((writer, session) in request.sessions, "approval-sessions", path)
                self.shares[writer, session, box_id] = share
            self.helpers.append(a.approver)

    # -- snapshot objects (section 11)

    def read_snapshot(self, r, depth, anew=False):
        """depth 0: size, hash, header; 1: also the view; 2: also the key; 3: also the private part."""
        s = Record()
        s.record, s.writer = r, r.writer
        data = self.read_snap_file(r)
        s.hdr_len = self.parse_header(data, b"BK1SNAP\n", r.writer, r.session, r.seq, "snap-header")
        header, at, parts = data[: s.hdr_len], s.hdr_len, []
        for _ in range(2):
            need(at + 4 <= len(data), "snap-header", "parts")
            (length,) = struct.unpack_from("<I", data, at)
            need(at + 4 + length <= len(data), "snap-header", "parts")
            parts.append(data[at + 4 : at + 4 + length])
            at += 4 + length
        need(at == len(data), "snap-header", "parts")
        if depth >= 1:
            self.read_view(s, header, parts[0])
        if depth >= 2:
            K_s = self.session_key(header, r.writer, r.session, anew)
            both = H("bk1 snap", K_s, header[:-32], 64)
            need(both[32:] == header[-32:], "snap-commit")
        if depth >= 3:
            self.read_private(s, seal_open(both[:32], "snap priv", header, parts[1]))
        return s

    def read_snap_file(self, r):
        name = snap_name(r.writer, r.session, r.snap_attempt)
        try:
            data = self.store.read(name, MAX_SNAPSHOT)
        except Bad as bad:
            raise Bad("snap-size" if bad.name == "too-large" else bad.name, bad.text) from None
        need(data is not None, "snap-missing")
        need(len(data) == r.snap_size, "snap-size")
        need(F(data) == r.snap_hash, "snap-hash")
        return data

    def read_view(self, s, header, sealed):
        def good(condition, text):
            need(condition, "snap-view", text)

        view = seal_open(self.keys.of_writer(s.writer)["V_w"], "snap view", header, sealed)
        good(view is not None, "does not open")
        good(len(view) >= 44, "short")
        s.started, s.finished, s.logical, s.added, npacks, label_len, notes_len = struct.unpack_from("<QQQQIII", view)
        good(npacks <= 2**21 and label_len <= 255 and notes_len <= MAX_NOTES, "counts")
        label_at = 44 + npacks * 8
        end = label_at + label_len + notes_len
        good(end <= len(view), "counts")
        packs = list(struct.iter_unpack("<II", view[44:label_at]))
        good(all(1 <= session <= MAX_NUMBER and idx <= MAX_IDX for session, idx in packs), "packs")
        good(all(a < b for a, b in zip(packs, packs[1:])), "order of packs")
        s.view_packs = packs
        s.packs = set(packs)
        s.label, s.notes = view[label_at : end - notes_len], view[end - notes_len : end]
        good(is_text(s.label), "label")
        good(is_text(s.notes), "notes")
        good(len(view) == padme(end) and not any(view[end:]), "padding")

    def read_private(self, s, priv):
        need(priv is not None, "snap-priv", "does not open")
        need(len(priv) >= 88, "snap-priv", "short")
        s.catalog = parse_stream_reference(priv[:84])
        (nfacts,) = struct.unpack_from("<I", priv, 84)
        end = 88 + nfacts
        need(nfacts <= 65536 and end <= len(priv), "snap-priv", "facts")
        need(is_text(priv[88:end]), "snap-priv", "facts")
        need(len(priv) == padme(end) and not any(priv[end:]), "snap-priv", "padding")
        s.facts = priv[88:end]

    # -- blobs (sections 10 and 12)

    def open_pack(self, writer, p):
        """(name, hdr_len, K_p) of a pack, from its header alone."""
        place = (writer, p.session, p.idx)
        if place not in self.pack_keys:
            name = pack_name(writer, p.session, p.idx, p.attempt)
            header = self.store.read_range(name, 0, MAX_HEADER)
            self.pack_keys[place] = (name, *self.pack_key(header, writer, p))
        return self.pack_keys[place]

    def pack_key(self, data, writer, p, anew=False):
        length = self.parse_header(data, b"BK1PACK\n", writer, p.session, p.idx, "pack-header")
        K_s = self.session_key(data[:length], writer, p.session, anew)
        both = H("bk1 pack", K_s, data[: length - 32], 64)
        need(both[32:] == data[length - 32 : length], "pack-commit")
        return length, both[:32]

    def open_frame(self, K_p, sealed, blob_id, node, writer):
        frame = aead_open(K_p, blob_id[:24], blob_id, sealed)
        need(frame is not None, "blob-auth")
        person = "bk1 node" if node else "bk1 data"
        need(H(person, self.keys.of_writer(writer)["id_key"], frame) == blob_id, "blob-id")
        return frame

    def fetch_frame(self, snapshot, ref, node):
        need((ref.session, ref.idx) in snapshot.packs, "view-incomplete")
        p = self.packs.get((snapshot.writer, ref.session, ref.idx))
        need(p is not None, "pack-missing", "no record introduces it")
        name, hdr_len, K_p = self.open_pack(snapshot.writer, p)
        fits = ref.off >= hdr_len and ref.off + ref.clen <= p.size - TAIL
        need(fits, "blob-reference", "outside the pack")
        sealed = self.store.read_range(name, ref.off, ref.clen)
        return self.open_frame(K_p, sealed, ref.id, node, snapshot.writer)

    def fetch_blobs(self, snapshot, refs, node):
        """Plaintexts of these references, as {ref: bytes}. The last 64 MiB are kept."""
        wanted, result, jobs = dict.fromkeys(refs), {}, []
        for ref in wanted:
            key = (snapshot.writer, node, ref)
            if key in self.blobs and (ref.session, ref.idx) in snapshot.packs:
                self.blobs.move_to_end(key)
                result[ref] = self.blobs[key]
            else:
                jobs.append((ref, self.fetch_frame(snapshot, ref, node)))
        for (ref, _), plain in zip(jobs, decode_frames([(frame, ref.plen) for ref, frame in jobs])):
            if isinstance(plain, Bad):
                raise plain
            result[ref] = self.blobs[snapshot.writer, node, ref] = plain
            self.blobs_size += len(plain)
        while self.blobs_size > 64 * MIB:
            self.blobs_size -= len(self.blobs.popitem(last=False)[1])
        return result

    # -- streams (section 12)

    def extents(self, snapshot, ref, level, length):
        """The extents of a tree, in order: (blob reference, offset, length)."""
        node = self.fetch_blobs(snapshot, [ref], True)[ref]
        blobs, items = parse_node(node, level, length)
        for item in items:
            if level == 0:
                yield blobs[item[0]], item[1], item[2]
            else:
                yield from self.extents(snapshot, blobs[item[0]], level - 1, item[1])

    def read_stream(self, snapshot, ref):
        """Yields the bytes of a stream. They are to be trusted only when this ends without an error."""
        if ref.form == 0:
            return
        if ref.form == 1:
            source = iter([(ref.blob, ref.offset, ref.len)])
        else:
            source = self.extents(snapshot, ref.blob, ref.level, ref.len)
        digest, total = xxhash.xxh3_128(seed=0), 0
        batch, blobs, size = [], {}, 0
        while True:
            extent = next(source, None)
            if extent and extent[0] not in blobs:
                blobs[extent[0]] = None
                size += extent[0].plen
            if extent:
                batch.append(extent)
            if batch and (extent is None or size >= 16 * MIB or len(batch) >= 8192):
                plain = self.fetch_blobs(snapshot, blobs, False)
                for blob, offset, length in batch:
                    piece = plain[blob][offset : offset + length]
                    digest.update(piece)
                    total += len(piece)
                    yield piece
                batch, blobs, size = [], {}, 0
            if extent is None:
                break
        need(total == ref.len, "stream-length")
        need(digest.digest() == ref.check, "stream-check")


class Stop(Exception):
    """An alarm that was already reported ends everything."""


BlobRef = collections.namedtuple("BlobRef", "id session idx off clen plen")
StreamRef = collections.namedtuple("StreamRef", "len form level offset check blob")


def parse_envelope(envelope, box_size, name):
    """(kid, groups), a group being a list of (rid, box): in a header (section 9) and in a grant (section 22)."""
    kid, groups, at, step = envelope[:32], [], 33, 16 + box_size
    need(len(envelope) >= 33 and 1 <= envelope[32] <= 16, name, "groups")
    boxes = 0
    for _ in range(envelope[32]):
        need(at < len(envelope) and 1 <= envelope[at] <= 8, name, "shares")
        count = envelope[at]
        at += 1
        need(at + count * step <= len(envelope), name, "cut")
        shares = [(envelope[i : i + 16], envelope[i + 16 : i + step]) for i in range(at, at + count * step, step)]
        need(len({rid for rid, _ in shares}) == count, name, "a recipient twice in a group")
        groups.append(shares)
        boxes += count
        at += count * step
    need(at == len(envelope) and boxes <= 64, name, "size")
    return kid, groups


def parse_grant(data, repo_id, rid):
    """Section 22: list of ((writer, session), (kid, groups))."""

    def good(condition, text):
        need(condition, "grant-syntax", text)

    good(len(data) >= 56 and data[:8] == b"BK1GRNT\n", "size or magic")
    length, zero, own_repo, own_rid, n, zero2 = struct.unpack_from("<I4s16s16sI4s", data, 8)
    good(length == len(data) and zero == zero2 == bytes(4), "length or zero fields")
    good((own_repo, own_rid) == (repo_id, rid), "of another repository or recipient")
    good(n >= 1, "empty")
    entries, at = [], 56
    for _ in range(n):
        good(at + 16 <= len(data), "cut")
        writer, session, elen = struct.unpack_from("<8sII", data, at)
        at += 16
        good(1 <= session <= MAX_NUMBER and elen <= MAX_HEADER and at + elen <= len(data), "entry")
        good(not entries or (writer, session) > entries[-1][0], "order")
        kid, groups = parse_envelope(data[at : at + elen], 96, "grant-syntax")
        good(all(any(other == rid for other, _ in shares) for shares in groups), "a group without the recipient")
        entries.append(((writer, session), (kid, groups)))
        at += elen
    good(at == len(data), "more bytes")
    return entries


def parse_request(data, path):
    """Section 22. Of a request the reader needs its id, its sessions, and for whom and until when it is."""

    def good(condition, text):
        need(condition, "request-syntax", "%s: %s" % (path, text))

    good(112 <= len(data) <= MAX_REQUEST and data[:8] == b"BK1RQST\n", "size or magic")
    r = Record()
    length, nsnap, r.repo_id, r.requester, r.E = struct.unpack_from("<II16s16s32s", data, 8)
    created, r.expires, nsess, by_len, reason_len, nmacs, zero = struct.unpack_from("<QQIHHH6s", data, 80)
    good(length == len(data) and zero == bytes(6), "length or zero field")
    good(1 <= nsnap <= 4096 and 1 <= nsess <= 65536 and 1 <= nmacs <= 256, "counts")
    good(by_len <= 255 and reason_len <= 1000 and created < r.expires <= created + 2592000, "lengths or times")
    r.created, r.snapshots = created, []
    at, before = 112, (b"", 0)
    for _ in range(nsnap):
        good(at + 57 <= len(data), "cut")
        writer, seq, session, moment, digest = struct.unpack_from("<8sIIQ32s", data, at)
        label_len = data[at + 56]
        label = data[at + 57 : at + 57 + label_len]
        at += 57 + label_len
        good(1 <= seq <= MAX_NUMBER and 1 <= session <= MAX_NUMBER and (writer, seq) > before, "snapshots")
        good(at <= len(data) and is_text(label), "label")
        before = (writer, seq)
        r.snapshots.append((writer, seq, session, moment, digest, label))
    end = at + nsess * 48 + by_len + reason_len + nmacs * 48
    good(end == len(data), "size")
    sessions = [struct.unpack_from("<8sI4s32s", data, i) for i in range(at, at + nsess * 48, 48)]
    good(all(1 <= session <= MAX_NUMBER and zero == bytes(4) for _, session, zero, _ in sessions), "sessions")
    good(all(a[:2] < b[:2] for a, b in zip(sessions, sessions[1:])), "order of sessions")
    r.sessions = {(writer, session): kid for writer, session, _, kid in sessions}
    at += nsess * 48
    r.by, r.reason = data[at : at + by_len], data[at + by_len : at + by_len + reason_len]
    good(is_text(r.by) and is_text(r.reason), "words")
    at += by_len + reason_len
    rids = [data[i : i + 16] for i in range(at, len(data), 48)]
    good(all(a < b for a, b in zip(rids, rids[1:])), "order of macs")
    r.macs = {data[i : i + 16]: data[i + 16 : i + 48] for i in range(at, len(data), 48)}
    r.head, r.id = data[:at], F(data[:at])
    return r


def parse_request_state(data, path):
    """(e, the request)."""
    good = len(data) >= 48 and data[:8] == b"BK1RQSK\n" and data[12:16] == bytes(4)
    good = good and struct.unpack_from("<I", data, 8)[0] == len(data)
    need(good, "request-syntax", "%s: no state of a request" % path)
    return data[16:48], parse_request(data[48:], path)


def parse_approval(data, path):
    """What is outside the seal."""

    def good(condition, text):
        need(condition, "approval-syntax", "%s: %s" % (path, text))

    good(192 + SEAL <= len(data) <= MAX_APPROVAL and data[:8] == b"BK1APPR\n", "size or magic")
    a = Record()
    length, zero, a.repo_id, a.request, a.approver, a.requester = struct.unpack_from("<I4s16s32s16s16s", data, 8)
    a.time, a.expires, a.box = struct.unpack_from("<QQ80s", data, 96)
    good(length == len(data) and zero == bytes(4), "length or zero field")
    good(a.expires > a.time, "times")
    return a


def parse_shares(data, path):
    """The list of an approval: (writer, session, box_id, share)."""

    def good(condition, text):
        need(condition, "approval-syntax", "%s: %s" % (path, text))

    good(len(data) >= 4, "size of the list")
    (n,) = struct.unpack_from("<I", data)
    good(1 <= n <= 65536 and len(data) == 4 + n * 64, "size of the list")
    rows = list(struct.iter_unpack("<8sI4s16s32s", data[4:]))
    good(all(1 <= row[1] <= MAX_NUMBER and row[2] == bytes(4) for row in rows), "list")
    entries = [(writer, session, box_id, share) for writer, session, _, box_id, share in rows]
    good(all(a[:3] < b[:3] for a, b in zip(entries, entries[1:])), "order of the list")
    return entries


def parse_blob_reference(data, node):
    ref = BlobRef(*struct.unpack("<32sIIIII", data))
    good = 1 <= ref.session <= MAX_NUMBER and ref.idx <= MAX_IDX and 1 <= ref.plen <= (MAX_NODE if node else MAX_BLOB)
    good = good and 18 <= ref.clen <= ref.plen + 17 and ref.off >= 64 and ref.off + ref.clen <= MAX_PACK
    need(good, "blob-reference")
    return ref


def parse_stream_reference(data):
    length, form, level, zero, offset, check = struct.unpack_from("<QBB2sI16s", data)
    need(form <= 2, "stream-reference", "form")
    if form == 0:
        need(not any(data), "stream-reference", "empty, but not zero")
        return StreamRef(0, 0, 0, 0, check, None)
    need(1 <= length <= MAX_STREAM and zero == bytes(2), "stream-reference", "length or zero field")
    need(level <= (4 if form == 2 else 0), "stream-reference", "level")
    blob = parse_blob_reference(data[32:84], form == 2)
    need(offset == 0 if form == 2 else offset + length <= blob.plen, "stream-reference", "offset")
    return StreamRef(length, form, level, offset, check, blob)


def parse_node(data, level, length):
    def good(condition, text, name="node-syntax"):
        need(condition, name, text)

    good(20 <= len(data) <= MAX_NODE, "size")
    own_level, zero, nblobs, nitems, own_length = struct.unpack_from("<B3sIIQ", data)
    good(zero == bytes(3) and own_level == level, "level or zero field")
    good(1 <= nblobs <= 4096 and 1 <= nitems <= 65536 and len(data) == 20 + nblobs * 52 + nitems * 12, "counts")
    good(own_length == length, "length", "node-length")
    end = 20 + nblobs * 52
    blobs = [parse_blob_reference(data[at : at + 52], level > 0) for at in range(20, end, 52)]
    good(len(set(blobs)) == nblobs, "a blob twice")
    items, total, used = [], 0, set()
    for at in range(end, len(data), 12):
        if level == 0:
            blob, zero, offset, count = struct.unpack_from("<H2sII", data, at)
        else:
            blob, zero, count = struct.unpack_from("<H2sQ", data, at)
        good(zero == bytes(2) and blob < nblobs, "item")
        good(count >= 1, "empty item", "node-length")
        if level == 0:
            good(offset + count <= blobs[blob].plen, "extent outside its blob", "node-length")
            items.append((blob, offset, count))
        else:
            items.append((blob, count))
        total += count
        good(total <= length, "too much", "node-length")
        used.add(blob)
    good(total == length, "sum", "node-length")
    good(len(used) == nblobs, "a blob that is not used")
    return blobs, items


# ---------------------------------------------------------------------------------------------------------------------
# Catalog (section 13): a pax archive whose bodies are stream references


class Member:
    """`stream` holds the 84 bytes of the reference: a tuple of numbers would take ten times the memory."""

    __slots__ = "path type target mode uid gid uname gname mtime facts stream xattrs bad original done".split()

    def __init__(self):
        self.stream, self.facts, self.target, self.bad, self.done = None, b"", b"", None, False
        self.xattrs = ()  # (name, value) in the form of their pax records, name as bytes

    @property
    def ref(self):
        return parse_stream_reference(self.stream) if self.stream and not self.bad else None

    @property
    def gaps(self):
        return parse_gaps(self.facts, self.ref.len)

    @property
    def size(self):
        """Of the file: the stream and its gaps."""
        return self.ref.len + sum(length for _, length in self.gaps)


def fact(facts, key):
    """The value of the first line with this key, or None."""
    for line in facts.split(b"\n"):
        name, equals, value = line.partition(b"=")
        if equals and name == key:
            return value
    return None


def facts_of(facts, key):
    """The values of all lines with this key."""
    lines = (line.partition(b"=") for line in facts.split(b"\n"))
    return [value for name, equals, value in lines if equals and name == key]


def parse_gaps(facts, stream_length):
    """The ranges of a file that are not in its stream: list of (offset, length), all bounds checked."""
    text = fact(facts, b"gaps")
    if text is None:
        return []
    gaps, end, total = [], -1, 0
    for part in text.split(b","):
        match = re.fullmatch(rb"0*([0-9]{1,16}):0*([0-9]{1,16})", part)
        need(match, "catalog-body", "gaps: no range")
        offset, length = int(match[1]), int(match[2])
        need(length >= 1 and offset > end, "catalog-body", "gaps: not ascending")
        need(offset - total <= stream_length, "catalog-body", "gaps: behind the end of the file")
        total, end = total + length, offset + length
        need(stream_length + total <= MAX_STREAM, "catalog-body", "gaps: file too large")
        gaps.append((offset, length))
    return gaps


def fill_gaps(pieces, gaps):
    """Pieces of a stream as pieces of its file: bytes, or a number of zeros."""
    gaps = iter(gaps)
    gap, place = next(gaps, None), 0
    for piece in pieces:
        at = 0
        while at < len(piece):
            if gap and gap[0] == place:
                yield gap[1]
                place, gap = place + gap[1], next(gaps, None)
                continue
            end = min(len(piece), at + gap[0] - place) if gap else len(piece)
            yield piece[at:end]
            place, at = place + end - at, end
    if gap:  # ranges have bytes between them: only one can be left
        yield gap[1]


class Bytes:
    """Reads a stream in pieces of a wanted size."""

    def __init__(self, source):
        self.source, self.piece, self.at = source, b"", 0

    def read(self, size):
        """size bytes, or fewer at the end."""
        pieces = []
        while size > 0:
            if self.at == len(self.piece):
                self.piece, self.at = next(self.source, None), 0
                if self.piece is None:
                    self.piece = b""
                    break
            part = self.piece[self.at : self.at + size]
            self.at += len(part)
            size -= len(part)
            pieces.append(part)
        return b"".join(pieces)


def tar_number(field):
    if field[0] & 0x80:  # base 256
        need(field[0] in (0x80, 0xFF), "catalog-header", "number")
        value = int.from_bytes(field[1:], "big")
        return value - (1 << 8 * (len(field) - 1)) if field[0] == 0xFF else value
    text = field.split(b"\0")[0].strip(b" ")
    need(re.fullmatch(rb"[0-7]*", text), "catalog-header", "number")
    return int(text or b"0", 8)


def pax_records(data):
    result, at = {}, 0
    while at < len(data):
        match = re.compile(rb"([1-9][0-9]{0,7}) ([^=\0\n]+)=").match(data, at)
        need(match, "catalog-header", "pax record")
        end = at + int(match[1])
        need(match.end() < end <= len(data) and data[end - 1] == 0x0A, "catalog-header", "pax record")
        result[match[2]] = data[match.end() : end - 1]
        at = end
    return result


def pax_decimal(text):
    need(re.fullmatch(rb"[0-9]{1,19}", text), "catalog-header", "pax number")
    return int(text)


XATTR = b"LIBARCHIVE.xattr."


def xattr_name(text):
    """None: not in the form of the document."""
    if re.search(rb"%(?![0-9A-Fa-f]{2})", text):
        return None
    name = re.sub(rb"%(..)", lambda match: bytes([int(match[1], 16)]), text)
    return None if b"\0" in name else name


def xattr_value(text):
    if not re.fullmatch(rb"[A-Za-z0-9+/]*", text) or len(text) % 4 == 1:
        return None
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def member_xattrs(records):
    """What is not in the form of the document is kept with the value None, to be told later."""
    result = []
    for key, text in records.items():
        if key.startswith(XATTR):
            name = xattr_name(key[len(XATTR) :])
            need(name is None or 1 <= len(name) <= MAX_XATTR_NAME, "catalog-limit", "attribute's name")
            need(len(text) * 3 // 4 <= MAX_XATTR, "catalog-limit", "attribute's value")
            readable = name is not None and xattr_value(text) is not None
            result.append((name or key[len(XATTR) :], text if readable else None))
    return tuple(sorted(result, key=lambda item: item[0]))


def check_path(path):
    good = 1 <= len(path) <= 65535 and b"\0" not in path
    need(good and not any(part in (b"", b".", b"..") for part in path.split(b"/")), "catalog-path", show(path[:200]))


def read_catalog(repository, snapshot):
    """All members. A stream reference that is bad is kept with its member: the others may still be restored."""
    source = Bytes(repository.read_stream(snapshot, snapshot.catalog))
    members, by_path, owners = [], {}, {}
    extended, extended_size = {}, 0
    while True:
        block = source.read(512)
        need(len(block) == 512, "catalog-truncated")
        if not any(block):
            second = source.read(512)
            need(not extended_size, "catalog-header", "pax header without a member")
            need(len(second) == 512, "catalog-truncated")
            need(not any(second), "catalog-trailing", "one block of zeros")
            break
        total = sum(block[:148]) + 8 * 32 + sum(block[156:])
        need(tar_number(block[148:156]) == total, "catalog-header", "checksum")
        need(block[257:263] == b"ustar\0", "catalog-header", "magic")
        kind, size = block[156:157], tar_number(block[124:136])
        need(size >= 0, "catalog-header", "size")
        if kind in (b"x", b"g"):
            need(kind == b"g" or not extended_size, "catalog-header", "two pax headers")
            blocks = (size + 511) // 512 * 512
            extended_size += 512 + blocks if kind == b"x" else 0
            need(max(extended_size + 512, 512 + blocks) <= MIB, "catalog-limit", "header")
            data = source.read(blocks)
            need(len(data) == blocks, "catalog-truncated")
            records = pax_records(data[:size])
            if kind == b"x":  # what a global header says is for nobody
                extended.update(records)
            continue
        # An empty value counts as none, but an attribute may be empty.
        records = {key: value for key, value in extended.items() if value or key.startswith(XATTR)}
        need(not any(key.startswith(b"GNU.sparse.") for key in records), "catalog-type", "sparse")
        m = Member()
        name, prefix = block[:100].split(b"\0")[0], block[345:500].split(b"\0")[0]
        m.path = records.get(b"path", prefix + b"/" + name if prefix else name)
        m.target = records.get(b"linkpath", block[157:257].split(b"\0")[0])
        m.mode = tar_number(block[100:108]) & 0o7777
        m.uid = pax_decimal(records[b"uid"]) if b"uid" in records else tar_number(block[108:116])
        m.gid = pax_decimal(records[b"gid"]) if b"gid" in records else tar_number(block[116:124])
        m.uname = records.get(b"uname", block[265:297].split(b"\0")[0])
        m.gname = records.get(b"gname", block[297:329].split(b"\0")[0])
        m.uname, m.gname = owners.setdefault(m.uname, m.uname), owners.setdefault(m.gname, m.gname)
        size = pax_decimal(records[b"size"]) if b"size" in records else size
        m.mtime = tar_number(block[136:148]) * 10**9
        if b"mtime" in records:
            match = re.fullmatch(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?", records[b"mtime"])
            need(match, "catalog-header", "mtime")
            fraction = int((match[3] or b"")[:9].ljust(9, b"0"))  # counts upward, also before 1970
            m.mtime = int(match[1] + match[2]) * 10**9 + fraction
        types = {b"0": "file", b"\0": "file", b"1": "hardlink", b"2": "symlink", b"5": "dir"}
        need(kind in types, "catalog-type", show(m.path[:200]))
        m.type = types[kind]
        if m.type == "dir" and m.path.endswith(b"/"):
            m.path = m.path[:-1]
        check_path(m.path)
        if m.type == "symlink":
            need(1 <= len(m.target) <= 65535 and b"\0" not in m.target, "catalog-link", show(m.path[:200]))
        if m.type == "hardlink":
            m.original = by_path.get(m.target)
            need(m.original and m.original.type == "file", "catalog-link", show(m.path[:200]))
        need(m.uid >= 0 and m.gid >= 0, "catalog-header", "negative owner")
        xattrs = member_xattrs(records)
        m.xattrs = xattrs if m.type in ("file", "dir") else ()
        need(m.path not in by_path, "catalog-duplicate", show(m.path[:200]))
        need(len(members) < 2**26, "catalog-limit", "members")
        if m.type == "file":
            need(size <= MIB, "catalog-limit", "body")
            blocks = (size + 511) // 512 * 512
            body = source.read(blocks)
            need(len(body) == blocks, "catalog-truncated")
            body = body[:size]
            good = size >= 88 and struct.unpack_from("<I", body, 84)[0] == size - 88 <= 65536
            need(good and is_text(body[88:]), "catalog-body", show(m.path[:200]))
            m.facts = body[88:]
            m.stream = body[:84]
            try:
                parse_gaps(m.facts, parse_stream_reference(m.stream).len)
            except Bad as bad:
                m.bad = bad
        else:
            need(size == 0, "catalog-body", show(m.path[:200]))
        members.append(m)
        by_path[m.path] = m
        extended, extended_size = {}, 0
    while True:
        rest = source.read(MIB)
        need(not any(rest), "catalog-trailing")
        if not rest:
            break
    return members


# ---------------------------------------------------------------------------------------------------------------------
# Levels (section 16)


def check_levels(repository, level):
    report, store = repository.report, repository.store
    deep = level == "L3"
    intact = []
    if level == "LK":
        for rid in repository.keys.recipients:
            repository.read_grants(rid)
    for (writer, session, idx), p in sorted(repository.packs.items(), key=lambda item: item[0]):
        if repository.pack_deleted(writer, p):
            continue
        name = pack_name(writer, session, idx, p.attempt)
        with report.catching(name):
            size = store.size(name)
            need(size is not None, "pack-missing")
            need(size == p.size, "pack-size")
            intact.append((writer, p, name))
    for r in repository.live_records():
        name = snap_name(r.writer, r.session, r.snap_attempt)
        with report.catching(name):
            s = repository.read_snapshot(r, {"L2": 1, "LK": 2, "L3": 3}.get(level, 0), anew=True)
            if level in ("L2", "L3"):
                for session, idx in s.view_packs:
                    with report.catching(name):
                        p = repository.packs.get((r.writer, session, idx))
                        known = p and p.seq <= r.seq and not repository.pack_deleted(r.writer, p)
                        need(known, "pack-missing", "the view lists pack %d-%d" % (session, idx))
    if level in ("L2", "L3"):
        check_past_deletions(repository)
    for writer, p, name in intact:
        with report.catching(name):
            if level in ("L1", "L3"):
                check_pack_hash(repository, p, name)
            if level in ("LK", "L3"):
                header = store.read_range(name, 0, MAX_HEADER)
                length, K_p = repository.pack_key(header, writer, p, anew=True)
            if deep:
                check_pack(repository, writer, p, name, header[:length], K_p)
    for r in repository.live_records() if deep else ():
        name = snap_name(r.writer, r.session, r.snap_attempt)
        try:
            s = repository.read_snapshot(r, 3)
        except Bad:
            continue  # reported above
        with report.catching(name):
            members, whole = read_catalog(repository, s), 0
            for m in members:
                with report.catching("%s %s" % (name, show(m.path))):
                    if m.bad:
                        raise m.bad
                    for _ in repository.read_stream(s, m.ref) if m.stream else ():
                        pass
                    whole += 1
            if whole == len(members):  # a wrong length has been found already
                check_sum(s, members)


def check_past_deletions(repository):
    """L2 and L3: a pack that was deleted was needed by no snapshot that was live then, or is live again since."""
    void, expired, deleted = repository.void, repository.expired, repository.deleted
    for writer, log in repository.logs.items():
        for r in log.records:
            gone = (writer, r.session, SNAPSHOT_IDX, r.snap_attempt) in deleted
            if r.kind != 1 or (writer, r.seq) in void or (writer, r.seq) not in expired or gone:
                continue
            try:
                s = repository.read_snapshot(r, 1)
            except Bad:
                continue
            operations = repository.operations[writer, r.seq]
            for session, idx in s.view_packs:
                p = repository.packs.get((writer, session, idx))
                number = deleted.get((writer, session, idx, p.attempt)) if p else None
                if number is None:
                    continue
                before = [op for seq, op in operations if seq <= number]
                fits = before[-1:] == [EXPIRE] and (REVIVE not in [op for seq, op in operations if seq > number])
                if not fits:
                    where = log_name("ret", number, repository.retention.records[number - 1].attempt)
                    needed = snap_name(writer, r.session, r.snap_attempt)
                    words = "deleted a pack of %s, which was not expired then or was revived later"
                    repository.report.alarm("retention-lists", "%s: %s" % (where, needed), words % needed)
                    break


def check_sum(snapshot, members):
    """The bytes of all streams; a hostile catalog must not hold more than the view says."""
    total = sum(m.ref.len for m in members if m.ref)
    need(total <= snapshot.logical, "stream-length", "the streams are longer than the view says")
    return total


def check_pack_hash(repository, p, name):
    digest = hashlib.blake2b(digest_size=32)
    for at in range(0, p.size, 4 * MIB):
        digest.update(repository.store.read_range(name, at, min(4 * MIB, p.size - at)))
    need(digest.digest() == p.hash, "pack-hash")


def check_pack(repository, writer, p, name, header, K_p):
    """Level L3: tail, trailer, every blob, every chunk id."""
    store, report = repository.store, repository.report
    keys = repository.keys.of_writer(writer)
    tail = seal_open(keys["trail_key"], "tail", header, store.read_range(name, p.size - TAIL, TAIL))
    need(tail is not None, "pack-tail", "does not open")
    body_end, trailer_off, trailer_len, nblobs = struct.unpack("<IIII", tail)
    places = len(header) <= body_end <= trailer_off and trailer_off + trailer_len + TAIL == p.size
    need(places and 40 <= trailer_len <= MAX_TRAILER, "pack-tail", "places")
    trailer = seal_open(keys["trail_key"], "trailer", header, store.read_range(name, trailer_off, trailer_len))
    need(trailer is not None, "pack-trailer", "does not open")
    entries, ids, at = [], set(), 0
    for _ in range(nblobs):
        need(at + 48 <= len(trailer), "pack-trailer", "cut")
        blob_id, off, clen, plen, kind, zero, nchunks = struct.unpack_from("<32sIIIBBH", trailer, at)
        at += 48
        need(at + nchunks * 20 <= len(trailer), "pack-trailer", "cut")
        chunks = trailer[at : at + nchunks * 20]
        lengths = [length for _, length in struct.iter_unpack("<16sI", chunks)]
        at += nchunks * 20
        need(kind in (0, 1) and zero == 0, "pack-trailer", "kind")
        need(1 <= plen <= (MAX_NODE if kind else MAX_BLOB) and 17 <= clen <= plen + 17, "pack-trailer", "lengths")
        need(off >= len(header) and off + clen <= body_end, "pack-trailer", "place")
        need(blob_id not in ids, "pack-trailer", "one blob twice")
        ids.add(blob_id)
        if kind:
            need(lengths == [plen], "pack-trailer", "chunks of a node")
        else:
            need(nchunks <= 4096 and all(1 <= length <= 65536 for length in lengths), "pack-trailer", "chunks")
            need(not lengths or sum(lengths) == plen, "pack-trailer", "sum of chunks")
        entries.append((blob_id, off, clen, plen, kind, chunks))
    need(at == len(trailer), "pack-trailer", "more bytes")

    jobs, size = [], 0
    for i, entry in enumerate(entries):
        blob_id, off, clen, plen, kind, chunks = entry
        with report.catching("%s blob %d" % (name, i)):
            need(clen >= 18, "blob-reference")
            frame = repository.open_frame(K_p, store.read_range(name, off, clen), blob_id, kind, writer)
            jobs.append((i, frame, entry))
            size += plen
        if size >= 16 * MIB or (i == len(entries) - 1 and jobs):
            plains = decode_frames([(frame, e[3]) for _, frame, e in jobs])
            for (number, _, e), plain in zip(jobs, plains):
                with report.catching("%s blob %d" % (name, number)):
                    if isinstance(plain, Bad):
                        raise plain
                    at = 0
                    for chunk_id, length in struct.iter_unpack("<16sI", e[5]):
                        person = "bk1 tree" if e[4] else "bk1 chunk"
                        fits = H(person, keys["chunk_key"], plain[at : at + length], 16) == chunk_id
                        need(fits, "pack-trailer", "chunk id")
                        at += length
            jobs, size = [], 0


# ---------------------------------------------------------------------------------------------------------------------
# Extraction into files. Nothing is ever written through a link: directories are opened step by step without following
# links, files come before links, and symbolic links are made last. A file gets its name when it is whole and has its
# attributes; directories get theirs last.

ACCESS_ACL, DEFAULT_ACL = b"system.posix_acl_access", b"system.posix_acl_default"


class Target:
    def __init__(self, path):
        path = os.fsencode(path)
        try:
            new = not os.path.lexists(path)
            os.makedirs(path, exist_ok=True)
            if os.listdir(path):
                raise Failed("%s is not empty; give a new directory" % show(path))
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if self.has_default_acl():  # what is made below would inherit rights
                if not new:
                    raise Failed("%s has a default ACL; remove it (setfacl -k), or give a new directory" % show(path))
                os.removexattr(self.fd, DEFAULT_ACL)
        except OSError as error:
            raise Failed("%s: %s" % (show(path), error.strerror)) from None

    def has_default_acl(self):
        try:
            return DEFAULT_ACL in map(os.fsencode, os.listxattr(self.fd))
        except OSError:  # a file system without attributes
            return False

    def directory(self, parts):
        """A descriptor of this directory; makes it."""
        fd = os.dup(self.fd)
        for part in parts:
            try:
                os.mkdir(part, 0o700, dir_fd=fd)
            except FileExistsError:
                pass
            try:
                deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            finally:
                os.close(fd)
            fd = deeper
        return fd


def leads_outside(links, path, target):
    """Does a symbolic link at this path lead out of the directory, also through the other links?"""
    pending = target.split(b"/")[::-1]
    here = path.split(b"/")[:-1]
    if target.startswith(b"/") or len(pending) > 4096:
        return True
    followed = 0
    while pending:
        part = pending.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            if not here:
                return True
            here.pop()
            continue
        here.append(part)
        further = links.get(b"/".join(here))
        if further is not None:
            followed += 1
            if further.startswith(b"/") or followed > 40 or len(further) > 4096:  # more than any system follows
                return True
            here.pop()
            pending.extend(further.split(b"/")[::-1])
    return False


PARTIAL = b".emergency-restore.partial"


def acl_entries(value):
    """An ACL in the kernel's form: list of (tag, rights, id); None when it is not in that form."""
    if len(value) < 12 or len(value) % 8 != 4 or value[:4] != b"\2\0\0\0":
        return None
    entries = list(struct.iter_unpack("<HHI", value[4:]))
    good = all(tag in (1, 2, 4, 8, 16, 32) and rights <= 7 for tag, rights, _ in entries)
    return entries if good else None


def mode_without_acl(mode, value):
    """The mode of a member whose access ACL is not set (yet): nobody may get more than the ACL gave."""
    entries = acl_entries(value)
    if entries is None:
        return mode & ~0o077

    def common(*tags):
        rights = 7
        for tag, allowed, _ in entries:
            rights &= allowed if tag in tags else 7
        return rights

    tags = {tag for tag, _, _ in entries}
    mask = common(16)
    # The named ones lose their entries: who had less than his group, or than everybody, must not gain.
    group = common(4, 2) & mask if 4 in tags else 0
    others = common(2, 8) & mask if tags & {2, 8} else 7
    return mode & (0o7700 | group << 3 | others)


class Metadata:
    """Sets owners, modes, attributes and times. What cannot be set is counted: the content is there all the same."""

    def __init__(self, owners, privileged):
        self.owners, self.privileged = owners or privileged, privileged
        self.failed, self.first = 0, ""
        self.bits, self.withheld, self.foreign = 0, 0, 0  # left out on purpose

    def attempt(self, m, what, call, *arguments, **keywords):
        try:
            call(*arguments, **keywords)
            return True
        except (OSError, OverflowError, ValueError) as error:
            self.fail(m, what, getattr(error, "strerror", None) or "out of range")
            return False

    def fail(self, m, what, why):
        self.failed += 1
        self.first = self.first or "%s of %s: %s" % (what, show(m.path[:200]), why)

    def set_owner(self, m, place, **keywords):
        if m.uid >= 2**32 - 1 or m.gid >= 2**32 - 1:  # -1 would mean: leave it
            self.fail(m, "owner", "no such number on this system")
            return False
        return self.attempt(m, "owner", os.chown, place, m.uid, m.gid, **keywords)

    def set_xattr(self, m, fd, name, value):
        what = "attribute " + show(name)
        if value is None:
            self.fail(m, what, "not in the form of the document")
        else:
            self.attempt(m, what, os.setxattr, fd, name, value)

    def allowed(self, name, owned):
        if name.startswith(b"user.") or name == DEFAULT_ACL:
            return True
        if name.startswith(b"trusted.") or name == b"security.capability":
            if owned:
                return True
            self.withheld += 1
        else:
            self.foreign += 1
        return False

    def set_all(self, m, fd):
        """Of a regular file or directory that only its owner can open so far. The order matters: a change of the owner
        takes capabilities and set-id bits away, and user.* needs permission to write."""
        owned = self.set_owner(m, fd) if self.owners else False
        owned = owned and self.privileged
        mode, acl, has_acl = m.mode, None, False
        for name, text in m.xattrs:
            value = None if text is None else xattr_value(text)
            if name == ACCESS_ACL:
                has_acl, acl = True, value
            elif self.allowed(name, owned):
                self.set_xattr(m, fd, name, value)
        if not owned:
            self.bits += mode & 0o7000 != 0
            mode &= 0o777
        self.attempt(m, "mode", os.chmod, fd, mode_without_acl(mode, acl or b"") if has_acl else mode)
        if has_acl:
            self.set_xattr(m, fd, ACCESS_ACL, acl if acl and acl_entries(acl) else None)
        self.attempt(m, "time", os.utime, fd, ns=(m.mtime, m.mtime))

    def set_link(self, m, name, fd):
        if self.owners:
            self.set_owner(m, name, dir_fd=fd, follow_symlinks=False)
        self.attempt(m, "time", os.utime, name, ns=(m.mtime, m.mtime), dir_fd=fd, follow_symlinks=False)

    def tell(self, where):
        left_out = [
            "%d %s" % (count, what)
            for count, what in (
                (self.bits, "members' set-id or sticky bits (see --privileged)"),
                (self.withheld, "attributes trusted.* or capabilities (see --privileged)"),
                (self.foreign, "attributes of other kinds"),
            )
            if count
        ]
        if left_out:
            print("%s: left out: %s" % (where, ", ".join(left_out)), file=sys.stderr)
        if self.failed:
            words = "%s: %d times an owner, mode, attribute or time could not be set, first %s"
            print(words % (where, self.failed, self.first), file=sys.stderr)


def write_sparse(file, pieces):
    """Pieces as of fill_gaps; zeros need no space."""
    for piece in pieces:
        if isinstance(piece, int):
            file.seek(piece, 1)
            continue
        for at in range(0, len(piece), 64 * KIB):
            part = piece[at : at + 64 * KIB]
            if part.count(0) < len(part):
                file.write(part)
            else:
                file.seek(len(part), 1)
    file.truncate()


def tell_about_snapshot(where, facts):
    """What the facts of a tree say about its root and about what the backup did not get."""
    missing, mode = fact(facts, b"missing"), fact(facts, b"root_mode")
    if missing and missing != b"0":
        words = "%s: when it was made, %s members could not be read, or not to their end"
        print(words % (where, show(missing[:20])), file=sys.stderr)
    if mode:
        owner = [show((fact(facts, key) or b"?")[:20]) for key in (b"root_uid", b"root_gid")]
        words = "%s: the directory itself had mode %s and owner %s/%s; the new one keeps its own"
        print(words % (where, show(mode[:20]), *owner))


def tell_about_member(where, m):
    """True: the file is only a beginning."""
    if fact(m.facts, b"changed") is not None:
        words = "changed: %s %s: it was written to while the backup read it; it may be neither old nor new"
        print(words % (where, show(m.path)), file=sys.stderr)
    if fact(m.facts, b"incomplete") is None:
        return False
    words = "incomplete: %s %s: the backup could not read it to its end; this is only its beginning"
    print(words % (where, show(m.path)), file=sys.stderr)
    return True


def extract(repository, snapshot, to, all_links, owners, privileged=False):
    """Gives the number of members that could not be restored (each was reported)."""
    report = repository.report
    where = "%s/%d" % (show(snapshot.label), snapshot.record.session)
    members = read_catalog(repository, snapshot)
    total = check_sum(snapshot, members)
    target = Target(to)
    space = os.fstatvfs(target.fd)
    if total > space.f_bavail * space.f_frsize:
        print("%s: %d bytes to restore, less than that is free; going on" % (where, total), file=sys.stderr)
    kinds = {m.path: m.type for m in members}
    links = {m.path: m.target for m in members if m.type == "symlink"}
    metadata = Metadata(owners, privileged)
    failures, outside, done = 0, 0, 0

    def parent_is_safe(m):
        parts = m.path.split(b"/")
        for i in range(1, len(parts)):
            above = b"/".join(parts[:i])
            need(kinds.get(above, "dir") == "dir", "DENIED", "below %s, which is no directory" % show(above))
        need(parts[0] != PARTIAL, "DENIED", "reserved name")
        return parts

    def restore_file(m, fd, name):
        if m.bad:
            raise m.bad
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            out = os.open(PARTIAL, flags, 0o600, dir_fd=target.fd)
            with os.fdopen(out, "wb") as file:
                write_sparse(file, fill_gaps(repository.read_stream(snapshot, m.ref), m.gaps))
                file.flush()
                metadata.set_all(m, out)
            try:
                os.stat(name, dir_fd=fd, follow_symlinks=False)
                raise Bad("IO", "exists already (does this file system ignore upper and lower case?)")
            except FileNotFoundError:
                os.rename(PARTIAL, name, src_dir_fd=target.fd, dst_dir_fd=fd)
        except BaseException:
            try:
                os.unlink(PARTIAL, dir_fd=target.fd)
            except FileNotFoundError:
                pass
            raise

    def restore_hardlink(m, fd, name):
        parts = m.target.split(b"/")
        other = target.directory(parts[:-1])
        try:
            try:
                os.link(parts[-1], name, src_dir_fd=other, dst_dir_fd=fd, follow_symlinks=False)
            except FileExistsError:
                raise
            except OSError:  # no hard links here: a copy does as well
                restore_file(m.original, fd, name)
        finally:
            os.close(other)

    for kind in ("dir", "file", "hardlink", "symlink"):
        for m in members:
            if m.type != kind:
                continue
            if kind == "symlink" and not all_links and leads_outside(links, m.path, m.target):
                words = "not made: link %s -> %s leads outside"
                print(words % (show(m.path[:200]), show(m.target[:200])), file=sys.stderr)
                outside += 1
                continue
            if kind == "hardlink" and not m.original.done:
                print("not made: hard link %s, its file was not restored" % show(m.path), file=sys.stderr)
                failures += 1
                continue
            failures += 1
            with report.catching("%s %s" % (where, show(m.path))):
                try:
                    parts = parent_is_safe(m)
                    fd = target.directory(parts if kind == "dir" else parts[:-1])
                    try:
                        if kind == "file":
                            restore_file(m, fd, parts[-1])
                        elif kind == "hardlink":
                            restore_hardlink(m, fd, parts[-1])
                        elif kind == "symlink":
                            os.symlink(m.target, parts[-1], dir_fd=fd)
                            metadata.set_link(m, parts[-1], fd)
                    finally:
                        os.close(fd)
                except OSError as error:
                    raise Bad("IO", error.strerror) from None
                m.done = True
                done += 1
                failures -= 1
                if kind == "file" and tell_about_member(where, m):
                    failures += 1
    # Directories last and deepest first: a directory without write permission must not be in the way before.
    for m in sorted((m for m in members if m.type == "dir" and m.done), key=lambda m: -m.path.count(b"/")):
        try:
            fd = target.directory(m.path.split(b"/"))
            try:
                metadata.set_all(m, fd)
            finally:
                os.close(fd)
        except OSError as error:
            print("%s: attributes not set (%s)" % (show(m.path), error.strerror), file=sys.stderr)
            failures += 1
    os.close(target.fd)
    print("%s: %d of %d members restored, %d bytes of streams" % (where, done, len(members), total))
    if outside:
        print("%s: %d links lead outside and were not made (--all-links makes them)" % (where, outside))
    tell_about_snapshot(where, snapshot.facts)
    metadata.tell(where)
    return failures + outside + metadata.failed


# ---------------------------------------------------------------------------------------------------------------------
# The commands


class Report:
    """Findings, each printed once and at once."""

    def __init__(self):
        self.findings = []
        self.told = set()

    def add(self, kind, name, where, text):
        if (kind, name, where) not in self.told:
            self.told.add((kind, name, where))
            self.findings.append((kind, name, where, text))
            words = [kind, name, printable(where), "(%s)" % printable(text) if text else ""]
            print(" ".join(word for word in words if word), file=sys.stderr, flush=True)

    def alarm(self, name, where, text=""):
        self.add("alarm", name, where, text)

    def note(self, name, where, text=""):
        self.add("note", name, where, text)

    def names(self):
        return {name for kind, name, _, _ in self.findings if kind == "alarm"}

    def catching(self, where):
        return Catching(self, where)


class Catching:
    """A block whose violation becomes an alarm; what comes after the block goes on."""

    def __init__(self, report, where):
        self.report, self.where = report, where

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if kind is not None and issubclass(kind, Bad):
            self.report.alarm(error.name, self.where, error.text)
            return True
        return False


def exit_status(names):
    if not names:
        return 0
    if names <= {"AUTH", "key-block", "approval-auth", "approval-request", "approval-expired", "approval-sessions"}:
        return 12
    if names <= {"IO", "DENIED", "NOT_FOUND", "AUTH", "key-block"}:
        return 1
    return 9


def collect_keys(options):
    keys = Keys()
    passphrases = []
    for path in options.passphrase_file:
        try:
            with open(path, "rb") as file:
                passphrases.append(file.read(64 * KIB).split(b"\n")[0].rstrip(b"\r"))
        except OSError as error:
            raise Failed("%s: %s" % (path, error.strerror)) from None
    if options.root:
        text = options.root
        if os.path.exists(text):
            with open(text, encoding="ascii", errors="replace") as file:
                text = file.read(200).strip()
        if not re.fullmatch("[0-9a-fA-F]{64}", text):
            raise Usage("--root: 64 hexadecimal digits, or a file with them")
        keys.root = bytes.fromhex(text)
    for path in options.kit:
        secrets = read_key(path, 4, passphrases)
        keys.add_identity(secrets[:16], secrets[16:48])
        W, V = secrets[48:80], secrets[80:112]
        need((keys.W, keys.V) in ((None, None), (W, V)), "AUTH", "kits of different repositories")
        keys.W, keys.V = W, V
        if not options.members_only:
            keys.add_recipient(secrets[112:144])
    for path in options.member:
        secrets = read_key(path, 5, passphrases)
        keys.add_identity(secrets[:16], secrets[16:48])
        keys.add_recipient(secrets[48:80])
    if options.approval and not options.request_state:
        raise Usage("an approval needs the secret half of its request: --request-state")
    keys.requests = [(path, read_small(path, MAX_REQUEST + 48)) for path in options.request_state]
    keys.approvals = [(path, read_small(path, MAX_APPROVAL)) for path in options.approval]
    return keys


def read_small(path, limit):
    """A file beside the repository; one byte more than the limit is enough to see that it is too large."""
    try:
        with open(path, "rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise Failed("%s: %s" % (path, error.strerror)) from None


class Usage(Exception):
    pass


class Marks:
    """High-water marks (section 15): compares with the last time, and remembers this one when nothing was wrong."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, encoding="utf-8") as file:
                self.old = json.load(file)
        except FileNotFoundError:
            self.old = {}
        except (OSError, ValueError):
            raise Failed("%s cannot be read" % path) from None

    def compare(self, report, name, entries):
        number, digest = self.old.get(name, (0, ""))
        if number and (number > len(entries) or entries[number - 1].hash.hex() != digest):
            report.alarm("log-rollback", name, "number %d was seen before" % number)
            return False
        return True

    def compare_charters(self, repository):
        repo_id = repository.repo_id.hex()
        need(self.old.get("repo", repo_id) == repo_id, "charter-repo", "another repository than the last time")
        if not self.compare(repository.report, "charter", repository.charters):
            raise Stop()

    def compare_logs(self, repository):
        logs = {"ret": repository.retention, **{w.hex(): log for w, log in repository.logs.items()}}
        for name, log in logs.items():
            self.compare(repository.report, name, log.records)
        if repository.report.names():
            return
        new = {"repo": repository.repo_id.hex()}
        new["charter"] = [repository.charter.version, repository.charter.hash.hex()]
        for name, log in logs.items():
            new[name] = [len(log.records), log.records[-1].hash.hex() if log.records else ""]
        try:
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(new, file)
            os.replace(self.path + ".new", self.path)
        except OSError as error:
            raise Failed("%s: %s" % (self.path, error.strerror)) from None


def snapshots(repository):
    """Every live snapshot whose view opens."""
    for r in repository.live_records():
        with repository.report.catching(snap_name(r.writer, r.session, r.snap_attempt)):
            yield repository.read_snapshot(r, 1)


def find_snapshot(repository, name):
    """By LABEL/SESSION or WRITER/SESSION, opened whole."""
    found = []
    for s in snapshots(repository):
        session = s.record.session
        names = (s.label.decode("utf-8"), show(s.label), s.writer.hex())
        if name in ["%s/%d" % (known, session) for known in names]:
            found.append(s)
    if not found:
        raise Failed("no snapshot %s; see the command list" % show(name))
    if len(found) > 1:
        raise Failed("several writers have %s; say one of: %s" % (
            show(name), " ".join("%s/%d" % (s.writer.hex(), s.record.session) for s in found)))
    return found[0].record


def notes_text(notes):
    """What the notes of a view say to people: tags first."""
    words = [show(tag) for tag in facts_of(notes, b"tag")]
    words += ["(incomplete)"] if fact(notes, b"incomplete") is not None else []
    anomaly = fact(notes, b"anomaly")
    words += ["(anomaly: %s)" % show(anomaly)] if anomaly is not None else []
    return " ".join(words)


def command_list(repository, options):
    head = ("snapshot", "started (UTC)", "finished (UTC)", "bytes", "writer", "notes")
    print("%-24s %-19s  %-19s  %15s  %-16s  %s" % head)
    for s in snapshots(repository):
        name = "%s/%d" % (show(s.label), s.record.session)
        line = (name, when(s.started), when(s.finished), s.logical, s.writer.hex(), notes_text(s.notes))
        print(("%-24s %s  %s  %15d  %s  %s" % line).rstrip())
    return exit_status(repository.report.names())


def command_records(repository, options):
    """One line for each record: record, writer, seq, attempt, session, ack, first-seen retention record, state."""
    for writer, log in repository.logs.items():
        for r in log.records:
            place = (writer, r.seq)
            state = "live" if r.kind == 1 else "ack"
            state = "expired" if place in repository.expired else state
            state = "void" if place in repository.void else state
            state += ",held" if place in repository.held else ""
            print("record\t%s\t%d\tattempt=%d\tsession=%d\tack=%d\tfirst-seen=%d\t%s" % (
                writer.hex(), r.seq, r.attempt, r.session, r.ack, repository.first_seen.get(place, 0), state))
    for r, clock in zip(repository.retention.records, repository.clock):
        print("retention\t%d\tattempt=%d\ttime=%d\tclock=%d" % (r.seq, r.attempt, r.time, clock))
        if r.note and repository.keys.V:
            note = seal_open(repository.keys.V, "ret note", r.note_ad, r.note)
            print("text\t%d\t%s" % (r.seq, "(does not open)" if note is None else show(note)))
    return exit_status(repository.report.names())


def command_check(repository, options):
    check_levels(repository, options.level)
    status = exit_status(repository.report.names())
    print("level %s: %s" % (options.level, "all is well" if status == 0 else "see the alarms"))
    return status


def facts_text(facts):
    lines = facts.decode("utf-8").split("\n")
    for i, line in enumerate(lines):
        if re.match("(gaps|holes)=.{80}", line):
            lines[i] = "%s... (%d ranges)" % (line[:60], line.count(",") + 1)
    return ";".join(lines)


def xattrs_text(xattrs):
    return "".join(
        ";xattr=%s (%s)" % (show(name), "damaged" if text is None else "%d bytes" % len(xattr_value(text)))
        for name, text in xattrs
    )


def command_files(repository, options):
    snapshot = repository.read_snapshot(find_snapshot(repository, options.snapshot), 3)
    members = read_catalog(repository, snapshot)
    print("snapshot %s/%d\t%s" % (show(snapshot.label), snapshot.record.session, show(facts_text(snapshot.facts))))
    if snapshot.notes:
        print("notes %s/%d\t%s" % (show(snapshot.label), snapshot.record.session, show(facts_text(snapshot.notes))))
    for m in members:
        size = str(m.size) if m.ref else "damaged" if m.bad else "-"
        seconds = "%d.%09d" % divmod(m.mtime, 10**9)
        target = " -> " + show(m.target) if m.type in ("symlink", "hardlink") else ""
        owner = "%d/%d" % (m.uid, m.gid)
        names = "%s/%s" % (show(m.uname), show(m.gname))
        facts = show(facts_text(m.facts))
        print("%-8s %04o %s %s %s %15s %s%s\t%s" % (
            m.type, m.mode, owner, names, seconds, size, show(m.path), target, facts + xattrs_text(m.xattrs)))
    return 0


def session_boxes(repository, writer, session):
    """(kid, boxes) of a session, from an object whose hash the writer signed: its snapshot object, or a whole pack."""
    for r in repository.logs[writer].records:
        if r.session == session and r.kind == 1:
            try:
                data = repository.read_snap_file(r)
            except Bad:
                continue
            length = repository.parse_header(data, b"BK1SNAP\n", writer, session, r.seq, "snap-header")
            break
    else:
        problem = None
        for p in (p for (w, s, _), p in repository.packs.items() if (w, s) == (writer, session)):
            name = pack_name(writer, session, p.idx, p.attempt)
            try:
                size = repository.store.size(name)
                need(size is not None, "pack-missing", name)
                need(size == p.size, "pack-size", name)
                check_pack_hash(repository, p, name)
            except Bad as bad:
                problem = problem or bad
                continue
            data = repository.store.read_range(name, 0, MAX_HEADER)
            length = repository.parse_header(data, b"BK1PACK\n", writer, session, p.idx, "pack-header")
            break
        else:
            raise problem or Bad("request-differs", "nothing is there of session %d" % session)
    kid, groups = parse_envelope(data[64 : length - 32], 80, "envelope-syntax")
    return kid, [box for shares in groups for _, box in shares]


def judge_request(repository, q, now):
    """Section 22, what an approver does before a person is asked. Gives the views of the snapshots asked for."""
    charter, own = repository.charter, repository.keys.recipients

    def same(condition, text):
        need(condition, "request-differs", text)

    same(q.repo_id == repository.repo_id, "another repository")
    public, ends = charter.recipients.get(q.requester), charter.expires.get(q.requester)
    need(public is not None and (ends is None or now < ends), "request-auth", "the requester is no recipient")
    need(q.requester not in own, "request-auth", "it is your own request")
    mine = [rid for rid in own if rid in q.macs]
    need(mine, "AUTH", "the request is not for you")
    for rid in mine:
        both = shared_secret(own[rid][1], public)
        need(both and H("bk1 request", both, q.head) == q.macs[rid], "request-auth", "altered, or from somebody else")
    need(now < q.expires and q.created <= now + 86400, "request-expired")
    asked, views = set(), []
    for writer, seq, session, moment, digest, label in q.snapshots:
        log = repository.logs.get(writer)
        same(log and seq <= len(log.records) and (writer, seq) not in repository.void, "no such snapshot")
        r = log.records[seq - 1]
        same((r.kind, r.session, r.time, r.hash) == (1, session, moment, digest), "another snapshot")
        views.append(repository.read_snapshot(r, 1))
        same(views[-1].label == label, "label")
        asked.update({(writer, session)}, ((writer, s) for s, _ in views[-1].view_packs))
    same(asked == set(q.sessions), "other sessions than the snapshots need")
    places = {}  # box -> session
    for r in repository.live_records():
        asked.add((r.writer, r.session))
    for place in sorted(asked):
        try:
            kid, boxes = session_boxes(repository, *place)
        except Bad:
            if place in q.sessions:
                raise
            continue  # of a live snapshot that is damaged: nothing of it could be opened
        same(q.sessions.get(place, kid) == kid, "the key of session %d" % place[1])
        for box in boxes:
            first = places.setdefault(box, place)
            need(first == place, "envelope-copy", "sessions %d and %d" % (first[1], place[1]))
    return views


def command_request(repository, options):
    q = parse_request(read_small(options.request, MAX_REQUEST), options.request)
    views = judge_request(repository, q, time.time() if options.now is None else options.now)
    code = q.id[:8].hex()
    print("code       %s   (compare it with the requester, by telephone)" % "-".join(re.findall("....", code)))
    print("requester  %s, says it is: %s" % (q.requester.hex(), show(q.by)))
    print("reason     %s" % show(q.reason))
    print("valid      until %s UTC" % when(q.expires))
    asked = {(s.writer, s.record.seq) for s in views}
    for s in views:
        print("asks for   %s/%d" % (show(s.label), s.record.session))
    for s in snapshots(repository):
        needed = {(s.writer, session) for session, _ in s.view_packs}
        own = (s.writer, s.record.session) in q.sessions
        part = "as a whole" if own and needed <= set(q.sessions) else "in part" if own else "of its packs, some"
        if (s.writer, s.record.seq) not in asked and (own or needed & set(q.sessions)):
            print("also opens %s/%d (%s)" % (show(s.label), s.record.session, part))
    return exit_status(repository.report.names())


def command_cat(repository, options):
    snapshot = repository.read_snapshot(find_snapshot(repository, options.snapshot), 3)
    for m in read_catalog(repository, snapshot):
        if m.path == os.fsencode(options.stream) or show(m.path) == options.stream:
            m = m.original if m.type == "hardlink" else m
            if m.bad:
                raise m.bad
            if m.type != "file":
                raise Failed("%s is no stream (%s)" % (show(m.path), m.type))
            try:
                for piece in fill_gaps(repository.read_stream(snapshot, m.ref), m.gaps):
                    while isinstance(piece, int) and piece > MIB:
                        sys.stdout.buffer.write(bytes(MIB))
                        piece -= MIB
                    sys.stdout.buffer.write(bytes(piece))
                sys.stdout.buffer.flush()
            except Bad:
                print("what was written is NOT whole: throw it away", file=sys.stderr)
                raise
            return 1 if tell_about_member("%s/%d" % (show(snapshot.label), snapshot.record.session), m) else 0
    raise Failed("no stream %s in this snapshot; see the command files" % show(options.stream))


def command_extract(repository, options):
    if options.all:
        failures, before = 0, repository.report.names()
        for s in snapshots(repository):
            name = "%s-%d" % (re.sub("[^A-Za-z0-9._-]", "_", s.label.decode("utf-8"))[:100], s.record.session)
            path = os.path.join(options.to, name + "-" + s.writer.hex())
            failures += 1
            where = "%s/%d" % (show(s.label), s.record.session)
            with repository.report.catching(where):
                try:
                    whole = repository.read_snapshot(s.record, 3)
                    failures += extract(repository, whole, path, options.all_links, options.owners, options.privileged)
                    failures -= 1
                except Failed as error:  # the others may still work
                    print("%s: failed: %s" % (where, error), file=sys.stderr)
        failures += len(repository.report.names() - before)
    else:
        before = repository.report.names()
        record = find_snapshot(repository, options.snapshot)
        snapshot = repository.read_snapshot(record, 3)
        failures = extract(repository, snapshot, options.to, options.all_links, options.owners, options.privileged)
    # Alarms about other parts of the repository are printed, but what was asked for is whole without them.
    return 0 if failures == 0 else exit_status(repository.report.names() - before) or 1


def command_key(keys):
    print("repository %s" % keys.repo_id.hex())
    print("root       %s" % keys.root.hex())
    for rid in keys.recipients:
        print("recipient  %s" % rid.hex())
    return 0


class Parser(argparse.ArgumentParser):
    """Help is always the head of this file."""

    def format_help(self):
        return __doc__ + "\n"

    def error(self, message):
        self.exit(2, "%s\nThe command comes first, then its options; --help shows all.\n" % message)


def parse_arguments(arguments):
    shared = Parser(add_help=False)
    shared.add_argument("--repo")
    shared.add_argument("--kit", action="append", default=[])
    shared.add_argument("--member", action="append", default=[])
    shared.add_argument("--members-only", action="store_true")
    shared.add_argument("--approval", action="append", default=[])
    shared.add_argument("--request-state", action="append", default=[])
    shared.add_argument("--passphrase-file", action="append", default=[])
    shared.add_argument("--root")
    shared.add_argument("--marks")
    shared.add_argument("--now", type=int)
    parser = Parser()
    commands = parser.add_subparsers(dest="command")
    for name in ("list", "files", "extract", "cat", "check", "records", "key", "request"):
        command = commands.add_parser(name, parents=[shared])
        if name in ("files", "cat"):
            command.add_argument("snapshot")
        if name == "request":
            command.add_argument("request")
        if name == "cat":
            command.add_argument("stream")
        if name == "extract":
            command.add_argument("snapshot", nargs="?")
            command.add_argument("--all", action="store_true")
            command.add_argument("--to", required=True)
            command.add_argument("--all-links", action="store_true")
            command.add_argument("--owners", action="store_true")
            command.add_argument("--privileged", action="store_true")
        if name == "check":
            command.add_argument("--level", choices=("L0", "L1", "L2", "LK", "L3"), default="L3")
    options = parser.parse_args(arguments)
    if not options.command:
        parser.error("which command?")
    return options


def stopped(number, frame):
    raise KeyboardInterrupt


def main(arguments):
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    options = parse_arguments(arguments)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that no half file stays behind
        signal.signal(number, stopped)
    report = Report()
    try:
        if options.command == "extract" and bool(options.snapshot) == options.all:
            raise Usage("extract needs the name of a snapshot, or --all")
        if options.command == "extract" and (options.owners or options.privileged) and os.geteuid() != 0:
            raise Usage("only root can set owners: leave --owners and --privileged out")
        keys = collect_keys(options)
        if options.command == "key":
            if keys.repo_id is None:
                raise Usage("key needs --kit or --member")
            return command_key(keys)
        if not options.repo or keys.root is None:
            raise Usage("give --repo, and --kit (or --root)")
        simple = options.command == "records" or (options.command == "check" and options.level in ("L0", "L1"))
        if keys.W is None and not simple:
            raise Usage("this needs a restore kit (--kit)")
        marks = Marks(options.marks) if options.marks else None
        repository = Repository(Store(options.repo), keys, report, options.now, marks)
        if marks:
            marks.compare_logs(repository)
        return globals()["command_" + options.command](repository, options)
    except Usage as error:
        print(error, file=sys.stderr)
        return 2
    except Failed as error:
        print("failed: %s" % error, file=sys.stderr)
        return 1
    except Bad as bad:
        report.alarm(bad.name, "", bad.text)
        return exit_status({bad.name})
    except Stop:
        return exit_status(report.names())
    except OSError as error:
        print("failed: %s" % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
