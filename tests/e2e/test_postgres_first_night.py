"""The sink postgres, first night: staging tables become the tables, unless somebody could see half of them."""

import contextlib
import json

import pytest

import databases
from held_back import KEY, HeldBack
from outputs import ids_file, omni_payloads, provider_of

LEADS = 60
IDS = ["l%d" % n for n in range(LEADS)]

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@pytest.fixture
def database(cluster):
    return databases.Database(cluster)


def lead(lead_id, **more):
    return json.dumps({"lead": {"id": lead_id, "firstName": "x", **more}, "documents": [{"id": "d", "size": 1}]}).encode()


class Night(HeldBack):
    """A run of which some parts are loaded, and whose last lead is held back until end()."""

    def __init__(self, leadpipe, database, options=""):
        self.database = database
        super().__init__(leadpipe, {lead_id: lead(lead_id) for lead_id in IDS}, lambda url: [
            "export", "-p", "omni", "--base-url", url, "-t", database.target("commit-rows=10" + options), "ids.txt"])
        databases.wait_until(lambda: database.value("select to_regclass('_leadpipe_runs')") and
                             int(database.value("select coalesce(max(part), 0) from _leadpipe_runs")) >= 3)

    def end(self, status=0):
        errors = super().end(status)
        assert self.database.staging() == []
        return errors


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
def session(database, first="set transaction read write"):
    """A transaction that has a snapshot."""
    process, _ = database.start("")

    def ask(sql):
        process.stdin.write(sql + ";\n")
        process.stdin.flush()
        return process.stdout.readline().strip()
    assert ask("begin isolation level repeatable read; %s; select 1" % first) == "1"
    yield ask
    process.stdin.close()
    process.wait()


def test_a_snapshot_that_is_older_sees_none(leadpipe, database):
    night = Night(leadpipe, database)
    with session(database) as ask:
        night.end()
        assert ask("select count(*) from leads") == "0" and ask("select count(*) from documents") == "0"
        assert counts(database) == ALL and not is_adopted(database)


def wait_for_a_wait(database):
    databases.wait_until(lambda: database.value("select count(*) from pg_stat_activity where query ~ 'pg_sleep' and pid <> pg_backend_pid()") != "0")


def test_a_transaction_that_ends_is_waited_for(leadpipe, database):
    night = Night(leadpipe, database)
    with session(database) as ask:
        night.gate.set()
        wait_for_a_wait(database)
        ask("commit; select 1")
        night.end()
    assert counts(database) == ALL and is_adopted(database)


def test_a_snapshot_that_is_handed_on_while_the_merge_waits(leadpipe, database):
    night = Night(leadpipe, database)
    with session(database) as ask:
        snapshot = ask("select pg_export_snapshot()")
        night.gate.set()
        wait_for_a_wait(database)
        with session(database, "set transaction snapshot '%s'" % snapshot) as ask_later:
            ask("commit; select 1")
            night.end()
            assert ask_later("select count(*) from leads") == "0"
    assert counts(database) == ALL and not is_adopted(database)


@pytest.mark.parametrize("when", ["while rows are loaded", "while the merge waits"])
def test_a_table_that_somebody_makes_meanwhile(leadpipe, database, when):
    night = Night(leadpipe, database)
    with session(database) as ask:
        if when == "while the merge waits":
            night.gate.set()
            wait_for_a_wait(database)
        database.run("create table documents (provider text, lead_id text, id text, position bigint, primary key (provider, lead_id, position), mine text)")
        columns = database.columns("documents")
        ask("commit; select 1")
        night.end()
    assert list(database.columns("documents"))[:len(columns)] == list(columns) and not is_adopted(database)
    assert counts(database) == ALL


def export(leadpipe, database, options="", user="etl", more=()):
    payloads = {"a": lead("a", zzz="1"), "b": lead("b", c0="2")}
    ids_file(leadpipe.folder, payloads)
    with provider_of(omni_payloads(payloads)) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", database.target(options, user), *more, "ids.txt", env=KEY)
    assert done.returncode == 0, done.stderr


def shape_of(database, schema):
    """All but the order of columns, which are others' to see, of tables, keys and indexes."""
    text = database.value("""
        select relname, relkind, relpersistence, relacl, reloptions, pg_get_userbyid(relowner) from pg_class
            where relnamespace = 'SCHEMA'::regnamespace and relname !~ '^_leadpipe';
        select relname, attname, format_type(atttypid, atttypmod), attnotnull, atthasdef, attstorage, attcollation, attacl from pg_attribute
            join pg_class c on c.oid = attrelid where relnamespace = 'SCHEMA'::regnamespace and attnum > 0 and not attisdropped and
            relkind = 'r' and relname !~ '^_leadpipe';
        select conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'SCHEMA'::regnamespace and conname !~ '^_leadpipe';
        select typname, typtype from pg_type where typnamespace = 'SCHEMA'::regnamespace and typname !~ '^_*leadpipe'
        """.replace("SCHEMA", schema))
    return set(text.replace(schema + ".", "").splitlines())


@pytest.mark.parametrize("options", ["deletes=mark", "mode=append,types=text"])
def test_a_table_is_the_same_in_either_way(leadpipe, database, options):
    database.run("alter default privileges for role etl grant select on tables to public")
    export(leadpipe, database, "schema=renamed," + options)
    with session(database):
        export(leadpipe, database, "schema=copied," + options)
    assert is_adopted(database, "renamed.leads") and not is_adopted(database, "copied.leads")
    assert shape_of(database, "renamed") == shape_of(database, "copied")


def test_two_targets_in_one_database(leadpipe, database):
    """Neither waits for the other one's merge."""
    export(leadpipe, database, "prefix=a_", more=["-t", database.target("prefix=b_")])
    assert is_adopted(database, "a_leads") and is_adopted(database, "b_leads")


def test_a_role_that_may_not_see_other_sessions(leadpipe, database):
    database.run("create role plain login; create schema dw authorization plain; revoke select on pg_stat_replication, "
                 "pg_replication_slots, pg_publication, pg_locks, pg_stat_activity from public")
    export(leadpipe, database, "schema=dw", "plain")
    assert database.value("select count(*) from dw.leads") == "2" and not is_adopted(database, "dw.leads")


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


def test_tables_of_other_types_are_dropped_and_the_server_crashes(leadpipe, database, cluster):
    """What is staged for the types of a table that was there is not fit to be a new table."""
    export(leadpipe, database)
    names = database.value("select string_agg(oid::regclass::text, ', ') from pg_class where relkind = 'r' and relnamespace = "
                           "'public'::regnamespace and relname !~ '^_leadpipe'")
    database.run("alter table documents alter size type text using size::text")
    night = Night(leadpipe, database)
    database.run("drop table " + names)
    cluster.stop()
    cluster.begin()
    assert "of type bigint" in night.end(status=1)
    assert not database.value("select to_regclass('documents')")
    export(leadpipe, database)
    assert database.columns("documents")["size"] == "bigint"


def expect_copied(leadpipe, database):
    night = Night(leadpipe, database)
    assert database.value("select string_agg(distinct relpersistence::text, '') from pg_class where relname ~ "
                          "'^_leadpipe_[0-9a-f]{16}_' and relkind = 'r'") == "u"
    night.end()
    assert counts(database) == ALL and not is_adopted(database)


@pytest.mark.parametrize("make, drop", [
    ("select pg_create_physical_replication_slot('away')", "select pg_drop_replication_slot('away')"),  # of a replica that may come back
    ("create publication everything for all tables", "drop publication everything")])  # a resumed run could not delete rows
def test_not_where_others_may_read_the_log(leadpipe, database, make, drop):
    database.run(make)
    try:
        expect_copied(leadpipe, database)
    finally:
        database.run(drop)


def test_not_where_others_read_the_log(leadpipe):
    """Logical decoding would have the rows under the staging table's name."""
    for made in databases.postgres_cluster():
        database = databases.Database(made)
        database.run("alter system set wal_level to logical")
        made.stop("fast")
        made.begin()
        expect_copied(leadpipe, database)
