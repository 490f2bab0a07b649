"""leadpipe export --all --state: the list is a part of the run, which is killed and goes on with the same list."""

import json
import signal
import sqlite3

import pytest

import conftest
import rigs
import runs
from test_all import exported, tiny
from test_hostile_state import checksum

STATE = "run.state"
EAGER = conftest.BINARY.parent / "faults" / "leadpipe-eager"  # a checkpoint every 20 leads
PAGE = 10
AGENTS = {"A": tiny(25), "B": ["plain-%d" % n for n in range(15)], "C": [], "D": tiny(7)}
LISTS = {"omni": {"": tiny(35) + ["plain-%d" % n for n in range(12)]}, "convocore": AGENTS}
# Pages that are requested in one go: a convocore list is asked until a page is empty.
PAGES = {"omni": 5, "convocore": 4 + 3 + 1 + 2}


class Listing:
    """One command, again and again: provider's words, the state, NDJSON and CSV."""

    def __init__(self, leadpipe, sandbox, control, provider, folder):
        self.leadpipe, self.sandbox, self.control, self.provider, self.folder = leadpipe, sandbox, control, provider, folder
        self.leads = {agent: list(leads) for agent, leads in LISTS[provider].items()}
        control.set(nonce="same")
        self.list()

    def list(self, **settings):
        self.control.lists(leads=self.leads, page_size=PAGE, **settings)

    def provided(self):
        if self.provider == "omni":
            return self.sandbox.provider("omni")
        agents = [word for agent in self.leads for word in ("--param", "agentId=" + agent)]
        return ["-p", "convocore", "--base-url", self.sandbox.convocore, *agents]

    def words(self, *more):
        return ["export", *self.provided(), "--all", "--state", STATE, "-t", "ndjson:out", "-t", "csv:tables/",
                "--manifest", "m.json", "--failed", "f", "--missing", "g", *more]

    def run(self, *more, status=0):
        done = self.leadpipe(*self.words(*more), env=self.sandbox.env)
        assert done.returncode == status, done.stderr
        self.stderr = done.stderr
        return done

    def ids(self):
        return json.loads((self.folder / "m.json").read_text())["ids"]

    def status(self):
        done = self.leadpipe("status", "--json", STATE)
        return json.loads(done.stdout)["run"] if done.returncode == 0 else None

    def held(self, page):
        """From now on this page of the list is not answered, nor any after it."""
        self.control.reset()
        self.control.set(nonce="same")
        self.list(hold=page)

    def all(self):
        return [lead for leads in self.leads.values() for lead in leads]

    def recorded(self):
        """How many leads of the list are in the state, and whether it is complete."""
        run = self.status() if (self.folder / STATE).exists() else None
        return (run["list"]["leads"], run["list"]["complete"]) if run and "list" in run else (0, False)

    def done(self):
        return self.status()["checkpoint"]["done"]

    def killed(self, *more, until, signal_number=signal.SIGKILL):
        """Held at a page, or at leads: it cannot come to its end before it is killed."""
        before = self.outputs()
        process = self.leadpipe.start(*self.words(*more), env=self.sandbox.env)
        runs.wait_until(lambda: until() or process.poll() is not None, "what it waits for is in the state")
        assert process.poll() is None, process.communicate()
        process.send_signal(signal_number)
        process.communicate(timeout=60)
        assert self.outputs() == before

    def outputs(self):
        return {name: data for name, data in runs.listing(self.folder).items() if name == "out" or name.startswith("tables/") and runs.TEMPORARY not in name}

    def in_one_go(self, folder):
        """`list`, then `export` with the file."""
        folder.mkdir()
        kept, self.leadpipe.folder = self.leadpipe.folder, folder
        try:
            assert self.leadpipe("list", *self.provided(), "-o", "ids.ndjson", env=self.sandbox.env).returncode == 0
            provider = self.provided()[:4]
            done = self.leadpipe("export", *provider, "-t", "ndjson:out", "-t", "csv:tables/",
                                 "ids.ndjson", env=self.sandbox.env)
            assert done.returncode == 0, done.stderr
            return {name: data for name, data in runs.listing(folder).items() if name != "ids.ndjson"}
        finally:
            self.leadpipe.folder = kept

    def asked(self):
        return [(page["agent"], page.get("token") or page.get("page")) for page in self.control.lists()]

    def requests(self):
        """Requests for leads, by ID and agent."""
        found = {}
        for one in self.control.requests():
            if "/leads/" in one["target"]:
                found[one["target"]] = found.get(one["target"], 0) + 1
        return found


@pytest.fixture(params=["omni", "convocore"])
def listing(request, leadpipe, sandbox, control, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    leadpipe.folder = folder
    return Listing(leadpipe, sandbox, control, request.param, folder)


@pytest.fixture
def omni(leadpipe, sandbox, control):
    return Listing(leadpipe, sandbox, control, "omni", leadpipe.folder)


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(conftest, "BINARY", EAGER)


def leads_before(listing, page):
    """How many have been listed by the pages before this one."""
    counts = []
    for leads in listing.leads.values():
        n = len(leads)
        pages = [min(PAGE, n - at) for at in range(0, n, PAGE)] or [0]
        counts += pages if listing.provider == "omni" or not n else [*pages, 0]
    return sum(counts[:page - 1])


def test_never_interrupted(listing, tmp_path):
    listing.run()
    assert listing.outputs() == listing.in_one_go(tmp_path / "alone")
    assert len(listing.outputs()) > 3


@pytest.mark.parametrize("page", [2, 3, 5])
def test_killed_in_mid_list(listing, tmp_path, page, eager):
    """The list that was being read is read from its first page on, those before it are not asked for again."""
    alone = listing.in_one_go(tmp_path / "alone")
    listing.held(page)
    so_far = leads_before(listing, page)
    listing.killed(until=lambda: listing.recorded() == (so_far, False) and listing.done() >= so_far // 20 * 20)
    first, run_id = listing.asked(), listing.status()["run_id"]
    assert len(first) == page and so_far == sum(listing.requests().values())
    listing.list()
    listing.run()
    assert listing.outputs() == alone and listing.status()["run_id"] == run_id
    assert listing.ids() == {"read": len(listing.all()), "unique": len(listing.all()), "duplicates": 0}
    again = listing.asked()
    ended = {agent for agent, _ in first} - {first[-1][0]}
    assert not ended & {agent for agent, _ in again} and len(again) <= PAGES[listing.provider]
    assert {n for n in listing.requests().values()} <= {1, 2}


def test_killed_at_every_page(omni, tmp_path, eager):
    """Each part reads a page more; what was done stays done."""
    alone = omni.in_one_go(tmp_path / "alone")
    for page in range(2, PAGES["omni"] + 1):
        omni.held(page)
        omni.killed(until=lambda page=page: omni.recorded() == (PAGE * (page - 1), False))
    omni.list()
    omni.run()
    assert omni.outputs() == alone


def test_stopped_in_mid_list(listing, tmp_path):
    """By a signal: what has been listed so far is done."""
    alone = listing.in_one_go(tmp_path / "alone")
    listing.held(3)
    so_far = leads_before(listing, 3)
    listing.killed(until=lambda: sum(listing.requests().values()) == so_far, signal_number=signal.SIGTERM)
    assert listing.done() == so_far and listing.recorded() == (so_far, False)
    listing.list()
    listing.control.reset()
    listing.control.set(nonce="same")
    listing.list()
    listing.run()
    assert listing.outputs() == alone and sum(listing.requests().values()) == len(listing.all()) - so_far


@pytest.mark.parametrize("none_done", [False, True])
def test_a_complete_list_is_not_asked_for_again(listing, tmp_path, none_done):
    """Nobody answers there any more; also where no lead was done yet, so that there was no checkpoint."""
    alone = listing.in_one_go(tmp_path / "alone")
    listing.held(None)
    listing.control.set(faults={"*": "hang"} if none_done else {listing.all()[-1]: "hang"})
    listing.killed("-j", "100", until=lambda: listing.recorded() == (len(listing.all()), True))
    assert len(listing.asked()) == PAGES[listing.provider]
    assert none_done or listing.done() <= len(listing.all()) - 1
    run_id = listing.status()["run_id"]
    listing.control.reset()
    listing.control.set(nonce="same")
    listing.list(answers={"*": {"status": 404, "body": {}}})
    listing.run()
    assert listing.asked() == [] and listing.outputs() == alone and listing.status()["run_id"] == run_id


def test_the_list_changes_between_the_parts(omni):
    """What has been handed out keeps its order, whatever the list says later; what is new comes behind."""
    omni.held(3)
    omni.killed(until=lambda: omni.recorded() == (2 * PAGE, False))
    before = omni.leads[""][:2 * PAGE]
    omni.leads[""] = ["newcode-1-%d" % n for n in range(5)] + omni.leads[""][7:]
    omni.list()
    omni.run()
    new = [lead for lead in omni.leads[""] if lead not in before]
    assert exported(omni.folder / "out") == before + new and omni.ids()["duplicates"] == 0
    assert len(omni.asked()) == 5  # rows that were listed before do not look like rows that moved


def test_rows_shift_while_they_are_listed(leadpipe, sandbox, control, tmp_path):
    """Killed in the second pass: every lead once."""
    one = Listing(leadpipe, sandbox, control, "convocore", tmp_path)
    one.leads = {"A": tiny(30)}
    shifting = [{"page": 1, "remove": tiny(3)}]
    one.list(after=shifting, hold=6)
    one.killed(until=lambda: len(one.asked()) == 6 and one.recorded() == (27 + 3, False))
    one.leads = {"A": tiny(30)[3:]}
    one.list()
    one.run()
    assert sorted(exported(tmp_path / "out")) == sorted(tiny(30))
    assert one.asked() == [("A", "%d" % n) for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("settings, status, leads, pages", [
    ({"token": "loop"}, 3, 3 * PAGE, 4), ({"token": "same"}, 3, PAGE, 2), ({"token": "endless"}, 3, 47, 30),
    ({"answers": {"*": {"status": 429, "times": 2, "retry_after": 0}}}, 0, 47, 7),
    ({"answers": {"2": {"status": 500, "body": {}}}}, 0, 47, 6),
], ids=["loop", "same", "endless", "429", "500"])
def test_lists_that_misbehave(omni, settings, status, leads, pages):
    omni.list(**settings)
    omni.run(status=status)
    assert exported(omni.folder / "out") == omni.all()[:leads]
    assert len(omni.asked()) <= pages


def test_a_total_that_is_wrong(leadpipe, sandbox, control, tmp_path):
    one = Listing(leadpipe, sandbox, control, "convocore", tmp_path)
    one.list(total=1000)
    assert "the list says that there are 1000 leads, but has 25" in one.run().stderr
    assert len(one.asked()) <= 2 * PAGES["convocore"] + 4


def test_an_incomplete_list_stays_incomplete(omni):
    """The part that reads it is killed; the next one does not ask again, and ends with 3 all the same."""
    omni.list(token="loop")
    omni.control.set(faults={omni.all()[0]: "hang"})
    omni.killed("-j", "100", until=lambda: omni.recorded() == (3 * PAGE, True))
    omni.control.set(faults={omni.all()[0]: None})
    omni.list()
    omni.run(status=3)
    assert omni.asked() == [] and exported(omni.folder / "out") == omni.all()[:3 * PAGE]


def test_the_time_asked_for_is_that_of_the_beginning(omni):
    omni.held(2)
    omni.killed("--created-since", "30d", until=lambda: omni.recorded() == (PAGE, False))
    start = {page["start"] for page in omni.control.lists()}
    omni.list()
    omni.run("--created-since", "30d")
    assert {page["start"] for page in omni.control.lists()} == start and len(start) == 1


@pytest.mark.parametrize("words, message", [
    (["--created-since", "31d"], "--created-since was 30d and is now 31d"),
    ([], "--created-since 30d was given then but is not given now"),
])
def test_another_command(omni, words, message):
    omni.held(2)
    omni.killed("--created-since", "30d", until=lambda: omni.recorded() == (PAGE, False))
    assert message in omni.run(*words, status=2).stderr
    done = omni.leadpipe("export", *omni.provided(), "--state", STATE, "-t", "ndjson:out", "--id", "tiny-1", env=omni.sandbox.env)
    assert done.returncode == 2 and "holds an unfinished run of another command" in done.stderr


def test_other_agents(leadpipe, sandbox, control, tmp_path):
    one = Listing(leadpipe, sandbox, control, "convocore", tmp_path)
    one.held(2)
    one.killed(until=lambda: one.recorded() == (PAGE, False))
    del one.leads["C"]
    assert "--param" in one.run(status=2).stderr


LISTED = "position, list, ends, bad, leads, pack"
ROW = "source, params, lists, times, since_ms, until_ms, first, listing"
LIES = [
    ("UPDATE listed SET pack = replace_bytes(pack, 'tiny-3', 'tiny-X')", "the IDs are not those of the unfinished run"),
    ("UPDATE listed SET pack = replace_bytes(pack, 'tiny-3', 'tiny-4')", "the IDs are not those of the unfinished run"),
    ("UPDATE listed SET pack = (SELECT pack FROM listed WHERE position = 3 - l.position) FROM (SELECT position FROM listed) l"
     " WHERE l.position = listed.position", "the IDs are not those of the unfinished run"),
    ("UPDATE listed SET pack = replace_bytes(pack, 'tiny-3', '../../')", None),
    ("UPDATE listed SET pack = replace_bytes(pack, 'tiny-3', char(13, 10) || 'a: b')", "is damaged"),
    ("UPDATE listed SET pack = substr(pack, 2)", "is damaged"),
    ("UPDATE listed SET leads = leads + 1", "is damaged"),
    ("UPDATE listed SET position = position + 1 WHERE position = 2", "is damaged"),
    ("DELETE FROM listed WHERE position = 1", "is damaged"),
    ("UPDATE listed SET ends = 1", "is damaged"),
    ("UPDATE list SET params = 1", "is damaged"),
    ("UPDATE list SET lists = 2", "is damaged"),
    ("UPDATE list SET first = 2", None),
    ("UPDATE list SET listing = 0", "is damaged"),
    ("DELETE FROM list", "is damaged"),
]


def test_lies(omni, eager):
    """Checksums are right, and what they are over is not: nothing is requested, nothing is changed."""
    omni.held(3)
    omni.killed(until=lambda: omni.recorded() == (2 * PAGE, False) and omni.done() == 2 * PAGE)
    with sqlite3.connect(omni.folder / STATE) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    state = (omni.folder / STATE).read_bytes()
    omni.list()
    before = omni.requests()
    for lie, message in LIES:
        (omni.folder / STATE).write_bytes(state)
        with sqlite3.connect(omni.folder / STATE) as db:
            db.create_function("checksum", -1, checksum)
            db.create_function("replace_bytes", 3, lambda pack, a, b: pack.replace(a.encode(), b.encode()))
            db.execute(lie)
            db.execute("UPDATE listed SET checksum = checksum(%s)" % LISTED)
            db.execute("UPDATE list SET checksum = checksum(%s)" % ROW)
        db.close()
        done = omni.leadpipe(*omni.words(), env=omni.sandbox.env)
        assert done.returncode == 2 and (message or "the IDs are not those") in done.stderr, (lie, done.stderr)
        assert omni.requests() == before and not (omni.folder / "out").exists(), lie


# --- leads that are not listed any more ---------------------------------------------------------------


def night(omni, leads, *more, faults=None, status=0, sinks=()):
    """The list of one night; gives the leads that were requested, in order."""
    omni.control.reset()
    omni.control.set(nonce="same", faults=faults or {})
    omni.leads = {"": leads}
    omni.list()
    omni.run(*more, *sinks, status=status)
    return requested(omni)


def requested(omni):
    return [one["target"].split("/leads/")[1] for one in omni.control.requests() if "/leads/" in one["target"]]


def test_asked_for_once_more(omni):
    """Behind the list, in the order in which they were listed: one that is gone, one that is there, one that fails."""
    leads = tiny(8)
    assert sorted(night(omni, leads)) == leads
    faults = {"tiny-2": "missing", "tiny-5": "status=400"}
    left = [lead for lead in leads if lead not in ("tiny-2", "tiny-4", "tiny-5")] + ["plain-1"]
    assert sorted(night(omni, left, "--verbose", faults=faults, status=3)) == sorted(left + ["tiny-2", "tiny-4", "tiny-5"])
    assert "3 leads that the previous run listed are no longer listed, and requested once more" in omni.stderr
    assert exported(omni.folder / "out") == left + ["tiny-4"]
    assert [row["id"] for row in runs.json_lines(omni.folder / "g")] == ["tiny-2"]
    assert [row["id"] for row in runs.json_lines(omni.folder / "f")] == ["tiny-5"]
    assert json.loads((omni.folder / "m.json").read_text())["ids"] == {"read": 9, "unique": 9, "duplicates": 0}
    # Of those only the one that failed is asked for by the next run, and by none after that.
    assert sorted(night(omni, left)) == sorted(left + ["tiny-5"])
    assert exported(omni.folder / "out") == left + ["tiny-5"]
    assert sorted(night(omni, left)) == sorted(left)


def test_killed_while_they_are_asked_for(omni, eager):
    leads = tiny(70)
    night(omni, leads)
    omni.control.reset()
    omni.control.set(nonce="same", faults={"tiny-60": "hang"})
    omni.leads = {"": leads[:25]}
    omni.list()
    omni.killed("-j", "100", until=lambda: omni.recorded() == (25, True) and omni.done() >= 40)
    assert "tiny-69" in requested(omni)
    omni.control.set(faults={"tiny-60": None})
    omni.list(answers={"*": {"status": 404, "body": {}}})
    omni.run()
    assert exported(omni.folder / "out") == leads and omni.asked() == []
    assert sorted(night(omni, leads[:25])) == sorted(leads[:25])


def test_what_was_listed_stays_where_nothing_is_published(omni):
    """Outputs are withheld: the next night asks for the same leads again."""
    leads = tiny(300)
    night(omni, leads)
    gone = {lead: "missing" for lead in leads[100:]}
    assert len(night(omni, leads[:100], "--max-missing", "10", faults=gone, status=3)) == 300
    assert len(night(omni, leads[:100], "--max-missing", "10", faults=gone, status=3)) == 300
    assert len(night(omni, leads[:100], "--max-missing", "100%", faults=gone)) == 300
    assert len(night(omni, leads[:100])) == 100


def test_what_was_listed_elsewhere_is_not_asked_for(leadpipe, sandbox, control, tmp_path):
    """Fewer agents, or another provider's state: nothing is known of their leads."""
    one = Listing(leadpipe, sandbox, control, "convocore", tmp_path)
    one.run()
    one.leads = {"A": tiny(25), "D": tiny(7)}
    one.list()
    before = len(one.control.requests())
    one.run()
    assert len([request for request in one.control.requests()[before:] if "/leads/" in request["target"]]) == 32


def test_a_list_that_does_not_end_forgets_nothing(omni):
    """Each night: what is behind its end may still be there."""
    leads = omni.all()
    night(omni, leads)
    for _ in range(2):
        omni.list(token="loop")
        omni.run(status=3)
        assert sorted(exported(omni.folder / "out")) == sorted(leads)


def test_a_run_of_ids_forgets_nothing(omni):
    night(omni, tiny(5))
    done = omni.leadpipe("export", *omni.provided(), "--state", STATE, "-t", "ndjson:out", "--id", "plain-1", env=omni.sandbox.env)
    assert done.returncode == 0, done.stderr
    assert sorted(night(omni, tiny(4))) == sorted(tiny(5))


@rigs.needs_library
def test_cut_off_while_it_is_published(omni):
    """The next part only publishes; which leads the one after that has to ask for is in the state."""
    leads = tiny(6)
    night(omni, leads)
    omni.control.set(faults={"tiny-4": "status=400"})
    omni.leads = {"": leads[:4]}
    omni.list()
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(omni.folder), "FAULTFS_RULES": "op=rename path=out kill=before"}
    done = omni.leadpipe(*omni.words(), env={**omni.sandbox.env, **faults})
    assert done.returncode == -signal.SIGKILL and exported(omni.folder / "out") == leads
    before = len(omni.control.requests())
    omni.run(status=3)
    assert len(omni.control.requests()) == before and exported(omni.folder / "out") == [*leads[:4], "tiny-5"]
    assert sorted(night(omni, leads[:4])) == leads[:5]


def test_changed_only(omni):
    """The second night: what has changed is sent, what is gone is missing, what is not listed and the same is unchanged."""
    leads = tiny(30)
    night(omni, leads, "--changed-only")
    omni.control.reset()
    omni.control.set(nonce="same", faults={"tiny-29": "missing"}, revision={"tiny-3": 1, "tiny-28": 1})
    omni.leads = {"": leads[:20]}
    omni.list()
    omni.run("--changed-only")
    assert exported(omni.folder / "out") == ["tiny-3", "tiny-28"]
    ledger = json.loads((omni.folder / "m.json").read_text())["ledger"]
    assert (ledger["unchanged"], ledger["missing"]) == (27, 1)


@pytest.mark.parametrize("deletes", ["ignore", "mark", "delete"])
def test_gone_leads_in_a_database(omni, deletes):
    sink = ["-t", "sqlite,deletes=%s:leads.db" % deletes]
    night(omni, tiny(20), sinks=sink)
    night(omni, tiny(18), faults={"tiny-19": "missing"}, sinks=sink)
    with sqlite3.connect(omni.folder / "leads.db") as db:
        held = dict(db.execute("SELECT lead_id, %s FROM leads" % ("_deleted_at" if deletes == "mark" else "NULL")))
    db.close()
    assert len(held) == (19 if deletes == "delete" else 20)
    assert [lead for lead in sorted(held) if held[lead]] == (["tiny-19"] if deletes == "mark" else [])
    assert json.loads((omni.folder / "m.json").read_text())["ledger"]["gone"] == 1
    assert "gone      1 of the missing leads was exported before\n" in omni.stderr
