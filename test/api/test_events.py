"""Our stream of deltas: what is sent, in which order, and how one goes on after a break."""
import http.client
import json
import threading
import time
from pathlib import Path

SLOW = """id: slow
namespace: demo
tasks:
  - {id: a, type: shell, commands: ["for i in 1 2 3; do echo line $i; sleep 0.1; done"]}
  - id: each
    type: foreach
    values: [x, y]
    tasks: [{id: b, type: log, message: "{{ taskrun.value }}"}]
"""


class Tail(threading.Thread):
    """Collects the events of a stream until `stop` says so."""

    def __init__(self, server, topics, last=None):
        super().__init__(daemon=True)
        headers = {"Last-Event-ID": last} if last else {}
        self.events = []
        self.stream = server.stream(f"/api/v1/events?topics={topics}", headers=headers)
        self.first = next(self.stream)
        self.start()

    def run(self):
        try:
            for ident, kind, data in self.stream:
                self.events.append((ident, kind, json.loads(data)))
        except (OSError, http.client.HTTPException):
            pass

    def wait(self, kind, count=1, seconds=10):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = [data for _, name, data in list(self.events) if name == kind]
            if len(found) >= count:
                return found
            time.sleep(0.01)
        raise AssertionError(f"no {count} events {kind}: {self.events}")


def test_lines_as_they_come(server):
    """Lines between which nothing else changes are sent when they are written."""
    server.push("id: drip\nnamespace: demo\ntasks:\n  - id: a\n    type: shell\n    commands:\n"
                "      - for i in 1 2 3 4; do echo line $i; until [ -e " + server.data +
                "/gate$i ]; do sleep 0.02; done; done\n")
    begun = server.form("/api/v1/executions/demo/drip").json
    tail = Tail(server, f"logs:{begun['id']}")
    for number in range(1, 5):
        assert len(tail.wait("log", number)) == number
        (Path(server.data) / f"gate{number}").touch()
    tail.wait("end")


def test_execution(server):
    server.push(SLOW)
    begun = server.form("/api/v1/executions/demo/slow").json
    tail = Tail(server, f"execution:{begun['id']},logs:{begun['id']}")
    assert tail.first[1] == "hello"
    ends = tail.wait("end", 2)
    assert sorted(end["topic"] for end in ends) == [f"execution:{begun['id']}", f"logs:{begun['id']}"]
    states = [data["state"]["current"] for data in tail.wait("execution")]
    assert states[-1] == "SUCCESS"
    whole = server.get(f"/api/v1/executions/{begun['id']}").json
    runs = {run["id"]: run for run in tail.wait("run")}
    assert runs == {run["id"]: run for run in whole["taskRunList"]}
    lines = tail.wait("log", 5)
    assert [line["line"] for line in lines] == [0, 1, 2, 3, 4]
    assert [line["message"] for line in lines] == ["line 1", "line 2", "line 3", "x", "y"]
    # Already over: the end comes at once; and lines from where one was.
    late = Tail(server, f"execution:{begun['id']},logs:{begun['id']}:3")
    late.wait("end", 2)
    assert [line["line"] for line in late.wait("log")] == [3, 4]


def test_list(server):
    server.push("id: one\nnamespace: demo\ntasks: [{id: t, type: log, message: x}]\n")
    tails = [Tail(server, "executions") for _ in range(20)]
    began = time.monotonic()
    done = server.run("demo", "one")
    for tail in tails:
        row = tail.wait("execution")[-1]
        assert row["id"] == done["id"] and "taskRunList" not in row
    assert time.monotonic() - began < 5
    # More than a list wants to hear: a gap, then new ones again.
    for _ in range(8):
        threads = [threading.Thread(target=lambda: [server.run("demo", "one", query="wait=false")
                                                    for _ in range(60)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if any(kind == "gap" for _, kind, _ in tails[0].events):
            break
    last = server.run("demo", "one")["id"]
    deadline = time.monotonic() + 10
    while not any(kind == "execution" and data["id"] == last for _, kind, data in tails[0].events):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_resume(server):
    server.push("id: one\nnamespace: demo\ntasks: [{id: t, type: log, message: x}]\n")
    first = Tail(server, "executions")
    server.run("demo", "one")
    first.wait("execution")
    time.sleep(0.3)
    seen = first.events[-1][0]
    # What happened meanwhile is told again, and what happens from now on.
    missed = [server.run("demo", "one")["id"] for _ in range(3)]
    again = Tail(server, "executions", last=seen)
    assert again.first[1] == "hello"
    missed.append(server.run("demo", "one")["id"])
    told = [data["id"] for data in again.wait("execution", 4)]
    assert sorted(set(told)) == sorted(missed), (told, missed)
    assert not any(kind == "gap" for _, kind, _ in again.events)
    # The id is of another server: a gap, so that the page fetches again.
    for last in ("00000000-7", "rubbish"):
        late = Tail(server, "executions", last=last)
        late.wait("gap")


def test_refused(server):
    for topics in ("", "nope", "execution:absent", "logs:absent", "logs:0000000000000000000000",
                   "execution:", ",".join(["execution:x"] * 40)):
        assert server.get(f"/api/v1/events?topics={topics}").status in (404, 422), topics
