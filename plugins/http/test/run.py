#!/usr/bin/env python3
"""Tests of the http plugin. Goal: every property, output and error word is as documented, and a call
leaves nothing behind. Method: the plugin in the fake host, against servers of server.py on free ports.
Usage: run.py FAKE_HOST PLUGIN.so [NAME…]"""
import base64
import hashlib
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

import server

TESTS = []
KILLED, FAILED = -2, -1


def test(function):
    TESTS.append(function)
    return function


class Answer:
    def __init__(self, line):
        self.__dict__.update(json.loads(line))

    @property
    def body(self):
        return self.outputs["body"]

    @property
    def echo(self):
        return json.loads(self.body)

    def header(self, name):
        """What the echo server saw: all values of that header."""
        return [v for n, v in self.echo["headers"] if n == name]


class Host:
    def __init__(self, program, plugin, folder, env=None):
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.folder, self.process = folder, subprocess.Popen(
            [program, plugin, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**clean, **(env or {})})

    def call(self, kind, properties, **more):
        line = json.dumps({"type": "http." + kind, "properties": properties, **more})
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        out = self.process.stdout.readline()
        assert out, "the host has died"
        answer = Answer(out)
        assert answer.open == 0, "a file was left open"
        return answer

    def request(self, uri, more=None, options=None, **properties):
        if options:
            properties["options"] = options
        return self.call("request", {"uri": uri, **properties}, **(more or {}))

    def ok(self, uri, **properties):
        answer = self.request(uri, **properties)
        assert answer.code == 0, answer.reason
        return answer

    def fails(self, words, uri, **properties):
        answer = self.request(uri, **properties)
        assert answer.code == FAILED and words in answer.reason, (answer.code, answer.reason)
        return answer

    def download(self, uri, **properties):
        return self.call("download", {"uri": uri, **properties})

    def put(self, name, data):
        (self.folder / name).write_bytes(data)
        return "baton:///test/" + name

    def get(self, uri):
        return (self.folder / uri.rsplit("/", 1)[1]).read_bytes()

    def end(self):
        self.process.stdin.close()
        return self.process.wait(timeout=60)


class World:
    """What the tests share: servers and one host."""
    def __init__(self, program, plugin, folder):
        self.program, self.plugin, self.folder = program, plugin, folder
        self.certs = folder / "certs"
        self.certs.mkdir()
        server.make_certificates(self.certs)
        self.web = f"http://127.0.0.1:{server.start_http()}"
        self.other = f"http://127.0.0.1:{server.start_http()}"
        self.tls = f"https://127.0.0.1:{server.start_tls(self.certs)}"
        self.host = self.new_host()

    def new_host(self, env=None):
        storage = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        return Host(self.program, self.plugin, storage, env)

    def pem(self, name):
        return (self.certs / name).read_text()


# --- The request ------------------------------------------------------------------------------------


@test
def outputs_of_a_request(w):
    a = w.host.ok(w.web + "/status?code=201")
    assert a.outputs["code"] == 201 and a.body == "the reason"
    assert a.outputs["uri"] == w.web + "/status?code=201"
    assert a.outputs["headers"]["X-Twice"] == ["a", "b"], a.outputs["headers"]
    assert a.metrics == [{"name": "response.length", "type": "counter", "value": 10,
                          "tags": {"request.method": "GET", "response.code": "201"}}]


@test
def methods(w):
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"):
        a = w.host.ok(w.web + "/echo", method=method)
        assert a.echo["method"] == method and a.echo["body"] == ""
        want = ["0"] if method in ("POST", "PUT", "PATCH") else []
        assert a.header("content-length") == want, (method, a.header("content-length"))
    assert w.host.ok(w.web + "/echo", method="HEAD").body == ""
    a = w.host.ok(w.web + "/echo", method="DELETE", body="gone")
    assert (a.echo["method"], a.echo["body"]) == ("DELETE", "gone")
    w.host.fails("is no method", w.web, method="get it")
    w.host.fails("is no method", w.web, method="GET\r\nX: 1")


@test
def headers_of_a_request(w):
    a = w.host.ok(w.web, headers={"X-One": "1", "X-List": ["a", "b"], "X-Empty": "", "X-Null": None,
                                  "X-Number": 3, "X-Umlaut": "gr\u00fcn \"q\"", "User-Agent": "mine"})
    assert a.header("x-one") == ["1"] and a.header("x-list") == ["a", "b"]
    assert a.header("x-empty") == [""] and a.header("x-null") == [] and a.header("x-number") == ["3"]
    assert a.header("user-agent") == ["mine"] and a.header("expect") == []
    assert a.header("x-umlaut")[0].encode("latin-1").decode() == "gr\u00fcn \"q\""
    assert w.host.ok(w.web).header("user-agent")[0].startswith("Baton/")
    w.host.fails("line break", w.web, headers={"X": "a\r\nY: b"})
    w.host.fails("line break", w.web, headers={"X": "a\u0000b"})
    w.host.fails("no name of a header", w.web, headers={"X Y": "a"})
    w.host.fails("no name of a header", w.web, headers={"X:": "a"})


@test
def params(w):
    a = w.host.ok(w.web + "/echo?a=1#part", params={"b": "x y&z", "c": [1, "\u00fc"], "d": None, "e": True})
    assert a.echo["query"] == "a=1&b=x%20y%26z&c=1&c=%C3%BC&e=true", a.echo["query"]
    assert w.host.ok(w.web + "/a b", params={}, allowFailed=True).outputs["uri"] == w.web + "/a%20b"


@test
def addresses(w):
    w.host.fails("does not begin with http", "ftp://127.0.0.1/x")
    w.host.fails("does not begin with http", "file:///etc/passwd")
    w.host.fails("uri is missing", "")
    w.host.fails("127.0.0.1", f"http://127.0.0.1:{server.closed_port()}/")
    w.host.fails("resolve host", "http://does-not-exist.invalid/")
    a = w.host.ok(w.web.replace("//", "//ann:se%3Acret@") + "/auth?kind=basic", options={"logLevel": "DEBUG"})
    assert "ann" not in a.outputs["uri"] and a.outputs["uri"].startswith("http://127.0.0.1")
    assert not any("ann" in line for line in a.logs)


# --- Bodies -----------------------------------------------------------------------------------------


@test
def body_of_text(w):
    text = "a\u00fc\u20ac\U0001f600\n\"\\\x01"
    a = w.host.ok(w.web, method="POST", body=text)
    assert a.echo["body"] == text and a.header("content-type") == ["application/json"]
    a = w.host.ok(w.web, method="POST", body="x", contentType="text/csv")
    assert a.header("content-type") == ["text/csv"]
    a = w.host.ok(w.web, method="POST", body="x", contentType="text/csv", headers={"content-TYPE": "a/b"})
    assert a.header("content-type") == ["a/b"]
    a = w.host.ok(w.web, method="POST", body="x" * 3_000_000)
    assert len(a.echo["body"]) == 3_000_000 and a.header("expect") == []
    assert w.host.ok(w.web, method="GET", body="with").echo["body"] == "with"
    assert w.host.ok(w.web, method="POST", body="x", headers={"Content-Length": "9"}).echo["body"] == "x"


@test
def body_of_json(w):
    a = w.host.ok(w.web, method="POST", body={"a": [1, "x", None]})
    assert json.loads(a.echo["body"]) == {"a": [1, "x", None]}
    assert w.host.ok(w.web, method="POST", body=[1, 2]).echo["body"] == "[1,2]"


@test
def body_of_a_file(w):
    data = os.urandom(1_500_000).hex().encode()
    a = w.host.ok(w.web, method="PUT", bodyFile=w.host.put("in.bin", data))
    assert a.echo["sum"] == hashlib.md5(data).hexdigest() and a.echo["method"] == "PUT"
    assert a.header("content-length") == ["3000000"]
    assert a.header("content-type") == ["application/octet-stream"]
    w.host.fails("does not exist", w.web, method="PUT", bodyFile="baton:///test/none")
    w.host.fails("no file of the internal storage", w.web, method="PUT", bodyFile="/etc/passwd")


@test
def form(w):
    a = w.host.ok(w.web, method="POST", body="not this", formData={"a": "x y&=\u00fc", "n": 1, "l": ["p", "q"],
                                                                   "m": {"k": 1}, "no": None})
    assert a.echo["body"] == "a=x+y%26%3D%C3%BC&n=1&l=p&l=q&m=%7B%22k%22%3A1%7D", a.echo["body"]
    assert a.header("content-type") == ["application/x-www-form-urlencoded"]


@test
def multipart(w):
    data = os.urandom(200_000)
    uri = w.host.put("data.csv", data)
    a = w.host.ok(w.web + "/multipart", method="POST", contentType="multipart/form-data", formData={
        "text": "plain \u00fc", "number": 12, "map": {"a": 1}, "file": uri,
        "named": {"name": "other.txt", "content": uri.replace("baton", "kestra")},
        "made": {"name": "m.json", "content": "{}", "contentType": "application/x-mine"},
        "files": [uri, uri]})
    parts = {p["name"]: p for p in a.echo}
    sum_of = hashlib.md5(data).hexdigest()
    assert parts["text"]["text"] == "plain \u00fc" and parts["text"]["file"] is None
    assert parts["number"]["text"] == "12" and json.loads(parts["map"]["text"]) == {"a": 1}
    assert (parts["file"]["file"], parts["file"]["sum"]) == ("data.csv", sum_of)
    assert (parts["named"]["file"], parts["named"]["sum"]) == ("other.txt", sum_of)
    assert (parts["made"]["file"], parts["made"]["type"]) == ("m.json", "application/x-mine")
    assert sum(p["name"] == "files" and p["sum"] == sum_of for p in a.echo) == 2
    w.host.fails("does not exist", w.web, method="POST", contentType="multipart/form-data",
                 formData={"ok": uri, "bad": "baton:///test/none"})


# --- Who asks ---------------------------------------------------------------------------------------


@test
def basic_and_bearer(w):
    auth = {"type": "BASIC", "username": "ann", "password": "se:cret"}
    w.host.ok(w.web + "/auth?kind=basic", options={"auth": auth})
    w.host.ok(w.web + "/auth?kind=basic", options={"basicAuthUser": "ann", "basicAuthPassword": "se:cret"})
    w.host.fails("'401'", w.web + "/auth?kind=basic", options={"auth": {**auth, "password": "no"}})
    w.host.ok(w.web + "/auth?kind=bearer", options={"auth": {"type": "BEARER", "token": "t0ken"}})
    w.host.ok(w.web + "/auth?kind=bearer", options={"auth": {"token": "t0ken"}})
    w.host.fails("needs a token", w.web, options={"auth": {"type": "BEARER"}})
    w.host.fails("needs a username", w.web, options={"auth": {"type": "BASIC"}})
    w.host.fails("none of BASIC", w.web, options={"auth": {"type": "MAGIC"}})
    w.host.fails("'401'", w.web + "/auth?kind=basic")  # Nothing is left of the earlier calls.


@test
def digest(w):
    auth = {"auth": {"type": "DIGEST", "username": "ann", "password": "secret"}}
    assert w.host.ok(w.web + "/digest", options=auth).outputs["code"] == 200
    assert w.host.ok(w.web + "/digest", method="POST", body="abc", options=auth).body == "abc"
    uri = w.host.put("body", b"streamed")
    assert w.host.ok(w.web + "/digest", method="PUT", bodyFile=uri, options=auth).body == "streamed"
    a = w.host.ok(w.web + "/digest", method="POST", options=auth, contentType="multipart/form-data",
                  formData={"f": uri})
    assert "streamed" in a.body
    a = w.host.request(w.web + "/digest", options={"auth": {**auth["auth"], "password": "no"}})
    assert a.code == FAILED and "'403'" in a.reason


# --- Redirects --------------------------------------------------------------------------------------


@test
def redirects(w):
    rows = [(301, "POST", "GET", ""), (302, "POST", "GET", ""), (303, "POST", "GET", ""),
            (303, "PUT", "GET", ""), (302, "PUT", "PUT", "data"), (307, "POST", "POST", "data"),
            (308, "DELETE", "DELETE", "data")]
    for code, method, want, body in rows:
        a = w.host.ok(f"{w.web}/redirect?code={code}", method=method, body="data")
        assert (a.echo["method"], a.echo["body"]) == (want, body), (code, method, a.echo)
        assert a.outputs["uri"].endswith(f"/redirect?code={code}")
    assert a.header("cookie") == ["seen=1"]
    assert w.host.ok(w.web).header("cookie") == []  # Cookies end with their call.
    uri = w.host.put("again", b"again and again")
    a = w.host.ok(w.web + "/redirect?code=307&n=3", method="PUT", bodyFile=uri)
    assert a.echo["body"] == "again and again"


@test
def limits_of_redirects(w):
    w.host.ok(w.web + "/redirect?n=20")
    w.host.fails("more than 20 redirects", w.web + "/redirect?n=21")
    w.host.fails("more than 0 redirects", w.web + "/redirect", options={"maxRedirects": 0})
    w.host.fails("maxRedirects must be", w.web, options={"maxRedirects": 51})
    a = w.host.ok(w.web + "/redirect", options={"followRedirects": False})
    assert (a.outputs["code"], a.body) == (302, "moved")
    w.host.fails("no HTTP address", w.web + "/redirect?to=file:///etc/passwd")
    w.host.fails("no HTTP address", w.web + "/redirect?to=gopher://127.0.0.1/x")


@test
def credentials_stay_at_home(w):
    auth = {"auth": {"type": "BASIC", "username": "ann", "password": "pw"}}
    a = w.host.ok(w.web + "/redirect", options=auth, headers={"Cookie": "c=1"})
    assert a.header("authorization")
    for options, headers in ((auth, {}), ({}, {"authorization": "secret", "Cookie": "c=1"}),
                             ({"auth": {"token": "t"}}, {})):
        a = w.host.ok(f"{w.web}/redirect?to={w.other}/echo", options=options, headers=headers)
        assert a.header("authorization") == [] and "c=1" not in a.header("cookie"), a.echo


# --- Failures ---------------------------------------------------------------------------------------


@test
def codes(w):
    a = w.host.fails("Failed http request with response code '404'", w.web + "/status?code=404")
    assert "the reason" in a.reason and a.outputs == {}
    assert w.host.ok(w.web + "/status?code=404", allowFailed=True).outputs["code"] == 404
    assert w.host.ok(w.web + "/status?code=404", options={"allowFailed": True}).body == "the reason"
    w.host.ok(w.web + "/status?code=410", options={"allowedResponseCodes": [404, 410]})
    w.host.ok(w.web + "/status?code=410", allowedResponseCodes=[404, 410])
    w.host.fails("'500'", w.web + "/status?code=500", options={"allowedResponseCodes": [404, 410]})
    w.host.fails("'401'", w.web + "/status?code=401", options={"allowedResponseCodes": [4010, 40]})
    w.host.ok(w.web + "/status?code=399", options={"allowedResponseCodes": [404]})


@test
def broken_connections(w):
    w.host.fails("Empty reply", w.web + "/hangup")
    w.host.fails("Invalid size, got 9, expected 100", w.web + "/short")
    a = w.host.download(w.web + "/short")
    assert a.code == FAILED and a.reason == "Invalid size, got 9, expected 100", a.reason
    assert list(w.host.folder.glob(".part")) == []
    w.host.ok(w.web)


@test
def timeouts(w):
    hole = f"http://127.0.0.1:{server.start_hole()}/"
    start = time.time()
    w.host.fails("no data for 0.3 s; see options.readTimeout", hole, options={"readTimeout": "PT0.3S"})
    w.host.fails("no data for 0.3 s", hole, options={"timeout": {"readIdleTimeout": "PT0.3S"}})
    w.host.fails("no data for 0.3 s", hole, options={"readIdleTimeout": "PT0.3S"})
    w.host.fails("no data for 0.3 s", w.web + "/slow?s=1", options={"readTimeout": "PT0.3S"})
    assert time.time() - start < 9
    assert w.host.ok(w.web + "/drip?s=0.5", options={"readTimeout": "PT2S"}).body == "abcdef"
    w.host.fails("see options.connectTimeout", hole.replace("http:", "https:"),
                 options={"connectTimeout": "PT0.3S"})
    w.host.fails("no duration", w.web, options={"readTimeout": "5 seconds"})
    assert w.host.ok(w.web + "/slow?s=0.5", options={"readTimeout": "PT0S"}).body == "late"


@test
def retries(w):
    a = w.host.ok(w.web + "/flaky?id=a&fails=2", method="POST", body="b", options={"retries": 2,
                                                                                   "retryDelay": "PT0.01S"})
    assert a.echo == {"count": 3, "body": "b"}
    assert [line for line in a.logs if line.startswith("WARN")][1].endswith("again in 20 ms")
    w.host.fails("'503'", w.web + "/flaky?id=b&fails=2", options={"retries": 1, "retryDelay": "PT0.01S"})
    w.host.fails("'503'", w.web + "/flaky?id=c&fails=1")
    w.host.ok(w.web + "/flaky?id=d&fails=1&how=hangup", options={"retries": 1, "retryDelay": "PT0.01S"})
    start = time.time()
    w.host.ok(w.web + "/flaky?id=e&fails=1&after=1", options={"retries": 1, "retryDelay": "PT0.01S"})
    assert time.time() - start >= 0.9
    a = w.host.request(w.web + "/flaky?id=f&fails=1", allowFailed=True, options={"retries": 3})
    assert a.outputs["code"] == 503
    w.host.fails("retries must be", w.web, options={"retries": 21})


@test
def kill(w):
    hole = f"http://127.0.0.1:{server.start_hole()}/"
    for uri, options in ((hole, {}), (w.web + "/drip?s=0.5", {}), (hole.replace("http:", "https:"), {}),
                         (w.web + "/flaky?id=k&fails=9", {"retries": 5, "retryDelay": "PT9S"}),
                         ("http://10.255.255.1/", {})):
        start = time.time()
        a = w.host.request(uri, options=options, more={"kill_ms": 150})
        took = time.time() - start
        assert a.code == KILLED or (uri.endswith("255.1/") and a.code == FAILED), (uri, a.code, a.reason)
        assert took < 3, (uri, took)
    a = w.host.call("download", {"uri": w.web + "/big?size=9000000000"}, kill_ms=200)
    assert a.code == KILLED and list(w.host.folder.glob(".part")) == []
    w.host.ok(w.web)


# --- The response -----------------------------------------------------------------------------------


@test
def encodings(w):
    for kind in ("gzip", "deflate", "br", "zstd"):
        assert w.host.ok(w.web + "/encoded?kind=" + kind).body == "hello world", kind
    accepted = w.host.ok(w.web).header("accept-encoding")[0]
    assert "gzip" in accepted and "br" in accepted and "zstd" in accepted
    a = w.host.ok(w.web + "/encoded?kind=gzip", headers={"Accept-Encoding": "gzip"})
    assert a.body == "hello world"
    assert w.host.ok(w.web + "/chunked").body == "one two three"


@test
def limit_of_the_body(w):
    assert len(w.host.ok(w.web + "/big?size=1000", options={"maxContentLength": 1000}).body) >= 1000
    words = "larger than the 999 bytes of options.maxContentLength"
    w.host.fails(words, w.web + "/big?size=1000", options={"maxContentLength": 999})
    w.host.fails("larger than the 10485760 bytes", w.web + "/bomb")
    w.host.fails("too large for the outputs", w.web + "/big?size=20000000", options={"maxContentLength": 40000000})
    w.host.fails("maxContentLength must", w.web, options={"maxContentLength": -1})


def text(data, **more):
    query = "&".join(f"{k}={v}" for k, v in more.items())
    return "/text?b64=" + base64.b64encode(data).decode().replace("+", "%2B") + "&" + query


@test
def charsets(w):
    latin = "gr\u00fcn"
    assert w.host.ok(w.web + text(latin.encode())).body == latin
    uri = w.web + text(latin.encode("latin-1"), type="text/plain;charset=ISO-8859-1")
    assert w.host.ok(uri.replace(";", "%3B")).body == latin
    uri = w.web + text(latin.encode("utf-16"), type="text/plain;charset=%22utf-16%22")
    assert w.host.ok(uri.replace(";", "%3B")).body == latin
    assert w.host.ok(w.web + text(latin.encode("latin-1")), options={"defaultCharset": "latin1"}).body == latin
    a = w.host.ok(w.web + text(b"a\xff\xe2\x82b"))
    assert a.body == "a\ufffd\ufffd\ufffdb" and "3 bytes were replaced" in "".join(a.logs), a.body
    a = w.host.ok(w.web + text(b"x", type="text/plain%3Bcharset=none-such"))
    assert a.body == "x" and "unknown" in "".join(a.logs)
    w.host.fails("Illegal unicode code point in request body: 65535, the Request task only support valid "
                 "Unicode strings as body.", w.web + text("\uffff".encode()))
    w.host.fails("Illegal unicode code point in request body: 64976,", w.web + text("a\ufdd0".encode()))
    a = w.host.ok(w.web + text(b"quote \" slash \\ tab\t nul \x00 end"))
    assert a.body == "quote \" slash \\ tab\t nul \x00 end"


@test
def kinds_of_response(w):
    a = w.host.ok(w.web + "/echo?x=1", responseType="JSON")
    assert a.body["query"] == "x=1"
    assert w.host.ok(w.web + "/empty", responseType="JSON").body is None
    w.host.fails("no valid JSON", w.web + "/chunked", responseType="JSON")
    a = w.host.ok(w.web + "/big?size=20000000", responseType="FILE", saveAs="a/my file.bin")
    assert a.outputs["file"] == "baton:///test/my+file.bin" and a.outputs["length"] == 20_000_000
    assert len(w.host.get(a.outputs["file"])) == 20_000_000 and "body" not in a.outputs
    w.host.fails("none of TEXT", w.web, responseType="XML")


@test
def encrypted_body(w):
    key = base64.b64encode(bytes(range(32))).decode()
    a = w.host.request(w.web + "/chunked", encryptBody=True, more={"info": {"encryptionKey": key}})
    assert a.code == 0 and "body" not in a.outputs, a.reason
    sealed = a.outputs["encryptedBody"]
    assert sealed["type"] == "io.kestra.datatype:aes_encrypted"
    raw = base64.b64decode(sealed["value"])
    assert len(raw) == 12 + len("one two three") + 16 and b"one" not in raw
    b = w.host.request(w.web + "/chunked", encryptBody=True, more={"info": {"encryptionKey": key}})
    assert b.outputs["encryptedBody"]["value"] != sealed["value"]
    w.host.fails("no encryption key", w.web, encryptBody=True)


# --- Downloads --------------------------------------------------------------------------------------


@test
def downloads(w):
    a = w.host.download(w.web + "/big.bin?size=5000000")
    assert a.code == 0 and a.outputs["code"] == 200 and a.outputs["length"] == 5_000_000, a.reason
    assert a.outputs["uri"] == "baton:///test/download.bin" and "Content-Length" in a.outputs["headers"]
    assert w.host.get(a.outputs["uri"]) == (bytes(range(256)) * 19532)[:5_000_000]
    assert a.metrics[0]["value"] == 5_000_000
    a = w.host.download(w.web + "/status?code=500")
    assert a.code == FAILED and "'500'" in a.reason
    a = w.host.download(w.web + "/status?code=500", allowFailed=True)
    assert a.code == 0 and w.host.get(a.outputs["uri"]) == b"the reason"
    a = w.host.download(f"{w.web}/redirect?to={w.web}/file.csv")
    assert a.code == 0 and a.outputs["uri"].endswith("/download.csv"), a.outputs
    a = w.host.download(w.web + "/chunked", saveAs="full.txt")
    assert a.code == FAILED and "cannot be stored" in a.reason


@test
def names_of_downloads(w):
    rows = [("attachment; filename=a.csv", "a.csv"), ('attachment; filename="b c.csv"', "b+c.csv"),
            ('attachment; filename="../../etc/passwd"', "passwd"), ("attachment; filename*=UTF-8''%C3%BC.txt", "%C3%BC.txt"),
            ('attachment; filename="x;y.txt"; size=3', "x%3By.txt"), ('attachment; filename=".."', "download.csv"),
            ("inline", "download.csv"), ("attachment; filename=old.txt; filename*=UTF-8''new.txt", "new.txt"),
            ("attachment; filename*=UTF-8''..%2F..%2Fup.txt", "up.txt"), ('attachment; filename="', "download.csv"),
            ("attachment; filename=" + "x" * 300, "download.csv"), ("attachment; FileName = q.txt", "q.txt"),
            (None, "download.csv")]
    for header, want in rows:
        a = w.host.call("download", {"uri": w.web + "/file/f.csv",
                                     "params": {"disposition": header} if header else {}})
        assert a.outputs["uri"] == "baton:///test/" + want, (header, a.outputs, a.reason)


@test
def empty_downloads(w):
    a = w.host.download(w.web + "/empty")
    assert a.code == FAILED and a.reason == "No response from server"
    for more in ({"failOnEmptyResponse": False}, {"allowFailed": True}):
        a = w.host.download(w.web + "/empty.txt", **more)
        assert a.code == 0 and a.outputs["length"] == 0 and w.host.get(a.outputs["uri"]) == b""
        assert "WARN File 'baton:///test/download.txt' is empty" in a.logs


@test
def memory_stays_constant(w):
    host = w.new_host()
    assert host.ok(w.web + "/big?size=1000", responseType="FILE").code == 0
    before = server.rss_kib(host.process.pid)
    a = host.download(w.web + "/big?size=200000000")
    assert a.outputs["length"] == 200_000_000
    big = w.host.put("huge", b"") and host.put("huge", bytes(100_000_000))
    host.ok(w.web + "/status?code=200", method="PUT", bodyFile=big)
    grown = server.rss_kib(host.process.pid) - before
    assert grown < 16_000, f"grew by {grown} KiB"
    assert host.end() == 0


# --- TLS, versions, ways ----------------------------------------------------------------------------


@test
def tls(w):
    w.host.fails("give the authority's certificate as options.ssl.ca", w.tls)
    w.host.ok(w.tls, options={"ssl": {"insecureTrustAllCertificates": True}})
    w.host.ok(w.tls, sslOptions={"insecureTrustAllCertificates": True})
    w.host.fails("SSL", w.tls)  # A connection that was not checked is not used again.
    w.host.ok(w.tls, options={"ssl": {"ca": w.pem("ca.pem")}})
    w.host.ok(w.tls, options={"ssl": {"ca": str(w.certs / "ca.pem")}})
    w.host.ok(w.tls, options={"ssl": {"ca": w.host.put("ca.pem", w.pem("ca.pem").encode())}})
    w.host.fails("SSL", w.tls, options={"ssl": {"ca": w.pem("client.pem")}})
    w.host.fails("cannot be read", w.tls, options={"ssl": {"ca": "/none"}})
    w.host.fails("is no PEM text", w.tls, options={"ssl": {"ca": "none"}})
    old = f"https://127.0.0.1:{server.start_tls(w.certs, newest=ssl.TLSVersion.TLSv1_2)}"
    w.host.ok(old, options={"ssl": {"ca": w.pem("ca.pem")}})
    w.host.fails("protocol version", old, options={"ssl": {"ca": w.pem("ca.pem"), "minVersion": "TLSv1.3"}})
    w.host.fails("minVersion", old, options={"ssl": {"minVersion": "SSLv3"}})


@test
def client_certificates(w):
    uri = f"https://127.0.0.1:{server.start_tls(w.certs, wants_client=True)}/chunked"
    ca, certificate, key = w.pem("ca.pem"), w.pem("client.pem"), w.pem("client.key")
    good = {"ca": ca, "clientCertificate": certificate, "clientKey": key}
    assert w.host.ok(uri, options={"ssl": good}).body == "one two three"
    w.host.ok(uri, options={"ssl": {"ca": ca, "clientCertificate": certificate + key}})
    locked = {**good, "clientKey": w.pem("client-locked.key")}
    w.host.ok(uri, options={"ssl": {**locked, "clientKeyPassword": "hush"}})
    assert w.host.request(uri, options={"ssl": {**locked, "clientKeyPassword": "no"}}).code == FAILED
    assert w.host.request(uri, options={"ssl": {"ca": ca}}).code == FAILED
    stolen = {**good, "clientKey": w.pem("server.key")}  # A kept connection must not do for the key.
    assert w.host.request(uri, options={"ssl": stolen}).code == FAILED
    w.host.fails("needs a clientKey", uri, options={"ssl": {"ca": ca, "clientCertificate": certificate}})


@test
def http2(w):
    uri = f"http://127.0.0.1:{server.start_h2()}/"
    def speaks(answer, version):
        return any(line.endswith(version) for line in answer.logs)

    a = w.host.ok(uri, options={"httpVersion": "HTTP_2_PRIOR_KNOWLEDGE", "logLevel": "DEBUG"})
    assert a.body == "two" and speaks(a, "HTTP/2")
    uri = f"https://127.0.0.1:{server.start_h2(w.certs)}/"
    for method, body in (("GET", None), ("POST", "data")):
        a = w.host.ok(uri, method=method, body=body, options={"ssl": {"ca": w.pem("ca.pem")}, "logLevel": "TRACE"})
        assert a.body == "two" and speaks(a, "HTTP/2")
    a = w.host.ok(w.web, options={"httpVersion": "HTTP_1_1", "logLevel": "DEBUG"})
    assert speaks(a, "HTTP/1.1")
    w.host.fails("options.httpVersion", w.web, options={"httpVersion": "3"})


@test
def unix_socket(w):
    path = str(w.folder / "s.sock")
    server.start_unix(path)
    assert w.host.ok("http://any/echo?u=1", options={"unixSocket": path}).echo["query"] == "u=1"
    w.host.fails("fenced off", "http://any/", options={"unixSocket": path, "privateAddresses": "DENY"})


@test
def proxies(w):
    port, seen = server.start_proxy()
    options = {"proxyType": "HTTP", "proxyAddress": "127.0.0.1", "proxyPort": port}
    assert w.host.ok(w.web + "/chunked", options=options).body == "one two three"
    assert seen == [f"GET {w.web}/chunked HTTP/1.1"]
    w.host.ok(w.tls + "/chunked", options={"proxy": {"address": "127.0.0.1", "port": port},
                                           "ssl": {"ca": w.pem("ca.pem")}})
    assert seen[1].startswith("CONNECT 127.0.0.1:")
    closed, asked = server.start_proxy("bob:pw")
    login = {"proxy": {"type": "HTTP", "address": "127.0.0.1", "port": closed}}
    w.host.fails("'407'", w.web, options=login)
    login["proxy"].update(username="bob", password="pw")
    w.host.ok(w.web, options=login)
    w.host.ok(w.tls, options={**login, "ssl": {"ca": w.pem("ca.pem")}})
    assert len(asked) == 2
    anyone = {"proxy": {"type": "HTTP", "address": "127.0.0.1", "port": closed}}
    w.host.fails("407", w.tls, options={**anyone, "ssl": {"ca": w.pem("ca.pem")}})
    w.host.fails("needs a proxyAddress", w.web, options={"proxyType": "HTTP"})
    w.host.fails("none of DIRECT", w.web, options={"proxyType": "MAGIC"})


@test
def socks(w):
    port, seen = server.start_socks()
    options = {"proxyType": "SOCKS", "proxyAddress": "127.0.0.1", "proxyPort": port}
    far = w.web.replace("127.0.0.1", "far.example") + "/chunked"
    assert w.host.ok(far, options=options).body == "one two three"
    assert seen[0].startswith("far.example:")  # The proxy resolves the name.


@test
def proxy_of_the_environment(w):
    port, seen = server.start_proxy()
    far = "http://far.invalid/"
    host = w.new_host({"http_proxy": f"http://127.0.0.1:{port}"})
    host.ok(w.web)  # This machine is reached directly.
    assert seen == []
    host.request(far)
    assert seen == [f"GET {far} HTTP/1.1"]
    host.fails("resolve", far, options={"proxyType": "DIRECT"})
    assert host.end() == 0


@test
def fence(w):
    deny = {"privateAddresses": "DENY"}
    w.host.ok(w.web)  # Leaves a connection that must not be used again below.
    w.host.fails("127.0.0.1 is a loopback address, and those are fenced off", w.web, options=deny)
    w.host.fails("fenced off", w.web.replace("127.0.0.1", "localhost"), options=deny)
    w.host.fails("fenced off", w.web.replace("127.0.0.1", "2130706433"), options=deny)
    for address in ("10.1.2.3", "192.168.0.1", "172.31.255.255", "169.254.169.254", "100.64.0.1",
                    "0.0.0.0", "[::1]", "[fd00::1]", "[fe80::1]", "[::ffff:127.0.0.1]",
                    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1"):
        a = w.host.request(f"http://{address}:9/", options={**deny, "connectTimeout": "PT0.2S"})
        assert "fenced off" in a.reason, (address, a.reason)
    for address in ("172.32.0.1", "11.0.0.1"):
        a = w.host.request(f"http://{address}:9/", options={**deny, "connectTimeout": "PT0.1S"})
        assert "fenced off" not in a.reason, (address, a.reason)
    port, _ = server.start_proxy()
    w.host.fails("fenced off", "http://far.invalid/", options={**deny, "proxyType": "HTTP",
                                                               "proxyAddress": "127.0.0.1", "proxyPort": port})


@test
def fence_of_the_environment(w):
    host = w.new_host({"BATON_HTTP_PRIVATE_ADDRESSES": "deny"})
    host.fails("fenced off", w.web)
    host.fails("fenced off", w.web, options={"privateAddresses": "ALLOW"})
    assert host.end() == 0
    env = {"BATON_HTTP_PRIVATE_ADDRESSES": "deny", "BATON_HTTP_ALLOW": "10.0.0.0/8, 127.0.0.1/32"}
    host = w.new_host(env)
    host.ok(w.web)
    host.fails("127.0.0.2 is a loopback", w.web.replace("127.0.0.1", "127.0.0.2"))
    host.fails("169.254.1.1 is a link-local", f"{w.web}/redirect?to=http://169.254.1.1/")
    port, _ = server.start_proxy()
    host.fails("169.254.1.1 is a link-local", "http://169.254.1.1/", options={
        "proxyType": "HTTP", "proxyAddress": "127.0.0.1", "proxyPort": port})
    assert host.end() == 0


# --- The trigger and the process ---------------------------------------------------------------------


@test
def trigger(w):
    a = w.host.call("trigger", {"uri": w.web + "/status?code=503", "interval": "PT1M"})
    assert a.code == 0 and len(a.events) == 1 and a.outputs == {}, a.reason
    event = a.events[0]
    assert event["code"] == 503 and event["body"] == "the reason" and event["uri"].endswith("503")
    assert list(event) == ["uri", "code", "headers", "body"]
    conditions = (("{{ response.statusCode == 503 }}", 1), ("{{ response.statusCode < 400 }}", 0),
                  ("{{ response.body == 'the reason' }}", 1), ("{{ response.body | length > 99 }}", 0),
                  ("{{ response.headers is not empty }}", 1), ("0", 0))
    for condition, count in conditions:
        a = w.host.call("trigger", {"uri": w.web + "/status?code=503", "responseCondition": condition})
        assert a.code == 0 and len(a.events) == count, (condition, a.reason, a.events)
    a = w.host.call("trigger", {"uri": w.web, "responseCondition": "{{ response.nothing.there }}"})
    assert a.code == FAILED and a.events == [], a.reason
    key = base64.b64encode(bytes(32)).decode()
    a = w.host.call("trigger", {"uri": w.web + "/chunked", "encryptBody": True},
                    info={"encryptionKey": key})
    event = a.events[0]
    assert "body" not in event and event["encryptedBody"]["value"]
    a = w.host.call("trigger", {"uri": f"http://127.0.0.1:{server.closed_port()}/"})
    assert a.code == FAILED and a.events == [] and "127.0.0.1" in a.reason


@test
def connections_are_kept(w):
    host = w.new_host()
    seen = {host.ok(w.web).echo["connection"] for _ in range(20)}
    assert len(seen) == 1, seen
    first = seen.pop()
    host.fails("'404'", w.web + "/nowhere")
    assert host.ok(w.web).echo["connection"] == first
    host.fails("Empty reply", w.web + "/hangup")
    host.ok(w.web)
    assert host.end() == 0


@test
def headers_of_a_response_are_bounded(w):
    def many(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 600 + b"Content-Length: 0\r\n\r\n")
    answer = w.host.request(f"http://127.0.0.1:{server.start_raw(many)}/")
    assert answer.code == FAILED, answer.outputs

    def garbage(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: \xff\xfe\"\\\r\n Folded\r\nContent-Length: 2\r\n\r\nok")
    answer = w.host.ok(f"http://127.0.0.1:{server.start_raw(garbage)}/")
    assert answer.body == "ok" and answer.outputs["headers"]["X"][0].startswith("\u00ff\u00fe\"\\")

    def nonsense(connection):
        connection.recv(4096)
        connection.sendall(b"\x00\x01 no http at all\r\n\r\n")
    w.host.fails("HTTP/0.9", f"http://127.0.0.1:{server.start_raw(nonsense)}/")


@test
def logged_headers(w):
    a = w.host.ok(w.web + "/status?code=200", options={"logLevel": "DEBUG"})
    assert "DEBUG X-Twice: a" in a.logs
    assert any("code 200, " in line for line in a.logs)
    assert w.host.ok(w.web + "/status?code=200").logs == []


def main():
    program, plugin, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        world = World(program, plugin, pathlib.Path(folder))
        for function in TESTS:
            if names and function.__name__ not in names:
                continue
            start = time.time()
            try:
                if world.host.process.poll() is not None:
                    world.host = world.new_host()
                function(world)
                print(f"ok     {function.__name__} ({time.time() - start:.2f} s)")
            except Exception:
                failed += 1
                print(f"FAILED {function.__name__}")
                traceback.print_exc(file=sys.stdout)
        if world.host.end() != 0:
            failed += 1
            print("FAILED the host did not end well")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
