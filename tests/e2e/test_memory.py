"""Memory does not grow with the payloads that wait for a slow receiver, nor with those that waited before."""

import pytest

from conftest import SANITIZER
from outputs import ids_file, run_for_memory
from resumes import Resumed

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


def test_what_many_stops_left(leadpipe, sandbox, control):
    """Deliveries that no part of a run could make stay on disk until each is sent again."""
    ids, part = ["size100k-%d" % n for n in range(800)], 40
    resumed = Resumed(leadpipe, sandbox, control,
                      sinks=["-t", "webhook,layout=raw,attempts=1000:" + sandbox.hook("away")])
    control.hook("away", status=500)
    for n in range(part, len(ids), part):
        run = resumed.part(ids[:n])
        assert run.ledger["exported"] == 0, run.ledger
    control.hook("away")
    status, errors, peak = run_for_memory(leadpipe, *resumed.words(), ids_file(leadpipe.folder, ids), env=sandbox.env)
    assert status == 0, errors
    hook = control.ask("hooks")["away"]
    assert (hook["accepted_ids"], hook["after_success"]) == (len(ids), 0)
    print("peak memory %.1f MiB" % (peak / 2**20))
    assert peak < MEMORY_MAX, "%.1f MiB" % (peak / 2**20)
