#!/usr/bin/env python3
"""Goal: the examples in the manifests of our own types work as they stand there.

Method: each example of plugins/*/plugin.json is the task of a flow. All are validated; those with `expect` are
run. Beside `source` an example may have `inputs` (values by name), `before` (a task that comes first), and in
`expect`: `state` (SUCCESS), `outputs` (a part of the task's; {"contains"}, {"startsWith"} and {"any"} match) and
`logs` (texts that are whole lines of the log). Addresses at example.com lead to a server of this test, which
answers with what it was sent; `first` is a flow that is run before it, on the same data; what holds only there is called `check` instead of `expect`. Every type has an example; what is only validated is counted, and must not grow."""
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

BATON = str(Path(sys.argv[1]).resolve())
ROOT = Path(__file__).resolve().parents[2]
ONLY_VALID_MAX = 3  # A ten seconds' sleep, a secret, a trigger.


class Echo(http.server.BaseHTTPRequestHandler):
    def answer(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = f'"{self.command} {self.path}"\n'.encode() + sent
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def indent(source):
    lines = source.rstrip("\n").split("\n")
    return "\n".join(("  - " if i == 0 else "    ") + line for i, line in enumerate(lines)) + "\n"


def flow_of(example, is_trigger, address):
    inputs = "".join(f"  - {{id: {name}, type: {'INT' if isinstance(value, int) else 'STRING'}, "
                     f"defaults: {json.dumps(value)}}}\n" for name, value in example.get("inputs", {}).items())
    text = "id: example\nnamespace: plugin.test\n" + ("inputs:\n" + inputs if inputs else "")
    source = example["source"].replace("https://example.com", address)
    if is_trigger:
        return text + "triggers:\n" + indent(source) + "tasks:\n  - {id: a, type: log, message: x}\n"
    before = indent(example["before"]) if "before" in example else ""
    task = re.match(r"id: (\S+)\n", source).group(1)
    return (text + "tasks:\n" + before + indent(source) +
            f"outputs:\n  - {{id: all, type: STRING, value: \"{{{{ (outputs.{task} ?? null) | toJson }}}}\"}}\n")


def matches(want, got):
    if isinstance(want, dict) and len(want) == 1 and next(iter(want)) in ("contains", "startsWith", "any"):
        kind, part = next(iter(want.items()))
        return got is not None and (kind == "any" or (part in got if kind == "contains" else got.startswith(part)))
    if isinstance(want, dict):
        return isinstance(got, dict) and all(matches(part, got.get(key)) for key, part in want.items())
    return want == got


def check(example, flow):
    expect = example.get("expect") or example.get("check") or {}
    data = ["--data", str(flow.parent / "data")] if "first" in example else []
    if data:
        first = flow.with_name("first.yml")
        first.write_text(example["first"], encoding="utf-8")
        subprocess.run([BATON, "run", str(first), *data], capture_output=True, timeout=60, check=True)
    done = subprocess.run([BATON, "run", str(flow), "--json", *data], capture_output=True, text=True, timeout=60, check=False)
    state = re.findall(r"^(SUCCESS|WARNING|FAILED|KILLED) in ", done.stderr, re.M)
    assert state == [expect.get("state", "SUCCESS")], done.stderr
    lines = [line.rsplit(" | ", 1)[-1] for line in done.stderr.splitlines()]
    for text in expect.get("logs", []):
        assert text in lines, f"'{text}' is not in the log:\n{done.stderr}"
    if "outputs" in expect:
        got = json.loads(json.loads(done.stdout)["all"])
        assert matches(expect["outputs"], got), f"outputs: {got}"


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    os.environ["BATON_PLUGINS"] = ""
    run, valid, wrong = 0, 0, []
    with tempfile.TemporaryDirectory(prefix="baton-examples-") as name:
        flow = Path(name) / "flow.yml"
        for path in sorted((ROOT / "plugins").glob("*/plugin.json")):
            for entry in json.loads(path.read_text(encoding="utf-8"))["types"]:
                if not entry.get("examples"):
                    wrong.append(f"{entry['name']}: no example")
                for example in entry.get("examples", []):
                    flow.write_text(flow_of(example, entry["exec"] == "trigger", address), encoding="utf-8")
                    try:
                        done = subprocess.run([BATON, "validate", str(flow)], capture_output=True, text=True,
                                              timeout=60, check=False)
                        assert done.returncode == 0, done.stdout + done.stderr
                        if "expect" in example or "check" in example:
                            check(example, flow)
                            run += 1
                        else:
                            valid += 1
                    except AssertionError as error:
                        wrong.append(f"{entry['name']}: {example['title']}: {error}")
    if valid > ONLY_VALID_MAX:
        wrong.append(f"{valid} examples are only validated")
    print("\n".join(wrong + [f"{run} run, {valid} only validated, {len(wrong)} wrong"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
