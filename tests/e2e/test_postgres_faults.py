"""The sink postgres when something dies: leadpipe, the server, a connection. The outcome is always the same."""

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

import databases
from outputs import ids_file, manifest, provider_of
from test_postgres import KEY, lead

cluster = pytest.fixture(scope="module")(databases.postgres_cluster)

LEADS = 400
HOLD = LEADS // 2
LATE = LEADS * 4 // 5
IDS = ["l%d" % n for n in range(LEADS)]


@pytest.fixture
def database(cluster):
    return databases.Database(cluster)


class Night:
    """A first night that is done, and a second one that something happens to."""

    def __init__(self, leadpipe, database, folder, hold=None):
        self.leadpipe, self.database, self.folder = leadpipe, database, folder
        self.version, self.hold, self.asked, self.proceed, self.every = 1, None, 0, threading.Event(), 3
        self.hold_later, self.options = hold, "deletes=delete,commit-rows=60"
        ids_file(folder, IDS)

    def answer(self, path, _):
        self.asked += 1
        lead_id = path.rsplit("/", 1)[1]
        if self.hold and int(lead_id[1:]) >= self.hold:  # by ID: leads that are loaded are in their order
            self.proceed.wait(60)
        if self.version == 2 and lead_id in ("l7", "l8"):
            return 404, b"{}"
        changed = self.version == 2 and int(lead_id[1:]) % self.every == 0
        return 200, lead(lead_id, 2 if changed else 1, 3 if changed else 2, filler="x" * 2000,
                         **({"late": "yes"} if changed and int(lead_id[1:]) > LATE else {}))

    def words(self, *more):
        return ["export", "-p", "omni", "--base-url", self.url, "-t", self.database.target(self.options),
                "--manifest", "m.json", *more, "ids.txt"]

    def start(self, *more):
        return self.leadpipe.start(*self.words(*more), env=KEY)

    def run(self, *more, status=0):
        done = self.leadpipe(*self.words(*more), env=KEY)
        assert done.returncode == status, done.stderr
        return done

    @contextlib.contextmanager
    def begun(self):
        with provider_of(self.answer) as server:
            self.url = server.url
            self.run()
            self.before = self.database.dump()
            self.version, self.asked, self.hold = 2, 0, self.hold_later
            try:
                yield self
            finally:
                self.proceed.set()

    def wait_for_parts(self, n=2):
        """So many were loaded, and the rest is held back."""
        databases.wait_until(lambda: int(self.database.value("select part from _leadpipe_runs where status = 'loading' "
                                                             "order by started_at desc limit 1") or 0) >= n)

    def wait_for_a_mark(self):
        self.wait_for_parts(1)
        databases.wait_until(lambda: self.database.value("select resumable from _leadpipe_runs where status = 'loading'") == "t")

    def check_old(self):
        assert self.database.dump() == self.before

    def check_new(self):
        leads = {row["lead_id"]: row for row in self.database.ask("select lead_id, first_name, late from leads")}
        documents = {}
        for row in self.database.ask("select lead_id, filename from documents"):
            documents.setdefault(row["lead_id"], []).append(row["filename"])
        wanted = [one for one in IDS if one not in ("l7", "l8")]
        assert sorted(leads) == sorted(wanted) and sorted(documents) == sorted(wanted)
        for lead_id in wanted:
            n = int(lead_id[1:])
            version = "v2" if n % self.every == 0 else "v1"
            assert leads[lead_id]["first_name"] == version, lead_id
            assert documents[lead_id] == [version] * (3 if n % self.every == 0 else 2), lead_id
            assert leads[lead_id]["late"] == ("yes" if n % self.every == 0 and n > LATE else None)
        assert self.database.staging() == []

    def check_counts(self, process_errors=""):
        sink, = manifest(self.folder / "m.json")["sinks"]
        changed = len(IDS[::self.every])
        assert (sink["inserted"], sink["updated"], sink["deleted"], sink["gone"]) == (changed, changed * 3, 8, 2), process_errors
        assert [run["status"] for run in self.database.runs()][-1] == "done"


def ended(process, timeout=120):
    _, errors = process.communicate(timeout=timeout)
    return process.returncode, errors.decode()


# --- leadpipe dies -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_without_a_state(leadpipe, database, tmp_path, number):
    with Night(leadpipe, database, tmp_path, hold=HOLD).begun() as night:
        process = night.start()
        night.wait_for_parts()
        process.send_signal(number)
        night.proceed.set()
        status, errors = ended(process)
        assert status == (-number if number == signal.SIGKILL else 128 + number), errors
        night.check_old()
        assert (database.staging() == []) == (number == signal.SIGTERM)
        night.run()  # which also drops what the first one left
        night.check_new()
        night.check_counts()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_with_a_state(leadpipe, database, tmp_path, number):
    with Night(leadpipe, database, tmp_path, hold=HOLD).begun() as night:
        process = night.start("--state", "run.state")
        night.wait_for_a_mark()
        process.send_signal(number)
        night.proceed.set()
        assert ended(process)[0] != 0
        night.check_old()
        asked = night.asked
        done = night.run("--state", "run.state")
        night.check_new()
        night.check_counts(done.stderr)
        assert night.asked - asked < LEADS and "resumed" in done.stderr


# --- the server dies ---------------------------------------------------------------------------------------

WALWRITER = "select pid from pg_stat_activity where backend_type = 'walwriter'"


def crash(database):
    """As when the server's machine loses power, or its kernel ends one of its processes. It is up again afterwards."""
    victim = database.value(WALWRITER)
    os.kill(int(victim), signal.SIGKILL)
    databases.wait_until(lambda: answer(database, WALWRITER) not in ("", victim), 60)


def answer(database, sql):
    """Nothing while the server does not answer."""
    return subprocess.run(["psql", "-X", "-At", "-c", sql], env=database.env, capture_output=True, text=True).stdout.strip()


def test_server_crashes(leadpipe, database, tmp_path):
    """Unlogged tables are emptied: their rows are sent again."""
    with Night(leadpipe, database, tmp_path, hold=HOLD).begun() as night:
        process = night.start()
        night.wait_for_parts()
        crash(database)
        night.proceed.set()
        status, errors = ended(process)
        assert status == 0, errors
        assert "loading them again" in errors
        night.check_new()
        night.check_counts(errors)


def test_server_is_away_for_a_while(leadpipe, database, tmp_path, cluster):
    with Night(leadpipe, database, tmp_path, hold=HOLD).begun() as night:
        process = night.start()
        night.wait_for_parts()
        cluster.stop("fast")
        night.proceed.set()
        time.sleep(0.5)
        cluster.begin()
        status, errors = ended(process)
        assert status == 0, errors
        night.check_new()
        night.check_counts(errors)


@pytest.mark.nightly
@pytest.mark.parametrize("phase", ["load", "commit"])
def test_server_stays_away(leadpipe, database, tmp_path, cluster, phase):
    """It is waited for once, whatever it was that the run was at."""
    with Night(leadpipe, database, tmp_path, hold=HOLD if phase == "load" else None).begun() as night:
        database.run(GATE)
        with closed_gate(database) if phase == "commit" else contextlib.nullcontext():
            process = night.start("--state", "run.state")
            if phase == "commit":
                databases.wait_until(lambda: waits_in_commit(database))
            else:
                night.wait_for_parts()
            began = time.monotonic()
            cluster.stop("immediate" if phase == "commit" else "fast")
        night.proceed.set()
        try:
            status, errors = ended(process, 600)
            assert status == 1 and 295 < time.monotonic() - began < 360, errors
        finally:
            cluster.begin()
        assert "gave up after 5m without a connection" in errors
        assert [errors.count("still no connection after %dm; giving up at 5m" % n) for n in range(1, 6)] == [1, 1, 1, 1, 0]


def test_connections_are_cut(leadpipe, database, tmp_path):
    with Night(leadpipe, database, tmp_path, hold=HOLD).begun() as night:
        process = night.start()
        night.wait_for_parts()
        for _ in range(3):
            database.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leadpipe'")
            night.hold += LEADS // 7
            night.proceed.set()
            night.proceed.clear()
            time.sleep(0.1)
        night.proceed.set()
        status, errors = ended(process)
        assert status == 0, errors
        night.check_new()
        night.check_counts(errors)


def test_state_and_crash(leadpipe, database, tmp_path):
    """Both die: the rows are nowhere, and the run says so instead of publishing the rest."""
    with Night(leadpipe, database, tmp_path, hold=HOLD).begun() as night:
        process = night.start("--state", "run.state")
        night.wait_for_a_mark()
        process.kill()
        night.proceed.set()
        ended(process)
        crash(database)
        done = night.run("--state", "run.state", status=2)
        assert "no longer in the database" in done.stderr and "--fresh" in done.stderr
        night.check_old()
        night.run("--state", "run.state", "--fresh")
        night.check_new()


# --- between prepare and commit ------------------------------------------------------------------------------

GATE = """create table gate (a int); create function wait() returns trigger language plpgsql as
$$ begin perform a from public.gate; return null; end $$;
create constraint trigger late after insert or update on leads deferrable initially deferred
for each row execute function wait()"""


@contextlib.contextmanager
def locked(database, table, mode):
    holder, _ = database.start("")
    holder.stdin.write("begin; lock table %s in %s mode; select 'locked';\n" % (table, mode))
    holder.stdin.flush()
    assert holder.stdout.readline().strip() == "locked"
    try:
        yield
    finally:
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close()
        holder.stderr.close()


def closed_gate(database):
    """The commit waits within the server, before it has happened."""
    return locked(database, "gate", "access exclusive")


def waits_in_commit(database):
    return database.value("select count(*) from pg_stat_activity where query like 'commit%' and wait_event_type = 'Lock'") == "1"


def test_connection_cut_while_the_run_opens(leadpipe, database, tmp_path):
    """Before the first lead, while it waits for its row in `_leadpipe_runs`."""
    with Night(leadpipe, database, tmp_path).begun() as night:
        with locked(database, "_leadpipe_runs", "exclusive"):
            process = night.start()
            cut = "0"
            for _ in range(2):
                waits = "select pid from pg_stat_activity where application_name = 'leadpipe' and wait_event_type = 'Lock' and pid <> %s" % cut
                databases.wait_until(lambda: database.value(waits))
                cut = database.value(waits)
                database.run("select pg_terminate_backend(%s)" % cut)
        status, errors = ended(process)
        assert status == 0, errors
        night.check_new()
        night.check_counts(errors)


@pytest.mark.parametrize("state", [[], ["--state", "run.state"]])
def test_killed_in_the_commit(leadpipe, database, tmp_path, state):
    with Night(leadpipe, database, tmp_path).begun() as night:
        database.run(GATE)
        night.before = database.dump()
        with closed_gate(database):
            process = night.start(*state)
            databases.wait_until(lambda: waits_in_commit(database))
            process.kill()
            ended(process)
            database.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leadpipe'")
        night.check_old()
        asked = night.asked
        night.run(*state)
        night.check_new()
        night.check_counts()
        assert (night.asked == asked) == bool(state)  # it was at its end: nothing is fetched again


# Refuses the rows of the second version only.
REFUSES = """create function refuse() returns trigger language plpgsql as $$ begin
if new.first_name = 'v2' then raise exception 'not tonight'; end if; return new; end $$;
create trigger refuse before insert or update on leads for each row execute function refuse()"""


@pytest.mark.parametrize("how", ["killed", "killed in the commit", "merge fails"])
def test_fresh_drops_the_staging_of_what_it_discards(leadpipe, database, tmp_path, how):
    state = ["--state", "run.state"]
    with Night(leadpipe, database, tmp_path, hold=HOLD if how == "killed" else None).begun() as night:
        database.run(REFUSES if how == "merge fails" else GATE)
        if how == "merge fails":
            assert "not tonight" in night.run(*state, status=1).stderr
            database.run("drop trigger refuse on leads")
        elif how == "killed":
            process = night.start(*state)
            night.wait_for_a_mark()
            process.kill()
            ended(process)
        else:
            with closed_gate(database):
                process = night.start(*state)
                databases.wait_until(lambda: waits_in_commit(database))
                process.kill()
                ended(process)
                database.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leadpipe'")
        night.proceed.set()
        assert database.staging() != [] and database.runs()[-1]["status"] == "loading"
        night.run(*state, "--fresh")
        night.check_new()  # no staging tables either
        assert [run["status"] for run in database.runs()] == ["done", "abandoned", "done"]


def test_a_run_that_is_not_discarded_keeps_its_staging(leadpipe, database, tmp_path):
    with Night(leadpipe, database, tmp_path, hold=HOLD).begun() as night:
        process = night.start("--state", "run.state")
        night.wait_for_a_mark()
        process.kill()
        ended(process)
        night.proceed.set()
        staged = database.staging()
        for more in ([], ["--state", "other.state", "--fresh"]):
            night.run(*more)
            assert staged and set(database.staging()) == set(staged)
        database.run("update _leadpipe_runs set updated_at = now() - interval '8 days' where status = 'loading'")
        night.run()
        assert database.staging() == []


@pytest.mark.parametrize("killed", [False, True])
def test_the_guard_was_asked_before_the_commit(leadpipe, database, tmp_path, killed):
    """Once the end is decided, other outputs may be visible: whatever the tables hold then, the rows come in."""
    with Night(leadpipe, database, tmp_path).begun() as night:
        night.every = 1     # leads that have not changed are not loaded, and so are deleted after the run
        database.run(GATE)
        more = ["--state", "run.state", "--max-gone", "1%"]
        with closed_gate(database):
            process = night.start(*more)
            databases.wait_until(lambda: waits_in_commit(database))
            process.send_signal(signal.SIGSTOP)
            database.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leadpipe'")
            left = ["l%d" % n for n in range(7, 17)]  # with l7 and l8, two of these ten are gone
            database.run("delete from leads where not lead_id = any (array%r)" % left)
            if killed:
                process.kill()
            process.send_signal(signal.SIGCONT)
        status, errors = ended(process)
        assert killed or status == 0, errors
        if killed:
            night.run(*more)
        night.check_new()
        assert database.runs()[-1]["leads_gone"] == 2


@pytest.mark.parametrize("how", ["cut", "crash"])
def test_lost_in_the_commit(leadpipe, database, tmp_path, how):
    """The connection, or the server, dies while the transaction is committed, and it was not."""
    with Night(leadpipe, database, tmp_path).begun() as night:
        database.run(GATE)
        with closed_gate(database):
            process = night.start()
            databases.wait_until(lambda: waits_in_commit(database))
            if how == "cut":
                database.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leadpipe'")
            else:
                crash(database)
        status, errors = ended(process)
        assert status == 0, errors
        night.check_new()
        night.check_counts(errors)


@pytest.mark.parametrize("how", ["cut", "append", "resumed", "killed"])
def test_answer_of_the_commit_is_lost(leadpipe, database, tmp_path, cluster, how):
    """It was committed, and the client does not hear of it: a standby that does not answer is waited for."""
    one = Night(leadpipe, database, tmp_path)
    if how == "append":
        one.options = "mode=append,commit-rows=60"
    with one.begun() as night:
        database.run("alter database %s set synchronous_commit to local; alter role etl in database %s reset synchronous_commit" %
                     (database.name, database.name))
        user = "writer%d" % random.randrange(10**9)
        database.run("create role %s login superuser; alter role %s set synchronous_commit to on" % (user, user))
        night.database = Other(database, user)
        night.hold = HOLD
        state = ["--state", "run.state"] if how in ("resumed", "killed") else []
        process = night.start(*state)
        if how == "resumed":  # what was loaded before is not on this machine
            night.wait_for_a_mark()
            process.kill()
            ended(process)
            asked = night.asked
            process = night.start(*state)
            databases.wait_until(lambda: night.asked > asked)
        night.wait_for_parts(1)
        database.run("alter system set synchronous_standby_names to 'nobody'")
        database.run("select pg_reload_conf()")
        night.proceed.set()
        try:
            databases.wait_until(lambda: database.value("select count(*) from pg_stat_activity where wait_event = 'SyncRep' and "
                                                        "query like 'commit%'") == "1")
            if how == "killed":
                process.kill()
                ended(process)
            database.run("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
        finally:
            database.run("alter system reset synchronous_standby_names")
            database.run("select pg_reload_conf()")
        if how != "killed":
            status, errors = ended(process)
            assert status == 0 and "loading them again" not in errors, errors
        asked = night.asked
        if how == "killed":
            night.run(*state)
        check_committed_once(night, asked)


def check_committed_once(night, asked):
    runs = night.database.runs()
    assert night.asked == asked and [run["status"] for run in runs] == ["done", "done"]
    assert night.database.staging() == []
    if "append" in night.options:
        rows = int(night.database.value("select (select count(*) from leads) + (select count(*) from documents) + "
                                        "(select count(*) from matching_leads)"))
        assert rows == sum(run["rows_inserted"] for run in runs)
        return
    night.check_new()
    assert (runs[-1]["rows_inserted"], runs[-1]["rows_updated"]) == (len(IDS[::3]), 3 * len(IDS[::3]))


class Other:
    """The same database as somebody else."""

    def __init__(self, database, user):
        self._database, self._user = database, user

    def target(self, options=""):
        return self._database.target(options, self._user)

    def __getattr__(self, name):
        return getattr(self._database, name)


# --- a server that does not answer ---------------------------------------------------------------------------

@pytest.mark.parametrize("signals", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_stopped_while_the_server_hangs(leadpipe, database, tmp_path, signals):
    """SIGTERM ends a run whose merge waits for somebody's lock, within its time; a second one at once."""
    with Night(leadpipe, database, tmp_path).begun() as night:
        holder, _ = database.start("")
        holder.stdin.write("begin; lock table leads in access exclusive mode; select 'locked';\n")
        holder.stdin.flush()
        assert holder.stdout.readline().strip() == "locked"
        process = night.start()
        databases.wait_until(lambda: database.value(
            "select count(*) from pg_stat_activity where application_name = 'leadpipe' and wait_event_type = 'Lock'") == "1")
        began = time.monotonic()
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        status, errors = ended(process, 40)
        assert status in (128 + signal.SIGTERM, -signal.SIGTERM), errors
        assert time.monotonic() - began < (25 if signals == 1 else 5), errors
        holder.stdin.close()
        holder.wait(20)
        holder.stdout.close()
        holder.stderr.close()
        night.check_old()
        night.run()
        night.check_new()


# --- chance --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", [pytest.param(seed, marks=pytest.mark.nightly) for seed in range(100)])
def test_anything_at_any_time(leadpipe, database, tmp_path, seed):
    """leadpipe, a connection or the server dies, at any time, again and again: old or new, never half."""
    dice = random.Random(seed)
    with Night(leadpipe, database, tmp_path).begun() as night:
        for _ in range(3):
            process = night.start("--state", "run.state")
            timer = threading.Timer(dice.uniform(0.05, 1.5), lambda: None)
            timer.start()
            timer.join()
            fault = dice.choice(["kill", "kill", "cut", "term"])
            if fault == "cut":
                database.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leadpipe'")
            else:
                process.send_signal(signal.SIGKILL if fault == "kill" else signal.SIGTERM)
            status, errors = ended(process)
            assert status in (0, -9, -15, 128 + 15), (seed, errors)  # -15: before its first line
            if status != 0 and len(database.ask("select 1 as a from leads where first_name = 'v2'")) == 0:
                night.check_old()
            elif database.ask("select 1 as a from leads where first_name = 'v2'"):
                night.check_new()
                return
        night.run("--state", "run.state")
        night.check_new()


def test_payloads_are_what_they_should_be():
    assert json.loads(lead("a", 1, 2, late="x"))["lead"]["late"] == "x"
