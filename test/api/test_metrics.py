"""Metrics of flows: names, tasks, charts; lines of logs by time: counted as the rows are."""
import datetime
import json
import re
import time
import urllib.parse


def shell(task, metrics):
    text = json.dumps({"metrics": [{"name": name, "type": "counter", "value": value}
                                   for name, value in metrics]})
    return f"  - id: {task}\n    type: shell\n    commands:\n      - >-\n        echo '::{text}::'\n"


FLOW = ("id: load\nnamespace: shop\ntasks:\n" + shell("one", [("rows", 3), ("cost", 0.25)])
        + shell("two", [("rows", 10), ("rows", -1.5), ("a b/c", 1)])
        + "  - {id: none, type: log, message: hi}\n")


def run(server, source=FLOW, times=1):
    flow = re.search(r"id: (\S+)\nnamespace: (\S+)", source)
    server.push(source)
    return [server.post(f"/api/v1/executions/{flow[2]}/{flow[1]}?wait=true").json["id"]
            for _ in range(times)]


def read(server, path, status=200):
    answer = server.get(f"/api/v1/metrics/{path}")
    assert answer.status == status, answer
    return answer.json


def values(server, path):
    return [row["value"] for row in read(server, f"aggregates/{path}")["aggregations"]]


def test_names(server):
    run(server)
    run(server, FLOW.replace("id: load", "id: other").replace("rows", "lines"))
    assert read(server, "names/shop/load") == ["a b/c", "cost", "rows"]
    assert read(server, "names/shop/load/one") == ["cost", "rows"]
    assert read(server, "names/shop/load/two") == ["a b/c", "rows"]
    assert read(server, "names/shop/load/none") == []
    assert read(server, "tasks/shop/load") == ["one", "two"]
    assert read(server, "names/shop/other/one") == ["cost", "lines"]
    for path in ("names/shop/nothing", "names/none/load", "tasks/shop/nothing", "tasks/sho/load"):
        assert read(server, path) == []
    assert server.get("/api/v1/main/metrics/names/shop/load/one").json == ["cost", "rows"]
    read(server, "names/shop", 404)
    # Of tasks that the flow had once, too.
    server.put("/api/v1/flows/shop/load", FLOW.replace("id: one", "id: uno"),
               headers={"Content-Type": "application/x-yaml"})
    assert read(server, "tasks/shop/load") == ["one", "two"]
    assert server.delete("/api/v1/flows/shop/load").status in (200, 204)
    assert read(server, "tasks/shop/load") == ["one", "two"]


def test_charts(server):
    run(server, times=3)
    chart = read(server, "aggregates/shop/load/rows")
    assert chart["groupBy"] == "day" and len(chart["aggregations"]) == 31, chart
    assert {row["name"] for row in chart["aggregations"]} == {"rows"}
    dates = [row["date"] for row in chart["aggregations"]]
    assert dates == sorted(dates) and all(date.endswith("T00:00:00Z") for date in dates), dates
    assert chart["aggregations"][0]["value"] == 0
    whole = {"sum": 34.5, "min": -1.5, "max": 10, "avg": 34.5 / 9}
    two = {"sum": 25.5, "min": -1.5, "max": 10, "avg": 4.25}
    for how in whole:
        for path, want in (("load/rows", whole), ("load/two/rows", two)):
            for got in (values(server, f"shop/{path}?aggregation={how}"),):
                found = [value for value in got if value]
                # Runs on both sides of midnight are two periods.
                assert len(found) == 2 or abs(found[0] - want[how]) < 1e-9, (path, how, found)
    assert sum(values(server, "shop/load/rows")) == 34.5
    assert sum(values(server, "shop/load/one/cost")) == 0.75
    assert sum(values(server, "shop/load/two/" + urllib.parse.quote("a b/c", safe=""))) == 3
    for path in ("shop/load/none", "shop/load/none/rows", "shop/nothing/rows", "none/load/rows"):
        assert set(values(server, path)) == {0}, path
    now = datetime.datetime.now(datetime.timezone.utc)
    for unit, days in (("hour", 0.05), ("hour", 0.9), ("day", 7), ("week", 200), ("month", 400)):
        start = (now - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        chart = read(server, f"aggregates/shop/load/rows?startDate={start}")
        assert chart["groupBy"] == unit, (unit, chart)
        assert sum(row["value"] for row in chart["aggregations"]) == 34.5, (unit, chart)
    past = (now - datetime.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert set(values(server, f"shop/load/rows?endDate={past}")) == {0}


def test_bad_charts(server):
    run(server)
    for query in ("aggregation=median", "aggregation=SUM", "startDate=x", "endDate=soon",
                  "startDate=2026-01-02T00:00:00Z&endDate=2026-01-01T00:00:00Z",
                  "startDate=1971-01-01T00:00:00Z&endDate=9000-01-01T00:00:00Z"):
        assert read(server, f"aggregates/shop/load/rows?{query}", 422)["message"], query
    assert set(values(server, "shop/load/rows?startDate=9000-01-01T00:00:00Z"
                              "&endDate=9000-01-02T00:00:00Z")) == {0}


def test_after_kill_and_deletion(server):
    """Values count once after the server died, and go with their execution."""
    ids = run(server, times=2)
    server.kill()
    server.start()
    assert sum(values(server, "shop/load/rows")) == 23
    assert server.delete(f"/api/v1/executions/{ids[0]}").status == 204
    assert sum(values(server, "shop/load/rows")) == 11.5
    assert server.delete(f"/api/v1/executions/{ids[1]}").status == 204
    assert read(server, "names/shop/load") == [] and read(server, "tasks/shop/load") == []
    assert set(values(server, "shop/load/rows")) == {0}


TALK = ("id: talk\nnamespace: shop.sales\ntasks:\n"
        "  - {id: one, type: log, message: 'red apple'}\n"
        "  - {id: two, type: log, level: WARN, message: 'green pear'}\n"
        "  - {id: three, type: log, level: TRACE, message: 'small apple'}\n")


def daily(server, body, status=200):
    answer = server.post("/api/v1/stats/logs/daily", body)
    assert answer.status == status, (body, answer)
    return answer.json


def lines(server, body):
    """Lines by level, of all periods together."""
    rows = daily(server, body)
    return {level: sum(row["counts"][level] for row in rows)
            for level in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")}


def test_log_charts(server):
    run(server, TALK, times=3)
    run(server, TALK.replace("id: talk", "id: more").replace("shop.sales", "shop"))
    run(server, TALK.replace("id: talk", "id: other").replace("shop.sales", "shopping"))
    rows = daily(server, {})
    assert len(rows) == 31 and {row["groupBy"] for row in rows} == {"day"}, rows
    assert all(set(row["counts"]) == {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"} for row in rows)
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)
    assert set(rows[0]["counts"].values()) == {0}

    def want(trace, info, warn):
        return {"TRACE": trace, "DEBUG": 0, "INFO": info, "WARN": warn, "ERROR": 0}

    assert lines(server, {}) == want(5, 5, 5)
    assert lines(server, {"namespace": "shop"}) == want(4, 4, 4)
    assert lines(server, {"namespace": "shop.sales", "flowId": "talk"}) == want(3, 3, 3)
    assert lines(server, {"flowId": "more"}) == want(1, 1, 1)
    assert lines(server, {"namespace": "none"}) == want(0, 0, 0)
    assert lines(server, {"logLevel": "INFO"}) == want(0, 5, 5)
    assert lines(server, {"logLevel": "ERROR", "namespace": "shop"}) == want(0, 0, 0)
    assert lines(server, {"q": "apple"}) == want(5, 5, 0)
    assert lines(server, {"q": "RED apple", "namespace": "shop"}) == want(0, 4, 0)
    assert lines(server, {"q": "apple", "logLevel": "INFO", "flowId": "talk"}) == want(0, 3, 0)
    assert lines(server, {"q": "cherry"}) == want(0, 0, 0)
    now = datetime.datetime.now(datetime.timezone.utc)
    for unit, days in (("hour", 0.05), ("hour", 0.9), ("day", 7), ("week", 200), ("month", 400)):
        start = (now - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for more in ({}, {"q": "apple"}):
            rows = daily(server, {"startDate": start, **more})
            assert {row["groupBy"] for row in rows} == {unit}, (unit, rows)
            assert sum(row["counts"]["INFO"] for row in rows) == 5, (unit, rows)
    past = (now - datetime.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert lines(server, {"endDate": past}) == lines(server, {"endDate": past, "q": "apple"})
    assert lines(server, {"endDate": past}) == want(0, 0, 0)


def test_bad_log_charts(server):
    for body in ({"logLevel": "LOUD"}, {"startDate": "x"},
                 {"startDate": "2026-01-02T00:00:00Z", "endDate": "2026-01-01T00:00:00Z"},
                 {"startDate": "1971-01-01T00:00:00Z", "endDate": "9000-01-01T00:00:00Z"}):
        assert daily(server, body, 422)["message"], body


def test_delete_logs(server):
    """All lines of an execution, or none: a chunk is not cut."""
    ids = run(server, TALK, times=2)
    path = f"/api/v1/logs/{ids[0]}"
    for query in ("minLevel=INFO", "taskId=one", "taskRunId=x", "attempt=0", "minLevel=LOUD"):
        answer = server.delete(f"{path}?{query}")
        assert answer.status == 422 and answer.json["message"], (query, answer)
    assert len(server.get(path).json) == 3 and lines(server, {})["INFO"] == 2
    assert server.delete(f"{path}?minLevel=TRACE").status == 200
    assert server.get(path).json == [] and lines(server, {})["INFO"] == 1
    assert server.delete(path).status == 200
    assert len(server.get(f"/api/v1/logs/{ids[1]}").json) == 3
    assert server.get("/api/v1/logs/search?flowId=talk").json["total"] == 3
    assert server.delete("/api/v1/logs/5ZxaPBAM9Ky8vIbqyhaJT1").status == 404
    server.push("id: nap\nnamespace: shop\ntasks:\n  - {id: l, type: log, message: x}\n"
                "  - {id: s, type: sleep, duration: PT1M}\n")
    nap = server.post("/api/v1/executions/shop/nap").json["id"]
    assert server.delete(f"/api/v1/logs/{nap}").status == 409
    server.kill()
    server.start()
    assert server.get(path).json == [] and lines(server, {"flowId": "talk"})["INFO"] == 1


def test_too_many_lines_to_read(server):
    run(server, TALK.replace("id: talk", "id: few"))
    run(server, TALK)
    for _ in range(2000):
        assert server.post("/api/v1/executions/shop.sales/talk").status == 200
    while server.get("/api/v1/executions/search?state=SUCCESS").json["total"] < 2002:
        time.sleep(0.02)
    assert lines(server, {"flowId": "talk"})["INFO"] == 2001
    assert "2000 executions" in daily(server, {"q": "apple"}, 422)["message"]
    assert lines(server, {"q": "apple", "flowId": "few"})["INFO"] == 1
    assert lines(server, {"q": "apple", "startDate": "2090-01-01T00:00:00Z",
                          "endDate": "2090-02-01T00:00:00Z"})["INFO"] == 0


def test_log_counts_after_kill_and_deletion(server):
    ids = run(server, TALK, times=3)
    server.kill()
    server.start()
    assert lines(server, {"flowId": "talk"})["INFO"] == 3
    assert server.delete(f"/api/v1/executions/{ids[0]}").status == 204
    assert lines(server, {})["WARN"] == 2
    for one in ids[1:]:
        assert server.delete(f"/api/v1/executions/{one}").status == 204
    assert sum(lines(server, {}).values()) == 0
