"""A merge that waits for somebody else's lock: who holds it is told, and it does not go on for ever."""

import contextlib
import signal
import subprocess

import pytest

import databases
from outputs import omni_payloads, provider_of
from test_postgres import KEY, lead

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@pytest.fixture
def database(cluster):
    return databases.Database(cluster)


@contextlib.contextmanager
def held(database, lock):
    """Somebody's transaction with that lock, idle, until .stdin is closed."""
    holder, _ = database.start("")
    holder.stdin.write("begin; %s; select 'locked';\n" % lock)
    holder.stdin.flush()
    while holder.stdout.readline().strip() != "locked":
        assert holder.poll() is None
    try:
        yield holder
    finally:
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close()
        holder.stderr.close()


def until_told(process):
    """The line that says what the run waits for."""
    for line in process.stderr:
        if b"waiting for a lock" in line:
            return line.decode()
    raise AssertionError("it ended without a word")


def test_a_schema_that_another_session_creates_meanwhile(leadpipe, database):
    """"create schema if not exists" waits for it, and is then refused as a duplicate."""
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server, held(database, "create schema dw") as holder:
        process = leadpipe.start("export", "-p", "omni", "--base-url", server.url, "-t", database.target("schema=dw"), "--id", "a",
                                 env=KEY)
        databases.wait_until(lambda: database.value("select count(*) from pg_stat_activity where wait_event_type = 'Lock'") == "1")
        holder.stdin.write("commit;\n")
        holder.stdin.flush()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert len(database.ask("select * from dw.leads")) == 1


LOCKS = {
    "a reader in the way of a new column": ("select from leads", {"new": "column"}),
    "a lock on the table": ("lock table leads in share mode", {}),
    "a row": ("update leads set number = 0", {}),
    "a trigger at the commit": ("lock table gate in access exclusive mode", {}),
}


@pytest.mark.parametrize("name", LOCKS)
def test_tells_who_holds_it_and_goes_on(leadpipe, database, name):
    lock, more = LOCKS[name]
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        words = ["export", "-p", "omni", "--base-url", server.url, "-t", database.target(), "--id", "a"]
        assert leadpipe(*words, env=KEY).returncode == 0
        database.run("alter table leads add number int")
        database.run("create table gate (a int); create function wait() returns trigger language plpgsql as "
                     "$$ begin perform a from gate; return null; end $$; create constraint trigger late after insert or update "
                     "on leads deferrable initially deferred for each row execute function wait()")
        server.answer = omni_payloads({"a": lead("a", 2, **more)})
        with held(database, lock) as holder:
            run = leadpipe.start(*words, env=KEY)
            line = until_told(run)
            for part in ("server process", "user ", "client local", "application psql",
                         "idle in transaction"):
                assert part in line, line
            assert ("giving up after 5m" in line) == ("commit" not in name), line
            holder.stdin.close()
            errors = run.communicate(timeout=60)[1]
            assert run.returncode == 0, errors
    assert len(database.ask("select * from leads")) == 1


@pytest.mark.nightly  # a stop leaves the merge 10 s
def test_a_stop_ends_the_wait(leadpipe, database):
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        words = ["export", "-p", "omni", "--base-url", server.url, "-t", database.target(), "--id", "a"]
        assert leadpipe(*words, env=KEY).returncode == 0
        before = database.dump()
        server.answer = omni_payloads({"a": lead("a", 2)})
        with held(database, "lock table leads in share mode"):
            run = leadpipe.start(*words, env=KEY)
            until_told(run)
            run.send_signal(signal.SIGTERM)
            errors = run.communicate(timeout=60)[1]
            assert run.returncode == 143, errors
    assert database.dump() == before


@pytest.mark.parametrize("shard", [[], ["--shard", "0/1"]])
def test_two_runs_with_two_targets_do_not_wait_for_each_other(leadpipe, database, shard):
    """One is late with its first target, and then with both."""
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        words = ["export", "-p", "omni", "--base-url", server.url, "-t", database.target("schema=x"), "-t", database.target("schema=y")]
        assert leadpipe(*words, "--id", "a", env=KEY).returncode == 0
        server.answer = omni_payloads({"a": lead("a", 2)})
        first = leadpipe.start(*words, env=KEY, stdin=subprocess.PIPE)
        staged = "select relname from x._leadpipe_runs join pg_class on relname = '_leadpipe_' || token || '_0' where status = 'loading'"
        databases.wait_until(lambda: database.value(staged))
        with held(database, "lock table x.%s in access exclusive mode" % database.value(staged)):
            first.stdin.write(b"a\n")
            first.stdin.close()
            databases.wait_until(lambda: database.value("select count(*) from pg_locks where not granted") == "1")
            second = leadpipe(*words, *shard, "--id", "a", env=KEY, timeout=30)
            assert second.returncode == 0, second.stderr
        assert first.wait(30) == 0, first.stderr.read()
        first.stderr.close()
        first.stdout.close()


@pytest.mark.nightly
def test_two_targets_that_wait_for_each_other_end(leadpipe, database):
    """Each has written a row of `total` and commits only when the other one is ready, too."""
    with provider_of(omni_payloads({"a": lead("a", 1)})) as server:
        words = ["export", "-p", "omni", "--base-url", server.url, "--id", "a"]
        both = ["-t", database.target("prefix=x_"), "-t", database.target("prefix=y_")]
        assert leadpipe(*words, *both, env=KEY).returncode == 0
        database.run("create table total (n int); insert into total values (0); create function count_up() returns trigger "
                     "language plpgsql as $$ begin update total set n = n + 1; return null; end $$;"
                     + "".join("create trigger counts after insert or update on %s_leads for each row execute function count_up();"
                               % prefix for prefix in "xy"))
        before = database.dump()
        server.answer = omni_payloads({"a": lead("a", 2)})
        done = leadpipe(*words, *both, env=KEY, timeout=400)
        assert done.returncode == 1, done.stderr
        assert "gave up after 5m of waiting for a lock" in done.stderr and "a command each" in done.stderr
        assert database.dump() == before
