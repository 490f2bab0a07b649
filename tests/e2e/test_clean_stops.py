"""Stopped by a signal, with a state: what was fetched is not fetched again, whatever waits before it."""

import signal

import pytest

import resumes
import runs
from conftest import SLOWNESS
from outputs import lead_ids_of
from resumes import IDS, SINKS, STATE, Resumed

WAITS = ["tiny-0", "lead-3", "lead-17"]  # they are tried again and again while the others are done
PATIENT = ("--attempts", "100")


@pytest.fixture
def waiting(resumed, control):
    """Stops a run that has all it can have, but for the leads that wait."""
    def stop(ids, *more, waits=WAITS, number=signal.SIGTERM):
        control.set(faults={one: "status=500" for one in waits})
        before = control.stats(ids="all")["by_id"]

        def wait():
            now = control.stats(ids="all")["by_id"]
            return all(now.get(one) for one in ids) and control.stats(ids="none")["in_progress"] == 0 and \
                all(now[one] > before.get(one, 0) + 1 for one in waits)

        run = resumed.part(ids, *PATIENT, *more, wait=wait, signal_number=number)
        control.set(faults={one: None for one in waits})
        return run
    return stop


def fetched_more_than_once(control, among):
    by_id = control.stats(ids="all")["by_id"]
    return {one: by_id[one] for one in among if by_id[one] != 1}


def test_nothing_finished_is_fetched_again(waiting, resumed, control):
    run = waiting(IDS)
    assert run.ledger["pending"] >= len(WAITS)
    whole = resumed.resume(IDS, status=3)
    assert whole.outcomes() == resumes.LEDGER
    assert fetched_more_than_once(control, set(IDS) - set(WAITS)) == {}


def test_same_bytes(waiting, resumed, control, one_go):
    control.reset()
    control.set(nonce="same")
    waiting(IDS)
    whole = resumed.resume(IDS, status=3)
    assert {name: data for name, data in resumed.outputs().items() if not name.startswith("alone/")} == one_go[0]
    assert whole.manifest["requests"]["statuses"]["200"] == one_go[1].manifest["requests"]["statuses"]["200"]
    assert fetched_more_than_once(control, set(IDS) - set(WAITS)) == {}
    resumes.assert_nothing_beside(resumed.folder)


@pytest.mark.parametrize("order", ["input", "any"])
def test_again_and_again(waiting, resumed, control, order):
    """What was buffered is buffered once more, and more is added to it."""
    for n in (20, 40, 60):
        waiting(IDS[:n], "--order", order, waits=WAITS[:1])
    whole = resumed.resume(IDS, "--order", order, status=3)
    assert whole.outcomes() == resumes.LEDGER
    if order == "input":
        assert whole.exported == [one for one in IDS if "~" not in one]
    else:
        assert sorted(whole.exported) == sorted(one for one in IDS if "~" not in one)
    assert fetched_more_than_once(control, set(IDS) - set(WAITS)) == {}


def test_one_of_them_at_a_time(waiting, resumed, control):
    """Parts that end with another lead waiting each time."""
    for n, one in enumerate(WAITS):
        waiting(IDS, waits=WAITS[n:])
        assert fetched_more_than_once(control, set(IDS) - set(WAITS)) == {}
    assert resumed.resume(IDS, status=3).outcomes() == resumes.LEDGER


def test_buffered_payload_with_another_id(resumed, control):
    """Asked for once more when it was fetched, and not again when the run is resumed."""
    odd = ["tiny-%d~otherid=tiny-x" % n for n in range(1, 9)]
    control.set(faults={"tiny-0": "status=500"})

    def wait():
        now = control.stats(ids="all")["by_id"]
        return all(now.get(one, 0) == 2 for one in odd) and control.stats(ids="none")["in_progress"] == 0

    resumed.part(["tiny-0", *odd], *PATIENT, wait=wait)
    control.set(faults={"tiny-0": None})
    whole = resumed.resume(["tiny-0", *odd])
    assert whole.outcomes() == {"exported": 9} and whole.summary["other_ids"] == 8
    by_id = control.stats(ids="all")["by_id"]
    assert {one: by_id[one] for one in odd if by_id[one] != 2} == {}


def test_buffered_payloads_outlive_a_kill(waiting, resumed, control):
    """Killed in the part after: what was buffered is still there, or was durable otherwise."""
    waiting(IDS)
    control.set(faults={"tiny-0": "status=500"})
    resumed.part(IDS, *PATIENT, until="tiny-0", signal_number=signal.SIGKILL)
    control.set(faults={"tiny-0": None})
    assert resumed.resume(IDS, status=3).outcomes() == resumes.LEDGER
    assert fetched_more_than_once(control, set(IDS) - set(WAITS)) == {}


def test_buffered_payloads_are_content(waiting, resumed, control):
    """What changed at the provider meanwhile is as it was when it was fetched."""
    waiting(IDS, waits=["tiny-0"])
    control.set(revision={"tiny-1": 3, "tiny-0": 4})
    whole = resumed.resume(IDS, status=3)
    by_id = {row["lead_id"]: row for row in whole.rows}
    assert by_id["tiny-1"].get("activity_summary") != "Revision 3"
    assert by_id["tiny-0"]["activity_summary"] == "Revision 4"


def test_deliveries_are_not_repeated(leadpipe, sandbox, control):
    """What a receiver has accepted before a clean stop it never gets again."""
    resumed = Resumed(leadpipe, sandbox, control, sinks=[*SINKS, "-t", "webhook,batch=3:" + sandbox.hook("once")])
    for n in (10, 30, 55):
        resumed.part(IDS[:n], wait=lambda: control.attempts(IDS[n - 1]) and len(control.deliveries("once")) >= n // 3 - 6)
    run = resumed.resume(IDS, status=3)
    accepted = [lead for one in control.deliveries("once") for lead in lead_ids_of(one)]
    assert sorted(accepted) == sorted(one for one in IDS if "~" not in one) and run.outcomes() == resumes.LEDGER
    assert control.ask("hooks")["once"]["after_success"] == 0
    ids = {}
    for one in control.deliveries("once"):
        assert ids.setdefault(one["webhook_id"], one["sha256"]) == one["sha256"]
    reported = run.manifest["sinks"][2]
    assert reported["delivered"] == len(control.deliveries("once")) and reported["failed"] == 0


def test_receiver_that_is_away_at_the_stop(leadpipe, sandbox, control):
    """What it did not get is pending, and goes out later: each lead under one id."""
    resumed = Resumed(leadpipe, sandbox, control, sinks=[*SINKS, "-t", "webhook,attempts=100:" + sandbox.hook("away")])
    control.hook("away", status=500)
    first = resumed.part(IDS[:20], wait=lambda: len(control.deliveries("away")) >= 8)
    assert first.ledger["exported"] == 0 and first.ledger["pending"] == 20
    control.hook("away")
    assert resumed.resume(IDS, status=3).outcomes() == resumes.LEDGER
    ids = {}
    for one in control.deliveries("away"):
        for lead in lead_ids_of(one):
            ids.setdefault(lead, set()).add((one["webhook_id"], one["sha256"]))
    assert len(ids) == resumes.LEDGER["exported"]
    assert {lead: names for lead, names in ids.items() if len(names) > 1} == {}
    assert control.ask("hooks")["away"]["after_success"] == 0
    assert fetched_more_than_once(control, IDS[:20]) == {}


def test_second_signal(resumed, control, one_go):
    """Ends at once; the state is that of a kill: good."""
    control.reset()
    control.set(nonce="same", faults={"lead-17": "hang"})
    process = resumed.start("--timeout", "5m", stdin=-1)
    process.stdin.write(resumes.lines(IDS).encode())
    process.stdin.flush()
    runs.wait_until(lambda: control.attempts(IDS[-1]), "all are asked for")
    process.send_signal(signal.SIGTERM)
    assert b"send it again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(8 * SLOWNESS) == 130
    control.set(faults={"lead-17": None})
    resumed.resume(IDS, status=3)
    assert {name: data for name, data in resumed.outputs().items() if not name.startswith("alone/")} == one_go[0]
    resumes.assert_nothing_beside(resumed.folder)


def test_stop_before_anything(resumed, control):
    """No ID was read: there is nothing to resume, and any command may begin."""
    process = resumed.start(stdin=-1)
    runs.wait_until(lambda: runs.temporaries(resumed.folder), "it has begun")
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    run = resumed.resume(["tiny-1"], sinks=["-t", "csv:out/", "-t", "ndjson,layout=rows:" + runs.OUT])
    assert run.outcomes() == {"exported": 1} and (resumed.folder / STATE).exists()
