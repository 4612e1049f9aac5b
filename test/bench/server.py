#!/usr/bin/env python3
"""Measures a server over HTTP against limits of the same run; `make bench-server`. Needs wrk (Debian's).

Usage: test/bench/server.py [--baton build/baton] [--followers 5000] [--idle SECONDS]"""
import argparse
import json
import os
import re
import resource
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "api"))
from baton import Server  # noqa: E402

FLOW = "id: one\nnamespace: bench\ntasks: [{id: t, type: log, message: x}]\n"


def row(what, value, reach, is_reached):
    print(f"{what:58} {value:>26}   {reach:30} {'ok' if is_reached else 'MISS'}", flush=True)


def start_time(baton):
    times = []
    for _ in range(7):
        with tempfile.TemporaryDirectory() as data:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            began = time.monotonic()
            process = subprocess.Popen([baton, "server", "--data", data, "--port", str(port)],
                                       stdout=subprocess.DEVNULL)
            while True:
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                        connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
                        if b"UP" in connection.recv(4096):
                            break
                except OSError:
                    time.sleep(0.0005)
            times.append((time.monotonic() - began) * 1000)
            process.terminate()
            process.wait()
    return statistics.median(times)


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk(server, path, seconds=4, post=False):
    script = []
    if post:
        file = Path(server.data) / "post.lua"
        file.write_text('wrk.method = "POST"\n')
        script = ["-s", str(file)]
    done = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}", *script,
                           f"http://127.0.0.1:{server.port}{path}"], capture_output=True, text=True, check=True)
    assert "Non-2xx" not in done.stdout, done.stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


def fsync_ms(folder):
    times = []
    with open(Path(folder) / "sync", "wb") as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            began = time.monotonic()
            os.fsync(file.fileno())
            times.append((time.monotonic() - began) * 1000)
    return statistics.median(times)


def count(server, query=""):
    return server.get(f"/api/v1/executions/search?size=1{query}").json["total"]


def throughput(server):
    before, began = count(server), time.monotonic()
    wrk(server, "/api/v1/executions/bench/one", seconds=5, post=True)
    total = count(server)
    while count(server, "&state=SUCCESS") < total:
        time.sleep(0.01)
    return (total - before) / (time.monotonic() - began)


def latency(server):
    times = []
    connection = socket.create_connection((server.host, server.port))
    request = b"POST /api/v1/executions/bench/one?wait=true HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    for _ in range(300):
        time.sleep(0.005)
        began = time.monotonic()
        connection.sendall(request)
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
        times.append((time.monotonic() - began) * 1000)
    connection.close()
    return statistics.median(times)


def followers(server, wanted):
    limit = min(wanted + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    before, sockets = server.rss_mb(), []
    selector = selectors.EpollSelector()
    for _ in range(wanted):
        connection = socket.create_connection((server.host, server.port))
        connection.sendall(b"GET /api/v1/events?topics=executions HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
        sockets.append(connection)
    time.sleep(3)

    def drain(until, mark):
        left = set(sockets)
        while left and time.monotonic() < until:
            for key, _ in selector.select(0.05):
                data = key.fileobj.recv(65536)
                if mark in data or not data:
                    left.discard(key.fileobj)
        return left
    drain(time.monotonic() + 10, b"hello")
    held = server.rss_mb() - before
    best = None
    for _ in range(3):
        ident = json.loads(server.post("/api/v1/executions/bench/one").body)["id"].encode()
        began = time.monotonic()
        left = drain(began + 20, ident)
        assert not left, f"{len(left)} followers never heard of it"
        took = (time.monotonic() - began) * 1000
        best = took if best is None else min(best, took)
        time.sleep(0.5)
    for connection in sockets:
        connection.close()
    return held, best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--followers", type=int, default=5000)
    parser.add_argument("--idle", type=float, default=10)
    options = parser.parse_args()
    baton = str(Path(options.baton).resolve())
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed: apt-get install wrk")
    ms = start_time(baton)
    row("start to healthy", f"{ms:.1f} ms", "< 50 ms", ms < 50)
    size = os.path.getsize(baton) / 1e6
    row("binary", f"{size:.1f} MB", "< 12 MB", size < 12)
    with Server(baton) as server:
        server.push(FLOW)
        rss, cpu = server.rss_mb(), cpu_seconds(server.process.pid)
        row("idle RSS", f"{rss:.1f} MB", "< 25 MB", rss < 25)
        time.sleep(options.idle)
        load = (cpu_seconds(server.process.pid) - cpu) / options.idle * 100
        row(f"idle CPU over {options.idle:.0f} s", f"{load:.2f} %", "< 0.2 %", load < 0.2)
        p50, sync = latency(server), fsync_ms(server.data)
        row("POST until the only task has run, p50", f"{p50:.2f} ms", f"< 1.5 ms + 2 x {sync:.2f} ms",
            p50 < 1.5 + 2 * sync)
        rate = throughput(server)
        row("one-task executions over HTTP until all SUCCESS", f"{rate:,.0f} /s", ">= 5,000 /s", rate >= 5000)
        ident = server.run("bench", "one")["id"]
        hello, get = wrk(server, "/ping"), wrk(server, f"/api/v1/executions/{ident}")
        row("GET of an execution, of the hello-world rate", f"{get:,.0f} /s = {get / hello:.2f}", ">= 0.60",
            get / hello >= 0.6)
    with Server(baton) as server:
        server.push(FLOW)
        held, took = followers(server, options.followers)
        row(f"{options.followers} followers: memory", f"{held:.1f} MB", "< 100 MB", held < 100)
        row(f"{options.followers} followers: an event reaches all", f"{took:.0f} ms", "< 200 ms", took < 200)


if __name__ == "__main__":
    main()
