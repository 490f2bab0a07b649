"""The sink kafka with a real broker: Apache Kafka, one node, as its published jars have it.

$LEADPIPE_KAFKA_JARS is a folder with org.apache.kafka:kafka_2.13 and all that it depends on, and slf4j-simple:
`mvn dependency:copy-dependencies` makes one.
"""

import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess

import pytest

import runs
from kafka_exports import STATE, Exports, kcat, once, tiny

JARS = os.environ.get("LEADPIPE_KAFKA_JARS")
pytestmark = [pytest.mark.nightly,
              pytest.mark.skipif(not JARS or not shutil.which("java") or not shutil.which("kcat"),
                                 reason="needs java, kcat, and Kafka's jars in the folder $LEADPIPE_KAFKA_JARS")]

IDS = tiny(400)
SETTINGS = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:%(port)d,CONTROLLER://127.0.0.1:%(controller)d
advertised.listeners=PLAINTEXT://127.0.0.1:%(port)d
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:%(controller)d
log.dirs=%(folder)s/logs
num.partitions=3
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Kafka:
    def __init__(self, folder):
        self.folder, self.process = folder, None
        port = free_port()
        self.address = "127.0.0.1:%d" % port
        self.settings = folder / "server.properties"
        self.settings.write_text(SETTINGS % {"port": port, "controller": free_port(), "folder": folder})
        self._java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", str(self.settings)).wait(60)
        self.up()

    def _java(self, *words):
        return subprocess.Popen(["java", "-Xmx256m", "-cp", str(pathlib.Path(JARS) / "*"), *words], stdin=subprocess.DEVNULL,
                                stdout=open(self.folder / "kafka.log", "ab"), stderr=subprocess.STDOUT)

    def up(self):
        self.process = self._java("kafka.Kafka", str(self.settings))
        runs.wait_until(lambda: self._lists() or self.process.poll() is not None, "Kafka answers", tries=12000)
        assert self.process.poll() is None, (self.folder / "kafka.log").read_text()[-2000:]

    def _lists(self, *more):
        done = subprocess.run(["kcat", "-b", self.address, "-L", "-m", "2", *more], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ""

    def topic(self, name):
        """Made by being asked for."""
        runs.wait_until(lambda: '"%s" with 3 partitions' % name in self._lists("-t", name), "the topic is there")

    def kill(self):
        self.process.kill()
        self.process.wait()


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
