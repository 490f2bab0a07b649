"""Static members of a group: by default under the name of the host."""

import os
import re
import signal
import socket
import uuid

import pytest

import runs
from kafka_broker import KafkaBroker
from kafka_exports import once
from test_kafka_queue import TOPICS, Queue
from test_kafka_source import Runs, asked, plain

HOST = socket.gethostname()
LONG = 45000  # Kafka's default: nobody waits for as long here

pytestmark = pytest.mark.skipif(not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", HOST) or HOST.startswith("localhost"),
                                reason="this host has no name that is a member's")


@pytest.fixture
def group():
    """Of this test alone: workers of other tests run on this host, too."""
    return "members-" + uuid.uuid4().hex


@pytest.fixture
def broker():
    with KafkaBroker(topics=TOPICS, partitions=3) as one:
        yield one


@pytest.fixture
def exports(leadpipe, sandbox, control, broker, group):
    class OfGroup(Runs):
        def url(self, **more):
            return super().url(**{"group": group, "session_ms": LONG, **more})
    return OfGroup(leadpipe, sandbox, broker.address)


@pytest.fixture
def queue(leadpipe, sandbox, control, broker, group):
    class OfGroup(Queue):
        def url(self, **more):
            return super().url(**{"group": group, "session_ms": LONG, **more})
    return OfGroup(leadpipe, sandbox, broker.address)


def instances(broker, group):
    of = broker.group(group)
    with broker._lock:
        return sorted((one.instance for one in of.members.values()), key=str)


def ended(process):
    stderr = process.stderr.read().decode()
    return process.wait(60), stderr


def killed(process):
    process.kill()
    ended(process)


def test_restart_after_a_kill(exports, broker, control, group):
    """It gets its partitions back at once, and does not wait for the session of the killed one."""
    control.set(faults={"plain-0": "hang"})
    broker.put(plain(0, 3))
    process = exports.start()
    runs.wait_until(lambda: asked(control, "plain-0"), "a request is on its way")
    assert instances(broker, group) == [HOST]
    killed(process)
    assert instances(broker, group) == [HOST]  # it has not left
    control.set(faults={"plain-0": None})
    done = exports.run()
    assert exports.leads() == plain(0, 3) and "waiting" not in done.stderr
    assert broker.committed(group) == [3, -1, -1]


def test_transaction_of_a_killed_worker(queue, broker, control, group):
    """The worker that is started again ends it, so that readers do not wait for it."""
    control.set(faults={"plain-2": "hang"})
    broker.put(plain(0, 3))
    process = queue.start()
    runs.wait_until(lambda: broker.uncommitted() or broker.messages(), "a transaction has begun")
    killed(process)
    control.set(faults={"plain-2": None})
    queue.run()
    once(broker.messages(), plain(0, 3))
    assert not broker.is_open() and list(broker.transactions) == ["leadpipe-%s/%s" % (group, HOST)]


def test_second_worker_of_the_host(exports, broker, control, group):
    """It is a dynamic member, and does not end the first."""
    control.set(faults={"plain-%d" % n: "slow=1500" for n in (0, 10, 20)})
    for i in range(3):
        broker.put(plain(i * 10, i * 10 + 5), partition=i)
    to = "webhook:" + exports.sandbox.hook("h")
    words = [[word.replace(".ndjson", "-%d.ndjson" % i) for word in exports.words("-v", to=to)] for i in range(2)]
    first = exports.leadpipe.start(*words[0], env=exports.sandbox.env)
    runs.wait_until(lambda: instances(broker, group) == [HOST], "the first one is a member")
    second = exports.leadpipe.start(*words[1], env=exports.sandbox.env)
    runs.wait_until(lambda: instances(broker, group) == [HOST, None] or second.poll() is not None, "the second one is a member")
    results = [ended(process) for process in (first, second)]
    assert [status for status, _ in results] == [0, 0], results
    assert "as a dynamic member: another worker of this host has its name" in results[1][1], results[1][1]
    assert "dynamic" not in results[0][1] and broker.committed(group) == [5, 5, 5]


@pytest.mark.parametrize("follow", [False, True])
def test_leaves_when_it_ends(exports, broker, group, follow):
    """The others, and runs on other hosts, need not wait for it."""
    broker.put(plain(0, 3))
    if follow:
        process = exports.leadpipe.start(*[one for one in exports.words("--follow", to="webhook:" + exports.sandbox.hook("h"))
                                           if one not in ("--failed", "failed.ndjson")], env=exports.sandbox.env)
        runs.wait_until(lambda: broker.committed(group) == [3, -1, -1], "all is committed")
        assert instances(broker, group) == [HOST]
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 128 + signal.SIGTERM
    else:
        exports.run()
    assert instances(broker, group) == []


def test_leaves_without_partitions(leadpipe, sandbox, control, group):
    """Where there are more workers than partitions."""
    control.set(faults={"plain-0": "slow=1500"})
    with KafkaBroker(topics=TOPICS, partitions=1) as one:
        one.put(plain(0, 2))
        exports = Runs(leadpipe, sandbox, one.address)
        first = exports.start(group=group, session_ms=LONG, more="&instance=other")
        runs.wait_until(lambda: asked(control, "plain-0"), "the first has begun")
        words = [word.replace(".ndjson", "-2.ndjson") for word in exports.words(group=group, session_ms=LONG)]
        second = leadpipe.start(*words, env=sandbox.env)
        results = [ended(process) for process in (first, second)]
        assert [status for status, _ in results] == [0, 0], results
        assert instances(one, group) == ["other"] and exports.leads() == plain(0, 2)


def test_name_of_the_users(exports, broker, group):
    """With instance= the partitions stay reserved, as with all static members of Kafka."""
    broker.put(plain(0, 3))
    exports.run(more="&instance=one")
    assert instances(broker, group) == ["one"]
    broker.put(plain(3, 5))
    exports.run(more="&instance=one")
    assert exports.leads() == plain(3, 5)


def test_fenced(exports, broker, control, group):
    """Another host of the same name: it has the partitions now, and does all of it."""
    control.set(faults={"plain-0": "slow=2000"})
    broker.put(plain(0, 3))
    first = exports.start()
    runs.wait_until(lambda: asked(control, "plain-0"), "the first has begun")
    words = [word.replace(".ndjson", "-2.ndjson") for word in exports.words(more="&instance=" + HOST)]
    second = exports.leadpipe.start(*words, env=exports.sandbox.env)
    results = [ended(process) for process in (first, second)]
    assert [status for status, _ in results] == [1, 0], results
    assert "give each worker its own instance=NAME" in results[0][1], results[0][1]
    assert not (exports.folder / "leads.ndjson").exists() and broker.committed(group) == [3, -1, -1], results
    os.rename(exports.folder / "leads-2.ndjson", exports.folder / "leads.ndjson")
    assert exports.leads() == plain(0, 3)
