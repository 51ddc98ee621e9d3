#!/usr/bin/env python3
"""Every request of SFTP that could change what is stored, built by hand and sent to a real server.

    sftp_requests.py SETTINGS

SETTINGS is a JSON file: ssh (the command line before "-s HOST sftp"), host, keys {role: file}, users {role: name},
seen (the storage as this machine sees it), top (as the server sees it), pack, log, snap, charter, ret (files, as the server
sees them), own (a directory that the writer may create in), other (a file of another host), jail (there is a chroot),
one_uid (all roles are one account, so that only their lines keep them apart),
hangs_up (the server ends the connection at requests that it does not know).

For each role the whole table below is sent over one connection. Nothing of it may be answered with OK or a handle but
what the role is for, and after each request the storage is compared: names, types, owners, modes, sizes and times, and the bytes at the end. Prints
"ok - NAME" and "not ok - NAME: WHY" lines and exits with 0; the caller counts them.
"""
import hashlib
import json
import os
import select
import signal
import stat
import struct
import subprocess
import sys

INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT = range(1, 11)
OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, SYMLINK = range(11, 21)
LINK_V6, BLOCK_V6, UNBLOCK_V6 = 21, 22, 23
UNKNOWN = {LINK_V6, BLOCK_V6, UNBLOCK_V6, 77}
STATUS, HANDLE, EXTENDED = 101, 102, 200
F_READ, F_WRITE, F_APPEND, F_CREAT, F_TRUNC, F_EXCL = 1, 2, 4, 8, 16, 32
SIZE, UIDGID, PERMISSIONS, ACMODTIME = 1, 2, 4, 8
OK = 0
NO_ANSWER = "no answer"


def s(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(value)) + value


def u32(*values):
    return struct.pack(">%dI" % len(values), *values)


NO_ATTRS = u32(0)
SIZE_0 = u32(SIZE) + struct.pack(">Q", 0)
MODE_666 = u32(PERMISSIONS, 0o666)
OWNER_0 = u32(UIDGID, 0, 0)
TIME_1 = u32(ACMODTIME, 1, 1)


class Server:
    def __init__(self, settings, role):
        command = settings["ssh"] + ["-i", settings["keys"][role], "-l", settings["users"][role], settings["host"],
                                     "-s", "sftp"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.id = 0
        self.write(bytes([INIT]) + u32(3))
        assert self.packet()[0] == VERSION

    def write(self, body):
        self.process.stdin.write(u32(len(body)) + body)
        self.process.stdin.flush()

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.process.stdout.read(n - len(data))
            if not more:
                raise EOFError("the server hung up")
            data += more
        return data

    def packet(self):
        return self.exactly(struct.unpack(">I", self.exactly(4))[0])

    def send(self, kind, body):
        self.id += 1
        self.write(bytes([kind]) + u32(self.id) + body)
        return self.id

    def ask(self, kind, body):
        """(type, bytes behind the id). OpenSSH leaves a request that it does not know without an answer."""
        mine = self.send(kind, body)
        while True:
            if kind in UNKNOWN and not select.select([self.process.stdout], [], [], 0.1)[0]:
                self.send(LSTAT, s("/"))
            p = self.packet()
            if struct.unpack(">I", p[1:5])[0] == mine:
                return p[0], p[5:]
            if kind in UNKNOWN:
                return None, b""

    def status(self, kind, body):
        """A status number, "handle", or NO_ANSWER. A handle is closed again."""
        got, rest = self.ask(kind, body)
        if got == HANDLE:
            self.ask(CLOSE, rest)
            return "handle"
        return struct.unpack(">I", rest[:4])[0] if got == STATUS else NO_ANSWER if got is None else "type %d" % got

    def handle(self, path, flags, attrs=NO_ATTRS):
        got, rest = self.ask(OPEN, s(path) + u32(flags) + attrs)
        if got != HANDLE:
            return None
        return rest[4:4 + struct.unpack(">I", rest[:4])[0]]

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def picture(top):
    """Everything of a tree that a request could change."""
    found = {}
    for where, folders, names in os.walk(top, followlinks=False):
        for name in sorted(folders + names):
            path = os.path.join(where, name)
            st = os.lstat(path)
            # The change time is the kernel's alone: nothing is written, renamed, linked or set without it.
            found[path] = (st.st_mode, st.st_uid, st.st_gid, st.st_nlink, st.st_size, st.st_mtime_ns, st.st_ctime_ns)
    return found


def contents(top):
    found = {}
    for path, seen in picture(top).items():
        if stat.S_ISREG(seen[0]):
            with open(path, "rb") as f:
                found[path] = hashlib.sha256(f.read()).hexdigest()
    return found


def extended(name, body):
    return EXTENDED, s(name) + body


def against_file(path, spare, aim):
    """Ways to change, empty, replace, rename or remove one stored file. `aim`: another stored file, to move over it."""
    def opened(flags, attrs=NO_ATTRS):
        return OPEN, s(path) + u32(flags) + attrs
    yield "open to write", opened(F_WRITE)
    yield "open to read and write", opened(F_READ | F_WRITE)
    yield "open to append", opened(F_WRITE | F_APPEND)
    yield "open with truncation", opened(F_WRITE | F_TRUNC)
    yield "open with creation", opened(F_WRITE | F_CREAT)
    yield "open with creation and truncation", opened(F_WRITE | F_CREAT | F_TRUNC)
    yield "open with exclusive creation", opened(F_WRITE | F_CREAT | F_EXCL)
    yield "open to read, with truncation", opened(F_READ | F_WRITE | F_TRUNC)
    yield "open with mode 0666", opened(F_WRITE | F_CREAT, MODE_666)
    yield "open a longer way round", (OPEN, s(path.replace("/w/", "/w/../w/./")) + u32(F_WRITE | F_TRUNC) + NO_ATTRS)
    for what, attrs in (("size", SIZE_0), ("mode", MODE_666), ("owner", OWNER_0), ("times", TIME_1)):
        yield "setstat: " + what, (SETSTAT, s(path) + attrs)
        yield "lsetstat: " + what, extended("lsetstat@openssh.com", s(path) + attrs)
    yield "remove", (REMOVE, s(path))
    yield "rmdir of a file", (RMDIR, s(path))
    yield "rename", (RENAME, s(path) + s(spare))
    yield "rename something over it", (RENAME, s(aim) + s(path))
    yield "posix-rename", extended("posix-rename@openssh.com", s(path) + s(spare))
    yield "posix-rename something over it", extended("posix-rename@openssh.com", s(aim) + s(path))
    yield "hard link", extended("hardlink@openssh.com", s(path) + s(spare))
    yield "symbolic link", (SYMLINK, s(path) + s(spare))
    yield "symbolic link, arguments the other way round", (SYMLINK, s(spare) + s(path))


def against_tree(own, out):
    """Changes of directories, and files where nobody may make some."""
    yield "mkdir in its own directory", (MKDIR, s(own + "/new") + NO_ATTRS)
    yield "mkdir at the top", (MKDIR, s(out + "/new") + NO_ATTRS)
    yield "rmdir", (RMDIR, s(own))
    yield "rename of a directory", (RENAME, s(own) + s(own + ".away"))
    yield "posix-rename of a directory", extended("posix-rename@openssh.com", s(own) + s(own + ".away"))
    yield "mode of a directory", (SETSTAT, s(own) + u32(PERMISSIONS, 0o777))
    yield "owner of a directory", (SETSTAT, s(own) + OWNER_0)
    yield "symbolic link to a directory", (SYMLINK, s(own) + s(out + "/link"))
    yield "readlink", (READLINK, s(own))
    yield "expand-path", extended("expand-path@openssh.com", s("~root/x"))
    yield "home-directory", extended("home-directory", s("root"))
    yield "names of users", extended("users-groups-by-id@openssh.com", s(u32(0)) + s(u32(0)))
    yield "an extension that nobody has", extended("erase-everything@example.org", s(own))
    yield "link of protocol 6", (LINK_V6, s(own + "/spare") + s(own) + b"\1")
    yield "a lock of protocol 6", (BLOCK_V6, s(own) + struct.pack(">QQI", 0, 0, 0))
    yield "unblock of protocol 6", (UNBLOCK_V6, s(own) + struct.pack(">QQ", 0, 0))
    yield "a request that nobody has", (max(UNKNOWN), s(own))


def create(path, attrs=NO_ATTRS):
    return OPEN, s(path) + u32(F_WRITE | F_CREAT | F_EXCL) + attrs


class Table:
    def __init__(self, settings, role):
        self.settings, self.role = settings, role
        self.server = Server(settings, role)
        self.seen = settings["seen"]
        self.before = picture(self.seen)
        self.refused = 0
        self.bad = 0

    def line(self, good, name, why=""):
        self.bad += not good
        print(("ok - " if good else "not ok - ") + "%s: %s" % (self.role, name) + ("" if good else ": " + why), flush=True)

    def refuse(self, name, request):
        answer = self.server.status(*request)
        after = picture(self.seen)
        changed = sorted(p for p in after.keys() | self.before.keys() if after.get(p) != self.before.get(p))
        if answer in (OK, "handle") or str(answer).startswith("type") or changed:
            self.line(False, name, "answer %s, changed %s" % (answer, changed))
            self.before = after
        self.refused += 1

    def handles(self, path):
        """Requests on handles that read; one is opened to append, but not to write, which servers take for reading."""
        for flags in (F_READ, F_APPEND):
            h = self.server.handle(path, flags)
            if h is None and flags == F_READ:
                self.line(False, "open to read " + path, "refused")
            for name, request in self.on_handle(h) if h is not None else ():
                self.refuse("%s: a handle for reading: %s" % (path, name), request)
            if h is not None:
                self.server.ask(CLOSE, s(h))
                self.refuse("a handle that was closed", (WRITE, s(h) + struct.pack(">Q", 0) + s("x")))
        self.refuse("a handle that never was", (WRITE, s(u32(7)) + struct.pack(">Q", 0) + s("x")))

    @staticmethod
    def on_handle(h):
        yield "write", (WRITE, s(h) + struct.pack(">Q", 0) + s("overwritten"))
        for name, attrs in (("size", SIZE_0), ("mode", MODE_666), ("owner", OWNER_0), ("times", TIME_1)):
            yield "fsetstat: " + name, (FSETSTAT, s(h) + attrs)
        yield "copy-data onto itself", extended("copy-data", s(h) + struct.pack(">QQ", 0, 4) + s(h) + struct.pack(">Q", 8))

    def made(self, name, path, attrs, may):
        """Creates and writes a file, or is refused; what is born has no write permission."""
        h = self.server.handle(path, F_WRITE | F_CREAT | F_EXCL, attrs)
        if h is not None:
            self.server.ask(WRITE, s(h) + struct.pack(">Q", 0) + s("new"))
            self.server.ask(CLOSE, s(h))
        new = picture(self.seen)
        gone = [p for p in self.before if p not in new]
        born = [p for p in new if p not in self.before]
        mode = new[born[0]][0] if born else 0
        good = bool(born) == may and len(born) <= 1 and not gone and not mode & 0o222
        if may and h is None:
            self.line(False, name, "refused: %s" % (self.server.ask(OPEN, s(path) + u32(F_WRITE | F_CREAT | F_EXCL) + attrs),))
            return
        self.line(good, name, "made %s with mode %o, lost %s" % (born, mode, gone))
        self.before = new

    def told(self, what):
        self.line(self.bad == 0, "%d requests: %s" % (self.refused, what), "see above")
        self.refused = 0


def files_of(settings):
    return [settings[k] for k in ("pack", "log", "snap", "charter", "ret") if settings.get(k)]


def attack(settings, role):
    t = Table(settings, role)
    first = contents(t.seen)
    t.line(len(first) >= 5, "the storage is seen from outside", "%d files" % len(first))
    own, top = settings["own"], settings["top"]
    readable = files_of(settings)
    for path in readable:
        aim = settings["log"] if path != settings["log"] else settings["pack"]
        for name, request in against_file(path, own + "/spare", aim):
            # With one uid it may remove charters, too.
            if role == "retention" and name == "remove" and (settings.get("one_uid") or path != settings["charter"]):
                continue
            t.refuse("%s: %s" % (path, name), request)
    t.told("nothing that is stored is changed, emptied, replaced, renamed or linked")
    if role != "admin" or settings.get("one_uid"):
        for path in readable:
            t.handles(path)
    t.told("nor through a handle")
    for name, request in against_tree(own, top):
        if settings.get("hangs_up") and request[0] in UNKNOWN:
            continue
        t.refuse(name, request)
    t.told("directories, links and other requests")
    places = {"own directory": own, "repository": top, "the directory of all writers": top + "/w",
              "charters": top + "/charter", "grants": top + "/grant", "retention log": top + "/ret"}
    may = {"writer": {"own directory"}, "retention": {"own directory", "retention log"},
           "admin": {"charters", "grants"}, "reader": set()}[role]
    if settings.get("one_uid") and role != "reader":
        may = set(places)
    if settings.get("other"):
        places["another host's directory"] = os.path.dirname(settings["other"])
        may = may | ({"another host's directory"} if role == "retention" else set())
    for i, (name, place) in enumerate(places.items()):
        t.made("a file in %s is %s" % (name, "born read-only" if name in may else "refused"),
               "%s/by-%s.%d" % (place, role, i), u32(PERMISSIONS, 0o6777 if i % 2 else 0o666), name in may)
    if settings.get("other") and role == "writer":
        other = settings["other"]
        for name, request in list(against_file(other, own + "/spare", settings["pack"])) + [
                ("read", (OPEN, s(other) + u32(F_READ) + NO_ATTRS)), ("size", (STAT, s(other))),
                ("size, of a link", (LSTAT, s(other))), ("list", (OPENDIR, s(os.path.dirname(other)))),
                ("list above", (OPENDIR, s(os.path.dirname(os.path.dirname(other)))))]:
            t.refuse("another host's file: " + name, request)
        t.told("another host's files are neither seen nor changed")
    if settings.get("jail"):
        for name, request in (("the server's passwd", (OPEN, s("/etc/passwd") + u32(F_READ) + NO_ATTRS)),
                              ("by ..", (OPEN, s("/../../../etc/passwd") + u32(F_READ) + NO_ATTRS)),
                              ("the keys", (OPENDIR, s("/etc/ssh/backup_keys"))), ("a list by ..", (STAT, s("/../srv"))),
                              ("a file at the top", create("/by-" + role))):
            t.refuse("out of the chroot: " + name, request)
        t.told("nothing outside the chroot")
    t.server.end()
    last = contents(t.seen)
    t.line(all(last.get(p) == d for p, d in first.items()), "every byte is as it was")


def main():
    signal.alarm(120)  # a server that says nothing at all ends the test, too
    with open(sys.argv[1]) as f:
        settings = json.load(f)
    for role in settings["keys"]:
        attack(settings, role)


if __name__ == "__main__":
    main()
