"""IDs from a topic, and from topic to topic, with a real broker: see test_kafka_real.py."""

import json
import random
import signal
import sqlite3
import subprocess

import pytest

import runs
from kafka_exports import kcat, once, plain, tiny
from test_kafka_queue import Queue
from kafka_server import JARS, REASON
from test_kafka_real import kafka  # noqa: F401
from test_kafka_source import GROUP, Runs, asked

pytestmark = [pytest.mark.nightly, pytest.mark.skipif(not JARS, reason=REASON)]


@pytest.fixture
def topic(kafka, request):
    name = "s%d" % (abs(hash(request.node.name)) % 10**9)
    for one in (name, name + "-out", name + "-out.missing", name + "-out.failed"):
        kafka.topic(one)
    return name


def put(kafka, topic, ids):
    subprocess.run(["kcat", "-b", kafka.address, "-P", "-t", topic, "-X", "topic.partitioner=random"], check=True, timeout=60,
                   input="".join(one + "\n" for one in ids).encode())


def all_once(kafka, topic, ids):
    """Once the transaction of a worker that was killed has expired, for which readers wait."""
    runs.wait_until(lambda: len(kcat(kafka.address, topic)) >= len(ids), "all leads are there", tries=400)
    once(kcat(kafka.address, topic), ids)


def into_files(leadpipe, sandbox, kafka):
    return Runs(leadpipe, sandbox, kafka.address)


class TopicToTopic(Queue):
    def __init__(self, leadpipe, sandbox, kafka, topic):
        super().__init__(leadpipe, sandbox, kafka.address)
        self.topic = topic

    def words(self, *more, **url):
        words = super().words(*more, topic=self.topic + "-out", **url)
        return words[:-1] + [words[-1].replace("/ids?", "/%s?" % self.topic)]


@pytest.fixture
def queue(leadpipe, sandbox, control, kafka, topic):
    return TopicToTopic(leadpipe, sandbox, kafka, topic)


def test_files(leadpipe, sandbox, control, kafka, topic):
    put(kafka, topic, plain(50))
    one = into_files(leadpipe, sandbox, kafka)
    one.run(topic=topic)
    assert one.leads() == sorted(plain(50))
    done = one.run(topic=topic)
    assert "there was no message to be read" in done.stderr


def test_unknown_topic(leadpipe, sandbox, kafka):
    assert "has no topic nowhere" in into_files(leadpipe, sandbox, kafka).run(topic="nowhere", status=2).stderr


def test_topic_to_topic(queue, kafka, topic):
    put(kafka, topic, plain(200) + ["plain-3~missing", "plain-4~status=400"])
    queue.run("--attempts", "1", status=3)
    all_once(kafka, topic + "-out", plain(200))
    assert [len(kcat(kafka.address, topic + "-out." + what)) for what in ("missing", "failed")] == [1, 1]
    done = queue.run()
    assert "there was no message to be read" in done.stderr


def test_second_worker_joins(queue, kafka, topic, control):
    """In mid-run: the first one commits what it has before it gives partitions away."""
    control.set(latency_ms=20)
    put(kafka, topic, tiny(600))
    first = queue.start("--concurrency", "2")
    runs.wait_until(lambda: len(kcat(kafka.address, topic + "-out")) > 20, "the first has begun")
    second = queue.start("--concurrency", "2")
    ended = [(process.stderr.read().decode(), process.wait(120)) for process in (first, second)]
    assert [status for _, status in ended] == [0, 0], ended
    all_once(kafka, topic + "-out", tiny(600))


def test_worker_dies(queue, kafka, topic, control):
    """The other one does its leads."""
    control.set(latency_ms=20)
    put(kafka, topic, tiny(600))
    workers = [queue.start("--concurrency", "2", "--retry-max-time", "5s") for _ in range(2)]
    runs.wait_until(lambda: len(kcat(kafka.address, topic + "-out")) > 20, "they have begun")
    workers[0].kill()
    stderr = workers[1].stderr.read().decode()
    assert workers[1].wait(180) == 0, stderr
    all_once(kafka, topic + "-out", tiny(600))


@pytest.mark.parametrize("seed", range(5))
def test_kills(queue, kafka, topic, control, seed):
    chance = random.Random(seed)
    control.set(latency_ms=10)
    put(kafka, topic, tiny(500))
    done = False
    for n in range(30):
        process = queue.start("--concurrency", "4", more="&instance=one")
        if n < 5:
            runs.wait_until(lambda: process.poll() is not None or chance.random() < 0.004, "a moment to kill", tries=4000)
        if process.poll() is None and n < 5:
            process.kill()
        stderr = process.stderr.read().decode()
        status = process.wait(120)
        done = status == 0
        if done:
            break
        assert status < 0, (status, stderr)
    assert done
    all_once(kafka, topic + "-out", tiny(500))


def test_broker_is_restarted(queue, kafka, topic, control):
    control.set(latency_ms=20)
    put(kafka, topic, tiny(400))
    process = queue.start("--concurrency", "2")
    runs.wait_until(lambda: len(kcat(kafka.address, topic + "-out")) > 20, "it has begun")
    kafka.kill()
    kafka.up()
    stderr = process.stderr.read().decode()
    status = process.wait(180)
    if status:
        queue.run()
    assert status in (0, 1), stderr
    all_once(kafka, topic + "-out", tiny(400))


def test_stopped(queue, kafka, topic, control):
    control.set(latency_ms=20)
    put(kafka, topic, tiny(400))
    process = queue.start("--concurrency", "2")
    runs.wait_until(lambda: len(kcat(kafka.address, topic + "-out")) > 20, "it has begun")
    process.send_signal(signal.SIGTERM)
    stderr = process.stderr.read().decode()
    assert process.wait(60) == 128 + signal.SIGTERM, stderr
    queue.run()
    all_once(kafka, topic + "-out", tiny(400))


# --- static members; their session lasts longer than these tests wait -------------------------------

LONG = {"session_ms": 45000}
SOONER = 30


def soon(process):
    stderr = process.stderr.read().decode()
    assert process.wait(SOONER) == 0, stderr


def test_restart_after_a_kill(leadpipe, sandbox, control, kafka, topic):
    control.set(latency_ms=20)
    put(kafka, topic, tiny(200))
    one = into_files(leadpipe, sandbox, kafka)
    process = one.start("--concurrency", "2", topic=topic, group=topic, **LONG)
    runs.wait_until(lambda: control.stats()["requests"] > 10, "it has begun")
    process.kill()
    process.stderr.read()
    process.wait(60)
    soon(one.start(topic=topic, group=topic, **LONG))
    assert one.leads() == sorted(tiny(200))


def test_leaves_when_it_ends(leadpipe, sandbox, control, kafka, topic):
    """So that a worker on another host, which has another name, need not wait."""
    put(kafka, topic, plain(50))
    one = into_files(leadpipe, sandbox, kafka)
    soon(one.start(topic=topic, group=topic, **LONG))
    put(kafka, topic, tiny(50))
    soon(one.start(topic=topic, group=topic, more="&instance=other", **LONG))
    assert one.leads() == sorted(tiny(50))


def test_fenced(leadpipe, sandbox, control, kafka, topic):
    control.set(latency_ms=50)
    put(kafka, topic, tiny(200))
    one = into_files(leadpipe, sandbox, kafka)
    first = one.start("--concurrency", "2", topic=topic, group=topic, more="&instance=same", **LONG)
    runs.wait_until(lambda: control.stats()["requests"] > 10, "it has begun")
    words = [word.replace(".ndjson", "-2.ndjson") for word in one.words(topic=topic, group=topic, more="&instance=same", **LONG)]
    second = leadpipe.start(*words, env=sandbox.env)
    stderr = first.stderr.read().decode()
    assert first.wait(SOONER) == 1 and "give each worker its own instance=NAME" in stderr, stderr
    soon(second)
    assert not (one.folder / "leads.ndjson").exists()


@pytest.mark.parametrize("seed", range(3))
def test_to_a_database(leadpipe, sandbox, control, kafka, topic, seed):
    """Killed at random moments, mode=append: every lead is there once."""
    chance = random.Random(seed)
    one = into_files(leadpipe, sandbox, kafka)
    ids = []
    for n in range(8):
        ids += ["tiny-%d" % (100 * n + i) for i in range(40)]
        put(kafka, topic, ids[-40:])
        process = one.start(to="sqlite,mode=append:leads.db", topic=topic, group=topic, **LONG)
        try:
            process.wait(chance.uniform(0.2, 1.2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.read()
    soon(one.start(to="sqlite,mode=append:leads.db", topic=topic, group=topic, **LONG))
    db = sqlite3.connect(one.folder / "leads.db")
    assert sorted(row[0] for row in db.execute("select lead_id from leads")) == sorted(ids)
    db.close()


def test_topic_is_made_anew(leadpipe, sandbox, control, kafka, topic):
    """Kafka drops what the group has committed: so a record in a database is never taken for one of the new topic."""
    one = into_files(leadpipe, sandbox, kafka)
    url = one.url(topic=topic, group=topic, **LONG)

    def committed():
        return [part["committed"] for part in json.loads(leadpipe("status", "--json", url).stdout)["partitions"]]

    put(kafka, topic, plain(50))
    soon(one.start(to="sqlite,mode=append:leads.db", topic=topic, group=topic, **LONG))
    assert any(committed())
    kafka.delete(topic)
    kafka.topic(topic)
    assert committed() == [None] * len(committed())
    put(kafka, topic, tiny(5))
    soon(one.start(to="sqlite,mode=append:leads.db", topic=topic, group=topic, **LONG))
    db = sqlite3.connect(one.folder / "leads.db")
    assert sorted(row[0] for row in db.execute("select lead_id from leads")) == sorted(plain(50) + tiny(5))
    db.close()
