"""Many connections from a process of its own: one process may not have 20,000.

Usage: crowd.py HOST PORT COUNT   Opens them and prints how many there are; then for each line that it
reads: asks /ping over all of them and prints how many were answered, refused (503), closed, silent.
"""
import json
import resource
import select
import socket
import sys

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
open_ones, failed = [], 0
for _ in range(min(count, hard - 100)):
    try:
        one = socket.create_connection((host, port), timeout=5)
        one.setblocking(False)
        open_ones.append(one)
    except OSError:
        failed += 1
print(json.dumps({"open": len(open_ones), "failed": failed}), flush=True)
for _ in sys.stdin:
    seen = {"answered": 0, "refused": 0, "closed": 0, "silent": 0, "odd": 0}
    poll = select.poll()
    waiting = {}
    for one in open_ones:
        try:
            one.send(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        except OSError:
            pass  # What was said before is still to be read.
        poll.register(one, select.POLLIN)
        waiting[one.fileno()] = one
    while waiting:
        ready = poll.poll(10000)
        if not ready:
            seen["silent"] += len(waiting)
            break
        for fd, _ in ready:
            poll.unregister(fd)
            try:
                data = waiting.pop(fd).recv(4096)
            except OSError:
                data = b""
            kind = ("closed" if not data else "answered" if data.startswith(b"HTTP/1.1 200") else
                    "refused" if data.startswith(b"HTTP/1.1 503") and b"too many connections" in data else "odd")
            seen[kind] += 1
    print(json.dumps(seen), flush=True)
