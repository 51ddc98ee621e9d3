"""An application at full speed: short transactions on one SQLite database until it is told to stop.

    sqlite_writer.py DB TIMEOUT_MS REPORT

Each transaction moves money between accounts (their sum never changes), appends a row to `log` whose number is the
count of commits, and changes a row somewhere in `ballast`.  TIMEOUT_MS is the application's busy timeout.  On SIGTERM it
writes one line of JSON to REPORT: commits, refused (SQLITE_BUSY), and the longest time a commit took, in milliseconds.
While it runs, REPORT.now holds the number of commits.
"""
import json
import random
import signal
import sqlite3
import sys
import time

path, timeout, report = sys.argv[1], int(sys.argv[2]) / 1000, sys.argv[3]
going = True


def stop(signum, frame):
    global going
    going = False


signal.signal(signal.SIGTERM, stop)
r = random.Random(7)
db = sqlite3.connect(path, timeout=timeout, isolation_level=None)
db.execute("PRAGMA synchronous=OFF")
ballast = db.execute("SELECT max(id) FROM ballast").fetchone()[0]
commits = db.execute("SELECT count(*) FROM log").fetchone()[0]
first, refused, longest, waits = commits, 0, 0.0, []
while going:
    a, b = r.randrange(1, 101), r.randrange(1, 101)
    begin = time.monotonic()
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE account SET n = n - 1 WHERE id = ?", (a,))
        db.execute("UPDATE account SET n = n + 1 WHERE id = ?", (b,))
        db.execute("INSERT INTO log VALUES (?)", (commits + 1,))
        db.execute("UPDATE ballast SET v = randomblob(200) WHERE id = ?", (r.randrange(1, ballast),))
        db.execute("COMMIT")
        commits += 1
    except sqlite3.OperationalError as e:
        if "locked" not in str(e):
            raise
        refused += 1
        if db.in_transaction:
            db.execute("ROLLBACK")
    longest = max(longest, time.monotonic() - begin)
    if commits % 200 == 1:
        with open(report + ".now", "w") as f:
            f.write("%d" % commits)
db.close()
with open(report, "w") as f:
    json.dump({"commits": commits - first, "refused": refused, "longest_ms": round(longest * 1000)}, f)
