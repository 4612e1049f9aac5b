"""Lists and charts: filters in all dialects, totals, statistics in the original's shapes."""
import datetime
import json
import time
import urllib.parse

GOOD = "id: good\nnamespace: shop.sales\ntasks:\n  - {id: a, type: return, format: x}\n"
BAD = "id: bad\nnamespace: shop.stock\ntasks:\n  - {id: a, type: fail, errorMessage: no}\n"
FAR = "id: far\nnamespace: shopping\ntriggers:\n  - {id: t, type: schedule, cron: '0 0 * * *'}\n" \
      "tasks:\n  - {id: a, type: log, message: hi}\n"
OWN = "id: own\nnamespace: system\ntasks:\n  - {id: a, type: log, message: hi}\n"


def fill(server):
    for source in (GOOD, BAD, FAR, OWN):
        server.push(source)
    ids = {}
    for flow, labels in (("shop.sales/good", "env:prod"), ("shop.sales/good", "env:test"),
                         ("shop.stock/bad", "env:prod"), ("shopping/far", "env:a%2Cb"),
                         ("system/own", "env:x")):
        answer = server.post(f"/api/v1/executions/{flow}?wait=true&labels={labels}&labels=by:me")
        assert answer.status == 200, answer
        ids.setdefault(flow.split("/")[1], []).append(answer.json["id"])
    return ids


def search(server, query, prefix="/api/v1"):
    answer = server.get(f"{prefix}/executions/search?{query}")
    assert answer.status == 200, answer
    assert len(answer.json["results"]) == min(answer.json["total"], 10), answer.json["total"]
    return sorted(e["flowId"] for e in answer.json["results"])


def test_filters(server):
    ids = fill(server)
    everything = ["bad", "far", "good", "good", "own"]
    past = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)).isoformat()
    past = urllib.parse.quote(past)
    some = ids["good"][0]
    cases = {
        "": everything,
        "namespace=shop": ["bad", "good", "good"],
        "namespace=SHOP.sales": ["good", "good"],
        "namespace=shop&flowId=good": [],
        "flowId=good": ["good", "good"],
        "state=FAILED": ["bad"],
        "state=FAILED,SUCCESS&state=RUNNING": everything,
        "state=RUNNING": [],
        "labels=env:prod": ["bad", "good"],
        "labels=env:prod&labels=by:me": ["bad", "good"],
        "labels=env:prod&labels=env:test": [],
        "labels=env:a,b": ["far"],
        "q=shop": ["bad", "far", "good", "good"],
        "q=sal%20go": ["good", "good"],
        f"q={some}": ["good"],
        "q=nothing": [],
        "scope=SYSTEM": ["own"],
        "scope=USER": ["bad", "far", "good", "good"],
        "scope=USER,SYSTEM": everything,
        "childFilter=CHILD": [],
        "childFilter=MAIN": everything,
        f"triggerExecutionId={some}": [],
        f"startDate={past}": everything,
        f"endDate={past}": [],
        "timeRange=PT1H": everything,
        "timeRange=-PT1H": everything,
        "filters[namespace][EQUALS]=shop": [],
        "filters[namespace][PREFIX]=shop": ["bad", "good", "good"],
        "filters[namespace][STARTS_WITH]=shop": ["bad", "far", "good", "good"],
        "filters[namespace][NOT_EQUALS]=system": ["bad", "far", "good", "good"],
        "filters[flowId][IN]=bad,own": ["bad", "own"],
        "filters[flowId][NOT_IN]=bad,own": ["far", "good", "good"],
        "filters[flowId][CONTAINS]=a": ["bad", "far"],
        "filters[flowId][ENDS_WITH]=d": ["bad", "good", "good"],
        "filters[state][IN]=FAILED,KILLED": ["bad"],
        "filters[state][NOT_IN]=FAILED,KILLED": ["far", "good", "good", "own"],
        "filters[labels][EQUALS][env]=prod": ["bad", "good"],
        "filters[labels][NOT_EQUALS][env]=prod": ["far", "good", "own"],
        f"filters[startDate][GREATER_THAN_OR_EQUAL_TO]={past}": everything,
        f"filters[startDate][LESS_THAN]={past}": [],
        "filters[timeRange][EQUALS]=PT1H": everything,
        "filters[q][EQUALS]=stock": ["bad"],
        "filters[and][0][namespace][PREFIX]=shop&filters[and][1][or][0][flowId][EQUALS]=bad"
        "&filters[and][1][or][1][flowId][EQUALS]=own": ["bad"],
        "filters[or][0][flowId][EQUALS]=bad&filters[or][1][namespace][EQUALS]=system":
            ["bad", "own"],
        "filters[and][0][or][0][state][EQUALS]=FAILED&filters[and][0][or][1][state][EQUALS]=KILLED":
            ["bad"],
    }
    for query, want in cases.items():
        assert search(server, query) == want, (query, search(server, query), want)
    assert search(server, "filters[state][EQUALS]=FAILED", "/api/v1/main") == ["bad"]


def test_bad_filters(server):
    for query in ("state=NOPE", "labels=x", "labels=x:", "timeRange=soon", "scope=ALL",
                  "childFilter=x", "startDate=x", "timeRange=PT1H&startDate=2026-01-01T00:00:00Z",
                  "startDate=2026-01-02T00:00:00Z&endDate=2026-01-01T00:00:00Z",
                  "filters[scope][CONTAINS]=USER", "filters[timeRange][GREATER_THAN]=PT1H",
                  "filters[childFilter][NOT_EQUALS]=MAIN",
                  "filters[nothing][EQUALS]=1", "filters[flowId][REGEX]=.*", "filters[flowId]=x",
                  "filters[and][x][flowId][EQUALS]=x", "filters[or][99][flowId][EQUALS]=x",
                  "filters[or][0][labels][EQUALS]=a:b", "filters[", "filters[a", "sort=x",
                  "filters[or][0][flowId][EQUALS]=x&filters[or][1][state][EQUALS]=FAILED",
                  "filters[and][0][and][1][and][2][flowId][EQUALS]=x" + "[and][0]" * 50,
                  "startDate=-99999999-01-01T00:00:00Z", "page=0", "size=0"):
        answer = server.get(f"/api/v1/executions/search?{query}")
        assert answer.status in (400, 422), (query, answer.status, answer.text[:200])
        assert answer.json["message"], query
    assert server.get("/api/v1/executions/search?startDate=9000-01-01T00:00:00Z").json["total"] == 0
    assert server.get("/api/v1/executions/search?endDate=0001-01-01T00:00:00Z").json["total"] == 0


def test_sorts_and_pages(server):
    fill(server)
    for name in ("id", "state.startDate", "state.endDate", "state.duration", "namespace", "flowId",
                 "state.current"):
        rows = server.get(f"/api/v1/executions/search?sort={name}:asc").json["results"]
        back = server.get(f"/api/v1/executions/search?sort={name}:desc").json["results"]
        keys = [row["state"][name[6:]] if name.startswith("state.") else row[name] for row in rows]
        if name.endswith("Date"):  # As text, a whole second would come after its milliseconds.
            keys = [datetime.datetime.fromisoformat(key) for key in keys]
        if name != "state.duration":  # Written in milliseconds, sorted by microseconds.
            assert keys == sorted(keys), (name, keys)
        assert {row["id"] for row in rows} == {row["id"] for row in back}
        pages = [server.get(f"/api/v1/executions/search?sort={name}:asc&size=2&page={n}").json
                 for n in (1, 2, 3, 4)]
        assert [row["id"] for page in pages for row in page["results"]] == [r["id"] for r in rows]
        assert [page["total"] for page in pages] == [5] * 4


def test_daily(server):
    fill(server)
    now = datetime.datetime.now(datetime.timezone.utc)

    def daily(body, path="executions/daily"):
        answer = server.post(f"/api/v1/stats/{path}", body)
        assert answer.status == 200, answer
        return answer.json

    def ago(**keys):
        return (now - datetime.timedelta(**keys)).strftime("%Y-%m-%dT%H:%M:%SZ")

    for unit, start, count in (("minute", ago(hours=2), 121), ("hour", ago(hours=12), 13),
                               ("minute", ago(hours=6, minutes=59), 420), ("hour", ago(hours=7), 8),
                               ("hour", ago(days=1), 25), ("hour", ago(hours=47), 48),
                               ("day", ago(days=7), 8), ("week", ago(days=200), None),
                               ("month", ago(days=400), None)):
        rows = daily({"namespace": "shop", "startDate": start})
        assert {row["groupBy"] for row in rows} == {unit}
        assert count is None or count <= len(rows) <= count + 1, (unit, len(rows))
        assert sum(row["executionCounts"]["SUCCESS"] for row in rows) == 2, (unit, rows)
        assert sum(row["executionCounts"]["FAILED"] for row in rows) == 1
        assert sum(row["duration"]["count"] for row in rows) == 3
        assert all(set(row["duration"]) == {"count"} for row in rows if not row["duration"]["count"])
        assert [row["startDate"] for row in rows] == sorted(row["startDate"] for row in rows)
    busy = [row for row in daily({}) if row["duration"]["count"]]
    assert len(busy) <= 2 and set(busy[0]["duration"]) == {"min", "avg", "max", "sum", "count"}
    assert len(daily({})) == 31 and len(busy[0]["executionCounts"]) == 11
    assert sum(row["duration"]["count"] for row in daily({"state": ["FAILED"]})) == 1
    assert sum(row["duration"]["count"] for row in daily({"scope": ["SYSTEM"]})) == 1
    assert sum(row["duration"]["count"] for row in daily({"q": "stock"})) == 1
    assert sum(row["duration"]["count"] for row in daily({}, "taskruns/daily")) == 5
    by_flow = daily({"namespace": "shop"}, "executions/daily/group-by-flow")
    assert set(by_flow) == {"shop.sales", "shop.stock"} and set(by_flow["shop.sales"]) == {"good"}
    assert sum(row["executionCounts"]["SUCCESS"] for row in by_flow["shop.sales"]["good"]) == 2
    only = daily({"flows": [{"namespace": "shop.stock", "id": "bad"}]},
                 "executions/daily/group-by-flow")
    assert set(only) == {"shop.stock"}
    spaces = daily({"namespaceOnly": True}, "executions/daily/group-by-flow")
    assert set(spaces["shopping"]) == {"*"}
    counts = daily({}, "executions/daily/group-by-namespace")
    assert counts["shop.stock"]["total"] == 1 and counts["shop.stock"]["counts"]["FAILED"] == 1
    assert daily({"namespace": "none"}, "executions/daily/group-by-namespace") == {}


def test_latest_and_summary(server):
    ids = fill(server)
    flows = [{"namespace": "shop.sales", "id": "good"}, {"namespace": "shop.stock", "id": "bad"},
             {"namespace": "none", "id": "none"}]
    rows = server.post("/api/v1/stats/executions/latest/group-by-flow", {"flows": flows}).json
    assert [row["id"] for row in rows] == [ids["good"][1], ids["bad"][0]]
    assert rows[0]["taskRunList"][0]["taskId"] == "a"
    rows = server.post("/api/v1/stats/executions/latest/group-by-flow?size=20",
                       {"flows": flows}).json
    assert [row["id"] for row in rows] == ids["good"][::-1] + ids["bad"]
    assert server.post("/api/v1/stats/executions/latest/group-by-flow", {"flows": []}).json == []
    assert server.post("/api/v1/stats/summary", {}).json == {"flows": 4, "triggers": 1}
    assert server.post("/api/v1/stats/summary", {"namespace": "shop"}).json == {"flows": 2,
                                                                              "triggers": 0}
    trigger = "io.kestra.plugin.core.trigger"
    server.push("id: asked\nnamespace: hooks\ntasks: [{id: t, type: log, message: x}]\ntriggers:\n"
                f"  - {{id: hook, type: {trigger}.Webhook, key: k}}\n"
                f"  - {{id: cron, type: {trigger}.Schedule, cron: '0 0 1 1 *'}}\n")
    assert server.post("/api/v1/stats/summary", {"namespace": "hooks"}).json == {"flows": 1,
                                                                               "triggers": 1}


def test_light(server):
    """Rows of a list do not grow with what the execution did."""
    server.push("id: wide\nnamespace: shop\ninputs:\n  - {id: i, type: STRING, defaults: x}\n"
                "outputs:\n  - {id: o, type: STRING, value: '{{ inputs.i }}'}\n"
                "tasks:\n  - id: each\n    type: foreach\n    values: '{{ range(1, 500) }}'\n"
                "    concurrencyLimit: 0\n    tasks:\n      - {id: x, type: return, format: y}\n")
    made = server.post("/api/v1/executions/shop/wide?wait=true&labels=env:prod").json
    assert len(made["taskRunList"]) == 501
    gone = {"taskRunList", "inputs", "outputs", "variables", "metadata"}
    assert gone - {"variables"} <= set(made)
    body = {"flows": [{"namespace": "shop", "id": "wide"}]}
    for answer in (server.get("/api/v1/executions/search?light=true"),
                   server.get("/api/v1/main/executions?light=true"),
                   server.post("/api/v1/stats/executions/latest/group-by-flow?light=true", body)):
        assert answer.status == 200 and len(answer.body) < 1200, answer
        row = (answer.json["results"] if isinstance(answer.json, dict) else answer.json)[0]
        assert row == {key: value for key, value in made.items() if key not in gone | {"url"}}
    whole = server.get("/api/v1/executions/search").json["results"][0]
    assert whole == {key: value for key, value in made.items() if key != "url"}
    for path in ("/api/v1/executions/search?light=maybe", "/api/v1/executions?light=2"):
        assert server.get(path).status in (400, 422), path


def test_bad_bodies(server):
    for path in ("summary", "executions/daily", "executions/daily/group-by-flow",
                 "executions/daily/group-by-namespace", "executions/latest/group-by-flow",
                 "taskruns/daily", "logs/daily"):
        for body in ("", "{", "[]", "7", "null", '{"startDate":"x"}', '{"flows":[1]}',
                     '{"state":["x"]}', '{"scope":["x"]}', '{"startDate":1}', '{"state":"x"}',
                     '{"startDate":"2026-01-02T00:00:00Z","endDate":"2026-01-01T00:00:00Z"}',
                     '{"startDate":"0001-01-01T00:00:00Z"}', '{"endDate":"9000-01-01T00:00:00Z",'
                     '"startDate":"1971-01-01T00:00:00Z"}'):
            answer = server.post(f"/api/v1/stats/{path}", body,
                                 headers={"Content-Type": "application/json"})
            assert answer.status in (200, 400, 422), (path, body, answer)
    bad = server.post("/api/v1/stats/executions/daily",
                      {"startDate": "1971-01-01T00:00:00Z", "endDate": "9000-01-01T00:00:00Z"})
    assert bad.status == 422 and "months" in bad.json["message"]


def test_counts_after_kill(server):
    """Counters are those of the rows after the server died in between."""
    fill(server)
    server.kill()
    server.start()
    assert server.get("/api/v1/executions/search?state=SUCCESS").json["total"] == 4
    server.post("/api/v1/executions/shop.sales/good?wait=true")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if server.get("/api/v1/executions/search?state=SUCCESS").json["total"] == 5:
            break
        time.sleep(0.02)
    assert server.get("/api/v1/executions/search").json["total"] == 6


def test_children(server):
    server.push("id: loop\nnamespace: shop\ntasks:\n  - id: each\n    type: io.kestra.plugin.core.flow.ForEach\n"
                "    values: [1, 2, 3, 4, 5]\n    tasks:\n"
                "      - {id: x, type: return, format: '{{ taskrun.value }}'}\n"
                "      - {id: y, type: return, format: y}\n"
                "  - id: shell\n    type: shell\n    commands:\n"
                "      - >-\n        echo '::{\"metrics\":[{\"name\":\"rows\",\"type\":\"counter\","
                "\"value\":3,\"tags\":{\"a\":\"b\"}},{\"name\":\"two\",\"type\":\"counter\","
                "\"value\":1}]}::'\n")
    made = server.post("/api/v1/executions/shop/loop?wait=true").json
    path = f"/api/v1/executions/{made['id']}/taskruns"
    top = server.get(path).json
    assert [run["taskId"] for run in top["results"]] == ["each", "shell"] and top["total"] == 2
    each = top["results"][0]
    assert each["group"]["lanes"] == 5 and each["group"]["failed"] == 0, each
    for parent in (each["n"], each["id"]):
        page = server.get(f"{path}?parent={parent}&size=4&page=2").json
        assert page["total"] == 10 and len(page["results"]) == 4, page
        assert page["group"]["lanes"] == 5
        assert {run["parentTaskRunId"] for run in page["results"]} == {each["id"]}
    pages = [server.get(f"{path}?parent={each['id']}&size=3&page={n}").json["results"]
             for n in range(1, 6)]
    assert len({run["id"] for page in pages for run in page}) == 10
    assert server.get(f"{path}?parent=nobody").status == 404
    assert server.get(f"{path}?parent=9").json["results"] == []
    assert server.get("/api/v1/executions/nobody/taskruns").status == 404
    assert server.get(f"/api/v1/metrics/{made['id']}").json["total"] == 22  # Each return has two.
    metrics = server.get(f"/api/v1/metrics/{made['id']}?taskId=shell").json
    assert metrics["total"] == 2 and metrics["results"][0]["name"] == "rows", metrics
    assert metrics["results"][0]["tags"] == {"a": "b"} and metrics["results"][0]["value"] == 3
    assert metrics["results"][0]["taskRunId"] == top["results"][1]["id"]
    second = server.get(f"/api/v1/metrics/{made['id']}?taskId=shell&size=1&page=2").json
    assert [m["name"] for m in second["results"]] == ["two"] and second["total"] == 2
    assert server.get(f"/api/v1/metrics/{made['id']}?taskId=each").json["total"] == 0


LOOP = """id: loop
namespace: shop
tasks:
  - id: each
    type: foreach
    values: [1, 2, 3, 4, 5, 6, 7]
    concurrencyLimit: 0
    tasks:
      - id: x
        type: switch
        value: "{{ taskrun.value }}"
        cases: {"3": [{id: bad, type: fail, allowFailure: false}]}
        defaults: [{id: fine, type: return, format: fine}]
      - {id: y, type: return, format: y}
    errors:
      - {id: alert, type: log, message: oh}
"""


def test_lanes(server):
    """A loop is read value by value, without reading it whole."""
    server.push(LOOP)
    made = server.post("/api/v1/executions/shop/loop?wait=true").json
    path = f"/api/v1/executions/{made['id']}"
    runs = {run["id"]: run for run in made["taskRunList"]}
    each = next(run for run in runs.values() if run["taskId"] == "each")

    def lanes(query):
        answer = server.get(f"{path}/lanes?{query}")
        assert answer.status == 200, answer
        return answer.json

    whole = lanes(f"parent={each['id']}&size=100")
    assert [lane["lane"] for lane in whole["results"]] == list(range(8)), whole
    assert [lane.get("value") for lane in whole["results"]] == [str(n) for n in range(1, 8)] + [None]
    assert whole["total"] == 8 and whole["counts"] == {"FAILED": 1, "SUCCESS": 7}, whole
    for lane in whole["results"]:
        want = [run for run in runs.values() if run.get("parentTaskRunId") == each["id"]
                and run.get("value") == lane.get("value")]
        assert [run["id"] for run in lane["runs"]] == [run["id"] for run in want]
        for run, full in zip(lane["runs"], want):
            assert run["lane"] == lane["lane"] and run["n"] > 1
            more = {key: run[key] for key in ("n", "lane", "group") if key in run}
            assert run == {**{k: v for k, v in full.items() if k != "outputs"}, **more}
            assert ("group" in run) == (run["taskId"] == "x")
        assert lane["state"]["current"] == ("FAILED" if lane["value"] == "3" else "SUCCESS") \
            if lane["lane"] < 7 else True
        assert lane["state"]["startDate"] == want[0]["state"]["startDate"]
        assert lane["state"]["endDate"] == want[-1]["state"]["endDate"]
    by_number = lanes("parent=1&size=3&page=3")
    assert [lane["lane"] for lane in by_number["results"]] == [6, 7] and by_number["total"] == 8
    failed = lanes("parent=1&state=FAILED,KILLED")
    assert failed["total"] == 1 and failed["results"] == [whole["results"][2]]
    assert failed["counts"] == whole["counts"]
    assert lanes("parent=1&state=PAUSED") == {"results": [], "total": 0, "counts": whole["counts"]}
    top = lanes("")
    assert [run["taskId"] for lane in top["results"] for run in lane["runs"]] == ["each"]
    five = next(run for run in runs.values() if run["taskId"] == "x" and run["value"] == "5")
    leaf = next(run for run in runs.values() if run.get("parentTaskRunId") == five["id"])
    look = server.get(f"{path}/taskruns/{leaf['id']}").json
    assert look == server.get(f"{path}/taskruns/{look['n']}").json
    assert [(one["taskId"], one.get("value")) for one in look["parents"]] == [("each", None), ("x", "5")]
    assert look["parents"][0]["group"]["lanes"] == 7 and look["parents"][0]["n"] == 1
    assert [one["lane"] for one in look["parents"]] == [0, 4] and look["lane"] == 0
    assert {key: look[key] for key in leaf} == leaf and leaf["outputs"]
    assert server.get(f"{path}/taskruns/1").json["parents"] == []
    for query in ("lanes?parent=nobody", "lanes?parent=99", "taskruns/nobody", "taskruns/0",
                  "taskruns/99", "taskruns/-1"):
        assert server.get(f"{path}/{query}").status == 404, query
    for query in ("lanes?size=0", "lanes?state=x", "lanes?page=0"):
        assert server.get(f"{path}/{query}").status == 422, query
    assert server.get("/api/v1/executions/nobody/lanes").status == 404


def test_long_list_left_out(server):
    server.push(LOOP)
    made = server.post("/api/v1/executions/shop/loop?wait=true").json
    path = f"/api/v1/executions/{made['id']}"
    count = len(made["taskRunList"])
    whole = server.get(path).json
    for most in (count, count + 1):
        assert server.get(f"{path}?taskRuns={most}").json == whole
    for most in (0, count - 1):
        head = server.get(f"{path}?taskRuns={most}").json
        assert head == {**{k: v for k, v in whole.items() if k != "taskRunList"},
                        "taskRunCount": count}
    assert server.get(f"{path}?taskRuns=x").status == 422
    # What starts or changes one answers likewise.
    for query in ("taskRuns=0&wait=true", "wait=true&taskRuns=0"):
        short = server.post(f"/api/v1/executions/shop/loop?{query}").json
        assert short["taskRunCount"] == count and "taskRunList" not in short and short["url"], short
    before = server.get("/api/v1/executions/search?flowId=loop").json["total"]
    assert server.post("/api/v1/executions/shop/loop?taskRuns=x").status == 422
    assert server.get("/api/v1/executions/search?flowId=loop").json["total"] == before
    labels = [{"key": "a", "value": "b"}]
    short = server.post(f"{path}/labels?taskRuns=0", labels).json
    assert short["taskRunCount"] == count and "taskRunList" not in short
    assert {"key": "a", "value": "b"} in short["labels"]
    assert server.post(f"{path}/labels?taskRuns=x", [{"key": "c", "value": "d"}]).status == 422
    whole = server.post(f"{path}/labels", [{"key": "e", "value": "f"}]).json
    assert len(whole["taskRunList"]) == count and len(whole["labels"]) == len(short["labels"]) + 1
    assert whole == server.get(path).json


def test_too_large_to_tell(server):
    """What was done is told, also where all of it would be more than an answer may hold."""
    server.push("id: wide\nnamespace: shop\ntasks:\n  - id: each\n    type: foreach\n"
                "    values: '{{ range(1, 100000) }}'\n    concurrencyLimit: 0\n    tasks:\n"
                "      - {id: x, type: return, format: " + "x" * 200 + "}\n")
    made = server.post("/api/v1/executions/shop/wide?wait=true")
    assert made.status == 200 and "taskRunList" not in made.json, made
    path = f"/api/v1/executions/{made.json['id']}"
    assert made.json["state"]["current"] == "SUCCESS" and made.json["taskRunCount"] == 100001
    assert server.get(path).status == 413
    labelled = server.post(f"{path}/labels", [{"key": "a", "value": "b"}])
    assert labelled.status == 200 and labelled.json["taskRunCount"] == 100001, labelled
    page = server.get(f"{path}/lanes?parent=1&page=20000&size=5").json
    assert [lane["value"] for lane in page["results"]] == [str(n) for n in range(99996, 100001)]


def test_log_search(server):
    fill(server)
    server.push("id: talk\nnamespace: shop.sales\ntasks:\n"
                "  - {id: one, type: log, message: 'red APPLE'}\n"
                "  - {id: two, type: log, level: WARN, message: 'green pear'}\n")
    first = server.post("/api/v1/executions/shop.sales/talk?wait=true").json["id"]
    second = server.post("/api/v1/executions/shop.sales/talk?wait=true").json["id"]

    def find(query):
        answer = server.get(f"/api/v1/logs/search?{query}")
        assert answer.status == 200, answer
        return answer.json

    lines = find("flowId=talk")
    assert lines["total"] == 4 and "totalIsCapped" not in lines
    assert [(e["executionId"], e["message"]) for e in lines["results"]] == [
        (second, "red APPLE"), (second, "green pear"), (first, "red APPLE"), (first, "green pear")]
    assert {"namespace", "flowId", "taskId", "taskRunId", "level", "timestamp"} <= set(
        lines["results"][0])
    assert find("namespace=shop&minLevel=WARN&flowId=talk")["total"] == 0  # Exact with a flow.
    assert find("namespace=shop.sales&minLevel=WARN&q=pear")["total"] == 2
    assert find("q=apple%20RED")["total"] == 2
    assert find("q=apple%20green")["total"] == 0
    assert [e["message"] for e in find("flowId=talk&size=1&page=2")["results"]] == ["green pear"]
    assert find("flowId=talk&size=1&page=9") == {"results": [], "total": 4}
    assert find("startDate=2100-01-01T00:00:00Z")["total"] == 0
    assert find("endDate=2000-01-01T00:00:00Z")["total"] == 0
    for query, want in {
        "filters[level][EQUALS]=WARN": 2, "filters[level][GREATER_THAN_OR_EQUAL_TO]=INFO": 4,
        "filters[minLevel][EQUALS]=ERROR": 0, "filters[namespace][STARTS_WITH]=sho": 4,
        "filters[namespace][EQUALS]=shop": 0, "filters[namespace][PREFIX]=SHOP": 4,
        "filters[flowId][IN]=talk,nope": 4, "filters[flowId][NOT_EQUALS]=talk&q=pear": 0,
        "filters[or][0][flowId][EQUALS]=nope&filters[or][1][namespace][EQUALS]=shop.sales&q=pear": 2,
        "filters[timeRange][EQUALS]=PT1H": 4, "filters[q][EQUALS]=pear": 2,
        "filters[startDate][GREATER_THAN]=2100-01-01T00:00:00Z": 0, "sort=timestamp:desc": 4,
    }.items():
        others = "" if "flowId" in query else "&filters[flowId][CONTAINS]=talk"
        assert find(query + others)["total"] == want, query
    for query in ["minLevel=LOUD", "filters[level][EQUALS]=LOUD", "filters[level][LESS_THAN]=WARN",
                  "filters[bogus][EQUALS]=1", "filters[flowId][REGEX]=x", "sort=timestamp",
                  "sort=timestamp:asc", "sort=message:desc",
                  "startDate=2030-01-01T00:00:00Z&endDate=2020-01-01T00:00:00Z"]:
        assert server.get("/api/v1/logs/search?" + query).status == 422, query
    assert server.get("/api/v1/executions/search?filters[level][EQUALS]=WARN").status == 422
    for path in (f"/api/v1/metrics/{first}", "/api/v1/taskruns/search"):
        assert server.get(path + "?sort=id").status == 422, path
        assert server.get(path + "?sort=id:asc:x").status == 422, path
    run = server.get(f"/api/v1/executions/{first}").json["taskRunList"][1]["id"]
    for query, want in {
        "": 2, "minLevel=WARN": 1, "filters[level][EQUALS]=WARN": 1, "filters[minLevel][EQUALS]=WARN": 1,
        "filters[level][GREATER_THAN_OR_EQUAL_TO]=INFO": 2, "filters[taskId][EQUALS]=one": 1,
        f"filters[taskRunId][EQUALS]={run}": 1, "filters[attemptNumber][EQUALS]=0": 2,
        "filters[attemptNumber][EQUALS]=1": 0, "filters[q][EQUALS]=PEAR": 1, "taskId=one&attempt=1": 0,
    }.items():
        assert len(server.get(f"/api/v1/logs/{first}?{query}").json) == want, query
        text = server.get(f"/api/v1/logs/{first}/download?{query}").text
        assert len(text.splitlines()) == want, (query, text)
    for query in ["filters[level][LESS_THAN]=INFO", "filters[taskId][IN]=one", "filters[bogus][EQUALS]=1",
                  "filters[", "filters[level][EQUALS]=LOUD", "filters[attemptNumber][EQUALS]=x"]:
        for path in ("", "/download", "/follow"):
            assert server.get(f"/api/v1/logs/{first}{path}?{query}").status == 422, (path, query)
    kept = [json.loads(data)["message"] for kind, _, data in server.stream(
        f"/api/v1/logs/{first}/follow?filters[level][GREATER_THAN_OR_EQUAL_TO]=WARN") if kind == "progress"]
    assert kept == ["green pear"], kept


def test_flow_search(server):
    for i, (namespace, flow) in enumerate([("a", "x"), ("a.b", "y"), ("b", "x"), ("system", "s")]):
        server.push(f"id: {flow}\nnamespace: {namespace}\nlabels: {{team: t{i}, both: 'u:v'}}\n"
                    "tasks: [{id: t, type: log, message: x}]\n")
    server.put("/api/v1/flows/b/x", "id: x\nnamespace: b\nlabels: {team: t2}\n"
               "tasks: [{id: t, type: log, message: y}]\n")

    def find(query):
        answer = server.get("/api/v1/flows/search?" + query)
        assert answer.status == 200, (query, answer)
        rows = [f"{flow['namespace']}/{flow['id']}" for flow in answer.json["results"]]
        return rows, answer.json["total"]

    every = ["a/x", "a.b/y", "b/x", "system/s"]
    for query, want in {
        "sort=namespace:asc": every, "sort=namespace:desc": every[::-1], "sort=namespace:up": every[::-1],
        "sort=id:asc": ["system/s", "a/x", "b/x", "a.b/y"],
        "sort=id:desc": ["a.b/y", "b/x", "a/x", "system/s"],
        "sort=revision:desc": ["b/x", "system/s", "a.b/y", "a/x"],
        "namespace=A": every[:2], "namespace=a&sort=id:desc": ["a.b/y", "a/x"],
        "filters[namespace][EQUALS]=a": ["a/x"], "filters[namespace][NOT_EQUALS]=a": every[1:],
        "filters[namespace][PREFIX]=a": every[:2], "filters[namespace][IN]=a,b": ["a/x", "b/x"],
        "filters[namespace][NOT_IN]=a,b": ["a.b/y", "system/s"],
        "filters[namespace][CONTAINS]=b": ["a.b/y", "b/x"],
        "filters[namespace][ENDS_WITH]=.b": ["a.b/y"],
        "filters[flowId][EQUALS]=x": ["a/x", "b/x"], "filters[flowId][STARTS_WITH]=y": ["a.b/y"],
        "filters[labels][EQUALS][team]=t1": ["a.b/y"], "filters[labels][EQUALS]=team:t1": ["a.b/y"],
        "filters[labels][NOT_EQUALS][team]=t1": ["a/x", "b/x", "system/s"],
        "labels=both:u:v": ["a/x", "a.b/y", "system/s"], "labels=team:t1&labels=team:t2": [],
        "labels=team:t1&labels=both:u:v": ["a.b/y"],
        "filters[scope][EQUALS]=SYSTEM": ["system/s"], "filters[scope][NOT_EQUALS]=SYSTEM": every[:3],
        "filters[scope][IN]=SYSTEM,USER": every, "filters[scope][NOT_IN]=SYSTEM,USER": [],
        "filters[q][EQUALS]=x": ["a/x", "b/x"],
        "filters[and][0][namespace][EQUALS]=b": ["b/x"],
        "filters[or][0][namespace][EQUALS]=b&filters[or][1][flowId][EQUALS]=y": ["a.b/y", "b/x"],
        "filters[and][0][flowId][EQUALS]=x&filters[and][1][or][0][namespace][EQUALS]=a"
        "&filters[and][1][or][1][namespace][EQUALS]=system": ["a/x"],
        "state=RUNNING&unknown=1": every,
    }.items():
        assert find(query) == (want, len(want)), (query, find(query))
    assert find("sort=id:desc&size=2&page=2") == (["a/x", "system/s"], 4)
    assert find("sort=id:desc&size=2&page=3") == ([], 4)
    for query in ["sort=id", "sort=a:b:c", "sort=:", "sort=nope:asc", "filters[flowId][REGEX]=x",
                  "filters[bogus][EQUALS]=x", "filters[namespace]=a", "filters[state][EQUALS]=FAILED",
                  "filters[labels][CONTAINS][team]=t", "filters[scope][CONTAINS]=USER"]:
        assert server.get("/api/v1/flows/search?" + query).status == 422, query
    for query in ["flowId=x", "filters[flowId][EQUALS]=", "filters[startDate][EQUALS]=2024-01-01T00:00:00Z"]:
        assert server.post("/api/v1/flows/disable/by-query?" + query).status == 422, query
    assert server.post("/api/v1/flows/disable/by-query?filters[flowId][EQUALS]=y").json == {"count": 1}
    assert server.delete("/api/v1/flows/delete/by-query?filters[namespace][NOT_IN]=a,b,system"
                         ).json == {"count": 1}
    assert find("") == (["a/x", "b/x", "system/s"], 3)


def test_run_search(server):
    fill(server)

    def find(query):
        answer = server.get(f"/api/v1/taskruns/search?{query}")
        assert answer.status == 200, answer
        return answer.json

    assert find("")["total"] == 5
    failed = find("state=FAILED")
    assert failed["total"] == 1 and failed["results"][0]["flowId"] == "bad", failed
    assert failed["results"][0]["state"]["current"] == "FAILED"
    assert find("namespace=shop&state=SUCCESS")["total"] == 2
    assert find("labels=env:prod")["total"] == 2
    assert find("state=RUNNING") == {"results": [], "total": 0}
    assert [run["flowId"] for run in find("size=2&page=2")["results"]] == ["bad", "good"]
    assert server.get("/api/v1/taskruns/maxTaskRunSetting").json == 10000
    assert server.get("/api/v1/taskruns/search?state=x").status == 422
    assert server.get("/api/v1/taskruns/search?page=0").status == 422
