#!/usr/bin/env python3
"""A plugin in Python: counts words, and changes the rows of a file.

Baton writes one order a line to standard input; we answer in JSON lines on standard output. What is
printed on standard error goes to the log as ERROR lines. plugin.json says "reuse": true, so this process
gets order after order until standard input ends.
"""
import json
import os
import re
import sys
import time
from collections import Counter


def say(message):
    print(json.dumps(message), flush=True)


def ask(message):
    """Sends a message that is answered, and gives the answer."""
    say(message)
    reply = json.loads(sys.stdin.readline())
    if "error" in reply:
        raise RuntimeError(reply["error"])
    return reply


def log(text, level="INFO"):
    say({"type": "log", "level": level, "message": text})


def output(name, value):
    say({"type": "output", "name": name, "value": value})


def count(order):
    properties = order["properties"]
    words = re.findall(r"\w+", properties["text"].lower())
    log(f"{len(words)} words")
    say({"type": "metric", "name": "words", "metric": "counter", "value": len(words)})
    output("words", len(words))
    output("most", dict(Counter(words).most_common(properties["top"])))


def upper(order):
    properties = order["properties"]
    # A file of the storage is brought as a copy; its path is in the answer.
    path = ask({"type": "file_open", "uri": properties["from"]})["path"]
    target = os.path.join(order["workDir"], "upper.jsonl")
    rows = 0
    with open(path, encoding="utf-8") as source, open(target, "w", encoding="utf-8") as sink:
        for line in source:
            row = json.loads(line)
            row[properties["field"]] = str(row[properties["field"]]).upper()
            sink.write(json.dumps(row) + "\n")
            rows += 1
    # A file of the work directory moves into the storage; its URI is in the answer.
    stored = ask({"type": "file_store", "name": "upper.jsonl", "path": "upper.jsonl"})
    output("uri", stored["uri"])
    output("rows", rows)


def watch(order):
    """A polling trigger: looks once, emits what is new since the state of the last look."""
    with open(order["properties"]["path"], encoding="utf-8") as source:
        words = len(source.read().split())
    variables = {"words": words, "before": order.get("state") or 0}
    # "condition" is marked x-late in plugin.json: Baton renders it now, with these variables.
    if ask({"type": "render", "name": "condition", "variables": variables})["isTrue"]:
        say({"type": "emit", "variables": variables})
    say({"type": "state", "value": words})


def lines(order):
    """A realtime trigger: emits each new line of a file until it is killed (SIGTERM)."""
    with open(order["properties"]["path"], encoding="utf-8") as source:
        number = 0
        while True:
            line = source.readline()
            if not line:
                time.sleep(0.05)
                continue
            number += 1
            say({"type": "emit", "variables": {"line": line.rstrip("\n")}, "id": str(number)})
            ask({"type": "flush"})  # Answered when the event is safe.


TASKS = {"wordcount.count": count, "wordcount.upper": upper, "wordcount.watch": watch,
         "wordcount.lines": lines}


def main():
    # Not `for line in sys.stdin`: that reads ahead, and the answers are for ask().
    while line := sys.stdin.readline():
        order = json.loads(line)
        try:
            TASKS[order["task"]](order)
            say({"type": "result", "state": "success"})
        except Exception as error:  # pylint: disable=broad-except
            say({"type": "result", "state": "failed", "error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
