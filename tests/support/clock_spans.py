#!/usr/bin/python3
"""Spans of time in which the clocks of this system are worth a look: clock_spans.py SEED FIRST-YEAR YEARS SAMPLE

Prints lines "ZONE FROM TO" (seconds since 1970) for tests/tool/calendar_brute, and counts on stderr:
- YEARS whole years from FIRST-YEAR on, for each zone; zones whose clocks are the same in that time are one;
- SAMPLE whole years drawn with SEED from all zones and 1971 to 2099, so also where a file ends and its rule goes on;
- the days around each change of a clock from 1970 to 2037; what several zones did at the same time is one.
What a zone does is read from its file (RFC 8536), not asked of the C library.
"""
import bisect
import calendar
import os
import random
import struct
import sys

ROOT = "/usr/share/zoneinfo"
DAY = 86400


def zones():
    """Name and content of each zone; copies of a file are one, under the first name."""
    seen = {}
    for directory, below, names in os.walk(ROOT):
        if directory == ROOT:
            below[:] = [d for d in below if d not in ("posix", "right")]
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as f:
                data = f.read()
            if data[:4] == b"TZif":
                name = os.path.relpath(path, ROOT)
                seen[data] = min(name, seen.get(data, name))
    return sorted((name, data) for data, name in seen.items())


def changes(data):
    """Instants, the offsets before each and after the last, and the rule for what comes later."""
    def header(at):
        return struct.unpack(">6l", data[at + 20 : at + 44])
    utc, std, leap, times, types, chars = header(0)
    at = 44 + times * 5 + types * 6 + chars + leap * 8 + std + utc
    assert data[at : at + 4] == b"TZif", "a file without 64-bit times"
    utc, std, leap, times, types, chars = header(at)
    at += 44
    instants = struct.unpack(">%dq" % times, data[at : at + 8 * times])
    index = data[at + 8 * times : at + 9 * times]
    first = at + 9 * times
    offsets = [struct.unpack(">l", data[first + 6 * i : first + 6 * i + 4])[0] for i in range(types)]
    rule = data[first + 6 * types + chars + leap * 12 + std + utc :].decode().strip()
    real, told = [], [offsets[0]]
    for when, kind in zip(instants, index):
        if offsets[kind] != told[-1]:  # else only the name changed
            real.append(when)
            told.append(offsets[kind])
    return real, told, rule


def seen_between(zone, low, high):
    """All that a clock does in [low, high)."""
    real, told, rule = zone
    a, b = bisect.bisect_right(real, low), bisect.bisect_left(real, high)
    return (tuple(real[a:b]), tuple(told[a : b + 1]), rule if high > calendar.timegm((2037, 1, 1, 0, 0, 0)) else "")


def main():
    seed, first, years, sample = (int(a) for a in sys.argv[1:5])
    draw = random.Random(seed)
    known = [(name, changes(data)) for name, data in zones()]

    def year(y):
        return calendar.timegm((y, 1, 1, 0, 0, 0))

    whole = {}
    for name, zone in known:
        whole.setdefault(seen_between(zone, year(first) - 4 * DAY, year(first + years) + 4 * DAY), name)
    for name in whole.values():
        print(name, year(first), year(first + years))
    for _ in range(sample):
        name, y = draw.choice(known)[0], draw.randint(1971, 2099)
        print(name, year(y), year(y + 1))
    around = {}
    for name, zone in known:
        for when in zone[0]:
            if 7 * DAY < when < year(2038):
                around.setdefault(seen_between(zone, when - 4 * DAY, when + 4 * DAY), (name, when))
    for name, when in around.values():
        print(name, (when - 2 * DAY) // 60 * 60, (when + 2 * DAY) // 60 * 60)
    print("%d zones; %d different clocks in %d to %d; %d years of %d to %d; %d different changes of a clock" %
          (len(known), len(whole), first, first + years - 1, sample, 1971, 2099, len(around)), file=sys.stderr)


main()
