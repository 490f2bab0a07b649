"""What the sinks postgres and sqlite mean is the same: every test runs on both."""

import json
import sqlite3

import pytest

import databases
import outputs
from test_sqlite import hold

KEY = {"OMNI_API_KEY": "k"}

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


class Postgres:
    kind, text, json = "postgres", "text", "jsonb"

    def __init__(self, cluster, folder):
        self.database = databases.Database(cluster)
        self.script, self.ask, self.target = self.database.run, self.database.ask, self.database.target


class Sqlite:
    kind, text, json = "sqlite", "text", "text"

    def __init__(self, cluster, folder):
        self.path = folder / "leads.db"

    def target(self, options=""):
        return "sqlite%s:%s" % (options and "," + options, self.path.name)

    def script(self, sql):
        database = sqlite3.connect(self.path, isolation_level=None)
        database.executescript(sql)
        database.close()

    def ask(self, sql):
        database = sqlite3.connect(self.path)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute(sql)]
        finally:
            database.close()


class Night:
    """A provider whose leads a test changes, and the command that exports them."""

    def __init__(self, leadpipe, server, payloads, database):
        self.leadpipe, self.server, self.payloads, self.database = leadpipe, server, payloads, database
        self.ids = list(payloads)

    def words(self, options, *more):
        outputs.ids_file(self.leadpipe.folder, self.ids)
        return ["export", "-p", "omni", "--base-url", self.server.url, "-t", self.database.target(options),
                "--manifest", "m.json", *more, "ids.txt"]

    def ended(self, status, want, errors):
        assert status == want, errors
        self.stderr = errors
        self.manifest = outputs.manifest(self.leadpipe.folder / "m.json") if want in (0, 1, 3) else None
        return self.manifest and self.manifest["sinks"][0]

    def run(self, options="", *more, status=0):
        done = self.leadpipe(*self.words(options, *more), env=KEY)
        return self.ended(done.returncode, status, done.stderr)

    def leads(self):
        return {row["lead_id"]: row for row in self.database.ask("select * from leads where provider = 'omni'")}


def payload(number, **more):
    return json.dumps({"lead": {"id": "L%d" % number, "email": "a%d@example.com" % number, **more},
                       "documents": [{"id": "d", "size": 1}]}).encode()


@pytest.fixture(params=[Postgres, Sqlite], ids=lambda kind: kind.kind)
def night(leadpipe, cluster, request):
    payloads = {"L%d" % n: payload(n) for n in range(40)}
    with outputs.provider_of(outputs.omni_payloads(payloads)) as server:
        yield Night(leadpipe, server, payloads, request.param(cluster, leadpipe.folder))


def written(sink):
    return sink["inserted"], sink["updated"], sink["deleted"]


# --- leads that are gone ----------------------------------------------------------------------------------

def test_a_mark_says_which_run_made_it(night):
    """Who loads what is new since a moment, by _exported_at, must see marks as well; children stay as they are."""
    night.run("deletes=mark")
    first, before = night.manifest["run_id"], night.leads()
    del night.payloads["L3"]
    assert written(night.run("deletes=mark")) == (0, 1, 0)
    rows, second = night.leads(), night.manifest["run_id"]
    assert rows["L3"]["_deleted_at"] and rows["L3"]["_run_id"] == second
    assert rows["L3"]["_exported_at"] == rows["L3"]["_deleted_at"] > before["L3"]["_exported_at"]
    assert rows["L4"]["_run_id"] == first and not rows["L4"]["_deleted_at"]
    assert {row["_run_id"] for row in night.database.ask("select * from documents where lead_id = 'L3'")} == {first}
    assert written(night.run("deletes=mark")) == (0, 0, 0)  # marked already: it keeps its run
    assert night.leads() == rows
    night.payloads["L3"] = payload(3)
    night.run("deletes=ignore")  # and comes back, however leads that are gone are treated
    back = night.leads()["L3"]
    assert not back["_deleted_at"] and back["_run_id"] == night.manifest["run_id"]


@pytest.mark.parametrize("deletes", ["mark", "delete"])
def test_the_guard_counts_the_leads_of_one_provider(night, deletes):
    """Else those of another one in the same tables would allow a run to lose all of its own."""
    night.run()
    night.database.script("insert into leads (provider, lead_id) values %s" %
                          ", ".join("('other', 'L%d')" % n for n in range(1000)))
    for number in range(20, 25):
        del night.payloads["L%d" % number]
    night.run("deletes=" + deletes, "--max-gone", "10%", status=3)
    assert "5 of the 40 leads" in night.stderr and "at most 4" in night.stderr
    assert len(night.leads()) == 40
    night.run("deletes=" + deletes, "--max-gone", "20%")
    assert len([row for row in night.leads().values() if not row.get("_deleted_at")]) == 35
    assert len(night.database.ask("select * from leads where provider = 'other'")) == 1000


@pytest.mark.parametrize("deletes", ["mark", "delete"])
def test_the_guard_does_not_count_marked_leads(night, deletes):
    night.run("deletes=mark")
    for number in range(10):
        del night.payloads["L%d" % number]
    night.run("deletes=mark", "--max-gone", "10")
    for number in range(10, 14):
        del night.payloads["L%d" % number]
    night.run("deletes=" + deletes, "--max-gone", "10%", status=3)
    assert "4 of the 30 leads" in night.stderr and "at most 3" in night.stderr


@pytest.mark.parametrize("options, gone", [("mode=append", 2), ("mode=replace", 2), ("", 2)])
def test_gone_leads_are_counted_once(night, options, gone):
    """However many rows each has."""
    night.run(options)
    night.run(options)
    del night.payloads["L3"], night.payloads["L4"]
    assert night.run(options, "--max-gone", "0")["gone"] == night.manifest["ledger"]["gone"] == gone


@pytest.mark.parametrize("deletes", ["mark", "ignore"])
def test_a_column_of_the_users_named_deleted_at(night, deletes):
    """One that was added later is left alone, in counts and marks as well."""
    night.run("deletes=ignore")
    night.database.script("alter table leads add column _deleted_at %s; update leads set _deleted_at = 'theirs'" % night.database.text)
    del night.payloads["L3"]
    night.payloads["L4"] = payload(4, email="new@example.com")
    assert night.run("deletes=" + deletes)["gone"] == 1
    rows = night.leads()
    assert {row["_deleted_at"] for row in rows.values()} == {"theirs"}
    assert ("_deleted_at_2" in rows["L3"]) == (deletes == "mark")
    assert [bool(rows[lead].get("_deleted_at_2")) for lead in ("L3", "L4")] == [deletes == "mark", False]
    assert written(night.run("deletes=" + deletes)) == (0, 0, 0)
    night.payloads["L3"] = payload(3)
    night.run("deletes=" + deletes)
    assert not night.leads()["L3"].get("_deleted_at_2")


# --- modes --------------------------------------------------------------------------------------------------

def test_replace_holds_the_leads_of_one_run(night):
    night.run()
    night.database.script("insert into leads (provider, lead_id) values ('other', 'X')")
    night.payloads["L1"] = payload(1, email="new@example.com")
    night.ids = ["L0", "L1", "L40"]
    night.payloads["L40"] = payload(40)
    before = night.leads()
    assert written(night.run("mode=replace")) == (2, 1, 2 * 38 + 1)
    rows = night.leads()
    assert set(rows) == {"L0", "L1", "L40"} and rows["L0"] == before["L0"] and rows["L1"]["email"] == "new@example.com"
    assert {row["lead_id"] for row in night.database.ask("select * from documents")} == {"L0", "L1", "L40"}
    assert night.database.ask("select * from leads where provider = 'other'") == []


def test_append_adds_the_rows_of_every_run(night):
    night.run("mode=append")
    night.payloads["L1"] = payload(1, email="new@example.com")
    del night.payloads["L2"]
    assert written(night.run("mode=append")) == (39 * 2, 0, 0)
    rows = night.database.ask("select * from leads")
    assert len(rows) == 79 and len([row for row in rows if row["lead_id"] == "L2"]) == 1
    assert {row["email"] for row in rows if row["lead_id"] == "L1"} == {"a1@example.com", "new@example.com"}


# --- names ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", ["mode=upsert", "mode=append", "mode=replace", "deletes=mark"])
def test_members_named_like_the_columns_of_a_run(night, options):
    """The run's columns are its own, and the members are all there."""
    names = ("_run_id", "_exported_at", "_misfits", "_deleted_at")
    night.payloads["L1"] = payload(1, **{name: "theirs" + name for name in names})
    night.run(options)
    night.run(options)
    rows = [row for row in night.database.ask("select * from leads") if row["lead_id"] == "L1"]
    assert len(rows) == (2 if options == "mode=append" else 1)
    for row in rows:
        assert len(row["_run_id"]) == 32 and row["_misfits"] is None and str(row["_exported_at"]).startswith("20")
        assert not row.get("_deleted_at")
        assert sorted(value for value in row.values() if str(value).startswith("theirs")) == sorted("theirs" + name for name in names)


def test_a_generated_column_of_the_users(night):
    """Nothing can be written there, and nothing is lost: the member, documented or not, gets a column of its own."""
    night.database.script("create table leads (provider text, lead_id text, "
                          "email text generated always as (lead_id || '!') stored, made text generated always as (lead_id || '?') stored, primary key (provider, lead_id))")
    night.payloads["L1"] = payload(1, made="ours")
    night.run()
    assert written(night.run()) == (0, 0, 0)
    row = night.leads()["L1"]
    assert (row["email"], row["email_2"], row["made"], row["made_2"]) == ("L1!", "a1@example.com", "L1?", "ours")


# --- tables that change while a run goes on -----------------------------------------------------------------

def test_a_table_that_loses_its_key_meanwhile(night):
    """Found at the end, before anything is written: the run fails, the command was not wrong."""
    name = "create unique index made on leads (provider, lead_id)"
    night.database.script("create table leads (provider text, lead_id text, email text); %s" % name)
    gate, begun = hold(night)
    process = night.leadpipe.start(*night.words(""), env=KEY)
    assert begun.wait(30)
    night.database.script("drop index made")
    gate.set()
    errors = process.communicate(timeout=60)[1].decode()
    night.ended(process.returncode, 1, errors)
    assert "no unique key on (provider, lead_id)" in errors
    assert night.database.ask("select * from leads") == []
    night.database.script(name)
    night.run()
    assert len(night.leads()) == 40
