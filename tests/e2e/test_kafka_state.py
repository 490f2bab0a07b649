"""The sink kafka with a state: whatever is cut off, a reader at read_committed finds every lead once."""

import random
import signal

import pytest

import kafka_wire as wire
import runs
from kafka_broker import Drop, KafkaBroker
from kafka_exports import STATE, Exports, broker, kcat, once, plain, tables_of, tiny  # noqa: F401
from outputs import ledger_of, manifest

IDS = plain(60)


@pytest.fixture
def exports(leadpipe, sandbox, control, broker):
    control.set(nonce="same")
    return Exports(leadpipe, sandbox, broker.address)


class Killer:
    """Kills a process at the n-th request of a kind (from 1), before the broker works on it or after."""

    def __init__(self, broker, key, nth=1, after=False):
        self.broker, self.key, self.nth, self.process, self.done = broker, key, nth, None, False
        setattr(broker, "answered" if after else "hook", self.at)

    def at(self, key, request):
        if key != self.key or self.done:
            return
        self.nth -= 1
        if self.nth == 0:
            runs.wait_until(lambda: self.process, "the process is known")
            self.process.kill()
            self.process.wait()
            self.done = True
            self.broker.hook = self.broker.answered = lambda key, request: None
            raise Drop


def killed(exports, killer, *more, ids=IDS):
    process = killer.process = exports.start(ids, "--state", STATE, *more)
    status, stderr = exports.ended(process)
    assert status == -signal.SIGKILL and killer.done, (status, stderr)


def finish(exports, broker, *more, ids=IDS):
    """The same command to its end; and nothing is left open."""
    done = exports.run(ids, "--state", STATE, *more)
    once(broker.messages(), ids)
    assert not broker.is_open()
    assert ledger_of(manifest(exports.leadpipe.folder / "manifest.json")) == {"exported": len(ids)}, done.stderr
    return done


def delivered(exports):
    sink = manifest(exports.leadpipe.folder / "manifest.json")["sinks"][0]
    return sink["delivered"]


# --- a run --------------------------------------------------------------------------------------------

def test_to_its_end(exports, broker):
    finish(exports, broker)
    assert delivered(exports) == len(IDS)
    assert sorted(kcat(broker.address), key=str) == sorted(broker.messages(), key=str)
    assert all(batch.attributes & wire.TRANSACTIONAL for one in broker.topics["leads"] for batch in one.batches)


def test_next_run(exports, broker):
    """A run that has ended is not gone on with: the leads are there a second time, as was asked for."""
    finish(exports, broker)
    exports.run(IDS, "--state", STATE)
    assert len(broker.messages()) == 2 * len(IDS)
    assert len(broker.offsets) == 2, "each run has a group of its own"


def test_stopped_and_resumed(exports, broker, control):
    """At a signal the leads that are complete are committed; the rest comes with the run that is resumed."""
    control.set(latency_ms=30)
    process = exports.start(IDS, "--state", STATE, "--concurrency", "2")
    runs.wait_until(lambda: broker.uncommitted() > 5, "some are there")
    process.send_signal(signal.SIGTERM)
    status, stderr = exports.ended(process)
    assert status == 128 + signal.SIGTERM, stderr
    assert not broker.is_open(), "readers need not wait"
    first = len(broker.messages())
    assert first == ledger_of(manifest(exports.leadpipe.folder / "manifest.json"))["exported"] > 5
    control.set(latency_ms=0)
    finish(exports, broker)
    assert delivered(exports) == len(IDS)


# --- kills ----------------------------------------------------------------------------------------------

MOMENTS = [
    pytest.param(wire.INIT_PRODUCER_ID, 1, False, id="nothing has begun"),
    pytest.param(wire.TXN_OFFSET_COMMIT, 1, False, id="the run has no number yet"),
    pytest.param(wire.END_TXN, 1, True, id="the run has its number"),
    pytest.param(wire.ADD_PARTITIONS, 1, False, id="before the first message"),
    pytest.param(wire.PRODUCE, 1, True, id="messages are there"),
    pytest.param(wire.TXN_OFFSET_COMMIT, 2, False, id="all messages are there"),
    pytest.param(wire.TXN_OFFSET_COMMIT, 2, True, id="the number is there"),
    pytest.param(wire.END_TXN, 2, False, id="before the commit"),
    pytest.param(wire.END_TXN, 2, True, id="committed and not answered"),
]


@pytest.mark.parametrize("key, nth, after", MOMENTS)
def test_killed_at(exports, broker, key, nth, after):
    killed(exports, Killer(broker, key, nth, after))
    was_committed = len(broker.messages()) == len(IDS)
    assert was_committed == (key == wire.END_TXN and nth == 2 and after)
    finish(exports, broker)
    assert delivered(exports) == len(IDS)


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_a_later_commit(exports, broker, control, after):
    """There is a checkpoint before it."""
    control.set(latency_ms=120)
    killed(exports, Killer(broker, wire.END_TXN, 3, after), "--concurrency", "2")
    assert 0 < len(broker.messages()) <= len(IDS)
    control.set(latency_ms=0)
    finish(exports, broker)


def test_killed_again_within_what_was_sent(exports, broker, control):
    """A transaction that no checkpoint knew of; then one whose leads come partly before a checkpoint, partly not."""
    killed(exports, Killer(broker, wire.END_TXN, 2, True))
    requests = len(broker.requests)
    control.set(latency_ms=120)
    process = exports.start(IDS, "--state", STATE, "--concurrency", "2")
    runs.wait_until(lambda: broker.requests[requests:].count(wire.OFFSET_FETCH), "the run has begun")
    runs.wait_until(lambda: control.attempts("plain-40") > 1, "more than two seconds have passed")
    process.kill()
    assert exports.ended(process)[0] == -signal.SIGKILL
    control.set(latency_ms=0)
    finish(exports, broker)


def test_any_order(exports, broker, control):
    control.set(jitter_ms=50)
    killed(exports, Killer(broker, wire.END_TXN, 2, True), "--order", "any")
    finish(exports, broker, "--order", "any")


def test_other_ids_afterwards(exports, broker):
    """What is known of a lead is known by its ID, not by its place in the list."""
    killed(exports, Killer(broker, wire.END_TXN, 2, True))
    ids = ["plain-x", *reversed(IDS)]
    exports.run(ids, "--state", STATE)
    once(broker.messages(), ids)


def test_topic_per_table(leadpipe, sandbox, control):
    """All topics are in one transaction."""
    names = tables_of(leadpipe)
    with KafkaBroker(topics=["crm." + name for name in names], partitions=1) as broker:
        control.set(nonce="same")
        exports = Exports(leadpipe, sandbox, broker.address)
        target = {"options": "topic-per-table", "topic": "crm"}
        killer = Killer(broker, wire.END_TXN, 2, True)
        killer.process = exports.start(plain(20), "--state", STATE, **target)
        assert exports.ended(killer.process)[0] == -signal.SIGKILL
        exports.run(plain(20), "--state", STATE, "-t", "ndjson:out/", **target, status=2)  # another command
        exports.run(plain(20), "--state", STATE, **target)
        once(broker.messages("crm." + names[0]), plain(20))


def kill_at_random(exports, broker, control, chance, times):
    control.set(latency_ms=15)
    for _ in range(times):
        killer = Killer(broker, chance.choice([wire.PRODUCE, wire.END_TXN, wire.TXN_OFFSET_COMMIT, wire.OFFSET_FETCH]),
                        chance.randint(1, 3), chance.random() < 0.5)
        process = killer.process = exports.start(IDS, "--state", STATE, "--concurrency", "4")
        status, stderr = exports.ended(process)
        assert status in (0, -signal.SIGKILL), stderr
        if status == 0:
            break
    broker.hook = broker.answered = lambda key, request: None
    if status:
        exports.run(IDS, "--state", STATE)
    once(broker.messages(), IDS)
    assert not broker.is_open()


@pytest.mark.parametrize("seed", range(4))
def test_random_kills(exports, broker, control, seed):
    kill_at_random(exports, broker, control, random.Random(seed), 3)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(100, 200))
def test_many_random_kills(exports, broker, control, seed):
    kill_at_random(exports, broker, control, random.Random(seed), 10)


# --- errors that end a run ---------------------------------------------------------------------------------

def test_broker_stays_away(exports, broker, control):
    control.set(latency_ms=30)
    process = exports.start(IDS, "--state", STATE, "--concurrency", "2", "--retry-max-time", "1s")
    runs.wait_until(lambda: broker.uncommitted() > 5, "some are there")
    broker.down()
    status, stderr = exports.ended(process)
    assert status == 1 and "kafka:" in stderr, stderr
    broker.up()
    control.set(latency_ms=0)
    finish(exports, broker)


def test_broker_is_away_at_the_commit(exports, broker):
    """It goes with the commit, comes back with it done, and the run goes on."""
    def go(key, request):
        if key == wire.END_TXN and broker.requests.count(wire.END_TXN) == 2:
            broker.hook = broker.answered = lambda key, request: None
            broker.down()
            broker.up()
    broker.answered = go
    finish(exports, broker)


def test_message_is_refused_in_a_transaction(exports, broker):
    """Its leads cannot be told apart: the run fails and says why; once the topic takes them, the same command goes on."""
    def shrink(key, request):
        if key == wire.PRODUCE:
            broker.message_max["leads"] = 200
    broker.hook = shrink
    done = exports.run(IDS, "--state", STATE, status=1)
    assert "Message size too large" in done.stderr
    broker.hook, broker.message_max["leads"] = (lambda key, request: None), 1000000
    finish(exports, broker)


def test_too_large(exports, broker):
    """Known before it is sent: only that lead fails."""
    broker.message_max["leads"] = 8000
    exports.run([*tiny(20), "lead-1"], "--state", STATE, status=3)
    once(broker.messages(), tiny(20))


def test_fenced(exports, broker, control):
    """Somebody else goes on with the run: this one ends."""
    control.set(latency_ms=30)
    process = exports.start(IDS, "--state", STATE, "--concurrency", "2")
    runs.wait_until(lambda: broker.uncommitted() > 2, "some are there")
    (name, transaction), = broker.transactions.items()
    assert name.startswith("leadpipe-")
    transaction.epoch += 1
    status, stderr = exports.ended(process)
    assert status == 1 and "fenced" in stderr, stderr


def test_fenced_with_leads_behind_it(exports, broker, control):
    """The same in a commit, behind which leads wait for the sink already: they are pending, and the run says why."""
    control.set(latency_ms=60)

    def fence(key, request):
        if key == wire.END_TXN and broker.requests.count(wire.END_TXN) == 2:
            asked = [one for one in IDS if control.attempts(one)]
            runs.wait_until(lambda: sum(map(control.attempts, IDS)) > len(asked) + 10, "leads come on behind it")
            for transaction in broker.transactions.values():
                transaction.epoch += 1
    broker.hook = fence
    process = exports.start(IDS, "--state", STATE, "--concurrency", "1")
    status, stderr = exports.ended(process)
    assert status == 1 and "fenced" in stderr, (status, stderr)


def test_number_is_lost(exports, broker):
    """The cluster has forgotten it: nothing is guessed."""
    killed(exports, Killer(broker, wire.END_TXN, 2, True))
    broker.offsets.clear()
    done = exports.run(IDS, "--state", STATE, status=2)
    assert "offsets.retention.minutes" in done.stderr and "--fresh" in done.stderr


def test_state_of_yesterday(exports, broker):
    """A copy of an earlier state does not know of what was committed since."""
    killed(exports, Killer(broker, wire.END_TXN, 2, True))
    broker.offsets = {place: number + 1 for place, number in broker.offsets.items()}
    done = exports.run(IDS, "--state", STATE, status=2)
    assert "copy of an earlier one" in done.stderr


def test_fresh(exports, broker):
    """The transaction that the discarded run left open is aborted: it would hold back readers."""
    killed(exports, Killer(broker, wire.PRODUCE, 1, True))
    assert broker.is_open()
    finish(exports, broker, "--fresh")


def test_changed_only(exports, broker, control):
    """What was sent before the kill counts with the content that was sent."""
    killed(exports, Killer(broker, wire.END_TXN, 2, True), "--changed-only")
    control.set(revision={"plain-7": 1})
    exports.run(IDS, "--state", STATE, "--changed-only")
    once(broker.messages(), IDS)
    done = exports.run(IDS, "--state", STATE, "--changed-only")
    ledger = ledger_of(manifest(exports.leadpipe.folder / "manifest.json"))
    assert ledger == {"exported": 1, "unchanged": len(IDS) - 1}, done.stderr
