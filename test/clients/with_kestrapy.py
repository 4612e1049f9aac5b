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
ASKS = """id: asks
namespace: demo.kp
inputs: [{id: name, type: STRING, defaults: world}]
tasks:
  - id: ask
    type: pause
    onResume: [{id: why, type: STRING}]
  - {id: check, type: fail, condition: "{{ outputs.ask.onResume.why == 'no' }}"}
"""
QUEUED = SLOW.replace("slow", "queued") + "concurrency: {limit: 1, behavior: QUEUE}\n"


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


def until(api, ident, want):
    deadline = time.monotonic() + 10
    while (found := api.execution(ident, TENANT)).state.current != want:
        assert time.monotonic() < deadline, (want, found)
        time.sleep(0.02)
    return found


def actions(client):
    api = client.executions
    client.flows.create_flow(TENANT, ASKS)
    client.flows.create_flow(TENANT, QUEUED)
    asks = until(api, api.create_execution(TENANT, "demo.kp", "asks").id, "PAUSED")
    checks = api.validate_resume_execution_inputs(asks.id, TENANT)
    assert checks["inputs"][0]["errors"], checks
    try:
        api.resume_execution(asks.id, TENANT)
        raise AssertionError("an input is missing")
    except kestrapy.ApiException as refused:
        assert refused.status == 422, refused
    assert api.resume_execution(asks.id, TENANT, inputs={"why": "no"}).id == asks.id
    failed = until(api, asks.id, "FAILED")
    assert api.restart_execution(asks.id, TENANT).id == asks.id
    until(api, asks.id, "FAILED")
    assert api.update_execution_status(asks.id, kestrapy.StateType.WARNING, TENANT).id == asks.id
    raw = client._session.get(f"{client._base_url}/api/v1/main/executions/{asks.id}").json()
    bad = next(run["id"] for run in raw["taskRunList"] if run["state"]["current"] == "FAILED")
    api.update_task_run_state(asks.id, TENANT, kestrapy.ExecutionControllerStateRequest(
        task_run_id=bad, state=kestrapy.StateType.SUCCESS))
    until(api, asks.id, "SUCCESS")
    assert api.replay_execution(asks.id, TENANT, task_run_id=bad).parent_id == asks.id
    other = api.replay_execution_with_inputs(asks.id, TENANT, inputs={"name": "Ada"})
    assert until(api, other.id, "PAUSED").inputs["name"] == "Ada" and failed.original_id == asks.id
    api.resume_execution(api.replay_execution_with_inputs(asks.id, TENANT).id, TENANT,
                         inputs={"why": "yes"})
    api.replay_executions_by_ids(TENANT, [asks.id], latest_revision=True)
    first, second, third = (api.create_execution(TENANT, "demo.kp", "queued").id for _ in range(3))
    until(api, third, "QUEUED")
    assert api.force_run_execution(second, TENANT).state.current == "RUNNING"
    assert api.unqueue_execution(third, TENANT, kestrapy.StateType.CANCELLED).id == third
    assert api.pause_execution(first, TENANT).id == first
    until(api, first, "PAUSED")
    api.pause_executions_by_ids(TENANT, [second])
    api.resume_executions_by_ids(TENANT, [first, second])
    until(api, second, "RUNNING")
    api.kill_executions_by_ids(TENANT, [first, second, other.id])


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
    actions(client)
    namespaces(client)
    client.flows.delete_flow("demo.kp", "kp", TENANT)
    print("kestrapy: ok")
    return 0


sys.exit(main())
