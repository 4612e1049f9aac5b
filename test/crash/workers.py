#!/usr/bin/env python3
"""Goal: no kill of a worker or of the server loses, doubles or orphans work.

Method: a real server and three real workers; executions of shell, pure and sleeping tasks; `kill -9` of a
random process at random times (seeded), or by itself at a named point (src/base/crash.h), each started again. Every shell task appends "begin" and "end"
lines with its attempt to a file. At the end: all executions SUCCESS, every task run in a final state, each
shell task ran to its end at least once, no two attempts of one task run lived at the same time, each key
is set exactly once, nothing is left in events, jobs and timers, no process and no working directory survives."""
import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cluster import SERVER_POINTS, WORKER_POINTS, Cluster, die

FLOW = """
id: crash
namespace: test
inputs:
  - {id: which, type: STRING, defaults: large}
tasks:
  - {id: large, type: return, format: "{%% for i in range(1, 300) %%}%(pad)s{%% endfor %%}"}
  - id: each
    type: foreach
    values: "{{ range(1, %(items)d) }}"
    concurrencyLimit: 0
    tasks:
      - id: sh
        type: shell
        commands:
          - echo "begin {{ execution.id }}/{{ taskrun.value }} $$ $(date +%%s%%N)" >> %(marks)s
          - sleep 0.0$(({{ taskrun.value }} %% 9))
          - test "{{ outputs[inputs.which].value | length }}" -gt 300000
          - echo "end {{ execution.id }}/{{ taskrun.value }} $$ $(date +%%s%%N)" >> %(marks)s
      - {id: set, type: kv.set, key: "{{ execution.id }}-{{ taskrun.value }}", value: "{{ taskrun.value }}"}
      - id: ret
        type: return
        format: "{{ outputs.sh[taskrun.value].exitCode }}{{ outputs.large.value | length > 300000 }} {{ kv(execution.id ~ '-' ~ taskrun.value) }}"
      - {id: nap, type: sleep, duration: PT0.05S}
"""


def check_marks(path, expected):
    lives, wrong = {}, []
    for line in path.read_text().splitlines():
        match = re.fullmatch(r"(begin|end) (\S+) (\d+) (\d+)", line)
        if match:
            kind, name, pid, at = match.groups()
            lives.setdefault(name, {}).setdefault(pid, {})[kind] = int(at)
    for name, attempts in lives.items():
        spans = sorted((a["begin"], a.get("end", a["begin"])) for a in attempts.values() if "begin" in a)
        if not any("end" in a for a in attempts.values()):
            wrong.append(f"{name} never ran to its end")
        for (_, end), (begin, _) in zip(spans, spans[1:]):
            if begin < end:
                wrong.append(f"{name}: two attempts lived at once")
    if len(lives) != expected:
        wrong.append(f"{len(lives)} tasks ran, expected {expected}")
    return wrong, sum(len(a) for a in lives.values())


def kill_one(cluster, rng, died):
    """Kills or lets die a random process and starts it again. Its next life may end at a named point."""
    dead = [i for i, worker in enumerate(cluster.workers) if worker.poll() is not None]
    is_server = cluster.server.poll() is not None or (not dead and rng.randrange(5) == 0)
    index = rng.choice(dead or range(len(cluster.workers)))
    process = cluster.server if is_server else cluster.workers[index]
    died.append(process.poll() is not None)
    die(process)
    points = SERVER_POINTS if is_server else WORKER_POINTS
    point = f"{rng.choice(points)}:{rng.randrange(1, 9)}" if rng.randrange(4) else None
    if is_server:
        cluster.start_server(point)
    else:
        cluster.start_worker(index, point)


def storm(cluster, rng, args, flow):
    """Executions and kills until there were enough of both. Gives the kills, and how many came by themselves."""
    started, died, clients = 0, [], []
    while len(died) < args.kills or started < args.executions:
        is_there = cluster.server.poll() is None  # Else a client often takes the directory over.
        if started < args.executions and is_there and len(clients) < len(died) + 8:
            clients.append(cluster.run(flow))
            started += 1
        time.sleep(rng.uniform(0.02, 0.25))
        if len(died) < args.kills:
            kill_one(cluster, rng, died)
    for place in range(len(cluster.workers)):  # From here on nobody dies.
        die(cluster.workers[place])
        cluster.start_worker(place)
    die(cluster.server)
    cluster.start_server()
    for client in clients:
        client.wait(120)
    cluster.wait_for("SELECT count(*) FROM executions WHERE is_drained=0", [(0,)], 240)
    return len(died), sum(died)


def check_rows(cluster, args):
    wrong = []
    executions = cluster.query("SELECT state, count(*) FROM executions GROUP BY 1")
    count = sum(n for _, n in executions)
    if [state for state, _ in executions] != ["SUCCESS"]:
        wrong.append(f"executions ended as {executions}")
    runs = cluster.query("SELECT state, count(*) FROM task_runs GROUP BY 1")
    if runs != [("SUCCESS", count * (2 + 4 * args.items))]:
        wrong.append(f"task runs: {runs}")
    keys = cluster.query("SELECT count(*), max(revision) FROM key_values")
    if keys != [(count * args.items, 1)]:
        wrong.append(f"keys and their highest revision: {keys}")
    for table in ("events", "jobs", "timers"):
        left = cluster.query(f"SELECT count(*) FROM {table}")[0][0]
        if left:
            wrong.append(f"{left} rows are left in {table}")
    return count, wrong


def check_leftovers(folder):
    wrong = []
    left = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False)
    if left.stdout.strip():
        wrong.append(f"processes are left: {left.stdout.split()}")
    work = [str(p) for p in folder.glob("work*/**/*") if p.is_dir() and p.name.startswith("r")]
    if work:
        wrong.append(f"working directories are left: {work[:5]}")
    if "Sanitizer" in (folder / "log").read_text() or "runtime error" in (folder / "log").read_text():
        wrong.append("a sanitizer found something")
    if (folder / "data" / "worker.lease").exists():
        wrong.append("the lease is left")
    parts = [str(p) for p in (folder / "data" / "storage" / ".tmp").rglob("*")]
    if parts:
        wrong.append(f"unfinished files are left: {parts[:5]}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--kills", type=int, default=45)
    parser.add_argument("--executions", type=int, default=20)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20261124)
    args = parser.parse_args()
    args.executions = max(args.executions, args.kills // 3)
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix="baton-crash-") as name:
        folder = Path(name)
        marks = folder / "marks"
        marks.touch()
        flow = folder / "flow.yml"
        flow.write_text(FLOW % {"items": args.items, "marks": marks, "pad": "x" * 1001})
        cluster = Cluster(str(Path(args.baton).resolve()), folder)
        cluster.start_server()
        for _ in range(3):
            cluster.start_worker()
        kills, by_themselves = storm(cluster, rng, args, flow)
        count, wrong = check_rows(cluster, args)
        time.sleep(2)  # The lease of the servers before is over.
        if cluster.stop() != 0:
            wrong.append("the server did not stop cleanly")
        bad, attempts = check_marks(marks, count * args.items)
        wrong += bad + check_leftovers(folder)
        print(f"{kills} kills ({by_themselves} at named points), {count} executions, {count * args.items} shell tasks "
              f"in {attempts} attempts")
        for line in wrong[:20]:
            print("WRONG: " + line)
        if wrong:
            print((folder / "log").read_text()[-3000:])
    print(f"{0 if wrong else 1} passed, {1 if wrong else 0} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
