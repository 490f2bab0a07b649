"""The sink push with --state: stopped, nothing is sent twice; killed, the CRM has all that it should have."""

import json
import random
import signal
import subprocess

import pytest

import pushes
import resumes
import runs
from pushes import Push

MAKERS = ["hubspot-contacts", "salesforce-lead", "pipedrive-person"]


def small_batches(name, size):
    destination = json.loads((pushes.BUILT_IN / (name + ".json")).read_text())
    if "batch" in destination:
        destination["batch"]["max_items"] = size
    return destination


class Stopped:
    """One command with a state, whose parts are ended when the CRM has had so many requests."""

    def __init__(self, push, ids):
        self.push, self.ids, self.crm = push, ids, push.crm

    def part(self, number, requests=None, when=None, ids=None):
        """Ends it once `requests` more have been answered, if it is still there then."""
        (self.push.folder / "ids.txt").write_text(resumes.lines(ids or self.ids))
        before = self.crm.summary()["requests"]
        process = self.push.start("--state", pushes.STATE, "ids.txt")
        when = when or (lambda: self.crm.summary()["requests"] >= before + requests)
        runs.wait_until(lambda: when() or process.poll() is not None, "the CRM is asked")
        process.send_signal(number)
        run = pushes.ended(self.push, process)
        assert run.status in (0, 3, 128 + number, -number), run.stderr
        return run

    def resume(self, status=None, ids=None):
        return self.push(ids or self.ids, "--state", pushes.STATE, status=status, timeout=120)


@pytest.fixture
def stopped(leadpipe, sandbox, control, crm):
    def make(name, count=60, size=5, more=",concurrency=3", **settings):
        push = Push(leadpipe, sandbox, crm, name, destination=small_batches(name, size), more=more)
        ids = push.sound(count)
        push.behave(**settings)
        return Stopped(push, ids)
    return make


@pytest.mark.parametrize("name", ["hubspot-contacts", "pipedrive-person",
                                  pytest.param("salesforce-lead", marks=pytest.mark.nightly)])
def test_stopped(stopped, crm, name):
    """SIGTERM twice in mid-run: all arrive, each once."""
    one = stopped(name, faults={"slow": {"ms": 60}})
    parts = [one.part(signal.SIGTERM, requests=3) for _ in range(2)]
    assert any(run.ledger.get("pending") and crm.summary()["accepted"] for run in parts)
    run = one.resume(status=0)
    one.push.check(run, one.ids)
    told = crm.summary()
    assert told["sent_again"] == 0 and told["written_twice"] == 0
    assert run.sink["delivered"] == len(one.ids) and run.sink["failed"] == 0
    pushes.assert_secret(crm, run)


def bad_keys(one, every):
    keys = [one.push.key_of(made.item) for made in one.push.made(one.ids)]
    return keys[::every], "^(%s)$" % "|".join(key.replace(".", "[.]").replace("+", "[+]") for key in keys[::every])


def test_stopped_while_bisecting(stopped, crm):
    """A batch that was answered in part: its other part goes out later, its first does not go out again."""
    one = stopped("hubspot-contacts", count=64, size=64, more=",concurrency=1")
    bad, match = bad_keys(one, 13)
    for requests in (10, 7, 5):
        one.push.behave(faults={"poison": {"match": match, "code": "BAD_ONE", "message": "bad"}, "slow": {"ms": 30}})
        run = one.part(signal.SIGTERM, requests=requests)
        assert run.status == 143, run.stderr
        assert 0 < crm.summary()["accepted"] < 59
    run = one.resume(status=3)
    one.push.check(run, one.ids)
    assert len(run.failed) == len(bad) and {line["code"] for line in run.failed.values()} == {"BAD_ONE"}
    told = crm.summary()
    assert told["sent_again"] == 0 and told["accepted"] == 64 - len(bad)
    assert run.sink == {**run.sink, "delivered": 64 - len(bad), "failed": len(bad)}


def test_stopped_while_single_ones_are_tried_again(stopped, crm):
    """Locked records are sent again alone; what was accepted beside them is not."""
    one = stopped("salesforce-lead", count=40, size=20, more=",concurrency=1", faults={"lock": 0.5, "slow": {"ms": 40}})
    for requests in (2, 4):
        run = one.part(signal.SIGTERM, requests=requests)
        assert run.status == 143, run.stderr
    one.push.check(one.resume(status=0), one.ids)
    assert crm.summary()["sent_again"] == 0 and crm.summary()["by_fault"]["lock"] > 5


def test_stopped_while_a_token_is_awaited(stopped, crm):
    """Everything waits: it ends at once, and nothing was sent."""
    one = stopped("zoho-leads", faults={"token_slow": {"ms": 60000}})
    run = one.part(signal.SIGTERM, when=lambda: crm.summary()["token_requests"] > 0)
    assert run.status == 143 and crm.summary()["requests"] == 0
    one.push.behave()
    one.push.check(one.resume(status=0), one.ids)
    pushes.assert_secret(crm, run)


def test_stopped_while_nothing_can_be_sent(stopped, crm):
    one = stopped("hubspot-contacts", faults={"rate": {"retry_after": 60}})
    run = one.part(signal.SIGTERM, requests=1)
    assert run.status == 143 and crm.records(one.push.store) == {}
    one.push.behave()
    one.push.check(one.resume(status=0), one.ids)
    assert crm.summary()["sent_again"] == 0


@pytest.mark.parametrize("name", ["hubspot-contacts", pytest.param("salesforce-lead", marks=pytest.mark.nightly)])
def test_killed(stopped, crm, name):
    """The store is right; sent again is at most what had no answer that was recorded."""
    one = stopped(name, faults={"slow": {"ms": 15}})
    for _ in range(3):
        one.part(signal.SIGKILL, requests=3)
    run = one.resume(status=0)
    one.push.check(run, one.ids)
    assert all(int(record["writes"].text) <= 4 for record in crm.records(one.push.store).values())
    pushes.assert_secret(crm, run)


def at_random(one, seed, number, count):
    dice = random.Random(seed)
    for n in range(count):
        faults = {"item": 0.05, "poison": 0.01, "rate_bare": 0.03, "status500": 0.03, "slow": {"ms": 10}}
        one.push.behave(faults=faults, seed=seed)
        run = one.part(number, requests=dice.randrange(1, 12))
        if run.status in (0, 3):
            return n
    return count


@pytest.mark.nightly
@pytest.mark.parametrize("name", MAKERS)
def test_fifty_kills(stopped, crm, name):
    one, kills, seed = stopped(name, count=600, size=10, more=",concurrency=4"), 0, 0
    while kills < 50:
        crm.forget()
        (one.push.folder / pushes.STATE).unlink(missing_ok=True)
        kills += at_random(one, seed, signal.SIGKILL, 10)
        one.push.check(one.resume(), one.ids, whole=lambda line: line["http_status"] in (429, 500))
        seed += 1


@pytest.mark.nightly
@pytest.mark.parametrize("name", MAKERS)
def test_twenty_stops(stopped, crm, name):
    one, stops, seed = stopped(name, count=600, size=10, more=",concurrency=4"), 0, 0
    while stops < 20:
        crm.forget()
        (one.push.folder / pushes.STATE).unlink(missing_ok=True)
        stops += at_random(one, seed, signal.SIGTERM, 10)
        one.push.check(one.resume(), one.ids, whole=lambda line: line["http_status"] in (429, 500))
        assert crm.summary()["sent_again"] == 0 and crm.summary()["written_twice"] == 0
        seed += 1


# ---- --changed-only ---------------------------------------------------------------------------------------

def test_failed_leads_count_as_changed(leadpipe, sandbox, control, crm):
    push = Push(leadpipe, sandbox, crm, "hubspot-contacts")
    ids, options = push.sound(30), ("--state", pushes.STATE, "--changed-only")
    keys = {one.lead_id: push.key_of(one.item) for one in push.made(ids)}
    push.behave(faults={"item": {"match": "^%s$" % keys[ids[4]], "code": "NO"}})
    run = push(ids, *options, status=3)
    assert set(run.failed) == {ids[4]} and run.failed[ids[4]]["code"] == "NO"
    push.behave()
    again = push(ids, *options, status=0)
    assert again.ledger == {"exported": 1, "unchanged": 29}
    assert crm.items(push.store)[keys[ids[4]]]["accepted"] == 1 and crm.summary()["sent_again"] == 0
    control.set(revision={ids[7]: 2})
    assert push(ids, *options, status=0).ledger == {"exported": 1, "unchanged": 29}
    assert crm.summary()["sent_again"] == 1
