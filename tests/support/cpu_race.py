"""User and system seconds of several commands and the children they wait for, in turns:

    cpu_race.py ROUNDS NAME SINK COMMAND... [-- NAME SINK COMMAND...]...

SINK is null (/dev/null) or pipe (read and dropped by this program, which is not counted). A line "NAME MEDIAN LEAST" each.
"""
import os
import statistics
import subprocess
import sys


def used(sink, command):
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE if sink == "pipe" else subprocess.DEVNULL)
    if sink == "pipe":
        while os.read(child.stdout.fileno(), 1 << 16):
            pass
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit("failed: " + " ".join(command))
    return usage.ru_utime + usage.ru_stime


racers, words = [], []
for word in sys.argv[2:] + ["--"]:
    if word != "--":
        words.append(word)
        continue
    racers.append((words[0], words[1], words[2:], []))
    words = []
for _ in range(int(sys.argv[1])):
    for name, sink, command, times in racers:
        times.append(used(sink, command))
for name, sink, command, times in racers:
    print(f"{name} {statistics.median(times):.3f} {min(times):.3f}")
