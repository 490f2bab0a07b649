"""leadpipe status kafka://...: how far a consumer group is behind."""

import json

import pytest

from kafka_broker import KafkaBroker

GROUP = "nightly"


@pytest.fixture
def broker():
    with KafkaBroker(topics=("ids",), partitions=3) as one:
        for partition, n in enumerate([10, 0, 4]):
            if n:
                one.put(["plain-%d" % i for i in range(n)], partition=partition)
        yield one


def url(broker, topic="ids", group=GROUP, more=""):
    return "kafka://%s/%s?group=%s%s" % (broker.address, topic, group, more)


def lag(leadpipe, *args):
    done = leadpipe("status", "--json", *args)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return json.loads(done.stdout)


def by_partition(status):
    return [(p["committed"], p["first"], p["end"], p["lag"]) for p in status["partitions"]]


def commit(broker, offsets):
    for partition, offset in offsets.items():
        broker.offsets[GROUP, "ids", partition] = offset


def test_never_read(leadpipe, broker):
    status = lag(leadpipe, url(broker))
    assert by_partition(status) == [(None, 0, 10, 10), (None, 0, 0, 0), (None, 0, 4, 4)]
    assert (status["topic"], status["group"], status["lag"]) == ("kafka://%s/ids" % broker.address, GROUP, 14)
    latest = lag(leadpipe, url(broker, more="&property=auto.offset.reset=latest"))
    assert latest["lag"] == 0


def test_after_a_run(leadpipe, sandbox, broker):
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:leads.ndjson", url(broker), env=sandbox.env)
    assert done.returncode == 0, done.stderr
    broker.put(["plain-20", "plain-21"], partition=0)
    status = lag(leadpipe, url(broker))
    assert by_partition(status) == [(10, 0, 12, 2), (None, 0, 0, 0), (4, 0, 4, 0)] and status["lag"] == 2
    assert lag(leadpipe, url(broker, group="another"))["lag"] == 16
    assert broker.committed(GROUP) == [10, -1, 4]  # nothing was changed


def test_text(leadpipe, broker):
    commit(broker, {0: 7, 2: 99})  # 99: the topic was made again
    done = leadpipe("status", url(broker))
    assert done.returncode == 0 and not done.stderr, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[:3] == ["topic     kafka://%s/ids" % broker.address, "group     nightly", "lag       7 messages in 3 partitions"]
    assert [line.split() for line in lines[4:]] == [["partition", "committed", "first", "end", "lag"],
                                                    ["0", "7", "0", "10", "3"], ["1", "none", "0", "0", "0"], ["2", "99", "0", "4", "4"]]


@pytest.mark.parametrize("query, status, says", [
    ("", 2, "the consumer group is missing"),
    ("?group=g&property=no.such=1", 2, "no.such"),
    ("?group=g&property=sasl.password=hunter2", 2, "property-env"),
])
def test_refused(leadpipe, broker, query, status, says):
    done = leadpipe("status", "kafka://%s/ids%s" % (broker.address, query))
    assert done.returncode == status and says in done.stderr and "hunter2" not in done.stderr, done.stderr
    assert not done.stdout


def test_unknown_topic(leadpipe, broker):
    done = leadpipe("status", url(broker, topic="other"))
    assert done.returncode == 2 and "has no topic other" in done.stderr, done.stderr
