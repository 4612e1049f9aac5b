#!/usr/bin/env python3
"""Goal: who follows docs/plugin-guide.md word by word gets what it promises.

Method: `baton plugin new`, make, test, list, doc and install are run for both languages in a fresh directory;
the pieces of C in the guide are put into one plugin and its examples run; manifests that are wrong in one way
each are refused with words that say so. The examples of the built-in types and of examples/ are checked too."""
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BATON = str(Path(sys.argv[1]).resolve())
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "plugin-guide.md"
LINK = """
static void stop(struct bt_run *run) { (void)run; }
static const struct bt_task_def filter_def = {
    .size = sizeof filter_def, .type = "guide.filter", .run = filter};
static const struct bt_trigger_def poll_def = {
    .size = sizeof poll_def, .type = "guide.poll", .poll = poll};
static const struct bt_trigger_def listen_def = {
    .size = sizeof listen_def, .type = "guide.listen", .listen = listen, .kill = stop};
static const struct bt_task_def greet_def = {
    .size = sizeof greet_def, .type = "guide.greet", .run = greet};
static const struct bt_task_def *const tasks[] = {&greet_def, &filter_def, NULL};
static const struct bt_trigger_def *const triggers[] = {&poll_def, &listen_def, NULL};
static const struct bt_plugin plugin = {.abi = BT_PLUGIN_ABI, .size = sizeof plugin, .name = "guide",
    .version = "0.1.0", .tasks = tasks, .triggers = triggers};
const struct bt_plugin *bt_plugin_entry(void) { return &plugin; }
"""
LATE = {"type": "string", "x-dynamic": True, "x-late": True, "default": "{{ n > 3 }}"}
TYPES = [
    {"name": "guide.greet", "title": "g", "properties": {"name": {"type": "string", "x-dynamic": True}},
     "examples": [
         {"title": "named", "source": "id: a\ntype: guide.greet\nname: Ada\n",
          "expect": {"outputs": {"greeting": "Ada"}}},
         {"title": "unnamed", "source": "id: a\ntype: guide.greet\n",
          "expect": {"state": "FAILED", "error": "name is empty"}}]},
    {"name": "guide.filter", "title": "f",
     "properties": {"from": {"type": "string", "x-dynamic": True, "x-required": True}},
     "examples": [{"title": "reds", "source": "id: a\ntype: guide.filter\nfrom: \"{{ files.rows }}\"\n",
                   "files": {"rows": '{"c":"red"}\n{"c":"blue"}\n'},
                   "expect": {"files": {"uri": '{"c":"red"}\n'}}}]},
    {"name": "guide.poll", "title": "p", "exec": "trigger", "properties": {"condition": LATE},
     "examples": [
         {"title": "new", "source": "id: a\ntype: guide.poll\n",
          "expect": {"outputs": {"events": [{"variables": {"n": 7}, "id": "7"}], "state": 7}}},
         {"title": "seen", "source": "id: a\ntype: guide.poll\n", "state": 7,
          "expect": {"outputs": {"events": []}}},
         {"title": "unwanted", "source": "id: a\ntype: guide.poll\ncondition: \"{{ n > 8 }}\"\n",
          "expect": {"outputs": {"events": [], "state": 7}}}]},
    {"name": "guide.listen", "title": "l", "exec": "trigger", "realtime": True,
     "examples": [{"title": "two", "source": "id: a\ntype: guide.listen\n", "stopAfter": 2,
                   "expect": {"outputs": {"events": [{"variables": {"text": "hi"}}] * 2}}}]},
]
FLOW = """id: first
namespace: demo
tasks:
  - {id: hi, type: weather.greet, name: "{{ flow.id }}"}
  - {id: say, type: log, message: "{{ outputs.hi.greeting }}"}
"""


def run(*args, code=0, cwd=None, **env):
    done = subprocess.run(args, cwd=cwd, env={**os.environ, "BATON_PLUGINS": "", **env}, text=True,
                          capture_output=True, timeout=60, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == code, f"{args} gave {done.returncode}, not {code}:\n{text}"
    return text


def baton(*args, **options):
    return run(BATON, *args, **options)


def begin(folder, language, build):
    here = folder / language
    here.mkdir()
    baton("plugin", "new", "weather", "--lang", language, cwd=here)
    weather = here / "weather"
    for command in build:
        run(*command, cwd=weather)
    assert "1 passed, 0 failed" in baton("plugin", "test", ".", cwd=weather)
    flow = here / "flow.yml"
    flow.write_text(FLOW, encoding="utf-8")
    assert "Hello first" in baton("run", str(flow), BATON_PLUGINS=str(weather))
    data = here / "data"
    baton("run", str(flow), "--data", str(data), code=2)  # Unknown, until it is installed.
    for _ in range(2):  # The second time it replaces the first.
        baton("plugin", "install", ".", "--data", str(data), cwd=weather)
    assert "Hello first" in baton("run", str(flow), "--data", str(data))
    assert "weather.greet" in baton("plugin", "list", "--data", str(data))
    text = baton("plugin", "doc", "weather.greet", "--data", str(data))
    assert "name: string, required" in text and "greeting: string" in text, text
    assert "exists" in baton("plugin", "new", "weather", "--lang", language, cwd=here, code=2)


def guide(folder):
    """The pieces of the guide, as one plugin, in every sandbox that there is."""
    pieces = [p for p in re.findall(r"```c\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
              if p.startswith("static int")]
    assert len(pieces) == 4, len(pieces)
    baton("plugin", "new", "guide", cwd=folder)
    here = folder / "guide"
    (here / "guide.c").write_text("#include <baton/plugin.h>\n#include <string.h>\n" + "\n".join(pieces) + LINK,
                                  encoding="utf-8")
    manifest = json.loads((here / "plugin.json").read_text(encoding="utf-8"))
    manifest["types"] = TYPES
    (here / "plugin.json").write_text(json.dumps(manifest), encoding="utf-8")
    run("make", cwd=here)
    assert "7 passed, 0 failed" in baton("plugin", "test", ".", cwd=here)
    assert "1 passed, 0 failed" in baton("plugin", "test", ".", "guide.filter", cwd=here)
    there = [line.split()[1] for line in baton("plugin", "list", "--sandbox").splitlines()
             if re.match(r"yes +(files|signals|syscalls) ", line)]
    assert "7 passed" in baton("plugin", "test", ".", cwd=here, BATON_SANDBOX=",".join(there))
    return here, manifest


def refusals(here, manifest):
    """One thing wrong each: told by every command, before anything runs."""
    wrong = (
        ({"abi": 2}, "it was made for plugin ABI 2; this Baton has 1"),
        ({"abi": None}, "does not say which \"abi\""),
        ({"types": []}, "has no \"types\""),
        ({"sandbox": "everything"}, "words other than \"files\""),
        ({"name": "other"}, "its shared object"),
        ({"executable": "./nothing.py"}, "is missing or not executable"),
        ({"types": [{"name": "log", "title": "x"}]}, "exists already"),
        ({"types": [{"name": "guide.x", "title": "x", "exec": "pure"}]}, "has an \"exec\""),
    )
    for change, words in wrong:
        (here / "plugin.json").write_text(json.dumps({**manifest, **change}), encoding="utf-8")
        for command in (("plugin", "test", "."), ("plugin", "install", ".", "--data", "data")):
            text = baton(*command, cwd=here, code=1)
            assert words in text, (change, text)
        assert "CANNOT BE USED" in baton("plugin", "list", cwd=here, code=1, BATON_PLUGINS=str(here))
        assert not (here / "data" / "plugins" / manifest["name"]).exists()
    (here / "plugin.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in baton("plugin", "test", ".", cwd=here, code=1)
    assert "no plugin.json" in baton("plugin", "test", "/", code=1)
    manifest["types"][0]["examples"][0]["expect"]["outputs"]["greeting"] = "Eve"
    (here / "plugin.json").write_text(json.dumps(manifest), encoding="utf-8")
    text = baton("plugin", "test", ".", cwd=here, code=1)
    assert "expected \"Eve\", got \"Ada\"" in text and "6 passed, 1 failed" in text, text


def main():
    with tempfile.TemporaryDirectory(prefix="baton-guide-") as name:
        folder = Path(name)
        begin(folder, "python", [])
        begin(folder, "c", [("make",)])
        refusals(*guide(folder))
    print("ok")


if __name__ == "__main__":
    main()
