"""A real server and real workers that a test starts, kills and looks at."""
import os
import signal
import socket
import sqlite3
import subprocess
import time

# Where BATON_CRASH_AT=NAME:N lets a process die (src/base/crash.h).
SERVER_POINTS = ["commit", "committed", "submitted", "spilled", "result", "result-handed", "lease-held", "welcomed"]
WORKER_POINTS = ["job-taken", "job-started", "job-ended", "sent", "acked"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """Workers are killed and started by their place in the list."""

    def __init__(self, baton, folder, lost_ms=1500, server_args=("--no-worker",)):
        self.baton, self.folder, self.data = baton, folder, folder / "data"
        self.address = f"127.0.0.1:{free_port()}"
        self.times = ["--heartbeat-ms", str(max(lost_ms // 7, 50)), "--lost-ms", str(lost_ms)]
        self.server_args = list(server_args)
        self.server, self.workers = None, []
        self.log = open(folder / "log", "w")  # pylint: disable=consider-using-with

    def start(self, *args, point=None):
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        if point:
            env["BATON_CRASH_AT"] = point
        return subprocess.Popen([self.baton, *map(str, args)], stdout=self.log, stderr=self.log, env=env)

    def start_server(self, point=None):
        """Again while a `baton run` that found no server has taken the directory over."""
        until = time.monotonic() + 120
        self.try_server(point)
        while self.server.poll() == 1 and time.monotonic() < until:
            time.sleep(0.1)
            self.try_server(point)

    def try_server(self, point):
        (self.data / "control.sock").unlink(missing_ok=True)  # A killed server's: it is not ready by it.
        self.server = self.start("server", "--data", self.data, "--worker-listen", self.address, *self.server_args,
                                 *self.times, point=point)
        until = time.monotonic() + 20
        while not (self.data / "control.sock").exists() and self.server.poll() is None and time.monotonic() < until:
            time.sleep(0.01)

    def start_worker(self, index=None, point=None, args=()):
        while not (self.data / "worker.token").exists():
            time.sleep(0.01)
        place = len(self.workers) if index is None else index
        worker = self.start("worker", "--server", self.address, "--token-file", self.data / "worker.token",
                            "-j", "6", "--work", self.folder / f"work{place}", *args, point=point)
        if index is None:
            self.workers.append(worker)
        else:
            self.workers[index] = worker
        return worker

    def run(self, flow, *args):
        """Starts an execution and does not wait for it."""
        return self.start("run", flow, "--data", self.data, "-q", *args)

    def stop(self):
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait(30)
        self.server.send_signal(signal.SIGTERM)
        return self.server.wait(30)

    def query(self, sql):
        db = sqlite3.connect(self.data / "baton.db", timeout=20)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def wait_for(self, sql, want, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                if self.query(sql) == want:
                    return True
            except sqlite3.OperationalError:
                pass  # Not there yet.
            time.sleep(0.02)
        return False


def die(process):
    """kill -9, unless it has died by itself."""
    process.kill()
    process.wait()
