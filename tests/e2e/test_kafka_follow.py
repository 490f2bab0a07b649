"""--follow: a topic is read until the run is stopped."""

import signal

import pytest

import pushes
import runs
from crms import crm  # noqa: F401
from kafka_broker import KafkaBroker
from kafka_exports import once
from outputs import lead_ids_of
from test_kafka_queue import TOPICS, Queue
from test_kafka_source import GROUP, Runs, plain


@pytest.fixture
def broker():
    with KafkaBroker(topics=TOPICS, partitions=3) as one:
        yield one


@pytest.fixture
def queue(leadpipe, sandbox, control, broker):
    return Queue(leadpipe, sandbox, broker.address)


class Deliveries(Runs):
    def words(self, *more, to, **url):
        return ["export", *self.sandbox.provider(), "-t", to, *more, self.url(**url)]


@pytest.fixture
def deliveries(leadpipe, sandbox, control, broker):
    return Deliveries(leadpipe, sandbox, broker.address)


def stop(process, number=signal.SIGTERM):
    process.send_signal(number)
    stderr = process.stderr.read().decode()
    assert process.wait(60) == 128 + number, stderr
    return stderr


def seen(broker, n):
    runs.wait_until(lambda: len(broker.messages()) >= n and not broker.is_open(), "%d leads are in the topic" % n, tries=4000)


def test_from_topic_to_topic(queue, broker):
    broker.put(plain(0, 3))
    process = queue.start("--follow")
    seen(broker, 3)
    broker.put(plain(3, 5), partition=1)
    broker.put(["plain-9~missing"], partition=2)
    seen(broker, 5)
    broker.put(["plain-0"])  # once more: its lead may have changed
    seen(broker, 6)
    runs.wait_until(lambda: broker.committed(GROUP) == [4, 2, 1], "all is committed")
    stop(process)
    assert sorted(key.decode() for key, _, _ in broker.messages()) == sorted(["plain-0", *plain(0, 5)])
    assert [key for key, _, _ in broker.messages("leads.missing")] == [b"plain-9~missing"]
    broker.put(plain(5, 6))
    queue.run()
    assert len(broker.messages()) == 7 and broker.committed(GROUP) == [5, 2, 1]


def test_killed(queue, broker):
    broker.put(plain(0, 20))
    process = queue.start("--follow")
    seen(broker, 20)
    broker.put(plain(20, 40))
    process.kill()
    process.wait()
    broker.expire()
    queue.run(more="&property=isolation.level=read_committed")
    once(broker.messages(), plain(0, 40))


@pytest.mark.parametrize("options", ["", ",batch=100"])
def test_webhook(deliveries, sandbox, broker, control, options):
    """A batch that is not full is sent once no more leads come for a while."""
    def delivered():
        return sorted(lead for one in control.deliveries("h") for lead in lead_ids_of(one))

    broker.put(plain(0, 3))
    process = deliveries.start("--follow", to="webhook%s:%s" % (options, sandbox.hook("h")))
    runs.wait_until(lambda: delivered() == plain(0, 3), "the first are delivered", tries=4000)
    broker.put(plain(3, 5), partition=1)
    runs.wait_until(lambda: delivered() == plain(0, 5), "the others are, too", tries=4000)
    runs.wait_until(lambda: broker.committed(GROUP) == [3, 2, -1], "all is committed", tries=4000)
    stop(process, signal.SIGINT)


def test_failed_and_missing(deliveries, sandbox, broker, control):
    """They are in no list, so each is named at once."""
    broker.put(["plain-1~missing", "plain-2~status=400", b"\xff", "plain-4"])
    process = deliveries.start("--follow", "-q", "--attempts", "1", to="webhook:" + sandbox.hook("h"))
    runs.wait_until(lambda: broker.committed(GROUP) == [4, -1, -1], "all is committed", tries=4000)
    stderr = stop(process)
    assert "plain-1~missing: " in stderr and "plain-2~status=400: " in stderr and "partition 0, offset 2" in stderr, stderr


def test_every_message_without_an_id(deliveries, sandbox, broker, control):
    """No message comes after the first few that says how many more there were."""
    broker.put([b"\xff"] * 30)
    process = deliveries.start("--follow", "-q", to="webhook:" + sandbox.hook("h"))
    runs.wait_until(lambda: broker.committed(GROUP) == [30, -1, -1], "all is committed", tries=4000)
    stderr = stop(process)
    assert all("partition 0, offset %d:" % n in stderr for n in range(30)) and "--failed" not in stderr, stderr


def test_invalid_messages_in_a_topic_of_failed_leads(queue, broker):
    """Each is there, and messages do not advise what --follow refuses."""
    broker.put([b"\xff"] * 30)
    process = queue.start("--follow", "-q")
    runs.wait_until(lambda: broker.committed(GROUP) == [30, -1, -1], "all is committed", tries=4000)
    stderr = stop(process)
    assert len(broker.messages("leads.failed")) == 30 and "--failed" not in stderr, stderr


def test_push(deliveries, leadpipe, sandbox, broker, control, crm):
    push = pushes.Push(leadpipe, sandbox, crm, "hubspot-contacts")
    broker.put(plain(0, 3))
    words = ["export", *sandbox.provider(), "-t", push.sink(), "--follow", deliveries.url()]
    process = leadpipe.start(*words, env=push.env())
    runs.wait_until(lambda: len(crm.items(push.store)) == 3, "the first are with the CRM", tries=4000)
    broker.put(plain(3, 5), partition=1)
    runs.wait_until(lambda: len(crm.items(push.store)) == 5, "the others are, too", tries=4000)
    runs.wait_until(lambda: broker.committed(GROUP) == [3, 2, -1], "all is committed", tries=4000)
    stop(process)


def test_preview(deliveries, leadpipe, sandbox, broker, control, crm):
    """The messages would count as done, although nothing is sent."""
    push = pushes.Push(leadpipe, sandbox, crm, "hubspot-contacts")
    broker.put(plain(0, 3))
    done = leadpipe("export", *sandbox.provider(), "-t", push.sink(",preview=requests.ndjson"), deliveries.url(), env=push.env())
    assert done.returncode == 2 and "option preview: not with FILE kafka://" in done.stderr, done.stderr
    assert broker.committed(GROUP) == [-1, -1, -1] and not (leadpipe.folder / "requests.ndjson").exists()


@pytest.mark.parametrize("cut", [0, 1])
def test_messages_are_lost(deliveries, sandbox, broker, control, cut):
    """Others get their offsets, and are read, although these offsets were."""
    def delivered():
        return {lead for one in control.deliveries("h") for lead in lead_ids_of(one)}

    broker.put(plain(0, 3))
    broker.put(plain(3, 6))
    process = deliveries.start("--follow", to="webhook:" + sandbox.hook("h"))
    runs.wait_until(lambda: broker.committed(GROUP) == [6, -1, -1], "all is committed", tries=4000)
    broker.cut(cut)
    broker.put(plain(10, 12))
    runs.wait_until(lambda: broker.committed(GROUP) == [2 + 3 * cut, -1, -1], "what is new is committed", tries=4000)
    broker.put(plain(12, 20))
    runs.wait_until(lambda: broker.committed(GROUP) == [10 + 3 * cut, -1, -1], "the rest is, too", tries=4000)
    assert delivered() == {*plain(0, 6), *plain(10, 20)}
    stderr = stop(process)
    assert stderr.count("partition 0 goes back from offset 6 to 0: ") == 1, stderr


def test_new_partitions(queue, broker):
    """They would not be read by a run that does not know them."""
    broker.put(plain(0, 1))
    process = queue.start("--follow", more="&property=topic.metadata.refresh.interval.ms=200")
    seen(broker, 1)
    broker.add_partition("ids")
    broker.put(["plain-7"], partition=3)
    stderr = process.stderr.read().decode()
    assert process.wait(60) == 1 and "has more partitions than when this run was started" in stderr, stderr
    queue.run()
    once(broker.messages(), ["plain-0", "plain-7"])


@pytest.mark.parametrize("to, more, says", [
    ("ndjson:leads.ndjson", (), "ndjson:leads.ndjson: cannot be used with --follow"),
    ("sqlite:leads.db", (), "sqlite:leads.db: cannot be used with --follow"),
    ("webhook:http://127.0.0.1:1/", ("--failed", "failed.ndjson"), "--failed: cannot be used with --follow"),
    ("webhook:http://127.0.0.1:1/", ("--missing", "missing.ndjson"), "--missing: cannot be used with --follow"),
])
def test_refused(deliveries, to, more, says):
    assert says in deliveries.run("--follow", *more, to=to, status=2).stderr


def test_needs_a_topic(leadpipe, sandbox):
    (leadpipe.folder / "ids.txt").write_text("plain-1\n")
    done = leadpipe("export", *sandbox.provider(), "-t", "webhook:http://127.0.0.1:1/", "--follow", "ids.txt", env=sandbox.env)
    assert done.returncode == 2 and "--follow: needs FILE kafka://" in done.stderr, done.stderr
