"""The sink kafka with a real broker: Apache Kafka, one node, as its published jars have it.

See kafka_server.py.
"""

import random
import signal
import subprocess

import pytest

import runs
from kafka_server import JARS, REASON, Kafka
from kafka_exports import STATE, Exports, kcat, once, tiny

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(not JARS, reason=REASON)]

IDS = tiny(400)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    running = Kafka(tmp_path_factory.mktemp("kafka"))
    yield running
    running.kill()


@pytest.fixture
def topic(kafka, request):
    name = "t%d" % (abs(hash(request.node.name)) % 10**9)
    kafka.topic(name)
    return name


@pytest.fixture
def exports(leadpipe, sandbox, control, kafka):
    control.set(nonce="same")
    return Exports(leadpipe, sandbox, kafka.address)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_without_a_state(exports, kafka, topic, codec):
    exports.run(IDS, topic=topic, options="compression=" + codec)
    once(kcat(kafka.address, topic), IDS)


def test_unknown_topic(exports):
    assert "the cluster has no topic nowhere" in exports.run(IDS, topic="nowhere", status=2).stderr


def test_too_large(exports, kafka, topic):
    """The limit that the topic has by default, asked for with DescribeConfigs."""
    done = exports.run(["tiny-1"], "-vv", topic=topic, options="property=message.max.bytes=2000000")
    assert done.returncode == 0
    once(kcat(kafka.address, topic), ["tiny-1"])


def test_with_a_state(exports, kafka, topic):
    exports.run(IDS, "--state", STATE, topic=topic)
    once(kcat(kafka.address, topic), IDS)


def test_fresh(exports, kafka, topic, control):
    """What was discarded does not hold back readers."""
    control.set(latency_ms=60)
    process = exports.start(IDS, "--state", STATE, "--concurrency", "2", topic=topic)
    runs.wait_until(lambda: control.attempts("tiny-60"), "some are there")
    process.kill()
    assert exports.ended(process)[0] == -signal.SIGKILL
    before = len(kcat(kafka.address, topic))
    control.set(latency_ms=0)
    exports.run(IDS, "--state", STATE, "--fresh", topic=topic)
    assert len(kcat(kafka.address, topic)) == before + len(IDS)


@pytest.mark.parametrize("seed", range(12))
def test_random_kills(exports, kafka, topic, control, seed):
    chance = random.Random(seed)
    control.set(latency_ms=20)
    for _ in range(8):
        process = exports.start(IDS, "--state", STATE, "--concurrency", "3", topic=topic)
        try:
            process.wait(chance.uniform(0.05, 3))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    else:
        control.set(latency_ms=0)
        exports.run(IDS, "--state", STATE, topic=topic)
    once(kcat(kafka.address, topic), IDS)


@pytest.mark.parametrize("state", [(), ("--state", STATE)], ids=["idempotent", "transactions"])
def test_broker_is_killed(exports, kafka, topic, control, state):
    """And started again: the run goes on."""
    control.set(latency_ms=60)
    process = exports.start(IDS, "--concurrency", "2", *state, topic=topic)
    runs.wait_until(lambda: control.attempts("tiny-60"), "some are there")
    kafka.kill()
    kafka.up()
    status, stderr = exports.ended(process, timeout=120)
    assert status == 0, stderr
    once(kcat(kafka.address, topic), IDS)
