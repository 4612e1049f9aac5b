#!/usr/bin/env python3
"""Goal: our JSON reads and writes what the reference does. Method: a seeded corpus of valid, odd and
broken documents through both; numbers are compared as exact decimals, order of keys included."""
import json
import random
import subprocess
import sys
from decimal import Decimal

COUNT = 20000
RNG = random.Random(20261124)
CHARS = "abz09 _-/\\\"'{}[]:,\u00e9\u00df\u4e2d\U0001f600\u0000\u0001\u001f\u007f\u2028\ufeff\n\t\r\b\f"


def text():
    return "".join(RNG.choice(CHARS) for _ in range(RNG.randrange(12)))


def number():
    pick = RNG.randrange(9)
    if pick == 0:
        return str(RNG.randrange(-10, 10))
    if pick == 1:
        return str(RNG.choice([2**31 - 1, 2**31, -2**31 - 1, 2**53 + 1, 2**63 - 1, 2**63, -2**63, 10**40]))
    if pick == 2:
        return repr(RNG.uniform(-1e6, 1e6))
    if pick == 3:
        return repr(RNG.random() * 10.0 ** RNG.randrange(-320, 308))
    if pick == 4:
        return RNG.choice(["0", "-0", "0.0", "-0.0", "1e0", "1E+2", "1.50", "0.1", "1e-7", "123e3", "5e-324"])
    if pick == 5:
        return f"{RNG.randrange(10**18)}.{RNG.randrange(10**18)}"
    if pick == 6:
        return f"{RNG.randrange(1, 10**6)}e{RNG.randrange(-400, 400)}"
    return str(RNG.randrange(-2**64, 2**64))


def string():
    kept = text()
    if RNG.randrange(2):
        return json.dumps(kept)
    return json.dumps(kept, ensure_ascii=False)


def blank():
    return RNG.choice(["", "", "", " ", "  ", "\t", "\r"])


def document(depth=0):
    pick = RNG.randrange(8 if depth < 5 else 5)
    if pick == 0:
        return RNG.choice(["null", "true", "false"])
    if pick in (1, 2):
        return number()
    if pick in (3, 4):
        return string()
    items = range(RNG.choice([0, 1, 2, 3, 12]))
    if pick == 5:
        return "[" + ",".join(blank() + document(depth + 1) + blank() for _ in items) + "]"
    return "{" + ",".join(f"{blank()}{string()}{blank()}:{blank()}{document(depth + 1)}" for _ in items) + "}"


def broken(source):
    """A valid document with a byte removed, doubled or replaced: mostly invalid, sometimes not."""
    if not source:
        return source
    at = RNG.randrange(len(source))
    pick = RNG.randrange(4)
    if pick == 0:
        return source[:at] + source[at + 1:]
    if pick == 1:
        return source[:at] + source[at] + source[at:]
    if pick == 2:
        return source[:at] + RNG.choice("{}[],:\"\\0e.-+tfn\u0001") + source[at + 1:]
    return source[:at]


class Refused(Exception):
    pass


def constant(_name):
    raise Refused


def has_surrogate(value):
    if isinstance(value, str):
        return any(0xD800 <= ord(c) <= 0xDFFF for c in value)
    if isinstance(value, (list, tuple)):
        return any(has_surrogate(item) for item in (value[1] if isinstance(value, tuple) and value[0] == "map"
                                                    and isinstance(value[1], list) else value))
    return False


def reference(source):
    """(value, None) or (None, True); what ours refuses on purpose counts as refused."""
    try:
        value = json.loads(source, parse_float=Decimal, parse_constant=constant,
                           object_pairs_hook=lambda pairs: ("map", list(dict(pairs).items())))
    except (ValueError, Refused, RecursionError):
        return None, True
    if has_surrogate(value):
        return None, True
    return value, None


def same(a, b):
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a[1]) == len(b[1]) and all(x[0] == y[0] and same(x[1], y[1]) for x, y in zip(a[1], b[1]))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None or isinstance(a, str):
        return type(a) is type(b) and a == b
    return not isinstance(b, (str, list, tuple)) and Decimal(a) == Decimal(b)


def main():
    sys.setrecursionlimit(20000)
    sources = []
    while len(sources) < COUNT:
        source = document()
        sources.append(source)
        sources.append(broken(source))
    sources += ["", " ", "[1,]", "{,}", "01", "-", "1.", ".5", "1e", "+1", "nul", "NaN", "Infinity", '"\\x"',
                '"\\ud800"', '"\\ud800\\u0041"', '"\\udc00"', '"\\ud83d\\ude00"', "[" * 500 + "]" * 500,
                "[1] 2", '{"a":1,"b":2,"a":3}', '{"a":1 "b":2}', "'a'", "[1}", "\u00a01"]
    sources = [s.replace("\n", " ") for s in sources]
    done = subprocess.run([sys.argv[1]], input="\n".join(sources) + "\n", capture_output=True,
                          text=True, encoding="utf-8", errors="surrogatepass", check=True)
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(sources), f"{len(answers)} answers for {len(sources)} documents"
    failed = refused = 0
    for source, answer in zip(sources, answers):
        want, is_refused = reference(source)
        refused += bool(is_refused)
        if is_refused:
            good = answer.startswith("! ")
        else:
            got, bad = (None, True) if answer.startswith("! ") else reference(answer)
            good = not bad and same(want, got)
        if not good:
            failed += 1
            if failed <= 10:
                print(f"DIFFERS: {source!r:.300}\n  reference {want!r:.300}\n  ours      {answer!r:.300}")
    print(f"{refused} of {len(sources)} documents are refused by the reference")
    print(f"{len(sources) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
