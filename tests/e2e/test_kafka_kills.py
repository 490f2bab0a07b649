"""IDs from a topic of a real broker, while workers are killed at random moments: see kafka_server.py.

From topic to topic there are a hundred thousand, workers also leave and join, and the broker itself is killed: in all seeds
together 1,000 workers are, and 25 times the broker.  Into files and to a webhook messages come in steps, of which a run does one."""

import collections
import random
import signal
import subprocess

import pytest

import runs
from kafka_exports import kcat, once, tiny
from kafka_server import JARS, REASON, Kafka
from outputs import lead_ids_of, lines_of, message_of
from test_kafka_source_real import LONG, TopicToTopic, into_files, put, soon

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(not JARS, reason=REASON)]

LEADS, WORKERS, KILLS, SEEDS = 100_000, 3, 40, 25
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


STEPS, STEP = 20, 50


def in_steps(one, kafka, chance, *more, to):
    """A worker for each step, killed while it is under way, or not; at last one that comes to the end.  A group of its own:
    where another worker of this host had the host's name in one of that name, these would have none, and wait for sessions."""
    target = {**LONG, "to": to, "group": "steps-%s" % kafka.address.rpartition(":")[2]}
    kafka.topic("ids")
    kills = 0
    for n in range(STEPS):
        put(kafka, "ids", tiny((n + 1) * STEP)[n * STEP:])
        process = one.start(*more, **target)
        try:
            process.wait(chance.uniform(0.1, 1.5))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
            process.wait()
        process.stderr.read()
    soon(one.start(*more, **target))
    print("%d of %d workers were killed" % (kills, STEPS))


@pytest.mark.parametrize("seed", range(3))
def test_files(leadpipe, sandbox, control, kafka, seed):
    """A killed run publishes nothing, or has all that it was to do in files with its own name."""
    control.set(latency_ms=20)
    one = into_files(leadpipe, sandbox, kafka)
    in_steps(one, kafka, random.Random(seed), "--concurrency", "4", to="ndjson:leads-{run_id}.ndjson")
    files = [sorted(line["lead_id"] for line in lines_of(path)) for path in one.folder.glob("leads-*.ndjson")]
    assert files and all(len(set(ids)) == len(ids) for ids in files)
    assert set().union(*files) == set(tiny(STEPS * STEP))


@pytest.mark.parametrize("seed", range(3))
def test_webhook(leadpipe, sandbox, control, kafka, seed):
    """What is delivered once more has the same id and the same body."""
    control.set(latency_ms=20, nonce="same")
    one = into_files(leadpipe, sandbox, kafka)
    in_steps(one, kafka, random.Random(seed), "--concurrency", "4", to="webhook:" + sandbox.hook("h"))
    seen = collections.defaultdict(set)
    for delivery in control.deliveries("h"):
        seen[lead_ids_of(delivery)[0]].add((delivery["webhook_id"], str(message_of(delivery)["data"])))
    assert {lead: len(of_lead) for lead, of_lead in seen.items()} == dict.fromkeys(tiny(STEPS * STEP), 1)
