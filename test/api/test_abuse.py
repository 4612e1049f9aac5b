"""Broken, hostile and slow clients: a clear refusal, bounded memory, and the server goes on."""
import random
import socket
import threading
import time

SIMPLE = "id: simple\nnamespace: demo\ntasks: [{id: t, type: log, message: x}]\n"


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


def alive(server):
    assert server.get("/health").status == 200


def test_paths(server):
    server.push(SIMPLE)
    for path in ["/api/v1/flows/demo/..", "/api/v1/flows/demo/%2e%2e", "/api/v1/flows/..%2f../x",
                 "/api/v1/flows/demo/a%2fb", "/api/v1/executions/..%2f..", "/api/v1//flows///search",
                 "/api/v1/flows/demo/" + "x" * 5000, "/" + "a/" * 2000, "/api/v1/main/main/flows"]:
        answer = server.get(path)
        assert answer.status in (200, 404, 414, 422), (path, answer)
    for path in ["/api/v1/flows/%00", "/api/v1/flows/%ff%fe/x", "/api/v1/flows/%c0%af/x",
                 "/api/v1/flows/%/x", "/api/v1/flows/%zz/x", "/api/v1/flows/search?q=%ff",
                 "/api/v1/flows/search?%00=1"]:
        assert server.get(path).status == 422, path
    assert server.call("PATCH", "/api/v1/flows/demo/simple").status == 405
    answer = server.call("PUT", "/health")
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD", answer
    assert server.call("HEAD", "/health").body == b""
    assert server.call("BREW", "/health").status in (405, 501)
    alive(server)


def test_requests(server):
    for text in [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 100,
                 b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"POST /api/v1/flows HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
                 b"POST /api/v1/flows HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"GET /health HTTP/1.1\r\n" + b"X: " + b"y" * 100000 + b"\r\n\r\n",
                 b"GET /health HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"]:
        server.raw(text, timeout=0.3)
        alive(server)
    noise = random.Random(7)
    for _ in range(100):
        server.raw(bytes(noise.randrange(256) for _ in range(noise.randrange(1, 300))), timeout=0.01)
    alive(server)


def test_framing(server):
    """A request must not hide behind another, whatever a proxy before us reads."""
    hidden = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /api/v1/flows/validate HTTP/1.1\r\nHost: localhost\r\n"
    for text in [b"Content-Length: 3\r\nContent-Length: 45\r\n\r\nid:",
                 b"content-length: 3\r\nCONTENT-LENGTH: 3\r\n\r\nid:",
                 b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
                 b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]:
        answer = server.raw(head + text + hidden, timeout=2)
        assert status(answer) == 400 and b"pong" not in answer, (text, answer)
    plain = server.raw(head + b"Content-Length: 3\r\n\r\nid:" + hidden, timeout=0.5)
    assert status(plain) == 200 and plain.endswith(b"pong"), plain
    alive(server)


def test_sizes(server):
    head = b"POST /api/v1/flows HTTP/1.1\r\nHost: localhost\r\n"
    answer = server.raw(head + b"Content-Length: 900000000\r\n\r\n", timeout=2)
    assert status(answer) == 413 and b"bytes" in answer, answer
    # Without a length it has to be taken, but is not kept.
    before = server.rss_mb()
    with socket.create_connection((server.host, server.port)) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        for _ in range(64):
            connection.sendall(chunk)
        connection.sendall(b"0\r\n\r\n")
        assert status(connection.recv(65536)) == 413
    assert server.is_sanitized or server.rss_mb() < before + 40
    big = server.post("/api/v1/flows", SIMPLE + "description: |\n" + "  x\n" * 2000000)
    assert big.status in (413, 422), big
    alive(server)


def test_forms(server):
    server.push("id: f\nnamespace: demo\ninputs: [{id: a, type: STRING, required: false}]\n"
                "tasks: [{id: t, type: log, message: x}]\n")
    url = "/api/v1/executions/demo/f"
    kind = {"Content-Type": "multipart/form-data; boundary=bb"}
    for body in [b"", b"--bb", b"--bb\r\n\r\n\r\n--bb--", b"--bb\r\nContent-Disposition: form-data\r\n\r\nx\r\n--bb--\r\n",
                 b"x" * 100000, b"--bb\r\n" * 10000,
                 b'--bb\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\xfe\r\n--bb--\r\n']:
        answer = server.post(url, body, headers=kind)
        assert answer.status in (200, 422), (body[:50], answer)
    assert server.post(url, b"x", headers={"Content-Type": "multipart/form-data"}).status == 422
    many = server.form(url, [("a", "x")] * 3000)
    assert many.status == 413, many
    assert server.form(url, [("a", "x" * 20_000_000)]).status == 413
    assert server.post(url).status == 200
    alive(server)


def test_hosts_and_origins(server):
    # A page of another site, or a name that points here, must not drive the server.
    assert server.get("/api/v1/configs", headers={"Host": "evil.example"}).status == 403
    assert server.get("/health", headers={"Host": "evil.example"}).status == 200
    for host in ["127.0.0.1.evil.example", "127.0.0.1.evil.example:80", "127.evil", "localhost.evil.example",
                 "evil-localhost", "127.0.0.1@evil.example", "0x7f.1", "[::1].evil.example"]:
        assert server.get("/api/v1/configs", headers={"Host": host}).status == 403, host
        both = {"Host": host, "Origin": "http://" + host}
        assert server.post("/api/v1/flows", SIMPLE, headers=both).status == 403, host
    for host in ["LOCALHOST", "localhost:99", "127.0.0.1", "127.3.2.1:8", "[::1]", "[::1]:80", "a.Localhost"]:
        assert server.get("/api/v1/configs", headers={"Host": host}).status == 200, host
    for headers in [{"Origin": "http://evil.example"}, {"Origin": "null"},
                    {"Sec-Fetch-Site": "cross-site"}]:
        assert server.post("/api/v1/flows", SIMPLE, headers=headers).status == 403, headers
    own = f"http://{server.host}:{server.port}"
    assert server.post("/api/v1/flows", SIMPLE, headers={"Origin": own}).status == 200


def test_token(server):
    # Bound beyond loopback: nothing but health without the token.
    assert server.get("/health").status == 200
    refused = server.get("/api/v1/flows/search")
    assert refused.status == 401 and "Basic" in refused.headers["WWW-Authenticate"], refused
    token = open(server.data + "/api.token").read().strip()
    assert server.get("/api/v1/flows/search", headers={"Authorization": "Bearer " + token}).status == 200
    import base64
    basic = base64.b64encode(b"any@one.x:" + token.encode()).decode()
    assert server.get("/api/v1/flows/search", headers={"Authorization": "Basic " + basic}).status == 200
    for wrong in ["Bearer x", "Bearer " + token + "x", "Bearer " + token[:-1], "Basic !!", "Basic ", "x"]:
        assert server.get("/api/v1/flows/search", headers={"Authorization": wrong}).status == 401, wrong
    import os
    assert os.stat(server.data + "/api.token").st_mode & 0o777 == 0o600


test_token.args = ("--bind", "0.0.0.0")


def test_many_connections(server):
    idle = []
    try:
        for _ in range(1500):
            idle.append(socket.create_connection((server.host, server.port), timeout=5))
    except OSError:
        pass  # This process may not have more descriptors.
    assert len(idle) > 200
    alive(server)
    for connection in idle[::2]:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
    alive(server)
    assert server.is_sanitized or server.rss_mb() < 120
    for connection in idle:
        connection.close()
    alive(server)


def test_overload(server):
    server.push(SIMPLE)
    seen = []

    def work():
        for _ in range(40):
            seen.append(server.form("/api/v1/executions/demo/simple").status)
    threads = [threading.Thread(target=work) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 960 and set(seen) <= {200, 429}, set(seen)
    total = server.get("/api/v1/executions/search?size=1").json["total"]
    assert total == seen.count(200)


def test_gone_clients(server):
    server.push("id: slow\nnamespace: demo\ntasks: [{id: t, type: sleep, duration: PT0.5S}]\n")
    for _ in range(20):
        begun = server.form("/api/v1/executions/demo/slow").json
        for path in [f"/api/v1/executions/{begun['id']}/follow", f"/api/v1/logs/{begun['id']}/follow"]:
            with socket.create_connection((server.host, server.port)) as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with socket.create_connection((server.host, server.port)) as connection:
            connection.sendall(b"POST /api/v1/executions/demo/slow?wait=true HTTP/1.1\r\n"
                               b"Host: localhost\r\nContent-Length: 0\r\n\r\n")
    time.sleep(1)
    alive(server)
