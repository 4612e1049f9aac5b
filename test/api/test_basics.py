"""Flows, executions and logs: the shapes of the original, its errors, and its three dialects."""
import json

HELLO = """id: hello
namespace: demo.team
labels: {team: data}
inputs:
  - {id: name, type: STRING, defaults: world}
  - {id: n, type: INT, required: false, min: 1}
  - {id: data, type: FILE, required: false}
tasks:
  - {id: say, type: log, message: "hello {{ inputs.name }}"}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: ret, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
outputs:
  - {id: final, type: STRING, value: "{{ inputs.name }}!"}
"""
SLOW = """id: slow
namespace: demo.team
tasks:
  - {id: a, type: shell, commands: ["for i in 1 2 3; do echo line $i; sleep 0.1; done"]}
"""


def test_health(server):
    assert server.get("/health").json["status"] == "UP"
    assert server.get("/ping").text == "pong"
    assert server.get("/health/liveness").status == 200
    assert server.get("/api/v1/configs").json["systemNamespace"] == "system"


def test_flow_life(server):
    made = server.push(HELLO)
    assert made["revision"] == 1 and made["source"] == HELLO and not made["deleted"]
    assert made["labels"] == [{"key": "team", "value": "data"}]
    assert made["inputs"][0]["required"] is True
    again = server.post("/api/v1/flows", HELLO)
    assert again.status == 422
    assert again.json["message"].startswith("Invalid entity: flow.id: Flow id already exists")
    assert again.json["_embedded"]["errors"][0]["path"] == "flow.id"
    same = server.put("/api/v1/flows/demo.team/hello", HELLO)
    assert same.status == 200 and same.json["revision"] == 1
    other = server.put("/api/v1/flows/demo.team/hello", HELLO + "description: x\n")
    assert other.json["revision"] == 2 and other.json["description"] == "x"
    assert server.get("/api/v1/flows/demo.team/hello").json["revision"] == 2
    assert "source" not in server.get("/api/v1/flows/demo.team/hello").json
    assert server.get("/api/v1/flows/demo.team/hello?source=true&revision=1").json["source"] == HELLO
    wrong = server.put("/api/v1/flows/demo.team/other", HELLO)
    assert wrong.status == 422 and "flow.id" in wrong.json["message"], wrong
    revisions = server.get("/api/v1/flows/demo.team/hello/revisions").json
    assert [flow["revision"] for flow in revisions] == [1, 2]
    assert server.delete("/api/v1/flows/demo.team/hello").status == 204
    assert server.delete("/api/v1/flows/demo.team/hello").status == 404
    assert server.get("/api/v1/flows/demo.team/hello").status == 404
    gone = server.get("/api/v1/flows/demo.team/hello?allowDeleted=true").json
    assert gone["deleted"] is True and gone["revision"] == 3
    assert server.push(HELLO)["revision"] == 4
    assert server.put("/api/v1/flows/demo.team/absent", HELLO.replace("hello", "absent")).status == 404


def test_flow_refused(server):
    bad = server.post("/api/v1/flows", "id: x y\nnamespace: io.demo\ntasks: []\n")
    assert bad.status == 422
    assert bad.json["message"].startswith("Invalid entity: "), bad
    paths = [error["path"] for error in bad.json["_embedded"]["errors"]]
    assert "id" in paths and "tasks" in paths, bad
    assert server.post("/api/v1/flows", "id: [unclosed\n").status == 422
    assert server.post("/api/v1/flows", b"\xff\xfe\x00").status == 422
    assert server.post("/api/v1/flows", "").status == 422
    one, two = server.post("/api/v1/flows/validate", SLOW + "---\nid: a\nnamespace: b\n").json
    assert one["flow"] == "slow" and "constraints" not in one
    assert two["index"] == 1 and two["constraints"]


def test_flow_lists(server):
    for namespace, flow in [("a.b", "one"), ("a.b", "two"), ("a.bc", "three"), ("a", "four")]:
        server.push(f"id: {flow}\nnamespace: {namespace}\nlabels: {{n: {flow}}}\n"
                    "tasks: [{id: t, type: log, message: x}]\n")
    def ids(query):
        answer = server.get("/api/v1/flows/search?" + query).json
        return [flow["id"] for flow in answer["results"]], answer["total"]
    assert ids("size=10") == (["four", "one", "two", "three"], 4)
    assert ids("namespace=a.b&size=10") == (["one", "two"], 2)
    assert ids("namespace=a&size=2&page=2") == (["two", "three"], 4)
    assert ids("q=THR") == (["three"], 1)
    assert ids("labels=n:one") == (["one"], 1)
    assert [flow["id"] for flow in server.get("/api/v1/flows/a.b").json] == ["one", "two"]
    assert server.get("/api/v1/flows/distinct-namespaces").json == ["a", "a.b", "a.bc"]
    assert server.get("/api/v1/flows/search?size=0").status == 422
    assert server.get("/api/v1/flows/search?page=x").status == 422


def test_execution(server):
    server.push(HELLO)
    done = server.run("demo.team", "hello", [("name", "bob"), ("n", "3")])
    assert done["state"]["current"] == "SUCCESS"
    assert [entry["state"] for entry in done["state"]["histories"]] == ["CREATED", "RUNNING", "SUCCESS"]
    assert done["inputs"]["n"] == 3 and done["outputs"] == {"final": "bob!"}
    assert {"key": "system.correlationId", "value": done["id"]} in done["labels"]
    assert done["url"].endswith(f"/ui/executions/demo.team/hello/{done['id']}")
    runs = {(run["taskId"], run.get("value")): run for run in done["taskRunList"]}
    assert runs["ret", "a"]["parentTaskRunId"] == runs["each", None]["id"]
    assert runs["ret", "b"]["outputs"] == {"value": "b"}
    assert runs["say", None]["attempts"][0]["state"]["current"] == "SUCCESS"
    read = server.get(f"/api/v1/executions/{done['id']}").json
    del done["url"]
    assert read == done
    logs = server.get(f"/api/v1/logs/{done['id']}").json
    assert logs[0]["message"] == "hello bob" and logs[0]["taskId"] == "say"
    assert logs[0]["taskRunId"] == runs["say", None]["id"]
    assert server.get(f"/api/v1/logs/{done['id']}?minLevel=ERROR").json == []
    text = server.get(f"/api/v1/logs/{done['id']}/download").text
    assert text.splitlines()[0].endswith("INFO hello bob")


def test_execution_refused(server):
    server.push(HELLO)
    server.push(HELLO.replace("id: hello", "id: asleep") + "disabled: true\n")
    bad = server.form("/api/v1/executions/demo.team/hello", [("n", "0")])
    assert bad.status == 422
    assert bad.json["_embedded"]["errors"][0]["path"] == "n", bad
    assert bad.json["message"].startswith(
        "Invalid entity: n: Invalid input for `n`, it must be more than `1`"), bad
    absent = server.form("/api/v1/executions/demo.team/absent")
    assert absent.status == 404
    assert absent.json["message"] == "Not Found: Requested Flow is not found."
    off = server.form("/api/v1/executions/demo.team/asleep")
    assert off.status == 409
    assert off.json["message"] == "Illegal state: Requested Flow is disabled."
    assert server.form("/api/v1/executions/demo.team/hello?labels=x").status == 422
    assert server.form("/api/v1/executions/demo.team/hello?labels=system.x:y").status == 422
    chained = server.form("/api/v1/executions/demo.team/hello?labels=system.correlationId:mine")
    assert chained.status == 200, chained
    assert [label["value"] for label in chained.json["labels"]
            if label["key"] == "system.correlationId"] == ["mine"]
    assert server.get("/api/v1/executions/absent").json["message"] == "Not Found"
    assert server.get("/api/v1/nope").json["_links"]["self"]["href"] == "/api/v1/nope"


def test_files(server):
    server.push("""id: files
namespace: demo
inputs: [{id: data, type: FILE}]
tasks:
  - {id: sum, type: shell, inputFiles: {d: "{{ inputs.data }}"}, commands: ['echo "::{\\"outputs\\":{\\"n\\":$(wc -c < d)}}::"']}
""")
    big = bytes(range(256)) * 40000
    for files in ([("data", "my file.bin", big)], [("files", "data", big)]):
        answer = server.form("/api/v1/executions/demo/files?wait=true", files=files)
        assert answer.json["state"]["current"] == "SUCCESS", answer
        assert answer.json["taskRunList"][0]["outputs"]["vars"]["n"] == len(big)
    assert server.is_sanitized or server.rss_mb() < 60


def test_dialects(server):
    server.push(HELLO)
    assert server.get("/api/v1/main/flows/demo.team/hello").status == 200
    done = server.run("demo.team", "hello")
    assert server.get(f"/api/v1/main/executions/{done['id']}").status == 200
    # A flow may be called like an action.
    server.push(HELLO.replace("id: hello", "id: kill"))
    assert server.form("/api/v1/executions/demo.team/kill").status == 200
    for path in (f"/api/v1/executions/{done['id']}/kill",
                 f"/api/v1/main/executions/{done['id']}/actions/kill"):
        answer = server.delete(path)
        assert answer.status == (200 if "/actions/" in path else 202), (path, answer)
        assert answer.json["id"] == done["id"] if "/actions/" in path else not answer.body, (path, answer)
    found = server.get("/api/v1/main/executions/search?filters[namespace][EQUALS]=demo.team"
                       "&filters[state][IN]=SUCCESS,FAILED").json
    assert found["total"] >= 1


def test_search(server):
    server.push(HELLO)
    server.push(SLOW)
    ids = [server.run("demo.team", "hello")["id"] for _ in range(5)]
    slow = server.run("demo.team", "slow")["id"]
    answer = server.get("/api/v1/executions/search?size=3").json
    assert answer["total"] == 6 and [e["id"] for e in answer["results"]] == [slow, ids[4], ids[3]]
    answer = server.get("/api/v1/executions/search?size=3&page=2&sort=state.startDate:asc").json
    assert [e["id"] for e in answer["results"]] == [ids[3], ids[4], slow]
    assert server.get("/api/v1/executions/search?flowId=slow&namespace=demo.team").json["total"] == 1
    assert server.get("/api/v1/executions/search?namespace=demo").json["total"] == 6
    assert server.get("/api/v1/executions/search?state=FAILED").json["total"] == 0
    first = server.get("/api/v1/executions/search?sort=state.duration:desc&size=1").json["results"][0]
    assert first["id"] == slow
    assert server.get("/api/v1/executions/search?sort=x").status == 422
    assert server.get("/api/v1/executions/search?state=X").status == 422
    assert server.get("/api/v1/executions/search?startDate=x").status == 422


def test_follow(server):
    server.push(SLOW)
    begun = server.form("/api/v1/executions/demo.team/slow").json
    events = list(server.stream(f"/api/v1/executions/{begun['id']}/follow"))
    assert events[-1][0] == "end" and json.loads(events[-1][2])["state"]["current"] == "SUCCESS"
    assert all(kind == "progress" for kind, _, _ in events[:-1])
    # Already over: only the end.
    events = list(server.stream(f"/api/v1/executions/{begun['id']}/follow"))
    assert [kind for kind, _, _ in events] == ["end"]
    begun = server.form("/api/v1/executions/demo.team/slow").json
    events = list(server.stream(f"/api/v1/logs/{begun['id']}/follow"))
    lines = [json.loads(data)["message"] for kind, _, data in events if kind == "progress"]
    assert lines == ["line 1", "line 2", "line 3"] and events[-1][0] == "end"
    assert server.get("/api/v1/executions/0000000000000000000000/follow").status == 404


def test_kill(server):
    server.push(SLOW.replace("0.1", "60"))
    begun = server.form("/api/v1/executions/demo.team/slow").json
    assert server.delete(f"/api/v1/executions/{begun['id']}/kill").status == 202
    events = list(server.stream(f"/api/v1/executions/{begun['id']}/follow"))
    assert json.loads(events[-1][2])["state"]["current"] == "KILLED"
    for action in ("kill", "actions/kill"):
        path = f"/api/v1/executions/{begun['id']}/{action}"
        assert server.delete(path).status in (200, 202), action
        answer = server.delete(path + "?isOnKillCascade=false")
        assert answer.status == 409 and answer.json["message"].startswith("Illegal state: "), answer
