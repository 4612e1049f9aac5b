"""Servers for the tests of the http plugin: HTTP, TLS, HTTP/2, a unix socket, proxies. Only Python's own
library; every server listens on a free port of 127.0.0.1 and runs in threads of the test."""
import base64
import email.parser
import email.policy
import gzip
import hashlib
import http.server
import json
import os
import select
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
import time
import urllib.parse
import zlib

COUNTS = {}  # Requests by id, for /flaky.
NONCE = "d6a1f2"
BROTLI = b"\x0b\x05\x80hello world\x03"
ZSTD = b"\x28\xb5\x2f\xfd\x20\x0b\x59\x00\x00hello world"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        super().setup()
        Handler.connections += 1
        self.connection_id = Handler.connections

    def log_message(self, *args):
        pass

    def send(self, code, body=b"", headers=()):
        names = {n.lower() for n, _ in headers}
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in names and "transfer-encoding" not in names:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_json(self, value, code=200):
        self.send(code, json.dumps(value).encode(), [("Content-Type", "application/json")])

    def read_body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = {k: v[-1] for k, v in urllib.parse.parse_qs(url.query).items()}
        self.url, self.body = url, self.read_body()
        name = url.path.strip("/").split("/")[0].split(".")[0] or "echo"
        getattr(self, "do_" + name, self.missing)()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_PURGE = handle_any

    def missing(self):
        self.send(404, b"nothing here")

    def do_echo(self):
        self.send_json({
            "method": self.command, "path": self.url.path, "query": self.url.query,
            "headers": [[n.lower(), v] for n, v in self.headers.items()],
            "body": self.body.decode("utf-8", "replace"), "sum": hashlib.md5(self.body).hexdigest(),
            "connection": self.connection_id})

    def do_status(self):
        self.send(int(self.query["code"]), b"the reason", [("X-Twice", "a"), ("x-twice", "b")])

    def do_redirect(self):
        code, left = int(self.query.get("code", 302)), int(self.query.get("n", 1))
        to = self.query.get("to", "/echo")
        if left > 1:
            to = f"/redirect?code={code}&n={left - 1}&to={urllib.parse.quote(to)}"
        self.send(code, b"moved", [("Location", to), ("Set-Cookie", "seen=1; Path=/")])

    def do_slow(self):
        time.sleep(float(self.query["s"]))
        self.send(200, b"late")

    def do_drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        for byte in b"abcdef":
            time.sleep(float(self.query["s"]))
            self.wfile.write(bytes([byte]))

    def do_chunked(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"one ", b"two ", b"three"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def do_encoded(self):
        kind = self.query["kind"]
        data = {"gzip": gzip.compress(b"hello world"), "deflate": zlib.compress(b"hello world"),
                "br": BROTLI, "zstd": ZSTD}[kind]
        self.send(200, data, [("Content-Encoding", kind)])

    def do_bomb(self):
        self.send(200, gzip.compress(bytes(30_000_000)), [("Content-Encoding", "gzip")])

    def do_auth(self):
        header = self.headers.get("Authorization", "")
        want = {"basic": "Basic " + base64.b64encode(b"ann:se:cret").decode(),
                "bearer": "Bearer t0ken"}[self.query["kind"]]
        self.send(200 if header == want else 401, header.encode())

    def do_digest(self):
        header = self.headers.get("Authorization", "")
        if not header.startswith("Digest "):
            self.send(401, b"who?", [("WWW-Authenticate",
                      f'Digest realm="r", nonce="{NONCE}", qop="auth", algorithm=MD5')])
            return
        found = dict(part.split("=", 1) for part in header[7:].replace('"', "").split(", "))
        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()
        ha1, ha2 = md5("ann:r:secret"), md5(f"{self.command}:{self.path}")
        want = md5(f"{ha1}:{NONCE}:{found['nc']}:{found['cnonce']}:auth:{ha2}")
        self.send(200 if found["response"] == want else 403, self.body)

    def do_multipart(self):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body)
        parts = []
        for part in message.iter_parts():
            data = part.get_payload(decode=True)
            parts.append({"name": part.get_param("name", header="content-disposition"),
                          "file": part.get_filename(), "type": part.get_content_type(),
                          "sum": hashlib.md5(data).hexdigest(), "size": len(data),
                          "text": data[:100].decode("utf-8", "replace")})
        self.send_json(parts)

    def do_big(self):
        size = int(self.query["size"])
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        block = bytes(range(256)) * 256
        while size > 0:
            size -= self.wfile.write(block[:size])

    def do_short(self):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def do_empty(self):
        self.send(200, b"")

    def do_hangup(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_file(self):
        value = self.query.get("disposition")
        self.send(200, b"some,data\n", [("Content-Disposition", value)] if value else [])

    def do_text(self):
        self.send(200, base64.b64decode(self.query["b64"]),
                  [("Content-Type", self.query.get("type", "text/plain"))])

    def do_flaky(self):
        key = self.query["id"]
        COUNTS[key] = COUNTS.get(key, 0) + 1
        if COUNTS[key] <= int(self.query["fails"]):
            if self.query.get("how") == "hangup":
                self.do_hangup()
                return
            after = self.query.get("after")
            self.send(503, b"busy", [("Retry-After", after)] if after else [])
            return
        self.send_json({"count": COUNTS[key], "body": self.body.decode()})


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # Clients hang up on purpose.

    def start(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self.server_address[1]


def start_http(handler=Handler):
    return Server(("127.0.0.1", 0), handler).start()


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self):
        request, _ = super().get_request()
        return request, ("unix", 0)


def start_unix(path):
    server = UnixServer(path, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def make_certificates(folder):
    """An authority, a server's certificate for localhost and 127.0.0.1, and a client's."""
    def run(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    (folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days",
        "2", "-subj", "/CN=test authority")
    for name in ("server", "client"):
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr",
            "-subj", f"/CN={name}")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "ext")
    run("rsa", "-aes256", "-passout", "pass:hush", "-in", "client.key", "-out", "client-locked.key")


def tls_context(folder, wants_client=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if wants_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.pem")
    return context


def start_tls(folder, wants_client=False, newest=None):
    server = Server(("127.0.0.1", 0), Handler)
    context = tls_context(folder, wants_client)
    if newest:
        context.maximum_version = newest
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server.start()


def start_raw(serve):
    """A server of bare connections: serve(socket) in a thread each."""
    listener = socket.create_server(("127.0.0.1", 0))

    def guarded(connection):
        try:
            with connection:
                serve(connection)
        except OSError:
            pass

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=guarded, args=(connection,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def serve_h2(connection):
    """As much HTTP/2 as it takes to answer each request with "two"."""
    def frame(kind, flags, stream, payload=b""):
        connection.sendall(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) +
                           struct.pack(">I", stream) + payload)
    stream_file = connection.makefile("rb")
    if not stream_file.read(24).startswith(b"PRI * HTTP/2.0"):
        return
    frame(4, 0, 0)
    while len(head := stream_file.read(9)) == 9:
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        stream = int.from_bytes(head[5:], "big")
        stream_file.read(size)
        if kind == 4 and not flags & 1:
            frame(4, 1, 0)
        if kind in (0, 1) and flags & 1:  # The request has ended: ":status: 200", then the body.
            frame(1, 4, stream, b"\x88")
            frame(0, 1, stream, b"two")


def start_h2(folder=None):
    if not folder:
        return start_raw(serve_h2)
    context = tls_context(folder)
    context.set_alpn_protocols(["h2"])
    return start_raw(lambda plain: serve_h2(context.wrap_socket(plain, server_side=True)))


def pump(a, b):
    """Carries bytes both ways until one side ends."""
    while True:
        for ready in select.select([a, b], [], [], 10)[0]:
            data = ready.recv(65536)
            if not data:
                return
            (b if ready is a else a).sendall(data)


def start_proxy(user=None):
    """An HTTP proxy; gives its port and the list of what it was asked for."""
    seen = []

    def serve(connection):
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(4096)
            if not data:
                return
            head += data
        line = head.split(b"\r\n")[0].decode()
        method, target, _ = line.split(" ")
        want = b"Basic " + base64.b64encode(user.encode()) if user else b""
        if want not in head:
            connection.sendall(b"HTTP/1.1 407 Proxy\r\nProxy-Authenticate: Basic realm=p\r\n"
                               b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            return
        seen.append(line)
        url = urllib.parse.urlsplit(target if "//" in target else "//" + target)
        with socket.create_connection((url.hostname, url.port or 80)) as far:
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                far.sendall(head.replace(target.encode(), (url.path or "/").encode(), 1))
            pump(connection, far)
    return start_raw(serve), seen


def start_socks():
    seen = []

    def serve(connection):
        _, count = connection.recv(2)
        connection.recv(count)
        connection.sendall(b"\x05\x00")
        _, _, _, kind = connection.recv(4)
        if kind == 1:
            host = socket.inet_ntoa(connection.recv(4))
        else:
            host = connection.recv(connection.recv(1)[0]).decode()
        port = int.from_bytes(connection.recv(2), "big")
        seen.append(f"{host}:{port}")
        with socket.create_connection(("127.0.0.1", port)) as far:
            connection.sendall(b"\x05\x00\x00\x01" + bytes(6))
            pump(connection, far)
    return start_raw(serve), seen


def start_hole():
    """Accepts connections and never says anything."""
    return start_raw(lambda connection: time.sleep(60))


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])


os.environ.pop("SSLKEYLOGFILE", None)
