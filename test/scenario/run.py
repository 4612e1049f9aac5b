#!/usr/bin/env python3
"""Runs scenarios (see README.md). Prints one line each and a closing count; exit 1 on a failure."""
import argparse
import base64
import concurrent.futures
import http.server
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from recount import recount  # noqa: E402
HANG_SECONDS = 120


class Mismatch(Exception):
    """What was expected and what was there."""


def matches(expected, actual):
    if isinstance(expected, dict) and len(expected) == 1:
        (key, want), = expected.items()
        if key == "contains":
            return str(want) in str(actual)
        if key == "regex":
            return re.search(want, str(actual)) is not None
        if key == "startsWith":
            return str(actual).startswith(want)
        if key == "any":
            return True
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            k in actual and matches(v, actual[k]) for k, v in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(
            matches(e, a) for e, a in zip(expected, actual))
    return expected == actual and isinstance(expected, bool) == isinstance(actual, bool)


def check(what, expected, actual):
    if not matches(expected, actual):
        raise Mismatch(f"{what}: expected {expected!r}, got {actual!r}")


class Program:
    """One start of the program; collects what it prints."""

    def __init__(self, args, mark, env):
        built = Path(args[0]).parent
        plugins = f"{built}/test/plugins:{built}/examples/plugins"
        env = dict(os.environ, BATON_SCENARIO=mark, BATON_PLUGINS=plugins, **env)
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=env)
        self.output = ""
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.output += line.decode(errors="replace")
                self.changed.notify_all()

    def wait_for(self, pattern):
        until = time.monotonic() + HANG_SECONDS
        with self.changed:
            while not re.search(pattern, self.output):
                if time.monotonic() > until or (self.process.poll() is not None
                                                and not self.reader.is_alive()):
                    raise Mismatch(f"{pattern!r} was never printed; output:\n{self.output}")
                self.changed.wait(0.05)

    def end(self):
        try:
            code = self.process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Mismatch(f"did not end within {HANG_SECONDS} s; output:\n{self.output}") from None
        self.reader.join(5)
        return code


def leftovers(mark):
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if f"BATON_SCENARIO={mark}".encode() in (entry / "environ").read_bytes():
                found.append((entry.name, (entry / "cmdline").read_bytes().replace(b"\0", b" ")))
        except OSError:
            continue
    return found


class Server:
    """Answers GET and POST of `pages`: {path: text, or {status, type, body, delay}}."""

    def __init__(self, pages):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                size = int(self.headers.get("Content-Length", 0))
                sent = self.rfile.read(size).decode()
                page = pages.get(self.path.split("?")[0], {"status": 404, "body": "not here"})
                page = page if isinstance(page, dict) else {"body": page}
                time.sleep(page.get("delay", 0))
                body = page["body"].replace("$BODY", sent).replace("$PATH", self.path).encode()
                self.send_response(page.get("status", 200))
                self.send_header("Content-Type", page.get("type", "text/plain"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # It did not wait.

            do_POST = do_GET

            def log_message(self, *args):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def surroundings(case, server):
    """Variables of the environment; secrets are written plain in the case."""
    env = dict(case.get("env") or {})
    for name, text in (case.get("secrets") or {}).items():
        env[f"SECRET_{name}"] = base64.b64encode(text.encode()).decode()
    if server:
        env["BATON_URL"] = server.url
    return env


def check_hidden(case, data):
    """No secret (of a length that is no accident) stands in the data directory in plain."""
    for name, text in (case.get("secrets") or {}).items():
        for path in data.rglob("*"):
            if len(text) >= 8 and path.is_file() and text.encode() in path.read_bytes():
                raise Mismatch(f"secret {name} stands in {path.name}")


def drive(baton, case, data, flow_path, mark):
    """Runs the program through everything that happens; gives exit code and all output."""
    args = [baton, "run", str(flow_path), "--data", str(data), *case.get("args", [])]
    for name, value in (case.get("inputs") or {}).items():
        args += ["-i", f"{name}={value}"]
    for name, content in (case.get("files") or {}).items():
        path = data.parent / f"{name}.txt"
        path.write_text(content)
        args += ["-f", f"{name}=@{path}"]
    server = Server(case["http"]) if "http" in case else None
    env = surroundings(case, server)
    program, output = Program(args, mark, env), ""
    for step in case.get("happens", []):
        if "wait" in step:
            program.wait_for(step["wait"])
        action = step.get("do")
        if action == "interrupt":
            program.process.send_signal(signal.SIGINT)
        elif action == "kill -9":
            program.process.kill()
            program.end()
            output += program.output
            program = Program([baton, "run", "--data", str(data), *case.get("args", [])], mark,
                              env)
        elif action:
            raise Mismatch(f"unknown action {action!r}")
    code = program.end()
    if server:
        server.stop()
    return code, output + program.output


class Stored:
    """The newest execution of a data directory, as it is stored."""

    def __init__(self, data):
        db = sqlite3.connect(data / "baton.db")
        row = db.execute("SELECT key, record, state FROM executions ORDER BY key DESC").fetchone()
        self.state, self.record, self.runs = None, {}, []
        if row:
            self.state, self.record = row[2], json.loads(row[1])
            for task, value, state, record in db.execute(
                    "SELECT task_id, value, state, record FROM task_runs WHERE exec=? ORDER BY n",
                    (row[0],)):
                self.runs.append((task, value, state, json.loads(record)))
        for table in ("events", "jobs", "timers"):
            count = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            if count:
                raise Mismatch(f"{count} rows are left in {table}")
        wrong = recount(db)
        if wrong:
            raise Mismatch(f"counters differ from a recount (stored, counted): {wrong}")
        db.close()

    def find(self, name):
        match = re.fullmatch(r"(.*?)\[(.*)\]", name)
        task, value = match.groups() if match else (name, None)
        runs = [r for r in self.runs if r[0] == task and (value is None or r[1] == value)]
        if not runs:
            raise Mismatch(f"no task run {name!r}; there are {[(r[0], r[1]) for r in self.runs]}")
        return runs[-1]


def check_tasks(expect, stored):
    for name, want in (expect.get("tasks") or {}).items():
        _, _, state, record = stored.find(name)
        if isinstance(want, str):
            want = {"state": want}
        if "state" in want:
            check(f"state of {name}", want["state"], state)
        if "states" in want:
            check(f"states of {name}", want["states"], [h[1] for h in record["h"]])
        if "attempts" in want:
            check(f"attempts of {name}", want["attempts"], len(record.get("a", [])))
        if "outputs" in want:
            check(f"outputs of {name}", want["outputs"], record.get("o", {}))
    names = [r[0] for r in stored.runs]
    for name in expect.get("absent", []):
        if name in names:
            raise Mismatch(f"{name!r} has run")
    order = expect.get("order")
    if order:
        check("order", order, [n for n in names if n in order])


def check_case(expect, code, output, data, seconds):
    for pattern in expect.get("output", []):
        if not re.search(pattern, output, re.M):
            raise Mismatch(f"{pattern!r} is not in the output")
    for pattern in expect.get("output_lacks", []):
        if re.search(pattern, output, re.M):
            raise Mismatch(f"{pattern!r} is in the output")
    state = expect.get("state")
    default = {None: 0, "SUCCESS": 0, "WARNING": 0}.get(state, 1)
    check("exit code", expect.get("exit", default), code)
    if "seconds_max" in expect and seconds > expect["seconds_max"]:
        raise Mismatch(f"took {seconds:.1f} s, more than {expect['seconds_max']}")
    if state is None:
        return
    stored = Stored(data)
    check("state", state, stored.state)
    if "task_runs" in expect:
        check("number of task runs", expect["task_runs"], len(stored.runs))
    if "outputs" in expect:
        check("flow outputs", expect["outputs"], stored.record.get("o", {}))
    if "labels" in expect:
        check("labels", expect["labels"], stored.record.get("lb", {}))
    check_tasks(expect, stored)


def run_case(baton, name, case):
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="baton-scenario-") as folder:
        flow = Path(folder) / "flow.yml"
        flow.write_text(case["flow"] if "flow" in case else (HERE / case["file"]).read_text())
        data = Path(folder) / "data"
        start, output = time.monotonic(), ""
        try:
            code, output = drive(baton, case, data, flow, mark)
            check_case(case.get("expect") or {}, code, output, data, time.monotonic() - start)
            check_hidden(case, data)
            left = leftovers(mark)
            if left:
                raise Mismatch(f"processes are left: {left}")
            return name, None
        except Mismatch as mismatch:
            return name, f"{mismatch}\n--- output:\n{output}"
        except Exception as error:  # pylint: disable=broad-except
            return name, f"{type(error).__name__}: {error}\n--- output:\n{output}"


def load(names):
    cases = []
    for path in sorted(HERE.glob("*.yaml")):
        if names and not any(n in path.name for n in names):
            continue
        for document in yaml.safe_load_all(path.read_text()):
            title = f"{path.stem}: {document['name']}"
            for index, extra in enumerate(document.get("cases") or [{}]):
                case = {**document, **extra}
                label = extra.get("name") or (str(index + 1) if extra else "")
                cases.append((f"{title} / {label}" if extra else title, case))
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    baton = str(Path(args.baton).resolve())
    cases = load(args.names)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, trouble in pool.map(lambda c: run_case(baton, *c), cases):
            print(("ok    " if trouble is None else "FAIL  ") + name, flush=True)
            if trouble:
                failed += 1
                print("      " + trouble.replace("\n", "\n      "), flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
