"""A disk that fails at each kind of write: exit 1, a message that names the file, the earlier output
as it was; and when there is room again, the same command resumes to the same files.

The failing is done by tests/faults/faultfs.so, which says in a log what it did: a fault that was not
met proves nothing.
"""

import json
import shutil
import signal

import pytest

import rigs
import runs
from conftest import SANITIZER, SLOWNESS
from outputs import ids_file, lead_ids_of

import books
import every_call
import powercut

pytestmark = [rigs.needs_state, rigs.needs_library]
tmp_path = rigs.in_memory

# Enough rows that the CSV has its header on disk when the last leads bring new columns, so that it
# is written once more.
IDS = (["tiny-1~status=400", "plain-x~status=500~times=1", "gone~missing"] + ["plain-%d" % n for n in range(420)] +
       ["newcode-%d-x" % n for n in range(3)])


class Exporter:
    """One command in one folder, again and again."""

    def __init__(self, leadpipe, sandbox, control, folder):
        self.leadpipe, self.sandbox, self.folder = leadpipe, sandbox, folder / "disk"
        self.log = folder / "faults.log"
        self.folder.mkdir()
        control.set(nonce="same")
        ids_file(self.folder, IDS)
        for name in books.EARLIER_FILES:
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_bytes(books.EARLIER)

    def words(self, *more):
        return ["export", *self.sandbox.provider(), "-t", "csv:out/", "-t", "ndjson:leads.ndjson", "-t",
                "msgpack:leads.msgpack.gz", "-t", "csv,gzip=1:leads.csv.gz", "-t",
                "webhook,batch=10:" + self.sandbox.hook("disk"), "--state", books.STATE, "--failed", books.FAILED, "--missing", books.MISSING,
                "--manifest", books.MANIFEST, *more, "ids.txt"]

    def run(self, *more, rules=None):
        env = dict(self.sandbox.env)
        if rules:
            env.update(powercut.environment(self.folder, rigs.LIBRARY, FAULTFS_RULES=rules, FAULTFS_LOG=str(self.log)))
            del env["FAULTFS_JOURNAL"]
        return self.leadpipe(*self.words(*more), env=env, cwd=self.folder)

    def faults(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def delivered(self, control):
        accepted = [one for one in control.deliveries("disk") if one["status"] == 200]
        return {lead for one in accepted for lead in lead_ids_of(one)}

    def left(self, status):
        return books.Left(self.folder, status)


@pytest.fixture
def exporter(leadpipe, sandbox, control, tmp_path):
    return Exporter(leadpipe, sandbox, control, tmp_path)


@pytest.fixture(scope="module")
def reference(sandbox, tmp_path_factory):
    """What a run leaves that met no fault."""
    from conftest import Control, Leadpipe
    handle = Control(sandbox.url)
    handle.reset()
    folder = tmp_path_factory.mktemp("reference")
    one = Exporter(Leadpipe(folder), sandbox, handle, folder)
    done = one.run()
    assert done.returncode == 3, done.stderr
    left = one.left(done.returncode)
    books.check_alone(left)
    left.delivered = one.delivered(handle)
    assert len(left.delivered) == len(IDS) - 2
    handle.reset()
    return left


def check_resumes(exporter, reference, control, *more):
    done = exporter.run(*more)
    assert done.returncode == reference.status, done.stderr
    left = exporter.left(done.returncode)
    books.check_alone(left)
    books.check_same(left, reference)
    assert exporter.delivered(control) == reference.delivered


def check_failed(exporter, done, name, error):
    assert exporter.faults(), "the fault was not met"
    assert done.returncode == 1, done.stderr
    reported = [line for line in done.stderr.splitlines() if name in line and (error is None or error in line)]
    assert reported, done.stderr


PART = ".leadpipe-part"
# rules, the file that the message names, whether outputs may have been published
FAULTS = {
    "csv": ("op=write path=out/.leads.csv%s after_bytes=70000 fail=ENOSPC" % PART, "out/leads.csv"),
    "csv of another table": ("op=write path=out/.checklist_items.csv%s after_bytes=300000 fail=ENOSPC" % PART,
                             "out/checklist_items.csv"),
    "csv, short": ("op=write path=out/.leads.csv%s after_bytes=1 fail=EDQUOT" % PART, "out/leads.csv"),
    "ndjson": ("op=write path=.leads.ndjson%s after_bytes=1000000 fail=ENOSPC" % PART, "leads.ndjson"),
    "msgpack": ("op=write path=.leads.msgpack.gz%s after_bytes=100000 fail=ENOSPC" % PART, "leads.msgpack.gz"),
    "csv gzip": ("op=write path=.leads.csv.gz%s after_bytes=10 fail=EIO" % PART, "leads.csv.gz"),
    "late columns": ("op=write path=out/.leads.csv.leadpipe-wide after_bytes=20000 fail=ENOSPC", "out/leads.csv"),
    "late columns gzip": ("op=write path=.leads.csv.gz.leadpipe-wide after_bytes=0 fail=ENOSPC", "leads.csv.gz"),
    "late columns, create": ("op=create path=*.leadpipe-wide fail=ENOSPC", "leads.csv"),
    "sync csv": ("op=sync path=out/.leads.csv* fail=EIO", "out/leads.csv"),
    "sync ndjson": ("op=sync path=.leads.ndjson* fail=EIO", "leads.ndjson"),
    "failed list": ("op=write path=.failed.ndjson* after_bytes=20 fail=ENOSPC", "failed.ndjson"),
    "sync failed list": ("op=sync path=.failed.ndjson* fail=EIO", "failed.ndjson"),
    "missing list": ("op=write path=.missing.ndjson* after_bytes=20 fail=ENOSPC", "missing.ndjson"),
    "sync missing list": ("op=sync path=.missing.ndjson* fail=EIO", "missing.ndjson"),
    "all of it": ("op=write path=* after_bytes=2000000 fail=ENOSPC", ""),
}
AT_THE_END = {
    "manifest": ("op=write path=.manifest.json* after_bytes=20 fail=ENOSPC", "manifest.json"),
    "sync manifest": ("op=sync path=.manifest.json* fail=EIO", "manifest.json"),
    "rename manifest": ("op=rename path=manifest.json fail=EIO", "manifest.json"),
    "rename failed list": ("op=rename path=failed.ndjson fail=EIO", "failed.ndjson"),
    "rename missing list": ("op=rename path=missing.ndjson fail=EIO", "missing.ndjson"),
    "rename csv": ("op=rename path=out/documents.csv fail=ENOSPC", "out/documents.csv"),
    "rename ndjson": ("op=rename path=leads.ndjson fail=EIO", "leads.ndjson"),
    "rename msgpack": ("op=rename path=leads.msgpack.gz fail=EROFS", "leads.msgpack.gz"),
    "sync folder": ("op=sync path=out fail=EIO", "out"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_before_the_end(exporter, reference, control, fault):
    rules, name = FAULTS[fault]
    done = exporter.run(rules=rules)
    check_failed(exporter, done, name, None if "EIO" in rules or "EDQUOT" in rules else "No space left on device")
    books.check_unpublished(exporter.folder, reference, stopped=True)
    check_resumes(exporter, reference, control)


@pytest.mark.parametrize("fault", AT_THE_END)
def test_at_the_end(exporter, reference, control, fault):
    """Some outputs may have their names already; each of them is then complete."""
    rules, name = AT_THE_END[fault]
    done = exporter.run(rules=rules)
    check_failed(exporter, done, name, None)
    books.check_unpublished(exporter.folder, reference, stopped=False)
    check_resumes(exporter, reference, control)


@pytest.mark.parametrize("rules", [
    "op=write path=run.state* after_bytes=40000 fail=ENOSPC", "op=write path=run.state* after_bytes=150001 fail=ENOSPC",
    "op=write path=run.state* from=3 fail=EIO", "op=write path=run.state-wal from=20 fail=ENOSPC",
    "op=sync path=run.state* from=2 fail=EIO", "op=sync path=run.state* from=5 fail=EIO",
    "op=sync path=run.state-wal from=9 to=9 fail=EIO", "op=create path=run.state-wal fail=ENOSPC",
])
def test_state(exporter, reference, control, rules):
    """What cannot be remembered is no progress, and what was remembered before is still there."""
    done = exporter.run(rules=rules)
    check_failed(exporter, done, books.STATE, None)
    books.check_unpublished(exporter.folder, reference, stopped=True)
    check_resumes(exporter, reference, control)


@pytest.mark.parametrize("rules", ["op=write path=run.state* after_bytes=0 fail=ENOSPC", "op=create path=run.state fail=EROFS",
                                   "op=sync path=run.state* fail=EIO"])
def test_state_that_cannot_begin(exporter, reference, control, rules):
    done = exporter.run(rules=rules)
    assert exporter.faults(), "the fault was not met"
    assert done.returncode in (1, 2) and books.STATE in done.stderr, done.stderr
    assert control.requests() == [], "nothing is fetched that cannot be remembered"
    books.check_unpublished(exporter.folder, reference, stopped=True)
    check_resumes(exporter, reference, control)


@pytest.mark.parametrize("n", range(1, 6))
def test_full_again_and_again(exporter, reference, control, n):
    """Each time there is a little more room, and each time it is too little."""
    failures = 0
    for room in range(200_000, 1_400_001, 300_000):
        rules = "op=write path=* after_bytes=%d fail=ENOSPC" % (room * n)
        done = exporter.run(rules=rules)
        if done.returncode == reference.status:
            break
        assert done.returncode == 1, done.stderr
        failures += 1
        books.check_unpublished(exporter.folder, reference, stopped=False)
    assert failures, "there was room enough"
    if done.returncode == 1:
        check_resumes(exporter, reference, control)


def test_read_only_folder(exporter, reference, control):
    """From the middle on, nothing can be made, written or renamed in out/."""
    rules = "; ".join("op=%s path=out/* from=%d fail=EROFS" % (op, n) for op, n in (("create", 12), ("write", 4), ("rename", 1)))
    done = exporter.run(rules=rules)
    check_failed(exporter, done, "out/", "Read-only file system")
    books.check_unpublished(exporter.folder, reference, stopped=True)
    check_resumes(exporter, reference, control)


def test_read_only_when_it_resumes(exporter, reference, control):
    """Nothing was done, nothing is lost."""
    assert exporter.run(rules=FAULTS["ndjson"][0]).returncode == 1
    before = runs.listing(exporter.folder)
    done = exporter.run(rules="op=create path=* fail=EROFS; op=write path=* fail=EROFS")
    assert done.returncode in (1, 2) and len(done.stderr.splitlines()) <= 20, done.stderr
    after = runs.listing(exporter.folder)
    assert {name for name in before if not books.is_state(name)} == {name for name in after if not books.is_state(name)}
    check_resumes(exporter, reference, control)


def test_removed_folder(exporter, reference, leadpipe, sandbox, control):
    """Whether it can be resumed or not, a run whose folder was removed never claims to be complete when it is not."""
    ids_file(exporter.folder, IDS[:200] + ["plain-late~slow=1500"] + IDS[200:])
    process = leadpipe.start(*exporter.words(), env=sandbox.env, cwd=exporter.folder)
    runs.wait_until(lambda: control.attempts("plain-late~slow=1500") == 1, "the slow lead is asked for")
    shutil.rmtree(exporter.folder / "out")
    stderr = process.communicate(timeout=60 * SLOWNESS)[1].decode()
    assert process.returncode == 1 and "out/" in stderr, stderr
    for name in books.EARLIER_FILES[1:]:
        assert books.content(exporter.folder / name) == books.EARLIER, name
    assert not books.read_json(exporter.folder / books.MANIFEST)["published"]
    again = exporter.run()
    if again.returncode != reference.status:  # what was remembered may need what was removed
        assert again.returncode in (1, 2) and "out" in again.stderr, again.stderr
        again = exporter.run("--fresh")
    left = exporter.left(again.returncode)
    books.check_alone(left)
    assert left.manifest["ledger"]["exported"] == reference.manifest["ledger"]["exported"] + 1


def test_killed_after_a_full_disk(exporter, reference, leadpipe, sandbox, control):
    """Two misfortunes, one after the other."""
    assert exporter.run(rules=FAULTS["ndjson"][0]).returncode == 1
    done = exporter.run(rules="op=rename from=2 kill=before")
    assert done.returncode == -signal.SIGKILL
    check_resumes(exporter, reference, control)


@pytest.mark.parametrize("name", ["leads.ndjson", "out/documents.csv"])
@pytest.mark.parametrize("what", ["gone", "shorter", "another"])
def test_complete_file_is_not_there(exporter, control, reference, name, what):
    """Cut off among its renames: what bears a name now need not be what the run completed."""
    assert exporter.run(rules="op=rename path=out/leads.csv kill=before").returncode == -signal.SIGKILL
    path = exporter.folder / name
    earlier = path.read_bytes() if path.exists() else None
    part = path.with_name("." + path.name + PART)
    complete = part.read_bytes()
    if what == "gone":
        part.unlink()
    else:
        part.write_bytes(complete[:-100] + (b"x" * 100 if what == "another" else b""))
    done = exporter.run()
    assert done.returncode == 2 and path.name in done.stderr and "--fresh" in done.stderr, done.stderr
    assert (path.read_bytes() if path.exists() else None) == earlier
    books.check_unpublished(exporter.folder, reference, stopped=True)  # none of them, if not all
    part.write_bytes(complete)
    check_resumes(exporter, reference, control)


def test_resumes_in_another_folder(leadpipe, sandbox, exporter, tmp_path):
    """Only what the command names is renamed: a relative path means another file there."""
    words = ["export", *sandbox.provider(), "-t", "ndjson:%s" % (tmp_path / "leads.ndjson"), "--state",
             str(tmp_path / "state"), "--failed", "failed.ndjson", str(exporter.folder / "ids.txt")]
    rules = powercut.environment(tmp_path, rigs.LIBRARY, FAULTFS_RULES="op=rename path=leads.ndjson kill=before")
    del rules["FAULTFS_JOURNAL"]
    done = leadpipe(*words, env={**sandbox.env, **rules}, cwd=exporter.folder)
    assert done.returncode == -signal.SIGKILL
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = leadpipe(*words, env=sandbox.env, cwd=elsewhere)
    assert done.returncode == 2 and "--failed" in done.stderr and not list(elsewhere.iterdir()), done.stderr
    assert not (tmp_path / "leads.ndjson").exists()
    words[words.index("failed.ndjson")] = str(exporter.folder / "failed.ndjson")
    done = leadpipe(*words, env=sandbox.env, cwd=elsewhere)
    assert done.returncode == 3 and not list(elsewhere.iterdir()), done.stderr
    assert len((tmp_path / "leads.ndjson").read_text().splitlines()) == len(IDS) - 2
    assert len((exporter.folder / "failed.ndjson").read_text().splitlines()) == 1


def test_full_disk_tells_the_state(exporter, reference, control):
    """In JSON messages, too, the file is named."""
    done = exporter.run("--log-format", "json", rules=FAULTS["csv"][0])
    messages = [json.loads(line) for line in done.stderr.splitlines()]
    assert any("out/leads.csv" in one["message"] and one["level"] == "error" for one in messages), done.stderr


@pytest.mark.parametrize("more", [("EIO",), ("ENOSPC", "--for-good")])
def test_each_call_fails(tmp_path, more):
    """Also those of which nobody thought above."""
    stride = "17" if SANITIZER is None else "53"
    assert every_call.main(["--fail", *more, "--stride", stride, "--offset", "3", "--folder", str(tmp_path)]) == 0


def test_an_error_that_is_reported_once(leadpipe, sandbox, control, tmp_path):
    """A sync that failed at a sink's end is not forgotten by the checkpoint, to which the system says that all is well."""
    disk, log = tmp_path / "disk", tmp_path / "faults.log"
    disk.mkdir()
    ids = ["plain-%d" % n for n in range(20)]
    words = ["export", *sandbox.provider(), "-t", "ndjson:out.ndjson", "-t", "webhook,concurrency=1:" + sandbox.hook("slow"),
             "--state", books.STATE, ids_file(disk, ids)]
    control.hook("slow", delay_ms=100)  # so the file's sink has ended long before the last checkpoint is whole
    powercut.begin(disk)
    env = powercut.environment(disk, rigs.LIBRARY, FAULTFS_RULES="op=sync path=.out.ndjson* to=1 fail=EIO",
                               FAULTFS_LOG=str(log))
    done = leadpipe(*words, env={**sandbox.env, **env}, cwd=disk)
    assert done.returncode == 1 and "out.ndjson: Input/output error" in done.stderr, done.stderr
    assert len(log.read_text().splitlines()) == 1
    powercut.apply(disk, "drop")
    done = leadpipe(*words, env=sandbox.env, cwd=disk)
    assert done.returncode == 0, done.stderr
    assert [row["lead_id"] for row in runs.json_lines(disk / "out.ndjson")] == ids
