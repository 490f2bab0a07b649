"""The sink postgres, first night: staging tables become the tables, unless somebody could see half of them."""

import contextlib
import json
import subprocess
import threading

import pytest

import databases
from outputs import ids_file, omni_payloads, provider_of

KEY = {"OMNI_API_KEY": "k"}
LEADS = 60

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@pytest.fixture
def database(cluster):
    return databases.Database(cluster)


def lead(lead_id, **more):
    return json.dumps({"lead": {"id": lead_id, "firstName": "x", **more}, "documents": [{"id": "d", "size": 1}]}).encode()


class Night:
    """A run of which some parts are loaded, and whose last lead is held back until release()."""

    def __init__(self, leadpipe, database, options=""):
        self.database, self.gate = database, threading.Event()
        ids_file(leadpipe.folder, ["l%d" % n for n in range(LEADS)])
        self.stack = contextlib.ExitStack()
        server = self.stack.enter_context(provider_of(self.answer))
        self.process = leadpipe.start("export", "-p", "omni", "--base-url", server.url, "-t", database.target("commit-rows=10" + options),
                                      "ids.txt", env=KEY)
        databases.wait_until(lambda: database.value("select to_regclass('_leadpipe_runs')") and
                             int(database.value("select coalesce(max(part), 0) from _leadpipe_runs")) >= 3)

    def answer(self, path, _):
        lead_id = path.rsplit("/", 1)[1]
        if lead_id == "l%d" % (LEADS - 1):
            assert self.gate.wait(60)
        return 200, lead(lead_id)

    def end(self):
        self.gate.set()
        try:
            _, errors = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
            self.stack.close()
        assert self.process.returncode == 0, errors
        assert self.database.staging() == []


def is_adopted(database, table="leads"):
    """It has had a column more, and its rows are of several transactions."""
    return database.value("select count(*) > 0 from pg_attribute where attrelid = '%s'::regclass and attisdropped" % table) == "t"


def counts(database):
    return database.value("select count(*) || '+' || (select count(*) from documents) from leads")


ALL = "%d+%d" % (LEADS, LEADS)


def test_staging_tables_become_the_tables(leadpipe, database):
    night = Night(leadpipe, database)
    staged = database.value("select string_agg(oid::text, ',' order by relname) from pg_class where relname ~ '^_leadpipe_[0-9a-f]{16}_[01]$'")
    assert database.value("select count(*) from pg_class where relname = 'leads'") == "0"
    night.end()
    assert counts(database) == ALL and is_adopted(database)
    oids = database.value("select string_agg(oid::text, ',') from pg_class where relname in ('leads', 'documents')")
    assert set(oids.split(",")) & set(staged.split(","))
    assert database.value("select count(*) from pg_class where relname in ('leads', 'documents') and relpersistence = 'p' and "
                          "reloptions is null") == "2"
    run, = database.runs()
    assert run["rows_inserted"] == 2 * LEADS
    # A second night has a table with a key, as ever.
    night = Night(leadpipe, database)
    night.end()
    assert counts(database) == ALL and database.runs()[1]["rows_inserted"] == 0


@contextlib.contextmanager
def session(database):
    """A transaction that has a snapshot."""
    process, _ = database.start("")

    def ask(sql):
        process.stdin.write(sql + ";\n")
        process.stdin.flush()
        return process.stdout.readline().strip()
    assert ask("begin isolation level repeatable read; select 1") == "1"
    yield ask
    process.stdin.close()
    process.wait()


def test_a_snapshot_that_is_older_sees_none(leadpipe, database):
    night = Night(leadpipe, database)
    with session(database) as ask:
        night.end()
        assert ask("select count(*) from leads") == "0" and ask("select count(*) from documents") == "0"
        assert counts(database) == ALL and not is_adopted(database)


def test_a_transaction_that_ends_is_waited_for(leadpipe, database):
    """Those that begin meanwhile are not."""
    night = Night(leadpipe, database)
    with session(database) as ask:
        night.gate.set()
        databases.wait_until(lambda: database.value("select count(*) from pg_stat_activity where query ~ 'pg_sleep' and pid <> pg_backend_pid()") != "0")
        with session(database):
            ask("commit; select 1")
            night.end()
    assert counts(database) == ALL and is_adopted(database)


def test_a_table_that_somebody_makes_meanwhile(leadpipe, database):
    night = Night(leadpipe, database)
    database.run("create table documents (provider text, lead_id text, id text, position bigint, primary key (provider, lead_id, position), mine text)")
    columns = database.columns("documents")
    night.end()
    assert list(database.columns("documents"))[:len(columns)] == list(columns) and not is_adopted(database)
    assert database.value("select count(*) from leads") == str(LEADS)


def test_names_like_those_of_staged_columns(leadpipe, database, tmp_path):
    names = ["part", "misfits", "c0", "c1", "c3", "c2", "e0", "e1", "e2"]
    profile = {"profile": 1, "name": "odd", "servers": [{"name": "main", "url": "https://odd.example"}], "path": "/{id}",
               "tables": [{"name": "leads", "each": "", "columns": [{"name": name, "value": "/" + name} for name in names]}]}
    (tmp_path / "odd.json").write_text(json.dumps(profile))
    payloads = {"a": json.dumps({name: name for name in names}).encode(),
                "b": json.dumps({"e5": "e5", "e3": "e3", "e4": "e4", "c9": "c9", "c4": "c4", "part_2": "p"}).encode()}
    ids_file(tmp_path, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        done = leadpipe("export", "-p", "./odd.json", "--base-url", server.url, "-t", database.target(), "ids.txt")
    assert done.returncode == 0, done.stderr
    assert is_adopted(database)
    rows = {row["lead_id"]: row for row in database.ask("select * from leads", nulls=False)}
    skip = {"provider", "lead_id", "_exported_at", "_run_id"}
    assert {name: value for name, value in rows["a"].items() if name not in skip} == {name: name for name in names}
    assert {name: value for name, value in rows["b"].items() if name not in skip} == {
        "e5": "e5", "e3": "e3", "e4": "e4", "c9": "c9", "c4": "c4", "part_2": "p"}
    assert {row["_run_id"] for row in rows.values()} == {database.runs()[0]["run_id"]}


def test_not_where_others_read_the_log(leadpipe):
    """Logical decoding would have the rows under the staging table's name."""
    for made in databases.postgres_cluster():
        database = databases.Database(made)
        database.run("alter system set wal_level to logical")
        made.stop("fast")
        made.begin()
        night = Night(leadpipe, database)
        assert database.value("select string_agg(distinct relpersistence::text, '') from pg_class where relname ~ "
                              "'^_leadpipe_[0-9a-f]{16}_' and relkind = 'r'") == "u"
        night.end()
        assert counts(database) == ALL and not is_adopted(database)
