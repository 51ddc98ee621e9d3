#!/usr/bin/env python3
"""Asks the policy (tests/tool/policy_decide.c) and compares with what it should say.

    policy_oracle.py TOOL tables             cases written by hand
    policy_oracle.py TOOL random SEED N      N random cases against the oracle below, made from the words of
                                             common/repo/policy.h alone, slow and simple
    policy_oracle.py TOOL poison SEED DAYS   what an intruder with a writer's key can push out: nothing
"""
import random
import subprocess
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

DAY = 86400
HOUR = 3600
RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly", "within", "min", "erase_after", "max_share",
         "max_new", "proven", "tags")


def rules(**given):
    r = dict.fromkeys(RULES, 0)
    r.update(min=3, max_share=20, tags=())
    r.update(given)
    return r


class Snap:
    def __init__(self, writer, seq, label, first_seen, seen_after, flags="", tags=(), cadence=24, rules_of=None):
        self.writer, self.seq, self.label = writer, seq, label
        self.first_seen, self.seen_after = first_seen, seen_after
        self.flags, self.tags, self.cadence, self.rules = flags, tuple(tags), cadence, rules_of

    def has(self, flag):
        return flag in self.flags


class Case:
    def __init__(self, now, last_run=0, min_keep=0, zone="UTC", stopped=False):
        self.now, self.last_run, self.min_keep, self.zone, self.stopped = now, last_run, min_keep, zone, stopped
        self.snaps = []

    def text(self):
        out = [f"case {self.now} {self.last_run} {self.min_keep} {self.zone} {int(self.stopped)}"]
        last = None
        for s in self.snaps:
            if s.rules is not last:
                words = [str(s.rules[k]) for k in RULES[:-1]] + [",".join(s.rules["tags"]) or "-"]
                out.append("rules " + " ".join(words))
                last = s.rules
            out.append(f"snap {s.writer} {s.seq} {s.label or '-'} {s.first_seen} {s.seen_after} {s.cadence} "
                       f"{s.flags or '-'} {','.join(s.tags) or '-'}")
        out.append("end")
        return "\n".join(out) + "\n"


class Tool:
    def __init__(self, path):
        self.p = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1 << 20)

    def ask(self, case):
        """[(expire, set of rules, early, reason)], {(alarm, writer, label): count}"""
        self.p.stdin.write(case.text())
        self.p.stdin.flush()
        got, alarms = [], {}
        for line in self.p.stdout:
            words = line.rstrip("\n").split(" ", 4)
            if words[0] == "end":
                return got, alarms
            if words[0] == "alarm":
                alarms[(words[1], int(words[2]), words[3])] = int(words[4])
            else:
                got.append((words[1] == "expire", set(words[3].split(",")), words[2] == "early", words[4]))
        raise SystemExit("policy_decide ended: " + case.text()[:2000])


# ---- the oracle -----------------------------------------------------------------------------------------------

def moment(t, zone):
    return datetime.fromtimestamp(t, timezone.utc).astimezone(ZoneInfo(zone))


def bucket(rule, t, zone):
    m = moment(t, zone)
    if rule == "hourly":
        return (t + int(m.utcoffset().total_seconds()) % HOUR) // HOUR
    if rule == "daily":
        return (m.year, m.month, m.day)
    if rule == "weekly":
        return tuple(m.isocalendar()[:2])
    if rule == "monthly":
        return (m.year, m.month)
    return m.year


def place(case, group, s):
    t = s.first_seen or case.now
    before = s.seen_after if s.first_seen else case.last_run
    together = sorted(x.seq for x in group if (x.first_seen or case.now, x.seen_after if x.first_seen else
                                               case.last_run) == (t, before))
    k, m = together.index(s.seq) + 1, len(together)
    if before == 0:
        late = s.cadence or 24
        return max(0, t - (m - k) * (late // 24 * 24 if late >= 24 else late) * HOUR)
    if t - before < (2 * HOUR if s.rules["hourly"] else 36 * HOUR):
        return t
    return before + (t - before) * k // m


def usual(r):
    return r["max_new"] or (30 if r["hourly"] else 6)


def good(s):
    return not (s.has("i") or s.has("a"))


def decide_group(case, group, at, unusual, stopped):
    """{snap: (expire, rules)}, alarms of a group"""
    r, now = group[0].rules, case.now
    counted = [s for s in group if s not in unusual]
    late = [s for s in group if r["erase_after"] and s.first_seen and now - s.first_seen > r["erase_after"]]
    spared = []
    base = counted or group
    spared.append(max(base, key=lambda s: s.seq))
    if [s for s in counted if good(s)]:
        spared.append(max((s for s in counted if good(s)), key=lambda s: s.seq))
    spared += [s for s in group if s.has("n")]
    spared = [s for s in spared if not s.has("r")]
    due = [s for s in late if not s.has("h") and s not in spared]
    keep = defaultdict(set)
    alarms = {}
    if [s for s in late if s.has("h")]:
        alarms["held"] = len([s for s in late if s.has("h")])
    overdue = [s for s in late if not s.has("h") and s in spared]
    if overdue:
        alarms["overdue"] = len(overdue)
    for s in overdue:
        keep[s].add("newest")
    has_keep = any(r[k] for k in ("last", "hourly", "daily", "weekly", "monthly", "yearly", "within"))
    for s in group:
        if s.first_seen == 0:
            keep[s].add("new")
        if s.has("h"):
            keep[s].add("hold")
        if s in due:
            continue
        if s.has("n"):
            keep[s].add("newest")
        if s.first_seen and now - s.first_seen < case.min_keep * DAY:
            keep[s].add("min-keep")
        newer = [x for x in group if x.has("p") and x.seq > s.seq and x not in due]
        if s.has("p") and len(newer) < max(1, r["proven"]):
            keep[s].add("proven")
        if s in unusual:
            keep[s].add("max_new")
        elif not has_keep:
            keep[s].add("no-rules")
        if set(r["tags"]) & set(s.tags):
            keep[s].add("tags")
        if r["within"] and now - at[s] <= r["within"]:
            keep[s].add("within")
    for chosen in ([s for s in counted if s not in due and good(s)], [s for s in counted if s not in due]):
        newest_first = sorted(chosen, key=lambda s: -s.seq)
        for name, count in (("newest", 1), ("min", r["min"]), ("last", r["last"])):
            for s in newest_first[:count]:
                keep[s].add(name)
        for name in ("hourly", "daily", "weekly", "monthly", "yearly"):
            buckets = sorted({bucket(name, at[s], case.zone) for s in chosen})
            for b in buckets[len(buckets) - min(r[name], len(buckets)):]:
                inside = [s for s in chosen if bucket(name, at[s], case.zone) == b]
                reached = r["erase_after"] and b <= bucket(name, now - r["erase_after"], case.zone)
                for s in inside if reached else [min(inside, key=lambda s: s.seq)]:
                    keep[s].add(name)
    left = {True: max(1, len(unusual) * r["max_share"] // 100), False: max(1, len(counted) * r["max_share"] // 100)}
    verdict, waiting = {}, 0
    for s in [s for s in group if s in due] + [s for s in group if s not in due]:
        if keep[s]:
            verdict[s] = (False, keep[s])
        elif case.stopped or (stopped and s not in due):
            verdict[s] = (False, {"stopped"})
        elif left[s in unusual] == 0:
            verdict[s] = (False, {"max_share"})
        else:
            left[s in unusual] -= 1
            verdict[s] = (True, {"erase_after" if s in due else "unneeded"})
        waiting += s in due and not verdict[s][0]
    if waiting:
        alarms["share"] = waiting
    return verdict, alarms


def oracle(case):
    groups, out, alarms = defaultdict(list), {}, {}
    bad = 0
    for s in case.snaps:
        if s.has("e"):
            out[s] = (False, {"expired"})
        elif s.has("u") or s.label is None:
            out[s] = (False, {"hold" if s.has("h") else "unreadable"})
            bad += 1
        else:
            groups[(s.writer, s.label)].append(s)
    if bad:
        alarms[("unreadable", 0, "-")] = bad
    at, unusual, stopped = {}, {}, set()
    for key, group in groups.items():
        group.sort(key=lambda s: s.seq)
        for s in group:
            at[s] = place(case, group, s)
        day = [s for s in group if (s.seen_after if s.first_seen else case.last_run)]
        strange = set()
        for s in day:
            window = [x for x in day if x.seq <= s.seq and at[s] - at[x] < 18 * HOUR]
            if len(window) > usual(group[0].rules):
                strange |= set(window)
        unusual[key] = strange
        fresh = len([s for s in strange if s.first_seen == 0])
        if fresh:
            stopped.add(key[0])
            alarms[("unusual",) + key] = fresh
        if len(strange) > fresh:
            alarms[("unsorted",) + key] = len(strange) - fresh
    for key, group in groups.items():
        verdict, raised = decide_group(case, group, at, unusual[key], key[0] in stopped)
        out.update(verdict)
        alarms.update({(name,) + key: n for name, n in raised.items()})
    return out, alarms


# ---- random cases ---------------------------------------------------------------------------------------------

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Auckland")


def random_rules(rng):
    def some(limit, chance=0.5):
        return rng.randint(1, limit) if rng.random() < chance else 0
    return rules(last=some(6), hourly=some(30, 0.25), daily=some(12), weekly=some(8), monthly=some(14),
                 yearly=some(4), within=some(40 * DAY, 0.3), min=rng.randint(1, 4),
                 erase_after=some(400 * DAY, 0.3), max_share=rng.choice((1, 5, 20, 50, 100)),
                 max_new=some(6, 0.3), proven=some(5, 0.3), tags=("keep",) if rng.random() < 0.2 else ())


def random_case(rng):
    zone = rng.choice(ZONES)
    start = 1700000000 + rng.randint(0, 900) * DAY
    step = rng.choice((HOUR, 6 * HOUR, DAY, DAY, DAY, 3 * DAY, 40 * DAY))
    runs = [start]
    for _ in range(rng.randint(0, 40)):
        runs.append(runs[-1] + step + rng.randint(-step // 8, step // 8) + (rng.random() < 0.05) * 20 * DAY)
    case = Case(runs[-1] + rng.choice((0, rng.randint(1, 2 * DAY))), runs[-1], rng.choice((0, 0, 2, 14)), zone,
                rng.random() < 0.05)
    if rng.random() < 0.05:
        runs, case.last_run = [], 0
    for writer in range(rng.randint(1, 3)):
        labels = [("a", random_rules(rng)), ("b", random_rules(rng))][:rng.randint(1, 2)]
        retired, seq, mine = rng.random() < 0.15, 0, []
        cadence = rng.choice((0, 1, 24, 36, 180))
        for i in range(len(runs) + 1):
            t, before = (runs[i], runs[i - 1] if i else 0) if i < len(runs) else (0, 0)
            for _ in range(rng.choice((0, 1, 1, 1, 2, 3)) + (rng.random() < 0.03) * 12):
                seq += 1
                label, r = rng.choice(labels)
                flags = "".join(f for f, chance in (("h", .03), ("e", .05), ("i", .1), ("a", .03), ("p", .1),
                                                    ("u", .02)) if rng.random() < chance) + "r" * retired
                tags = ["keep"] if rng.random() < 0.1 else ["nightly"] if rng.random() < 0.2 else []
                mine.append(Snap(writer + 1, seq, label, t, before, flags, tags, cadence, r))
        if mine:
            mine[-1].flags = mine[-1].flags.replace("e", "") + "n"
        case.snaps += mine
    rng.shuffle(case.snaps)
    return case


def test_random(tool, seed, n):
    rng = random.Random(seed)
    judged = gone = 0
    for i in range(n):
        case = random_case(rng)
        want, want_alarms = oracle(case)
        got, got_alarms = tool.ask(case)
        for s, (expire, why, _, reason) in zip(case.snaps, got):
            judged += 1
            gone += expire
            if (expire, why) != want[s] or reason == "":
                raise SystemExit(f"case {i} of seed {seed}: writer {s.writer} seq {s.seq} {s.label}: oracle "
                                 f"{want[s]}, policy {(expire, why)} '{reason}'\n{case.text()}")
        if want_alarms != got_alarms:
            raise SystemExit(f"case {i} of seed {seed}: alarms {want_alarms} != {got_alarms}\n{case.text()}")
    print(f"seed {seed}: {n} cases, {judged} snapshots judged as the oracle does, {gone} of them expire")


# ---- cases by hand --------------------------------------------------------------------------------------------

def utc(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def nightly(case, first, last, hour=2, label="shop", writer=1, r=None, flags=None, seq=0):
    """One snapshot a night, seen by a run an hour later; flags: {date: flags}."""
    day, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
    before = utc(first) - DAY + (hour + 1) * HOUR
    while day <= end:
        date = day.date().isoformat()
        t = utc(date) + (hour + 1) * HOUR
        seq += 1
        if (flags or {}).get(date) != "gap":
            case.snaps.append(Snap(writer, seq, label, t, before, (flags or {}).get(date, ""), (), 24, r))
        before = t
        day += timedelta(days=1)
    case.last_run = max(case.last_run, before)
    return seq


def kept(tool, case):
    got, alarms = tool.ask(case)
    return {(s.label, moment(s.first_seen, "UTC").date().isoformat())
            for s, v in zip(case.snaps, got) if not v[0]}, alarms, got


class Tables:
    def __init__(self, tool):
        self.tool, self.failed, self.n = tool, 0, 0

    def expect(self, name, got, want):
        self.n += 1
        if got != want:
            self.failed += 1
            print(f"not ok - {name}: got {got}, expected {want}")

    def run(self):
        all_at_once = dict(max_share=100, min=1)

        case = Case(utc("2027-01-05T12:00"))
        nightly(case, "2026-10-01", "2027-01-05", r=rules(daily=3, weekly=3, monthly=3, yearly=2, **all_at_once))
        dates, alarms, got = kept(self.tool, case)
        self.expect("GFS over the end of a year", {d for _, d in dates},
                    {"2027-01-05", "2027-01-04", "2027-01-03",      # days
                     "2026-12-28", "2026-12-21",                    # weeks 53 and 52, Mondays; 2027-W01 is the 4th
                     "2027-01-01", "2026-12-01", "2026-11-01",      # months
                     "2026-10-01"})                                 # the first of 2026; 2027 is the 1st of January
        reasons = {moment(s.first_seen, "UTC").date().isoformat(): v[3] for s, v in zip(case.snaps, got)}
        self.expect("the reason names week and day", reasons["2027-01-04"], "daily 2027-01-04, weekly 2027-W01")
        self.expect("week 53", reasons["2026-12-28"], "weekly 2026-W53")
        self.expect("month and year", reasons["2027-01-01"], "monthly 2027-01, yearly 2027")
        self.expect("why it goes", reasons["2026-12-30"], "no rule keeps it")
        self.expect("no alarm", alarms, {})

        case = Case(utc("2024-03-02T12:00"))
        nightly(case, "2024-02-20", "2024-03-02", r=rules(monthly=2, daily=3, **all_at_once))
        self.expect("29 February", {d for _, d in kept(self.tool, case)[0]},
                    {"2024-02-20", "2024-02-29", "2024-03-01", "2024-03-02"})

        gaps = {f"2026-06-{d:02}": "gap" for d in (3, 4, 5, 8, 9)}
        case = Case(utc("2026-06-10T12:00"))
        nightly(case, "2026-06-01", "2026-06-10", r=rules(daily=4, **all_at_once), flags=gaps)
        self.expect("days without a snapshot do not count", {d for _, d in kept(self.tool, case)[0]},
                    {"2026-06-10", "2026-06-07", "2026-06-06", "2026-06-02"})

        case = Case(utc("2026-06-10T12:00"))
        nightly(case, "2026-06-01", "2026-06-10", r=rules(last=2, **all_at_once))
        nightly(case, "2026-06-01", "2026-06-10", r=rules(last=1, **all_at_once), label="blog", writer=2)
        nightly(case, "2026-06-01", "2026-06-03", r=rules(last=1, **all_at_once), label="old", writer=2, seq=20)
        self.expect("jobs have rules of their own", kept(self.tool, case)[0],
                    {("shop", "2026-06-10"), ("shop", "2026-06-09"), ("blog", "2026-06-10"), ("old", "2026-06-03")})

        # The last Sunday of October 2026: 02:30 comes twice in Berlin.
        r = rules(hourly=100, max_new=100, **all_at_once)
        case = Case(utc("2026-10-25T05:10"), utc("2026-10-25T05:00"), zone="Europe/Berlin")
        for i, t in enumerate(("2026-10-24T23:10", "2026-10-24T23:50", "2026-10-25T00:10", "2026-10-25T00:50",
                               "2026-10-25T01:10", "2026-10-25T01:50", "2026-10-25T02:10")):
            case.snaps.append(Snap(1, i + 1, "shop", utc(t), utc(t) - 1200, "", (), 1, r))
        got = self.tool.ask(case)[0]
        self.expect("the hour that comes twice is two", [not v[0] for v in got],
                    [True, False, True, False, True, False, True])
        self.expect("hours by the clock on the wall", [v[3].split(",")[0] for v in got if not v[0]],
                    ["hourly 2026-10-25 01:00", "hourly 2026-10-25 02:00", "hourly 2026-10-25 02:00",
                     "the newest"])

        # 22:30 and 23:30 UTC are two days in Berlin in winter, and one in summer.
        for date, want in (("2026-01-10", [False, True, True]), ("2026-07-10", [False, True, False])):
            r = rules(daily=2, **all_at_once)
            case = Case(utc(date + "T23:59"), utc(date + "T23:50"), zone="Europe/Berlin")
            for i, t in enumerate((utc(date) - 5 * DAY, utc(date + "T22:30"), utc(date + "T23:30"))):
                case.snaps.append(Snap(1, i + 1, "shop", t, t - DAY, "", (), 24, r))
            got = self.tool.ask(case)[0]
            daily = [("daily" in v[1]) for v in got]
            self.expect("midnight of the zone " + date, daily,
                        [False, True, True] if date == "2026-01-10" else [True, True, False])

        case = Case(utc("2026-06-30T12:00"))
        nightly(case, "2026-06-01", "2026-06-30", r=rules(last=1, erase_after=10 * DAY, **all_at_once),
                flags={"2026-06-03": "h", "2026-06-25": "h"})
        dates, alarms, _ = kept(self.tool, case)
        self.expect("a hold is above all", {d for _, d in dates}, {"2026-06-03", "2026-06-25", "2026-06-30"})
        self.expect("a hold beyond erase_after is told", alarms, {("held", 1, "shop"): 1})

        case = Case(utc("2026-06-30T12:00"), min_keep=14)
        nightly(case, "2026-06-01", "2026-06-30", r=rules(last=1, erase_after=10 * DAY, **all_at_once))
        _, _, got = kept(self.tool, case)
        by_day = {moment(s.first_seen, "UTC").day: v for s, v in zip(case.snaps, got)}
        self.expect("min-keep yields to erase_after, with a note", (by_day[19][0], by_day[19][2]), (True, True))
        self.expect("min-keep keeps", (by_day[21][0], by_day[21][1]), (False, {"min-keep"}))
        self.expect("beyond min-keep no note is needed", (by_day[5][0], by_day[5][2]), (True, False))

        case = Case(utc("2026-09-30T12:00"))
        nightly(case, "2026-06-01", "2026-06-05", r=rules(last=1, erase_after=30 * DAY, **all_at_once))
        case.snaps[-1].flags = "n"
        dates, alarms, _ = kept(self.tool, case)
        self.expect("the newest outlives erase_after", {d for _, d in dates}, {"2026-06-05"})
        self.expect("and that is an alarm", alarms, {("overdue", 1, "shop"): 1})
        for s in case.snaps:
            s.flags += "r"
        self.expect("until its writer is retired", kept(self.tool, case)[0], set())

        case = Case(utc("2026-06-10T12:00"))
        nightly(case, "2026-06-01", "2026-06-10", r=rules(daily=2, min=2, max_share=100),
                flags={"2026-06-10": "i", "2026-06-09": "i", "2026-06-08": "a"})
        self.expect("bad nights push out no good ones", {d for _, d in kept(self.tool, case)[0]},
                    {"2026-06-10", "2026-06-09", "2026-06-07", "2026-06-06"})

        case = Case(utc("2026-06-10T12:00"))
        nightly(case, "2026-06-01", "2026-06-10", r=rules(daily=1, min=4, max_share=100))
        self.expect("the floor", {d for _, d in kept(self.tool, case)[0]},
                    {"2026-06-10", "2026-06-09", "2026-06-08", "2026-06-07"})

        case = Case(utc("2026-06-10T12:00"))
        nightly(case, "2026-06-01", "2026-06-10", r=rules(last=1, tags=("monthly", "audit"), **all_at_once))
        case.snaps[2].tags = ("audit", "x")
        case.snaps[3].tags = ("aud",)
        self.expect("tags", {d for _, d in kept(self.tool, case)[0]}, {"2026-06-03", "2026-06-10"})

        case = Case(utc("2026-06-10T12:00"))
        nightly(case, "2026-06-01", "2026-06-10", r=rules(within=3 * DAY, **all_at_once))
        self.expect("within", {d for _, d in kept(self.tool, case)[0]}, {"2026-06-08", "2026-06-09", "2026-06-10"})

        case = Case(utc("2026-06-10T12:00"))
        nightly(case, "2026-06-01", "2026-06-10", r=rules(last=1, min=1, max_share=20))
        dates, _, got = kept(self.tool, case)
        self.expect("at most a share in a run, the oldest first", sorted(set(range(1, 11)) - {int(d[8:]) for _, d in dates}),
                    [1, 2])
        self.expect("and it says so", got[5][3], "would go, but in a later run: at most 20 % at once")

        case = Case(utc("2026-06-10T12:00"), stopped=True)
        nightly(case, "2026-06-01", "2026-06-10", r=rules(last=1, **all_at_once))
        self.expect("stopped", len(kept(self.tool, case)[0]), 10)

        case = Case(utc("2026-06-10T12:00"))
        nightly(case, "2026-06-01", "2026-06-10", r=rules())
        self.expect("without rules everything stays", len(kept(self.tool, case)[0]), 10)

        # The retention host was away for six days and meets six nights at once.
        r = rules(daily=30, **all_at_once)
        case = Case(utc("2026-06-10T12:00"))
        seq = nightly(case, "2026-06-01", "2026-06-04", r=r)
        for i in range(6):
            case.snaps.append(Snap(1, seq + 1 + i, "shop", utc("2026-06-10T03:00"), utc("2026-06-04T03:00"), "", (),
                                   24, r))
        case.last_run = utc("2026-06-10T03:00")
        self.expect("nights that were met together are nights", [v[0] for v in self.tool.ask(case)[0]], [False] * 10)

        # A repository that had no retention for 100 nights: its first run sees them all.
        r = rules(daily=7, monthly=12, **all_at_once)
        case = Case(utc("2026-06-11T03:00"), utc("2026-06-10T03:00"))
        for i in range(100):
            case.snaps.append(Snap(1, 1 + i, "shop", utc("2026-06-10T03:00"), 0, "", (), 24, r))
        got, alarms = self.tool.ask(case)
        self.expect("the first run of all spreads by the cadence", sum(not v[0] for v in got), 7 + 4)
        self.expect("and is nothing unusual", alarms, {})

        print(f"{self.n} of {self.n} tables" if not self.failed else f"{self.failed} of {self.n} tables failed")
        return self.failed


# ---- poisoning ------------------------------------------------------------------------------------------------

def poison_world(tool, r, days, plan, min_keep):
    """{day: set of good nights that are there after it}, alarms seen; plan: {day: (before, after)} fakes published
    before and after the good snapshot of the day."""
    start = utc("2026-01-15T03:00")
    live, there, alarms, seq = [], {}, set(), 0
    for day in range(days):
        now, before = start + day * DAY, start + (day - 1) * DAY if day else 0
        fakes = plan.get(day, (0, 0))
        new = [None] * fakes[0] + [day] + [None] * fakes[1]
        for which in new:
            seq += 1
            s = Snap(1, seq, "shop", 0, 0, "", (), 24, r)
            s.night = which
            live.append(s)
        case = Case(now, before, min_keep)
        case.snaps = live
        for s in live:
            s.flags = "n" if s.seq == seq else ""
        got, raised = tool.ask(case)
        alarms |= {(a[0], day) for a in raised}
        live = [s for s, v in zip(live, got) if not v[0]]
        for s in live:
            if s.first_seen == 0:
                s.first_seen, s.seen_after = now, before
        there[day] = {s.night for s in live if s.night is not None}
    return there, alarms


def test_poison(tool, seed, days, fakes=1000):
    rng = random.Random(seed)
    r = rules(last=7, daily=14, weekly=8, monthly=12, yearly=3, erase_after=rng.choice((0, 500 * DAY)), min=3)
    min_keep = rng.choice((0, 7))
    plans = {"all in one day": {}, "over fifty days": {}}
    day = rng.randint(5, days // 3)
    before = rng.randint(0, fakes)
    plans["all in one day"] = {day: (before, fakes - before)}
    for i in range(50):
        some = rng.randint(0, fakes // 50)
        plans["over fifty days"][day + i] = (some, fakes // 50 - some)
    clean, none = poison_world(tool, r, days, {}, min_keep)
    if none:
        raise SystemExit(f"seed {seed}: alarms without an intruder: {sorted(none)[:5]}")
    for name, plan in plans.items():
        there, alarms = poison_world(tool, r, days, plan, min_keep)
        for d in range(days):
            if not clean[d] <= there[d]:
                raise SystemExit(f"seed {seed}, {name}: on day {d} the nights {sorted(clean[d] - there[d])} are gone")
        for d in plan:
            if ("unusual", d) not in alarms:
                raise SystemExit(f"seed {seed}, {name}: no alarm on day {d}")
        print(f"seed {seed}: {fakes} fakes {name} from day {day}: {days} days, nothing pushed out, "
              f"{len({d for a, d in alarms if a == 'unusual'})} days with the alarm; "
              f"{len(clean[days - 1])} nights at the end, {len(there[days - 1])} with the intruder")


def main():
    tool, what, args = Tool(sys.argv[1]), sys.argv[2], [int(a) for a in sys.argv[3:]]
    if what == "tables":
        sys.exit(1 if Tables(tool).run() else 0)
    if what == "random":
        test_random(tool, *args)
    elif what == "poison":
        test_poison(tool, *args)


main()
