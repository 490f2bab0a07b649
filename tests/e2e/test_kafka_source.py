"""IDs from a topic of Kafka: messages, offsets, and what is refused."""

import signal

import pytest

import kafka_wire as wire
import runs
from kafka_broker import KafkaBroker
from outputs import lead_ids_of, lines_of

GROUP = "nightly"


@pytest.fixture
def broker():
    with KafkaBroker(topics=("ids", "leads"), partitions=3) as one:
        yield one


class Runs:
    """Exports of what is in the topic `ids`."""

    def __init__(self, leadpipe, sandbox, address):
        self.leadpipe, self.sandbox, self.address = leadpipe, sandbox, address
        self.folder = leadpipe.folder

    def url(self, topic="ids", group=GROUP, more="", session_ms=1000):
        """Where a member is cut off, its partitions are free after a second."""
        times = "&property=session.timeout.ms=%d&property=heartbeat.interval.ms=200" % session_ms
        return "kafka://%s/%s?group=%s%s%s" % (self.address, topic, group, times, more)

    def words(self, *more, to="ndjson:leads.ndjson", **url):
        return ["export", *self.sandbox.provider(), "-t", to, "--failed", "failed.ndjson", *more, self.url(**url)]

    def run(self, *more, status=0, **url):
        done = self.leadpipe(*self.words(*more, **url), env=self.sandbox.env)
        assert done.returncode == status, done.stderr
        return done

    def start(self, *more, **url):
        return self.leadpipe.start(*self.words(*more, **url), env=self.sandbox.env)

    def leads(self):
        return sorted(line["lead_id"] for line in lines_of(self.folder / "leads.ndjson"))

    def failed(self):
        return lines_of(self.folder / "failed.ndjson")


@pytest.fixture
def exports(leadpipe, sandbox, control, broker):
    return Runs(leadpipe, sandbox, broker.address)


def asked(control, lead):
    return control.stats(ids="all")["by_id"].get(lead)


def plain(first, end):
    return ["plain-%d" % n for n in range(first, end)]


def test_ids(exports, broker):
    """All partitions, up to their ends; and nothing of it again."""
    for i in range(3):
        broker.put(plain(i * 10, i * 10 + 10), partition=i)
    exports.run()
    assert exports.leads() == sorted(plain(0, 30))
    assert broker.committed(GROUP) == [10, 10, 10]
    broker.put(plain(40, 43), partition=1)
    exports.run()
    assert exports.leads() == plain(40, 43) and broker.committed(GROUP) == [10, 13, 10]


def test_forms(exports, broker):
    """A value that is an ID, an object, or nothing: then the key is."""
    broker.put(["plain-1", ' plain-2\t', '{"id": "plain-3"}', '{"lead_id": "plain-4", "more": [1]}', "{\"leadId\":\n\"plain-5\"}",
                (b"plain-6", b""), (b"plain-7", None), (b"key", b"plain-8")])
    exports.run()
    assert exports.leads() == plain(1, 9)


def test_column(exports, broker):
    broker.put(['{"id": "plain-1", "name": "plain-2"}'])
    exports.run("--id-column", "name")
    assert exports.leads() == ["plain-2"]


@pytest.mark.parametrize("value, says", [
    (b"", "the ID is empty"), (b"a\0b", "contains a control character"), (b"two\nlines", "contains a control character"),
    (b"\xff", "is not UTF-8"), (b"x" * 513, "has 513 bytes"), (b"x" * (1 << 20) + b"y", "longer than 1048576 bytes"),
    (b"{" * 5000, None), (b'{"id": [1]}', "neither a string nor a number"), (b'{"no": 1}', "there is no member 'id'"),
    (b'{"id": "a\\u0000b"}', None), (b'{"id": "plain-1"', None), (b'{"id":' + b"[" * 3000 + b"]" * 3000 + b"}", None),
], ids=["empty", "nul", "lines", "utf8", "long", "huge", "deep", "array", "no-member", "escaped-nul", "cut", "deep-array"])
def test_hostile(exports, broker, value, says):
    """Refused as a bad line is; the others are exported, and nothing comes again."""
    broker.put(["plain-1", value, "plain-2"], partition=1)
    done = exports.run(status=3)
    assert exports.leads() == plain(1, 3)
    [row] = exports.failed()
    assert row["error"].startswith("topic ids, partition 1, offset 1: ") and (says or "") in row["error"]
    assert "topic ids, partition 1, offset 1: " in done.stderr
    assert broker.committed(GROUP) == [-1, 3, -1]


def test_repeats(exports, broker):
    """A repeat is in no output, and does not come again."""
    broker.put(["plain-1", "plain-2", "plain-1"])
    broker.put(["plain-2"] * 500, partition=2)
    exports.run()
    assert exports.leads() == plain(1, 3) and broker.committed(GROUP) == [3, -1, 500]


def test_no_message(exports, broker):
    """Files stay as they are."""
    broker.put(["plain-1"])
    exports.run("--manifest", "manifest.json")
    before = {path: path.stat().st_mtime_ns for path in exports.folder.iterdir()}
    done = exports.run("--manifest", "manifest.json")
    assert "there was no message to be read; existing outputs are unchanged" in done.stderr
    assert {path: path.stat().st_mtime_ns for path in exports.folder.iterdir()} == before


def test_end_is_pinned(exports, broker, control):
    """What is written during the run is for the next one."""
    broker.put(plain(0, 5))
    joined = []

    def hook(key, _):
        if key == wire.JOIN_GROUP and not joined:
            joined.append(key)
            broker.put(plain(5, 9))

    broker.hook = hook
    exports.run()
    assert exports.leads() == plain(0, 5) and broker.committed(GROUP) == [5, -1, -1]
    exports.run()
    assert exports.leads() == plain(5, 9)


@pytest.mark.parametrize("end", [9, 12])
def test_offsets_do_not_go_back(exports, broker, end):
    """Another member, which came later, has read on behind the end that this run has looked up."""
    broker.put(plain(0, 5))
    broker.put(plain(20, 22), partition=1)
    joined = []

    def hook(key, _):
        if key == wire.JOIN_GROUP and not joined:
            joined.append(key)
            broker.put(plain(5, end))
            broker.offsets[GROUP, "ids", 0] = 9

    broker.hook = hook
    exports.run()
    assert exports.leads() == plain(20, 22) and broker.committed(GROUP) == [9, 2, -1]


def test_damaged_batch(exports, broker):
    """It cannot be read by any run of the group, so the run must not wait for it."""
    damaged = wire.plain([(None, b"plain-3"), (None, b"plain-4")])
    damaged.data = damaged.data[:21] + wire.number("h", 1) + damaged.data[23:]  # not compressed, but says so
    broker.put(plain(0, 3))
    broker.topics["ids"][0].append(damaged)
    broker.put(plain(5, 8))
    done = exports.run(status=1)
    assert "partition 0 cannot be read any further: " in done.stderr and "--reset-offsets" in done.stderr
    assert not (exports.folder / "leads.ndjson").exists() and broker.committed(GROUP) == [-1, -1, -1]


def test_end_goes_back(exports, broker):
    """After a broker has failed, others may not have the last messages yet, or never: the run says so."""
    broker.put(plain(0, 3))
    broker.put(plain(3, 5))
    partition = broker.topics["ids"][0]

    def hook(key, _):
        if key == wire.JOIN_GROUP:
            partition.stable = lambda: 3

    broker.hook = hook
    done = exports.run()
    assert exports.leads() == plain(0, 3) and broker.committed(GROUP) == [3, -1, -1]
    assert "partition 0 now ends at offset 3, but ended at 5" in done.stderr
    broker.hook = lambda key, request: None
    del partition.stable
    exports.run()
    assert exports.leads() == plain(3, 5)


def test_markers(exports, broker):
    """The end of a partition may be a marker of a transaction, or a transaction that was aborted."""
    broker.put(["plain-1"])
    partition = broker.topics["ids"][0]
    partition.append(wire.control(7, 0, True))
    exports.run()
    assert exports.leads() == ["plain-1"] and broker.committed(GROUP) == [2, -1, -1]


def test_withheld(exports, broker):
    """What is not published is read again."""
    broker.put(["plain-1~missing", "plain-2~gone"])
    exports.run(status=3)
    assert broker.committed(GROUP) == [-1, -1, -1]
    broker.put(["plain-1"], partition=1)
    exports.run()
    assert exports.leads() == ["plain-1"] and broker.committed(GROUP) == [2, 1, -1]


def test_stopped(exports, broker, control):
    """A stopped run into files commits nothing."""
    control.set(faults={"plain-1": "slow=1000"})
    broker.put(plain(0, 3))
    process = exports.start()
    runs.wait_until(lambda: asked(control, "plain-1"), "a request is on its way")
    process.send_signal(signal.SIGTERM)
    stderr = process.stderr.read().decode()
    assert process.wait(60) == 128 + signal.SIGTERM, stderr
    assert broker.committed(GROUP) == [-1, -1, -1]


def test_failed_without_a_list(exports, broker):
    broker.put(["plain-0~status=400", "plain-1"])
    words = [one for one in exports.words("--attempts", "1") if one not in ("--failed", "failed.ndjson")]
    done = exports.leadpipe(*words, env=exports.sandbox.env)
    assert done.returncode == 3 and "messages of failed leads are not read again" in done.stderr, done.stderr


# --- several workers --------------------------------------------------------------------------------

@pytest.mark.parametrize("failing", [False, True])
def test_none_waits_for_ever(exports, broker, control, failing):
    """Each waits for what others have not sent yet, or not committed, as it failed and is in no list yet."""
    for i in range(3):
        broker.put(plain(i * 10, i * 10 + 10) + (["plain-%d~status=400" % (100 + i)] if failing else []), partition=i)
    to = "webhook%s:%s" % ("" if failing else ",batch=100", exports.sandbox.hook("h"))
    words = [[word.replace(".ndjson", "-%d.ndjson" % i) for word in exports.words(to=to)] for i in range(2)]
    processes = [exports.leadpipe.start(*one, env=exports.sandbox.env) for one in words]
    ended = [(process.stderr.read().decode(), process.wait(60)) for process in processes]
    assert all(status in (0, 3) if failing else status == 0 for _, status in ended), ended
    assert sorted(lead for one in control.deliveries("h") for lead in lead_ids_of(one)) == sorted(plain(0, 30))
    assert broker.committed(GROUP) == [10 + failing] * 3
    listed = [path for path in exports.folder.glob("failed-*.ndjson")]
    assert sum(len(lines_of(path)) for path in listed) == 3 * failing


def test_second_worker(exports, broker, control):
    """The second one of a group may get nothing, and ends when the first one has committed."""
    control.set(faults={"plain-0": "slow=2000"})
    with KafkaBroker(topics=("ids",), partitions=1) as one:
        one.put(plain(0, 5))
        group = Runs(exports.leadpipe, exports.sandbox, one.address)
        first = group.start()
        runs.wait_until(lambda: asked(control, "plain-0"), "the first has begun")
        second = exports.leadpipe.start(*[word.replace(".ndjson", "-2.ndjson") for word in group.words()], env=exports.sandbox.env)
        ended = [(process.stderr.read().decode(), process.wait(60)) for process in (first, second)]
        assert [status for _, status in ended] == [0, 0], ended
        assert group.leads() == plain(0, 5) and one.committed(GROUP) == [5]
        assert "there was no message to be read" in ended[1][0]


# --- what is refused before the run ------------------------------------------------------------------

@pytest.mark.parametrize("more, says", [
    (["--shard", "0/2"], "--shard: cannot be used with FILE kafka://"),
    (["--state", "run.state"], "--state: cannot be used with FILE kafka://"),
    (["--id-format", "csv"], "--id-format: cannot be used with FILE kafka://"),
    (["ids.txt"], "FILE kafka://: must be the only FILE"),
    (["--all"], "--all"), (["--id", "plain-1"], "--id"),
])
def test_combinations(exports, broker, more, says):
    (exports.folder / "ids.txt").write_text("plain-1\n")
    done = exports.run(*more, status=2)
    assert says in done.stderr and not broker.requests, done.stderr


@pytest.mark.parametrize("url, says", [
    ("kafka://host:9092/ids", "the consumer group is missing"), ("kafka://host:9092/?group=g", "does not end with a topic"),
    ("kafka://host:9092/ids?group=g&topic=x", "topic: is not a parameter"),
    ("kafka://u:hunter2hunter2@host/ids?group=g", "users, passwords and TLS are properties"),
    ("kafka://host/ids?group=g&property=sasl.password=hunter2hunter2", "use property-env=sasl.password="),
    ("kafka://host/ids?group=g&key=hunter2hunter2", "is not a parameter"),
])
def test_mistakes(leadpipe, sandbox, url, says):
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:-", "--report", "r.html", "--summary-file", "s.json", url,
                    env=sandbox.env)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    for text in (done.stderr, *((leadpipe.folder / name).read_text() for name in ("r.html", "s.json"))):
        assert "hunter2" not in text, text


def test_unknown_topic(exports):
    done = exports.run(topic="nowhere", status=2)
    assert "the cluster has no topic nowhere" in done.stderr


def test_session_is_too_short(exports, broker):
    """The cluster says at once that it takes no such member; the run does not wait for an assignment."""
    broker.put(plain(0, 3))
    broker.session_ms_min = 6000
    done = exports.run(status=1)
    assert "session timeout" in done.stderr and broker.committed(GROUP) == [-1, -1, -1], done.stderr


def test_unknown_property(exports):
    assert "No such configuration property" in exports.run(more="&property=no.such=1", status=2).stderr


def test_check(exports, broker):
    """It looks for the topic, and joins no group."""
    words = exports.words()[1:]
    done = exports.leadpipe("check", *words, env=exports.sandbox.env)
    assert done.returncode == 0 and b"the brokers answer, and the topic exists" in done.stdout, (done.stdout, done.stderr)
    words[-1] = exports.url(topic="nowhere")
    done = exports.leadpipe("check", *words, env=exports.sandbox.env)
    assert done.returncode != 0 and b"has no topic nowhere" in done.stdout
    assert wire.JOIN_GROUP not in broker.requests


# --- brokers ----------------------------------------------------------------------------------------

def test_no_broker(exports, broker):
    broker.down()
    done = exports.run("--retry-max-time", "1s", status=1)
    assert "no broker is connected" in done.stderr and not (exports.folder / "leads.ndjson").exists()


def test_broker_gone(exports, broker):
    """For longer than --retry-max-time: exit status 1, and nothing is lost."""
    broker.put(plain(0, 3))

    def hook(key, _):
        if key == wire.FETCH:
            broker.down()

    broker.hook = hook
    exports.run("--retry-max-time", "2s", status=1)
    assert not (exports.folder / "leads.ndjson").exists()
    broker.hook = lambda key, request: None
    broker.up()
    exports.run()
    assert exports.leads() == plain(0, 3)


def test_broker_gone_at_the_end(exports, broker, control):
    """Published, but not committed: says so, and the messages come again."""
    control.set(faults={"plain-0": "slow=1000"})
    broker.put(plain(0, 3))
    process = exports.start("--retry-max-time", "2s", session_ms=6000)  # longer than the lead takes, on any machine
    runs.wait_until(lambda: asked(control, "plain-0"), "a request is on its way")
    broker.down()
    stderr = process.stderr.read().decode()
    assert process.wait(60) == 1 and "the outputs are published, but their messages will be read again" in stderr, stderr
    assert exports.leads() == plain(0, 3)
    broker.up()
    exports.run()
    assert exports.leads() == plain(0, 3) and broker.committed(GROUP) == [3, -1, -1]


def test_broker_back(exports, broker, control):
    control.set(faults={"plain-0": "slow=1000"})
    broker.put(plain(0, 3))
    process = exports.start()
    runs.wait_until(lambda: asked(control, "plain-0"), "a request is on its way")
    broker.down()
    broker.up()
    stderr = process.stderr.read().decode()
    assert process.wait(60) == 0, stderr
    assert exports.leads() == plain(0, 3) and broker.committed(GROUP) == [3, -1, -1]


# --- deliveries -------------------------------------------------------------------------------------

def delivered(control):
    return [lead_ids_of(one)[0] for one in control.deliveries("h")]


def test_webhook(exports, broker, control):
    broker.put(plain(0, 5) + ["plain-9~missing"], partition=1)
    exports.run(to="webhook:" + exports.sandbox.hook("h"))
    assert sorted(delivered(control)) == plain(0, 5) and broker.committed(GROUP) == [-1, 6, -1]


@pytest.mark.parametrize("cut_off", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.nightly)])
def test_webhook_is_cut_off(exports, broker, control, cut_off):
    """Offsets are committed up to the first message without an outcome; what was delivered behind it has the same id again."""
    control.set(faults={"plain-3": "hang"})
    broker.put(plain(0, 6))
    process = exports.start(to="webhook,concurrency=1:" + exports.sandbox.hook("h"))
    runs.wait_until(lambda: broker.committed(GROUP) == [3, -1, -1], "three are committed")
    process.send_signal(cut_off)
    if cut_off == signal.SIGTERM:
        process.send_signal(cut_off)
    process.stderr.read()
    assert process.wait(60) != 0
    assert broker.committed(GROUP) == [3, -1, -1]
    control.set(faults={"plain-3": None})
    exports.run(to="webhook:" + exports.sandbox.hook("h"))
    assert set(delivered(control)) == set(plain(0, 6)) and broker.committed(GROUP) == [6, -1, -1]
    ids = {}
    for one in control.deliveries("h"):
        ids.setdefault(lead_ids_of(one)[0], set()).add(one["webhook_id"])
    assert {lead: len(of_lead) for lead, of_lead in ids.items()} == dict.fromkeys(plain(0, 6), 1)
    assert [delivered(control).count(lead) for lead in plain(0, 3)] == [1, 1, 1]


def test_failed_list_is_not_there_yet(exports, broker, control):
    """A failed lead is read again as long as no list has it."""
    control.set(faults={"plain-4": "hang"})
    broker.put(["plain-0", "plain-1~status=400", "plain-2", "plain-3", "plain-4"])
    process = exports.start("--order", "any", to="webhook:" + exports.sandbox.hook("h"))
    runs.wait_until(lambda: len(delivered(control)) == 3 and broker.committed(GROUP)[0] > 0, "three are delivered")
    process.kill()
    process.stderr.read()
    process.wait(60)
    assert broker.committed(GROUP) == [1, -1, -1]
