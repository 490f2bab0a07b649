"""The file of --state: what may be one, what is in it, and who has it."""

import json
import os
import re
import signal
import sqlite3

import pytest

import resumes
import runs
from resumes import IDS, DONE, LEDGER, STATE, Resumed, assert_nothing_beside, assert_whole


# --- what a state may be ------------------------------------------------------------------------------

@pytest.mark.parametrize("sink", ["ndjson:-", "csv:-", "msgpack:-", "ndjson:/dev/null", "csv:/dev/stdout", "ndjson:fifo"])
def test_targets_that_cannot_be_resumed(resumed, sink):
    os.mkfifo(resumed.folder / "fifo")
    done = resumed.leadpipe(*resumed.words(sinks=["-t", sink]), input="tiny-1\n", env=resumed.sandbox.env)
    assert done.returncode == 2 and "--state" in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stdout == b""
    assert sorted(os.listdir(resumed.folder)) == ["fifo"]


@pytest.mark.parametrize("clash", ["run.state", "./run.state", "sub/../run.state"])
def test_state_is_no_output(leadpipe, sandbox, control, clash):
    (leadpipe.folder / "sub").mkdir()
    for words in (["-t", "ndjson:" + clash], ["-t", "csv:out/", "--failed", clash], ["-t", "csv:out/", "--manifest", clash]):
        done = leadpipe("export", *sandbox.provider(), *words, "--state", STATE, "--id", "tiny-1", env=sandbox.env)
        assert done.returncode == 2 and STATE in done.stderr, done.stderr
    assert os.listdir(leadpipe.folder) == ["sub"]


def test_mode(resumed):
    os.umask(os.umask(0))
    resumed.part(DONE, preexec_fn=lambda: os.umask(0))
    assert (resumed.folder / STATE).stat().st_mode & 0o777 == 0o600
    resumed.resume(IDS, status=3, preexec_fn=lambda: os.umask(0))
    assert (resumed.folder / STATE).stat().st_mode & 0o777 == 0o600


def test_two_at_once(resumed, one_go, control):
    """The second is refused at once, and does the first no harm."""
    first = resumed.start("--rate", "50/s", stdin=-1)
    first.stdin.write(resumes.lines(DONE).encode())
    first.stdin.flush()
    runs.wait_until(lambda: control.attempts(DONE[0]) >= 2, "the first has begun")
    for more in ([], ["--fresh"], ["--signed-urls", "keep"]):
        done = resumed.leadpipe(*resumed.words(*more), input=resumes.lines(IDS), env=resumed.sandbox.env)
        assert done.returncode == 2, done.stderr
        [message] = [json.loads(line) for line in done.stderr.splitlines()]
        assert STATE in message["message"] and "process %d " % first.pid in message["message"], message
    first.stdin.write(resumes.lines(IDS[40:]).encode())
    assert_whole(resumed, resumed.ended(first), one_go)


SECRETS = ("s3cr3t-key-of-a-test", "s3cr3t-token-of-a-header", "s3cr3t-query")


def assert_no_secrets(folder):
    for name, data in runs.listing(folder).items():
        if not name.startswith("secret-"):
            assert [one for one in SECRETS if one.encode() in data] == [], name


def test_no_secrets(leadpipe, another_sandbox, tmp_path):
    """During the run, when it was stopped, after it: not in the state, nor in anything else."""
    from conftest import Control
    sandbox = another_sandbox("--key", SECRETS[0])
    control = Control(sandbox.url)
    whsec = "whsec_" + "czNjcjN0LXNpZ25pbmcta2V5LW9mLWEtdGVzdA=="
    control.set(latency_ms=20)
    hook = "webhook,secret-env=SIGN,header=X-Token: %s,header-env=X-More: MORE:%s" % (
        SECRETS[1], sandbox.hook("h", body=SECRETS[2]))
    env = {**sandbox.env, "SIGN": whsec, "MORE": SECRETS[1] + "-2"}
    resumed = Resumed(leadpipe, sandbox, control, sinks=[*resumes.SINKS, "-t", hook])
    process = resumed.start(stdin=-1, env=env)
    process.stdin.write(resumes.lines(DONE).encode())
    process.stdin.flush()
    runs.wait_until(lambda: control.ask("hooks").get("h", {}).get("accepted_ids", 0) >= 30, "deliveries")
    assert (tmp_path / (STATE + "-wal")).exists()
    assert_no_secrets(tmp_path)
    process.kill()
    process.wait()
    assert_no_secrets(tmp_path)
    resumed.part(IDS[:50], env=env)
    assert_no_secrets(tmp_path)
    resumed.resume(IDS, env=env, status=3)
    assert_no_secrets(tmp_path)
    assert not any(whsec[6:].encode() in data for data in runs.listing(tmp_path).values())


# --- a state that cannot be used ----------------------------------------------------------------------

def assert_state_refused(resumed, *fragments, name=STATE):
    before = runs.listing(resumed.folder)
    for more in ([], ["--fresh"], ["--changed-only"]):
        done = resumed.leadpipe(*resumed.words(*more, "--state", name), input=resumes.lines(IDS), env=resumed.sandbox.env)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.splitlines()) == 1 and name in done.stderr, done.stderr
        for fragment in fragments:
            assert fragment in done.stderr, done.stderr
        assert runs.listing(resumed.folder) == before
    assert resumed.control.requests() == []


def put_state(resumed, data):
    (resumed.folder / STATE).write_bytes(data)


@pytest.mark.parametrize("data", [b"\x00" * 8192, bytes(range(256)) * 64, b"x", b"tiny-1\ntiny-2\n",
                                  b"SQLite format 3", b"SQLite format 3\x00", b"SQLite format 3\x00" + b"\xff" * 5000])
def test_no_state_at_all(resumed, data):
    put_state(resumed, data)
    assert_state_refused(resumed)


def test_empty_file_is_new(resumed):
    put_state(resumed, b"")
    assert resumed.resume(["tiny-1"]).exported == ["tiny-1"]


def test_database_of_another_program(resumed):
    with sqlite3.connect(resumed.folder / STATE) as other:
        other.execute("CREATE TABLE run (phase, run_id)")
        other.execute("INSERT INTO run VALUES (1, 'theirs')")
    other.close()
    assert_state_refused(resumed, "another program")


def test_later_version(resumed):
    resumed.part(DONE)
    (resumed.folder / "failed.ndjson").unlink()
    resumed.control.reset()
    state = bytearray((resumed.folder / STATE).read_bytes())
    state[63] += 1
    put_state(resumed, bytes(state))
    assert_state_refused(resumed, "later version")


RENAMES_OF_1 = ("CREATE TABLE renames(position INTEGER PRIMARY KEY, source TEXT, target TEXT, bytes INTEGER NOT NULL, "
                "crc INTEGER NOT NULL, seal INTEGER NOT NULL)")
KEPT_OF_1 = ("CREATE TABLE kept(place INTEGER PRIMARY KEY, key BLOB NOT NULL, http_status INTEGER NOT NULL, "
             "attempts INTEGER NOT NULL, mended INTEGER NOT NULL, body BLOB, seal INTEGER NOT NULL)")
NAMES_OF_1 = {"prepared": "renames", "replaced": "mended", "gaps": "holes", "settings": "terms", "buffered": "kept",
              "seq": "place", "last_seq": "last_place", "checksum": "seal", "answer_checksum": "answer_seal",
              "body_checksum": "body_seal"}
ORDER_OF_1 = ("run", "settings", "checkpoint", "marks", "columns", "failures", "buffered", "deliveries", "delivery_counts",
              "accepted_by", "accepted", "accepted_now")


def make_version_1(folder):
    """As leadpipe made it before states knew which leads were missing, and how sinks that are no files are finished."""
    old = folder / "old.state"
    with sqlite3.connect(folder / STATE) as db, sqlite3.connect(old) as made:
        made.execute("PRAGMA auto_vacuum = INCREMENTAL")
        made.execute("PRAGMA application_id = %d" % db.execute("PRAGMA application_id").fetchone())
        tables = dict(db.execute("SELECT name, sql FROM sqlite_master").fetchall())
        assert set(tables) == {*ORDER_OF_1, "missing", "prepared", "list", "listed"}
        for name in ORDER_OF_1:
            if name == "accepted_by":  # it stood before that
                made.execute(RENAMES_OF_1)
            if name == "buffered":  # it had a column more, and what is in it is not read
                made.execute(KEPT_OF_1)
                continue
            made.execute(re.sub(r"\w+", lambda word: NAMES_OF_1.get(word[0], word[0]), tables[name]))
            for row in db.execute("SELECT * FROM %s" % name).fetchall():
                made.execute("INSERT INTO %s VALUES (%s)" % (NAMES_OF_1.get(name, name), ", ".join("?" * len(row))), row)
        made.execute("PRAGMA user_version = 1")
    db.close()
    made.close()
    for beside in folder.glob(STATE + "-*"):
        beside.unlink()
    put = (folder / STATE).stat().st_mode
    old.chmod(put & 0o777)
    old.replace(folder / STATE)


def version_of(folder):
    with sqlite3.connect(folder / STATE) as db:
        [version] = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return version


@pytest.mark.parametrize("more", [[], ["--changed-only"], ["--fresh"]], ids=str)
def test_version_1_is_taken_over(resumed, more):
    """Of a run that is finished, above all what the sinks accepted must not get lost."""
    resumed.resume(IDS, "--changed-only", status=3)
    make_version_1(resumed.folder)
    run = resumed.resume(IDS, *more, status=3)
    unchanged = LEDGER["exported"] if "--changed-only" in more else 0
    assert run.ledger["unchanged"] == unchanged and [row["id"] for row in run.missing] == ["gone~missing"], run.ledger
    assert version_of(resumed.folder) == 3
    assert resumed.resume(IDS, "--changed-only", status=3).ledger["unchanged"] == LEDGER["exported"]


def test_version_1_that_is_unfinished(resumed, one_go):
    """Its missing leads are not known: refused and left as it is, unless it is to be forgotten."""
    resumed.part(DONE)
    runs.forget_lists(resumed.folder)
    make_version_1(resumed.folder)
    before = runs.listing(resumed.folder)
    for more in ([], ["--changed-only"]):
        done = resumed.leadpipe(*resumed.words(*more), input=resumes.lines(IDS), env=resumed.sandbox.env)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
        assert STATE + ": holds an unfinished run of an earlier version of leadpipe; finish it with that version" in done.stderr
        assert runs.listing(resumed.folder) == before
    assert_whole(resumed, resumed.resume(IDS, "--fresh", status=3), one_go)
    assert version_of(resumed.folder) == 3


def make_version_2(folder):
    """As leadpipe made it before states had lists of leads."""
    with sqlite3.connect(folder / STATE) as db:
        db.execute("DROP TABLE list")
        db.execute("DROP TABLE listed")
        db.execute("PRAGMA user_version = 2")
    db.close()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_version_2_is_taken_over(resumed, one_go, signal_number):
    """Also with an unfinished run, which goes on."""
    resumed.part(DONE)
    if signal_number == signal.SIGKILL:
        resumed.part(IDS[:60], signal_number=signal.SIGKILL)
    make_version_2(resumed.folder)
    done = resumed.leadpipe("status", STATE)
    assert done.returncode == 2 and "was written by an earlier version of leadpipe" in done.stderr
    assert_whole(resumed, resumed.resume(IDS, status=3), one_go)
    assert version_of(resumed.folder) == 3


@pytest.mark.parametrize("keep", [1, 15, 16, 60, 99, 100, 512, 4096, 4097, 8192, 20000, -4096])
def test_cut_short(resumed, keep):
    resumed.part(DONE)
    (resumed.folder / "failed.ndjson").unlink()
    resumed.control.reset()
    state = (resumed.folder / STATE).read_bytes()
    assert len(state) > 20000
    put_state(resumed, state[:keep])
    assert_state_refused(resumed)


@pytest.mark.parametrize("part", range(16))
def test_bytes_that_fell_over(resumed, one_go, part):
    """Somewhere in a sixteenth of the file: it is noticed and nothing is touched, or it did not matter."""
    resumed.part(DONE)
    (resumed.folder / "failed.ndjson").unlink()
    state = bytearray((resumed.folder / STATE).read_bytes())
    at = [len(state) * part // 16 + 71 * n for n in range(len(state) // 16 // 71)]
    for n in at:
        state[n] ^= 0xa5
    put_state(resumed, bytes(state))
    before = runs.listing(resumed.folder)
    done = resumed.leadpipe(*resumed.words(), input=resumes.lines(IDS), env=resumed.sandbox.env)
    if done.returncode == 2:
        assert STATE in done.stderr and runs.listing(resumed.folder) == before, done.stderr
    else:
        assert_whole(resumed, runs.check(runs.Run(resumed.folder, done)), one_go)


@pytest.mark.parametrize("name", ["run.state", "run.state/"])
def test_folder(resumed, name):
    (resumed.folder / STATE).mkdir()
    (resumed.folder / STATE / "mine").write_text("mine\n")
    assert_state_refused(resumed, name=name)


def test_other_kinds_of_files(resumed):
    os.mkfifo(resumed.folder / "fifo")
    assert_state_refused(resumed, name="fifo")
    assert_state_refused(resumed, name="/dev/null")
    assert_state_refused(resumed, name="-")
    assert_state_refused(resumed, name="absent/run.state")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only(resumed):
    resumed.part(DONE)
    (resumed.folder / "failed.ndjson").unlink()
    resumed.control.reset()
    (resumed.folder / STATE).chmod(0o400)
    assert_state_refused(resumed)
    (resumed.folder / STATE).chmod(0o600)
    (resumed.folder / "ro").mkdir()
    (resumed.folder / "ro").chmod(0o500)
    assert_state_refused(resumed, name="ro/run.state")


def test_state_behind_a_link(resumed):
    """The file is where the link points, and the link stays."""
    (resumed.folder / "real").mkdir()
    (resumed.folder / "real" / "it").write_bytes(b"")
    os.symlink("real/it", resumed.folder / STATE)
    resumed.part(DONE)
    assert (resumed.folder / STATE).is_symlink() and (resumed.folder / "real" / "it").stat().st_size > 0
    assert resumed.resume(IDS, status=3).outcomes() == LEDGER
    assert os.listdir(resumed.folder / "real") == ["it"]


def test_link_that_leads_nowhere(resumed):
    os.symlink("nowhere", resumed.folder / STATE)
    assert_state_refused(resumed, "symbolic link")
