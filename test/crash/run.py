#!/usr/bin/env python3
"""Crash tests (see README.md): the real program is killed, starved of disk, given bad directories."""
import argparse
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from recount import recount  # noqa: E402

HANG_SECONDS = 60
VALUES = 12
NOBODY = 65534


class Mismatch(Exception):
    """What was expected and what was there."""


class Skipped(Exception):
    """Why a case cannot run here."""


def check(what, good, seen=""):
    if not good:
        raise Mismatch(f"{what}{': ' + str(seen) if seen != '' else ''}")


class Place:
    """A case's own directory and the programs started in it."""

    def __init__(self, baton, root):
        self.baton, self.root = baton, root
        self.data = root / "data"
        self.mark = uuid.uuid4().hex
        self.log = ""

    def write_flow(self, text):
        path = self.root / "flow.yml"
        path.write_text(text)
        return path

    def start(self, *args, **more):
        env = dict(os.environ, BATON_SCENARIO=self.mark, ASAN_OPTIONS="detect_leaks=0")
        out = open(self.root / "out.txt", "ab")
        return subprocess.Popen([self.baton, "run", *map(str, args)], stdout=out,
                                stderr=subprocess.STDOUT, env=env, **more)

    def output(self):
        path = self.root / "out.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def end(self, process):
        try:
            return process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Mismatch(f"did not end within {HANG_SECONDS} s") from None

    def run(self, *args, **more):
        return self.end(self.start(*args, **more))

    def interrupt_twice(self, process):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        return self.end(process)

    def wait_for(self, pattern, process):
        until = time.monotonic() + HANG_SECONDS
        while not re.search(pattern, self.output()):
            check(f"{pattern!r} was never printed",
                  time.monotonic() < until and process.poll() is None)
            time.sleep(0.02)

    def db(self):
        return sqlite3.connect(self.data / "baton.db")

    def processes(self):
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes():
                    found.append((entry.name, (entry / "cmdline").read_bytes().decode()))
            except OSError:
                continue
        return found

    def check_nothing_left(self):
        db = self.db()
        for table in ("events", "jobs", "timers"):
            rows = db.execute(f"SELECT * FROM {table}").fetchall()
            check(f"rows are left in {table}", not rows, rows)
        rows = db.execute("SELECT id FROM executions WHERE is_drained=0").fetchall()
        check("executions have not drained", not rows, rows)
        check("database", db.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
        wrong = recount(db)
        check("counters differ from a recount (stored, counted)", not wrong, wrong)
        db.close()
        left = self.processes()
        check("processes are left", not left, left)
        work = self.data / "work"
        left = [str(p) for p in work.rglob("*")] if work.exists() else []
        check("working directories are left", not left, left)


# --- kill -9 --------------------------------------------------------------------------------------

# A line per attempt; `twice` when another attempt of the same task run is alive.
SHELL = """
              name={name}
              if [ -e SIDE/live/$name ] && kill -0 "$(cat SIDE/live/$name)" 2>/dev/null; then
                echo "$name" >> SIDE/twice
              fi
              echo $$ > SIDE/live/$name
              echo "$name {{{{ taskrun.attemptsCount }}}}" >> SIDE/lines
              sleep 0.1
              rm -f SIDE/live/$name"""

STORM = """
id: storm
namespace: crash
tasks:
  - {id: first, type: return, format: "{{ flow.id }}"}
  - id: each
    type: foreach
    values: "{{ range(1, VALUES) }}"
    concurrencyLimit: 3
    tasks:
      - {id: pure, type: return, format: "{{ taskrun.value }}{{ outputs.first.value }}"}
      - {id: nap, type: sleep, duration: PT0.1S}
      - id: work
        type: shell
        commands:
          - |WORK
          - echo '::{"outputs":{"v":"{{ taskrun.value }}"}}::'
      - {id: after, type: return, format: "{{ outputs.work[taskrun.value].vars.v }}"}
  - id: beside
    type: parallel
    tasks:
      - id: again
        type: fail
        condition: "{{ taskrun.attemptsCount < 2 }}"
        retry: {type: constant, interval: PT0.1S, maxAttempts: 3}
      - id: stubborn
        type: shell
        retry: {type: constant, interval: PT0.05S, maxAttempts: 1000}
        commands:
          - |AGAIN
          - "[ {{ taskrun.attemptsCount }} -ge 1 ]"
      - {id: wait, type: sleep, duration: PT0.2S}
  - {id: last, type: return, format: "{{ outputs.after | length }} {{ outputs.work | length }}"}
"""


def storm_flow(side):
    def shell(name):
        return SHELL.format(name=name).replace("SIDE", str(side))
    return (STORM.replace("VALUES", str(VALUES))
            .replace("WORK", shell("work-{{ execution.id }}-{{ taskrun.value }}"))
            .replace("AGAIN", shell("stubborn-{{ execution.id }}")))


def check_storm(place, side):
    place.check_nothing_left()
    twice = side / "twice"
    check("two attempts were alive at once", not twice.exists(),
          twice.read_text() if twice.exists() else "")
    names = [line.split()[0] for line in (side / "lines").read_text().splitlines()]
    want = {"first": 1, "each": 1, "beside": 1, "again": 1, "stubborn": 1, "wait": 1, "last": 1,
            "pure": VALUES, "nap": VALUES, "work": VALUES, "after": VALUES}
    db = place.db()
    execs = db.execute("SELECT key, id, state FROM executions").fetchall()
    for key, name, state in execs:
        check(f"execution {name}", state == "SUCCESS", state)
        seen = {}
        for n, task, value, run_state, record in db.execute(
                "SELECT n, task_id, value, state, record FROM task_runs WHERE exec=?", (key,)):
            check(f"{task}[{value}] twice", (task, value) not in seen)
            seen[task, value] = record = json.loads(record)
            check(f"{task}[{value}]", run_state == "SUCCESS", run_state)
            check(f"{task}[{value}] has a token", not record.get("k"))
            check(f"{task}[{value}] of run {n}", record["n"] == n)
        counts = {}
        for task, _ in seen:
            counts[task] = counts.get(task, 0) + 1
        check("task runs", counts == want, counts)
        check("last", seen["last", ""]["o"] == {"value": f"{VALUES} {VALUES}"})
        check("again", len(seen["again", ""]["a"]) == 3, seen["again", ""]["a"])
        for value in range(1, VALUES + 1):
            check(f"work {value} of {name} left no line", f"work-{name}-{value}" in names)
        check(f"stubborn of {name}", f"stubborn-{name}" in names)
    db.close()
    return len(execs)


def case_kill(place, args):
    """kill -9 at random times: every execution ends, every task run once."""
    side = place.root / "side"
    (side / "live").mkdir(parents=True)
    flow = place.write_flow(storm_flow(side))
    rng = random.Random(args.seed)
    kills = new = 0
    while kills < args.kills:
        unfinished = (place.data / "baton.db").exists() and place.db().execute(
            "SELECT count(*) FROM sqlite_master").fetchone()[0] and place.db().execute(
                "SELECT count(*) FROM executions WHERE is_drained=0").fetchone()[0]
        starts = not unfinished or rng.random() < 0.1
        new += starts
        process = place.start(*([flow] if starts else []), "--data", place.data, "-j", "4")
        try:
            code = process.wait(rng.choice([0.05, 0.15, 0.4, 0.8]) * rng.uniform(0.2, 1.6))
            check("exit code", code == 0, code)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    check("exit code", place.run("--data", place.data, "-j", "4") == 0)
    count = check_storm(place, side)
    return f"{kills} kills, {count} executions of {new} started"


# --- A full disk ----------------------------------------------------------------------------------

FULL = """
id: full
namespace: crash
tasks:
  - id: each
    type: foreach
    values: "{{ range(1, 60) }}"
    concurrencyLimit: 2
    tasks:
      - id: big
        type: shell
        commands: ["head -c 9000 /dev/urandom | base64 -w 2000", "sleep 0.02"]
      - {id: back, type: return, format: "{{ taskrun.value }}"}
  - {id: end, type: return, format: "{{ outputs.back | length }}"}
"""


class FullDisk:
    """A small file system at the data directory that can be filled and freed."""

    def __init__(self, place):
        self.place = place
        place.data.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place.data],
                               capture_output=True, check=False)
        if os.geteuid() != 0 or mount.returncode != 0:
            raise Skipped("needs root and mount")

    def __enter__(self):
        return self

    def __exit__(self, *what):
        subprocess.run(["umount", "-l", self.place.data], check=False)

    def fill(self):
        try:
            with open(self.place.data / "ballast", "wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 4096)
        except OSError:
            pass

    def free(self):
        (self.place.data / "ballast").unlink()
        # The rest of the flow does not fit the first 3 MB; the point is that it goes on.
        subprocess.run(["mount", "-o", "remount,size=40m", self.place.data], check=True)


def start_and_fill(place, disk):
    process = place.start(place.write_flow(FULL), "--data", place.data)
    place.wait_for("SUCCESS +back", process)
    disk.fill()
    place.wait_for("full", process)
    time.sleep(1)
    check("the program died of a full disk", process.poll() is None)
    return process


def case_full_disk(place, args):
    """The disk is full for a while: the program says so, goes on after, nothing is lost."""
    del args
    with FullDisk(place) as disk:
        process = start_and_fill(place, disk)
        disk.free()
        code = place.end(process)
        check("exit code", code == 0, code)
        place.check_nothing_left()
        db = place.db()
        runs = db.execute("SELECT task_id, value, state FROM task_runs").fetchall()
        db.close()
        check("task runs", len(runs) == len(set(runs)) == 122, len(runs))
        check("states", {r[2] for r in runs} == {"SUCCESS"}, runs)
    return "went on after space was freed"


def case_full_disk_left(place, args):
    """Ctrl-C twice leaves at once, also on a full disk; the next start goes on."""
    del args
    with FullDisk(place) as disk:
        code = place.interrupt_twice(start_and_fill(place, disk))
        check("exit code", code == 1, code)
        disk.free()
        check("exit code", place.run("--data", place.data) in (0, 1)) # The kill may have counted.
        place.check_nothing_left()
        db = place.db()
        states = {r[0] for r in db.execute("SELECT state FROM executions")}
        db.close()
        check("state", states <= {"SUCCESS", "KILLED"}, states)


# --- Bad directories ------------------------------------------------------------------------------

SMALL = "id: small\nnamespace: crash\ntasks:\n  - {id: t, type: log, message: done}\n"
LONG = ("id: long\nnamespace: crash\ntasks:\n"
        "  - {id: t, type: sleep, duration: PT2S}\n  - {id: u, type: log, message: done}\n")


def check_refused(place, pattern, hint, **more):
    before = len(place.output())
    args = more.pop("args", ["--data", place.data])
    code = place.run(*args, **more)
    said = place.output()[before:]
    check("exit code", code == 1, f"{code}\n{said}")
    check(f"{pattern!r} is not said", re.search(pattern, said), said)
    check(f"{hint!r} is not hinted", re.search(hint, said), said)
    check("a trace is shown", "ERROR: AddressSanitizer" not in said and "runtime error" not in said)


def case_in_use(place, args):
    """A second program on the same directory is refused, the first one goes on."""
    del args
    process = place.start(place.write_flow(LONG), "--data", place.data)
    time.sleep(1)
    check_refused(place, rf"in use by another Baton \(process {process.pid}\)", "--data")
    check("exit code", place.end(process) == 0)
    place.check_nothing_left()


def case_unwritable(place, args):
    """Directories that cannot be written or made."""
    del args
    flow = place.write_flow(SMALL)
    check_refused(place, "cannot make the data directory", "parent directory",
                  args=[flow, "--data", place.root / "no" / "where"])
    place.data.mkdir(mode=0o555)
    more = {}
    if os.geteuid() == 0:
        copy = place.root / "baton"
        shutil.copy(place.baton, copy)
        copy.chmod(0o755)
        place.root.chmod(0o755)
        (place.root / "out.txt").chmod(0o666)
        place.baton = str(copy)
        more = {"user": NOBODY, "group": NOBODY}
    check_refused(place, "cannot write in the data directory", "permissions",
                  args=[flow, "--data", place.data], **more)
    place.data.chmod(0o755)
    check("exit code", place.run(flow, "--data", place.data) == 0)


def case_newer(place, args):
    """A directory of a newer version is refused and not touched."""
    del args
    flow = place.write_flow(SMALL)
    check("exit code", place.run(flow, "--data", place.data) == 0)
    db = place.db()
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute("PRAGMA user_version=99")
    db.close()
    check_refused(place, "written by a newer Baton", "newer Baton")
    db = place.db()
    check("the version was changed", db.execute("PRAGMA user_version").fetchone()[0] == 99)
    db.execute(f"PRAGMA user_version={version}")
    db.close()
    check("exit code", place.run("--data", place.data) == 0)


def case_damaged_header(place, args):
    """A database that is none."""
    del args
    flow = place.write_flow(SMALL)
    check("exit code", place.run(flow, "--data", place.data) == 0)
    path = place.data / "baton.db"
    path.write_bytes(b"garbage!" * 1000)
    check_refused(place, "damaged", "(backup|another)")


def case_damaged_pages(place, args):
    """Garbage in the middle of the database: an answer, no crash and no hang."""
    flow = place.write_flow(LONG)
    process = place.start(flow, "--data", place.data)
    time.sleep(1)
    process.kill()
    process.wait()
    db = place.db()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    path = place.data / "baton.db"
    good = path.read_bytes()
    rng = random.Random(args.seed)
    for page in range(1, len(good) // 4096):
        bad = bytearray(good)
        bad[page * 4096:page * 4096 + 4096] = rng.randbytes(4096)
        path.write_bytes(bad)
        for name in ("baton.db-wal", "baton.db-shm"):
            (place.data / name).unlink(missing_ok=True)
        before = len(place.output())
        process = place.start("--data", place.data)
        try:
            code = process.wait(4)
        except subprocess.TimeoutExpired: # It tries again, and must have said why.
            check(f"page {page}: nothing is said", "damaged" in place.output()[before:])
            code = place.interrupt_twice(process)
        check(f"page {page}: exit code", code in (0, 1), code)
    return f"{len(good) // 4096 - 1} pages"


def case_damaged_record(place, args):
    """A record that cannot be read ends its execution, or is told; it does not hang the program."""
    del args
    for table, column in (("task_runs", "exec"), ("executions", "key"), ("events", "exec")):
        shutil.rmtree(place.data, ignore_errors=True)
        process = place.start(place.write_flow(LONG), "--data", place.data)
        time.sleep(1)
        process.kill()
        process.wait()
        db = place.db()
        if table == "events":
            db.execute("INSERT INTO events(id, exec, record) VALUES(1, 1, '{\"v\":9}')")
        else:
            db.execute(f"UPDATE {table} SET record='{{\"v\":9}}' WHERE {column}=1")
        db.commit()
        db.close()
        before = len(place.output())
        code = place.run("--data", place.data)
        said = place.output()[before:]
        check(f"{table}: exit code", code == 1, f"{code}\n{said}")
        check(f"{table}: nothing is said", "stored" in said, said)


CASES = [case_kill, case_full_disk, case_full_disk_left, case_in_use, case_unwritable, case_newer, case_damaged_header,
         case_damaged_pages, case_damaged_record]


def run_case(baton, case, args):
    root = Path(tempfile.mkdtemp(prefix="baton-crash-"))
    place = Place(baton, root)
    try:
        note = case(place, args)
        return True, note or ""
    except Skipped as why:
        return None, str(why)
    except Exception as error:  # pylint: disable=broad-except
        return False, f"{type(error).__name__}: {error}\n--- output:\n{place.output()[-6000:]}"
    finally:
        for pid, _ in place.processes():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                pass
        if not args.keep:
            shutil.rmtree(root, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baton", default="build/baton")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, printed")
    parser.add_argument("--keep", action="store_true", help="keep the directories")
    parser.add_argument("names", nargs="*", help="cases, e.g. kill full_disk")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = random.randrange(1 << 30)
    baton = str(Path(args.baton).resolve())
    failed = ran = 0
    for case in CASES:
        name = case.__name__[len("case_"):]
        if args.names and name not in args.names:
            continue
        start = time.monotonic()
        good, note = run_case(baton, case, args)
        ran += 1
        failed += good is False
        word = {True: "ok   ", False: "FAIL ", None: "skip "}[good]
        print(f"{word} {name} ({time.monotonic() - start:.1f} s, seed {args.seed}) {note}",
              flush=True)
    print(f"{ran - failed} passed, {failed} failed")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
