"""Shards of one run into a PostgreSQL database, when something dies: the tables are as before or as after one run, and no status
is 0 where a shard has to be run again."""

import random
import signal
import subprocess
import threading

import pytest

import databases
from outputs import ids_file, omni_payloads, provider_of
from test_postgres_faults import crash, locked
from test_shards_postgres import KEY, Shards, become, content, leads, served

nightly = pytest.mark.nightly
cluster = pytest.fixture(scope="module")(databases.postgres_cluster)
CUT = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leadpipe' and datname = current_database()"
STATE = ["--state", "shard-{shard}.state"]


@pytest.fixture
def database(cluster):
    return databases.Database(cluster)


class Night(Shards):
    """A first night is done; in the second one leads have changed, are new or gone."""

    def __init__(self, leadpipe, database, of=2, options="deletes=delete", more=("--max-gone", "50%")):
        super().__init__(leadpipe, database, of, options, more=more)
        self.payloads = leads(40)
        ids_file(leadpipe.folder, [*self.payloads, "lead-40", "lead-41"])
        self.asked = 0
        self.server = provider_of(self.answer)

    def answer(self, path, headers):
        self.asked += 1
        return omni_payloads(self.payloads)(path, headers)

    def __enter__(self):
        self.url = self.server.__enter__().url
        self.whole(self.url)
        self.all(self.url)
        become(self.payloads, leads(42, 2, gone={"lead-3", "lead-4", "lead-5"}))
        self.whole(self.url)
        self.before = self.tables()
        return self

    def __exit__(self, *error):
        return self.server.__exit__(*error)

    def run(self, index, *more, **named):
        return self.one(self.url, index, *more, **named)

    def start(self, index, *more):
        return self.leadpipe.start(*self.words(self.url, "--shard", "%d/%d" % (index, self.of), *more), "ids.txt", env=KEY)

    def check_old(self):
        assert self.tables() == self.before

    def gate(self, when="new.status in ('loaded', 'done')"):
        """A commit that ends a shard waits within the server, until the lock of gate() is given up."""
        self.database.run("create table public.gate (a int); grant select on public.gate to etl; "
                          "create function public.wait() returns trigger language plpgsql as $$ begin "
                          "perform a from public.gate; return null; end $$; create constraint trigger late after update on "
                          "parts._leadpipe_runs deferrable initially deferred for each row when (%s) execute function public.wait()" % when)

    def closed_gate(self):
        return locked(self.database, "public.gate", "access exclusive")

    def wait_for_the_commit(self):
        databases.wait_until(lambda: self.database.value(
            "select count(*) from pg_stat_activity where query like 'commit%' and wait_event_type = 'Lock' and "
            "datname = current_database()") == "1")

    def cut_in_the_commit(self, index, *more, kill=True):
        """The commit does not happen; the process is killed, or goes on."""
        with self.closed_gate():
            process = self.start(index, *more)
            self.wait_for_the_commit()
            if kill:
                process.kill()
                process.communicate()
            self.database.run(CUT)
        if not kill:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors.decode()


# ---- between prepare and commit ---------------------------------------------------------------

@pytest.mark.parametrize("kill, state, last", [
    (True, STATE, True), (False, [], False),
    *(pytest.param(*case, marks=nightly) for case in ((True, STATE, False), (True, [], True), (True, [], False), (False, [], True)))])
def test_the_commit_does_not_happen(leadpipe, database, kill, state, last):
    """Of the last one, or of one that is to be loaded: the same command finishes it, or it does itself."""
    with Night(leadpipe, database) as night:
        night.gate()
        if last:
            night.run(0)
        night.cut_in_the_commit(1, *state, kill=kill)
        if kill:
            night.check_old()
            night.run(1, *state)
        if not last:
            night.check_old()
            night.run(0)
        night.check()


@nightly
def test_the_last_one_becomes_the_last_but_one(leadpipe, database):
    """It is killed, and meanwhile the other shard is run again, and waits for it."""
    with Night(leadpipe, database) as night:
        night.run(0)
        night.gate()
        night.cut_in_the_commit(1, *STATE)
        waiting = night.run(0)
        assert waiting.sink["waits_for_shards"] == "1 of 2"
        night.check_old()
        done = night.run(1, *STATE)
        assert done.sink["shards_merged"] == 2 and done.summary["requests"]["total"] > 0
        night.check()


def test_the_last_one_no_longer_is(leadpipe, database):
    """It is killed, and the other shard is at work again when it comes back."""
    with Night(leadpipe, database) as night:
        night.run(0)
        night.gate()
        night.cut_in_the_commit(1, *STATE)
        other = leadpipe.start(*night.words(night.url, "--shard", "0/2"), env=KEY, stdin=subprocess.PIPE)
        databases.wait_until(lambda: night.statuses()[0] == "loading")
        done = night.run(1, *STATE)
        assert done.sink["shards_merged"] == 0 and done.sink["waits_for_shards"] == "0 of 2" and done.sink["inserted"] == 0
        night.check_old()
        other.communicate((leadpipe.folder / "ids.txt").read_bytes(), timeout=60)
        assert other.returncode == 0
        night.check()


@pytest.mark.parametrize("kill", [True, pytest.param(False, marks=nightly)])
def test_one_of_many_becomes_the_last(leadpipe, database, kill):
    """What nobody has decided when it came to its end is decided then: here how many leads may be gone."""
    with Night(leadpipe, database, more=()) as night:
        night.gate("new.status in ('loaded', 'done') and new.shard = 1")
        more = ["--max-gone", "1"]
        with night.closed_gate():
            process = night.start(1, *more, *(STATE if kill else []))
            night.wait_for_the_commit()
            process.send_signal(signal.SIGSTOP)
            database.run(CUT)
            other = night.run(0, *more)
            assert other.sink["waits_for_shards"] == "1 of 2"
            process.send_signal(signal.SIGKILL if kill else signal.SIGCONT)
        _, errors = process.communicate(timeout=60)
        if kill:
            done = night.run(1, *more, *STATE, statuses=(1,))
            errors = done.stderr.encode()
        else:
            assert process.returncode == 1, errors.decode()
        assert b"this is the last shard now, and 3 of the 40 leads" in errors
        night.check_old()
        night.run(1, "--max-gone", "3", *(STATE if kill else []))
        night.check()


def test_committed_and_then_killed(leadpipe, database):
    """The state does not know that it was: nothing is loaded twice, and nothing fetched again."""
    with Night(leadpipe, database, options="mode=append") as night:
        night.gate()
        for index in (1, 0):
            with night.closed_gate():
                process = night.start(index, *STATE)
                night.wait_for_the_commit()
                process.send_signal(signal.SIGSTOP)
            databases.wait_until(lambda: night.statuses()[index] == ("loaded" if index else "done"))
            process.kill()
            process.communicate()
            asked = night.asked
            done = night.run(index, *STATE)
            assert night.asked == asked and done.sink["waits_for_shards"] == ("0 of 2" if index else None)
        night.check()


def test_a_shard_that_ends_while_another_one_tidies_up(leadpipe, database):
    """It was at work when the other one looked for runs that are not, and is loaded when that one comes to it."""
    payloads = leads(20)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2)
    listed = "".join(one + "\n" for one in payloads).encode()
    with served(payloads) as server:
        shards.whole(server.url)
        first = leadpipe.start(*shards.words(server.url, "--shard", "0/2"), env=KEY, stdin=subprocess.PIPE)
        databases.wait_until(lambda: len(database.staging()) == 11)
        dead = [leadpipe.start(*shards.words(server.url), env=KEY, stdin=subprocess.PIPE) for _ in range(5)]
        databases.wait_until(lambda: len(database.staging()) == 11 + 5 * 13)
        for one in dead:
            one.kill()
            one.communicate()
        database.run("update parts._leadpipe_runs set updated_at = updated_at - interval '1 hour' where shard is null")
        left = database.value("select string_agg('parts._leadpipe_' || token || '_0', ', ') from parts._leadpipe_runs where shard is null")
        with locked(database, left, "access share"):  # each is waited for for a second
            second = leadpipe.start(*shards.words(server.url, "--shard", "1/2"), "ids.txt", env=KEY)
            databases.wait_until(lambda: database.value("select count(*) from pg_locks where not granted") == "1")
            for one in first, second:
                _, errors = one.communicate(listed if one is first else None, timeout=60)
                assert one.returncode == 0, errors.decode()
    assert [run["status"] for run in database.runs("parts") if run["shard"] is not None] == ["done"] * 2
    assert shards.tables() == content(database, "whole")


# ---- rows that are lost -----------------------------------------------------------------------

@pytest.mark.parametrize("how", ["crash", pytest.param("types", marks=nightly)])
def test_rows_that_are_lost(leadpipe, database, how):
    """The last one says which shards have to be run again, as often as it is run itself, and then it is theirs to finish."""
    with Night(leadpipe, database, of=4) as night:
        for index in (3, 1):
            night.run(index)
        if how == "crash":
            crash(database)
        else:
            database.run("alter table parts.documents alter column size type text")
            database.run("alter table whole.documents alter column size type text")
            night.before = night.tables()
        night.run(0)
        for state in ([], STATE):
            done = night.run(2, *state, statuses=(1,))
            assert "the rows of the shards 1 and 3 of 4 can no longer be merged" in done.stderr
            night.check_old()
        assert night.run(2, *STATE, statuses=(1,)).stderr.count("the shards 1 and 3 of 4") == 1
        night.run(3, statuses=(1,))
        done = night.run(1)
        assert done.sink["shards_merged"] == 4
        assert night.run(2, *STATE).sink["waits_for_shards"] is None
        night.check()


# ---- chance -----------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=nightly) for seed in range(1, 60))])
def test_anything_at_any_time(leadpipe, database, seed):
    """Shards at the same time, of which each is killed or cut off, again and again, and run again until all are done."""
    dice = random.Random(seed)
    of = 3
    name = ["--shard-run", "night"]
    with Night(leadpipe, database, of, options=dice.choice(["deletes=delete", "mode=append", "mode=replace"])) as night:
        states = {index: dice.choice([STATE, []]) for index in range(of)}
        due = set(range(of))
        for _ in range(12 if seed else 4):
            running = {index: night.start(index, *name, *states[index]) for index in sorted(due)}
            for index in dice.sample(sorted(running), len(running)):
                threading.Event().wait(dice.uniform(0, 0.4))
                fault = dice.choice(["kill", "kill", "cut", "none"])
                if fault == "kill":
                    running[index].kill()
                elif fault == "cut":
                    database.run(CUT)
            for index, process in running.items():
                _, errors = process.communicate(timeout=90)
                assert process.returncode in (0, -9), (seed, errors.decode())
                if process.returncode == 0:
                    due.discard(index)
            if night.tables() != night.before:  # the last one was killed behind its commit, or all are done
                night.check(at_end=False)
            if not due:
                break
        for index in sorted(due):
            night.run(index, *name, *states[index])
        night.check()
