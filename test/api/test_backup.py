"""Online backup and restore: everything that was acknowledged before is there, and goes on."""
import json
import os
import subprocess
import tempfile
import threading
from pathlib import Path

from baton import Server

FLOW = """id: work
namespace: demo
inputs: [{id: data, type: FILE, required: false}]
tasks:
  - {id: a, type: log, message: "hello"}
  - {id: b, type: shell, commands: ["echo out > out.txt"], outputFiles: [out.txt]}
"""
LONG = "id: long\nnamespace: demo\ntasks: [{id: t, type: sleep, duration: PT2S}, {id: u, type: log, message: after}]\n"


def baton(server, *args, code=0):
    done = subprocess.run([server.baton, *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    return done.stdout + done.stderr


def test_backup(server):
    server.push(FLOW)
    server.push(LONG)
    before = [server.form("/api/v1/executions/demo/work?wait=true",
                          files=[("data", "in.txt", b"x" * 1000)]).json["id"] for _ in range(5)]
    long = server.form("/api/v1/executions/demo/long").json["id"]
    stop = threading.Event()

    def load():
        while not stop.is_set():
            server.form("/api/v1/executions/demo/work")
    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    with tempfile.TemporaryDirectory() as folder:
        copy, again = f"{folder}/copy", f"{folder}/again"
        try:
            assert "backed up" in baton(server, "backup", copy, "--data", server.data)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        manifest = json.loads(Path(copy, "MANIFEST.json").read_text())
        assert {"baton.db", "secret.key", "api.token"} <= set(manifest["files"])
        assert os.stat(copy).st_mode & 0o777 == 0o700
        assert "not empty" in baton(server, "backup", copy, "--data", server.data, code=1)
        assert "restored" in baton(server, "restore", copy, "--data", again)
        with Server(server.baton, data=again) as other:
            for ident in before:
                old, new = (s.get(f"/api/v1/executions/{ident}").json for s in (server, other))
                assert old == new and new["state"]["current"] == "SUCCESS"
                assert other.get(f"/api/v1/logs/{ident}").json == server.get(f"/api/v1/logs/{ident}").json
            events = list(other.stream(f"/api/v1/executions/{long}/follow"))
            assert json.loads(events[-1][2])["state"]["current"] == "SUCCESS"
        # A damaged backup is refused, and nothing is left behind.
        with open(f"{copy}/baton.db", "r+b") as file:
            file.seek(100)
            file.write(b"\xff")
        assert "damaged" in baton(server, "restore", copy, "--data", f"{folder}/third", code=1)
        assert not [name for name in os.listdir(folder) if name.startswith("third")]
        os.unlink(f"{copy}/secret.key")
        baton(server, "restore", copy, "--data", f"{folder}/third", code=1)
        assert "no backup" in baton(server, "restore", server.data, "--data", f"{folder}/third", code=1)
        baton(server, "backup", f"{folder}/x", "--data", f"{folder}/absent", code=1)
        assert not os.path.exists(f"{folder}/x")
