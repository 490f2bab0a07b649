"""A run with --state that is cut off while its outputs get their names: the same command gives them the
rest of them, and does so only with files that are still this run's own.
"""

import json
import os
import shutil
import signal

import pytest

import resumes
import rigs
import runs

pytestmark = [rigs.needs_state, rigs.needs_library]
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")

NOBODY = 65534
OUTPUTS = ["one.ndjson", "two.ndjson", runs.FAILED, runs.MISSING, runs.MANIFEST]
IDS = ["tiny-1", "gone~missing", "bad~status=400", "tiny-2"]


class CutOff:
    """One command; cut() kills it before the file of that name gets it."""

    def __init__(self, leadpipe, sandbox, control):
        self.leadpipe, self.sandbox, self.control, self.folder = leadpipe, sandbox, control, leadpipe.folder

    def run(self, *more, rules=None, lists=True, **popen):
        words = [*self.sandbox.provider(), "--state", resumes.STATE, "-t", "ndjson:one.ndjson", "-t", "ndjson:two.ndjson"]
        if lists:
            words += runs.command(out=None)
        faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(self.folder), "FAULTFS_RULES": rules} if rules else {}
        return self.leadpipe("export", *words, *more, input=resumes.lines(IDS), env={**self.sandbox.env, **faults}, **popen)

    def cut(self, name, *more, **options):
        done = self.run(*more, rules="op=rename path=%s kill=before" % name, **options)
        assert done.returncode == -signal.SIGKILL, done.stderr

    def part_of(self, name):
        return self.folder / (".%s.leadpipe-part" % name)


@pytest.fixture
def cut_off(leadpipe, sandbox, control):
    return CutOff(leadpipe, sandbox, control)


def of_another_user(cut_off, part):
    """In a folder that both can write: with the same content, so that its length and checksum show nothing."""
    copy = shutil.copy(part, part.with_suffix(".theirs"))
    os.chown(copy, NOBODY, NOBODY)
    os.replace(copy, part)


def hard_link(cut_off, part):
    os.link(part, cut_off.folder / "another name")


def symbolic_link(cut_off, part):
    os.rename(part, cut_off.folder / "elsewhere")
    part.symlink_to("elsewhere")


@pytest.mark.parametrize("name", ["two.ndjson", runs.MANIFEST])
@pytest.mark.parametrize("put, says", [(of_another_user, "it belongs to another user (65534)"), (hard_link, "it has other hard links"),
                                       (symbolic_link, "is in the way, and is not a regular file")],
                         ids=lambda value: getattr(value, "__name__", ""))
def test_not_our_own_any_more(cut_off, name, put, says):
    """It is not published, and nothing else is, either."""
    if put is of_another_user and os.geteuid() != 0:
        pytest.skip("only root can make files of other users")
    cut_off.cut(OUTPUTS[0])
    part = cut_off.part_of(name)
    shutil.copy(part, cut_off.folder / "kept")
    put(cut_off, part)
    before = runs.listing(cut_off.folder)
    done = cut_off.run()
    assert done.returncode == 2 and part.name in done.stderr and says in done.stderr, done
    assert runs.listing(cut_off.folder) == before and not (cut_off.folder / name).exists()
    part.unlink()
    os.rename(cut_off.folder / "kept", part)
    asked = len(cut_off.control.requests())
    done = cut_off.run()
    assert done.returncode == 3 and len(cut_off.control.requests()) == asked, done
    assert all((cut_off.folder / one).exists() for one in OUTPUTS)


# --- lists and a manifest that go to no file ----------------------------------------------------------

@pytest.mark.parametrize("option, path", [("--failed", "/dev/stdout"), ("--failed", "-"), ("--missing", "/dev/stdout"),
                                          ("--missing", "/proc/self/fd/1")])
def test_list_in_a_stream(cut_off, option, path):
    """Whoever read it the first time is gone: the run that ends this one reports all of it."""
    cut_off.cut("two.ndjson", option, path, lists=False)
    done = cut_off.run(option, path, lists=False)
    assert done.returncode == 3, done.stderr
    [row] = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["id"] == {"--failed": "bad~status=400", "--missing": "gone~missing"}[option]
    assert (cut_off.folder / "one.ndjson").exists() and (cut_off.folder / "two.ndjson").exists()
    assert cut_off.run(option, path, lists=False).returncode == 3 and len(cut_off.control.requests()) == 2 * len(IDS)


def test_list_whose_reader_is_gone(cut_off):
    """The run is not over before somebody has read it."""
    cut_off.cut("two.ndjson", "--failed", "/dev/stdout", lists=False)
    read, write = os.pipe()
    os.close(read)
    done = cut_off.run("--failed", "/dev/stdout", lists=False, stdout=write)
    os.close(write)
    assert done.returncode == 1 and "standard output was closed" in done.stderr, done.stderr
    done = cut_off.run("--failed", "/dev/stdout", lists=False)
    assert done.returncode == 3 and json.loads(done.stdout)["id"] == "bad~status=400", done.stderr


def test_manifest_in_a_stream(cut_off):
    """What only it says is not in the state: so there is none, and the message says so."""
    cut_off.cut("two.ndjson", "--manifest", "-", lists=False)
    done = cut_off.run("--manifest", "-", lists=False)
    assert done.returncode == 3 and done.stdout == b"", done
    assert "standard output: there is no manifest of this run, because it was interrupted while publishing its outputs" in done.stderr
    assert (cut_off.folder / "one.ndjson").exists() and (cut_off.folder / "two.ndjson").exists()
    assert json.loads(cut_off.run("--manifest", "-", lists=False).stdout)["published"]


# --- a name that cannot be had ------------------------------------------------------------------------

@pytest.mark.parametrize("fault", ["op=rename path=two.ndjson fail=EIO", "op=sync path=. fail=EIO"])
def test_published_in_part(leadpipe, sandbox, fault):
    """Then nobody says that the files are as they were."""
    for name in OUTPUTS[:2]:
        (leadpipe.folder / name).write_text("earlier\n")
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(leadpipe.folder), "FAULTFS_RULES": fault}
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:one.ndjson", "-t", "ndjson:two.ndjson", input=resumes.lines(IDS),
                    env={**sandbox.env, **faults})
    assert done.returncode == 1, done.stderr
    assert (leadpipe.folder / "one.ndjson").read_text() != "earlier\n" == (leadpipe.folder / "two.ndjson").read_text()
    assert "the run stopped while its output files were being published: some of them may be new and others old" in done.stderr
    assert "fetched but perhaps not published, 0 unchanged" in done.stderr
    assert "unchanged" not in done.stderr.split("sink ", 1)[1] and "no output file was published" not in done.stderr


@pytest.mark.parametrize("option", ["failed", "missing", "schema", "manifest"])
@pytest.mark.parametrize("state", [[], ["--state", "state"]], ids=["", "state"])
def test_only_a_file_about_the_run_is_not_published(leadpipe, sandbox, option, state):
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(leadpipe.folder), "FAULTFS_RULES": "op=rename path=about fail=EIO"}
    words = ["export", *sandbox.provider(), "-t", "ndjson:one.ndjson", "--" + option, "about", "--summary", "json", *state]
    for _ in range(2):  # with a state the second one only publishes
        done = leadpipe(*words, input=resumes.lines(IDS), env={**sandbox.env, **faults})
        assert done.returncode == 1 and "about: Input/output error" in done.stderr, done.stderr
        assert (leadpipe.folder / "one.ndjson").exists() and "no output file was published" not in done.stderr
        assert '"published":true' in done.stderr and "the outputs are published, but not the file of --%s\n" % option in done.stderr, done.stderr
        assert "the run published its outputs, but not every file about it" in done.stderr, done.stderr
    leadpipe(*words, input=resumes.lines(IDS), env=sandbox.env)
    assert (leadpipe.folder / "about").exists()


@pytest.mark.parametrize("state", [[], ["--state", "state"]], ids=["", "state"])
def test_a_list_that_is_published_at_the_second_try(leadpipe, sandbox, state):
    """It is tried once more at the end of a run that has failed; what is not there by then is the schema."""
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(leadpipe.folder), "FAULTFS_RULES": "op=rename path=about fail=EIO to=1"}
    words = ["export", *sandbox.provider(), "-t", "ndjson:one.ndjson", "--missing", "about", "--schema", "s.json", *state]
    done = leadpipe(*words, input=resumes.lines([*IDS, "gone~missing"]), env={**sandbox.env, **faults})
    assert done.returncode == 1 and (leadpipe.folder / "about").read_text() and not (leadpipe.folder / "s.json").exists(), done.stderr
    assert "the outputs are published, but not the file of --schema\n" in done.stderr, done.stderr


def test_a_manifest_in_a_directory_of_the_run(leadpipe, sandbox):
    """It says why the run could not even begin."""
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(leadpipe.folder), "FAULTFS_RULES": "op=write path=state* fail=ENOSPC"}
    done = leadpipe("export", *sandbox.provider(), "-t", "ndjson:one.ndjson", "--manifest", "of-{run_id}/m.json", "--state", "state",
                    input=resumes.lines(IDS), env={**sandbox.env, **faults})
    assert done.returncode == 1 and "mkdir" not in done.stderr, done.stderr
    written, = leadpipe.folder.glob("of-*/m.json")
    assert json.loads(written.read_text())["published"] is False


@pytest.mark.parametrize("sink", ["ndjson:-", "csv:/dev/fd/1", "msgpack:/dev/stdout"])
def test_standard_output_that_is_a_file(leadpipe, sandbox, sink):
    """What a disk could not write is reported when it is asked to sync, and by some file systems only then."""
    faults = {"LD_PRELOAD": str(rigs.LIBRARY), "FAULTFS_FOLDER": str(leadpipe.folder), "FAULTFS_RULES": "op=sync path=all fail=EIO"}
    with open(leadpipe.folder / "all", "wb") as file:
        done = leadpipe("export", *sandbox.provider(), "-t", sink, input="tiny-1\n", env={**sandbox.env, **faults}, stdout=file)
    assert done.returncode == 1 and "standard output: Input/output error" in done.stderr, done.stderr
