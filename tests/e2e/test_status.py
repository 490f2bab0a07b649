"""leadpipe status: what it says of a state, and that the state stays as it is."""

import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess

import pytest

import resumes
import runs
from resumes import DONE, IDS, STATE
from test_hostile_state import change

HOOK = "status"


def files_of(folder):
    """The state and what is beside it: content, size and time of each."""
    return {path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, path.stat().st_mtime_ns)
            for path in folder.iterdir() if path.name.startswith(STATE)}


def status(leadpipe, *more, same=True):
    """The text and the object."""
    before = files_of(leadpipe.folder)
    assert STATE in before
    text = leadpipe("status", STATE, *more)
    found = leadpipe("status", "--json", STATE, *more)
    assert (text.returncode, text.stderr, found.returncode, found.stderr) == (0, "", 0, "")
    if same:
        assert files_of(leadpipe.folder) == before
    text = text.stdout.decode()
    assert text.endswith("\n") and all(line.isprintable() for line in text.splitlines())
    assert all(re.match(r"[a-z]+( [a-zID]+)?  |  ", line) for line in text.splitlines()), text
    return text, json.loads(found.stdout)


def refused(leadpipe, *words):
    """The message; nothing has changed."""
    before = runs.listing(leadpipe.folder)
    for more in [], ["--json"]:
        done = leadpipe("status", *more, *words)
        assert (done.returncode, done.stdout) == (2, b""), done.stderr
        assert re.fullmatch(r"leadpipe: .*\n", done.stderr)
    assert runs.listing(leadpipe.folder) == before
    return done.stderr


def test_good_run(resumed, leadpipe):
    run = resumed.resume(["tiny-%d" % n for n in range(40)])
    text, found = status(leadpipe)
    one = found["run"]
    assert (found["state"], found["in_use"], found["process"]) == (STATE, False, None)
    assert (one["phase"], one["exit_status"], one["published"], one["failed"]) == ("finished", 0, True, [])
    assert one["run_id"] == run.manifest["run_id"]
    assert (one["started_at"], one["ended_at"]) == (run.manifest["started_at"], run.manifest["ended_at"])
    assert (one["ids"], one["ledger"]) == (run.manifest["ids"], run.manifest["ledger"])
    assert one["checkpoint"]["done"] == one["checkpoint"]["handed_to_sinks"] == 40
    for said, sink in zip(one["sinks"], run.manifest["sinks"], strict=True):
        assert said["files_total"] == len(sink["files"])
        assert said["files"] == [{name: file[name] for name in ("path", "rows", "bytes")} for file in sink["files"]]
    assert "last run  finished, exit status 0\n" in text and "40 exported, 0 unchanged, 0 missing, 0 failed, of 40 IDs\n" in text
    for sink in run.manifest["sinks"]:
        for file in sink["files"]:
            assert "%s: %d row" % (file["path"], file["rows"]) in text
    assert "failed    " not in text


def test_failures(resumed, leadpipe):
    """The first ten, and how many more."""
    ids = ["tiny-1"] + ["f-%d~status=400" % n for n in range(25)] + ["gone~missing"]
    run = resumed.resume(ids, status=3)
    text, found = status(leadpipe)
    one = found["run"]
    assert (one["exit_status"], one["ledger"]) == (3, run.manifest["ledger"])
    assert one["failed"] == [{name: row[name] for name in ("id", "stage", "error")} for row in run.failed[:10]]
    lines = [line for line in text.splitlines() if line.startswith("failed  ")]
    assert lines == ["failed    %s: %s" % (row["id"], row["error"]) for row in run.failed[:10]]
    assert "and 15 more failed\n" in text


def test_withheld(resumed, leadpipe):
    resumed.resume(["gone-%d~missing" % n for n in range(3)], status=3)
    text, found = status(leadpipe)
    assert (found["run"]["published"], found["run"]["exit_status"]) == (False, 3)
    assert "its outputs were not published" in text and text.count(": not published; existing files are unchanged\n") == 2


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_unfinished(resumed, leadpipe, signal_number):
    """What is done after a stop; and up to the last checkpoint after a kill. The same command still resumes it."""
    resumed.part(DONE)
    if signal_number == signal.SIGKILL:
        resumed.part(IDS[:60], signal_number=signal.SIGKILL)
    text, found = status(leadpipe)
    one = found["run"]
    assert (found["in_use"], one["phase"]) == (False, "unfinished") and "ledger" not in one and "ended_at" not in one
    assert {name: n for name, n in one["checkpoint"].items() if name != "active_seconds"} == {
        "done": 40, "handed_to_sinks": 38, "unchanged": 0, "missing": 1, "failed": 1}
    assert [row["id"] for row in one["failed"]] == ["bad~status=400"]
    assert [sink["sink"].split(":")[0] for sink in one["sinks"]] == ["csv", "ndjson"]
    assert "last run  unfinished; run the same command again to resume it\n" in text
    assert "leads     40 done so far: 38 handed to the sinks, 0 unchanged, 1 missing, 1 failed\n" in text
    resumed.resume(IDS, status=3)
    assert status(leadpipe)[1]["run"]["phase"] == "finished"


@pytest.fixture
def killed(leadpipe, sandbox, control):
    """A run that was killed while it delivered: what it committed is in the -wal file."""
    one = resumes.Resumed(leadpipe, sandbox, control, sinks=["-t", "webhook,batch=1:" + sandbox.hook(HOOK)])
    one.part(DONE[:7])
    one.part(DONE, signal_number=signal.SIGKILL, wait=lambda: len(control.deliveries(HOOK)) > 20)
    assert files_of(leadpipe.folder)[STATE + "-wal"][1] > 0
    return one


def test_write_ahead_log(killed, leadpipe, tmp_path):
    """It says what SQLite finds, which may write to its copy. Frames that are not whole do not count."""
    wal = (tmp_path / (STATE + "-wal")).read_bytes()
    seen = set()
    for kept in [len(wal), len(wal) - 1, len(wal) - 4096, len(wal) * 2 // 3, len(wal) // 3, 4152, 40, 32, 31, 0]:
        for flipped in [None, kept // 2] if kept else [None]:
            data = bytearray(wal[:kept])
            if flipped is not None:
                data[flipped] ^= 1
            (tmp_path / (STATE + "-wal")).write_bytes(data)
            (tmp_path / "copy").write_bytes((tmp_path / STATE).read_bytes())
            (tmp_path / "copy-wal").write_bytes(data)
            with sqlite3.connect(tmp_path / "copy") as db:
                [want] = db.execute("SELECT coalesce(sum(delivered), 0), (SELECT count(*) FROM deliveries WHERE outcome IS NULL)"
                                    " FROM delivery_counts").fetchall()
            db.close()
            hook = status(leadpipe)[1]["run"]["sinks"][0]
            assert (hook["delivered"], hook["unanswered_deliveries"]) == want
            seen.add(want)
    assert len(seen) > 2
    (tmp_path / (STATE + "-wal")).write_bytes(wal)
    killed.resume(DONE, status=3)


def test_deliveries_without_an_answer(leadpipe, sandbox, control):
    one = resumes.Resumed(leadpipe, sandbox, control,
                          sinks=["-t", "csv:leads.csv", "-t", "webhook,attempts=9:" + sandbox.hook(HOOK)])
    control.hook(HOOK, status=500)
    one.part(IDS[:20])
    text, found = status(leadpipe)
    hook = found["run"]["sinks"][1]
    assert (hook["delivered"], hook["failed"]) == (0, 0) and hook["unanswered_deliveries"] > 0
    assert "deliveries without an answer: %d\n" % hook["unanswered_deliveries"] in text
    control.hook(HOOK, status=200)
    one.resume(IDS[:20])
    assert status(leadpipe)[1]["run"]["sinks"][1]["delivered"] > 0


def test_while_a_run_has_it(resumed, leadpipe):
    """It is named; what can be read is there; and the run does not notice."""
    resumed.part(IDS[:10])
    process = resumed.waiting(IDS[:30])
    text, found = status(leadpipe, same=False)
    assert (found["in_use"], found["process"], found["run"]["phase"]) == (True, process.pid, "unfinished")
    assert 10 <= found["run"]["checkpoint"]["done"] <= 30
    assert "by process %d, whose run goes on; below is its last checkpoint\n" % process.pid in text
    process.stdin.write(resumes.lines(IDS[30:]).encode())
    run = resumed.ended(process)
    assert run.status == 3, run.done.stderr
    assert status(leadpipe)[1]["run"]["ledger"] == run.manifest["ledger"]


def test_reads_beside_a_run_that_writes(leadpipe, sandbox, control):
    """Each answer is of one moment: what is done only grows, and outcomes add up."""
    one = resumes.Resumed(leadpipe, sandbox, control, sinks=["-t", "webhook,batch=1:" + sandbox.hook(HOOK)])
    ids = ["tiny-%d" % n for n in range(1500)]
    process = one.start(stdin=subprocess.PIPE)
    process.stdin.write(resumes.lines(ids).encode())
    process.stdin.close()
    process.stdin = None
    seen = []
    while process.poll() is None:
        done = leadpipe("status", "--json", STATE)
        if done.returncode == 0 and (run := json.loads(done.stdout)["run"]):
            seen.append(run["checkpoint"]["done"])
        else:  # before there is one
            assert done.returncode == 0 or "No such file" in done.stderr and not seen, done.stderr
    assert one.ended(process).status == 0 and len(seen) > 5 and seen == sorted(seen)


def test_changed_only(resumed, leadpipe):
    ids = ["tiny-%d" % n for n in range(20)]
    resumed.resume(ids, "--changed-only")
    text, found = status(leadpipe)
    assert found["accepted"] == {"leads": 20, "sinks": 2}
    assert "accepted  content of 20 leads by 2 sinks, which --changed-only compares with\n" in text
    resumed.resume(ids, "--changed-only")
    assert status(leadpipe)[1]["run"]["ledger"]["unchanged"] == 20


def test_link_and_read_only(killed, leadpipe, tmp_path):
    """As who may read and not write it sees it, with what is in the -wal file."""
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.state"
    link.symlink_to(tmp_path / STATE)
    found = status(leadpipe)[1]
    os.chmod(tmp_path / STATE, 0o444)
    assert json.loads(leadpipe("status", "--json", link).stdout) == {**found, "state": str(link)}


def test_new_state(leadpipe, resumed, tmp_path):
    (tmp_path / STATE).touch()
    text, found = status(leadpipe)
    assert found["run"] is None and "last run  none\n" in text
    (tmp_path / STATE).write_bytes(bytes(4096))
    assert status(leadpipe)[1]["run"] is None


def test_no_state(leadpipe, tmp_path):
    assert "nothing.state: No such file" in refused(leadpipe, "nothing.state")
    (tmp_path / "folder").mkdir()
    assert "folder: is not a regular file" in refused(leadpipe, "folder")
    os.mkfifo(tmp_path / "pipe")
    assert "pipe: is not a regular file" in refused(leadpipe, "pipe")
    (tmp_path / "text").write_text("not a state\n" * 1000)
    assert "text: is not a leadpipe state file\n" in refused(leadpipe, "text")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t(x)").connection.close()
    assert "other.db: is a database of another program\n" in refused(leadpipe, "other.db")


def test_rows_of_leads(leadpipe, sandbox, control):
    """What the sink sqlite makes is a database of ours, too: each is told from the other."""
    words = ["export", *sandbox.provider(), "--id", "tiny-1", "--state", STATE]
    assert leadpipe(*words, "-t", "sqlite:leads.db", env=sandbox.env).returncode == 0
    assert refused(leadpipe, "leads.db") == (
        "leadpipe: leads.db: is a database with rows of leads, which the sink sqlite has written, and not a state; "
        "the state is the file of --state\n")
    done = leadpipe(*words[:-1], "leads.db", "-t", "csv:out/", env=sandbox.env)
    assert done.returncode == 2 and "the state is the file of --state; give --state another name\n" in done.stderr, done.stderr
    done = leadpipe(*words[:-2], "-t", "sqlite:" + STATE, env=sandbox.env)
    assert done.returncode == 2 and "is a state of leadpipe (--state); use another file\n" in done.stderr, done.stderr
    assert "usage: leadpipe status" in refused(leadpipe)
    assert "usage: leadpipe status" in refused(leadpipe, "a", "b")


def test_damaged(resumed, leadpipe, tmp_path):
    resumed.resume(IDS, status=3)
    good = (tmp_path / STATE).read_bytes()

    def says(data, words):
        (tmp_path / STATE).write_bytes(data)
        assert "%s: %s" % (STATE, words) in refused(leadpipe, STATE)

    says(good[:50], "is damaged: it is truncated")
    says(good[:5000], "is damaged: ")
    says(good[:len(good) // 2], "is damaged: ")
    says(good[:60] + bytes([0, 0, 0, 4]) + good[64:], "was written by a later version")
    at = good.index(b'{"id":"bad~status=400"') + 10
    says(good[:at] + b"B" + good[at + 1:], "is damaged: a failed lead is not what was written")
    (tmp_path / STATE).write_bytes(good)
    with sqlite3.connect(tmp_path / STATE) as db:
        db.execute("CREATE VIEW v AS SELECT 1")
    db.close()
    assert "its tables are not those of a state file" in refused(leadpipe, STATE)


EVIL = "<b>\x1b[31m\u202e\x07\r\n\t\x9b2J"


def test_hostile_content(leadpipe, resumed):
    """Checksums that are right, and texts that are not: bounded, and nothing that a terminal would obey."""
    ids = ["f-%d~status=400" % n for n in range(12)]
    resumed.resume(["tiny-1", *ids], status=3)
    change(leadpipe.folder,
           ("UPDATE failures SET line = ? || char(10)", (json.dumps({"id": EVIL, "error": "x" * 50000, "stage": 5}),)),
           ("UPDATE failures SET summary = ?, line = 'no JSON' || char(10) WHERE seq = 2", (EVIL + "y" * 5000,)),
           ("UPDATE failures SET line = ? || char(10) WHERE seq = 3", ("[" * 100000,)),
           ("UPDATE run SET record = replace(record, 'out.ndjson', ?)", ("p" * 1000 + "\\u001b[2J",)))
    with sqlite3.connect(leadpipe.folder / STATE) as db:
        [[record]] = db.execute("SELECT record FROM run").fetchall()
    db.close()
    assert "\\u001b" in record
    text, found = status(leadpipe)
    assert len(text) < 20000 and len(json.dumps(found)) < 40000
    assert "\\x1b[31m\\u202e\\x07" in text and "..." in text
    assert found["run"]["failed"][0]["id"] == EVIL and found["run"]["failed"][0]["error"] == "x" * 512


@pytest.mark.parametrize("statement", [
    "UPDATE run SET record = '{}'", "UPDATE run SET record = '[1'", "UPDATE run SET record = replace(record, '\"sinks\":[', '\"sinks\":[1,')",
    "UPDATE run SET record = replace(record, '\"exported\":', '\"exported\":9')", "UPDATE run SET phase = 1", "UPDATE run SET started_ms = -1",
    "UPDATE checkpoint SET high = 3", "UPDATE checkpoint SET marks = 60", "DELETE FROM settings", "UPDATE run SET run_id = 'x'"])
def test_lies(leadpipe, resumed, statement):
    resumed.resume(IDS[:40], status=3)
    change(leadpipe.folder, statement)
    assert STATE + ": is damaged: " in refused(leadpipe, STATE)
