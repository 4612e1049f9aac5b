"""Details of shapes that clients compare: violations, outputs of runs, graphs of executions."""

SAMPLE = """id: sample
namespace: shapes
labels: {team: alpha}
tasks:
  - {id: hello, type: io.kestra.plugin.core.log.Log, message: hi}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: inner, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
triggers:
  - {id: hook, type: io.kestra.plugin.core.trigger.Webhook, key: samplekey}
"""


def refused(server, source):
    answer = server.post("/api/v1/flows", source)
    assert answer.status == 422, answer
    return answer.json["message"], answer.json["_embedded"]["errors"]


def constraints(server, source):
    return server.post("/api/v1/flows/validate", source).json[0]["constraints"]


def test_violations(server):
    message, errors = refused(server, "id: [unclosed\n")
    assert message.startswith("Invalid entity: Illegal flow yaml: "), message
    assert not message.endswith("\n") and len(errors) == 1
    assert errors[0]["path"] == "yaml" and errors[0]["message"] in message, errors
    assert not errors[0]["message"].startswith("Illegal")
    bad_type = "id: a\nnamespace: shapes\ntasks:\n  - {id: t, type: io.none.Nope}\n"
    message, errors = refused(server, bad_type + "  - {id: u, type: io.none.Nope}\n")
    assert message == "Invalid entity: Invalid type: io.none.Nope", message
    assert constraints(server, bad_type) == "Invalid type: io.none.Nope"
    empty = "id: a\nnamespace: shapes\ntasks: []\n"
    assert refused(server, empty)[0] == "Invalid entity: tasks: must not be empty\n"
    assert constraints(server, empty) == "tasks: must not be empty\n"
    server.push(SAMPLE)
    message, errors = refused(server, SAMPLE)
    assert message == "Invalid entity: flow.id: Flow id already exists"
    assert "line" not in errors[0], "it is not of a place in the source"
    server.push("id: n\nnamespace: shapes\ninputs: [{id: n, type: INT, min: 1}]\n"
                "tasks: [{id: a, type: log, message: x}]\n")
    answer = server.form("/api/v1/executions/shapes/n", [("n", "0")])
    assert answer.json["message"] == ("Invalid entity: n: Invalid input for `n`, it must be more "
                                      "than `1`, but received `0`"), answer


def test_outputs_of_runs(server):
    server.push(SAMPLE)
    server.push("id: failing\nnamespace: shapes\ntasks: [{id: a, type: fail}]\n")
    done = server.post("/api/v1/executions/shapes/sample?wait=true").json
    assert [run["outputs"] for run in done["taskRunList"]] == [{}, {}, {"value": "a"},
                                                               {"value": "b"}]
    failed = server.post("/api/v1/executions/shapes/failing?wait=true").json
    assert failed["taskRunList"][0]["outputs"] == {}
    brief = server.get(f"/api/v1/executions/{done['id']}/flow").json
    assert set(brief) == {"id", "namespace", "revision", "tasks", "triggers", "disabled",
                          "deleted"}, brief


def test_graph_of_execution(server):
    server.push(SAMPLE)
    done = server.post("/api/v1/executions/shapes/sample?wait=true").json
    graph = server.get(f"/api/v1/executions/{done['id']}/graph").json
    nodes = {node["uid"]: node for node in graph["nodes"]}
    assert nodes["root.hello"]["taskRun"]["outputs"] == {}
    each, inner = nodes["root.each"], nodes["root.each.inner_a"]
    assert inner["taskRun"]["parentTaskRunId"] == each["taskRun"]["id"]
    assert each["task"] == {"id": "each", "type": "io.kestra.plugin.core.flow.ForEach", "tasks": [
        {"id": "inner", "type": "io.kestra.plugin.core.debug.Return"}]}, each["task"]
    assert nodes["root.Triggers.hook"]["triggerDeclaration"] == {
        "id": "hook", "type": "io.kestra.plugin.core.trigger.Webhook"}
    assert "key" in server.get("/api/v1/flows/shapes/sample/graph").text
