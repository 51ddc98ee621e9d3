"""Every negative of the golden repository, as the emergency reader sees it: emergency_negatives.py READER GOLDEN WORK

Writes WORK/result-NAME ("verb|names it told|exit status") and WORK/log-NAME for each. The reader is loaded once; each of
its runs is a process of its own, forked from here, as starting Python some hundred times takes longer than all they do.
"""
import importlib.util
import os
import shutil
import sys
import traceback

sys.dont_write_bytecode = True
from golden_copy import Copy

reader_path, GOLDEN, WORK = sys.argv[1:4]
specification = importlib.util.spec_from_file_location("reader", reader_path)
er = importlib.util.module_from_spec(specification)
specification.loader.exec_module(er)

AT_ONCE = 2
LATE = 1768111680 + 10 * 86400
with open(os.path.join(GOLDEN, "keys", "root.pub"), encoding="ascii") as file:
    ROOT = file.read().strip()


def reader(log, *arguments):
    """The exit status of one run; what it prints is appended to log (None: to nowhere)."""
    pid = os.fork()
    if pid == 0:
        out = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        try:
            status = er.main(list(arguments))
        except SystemExit as end:
            status = end.code
        except BaseException as error:  # as Python itself would end
            print("%s: %s" % (type(error).__name__, error), file=sys.stderr)
            status = 1
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(0 if status is None else int(status))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def change(negative, copy):
    with open(os.path.join(negative, "change"), encoding="utf-8") as lines:
        for line in lines:
            verb, path, *rest = line.split()
            copy.touch(path)
            path = os.path.join(copy.root, path)
            if verb == "set":
                with open(path, "r+b") as file:
                    file.seek(int(rest[0]))
                    file.write(bytes.fromhex(rest[1]))
            elif verb == "cut":
                os.truncate(path, int(rest[0]))
            elif verb == "put":
                shutil.copyfile(os.path.join(negative, rest[0]), path)
            elif verb == "copy":
                copy.touch(rest[0])
                shutil.copyfile(path, os.path.join(copy.root, rest[0]))
            elif verb == "remove":
                os.remove(path)
            else:
                sys.exit("unknown change " + verb)


def run(verb, copy, log):
    keys = os.path.join(copy, "keys")
    kit = os.path.join(keys, "kit.key")
    repo = ("--repo", os.path.join(copy, "repo"), "--kit", kit)
    if verb in ("L0", "L1"):
        return reader(log, "check", "--level", verb, "--repo", repo[1], "--root", ROOT)
    if verb in ("L2", "LK", "L3"):
        return reader(log, "check", "--level", verb, *repo)
    if verb == "restore":
        return reader(log, "extract", "--all", "--to", os.path.join(copy, "out"), *repo)
    if verb == "alone":
        return reader(log, "extract", "--all", "--to", os.path.join(copy, "out"), *repo, "--members-only",
                      "--member", os.path.join(keys, "member-1.key"))
    if verb == "marks":
        marks = os.path.join(copy, "marks")
        reader(None, "records", "--repo", os.path.join(GOLDEN, "repo"), "--kit", os.path.join(GOLDEN, "keys", "kit.key"),
               "--marks", marks)
        return reader(log, "records", "--marks", marks, *repo)
    if verb == "late":
        return reader(log, "records", "--now", str(LATE), *repo)
    if verb == "key":
        first = reader(log, "key", "--kit", kit)
        return reader(log, "key", "--kit", os.path.join(keys, "kit.txt")) or first
    sys.exit("unknown verb " + verb)


def told(log):
    names = set()
    with open(log, "rb") as lines:
        for line in lines.read().decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] in ("alarm", "note"):
                names.add(words[1] if words[0] == "alarm" else "note:" + words[1])
    return " ".join(sorted(names))


def one(name, copy):
    negative = os.path.join(GOLDEN, "negatives", name)
    log = os.path.join(WORK, "log-" + name)
    change(negative, copy)
    with open(os.path.join(negative, "expect"), encoding="utf-8") as file:
        verb = file.read().split()[0]
    status = run(verb, copy.root, log)
    with open(os.path.join(WORK, "result-" + name), "w", encoding="utf-8") as file:
        print("%s|%s|%d" % (verb, told(log), status), file=file)
    copy.reset("out", "marks")


def some(number):
    """Every so-manieth of the negatives, in a copy of its own."""
    copy = Copy(GOLDEN, os.path.join(WORK, "negatives-%d" % number), ("repo", "keys"))
    for name in sorted(os.listdir(os.path.join(GOLDEN, "negatives")))[number::AT_ONCE]:
        one(name, copy)


children = []
for number in range(AT_ONCE):
    pid = os.fork()
    if pid == 0:
        try:
            some(number)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(pid)
failed = [pid for pid in children if os.waitpid(pid, 0)[1] != 0]
sys.exit(1 if failed else 0)
