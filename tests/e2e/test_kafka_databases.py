"""From a topic to a database: exactly once, wherever a run is cut off."""

import collections
import signal
import sqlite3
import uuid

import pytest

import databases
import kafka_wire as wire
import runs
from kafka_broker import Drop, KafkaBroker
from outputs import lines_of
from test_kafka_source import Runs, asked, plain

NIGHTLY = pytest.mark.nightly
MAINLY_SQLITE = pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=NIGHTLY)], indirect=True)

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


class Sqlite:
    target = "sqlite,mode=append:leads.db"

    def __init__(self, folder):
        self.path = folder / "leads.db"

    def run(self, sql):
        db = sqlite3.connect(self.path)
        with db:
            db.executescript(sql)
        db.close()

    def ask(self, sql):
        db = sqlite3.connect(self.path)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()


class Postgres(databases.Database):
    def __init__(self, cluster):
        super().__init__(cluster)
        self.run("create schema night authorization etl")
        self.target = super().target("mode=append,schema=night")

    def run(self, sql):
        return super().run("set search_path to night;" + sql)

    def ask(self, sql):
        return [tuple(line.split("|")) for line in self.run(sql).splitlines()]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, leadpipe):
    if request.param == "sqlite":
        return Sqlite(leadpipe.folder)
    return Postgres(request.getfixturevalue("cluster"))


@pytest.fixture
def broker():
    with KafkaBroker(topics=("ids",), partitions=3) as one:
        yield one


@pytest.fixture
def exports(leadpipe, sandbox, control, broker, database):
    class IntoTables(Runs):
        group = "tables-" + uuid.uuid4().hex  # of this test alone

        def words(self, *more, to=database.target, **url):
            return super().words(*more, to=to, **{"group": self.group, **url})
    return IntoTables(leadpipe, sandbox, broker.address)


def leads(database):
    return collections.Counter(row[0] for row in database.ask("select lead_id from leads"))


def once(database, ids):
    assert leads(database) == collections.Counter(ids)


def records(database):
    return [tuple(str(one) for one in row) for row in database.ask(
        "select source, offsets, case when offsets_committed then 'yes' else 'no' end from _leadpipe_runs "
        "where offsets is not null order by ended_at")]


def cut_off(exports, broker, *more):
    """Killed between the commit of the tables and that of the offsets.  Before both, the first run of a group commits where it
    has begun."""
    process, has_begun = [], [all(broker.committed(exports.group)[i] >= 0 for i, one in enumerate(broker.topics["ids"]) if one.end)]

    def hook(key, _):
        if key != wire.OFFSET_COMMIT:
            return
        if has_begun[0]:
            process[0].kill()
            raise Drop
        has_begun[0] = True

    broker.hook = hook
    process.append(exports.start(*more))
    stderr = process[0].stderr.read().decode()
    assert process[0].wait(60) == -signal.SIGKILL, stderr
    broker.hook = lambda key, request: None


def test_nothing_is_cut_off(exports, broker, database):
    broker.put(plain(0, 5))
    broker.put(plain(10, 13), partition=2)
    exports.run()
    broker.put(plain(5, 9))
    exports.run()
    once(database, plain(0, 9) + plain(10, 13))
    source = "kafka:ids?group=%s&cluster=test" % exports.group
    assert records(database) == [(source, "0:0-5 2:0-3", "yes"), (source, "0:5-9", "yes")]
    assert broker.committed(exports.group) == [9, -1, 3]


@pytest.mark.parametrize("more", [0, 4], ids=["nothing-new", "new"])
def test_killed_between_the_commits(exports, broker, database, control, more):
    for i in range(3):
        broker.put(plain(i * 10, i * 10 + 5), partition=i)
    exports.run()
    for i in range(2):
        broker.put(plain(i * 10 + 5, i * 10 + 8), partition=i)
    cut_off(exports, broker)
    before = plain(0, 8) + plain(10, 18) + plain(20, 25)
    once(database, before)
    assert broker.committed(exports.group) == [5, 5, 5]
    requested = control.stats()["requests"]
    broker.put(plain(30, 30 + more), partition=1)
    done = exports.run()
    once(database, before + plain(30, 30 + more))
    assert control.stats()["requests"] == requested + more
    assert broker.committed(exports.group) == [8, 8 + more, 5]
    assert "partition 0 continues at offset 8, up to which an earlier run has exported its leads" in done.stderr
    assert "partition 1 continues" in done.stderr and "partition 2" not in done.stderr
    assert "there was no message" in exports.run().stderr


@MAINLY_SQLITE
def test_killed_in_the_first_run(exports, broker, database):
    """The group has committed only where that run began; and killed again in the second run."""
    broker.put(plain(0, 5))
    cut_off(exports, broker)
    broker.put(plain(5, 8))
    answered = []

    def hook(key, _):
        answered.append(key)
        if key == wire.OFFSET_COMMIT and answered.count(key) == 2:  # the first one is for what the first run has done
            process.kill()
            raise Drop

    broker.hook = hook
    process = exports.start()
    stderr = process.stderr.read().decode()
    assert process.wait(60) == -signal.SIGKILL, stderr
    broker.hook = lambda key, request: None
    assert broker.committed(exports.group) == [5, -1, -1]
    once(database, plain(0, 8))
    broker.put(plain(8, 9))
    exports.run()
    once(database, plain(0, 9))
    assert broker.committed(exports.group) == [9, -1, -1]


@MAINLY_SQLITE
def test_lists_are_there_before(exports, broker, database):
    """No failed lead is lost, although its message is not read again."""
    broker.put(plain(0, 3) + ["plain-9~status=400"])
    cut_off(exports, broker, "--attempts", "1")
    once(database, plain(0, 3))
    assert [row["id"] for row in lines_of(exports.folder / "failed.ndjson")] == ["plain-9~status=400"]


@MAINLY_SQLITE
def test_messages_are_read_again_on_purpose(exports, broker, database):
    """The group's offset is moved back after a run that has come to its end."""
    broker.put(plain(0, 3))
    exports.run()
    del broker.offsets[exports.group, "ids", 0]
    exports.run()
    once(database, plain(0, 3) * 2)


@MAINLY_SQLITE
def test_record_of_another_topic(exports, broker, database):
    """One that had the name before: it was longer."""
    broker.put(plain(0, 3))
    exports.run()
    database.run("update _leadpipe_runs set offsets = '0:3-10', offsets_committed = false where offsets is not null")
    broker.put(plain(3, 6))
    exports.run()
    once(database, plain(0, 6))


@MAINLY_SQLITE
@pytest.mark.parametrize("n", [pytest.param(2, marks=NIGHTLY), 3, 8])
def test_topic_was_made_anew(exports, broker, database, n):
    """After a run that was cut off.  Kafka drops the offsets of a topic that is deleted; no message of the new one has been
    read."""
    broker.put(plain(0, 3))
    cut_off(exports, broker)
    broker.cut(0)
    broker.offsets.clear()
    broker.put(plain(10, 10 + n))
    exports.run()
    once(database, plain(0, 3) + plain(10, 10 + n))
    assert broker.committed(exports.group) == [n, -1, -1]


@MAINLY_SQLITE
def test_offset_of_another_topic(exports, broker, database):
    """One that was longer: reading begins anew, and what is read is recorded all the same."""
    broker.put(plain(0, 3))
    broker.offsets[exports.group, "ids", 0] = 100
    process = []

    def hook(key, _):
        if key == wire.OFFSET_COMMIT and broker.committed(exports.group)[0] != 100:
            process[0].kill()
            raise Drop

    broker.hook = hook
    process.append(exports.start())
    stderr = process[0].stderr.read().decode()
    assert process[0].wait(60) == -signal.SIGKILL, stderr
    broker.hook = lambda key, request: None
    broker.put(plain(3, 5))
    exports.run()
    once(database, plain(0, 5))


@MAINLY_SQLITE
def test_two_clusters(exports, leadpipe, sandbox, broker, database):
    """Each with a topic and a group of the same name: what is read of one says nothing of the other."""
    with KafkaBroker(topics=("ids",), partitions=3) as other:
        other.cluster = "other"
        broker.put(plain(0, 3))
        cut_off(exports, broker)
        other.put(plain(10, 15))
        other.offsets[exports.group, "ids", 0] = 0
        there = type(exports)(leadpipe, sandbox, other.address)
        there.run()
        once(database, plain(0, 3) + plain(10, 15))
        broker.put(plain(3, 5))
        exports.run()
        once(database, plain(0, 5) + plain(10, 15))
    assert [row[0].rpartition("&")[2] for row in records(database)] == ["cluster=test", "cluster=other", "cluster=test"]


@MAINLY_SQLITE
def test_partition_of_a_later_run_counts(exports, broker, database):
    """A record that is not the latest one of its partition is of the past."""
    broker.put(plain(0, 3))
    cut_off(exports, broker)
    broker.put(plain(3, 5))
    exports.run()
    del broker.offsets[exports.group, "ids", 0]
    exports.run()
    once(database, plain(0, 5) * 2)


@MAINLY_SQLITE
@pytest.mark.parametrize("offsets", ["0:3", *(pytest.param(one, marks=NIGHTLY) for one in (
    "x", "0:9-3", "0:0-99999999999999999999", "0:none-5", "0:0-1\n", ""))])
def test_damaged_record(exports, broker, database, offsets):
    broker.put(plain(0, 3))
    exports.run()
    database.run("update _leadpipe_runs set offsets = '%s' where offsets is not null" % offsets)
    broker.put(plain(3, 6))
    done = exports.run(status=2)
    assert "_leadpipe_runs" in done.stderr and "is malformed" in done.stderr, done.stderr
    assert broker.committed(exports.group) == [3, -1, -1]
    once(database, plain(0, 3))


def test_table_of_an_earlier_version(exports, broker, database):
    broker.put(plain(0, 3))
    exports.run()
    for column in ("source", "offsets", "offsets_committed"):
        database.run("alter table _leadpipe_runs drop column %s" % column)
    broker.put(plain(3, 6))
    cut_off(exports, broker)
    exports.run()
    once(database, plain(0, 6))


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize("offsets, status", [
    ("0:0-2", 1), ("1:0-5", 0), pytest.param("0:2-5", 1, marks=NIGHTLY), pytest.param("0:0-", 1, marks=NIGHTLY)])
def test_others_have_exported_them_meanwhile(exports, broker, database, control, offsets, status):
    """A worker that had stalled and lost its partition, which this one has read as well."""
    control.set(faults={"plain-0": "slow=1000"})
    broker.put(plain(0, 3))
    process = exports.start()
    runs.wait_until(lambda: asked(control, "plain-0"), "the run has begun")
    database.run("insert into _leadpipe_runs (token, run_id, sink, status, source, offsets, started_at, updated_at, ended_at) values "
                 "('other', 'other', 'other', 'done', 'kafka:ids?group=%s&cluster=test', '%s', now(), now(), now())" % (exports.group, offsets))
    stderr = process.stderr.read().decode()
    assert process.wait(60) == status, stderr
    if status:
        assert "run it again" in stderr or "malformed" in stderr
        assert not database.ask("select 1 from pg_tables where schemaname = 'night' and tablename = 'leads'")
        assert broker.committed(exports.group) == [0, -1, -1]  # where it began
    else:
        once(database, plain(0, 3))
    if offsets == "0:0-2":
        exports.run()
        once(database, plain(2, 3))  # the others are those of the other worker


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_another_merge_is_waited_for(exports, broker, database):
    """Its record is seen, whatever the role's transactions see: the other one is a worker that has lost its partition."""
    database.run("alter database %s set default_transaction_isolation to 'repeatable read'" % database.name)
    broker.put(plain(0, 3))
    exports.run()
    broker.put(plain(3, 6))
    with KafkaBroker(topics=("ids",), partitions=3) as twin:
        twin.put(plain(0, 6))
        twin.offsets.update(broker.offsets)
        lock, sql = database.start("begin; lock table night.leads; select 'locked'; select pg_sleep(1000)")
        lock.stdin.write(sql)
        lock.stdin.close()
        assert lock.stdout.readline() == "locked\n"
        advisory = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        waits = "select count(*) from pg_locks where relation = 'night.leads'::regclass and not granted"
        first = exports.start()
        runs.wait_until(lambda: database.value(waits) != "0", "the first run merges")
        words = [word.replace(".ndjson", "-2.ndjson").replace(broker.address, twin.address) for word in exports.words()]
        second = exports.leadpipe.start(*words, env=exports.sandbox.env)
        runs.wait_until(lambda: database.value(advisory) != "0", "the second one waits for it")
        database.run("select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(1000)%' "
                     "and pid <> pg_backend_pid()")
        lock.wait(60)
        ended = [(process.stderr.read().decode(), process.wait(60)) for process in (first, second)]
    once(database, plain(0, 6))
    assert [status for _, status in ended] == [0, 1], ended
    assert "that this run has read, too" in ended[1][0], ended


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_two_workers(exports, broker, database, control):
    """Each records its own partitions; the second one may join when the first one has begun, which then ends early."""
    control.set(latency_ms=5)
    for i in range(3):
        broker.put(plain(i * 100, i * 100 + 40), partition=i)
    for _ in range(4):
        words = [[word.replace(".ndjson", "-%d.ndjson" % i) for word in exports.words()] for i in range(2)]
        processes = [exports.leadpipe.start(*one, env=exports.sandbox.env) for one in words]
        ended = [(process.stderr.read().decode(), process.wait(60)) for process in processes]
        # Or leave at its end, which takes partitions away from the other one before or after its merge.
        expected = ("run it again", "the group has taken this run's partitions away")
        assert all(status == 0 or any(text in stderr for text in expected) for stderr, status in ended), ended
        if broker.committed(exports.group) == [40, 40, 40]:
            break
    once(database, [lead for i in range(3) for lead in plain(i * 100, i * 100 + 40)])
    assert broker.committed(exports.group) == [40, 40, 40]


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_killed_beside_another_worker(exports, database, control):
    """The other one, which was there before, gets the partition of a worker that was killed between its commits."""
    control.set(faults={"plain-0": "slow=500"})
    with KafkaBroker(topics=("ids",), partitions=1) as one:
        exports.address = one.address
        one.put(plain(0, 5))
        first = exports.start(more="&instance=first")
        runs.wait_until(lambda: asked(control, "plain-0"), "the first has begun")

        def hook(key, _):
            if key == wire.OFFSET_COMMIT and first.poll() is None and one.committed(exports.group) == [0]:  # where it began
                first.kill()
                raise Drop

        one.hook = hook
        words = [word.replace(".ndjson", "-2.ndjson") for word in exports.words()]
        second = exports.leadpipe.start(*words, env=exports.sandbox.env)
        ended = [(process.stderr.read().decode(), process.wait(60)) for process in (first, second)]
        assert [status for _, status in ended] == [-signal.SIGKILL, 1], ended
        assert "has exported messages of partition 0 that this run has read, too" in ended[1][0], ended
        once(database, plain(0, 5))
        assert one.committed(exports.group) == [0]
        assert "partition 0 continues at offset 5" in exports.run().stderr
        once(database, plain(0, 5))
        assert one.committed(exports.group) == [5]


@MAINLY_SQLITE
def test_not_with_other_sinks(exports, broker, database):
    """Their output would be missing after a kill between the commits."""
    broker.put(plain(0, 3))
    exports.run("-t", "ndjson:leads.ndjson")
    assert exports.leads() == plain(0, 3)
    once(database, plain(0, 3))
    columns = ("offsets",) if isinstance(database, Postgres) else ()
    assert all(database.ask("select %s from _leadpipe_runs" % one) == [("",)] for one in columns)
