"""The sink "sqlite" at its limits: a merge that a stopped run does not wait for, files and names that collide, rows and tables that
are too large."""

import signal
import sqlite3
import time

import pytest

import outputs
from runs import wait_until
from test_sqlite import KEY, change_everything, connect, dump, night, no_junk, payload, runs_of  # noqa: F401

# --- names that something else has -----------------------------------------------------------------------------

BESIDE = ["-journal", "-wal", "-shm"]


@pytest.mark.parametrize("suffix", BESIDE)
@pytest.mark.parametrize("words", [
    ["-t", "ndjson:leads.db%s"], ["-t", "sqlite:leads.db%s"], ["-t", "csv,table=documents:./leads.db%s"], ["--failed", "leads.db%s"],
    ["--schema", "leads.db%s"], ["--state", "leads.db%s"], ["-t", "ndjson:.leads.db.leadpipe-part%s"],
    ["-t", "ndjson:.leads.db.leadpipe-wide%s"]])
def test_files_that_sqlite_makes(night, suffix, words):
    """No other output may have the name of one of them, whichever comes first."""
    words = [word % suffix if "%" in word else word for word in words]
    night.run("", *words, status=2)
    assert "leads.db" in night.stderr and "for its database" in night.stderr, night.stderr
    done = night.leadpipe("export", "-p", "omni", *words, "-t", "sqlite:leads.db", "ids.txt", env=KEY)
    assert done.returncode == 2 and "for its database" in done.stderr, done.stderr
    assert night.server.seen == [] and not night.path.exists()


@pytest.mark.parametrize("suffix", BESIDE)
def test_an_input_of_that_name(night, suffix):
    night.run("", *["leads.db" + suffix], status=2)
    assert "would overwrite the input leads.db%s, because it needs that name for its database" % suffix in night.stderr


@pytest.mark.parametrize("what, text", [
    ("create table other (a); create index DOCUMENTS on other (a)", "documents is an index there"),
    ("create table other (a); create index leads on other (a)", "leads is an index there"),
    ("create view Leads as select 1", "leads is a view there"),
    ("create table LEADS (Provider text, LEAD_ID text)", "has no unique key on (provider, lead_id)"),
])
def test_names_that_the_database_has(night, what, text):
    """Without regard to case, and before the first request."""
    database = sqlite3.connect(night.path)
    database.executescript(what)
    database.close()
    night.run(status=2)
    assert text in night.stderr and night.server.seen == []


@pytest.mark.parametrize("mode", ["upsert", "append", "replace"])
def test_tables_in_capitals(night, mode):
    """... are the ones that the rows go into."""
    database = sqlite3.connect(night.path)
    key = ", _run_id" if mode == "append" else ""
    database.executescript("create table LEADS (Provider text, LEAD_ID text, EMAIL text, _run_id text, primary key (provider, lead_id%s));"
                           "create table _LEADPIPE_COLUMNS (table_name text not null, column_name text not null, source text not null, "
                           "primary key (table_name, column_name))" % key)
    database.close()
    for _ in range(2):
        night.run("mode=" + mode)
    database = connect(night.path)
    (n, emails), = database.execute("select count(*), count(email) from leads")
    assert n == emails == (80 if mode == "append" else 40)
    assert [name for name, in database.execute("select name from sqlite_master where lower(name) = 'leads'")] == ["LEADS"]
    assert database.execute("select count(*) from _leadpipe_columns where table_name = 'documents'").fetchone()[0] > 3
    database.close()


@pytest.mark.parametrize("length", [200, 231, 240, 247, 248, 255])
def test_long_names(night, length):
    """A database and all that is beside it, or a message before the first request."""
    night.path = night.leadpipe.folder / ("n" * length)
    done = night.leadpipe(*[word.replace("leads.db", "n" * length) for word in night.arguments()], env=KEY)
    assert done.returncode in (0, 2), done.stderr
    if done.returncode == 2:
        assert "too long" in done.stderr and night.server.seen == []
    else:
        assert len(dump(night.path)["leads"]) == 40
    assert length != 200 or done.returncode == 0


# --- a merge that takes long ----------------------------------------------------------------------------------

ENDLESS = ("create trigger slow after insert on {table} begin "
           "select count(*) from (with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) select i from n); end")


def make_slow(night, table):
    """The first row that comes into that table never ends to come in."""
    database = connect(night.path)
    database.executescript(ENDLESS.format(table=table))
    database.close()


def make_quick(night):
    database = connect(night.path)
    database.executescript("drop trigger slow")
    database.close()


def is_merging(path):
    """Has somebody else a transaction that writes?"""
    database = connect(path, timeout=0)
    try:
        database.execute("begin immediate")
        database.execute("rollback")
        return False
    except Exception as error:
        assert "locked" in str(error), error
        return True
    finally:
        database.close()


@pytest.mark.parametrize("table", ["leads", "documents"])
def test_another_sink_fails_while_it_merges(night, table):
    """Then there is nothing to wait for."""
    night.run()
    before = dump(night.path)
    make_slow(night, table)
    change_everything(night)
    begun = time.monotonic()
    night.run("", "-t", "ndjson:/dev/full", status=1, timeout=60)
    assert time.monotonic() - begun < 30 and "/dev/full" in night.stderr
    assert dump(night.path) == before and len(runs_of(night.path)) == 1
    no_junk(night.leadpipe.folder, "leads.db")
    make_quick(night)
    night.run()


@pytest.mark.slow  # a stopped run gives its sinks 10 seconds
@pytest.mark.parametrize("state", [True, False])
@pytest.mark.parametrize("table", ["leads", "matching_leads"])
def test_stopped_while_it_merges(night, state, table):
    """The tables stay as they are; the next run, with a state the same, makes them those of a run that nobody stopped."""
    night.run("deletes=delete")
    before = dump(night.path)
    make_slow(night, table)
    change_everything(night)
    more = ("--state", "s") if state else ()
    process = night.leadpipe.start(*night.arguments("deletes=delete", *more), env=KEY)
    wait_until(lambda: process.poll() is not None or is_merging(night.path), "it merges")
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=40)
    assert process.returncode == 128 + signal.SIGTERM, stderr
    assert b"stopped" in stderr and dump(night.path) == before and len(runs_of(night.path)) == 1, stderr
    assert outputs.manifest(night.leadpipe.folder / "m.json")["published"] is False
    make_quick(night)
    asked = len(night.server.seen)
    night.run("deletes=delete", *more)
    assert (len(night.server.seen) == asked) is state
    got = dump(night.path)
    assert len(runs_of(night.path)) == 2
    no_junk(night.leadpipe.folder, "leads.db")
    night.path.rename(night.leadpipe.folder / "first.db")
    night.run()
    assert dump(night.path) == got
