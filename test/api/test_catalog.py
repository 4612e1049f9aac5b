"""What clients ask about the server itself: plugins, schemas, blueprints, health, metrics."""
import base64
import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_plugins(server):
    plugins = {p["name"]: p for p in server.get("/api/v1/plugins").json}
    assert {"core", "script"} <= set(plugins)
    core = plugins["core"]
    assert core["group"] == "io.kestra.plugin.core" and core["manifest"]["Manifest-Version"] == "1.0"
    assert "io.kestra.plugin.core.log.Log" in core["tasks"] and core["conditions"] == []
    assert "io.kestra.core.tasks.log.Log" in core["aliases"]
    assert plugins["script"]["taskRunners"]
    groups = server.get("/api/v1/plugins/groups/subgroups").json
    log = [g for g in groups if g.get("subGroup") == "io.kestra.plugin.core.log"]
    assert log[0]["tasks"] == ["io.kestra.plugin.core.log.Log"]
    icons = server.get("/api/v1/plugins/icons")
    assert icons.headers["Cache-Control"] == "public, max-age=3600"
    icon = icons.json["io.kestra.core.tasks.log.Log"]
    assert icon["name"] == "Log" and base64.b64decode(icon["icon"]).startswith(b"<svg")
    assert icons.json["foreach"]["flowable"] is True
    assert "io.kestra.plugin.core" in server.get("/api/v1/plugins/icons/groups").json
    doc = server.get("/api/v1/plugins/io.kestra.plugin.core.log.Log").json
    assert doc["markdown"].startswith("# ") and "## Examples" in doc["markdown"]
    properties = doc["schema"]["properties"]
    assert properties["required"] == ["message"] and "timeout" not in properties["properties"]
    assert properties["properties"]["message"]["$dynamic"] is True
    assert "timeout" in server.get("/api/v1/plugins/log?all=true").json["schema"]["properties"]["properties"]
    assert "value" in server.get("/api/v1/plugins/return").json["schema"]["outputs"]["properties"]
    assert server.get("/api/v1/plugins/nope").status == 404
    types = server.get("/api/v1/plugins/inputs").json
    assert {"type": "STRING", "cls": "io.kestra.core.models.flows.input.StringInput"} in types and len(types) == 18
    for one in types:
        assert server.get("/api/v1/plugins/inputs/" + one["type"]).json["markdown"], one
    assert server.get("/api/v1/plugins/inputs/NOPE").status == 404
    # Every type that is listed has documentation.
    for plugin in plugins.values():
        for name in plugin["tasks"] + plugin["triggers"]:
            assert server.get("/api/v1/plugins/" + name).status == 200, name


def test_schemas(server):
    for what in ["flow", "task", "trigger", "plugindefault"]:
        schema = server.get("/api/v1/plugins/schemas/" + what).json
        assert schema["$schema"].startswith("http://json-schema.org/draft-07") and schema["$ref"].endswith(what)
        text = json.dumps(schema)
        for found in set(re.findall(r'"#/definitions/([^"]+)"', text)):
            assert found in schema["definitions"], found
        assert '"x-' not in text
    assert server.get("/api/v1/plugins/schemas/task?arrayOf=true").json["items"] == {"$ref": "#/definitions/task"}
    assert server.get("/api/v1/plugins/schemas/nope").status == 404
    flow = server.get("/api/v1/plugins/schemas/flow").json["definitions"]
    assert flow["io.kestra.plugin.core.log.Log"]["properties"]["type"]["enum"][:2] == [
        "io.kestra.plugin.core.log.Log", "log"]
    assert flow["io.kestra.plugin.core.flow.ForEach"]["properties"]["tasks"]["items"] == {"$ref": "#/definitions/task"}


# Those that need no other machine.
ALONE = ["hello-world", "shell-files", "python-outputs", "parallel-tasks", "loop-over-values", "conditional-steps",
         "retries-and-errors", "key-value-state", "csv-to-sqlite", "map-reduce"]


def test_blueprints(server):
    url = "/api/v1/blueprints/community"
    page = server.get(url + "?size=100").json
    files = {path.stem: path.read_text() for path in (ROOT / "blueprints").glob("*.yml")}
    assert page["total"] == len(files) >= 12 and {b["id"] for b in page["results"]} == set(files)
    tags = {tag["name"] for tag in server.get(url + "/tags").json}
    for blueprint in page["results"]:
        assert blueprint["title"] and len(blueprint["description"]) > 40, blueprint
        assert blueprint["tags"] and set(blueprint["tags"]) <= tags and blueprint["includedTasks"]
        one = server.get(f"{url}/{blueprint['id']}").json
        assert one["flow"] == files[blueprint["id"]]
        source = server.get(f"{url}/{blueprint['id']}/flow")
        assert source.text == one["flow"] and source.headers["Content-Type"].startswith("application/yaml")
        assert server.get(f"{url}/{blueprint['id']}/graph").json["nodes"]
        server.push(one["flow"])
    assert server.get(url + "?q=SQLITE").json["results"][0]["id"] == "csv-to-sqlite"
    assert server.get(url + "?tags=HTTP&size=50").json["total"] == 3
    assert server.get(url + "/nope").status == 404
    assert server.get(url + "/flow/hello-world/source").text == files["hello-world"]
    assert server.get(url + "/flow/tags").status == 200 and server.get(url + "/flow").json["total"] == len(files)
    for name in ALONE:
        ident = re.search(r"^id: (\S+)", files[name], re.M)[1]
        done = server.run("company.team", ident)
        assert done["state"]["current"] in ("SUCCESS", "WARNING"), (name, done["state"])


def test_health(server):
    health = server.get("/health").json
    assert health["status"] == "UP" and health["details"]["diskSpace"]["details"]["free"] > 0
    assert health["details"]["database"]["status"] == "UP"
    for path in ["/health/readiness", "/health/liveness"]:
        assert server.get(path).json["status"] == "UP"
    assert re.match(r"\d+\.\d+", server.get("/version").json["version"])
    assert server.get("/info").json["app"]["name"] == "baton"
    server.push("id: a\nnamespace: b.c\ntasks:\n- {id: t, type: log, message: x}\n")
    server.run("b.c", "a")
    usage = server.get("/api/v1/usages/all").json
    assert usage["flows"]["count"] == 1 and usage["flows"]["taskTypeCount"] == {"io.kestra.plugin.core.log.Log": 1}
    assert usage["executions"]["count"] == 1
    answer = server.get("/prometheus")
    assert answer.headers["Content-Type"].startswith("text/plain")
    samples = {}
    for line in answer.text.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) [a-z_]+ ", line), line
            continue
        found = re.fullmatch(r'([a-z_]+(?:\{(?:[a-z]+="[^"]*",?)*\})?) ([0-9.e+-]+)', line)
        assert found, line
        samples[found[1]] = float(found[2])
    assert samples['baton_executions{state="SUCCESS"}'] == 1
    assert samples['baton_http_requests_total{route="/flows",method="POST",status="2xx"}'] == 1
    assert samples["baton_commits_total"] >= 2 and samples["process_resident_memory_bytes"] > 1e6
    assert server.get("/metrics").status == 200
