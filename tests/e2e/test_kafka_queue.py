"""From topic to topic: leads and offsets are in one transaction."""

import json
import random

import pytest

import kafka_wire as wire
import runs
from kafka_broker import KafkaBroker
from kafka_exports import once
from test_kafka_source import GROUP, Runs, asked, plain

TOPICS = ("ids", "leads", "leads.missing", "leads.failed")


@pytest.fixture
def broker():
    with KafkaBroker(topics=TOPICS, partitions=3) as one:
        yield one


class Queue(Runs):
    def words(self, *more, topic="leads", options="", **url):
        return ["export", *self.sandbox.provider(), "-t", "kafka%s:%s/%s" % ("," + options if options else "", self.address, topic),
                *more, self.url(**url)]


@pytest.fixture
def exports(leadpipe, sandbox, control, broker):
    return Queue(leadpipe, sandbox, broker.address)


def tiny(first, end):
    return ["tiny-%d" % n for n in range(first, end)]


def test_once(exports, broker):
    for i in range(3):
        broker.put(plain(i * 10, i * 10 + 10) + ["plain-0"], partition=i)
    exports.run()
    once(broker.messages(), plain(0, 30))
    assert broker.committed(GROUP) == [11, 11, 11] and not broker.is_open()
    exports.run()
    once(broker.messages(), plain(0, 30))


def test_missing_and_failed(exports, broker):
    """They are in topics of their own, in the same transaction, and do not stop the queue."""
    broker.put(["plain-1~missing", "plain-2", "plain-3~status=400", b"\xff", "plain-4~gone"])
    exports.run("--attempts", "1", status=3)
    once(broker.messages(), ["plain-2"])
    missing = sorted(broker.messages("leads.missing"), key=str)
    assert [(key, json.loads(value)) for key, value, _ in missing] == [
        (b"plain-1~missing", {"id": "plain-1~missing"}), (b"plain-4~gone", {"id": "plain-4~gone"})]
    failed = {key: json.loads(value) for key, value, _ in broker.messages("leads.failed")}
    assert failed[b"plain-3~status=400"]["http_status"] == 400 and failed[b"plain-3~status=400"]["stage"] == "fetch"
    assert failed[b""]["stage"] == "input" and "partition 0, offset 3" in failed[b""]["error"]
    assert broker.committed(GROUP) == [5, -1, -1]


def test_too_large(exports, broker):
    """A lead that the sink refuses is among the failed ones, too."""
    broker.put(["lead-1", "tiny-1"])
    exports.run(options="property=message.max.bytes=3000", status=3)
    once(broker.messages(), ["tiny-1"])
    [(key, value, _)] = broker.messages("leads.failed")
    assert key == b"lead-1" and json.loads(value)["code"] == "too_large"


def test_names_of_topics(leadpipe, sandbox, control):
    with KafkaBroker(topics=("ids", "leads", "gone", "broken"), partitions=1) as one:
        one.put(["plain-1~missing", "plain-2~status=400", "plain-3"])
        Queue(leadpipe, sandbox, one.address).run("--attempts", "1", options="missing=gone,failed=broken", status=3)
        assert [len(one.messages(topic)) for topic in ("leads", "gone", "broken")] == [1, 1, 1]


def test_unknown_topic(leadpipe, sandbox, control):
    with KafkaBroker(topics=("ids", "leads", "leads.missing"), partitions=1) as one:
        one.put(["plain-1"])
        done = Queue(leadpipe, sandbox, one.address).run(status=2)
        assert "the cluster has no topic leads.failed" in done.stderr and one.committed(GROUP) == [-1]


@pytest.mark.parametrize("more, says", [
    (["-t", "ndjson:leads.ndjson"], "must be the only sink"), (["--order", "any"], "--order any: cannot be used"),
])
def test_combinations(exports, broker, more, says):
    done = exports.run(*more, status=2)
    assert says in done.stderr and not broker.requests


def test_memory_of_an_inherited_property(exports, broker):
    """Messages that wait take as much as if the sink itself had the property."""
    done = exports.run("--max-memory", "64M", more="&property=message.max.bytes=900000000", status=2)
    assert "--max-memory: 64 MiB is not enough" in done.stderr and not broker.requests, done.stderr


def test_topics_without_a_queue(exports):
    done = exports.leadpipe("export", *exports.sandbox.provider(), "-t", "kafka,failed=x:%s/leads" % exports.address, "--id", "plain-1",
                            env=exports.sandbox.env)
    assert done.returncode == 2 and "needs IDs from a topic of the same brokers" in done.stderr


def test_trailing_repeats(exports, broker):
    """What follows the last lead is committed, too."""
    broker.put(["plain-1"])
    broker.put(["plain-1"] * 300, partition=1)
    exports.run()
    once(broker.messages(), ["plain-1"])
    assert broker.committed(GROUP) == [1, 300, -1]


def test_names_of_transactions(exports, broker):
    """Static members of other groups are others, whatever their names."""
    broker.put(["plain-1"])
    for group, instance in (("a-b", "c"), ("a", "b-c")):
        exports.run(group=group, more="&instance=" + instance)
    assert len(broker.transactions) == 2 and all(name.startswith("leadpipe-a") for name in broker.transactions)


# --- what is killed ---------------------------------------------------------------------------------

def run_to_the_end(exports, broker, chance, kills, most=60):
    """Kills the worker at requests that chance picks, and starts it again, until one comes to its end."""
    killed = 0
    for _ in range(most):
        process = exports.start()
        left = chance.randrange(10, 60) if killed < kills else 10 ** 9

        def hook(key, _, left=[left], process=process):
            left[0] -= 1
            if left[0] == 0:
                process.kill()

        broker.hook, broker.answered = (hook, lambda key, request: None) if chance.random() < 0.5 else (lambda key, request: None, hook)
        stderr = process.stderr.read().decode()
        status = process.wait(60)
        killed += status < 0
        broker.hook = broker.answered = lambda key, request: None
        if status == 0:
            return killed
        broker.expire()
        assert status < 0, (status, stderr)
    raise AssertionError("it never came to its end")


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(n, marks=pytest.mark.nightly) for n in range(3, 40))])
def test_kills(exports, broker, seed):
    """For readers at read_committed every lead is there once."""
    chance = random.Random(seed)
    for i in range(3):
        broker.put(tiny(i * 200, i * 200 + 200), partition=i)
    assert run_to_the_end(exports, broker, chance, 4) > 0
    once(broker.messages(), tiny(0, 600))
    assert broker.committed(GROUP) == [200, 200, 200]


@pytest.mark.parametrize("key", [wire.ADD_OFFSETS, wire.TXN_OFFSET_COMMIT, wire.END_TXN])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_in_a_commit(exports, broker, key, when):
    broker.put(tiny(0, 50))
    process = exports.start()

    def hook(this, _):
        if this == key:
            process.kill()

    setattr(broker, "hook" if when == "before" else "answered", hook)
    process.stderr.read()
    assert process.wait(60) < 0
    broker.expire()
    broker.hook = broker.answered = lambda key, request: None
    exports.run()
    once(broker.messages(), tiny(0, 50))
    assert broker.committed(GROUP) == [50, -1, -1]


def test_partitions_are_lost(exports, broker, control):
    """A worker that the group has thrown out commits nothing of what it has read: others do it."""
    control.set(faults={"tiny-30": "slow=2000"})
    broker.put(tiny(0, 50))
    process = exports.start()
    runs.wait_until(lambda: asked(control, "tiny-30"), "leads are on their way")
    group = broker.group(GROUP)
    with broker._lock:
        group.members.clear()
        group.rebalance()
    stderr = process.stderr.read().decode()
    assert process.wait(60) == 1 and "has taken partitions away from this run" in stderr, stderr
    assert broker.messages() == [] and broker.committed(GROUP) == [-1, -1, -1]
    exports.run()
    once(broker.messages(), tiny(0, 50))
    assert broker.committed(GROUP) == [50, -1, -1]
