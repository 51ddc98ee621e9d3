#!/usr/bin/env python3
"""A tree of files that people work in, for the proofs of what is unusual.

    anomaly_tree.py TREE begin SEED        text, tables, pictures, a log
    anomaly_tree.py TREE night N           a usual night: a log is rotated, texts are written and changed; now and then
                                           somebody brings pictures or saves a large packed file; a report on Sundays
    anomaly_tree.py TREE encrypt           each file's contents replaced, under its name
    anomaly_tree.py TREE rewrite           each text written anew, as text
    anomaly_tree.py TREE empty             all but one file in a hundred deleted
    anomaly_tree.py TREE explode           5000 files more
"""
import os
import random
import sys

WORDS = ("the shop sells chairs tables lamps carpets and pays by card or invoice when somebody orders them in winter summer "
         "north south quick late early delivery customer agreed price list paper letter about house door garden street "
         "number of course never always with without under over red green blue wood steel glass").split()


def text(r, size):
    out = []
    n = 0
    while n < size:
        line = " ".join(r.choice(WORDS) for _ in range(12)) + " %d\n" % r.randrange(10000)
        out.append(line)
        n += len(line)
    return "".join(out).encode()


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def files(tree):
    for directory, names, leaves in os.walk(tree):
        names.sort()
        for leaf in sorted(leaves):
            yield os.path.join(directory, leaf)


def begin(tree, seed):
    r = random.Random(seed)
    for i in range(120):
        write("%s/etc/%03d.conf" % (tree, i), text(r, r.randrange(200, 2000)))
    for i in range(300):
        write("%s/letters/%03d.txt" % (tree, i), text(r, r.randrange(10000, 60000)))
    for i in range(20):
        write("%s/pictures/%03d.jpg" % (tree, i), r.randbytes(r.randrange(100000, 400000)))
    write("%s/tables/stock.xlsx" % tree, r.randbytes(400000))
    for i in range(14):
        write("%s/log/shop.log.%d" % (tree, i), text(r, r.randrange(50000, 90000)))


def night(tree, n):
    r = random.Random(n * 7919 + 17)
    sunday, saturday = n % 7 == 6, n % 7 == 5
    log = "%s/log/shop.log." % tree
    for i in range(12, -1, -1):
        os.replace(log + str(i), log + str(i + 1))
    write(log + "0", text(r, r.randrange(50000, 90000) // (3 if saturday else 1)))
    letters = sorted(os.listdir(tree + "/letters"))
    for _ in range(r.randrange(0, 2) if saturday else r.randrange(2, 9)):
        path = tree + "/letters/" + r.choice(letters)
        with open(path, "ab") as f:
            f.write(text(r, r.randrange(200, 3000)))
    for i in range(r.randrange(0, 4)):
        write("%s/letters/n%03d-%d.txt" % (tree, n, i), text(r, r.randrange(2000, 40000)))
    if r.random() < 0.12:  # somebody came back from a journey
        for i in range(r.randrange(4, 12)):
            write("%s/pictures/n%03d-%d.jpg" % (tree, n, i), r.randbytes(r.randrange(100000, 400000)))
    if r.random() < 0.15:  # a packed file is saved, which changes all of it
        write(tree + "/tables/stock.xlsx", r.randbytes(400000 + 100 * n))
    report = tree + "/tables/report.csv"
    if sunday:
        write(report, text(r, 900000))
    elif os.path.exists(report):
        os.unlink(report)


def encrypt(tree):
    r = random.Random(4711)
    for path in list(files(tree)):
        write(path, r.randbytes(os.path.getsize(path) + 32))


def rewrite(tree):
    r = random.Random(4712)
    for path in list(files(tree)):
        if not path.endswith(".jpg") and not path.endswith(".xlsx"):
            write(path, text(r, os.path.getsize(path)))


def empty(tree):
    for i, path in enumerate(list(files(tree))):
        if i % 100 != 0:
            os.unlink(path)


def explode(tree):
    r = random.Random(4713)
    for i in range(5000):
        write("%s/spool/%05d" % (tree, i), text(r, 8000))


def main():
    tree, verb = sys.argv[1], sys.argv[2]
    if verb in ("begin", "night"):
        globals()[verb](tree, int(sys.argv[3]))
    else:
        globals()[verb](tree)


main()
