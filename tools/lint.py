#!/usr/bin/env python3
"""The house's rules that a machine can check; exit 1 on a breach.

- includes go to the left only (tools/deps.txt); plugins/ include include/baton/ and nothing else
- words banned outside src/sys and src/base: clock, randomness and sleeping belong behind tables
- sizes: function <= 70 lines, file <= 600, line <= 100, parameters <= 5, nesting <= 3; what was larger
  when it was written down in tools/sizes.txt may shrink, never grow (--update rewrites that file)
- every room has a README.md of at most 40 lines; every source opens with a comment
- clang-format on all, clang-tidy on changed C files (--no-tools leaves both out)
"""
import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZES = ROOT / "tools" / "sizes.txt"
LIMITS = {"function": 70, "file": 600, "line": 100, "parameters": 5, "nesting": 3}
BANNED = re.compile(r"\b(time|rand|srand|random|sleep|usleep|nanosleep|clock_gettime|gettimeofday|"
                    r"gmtime|localtime|setlocale)\s*\(")
CLOCK_ROOMS = ("src/sys/", "test/")


def git(*args):
    done = subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.split("\n") if done.returncode == 0 else []


def sources():
    names = {n for n in git("ls-files", "-co", "--exclude-standard") if n}
    return sorted(n for n in names if re.search(r"\.[ch]$", n) and (ROOT / n).exists())


def strip(text):
    """Comments and literals blanked, so that braces and words inside them do not count."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text,
                  flags=re.S)


def read_deps():
    deps = {}
    for line in (ROOT / "tools/deps.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            room, _, allowed = line.partition(":")
            deps[room] = set(allowed.split()) | {room}
    return deps


def check_includes(name, text, deps):
    parts = Path(name).parts
    if parts[0] == "plugins":
        for found in re.findall(r'^#include "([^"]+)"', text, re.M):
            if not found.startswith("baton/") and "/" in found:
                yield f"{name}: a plugin includes \"{found}\"; only include/baton/ is allowed"
        return
    if parts[0] != "src":
        return
    room = parts[1]
    if room not in deps:
        yield f"{name}: the room '{room}' is not in tools/deps.txt"
        return
    for found in re.findall(r'^#include "([^"]+)"', text, re.M):
        target = found.split("/")[0]
        if target not in deps[room] and not (target == "baton"):
            yield f"{name}: room '{room}' may not include \"{found}\" (tools/deps.txt)"
        if found.endswith("_int.h") and str(Path("src") / Path(found).parent) not in name:
            yield f"{name}: \"{found}\" is private to its room"


def check_banned(name, code):
    if name.startswith(CLOCK_ROOMS) or name.endswith("_test.c"):
        return
    for match in BANNED.finditer(code):
        line = code.count("\n", 0, match.start()) + 1
        yield f"{name}:{line}: {match.group(1)}() is banned here; use sys/ (clock.h, random.h)"


HEAD = re.compile(r"^(?:static |_Noreturn |inline |extern )*[A-Za-z_][\w \t\*]*?[ \*](\w+)\(([^;{}]*)\)\s*\{",
                  re.M)


def functions(code):
    for match in HEAD.finditer(code):
        if match.group(1) in ("if", "for", "while", "switch"):
            continue
        depth, at, deepest = 0, match.end() - 1, 0
        while at < len(code):
            if code[at] == "{":
                depth += 1
                deepest = max(deepest, depth)
            elif code[at] == "}":
                depth -= 1
                if depth == 0:
                    break
            at += 1
        lines = code.count("\n", match.start(), at) + 1
        parameters = re.sub(r"\([^()]*\)", "", match.group(2)).strip()
        count = 0 if parameters in ("", "void") else parameters.count(",") + 1
        yield match.group(1), lines, count, deepest - 1


def measure(name, text, code):
    """(key, what, size) of everything over its limit."""
    lines = text.split("\n")
    if len(lines) - 1 > LIMITS["file"]:
        yield f"{name} file", len(lines) - 1
    for number, line in enumerate(lines, 1):
        if len(line) > LIMITS["line"] and not re.search(r'^\s*[{"]|^\s*\.\w+ =', line):
            yield f"{name}:{number} line", len(line)
    for function, size, parameters, nesting in functions(code):
        if size > LIMITS["function"]:
            yield f"{name} {function}() function", size
        if parameters > LIMITS["parameters"]:
            yield f"{name} {function}() parameters", parameters
        if nesting > LIMITS["nesting"]:
            yield f"{name} {function}() nesting", nesting


def check_sizes(found, update):
    if update:
        kept = sorted(f"{key} {size}" for key, size in found if " line" not in key)
        SIZES.write_text("# Excess that was there; it may shrink, never grow. tools/lint.py --update\n"
                         + "".join(line + "\n" for line in kept))
    known = {}
    if SIZES.exists():
        for line in SIZES.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                key, _, size = line.rpartition(" ")
                known[key] = int(size)
    for key, size in found:
        if size > known.get(key, 0):
            limit = LIMITS[key.rpartition(" ")[2]]
            yield f"{key}: {size}, the limit is {known.get(key, limit)}"


def check_rooms():
    for room in sorted((ROOT / "src").iterdir()):
        if not room.is_dir():
            continue
        readme = room / "README.md"
        if not readme.exists():
            yield f"src/{room.name}: no README.md"
        elif len(readme.read_text(encoding="utf-8").splitlines()) > 40:
            yield f"src/{room.name}/README.md: more than 40 lines"


def check_format(names):
    done = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *names], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    seen = set()
    for line in done.stderr.splitlines():
        match = re.match(r"(.*?):(\d+):\d+: error", line)
        if match and match.group(1) not in seen:
            seen.add(match.group(1))
            yield f"{match.group(1)}:{match.group(2)}: not formatted (make fmt)"


def check_symbols():
    """A name defined twice: a static library would silently take one of them."""
    if not (ROOT / "build/libbt.a").exists():
        return
    done = subprocess.run(["nm", "-A", "build/libbt.a"], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    seen = {}
    for line in done.stdout.splitlines():
        match = re.match(r"[^:]*:([^:]+):[0-9a-f]+ [TDBR] (\w+)$", line)
        if match:
            where, symbol = match.groups()
            if symbol in seen:
                yield f"{symbol} is defined in {seen[symbol]} and in {where}"
            seen[symbol] = where


def check_tidy():
    changed = set(git("diff", "--name-only", "HEAD")) | set(git("diff", "--name-only", "HEAD~1", "HEAD"))
    names = [n for n in sorted(changed) if re.match(r"src/.*\.c$", n) and (ROOT / n).exists()][:12]
    if not names or not (ROOT / "build/compile_commands.json").exists():
        return
    done = subprocess.run(["clang-tidy-14", "-p", "build", "--quiet", *names], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if re.search(r": (warning|error): ", line):
            yield line.replace(str(ROOT) + "/", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="rewrite tools/sizes.txt")
    parser.add_argument("--no-tools", action="store_true", help="leave out clang-format and -tidy")
    args = parser.parse_args()
    names, deps, breaches, sizes = sources(), read_deps(), [], []
    for name in names:
        text = (ROOT / name).read_text(encoding="utf-8")
        code = strip(text)
        if not text.lstrip().startswith("/*"):
            breaches.append(f"{name}: does not open with a comment that says what it is")
        breaches += check_includes(name, text, deps)
        breaches += check_banned(name, code)
        sizes += measure(name, text, code)
    breaches += list(check_sizes(sizes, args.update))
    breaches += check_rooms()
    breaches += check_symbols()
    if not args.no_tools:
        breaches += check_format(names)
        breaches += check_tidy()
    for breach in breaches:
        print(breach)
    print(f"lint: {len(names)} files, {len(breaches)} breaches")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
