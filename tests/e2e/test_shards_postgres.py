"""Shards of one run into a PostgreSQL database: the tables change with the last one, and then they are those of one run."""

import json
import random
import shutil
import signal
import subprocess

import pytest

import databases
import warehouse_nights as nights
from conftest import BINARY, SANITIZER, clean_environment
from outputs import ids_file, manifest, omni_payloads, provider_of
from test_shards import shard_of
from test_warehouse_nights import flattened

KEY = {"OMNI_API_KEY": "k", "CONVOCORE_API_KEY": "k"}

nightly = pytest.mark.nightly
cluster = pytest.fixture(scope="module")(databases.postgres_cluster)


@pytest.fixture
def database(cluster):
    return databases.Database(cluster)


def content(database, schema):
    """What is in the tables, but for which run has written it, and when. Columns are called by the members that they are of:
    which of two with the same name gets a number depends on which is found first."""
    found, names = {}, {}
    if database.value("select count(*) from pg_namespace where nspname = '%s'" % schema) == "0":
        return found
    for row in database.ask("select * from %s._leadpipe_columns where source <> ''" % schema):
        names[row["table_name"], row["column_name"]] = row["source"]
    for table, (columns, rows) in database.dump(schema).items():
        kept = []
        for row in map(json.loads, rows):
            row.pop("_run_id"), row.pop("_exported_at")
            if "_deleted_at" in row:
                row["_deleted_at"] = row["_deleted_at"] is not None
            kept.append(json.dumps({names.get((table, name), name): value for name, value in row.items()}, sort_keys=True))
        found[table] = ({names.get((table, name), name): kind for name, kind in columns.items()}, sorted(kept))
    return found


class Shards:
    """The same list, as one run (schema `whole`) and as shards (schema `parts`)."""

    def __init__(self, leadpipe, database, of=3, options="", provider="omni", more=()):
        self.leadpipe, self.database, self.of, self.options, self.provider, self.more = leadpipe, database, of, options, provider, more

    def words(self, url, *more, schema="parts", options=None):
        options = self.options if options is None else options
        return ["export", "-p", self.provider, "--base-url", url, "-t",
                self.database.target("schema=%s%s" % (schema, "," + options if options else "")), *self.more, *more]

    def whole(self, url, *more, statuses=(0,)):
        done = self.leadpipe(*self.words(url, *more, schema="whole"), "ids.txt", env=KEY)
        assert done.returncode in statuses, done.stderr

    def one(self, url, index, *more, statuses=(0,), of=None, ids="ids.txt", options=None):
        words = self.words(url, "--shard", "%d/%d" % (index, of or self.of), *more, options=options)
        done = self.leadpipe(*words, "--summary-file", "summary.json", "-v", ids, env=KEY)
        assert done.returncode in statuses, done.stderr
        done.summary = json.loads((self.leadpipe.folder / "summary.json").read_text())
        done.sink = done.summary["sinks"][0]
        return done

    def all(self, url, *more, order=None, **named):
        for index in order or range(self.of):
            last = self.one(url, index, *more, **named)
        return last

    def tables(self):
        return content(self.database, "parts")

    def check(self, at_end=True):
        """As one run; and nothing is left, once all has ended."""
        want, got = content(self.database, "whole"), self.tables()
        assert got.keys() == want.keys() and sum(len(rows) for _, rows in want.values()) > 0
        for table, (columns, rows) in want.items():
            assert got[table][0] == columns, table
            assert got[table][1] == rows, table
        assert self.database.staging() == [] or not at_end

    def statuses(self):
        """Of the latest run of each shard."""
        return {int(run["shard"]): run["status"] for run in self.database.runs("parts")}


def leads(n, version=1, gone=()):
    """Payloads whose undocumented members differ from lead to lead, and are found in another order in each shard."""
    found = {}
    for i in range(n):
        one = random.Random("%d %d" % (i, version % 2 if i % 3 else 0))
        members = {"new%02d" % one.randrange(30): one.random() for _ in range(4)}
        documents = [{"id": "d%d" % k, "filename": "v%d" % one.randrange(9), "size": k, "odd%d" % one.randrange(5): k}
                     for k in range(one.randrange(4))]
        if "lead-%d" % i not in gone:
            found["lead-%d" % i] = json.dumps({"lead": {"id": "lead-%d" % i, "firstName": str(one.random()),
                                                        "createdAt": "soon" if i % 7 == 0 else "2026-01-30T02:00:00Z", **members},
                                               "documents": documents}).encode()
    return found


def served(payloads):
    """What is put into `payloads` later is served, too: another server would be another run."""
    return provider_of(omni_payloads(payloads))


def become(payloads, others):
    payloads.clear()
    payloads.update(others)


@pytest.mark.parametrize("of", [2, *(pytest.param(of, marks=nightly) for of in (1, 9))])
def test_a_reader_sees_nothing_before_the_last(leadpipe, database, of):
    """In any order, and also if some shards have no leads."""
    payloads = leads(30) if of < 9 else leads(5)
    ids_file(leadpipe.folder, [*payloads, "gone"])
    shards = Shards(leadpipe, database, of)
    order = random.Random(of).sample(range(of), of)
    with served(payloads) as server:
        shards.whole(server.url)
        for n, index in enumerate(order[:-1]):
            done = shards.one(server.url, index)
            due = [i for i in range(of) if i not in order[:n + 1]]
            assert shards.tables() == {}
            assert done.sink["inserted"] == 0 and done.sink["shards_merged"] == 0
            if len(due) == 2:
                assert done.sink["waits_for_shards"] == "%d and %d of %d" % (*due, of)
                assert "loaded; the tables change when shards %d and %d of %d are done" % (*due, of) in done.stderr
        done = shards.one(server.url, order[-1])
    assert done.sink["shards_merged"] == of and done.sink["waits_for_shards"] is None and done.sink["inserted"] >= len(payloads)
    shards.check()
    assert shards.statuses() == dict.fromkeys(range(of), "done")


# ---- as one run -------------------------------------------------------------------------------

@pytest.mark.parametrize("provider, options", [
    ("omni", "deletes=mark"), ("convocore", "mode=replace"),
    *(pytest.param("omni", way, marks=nightly) for way in ("mode=append", "mode=replace", "deletes=delete", "types=text")),
    *(pytest.param("convocore", way, marks=nightly) for way in ("mode=append", "deletes=mark"))])
def test_two_nights(leadpipe, database, provider, options):
    """Leads of every odd shape, of which some fail, change, come and go: every cell, column and type is that of one run."""
    data = flattened(provider, 40)
    param = ["--param", "agentId=" + nights.AGENT] if provider == "convocore" else []
    shards = Shards(leadpipe, database, 3, options, provider, [*param, "--id-format", "lines", "--attempts", "1", "--max-gone", "100%"])
    for night in range(2):
        ids_file(leadpipe.folder, data.nights.bodies[night])
        with provider_of(data.nights.answer(night)) as server:
            shards.whole(server.url, statuses=(0, 3))
            before = shards.tables()
            for index in (2, 0):
                shards.one(server.url, index, statuses=(0, 3))
                assert shards.tables() == before
            done = shards.one(server.url, 1, statuses=(0, 3))
        shards.check()
        counts = database.ask("select rows_inserted as i, rows_updated as u, rows_deleted as d, leads_gone as g from whole._leadpipe_runs "
                              "order by started_at desc limit 1")[0]
        assert (done.sink["inserted"], done.sink["updated"], done.sink["deleted"], done.sink["gone"]) == tuple(
            int(counts[name]) for name in "iudg")
    if options == "mode=append":
        assert int(database.value("select count(distinct _run_id) from parts.leads")) == 2


def test_at_the_same_time_into_two_targets(leadpipe, database):
    """Each of two sinks locks out the other shards: none waits for one that waits for it."""
    payloads = leads(60)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 4)
    with served(payloads) as server:
        shards.whole(server.url)
        for night in range(2):
            running = [leadpipe.start(*shards.words(server.url, "--shard", "%d/4" % index, "-t",
                                                    database.target("schema=second,mode=append")), "ids.txt", env=KEY)
                       for index in range(4)]
            for one in running:
                _, errors = one.communicate(timeout=60)
                assert one.returncode == 0, errors.decode()
            shards.check()
    found = content(database, "second")
    for table, (columns, rows) in content(database, "whole").items():
        assert found[table] == (columns, sorted(rows * 2)), table
    assert [run["status"] for run in database.runs("second")] == ["done"] * 8


# ---- which shards belong together -------------------------------------------------------------

@pytest.mark.parametrize("how", ["list", "name", *(pytest.param(how, marks=nightly) for how in ("number", "options", "sink", "no name"))])
def test_others_do_not_join(leadpipe, database, how):
    payloads = leads(20)
    ids_file(leadpipe.folder, payloads)
    ids_file(leadpipe.folder, [*payloads, "plain-more"], "other.txt")
    shards = Shards(leadpipe, database, 2)
    name = ["--shard-run", "tonight"]
    with served({**payloads, "plain-more": leads(1)["lead-0"].replace(b"lead-0", b"plain-more")}) as server:
        shards.whole(server.url)
        shards.one(server.url, 0, *name)
        others = {"list": dict(ids="other.txt"), "number": dict(of=3), "sink": dict(options="types=text")}.get(how, {})
        more = {"options": [*name, "--signed-urls", "keep"], "name": ["--shard-run", "another"], "no name": []}.get(how, name)
        done = shards.one(server.url, 1, *more, **others)
        assert done.sink["waits_for_shards"] == ("0 of 2" if how != "number" else "0 and 2 of 3") and shards.tables() == {}
        done = shards.one(server.url, 1, *name)
        assert done.sink["shards_merged"] == 2
        assert ("had loaded of another list was discarded" in done.stderr) == (how == "list")
        want, got = content(database, "whole"), shards.tables()
        assert want == got
        # The other set may still be complete; but of the same shard only the latest list counts.
        assert (database.staging() == []) == (how == "list")


def test_a_shard_is_run_again(leadpipe, database):
    """What it had loaded no longer counts: from when it begins, or else at its end."""
    payloads = leads(20, 2)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2)
    with served(payloads) as server:
        shards.one(server.url, 0)
        become(payloads, leads(20))
        shards.whole(server.url)
        waiting = leadpipe.start(*shards.words(server.url, "--shard", "0/2"), env=KEY, stdin=subprocess.PIPE)
        databases.wait_until(lambda: [run["status"] for run in database.runs("parts")] == ["abandoned", "loading"])
        done = shards.one(server.url, 1)  # while that one is at work
        assert done.sink["waits_for_shards"] == "0 of 2"
        waiting.communicate("".join(one + "\n" for one in payloads).encode(), timeout=60)
        assert waiting.returncode == 0
    shards.check()


@nightly
def test_twice_at_the_same_time(leadpipe, database):
    """A pod that was taken for dead: whichever is loaded later takes the place of the other one."""
    payloads = leads(20)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2)
    listed = "".join(one + "\n" for one in payloads).encode()
    with served(payloads) as server:
        shards.whole(server.url)
        twins = [leadpipe.start(*shards.words(server.url, "--shard", "0/2"), env=KEY, stdin=subprocess.PIPE) for _ in range(2)]
        databases.wait_until(lambda: [run["status"] for run in database.runs("parts")] == ["loading"] * 2)
        for one in twins:
            one.communicate(listed, timeout=60)
            assert one.returncode == 0
        assert sorted(run["status"] for run in database.runs("parts")) == ["abandoned", "loaded"]
        shards.one(server.url, 1)
    shards.check()


@pytest.mark.parametrize("name", [[], pytest.param(["--shard-run", "tonight"], marks=nightly)])
def test_of_another_night(leadpipe, database, name):
    payloads = leads(20, 2)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 3)
    with served(payloads) as server:
        shards.one(server.url, 0, *name)
        shards.one(server.url, 2, *name)
        database.run("update parts._leadpipe_runs set loaded_at = loaded_at - interval '13 hours'")
        become(payloads, leads(20))
        shards.whole(server.url)
        done = shards.one(server.url, 1, *name)
        if name:
            assert done.sink["shards_merged"] == 3
            return
        assert "shard 1 of 3 has not been done" in done.stderr and shards.tables() == {}
        assert done.sink["waits_for_shards"] == "0 and 2 of 3"
        database.run("update parts._leadpipe_runs set loaded_at = loaded_at - interval '11 hours' where status = 'loaded'")
        shards.one(server.url, 0)
        shards.one(server.url, 2)
    shards.check()


@pytest.mark.skipif(SANITIZER is not None or not shutil.which("cc"), reason="a library is compiled, and loaded before all others")
def test_a_clock_that_is_a_day_fast(leadpipe, database):
    """That is no reason to discard what the other shards have just loaded."""
    source = leadpipe.folder.parent / "fast.c"
    source.write_text("#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <time.h>\nint clock_gettime(clockid_t id, struct timespec *t)\n{\n"
                      "    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, \"clock_gettime\");\n    int rc = real(id, t);\n"
                      "    t->tv_sec += id == CLOCK_REALTIME ? 86400 : 0;\n    return rc;\n}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", source.with_suffix(".so"), source], check=True)
    payloads = leads(20)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2)
    with served(payloads) as server:
        shards.whole(server.url)
        shards.one(server.url, 0)
        done = leadpipe(*shards.words(server.url, "--shard", "1/2"), "ids.txt", env={**KEY, "LD_PRELOAD": str(source.with_suffix(".so"))})
        assert done.returncode == 0 and "discarded" not in done.stderr
    shards.check()


@nightly
def test_nobody_comes_for_a_week(leadpipe, database):
    payloads = leads(8)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2)
    with served(payloads) as server:
        shards.one(server.url, 0, "--shard-run", "one")
        staged = database.staging()
        shards.one(server.url, 0, "--shard-run", "two")
        assert set(staged) < set(database.staging())
        database.run("update parts._leadpipe_runs set updated_at = updated_at - interval '8 days' where shard_run = 'one'")
        words = shards.words(server.url)
        assert leadpipe(*words, "ids.txt", env=KEY).returncode == 0  # a run of all leads
        assert len(database.staging()) == len(staged) and not set(staged) & set(database.staging())


def test_a_named_run_is_done_once(leadpipe, database):
    """A shard that is run again after all were done, because its end was not seen, changes nothing."""
    payloads = leads(20)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2, "mode=append")
    with served(payloads) as server:
        shards.whole(server.url)
        for index in (0, 1):
            shards.one(server.url, index, "--shard-run", "tonight")
        shards.check()
        for index in (1, 0):
            done = shards.one(server.url, index, "--shard-run", "tonight")
            assert done.sink["shards_merged"] == 0 and done.sink["waits_for_shards"] is None
            shards.check()
        for index in (0, 1):
            shards.one(server.url, index, "--shard-run", "tomorrow")
        shards.whole(server.url)
    shards.check()


# ---- what the last one decides ----------------------------------------------------------------

def test_max_gone(leadpipe, database):
    payloads = leads(40)
    gone = {"lead-%d" % i for i in range(12)}
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2, "deletes=delete")
    with served(payloads) as server:
        shards.whole(server.url)
        shards.all(server.url)
    before = shards.tables()
    with served(leads(40, gone=gone)) as server:
        shards.whole(server.url, "--max-gone", "12")
        shards.one(server.url, 0, "--max-gone", "11")
        done = shards.one(server.url, 1, "--max-gone", "11", statuses=(3,))
        assert "12 of the 40 leads in its tables are gone" in done.stderr and shards.tables() == before
        assert not done.summary["published"]
        done = shards.one(server.url, 1, "--max-gone", "12")
        assert done.sink["gone"] == 12
    shards.check()


@pytest.mark.parametrize("options", ["mode=replace", pytest.param("deletes=delete", marks=nightly)])
def test_no_shard_has_found_a_lead(leadpipe, database, options):
    """Then the tables stay; one that has found none is loaded all the same."""
    payloads = leads(20)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2, options, more=["--max-gone", "100%"])
    with served(payloads) as server:
        shards.whole(server.url)
        shards.all(server.url)
    before, some = shards.tables(), {}
    with served(some) as server:
        shards.one(server.url, 1)
        done = shards.one(server.url, 0, statuses=(3,))
        assert shards.tables() == before and "no shard has found a lead" in done.stderr
        some.update({one: body for one, body in payloads.items() if shard_of(one, [], 2) == 0})  # shard 1 is still loaded
        shards.whole(server.url)
        shards.one(server.url, 0)
    shards.check()


@nightly
def test_an_empty_list_is_no_mistake(leadpipe, database):
    """As for one run: with mode=replace the tables are empty then."""
    payloads = leads(8)
    ids_file(leadpipe.folder, payloads)
    shards = Shards(leadpipe, database, 2, "mode=replace")
    with served(payloads) as server:
        shards.all(server.url)
        ids_file(leadpipe.folder, [])
        done = shards.all(server.url)
    assert done.sink["shards_merged"] == 2 and not any(rows for _, rows in shards.tables().values())


# ---- refused ----------------------------------------------------------------------------------

@pytest.mark.parametrize("words, says", [
    (["--shard", "0/2", "--changed-only", "--state", "s"], "--changed-only"),
    (["--shard-run", "x"], "--shard"),
    (["--shard", "0/2", "--shard-run", ""], "--shard-run: NAME must not be empty"),
    (["--shard", "0/2", "--shard-run", "a b"], "--shard-run: the name of a run is"),
    (["--shard", "0/2", "--shard-run", "x" * 201], "--shard-run: the name of a run is"),
])
def test_refused(leadpipe, database, words, says):
    done = leadpipe("export", "-p", "omni", "-t", database.target(), *words, "--id", "a", env=KEY)
    assert done.returncode == 2 and says in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert database.dump() == {}


@pytest.mark.parametrize("env, name", [
    ({"JOB_COMPLETION_INDEX": "1", "JOB_COMPLETIONS": "2"}, None),
    ({"JOB_COMPLETION_INDEX": "1", "JOB_COMPLETIONS": "2", "LEADPIPE_SHARD_RUN": "9f1b-uid"}, "9f1b-uid"),
    ({"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_JOB_ID": "4711"}, "4711"),
    ({"AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ARRAY_SIZE": "2", "AWS_BATCH_JOB_ID": "4711-ab:1"}, "4711-ab"),
    ({"AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ARRAY_SIZE": "2", "AWS_BATCH_JOB_ID": "4 711"}, False),
    ({"JOB_COMPLETION_INDEX": "1", "JOB_COMPLETIONS": "2", "LEADPIPE_SHARD_RUN": "x" * 201}, False),
])
@pytest.mark.parametrize("given", [None, "mine"])
def test_the_name_of_the_job(leadpipe, database, env, name, given):
    payloads = leads(4)
    more = ["--shard-run", given] if given else []
    with served(payloads) as server:
        done = leadpipe("export", "-p", "omni", "--base-url", server.url, "-t", database.target(), "--shard", "auto", *more,
                        input="".join(one + "\n" for one in payloads), env={**KEY, **env})
    if name is False:
        assert done.returncode == 2 and "the name of a run is" in done.stderr, done.stderr
        return
    assert done.returncode == 0, done.stderr
    assert [(run["shard"], run["shards"], run["shard_run"], run["status"]) for run in database.runs()] == [(1, 2, given or name, "loaded")]
