"""Goal: programs written with `kestrapy` drive Baton. Method: its client works through flows,
executions, logs, files, key-values and namespaces of a real server; argument: its address."""
import sys
import time

import kestrapy
from kestrapy.kestra_client import KestraClient

TENANT = "main"
FLOW = """id: kp
namespace: demo.kp
description: one
inputs:
  - {id: name, type: STRING, defaults: world}
  - {id: data, type: FILE, required: false}
tasks:
  - {id: say, type: log, message: "hello {{ inputs.name }}"}
  - {id: ret, type: return, format: "{{ inputs.name }}!"}
  - id: make
    type: shell
    outputFiles: ["*.txt"]
    commands: ["echo file > out.txt"]
"""
SLOW = "id: slow\nnamespace: demo.kp\ntasks:\n- {id: t, type: sleep, duration: PT60S}\n"


def flows(client):
    api = client.flows
    made = api.create_flow(TENANT, FLOW)
    assert (made.id, made.namespace, made.revision, made.source) == ("kp", "demo.kp", 1, FLOW), made
    changed = api.update_flow("demo.kp", "kp", TENANT, FLOW.replace("one", "two"))
    assert changed.revision == 2 and changed.description == "two"
    assert api.flow("demo.kp", "kp", TENANT).id == "kp"
    assert [f.id for f in api.list_flows_by_namespace("demo.kp", TENANT)] == ["kp"]
    assert len(api.list_flow_revisions("demo.kp", "kp", TENANT)) == 2
    assert "demo.kp" in api.list_distinct_namespaces(TENANT)
    checks = api.validate_flows(TENANT, FLOW + "---\nid: x\n")
    assert checks[0].constraints is None and checks[1].constraints, checks
    graph = api.generate_flow_graph("demo.kp", "kp", TENANT)
    assert graph.nodes and graph.edges, graph
    assert api.task_from_flow("demo.kp", "kp", "ret", TENANT).id == "ret"
    assert api.flow_dependencies("demo.kp", "kp", TENANT).nodes
    pushed = api.update_flows_in_namespace("demo.kp", TENANT, FLOW.replace("one", "two") + "---\n" + SLOW)
    assert len(pushed) == 2, pushed
    archive = api.export_flows_by_ids(TENANT, [kestrapy.IdWithNamespace(namespace="demo.kp", id="kp")])
    assert archive[:2] == b"PK", archive[:20]
    ids = [kestrapy.IdWithNamespace(namespace="demo.kp", id="slow")]
    api.disable_flows_by_ids(TENANT, ids)
    assert api.flow("demo.kp", "slow", TENANT).disabled is True
    api.enable_flows_by_ids(TENANT, ids)
    assert not api.flow("demo.kp", "slow", TENANT).disabled


def executions(client):
    api = client.executions
    done = api.create_execution(TENANT, "demo.kp", "kp", wait=True, labels=["a:b"],
                                inputs={"name": "Ada", "data": b"bytes"})
    assert done.state.current == "SUCCESS", done
    read = api.execution(done.id, TENANT)
    assert read.id == done.id and read.inputs["name"] == "Ada", read
    for seen in api.follow_execution(done.id, TENANT):
        last = seen
    assert last.state.current == "SUCCESS"
    assert api.eval_expression(done.id, TENANT, "{{ outputs.ret.value }}")["result"] == "Ada!"
    found = api.search_executions_by_flow_id(TENANT, "demo.kp", "kp")
    assert found["total"] == 1, found
    assert api.search_executions(TENANT, size=5)["results"][0]["id"] == done.id
    assert api.flow_from_execution_by_id(done.id, TENANT).id == "kp"
    assert api.execution_flow_graph(done.id, TENANT).nodes
    raw = client._session.get(f"{client._base_url}/api/v1/main/executions/{done.id}").json()
    uri = [run for run in raw["taskRunList"] if run["taskId"] == "make"][0]["outputs"]["outputFiles"]["out.txt"]
    assert api.download_file_from_execution(done.id, uri, TENANT) == b"file\n"
    assert api.file_metadatas_from_execution(done.id, uri, TENANT).size == 5
    assert api.preview_file_from_execution(done.id, uri, TENANT)["content"] == "file\n"
    api.set_labels_on_terminated_execution(done.id, TENANT, [kestrapy.Label(key="x", value="y")])
    labels = {label.key: label.value for label in api.execution(done.id, TENANT).labels}
    assert labels["x"] == "y" and labels["a"] == "b", labels
    logs = client.logs.list_logs_from_execution(done.id, TENANT)
    assert any("hello Ada" in str(line) for line in logs), logs
    assert "hello Ada" in str(client.logs.download_logs_from_execution(done.id, TENANT))
    running = api.create_execution(TENANT, "demo.kp", "slow")
    killed = api.kill_execution(running.id, TENANT)
    assert killed is None or killed.id == running.id
    deadline = time.monotonic() + 10
    while api.execution(running.id, TENANT).state.current != "KILLED":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    api.delete_execution(running.id, TENANT)
    try:
        api.execution(running.id, TENANT)
        raise AssertionError("it should be gone")
    except kestrapy.ApiException as refused:
        assert refused.status == 404, refused
    more = [api.create_execution(TENANT, "demo.kp", "kp", wait=True).id for _ in range(2)]
    api.delete_executions_by_ids(TENANT, more)
    assert api.search_executions_by_flow_id(TENANT, "demo.kp", "kp")["total"] == 1


def namespaces(client):
    client.kv.set_key_value("demo.kp", "k", TENANT, '{"a": 1}')
    assert client.kv.key_value("demo.kp", "k", TENANT).value == {"a": 1}
    client.kv.delete_key_value("demo.kp", "k", TENANT)
    client.files.create_namespace_file("demo.kp", "/dir/a.txt", TENANT, b"text")
    assert client.files.file_content("demo.kp", "/dir/a.txt", TENANT) == b"text"
    assert client.files.search_namespace_files("demo.kp", "a", TENANT) == ["/dir/a.txt"]
    assert client.files.list_namespace_directory_files("demo.kp", TENANT, "/dir")[0].file_name == "a.txt"
    client.files.delete_file_directory("demo.kp", "/dir", TENANT)
    assert client.namespaces.namespace("demo.kp", TENANT).id == "demo.kp"
    assert client.plugins.plugin_icons() and client.plugins.plugin_documentation("log")
    assert client.plugins.plugin_schema("flow")


def main():
    client = KestraClient(host=sys.argv[1])
    flows(client)
    executions(client)
    namespaces(client)
    client.flows.delete_flow("demo.kp", "kp", TENANT)
    print("kestrapy: ok")
    return 0


sys.exit(main())
