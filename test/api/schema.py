#!/usr/bin/env python3
"""The API against its own OpenAPI document, by schemathesis (PyPI): no 5xx, no answer that the
document does not have.

Usage: test/api/schema.py [--baton build/baton] [--seconds 50] [--seed 1] [--venv build/venv-schema]
"""
import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "clients"))
from baton import Server  # noqa: E402
from run_venv import make_venv  # noqa: E402

PACKAGES = ["schemathesis==4.32.5"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# Streams have no end; a start that waits may take as long as its flow.
LEFT_OUT = ["followEvents", "followExecution", "followLogs"]
# What the document's generated values meet: ids as short as they like to be.
FLOW = """id: "0"
namespace: "0"
inputs: [{id: a, type: STRING, defaults: x}]
tasks:
  - {id: t, type: log, message: "{{ inputs.a }}"}
  - {id: each, type: foreach, values: [1, 2], tasks: [{id: i, type: return, format: x}]}
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--seconds", type=int, default=50)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--venv", default="build/venv-schema")
    options = parser.parse_args()
    python = make_venv(Path(options.venv).resolve(), PACKAGES)
    with Server(Path(options.baton).resolve()) as server:
        server.push(FLOW)
        server.run("0", "0")
        server.put("/api/v1/namespaces/0/kv/0", "1")
        url = f"http://{server.host}:{server.port}/api/v1/openapi.json"
        command = [str(python.parent / "schemathesis"), "run", url, "--checks", CHECKS, "--seed", options.seed,
                   "--phases", "examples,coverage,fuzzing", "--request-timeout", "20", "--max-time",
                   str(options.seconds), "--output-truncate", "true", "--continue-on-failure"]
        for name in LEFT_OUT:
            command += ["--exclude-operation-id", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=options.seconds * 3 + 120, cwd=Path(options.venv),
                              check=False)
        print("\n".join(done.stdout.splitlines()[-400:]))
        assert server.get("/health").json["status"] == "UP"
        rss = server.rss_mb()
        print(f"resident at the end: {rss:.0f} MB")
        assert server.is_sanitized or rss < 300
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
