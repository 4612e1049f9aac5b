"""Goal: programs written with the `kestra` package drive Baton. Method: its Flow class creates, polls
and reads executions of a real server, whose address is in KESTRA_HOSTNAME."""
import logging
import sys
import tempfile

from kestra import Flow

logging.disable(logging.CRITICAL)


def main():
    for tenant in [None, "main"]:
        flow = Flow(tenant=tenant) if tenant else Flow()
        done = flow.execute("demo.team", "greet", {"name": "Ada"})
        assert done.status == "SUCCESS", done
        assert "hello Ada" in done.log, done
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("content")
            file.flush()
            with open(file.name, "rb") as handle:
                done = flow.execute("demo.team", "greet", {"name": "Bob", "files": ("data", handle, "text/plain")})
        assert done.status == "SUCCESS" and "hello Bob" in done.log, done
        failed = flow.execute("demo.team", "fails")
        assert failed.status == "FAILED", failed
        quick = Flow(wait_for_completion=False, labels_from_inputs=True, tenant=tenant)
        started = quick.execute("demo.team", "greet", {"name": "Eve"})
        assert len(started.execution_id) == 22, started
    print("kestra: ok")
    return 0


sys.exit(main())
