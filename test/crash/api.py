#!/usr/bin/env python3
"""kill -9 of a server under HTTP load.

Clients start executions (each with an Idempotency-Key, asked again until it is answered), label and kill
them, set key-values and push revisions of a flow, while the server dies again and again: at random times,
and at named points. At the end
- every execution that was acknowledged is there and has ended as it must, once for each key;
- the labels, key-values and revisions that were acknowledged are there;
- what the charts count is what is stored; no job, timer or event is left.
"""
import argparse
import http.client
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "api"))
from baton import Server  # pylint: disable=wrong-import-position
from cluster import SERVER_POINTS  # pylint: disable=wrong-import-position

FLOWS = ["""
id: quick
namespace: crash
inputs: [{id: n, type: INT}]
tasks:
- {id: one, type: return, format: "{{ inputs.n }}"}
- {id: two, type: return, format: "{{ outputs.one.value }}{{ inputs.n * 2 }}"}
outputs: [{id: twice, type: STRING, value: "{{ outputs.two.value }}"}]
""", """
id: shell
namespace: crash
inputs: [{id: n, type: INT}]
tasks:
- {id: one, type: io.kestra.plugin.scripts.shell.Commands, taskRunner: {type: io.kestra.plugin.core.runner.Process}, commands: ["sleep 0.05; echo {{ inputs.n }}"]}
""", """
id: long
namespace: crash
tasks: [{id: wait, type: sleep, duration: PT10M}]
"""]


class Clients:
    def __init__(self, server, seed):
        self.server, self.seed = server, seed
        self.is_over = threading.Event()
        self.acknowledged = {}  # Idempotency-Key: (flow, n, id).
        self.killed, self.labelled = [], {}
        self.values, self.revisions = {}, 0
        self.wrong = []
        self.threads = [threading.Thread(target=self.guard, args=(work, i))
                        for i, work in enumerate([self.starts] * 6 + [self.kills, self.key_values, self.pushes])]

    def guard(self, work, i):
        try:
            work(i, random.Random(self.seed * 100 + i))
        except Exception as e:  # pylint: disable=broad-except
            self.wrong.append(f"{work.__name__}: {type(e).__name__}: {e}")

    def ask(self, method, path, body=None, headers=None):
        """Until there is an answer that says yes or no; None: the test is over."""
        while not self.is_over.is_set():
            try:
                answer = self.server.call(method, path, body=body, headers=headers, timeout=10)
                if answer.status not in (429, 503):
                    return answer
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.005)
        return None

    def start(self, flow, key, n=None):
        body, headers = b"", {"Idempotency-Key": key}
        if n is not None:
            body = (f'--bnd\r\nContent-Disposition: form-data; name="n"\r\n\r\n{n}\r\n--bnd--\r\n').encode()
            headers["Content-Type"] = "multipart/form-data; boundary=bnd"
        answer = self.ask("POST", f"/api/v1/executions/crash/{flow}", body, headers)
        if answer is None:
            return None
        if answer.status != 200:
            raise AssertionError(f"{flow} {key}: {answer}")
        self.acknowledged[key] = (flow, n, answer.json["id"])
        return answer.json["id"]

    def starts(self, i, rng):
        n = 0
        while not self.is_over.is_set():
            n += 1
            exec_id = self.start("shell" if rng.random() < 0.05 else "quick", f"{i}-{n}", n)
            if exec_id and rng.random() < 0.05:
                self.label(exec_id, n)

    def label(self, exec_id, n):
        """Refused while it runs."""
        answer = self.ask("POST", f"/api/v1/executions/{exec_id}/labels",
                          json.dumps([{"key": "number", "value": str(n)}]), {"Content-Type": "application/json"})
        if answer is not None and answer.status == 200:
            self.labelled[exec_id] = str(n)

    def kills(self, i, rng):
        n = 0
        while not self.is_over.is_set():
            n += 1
            exec_id = self.start("long", f"{i}-{n}")
            time.sleep(rng.random() * 0.1)
            answer = exec_id and self.ask("DELETE", f"/api/v1/executions/{exec_id}/kill")
            if answer:
                if answer.status not in (200, 202, 409):
                    raise AssertionError(f"kill of {exec_id}: {answer}")
                self.killed.append(exec_id)

    def key_values(self, i, rng):
        n = 0
        while not self.is_over.is_set():
            n += 1
            key = f"k{i}.{rng.randrange(20)}"
            self.values.setdefault(key, [0]).append(n)  # It may be set without an answer.
            answer = self.ask("PUT", f"/api/v1/namespaces/crash/kv/{key}", str(n), {"Content-Type": "text/plain"})
            if answer:
                if answer.status != 200:
                    raise AssertionError(f"key-value: {answer}")
                self.values[key] = [n]

    def pushes(self, _i, rng):
        while not self.is_over.is_set():
            source = (f"id: pushed\nnamespace: crash\ndescription: revision {self.revisions + 1}\n"
                      "tasks: [{id: t, type: return, format: x}]\n")
            answer = self.ask("POST", "/api/v1/flows", source) if self.revisions == 0 else \
                self.ask("PUT", "/api/v1/flows/crash/pushed", source)
            if answer and answer.status == 422 and self.revisions == 0:  # It was there before the crash.
                answer = self.ask("PUT", "/api/v1/flows/crash/pushed", source)
            if answer:
                if answer.status != 200:
                    raise AssertionError(f"push: {answer}")
                self.revisions += 1
            time.sleep(rng.random() * 0.02)


class Checks:
    """What must hold at the end."""

    def __init__(self, server, clients):
        self.server, self.clients = server, clients
        self.wrong = list(clients.wrong)

    def expect(self, is_so, text):
        if not is_so and len(self.wrong) < 20:
            self.wrong.append(text)

    def query(self, sql):
        db = sqlite3.connect(Path(self.server.data) / "baton.db", timeout=20)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def end(self):
        """The executions that nobody killed are killed, the rest comes to its end."""
        found = {}
        until = time.monotonic() + 120
        while time.monotonic() < until:
            rows = self.all_executions("&state=CREATED&state=RUNNING&state=KILLING")
            for row in rows:
                if row["flowId"] == "long":
                    self.server.delete(f"/api/v1/executions/{row['id']}/kill")
            if not rows:
                break
            time.sleep(0.1)
        for row in self.all_executions(""):
            found[row["id"]] = row
        return found

    def all_executions(self, more):
        rows, page = [], 1
        while True:
            answer = self.server.get(f"/api/v1/executions/search?size=1000&page={page}&namespace=crash{more}").json
            rows += answer["results"]
            if len(answer["results"]) < 1000:
                return rows
            page += 1

    def executions(self, found):
        ids = [exec_id for _, _, exec_id in self.clients.acknowledged.values()]
        self.expect(len(ids) == len(set(ids)), "two keys, one execution")
        for key, (flow, n, exec_id) in self.clients.acknowledged.items():
            row = found.get(exec_id)
            if not row:
                self.expect(False, f"{flow} {exec_id} ({key}) was acknowledged and is not there")
                continue
            state = row["state"]["current"]
            self.expect(state == ("KILLED" if flow == "long" else "SUCCESS"), f"{flow} {exec_id} is {state}")
            self.expect(row["inputs"].get("n") == n if n is not None else True, f"{exec_id}: other inputs")
            if flow == "quick":
                self.expect(row.get("outputs") == {"twice": f"{n}{2 * n}"}, f"{exec_id}: {row.get('outputs')}, n {n}")
        # One that was begun without an answer has a key that was asked again, or was the last of its client.
        extra = len(found) - len(ids)
        self.expect(0 <= extra <= 7, f"{extra} executions more than keys")
        for exec_id, number in self.clients.labelled.items():
            labels = [x for x in found[exec_id]["labels"] if x["key"] == "number"]
            self.expect(labels == [{"key": "number", "value": number}], f"{exec_id}: labels {labels}")

    def others(self):
        for key, values in self.clients.values.items():
            answer = self.server.get(f"/api/v1/namespaces/crash/kv/{key}")
            value = answer.json["value"] if answer.status == 200 else 0
            self.expect(value in values, f"key-value {key} is {value}, one of {values} was set")
        revisions = self.server.get("/api/v1/flows/crash/pushed/revisions").json
        numbers = [x["revision"] for x in revisions]
        self.expect(numbers == list(range(1, len(numbers) + 1)), f"revisions {numbers}")
        self.expect(self.clients.revisions <= len(numbers) <= self.clients.revisions + 1,
                    f"{len(numbers)} revisions, {self.clients.revisions} acknowledged")

    def counters(self, found):
        states = {}
        for row in found.values():
            states[row["state"]["current"]] = states.get(row["state"]["current"], 0) + 1
        daily = self.server.post("/api/v1/stats/executions/daily", {"namespace": "crash"}).json
        counted = {}
        for day in daily:
            for state, count in day["executionCounts"].items():
                if count:
                    counted[state] = counted.get(state, 0) + count
        self.expect(states == counted, f"stored {states}, counted {counted}")

    def rows(self):
        for table in ["events", "jobs", "timers"]:
            count = self.query(f"SELECT count(*) FROM {table}")[0][0]
            self.expect(count == 0, f"{count} rows are left in {table}")


def die(server, rng, is_point):
    """One life of the server, and its end."""
    if is_point:
        server.env["BATON_CRASH_AT"] = f"{rng.choice(SERVER_POINTS)}:{rng.randrange(1, 60)}"
    try:
        server.start()
    except AssertionError:
        if not is_point:
            raise
    server.env.pop("BATON_CRASH_AT", None)
    until = time.monotonic() + rng.uniform(0.02, 0.7)
    while time.monotonic() < until and server.process.poll() is None:
        time.sleep(0.005)
    server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    args = parser.parse_args()
    print(f"seed {args.seed}")
    rng = random.Random(args.seed)
    data = tempfile.mkdtemp(prefix="baton-crash-")
    server = Server(args.baton, data=data)
    server.start()
    for flow in FLOWS:
        server.push(flow)
    clients = Clients(server, args.seed)
    for thread in clients.threads:
        thread.start()
    server.kill()
    for i in range(args.kills):
        die(server, rng, i % 3 == 2)
    server.start()
    time.sleep(0.3)
    clients.is_over.set()
    for thread in clients.threads:
        thread.join()
    checks = Checks(server, clients)
    found = checks.end()
    checks.executions(found)
    checks.others()
    checks.counters(found)
    server.stop()
    checks.rows()
    print(f"{args.kills} kills, {len(clients.acknowledged)} executions acknowledged, {len(clients.killed)} killed, "
          f"{len(clients.labelled)} labelled, {clients.revisions} revisions")
    for text in checks.wrong:
        print("WRONG:", text)
    if checks.wrong:
        print(f"the data is in {data}")
        sys.exit(1)
    shutil.rmtree(data)


if __name__ == "__main__":
    main()
