#!/usr/bin/env python3
"""Goal: whatever the server has acknowledged over HTTP is there after `kill -9`, and happens once.

Method: clients start executions (each with a key of its own, sent again until it is acknowledged), push
flow revisions, set labels and key-values, upload files and delete executions, while the server is killed
at random times (seeded) or at a named point, and started again on the same directory. At the end: every acknowledged execution
is there and has ended with its inputs, there are exactly as many executions as keys (less the deleted
ones), every acknowledged flow revision, label, key-value, file and delete is as it was acknowledged, those who
were killed are KILLED, the charts' counters say what is stored, and no row is left in events, jobs and timers."""
import argparse
import http.client
import json
import random
import sqlite3
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "api"))
from baton import Server  # noqa: E402
from cluster import SERVER_POINTS  # noqa: E402

RUN = """id: run
namespace: test.load
inputs: [{id: n, type: INT}]
tasks:
  - {id: a, type: return, format: "{{ inputs.n }}"}
  - id: each
    type: foreach
    values: [1, 2]
    tasks: [{id: i, type: return, format: "{{ taskrun.value }}"}]
  - {id: nap, type: sleep, duration: PT0.02S}
  - {id: sh, type: shell, runIf: "{{ inputs.n % 7 == 0 }}", commands: ["echo {{ inputs.n }}"]}
outputs: [{id: n, type: STRING, value: "{{ outputs.a.value }}"}]
"""

LONG = "id: long\nnamespace: test.load\ntasks: [{id: t, type: sleep, duration: PT1H}]\n"


def flow(ident, revision):
    return f"id: {ident}\nnamespace: test.flows\ndescription: r{revision}\ntasks:\n- {{id: t, type: log, message: x}}\n"


class Load:
    """What the clients did, and what was acknowledged."""

    def __init__(self, server, seed):
        self.server, self.seed = server, seed
        self.is_over = False
        self.lock = threading.Lock()
        self.started = {}   # n -> id
        self.labelled = {}  # id -> value
        self.deleted = set()
        self.killed = set()
        self.flows = {}     # id -> last acknowledged revision text number
        self.values = {}    # key -> last acknowledged value
        self.files = {}     # path -> content
        self.next_n = 0
        self.calls = self.lost = 0
        self.wrong = []

    def call(self, method, path, body=None, headers=None):
        """Until it is answered; None when the answer was lost and the load is to try again."""
        while True:
            try:
                answer = self.server.call(method, path, body, headers, timeout=20)
            except (OSError, http.client.HTTPException):
                with self.lock:
                    self.lost += 1
                time.sleep(0.01)
                continue
            with self.lock:
                self.calls += 1
            if answer.status not in (429, 503):
                return answer
            time.sleep(0.01)

    def expect(self, answer, statuses, what):
        if answer.status not in statuses:
            self.wrong.append(f"{what}: {answer}")
        return answer.status in statuses

    def start_one(self, rng):
        with self.lock:
            n = self.next_n
            self.next_n += 1
        body = f'--bb\r\nContent-Disposition: form-data; name="n"\r\n\r\n{n}\r\n--bb--\r\n'.encode()
        answer = self.call("POST", "/api/v1/executions/test.load/run", body, {
            "Content-Type": "multipart/form-data; boundary=bb", "Idempotency-Key": f"key-{n}"})
        if not self.expect(answer, (200,), f"start {n}"):
            return
        ident = answer.json["id"]
        with self.lock:
            self.started[n] = ident
        if rng.random() < 0.3:
            self.edit(rng, n, ident)

    def edit(self, rng, n, ident):
        """A label, or a delete, once it has ended."""
        deadline = time.monotonic() + 60
        while self.call("GET", f"/api/v1/executions/{ident}").json["state"]["current"] not in ("SUCCESS", "FAILED"):
            if time.monotonic() > deadline:
                self.wrong.append(f"{ident} does not end")
                return
            time.sleep(0.02)
        if rng.random() < 0.5:
            answer = self.call("POST", f"/api/v1/executions/{ident}/labels",
                               json.dumps([{"key": "n", "value": str(n)}]), {"Content-Type": "application/json"})
            if self.expect(answer, (200,), "label"):
                self.labelled[ident] = str(n)
        else:
            answer = self.call("DELETE", f"/api/v1/executions/{ident}")
            if self.expect(answer, (204, 404), "delete"):  # 404: done, and the answer was lost.
                self.deleted.add(ident)

    def kill_one(self, key):
        """Started, and killed at once."""
        answer = self.call("POST", "/api/v1/executions/test.load/long", b"", {"Idempotency-Key": key})
        if self.expect(answer, (200,), "start to be killed"):
            ident = answer.json["id"]
            if self.expect(self.call("DELETE", f"/api/v1/executions/{ident}/kill"), (202,), "kill"):
                self.killed.add(ident)

    def other(self, rng, worker):
        kind, number = rng.randrange(4), rng.randrange(1_000_000)
        if kind == 0:
            ident = f"f{worker}"
            answer = self.call("POST", "/api/v1/flows/import-source", flow(ident, number))
            if self.expect(answer, (200,), "flow"):
                self.flows[ident] = (number, answer.json["revision"])
        elif kind == 1:
            answer = self.call("PUT", f"/api/v1/namespaces/test.load/kv/k{worker}", str(number))
            if self.expect(answer, (200,), "key-value"):
                self.values[f"k{worker}"] = number
        elif kind == 2:
            self.kill_one(f"killed-{worker}-{self.calls}-{number}")
        else:
            path, content = f"/w{worker}/{number % 20}.bin", str(number) * 500
            body = (f'--bb\r\nContent-Disposition: form-data; name="fileContent"; filename="x"\r\n\r\n{content}\r\n'
                    '--bb--\r\n').encode()
            answer = self.call("POST", f"/api/v1/namespaces/test.load/files?path={path}", body,
                               {"Content-Type": "multipart/form-data; boundary=bb"})
            if self.expect(answer, (200,), "file"):
                self.files[path] = content

    def work(self, worker):
        rng = random.Random(self.seed * 1000 + worker)
        while not self.is_over:
            if rng.random() < 0.7:
                self.start_one(rng)
            else:
                self.other(rng, worker)


def check_killed(server, load, deadline):
    for ident in load.killed:
        while (state := server.get(f"/api/v1/executions/{ident}").json["state"]["current"]) != "KILLED":
            assert state in ("CREATED", "RUNNING", "KILLING") and time.monotonic() < deadline, (ident, state)
            time.sleep(0.05)


def check_counters(server, load):
    """The counters that every commit keeps, against the rows."""
    counted = {}
    for day in server.post("/api/v1/stats/executions/daily", {"namespace": "test.load"}).json:
        for state, count in day["executionCounts"].items():
            counted[state] = counted.get(state, 0) + count
    expected = {"SUCCESS": len(load.started) - len(load.deleted), "KILLED": len(load.killed)}
    assert {state: count for state, count in counted.items() if count} == expected, (counted, expected)


def check(server, load):
    """Everything that was acknowledged, read back."""
    deadline = time.monotonic() + 120
    check_killed(server, load, deadline)
    alive = {n: ident for n, ident in load.started.items() if ident not in load.deleted}
    for n, ident in alive.items():
        while True:
            answer = server.get(f"/api/v1/executions/{ident}")
            assert answer.status == 200, (n, ident, answer)
            if answer.json["state"]["current"] in ("SUCCESS", "FAILED", "KILLED", "WARNING"):
                break
            assert time.monotonic() < deadline, answer
            time.sleep(0.05)
        done = answer.json
        assert done["state"]["current"] == "SUCCESS" and done["outputs"] == {"n": str(n)}, done
        assert len(done["taskRunList"]) == 6, done
        if ident in load.labelled:
            assert {"key": "n", "value": load.labelled[ident]} in done["labels"], done["labels"]
    for ident in load.deleted:
        assert server.get(f"/api/v1/executions/{ident}").status == 404, ident
    total = server.get("/api/v1/executions/search?size=1&flowId=run&namespace=test.load").json["total"]
    check_counters(server, load)
    assert len(set(load.started.values())) == len(load.started) == load.next_n, "a key gave two executions"
    assert total == len(alive), f"{total} executions are there, {len(alive)} were acknowledged"
    for ident, (number, revision) in load.flows.items():
        read = server.get(f"/api/v1/flows/test.flows/{ident}?source=true").json
        assert (read["source"], read["revision"]) == (flow(ident, number), revision), read
    for key, value in load.values.items():
        assert server.get(f"/api/v1/namespaces/test.load/kv/{key}").json["value"] == value, key
    for path, content in load.files.items():
        assert server.get(f"/api/v1/namespaces/test.load/files?path={path}").text == content, path


def restart(server, rng):
    """Sometimes as one that will die at a named point: by the end of its turn, or while it starts."""
    is_point = rng.random() < 0.3
    if is_point:
        server.env["BATON_CRASH_AT"] = f"{rng.choice(SERVER_POINTS)}:{rng.randrange(1, 60)}"
    try:
        server.start()
    except AssertionError:
        if not is_point:
            raise
    server.env.pop("BATON_CRASH_AT", None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    began = time.monotonic()
    with Server(Path(options.baton).resolve()) as server:
        server.push(RUN)
        server.push(LONG)
        load = Load(server, options.seed)
        threads = [threading.Thread(target=load.work, args=(worker,), daemon=True) for worker in range(options.clients)]
        for thread in threads:
            thread.start()
        for _ in range(options.kills):
            time.sleep(rng.choice([0.02, 0.1, 0.3, 0.6]) * rng.random() + 0.01)
            server.kill()
            restart(server, rng)
        server.kill()
        server.start()
        load.is_over = True
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), f"a client hangs (seed {options.seed}): {server.output()}"
        assert not load.wrong, (options.seed, load.wrong[:5])
        try:
            check(server, load)
        except AssertionError:
            print(f"seed {options.seed}\n{server.output()}", file=sys.stderr)
            raise
        server.stop()
        with sqlite3.connect(Path(server.data) / "baton.db") as db:
            for table in ("events", "jobs", "timers"):
                assert db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0, table  # nosec
            orphans = db.execute("SELECT count(*) FROM task_runs WHERE exec NOT IN (SELECT key FROM executions)")
            assert orphans.fetchone()[0] == 0
        server.start()
    assert load.lost > options.kills / 4, "the kills met nobody"
    print(f"{options.kills} kills, {load.calls} calls answered, {load.lost} lost, {len(load.started)} executions, "
          f"{len(load.deleted)} deleted, {len(load.killed)} killed, {len(load.labelled)} labelled, seed {options.seed}, "
          f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
