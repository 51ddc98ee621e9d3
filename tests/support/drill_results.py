#!/usr/bin/env python3
"""Made-up results of drills, as files that tests/tool/drill_keep takes: drill_results.py DIR KEY=VALUE ...

  n=1             so many, a day apart, the last one ends at `end`
  end=SECONDS     default: now
  job=shop-pg  snapshot=shop-pg/42  record=HEX  writer=HEX  engine=postgres
  fail=I,J        the I-th and J-th (from 0) failed;  unable=I,J: could not run
  tables=20       checks of tables;  sample=0: names of a sample;  masked=0: masked columns
Prints the paths, one a line, the oldest first.
"""
import json
import random
import sys
import time

out = sys.argv[1]
o = dict(n="1", end=str(int(time.time())), job="shop-pg", snapshot="shop-pg/42", record="0" * 64, writer="0" * 16,
         engine="postgres", fail="", unable="", tables="20", sample="0", masked="0", server="PostgreSQL 15.20", age="21600",
         target="900")
o.update(a.split("=", 1) for a in sys.argv[2:])
end, n = int(o["end"]), int(o["n"])
rng = random.Random(7)


def listed(name):
    return {int(x) for x in o[name].split(",") if x}


for i in range(n):
    finished = end - (n - 1 - i) * 86400
    verdict = "fail" if i in listed("fail") else "could_not_run" if i in listed("unable") else "pass"
    grown = 1 + i / 60 + rng.random() / 8
    checks = [dict(verdict="pass", kind="storage", name="every byte as signed", subject=None, expected=None, found=None,
                   text="84 packs, 1.2 GiB", ms=900)]
    for t in range(int(o["tables"])):
        rows = f"{rng.randint(10, 900000):,} rows, fingerprint {rng.getrandbits(64):016x}"
        checks.append(dict(verdict="pass", kind="table", name="rows and fingerprint", subject=f"public.table_{t:03}",
                           expected=rows, found=rows, text=None, ms=12))
    checks.append(dict(verdict="pass", kind="fresh", name="newest entry", subject="SELECT max(created) FROM orders",
                       expected="within 1 h", found="3 min before the snapshot", text=None, ms=3))
    checks.append(dict(verdict="could_not_run", kind="engine", name="amcheck", subject="indexes", expected=None, found=None,
                       text="pg_amcheck is not installed: apt install postgresql-15", ms=0))
    reason = cure = None
    if verdict == "fail":
        checks[1].update(verdict="fail", found="41,999 rows, fingerprint 00ff00ff00ff00ff")
        checks.append(dict(verdict="fail", kind="objects", name="objects", subject="triggers", expected="7", found="6",
                           text="the trigger <b>audit_orders</b> & its function are missing", ms=1))
        reason = "rows and fingerprint: public.table_000: one row less than when it was backed up"
    if verdict == "could_not_run":
        checks = []
        reason, cure = "PostgreSQL 15 is not installed on this host", "apt install postgresql-15"
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(finished - 252))
    r = dict(message_type="drill", version=1, id=f"{stamp}-{rng.getrandbits(32):08x}", verdict=verdict, record_hash=o["record"],
             writer=o["writer"], drill=None, host="drill1", snapshot=o["snapshot"], job=o["job"], engine=o["engine"],
             reason=reason, cure=cure, tool_version="0.9.0", server_version=o["server"] or None,
             isolation="a network namespace of its own, no preload libraries, event triggers off", connect=None,
             snapshot_time=finished - int(o["age"]), started=finished - 252, finished=finished, rto_ms=int(211000 * grown),
             rto_target_seconds=int(o["target"]), age_seconds=int(o["age"]), bytes=int(1.3e9 * grown),
             bytes_fetched=int(0.6e9 * grown), tables_total=20 if int(o["sample"]) else 0, rpo_seconds=180,
             phases=dict(prepare_ms=2100, fetch_ms=48000, decrypt_ms=9000, load_ms=int(120000 * grown), index_ms=31000,
                         check_ms=41000), checks=checks,
             masked=[dict(table="public.people", column=f"name{k}", rule="hash", rows=1200, remaining=0)
                     for k in range(int(o["masked"]))],
             tables=[f"public.table_{k:03}" for k in range(int(o["sample"]))])
    path = f"{out}/{r['id']}.in"
    with open(path, "w") as f:
        json.dump(r, f)
    print(path)
