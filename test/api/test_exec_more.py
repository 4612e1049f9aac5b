"""Executions beyond start and read: labels, deletes, bulk calls, keys, expressions, files."""
import json
import threading
import time

from baton import quote

FLOW = """id: hello
namespace: demo.team
inputs:
  - {id: name, type: STRING, defaults: world}
  - {id: n, type: INT, required: false, min: 1}
  - {id: data, type: FILE, required: false}
tasks:
  - {id: ret, type: return, format: "hi {{ inputs.name }}"}
  - id: each
    type: foreach
    values: [a, b]
    tasks:
      - {id: inner, type: return, format: "{{ taskrun.value }}-{{ inputs.name }}"}
"""
SLEEPER = """id: sleeper
namespace: demo.team
tasks:
  - {id: t, type: sleep, duration: PT60S}
"""
FILES = """id: files
namespace: demo.team
tasks:
  - id: make
    type: shell
    outputFiles: ["*"]
    commands:
      - printf 'one\\ntwo\\nthree\\n' > a.txt
      - printf '{"x":1}\\n{"x":2}\\n' > rows.ion
      - printf '\\211PNG' > p.png
      - printf 'caf\\351\\n' > latin.txt
      - printf '# hi\\n' > r.md
"""
API = "/api/v1/executions"


def labels_of(execution):
    return {label["key"]: label["value"] for label in execution["labels"]}


def test_labels(server):
    server.push(FLOW)
    server.push(SLEEPER)
    done = server.run("demo.team", "hello", query="wait=true&labels=a:1&labels=b:2")
    url = f"{API}/{done['id']}"
    changed = server.post(url + "/labels", [{"key": "b", "value": "x"}, {"key": "c", "value": "3"},
                                            {"key": "", "value": ""}])
    assert changed.status == 200
    want = {"a": "1", "b": "x", "c": "3", "system.correlationId": done["id"]}
    assert labels_of(changed.json) == want
    assert labels_of(server.get(url).json) == want
    running = server.form(f"{API}/demo.team/sleeper").json
    refused = server.post(f"{API}/{running['id']}/labels", [{"key": "b", "value": "x"}])
    assert refused.status == 400, refused
    assert server.post(url + "/labels", [{"key": "system.x", "value": "y"}]).status == 422
    for pair in ({"key": 1, "value": 2}, {"key": "", "value": 2}, {"key": {}, "value": []}):
        assert server.post(url + "/labels", [pair]).status == 422, pair
    assert server.post(url + "/labels", [{"key": "", "value": ""}, {"key": None}, {}]).status == 200
    assert server.post(url + "/labels", {"key": "x"}).status == 422
    assert server.post(url + "/labels", "[").status == 422
    assert server.post(f"{API}/0000000000000000000000/labels", []).status == 404
    # After a restart they are still there.
    server.stop()
    server.start()
    assert labels_of(server.get(url).json) == want


def test_delete(server):
    server.push(FLOW)
    server.push(SLEEPER)
    server.push(FILES)
    done = server.run("demo.team", "files")
    uri = done["taskRunList"][0]["outputs"]["outputFiles"]["a.txt"]
    url = f"{API}/{done['id']}"
    assert server.get(f"{url}/file?path={quote(uri)}").status == 200
    assert server.get(f"/api/v1/logs/{done['id']}").status == 200
    assert server.delete(url).status == 204
    for path in [url, f"/api/v1/logs/{done['id']}", f"{url}/file?path={quote(uri)}"]:
        assert server.get(path).status == 404, path
    assert server.delete(url).status == 404
    assert not list(__import__("pathlib").Path(server.data, "storage").rglob("a.txt"))
    # One that runs is killed first.
    running = server.form(f"{API}/demo.team/sleeper").json
    assert server.delete(f"{API}/{running['id']}").status == 204
    assert server.get(f"{API}/{running['id']}").status == 404
    assert server.get(f"{API}/search").json["total"] == 0
    server.stop()
    server.start()
    assert server.get(f"{API}/{running['id']}").status == 404
    assert server.run("demo.team", "hello")["state"]["current"] == "SUCCESS"


def test_bulk(server):
    server.push(FLOW)
    server.push(SLEEPER)
    ids = [server.run("demo.team", "hello", query=f"wait=true&labels=k:{i % 2}")["id"]
           for i in range(4)]
    sleeping = [server.form(f"{API}/demo.team/sleeper").json["id"] for _ in range(3)]
    headers = {"Content-Type": "application/json"}

    def bulk(method, path, body=None):
        return server.call(method, API + path, json.dumps(body) if body is not None else None, headers)
    # All or nothing, in the original's words.
    answer = bulk("DELETE", "/by-ids", ids[:1] + ["nope", sleeping[0]])
    assert answer.status == 400 and answer.json["message"] == "invalid bulk delete"
    assert [(i["message"], i["invalidValue"]) for i in answer.json["invalids"]] == [
        ("execution not found", "nope"), ("execution not in a terminated state", sleeping[0])]
    assert server.get(f"{API}/{ids[0]}").status == 200
    answer = bulk("DELETE", "/kill/by-ids", [ids[0], sleeping[0]])
    assert answer.status == 400 and answer.json["invalids"][0]["message"] == "execution already finished"
    answer = bulk("POST", "/labels/by-ids", {"executionsId": [ids[0], sleeping[0]],
                                            "executionLabels": [{"key": "z", "value": "1"}]})
    assert answer.status == 400 and answer.json["message"] == "invalid bulk set labels", answer
    assert "z" not in labels_of(server.get(f"{API}/{ids[0]}").json)
    answer = bulk("POST", "/labels/by-ids", {"executionsId": ids + ids[:1],
                                            "executionLabels": [{"key": "z", "value": "1"}]})
    assert answer.status == 200 and answer.json == {"count": 4}
    assert labels_of(server.get(f"{API}/{ids[3]}").json)["z"] == "1"
    answer = bulk("POST", "/labels/by-query?labels=k:0", [{"key": "even", "value": "yes"}])
    assert answer.json == {"count": 2}, answer
    assert bulk("DELETE", "/kill/by-query?state=RUNNING&flowId=sleeper&namespace=demo.team").json == {"count": 3}
    # A filter that is not known never means "all".
    for query in ["nonsense=1", "filters[nope][EQUALS]=x", "filters[state][REGEX]=x", "filters[", "state=x",
                  "labels=x", "state=", "namespace=", "filters[namespace][EQUALS]=", "filters[labels][EQUALS][even]="]:
        assert bulk("DELETE", "/by-query?" + query).status == 422, query
    assert bulk("DELETE", "/by-query?filters[labels][EQUALS][even]=yes").json == {"count": 2}
    assert bulk("DELETE", "/by-query?filters[namespace][EQUALS]=demo").json == {"count": 0}
    # The same filters as in lists: groups too.
    assert bulk("DELETE", "/by-query?filters[or][0][flowId][EQUALS]=nope"
                "&filters[or][1][flowId][EQUALS]=none").json == {"count": 0}
    assert bulk("DELETE", "/by-query?childFilter=CHILD").json == {"count": 0}
    assert bulk("DELETE", "/by-query?filters[namespace][PREFIX]=demo&q=hel&childFilter=MAIN").json == {"count": 2}
    assert bulk("DELETE", "/by-query?includeNonTerminated=true&namespace=demo").json == {"count": 3}
    assert server.get(f"{API}/search").json["total"] == 0
    for body in [{}, "x", [1], [[]], None]:
        assert bulk("DELETE", "/by-ids", body).status == 422, body
    assert bulk("DELETE", "/by-ids", []).json == {"count": 0}


def test_idempotency(server):
    server.push(FLOW)
    key = {"Idempotency-Key": "order-1"}

    def start(fields, headers, files=(), query="wait=true"):
        boundary = f"b{time.monotonic_ns()}"  # Another one each time: it is no part of the request.
        body = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{t}\r\n'.encode()
            for n, t in fields)
        body += b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"; filename="f"\r\n\r\n{t}\r\n'.encode()
            for n, t in files) + f"--{boundary}--\r\n".encode()
        return server.post(f"{API}/demo.team/hello?{query}", body, headers=dict(
            headers, **{"Content-Type": f"multipart/form-data; boundary={boundary}"}))
    first = start([("name", "x")], key)
    again = start([("name", "x")], key)
    assert first.status == again.status == 200
    assert first.json["id"] == again.json["id"] and again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert start([("name", "x")], key, query="wait=false").json["id"] == first.json["id"]
    for other in [start([("name", "y")], key), start([("name", "x")], key, query="labels=a:b"),
                  start([("name", "x")], key, files=[("data", "z")])]:
        assert other.status == 422 and first.json["id"] in other.text, other
    file_key = {"Idempotency-Key": "file"}
    one = start([], file_key, [("data", "content")])
    assert start([], file_key, [("data", "content")]).json["id"] == one.json["id"]
    assert start([], file_key, [("data", "other")]).status == 422
    # What was refused may be mended and sent again with the same key.
    bad = {"Idempotency-Key": "bad"}
    assert start([("n", "0")], bad).status == 422
    assert start([("n", "1")], bad).status == 200
    assert start([], {"Idempotency-Key": "x" * 256}).status == 422
    assert start([], {"Idempotency-Key": "x" * 255}).status == 200
    # Many at once: one execution.
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(
        start([("name", "q")], {"Idempotency-Key": "many"}, query="").json["id"])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 16 and len(set(seen)) == 1, seen
    # It outlives the server.
    server.kill()
    server.start()
    assert start([("name", "x")], key).json["id"] == first.json["id"]
    # No flow sees what is kept of it.
    assert server.get("/api/v1/namespaces/once.00/kv").json == []


def test_eval(server):
    server.push(FLOW)
    done = server.run("demo.team", "hello", [("name", "Bob")])
    runs = {(run["taskId"], run.get("value")): run["id"] for run in done["taskRunList"]}

    def eval_(expression, run=None):
        url = f"{API}/{done['id']}/eval" + (f"/{run}" if run else "")
        answer = server.post(url, expression, headers={"Content-Type": "text/plain"})
        assert answer.status == 200, answer
        return answer.json
    assert eval_("{{ outputs.ret.value }}") == {"result": "hi Bob"}
    assert eval_("{{ outputs.each }}")["result"].startswith("{") or True
    assert eval_("{{ taskrun.value }} {{ outputs.inner.b.value }}", runs["inner", "b"]) == {
        "result": "b b-Bob"}
    assert eval_("{{ parent.taskrun.value ?? 'none' }}", runs["inner", "a"])["result"] == "none"
    assert eval_("{{ flow.id }} {{ execution.id }}")["result"] == "hello " + done["id"]
    assert "error" in eval_("{{ nope }}") and "error" in eval_("{{ 1 + }}")
    assert "error" in eval_("{{ secret('X') }}")
    server.put("/api/v1/namespaces/demo.team/kv/k", "5", headers={"Content-Type": "application/json"})
    assert eval_("{{ kv('k') + 1 }}") == {"result": "6"}
    assert "error" in eval_("{{ read('baton:///other/flow/executions/x/f') }}")
    assert server.post(f"{API}/{done['id']}/eval/nope", "x").status == 404
    assert server.post(f"{API}/main/{done['id']}/actions/eval", "x").status in (404, 422)
    assert server.post(f"/api/v1/main/executions/{done['id']}/actions/eval", "{{ 1 + 1 }}").json == {"result": "2"}


def test_dialog(server):
    server.push(FLOW)
    done = server.run("demo.team", "hello")
    flow = server.get(f"{API}/{done['id']}/flow").json
    assert flow["tasks"] == [{"id": "ret", "type": "return"},
                             {"id": "each", "type": "foreach", "tasks": [{"id": "inner", "type": "return"}]}]
    assert flow["inputs"][0]["required"] is True and "format" not in json.dumps(flow["tasks"])
    assert server.get(f"{API}/flows/demo.team/hello").json == flow
    assert server.get(f"{API}/flows/demo.team/nope").status == 404
    assert server.get(f"{API}/namespaces").json == ["demo.team"]
    assert [f["id"] for f in server.get(f"{API}/namespaces/demo.team/flows").json] == ["hello"]
    latest = server.post(f"{API}/latest", [{"namespace": "demo.team", "id": "hello"},
                                           {"namespace": "demo.team", "id": "none"}]).json
    assert [e["id"] for e in latest] == [done["id"]] and "taskRunList" not in latest[0]
    assert server.post(f"{API}/latest", [{}]).status == 422
    checked = server.form(f"{API}/demo.team/hello/validate", [("name", "x"), ("n", "0")]).json
    name, n, data = checked["inputs"]
    assert checked["id"] == "hello" and name["value"] == "x" and name["errors"] == [] and name["enabled"]
    assert n["errors"][0]["path"] == "n" and "value" not in n
    assert data["errors"] == []
    assert server.get(f"{API}/search").json["total"] == 1
    assert server.form(f"{API}/demo.team/hello?scheduleDate=2020-01-01T00:00:00Z").status == 200


def test_files(server):
    server.push(FILES)
    done, other = server.run("demo.team", "files"), server.run("demo.team", "files")
    uris = done["taskRunList"][0]["outputs"]["outputFiles"]
    url = f"{API}/{done['id']}/file"

    def get(part, name, extra="", **keys):
        return server.get(f"{url}{part}?path={quote(uris[name])}{extra}", **keys)
    whole = get("", "a.txt")
    assert whole.body == b"one\ntwo\nthree\n" and "a.txt" in whole.headers["Content-Disposition"]
    for given, want in [("0-2", b"one"), ("4-", b"two\nthree\n"), ("-6", b"three\n"), ("4-999", b"two\nthree\n")]:
        part = get("", "a.txt", headers={"Range": "bytes=" + given})
        assert part.status == 206 and part.body == want, (given, part)
        assert part.headers["Content-Range"].endswith("/14")
    assert get("", "a.txt", headers={"Range": "bytes=14-"}).status == 416
    for ignored in ["bytes=", "bytes=5-2", "items=0-1", "bytes=0-1,3-4", "bytes=x-"]:
        assert get("", "a.txt", headers={"Range": ignored}).status == 200, ignored
    assert get("/metas", "a.txt").json == {"size": 14}
    assert get("/preview", "a.txt", "&maxRows=2").json == {
        "extension": "txt", "type": "TEXT", "content": "one\ntwo\n", "maxLine": 2, "truncated": True}
    rows = get("/preview", "rows.ion").json
    assert rows["type"] == "LIST" and rows["content"] == [{"x": 1}, {"x": 2}] and not rows["truncated"]
    assert get("/preview", "p.png").json["content"] == "iVBORw=="
    assert get("/preview", "r.md").json["type"] == "MARKDOWN"
    assert get("/preview", "latin.txt", "&encoding=ISO-8859-1").json["content"] == "caf\u00e9\n"
    assert get("/preview", "latin.txt").json["content"] == "caf\ufffd\n"
    assert get("/preview", "a.txt", "&encoding=nope").status == 422
    assert get("/preview", "a.txt", "&maxRows=0").status == 422
    # A file of another execution: go there.
    moved = server.get(f"{API}/{other['id']}/file?path={quote(uris['a.txt'])}")
    assert moved.status == 301 and moved.headers["Location"].startswith(url), moved
    assert server.get(moved.headers["Location"]).body == whole.body
    for bad in ["x", "baton:///etc/passwd", "file:///etc/passwd", "baton:///../x", uris["a.txt"] + "/../x",
                uris["a.txt"].replace("demo", "other"), "baton:///demo/team/_files/x"]:
        assert server.get(f"{url}?path={quote(bad)}").status in (404, 422), bad
    assert server.get(url).status == 400
    assert server.get(f"{url}?path={quote(uris['a.txt'] + 'x')}").status == 404
