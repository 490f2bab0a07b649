"""The sink "sqlite" at its limits: a merge that a stopped run does not wait for, files and names that collide, rows and tables that
are too large."""

import signal
import time

import pytest

import outputs
from runs import wait_until
from test_sqlite import KEY, change_everything, connect, dump, night, no_junk, payload, runs_of  # noqa: F401

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
