#!/usr/bin/env python3
"""Goal: remote workers and their server behave when the world does not: taken over, slow, stopped, wrong.

Method: real programs, one scene a case; what must be true is looked up in the database and in a file
of marks that the tasks write."""
import argparse
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cluster import Cluster, die

NAP = """
id: nap
namespace: test
tasks:
  - id: t
    type: shell%(more)s
    commands:
      - echo "begin $$ $(date +%%s%%N)" >> %(marks)s
      - sleep %(seconds)s
      - echo "end $$ $(date +%%s%%N)" >> %(marks)s
"""


class Mismatch(Exception):
    """What was expected and what was there."""


def check(what, good, seen=""):
    if not good:
        raise Mismatch(f"{what}{': ' + str(seen) if seen != '' else ''}")


class Scene:
    """A directory with a cluster, a flow and marks."""

    def __init__(self, baton, folder):
        self.baton, self.folder = baton, folder
        self.marks = folder / "marks"
        self.marks.touch()
        self.cluster = None

    def open(self, **more):
        self.cluster = Cluster(self.baton, self.folder, **more)
        self.cluster.start_server()
        return self.cluster

    def flow(self, seconds, more=""):
        path = self.folder / "flow.yml"
        path.write_text(NAP % {"marks": self.marks, "seconds": seconds, "more": more})
        return path

    def lives(self):
        """(begin, end or None) in seconds, of each attempt that wrote."""
        spans = {}
        for line in self.marks.read_text().splitlines():
            kind, pid, at = line.split()
            spans.setdefault(pid, {})[kind] = int(at) / 1e9
        return sorted((s["begin"], s.get("end")) for s in spans.values())

    def wait_lives(self, count, seconds=30):
        until = time.monotonic() + seconds
        while len(self.lives()) < count:
            check(f"{count} attempts never began", time.monotonic() < until, self.output()[-2000:])
            time.sleep(0.02)

    def output(self):
        return (self.folder / "log").read_text()

    def wait_said(self, text, seconds=20):
        until = time.monotonic() + seconds
        while text not in self.output():
            check(f"'{text}' is never said", time.monotonic() < until, self.output()[-2000:])
            time.sleep(0.05)


def rss_mb(process, key="VmHWM"):
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) // 1024
    return 0


# --- Dying ----------------------------------------------------------------------------------------


def case_takeover(scene):
    """The server dies; `baton run --data` waits until no worker can run the job any more."""
    cluster = scene.open(lost_ms=3000)
    cluster.start_worker()
    client = cluster.run(scene.flow(30))
    scene.wait_lives(1)
    check("there is no lease", (cluster.data / "worker.lease").read_text() == "3000")
    die(cluster.server)
    died = time.time()
    client.wait(20)
    taker = cluster.start("run", "--data", cluster.data)
    scene.wait_lives(2)
    check("it does not say so", "may still run on workers" in scene.output(), scene.output())
    again = scene.lives()[1][0]
    check("it did not wait for the lease", again - died > 2.9, again - died)
    check("it waited for ever", again - died < 6, again - died)
    left = subprocess.run(["pgrep", "-fx", "sleep 30"], capture_output=True, text=True, check=False).stdout.split()
    check("two attempts live", len(left) <= 1, left)
    check("the lease is left", not (cluster.data / "worker.lease").exists())
    taker.send_signal(signal.SIGTERM)
    taker.wait(20)
    return f"given out again {again - died:.1f} s after the server's death, lease 3 s"


def case_no_lease(scene):
    """Without remote workers nobody waits: the next one goes on at once."""
    cluster = scene.open(server_args=(), lost_ms=5000)
    cluster.run(scene.flow(2))
    scene.wait_lives(1)
    die(cluster.server)
    died = time.time()
    taker = cluster.start("run", "--data", cluster.data)
    check("exit code", taker.wait(30) == 0)
    check("it waited", scene.lives()[-1][0] - died < 2, scene.lives()[-1][0] - died)


def lost(scene, lost_ms, most):
    cluster = scene.open(lost_ms=lost_ms)
    first = cluster.start_worker()
    client = cluster.run(scene.flow(1))
    scene.wait_lives(1)
    cluster.start_worker()
    time.sleep(0.3)
    die(first)
    died = time.time()
    check("exit code", client.wait(30) == 0)
    took = scene.lives()[1][0] - died
    check("the job came elsewhere too late", took < most, f"{took:.2f} s")
    check("a lost attempt counts as a retry", cluster.query("SELECT state FROM task_runs") == [("SUCCESS",)])
    return f"elsewhere after {took:.2f} s (reach < {most} s)"


def case_lost_default(scene):
    """A worker dies: its job runs elsewhere within 6 s by default."""
    return lost(scene, 5000, 6)


def case_lost_fast(scene):
    """The same within 2 s when configured."""
    return lost(scene, 1000, 2)


def case_at_most_once(scene):
    """retryOnWorkerLoss: false fails instead, and `retry` does not count."""
    cluster = scene.open(lost_ms=1000)
    worker = cluster.start_worker()
    flow = scene.flow(20, "\n    retryOnWorkerLoss: false\n    retry: {type: constant, interval: PT0.1S, maxAttempts: 5}")
    client = cluster.run(flow)
    scene.wait_lives(1)
    cluster.start_worker()
    die(worker)
    check("exit code", client.wait(30) == 1)
    check("it ran again", len(scene.lives()) == 1)
    check("the reason is not said", "retryOnWorkerLoss" in scene.output(), scene.output())


def case_lost_is_no_attempt(scene):
    """Lost attempts do not use up retry.maxAttempts."""
    cluster = scene.open(lost_ms=800)
    flow = scene.flow(2, "\n    retry: {type: constant, interval: PT0.1S, maxAttempts: 1}")
    client = cluster.run(flow)
    for life in range(1, 4):
        worker = cluster.start_worker()
        scene.wait_lives(life)
        die(worker)
    cluster.start_worker()
    check("exit code", client.wait(40) == 0, scene.output()[-1500:])


def case_drain(scene):
    """SIGTERM: what runs ends within the grace time; else it is killed and runs elsewhere at once."""
    cluster = scene.open(lost_ms=20000)
    worker = cluster.start_worker(args=("--grace", "1"))
    client = cluster.run(scene.flow(3))
    scene.wait_lives(1)
    cluster.start_worker(args=("--grace", "10"))
    time.sleep(0.5)
    worker.send_signal(signal.SIGTERM)
    stopped = time.time()
    check("exit code of the worker", worker.wait(10) == 0)
    scene.wait_lives(2)
    again = scene.lives()[1][0] - stopped
    check("handed back too late", again < 3, again)
    check("not the grace time", again > 0.9, again)
    cluster.workers[1].send_signal(signal.SIGTERM)
    check("exit code", client.wait(20) == 0)
    check("the second one did not end by itself", scene.lives()[1][1])


def case_stopped_worker(scene):
    """A worker that stands still (SIGSTOP) is lost; when it goes on it kills its attempt before anything else."""
    cluster = scene.open(lost_ms=1500)
    worker = cluster.start_worker()
    client = cluster.run(scene.flow(2))
    scene.wait_lives(1)
    worker.send_signal(signal.SIGSTOP)
    cluster.start_worker()
    scene.wait_lives(2)
    worker.send_signal(signal.SIGCONT)
    check("exit code", client.wait(20) == 0)
    runs = cluster.query("SELECT count(*), min(state) FROM task_runs")
    check("task runs", runs == [(1, "SUCCESS")], runs)


def case_stopped_server(scene):
    """A server that stands still for longer than the lease gives nothing out twice."""
    cluster = scene.open(lost_ms=1500)
    cluster.start_worker()
    client = cluster.run(scene.flow(1))
    scene.wait_lives(1)
    cluster.server.send_signal(signal.SIGSTOP)
    time.sleep(3)
    cluster.server.send_signal(signal.SIGCONT)
    check("exit code", client.wait(30) == 0)
    lives = scene.lives()
    for (_, end), (begin, _) in zip(lives, lives[1:]):
        check("two lived at once", end is None or begin > end, lives)
    return f"{len(lives)} attempts"


# --- Volume ---------------------------------------------------------------------------------------

FLOOD = """
id: flood
namespace: test
tasks:
  - {id: t, type: shell, commands: ["yes %s | head -c 1000000000"]}
""" % ("x" * 100)


def case_flood(scene):
    """1 GB of logs from a remote worker: bounded memory on both sides, and nobody is given up."""
    cluster = scene.open(lost_ms=2000)
    worker = cluster.start_worker()
    flow = scene.folder / "flood.yml"
    flow.write_text(FLOOD)
    client = cluster.run(flow)
    check("exit code", client.wait(170) == 0, scene.output()[-1500:])
    server, there = rss_mb(cluster.server), rss_mb(worker)
    limit = 1000 if b"asan" in Path(f"/proc/{worker.pid}/maps").read_bytes() else 220
    check("memory", server < limit and there < limit, f"server {server} MB, worker {there} MB")
    check("the worker was given up", "is killed" not in scene.output())
    return f"peaks: server {server} MB, worker {there} MB"


def case_mute(scene):
    """1,000 connections that say nothing: workers still come, memory stays."""
    cluster = scene.open(lost_ms=2000)
    host, port = cluster.address.split(":")
    mute = []
    for _ in range(1000):
        try:
            mute.append(socket.create_connection((host, int(port)), 2))
        except OSError:
            break
    before = rss_mb(cluster.server, "VmRSS")
    cluster.start_worker()
    check("exit code", cluster.run(scene.flow(0)).wait(30) == 0, scene.output()[-1500:])
    check("memory", rss_mb(cluster.server, "VmRSS") - before < 100, rss_mb(cluster.server, "VmRSS"))
    for connection in mute:
        connection.close()
    return f"{len(mute)} connections"


# --- Addresses, names, tokens -----------------------------------------------------------------------


def case_addresses(scene):
    """Unix socket, IPv4 and IPv6; the token is a file of mode 0600."""
    good = 0
    for address in (f"unix:{scene.folder}/w.sock", "127.0.0.1:0", "[::1]:0"):
        if address.startswith("[") and not Path("/proc/net/if_inet6").exists():
            continue
        shutil.rmtree(scene.folder / "data", ignore_errors=True)
        cluster = Cluster(scene.baton, scene.folder)
        cluster.address = address
        cluster.start_server()
        scene.wait_said("workers connect to")
        cluster.address = scene.output().split("workers connect to ")[1].split()[0]
        mode = stat.S_IMODE(os.stat(cluster.data / "worker.token").st_mode)
        check("mode of the token", mode == 0o600, oct(mode))
        cluster.start_worker()
        check(f"exit code at {address}", cluster.run(scene.flow(0)).wait(30) == 0, scene.output())
        check("exit code", cluster.stop() == 0)
        good += 1
    return f"{good} addresses"


def case_refused(scene):
    """A wrong token ends the worker with words; two workers with one name are two workers."""
    cluster = scene.open()
    worker = cluster.start("worker", "--server", cluster.address, "--token", "wrong-wrong-wrong")
    check("exit code", worker.wait(20) == 1)
    check("the reason is not said", "the token is wrong" in scene.output(), scene.output())
    for _ in range(2):
        cluster.start_worker(args=("--group", "same"))
    flow = scene.flow(1, "\n    workerGroup: {key: same}")
    clients = [cluster.run(flow) for _ in range(12)]
    check("exit codes", [client.wait(30) for client in clients] == [0] * 12, scene.output()[-1500:])


FILES = r"""
id: files
namespace: test
tasks:
  - id: data
    type: shell
    outputFiles: [rows.ion]
    commands:
      - for i in $(seq 1 %(rows)s); do echo "{\"id\":$i}"; done > rows.ion
  - {id: some, type: storage.filter, from: "{{ outputs.data.outputFiles['rows.ion'] }}", filterCondition: "{{ id > 2 }}"}
  - {id: last, type: storage.deduplicate, from: "{{ outputs.some.uri }}", expr: "{{ id %% 2 }}"}
  - {id: back, type: storage.reverse, from: "{{ outputs.last.uri }}"}
  - {id: batches, type: storage.split, from: "{{ outputs.back.uri }}", rows: 1}
  - {id: whole, type: storage.concat, files: "{{ outputs.batches.uris }}"}
  - {id: text, type: return, format: "{{ read(outputs.whole.uri) }}"}
  - {id: files, type: storage.local_files, inputs: {a.txt: "{{ outputs.whole.uri }}"}, outputs: [a.txt]}
  - {id: gone, type: storage.delete, uri: "{{ outputs.whole.uri }}", errorOnMissing: true}
  - {id: missing, type: storage.delete, uri: "{{ outputs.whole.uri }}"}
  - {id: up, type: namespace.upload, filesMap: {a/x.ion: "{{ outputs.last.uri }}", b.txt: "{{ outputs.last.uri }}"}}
  - {id: down, type: namespace.download, namespace: test, files: ["a/*.ion"]}
  - {id: lines, type: log.fetch, level: DEBUG}
  - {id: away, type: namespace.delete, namespace: test, files: ["**"]}
  - {id: set, type: state.set, data: {a: 1}}
  - {id: get, type: state.get, errorOnMissing: true}
  - {id: forget, type: state.delete, errorOnMissing: true}
  - {id: clean, type: storage.purge_execution}
  - id: check
    type: assert
    conditions:
      - "{{ outputs.text.value | startsWith('{\"id\":10}') }}"
      - "{{ outputs.text.value | length == 19 }}"
      - "{{ outputs.missing.deleted == false }}"
      - "{{ outputs.get.data.a == 1 }}"
      - "{{ outputs.down.files | keys | first == '/a/x.ion' }}"
      - "{{ outputs.down.files | length == 1 }}"
      - "{{ outputs.clean.uris | length == 9 }}"
"""


def case_files(scene):
    """Tasks on files run on a worker elsewhere; nothing is left of their files."""
    cluster = scene.open()
    cluster.start_worker()
    flow = scene.folder / "files.yml"
    flow.write_text(FILES % {"rows": 10})
    check("exit code", cluster.run(flow).wait(60) == 0, scene.output()[-2000:])
    left = [path for path in (cluster.data / "storage").rglob("*") if path.is_file()]
    check("files are left", not left, left)


def case_files_killed(scene):
    """A task on a file that a worker elsewhere runs ends when its execution is killed."""
    cluster = scene.open()
    cluster.start_worker()
    flow = scene.folder / "files.yml"
    flow.write_text((FILES % {"rows": 2000}).replace("{{ id > 2 }}", "{% for i in 1..20000 %}{{ i }}{% endfor %}"))
    client = cluster.run(flow)
    check("it never ran", cluster.wait_for("SELECT count(*) FROM task_runs WHERE task_id = 'some' AND state = 'RUNNING'",
                                           [(1,)]), scene.output()[-2000:])
    asked = time.time()
    client.send_signal(signal.SIGINT)
    client.wait(20)
    check("it was not killed", cluster.wait_for("SELECT state FROM executions", [("KILLED",)], 20),
          scene.output()[-2000:])
    check("it took too long", time.time() - asked < 5, time.time() - asked)
    return f"{(time.time() - asked) * 1000:.0f} ms from the kill to its end"


def case_group(scene):
    """A task waits, and says so, for a group that has no worker; tags choose among workers."""
    cluster = scene.open(lost_ms=1000)
    cluster.start_worker()
    client = cluster.run(scene.flow(0, "\n    workerGroup: {key: gpu, tags: [eu]}"))
    time.sleep(2)
    check("it ran without its worker", not scene.lives())
    cluster.start_worker(args=("--group", "gpu"))
    time.sleep(1)
    check("it ran without its tag", not scene.lives())
    cluster.start_worker(args=("--group", "gpu", "--tags", "us,eu"))
    check("exit code", client.wait(20) == 0)


CASES = [value for name, value in list(globals().items()) if name.startswith("case_")]


def run_case(case, baton):
    with tempfile.TemporaryDirectory(prefix="baton-remote-") as name:
        scene = Scene(baton, Path(name))
        begin = time.monotonic()
        try:
            note, good = case(scene) or "", True
            check("a sanitizer found something", "Sanitizer" not in scene.output(), scene.output()[-3000:])
        except (Mismatch, subprocess.TimeoutExpired, OSError) as why:
            note, good = str(why), False
        for process in [scene.cluster.server, *scene.cluster.workers] if scene.cluster else []:
            process.send_signal(signal.SIGCONT)
            die(process)
        print(f"{'ok   ' if good else 'FAIL '} {case.__name__[5:]} ({time.monotonic() - begin:.1f} s) {note}", flush=True)
        return good


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("names", nargs="*", help="cases, e.g. takeover drain")
    args = parser.parse_args()
    baton = str(Path(args.baton).resolve())
    results = [run_case(case, baton) for case in CASES if not args.names or case.__name__[5:] in args.names]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) and results else 1


if __name__ == "__main__":
    sys.exit(main())
