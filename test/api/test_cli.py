"""`baton flow` and `baton exec` against a server: over its local socket, and over TCP."""
import json
import subprocess
import tempfile
import time
from pathlib import Path

FLOW = """id: greet
namespace: demo.cli
inputs: [{id: name, type: STRING, defaults: you}, {id: data, type: FILE, required: false}]
tasks:
  - {id: say, type: log, message: "hello {{ inputs.name }}"}
outputs: [{id: who, type: STRING, value: "{{ inputs.name }}"}]
"""


def baton(server, *args, code=0, over=None, env=None):
    done = subprocess.run([server.baton, *args, *(over or ["--data", server.data])],
                          capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == code, (args, done)
    return done.stdout + done.stderr


def test_flows_and_executions(server):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "greet.yml"
        file.write_text(FLOW)
        assert "demo.cli.greet revision 1" in baton(server, "flow", "push", str(file))
        file.write_text(FLOW + "description: x\n")
        assert "revision 2" in baton(server, "flow", "push", str(file))
        bad = Path(folder) / "bad.yml"
        bad.write_text("id: a b\nnamespace: c\ntasks: []\n")
        assert "must match" in baton(server, "flow", "push", str(bad), code=2)
        assert "greet" in baton(server, "flow", "list", "-n", "demo")
        assert baton(server, "flow", "get", "demo.cli.greet") == FLOW + "description: x\n"
        assert baton(server, "flow", "get", "demo.cli", "greet", "-r", "1") == FLOW
        out = baton(server, "exec", "start", "demo.cli", "greet", "-i", "name=Ada", "-l", "a=b, c",
                    "-f", f"data=@{file}", "-w")
        assert "hello Ada" in out and "SUCCESS" in out and '"Ada"' in out, out
        ident = out.split()[0]
        shown = json.loads(baton(server, "exec", "get", ident))
        assert {"key": "a", "value": "b, c"} in shown["labels"]
        assert shown["inputs"]["data"].endswith("/greet.yml")
        assert "INFO hello Ada" in baton(server, "exec", "logs", ident)
        assert ident in baton(server, "exec", "list", "--flow", "greet", "-n", "demo.cli")
        assert "Not Found" in baton(server, "exec", "get", "nope", code=1)
        assert "did you mean" in baton(server, "exec", "wath", code=2)
        assert "deleted" in baton(server, "flow", "delete", "demo.cli", "greet")


def test_over_tcp_with_a_token(server):
    url = ["-s", f"http://127.0.0.1:{server.port}"]
    assert "token" in baton(server, "flow", "list", code=1, over=url)
    token = Path(server.data, "api.token").read_text().strip()
    assert "NAMESPACE" in baton(server, "flow", "list", over=url + ["--token", token])


test_over_tcp_with_a_token.args = ("--bind", "0.0.0.0")


def test_kill(server):
    server.push("id: long\nnamespace: demo\ntasks: [{id: t, type: sleep, duration: PT1H}]\n")
    ident = baton(server, "exec", "start", "demo", "long").strip()
    baton(server, "exec", "kill", ident)
    assert "KILLED" in baton(server, "exec", "watch", ident, code=1)


def test_acts(server):
    server.push("""id: asks
namespace: demo.cli
inputs: [{id: name, type: STRING, defaults: you}]
tasks:
  - id: ask
    type: pause
    onResume: [{id: why, type: STRING}, {id: paper, type: FILE, required: false}]
  - {id: say, type: return, format: "{{ inputs.name }} {{ outputs.ask.onResume.why }}"}
  - {id: check, type: fail, condition: "{{ outputs.ask.onResume.why == 'no' }}"}
""")
    server.push("""id: sleeps
namespace: demo.cli
concurrency: {limit: 1, behavior: QUEUE}
tasks: [{id: t, type: sleep, duration: PT60S}]
""")

    def state(ident, want):
        for _ in range(500):
            found = json.loads(baton(server, "exec", "get", ident))
            if found["state"]["current"] == want:
                return found
            time.sleep(0.01)
        raise AssertionError((want, found))

    def start(flow, want):
        ident = baton(server, "exec", "start", "demo.cli", flow).split()[0]
        state(ident, want)
        return ident

    first = start("asks", "PAUSED")
    assert "`why`" in baton(server, "exec", "resume", first, code=2)
    with tempfile.NamedTemporaryFile() as paper:
        assert baton(server, "exec", "resume", first, "-i", "why=no",
                     "-f", f"paper=@{paper.name}") == ""
    state(first, "FAILED")
    assert "not paused" in baton(server, "exec", "resume", first, "-i", "why=x", code=2)
    assert baton(server, "exec", "restart", first).startswith(f"{first} ")
    state(first, "FAILED")
    assert baton(server, "exec", "change-state", first, "WARNING") == f"{first} WARNING\n"
    assert "neither" in baton(server, "exec", "change-state", first, "SUCCESS", "--task", "x",
                              code=2)
    assert baton(server, "exec", "change-state", first, "SUCCESS", "--task", "check").startswith(
        first)
    state(first, "SUCCESS")
    again = baton(server, "exec", "replay", first, "--from", "say", "-i", "name=Ada").strip()
    runs = {run["taskId"]: run for run in state(again, "FAILED")["taskRunList"]}
    assert runs["say"]["outputs"]["value"] == "Ada no"
    whole = baton(server, "exec", "replay", first, "-r", "1").strip()
    assert state(whole, "PAUSED")["parentId"] == first
    running, queued, third = (start("sleeps", want) for want in ("RUNNING", "QUEUED", "QUEUED"))
    assert baton(server, "exec", "force-run", queued) == f"{queued} RUNNING\n"
    assert baton(server, "exec", "unqueue", third, "--state", "CANCELLED").startswith(third)
    state(third, "CANCELLED")
    assert baton(server, "exec", "pause", running, queued) == ""
    state(running, "PAUSED"), state(queued, "PAUSED")
    assert third in baton(server, "exec", "pause", third, running, code=2)
    assert "which execution" in baton(server, "exec", "pause", code=2)
    assert "STATE" in baton(server, "exec", "change-state", first, code=2)
