#!/usr/bin/env python3
"""Tests of the HTTP API against a real server: every function test_* of test_*.py gets a server.

Usage: test/api/run.py [--baton build/baton] [NAME…]    NAME: a part of a test's name
"""
import argparse
import concurrent.futures
import importlib
import inspect
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from baton import Server  # noqa: E402


def tests():
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if name.startswith("test_") and function.__module__ == path.stem:
                yield f"{path.stem[5:]}.{name[5:]}", function


def run(baton, function):
    start = time.monotonic()
    try:
        with Server(baton, args=getattr(function, "args", ()),
                    env=getattr(function, "env", None)) as server:
            try:
                function(server)
            except BaseException:
                print(server.output(), file=sys.stderr)
                raise
        return None, time.monotonic() - start
    except Exception:
        return traceback.format_exc(), time.monotonic() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    baton = Path(options.baton).resolve()
    chosen = [(name, function) for name, function in tests()
              if not options.names or any(part in name for part in options.names)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = [(name, pool.submit(run, baton, function)) for name, function in chosen]
        for name, future in futures:
            trouble, seconds = future.result()
            print(f"{'FAILED' if trouble else 'ok'}  {name} ({seconds:.2f} s)", flush=True)
            if trouble:
                failed += 1
                print(trouble, flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
