"""Namespaces: which there are, their key-values and files."""
import io
import time
import zipfile

from baton import quote


def simple(ident, namespace):
    return f"id: {ident}\nnamespace: {namespace}\ntasks:\n- {{id: t, type: log, message: x}}\n"


def test_list(server):
    server.push(simple("a", "io.kestra.samples"))
    server.push(simple("b", "io.other"))
    assert server.get("/api/v1/namespaces/io.kestra").json == {"id": "io.kestra", "deleted": False}
    page = server.get("/api/v1/namespaces/search?size=3").json
    assert page["total"] == 5
    assert page["results"][1] == {"disabled": True, "id": "io.kestra", "deleted": False}
    rest = server.get("/api/v1/namespaces/search?size=3&page=2").json["results"]
    assert [n["id"] for n in rest] == ["io.other", "system"]
    last = server.get("/api/v1/namespaces/search?size=2&sort=id:desc").json["results"]
    assert [n["id"] for n in last] == ["system", "io.other"]
    for sort in ["id", "id:a:b", "nope:asc"]:
        assert server.get("/api/v1/namespaces/search?sort=" + sort).status == 422, sort
    assert server.get("/api/v1/namespaces/search?existing=true").json["total"] == 2
    assert server.get("/api/v1/namespaces/search?q=KES").json["total"] == 2
    assert server.post("/api/v1/namespaces/autocomplete", {"q": "oth"}).json == ["io.other"]
    assert server.get("/api/v1/namespaces/a%2fb").status == 422
    for name in ("a..b", "a.", "a._files", "a._files.b"):
        assert server.post("/api/v1/flows", simple("f", name)).status == 422, name
        assert server.put(f"/api/v1/namespaces/{name}/kv/k", "1").status == 422, name
        assert server.get(f"/api/v1/namespaces/{name}/files/directory").status == 422, name
    assert server.put("/api/v1/namespaces/a.files_/kv/k", "1").status == 200


def test_key_values(server):
    url = "/api/v1/namespaces/io.team/kv"

    def put(key, text, **headers):
        return server.put(f"{url}/{key}", text, headers=dict({"Content-Type": "text/plain"}, **headers)).status
    for text, kind, value in [('"text"', "STRING", "text"), ("1", "NUMBER", 1), ("1.5", "NUMBER", 1.5),
                              ("true", "BOOLEAN", True), ("2024-01-01", "DATE", "2024-01-01"),
                              ('"PT5M"', "DURATION", "PT5M"), ('{"a": [1]}', "JSON", {"a": [1]}),
                              ("[1, 2]", "JSON", [1, 2]), ('"P is a letter"', "STRING", "P is a letter"),
                              ("{a: 1}", "JSON", {"a": 1})]:
        assert put("k", text) == 200, text
        got = server.get(url + "/k").json
        assert (got["type"], got["value"]) == (kind, value), (text, got)
    assert put("d", "2024-01-01T10:00:00Z") == 200
    assert server.get(url + "/d").json["type"] == "DATETIME"
    assert server.get(url + "/k").json["revision"] == 10
    for bad in ["", "{", "a b c", "[1", '"x']:
        assert put("bad", bad) == 422, bad
    missing = server.get(url + "/absent")
    assert missing.status == 404
    assert missing.json["message"] == "Not Found: No value found for key 'absent' in namespace 'io.team'"
    entries = server.get(url).json
    assert [e["key"] for e in entries] == ["d", "k"] and entries[0]["creationDate"].endswith("Z")
    assert "expirationDate" not in entries[0]
    assert put("short", "1", ttl="PT0.3S") == 200 and put("x", "1", ttl="nope") == 422
    assert "expirationDate" in [e for e in server.get(url).json if e["key"] == "short"][0]
    time.sleep(0.4)
    gone = server.get(url + "/short")
    assert gone.status == 410 and gone.json["message"].startswith("Resource has expired"), gone
    assert "short" not in [e["key"] for e in server.get(url).json]
    assert server.delete(url + "/k").json is True and server.delete(url + "/k").json is False
    put("a", "1"), put("b", "2")
    import json
    many = server.call("DELETE", url, json.dumps({"keys": ["a", "b", "nope"]}))
    assert many.json == {"keys": ["a", "b"]}
    assert server.call("DELETE", url, "{}").status == 422
    assert put("%20", "1") == 422 and put("x" * 251, "1") == 413
    assert server.get("/api/v1/namespaces/a%00b/kv").status == 422
    # A flow sees what was put, and the other way round.
    put("n", "41")
    server.push("id: kv\nnamespace: io.team\ntasks:\n- {id: s, type: kv.set, key: m, value: \"{{ kv('n') + 1 }}\"}\n")
    assert server.run("io.team", "kv")["state"]["current"] == "SUCCESS"
    assert server.get(url + "/m").json["value"] in (42, "42")


def put_file(server, namespace, path, content, name="x"):
    return server.form(f"/api/v1/namespaces/{namespace}/files?path={quote(path)}", files=[("fileContent", name, content)])


def test_files(server):
    url = "/api/v1/namespaces/io.team/files"
    assert server.get(url + "/search").json == [] and server.get(url + "/directory").json == []
    assert server.get(url + "/stats?path=/").json["type"] == "Directory"
    assert put_file(server, "io.team", "/dir/a.py", b"print(1)").status == 200
    assert put_file(server, "io.team", "b & \u00fc.txt", b"x").status == 200
    assert server.get(url + "?path=/dir/a.py").body == b"print(1)"
    part = server.get(url + "?path=/dir/a.py", headers={"Range": "bytes=0-4"})
    assert part.status == 206 and part.body == b"print"
    assert server.get(url + "?path=" + quote("/b & \u00fc.txt")).body == b"x"
    assert server.get(url + "/search").json == ["/b & \u00fc.txt", "/dir/a.py"]
    assert server.get(url + "/search?q=dir").json == ["/dir/a.py"]
    stats = server.get(url + "/stats?path=/dir/a.py").json
    assert stats["type"] == "File" and stats["size"] == 8 and stats["fileName"] == "a.py"
    assert abs(stats["lastModifiedTime"] / 1000 - time.time()) < 60
    top = server.get(url + "/directory?path=/").json
    assert [(e["fileName"], e["type"]) for e in top] == [("b & \u00fc.txt", "File"), ("dir", "Directory")]
    assert server.get(url + "/directory?path=/none").status == 404
    assert server.get(url + "/directory?path=/dir/a.py").status == 422
    assert server.call("POST", url + "/directory?path=/new/deep").status == 200
    assert server.get(url + "/stats?path=/new/deep").json["type"] == "Directory"
    assert server.call("PUT", url + "?from=/dir/a.py&to=/new/deep/c.py").status == 200
    assert server.get(url + "?path=/dir/a.py").status == 404
    assert server.get(url + "?path=new/deep/c.py").body == b"print(1)"
    assert server.call("PUT", url + "?from=/new&to=/new/inside").status == 422
    assert server.call("PUT", url + "?from=/none&to=/x").status == 404
    assert server.call("PUT", url + "?from=/new").status == 400
    # A delete takes folders with it that are left empty.
    assert server.delete(url + "?path=/new/deep/c.py").status == 200
    assert server.get(url + "/stats?path=/new").status == 404
    assert server.delete(url + "?path=/new/deep/c.py").status == 200
    assert put_file(server, "io.team", "/d/e/f", b"1").status == 200 and server.delete(url + "?path=/d").status == 200
    assert server.get(url + "?path=/d/e/f").status == 404
    for bad in ["../x", "/a/../../b", "/a//b", "a\\b", "/_flows/x.yml", "x\x01y", "a/./b", "x" * 300]:
        assert put_file(server, "io.team", bad, b"x").status == 422, bad
        assert server.get(f"{url}?path={quote(bad)}").status in (404, 422), bad
        assert server.delete(f"{url}?path={quote(bad)}").status == 422, bad
    assert put_file(server, "io.team", "/", b"x").status == 422
    assert server.get(url).status == 400
    assert server.form(url + "?path=/x", [("fileContent", "no file")]).status == 422
    assert put_file(server, "..", "/x", b"x").status == 422
    assert put_file(server, "a%2f..%2fb", "/x", b"x").status == 422
    # What is in the way is told; nothing is made on the way to a refusal.
    assert put_file(server, "io.team", "/w/file", b"1").status == 200
    for path in ["/w", "/w/", "/w/file/below"]:
        assert put_file(server, "io.team", path, b"2").status == 422, path
    for path in ["/w/file", "/w/file/below"]:
        assert server.call("POST", url + "/directory?path=" + path).status == 422, path
    for source, target, status in [("/w/file", "/w/file/x", 422), ("/w", "/w/new/deep", 422),
                                   ("/none", "/made/none", 404), ("/w", "/w/file", 422),
                                   ("/w/file", "/w/file", 200), ("/w", "/w", 200)]:
        answer = server.call("PUT", f"{url}?from={source}&to={target}")
        assert answer.status == status and b"main/" not in answer.body, (source, target, answer)
    assert server.get(url + "/directory?path=/w").json[0]["fileName"] == "file"
    assert server.get(url + "/stats?path=/made").status == 404
    assert server.get(url + "/stats?path=/w/new").status == 404
    # One path that is too deep must not hide all others.
    assert put_file(server, "io.team", "/".join(["n"] * 64), b"1").status == 200
    assert put_file(server, "io.team", "/".join(["n"] * 65), b"1").status == 413
    assert server.call("POST", url + "/directory?path=" + "/n" * 65).status == 413
    assert "/w/file" in server.get(url + "/search").json
    assert server.get(url + "/export").status == 200
    # read() finds them.
    put_file(server, "io.team", "/q.txt", b"hello")
    server.push("id: r\nnamespace: io.team\ntasks:\n- {id: t, type: return, format: \"{{ read('q.txt') }}\"}\n")
    assert server.run("io.team", "r")["taskRunList"][0]["outputs"] == {"value": "hello"}


def test_archive(server):
    server.push(simple("f", "io.team"))
    put_file(server, "io.team", "/dir/a.py", b"print(1)")
    put_file(server, "io.team", "/\u00fc.bin", bytes(range(256)) * 1000)
    answer = server.get("/api/v1/namespaces/io.team/files/export")
    assert answer.status == 200 and "io.team_files.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert sorted(archive.namelist()) == ["_flows/f.yml", "dir/a.py", "\u00fc.bin"]
        assert archive.read("\u00fc.bin") == bytes(range(256)) * 1000
    # Elsewhere: files come along, flows get the other namespace.
    assert put_file(server, "io.copy", "/", answer.body, "all.zip").status == 200
    assert server.get("/api/v1/namespaces/io.copy/files/search").json == ["/dir/a.py", "/\u00fc.bin"]
    flow = server.get("/api/v1/flows/io.copy/f?source=true").json
    assert flow["source"] == simple("f", "io.copy")
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("good.txt", "x")
        archive.writestr("../../evil.txt", "x")
    assert put_file(server, "io.copy", "/", evil.getvalue(), "e.zip").status == 422
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(10001):  # Folders: nothing has to be stored.
            archive.writestr(f"{i}/", "")
    assert put_file(server, "io.bomb", "/", bomb.getvalue(), "e.zip").status in (413, 422)
    assert put_file(server, "io.bomb", "/", b"no zip", "e.zip").status == 422
