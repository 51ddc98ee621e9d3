#!/usr/bin/env python3
"""Prints what a directory tree is, one line a member, for comparing a source with what was restored.

    tree_list.py DIR [--no-owner] [--no-links]

Everything comes from system calls of Python's own: type, mode, owner, modification time in nanoseconds, size and SHA-256,
link targets, which names are one file, extended attributes and ACLs (as attributes). Fifos, sockets and devices are left
out. The directory itself is no member. Works through descriptors, so paths may be longer than PATH_MAX.
"""
import hashlib
import os
import stat
import sys

ATTRIBUTES = ("user.", "trusted.", "security.capability", "system.posix_acl_")


def content(name, dir_fd):
    """Data only: the zeros of a hole are not read, but its place counts."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=dir_fd)
    total = hashlib.sha256()
    try:
        size = os.fstat(fd).st_size
        at = 0
        zeros = 0
        while at < size:
            try:
                data = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                data = size
            zeros += data - at
            os.lseek(fd, data, os.SEEK_SET)
            at = data
            hole = os.lseek(fd, at, os.SEEK_HOLE) if at < size else size
            os.lseek(fd, at, os.SEEK_SET)
            while at < hole:
                block = os.read(fd, min(1 << 20, hole - at))
                # Blocks of zeros count as holes: a file system may keep either.
                for i in range(0, len(block), 4096):
                    piece = block[i:i + 4096]
                    if piece.count(0) != len(piece):
                        total.update(b"%d:" % (at + i) + piece)
                at += len(block)
        return total.hexdigest(), zeros
    finally:
        os.close(fd)


def attributes(name, dir_fd):
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=dir_fd)
    try:
        names = sorted(n for n in os.listxattr(fd) if n.startswith(ATTRIBUTES))
        return [(n, os.getxattr(fd, n).hex()) for n in names]
    finally:
        os.close(fd)


def main():
    root = sys.argv[1]
    owner = "--no-owner" not in sys.argv
    links = "--no-links" not in sys.argv
    first = {}
    lines = []

    def member(path, name, dir_fd):
        st = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        kind = stat.S_IFMT(st.st_mode)
        line = [repr(path), oct(stat.S_IMODE(st.st_mode)) if kind != stat.S_IFLNK else "-", str(st.st_mtime_ns)]
        if owner:
            line += [str(st.st_uid), str(st.st_gid)]
        if kind == stat.S_IFREG:
            digest, _ = content(name, dir_fd)
            line += ["file", str(st.st_size), digest, repr(attributes(name, dir_fd))]
            if links and st.st_nlink > 1:
                line.append("same as " + repr(first.setdefault(st.st_ino, path)))
        elif kind == stat.S_IFDIR:
            line += ["directory", repr(attributes(name, dir_fd))]
        elif kind == stat.S_IFLNK:
            line += ["link", repr(os.readlink(name, dir_fd=dir_fd))]
        else:
            return None
        lines.append((path, " ".join(line)))
        return kind

    def walk(fd, prefix):
        for name in sorted(os.listdir(fd)):
            name = os.fsencode(name)
            path = prefix + name
            if member(path, name, fd) == stat.S_IFDIR:
                child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                try:
                    walk(child, path + b"/")
                finally:
                    os.close(child)

    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    walk(fd, b"")
    for _, line in sorted(lines):
        print(line)


main()
