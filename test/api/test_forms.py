"""Forms as clients send them, and as they should not: nothing that was sent is lost in silence."""
from baton import quote

FLOW = """id: form
namespace: demo
inputs:
  - {id: s, type: STRING, required: false}
  - {id: f, type: FILE, required: false}
tasks: [{id: t, type: log, message: x}]
"""
PATH = "/api/v1/executions/demo/form"
FIELD = '--xx\r\nContent-Disposition: form-data; name="s"\r\n\r\nv\r\n'


def send(server, body, kind="multipart/form-data; boundary=xx", path=PATH):
    return server.post(path, body, headers={"Content-Type": kind} if kind else {})


def test_refused(server):
    server.push(FLOW)
    assert send(server, FIELD + "--xx--\r\n").json["inputs"]["s"] == "v"
    assert send(server, "--xx--\r\n").status == 200
    assert send(server, FIELD + "--xx--\r\n", "Multipart/Form-Data; boundary=xx").json["inputs"]["s"] == "v"
    assert send(server, "", None).status == 200
    assert send(server, "", "application/json").status == 200
    assert send(server, "s=v", "application/x-www-form-urlencoded").json["inputs"]["s"] == "v"
    for path in (PATH, PATH + "/validate"):
        for kind, body in (("application/json", '{"s": "v"}'), ("text/plain", "v"), ("", "s=v"),
                           ("multipart/mixed; boundary=xx", FIELD + "--xx--\r\n")):
            answer = send(server, body, kind, path)
            assert answer.status == 415, (kind, answer)
            assert answer.json["message"].startswith("Unsupported Media Type"), answer
    for body in (FIELD.replace("--xx", "--yy") + "--yy--\r\n", FIELD,
                 FIELD.replace('; name="s"', "") + "--xx--\r\n",
                 FIELD.replace('name="s"', 'name=""') + "--xx--\r\n",
                 "--xx\r\n\r\nv\r\n--xx--\r\n"):
        answer = send(server, body)
        assert answer.status == 422 and "Invalid format" in answer.json["message"], (body, answer)
    total = server.get("/api/v1/executions/search?flowId=form&namespace=demo").json["total"]
    assert total == 6, total


def test_file_names(server):
    server.push(FLOW)
    for name, plain in (("a.txt", 'filename="a.txt"'),
                        ("\u00fc \u00f1%2F&.txt", "filename*=UTF-8''%C3%BC%20%C3%B1%252F%26.txt")):
        done = server.form(PATH + "?wait=true", files=[("f", name, b"0123456789")]).json
        path = f"/api/v1/executions/{done['id']}/file?path={quote(done['inputs']['f'])}"
        answer = server.get(path)
        assert answer.body == b"0123456789"
        assert answer.headers["Content-Disposition"].endswith(plain), answer.headers
        for given, want in (("-1", b"9"), ("0-0", b"0"), ("8-99", b"89"), ("-99", b"0123456789")):
            part = server.get(path, headers={"Range": "bytes=" + given})
            assert part.status == 206 and part.body == want, (given, part)
        for given in ("--1", "5-2", "0-1,3-4", "a-b", "", "0--1", "-1-"):
            whole = server.get(path, headers={"Range": "bytes=" + given})
            assert whole.status == 200 and whole.body == answer.body, (given, whole)
        for given in ("10-", "-0"):
            assert server.get(path, headers={"Range": "bytes=" + given}).status == 416, given
    done = server.form(PATH + "?wait=true", files=[("f", "none", b"")]).json
    path = f"/api/v1/executions/{done['id']}/file"
    query = f"?path={quote(done['inputs']['f'])}"
    empty = server.get(path + query)
    assert empty.status == 200 and empty.body == b"" and empty.headers["Content-Length"] == "0"
    assert server.get(path + "/metas" + query).json == {"size": 0}
    assert server.get(path + "/preview" + query).json["content"] == ""
