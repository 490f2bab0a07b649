"""--rate of a group of workers."""

import re
import signal
import time

import pytest

import runs
from kafka_broker import KafkaBroker
from test_kafka_follow import Deliveries
from test_kafka_source import GROUP, asked, plain

LEADS, RATE = 24, 16
SHARE = re.compile(r"this run has (\d+) of 4 partitions, and makes at most ([0-9.]+) requests per second")


@pytest.fixture
def broker():
    with KafkaBroker(topics=("ids",), partitions=4) as one:
        yield one


@pytest.fixture
def workers(leadpipe, sandbox, control, broker):
    return Deliveries(leadpipe, sandbox, broker.address)


def run_two(workers, broker, control, more):
    """Seconds from the first message to the last lead, and what each worker said of its share."""
    words = workers.words("--follow", "-v", "--rate", str(RATE), to="webhook:" + workers.sandbox.hook("h"), more=more)
    processes = [workers.leadpipe.start(*words, env=workers.sandbox.env) for _ in range(2)]
    group = broker.group(GROUP)
    runs.wait_until(lambda: broker.members(GROUP) == 2 and group.is_stable and group.has_assignments, "both are members")
    for i in range(4):  # each worker has begun with its two partitions
        broker.put(["tiny-%d" % i], partition=i)
    runs.wait_until(lambda: all(asked(control, "tiny-%d" % i) for i in range(4)), "both have begun")
    began = time.monotonic()
    for i in range(4):
        broker.put(plain(100 * i, 100 * i + LEADS // 4), partition=i)
    runs.wait_until(lambda: all(asked(control, lead) for i in range(4) for lead in plain(100 * i, 100 * i + LEADS // 4)), "all are done")
    took = time.monotonic() - began
    for process in processes:
        process.send_signal(signal.SIGTERM)
    said = [process.stderr.read().decode() for process in processes]
    assert [process.wait(60) for process in processes] == [128 + signal.SIGTERM] * 2
    return took, [SHARE.findall(one) for one in said]


def test_of_the_group(workers, broker, control):
    """Together they make as many requests as one would, although each could make twice as many."""
    took, said = run_two(workers, broker, control, "")
    assert all(("2", "8") in one for one in said), said
    assert took > (LEADS / 2 - 2) / (RATE / 2), took  # the last lead of each worker comes so late, at the earliest


def test_alone(workers, broker, control):
    broker.put(plain(0, 3))
    done = workers.run("-v", "--rate", str(RATE), to="webhook:" + workers.sandbox.hook("h"))
    assert SHARE.findall(done.stderr)[-1] == ("4", "16")


def test_of_each_worker(workers, broker, control):
    _, said = run_two(workers, broker, control, "&rate-of=worker")
    assert said == [[], []]


def test_mistake(workers):
    done = workers.run(to="webhook:" + workers.sandbox.hook("h"), more="&rate-of=all", status=2)
    assert "rate-of" in done.stderr and "group or worker" in done.stderr
