"""The sink kafka without a state: messages, what is refused, and brokers that go and come."""

import json
import signal
import time

import pytest

import kafka_wire as wire
import runs
from kafka_broker import NOT_LEADER, Drop, KafkaBroker
from kafka_exports import Exports, broker, ids_of, kcat, once, plain, tables_of, tiny  # noqa: F401
from outputs import ledger_of, lines_of, manifest


@pytest.fixture
def exports(leadpipe, sandbox, control, broker):
    return Exports(leadpipe, sandbox, broker.address)


def failed_of(exports):
    return lines_of(exports.leadpipe.folder / "failed.ndjson")


# --- messages ---------------------------------------------------------------------------------------

def test_lead(exports, broker):
    """What ndjson writes, with headers; read by kcat, too."""
    ids = plain(20) + ["lead-1"]
    exports.run(ids, "-t", "ndjson:leads.ndjson")
    messages = broker.messages()
    once(messages, ids)
    lines = {line["lead_id"]: line for line in lines_of(exports.leadpipe.folder / "leads.ndjson")}
    run_id = manifest(exports.leadpipe.folder / "manifest.json")["run_id"]
    for key, value, headers in messages:
        lead_id = key.decode()
        assert json.loads(value) == lines[lead_id]
        assert list(headers) == ["provider", "lead_id", "run_id", "content_id"]
        assert (headers["provider"], headers["lead_id"], headers["run_id"]) == (b"omni", key, run_id.encode())
        assert len(bytes.fromhex(headers["content_id"].decode())) == 32
    assert sorted(kcat(broker.address), key=str) == sorted(messages, key=str)
    sink = manifest(exports.leadpipe.folder / "manifest.json")["sinks"][0]
    assert {name: sink[name] for name in ("deliveries", "delivered", "failed")} == {
        "deliveries": 21, "delivered": 21, "failed": 0}


def test_content_id(exports, broker, control):
    """The same content has the same one, in another run, too."""
    exports.run(plain(3))
    exports.run(plain(3))
    control.set(revision={"plain-0": 1})
    exports.run(plain(1))
    seen = {}
    for key, _, headers in broker.messages():
        seen.setdefault(key, []).append(headers["content_id"])
    assert [len(set(seen[b"plain-%d" % n])) for n in range(3)] == [2, 1, 1]


def test_keys(exports, broker):
    """All messages of a lead are in one partition; and none has a key where none is wanted."""
    exports.run(plain(30), options="layout=rows")
    places = {}
    for i, partition in enumerate(broker.topics["leads"]):
        for batch in partition.batches:
            for key, _, _ in batch.records():
                places.setdefault(key, set()).add(i)
    assert len(places) == 30 and all(len(one) == 1 for one in places.values())
    assert len(set.union(*places.values())) == 3


def test_no_key(exports, broker):
    exports.run(plain(5), options="key=none")
    assert {key for key, _, _ in broker.messages()} == {None}
    once(broker.messages(), plain(5))


@pytest.mark.parametrize("layout", ["rows", "raw"])
def test_layouts(exports, broker, layout):
    ids = plain(5) + ["lead-1"]
    exports.run(ids, "-t", "ndjson,layout=%s:leads.ndjson" % layout, options="layout=" + layout)
    def order(line):
        return json.dumps(line, sort_keys=True)
    expected = sorted(lines_of(exports.leadpipe.folder / "leads.ndjson"), key=order)
    assert sorted((json.loads(value) for _, value, _ in broker.messages()), key=order) == expected


def test_topic_per_table(leadpipe, sandbox, control):
    """The rows that files in a directory have."""
    ids = plain(3) + ["lead-1", "lead-2"]
    names = tables_of(leadpipe)
    with KafkaBroker(topics=["crm.v1." + name for name in names], partitions=1) as broker:
        exports = Exports(leadpipe, sandbox, broker.address)
        exports.run(ids, "-t", "ndjson:out/", options="topic-per-table", topic="crm.v1")
        for name in names:
            rows = [json.loads(value) for _, value, _ in broker.messages("crm.v1." + name)]
            assert rows == lines_of(leadpipe.folder / "out" / (name + ".ndjson"))


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compression(exports, broker, codec):
    """Asked for of the sink, and undone by another program."""
    exports.run(plain(20), options="compression=" + codec)
    assert sorted(key.decode() for key, _, _ in kcat(broker.address)) == sorted(plain(20))
    codecs = {batch.attributes & 7 for partition in broker.topics["leads"] for batch in partition.batches}
    assert codecs == {["none", "gzip", "snappy", "lz4", "zstd"].index(codec)}


# --- what is refused before the run ------------------------------------------------------------------

@pytest.mark.parametrize("target, says", [
    ("kafka:leads", "not BROKERS/TOPIC"),
    ("kafka:/leads", "does not begin with brokers"),
    ("kafka:user:secret@host:9092/leads", "users, passwords and TLS are properties"),
    ("kafka:host:9092,/leads", "does not begin with brokers"),
    ("kafka:host:99999/leads", "does not begin with brokers"),
    ("kafka:host:9092/", "does not end with a topic"),
    ("kafka:host:9092/two words", "does not end with a topic"),
    ("kafka,topic-per-table,layout=lead:host:9092/leads", "needs layout=rows"),
    ("kafka,layout=tree:host:9092/leads", "lead|rows|raw"),
    ("kafka,property=acks=1:host:9092/leads", "the property acks cannot be set; it is set by leadpipe"),
    ("kafka,property=transactional.id=x:host:9092/leads", "transactional.id cannot be set"),
    ("kafka,property=enable.idempotence=false:host:9092/leads", "enable.idempotence cannot be set"),
    ("kafka,property=message.timeout.ms=1:host:9092/leads", "is set by --retry-max-time"),
    ("kafka,property=linger.ms:host:9092/leads", "must be NAME=VALUE"),
    ("kafka,property-env=sasl.password=two words:host:9092/leads", "must be NAME=VARIABLE"),
    ("kafka,property-env=sasl.password=NOT_THERE:host:9092/leads", "variable NOT_THERE (of property sasl.password) is not set"),
])
def test_mistakes(leadpipe, sandbox, target, says):
    done = leadpipe("export", *sandbox.provider(), "-t", target, "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert "secret@" not in done.stderr


@pytest.mark.parametrize("target", [
    "kafka:user:hunter2hunter2@host:9092/leads", "kafka,property=sasl.password=hunter2hunter2:host:9092/leads",
    "kafka,property-env=sasl.password=hunter2+hunter2:host:9092/leads", "kafka,property=hunter2hunter2:host:9092/leads",
    "kafka,property-env=sasl.password=hunter2Zq8fT3xLw9KpR2mVb7:host:9092/leads"])
def test_secret_in_a_wrong_place(leadpipe, sandbox, target):
    """It is in no text about the run that was refused for it."""
    done = leadpipe("export", *sandbox.provider(), "-t", target, "--id", "plain-1", "--report", "r.html",
                    "--summary-file", "s.json", env=sandbox.env)
    assert done.returncode == 2
    for text in (done.stderr, *((leadpipe.folder / name).read_text() for name in ("r.html", "s.json"))):
        assert "hunter2" not in text, text


@pytest.mark.parametrize("name", ["sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password"])
def test_secret_on_the_command_line(leadpipe, sandbox, name):
    done = leadpipe("export", *sandbox.provider(), "-t", "kafka,property=%s=hunter2hunter2:host:9092/leads" % name,
                    "--id", "plain-1", env=sandbox.env)
    assert done.returncode == 2 and "use property-env=%s=VARIABLE" % name in done.stderr, done.stderr
    assert "hunter2" not in done.stderr


def test_unknown_property(exports):
    done = exports.run(plain(1), options="property=no.such=1", status=2)
    assert 'property no.such: No such configuration property: "no.such"' in done.stderr


def test_secret_of_the_environment(exports, broker):
    """It reaches librdkafka, and no text; a wrong one is not shown either."""
    secret = "hunter2-hunter2"
    done = exports.run(plain(2), "-vv", options="property-env=sasl.password=KAFKA_PASSWORD,property=debug=all",
                       env={"KAFKA_PASSWORD": secret})
    assert secret not in done.stderr and "rdkafka" not in done.stdout.decode()
    done = exports.run(plain(2), options="property-env=security.protocol=KAFKA_PASSWORD", status=2,
                       env={"KAFKA_PASSWORD": secret})
    assert "property security.protocol" in done.stderr and secret not in done.stderr


def test_unknown_topic(exports):
    done = exports.run(plain(1), topic="nowhere", status=2)
    assert "the cluster has no topic nowhere" in done.stderr and "create it first" in done.stderr


def test_nobody_there(exports, broker):
    broker.down()
    done = exports.run(plain(1), "--retry-max-time", "1s", status=1)
    assert "cannot ask for the topic" in done.stderr and "refused" in done.stderr.lower(), done.stderr


def test_check(exports, broker, leadpipe, sandbox):
    """leadpipe check finds the same before a run."""
    def check(topic):
        return leadpipe("check", *sandbox.provider(), "-t", exports.target(topic=topic), env=sandbox.env)
    done = check("leads")
    assert "the brokers answer, and the topic exists" in done.stdout.decode() + done.stderr
    done = check("nowhere")
    assert "the cluster has no topic nowhere" in done.stdout.decode() + done.stderr
    assert done.returncode != 0
    assert broker.messages() == [] and wire.INIT_PRODUCER_ID not in broker.requests


# --- leads that the cluster refuses -----------------------------------------------------------------

def test_too_large(exports, broker):
    """Only that lead: the topic's own limit is known before anything is sent."""
    broker.message_max["leads"] = 8000
    exports.run(tiny(5) + ["lead-1"], status=3)  # whose payload is longer
    assert ids_of(broker.messages()) == tiny(5)
    assert [(row["id"], row["code"]) for row in failed_of(exports)] == [("lead-1", "too_large")]
    assert "allow 8000" in failed_of(exports)[0]["error"]


def test_refused_by_the_broker(exports, broker):
    """A limit that became known with the answer only."""
    def shrink(key, request):
        if key == wire.PRODUCE:
            broker.message_max["leads"] = 200
    broker.hook = shrink
    exports.run(plain(1), status=3)
    assert [row["code"] for row in failed_of(exports)] == ["MSG_SIZE_TOO_LARGE"]
    assert broker.messages() == []


# --- brokers that go --------------------------------------------------------------------------------

def test_answer_is_lost(exports, broker):
    """The batch is sent again, and is there once."""
    lost = []

    def drop(key, request):
        if key == wire.PRODUCE and len(lost) < 2:
            lost.append(key)
            raise Drop
    broker.answered = drop
    exports.run(plain(40))
    assert len(lost) == 2
    once(broker.messages(), plain(40))


def test_first_batch_is_not_taken(exports, broker, control):
    """As by a partition that has no leader yet.  A broker takes any number as a producer's first one: a batch that
    overtook the first would make that one look as if it had been there before."""
    def wait(key, request):
        if key == wire.PRODUCE and broker.requests.count(wire.PRODUCE) == 1:
            time.sleep(0.3)  # in which more batches could be sent
    broker.hook = wait
    for i in range(3):
        broker.errors["leads", i] = [NOT_LEADER]
    control.set(latency_ms=5)
    exports.run(tiny(400))
    once(broker.messages(), tiny(400))


def test_broker_comes_back(exports, broker, control):
    control.set(latency_ms=20)
    process = exports.start(plain(60), "--concurrency", "2")
    runs.wait_until(lambda: len(broker.messages()) > 5, "some are there")
    broker.down()
    broker.up()
    status, stderr = exports.ended(process)
    assert status == 0, stderr
    once(broker.messages(), plain(60))


def test_broker_stays_away(exports, broker, control):
    """Nothing is said to be there that is not."""
    control.set(latency_ms=20)
    process = exports.start(plain(60), "--concurrency", "2", "--retry-max-time", "1s")
    runs.wait_until(lambda: len(broker.messages()) > 5, "some are there")
    broker.down()
    status, stderr = exports.ended(process)
    assert status == 1 and "cannot deliver" in stderr, stderr
    assert "no broker is connected" in stderr and "trying again" in stderr, stderr
    ledger = ledger_of(manifest(exports.leadpipe.folder / "manifest.json"))
    assert 5 < ledger["exported"] <= len(broker.messages()) < 60 and ledger["pending"] > 0, ledger


def test_stopped(exports, broker, control):
    """What was sent is waited for; the rest is pending."""
    control.set(latency_ms=50)
    process = exports.start(plain(200), "--concurrency", "1")
    runs.wait_until(lambda: len(broker.messages()) > 2, "some are there")
    process.send_signal(signal.SIGTERM)
    status, stderr = exports.ended(process)
    assert status == 128 + signal.SIGTERM, stderr
    ledger = ledger_of(manifest(exports.leadpipe.folder / "manifest.json"))
    assert ledger["exported"] == len(broker.messages()) and ledger["pending"] > 0, ledger
