"""Flows beyond create and read: tasks, graphs, bulk calls, archives, search in sources, checks."""
import io
import json
import zipfile

FLOW = """# The flow of the house.
id: sample
namespace: io.sample
labels: {team: alpha}
variables:
  greeting: hello
tasks:
  - id: hello # first
    type: io.kestra.plugin.core.log.Log
    message: "{{ vars.greeting }}"
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: inner, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
  # the choice
  - id: choice
    type: if
    condition: "{{ true }}"
    then:
      - {id: yes_task, type: log, message: y}
    else:
      - {id: no_task, type: log, message: n}
  - id: par
    type: parallel
    tasks:
      - {id: p1, type: log, message: a}
      - {id: p2, type: log, message: b}
errors:
  - {id: oops, type: log, message: bad}
triggers:
  - {id: hook, type: io.kestra.plugin.core.trigger.Webhook, key: k}
"""


def simple(ident, namespace="io.sample", more=""):
    return f"id: {ident}\nnamespace: {namespace}\n{more}tasks:\n- {{id: t, type: log, message: x}}\n"


def test_task(server):
    server.push(FLOW)
    url = "/api/v1/flows/io.sample/sample"
    task = server.get(url + "/tasks/inner")
    assert task.json == {"id": "inner", "type": "io.kestra.plugin.core.debug.Return",
                         "format": "{{ taskrun.value }}"}
    assert server.get(url + "/tasks/nope").status == 404
    assert server.get(url + "/tasks/inner?revision=7").status == 404
    headers = {"Content-Type": "application/json"}
    new = {"id": "hello", "type": "io.kestra.plugin.core.log.Log", "message": "new"}
    done = server.call("PATCH", url + "/hello", json.dumps(new), headers)
    assert done.status == 200 and done.json["revision"] == 2, done
    source = server.get(url + "?source=true").json["source"]
    assert source.startswith("# The flow of the house.\n") and "  # the choice\n" in source
    assert 'message: "{{ vars.greeting }}"' not in source and "message: new" in source, source
    assert server.get(url + "/tasks/hello").json == new
    assert server.call("PATCH", url + "/nope", json.dumps(dict(new, id="nope")), headers).status == 404
    assert server.call("PATCH", url + "/hello", json.dumps(dict(new, id="x")), headers).status == 422
    bad = server.call("PATCH", url + "/hello", json.dumps(dict(new, type="nope")), headers)
    assert bad.status == 422 and "Invalid type" in bad.json["message"], bad
    assert server.call("PATCH", url + "/hello", "[1", headers).status == 422


def check_graph(graph):
    """What must hold of every graph: names are unique, edges and clusters name nodes."""
    uids = [node["uid"] for node in graph["nodes"]]
    assert len(uids) == len(set(uids)), uids
    for edge in graph["edges"]:
        assert edge["source"] in uids and edge["target"] in uids, edge
    for cluster in graph["clusters"]:
        assert {cluster["start"], cluster["end"], *cluster["nodes"]} <= set(uids), cluster
    reached, more = set(), {"root._start"}
    while more:
        reached |= more
        more = {e["target"] for e in graph["edges"] if e["source"] in reached} - reached
    assert "root._end" in reached
    return {node["uid"]: node for node in graph["nodes"]}, {
        (e["source"], e["target"]): e["relation"] for e in graph["edges"]}, {
        c["cluster"]["uid"]: c for c in graph["clusters"]}


def test_graph(server):
    server.push(FLOW)
    answer = server.get("/api/v1/flows/io.sample/sample/graph")
    assert answer.status == 200, answer
    nodes, edges, clusters = check_graph(answer.json)
    assert nodes["root.hello"]["type"].endswith("GraphTask")
    assert nodes["root.hello"]["task"]["message"] == "{{ vars.greeting }}"
    assert nodes["root.hello"]["relationType"] == "SEQUENTIAL" and not nodes["root.hello"]["error"]
    assert edges["root._start", "root.hello"] == {}
    assert edges["root.hello", "root.each._start"] == {"relationType": "SEQUENTIAL"}
    assert edges["root.each", "root.each.inner"] == {"relationType": "DYNAMIC"}
    assert edges["root.choice", "root.choice.yes_task"] == {"relationType": "CHOICE", "value": "then"}
    assert edges["root.choice", "root.choice.no_task"]["value"] == "else"
    assert edges["root.par", "root.par.p2"] == {"relationType": "PARALLEL"}
    assert nodes["root.oops"]["error"] and edges["root._start", "root.oops"]["relationType"] == "ERROR"
    assert nodes["root.Triggers.hook"]["triggerDeclaration"]["key"] == "k"
    assert edges["root.Triggers._end", "root._start"] == {}
    assert clusters["cluster_root.each"]["cluster"]["relationType"] == "DYNAMIC"
    assert clusters["cluster_root.each"]["cluster"]["taskNode"]["task"]["id"] == "each"
    same = server.post("/api/v1/flows/graph", FLOW)
    assert same.json == answer.json
    assert server.post("/api/v1/flows/graph", "id: x").status == 422
    assert server.get("/api/v1/flows/io.sample/nope/graph").status == 404
    done = server.run("io.sample", "sample")
    nodes, edges, _ = check_graph(server.get(f"/api/v1/executions/{done['id']}/graph").json)
    assert nodes["root.hello"]["taskRun"]["state"]["current"] == "SUCCESS"
    assert nodes["root.hello"]["task"] == {"id": "hello", "type": "io.kestra.plugin.core.log.Log"}
    assert nodes["root.each.inner_b"]["values"] == ["b"]
    assert nodes["root.each.inner_b"]["taskRun"]["outputs"] == {"value": "b"}
    assert edges["root.each", "root.each.inner_a"] == {"relationType": "DYNAMIC", "value": "a"}
    assert edges["root.each.inner_a", "root.each.inner_b"] == {"relationType": "DYNAMIC", "value": "b"}
    assert "taskRun" not in nodes["root.choice.no_task"]


def test_large_graph(server):
    server.push("id: wide\nnamespace: io.sample\ntasks:\n- id: e\n  type: foreach\n  values: \"{{ range(1, 6000) }}\"\n"
                "  concurrencyLimit: 0\n  tasks:\n  - {id: t, type: return, format: x}\n")
    done = server.run("io.sample", "wide")
    assert done["state"]["current"] == "SUCCESS", done["state"]
    answer = server.get(f"/api/v1/executions/{done['id']}/graph")
    assert answer.status == 200 and len(answer.json["nodes"]) < 5100
    check_graph(answer.json)


def test_dependencies(server):
    trigger = ("triggers:\n- id: w\n  type: io.kestra.plugin.core.trigger.Flow\n  conditions:\n"
               "  - {type: io.kestra.plugin.core.condition.ExecutionFlow, namespace: io.sample, flowId: %s}\n")
    server.push(simple("first"))
    server.push(simple("second", more=trigger % "first"))
    server.push(simple("third", "io.other", more=trigger % "second"))
    server.push(simple("alone"))

    def edges(path):
        graph = server.get("/api/v1" + path).json
        return ({node["id"] for node in graph["nodes"]},
                {(e["source"], e["target"], e["relation"]) for e in graph["edges"]})
    one = ("io.sample_first", "io.sample_second", "FLOW_TRIGGER")
    two = ("io.sample_second", "io.other_third", "FLOW_TRIGGER")
    assert edges("/flows/io.sample/second/dependencies") == ({"first", "second", "third"}, {one, two})
    assert edges("/flows/io.sample/second/dependencies?destinationOnly=true") == ({"second", "third"}, {two})
    assert edges("/flows/io.sample/first/dependencies") == ({"first", "second"}, {one})
    assert edges("/flows/io.sample/first/dependencies?expandAll=true") == ({"first", "second", "third"}, {one, two})
    assert edges("/flows/io.sample/alone/dependencies") == ({"alone"}, set())
    assert edges("/namespaces/io.sample/dependencies") == ({"first", "second", "third", "alone"}, {one, two})
    assert server.get("/api/v1/flows/io.sample/nope/dependencies").status == 404


def test_push_many(server):
    text = simple("a") + "---\n" + simple("b")
    made = server.post("/api/v1/flows/io.sample", text)
    assert [flow["id"] for flow in made.json] == ["a", "b"] and made.json[0]["source"] == simple("a"), made
    # Nothing is stored when one is wrong.
    for wrong in [simple("c") + "---\nid: d\n", simple("c") + "---\n" + simple("e", "io.else"),
                  simple("c") + "---\n" + simple("c")]:
        refused = server.post("/api/v1/flows/io.sample", wrong)
        assert refused.status == 422 and refused.json["_embedded"]["errors"], refused
    assert server.get("/api/v1/flows/io.sample/c").status == 404
    replaced = server.post("/api/v1/flows/io.sample?delete=true", simple("b") + "---\n" + simple("c")).json
    assert [(flow["id"], flow["deleted"]) for flow in replaced] == [("a", True), ("b", False), ("c", False)]
    assert [flow["revision"] for flow in replaced][1:] == [1, 1]
    moved = server.post("/api/v1/flows/io.moved?override=true", simple("b")).json
    assert moved[0]["namespace"] == "io.moved" and "namespace: io.moved" in moved[0]["source"]
    assert server.post("/api/v1/flows/io.sample?delete=true", "").status == 200
    assert server.get("/api/v1/flows/io.sample").json == []
    assert [flow["id"] for flow in server.get("/api/v1/flows/io.moved").json] == ["b"]
    both = server.post("/api/v1/flows/bulk", simple("x") + "---\n" + simple("y", "io.sample.child"))
    assert both.status == 200 and len(both.json) == 2
    assert server.post("/api/v1/flows/bulk?namespace=io.sample", simple("z", "io.sample.child")).status == 422
    only = server.post("/api/v1/flows/bulk?namespace=io.sample&allowNamespaceChild=true&delete=true",
                       simple("z", "io.sample.child")).json
    assert [(flow["id"], flow["deleted"]) for flow in only] == [("x", True), ("y", True), ("z", False)]
    assert server.get("/api/v1/flows/io.moved/b").status == 200


def test_bulk(server):
    server.push(FLOW)
    server.push(simple("two", more="labels: {team: beta}\n"))
    server.push(simple("sys", "system"))
    ids = [{"namespace": "io.sample", "id": "sample"}, {"namespace": "io.sample", "id": "none"}]
    assert server.post("/api/v1/flows/disable/by-ids", ids).json == {"count": 1}
    assert server.post("/api/v1/flows/disable/by-ids", ids).json == {"count": 0}
    flow = server.get("/api/v1/flows/io.sample/sample?source=true").json
    assert flow["disabled"] and flow["revision"] == 2
    assert flow["source"] == FLOW.replace("namespace: io.sample\n", "namespace: io.sample\ndisabled: true\n")
    assert server.form("/api/v1/executions/io.sample/sample").status == 409
    assert server.post("/api/v1/flows/enable/by-query?labels=team:alpha").json == {"count": 1}
    assert "disabled: false\n" in server.get("/api/v1/flows/io.sample/sample?source=true").json["source"]
    assert server.post("/api/v1/flows/disable/by-query?scope=SYSTEM").json == {"count": 1}
    assert server.get("/api/v1/flows/search?scope=USER").json["total"] == 2
    assert server.get("/api/v1/flows/search?filters[labels][EQUALS][team]=beta").json["total"] == 1
    for query in ["nope=1", "filters[x][EQUALS]=1", "namespace=", "scope=x", "labels=x",
                  "filters[namespace][REGEX]=x"]:
        assert server.delete("/api/v1/flows/delete/by-query?" + query).status == 422, query
    assert server.delete("/api/v1/flows/delete/by-query?q=TWO").json == {"count": 1}
    answer = server.call("DELETE", "/api/v1/flows/delete/by-ids", json.dumps(ids))
    assert answer.json == {"count": 1}
    assert server.get("/api/v1/flows/search").json["total"] == 1
    for body in ["{}", "[1]", "[{}]", "x"]:
        assert server.call("DELETE", "/api/v1/flows/delete/by-ids", body).status == 422, body


def test_archives(server):
    server.push(FLOW)
    server.push(simple("two"))
    answer = server.post("/api/v1/flows/export/by-ids", [{"namespace": "io.sample", "id": "sample"}])
    assert answer.status == 200 and "flows.zip" in answer.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.namelist() == ["io.sample.sample.yml"] and archive.testzip() is None
        assert archive.read("io.sample.sample.yml").decode() == FLOW
    assert server.post("/api/v1/flows/export/by-ids", [{"namespace": "io.sample", "id": "no"}]).status == 404
    every = server.get("/api/v1/flows/export/by-query?namespace=io").body
    assert len(zipfile.ZipFile(io.BytesIO(every)).namelist()) == 2
    server.delete("/api/v1/flows/delete/by-query?namespace=io")

    def load(name, content, query=""):
        return server.form("/api/v1/flows/import" + query, files=[("fileUpload", name, content)])
    assert load("flows.zip", every).json == []
    assert server.get("/api/v1/flows/io.sample/sample?source=true").json["source"] == FLOW
    text = (simple("ok") + "---\nid: bad\n---\n" + simple("too")).encode()
    assert load("f.yaml", text).json == ["1"]
    assert server.get("/api/v1/flows/io.sample/too").status == 200
    assert load("f.yml", text, "?failOnError=true").status == 422
    assert load("f.txt", text).status == 422 and load("f.zip", b"PK nonsense").status == 422
    assert load("f.zip", b"").status == 422 and load("f.yml", b"").json == []
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/good.yml", simple("good"))
        archive.writestr("readme.txt", "x")
        archive.writestr("../bad.yml", "id: [")
        archive.writestr("huge.yml", "x: y\n" * 2_000_000)
    assert load("f.zip", out.getvalue()).json == ["../bad.yml", "huge.yml"]
    assert server.get("/api/v1/flows/io.sample/good").status == 200
    cut = out.getvalue()
    assert load("f.zip", cut[:len(cut) // 2]).status in (200, 422)
    assert server.form("/api/v1/flows/import", [("fileUpload", "text")]).status == 422


def test_search_source(server):
    server.push(FLOW)
    server.push(simple("two"))
    page = server.get("/api/v1/flows/source?q=greeting&size=5").json
    assert page["total"] == 1 and page["results"][0]["model"]["id"] == "sample"
    fragments = page["results"][0]["fragments"]
    assert fragments[0] == ("variables:\n  [mark]greeting[/mark]: hello\ntasks:\n  - id: hello # first"), fragments
    assert any("vars.[mark]greeting[/mark]" in fragment for fragment in fragments)
    assert server.get("/api/v1/flows/source?q=GREETING+nope").json["total"] == 0
    assert server.get("/api/v1/flows/source?q=type&namespace=io.other").json["total"] == 0
    assert server.get("/api/v1/flows/source").json["total"] == 2


def test_checks(server):
    server.push(simple("a"))
    server.put("/api/v1/flows/io.sample/a", simple("a", more="description: x\n"))

    def check(source):
        return server.post("/api/v1/flows/validate", source).json
    assert check("revision: 3\n" + simple("a"))[0]["outdated"] is False
    assert check("revision: 2\n" + simple("a"))[0]["outdated"] is True
    assert check("revision: 9\n" + simple("new"))[0]["outdated"] is False
    same = server.put("/api/v1/flows/io.sample/a", "revision: 3\n" + simple("a", more="description: x\n"))
    assert same.status == 200 and same.json["revision"] == 2
    good = server.post("/api/v1/flows/validate/task?section=TASKS", "id: t\ntype: log\nmessage: |\n  a\n  b\n").json
    assert "constraints" not in good and good["outdated"] is False, good
    bad = server.post("/api/v1/flows/validate/task", "id: t\ntype: log\nmesage: a\n").json
    place = [(v["line"], v["column"]) for v in bad["violations"] if v["path"] == "mesage"]
    assert place == [(3, 1)] and "constraints" in bad, bad
    assert "Invalid type" in server.post("/api/v1/flows/validate/task", {"id": "t", "type": "nope"}).json["constraints"]
    assert "constraints" in server.post("/api/v1/flows/validate/task", "[").json
    assert "constraints" in server.post("/api/v1/flows/validate/task", "").json
    hook = {"id": "t", "type": "io.kestra.plugin.core.trigger.Webhook", "key": "k"}
    assert "constraints" not in server.post("/api/v1/flows/validate/trigger", hook).json
    assert "constraints" in server.post("/api/v1/flows/validate/trigger", {"id": "t", "type": "log"}).json
    assert "constraints" in server.post("/api/v1/flows/validate/task?section=TRIGGERS", "id: x").json
    assert server.post("/api/v1/flows/validate/task?section=x", "id: x").status == 422
