"""What no honest client sends, to every route of the OpenAPI document; slow clients; crowds."""
import json
import random
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from baton import quote

FLOW = "id: a\nnamespace: b.c\ntasks:\n- {id: t, type: log, message: x}\n"
# Raw, as they go into a path or a query.
BAD_VALUES = ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2f", "%2F%2F", "%00", "a%00b", "%c0%af", "%c0%ae%c0%ae",
              "%e0%80%af", "%ff%fe", "%ed%a0%80", "%f8%88%80%80%80", "%", "%zz", "%u0041", "a%0d%0aX: y", "%7f", "%20",
              "'%20OR%201=1--", "%3Cscript%3E", "{{7*7}}", "$(id)", "%5c..%5c", "a" * 3000, "%F0%9F%92%A9", "-1",
              "99999999999999999999", "NaN", "null", "true", "[]", "%7B%7D", "main", "actions"]
BAD_BODIES = [b"", b"\x00", b"\xff\xfe\x00\x00", b"{", b"[" * 100000, b'{"a":' * 5000, b'"\\ud800"', b"nul", b"[1,]",
              b'{"a":1,"a":2}', b"1e999999", b"-" * 1000, b"&a [*a]", b"a: &x [*x, *x]", b"%PDF", b"\xef\xbb\xbf{}",
              b'[{"namespace":{},"id":[]}]', b'[null]', b'{"keys":null}', b'{"executionsId":[{}],"executionLabels":7}',
              b"--\r\n", b"id: a\n---\n---\n\x01", "\u0000\u202e".encode(), b"x" * 1_000_000]
TYPES = ["application/json", "application/x-yaml", "text/plain", "multipart/form-data; boundary=bb",
         "multipart/form-data", "application/x-www-form-urlencoded", "\xff/\xfe", ""]
SLOW_OK = {"/api/v1/events"}  # Streams: an answer comes, its end does not.


def operations(server):
    document = server.get("/api/v1/openapi.json").json
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def status(answer):
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(found[1]) if found else None


def ask(server, method, target, body=b"", kind="application/json"):
    """One request as raw bytes; gives its status, None when the server only closed."""
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        if body or method in ("POST", "PUT", "PATCH"):
            head += f"Content-Length: {len(body)}\r\n"
        if kind:
            head += f"Content-Type: {kind}\r\n"
        try:
            connection.sendall(head.encode("latin-1") + b"\r\n" + body)
        except OSError:
            pass  # Refused before it was sent whole.
        try:
            return status(connection.recv(65536))
        except ConnectionResetError:
            return None


def alive(server):
    assert server.get("/health").json["status"] == "UP"


def fill(path, value, own="a"):
    """The path with one of its parameters bad, the others harmless: once for each of them."""
    names = re.findall(r"\{([^}]+)\}", path)
    for bad in names:
        out = path
        for name in names:
            out = out.replace("{%s}" % name, value if name == bad else own)
        yield out


def test_paths(server):
    server.push(FLOW)
    count = 0
    for method, path, _ in operations(server):
        for value in BAD_VALUES:
            for target in fill(path, value):
                if method == "GET" and target.rstrip("/") in SLOW_OK:
                    continue
                got = ask(server, method, target)
                assert got is None or got < 500 and got != 101, (method, target, got)
                count += 1
    assert count > 2000, count
    assert server.get("/api/v1/flows/b.c/a").status == 200
    alive(server)


def test_queries(server):
    server.push(FLOW)
    server.run("b.c", "a")
    for method, path, operation in operations(server):
        target = re.sub(r"\{[^}]+\}", "a", path)
        if target in SLOW_OK:
            continue
        names = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
        for name in [*names, "filters[labels][EQUALS]", "filters[", "filters[x]", "unknown", "page", "size", "sort"]:
            for value in BAD_VALUES[::3]:
                got = ask(server, method, f"{target}?{quote(name)}={value}")
                assert got is not None and got < 500, (method, target, name, value, got)
    alive(server)


def test_bodies(server):
    server.push(FLOW)
    for method, path, _ in operations(server):
        if method == "GET":
            continue
        target = re.sub(r"\{[^}]+\}", "a", path)
        for index, body in enumerate(BAD_BODIES):
            got = ask(server, method, target, body, TYPES[index % len(TYPES)])
            assert got is None or got < 500, (method, target, body[:40], got)
    for kind in TYPES:
        for body in BAD_BODIES[:8]:
            got = ask(server, "POST", "/api/v1/executions/b.c/a", body, kind)
            assert got is None or got < 500, (kind, body[:40], got)
    alive(server)
    assert server.is_sanitized or server.rss_mb() < 250


def test_no_text(server):
    """Bytes that are no text never get into a record: the execution would not be readable."""
    server.push("id: a\nnamespace: b.c\ninputs: [{id: a, type: STRING, required: false}]\n"
                "tasks:\n- {id: t, type: log, message: x}\n")
    for name, file_name, value in [(b"a", None, b"\xff\xfe"), (b"\xff", None, b"x"), (b"a", b"\xc0\xaf", b"x"),
                                   (b"a", None, b"\xed\xa0\x80")]:
        extra = b'; filename="' + file_name + b'"' if file_name else b""
        body = (b'--bb\r\nContent-Disposition: form-data; name="' + name + b'"' + extra + b"\r\n\r\n" + value +
                b"\r\n--bb--\r\n")
        assert ask(server, "POST", "/api/v1/executions/b.c/a", body, "multipart/form-data; boundary=bb") == 422, body
    for method, path in [("POST", "/api/v1/flows"), ("PUT", "/api/v1/namespaces/b.c/kv/k"),
                         ("POST", "/api/v1/executions/latest"), ("POST", "/api/v1/flows/validate/task")]:
        assert ask(server, method, path, b'"\xff"') == 422, path
    assert server.get("/api/v1/executions/search").json["total"] == 0
    nul = b'--bb\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\0y\r\n--bb--\r\n'
    assert ask(server, "POST", "/api/v1/executions/b.c/a?wait=true", nul, "multipart/form-data; boundary=bb") == 200
    found = server.get("/api/v1/executions/search").json
    assert found["results"][0]["inputs"] == {"a": "x\0y"}, found


def test_methods(server):
    seen = {}
    for method, path, _ in operations(server):
        seen.setdefault(re.sub(r"\{[^}]+\}", "a", path), set()).add(method)
    for target, methods in seen.items():
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get"]:
            if method in methods or method == "HEAD" and "GET" in methods:
                continue
            got = ask(server, method, target)
            assert got is not None and got < 500, (method, target, got)
    alive(server)


def test_noise(server):
    """Requests with bytes changed at random: seeded."""
    rng = random.Random(11)
    seed = (b"POST /api/v1/executions/b.c/a?wait=true&labels=a:b HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
            b"multipart/form-data; boundary=bb\r\nContent-Length: 77\r\n\r\n--bb\r\nContent-Disposition: form-data; "
            b'name="a"\r\n\r\nvalue\r\n--bb--\r\n')
    for _ in range(300):
        data = bytearray(seed)
        for _ in range(rng.randrange(1, 12)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        server.raw(bytes(data[:rng.randrange(10, len(data) + 1)]), timeout=0.02)
    alive(server)


def test_slow_clients(server):
    """Headers, or a body, byte by byte: closed after the limit, whatever comes in between."""
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 1000
    body = b"POST /api/v1/flows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    slow = []
    for prefix in [b"", b"G", body]:
        one = socket.create_connection((server.host, server.port), timeout=10)
        one.sendall(prefix)
        slow.append(one)
    begin, closed = time.monotonic(), {}
    while len(closed) < len(slow) and time.monotonic() - begin < 20:
        for index, one in enumerate(slow):
            if index in closed:
                continue
            try:
                one.send(head[len(closed):][:1])
                one.settimeout(0.01)
                if not one.recv(1000):
                    closed[index] = time.monotonic() - begin
            except TimeoutError:
                pass
            except OSError:
                closed[index] = time.monotonic() - begin
        time.sleep(0.1)
        alive(server)
    for one in slow:
        one.close()
    assert len(closed) == 3, closed
    assert closed[0] < 6 and closed[1] < 6 and 2 < closed[2] < 10, closed
    # An honest one is not hurried.
    honest = socket.create_connection((server.host, server.port), timeout=10)
    for _ in range(3):
        honest.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert honest.recv(1000).startswith(b"HTTP/1.1 200")
        time.sleep(1)
    honest.close()


test_slow_clients.env = {"BATON_HTTP_HEADERS_S": "2", "BATON_HTTP_BODY_S": "4"}


def test_crowd(server):
    """20,000 connections: as many as are allowed are served, the others are told so."""
    crowds = [subprocess.Popen([sys.executable, Path(__file__).with_name("crowd.py"), server.host, str(server.port),
                                "10000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
              for _ in range(2)]
    begin = time.monotonic()
    opened = [json.loads(crowd.stdout.readline()) for crowd in crowds]
    rss = server.rss_mb()
    for crowd in crowds:
        crowd.stdin.write("ask\n")
        crowd.stdin.flush()
    seen = [json.loads(crowd.stdout.readline()) for crowd in crowds]
    total = {key: sum(one[key] for one in seen) for key in seen[0]}
    print(opened, total, f"{rss:.0f} -> {server.rss_mb():.0f} MB, {time.monotonic() - begin:.1f} s")
    assert total["odd"] == 0 and total["answered"] >= 1000, total
    # Nobody waits in vain for a word.
    assert total["silent"] <= 0.02 * sum(one["open"] for one in opened), total
    assert server.is_sanitized or server.rss_mb() < 400
    for crowd in crowds:
        crowd.stdin.close()
        crowd.wait(60)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            alive(server)
            break
        except (OSError, ValueError):
            time.sleep(0.2)
    alive(server)
