"""Restores, checks and drills of one database in turns, with wall and CPU seconds: drill_turns.py ENGINE ROUNDS OUT

ENGINE is postgres, mariadb or sqlite. The environment says the rest: RESTORE and CONFIG, SNAPSHOT, DATABASE, SMALL (a table)
and SCRATCH, a short private directory.

A turn is: a fresh place (for servers: installed and started as the drill does it), `restore database` into it with what it
compares by default, the engine's own check, the place ended; then a drill. The server's command line is that of a drill
(--keep), word for word but for the directory, so both restore into a server of the same settings.

OUT gets a line "WHAT WALL CPU" for each measurement. CPU is that of the programs with the children they waited for, and of
the server.
"""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

engine, rounds, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
RESTORE = [os.environ["RESTORE"], "--config", os.environ["CONFIG"]]
SNAPSHOT, DATABASE = os.environ["SNAPSHOT"], os.environ["DATABASE"]
SCRATCH = os.environ["SCRATCH"]
TICK = os.sysconf("SC_CLK_TCK")
ACCOUNT = "nobody"


def stat(pid):
    """Parent and CPU seconds of a process, those of its dead children included; nothing when it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None, 0.0
    return int(fields[1]), sum(map(int, fields[11:15])) / TICK


def used_by(server):
    if server is None:
        return 0.0
    total = stat(server)[1]
    for name in os.listdir("/proc"):
        if name.isdigit():
            parent, used = stat(int(name))
            total += used if parent == server else 0.0
    return total


def children():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def measure(what, server, run):
    before, wall = children() + used_by(server), time.monotonic()
    run()
    took = time.monotonic() - wall
    with open(out, "a") as f:
        f.write("%s %.3f %.3f\n" % (what, took, children() + used_by(server) - before))


def call(*command, **more):
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, **more)
    except subprocess.CalledProcessError as e:
        sys.exit(str(e))


def as_account(*command):
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=" + ACCOUNT, "--regid=nogroup", "--clear-groups", *command]


class Place:
    """A fresh directory, of the account that servers run as."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(dir=SCRATCH, prefix="plain-")
        self.run = self.dir + "/run"
        os.mkdir(self.run, 0o700)
        os.chmod(self.dir, 0o711)
        if os.geteuid() == 0:
            shutil.chown(self.run, ACCOUNT, "nogroup")
        self.server = None

    def pid(self):
        return self.server.pid if self.server else None

    def prepare(self):
        pass

    def answers(self):
        return True

    def serve(self):
        self.server = subprocess.Popen(as_account(*[w.replace(drill_run, self.run) for w in drill_server]), cwd="/",
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 600
        while not self.answers():
            if self.server.poll() is not None or time.monotonic() > end:
                sys.exit("the server does not start: " + " ".join(self.server.args))
            time.sleep(0.05)

    def start(self):
        self.prepare()
        if drill_server:
            self.serve()

    def restore(self):
        call(*RESTORE, "--quiet", "database", SNAPSHOT, "--database", DATABASE, "--to", self.to())

    def close(self):
        if self.server:
            self.server.send_signal(signal.SIGQUIT if engine == "postgres" else signal.SIGKILL)
            self.server.wait()
        shutil.rmtree(self.dir)


class Postgres(Place):
    bin = "/usr/lib/postgresql/15/bin/"

    def prepare(self):
        call(*as_account(self.bin + "initdb", "--pgdata=" + self.run + "/data", "--username=postgres", "--no-sync",
                         "--no-instructions", "--auth=trust", "--locale=C", "--encoding=UTF8"), cwd="/")

    def answers(self):
        return subprocess.run([self.bin + "psql", "-X", "-q", "-h", self.run, "-U", "postgres", "-c", ""],
                              stderr=subprocess.DEVNULL).returncode == 0

    def to(self):
        return "host=%s user=postgres dbname=%s" % (self.run, DATABASE)

    def start(self):
        super().start()
        call(self.bin + "createdb", "-h", self.run, "-U", "postgres", "-T", "template0", DATABASE)

    def check(self):
        call(self.bin + "pg_amcheck", "--install-missing", "--heapallindexed", self.to())


class Mariadb(Place):
    def prepare(self):
        for name in ("tmp", "data"):
            os.mkdir(self.run + "/" + name, 0o700)
            if os.geteuid() == 0:
                shutil.chown(self.run + "/" + name, ACCOUNT, "nogroup")
        call(*as_account("mariadb-install-db", "--no-defaults", "--datadir=" + self.run + "/data", "--tmpdir=" + self.run + "/tmp",
                         "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
                         "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"), cwd="/")

    def client(self, sql):
        return subprocess.run(["mariadb", "--no-defaults", "-BN", "-u", "root", "-S", self.run + "/s", "-e", sql],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def answers(self):
        return self.client("SELECT 1").returncode == 0

    def to(self):
        return "mariadb://root@/%s?socket=%s/s" % (DATABASE, self.run.replace("-", "%2D").replace("_", "%5F"))

    def check(self):
        tables = self.client("SELECT table_name FROM information_schema.tables WHERE table_schema = '%s'" % DATABASE).stdout.split()
        for table in tables:
            said = self.client("CHECK TABLE `%s`.`%s` EXTENDED" % (DATABASE, table)).stdout
            if not said.endswith("OK\n"):
                sys.exit(said)


class Sqlite(Place):
    def to(self):
        return self.run + "/database"

    def restore(self):
        call(*RESTORE, "--quiet", "database", SNAPSHOT, "--to", self.to())

    def check(self):
        for pragma in ("integrity_check", "foreign_key_check"):
            said = subprocess.run(["sqlite3", self.to(), "PRAGMA " + pragma], stdout=subprocess.PIPE, text=True, check=True).stdout
            if said not in ("ok\n", ""):
                sys.exit(said)


def drill():
    call(*RESTORE, "--quiet", "drill", "run", SNAPSHOT, "--scratch", SCRATCH, "--out", out + ".json")
    with open(out + ".json") as f:
        result = json.load(f)
    unable = [c for c in result["checks"] if c["verdict"] != "pass"]
    if result["verdict"] != "pass" or unable:
        sys.exit("the drill: %s" % (unable or result))
    with open(out + ".phases", "a") as f:
        f.write(" ".join("%s %.1f" % (k[:-3], v / 1000) for k, v in result["phases"].items()) + "\n")


def learn_server():
    """How a drill starts its server: its words and the directory in them."""
    call(*RESTORE, "--quiet", "drill", "run", SNAPSHOT, "--table", os.environ["SMALL"], "--scratch", SCRATCH, "--keep")
    directory = SCRATCH + "/" + [d for d in os.listdir(SCRATCH) if d.startswith("backupd-drill-")][0]
    with open(directory + "/lock") as f:
        keeper = f.read().strip()
    pid = int(subprocess.run(["pgrep", "-P", keeper], stdout=subprocess.PIPE, check=True, text=True).stdout.split()[0])
    with open("/proc/%d/cmdline" % pid) as f:
        words = f.read().rstrip("\0").split("\0")
    call(*RESTORE, "--quiet", "drill", "end", "--all", "--scratch", SCRATCH)
    return words, directory + "/run"


drill_server, drill_run = ([], "") if engine == "sqlite" else learn_server()
for _ in range(rounds):
    place = {"postgres": Postgres, "mariadb": Mariadb, "sqlite": Sqlite}[engine]()
    start = time.monotonic()
    place.start()
    with open(out, "a") as f:
        f.write("server %.3f 0\n" % (time.monotonic() - start))
    measure("restore", place.pid(), place.restore)
    measure("check", place.pid(), place.check)
    place.close()
    measure("drill", None, drill)
