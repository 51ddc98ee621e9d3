"""Changes every object of a repository in every way, and looks at what `restore` says.

    tamper.py --restore PROGRAM --storage DIR --kit FILE --snapshot NAME --stream PATH --expected FILE
              --work DIR [--seed N] [--flips N]

For each object: flip (several random bits), truncate, empty, extend, swap with another of its kind, remove, replay
(an older object of its kind under its name). After each change
  - `restore verify --read-data` must end with exit code 9 and name the object (a swap: one of the two);
    for packs and snapshot objects also a snapshot that is hit;
  - `restore cat` of the stream must either refuse it with exit code 9, or write exactly the expected bytes (the change
    hit padding or an object it does not need). Never anything else, never another exit code.
A run under sanitizers ends with their own exit codes, which count as failures here. Prints `N passed, N failed`.
"""
import argparse
import os
import random
import shutil
import subprocess
import sys


def run(argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def objects(root):
    found = []
    for folder, _, names in os.walk(root):
        found += [os.path.relpath(os.path.join(folder, n), root) for n in names]
    return sorted(found)


def kind_of(name):
    parts = name.split("/")
    return parts[-2] if parts[0] == "w" else parts[0]


def changes(rng, root, name, others, flips):
    """(description, function that changes the copy, names that may be blamed)"""
    path = os.path.join(root, name)
    data = open(path, "rb").read()

    def write(new):
        os.unlink(path)
        with open(path, "wb") as f:
            f.write(new)

    def flipped(at):
        new = bytearray(data)
        new[at] ^= 1 << rng.randrange(8)
        return lambda: write(bytes(new))

    for at in sorted({0, 12, len(data) - 1} | {rng.randrange(len(data)) for _ in range(flips)}):
        yield "flip a bit at %d" % at, flipped(at), [name]
    yield "truncate", lambda: write(data[:rng.randrange(len(data))]), [name]
    yield "truncate by one byte", lambda: write(data[:-1]), [name]
    yield "empty", lambda: write(b""), [name]
    yield "extend by one byte", lambda: write(data + b"\0"), [name]
    yield "remove", lambda: os.unlink(path), [name]
    for other in others[:2]:
        bytes_of_other = open(os.path.join(root, other), "rb").read()

        def swap(other=other, content=bytes_of_other):
            write(content)
            os.unlink(os.path.join(root, other))
            with open(os.path.join(root, other), "wb") as f:
                f.write(data)

        yield "swap with %s" % other, swap, [name, other]
        yield "replay %s under this name" % other, lambda content=bytes_of_other: write(content), [name]


def main():
    p = argparse.ArgumentParser()
    for option in ("restore", "storage", "kit", "snapshot", "stream", "expected", "work"):
        p.add_argument("--" + option, required=True)
    p.add_argument("--state", help="marks of a station that has seen the newest records")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--flips", type=int, default=3)
    a = p.parse_args()
    rng = random.Random(a.seed)
    expected = open(a.expected, "rb").read()
    copy = os.path.join(a.work, "copy")
    state = os.path.join(a.work, "state")
    passed, failed, counts, refused = 0, 0, {}, 0
    names = objects(a.storage)
    base = [a.restore, "--storage", copy, "--kit", a.kit, "--state", state, "--quiet"]
    for name in names:
        others = [n for n in names if kind_of(n) == kind_of(name) and n != name]
        rng.shuffle(others)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(a.storage, copy)
        for text, change, blamed in changes(rng, copy, name, others, a.flips):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(a.storage, copy)
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(a.state, state)
            change()
            problems = []
            code, out, err = run(base + ["verify", "--read-data"])
            said = out.decode("utf-8", "replace") + err
            if code != 9:
                problems.append("verify exits with %d" % code)
            if not any(b in said or b.rsplit(".", 1)[0] in said for b in blamed):
                problems.append("verify does not name it")
            if kind_of(name) in ("pack", "snap") and "shop-db/" not in said and "?/" not in said:
                problems.append("verify names no snapshot")
            rcode, rout, rerr = run(base + ["cat", a.snapshot, a.stream])
            if rcode == 0 and rout != expected:
                problems.append("cat wrote something else and said ok")
            elif rcode not in (0, 9, 10):
                problems.append("cat exits with %d: %s" % (rcode, rerr[-300:]))
            refused += rcode != 0
            counts[kind_of(name)] = counts.get(kind_of(name), 0) + 1
            if problems:
                failed += 1
                print("not ok - %s: %s: %s\n    %s" % (name, text, "; ".join(problems), said[-400:].replace("\n", "\n    ")))
            else:
                passed += 1
    print("seed %d: %d objects, %d changes (%s); %d of them made the restore refuse, the others do not touch it"
          % (a.seed, len(names), passed + failed, ", ".join("%s %d" % i for i in sorted(counts.items())), refused))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


sys.exit(main())
