#!/usr/bin/env python3
"""Goal: no kill of a worker or of the server loses, doubles or orphans work.

Method: a real server and three real workers; executions of shell, pure and sleeping tasks; `kill -9` of a
random process at random times (seeded), each started again. Every shell task appends "begin" and "end"
lines with its attempt to a file. At the end: all executions SUCCESS, every task run in a final state, each
shell task ran to its end at least once, no two attempts of one task run lived at the same time, each key
is set exactly once, nothing is left in events, jobs and timers, no process and no working directory survives."""
import argparse
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FLOW = """
id: crash
namespace: test
tasks:
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
          - echo "end {{ execution.id }}/{{ taskrun.value }} $$ $(date +%%s%%N)" >> %(marks)s
      - {id: set, type: kv.set, key: "{{ execution.id }}-{{ taskrun.value }}", value: "{{ taskrun.value }}"}
      - id: ret
        type: return
        format: "{{ outputs.sh[taskrun.value].exitCode }} {{ kv(execution.id ~ '-' ~ taskrun.value) }}"
      - {id: nap, type: sleep, duration: PT0.05S}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    def __init__(self, baton, folder, workers):
        self.baton, self.data, self.port = baton, folder / "data", free_port()
        self.folder, self.count = folder, workers
        self.server, self.workers = None, []
        self.log = open(folder / "log", "w")  # pylint: disable=consider-using-with

    def start(self, args):
        return subprocess.Popen(args, stdout=self.log, stderr=self.log)

    def start_server(self):
        (self.data / "control.sock").unlink(missing_ok=True)  # A killed server's: it is not ready by it.
        self.server = self.start([self.baton, "server", "--data", str(self.data), "--no-worker",
                                  "--worker-listen", f"127.0.0.1:{self.port}", "--heartbeat-ms", "200",
                                  "--lost-ms", "1500"])
        until = time.monotonic() + 20
        while not (self.data / "control.sock").exists() and time.monotonic() < until:
            time.sleep(0.01)

    def start_worker(self):
        while not (self.data / "worker.token").exists():
            time.sleep(0.01)
        work = self.folder / f"work{len(self.workers)}"
        self.workers.append(self.start([self.baton, "worker", "--server", f"127.0.0.1:{self.port}",
                                        "--token-file", str(self.data / "worker.token"), "-j", "6",
                                        "--work", str(work)]))

    def restart_worker(self, index):
        self.workers[index].kill()
        self.workers[index].wait()
        work = self.folder / f"work{index}"
        self.workers[index] = self.start([self.baton, "worker", "--server", f"127.0.0.1:{self.port}",
                                          "--token-file", str(self.data / "worker.token"), "-j", "6",
                                          "--work", str(work)])

    def restart_server(self):
        self.server.kill()
        self.server.wait()
        self.start_server()

    def stop(self):
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait(30)
        self.server.send_signal(signal.SIGTERM)
        return self.server.wait(30)

    def query(self, sql):
        with sqlite3.connect(self.data / "baton.db", timeout=20) as db:
            return db.execute(sql).fetchall()


def submit(cluster, flow):
    """Starts one execution and does not wait for it."""
    return cluster.start([cluster.baton, "run", str(flow), "--data", str(cluster.data), "-q"])


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--kills", type=int, default=45)
    parser.add_argument("--executions", type=int, default=20)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20261124)
    args = parser.parse_args()
    rng, wrong = random.Random(args.seed), []
    with tempfile.TemporaryDirectory(prefix="baton-crash-") as name:
        folder = Path(name)
        marks = folder / "marks"
        marks.touch()
        flow = folder / "flow.yml"
        flow.write_text(FLOW % {"items": args.items, "marks": marks})
        cluster = Cluster(str(Path(args.baton).resolve()), folder, 3)
        cluster.start_server()
        for _ in range(3):
            cluster.start_worker()
        started, kills, clients = 0, 0, []
        while kills < args.kills or started < args.executions:
            if started < args.executions:
                clients.append(submit(cluster, flow))
                started += 1
            time.sleep(rng.uniform(0.02, 0.25))
            if kills < args.kills:
                kills += 1
                if rng.randrange(5) == 0:
                    cluster.restart_server()
                else:
                    cluster.restart_worker(rng.randrange(3))
        for client in clients:
            client.wait(120)
        until = time.monotonic() + 180
        while time.monotonic() < until:
            if cluster.query("SELECT count(*) FROM executions WHERE is_drained=0")[0][0] == 0:
                break
            time.sleep(0.2)
        executions = cluster.query("SELECT state, count(*) FROM executions GROUP BY 1")
        count = sum(n for _, n in executions)
        if [state for state, _ in executions] != ["SUCCESS"]:
            wrong.append(f"executions ended as {executions}")
        runs = cluster.query("SELECT state, count(*) FROM task_runs GROUP BY 1")
        if runs != [("SUCCESS", count * (1 + 4 * args.items))]:
            wrong.append(f"task runs: {runs}")
        keys = cluster.query("SELECT count(*), max(revision) FROM key_values")
        if keys != [(count * args.items, 1)]:
            wrong.append(f"keys and their highest revision: {keys}")
        for table in ("events", "jobs", "timers"):
            left = cluster.query(f"SELECT count(*) FROM {table}")[0][0]
            if left:
                wrong.append(f"{left} rows are left in {table}")
        if cluster.stop() != 0:
            wrong.append("the server did not stop cleanly")
        bad, attempts = check_marks(marks, count * args.items)
        wrong += bad
        left = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False)
        if left.stdout.strip():
            wrong.append(f"processes are left: {left.stdout.split()}")
        work = [str(p) for p in folder.glob("work*/**/*") if p.is_dir() and p.name.startswith("r")]
        if work:
            wrong.append(f"working directories are left: {work[:5]}")
        print(f"{kills} kills, {count} executions, {count * args.items} shell tasks in {attempts} attempts")
        for line in wrong[:20]:
            print("WRONG: " + line)
        if wrong:
            print((folder / "log").read_text()[-3000:])
    print(f"{0 if wrong else 1} passed, {1 if wrong else 0} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
