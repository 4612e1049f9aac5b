"""The counters of a database beside a recount of its rows, written without looking at the C code."""
import json
import math
from collections import Counter

ENDED = {"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED", "SKIPPED"}
HOUR, DAY = 3_600_000_000, 86_400_000_000


def recount_metrics(db):
    """Differences of metrics: {("metric", flow, task, name, hour): (stored, counted)}."""
    values = {}
    for flow, task, record in db.execute(
            "SELECT e.flow, r.task_id, r.record FROM task_runs r JOIN executions e ON e.key = r.exec"):
        record = json.loads(record)
        end, state = record["h"][-1]
        for metric in record.get("m") or [] if state in ENDED else []:
            key = "metric", flow, task, metric["name"], end // HOUR
            values.setdefault(key, []).append(float(metric["value"]))
    have = {("metric", *row[:4]): row[4:] for row in
            db.execute("SELECT flow, task, name, hour, count, whole + nanos / 1e9 FROM metrics")}
    want = {key: (len(some), sum(some)) for key, some in values.items()}
    return {key: (have.get(key), want.get(key)) for key in have.keys() | want.keys()
            if have.get(key, (0, 0))[0] != want.get(key, (0, 0))[0]
            or not math.isclose(have[key][1], want[key][1], rel_tol=1e-6, abs_tol=1e-6)}


def recount_lines(db):
    """Differences of log lines: {("lines", flow, hour): (stored, counted)}, each by level."""
    want, wrong = {}, {}
    for flow, exec_key, first, lines, levels, counts in db.execute(
            "SELECT e.flow, c.exec, c.first_line, c.lines, c.levels, c.counts FROM log_chunks c"
            " JOIN executions e ON e.key = c.exec"):
        hours = json.loads(counts)
        sums = [sum(column) for column in zip(*(hour[1:] for hour in hours))]
        if sum(sums) != lines or levels != sum(1 << i for i, n in enumerate(sums) if n):
            wrong["chunk", exec_key, first] = lines, hours
        for hour, *some in hours:
            for whose in (flow, 0):
                old = want.setdefault(("lines", whose, hour), [0] * len(some))
                old[:] = [a + b for a, b in zip(old, some)]
    have = {("lines", *row[:2]): list(row[2:]) for row in
            db.execute("SELECT flow, hour, trace, debug, info, warn, error FROM log_lines")}
    wrong.update({key: (have.get(key), want.get(key)) for key in have.keys() | want.keys()
                  if have.get(key) != want.get(key)})
    return wrong


def recount(db):
    """The differences: {(kind, period, flow, state): (stored, counted)}; each is (count, sum)."""
    counts, sums = Counter(), Counter()

    def add(keys, flow, state, duration):
        for kind, period in keys:
            for whose in (flow, 0):
                counts[kind, period, whose, state] += 1
                sums[kind, period, whose, state] += duration

    flows = {}
    for key, flow, record in db.execute(
            "SELECT e.key, f.key, e.record FROM executions e JOIN flows f ON"
            " (f.tenant, f.namespace, f.id) = (e.tenant, e.namespace, e.flow_id)"):
        flows[key] = flow
        (start, _), (end, state) = (json.loads(record)["h"][i] for i in (0, -1))
        add([(0, 0), (1, start // HOUR), (2, start // DAY)], flow, state,
            max(0, end - start) if state in ENDED else 0)
    for key, record in db.execute("SELECT exec, record FROM task_runs"):
        (start, _), (end, state) = (json.loads(record)["h"][i] for i in (0, -1))
        add([(3, start // DAY)], flows[key], state, max(0, end - start) if state in ENDED else 0)
    want = {key: (count, sums[key]) for key, count in counts.items()}
    have = {row[:4]: row[4:] for row in
            db.execute("SELECT kind, period, flow, state, count, sum_us FROM rollups")}
    wrong = {key: (have.get(key), want.get(key)) for key in have.keys() | want.keys()
             if have.get(key, (0, 0)) != want.get(key, (0, 0))}
    return wrong | recount_metrics(db) | recount_lines(db)
