#!/usr/bin/env python3
"""The published clients against a real server: PyPI `kestra` 2.0.0 and `kestrapy` 2.0.3.

Usage: test/clients/run.py [--baton build/baton] [--venv build/venv-clients]
Makes the venv when it is missing; pip fetches the packages by name.
"""
import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "api"))
from baton import Server  # noqa: E402
from run_venv import make_venv  # noqa: E402

PACKAGES = ["kestra==2.0.0", "kestrapy==2.0.3", "regex"]
GREET = """id: greet
namespace: demo.team
inputs:
  - {id: name, type: STRING, defaults: world}
  - {id: data, type: FILE, required: false}
tasks:
  - {id: say, type: log, message: "hello {{ inputs.name }}"}
"""
FAILS = "id: fails\nnamespace: demo.team\ntasks:\n- {id: t, type: fail}\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--venv", default="build/venv-clients")
    options = parser.parse_args()
    python = make_venv(Path(options.venv).resolve(), PACKAGES)
    with Server(Path(options.baton).resolve()) as server:
        server.push(GREET)
        server.push(FAILS)
        address = f"http://{server.host}:{server.port}"
        env = dict(os.environ, KESTRA_HOSTNAME=address)
        for name in ["with_kestra.py", "with_kestrapy.py"]:
            subprocess.run([python, HERE / name, address], check=True, env=env, timeout=120)
    return 0


if __name__ == "__main__":
    sys.exit(main())
