"""A hundred thousand IDs from topic to topic, with a real broker, while workers are killed, leave and join, and the
broker itself is killed: see kafka_server.py.  In all seeds together 200 workers are killed, and the broker 5 times."""

import random
import signal

import pytest

import runs
from kafka_exports import kcat, once, tiny
from kafka_server import JARS, REASON, Kafka
from test_kafka_source_real import TopicToTopic, put

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(not JARS, reason=REASON)]

LEADS, WORKERS, KILLS, SEEDS = 100_000, 3, 40, 5
IDS = tiny(LEADS)


@pytest.fixture
def kafka(tmp_path):
    running = Kafka(tmp_path, partitions=6)
    yield running
    running.kill()


class Workers:
    """Of one group.  One that ends is started again at once, under the name that it had; those without a name of their own
    (`instance`) join and leave the group each time."""

    def __init__(self, queue, chance):
        self.queue, self.chance = queue, chance
        self.running = [self._start(n) for n in range(WORKERS)]
        self.killed = self.left = self.lost = self.ended = 0

    def _start(self, n):
        more = "&instance=worker-%d" % n if n else ""
        return self.queue.start("--concurrency", "16", "--quiet", "--retry-max-time", "60s", more=more)

    def _stderr(self, process):
        return process.stderr.read().decode()

    def disturb(self):
        """Kills one, or tells it to stop."""
        n = self.chance.randrange(WORKERS)
        process = self.running[n]
        runs.wait_until(lambda: process.poll() is not None or self.chance.random() < 0.006, "a moment", tries=4000)
        if process.poll() is None and self.chance.random() < 0.85:
            process.kill()
            self.killed += 1
        elif process.poll() is None:
            process.terminate()
            self.left += 1
        self._ended(process, (0, 1, -signal.SIGKILL, 128 + signal.SIGTERM))
        self.running[n] = self._start(n)

    def _ended(self, process, statuses):
        """One that the group has given up, as after an outage, says that it has to be started again."""
        stderr = self._stderr(process)
        status = process.wait(300)
        assert status in statuses and (status != 1 or "run it again" in stderr), (status, stderr)
        self.ended += status == 0
        self.lost += status == 1
        return status

    def end(self):
        for n in range(WORKERS):
            while self._ended(self.running[n], (0, 1)):
                self.running[n] = self._start(n)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_lead_once(leadpipe, sandbox, control, kafka, seed):
    chance = random.Random(seed)
    control.set(latency_ms=40)
    for topic in ("ids", "ids-out", "ids-out.missing", "ids-out.failed"):
        kafka.topic(topic)
    put(kafka, "ids", IDS)
    workers = Workers(TopicToTopic(leadpipe, sandbox, kafka, "ids"), chance)
    broker_goes_at = chance.randrange(5, KILLS - 5)
    while workers.killed < KILLS:
        workers.disturb()
        if workers.killed == broker_goes_at:
            kafka.kill()
            kafka.up()
            broker_goes_at = None
    assert len(kcat(kafka.address, "ids-out")) < LEADS, "all was done before the last kill"
    workers.end()
    runs.wait_until(lambda: len(kcat(kafka.address, "ids-out")) >= LEADS, "all leads are there", tries=100)
    once(kcat(kafka.address, "ids-out"), IDS)
    assert not kcat(kafka.address, "ids-out.missing") and not kcat(kafka.address, "ids-out.failed")
    print("%d workers killed, %d told to stop, %d lost their partitions, %d came to the end"
          % (workers.killed, workers.left, workers.lost, workers.ended))
