"""What the status page, its JSON, the metrics and `backupd status --json` say about the same host, compared.

    page_numbers.py PAGE.html STATUS.json METRICS.txt STATUS.jsonl

Reads the page as a browser does (html.parser), independently of the program. Prints "same: N numbers", or what differs and exits
with 1. Also: the page is well-formed, holds no script, no handler, no style attribute and no address of another place.
"""
import datetime
import html.parser
import json
import re
import sys

VOID = {"meta", "link", "br", "hr", "img", "col"}
problems = []


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.jobs, self.storage, self.next, self.alarms = [], {}, {}, {}, []
        self.section, self.row, self.cell, self.headline = None, None, None, ""
        self.nights = {}
        self.drills, self.drill = {}, None

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                problems.append(f"attribute {name} in <{tag}>")
            if name in ("href", "src", "action") and not re.match(r"^(\./|/(?!/)|#)", value or ""):
                problems.append(f"a link leads elsewhere: {value}")
        if tag in ("script", "iframe", "object", "embed", "form", "input"):
            problems.append(f"<{tag}>")
        if tag == "section":
            self.section = a.get("id")
        if "data-drill" in a:
            self.drill = self.drills.setdefault((a["data-job"], a["data-drill"] or None), {})
        if self.section == "drills" and "data-value" in a:
            self.drill[a["data-name"]] = a["data-value"]
        if "data-job" in a:
            self.row = a["data-job"]
            if self.section == "jobs":
                self.jobs[self.row] = {}
        if "data-repository" in a:
            self.row = a["data-repository"]
            self.storage[self.row] = {}
        if "data-alarm" in a:
            self.alarms.append([a["data-alarm"], ""])
        if tag == "rect" and self.section == "nights" and "figure" in self.open:
            self.nights.setdefault(self.row, []).append(a.get("class"))
        if "data-value" in a:
            place = {"jobs": self.jobs, "storage": self.storage}.get(self.section)
            if place is not None:
                place[self.row][a["data-name"]] = a["data-value"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            problems.append(f"</{tag}> closes another element")

    def handle_data(self, data):
        if self.section == "alarms" and self.alarms and "li" in self.open:
            self.alarms[-1][1] += data


def seconds(text):
    if text is None:
        return None
    return int(datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp())


def metrics_of(path):
    """{(name, frozenset of labels): value}, by the rules of the text format."""
    out = {}
    for line in open(path, encoding="utf-8", newline="\n").read().split("\n"):
        if not line or line.startswith("#"):
            continue
        m = re.fullmatch(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (-?[0-9.e+]+)', line)
        if not m:
            problems.append(f"no line of metrics: {line}")
            continue
        labels = {}
        for name, value in re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', m[2] or ""):
            labels[name] = re.sub(r"\\(.)", lambda x: "\n" if x[1] == "n" else x[1], value)
        out[(m[1], frozenset(labels.items()))] = float(m[3])
    return out


def main(page_path, json_path, metrics_path, status_path):
    page = Page()
    page.feed(open(page_path, encoding="utf-8").read())
    page.close()
    if page.open:
        problems.append(f"left open: {page.open}")
    api = json.load(open(json_path, encoding="utf-8"))
    metrics = metrics_of(metrics_path)
    status, cli_alarms = {}, []
    for line in open(status_path, encoding="utf-8"):
        one = json.loads(line)
        if one["message_type"] == "status":
            status[one["job"]] = one
        elif one["message_type"] == "alarm":
            cli_alarms.append(one)
    compared = 0

    def same(what, *values):
        nonlocal compared
        compared += 1
        if any(v != values[0] for v in values):
            problems.append(f"{what}: {values}")

    def metric(name, **labels):
        return metrics.get((name, frozenset(labels.items())))

    def number(value):
        return None if value is None else float(value)

    same("jobs", sorted(page.jobs), sorted(j["job"] for j in api["jobs"]), sorted(status))
    for j in api["jobs"]:
        name, last, shown, cli = j["job"], j.get("last"), page.jobs[j["job"]], status[j["job"]]
        labels = {"job_name": name, "kind": j["kind"]}
        same(f"{name} verdict", (last or {}).get("verdict", "never"), shown.get("verdict"), cli["verdict"])
        same(f"{name} next", number(seconds(j["next"])), number(shown.get("next")),
             metric("backupd_job_next_run_timestamp_seconds", **labels))
        if last:
            when = seconds(last["started"]) or seconds(last["due"])
            same(f"{name} when", when, int(shown["started"]), seconds(cli["started"]) or seconds(cli["due"]),
                 int(metric("backupd_job_last_run_timestamp_seconds", **labels)))
            same(f"{name} run", last["run"], cli["run"])
            same(f"{name} text", last["text"], cli["text"])
            if last["started"] and last["ended"]:
                same(f"{name} took", last["duration_seconds"], int(shown["duration_seconds"]),
                     seconds(cli["ended"]) - seconds(cli["started"]),
                     int(metric("backupd_job_last_run_duration_seconds", **labels)))
            for size in ("total_bytes_processed", "data_added_packed"):
                same(f"{name} {size}", last.get(size, 0), int(shown.get(size, 0)), cli[size])
            same(f"{name} new", last.get("data_added", 0), int(shown.get("data_added", 0)))
            for v in ("running", "ok", "warning", "failed", "stopped", "skipped", "cut off"):
                same(f"{name} {v}", float(last["verdict"] == v),
                     metric("backupd_job_last_run_verdict", verdict=v.replace(" ", "_"), **labels))
        ok = j.get("last_success") or {}
        same(f"{name} success", number(seconds(ok.get("ended"))),
             metric("backupd_job_last_success_timestamp_seconds", **labels))
        for key, family in (("total_bytes_processed", "read"), ("data_added", "new"), ("data_added_packed", "stored")):
            same(f"{name} {family}", number(ok.get(key)),
                 metric(f"backupd_job_last_success_{family}_bytes", **labels))
        same(f"{name} failures", float(j["consecutive_failures"]),
             metric("backupd_job_consecutive_failures", **labels))
        same(f"{name} skipped", float(j["skipped_runs"]), metric("backupd_job_skipped_runs", **labels))
        same(f"{name} paused", float(j["paused"]), metric("backupd_job_paused", **labels))
        good = sum(1 for n in j["nights"] if n["verdict"] in ("ok", "warning"))
        cells = page.nights[name]
        same(f"{name} days", 42, len(cells))
        same(f"{name} nights", len(j["nights"]), sum(1 for c in cells if c != "none"))
        same(f"{name} good nights", good, sum(1 for c in cells if c == "ok") +
             sum(1 for n in j["nights"] if n["verdict"] == "warning"))
    for s in api["storage"]:
        shown = page.storage[s["repository"]]
        same(f"size of {s['repository']}", s.get("size_bytes"), int(shown["size_bytes"]) if "size_bytes" in shown else None)
    same("drills", sorted(page.drills, key=str), sorted(((d["job"], d["drill"]) for d in api["drills"]), key=str))
    for d in api["drills"]:
        what, last, shown = f"drill {d['drill']} of {d['job']}", d.get("last"), page.drills[(d["job"], d["drill"])]
        labels = {"job_name": d["job"], "drill": d["drill"] or "", "repository": d["repository"]}
        same(f"{what} verdict", (last or {}).get("verdict", "never"), shown.get("verdict"))
        same(f"{what} expected", float(d["drill"] is not None), metric("backupd_drill_expected", **labels))
        for key in ("last_pass", "next"):
            same(f"{what} {key}", number(seconds(d[key])), metric(f"backupd_drill_{key}_timestamp_seconds", **labels))
        same(f"{what} next", number(seconds(d["next"])), number(shown.get("next")))
        same(f"{what} due by", number(seconds(d["due_by"])), number(shown.get("due_by")),
             d["every_seconds"] + seconds(d["last_pass"]) if d["every_seconds"] and d["last_pass"] else None)
        same(f"{what} every", float(d["every_seconds"]) or None, metric("backupd_drill_stale_after_seconds", **labels))
        if not last:
            same(f"{what} nothing", None, shown.get("finished"), metric("backupd_drill_rto_seconds", **labels))
            continue
        same(f"{what} finished", seconds(last["finished"]), int(shown["finished"]),
             int(metric("backupd_drill_last_timestamp_seconds", **labels)))
        same(f"{what} rto", last["rto_ms"] or None, int(shown["rto_ms"]) if "rto_ms" in shown else None,
             round(1000 * metric("backupd_drill_rto_seconds", **labels)) if last["rto_ms"] else None)
        same(f"{what} target", last["rto_target_seconds"] or None, number(shown.get("rto_target_seconds")),
             metric("backupd_drill_rto_target_seconds", **labels))
        for v in ("pass", "fail", "could_not_run"):
            same(f"{what} {v}", float(last["verdict"] == v), metric("backupd_drill_last_verdict", verdict=v, **labels))
        if last["verdict"] != "pass":
            same(f"{what} last pass", seconds(d["last_pass"]) or 0, int(shown["last_pass"]))
    same("refused", float(api["control_refused"]["total"]), metric("backupd_control_refused_total"))
    same("alarms", [a["alarm"] for a in api["alarms"]], [a for a, _ in page.alarms])
    same("alarms of status", [(a["alarm"], a["job"], a["since"]) for a in api["alarms"]],
         [(a["alarm"], a["job"], a["since"]) for a in cli_alarms])
    for a, (_, text) in zip(api["alarms"], page.alarms):
        clean = lambda t: re.sub(r"\s+", " ", t.replace("\u202e", "\\u202e"))
        same("alarm's text", True, clean(a["text"]) in clean(text))
    for kind in {a["alarm"] for a in api["alarms"]}:
        same(f"alarms {kind}", float(sum(1 for a in api["alarms"] if a["alarm"] == kind)),
             metric("backupd_alarms", alarm=kind))
    for p in problems:
        print(p)
    if problems:
        sys.exit(1)
    print(f"same: {compared} numbers")


main(*sys.argv[1:])
