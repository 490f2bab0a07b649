"""leadpipe check: what it says of the state, which it reads without a lock."""

import hashlib
import json
import os

import pytest

import resumes
import runs
from resumes import DONE, IDS, STATE
from test_hostile_state import HOOK, LIES, RECORD_OF_NOTHING, change, stopped  # noqa: F401
from test_shards import shard_of
from test_state_file import make_version_2


def snapshot(folder):
    return {str(path.relative_to(folder)): (path.lstat().st_mtime_ns, path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest())
            for path in folder.rglob("*")}


def points(one, *words, status=0, same=True, **named):
    """What is said of the state, and of the rest where that is not ok."""
    before = snapshot(one.folder)
    sent = one.control.requests()
    done = one.leadpipe("check", "--json", *one.words("--id", "tiny-0", *words, **named)[1:], env=one.sandbox.env)
    assert done.returncode == status and done.stderr == "", done.stdout.decode()
    assert not same or snapshot(one.folder) == before
    assert {request["method"] for request in one.control.requests()[len(sent):]} <= {"GET"}
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [(point["level"], point["message"]) for point in found if point["subject"] == "state" or point["level"] == "FAIL"]


def says(found, level, *texts):
    assert len(found) == 1 and found[0][0] == level and all(text in found[0][1] for text in texts), found


def test_no_state_yet(resumed):
    says(points(resumed), "ok", STATE, "does not exist yet")
    (resumed.folder / STATE).touch()
    says(points(resumed), "ok", STATE, "it has no run yet")


def test_finished(resumed):
    resumed.resume(IDS, status=3)
    says(points(resumed), "ok", "nothing is unfinished", "exit status 3: %(exported)d exported, 0 unchanged, %(missing)d missing, "
         "%(failed)d failed" % resumes.LEDGER)
    says(points(resumed, "--max-columns", "99"), "ok", "nothing is unfinished")


def test_unfinished(resumed):
    """Whether it would be resumed, discarded or refused is what then happens."""
    resumed.part(DONE)
    says(points(resumed), "warn", STATE, "40 leads done", "would resume")
    says(points(resumed, "--fresh"), "warn", "40 leads done", "would discard", "--fresh")
    says(points(resumed, "--max-columns", "99", status=1), "FAIL", "another command", "--max-columns", "--fresh", "40 leads done")
    says(points(resumed, sinks=["-t", "csv:other/"], status=1), "FAIL", "another command")
    refused = resumed.leadpipe(*resumed.words("--max-columns", "99"), input="x\n", env=resumed.sandbox.env)
    assert refused.returncode == 2 and "another command" in refused.stderr
    assert resumes.LEDGER.items() <= resumed.resume(IDS, status=3).manifest["ledger"].items()


def test_unfinished_shard(resumed):
    """What a shard writes beside its manifest is a part of the command, too."""
    shard = ["--shard", "0/2"]
    last = [one for one in DONE if shard_of(one, [], 2) == 0 and "~" not in one][-1]
    resumed.part(DONE, *shard, until=last)
    says(points(resumed, *shard), "warn", STATE, "would resume")
    says(points(resumed, "--shard", "1/2", status=1), "FAIL", "another command", "--shard was 0/2 and is now 1/2")
    resumed.resume(IDS, *shard)
    run = json.loads(resumed.leadpipe("status", "--json", STATE).stdout)["run"]
    assert [sink["sink"].split(":")[0] for sink in run["sinks"]] == ["csv", "ndjson"]
    assert "rows:" not in resumed.leadpipe("status", STATE).stdout.decode()
    says(points(resumed, *shard), "ok", "nothing is unfinished")


def test_not_begun(resumed):
    """A run that was stopped before its first checkpoint had done nothing."""
    resumed.part(DONE, signal_number=9)
    says(points(resumed, "--max-columns", "99"), "ok", "has done nothing yet", "begins anew")


def test_of_an_earlier_version(resumed):
    """A run takes it over: that is no reason to fail."""
    resumed.part(DONE)
    make_version_2(resumed.folder)
    says(points(resumed), "warn", STATE, "earlier version", "the next run")
    resumed.resume(IDS, status=3)
    says(points(resumed), "ok", "nothing is unfinished")


def test_while_a_run_has_it(resumed):
    resumed.part(IDS[:10])
    process = resumed.waiting(IDS[:30])
    says(points(resumed, status=1, same=False), "FAIL", "in use by process %d" % process.pid, "wait for it, or stop it")
    process.stdin.write(resumes.lines(IDS[30:]).encode())
    assert resumed.ended(process).status == 3


def test_complete_and_not_published(stopped):  # noqa: F811
    change(stopped.folder, ("UPDATE run SET phase = 2, prepared = 4, record = ?", (RECORD_OF_NOTHING % (0, 0),)),
           "DELETE FROM prepared", *[("INSERT INTO prepared VALUES (?, x'', 0)", (i,)) for i in range(4)])
    says(points(stopped), "warn", "is complete", "were not published", "only publish them")


def test_lies(stopped):  # noqa: F811
    """Whatever is in it: something is said, and nothing is changed or sent."""
    state = (stopped.folder / STATE).read_bytes()
    sent = len(stopped.control.deliveries(HOOK))
    levels = []
    for statements in LIES:
        (stopped.folder / STATE).write_bytes(state)
        change(stopped.folder, *statements)
        before = snapshot(stopped.folder)
        done = stopped.leadpipe("check", "--json", *stopped.words("--id", "tiny-0")[1:], env=stopped.sandbox.env)
        assert done.returncode in (0, 1) and done.stderr == "" and snapshot(stopped.folder) == before, statements
        levels += [json.loads(line)["level"] for line in done.stdout.splitlines() if b'"state"' in line]
    assert len(levels) == len(LIES) and levels.count("FAIL") > len(LIES) // 2
    assert len(stopped.control.deliveries(HOOK)) == sent


def damaged(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2:len(data) // 2 + 512] = b"\xff" * 512
    path.write_bytes(data)


def linked(path):
    os.link(path, path.with_name("another name"))


SPOILED = {
    "damaged": (damaged, "damaged"), "cut": (lambda path: os.truncate(path, 50), "truncated"),
    "no state": (lambda path: path.write_text("not a state\n"), "not a leadpipe state file"),
    "of another": (lambda path: change(path.parent, "PRAGMA application_id = 1"), "another program"),
    "later": (lambda path: change(path.parent, "PRAGMA user_version = 99"), "later version"),
    "open to all": (lambda path: path.chmod(0o666), "chmod 600"), "two names": (linked, "hard links"),
    "a folder": (lambda path: path.unlink() or path.mkdir(), "is a directory"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_spoiled(resumed, how):
    spoil, text = SPOILED[how]
    resumed.part(DONE)
    spoil(resumed.folder / STATE)
    says(points(resumed, status=1), "FAIL", STATE, text)


def test_of_another_user(resumed):
    resumed.part(DONE)
    try:
        os.chown(resumed.folder / STATE, 12345, 12345)
    except PermissionError:
        pytest.skip("only root gives files away")
    says(points(resumed, status=1), "FAIL", "belongs to another user")


def test_name_that_is_taken(resumed):
    says(points(resumed, "--state", runs.FAILED, status=1)[1:], "FAIL", "--state and --failed", runs.FAILED)
    says(points(resumed, "--state", "nowhere/x.state", status=1), "FAIL", "nowhere")


def test_size_of_the_last_run(resumed):
    """Also where its files have another name than those of the next one."""
    sinks = ["-t", "ndjson:day-{date}-{run_id}"]
    run = resumed.resume(IDS, sinks=sinks, status=3)
    size = sum(file["bytes"] for sink in run.manifest["sinks"] for file in sink["files"])
    done = resumed.leadpipe("check", *resumed.words("--id", "tiny-0", sinks=sinks)[1:], env=resumed.sandbox.env)
    assert done.returncode == 0, done.stdout
    disk, = [line for line in done.stdout.decode().splitlines() if line.startswith("ok    disk")]
    lists = sum((resumed.folder / name).stat().st_size for name in (runs.FAILED, runs.MISSING, runs.MANIFEST))
    assert "the files of the last run have %.1f KiB" % ((size + lists) / 1024) in disk
