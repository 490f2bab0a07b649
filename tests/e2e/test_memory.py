"""Memory does not grow with the payloads that wait for a slow receiver."""

import pytest

from conftest import SANITIZER
from outputs import ids_file, run_for_memory

MEMORY_MAX = 64 << 20

pytestmark = pytest.mark.skipif(SANITIZER is not None, reason="a sanitizer needs memory of its own")


@pytest.mark.parametrize("kind, options", [
    ("size20k", "layout=raw"),
    ("size20k", "layout=lead,batch=5"),
    ("size100k", "layout=raw"),
])
def test_a_slow_receiver_slows_the_run(leadpipe, sandbox, control, kind, options):
    """Many payloads run into a receiver that takes its time."""
    ids = ids_file(leadpipe.folder, ["%s-%d" % (kind, n) for n in range(2500)])
    target = "webhook,%s,rate=800/s:%s" % (options, sandbox.hook("slow", delay_ms=5))
    status, errors, peak = run_for_memory(leadpipe, "export", *sandbox.provider(), "-t", target, "-t", "csv:leads.csv",
                                          ids, env=sandbox.env)
    assert status == 0, errors
    hook = control.ask("hooks")["slow"]
    assert hook["accepted_ids"] == hook["received"] == (500 if "batch" in options else 2500)
    print("peak memory %.1f MiB, %s" % (peak / 2**20, errors))
    assert peak < MEMORY_MAX, "%.1f MiB" % (peak / 2**20)
