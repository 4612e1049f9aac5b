"""What somebody may do with an execution: pause, resume, unqueue, force run; one and many."""
import json
import time

from baton import quote

API = "/api/v1/executions"
NOBODY = "0000000000000000000000"

SLEEPS = """id: sleeps
namespace: demo.act
tasks:
  - {id: first, type: sleep, duration: PT0.4S}
  - {id: last, type: return, format: done}
"""
APPROVE = """id: approve
namespace: demo.act
tasks:
  - id: ask
    type: pause
    onResume:
      - {id: reason, type: STRING}
      - {id: n, type: INT, defaults: 7, max: 10}
      - {id: paper, type: FILE, required: false}
  - {id: say, type: return, format: "{{ outputs.ask.onResume.reason }}-{{ outputs.ask.onResume.n }}"}
  - {id: read, type: return, format: "{{ outputs.ask.onResume.paper ? read(outputs.ask.onResume.paper) : 'none' }}"}
"""
TWO = """id: two
namespace: demo.act
tasks:
  - id: both
    type: parallel
    tasks:
      - {id: a, type: pause}
      - {id: b, type: pause}
"""
ONE_AT_A_TIME = """id: single
namespace: demo.act
concurrency: {limit: 1, behavior: QUEUE}
tasks:
  - {id: t, type: sleep, duration: PT60S}
"""
BROKEN = """id: broken
namespace: demo.act
inputs:
  - {id: name, type: STRING, defaults: world}
tasks:
  - {id: never, type: return, format: x, runIf: "{{ false }}"}
  - {id: before, type: return, format: "hi {{ inputs.name }}"}
  - id: each
    type: foreach
    values: [a, b]
    tasks:
      - {id: check, type: fail, condition: "{{ (taskrun.value ~ kv('broken')) == 'byes' }}"}
  - {id: after, type: return, format: "{{ outputs.before.value }}!"}
errors:
  - {id: sorry, type: log, message: sorry}
"""
QUICK = """id: quick
namespace: demo.act
tasks:
  - {id: t, type: return, format: x}
"""


def state(server, execution):
    return server.get(f"{API}/{execution}").json["state"]["current"]


def wait(server, execution, want, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if state(server, execution) == want:
            return server.get(f"{API}/{execution}").json
        time.sleep(0.01)
    raise AssertionError(f"{execution} is {state(server, execution)}, not {want}")


def start(server, flow, want, query=""):
    answer = server.form(f"{API}/demo.act/{flow}{query}")
    assert answer.status == 200, answer
    wait(server, answer.json["id"], want)
    return answer.json["id"]


def outputs(execution):
    return {run["taskId"]: run.get("outputs") for run in execution["taskRunList"]}


def labels(execution):
    return {label["key"]: label["value"] for label in execution["labels"]}


def dialects(execution, action):
    yield f"/api/v1/executions/{execution}/{action}"
    yield f"/api/v1/main/executions/{execution}/{action}"
    yield f"/api/v1/main/executions/{execution}/actions/{action}"


def restart(server):
    server.stop()
    server.start()


def test_pause_by_hand(server):
    server.push(SLEEPS)
    for number in range(3):
        execution = start(server, "sleeps", "RUNNING")
        answer = server.post(list(dialects(execution, "pause"))[number])
        assert answer.status == 200, answer
        # The newest dialect shows the execution.
        assert answer.json["id"] == execution if number == 2 else answer.body == b""
        paused = wait(server, execution, "PAUSED")
        assert [run["taskId"] for run in paused["taskRunList"]] == ["first"]
        if number == 0:
            restart(server)
        time.sleep(0.6)  # The sleep is over: what follows does not start.
        held = server.get(f"{API}/{execution}").json
        assert held["state"]["current"] == "PAUSED"
        assert held["taskRunList"][0]["state"]["current"] == "SUCCESS"
        assert all(run["state"]["current"] == "CREATED" for run in held["taskRunList"][1:])
        again = server.post(f"{API}/{execution}/pause")
        assert again.status == 409 and "The execution is not running" in again.json["message"]
        answer = server.post(list(dialects(execution, "resume"))[number])
        assert answer.status == (200 if number == 2 else 204), answer
        assert answer.json["id"] == execution if number == 2 else answer.body == b""
        ended = wait(server, execution, "SUCCESS")
        assert outputs(ended)["last"] == {"value": "done"}
        for action in ("pause", "resume"):
            refused = server.post(f"{API}/{execution}/{action}")
            assert refused.status == 409, refused
            assert refused.json["message"].startswith("Illegal state: The execution is not ")


def test_unknown(server):
    for action in ("pause", "resume", "resume/validate", "unqueue", "force-run"):
        for url in dialects(NOBODY, action):
            answer = server.post(url)
            assert answer.status == 404, (url, answer)
            assert answer.json["message"].startswith("Not Found")
    # Flows may be called as an action is.
    server.push(QUICK.replace("id: quick", "id: pause"))
    assert server.form(f"{API}/demo.act/pause?wait=true").json["state"]["current"] == "SUCCESS"


def test_resume_inputs(server):
    server.push(APPROVE)
    execution = start(server, "approve", "PAUSED")
    url = f"{API}/{execution}/resume"
    checks = server.form(url + "/validate").json
    assert (checks["id"], checks["namespace"]) == ("approve", "demo.act")
    assert [check["input"]["id"] for check in checks["inputs"]] == ["reason", "n", "paper"]
    assert [len(check["errors"]) for check in checks["inputs"]] == [1, 0, 0]
    assert checks["inputs"][1]["value"] == 7
    checks = server.form(url + "/validate", [("reason", "r"), ("n", "11")]).json
    assert [len(check["errors"]) for check in checks["inputs"]] == [0, 1, 0]
    for fields, name in (([], "reason"), ([("reason", "r"), ("n", "x")], "n"),
                         ([("reason", "r"), ("n", "11")], "n"),
                         ([("reason", "r"), ("paper", "baton:///nowhere.txt")], "paper")):
        for other in dialects(execution, "resume"):
            refused = server.form(other, fields)
            assert refused.status == 422, refused
            assert refused.json["_embedded"]["errors"][0]["path"] == name
            assert f"`{name}`" in refused.json["message"]
    assert server.post(url).status == 422  # Without any body, too.
    assert server.post(url, {"reason": "r"}).status == 415
    assert server.form(url, [("reason", "r")], [("other", "f.txt", b"x")]).status == 422
    assert state(server, execution) == "PAUSED"
    restart(server)
    answer = server.form(url, [("reason", "good"), ("n", "3"), ("more", "x")],
                         [("paper", "paper.txt", b"signed")])
    assert answer.status == 204, answer
    ended = wait(server, execution, "SUCCESS")
    given = outputs(ended)["ask"]["onResume"]
    assert (given["reason"], given["n"]) == ("good", 3)
    assert given["paper"].endswith("/paper/paper.txt")
    assert outputs(ended)["say"] == {"value": "good-3"}
    assert outputs(ended)["read"] == {"value": "signed"}
    assert server.get(f"{API}/{execution}/file?path={quote(given['paper'])}").body == b"signed"
    assert [h["state"] for h in ended["state"]["histories"]] == [
        "CREATED", "RUNNING", "PAUSED", "RESTARTED", "RUNNING", "SUCCESS"]
    assert server.form(url, [("reason", "late")]).status == 409
    assert server.form(url + "/validate").status == 409


def test_resume_one_by_one(server):
    server.push(TWO)
    execution = start(server, "two", "PAUSED")
    assert server.post(f"{API}/{execution}/resume").status == 204
    runs = {run["taskId"]: run["state"]["current"]
            for run in server.get(f"{API}/{execution}").json["taskRunList"]}
    assert (runs["a"], runs["b"]) == ("SUCCESS", "PAUSED")
    assert server.post(f"{API}/{execution}/force-run").status == 200
    wait(server, execution, "SUCCESS")


def test_on_resume_is_checked(server):
    for wrong, words in (("{id: a, type: MAYBE}", "MAYBE"), ("{type: STRING}", "id"),
                         ("{id: a, type: STRING, colour: red}", "colour"),
                         ("{id: a, type: STRING}, {id: a, type: INT}", "a"),
                         ("{id: a, type: STRING, dependsOn: {inputs: [b]}}", "b")):
        source = f"""id: wrong
namespace: demo.act
tasks:
  - id: ask
    type: pause
    onResume: [{wrong}]
"""
        answer = server.post("/api/v1/flows", source)
        assert answer.status == 422 and words in answer.text, (wrong, answer)


def test_unqueue(server):
    server.push(ONE_AT_A_TIME)
    first = start(server, "single", "RUNNING")
    queued = [start(server, "single", "QUEUED") for _ in range(6)]
    refused = server.post(f"{API}/{first}/unqueue")
    assert refused.status == 422 and "not in state QUEUED" in refused.json["message"]
    assert server.post(f"{API}/{queued[0]}/unqueue?state=SUCCESS").status == 422
    restart(server)
    for number, (query, want) in enumerate((("", "RUNNING"), ("?state=CANCELLED", "CANCELLED"),
                                            ("?state=FAILED", "FAILED"))):
        answer = server.post(list(dialects(queued[number], "unqueue"))[number] + query)
        assert answer.status == 200, answer
        assert answer.json["id"] == queued[number]
        wait(server, queued[number], want)
    # Two run now, one more than may: nobody is let in when one of them ends.
    server.delete(f"{API}/{first}/kill")
    wait(server, first, "KILLED")
    time.sleep(0.2)
    assert state(server, queued[3]) == "QUEUED"
    bulk = server.post(f"{API}/unqueue/by-ids", [queued[3], first])
    assert bulk.status == 400 and bulk.json["message"] == "invalid bulk unqueue", bulk
    assert bulk.json["invalids"][0]["message"] == "execution not in state QUEUED"
    assert bulk.json["invalids"][0]["invalidValue"] == first
    assert state(server, queued[3]) == "QUEUED"
    bulk = server.post(f"{API}/unqueue/by-ids?state=CANCELLED", [queued[3]])
    assert bulk.status == 200 and bulk.json == {"count": 1}
    wait(server, queued[3], "CANCELLED")
    bulk = server.post("/api/v1/main/executions/unqueue/by-query?filters[state][IN]=QUEUED")
    assert bulk.status == 200 and bulk.json == {"count": 2}
    for execution in queued[4:]:
        wait(server, execution, "RUNNING")


def test_force_run(server):
    server.push(ONE_AT_A_TIME)
    server.push(QUICK)
    start(server, "single", "RUNNING")
    queued = start(server, "single", "QUEUED")
    answer = server.post(f"{API}/{queued}/force-run")
    assert answer.status == 200 and answer.json["id"] == queued
    assert answer.json["state"]["current"] == "RUNNING"
    assert server.post(f"{API}/{queued}/force-run").status == 200  # It runs already.
    later = start(server, "quick", "CREATED", "?scheduleDate=2099-01-01T00:00:00Z")
    assert server.get(f"{API}/{later}").json["scheduleDate"].startswith("2099-01-01T00:00:00")
    restart(server)
    assert state(server, later) == "CREATED"
    assert server.post(f"/api/v1/main/executions/{later}/actions/force-run").status == 200
    ended = wait(server, later, "SUCCESS")
    refused = server.post(f"{API}/{later}/force-run")
    assert refused.status == 422
    assert "Only non terminated executions can be forced run." in refused.json["message"]
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1.5))
    begun = start(server, "quick", "SUCCESS", f"?scheduleDate={soon}")
    assert server.get(f"{API}/{begun}").json["state"]["histories"][0]["state"] == "CREATED"
    assert ended["id"] == later


def test_bulk(server):
    server.push(SLEEPS.replace("PT0.4S", "PT60S"))
    server.push(APPROVE)
    server.push(QUICK)
    running = [start(server, "sleeps", "RUNNING") for _ in range(3)]
    done = start(server, "quick", "SUCCESS")
    for action, verb, bad, words in (
            ("pause", "pause", done, "execution not in state RUNNING"),
            ("resume", "resume", running[0], "execution not in state PAUSED"),
            ("unqueue", "unqueue", running[0], "execution not in state QUEUED"),
            ("force-run", "force run", done, "execution in a terminated state"),
            ("pause", "pause", NOBODY, "execution not found")):
        answer = server.post(f"{API}/{action}/by-ids", [running[1], bad])
        assert answer.status == 400, answer
        assert answer.json["message"] == f"invalid bulk {verb}"
        found = {item["invalidValue"]: item["message"] for item in answer.json["invalids"]}
        assert found[bad] == words, found
        assert server.post(f"{API}/{action}/by-ids", {"a": 1}).status == 422
        assert server.post(f"{API}/{action}/by-ids", "[").status == 422
        assert server.post(f"{API}/{action}/by-query?colour=red").status == 422
        assert server.post(f"{API}/{action}/by-query?namespace=").status == 422
        assert server.post(f"{API}/{action}/by-query?namespace=nobody").json == {"count": 0}
        assert server.post(f"{API}/{action}/by-ids", []).json == {"count": 0}
    assert state(server, running[1]) == "RUNNING"
    assert server.post(f"{API}/pause/by-ids", running[:2] + running[:1]).json == {"count": 2}
    assert server.post(f"{API}/pause/by-query?flowId=sleeps&namespace=demo.act").status == 400
    query = "flowId=sleeps&namespace=demo.act&state=RUNNING"
    assert server.post(f"/api/v1/main/executions/pause/by-query?{query}").json == {"count": 1}
    assert [state(server, one) for one in running] == ["PAUSED"] * 3
    # One that wants an input stops all.
    asks = start(server, "approve", "PAUSED")
    for answer in (server.post(f"{API}/resume/by-ids", [running[0], asks]),
                   server.post(f"{API}/resume/by-query?state=PAUSED")):
        assert answer.status == 422 and "`reason`" in answer.text and asks in answer.text, answer
    assert server.post(f"{API}/{asks}/force-run").status == 422
    assert [state(server, one) for one in running] == ["PAUSED"] * 3
    assert server.post(f"{API}/resume/by-ids", running[:1]).json == {"count": 1}
    assert server.post(f"{API}/force-run/by-ids", running[1:2]).json == {"count": 1}
    assert server.post(f"{API}/resume/by-query?flowId=sleeps&namespace=demo.act&state=PAUSED"
                       ).json == {"count": 1}
    for one in running:
        wait(server, one, "RUNNING")
    assert json.loads(server.delete(f"{API}/kill/by-ids", body=json.dumps(running + [asks]),
                                    headers={"Content-Type": "application/json"}).body) == {
                                        "count": 4}
    for one in running + [asks]:
        wait(server, one, "KILLED")


def breaks(server, yes):
    answer = server.put("/api/v1/namespaces/demo.act/kv/broken", json.dumps(yes))
    assert answer.status == 200, answer


def runs_of(server, execution):
    return server.get(f"{API}/{execution}").json["taskRunList"]


def states(server, execution):
    return {run["taskId"] + run.get("value", ""): run["state"]["current"]
            for run in runs_of(server, execution)}


def test_restart(server):
    server.push(BROKEN)
    server.push(QUICK)
    for number in range(3):
        breaks(server, "yes")
        execution = start(server, "broken", "FAILED")
        assert "sorry" in states(server, execution)
        first = {run["taskId"]: run["id"] for run in runs_of(server, execution)}
        breaks(server, "no")
        if number == 0:
            restart(server)
        answer = server.post(list(dialects(execution, "restart"))[number])
        assert answer.status == 200 and answer.json["id"] == execution, answer
        assert answer.json["metadata"]["attemptNumber"] == 2
        ended = wait(server, execution, "SUCCESS")
        assert outputs(ended)["after"] == {"value": "hi world!"}
        assert "sorry" not in states(server, execution)
        assert {run["taskId"]: run["id"] for run in ended["taskRunList"]}["before"] == first["before"]
        assert [h["state"] for h in ended["state"]["histories"]] == [
            "CREATED", "RUNNING", "FAILED", "RESTARTED", "RUNNING", "SUCCESS"]
    refused = server.post(f"{API}/{execution}/restart")
    assert refused.status == 422
    assert "No task found to restart execution from!" in refused.json["message"]
    server.push(SLEEPS.replace("PT0.4S", "PT60S"))
    running = start(server, "sleeps", "RUNNING")
    refused = server.post(f"{API}/{running}/restart")
    assert refused.status == 409 and refused.json["message"] == (
        "Illegal state: Execution must be terminated to be restarted, current state is 'RUNNING' !")
    assert server.post(f"{API}/{running}/restart?revision=9").status == 422
    assert server.post(f"{API}/{running}/pause").status == 200
    wait(server, running, "PAUSED")
    assert server.post(f"{API}/{running}/restart").status == 200
    wait(server, running, "RUNNING")
    server.delete(f"{API}/{running}/kill")
    wait(server, running, "KILLED")
    assert server.post(f"{API}/{running}/restart?revision=1").status == 200
    again = wait(server, running, "RUNNING")
    assert again["metadata"]["attemptNumber"] == 3
    for url in dialects(NOBODY, "restart"):
        assert server.post(url).status == 404


def test_restart_many(server):
    server.push(BROKEN)
    server.push(QUICK)
    breaks(server, "yes")
    failed = [start(server, "broken", "FAILED") for _ in range(4)]
    done = start(server, "quick", "SUCCESS")
    breaks(server, "no")
    answer = server.post(f"{API}/restart/by-ids", [failed[0], done])
    assert answer.status == 400 and answer.json["message"] == "invalid bulk restart"
    assert answer.json["invalids"][0]["message"] == "execution not in state FAILED"
    assert state(server, failed[0]) == "FAILED"
    assert server.post(f"{API}/restart/by-query?colour=red").status == 422
    assert server.post(f"{API}/restart/by-ids", failed[:2]).json == {"count": 2}
    for execution in failed[:2]:
        wait(server, execution, "SUCCESS")
    answer = server.post("/api/v1/main/executions/restart/by-query?filters[state][EQUALS]=FAILED")
    assert answer.json == {"count": 2}, answer
    for execution in failed[2:]:
        wait(server, execution, "SUCCESS")


def test_change_run(server):
    server.push(BROKEN)
    breaks(server, "yes")
    for number in range(3):
        execution = start(server, "broken", "FAILED")
        bad = next(run["id"] for run in runs_of(server, execution)
                   if run["state"]["current"] == "FAILED" and run.get("value") == "b")
        url = list(dialects(execution, "state"))[number]
        for body, status in (({"taskRunId": NOBODY, "state": "SUCCESS"}, 404),
                             ({"taskRunId": bad, "state": "RUNNING"}, 422),
                             ({"taskRunId": bad, "state": "RETRIED"}, 422),
                             ({"taskRunId": bad, "state": "SKIPPED"}, 422),
                             ({"taskRunId": bad, "state": "NOTHING"}, 422),
                             ({"taskRunId": bad}, 422), ({"state": "SUCCESS"}, 422), ([], 422)):
            answer = server.post(url, body)
            assert answer.status == status, (body, answer)
        sorry = next(run["id"] for run in runs_of(server, execution) if run["taskId"] == "sorry")
        refused = server.post(url, {"taskRunId": sorry, "state": "FAILED"})
        assert refused.status == 422 and "errors" in refused.json["message"]
        assert server.post(url, "{").status == 422
        assert state(server, execution) == "FAILED"
        if number == 0:
            restart(server)
        answer = server.post(url, {"taskRunId": bad, "state": "SUCCESS"})
        assert answer.status == 200 and answer.json["id"] == execution, answer
        ended = wait(server, execution, "SUCCESS")
        assert outputs(ended)["after"] == {"value": "hi world!"}
        found = states(server, execution)
        assert found["checkb"] == "SUCCESS" and "sorry" not in found
    first = next(run["id"] for run in ended["taskRunList"] if run["taskId"] == "before")
    refused = server.post(url, {"taskRunId": first, "state": "WARNING"})
    assert refused.status == 422 and "replay" in refused.json["message"]
    skipped = next(run["id"] for run in ended["taskRunList"]
                   if run["state"]["current"] == "SKIPPED")
    assert server.post(url, {"taskRunId": skipped, "state": "FAILED"}).status == 422
    server.push(SLEEPS.replace("PT0.4S", "PT60S"))
    running = start(server, "sleeps", "RUNNING")
    run = runs_of(server, running)[0]["id"]
    refused = server.post(f"{API}/{running}/state", {"taskRunId": run, "state": "SUCCESS"})
    assert refused.status == 409 and "RUNNING" in refused.json["message"]
    for url in dialects(NOBODY, "state"):
        assert server.post(url, {"taskRunId": run, "state": "SUCCESS"}).status == 404


def test_change_status(server):
    server.push(QUICK)
    server.push(SLEEPS.replace("PT0.4S", "PT60S"))
    running = start(server, "sleeps", "RUNNING")
    done = [start(server, "quick", "SUCCESS") for _ in range(4)]
    for url in dialects(NOBODY, "change-status"):
        assert server.post(url + "?status=FAILED").status == 404
    for number, want in enumerate(("FAILED", "WARNING", "CANCELLED")):
        answer = server.post(list(dialects(done[0], "change-status"))[number] + f"?status={want}")
        assert answer.status == 200 and answer.json["state"]["current"] == want, answer
    restart(server)
    assert state(server, done[0]) == "CANCELLED"
    url = f"{API}/{done[0]}/change-status"
    assert server.post(url).status == 400
    assert server.post(url + "?status=NO").status == 422
    assert server.post(url + "?status=CANCELLED").status == 200
    assert server.post(url + "?status=SKIPPED").status == 422
    refused = server.post(url + "?status=RUNNING")
    assert refused.status == 422 and "to a terminal state." in refused.json["message"]
    refused = server.post(f"{API}/{running}/change-status?status=FAILED")
    assert refused.status == 422 and "of a terminated execution." in refused.json["message"]
    many = f"{API}/change-status"
    answer = server.post(f"{many}/by-ids?newStatus=FAILED", [done[1], running])
    assert answer.status == 400
    assert answer.json["message"] == "invalid bulk change execution status"
    assert answer.json["invalids"][0]["message"] == "execution not in a terminated state"
    assert state(server, done[1]) == "SUCCESS"
    assert server.post(f"{many}/by-ids", done).status == 400
    assert server.post(f"{many}/by-ids?newStatus=RUNNING", done).status == 422
    assert server.post(f"{many}/by-ids?newStatus=FAILED", done[1:3]).json == {"count": 2}
    assert [state(server, one) for one in done] == ["CANCELLED", "FAILED", "FAILED", "SUCCESS"]
    answer = server.post(f"{many}/by-query?newStatus=WARNING&flowId=quick&namespace=demo.act")
    assert answer.json == {"count": 4}, answer
    assert [state(server, one) for one in done] == ["WARNING"] * 4
    assert server.get(f"{API}/search?state=WARNING&size=1").json["total"] == 4


def test_replay(server):
    server.push(BROKEN)
    breaks(server, "yes")
    source = start(server, "broken", "FAILED")
    before = server.get(f"{API}/{source}").json
    bad = next(run["id"] for run in before["taskRunList"]
               if run["state"]["current"] == "FAILED" and run.get("value") == "b")
    for url in dialects(NOBODY, "replay"):
        assert server.post(url).status == 404
    for query in (f"taskRunId={NOBODY}", "revision=7", "revision=-1"):
        assert server.post(f"{API}/{source}/replay?{query}").status == 404, query
    breaks(server, "no")
    restart(server)
    made = []
    for url in dialects(source, "replay"):
        answer = server.post(url)
        assert answer.status == 200, answer
        assert answer.json["id"] != source and answer.json["parentId"] == source
        assert answer.json["originalId"] == source
        made.append(answer.json["id"])
        ended = wait(server, made[-1], "SUCCESS")
        assert labels(ended)["system.correlationId"] == source
        assert ended["inputs"] == {"name": "world"}
    answer = server.post(f"{API}/{source}/replay?taskRunId={bad}")
    assert answer.status == 200, answer
    ended = wait(server, answer.json["id"], "SUCCESS")
    kept = next(run for run in ended["taskRunList"] if run["taskId"] == "before")
    assert kept["state"]["histories"] == before["taskRunList"][1]["state"]["histories"]
    assert outputs(ended)["after"] == {"value": "hi world!"}
    again = server.post(f"{API}/{made[0]}/replay").json
    assert (again["parentId"], again["originalId"]) == (made[0], source)
    assert server.get(f"{API}/{source}").json == before
    # Another revision.
    changed = server.put("/api/v1/flows/demo.act/broken", BROKEN.replace("hi {{", "ho {{"))
    assert changed.status == 200 and changed.json["revision"] == 2
    for query, want in (("", "hi world!"), ("?revision=2", "ho world!")):
        answer = server.post(f"{API}/{source}/replay{query}")
        ended = wait(server, answer.json["id"], "SUCCESS")
        assert outputs(ended)["after"] == {"value": want}
    # One that has not ended.
    server.push(SLEEPS.replace("PT0.4S", "PT60S"))
    running = start(server, "sleeps", "RUNNING")
    refused = server.post(f"{API}/{running}/replay")
    assert refused.status == 409 and "RUNNING" in refused.json["message"]
    # Many.
    answer = server.post(f"{API}/replay/by-ids", [source, running])
    assert answer.status == 400 and answer.json["message"] == "invalid bulk replay"
    total = server.get(f"{API}/search?flowId=broken").json["total"]
    assert server.post(f"{API}/replay/by-ids", [source, made[0]]).json == {"count": 2}
    answer = server.post(f"{API}/replay/by-query?latestRevision=true&state=FAILED")
    assert answer.json == {"count": 1}, answer
    found = server.get(f"{API}/search?flowId=broken&size=100").json
    assert found["total"] == total + 3
    newest = found["results"][0]
    assert newest["flowRevision"] == 2 and newest["parentId"] == source
    assert server.post(f"{API}/replay/by-query?latestRevision=maybe").status == 422


REPORT = """id: report
namespace: demo.act
inputs:
  - {id: name, type: STRING}
  - {id: n, type: INT, defaults: 1, max: 9}
  - {id: sub.paper, type: FILE, required: false}
tasks:
  - {id: say, type: return, format: "{{ inputs.name }}-{{ inputs.n }}-{{ inputs.sub.paper ? read(inputs.sub.paper) : '' }}"}
"""


def test_replay_with_inputs(server):
    server.push(REPORT)
    source = server.form(f"{API}/demo.act/report?wait=true", [("name", "x"), ("n", "3")],
                         [("sub.paper", "a.txt", b"old")]).json
    assert outputs(source)["say"] == {"value": "x-3-old"}
    want = [("x-3-old", (), ()), ("y-3-old", [("name", "y")], ()),
            ("x-4-new", [("n", "4")], [("sub.paper", "b.txt", b"new")])]
    for url, (text, fields, files) in zip(dialects(source["id"], "replay-with-inputs"), want):
        answer = server.form(url, fields, files)
        assert answer.status == 200 and answer.json["parentId"] == source["id"], answer
        assert outputs(wait(server, answer.json["id"], "SUCCESS"))["say"] == {"value": text}
    refused = server.form(url, [("n", "10")])
    assert refused.status == 422, refused
    assert refused.json["_embedded"]["errors"][0]["path"] == "n"
    assert server.post(url, {"n": 1}).status == 415
    assert server.form(f"{API}/{NOBODY}/replay-with-inputs").status == 404
    total = server.get(f"{API}/search?flowId=report").json["total"]
    assert total == 4


MAKER = """id: maker
namespace: demo.act
tasks:
  - {id: make, type: shell, outputFiles: ["*.txt"], commands: ["date +%N > a.txt"]}
  - {id: show, type: return, format: "{{ read(outputs.make.outputFiles['a.txt']) }}"}
  - {id: again, type: shell, commands: ["cat {{ outputs.make.outputFiles['a.txt'] }}"]}
"""


def test_replay_keeps_files(server):
    server.push(MAKER)
    source = wait(server, start(server, "maker", "SUCCESS"), "SUCCESS")
    text = outputs(source)["show"]
    last = source
    for _ in range(3):  # Each is made of the one before.
        run = next(run["id"] for run in last["taskRunList"] if run["taskId"] == "show")
        answer = server.post(f"{API}/{last['id']}/replay?taskRunId={run}")
        assert answer.status == 200, answer
        last = wait(server, answer.json["id"], "SUCCESS")
        assert outputs(last)["show"] == text
        assert last["originalId"] == source["id"]
    # Another flow's execution may not.
    uri = outputs(source)["make"]["outputFiles"]["a.txt"]
    server.push(MAKER.replace("id: maker", "id: thief").replace(
        "outputs.make.outputFiles['a.txt']", f"'{uri}'"))
    thief = wait(server, start(server, "thief", "FAILED"), "FAILED")
    replay = server.post(f"{API}/{thief['id']}/replay").json
    wait(server, replay["id"], "FAILED")
