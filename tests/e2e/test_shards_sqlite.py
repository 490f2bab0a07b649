"""Shards of one run into one SQLite database: its tables change with the last one, exactly once, whatever happens to each."""

import fcntl
import os
import random
import signal
import sqlite3
import time

import pytest

import outputs
import rigs
from test_shards import shard_of
from test_sqlite import KEY, RUN_COLUMNS, change_everything, dump, hold, night, no_junk, payload, rows_of, runs_of  # noqa: F401

OF = 3
tmp_path = rigs.in_memory


def shard(night, index, of=OF, options="", *more, status=0):
    """One shard's run; returns what the manifest says of the sink."""
    return night.run(options, "--shard", "%d/%d" % (index, of), *more, status=status)


def all_shards(night, of=OF, options="", *more):
    for index in range(of):
        sink = shard(night, index, of, options, *more)
    assert sink["shards_merged"] == of and sink["waits_for_shards"] is None
    return sink


def loaded(night):
    """The numbers of those that wait for others."""
    names = [path.name for path in night.leadpipe.folder.glob(".leads.db.leadpipe-loaded-*")]
    return sorted(int(name.split("-")[2]) for name in names)


def start(night, index, of=OF, options="", *more):
    arguments = ["m%d.json" % index if word == "m.json" else word for word in night.arguments(options, *more)]
    return night.leadpipe.start(*arguments[:-1], "--shard", "%d/%d" % (index, of), arguments[-1], env=KEY)


def alone(night, options="", *more):
    """The tables after a run without --shard."""
    night.run(options, *more)
    return dump(night.path)


def marks(tables):
    """The time of a mark is that of a run."""
    return {name: [row.replace('"_deleted_at": null', "").split('"_deleted_at": "')[0] + str('"_deleted_at": "' in row)
                   for row in rows] for name, rows in tables.items()}


def ids_of(night, index, of=OF):
    return [one for one in night.ids if shard_of(one, [], of) == index]


# --- as one run -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("provider, of", [("omni", 3), ("convocore", 4), ("omni", 1)])
@pytest.mark.parametrize("types", ["typed", "text"])
def test_tables_are_those_of_one_run(leadpipe, sandbox, control, provider, of, types):
    """Undocumented columns come in another order in each shard."""
    ids = ["plain-%d" % n for n in range(30)] + ["odd-%d" % n for n in range(40)]
    outputs.ids_file(leadpipe.folder, ids)
    for name, shards in (("one", [()]), ("all", [("--shard", "%d/%d" % (i, of)) for i in reversed(range(of))])):
        for words in shards:
            done = leadpipe("export", *sandbox.provider(provider), "-t", "sqlite,types=%s:%s.db" % (types, name), *words,
                            "ids.txt", env=sandbox.env)
            assert done.returncode == 0, done.stderr
    assert dump(leadpipe.folder / "all.db") == dump(leadpipe.folder / "one.db")
    assert sum(map(len, dump(leadpipe.folder / "all.db").values())) > 100
    assert sorted(path.name for path in leadpipe.folder.iterdir() if ".db" in path.name) == ["all.db", "one.db"]


@pytest.mark.parametrize("options", ["deletes=ignore", "deletes=mark", "deletes=delete", "mode=append", "mode=replace"])
def test_nights_are_those_of_one_run(night, options):
    payloads, ids = dict(night.payloads), night.ids
    found = []
    for run in (night.run, lambda options: all_shards(night, OF, options)):
        night.payloads.clear()
        night.payloads.update(payloads)
        night.ids = ids
        run(options)
        first = rows_of(night.path, "leads")
        change_everything(night)
        found.append((run(options), marks(dump(night.path))))
        no_junk(night.leadpipe.folder, "leads.db")
        night.path.unlink()
    (one, tables), (last, of_shards) = found
    assert of_shards == tables and len(first) == 40
    for count in ("inserted", "updated", "deleted", "gone"):
        assert last[count] == one[count], count


def test_names_of_columns_come_in_the_order_of_the_shards(night):
    """Whichever is the last one; a source has one column, whatever each shard has called it."""
    first, last = ids_of(night, 0)[:2], ids_of(night, 2)[:2]
    night.payloads[first[0]] = payload(1, newField="a", other="o")
    night.payloads[first[1]] = payload(2, zeta="z", **{"new_field": "b"})
    night.payloads[last[0]] = payload(3, **{"new_field": "c"})
    night.payloads[last[1]] = payload(4, newField="d", other="p")
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        for index in order:
            shard(night, index)
        found = {row["lead_id"]: row for row in rows_of(night.path, "leads")}
        got = [(found[one]["new_field"], found[one]["new_field_2"], found[one]["other"], found[one]["zeta"]) for one in first + last]
        assert got == [("a", None, "o", None), (None, "b", None, "z"), (None, "c", None, None), ("d", None, "p", None)]
        night.path.unlink()


def test_rows_and_runs_say_which_shard(night):
    all_shards(night, OF, "", "--shard-run", "night-1")
    runs = {run["shard"]: run for run in runs_of(night.path)}
    assert sorted(runs) == [0, 1, 2] and {run["status"] for run in runs.values()} == {"done"}
    for index, run in runs.items():
        assert run["shards"] == OF and run["shard_run"] == "night-1" and run["leads"] == len(ids_of(night, index)) and run["loaded_at"]
    assert runs[2]["rows_inserted"] > 100 and runs[0]["rows_inserted"] == 0
    for row in rows_of(night.path, "leads"):
        run = runs[shard_of(row["lead_id"], [], OF)]
        assert (row["_run_id"], row["_exported_at"]) == (run["run_id"], run["started_at"])
    # A database that earlier runs have made gets the columns; a run without --shard has none of it.
    night.run()
    assert runs_of(night.path)[-1]["shard"] is None


def test_nothing_is_seen_before_the_last_one(night):
    shard(night, 0)
    shard(night, 2)
    assert not night.path.exists() and loaded(night) == [0, 2]
    assert "loaded; the tables change when shard 1 of 3 is done" in night.stderr
    assert night.manifest["sinks"][0]["waits_for_shards"] == "1 of 3" and night.manifest["published"]
    shard(night, 1)
    assert "rows inserted" in night.stderr and "of all shards" in night.stderr
    before = night.path.read_bytes()
    for one in night.ids:
        night.payloads[one] = payload(1, email="second@example.com")
    shard(night, 2)
    shard(night, 1)
    assert night.path.read_bytes() == before
    shard(night, 0)
    assert {row["email"] for row in rows_of(night.path, "leads")} == {"second@example.com"}
    no_junk(night.leadpipe.folder, "leads.db")


def test_shards_without_leads(night):
    """Each counts, or the set would never be complete."""
    night.ids = night.ids[:3]
    all_shards(night, 12)
    assert len(rows_of(night.path, "leads")) == 3 and len(runs_of(night.path)) == 12


@pytest.mark.parametrize("options", ["mode=replace", "deletes=delete"])
def test_no_shard_finds_a_lead(night, options):
    """As with one run: the tables do not change."""
    night.run(options)
    before = dump(night.path)
    night.payloads.clear()
    for index in (0, 1):
        shard(night, index, OF, options, "--max-missing", "100%", "--max-gone", "100%")
    shard(night, 2, OF, options, "--max-missing", "100%", "--max-gone", "100%", status=3)
    assert not night.manifest["published"] and dump(night.path) == before and loaded(night) == [0, 1]


def test_an_empty_list_is_a_list(night):
    night.run("mode=replace")
    night.ids = []
    all_shards(night, 2, "mode=replace")
    assert rows_of(night.path, "leads") == []


# --- at the same time --------------------------------------------------------------------------------------

def finish(processes):
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


@pytest.mark.parametrize("existing", [False, True])
def test_at_the_same_time(night, existing):
    want = alone(night, "deletes=delete")
    if existing:
        change_everything(night)
        database = night.path.read_bytes()
        want = alone(night, "deletes=delete")
        night.path.write_bytes(database)
    else:
        night.path.unlink()
    finish([start(night, index, 5, "deletes=delete") for index in range(5)])
    assert dump(night.path) == want and len(runs_of(night.path)) == 5 + existing
    merged = [outputs.manifest(night.leadpipe.folder / ("m%d.json" % index))["sinks"][0]["shards_merged"] for index in range(5)]
    assert sorted(merged) == [0, 0, 0, 0, 5]
    no_junk(night.leadpipe.folder, "leads.db")


def test_two_databases_of_one_command(night):
    """Shards lock one after the other, so that none waits for one that waits for it."""
    for _ in range(3):
        finish([start(night, index, 4, "", "-t", "sqlite,types=text:other-leads.db") for index in range(4)])
    assert len(rows_of(night.path, "leads")) == len(rows_of(night.leadpipe.folder / "other-leads.db", "leads")) == 40
    no_junk(night.leadpipe.folder, "leads.db", "other-leads.db")


def test_the_same_shard_twice_and_a_run_of_all(night):
    """Only the same shard is kept out. A run without --shard writes its tables while shards wait."""
    gate, begun = hold(night)
    index = shard_of("L9", [], OF)
    first = start(night, index)
    assert begun.wait(30)
    try:
        shard(night, index, status=2)
        assert "process %d) is writing shard %d of 3" % (first.pid, index) in night.stderr
        shard(night, (index + 1) % OF)
    finally:
        gate.set()
    finish([first])
    night.run()
    assert len(rows_of(night.path, "leads")) == 40 and len(loaded(night)) == 2
    night.payloads["L9"] = payload(9, email="later@example.com")
    shard(night, (index + 2) % OF)
    assert len(runs_of(night.path)) == 4 and loaded(night) == []
    no_junk(night.leadpipe.folder, "leads.db")


class Locked:
    """Another shard that merges, for as long as the test likes."""

    def __init__(self, night):
        self.file = open(night.leadpipe.folder / ".leads.db.leadpipe-shards", "w")

    def __enter__(self):
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


def says_that_it_waits(process):
    for line in process.stderr:
        if b"waiting for another shard, which merges" in line:
            return
    raise AssertionError("it does not wait")


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("is_stopped", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_another_shard_that_merges(night, at_end, is_stopped):
    """It is waited for, also at the start, unless the run is stopped."""
    gate, begun = hold(night)
    index = shard_of("L9", [], OF)
    if at_end:
        process = start(night, index)
        assert begun.wait(30)
    with Locked(night):
        if not at_end:
            process = start(night, index)
        gate.set()
        says_that_it_waits(process)
        if is_stopped:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 128 + signal.SIGTERM
    assert is_stopped or process.wait(30) == 0
    assert loaded(night) == ([] if is_stopped else [index])
    shard(night, index)
    assert loaded(night) == [index]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_of_another_user_are_not_merged(night):
    shard(night, 0, 2)
    path, = night.leadpipe.folder.glob(".leads.db.leadpipe-loaded-0-*")
    os.chown(path, 12345, -1)
    shard(night, 1, 2, status=1)
    assert "belongs to another user (12345)" in night.stderr and not night.path.exists()
    os.chown(path, 0, -1)
    shard(night, 1, 2)
    assert len(rows_of(night.path, "leads")) == 40


# --- which belong together ---------------------------------------------------------------------------------

def test_other_lists_counts_options_and_names_do_not_join(night):
    shard(night, 0, 2)
    everyone = night.ids
    night.ids = everyone[:-1]
    shard(night, 1, 2)
    night.ids = everyone
    shard(night, 1, 3)
    shard(night, 2, 3)
    shard(night, 1, 2, "types=text")
    shard(night, 1, 2, "deletes=mark")
    shard(night, 1, 2, "", "--max-columns", "77")
    shard(night, 1, 2, "", "--shard-run", "other")
    assert not night.path.exists() and len(loaded(night)) == 8
    shard(night, 1, 2)
    assert "had loaded of another list was discarded" in night.stderr
    assert len(rows_of(night.path, "leads")) == 40 and len(runs_of(night.path)) == 2
    shard(night, 0, 2, "", "--shard-run", "other")
    assert len(runs_of(night.path)) == 4 and len(loaded(night)) == 5  # not its own of the other list


def test_a_loaded_shard_that_is_run_again(night):
    """What counts is its last run; and not of a list that the shard does not have any more."""
    shard(night, 0, 2)
    changed = ids_of(night, 0, 2)[0]
    night.payloads[changed] = payload(1, email="again@example.com")
    shard(night, 0, 2)
    assert loaded(night) == [0]
    shard(night, 1, 2)
    assert {row["lead_id"]: row for row in rows_of(night.path, "leads")}[changed]["email"] == "again@example.com"
    assert len(runs_of(night.path)) == 2
    # With a name it is known that nothing is left to do.
    all_shards(night, 2, "", "--shard-run", "n")
    shard(night, 0, 2, "", "--shard-run", "n")
    assert "the leads of all shards are in the tables already" in night.stderr and loaded(night) == []
    assert len(runs_of(night.path)) == 4
    no_junk(night.leadpipe.folder, "leads.db")


def age(night, hours):
    for path in night.leadpipe.folder.glob(".leads.db.leadpipe-loaded-*"):
        database = sqlite3.connect(path)
        database.execute("update shard set loaded_ms = loaded_ms - ?", (hours * 3600000,))
        database.commit()
        database.close()


@pytest.mark.parametrize("name, young, old", [((), 11, 13), (("--shard-run", "n"), 160, 170)])
def test_sets_of_another_night(night, name, young, old):
    shard(night, 0, OF, "", *name)
    age(night, young)
    shard(night, 1, OF, "", *name)
    assert loaded(night) == [0, 1]
    age(night, old)
    shard(night, 2, OF, "", *name)
    assert "is given up: shard 2 of 3 was not done" in night.stderr and loaded(night) == [2] and not night.path.exists()


def test_what_a_killed_shard_left_is_removed_after_a_week(night):
    left = night.leadpipe.folder / ".leads.db.leadpipe-shard-7-of-9"
    left.write_bytes(b"x")
    shard(night, 0)
    assert left.exists()
    week = time.time() - 8 * 86400
    os.utime(left, (week, week))
    shard(night, 1)
    assert not left.exists()


# --- refusals ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("state", [False, True])
def test_too_many_gone_in_all_shards(night, state):
    night.run("deletes=delete")
    before = dump(night.path)
    for number in range(20, 26):
        del night.payloads["L%d" % number]
    more = ("--max-gone", "5")
    for index in (0, 1):
        shard(night, index, OF, "deletes=delete", *more)
    states = ("--state", "s") if state else ()
    shard(night, 2, OF, "deletes=delete", *more, *states, status=3)
    assert "6 of the 40 leads" in night.stderr and dump(night.path) == before and loaded(night) == [0, 1]
    assert shard(night, 2, OF, "deletes=delete", "--max-gone", "6", *states)["gone"] == 6
    assert len(rows_of(night.path, "leads")) == 34
    no_junk(night.leadpipe.folder, "leads.db")


@pytest.mark.parametrize("damage", ["rows", "record", "bytes"])
def test_damaged_rows_are_not_merged(night, damage):
    want = alone(night)
    night.path.unlink()
    shard(night, 0)
    shard(night, 1)
    path, = night.leadpipe.folder.glob(".leads.db.leadpipe-loaded-0-*")
    if damage == "bytes":
        path.write_bytes(b"SQLite?" + path.read_bytes()[7:])
    else:
        database = sqlite3.connect(path)
        database.execute("delete from s0 where rowid = 1" if damage == "rows" else "update shard set shard_set = 'x'")
        database.commit()
        database.close()
    shard(night, 2, status=1)
    assert "what shard 0 of 3 has loaded is damaged, and was removed: run it again, and then this shard" in night.stderr
    assert not night.path.exists() and loaded(night) == [1]
    shard(night, 0)
    shard(night, 2)
    assert dump(night.path) == want
    no_junk(night.leadpipe.folder, "leads.db")


# --- kills ---------------------------------------------------------------------------------------------------

class Calls:
    """The last of two shards, whose calls on the disk are counted, and one of them is its last."""

    def __init__(self, night, last, state, existing):
        self.night, self.folder, self.last = night, night.leadpipe.folder, last
        self.more = ("--state", "s") if state else ()
        if existing:
            night.run("mode=append")
        self.tables = night.path.read_bytes() if existing else None
        self.before = dump(night.path) if existing else None
        night.run("mode=append")
        self.want = dump(night.path)
        self.log = self.folder.parent / (self.folder.name + ".calls")

    def begin(self):
        for path in [*self.folder.glob("*leads.db*"), *self.folder.glob("s*"), *self.folder.glob("m.json*")]:
            path.unlink()
        if self.tables:
            self.night.path.write_bytes(self.tables)
        if self.last:
            shard(self.night, 0, 2, "mode=append")
            (self.folder / "m.json").unlink()

    def run(self, rules=None):
        arguments = self.night.arguments("mode=append", *self.more)
        env = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(self.folder), "FAULTFS_LOG": str(self.log)}
        env.update({"FAULTFS_RULES": rules} if rules else {"FAULTFS_LOG_ALL": "1"})
        return self.night.leadpipe(*arguments[:-1], "--shard", "1/2", arguments[-1], env={**KEY, **env})

    def count(self):
        self.begin()
        assert self.run().returncode == 0
        return len([line for line in self.log.read_text().splitlines() if line])

    def found(self):
        return dump(self.night.path) if self.night.path.exists() else None


def killed_at(night, number, calls):
    """Kills the second shard at that call, runs it again, and then the first one, if the tables have yet to change."""
    calls.begin()
    done = calls.run("op=any from=%d to=%d kill=before" % (number, number))
    assert done.returncode in (-signal.SIGKILL, 0), done.stderr
    assert calls.found() in (calls.before, calls.want), number
    was_merged, was_over = calls.found() == calls.want, (calls.folder / "m.json").exists()
    shard(night, 1, 2, "mode=append", *calls.more)
    if calls.last:
        assert calls.found() == calls.want, number
    # Without a state, and if all was over, it is another run: it waits for others.
    again = was_merged and (not calls.more or (was_over and loaded(night) == [1]))
    assert loaded(night) == ([1] if again or not calls.last else []), number
    if not calls.last:
        assert calls.found() == calls.before
        shard(night, 0, 2, "mode=append")
        assert calls.found() == calls.want, number
    if not again:
        no_junk(night.leadpipe.folder, "leads.db")
    return was_merged


@rigs.needs_library
@pytest.mark.parametrize("last, state, existing", [(True, True, True), (True, True, False), (True, False, True), (False, True, False)])
def test_killed_at_a_call(night, last, state, existing):
    calls = Calls(night, last, state, existing)
    n = calls.count()
    numbers = sorted({*range(1, n + 1, max(1, n // 4)), *range(max(1, n - 30), n + 1, 7)})
    merged = {killed_at(night, number, calls) for number in numbers}
    assert merged == ({False, True} if last else {False})


@rigs.needs_library
@pytest.mark.nightly
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("existing", [False, True])
def test_killed_at_every_call(night, last, state, existing):
    calls = Calls(night, last, state, existing)
    for number in range(1, calls.count() + 1):
        killed_at(night, number, calls)


def test_a_state_belongs_to_the_run_of_its_shard(night):
    """The next night's job does not take up what is left of this one: half of its leads would be of this night."""
    def job(name):
        return {**KEY, "JOB_COMPLETION_INDEX": str(index), "JOB_COMPLETIONS": "2", "LEADPIPE_SHARD_RUN": name}

    index = shard_of("L9", [], 2)
    words = night.arguments("", "--state", "s", "--shard", "auto")
    gate, begun = hold(night)
    process = night.leadpipe.start(*words, env=job("monday"))
    assert begun.wait(30)
    process.send_signal(signal.SIGTERM)
    gate.set()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    done = night.leadpipe(*words, env=job("tuesday"))
    assert done.returncode == 2 and "--shard-run" in done.stderr and "monday" in done.stderr, done.stderr
    assert night.leadpipe(*words, env=job("monday")).returncode == 0
    assert loaded(night) == [index]


@rigs.needs_library
def test_killed_with_the_rows_of_another_one(night):
    """When that one begins anew, they do not stay among those of the shard that was killed."""
    night.run()
    want = dump(night.path)
    night.path.unlink()
    again = shard_of("L9", [], 2)
    shard(night, again, 2)
    killed = night.leadpipe(*night.arguments("", "--shard", "%d/2" % (1 - again), "--state", "s"), env={
        **KEY, "LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(night.leadpipe.folder),
        "FAULTFS_RULES": "op=create path=leads.db kill=before"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    gate, begun = hold(night)
    first = start(night, again, 2)
    assert begun.wait(30)
    try:
        shard(night, 1 - again, 2, "", "--state", "s")
        assert "the tables change when shard %d of 2 is done" % again in night.stderr and loaded(night) == [1 - again]
    finally:
        gate.set()
    finish([first])
    assert dump(night.path) == want and loaded(night) == []


def kill_and_repeat(night, of, kills, options, more, rng):
    """All shards at the same time; some are killed at any moment, and all are run again until they end well."""
    pending = set(range(of))
    while pending:
        processes = {index: start(night, index, of, options, *more(index)) for index in pending}
        if kills:
            kills -= 1
            time.sleep(rng.random() * 0.25)
            for index in rng.sample(sorted(processes), rng.randint(1, len(processes))):
                processes[index].send_signal(signal.SIGKILL)
        for index, process in processes.items():
            _, errors = process.communicate(timeout=60)
            assert process.returncode in (0, -signal.SIGKILL), errors
            if process.returncode == 0:
                pending.discard(index)


def random_kills(night, rounds, state, named):
    """In a mode in which a second merge would show."""
    want = alone(night, "mode=append")
    night.path.unlink()
    for seed in range(rounds):
        def more(index):
            return [*(("--state", "s%d" % index) if state else ()), *(("--shard-run", "n%d" % seed) if named else ())]

        kill_and_repeat(night, 4, 4, "mode=append", more, random.Random(seed))
        assert dump(night.path) == want and len(runs_of(night.path)) == 4, seed
        # One that was killed when all was over is run once more, and waits for others.
        for path in [] if named else night.leadpipe.folder.glob(".leads.db.leadpipe-*"):
            path.unlink()
        no_junk(night.leadpipe.folder, "leads.db")
        night.path.unlink()


@pytest.mark.parametrize("rounds", [3, pytest.param(40, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("state, named", [(True, False), (True, True), (False, True)])
def test_killed_at_any_moment(night, rounds, state, named):
    """The name says what is done: a shard that was killed behind the merge has nothing to do."""
    random_kills(night, rounds, state, named)
