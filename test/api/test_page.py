"""The page: its files, encodings, caching and policy; who may change something from a browser."""
import base64
import gzip
import re

SIMPLE = "id: one\nnamespace: demo\ntasks: [{id: t, type: log, message: x}]\n"


def has_page(server):
    """A binary without the page says how to build it; then there is no more to look at."""
    answer = server.get("/ui/")
    if answer.status == 200:
        return True
    assert answer.status == 404 and "make ui" in answer.text, answer
    assert server.get("/ui/assets/x.js").status == 404
    return False


def test_address(server):
    for path in ("/", "/ui", "/ui?x=1"):
        answer = server.get(path)
        assert answer.status == 307 and answer.headers["Location"] == "ui/", answer
    if not has_page(server):
        return
    # The base says how far up the page is, whatever stands before it.
    for path, base in (("/ui/", "./"), ("/ui/flows", "./"), ("/ui/flows/", ".././"),
                       ("/ui/flows/a/b?x=/y/", "../.././"), ("/ui/flows/a%2Fb/c", "../.././"),
                       ("/ui/executions/a/b/c", "../../.././")):
        answer = server.get(path)
        assert answer.status == 200 and f'<base href="{base}"' in answer.text, (path, answer)
    for path in ("/ui/assets/absent.js", "/ui/assets/", "/ui/assets/%2e%2e/index.html",
                 "/ui/assets/..%2f..%2fetc%2fpasswd"):
        assert server.get(path).status in (200, 404), path
        assert "root:" not in server.get(path).text
    assert server.post("/ui/", "x").status == 405


def test_policy(server):
    if not has_page(server):
        return
    headers = server.get("/ui/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    page = server.get("/ui/").text
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|https?://", page), page


def test_encodings(server):
    if not has_page(server):
        return
    page = server.get("/ui/").text
    names = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page)
    assert any(name.endswith(".js") for name in names) and any(name.endswith(".css") for name in names)
    total = 0
    for name in names:
        plain = server.get(f"/ui/{name}")
        assert plain.status == 200 and "Content-Encoding" not in plain.headers
        assert "immutable" in plain.headers["Cache-Control"] and plain.headers["Vary"] == "Accept-Encoding"
        expected = "text/javascript" if name.endswith(".js") else "text/css"
        assert plain.headers["Content-Type"].startswith(expected)
        for accept, want in (("gzip, deflate", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0, gzip", "gzip"),
                             ("br;q=0.0", None), ("identity", None), ("brx, xgzip", None), ("BR", None),
                             (" br ;q=1", "br"), (",,;q=,", None)):
            answer = server.get(f"/ui/{name}", headers={"Accept-Encoding": accept})
            assert answer.headers.get("Content-Encoding") == want, (accept, answer.headers)
            if want == "gzip":
                assert gzip.decompress(answer.body) == plain.body
            if want == "br":
                assert len(answer.body) < len(plain.body)
                total += len(answer.body) if accept.startswith("gzip") else 0
        tag = plain.headers["ETag"]
        for given in (tag, tag[2:], f'"other", {tag}'):
            again = server.get(f"/ui/{name}", headers={"If-None-Match": given})
            assert again.status == 304 and again.body == b"" and again.headers["ETag"] == tag
        assert server.get(f"/ui/{name}", headers={"If-None-Match": '"other"'}).status == 200
    assert total < 300_000, f"the first load is {total} bytes"
    index = server.get("/ui/flows")
    assert index.headers["Cache-Control"] == "no-cache"
    again = {"If-None-Match": index.headers["ETag"]}
    assert server.get("/ui/flows", headers=again).status == 304
    assert server.get("/ui/flows/a/b", headers=again).status == 200, "another base, another page"


def others_are_refused(server, headers):
    own = f"http://{server.host}:{server.port}"
    good = ({}, {"Origin": own}, {"Sec-Fetch-Site": "none"},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"})
    bad = ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
           {"Sec-Fetch-Site": "same-site", "Origin": own})
    for want, several in ((200, good), (403, bad)):
        for more in several:
            answer = server.post("/api/v1/flows/import-source", SIMPLE, headers={**headers, **more})
            assert answer.status == want, (more, answer)


def test_other_sites(server):
    others_are_refused(server, {})


def test_other_sites_password(server):
    """A browser sends a password that it knows by itself: a page of another site gains nothing."""
    token = open(server.data + "/api.token").read().strip()
    basic = base64.b64encode(f"any:{token}".encode()).decode()
    assert server.get("/ui/").status == 401 and server.get("/").status == 401
    others_are_refused(server, {"Authorization": f"Basic {basic}"})


test_other_sites_password.args = ("--bind", "0.0.0.0")
