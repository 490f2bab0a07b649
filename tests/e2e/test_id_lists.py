"""Lists of every form, malformed at random: every line is accounted for, and every ID has exactly one outcome.

What the lists say is decided by tests/reference/id_lists.py from their bytes, what becomes of a lead by many_leads.py,
and both are compared, ID by ID, with what the program reports and leaves.  LEADPIPE_LEADS scales the large ones,
LEADPIPE_SEED repeats them.
"""

import collections
import contextlib
import csv
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import urllib.request

import pytest

import made_lists
import many_leads
import runs
from many_leads import target_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from reference import id_lists  # noqa: E402

STATE = "run.state"
DEFAULT_PARAM = "agent-0"
VALUE_COLUMN = {"omni": "first_name", "convocore": "name"}
BAD = None  # in the place of a lead's target: the line is malformed


class Server:
    """many_leads.py, and what it noted in one part of a test."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).with_name("many_leads.py")), str(folder)])
        runs.wait_until((folder / "port").exists, "the provider listens")
        self.url = "http://127.0.0.1:" + (folder / "port").read_text()

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as done:
            assert done.status == 200

    def noted(self, night):
        """What was noted since the last time; from now on it is night `night`."""
        self.ask("/night/%d" % night)
        return {name: (self.folder / name).read_bytes().split() for name in many_leads.NOTED}


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path / "server")
    yield running
    running.process.kill()
    running.process.wait()


def first_difference(got, want):
    """None where they are the same; else where they begin to differ, short enough to be read."""
    if got == want:
        return None
    beyond = (len(got), len(want), got[len(want):][:3], want[len(got):][:3])
    return next(((a, b) for a, b in zip(got, want) if a != b), beyond)


def assert_same(got, want, what):
    """As multisets."""
    assert first_difference(sorted(got), sorted(want)) is None, what


class Truth:
    """What the lists say: all that follows from their bytes and from what the provider would answer."""

    def __init__(self, lists, stdin, param):
        self.lists, self.asks, self.places = lists, [], []  # a target or BAD for each record that is read; of bad ones
        self.per_list, self.param = {}, param
        self.order = {}  # target: the list that has it first
        for one in lists:
            self.read(one, "standard input" if one is stdin else one.name)

    def read(self, one, source):
        records = id_lists.records(one.data, one.form, one.delimiter, self.param)
        lines = id_lists.lines_of(one.data[3:] if one.data.startswith(b"\xef\xbb\xbf") else one.data)
        assert sum(record.lines for record in records) == lines, "every line of %s belongs to something" % source
        counts = collections.Counter(record.kind for record in records)
        for record in records:
            if record.kind == "bad":
                self.asks.append(BAD)
                self.places.append("%s:%d" % (source, record.line))
            elif record.kind == "id":
                self.asks.append(target_of(record.id, self.param and (record.param or DEFAULT_PARAM)))
        before = len(self.order)
        for target in self.asks[len(self.asks) - counts["id"] - counts["bad"]:]:
            if target is not BAD:
                self.order.setdefault(target, source)
        counts.update(unique=len(self.order) - before, lines=lines, within=lines - len(records))
        self.per_list[source] = counts

    def ids(self, read):
        """The manifest's `ids` once so many records were read."""
        part = self.asks[:read]
        unique = len(set(part) - {BAD}) + part.count(BAD)
        return {"read": read, "unique": unique, "duplicates": read - unique}

    def places_of(self, read):
        return self.places[:self.asks[:read].count(BAD)]


class Told:
    """What the program reported and left: the lists that it wrote, its summary, its manifest."""

    def __init__(self, folder, status, stderr):
        self.folder, self.status, self.stderr = folder, status, stderr
        self.manifest = runs.json_file(folder / runs.MANIFEST)
        self.summary = json.loads(stderr.splitlines()[-1])
        self.ids, self.ledger = self.summary["ids"], self.summary["ledger"]
        failed, missing = runs.json_lines(folder / runs.FAILED) or [], runs.json_lines(folder / runs.MISSING) or []
        self.bad_places = [row["error"].split(": ")[0] for row in failed if row["stage"] == "input"]
        self.failed = [self.target(row) for row in failed if row["stage"] not in ("input", "sink")]
        self.refused = [self.target(row) for row in failed if row["stage"] == "sink"]
        self.missing = [self.target(row) for row in missing]
        self.check()

    @staticmethod
    def target(row):
        return target_of(row["id"], row.get("agentId"))

    def check(self):
        """read = exported + unchanged + missing + failed + refused + malformed + pending + duplicates."""
        assert self.summary["subject"] == "summary", self.stderr[-2000:]
        assert (self.manifest["ids"], self.manifest["ledger"]) == (self.ids, self.ledger)
        assert self.manifest["exit_status"] == self.summary["exit_status"] == self.status
        assert set(self.ledger) == {"exported", "unchanged", "missing", "failed", "pending"}
        assert self.ids["read"] == sum(self.ledger.values()) + self.ids["duplicates"]
        assert self.ledger["failed"] == len(self.failed) + len(self.refused) + len(self.bad_places)
        assert self.ledger["missing"] == len(self.missing)
        outcomes = self.failed + self.refused + self.missing
        assert len(outcomes) == len(set(outcomes)), "no lead has two outcomes"

    @staticmethod
    def row(row, value):
        return target_of(row["lead_id"], row.get("agent_id")), row[value]

    def rows(self, value):
        """[(target, value)] of the NDJSON output, which the CSV output must agree with."""
        with open(self.folder / "out.ndjson", encoding="utf-8") as file:
            rows = [self.row(row, value) for row in map(json.loads, file)]
        with open(self.folder / "out.csv", encoding="utf-8", newline="") as file:
            table = [self.row(row, value) for row in csv.DictReader(file, strict=True)]
        assert first_difference(table, rows) is None
        return rows


class Nights:
    """One command, night after night, with one state (or `state` None), and what is known about it."""

    def __init__(self, leadpipe, server, provider="omni", batch=1, state=STATE):
        self.leadpipe, self.folder, self.server, self.provider = leadpipe, leadpipe.folder, server, provider
        self.batch, self.state, self.night = batch, state, 1
        self.param = made_lists.PARAM if provider == "convocore" else None
        self.accepted = {}  # target: the revision that all sinks accepted last
        self.noted = collections.defaultdict(list)  # of this night so far

    def begin(self, night, rng, lists):
        """`lists` are those of this night; one of them comes by standard input."""
        self.night, self.lists, self.stdin = night, lists, rng.choice(lists)
        self.take_notes()
        self.noted.clear()
        for one in lists:
            (self.folder / one.name).write_bytes(one.content)
        self.truth = Truth(lists, self.stdin, self.param)

    def take_notes(self):
        noted = self.server.noted(self.night)
        for name, targets in noted.items():
            self.noted[name] += targets
        return noted

    def words(self, *more):
        state = ["--state", self.state, "--changed-only"] if self.state else []
        param = ["--param", "%s=%s" % (self.param, DEFAULT_PARAM)] if self.param else []
        return ["export", "-p", self.provider, "--base-url", self.server.url, *param, *runs.command(out=None), *state,
                "-t", "ndjson:out.ndjson", "-t", "csv:out.csv",
                "-t", "webhook,batch=%d:%s/hook" % (self.batch, self.server.url), *more,
                *["-" if one is self.stdin else one.name for one in self.lists]]

    def run(self, *more, key=many_leads.KEY, stop_at=None):
        """One part; `stop_at`: SIGTERM once so many leads were asked for."""
        runs.forget_lists(self.folder)
        errors = self.folder / "stderr"
        with open(self.folder / self.stdin.name, "rb") as stdin, open(errors, "wb") as stderr:
            process = self.leadpipe.start(*self.words(*more), stdin=stdin, stderr=stderr,
                                          env={"OMNI_API_KEY": key, "CONVOCORE_API_KEY": key})
            if stop_at is not None:
                self.server.ask("/stop/%d/%d" % (process.pid, stop_at))
            status = process.wait(3600)
        return Told(self.folder, status, errors.read_text())

    # --- what must be so -------------------------------------------------------------------------

    def fates(self, kind):
        return {target for target in self.truth.order if many_leads.fate(target, self.night)[0] == kind}

    def revision(self, target):
        return many_leads.fate(target, self.night)[1]

    def unchanged(self):
        """By what was accepted in the nights before."""
        return {target for target in self.fates("found") if self.accepted.get(target) == self.revision(target)}

    def check_part(self, reported):
        """Of a run that was stopped: no lead more than was read, and each where it belongs."""
        truth, read = self.truth, reported.ids["read"]
        assert reported.ids == truth.ids(read) and reported.ledger["pending"] > 0
        begun = set(truth.asks[:read])
        assert set(self.noted["asked"]) <= begun
        assert first_difference(reported.bad_places, truth.places_of(read)[:len(reported.bad_places)]) is None
        assert set(reported.missing) <= self.fates("missing") & begun
        assert set(reported.failed) <= self.fates("failed") & begun
        assert_same(reported.refused, self.noted["refused"], "what the receiver refused so far")
        assert reported.ledger["exported"] == len(self.noted["accepted"]), "what the receiver accepted so far"
        assert reported.ledger["unchanged"] <= len(self.unchanged() & set(self.noted["asked"]))
        return reported

    def check_denied(self, reported):
        """The key is wrong: nothing but malformed lines has an outcome."""
        denied = self.take_notes()["denied"]
        assert (reported.status, self.summary_is_published(reported)) == (1, False)
        assert 3 <= len(denied) == len(set(denied)) and set(denied) <= set(self.truth.asks[:reported.ids["read"]])
        assert reported.ids["unique"] == reported.ledger["pending"] + len(reported.bad_places)
        self.check_part(reported)

    @staticmethod
    def summary_is_published(reported):
        assert reported.summary["published"] == reported.manifest["published"]
        return reported.summary["published"]

    def check_stopped(self, reported):
        self.take_notes()
        assert (reported.status, self.summary_is_published(reported)) == (128 + signal.SIGTERM, False), reported.stderr[-2000:]
        return self.check_part(reported)

    def outcomes(self, reported):
        """{target: outcome} as it must be, batches with a lead that the receiver refuses being its own choice."""
        outcomes = dict.fromkeys(self.fates("found"), "exported")
        outcomes.update(dict.fromkeys(self.unchanged(), "unchanged"))
        sent = {target for target, outcome in outcomes.items() if outcome == "exported"}
        marked = {target for target in sent if many_leads.hook_refuses(target, self.night)}
        refused = set(self.noted["refused"])
        assert marked <= refused <= sent and (self.batch > 1 or refused == marked)
        outcomes.update(dict.fromkeys(refused, "refused"))
        outcomes.update(dict.fromkeys(self.fates("missing"), "missing"))
        outcomes.update(dict.fromkeys(self.fates("failed"), "failed"))
        assert outcomes.keys() == self.truth.order.keys()
        return outcomes

    def check_whole(self, reported, published=True):
        """Of a run that came to its end, in however many parts: each ID has the outcome that it must have."""
        truth = self.truth
        self.take_notes()
        assert (reported.status, self.summary_is_published(reported)) == (3, published), reported.stderr[-2000:]
        assert reported.ids == truth.ids(len(truth.asks))
        assert_same(reported.bad_places, truth.places, "the malformed lines")
        assert_same(self.noted["asked"], truth.order, "each ID is asked for once")
        outcomes = self.outcomes(reported)
        of = {kind: [target for target in truth.order if outcomes[target] == kind]
              for kind in ("exported", "unchanged", "missing", "failed", "refused")}
        assert_same(reported.failed, of["failed"], "failed")
        assert_same(reported.missing, of["missing"], "missing")
        assert_same(reported.refused, of["refused"], "refused by the receiver")
        assert_same(self.noted["refused"], of["refused"], "each refused once")
        assert_same(self.noted["accepted"], of["exported"], "each delivered once")
        assert reported.ledger == {
            "exported": len(of["exported"]), "unchanged": len(of["unchanged"]), "missing": len(of["missing"]),
            "failed": len(of["failed"]) + len(of["refused"]) + len(truth.places), "pending": 0}
        if published:
            self.check_rows(reported, outcomes)
        return of

    def check_rows(self, reported, outcomes):
        want = [(target, "A%d" % self.revision(target)) for target in self.truth.order
                if outcomes[target] in ("exported", "refused")]
        assert first_difference(reported.rows(VALUE_COLUMN[self.provider]), want) is None, "in the order of the lists"
        self.accepted.update((target, self.revision(target)) for target, one in outcomes.items() if one == "exported")
        for target, one in outcomes.items():
            if one in ("failed", "refused"):
                self.accepted.pop(target, None)
        if self.state:
            with contextlib.closing(sqlite3.connect(self.folder / self.state)) as state:
                [[n]] = state.execute("SELECT count(*) FROM accepted")
            assert n == len(self.accepted), "what the state says that the sinks accepted"

    def report(self, of):
        """A table of what each list had in it, and what became of the IDs that it has first."""
        kinds = ("lines", "header", "comment", "blank", "within", "bad", "id", "unique")
        print("%-16s" % ("night %d" % self.night), *["%9s" % kind for kind in (*kinds, *of)])
        of = {kind: collections.Counter(self.truth.order[target] for target in targets) for kind, targets in of.items()}
        total = collections.Counter()
        for source, counts in self.truth.per_list.items():
            numbers = [counts[kind] for kind in kinds] + [count[source] for count in of.values()]
            total.update(dict(enumerate(numbers)))
            print("%-16s" % source, *["%9d" % n for n in numbers])
        print("%-16s" % "all", *["%9d" % n for _, n in sorted(total.items())])


@pytest.mark.parametrize("provider", ["omni", "convocore"])
@pytest.mark.parametrize("seed", range(3))
def test_every_line_is_accounted_for(leadpipe, server, seed, provider):
    rng = random.Random(seed)
    nights = Nights(leadpipe, server, provider, state=None)
    nights.begin(1, rng, made_lists.lists(rng, 4000, nights.param))
    nights.check_whole(nights.run())


def three_nights(nights, seed, n):
    """With everything that an ID can come to, and all of it in one ledger."""
    print("seed", seed)
    rng = random.Random(seed)
    lists = made_lists.lists(rng, n, nights.param)
    nights.begin(1, rng, lists)
    nights.check_denied(nights.run(key="a-wrong-one"))
    nights.check_stopped(nights.run(stop_at=len(nights.truth.order) // 2))
    nights.report(nights.check_whole(nights.run()))

    nights.begin(2, rng, made_lists.of_another_night(rng, lists))
    stopped = nights.check_stopped(nights.run("--max-missing", 0, stop_at=len(nights.truth.order) // 2))
    assert all(stopped.ledger.values()) and stopped.refused and stopped.bad_places, "nothing is left out"
    nights.check_whole(nights.run("--max-missing", 0), published=False)

    nights.begin(2, rng, nights.lists)  # what was not published was not accepted
    of = nights.check_whole(nights.run())
    assert all(of.values())
    nights.report(of)


@pytest.mark.parametrize("provider, batch", [("omni", 1), pytest.param("convocore", 7, marks=pytest.mark.slow)])
def test_every_id_has_one_outcome(leadpipe, server, provider, batch):
    three_nights(Nights(leadpipe, server, provider, batch), 1, 20000)


@pytest.mark.nightly
@pytest.mark.parametrize("provider", ["omni", "convocore"])
def test_a_million_leads(leadpipe, server, provider):
    seed = int(os.environ.get("LEADPIPE_SEED") or random.randrange(1 << 32))
    three_nights(Nights(leadpipe, server, provider, 20), seed, int(os.environ.get("LEADPIPE_LEADS", "1000000")))
