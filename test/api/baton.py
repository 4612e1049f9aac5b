"""A Baton server for tests, and a client that sends exactly what a test says."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path


class Server:
    """A server over a directory of its own; stopped and cleaned up at the end of `with`."""

    def __init__(self, baton, data=None, args=(), env=None):
        self.baton = str(baton)
        self.own = data is None
        self.is_sanitized = any(part in self.baton for part in ("asan", "tsan"))
        self.data = data or tempfile.mkdtemp(prefix="baton-api-")
        self.args = list(args)
        self.env = dict(os.environ, **(env or {}))
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        if self.own:
            shutil.rmtree(self.data, ignore_errors=True)

    def start(self):
        self.log = open(Path(self.data) / "server.log", "ab+")
        begin = self.log.seek(0, os.SEEK_END)
        self.process = subprocess.Popen(
            [self.baton, "server", "--data", self.data, "--port", "0", *self.args],
            stdout=self.log, stderr=subprocess.STDOUT, env=self.env)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            text = Path(self.log.name).read_bytes()[begin:].decode(errors="replace")
            found = re.search(r"ready at http://(\[?[^\s\]]+\]?):(\d+)", text)
            if found:
                self.host, self.port = found[1].strip("[]"), int(found[2])
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise AssertionError(f"the server did not start: {text}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the server did not stop in 30 s")
            assert code == 0, f"the server ended with {code}: {self.output()}"
        elif self.process:
            raise AssertionError(f"the server had ended: {self.output()}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def output(self):
        return Path(self.log.name).read_text(errors="replace")[-4000:]

    def rss_mb(self):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    # --- Requests ---------------------------------------------------------------------------------

    def call(self, method, path, body=None, headers=None, timeout=30):
        """One request; gives an Answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path, **keys):
        return self.call("GET", path, **keys)

    def post(self, path, body=None, **keys):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            keys.setdefault("headers", {}).setdefault("Content-Type", "application/json")
        return self.call("POST", path, body=body, **keys)

    def put(self, path, body=None, **keys):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            keys.setdefault("headers", {}).setdefault("Content-Type", "application/json")
        return self.call("PUT", path, body=body, **keys)

    def delete(self, path, **keys):
        return self.call("DELETE", path, **keys)

    def form(self, path, fields=(), files=()):
        """Fields: (name, text). Files: (name, file name, bytes)."""
        boundary = "x7f3b5a1d"
        out = b""
        for name, text in fields:
            out += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
                    ).encode()
        for name, file_name, content in files:
            out += (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
                    f'filename="{file_name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
                    ).encode() + content + b"\r\n"
        out += f"--{boundary}--\r\n".encode()
        return self.post(path, out,
                         headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})

    def raw(self, data, timeout=5):
        """Bytes as they are; gives all that comes back until the server closes or falls silent."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as connection:
            connection.sendall(data)
            out = b""
            try:
                while chunk := connection.recv(65536):
                    out += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return out

    def stream(self, path, timeout=20, headers=None):
        """Server-sent events as (id, event, data), until the server ends the stream."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        event = {}
        for line in response:
            line = line.decode().rstrip("\n")
            if not line and event:
                yield event.get("id"), event.get("event"), event.get("data")
                event = {}
            elif line and not line.startswith(":"):
                key, _, value = line.partition(": ")
                event[key] = event[key] + "\n" + value if key in event else value
        connection.close()

    # --- What most tests do -----------------------------------------------------------------------

    def push(self, source):
        answer = self.post("/api/v1/flows", source)
        assert answer.status == 200, answer
        return answer.json

    def run(self, namespace, flow, fields=(), query="wait=true"):
        answer = self.form(f"/api/v1/executions/{namespace}/{flow}?{query}", fields)
        assert answer.status == 200, answer
        return answer.json


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"{self.status} {self.headers.get('Content-Type')} {self.body[:600]!r}"


def quote(text):
    return urllib.parse.quote(text, safe="")
