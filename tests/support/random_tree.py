#!/usr/bin/env python3
"""random_tree.py make|change DIR SEED: a random directory tree, always the same for one seed; or random changes to one.

Every kind of member and of metadata that a backup of a tree stores, with odd names, holes, hard links, and neighbours whose
order depends on how '/' sorts. As root also owners, attributes of root and capabilities. What the file system has no room
for (attributes) is left out.
"""
import os
import random
import stat
import sys

ROOT = os.geteuid() == 0


class Tree:
    def __init__(self, top, seed):
        self.top = os.fsencode(top)
        self.r = random.Random(seed)

    def name(self):
        r = self.r
        kind = r.randrange(12)
        if kind < 6:
            return b"%c%d" % (r.choice(b"abcxyz"), r.randrange(30))
        if kind == 6:
            return bytes(r.choice(b"a-b.") for _ in range(r.randint(1, 4))) + b"_"
        if kind == 7:
            return bytes(b for b in (r.randrange(1, 256) for _ in range(r.randint(1, 30))) if b != 47) + b"."
        if kind == 8:
            return ("\u00e9\u0301\u4e2d\U0001f600"[r.randrange(4)] * r.randint(1, 20)).encode()
        if kind == 9:
            return b"n" * r.randint(200, 255)
        if kind == 10:
            return r.choice([b".hidden", b"-rf", b"...", b"%41", b"a=b", b"#", b"._x", b"~", b"\\", b".restoring-1-0"])
        return b"a" + r.choice([b"", b"-", b".", b"0", b"~", b"\xff", b"\x01"])

    def content(self, path):
        r = self.r
        kind = r.randrange(9)
        with open(path, "wb") as f:
            if kind == 0:
                pass
            elif kind < 4:
                f.write(r.randbytes(r.randint(1, 3000)))
            elif kind < 6:
                f.write(r.randbytes(r.choice([1, 512, 2048, 4096])) * r.randint(1, 400))
            elif kind == 6:
                f.write(r.randbytes((1 << 20) + r.randint(-2, 2)))
            elif kind == 7:
                for _ in range(r.randint(1, 20)):
                    f.seek(r.randint(0, 1 << 22))
                    f.write(r.randbytes(r.randint(1, 9000)))
                f.truncate(r.randint(0, 1 << 22))
            else:
                f.write(bytes(r.randint(1, 100000)))

    def attribute(self, path, name, value):
        try:
            os.setxattr(path, name, value)
        except OSError:
            pass  # ext4 keeps those of a file in one block

    def attributes(self, path):
        r = self.r
        for _ in range(r.choice([0, 0, 0, 1, 3])):
            self.attribute(path, b"user." + bytes(r.randrange(1, 256) for _ in range(r.randint(1, 40))),
                           r.randbytes(r.choice([0, 1, 100, 1000])))
        if ROOT and r.randrange(10) == 0:
            self.attribute(path, b"trusted.x%d" % r.randrange(9), r.randbytes(r.randint(0, 50)))
        if ROOT and r.randrange(15) == 0 and not stat.S_ISDIR(os.lstat(path).st_mode):
            self.attribute(path, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))

    def acl(self, path):
        r = self.r
        if r.randrange(8) == 0:
            entries = [(1, r.randrange(8), 0xffffffff)]
            entries += [(2, r.randrange(8), u) for u in sorted(r.sample(range(70000), r.randint(1, 5)))]
            entries += [(tag, r.randrange(8), 0xffffffff) for tag in (4, 16, 32)]
            value = (2).to_bytes(4, "little") + b"".join(
                t.to_bytes(2, "little") + p.to_bytes(2, "little") + i.to_bytes(4, "little") for t, p, i in entries)
            self.attribute(path, "system.posix_acl_access", value)
            if os.path.isdir(path) and r.randrange(2):
                self.attribute(path, "system.posix_acl_default", value)

    def times(self, path):
        r = self.r
        os.utime(path, ns=(0, r.choice([0, 1, -1, 10**18 + r.randrange(10**9), r.randrange(-10**18, 2 * 10**18)])),
                 follow_symlinks=False)

    def finish(self, path):
        """Owner, attributes, permissions: as they come last in a tree."""
        r = self.r
        if ROOT and r.randrange(3) == 0:
            os.chown(path, r.choice([0, 1, 65534, 4000000000]), r.choice([0, 5, 4294967294]), follow_symlinks=False)
        if not os.path.islink(path):
            self.attributes(path)
            mode = r.choice([0o644, 0o755, 0o600, 0o4755, 0o2711, 0o1777, r.randrange(0o10000)])
            os.chmod(path, mode if ROOT else mode & 0o1777 | 0o700)
            self.acl(path)
            if not ROOT:  # he has to be able to read it
                os.chmod(path, os.lstat(path).st_mode & 0o1777 | 0o700)

    def all(self):
        found = []
        for at, dirs, files in os.walk(self.top):
            for n in sorted(dirs) + sorted(files):
                p = os.path.join(at, n)
                found.append(p)
        return sorted(found)

    def place(self):
        dirs = [self.top] + [p for p in self.all() if os.path.isdir(p) and not os.path.islink(p)]
        at = self.r.choice(dirs)
        return os.path.join(at, self.name()) if at.count(b"/") < self.top.count(b"/") + 12 else None

    def add(self):
        r = self.r
        p = self.place()
        if p is None or os.path.lexists(p):
            return None
        kind = r.randrange(10)
        if kind < 3:
            os.mkdir(p)
        elif kind < 8:
            self.content(p)
        elif kind == 8:
            files = [f for f in self.all() if os.path.isfile(f) and not os.path.islink(f)]
            if not files:
                return None
            os.link(r.choice(files), p)
            return None
        else:
            os.symlink(r.choice([b"a", b"../b", b"/etc/passwd", b"\xff\n", b"x" * r.randint(1, 300), self.name()]), p)
        return p

    def stamp(self):
        for p in sorted(self.all(), reverse=True):
            self.times(p)

    def make(self):
        os.mkdir(self.top)
        new = [self.add() for _ in range(self.r.choice([0, 1, 5, 40, 40, 120]))]
        for p in new:
            if p is not None:
                self.finish(p)
        self.stamp()

    def change(self):
        r = self.r
        for _ in range(r.choice([0, 1, 10, 30])):
            every = self.all()
            what = r.randrange(8)
            p = r.choice(every) if every else None
            if p is None or what < 3:
                new = self.add()
                if new is not None:
                    self.finish(new)
                continue
            plain = os.path.isfile(p) and not os.path.islink(p)
            folder = os.path.isdir(p) and not os.path.islink(p)
            if what == 3 and not folder:
                os.unlink(p)
            elif what == 4 and plain:
                os.chmod(p, 0o700)
                self.content(p)
            elif what == 5:
                to = self.place()
                if to is not None and not os.path.lexists(to) and not to.startswith(p + b"/"):
                    os.rename(p, to)
            elif what == 6 and not folder:
                os.unlink(p)
                os.mkdir(p)
                os.chmod(p, 0o755)  # a default ACL may have shut out its owner
            elif what == 7:
                self.finish(p)
        if r.randrange(2):
            self.stamp()


tree = Tree(sys.argv[2], int(sys.argv[3]))
if sys.argv[1] == "make":
    tree.make()
else:
    tree.change()
