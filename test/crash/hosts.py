#!/usr/bin/env python3
"""Goal: no kill of a plugin host, or of the zygote that forks them, hurts more than the attempts it ran.

Method: a real server whose own worker runs tasks of plugins (a shared object, an executable, HTTP requests,
files) in loops; every task may be tried again. `kill -9` at random moments (seeded) and at named points: a
host that runs, a host that is idle, a host just born, the zygote (bt-warden), all hosts at once, the server with
its worker; sometimes a host is stopped (SIGSTOP) first. A killed server is started again, and of its hosts none
may outlive it. At the end: every execution is SUCCESS and every task run there once; no more
attempts have failed than were killed; no row is left in events, jobs and timers; the server has as many
descriptors as before, runs as many tasks at once as before, and no process, directory or file is left."""
import argparse
import http.server
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SLOTS = 6
FLOW = """
id: hosts
namespace: test
tasks:
  - id: each
    type: foreach
    values: "{{ range(1, %(items)d) }}"
    concurrencyLimit: 0
    tasks:
      - id: echo
        type: sample.echo
        text: "{{ taskrun.value }}"
        retry: &again {type: constant, interval: PT0.02S, maxAttempts: 100}
      - id: words
        type: wordcount.count
        text: "one two {{ outputs.echo[taskrun.value].value }}"
        retry: *again
      - id: ask
        type: http.request
        uri: http://127.0.0.1:%(port)d/{{ taskrun.value }}
        retry: *again
      - id: keep
        type: http.download
        uri: http://127.0.0.1:%(port)d/{{ taskrun.value }}
        retry: *again
      - id: count
        type: sample.count
        from: "{{ outputs.keep[taskrun.value].uri }}"
        retry: *again
"""
WARM = """
id: warm
namespace: test
tasks:
  - {id: a, type: sample.echo, text: warm}
  - {id: b, type: wordcount.count, text: warm}
"""


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.002)
        body = b'{"n":1}\n{"n":2}\n'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # It was killed.

    def log_message(self, *_):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def serve():
    server = Quiet(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


# --- Processes -------------------------------------------------------------------------------------


def read(path):
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        found += [int(word) for word in read(task / "children").split()]
    return found


def name_of(pid):
    return read(f"/proc/{pid}/comm").strip()


def zygotes(server):
    return [pid for pid in children(server) if name_of(pid) == "bt-warden"]


def hosts(server):
    return [pid for zygote in zygotes(server) for pid in children(zygote)]


def is_idle(pid):
    """A host of a shared object waits for an order in recvmsg(); the executable for a line."""
    return read(f"/proc/{pid}/wchan").startswith(("unix_stream", "sock_")) or "S (" in read(f"/proc/{pid}/stat")


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def is_alive(pid):
    return name_of(pid) != "" and ") Z " not in read(f"/proc/{pid}/stat")


class Killer:
    def __init__(self, server, rng):
        self.server, self.rng, self.counts = server, rng, {}

    def pick(self, wanted):
        found = [pid for pid in hosts(self.server) if wanted(pid)]
        return self.rng.choice(found) if found else None

    def newborn(self):
        """Waits for a process that was not there: it dies while it loads its plugin."""
        before, until = set(hosts(self.server)), time.monotonic() + 0.2
        while time.monotonic() < until:
            new = set(hosts(self.server)) - before
            if new:
                return new.pop()
        return None

    def strike(self):
        """One kill; which point it was, or None when nothing was there to kill."""
        point = self.rng.choices(("any", "idle", "busy", "newborn", "stopped", "zygote", "all"),
                                 (6, 3, 3, 3, 2, 2, 1))[0]
        if point == "zygote":
            pids = zygotes(self.server)
        elif point == "all":
            pids = hosts(self.server)
        elif point == "newborn":
            pids = [self.newborn()]
        elif point in ("idle", "busy"):
            pids = [self.pick(lambda pid: is_idle(pid) == (point == "idle"))]
        else:
            pids = [self.pick(lambda pid: True)]
        if point == "stopped" and pids[0] and kill(pids[0], signal.SIGSTOP):
            time.sleep(self.rng.uniform(0, 0.05))
        dead = sum(kill(pid) for pid in pids if pid)
        if dead:
            self.counts[point] = self.counts.get(point, 0) + dead
        return dead


# --- The case --------------------------------------------------------------------------------------


class Case:
    def __init__(self, args, folder):
        self.args, self.folder, self.wrong = args, folder, []
        self.data, self.baton = folder / "data", str(Path(args.baton).resolve())
        self.log = open(folder / "log", "w", encoding="utf-8")  # pylint: disable=consider-using-with
        examples = Path(self.baton).parent / "examples" / "plugins"
        self.env = dict(os.environ, BATON_PLUGINS=str(examples))
        self.start_server()

    def start_server(self):
        (self.data / "control.sock").unlink(missing_ok=True)  # A killed server's: it is not ready by it.
        self.server = subprocess.Popen([self.baton, "server", "--data", str(self.data), "-j", str(SLOTS)],
                                       env=self.env, stdout=self.log, stderr=self.log)
        until = time.monotonic() + 20
        while not (self.data / "control.sock").exists() and time.monotonic() < until:
            time.sleep(0.01)

    def kill_server(self):
        family = zygotes(self.server.pid) + hosts(self.server.pid)
        self.server.kill()
        self.server.wait()
        until = time.monotonic() + 5
        while time.monotonic() < until and any(map(is_alive, family)):
            time.sleep(0.01)
        self.expect(not any(map(is_alive, family)), "hosts outlived their server")
        self.start_server()

    def submit(self, flow):
        return subprocess.Popen([self.baton, "run", str(flow), "--data", str(self.data), "-q"], env=self.env,
                                stdout=self.log, stderr=self.log)

    def query(self, sql):
        with sqlite3.connect(self.data / "baton.db", timeout=20) as db:
            return db.execute(sql).fetchall()

    def expect(self, holds, text):
        if not holds:
            self.wrong.append(text)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    def warm(self):
        """A flow that brings up zygote and hosts, so that there is something to compare with."""
        flow = self.folder / "warm.yml"
        flow.write_text(WARM, encoding="utf-8")
        self.expect(self.submit(flow).wait(60) == 0, "the warm flow failed")
        time.sleep(0.2)

    def wait_drained(self):
        until = time.monotonic() + 240
        while time.monotonic() < until:
            if self.query("SELECT count(*) FROM executions WHERE is_drained=0")[0][0] == 0:
                return
            time.sleep(0.1)
        self.wrong.append("executions never ended")

    def storm(self, rng, port):
        flow = self.folder / "flow.yml"
        flow.write_text(FLOW % {"items": self.args.items, "port": port}, encoding="utf-8")
        killer, kills, clients = Killer(self.server.pid, rng), 0, []
        while (kills < self.args.kills or len(clients) < self.args.executions) and self.server.poll() is None:
            if sum(client.poll() is None for client in clients) < 2:
                clients.append(self.submit(flow))
            time.sleep(rng.uniform(0, 0.06))
            if rng.randrange(40) == 0:
                self.kill_server()
                killer.server = self.server.pid
                killer.counts["server"] = killer.counts.get("server", 0) + 1
                kills += 1
            kills += killer.strike()
        for client in clients:
            client.wait(300)
        self.wait_drained()
        return killer.counts, self.query("SELECT count(*) FROM executions WHERE flow_id='hosts'")[0][0]

    def check_tasks(self, count, counts):
        states = self.query("SELECT state, count(*) FROM executions WHERE flow_id='hosts' GROUP BY 1")
        self.expect(states == [("SUCCESS", count)], f"executions ended as {states}")
        runs = self.query("SELECT t.state, count(*) FROM task_runs t JOIN executions e ON t.exec = e.key "
                          "WHERE e.flow_id='hosts' GROUP BY 1")
        self.expect(runs == [("SUCCESS", count * (1 + 5 * self.args.items))], f"task runs: {runs}")
        attempts = [attempt[2] for (record,) in self.query("SELECT record FROM task_runs")
                    for attempt in json.loads(record).get("a", [])]
        failed = len(attempts) - attempts.count("SUCCESS")
        most = sum(counts.values()) + (counts.get("zygote", 0) + counts.get("server", 0)) * SLOTS
        self.expect(0 < failed <= most, f"{failed} attempts failed, at most {most} were killed")
        for table in ("events", "jobs", "timers"):
            left = self.query(f"SELECT count(*) FROM {table}")[0][0]
            self.expect(left == 0, f"{left} rows are left in {table}")

    def check_machine(self, descriptors):
        """Before the server stops: what was lent is back."""
        work = [str(p) for p in (self.data / "work").glob("w-*/*")]
        self.expect(len(work) <= 3 * SLOTS, f"working directories: {len(work)}")
        files = [str(p) for p in (self.data / "work").glob("w-*/*/*")]
        self.expect(not files, f"files in working directories: {files[:3]}")
        now = self.descriptors()
        # Each of at most SLOTS idle hosts has a socket and two pipes.
        self.expect(now <= descriptors + 3 * SLOTS, f"{now} descriptors, {descriptors} before")
        stopped = [pid for pid in hosts(self.server.pid) if ") T " in read(f"/proc/{pid}/stat")]
        self.expect(not stopped, f"stopped hosts: {stopped}")
        flow = self.folder / "last.yml"  # All slots work, at once.
        flow.write_text("id: last\nnamespace: test\ntasks:\n  - id: p\n    type: parallel\n    tasks:\n" + "".join(
            f"      - {{id: t{i}, type: shell, commands: ['sleep 1']}}\n" for i in range(SLOTS)), encoding="utf-8")
        begin = time.monotonic()
        self.expect(self.submit(flow).wait(60) == 0, "the last flow failed")
        self.expect(time.monotonic() - begin < 1.9, "not all slots work any more")

    def stop(self):
        self.server.send_signal(signal.SIGTERM)
        self.expect(self.server.wait(60) == 0, "the server did not stop cleanly")
        left = [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid() and
                str(self.folder) in read(f"/proc/{pid}/environ") + read(f"/proc/{pid}/cmdline")]
        self.expect(not left, f"processes are left: {[(p, name_of(p)) for p in left]}")
        work = [str(p) for p in (self.data / "work").glob("*")]
        self.expect(not work, f"left in work: {work}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--executions", type=int, default=8)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20261124)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="baton-hosts-") as name:
        case = Case(args, Path(name))
        case.warm()
        descriptors = case.descriptors()
        counts, executions = case.storm(random.Random(args.seed), serve())
        case.check_tasks(executions, counts)
        case.check_machine(descriptors)
        case.stop()
        print(f"{sum(counts.values())} kills {json.dumps(counts)}, {executions} executions, "
              f"{executions * args.items * 5} tasks of plugins")
        for line in case.wrong[:20]:
            print("WRONG: " + line)
        if case.wrong:
            print((case.folder / "log").read_text(encoding="utf-8")[-3000:])
        print(f"{0 if case.wrong else 1} passed, {1 if case.wrong else 0} failed")
        return 1 if case.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
