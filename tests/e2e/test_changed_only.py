"""--changed-only: a run sends what differs from what every sink accepted last, and nothing else."""

import signal
import sqlite3
import struct
import zlib

import pytest

import resumes
import runs
from outputs import lead_ids_of
from resumes import SINKS, Resumed

# An ordinary lead, one with signed URLs and everything documented, one with oddities.
IDS = [kind + "-%d" % n for n in range(40) for kind in ("tiny", "rich", "lead")]
CHANGED = IDS[3:120:12]
HOOK = "changed"


@pytest.fixture
def nightly(leadpipe, sandbox, control):
    """The command of every night; signed URLs are others on each fetch."""
    one = Resumed(leadpipe, sandbox, control, sinks=[*SINKS, "-t", "webhook,attempts=2:" + sandbox.hook(HOOK)])
    control.set(nonce=None)
    return Nightly(one, control)


class Nightly:
    def __init__(self, resumed, control):
        self.resumed, self.control, self.folder = resumed, control, resumed.folder
        self.sinks = resumed.sinks

    def run(self, *more, ids=IDS, status=0, changed_only=True, sinks=None):
        """Returns the run, and the leads that the receiver accepted in it."""
        before = len(self.control.deliveries(HOOK))
        words = ["--changed-only"] if changed_only else []
        run = self.resumed.resume(ids, *words, *more, status=status, sinks=sinks or self.sinks)
        self.tries = self.control.deliveries(HOOK)[before:]
        run.delivered = sorted(lead for one in self.tries if one["status"] == 200 for lead in lead_ids_of(one))
        assert resumes.STATE + "-wal" not in runs.listing(self.folder)
        return run

    def forget_outputs(self):
        """So that it shows that a run which is stopped makes none."""
        for name in (runs.OUT, runs.MANIFEST):
            (self.folder / name).unlink()

    def change(self, ids, revision):
        self.control.set(revision={one: revision for one in ids})


def assert_sent(run, ids):
    """Exactly these, to each kind of sink."""
    assert run.exported == ids
    assert run.delivered == sorted(ids)
    rows = (run.folder / "out" / "leads.csv").read_text().splitlines()
    assert len(rows) == 1 + len(ids)


def test_nothing_changed(nightly):
    first = nightly.run()
    assert_sent(first, IDS)
    again = nightly.run()
    assert again.outcomes() == {"unchanged": len(IDS)}
    assert_sent(again, [])
    for path in (nightly.folder / "out").iterdir():
        assert path.read_text().count("\n") == 1 and path.read_text().startswith("provider,lead_id"), path
    sent = again.manifest["sinks"][2]
    assert (sent["deliveries"], sent["delivered"], sent["failed"]) == (0, 0, 0)


def test_ten_changed(nightly):
    nightly.run()
    nightly.change(CHANGED, 1)
    run = nightly.run()
    assert run.outcomes() == {"exported": len(CHANGED), "unchanged": len(IDS) - len(CHANGED)}
    assert_sent(run, CHANGED)
    assert_sent(nightly.run(), [])
    nightly.change(CHANGED, 0)
    assert_sent(nightly.run(), CHANGED)  # as it was two nights ago, and changed since the last


def test_rows_are_those_of_a_full_run(nightly, leadpipe, sandbox, control, tmp_path):
    nightly.run()
    nightly.change(CHANGED, 7)
    control.set(nonce="same")
    run = nightly.run()
    expected, _ = resumes.never_interrupted(leadpipe, sandbox, control, tmp_path / "alone", CHANGED)
    assert (run.folder / runs.OUT).read_bytes() == expected[runs.OUT]


def test_new_ids_and_fewer_ids(nightly):
    """An ID that is left out for a night is not forgotten."""
    nightly.run(ids=IDS[:50])
    assert_sent(nightly.run(ids=IDS[40:60]), IDS[50:60])
    assert_sent(nightly.run(ids=IDS), IDS[60:])
    assert_sent(nightly.run(ids=list(reversed(IDS))), [])


def test_same_id_with_other_parameters(leadpipe, sandbox, control):
    resumed = Resumed(leadpipe, sandbox, control, provider="convocore")
    table = "id,agentId\ntiny-1,a\ntiny-1,b\n"
    assert resumed.resume(table, "--changed-only").outcomes() == {"exported": 2}
    table += "tiny-1,c\n"
    assert resumed.resume(table, "--changed-only").outcomes() == {"exported": 1, "unchanged": 2}


def test_signed_urls(leadpipe, sandbox, control):
    """What expires does not count, whether it is kept, cut or dropped."""
    resumed = Resumed(leadpipe, sandbox, control)
    ids = ["rich-%d" % n for n in range(20)]
    for how in ("strip", "keep", "drop"):
        texts = []
        for night in range(2):
            control.set(nonce="night-%d" % night)
            run = resumed.resume(ids, "--changed-only", "--signed-urls", how)
            texts.append((run.folder / runs.OUT).read_text())
            assert run.outcomes() == {"exported" if night == 0 else "unchanged": len(ids)}, how
        assert ("night-0" in texts[0]) == (how == "keep")


@pytest.mark.parametrize("fault, stage", [("status=400", "fetch"), ("successfalse", "fetch"), ("status=500", "fetch"),
                                          ("half", "parse"), ("deep=300", "parse")])
def test_failed_leads_come_again(nightly, control, fault, stage):
    """Accepted, then failed with the same content behind it: it counts as changed."""
    failing = ["rich-5", "tiny-11"]
    nightly.run()
    control.set(faults={one: fault for one in failing})
    run = nightly.run("--attempts", "1", status=3)
    assert run.outcomes() == {"unchanged": len(IDS) - 2, "failed": 2}
    assert {row["stage"] for row in run.failed} == {stage}
    control.set(faults={one: None for one in failing})
    assert_sent(nightly.run(), [one for one in IDS if one in failing])
    assert_sent(nightly.run(), [])


def test_failed_at_first(nightly, control):
    control.set(faults={"lead-3": "status=400"})
    nightly.run(status=3)
    control.set(faults={"lead-3": None})
    assert_sent(nightly.run(), ["lead-3"])


def test_refused_by_one_sink(nightly, control):
    """What one sink refused goes to all of them next time: they need not be asked who has what."""
    refused = ["tiny-8", "tiny-9", "tiny-31"]
    control.hook(HOOK, refuse='"lead_id":"tiny-8"')
    first = nightly.run(status=3)
    assert [(row["id"], row["stage"]) for row in first.failed] == [("tiny-8", "sink")]
    control.hook(HOOK, status=400)
    nightly.change(refused, 3)
    second = nightly.run(status=3)
    assert sorted(row["id"] for row in second.failed) == sorted(refused) and second.exported == refused
    control.hook(HOOK)
    assert_sent(nightly.run(), refused)
    assert_sent(nightly.run(), [])


def test_sink_that_is_closed(nightly, control):
    """410 fails what it had not got; that comes again, and the rest does not."""
    control.hook(HOOK, die_after=50, then=410)
    first = nightly.run(status=3)
    assert first.ledger["exported"] == len(first.delivered) >= 50
    missed = [one for one in IDS if one not in first.delivered]
    control.hook(HOOK)
    assert_sent(nightly.run(), missed)


def test_sink_added(nightly):
    """It has nothing yet, so all leads go to all sinks."""
    nightly.run(sinks=list(SINKS))
    assert_sent(nightly.run(), IDS)
    assert_sent(nightly.run(), [])


def test_files_alone(nightly):
    """No sink has a use for fingerprints: what is compared is another hash. Who has it in a state goes on with it."""
    files = list(SINKS)
    assert nightly.run(sinks=files).exported == IDS
    assert nightly.run(sinks=files).outcomes() == {"unchanged": len(IDS)}
    nightly.change(CHANGED, 1)
    assert nightly.run(sinks=files).exported == CHANGED
    assert nightly.run(sinks=files).exported == []
    assert_sent(nightly.run(), IDS)
    # What a webhook has accepted is compared by fingerprints, also when it is not there any more.
    assert nightly.run(sinks=files).outcomes() == {"unchanged": len(IDS)}
    nightly.change(CHANGED[:2], 2)
    assert nightly.run(sinks=files).exported == CHANGED[:2]


def test_files_alone_by_an_earlier_version(nightly):
    """It takes the mark of the other hash for a sink that is gone, and sends everything."""
    files = list(SINKS)
    nightly.run(sinks=files)
    with sqlite3.connect(nightly.folder / resumes.STATE) as state:
        assert state.execute("delete from accepted_by where sink like 'fingerprints: XXH3%'").rowcount == 1
    state.close()
    assert nightly.run(sinks=files).exported == IDS
    assert nightly.run(sinks=files).outcomes() == {"unchanged": len(IDS)}


def test_hash_of_an_earlier_version(nightly):
    """Its mark is another one: nothing is compared with it, and everything is sent, once."""
    files, text = list(SINKS), b"fingerprints: XXH3, 128 bits"
    nightly.run(sinks=files)
    with sqlite3.connect(nightly.folder / resumes.STATE) as state:
        position, = state.execute("select position from accepted_by where sink like 'fingerprints: %'").fetchone()
        checksum = zlib.crc32(struct.pack("<qq", position, len(text)) + text)
        state.execute("update accepted_by set sink = ?, checksum = ? where position = ?", (text.decode(), checksum, position))
    state.close()
    assert nightly.run(sinks=files).exported == IDS
    nightly.change(CHANGED, 1)
    assert nightly.run(sinks=files).exported == CHANGED


def test_sink_removed_and_added_again(nightly):
    nightly.run()
    run = nightly.run(sinks=list(SINKS))
    assert run.outcomes() == {"unchanged": len(IDS)}
    assert_sent(nightly.run(), IDS)


@pytest.mark.parametrize("sinks", [["-t", "csv,bom:out/", *SINKS[2:]], ["-t", "csv:elsewhere/", *SINKS[2:]]])
def test_sink_changed(leadpipe, sandbox, control, sinks):
    """Another target or other rows are another sink."""
    resumed = Resumed(leadpipe, sandbox, control)
    assert resumed.resume(IDS, "--changed-only").outcomes() == {"exported": len(IDS)}
    assert resumed.resume(IDS, "--changed-only", sinks=sinks).outcomes() == {"exported": len(IDS)}


@pytest.mark.parametrize("words", ["concurrency=2", "rate=500", "timeout=9s", "header=X-Night: 2", "attempts=5"])
def test_sink_with_another_pace_is_the_same(nightly, sandbox, words):
    nightly.run()
    run = nightly.run(sinks=[*SINKS, "-t", "webhook,%s:%s" % (words, sandbox.hook(HOOK))])
    assert run.outcomes() == {"unchanged": len(IDS)}


def test_full_run_in_between(nightly):
    """It sends all, and what it sent counts: also what changed before it and not after."""
    nightly.run()
    nightly.change(CHANGED, 2)
    assert_sent(nightly.run(changed_only=False), IDS)
    assert_sent(nightly.run(), [])
    nightly.change(CHANGED[:2], 3)
    assert_sent(nightly.run(), CHANGED[:2])


def test_full_run_that_failed_some(nightly, control):
    nightly.run()
    control.set(faults={"tiny-2": "status=400"})
    nightly.run(changed_only=False, status=3)
    control.set(faults={"tiny-2": None})
    assert_sent(nightly.run(), ["tiny-2"])


def test_missing_for_a_night(nightly, control):
    """It comes back as the sinks have it: unchanged. With another content: sent."""
    nightly.run()
    control.set(faults={"tiny-1": "missing", "tiny-2": "gone"})
    run = nightly.run()
    assert run.outcomes() == {"unchanged": len(IDS) - 2, "missing": 2}
    control.set(faults={"tiny-1": None, "tiny-2": None})
    nightly.change(["tiny-2"], 4)
    assert_sent(nightly.run(), ["tiny-2"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_missing_for_a_night_that_was_interrupted(nightly, control, number):
    """Before the interruption or behind it: it comes back unchanged as well."""
    nightly.run()
    missing = [IDS[5], IDS[-5]]
    control.set(faults=dict.fromkeys(missing, "missing"))
    nightly.forget_outputs()
    nightly.resumed.part(IDS[:70], "--changed-only", signal_number=number)
    assert nightly.run().outcomes() == {"unchanged": len(IDS) - 2, "missing": 2}
    control.set(faults=dict.fromkeys(missing))
    assert_sent(nightly.run(), [])


def test_missing_after_it_was_delivered(nightly, control):
    """In one night: the receiver has new content, and then the provider has no lead, and then the old content."""
    nightly.run()
    nightly.change(CHANGED[:1], 5)
    nightly.forget_outputs()
    before = len(control.deliveries(HOOK))
    nightly.resumed.part(IDS[:70], "--changed-only", signal_number=signal.SIGKILL,
                         wait=lambda: len(control.deliveries(HOOK)) > before)
    control.set(faults={CHANGED[0]: "missing"})
    nightly.change(CHANGED[:1], 0)
    nightly.run()
    control.set(faults={CHANGED[0]: None})
    assert_sent(nightly.run(), CHANGED[:1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_interrupted(nightly, control, number):
    """In the middle of a night: at its end all that changed was sent, and nothing else."""
    nightly.run()
    nightly.change(CHANGED, 5)
    before = len(control.deliveries(HOOK))
    nightly.forget_outputs()
    control.set(latency_ms=5)
    nightly.resumed.part(IDS[:70], "--changed-only", "-j", "2", signal_number=number)
    control.set(latency_ms=0)
    run = nightly.run()
    assert run.outcomes() == {"exported": len(CHANGED), "unchanged": len(IDS) - len(CHANGED)}
    assert run.exported == CHANGED
    accepted = [lead for one in control.deliveries(HOOK)[before:] for lead in lead_ids_of(one)]
    assert sorted(set(accepted)) == sorted(CHANGED)
    assert number == signal.SIGKILL or len(accepted) == len(CHANGED)
    assert_sent(nightly.run(), [])


def test_interrupted_and_forgotten(nightly, control):
    """What a forgotten run may have sent to a receiver does not count: it is sent again."""
    nightly.run()
    nightly.change(CHANGED, 5)
    nightly.forget_outputs()
    before = len(control.deliveries(HOOK))
    nightly.resumed.part(IDS[:70], "--changed-only", wait=lambda: len(control.deliveries(HOOK)) >= before + 2)
    sent = sorted(lead for one in control.deliveries(HOOK)[before:] for lead in lead_ids_of(one))
    assert sent and set(sent) <= set(CHANGED)
    nightly.change(CHANGED, 0)
    run = nightly.run("--fresh")
    # either just these, or all leads where a delivery was under way: then it is not known what came
    assert run.delivered in (sent, sorted(IDS)), "the receiver has the content of between: it gets the old one again"
    assert_sent(nightly.run(), [])


def test_stopped_run_counts_only_at_its_end(nightly, control):
    """A run that ends by itself with exit status 1 publishes nothing, so nothing counts as accepted by its files."""
    control.set(down="503", after_requests=60)
    done = nightly.resumed.leadpipe(*nightly.resumed.words("--changed-only", "--retry-max-time", "1s", sinks=nightly.sinks),
                                    input=resumes.lines(IDS), env=nightly.resumed.sandbox.env)
    assert done.returncode == 1, done.stderr
    control.set(down=None)
    run = nightly.run()
    assert run.outcomes() == {"exported": len(IDS)} and run.exported == IDS


def test_help_says_what_files_hold(leadpipe):
    text = leadpipe("export", "--help").stdout.decode()
    at = text.index("--changed-only")
    assert "changed leads only" in " ".join(text[at:at + 400].split())


def test_resend(nightly):
    """What came behind a sink has lost it: all is sent once more, and remembered as ever."""
    nightly.run()
    assert_sent(nightly.run(), [])
    nightly.change(CHANGED, 2)
    assert_sent(nightly.run("--resend"), IDS)
    assert_sent(nightly.run(), [])
    some = IDS[:30]
    assert_sent(nightly.run("--resend", ids=some), some)
    assert_sent(nightly.run(), [])  # those that were not in that run are as they were


def test_resend_is_resumed_with_resend(nightly):
    nightly.run()
    nightly.forget_outputs()
    nightly.resumed.part(DONE_BEFORE, "--changed-only", "--resend")
    refused = nightly.resumed.leadpipe(*nightly.resumed.words("--changed-only"), input=resumes.lines(IDS),
                                       env=nightly.resumed.sandbox.env)
    assert refused.returncode == 2 and "--resend" in refused.stderr, refused.stderr
    assert nightly.run("--resend").exported == IDS


DONE_BEFORE = IDS[:40]


@pytest.mark.parametrize("words", [["--resend"], ["--resend", "--state", "s"]])
def test_resend_needs_changed_only(leadpipe, sandbox, words):
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:out", *words, "--id", "tiny-1", env=sandbox.env)
    assert done.returncode == 2 and "--resend needs --changed-only" in done.stderr, done.stderr
    assert not list(leadpipe.folder.iterdir())
