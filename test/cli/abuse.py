#!/usr/bin/env python3
"""Goal: the command line stands hostile and careless use. Method: the real program is started with
odd arguments, files, descriptors and signals; exit code, output and leftovers are checked."""
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATON = sys.argv[1]
FLOW = """id: odd
namespace: test
inputs:
  - {id: text, type: STRING, required: false}
  - {id: file, type: FILE, required: false}
  - {id: number, type: INT, required: false}
tasks:
  - {id: show, type: shell, runIf: "{{ inputs.file is defined }}", commands: ["cat {{ inputs.file }}"]}
"""
SLOW = """id: slow
namespace: test
tasks:
  - {id: wait, type: shell, commands: ["echo here; sleep 60"]}
"""
failed = 0


def check(what, is_right, detail=""):
    global failed
    if not is_right:
        failed += 1
        print(f"FAIL  {what}: {detail}")


def start(home, *args, **more):
    env = dict(os.environ, TMPDIR=str(home / "tmp"))
    return subprocess.Popen([BATON, *args], cwd=home, env=env, stdin=subprocess.DEVNULL,
                            stderr=subprocess.STDOUT, **more)


def run(home, *args):
    process = start(home, *args, stdout=subprocess.PIPE)
    try:
        out, _ = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        return "hangs", process.communicate()[0].decode(errors="replace")
    return process.returncode, out.decode(errors="replace")


def arguments(home):
    """Each row: arguments after `run odd.yml`, exit code, part of the output."""
    os.mkfifo(home / "pipe")
    (home / "a b'\n\x1b.txt").write_text("odd name")
    rows = [
        (["-f", "file=@a b'\n\x1b.txt"], 0, "odd name"),
        (["-f", "file=@pipe"], 2, "a pipe or a device"),
        (["-f", "file=@/dev/zero"], 2, "a pipe or a device"),
        (["-f", "file=@tmp"], 2, "is a directory"),
        (["-f", "file=@nowhere"], 2, "cannot open 'nowhere'"),
        (["-f", "file=@odd.yml", "-f", "file=@odd.yml"], 2, "given twice"),
        (["-f", "text=@odd.yml"], 2, "not of type FILE"),
        (["-i", "file=/etc/passwd"], 2, "-f file=@PATH"),
        (["-i", "file=baton:///../../etc/passwd"], 2, "-f file=@PATH"),
        (["-i", b"text=\xff"], 2, "not UTF-8"),
        (["-l", b"k=\xff"], 2, "not UTF-8"),
        (["-l", "system.x=1"], 2, "System labels"),
        (["-i", "number=x", "-f", "file=@odd.yml", "--data", "kept"], 2, "Invalid input"),
        (["--data="], 2, "needs a directory"),
        (["--quiet=7"], 2, "takes no value"),
        (["--json"], 0, "\n{}\n"),
    ]
    for args, code, part in rows:
        got, out = run(home, "run", "odd.yml", *args)
        check(f"run {args}", got == code and part in "\n" + out, f"exit {got}: {out!r}")
    stored = [p for p in (home / "kept/storage").rglob("*") if p.is_file()]
    check("a refused execution leaves no file", not stored, stored)


def descriptors(home):
    with open("/dev/full", "wb") as full:
        for args in (["run", "odd.yml", "--json"], ["expr", "{{ 1 }}"], ["version"], ["--help"]):
            code = start(home, *args, stdout=full).wait(20)
            check(f"{args} to a full device", code == 1, f"exit {code}")
    script = f'"{BATON}" run odd.yml --data closed <&- >&- 2>&-'
    code = subprocess.run(["sh", "-c", script], cwd=home, timeout=20).returncode
    lock = (home / "closed/lock").read_text()
    check("closed descriptors", code == 0 and lock.isdigit(), f"exit {code}, lock {lock!r}")


def signals(home):
    process = start(home, "run", "pipe", stdout=subprocess.PIPE)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    check("SIGINT while the flow is awaited", process.wait(20) == -signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = start(home, "run", "slow.yml", stdout=subprocess.PIPE)
        while b"| here" not in process.stdout.readline():
            pass
        process.send_signal(number)
        code = process.wait(20)
        check(f"signal {number}", code == 1, f"exit {code}")
    process = start(home, "run", "slow.yml", "--data", "twice", stdout=subprocess.PIPE)
    while b"| here" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=20)[0]
    check("two signals at once are one wish", b"KILLED in" in out, out)
    left = list((home / "tmp").iterdir())
    check("temporary directories are removed", not left, left)


def completion(home):
    """What bash would offer, asked through its own machinery; the others must at least be quoted."""
    script = """source <("$1" completion bash)
      COMP_WORDS=("${@:1}"); COMP_CWORD=$(($# - 1)); _baton "$1" "${@: -1}" x
      printf '%s\\n' "${COMPREPLY[@]}"
    """
    for words, want in ((["va"], "validate"), (["run", "--slo"], "--slots"), (["run", "od"], "odd.yml"),
                        (["run", "a b"], "a b'"), (["completion", "z"], "zsh"), (["exec", "fo"], "force-run"),
                        (["flow", "pu"], "push")):
        got = subprocess.run(["bash", "-c", script, "bash", BATON, *words], cwd=home, timeout=20,
                             capture_output=True, check=False)
        check(f"bash completes {words}", got.stdout.decode().startswith(want) and not got.stderr, got)
    for shell in ("bash", "zsh", "fish"):
        _, out = run(home, "completion", shell)
        lines = out.replace("'\\''", "").replace("\\'", "").splitlines()
        odd = [line for line in lines if line.count("'") % 2]
        check(f"quotes of {shell}", not odd, odd)


def main():
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "tmp").mkdir()
        (home / "odd.yml").write_text(FLOW)
        (home / "slow.yml").write_text(SLOW)
        arguments(home)
        descriptors(home)
        signals(home)
        completion(home)
    print("ok" if not failed else f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
